//! An operator who commits: a house with a `.env` of its own, and a practice node that nobody else disturbs.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, path::PathBuf};

use grail_console::domain::hotkey::Hotkey;
use grail_console::sandbox::{
    BlockTime, Credentials, NETUID, OPERATOR_UID, RuntimeKind, SandboxOptions, Scenario, hotkey,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use subxt_rpcs::client::{RpcParams, rpc_params};

use super::DEADLINE;
use super::encoder::{hash_of, hex};
use super::house::{House, Ran};
use super::node::{Node, line};
use crate::cli_status::{env_of, path};

/// Blocks of a node that makes them by itself: slow enough that a loaded machine keeps up with an era.
pub const BLOCKS: Duration = Duration::from_millis(200);
/// The chain holds an older read key than the first `.env`, and nothing happens by itself. The head lies at the beginning
/// of an epoch, so that none ends while a test looks.
const QUIET: &str =
    "description = \"for commits\"\nhead = 9_168_240\n[operator]\npublished = { read = { generation = 1 } }\n";

fn quiet(uids: u32, block_time: BlockTime, runtime: RuntimeKind) -> SandboxOptions {
    let scenario = Scenario::parse("quiet", QUIET).unwrap().on(runtime);
    SandboxOptions { uids, block_time, ..SandboxOptions::new(scenario) }
}

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Where an operator's bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// At the practice store.
    Practice,
    /// Where nothing listens.
    Nowhere,
    /// At R2, where no test may come: for what is refused before a store is asked.
    R2,
}

/// The house and the node.
pub struct Operator {
    pub house: House,
    pub node: Node,
    /// Where the buckets are: at the practice store, if nothing else is said.
    store: Store,
}

impl Operator {
    /// Blocks come by themselves.
    pub fn new() -> Self {
        Self::at(64, BlockTime::Every(BLOCKS))
    }

    /// Blocks come when the test makes them, so that every step stands still.
    pub fn by_hand() -> Self {
        Self::at(64, BlockTime::Manual)
    }

    /// The same on another runtime.
    pub fn by_hand_on(runtime: RuntimeKind) -> Self {
        Self::on(quiet(64, BlockTime::Manual, runtime))
    }

    /// Blocks come by themselves, on another runtime.
    pub fn new_on(runtime: RuntimeKind) -> Self {
        Self::on(quiet(64, BlockTime::Every(BLOCKS), runtime))
    }

    /// Among so many uids: the operator's own is 42.
    pub fn at(uids: u32, block_time: BlockTime) -> Self {
        Self::among("", uids, block_time)
    }

    /// The same with more in its scenario.
    pub fn among(more: &str, uids: u32, block_time: BlockTime) -> Self {
        let scenario = Scenario::parse("quiet", &format!("{QUIET}{more}")).unwrap();
        Self::on(SandboxOptions { uids, block_time, ..SandboxOptions::new(scenario) })
    }

    /// On a practice node of one's own.
    pub fn on(options: SandboxOptions) -> Self {
        let operator = Self { house: House::new(), node: Node::with(options), store: Store::Practice };
        operator.has_generation(0);
        operator
    }

    /// The same, in a house with one more variable.
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.house = self.house.with(name, value);
        self
    }

    /// The same with its bucket elsewhere.
    pub fn at_store(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// Writes the `.env` anew.
    pub fn has(&self, env: impl AsRef<[u8]>) -> PathBuf {
        self.house.write("grail/.env", env)
    }

    /// Writes a `.env` with the read key of a generation.
    pub fn has_generation(&self, generation: u8) -> PathBuf {
        self.has(env_of(&Credentials::of(OPERATOR_UID, generation)))
    }

    /// The flags of the practice wallet, this `.env` and this node.
    pub fn flags(&self) -> Vec<String> {
        let own = self.node.sandbox().operator().unwrap();
        self.flags_of(own.wallet, own.hotkey_name, &path(&own.wallet_path))
    }

    /// The same for another wallet.
    pub fn flags_of(&self, wallet: &str, hotkey: &str, folder: &str) -> Vec<String> {
        let env = path(&self.house.path("grail/.env"));
        let pairs =
            [("--wallet", wallet), ("--hotkey", hotkey), ("--wallet-path", folder), ("--env-file", env.as_str())];
        let own = pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()]);
        // What is published must open its bucket.
        let store = match self.store {
            Store::R2 => None,
            Store::Nowhere => Some(NOWHERE.to_owned()),
            Store::Practice => Some(self.node.sandbox().s3_url().to_owned()),
        };
        let store = store.into_iter().flat_map(|url| ["--s3-endpoint".to_owned(), url]);
        self.node.flags().into_iter().chain(own).chain(store).collect()
    }

    /// The requests that the practice store got, as `VERB key`.
    pub fn asked_of_store(&self) -> Vec<String> {
        let seen = self.node.sandbox().s3().requests();
        seen.iter().map(|request| format!("{} {}", request.method, request.key)).collect()
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.house.run(line(words, &self.flags()))
    }

    /// Starts a command and goes on.
    pub fn start(&self, words: &[&str]) -> Running {
        self.start_with(line(words, &self.flags()))
    }

    pub fn start_with(&self, arguments: Vec<String>) -> Running {
        let mut command = self.house.console(arguments);
        Running::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// How often anything was handed to the node's pool, in whatever way.
    pub fn submissions(&self) -> u64 {
        let requests = self.node.sandbox().meter().requests;
        requests.iter().filter(|(method, _)| method.starts_with("author_submit")).map(|(_, count)| count).sum()
    }

    /// Fails unless nothing was sent and nothing was written down.
    #[track_caller]
    pub fn did_nothing(&self) {
        let meter = self.node.sandbox().meter();
        let asked: Vec<_> = meter.requests.keys().filter(|method| method.starts_with("author_")).collect();
        assert!(asked.is_empty(), "the pool was asked: {asked:?}");
        assert_eq!(self.journal(), Vec::<Value>::new());
    }

    /// The lines of every journal.
    pub fn journal(&self) -> Vec<Value> {
        let Ok(folder) = fs::read_dir(self.house.state().join("journal")) else { return Vec::new() };
        let files = folder.map(|entry| entry.unwrap().path()).filter(|file| file.extension() == Some("jsonl".as_ref()));
        let text: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The kinds of its records, in order.
    pub fn records(&self) -> Vec<String> {
        self.journal().iter().map(|record| record["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// What the chain holds for the operator at the best block.
    pub fn on_chain(&self) -> String {
        self.on_chain_of(hotkey(OPERATOR_UID))
    }

    pub fn on_chain_of(&self, who: Hotkey) -> String {
        let held = self.node.sandbox().commitments().unwrap();
        let (_, stored) = held.into_iter().find(|(hotkey, _)| *hotkey == who).expect("there is a commitment");
        String::from_utf8(stored[14..].to_vec()).unwrap()
    }

    pub fn ask(&self, method: &str, parameters: RpcParams) -> Value {
        self.node.ask(method, parameters)
    }

    /// What waits in the pool.
    pub fn pending(&self) -> usize {
        self.node.pending()
    }

    /// The hash of the extrinsic at a place of a block.
    pub fn extrinsic(&self, block: &Value, index: &Value) -> String {
        let answer = self.ask("chain_getBlock", rpc_params![block]);
        let index = usize::try_from(index.as_u64().unwrap()).unwrap();
        let extrinsic = answer["block"]["extrinsics"][index].as_str().unwrap();
        hex(&hash_of(&hex::decode(&extrinsic[2..]).unwrap()))
    }

    /// The extrinsics that the operator has had included.
    pub fn nonce(&self) -> u64 {
        self.ask("system_accountNextIndex", rpc_params![json!(hotkey(OPERATOR_UID).to_string())]).as_u64().unwrap()
    }

    /// Waits until something holds that another process brings about.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Number of the block with which the epoch after that of a block begins, by the rule of FACTS 3 at tempo 360.
pub fn next_epoch(block: u64) -> u64 {
    let epoch = |number: u64| (number + u64::from(NETUID) + 1) / 361;
    (block..=block + 361).find(|number| epoch(*number) > epoch(block)).unwrap()
}

/// A console that runs beside the test. Killed when dropped.
pub struct Running {
    child: Option<Child>,
    lines: Receiver<String>,
    heard: Vec<String>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn of(mut child: Child) -> Self {
        let (told, lines) = channel();
        let out = BufReader::new(child.stderr.take().unwrap());
        let reader = thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))));
        Self { child: Some(child), lines, heard: Vec::new(), reader: Some(reader) }
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Waits for a line on stderr that holds these words.
    #[track_caller]
    pub fn says(&mut self, words: &str) -> String {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {words:?}: {:#?}", self.heard),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {words:?}: {:#?}", self.heard),
            }
            if let Some(line) = self.heard.last().filter(|line| line.contains(words)) {
                return line.clone();
            }
        }
    }

    /// The next line on stderr, `None` when it has ended.
    pub fn next_line(&mut self) -> Option<String> {
        let line = self.lines.recv_timeout(DEADLINE).ok()?;
        self.heard.push(line.clone());
        Some(line)
    }

    /// Kills it as nothing can be caught, unless it is at its end already.
    pub fn kill_if_alive(mut self) {
        let mut child = self.child.take().unwrap();
        let _ = child.kill();
        child.wait().unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Kills it as nothing can be caught: SIGKILL. Fails if it had ended before.
    #[track_caller]
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {:#?}", self.heard);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Ran {
        let mut ran = Ran::ended(self.child.take().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let rest = self.lines.try_iter();
        ran.stderr = self.heard.drain(..).chain(rest).map(|line| line + "\n").collect();
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

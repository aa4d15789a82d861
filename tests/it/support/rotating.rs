//! An operator who rotates: the chain holds the read key of generation 1, the `.env` has it too, the vault is an encrypted
//! file with a key file, and the store knows four read keys.

use std::fs;
use std::path::PathBuf;

use age::secrecy::ExposeSecret as _;
use grail_console::domain::secret::Fingerprint;
use grail_console::sandbox::{BlockTime, Credentials, OPERATOR_UID};
use serde_json::Value;

use super::admin_api::ask;
use super::house::Ran;
use super::node::line;
use super::operator::{BLOCKS, Operator, Running};

/// The read key that is in use at the beginning.
pub const OLD: u8 = 1;
/// The read key that it is replaced by.
pub const NEW: u8 = 2;

pub struct Rotating {
    pub operator: Operator,
    /// Flags that name the vault.
    vault: Vec<String>,
}

impl Rotating {
    /// Blocks come by themselves.
    pub fn new() -> Self {
        Self::of(Operator::at(64, BlockTime::Every(BLOCKS)))
    }

    pub fn of(operator: Operator) -> Self {
        operator.has_generation(OLD);
        let key = age::x25519::Identity::generate().to_string();
        let key = operator.house.write("vault.key", key.expose_secret());
        let vault = ["--vault", "file", "--vault-key-file", key.to_str().unwrap()].map(str::to_owned);
        Self { operator, vault: vault.into() }
    }

    /// The same with the keys in another store.
    pub fn in_store(operator: Operator, name: &str) -> Self {
        Self { vault: vec!["--vault".to_owned(), name.to_owned()], ..Self::of(operator) }
    }

    /// The same in a house with one more variable.
    pub fn with(self, name: &str, value: impl AsRef<str>) -> Self {
        Self { operator: self.operator.with(name, value), ..self }
    }

    /// The flags of every command.
    pub fn flags(&self) -> Vec<String> {
        self.operator.flags().into_iter().chain(self.vault.iter().cloned()).collect()
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        let ran = self.operator.house.run(line(words, &self.flags()));
        self.shows_no_secret(&ran, words);
        ran
    }

    /// Whatever a command says, it says no secret, and nothing below its home holds one in the clear.
    #[track_caller]
    fn shows_no_secret(&self, ran: &Ran, words: &[&str]) {
        let secrets = self.secrets();
        for secret in &secrets {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{words:?} shows a secret");
        }
        for (path, content) in self.operator.house.files() {
            if path.starts_with(self.operator.house.path("home")) {
                let held = |secret: &String| content.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!secrets.iter().any(held), "{words:?} leaves a secret in {}", path.display());
            }
        }
    }

    /// The secrets of the keys that the practice store knows, and of those that it made.
    fn secrets(&self) -> Vec<String> {
        let known = [OLD, NEW].map(|generation| Credentials::of(OPERATOR_UID, generation));
        let known = known.iter().flat_map(|keys| [&keys.read_secret, &keys.write_secret]);
        let new = fs::read_to_string(self.operator.house.path("new-keys")).unwrap_or_default();
        let new =
            new.lines().filter_map(|line| line.split_once("SECRET_ACCESS_KEY=")).map(|(_, secret)| secret.to_owned());
        known.map(|secret| secret.expose().to_owned()).chain(new).filter(|secret| secret.len() == 64).collect()
    }

    pub fn start(&self, words: &[&str]) -> Running {
        self.operator.start_with(line(words, &self.flags()))
    }

    /// Begins with the read key of a generation, answers yes to everything.
    pub fn begin(&self, generation: u8, grace: &str) -> Ran {
        let keys = self.read_keys(generation);
        self.run(&["rotate", "start", "--new-key-file", &keys, "--grace", grace, "--yes", "--json"])
    }

    /// A file with the read pair of a generation.
    pub fn read_keys(&self, generation: u8) -> String {
        let keys = Credentials::of(OPERATOR_UID, generation);
        let text = format!(
            "R2_READ_ACCESS_KEY_ID={}\nR2_READ_SECRET_ACCESS_KEY={}\n",
            keys.read_key_id,
            keys.read_secret.expose()
        );
        self.keys(&text)
    }

    /// A file with a token that the store makes, by the desk's words.
    pub fn token(&self, query: &str) -> String {
        let said = ask(self.operator.node.sandbox().s3_url(), "POST", &format!("/-/tokens?{query}"));
        assert_eq!(said.status, 200, "{}", said.text);
        self.keys(&said.text)
    }

    /// Begins with the keys of a file, answers yes to everything.
    pub fn begin_with(&self, keys: &str, words: &[&str]) -> Ran {
        let start = ["rotate", "start", "--new-key-file", keys, "--yes", "--json"];
        self.run(&[&start[..], words].concat())
    }

    /// So many blocks pass.
    pub fn pass(&self, blocks: u32) {
        let best = self.operator.node.sandbox().best().number();
        self.operator.until("blocks", |operator| operator.node.sandbox().best().number() >= best + blocks);
    }

    /// A block is final.
    pub fn until_final(&self, block: u64) {
        let number = |operator: &Operator| u64::from(operator.node.sandbox().finalized().number());
        self.operator.until("that block", |operator| number(operator) >= block);
    }

    pub fn keys(&self, text: &str) -> String {
        self.operator.house.write("new-keys", text).to_str().unwrap().to_owned()
    }

    pub fn env(&self) -> String {
        fs::read_to_string(self.operator.house.path("grail/.env")).unwrap()
    }

    /// The events of the journal, in order.
    pub fn events(&self) -> Vec<String> {
        self.journal().iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }

    pub fn journal(&self) -> Vec<Value> {
        let text = self.journal_file().map(|file| fs::read_to_string(file).unwrap()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn journal_file(&self) -> Option<PathBuf> {
        self.file_of("rotations", "jsonl")
    }

    /// The index of the vault.
    pub fn index(&self) -> Value {
        let file = self.file_of("vault", "json").expect("there is an index");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }

    /// The generations that the vault holds, by the index.
    pub fn held(&self) -> Vec<u64> {
        self.index()["holdings"].as_array().unwrap().iter().map(|held| held["number"].as_u64().unwrap()).collect()
    }

    /// The file of a folder of the state with this ending.
    pub fn file_of(&self, folder: &str, ending: &str) -> Option<PathBuf> {
        let folder = fs::read_dir(self.operator.house.state().join(folder)).ok()?;
        folder.map(|entry| entry.unwrap().path()).find(|file| file.extension() == Some(ending.as_ref()))
    }

    /// Whether the chain holds the read key of a generation, at the best block.
    pub fn publishes(&self, generation: u8) -> bool {
        self.operator.on_chain() == Credentials::of(OPERATOR_UID, generation).read_commitment()
    }

    /// The store refuses the read key of a generation from now on.
    pub fn revoke(&self, generation: u8) {
        self.operator.node.sandbox().s3().revoke(&Credentials::of(OPERATOR_UID, generation).read_key_id);
    }
}

/// The fingerprint of the read secret of a generation.
pub fn fingerprint(generation: u8) -> String {
    Fingerprint::of(Credentials::of(OPERATOR_UID, generation).read_secret.expose()).to_string()
}

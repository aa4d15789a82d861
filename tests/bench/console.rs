//! The console itself in a pseudo terminal: time to the first table, and what it costs while nothing happens.

use std::io::{Read as _, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use grail_console::sandbox::{Sandbox, SandboxOptions, Scenario};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::{median, report};

const STARTS: usize = 15;
const SETTLING: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(36);

pub async fn measure() {
    let sandbox = start(256).await;
    let home = tempfile::tempdir().unwrap();
    // The first visit leaves a snapshot behind.
    let filled = Command::new(env!("CARGO_BIN_EXE_grail-console"))
        .env_clear()
        .env("HOME", home.path())
        .args(["status", "--endpoint", sandbox.url()])
        .output()
        .unwrap();
    assert!(filled.status.success());
    let url = sandbox.url().to_owned();
    sandbox.faults().refuse_connections().await.unwrap();
    let paints = (0..STARTS).map(|_| Console::open(&url, home.path()).until("readable")).collect();
    report("start to the first table, from the last snapshot", "<= 50 ms", &format!("{:.1} ms", median(paints) * 1e3));
    drop(sandbox);
    for (uids, bar) in [(256, "< 0.5 % of a core, <= 30 MB"), (65_536, "<= 150 MB")] {
        let sandbox = start(uids).await;
        let home = tempfile::tempdir().unwrap();
        let mut console = Console::open(sandbox.url(), home.path());
        console.until("finalized");
        tokio::time::sleep(SETTLING).await;
        let before = console.cpu_seconds();
        tokio::time::sleep(IDLE).await;
        let share = (console.cpu_seconds() - before) / IDLE.as_secs_f64() * 100.0;
        let measured = format!("{share:.2} % of a core, {:.1} MB", console.resident_mb());
        report(&format!("idle and connected, {uids} uids"), bar, &measured);
    }
}

async fn start(uids: u32) -> Sandbox {
    let mut options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    options.uids = uids;
    Sandbox::start(options).await.unwrap()
}

pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    _terminal: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    opened: Instant,
}

impl Console {
    fn open(url: &str, home: &Path) -> Self {
        Self::open_with(&["--endpoint".to_owned(), url.to_owned()], home)
    }

    pub fn open_with(arguments: &[String], home: &Path) -> Self {
        let size = PtySize { rows: 32, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_grail-console"));
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.args(arguments);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let opened = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { child, _terminal: pair.master, keys, output, opened }
    }

    /// Presses keys, and waits until a word was written; seconds between the two.
    pub fn press(&mut self, keys: &str, word: &str) -> f64 {
        let pressed = Instant::now();
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.until(word);
        pressed.elapsed().as_secs_f64()
    }

    /// Seconds from the start until a word was written.
    pub fn until(&mut self, word: &str) -> f64 {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(word) {
            seen.extend(self.output.recv_timeout(Duration::from_secs(30)).expect("the console never showed the word"));
        }
        self.opened.elapsed().as_secs_f64()
    }

    /// User and system time of the process, from fields 14 and 15 of its `stat` in ticks of 10 ms.
    fn cpu_seconds(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn resident_mb(&self) -> f64 {
        memory_mb(self.id(), "VmRSS").unwrap()
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Presses keys and does not wait for anything.
    pub fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code, once there is one.
    pub fn ended(&mut self) -> Option<u32> {
        self.child.try_wait().unwrap().map(|status| status.exit_code())
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).unwrap()
    }
}

/// A size in the `status` of a process, `VmRSS` (now) or `VmHWM` (the most so far); none once it has ended.
pub fn memory_mb(process: u32, which: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(which))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

impl Drop for Console {
    fn drop(&mut self) {
        // It may have left already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A home for the console: every folder that it may touch lies below one temporary folder, and nothing of the
//! environment in which the tests run reaches it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::DEADLINE;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_grail-console");

/// A home directory with its XDG folders, a working directory and a folder for temporary files.
pub struct House {
    root: TempDir,
    variables: Vec<(String, String)>,
}

impl House {
    pub fn new() -> Self {
        let house = Self { root: tempfile::tempdir().unwrap(), variables: Vec::new() };
        for folder in ["home", "work", "tmp"] {
            fs::create_dir(house.path(folder)).unwrap();
        }
        house
    }

    /// The same, with one more variable in the console's environment.
    pub fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.variables.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    pub fn config_file(&self) -> PathBuf {
        self.path("home/.config/grail-console/config.toml")
    }

    pub fn state(&self) -> PathBuf {
        self.path("home/.local/state/grail-console")
    }

    pub fn cache(&self) -> PathBuf {
        self.path("home/.cache/grail-console")
    }

    /// Writes a file that only its owner may read, and the folders on the way.
    pub fn write(&self, below: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
        file.write_all(content.as_ref()).unwrap();
        path
    }

    pub fn configure(&self, toml: &str) -> PathBuf {
        self.write("home/.config/grail-console/config.toml", toml)
    }

    /// Everything that the console finds in its environment.
    pub fn environment(&self) -> Vec<(String, String)> {
        let at = |below: &str| self.path(below).to_str().unwrap().to_owned();
        let own = [
            ("HOME", at("home")),
            ("XDG_CONFIG_HOME", at("home/.config")),
            ("XDG_STATE_HOME", at("home/.local/state")),
            ("XDG_CACHE_HOME", at("home/.cache")),
            ("TMPDIR", at("tmp")),
            // Nothing is written to a subnet that nobody named.
            ("NETUID", "81".to_owned()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        own.into_iter().chain(self.variables.iter().cloned()).collect()
    }

    /// The console, ready to be started in this house's working directory.
    pub fn console<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.inhabit(Command::new(BINARY), arguments)
    }

    /// The console as a shell script starts it: `"$@"` in the script stands for it.
    pub fn console_under<S: AsRef<OsStr>>(&self, script: &str, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "sh", BINARY]);
        let mut shell = self.inhabit(shell, arguments);
        shell.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        shell
    }

    fn inhabit<S: AsRef<OsStr>>(&self, mut command: Command, arguments: impl IntoIterator<Item = S>) -> Command {
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .current_dir(self.path("work"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the console to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.console(arguments))
    }

    /// Every file below the house, with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        collect(self.root.path(), &mut found);
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => collect(&entry.path(), found),
            kind if kind.is_file() => found.push((entry.path(), fs::read(entry.path()).unwrap())),
            _ => {}
        }
    }
}

/// A console that ran to its end.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end, or kills it at the deadline.
    pub fn of(mut command: Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self::ended(child)
    }

    /// Waits for a started console.
    pub fn ended(child: Child) -> Self {
        let (over, watched) = mpsc::channel::<()>();
        let pid = Pid::from_child(&child);
        let watch = thread::spawn(move || {
            if watched.recv_timeout(DEADLINE).is_err_and(|error| error == mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        drop(over);
        watch.join().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("the console writes UTF-8");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Fails the test unless this was the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let count = self.stdout.chars().count();
        let shown = |at: &(usize, char)| at.0 < 2_000 || at.0 + 2_000 > count;
        let stdout: String = self.stdout.chars().enumerate().filter(shown).map(|(_, letter)| letter).collect();
        assert_eq!(self.code, Some(code), "stdout: {stdout}\nstderr: {}", self.stderr);
        self
    }

    /// The one document on stdout; there is nothing else, and nothing on stderr. It names the exit code, and why it is not 0.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stderr, "", "with --json everything is on stdout");
        let document: Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout));
        assert_eq!(
            document["exit"].as_i64(),
            self.code.map(i64::from),
            "the document names the exit code: {document:#}"
        );
        let findings = document["findings"].as_array().expect("every document has findings");
        assert!(self.code == Some(0) || !findings.is_empty(), "nothing says why it did not go well: {document:#}");
        document
    }

    /// The message on stderr, beside which nothing was printed.
    #[track_caller]
    pub fn error(&self) -> &str {
        assert_eq!(self.stdout, "", "an error is on stderr alone");
        assert!(self.stderr.starts_with("grail-console: "), "{}", self.stderr);
        &self.stderr
    }
}

/// Fails unless every one of the words stands in the text.
#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

/// Fails if a text would do anything to a terminal but show characters and begin lines.
#[track_caller]
pub fn is_plain(text: &str) {
    let odd = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    let line = text.lines().find(|line| line.contains(odd));
    assert_eq!(line.map(|line| line.escape_debug().to_string()), None);
}

/// Why the command failed, in the sentences of its document's first finding.
#[track_caller]
pub fn failure(document: &Value) -> String {
    assert_ne!(document["exit"], 0, "{document:#}");
    let first = &document["findings"][0];
    let sentence = |name: &str| first[name].as_str().unwrap_or_else(|| panic!("no {name}: {document:#}")).to_owned();
    ["summary", "cause", "help"].map(sentence).join(" ")
}

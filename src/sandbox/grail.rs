//! The operator's GRAIL, as far as a rotation meets it: at every start it compares its `.env` with the chain, and commits
//! what its `.env` says where they differ.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::accounts::{OPERATOR_UID, hotkey};
use super::node::Node;
use super::published::Published;
use crate::domain::secret::SecretKey;

/// Starts that are remembered; the oldest are forgotten first.
const KEPT: usize = 1_000;

/// What became of a start of GRAIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrailStart {
    /// The chain holds what the `.env` says; nothing was sent.
    Unchanged,
    /// The chain held something else: what the `.env` says is in the pool, signed with the operator's hotkey.
    Committed {
        /// Id of the key that is published by it.
        key_id: String,
        /// Whether it is the write key, because the `.env` has no read pair.
        write_key: bool,
    },
    /// The `.env` lacks this variable, and GRAIL ends at once.
    NotConfigured(&'static str),
    /// The pool did not take the commitment, in the node's words.
    Refused(String),
}

/// The operator's GRAIL. Cheap to clone.
#[derive(Debug, Clone)]
pub struct GrailHandle(Arc<Grail>);

#[derive(Debug)]
struct Grail {
    node: Arc<Node>,
    env_file: PathBuf,
    /// Block times between restarts by itself; 0 for never.
    restart_every: u32,
    starts: Mutex<VecDeque<(u32, GrailStart)>>,
}

impl GrailHandle {
    pub(super) fn new(node: Arc<Node>, env_file: PathBuf, restart_every: u32) -> Self {
        Self(Arc::new(Grail { node, env_file, restart_every, starts: Mutex::default() }))
    }

    /// Restarts GRAIL: it reads its `.env` as it is on disk now. What it commits is in the next block.
    pub fn restart(&self) -> GrailStart {
        let start = self.0.start();
        let block = self.0.node.chain().best().number();
        let mut starts = self.0.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if starts.len() == KEPT {
            starts.pop_front();
        }
        starts.push_back((block, start.clone()));
        start
    }

    /// Every restart since the sandbox began, with the best block at that time, oldest first; 1,000 at most.
    pub fn starts(&self) -> Vec<(u32, GrailStart)> {
        self.0.starts.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// So many block times have passed.
    pub(super) fn tick(&self, passed: u64) {
        let every = u64::from(self.0.restart_every);
        if every > 0 && passed.is_multiple_of(every) {
            self.restart();
        }
    }
}

impl Grail {
    fn start(&self) -> GrailStart {
        let environment = Environment::read(&self.env_file);
        let (local, write_key) = match environment.credentials() {
            Ok(found) => found,
            Err(missing) => return GrailStart::NotConfigured(missing),
        };
        let operator = hotkey(OPERATOR_UID);
        let on_chain = self.node.published(&operator).and_then(|content| Published::read(&content));
        // GRAIL compares the bucket's name, the key id and the secret, never the account id.
        let differs = on_chain.is_none_or(|published| {
            let equal = environment.get("R2_BUCKET_ID").is_some_and(|name| name.expose() == published.account);
            !equal || published.key_id != local.key_id || published.secret != local.secret
        });
        if !differs {
            return GrailStart::Unchanged;
        }
        match self.node.commit_signed(operator.as_bytes(), local.text().into_bytes()) {
            Ok(()) => GrailStart::Committed { key_id: local.key_id, write_key },
            Err(reason) => GrailStart::Refused(reason),
        }
    }
}

/// Variables by name, in the order of a `.env`; the last of a name counts.
struct Environment(Vec<(String, SecretKey)>);

impl Environment {
    /// Out of a file; one that cannot be read is an empty one, as for python-dotenv.
    fn read(path: &Path) -> Self {
        Self(std::fs::read_to_string(path).unwrap_or_default().lines().filter_map(assignment).collect())
    }

    /// A value that is not empty.
    fn get(&self, name: &str) -> Option<&SecretKey> {
        let found = self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value);
        found.filter(|value| !value.expose().is_empty())
    }

    fn need(&self, name: &'static str) -> Result<&SecretKey, &'static str> {
        self.get(name).ok_or(name)
    }

    /// What GRAIL publishes, and whether that is the write key; else the name of the first variable that it lacks.
    fn credentials(&self) -> Result<(Published, bool), &'static str> {
        let account = self.need("R2_ACCOUNT_ID")?.expose().to_owned();
        self.need("R2_BUCKET_ID")?;
        let write = (self.need("R2_WRITE_ACCESS_KEY_ID")?, self.need("R2_WRITE_SECRET_ACCESS_KEY")?);
        let read = self.get("R2_READ_ACCESS_KEY_ID").zip(self.get("R2_READ_SECRET_ACCESS_KEY"));
        let (key_id, secret) = read.unwrap_or(write);
        let local = Published { account, key_id: key_id.expose().to_owned(), secret: secret.clone() };
        Ok((local, read.is_none()))
    }
}

/// Name and value of a line, if it is an assignment: `export` before it, quotes around the value and a comment behind it
/// are taken off.
fn assignment(line: &str) -> Option<(String, SecretKey)> {
    let line = line.trim_start();
    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let quoted = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.split(quote).next());
    let bare = || value.split(" #").next().unwrap_or_default().trim_end();
    let value = quoted('"').or_else(|| quoted('\'')).unwrap_or_else(bare);
    (!name.starts_with('#')).then(|| (name.to_owned(), SecretKey::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> Environment {
        Environment(text.lines().filter_map(assignment).collect())
    }

    #[test]
    fn lines_are_read_as_python_dotenv_reads_them() {
        let read =
            environment("# A=1\nB = two # comment\nexport C='th#ree'\nD=\"four\" # x\nB=again\nE=\nF=a#b\nno line");
        let value = |name| read.get(name).map(SecretKey::expose);
        assert_eq!([value("A"), value("B"), value("C")], [None, Some("again"), Some("th#ree")]);
        assert_eq!([value("D"), value("E"), value("F")], [Some("four"), None, Some("a#b")]);
    }

    #[test]
    fn half_a_read_pair_is_none_and_the_write_key_takes_its_place() {
        let base = "R2_ACCOUNT_ID=a\nR2_BUCKET_ID=a\nR2_WRITE_ACCESS_KEY_ID=w\nR2_WRITE_SECRET_ACCESS_KEY=ws\n";
        let half = environment(&format!("{base}R2_READ_ACCESS_KEY_ID=r\nR2_READ_SECRET_ACCESS_KEY="));
        let (published, write_key) = half.credentials().unwrap();
        assert_eq!((published.key_id.as_str(), write_key), ("w", true));
        let whole = environment(&format!("{base}R2_READ_ACCESS_KEY_ID=r\nR2_READ_SECRET_ACCESS_KEY=rs"));
        let (published, write_key) = whole.credentials().unwrap();
        assert_eq!((published.key_id.as_str(), write_key), ("r", false));
        assert_eq!(environment("").credentials(), Err("R2_ACCOUNT_ID"));
    }
}

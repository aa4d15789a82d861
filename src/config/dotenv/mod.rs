//! GRAIL's `.env`, read by the rules of python-dotenv 1.2.4 with `load_dotenv(override=True)`.
//!
//! The reader never stops at a bad line: like python-dotenv it skips it and goes on, but it says so, with line and
//! column. No line of the file is ever quoted in a message, since any of them may hold a secret. Values are held as
//! [`SecretKey`], whatever their name.

mod fault;
mod interpolate;
mod parser;
mod replace;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

pub use fault::{Fault, FaultKind, Place};
pub use replace::{BackupName, ReplaceError, Replaced, WrittenCopy, left_copies, replace_file, sweep_copies};
pub use rewrite::{Change, RewriteError, lines_holding, rewrite};

use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use interpolate::{Earlier, interpolate};

/// Largest file that is read: a thousand times what GRAIL's variables need.
pub const MAX_BYTES: u64 = 1 << 20;

/// Bytes that all values together may have once their references are replaced.
pub const MAX_EXPANDED: usize = 4 << 20;

/// How long a pipe may take until its end.
const PIPE: Duration = Duration::from_secs(20);

type Pipes = BTreeMap<(u64, u64), Zeroizing<Vec<u8>>>;

/// What came out of pipes, by device and inode: a second reading would find nothing.
static PIPES: Mutex<Pipes> = Mutex::new(BTreeMap::new());

/// Why a `.env` could not be read at all.
#[derive(Debug, Error)]
pub enum DotenvError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {error}. Check the path given with --env-file or as env_file in the profile", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A pipe into which nobody writes.
    #[error("{path} is a pipe, and nothing came out of it to its end within {seconds} s. Start what writes into it first", path = path.display(), seconds = PIPE.as_secs())]
    SilentPipe {
        /// The pipe.
        path: PathBuf,
    },
    /// A directory or device.
    #[error("{path} is not a regular file. Name GRAIL's .env file itself with --env-file", path = path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// More than [`MAX_BYTES`].
    #[error("{path} has {bytes} bytes, {MAX_BYTES} at most. Is it really GRAIL's .env?", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Python refuses the whole file at the first byte that is not UTF-8.
    #[error("{path}, {place}: not UTF-8, and GRAIL stops there at start-up. Save the file as UTF-8", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the first such byte stands.
        place: Place,
    },
}

/// One definition, in the order of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the variable.
    pub name: String,
    /// Value after interpolation; `None` for a name without `=`, which sets nothing.
    pub value: Option<SecretKey>,
    /// Line of the name, from 1.
    pub line: u32,
}

/// A line without `=` may be a secret on its own, and a name with lower case or signs half of one: such names are hidden.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        let name = if self.value.is_some() && self.name.bytes().all(usual) { &self.name } else { "[redacted]" };
        f.debug_struct("Entry").field("name", &name).field("line", &self.line).finish_non_exhaustive()
    }
}

/// A `.env` as GRAIL would load it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// Every definition in the order of the file, those that a later line overrides included.
    pub entries: Vec<Entry>,
    /// What GRAIL skips or may read differently, in the order of the file.
    pub faults: Vec<Fault>,
    /// The same file as releases of python-dotenv before 1.2.4 read it, where a byte order mark makes a difference: it is a
    /// part of the first name for them, or spoils the first line.
    pub older: Option<Box<Self>>,
}

impl Dotenv {
    /// Reads a file. The environment is what `${NAME}` refers to when the file does not define it.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, DotenvError> {
        Ok(Self::parse(&read_text(path)?, environment))
    }

    /// Reads the text of a file. Line ends of any system are taken as Python takes them in text files: as line feeds.
    pub fn parse(text: &str, environment: &Environment) -> Self {
        let (rest, marked) = unmarked(text);
        let mut file = Self::parse_as_it_is(rest, environment);
        if marked {
            file.faults.insert(0, Fault { place: Place::START, kind: FaultKind::ByteOrderMark });
            let older = Self::parse_as_it_is(text, environment);
            file.older = (!file.lost_in(&older).is_empty()).then(|| Box::new(older));
        }
        file
    }

    /// The names whose value older releases of python-dotenv do not see, each with the line that defines it.
    pub fn lost(&self) -> Vec<(&str, u32)> {
        self.older.as_deref().map(|older| self.lost_in(older)).unwrap_or_default()
    }

    fn lost_in(&self, older: &Self) -> Vec<(&str, u32)> {
        let mut seen = BTreeSet::new();
        let names = self.entries.iter().map(|entry| entry.name.as_str()).filter(|name| seen.insert(*name));
        let lost = names.filter_map(|name| {
            let (value, line) = self.get(name)?;
            (older.get(name).map(|(value, _)| value) != Some(value)).then_some((name, line))
        });
        lost.collect()
    }

    fn parse_as_it_is(text: &str, environment: &Environment) -> Self {
        let text = with_line_feeds(text);
        let (statements, mut faults) = parser::statements(&text);
        let mut entries = Vec::with_capacity(statements.len());
        let (mut earlier, mut lines, mut room) = (Earlier::new(), BTreeMap::new(), MAX_EXPANDED);
        for statement in statements {
            let place = statement.place;
            let expanded = statement.value.as_ref().map(|raw| interpolate(raw, &earlier, environment, room));
            room = room.saturating_sub(expanded.as_ref().and_then(Option::as_ref).map_or(0, |value| value.len()));
            let overgrown = expanded.as_ref().is_some_and(Option::is_none);
            let value = expanded.map(|value| SecretKey::new(value.unwrap_or_default().as_str()));
            let repeated = lines.insert(statement.name.clone(), place.line);
            let notes = [
                value.is_none().then_some(FaultKind::NoValue),
                repeated.map(|earlier| FaultKind::Repeated { earlier }),
                statement.ambiguous.then_some(FaultKind::Ambiguous),
                (!settable(&statement.name, value.as_ref())).then_some(FaultKind::Unsettable),
                overgrown.then_some(FaultKind::Overgrown),
            ];
            faults.extend(notes.into_iter().flatten().map(|kind| Fault { place, kind }));
            earlier.insert(statement.name.clone(), value.clone());
            entries.push(Entry { name: statement.name, value, line: place.line });
        }
        faults.sort_by_key(|fault| fault.place);
        Self { entries, faults, older: None }
    }

    /// The definition that counts: the last one. When that one has no `=`, the file sets nothing.
    pub fn get(&self, name: &str) -> Option<(&SecretKey, u32)> {
        let last = self.entries.iter().rev().find(|entry| entry.name == name)?;
        last.value.as_ref().map(|value| (value, last.line))
    }
}

/// The text of a `.env` byte for byte, wiped when dropped: what [`rewrite()`] takes and [`replace_file`] expects.
pub fn read_text(path: &Path) -> Result<Zeroizing<String>, DotenvError> {
    let bytes = read_capped(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        DotenvError::NotUtf8 { path: path.to_owned(), place: Place::of(&valid, valid.len()) }
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The text behind a byte order mark, and whether there was one.
fn unmarked(text: &str) -> (&str, bool) {
    text.strip_prefix('\u{feff}').map_or((text, false), |rest| (rest, true))
}

/// The text as Python sees it. Only `\r\n` changes its length.
pub(super) fn with_line_feeds(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Whether the operating system takes the pair as an environment variable.
fn settable(name: &str, value: Option<&SecretKey>) -> bool {
    !name.contains(['=', '\0']) && !value.is_some_and(|value| value.expose().contains('\0'))
}

/// Reads at most [`MAX_BYTES`] into a buffer that is wiped and never grows.
pub(super) fn read_capped(path: &Path) -> Result<Zeroizing<Vec<u8>>, DotenvError> {
    let unreadable = |error| DotenvError::Unreadable { path: path.to_owned(), error };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if meta.file_type().is_fifo() {
        return read_pipe(path, (meta.dev(), meta.ino()));
    }
    if !meta.is_file() {
        return Err(DotenvError::NotAFile { path: path.to_owned() });
    }
    let too_large = |bytes| DotenvError::TooLarge { path: path.to_owned(), bytes };
    let room = usize::try_from(meta.len()).ok().filter(|_| meta.len() <= MAX_BYTES).ok_or(too_large(meta.len()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Reads a pipe (`--env-file <(…)`) once; whoever asks again in this run gets the same.
fn read_pipe(path: &Path, which: (u64, u64)) -> Result<Zeroizing<Vec<u8>>, DotenvError> {
    let mut kept = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(bytes) = kept.get(&which) {
        return Ok(bytes.clone());
    }
    let (done, read) = mpsc::channel();
    let pipe = path.to_owned();
    // Opening waits for a writer, and so may never end.
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0) + 64));
        let all = std::fs::File::open(pipe).and_then(|pipe| pipe.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        drop(done.send(all.map(|_| bytes)));
    });
    let all = read.recv_timeout(PIPE).map_err(|_| DotenvError::SilentPipe { path: path.to_owned() })?;
    let bytes = all.map_err(|error| DotenvError::Unreadable { path: path.to_owned(), error })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(DotenvError::TooLarge { path: path.to_owned(), bytes: bytes.len() as u64 });
    }
    kept.insert(which, bytes.clone());
    Ok(bytes)
}

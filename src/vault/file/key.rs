//! What the encrypted file is locked with: a passphrase, or a key file in age's own format.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::Identity;
use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::vault::VaultError;

/// Largest key file that is read, in bytes; one identity has about 190.
const MAX_BYTES: u64 = 16 << 10;
/// Permissions of anybody but the owner.
const OTHERS: u32 = 0o077;
/// Passphrases with a work factor above this are not tried: 2^20 takes a gigabyte and some seconds.
const MOST_WORK: u8 = 20;

const MAKE_ONE: &str = "Make one with age-keygen -o FILE and chmod 600 FILE, or name another with --vault-key-file";

/// With what the encrypted file is locked.
#[derive(Debug, Clone)]
pub enum FileKey {
    /// A passphrase that somebody remembers.
    Passphrase(SecretKey),
    /// An age identity file that only its owner may read.
    KeyFile(PathBuf),
}

impl FileKey {
    /// Makes a key file with mode 0600. A file that is there already is never touched.
    pub fn generate(path: &Path) -> Result<(), String> {
        let shown = sanitize(&path.to_string_lossy(), 200);
        let failed = |error: &io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{shown} is there already, may lock something, and was not touched. Name another FILE, or use this one with \
                 --vault-key-file"
            ),
            _ => format!("the key file {shown} cannot be made: {error}. Name a FILE in a folder that you may write to"),
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path).map_err(|error| failed(&error))?;
        let filled = fill(&file).map_err(|error| failed(&error));
        if filled.is_err() {
            // Half a key opens nothing.
            let _ = std::fs::remove_file(path);
        }
        filled
    }
}

fn fill(mut file: &File) -> io::Result<()> {
    rustix::fs::fchmod(file, Mode::RUSR | Mode::WUSR)?;
    let identity = Identity::generate();
    let text = identity.to_string();
    let lines = Zeroizing::new(format!("# public key: {}\n{}\n", identity.to_public(), text.expose_secret()));
    file.write_all(lines.as_bytes())?;
    file.sync_all()
}

fn key_file(path: &Path, what: &str) -> VaultError {
    let path = sanitize(&path.to_string_lossy(), 200);
    VaultError::WrongKey { why: format!("the key file {path} {what}"), todo: MAKE_ONE }
}

/// A key that is ready for use.
pub(super) enum Lock {
    Passphrase(SecretKey),
    Identities(Vec<Identity>),
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Lock(passphrase)",
            Self::Identities(_) => "Lock(key file)",
        })
    }
}

impl Lock {
    pub(super) fn of(key: FileKey) -> Result<Self, VaultError> {
        match key {
            FileKey::Passphrase(passphrase) if passphrase.expose().is_empty() => Err(VaultError::NeedsKey),
            FileKey::Passphrase(passphrase) => Ok(Self::Passphrase(passphrase)),
            FileKey::KeyFile(path) => read(&path).map(Self::Identities),
        }
    }

    /// As age takes it for opening. The identity of a passphrase is told how much work it may be.
    pub(super) fn identities(&self) -> Vec<Box<dyn age::Identity>> {
        match self {
            Self::Passphrase(passphrase) => {
                let mut identity = age::scrypt::Identity::new(secret(passphrase));
                identity.set_max_work_factor(MOST_WORK);
                vec![Box::new(identity)]
            }
            Self::Identities(identities) => {
                identities.iter().map(|identity| Box::new(identity.clone()) as Box<dyn age::Identity>).collect()
            }
        }
    }

    /// As age takes it for locking.
    pub(super) fn recipients(&self, work_factor: u8) -> Vec<Box<dyn age::Recipient>> {
        match self {
            Self::Passphrase(passphrase) => {
                let mut recipient = age::scrypt::Recipient::new(secret(passphrase));
                recipient.set_work_factor(work_factor.clamp(1, MOST_WORK));
                vec![Box::new(recipient)]
            }
            Self::Identities(identities) => {
                identities.iter().map(|identity| Box::new(identity.to_public()) as Box<dyn age::Recipient>).collect()
            }
        }
    }

    pub(super) const fn is_passphrase(&self) -> bool {
        matches!(self, Self::Passphrase(_))
    }
}

fn secret(passphrase: &SecretKey) -> SecretString {
    SecretString::from(passphrase.expose().to_owned())
}

/// Reads a key file. One that others may read is refused: it locks nothing.
fn read(path: &Path) -> Result<Vec<Identity>, VaultError> {
    let refused = |what: &str| key_file(path, what);
    // A pipe would wait for somebody to write.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(|errno| match errno {
        rustix::io::Errno::NOENT => refused("does not exist"),
        errno => refused(&format!("cannot be read ({})", io::Error::from(errno))),
    })?;
    let unreadable = |error: io::Error| refused(&format!("cannot be read ({error})"));
    let meta = file.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(refused("is no regular file"));
    }
    let mode = meta.mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(refused(&format!("has mode {mode:04o}, so others may read it: run chmod 600 on it")));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(&format!("belongs to user {}, not to you", meta.uid())));
    }
    // It never grows: growing would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0) + 64));
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(refused("is larger than any key file"));
    }
    parse(&text).ok_or_else(|| refused("is no age identity file (lines AGE-SECRET-KEY-1…)"))
}

fn parse(text: &[u8]) -> Option<Vec<Identity>> {
    let lines = std::str::from_utf8(text).ok()?.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let identities: Vec<Identity> = lines.map(|line| line.parse().ok()).collect::<Option<_>>()?;
    (!identities.is_empty()).then_some(identities)
}

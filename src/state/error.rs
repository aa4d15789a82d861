//! Why something on disk cannot be used. The console runs on without it and shows this text.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A refused or failed access to the state or cache directory.
#[derive(Debug, Error)]
pub enum StateError {
    /// Neither an XDG variable nor `HOME` says where.
    #[error("no place for the {what} directory: HOME is not set. Set HOME, or {variable} to an absolute path")]
    NoHome {
        /// `config`, `state` or `cache`.
        what: &'static str,
        /// The XDG variable that would do.
        variable: &'static str,
    },
    /// The directory itself is a symbolic link, or something on the way is no directory.
    #[error("{path} is a symbolic link or no directory; it is not followed. Remove it, or set the XDG variable to the real place", path = .0.display())]
    NotADirectory(PathBuf),
    /// Another user owns the directory.
    #[error("{path} belongs to user {owner}, not to you; nothing is read from or written to it. Remove it or correct its owner", path = path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner's uid.
        owner: u32,
    },
    /// Others may write into the directory, and so plant files there.
    #[error("{path} has mode {mode:04o}, so others may write into it. Run chmod 700 on it", path = path.display())]
    OthersMayWrite {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is a symbolic link, a pipe, a directory…
    #[error("{path} is not a regular file; it is neither followed nor replaced. Remove it", path = .0.display())]
    NotAFile(PathBuf),
    /// The file is larger than anything the console writes there.
    #[error("{path} has {bytes} bytes, {max} at most. Remove it", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The disk or the quota is full.
    #[error("no room to write {path}: {error}. Free some space; the file before it is untouched", path = path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A read-only file system, or missing permission.
    #[error("not allowed to write {path}: {error}. Make its directory writable, or set the XDG variable to one that is", path = path.display())]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Any other failure of the system.
    #[error("cannot {act} {path}: {error}. Check the disk and the permissions", path = path.display())]
    Io {
        /// What was tried: `open`, `write`, `rename`…
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content is not what was written.
    #[error("{path} is damaged ({why}); it is ignored and will be replaced", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// The content makes no sense, and is too dear to be replaced.
    #[error(
        "{path} is damaged ({why}), and nothing goes on without it. Nothing was changed; put a copy of it back, or move it \
         away if it is really lost",
        path = path.display()
    )]
    Spoiled {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// The index of the vault is gone or damaged, and can be derived again.
    #[error(
        "the vault's index {path} {why}. Run keys list --check: it is derived again from the vault and from the journal of \
         rotations",
        path = path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A newer console wrote it, and may mean something else by it (THREATS T16).
    #[error("{path} was written by a newer console (version {version}). Nothing was changed; use that console", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

impl StateError {
    /// Sorts a failure of the system by what the operator can do about it.
    pub(super) fn io(act: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        let (path, error) = (path.to_owned(), error.into());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { path, error }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { path, error },
            _ => Self::Io { act, path, error },
        }
    }
}

//! One file of the operator's, replaced whole or not at all.
//!
//! The new content is written beside the file, given its owner, mode and extended attributes, synced, and renamed over
//! it. A link is followed once, and what it leads to is replaced. Whatever fails, the old file stands as it was.
//!
//! The writer holds a lock on the new file until it has taken its place. One without a lock is what a killed writer left: it
//! holds secrets, is found by that, and removed.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;
use thiserror::Error;
use zeroize::Zeroizing;

use super::MAX_BYTES;
use crate::domain::date;

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
const PERMISSIONS: u32 = 0o7777;
/// Digits at the end of the name of a copy that is being written; backups have others.
const MARK: usize = 16;
/// How often a new file is made that another console removes before it is locked.
const ATTEMPTS: u32 = 8;
/// Longest list of extended attributes, and longest value of one: what Linux allows.
const MAX_ATTRIBUTES: usize = 64 << 10;

/// Why a file was not replaced. Unless the variant says otherwise, it is as it was and nothing else is left.
#[derive(Debug, Error)]
pub enum ReplaceError {
    /// The file is gone, or cannot be read.
    #[error("cannot read {path} again: {error}. Check the path, then try again", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A pipe, a device, a directory.
    #[error("{path} is not a regular file; nothing was written. Name GRAIL's .env file itself with --env-file", path = .0.display())]
    NotAFile(PathBuf),
    /// Another name leads to the same file, and would keep the old content.
    #[error(
        "{path} has {links} names (hard links), and the others would keep the old content. Make it a file of its own \
         (cp -p it to a new name, then mv that over it), then try again", path = path.display()
    )]
    HardLinked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// Somebody wrote to it meanwhile.
    #[error("{path} has changed since it was read; nothing was written. Look at it, then try again", path = .0.display())]
    Changed(PathBuf),
    /// Owner or group could not be kept.
    #[error("{path} belongs to user {user}, group {group}, and a new file could not be given to them: {error}. Run as its owner", path = path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner's uid.
        user: u32,
        /// Its group's gid.
        group: u32,
        /// What the system said.
        error: io::Error,
    },
    /// An access control list or another extended attribute could not be kept.
    #[error("an access list of {path} could not be kept: {error}. Remove it (setfacl -b), or change the file by hand", path = path.display())]
    Attributes {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The directory takes no new file: a read-only file system, or missing permission.
    #[error("not allowed to write beside {path}: {error}. Make its directory writable for you, or change the file by hand", path = path.display())]
    NotAllowed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The disk or the quota is full.
    #[error("no room to write beside {path}: {error}. Free some space, then try again; the file is as it was", path = path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A backup of that name exists.
    #[error("{path} exists already, and no backup is overwritten. Move it away, then try again", path = .0.display())]
    BackupExists(PathBuf),
    /// Anything else the system may say.
    #[error("cannot write beside {path}: {error}. The file is as it was", path = path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The new file stands, but the system does not promise that it survives a loss of power.
    #[error("{path} was replaced, but the system could not sync its directory: {error}. Check the disk, and read the file again", path = path.display())]
    Unsynced {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A file that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The file itself, behind any link.
    pub path: PathBuf,
    /// The copy of the old content, if one was asked for.
    pub backup: Option<PathBuf>,
    /// Permission bits, the same as before.
    pub mode: u32,
}

/// How the copy of the old content is named: `{file}.grail-console-{date}-{time}.bak`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupName(String);

impl BackupName {
    /// Named by a time in ms since 1970: `.env.grail-console-2026-11-23-211237.bak`.
    pub fn at(now_ms: u64) -> Self {
        Self(format!("grail-console-{}-{}.bak", date::day(now_ms), date::time_of_day(now_ms).replace(':', "")))
    }

    /// The whole name beside a file of this name.
    pub fn beside(&self, file: &str) -> String {
        format!("{file}.{}", self.0)
    }
}

/// Replaces the content of a file that still holds `expected`, atomically, keeping owner, mode and extended attributes.
///
/// With a backup, a private copy of the old content (mode 0600, same owner) is on disk before; when replacing fails
/// after all, the copy is taken back.
pub fn replace_file(
    path: &Path,
    expected: &[u8],
    new: &[u8],
    backup: Option<&BackupName>,
) -> Result<Replaced, ReplaceError> {
    WrittenCopy::write(path, expected, new, backup)?.swap()
}

/// The copies of a file that killed writers left beside it. What is being written now is none of them.
pub fn left_copies(path: &Path) -> Vec<PathBuf> {
    let Ok(place) = Place::of(path) else { return Vec::new() };
    place.left().into_iter().map(|(name, _)| place.path.with_file_name(name)).collect()
}

/// Removes the copies of a file that killed writers left beside it, and says which.
pub fn sweep_copies(path: &Path) -> Vec<PathBuf> {
    Place::of(path).map_or_else(|_| Vec::new(), |place| place.sweep())
}

/// A new content that lies beside the file, locked, and is to take its place.
pub struct WrittenCopy<'e> {
    place: Place,
    expected: &'e [u8],
    backup: Option<String>,
    mode: u32,
    unfinished: String,
    _lock: File,
}

impl<'e> WrittenCopy<'e> {
    /// Writes it: the first half of [`replace_file`].
    pub fn write(
        path: &Path,
        expected: &'e [u8],
        new: &[u8],
        backup: Option<&BackupName>,
    ) -> Result<Self, ReplaceError> {
        let place = Place::of(path)?;
        place.sweep();
        let (old, stat) = place.open()?;
        place.refuse_other(&old, expected)?;
        let backup = backup.map(|backup| backup.beside(&place.name));
        if let Some(backup) = &backup {
            place.back_up(backup, expected, &stat)?;
        }
        let created = place.create_locked().map_err(|errno| (None, place.failed(errno.into())));
        let filled = created.and_then(|(unfinished, file)| match place.fill(&file, new, &old, &stat) {
            Ok(()) => Ok((unfinished, file)),
            Err(error) => Err((Some(unfinished), error)),
        });
        match filled {
            Ok((unfinished, lock)) => {
                let mode = stat.st_mode & PERMISSIONS;
                Ok(Self { place, expected, backup, mode, unfinished, _lock: lock })
            }
            Err((unfinished, error)) => {
                place.unlink([unfinished.as_ref(), backup.as_ref()]);
                Err(error)
            }
        }
    }

    /// Puts it in the file's place, if that is still what was read.
    pub fn swap(self) -> Result<Replaced, ReplaceError> {
        let Self { place, expected, backup, mode, unfinished, _lock } = self;
        if let Err(error) = place.swap(&unfinished, expected) {
            place.unlink([Some(&unfinished), backup.as_ref()]);
            return Err(error);
        }
        place.sync().map_err(|error| ReplaceError::Unsynced { path: place.path.clone(), error })?;
        let backup = backup.map(|name| place.path.with_file_name(name));
        Ok(Replaced { backup, mode, path: place.path })
    }
}

/// Where the file is: its directory held open, so that no link planted meanwhile leads elsewhere.
struct Place {
    dir: OwnedFd,
    name: String,
    path: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self, ReplaceError> {
        let unreadable = |error| ReplaceError::Unreadable { path: path.to_owned(), error };
        let real = path.canonicalize().map_err(unreadable)?;
        let (Some(parent), Some(name)) = (real.parent(), real.file_name().and_then(|name| name.to_str())) else {
            return Err(ReplaceError::NotAFile(real));
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(parent, flags, Mode::empty()).map_err(|errno| unreadable(errno.into()))?;
        Ok(Self { dir, name: name.to_owned(), path: real.clone() })
    }

    /// How the names of new files begin that are not whole yet.
    fn unfinished(&self) -> String {
        format!(".{}.grail-console-", self.name)
    }

    /// Removes the copies whose writer is dead, and says which.
    fn sweep(&self) -> Vec<PathBuf> {
        let is_removed = |name: &str| rustix::fs::unlinkat(&self.dir, name, AtFlags::empty()).is_ok();
        let left = self.left().into_iter().filter(|(name, _lock)| is_removed(name));
        left.map(|(name, _)| self.path.with_file_name(name)).collect()
    }

    /// The copies whose writer is dead, each with the lock that says so.
    fn left(&self) -> Vec<(String, OwnedFd)> {
        let Ok(dir) = Dir::read_from(&self.dir) else { return Vec::new() };
        let begin = self.unfinished();
        let names = dir.flatten().filter_map(|entry| entry.file_name().to_str().ok().map(ToOwned::to_owned));
        let is_copy = |name: &String| {
            let mark = name.strip_prefix(&begin);
            mark.is_some_and(|mark| mark.len() == MARK && mark.bytes().all(|digit| digit.is_ascii_hexdigit()))
        };
        let copies = names.filter(is_copy);
        copies.filter_map(|name| self.lock_of_the_dead(&name).map(|lock| (name, lock))).collect()
    }

    /// The lock on a copy, where its writer has let it go.
    fn lock_of_the_dead(&self, name: &str) -> Option<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.dir, name, flags, Mode::empty()).ok()?;
        let stat = rustix::fs::fstat(&file).ok()?;
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        (is_file && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()).then_some(file)
    }

    fn unlink(&self, names: [Option<&String>; 2]) {
        for name in names.into_iter().flatten() {
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
    }

    /// A new file of a name of its own, locked. Between its making and the lock another console may take it for one that was
    /// left, and remove it: then another is made.
    fn create_locked(&self) -> Result<(String, File), Errno> {
        for _ in 0..ATTEMPTS {
            let name = format!("{}{:0MARK$x}", self.unfinished(), fastrand::u64(..));
            let file = self.create(&name)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => {}
                Ok(()) if rustix::fs::fstat(&file)?.st_nlink == 0 => {}
                // A file system without locks has no sweeper either.
                Ok(()) | Err(_) => return Ok((name, file)),
            }
        }
        Err(Errno::EXIST)
    }

    /// The file as it stands: a regular one with a single name.
    fn open(&self) -> Result<(File, Stat), ReplaceError> {
        let path = || self.path.clone();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.dir, &self.name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::LOOP | Errno::NXIO) => return Err(ReplaceError::NotAFile(path())),
            Err(errno) => return Err(ReplaceError::Unreadable { path: path(), error: errno.into() }),
        };
        let stat =
            rustix::fs::fstat(&file).map_err(|errno| ReplaceError::Unreadable { path: path(), error: errno.into() })?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(ReplaceError::NotAFile(path()));
        }
        let file = File::from(file);
        let links = file.metadata().map_err(|error| ReplaceError::Unreadable { path: path(), error })?.nlink();
        if links != 1 {
            return Err(ReplaceError::HardLinked { path: path(), links });
        }
        Ok((file, stat))
    }

    fn refuse_other(&self, file: &File, expected: &[u8]) -> Result<(), ReplaceError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected.len() + 64));
        file.take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| ReplaceError::Unreadable { path: self.path.clone(), error })?;
        if *bytes == expected { Ok(()) } else { Err(ReplaceError::Changed(self.path.clone())) }
    }

    fn back_up(&self, name: &str, content: &[u8], stat: &Stat) -> Result<(), ReplaceError> {
        let file = self.create(name).map_err(|errno| match errno {
            Errno::EXIST => ReplaceError::BackupExists(self.path.with_file_name(name)),
            errno => self.failed(errno.into()),
        })?;
        let made = self.write(&file, content).and_then(|()| self.give(&file, stat));
        let made = made.and_then(|()| self.sync_both(&file).map_err(|error| self.failed(error)));
        if made.is_err() {
            let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
        }
        made
    }

    /// Writes the new file. Its content stands there privately before owner and mode open it to whom they did before.
    fn fill(&self, file: &File, content: &[u8], old: &File, stat: &Stat) -> Result<(), ReplaceError> {
        self.write(file, content)?;
        self.give(file, stat)?;
        copy_attributes(old, file).map_err(|error| ReplaceError::Attributes { path: self.path.clone(), error })?;
        rustix::fs::fchmod(file.as_fd(), Mode::from_raw_mode(stat.st_mode & PERMISSIONS))
            .map_err(|errno| self.failed(errno.into()))?;
        file.sync_all().map_err(|error| self.failed(error))
    }

    fn create(&self, name: &str) -> Result<File, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.dir, name, flags, PRIVATE)?);
        rustix::fs::fchmod(file.as_fd(), PRIVATE)?;
        Ok(file)
    }

    fn write(&self, mut file: &File, content: &[u8]) -> Result<(), ReplaceError> {
        file.write_all(content).map_err(|error| self.failed(error))
    }

    /// Gives a new file to the owner and group of the old one, where they are not ours anyway.
    fn give(&self, file: &File, stat: &Stat) -> Result<(), ReplaceError> {
        let (user, group) = (stat.st_uid, stat.st_gid);
        let owner = |errno: Errno| ReplaceError::Owner { path: self.path.clone(), user, group, error: errno.into() };
        let now = rustix::fs::fstat(file).map_err(owner)?;
        let uid = (now.st_uid != user).then(|| rustix::fs::Uid::from_raw(user));
        let gid = (now.st_gid != group).then(|| rustix::fs::Gid::from_raw(group));
        if uid.is_some() || gid.is_some() {
            rustix::fs::fchown(file, uid, gid).map_err(owner)?;
        }
        Ok(())
    }

    /// Renames the new file over the old one, if that is still what was read.
    fn swap(&self, unfinished: &str, expected: &[u8]) -> Result<(), ReplaceError> {
        let (now, _) = self.open()?;
        self.refuse_other(&now, expected)?;
        rustix::fs::renameat(&self.dir, unfinished, &self.dir, &self.name).map_err(|errno| self.failed(errno.into()))
    }

    fn sync_both(&self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        rustix::fs::fsync(&self.dir).map_err(io::Error::from)
    }

    fn failed(&self, error: io::Error) -> ReplaceError {
        let path = self.path.clone();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ReplaceError::Full { path, error }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ReplaceError::NotAllowed { path, error }
            }
            _ => ReplaceError::Failed { path, error },
        }
    }
}

/// Copies access lists and other extended attributes: without its access list, a file's group bits would mean more than
/// they did. What the system labels by itself (`security.*`) is left to it.
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0; MAX_ATTRIBUTES];
    let length = match rustix::fs::flistxattr(from, &mut names[..]) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let mut value = vec![0; MAX_ATTRIBUTES];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if !name.starts_with(b"security.") {
            let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
            rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
        }
    }
    Ok(())
}

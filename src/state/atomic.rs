//! Files that appear whole or not at all, in directories that only we may enter.
//!
//! A directory is opened once, checked, and every file is then reached through that handle: what the path means later,
//! or a symbolic link planted meanwhile, changes nothing. Modes are set on the open file, so that no umask widens or
//! narrows them.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::error::StateError;

const DIRECTORY_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Write permission for the group or for others.
const FOREIGN_WRITE: u32 = 0o022;
const PERMISSIONS: u32 = 0o7777;
/// Prefix of files that are being written; one left by a crash is swept at the next opening.
const UNFINISHED: &str = ".unfinished-";

/// A directory of ours, mode 0700, owned by us, held open.
#[derive(Debug)]
pub struct PrivateDir {
    handle: OwnedFd,
    path: PathBuf,
}

/// A file found in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// When it was last written, in seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

impl PrivateDir {
    /// Opens the directory, creating it and what is missing above it with mode 0700. Directories above it are taken as
    /// they are; it itself must be a real directory of ours that nobody else may write into. Read permission of others
    /// is taken away.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(StateError::NotADirectory(path.to_owned()));
        };
        create_above(parent)?;
        let above = rustix::fs::open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| refused(parent, errno))?;
        Self::enter(&above, Path::new(name), path.to_owned())
    }

    /// Opens a directory inside this one, creating it if it is missing.
    pub fn sub(&self, name: &str) -> Result<Self, StateError> {
        Self::enter(&self.handle, Path::new(name), self.path.join(name))
    }

    fn enter(above: &OwnedFd, name: &Path, path: PathBuf) -> Result<Self, StateError> {
        match rustix::fs::mkdirat(above, name, DIRECTORY_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(StateError::io("create", &path, errno)),
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(above, name, flags, Mode::empty()).map_err(|errno| refused(&path, errno))?;
        let dir = Self { handle, path };
        dir.check()?;
        dir.sweep()?;
        Ok(dir)
    }

    fn check(&self) -> Result<(), StateError> {
        let stat = rustix::fs::fstat(&self.handle).map_err(|errno| self.failed("examine", "", errno))?;
        let mode = stat.st_mode & PERMISSIONS;
        let path = self.path.clone();
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(StateError::ForeignOwner { path, owner: stat.st_uid });
        }
        if mode & FOREIGN_WRITE != 0 {
            return Err(StateError::OthersMayWrite { path, mode });
        }
        if mode != DIRECTORY_MODE.as_raw_mode() {
            rustix::fs::fchmod(&self.handle, DIRECTORY_MODE).map_err(|errno| self.failed("protect", "", errno))?;
        }
        Ok(())
    }

    /// Removes what a crash left half-written. Another console may be writing just now, so only what is older than an
    /// hour goes.
    fn sweep(&self) -> Result<(), StateError> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let hour_ago = i64::try_from(now).unwrap_or(i64::MAX) - 3_600;
        for file in self.entries(|name| name.starts_with(UNFINISHED))? {
            if file.modified.0 < hour_ago {
                // On a read-only file system it stays, which harms nobody.
                let _ = rustix::fs::unlinkat(&self.handle, &file.name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// Where it is, for showing.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle on the same, already checked directory.
    pub fn try_clone(&self) -> Result<Self, StateError> {
        let handle = self.handle.try_clone().map_err(|error| StateError::io("open", &self.path, error))?;
        Ok(Self { handle, path: self.path.clone() })
    }

    /// The open directory, for a writer of its own such as the log's.
    pub fn into_handle(self) -> OwnedFd {
        self.handle
    }

    /// Reads a file of at most `max` bytes. `None` when there is none.
    pub fn read(&self, name: &str, max: u64) -> Result<Option<Vec<u8>>, StateError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle = match rustix::fs::openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::NXIO) => return Err(StateError::NotAFile(self.path.join(name))),
            Err(errno) => return Err(self.failed("open", name, errno)),
        };
        let stat = rustix::fs::fstat(&handle).map_err(|errno| self.failed("examine", name, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(StateError::NotAFile(self.path.join(name)));
        }
        let too_large = |bytes| StateError::TooLarge { path: self.path.join(name), bytes, max };
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > max {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        let read = File::from(handle).take(max + 1).read_to_end(&mut bytes);
        read.map_err(|error| StateError::io("read", &self.path.join(name), error))?;
        if bytes.len() as u64 > max { Err(too_large(bytes.len() as u64)) } else { Ok(Some(bytes)) }
    }

    /// Replaces a file by these bytes; see [`Self::replace`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.replace(name, |out| out.write_all(bytes))
    }

    /// Replaces a file by what `fill` writes: into a new file beside it, synced, renamed over it, the directory synced.
    /// Whatever fails, the file is the old one or the new one, and nothing else is left.
    pub fn replace(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), StateError> {
        self.refuse_special(name)?;
        let unfinished = format!("{UNFINISHED}{name}-{:016x}", fastrand::u64(..));
        let written = self.fill(&unfinished, fill).and_then(|()| {
            rustix::fs::renameat(&self.handle, &unfinished, &self.handle, name).map_err(io::Error::from)
        });
        if let Err(error) = written {
            let _ = rustix::fs::unlinkat(&self.handle, &unfinished, AtFlags::empty());
            return Err(StateError::io("write", &self.path.join(name), error));
        }
        rustix::fs::fsync(&self.handle).map_err(|errno| self.failed("sync", name, errno))
    }

    fn fill(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = File::from(rustix::fs::openat(&self.handle, name, flags, FILE_MODE)?);
        rustix::fs::fchmod(target.as_fd(), FILE_MODE)?;
        let mut out = BufWriter::new(target);
        fill(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }

    /// Opens a file for writing at its end, creating it with mode 0600. A link in its place is not followed.
    pub fn open_for_appending(&self, name: &str) -> Result<OwnedFd, StateError> {
        self.refuse_special(name)?;
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = rustix::fs::openat(&self.handle, name, flags, FILE_MODE)
            .map_err(|errno| self.failed("open", name, errno))?;
        rustix::fs::fchmod(&handle, FILE_MODE).map_err(|errno| self.failed("protect", name, errno))?;
        Ok(handle)
    }

    /// Appends whole lines and syncs them. What a crash left half-written before is closed with a line break; what does
    /// not fit now is taken back, so that the file ends with a whole line or as it was.
    pub fn append(&self, name: &str, lines: &[u8]) -> Result<(), StateError> {
        let mut file = File::from(self.open_for_appending(name)?);
        let failed = |error: io::Error| StateError::io("write", &self.path.join(name), error);
        let before = file.metadata().map_err(failed)?.len();
        let torn = before > 0 && last_byte(&mut file, before).map_err(failed)? != b'\n';
        let whole = if torn { [b"\n", lines].concat() } else { lines.to_vec() };
        let written = file.write_all(&whole).and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _ = file.set_len(before);
            return Err(failed(error));
        }
        if before == 0 {
            rustix::fs::fsync(&self.handle).map_err(|errno| self.failed("sync", name, errno))?;
        }
        Ok(())
    }

    /// Appends whole lines and syncs them, like [`Self::append`], for a file in which every line counts: what a crash left
    /// without its line break is cut off first, since nobody ever relied on it.
    pub fn append_whole(&self, name: &str, lines: &[u8]) -> Result<(), StateError> {
        let mut file = File::from(self.open_for_appending(name)?);
        let failed = |error: io::Error| StateError::io("write", &self.path.join(name), error);
        let length = file.metadata().map_err(failed)?.len();
        let whole = end_of_lines(&file, length).map_err(failed)?;
        if whole < length {
            file.set_len(whole).map_err(failed)?;
        }
        if let Err(error) = file.write_all(lines).and_then(|()| file.sync_all()) {
            let _ = file.set_len(whole);
            return Err(failed(error));
        }
        if whole == 0 {
            rustix::fs::fsync(&self.handle).map_err(|errno| self.failed("sync", name, errno))?;
        }
        Ok(())
    }

    /// Locks a file that is made for this alone; `None` while somebody else has it. It is given back when the handle is
    /// dropped, or when the process dies.
    pub fn lock(&self, name: &str) -> Result<Option<OwnedFd>, StateError> {
        let lock = self.open_for_appending(name)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(lock)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(self.failed("lock", name, errno)),
        }
    }

    fn refuse_special(&self, name: &str) -> Result<(), StateError> {
        match rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Ok(()),
            Ok(_) => Err(StateError::NotAFile(self.path.join(name))),
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("examine", name, errno)),
        }
    }

    /// Removes a file; one that is not there is fine.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// The regular files whose name fits, in no order.
    pub fn entries(&self, fits: impl Fn(&str) -> bool) -> Result<Vec<Found>, StateError> {
        let dir = Dir::read_from(&self.handle).map_err(|errno| self.failed("list", "", errno))?;
        let mut found = Vec::new();
        for entry in dir {
            let entry = entry.map_err(|errno| self.failed("list", "", errno))?;
            let Some(name) = entry.file_name().to_str().ok().filter(|name| fits(name)) else { continue };
            // A file that vanished between the listing and now was somebody else's to remove.
            let Ok(stat) = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
                found.push(Found { name: name.to_owned(), modified: (stat.st_mtime, nanoseconds) });
            }
        }
        Ok(found)
    }

    fn failed(&self, act: &'static str, name: &str, errno: Errno) -> StateError {
        let path = if name.is_empty() { self.path.clone() } else { self.path.join(name) };
        StateError::io(act, &path, errno)
    }
}

fn last_byte(file: &mut File, length: u64) -> io::Result<u8> {
    use std::os::unix::fs::FileExt as _;
    let mut byte = [0];
    file.read_exact_at(&mut byte, length - 1)?;
    Ok(byte[0])
}

/// Where the last whole line ends.
fn end_of_lines(file: &File, length: u64) -> io::Result<u64> {
    use std::os::unix::fs::FileExt as _;
    let mut end = length;
    let mut byte = [0];
    while end > 0 {
        file.read_exact_at(&mut byte, end - 1)?;
        if byte[0] == b'\n' {
            break;
        }
        end -= 1;
    }
    Ok(end)
}

fn create_above(path: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let created = std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE.as_raw_mode()).create(path);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => StateError::NotADirectory(path.to_owned()),
        _ => StateError::io("create", path, error),
    })
}

fn refused(path: &Path, errno: Errno) -> StateError {
    match errno {
        Errno::LOOP | Errno::NOTDIR => StateError::NotADirectory(path.to_owned()),
        _ => StateError::io("open", path, errno),
    }
}

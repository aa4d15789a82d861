//! The log on disk: one file a day, mode 0600, the newest few kept.
//!
//! The rolling appender of the crate that the worker thread comes from creates files as the umask says, follows links
//! and prints its own troubles over the screen; so the file is ours and the worker theirs.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::clock::{Clock, day};
use super::ring::{Level, LogLine, Ring};

/// Files that are kept, today's included.
pub const KEPT: usize = 5;
/// Bytes that one day's file may have; what comes after stays in memory only.
pub const MAX_BYTES: u64 = 16 << 20;

const PREFIX: &str = "grail-console.";
const SUFFIX: &str = ".log";

/// A writer that starts a new file every day (UTC). It never fails: the ring has every line already, and one line there
/// tells that the file has not.
pub(super) struct DailyFile {
    dir: OwnedFd,
    clock: Clock,
    ring: Arc<Ring>,
    open: Option<(String, File, u64)>,
    complained: bool,
}

impl DailyFile {
    pub(super) fn new(dir: OwnedFd, clock: Clock, ring: Arc<Ring>) -> Self {
        Self { dir, clock, ring, open: None, complained: false }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let today = format!("{PREFIX}{}{SUFFIX}", day((self.clock)()));
        if self.open.as_ref().is_none_or(|(name, ..)| *name != today) {
            self.open = None;
            let (file, size) = self.start(&today)?;
            self.open = Some((today, file, size));
            self.prune()?;
        }
        let Some((_, file, size)) = &mut self.open else { return Ok(()) };
        if *size > MAX_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "today's log has reached its limit"));
        }
        file.write_all(bytes)?;
        *size += bytes.len() as u64;
        Ok(())
    }

    fn start(&self, name: &str) -> io::Result<(File, u64)> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let handle = rustix::fs::openat(&self.dir, name, flags, mode)?;
        let stat = rustix::fs::fstat(&handle)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the log is not a regular file"));
        }
        rustix::fs::fchmod(&handle, mode)?;
        Ok((File::from(handle), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    fn prune(&self) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
                names.push(name.into_owned());
            }
        }
        // The names carry the date: their order is the order of days.
        names.sort_by(|a, b| b.cmp(a));
        for name in names.iter().skip(KEPT) {
            rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())?;
        }
        Ok(())
    }

    fn complain(&mut self, error: &io::Error) {
        if !self.complained {
            self.complained = true;
            self.ring.push(warning((self.clock)(), &format!("the log file cannot be written ({error}); the lines stay in memory only. Free some space or make the state directory writable")));
        }
    }
}

/// A line of the log's own, which must not go through the log.
pub(super) fn warning(now: SystemTime, text: &str) -> LogLine {
    let at_ms = now.duration_since(UNIX_EPOCH).map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    LogLine {
        at_ms,
        level: Level::Warn,
        target: "grail_console::logs".to_owned(),
        text: crate::domain::untrusted::sanitize(text, super::MAX_CHARS),
    }
}

impl Write for DailyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.append(bytes) {
            Ok(()) => self.complained = false,
            Err(error) => self.complain(&error),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

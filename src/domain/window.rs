//! Windows: thirty blocks of work, the object in which a miner hands them in, and when a validator accepts it (FACTS 5).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::hotkey::Hotkey;
use crate::domain::text::age_seconds;

/// Blocks of a window.
pub const WINDOW_BLOCKS: u64 = 30;
/// Smallest object that validators take, in bytes (GRAIL 0.0.60).
pub const MIN_OBJECT_BYTES: u64 = 200;
/// Largest object that validators take, in bytes (GRAIL 0.0.60).
pub const MAX_OBJECT_BYTES: u64 = 350 << 20;
/// An object must be this much older than the window's closing block, in ms (GRAIL 0.0.60).
pub const UPLOAD_MARGIN_MS: u64 = 4_000;
/// Windows that the verdict over one's own visibility looks back on.
pub const WINDOWS_SHOWN: usize = 12;
/// A validator sees a new commitment at the latest so long after it: 600 s between fetches, 30 s of polling.
pub const REFETCH_SECONDS: u64 = 630;
/// Windows for which one failure excludes a miner (GRAIL 0.0.60).
pub const EXCLUSION_WINDOWS: u64 = 14;

/// A window, named by its first block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window(u64);

impl Window {
    /// The window that a block belongs to.
    pub const fn of(block: u64) -> Self {
        Self(block - block % WINDOW_BLOCKS)
    }

    /// The last window that is complete when `best` is the best block: the one that validators score now. `None` on a
    /// chain of less than thirty blocks.
    pub const fn last_complete(best: u64) -> Option<Self> {
        Self::of(best).before()
    }

    /// The window before; `None` before the first.
    pub const fn before(self) -> Option<Self> {
        match self.0.checked_sub(WINDOW_BLOCKS) {
            Some(start) => Some(Self(start)),
            None => None,
        }
    }

    /// This window and those before it, newest first, `count` at most.
    pub fn back(self, count: usize) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self), |window| window.before()).take(count)
    }

    /// Its first block, which is also its number.
    pub const fn start(self) -> u64 {
        self.0
    }

    /// The block whose timestamp closes it: the first one after it.
    pub const fn closing_block(self) -> u64 {
        self.0.saturating_add(WINDOW_BLOCKS)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// When the last moment for an upload was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Deadline {
    /// Latest modification that validators accept, in ms since 1970: four seconds before the closing block's timestamp.
    pub at_ms: u64,
    /// Whether the closing block's timestamp was read from the chain; else it was counted back at 12 s a block, since
    /// nodes forget old state.
    pub exact: bool,
}

impl Deadline {
    /// From the timestamp of the window's closing block, in ms since 1970.
    pub const fn from_closing(timestamp_ms: u64, exact: bool) -> Self {
        Self { at_ms: timestamp_ms.saturating_sub(UPLOAD_MARGIN_MS), exact }
    }
}

/// How far from its deadline an upload was, by the ms that it came before it: `30 s after`, `41 s before`. What is late by a
/// part of a second is late.
pub fn from_deadline(early_ms: i64) -> String {
    let ms = early_ms.unsigned_abs();
    if early_ms < 0 {
        format!("{} after", age_seconds(ms.div_ceil(1_000)))
    } else {
        format!("{} before", age_seconds(ms / 1_000))
    }
}

/// Names of objects that GRAIL documents. Nothing else is ever asked for in somebody else's bucket (THREATS T10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentedName {
    /// A miner's window, compressed: what validators look for first.
    WindowCompressed(Hotkey, Window),
    /// A miner's window.
    Window(Hotkey, Window),
    /// What a validator concluded about a window.
    TrustList(Window),
    /// The trainer's mark that a checkpoint can be used; the second window is the one in which its upload was finished. It is
    /// found by listing, not by its name: nobody knows how long an upload takes.
    Ready(Window, Window),
}

/// What the names below a trainer's checkpoints begin with.
pub const CHECKPOINT_PREFIX: &str = "grail/checkpoints/";

/// The mark that whoever needs a checkpoint for a window takes out of a listing: of those that became ready before it, the one
/// that became so last (of several the newest checkpoint).
pub fn newest_ready<'n>(names: impl IntoIterator<Item = &'n str>, target: Window) -> Option<(Window, Window)> {
    let marks = names.into_iter().filter_map(ready_mark).filter(|(_, ready)| *ready < target);
    marks.max_by_key(|(checkpoint, ready)| (*ready, *checkpoint))
}

/// The checkpoint that a name marks as ready, and the window in which its upload was finished.
fn ready_mark(name: &str) -> Option<(Window, Window)> {
    let (checkpoint, ready) =
        name.strip_prefix(CHECKPOINT_PREFIX)?.strip_prefix("checkpoint-")?.split_once("/READY-")?;
    let window = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let block = digits.parse().ok().filter(|_| is_number)?;
        Some(Window::of(block)).filter(|window| window.start() == block)
    };
    window(checkpoint).zip(window(ready)).filter(|(checkpoint, ready)| ready >= checkpoint)
}

impl fmt::Display for DocumentedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WindowCompressed(hotkey, window) => write!(f, "grail/windows/{hotkey}-window-{window}.parquet.gz"),
            Self::Window(hotkey, window) => write!(f, "grail/windows/{hotkey}-window-{window}.parquet"),
            Self::TrustList(window) => write!(f, "grail/trust/trust_list_{window}.json"),
            Self::Ready(checkpoint, ready) => write!(f, "{CHECKPOINT_PREFIX}checkpoint-{checkpoint}/READY-{ready}"),
        }
    }
}

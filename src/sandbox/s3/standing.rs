//! Objects that are there by themselves: nobody wrote them, they follow from the chain's height and time.
//!
//! ```text
//! every uid     grail/windows/{hotkey}-window-{W}.parquet, or ….parquet.gz where the uid is divisible by three
//! permit holders grail/trust/trust_list_{W}.json
//! the trainer   grail/checkpoints/checkpoint-{W}/…, every second window, and READY-{R} there when its upload is finished
//! ```

use bytes::Bytes;
use serde::Serialize;

use super::S3Control;
use super::fault::BucketFault;
use super::objects::{Content, Object, mix};
use super::timetable::{WINDOW_BLOCKS, Window, complete};
use super::tokens::Scope;
use crate::domain::hotkey::Hotkey;
use crate::sandbox::accounts::{TRAINER_UID, VALIDATORS, hotkey};

/// Bytes of an object that GRAIL 0.0.60 finds too small (it wants 200).
const TOO_SMALL: u64 = 150;
/// Bytes of an object that GRAIL 0.0.60 finds too large (it takes 350 MiB).
const TOO_LARGE: u64 = 350 * 1024 * 1024 + 1;
/// How far behind the deadline a late object is, in milliseconds.
const LATE_MS: u64 = 30_000;
/// The usual sizes of window objects in bytes: the least, and how many there are from there.
const SIZES: (u64, u64) = (20_000, 160_000);
/// How long before the end of its window an object is usually there, in seconds: the least, and how many from there.
const EARLY_S: (u64, u64) = (40, 51);
/// How many windows an upload of a checkpoint takes: the least, and how many numbers from there.
const UPLOAD_WINDOWS: (u32, u32) = (2, 4);
/// Between two checkpoints, in blocks.
const CHECKPOINT_BLOCKS: u32 = 2 * WINDOW_BLOCKS;

/// What validators publish about a window.
#[derive(Debug, Serialize)]
struct TrustList {
    window: u32,
    eligible_hotkeys: Vec<Hotkey>,
    active_count: usize,
}

/// What is there under a name.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Parquet,
    Gzip,
    Trust,
    /// Of a checkpoint, whose number this is.
    Metadata(u32),
    Ready(u32),
}

impl Kind {
    fn name(self, uid: u16, window: u32) -> String {
        match self {
            Self::Parquet => format!("grail/windows/{}-window-{window}.parquet", hotkey(uid)),
            Self::Gzip => format!("grail/windows/{}-window-{window}.parquet.gz", hotkey(uid)),
            Self::Trust => format!("grail/trust/trust_list_{window}.json"),
            Self::Metadata(checkpoint) => format!("grail/checkpoints/checkpoint-{checkpoint}/metadata.json"),
            Self::Ready(checkpoint) => format!("grail/checkpoints/checkpoint-{checkpoint}/READY-{window}"),
        }
    }
}

/// Objects of a uid's bucket whose names are wanted, in no order.
pub fn objects(control: &S3Control, uid: u16, wanted: impl Fn(&str) -> bool) -> Vec<Object> {
    let fault = control.fault_of(uid);
    if !control.ring().is_member(uid) || fault.as_ref().is_some_and(BucketFault::empties) {
        return Vec::new();
    }
    let windows: Vec<Window> = complete(&control.node().chain()).collect();
    let named = windows.iter().flat_map(|window| {
        let kinds = kinds(uid, window.start, fault.as_ref());
        kinds.into_iter().map(move |kind| (kind, window, kind.name(uid, window.start)))
    });
    let wanted: Vec<_> = named.filter(|(.., name)| wanted(name)).collect();
    // Who is eligible takes a look at every commitment: once for all lists, and only where there are some.
    let eligible = wanted.iter().any(|(kind, ..)| matches!(kind, Kind::Trust)).then(|| eligible(control));
    let eligible = eligible.unwrap_or_default();
    wanted
        .into_iter()
        .map(|(kind, window, name)| match kind {
            Kind::Parquet | Kind::Gzip => rollouts(name, uid, window, kind, fault.as_ref()),
            Kind::Trust => trust_list(name, window, &eligible),
            Kind::Metadata(_) => small(name, window, b"{}".to_vec()),
            Kind::Ready(_) => small(name, window, Vec::new()),
        })
        .collect()
}

fn kinds(uid: u16, window: u32, fault: Option<&BucketFault>) -> Vec<Kind> {
    let (parquet, gzip) = (Kind::Parquet, Kind::Gzip);
    let mut kinds = match fault {
        Some(BucketFault::BothObjects) => vec![parquet, gzip],
        _ if uid.is_multiple_of(3) => vec![gzip],
        _ => vec![parquet],
    };
    if uid < VALIDATORS && fault != Some(&BucketFault::NoTrustLists) {
        kinds.push(Kind::Trust);
    }
    if uid == TRAINER_UID {
        for checkpoint in uploaded_in(window) {
            kinds.push(Kind::Metadata(checkpoint));
            kinds.extend((fault != Some(&BucketFault::ReadyMissing)).then_some(Kind::Ready(checkpoint)));
        }
    }
    kinds
}

/// The checkpoints whose upload was finished in a window: none, or several.
fn uploaded_in(window: u32) -> impl Iterator<Item = u32> {
    let longest = UPLOAD_WINDOWS.0 + UPLOAD_WINDOWS.1;
    (UPLOAD_WINDOWS.0..longest).filter_map(move |windows| {
        let checkpoint = window.checked_sub(windows * WINDOW_BLOCKS)?;
        let takes = UPLOAD_WINDOWS.0 + checkpoint / CHECKPOINT_BLOCKS % UPLOAD_WINDOWS.1;
        (checkpoint.is_multiple_of(CHECKPOINT_BLOCKS) && takes == windows).then_some(checkpoint)
    })
}

/// A window's rollouts.
fn rollouts(name: String, uid: u16, window: &Window, kind: Kind, fault: Option<&BucketFault>) -> Object {
    let seed = mix(u64::from(uid) << 32 | u64::from(window.start));
    let early_ms = (EARLY_S.0 + mix(seed) % EARLY_S.1) * 1000;
    let modified_ms = match fault {
        Some(BucketFault::Late) => window.deadline_ms() + LATE_MS,
        _ => window.closed_ms.saturating_sub(early_ms),
    };
    let size = match fault {
        Some(BucketFault::TooSmall) => TOO_SMALL,
        Some(BucketFault::TooLarge) => TOO_LARGE,
        _ => SIZES.0 + seed % SIZES.1,
    };
    let (head, tail): (&[u8], &[u8]) = match (fault, kind) {
        (Some(BucketFault::BrokenMagic), _) => (b"nope", b"nope"),
        (_, Kind::Gzip) => (&[0x1f, 0x8b, 0x08], &[]),
        _ => (b"PAR1", b"PAR1"),
    };
    Object { name, size, modified_ms, etag: etag(seed), content: Content::Noise { seed, head, tail } }
}

fn trust_list(name: String, window: &Window, eligible: &[Hotkey]) -> Object {
    let list = TrustList { window: window.start, eligible_hotkeys: eligible.to_vec(), active_count: eligible.len() };
    small(name, window, serde_json::to_vec(&list).unwrap_or_default())
}

/// Something with a few bytes, written right after a window closed.
fn small(name: String, window: &Window, bytes: Vec<u8>) -> Object {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let content = Content::Bytes(Bytes::from(bytes));
    Object { name, size, modified_ms: window.closed_ms, etag: etag(u64::from(window.start) ^ size), content }
}

fn etag(seed: u64) -> String {
    format!("{:016x}{:016x}", mix(seed), mix(!seed))
}

/// Miners whom a validator would count now: their published key opens their bucket, and nothing is wrong with it.
fn eligible(control: &S3Control) -> Vec<Hotkey> {
    let stored = control.node().commitments().unwrap_or_default();
    let mut uids: Vec<u16> = stored.iter().filter_map(|(hotkey, value)| counted(control, hotkey, value)).collect();
    uids.sort_unstable();
    uids.into_iter().map(hotkey).collect()
}

/// The uid of a commitment with which a validator gets at the uid's windows.
fn counted(control: &S3Control, committed_by: &Hotkey, stored: &[u8]) -> Option<u16> {
    // A field of 128 bytes is the last thing in a stored commitment, whatever its kind.
    let text = std::str::from_utf8(stored.last_chunk::<128>()?).ok()?;
    let (bucket, key_id, secret) = (text.get(..32)?, text.get(32..64)?, text.get(64..)?);
    let uid = control.ring().owner(bucket)?;
    let key = control.valid_key(key_id)?;
    let reads = key.scope != Scope::OtherBucket;
    let opens = key.uid == uid && reads && control.secret_of(key_id, key) == secret;
    let miner = uid >= VALIDATORS && control.ring().is_member(uid) && hotkey(uid) == *committed_by;
    let well = !control.fault_of(uid).is_some_and(|fault| fault.excludes());
    (opens && miner && well).then_some(uid)
}

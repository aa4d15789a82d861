//! Objects: their names, sizes and times, and bytes that are made when they are asked for.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use s3s::dto::{ETag, StreamingBlob, Timestamp};

/// Bytes that are made, and sent, at once.
const PIECE: u64 = 64 * 1024;

/// An object in a bucket.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Milliseconds since the Unix epoch.
    pub modified_ms: u64,
    /// 32 hexadecimal digits.
    pub etag: String,
    /// Its bytes.
    pub content: Content,
}

/// The bytes of an object.
#[derive(Debug, Clone)]
pub enum Content {
    /// These.
    Bytes(Bytes),
    /// Noise between a beginning and an end; an object of 350 MiB takes no more memory than one of 20 KiB.
    Noise {
        /// Another seed, another noise.
        seed: u64,
        /// How it begins.
        head: &'static [u8],
        /// How it ends.
        tail: &'static [u8],
    },
}

impl Object {
    /// The entity tag as a header.
    pub fn e_tag(&self) -> ETag {
        ETag::Strong(self.etag.clone())
    }

    /// The time of the last change.
    pub fn last_modified(&self) -> Timestamp {
        moment(self.modified_ms)
    }

    /// The length as S3's types have it.
    pub fn length(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }

    /// A part of it, made as it is sent.
    pub fn part(&self, range: Range<u64>) -> StreamingBlob {
        let (content, size) = (self.content.clone(), self.size);
        let pieces = (range.start..range.end).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
        let piece =
            move |at: u64| Ok::<_, std::io::Error>(content.piece(at..range.end.min(at.saturating_add(PIECE)), size));
        StreamingBlob::wrap(futures::stream::iter(pieces.map(piece)))
    }
}

impl Content {
    fn piece(&self, range: Range<u64>, size: u64) -> Bytes {
        match self {
            Self::Bytes(bytes) => {
                let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                bytes.slice(position(range.start)..position(range.end))
            }
            Self::Noise { seed, head, tail } => range.map(|at| noise_byte(*seed, head, tail, at, size)).collect(),
        }
    }
}

fn noise_byte(seed: u64, head: &[u8], tail: &[u8], at: u64, size: u64) -> u8 {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    let from_end = size.saturating_sub(at);
    if let Some(byte) = head.get(place(at)) {
        *byte
    } else if let Some(byte) = tail.len().checked_sub(place(from_end)).and_then(|index| tail.get(index)) {
        *byte
    } else {
        mix(seed ^ (at / 8)).to_le_bytes()[place(at % 8)]
    }
}

/// SplitMix64: nothing here guards anything.
pub const fn mix(seed: u64) -> u64 {
    let mut word = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A time in milliseconds since the Unix epoch, as S3's types have it.
pub fn moment(ms: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or_else(SystemTime::now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_its_beginning_and_end_and_is_the_same_in_any_part() {
        let noise = Content::Noise { seed: 7, head: b"PAR1", tail: b"PAR1" };
        let whole = noise.piece(0..1000, 1000);
        assert_eq!((&whole[..4], &whole[996..], whole.len()), (&b"PAR1"[..], &b"PAR1"[..], 1000));
        assert_eq!(noise.piece(3..17, 1000), whole[3..17]);
        assert_eq!(noise.piece(990..1000, 1000), whole[990..]);
        let distinct: std::collections::HashSet<_> = whole.iter().collect();
        assert!(distinct.len() > 200, "it is noise");
    }
}

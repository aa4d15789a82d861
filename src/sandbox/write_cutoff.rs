//! The place in the stream of outgoing bytes at which the connections end: a client has read exactly this, and no more.

use std::sync::{Mutex, PoisonError};

/// The bytes after which every connection is closed, once.
#[derive(Debug, Default)]
pub struct WriteCutoff(Mutex<Option<Vec<u8>>>);

impl WriteCutoff {
    /// The next connection that sends these bytes is cut behind them.
    pub fn after(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// How many of these bytes a connection still sends, if it ends among them. `tail` is what the connection remembers of
    /// what it has sent before.
    pub fn within(&self, tail: &mut Vec<u8>, sent: &[u8]) -> Option<usize> {
        let mut cut = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bytes) = cut.as_ref().filter(|bytes| !bytes.is_empty()) else {
            tail.clear();
            return None;
        };
        let before = tail.len();
        tail.extend_from_slice(sent);
        let found = tail.windows(bytes.len()).position(|window| window == bytes);
        let end = found.map(|start| (start + bytes.len()).saturating_sub(before));
        tail.drain(..tail.len().saturating_sub(bytes.len() - 1));
        if end.is_some() {
            *cut = None;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_is_found_wherever_the_bytes_are_split_and_only_once() {
        for split in 0..=10 {
            let cut = WriteCutoff::default();
            let mut tail = Vec::new();
            assert_eq!(cut.within(&mut tail, b"012345"), None);
            cut.after(b"345".to_vec());
            let (one, two) = b"0123456789".split_at(split);
            let ends = [cut.within(&mut tail, one), cut.within(&mut tail, two)];
            assert_eq!(ends, if split > 5 { [Some(6), None] } else { [None, Some(6 - split)] });
            assert_eq!(cut.within(&mut tail, b"345"), None);
        }
    }
}

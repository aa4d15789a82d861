//! The keys that were published, secrets included, for those who read with them. They stay in memory and go nowhere else:
//! what screens, snapshots and JSON get is judged and without the secret.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::commitment::{self, Parts, Stored};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;

/// Readable commitments by hotkey, as the chain's reader saw them last. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct PublishedKeys(Arc<RwLock<HashMap<Hotkey, SecretKey>>>);

impl PublishedKeys {
    /// The three parts that a hotkey published, if GRAIL's rule accepts them.
    pub fn parts(&self, hotkey: &Hotkey) -> Option<Parts> {
        let text = self.0.read().unwrap_or_else(PoisonError::into_inner).get(hotkey).cloned()?;
        commitment::read_bytes(text.expose().as_bytes()).ok()
    }

    /// Takes note of what is stored for a hotkey, or that nothing is.
    pub(super) fn note(&self, hotkey: Hotkey, stored: Option<&Stored>) {
        let text = stored.and_then(commitment::readable_text);
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => keys.insert(hotkey, text),
            None => keys.remove(&hotkey),
        };
    }
}

impl fmt::Debug for PublishedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishedKeys([redacted])")
    }
}

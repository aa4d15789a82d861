//! The own commitment changed, and this console did not do it: what it was, what it is, and who probably did.

use serde::Serialize;

use crate::domain::commitment::{Commitment, Published};
use crate::domain::credentials::LocalView;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::drift::exposes_write_key;
use crate::domain::secret::Fingerprint;
use crate::domain::text::{grouped, middle_cut};
use crate::domain::untrusted::Untrusted;

/// Who probably did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is what is configured here: GRAIL was started, or a commit was made from another console of this machine.
    LocalValues,
    /// It is the local write key: GRAIL was started in single-credential mode.
    WriteKey,
    /// It is a key that this machine replaced before: a GRAIL with an old `.env`.
    OldKey,
    /// It is nothing that is known here: another machine holds the hotkey.
    Elsewhere,
    /// It was taken away: the chain forgot it with the registration.
    Removed,
}

/// A change that nobody here made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnexpectedChange {
    /// What it was, in a few words: `bucket 3f9a…c4e1 key 7be1…0b90`, `nothing`.
    pub before: String,
    /// What it is.
    pub after: String,
    /// The block that set it, where known.
    pub block: Option<u64>,
    /// Who probably did it.
    pub cause: Cause,
}

impl UnexpectedChange {
    /// Compares the own commitment before and after; `None` when nothing changed. Whether this console did it is the
    /// caller's to know.
    pub fn between(before: Option<&Commitment>, after: Option<&Commitment>, local: &LocalView) -> Option<Self> {
        if before == after {
            return None;
        }
        let published = after.and_then(Commitment::published);
        Some(Self {
            before: words(before),
            after: words(after),
            block: after.and_then(|commitment| commitment.block),
            cause: match (after, published) {
                (None, _) => Cause::Removed,
                (Some(_), Some(published)) => cause(published, local),
                (Some(_), None) => Cause::Elsewhere,
            },
        })
    }

    /// What happened, why, and what to do.
    pub fn finding(&self) -> Diagnostic {
        let at = self.block.map_or_else(String::new, |block| format!(" at #{}", grouped(block)));
        let what = format!("Your commitment changed{at}, and not by this console: {} → {}", self.before, self.after);
        let (severity, why, todo) = match self.cause {
            Cause::LocalValues => (
                Severity::Note,
                "It is the key configured here: GRAIL was restarted, or another console on this machine committed it.",
                "Nothing, if that was meant.",
            ),
            Cause::WriteKey => (
                Severity::Danger,
                "It is your WRITE key: a GRAIL without a read pair was started, and published it to the world.",
                "Revoke that token now, then set a read pair of an \u{201c}Object Read only\u{201d} token and commit it.",
            ),
            Cause::OldKey => (
                Severity::Danger,
                "It is a key that this machine had replaced: a GRAIL was restarted with an old .env.",
                "Put the new read pair into that .env, then commit again.",
            ),
            Cause::Elsewhere => (
                Severity::Warning,
                "It is not what is configured here: a GRAIL or a console on another machine holds this hotkey too.",
                "Find it. If it is not yours, the hotkey is in other hands: move to a new one.",
            ),
            Cause::Removed => (
                Severity::Warning,
                "The chain forgot it, as newer runtimes do when a hotkey loses its uid. Its key is not revoked by that: archives \
                 keep it, and whoever has read it still reads the bucket.",
                "Register the hotkey again, then commit; or revoke the token.",
            ),
        };
        Diagnostic::new("own_commitment_changed", severity, what, why, todo)
    }
}

fn cause(published: &Published, local: &LocalView) -> Cause {
    let is = |secret: Option<Fingerprint>, id: Option<&str>, locator: Option<&str>| {
        secret == Some(published.read_secret)
            && id == published.read_key_id.as_text()
            && locator == published.locator.as_text()
    };
    let here = is(local.read_secret, local.read_key_id.as_deref(), local.locator.as_deref());
    let grail = &local.grail;
    if exposes_write_key(published, local) {
        Cause::WriteKey
    } else if here {
        Cause::LocalValues
    } else if local.replaced.contains(&published.read_secret) {
        Cause::OldKey
    } else if local.vault().is_some() && is(grail.read_secret, grail.read_key_id.as_deref(), grail.locator.as_deref()) {
        Cause::LocalValues
    } else {
        Cause::Elsewhere
    }
}

fn words(commitment: Option<&Commitment>) -> String {
    match commitment.map(|commitment| (commitment.published(), commitment.unreadable())) {
        None => "nothing".to_owned(),
        Some((Some(published), _)) => {
            let (bucket, key) = (short(&published.locator), short(&published.read_key_id));
            format!("bucket {bucket} key {key} fp {}", published.read_secret.short())
        }
        Some((None, unreadable)) => unreadable.map_or("unreadable", |u| u.label.as_str()).to_owned(),
    }
}

fn short(id: &Untrusted) -> String {
    middle_cut(&id.shown(), 4, 4)
}

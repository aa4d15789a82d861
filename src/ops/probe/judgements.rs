//! Verdicts that no answer of a store decides: there is no key to ask with, or nothing to ask for.

use super::subnet_view::{NoKey, View};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Blame, Judgement, Verdict};
use crate::domain::provider::Provider;

pub(super) fn no_key(reason: NoKey, own: bool) -> Judgement {
    let is_definite = reason != NoKey::NotAtHand;
    let (verdict, explanation, fix) = match reason {
        NoKey::NeverCommitted => (
            Verdict::NoCommitment,
            "Nothing was ever published: validators do not look for this bucket at all.".to_owned(),
            "Publish the read pair with commit.",
        ),
        NoKey::Unreadable(unreadable) => (
            Verdict::Malformed,
            format!("GRAIL drops this commitment without a word. {}", unreadable.detail),
            "Publish the read pair with commit.",
        ),
        NoKey::NotAtHand => (
            Verdict::NoCommitment,
            "The commitment is changing at this moment.".to_owned(),
            "Test again in a few seconds.",
        ),
    };
    let fix = if own { fix } else { "Only the holder of this hotkey can publish anew." };
    let blame = Some(if is_definite { Blame::Holder } else { Blame::Unknown });
    Judgement { verdict, blame, is_definite, found: None, explanation, fix: fix.to_owned() }
}

pub(super) fn judged(
    verdict: Verdict,
    explanation: String,
    fix: &str,
    own: bool,
    view: &View,
    hotkey: &Hotkey,
) -> Judgement {
    let who = view.member(hotkey).map_or_else(|| "this ex-member".to_owned(), |member| format!("uid {}", member.uid));
    let fix = if own { fix.to_owned() } else { format!("Only the holder of {who} can publish anew.") };
    Judgement { verdict, blame: Some(Blame::Holder), is_definite: true, found: None, explanation, fix }
}

pub(super) fn shape_fix(provider: &Provider) -> String {
    if provider.is_r2() {
        "Publish the account id, the Access Key ID (32 hex) and the Secret Access Key (64 hex) of an R2 token."
            .to_owned()
    } else {
        "Publish the name of a bucket and a key of this store.".to_owned()
    }
}

pub(super) fn too_young() -> Judgement {
    Judgement {
        verdict: Verdict::NoObject,
        blame: Some(Blame::Unknown),
        is_definite: true,
        found: None,
        explanation: "The chain is younger than one window, so there is nothing to look for yet.".to_owned(),
        fix: String::new(),
    }
}

/// `AKIA…` and its kin: 20 capital letters and digits.
pub(super) fn looks_like_aws(key_id: &str) -> bool {
    key_id.len() == 20
        && (key_id.starts_with("AK") || key_id.starts_with("AS"))
        && key_id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

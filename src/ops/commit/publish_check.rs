//! What the vault and its rotations have to say before the local keys are published.

use crate::domain::commit::outcome::Rule;
use crate::domain::owner::Owner;
use crate::domain::vault_index::{GenerationNumber, Index};
use crate::ops::context::Context;
use crate::state::StateError;

/// Refuses keys that are not those in use: while a rotation of the read key is open only it publishes, and where the vault
/// has a generation in use no other keys are taken for it, which would publish an old one.
pub(super) fn check(context: &Context, owner: &Owner) -> Result<(), Rule> {
    let Some(state) = &context.disk.state else { return Ok(()) };
    let index = state.vault().and_then(|indexes| indexes.read(owner)).map_err(|error| unknown(&error))?;
    let history = state.rotations().and_then(|journal| journal.history(owner)).map_err(|error| unknown(&error))?.0;
    match history.open {
        Some(rotation) if rotation.change.read.is_some() => Err(rotating(&rotation.title())),
        _ => in_use(&index, context.configuration.local.generation()),
    }
}

fn in_use(index: &Index, given: Option<GenerationNumber>) -> Result<(), Rule> {
    match index.current {
        Some(current) if given != Some(current) => Err(locked(current)),
        _ => Ok(()),
    }
}

fn rotating(title: &str) -> Rule {
    Rule::Other {
        code: "rotation_open",
        what: format!("Not sent: a rotation is open ({title})"),
        why: "While it is, only its own steps publish: a commit beside them could put a key on chain that it replaces.",
        todo: "Go on with it (R, or rotate resume), or roll it back.".to_owned(),
    }
}

fn locked(current: GenerationNumber) -> Rule {
    Rule::Other {
        code: "vault_locked",
        what: format!("Not sent: the keys in use are generation {current} of the vault, which was not opened"),
        why: "What .env or environment hold beside it may be older keys.",
        todo: "Unlock the vault and start again; doctor says what it needs.".to_owned(),
    }
}

fn unknown(error: &StateError) -> Rule {
    Rule::Other {
        code: "vault_index",
        what: format!("Not sent: which keys are in use is not known: {error}"),
        why: "Publishing others would put an old key on chain.",
        todo: "See doctor, and mend that file first.".to_owned(),
    }
}

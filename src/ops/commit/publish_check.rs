//! What the vault and its rotations have to say before the local keys are published.

use crate::domain::commit::Plan;
use crate::domain::commit::outcome::Rule;
use crate::domain::commitment::Published;
use crate::domain::credentials::{LocalValues, Variable};
use crate::domain::owner::Owner;
use crate::domain::rotation::{Phase, Rotation, Side};
use crate::domain::secret::Fingerprint;
use crate::domain::text::middle_cut;
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

/// Refuses the vault's pair where chain and `.env` agree on another one: the vault may be a restored backup, and GRAIL would
/// put the pair of the `.env` back at its next start.
pub(super) fn vault_against_both(context: &Context, plan: &Plan) -> Result<(), Rule> {
    let local = &context.configuration.local;
    match (local.generation(), plan.old()) {
        (Some(generation), Some(old)) if *old != plan.new && is_pair(&local.grail(), old) => {
            Err(against_both(generation, plan, old))
        }
        _ => Ok(()),
    }
}

/// Whether these values are what is published: bucket, key id and secret.
fn is_pair(values: &LocalValues, published: &Published) -> bool {
    let value = |variable| values.effective(variable).map(|sourced| &sourced.value);
    let is =
        |variable, text: Option<&str>| value(variable).zip(text).is_some_and(|(value, text)| value.expose() == text);
    // The bucket need not stand beside the keys.
    let bucket = value(Variable::BucketId).is_none() || is(Variable::BucketId, published.locator.as_text());
    let secret = value(Variable::ReadSecret).is_some_and(|secret| secret.fingerprint() == published.read_secret);
    bucket && secret && is(Variable::ReadKeyId, published.read_key_id.as_text())
}

fn against_both(generation: GenerationNumber, plan: &Plan, old: &Published) -> Rule {
    let key =
        |pair: &Published| format!("{} fp {}", middle_cut(&pair.read_key_id.shown(), 6, 4), pair.read_secret.short());
    Rule::Other {
        code: "vault_against_env",
        what: format!(
            "Not sent: chain and .env agree on the read key {}, and vault generation {generation} holds {}",
            key(old),
            key(&plan.new)
        ),
        why: "A restored vault holds older keys, and a GRAIL with this .env would put its pair back. Nothing was signed.",
        todo: "If the .env is right, bring its pair into the vault with keys import --from-env. If the vault is right, take the pair out \
               of the .env first, or put the vault's there; then commit again."
            .to_owned(),
    }
}

/// What this machine knows of a read key being an old one, where it does.
pub(super) fn known_as_old(context: &Context, owner: &Owner, pair: &Published) -> Option<String> {
    let id = Fingerprint::of(pair.read_key_id.as_text()?);
    let state = context.disk.state.as_ref()?;
    let index = state.vault().and_then(|indexes| indexes.read(owner)).unwrap_or_default();
    // A rotation of the write key alone keeps the read key: the newest that has it counts.
    let has_it = index.holdings.iter().filter(|held| held.read.as_ref().is_some_and(|read| read.id == id));
    let kept = has_it.max_by_key(|held| held.number);
    if let Some((held, current)) = kept.zip(index.current).filter(|(held, current)| held.number < *current) {
        return Some(format!("it is generation {} of the vault, and generation {current} is in use", held.number));
    }
    let history = state.rotations().and_then(|journal| journal.history(owner)).ok()?.0;
    let all = history.closed.iter().chain(&history.open);
    all.rev().find_map(|rotation| old_by(rotation, id)).or_else(|| {
        let replaced = context.replaced.contains(&pair.read_secret);
        replaced.then(|| "a commit of this machine has replaced it".to_owned())
    })
}

fn old_by(rotation: &Rotation, id: Fingerprint) -> Option<String> {
    let read = rotation.change.read.as_ref()?;
    let retired = rotation.phase == Phase::Retired || rotation.refused.contains(&Side::Read);
    if retired && read.old.as_ref().is_some_and(|old| old.id == id) {
        return Some(format!("the rotation to generation {} has replaced it", rotation.to));
    }
    let given_up = matches!(rotation.phase, Phase::RolledBack | Phase::Abandoned) && read.new.id == id;
    given_up.then(|| format!("the rotation to generation {} was given up", rotation.to))
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

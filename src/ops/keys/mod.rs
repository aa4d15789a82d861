//! Keys into the vault and out of it: taken over from `.env` or environment, put back there, removed when nothing needs them.

mod env;
mod list;

pub use env::{
    Commented, Override, Restored, comment_out, left_copies, objection, overrides, restore, sweep_copies, values,
};
pub use list::{Listed, Listing, PlaceKeys};

use crate::domain::credentials::{BucketCredentials, CredentialsError, LocalValues, Variable};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::rotation::{Replacement, Rotation, Seen, Side};
use crate::domain::vault_index::{GenerationNumber, Holding, KeyRef, Origin};
use crate::ops::context::Context;
use crate::ops::rotation::{chain_facts, rotations};
use crate::ops::vault::OpenVault;
use crate::vault::{Generation, KeyPair};

/// What a generation of these values would be: the whole pairs among them. `now_ms` is the time since 1970.
pub fn generation_of(values: &LocalValues, number: GenerationNumber, now_ms: u64) -> Generation {
    let text = |variable| values.effective(variable).map(|sourced| sourced.value.expose().to_owned());
    let pair = |id, secret| {
        let (id, secret) = (text(id)?, values.effective(secret)?.value.clone());
        Some(KeyPair { id, secret })
    };
    Generation {
        number,
        created_ms: now_ms,
        origin: Origin::Imported,
        account: text(Variable::AccountId),
        bucket: text(Variable::BucketId),
        read: pair(Variable::ReadKeyId, Variable::ReadSecret),
        write: pair(Variable::WriteKeyId, Variable::WriteSecret),
    }
}

/// What an import came to.
#[derive(Debug)]
pub struct Imported {
    /// The generation that holds the keys now, and is in use.
    pub generation: Generation,
    /// Whether it was in the vault already.
    pub was_there: bool,
}

/// Takes over what `.env` and environment hold: into the store, read back and compared, then in use. The `.env` is not
/// touched. `now_ms` is the time since 1970.
pub async fn import(context: &Context, opened: &mut OpenVault, now_ms: u64) -> Result<Imported, Diagnostic> {
    let values = context.configuration.local.grail();
    let mut generation = generation_of(&values, 0, now_ms);
    check_shapes(context, &values, &generation)?;
    let open = rotations(context)?.history(&opened.owner)?.0.open;
    if let Some(open) = open {
        return match brought_back(&open, opened, generation).await? {
            Some(generation) => Ok(Imported { generation, was_there: false }),
            None => Err(beside_rotation(&open)),
        };
    }
    let number = opened.next_number().await?;
    if let Some(holding) = same(&opened.index.holdings, &generation).cloned() {
        let was_there = opened.holds(holding.number).await?;
        if !was_there {
            // The store lost it.
            opened.put(Generation { number: holding.number, ..generation.clone() }).await?;
        }
        if opened.index.current != Some(holding.number) {
            if opened.index.current.is_some() && !is_published(context, opened, &generation, now_ms).await? {
                return Err(not_in_use(&holding));
            }
            opened.promote(holding.number).await?;
        }
        return Ok(Imported { generation: opened.generation(holding.number).await?, was_there });
    }
    refuse_rolled(&opened.index.holdings, &generation)?;
    refuse_unpublished(context, opened, &generation, now_ms).await?;
    generation.number = number;
    opened.put(generation.clone()).await?;
    opened.promote(generation.number).await?;
    Ok(Imported { generation, was_there: false })
}

/// Removes a generation that nothing needs any more. `now_ms` is the time since 1970.
pub async fn remove(
    context: &Context,
    opened: &mut OpenVault,
    number: GenerationNumber,
    now_ms: u64,
) -> Result<Holding, Diagnostic> {
    let holding = removable(context, opened, number, now_ms).await?;
    opened.forget(number).await?;
    Ok(holding)
}

/// The generation, if it may be removed.
pub async fn removable(
    context: &Context,
    opened: &OpenVault,
    number: GenerationNumber,
    now_ms: u64,
) -> Result<Holding, Diagnostic> {
    let Some(holding) = opened.index.holding(number).cloned() else { return Err(unknown(number)) };
    let history = rotations(context)?.history(&opened.owner)?.0;
    if let Some(open) = history.open.filter(|open| open.from == number || open.to == number) {
        return Err(needed(number, &format!("a rotation is open that needs it ({})", open.title())));
    }
    if opened.index.current == Some(number) {
        return Err(needed(number, "its keys are in use"));
    }
    let chain = chain_facts(context, &opened.owner, now_ms).await?;
    let published = holding.read.as_ref().or(holding.write.as_ref());
    if let (Seen::Holds(held), Some(key)) = (&chain.seen, published)
        && held.secret == key.secret
    {
        return Err(needed(number, "its read key is on chain: validators read with it"));
    }
    Ok(holding)
}

fn check_shapes(context: &Context, values: &LocalValues, generation: &Generation) -> Result<(), Diagnostic> {
    if generation.read.is_none() && generation.write.is_none() {
        return Err(nothing_there());
    }
    match BucketCredentials::parse(&context.provider, values) {
        // The way out of single-credential mode begins with these keys in a safe place.
        Ok(_) | Err(CredentialsError::Legacy) => Ok(()),
        Err(error) => Err(Diagnostic::failure(
            Class::Usage,
            "credentials",
            error.to_string(),
            "Keys that are not whole would not be known for what they are later. Nothing was taken over.",
            "Correct them first: doctor lists every value with its place.",
        )),
    }
}

fn beside_rotation(open: &Rotation) -> Diagnostic {
    Diagnostic::refused(
        "rotation_open",
        format!("A rotation is open: {}", open.title()),
        "Which keys are the right ones is being decided there.",
        "Finish it with rotate resume, or roll it back; then import.",
    )
}

/// Keys of an open rotation that the store lost go back under their number: those that it replaces, or the new ones.
async fn brought_back(
    open: &Rotation,
    opened: &mut OpenVault,
    generation: Generation,
) -> Result<Option<Generation>, Diagnostic> {
    let [read, write] = refs(&generation);
    let of = |side| if side == Side::Read { &read } else { &write };
    let is_there = |locator: &Option<String>| locator.as_ref() == Some(&open.locator);
    if !is_there(&generation.bucket) && !is_there(&generation.account) {
        return Ok(None);
    }
    for number in [open.to, open.from] {
        let key_of = |keys: &Replacement| if number == open.to { Some(keys.new.clone()) } else { keys.old.clone() };
        let is_it =
            open.change.sides().all(|(side, keys)| key_of(keys).is_some_and(|key| of(side).as_ref() == Some(&key)));
        let noted = opened.index.holding(number);
        let is_it = is_it && noted.is_none_or(|held| (&held.read, &held.write) == (&read, &write));
        if is_it && !opened.holds(number).await? {
            let generation = Generation { number, ..generation };
            opened.put_as_journalled(generation.clone()).await?;
            if opened.index.current.is_none() && open.in_use == number {
                opened.promote(number).await?;
            }
            return Ok(Some(generation));
        }
    }
    Ok(None)
}

/// Whether the chain holds the read key of these keys.
async fn is_published(
    context: &Context,
    opened: &OpenVault,
    generation: &Generation,
    now_ms: u64,
) -> Result<bool, Diagnostic> {
    let [read, _] = refs(generation);
    let locator = generation.bucket.as_ref().or(generation.account.as_ref());
    let Some((locator, read)) = locator.zip(read) else { return Ok(false) };
    Ok(chain_facts(context, &opened.owner, now_ms).await?.seen.is(locator, &read))
}

fn refs(generation: &Generation) -> [Option<KeyRef>; 2] {
    [&generation.read, &generation.write].map(|pair| pair.as_ref().map(KeyPair::reference))
}

/// The generation with these very keys, where one is held.
pub(super) fn same<'h>(holdings: &'h [Holding], generation: &Generation) -> Option<&'h Holding> {
    let [read, write] = refs(generation);
    let bucket = generation.bucket.as_ref().or(generation.account.as_ref());
    holdings.iter().find(|holding| holding.read == read && holding.write == write && holding.locator.as_ref() == bucket)
}

/// A token rolled in place keeps its id (THREATS T17).
fn refuse_rolled(holdings: &[Holding], generation: &Generation) -> Result<(), Diagnostic> {
    let known = || holdings.iter().flat_map(|holding| [&holding.read, &holding.write]).flatten();
    let new = refs(generation);
    let rolled = new.iter().flatten().find(|key| known().any(|old| old.id == key.id && old.secret != key.secret));
    match rolled {
        None => Ok(()),
        Some(key) => Err(Diagnostic::refused(
            "same_key_id",
            format!("The key {} is in the vault with another secret", key.shown),
            "A token rolled in place keeps its id, and validators that cached the old secret under it fail until they restart.",
            "Create a new token at the provider and bring it in with rotate start.",
        )),
    }
}

/// Where keys are in use already, others come by a rotation, unless the chain holds them by now.
async fn refuse_unpublished(
    context: &Context,
    opened: &OpenVault,
    generation: &Generation,
    now_ms: u64,
) -> Result<(), Diagnostic> {
    let Some(current) = opened.index.in_use() else { return Ok(()) };
    let [read, _] = refs(generation);
    let Some(read) = read.filter(|read| current.read.as_ref() != Some(read)) else { return Ok(()) };
    if is_published(context, opened, generation, now_ms).await? {
        return Ok(());
    }
    Err(Diagnostic::refused(
        "not_published",
        format!(
            "The vault has generation {} in use, and this is another read key ({read}), which is not on chain",
            current.number
        ),
        "Taken over like this it would be in use here while validators read with the other one.",
        "Bring it in with rotate start --new-key-file FILE, which publishes it with an overlap.",
    ))
}

fn nothing_there() -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "no_credentials",
        "There are no keys to take over",
        "Neither the .env nor the environment holds a whole pair.",
        "Name GRAIL's .env: keys import --from-env FILE.",
    )
}

fn not_in_use(holding: &Holding) -> Diagnostic {
    Diagnostic::refused(
        "other_generation",
        format!("These are the keys of generation {}, which is not in use", holding.number),
        "The vault has newer ones, and the .env was left behind.",
        "Bring the .env in line with keys restore-env, or take its keys out.",
    )
}

fn unknown(number: GenerationNumber) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "unknown_generation",
        format!("The vault holds no generation {number}"),
        "Nothing was removed.",
        "See keys list.",
    )
}

fn needed(number: GenerationNumber, why: &str) -> Diagnostic {
    Diagnostic::refused(
        "generation_needed",
        format!("Generation {number} is not removed: {why}"),
        "A key that is gone from here cannot be brought back.",
        "Replace it first with rotate start.",
    )
}

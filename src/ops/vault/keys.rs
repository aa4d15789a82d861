//! The keys of the vault as those that count, and all its write keys as those that must not be published.

use super::{ANSWER, Known, VaultProblem, index, indexes, known, open, within};
use crate::domain::guard::{Forbidden, KnownSecret, SecretKind, SecretPlace, Uncompared};
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::text::middle_cut;
use crate::domain::vault_index::{Holding, Index};
use crate::ops::context::Context;
use crate::ops::rotation::rotations;
use crate::vault::{KeyPair, Vault};

/// Whether keys of the vault are in use, by its index alone; an index that is lost has to be derived again to know that,
/// which is a yes too. Where no vault ever was, the chain is not asked whose.
pub async fn is_in_use(context: &Context) -> Result<bool, VaultProblem> {
    if !was_ever_used(context)? {
        return Ok(false);
    }
    let Known { index, lost, .. } = known(context).await?;
    Ok(index.current.is_some() || !lost.is_empty())
}

fn was_ever_used(context: &Context) -> Result<bool, VaultProblem> {
    let can_be = context.hotkey.is_some() && context.disk.state.is_some();
    Ok(can_be && (indexes(context)?.any() || rotations(context)?.any()))
}

/// What the vault holds, from its index alone; `None` where no vault ever was.
pub async fn index_if_any(context: &Context) -> Result<Option<(Owner, Index)>, VaultProblem> {
    if !was_ever_used(context)? {
        return Ok(None);
    }
    index(context).await.map(Some)
}

/// The context with the keys of the generation in use as the strongest local ones; where none is in use no store is
/// contacted, and nothing changes but that its index is read anew. The passphrase is for the encrypted file.
pub async fn with_keys(context: &Context, passphrase: Option<SecretKey>) -> Result<Context, VaultProblem> {
    let Known { index, lost, .. } = known(context).await?;
    if index.current.is_none() && lost.is_empty() {
        return Ok(Context { vault: index, ..context.clone() });
    }
    let opened = open(context, passphrase).await?;
    if opened.derived.is_some() && opened.index.holdings.is_empty() {
        return Err(VaultProblem::NothingFound(opened.backend().word()));
    }
    let generation = opened.current().await?;
    let mut with = match &generation {
        Some(generation) => context.with_generation(generation),
        None => context.clone(),
    };
    // What was wrong with the index is told as mended.
    with.findings.retain(|finding| finding.code != "vault_index" || opened.derived.is_none());
    with.findings.extend(opened.derived);
    with.vault = opened.index;
    with.opened = Some(opened.vault);
    Ok(with)
}

/// The write pairs that the vault holds, of every hotkey: by their fingerprints, and whole where the store that holds them
/// is open already.
pub(in crate::ops) async fn and_held(context: &Context, forbidden: Forbidden) -> Forbidden {
    let Some(state) = &context.disk.state else { return forbidden };
    let (all, unreadable) = state.vault().map_or((Vec::new(), 1), |indexes| indexes.read_all());
    let own = context.owner().map(|owner| owner.to_string());
    let hotkey = |owner: &str| {
        let address = owner.rsplit('/').next().unwrap_or_default();
        (own.as_deref() != Some(owner)).then(|| middle_cut(address, 6, 4))
    };
    let with_prints =
        |forbidden: Forbidden, (owner, index): &(String, Index)| forbidden.and_held(hotkey(owner).as_deref(), index);
    let forbidden = all.iter().fold(forbidden.and_not(Uncompared::UnreadableIndex, unreadable), with_prints);
    let writes: Vec<_> = all
        .into_iter()
        .flat_map(|(owner, index)| {
            let holdings = index.holdings.into_iter().filter(|holding| holding.write.is_some());
            holdings.map(move |holding| (owner.clone(), holding)).collect::<Vec<_>>()
        })
        .collect();
    let (count, read) = (writes.len(), read_whole(context, writes).await);
    let locked = count - read.len();
    let known = read.into_iter().flat_map(|(owner, holding, pair)| {
        let place = SecretPlace::Vault { hotkey: hotkey(&owner), generation: holding.number };
        let id = (SecretKind::WriteKeyId, SecretKey::new(pair.id));
        let both = [id, (SecretKind::WriteSecret, pair.secret)];
        both.map(|(kind, text)| KnownSecret { kind, place: place.clone(), text })
    });
    forbidden.and(known).and_not(Uncompared::LockedWritePair, locked)
}

/// Whose generation, and its write pair.
type HeldWrite = (String, Holding, KeyPair);

/// The write pairs of those generations that lie in the open store. What it does not answer counts as locked.
async fn read_whole(context: &Context, writes: Vec<(String, Holding)>) -> Vec<HeldWrite> {
    let Some(vault) = context.opened.clone().or_else(|| context.sandbox_vault.clone()) else { return Vec::new() };
    let read = within(vault.backend(), ANSWER, move || Ok(held_in(&vault, writes))).await;
    read.unwrap_or_else(|error| {
        tracing::warn!("the write keys of the vault are compared by their fingerprints: {error}");
        Vec::new()
    })
}

fn held_in(vault: &Vault, writes: Vec<(String, Holding)>) -> Vec<HeldWrite> {
    let here = writes.into_iter().filter(|(_, holding)| holding.backend == vault.backend());
    let read = here.filter_map(|(owner, holding)| {
        let generation = vault.held_named(&owner, &holding);
        let generation = generation.inspect_err(|error| tracing::warn!("a generation of the vault: {error}"));
        let pair = generation.ok()?.write?;
        Some((owner, holding, pair))
    });
    read.collect()
}

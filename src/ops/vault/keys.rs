//! The keys of the vault as those that count.

use super::{Known, VaultProblem, index, indexes, known, open};
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::Index;
use crate::ops::context::Context;
use crate::ops::rotation::rotations;

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
    let generation = opened.current().await?;
    let mut with = match &generation {
        Some(generation) => context.with_generation(generation),
        None => context.clone(),
    };
    // What was wrong with the index is told as mended.
    with.findings.retain(|finding| finding.code != "vault_index" || opened.derived.is_none());
    with.findings.extend(opened.derived);
    with.vault = opened.index;
    Ok(with)
}

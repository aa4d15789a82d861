//! The keys of the vault as those that count.

use super::{VaultProblem, index, indexes, open};
use crate::domain::owner::Owner;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::Index;
use crate::ops::context::Context;

/// Whether keys of the vault are in use, by its index alone. Where no vault ever was, the chain is not asked whose.
pub async fn is_in_use(context: &Context) -> Result<bool, VaultProblem> {
    Ok(index_if_any(context).await?.is_some_and(|(_, index)| index.current.is_some()))
}

/// What the vault holds, from its index alone; `None` where no vault ever was.
pub async fn index_if_any(context: &Context) -> Result<Option<(Owner, Index)>, VaultProblem> {
    if context.hotkey.is_none() || context.disk.state.is_none() || !indexes(context)?.any() {
        return Ok(None);
    }
    index(context).await.map(Some)
}

/// The context with the keys of the generation in use as the strongest local ones; where none is in use no store is
/// contacted, and nothing changes but that its index is read anew. The passphrase is for the encrypted file.
pub async fn with_keys(context: &Context, passphrase: Option<SecretKey>) -> Result<Context, VaultProblem> {
    let (_, index) = index(context).await?;
    if index.current.is_none() {
        return Ok(Context { vault: index, ..context.clone() });
    }
    let opened = open(context, passphrase).await?;
    let generation = opened.current().await?;
    let mut with = match &generation {
        Some(generation) => context.with_generation(generation),
        None => context.clone(),
    };
    with.vault = opened.index;
    Ok(with)
}

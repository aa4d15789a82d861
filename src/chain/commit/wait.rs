//! Waiting for a uid: the storage entry is watched, and a finalized block must confirm it.

use std::time::Duration;

use tokio::time::sleep;

use super::super::error::ChainError;
use super::super::session::jittered;
use super::hotkey_client::{HotkeyClient, HotkeyClientOptions};

/// Longest pause between attempts to connect: a registration is seen a little later at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Silence after which a real call finds out whether the connection is alive.
const QUIET: Duration = Duration::from_secs(30);

/// A connected client at the moment when a finalized block gives the hotkey a uid. Waits as long as it takes, over as many
/// connections as it takes.
pub async fn registered(options: &HotkeyClientOptions) -> HotkeyClient {
    let mut options = options.clone();
    let mut pause = Duration::from_millis(500);
    loop {
        match wait(&mut options).await {
            Ok(client) => return client,
            Err(error) => tracing::warn!("waiting for the registration, the connection was lost: {error}"),
        }
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A chain that nobody pinned is pinned by its first answer.
async fn wait(options: &mut HotkeyClientOptions) -> Result<HotkeyClient, ChainError> {
    let client = HotkeyClient::open(options).await?;
    options.genesis.get_or_insert(client.genesis());
    let mut changes = client.session().watch(&[client.uid_key()]).await?;
    let mut heads = client.session().finalized_heads().await?;
    let mut hinted = true;
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(Ok(set)) => hinted |= set.changes.iter().any(|(_, value)| value.is_some()),
                _ => return Err(client.session().malformed("state_subscribeStorage", "the subscription ended")),
            },
            head = heads.next() => match head {
                Some(Ok(_)) if hinted => {
                    if client.has_uid().await? {
                        return Ok(client);
                    }
                }
                Some(Ok(_)) => {}
                _ => return Err(client.session().malformed("chain_subscribeFinalizedHeads", "the subscription ended")),
            },
            () = sleep(QUIET) => drop(client.session().round_trip().await?),
        }
    }
}

//! A feed on a sandbox, and waiting for what it tells.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grail_console::chain::{Feed, MetadataStore};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::{BlockHash, Network};
use grail_console::domain::snapshot::{SubnetChange, SubnetSnapshot};
use grail_console::sandbox::{BlockTime, SANDBOX_GENESIS, Sandbox, SandboxOptions, Scenario};
use tokio::time::timeout;

use crate::support::chain::{ChainOptions, follow};

/// Prevents a hanging test; nothing is measured with it.
const PATIENCE: Duration = Duration::from_mins(2);

/// A sandbox whose blocks are made by hand.
pub async fn sandbox(scenario: &str, uids: u32) -> Sandbox {
    of(Scenario::named(scenario).unwrap(), uids).await
}

/// The same of a scenario of one's own.
pub async fn of(scenario: Scenario, uids: u32) -> Sandbox {
    let options = SandboxOptions { uids, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    Sandbox::start(options).await.unwrap()
}

/// Makes blocks.
pub async fn blocks(sandbox: &Sandbox, count: u32) {
    for _ in 0..count {
        sandbox.produce_block().await.unwrap();
    }
}

/// The network of some sandboxes, which are all of one chain.
pub fn network(sandboxes: &[&Sandbox]) -> Network {
    let endpoints = sandboxes.iter().map(|sandbox| sandbox.url().parse().unwrap()).collect();
    Network { name: "SANDBOX".to_owned(), endpoints, genesis: Some(BlockHash(SANDBOX_GENESIS)) }
}

type Kept = Arc<Mutex<HashMap<(BlockHash, u32), Vec<u8>>>>;

/// A store in memory, and what is in it.
pub fn memory() -> (MetadataStore, Kept) {
    let kept = Kept::default();
    let (load, save) = (Arc::clone(&kept), Arc::clone(&kept));
    let store = MetadataStore::new(
        move |genesis, spec| load.lock().unwrap().get(&(genesis, spec)).cloned(),
        move |genesis, spec, bytes| drop(save.lock().unwrap().insert((genesis, spec), bytes.to_vec())),
    );
    (store, kept)
}

/// A feed, and everything it told so far.
pub struct Heard {
    pub feed: Feed,
    pub events: Vec<FeedEvent>,
}

impl Heard {
    pub fn on(network: &Network, options: ChainOptions) -> Self {
        Self { feed: follow(network, 81, MetadataStore::none(), options), events: Vec::new() }
    }

    /// Waits for the first event that `pick` accepts.
    pub async fn until<T>(&mut self, pick: impl Fn(&FeedEvent) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.feed.next().await.expect("the feed lives");
                let picked = pick(&event);
                self.events.push(event);
                if let Some(picked) = picked {
                    return picked;
                }
            }
        };
        let picked = timeout(PATIENCE, wait).await;
        picked.unwrap_or_else(|_| panic!("never told; last were {:?}", names(&self.events)))
    }

    pub async fn snapshot(&mut self) -> SubnetSnapshot {
        self.until(|event| match event {
            FeedEvent::Snapshot(snapshot) => Some(*snapshot.clone()),
            _ => None,
        })
        .await
    }

    pub async fn change(&mut self) -> SubnetChange {
        self.until(|event| match event {
            FeedEvent::Changed(change) => Some(*change.clone()),
            _ => None,
        })
        .await
    }

    /// The code of the problem with which the connection was lost.
    pub async fn lost(&mut self) -> &'static str {
        self.until(|event| match event {
            FeedEvent::Lost { problem, .. } => Some(problem.code),
            _ => None,
        })
        .await
    }

    pub async fn best(&mut self, at_least: u64) -> u64 {
        self.until(|event| match event {
            FeedEvent::BestHead { number } if *number >= at_least => Some(*number),
            _ => None,
        })
        .await
    }
}

/// Names of the events, for messages and for asserting an order.
pub fn names(events: &[FeedEvent]) -> Vec<&'static str> {
    let name = |event: &FeedEvent| match event {
        FeedEvent::Connecting { .. } => "connecting",
        FeedEvent::Connected { .. } => "connected",
        FeedEvent::Snapshot(_) => "snapshot",
        FeedEvent::BestHead { .. } => "best",
        FeedEvent::FinalizedHead { .. } => "finalized",
        FeedEvent::Changed(_) => "changed",
        FeedEvent::Upgraded { .. } => "upgraded",
        FeedEvent::Latency { .. } => "latency",
        FeedEvent::Stalled { .. } => "stalled",
        FeedEvent::Lost { .. } => "lost",
    };
    events.iter().map(name).collect()
}

//! What keeps the console true by itself: the chain's feed and the operator's own `.env`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;

use crate::chain::{Feed, FeedOptions, follow};
use crate::config::Flags;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::feed::FeedEvent;
use crate::domain::findings::{env_gone, env_unusable};
use crate::domain::network::Network;
use crate::domain::text::grouped;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::probe::SubnetView;
use crate::ops::survey::name_the_sandbox;

/// How often the `.env` is looked at for changes: an operator who edits it sees the drift change while still looking.
const OWN_EVERY: Duration = Duration::from_secs(3);
/// Pause before a feed that broke begins anew.
const AFTER_A_MISTAKE: Duration = Duration::from_secs(5);
/// Events under way between the chain and the screen.
const EVENTS: usize = 256;

/// Follows the configured subnet until the receiver is dropped; a notification makes it connect anew. What is heard is
/// also the subnet_view for read tests, keys with their secrets included.
pub fn follow_subnet(context: &Context, subnet_view: SubnetView) -> (mpsc::Receiver<FeedEvent>, Arc<Notify>) {
    let (events, received) = mpsc::channel(EVENTS);
    let again = Arc::new(Notify::new());
    let asked = Arc::clone(&again);
    let (node, netuid) = (context.node.clone(), context.netuid());
    tokio::spawn(async move {
        loop {
            let options = FeedOptions { published: Some(subnet_view.keys()), ..FeedOptions::default() };
            let feed = follow(node.clone(), netuid, options);
            match relay(feed, &events, &asked, &subnet_view).await {
                Relayed::Asked => {}
                Relayed::Unheard => return,
                Relayed::Ended => {
                    tracing::error!("the feed ended by a mistake of ours and begins anew");
                    if events.send(broken_feed(node.network())).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(AFTER_A_MISTAKE).await;
                }
            }
        }
    });
    (received, again)
}

/// Why a feed is no longer listened to.
enum Relayed {
    /// The operator asked to connect anew.
    Asked,
    /// Nobody listens.
    Unheard,
    /// It broke.
    Ended,
}

/// Passes a feed on.
async fn relay(mut feed: Feed, events: &mpsc::Sender<FeedEvent>, asked: &Notify, subnet_view: &SubnetView) -> Relayed {
    loop {
        let event = tokio::select! {
            event = feed.next() => event,
            () = asked.notified() => return Relayed::Asked,
            () = events.closed() => return Relayed::Unheard,
        };
        let Some(event) = event else { return Relayed::Ended };
        subnet_view.hear(&event);
        if events.send(noted(named(event))).await.is_err() {
            return Relayed::Unheard;
        }
    }
}

/// A feed never ends by itself; one that does has met a defect, which must not look like a living connection.
fn broken_feed(network: &Network) -> FeedEvent {
    let problem = Diagnostic::new(
        "feed_ended",
        Severity::Danger,
        "The live feed ended by a mistake of ours",
        "What is shown no longer changes until the feed has begun anew.",
        "Please report it with the lines of the log.",
    );
    let endpoint = network.endpoints.first().map(ToString::to_string).unwrap_or_default();
    let retry_in_ms = u64::try_from(AFTER_A_MISTAKE.as_millis()).unwrap_or(u64::MAX);
    FeedEvent::Lost { endpoint, problem, retry_in_ms }
}

fn named(mut event: FeedEvent) -> FeedEvent {
    match &mut event {
        FeedEvent::Connected { chain, .. } => name_the_sandbox(chain),
        FeedEvent::Snapshot(snapshot) => name_the_sandbox(&mut snapshot.chain),
        _ => {}
    }
    event
}

/// Leaves a trace of what matters in the log, so that the morning can tell what happened in the night.
fn noted(event: FeedEvent) -> FeedEvent {
    match &event {
        FeedEvent::Connected { chain, latency_ms } => {
            tracing::info!("connected to {} ({} ms), spec {}", chain.endpoint, latency_ms, chain.spec_version);
        }
        FeedEvent::Snapshot(snapshot) => tracing::info!(
            "subnet {} read at #{}: {} uids, {} commitments",
            snapshot.netuid,
            grouped(snapshot.at.number),
            snapshot.members.len(),
            snapshot.commitments.len()
        ),
        FeedEvent::Changed(change) => {
            for (hotkey, commitment) in &change.commitments {
                let what = if commitment.is_some() { "set" } else { "removed by the chain, which revokes no key" };
                tracing::info!("#{}: commitment of {hotkey} {what}", grouped(change.block));
            }
            for member in &change.members {
                tracing::info!("#{}: uid {} is now {}", grouped(change.block), member.uid, member.hotkey);
            }
        }
        FeedEvent::Upgraded { spec_version } => tracing::info!("the runtime was upgraded to spec {spec_version}"),
        FeedEvent::Stalled { number, seconds } => {
            tracing::warn!("no block after #{} for {seconds} s", grouped(*number));
        }
        FeedEvent::Connecting { .. }
        | FeedEvent::BestHead { .. }
        | FeedEvent::FinalizedHead { .. }
        | FeedEvent::Latency { .. }
        | FeedEvent::Lost { .. } => {}
    }
    event
}

/// Everything configured, read again each time the `.env` in use changes. Where it is gone, or cannot be used, what was read
/// before stands, with a finding that says so. Without a `.env` the receiver ends at once.
pub fn watch_env_file(context: &Context, flags: Flags, environment: Environment) -> mpsc::Receiver<Context> {
    let (news, received) = mpsc::channel(1);
    let Some(file) = context.configuration.settings.env_file.as_ref().map(|named| named.value.clone()) else {
        return received;
    };
    let subject = (context.network.endpoints.clone(), context.netuid());
    let mut read = context.clone();
    let mut last = stamp(&file);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(OWN_EVERY).await;
            if news.is_closed() {
                return;
            }
            let now = stamp(&file);
            if now == last {
                continue;
            }
            last = now;
            let (flags, environment) = (flags.clone(), environment.clone());
            let shown = sanitize(&file.display().to_string(), 200);
            let trouble = match spawn_blocking(move || Context::load(&flags, &environment)).await {
                Ok(Ok(context)) => {
                    read = Context { acknowledged: read.acknowledged.clone(), ..context };
                    tracing::info!("the .env changed and was read again");
                    if (&read.network.endpoints, read.netuid()) != (&subject.0, subject.1) {
                        tracing::warn!(
                            "the .env names another network or subnet now: start the console anew to see it"
                        );
                    }
                    None
                }
                Ok(Err(_)) if now.is_none() => Some(env_gone(&shown)),
                Ok(Err(error)) => Some(env_unusable(&shown, error.to_string().trim_end_matches('.'))),
                Err(error) => Some(env_unusable(&shown, &error.to_string())),
            };
            if let Some(finding) = &trouble {
                tracing::warn!("{}. {}", finding.summary, finding.cause);
            }
            let mut context = read.clone();
            context.findings.splice(0..0, trouble);
            if news.send(context).await.is_err() {
                return;
            }
        }
    });
    received
}

/// Modification time and length; `None` while the file is away.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

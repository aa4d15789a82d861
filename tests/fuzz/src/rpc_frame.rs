//! Messages of a node, as they come over the WebSocket.

use std::collections::VecDeque;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use grail_console::chain::{CallLimits, FeedOptions, MetadataStore, Node, NodeOptions, follow, survey};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::snapshot::SubnetSnapshot;
use grail_console::domain::untrusted::is_visible;
use tokio::runtime::Runtime;

use super::chain::NETUID;
use super::node::{METADATA, ScriptedNode, runtime};

/// The first line of an input for which the subnet is followed, not only read.
const FEED: &str = "feed\n";
/// More events than an input can hold.
const MOST_EVENTS: usize = 4_096;
/// What becomes the id of a request.
const ID: &str = "$ID";
/// Longest text of an error, in characters that may be ten when they are made visible.
const SHOWN: usize = 10 * 1_200;

static SETUP: LazyLock<Mutex<(Runtime, ScriptedNode)>> = LazyLock::new(|| {
    let runtime = runtime();
    let scripted = ScriptedNode::start(&runtime);
    Mutex::new((runtime, scripted))
});

/// Messages, one a line. Each request gets those up to the one that answers it, which holds `$ID`, and those that are told
/// before the next request is answered; when none is left, the connection ends.
pub fn run(data: &[u8]) -> &'static str {
    within(Duration::from_millis(20), data)
}

/// The same, where an answer that never comes is waited for so long.
pub fn within(call: Duration, data: &[u8]) -> &'static str {
    let setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, scripted) = &*setup;
    let text = String::from_utf8_lossy(data);
    let mut left: VecDeque<String> =
        text.strip_prefix(FEED).unwrap_or(&text).split('\n').map(ToOwned::to_owned).collect();
    scripted.answer_with(move |request| {
        // The connection of an earlier input takes its leave.
        if request.method.contains("_unsubscribe") {
            return Some(Vec::new());
        }
        let mut messages = Vec::new();
        let mut is_answered = false;
        while let Some(message) = left.pop_front_if(|message| !(is_answered && message.contains(ID))) {
            is_answered |= message.contains(ID);
            messages.push(message.replace(ID, &request.id.to_string()).into_bytes());
        }
        is_answered.then_some(messages)
    });
    let limits =
        CallLimits { call, rate_limit_retries: 1, rate_limit_pause: Duration::from_millis(1), ..CallLimits::default() };
    let store = MetadataStore::new(|_, _| Some(METADATA.to_vec()), |_, _, _| {});
    let node = Node::new(NodeOptions { store, limits, ..NodeOptions::new(scripted.network()) });
    if text.starts_with(FEED) {
        return runtime.block_on(followed(node, call));
    }
    match runtime.block_on(survey(&node, NETUID, None, &FeedOptions::default())) {
        Ok(snapshot) => {
            assert_eq!(snapshot.netuid, NETUID);
            assert!(snapshot.members.is_sorted_by_key(|member| member.uid));
            // What is kept on disk is text that may be shown: kept once more it is the same.
            let kept = serde_json::to_string(&snapshot).unwrap();
            let read: SubnetSnapshot = serde_json::from_str(&kept).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), kept);
            "read"
        }
        Err(error) => {
            is_shown(&error.to_string());
            error.fault.code()
        }
    }
}

/// Follows the subnet until the connection ends, which it does when no answer is left.
async fn followed(node: Node, call: Duration) -> &'static str {
    let options =
        FeedOptions { quiet: call, latency: call, stalled: call, stalled_too_long: call, ..FeedOptions::default() };
    let mut feed = follow(node, NETUID, options);
    let mut outcome = "lost";
    for _ in 0..MOST_EVENTS {
        match feed.next().await.unwrap() {
            FeedEvent::Snapshot(_) => outcome = "followed",
            FeedEvent::Changed(change) => {
                assert_ne!(outcome, "lost", "a change of nothing that was told");
                assert!(change.members.len() <= 1 << 16);
                outcome = "changed";
            }
            FeedEvent::Lost { problem, .. } => {
                is_shown(&format!("{} {} {}", problem.summary, problem.cause, problem.help));
                return outcome;
            }
            _ => {}
        }
    }
    outcome
}

fn is_shown(said: &str) {
    assert!(said.chars().all(is_visible), "{said:?}");
    assert!(said.chars().count() <= SHOWN, "{} characters", said.chars().count());
}

//! What a node sends, before anything is made of it: bounded in bytes (THREATS T26), an answer by what was asked, and what it sends
//! without being asked each time also by all that wait to be taken. A subscription of the library is bounded in messages only.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use jsonrpsee::core::client::{
    Client, Error as ClientError, ReceivedMessage, SubscriptionClientT as _, SubscriptionKind, TransportReceiverT,
};
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::types::SubscriptionId;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use subxt_rpcs::Error as RpcError;
use subxt_rpcs::client::{RawRpcFuture, RawRpcSubscription, RpcClientT};
use thiserror::Error;

use super::answers::{AnswerError, Asked};
use super::error::said_at_the_end;
use super::options::CallLimits;

/// The one kind of notification that grows with the subnet.
const STORAGE_CHANGES: &str = "state_storage";
/// Bytes that a notification takes beside its own.
const EACH: usize = 128;
/// Bytes that a part of a large message has at least on average: its lists are of hex, and the shortest pair of a key and its value
/// has 84.
const PART: usize = 32;
/// Parts that any message may have: what proves a block final is a list of numbers in it, some 3,000 for 20 authorities.
const FEW_PARTS: usize = 16 << 10;
/// Longest name of a method and longest id of a subscription that are looked at, in bytes; a node makes ids of 16.
const LONGEST_WORD: usize = 256;

/// Why a connection is given up while it is read.
#[derive(Debug, Error)]
pub(super) enum ReceiveError {
    #[error("{0}")]
    Transport(String),
    #[error("a notification of {bytes} bytes is too large")]
    Notification { bytes: usize },
    #[error("notifications that wait to be read are too large: {bytes} bytes")]
    Waiting { bytes: usize },
    #[error("several answers in one message")]
    Batch,
    #[error("a message of {bytes} bytes is too large for anything that was asked")]
    Message { bytes: usize },
    #[error("a message of {bytes} bytes in {parts} parts is too large")]
    Parts { bytes: usize, parts: usize },
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The receiving half of a connection, with its bounds.
pub(super) struct Bounded<R> {
    inner: R,
    limits: Limits,
    asked: Arc<Asked>,
    waiting: Arc<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Bytes of one notification.
    notification: usize,
    /// Bytes of one notification of storage changes.
    changes: usize,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, limits: &CallLimits) -> Self {
        let asked = Arc::new(Asked::new(limits));
        let limits = Limits { notification: limits.notification, changes: limits.changes };
        Self { inner, limits, asked, waiting: Arc::default() }
    }

    /// What is asked, for the one that sends it.
    pub(super) fn asked(&self) -> Arc<Asked> {
        Arc::clone(&self.asked)
    }

    /// What waits to be taken, for the client that takes it.
    pub(super) fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.waiting)
    }

    fn admit(&self, message: &[u8]) -> Result<(), ReceiveError> {
        let bytes = message.len();
        if bytes > self.limits.changes && bytes > self.asked.largest() {
            return Err(ReceiveError::Message { bytes });
        }
        if bytes > self.limits.notification {
            let parts = message.split(|byte| *byte == b',').count();
            if parts > FEW_PARTS + bytes / PART {
                return Err(ReceiveError::Parts { bytes, parts });
            }
        }
        match Kind::of(message) {
            Kind::Answer { id, is_error } => Ok(self.asked.answered(id, bytes, is_error)?),
            Kind::Batch => Err(ReceiveError::Batch),
            Kind::Notification { changes, subscription } => {
                if bytes > if changes { self.limits.changes } else { self.limits.notification } {
                    return Err(ReceiveError::Notification { bytes });
                }
                let waiting = self.waiting.came(subscription, bytes);
                if waiting > 2 * self.limits.changes {
                    return Err(ReceiveError::Waiting { bytes: waiting });
                }
                Ok(())
            }
        }
    }
}

impl<R: TransportReceiverT<Error: 'static> + Send> TransportReceiverT for Bounded<R> {
    type Error = ReceiveError;

    async fn receive(&mut self) -> Result<ReceivedMessage, ReceiveError> {
        let message = self.inner.receive().await.map_err(|error| ReceiveError::Transport(said_at_the_end(&error)))?;
        match &message {
            ReceivedMessage::Text(text) => self.admit(text.as_bytes())?,
            ReceivedMessage::Bytes(bytes) => self.admit(bytes)?,
            ReceivedMessage::Pong => {}
        }
        Ok(message)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// To which request, where its id is one of ours.
    Answer {
        id: Option<u64>,
        is_error: bool,
    },
    Batch,
    /// Of which subscription, as JSON writes its id; empty where it cannot be told.
    Notification {
        changes: bool,
        subscription: String,
    },
}

impl Kind {
    /// Only what clearly answers a call is an answer. Nothing is copied but a short name and a short id.
    fn of(message: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Message<'m> {
            #[serde(borrow)]
            id: Option<&'m RawValue>,
            #[serde(borrow)]
            method: Option<&'m RawValue>,
            #[serde(borrow)]
            params: Option<Params<'m>>,
            #[serde(default, deserialize_with = "is_there")]
            result: bool,
            #[serde(default, deserialize_with = "is_there")]
            error: bool,
        }
        #[derive(Deserialize)]
        struct Params<'m> {
            #[serde(borrow)]
            subscription: Option<&'m RawValue>,
        }
        if message.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Self::Batch;
        }
        match serde_json::from_slice::<Message<'_>>(message) {
            Ok(Message { id: Some(id), method: None, result, error, .. }) if result || error => {
                Self::Answer { id: id.get().parse().ok(), is_error: error }
            }
            Ok(Message { method, params, .. }) => {
                let id = params.and_then(|params| word::<SubscriptionId<'_>>(params.subscription?));
                Self::Notification {
                    changes: method.and_then(word::<Cow<'_, str>>).is_some_and(|method| method == STORAGE_CHANGES),
                    subscription: id.as_ref().map(written).unwrap_or_default(),
                }
            }
            Err(_) => Self::Notification { changes: false, subscription: String::new() },
        }
    }
}

/// A field that is there, even where it is null.
fn is_there<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// A name or an id, unless it is longer than any.
fn word<'m, T: Deserialize<'m>>(raw: &'m RawValue) -> Option<T> {
    let short = Some(raw.get()).filter(|text| text.len() <= LONGEST_WORD)?;
    serde_json::from_str(short).ok()
}

/// The id of a subscription as JSON writes it.
fn written(id: &SubscriptionId<'_>) -> String {
    serde_json::to_string(id).unwrap_or_default()
}

/// Bytes of the notifications that nothing has taken yet.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Sizes>);

#[derive(Debug, Default)]
struct Sizes {
    total: usize,
    /// Of each subscription, in the order in which they came.
    each: HashMap<String, VecDeque<usize>>,
    /// Subscriptions that ended here; what still comes for them is dropped at once.
    ended: HashSet<String>,
}

impl Waiting {
    /// The bytes that wait with this one.
    fn came(&self, subscription: String, bytes: usize) -> usize {
        let mut sizes = self.sizes();
        if !sizes.ended.contains(&subscription) {
            sizes.total += bytes + EACH;
            sizes.each.entry(subscription).or_default().push_back(bytes + EACH);
        }
        sizes.total
    }

    /// A node may give the id of a subscription that ended to another one.
    fn began(&self, subscription: &str) {
        self.sizes().ended.remove(subscription);
    }

    fn taken(&self, subscription: &str) {
        let mut sizes = self.sizes();
        let first = sizes.each.get_mut(subscription).and_then(VecDeque::pop_front);
        sizes.total = sizes.total.saturating_sub(first.unwrap_or_default());
    }

    fn ended(&self, subscription: String) {
        let mut sizes = self.sizes();
        let left = sizes.each.remove(&subscription).into_iter().flatten().sum();
        sizes.total = sizes.total.saturating_sub(left);
        sizes.ended.insert(subscription);
    }

    fn sizes(&self) -> MutexGuard<'_, Sizes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the count of a subscription with it.
struct Counted {
    subscription: String,
    waiting: Arc<Waiting>,
}

impl Counted {
    fn of(id: &SubscriptionId<'_>, waiting: &Arc<Waiting>) -> Self {
        let subscription = written(id);
        waiting.began(&subscription);
        Self { subscription, waiting: Arc::clone(waiting) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.waiting.ended(std::mem::take(&mut self.subscription));
    }
}

/// A client whose subscriptions tell what was taken from them.
pub(super) struct Counting {
    pub(super) client: Arc<Client>,
    pub(super) waiting: Arc<Waiting>,
}

impl RpcClientT for Counting {
    fn request_raw<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> RawRpcFuture<'a, Box<RawValue>> {
        self.client.request_raw(method, params)
    }

    fn subscribe_raw<'a>(
        &'a self,
        sub: &'a str,
        params: Option<Box<RawValue>>,
        unsub: &'a str,
    ) -> RawRpcFuture<'a, RawRpcSubscription> {
        Box::pin(async move {
            let taken = self.client.subscribe::<Box<RawValue>, _>(sub, Given(params), unsub).await?;
            let SubscriptionKind::Subscription(id) = taken.kind() else {
                return Err(RpcError::Client(Box::new(ClientError::InvalidSubscriptionId)));
            };
            let id = id.clone().into_owned();
            let counted = Counted::of(&id, &self.waiting);
            let stream = taken.inspect(move |_| counted.waiting.taken(&counted.subscription));
            let id = if let SubscriptionId::Str(id) = id { Some(id.into_owned()) } else { None };
            let stream = stream.map(|taken| taken.map_err(RpcError::Deserialization));
            Ok(RawRpcSubscription { stream: Box::pin(stream), id })
        })
    }
}

/// Parameters that are JSON already.
struct Given(Option<Box<RawValue>>);

impl ToRpcParams for Given {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(method: &str, subscription: &str, bytes: usize) -> String {
        let result = "x".repeat(bytes);
        format!(
            r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"subscription":"{subscription}","result":"{result}"}}}}"#
        )
    }

    fn bounded() -> Bounded<()> {
        Bounded::new((), &CallLimits::default())
    }

    fn refusal(bounded: &Bounded<()>, message: &str) -> Option<String> {
        bounded.admit(message.as_bytes()).err().map(|error| error.to_string())
    }

    #[test]
    fn only_storage_changes_may_be_larger_than_64_kib_and_not_larger_than_4_mib() {
        let bounded = bounded();
        assert_eq!(refusal(&bounded, &notification("state_storage", "a", 3 << 20)), None);
        assert_eq!(refusal(&bounded, &notification("chain_newHead", "a", 60 << 10)), None);
        for (method, bytes) in
            [("chain_newHead", 64 << 10), ("author_extrinsicUpdate", 1 << 20), ("state_storage", 4 << 20)]
        {
            let said = refusal(&bounded, &notification(method, "a", bytes)).unwrap();
            assert!(said.contains(" bytes is too large"), "{said}");
        }
    }

    #[test]
    fn notifications_that_nothing_takes_are_bounded_together_whatever_subscription_they_name() {
        for subscription in ["a", "unknown", ""] {
            let bounded = bounded();
            let message = notification("state_storage", subscription, 3 << 20);
            assert_eq!(refusal(&bounded, &message), None);
            assert_eq!(refusal(&bounded, &message), None);
            let said = refusal(&bounded, &message).unwrap();
            assert!(said.contains("wait to be read are too large"), "{said}");
        }
        let bounded = bounded();
        let small = (0..1 << 20).find_map(|at| refusal(&bounded, &notification("chain_newHead", &at.to_string(), 0)));
        assert!(small.is_some(), "many small ones take memory too");
    }

    #[test]
    fn what_is_taken_or_belongs_to_an_ended_subscription_waits_no_more() {
        let bounded = bounded();
        let message = notification("state_storage", "a", 3 << 20);
        for _ in 0..10 {
            assert_eq!(refusal(&bounded, &message), None);
            bounded.waiting.taken("\"a\"");
        }
        assert_eq!(bounded.waiting.sizes().total, 0);
        assert_eq!(refusal(&bounded, &message), None);
        bounded.waiting.ended("\"a\"".to_owned());
        for _ in 0..10 {
            assert_eq!(refusal(&bounded, &message), None);
        }
        assert_eq!(bounded.waiting.sizes().total, 0);
        // The same id once more.
        let again = Counted::of(&SubscriptionId::Str("a".into()), &bounded.waiting);
        assert_eq!(refusal(&bounded, &message), None);
        assert!(bounded.waiting.sizes().total > 3 << 20);
        drop(again);
        assert_eq!(bounded.waiting.sizes().total, 0);
    }

    #[test]
    fn what_answers_nothing_is_bounded_like_a_notification() {
        let text = format!("\"{}\"", "0".repeat(64 << 10));
        for message in [
            format!(r#"{{"id":0,"x":{text}}}"#),
            format!(r#"{{"id":0,"params":{{"subscription":{text}}}}}"#),
            format!(r#"{{"method":"chain_newHead","params":{{"subscription":{text},"result":1}}}}"#),
            format!(r#"{{"method":{text}}}"#),
            format!(r#"{{"id":{text},"result":1}}"#),
            format!(r#"{{"id":0,"result":{text}}}"#),
            format!(r#"{{"id":0,"error":{text}}}"#),
        ] {
            let said = refusal(&bounded(), &message).unwrap();
            assert!(said.contains("too large"), "{said}");
        }
    }

    #[test]
    fn a_message_larger_than_anything_that_was_asked_is_not_even_parsed() {
        let said = refusal(&bounded(), &"[".repeat((4 << 20) + 1)).unwrap();
        assert_eq!(said, "a message of 4194305 bytes is too large for anything that was asked");
    }

    #[test]
    fn a_large_message_of_many_small_parts_is_refused_and_an_honest_list_is_not() {
        let changes = |part: &str, count: usize| {
            let parts = vec![part; count].join(",");
            let result = format!(r#"{{"block":"0x00","changes":[{parts}]}}"#);
            format!(r#"{{"method":"state_storage","params":{{"subscription":"a","result":{result}}}}}"#)
        };
        let said = refusal(&bounded(), &changes(r#"["0x","0x"]"#, 100_000)).unwrap();
        assert!(said.ends_with("parts is too large"), "{said}");
        let shortest = format!(r#"["0x{}",null]"#, "0".repeat(72));
        assert_eq!(refusal(&bounded(), &changes(&shortest, 40_000)), None);
        // What proves a block final, for 100 authorities.
        let proof = vec!["255"; 13_200].join(",");
        let body = "0".repeat(64 << 10);
        let block = format!(r#"{{"id":0,"result":{{"block":["0x{body}"],"justifications":[[[1],[{proof}]]]}}}}"#);
        assert!(!refusal(&bounded(), &block).unwrap().contains("parts"), "it is refused since nothing was asked");
    }

    #[test]
    fn an_answer_is_one_that_has_an_id_and_no_method_but_a_result_or_an_error() {
        let kind = |message: &str| Kind::of(message.as_bytes());
        let unknown = |changes| Kind::Notification { changes, subscription: String::new() };
        let answer = |id, is_error| Kind::Answer { id, is_error };
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), answer(Some(1), false));
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id": 12 ,"result":[]}"#), answer(Some(12), false));
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":"1","error":{"code":1,"message":""}}"#), answer(None, true));
        assert_eq!(kind(r#"{"id":1,"result":1,"error":1}"#), answer(Some(1), true));
        assert_eq!(kind(r#"{"id":1}"#), unknown(false));
        assert_eq!(kind(r#"{"id":1,"x":[]}"#), unknown(false));
        assert_eq!(kind(r#"{"id":null,"result":1}"#), unknown(false));
        assert_eq!(kind(r#" [{"jsonrpc":"2.0","id":1,"result":null}]"#), Kind::Batch);
        assert_eq!(kind(r#"{"id":1,"method":"state_storage","params":{}}"#), unknown(true));
        assert_eq!(kind(r#"{"id":1,"id":2,"result":1}"#), unknown(false));
        let of = |subscription: &str| Kind::Notification { changes: true, subscription: subscription.to_owned() };
        assert_eq!(kind(r#"{"method":"state_storage","params":{"subscription":7}}"#), of("7"));
        assert_eq!(kind("not JSON"), unknown(false));
        let escaped = r#"{"method":"state_\u0073torage","params":{"subscription":"\u0061"}}"#;
        assert_eq!(kind(escaped), of("\"a\""));
    }
}

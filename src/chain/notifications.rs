//! What a node sends without being asked each time: bounded in bytes, for each message and for all that wait to be taken
//! (THREATS T26). A subscription of the library is bounded in messages only, and a message may have 16 MB.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use jsonrpsee::core::client::{
    Client, Error as ClientError, ReceivedMessage, SubscriptionClientT as _, SubscriptionKind, TransportReceiverT,
};
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::types::SubscriptionId;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use subxt_rpcs::Error as RpcError;
use subxt_rpcs::client::{RawRpcFuture, RawRpcSubscription, RpcClientT};
use thiserror::Error;

use super::options::CallLimits;

/// The one kind of notification that grows with the subnet.
const STORAGE_CHANGES: &str = "state_storage";
/// Bytes that a notification takes beside its own.
const EACH: usize = 128;

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
}

/// The receiving half of a connection, with its bounds.
pub(super) struct Bounded<R> {
    inner: R,
    limits: Limits,
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
        let limits = Limits { notification: limits.notification, changes: limits.changes };
        Self { inner, limits, waiting: Arc::default() }
    }

    /// What waits to be taken, for the client that takes it.
    pub(super) fn waiting(&self) -> Arc<Waiting> {
        Arc::clone(&self.waiting)
    }

    fn admit(&self, message: &[u8]) -> Result<(), ReceiveError> {
        match Kind::of(message) {
            Kind::Answer => Ok(()),
            Kind::Batch => Err(ReceiveError::Batch),
            Kind::Notification { changes, subscription } => {
                let bytes = message.len();
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

impl<R: TransportReceiverT + Send> TransportReceiverT for Bounded<R> {
    type Error = ReceiveError;

    async fn receive(&mut self) -> Result<ReceivedMessage, ReceiveError> {
        let message = self.inner.receive().await.map_err(|error| ReceiveError::Transport(error.to_string()))?;
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
    Answer,
    Batch,
    /// Of which subscription, as JSON writes its id; empty where it cannot be told.
    Notification {
        changes: bool,
        subscription: String,
    },
}

impl Kind {
    /// Only what clearly answers a call is an answer.
    fn of(message: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Message {
            id: Option<IgnoredAny>,
            method: Option<String>,
            params: Option<Params>,
        }
        #[derive(Deserialize)]
        struct Params {
            subscription: Option<Value>,
        }
        if message.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Self::Batch;
        }
        match serde_json::from_slice::<Message>(message) {
            Ok(Message { id: Some(_), method: None, .. }) => Self::Answer,
            Ok(Message { method, params, .. }) => {
                let subscription = params.and_then(|params| params.subscription);
                Self::Notification {
                    changes: method.as_deref() == Some(STORAGE_CHANGES),
                    subscription: subscription.as_ref().map(Value::to_string).unwrap_or_default(),
                }
            }
            Err(_) => Self::Notification { changes: false, subscription: String::new() },
        }
    }
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
        let subscription = serde_json::to_string(id).unwrap_or_default();
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
            assert!(said.starts_with("a notification of ") && said.ends_with(" bytes is too large"), "{said}");
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
    fn an_answer_is_one_that_has_an_id_and_no_method() {
        let kind = |message: &str| Kind::of(message.as_bytes());
        let unknown = |changes| Kind::Notification { changes, subscription: String::new() };
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), Kind::Answer);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":"1","error":{"code":1,"message":""}}"#), Kind::Answer);
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

//! What somebody who watches an extrinsic is told.

use serde_json::{Value as Json, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::sandbox::block::Hash;
use crate::sandbox::metadata::prefixed_hex;

/// The one peer of the sandbox node, to whom it broadcasts: the identity of a development node's first key.
const PEER: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

/// What has become of an extrinsic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits for those before it.
    Future,
    /// It can be included.
    Ready,
    /// Other nodes have it.
    Broadcast,
    /// It is in this block.
    InBlock(Hash),
    /// That block is no longer part of the chain.
    Retracted(Hash),
    /// That block did not become final for too long.
    FinalityTimeout(Hash),
    /// That block is final.
    Finalized(Hash),
    /// This extrinsic has taken its place in the pool.
    Usurped(Hash),
    /// The pool had no room for it.
    Dropped,
    /// It cannot be included any more.
    Invalid,
}

impl Status {
    /// As nodes notify.
    pub fn to_json(self) -> Json {
        match self {
            Self::Future => json!("future"),
            Self::Ready => json!("ready"),
            Self::Broadcast => json!({ "broadcast": [PEER] }),
            Self::InBlock(hash) => json!({ "inBlock": prefixed_hex(&hash) }),
            Self::Retracted(hash) => json!({ "retracted": prefixed_hex(&hash) }),
            Self::FinalityTimeout(hash) => json!({ "finalityTimeout": prefixed_hex(&hash) }),
            Self::Finalized(hash) => json!({ "finalized": prefixed_hex(&hash) }),
            Self::Usurped(hash) => json!({ "usurped": prefixed_hex(&hash) }),
            Self::Dropped => json!("dropped"),
            Self::Invalid => json!("invalid"),
        }
    }
}

/// Who watches an extrinsic, if anybody does. Dropping it ends the watch.
#[derive(Debug, Default)]
pub struct Watch(Option<UnboundedSender<Status>>);

impl Watch {
    /// Statuses go to this channel.
    pub const fn new(channel: UnboundedSender<Status>) -> Self {
        Self(Some(channel))
    }

    /// Tells what has become of the extrinsic. Whoever watched it may have gone.
    pub fn tell(&self, status: Status) {
        if let Some(channel) = &self.0 {
            channel.send(status).ok();
        }
    }
}

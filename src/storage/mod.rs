//! S3 as a validator meets it, with everything bounded: time, bytes, addresses, verbs and names.
//!
//! ```text
//!   Target (host, bucket, key: one value) ─► Store ─► Reader │ Owner ─► SDK signs ─► Transport ─► Dialer
//!                                                       ▲                              │ names, TCP, TLS
//!                                 Answer ◄── bucket.rs ─┴── Record ◄───────────────────┘
//! ```
//! The SDK signs and parses error bodies, and nothing else: which host a request goes to is fixed by the [`Target`], not
//! by the SDK's endpoint rules (THREATS T3); redirects are answers, not directions; bodies are cut off while they are
//! read (T9); and other people's buckets can only be asked for documented names (T10), since [`Reader`] has no other
//! door. Nothing here returns an error: whatever happens is a [`Reply`](crate::domain::probe::Reply).

mod body;
mod bucket;
mod client;
mod dial;
mod owner;
mod reader;
mod record;
mod target;
mod transport;

pub use bucket::Answer;
pub use client::{Store, StoreOptions};
pub use owner::Owner;
pub use reader::{ListPage, Part, Reader};
pub use target::{Misfit, Target};

pub use crate::net::Resolver;

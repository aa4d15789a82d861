//! Integration tests, one crate so that they link once. Real servers, real files, real terminals; see the module names.
#![allow(missing_docs, clippy::missing_panics_doc)]

mod chain_errors;
mod chain_events;
mod chain_feed;
mod chain_lies;
mod chain_snapshot;
mod layers;
mod sandbox_node;

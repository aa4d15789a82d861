//! Integration tests, one crate so that they link once. Real servers, real files, real terminals; see the module names.
#![allow(missing_docs, clippy::missing_panics_doc)]

mod layers;
mod sandbox_node;

//! Integration tests, one crate so that they link once. Real servers, real files, real terminals; see the module names.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config_dotenv;
mod config_settings;
mod layers;
mod logs_lines;
mod state_files;
mod wallet_public;

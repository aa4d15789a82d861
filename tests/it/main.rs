//! Integration tests, one crate so that they link once. Real servers, real files, real terminals; see the module names.
#![allow(missing_docs, clippy::missing_panics_doc)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod chain_errors;
mod chain_events;
mod chain_feed;
mod chain_lies;
mod chain_snapshot;
mod chain_tls;
mod config_dotenv;
mod config_settings;
mod domain_account;
mod domain_commitment;
mod domain_credentials;
mod domain_drift;
mod domain_filter;
mod domain_grail_rule;
mod domain_network;
mod domain_provider;
mod domain_roster;
mod domain_secrecy;
mod domain_text;
mod domain_untrusted;
mod layers;
mod logs_lines;
mod readme;
mod sandbox_faults;
mod sandbox_node;
mod state_files;
mod tui_fixtures;
mod tui_pty;
mod tui_runner;
mod tui_safety;
mod tui_screens;
mod tui_update;
mod wallet_public;

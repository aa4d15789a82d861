//! The pure heart: values, codecs and judgements. No I/O, no clock, no environment, no async.
//!
//! Everything here is a function of its arguments, so that the same bytes give the same words on a screen, in JSON and
//! in a test. Text from outside enters as [`untrusted::Untrusted`], secrets enter as types of [`secret`], and nothing
//! leaves as a bare `String` that an attacker wrote.

pub mod account;
pub mod ascii;
pub mod commit;
pub mod commitment;
pub mod credentials;
pub mod date;
pub mod diagnostic;
pub mod drift;
pub mod environment;
pub mod feed;
pub mod filter;
pub mod findings;
pub mod freshness;
pub mod given;
pub mod guard;
pub mod hexdump;
pub mod hotkey;
pub mod inventory;
pub mod local;
pub mod log;
pub mod network;
pub mod owner;
pub mod probe;
pub mod provenance;
pub mod provider;
pub mod read_test_summary;
pub mod roster;
pub mod rotation;
pub mod runtime_metadata;
pub mod secret;
pub mod self_test;
pub mod self_test_objects;
pub mod snapshot;
pub mod text;
pub mod unexpected_change;
pub mod untrusted;
pub mod variables;
mod vault_findings;
pub mod vault_index;
pub mod visible;
pub mod window;

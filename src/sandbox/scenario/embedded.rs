//! The scenarios that come with the console.

macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../assets/scenarios/", $name, ".toml")))),+]
    };
}

/// Name and text: first how the subnet may look, then what may become of a commit, and what an endpoint may say that is
/// not so.
pub(super) const EMBEDDED: &[(&str, &str)] = embedded![
    "healthy",
    "first-run",
    "drift",
    "legacy",
    "hostile",
    "outage",
    "r2-faults",
    "rotation",
    "older-runtime",
    "pool-stale",
    "pool-future",
    "pool-bad-proof",
    "pool-ancient",
    "pool-banned",
    "pool-priority",
    "unregistered-pool",
    "unregistered-block",
    "budget-spent",
    "era-expires",
    "connection-lost",
    "submission-lost",
    "reorganised",
    "usurped",
    "lying-finality",
    "invented-block",
    "forged-event",
    "forged-value",
    "doctored-metadata",
    "foreign-extension",
    "armed",
    "encrypted-wallet",
    "provenance",
    "proxied",
    "stale-endpoint",
    "other-fork",
    "invented-finality",
    "forged-row",
    "truncated-proof",
    "foreign-proof",
    "forged-extrinsic",
    "other-genesis",
    "no-proofs",
    "no-bodies",
];

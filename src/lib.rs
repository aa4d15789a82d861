//! # grail-console: the map of this house
//!
//! grail-console is the terminal console that an operator of a GRAIL subnet (Bittensor subnet 81) keeps open all day. It
//! shows who has published which bucket commitment on chain, what validators cannot read and why, and whether the own
//! commitment is the one that is configured on this machine; and it publishes the own one, and knows that it worked. It
//! says what it will do, to whom, and what happened.
//!
//! ## Layers
//!
//! Dependencies point one way, and a test reads every `use` to prove it:
//!
//! ```text
//!   domain  ◄──  chain · wallet · storage · vault · state · config · logs  ◄──  ops  ◄──  engine  ◄──  report  ◄──  cli · tui
//!                (chain knows wallet's signer, vault knows state's atomic files, nothing else crosses)
//!   domain  ◄──  net  ◄──  chain · storage
//!   domain  ◄──  sandbox  ◄──  cli, tests
//! ```
//!
//! | layer | what it is | where to start |
//! |---|---|---|
//! | [`domain`] | pure values and judgements: no I/O, no clock, no environment | [`domain::commitment`], [`domain::drift`], [`domain::guard`], [`domain::commit`], [`domain::probe`], [`domain::rotation`], [`domain::provenance`] |
//! | `net` | one way to reach a host, for chain and storage: name, allowed addresses, TCP, TLS, under one deadline | `net::dial` |
//! | [`chain`] | the nodes of a network, one connection for each operator: metadata, snapshot, live feed, commits, proofs and signatures | [`chain::Node`], [`chain::commit`], [`chain::provenance`] |
//! | [`wallet`] | Bittensor wallet files: which hotkey is ours, and the unlocked one that signs | [`wallet`] |
//! | [`storage`] | S3 with everything bounded: readers of anybody's bucket, owners of the own one | [`storage::Store`] |
//! | [`vault`] | generations of credentials in a credential store of the system, or an encrypted file | [`vault::Vault`] |
//! | [`config`] | flags, GRAIL's `.env` (read, and rewritten in place), environment and profiles, each value with its source | [`config`] |
//! | [`state`] | what we keep on disk: paths, atomic files, last snapshots, metadata cache, the journals of commits and rotations, the vault's index | [`state`] |
//! | [`logs`] | a log file and a ring buffer behind one redacting, sanitising formatter | [`logs`] |
//! | [`ops`] | use cases, the only orchestration: survey, doctor, commit, read tests, rotations, keys in and out of the vault, provenance, live console feed | [`ops::commit`], [`ops::probe`], [`ops::vault`], [`ops::rotation`], [`ops::verify`] |
//! | [`engine`] | what is known of a subnet while it is watched (rows, connection, own side), and one task: requests in, events out in one order; no screen is needed | [`engine::model`], [`engine::service`] |
//! | `report` | results in words, with roles in place of colours: what a command prints and a screen frames are the same lines | `report::Block` |
//! | [`cli`] | subcommands: text for people, JSON for scripts, exit codes | `cli::run` |
//! | [`tui`] | the console: a pure half (state, messages, update, key map, views) and a shell (runner, terminal) | [`tui`] |
//! | [`sandbox`] | an embedded practice subnet: a real JSON-RPC node that takes real extrinsics and a real S3 server, on loopback, with scenarios and faults | [`sandbox`] |
//!
//! ## How a key press becomes a changed screen
//!
//! ```text
//!   keys ── key map ──► Msg ── update(&mut State, Msg) ──► Vec<Effect> ── runner ──► Request ──► engine ──► ops ──► chain …
//!      ▲  log lines, clock                                                              Event ◄──┘
//! ```
//!
//! `update` reads no clock and does no I/O: `now` arrives in a message, effects leave as data, and only the runner
//! performs them. That is why a whole session can be replayed in a test.
//!
//! ## Rules that hold everywhere
//!
//! * Text from outside is [`domain::untrusted::Untrusted`] until sanitised; there is one sink for screens, logs and JSON.
//! * One guard stands before signing ([`domain::guard`]): only what it cleared can become an extrinsic, and nothing
//!   overrides it.
//! * A commit is done when the chain says so: its block final, its event there, its value read back, and a second operator
//!   who is configured says the same. What was verified is what decides. The intent is on disk before anything is sent.
//! * A secret is a type ([`domain::secret::SecretKey`]) without `Display` or `Serialize`; the console's state holds
//!   fingerprints only.
//! * A key and the host it opens are one value ([`storage::Target`]); of other people's buckets only documented names can be
//!   asked for, by HEAD and GET.
//! * A failed read never blanks anything: old data stays on screen with its age.
//! * The seams are real servers: a WebSocket URL for the chain, an endpoint URL for the storage. Tests run against the sandbox over sockets.
//! * An error says what failed, why, and what to do.

pub mod chain;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod logs;
mod net;
pub mod ops;
mod report;
pub mod sandbox;
pub mod state;
pub mod storage;
pub mod tui;
pub mod vault;
pub mod wallet;

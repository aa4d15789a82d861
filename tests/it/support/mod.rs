//! Shared plumbing of the tests that run the real binary: a home of its own, a practice node, a terminal.

pub mod admin_api;
pub mod bench;
pub mod chain;
pub mod encoder;
pub mod house;
pub mod node;
pub mod operator;
pub mod pool;
pub mod pty;
pub mod rotating;
pub mod s3;
pub mod shape;
pub mod vault;
pub mod way;

use std::time::Duration;

/// How long anything may take before a test gives up. Nothing waits this long unless it hangs.
pub const DEADLINE: Duration = Duration::from_mins(2);

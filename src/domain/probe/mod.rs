//! The read test: a validator's own check of somebody's bucket with the key found on chain, and why it fails.
//!
//! ```text
//! next(exchanges) ─► the next request ─► storage ─► Exchange ┐
//!      ▲────────────────────────────────────────────────────┘      judge(case) ─► Verdict, explanation, fix
//! ```
//! Which request comes next and what the answers mean are both functions of the answers so far: nothing here talks to
//! anybody.

mod blame;
mod evidence;
mod judge;
mod messages;
mod plan;
mod result;
mod verdict;
mod words;

pub use blame::Blame;
pub use evidence::{Exchange, Found, Page, Reply, Request, Trouble};
pub use judge::{CANNOT_LIST, Case, Judgement, MAY_LIST, is_denied, judge, verdict_of};
pub use messages::{Listing, ProbeNews, ProbeOrder};
pub use plan::{WHOLE_SECONDS, may_pass, next, sends_to_region};
pub use result::{ONE_NODE_SAYS, Probe, Risk, Step};
pub use verdict::{Layer, Verdict, VerdictClass};

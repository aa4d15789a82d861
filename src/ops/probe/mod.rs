//! Read tests: one, many, and the service that runs them for the console.

mod judgements;
mod listing;
mod service;
mod stand_ins;
mod subnet_view;
mod sweep;
mod tester;

pub use listing::{listed_mark, listing};
pub use service::{TesterSetup, serve};
pub use subnet_view::{NoKey, SubnetView, View};
pub use sweep::{Stopped, at_once, sweep};
pub use tester::{Extent, TRUST_WINDOWS, Tester, Walk, store};

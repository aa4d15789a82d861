//! Read tests: one, many, and the counter at which the console orders them.

mod counter;
mod ground;
mod listing;
mod sweep;
mod tester;

pub use counter::{TesterSetup, serve};
pub use ground::{Ground, NoKey, View};
pub use listing::listing;
pub use sweep::{at_once, sweep};
pub use tester::{Extent, Tester, Walk, ready_names, store};

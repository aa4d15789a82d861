//! Publishing read credentials, as values: what would be done ([`plan`]), how far it is ([`progress`]), how it ended
//! ([`outcome`], [`failure`]), what the store
//! shows of the keys ([`key_test`]), what is written down before it is done ([`record`]), and how a screen and the one who does it talk
//! ([`messages`]).

pub mod failure;
pub mod key_test;
pub mod messages;
pub mod outcome;
pub mod plan;
pub mod progress;
pub mod record;

pub use failure::{Failure, PoolAnswer};
pub use key_test::KeyTest;
pub use messages::{News, Order};
pub use outcome::{Ended, Receipt, Unsettled};
pub use plan::{Check, Era, HotkeyState, Plan, Space, Subject, Verdict};
pub use progress::{Progress, Stage};
pub use record::{Entry, Intent, Record};

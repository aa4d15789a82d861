//! Publishing read credentials, as values: what would be done ([`plan`]), how far it is ([`progress`]), how it ended
//! ([`outcome`]), what is written down before it is done ([`record`]), and how a screen and the one who does it talk
//! ([`talk`]).

pub mod outcome;
pub mod plan;
pub mod progress;
pub mod record;
pub mod talk;

pub use outcome::{Ended, Failure, PoolAnswer, Receipt};
pub use plan::{Check, Era, Plan, Space, Standing, Subject, Verdict};
pub use progress::{Progress, Stage};
pub use record::{Entry, Intent, Record};
pub use talk::{News, Order};

//! What a screen asks of the one who tests, and what it hears.

use super::result::Probe;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::hotkey::Hotkey;
use crate::domain::self_test::SelfTest;
use crate::domain::untrusted::Untrusted;
use crate::domain::visible::Visibility;

/// Names under `grail/`, or why there are none to tell.
pub type Listing = Result<Vec<Untrusted>, String>;

/// Something to be tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOrder {
    /// One hotkey, at once and beside whatever else is under way.
    One(Hotkey),
    /// These, one after the other as capacity allows. A sweep under way is replaced.
    Sweep(Vec<Hotkey>),
    /// End the sweep.
    Cancel,
    /// The validator's verdict on the own uid, window by window.
    Visible,
    /// What the hotkey's bucket holds under `grail/`: a listing, which no read test needs.
    List(Hotkey),
    /// The self-test of the own keys, which writes a canary into the own bucket. Confirmed by the operator.
    SelfTest,
}

/// Something that was heard of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeNews {
    /// A test has begun.
    Began(Hotkey),
    /// A test has ended.
    Tested(Box<Probe>),
    /// The sweep has ended; `cancelled` when before its time.
    SweepEnded {
        /// Whether the operator, or a newer sweep, ended it.
        cancelled: bool,
    },
    /// The verdict over the own uid.
    Seen(Box<Visibility>),
    /// A listing has come, or why none did.
    Listed(Hotkey, Listing),
    /// The self-test has ended.
    SelfTested(Box<SelfTest>),
    /// The self-test could not be made: what failed, why, and what to do.
    SelfTestFailed(Diagnostic),
    /// Nothing could be tested: what failed, why, and what to do.
    Failed {
        /// The hotkeys for which nothing comes any more; empty when it was the verdict over the own uid.
        hotkeys: Vec<Hotkey>,
        /// What failed.
        problem: Diagnostic,
    },
}

//! What a screen asks of the one who rotates, and what it hears. Secrets are none of this: they go beside an order, in
//! secret types, from the event loop to the vault.

use serde::Serialize;

use crate::domain::commit::messages::{Locked, RequestId};
use crate::domain::commit::{Plan, Progress};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::change::Side;
use crate::domain::rotation::event::Entry;
use crate::domain::rotation::machine::Rotation;
use crate::domain::rotation::report::Report;
use crate::domain::secret::SecretKey;

/// A pair as it was typed, both halves held as secrets until their shape is known. `Debug` shows nothing.
#[derive(Debug, Clone)]
pub struct TypedPair {
    /// The access key id.
    pub id: SecretKey,
    /// The secret access key.
    pub secret: SecretKey,
}

/// What goes beside an order.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The new read pair, beside [`RotateOrder::Begin`].
    pub read: Option<TypedPair>,
    /// The new write pair, beside [`RotateOrder::Begin`].
    pub write: Option<TypedPair>,
    /// The hotkey's password, beside [`RotateOrder::Publish`].
    pub password: Option<SecretKey>,
}

/// Something to be done. Every order but [`RotateOrder::Look`] may change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotateOrder {
    /// Read the journal and tell where things stand; asks the chain too.
    Look,
    /// Begin with keys that come beside the order (id and secret of each side that was typed).
    Begin {
        /// Which keys were typed.
        sides: Sides,
        /// Length of the grace, in blocks.
        grace: u64,
        /// Revoke first.
        emergency: bool,
    },
    /// Go on as far as nothing needs to be asked.
    Resume,
    /// Publish what was planned. Confirmed by the operator; the hotkey's password comes beside it where one is needed.
    Publish(RequestId),
    /// The `.env`: rewrite it, or take it as done elsewhere.
    Env(EnvAnswer),
    /// Go on over what the chain holds.
    Accept,
    /// Retire the old keys if everything holds.
    Retire,
    /// The same, with the operator's word that every process of the subnet was restarted.
    RetireAllRestarted,
    /// The old keys back.
    RollBack,
    /// The screen was left: let go of the lock.
    Leave,
}

/// Which keys are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// The read pair.
    pub read: bool,
    /// The write pair.
    pub write: bool,
}

/// What is to happen with the `.env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvAnswer {
    /// The console rewrites the variables that changed.
    Rewrite,
    /// The same into a file of somebody else, or in a folder into which others may write: agreed to at a terminal.
    RewriteAnyway,
    /// The operator has done it elsewhere.
    DoneElsewhere,
}

/// A question that stands before the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Publish this?
    Publish {
        /// Number of the plan.
        request: RequestId,
        /// The plan.
        plan: Box<Plan>,
        /// The key file.
        locked: Locked,
    },
    /// What about the `.env`?
    Env {
        /// Its path, where one is named.
        path: Option<String>,
        /// What would change in it: names of variables, in the order of the file.
        variables: Vec<String>,
    },
    /// Revoke the old token of this side at the provider now.
    Revoke {
        /// Which.
        side: Side,
    },
    /// The chain holds something else.
    Accept,
}

/// Something that was heard of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotateNews {
    /// Where it stands; `None` where none is open and none was.
    Stands {
        /// The rotation under way, or the last one that ended.
        report: Option<Box<Report>>,
        /// Every rotation that is over, oldest first.
        closed: Vec<Rotation>,
        /// The journal's last lines, oldest first, for the log view.
        journal: Vec<Entry>,
        /// Whether another console drives it.
        driven_elsewhere: bool,
    },
    /// It is at work on something.
    Working {
        /// What, in words.
        words: String,
    },
    /// A step of the commit.
    Progress(Progress),
    /// It waits for an answer.
    Asks(Question),
    /// It cannot go on for now; everything is as it was.
    Paused(Diagnostic),
    /// A safety rule said no.
    Refused(Diagnostic),
    /// The password does not open the key file.
    WrongPassword(Diagnostic),
}

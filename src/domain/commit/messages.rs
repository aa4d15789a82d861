//! What a screen asks of the one who commits, and what it hears. A password is none of this: it goes beside an order, in
//! a secret type, from the event loop to the key file.

use serde::Serialize;

use crate::domain::commit::outcome::Ended;
use crate::domain::commit::plan::Plan;
use crate::domain::commit::progress::Progress;
use crate::domain::commit::record::Intent;
use crate::domain::diagnostic::Diagnostic;

/// Number of a request, growing: news of an older one is dropped.
pub type RequestId = u64;

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Read the chain and say what a commit would do. Changes nothing.
    Plan(RequestId),
    /// Sign and publish what the plan of this request said, unless it no longer holds. Confirmed by the operator.
    Publish(RequestId),
    /// Publish it once, as soon as the hotkey has a uid. Confirmed by the operator.
    PublishWhenRegistered(RequestId),
    /// Wait no longer, and drop the key.
    CancelWaiting,
    /// The dialog was left: forget the plan.
    Forget(RequestId),
}

/// How the key file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Locked {
    /// It is not.
    Open,
    /// By a password.
    Password,
}

/// Something that was heard of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What a commit would do, and whether a password will be needed.
    Planned {
        /// Which request.
        request: RequestId,
        /// The plan.
        plan: Box<Plan>,
        /// The key file.
        locked: Locked,
    },
    /// No plan could be made: the chain or the wallet failed. A rule's no comes as [`News::Ended`].
    Failed {
        /// Which request.
        request: RequestId,
        /// What failed, why, and what to do.
        problem: Diagnostic,
    },
    /// The password does not open the key file; another may be tried.
    WrongPassword {
        /// Which request.
        request: RequestId,
        /// What failed, why, and what to do.
        problem: Diagnostic,
    },
    /// A step on the way.
    Progress {
        /// Which request.
        request: RequestId,
        /// The step.
        progress: Progress,
    },
    /// It is over.
    Ended {
        /// Which request.
        request: RequestId,
        /// How.
        ended: Box<Ended>,
    },
    /// It waits for the hotkey's registration, with the key in memory.
    AwaitingRegistration {
        /// Which request.
        request: RequestId,
    },
    /// It waits no longer.
    WaitingCancelled {
        /// Why.
        why: String,
    },
    /// What became of a commit of an earlier session.
    Reconciled {
        /// What was intended.
        intent: Box<Intent>,
        /// When that was, in ms since 1970.
        at_ms: u64,
        /// How it ended.
        ended: Box<Ended>,
    },
}

//! Why the pool does not take an extrinsic, with the codes, messages and data of a real node.

use jsonrpsee::types::ErrorObjectOwned;

use crate::sandbox::validity::Refusal;

/// Not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The runtime cannot read it.
    Unreadable(String),
    /// The runtime refuses it.
    Refused(Refusal),
    /// It was invalid, or included, a short time ago.
    Banned,
    /// The pool has it.
    AlreadyImported,
    /// Another one with its nonce is in the pool and cannot be replaced.
    LowPriority {
        /// Priority of the one in the pool.
        old: u64,
        /// Its own.
        new: u64,
    },
    /// The pool is full of better ones.
    Dropped,
}

impl<T: Into<Refusal>> From<T> for Rejection {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Rejection> for ErrorObjectOwned {
    fn from(rejection: Rejection) -> Self {
        let error = |code, message: &str, data: Option<&str>| Self::owned(code, message, data);
        match rejection {
            Rejection::Unreadable(reason) => {
                let reason = format!(
                    "Execution failed: Runtime panicked: Bad input data provided to validate_transaction: {reason}"
                );
                let message = format!("Verification Error: Runtime error: {reason}");
                error(1002, &message, Some(&format!("RuntimeApi({reason:?})")))
            }
            Rejection::Refused(Refusal::Invalid(invalid)) => error(1010, "Invalid Transaction", Some(&invalid.text())),
            Rejection::Refused(Refusal::Unknown(unknown)) => {
                error(1011, "Unknown Transaction Validity", Some(&format!("{unknown:?}")))
            }
            Rejection::Banned => error(1012, "Transaction is temporarily banned", None),
            // The hash is there, but of a type that does not show itself.
            Rejection::AlreadyImported => error(1013, "Transaction Already Imported", Some("Any { .. }")),
            Rejection::LowPriority { old, new } => error(
                1014,
                &format!("Priority is too low: ({old} vs {new})"),
                Some("The transaction has too low priority to replace another transaction already in the pool."),
            ),
            Rejection::Dropped => {
                error(1016, "Immediately Dropped", Some("The transaction couldn't enter the pool because of the limit"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::validity::{Invalid, Unknown};

    #[test]
    fn every_rejection_is_answered_as_a_real_node_answers_it() {
        let answer = |rejection: Rejection| {
            let error = ErrorObjectOwned::from(rejection);
            (error.code(), error.message().to_owned(), error.data().map(|data| data.get().to_owned()))
        };
        let invalid = |reason: &str| (1010, "Invalid Transaction".to_owned(), Some(format!("{reason:?}")));
        assert_eq!(answer(Invalid::Stale.into()), invalid("Transaction is outdated"));
        assert_eq!(answer(Invalid::Custom(19).into()), invalid("Custom error: 19"));
        assert_eq!(
            answer(Rejection::Refused(Refusal::Unknown(Unknown::CannotLookup))),
            (1011, "Unknown Transaction Validity".to_owned(), Some("\"CannotLookup\"".to_owned()))
        );
        assert_eq!(answer(Rejection::Banned), (1012, "Transaction is temporarily banned".to_owned(), None));
        assert_eq!(answer(Rejection::LowPriority { old: 7, new: 5 }).1, "Priority is too low: (7 vs 5)");
        let unreadable = answer(Rejection::Unreadable("Invalid length prefix".to_owned()));
        assert_eq!(unreadable.0, 1002);
        assert!(unreadable.1.starts_with("Verification Error: Runtime error: Execution failed: "));
        assert!(unreadable.2.unwrap().starts_with("\"RuntimeApi(\\\"Execution failed: "));
    }
}

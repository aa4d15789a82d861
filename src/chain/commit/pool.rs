//! What a pool's refusal means: the code, and the reason that stands in the error's `data`.

use std::ops::RangeInclusive;

use super::super::error::Fault;
use super::super::session::NO_METHOD;
use crate::domain::commit::PoolAnswer;
use crate::domain::untrusted::Untrusted;

/// Codes of the `author_*` methods of a Substrate node.
const INVALID: i32 = 1_010;
const UNKNOWN_VALIDITY: i32 = 1_011;
const BANNED: i32 = 1_012;
const ALREADY_IMPORTED: i32 = 1_013;
const LOW_PRIORITY: i32 = 1_014;
const DROPPED: i32 = 1_016;

/// Codes with which a pool says that it does not have a transaction; the first two are of the bytes themselves.
const OF_THE_POOL: [RangeInclusive<i32>; 2] = [1_001..=1_002, 1_010..=1_020];

/// The answer behind a refused submission; `None` for a fault of another kind, after which nothing is known: a proxy's own
/// error may come after the node took it.
pub(super) fn answer(fault: &Fault) -> Option<PoolAnswer> {
    let (code, message) = match fault {
        Fault::Refused { code, message, .. } if OF_THE_POOL.iter().any(|codes| codes.contains(code)) => (code, message),
        Fault::NoMethod { method } => {
            let message = Untrusted::from_text(format!("the node does not know {method}"));
            return Some(PoolAnswer::Other { code: NO_METHOD, message });
        }
        _ => return None,
    };
    let answer = match *code {
        INVALID | UNKNOWN_VALIDITY => invalid(*code, message),
        BANNED => PoolAnswer::Banned,
        ALREADY_IMPORTED => PoolAnswer::AlreadyImported,
        LOW_PRIORITY => PoolAnswer::LowPriority,
        DROPPED => PoolAnswer::Full,
        code => PoolAnswer::Other { code, message: message.clone() },
    };
    Some(answer)
}

/// Why a transaction is invalid: the runtime's reason, as nodes write it.
fn invalid(code: i32, message: &Untrusted) -> PoolAnswer {
    let text = message.shown().to_lowercase();
    let says = |words: &str| text.contains(words);
    if says("outdated") {
        PoolAnswer::Stale
    } else if says("in the future") {
        PoolAnswer::Future
    } else if says("bad signature") {
        PoolAnswer::BadProof
    } else if says("ancient birth block") {
        PoolAnswer::Ancient
    } else if says("pay some fees") {
        PoolAnswer::Payment
    } else if says("exhaust the block limits") {
        PoolAnswer::Full
    } else {
        custom(&text).map_or_else(|| PoolAnswer::Other { code, message: message.clone() }, PoolAnswer::Custom)
    }
}

/// `Custom error: 15`, also with the quotes of the JSON around it.
fn custom(text: &str) -> Option<u8> {
    let (_, number) = text.split_once("custom error: ")?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32, message: &str) -> Fault {
        Fault::Refused { method: "author_submitAndWatchExtrinsic", code, message: message.into() }
    }

    #[test]
    fn every_answer_of_a_pool_has_its_name() {
        let invalid = |reason: &str| answer(&refused(1_010, &format!("Invalid Transaction (\"{reason}\")")));
        assert_eq!(invalid("Transaction is outdated"), Some(PoolAnswer::Stale));
        assert_eq!(invalid("Transaction will be valid in the future"), Some(PoolAnswer::Future));
        assert_eq!(invalid("Transaction has a bad signature"), Some(PoolAnswer::BadProof));
        assert_eq!(invalid("Transaction has an ancient birth block"), Some(PoolAnswer::Ancient));
        assert_eq!(invalid("Inability to pay some fees (e.g. account balance too low)"), Some(PoolAnswer::Payment));
        assert_eq!(invalid("Custom error: 15"), Some(PoolAnswer::Custom(15)));
        assert_eq!(answer(&refused(1_012, "Transaction is temporarily banned")), Some(PoolAnswer::Banned));
        assert_eq!(answer(&refused(1_013, "Transaction Already Imported")), Some(PoolAnswer::AlreadyImported));
        assert_eq!(answer(&refused(1_014, "Priority is too low: (5 vs 5)")), Some(PoolAnswer::LowPriority));
        assert_eq!(answer(&refused(1_016, "Immediately Dropped")), Some(PoolAnswer::Full));
    }

    #[test]
    fn an_answer_without_a_name_keeps_the_nodes_words() {
        let message = "Invalid Transaction (\"Something else\")";
        let expected = PoolAnswer::Other { code: 1_010, message: message.into() };
        assert_eq!(answer(&refused(1_010, message)), Some(expected));
        assert!(matches!(answer(&refused(1_010, "Custom error: 999")), Some(PoolAnswer::Other { .. })));
        assert_eq!(answer(&Fault::Closed { why: "gone".into() }), None);
    }
}

//! Which request comes next: first a validator's own two, then as few as it takes to know why they failed.

use super::evidence::{Exchange, Reply, Request};

/// Seconds that `visible` takes at most, and a self-test, reading the chain included. What was not asked by then is unknown.
pub const WHOLE_SECONDS: u64 = 60;

/// The next request of a read test after these exchanges, or `None` when nothing more can be learnt.
///
/// A validator's HEAD loop swallows every error of the compressed object's HEAD and goes on to the plain one; only where
/// no connection comes about would a second try tell nothing. A refused HEAD has no body, so one byte is asked for to
/// read the code, unless the status says it all.
pub fn next(exchanges: &[Exchange]) -> Option<Request> {
    let Some(last) = exchanges.last() else { return Some(Request::HeadCompressed) };
    let Reply::Refused { http, .. } = last.reply else { return None };
    match last.request {
        Request::HeadCompressed => Some(Request::HeadPlain),
        Request::HeadPlain => body_would_tell(http).then_some(Request::GetByte),
        _ => None,
    }
}

/// Not for throttling and redirects, whose status is the answer: a throttled store is left alone.
const fn body_would_tell(http: u16) -> bool {
    !matches!(http, 429 | 300..=399)
}

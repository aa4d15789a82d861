//! Which request comes next: first a validator's own two, then as few as it takes to know why they failed.

use super::evidence::{Exchange, Page, Reply, Request, Trouble};

/// Seconds that `visible` takes at most, and a self-test, reading the chain included. What was not asked by then is unknown.
pub const WHOLE_SECONDS: u64 = 60;

/// The next request of a read test after these exchanges, or `None` when nothing more can be learnt.
///
/// A validator's HEAD loop swallows every error of the compressed object's HEAD and goes on to the plain one; only where
/// nobody was reached, or the time is over, would a second try tell nothing. A refused HEAD has no body, so one byte is asked for to
/// read the code, unless the status says it all.
pub fn next(exchanges: &[Exchange]) -> Option<Request> {
    let Some(last) = exchanges.last() else { return Some(Request::HeadCompressed) };
    let (http, is_marked) = match &last.reply {
        Reply::Refused { http, .. } => (*http, true),
        Reply::Unmarked(page) => (page.http, false),
        Reply::Failed(trouble) => {
            let goes_on = !trouble.reached_nobody() && !matches!(trouble, Trouble::Slow { .. });
            return (goes_on && last.request == Request::HeadCompressed).then_some(Request::HeadPlain);
        }
        Reply::Found(_) => return None,
    };
    match last.request {
        Request::HeadCompressed => Some(Request::HeadPlain),
        Request::HeadPlain => body_would_tell(http, is_marked).then_some(Request::GetByte),
        _ => None,
    }
}

/// Not for throttling and a store's redirects, whose status is the answer: a throttled store is left alone.
const fn body_would_tell(http: u16, is_marked: bool) -> bool {
    !matches!((http, is_marked), (429, _) | (300..=399, true))
}

/// Whether the same question may be answered in a moment. A validator's client asks again after these, twice at most.
pub const fn may_pass(reply: &Reply) -> bool {
    match reply {
        Reply::Failed(Trouble::Closed { .. } | Trouble::Tcp { .. } | Trouble::NotLookedUp { .. }) => true,
        Reply::Refused { http, .. } | Reply::Unmarked(Page { http, .. }) => matches!(*http, 500 | 502 | 503 | 504),
        Reply::Found(_) | Reply::Failed(_) => false,
    }
}

/// Whether a validator's client would sign anew for the region that such an answer names.
pub const fn sends_to_region(reply: &Reply) -> bool {
    match reply {
        Reply::Refused { http, .. } | Reply::Unmarked(Page { http, .. }) => matches!(*http, 301 | 302 | 307 | 400),
        Reply::Found(_) | Reply::Failed(_) => false,
    }
}

//! From answers to a verdict: a validator's rule on what was found, the error catalogue (FACTS 6) on what was not.

use super::evidence::{Exchange, Found, Reply, Request, Trouble};
use super::verdict::Verdict;
use super::words;
use crate::domain::provider::Provider;
use crate::domain::untrusted::Untrusted;
use crate::domain::window::{Deadline, MAX_OBJECT_BYTES, MIN_OBJECT_BYTES, Window};

/// Everything that a verdict follows from.
#[derive(Debug, Clone)]
pub struct Case<'c> {
    /// Where the bucket is.
    pub provider: &'c Provider,
    /// The uid; `None` for an ex-member.
    pub uid: Option<u16>,
    /// Whether it is the operator's own.
    pub own: bool,
    /// The window that was looked for.
    pub window: Window,
    /// The last moment for its upload; `None` where the chain could not be asked.
    pub deadline: Option<Deadline>,
    /// The requests and their answers.
    pub exchanges: &'c [Exchange],
    /// By how much this machine's clock is behind the store's, in ms.
    pub clock_offset_ms: Option<i64>,
}

/// A verdict with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What was found, where anything was.
    pub found: Option<Found>,
    /// Why it is so.
    pub explanation: String,
    /// What to do.
    pub fix: String,
}

/// Judges a read test.
pub fn judge(case: &Case<'_>) -> Judgement {
    let (verdict, found) = match object(case.exchanges) {
        Some(found) => (of_object(found, case.deadline), Some(found)),
        None => (decisive(case.exchanges).map_or(Verdict::ProviderError, |exchange| verdict_of(&exchange.reply)), None),
    };
    let (explanation, fix) = words::tell(case, verdict, found);
    Judgement { verdict, found, explanation, fix }
}

/// The object that a validator would look at: that of the first HEAD that finds one.
fn object(exchanges: &[Exchange]) -> Option<Found> {
    exchanges.iter().find_map(|exchange| match (exchange.request, &exchange.reply) {
        (Request::HeadCompressed | Request::HeadPlain, Reply::Found(found)) => Some(*found),
        _ => None,
    })
}

/// A validator's rule (GRAIL 0.0.60) on an object's size and time. Where a store leaves one out, GRAIL's check fails.
fn of_object(found: Found, deadline: Option<Deadline>) -> Verdict {
    match found.size {
        Some(MIN_OBJECT_BYTES..=MAX_OBJECT_BYTES) => {}
        _ => return Verdict::BadSize,
    }
    match (found.last_modified_ms, deadline) {
        (None, _) => Verdict::Late,
        (Some(modified), Some(deadline)) if modified > deadline.at_ms => Verdict::Late,
        _ => Verdict::Ok,
    }
}

/// The answer that says most: the one with a code in its body, else that of the HEAD.
pub(super) fn decisive(exchanges: &[Exchange]) -> Option<&Exchange> {
    let coded = exchanges.iter().rev().find(|exchange| exchange.reply.raw_code().is_some());
    let heads = |exchange: &&Exchange| matches!(exchange.request, Request::HeadCompressed | Request::HeadPlain);
    coded.or_else(|| exchanges.iter().rev().find(heads)).or(exchanges.last())
}

/// What a refusal or a failure means.
pub fn verdict_of(reply: &Reply) -> Verdict {
    match reply {
        // Found by GET alone, or by nothing that a validator does.
        Reply::Found(_) => Verdict::NoObject,
        Reply::Failed(trouble) => of_trouble(trouble),
        Reply::Refused { http, code, message } => {
            code.as_ref().and_then(|code| of_code(code, message.as_ref())).unwrap_or_else(|| of_status(*http))
        }
    }
}

const fn of_trouble(trouble: &Trouble) -> Verdict {
    match trouble {
        Trouble::Dns { .. } | Trouble::PrivateAddress { .. } => Verdict::Dns,
        Trouble::Tcp { .. } => Verdict::Tcp,
        Trouble::Tls { .. } | Trouble::NoRootCertificates => Verdict::Tls,
        Trouble::Slow { .. } => Verdict::Slow,
        Trouble::Closed { .. } | Trouble::NotS3 { .. } | Trouble::TooLarge { .. } => Verdict::ProviderError,
    }
}

/// The codes of R2 and of AWS (and of the stores that follow AWS), and the messages of Garage.
fn of_code(code: &Untrusted, message: Option<&Untrusted>) -> Option<Verdict> {
    Some(match code.as_text()? {
        "RequestTimeTooSkewed" | "ExpiredRequest" | "RequestExpired" => Verdict::ClockSkew,
        "Unauthorized" | "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken" | "NotSignedUp" => {
            Verdict::AuthUnknownKey
        }
        "SignatureDoesNotMatch" => Verdict::AuthBadSecret,
        "AccessDenied" if says(message, "No such key") => Verdict::AuthUnknownKey,
        "AccessDenied" if says(message, "Invalid signature") => Verdict::AuthBadSecret,
        "AccessDenied" if has_expired(message) => Verdict::AuthUnknownKey,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Verdict::ScopeDenied,
        "InvalidArgument" if is_about_the_key(message) => Verdict::Malformed,
        "InvalidBucketName" => Verdict::Malformed,
        "NoSuchBucket" => Verdict::NoBucket,
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            Verdict::WrongRegion
        }
        "NoSuchKey" | "NotFound" => Verdict::NoObject,
        "TooManyRequests" | "SlowDown" | "RequestLimitExceeded" => Verdict::Throttled,
        "NotEntitled" => Verdict::ProviderError,
        _ => return None,
    })
}

/// Garage has one code for every refusal and tells them apart by the message: "Forbidden: No such key: GK…".
fn says(message: Option<&Untrusted>, words: &str) -> bool {
    let text = message.and_then(Untrusted::as_text).unwrap_or_default();
    text.strip_prefix("Forbidden: ").unwrap_or(text).starts_with(words)
}

/// Garage, of a key that was given an end: "Forbidden: Access key GK… has expired".
fn has_expired(message: Option<&Untrusted>) -> bool {
    says(message, "Access key ")
        && message.and_then(Untrusted::as_text).is_some_and(|text| text.trim_end_matches('.').ends_with("has expired"))
}

/// Whether a store that knows the key says that it may not do this.
pub fn is_denied(reply: &Reply) -> bool {
    reply.raw_code() == Some("AccessDenied") && verdict_of(reply) == Verdict::ScopeDenied
}

/// R2: "Credential access key has length N, should be 32".
fn is_about_the_key(message: Option<&Untrusted>) -> bool {
    message.and_then(Untrusted::as_text).is_some_and(|text| text.to_ascii_lowercase().contains("access key"))
}

/// Where there is no code that is known.
const fn of_status(http: u16) -> Verdict {
    match http {
        401 => Verdict::AuthUnknownKey,
        403 => Verdict::ScopeDenied,
        404 => Verdict::NoObject,
        429 => Verdict::Throttled,
        _ => Verdict::ProviderError,
    }
}

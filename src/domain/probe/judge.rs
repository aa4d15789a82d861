//! From answers to a verdict: a validator's rule on what was found, the error catalogue (FACTS 6) on what was not.

use super::blame::{Blame, blame, is_definite};
use super::evidence::{Exchange, Found, Page, Reply, Request, Trouble};
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
    /// Whose fault it is; `None` where nothing is wrong.
    pub blame: Option<Blame>,
    /// Whether it is a store's own answer, which a validator would get too.
    pub is_definite: bool,
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
        None => (of_answers(case.exchanges), None),
    };
    let blame = blame(case, verdict, found);
    let is_definite = is_definite(case, verdict, blame);
    let (explanation, fix) = words::tell(case, verdict, blame, found);
    Judgement { verdict, blame, is_definite, found, explanation, fix }
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

/// What is wrong with a key of uid 0 that can read objects alone.
pub const CANNOT_LIST: &str = "The key may not list the bucket: everybody finds uid 0's checkpoints by listing grail/checkpoints/, and finds none.";
/// What to do about it.
pub const MAY_LIST: &str = "Let the published key list this bucket, or publish one that may.";

/// The answer that the verdict rests on: the one with a code in its body, else that of the HEAD. Where the HEAD shows no
/// mark of a store, the GET after it shows who answered. That there is no plain object says nothing where nobody could tell
/// whether there is a compressed one.
pub(super) fn decisive(exchanges: &[Exchange]) -> Option<&Exchange> {
    let told = of_both(exchanges);
    let open =
        exchanges.iter().find(|exchange| exchange.request == Request::HeadCompressed && is_open(&exchange.reply));
    open.filter(|_| told.is_some_and(|told| is_missing(&told.reply))).or(told)
}

/// Whether an answer leaves open what it was asked for.
const fn is_open(reply: &Reply) -> bool {
    match reply {
        Reply::Failed(_) => true,
        Reply::Refused { http, .. } | Reply::Unmarked(Page { http, .. }) => matches!(http, 429 | 500..),
        Reply::Found(_) => false,
    }
}

fn is_missing(reply: &Reply) -> bool {
    match reply {
        Reply::Unmarked(Page { http, .. }) => *http == 404,
        Reply::Refused { .. } => verdict_of(reply) == Verdict::NoObject,
        Reply::Found(_) | Reply::Failed(_) => false,
    }
}

fn of_both(exchanges: &[Exchange]) -> Option<&Exchange> {
    let is_head = |exchange: &&Exchange| matches!(exchange.request, Request::HeadCompressed | Request::HeadPlain);
    let coded = exchanges.iter().rev().find(|exchange| exchange.reply.raw_code().is_some());
    let head = exchanges.iter().rev().find(is_head);
    let byte = exchanges.iter().rev().find(|exchange| exchange.request == Request::GetByte);
    let told = match (head, byte) {
        (Some(Exchange { reply: Reply::Unmarked(_), .. }), Some(byte)) if !is_of_a_store(&byte.reply) => Some(byte),
        _ => head,
    };
    coded.or(told).or(exchanges.last())
}

/// Whether an answer to a GET shows that a store gave it.
const fn is_of_a_store(reply: &Reply) -> bool {
    match reply {
        Reply::Refused { .. } => true,
        Reply::Found(found) => found.size.is_some() && found.last_modified_ms.is_some(),
        Reply::Unmarked(_) | Reply::Failed(_) => false,
    }
}

/// What follows where no HEAD found an object.
fn of_answers(exchanges: &[Exchange]) -> Verdict {
    let Some(exchange) = decisive(exchanges) else { return Verdict::ProviderError };
    let byte = |exchange: &Exchange| exchange.request == Request::GetByte;
    match &exchange.reply {
        // The GET showed that it is a store's answer.
        Reply::Unmarked(page) if !byte(exchange) && exchanges.iter().any(|e| byte(e) && is_of_a_store(&e.reply)) => {
            of_status(page.http)
        }
        found @ Reply::Found(_) if byte(exchange) && exchanges.len() > 1 && !is_of_a_store(found) => Verdict::NotS3,
        reply => verdict_of(reply),
    }
}

/// What a refusal or a failure means.
pub fn verdict_of(reply: &Reply) -> Verdict {
    match reply {
        // Found by GET alone, or by nothing that a validator does.
        Reply::Found(_) => Verdict::NoObject,
        Reply::Unmarked(Page { http: 429, .. }) => Verdict::Throttled,
        Reply::Unmarked(_) => Verdict::NotS3,
        Reply::Failed(trouble) => of_trouble(trouble),
        Reply::Refused { http, code: None, .. } => of_status(*http),
        Reply::Refused { http, code: Some(code), message } => match of_code(code, message.as_ref()) {
            Some(verdict) => verdict,
            None if *http == 429 => Verdict::Throttled,
            None => Verdict::ProviderError,
        },
    }
}

const fn of_trouble(trouble: &Trouble) -> Verdict {
    match trouble {
        Trouble::Dns { .. } | Trouble::NotLookedUp { .. } | Trouble::PrivateAddress { .. } => Verdict::Dns,
        Trouble::Tcp { .. } => Verdict::Tcp,
        Trouble::Tls { .. } | Trouble::NoRootCertificates => Verdict::Tls,
        Trouble::Slow { .. } => Verdict::Slow,
        Trouble::NotS3 { .. } => Verdict::NotS3,
        Trouble::Closed { .. } | Trouble::TooLarge { .. } => Verdict::ProviderError,
    }
}

/// The codes of R2 and of AWS (and of the stores that follow AWS), and the messages of Garage and Backblaze. Any other code
/// stands for itself.
fn of_code(code: &Untrusted, message: Option<&Untrusted>) -> Option<Verdict> {
    Some(match code.as_text()? {
        "RequestTimeTooSkewed" | "ExpiredRequest" | "RequestExpired" => Verdict::ClockSkew,
        "Unauthorized" | "UnauthorizedAccess" | "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken"
        | "NotSignedUp" => Verdict::AuthUnknownKey,
        "SignatureDoesNotMatch" => Verdict::AuthBadSecret,
        "AccessDenied" if says(message, "No such key") => Verdict::AuthUnknownKey,
        "AccessDenied" if says(message, "Invalid signature") => Verdict::AuthBadSecret,
        "AccessDenied" if has_expired(message) => Verdict::AuthUnknownKey,
        "AccessDenied" if is_capped(message) => Verdict::ProviderError,
        "AccessDenied" => Verdict::ScopeDenied,
        "InvalidArgument" if is_about_the_key(message) => Verdict::Malformed,
        "InvalidBucketName" => Verdict::Malformed,
        "NoSuchBucket" => Verdict::NoBucket,
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
            Verdict::WrongRegion
        }
        "NoSuchKey" | "NotFound" => Verdict::NoObject,
        "TooManyRequests" | "SlowDown" | "RequestLimitExceeded" => Verdict::Throttled,
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

/// Backblaze, of an account that has used up what it may: "Transaction cap exceeded, see the Caps & Alerts page …".
fn is_capped(message: Option<&Untrusted>) -> bool {
    message.and_then(Untrusted::as_text).is_some_and(|text| text.to_ascii_lowercase().contains("cap exceeded"))
}

/// Whether a store that knows the key says that it may not do this.
pub fn is_denied(reply: &Reply) -> bool {
    reply.raw_code() == Some("AccessDenied") && verdict_of(reply) == Verdict::ScopeDenied
}

/// R2: "Credential access key has length N, should be 32".
fn is_about_the_key(message: Option<&Untrusted>) -> bool {
    message.and_then(Untrusted::as_text).is_some_and(|text| text.to_ascii_lowercase().contains("access key"))
}

/// Where a store said no without a code.
const fn of_status(http: u16) -> Verdict {
    match http {
        401 => Verdict::AuthUnknownKey,
        403 => Verdict::ScopeDenied,
        404 => Verdict::NoObject,
        429 => Verdict::Throttled,
        _ => Verdict::ProviderError,
    }
}

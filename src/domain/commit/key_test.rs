//! What the store shows of the pair that is to be published: it opens the bucket, it cannot write, it is for this bucket
//! alone. A store's own no refuses the commit; no answer of a store leaves it untested.

use serde::Serialize;

use crate::domain::commit::outcome::Rule;
use crate::domain::commit::plan::Check;
use crate::domain::commitment::Published;
use crate::domain::probe::{CANNOT_LIST, Exchange, Found, Reply, Trouble, Verdict, is_denied, verdict_of};
use crate::domain::provider::Provider;
use crate::domain::self_test::{AbortAnswer, can_write, is_account_wide};
use crate::domain::text::{age_seconds, uncapitalised};
use crate::domain::untrusted::sanitize;

/// Stable name of the refusal where the test could not be made, and nobody said that it need not be.
pub const UNTESTED: &str = "untested";
/// Stable name of the check among those of a plan.
const CHECK: &str = "keys_tested";
const OPENS_NOTHING: &str = "Validators read with what is published and with nothing else. Nothing was signed.";
const PUBLIC: &str = "What is published is readable by the whole world for ever. Nothing was signed.";
const AGAIN: &str =
    "Try again when the store answers. A script publishes keys that could not be tested only with --untested.";

/// What the test of a pair came to, where the store did not refuse it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum KeyTest {
    /// It reads, and cannot write.
    ReadOnly(ShownReadOnly),
    /// It reads; whether it can write is told by writing alone.
    WritingOpen {
        /// Name of the object that tells.
        object: String,
    },
    /// No store answered.
    Untested {
        /// Why.
        why: String,
        /// What to do.
        todo: String,
    },
}

/// A pair that the store showed to open its bucket and to do no more. Only this module makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownReadOnly {
    pair: Published,
}

impl ShownReadOnly {
    /// Whether it was this pair, in this bucket.
    pub fn is_of(&self, published: &Published) -> bool {
        self.pair == *published
    }
}

/// What came of the first question: does it open the bucket?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It does.
    Opens,
    /// The store does not know the key: a new token takes up to a minute. What it said.
    UnknownKey(String),
    /// The store refuses it.
    Refused(Rule),
    /// No store answered.
    Untested(KeyTest),
}

/// The answers that tell what else a pair could do.
#[derive(Debug)]
pub struct Scope<'e> {
    /// Abort of an upload that never was, with the pair.
    pub abort: &'e Exchange,
    /// The same with the own write pair.
    pub abort_by_write_pair: Option<&'e Exchange>,
    /// The listing of buckets with the pair, and how many others were in it.
    pub buckets: (&'e Exchange, usize),
    /// What the bucket's access list grants to the pair's key, where it names it.
    pub grants: Grants,
    /// Of uid 0, the listing of its checkpoints with the pair.
    pub checkpoints: Option<&'e Exchange>,
}

/// What a bucket's access list says of one key. Garage names keys there; other stores name accounts, which says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Grants {
    /// The key is not named.
    #[default]
    Unnamed,
    /// It is granted to read.
    Read,
    /// It is granted to write.
    Write,
    /// It is granted everything: it owns the bucket.
    Everything,
}

impl Grants {
    /// Whether more than reading is granted.
    pub const fn is_more_than_reading(self) -> bool {
        matches!(self, Self::Write | Self::Everything)
    }
}

/// Judges the reading of an object that need not be there.
pub fn opens(exchange: &Exchange) -> Opening {
    let reply = &exchange.reply;
    if let Some(untested) = unanswered(reply) {
        return Opening::Untested(untested);
    }
    match verdict_of(reply) {
        Verdict::NoObject => Opening::Opens,
        Verdict::AuthUnknownKey => Opening::UnknownKey(reply.said()),
        verdict => Opening::Refused(refused(verdict, reply)),
    }
}

/// Judges what a pair that opens the bucket could do besides.
pub fn scope(provider: &Provider, pair: &Published, object: &str, scope: &Scope<'_>) -> Result<KeyTest, Rule> {
    if scope.grants.is_more_than_reading() {
        return Err(granted_more());
    }
    let (listing, others) = scope.buckets;
    match &listing.reply {
        Reply::Found(_) if is_account_wide(provider, others) => return Err(account_wide(others)),
        // A store without such a listing has no key that could list.
        Reply::Found(_) | Reply::Refused { http: 501, .. } => {}
        reply if is_denied(reply) => {}
        reply => return Ok(unanswered(reply).unwrap_or_else(|| not_told("a listing of buckets", reply))),
    }
    if let Some(untested) = scope.checkpoints.map_or(Ok(None), lists)? {
        return Ok(untested);
    }
    let of = |exchange: &Exchange| match &exchange.reply {
        // What no S3 store says is no word of the store.
        Reply::Refused { code: None, .. } => AbortAnswer::Other,
        reply => AbortAnswer::of(reply),
    };
    match can_write(of(scope.abort), scope.abort_by_write_pair.map(of), None) {
        // Elsewhere ending an upload is a permission of its own: only a write tells.
        Some(false) if provider.is_r2() => Ok(shown(pair)),
        Some(true) => Err(write_capable(None)),
        _ => {
            let untested = match &scope.abort.reply {
                Reply::Found(_) => None,
                reply => unanswered(reply),
            };
            Ok(untested.unwrap_or_else(|| KeyTest::WritingOpen { object: object.to_owned() }))
        }
    }
}

/// Judges the listing of uid 0's checkpoints: a pair that may not list is none to whoever looks for one.
fn lists(checkpoints: &Exchange) -> Result<Option<KeyTest>, Rule> {
    match &checkpoints.reply {
        // A listing has no date of its own.
        Reply::Found(_) => Ok(None),
        reply if is_denied(reply) => Err(cannot_list(reply)),
        reply => Ok(Some(unanswered(reply).unwrap_or_else(|| not_told("a listing of grail/checkpoints/", reply)))),
    }
}

/// Judges the writing of the named object with the pair. `left` is its name where it was written and could not be removed.
pub fn after_writing(pair: &Published, exchange: &Exchange, left: Option<&str>) -> Result<KeyTest, Rule> {
    let reply = &exchange.reply;
    match (reply, verdict_of(reply)) {
        (Reply::Found(_), _) => Err(write_capable(left)),
        (reply, _) if is_denied(reply) => Ok(shown(pair)),
        // A full bucket or a closed account says nothing of the pair.
        (Reply::Refused { code: Some(_), .. }, Verdict::ScopeDenied | Verdict::ProviderError) => {
            Ok(not_told("a write with the read pair", reply))
        }
        (_, verdict) => match unanswered(reply) {
            Some(KeyTest::Untested { why, todo }) => {
                let left = left.map_or_else(String::new, |name| format!("; {name} may be in the bucket"));
                Ok(KeyTest::Untested { why: format!("{why}{left}"), todo })
            }
            _ => Err(refused(verdict, reply)),
        },
    }
}

fn shown(pair: &Published) -> KeyTest {
    KeyTest::ReadOnly(ShownReadOnly { pair: pair.clone() })
}

/// A store answered, and that tells nothing of the pair.
fn not_told(what: &str, reply: &Reply) -> KeyTest {
    KeyTest::Untested {
        why: format!("the store's answer to {what} does not tell what the pair may do: {}", reply.said()),
        todo: "Look at the token's permissions where the store shows them.".to_owned(),
    }
}

/// Why an answer is no word of a store on this pair; `None` where it is one.
fn unanswered(reply: &Reply) -> Option<KeyTest> {
    let untested = |why: String, todo: &str| Some(KeyTest::Untested { why, todo: todo.to_owned() });
    match reply {
        Reply::Failed(trouble) => untested(trouble_of(trouble), todo_of(trouble)),
        Reply::Found(Found { size: Some(_), last_modified_ms: Some(_), .. }) => None,
        Reply::Unmarked(page) => untested(
            format!("what answered ({}, {}) is no S3 store", page.http, page.shown()),
            "Look at what stands between this machine and the store: a proxy, a login page, a load balancer.",
        ),
        Reply::Found(Found { http, .. }) | Reply::Refused { http, code: None, .. } => untested(
            format!("what answered ({http}) is no S3 store"),
            "Look at what stands between this machine and the store: a proxy, a login page, a load balancer.",
        ),
        Reply::Refused { http: 429 | 500..=599, .. } => {
            untested(format!("the store answers {}", reply.said()), "Wait a while, then try again.")
        }
        Reply::Refused { .. } => match verdict_of(reply) {
            Verdict::ClockSkew => untested(
                format!("the store refuses the request because of its time ({})", reply.said()),
                "Set this machine's clock (NTP), then try again.",
            ),
            Verdict::Throttled => {
                untested(format!("the store answers {}", reply.said()), "Wait a while, then try again.")
            }
            _ => None,
        },
    }
}

fn trouble_of(trouble: &Trouble) -> String {
    let told = match trouble {
        Trouble::Tls { handshake_failure: true, .. } => {
            return "the store's host refuses the TLS handshake (alert 40)".to_owned();
        }
        Trouble::Tls { why, .. } => format!("no TLS session with the store: {}", why.shown()),
        Trouble::NotS3 { why } => format!("what answered is no S3 store: {}", why.shown()),
        Trouble::Slow { after_ms } => format!("no complete answer of the store within {after_ms} ms"),
        other => format!("the store: {other}"),
    };
    sanitize(&told, 240)
}

const fn todo_of(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Tls { handshake_failure: true, .. } => {
            "Check the account id; a new account's certificate takes about 20 minutes."
        }
        Trouble::NoRootCertificates => "Install the ca-certificates package on this machine.",
        _ => "Check this machine's DNS, firewall and the S3 endpoint.",
    }
}

/// The store's own no.
fn refused(verdict: Verdict, reply: &Reply) -> Rule {
    let (code, what, todo) = match verdict {
        Verdict::WrongRegion => (
            verdict.name(),
            "the store wants another region in signatures than yours",
            "Set R2_REGION to the region that the store names, for GRAIL too.",
        ),
        Verdict::AuthBadSecret => (
            verdict.name(),
            "the secret is not the read key's",
            "Copy R2_READ_SECRET_ACCESS_KEY again from where the store shows it once, or create a new token with Object Read only.",
        ),
        Verdict::ScopeDenied => (
            verdict.name(),
            "the store refuses the read key for this bucket",
            "Allow the key to read and list this bucket from anywhere (R2: Object Read only, no IP filter, default jurisdiction).",
        ),
        Verdict::NoBucket => (
            verdict.name(),
            "the store has no such bucket where validators look",
            "Create it (on R2 named exactly like the account id, in the default jurisdiction), or name the one that is there.",
        ),
        Verdict::Malformed => (
            verdict.name(),
            "the store refuses the shape of the read pair",
            "Copy the Access Key ID and the Secret Access Key of the token again.",
        ),
        _ => (
            verdict.name(),
            "the store refuses the read pair",
            "See the store's own words, and the account at the provider.",
        ),
    };
    let (what, todo) = (format!("Not sent: {what} ({})", reply.said()), todo.to_owned());
    Rule::Other { code, what, why: OPENS_NOTHING, todo }
}

fn cannot_list(reply: &Reply) -> Rule {
    Rule::Other {
        code: "cannot_list",
        what: format!("Not sent: {} ({})", uncapitalised(CANNOT_LIST.trim_end_matches('.')), reply.said()),
        why: "Without a checkpoint no miner and no validator of the subnet works. Nothing was signed.",
        todo: "Allow the key to list this bucket (R2: Object Read only lists too), then commit again.".to_owned(),
    }
}

/// The store does not know the key, for good: this machine knows why, or it was waited for.
pub fn unknown_key(said: &str, gone: Option<&str>, waited_s: u64) -> Rule {
    let (known, todo) = match gone {
        Some(gone) => {
            (format!("; {gone}"), "Publish the pair that came after it. A restored backup holds old keys: see doctor.")
        }
        None => (
            format!(", not after {} either", age_seconds(waited_s)),
            "Check that R2_READ_ACCESS_KEY_ID is a living token of this account; or create a new one with Object Read only.",
        ),
    };
    Rule::Other {
        code: Verdict::AuthUnknownKey.name(),
        what: format!("Not sent: the store does not know the read key ({said}){known}"),
        why: OPENS_NOTHING,
        todo: todo.to_owned(),
    }
}

fn write_capable(left: Option<&str>) -> Rule {
    let left = left.map_or_else(String::new, |name| format!(" ({name} was written and could not be removed)"));
    Rule::Other {
        code: "write_capable",
        what: format!("Not sent: the read pair can WRITE into your bucket{left}"),
        why: PUBLIC,
        todo: "Create a token with Object Read only for this bucket and put its pair under the READ names.".to_owned(),
    }
}

fn granted_more() -> Rule {
    Rule::Other {
        code: "write_capable",
        what: "Not sent: the bucket's own access list grants the read pair more than reading".to_owned(),
        why: PUBLIC,
        todo: "Take every right but reading from the key, or publish one that can only read this bucket.".to_owned(),
    }
}

fn account_wide(others: usize) -> Rule {
    Rule::Other {
        code: "account_wide",
        what: format!(
            "Not sent: the read pair is for the whole account (it lists its buckets, {others} beside this one)"
        ),
        why: PUBLIC,
        todo: "Create a token with Object Read only for this bucket alone and put its pair under the READ names."
            .to_owned(),
    }
}

impl KeyTest {
    /// Stable name for scripts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReadOnly(_) => "read_only",
            Self::WritingOpen { .. } => "writing_open",
            Self::Untested { .. } => UNTESTED,
        }
    }

    /// Where the store showed that the pair only reads.
    pub const fn shown_read_only(&self) -> Option<&ShownReadOnly> {
        match self {
            Self::ReadOnly(shown) => Some(shown),
            Self::WritingOpen { .. } | Self::Untested { .. } => None,
        }
    }

    /// Whether no store answered.
    pub const fn is_untested(&self) -> bool {
        matches!(self, Self::Untested { .. })
    }

    /// As one of a plan's checks.
    pub(super) fn check(&self) -> Check {
        match self {
            Self::ReadOnly(_) => Check::passed(CHECK, "the read pair opens your bucket and cannot write"),
            Self::WritingOpen { object } => Check::odd(
                CHECK,
                format!(
                    "the store does not tell whether the read pair can write: before signing, {object} is put with it \
                     into your bucket, and removed"
                ),
            ),
            Self::Untested { why, .. } => Check::odd(CHECK, format!("the read pair was NOT tested: {why}")),
        }
    }

    /// The refusal where nobody said that it need not be tested.
    pub fn refusal(&self) -> Option<Rule> {
        let Self::Untested { why, todo } = self else { return None };
        Some(Rule::Other {
            code: UNTESTED,
            what: format!("Not sent: the read pair could not be tested: {why}"),
            why: "A dead key, or one that can write, would be published for ever. Nothing was signed.",
            todo: format!("{todo} {AGAIN}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::probe::Request;
    use crate::domain::untrusted::Untrusted;

    fn pair() -> Published {
        let bytes = [b"0123456789abcdef".repeat(4), b"fedcba9876543210".repeat(4)].concat();
        crate::domain::commitment::read_bytes(&bytes).unwrap().published()
    }

    fn refused(http: u16, code: &str) -> Exchange {
        let reply = Reply::Refused { http, code: Some(Untrusted::from_text(code)), message: None };
        Exchange { request: Request::AbortUpload, reply, ms: 1 }
    }

    fn judged(provider: &Provider, listing: &Exchange) -> Result<KeyTest, Rule> {
        let (denied, none) = (refused(403, "AccessDenied"), refused(404, "NoSuchUpload"));
        let answers = Scope {
            abort: &denied,
            abort_by_write_pair: Some(&none),
            buckets: (listing, 0),
            grants: Grants::Unnamed,
            checkpoints: None,
        };
        scope(provider, &pair(), "canary", &answers)
    }

    #[test]
    fn a_pair_of_uid_0_is_told_to_list_by_the_store_alone() {
        assert_eq!(lists(&refused(403, "AccessDenied")).map_err(|rule| rule.code()), Err("cannot_list"));
        for (http, code) in [(500, "InternalError"), (429, "TooManyRequests"), (400, "InvalidRequest")] {
            assert!(matches!(lists(&refused(http, code)), Ok(Some(KeyTest::Untested { .. }))), "{code}");
        }
    }

    #[test]
    fn a_denied_end_of_an_upload_shows_a_read_pair_on_r2_alone() {
        let (r2, other) =
            (Provider::from_endpoint(None).unwrap(), Provider::from_endpoint(Some("https://s3.example")).unwrap());
        let denied = refused(403, "AccessDenied");
        assert!(matches!(judged(&r2, &denied), Ok(KeyTest::ReadOnly(_))));
        assert!(
            matches!(judged(&other, &denied), Ok(KeyTest::WritingOpen { .. })),
            "it is a permission of its own there"
        );
    }

    #[test]
    fn a_listing_that_tells_nothing_is_no_pass() {
        for (http, code) in
            [(400, "AuthorizationHeaderMalformed"), (301, "PermanentRedirect"), (405, "MethodNotAllowed")]
        {
            let told = judged(&Provider::from_endpoint(None).unwrap(), &refused(http, code));
            assert!(matches!(told, Ok(KeyTest::Untested { .. })), "{code}: {told:?}");
        }
        assert!(matches!(
            judged(&Provider::from_endpoint(None).unwrap(), &refused(501, "NotImplemented")),
            Ok(KeyTest::ReadOnly(_))
        ));
    }

    #[test]
    fn only_a_denied_write_shows_that_a_pair_cannot_write() {
        for code in ["QuotaExceeded", "AccountProblem", "AllAccessDisabled"] {
            let told = after_writing(&pair(), &refused(403, code), None);
            assert!(matches!(told, Ok(KeyTest::Untested { .. })), "{code}: {told:?}");
        }
        assert!(matches!(after_writing(&pair(), &refused(403, "AccessDenied"), None), Ok(KeyTest::ReadOnly(_))));
    }
}

//! The self-test of the own keys, judged: does the write key write, does the published key read what was written, and
//! what else could it do?

use serde::Serialize;

use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Exchange, Reply, Request, Risk, Verdict, verdict_of};
use crate::domain::provider::Provider;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// The answers do not tell.
    Inconclusive,
    /// Not done, since it could not tell anything.
    Skipped,
}

impl Outcome {
    /// The glyph on screens.
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Inconclusive => "?",
            Self::Skipped => "–",
        }
    }
}

/// One step with its judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedStep {
    /// Stable name.
    pub step: &'static str,
    /// The words on the screen.
    pub words: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status, where a request was made and answered.
    pub http: Option<u16>,
    /// The store's error code, sanitised.
    pub code: Option<String>,
    /// How long it took, in ms.
    pub ms: u64,
    /// Why, in words.
    pub explanation: String,
    /// What to do.
    pub fix: String,
}

/// What became of the canary, as far as the store's answers tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Canary {
    /// The store refused it, or nothing was sent.
    NotWritten,
    /// It is gone again.
    Removed,
    /// It was written, and is not removed.
    Left,
    /// A request to write or to remove it was not answered.
    Unknown,
}

/// The whole self-test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SelfTest {
    /// The own hotkey.
    pub hotkey: Hotkey,
    /// The own bucket.
    pub bucket: String,
    /// The steps.
    pub steps: Vec<JudgedStep>,
    /// What is risky about the read key.
    pub risks: Vec<Risk>,
    /// Whether nothing failed, nothing is risky, and what the keys are for was seen.
    pub healthy: bool,
    /// Name of the canary when it is, or may be, still in the bucket: `canary` says which.
    pub left_behind: Option<String>,
    /// What became of the canary.
    pub canary: Canary,
    /// Whether the time for the whole was over before everything was asked.
    pub out_of_time: bool,
    /// When it ended, in ms since 1970.
    pub at_ms: u64,
}

impl SelfTest {
    /// Whether nothing is known to be wrong, and not all that matters is known.
    pub fn is_unknown(&self) -> bool {
        !self.healthy && self.risks.is_empty() && !self.has(Outcome::Failed) && self.canary != Canary::Left
    }

    /// The step whose answer is missing for a judgement on the keys. A store that was asked, and does not tell what else
    /// they could do, is none.
    pub fn unanswered(&self) -> Option<&JudgedStep> {
        let missing = |step: &&JudgedStep| self.out_of_time || step.is_needed();
        self.steps.iter().filter(missing).find(|step| step.outcome == Outcome::Inconclusive)
    }

    /// The one sentence on top.
    pub fn sentence(&self) -> &'static str {
        match (self.healthy, self.canary) {
            (true, _) if self.has(Outcome::Inconclusive) => {
                "Your keys read and write; what else they could do, the store does not tell."
            }
            (true, _) => "Your keys do what they should, and nothing more.",
            (false, _) if self.is_unknown() && self.out_of_time => {
                "Whether your keys do what they should is not known: the time was over before everything was asked."
            }
            (false, _) if self.is_unknown() && self.unanswered().is_some_and(JudgedStep::was_not_made) => {
                "Whether your keys do what they should is not known: not everything could be asked."
            }
            (false, _) if self.is_unknown() && self.unanswered().is_some_and(|step| step.http.is_some()) => {
                "Whether your keys do what they should is not known: what answered does not tell."
            }
            (false, _) if self.is_unknown() => {
                "Whether your keys do what they should is not known: the store did not answer."
            }
            (false, Canary::Left) => "The canary could not be removed.",
            (false, _) => "Something is wrong with your keys.",
        }
    }

    /// What is said of a canary that is, or may be, still in the bucket.
    pub fn remains(&self) -> Option<String> {
        let name = self.left_behind.as_ref()?;
        Some(if self.canary == Canary::Left {
            format!("{name} is still in the bucket; the next self-test removes it.")
        } else {
            format!(
                "Whether {name} is in the bucket is not known: the store did not answer. The next self-test removes it."
            )
        })
    }

    /// Why the keys are not known to be as they should be: each step and each risk; none where they are.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        if self.healthy {
            return Vec::new();
        }
        let (class, wanted) =
            if self.is_unknown() { (Class::Unknown, Outcome::Inconclusive) } else { (Class::Finding, Outcome::Failed) };
        let of = |code, cause: &str, help: &str| {
            Diagnostic::failure(class, code, self.sentence(), cause, help).about_row(None, self.hotkey)
        };
        let steps = self.steps.iter().filter(|step| step.outcome == wanted);
        let steps = steps.map(|step| of(step.step, &step.explanation, &step.fix));
        let risks = self.risks.iter().map(|risk| of("risk", &risk.sentence(), ""));
        let left = self.remains().map(|remains| of("canary_left", &remains, ""));
        let told: Vec<_> = risks.chain(steps).chain(left).collect();
        if told.is_empty() { vec![of("self_test", "", "")] } else { told }
    }

    fn has(&self, outcome: Outcome) -> bool {
        self.steps.iter().any(|step| step.outcome == outcome)
    }
}

impl JudgedStep {
    /// A step that was a request.
    pub fn of(exchange: &Exchange, outcome: Outcome, explanation: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            step: exchange.request.name(),
            words: exchange.request.words(),
            outcome,
            http: exchange.reply.http(),
            code: exchange.reply.code(),
            ms: exchange.ms,
            explanation: explanation.into(),
            fix: fix.into(),
        }
    }

    /// A step that was not made.
    pub fn skipped(request: Request, why: impl Into<String>) -> Self {
        Self::unmade(request, Outcome::Skipped, why)
    }

    /// A step that could not be made, and without which nothing can be said.
    pub fn not_asked(request: Request, why: impl Into<String>, fix: &str) -> Self {
        Self { fix: fix.to_owned(), ..Self::unmade(request, Outcome::Inconclusive, why) }
    }

    /// A step that there was no time for.
    pub fn out_of_time(request: Request) -> Self {
        Self::unmade(request, Outcome::Inconclusive, "Not known: the time for the whole test was over.")
    }

    /// Whether nothing can be said of the keys as long as this is not known.
    fn is_needed(&self) -> bool {
        self.step != Request::AbortUpload.name() && self.step != Request::ListBuckets.name()
    }

    /// Whether nothing was asked.
    const fn was_not_made(&self) -> bool {
        self.http.is_none() && self.code.is_none()
    }

    fn unmade(request: Request, outcome: Outcome, why: impl Into<String>) -> Self {
        Self {
            step: request.name(),
            words: request.words(),
            outcome,
            http: None,
            code: None,
            ms: 0,
            explanation: why.into(),
            fix: String::new(),
        }
    }
}

/// What aborting an upload that never was tells of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbortAnswer {
    /// The key may not: it cannot write.
    Denied,
    /// The key may, and there is no such upload.
    NoSuchUpload,
    /// Anything else.
    Other,
}

impl AbortAnswer {
    /// From the answer itself.
    pub fn of(reply: &Reply) -> Self {
        match (reply, reply.raw_code()) {
            // Some stores say so of a key that they do not know, too.
            (Reply::Refused { .. }, Some("AccessDenied")) if verdict_of(reply) != Verdict::ScopeDenied => Self::Other,
            (Reply::Refused { .. }, Some("AccessDenied")) | (Reply::Refused { http: 403, .. }, None) => Self::Denied,
            // Some stores take the abort of what is not there as done.
            (Reply::Refused { .. }, Some("NoSuchUpload")) | (Reply::Found(_), _) => Self::NoSuchUpload,
            _ => Self::Other,
        }
    }
}

/// Whether a key that listed so many buckets beside its own is one for the whole account. Garage, MinIO and Wasabi list
/// what the key may use, which may be its own bucket alone; R2 lets no key list that is limited to a bucket.
pub const fn is_account_wide(provider: &Provider, other_buckets: usize) -> bool {
    other_buckets > 0 || provider.is_r2()
}

/// Whether a read key can write, calibrated by the answers that the own write key and the other read key got.
///
/// The store must be seen to tell the two cases apart: the write key gets "no such upload" and some other key "denied".
/// Answers that are all alike tell nothing, since some stores look for the upload before they look at the key.
pub fn can_write(
    of_key: AbortAnswer,
    of_write_key: Option<AbortAnswer>,
    of_other_key: Option<AbortAnswer>,
) -> Option<bool> {
    match (of_key, of_write_key) {
        (AbortAnswer::Denied, Some(AbortAnswer::NoSuchUpload)) => Some(false),
        (AbortAnswer::NoSuchUpload, Some(AbortAnswer::NoSuchUpload)) if of_other_key == Some(AbortAnswer::Denied) => {
            Some(true)
        }
        _ => None,
    }
}

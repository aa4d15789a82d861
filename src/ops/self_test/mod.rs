//! The own keys put to the test: a canary written, read back, compared and removed, and what else the read key could do.
//!
//! Runs only when asked, and only with own credentials on the own bucket. Whatever happens in between, the canary is
//! removed; the next run removes one that a killed run left behind.

mod scope;

use std::sync::Arc;

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::chain::Node;
use crate::chain::provenance::Examination;
use crate::domain::commitment::Parts;
use crate::domain::credentials::{BucketCredentials, CredentialsError};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Exchange, Reply, Request, Risk, Verdict, verdict_of};
use crate::domain::provider::Provider;
use crate::domain::roster::TRAINER_UID;
use crate::domain::self_test::{Canary, JudgedStep, Outcome, SelfTest};
use crate::domain::self_test_objects::CanaryName;
use crate::domain::text::{sentence, uncapitalised};
use crate::domain::vault_index::GenerationNumber;
use crate::ops::context::Context;
use crate::ops::probe::View;
use crate::ops::verify::{OwnRow, own_row};
use crate::storage::{Answer, Misfit, Owner, Store, Target};

/// How long the second source may take to say what is on chain.
const SECOND_SOURCE: Duration = Duration::from_secs(20);

/// Whose keys, where, and what was published of them.
pub struct Subject {
    /// Where the bucket is.
    pub provider: Provider,
    /// The own hotkey, whose name the canary bears.
    pub hotkey: Hotkey,
    /// The own credentials.
    pub credentials: BucketCredentials,
    /// Whether the hotkey is uid 0, whose checkpoints everybody lists.
    pub is_trainer: bool,
    /// What is on chain for the own hotkey; `None` where nothing readable is.
    pub published: Option<Parts>,
    /// Why it is not known what is on chain: sources contradict each other, and nothing of it is tested.
    pub doubted: Option<Box<Diagnostic>>,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Subject {
    /// From what is configured and what is on chain.
    pub fn of(context: &Context, view: &View, now_ms: Arc<dyn Fn() -> u64 + Send + Sync>) -> Result<Self, Unready> {
        let hotkey = context.hotkey.ok_or(Unready::NoHotkey)?;
        let given = context.configuration.local.generation();
        if let Some(current) = context.vault.current.filter(|current| given != Some(*current)) {
            return Err(Unready::VaultLocked(current));
        }
        let credentials = BucketCredentials::parse(&context.provider, &context.configuration.local)?;
        let published = view.parts(&hotkey).ok();
        let is_trainer = view.member(&hotkey).is_some_and(|member| member.uid == TRAINER_UID);
        Ok(Self {
            provider: context.provider.clone(),
            hotkey,
            credentials,
            is_trainer,
            published,
            doubted: None,
            now_ms,
        })
    }

    /// Holds what is on chain against the second source and the state's proof: a key that may be forged is not tested.
    #[must_use]
    pub async fn verified(self, node: &Node, view: &View) -> Self {
        let examination = Examination { node: node.clone(), netuid: view.subnet.netuid, now_ms: (self.now_ms)() };
        let own = timeout(SECOND_SOURCE, own_row(&examination, self.hotkey, view.commitment(&self.hotkey))).await;
        match own {
            Ok(OwnRow::Doubted(finding)) => Self { published: None, doubted: Some(finding), ..self },
            // One node's word is what there is.
            Ok(OwnRow::Holds(..) | OwnRow::OneWord(_)) | Err(_) => self,
        }
    }
}

/// Why a self-test cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// Nobody is named.
    #[error("no own hotkey is known")]
    NoHotkey,
    /// The keys in use are in the vault, which was not opened.
    #[error("the keys in use are generation {0} of the vault, which was not opened")]
    VaultLocked(GenerationNumber),
    /// The credentials are not whole.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// They lead nowhere.
    #[error("the local credentials lead nowhere: {0}")]
    Misfit(#[from] Misfit),
    /// There is no write pair to write with.
    #[error("R2_WRITE_ACCESS_KEY_ID and R2_WRITE_SECRET_ACCESS_KEY are not set: a self-test writes a canary with them")]
    NoWriteKey,
}

impl Unready {
    /// What is in the way, and what to do about that.
    pub fn diagnostic(&self) -> Diagnostic {
        let help = match self {
            Self::NoHotkey => "Name it with --wallet and --hotkey, or give its address with --hotkey.",
            Self::VaultLocked(_) => "Unlock the vault and start again; doctor says what it needs.",
            Self::Credentials(_) | Self::Misfit(_) => {
                "Complete R2_ACCOUNT_ID, R2_BUCKET_ID and both pairs in GRAIL's .env."
            }
            Self::NoWriteKey => "Set R2_WRITE_ACCESS_KEY_ID and R2_WRITE_SECRET_ACCESS_KEY in GRAIL's .env.",
        };
        Diagnostic::failure(
            Class::Usage,
            "self_test",
            "The own keys cannot be tested",
            sentence(&self.to_string()),
            help,
        )
    }
}

/// Why a read-only console makes no self-test.
pub fn refused_read_only() -> Diagnostic {
    Diagnostic::refused(
        "read_only",
        "The console is read-only",
        "A self-test writes a canary into your bucket and removes it.",
        "Start it without --read-only to test your own keys.",
    )
}

struct Keys {
    write: Owner,
    read: Owner,
    /// The published key, where it reads the own bucket and is another than the local one.
    published: Option<Owner>,
}

/// Every step that a test has, in their order.
const STEPS: [Request; 6] = [
    Request::PutCanary,
    Request::GetCanaryPublished,
    Request::GetCanaryLocal,
    Request::DeleteCanary,
    Request::AbortUpload,
    Request::ListBuckets,
];

/// Runs it, and ends by the given time. `stop` ends it early. Either way the canary is removed before it ends.
pub async fn self_test(
    subject: Subject,
    store: &Store,
    by: Instant,
    stop: impl Future<Output = ()>,
) -> Result<SelfTest, Unready> {
    let write = Target::own_write(&subject.provider, &subject.credentials)?.ok_or(Unready::NoWriteKey)?;
    let read = Target::own_read(&subject.provider, &subject.credentials)?;
    let same = subject.published.as_ref().is_some_and(|published| is_local(published, &subject.credentials));
    let foreign = subject.published.as_ref().is_some_and(|published| !is_own_bucket(published, &subject.credentials));
    let published = match &subject.published {
        Some(parts) if !same && !foreign => Target::published(&subject.provider, parts).ok(),
        _ => None,
    };
    let keys =
        Keys { write: store.owner(write), read: store.owner(read), published: published.map(|t| store.owner(t)) };
    let mut test = Test {
        store,
        keys,
        name: CanaryName::Canary(subject.hotkey),
        canary: Canary::NotWritten,
        steps: Vec::new(),
        risks: Vec::new(),
    };
    // The last of the time is for removing the canary.
    let cleans_up_at = by.checked_sub(store.options().total).unwrap_or(by);
    let out_of_time = tokio::select! {
        biased;
        () = stop => false,
        () = Box::pin(test.run(&subject, same, foreign)) => false,
        () = sleep_until(cleans_up_at) => true,
    };
    if out_of_time {
        test.name_what_was_not_asked(subject.is_trainer);
    }
    test.clean_up().await;
    let mut tested = SelfTest {
        hotkey: subject.hotkey,
        bucket: subject.credentials.read.locator.clone(),
        left_behind: matches!(test.canary, Canary::Left | Canary::Unknown).then(|| test.name.to_string()),
        healthy: false,
        canary: test.canary,
        out_of_time,
        steps: test.steps,
        risks: test.risks,
        at_ms: (subject.now_ms)(),
    };
    let failed = tested.steps.iter().any(|step| step.outcome == Outcome::Failed);
    let known = tested.unanswered().is_none() && tested.left_behind.is_none();
    tested.healthy = !failed && known && tested.risks.is_empty();
    Ok(tested)
}

/// Whether what is published is the local read key.
fn is_local(published: &Parts, own: &BucketCredentials) -> bool {
    is_own_bucket(published, own)
        && published.read_key_id.as_text() == Some(own.read.key_id.as_str())
        && published.read_secret == own.read.secret
}

fn is_own_bucket(published: &Parts, own: &BucketCredentials) -> bool {
    published.locator.as_text() == Some(own.read.locator.as_str())
}

struct Test<'t> {
    store: &'t Store,
    keys: Keys,
    name: CanaryName,
    /// What is known of it: an answer that was lost says nothing about what was done.
    canary: Canary,
    steps: Vec<JudgedStep>,
    risks: Vec<Risk>,
}

impl Test<'_> {
    async fn run(&mut self, subject: &Subject, same: bool, foreign: bool) {
        let content =
            format!("grail-console self-test, safe to delete: {:016x}{:016x}\n", fastrand::u64(..), fastrand::u64(..));
        self.write(content.as_bytes()).await;
        match self.canary {
            Canary::Left => {
                self.read_back(subject, content.as_bytes(), same, foreign).await;
                self.delete().await;
            }
            Canary::Unknown => {
                self.skip_reading("Whether the canary was written is not known, so it is not read back.");
                self.delete().await;
            }
            Canary::NotWritten | Canary::Removed => {
                self.skip_reading("Nothing was written, so there is nothing to read back.");
            }
        }
        self.scope(subject, same, foreign).await;
    }

    fn by(&self) -> Instant {
        Instant::now() + self.store.options().total
    }

    fn skip_reading(&mut self, why: &str) {
        self.steps.push(JudgedStep::skipped(Request::GetCanaryPublished, why));
        self.steps.push(JudgedStep::skipped(Request::GetCanaryLocal, why));
    }

    fn name_what_was_not_asked(&mut self, is_trainer: bool) {
        for request in STEPS.into_iter().chain(is_trainer.then_some(Request::ListCheckpoints)) {
            if !self.steps.iter().any(|step| step.step == request.name()) {
                self.steps.push(JudgedStep::out_of_time(request));
            }
        }
    }

    async fn write(&mut self, content: &[u8]) {
        // Under the same name: what an interrupted run left behind goes with it.
        self.keys.write.delete(Request::SweepCanary, &self.name, self.by()).await;
        self.canary = Canary::Unknown;
        let answer = self.keys.write.put(Request::PutCanary, &self.name, content, self.by()).await;
        let step = match &answer.exchange.reply {
            Reply::Found(_) => {
                self.canary = Canary::Left;
                JudgedStep::of(&answer.exchange, Outcome::Passed, "The write key writes into the own bucket.", "")
            }
            reply if reply.was_not_done() => {
                self.canary = Canary::NotWritten;
                let fix = "Check the write pair in the .env: token, scope Object Read & Write, bucket.";
                refused(&answer.exchange, ("The write key cannot write", "Whether the write key writes"), fix)
            }
            _ => unanswered(&answer.exchange, "whether the canary was written"),
        };
        self.steps.push(step);
    }

    async fn read_back(&mut self, subject: &Subject, content: &[u8], same: bool, foreign: bool) {
        let request = Request::GetCanaryPublished;
        let step = match (&subject.published, &self.keys.published) {
            _ if subject.doubted.is_some() => not_known(request, subject),
            (None, _) => JudgedStep::skipped(request, "Nothing readable is published for this hotkey."),
            _ if foreign => {
                let step = JudgedStep::skipped(
                    request,
                    "The published bucket is not the one configured here: validators look elsewhere.",
                );
                JudgedStep {
                    outcome: Outcome::Failed,
                    fix: "Commit the local credentials, or configure the published bucket.".to_owned(),
                    ..step
                }
            }
            (Some(_), None) if !same => JudgedStep::skipped(request, "What is published leads nowhere."),
            (Some(_), key) => {
                let key = key.as_ref().unwrap_or(&self.keys.read);
                compared(&key.get(request, &self.name, self.by()).await, content, "The published key")
            }
        };
        self.steps.push(step);
        let step = if same {
            JudgedStep::skipped(Request::GetCanaryLocal, "The local read key is the published one.")
        } else {
            let answer = self.keys.read.get(Request::GetCanaryLocal, &self.name, self.by()).await;
            compared(&answer, content, "The local read key")
        };
        self.steps.push(step);
    }

    async fn delete(&mut self) {
        let exchange = self.remove().await;
        let step = match self.canary {
            Canary::Removed => JudgedStep::of(&exchange, Outcome::Passed, "The canary is gone again.", ""),
            Canary::Unknown => unanswered(&exchange, "whether the canary is gone"),
            Canary::Left | Canary::NotWritten => JudgedStep::of(
                &exchange,
                Outcome::Failed,
                format!("The canary could not be removed: {}.", reason(&exchange.reply)),
                "The next self-test removes it; or remove it by hand.",
            ),
        };
        self.steps.push(step);
    }

    async fn remove(&mut self) -> Exchange {
        let before = std::mem::replace(&mut self.canary, Canary::Unknown);
        let answer = self.keys.write.delete(Request::DeleteCanary, &self.name, self.by()).await;
        match &answer.exchange.reply {
            Reply::Found(_) => self.canary = Canary::Removed,
            reply if reply.was_not_done() => self.canary = before,
            _ => {}
        }
        answer.exchange
    }

    /// Removes the canary if it may still be there.
    async fn clean_up(&mut self) {
        if matches!(self.canary, Canary::Left | Canary::Unknown) {
            self.remove().await;
        }
    }
}

fn compared(answer: &Answer, content: &[u8], whose: &str) -> JudgedStep {
    match &answer.exchange.reply {
        Reply::Found(_) if answer.bytes == content => {
            JudgedStep::of(&answer.exchange, Outcome::Passed, format!("{whose} reads what was written."), "")
        }
        Reply::Found(_) => {
            let fix = "Something else writes under that name, or the store is not consistent: run it again.";
            JudgedStep::of(
                &answer.exchange,
                Outcome::Failed,
                format!("{whose} reads something else than what was written."),
                fix,
            )
        }
        _ => {
            let fix = "Commit a read key that works, and test again; a new token takes up to a minute.";
            let open = format!("Whether {} reads the own bucket", uncapitalised(whose));
            refused(&answer.exchange, (&format!("{whose} cannot read the own bucket"), &open), fix)
        }
    }
}

/// Nothing is said of a key that nobody knows to be published.
fn not_known(request: Request, subject: &Subject) -> JudgedStep {
    let (why, fix) =
        subject.doubted.as_ref().map(|doubt| (doubt.summary.as_str(), doubt.help.as_str())).unwrap_or_default();
    JudgedStep::not_asked(request, format!("What is published is not known: {}.", uncapitalised(why)), fix)
}

/// A request that may have been carried out, and no answer says so.
fn unanswered(exchange: &Exchange, what: &str) -> JudgedStep {
    let why = match exchange.reply.http() {
        Some(http) => format!("The store failed with {http}: {what} is not known."),
        None => format!("The store did not answer: {what} is not known."),
    };
    JudgedStep::of(exchange, Outcome::Inconclusive, why, "Run the self-test again when the store answers.")
}

/// A request that failed: by the store's own word on the key it is a failure, by anything else (`open`) it is not known.
fn refused(exchange: &Exchange, (what, open): (&str, &str), fix: &str) -> JudgedStep {
    let verdict = verdict_of(&exchange.reply);
    if !is_about_the_key(verdict) {
        let fix = match verdict {
            Verdict::ClockSkew => "Set this machine's clock (NTP), then run the self-test again.",
            Verdict::NotS3 => {
                "Look at what is between this machine and the store: a proxy, a login page, a load balancer."
            }
            Verdict::ProviderError => "See the store's own words, and run the self-test again later.",
            Verdict::Throttled | Verdict::Slow => "Wait a while, then run the self-test again.",
            _ => {
                "Check this machine's connection, DNS and firewall, and the S3 endpoint; then run the self-test again."
            }
        };
        let why = format!("{open} is not known: {}.", told(&exchange.reply));
        return JudgedStep::of(exchange, Outcome::Inconclusive, why, fix);
    }
    let fix = match verdict {
        Verdict::WrongRegion => "Set R2_REGION to the region that the store names, for GRAIL too.",
        _ => fix,
    };
    JudgedStep::of(exchange, Outcome::Failed, format!("{what}: {}.", reason(&exchange.reply)), fix)
}

/// Whether a store that says so speaks of the key or its bucket, and of nothing between here and there.
const fn is_about_the_key(verdict: Verdict) -> bool {
    matches!(
        verdict,
        Verdict::AuthUnknownKey
            | Verdict::AuthBadSecret
            | Verdict::ScopeDenied
            | Verdict::NoBucket
            | Verdict::NoObject
            | Verdict::Malformed
            | Verdict::WrongRegion
    )
}

fn reason(reply: &Reply) -> String {
    let why = match verdict_of(reply) {
        Verdict::AuthUnknownKey => "the store does not know it",
        Verdict::AuthBadSecret => "the secret is not the key's",
        Verdict::ScopeDenied => "it may not",
        Verdict::NoBucket => "there is no such bucket",
        Verdict::NoObject => "it was not found",
        Verdict::Malformed => "the store refuses the shape of the key",
        Verdict::WrongRegion => "the store wants another region in signatures",
        _ => return told(reply),
    };
    why.to_owned()
}

/// What came back, where it was no clear answer.
fn told(reply: &Reply) -> String {
    match reply {
        Reply::Failed(trouble) => format!("the store did not answer ({trouble})"),
        Reply::Refused { .. } => format!("the store answers {}", reply.said()),
        Reply::Unmarked(page) => format!("what answered ({}, {}) is no S3 store", page.http, page.shown()),
        Reply::Found(_) => "the store answers as if it were done".to_owned(),
    }
}

//! The own keys put to the test: a canary written, read back, compared and removed, and what else the read key could do.
//!
//! Runs only when asked, and only with own credentials on the own bucket. Whatever happens in between, the canary is
//! removed; the next run removes one that a killed run left behind.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use crate::domain::commitment::Parts;
use crate::domain::credentials::{BucketCredentials, CredentialsError};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Exchange, Page, Reply, Request, Risk, Trouble, Verdict, is_denied, verdict_of};
use crate::domain::provider::Provider;
use crate::domain::self_test::{AbortAnswer, Canary, JudgedStep, Outcome, SelfTest, can_write, is_account_wide};
use crate::domain::self_test_objects::CanaryName;
use crate::domain::text::uncapitalised;
use crate::domain::vault_index::GenerationNumber;
use crate::ops::commit::try_to_write;
use crate::ops::context::Context;
use crate::ops::probe::View;
use crate::storage::{Answer, Misfit, Owner, Store, Target};

/// Whose keys, where, and what was published of them.
pub struct Subject {
    /// Where the bucket is.
    pub provider: Provider,
    /// The own hotkey, whose name the canary bears.
    pub hotkey: Hotkey,
    /// The own credentials.
    pub credentials: BucketCredentials,
    /// What is on chain for the own hotkey; `None` where nothing readable is.
    pub published: Option<Parts>,
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
        Ok(Self { provider: context.provider.clone(), hotkey, credentials, published, now_ms })
    }
}

/// Why a self-test cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// Nobody is named.
    #[error("no own hotkey is known: name it with --wallet and --hotkey, or --hotkey SS58")]
    NoHotkey,
    /// The keys in use are in the vault, which was not opened.
    #[error("the keys in use are generation {0} of the vault, which was not opened: doctor says what it needs")]
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
        test.name_what_was_not_asked();
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

    fn name_what_was_not_asked(&mut self) {
        for request in STEPS {
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
            reply if was_not_done(reply) => {
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
            reply if was_not_done(reply) => self.canary = before,
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

    /// What the key that is read with could do besides. A key that is published counts; else the local one.
    async fn scope(&mut self, subject: &Subject, same: bool, foreign: bool) {
        let never = CanaryName::Never(subject.hotkey);
        let ask = async |owner: &Owner, by| owner.abort_upload(Request::AbortUpload, &never, by).await;
        let write = ask(&self.keys.write, self.by()).await;
        let read = ask(&self.keys.read, self.by()).await;
        let published = match &self.keys.published {
            Some(key) => Some(ask(key, self.by()).await),
            None => None,
        };
        let of = |answer: &Answer| AbortAnswer::of(&answer.exchange.reply);
        let whose = if same || foreign || published.is_none() { "read key" } else { "published key" };
        let (key, other) = match &published {
            Some(published) => (published, Some(of(&read))),
            None => (&read, None),
        };
        let (step, is_told) = match can_write(of(key), Some(of(&write)), other) {
            // Elsewhere ending an upload is a permission of its own: only a write tells.
            Some(false) if !subject.provider.is_r2() => (
                JudgedStep::of(&key.exchange, Outcome::Passed, format!("The {whose} cannot end an upload."), ""),
                false,
            ),
            Some(false) => {
                (JudgedStep::of(&key.exchange, Outcome::Passed, format!("The {whose} cannot write."), ""), true)
            }
            Some(true) => {
                self.risks.push(Risk::WriteCapable);
                (writes(&key.exchange, whose), true)
            }
            None => {
                let why = format!(
                    "The store's answers do not tell whether the {whose} can write: read and write key are answered alike."
                );
                (JudgedStep::of(&key.exchange, Outcome::Inconclusive, why, "A write tells: see the next step."), false)
            }
        };
        self.steps.push(step);
        if !is_told {
            self.writing(whose).await;
        }
        self.granted(whose).await;
        let key = self.keys.published.as_ref().unwrap_or(&self.keys.read);
        let (answer, others) = key.list_buckets(Request::ListBuckets, self.by()).await;
        let step = self.account_wide(&answer.exchange, (&subject.provider, others), whose);
        self.steps.push(step);
    }

    /// Writes into the own bucket with the key that should not be able to, where nothing else tells.
    async fn writing(&mut self, whose: &str) {
        let key = self.keys.published.as_ref().unwrap_or(&self.keys.read).clone();
        let (request, write) = (Request::WriteWithReadKey, self.keys.write.clone());
        // An end in between leaves it there.
        let before = std::mem::replace(&mut self.canary, Canary::Unknown);
        let each = self.store.options().total;
        let (answer, left) = try_to_write(request, &key, Some(&write), &self.name, each).await;
        if left.is_none() {
            self.canary = before;
        }
        let step = match &answer.exchange.reply {
            Reply::Found(_) => {
                self.risks.push(Risk::WriteCapable);
                writes(&answer.exchange, whose)
            }
            reply if is_denied(reply) => {
                JudgedStep::of(&answer.exchange, Outcome::Passed, format!("The {whose} cannot write."), "")
            }
            reply => JudgedStep::of(
                &answer.exchange,
                Outcome::Inconclusive,
                format!("Whether the {whose} can write is not known: {}.", told(reply)),
                "Look at the token's permission at the provider: Object Read only.",
            ),
        };
        self.steps.push(step);
    }

    /// Whether the bucket's access list grants the key more than reading; a store that does not name it there says nothing.
    async fn granted(&mut self, whose: &str) {
        let (answer, grants) = self.keys.published.as_ref().unwrap_or(&self.keys.read).grants(self.by()).await;
        if grants.is_more_than_reading() {
            if !self.risks.contains(&Risk::WriteCapable) {
                self.risks.push(Risk::WriteCapable);
            }
            self.steps.push(JudgedStep::of(
                &answer.exchange,
                Outcome::Failed,
                format!("The bucket's own access list grants the {whose} more than reading."),
                "Take every right but reading from the key, or publish one that can only read this bucket.",
            ));
        }
    }

    fn account_wide(&mut self, exchange: &Exchange, (provider, others): (&Provider, usize), whose: &str) -> JudgedStep {
        match &exchange.reply {
            Reply::Found(_) if !is_account_wide(provider, others) => {
                let why = format!("The {whose} is limited to this bucket: listing buckets shows no other.");
                JudgedStep::of(exchange, Outcome::Passed, why, "")
            }
            Reply::Found(_) => {
                self.risks.push(Risk::AccountWide);
                let why = format!(
                    "The {whose} lists the account's buckets ({others} beside this one): it is not limited to this one."
                );
                JudgedStep::of(
                    exchange,
                    Outcome::Failed,
                    why,
                    "Replace it by an Object Read token for this bucket alone.",
                )
            }
            reply if is_denied(reply) => JudgedStep::of(
                exchange,
                Outcome::Passed,
                format!("The {whose} is limited to objects: it cannot list buckets."),
                "",
            ),
            reply => JudgedStep::of(
                exchange,
                Outcome::Inconclusive,
                format!("The store's answer does not tell whether the {whose} is account-wide: {}.", told(reply)),
                "",
            ),
        }
    }
}

fn writes(exchange: &Exchange, whose: &str) -> JudgedStep {
    JudgedStep::of(
        exchange,
        Outcome::Failed,
        format!("The {whose} can WRITE: anybody can overwrite your windows."),
        "Revoke it now, then publish a key that can only read.",
    )
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

/// Whether a store that replied so has surely not done what was asked: it refused, or nothing reached it.
const fn was_not_done(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Refused { http: 300..=499, .. }
            | Reply::Unmarked(Page { http: 300..=499, .. })
            | Reply::Failed(
                Trouble::Dns { .. }
                    | Trouble::NotLookedUp { .. }
                    | Trouble::PrivateAddress { .. }
                    | Trouble::Tcp { .. }
                    | Trouble::Tls { .. }
                    | Trouble::NoRootCertificates
            )
    )
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

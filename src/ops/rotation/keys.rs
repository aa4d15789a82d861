//! Keys at the store: whether one works, is refused, or can do too much.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::executor::Executor;
use crate::domain::account::ShapeError;
use crate::domain::credentials::{BucketCredentials, ReadCredentials};
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::probe::{CANNOT_LIST, Exchange, MAY_LIST, Reply, Request, Risk, Verdict, is_denied, verdict_of};
use crate::domain::provider::Provider;
use crate::domain::rotation::{KeyAnswer, Rotation, Side};
use crate::domain::self_test::{JudgedStep, Outcome, SelfTest, is_account_wide};
use crate::domain::self_test_objects::CanaryName;
use crate::domain::text::uncapitalised;
use crate::domain::vault_index::GenerationNumber;
use crate::ops::commit::try_to_write;
use crate::ops::self_test::{Subject, self_test};
use crate::storage::{Owner, Target};
use crate::vault::{Generation, KeyPair};

impl Executor {
    /// What a key of a generation can do now. Of an old key nothing but reading is asked.
    pub(super) async fn key_of(&self, number: GenerationNumber, side: Side) -> KeyAnswer {
        let generation = match self.find(number).await {
            Ok(Some(generation)) => generation,
            Ok(None) => return KeyAnswer::Gone,
            Err(problem) if problem.code == "vault_generation_gone" => return KeyAnswer::Gone,
            Err(problem) => return KeyAnswer::Unclear(problem.summary),
        };
        match self.owner_of(&generation, side) {
            Ok(owner) => answer_of(&self.ask(&owner).await),
            Err(why) => KeyAnswer::Unclear(why),
        }
    }

    async fn ask(&self, owner: &Owner) -> Exchange {
        let canary = CanaryName::Canary(self.owner().hotkey);
        let by = Instant::now() + self.store.options().total;
        owner.get(Request::GetCanaryLocal, &canary, by).await.exchange
    }

    /// The own bucket, opened with the key of one side.
    fn owner_of(&self, generation: &Generation, side: Side) -> Result<Owner, String> {
        let provider = &self.context.provider;
        let pair = match side {
            // In single-credential mode the write pair reads too.
            Side::Read => generation.read.as_ref().or(generation.write.as_ref()),
            Side::Write => generation.write.as_ref(),
        };
        let pair = pair.ok_or_else(|| format!("generation {} has no {} key", generation.number, side.word()))?;
        let credentials = with_key(provider, generation, pair).map_err(|error| format!("the key {error}"))?;
        let target = Target::own_read(provider, &credentials).map_err(|misfit| misfit.to_string())?;
        Ok(self.store.owner(target))
    }

    /// Tests the new keys: known to the store, doing what they should, and no more. Says what was found.
    pub(super) async fn probe(&self, rotation: &Rotation) -> Result<Vec<String>, Diagnostic> {
        let generation = self.opened.generation(rotation.to).await?;
        for (side, _) in rotation.change.sides() {
            self.wait_until_known(&generation, side).await?;
        }
        self.working("testing what the new keys can do");
        match generation.write {
            Some(_) => self.test_with_canary(&generation, rotation.is_pinned).await,
            None => self.test_without_canary(&generation, rotation.is_pinned).await,
        }
    }

    /// R2 needs up to a minute to know a new key (FACTS 6).
    async fn wait_until_known(&self, generation: &Generation, side: Side) -> Result<(), Diagnostic> {
        let owner = self.owner_of(generation, side).map_err(|why| unusable(side, &why))?;
        let give_up = Instant::now() + self.timeouts.new_key;
        loop {
            self.working(format!("asking the store with the new {} key", side.word()));
            let asked = self.ask(&owner).await;
            let why = match answer_of(&asked) {
                KeyAnswer::Works => return Ok(()),
                // No waiting makes the secret right.
                KeyAnswer::Refused { http, code } if verdict_of(&asked.reply) == Verdict::AuthBadSecret => {
                    return Err(unusable(side, &format!("its secret is another one ({http} {code})")));
                }
                KeyAnswer::Refused { http, code } => format!("the store answers {http} {code}"),
                KeyAnswer::Gone => return Err(unusable(side, "it is not in the vault any more")),
                KeyAnswer::Unclear(found) => return Err(unusable(side, &found)),
            };
            if Instant::now() + self.timeouts.pause > give_up {
                return Err(unknown(side, &why, self.timeouts.new_key.as_secs()));
            }
            self.working(format!(
                "the store does not know the new {} key yet ({why}); a new token takes a minute",
                side.word()
            ));
            sleep(self.timeouts.pause).await;
        }
    }

    async fn test_with_canary(&self, generation: &Generation, is_trainer: bool) -> Result<Vec<String>, Diagnostic> {
        let context = self.with(generation);
        let credentials =
            BucketCredentials::parse(&context.provider, &context.configuration.local).map_err(|error| {
                Diagnostic::refused(
                    "credentials",
                    error.to_string(),
                    "Nothing is published with keys like these.",
                    "Roll back, and begin anew with the right keys.",
                )
            })?;
        let subject = Subject {
            provider: context.provider.clone(),
            hotkey: self.owner().hotkey,
            credentials,
            is_trainer,
            published: None,
            doubted: None,
            now_ms: Arc::clone(&self.now_ms),
        };
        let by = Instant::now() + self.store.options().whole;
        let test = Box::pin(self_test(subject, &self.store, by, std::future::pending::<()>())).await;
        let test = test.map_err(|error| unusable(Side::Write, &error.to_string()))?;
        judged(&test)
    }

    /// Without a write key nothing can be written to be read back, and nothing calibrates the scope test.
    async fn test_without_canary(&self, generation: &Generation, is_trainer: bool) -> Result<Vec<String>, Diagnostic> {
        let owner = self.owner_of(generation, Side::Read).map_err(|why| unusable(Side::Read, &why))?;
        let by = || Instant::now() + self.store.options().total;
        let (buckets, others) = owner.list_buckets(Request::ListBuckets, by()).await;
        let lists = matches!(buckets.exchange.reply, Reply::Found(_));
        if lists && is_account_wide(&self.context.provider, others) {
            return Err(too_much(&Risk::AccountWide));
        }
        if owner.grants(by()).await.1.is_more_than_reading() {
            return Err(too_much(&Risk::WriteCapable));
        }
        if is_trainer {
            let listed = owner.list_checkpoints(by()).await.answer.exchange.reply;
            match verdict_of(&listed) {
                _ if matches!(listed, Reply::Found(_)) => {}
                Verdict::ScopeDenied => return Err(cannot_list()),
                verdict => {
                    let why = format!("whether it lists grail/checkpoints/ cannot be told ({})", verdict.word());
                    return Err(unusable(Side::Read, &why));
                }
            }
        }
        let scope = self.tries_to_write(generation).await?;
        let buckets = if lists { "lists no other bucket" } else { "cannot list buckets" };
        let checkpoints = is_trainer.then_some("lists grail/checkpoints/");
        Ok(["reads", scope, buckets].into_iter().chain(checkpoints).map(ToOwned::to_owned).collect())
    }

    /// Where the store does not tell what a key may do, it is asked by doing it: nobody else has the new key yet.
    async fn tries_to_write(&self, generation: &Generation) -> Result<&'static str, Diagnostic> {
        let owner = self.owner_of(generation, Side::Read).map_err(|why| unusable(Side::Read, &why))?;
        let each = self.store.options().total;
        let canary = CanaryName::Canary(self.owner().hotkey);
        let write = self.owner_of(generation, Side::Write).ok();
        let (answer, left) = try_to_write(Request::PutCanary, &owner, write.as_ref(), &canary, each).await;
        if let Some(left) = left {
            tracing::warn!("{left} may be in the own bucket: it could not be removed");
        }
        match verdict_of(&answer.exchange.reply) {
            _ if is_denied(&answer.exchange.reply) => Ok("cannot write"),
            _ if matches!(answer.exchange.reply, Reply::Found(_)) => Err(too_much(&Risk::WriteCapable)),
            verdict => Err(unusable(Side::Read, &format!("whether it can write cannot be told ({})", verdict.word()))),
        }
    }
}

/// What an answer to a read says of the key.
fn answer_of(exchange: &Exchange) -> KeyAnswer {
    let verdict = verdict_of(&exchange.reply);
    match (verdict, &exchange.reply) {
        // Found, or not there: either way the store let the key look.
        (Verdict::NoObject, Reply::Found(_) | Reply::Refused { .. }) => KeyAnswer::Works,
        (Verdict::AuthUnknownKey | Verdict::AuthBadSecret, Reply::Refused { http: http @ (401 | 403), .. }) => {
            KeyAnswer::Refused { http: *http, code: exchange.reply.code().unwrap_or_default() }
        }
        _ => {
            let said = match &exchange.reply {
                refused @ Reply::Refused { .. } => refused.said(),
                Reply::Unmarked(page) => format!("{}, {}", page.http, page.shown()),
                other => other.code().unwrap_or_default(),
            };
            let said = if said.is_empty() { said } else { format!(" ({said})") };
            KeyAnswer::Unclear(format!("{}{said}", verdict.word()))
        }
    }
}

/// Credentials of a generation's bucket that read with one key.
fn with_key(provider: &Provider, generation: &Generation, pair: &KeyPair) -> Result<BucketCredentials, ShapeError> {
    let locator = generation.bucket.clone().or_else(|| generation.account.clone()).unwrap_or_default();
    let key_id = provider.key_id(&pair.id)?;
    provider.check_secret(pair.secret.expose())?;
    Ok(BucketCredentials { read: ReadCredentials { locator, key_id, secret: pair.secret.clone() }, write: None })
}

/// What the self-test found, or why it stands against publishing.
fn judged(test: &SelfTest) -> Result<Vec<String>, Diagnostic> {
    if let Some(risk) = test.risks.first() {
        return Err(too_much(risk));
    }
    if let Some(step) = test.steps.iter().find(|step| step.outcome == Outcome::Failed) {
        return Err(failed(step));
    }
    if let Some(step) = test.unanswered() {
        return Err(Diagnostic::failure(
            Class::Pending,
            "new_key_unknown",
            format!("What the new keys do is not known: {}: {}", step.words, uncapitalised(&step.explanation)),
            "Nothing was published: the keys on chain and in the .env are as they were.",
            "Run rotate resume when the store answers; or roll back.",
        ));
    }
    let passed = test.steps.iter().filter(|step| step.outcome == Outcome::Passed);
    let mut found: Vec<String> = passed.map(in_short).collect();
    // Two steps may show the same.
    found.dedup();
    Ok(found)
}

fn in_short(step: &JudgedStep) -> String {
    match step.step {
        "put_canary" => "the write key writes",
        "get_canary_local_key" => "the read key reads it back",
        "delete_canary" => "the canary is gone",
        "abort_upload" | "put_canary_read_key" => "the read key cannot write",
        "list_buckets" => "nor list other buckets",
        "list_checkpoints" => "it lists grail/checkpoints/",
        _ => step.explanation.trim_end_matches('.'),
    }
    .to_owned()
}

fn cannot_list() -> Diagnostic {
    Diagnostic::refused(
        "new_key_fails",
        CANNOT_LIST.trim_end_matches('.'),
        "Nothing was published: the keys on chain and in the .env are as they were.",
        MAY_LIST,
    )
}

fn failed(step: &JudgedStep) -> Diagnostic {
    let answer = step
        .http
        .map_or_else(String::new, |http| format!(" ({http} {})", step.code.as_deref().unwrap_or("without a code")));
    Diagnostic::refused(
        "new_key_fails",
        format!("{}{answer}", step.explanation.trim_end_matches('.')),
        "Nothing was published: the keys on chain and in the .env are as they were.",
        step.fix.clone(),
    )
}

fn too_much(risk: &Risk) -> Diagnostic {
    let (code, what, todo) = match risk {
        Risk::AccountWide => (
            "account_wide",
            "The new read key lists every bucket of the account",
            "Roll back, create an Object Read token for this bucket alone, and begin anew with it.",
        ),
        _ => (
            "write_capable",
            "The new read key can WRITE",
            "Roll back, revoke that token, create one with Object Read only, and begin anew with it.",
        ),
    };
    Diagnostic::refused(
        code,
        what,
        "What is published is readable by the whole world for ever. Nothing was published.",
        todo,
    )
}

fn unusable(side: Side, why: &str) -> Diagnostic {
    Diagnostic::refused(
        "new_key_fails",
        format!("The new {} key does not open the bucket: {why}", side.word()),
        "Nothing was published: the keys on chain and in the .env are as they were.",
        "Check the token at the provider and run rotate resume, or roll back and begin anew with another.",
    )
}

fn unknown(side: Side, why: &str, seconds: u64) -> Diagnostic {
    Diagnostic::failure(
        Class::Pending,
        "new_key_unknown",
        format!("The store does not know the new {} key after {seconds} s: {why}", side.word()),
        "A new token takes up to a minute. Nothing was published.",
        "Check that it is the Access Key ID and Secret of this account's token, then run rotate resume; or roll back.",
    )
}

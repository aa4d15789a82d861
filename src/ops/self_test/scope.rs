//! What the key that is read with could do besides: write, own the bucket, see others.

use super::{Subject, Test, told};
use crate::domain::probe::{CANNOT_LIST, Exchange, MAY_LIST, Reply, Request, Risk, Verdict, is_denied, verdict_of};
use crate::domain::provider::Provider;
use crate::domain::self_test::{AbortAnswer, Canary, JudgedStep, Outcome, can_write, is_account_wide};
use crate::domain::self_test_objects::CanaryName;
use crate::ops::commit::try_to_write;
use crate::storage::{Answer, Owner};

impl Test<'_> {
    /// What the key that is read with could do besides. A key that is published counts; else the local one.
    pub(super) async fn scope(&mut self, subject: &Subject, same: bool, foreign: bool) {
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
        let checkpoints = if subject.is_trainer { Some(key.list_checkpoints(self.by()).await.answer) } else { None };
        let step = self.account_wide(&answer.exchange, (&subject.provider, others), whose);
        self.steps.push(step);
        if let Some(answer) = checkpoints {
            self.steps.push(lists_checkpoints(&answer.exchange, whose));
        }
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

/// What uid 0's key must be able to do beside reading objects.
fn lists_checkpoints(exchange: &Exchange, whose: &str) -> JudgedStep {
    match &exchange.reply {
        Reply::Found(_) => {
            let why = format!("The {whose} lists grail/checkpoints/, as everybody does who needs one.");
            JudgedStep::of(exchange, Outcome::Passed, why, "")
        }
        reply if verdict_of(reply) == Verdict::ScopeDenied => {
            JudgedStep::of(exchange, Outcome::Failed, CANNOT_LIST, MAY_LIST)
        }
        reply => {
            let why = format!("Whether the {whose} lists grail/checkpoints/ is not known: {}.", told(reply));
            JudgedStep::of(exchange, Outcome::Inconclusive, why, "Run the self-test again when the store answers.")
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

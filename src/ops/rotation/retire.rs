//! The last step: everything is looked at once more, the old key must be refused, and only then it is forgotten.

use super::advance::NeedsInput;
use super::executor::Executor;
use super::publish::away;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::rotation::{ChainFacts, Event, Facts, KeyAnswer, Retirable, Rotation, Side, Step};

/// How a retirement ended.
#[derive(Debug)]
pub enum Retirement {
    /// The old keys are forgotten.
    Retired,
    /// These stand against it; nothing was changed.
    Blocked(Vec<Diagnostic>),
}

impl Executor {
    /// Looks at everything that retiring depends on.
    pub async fn facts(&self) -> Result<Facts, Diagnostic> {
        let chain = self.chain().await.map_err(|problem| away(&problem));
        self.facts_on(chain).await
    }

    /// The same on a reading of the chain that was made already, or why there is none.
    async fn facts_on(&self, chain: Result<ChainFacts, String>) -> Result<Facts, Diagnostic> {
        let rotation = self.under_way()?;
        let target = self.find(rotation.target()).await.ok().flatten();
        let env = match &target {
            Some(target) => Some(self.env_stands(target)?),
            None => None,
        };
        let new = self.new_answers(&rotation).await;
        let old = self.old_answers(&rotation).await;
        Ok(Facts { chain: Some(chain), env, new, old })
    }

    /// What the new keys can do now.
    pub(super) async fn new_answers(&self, rotation: &Rotation) -> Vec<(Side, KeyAnswer)> {
        let mut new = Vec::new();
        for (side, _) in rotation.change.sides() {
            new.push((side, self.new_key(rotation, side).await));
        }
        new
    }

    /// New keys that work are not forgotten where the vault has lost the old ones.
    pub(super) async fn new_keys_are_not_the_last(&self, rotation: &Rotation) -> Result<(), Diagnostic> {
        if self.opened.holds(rotation.from).await? {
            return Ok(());
        }
        let new = self.new_answers(rotation).await;
        if !new.iter().any(|(_, answer)| *answer == KeyAnswer::Works) {
            return Ok(());
        }
        Err(Diagnostic::refused(
            "old_key_unusable",
            "The old keys are not in the vault any more: the new ones are not forgotten",
            "The new keys work, and may be the only ones that do.",
            "Bring the old keys back with keys import from a .env that has them, then run rotate resume.",
        ))
    }

    /// What the old keys can do now.
    pub(super) async fn old_answers(&self, rotation: &Rotation) -> Vec<(Side, KeyAnswer)> {
        let mut old = Vec::new();
        for (side, _) in rotation.change.old_keys() {
            old.push((side, self.old_key(rotation, side).await));
        }
        old
    }

    /// Retires the old keys if every condition holds; else names each that does not, and changes nothing. Beside it the operator's
    /// word that every process of the subnet was restarted, which uid 0's key needs.
    pub async fn retire(&mut self, all_restarted: bool) -> Result<Retirement, Diagnostic> {
        let rotation = self.under_way()?;
        if rotation.step() == Step::ForgetOld {
            self.advance().await?;
            return Ok(Retirement::Retired);
        }
        self.working("looking at the chain, the .env and the store");
        let chain = if rotation.change.read.is_some() { self.verified_chain().await } else { self.chain().await };
        // A chain that cannot be asked is one of the conditions that are looked at.
        let chain = match chain {
            Err(problem) if problem.class != Class::Chain => return Err(problem),
            chain => chain.map_err(|problem| away(&problem)),
        };
        if let Some(pinned @ Event::Pinned) = chain.as_ref().ok().and_then(|chain| rotation.heard(chain)) {
            self.note(pinned)?;
        }
        if all_restarted && self.under_way()?.may_hear_of_restarts() {
            self.note(Event::AllRestarted)?;
        }
        let rotation = self.under_way()?;
        let facts = self.facts_on(chain).await?;
        match rotation.retirable(&facts) {
            Err(blockers) => Ok(Retirement::Blocked(blockers)),
            Ok(leave) => {
                self.forget_old(&rotation, &facts, leave).await?;
                Ok(Retirement::Retired)
            }
        }
    }

    async fn forget_old(&mut self, rotation: &Rotation, facts: &Facts, leave: Retirable) -> Result<(), Diagnostic> {
        for refusal in rotation.refusals(facts) {
            self.note(refusal)?;
        }
        self.note(leave.event())?;
        match self.advance().await? {
            NeedsInput::Done => Ok(()),
            halt => Err(Diagnostic::refused(
                "not_retired",
                format!("The old keys were not forgotten: {halt:?}"),
                "Something else came first.",
                "Run rotate status.",
            )),
        }
    }

    /// What the new key of a side can do.
    pub(super) async fn new_key(&self, rotation: &Rotation, side: Side) -> KeyAnswer {
        self.key_of(rotation.to, side).await
    }

    /// What the old key of a side can do.
    pub(super) async fn old_key(&self, rotation: &Rotation, side: Side) -> KeyAnswer {
        self.key_of(rotation.from, side).await
    }
}

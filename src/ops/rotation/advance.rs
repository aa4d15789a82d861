//! Going on as far as nothing needs to be asked.

use super::executor::Executor;
use super::publish::{Planned, Publishing};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::{ChainFacts, EnvStands, EnvUpdate, Event, Facts, KeyAnswer, Rotation, Seen, Side, Step};
use crate::domain::vault_index::GenerationNumber;

/// Where it stops.
#[derive(Debug)]
pub enum NeedsInput {
    /// The operator confirms the commit.
    Publish(Box<Publishing>),
    /// The operator decides about the `.env`.
    Env {
        /// Its path, where one is named.
        path: Option<String>,
        /// Names of the variables that would change.
        variables: Vec<String>,
    },
    /// The operator revokes the old token of this side at the provider.
    Revoke(Side),
    /// The operator looks at what the chain holds.
    Accept(Seen),
    /// The new keys are not in the vault: the console broke off before that.
    KeysNeeded,
    /// What became of the commit is not certain yet.
    Unsettled(Diagnostic),
    /// The grace runs, or is over.
    Grace,
    /// Nothing is left to do.
    Done,
}

impl Executor {
    /// Goes on until something is needed from outside.
    pub async fn advance(&mut self) -> Result<NeedsInput, Diagnostic> {
        // The plan of a commit finds that out itself.
        if !self.rotation().is_some_and(|rotation| matches!(rotation.step(), Step::Plan | Step::Publish)) {
            self.undisputed().await?;
        }
        self.see_reversion().await?;
        let mut way_back_seen = false;
        loop {
            let Some(rotation) = self.rotation().cloned() else { return Ok(NeedsInput::Done) };
            match rotation.step() {
                Step::Stage => {
                    if !self.is_staged(&rotation).await? {
                        return Ok(NeedsInput::KeysNeeded);
                    }
                    self.note(Event::Staged)?;
                }
                Step::Revoke(side) => match self.old_key(&rotation, side).await {
                    KeyAnswer::Refused { http, code } => self.note(Event::Refused { side, http, code })?,
                    KeyAnswer::Works => return Ok(NeedsInput::Revoke(side)),
                    KeyAnswer::Gone => {
                        let todo = "Bring it back with keys import from a .env that has it, or roll back.";
                        return Err(unproven(side, "it is not in the vault any more", todo));
                    }
                    KeyAnswer::Unclear(found) => {
                        return Err(unproven(side, &found, "Try again with rotate resume."));
                    }
                },
                Step::Probe => {
                    let found = self.probe(&rotation).await?;
                    self.note(Event::Probed { found })?;
                }
                Step::Publish | Step::Promote(_) if rotation.back && !way_back_seen => {
                    self.way_back().await?;
                    way_back_seen = true;
                }
                Step::Plan | Step::Publish => {
                    if let Some(halt) = self.plan_and_ask().await? {
                        return Ok(halt);
                    }
                }
                Step::Accept => {
                    if let Some(halt) = self.ask_about_difference(&rotation).await? {
                        return Ok(halt);
                    }
                }
                Step::Settle => {
                    if let Some(blocker) = self.reconcile(&rotation).await? {
                        return Ok(NeedsInput::Unsettled(blocker));
                    }
                }
                Step::Promote(number) => {
                    if let Some(event) = self.event_before(&rotation).await? {
                        self.note(event)?;
                        continue;
                    }
                    self.opened.promote(number).await?;
                    self.note(Event::Promoted)?;
                }
                Step::UpdateEnv => {
                    if let Some(event) = self.event_before(&rotation).await? {
                        self.note(event)?;
                        continue;
                    }
                    if let Some(halt) = self.look_at_env().await? {
                        return Ok(halt);
                    }
                }
                Step::BeginGrace => self.begin_grace(&rotation).await?,
                Step::Retire => return Ok(NeedsInput::Grace),
                Step::ForgetOld => {
                    self.forget(rotation.from).await?;
                    self.note(Event::Retired)?;
                }
                Step::ForgetNew => {
                    if !rotation.forgetting {
                        self.new_key_is_not_on_chain(&rotation).await?;
                        self.new_keys_are_not_the_last(&rotation).await?;
                    }
                    // It may have been put into use without a line that says so.
                    if self.opened.index.current == Some(rotation.to) {
                        self.opened.promote(rotation.from).await?;
                    }
                    if !rotation.forgetting {
                        self.note(Event::Forgetting)?;
                    }
                    self.forget(rotation.to).await?;
                    self.note(Event::Abandoned)?;
                }
                Step::FinishBack => self.note(Event::RolledBack)?,
                Step::Done => return Ok(NeedsInput::Done),
            }
        }
    }

    /// Turns back, and goes on from there.
    pub async fn roll_back(&mut self) -> Result<NeedsInput, Diagnostic> {
        let rotation = self.under_way()?;
        if rotation.back {
            return self.advance().await;
        }
        if !rotation.can_roll_back() {
            let why = if rotation.retiring {
                "The old keys are being forgotten: that was the last step."
            } else {
                "The store refuses the old key already, so going back to it would leave validators without any."
            };
            return Err(Diagnostic::refused(
                "no_way_back",
                "The rotation cannot be rolled back any more",
                why,
                "Finish it with rotate resume and rotate retire.",
            ));
        }
        self.way_back().await?;
        self.note(Event::TurnedBack)?;
        self.advance().await
    }

    /// The operator goes on over what the chain holds.
    pub async fn accept(&mut self) -> Result<NeedsInput, Diagnostic> {
        if let Some(seen) = self.under_way()?.difference {
            self.note(Event::Accepted { seen })?;
        }
        self.advance().await
    }

    /// Forgets a generation; one that never came into the vault, or is gone already, is fine.
    async fn forget(&mut self, number: GenerationNumber) -> Result<(), Diagnostic> {
        if self.opened.index.holding(number).is_none() {
            self.opened.next_number().await?;
        }
        if self.opened.index.holding(number).is_some() {
            self.opened.forget(number).await?;
        }
        Ok(())
    }

    /// Whether the new generation is in the vault, with the keys that the journal speaks of.
    pub(super) async fn is_staged(&mut self, rotation: &Rotation) -> Result<bool, Diagnostic> {
        if self.opened.index.holding(rotation.to).is_none() {
            // What a crash left in the store without the index knowing is taken into the index by this.
            self.opened.next_number().await?;
        }
        let Some(generation) = self.find(rotation.to).await? else { return Ok(false) };
        let is = |side: Side| match rotation.change.side(side) {
            None => true,
            Some(keys) => {
                let pair = if side == Side::Read { &generation.read } else { &generation.write };
                pair.as_ref().is_some_and(|pair| pair.reference() == keys.new)
            }
        };
        Ok(is(Side::Read) && is(Side::Write))
    }

    /// Plans the commit, notes what follows from what the chain holds, and asks the operator where nothing stands against it.
    async fn plan_and_ask(&mut self) -> Result<Option<NeedsInput>, Diagnostic> {
        self.working("reading the chain");
        let Planned { chain, publishing } = self.plan().await?;
        if let Some(stale) = stale(&chain) {
            return Err(stale);
        }
        loop {
            let rotation = self.under_way()?;
            match (rotation.heard(&chain), publishing.is_some()) {
                (Some(event), _) => self.note(event)?,
                (None, true) if rotation.step() == Step::Publish => break,
                // Settled by what the chain holds, or to be looked at by the operator.
                (None, _) => return Ok(None),
            }
            if !matches!(self.under_way()?.step(), Step::Plan | Step::Publish | Step::Accept) {
                return Ok(None);
            }
        }
        Ok(publishing.map(NeedsInput::Publish))
    }

    /// What the chain holds is different from what was expected: as long as it is, the operator decides.
    async fn ask_about_difference(&mut self, rotation: &Rotation) -> Result<Option<NeedsInput>, Diagnostic> {
        let chain = self.chain().await?;
        if let Some(event) = rotation.heard(&chain) {
            self.note(event)?;
            return Ok(None);
        }
        Ok(Some(NeedsInput::Accept(rotation.difference.unwrap_or(chain.seen))))
    }

    /// Somebody may have put another key on chain since: a GRAIL that started with an old `.env`, most often. A node that
    /// cannot be asked, whose word is old or which a second source does not confirm, changes nothing.
    async fn see_reversion(&mut self) -> Result<(), Diagnostic> {
        let Some(rotation) = self.rotation().cloned().filter(|rotation| rotation.change.read.is_some()) else {
            return Ok(());
        };
        let told = |chain: &ChainFacts| {
            let event = rotation.heard(chain).filter(|_| rotation.step() != Step::BeginGrace);
            event.filter(|event| matches!(event, Event::Reverted { .. } | Event::GraceBegan { .. } | Event::Pinned))
        };
        if self.chain().await.is_ok_and(|chain| told(&chain).is_some())
            && let Ok(chain) = self.verified_chain().await
            && let Some(event) = told(&chain)
        {
            self.note(event)?;
        }
        Ok(())
    }

    /// Before old keys are used again each has to work at the store. One that is refused turns the rotation round; so does
    /// one that the vault lost meanwhile, where the new keys work.
    async fn way_back(&mut self) -> Result<(), Diagnostic> {
        let rotation = self.under_way()?;
        let mut facts = Facts { old: self.old_answers(&rotation).await, ..Facts::default() };
        if rotation.back && facts.old.iter().any(|(_, answer)| *answer == KeyAnswer::Gone) {
            facts.new = self.new_answers(&rotation).await;
        }
        let blockers = rotation.back_blockers(&facts);
        for refusal in rotation.refusals(&facts) {
            self.note(refusal)?;
        }
        match blockers.into_iter().next() {
            // It is on the way forward again.
            Some(_) if rotation.back && !self.under_way()?.back => Ok(()),
            Some(blocker) => Err(blocker),
            None => Ok(()),
        }
    }

    async fn look_at_env(&mut self) -> Result<Option<NeedsInput>, Diagnostic> {
        let target = self.target().await?;
        let how = match self.env_stands(&target)? {
            EnvStands::Target => EnvUpdate::Already,
            EnvStands::Undefined => EnvUpdate::Undefined,
            EnvStands::Other => {
                let (path, variables) = self.env_question();
                return Ok(Some(NeedsInput::Env { path, variables }));
            }
            EnvStands::Unnamed => return Ok(Some(NeedsInput::Env { path: None, variables: Vec::new() })),
            EnvStands::Unreadable(why) => return Err(super::env::unreadable(&why)),
        };
        self.note(Event::EnvUpdated { how })?;
        Ok(None)
    }

    async fn begin_grace(&mut self, rotation: &Rotation) -> Result<(), Diagnostic> {
        let chain = self.verified_chain().await?;
        match rotation.heard(&chain) {
            Some(event) => self.note(event),
            None => Err(stale(&chain).map_or_else(super::executor::nothing_open, Diagnostic::from)),
        }
    }
}

pub(super) fn stale(chain: &ChainFacts) -> Option<Diagnostic> {
    (!chain.is_fresh()).then(|| {
        Diagnostic::blocker(
            "stale_head",
            "The node's newest final block is too old, so what it says is history",
            "Use another node with --endpoint; if all say the same, check this machine's clock.",
        )
    })
}

fn unproven(side: Side, found: &str, todo: &str) -> Diagnostic {
    Diagnostic::blocker(
        "old_key_unproven",
        format!("Whether the old {} key is refused cannot be told: {found}", side.word()),
        todo,
    )
}

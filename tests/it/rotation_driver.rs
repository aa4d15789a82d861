//! A console over the model world: it does what the machine says, the line in the journal before the act, and nothing of its
//! own. It may be gone after any touch of anything.

use grail_console::domain::rotation::{
    ChainFacts, Change, EnvStands, EnvUpdate, Event, Facts, KeyAnswer, Replacement, Rotation, Seen, Side, Step,
};
use grail_console::domain::vault_index::Backend;

use crate::rotation_fixtures::{LOCATOR, extrinsic};
use crate::rotation_world::{Generation, Stop, TokenId, World};

/// What the operator presses. A press is used up by the step it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    Resume,
    Publish,
    Env,
    Accept,
    Retire,
    RollBack,
}

/// The memory of a console, and what its operator heard from it.
#[derive(Debug, Clone, Default)]
pub struct Console {
    /// The generation that was typed, by its number. Nothing else has its new keys before they are in the vault.
    typed: Option<(u64, Generation)>,
}

/// Sides whose token the operator was told to revoke.
pub type Told = Vec<Side>;

/// Whether anything was done; else it waits for the operator, for time, or for something to answer.
type Went = Result<bool, Stop>;

/// The token of a side.
pub fn token(generation: Generation, side: Side) -> Option<TokenId> {
    match side {
        Side::Read => Some(generation.read),
        Side::Write => generation.write,
    }
}

fn line(world: &mut World, event: Event) -> Went {
    world.act(|world| world.write_line(event))?;
    Ok(true)
}

/// The first of these lines is written; the next look finds the others.
fn first_line(world: &mut World, events: Vec<Event>) -> Went {
    events.into_iter().next().map_or(Ok(false), |event| line(world, event))
}

impl Console {
    /// Begins with keys that the operator has just made.
    pub fn begin(
        &mut self,
        world: &mut World,
        sides: (bool, bool),
        grace_blocks: u64,
        emergency: bool,
    ) -> Result<(), Stop> {
        let Some(from) = world.index.current.filter(|_| world.open().is_none()) else { return Ok(()) };
        let Some(old) = world.act(|world| world.vault.get(&from).copied())? else { return Ok(()) };
        let mut new = old;
        if sides.0 {
            new.read = world.issue(Side::Read);
        }
        if sides.1 {
            new.write = Some(world.issue(Side::Write));
        }
        let reference = |token: TokenId| world.tokens[token].key.clone();
        let replaced = |side| {
            let (old, new) = (token(old, side), token(new, side));
            let new = new.filter(|_| old != new)?;
            Some(Replacement { old: old.map(reference), new: reference(new) })
        };
        let change = Change { read: replaced(Side::Read), write: replaced(Side::Write) };
        let to = world.index.next().max(world.history.highest() + 1);
        let locator = LOCATOR.to_owned();
        self.typed = Some((to, new));
        let began = Event::Began { from, to, backend: Backend::File, locator, change, grace_blocks, emergency };
        line(world, began).map(drop)
    }

    /// Goes on as far as nothing needs to be asked that was not pressed.
    pub fn drive(&mut self, world: &mut World, told: &mut Told, press: Press) -> Result<(), Stop> {
        let mut press = Some(press);
        if press == Some(Press::RollBack) {
            told.clear();
            roll_back(world)?;
        }
        for _ in 0..40 {
            if !self.go(world, told, &mut press)? {
                return Ok(());
            }
        }
        world.broken.get_or_insert("the driver goes round and round".to_owned());
        Ok(())
    }

    fn go(&mut self, world: &mut World, told: &mut Told, press: &mut Option<Press>) -> Went {
        let Some(rotation) = world.open().cloned() else { return Ok(false) };
        world.seen.insert(step_name(rotation.step()));
        match rotation.step() {
            Step::Stage => self.stage(world, &rotation),
            Step::Revoke(side) => revoke(world, told, &rotation, side),
            Step::Probe => probe(world, &rotation),
            Step::Plan | Step::BeginGrace => match heard(world, &rotation)? {
                Some(event) => line(world, event),
                None => Ok(false),
            },
            Step::Accept | Step::Publish => publish(world, &rotation, press),
            Step::Settle => reconcile(world, &rotation),
            Step::Promote(number) => promote(world, &rotation, number),
            Step::UpdateEnv => update_env(world, &rotation, press),
            Step::Retire => retire(world, told, &rotation, press),
            Step::ForgetOld => forget_old(world, &rotation),
            Step::ForgetNew => forget_new(world, &rotation),
            Step::FinishBack => finish_back(world, &rotation),
            Step::Done => Ok(false),
        }
    }

    fn stage(&self, world: &mut World, rotation: &Rotation) -> Went {
        let number = rotation.to;
        let typed = self.typed.filter(|(to, _)| *to == number).map(|(_, generation)| generation);
        let there = world.act(|world| world.vault.get(&number).copied())?;
        // Without it in vault or memory the operator has to turn back.
        let Some(generation) = there.or(typed) else { return Ok(false) };
        if there.is_none() {
            world.act(|world| world.put(number, generation))?;
        }
        let back = world.act(|world| world.vault.get(&number).copied())?;
        if back != Some(generation) {
            return Ok(false);
        }
        world.act(|world| {
            let holding = world.holding(number, generation);
            world.index.hold(holding);
        })?;
        line(world, Event::Staged)
    }
}

/// What the chain says, if it can be asked, and the event that follows from it.
fn heard(world: &mut World, rotation: &Rotation) -> Result<Option<Event>, Stop> {
    Ok(world.look()?.and_then(|chain| rotation.heard(&chain)))
}

fn answers(world: &mut World, rotation: &Rotation, number: u64, old: bool) -> Result<Vec<(Side, KeyAnswer)>, Stop> {
    let Some(generation) = world.act(|world| world.vault.get(&number).copied())? else { return Ok(Vec::new()) };
    let mut answers = Vec::new();
    for (side, keys) in rotation.change.sides() {
        if let Some(token) = token(generation, side).filter(|_| !old || keys.old.is_some()) {
            answers.push((side, world.probe(token)?));
        }
    }
    Ok(answers)
}

fn revoke(world: &mut World, told: &mut Told, rotation: &Rotation, side: Side) -> Went {
    let facts = Facts { old: answers(world, rotation, rotation.from, true)?, ..Facts::default() };
    let refusals = rotation.refusals(&facts);
    if refusals.is_empty() {
        told.push(side);
    }
    first_line(world, refusals)
}

fn probe(world: &mut World, rotation: &Rotation) -> Went {
    let answers = answers(world, rotation, rotation.to, false)?;
    let whole = answers.len() == rotation.change.sides().count();
    let works = whole && answers.iter().all(|(_, answer)| *answer == KeyAnswer::Works);
    if works { line(world, Event::Probed { found: vec!["works".to_owned()] }) } else { Ok(false) }
}

/// What has to be written down, or else forbids it, before old keys are used again.
fn no_way_back(world: &mut World, rotation: &Rotation) -> Result<Option<Vec<Event>>, Stop> {
    let facts = Facts { old: answers(world, rotation, rotation.from, true)?, ..Facts::default() };
    let refusals = rotation.refusals(&facts);
    let stands = !refusals.is_empty() || !rotation.back_blockers(&facts).is_empty();
    Ok(stands.then_some(refusals))
}

fn roll_back(world: &mut World) -> Result<(), Stop> {
    let Some(rotation) = world.open().cloned() else { return Ok(()) };
    if !rotation.can_roll_back() {
        return Ok(());
    }
    let event = match no_way_back(world, &rotation)? {
        None => Some(Event::TurnedBack),
        Some(refusals) => refusals.into_iter().next(),
    };
    event.map_or(Ok(()), |event| line(world, event).map(drop))
}

fn publish(world: &mut World, rotation: &Rotation, press: &mut Option<Press>) -> Went {
    let Some(chain) = world.look()? else {
        // A fork on which something follows for the rotation is no ground to send on: what follows has to be confirmed first.
        let told = world.told().filter(|told| rotation.step() == Step::Publish && rotation.heard(told).is_none());
        return told.map_or(Ok(false), |told| send(world, rotation, press, told.seen));
    };
    if let Some(event) = rotation.heard(&chain) {
        return line(world, event);
    }
    if chain.age_ms > grail_console::domain::freshness::TOO_OLD_FOR_NOW_MS {
        return Ok(false);
    }
    if let (Step::Accept, Some(seen)) = (rotation.step(), rotation.difference) {
        let pressed = press.take_if(|press| *press == Press::Accept).is_some();
        return if pressed { line(world, Event::Accepted { seen }) } else { Ok(false) };
    }
    send(world, rotation, press, chain.seen)
}

fn send(world: &mut World, rotation: &Rotation, press: &mut Option<Press>, before: Seen) -> Went {
    if press.take_if(|press| *press == Press::Publish).is_none() {
        return Ok(false);
    }
    if rotation.back
        && let Some(refusals) = no_way_back(world, rotation)?
    {
        return first_line(world, refusals);
    }
    let Some(keys) = world.act(|world| world.vault.get(&rotation.target()).copied())? else { return Ok(false) };
    if Some(&world.tokens[keys.read].key) != rotation.target_read() {
        return Ok(false);
    }
    line(world, Event::Signing { before })?;
    world.publish(keys.read)?;
    line(world, Event::Submitted { extrinsic: extrinsic() })
}

fn reconcile(world: &mut World, rotation: &Rotation) -> Went {
    let Some(chain) = world.look()? else { return Ok(false) };
    let end = world.commit_end();
    rotation.reconcile(&chain, &end).map_or(Ok(false), |event| line(world, event))
}

fn promote(world: &mut World, rotation: &Rotation, number: u64) -> Went {
    if rotation.back
        && let Some(refusals) = no_way_back(world, rotation)?
    {
        return first_line(world, refusals);
    }
    if let Some(event) = heard(world, rotation)? {
        return line(world, event);
    }
    world.act(|world| world.index.promote(number))?;
    line(world, Event::Promoted)
}

fn update_env(world: &mut World, rotation: &Rotation, press: &mut Option<Press>) -> Went {
    match world.act(|world| world.env_stands(rotation))? {
        EnvStands::Undefined => line(world, Event::EnvUpdated { how: EnvUpdate::Undefined }),
        EnvStands::Target => {
            let how = if rotation.env_begun { EnvUpdate::Rewritten } else { EnvUpdate::Already };
            line(world, Event::EnvUpdated { how })
        }
        _ if press.take_if(|press| *press == Press::Env).is_none() => Ok(false),
        _ => {
            line(world, Event::EnvIntended)?;
            world.act(|world| {
                // Only the variables of what changes.
                if let (Some(env), Some(target)) = (&mut world.env, world.vault.get(&rotation.target())) {
                    if rotation.change.read.is_some() {
                        env.read = target.read;
                    }
                    if rotation.change.write.is_some() {
                        env.write = target.write;
                    }
                }
            })?;
            line(world, Event::EnvUpdated { how: EnvUpdate::Rewritten })
        }
    }
}

fn facts(world: &mut World, rotation: &Rotation, chain: Option<ChainFacts>) -> Result<Facts, Stop> {
    Ok(Facts {
        chain: Some(chain.ok_or_else(|| "no node answers".to_owned())),
        env: Some(world.act(|world| world.env_stands(rotation))?),
        new: answers(world, rotation, rotation.to, false)?,
        old: answers(world, rotation, rotation.from, true)?,
    })
}

fn retire(world: &mut World, told: &mut Told, rotation: &Rotation, press: &mut Option<Press>) -> Went {
    let chain = world.look()?;
    if let Some(event) = chain.and_then(|chain| rotation.heard(&chain)) {
        return line(world, event);
    }
    if press.take_if(|press| *press == Press::Retire).is_none() {
        return Ok(false);
    }
    let facts = facts(world, rotation, chain)?;
    for refusal in rotation.refusals(&facts) {
        line(world, refusal)?;
    }
    match rotation.retirable(&facts) {
        Ok(_) => {
            line(world, Event::Retiring)?;
            forget_old(world, rotation)
        }
        Err(blockers) => {
            if blockers.iter().any(|blocker| blocker.code == "old_key_still_works") {
                let works = |(side, answer): &(Side, KeyAnswer)| (*answer == KeyAnswer::Works).then_some(*side);
                told.extend(facts.old.iter().filter_map(works));
            }
            Ok(false)
        }
    }
}

fn forget_old(world: &mut World, rotation: &Rotation) -> Went {
    world.act(|world| world.vault.remove(&rotation.from))?;
    world.act(|world| world.index.forget(rotation.from))?;
    line(world, Event::Retired)
}

fn forget_new(world: &mut World, rotation: &Rotation) -> Went {
    if !rotation.forgetting {
        line(world, Event::Forgetting)?;
    }
    // It may have been put into use without a line that says so.
    world.act(|world| world.index.promote(rotation.from))?;
    world.act(|world| world.vault.remove(&rotation.to))?;
    world.act(|world| world.index.forget(rotation.to))?;
    line(world, Event::Abandoned)
}

fn finish_back(world: &mut World, rotation: &Rotation) -> Went {
    let chain = world.look()?;
    if let Some(event) = chain.and_then(|chain| rotation.heard(&chain)) {
        return line(world, event);
    }
    let known = rotation.change.read.is_none() || chain.is_some();
    if known { line(world, Event::RolledBack) } else { Ok(false) }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Stage => "Stage",
        Step::Revoke(_) => "Revoke",
        Step::Probe => "Probe",
        Step::Plan => "Plan",
        Step::Accept => "Accept",
        Step::Publish => "Publish",
        Step::Settle => "Settle",
        Step::Promote(_) => "Promote",
        Step::UpdateEnv => "UpdateEnv",
        Step::BeginGrace => "BeginGrace",
        Step::Retire => "Retire",
        Step::ForgetOld => "ForgetOld",
        Step::ForgetNew => "ForgetNew",
        Step::FinishBack => "FinishBack",
        Step::Done => "Done",
    }
}

//! The rotation machine in a world where everything goes wrong at any time: the invariants I1-I5 hold after every touch of
//! anything, and whatever happened, a patient operator can finish or roll back.

use std::collections::BTreeSet;

use grail_console::domain::rotation::{EnvStands, LEAST_GRACE, Phase, Rotation, Side, Step};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::rotation_driver::{Console, Press, Told, token};
use crate::rotation_world::{Stop, World};

/// What happens next.
#[derive(Debug, Clone)]
enum Action {
    /// The operator does what the console asks for, at one of two consoles.
    Follow(bool),
    /// Or presses something else.
    Press(bool, Press),
    /// New keys: read, write, how long a grace, an emergency.
    Begin(bool, (bool, bool), u64, bool),
    /// The token goes that the console told to revoke, or that is of no use any more.
    Revoke,
    /// It goes although nobody said so.
    RevokeCarelessly,
    /// A console is closed, or killed: the same to what it kept in memory.
    Close(bool),
    Wait(u64),
    Grail,
    Somebody,
    Node(u8),
    Outage,
}

fn action() -> impl Strategy<Value = Action> {
    let press = prop_oneof![
        Just(Press::Resume),
        Just(Press::Publish),
        Just(Press::Env),
        Just(Press::Accept),
        Just(Press::Retire),
        Just(Press::RollBack),
    ];
    let second = || prop::bool::weighted(0.1);
    let sides = prop_oneof![3 => Just((true, false)), 1 => Just((false, true)), 2 => Just((true, true))];
    let grace = prop_oneof![1 => Just(0), 8 => Just(LEAST_GRACE), 4 => Just(300_u64)];
    prop_oneof![
        14 => second().prop_map(Action::Follow),
        6 => (second(), press).prop_map(|(second, press)| Action::Press(second, press)),
        2 => (second(), sides, grace, prop::bool::weighted(0.1)).prop_map(|(second, sides, grace, emergency)| {
            Action::Begin(second, sides, grace, emergency)
        }),
        3 => Just(Action::Revoke),
        1 => prop::bool::weighted(0.2).prop_map(|careless| if careless { Action::RevokeCarelessly } else { Action::Revoke }),
        1 => prop::bool::ANY.prop_map(Action::Close),
        6 => prop::sample::select(vec![1, 3, 10, 60, 140, 310]).prop_map(Action::Wait),
        2 => Just(Action::Grail),
        1 => prop::bool::weighted(0.3).prop_map(|often| if often { Action::Somebody } else { Action::Grail }),
        2 => any::<u8>().prop_map(Action::Node),
        1 => Just(Action::Outage),
    ]
}

#[derive(Debug, Clone)]
struct Run {
    world: World,
    consoles: [Option<Console>; 2],
    /// Who may drive.
    wheel: Option<usize>,
    told: Told,
    careless: bool,
}

impl Run {
    fn new(chaos: Vec<u8>, dice: u64, env: bool, write: bool) -> Self {
        let world = World::new(chaos, dice, env, write);
        Self { world, consoles: [None, None], wheel: None, told: Told::new(), careless: false }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Follow(second) => self.follow(*second),
            Action::Press(second, press) => self.press(*second, *press),
            Action::Begin(second, sides, grace, emergency) => self.begin(*second, *sides, *grace, *emergency),
            Action::Revoke => self.revoke(),
            Action::RevokeCarelessly => self.revoke_carelessly(),
            Action::Close(second) => self.close(usize::from(*second)),
            Action::Wait(blocks) => self.world.wait(*blocks),
            Action::Grail => self.world.grail_restarts(),
            Action::Somebody => self.world.somebody_commits(),
            Action::Node(chance) => self.world.node_changes(*chance),
            Action::Outage => self.world.outage = !self.world.outage,
        }
    }

    /// The console with the wheel; nothing happens at one whose wheel another has.
    fn drive(&mut self, second: bool, order: impl FnOnce(&mut Console, &mut World, &mut Told) -> Result<(), Stop>) {
        let who = usize::from(second);
        if self.wheel.is_some_and(|holder| holder != who) {
            return;
        }
        if self.wheel.is_none() {
            self.world.restart();
        }
        self.wheel = Some(who);
        let console = self.consoles[who].get_or_insert_default();
        match order(console, &mut self.world, &mut self.told) {
            Ok(()) => {}
            Err(Stop::Failed) => self.world.restart(),
            Err(Stop::Crashed) => self.close(who),
        }
    }

    fn close(&mut self, who: usize) {
        self.consoles[who] = None;
        self.wheel.take_if(|holder| *holder == who);
        self.world.restart();
    }

    fn press(&mut self, second: bool, press: Press) {
        self.drive(second, |console, world, told| console.drive(world, told, press));
    }

    fn begin(&mut self, second: bool, sides: (bool, bool), grace: u64, emergency: bool) {
        let is_open = self.world.open().is_some();
        self.drive(second, |console, world, told| {
            let begun = console.begin(world, sides, grace, emergency);
            if world.open().is_some() && !is_open {
                told.clear();
                world.overlapping &= !emergency && grace >= LEAST_GRACE;
            }
            begun?;
            console.drive(world, told, Press::Resume)
        });
    }

    fn follow(&mut self, second: bool) {
        match self.next_press() {
            Some(press) => self.press(second, press),
            None => self.begin(second, (true, false), LEAST_GRACE, false),
        }
    }

    fn next_press(&self) -> Option<Press> {
        Some(match self.world.open()?.step() {
            Step::Publish => Press::Publish,
            Step::Accept => Press::Accept,
            Step::UpdateEnv => Press::Env,
            Step::Retire => Press::Retire,
            _ => Press::Resume,
        })
    }

    /// What the console told, and what nobody needs any more: new keys that were given up, and those that were rolled back
    /// from an hour ago.
    fn revoke(&mut self) {
        if let Some(rotation) = self.world.open().cloned() {
            for side in self.told.clone() {
                self.revoke_old(&rotation, side);
            }
            return;
        }
        let Some(last) = self.world.history.closed.last().cloned() else { return };
        let hour_ago = (self.world.now() * 12_000).saturating_sub(last.since_ms) > 300 * 12_000;
        let settled = self.world.now() > self.world.on_chain().set_at + 60;
        let gone = match last.phase {
            Phase::Abandoned => true,
            Phase::RolledBack => hour_ago && settled,
            _ => false,
        };
        for (_, keys) in last.change.sides().filter(|_| gone) {
            let token = self.world.tokens.iter().position(|token| token.key == keys.new);
            let in_use = token.is_some_and(|token| token == self.world.on_chain().value);
            if let Some(token) = token.filter(|_| last.phase == Phase::Abandoned || !in_use) {
                self.world.revoke(token);
            }
        }
    }

    fn revoke_old(&mut self, rotation: &Rotation, side: Side) {
        let old = self.world.vault.get(&rotation.from).copied();
        if let Some(token) = old.and_then(|old| token(old, side)) {
            self.world.revoke(token);
        }
    }

    fn revoke_carelessly(&mut self) {
        if let Some(rotation) = self.world.open().cloned() {
            (self.careless, self.world.overlapping) = (true, false);
            for (side, _) in rotation.change.clone().old_keys() {
                self.revoke_old(&rotation, side);
            }
        }
    }

    /// A patient operator, with healthy surroundings: how the open rotation ends, within so many presses.
    fn finish(&mut self) -> Result<Option<Phase>, String> {
        self.world.heal();
        for _ in 0..120 {
            let Some(rotation) = self.world.open().cloned() else {
                return Ok(self.world.history.closed.last().map(|last| last.phase));
            };
            let who = self.wheel == Some(1);
            self.follow(who);
            self.revoke();
            let stuck = self.world.open() == Some(&rotation);
            match rotation.step() {
                // The new keys were in the memory of a console that is gone.
                Step::Stage if stuck => self.press(who, Press::RollBack),
                Step::Retire if stuck => self.world.wait(20),
                _ if stuck => self.world.wait(3),
                _ => {}
            }
            self.sound()?;
        }
        Err(format!("no end in sight: {:?}", self.world.open()))
    }

    /// Whether there is a way back: no old key was revoked, carelessly or because the console said so.
    fn old_keys_work(&self) -> bool {
        let Some(rotation) = self.world.open() else { return false };
        let keys: Vec<_> = rotation.change.old_keys().map(|(_, key)| key).collect();
        self.world.tokens.iter().all(|token| !token.revoked || !keys.contains(&&token.key))
    }

    fn sound(&self) -> Result<(), String> {
        self.world.broken.clone().map_or(Ok(()), Err)
    }

    /// After an end nothing moves any more: not even a GRAIL that starts.
    fn settled(&mut self) -> Result<(), String> {
        let Some(last) = self.world.history.closed.last().cloned() else { return Ok(()) };
        let in_use = self.world.index.current;
        if in_use != Some(last.target()) {
            return Err(format!("after {:?} generation {in_use:?} is in use", last.phase));
        }
        if last.phase == Phase::Abandoned {
            return self.sound();
        }
        if self.world.env_stands(&last) == EnvStands::Other {
            return Err(format!("after {:?} the .env holds other keys", last.phase));
        }
        self.world.grail_restarts();
        self.world.wait(70);
        let (on_chain, keys) = (self.world.on_chain().value, self.world.vault.get(&last.target()).copied());
        if last.change.read.is_some() && keys.map(|keys| keys.read) != Some(on_chain) {
            return Err(format!("after {:?} the chain holds {}", last.phase, self.world.tokens[on_chain].key));
        }
        self.sound()
    }
}

/// A random run, then its end, and on a copy its way back. Gives all that was seen.
fn run(actions: &[Action], mut run: Run) -> Result<BTreeSet<&'static str>, String> {
    for action in actions {
        run.act(action);
        run.sound()?;
    }
    let mut copy = run.clone();
    let was_open = run.world.open().is_some();
    let end = run.finish()?;
    if was_open {
        run.settled()?;
    }
    let mut seen = run.world.seen.clone();
    seen.extend(end.map(Phase::name));
    copy.world.heal();
    if copy.world.open().is_some_and(Rotation::can_roll_back) {
        let old_works = copy.old_keys_work();
        copy.press(copy.wheel == Some(1), Press::RollBack);
        let end = copy.finish()?;
        let back = matches!(end, Some(Phase::RolledBack | Phase::Abandoned));
        if !back && old_works {
            return Err(format!("turned back, it ended as {end:?}"));
        }
        copy.settled()?;
        seen.extend(copy.world.seen);
        seen.extend(end.map(Phase::name));
    }
    Ok(seen)
}

fn case() -> impl Strategy<Value = (Vec<Action>, Vec<u8>, u64, bool, bool)> {
    let chaos = prop_oneof![1 => Just(vec![]), 3 => prop::collection::vec(any::<u8>(), 0..200)];
    let actions = prop::collection::vec(action(), 1..50);
    (actions, chaos, any::<u64>(), prop::bool::weighted(0.8), prop::bool::weighted(0.8))
}

fn tried(case: &(Vec<Action>, Vec<u8>, u64, bool, bool)) -> Result<BTreeSet<&'static str>, TestCaseError> {
    let (actions, chaos, dice, env, write) = case;
    run(actions, Run::new(chaos.clone(), *dice, *env, *write)).map_err(TestCaseError::fail)
}

/// 256, or as many as `PROPTEST_CASES` says.
fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(256);
    Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_goes_wrong_no_invariant_breaks_and_every_rotation_can_be_finished_or_rolled_back(case in case()) {
        tried(&case)?;
    }
}

/// What is said to have failed, before the effect and after it, and a crash, before and after.
const MISHAPS: [u8; 4] = [224, 232, 240, 248];

/// A whole rotation with one mishap at its touch of this number; `None` where it has not so many.
fn with_a_mishap(mishap: u8, at: usize) -> Option<Run> {
    let mut chaos = vec![0; at + 1];
    chaos[0] = mishap;
    let mut run = Run::new(chaos, 7, true, true);
    run.begin(false, (true, true), LEAST_GRACE, false);
    let end = run.finish_without_healing();
    run.world.is_calm().then_some(())?;
    let (end, what) = (run.finish().unwrap().or(end), format!("{mishap} at {at}"));
    assert_eq!(run.sound(), Ok(()), "{what}");
    // Where the new keys were in no vault yet, there is nothing to go on with.
    assert!(matches!(end, Some(Phase::Retired | Phase::Abandoned) | None), "{what}: {end:?}");
    run.settled().unwrap();
    Some(run)
}

#[test]
fn one_mishap_at_any_touch_of_anything_changes_nothing_about_the_end() {
    let mut seen = BTreeSet::new();
    for mishap in MISHAPS {
        let runs = (0..).map_while(|at| with_a_mishap(mishap, at)).map(|run| seen.extend(run.world.seen)).count();
        assert!(runs > 40, "a rotation touches more than {runs} things");
    }
    for step in ["Stage", "Settle", "Promote", "UpdateEnv", "ForgetOld"] {
        assert!(seen.contains(step), "{step} is taken up again");
    }
}

#[test]
fn the_runs_reach_every_event_every_step_and_every_end() {
    let config = Config { cases: 400, ..config() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let seen = std::cell::RefCell::new(BTreeSet::new());
    runner
        .run(&case(), |case| {
            seen.borrow_mut().extend(tried(&case)?);
            Ok(())
        })
        .unwrap();
    let all = [
        "began",
        "staged",
        "probed",
        "planned",
        "signing",
        "submitted",
        "finalized",
        "unsent",
        "different",
        "accepted",
        "promoted",
        "env_intended",
        "env_updated",
        "grace_began",
        "reverted",
        "refused",
        "retiring",
        "retired",
        "turned_back",
        "forgetting",
        "abandoned",
        "rolled_back",
        "Stage",
        "Revoke",
        "Probe",
        "Plan",
        "Accept",
        "Publish",
        "Settle",
        "Promote",
        "UpdateEnv",
        "BeginGrace",
        "Retire",
        "ForgetNew",
        "FinishBack",
    ];
    let missed: Vec<_> = all.iter().filter(|name| !seen.borrow().contains(*name)).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// A whole rotation of a read key in calm surroundings, revoking as soon as the console says so.
fn calm(grace: u64) -> Run {
    let mut run = Run::new(vec![], 7, true, true);
    run.begin(false, (true, false), grace, false);
    // Whatever the grace, the model is to look.
    run.world.overlapping = true;
    assert_eq!(run.finish_without_healing(), Some(Phase::Retired));
    run.world.wait(100);
    run
}

impl Run {
    fn finish_without_healing(&mut self) -> Option<Phase> {
        for _ in 0..120 {
            let Some(rotation) = self.world.open().cloned() else { break };
            self.follow(false);
            self.revoke();
            if self.world.open() == Some(&rotation) {
                self.world.wait(1 + rotation.grace.map_or(0, |grace| grace.left(self.world.now())));
            }
        }
        self.world.history.closed.last().map(|last| last.phase)
    }
}

#[test]
fn with_the_least_grace_every_validator_reads_at_every_block() {
    let run = calm(LEAST_GRACE);
    assert_eq!(run.world.broken, None);
    assert_eq!(run.world.vault.len(), 1);
}

#[test]
fn without_a_grace_some_validator_reads_with_a_dead_key() {
    let broken = calm(0).world.broken.expect("somebody looked at the chain before the new key was there");
    assert!(broken.starts_with("I1: "), "{broken}");
}

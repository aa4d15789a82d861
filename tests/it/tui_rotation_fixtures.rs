//! Rotations for the tests of the screens: every report is a fold of events, as the journal would have it.

use grail_console::domain::commit::messages::Locked;
use grail_console::domain::commit::{Plan, Progress};
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::rotation::messages::{Question, RotateNews, RotateOrder};
use grail_console::domain::rotation::{
    Change, DEFAULT_GRACE, Entry, EnvUpdate, Event, History, OnChain, Replacement, Report, Rotation, Seen, Side,
};
use grail_console::domain::secret::{Fingerprint, SecretKey};
use grail_console::domain::vault_index::{Backend, KeyRef};
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::State;
use grail_console::tui::update::update;

use crate::tui_commit_fixtures::{EXTRINSIC, other, ready};
use crate::tui_fixtures::*;

/// The block in which the rotation's commit is final.
pub const SET_AT: u64 = HEAD - 178;

/// The key pair of a number, as journals name it.
pub fn key(n: u64) -> KeyRef {
    KeyRef::of(&key_id(n), &SecretKey::new(secret(n)))
}

/// What the chain holds when it is this pair in the own bucket.
pub fn held(n: u64) -> Seen {
    let key = key(n);
    Seen::Holds(OnChain { locator: Fingerprint::of(&account(42)), key_id: key.id, secret: key.secret })
}

fn read() -> Replacement {
    Replacement { old: Some(key(42)), new: key(50_042) }
}

fn write() -> Replacement {
    Replacement { old: Some(key(60_042)), new: key(70_042) }
}

fn began(change: Change, emergency: bool) -> Event {
    let grace_blocks = if emergency { 0 } else { DEFAULT_GRACE };
    let (from, to, backend, locator) = (2, 3, Backend::SecretService, account(42));
    Event::Began { from, to, backend, locator, change, grace_blocks, emergency }
}

pub fn read_key() -> Event {
    began(Change { read: Some(read()), write: None }, false)
}

pub fn write_key() -> Event {
    began(Change { read: None, write: Some(write()) }, false)
}

pub fn both_keys() -> Event {
    began(Change { read: Some(read()), write: Some(write()) }, false)
}

pub fn leaked() -> Event {
    began(Change { read: None, write: Some(write()) }, true)
}

pub fn probed() -> Event {
    let found = ["reads", "cannot write", "cannot list other buckets"];
    Event::Probed { found: found.map(ToOwned::to_owned).into() }
}

/// The way of a read key to its end.
pub fn way() -> Vec<Event> {
    let refused = Event::Refused { side: Side::Read, http: 401, code: "Unauthorized".to_owned() };
    vec![
        read_key(),
        Event::Staged,
        probed(),
        Event::Planned { seen: held(42) },
        Event::Signing { before: held(42) },
        Event::Submitted { extrinsic: EXTRINSIC },
        Event::Finalized { extrinsic: Some(EXTRINSIC), block: SET_AT },
        Event::Promoted,
        Event::EnvIntended,
        Event::EnvUpdated { how: EnvUpdate::Rewritten },
        Event::GraceBegan { from: SET_AT, ends_at: SET_AT + DEFAULT_GRACE },
        refused,
        Event::Retiring,
        Event::Retired,
    ]
}

/// The way as far as its first so many events.
pub fn way_to(events: usize) -> Vec<Event> {
    way().into_iter().take(events).collect()
}

pub fn in_grace() -> Vec<Event> {
    way_to(11)
}

/// Something that nobody here knows is on chain.
pub fn different() -> Vec<Event> {
    let mut events = way_to(6);
    events.push(Event::Different { seen: held(99) });
    events
}

/// Rolled back after it was published, as far as its first so many events since.
pub fn going_back(events: usize) -> Vec<Event> {
    let back = [
        Event::TurnedBack,
        Event::Signing { before: held(50_042) },
        Event::Submitted { extrinsic: EXTRINSIC },
        Event::Finalized { extrinsic: Some(EXTRINSIC), block: HEAD - 9 },
        Event::Promoted,
        Event::EnvUpdated { how: EnvUpdate::Rewritten },
        Event::RolledBack,
    ];
    in_grace().into_iter().chain(back.into_iter().take(events)).collect()
}

/// The events a minute from one another, the newest a minute ago.
pub fn journal(events: &[Event]) -> Vec<Entry> {
    let count = events.len() as u64;
    let entry = |(n, event): (u64, &Event)| Entry { at_ms: NOW_MS - (count - n) * 60_000, event: event.clone() };
    (0..).zip(events).map(entry).collect()
}

/// The open rotation of a journal, or the last one that is over.
pub fn folded(entries: &[Entry], blockers: Vec<Diagnostic>) -> (Option<Box<Report>>, Vec<Rotation>) {
    let History { closed, open } = History::fold(entries).unwrap();
    let rotation = open.or_else(|| closed.last().cloned());
    let report = |rotation| Box::new(Report { rotation, blockers, finalized: Some(HEAD) });
    (rotation.map(report), closed)
}

pub fn stands_of(events: &[Event], blockers: Vec<Diagnostic>, driven_elsewhere: bool) -> RotateNews {
    let journal = journal(events);
    let (report, closed) = folded(&journal, blockers);
    RotateNews::Stands { report, closed, journal, driven_elsewhere }
}

pub fn told(state: &mut State, news: RotateNews) -> Vec<Effect> {
    update(state, Msg::Event(EngineEvent::Rotate(news)))
}

/// Tells where it stands.
pub fn stands(state: &mut State, events: &[Event]) -> Vec<Effect> {
    told(state, stands_of(events, Vec::new(), false))
}

/// A console that knows of no rotation.
pub fn untouched() -> State {
    let mut state = ready();
    stands(&mut state, &[]);
    state
}

/// A console whose table holds the own commitment of a pair, set in a block.
pub fn holding(n: u64, block: u64) -> State {
    let mut snapshot = healthy();
    snapshot.commitments.insert(hotkey(u64::from(OWN)), other(n, block));
    let mut state = live(own(&values(42, true)), snapshot);
    state.options.read_only = false;
    state
}

/// A console with an open rotation, outside its dialog; the chain holds what the rotation has put there.
pub fn with(events: &[Event]) -> State {
    let set = events.iter().rev().find_map(|event| match event {
        Event::Finalized { block, .. } => Some(*block),
        _ => None,
    });
    let back = events.contains(&Event::TurnedBack);
    let mut state = match set {
        Some(block) if back && block > SET_AT => holding(42, block),
        Some(block) => holding(50_042, block),
        None => ready(),
    };
    stands(&mut state, events);
    state
}

/// The same in its dialog.
pub fn shown(events: &[Event]) -> State {
    let mut state = with(events);
    assert_eq!(press(&mut state, "R"), [Effect::Ask(Request::Rotate(RotateOrder::Look))]);
    stands(&mut state, events);
    state
}

/// The wizard with keys of the right lengths entered.
pub fn entered(keys: &str) -> State {
    let mut state = untouched();
    press(&mut state, keys);
    update(&mut state, Msg::KeysTyped { lengths: [32, 64, 32, 64] });
    state
}

pub fn asks(state: &mut State, question: Question) {
    told(state, RotateNews::Asks(question));
}

pub fn asks_to_publish(state: &mut State, plan: Plan, locked: Locked) {
    asks(state, Question::Publish { request: 7, plan: Box::new(plan), locked });
}

pub fn asks_for_env(state: &mut State, path: Option<&str>) {
    let variables = ["R2_READ_ACCESS_KEY_ID", "R2_READ_SECRET_ACCESS_KEY"].map(ToOwned::to_owned).into();
    asks(state, Question::Env { path: path.map(ToOwned::to_owned), variables });
}

pub fn progressed(state: &mut State, progress: Progress) {
    told(state, RotateNews::Progress(progress));
}

pub fn working(state: &mut State, words: &str) {
    told(state, RotateNews::Working { words: words.to_owned() });
}

pub fn paused() -> Diagnostic {
    Diagnostic::new(
        "vault_locked",
        Severity::Warning,
        "The Secret Service is locked",
        "The new generation can neither be read nor put into use before it is open.",
        "Unlock it (your desktop asks, or log in), then go on.",
    )
}

pub fn misshapen() -> Diagnostic {
    Diagnostic::new(
        "misshapen",
        Severity::Danger,
        "The new read key id has 31 characters, not 32",
        "R2's key ids are 32 lowercase hex characters; the store refuses any other.",
        "Copy it again from the token's page.",
    )
}

pub fn blocker(code: &'static str, what: &str, todo: &str) -> Diagnostic {
    Diagnostic::blocker(code, what, todo)
}

/// A past of rotations that are over: retired, rolled back, given up.
pub fn past() -> Vec<Event> {
    let given_up = [read_key(), Event::Staged, Event::TurnedBack, Event::Forgetting, Event::Abandoned];
    let rounds = [(2, 3, way()), (3, 4, going_back(7)), (3, 5, given_up.to_vec())];
    rounds
        .into_iter()
        .flat_map(|(from, to, events)| events.into_iter().map(move |event| numbered(event, from, to)))
        .collect()
}

fn numbered(event: Event, old: u64, new: u64) -> Event {
    match event {
        Event::Began { backend, locator, change, grace_blocks, emergency, .. } => {
            Event::Began { from: old, to: new, backend, locator, change, grace_blocks, emergency }
        }
        other => other,
    }
}

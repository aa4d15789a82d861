//! Rotations as their events tell them: keys with canary secrets, and the ways there.

use grail_console::domain::network::BlockHash;
use grail_console::domain::rotation::{
    ChainFacts, Change, Entry, EnvStands, EnvUpdate, Event, Facts, KeyAnswer, OnChain, Phase, Replacement, Rotation,
    Seen, Side,
};
use grail_console::domain::secret::{Fingerprint, SecretKey};
use grail_console::domain::vault_index::{Backend, KeyRef};

pub const LOCATOR: &str = "3f9a12c4e13f9a12c4e13f9a12c4e1aa";
pub const GRACE: u64 = 300;
/// What no word, no line and no screen may hold.
pub const CANARIES: [&str; 4] = ["canary-old-read", "canary-new-read", "canary-old-write", "canary-new-write"];

pub fn key(id: &str, secret: &str) -> KeyRef {
    KeyRef::of(id, &SecretKey::new(secret))
}

pub fn old_read() -> KeyRef {
    key("0ld0read0000000000000000000000aa", CANARIES[0])
}

pub fn new_read() -> KeyRef {
    key("4e40read0000000000000000000000bb", CANARIES[1])
}

#[expect(clippy::unnecessary_wraps, reason = "it goes where there may be none")]
pub fn read_change() -> Option<Replacement> {
    Some(Replacement { old: Some(old_read()), new: new_read() })
}

#[expect(clippy::unnecessary_wraps, reason = "it goes where there may be none")]
pub fn write_change() -> Option<Replacement> {
    let (old, new) = ("0ld0write000000000000000000000cc", "4e40write000000000000000000000dd");
    Some(Replacement { old: Some(key(old, CANARIES[2])), new: key(new, CANARIES[3]) })
}

pub fn first_write() -> Option<Replacement> {
    write_change().map(|keys| Replacement { old: None, ..keys })
}

pub fn began(read: Option<Replacement>, write: Option<Replacement>) -> Event {
    Event::Began {
        from: 2,
        to: 3,
        backend: Backend::File,
        locator: LOCATOR.to_owned(),
        change: Change { read, write },
        grace_blocks: GRACE,
        emergency: false,
    }
}

pub fn emergency(read: Option<Replacement>, write: Option<Replacement>) -> Event {
    let Event::Began { from, to, backend, locator, change, grace_blocks, .. } = began(read, write) else {
        unreachable!("it is what began makes")
    };
    Event::Began { from, to, backend, locator, change, grace_blocks, emergency: true }
}

pub fn holds(key: &KeyRef) -> Seen {
    Seen::Holds(OnChain { locator: Fingerprint::of(LOCATOR), key_id: key.id, secret: key.secret })
}

/// A commitment of somebody else with this hotkey.
pub fn foreign() -> Seen {
    holds(&key("f0re1gn", "another secret"))
}

pub fn old_on_chain() -> Seen {
    holds(&old_read())
}

pub fn new_on_chain() -> Seen {
    holds(&new_read())
}

pub fn refused(side: Side) -> Event {
    Event::Refused { side, http: 401, code: "Unauthorized".to_owned() }
}

pub fn extrinsic() -> BlockHash {
    BlockHash([0xe5; 32])
}

pub fn finalized(block: u64) -> Event {
    Event::Finalized { extrinsic: Some(extrinsic()), block }
}

pub fn grace(from: u64) -> Event {
    Event::GraceBegan { from, ends_at: from + GRACE }
}

pub fn begun(event: &Event) -> Rotation {
    Rotation::begin(event, 1_000).unwrap()
}

/// What follows from these events, each a second after the one before.
pub fn after(mut rotation: Rotation, events: &[Event]) -> Rotation {
    for event in events {
        let at_ms = rotation.since_ms + 1_000;
        rotation.apply(event, at_ms).unwrap_or_else(|contradiction| panic!("{contradiction}"));
    }
    rotation
}

/// The way of a read key, the event that reaches each phase beside it.
pub fn way() -> Vec<(Phase, Event)> {
    vec![
        (Phase::Staged, Event::Staged),
        (Phase::Probed, Event::Probed { found: vec!["reads".to_owned(), "does not write".to_owned()] }),
        (Phase::Planned, Event::Planned { seen: old_on_chain() }),
        (Phase::Signed, Event::Signing { before: old_on_chain() }),
        (Phase::Submitted, Event::Submitted { extrinsic: extrinsic() }),
        (Phase::Finalized, finalized(1_000)),
        (Phase::Promoted, Event::Promoted),
        (Phase::EnvUpdated, Event::EnvUpdated { how: EnvUpdate::Rewritten }),
        (Phase::Grace, grace(1_010)),
    ]
}

/// Events that lead to a phase before the end.
pub fn way_to(phase: Phase) -> Vec<Event> {
    way().into_iter().filter(|(reached, _)| *reached <= phase).map(|(_, event)| event).collect()
}

/// A read key's rotation at a phase before the end.
pub fn at(phase: Phase) -> Rotation {
    let rotation = after(begun(&began(read_change(), None)), &way_to(phase));
    assert_eq!(rotation.phase, phase);
    rotation
}

/// A write key's rotation at a phase before the end.
pub fn write_at(phase: Phase) -> Rotation {
    let on_the_way = |event: &Event| {
        !matches!(
            event,
            Event::Planned { .. } | Event::Signing { .. } | Event::Submitted { .. } | Event::Finalized { .. }
        )
    };
    let events: Vec<_> = way_to(phase).into_iter().filter(on_the_way).collect();
    let rotation = after(begun(&began(None, write_change())), &events);
    assert_eq!(rotation.phase, phase);
    rotation
}

/// A node with a fresh head.
pub fn chain(finalized: u64, seen: Seen) -> ChainFacts {
    ChainFacts { finalized, age_ms: 30_000, uid: Some(42), seen, set_at: Some(1_000) }
}

pub fn no() -> KeyAnswer {
    KeyAnswer::Refused { http: 401, code: "Unauthorized".to_owned() }
}

/// Everything that retiring a read key at [`Phase::Grace`] depends on, and all of it so.
pub fn all_holds() -> Facts {
    Facts {
        chain: Some(Ok(chain(2_000, new_on_chain()))),
        env: Some(EnvStands::Target),
        new: vec![(Side::Read, KeyAnswer::Works)],
        old: vec![(Side::Read, no())],
    }
}

pub fn entries(events: Vec<Event>) -> Vec<Entry> {
    events.into_iter().zip(1_000..).map(|(event, at_ms)| Entry { at_ms, event }).collect()
}

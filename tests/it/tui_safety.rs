//! No text from outside reaches the terminal as anything but visible text; no secret reaches the state.

use grail_console::domain::commit::messages::{Locked, News};
use grail_console::domain::commit::plan::Check;
use grail_console::domain::commit::{Ended, Failure, PoolAnswer, Progress};
use grail_console::domain::commitment::{Commitment, MaskedBytes, Payload, Stored};
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::probe::{ProbeNews, Reply, Request, Trouble};
use grail_console::domain::rotation::messages::{Question, RotateNews};
use grail_console::domain::rotation::{Event, OnChain, Seen, Side};
use grail_console::domain::secret::Fingerprint;
use grail_console::domain::snapshot::SubnetChange;
use grail_console::domain::untrusted::{Untrusted, is_visible};
use grail_console::tui::logbook::{Level, LogLine};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use proptest::prelude::*;
use ratatui::buffer::Buffer;

use crate::tui_commit_fixtures::*;
use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::*;
use crate::tui_rotation_fixtures::{self as rotations, stands, stands_of, told};

/// Bytes that are more often nasty than random ones are.
fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\u{1b}[2J".as_bytes().to_vec()),
        Just("\u{1b}]52;c;aGk=\u{7}".as_bytes().to_vec()),
        Just("\u{202e}\u{2066}\u{200f}".as_bytes().to_vec()),
        Just("\u{200b}\u{200d}\u{feff}\u{fe0f}".as_bytes().to_vec()),
        Just("e\u{301}\u{e9}\u{627}\u{5d0}".as_bytes().to_vec()),
        Just("漢字👩👍🏽🇩🇪".as_bytes().to_vec()),
        Just(vec![0x9b, 0xff, 0x00, 0x0d, 0x0a, 0x09]),
        any::<char>().prop_map(|c| c.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..8),
        "[ -~]{0,12}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// The first bytes filled up or cut to a length that GRAIL's rule accepts, so that they get as far as they can.
fn as_readable(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let mut chars: Vec<char> = text.chars().take(128).collect();
    chars.resize(128, 'z');
    chars.into_iter().collect::<String>().into_bytes()
}

fn console(bytes: &[u8]) -> State {
    let words = Untrusted::from_bytes(bytes);
    let wild = String::from_utf8_lossy(bytes).into_owned();
    let mut own = own(&values(42, true));
    own.wallet = Some(words.clone());
    own.hotkey_name = Some(words.clone());
    own.paths.push(("wild", words.clone()));
    let mut snapshot = all_good(20, 2);
    let put = |fields| commitment(HEAD - 10, fields);
    snapshot.commitments.insert(hotkey(0), put(vec![raw(bytes.to_vec())]));
    snapshot.commitments.insert(hotkey(1), put(vec![raw(as_readable(bytes))]));
    snapshot.commitments.insert(hotkey(2), put(vec![Payload::Unknown { variant: words.clone() }]));
    snapshot.commitments.insert(
        hotkey(3),
        Commitment::of(&Stored::Undecodable {
            block: None,
            length: 3,
            unknown: None,
            dump: MaskedBytes::default(),
            why: words.clone(),
        }),
    );
    snapshot.commitments.insert(hotkey(90_000), put(vec![raw(as_readable(bytes))]));
    snapshot.chain.network.clone_from(&wild);
    let mut state = live(own, snapshot);
    state.options.network.clone_from(&wild);
    let line = LogLine { seq: 1, at_ms: NOW_MS, level: Level::Warn, target: wild.clone(), message: words };
    update(&mut state, Msg::Logs(vec![line]));
    let problem = Diagnostic::new("wild", Severity::Danger, wild.clone(), wild.clone(), wild.clone());
    test_wildly(&mut state, &wild);
    feed(&mut state, FeedEvent::Lost { endpoint: wild, problem, retry_in_ms: 1_000 });
    press(&mut state, "o");
    update(&mut state, Msg::Paste(String::from_utf8_lossy(bytes).into_owned()));
    state
}

/// Stores that say what they like, and one who tests them.
fn test_wildly(state: &mut State, wild: &str) {
    let words = || Some(Untrusted::from_text(wild));
    for (uid, code) in [(0, words()), (1, Some("InvalidArgument".into())), (42, None)] {
        let reply = Reply::Refused { http: 400, code, message: words() };
        tested(state, judged(uid, vec![(Request::HeadCompressed, reply)], 9));
    }
    let trouble = Trouble::Tls { why: Untrusted::from_text(wild), handshake_failure: false };
    tested(state, judged(2, vec![(Request::HeadCompressed, Reply::Failed(trouble))], 9));
    let problem = Diagnostic::new("wild", Severity::Danger, wild, wild, wild);
    tell(state, ProbeNews::Failed { hotkeys: vec![hotkey(1)], problem });
    let mut seen = visibility(false);
    wild.clone_into(&mut seen.sentence);
    wild.clone_into(&mut seen.checks[0].evidence);
    wild.clone_into(&mut seen.checks[3].fix);
    tell(state, ProbeNews::Seen(Box::new(seen)));
}

/// A cell holds one visible character, or several that are each visible and have columns of their own.
fn assert_clean(buffer: &Buffer) {
    for cell in &buffer.content {
        assert!(cell.symbol().chars().all(is_visible), "{:?} on the screen", cell.symbol());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_bytes_arrive_the_screen_holds_only_visible_characters(bytes in nasty()) {
        let state = console(&bytes);
        for keys in ["g", "j enter", "j j enter", "G enter", "u", "m", "L", "?", "j j y", "/", ":"] {
            let mut state = state.clone();
            press(&mut state, keys);
            update(&mut state, Msg::Paste(String::from_utf8_lossy(&bytes).into_owned()));
            for (width, height) in [(80, 24), (160, 40)] {
                assert_clean(&drawn(&state, width, height));
            }
        }
        let mut never = opened(nobody());
        never.model.connection = state.model.connection.clone();
        never.options.network = state.options.network.clone();
        assert_clean(&drawn(&never, 80, 24));
    }
}

#[test]
fn no_secret_is_in_the_state_or_on_any_screen() {
    let secrets = [secret(42), secret(50_042), secret(60_042), secret(3)];
    for own_values in [values(42, false), values(42, true), legacy_values(42)] {
        let mut state = live(own(&own_values), healthy());
        let serialized = serde_json::to_string(&state).unwrap();
        let debugged = format!("{state:?}");
        assert!(serialized.contains(&account(42)), "the state is in the JSON at all");
        let mut screens = String::new();
        for keys in ["g", "y", "esc enter", "G", "u", "?", "L"] {
            press(&mut state, keys);
            screens.push_str(&screen(&state, 200, 120));
        }
        for secret in &secrets {
            for part in [&secret[..16], &secret[48..]] {
                assert!(!serialized.contains(part) && !debugged.contains(part) && !screens.contains(part));
            }
        }
        let write_id = key_id(60_042);
        assert!(!serialized.contains(&write_id), "of the write key only ends and a fingerprint are kept");
    }
}

/// A commit whose every word somebody else wrote: network, names, what nodes say, why it ended.
fn wild_commits(bytes: &[u8]) -> Vec<State> {
    let words = Untrusted::from_bytes(bytes);
    let wild = String::from_utf8_lossy(bytes).into_owned();
    let problem = || Diagnostic::new("wild", Severity::Danger, wild.clone(), wild.clone(), wild.clone());
    let mut standing = standing();
    standing.chain.network.clone_from(&wild);
    standing.commitment = Some(commitment(HEAD - 9, vec![raw(as_readable(bytes))]));
    let mut wild_plan = plan_of(standing, true);
    wild_plan.subject.wallet = Some(words.clone());
    wild_plan.subject.name = Some(words.clone());
    wild_plan.checks.push(Check::odd("wild", wild.clone()));
    let mut deciding = ready();
    planned(&mut deciding, wild_plan, Locked::Password);
    press(&mut deciding, "text:4");
    let mut password = deciding.clone();
    press(&mut password, "text:2 tab enter");
    update(&mut password, Msg::Typed { chars: 700 });
    press(&mut password, "enter");
    let mut running = password.clone();
    news(&mut password, News::WrongPassword { request: 1, problem: problem() });
    went(&mut running, Progress::Disbelieved { what: wild.clone() });
    went(&mut running, Progress::Lost { problem: problem() });
    went(&mut running, Progress::Found { endpoint: wild.clone() });
    let mut over = running.clone();
    let failure = Failure::Dispatch { error: words.clone(), block: block(HEAD), next_epoch_at: None };
    ended(&mut over, Ended::Failed { failure, extrinsic: Some(EXTRINSIC) });
    let mut closed = over.clone();
    press(&mut closed, "esc");
    let mut settled_wildly = ready();
    let failure = Failure::Pool(PoolAnswer::Other { code: 1, message: words });
    settled(&mut settled_wildly, Ended::Failed { failure, extrinsic: None });
    let change = SubnetChange {
        block: HEAD + 1,
        commitments: vec![(hotkey(u64::from(OWN)), Some(commitment(HEAD + 1, vec![raw(as_readable(bytes))])))],
        members: Vec::new(),
    };
    feed(&mut settled_wildly, FeedEvent::Changed(Box::new(change)));
    vec![deciding, password, running, over, closed, settled_wildly]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_said_of_a_commit_the_screen_holds_only_visible_characters(bytes in nasty()) {
        for state in wild_commits(&bytes) {
            for (width, height) in [(60, 15), (80, 24), (160, 50)] {
                assert_clean(&drawn(&state, width, height));
            }
        }
    }
}

/// Rotations whose every word somebody else wrote: store, vault and node, the journal, the path of the `.env`.
fn wild_rotations(bytes: &[u8]) -> Vec<State> {
    let wild = String::from_utf8_lossy(bytes).into_owned();
    let problem = || Diagnostic::new("wild", Severity::Danger, wild.clone(), wild.clone(), wild.clone());
    let there = |seen: Seen| match seen {
        Seen::Holds(held) => Seen::Holds(OnChain { locator: Fingerprint::of(&wild), ..held }),
        other => other,
    };
    let wild_event = |event: Event| match event {
        Event::Began { from, to, backend, change, grace_blocks, emergency, .. } => {
            let mut change = change;
            for keys in [&mut change.read, &mut change.write].into_iter().flatten() {
                keys.new.shown.clone_from(&wild);
                keys.old.iter_mut().for_each(|old| old.shown.clone_from(&wild));
            }
            Event::Began { from, to, backend, locator: wild.clone(), change, grace_blocks, emergency }
        }
        Event::Probed { .. } => Event::Probed { found: vec![wild.clone(), wild.clone()] },
        Event::Refused { side, http, .. } => Event::Refused { side, http, code: wild.clone() },
        Event::Unsent { .. } => Event::Unsent { why: wild.clone() },
        Event::Planned { seen } => Event::Planned { seen: there(seen) },
        Event::Signing { before } => Event::Signing { before: there(before) },
        other => other,
    };
    let events: Vec<Event> = rotations::way().into_iter().map(wild_event).collect();
    let mut open = ready();
    told(&mut open, stands_of(&events[..11], vec![Diagnostic::blocker("wild", wild.clone(), wild.clone())], false));
    let mut paused = open.clone();
    told(&mut paused, RotateNews::Paused(problem()));
    let mut log = paused.clone();
    press(&mut log, "L");
    let mut all = vec![open.clone(), paused.clone(), log];
    press(&mut open, "R");
    let mut working = open.clone();
    told(&mut working, RotateNews::Working { words: wild.clone() });
    let mut revoke = open.clone();
    told(&mut revoke, RotateNews::Asks(Question::Revoke { side: Side::Read }));
    let mut turning = open.clone();
    press(&mut turning, "b");
    press(&mut paused, "R");
    let mut env = ready();
    stands(&mut env, &events[..8]);
    press(&mut env, "R");
    let question = Question::Env { path: Some(wild.clone()), variables: vec![wild.clone()] };
    told(&mut env, RotateNews::Asks(question));
    let mut different = ready();
    let odd: Vec<Event> = events[..6].iter().cloned().chain([Event::Different { seen: rotations::held(99) }]).collect();
    stands(&mut different, &odd);
    press(&mut different, "R");
    told(&mut different, RotateNews::Asks(Question::Accept));
    let mut over = ready();
    stands(&mut over, &events[..11]);
    stands(&mut over, &events);
    press(&mut over, "R");
    let mut unreadable = ready();
    told(&mut unreadable, RotateNews::Refused(problem()));
    all.push(unreadable.clone());
    press(&mut unreadable, "R");
    all.extend(vec![open, paused, working, revoke, turning, env, different, over, unreadable]);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_said_of_a_rotation_the_screen_holds_only_visible_characters(bytes in nasty()) {
        for state in wild_rotations(&bytes) {
            for (width, height) in [(60, 15), (80, 24), (160, 50)] {
                assert_clean(&drawn(&state, width, height));
            }
        }
    }
}

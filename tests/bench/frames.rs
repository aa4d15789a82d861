//! One frame of the console, on a terminal in memory.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use grail_console::chain::{FeedOptions, Node, NodeOptions, survey};
use grail_console::domain::credentials::LocalValues;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::Network;
use grail_console::domain::probe::{Probe, ProbeNews, Verdict};
use grail_console::domain::provider::Provider;
use grail_console::domain::snapshot::{Member, SubnetSnapshot};
use grail_console::engine::own::OwnInfo;
use grail_console::engine::service::Event as EngineEvent;
use grail_console::sandbox::{Sandbox, SandboxOptions, Scenario};
use grail_console::tui::keymap::KeyMap;
use grail_console::tui::msg::Msg;
use grail_console::tui::state::{Options, State};
use grail_console::tui::update::update;
use grail_console::tui::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::{median, report};

const FRAMES: usize = 400;

pub async fn measure() {
    for (uids, bar) in [(256, "<= 1 ms"), (65_536, "<= 4 ms")] {
        let (snapshot, seconds) = read(uids).await;
        report(&format!("snapshot of {uids} uids, loopback"), "", &format!("{seconds:.3} s"));
        let mut state = opened(snapshot.clone());
        let (frame, key) = frames(&mut state);
        told("", uids, frame, key, bar);
        let begin = Instant::now();
        test_all(&mut state, &snapshot);
        let each = begin.elapsed().as_secs_f64() / f64::from(uids);
        report(&format!("  a result taken in, of {uids}"), "", &format!("{:.4} ms", each * 1_000.0));
        let (frame, key) = frames(&mut state);
        told(", all tested", uids, frame, key, bar);
        press(&mut state, KeyCode::Char('m'));
        let (frame, key) = frames(&mut state);
        told(", the map of all tested", uids, frame, key, bar);
    }
}

fn told(what: &str, uids: u32, frame: f64, key: f64, bar: &str) {
    report(&format!("one frame, {uids} rows{what}"), bar, &format!("{:.3} ms", frame * 1_000.0));
    let key = format!("{:.3} ms", key * 1_000.0);
    report(&format!("  key press to the next picture, {uids} rows{what}"), "<= 16 ms", &key);
}

async fn read(uids: u32) -> (SubnetSnapshot, f64) {
    let mut options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    options.uids = uids;
    let sandbox = Sandbox::start(options).await.unwrap();
    let network = Network::at_endpoint(sandbox.url(), None).unwrap();
    let begin = Instant::now();
    let snapshot = survey(&Node::new(NodeOptions::new(network)), 81, None, &FeedOptions::default()).await.unwrap();
    (snapshot, begin.elapsed().as_secs_f64())
}

fn opened(snapshot: SubnetSnapshot) -> State {
    let keymap = KeyMap::load(&std::collections::BTreeMap::new()).unwrap();
    let own = OwnInfo::of(&Provider::default(), &LocalValues::default());
    let mut state = State::new(Options { netuid: 81, ..Options::default() }, own, keymap);
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    update(&mut state, Msg::Event(EngineEvent::Feed(FeedEvent::Snapshot(Box::new(snapshot)))));
    state
}

fn test_all(state: &mut State, snapshot: &SubnetSnapshot) {
    for member in &snapshot.members {
        update(state, Msg::Event(EngineEvent::Probe(ProbeNews::Tested(Box::new(probe(member))))));
    }
}

fn probe(member: &Member) -> Probe {
    Probe {
        uid: Some(member.uid),
        hotkey: member.hotkey,
        verdict: Verdict::ALL[usize::from(member.uid) % Verdict::ALL.len()],
        blame: None,
        is_definite: true,
        window: None,
        object: None,
        size: None,
        last_modified_ms: None,
        deadline: None,
        elapsed_ms: u64::from(member.uid) % 200,
        clock_offset_ms: None,
        steps: Vec::new(),
        risks: Vec::new(),
        explanation: "Why it is so.".to_owned(),
        fix: "What to do.".to_owned(),
        confirmed: None,
        at_ms: 0,
    }
}

fn press(state: &mut State, key: KeyCode) {
    if let Some(action) = state.keymap.action(state.keys(), KeyEvent::new(key, KeyModifiers::NONE)) {
        update(state, Msg::Key(action));
    }
}

/// Medians of a frame alone and of a key press with its frame.
fn frames(state: &mut State) -> (f64, f64) {
    let mut terminal = Terminal::new(TestBackend::new(120, 32)).unwrap();
    let (mut drawn, mut pressed) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        let begin = Instant::now();
        press(state, if frame % 40 == 39 { KeyCode::Char('s') } else { KeyCode::PageDown });
        let at = Instant::now();
        terminal.draw(|frame| view::render(state, frame)).unwrap();
        drawn.push(at.elapsed().as_secs_f64());
        pressed.push(begin.elapsed().as_secs_f64());
    }
    (median(drawn), median(pressed))
}

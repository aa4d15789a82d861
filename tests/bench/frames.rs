//! One frame of the console, on a terminal in memory.

use std::time::Instant;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use grail_console::chain::{FeedOptions, MetadataStore, survey};
use grail_console::domain::credentials::LocalValues;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::network::Network;
use grail_console::domain::provider::Provider;
use grail_console::domain::snapshot::SubnetSnapshot;
use grail_console::sandbox::{Sandbox, SandboxOptions, Scenario};
use grail_console::tui::keymap::KeyMap;
use grail_console::tui::msg::Msg;
use grail_console::tui::own::OwnInfo;
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
        let (frame, key) = frames(snapshot);
        report(&format!("one frame, {uids} rows"), bar, &format!("{:.3} ms", frame * 1_000.0));
        report(
            &format!("  key press to the next picture, {uids} rows"),
            "<= 16 ms",
            &format!("{:.3} ms", key * 1_000.0),
        );
    }
}

async fn read(uids: u32) -> (SubnetSnapshot, f64) {
    let mut options = SandboxOptions::new(Scenario::named("healthy").unwrap());
    options.uids = uids;
    let sandbox = Sandbox::start(options).await.unwrap();
    let network = Network::at_endpoint(sandbox.url(), None).unwrap();
    let begin = Instant::now();
    let snapshot = survey(&network, 81, MetadataStore::none(), &FeedOptions::default()).await.unwrap();
    (snapshot, begin.elapsed().as_secs_f64())
}

/// Medians of a frame alone and of a key press with its frame.
fn frames(snapshot: SubnetSnapshot) -> (f64, f64) {
    let keymap = KeyMap::load(&std::collections::BTreeMap::new()).unwrap();
    let own = OwnInfo::of(&Provider::default(), &LocalValues::default());
    let mut state = State::new(Options { netuid: 81, ..Options::default() }, own, keymap);
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    update(&mut state, Msg::Feed(FeedEvent::Snapshot(Box::new(snapshot))));
    let mut terminal = Terminal::new(TestBackend::new(120, 32)).unwrap();
    let (mut drawn, mut pressed) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        let begin = Instant::now();
        let key = if frame % 40 == 39 { KeyCode::Char('s') } else { KeyCode::PageDown };
        let key = KeyEvent::new(key, KeyModifiers::NONE);
        let action = state.keymap.action(state.keys(), key).unwrap();
        update(&mut state, Msg::Key(action));
        let at = Instant::now();
        terminal.draw(|frame| view::render(&state, frame)).unwrap();
        drawn.push(at.elapsed().as_secs_f64());
        pressed.push(begin.elapsed().as_secs_f64());
    }
    (median(drawn), median(pressed))
}

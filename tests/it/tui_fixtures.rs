//! Subnets and consoles for the tests of the screens: domain types only, one fixed moment.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use grail_console::domain::commitment::{Commitment, MaskedBytes, Payload, Stored};
use grail_console::domain::credentials::{LocalValues, Source, Variable};
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::snapshot::{BlockRef, ChainIdentity, Member, SubnetInfo, SubnetSnapshot};
use grail_console::engine::own::OwnInfo;
use grail_console::engine::service::Event as EngineEvent;
use grail_console::tui::keymap::{Chord, KeyMap};
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::{Options, State};
use grail_console::tui::update::update;
use grail_console::tui::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// 2026-05-01 12:00:00 UTC.
pub const NOW_MS: u64 = 1_777_636_800_000;
/// The finalized block of that moment.
pub const HEAD: u64 = 9_168_527;
/// The operator's uid.
pub const OWN: u16 = 42;
pub const ENDPOINT: &str = "wss://entrypoint-finney.opentensor.ai:443";

/// Lowercase hex that looks random and is the same every time.
pub fn hex_text(seed: u64, chars: usize) -> String {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let mut out = String::new();
    while out.len() < chars {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out += &hex::encode(x.to_be_bytes());
    }
    out.truncate(chars);
    out
}

pub fn hotkey(n: u64) -> Hotkey {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hex_text(n + 7_000, 64), &mut bytes).unwrap();
    Hotkey::from_bytes(bytes)
}

pub fn account(n: u64) -> String {
    hex_text(n + 1_000, 32)
}

pub fn key_id(n: u64) -> String {
    hex_text(n + 2_000, 32)
}

pub fn secret(n: u64) -> String {
    hex_text(n + 3_000, 64)
}

pub fn raw(bytes: impl Into<Vec<u8>>) -> Payload {
    let bytes = bytes.into();
    Payload::Bytes { variant: format!("Raw{}", bytes.len()), bytes }
}

pub fn commitment(block: u64, fields: Vec<Payload>) -> Commitment {
    Commitment::of(&Stored::Registration { block, deposit: 0, fields })
}

pub fn good(n: u64, block: u64) -> Commitment {
    commitment(block, vec![raw(format!("{}{}{}", account(n), key_id(n), secret(n)))])
}

pub fn chain() -> ChainIdentity {
    ChainIdentity {
        network: "finney".to_owned(),
        endpoint: ENDPOINT.to_owned(),
        genesis: BlockHash([0x2f; 32]),
        spec_version: 470,
    }
}

fn set_at(n: u64) -> u64 {
    HEAD - 300 - (n * 7_919) % 180_000
}

/// `uids` uids of which every one has a good commitment, and `ex_members` ex-members.
pub fn all_good(uids: u16, ex_members: u64) -> SubnetSnapshot {
    let member = |uid: u16| Member {
        uid,
        hotkey: hotkey(u64::from(uid)),
        registered_at: Some(HEAD - 400_000 - u64::from(uid)),
        validator_permit: (1..=15).contains(&uid),
        stake: None,
    };
    let mut commitments: BTreeMap<_, _> = (0..u64::from(uids)).map(|n| (hotkey(n), good(n, set_at(n)))).collect();
    commitments.extend((0..ex_members).map(|n| (hotkey(90_000 + n), good(90_000 + n, HEAD - 500_000 - n * 7_000))));
    SubnetSnapshot {
        chain: chain(),
        netuid: 81,
        subnet: SubnetInfo::default(),
        at: BlockRef { number: HEAD, hash: BlockHash([0xab; 32]), timestamp_ms: NOW_MS - 30_000 },
        members: (0..uids).map(member).collect(),
        commitments,
        successors: BTreeMap::new(),
    }
}

/// A subnet as it is on a good day: most readable, a few not.
pub fn healthy() -> SubnetSnapshot {
    let mut snapshot = all_good(256, 5);
    let mut put = |uid: u64, value: Option<Commitment>| match value {
        Some(value) => snapshot.commitments.insert(hotkey(uid), value),
        None => snapshot.commitments.remove(&hotkey(uid)),
    };
    for uid in [3, 58, 100, 101, 140, 200, 201, 202] {
        put(uid, None);
    }
    put(7, Some(commitment(set_at(7), vec![raw(vec![0xff; 128])])));
    put(11, Some(commitment(set_at(11), vec![raw(hex_text(11, 100))])));
    put(19, Some(commitment(set_at(19), vec![Payload::Flag { variant: "ResetBondsFlag".to_owned() }])));
    put(
        15,
        Some(commitment(
            set_at(15),
            vec![raw(format!("{:<32}{:<32}{:<64}", "my-bucket", "GK31c2f218a2e44f485b94239e", secret(15)))],
        )),
    );
    put(9, Some(good(9, HEAD - 500_000)));
    put(
        12,
        Some(commitment(
            set_at(12),
            vec![raw(format!("{}{}{}", account(12), key_id(12), secret(12))), Payload::Nothing],
        )),
    );
    snapshot
}

/// Everything that somebody with ill will can put on chain.
pub fn hostile() -> SubnetSnapshot {
    let mut snapshot = all_good(48, 1);
    let filled = |text: &str| {
        let missing = 128 - text.chars().count();
        format!("{text}{}", "x".repeat(missing))
    };
    let values: Vec<Vec<Payload>> = vec![
        vec![],
        vec![Payload::Nothing],
        vec![Payload::Hash { variant: "BlakeTwo256".to_owned() }],
        vec![Payload::Timelock { length: 512, reveal_round: 20_312_345 }],
        vec![Payload::Unknown { variant: "Evil\u{1b}[2J\u{202e}".into() }],
        vec![raw(filled("\u{1b}]52;c;aGk=\u{7}\u{1b}[31m\u{1b}[2J"))],
        vec![raw(filled("evil\u{202e}txet\u{200b}\u{feff}\u{2066}"))],
        vec![raw(filled("漢字漢字漢字漢字漢字漢字漢字漢字漢字"))],
        vec![raw(filled("👩\u{200d}👩\u{200d}👧 e\u{301}\u{301}\u{301} ﷽ "))],
        vec![raw(filled("evil.com/@127.0.0.1:9000/#"))],
        vec![raw(vec![0xff; 128])],
        vec![raw(vec![b' '; 128])],
        vec![raw(filled("\r\n\t\u{85}\u{9b}31m"))],
        vec![raw("short")],
        vec![raw(filled("three")), Payload::Nothing, Payload::Nothing],
        vec![raw(filled("arn:aws:s3::1:accesspoint:m.mrap"))],
    ];
    for (n, fields) in (0u64..).zip(values) {
        snapshot.commitments.insert(hotkey(n), commitment(HEAD - 1_000 * (n + 1), fields));
    }
    let undecodable = Stored::Undecodable {
        block: None,
        length: 9,
        unknown: None,
        dump: MaskedBytes::default(),
        why: "not\u{1b}[0m enough \u{202e}data".into(),
    };
    snapshot.commitments.insert(hotkey(16), Commitment::of(&undecodable));
    snapshot.commitments.insert(hotkey(17), good(17, HEAD - 600_000));
    snapshot
}

/// Local credentials: those on chain of uid `n`, with the read pair of another generation where `rotated`.
pub fn values(n: u64, rotated: bool) -> LocalValues {
    let read = if rotated { n + 50_000 } else { n };
    let mut values = LocalValues::default();
    let mut set =
        |variable, text: String, line| values.define(variable, SecretKey::new(text), Source::EnvFile { line });
    set(Variable::AccountId, account(n), 3);
    set(Variable::BucketId, account(n), 4);
    set(Variable::ReadKeyId, key_id(read), 6);
    set(Variable::ReadSecret, secret(read), 7);
    set(Variable::WriteKeyId, key_id(n + 60_000), 9);
    set(Variable::WriteSecret, secret(n + 60_000), 10);
    if rotated {
        values.define(Variable::ReadKeyId, SecretKey::new(key_id(n)), Source::Environment);
    }
    values
}

/// No read pair: GRAIL would publish the write pair.
pub fn legacy_values(n: u64) -> LocalValues {
    values(n, false).only(|source| matches!(source, Source::EnvFile { line } if !(6..=7).contains(&line)))
}

pub fn own(values: &LocalValues) -> OwnInfo {
    OwnInfo {
        hotkey: Some(hotkey(u64::from(OWN))),
        wallet: Some("practice".into()),
        hotkey_name: Some("miner-1".into()),
        paths: vec![
            ("config", "~/.config/grail-console/config.toml".into()),
            ("state", "~/.local/state/grail-console".into()),
            ("log", "~/.local/state/grail-console/log/console.log".into()),
        ],
        ..OwnInfo::of(&Provider::default(), values)
    }
}

pub fn nobody() -> OwnInfo {
    OwnInfo {
        paths: vec![("config", "~/.config/grail-console/config.toml".into())],
        ..OwnInfo::of(&Provider::default(), &LocalValues::default())
    }
}

pub fn options() -> Options {
    Options { read_only: true, network: "finney".to_owned(), netuid: 81, ..Options::default() }
}

/// A console, its time told, nothing heard of the chain yet.
pub fn opened(own: OwnInfo) -> State {
    let mut state = State::new(options(), own, KeyMap::load(&BTreeMap::new()).unwrap());
    update(&mut state, Msg::Tick { now_ms: NOW_MS });
    state
}

/// A console that reads a subnet, finalized three seconds ago.
pub fn live(own: OwnInfo, snapshot: SubnetSnapshot) -> State {
    let mut state = opened(own);
    feed(&mut state, FeedEvent::Connecting { endpoint: ENDPOINT.to_owned(), attempt: 1 });
    feed(&mut state, FeedEvent::Connected { chain: chain(), latency_ms: 12 });
    feed(&mut state, FeedEvent::Snapshot(Box::new(snapshot)));
    pass(&mut state, 3);
    state
}

pub fn feed(state: &mut State, event: FeedEvent) -> Vec<Effect> {
    update(state, Msg::Event(EngineEvent::Feed(event)))
}

/// Lets seconds pass.
pub fn pass(state: &mut State, seconds: u64) {
    let now_ms = state.model.now_ms + seconds * 1_000;
    update(state, Msg::Tick { now_ms });
}

pub fn lost(state: &mut State) {
    let problem = Diagnostic::new(
        "closed",
        Severity::Danger,
        "the node closed the connection (going away)",
        "It restarts, or something on the way cut the line.",
        "nothing, it is tried again; --endpoint names another node",
    );
    feed(state, FeedEvent::Lost { endpoint: ENDPOINT.to_owned(), problem, retry_in_ms: 8_000 });
}

/// Presses keys as the key map writes them, `text:abc` types.
pub fn press(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.split(' ').flat_map(|key| press_one(state, key)).collect()
}

fn press_one(state: &mut State, key: &str) -> Vec<Effect> {
    if let Some(text) = key.strip_prefix("text:") {
        return text.chars().flat_map(|c| strike(state, KeyEvent::from(KeyCode::Char(c)))).collect();
    }
    let chord: Chord = key.parse().unwrap_or_else(|()| panic!("{key} is no key"));
    let modifiers = if chord.ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
    strike(state, KeyEvent::new(chord.code, modifiers))
}

fn strike(state: &mut State, event: KeyEvent) -> Vec<Effect> {
    match state.keymap.action(state.keys(), event) {
        Some(action) => update(state, Msg::Key(action)),
        None => Vec::new(),
    }
}

/// The console's picture.
pub fn drawn(state: &State, width: u16, height: u16) -> Buffer {
    let mut state = state.clone();
    update(&mut state, Msg::Resize { width, height });
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::render(&state, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The picture as text.
pub fn text(buffer: &Buffer) -> String {
    text_in(buffer, buffer.area)
}

/// A part of the picture as text. The second column of a wide character is left out, as a terminal does.
pub fn text_in(buffer: &Buffer, area: Rect) -> String {
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

pub fn screen(state: &State, width: u16, height: u16) -> String {
    text(&drawn(state, width, height))
}

//! Keys of the view one came from, what the words mean, and where things are. The keys are generated from the key map.
//!
//! ```text
//! KEYS IN SUBNET
//!   enter         Show everything known about the selected row
//! WORDS
//!   ✓ readable    GRAIL's rule accepts it …
//! FILTER
//! FILES
//! ```

use ratatui::style::Style;
use ratatui::text::Line;

use super::facts::{paragraph, section};
use super::style::Styles;
use super::text::{fit, ink, wrap};
use crate::domain::probe::VerdictClass;
use crate::tui::keymap::{Command, KeyMode, SPECS};
use crate::tui::state::{State, View};

/// Columns of the keys and words at the left.
const LEFT: usize = 15;

/// The lines of the view.
pub(super) fn lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let styles = Styles::of(&state.options);
    let view = if state.came_from == View::Help { View::Subnet } else { state.came_from };
    let mut lines = vec![ink(format!("KEYS IN {}", view.word().to_uppercase()), styles.heading()).into()];
    for (spec, chords) in state.keymap.of_view(view) {
        let keys: Vec<String> = chords.iter().map(ToString::to_string).collect();
        entry(&mut lines, &keys.join(" "), spec.what, width, styles.strong(), styles);
    }
    section(&mut lines, "KEYS IN A DIALOG", styles);
    for spec in &SPECS {
        let keys = in_dialogs(state, spec.command);
        if !keys.is_empty() {
            entry(&mut lines, &keys.join(" "), spec.what, width, styles.strong(), styles);
        }
    }
    section(&mut lines, "WORDS", styles);
    for (word, meaning, style) in words(styles) {
        entry(&mut lines, word, meaning, width, style, styles);
    }
    section(&mut lines, "FILTER", styles);
    for (term, meaning) in FILTERS {
        entry(&mut lines, term, meaning, width, styles.strong(), styles);
    }
    if !state.model.own.paths.is_empty() {
        section(&mut lines, "FILES", styles);
        for (what, path) in &state.model.own.paths {
            entry(&mut lines, what, &path.shown(), width, styles.dim(), styles);
        }
    }
    lines.push(Line::default());
    let version = format!("grail-console {}", env!("CARGO_PKG_VERSION"));
    paragraph(&mut lines, &version, 2, width, styles.dim());
    lines
}

/// The keys of a command in the dialogs, each once.
fn in_dialogs(state: &State, command: Command) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for mode in [KeyMode::Dialog, KeyMode::Confirm, KeyMode::Password, KeyMode::Keys] {
        let chords = state.keymap.chords(mode, command).iter().map(ToString::to_string);
        let fresh: Vec<String> = chords.filter(|chord| !keys.contains(chord)).collect();
        keys.extend(fresh);
    }
    keys
}

const FILTERS: [(&str, &str); 8] = [
    ("5F3 81aa", "words: uid, or part of hotkey, bucket or read key id"),
    ("state:", "readable unreadable none drift foreign orphan predates several"),
    ("role:", "trainer validator miner"),
    ("own:", "yes no"),
    ("reason:", "no_field no_bytes hash timelock wrong_length not_utf8 blank_part unknown_variant undecodable"),
    (
        "test:",
        "failed denied ok untested risky, or a verdict: late no_object bad_size no_bucket scope_denied auth_bad_secret \
         auth_unknown_key …",
    ),
    ("mark:", "yes no"),
    ("together", "every term must hold: state:unreadable role:miner"),
];

fn words(styles: Styles) -> [(&'static str, &'static str, Style); 15] {
    [
        ("✓ readable", "GRAIL's rule accepts it: validators can try the published key", styles.readable()),
        ("✗ …", "GRAIL drops it without a word; the words say why", styles.unreadable()),
        ("○ none", "never committed: validators do not look at all", styles.none()),
        ("▲ drift", "your own: the chain and your local credentials differ", styles.drift()),
        ("! foreign", "accepted, but not of R2's shapes: no such account on R2", styles.drift()),
        ("! predates", "set before this registration, inherited by the hotkey", styles.drift()),
        ("n fields", "more than one field; GRAIL reads only the first", styles.drift()),
        ("✓ on time", "read test: a validator would take the last complete window", styles.class(VerdictClass::OnTime)),
        (
            "! late …",
            "the bucket can be read, the window is late, missing or of a wrong size",
            styles.class(VerdictClass::Object),
        ),
        ("✗ denied …", "the bucket cannot be read; the words say at which step", styles.class(VerdictClass::Failed)),
        (
            "? unclear",
            "says nothing about the uid: this machine, the way, no S3 store, too many requests",
            styles.class(VerdictClass::Unclear),
        ),
        ("— not tested", "p tests a row, P many; nothing is tested by itself", styles.none()),
        ("before the change", "tested before the commitment changed: says nothing about it now", styles.none()),
        ("◆", "marked for the next test of many", styles.accent()),
        ("ex-member", "no longer registered, but the commitment is still on chain", styles.none()),
    ]
}

fn entry(lines: &mut Vec<Line<'static>>, left: &str, right: &str, width: usize, style: Style, styles: Styles) {
    for (i, text) in wrap(right, width.saturating_sub(LEFT + 4)).into_iter().enumerate() {
        let lead = if i == 0 { left } else { "" };
        lines.push(Line::from(vec![ink(format!("  {}  ", fit(lead, LEFT)), style), ink(text, styles.plain())]));
    }
}

//! Everything the console knows, and nothing it must not: fingerprints and masks, never a secret.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use tui_input::Input;

use crate::domain::roster::Row;
use crate::domain::snapshot::ChainIdentity;
use crate::engine::model::Model;
use crate::engine::own::OwnInfo;
use crate::tui::commit::{self, Choice, Commits};
use crate::tui::keymap::{Command, KeyMap, KeyMode};
use crate::tui::list::{Arrangement, List};
use crate::tui::logbook::Logbook;
use crate::tui::probes::Probes;
use crate::tui::proofs::Proofs;
use crate::tui::rotate::{self, Rotations};

/// How long a short message stays, in ms.
pub const TOAST_MS: u64 = 4_000;

/// A view of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum View {
    /// The table of uids.
    #[default]
    Subnet,
    /// One cell a uid.
    Map,
    /// One row in full.
    Detail,
    /// The operator's own credentials.
    You,
    /// The log.
    Logs,
    /// Keys, words and paths.
    Help,
}

impl View {
    /// In the order of `tab`.
    pub const ALL: [Self; 6] = [Self::Subnet, Self::Map, Self::Detail, Self::You, Self::Logs, Self::Help];

    /// The word in titles and in the help.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Subnet => "subnet",
            Self::Map => "map",
            Self::Detail => "detail",
            Self::You => "you",
            Self::Logs => "logs",
            Self::Help => "help",
        }
    }

    /// The view `step` further on, round the circle.
    #[must_use]
    pub fn further(self, step: usize) -> Self {
        let at = Self::ALL.iter().position(|view| *view == self).unwrap_or_default();
        Self::ALL[(at + step) % Self::ALL.len()]
    }
}

/// For which background the colours are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Theme {
    /// Light text on a dark ground.
    #[default]
    Dark,
    /// Dark text on a light ground.
    Light,
}

/// How much is known of the terminal's background.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Background {
    /// It was told.
    #[default]
    Told,
    /// The terminal is asked; until it answers the theme is a guess.
    Asked,
}

/// What the terminal can show besides ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Glyphs {
    /// Every glyph.
    #[default]
    All,
    /// Nothing: each glyph is shown as an ASCII character.
    Ascii,
}

impl Glyphs {
    /// Whether only ASCII can be shown.
    pub const fn is_ascii(self) -> bool {
        matches!(self, Self::Ascii)
    }
}

/// A program between the console and the terminal that decides what reaches its clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Multiplexer {
    /// tmux.
    Tmux,
    /// GNU screen.
    Screen,
}

/// Where the netuid comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum NetuidFrom {
    /// It was named.
    #[default]
    Named,
    /// Nobody said which subnet is meant: it is only read.
    Default,
}

/// What was decided before the console opened.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Options {
    /// Nothing will be signed or written.
    pub read_only: bool,
    /// Whether somebody said which subnet is meant.
    pub netuid_from: NetuidFrom,
    /// No colour at all (`NO_COLOR`).
    pub no_color: bool,
    /// The terminal's ground.
    pub theme: Theme,
    /// How that is known.
    pub background: Background,
    /// What it can show.
    pub glyphs: Glyphs,
    /// What is between it and the console.
    pub multiplexer: Option<Multiplexer>,
    /// Name of the network, as the header shows it.
    pub network: String,
    /// The subnet.
    pub netuid: u16,
    /// Whether this is the practice subnet.
    pub is_sandbox: bool,
    /// Where tokens are made and revoked in practice.
    pub tokens_url: Option<String>,
}

/// What keys are for at the moment, with what is being typed or chosen.
#[derive(Debug, Clone, Default, Serialize)]
pub enum Mode {
    /// Moving about.
    #[default]
    Normal,
    /// Typing a filter.
    Filter,
    /// Choosing what to copy.
    Choose(Chooser),
    /// Typing into the command palette.
    Palette(Palette),
    /// In the dialog of the commit.
    Commit,
    /// In the dialog of the rotation.
    Rotate,
    /// Asked whether to leave although something is under way.
    Leaving(Choice),
    /// Asked whether to put the own keys to the test, which writes a canary.
    SelfTest(Choice),
}

/// A short list of public fields to copy from.
#[derive(Debug, Clone, Serialize)]
pub struct Chooser {
    /// Name and text of each.
    pub fields: Vec<(&'static str, String)>,
    /// The one under the cursor.
    pub cursor: usize,
    /// It was sent to the terminal, and stays on the screen so that it can be copied by hand.
    pub sent: bool,
}

/// The command palette: a few letters, the commands they fit, best first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Palette {
    /// What was typed.
    #[serde(serialize_with = "line_text")]
    pub line: Input,
    /// The commands that fit.
    pub found: Vec<Command>,
    /// The one under the cursor.
    pub cursor: usize,
}

/// A short message that goes away by itself.
#[derive(Debug, Clone, Serialize)]
pub struct Toast {
    /// What it says.
    pub text: String,
    /// When it goes, in ms since 1970.
    pub until_ms: u64,
}

/// The state of the console.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    /// What was decided before it opened.
    pub options: Options,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The subnet, the connection to its chain, and the operator's own side.
    pub model: Model,
    /// Its order on the screen.
    pub list: List,
    /// Read tests.
    pub probes: Probes,
    /// Where rows come from.
    pub proofs: Proofs,
    /// Commits, and the watch over the own commitment.
    pub commits: Commits,
    /// Rotations.
    pub rotations: Rotations,
    /// The log.
    pub logs: Logbook,
    /// The view on the screen.
    pub view: View,
    /// The view to go back to.
    pub came_from: View,
    /// What keys are for.
    pub mode: Mode,
    /// Lines scrolled in a view of text.
    pub scroll: usize,
    /// A short message.
    pub toast: Option<Toast>,
    /// It was said that keys of another layout do nothing.
    pub layout_told: bool,
    /// The keys.
    #[serde(skip)]
    pub keymap: Arc<KeyMap>,
}

impl State {
    /// The console as it opens: nothing known yet.
    pub fn new(options: Options, own: OwnInfo, keymap: KeyMap) -> Self {
        Self {
            options,
            size: (80, 24),
            model: Model::new(own),
            list: List::default(),
            probes: Probes::default(),
            proofs: Proofs::default(),
            commits: Commits::default(),
            rotations: Rotations::default(),
            logs: Logbook::default(),
            view: View::default(),
            came_from: View::default(),
            mode: Mode::default(),
            scroll: 0,
            toast: None,
            layout_told: false,
            keymap: Arc::new(keymap),
        }
    }

    /// What keys are for at the moment.
    pub fn keys(&self) -> KeyMode {
        match self.mode {
            Mode::Normal => KeyMode::Normal,
            Mode::Filter => KeyMode::Filter,
            Mode::Choose(_) => KeyMode::Choose,
            Mode::Palette(_) => KeyMode::Palette,
            Mode::Commit => commit::keys(self),
            Mode::Rotate => rotate::keys(self),
            Mode::Leaving(_) | Mode::SelfTest(_) => KeyMode::Confirm,
        }
    }

    /// The key that the operator is told for a command; any can be found behind `:`.
    pub fn key(&self, command: Command) -> String {
        self.keymap.chords(KeyMode::Normal, command).first().map_or_else(|| ":".to_owned(), ToString::to_string)
    }

    /// Whether this is the practice subnet, by what was opened or by the genesis that was found.
    pub fn is_sandbox(&self) -> bool {
        self.options.is_sandbox || self.model.chain.as_ref().is_some_and(ChainIdentity::is_sandbox)
    }

    /// The selected row.
    pub fn selected(&self) -> Option<&Row> {
        self.list.current(self.model.table.roster())
    }

    /// Brings the order of the table up to date after its rows changed.
    pub fn rows_changed(&mut self) {
        self.probes.reconcile(self.model.table.roster());
        self.rearrange();
    }

    /// Computes the order of the table anew.
    pub fn rearrange(&mut self) {
        self.probes.out_of_order = false;
        self.list.arrange(Arrangement::of(&self.model.table, &self.probes, &self.proofs));
    }

    /// The rows with what is known of them besides.
    pub fn ground(&self) -> Arrangement<'_> {
        Arrangement::of(&self.model.table, &self.probes, &self.proofs)
    }

    /// The operator's own row, if there is one.
    pub fn own_row(&self) -> Option<&Row> {
        self.model.own_row()
    }

    /// The newest block known, from which ages in blocks are counted.
    pub fn newest_block(&self) -> Option<u64> {
        self.model.newest_block()
    }

    /// Milliseconds since a moment.
    pub const fn since(&self, then_ms: u64) -> u64 {
        self.model.since(then_ms)
    }

    /// Says something for a few seconds.
    pub fn say(&mut self, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), until_ms: self.model.now_ms + TOAST_MS });
    }

    /// Whether something on the screen moves by itself, which needs more than one picture a second.
    pub fn animates(&self) -> bool {
        let moves = |session: &commit::Session| {
            matches!(session.step, commit::Step::Reading | commit::Step::Running(_))
                && matches!(self.mode, Mode::Commit)
        };
        let rotates = matches!(self.mode, Mode::Rotate) && (self.rotations.is_busy() || !self.rotations.heard);
        rotates || self.commits.session.as_ref().is_some_and(moves)
    }

    /// Whether an age on the screen grows with the clock.
    pub const fn ages(&self) -> bool {
        self.model.heads.finalized.is_some()
            || self.model.connection.loss().is_some()
            || self.toast.is_some()
            || self.commits.session.is_some()
            || self.rotations.report.is_some()
            || self.rotations.working.is_some()
            || self.probes.is_busy()
    }
}

/// Serializes a typed line as its text.
pub(super) fn line_text<S: Serializer>(line: &Input, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(line.value())
}

//! Keys → actions, by mode, from one table; footer, help and the README's key table are generated from the same table.

mod chord;
mod command;
mod layout;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use serde::Serialize;
use thiserror::Error;
use tui_input::InputRequest;

pub use chord::Chord;
pub use command::{Command, SPECS, Spec};
pub use layout::is_of_another_layout;

use crate::domain::untrusted::sanitize;
use crate::tui::state::View;

/// Characters of the longest name that a command or a key has, with its mode, and a few to spare.
const LONGEST_NAME: usize = 24;

/// The default key map, embedded.
const DEFAULT: &str = include_str!("../../../assets/keybindings.toml");

/// What a key means in its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A command.
    Command(Command),
    /// Editing of the line that is being typed.
    Edit(InputRequest),
}

/// What keys are for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum KeyMode {
    /// Moving about.
    Normal,
    /// Typing a filter.
    Filter,
    /// Choosing from a short list.
    Choose,
    /// Typing into the command palette.
    Palette,
    /// Reading a dialog.
    Dialog,
    /// Answering a question.
    Confirm,
    /// Typing a password.
    Password,
    /// Entering new keys.
    Keys,
}

impl KeyMode {
    /// Every mode.
    pub const ALL: [Self; 8] = [
        Self::Normal,
        Self::Filter,
        Self::Choose,
        Self::Palette,
        Self::Dialog,
        Self::Confirm,
        Self::Password,
        Self::Keys,
    ];

    /// The mode's name in the key map.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Filter => "filter",
            Self::Choose => "choose",
            Self::Palette => "palette",
            Self::Dialog => "dialog",
            Self::Confirm => "confirm",
            Self::Password => "password",
            Self::Keys => "keys",
        }
    }

    const fn types_text(self) -> bool {
        matches!(self, Self::Filter | Self::Palette | Self::Confirm | Self::Password | Self::Keys)
    }
}

/// Why a key map cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyMapError {
    /// Not TOML, or not tables of lists of keys.
    #[error("the key map cannot be read: {0}")]
    Syntax(String),
    /// No such mode or command.
    #[error("there is no command {0:?} in the key map: press ? in the console for the names")]
    UnknownCommand(String),
    /// Not a key.
    #[error("{key:?}, given for {command}, is not a key: write a character, or enter, esc, pgup, ctrl-f …")]
    UnknownKey {
        /// What was written.
        key: String,
        /// For which command.
        command: String,
    },
    /// One key for two commands.
    #[error("the key {key} is given to both {first} and {second}: keep one")]
    Conflict {
        /// The key.
        key: String,
        /// Its first command.
        first: &'static str,
        /// Its second.
        second: &'static str,
    },
    /// Nothing would leave the console.
    #[error("no key is left for {0}: give it one")]
    Unreachable(&'static str),
}

/// The keys of every command, by mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap(BTreeMap<KeyMode, BTreeMap<Command, Vec<Chord>>>);

impl Default for KeyMap {
    /// The embedded keys. That they can be read is checked by a test, not at run time.
    fn default() -> Self {
        Self::load(&BTreeMap::new()).unwrap_or_else(|_| Self(BTreeMap::new()))
    }
}

impl KeyMap {
    /// The embedded keys with the operator's own over them: `command → keys` in normal mode, `mode.command → keys` in
    /// another.
    pub fn load(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeyMapError> {
        let tables: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            toml::from_str(DEFAULT).map_err(|error| KeyMapError::Syntax(error.to_string()))?;
        let mut map = Self(BTreeMap::new());
        for (mode, commands) in &tables {
            for (command, keys) in commands {
                map.bind(&format!("{mode}.{command}"), keys)?;
            }
        }
        for (name, keys) in overrides {
            map.bind(name, keys)?;
        }
        map.check()?;
        Ok(map)
    }

    fn bind(&mut self, name: &str, keys: &[String]) -> Result<(), KeyMapError> {
        let unknown = || KeyMapError::UnknownCommand(quotable(name));
        let (mode, command) = name.split_once('.').unwrap_or(("normal", name));
        let mode = KeyMode::ALL.into_iter().find(|m| m.name() == mode).ok_or_else(unknown)?;
        let command = Command::named(command).ok_or_else(unknown)?;
        let chord = |key: &String| {
            key.parse().map_err(|()| KeyMapError::UnknownKey { key: quotable(key), command: quotable(name) })
        };
        let chords = keys.iter().map(chord).collect::<Result<_, _>>()?;
        self.0.entry(mode).or_default().insert(command, chords);
        Ok(())
    }

    fn check(&self) -> Result<(), KeyMapError> {
        for commands in self.0.values() {
            let mut taken: Vec<(Chord, Command)> = Vec::new();
            for (chord, command) in
                commands.iter().flat_map(|(command, chords)| chords.iter().map(move |c| (*c, *command)))
            {
                if let Some((_, first)) = taken.iter().find(|(other, _)| *other == chord) {
                    let (first, second) = (first.spec().name, command.spec().name);
                    return Err(KeyMapError::Conflict { key: chord.to_string(), first, second });
                }
                taken.push((chord, command));
            }
        }
        match self.chords(KeyMode::Normal, Command::Quit) {
            [] => Err(KeyMapError::Unreachable(Command::Quit.spec().name)),
            _ => Ok(()),
        }
    }

    /// The keys of a command in a mode, the one to show first.
    pub fn chords(&self, mode: KeyMode, command: Command) -> &[Chord] {
        self.0.get(&mode).and_then(|commands| commands.get(&command)).map_or(&[], Vec::as_slice)
    }

    /// What a key means in a mode, if anything.
    pub fn action(&self, mode: KeyMode, event: KeyEvent) -> Option<Action> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let chord = Chord::from(event);
        match self.bound(mode, chord) {
            Some(command) => Some(Action::Command(command)),
            None if mode.types_text() => edit(chord).map(Action::Edit),
            None => self.bound(mode, layout::same_place(chord)?).map(Action::Command),
        }
    }

    fn bound(&self, mode: KeyMode, chord: Chord) -> Option<Command> {
        self.0.get(&mode)?.iter().find(|(_, chords)| chords.contains(&chord)).map(|(command, _)| *command)
    }

    /// The commands that do something in a view, with the keys that reach them.
    pub fn of_view(&self, view: View) -> impl Iterator<Item = (&'static Spec, &[Chord])> {
        SPECS
            .iter()
            .filter(move |spec| spec.views.contains(&view))
            .map(|spec| (spec, self.chords(KeyMode::Normal, spec.command)))
            .filter(|(_, chords)| !chords.is_empty())
    }

    /// The README's key table.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| keys | what they do |\n|---|---|\n");
        for spec in &SPECS {
            let chords = self.chords(KeyMode::Normal, spec.command);
            if !chords.is_empty() {
                let keys: Vec<String> = chords.iter().map(|chord| format!("`{chord}`")).collect();
                // Writing to a String cannot fail.
                let _ = writeln!(out, "| {} | {} |", keys.join(" "), spec.what);
            }
        }
        out
    }
}

/// The usual keys of a line that is being typed.
fn edit(chord: Chord) -> Option<InputRequest> {
    use InputRequest as R;
    Some(match (chord.code, chord.ctrl, chord.alt) {
        (KeyCode::Char(c), false, false) => R::InsertChar(c),
        (KeyCode::Backspace, false, false) | (KeyCode::Char('h'), true, _) => R::DeletePrevChar,
        (KeyCode::Char('w'), true, _) | (KeyCode::Backspace, ..) => R::DeletePrevWord,
        (KeyCode::Delete, ..) | (KeyCode::Char('d'), true, _) => R::DeleteNextChar,
        (KeyCode::Char('u'), true, _) => R::DeleteFromStart,
        (KeyCode::Char('k'), true, _) => R::DeleteTillEnd,
        (KeyCode::Left, false, false) | (KeyCode::Char('b'), true, _) => R::GoToPrevChar,
        (KeyCode::Right, false, false) | (KeyCode::Char('f'), true, _) => R::GoToNextChar,
        (KeyCode::Left, ..) | (KeyCode::Char('b'), _, true) => R::GoToPrevWord,
        (KeyCode::Right, ..) | (KeyCode::Char('f'), _, true) => R::GoToNextWord,
        (KeyCode::Home, ..) | (KeyCode::Char('a'), true, _) => R::GoToStart,
        (KeyCode::End, ..) | (KeyCode::Char('e'), true, _) => R::GoToEnd,
        _ => return None,
    })
}

/// A mistyped name as an error may repeat it. What is longer than any name may be a key of another kind.
fn quotable(text: &str) -> String {
    match text.chars().count() {
        chars if chars > LONGEST_NAME => format!("{chars} characters"),
        _ => sanitize(text, LONGEST_NAME),
    }
}

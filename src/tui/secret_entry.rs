//! New keys while they are entered: four masked lines beside the state, filled by hand or by the names of pasted `.env` lines,
//! and wiped as soon as they are not wanted any more.

use zeroize::Zeroizing;

use crate::domain::rotation::messages::{Sides, TypedPair};
use crate::tui::rotate::Field;
use crate::tui::secret_line::SecretLine;
use tui_input::InputRequest;

/// What was entered so far. Like its lines it has no `Debug`, no `Clone` and no `Serialize`.
pub(super) struct SecretEntry([SecretLine; 4]);

impl SecretEntry {
    /// Nothing entered yet.
    pub(super) fn new() -> Self {
        Self([SecretLine::new(), SecretLine::new(), SecretLine::new(), SecretLine::new()])
    }

    /// Characters in each line.
    pub(super) fn lengths(&self) -> [usize; 4] {
        [0, 1, 2, 3].map(|index: usize| self.0[index].chars())
    }

    /// Wipes what belongs to no key that is being entered.
    pub(super) fn keep(&mut self, entering: Option<Sides>) {
        for field in Field::MASKED {
            if !entering.is_some_and(|sides| field.is_of(sides)) {
                self.line(field).into_iter().for_each(SecretLine::wipe);
            }
        }
    }

    /// Edits one line.
    pub(super) fn edit(&mut self, field: Field, request: InputRequest) {
        if let Some(line) = self.line(field) {
            line.edit(request);
        }
    }

    /// Takes a pasted text: `.env` lines by their names, anything else into the line that is being typed.
    pub(super) fn paste(&mut self, field: Field, sides: Sides, text: &Zeroizing<String>) {
        if self.take_named(sides, text) == 0
            && let Some(line) = self.line(field)
        {
            line.paste(text);
        }
    }

    /// Where `.env` lines were typed into one line, as terminals do that do not tell a paste, they go to their places.
    /// Whether that was so.
    pub(super) fn sort(&mut self, field: Field, sides: Sides) -> bool {
        let Some(line) = self.line(field) else { return false };
        let typed = std::mem::replace(line, SecretLine::new());
        let sorted = self.take_named(sides, typed.text()) > 0;
        if !sorted && let Some(line) = self.line(field) {
            *line = typed;
        }
        sorted
    }

    /// Hands a pair over, if both halves are there, and keeps nothing of it.
    pub(super) fn take(&mut self, id: Field, secret: Field) -> Option<TypedPair> {
        let mut half = |field| self.line(field).and_then(SecretLine::take);
        let (id, secret) = (half(id), half(secret));
        Some(TypedPair { id: id?, secret: secret? })
    }

    fn line(&mut self, field: Field) -> Option<&mut SecretLine> {
        field.index().map(|index| &mut self.0[index])
    }

    /// Fills the lines that are named. How many names were known, those of other keys included: they go nowhere.
    fn take_named(&mut self, sides: Sides, text: &str) -> usize {
        let mut known = 0;
        // Terminals and tmux paste CR where a file has LF.
        for (field, value) in text.split(['\r', '\n']).filter_map(named) {
            known += 1;
            if field.is_of(sides)
                && let Some(line) = self.line(field)
            {
                line.wipe();
                value.chars().for_each(|c| line.edit(InputRequest::InsertChar(c)));
            }
        }
        known
    }
}

/// `export R2_READ_ACCESS_KEY_ID='7be1…' # made in May` as the field and what stands for it.
fn named(line: &str) -> Option<(Field, &str)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let is_named = |field: &Field| field.variable().is_some_and(|variable| variable.name() == name.trim());
    let field = Field::MASKED.into_iter().find(is_named)?;
    Some((field, unquoted(value.trim())))
}

/// A value without its quotes, or without the comment behind it where it has none.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value).trim_end()
}

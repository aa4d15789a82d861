//! A password or a key while it is typed: characters in, a count out, wiped as soon as it is not wanted any more.

use tui_input::InputRequest;
use zeroize::{Zeroize as _, Zeroizing};

use crate::domain::secret::SecretKey;

/// Bytes of the longest one. The buffer never grows past what it was made with, since growing leaves a copy behind.
const LONGEST: usize = 1_024;

/// What was typed so far. No `Debug`, no `Clone`, no `Serialize`: it lives in the event loop and nowhere else.
pub(super) struct SecretLine(Zeroizing<String>);

impl SecretLine {
    /// Nothing typed yet.
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(LONGEST)))
    }

    /// How many characters there are.
    pub(super) fn chars(&self) -> usize {
        self.0.chars().count()
    }

    /// What was typed, for the one who sorts it; never for printing.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Edits the end of the line, the only place that can be seen of a line of dots. To take a word back is to take all
    /// back: dots have no words.
    pub(super) fn edit(&mut self, request: InputRequest) {
        match request {
            InputRequest::InsertChar(c) => self.push(c),
            InputRequest::DeletePrevChar => drop(self.0.pop()),
            InputRequest::DeletePrevWord | InputRequest::DeleteFromStart | InputRequest::DeleteLine => self.wipe(),
            _ => {}
        }
    }

    /// Takes a pasted text, without the line ends that come along with a copied line.
    pub(super) fn paste(&mut self, text: &Zeroizing<String>) {
        text.chars().filter(|c| !c.is_control()).for_each(|c| self.push(c));
    }

    fn push(&mut self, c: char) {
        if self.0.len() + c.len_utf8() <= LONGEST {
            self.0.push(c);
        }
    }

    /// Hands over what was typed, if anything was, and keeps nothing of it.
    pub(super) fn take(&mut self) -> Option<SecretKey> {
        // As btcli takes a typed password.
        let typed = self.0.trim();
        // Made to measure, so that turning it into a secret does not move it and leave the old place unwiped.
        let mut exact = String::with_capacity(typed.len());
        exact.push_str(typed);
        self.wipe();
        Some(exact).filter(|text| !text.is_empty()).map(SecretKey::new)
    }

    /// Forgets what was typed.
    pub(super) fn wipe(&mut self) {
        self.0.zeroize();
    }
}

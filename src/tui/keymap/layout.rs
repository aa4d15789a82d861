//! Keys of keyboards whose letters are not Latin: the key in the same place of a Latin keyboard.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind};

use super::{Chord, KeyMode};

/// Letters by the place of their key. The Cyrillic ones are the Russian ЙЦУКЕН; letters that other Cyrillic layouts have in
/// several places (і, ј) are left out. The Greek layout is the one of every system.
const PLACES: [(&str, &str); 6] = [
    ("йцукенгшщз", "qwertyuiop"),
    ("фывапролд", "asdfghjkl"),
    ("ячсмить", "zxcvbnm"),
    ("ςερτυθιοπ", "wertyuiop"),
    ("ασδφγηξκλ", "asdfghjkl"),
    ("ζχψωβνμ", "zxcvbnm"),
];

/// The Latin letter of the key that makes this letter in another layout, if that is the same key in every such layout.
fn latin(letter: char) -> Option<char> {
    let lower = letter.to_lowercase().next()?;
    let of = |(letters, places): &(&str, &str)| {
        letters.chars().position(|c| c == lower).and_then(|at| places.chars().nth(at))
    };
    let found = PLACES.iter().find_map(of)?;
    Some(if letter.is_uppercase() { found.to_ascii_uppercase() } else { found })
}

/// The same key of a Latin keyboard.
pub(super) fn same_place(chord: Chord) -> Option<Chord> {
    let KeyCode::Char(letter) = chord.code else { return None };
    latin(letter).map(|letter| Chord { code: KeyCode::Char(letter), ..chord })
}

/// Whether a key that does nothing comes from a keyboard of another layout, in a mode whose keys are commands.
pub fn is_of_another_layout(mode: KeyMode, event: KeyEvent) -> bool {
    let foreign = matches!(event.code, KeyCode::Char(c) if !c.is_ascii() && c.is_alphabetic());
    foreign && !mode.types_text() && event.kind != KeyEventKind::Release
}

//! Text from outside and its only way out.
//!
//! Chain bytes, node messages, bucket names, file contents: an attacker may have written any of them (THREATS T1). They
//! travel as [`Untrusted`], which has no `Display`; [`sanitize`] turns them into text whose every character is visible,
//! has a width, and cannot move a cursor, ring a bell, or reorder the line.
//!
//! A backslash of the original stays a backslash. Somebody who publishes the six characters `\u{1b}` as such can make us
//! show what an escape would look like, which deceives nobody about anything that matters; escaping backslashes in turn
//! would grow at each passage through the cache, and would make quoted node messages hard to read.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize, Serializer};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_width::UnicodeWidthChar;

/// Characters kept by [`Untrusted::shown`] before an ellipsis: enough for any documented value, too few to flood a log.
pub const SHOWN_LIMIT: usize = 512;

/// Bytes that somebody else wrote. Shown only through [`sanitize_bytes`].
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Untrusted(Box<[u8]>);

impl Untrusted {
    /// Wraps bytes of unknown encoding, such as a chain value.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into_boxed_slice())
    }

    /// Wraps text whose characters are unknown, such as an RPC error message.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self::from_bytes(text.into())
    }

    /// The sanitised text, at most [`SHOWN_LIMIT`] characters of the original.
    pub fn shown(&self) -> String {
        sanitize_bytes(&self.0, SHOWN_LIMIT)
    }

    /// The bytes as they came, for comparing and parsing; never for printing.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text as it came when it is UTF-8, for parsing; never for printing.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self::from_text(text)
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{2039}{}\u{203a}", self.shown())
    }
}

impl Serialize for Untrusted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown())
    }
}

/// Reading back sanitised text gives that text: escapes stay escapes, so a cached value cannot grow teeth.
impl<'de> Deserialize<'de> for Untrusted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from_text)
    }
}

/// Makes text visible: control, format, private-use, unassigned and zero-width characters become `\u{…}`, and what
/// lies past `limit` characters becomes `…`.
pub fn sanitize(text: &str, limit: usize) -> String {
    sanitize_bytes(text.as_bytes(), limit)
}

/// [`sanitize`] for bytes of unknown encoding; a byte that is no part of UTF-8 becomes `\x..`.
pub fn sanitize_bytes(bytes: &[u8], limit: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(limit.saturating_mul(4)));
    let mut budget = limit;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if budget == 0 {
                out.push('…');
                return out;
            }
            budget -= 1;
            push_visible(&mut out, c);
        }
        for byte in chunk.invalid() {
            if budget == 0 {
                out.push('…');
                return out;
            }
            budget -= 1;
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// [`sanitize`] for a text of several lines that is ours to lay out: line feeds stay, each line is made visible.
pub fn sanitize_lines(text: &str, limit: usize) -> String {
    text.lines().map(|line| sanitize(line, limit)).collect::<Vec<_>>().join("\n")
}

fn push_visible(out: &mut String, c: char) {
    if is_visible(c) {
        out.push(c);
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    }
}

/// Whether a terminal shows this character as itself, in cells of its own, without effect on its neighbours.
pub fn is_visible(c: char) -> bool {
    use GeneralCategory as G;
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    let drawn = matches!(
        c.general_category(),
        G::UppercaseLetter
            | G::LowercaseLetter
            | G::TitlecaseLetter
            | G::ModifierLetter
            | G::OtherLetter
            | G::DecimalNumber
            | G::LetterNumber
            | G::OtherNumber
            | G::ConnectorPunctuation
            | G::DashPunctuation
            | G::OpenPunctuation
            | G::ClosePunctuation
            | G::InitialPunctuation
            | G::FinalPunctuation
            | G::OtherPunctuation
            | G::MathSymbol
            | G::CurrencySymbol
            | G::ModifierSymbol
            | G::OtherSymbol
    );
    drawn && !is_right_to_left(c) && !joins_its_neighbour(c) && !is_drawn_blank(c) && c.width().unwrap_or(0) > 0
}

/// Letters and symbols that melt into what stands before them, so that a line is narrower than the sum of its
/// characters: Lisu tone letters, Kirat Rai vowels, the halves of a flag, skin tones.
fn joins_its_neighbour(c: char) -> bool {
    matches!(u32::from(c), 0xA4F8..=0xA4FD | 0x16D63..=0x16D6A | 0x1F1E6..=0x1F1FF | 0x1F3FB..=0x1F3FF)
}

/// Letters and symbols by category, nothing by ink: Hangul filler, blank Braille pattern, null notehead.
fn is_drawn_blank(c: char) -> bool {
    matches!(u32::from(c), 0x115F | 0x2800 | 0x1D159)
}

/// Letters of right-to-left scripts reorder what stands beside them even without an override character.
fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c), 0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
}

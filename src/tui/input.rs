//! What a terminal sends, taken apart: keys, pasted text, and answers to questions. Pure: bytes in, inputs out.
//!
//! Nothing that is unfinished keeps the console from hearing ctrl-c, and an answer of the terminal is never taken for
//! keys: crossterm's own reader waits for the end of a paste for ever, and hands an answer on as if it had been typed.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use zeroize::{Zeroize as _, Zeroizing};

use crate::tui::state::Theme;

/// Something that the terminal, or whoever started the console, tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key, or a pasted text.
    Terminal(Event),
    /// The terminal's background, as it answered.
    Background(Theme),
    /// The terminal may have another size, or its picture is damaged.
    Redraw,
    /// The process is asked to stop until it is continued.
    Stop,
    /// The process was continued.
    Continued,
}

impl From<Event> for Input {
    fn from(event: Event) -> Self {
        Self::Terminal(event)
    }
}

/// How long the rest of an escape sequence may take: after that a lone escape is the key.
const SEQUENCE: Duration = Duration::from_millis(50);
/// How long the rest of an answer or of a pasted text may take.
const TEXT: Duration = Duration::from_secs(2);
/// Bytes of the longest pasted text that is taken.
const MOST_PASTED: usize = 64 * 1024;
/// Bytes of the longest answer or sequence that is waited for.
const MOST_WAITED: usize = 4 * 1024;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CTRL_C: u8 = 0x03;
const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// Takes apart what arrives, in pieces of any size.
#[derive(Debug, Default)]
pub struct Parser {
    /// What is not understood yet.
    waiting: Zeroizing<Vec<u8>>,
    /// A text is being pasted.
    pasting: bool,
}

/// What stands at the beginning of the bytes that wait.
enum Step {
    /// More bytes must come first.
    Unfinished,
    /// So many bytes are used up, and this is what they mean.
    Took(usize, Option<Input>),
    /// A pasted text begins after so many bytes.
    PasteBegins(usize),
}

impl Parser {
    /// What more bytes mean, with those that waited.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Input> {
        self.waiting.extend_from_slice(bytes);
        let mut inputs = Vec::new();
        while !self.waiting.is_empty() {
            let step = if self.pasting { self.paste() } else { step(&self.waiting) };
            match step {
                Step::Unfinished => break,
                Step::Took(count, input) => {
                    self.forget(count);
                    inputs.extend(input);
                }
                Step::PasteBegins(count) => {
                    self.forget(count);
                    self.pasting = true;
                }
            }
        }
        inputs
    }

    /// How long to wait for more before [`Parser::give_up`]; `None` when nothing is unfinished.
    pub fn patience(&self) -> Option<Duration> {
        match &self.waiting[..] {
            _ if self.pasting => Some(TEXT),
            [] => None,
            [ESC, kind, _, ..] if is_text(*kind) => Some(TEXT),
            _ => Some(SEQUENCE),
        }
    }

    /// Nothing more came: an escape was the key, alt was held, and everything else that is unfinished is dropped.
    pub fn give_up(&mut self) -> Option<Input> {
        let input = match &self.waiting[..] {
            _ if self.pasting => None,
            [ESC] => Some(key(KeyCode::Esc, KeyModifiers::NONE)),
            [ESC, c] if c.is_ascii_graphic() => Some(key(KeyCode::Char(char::from(*c)), KeyModifiers::ALT)),
            _ => None,
        };
        self.forget(self.waiting.len());
        self.pasting = false;
        input
    }

    fn forget(&mut self, count: usize) {
        let count = count.min(self.waiting.len());
        let rest = Zeroizing::new(self.waiting.split_off(count));
        self.waiting.zeroize();
        self.waiting.extend_from_slice(&rest);
    }

    /// The pasted text, once its end is there. A ctrl-c within it is the key: no terminal pastes one, and the end may
    /// never come.
    fn paste(&mut self) -> Step {
        let end = find(&self.waiting, PASTE_ENDS);
        if let Some(at) = self.waiting[..end.unwrap_or(self.waiting.len())].iter().position(|byte| *byte == CTRL_C) {
            self.pasting = false;
            return Step::Took(at, None);
        }
        match end {
            Some(at) => {
                self.pasting = false;
                let text = String::from_utf8_lossy(&self.waiting[..at.min(MOST_PASTED)]).into_owned();
                Step::Took(at + PASTE_ENDS.len(), Some(Event::Paste(text).into()))
            }
            // The end of a longer text is still looked for.
            None if self.waiting.len() > MOST_PASTED + PASTE_ENDS.len() => {
                let at = self.waiting.len() - PASTE_ENDS.len();
                let tail = self.waiting.split_off(at);
                self.waiting.truncate(MOST_PASTED);
                self.waiting.extend_from_slice(&tail);
                Step::Unfinished
            }
            None => Step::Unfinished,
        }
    }
}

/// Whether `ESC` and this byte begin a text that goes on until `ST`: an answer of the terminal.
const fn is_text(kind: u8) -> bool {
    matches!(kind, b']' | b'P' | b'_' | b'^' | b'X')
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Event::Key(KeyEvent::new(code, modifiers)).into()
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [ESC] => Step::Unfinished,
        [ESC, b'[', rest @ ..] => control_sequence(rest),
        [ESC, b'O', rest @ ..] => single_shift(rest),
        [ESC, kind, rest @ ..] if is_text(*kind) => answer(*kind, rest),
        // The escape was a key of its own; what follows is another.
        [ESC, ESC | CTRL_C, ..] => Step::Took(1, Some(key(KeyCode::Esc, KeyModifiers::NONE))),
        [ESC, rest @ ..] => match character(rest, KeyModifiers::ALT) {
            Step::Took(count, input) => Step::Took(count + 1, input),
            other => other,
        },
        _ => character(bytes, KeyModifiers::NONE),
    }
}

/// A character, or a control character, as the key that makes it.
fn character(bytes: &[u8], held: KeyModifiers) -> Step {
    let Some(first) = bytes.first() else { return Step::Unfinished };
    let ctrl = held | KeyModifiers::CONTROL;
    let pressed = |code, modifiers| Step::Took(1, Some(key(code, modifiers)));
    match first {
        b'\r' => pressed(KeyCode::Enter, held),
        b'\t' => pressed(KeyCode::Tab, held),
        0x7f => pressed(KeyCode::Backspace, held),
        0 => pressed(KeyCode::Char(' '), ctrl),
        c @ 1..=0x1a => pressed(KeyCode::Char(char::from(c - 1 + b'a')), ctrl),
        c @ 0x1c..=0x1f => pressed(KeyCode::Char(char::from(c - 0x1c + b'4')), ctrl),
        _ => utf8(bytes, held),
    }
}

fn utf8(bytes: &[u8], held: KeyModifiers) -> Step {
    let start = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() == 0 => {
            return match error.error_len() {
                Some(count) => Step::Took(count, None),
                None => Step::Unfinished,
            };
        }
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(c) if c.is_control() => Step::Took(c.len_utf8(), None),
        Some(c) => Step::Took(c.len_utf8(), Some(key(KeyCode::Char(c), held | shift_of(c)))),
        None => Step::Took(1, None),
    }
}

fn shift_of(c: char) -> KeyModifiers {
    if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE }
}

/// `ESC O x`: cursor and function keys of some terminals, and what the mouse wheel becomes on the alternate screen.
fn single_shift(rest: &[u8]) -> Step {
    match rest.first() {
        None => Step::Unfinished,
        Some(byte) if byte.is_ascii_graphic() => {
            Step::Took(3, letter_key(*byte).map(|code| key(code, KeyModifiers::NONE)))
        }
        Some(_) => Step::Took(2, Some(key(KeyCode::Char('O'), KeyModifiers::ALT | KeyModifiers::SHIFT))),
    }
}

const fn letter_key(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        b'Z' => KeyCode::BackTab,
        _ => return None,
    })
}

/// `ESC [ … x`, in `rest` what follows the bracket.
fn control_sequence(rest: &[u8]) -> Step {
    let parameters = rest.iter().take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
    match rest.get(parameters) {
        None if rest.len() > MOST_WAITED => Step::Took(rest.len() + 2, None),
        None => Step::Unfinished,
        // The Linux console writes its function keys so.
        Some(b'[') if parameters == 0 => match rest.get(1) {
            None => Step::Unfinished,
            Some(c @ b'A'..=b'E') => Step::Took(4, Some(key(KeyCode::F(c - b'A' + 1), KeyModifiers::NONE))),
            Some(_) => Step::Took(3, None),
        },
        Some(end @ 0x40..=0x7e) => {
            let Ok(text) = std::str::from_utf8(&rest[..parameters]) else { return Step::Took(parameters + 3, None) };
            if (text, *end) == ("200", b'~') {
                return Step::PasteBegins(parameters + 3);
            }
            Step::Took(parameters + 3, sequence_key(text, *end))
        }
        // Something else began before it ended: it never will.
        Some(_) => Step::Took(parameters + 2, None),
    }
}

/// The key of a whole sequence, if it is one that the console knows.
fn sequence_key(parameters: &str, end: u8) -> Option<Input> {
    if parameters.starts_with(['?', '<', '>', '=']) {
        return None;
    }
    let number = |at: usize| -> Option<u32> { parameters.split(';').nth(at)?.split(':').next()?.parse().ok() };
    // What follows the modifiers after a colon tells a release from a press.
    if parameters.split(';').nth(1).and_then(|held| held.split(':').nth(1)) == Some("3") {
        return None;
    }
    let held = held(number(1));
    match end {
        b'~' if number(0) == Some(27) => coded(number(2)?, held),
        b'~' => Some(key(numbered_key(number(0)?)?, held)),
        b'u' => coded(number(0)?, held),
        // These tell of the focus, and of the cursor's place.
        b'I' | b'O' | b'M' => None,
        _ => Some(key(letter_key(end)?, held)),
    }
}

fn held(parameter: Option<u32>) -> KeyModifiers {
    let bits = parameter.unwrap_or(1).saturating_sub(1);
    let kinds = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
    kinds.into_iter().filter(|(bit, _)| bits & bit != 0).fold(KeyModifiers::NONE, |all, (_, one)| all | one)
}

fn numbered_key(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        23 | 24 => KeyCode::F(u8::try_from(number - 12).ok()?),
        _ => return None,
    })
}

/// A key by the number of its character, as terminals write keys that have no byte of their own.
fn coded(number: u32, held: KeyModifiers) -> Option<Input> {
    let shifted = held.contains(KeyModifiers::SHIFT);
    let code = match char::from_u32(number)? {
        '\x1b' => KeyCode::Esc,
        '\r' => KeyCode::Enter,
        '\t' if shifted => KeyCode::BackTab,
        '\t' => KeyCode::Tab,
        '\x7f' | '\x08' => KeyCode::Backspace,
        // Keys without a character have numbers of the private use area.
        '\u{e000}'..='\u{f8ff}' => return None,
        c if c.is_control() => return None,
        c if shifted => KeyCode::Char(c.to_uppercase().next()?),
        c => KeyCode::Char(c),
    };
    Some(key(code, held))
}

/// `ESC ] … ST` and its like, in `rest` what follows the second byte: a terminal's answer, never a key.
fn answer(kind: u8, rest: &[u8]) -> Step {
    let ends = |byte: &u8| matches!(*byte, BEL | ESC | CTRL_C | 0x18 | 0x1a);
    match rest.iter().position(ends) {
        None if rest.len() > MOST_WAITED => Step::Took(rest.len() + 2, None),
        None => Step::Unfinished,
        Some(at) => match (rest[at], rest.get(at + 1)) {
            (ESC, None) => Step::Unfinished,
            (ESC, Some(b'\\')) => Step::Took(at + 4, meaning(kind, &rest[..at])),
            (BEL, _) => Step::Took(at + 3, meaning(kind, &rest[..at])),
            // It was cut off, and something else begins.
            _ => Step::Took(at + 2, None),
        },
    }
}

/// The one answer that is asked for: the colour of the background.
fn meaning(kind: u8, text: &[u8]) -> Option<Input> {
    let colour = std::str::from_utf8(text).ok()?.strip_prefix("11;").filter(|_| kind == b']')?;
    is_light(colour).map(|light| Input::Background(if light { Theme::Light } else { Theme::Dark }))
}

/// Whether a colour as X11 writes it (`rgb:ffff/ffff/ffff`, `#ffffff`) is nearer to white than to black.
fn is_light(colour: &str) -> Option<bool> {
    let parts: Vec<&str> = match (colour.split_once(':'), colour.strip_prefix('#')) {
        (Some(("rgb" | "rgba", parts)), _) => parts.split('/').take(3).collect(),
        (_, Some(digits)) if digits.is_ascii() && digits.len() % 3 == 0 && !digits.is_empty() => {
            let each = digits.len() / 3;
            vec![&digits[..each], &digits[each..2 * each], &digits[2 * each..]]
        }
        _ => return None,
    };
    // Each in thousandths of the most that so many digits can say.
    let part = |text: &&str| {
        let digits = u32::try_from(text.len()).ok().filter(|digits| (1..=4).contains(digits))?;
        Some(u32::from_str_radix(text, 16).ok()? * 1_000 / (16_u32.pow(digits) - 1))
    };
    match parts.iter().map(part).collect::<Option<Vec<u32>>>()?[..] {
        [red, green, blue] => Some((red * 2_126 + green * 7_152 + blue * 722) / 10_000 >= 500),
        _ => None,
    }
}

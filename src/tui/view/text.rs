//! Text on its way to the screen: made visible, measured, cut and padded by columns rather than characters.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::domain::untrusted::{is_visible, sanitize};

/// Characters of one piece of text that are ever drawn.
const LIMIT: usize = 2_000;

/// Text whose every character is visible, wherever it came from: nothing reaches the screen by another way.
pub fn visible(text: &str) -> String {
    if text.chars().all(is_visible) { text.to_owned() } else { sanitize(text, LIMIT) }
}

/// A piece of styled text.
pub fn ink(text: impl AsRef<str>, style: Style) -> Span<'static> {
    Span::styled(visible(text.as_ref()), style)
}

/// Columns that a text takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Columns that a line takes.
pub fn line_columns(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| columns(&span.content)).sum()
}

/// At most `width` columns of a text, the last one an ellipsis when something is missing.
pub fn cut(text: &str, width: usize) -> String {
    let text = visible(text);
    if columns(&text) <= width {
        return text;
    }
    let mut out = String::new();
    let mut room = width.saturating_sub(1);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Exactly `width` columns of a text.
pub fn fit(text: &str, width: usize) -> String {
    let mut out = cut(text, width);
    let missing = width.saturating_sub(columns(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// Exactly `width` columns, the text at their end.
pub fn fit_right(text: &str, width: usize) -> String {
    let cut = cut(text, width);
    format!("{}{cut}", " ".repeat(width.saturating_sub(columns(&cut))))
}

/// A text broken at blanks into lines of at most `width` columns; a word that is wider is broken where it must be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let text = visible(text);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        for piece in pieces(word, width) {
            let last = lines.last().map_or(0, |line| columns(line));
            if last > 0 && last + 1 + columns(&piece) > width {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(&piece);
            }
        }
    }
    lines
}

/// How many of `width` columns each part of a whole takes. Whatever exists is at least one column wide; the last part takes
/// all when nothing does.
pub fn proportions<const N: usize>(parts: &[usize; N], width: usize) -> [usize; N] {
    let total: usize = parts.iter().sum();
    let mut widths = parts.map(|part| if part == 0 { 0 } else { (part * width / total).max(1) });
    let widest = (0..N).max_by_key(|i| widths[*i]).unwrap_or(0);
    let others: usize = (0..N).filter(|i| *i != widest).map(|i| widths[i]).sum();
    widths[widest] = width.saturating_sub(others);
    widths
}

fn pieces(word: &str, width: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut used = 0;
    for c in word.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            out.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = out.last_mut() {
            piece.push(c);
        }
    }
    out
}

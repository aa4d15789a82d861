//! Text for terminals that show ASCII only, column for column: the one table from a glyph to what stands for it.

use unicode_width::UnicodeWidthChar as _;

/// What stands for a character that is in no table, for each of its columns.
const UNKNOWN: char = '?';

/// Each glyph that the program writes, with the character that stands for it. All of them are one column wide.
pub const GLYPHS: [(char, char); 62] = [
    // How it stands.
    ('✓', '+'),
    ('✗', 'x'),
    ('▲', '!'),
    ('≠', '!'),
    ('○', 'o'),
    ('●', '*'),
    ('◌', '%'),
    ('◆', '#'),
    ('≡', '#'),
    ('▌', '>'),
    ('‖', '|'),
    ('↩', '<'),
    ('◂', '<'),
    ('▸', '>'),
    // What turns while one waits.
    ('◐', '|'),
    ('◓', '/'),
    ('◑', '-'),
    ('◒', '\\'),
    // Punctuation.
    ('·', '.'),
    ('•', '*'),
    ('…', '~'),
    ('—', '-'),
    ('–', '-'),
    ('×', 'x'),
    ('“', '"'),
    ('”', '"'),
    ('‘', '\''),
    ('’', '\''),
    // Arrows.
    ('↑', '^'),
    ('↓', 'v'),
    ('←', '<'),
    ('→', '>'),
    ('▴', '^'),
    ('▾', 'v'),
    ('►', '>'),
    ('◄', '<'),
    // Lines and frames.
    ('─', '-'),
    ('═', '='),
    ('│', '|'),
    ('▏', '|'),
    ('╭', '+'),
    ('╮', '+'),
    ('╰', '+'),
    ('╯', '+'),
    ('┌', '+'),
    ('┐', '+'),
    ('└', '+'),
    ('┘', '+'),
    ('├', '+'),
    ('┤', '+'),
    ('┬', '+'),
    ('┴', '+'),
    // Bars.
    ('▁', '_'),
    ('▂', '.'),
    ('▃', '-'),
    ('▄', '='),
    ('▅', '+'),
    ('▆', '*'),
    ('▇', '%'),
    ('█', '#'),
    ('▓', '='),
    ('░', '.'),
];

/// A text in ASCII, as wide as it was.
pub fn text(text: &str) -> String {
    text.chars().flat_map(stand_in).collect()
}

fn stand_in(c: char) -> impl Iterator<Item = char> {
    let (shown, columns) = match GLYPHS.iter().find(|(glyph, _)| *glyph == c) {
        _ if c.is_ascii() => (c, 1),
        Some((_, ascii)) => (*ascii, 1),
        None => (UNKNOWN, c.width().unwrap_or(0)),
    };
    std::iter::repeat_n(shown, columns)
}

/// Whether a locale's name says that its text is not UTF-8: `C`, `POSIX`, `de_DE@euro`, `ja_JP.eucJP`. The values are those
/// of `LC_ALL`, `LC_CTYPE` and `LANG`, of which the first that is filled counts. Where none is, as in a container, nothing
/// is known, and terminals of today show UTF-8.
pub fn is_wanted(locale: [Option<&str>; 3]) -> bool {
    let name = locale.into_iter().flatten().find(|name| !name.is_empty());
    name.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        !name.contains("utf-8") && !name.contains("utf8")
    })
}

//! Screens in ASCII: every glyph has a stand-in, and nothing moves.

use std::fs;
use std::path::{Path, PathBuf};

use grail_console::domain::ascii::{GLYPHS, is_wanted, text};
use grail_console::tui::state::Glyphs;
use rstest::rstest;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui_fixtures::*;

#[test]
fn a_stand_in_is_as_wide_as_its_glyph_and_no_glyph_stands_twice() {
    for (at, (glyph, ascii)) in GLYPHS.iter().enumerate() {
        assert_eq!(glyph.width(), Some(1), "{glyph}");
        assert!(ascii.is_ascii_graphic(), "{glyph}");
        assert!(GLYPHS[..at].iter().all(|(other, _)| other != glyph), "{glyph} is there twice");
    }
    for wide in ["漢字", "e\u{301}", "✓ ok", "ж", "a\u{200b}b"] {
        assert_eq!(text(wide).width(), wide.width(), "{wide}");
        assert!(text(wide).is_ascii());
    }
}

/// What the program itself writes, comments and the letters of other layouts aside.
#[test]
fn every_glyph_of_the_program_has_a_stand_in() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders: Vec<PathBuf> = ["tui", "cli", "ops", "domain", "config", "chain", "storage", "vault", "state"]
        .map(|layer| src.join(layer))
        .into();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    for file in files.iter().filter(|file| !file.ends_with("keymap/layout.rs")) {
        let source = fs::read_to_string(file).unwrap();
        let lines = source.lines().map(|line| line.split("//").next().unwrap_or_default());
        for c in lines.flat_map(str::chars).filter(|c| !c.is_ascii()) {
            assert!(GLYPHS.iter().any(|(glyph, _)| *glyph == c), "{c} of {} has no stand-in", file.display());
        }
    }
}

#[rstest]
#[case(120, 32)]
#[case(80, 24)]
#[case(60, 15)]
fn nothing_moves_on_a_screen_in_ascii(#[case] width: u16, #[case] height: u16) {
    for keys in ["", "enter", "m", "u", "L", "?", "y", ":", "/ x", "C", "R"] {
        let mut state = live(own(&values(42, true)), hostile());
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        let glyphs = screen(&state, width, height);
        state.options.glyphs = Glyphs::Ascii;
        let ascii = screen(&state, width, height);
        assert!(ascii.is_ascii(), "{keys}:\n{ascii}");
        for (before, after) in glyphs.lines().zip(ascii.lines()) {
            if before.width() == before.chars().count() {
                assert_eq!(before.chars().count(), after.len(), "{before}\n{after}");
                let same = before.chars().zip(after.chars()).all(|(glyph, c)| !glyph.is_ascii() || glyph == c);
                assert!(same, "{before}\n{after}");
            }
        }
    }
}

#[rstest]
#[case([None, None, None], false)]
#[case([Some("C"), None, Some("en_US.UTF-8")], true)]
#[case([Some(""), Some("POSIX"), Some("en_US.UTF-8")], true)]
#[case([None, None, Some("C.utf8")], false)]
#[case([None, Some("en_US.UTF-8"), Some("C")], false)]
#[case([None, None, Some("ja_JP.eucJP")], true)]
fn the_locale_decides(#[case] locale: [Option<&str>; 3], #[case] ascii: bool) {
    assert_eq!(is_wanted(locale), ascii);
}

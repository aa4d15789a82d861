//! Text from outside: whatever the bytes, what is shown is visible, measured and harmless.

use grail_console::domain::untrusted::{SHOWN_LIMIT, Untrusted, is_visible, sanitize, sanitize_bytes, sanitize_lines};
use proptest::prelude::*;
use rstest::rstest;
use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

#[rstest]
#[case::plain("5F3sa2TJ grail/windows ~!", "5F3sa2TJ grail/windows ~!")]
#[case::esc("\u{1b}[31mred", r"\u{1b}[31mred")]
#[case::osc_52_clipboard("\u{1b}]52;c;ZXZpbA==\u{7}", r"\u{1b}]52;c;ZXZpbA==\u{7}")]
#[case::osc_8_link("\u{1b}]8;;http://evil\u{1b}\\x", r"\u{1b}]8;;http://evil\u{1b}\x")]
#[case::c1_csi("\u{9b}2J", r"\u{9b}2J")]
#[case::bell("\u{7}", r"\u{7}")]
#[case::line_ends("a\r\nb\tc", r"a\u{d}\u{a}b\u{9}c")]
#[case::nul_and_del("\0\u{7f}", r"\u{0}\u{7f}")]
#[case::bidi_override("abc\u{202e}fdp.exe", r"abc\u{202e}fdp.exe")]
#[case::bidi_isolates("\u{2066}x\u{2069}", r"\u{2066}x\u{2069}")]
#[case::hebrew_reorders_without_an_override("א1", r"\u{5d0}1")]
#[case::arabic_digit("\u{661}", r"\u{661}")]
#[case::zero_width_space("a\u{200b}b", r"a\u{200b}b")]
#[case::zero_width_joiner("👩\u{200d}💻", r"👩\u{200d}💻")]
#[case::byte_order_mark("\u{feff}a", r"\u{feff}a")]
#[case::soft_hyphen("a\u{ad}b", r"a\u{ad}b")]
#[case::combining("e\u{301}\u{301}\u{301}", r"e\u{301}\u{301}\u{301}")]
#[case::enclosing_keycap("1\u{20e3}", r"1\u{20e3}")]
#[case::tag_characters("\u{e0067}\u{e007f}", r"\u{e0067}\u{e007f}")]
#[case::variation_selectors("\u{2764}\u{fe0f}\u{e0100}", "\u{2764}\\u{fe0f}\\u{e0100}")]
#[case::skin_tone("👍🏽", r"👍\u{1f3fd}")]
#[case::flag_halves("🇩🇪", r"\u{1f1e9}\u{1f1ea}")]
#[case::hangul_fillers("\u{3164}\u{115f}\u{1160}\u{ffa0}", r"\u{3164}\u{115f}\u{1160}\u{ffa0}")]
#[case::blank_braille("\u{2800}", r"\u{2800}")]
#[case::spaces_that_are_not_the_space("\u{a0}\u{2003}\u{202f}\u{3000}", r"\u{a0}\u{2003}\u{202f}\u{3000}")]
#[case::line_separators("\u{2028}\u{2029}\u{85}", r"\u{2028}\u{2029}\u{85}")]
#[case::private_use("\u{e0b0}\u{f0000}", r"\u{e0b0}\u{f0000}")]
#[case::unassigned_and_noncharacters("\u{378}\u{ffff}\u{10ffff}", r"\u{378}\u{ffff}\u{10ffff}")]
#[case::wide_letters_stay("日本語한국어ｆｕｌｌ", "日本語한국어ｆｕｌｌ")]
#[case::accents_cyrillic_and_symbols_stay("café Ω Жук ✓ ▲ € ½", "café Ω Жук ✓ ▲ € ½")]
#[case::a_backslash_stays_what_it_is(r"C:\x \u{1b}", r"C:\x \u{1b}")]
fn what_an_attacker_writes_becomes_visible(#[case] written: &str, #[case] shown: &str) {
    assert_eq!(sanitize(written, 100), shown);
    assert_eq!(sanitize_bytes(written.as_bytes(), 100), shown);
}

#[rstest]
#[case::lone_continuation(b"a\x80b", r"a\x80b")]
#[case::cut_character(b"a\xe2\x82", r"a\xe2\x82")]
#[case::surrogate(b"\xed\xa0\x80", r"\xed\xa0\x80")]
#[case::raw_c1_byte(b"\x9b31m", r"\x9b31m")]
#[case::overlong_escape(b"\xc0\x9b[2J", r"\xc0\x9b[2J")]
fn bytes_that_are_no_text_are_written_as_hex(#[case] bytes: &[u8], #[case] shown: &str) {
    assert_eq!(sanitize_bytes(bytes, 100), shown);
}

#[rstest]
#[case(3, "abc", "abc")]
#[case(2, "abc", "ab…")]
#[case(0, "abc", "…")]
#[case(0, "", "")]
#[case(1, "\u{1b}[", "\\u{1b}…")]
fn what_lies_past_the_limit_becomes_an_ellipsis(#[case] limit: usize, #[case] text: &str, #[case] shown: &str) {
    assert_eq!(sanitize(text, limit), shown);
}

#[test]
fn only_line_feeds_of_our_own_layout_survive() {
    assert_eq!(sanitize_lines("first\nse\u{1b}cond\r\nthird\u{2028}x", 100), "first\nse\\u{1b}cond\nthird\\u{2028}x");
}

#[test]
fn debug_and_json_show_only_the_sanitised_text() {
    let text = Untrusted::from_bytes(*b"\x1b]0;owned\x07\xff");
    assert_eq!(format!("{text:?}"), "‹\\u{1b}]0;owned\\u{7}\\xff›");
    assert_eq!(serde_json::to_value(&text).unwrap(), r"\u{1b}]0;owned\u{7}\xff");
}

fn nasty() -> impl Strategy<Value = Vec<u8>> {
    let odd = "\u{1b}\u{7}\u{9b}\u{202e}\u{200d}\u{301}\u{fe0f}👍🏽🇩🇪ꓸꓼאل1\u{e0067}\u{115f}\u{1100}\u{1161}\u{11a8}日\\";
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(any::<char>(), 0..200)
            .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
        prop::collection::vec(prop::sample::select(odd.chars().collect::<Vec<_>>()), 0..60)
            .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
    ]
}

/// Said apart from the sanitiser's own list: what no terminal may ever receive from outside.
fn is_forbidden(c: char) -> bool {
    let category = c.general_category();
    let strange_space = c != ' ' && matches!(category, Category::SpaceSeparator);
    let right_to_left = matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x10800..=0x10fff | 0x1e800..=0x1efff);
    strange_space
        || right_to_left
        || c.width().unwrap_or(0) == 0
        || matches!(
            category,
            Category::Control
                | Category::Format
                | Category::PrivateUse
                | Category::Unassigned
                | Category::Surrogate
                | Category::LineSeparator
                | Category::ParagraphSeparator
                | Category::NonspacingMark
                | Category::SpacingMark
                | Category::EnclosingMark
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn for_any_bytes_nothing_forbidden_is_shown(bytes in nasty()) {
        let shown = Untrusted::from_bytes(bytes).shown();
        prop_assert!(!shown.chars().any(is_forbidden), "{:?}", shown);
        prop_assert!(shown.chars().all(is_visible));
    }

    #[test]
    fn for_any_bytes_the_line_is_as_wide_as_its_characters(bytes in nasty()) {
        let shown = Untrusted::from_bytes(bytes).shown();
        let sum: usize = shown.chars().filter_map(UnicodeWidthChar::width).sum();
        prop_assert_eq!(shown.width(), sum, "{:?}", shown);
    }

    #[test]
    fn what_is_shown_once_stays_as_it_is(bytes in nasty()) {
        let once = sanitize_bytes(&bytes, usize::MAX);
        prop_assert_eq!(sanitize(&once, usize::MAX), once);
    }

    #[test]
    fn reading_the_cache_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let text = Untrusted::from_bytes(bytes);
        let kept: Untrusted = serde_json::from_str(&serde_json::to_string(&text).unwrap()).unwrap();
        prop_assert_eq!(kept.shown(), text.shown());
    }

    #[test]
    fn the_length_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..2000), limit in 0..600usize) {
        // The longest escape, \u{10ffff}, has ten characters.
        prop_assert!(sanitize_bytes(&bytes, limit).chars().count() <= limit * 10 + 1);
        prop_assert!(Untrusted::from_bytes(bytes).shown().chars().count() <= SHOWN_LIMIT * 10 + 1);
    }
}

#[test]
fn no_single_character_of_unicode_slips_through() {
    let slipped: Vec<char> = ('\0'..=char::MAX).filter(|c| is_visible(*c) && is_forbidden(*c)).collect();
    assert!(slipped.is_empty(), "{slipped:?}");
}

//! What a terminal sends, taken apart: whole, in pieces, unfinished, and as other terminals write it.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers as Held};
use grail_console::tui::input::{Input, Parser};
use grail_console::tui::state::Theme;
use proptest::prelude::*;
use rstest::rstest;

fn key(code: KeyCode, held: Held) -> Input {
    Event::Key(KeyEvent::new(code, held)).into()
}

fn typed(c: char) -> Input {
    key(KeyCode::Char(c), Held::NONE)
}

fn ctrl_c() -> Input {
    key(KeyCode::Char('c'), Held::CONTROL)
}

fn pasted(text: &str) -> Input {
    Event::Paste(text.to_owned()).into()
}

/// What bytes mean when nothing comes after them.
fn read(bytes: &[u8]) -> Vec<Input> {
    let mut parser = Parser::default();
    let mut inputs = parser.feed(bytes);
    if parser.patience().is_some() {
        inputs.extend(parser.give_up());
    }
    assert_eq!(parser.patience(), None);
    inputs
}

#[rstest]
#[case("q", KeyCode::Char('q'), Held::NONE)]
#[case("Q", KeyCode::Char('Q'), Held::SHIFT)]
#[case("й", KeyCode::Char('й'), Held::NONE)]
#[case("\r", KeyCode::Enter, Held::NONE)]
#[case("\t", KeyCode::Tab, Held::NONE)]
#[case("\x7f", KeyCode::Backspace, Held::NONE)]
#[case("\x08", KeyCode::Char('h'), Held::CONTROL)]
#[case("\x1a", KeyCode::Char('z'), Held::CONTROL)]
#[case("\0", KeyCode::Char(' '), Held::CONTROL)]
#[case("\x1b", KeyCode::Esc, Held::NONE)]
#[case("\x1bb", KeyCode::Char('b'), Held::ALT)]
#[case("\x1b[", KeyCode::Char('['), Held::ALT)]
#[case("\x1b]", KeyCode::Char(']'), Held::ALT)]
#[case("\x1b\x7f", KeyCode::Backspace, Held::ALT)]
#[case("\x1b[A", KeyCode::Up, Held::NONE)]
#[case("\x1bOA", KeyCode::Up, Held::NONE)]
#[case("\x1b[1;5C", KeyCode::Right, Held::CONTROL)]
#[case("\x1b[Z", KeyCode::BackTab, Held::NONE)]
#[case("\x1b[H", KeyCode::Home, Held::NONE)]
#[case("\x1b[1~", KeyCode::Home, Held::NONE)]
#[case("\x1b[4~", KeyCode::End, Held::NONE)]
#[case("\x1b[3~", KeyCode::Delete, Held::NONE)]
#[case("\x1b[5~", KeyCode::PageUp, Held::NONE)]
#[case("\x1b[6;3~", KeyCode::PageDown, Held::ALT)]
#[case("\x1bOP", KeyCode::F(1), Held::NONE)]
#[case("\x1b[[B", KeyCode::F(2), Held::NONE)]
#[case("\x1b[15~", KeyCode::F(5), Held::NONE)]
#[case("\x1b[21~", KeyCode::F(10), Held::NONE)]
#[case("\x1b[24~", KeyCode::F(12), Held::NONE)]
#[case("\x1b[99;5u", KeyCode::Char('c'), Held::CONTROL)]
#[case("\x1b[27;5;99~", KeyCode::Char('c'), Held::CONTROL)]
#[case("\x1b[97;2u", KeyCode::Char('A'), Held::SHIFT)]
#[case("\x1b[9;2u", KeyCode::BackTab, Held::SHIFT)]
fn a_key_is_known_as_terminals_write_it(#[case] bytes: &str, #[case] code: KeyCode, #[case] held: Held) {
    assert_eq!(read(bytes.as_bytes()), [key(code, held)]);
    // However it arrives.
    let mut parser = Parser::default();
    let mut inputs: Vec<Input> = bytes.bytes().flat_map(|byte| parser.feed(&[byte])).collect();
    inputs.extend(parser.patience().and_then(|_| parser.give_up()));
    assert_eq!(inputs, [key(code, held)]);
}

#[rstest]
#[case::device("\x1b[?62;22c")]
#[case::focus("\x1b[I\x1b[O")]
#[case::mouse("\x1b[<64;10;10M")]
#[case::release("\x1b[97;1:3u")]
#[case::another_colour("\x1b]10;rgb:ffff/ffff/ffff\x1b\\")]
#[case::no_colour("\x1b]11;rgb:zz/1/2\x07")]
#[case::short_colour("\x1b]11;rgb:ff/ff\x07")]
#[case::device_string("\x1bP>|XTerm(380)\x1b\\")]
#[case::unfinished_answer("\x1b]11;rgb:ffff/ff")]
#[case::unfinished_sequence("\x1b[12;")]
#[case::paste_without_beginning("\x1b[201~")]
#[case::paste_without_end("\x1b[200~abc")]
#[case::c1("\u{9b}")]
fn an_answer_or_what_is_unfinished_is_no_key(#[case] bytes: &str) {
    assert_eq!(read(bytes.as_bytes()), []);
    assert_eq!(read(format!("{bytes}\x03").as_bytes()).last(), Some(&ctrl_c()));
}

#[rstest]
#[case("rgb:ffff/ffff/ffff", Theme::Light)]
#[case("rgb:fd/f6/e3", Theme::Light)]
#[case("rgba:e/e/e/f", Theme::Light)]
#[case("#ffffff", Theme::Light)]
#[case("rgb:0000/2b2b/3636", Theme::Dark)]
#[case("rgb:0/0/0", Theme::Dark)]
#[case("#300a24", Theme::Dark)]
fn the_background_is_light_or_dark(#[case] colour: &str, #[case] theme: Theme) {
    for end in ["\x07", "\x1b\\"] {
        assert_eq!(read(format!("\x1b]11;{colour}{end}q").as_bytes()), [Input::Background(theme), typed('q')]);
    }
}

#[test]
fn a_paste_is_one_text_whatever_is_in_it() {
    let text = "line one\rline \x1b[A two é";
    assert_eq!(read(format!("a\x1b[200~{text}\x1b[201~b").as_bytes()), [typed('a'), pasted(text), typed('b')]);
}

#[test]
fn a_paste_without_an_end_is_bounded_and_ctrl_c_ends_it() {
    let mut parser = Parser::default();
    assert_eq!(parser.feed(b"\x1b[200~"), []);
    for _ in 0..1_000 {
        assert_eq!(parser.feed(&[b'x'; 4_096]), []);
    }
    let inputs = parser.feed(b"\x1b[201~q");
    let [Input::Terminal(Event::Paste(text)), last] = &inputs[..] else { panic!("{inputs:?}") };
    assert_eq!((text.len(), last), (64 * 1024, &typed('q')));

    assert_eq!(parser.feed(b"\x1b[200~abc\x03q"), [ctrl_c(), typed('q')]);
}

#[test]
fn a_flood_without_an_end_is_dropped() {
    let mut parser = Parser::default();
    parser.feed(b"\x1b]");
    for _ in 0..100 {
        parser.feed(&[b'1'; 1_000]);
    }
    assert!(parser.feed(b"\x03").contains(&ctrl_c()));
}

proptest! {
    #[test]
    fn nothing_that_arrives_keeps_ctrl_c_from_being_heard(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut parser = Parser::default();
        parser.feed(&bytes);
        // Half a character takes one byte with it, as the next key does.
        let heard = [parser.feed(b"\x03"), parser.feed(b"\x03")].concat();
        prop_assert!(heard.contains(&ctrl_c()));
    }

    #[test]
    fn pieces_mean_what_the_whole_means(bytes in "(\\PC|\x1b\\[[0-9;]{0,4}[A-Z~]|\x1b\\]11;#[0-9a-f]{6}\x07){0,8}", cut in any::<prop::sample::Index>()) {
        let (first, second) = bytes.as_bytes().split_at(cut.index(bytes.len() + 1));
        let mut parser = Parser::default();
        let pieces = [parser.feed(first), parser.feed(second)].concat();
        prop_assert_eq!(pieces, Parser::default().feed(bytes.as_bytes()));
    }
}

//! GRAIL's `.env`. The expected values of the table were confirmed by python-dotenv 1.2.4 itself.

use std::fs;

use grail_console::config::dotenv::{Dotenv, DotenvError, FaultKind, MAX_BYTES, MAX_EXPANDED, Place};
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;
use proptest::prelude::*;

fn environment() -> Environment {
    [("HOME", "/h"), ("EMPTY", ""), ("A", "exported")].into_iter().collect()
}

fn parse(text: &str) -> Dotenv {
    Dotenv::parse(text, &environment())
}

/// What `load_dotenv(override=True)` would set.
fn value(text: &str, name: &str) -> Option<String> {
    parse(text).get(name).map(|(value, _)| value.expose().to_owned())
}

/// Text, name, and what python-dotenv 1.2.4 gives for it.
const TRICKY: &[(&str, &str, Option<&str>)] = &[
    ("A=b", "A", Some("b")),
    (" A = b ", "A", Some("b")),
    ("A=", "A", Some("")),
    ("A", "A", None),
    ("A=1\nA", "A", None),
    ("A=1\nA=2", "A", Some("2")),
    ("export A=b", "A", Some("b")),
    ("export\tA=b", "A", Some("b")),
    ("export=b", "export", Some("b")),
    ("exportA=b", "exportA", Some("b")),
    ("A=b # c", "A", Some("b")),
    ("A=b#c", "A", Some("b#c")),
    ("A=#c", "A", Some("#c")),
    ("A= # c", "A", Some("")),
    ("A=b\t# c # d", "A", Some("b")),
    ("A='b # c' # d", "A", Some("b # c")),
    ("A=\"b # c\"# d", "A", Some("b # c")),
    ("# A=b\nB=c", "A", None),
    ("A=b c", "A", Some("b c")),
    ("A='b'", "A", Some("b")),
    ("A=''", "A", Some("")),
    ("A=\"b\\nc\\td\"", "A", Some("b\nc\td")),
    ("A='b\\nc'", "A", Some("b\\nc")),
    ("A='it\\'s'", "A", Some("it's")),
    ("A=\"say \\\"x\\\"\"", "A", Some("say \"x\"")),
    ("A='b\\\\'", "A", Some("b\\")),
    ("A=\"\\a\\b\\f\\v\\r\"", "A", Some("\u{7}\u{8}\u{c}\u{b}\r")),
    ("A=\"\\x\\u0041\"", "A", Some("\\x\\u0041")),
    ("A=\"\\'\"", "A", Some("'")),
    ("A='b\nc'", "A", Some("b\nc")),
    ("A=\"b\r\nc\"", "A", Some("b\nc")),
    ("A=b\r\nB=c\r", "A", Some("b")),
    ("A=b\r\nB=c\r", "B", Some("c")),
    ("A=b\\\nB=c", "A", Some("b\\")),
    ("A=\"b\nB=c", "B", Some("c")),
    ("A=\"b\nB=c", "A", None),
    ("A=${HOME}/x", "A", Some("/h/x")),
    ("A='${HOME}'", "A", Some("/h")),
    ("B=1\nA=${B}2", "A", Some("12")),
    ("A=1\nB=${A}", "B", Some("1")),
    ("B=${A}", "B", Some("exported")),
    ("B=${NONE}", "B", Some("")),
    ("B=${NONE:-d e}", "B", Some("d e")),
    ("B=${EMPTY:-d}", "B", Some("")),
    ("A\nB=${A:-d}", "B", Some("")),
    ("A=\nB=${A:-d}", "B", Some("")),
    ("B=${HOME", "B", Some("${HOME")),
    ("B=$HOME", "B", Some("$HOME")),
    ("B=${HOME:d}", "B", Some("${HOME:d}")),
    ("B=${}", "B", Some("")),
    ("B=${:-d}", "B", Some("d")),
    ("B=${X:-${HOME}}", "B", Some("${HOME}")),
    ("B=\\${HOME}", "B", Some("\\/h")),
    ("A=${A}:x", "A", Some("exported:x")),
    ("B=${C}\nC=1", "B", Some("")),
    ("'A'=b", "A", Some("b")),
    ("'A B'=c", "A B", Some("c")),
    ("A.b-c=d", "A.b-c", Some("d")),
    ("\u{feff}A=b", "A", Some("b")),
    ("A=\u{a0}b\u{a0}", "A", Some("b")),
    ("A=b\u{2028}c", "A", Some("b\u{2028}c")),
    ("A=b\u{1c}#c", "A", Some("b")),
    ("A=\"b\" c\nB=d", "A", None),
    ("A=\"b\" c\nB=d", "B", Some("d")),
    ("A==b", "A", Some("=b")),
    ("A=b=c==", "A", Some("b=c==")),
    ("A: b\nB=c", "B", Some("c")),
    ("A='b'c", "A", None),
    ("A=b'c", "A", Some("b'c")),
    ("A=b\"c\"", "A", Some("b\"c\"")),
    ("A=\"b'c\"", "A", Some("b'c")),
    ("A=\u{e9}", "A", Some("\u{e9}")),
    ("\n\n A=b", "A", Some("b")),
    ("A=b\n\u{b}B=c", "B", Some("c")),
];

#[test]
fn tricky_lines_read_as_python_dotenv_reads_them() {
    for (text, name, expected) in TRICKY {
        assert_eq!(value(text, name).as_deref(), *expected, "{name} in {text:?}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_reported_and_the_rest_is_read() {
    let file = parse("A=1\nB = \"never closed\nC='x' y\n=z\nD E=1\n'=5\nF=6\n");
    let found: Vec<_> = file.faults.iter().map(|f| (f.place.line, f.place.column, f.kind)).collect();
    assert_eq!(
        found,
        [
            (2, 5, FaultKind::OpenQuote('"')),
            (3, 7, FaultKind::TextAfterQuote),
            (4, 1, FaultKind::NoName),
            (5, 3, FaultKind::TextAfterName),
            (6, 1, FaultKind::OpenName),
        ]
    );
    assert_eq!(file.get("A").unwrap().0.expose(), "1");
    assert_eq!(file.get("F").unwrap(), (&SecretKey::new("6"), 7));
}

#[test]
fn a_fault_says_where_what_follows_and_what_to_do() {
    let file = parse("A=1\n  B=\"open\n");
    assert_eq!(
        file.faults[0].to_string(),
        "line 2, column 5: a double quote is never closed. GRAIL skips this statement, and logs only its line number. \
         Close the quote; a backslash before it makes it part of the value."
    );
}

#[test]
fn what_grail_reads_but_does_not_do_what_it_seems_is_noted() {
    let kinds = |text: &str| parse(text).faults.iter().map(|f| f.kind).collect::<Vec<_>>();
    assert_eq!(kinds("A\n"), [FaultKind::NoValue]);
    assert_eq!(kinds("A=1\n\nA=2\n"), [FaultKind::Repeated { earlier: 1 }]);
    assert_eq!(kinds("A= # later\n"), [FaultKind::Ambiguous]);
    assert_eq!(kinds("A='x\\\\'\nB='y'\n"), [FaultKind::Ambiguous]);
    assert_eq!(kinds("\u{feff}A=1\n"), [FaultKind::ByteOrderMark]);
    assert_eq!(kinds("A=\0\n"), [FaultKind::Unsettable]);
    assert_eq!(kinds("'A=B'=1\n"), [FaultKind::Unsettable]);
    assert_eq!(kinds("# all\n\nA=1 # fine\nexport B='2'\n"), []);
}

#[test]
fn values_that_double_at_every_line_are_stopped() {
    let mut text = String::from("A=xxxxxxxxxxxxxxxx\n");
    for _ in 0..64 {
        text.push_str("A=${A}${A}\n");
    }
    let file = parse(&text);
    assert!(file.faults.iter().any(|f| f.kind == FaultKind::Overgrown));
    assert!(file.entries.iter().filter_map(|e| e.value.as_ref()).map(SecretKey::chars).sum::<usize>() <= MAX_EXPANDED);
}

#[test]
fn neither_debug_nor_a_fault_shows_a_value_or_an_unusual_name() {
    let canary = "c4na7yc4na7yc4na7y";
    let text = format!("A={canary}\n{canary}\n{canary}=1\nB=\"{canary}\nC='x' {canary}\n");
    let file = parse(&text);
    let faults: String = file.faults.iter().map(ToString::to_string).collect();
    assert!(file.faults.len() >= 3, "{faults}");
    assert!(!format!("{file:?} {faults}").contains(canary));
}

#[test]
fn a_file_that_is_not_utf8_is_refused_with_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("env");
    fs::write(&path, b"A=1\nB=\xc3\xa9\xff\n").unwrap();
    match Dotenv::read(&path, &environment()) {
        Err(DotenvError::NotUtf8 { place, .. }) => assert_eq!(place, Place { line: 2, column: 4 }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_file_a_folder_and_an_endless_file_are_named_errors() {
    let dir = tempfile::tempdir().unwrap();
    let missing = Dotenv::read(&dir.path().join("no"), &environment());
    assert!(matches!(missing, Err(DotenvError::Unreadable { .. })), "{missing:?}");
    let folder = Dotenv::read(dir.path(), &environment());
    assert!(matches!(folder, Err(DotenvError::NotAFile { .. })), "{folder:?}");
    let large = dir.path().join("large");
    fs::File::create(&large).unwrap().set_len(MAX_BYTES + 1).unwrap();
    assert!(matches!(Dotenv::read(&large, &environment()), Err(DotenvError::TooLarge { .. })));
}

#[test]
fn line_numbers_count_the_lines_inside_quotes_and_every_kind_of_line_end() {
    let file = parse("A='1\n2\n3'\r\nB=1\rC=2\n\n\nD=3");
    let lines: Vec<_> = file.entries.iter().map(|e| (e.name.as_str(), e.line)).collect();
    assert_eq!(lines, [("A", 1), ("B", 4), ("C", 5), ("D", 8)]);
    assert_eq!(file.get("A").unwrap().0.expose(), "1\n2\n3");
}

/// Text made of the signs that mean something in a `.env`, so that the grammar is met often.
fn dotenv_text() -> impl Strategy<Value = String> {
    let sign = prop_oneof![
        proptest::sample::select(vec![
            "A", "B", "=", "'", "\"", "\\", "\n", "\r", " ", "#", "export ", "${", "}", ":-", "\0"
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(sign, 0..60).prop_map(|signs| signs.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_point_outside_the_file(text in dotenv_text()) {
        let file = parse(&text);
        let lines = u32::try_from(text.replace("\r\n", "\n").replace('\r', "\n").split('\n').count()).unwrap();
        prop_assert!(file.entries.iter().all(|e| (1..=lines).contains(&e.line)));
        prop_assert!(file.faults.iter().all(|f| (1..=lines).contains(&f.place.line) && f.place.column >= 1));
    }

    #[test]
    fn a_plain_value_comes_back_as_it_was_written(name in "[A-Z][A-Z0-9_]{0,30}", plain in "[A-Za-z0-9+/=._:-]{0,80}") {
        prop_assert_eq!(value(&format!("{name}={plain}\n"), &name), Some(plain));
    }

    #[test]
    fn any_value_without_references_survives_single_quotes(text in "[^\0\r$]{0,60}") {
        let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
        prop_assert_eq!(value(&format!("A='{quoted}'\n"), "A"), Some(text));
    }

    #[test]
    fn the_last_definition_counts(values in proptest::collection::vec("[a-z]{1,8}", 1..6)) {
        let text: String = values.iter().flat_map(|value| ["A=", value, "\n"]).collect();
        prop_assert_eq!(value(&text, "A"), values.last().cloned());
    }
}

//! A `.env` with other values for some names. What python-dotenv makes of the same pairs is asked by
//! `tests/peers/dotenv_rewrite.py`, which reads the corpus written here.

use std::fs;
use std::path::Path;

use grail_console::config::dotenv::{Change, Dotenv, Fault, FaultKind, RewriteError, lines_holding, rewrite};
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rstest::rstest;
use zeroize::Zeroizing;

const KEY: &str = "R2_READ_SECRET_ACCESS_KEY";
const NEW: &str = "abcdef0123456789abcdef0123456789";

fn with(text: &str, change: Change<'_>, append: bool) -> Result<Zeroizing<String>, RewriteError> {
    rewrite(text, &[(KEY, change)], append)
}

/// Short texts say `K` for the name and `N` for the new value.
fn long(text: &str) -> String {
    text.replace('K', KEY).replace('N', NEW)
}

#[rstest]
#[case::plain("K=old\n", "K=N\n")]
#[case::without_line_end("K=old", "K=N")]
#[case::exported("export K=old # mine\n", "export K=N # mine\n")]
#[case::blanks("  K  =  old  \nB=1", "  K  =  N  \nB=1")]
#[case::empty("K=\n", "K=N\n")]
#[case::empty_before_a_comment("K= # later\n", "K=N # later\n")]
#[case::single_quotes("K='old'#c\n", "K='N'#c\n")]
#[case::double_quotes("K=\"o\\\"ld\" # c\n", "K=\"N\" # c\n")]
#[case::several_lines("A=1\r\nK=\"o\r\nl\r\nd\" # c\r\nB=2\r\n", "A=1\r\nK=\"N\" # c\r\nB=2\r\n")]
#[case::old_mac("A=1\rK=old\rB=2", "A=1\rK=N\rB=2")]
#[case::repeated("K=1\nA=x\nK='2'\n", "K=N\nA=x\nK='N'\n")]
#[case::byte_order_mark("\u{feff}K=old\nA=\u{e9}\n", "\u{feff}K=N\nA=\u{e9}\n")]
#[case::no_equals_sign("K\nA=1\n", "K=N\nA=1\n")]
#[case::no_equals_sign_and_a_comment("K#c\n", "K='N'#c\n")]
#[case::quoted_name("'K' = old\n", "'K' = N\n")]
#[case::other_names("K2=old\nXK=old\n#K=old\nB='\nK=old\n'\n", "K2=old\nXK=old\n#K=old\nB='\nK=old\n'\n")]
fn the_new_value_stands_in_place_of_the_old_one(#[case] before: &str, #[case] after: &str) {
    let (before, after) = (long(before), long(after));
    assert_eq!(*with(&before, Change::Value(&SecretKey::new(NEW)), false).unwrap(), after);
}

#[rstest]
#[case::plain("K=old\n", "K=\n", "# K=\n")]
#[case::commented("export K='old' # mine\n", "export K='' # mine\n", "# export K= # mine\n")]
#[case::several_lines("A=1\n  K='o\nld'\nB=2\n", "A=1\n  K=\nB=2\n", "A=1\n  # K=\nB=2\n")]
#[case::repeated("K=1\r\nK=2", "K=\r\nK=", "# K=\r\n# K=")]
#[case::no_equals_sign("K\n", "K=\n", "# K=\n")]
#[case::not_defined("A=1\n", "A=1\n", "A=1\n")]
fn a_blanked_value_is_empty_and_a_commented_one_is_not_set(
    #[case] before: &str,
    #[case] blanked: &str,
    #[case] commented: &str,
) {
    assert_eq!(*with(&long(before), Change::Blank, true).unwrap(), long(blanked));
    assert_eq!(*with(&long(before), Change::Comment, true).unwrap(), long(commented));
}

#[rstest]
#[case::empty("", "K=N\n")]
#[case::whole_lines("A=1\n", "A=1\nK=N\n")]
#[case::no_line_end("A=1\r\nB=2", "A=1\r\nB=2\r\nK=N\r\n")]
#[case::byte_order_mark("\u{feff}", "\u{feff}K=N\n")]
fn a_name_that_is_not_defined_is_appended_only_when_asked(#[case] before: &str, #[case] after: &str) {
    let new = SecretKey::new(NEW);
    assert_eq!(*with(before, Change::Value(&new), false).unwrap(), before);
    assert_eq!(*with(before, Change::Value(&new), true).unwrap(), long(after));
}

#[test]
fn several_names_change_at_once() {
    let (id, secret) = (SecretKey::new("1d"), SecretKey::new("5ec"));
    let changes = [("ID", Change::Value(&id)), ("SECRET", Change::Value(&secret)), ("OLD", Change::Comment)];
    let after = rewrite("SECRET=a\nOLD=b\nX=c\n", &changes, true).unwrap();
    assert_eq!(*after, "SECRET=5ec\n# OLD=\nX=c\nID=1d\n");
}

#[rstest]
#[case::blank("se cret", "K='se cret'\n")]
#[case::hash("se#cret", "K='se#cret'\n")]
#[case::dollar("$ecret", "K='$ecret'\n")]
#[case::base64("a+/b==", "K=a+/b==\n")]
fn a_value_is_quoted_where_it_must_be(#[case] value: &str, #[case] after: &str) {
    assert_eq!(*with(&long("K=old\n"), Change::Value(&SecretKey::new(value)), false).unwrap(), long(after));
}

#[rstest]
#[case("")]
#[case("a'b")]
#[case("a\"b")]
#[case("a\\b")]
#[case("a\nb")]
#[case("a\u{0}b")]
#[case("${HOME}")]
#[case("s\u{e9}cret")]
fn a_value_that_not_every_release_reads_alike_is_refused_without_being_quoted(#[case] value: &str) {
    let error = with(&long("K=old\n"), Change::Value(&SecretKey::new(value)), false).unwrap_err();
    assert_eq!(error, RewriteError::Unsafe { name: KEY.to_owned() });
}

#[rstest]
#[case("K=old\nB=1\nCOPY=x${K}\n", 3)]
#[case("A='\n\n${K:-d}'\n", 1)]
#[case("A=${B}${X:-${K}\nK=1\n", 1)]
fn a_value_that_refers_to_a_changed_one_is_refused_with_its_line(#[case] text: &str, #[case] line: u32) {
    let error = with(&long(text), Change::Value(&SecretKey::new(NEW)), false);
    if text.contains("X:-") {
        // `${X:-${K}` is a default that is the text `${K`: no reference, and nothing changes.
        assert_eq!(*error.unwrap(), long("A=${B}${X:-${K}\nK=N\n"));
    } else {
        assert_eq!(error.unwrap_err(), RewriteError::Reference { line, name: KEY.to_owned() });
    }
}

#[test]
fn a_name_whose_own_old_value_had_references_is_changed() {
    assert_eq!(*with(&long("K=${A}${K}\n"), Change::Blank, false).unwrap(), long("K=\n"));
}

#[test]
fn an_appended_line_that_would_close_an_open_quote_is_refused() {
    // Alone, the open quote is a fault and `C` a definition; a quoted value behind it would close it and swallow both.
    let error = with("A=1\nB='open\nC=2\n", Change::Value(&SecretKey::new("two words")), true).unwrap_err();
    assert_eq!(error, RewriteError::Misread { line: 3 });
}

#[test]
fn a_quote_that_would_close_an_open_one_for_older_releases_is_refused() {
    let new = SecretKey::new("two words");
    assert_eq!(*with("B='x\\\\'\n", Change::Value(&SecretKey::new(NEW)), true).unwrap(), long("B='x\\\\'\nK=N\n"));
    assert_eq!(with("B='x\\\\'\n", Change::Value(&new), true), Err(RewriteError::Misread { line: 1 }));
}

#[test]
fn secrets_that_still_stand_somewhere_are_found_by_their_line() {
    let text = format!("A=1\r\n# old: {NEW}\r\nAWS='{NEW}'\r\nB=short\r\n");
    assert_eq!(lines_holding(&text, &[&SecretKey::new(NEW), &SecretKey::new("short")]), [2, 3]);
}

/// A file of which the test knows every byte: what stands before and behind each value.
#[derive(Debug, Clone)]
struct Line {
    before: String,
    name: String,
    equals: String,
    quote: &'static str,
    value: String,
    behind: String,
    end: &'static str,
}

impl Line {
    fn is(&self, name: &str) -> bool {
        self.name == name
    }

    fn text(&self) -> String {
        let Self { before, name, equals, quote, value, behind, end } = self;
        format!("{before}{name}{equals}{quote}{value}{quote}{behind}{end}")
    }

    fn rewritten(&self, change: Change<'_>) -> String {
        let Self { before, name, equals, quote, value, behind, end } = self;
        // An empty value stands directly behind its `=`.
        let empty = quote.is_empty() && value.is_empty();
        let (equals, blanks) =
            if empty { equals.split_at(equals.find('=').unwrap() + 1) } else { (equals.as_str(), "") };
        match change {
            Change::Value(new) => format!("{before}{name}{equals}{quote}{}{quote}{blanks}{behind}{end}", new.expose()),
            Change::Blank if behind.contains('#') => format!("{before}{name}{equals}''{blanks}{behind}{end}"),
            Change::Blank => format!("{before}{name}{equals}{blanks}{behind}{end}"),
            Change::Comment => {
                let (margin, statement) = before.split_at(before.find("export").unwrap_or(before.len()));
                format!("{margin}# {statement}{name}{equals}{blanks}{behind}{end}")
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    let known = proptest::sample::select(vec![KEY, KEY, "R2_READ_ACCESS_KEY_ID", "NETUID", "OTHER"]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => "[A-Z_]{1,6}"]
}

fn value() -> impl Strategy<Value = (&'static str, String, String)> {
    let apart =
        || proptest::sample::select(vec!["", "  ", " # note", "\t# it's \"so\"", " #${OTHER}"]).prop_map(str::to_owned);
    let joined = || proptest::sample::select(vec!["", "#c", " # c", "\t"]).prop_map(str::to_owned);
    prop_oneof![
        ("[a-z0-9+/]{0,12}", apart()).prop_map(|(value, behind)| ("", value, behind)),
        ("[a-z0-9]( ?[a-z#='\"$\u{e9}]){0,6}[a-z]", apart())
            .prop_filter("a comment within", |(value, _)| !value.contains(" #"))
            .prop_map(|(value, behind)| ("", value, behind)),
        ("([a-z #=\"]|\r?\n|\\\\'|\\\\\\\\){0,12}", joined()).prop_map(|(value, behind)| ("'", value, behind)),
        ("([a-z #=']|\r?\n|\\\\\"|\\\\n){0,12}", joined()).prop_map(|(value, behind)| ("\"", value, behind)),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let before =
        proptest::sample::select(vec!["", "", "  ", "export ", "\texport\t", "# note\n", "\r\n \n", "= no name\n"]);
    let equals = proptest::sample::select(vec!["=", "=", " = ", "=\t"]);
    let end = proptest::sample::select(vec!["\n", "\n", "\r\n", "\r"]);
    (before, name(), equals, value(), end).prop_map(|(before, name, equals, (quote, value, behind), end)| Line {
        before: before.to_owned(),
        name,
        equals: equals.to_owned(),
        quote,
        value,
        behind,
        end,
    })
}

fn file() -> impl Strategy<Value = (bool, Vec<Line>)> {
    (proptest::bool::weighted(0.2), proptest::collection::vec(line(), 0..8), any::<bool>()).prop_map(
        |(marked, mut lines, ended)| {
            if let Some(last) = lines.last_mut().filter(|_| !ended) {
                last.end = "";
            }
            (marked, lines)
        },
    )
}

fn text_of(marked: bool, lines: impl Iterator<Item = String>) -> String {
    std::iter::once(if marked { "\u{feff}".to_owned() } else { String::new() }).chain(lines).collect()
}

fn values(text: &str) -> Vec<(String, Option<String>)> {
    let read = Dotenv::parse(text, &Environment::default());
    read.entries.into_iter().map(|it| (it.name, it.value.map(|value| value.expose().to_owned()))).collect()
}

/// Text made of the signs that mean something in a `.env`.
fn noise() -> impl Strategy<Value = String> {
    let signs =
        vec!["A", "B", "A=", "B=", "=", "'", "\"", "\\", "\n", "\r", " ", "#", "export ", "${", "${A}", "}", ":-"];
    let sign =
        prop_oneof![proptest::sample::select(signs).prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    proptest::collection::vec(sign, 0..60).prop_map(|signs| signs.concat())
}

proptest! {
    #[test]
    fn every_byte_outside_the_changed_values_stays((marked, lines) in file(), kind in 0..3) {
        let new = SecretKey::new(NEW);
        let change = [Change::Value(&new), Change::Blank, Change::Comment][usize::try_from(kind).unwrap()];
        let before = text_of(marked, lines.iter().map(Line::text));
        let expected = text_of(marked, lines.iter().map(|it| if it.is(KEY) { it.rewritten(change) } else { it.text() }));
        let after = with(&before, change, false);
        // Older releases see an open quote there, which the quotes of an empty value could close.
        prop_assume!(!(after.is_err() && change == Change::Blank && before.contains("\\'")));
        prop_assert_eq!(after.as_ref().map(|after| after.as_str()), Ok(expected.as_str()));
    }

    #[test]
    fn whatever_the_file_it_is_refused_or_reads_as_meant(text in noise(), new in "[ -~]{1,12}", append in any::<bool>()) {
        let new = SecretKey::new(new);
        if let Ok(after) = rewrite(&text, &[("A", Change::Value(&new))], append) {
            let others = |text: &str| values(text).into_iter().filter(|(name, _)| name != "A").collect::<Vec<_>>();
            prop_assert_eq!(others(&text), others(&after));
            let read = values(&after);
            let mut changed = read.iter().filter(|(name, _)| name == "A");
            prop_assert!(changed.all(|(_, value)| value.as_deref() == Some(new.expose())));
            prop_assert!(!append || read.iter().any(|(name, _)| name == "A"));
        }
    }
}

/// What python-dotenv is asked about: pairs of files, the changed name, the value meant (`null`: not set), and whether
/// every release must agree: not where the console itself says that they read the file differently.
#[test]
fn the_corpus_for_python_dotenv_is_written() {
    let mut runner = TestRunner::deterministic();
    let new = SecretKey::new(NEW);
    let spaced = SecretKey::new("two words # $HOME");
    let kinds = [
        (Change::Value(&new), Some(NEW)),
        (Change::Value(&spaced), Some(spaced.expose())),
        (Change::Blank, Some("")),
        (Change::Comment, None),
    ];
    let mut corpus = Vec::new();
    for round in 0..400 {
        let (marked, lines) = file().new_tree(&mut runner).unwrap().current();
        let before = text_of(marked, lines.iter().map(Line::text));
        let (change, meant) = kinds[round % kinds.len()];
        let Ok(after) = with(&before, change, true) else { continue };
        let defined = lines.iter().any(|line| line.is(KEY));
        let meant = meant.filter(|_| defined || matches!(change, Change::Value(_)));
        let odd = |fault: &Fault| matches!(fault.kind, FaultKind::Ambiguous | FaultKind::ByteOrderMark);
        let plain = !Dotenv::parse(&before, &Environment::default()).faults.iter().any(odd);
        let pair =
            serde_json::json!({ "before": before, "after": *after, "name": KEY, "meant": meant, "plain": plain });
        corpus.push(pair);
    }
    let changed = corpus.iter().filter(|pair| pair["before"] != pair["after"]);
    assert!(changed.filter(|pair| pair["plain"] == true).count() > 150);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dotenv-corpus.json");
    fs::write(path, serde_json::to_vec(&corpus).unwrap()).unwrap();
}

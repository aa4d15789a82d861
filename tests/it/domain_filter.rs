//! The filter line: its grammar, what each term accepts, and errors that name what there is.

use grail_console::domain::commitment::Payload;
use grail_console::domain::credentials::LocalView;
use grail_console::domain::filter::{Filter, FilterError};
use grail_console::domain::probe::Verdict;
use grail_console::domain::provider::Provider;
use grail_console::domain::read_test_summary::Tested;
use grail_console::domain::roster::{Own, Roster, Row};
use grail_console::domain::snapshot::Member;
use proptest::prelude::*;
use rstest::rstest;

use crate::domain_credentials::{ACCOUNT, READ_ID, healthy_but};
use crate::domain_roster::{bytes, hotkey, member, readable, set_at, snapshot, unreadable};

/// uid 0 trainer, readable · 1 validator, never committed · 2 own, unreadable (drift) · 3 foreign, two fields · 4 inherited
/// · 12 never committed · an ex-member.
fn roster() -> Roster {
    let members = vec![
        member(0, 10),
        Member { validator_permit: true, ..member(1, 11) },
        member(2, 12),
        member(3, 13),
        member(4, 14),
        member(12, 15),
    ];
    let foreign = format!("{:<32}{:<32}{:<64}", "garage-bucket", "GKABCDEF", "secret");
    let commitments = [
        (10, readable(2000)),
        (12, unreadable(2000)),
        (13, set_at(2000, vec![bytes(foreign.as_bytes()), Payload::Nothing])),
        (14, readable(900)),
        (99, readable(5)),
    ];
    let own = Own { hotkey: hotkey(12), local: LocalView::of(&Provider::default(), &healthy_but(&[])) };
    Roster::join(&snapshot(members, commitments), Some(&own))
}

/// The uids that pass; 999 stands for the ex-member.
fn passing(line: &str) -> Vec<u16> {
    let roster = roster();
    let filter = Filter::parse(line).unwrap();
    let rows = roster.rows.iter().chain(&roster.ex_members).filter(|row| filter.accepts(row, Tested::default()));
    rows.map(|row| row.uid.unwrap_or(999)).collect()
}

#[rstest]
#[case("", &[0, 1, 2, 3, 4, 12, 999])]
#[case("state:readable", &[0, 3, 4, 999])]
#[case("state:unreadable", &[2])]
#[case("state:none", &[1, 12])]
#[case("state:drift", &[2])]
#[case("state:foreign", &[3])]
#[case("state:orphan", &[999])]
#[case("state:orphans", &[999])]
#[case("state:predates", &[4])]
#[case("state:several", &[3])]
#[case("role:trainer", &[0])]
#[case("role:validator", &[1])]
#[case("role:miner", &[2, 3, 4, 12])]
#[case("own:yes", &[2])]
#[case("own:no", &[0, 1, 3, 4, 12, 999])]
#[case("reason:wrong_length", &[2])]
#[case("reason:length", &[2])]
#[case("reason:hash", &[])]
#[case("12", &[12])]
#[case("garage", &[3])]
#[case("gkabc", &[3])]
#[case("state:readable role:miner", &[3, 4])]
#[case("  STATE:Readable   Role:MINER  ", &[3, 4])]
#[case("garage state:unreadable", &[])]
fn each_term_passes_its_rows(#[case] line: &str, #[case] uids: &[u16]) {
    assert_eq!(passing(line), uids);
}

#[test]
fn a_word_finds_address_locator_and_key_id_in_any_case() {
    let roster = roster();
    let address = roster.by_uid(1).unwrap().address.clone();
    assert_eq!(passing(&address[5..30].to_uppercase()), [1]);
    assert_eq!(passing(&ACCOUNT[4..20]), [0, 4, 999]);
    assert_eq!(passing(&READ_ID[4..20]), [0, 4, 999]);
}

#[rstest]
#[case("colour:red", "there is no filter colour: — try state: role: own: reason: test: proof: mark:")]
#[case("state:fine", "state:fine is unknown — try readable unreadable none drift foreign orphan predates several")]
#[case("state:", "state: is unknown — try readable unreadable none drift foreign orphan predates several")]
#[case("role:boss", "role:boss is unknown — try trainer validator miner")]
#[case("own:maybe", "own:maybe is unknown — try yes no")]
#[case(
    "reason:mood",
    "reason:mood is unknown — try no_field no_bytes hash timelock wrong_length not_utf8 blank_part unknown_variant undecodable (a part of the name will do)"
)]
fn a_term_without_meaning_is_named_with_what_there_is(#[case] line: &str, #[case] message: &str) {
    assert_eq!(Filter::parse(line).unwrap_err().to_string(), message);
}

#[test]
fn every_state_an_error_offers_is_taken() {
    let message = Filter::parse("state:x").unwrap_err().to_string();
    let offered = message.split("try ").nth(1).unwrap();
    assert!(offered.split(' ').all(|state| Filter::parse(&format!("state:{state}")).is_ok()));
}

#[rstest]
#[case("test:failed", &[1, 2])]
#[case("test:ok", &[0])]
#[case("test:denied", &[1])]
#[case("test:SCOPE_denied", &[1])]
#[case("test:clock_skew", &[2])]
#[case("test:untested", &[3])]
#[case("test:risky", &[1])]
#[case("mark:yes", &[0])]
#[case("mark:no test:failed", &[1, 2])]
fn terms_about_tests_and_marks_are_answered_from_what_is_known_besides_the_row(
    #[case] line: &str,
    #[case] uids: &[usize],
) {
    let roster = roster();
    let tested = |verdict| Tested { verdict, ..Tested::default() };
    let known = [
        Tested { marked: true, ..tested(Some(Verdict::Ok)) },
        Tested { risky: true, ..tested(Some(Verdict::ScopeDenied)) },
        tested(Some(Verdict::ClockSkew)),
        tested(None),
    ];
    let filter = Filter::parse(line).unwrap();
    assert!(filter.asks_for_tests());
    let passing: Vec<usize> = (0..4).filter(|uid| filter.accepts(&roster.rows[*uid], known[*uid])).collect();
    assert_eq!(passing, uids);
}

#[test]
fn a_row_in_which_nothing_could_be_tested_has_not_failed() {
    let (roster, filter) = (roster(), Filter::parse("test:failed").unwrap());
    let nothing = Tested { verdict: Some(Verdict::NoCommitment), ..Tested::default() };
    assert!(!filter.accepts(&roster.rows[1], nothing));
    assert!(!filter.accepts(&roster.rows[1], Tested::default()));
}

#[test]
fn every_verdict_and_every_word_that_an_error_offers_can_be_filtered_by() {
    let message = Filter::parse("test:fine").unwrap_err().to_string();
    let offered = message.split("try ").nth(1).unwrap();
    assert!(offered.split(' ').all(|word| Filter::parse(&format!("test:{word}")).is_ok()));
    assert!(Verdict::ALL.iter().all(|verdict| offered.split(' ').any(|word| word == verdict.name())));
}

#[test]
fn where_nothing_is_tested_terms_about_tests_are_refused() {
    let refused = |line: &str| Filter::of_rows(line).unwrap_err().to_string();
    assert_eq!(
        refused("role:miner test:failed"),
        "test: works only in the console, where rows are tested and marked; here filter by state: role: own: reason:"
    );
    assert!(refused("mark:yes").starts_with("mark: works only in the console"));
    assert!(refused("TEST:x").starts_with("test: works only in the console"));
    assert!(Filter::of_rows("role:miner own:no").is_ok());
}

#[test]
fn an_unknown_term_is_answered_with_those_that_are_taken_where_it_was_written() {
    let offered = |refused: Result<Filter, _>| match refused {
        Err(error @ FilterError::Key { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let of_rows = offered(Filter::of_rows("foo:bar"));
    assert_eq!(of_rows, "there is no filter foo: — try state: role: own: reason:");
    assert_eq!(offered(Filter::parse("foo:bar")), format!("{of_rows} test: proof: mark:"));
    assert!(Filter::terms_of_rows().all(|term| Filter::of_rows(&term).is_ok()));
    assert!(Filter::terms_of_rows().any(|term| term == "state:drift"));
}

#[test]
fn the_order_of_tests_is_that_of_the_verdicts_then_of_the_time_they_took() {
    let tested = |verdict, elapsed_ms| Tested { verdict, elapsed_ms, ..Tested::default() };
    let ordered = [
        tested(Some(Verdict::Ok), 60),
        tested(Some(Verdict::Ok), 90),
        tested(Some(Verdict::Late), 10),
        tested(Some(Verdict::NoCommitment), 0),
        tested(None, 0),
    ];
    assert!(ordered.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt()));
}

#[test]
fn only_an_explicit_question_brings_ex_members_in() {
    assert!(Filter::parse("state:orphan").unwrap().wants_ex_members());
    assert!(!Filter::parse("5F state:readable").unwrap().wants_ex_members());
    assert!(Filter::parse("   ").unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_line_parses_or_says_why_in_visible_words(line in ".{0,60}") {
        if let Err(error) = Filter::parse(&line) {
            prop_assert!(error.to_string().chars().all(grail_console::domain::untrusted::is_visible), "{}", error);
        }
    }

    #[test]
    fn another_term_never_lets_more_rows_through(
        a in prop::sample::select(vec!["state:readable", "role:miner", "own:no", "5", "reason:length"]),
        b in prop::sample::select(vec!["state:drift", "role:validator", "own:yes", "a", "state:predates"]),
    ) {
        let (alone, both) = (Filter::parse(a).unwrap(), Filter::parse(&format!("{a} {b}")).unwrap());
        let roster = roster();
        prop_assert!(roster.rows.iter().all(|row: &Row| !both.accepts(row, Tested::default()) || alone.accepts(row, Tested::default())));
    }
}

//! The small words that many screens share.

use grail_console::domain::text::{age_blocks, age_seconds, grouped, middle_cut};
use rstest::rstest;

#[rstest]
#[case("abcdefghij", "abcd…ghij")]
#[case("abcdefghi", "abcdefghi")]
#[case("", "")]
#[case("日本語日本語日本語日", "日本語日…日本語日")]
fn a_long_identifier_keeps_its_ends(#[case] text: &str, #[case] cut: &str) {
    assert_eq!(middle_cut(text, 4, 4), cut);
}

#[rstest]
#[case(0, "0")]
#[case(999, "999")]
#[case(1_000, "1,000")]
#[case(9_168_527, "9,168,527")]
#[case(u64::MAX, "18,446,744,073,709,551,615")]
fn numbers_are_grouped_by_thousands(#[case] number: u64, #[case] text: &str) {
    assert_eq!(grouped(number), text);
}

#[rstest]
#[case(0, "0 s")]
#[case(119, "119 s")]
#[case(120, "2 min")]
#[case(7_199, "119 min")]
#[case(7_200, "2 h")]
#[case(172_799, "47 h")]
#[case(172_800, "2 d")]
fn an_age_is_told_in_its_largest_sensible_unit(#[case] seconds: u64, #[case] text: &str) {
    assert_eq!(age_seconds(seconds), text);
}

#[test]
fn an_age_in_blocks_counts_twelve_seconds_each_and_cannot_overflow() {
    assert_eq!(age_blocks(300), "60 min");
    assert!(age_blocks(u64::MAX).ends_with(" d"));
}

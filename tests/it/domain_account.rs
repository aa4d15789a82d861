//! Identifiers: nothing from the chain can choose a host or mean more than a name (THREATS T2, T3).

use grail_console::domain::account::{AccessKeyId, AccountId, BucketName, ShapeError};
use grail_console::domain::provider::{Jurisdiction, r2_url};
use proptest::prelude::*;
use rstest::rstest;

const ACCOUNT: &str = "3f9a12c0d1e2f30415263748596a7b8c";

#[rstest]
#[case::path("evil.com/")]
#[case::path_of_full_length("evil.com/00000000000000000000000")]
#[case::user_info("x@evil.com/")]
#[case::user_info_of_full_length("3f9a12c0d1e2f304152637@evil.com/")]
#[case::port("127.0.0.1:9000/")]
#[case::metadata_service("169.254.169.254/")]
#[case::fragment("evil.com#")]
#[case::query("evil.com?")]
#[case::dots("..")]
#[case::dot_at_full_length("3f9a12c0d1e2f304.5263748596a7b8c")]
#[case::backslash("3f9a12c0d1e2f304\\5263748596a7b8c")]
#[case::percent("%65vil.com%2f0000000000000000000")]
#[case::upper_case("3F9A12C0D1E2F30415263748596A7B8C")]
#[case::full_width_digits("１f9a12c0d1e2f30415263748596a7b8c")]
#[case::arabic_digits("٣f9a12c0d1e2f30415263748596a7b8c")]
#[case::one_short("3f9a12c0d1e2f30415263748596a7b8")]
#[case::one_long("3f9a12c0d1e2f30415263748596a7b8c0")]
#[case::line_feed_behind("3f9a12c0d1e2f30415263748596a7b8\n")]
#[case::blank_before(" f9a12c0d1e2f30415263748596a7b8c")]
#[case::prefix("0x9a12c0d1e2f30415263748596a7b8c")]
#[case::empty("")]
#[case::blank("                                ")]
fn an_account_id_that_is_not_32_lowercase_hex_is_refused(#[case] text: &str) {
    assert!(AccountId::parse(text).is_err());
}

#[test]
fn the_error_tells_lengths_and_never_the_value() {
    assert_eq!(AccountId::parse(&ACCOUNT[1..]), Err(ShapeError::WrongLength { chars: 31, expected: 32 }));
    assert_eq!(AccountId::parse(&format!("{ACCOUNT}0")), Err(ShapeError::TooLong { chars: 33, max: 32 }));
    assert_eq!(AccountId::parse(" "), Err(ShapeError::Empty));
    assert_eq!(AccountId::parse(&ACCOUNT.to_uppercase()), Err(ShapeError::NotLowerHex));
}

#[rstest]
#[case(Jurisdiction::Default, "https://3f9a12c0d1e2f30415263748596a7b8c.r2.cloudflarestorage.com/")]
#[case(Jurisdiction::Eu, "https://3f9a12c0d1e2f30415263748596a7b8c.eu.r2.cloudflarestorage.com/")]
#[case(Jurisdiction::Fedramp, "https://3f9a12c0d1e2f30415263748596a7b8c.fedramp.r2.cloudflarestorage.com/")]
fn an_account_has_one_host_per_jurisdiction(#[case] jurisdiction: Jurisdiction, #[case] url: &str) {
    assert_eq!(r2_url(&AccountId::parse(ACCOUNT).unwrap(), jurisdiction).unwrap().as_str(), url);
}

#[rstest]
#[case("abc")]
#[case("3f9a12c0d1e2f30415263748596a7b8c")]
#[case("grail-miner-7")]
#[case("a--b")]
#[case(&"a".repeat(63))]
fn a_plain_bucket_name_is_taken(#[case] text: &str) {
    assert_eq!(BucketName::parse(text).unwrap().as_str(), text);
}

#[rstest]
#[case::multi_region_access_point("arn:aws:s3::1:accesspoint:m.mrap")]
#[case::express_session("foo--x-s3")]
#[case::access_point_alias("foo-s3alias")]
#[case::object_lambda("foo--ol-s3")]
#[case::table_bucket("foo--table-s3")]
#[case::punycode("xn--foo")]
#[case::reserved("sthree-configurator")]
#[case::parent("..")]
#[case::dotted("a.b")]
#[case::ip("192.168.5.4")]
#[case::slash("a/b")]
#[case::upper_case("Bucket")]
#[case::underscore("a_b")]
#[case::leading_hyphen("-abc")]
#[case::trailing_hyphen("abc-")]
#[case::short("ab")]
#[case::long(&"a".repeat(64))]
#[case::letters_of_another_script("бакет")]
#[case::query("abc?acl")]
#[case::escape("a%2fb")]
#[case::nul("abc\0")]
#[case::empty("")]
#[case::blank("   ")]
fn a_bucket_name_that_means_more_than_a_name_is_refused(#[case] text: &str) {
    assert!(BucketName::parse(text).is_err());
}

#[test]
fn the_shapes_of_key_ids_depend_on_the_provider() {
    for custom in ["AKIAIOSFODNN7EXAMPLE", "GK0123456789abcdef01234567", "minioadmin", "a"] {
        assert!(AccessKeyId::parse_custom(custom).is_ok() && AccessKeyId::parse_r2(custom).is_err(), "{custom}");
    }
    assert!(AccessKeyId::parse_r2(ACCOUNT).is_ok());
    assert_eq!(AccessKeyId::parse_custom(&"k".repeat(33)), Err(ShapeError::TooLong { chars: 33, max: 32 }));
    assert_eq!(AccessKeyId::parse_custom("two words"), Err(ShapeError::NotPrintableAscii));
    assert_eq!(AccessKeyId::parse_custom("ключ"), Err(ShapeError::NotPrintableAscii));
}

/// Near an account id from every side: mostly hex, with the characters that mean something in a URL.
fn near_account() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{32}",
        "[0-9a-f]{30,34}",
        "[0-9a-fA-F@:/#?.\\\\%-]{32}",
        ("[0-9a-f]{31}", any::<char>(), 0..32usize).prop_map(|(mut hex, c, at)| {
            hex.insert(at.min(31), c);
            hex
        }),
        ".{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_accepted_has_exactly_its_own_host(text in near_account()) {
        let hex = text.len() == 32 && text.chars().all(|c| "0123456789abcdef".contains(c));
        let parsed = AccountId::parse(&text);
        prop_assert_eq!(parsed.is_ok(), hex);
        if let Ok(account) = parsed {
            for (jurisdiction, infix) in [(Jurisdiction::Default, ""), (Jurisdiction::Eu, "eu."), (Jurisdiction::Fedramp, "fedramp.")] {
                let url = r2_url(&account, jurisdiction).unwrap();
                let host = format!("{text}.{infix}r2.cloudflarestorage.com");
                prop_assert_eq!(url.host_str(), Some(host.as_str()));
                prop_assert_eq!((url.scheme(), url.port(), url.username(), url.password()), ("https", None, "", None));
                prop_assert_eq!((url.path(), url.query(), url.fragment()), ("/", None, None));
            }
        }
    }

    #[test]
    fn an_accepted_bucket_name_is_one_plain_path_segment(text in prop_oneof!["[a-z0-9.:/-]{1,40}", ".{0,20}", "[a-z]{3,10}(--x-s3|-s3alias|\\.mrap)"]) {
        if let Ok(name) = BucketName::parse(&text) {
            let url = url::Url::parse(&format!("https://store.example/{}/key", name.as_str())).unwrap();
            prop_assert_eq!(url.path(), format!("/{text}/key"));
            prop_assert!(!text.ends_with("--x-s3") && !text.contains(['.', ':', '/']));
        }
    }
}

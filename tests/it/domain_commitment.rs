//! The codec: every named state, GRAIL's rule by difference, exact bytes in writing.

use grail_console::domain::account::AccessKeyId;
use grail_console::domain::commitment::{
    Commitment, MaskedBytes, Parts, Payload, Reading, Reason, Shape, Stored, read, read_bytes,
};
use grail_console::domain::credentials::{CommitmentBytes, CredentialsError, ReadCredentials, Variable};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::untrusted::Untrusted;
use proptest::prelude::*;
use rstest::rstest;

use crate::domain_grail_rule::{Validator, judge};

const ACCOUNT: &str = "3f9a12c0d1e2f30415263748596a7b8c";
const KEY_ID: &str = "7be1000102030405060708090a0b0c90";
const SECRET: &str = "51aa0f1e2d3c4b5a69788796a5b4c3d251aa0f1e2d3c4b5a69788796a5b4c3d2";

fn raw(bytes: &[u8]) -> Payload {
    Payload::Bytes { variant: format!("Raw{}", bytes.len()), bytes: bytes.to_vec() }
}

fn laid_out(locator: &str, key_id: &str, secret: &str) -> Vec<u8> {
    format!("{locator:<32}{key_id:<32}{secret:<64}").into_bytes()
}

fn three(parts: &Parts) -> [String; 3] {
    let text = |part: &Untrusted| part.as_text().unwrap().to_owned();
    [text(&parts.locator), text(&parts.read_key_id), parts.read_secret.expose().to_owned()]
}

fn reason_of(fields: &[Payload]) -> Reason {
    read(fields).unwrap_err().reason
}

#[rstest]
#[case::no_field(vec![], Reason::NoField, "no_field", "no field")]
#[case::none(vec![Payload::Nothing], Reason::NoBytes, "no_bytes", "empty")]
#[case::flag(vec![Payload::Flag { variant: "ResetBondsFlag".into() }], Reason::NoBytes, "no_bytes", "a flag")]
#[case::hash(vec![Payload::Hash { variant: "BlakeTwo256".into() }], Reason::Hash, "hash", "a hash")]
#[case::timelock(vec![Payload::Timelock { length: 300, reveal_round: 17_000_123 }], Reason::Timelock, "timelock", "timelocked")]
#[case::no_bytes_in_raw(vec![raw(b"")], Reason::WrongLength, "wrong_length", "0 of 128")]
#[case::one_short(vec![raw(&[b'a'; 127])], Reason::WrongLength, "wrong_length", "127 of 128")]
#[case::one_long(vec![raw(&[b'a'; 129])], Reason::WrongLength, "wrong_length", "129 of 128")]
#[case::bytes_are_not_characters(vec![raw("é".repeat(64).as_bytes())], Reason::WrongLength, "wrong_length", "64 of 128")]
#[case::a_lone_continuation(vec![raw(&[&[b'a'; 127][..], &[0x80]].concat())], Reason::NotUtf8, "not_utf8", "not UTF-8")]
#[case::a_surrogate(vec![raw(&[&[b'a'; 125][..], &[0xed, 0xa0, 0x80]].concat())], Reason::NotUtf8, "not_utf8", "not UTF-8")]
#[case::an_overlong_slash(vec![raw(&[&[b'a'; 126][..], &[0xc0, 0xaf]].concat())], Reason::NotUtf8, "not_utf8", "not UTF-8")]
#[case::cut_in_a_character(vec![raw(&[&[b'a'; 127][..], &[0xc3]].concat())], Reason::NotUtf8, "not_utf8", "not UTF-8")]
#[case::blank_locator(vec![raw(&laid_out("", KEY_ID, SECRET))], Reason::BlankPart, "blank_part", "blank bucket")]
#[case::blank_key(vec![raw(&laid_out(ACCOUNT, "", SECRET))], Reason::BlankPart, "blank_part", "blank key id")]
#[case::blank_secret(vec![raw(&laid_out(ACCOUNT, KEY_ID, ""))], Reason::BlankPart, "blank_part", "blank secret")]
#[case::all_blank(vec![raw(&[b' '; 128])], Reason::BlankPart, "blank_part", "blank bucket")]
#[case::new_variant(vec![Payload::Unknown { variant: "NotYetKnown".into() }], Reason::UnknownVariant, "unknown_variant", "unknown kind")]
#[case::reveal_failed(vec![Payload::RevealFailed { reveal_round: 7 }], Reason::Timelock, "timelock", "timelocked")]
#[case::only_the_first_field_counts(vec![Payload::Nothing, raw(&laid_out(ACCOUNT, KEY_ID, SECRET))], Reason::NoBytes, "no_bytes", "empty")]
fn what_grail_drops_has_a_named_reason(
    #[case] fields: Vec<Payload>,
    #[case] reason: Reason,
    #[case] name: &str,
    #[case] label: &str,
) {
    let unreadable = read(&fields).unwrap_err();
    assert_eq!((unreadable.reason, unreadable.reason.name(), unreadable.label.as_str()), (reason, name, label));
    assert!(unreadable.detail.ends_with('.'), "a sentence: {}", unreadable.detail);
    assert_eq!(serde_json::to_value(reason).unwrap(), name, "JSON and the screen use one name");
    assert!(Reason::ALL.contains(&reason));
}

#[test]
fn bytes_that_do_not_decode_are_a_state_of_their_own() {
    let commitment = Commitment::of(&Stored::Undecodable {
        block: None,
        length: 13,
        unknown: None,
        dump: MaskedBytes::default(),
        why: "ran out of \u{1b}[2Jbytes".into(),
    });
    let unreadable = commitment.unreadable().unwrap();
    assert_eq!(unreadable.reason, Reason::Undecodable);
    assert_eq!((commitment.block, commitment.fields), (None, 0));
    assert!(unreadable.detail.contains("13 stored bytes") && unreadable.detail.contains(r"\u{1b}[2J"));
}

#[test]
fn invalid_utf8_is_named_with_its_byte() {
    let mut bytes = laid_out(ACCOUNT, KEY_ID, SECRET);
    bytes[77] = 0xfe;
    let unreadable = read_bytes(&bytes).unwrap_err();
    assert!(unreadable.detail.contains("Byte 77 of 128 (0xfe)"), "{}", unreadable.detail);
}

#[rstest]
#[case::r2(ACCOUNT, KEY_ID, SECRET, Shape::R2)]
#[case::aws(ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Shape::Foreign)]
#[case::garage("grail-miner-7", "GK0123456789abcdef01234567", SECRET, Shape::Foreign)]
#[case::upper_case("3F9A12C0D1E2F30415263748596A7B8C", KEY_ID, SECRET, Shape::Foreign)]
#[case::one_character_each("a", "b", "c", Shape::Foreign)]
fn a_readable_commitment_gives_its_parts_and_shape(
    #[case] locator: &str,
    #[case] key_id: &str,
    #[case] secret: &str,
    #[case] shape: Shape,
) {
    let parts = read(&[raw(&laid_out(locator, key_id, secret)), Payload::Nothing]).unwrap();
    assert_eq!(three(&parts), [locator, key_id, secret]);
    assert_eq!(parts.published().shape, shape);
}

#[test]
fn separators_that_python_would_strip_are_characters_for_grails_schema() {
    let parts = read_bytes(&laid_out(ACCOUNT, "\u{1c}\u{1f}", SECRET)).unwrap();
    assert_eq!(parts.read_key_id.as_text(), Some("\u{1c}\u{1f}"));
}

#[test]
fn a_stored_value_as_the_chain_holds_it_reads_as_committed() {
    // FACTS 3: deposit 0, block 1,234,567, one field Raw128; the chain layer hands over the payload after the 0x81.
    let value =
        [&hex::decode("000000000000000087d612000481").unwrap()[..], &laid_out(ACCOUNT, KEY_ID, SECRET)].concat();
    assert_eq!(value.len(), 142);
    let commitment =
        Commitment::of(&Stored::Registration { block: 1_234_567, deposit: 0, fields: vec![raw(&value[14..])] });
    let published = commitment.published().unwrap();
    assert_eq!(
        (commitment.block, commitment.variant.as_str(), commitment.dump.len()),
        (Some(1_234_567), "Raw128", 128)
    );
    assert_eq!((published.locator.as_text(), published.shape), (Some(ACCOUNT), Shape::R2));
}

#[test]
fn the_dump_masks_whatever_could_be_a_key_and_shows_what_spoils_one() {
    let mut bytes = laid_out(ACCOUNT, KEY_ID, SECRET);
    bytes[100] = 0xff;
    let commitment = Commitment::of(&Stored::Registration { block: 1, deposit: 0, fields: vec![raw(&bytes)] });
    let dump: Vec<Option<u8>> = commitment.dump.iter().collect();
    assert_eq!(dump[..64], bytes[..64].iter().map(|b| Some(*b)).collect::<Vec<_>>());
    assert_eq!(
        dump.iter().enumerate().filter(|(i, b)| *i >= 64 && b.is_some()).map(|(i, _)| i).collect::<Vec<_>>(),
        [100]
    );
}

#[test]
fn a_kept_dump_comes_back_as_it_was_and_one_that_was_tampered_with_comes_back_masked() {
    let mut bytes = laid_out(ACCOUNT, KEY_ID, SECRET);
    bytes[100] = 0xff;
    let dump = MaskedBytes::of(&bytes);
    let kept = serde_json::to_string(&dump).unwrap();
    assert!(!kept.contains(&hex::encode(&SECRET[..8])), "{kept}");
    assert_eq!(serde_json::from_str::<MaskedBytes>(&kept).unwrap(), dump);
    let tampered = serde_json::to_string(&hex::encode(&bytes)).unwrap();
    assert_eq!(serde_json::from_str::<MaskedBytes>(&tampered).unwrap(), dump);
}

fn every_payload() -> impl Strategy<Value = Payload> {
    let variant = prop::sample::select(vec!["Sha256", "Keccak256", "BlakeTwo256", "ShaThree256", "ResetBondsFlag"]);
    prop_oneof![
        1 => Just(Payload::Nothing),
        1 => variant.clone().prop_map(|v| Payload::Hash { variant: v.into() }),
        1 => variant.prop_map(|v| Payload::Flag { variant: v.into() }),
        1 => (0..1024usize, any::<u64>()).prop_map(|(length, reveal_round)| Payload::Timelock { length, reveal_round }),
        1 => ".{0,40}".prop_map(|v| Payload::Unknown { variant: v.as_str().into() }),
        12 => field_bytes().prop_map(|bytes| raw(&bytes)),
    ]
}

/// Bytes that come near to a commitment from every side.
fn field_bytes() -> impl Strategy<Value = Vec<u8>> {
    let blanks = prop::sample::select(" \t\n\u{b}\u{85}\u{a0}\u{2003}\u{2028}\u{3000}".chars().collect::<Vec<_>>());
    let nearly_blanks = prop::sample::select("\u{1c}\u{1f}\u{200b}\u{feff}\0".chars().collect::<Vec<_>>());
    let mostly_ascii = prop_oneof![6 => prop::char::range('!', '~'), 1 => Just(' ')];
    let mostly_blank = prop_oneof![2 => prop::char::range('!', '~'), 1 => nearly_blanks, 60 => blanks];
    let text = |character: BoxedStrategy<char>, chars| {
        prop::collection::vec(character, chars)
            .prop_map(|chars: Vec<char>| chars.into_iter().collect::<String>().into_bytes())
    };
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..200),
        2 => prop::collection::vec(any::<u8>(), 128),
        6 => text(mostly_ascii.boxed(), 128..=128),
        6 => text(mostly_blank.boxed(), 128..=128),
        4 => text(any::<char>().boxed(), 128..=128),
        3 => text(any::<char>().boxed(), 126..=130),
        4 => near_r2(),
    ]
}

/// An R2 commitment with one byte replaced, cut or added; as often as not untouched.
fn near_r2() -> impl Strategy<Value = Vec<u8>> {
    let whole = ("[0-9a-f]{32}", "[0-9a-f]{32}", "[0-9a-f]{64}").prop_map(|(a, b, c)| laid_out(&a, &b, &c));
    (whole, prop::option::of((0..128usize, any::<u8>(), 0..3u8))).prop_map(|(mut bytes, damage)| {
        match damage {
            Some((at, byte, 0)) => bytes[at] = byte,
            Some((at, _, 1)) => drop(bytes.remove(at)),
            Some((at, byte, _)) => bytes.insert(at, byte),
            None => {}
        }
        bytes
    })
}

fn carried(field: Option<&Payload>) -> Option<&[u8]> {
    match field? {
        Payload::Bytes { bytes, .. } => Some(bytes),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_codec_accepts_and_splits_exactly_as_grail_does(fields in prop::collection::vec(every_payload(), 0..4)) {
        let ours = match read(&fields) {
            Ok(parts) => Validator::Uses(three(&parts)),
            Err(_) => Validator::Drops,
        };
        prop_assert_eq!(ours, judge(carried(fields.first())));
    }

    #[test]
    fn the_kept_commitment_agrees_with_the_reading(fields in prop::collection::vec(every_payload(), 0..4), block: u64) {
        let kept = Commitment::of(&Stored::Registration { block, deposit: 0, fields: fields.clone() });
        prop_assert_eq!(kept.fields, fields.len());
        match (read(&fields), &kept.reading) {
            (Ok(parts), Reading::Readable(published)) => prop_assert_eq!(&parts.published(), published),
            (Err(why), Reading::Unreadable(unreadable)) => prop_assert_eq!(&why, unreadable),
            (read, kept) => prop_assert!(false, "{:?} became {:?}", read, kept),
        }
    }

    #[test]
    fn what_is_encoded_reads_back_as_it_was(
        locator in "[a-z0-9]([a-z0-9-]{1,30}[a-z0-9]){1}",
        key_id in "[!-~]{1,32}",
        secret in "[!-~]{1,64}",
    ) {
        let encoded = CommitmentBytes::encode(&credentials(&locator, &key_id, &secret)).unwrap();
        prop_assert_eq!(encoded.expose().len(), 128);
        prop_assert_eq!(three(&read_bytes(encoded.expose()).unwrap()), [locator, key_id, secret]);
        let grails = judge(Some(encoded.expose()));
        prop_assert!(matches!(grails, Validator::Uses(_)));
    }

    #[test]
    fn what_does_not_fit_is_refused_whole(
        locator in "[a-z0-9]{1,40}",
        secret in "[!-~]{1,80}",
    ) {
        let fits = locator.len() <= 32 && secret.len() <= 64;
        prop_assert_eq!(CommitmentBytes::encode(&credentials(&locator, KEY_ID, &secret)).is_ok(), fits);
    }
}

#[test]
fn the_generators_reach_both_answers() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let verdicts: Vec<bool> = (0..400)
        .map(|_| judge(Some(&field_bytes().new_tree(&mut runner).unwrap().current())) != Validator::Drops)
        .collect();
    let accepted = verdicts.iter().filter(|accepted| **accepted).count();
    assert!((60..340).contains(&accepted), "{accepted} of 400 accepted: the differential test would see one side only");
}

fn credentials(locator: &str, key_id: &str, secret: &str) -> ReadCredentials {
    ReadCredentials {
        locator: locator.to_owned(),
        key_id: AccessKeyId::parse_custom(key_id).unwrap(),
        secret: SecretKey::new(secret),
    }
}

#[rstest]
#[case::bucket_named_like_the_account(ACCOUNT, KEY_ID, SECRET)]
#[case::bucket_of_its_own("grail-miner-7", "GK0123456789abcdef01234567", "minio-secret")]
fn both_layouts_are_written_byte_for_byte(#[case] locator: &str, #[case] key_id: &str, #[case] secret: &str) {
    let encoded = CommitmentBytes::encode(&credentials(locator, key_id, secret)).unwrap();
    let bytes = encoded.expose();
    let padded = |text: &str, width: usize| [text.as_bytes(), &vec![b' '; width - text.len()]].concat();
    assert_eq!(bytes[..32], padded(locator, 32));
    assert_eq!(bytes[32..64], padded(key_id, 32));
    assert_eq!(bytes[64..], padded(secret, 64));
}

#[rstest]
#[case::long_locator(&"b".repeat(33), SECRET, Variable::BucketId, "R2_BUCKET_ID has 33 characters, 32 at most")]
#[case::long_secret(ACCOUNT, &"s".repeat(65), Variable::ReadSecret, "R2_READ_SECRET_ACCESS_KEY has 65 characters, 64 at most")]
#[case::no_locator("", SECRET, Variable::BucketId, "R2_BUCKET_ID is empty")]
#[case::no_secret(ACCOUNT, "", Variable::ReadSecret, "R2_READ_SECRET_ACCESS_KEY is empty")]
#[case::inner_blank(
    ACCOUNT,
    "two words",
    Variable::ReadSecret,
    "R2_READ_SECRET_ACCESS_KEY must be printable ASCII without blanks"
)]
#[case::wide_digits("１２３", SECRET, Variable::BucketId, "R2_BUCKET_ID must be printable ASCII without blanks")]
fn encoding_names_the_field_that_does_not_fit(
    #[case] locator: &str,
    #[case] secret: &str,
    #[case] field: Variable,
    #[case] message: &str,
) {
    let error = CommitmentBytes::encode(&credentials(locator, KEY_ID, secret)).unwrap_err();
    assert!(matches!(error, CredentialsError::Shape { variable, .. } if variable == field));
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_reason_is_the_same_whatever_follows_the_first_field() {
    let alone = reason_of(&[Payload::Nothing]);
    assert_eq!(reason_of(&[Payload::Nothing, raw(b"x"), Payload::Nothing]), alone);
}

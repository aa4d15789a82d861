//! Local credentials: which value counts, what GRAIL would do with them, and words that help.

use grail_console::domain::credentials::{
    BucketCredentials, CredentialsError, LocalValues, LocalView, Masked, Mode, Source, Variable,
};
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::findings::of_local;
use grail_console::domain::inventory;
use grail_console::domain::provider::{Jurisdiction, Provider};
use grail_console::domain::secret::{Fingerprint, SecretKey};
use rstest::rstest;

use Variable::{AccountId, BucketId, ReadKeyId, ReadSecret, WriteKeyId, WriteSecret};

pub const ACCOUNT: &str = "3f9a12c0d1e2f30415263748596a7b8c";
pub const READ_ID: &str = "7be1000102030405060708090a0b0c90";
pub const READ_SECRET: &str = "51aa0f1e2d3c4b5a69788796a5b4c3d251aa0f1e2d3c4b5a69788796a5b4c3d2";
pub const WRITE_ID: &str = "aaaa00112233445566778899aabbccdd";
pub const WRITE_SECRET: &str = "eeee0f1e2d3c4b5a69788796a5b4c3d2eeee0f1e2d3c4b5a69788796a5b4c3d2";

pub const HEALTHY: [(Variable, &str); 6] = [
    (AccountId, ACCOUNT),
    (BucketId, ACCOUNT),
    (ReadKeyId, READ_ID),
    (ReadSecret, READ_SECRET),
    (WriteKeyId, WRITE_ID),
    (WriteSecret, WRITE_SECRET),
];

pub fn values(pairs: &[(Variable, &str)]) -> LocalValues {
    let mut values = LocalValues::default();
    for (variable, value) in pairs {
        values.define(*variable, SecretKey::new(*value), Source::Environment);
    }
    values
}

/// The healthy set with some values replaced; an empty text takes one away.
pub fn healthy_but(changes: &[(Variable, &str)]) -> LocalValues {
    let value_of =
        |variable, healthy| changes.iter().find(|(v, _)| *v == variable).map_or(healthy, |(_, value)| *value);
    values(&HEALTHY.map(|(variable, healthy)| (variable, value_of(variable, healthy))))
}

fn r2() -> Provider {
    Provider::default()
}

fn custom() -> Provider {
    Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap()
}

fn codes(findings: &[Diagnostic]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code).collect()
}

// --- which value counts

#[test]
fn the_env_file_beats_the_environment_and_its_last_line_the_others() {
    let definitions = [
        ("exported", Source::Environment),
        ("third", Source::EnvFile { line: 3 }),
        ("twelfth", Source::EnvFile { line: 12 }),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut local = LocalValues::default();
        for i in order {
            local.define(ReadKeyId, SecretKey::new(definitions[i].0), definitions[i].1);
        }
        let found: Vec<&str> = local.definitions(ReadKeyId).iter().map(|sourced| sourced.value.expose()).collect();
        assert_eq!(found, ["twelfth", "third", "exported"]);
        assert_eq!(local.effective(ReadKeyId).unwrap().source, Source::EnvFile { line: 12 });
    }
}

#[rstest]
#[case("")]
#[case("   ")]
#[case("\t")]
fn an_empty_line_in_the_env_file_hides_the_exported_value(#[case] empty: &str) {
    let mut local = healthy_but(&[]);
    local.define(ReadKeyId, SecretKey::new(empty), Source::EnvFile { line: 4 });
    assert!(local.effective(ReadKeyId).is_none());
    assert_eq!(Mode::of(&local), Mode::Legacy, "GRAIL would publish the write key");
    let line = &inventory::list(&r2(), &local)[2];
    assert_eq!((line.source, line.shown.as_ref()), (Some(Source::EnvFile { line: 4 }), None));
    assert!(!line.hidden[0].same);
}

#[test]
fn blanks_around_a_value_do_not_count_as_they_do_not_for_grail() {
    let local = healthy_but(&[(ReadKeyId, "  7be1000102030405060708090a0b0c90\n")]);
    assert_eq!(BucketCredentials::parse(&r2(), &local).unwrap().read.key_id.as_str(), READ_ID);
}

#[test]
fn one_kind_of_source_can_be_seen_alone() {
    let mut local = healthy_but(&[]);
    local.define(ReadKeyId, SecretKey::new(WRITE_ID), Source::EnvFile { line: 1 });
    let exported = local.only(|source| source == Source::Environment);
    assert_eq!(exported.effective(ReadKeyId).unwrap().value.expose(), READ_ID);
    assert!(local.only(|_| false).is_empty());
}

// --- what GRAIL would do

/// One of the four key variables: set, set to blanks, or not there.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Presence {
    Set,
    Blank,
    Absent,
}
use Presence::{Absent, Blank, Set};

#[rstest]
fn the_mode_follows_grails_loader_in_every_combination(
    #[values(Set, Blank, Absent)] read_id: Presence,
    #[values(Set, Blank, Absent)] read_secret: Presence,
    #[values(Set, Blank, Absent)] write_id: Presence,
    #[values(Set, Blank, Absent)] write_secret: Presence,
    #[values(true, false)] with_locator: bool,
) {
    let mut local = LocalValues::default();
    let mut define = |variable, presence, value: &str| match presence {
        Set => local.define(variable, SecretKey::new(value), Source::Environment),
        Blank => local.define(variable, SecretKey::new("  "), Source::Environment),
        Absent => {}
    };
    let locator = if with_locator { Set } else { Absent };
    define(AccountId, locator, ACCOUNT);
    define(BucketId, locator, ACCOUNT);
    define(ReadKeyId, read_id, READ_ID);
    define(ReadSecret, read_secret, READ_SECRET);
    define(WriteKeyId, write_id, WRITE_ID);
    define(WriteSecret, write_secret, WRITE_SECRET);

    let set = |presence: Presence| presence == Set;
    let (read, write) = (set(read_id) && set(read_secret), set(write_id) && set(write_secret));
    let any = with_locator || [read_id, read_secret, write_id, write_secret].into_iter().any(set);
    let expected = match (read, write, any) {
        (_, _, false) => Mode::Absent,
        (true, true, _) if with_locator => Mode::Dual,
        (false, true, _) => Mode::Legacy,
        _ => Mode::Incomplete,
    };
    assert_eq!(Mode::of(&local), expected);

    let parsed = BucketCredentials::parse(&r2(), &local);
    assert_eq!(
        parsed.is_ok(),
        read && with_locator,
        "a read pair with its bucket makes a commitment, nothing else does"
    );
    assert_eq!(parsed == Err(CredentialsError::Legacy), expected == Mode::Legacy);
    let found = codes(&of_local(&r2(), &local));
    assert_eq!(found.contains(&"legacy_single_credential"), expected == Mode::Legacy);
    assert_eq!(LocalView::of(&r2(), &local).would_publish_write_key(), expected == Mode::Legacy);
}

#[test]
fn the_legacy_finding_names_the_consequence_and_the_way_to_migrate() {
    let findings = of_local(&r2(), &healthy_but(&[(ReadKeyId, ""), (ReadSecret, "")]));
    let legacy = findings.iter().find(|finding| finding.code == "legacy_single_credential").unwrap();
    assert_eq!(legacy.severity, Severity::Danger);
    assert!(legacy.cause.contains("WRITE key"));
    for needed in ["Object Read only", "R2_READ_ACCESS_KEY_ID", "R2_READ_SECRET_ACCESS_KEY", "restart GRAIL"] {
        assert!(legacy.help.contains(needed), "{needed}");
    }
}

#[test]
fn half_a_read_pair_is_legacy_and_the_half_is_named() {
    let findings = of_local(&r2(), &healthy_but(&[(ReadSecret, "")]));
    assert!(
        findings[0].summary.contains("R2_READ_ACCESS_KEY_ID is set but its other half is missing"),
        "{}",
        findings[0].summary
    );
}

// --- parsing and its errors

#[test]
fn healthy_values_parse() {
    let parsed = BucketCredentials::parse(&r2(), &healthy_but(&[])).unwrap();
    assert_eq!((parsed.read.locator.as_str(), parsed.read.key_id.as_str()), (ACCOUNT, READ_ID));
    assert_eq!(parsed.read.secret.expose(), READ_SECRET);
    assert_eq!(parsed.write.unwrap().0.as_str(), WRITE_ID);
    assert_eq!(of_local(&r2(), &healthy_but(&[])), []);
}

#[rstest]
#[case::id_and_secret_swapped(
    ReadKeyId,
    READ_SECRET,
    "R2_READ_ACCESS_KEY_ID has 64 characters, 32 at most: that is the shape of a secret; the id and the secret seem to be swapped"
)]
#[case::secret_and_id_swapped(
    ReadSecret,
    READ_ID,
    "R2_READ_SECRET_ACCESS_KEY has 32 characters, R2's have 64: that is the shape of a key id; the id and the secret seem to be swapped"
)]
#[case::aws_id(
    ReadKeyId,
    "AKIAIOSFODNN7EXAMPLE",
    "R2_READ_ACCESS_KEY_ID has 20 characters, R2's have 32: that is an AWS key; R2 needs the Access Key ID of an R2 token (for another store use --s3-endpoint)"
)]
#[case::aws_secret(
    ReadSecret,
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "R2_READ_SECRET_ACCESS_KEY has 40 characters, R2's have 64: that is the length of an AWS secret or of an API token's value; R2 needs the token's Secret Access Key"
)]
#[case::upper_case(
    ReadKeyId,
    "7BE1000102030405060708090A0B0C90",
    "R2_READ_ACCESS_KEY_ID must be lowercase hexadecimal (0-9, a-f)"
)]
#[case::long_secret(
    WriteSecret,
    "51aa0f1e2d3c4b5a69788796a5b4c3d251aa0f1e2d3c4b5a69788796a5b4c3d2a",
    "R2_WRITE_SECRET_ACCESS_KEY has 65 characters, 64 at most"
)]
#[case::long_account(AccountId, "3f9a12c0d1e2f30415263748596a7b8c0", "R2_ACCOUNT_ID has 33 characters, 32 at most")]
#[case::bucket_with_a_name(
    BucketId,
    "my-bucket",
    "R2_BUCKET_ID has 9 characters, R2's have 32: on subnet 81 the bucket must be named exactly like the account id"
)]
fn a_wrong_shape_names_the_variable_the_length_and_the_likely_mistake(
    #[case] variable: Variable,
    #[case] value: &str,
    #[case] message: &str,
) {
    let local = healthy_but(&[(variable, value)]);
    assert_eq!(BucketCredentials::parse(&r2(), &local).unwrap_err().to_string(), message);
    let findings = of_local(&r2(), &local);
    let finding = findings.iter().find(|finding| finding.code == "misshapen").unwrap();
    assert!(finding.summary.starts_with(variable.name()) && finding.severity == Severity::Danger);
    if let Some((_, hint)) = message.split_once(": ") {
        assert!(finding.summary.ends_with(hint), "{}", finding.summary);
    }
}

#[test]
fn every_wrong_value_gets_its_own_hint_at_once() {
    let findings = of_local(&r2(), &healthy_but(&[(ReadKeyId, READ_SECRET), (ReadSecret, READ_ID)]));
    assert_eq!(codes(&findings), ["misshapen", "misshapen"]);
    assert!(findings.iter().all(|finding| finding.summary.contains("swapped")));
}

#[rstest]
#[case(AccountId)]
#[case(BucketId)]
fn a_missing_locator_is_named(#[case] variable: Variable) {
    let error = BucketCredentials::parse(&r2(), &healthy_but(&[(variable, "")])).unwrap_err();
    assert_eq!(error, CredentialsError::Missing(variable));
    assert!(error.to_string().starts_with(variable.name()) && error.to_string().contains("--env-file"));
}

#[test]
fn on_r2_the_bucket_must_be_named_like_the_account() {
    let local = healthy_but(&[(BucketId, WRITE_ID)]);
    assert_eq!(BucketCredentials::parse(&r2(), &local), Err(CredentialsError::BucketIsNotAccount));
    assert_eq!(codes(&of_local(&r2(), &local)), ["bucket_is_not_account"]);
}

#[test]
fn a_custom_store_has_buckets_and_keys_of_its_own() {
    let local =
        healthy_but(&[(AccountId, ""), (BucketId, "grail-7"), (ReadKeyId, "GK01"), (ReadSecret, "reader-secret")]);
    let parsed = BucketCredentials::parse(&custom(), &local).unwrap();
    assert_eq!((parsed.read.locator.as_str(), parsed.read.key_id.as_str()), ("grail-7", "GK01"));
}

#[rstest]
#[case(BucketId, "a-bucket-with-a-name-of-more-than-32", "R2_BUCKET_ID has 36 characters, 32 at most")]
#[case(
    BucketId,
    "foo--x-s3",
    "R2_BUCKET_ID is not a bucket name of 3 to 63 lowercase letters, digits and inner hyphens"
)]
#[case(ReadKeyId, "a key", "R2_READ_ACCESS_KEY_ID must be printable ASCII without blanks")]
fn a_custom_store_has_limits_without_r2s_advice(
    #[case] variable: Variable,
    #[case] value: &str,
    #[case] message: &str,
) {
    let local = healthy_but(&[(variable, value)]);
    assert_eq!(BucketCredentials::parse(&custom(), &local).unwrap_err().to_string(), message);
    assert!(of_local(&custom(), &local).iter().all(|finding| !finding.help.contains("R2 token")));
}

#[rstest]
#[case::both(&[(ReadKeyId, WRITE_ID), (ReadSecret, WRITE_SECRET)])]
#[case::only_the_id(&[(ReadKeyId, WRITE_ID)])]
#[case::only_the_secret(&[(ReadSecret, WRITE_SECRET)])]
#[case::half_a_write_pair(&[(ReadSecret, WRITE_SECRET), (WriteKeyId, "")])]
fn a_read_key_that_is_the_write_key_is_refused(#[case] changes: &[(Variable, &str)]) {
    let local = healthy_but(changes);
    assert_eq!(BucketCredentials::parse(&r2(), &local), Err(CredentialsError::ReadIsWrite));
    assert!(codes(&of_local(&r2(), &local)).contains(&"read_is_write"));
    assert!(LocalView::of(&r2(), &local).would_publish_write_key());
}

// --- showing and findings

#[test]
fn values_are_masked_by_their_shape() {
    let of = |variable, text: &str| Masked::of(variable, &r2(), &SecretKey::new(text));
    assert_eq!(of(ReadKeyId, READ_ID).to_string(), "7be100…0c90");
    assert_eq!(of(ReadSecret, READ_SECRET).to_string(), format!("•••• fp {}", Fingerprint::of(READ_SECRET).short()));
    assert_eq!(of(ReadKeyId, READ_SECRET).to_string(), "has 64 characters, 32 at most");
}

#[test]
fn values_that_disagree_between_sources_are_a_finding_with_the_winner() {
    let mut local = healthy_but(&[]);
    local.define(ReadKeyId, SecretKey::new(WRITE_ID.replace('a', "b")), Source::EnvFile { line: 7 });
    local.define(ReadSecret, SecretKey::new(READ_SECRET), Source::EnvFile { line: 8 });
    let findings = of_local(&r2(), &local);
    assert_eq!(codes(&findings), ["overridden"], "equal values are nothing to report");
    assert!(
        findings[0].summary.contains("between .env line 7 and environment")
            && findings[0].cause.contains(".env line 7")
    );
}

#[test]
fn a_bucket_in_a_jurisdiction_cannot_be_published() {
    let findings = of_local(&Provider::R2(Jurisdiction::Eu), &healthy_but(&[]));
    assert_eq!(codes(&findings), ["jurisdiction"]);
    assert!(findings[0].summary.contains("EU"));
}

#[test]
fn a_read_pair_alone_is_fine_for_the_console_and_noted_for_grail() {
    let findings = of_local(&r2(), &healthy_but(&[(WriteKeyId, ""), (WriteSecret, "")]));
    assert_eq!((codes(&findings), findings[0].severity), (vec!["write_pair_missing"], Severity::Note));
}

#[test]
fn every_finding_says_what_why_and_what_to_do() {
    let odd = ["", "  ", "short", READ_ID, READ_SECRET, WRITE_ID, "AKIAIOSFODNN7EXAMPLE", "two words"];
    for provider in [r2(), custom(), Provider::R2(Jurisdiction::Fedramp)] {
        assert_complete(&of_local(&provider, &LocalValues::default()));
        for variable in Variable::ALL {
            for value in odd {
                assert_complete(&of_local(&provider, &healthy_but(&[(variable, value)])));
                assert_complete(&of_local(&provider, &values(&[(variable, value)])));
            }
        }
    }
}

fn assert_complete(findings: &[Diagnostic]) {
    for finding in findings {
        assert!(!finding.code.is_empty() && !finding.summary.is_empty(), "{finding:?}");
        assert!(finding.cause.ends_with('.') && finding.help.ends_with('.'), "sentences: {finding:?}");
    }
}

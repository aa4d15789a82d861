//! Drift: chain against local, field by field, and the consequence in words.

use grail_console::domain::commitment::{Commitment, Payload, Stored};
use grail_console::domain::credentials::{LocalValues, LocalView, Variable};
use grail_console::domain::diagnostic::Severity;
use grail_console::domain::drift::{Drift, DriftState, FieldDrift, compare};
use grail_console::domain::provider::Provider;
use rstest::rstest;

use DriftState::{Drift as Drifts, Match, Unknown};
use FieldDrift::{ChainMissing, Differs, Equal, LocalMissing};
use Variable::{AccountId, BucketId, ReadKeyId, ReadSecret, WriteKeyId, WriteSecret};

use crate::domain_credentials::{ACCOUNT, READ_ID, READ_SECRET, WRITE_ID, WRITE_SECRET, healthy_but};

const OTHER: &str = "00000000000000000000000000000abc";
const OTHER_SECRET: &str = "00000000000000000000000000000abc00000000000000000000000000000abc";

/// What stands on chain for the own hotkey.
#[derive(Clone, Copy)]
enum Chain {
    Nothing,
    Unreadable,
    Parts(&'static str, &'static str, &'static str),
}

const SAME: Chain = Chain::Parts(ACCOUNT, READ_ID, READ_SECRET);

fn commitment(chain: Chain) -> Option<Commitment> {
    let bytes = match chain {
        Chain::Nothing => return None,
        Chain::Unreadable => vec![b'x'; 100],
        Chain::Parts(locator, key_id, secret) => format!("{locator:<32}{key_id:<32}{secret:<64}").into_bytes(),
    };
    let fields = vec![Payload::Bytes { variant: format!("Raw{}", bytes.len()), bytes }];
    Some(Commitment::of(&Stored::Registration { block: 100, deposit: 0, fields }))
}

fn drift(chain: Chain, local: &LocalValues) -> Drift {
    compare(commitment(chain).as_ref(), &LocalView::of(&Provider::default(), local))
}

const LEGACY: &[(Variable, &str)] = &[(ReadKeyId, ""), (ReadSecret, "")];
const NOTHING_LOCAL: &[(Variable, &str)] =
    &[(AccountId, ""), (BucketId, ""), (ReadKeyId, ""), (ReadSecret, ""), (WriteKeyId, ""), (WriteSecret, "")];
const WRITE_AS_READ: &[(Variable, &str)] = &[(ReadKeyId, WRITE_ID), (ReadSecret, WRITE_SECRET)];
const NO_WRITE: &[(Variable, &str)] = &[(WriteKeyId, ""), (WriteSecret, "")];

#[rstest]
#[case::equal(SAME, &[], Match, [Equal, Equal, Equal], Severity::Note, "chain and local agree")]
#[case::old_key(Chain::Parts(ACCOUNT, OTHER, OTHER_SECRET), &[], Drifts, [Equal, Differs, Differs], Severity::Warning, "validators still read your old key")]
#[case::rolled_in_place(Chain::Parts(ACCOUNT, READ_ID, OTHER_SECRET), &[], Drifts, [Equal, Equal, Differs], Severity::Danger, "same key id, other secret")]
#[case::other_bucket(Chain::Parts(OTHER, READ_ID, READ_SECRET), &[], Drifts, [Differs, Equal, Equal], Severity::Warning, "validators read another bucket")]
#[case::everything_differs(Chain::Parts(OTHER, OTHER, OTHER_SECRET), &[], Drifts, [Differs, Differs, Differs], Severity::Warning, "validators read another bucket")]
#[case::never_committed(Chain::Nothing, &[], Drifts, [ChainMissing, ChainMissing, ChainMissing], Severity::Danger, "never committed, validators skip you")]
#[case::unreadable(Chain::Unreadable, &[], Drifts, [ChainMissing, ChainMissing, ChainMissing], Severity::Danger, "unreadable, validators skip you")]
#[case::write_id_on_chain(Chain::Parts(ACCOUNT, WRITE_ID, OTHER_SECRET), &[], Drifts, [Equal, Differs, Differs], Severity::Danger, "your WRITE key is published")]
#[case::write_secret_on_chain(Chain::Parts(ACCOUNT, READ_ID, WRITE_SECRET), &[], Drifts, [Equal, Equal, Differs], Severity::Danger, "your WRITE key is published")]
#[case::write_key_on_chain_in_legacy_mode(Chain::Parts(ACCOUNT, WRITE_ID, WRITE_SECRET), LEGACY, Unknown, [Equal, LocalMissing, LocalMissing], Severity::Danger, "your WRITE key is published")]
#[case::write_key_on_chain_and_as_read_pair(Chain::Parts(ACCOUNT, WRITE_ID, WRITE_SECRET), WRITE_AS_READ, Match, [Equal, Equal, Equal], Severity::Danger, "your WRITE key is published")]
#[case::legacy_with_a_good_key_on_chain(SAME, LEGACY, Unknown, [Equal, LocalMissing, LocalMissing], Severity::Danger, "next GRAIL start PUBLISHES YOUR WRITE KEY")]
#[case::legacy_and_never_committed(Chain::Nothing, LEGACY, Drifts, [ChainMissing, LocalMissing, LocalMissing], Severity::Danger, "next GRAIL start PUBLISHES YOUR WRITE KEY")]
#[case::write_pair_as_read_pair(SAME, WRITE_AS_READ, Drifts, [Equal, Differs, Differs], Severity::Danger, "next GRAIL start PUBLISHES YOUR WRITE KEY")]
#[case::nothing_local(SAME, NOTHING_LOCAL, Unknown, [LocalMissing, LocalMissing, LocalMissing], Severity::Note, "no local credentials to compare")]
#[case::nothing_anywhere(Chain::Nothing, NOTHING_LOCAL, Unknown, [LocalMissing, LocalMissing, LocalMissing], Severity::Danger, "never committed, validators skip you")]
#[case::nothing_local_and_unreadable(Chain::Unreadable, NOTHING_LOCAL, Unknown, [LocalMissing, LocalMissing, LocalMissing], Severity::Danger, "unreadable, validators skip you")]
#[case::read_pair_alone(SAME, NO_WRITE, Match, [Equal, Equal, Equal], Severity::Note, "chain and local agree")]
#[case::secret_missing_locally(SAME, &[(ReadSecret, ""), (WriteKeyId, "")], Unknown, [Equal, Equal, LocalMissing], Severity::Warning, "local credentials incomplete")]
#[case::account_stands_in_for_a_missing_bucket(SAME, &[(BucketId, "")], Match, [Equal, Equal, Equal], Severity::Note, "chain and local agree")]
#[case::misshapen_local_secret_in_the_id(SAME, &[(ReadKeyId, READ_SECRET)], Drifts, [Equal, Differs, Equal], Severity::Warning, "validators still read your old key")]
fn each_pair_of_chain_and_local_has_its_state_and_consequence(
    #[case] chain: Chain,
    #[case] changes: &[(Variable, &str)],
    #[case] state: DriftState,
    #[case] fields: [FieldDrift; 3],
    #[case] severity: Severity,
    #[case] headline: &str,
) {
    let drift = drift(chain, &healthy_but(changes));
    assert_eq!([drift.fields.locator, drift.fields.read_key_id, drift.fields.read_secret], fields);
    assert_eq!((drift.state, drift.consequence.headline.as_str()), (state, headline));
    assert_eq!(drift.consequence.severity, severity);
    assert!(drift.consequence.detail.ends_with('.'), "a sentence: {}", drift.consequence.detail);
}

#[test]
fn only_values_that_grail_can_start_with_are_said_to_be_committed_next() {
    let old = Chain::Parts(ACCOUNT, OTHER, OTHER_SECRET);
    assert!(drift(old, &healthy_but(&[])).consequence.detail.contains("next GRAIL start will commit"));
    assert!(drift(old, &healthy_but(NO_WRITE)).consequence.detail.contains("does not start"));
}

#[test]
fn the_reason_of_an_unreadable_commitment_is_repeated() {
    let detail = drift(Chain::Unreadable, &healthy_but(&[])).consequence.detail;
    assert!(detail.contains("100 characters where GRAIL demands exactly 128"), "{detail}");
}

#[rstest]
#[case(Equal, "equal")]
#[case(Differs, "differs")]
#[case(LocalMissing, "local_missing")]
#[case(ChainMissing, "chain_missing")]
fn fields_have_one_name_in_json_and_on_screen(#[case] field: FieldDrift, #[case] name: &str) {
    assert_eq!(serde_json::to_value(field).unwrap(), name);
    assert_eq!(field.word().replace(' ', "_"), name);
}

#[test]
fn states_have_the_names_of_the_contract() {
    assert_eq!(
        serde_json::to_value([Match, Drifts, Unknown]).unwrap(),
        serde_json::json!(["match", "drift", "unknown"])
    );
}

//! Chain, vault and `.env` against each other: what counts, what GRAIL would do, and the words for it (THREATS T19).

use grail_console::domain::commitment::{Commitment, Payload, Stored};
use grail_console::domain::credentials::{
    BucketCredentials, LocalValues, LocalView, Mode, Place, Source, Variable, VaultValues,
};
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::drift::{Drift, DriftState, compare};
use grail_console::domain::findings::beside;
use grail_console::domain::guard::{Forbidden, ReadScope, Refusal, clear};
use grail_console::domain::inventory;
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::{Fingerprint, SecretKey};
use grail_console::domain::unexpected_change::{Cause, UnexpectedChange};
use grail_console::domain::vault_index::{Backend, Holding, Index, KeyRef, Origin};
use rstest::rstest;

use Severity::{Danger, Note, Warning};
use Variable::{AccountId, BucketId, ReadKeyId, ReadSecret, WriteKeyId, WriteSecret};

use crate::domain_credentials::ACCOUNT;

/// A read or write key: 0 is none, others differ in id and secret.
type Key = u8;

const WRITE: Key = 9;

fn id(key: Key) -> String {
    format!("{key:032x}")
}

fn secret(key: Key) -> String {
    format!("{key:064x}")
}

fn on_chain(key: Key) -> Option<Commitment> {
    let bytes = format!("{ACCOUNT}{}{}", id(key), secret(key)).into_bytes();
    let fields = vec![Payload::Bytes { variant: "Raw128".to_owned(), bytes }];
    (key > 0).then(|| Commitment::of(&Stored::Registration { block: 100, deposit: 0, fields }))
}

fn held(number: u64, read: Key, write: Key) -> Holding {
    let key = |key: Key| (key > 0).then(|| KeyRef::of(&id(key), &SecretKey::new(secret(key))));
    Holding {
        number,
        backend: Backend::File,
        created_ms: 0,
        origin: Origin::Imported,
        locator: Some(ACCOUNT.to_owned()),
        read_key_id: (read > 0).then(|| id(read)),
        read: key(read),
        write: key(write),
    }
}

/// One generation in use, number 2; without keys there is no vault.
fn vault(read: Key, write: Key) -> Index {
    let mut index = Index::default();
    if read > 0 || write > 0 {
        index.hold(held(2, read, write));
        index.promote(2);
    }
    index
}

fn define(values: &mut LocalValues, read: Key, write: Key, source: impl Fn(u32) -> Source) {
    let pairs = [(AccountId, ACCOUNT.to_owned()), (BucketId, ACCOUNT.to_owned())];
    let keys = [(read, ReadKeyId, ReadSecret), (write, WriteKeyId, WriteSecret)];
    let keys = keys.into_iter().filter(|(key, ..)| *key > 0);
    let keys = keys.flat_map(|(key, key_id, key_secret)| [(key_id, id(key)), (key_secret, secret(key))]);
    for (line, (variable, text)) in (1..).zip(pairs.into_iter().chain(keys)) {
        values.define(variable, SecretKey::new(text), source(line));
    }
}

fn env_file(read: Key, write: Key) -> LocalValues {
    let mut values = LocalValues::default();
    define(&mut values, read, write, |line| Source::EnvFile { line });
    values
}

fn view(values: &LocalValues, index: &Index) -> LocalView {
    LocalView::beside(&Provider::default(), values, index)
}

fn drift(chain: Key, vault_read: Key, env_read: Key, env_write: Key) -> Drift {
    compare(on_chain(chain).as_ref(), &view(&env_file(env_read, env_write), &vault(vault_read, WRITE)))
}

#[rstest]
// chain, vault's read key, `.env`'s read and write key
#[case::all_agree(1, 1, 1, WRITE, Note, "chain and local agree", "nothing to commit")]
#[case::vault_alone(1, 1, 0, 0, Note, "chain and local agree", "nothing to commit")]
#[case::env_forgotten(
    2,
    2,
    1,
    WRITE,
    Danger,
    "next GRAIL start commits the OLD key",
    "Generation 2 of the vault has the key that is on chain, but GRAIL takes the one in the .env"
)]
#[case::env_single_credential(
    1,
    1,
    0,
    WRITE,
    Danger,
    "next GRAIL start PUBLISHES YOUR WRITE KEY",
    "GRAIL takes the .env first"
)]
#[case::env_write_as_read(
    1,
    1,
    WRITE,
    WRITE,
    Danger,
    "next GRAIL start PUBLISHES YOUR WRITE KEY",
    "GRAIL takes the .env first"
)]
#[case::vaults_write_key_as_read_key_in_env(
    1,
    1,
    WRITE,
    8,
    Danger,
    "next GRAIL start PUBLISHES YOUR WRITE KEY",
    "GRAIL takes the .env first"
)]
#[case::write_key_on_chain(WRITE, 1, 1, WRITE, Danger, "your WRITE key is published", "Revoke")]
#[case::envs_write_key_on_chain(8, 1, 1, 8, Danger, "your WRITE key is published", "Revoke")]
#[case::vault_not_committed_yet(
    1,
    2,
    1,
    WRITE,
    Warning,
    "validators still read your old key",
    "which is what is on chain, so its next start changes nothing"
)]
#[case::vault_alone_not_committed_yet(
    1,
    2,
    0,
    0,
    Warning,
    "validators still read your old key",
    "The next GRAIL start will commit the local values"
)]
#[case::all_three_differ(
    1,
    2,
    3,
    WRITE,
    Warning,
    "validators still read your old key",
    "will commit another key than the vault's"
)]
#[case::env_and_vault_agree_chain_is_old(
    1,
    2,
    2,
    WRITE,
    Warning,
    "validators still read your old key",
    "The next GRAIL start will commit the local values"
)]
#[case::env_without_write_pair(
    1,
    1,
    3,
    0,
    Warning,
    "the vault agrees, GRAIL does not start",
    "run GRAIL with grail-console exec"
)]
#[case::never_committed(0, 1, 1, WRITE, Danger, "never committed, validators skip you", "no commitment")]
fn chain_vault_and_env_have_a_consequence_by_name(
    #[case] chain: Key,
    #[case] vault_read: Key,
    #[case] env_read: Key,
    #[case] env_write: Key,
    #[case] severity: Severity,
    #[case] headline: &str,
    #[case] said: &str,
) {
    let drift = drift(chain, vault_read, env_read, env_write);
    let consequence = &drift.consequence;
    assert_eq!((consequence.severity, consequence.headline.as_str()), (severity, headline), "{}", consequence.detail);
    assert!(consequence.detail.contains(said) && consequence.detail.ends_with('.'), "{}", consequence.detail);
}

#[test]
fn every_place_is_compared_with_the_chain_the_vault_first() {
    let mut values = env_file(1, WRITE);
    define(&mut values, 3, WRITE, |_| Source::Environment);
    let drift = compare(on_chain(2).as_ref(), &view(&values, &vault(2, WRITE)));
    let places: Vec<_> = drift.places.iter().map(|place| (place.heading(), place.state)).collect();
    let expected = [("vault #2", DriftState::Match), (".env", DriftState::Drift), ("environment", DriftState::Drift)];
    assert_eq!(places, expected.map(|(heading, state)| (heading.to_owned(), state)));
    let json = serde_json::to_value(&drift.places).unwrap();
    assert_eq!(json[0]["place"], "vault");
    assert_eq!((&json[0]["generation"], &json[0]["backend"]), (&2.into(), &"file".into()));
    assert_eq!((json[1].get("generation"), json[1]["place"].as_str()), (None, Some("env_file")));
}

#[test]
fn another_bucket_in_the_env_is_told_though_the_vault_agrees() {
    let mut values = env_file(1, WRITE);
    for variable in [AccountId, BucketId] {
        values.define(variable, SecretKey::new(id(77)), Source::EnvFile { line: 90 });
    }
    let drift = compare(on_chain(1).as_ref(), &view(&values, &vault(1, WRITE)));
    assert_eq!((drift.state, drift.consequence.severity), (DriftState::Match, Warning));
    assert_eq!(drift.consequence.headline, "next GRAIL start commits something else");
}

#[test]
fn a_key_in_the_vault_that_was_replaced_before_is_an_old_one() {
    let mut local = view(&env_file(0, 0), &vault(1, WRITE));
    local.replaced = vec![Fingerprint::of(&secret(1))];
    let consequence = compare(on_chain(2).as_ref(), &local).consequence;
    assert_eq!(consequence.headline, "next GRAIL start commits the OLD key");
    assert!(consequence.detail.contains("The key in the vault is one that this machine replaced"));
}

#[rstest]
#[case::dual_env(1, WRITE, Mode::Dual, Some(Place::EnvFile))]
#[case::env_with_ids_only(0, 0, Mode::Dual, Some(Place::Vault))]
#[case::env_single_credential(0, WRITE, Mode::Legacy, Some(Place::EnvFile))]
#[case::env_read_pair_only(1, 0, Mode::Incomplete, Some(Place::EnvFile))]
fn grail_is_judged_on_what_it_reads_itself_and_on_the_vault_only_where_that_is_no_key(
    #[case] read: Key,
    #[case] write: Key,
    #[case] mode: Mode,
    #[case] place: Option<Place>,
) {
    let local = view(&env_file(read, write), &vault(1, WRITE));
    assert_eq!((local.mode, local.grail.place), (mode, place));
}

#[rstest]
#[case::whole(1, WRITE, Mode::Dual)]
#[case::read_only(1, 0, Mode::Incomplete)]
#[case::write_only(0, WRITE, Mode::Legacy)]
fn a_generation_that_is_not_whole_is_said_to_be(#[case] read: Key, #[case] write: Key, #[case] mode: Mode) {
    assert_eq!(view(&LocalValues::default(), &vault(read, write)).mode, mode);
}

#[test]
fn an_empty_index_changes_nothing() {
    let mut forgotten = vault(1, WRITE);
    forgotten.forget(2);
    for values in [env_file(1, WRITE), env_file(0, WRITE), LocalValues::default()] {
        let plain = LocalView::of(&Provider::default(), &values);
        for index in [Index::default(), forgotten.clone()] {
            assert_eq!(view(&values, &index), plain);
        }
        let taken = &plain.grail;
        assert_eq!((&taken.read_key_id, taken.read_secret), (&plain.read_key_id, plain.read_secret));
        assert_eq!(plain.vault(), None);
    }
}

#[test]
fn the_view_is_the_same_whether_the_vault_is_open_or_known_by_its_index() {
    let (values, index) = (env_file(1, 8), vault(2, WRITE));
    let (read, write) = (SecretKey::new(secret(2)), SecretKey::new(secret(WRITE)));
    let opened = values.with_vault(VaultValues {
        generation: 2,
        account: Some(ACCOUNT),
        bucket: Some(ACCOUNT),
        read: Some((&id(2), &read)),
        write: Some((&id(WRITE), &write)),
    });
    assert_eq!(view(&opened, &index), view(&values, &index));
    assert_eq!(opened.grail(), values);
    assert_eq!(opened.effective(ReadSecret).unwrap().source, Source::Vault { generation: 2 });
    assert_eq!(BucketCredentials::parse(&Provider::default(), &opened).unwrap().read.key_id.as_str(), id(2));
}

#[test]
fn neither_the_vaults_write_key_nor_a_hidden_one_of_the_env_can_be_published() {
    let provider = Provider::default();
    for (read, hidden) in [(WRITE, 1), (8, WRITE)] {
        let (read_secret, write) = (SecretKey::new(secret(read)), SecretKey::new(secret(7)));
        let vault = VaultValues {
            generation: 1,
            account: Some(ACCOUNT),
            bucket: Some(ACCOUNT),
            read: Some((&id(read), &read_secret)),
            write: Some((&id(7), &write)),
        };
        // The `.env` knows the vault's read key as a write key.
        let values = env_file(hidden, read).with_vault(vault);
        let refused = clear(&provider, &values, None, &Forbidden::of(&values), ReadScope::NotShown).unwrap_err();
        assert!(matches!(refused, Refusal::HoldsSecret(_)), "{refused:?}");
    }
    let (read, write) = (SecretKey::new(secret(7)), SecretKey::new(secret(7)));
    let pair = Some((id(7), write));
    let values = env_file(1, 8).with_vault(VaultValues {
        generation: 1,
        account: None,
        bucket: None,
        read: Some((&id(6), &read)),
        write: pair.as_ref().map(|(id, secret)| (id.as_str(), secret)),
    });
    assert!(clear(&provider, &values, None, &Forbidden::of(&values), ReadScope::NotShown).is_err());
}

#[test]
fn a_write_key_of_any_generation_is_never_published_though_the_vault_is_closed() {
    let provider = Provider::default();
    let mut index = vault(1, WRITE);
    index.hold(held(1, 5, 7));
    for (read, refused) in [(WRITE, true), (7, true), (1, false), (5, false)] {
        let values = env_file(read, 0);
        let cleared =
            clear(&provider, &values, None, &Forbidden::of(&values).and_held(None, &index), ReadScope::NotShown);
        assert_eq!(matches!(cleared, Err(Refusal::HoldsSecret(_))), refused, "key {read}: {cleared:?}");
        assert_eq!(cleared.is_err(), refused);
    }
}

#[test]
fn another_bucket_in_the_env_goes_over_what_exec_exports() {
    let mut values = LocalValues::default();
    values.define(BucketId, SecretKey::new(id(77)), Source::EnvFile { line: 2 });
    let index = vault(1, WRITE);
    assert_eq!(codes(&values, &index), ["env_bucket_differs_from_vault"]);
    let local = view(&values, &index);
    assert_eq!((local.locator.as_deref(), local.grail.locator), (Some(ACCOUNT), Some(id(77))));
}

fn findings(values: &LocalValues, index: &Index) -> Vec<Diagnostic> {
    beside(&Provider::default(), values, index.in_use())
}

fn codes(values: &LocalValues, index: &Index) -> Vec<&'static str> {
    findings(values, index).iter().map(|finding| finding.code).collect()
}

#[rstest]
#[case::nothing_outside(0, 0, &[])]
#[case::same_secrets(1, WRITE, &["env_holds_secrets"])]
#[case::same_read_pair_alone(1, 0, &["write_pair_missing", "env_holds_secrets"])]
#[case::other_read_key(3, WRITE, &["env_differs_from_vault"])]
#[case::other_write_key(1, 8, &["env_differs_from_vault"])]
#[case::single_credential(0, WRITE, &["legacy_single_credential", "env_holds_secrets"])]
fn what_is_odd_between_vault_and_env_has_a_code(#[case] read: Key, #[case] write: Key, #[case] expected: &[&str]) {
    assert_eq!(codes(&env_file(read, write), &vault(1, WRITE)), expected);
}

#[test]
fn exported_keys_of_the_vault_are_what_exec_makes_and_others_are_told() {
    let exported = |read, write| {
        let mut values = LocalValues::default();
        define(&mut values, read, write, |_| Source::Environment);
        values
    };
    assert_eq!(codes(&exported(1, WRITE), &vault(1, WRITE)), [""; 0]);
    assert_eq!(codes(&exported(3, WRITE), &vault(1, WRITE)), ["environment_differs_from_vault"]);
}

#[test]
fn an_empty_line_in_the_env_would_hide_what_exec_exports() {
    let mut values = env_file(0, 0);
    values.define(ReadSecret, SecretKey::new(""), Source::EnvFile { line: 7 });
    let found = findings(&values, &vault(1, WRITE));
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].code, found[0].severity), ("env_blanks_vault", Warning));
    assert!(found[0].summary.contains("R2_READ_SECRET_ACCESS_KEY to nothing on line 7"), "{}", found[0].summary);
}

#[test]
fn without_any_credentials_a_vault_in_use_is_not_called_nothing() {
    assert_eq!(codes(&LocalValues::default(), &Index::default()), ["no_credentials"]);
    assert_eq!(codes(&LocalValues::default(), &vault(1, WRITE)), [""; 0]);
}

#[test]
fn the_list_of_values_has_the_vaults_on_top_and_no_secret() {
    let lines = inventory::beside(&Provider::default(), &env_file(3, WRITE), vault(1, WRITE).in_use());
    let of = |variable| lines.iter().find(|line| line.variable == variable).unwrap();
    assert!(lines.iter().all(|line| line.source == Some(Source::Vault { generation: 2 })));
    assert!(!of(ReadSecret).hidden[0].same && of(WriteSecret).hidden[0].same && of(BucketId).hidden[0].same);
    let json = serde_json::to_string(&lines).unwrap();
    assert!(!json.contains(&secret(1)) && !json.contains(&secret(3)) && !json.contains(&id(WRITE)), "{json}");
}

#[test]
fn a_change_to_the_envs_key_is_a_grail_with_an_old_env_only_where_it_was_replaced() {
    let mut local = view(&env_file(1, WRITE), &vault(2, WRITE));
    let cause =
        |local: &LocalView| UnexpectedChange::between(on_chain(2).as_ref(), on_chain(1).as_ref(), local).unwrap().cause;
    assert_eq!(cause(&local), Cause::LocalValues);
    local.replaced = vec![Fingerprint::of(&secret(1))];
    assert_eq!(cause(&local), Cause::OldKey);
}

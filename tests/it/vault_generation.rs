//! One generation as a store keeps it: it comes back as it was, or not at all.

use grail_console::domain::owner::Owner;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Origin};
use grail_console::vault::{Damage, Generation, KeyPair, Vault, VaultError};
use proptest::option;
use proptest::prelude::*;

use crate::support::house::says;
use crate::support::vault::{Faulty, generation, owner, secret};
use crate::tui_fixtures::hotkey;

/// A vault in memory, and the store beneath it.
fn vault() -> (Vault, std::sync::Arc<Faulty>) {
    let store = Faulty::new();
    (Vault::over(Backend::Memory, store.store()), store)
}

/// What reading gives when this stands in the store.
fn read(raw: &[u8]) -> Result<Option<Generation>, VaultError> {
    let (vault, store) = vault();
    store.raw(&owner(), 1).set_secret(raw).unwrap();
    vault.get(&owner(), 1)
}

fn raw() -> Vec<u8> {
    let (vault, store) = vault();
    vault.put(&owner(), &generation(1)).unwrap();
    store.raw(&owner(), 1).get_secret().unwrap()
}

fn damage(result: Result<Option<Generation>, VaultError>) -> Damage {
    match result {
        Err(VaultError::Damaged { damage, number: 1, .. }) => damage,
        other => panic!("{other:?}"),
    }
}

fn pair() -> impl Strategy<Value = KeyPair> {
    ("\\PC{0,64}", "\\PC{0,128}").prop_map(|(id, secret)| KeyPair { id, secret: SecretKey::new(secret) })
}

fn any_generation() -> impl Strategy<Value = Generation> {
    let origin = prop_oneof![Just(Origin::Imported), Just(Origin::Rotated)];
    let names = (option::of("\\PC{0,40}"), option::of("\\PC{0,40}"));
    let keys = (option::of(pair()), option::of(pair()));
    (1_u64.., any::<u64>(), origin, names, keys).prop_map(
        |(number, created_ms, origin, (account, bucket), (read, write))| Generation {
            number,
            created_ms,
            origin,
            account,
            bucket,
            read,
            write,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_put_comes_back_equal(generation in any_generation()) {
        let (vault, _) = vault();
        vault.put(&owner(), &generation).unwrap();
        prop_assert_eq!(vault.get(&owner(), generation.number).unwrap(), Some(generation.clone()));
        prop_assert_eq!(vault.held(&owner(), &generation.holding(Backend::Memory)).unwrap(), generation);
    }

    #[test]
    fn one_byte_that_changed_never_gives_other_keys(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut bytes = raw();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        prop_assert!(matches!(read(&bytes), Err(VaultError::Damaged { .. })), "byte {} became {}", at, to);
    }
}

#[test]
fn each_part_that_is_cut_off_is_noticed() {
    let whole = raw();
    for length in 0..whole.len() {
        assert_eq!(damage(read(&whole[..length])), Damage::NotOurs, "{length} bytes");
    }
}

#[test]
fn keys_of_somebody_else_or_of_another_number_are_not_taken() {
    let (vault, store) = vault();
    vault.put(&owner(), &generation(1)).unwrap();
    let kept = store.raw(&owner(), 1).get_secret().unwrap();
    let others = [
        Owner { netuid: 82, ..owner() },
        Owner { hotkey: hotkey(7), ..owner() },
        Owner { genesis: "00".repeat(32).parse().unwrap(), ..owner() },
    ];
    for other in others {
        store.raw(&other, 1).set_secret(&kept).unwrap();
        assert_eq!(damage(vault.get(&other, 1)), Damage::Foreign);
    }
    store.raw(&owner(), 2).set_secret(&kept).unwrap();
    let error = vault.get(&owner(), 2).unwrap_err();
    assert!(matches!(error, VaultError::Damaged { number: 2, damage: Damage::Foreign, .. }), "{error:?}");
}

#[test]
fn a_newer_console_s_keys_are_left_to_it() {
    let text = String::from_utf8(raw()).unwrap();
    assert_eq!(damage(read(text.replacen("\"v\":1", "\"v\":2", 1).as_bytes())), Damage::Newer(2));
    let unknown = text.replacen("\"v\":1", "\"v\":7,\"lease\":\"1h\"", 1);
    let error = read(unknown.as_bytes()).unwrap_err();
    says(&error.to_string(), &["generation 1", "newer console (version 7)"]);
    assert_eq!(damage(read(text.replacen("\"v\":1", "\"v\":0", 1).as_bytes())), Damage::NotOurs);
}

#[test]
fn what_is_larger_than_any_generation_is_not_parsed() {
    assert_eq!(damage(read(&vec![b'7'; 5_000])), Damage::TooLarge);
    assert_eq!(damage(read(b"[]")), Damage::NotOurs);
    assert_eq!(damage(read(b"R2_READ_ACCESS_KEY_ID=abc")), Damage::NotOurs);
}

#[test]
fn whole_keys_that_are_not_those_of_the_index_are_named() {
    let (vault, _) = vault();
    vault.put(&owner(), &generation(1)).unwrap();
    let mut noted = generation(1).holding(Backend::Memory);
    assert_eq!(vault.held(&owner(), &noted).unwrap(), generation(1));
    noted.read = generation(2).read.map(|pair| pair.reference());
    let error = vault.held(&owner(), &noted).unwrap_err();
    assert!(matches!(error, VaultError::Damaged { damage: Damage::Exchanged, .. }), "{error:?}");
    let gone = generation(3).holding(Backend::Memory);
    let error = vault.held(&owner(), &gone).unwrap_err();
    assert!(matches!(error, VaultError::Gone { number: 3, .. }), "{error:?}");
    says(&error.to_string(), &["generation 3", "where it was put", "import them again"]);
}

#[test]
fn nothing_is_ever_overwritten() {
    let (vault, _) = vault();
    vault.put(&owner(), &generation(1)).unwrap();
    vault.put(&owner(), &generation(1)).unwrap();
    let other = Generation { number: 1, ..generation(2) };
    let error = vault.put(&owner(), &other).unwrap_err();
    assert!(matches!(error, VaultError::Occupied { number: 1, .. }), "{error:?}");
    assert_eq!(vault.get(&owner(), 1).unwrap(), Some(generation(1)));
}

#[test]
fn no_secret_is_in_what_is_shown_of_vaults_generations_and_errors() {
    let (vault, store) = vault();
    vault.put(&owner(), &generation(1)).unwrap();
    let mut half = raw();
    half.truncate(300);
    store.raw(&owner(), 2).set_secret(&half).unwrap();
    let errors = [
        vault.get(&owner(), 2).unwrap_err(),
        vault.put(&owner(), &Generation { number: 1, ..generation(2) }).unwrap_err(),
        vault.held(&owner(), &generation(9).holding(Backend::Memory)).unwrap_err(),
    ];
    let said: Vec<_> = errors.iter().map(|error| format!("{error:?} {error} {}", error.code())).collect();
    let holding = generation(1).holding(Backend::Memory);
    let shown = format!("{vault:?} {:?} {holding:?} {}", generation(1), said.join(" "));
    for secret in [secret(1, 'c'), secret(1, 'd'), secret(2, 'c'), secret(2, 'd')] {
        assert!(!shown.contains(&secret[40..]), "{shown}");
    }
}

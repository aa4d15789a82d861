//! From a key file to what signs, and every way in which it does not get there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ed25519_zebra::VerificationKey;
use grail_console::domain::environment::Environment;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::secret::SecretKey;
use grail_console::sandbox;
use grail_console::wallet::{self, Legacy, Lock, OwnHotkey, Scheme, Signature, Signer, WalletError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::wallet_public::{CANARIES, ED25519, ENCRYPTED, MNEMONIC, PLAIN, Wallets, address};

pub const PASSWORD: &str = "practice-password-1";
/// The well-known development phrase, and its seed.
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const SEED: &str = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
/// The phrase as an ed25519 key.
const PHRASE_ED25519: &str = "5DFJF7tY4bpbpcKPJcBTQaKuCDEPCpiz8TRjpmLeTtweqmXL";
/// `privateKey` and address of `//Alice`, as bittensor-wallet writes them: sr25519, then ed25519.
const ALICE_KEY: &str = "0x33a6f3093f158a7109f679410bef1a0c54168145e0cecb4df006c1c2fffb1f09925a225d97aa00682d6a59b95b18780c10d7032336e88f3442b42361f4a66011";
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ALICE_KEY_ED25519: &str = "0xabf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115";
const ALICE_ED25519: &str = "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu";
/// What bittensor-wallet signs with the fixture `ed25519` over `grail-console`.
const SIGNED: &str = "8fe30ca9dba0c9cd294feca67e0010bd9aa3da75c2669672c416abc8190f12303f9e4af4ac5a0f8f93e6676476a110fdd4a42c4d3b2ca934188542ff9f20a50e";

fn at(path: &Path, expected: &str) -> OwnHotkey {
    let key_file = Some(path.to_owned());
    OwnHotkey { hotkey: address(expected), name: None, key_file, lock: None, findings: Vec::new() }
}

/// A wallet with one key file, unlocked as the key of an address.
fn unlocked(file: &Value, expected: &str) -> Result<Signer, WalletError> {
    let wallets = Wallets::practice();
    wallets.put("one", file.to_string().as_bytes());
    wallet::unlock(&at(&wallets.hotkey("one"), expected), None)
}

/// The error's text, which tells what to do and no secret, as `Debug` does not either.
fn told(error: &WalletError) -> String {
    let text = format!("{error} {error:?}");
    for canary in CANARIES.into_iter().chain([PASSWORD, "33a6f3093f158a71", "abf8e5bdbe30c656", "wrong-password"]) {
        assert!(!text.contains(canary), "{text}");
    }
    let todo = [
        "Restore", "restore", "Run", "run", "Give", "give", "Name", "Check", "Type", "Correct", "Store", "Stop", "copy",
    ];
    assert!(todo.iter().any(|verb| error.to_string().contains(verb)), "says what to do: {error}");
    text
}

fn refused(file: &Value) -> (WalletError, String) {
    let error = unlocked(file, MNEMONIC).unwrap_err();
    let text = told(&error);
    (error, text)
}

fn verifies(hotkey: Hotkey, payload: &[u8], signature: &Signature) -> bool {
    match signature.scheme {
        Scheme::Sr25519 => {
            let key = schnorrkel::PublicKey::from_bytes(hotkey.as_bytes()).unwrap();
            let signature = schnorrkel::Signature::from_bytes(&signature.bytes).unwrap();
            key.verify_simple(b"substrate", payload, &signature).is_ok()
        }
        Scheme::Ed25519 => {
            let key = VerificationKey::try_from(*hotkey.as_bytes()).unwrap();
            key.verify(&signature.bytes.into(), payload).is_ok()
        }
    }
}

#[track_caller]
fn signs_as(signer: &Signer, expected: &str, scheme: Scheme) {
    assert_eq!((signer.hotkey(), signer.scheme()), (address(expected), scheme));
    let signature = signer.sign(b"grail-console");
    assert_eq!(signature.scheme, scheme);
    assert!(verifies(address(expected), b"grail-console", &signature));
    assert!(!verifies(address(expected), b"grail-consolf", &signature));
    assert_eq!(format!("{signer:?}"), expected, "nothing but the address is shown");
}

fn texts(signer: &Signer) -> Vec<String> {
    signer.secrets().iter().map(|secret| secret.expose().to_owned()).collect()
}

#[test]
fn a_plain_hotkey_signs_under_its_address() {
    let wallets = Wallets::practice();
    let keys = [("plain", PLAIN, Scheme::Sr25519), ("mnemonic", MNEMONIC, Scheme::Sr25519)];
    for (name, expected, scheme) in keys.into_iter().chain([("ed25519", ED25519, Scheme::Ed25519)]) {
        let own = wallets.find(name).unwrap();
        assert_eq!(own.lock, Some(Lock::Open));
        signs_as(&wallet::unlock(&own, None).unwrap(), expected, scheme);
    }
    let ed25519 = wallet::unlock(&wallets.find("ed25519").unwrap(), None).unwrap();
    assert_eq!(hex::encode(ed25519.sign(b"grail-console").bytes), SIGNED);
}

#[test]
fn an_encrypted_hotkey_opens_with_its_password_as_the_wallet_keeps_it() {
    let wallets = Wallets::practice();
    wallets.put("encryptedpub.txt", ENCRYPTED.as_bytes());
    let own = wallets.find("encrypted").unwrap();
    assert_eq!(own.lock, Some(Lock::Nacl));
    let key_file = own.key_file.as_deref().unwrap();
    let name = format!("BT_PW_{}", key_file.to_str().unwrap().replace(['/', '.'], "_").to_uppercase());
    let covered: Vec<u8> = PASSWORD.bytes().zip(name.bytes().cycle()).map(|(byte, veil)| byte ^ veil).collect();
    let value = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, covered);
    let environment: Environment = [(name, value)].into_iter().collect();
    let password = wallet::password::from_environment(&environment, key_file).unwrap().unwrap();
    let signer = wallet::unlock(&own, Some(&password)).unwrap();
    signs_as(&signer, ENCRYPTED, Scheme::Sr25519);
    assert_eq!(texts(&signer).len(), 3, "the private key and its halves");
}

#[test]
fn the_practice_operators_encrypted_hotkey_is_uid_42() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/wallets/operator.nacl");
    assert_eq!(wallet::lock_of(&file).unwrap(), Lock::Nacl);
    let expected = sandbox::hotkey(42).to_string();
    let signer = wallet::unlock(&at(&file, &expected), Some(&SecretKey::new(PASSWORD))).unwrap();
    signs_as(&signer, &expected, Scheme::Sr25519);
}

#[test]
fn a_wrong_password_is_said_to_be_one() {
    let wallets = Wallets::practice();
    let own = at(&wallets.hotkey("encrypted"), ENCRYPTED);
    let error = wallet::unlock(&own, Some(&SecretKey::new("wrong-password"))).unwrap_err();
    assert!(matches!(error, WalletError::WrongPassword(_)) && told(&error).contains("Type it again"), "{error}");
}

#[test]
fn what_was_encrypted_and_is_no_key_file_is_not_blamed_on_the_password() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wallets/hollow.nacl");
    let error = wallet::unlock(&at(&file, MNEMONIC), Some(&SecretKey::new(PASSWORD))).unwrap_err();
    assert!(matches!(error, WalletError::NoKeyInside(_)) && told(&error).contains("password opens"), "{error}");
}

#[test]
fn a_password_that_is_missing_or_empty_is_told_before_anything_is_tried() {
    let wallets = Wallets::practice();
    let own = at(&wallets.hotkey("encrypted"), ENCRYPTED);
    let error = wallet::unlock(&own, None).unwrap_err();
    assert!(matches!(error, WalletError::PasswordNeeded(_)) && told(&error).contains("--password-file"), "{error}");
    let error = wallet::unlock(&own, Some(&SecretKey::new(""))).unwrap_err();
    assert!(matches!(error, WalletError::PasswordEmpty), "{}", told(&error));
}

#[test]
fn an_encrypted_file_that_is_cut_off_is_no_wrong_password() {
    let wallets = Wallets::practice();
    let whole = fs::read(wallets.hotkey("encrypted")).unwrap();
    for length in [5, 28, 29, 45] {
        wallets.put("cut", &whole[..length]);
        let own = at(&wallets.hotkey("cut"), ENCRYPTED);
        let error = wallet::unlock(&own, Some(&SecretKey::new(PASSWORD))).unwrap_err();
        let cut = matches!(error, WalletError::Truncated { bytes, .. } if bytes == length);
        assert!(cut && told(&error).contains("cut off"), "{error:?}");
    }
}

#[test]
fn a_legacy_file_is_told_apart_and_says_what_updates_it() {
    let wallets = Wallets::practice();
    let kinds = [("$ANSIBLE_VAULT;1.1;AES256\n6162", Legacy::AnsibleVault), ("gAAAAABkq", Legacy::Fernet)];
    for (content, kind) in kinds {
        wallets.put("old", content.as_bytes());
        assert_eq!(wallet::lock_of(&wallets.hotkey("old")).unwrap(), Lock::Legacy(kind));
        let error = wallet::unlock(&at(&wallets.hotkey("old"), PLAIN), Some(&SecretKey::new(PASSWORD))).unwrap_err();
        let legacy = matches!(error, WalletError::LegacyLock { .. });
        assert!(legacy && told(&error).contains("btcli wallet regen-hotkey"), "{error:?}");
    }
    assert_eq!(serde_json::to_value(Lock::Legacy(Legacy::Fernet)).unwrap(), "legacy_fernet");
}

/// The variable that makes the test below the process that has no memory.
const STARVED: &str = "GRAIL_CONSOLE_TEST_STARVED";

#[test]
fn without_the_memory_for_the_password_the_unlock_fails_and_the_process_does_not() {
    const NAME: &str = "wallet_unlock::without_the_memory_for_the_password_the_unlock_fails_and_the_process_does_not";
    if std::env::var_os(STARVED).is_some() {
        let wallets = Wallets::practice();
        let own = at(&wallets.hotkey("encrypted"), ENCRYPTED);
        let error = wallet::unlock(&own, Some(&SecretKey::new(PASSWORD))).unwrap_err();
        assert!(matches!(error, WalletError::OutOfMemory(_)), "{error:?}");
        println!("refused: {}", told(&error));
        return;
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -v 450000 && exec \"$0\" --exact \"$1\" --nocapture --test-threads 1"]);
    let child = shell.arg(std::env::current_exe().unwrap()).arg(NAME).env(STARVED, "1").output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("512 MiB"), "{output}{}", String::from_utf8_lossy(&child.stderr));
}

#[test]
fn what_a_file_has_of_phrase_seed_and_private_key_makes_the_same_key() {
    let key = "0x05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0afd190cce74df356432b410bd64682309d6dedb27c76845daf388557cbac3ca34";
    // As older wallets wrote it: no cryptoType, and null for what is not there.
    for file in [
        json!({ "secretPhrase": PHRASE, "secretSeed": null, "privateKey": null }),
        json!({ "secretSeed": SEED, "cryptoType": null }),
        json!({ "privateKey": key, "cryptoType": 1, "secretPhrase": null, "accountId": null }),
        json!({ "secretPhrase": PHRASE, "secretSeed": SEED, "privateKey": key }),
    ] {
        signs_as(&unlocked(&file, MNEMONIC).unwrap(), MNEMONIC, Scheme::Sr25519);
    }
    for file in [
        json!({ "secretPhrase": PHRASE, "cryptoType": 0 }),
        json!({ "secretSeed": SEED.trim_start_matches("0x"), "cryptoType": 0 }),
        json!({ "secretPhrase": PHRASE, "secretSeed": SEED, "privateKey": SEED, "cryptoType": 0 }),
    ] {
        signs_as(&unlocked(&file, PHRASE_ED25519).unwrap(), PHRASE_ED25519, Scheme::Ed25519);
    }
}

#[test]
fn a_private_key_alone_signs_and_gives_itself_away_whole_and_in_halves() {
    let alice = unlocked(&json!({ "privateKey": ALICE_KEY, "ss58Address": ALICE, "cryptoType": 1 }), ALICE).unwrap();
    signs_as(&alice, ALICE, Scheme::Sr25519);
    let digits = ALICE_KEY.trim_start_matches("0x");
    let (first, second) = digits.split_at(64);
    assert!(first.starts_with("33a6f309") && second.starts_with("925a225d"));
    assert_eq!(texts(&alice), [digits, first, second]);
    let ed25519 = json!({ "privateKey": ALICE_KEY_ED25519, "ss58Address": ALICE_ED25519, "cryptoType": 0 });
    let ed25519 = unlocked(&ed25519, ALICE_ED25519).unwrap();
    signs_as(&ed25519, ALICE_ED25519, Scheme::Ed25519);
    assert_eq!(texts(&ed25519), [ALICE_KEY_ED25519.trim_start_matches("0x")]);
}

#[test]
fn fields_of_two_keys_are_both_refused() {
    let other_seed = format!("0x{}", "11".repeat(32));
    for (file, one, other) in [
        (json!({ "secretPhrase": PHRASE, "privateKey": ALICE_KEY }), "secretPhrase", "privateKey"),
        (json!({ "secretPhrase": PHRASE, "secretSeed": other_seed }), "secretPhrase", "secretSeed"),
        (json!({ "secretSeed": SEED, "privateKey": ALICE_KEY }), "secretSeed", "privateKey"),
        (json!({ "secretPhrase": PHRASE, "secretSeed": SEED, "privateKey": ALICE_KEY }), "secretPhrase", "privateKey"),
    ] {
        let (error, text) = refused(&file);
        assert!(matches!(error, WalletError::Contradiction { .. }), "{error:?}");
        assert!(text.starts_with(&format!("{one} and {other} in ")), "{text}");
    }
}

#[test]
fn a_key_of_another_address_than_is_told_of_it_does_not_sign() {
    // By the file itself, each field of it,
    let alice = hex::encode(address(ALICE).as_bytes());
    for (field, value) in [("ss58Address", ALICE.into()), ("publicKey", format!("0x{alice}")), ("accountId", alice)] {
        let (error, text) = refused(&json!({ "secretPhrase": PHRASE, field: value }));
        assert!(matches!(error, WalletError::OtherKey { .. }), "{error:?}");
        assert!(text.contains(ALICE) && text.contains(MNEMONIC), "{text}");
    }
    // by fields that tell two addresses,
    let (error, _) = refused(
        &json!({ "secretPhrase": PHRASE, "ss58Address": MNEMONIC, "publicKey": "0x".to_owned() + &"00".repeat(32) }),
    );
    assert!(matches!(error, WalletError::Mismatch { .. }), "{error:?}");
    // by the public file beside it,
    let wallets = Wallets::practice();
    wallets.put("mnemonicpub.txt", ALICE.as_bytes());
    let error = wallet::unlock(&at(&wallets.hotkey("mnemonic"), MNEMONIC), None).unwrap_err();
    assert!(
        matches!(&error, WalletError::OtherKey { by, .. } if *by == wallets.hotkey("mnemonicpub.txt")),
        "{error:?}"
    );
    told(&error);
    // and by whoever found it: the file was replaced since.
    let own = wallets.find("plain").unwrap();
    wallets.put("plain", &fs::read(wallets.hotkey("mnemonic")).unwrap());
    let error = wallet::unlock(&own, None).unwrap_err();
    assert!(matches!(error, WalletError::NotOwn { .. }) && told(&error).contains("replaced"), "{error:?}");
}

#[test]
fn a_kind_of_key_that_nobody_knows_is_named() {
    for (value, number) in [
        (json!(2), Some(2)),
        (json!(257), Some(257)),
        (json!(-1), None),
        (json!(1.0), None),
        (json!(true), None),
        (json!("1"), None),
        (json!(PHRASE), None),
        (json!({ "deep": [PHRASE] }), None),
    ] {
        let (error, text) = refused(&json!({ "secretPhrase": PHRASE, "cryptoType": value }));
        let named = matches!(error, WalletError::UnknownScheme { crypto_type, .. } if crypto_type == number);
        assert!(named && text.contains("0, ed25519, and 1, sr25519"), "{error:?}");
    }
}

#[test]
fn a_field_that_makes_no_key_is_named_even_where_another_would_do() {
    let not_a_scalar = format!("0x{}", "ff".repeat(64));
    for (file, name) in [
        (json!({ "secretPhrase": PHRASE.replace("walk", "talk"), "secretSeed": SEED }), "secretPhrase"),
        (json!({ "secretPhrase": "bottom drive obey" }), "secretPhrase"),
        (json!({ "secretPhrase": "" }), "secretPhrase"),
        (json!({ "secretSeed": &SEED[..64] }), "secretSeed"),
        (json!({ "secretPhrase": PHRASE, "secretSeed": "0x" }), "secretSeed"),
        // An sr25519 key has 128 digits, an ed25519 key has 64.
        (json!({ "privateKey": SEED }), "privateKey"),
        (json!({ "privateKey": ALICE_KEY, "cryptoType": 0 }), "privateKey"),
        (json!({ "privateKey": not_a_scalar }), "privateKey"),
    ] {
        let (error, text) = refused(&file);
        assert!(matches!(error, WalletError::BadField { field, .. } if field == name), "{error:?}");
        assert!(text.contains("btcli wallet regen-hotkey"), "{text}");
    }
}

#[test]
fn what_holds_no_key_is_no_key_file() {
    let wallets = Wallets::practice();
    let escaped = format!("{{\"secretPhrase\":\"\\u0062{}\"}}", &PHRASE[1..]);
    let listed = format!("[\"{PHRASE}\",null,null,1]");
    for content in [PLAIN, "{}", "{\"secretPhrase\":7}", PHRASE, &escaped, &listed] {
        wallets.put("odd", content.as_bytes());
        let error = wallet::unlock(&at(&wallets.hotkey("odd"), MNEMONIC), None).unwrap_err();
        assert!(matches!(error, WalletError::NoSecret(_)), "{content}: {}", told(&error));
    }
}

#[test]
fn a_watched_hotkey_does_not_sign_and_a_file_that_is_gone_is_missed() {
    let error = wallet::unlock(&OwnHotkey::watched(PLAIN).unwrap(), None).unwrap_err();
    assert!(matches!(error, WalletError::WatchOnly(_)) && told(&error).contains(PLAIN), "{error:?}");
    let wallets = Wallets::practice();
    let own = wallets.find("plain").unwrap();
    fs::remove_file(wallets.hotkey("plain")).unwrap();
    let error = wallet::unlock(&own, None).unwrap_err();
    assert!(matches!(error, WalletError::NoKeyFile(_)) && told(&error).contains("no key file"), "{error:?}");
    assert!(matches!(wallet::lock_of(&wallets.hotkey("plain")), Err(WalletError::NoKeyFile(_))));
}

#[test]
fn the_coldkey_does_not_sign_and_its_secret_is_not_collected() {
    let wallets = Wallets::practice();
    let coldkey = wallets.path().join("practice/coldkey");
    fs::write(&coldkey, json!({ "privateKey": ALICE_KEY }).to_string()).unwrap();
    symlink(&coldkey, wallets.hotkey("sly")).unwrap();
    fs::copy(&coldkey, wallets.hotkey("coldkey")).unwrap();
    for path in [coldkey, wallets.hotkey("sly"), wallets.hotkey("coldkey")] {
        let error = wallet::unlock(&at(&path, ALICE), None).unwrap_err();
        assert!(matches!(error, WalletError::NotAHotkeyFile(_)), "{error:?}");
        assert!(matches!(wallet::lock_of(&path), Err(WalletError::NotAHotkeyFile(_))));
    }
    let secrets = wallet::hotkey_secrets(wallets.path());
    assert!(secrets.plain.iter().all(|(_, secret)| !ALICE_KEY.contains(secret.expose())));
}

#[test]
fn the_secrets_of_every_hotkey_without_encryption_are_collected() {
    let wallets = Wallets::practice();
    wallets.put("oddpub.txt", json!({ "secretSeed": format!("0x{}", "5a".repeat(32)) }).to_string().as_bytes());
    wallets.put("broken", b"{\"secretPhrase\"");
    fs::create_dir(wallets.hotkey("folder")).unwrap();
    fs::create_dir_all(wallets.path().join("empty")).unwrap();
    let collected = wallet::hotkey_secrets(wallets.path());
    let found: Vec<_> = collected.plain.iter().map(|(_, secret)| secret.clone()).collect();
    for name in ["plain", "mnemonic", "ed25519"] {
        let signer = wallet::unlock(&wallets.find(name).unwrap(), None).unwrap();
        assert!(!signer.secrets().is_empty() && signer.secrets().iter().all(|secret| found.contains(secret)), "{name}");
    }
    assert!(found.contains(&SecretKey::new("5a".repeat(32))), "a name that ends in pub.txt hides no key");
    assert!(found.iter().all(|secret| secret.chars() >= 12));
    assert!(wallet::hotkey_secrets(&wallets.path().join("none")).plain.is_empty());
    let encrypted = wallet::list(wallets.path(), |_| None)
        .unwrap()
        .iter()
        .filter(|listed| listed.lock.is_some_and(Lock::is_encrypted))
        .count();
    assert_eq!((collected.encrypted, collected.unreadable), (encrypted, 0), "what is not compared is counted");
    assert!(encrypted > 0);
}

/// A field's value: right for one key or another, nearly right, or anything.
fn value() -> impl Strategy<Value = Value> {
    let known = [PHRASE, SEED, ALICE_KEY, ALICE_KEY_ED25519, ALICE, MNEMONIC, PLAIN, PHRASE_ED25519];
    prop_oneof![
        6 => prop::sample::select(known.to_vec()).prop_map(Value::from),
        2 => (0..3u64).prop_map(Value::from),
        1 => "\\PC{0,80}".prop_map(Value::from),
        1 => prop::sample::select(vec![json!(null), json!([]), json!(-1), json!(true)]),
    ]
}

fn key_file() -> impl Strategy<Value = Vec<u8>> {
    let names = ["secretPhrase", "secretSeed", "privateKey", "ss58Address", "accountId", "publicKey", "cryptoType"];
    let json = prop::collection::btree_map(prop::sample::select(names.to_vec()), value(), 0..5)
        .prop_map(|fields| serde_json::to_vec(&fields).unwrap())
        .boxed();
    let damaged = (json.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        bytes
    });
    prop_oneof![3 => json, 2 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_key_file_holds_it_signs_for_the_own_address_or_not_at_all(
        bytes in key_file(),
        own in prop::sample::select(vec![MNEMONIC, ALICE, PHRASE_ED25519, ALICE_ED25519]),
    ) {
        let wallets = tempfile::tempdir().unwrap();
        let path = wallets.path().join("one");
        fs::write(&path, &bytes).unwrap();
        match wallet::unlock(&at(&path, own), None) {
            Ok(signer) => {
                prop_assert_eq!(signer.hotkey(), address(own));
                prop_assert!(verifies(address(own), b"payload", &signer.sign(b"payload")));
            }
            Err(error) => { told(&error); }
        }
    }
}

//! Key files as they are met: an encrypted one that alone knows its address, broken ones, and names that are none.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::secret::SecretKey;
use grail_console::sandbox::{Credentials, hotkey};
use grail_console::wallet::{self, FileForm, Found, LockedHotkey, WalletError};
use rstest::rstest;

use crate::cli_commit::document;
use crate::cli_commit_password::{Locked, PASSWORD, UID, alone};
use crate::cli_doctor::finding;
use crate::support::house::{Ran, says};
use crate::support::operator::Operator;
use crate::wallet_public::{CANARIES, ENCRYPTED, PLAIN, Wallets, address};

/// As the SDK's `set_hotkey` and all older wallets leave it: no public file beside the encrypted one.
fn alone_with_its_key(operator: Operator) -> Locked {
    let locked = Locked::new(operator);
    fs::remove_file(locked.key_file.with_file_name("lockedpub.txt")).unwrap();
    locked
}

fn run(locked: &Locked, words: &[&str]) -> Ran {
    locked.operator.house.run(locked.line(words))
}

fn locked_in(wallets: &Wallets) -> LockedHotkey {
    match Found::of(wallets.path(), "practice", "encrypted").unwrap() {
        Found::Locked(locked) => locked,
        Found::Known(own) => panic!("known: {own:?}"),
    }
}

fn identify(wallets: &Wallets, name: &str) -> Result<Found, WalletError> {
    wallet::identify(Some(wallets.path()), Some("practice"), name)
}

#[test]
fn its_address_is_learnt_by_unlocking_and_remembered_for_these_bytes_alone() {
    let _alone = alone();
    let locked = alone_with_its_key(Operator::by_hand());
    let told = run(&locked, &["doctor", "--json"]).exits(2).json();
    let what = finding(&told, "own_hotkey")["summary"].as_str().unwrap().to_owned();
    says(&what, &["lockedpub.txt", "Give the password once", "--password-file", "--hotkey locked=SS58"]);
    let password = locked.operator.house.write("password", format!("{PASSWORD}\n"));
    let wrong = locked.operator.house.write("wrong", "not-it\n");
    let told = run(&locked, &["doctor", "--json", "--password-file", wrong.to_str().unwrap()]).exits(2).json();
    says(finding(&told, "own_hotkey")["summary"].as_str().unwrap(), &["the password does not open"]);
    let told = run(&locked, &["doctor", "--json", "--password-file", password.to_str().unwrap()]).json();
    assert!(!told["findings"].to_string().contains("own_hotkey"), "{told:#}");
    // Without the password from then on.
    let told = run(&locked, &["doctor", "--json"]).json();
    let line = told["wallets"].as_array().unwrap().iter().find(|line| line["hotkey"] == "locked").unwrap().clone();
    assert_eq!((&line["address"], &line["own"]), (&ENCRYPTED.into(), &true.into()));
    let kept: Vec<_> = fs::read_dir(locked.operator.house.state().join("hotkeys")).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read_to_string(kept[0].path()).unwrap().trim(), ENCRYPTED, "the address and nothing else");
    // Another file of that name is not taken for it.
    let mut bytes = fs::read(&locked.key_file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&locked.key_file, bytes).unwrap();
    let told = run(&locked, &["doctor", "--json"]).exits(2).json();
    says(finding(&told, "own_hotkey")["summary"].as_str().unwrap(), &["Give the password once"]);
}

/// The password is read once, from wherever it comes, and serves for the address and for signing.
#[test]
fn commit_learns_the_address_and_signs_with_one_password() {
    let _alone = alone();
    let locked = alone_with_its_key(Operator::new());
    let words = ["commit", "--yes", "--json", "--password-file", "-"];
    let mut command = locked.operator.house.console(locked.line(&words));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert_eq!(document(&Ran::ended(child).exits(0))["outcome"], "committed");
    assert_eq!(locked.operator.on_chain_of(hotkey(UID)), Credentials::of(UID, 1).read_commitment());
}

#[test]
fn an_address_may_be_given_beside_the_name() {
    let wallets = Wallets::practice();
    let known = identify(&wallets, &format!("encrypted={ENCRYPTED}")).unwrap().known().unwrap();
    assert_eq!((known.hotkey, known.is_watch_only()), (address(ENCRYPTED), false));
    assert_eq!(known.key_file, Some(wallets.hotkey("encrypted")));
    assert!(identify(&wallets, &format!("plain={PLAIN}")).is_ok());
    let other = identify(&wallets, &format!("plain={ENCRYPTED}")).unwrap_err();
    assert!(matches!(other, WalletError::OtherAddress { .. }), "{other}");
    let mistyped = identify(&wallets, &format!("encrypted={}", &ENCRYPTED[..47])).unwrap_err();
    assert!(matches!(mistyped, WalletError::MistypedAddress(_)), "{mistyped}");
}

#[test]
fn a_wrong_address_beside_the_name_never_signs() {
    let _alone = alone();
    let wallets = Wallets::practice();
    let own = identify(&wallets, &format!("encrypted={PLAIN}")).unwrap().known().unwrap();
    let error = wallet::unlock(&own, Some(&SecretKey::new(PASSWORD))).unwrap_err();
    assert!(matches!(error, WalletError::NotOwn { .. }), "{error}");
    let (learnt, hash) = wallet::learn(&locked_in(&wallets), &SecretKey::new(PASSWORD)).unwrap();
    assert_eq!((learnt, hash), (address(ENCRYPTED), locked_in(&wallets).hash));
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff_u16].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn each_broken_form_has_a_name_of_its_own() {
    let wallets = Wallets::practice();
    let whole = fs::read_to_string(wallets.hotkey("plain")).unwrap();
    let whole = whole.trim();
    for (bytes, form, words) in [
        (Vec::new(), FileForm::Empty, "is empty"),
        (b" \n".to_vec(), FileForm::Empty, "is empty"),
        (format!("\u{feff}{whole}").into_bytes(), FileForm::ByteOrderMark, "byte order mark"),
        (utf16(whole), FileForm::Utf16, "is UTF-16"),
        (utf16(whole)[2..].to_vec(), FileForm::Utf16, "is UTF-16"),
        (whole.as_bytes()[..whole.len() - 20].to_vec(), FileForm::CutOff, "is cut off"),
        (b"{".to_vec(), FileForm::CutOff, "is cut off"),
        (format!("{whole}garbage").into_bytes(), FileForm::TextBehind, "something behind the end"),
        (format!("{whole}{whole}").into_bytes(), FileForm::TextBehind, "something behind the end"),
    ] {
        wallets.put("odd", &bytes);
        let error = wallets.find("odd").unwrap_err();
        assert!(matches!(error, WalletError::Form { form: found, .. } if found == form), "{form:?}: {error}");
        let text = format!("{error} {error:?}");
        says(&text, &["hotkeys/odd", words]);
        assert!(CANARIES.iter().all(|canary| !text.contains(canary)), "{text}");
        assert!(!text.contains("new-hotkey") && !text.contains("Regenerate"), "no advice costs a uid: {text}");
    }
    // What the wallet reads is none of them.
    for text in [format!("\n\n{whole}"), format!("{whole}\n")] {
        wallets.put("odd", text.as_bytes());
        assert_eq!(wallets.find("odd").unwrap().hotkey, address(PLAIN));
    }
}

#[rstest]
#[case::one_character_changed(&PLAIN.replacen("5Hj", "5Hk", 1))]
#[case::one_lost(&PLAIN[..47])]
#[case::of_another_network("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5")]
fn a_mistyped_address_is_not_taken_for_a_name(#[case] text: &str) {
    let wallets = Wallets::practice();
    let error = identify(&wallets, text).unwrap_err();
    assert!(matches!(error, WalletError::MistypedAddress(_)), "{error}");
    says(&error.to_string(), &["SS58 address", "or give the hotkey's name"]);
    assert!(text.parse::<Hotkey>().is_err());
    // A file that is called so is meant.
    wallets.put(text, &fs::read(wallets.hotkey("plain")).unwrap());
    assert_eq!(identify(&wallets, text).unwrap().known().unwrap().hotkey, address(PLAIN));
}

#[test]
fn a_dangling_link_is_named_with_where_it_leads() {
    let wallets = Wallets::practice();
    symlink("/mnt/usb/hotkey", wallets.hotkey("linked")).unwrap();
    symlink("/mnt/usb/wallet", wallets.path().join("away")).unwrap();
    let of_wallet = wallet::identify(Some(wallets.path()), Some("away"), "linked").unwrap_err();
    for (error, target) in [(wallets.find("linked").unwrap_err(), "hotkey"), (of_wallet, "wallet")] {
        assert!(matches!(error, WalletError::DanglingLink { .. }), "{error}");
        says(&error.to_string(), &[&format!("is a link to /mnt/usb/{target}, which is not there")]);
    }
}

/// What cannot be looked at is not missing: a loop of links, which root meets too, and a folder that is closed.
#[test]
fn a_folder_that_cannot_be_entered_is_not_a_missing_wallet() {
    let wallets = Wallets::practice();
    symlink(wallets.path().join("b"), wallets.path().join("a")).unwrap();
    symlink(wallets.path().join("a"), wallets.path().join("b")).unwrap();
    let error = wallet::identify(Some(wallets.path()), Some("a"), "plain").unwrap_err();
    assert!(matches!(error, WalletError::Unreadable { .. }), "{error}");
    if rustix::process::geteuid().is_root() {
        return;
    }
    fs::set_permissions(wallets.path(), fs::Permissions::from_mode(0o000)).unwrap();
    let error = wallets.find("plain").unwrap_err();
    fs::set_permissions(wallets.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(error, WalletError::Unreadable { .. }), "{error}");
    says(&error.to_string(), &["Permission denied", "Check its permissions"]);
}

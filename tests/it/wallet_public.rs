//! What a wallet tells without a password, and what is never opened.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use grail_console::domain::hotkey::Hotkey;
use grail_console::wallet::{self, Lock, MAX_BYTES, OwnHotkey, WalletError};

pub const PLAIN: &str = "5HjjWKka3CWSAML5oZnptrveBhMGTRzSHe8nBXVqpSWUXAoL";
pub const ENCRYPTED: &str = "5C4mU6ugvST8z2BUrD4eFpQZ5ZgwnQyG8S7ZivYCJxtS2pyc";
pub const MNEMONIC: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
/// An ed25519 key, with its public companion.
pub const ED25519: &str = "5DviaZpprcDKLvMeKqqLfkU9D6sw1E2uFSW7eVg8d1FLVras";
/// Words and digits of the fixtures that no message may hold.
pub const CANARIES: [&str; 4] = ["bottom drive", "fac7959dbfe72f05", "5794ce5482859b13", "05d65584630d16cd"];

/// A folder of wallets that vanishes with the test.
pub struct Wallets(tempfile::TempDir);

impl Wallets {
    /// A copy of the practice wallet with the modes that btcli gives.
    pub fn practice() -> Self {
        let root = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wallets/practice/hotkeys");
        let folder = root.path().join("practice/hotkeys");
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let wallets = Self(root);
        for name in ["plain", "encrypted", "mnemonic", "ed25519", "ed25519pub.txt"] {
            wallets.put(name, &fs::read(fixtures.join(name)).unwrap());
        }
        wallets
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn hotkey(&self, name: &str) -> PathBuf {
        self.path().join("practice/hotkeys").join(name)
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.hotkey(name), bytes).unwrap();
        fs::set_permissions(self.hotkey(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn find(&self, hotkey: &str) -> Result<OwnHotkey, WalletError> {
        OwnHotkey::find(self.path(), "practice", hotkey)
    }

    fn refused(&self, hotkey: &str) -> (WalletError, String) {
        let error = self.find(hotkey).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(CANARIES.iter().all(|canary| !text.contains(canary)), "{text}");
        (error, text)
    }
}

pub fn address(text: &str) -> Hotkey {
    text.parse().unwrap()
}

#[test]
fn the_address_of_a_plain_hotkey_is_found_by_name() {
    let wallets = Wallets::practice();
    for (name, expected) in [("plain", PLAIN), ("mnemonic", MNEMONIC)] {
        let own = wallets.find(name).unwrap();
        assert_eq!(own.hotkey, address(expected));
        assert_eq!(own.key_file, Some(wallets.hotkey(name)));
        assert!(own.findings.is_empty() && !own.is_watch_only());
        let text = format!("{own:?} {}", serde_json::to_string(&own).unwrap());
        assert!(CANARIES.iter().all(|canary| !text.contains(canary)), "{text}");
    }
}

#[test]
fn an_encrypted_hotkey_is_known_by_its_public_file() {
    let wallets = Wallets::practice();
    let (error, text) = wallets.refused("encrypted");
    assert!(matches!(error, WalletError::Encrypted { kind: "NaCl", .. }), "{error:?}");
    assert!(text.contains("encryptedpub.txt") && text.contains("--hotkey encrypted=SS58"), "{text}");
    wallets.put("encryptedpub.txt", format!("{{\"ss58Address\":\"{ENCRYPTED}\"}}").as_bytes());
    let own = wallets.find("encrypted").unwrap();
    assert_eq!((own.hotkey, own.is_watch_only()), (address(ENCRYPTED), false));
}

#[test]
fn legacy_encryption_says_how_to_update_it() {
    let wallets = Wallets::practice();
    for prefix in ["$ANSIBLE_VAULT;1.1;AES256\n6162", "gAAAAABk"] {
        wallets.put("old", prefix.as_bytes());
        let (_, text) = wallets.refused("old");
        assert!(text.contains("btcli wallet regen-hotkey") && text.contains("legacy"), "{text}");
    }
}

#[test]
fn a_public_file_alone_is_watched_and_may_hold_the_address_only() {
    let wallets = Wallets::practice();
    wallets.put("awaypub.txt", format!("{PLAIN}\n").as_bytes());
    let own = wallets.find("away").unwrap();
    assert_eq!((own.hotkey, own.is_watch_only()), (address(PLAIN), true));
}

#[test]
fn files_that_tell_two_addresses_are_refused() {
    let wallets = Wallets::practice();
    wallets.put("plainpub.txt", MNEMONIC.as_bytes());
    let (error, text) = wallets.refused("plain");
    assert!(matches!(error, WalletError::Mismatch { .. }), "{error:?}");
    assert!(text.contains(PLAIN) && text.contains(MNEMONIC), "{text}");
    let torn = format!("{{\"ss58Address\":\"{PLAIN}\",\"publicKey\":\"0x{}\"}}", "00".repeat(32));
    wallets.put("torn", torn.as_bytes());
    assert!(matches!(wallets.refused("torn").0, WalletError::Mismatch { .. }));
}

#[test]
fn a_key_file_without_an_address_tells_it_by_its_public_key() {
    let wallets = Wallets::practice();
    let public = hex::encode(address(PLAIN).as_bytes());
    wallets.put("bare", format!("{{\"publicKey\":\"0x{public}\",\"privateKey\":\"0x00\"}}").as_bytes());
    assert_eq!(wallets.find("bare").unwrap().hotkey, address(PLAIN));
}

#[test]
fn what_is_no_key_file_is_refused_without_a_word_of_its_content() {
    let wallets = Wallets::practice();
    let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    for content in [phrase, "{}", "{\"publicKey\":\"0xzz\"}", "[1]", "\u{1b}[2J"] {
        wallets.put("odd", content.as_bytes());
        assert!(matches!(wallets.refused("odd").0, WalletError::NoAddress(_)), "{content}");
    }
    wallets.put("odd", format!("{{\"ss58Address\":\"{}x\"}}", &PLAIN[1..]).as_bytes());
    assert!(matches!(wallets.refused("odd").0, WalletError::BadAddress { .. }));
    wallets.put("odd", &vec![b' '; usize::try_from(MAX_BYTES).unwrap() + 1]);
    assert!(matches!(wallets.refused("odd").0, WalletError::TooLarge { .. }));
    fs::create_dir(wallets.hotkey("folder")).unwrap();
    assert!(matches!(wallets.refused("folder").0, WalletError::NotAHotkeyFile(_)));
    rustix::fs::mkfifoat(rustix::fs::CWD, wallets.hotkey("pipe"), rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(wallets.refused("pipe").0, WalletError::NotAHotkeyFile(_)));
}

#[test]
fn a_name_is_never_a_path() {
    let wallets = Wallets::practice();
    for name in ["../coldkey", "..", ".", "", "a/b", "a\\b", "/etc/passwd", "a\0b", "a\nb", ".hidden"] {
        let hotkey = wallets.find(name);
        assert!(matches!(hotkey, Err(WalletError::NotAName(_))), "{name:?}: {hotkey:?}");
        let wallet = OwnHotkey::find(wallets.path(), name, "plain");
        assert!(matches!(wallet, Err(WalletError::NotAName(_))), "{name:?}: {wallet:?}");
    }
}

#[test]
fn the_coldkey_is_never_opened_not_even_through_a_link() {
    let wallets = Wallets::practice();
    let coldkey = wallets.path().join("practice/coldkey");
    fs::write(&coldkey, format!("{{\"ss58Address\":\"{PLAIN}\"}}")).unwrap();
    symlink(&coldkey, wallets.hotkey("sly")).unwrap();
    assert!(matches!(wallets.refused("sly").0, WalletError::NotAHotkeyFile(_)));
    symlink(wallets.hotkey("plain"), wallets.hotkey("linked")).unwrap();
    assert_eq!(wallets.find("linked").unwrap().hotkey, address(PLAIN), "other links are followed");
}

#[test]
fn a_missing_wallet_and_a_missing_hotkey_are_named_apart() {
    let wallets = Wallets::practice();
    let error = OwnHotkey::find(wallets.path(), "nobody", "plain").unwrap_err();
    assert!(matches!(error, WalletError::NoWallet { .. }) && error.to_string().contains("--wallet-path"), "{error}");
    let (error, text) = wallets.refused("nobody");
    assert!(matches!(error, WalletError::NoHotkey { .. }) && text.contains("--hotkey"), "{text}");
}

#[test]
fn a_hotkey_file_that_others_may_read_is_a_finding() {
    let wallets = Wallets::practice();
    for (mode, expected) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o700, 1)] {
        fs::set_permissions(wallets.hotkey("plain"), fs::Permissions::from_mode(mode)).unwrap();
        let findings = wallets.find("plain").unwrap().findings;
        assert_eq!(findings.len(), expected, "{mode:o}");
        assert!(findings.iter().all(|f| f.code == "hotkey_file_mode" && f.help.contains("chmod 600")));
    }
}

#[test]
fn a_folder_in_which_others_may_put_files_is_a_finding() {
    let wallets = Wallets::practice();
    let folder = wallets.path().join("practice/hotkeys");
    for (mode, expected) in [(0o700, 0), (0o755, 0), (0o775, 1), (0o777, 1)] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let findings = wallets.find("plain").unwrap().findings;
        assert_eq!(findings.len(), expected, "{mode:o}");
        assert!(findings.iter().all(|f| f.code == "hotkeys_folder_mode" && f.help.contains("chmod go-w")));
    }
    // The address of `encrypted` is not known, its modes are.
    for name in ["plain", "encrypted"] {
        fs::set_permissions(wallets.hotkey(name), fs::Permissions::from_mode(0o644)).unwrap();
        let listed = wallet::list(wallets.path(), |_| None).unwrap();
        let listed = listed.iter().find(|listed| listed.hotkey.as_str() == name).unwrap();
        let codes: Vec<_> = listed.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["hotkey_file_mode", "hotkeys_folder_mode"], "{name}");
    }
}

#[test]
fn an_address_in_place_of_a_name_is_watched() {
    let own = OwnHotkey::watched(PLAIN).unwrap();
    assert!(own.hotkey == address(PLAIN) && own.is_watch_only() && own.name.is_none());
    assert_eq!(OwnHotkey::watched("miner-1"), None);
    assert_eq!(OwnHotkey::watched(&PLAIN[..47]), None);
}

#[test]
fn an_address_a_name_and_what_is_missing_beside_a_name_are_told_apart() {
    let wallets = Wallets::practice();
    assert!(wallet::identify(None, None, PLAIN).unwrap().known().unwrap().is_watch_only());
    let found = wallet::identify(Some(wallets.path()), Some("practice"), "plain").unwrap();
    assert_eq!(found.known().unwrap(), wallets.find("plain").unwrap());
    let unnamed = wallet::identify(Some(wallets.path()), None, "plain").unwrap_err();
    assert!(matches!(unnamed, WalletError::WalletNotNamed(_)) && unnamed.to_string().contains("--wallet"), "{unnamed}");
    assert!(matches!(wallet::identify(None, Some("practice"), "plain"), Err(WalletError::NoFolder)));
}

#[test]
fn every_hotkey_is_listed_with_its_address_or_why_it_has_none() {
    let wallets = Wallets::practice();
    wallets.put("plainpub.txt", PLAIN.as_bytes());
    wallets.put("awaypub.txt", ENCRYPTED.as_bytes());
    fs::create_dir_all(wallets.path().join("empty")).unwrap();
    fs::write(wallets.path().join("stray-file"), "").unwrap();
    let listed = wallet::list(wallets.path(), |_| None).unwrap();
    let shown: Vec<_> = listed.iter().map(|l| (l.wallet.as_str(), l.hotkey.as_str(), l.address)).collect();
    let expected = [
        ("practice", "away", Some(address(ENCRYPTED))),
        ("practice", "ed25519", Some(address(ED25519))),
        ("practice", "encrypted", None),
        ("practice", "mnemonic", Some(address(MNEMONIC))),
        ("practice", "plain", Some(address(PLAIN))),
    ];
    assert_eq!(shown, expected);
    assert!(listed[2].problem.as_ref().unwrap().contains("encrypted (NaCl)"), "{:?}", listed[2]);
    let locks: Vec<_> = listed.iter().map(|l| l.lock).collect();
    assert_eq!(locks, [None, Some(Lock::Open), Some(Lock::Nacl), Some(Lock::Open), Some(Lock::Open)]);
    assert!(listed.iter().all(|l| l.findings.is_empty()), "{listed:?}");
    assert_eq!(wallet::list(&wallets.path().join("none"), |_| None).unwrap(), []);
}

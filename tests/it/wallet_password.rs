//! Where a password comes from when nobody types it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use grail_console::config::local;
use grail_console::domain::environment::Environment;
use grail_console::wallet::WalletError;
use grail_console::wallet::password::{MAX_BYTES, from_environment, from_file, from_reader};

use crate::wallet_unlock::PASSWORD;

fn of(bytes: &[u8]) -> Result<String, WalletError> {
    let read = from_reader(bytes).map(|secret| secret.expose().to_owned());
    if let Err(error) = &read {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("practice") && !text.contains("xxxx"), "{text}");
    }
    read
}

#[test]
fn one_line_ending_is_not_part_of_the_password() {
    for (bytes, expected) in [
        ("practice-password-1", PASSWORD),
        ("practice-password-1\n", PASSWORD),
        ("practice-password-1\r\n", PASSWORD),
        ("two\n\n", "two\n"),
        (" blanks stay \n", " blanks stay "),
        ("Grüße\r", "Grüße\r"),
    ] {
        assert_eq!(of(bytes.as_bytes()).unwrap(), expected);
    }
}

#[test]
fn what_is_no_password_is_refused_by_name() {
    for empty in ["", "\n", "\r\n"] {
        assert!(matches!(of(empty.as_bytes()), Err(WalletError::PasswordEmpty)));
    }
    assert!(matches!(of(b"practice\xff"), Err(WalletError::PasswordNotText { .. })));
    for ending in ["", "\n", "\r\n"] {
        let longest = "x".repeat(MAX_BYTES) + ending;
        assert_eq!(of(longest.as_bytes()).unwrap().len(), MAX_BYTES);
        let longer = "x".repeat(MAX_BYTES + 1) + ending;
        assert!(matches!(of(longer.as_bytes()), Err(WalletError::PasswordTooLong { .. })));
    }
    assert!(matches!(from_reader(std::io::repeat(b'x')), Err(WalletError::PasswordTooLong { .. })), "without end");
}

#[test]
fn a_password_file_that_others_may_read_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "practice-password-1\n").unwrap();
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (password, finding) = from_file(&path).unwrap();
        assert_eq!((password.expose(), finding.is_some()), (PASSWORD, warned), "{mode:o}");
        let text = format!("{password:?} {finding:?}");
        assert!(!text.contains(PASSWORD) && warned == text.contains("chmod 600"), "{text}");
    }
    for path in [folder.path().join("none"), folder.path().to_owned()] {
        let error = from_file(&path).unwrap_err();
        assert!(matches!(error, WalletError::PasswordUnreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_password_may_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_bits_truncate(0o644)).unwrap();
    let written = pipe.clone();
    let writer =
        thread::spawn(move || fs::File::options().write(true).open(written).unwrap().write_all(b"from a pipe\n"));
    let (password, finding) = from_file(&pipe).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!((password.expose(), finding), ("from a pipe", None));
}

/// Names and values as bittensor-wallet 4.1.1 makes them of a key file's path and a password.
const KEPT: [(&str, &str, &str, &str); 4] = [
    (
        "/home/miner/.bittensor/wallets/practice/hotkeys/encrypted",
        "BT_PW__HOME_MINER__BITTENSOR_WALLETS_PRACTICE_HOTKEYS_ENCRYPTED",
        "MiY+MyM2PC1iPSQsPj4hNzZybg==",
        PASSWORD,
    ),
    (
        "wallets/practice/hotkeys/encrypted",
        "BT_PW_WALLETS_PRACTICE_HOTKEYS_ENCRYPTED",
        "MiY+MyM2NCRhPCQnICg/ICVuZQ==",
        PASSWORD,
    ),
    (
        "/srv/Wallets.d/practice/hotkeys/hot.key-1",
        "BT_PW__SRV_WALLETS_D_PRACTICE_HOTKEYS_HOT_KEY-1",
        "MiY+MyM2PDZ/Jj4kMjsjNzB+bg==",
        PASSWORD,
    ),
    (
        // Longer than the name, and not ASCII.
        "/srv/straße/h",
        "BT_PW__SRV_STRASSE_H",
        "BSac7JTAOn9yOzYndB4kNiE/OiEhPDo+dzI2J3IaOjYmKCQ6MC06JmI5NiR3Ezo2ICw6Ojc6JD1zKDY8Yhg6NSUlOjoxPjo9dD8oJ3MJOi0wLjo5NDc6PXI7Nid0HiQ2IT86ISE8Oj53MjYncho6NiYoJDowLTomYjk2JHcTOjYgLDo6NzokPXM=",
        "Grüße, mit Leerzeichen mit Leerzeichen mit Leerzeichen mit Leerzeichen mit Leerzeichen mit Leerzeichen mit Leerzeichen mit Leerzeichen ",
    ),
];

#[test]
fn a_password_that_the_wallet_keeps_in_the_environment_is_uncovered() {
    for (path, name, value, expected) in KEPT {
        let environment: Environment = [(name, value)].into_iter().collect();
        let password = from_environment(&environment, Path::new(path)).unwrap().unwrap();
        assert_eq!(password.expose(), expected, "{path}");
        assert!(from_environment(&environment, Path::new("/elsewhere/hotkeys/encrypted")).is_none());
        let secrets = local::secrets(None, &environment);
        assert!(secrets.iter().any(|secret| secret.expose() == value), "kept out of every log");
    }
}

#[test]
fn a_variable_that_holds_no_password_is_named_without_its_value() {
    let (path, name, ..) = KEPT[0];
    // No base64, base64 without its end, what does not uncover to text.
    for value in ["practice-password-1", "MiY+MyM2PC1iPSQsPj4hNzZybg", "/////w=="] {
        let environment: Environment = [(name, value)].into_iter().collect();
        let error = from_environment(&environment, Path::new(path)).unwrap().unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(matches!(error, WalletError::PasswordVariable(_)) && text.contains("--password-file"), "{text}");
        assert!(!text.contains(value) && text.contains(path), "{text}");
    }
    for value in ["", "  "] {
        let environment: Environment = [(name, value)].into_iter().collect();
        assert!(from_environment(&environment, Path::new(path)).is_none(), "as if it were not set");
    }
}

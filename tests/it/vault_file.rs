//! The encrypted file against wrong keys, damage, planted links, full disks and other processes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use age::secrecy::SecretString;
use age::{Encryptor, scrypt, x25519};
use grail_console::domain::owner::Owner;
use grail_console::domain::secret::SecretKey;
use grail_console::state::atomic::PrivateDir;
use grail_console::vault::file::{FILE, FileStore, MAX_BYTES, locked_with_passphrase};
use grail_console::vault::{FileKey, Vault, VaultError, over_file};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::state_files::{again_under, child_dir};
use crate::support::house::says;
use crate::support::vault::{generation, owner, secret};

/// As little work as scrypt can do: what is tested here is not how slow it is.
const QUICK: u8 = 1;

fn passphrase(text: &str) -> FileKey {
    FileKey::Passphrase(SecretKey::new(text))
}

fn open(folder: &Path, key: FileKey) -> Result<Vault, VaultError> {
    FileStore::open(PrivateDir::open(&folder.join("vault")).unwrap(), key, QUICK).map(over_file)
}

fn file(folder: &Path) -> PathBuf {
    folder.join("vault").join(FILE)
}

/// A folder with a key file and a generation that it locks.
fn locked() -> (TempDir, FileKey) {
    let folder = tempfile::tempdir().unwrap();
    let key = made_key(folder.path(), "key");
    open(folder.path(), key.clone()).unwrap().put(&owner(), &generation(1)).unwrap();
    (folder, key)
}

fn made_key(folder: &Path, name: &str) -> FileKey {
    FileKey::generate(&folder.join(name)).unwrap();
    FileKey::KeyFile(folder.join(name))
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn what_is_put_comes_back_with_the_same_passphrase_or_key_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, key) in [("a", passphrase("correct horse")), ("b", made_key(folder.path(), "key"))] {
        let folder = folder.path().join(name);
        let vault = open(&folder, key.clone()).unwrap();
        assert_eq!(vault.get(&owner(), 1).unwrap(), None);
        assert!(!file(&folder).exists(), "the first key makes the file");
        vault.put(&owner(), &generation(1)).unwrap();
        vault.put(&owner(), &generation(2)).unwrap();
        drop(vault);
        let again = open(&folder, key).unwrap();
        assert_eq!(again.get(&owner(), 1).unwrap(), Some(generation(1)));
        assert!(again.remove(&owner(), 1).unwrap());
        assert!(!again.remove(&owner(), 1).unwrap());
        assert_eq!(again.get(&owner(), 1).unwrap(), None);
        assert_eq!(again.get(&owner(), 2).unwrap(), Some(generation(2)));
    }
}

#[test]
fn no_secret_is_readable_on_the_disk_or_in_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let key = passphrase("correct horse");
    let vault = open(folder.path(), key.clone()).unwrap();
    vault.put(&owner(), &generation(1)).unwrap();
    let dir = PrivateDir::open(&folder.path().join("vault")).unwrap();
    let shown = format!("{vault:?} {key:?} {:?}", FileStore::open(dir, key.clone(), QUICK).unwrap());
    assert!(!shown.contains("horse"), "{shown}");
    for entry in fs::read_dir(folder.path().join("vault")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for hidden in [secret(1, 'c'), secret(1, 'd'), "correct horse".to_owned(), owner().to_string()] {
            assert!(!bytes.windows(hidden.len()).any(|part| part == hidden.as_bytes()));
        }
    }
}

#[test]
fn a_file_s_key_is_asked_of_its_head() {
    let (folder, _) = locked();
    let dir = |name: &str| PrivateDir::open(&folder.path().join(name)).unwrap();
    assert_eq!(locked_with_passphrase(&dir("vault")).unwrap(), Some(false));
    assert_eq!(locked_with_passphrase(&dir("empty")).unwrap(), None);
    open(&folder.path().join("other"), passphrase("a")).unwrap().put(&owner(), &generation(1)).unwrap();
    assert_eq!(locked_with_passphrase(&dir("other/vault")).unwrap(), Some(true));
}

#[test]
fn a_wrong_passphrase_or_key_file_is_said_and_opens_nothing() {
    let (folder, _) = locked();
    let other = folder.path().join("passphrase");
    open(&other, passphrase("correct horse")).unwrap().put(&owner(), &generation(1)).unwrap();
    let wrong = made_key(folder.path(), "wrong");
    let table = [
        (open(folder.path(), wrong.clone()), "the key file is another one"),
        (open(folder.path(), passphrase("correct horse")), "Name the key file with --vault-key-file"),
        (open(&other, passphrase("correct horse ")), "the passphrase is another one"),
        (open(&other, passphrase("Correct horse")), "caps lock"),
        (open(&other, wrong), "Leave --vault-key-file away"),
    ];
    for (opened, words) in table {
        let error = opened.unwrap_err();
        assert!(matches!(error, VaultError::WrongKey { .. }), "{error:?}");
        says(&error.to_string(), &["the encrypted file does not open", words]);
        assert!(!error.to_string().contains("correct horse"));
    }
    assert!(matches!(open(&other, passphrase("")).unwrap_err(), VaultError::NeedsKey));
}

#[test]
fn a_key_file_must_be_there_be_one_and_be_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = made_key(folder.path(), "good");
    for (name, mode) in [("group", 0o640), ("world", 0o604), ("written", 0o620)] {
        fs::copy(at("good"), at(name)).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::create_dir(at("folder")).unwrap();
    let write = |name: &str, text: &[u8]| {
        fs::write(at(name), text).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("empty", b"");
    write("comments", b"# public key: age1\n\n");
    write("env", b"R2_WRITE_SECRET_ACCESS_KEY=5e5e5e5e\n");
    write("binary", &[0xff; 100]);
    write("huge", &vec![b'#'; 20_000]);
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let table = [
        ("missing", "does not exist"),
        ("group", "has mode 0640"),
        ("world", "has mode 0604"),
        ("written", "has mode 0620"),
        ("folder", "is no regular file"),
        ("pipe", "is no regular file"),
        ("empty", "is no age identity file"),
        ("comments", "is no age identity file"),
        ("env", "is no age identity file"),
        ("binary", "is no age identity file"),
        ("huge", "is larger than any key file"),
    ];
    for (name, words) in table {
        let error = open(folder.path(), FileKey::KeyFile(at(name))).unwrap_err();
        assert!(matches!(error, VaultError::WrongKey { .. }), "{name}: {error:?}");
        says(&error.to_string(), &[at(name).to_str().unwrap(), words, "age-keygen"]);
        assert!(!error.to_string().contains("5e5e5e5e"));
    }
    open(folder.path(), good).unwrap();
}

#[test]
fn a_key_file_is_made_closed_and_never_over_another() {
    const TEST: &str = "vault_file::a_key_file_is_made_closed_and_never_over_another";
    let Some(folder) = child_dir() else {
        let folder = tempfile::tempdir().unwrap();
        return again_under(TEST, "umask 000; exec {}", folder.path());
    };
    let path = folder.join("key");
    FileKey::generate(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    let before = fs::read(&path).unwrap();
    let error = FileKey::generate(&path).unwrap_err();
    says(&error, &["is there already"]);
    symlink(folder.join("elsewhere"), folder.join("link")).unwrap();
    FileKey::generate(&folder.join("link")).unwrap_err();
    FileKey::generate(&folder.join("no/such/folder")).unwrap_err();
    assert!(fs::read(&path).unwrap() == before && !folder.join("elsewhere").exists());
    let text = String::from_utf8(before).unwrap();
    let key = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap();
    let public = key.parse::<x25519::Identity>().unwrap().to_public();
    says(&text, &[&format!("# public key: {public}")]);
}

#[test]
fn a_file_that_is_cut_short_is_damaged_at_every_length() {
    let (folder, key) = locked();
    let whole = fs::read(file(folder.path())).unwrap();
    for length in 0..whole.len() {
        fs::write(file(folder.path()), &whole[..length]).unwrap();
        let error = open(folder.path(), key.clone()).unwrap_err();
        assert!(matches!(error, VaultError::FileDamaged { .. }), "{length} bytes: {error:?}");
    }
    fs::write(file(folder.path()), &whole).unwrap();
    assert_eq!(open(folder.path(), key).unwrap().get(&owner(), 1).unwrap(), Some(generation(1)));
}

#[test]
fn each_byte_that_is_changed_is_noticed() {
    let (folder, key) = locked();
    let whole = fs::read(file(folder.path())).unwrap();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(file(folder.path()), &changed).unwrap();
        let error = open(folder.path(), key.clone()).unwrap_err();
        assert!(matches!(error, VaultError::FileDamaged { .. } | VaultError::WrongKey { .. }), "{at}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// With a passphrase, the head holds salt and work too: neither may make it open as something else, or work for ever.
    #[test]
    fn one_changed_byte_never_gives_other_keys(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), passphrase("p")).unwrap().put(&owner(), &generation(1)).unwrap();
        let mut bytes = fs::read(file(folder.path())).unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        fs::write(file(folder.path()), &bytes).unwrap();
        let opened = open(folder.path(), passphrase("p"));
        prop_assert!(
            matches!(opened, Err(VaultError::FileDamaged { .. } | VaultError::WrongKey { .. })),
            "byte {} became {}: {:?}", at, to, opened
        );
    }
}

/// Writes an age file of somebody else's making.
fn forge(folder: &Path, content: &[u8], recipient: &dyn age::Recipient) {
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let mut out = encryptor.wrap_output(Vec::new()).unwrap();
    std::io::Write::write_all(&mut out, content).unwrap();
    let sealed = out.finish().unwrap();
    PrivateDir::open(&folder.join("vault")).unwrap().write(FILE, &sealed).unwrap();
}

#[test]
fn a_newer_console_s_file_is_left_to_it_and_another_program_s_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipient = scrypt::Recipient::new(SecretString::from("p".to_owned()));
    recipient.set_work_factor(QUICK);
    forge(folder.path(), br#"{"v":2,"vaults":[]}"#, &recipient);
    let before = fs::read(file(folder.path())).unwrap();
    let error = open(folder.path(), passphrase("p")).unwrap_err();
    assert!(matches!(error, VaultError::FileNewer(2)), "{error:?}");
    says(&error.to_string(), &["newer console (version 2)"]);
    assert_eq!(fs::read(file(folder.path())).unwrap(), before);
    for content in [&b""[..], b"{}", b"my passwords", br#"{"v":1,"keys":{"a":"not base64!"}}"#] {
        forge(folder.path(), content, &recipient);
        let error = open(folder.path(), passphrase("p")).unwrap_err();
        says(&error.to_string(), &["is damaged", "not of this console"]);
    }
}

#[test]
fn a_head_that_asks_for_endless_work_is_refused_without_doing_it() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), passphrase("p")).unwrap().put(&owner(), &generation(1)).unwrap();
    let bytes = fs::read(file(folder.path())).unwrap();
    let end = bytes.windows(5).position(|part| part == b"\n--- ").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    for work in ["21", "40", "63"] {
        let greedy = head.replacen(&format!(" {QUICK}\n"), &format!(" {work}\n"), 1);
        assert_ne!(greedy, head);
        fs::write(file(folder.path()), [greedy.as_bytes(), &bytes[end..]].concat()).unwrap();
        let error = open(folder.path(), passphrase("p")).unwrap_err();
        says(&error.to_string(), &["is damaged", "more work"]);
    }
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let (folder, key) = locked();
    let size = usize::try_from(MAX_BYTES).unwrap() + 1;
    fs::write(file(folder.path()), vec![b'a'; size]).unwrap();
    let error = open(folder.path(), key).unwrap_err();
    assert!(matches!(error, VaultError::File(_)), "{error:?}");
    says(&error.to_string(), &["1048577 bytes"]);
}

#[test]
fn a_planted_link_is_neither_followed_nor_replaced() {
    for planted in [FILE, "keys.age.lock"] {
        let (folder, key) = locked();
        let vault = open(folder.path(), key.clone()).unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let place = folder.path().join("vault").join(planted);
        fs::remove_file(&place).unwrap();
        symlink(&victim, &place).unwrap();
        let error = vault.put(&owner(), &generation(2)).unwrap_err();
        assert!(matches!(error, VaultError::File(_)), "{error:?}");
        says(&error.to_string(), &["not a regular file", "Remove it"]);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}

#[test]
fn files_are_0600_whatever_the_umask() {
    const TEST: &str = "vault_file::files_are_0600_whatever_the_umask";
    let Some(folder) = child_dir() else {
        for umask in ["000", "077"] {
            let folder = tempfile::tempdir().unwrap();
            again_under(TEST, &format!("umask {umask}; exec {{}}"), folder.path());
        }
        return;
    };
    open(&folder, passphrase("p")).unwrap().put(&owner(), &generation(1)).unwrap();
    for entry in fs::read_dir(folder.join("vault")).unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&entry), 0o600, "{}", entry.display());
    }
    assert_eq!(mode(&folder.join("vault")), 0o700);
}

#[test]
fn a_full_disk_leaves_the_old_keys_and_says_so() {
    const TEST: &str = "vault_file::a_full_disk_leaves_the_old_keys_and_says_so";
    let Some(folder) = child_dir() else {
        // A limit that the file meets with its second key fails the same write half-way as a disk without room.
        let folder = tempfile::tempdir().unwrap();
        again_under(TEST, "trap '' XFSZ; ulimit -f 4; exec {}", folder.path());
        let mounted = tempfile::tempdir().unwrap();
        let path = mounted.path().display();
        if crate::state_files::may_mount() {
            let script = format!("mount -t tmpfs -o size=12k,mode=0700 none '{path}' && exec {{}}");
            again_under(TEST, &format!("exec unshare -m sh -c \"{script}\""), mounted.path());
        }
        return;
    };
    let vault = open(&folder, passphrase("p")).unwrap();
    let mut kept = 0;
    let error = loop {
        match vault.put(&owner(), &generation(kept + 1)) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the disk never filled");
    };
    assert!(kept > 0, "{error:?}");
    assert!(matches!(error, VaultError::File(_)), "{error:?}");
    says(&error.to_string(), &["no room", "Free some space"]);
    let again = open(&folder, passphrase("p")).unwrap();
    for number in 1..=kept {
        assert_eq!(again.get(&owner(), number).unwrap(), Some(generation(number)));
    }
    assert_eq!(again.get(&owner(), kept + 1).unwrap(), None);
    let left = fs::read_dir(folder.join("vault")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".unfinished")));
}

#[test]
fn two_processes_that_write_at_once_lose_nothing() {
    const TEST: &str = "vault_file::two_processes_that_write_at_once_lose_nothing";
    const EACH: u64 = 12;
    let of = |netuid| Owner { netuid, ..owner() };
    if let Some(folder) = child_dir() {
        let netuid = folder.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let vault = open(folder.parent().unwrap(), FileKey::KeyFile(folder.with_file_name("key"))).unwrap();
        for number in 1..=EACH {
            vault.put(&of(netuid), &generation(number)).unwrap();
            if number % 3 == 0 {
                assert!(vault.remove(&of(netuid), number).unwrap());
            }
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let key = made_key(folder.path(), "key");
    let before = open(folder.path(), key).unwrap();
    let root = Arc::new(folder.path().to_owned());
    let writers = [1_u16, 2, 3].map(|netuid| {
        let root = Arc::clone(&root);
        thread::spawn(move || again_under(TEST, "exec {}", &root.join(netuid.to_string())))
    });
    for writer in writers {
        writer.join().unwrap();
    }
    for (netuid, number) in [1, 2, 3].into_iter().flat_map(|netuid| (1..=EACH).map(move |number| (netuid, number))) {
        let expected = (number % 3 != 0).then(|| generation(number));
        assert_eq!(before.get(&of(netuid), number).unwrap(), expected, "a file that changed on disk is read anew");
    }
}

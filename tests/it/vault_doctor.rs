//! `doctor` and the vault: which store holds what, whether it can be read, and no secret in it.

use std::fs;
use std::path::{Path, PathBuf};

use grail_console::config::Flags;
use grail_console::domain::environment::Environment;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::Backend;
use grail_console::ops::context::Context;
use grail_console::ops::vault::{OpenVault, open};
use grail_console::vault::{FileKey, file::FILE};
use serde_json::{Value, json};

use crate::cli_doctor::finding;
use crate::cli_status::path;
use crate::support::house::{House, Ran, is_plain, says};
use crate::support::vault::{FINNEY, generation, owner, secret};
use crate::tui_fixtures::hotkey;

/// A house whose vault is an encrypted file with a key file, and holds generations 1 and 2, the second one in use.
struct Safe {
    house: House,
    key: PathBuf,
}

impl Safe {
    fn new() -> Self {
        let house = House::new();
        let key = house.path("home/vault.key");
        FileKey::generate(&key).unwrap();
        let safe = Self { house, key };
        safe.fill(&Flags { vault_key_file: Some(safe.key.clone()), ..Flags::default() }, None);
        safe
    }

    /// The same with a passphrase, which takes as long as it takes.
    fn with_passphrase(passphrase: &str) -> Self {
        let house = House::new();
        let safe = Self { key: house.write("home/passphrase", format!("{passphrase}\n")), house };
        safe.fill(&Flags::default(), Some(SecretKey::new(passphrase)));
        safe
    }

    fn fill(&self, flags: &Flags, passphrase: Option<SecretKey>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut opened = self.open(flags, passphrase).await;
            for number in [1, 2] {
                opened.put(generation(number)).await.unwrap();
            }
            opened.promote(2).await.unwrap();
        });
    }

    async fn open(&self, flags: &Flags, passphrase: Option<SecretKey>) -> OpenVault {
        let flags = Flags { vault: Some(Backend::File), hotkey: Some(hotkey(42).to_string()), ..flags.clone() };
        let environment: Environment = self.house.environment().into_iter().collect();
        open(&Context::load(&flags, &environment).unwrap(), passphrase).await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.house.state().join("vault").join(FILE)
    }

    fn doctor(&self, more: &[&str]) -> Ran {
        let hotkey = hotkey(42).to_string();
        let mut arguments = vec!["doctor", "--offline", "--hotkey", &hotkey];
        arguments.extend(more);
        let ran = self.house.run(arguments);
        for hidden in [secret(1, 'c'), secret(1, 'd'), secret(2, 'c'), secret(2, 'd')] {
            assert!(!ran.stdout.contains(&hidden) && !ran.stderr.contains(&hidden));
        }
        ran
    }

    fn with_key(&self, more: &[&str]) -> Ran {
        let key = path(&self.key);
        self.doctor(&[&["--vault-key-file", &key], more].concat())
    }
}

fn kept(document: &Value) -> Vec<&Value> {
    document["vault"]["generations"].as_array().unwrap().iter().map(|line| &line["kept"]).collect()
}

#[test]
fn it_lists_the_generations_with_their_store_and_reads_each() {
    let safe = Safe::new();
    let text = safe.with_key(&[]).exits(0).stdout;
    let fingerprint = generation(2).read.unwrap().secret.fingerprint().short();
    says(&text, &["Vault", "store", "file", "✓ reachable", "generation 1", "generation 2", "● in use", "✓ kept"]);
    says(&text, &[&path(&safe.file()), &fingerprint, "imported 2023-11-14", "index of the vault"]);
    is_plain(&text);
    let document = safe.with_key(&["--json"]).exits(0).json();
    let vault = &document["vault"];
    assert_eq!(
        (&vault["backend"], &vault["reachable"], &vault["problem"]),
        (&json!("file"), &json!(true), &json!(null))
    );
    let second = &vault["generations"][1];
    assert_eq!((&second["generation"], &second["in_use"]), (&json!(2), &json!(true)));
    assert_eq!((&second["backend"], &second["origin"]), (&json!("file"), &json!("imported")));
    assert_eq!(kept(&document), [&json!(true), &json!(true)]);
    let index = format!("{}-81-{}.json", &FINNEY[..8], owner().hotkey);
    says(vault["index"].as_str().unwrap(), &[&index]);
}

#[test]
fn the_file_is_the_store_because_it_holds_the_keys_in_use_and_the_flag_says_where_it_was_named() {
    let safe = Safe::new();
    let document = safe.with_key(&["--json"]).exits(0).json();
    assert_eq!((&document["vault"]["backend"], &document["vault"]["source"]), (&json!("file"), &json!(null)));
    let document = safe.with_key(&["--json", "--vault", "file"]).exits(0).json();
    assert_eq!(document["vault"]["source"], "--vault");
    let setting = document["settings"].as_array().unwrap().iter().find(|line| line["name"] == "vault").unwrap();
    assert_eq!((&setting["value"], &setting["source"]), (&json!("file"), &json!("--vault")));
}

#[test]
fn without_its_key_the_file_is_not_asked_and_that_is_no_finding() {
    let safe = Safe::new();
    let document = safe.doctor(&["--json"]).exits(0).json();
    assert_eq!(document["vault"]["reachable"], json!(null));
    says(document["vault"]["problem"].as_str().unwrap(), &["not asked", "--vault-key-file"]);
    assert_eq!(kept(&document), [&json!(null), &json!(null)]);
    says(&safe.doctor(&[]).exits(0).stdout, &["not asked", "not read"]);
}

#[test]
fn a_passphrase_comes_from_its_file_and_a_wrong_one_is_a_finding() {
    let safe = Safe::with_passphrase("correct horse");
    let file = path(&safe.key);
    let document = safe.doctor(&["--json", "--vault-passphrase-file", &file]).exits(0).json();
    assert_eq!(kept(&document), [&json!(true), &json!(true)]);
    let other = path(&safe.house.write("home/other", "wrong horse\n"));
    let document = safe.doctor(&["--json", "--vault-passphrase-file", &other]).exits(1).json();
    assert_eq!(document["vault"]["reachable"], json!(false));
    let wrong = finding(&document, "vault_wrong_key");
    says(wrong["summary"].as_str().unwrap(), &["The encrypted file does not open", "the passphrase is another one"]);
    assert!(!document.to_string().contains("horse"));
    let missing = safe.doctor(&["--vault-passphrase-file", "/none"]).exits(6);
    says(&missing.stdout, &["/none", "No such file", "Findings"]);
}

#[test]
fn a_file_that_is_away_or_damaged_is_a_finding_with_what_to_do() {
    let safe = Safe::new();
    let whole = fs::read(safe.file()).unwrap();
    fs::write(safe.file(), &whole[..whole.len() / 2]).unwrap();
    let document = safe.with_key(&["--json"]).exits(1).json();
    let damaged = finding(&document, "vault_damaged");
    says(damaged["help"].as_str().unwrap(), &["Put a copy of the file back"]);
    fs::remove_file(safe.file()).unwrap();
    let document = safe.with_key(&["--json"]).exits(1).json();
    assert_eq!((&document["vault"]["reachable"], kept(&document)), (&json!(true), vec![&json!(false), &json!(false)]));
    let gone = document["findings"].as_array().unwrap();
    assert_eq!(gone.iter().filter(|finding| finding["code"] == "vault_generation_gone").count(), 2);
    says(&safe.with_key(&[]).exits(1).stdout, &["✗ cannot be read", "where it was put"]);
}

#[test]
fn an_index_that_is_gone_or_makes_no_sense_is_named_and_derived_again_once_the_store_is_open() {
    let safe = Safe::new();
    let index = safe.house.state().join("vault").join(format!("{}-81-{}.json", &FINNEY[..8], owner().hotkey));
    let whole = fs::read_to_string(&index).unwrap();
    let damages: [fn(&Path); 3] = [
        |file| fs::remove_file(file).unwrap(),
        |file| fs::write(file, "{\"v\":1").unwrap(),
        |file| fs::write(file, vec![b' '; 2 << 20]).unwrap(),
    ];
    for damage in damages {
        damage(&index);
        let document = safe.doctor(&["--json"]).exits(1).json();
        let named = finding(&document, "vault_index_incomplete");
        says(named["help"].as_str().unwrap(), &["keys list --check", "derived again"]);
        assert!(fs::read_to_string(&index).ok() != Some(whole.clone()), "nothing is derived while the store is closed");
        let document = safe.with_key(&["--json", "--vault", "file"]).exits(1).json();
        let derived = finding(&document, "vault_index_derived");
        says(derived["summary"].as_str().unwrap(), &["derived again: generation 1, 2"]);
        says(derived["cause"].as_str().unwrap(), &["Fingerprints of keys that were removed", "lost"]);
        assert_eq!(kept(&document), [&json!(true), &json!(true)]);
        assert_eq!(fs::read_to_string(&index).unwrap(), whole);
        safe.with_key(&["--json", "--vault", "file"]).exits(0);
    }
}

#[test]
fn a_machine_without_any_store_and_without_keys_has_nothing_to_complain_about() {
    let house = House::new().with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none");
    let ran = house.run(["doctor", "--offline", "--json", "--hotkey", &hotkey(42).to_string()]).exits(0);
    let document = ran.json();
    assert_eq!(
        (&document["vault"]["reachable"], &document["vault"]["backend"]),
        (&json!(false), &json!("secret-service"))
    );
    says(document["vault"]["problem"].as_str().unwrap(), &["--vault file"]);
    let named =
        house.run(["doctor", "--offline", "--json", "--hotkey", &hotkey(42).to_string(), "--vault", "secret-service"]);
    finding(&named.exits(1).json(), "vault_missing");
}

#[test]
fn without_a_hotkey_nobody_is_asked() {
    let document = House::new().run(["doctor", "--offline", "--json"]).exits(0).json();
    assert_eq!(document["vault"]["reachable"], json!(null));
    says(document["vault"]["problem"].as_str().unwrap(), &["no hotkey is configured"]);
}

#[test]
fn a_store_is_contacted_by_doctor_alone() {
    let bus = std::os::unix::net::UnixListener::bind(tempfile::tempdir().unwrap().keep().join("bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let address = bus.local_addr().unwrap();
    let address = format!("unix:path={}", address.as_pathname().unwrap().display());
    let house = House::new().with("DBUS_SESSION_BUS_ADDRESS", &address);
    let hotkey = hotkey(42).to_string();
    let away = ["--endpoint", "ws://127.0.0.1:9", "--hotkey", &hotkey];
    for command in [&["status"][..], &["visible"], &["commit", "--dry-run"], &["show", "42"]] {
        house.run([command, &away].concat());
        assert!(bus.accept().is_err(), "{command:?} asked the keyring");
    }
    fs::remove_dir_all(Path::new(address.strip_prefix("unix:path=").unwrap()).parent().unwrap()).unwrap();
}

#[test]
fn a_name_that_is_no_store_is_refused_with_the_names() {
    let ran = House::new().run(["doctor", "--offline", "--vault", "plain-text"]).exits(2);
    says(&ran.stderr, &["secret-service, keychain, credential-manager, file, keyutils"]);
}

/// What an address makes the library run would have run by then, and what it reaches have been reached.
#[test]
fn only_a_bus_at_a_socket_of_this_machine_is_connected_to() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let ran = tempfile::tempdir().unwrap();
    let marker = ran.path().join("ran");
    let touch = format!("unixexec:path=/usr/bin/touch,argv1={}", marker.display());
    let hotkey = hotkey(42).to_string();
    for (address, kind) in [
        (touch.clone(), "unixexec"),
        (format!("tcp:host=127.0.0.1,port={port}"), "tcp"),
        (format!("nonce-tcp:host=127.0.0.1,port={port},noncefile=/etc/hostname"), "nonce-tcp"),
        ("autolaunch:".to_owned(), "autolaunch"),
        ("ibus:".to_owned(), "ibus"),
        (format!("unix:path=/none;{touch}"), "unixexec"),
        (" unix:path=/none".to_owned(), "unix"),
        (String::new(), ""),
    ] {
        let house = House::new().with("DBUS_SESSION_BUS_ADDRESS", &address).with("PATH", "/usr/bin:/bin");
        let doctor = ["doctor", "--offline", "--json", "--hotkey", &hotkey, "--vault", "secret-service"];
        let document = house.run(doctor).exits(1).json();
        let told = finding(&document, "vault_denied");
        says(
            told["summary"].as_str().unwrap(),
            &["DBUS_SESSION_BUS_ADDRESS", kind, "only a socket of this machine (unix:)"],
        );
        says(told["help"].as_str().unwrap(), &["Unset DBUS_SESSION_BUS_ADDRESS", "--vault file"]);
        assert!(!marker.exists(), "{address} was run");
        assert!(listener.accept().is_err(), "{address} was connected to");
    }
}

//! The real Secret Service: gnome-keyring on a session bus of its own, locked, dismissed, silent, forbidden and absent.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use grail_console::config::Flags;
use grail_console::domain::vault_index::Backend;
use grail_console::ops::vault::{VaultProblem, open, open_within};
use grail_console::vault::{self, Opening, Vault, VaultError};
use secret_service::EncryptionType;
use secret_service::blocking::SecretService;
use serde_json::{Value, json};

use crate::state_files::{again_under, child_dir};
use crate::support::DEADLINE;
use crate::support::house::says;
use crate::support::operator::Operator;
use crate::support::rotating::{NEW, OLD, Rotating};
use crate::support::vault::{context, generation, owner, secret};

/// Starts the keyring, open and with a default collection.
const KEYRING: &str = "printf practice | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1;";

/// A session bus: what may be started on it, and what is forbidden.
struct Bus {
    services: Vec<(&'static str, &'static str)>,
    policy: &'static str,
}

impl Bus {
    /// On which nothing is started by itself.
    fn bare() -> Self {
        Self { services: Vec::new(), policy: "" }
    }

    /// On which a program is started when somebody asks for its name.
    fn starting(mut self, name: &'static str, program: &'static str) -> Self {
        self.services.push((name, program));
        self
    }

    fn forbidding(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    /// Runs a test again on this bus, after some shell commands.
    fn run(self, test: &str, before: &str) {
        for program in ["dbus-run-session", "gnome-keyring-daemon"] {
            let there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
            assert!(
                there.status.success(),
                "{program} is missing, and this test needs a real keyring. Install it: apt-get install \
                 --no-install-recommends dbus gnome-keyring"
            );
        }
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let config = self.write(home);
        let (home, config) = (home.display(), config.display());
        let script = format!(
            "export HOME='{home}' XDG_RUNTIME_DIR='{home}' XDG_DATA_HOME='{home}/data'; unset DISPLAY WAYLAND_DISPLAY; \
             exec dbus-run-session --config-file '{config}' -- sh -c '{before} exec \"$0\" \"$@\"' {{}}"
        );
        again_under(test, &script, dir.path());
    }

    fn write(&self, home: &Path) -> std::path::PathBuf {
        let services = home.join("services");
        fs::create_dir(&services).unwrap();
        for (name, program) in &self.services {
            let text = format!("[D-BUS Service]\nName={name}\nExec={program}\n");
            fs::write(services.join(format!("{name}.service")), text).unwrap();
        }
        let config = home.join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:dir={}</listen><servicedir>{}</servicedir>\
             <policy context=\"default\"><allow send_destination=\"*\"/><allow receive_sender=\"*\"/>\
             <allow own=\"*\"/>{}</policy>\
             <limit name=\"service_start_timeout\">60000</limit></busconfig>",
            home.display(),
            services.display(),
            self.policy
        );
        fs::write(&config, text).unwrap();
        config
    }
}

fn secret_service() -> Result<Vault, VaultError> {
    vault::open(Opening::SecretService)
}

/// The same once the keyring, which goes into the background when it is started, is on the bus.
fn started() -> Vault {
    eventually(|| secret_service().is_ok());
    secret_service().unwrap()
}

fn lock_everything() {
    let service = SecretService::connect(EncryptionType::Plain).unwrap();
    for collection in service.get_all_collections().unwrap() {
        collection.lock().unwrap();
    }
}

#[test]
fn keys_are_put_read_and_removed() {
    if child_dir().is_none() {
        return Bus::bare().run("vault_secret_service::keys_are_put_read_and_removed", KEYRING);
    }
    let vault = started();
    assert_eq!((vault.backend(), format!("{vault:?}").as_str()), (Backend::SecretService, "Vault(secret-service)"));
    assert_eq!(vault.get(&owner(), 1).unwrap(), None);
    vault.put(&owner(), &generation(1)).unwrap();
    vault.put(&owner(), &generation(2)).unwrap();
    assert_eq!(vault.get(&owner(), 1).unwrap(), Some(generation(1)));
    let another = secret_service().unwrap();
    assert_eq!(another.get(&owner(), 2).unwrap(), Some(generation(2)));
    let other = generation(3);
    let error = vault.put(&owner(), &vault::Generation { number: 2, ..other }).unwrap_err();
    assert!(matches!(error, VaultError::Occupied { number: 2, .. }), "{error:?}");
    assert!(vault.remove(&owner(), 1).unwrap());
    assert!(!vault.remove(&owner(), 1).unwrap());
    assert_eq!(another.get(&owner(), 1).unwrap(), None);
}

#[test]
fn people_who_look_into_the_keyring_see_the_documented_name_and_nothing_secret_beside_it() {
    const TEST: &str = "vault_secret_service::\
                        people_who_look_into_the_keyring_see_the_documented_name_and_nothing_secret_beside_it";
    let Some(home) = child_dir() else { return Bus::bare().run(TEST, KEYRING) };
    started().put(&owner(), &generation(1)).unwrap();
    let service = SecretService::connect(EncryptionType::Dh).unwrap();
    let found = service.search_items([("service", "grail-console")].into()).unwrap();
    let [item] = &found.unlocked[..] else { panic!("{} items", found.unlocked.len()) };
    assert_eq!(item.get_label().unwrap(), format!("grail-console/{}/1", owner()));
    assert!(!format!("{:?}", item.get_attributes().unwrap()).contains(&secret(1, 'd')));
    // It is written a moment later, beside the file that it replaces.
    let on_disk = || -> Vec<Vec<u8>> {
        let found = fs::read_dir(home.join("data/keyrings")).into_iter().flatten();
        found.filter_map(|file| fs::read(file.ok()?.path()).ok()).collect()
    };
    let hidden = secret(1, 'd');
    eventually(|| on_disk().iter().any(|file| file.len() > hidden.len()));
    for file in on_disk() {
        assert!(!file.windows(hidden.len()).any(|part| part == hidden.as_bytes()), "the keyring is encrypted");
    }
}

#[test]
fn a_locked_keyring_is_named_and_what_is_in_it_stays() {
    const TEST: &str = "vault_secret_service::a_locked_keyring_is_named_and_what_is_in_it_stays";
    if child_dir().is_none() {
        // Somebody asks, and is dismissed.
        return Bus::bare().starting("org.gnome.keyring.SystemPrompter", "/bin/false").run(TEST, KEYRING);
    }
    let vault = started();
    vault.put(&owner(), &generation(1)).unwrap();
    lock_everything();
    let errors = [
        vault.get(&owner(), 1).unwrap_err(),
        vault.put(&owner(), &generation(2)).unwrap_err(),
        vault.remove(&owner(), 1).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, VaultError::Locked { .. }), "{error:?}");
        says(&error.to_string(), &["the Secret Service is locked", "Unlock it", "over ssh", "--vault file"]);
    }
    log_in_again();
    let vault = secret_service().unwrap();
    assert_eq!(vault.get(&owner(), 1).unwrap(), Some(generation(1)));
    assert_eq!(vault.get(&owner(), 2).unwrap(), None);
}

/// Another keyring, open, over the same files: waits until it has taken over.
fn log_in_again() {
    let keyring = KEYRING.replace("--unlock", "--replace --unlock");
    assert!(Command::new("sh").args(["-c", &keyring]).status().unwrap().success());
    eventually(|| matches!(secret_service().and_then(|vault| vault.get(&owner(), 1)), Ok(Some(_))));
}

fn eventually(holds: impl Fn() -> bool) {
    let patience = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < patience, "it never came to hold");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_question_that_nobody_answers_is_waited_for_only_so_long() {
    const TEST: &str = "vault_secret_service::a_question_that_nobody_answers_is_waited_for_only_so_long";
    let Some(home) = child_dir() else {
        return Bus::bare().starting("org.gnome.keyring.SystemPrompter", "/bin/sleep 6").run(TEST, KEYRING);
    };
    started();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let context = context(&home, Flags::default());
        let mut opened = open_within(&context, None, Duration::from_secs(2)).await.unwrap();
        opened.put(generation(1)).await.unwrap();
        tokio::task::spawn_blocking(lock_everything).await.unwrap();
        let problem = opened.generation(1).await.unwrap_err();
        assert!(matches!(problem, VaultProblem::Vault(VaultError::NoAnswer { seconds: 2, .. })), "{problem:?}");
        let finding = problem.finding();
        says(&finding.summary, &["The Secret Service did not answer within 2 s"]);
        says(&finding.help, &["question on the desktop", "over ssh", "--vault file"]);
        assert_eq!(finding.code, "vault_no_answer");
    });
    // What waits for an answer must not be waited for.
    runtime.shutdown_background();
}

#[test]
fn a_session_without_a_bus_says_what_to_do_on_a_host_without_a_desktop() {
    const TEST: &str = "vault_secret_service::a_session_without_a_bus_says_what_to_do_on_a_host_without_a_desktop";
    let Some(_) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = format!(
            "export XDG_RUNTIME_DIR='{0}/none' DBUS_SESSION_BUS_ADDRESS='unix:path={0}/none'; exec {{}}",
            dir.path().display()
        );
        return again_under(TEST, &nowhere, dir.path());
    };
    is_missing(&secret_service().unwrap_err());
}

#[test]
fn a_bus_on_which_nobody_keeps_secrets_is_the_same() {
    const TEST: &str = "vault_secret_service::a_bus_on_which_nobody_keeps_secrets_is_the_same";
    if child_dir().is_none() {
        return Bus::bare().run(TEST, "");
    }
    is_missing(&secret_service().unwrap_err());
}

#[test]
fn a_keyring_that_cannot_be_started_is_the_same() {
    const TEST: &str = "vault_secret_service::a_keyring_that_cannot_be_started_is_the_same";
    if child_dir().is_none() {
        return Bus::bare().starting("org.freedesktop.secrets", "/bin/false").run(TEST, "");
    }
    is_missing(&secret_service().unwrap_err());
}

fn is_missing(error: &VaultError) {
    assert!(matches!(error, VaultError::Missing { .. }), "{error:?}");
    let text = error.to_string();
    says(
        &text,
        &["the Secret Service cannot be reached", "host without a desktop", "--vault file", "start its keyring"],
    );
    assert_eq!(error.code(), "vault_missing");
}

#[test]
fn a_keyring_that_ends_meanwhile_is_missing_and_one_that_came_back_is_used_again() {
    const TEST: &str = "vault_secret_service::\
                        a_keyring_that_ends_meanwhile_is_missing_and_one_that_came_back_is_used_again";
    let Some(home) = child_dir() else {
        let kept = "printf practice | gnome-keyring-daemon --unlock --foreground --components=secrets >/dev/null 2>&1 & \
                    echo $! > \"$HOME/pid\";";
        return Bus::bare().run(TEST, kept);
    };
    let vault = started();
    vault.put(&owner(), &generation(1)).unwrap();
    let pid = fs::read_to_string(home.join("pid")).unwrap();
    assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
    eventually(|| secret_service().is_err());
    is_missing(&vault.get(&owner(), 1).unwrap_err());
    log_in_again();
    assert_eq!(secret_service().unwrap().get(&owner(), 1).unwrap(), Some(generation(1)), "it was on disk");
}

#[test]
fn a_bus_that_forbids_it_is_named_as_a_refusal() {
    const TEST: &str = "vault_secret_service::a_bus_that_forbids_it_is_named_as_a_refusal";
    if child_dir().is_none() {
        let forbidden =
            "<deny send_destination=\"org.freedesktop.secrets\" send_interface=\"org.freedesktop.Secret.Service\"/>";
        return Bus::bare().forbidding(forbidden).run(TEST, KEYRING);
    }
    eventually(|| matches!(secret_service(), Err(VaultError::Denied { .. })));
    let error = secret_service().unwrap_err();
    says(&error.to_string(), &["the Secret Service refuses", "Allow it"]);
}

#[test]
fn a_keyring_without_a_default_collection_says_how_to_make_one() {
    const TEST: &str = "vault_secret_service::a_keyring_without_a_default_collection_says_how_to_make_one";
    if child_dir().is_none() {
        let fresh = "/usr/bin/gnome-keyring-daemon --start --foreground --components=secrets";
        return Bus::bare().starting("org.freedesktop.secrets", fresh).run(TEST, "");
    }
    let vault = secret_service().unwrap();
    assert_eq!(vault.get(&owner(), 1).unwrap(), None);
    let error = vault.put(&owner(), &generation(1)).unwrap_err();
    assert!(matches!(error, VaultError::Missing { .. }), "{error:?}");
    says(&error.to_string(), &["no default keyring", "Make a default keyring", "--vault file"]);
}

#[test]
fn the_console_keeps_reads_and_forgets_through_it_off_the_event_loop() {
    const TEST: &str = "vault_secret_service::the_console_keeps_reads_and_forgets_through_it_off_the_event_loop";
    let Some(home) = child_dir() else { return Bus::bare().run(TEST, KEYRING) };
    started();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let context = context(&home, Flags::default());
        let mut opened = open(&context, None).await.unwrap();
        assert_eq!(opened.next_number().await.unwrap(), 1);
        opened.put(generation(1)).await.unwrap();
        opened.promote(1).await.unwrap();
        assert_eq!(opened.current().await.unwrap(), Some(generation(1)));
        drop(opened);
        let mut again = open(&context, None).await.unwrap();
        assert_eq!(again.index.in_use().map(|holding| holding.backend), Some(Backend::SecretService));
        assert_eq!(again.next_number().await.unwrap(), 2);
        again.forget(1).await.unwrap();
        assert_eq!((again.index.holdings.len(), again.index.current, again.index.next()), (0, None, 2));
    });
}

#[test]
fn an_operator_moves_in_rotates_lists_and_removes_with_the_keyring() {
    const TEST: &str = "vault_secret_service::an_operator_moves_in_rotates_lists_and_removes_with_the_keyring";
    if child_dir().is_none() {
        // Somebody asks, and is dismissed.
        return Bus::bare().starting("org.gnome.keyring.SystemPrompter", "/bin/false").run(TEST, KEYRING);
    }
    started();
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let house = Rotating::in_store(Operator::new(), "secret-service").with("DBUS_SESSION_BUS_ADDRESS", bus);
    let imported = house.run(&["keys", "import", "--from-env", "--blank", "--json"]).exits(0).json();
    assert_eq!((&imported["backend"], &imported["action"]), (&json!("secret-service"), &json!("imported")));
    let begun = house.begin(NEW, "2").exits(0).json();
    assert_eq!(
        (&begun["phase"], &begun["env"]),
        (&json!("grace"), &json!("defines none of them")),
        "GRAIL gets them by exec"
    );
    let list = || house.run(&["keys", "list", "--check", "--json"]);
    let kept = |list: &Value| {
        list["generations"].as_array().unwrap().iter().map(|one| one["kept"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kept(&list().exits(0).json()), [json!(true), json!(true)]);
    house.revoke(OLD);
    house.operator.until("the end of the grace", |_| house.run(&["rotate", "retire", "--json"]).code == Some(0));
    assert_eq!(house.held(), [2]);
    // The third is rolled back, and removed by hand.
    let third = house.token("kind=read");
    house.begin_with(&third, &[]).exits(0);
    house.run(&["rotate", "rollback", "--yes", "--json"]).exits(0);
    house.run(&["keys", "remove", "3", "--yes", "--json"]).exits(0);
    assert_eq!(kept(&list().exits(0).json()), [json!(true)]);
    house.run(&["commit", "--yes", "--json"]).exits(0);
    lock_everything();
    for words in [
        &["commit", "--yes"][..],
        &["rotate", "start", "--new-key-file", &third, "--yes"],
        &["keys", "list", "--check"],
    ] {
        let refused = house.run(words).exits(6);
        says(&(refused.stdout + &refused.stderr), &["Secret Service", "locked"]);
    }
    // What needs no secret goes on.
    house.run(&["keys", "list", "--json"]).exits(0);
    house.run(&["rotate", "status", "--json"]).exits(0);
    house.run(&["status", "--json"]).exits(0);
}

#[test]
fn without_a_keyring_nothing_is_imported_and_the_env_is_left_alone() {
    let house =
        Rotating::in_store(Operator::new(), "secret-service").with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none");
    let before = house.env();
    let refused = house.run(&["keys", "import", "--from-env", "--blank"]).exits(6);
    says(refused.error(), &["--vault file"]);
    assert_eq!(house.env(), before);
    house.begin(NEW, "2").exits(6);
    assert_eq!((house.operator.submissions(), house.journal()), (0, vec![]));
}

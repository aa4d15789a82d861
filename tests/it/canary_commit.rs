//! Secrets that may never be seen, on the one way on which they are used: the key signs, the read secret is published,
//! the password opens. The chain must have the read secret; our outputs and files must not.

use std::fs;
use std::path::PathBuf;

use grail_console::sandbox::{CommitmentSpec, Credentials, hotkey};
use serde_json::Value;

use crate::canary::{Canaries, id, secret};
use crate::cli_commit::document;
use crate::cli_commit_password::{Locked, PASSWORD, UID, alone};
use crate::cli_status::path;
use crate::support::encoder::Signer;
use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::operator::{Operator, Store};
use crate::support::pty::Pty;
use crate::wallet_public::{MNEMONIC, address};

/// The read secrets that are published, one after the other.
const READ: [&str; 3] = ["first read secret", "second read secret", "third read secret"];

/// A house in which everything that may sign or be published is a canary, and a node that takes it.
struct Aviary {
    operator: Operator,
    canaries: Canaries,
    planted: Vec<PathBuf>,
}

impl Aviary {
    /// The hotkey has phrase, seed and private key in its file, and each of them could sign.
    fn new() -> Self {
        let operator = Operator::new()
            .with("GRAIL_CONSOLE_LOG", "trace")
            .with("R2_WRITE_SECRET_ACCESS_KEY", secret("exported write secret"))
            .with("WANDB_API_KEY", secret("exported token"))
            // No store knows these keys.
            .at_store(Store::Nowhere);
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/wallets/practice/hotkeys/mnemonic");
        let keyfile = fs::read_to_string(fixture).unwrap();
        let mut canaries = Canaries::default();
        let fields: Value = serde_json::from_str(&keyfile).unwrap();
        for field in ["secretPhrase", "secretSeed", "privateKey"] {
            canaries.add(field, fields[field].as_str().unwrap().trim_start_matches("0x"));
        }
        for name in READ.iter().chain(&["write secret", "exported write secret", "exported token", "token"]) {
            canaries.add(name, &secret(name));
        }
        canaries.add("write key id", &id("write key id"));
        canaries.add("what was on chain before", Credentials::of(50, 0).read_secret.expose());
        let planted = operator.house.write("wallets/mine/hotkeys/phrase", keyfile);
        let aviary = Self { operator, canaries, planted: vec![planted] };
        aviary.has(READ[0], &[]);
        let sandbox = aviary.operator.node.sandbox();
        sandbox.commit_as(address(MNEMONIC), CommitmentSpec::raw(Credentials::of(50, 0).read_commitment()));
        sandbox.register(50, address(MNEMONIC));
        let uid = |operator: &Operator| {
            operator.house.run(line(&["commit", "--untested", "--dry-run", "--json"], &aviary.flags()))
        };
        aviary.operator.until("the registration to be final", |operator| uid(operator).json()["uid"] == 50);
        aviary
    }

    /// A `.env` with this read secret, in which some variables have other values.
    fn has(&self, read: &str, others: &[(&str, String)]) {
        let mut pairs = [
            ("R2_ACCOUNT_ID", id("account")),
            ("R2_BUCKET_ID", id("account")),
            ("R2_READ_ACCESS_KEY_ID", read_id(read)),
            ("R2_READ_SECRET_ACCESS_KEY", secret(read)),
            ("R2_WRITE_ACCESS_KEY_ID", id("write key id")),
            ("R2_WRITE_SECRET_ACCESS_KEY", secret("write secret")),
            ("CLOUDFLARE_API_TOKEN", secret("token")),
        ];
        for (name, value) in others {
            pairs.iter_mut().filter(|(known, _)| known == name).for_each(|(_, known)| known.clone_from(value));
        }
        self.operator.has(pairs.map(|(name, value)| [name, "=", &value, "\n"].concat()).concat());
    }

    fn flags(&self) -> Vec<String> {
        self.operator.flags_of("mine", "phrase", &path(&self.operator.house.path("wallets")))
    }

    #[track_caller]
    fn clean(&self, place: &str, bytes: &[u8]) {
        self.canaries.absent(place, bytes);
    }

    #[track_caller]
    fn clean_run(&self, arguments: &[String]) -> Ran {
        let ran = self.operator.house.run(arguments);
        self.clean_output(&format!("{arguments:?}"), &ran);
        ran
    }

    #[track_caller]
    fn clean_output(&self, place: &str, ran: &Ran) {
        self.clean(place, ran.stdout.as_bytes());
        self.clean(place, ran.stderr.as_bytes());
    }

    /// Every file that the console wrote, the journal among them.
    #[track_caller]
    fn files_are_clean(&self) {
        let planted = |file: &PathBuf| self.planted.contains(file) || file.ends_with("grail/.env");
        let written: Vec<_> = self.operator.house.files().into_iter().filter(|(file, _)| !planted(file)).collect();
        assert!(written.iter().any(|(file, text)| file.extension() == Some("jsonl".as_ref()) && !text.is_empty()));
        for (file, content) in &written {
            self.clean(&file.display().to_string(), content);
        }
    }

    fn published(&self) -> String {
        self.operator.on_chain_of(address(MNEMONIC))
    }
}

/// Public, and nothing like the secret.
fn read_id(read: &str) -> String {
    id(&format!("id beside the {read}"))
}

fn commitment(read: &str) -> String {
    id("account") + &read_id(read) + &secret(read)
}

#[test]
fn a_commit_shows_and_keeps_no_secret() {
    let aviary = Aviary::new();
    let run = |words: &[&str]| aviary.clean_run(&line(words, &aviary.flags()));
    run(&["commit", "--untested", "--dry-run"]).exits(0);
    assert_eq!(document(&run(&["commit", "--untested", "--dry-run", "--json"]).exits(0))["outcome"], "planned");
    says(&run(&["commit", "--untested", "--yes"]).exits(0).stdout, &["✓ Published in block #"]);
    assert_eq!(aviary.published(), commitment(READ[0]), "the secret was used");
    run(&["commit", "--untested", "--yes"]).exits(0);
    aviary.has(READ[1], &[]);
    assert_eq!(document(&run(&["commit", "--untested", "--yes", "--json"]).exits(0))["outcome"], "committed");
    assert_eq!(aviary.published(), commitment(READ[1]));
    assert_eq!(document(&run(&["commit", "--untested", "--yes", "--json"]).exits(0))["outcome"], "unchanged");
    for words in [&["status"][..], &["status", "--json"], &["show", "50"], &["doctor"], &["doctor", "--json"]] {
        run(words);
    }
    aviary.files_are_clean();
}

#[test]
fn a_refused_commit_shows_no_secret() {
    let aviary = Aviary::new();
    let aviary = Aviary { operator: aviary.operator.at_store(Store::R2), ..aviary };
    let fields: Value = serde_json::from_slice(&fs::read(&aviary.planted[0]).unwrap()).unwrap();
    let text = |field: &str| fields[field].as_str().unwrap().trim_start_matches("0x").to_owned();
    let read_secret = |value: String| vec![("R2_READ_SECRET_ACCESS_KEY", value)];
    let cases = [
        ("holds_wallet_secret", read_secret(text("secretSeed"))),
        ("holds_wallet_secret", read_secret(text("privateKey")[64..].to_owned())),
        ("credentials_misshapen", read_secret(text("secretPhrase"))),
        ("credentials_misshapen", read_secret(text("privateKey"))),
        ("credentials_misshapen", read_secret(secret(READ[0])[..60].to_owned())),
        ("read_is_write", read_secret(secret("write secret"))),
        ("holds_write_key", read_secret(secret("exported write secret"))),
        ("holds_secret", read_secret(secret("exported token"))),
        ("read_is_write", vec![("R2_READ_ACCESS_KEY_ID", id("write key id"))]),
        ("credentials_misshapen", vec![("R2_READ_ACCESS_KEY_ID", secret(READ[0]))]),
        ("credentials_misshapen", vec![("R2_ACCOUNT_ID", secret("write secret"))]),
        ("bucket_is_not_account", vec![("R2_BUCKET_ID", id("write key id"))]),
        ("single_credential_mode", vec![("R2_READ_SECRET_ACCESS_KEY", String::new())]),
    ];
    for (reason, others) in cases {
        aviary.has(READ[0], &others);
        for command in ["--yes", "--dry-run"] {
            let found = aviary.clean_run(&line(&["commit", "--untested", command, "--json"], &aviary.flags())).exits(3);
            assert_eq!(document(&found)["reason"], reason);
            aviary.clean_run(&line(&["commit", "--untested", command], &aviary.flags())).exits(3);
        }
    }
    aviary.operator.did_nothing();
    let house = &aviary.operator.house;
    let written = house.files().into_iter().filter(|(file, _)| file.starts_with(house.path("home")));
    written.for_each(|(file, content)| aviary.clean(&file.display().to_string(), &content));
}

#[test]
fn a_commit_that_fails_or_is_lost_on_the_way_shows_and_keeps_no_secret() {
    let aviary = Aviary::new();
    let faults = aviary.operator.node.sandbox().faults();
    let start = || aviary.operator.start_with(line(&["commit", "--untested", "--yes"], &aviary.flags()));
    faults.set_stale_head(true);
    let mut killed = start();
    killed.says("✓ broadcast");
    let running = fs::read(format!("/proc/{}/cmdline", killed.pid()));
    if cfg!(target_os = "linux") {
        aviary.clean("the command line", &running.unwrap());
    }
    killed.kill();
    faults.set_stale_head(false);
    let sandbox = aviary.operator.node.sandbox();
    aviary.operator.until("the block", |_| aviary.published() == commitment(READ[0]));
    let block = sandbox.best().number();
    aviary.operator.until("its finality", |_| sandbox.finalized().number() >= block);
    aviary.has(READ[1], &[]);
    faults.set_stale_head(true);
    let mut lost = start();
    lost.says("✓ broadcast");
    aviary.operator.node.wait(faults.drop_connections()).unwrap();
    lost.says("▲ connection lost");
    faults.set_stale_head(false);
    let ran = lost.ended().exits(0);
    says(&ran.stderr, &["▲ connection lost", "✓ read back equal"]);
    aviary.clean_output("a lost connection", &ran);
    // A node of another chain, for which the own extrinsic was never signed.
    aviary.has(READ[2], &[]);
    faults.set_wrong_genesis(true);
    let ran = aviary.clean_run(&line(&["commit", "--untested", "--yes", "--json"], &aviary.flags())).exits(3);
    assert_eq!(document(&ran)["reason"], "contradiction");
    aviary.files_are_clean();
}

#[test]
fn a_commit_at_a_terminal_shows_no_secret() {
    let aviary = Aviary::new();
    let mut console = Pty::open_at((120, 60), &aviary.operator.house, line(&["commit", "--untested"], &aviary.flags()));
    console.shows("anything else to leave it:");
    console.keys("yes\r");
    let left = console.left();
    left.restored_with(0);
    assert_eq!(aviary.published(), commitment(READ[0]));
    aviary.clean("the terminal", &left.bytes);
    for screen in &left.seen {
        aviary.clean("the screen without its line breaks", screen.replace('\n', "").as_bytes());
    }
    aviary.files_are_clean();
}

#[test]
fn neither_a_password_nor_what_it_opens_is_shown_or_kept() {
    let _alone = alone();
    let locked = Locked::new(Operator::new().with("GRAIL_CONSOLE_LOG", "trace"));
    let Signer::Sr25519(pair) = Signer::uid(UID) else { unreachable!("practice hotkeys are sr25519") };
    let mut canaries = Canaries::default();
    canaries.add("private key", &hex::encode(pair.secret.to_bytes()));
    canaries.add("password", PASSWORD);
    canaries.add("wrong password", &secret("wrong password"));
    canaries.add("read secret", Credentials::of(UID, 1).read_secret.expose());
    let house = &locked.operator.house;
    let planted = [house.write("wrong", secret("wrong password")), house.write("right", format!("{PASSWORD}\n"))];
    for (file, code) in planted.iter().zip([2, 0]) {
        let ran = house.run(locked.line(&["commit", "--yes", "--password-file", &path(file)])).exits(code);
        canaries.absent("stdout", ran.stdout.as_bytes());
        canaries.absent("stderr", ran.stderr.as_bytes());
    }
    assert_eq!(locked.operator.on_chain_of(hotkey(UID)), Credentials::of(UID, 1).read_commitment());
    let written = house.files().into_iter().filter(|(file, _)| file.starts_with(house.path("home")));
    let written: Vec<_> = written.collect();
    assert!(written.len() >= 3, "journal, lock, metadata and what the endpoint is");
    for (file, content) in &written {
        canaries.absent(&file.display().to_string(), content);
    }
}

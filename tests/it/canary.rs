//! Secrets that may never be seen: planted wherever the console reads, then looked for wherever it writes.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use grail_console::sandbox::{CommitmentSpec, Credentials, OPERATOR_UID, hotkey};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli_status::path;
use crate::support::house::House;
use crate::support::node::{Node, line};
use crate::support::pty::Pty;

/// Characters of a secret that give it away: masks show six and four.
const FRAGMENT: usize = 12;

/// Secrets, and every piece of every form in which they could be written, with the name of the secret.
#[derive(Default)]
pub struct Canaries(HashMap<[u8; FRAGMENT], String>);

impl Canaries {
    pub fn of(name: &str, secret: &str) -> Self {
        let mut canaries = Self::default();
        canaries.add(name, secret);
        canaries
    }

    pub fn add(&mut self, name: &str, secret: &str) {
        for form in forms(secret) {
            for piece in form.as_bytes().windows(FRAGMENT) {
                self.0.insert(piece.try_into().unwrap(), name.to_owned());
            }
        }
    }

    /// The name of a secret of which a piece is in there, in whatever form.
    fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        bytes.windows(FRAGMENT).find_map(|piece| self.0.get(piece)).map(String::as_str)
    }

    /// Fails if any of the secrets is in there.
    #[track_caller]
    pub fn absent(&self, place: &str, bytes: &[u8]) {
        assert_eq!(self.found_in(bytes), None, "a secret is in {place}");
    }
}

/// As it is, in hexadecimal digits and in base64; what is hexadecimal already also as the bytes that it stands for.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for bytes in [Ok(secret.as_bytes().to_vec()), hex::decode(secret)].into_iter().flatten() {
        forms.push(hex::encode(&bytes));
        // Inside a longer text it begins at one of three phases.
        forms.extend([0, 1, 2].map(|skip| in_base64(&bytes[skip..])));
    }
    let upper: Vec<String> = forms.iter().map(|form| form.to_uppercase()).collect();
    forms.extend(upper);
    forms
}

/// The part of the base64 that does not depend on what follows.
fn in_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(&bytes[..bytes.len() / 3 * 3])
}

/// A secret that is the same in every run and nowhere else.
pub fn secret(name: &str) -> String {
    hex::encode(Sha256::digest(format!("canary of grail-console: {name}")))
}

pub fn id(name: &str) -> String {
    secret(name)[..32].to_owned()
}

/// A house full of secrets, and a node on which the read pair is published.
struct Aviary {
    house: House,
    node: Node,
    canaries: Canaries,
    planted: Vec<PathBuf>,
    flags: Vec<String>,
}

impl Aviary {
    fn new() -> Self {
        let own = [secret("read secret"), secret("write secret"), id("write key id"), secret("token")];
        let exported = [secret("exported read secret"), secret("exported write secret"), secret("password")];
        let wallet = [secret("private") + &secret("key"), secret("seed"), secret("phrase")];
        let mut canaries = Canaries::default();
        for (i, value) in own.iter().chain(&exported).chain(&wallet).enumerate() {
            canaries.add(&format!("canary {i}"), value);
        }
        // What others published is for validators, not for logs and screens.
        canaries.add("secret of uid 7", Credentials::of(7, 0).read_secret.expose());

        let house = House::new()
            .with("R2_READ_SECRET_ACCESS_KEY", &exported[0])
            .with("R2_WRITE_SECRET_ACCESS_KEY", &exported[1])
            .with("BT_PW_PRACTICE_HOTKEY", &exported[2])
            .with("GRAIL_CONSOLE_LOG", "trace");
        let account = id("account");
        let (read_id, other) = (id("read key id"), id("another read key id"));
        let env = [
            ("BT_NETUID", "81"),
            ("R2_ACCOUNT_ID", &account),
            ("R2_BUCKET_ID", &account),
            ("R2_READ_ACCESS_KEY_ID", &other),
            ("R2_READ_ACCESS_KEY_ID", &read_id),
            ("R2_READ_SECRET_ACCESS_KEY", &own[0]),
            ("R2_WRITE_ACCESS_KEY_ID", &own[2]),
            ("R2_WRITE_SECRET_ACCESS_KEY", &own[1]),
            ("CLOUDFLARE_API_TOKEN", &own[3]),
        ];
        let env = env.map(|(name, value)| [name, "='", value, "'\n"].concat()).concat();
        let env = house.write("planted/.env", env);
        let address = hotkey(OPERATOR_UID);
        let public = format!("0x{}", hex::encode(address.as_bytes()));
        let keyfile = json!({
            "accountId": public, "publicKey": public, "ss58Address": address.to_string(),
            "privateKey": format!("0x{}", wallet[0]), "secretSeed": format!("0x{}", wallet[1]),
            "secretPhrase": wallet[2],
        });
        let keyfile = house.write("planted/wallets/practice/hotkeys/operator", keyfile.to_string());
        let config = house.configure(&format!("# {}\ntheme = \"dark\"\n[profile.main]\nnetuid = 81\n", own[1]));

        let node = Node::start("healthy");
        let published = format!("{account}{read_id}{}", own[0]);
        node.commit([(OPERATOR_UID, CommitmentSpec::raw(published))]);
        let mut flags = node.flags();
        for (flag, value) in [
            ("--profile", "main".to_owned()),
            ("--wallet", "practice".to_owned()),
            ("--hotkey", "operator".to_owned()),
            ("--wallet-path", path(&house.path("planted/wallets"))),
            ("--env-file", path(&env)),
        ] {
            flags.extend([flag.to_owned(), value]);
        }
        Self { house, node, canaries, planted: vec![env, keyfile, config], flags }
    }

    #[track_caller]
    fn clean(&self, place: &str, bytes: &[u8]) {
        self.canaries.absent(place, bytes);
    }

    /// Every file that the console wrote; there must be some.
    #[track_caller]
    fn files_are_clean(&self, at_least: usize) {
        let written: Vec<_> = self.house.files().into_iter().filter(|(file, _)| !self.planted.contains(file)).collect();
        let names: Vec<_> = written.iter().map(|(file, _)| file.display().to_string()).collect();
        assert!(written.len() >= at_least, "{names:?}");
        written.iter().zip(&names).for_each(|((_, content), name)| self.clean(name, content));
    }

    #[track_caller]
    fn command_is_clean(&self, arguments: &[String]) -> String {
        let ran = self.house.run(arguments);
        let place = format!("{arguments:?}");
        self.clean(&place, ran.stdout.as_bytes());
        self.clean(&place, ran.stderr.as_bytes());
        ran.stdout + &ran.stderr
    }
}

#[test]
fn the_search_finds_what_is_planted_in_every_form() {
    let value = secret("found");
    let bytes = hex::decode(&value).unwrap();
    let canary = Canaries::of("planted", &value);
    let inside = |text: &[u8]| [b"some text ", text, b" and more"].concat();
    let forms = [
        value.clone(),
        value.to_uppercase(),
        value[20..40].to_owned(),
        hex::encode(&value),
        STANDARD_NO_PAD.encode(&value),
        STANDARD_NO_PAD.encode(&bytes),
        STANDARD_NO_PAD.encode(inside(value.as_bytes())),
        STANDARD_NO_PAD.encode([b"x", value.as_bytes()].concat()),
        STANDARD_NO_PAD.encode([b"xy", bytes.as_slice()].concat()),
    ];
    for form in forms {
        assert_eq!(canary.found_in(&inside(form.as_bytes())), Some("planted"), "{form}");
    }
    let masked = format!("{}…{} fp {}", &value[..6], &value[60..], secret("other"));
    assert_eq!(canary.found_in(masked.as_bytes()), None);
}

#[test]
fn no_command_shows_or_keeps_a_secret() {
    let aviary = Aviary::new();
    let own = hotkey(OPERATOR_UID).to_string();
    let commands: [&[&str]; 14] = [
        &["status"],
        &["status", "--filter", "own:yes"],
        &["show", "42"],
        &["show", "7"],
        &["show", &own],
        &["show", "999"],
        &["verify", "42", "7"],
        &["verify", "--all"],
        &["doctor"],
        &["doctor", "--offline"],
        &["status", "--netuid", "7"],
        &["status", "--no-such-flag"],
        &["status", "--filter", "wrong:filter"],
        &[],
    ];
    for words in commands {
        for json in [&[][..], &["--json"]] {
            aviary.command_is_clean(&line(&[words, json].concat(), &aviary.flags));
        }
    }
    for words in [&["completions", "bash"][..], &["man"], &["--help"], &["doctor", "--help"], &["launch"]] {
        aviary.command_is_clean(&line(words, &[]));
    }
    let seen = aviary.command_is_clean(&line(&["status", "--filter", "own:yes"], &aviary.flags));
    assert!(seen.contains("chain and local agree"), "the canaries were read and compared: {seen}");
    let seen = aviary.command_is_clean(&line(&["doctor"], &aviary.flags));
    assert!(seen.contains("dual credentials") && seen.contains("practice/operator"), "{seen}");
    aviary.files_are_clean(2);
}

#[test]
fn no_view_of_the_console_shows_logs_or_keeps_a_secret() {
    let aviary = Aviary::new();
    let mut console = Pty::open(&aviary.house, &aviary.flags);
    console.shows("chain and local agree");
    let running = fs::read(format!("/proc/{}/cmdline", console.pid()));
    if cfg!(target_os = "linux") {
        aviary.clean("the command line", &running.unwrap());
    }
    console.keys("/own:yes\r\rG");
    console.shows("RAW BYTES");
    console.keys("\x1b").shows("1 of 256 rows");
    console.keys("\x1b").shows("by uid");
    console.keys("s").shows("by hotkey");
    console.keys("o").shows("258 rows");
    console.keys("u").shows("operator of wallet practice");
    console.keys("G").shows("R2_WRITE_SECRET_ACCESS_KEY  ••••");
    console.keys("\x1b").shows("HOTKEY");
    console.keys("?").shows("KEYS IN");
    console.keys("\x1b").shows("HOTKEY");
    for copied in ["\r", "j\r", "jj\r", "jjj\r"] {
        console.keys("y");
        console.keys(copied);
    }
    console.keys(":").shows("do it");
    console.keys("\x1b").hides("do it");
    console.keys("r");
    console.keys("L").shows("TIME UTC");
    console.until("the log of both connections", |screen| screen.matches("connected to ws://").count() == 2);
    aviary.node.blocks(3);
    console.keys("q");
    let left = console.left();
    aviary.clean("the terminal", &left.bytes);
    for screen in &left.seen {
        aviary.clean("the screen", screen.as_bytes());
        aviary.clean("the screen without its line breaks", screen.replace('\n', "").as_bytes());
    }
    assert!(left.seen.len() > 10);
    left.restored_with(0);
    aviary.files_are_clean(3);
    let logs: Vec<_> = aviary
        .house
        .files()
        .into_iter()
        .filter(|(file, _)| file.starts_with(aviary.house.state().join("logs")))
        .collect();
    assert!(!logs.is_empty() && logs.iter().all(|(_, text)| !text.is_empty()), "there was a log to look into");
}

#[test]
fn values_in_the_wrong_place_are_not_shown_either() {
    let value = secret("misplaced");
    let canary = Canaries::of("misplaced", &value);
    let lines = |name: &str| {
        let read = if name == "R2_READ_ACCESS_KEY_ID" { value.clone() } else { id("read") };
        format!("R2_READ_ACCESS_KEY_ID={read}\nR2_READ_SECRET_ACCESS_KEY={}\n{name}={value}\n", secret("read"))
    };
    let names = [
        "R2_READ_ACCESS_KEY_ID",
        "R2_WRITE_ACCESS_KEY_ID",
        "R2_ACCOUNT_ID",
        "R2_BUCKET_ID",
        "R2_ENDPOINT_URL",
        "BT_NETWORK",
        "BT_CHAIN_ENDPOINT",
        "BT_WALLET_COLD",
        "BT_WALLET_HOT",
        "NETUID",
        "BT_NETUID",
        "PASTED",
    ];
    for name in names {
        let in_environment = House::new().with(name, &value);
        let in_file = House::new();
        let env = in_file.write("grail/.env", lines(name));
        let broken = House::new();
        let torn = broken.write("grail/.env", format!("{name} {value}\n={value}\n{value}\nX='{value}\n"));
        for json in [&[][..], &["--json"]] {
            let run = |house: &House, flags: &[&str]| {
                let ran = house.run([&["doctor", "--offline"], json, flags].concat());
                canary.absent(name, (ran.stdout + &ran.stderr).as_bytes());
                house.files().iter().filter(|(file, _)| !file.ends_with(".env")).for_each(|(file, content)| {
                    canary.absent(&file.display().to_string(), content);
                });
            };
            run(&in_environment, &[]);
            run(&in_file, &["--env-file", &path(&env)]);
            run(&broken, &["--env-file", &path(&torn)]);
        }
    }
}

#[test]
fn a_secret_pasted_into_the_configuration_is_not_quoted() {
    let value = secret("pasted");
    let canary = Canaries::of("pasted", &value);
    for text in [
        format!("api_token = \"{value}\"\n"),
        format!("{value}\n"),
        format!("theme = \"{value}\"\n"),
        format!("default_profile = \"{value}\"\n"),
        format!("[profile.main]\nnetwork = \"{value}\"\n"),
        format!("[profile.main]\nhotkey = \"{value}\"\n"),
        format!("[profile.main]\nendpoint = \"{value}\"\n"),
        format!("[profile.main]\ns3_endpoint = \"https://{value}@store.example\"\n"),
        format!("[profile.main]\nenv_file = \"{value}\"\n"),
        format!("[keys]\n{value} = [\"x\"]\n"),
        format!("[keys]\nopen = [\"{value}\"]\n"),
    ] {
        let house = House::new();
        house.configure(&text);
        for arguments in [
            &["doctor", "--offline"][..],
            &["doctor", "--offline", "--json"],
            &["doctor", "--offline", "--profile", "main"],
        ] {
            let ran = house.run(arguments);
            canary.absent(&text, (ran.stdout + &ran.stderr).as_bytes());
        }
        let ran = house.run::<&str>([]);
        canary.absent(&text, (ran.stdout + &ran.stderr).as_bytes());
    }
}

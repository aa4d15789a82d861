//! Keys in settings that hold none, and keys of providers in URLs: in every setting, from every place, looked for in
//! everything that the console says, shows and keeps.

use std::path::PathBuf;

use grail_console::sandbox::{OPERATOR_UID, hotkey};
use rstest::rstest;

use crate::canary::Canaries;
use crate::cli_status::path;
use crate::support::house::{House, Ran, says};
use crate::support::node::{Node, line};
use crate::support::pty::Pty;

/// A secret of AWS, a provider's key, the token of an R2 account, a wallet's phrase.
const VALUES: [&str; 4] = [
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "1c9d2b7e-8a4f-4c1d-9e6b-2f7a8c3d5e10",
    "Xk2mQ9Lp7Rt4Vw8Zs3Yb6Nc1Jh5Gd0Fa9Ue2Io4",
    "bottom drive obey lake curtain smoke basket hold race lonely fit walk",
];

/// Flag, variable and key of the profile of each setting that is a name.
const NAMES: [(&str, &str, &str); 7] = [
    ("--network", "BT_NETWORK", "network"),
    ("--wallet", "BT_WALLET_COLD", "wallet"),
    ("--hotkey", "BT_WALLET_HOT", "hotkey"),
    ("--endpoint", "BT_CHAIN_ENDPOINT", "endpoint"),
    ("--witness", "BT_WITNESS_ENDPOINT", "witness"),
    ("--archive", "BT_ARCHIVE_ENDPOINT", "archive"),
    ("--s3-endpoint", "R2_ENDPOINT_URL", "s3_endpoint"),
];

/// A house in which one setting has a value, and the arguments that make it count.
struct Set {
    house: House,
    flags: Vec<String>,
    ours: Vec<PathBuf>,
}

/// Each way to give a value.
fn ways(flag: &str, variable: &str, key: &str, value: &str) -> Vec<Set> {
    let by_flag = Set { house: House::new(), flags: vec![format!("{flag}={value}")], ours: Vec::new() };
    let exported = Set { house: House::new().with(variable, value), flags: Vec::new(), ours: Vec::new() };
    let house = House::new();
    let env = house.write("grail/.env", format!("{variable}='{value}'\n"));
    let in_file = Set { house, flags: vec!["--env-file".to_owned(), path(&env)], ours: vec![env] };
    let house = House::new();
    let config = house.configure(&format!("default_profile = 'main'\n[profile.main]\n{key} = '{value}'\n"));
    let profile = Set { house, flags: Vec::new(), ours: vec![config] };
    vec![by_flag, exported, in_file, profile]
}

impl Set {
    #[track_caller]
    fn says_nothing_of(&self, canary: &Canaries, words: &[&str]) -> Ran {
        let arguments = line(words, &self.flags);
        let ran = self.house.run(&arguments);
        canary.absent(&format!("the output of {arguments:?}"), ran.stdout.as_bytes());
        canary.absent(&format!("the errors of {arguments:?}"), ran.stderr.as_bytes());
        let files = self.house.files().into_iter().filter(|(file, _)| !self.ours.contains(file));
        files.for_each(|(file, content)| canary.absent(&file.display().to_string(), &content));
        ran
    }
}

#[test]
fn a_key_where_a_name_belongs_is_masked_from_every_place() {
    for (i, (flag, variable, key)) in NAMES.into_iter().enumerate() {
        for value in [VALUES[i % 4], VALUES[(i + 1) % 4]] {
            let canary = Canaries::of(variable, value);
            for set in ways(flag, variable, key, value) {
                for words in [&["doctor", "--offline"][..], &["doctor", "--offline", "--json"], &[]] {
                    set.says_nothing_of(&canary, words);
                }
            }
        }
    }
}

#[test]
fn it_is_named_with_its_place() {
    for (flag, variable, key) in [NAMES[1], NAMES[2]] {
        let places = [
            flag.to_owned(),
            format!("{variable} in the environment"),
            format!("{variable}, .env line 1"),
            "profile main".to_owned(),
        ];
        for (set, place) in ways(flag, variable, key, VALUES[0]).into_iter().zip(places) {
            let told = set.says_nothing_of(&Canaries::of(variable, VALUES[0]), &["doctor", "--offline"]);
            let words = format!("What looks like a secret stands where a name belongs: {place}");
            says(&told.stdout, &[&words, "•••• (40 characters that look like a secret)"]);
            let told = set.says_nothing_of(&Canaries::of(variable, VALUES[0]), &["doctor", "--offline", "--json"]);
            says(&told.stdout, &["misplaced_secret"]);
        }
    }
}

#[rstest]
#[case::region("R2_REGION")]
#[case::netuid("NETUID")]
#[case::grail_s_netuid("BT_NETUID")]
#[case::path_style("R2_FORCE_PATH_STYLE")]
#[case::log("GRAIL_CONSOLE_LOG")]
#[case::account("R2_ACCOUNT_ID")]
#[case::bucket("R2_BUCKET_ID")]
#[case::read_key_id("R2_READ_ACCESS_KEY_ID")]
#[case::write_key_id("R2_WRITE_ACCESS_KEY_ID")]
fn a_key_in_another_variable_is_masked_too(#[case] variable: &str) {
    for value in VALUES {
        let canary = Canaries::of(variable, value);
        for set in ways("--endpoint", variable, "endpoint", value).into_iter().skip(1).take(2) {
            for store in [&[][..], &["--s3-endpoint", "http://127.0.0.1:1"]] {
                for words in [&["doctor", "--offline"][..], &["doctor", "--offline", "--json"]] {
                    set.says_nothing_of(&canary, &[words, store].concat());
                }
            }
        }
    }
}

#[rstest]
#[case("--netuid")]
#[case("--vault")]
#[case("--no-such-flag")]
#[case("--profile")]
#[case("--env-file")]
#[case("--wallet-path")]
#[case("--vault-key-file")]
fn a_key_that_is_no_value_of_a_flag_is_not_repeated(#[case] flag: &str) {
    for value in VALUES.into_iter().filter(|value| !value.contains('/')) {
        let canary = Canaries::of(flag, value);
        let set = Set { house: House::new(), flags: Vec::new(), ours: Vec::new() };
        for given in [vec![flag.to_owned(), value.to_owned()], vec![format!("{flag}={value}")]] {
            for words in [&["doctor", "--offline"][..], &["doctor", "--offline", "--json"]] {
                let given: Vec<&str> = given.iter().map(String::as_str).collect();
                set.says_nothing_of(&canary, &[words, given.as_slice()].concat());
            }
        }
    }
}

#[test]
fn a_profile_named_like_a_key_is_masked() {
    let value = VALUES[2];
    let canary = Canaries::of("profile", value);
    let house = House::new();
    let config = house.configure(&format!("[profile.{value}]\nwallet = 'w'\n"));
    let set = Set { house, flags: Vec::new(), ours: vec![config] };
    for words in [&["--profile", value][..], &["--profile", "other"], &["--profile", value, "--json"]] {
        set.says_nothing_of(&canary, &[&["doctor", "--offline"], words].concat());
    }
}

/// URLs as providers give them to their customers: with the key in the path, in the query, before the host.
fn urls(address: &str, key: &str) -> [String; 4] {
    let rest = address.strip_prefix("ws://").unwrap();
    [
        format!("ws://{rest}/{key}"),
        format!("ws://{rest}/public-ws/{key}/ws"),
        format!("ws://{rest}/?apikey={key}"),
        format!("ws://user:{key}@{rest}"),
    ]
}

#[test]
fn keys_of_providers_in_urls_are_used_and_never_shown() {
    let node = Node::with_uids("healthy", 12);
    let key = VALUES[1];
    let canary = Canaries::of("a provider's key", key);
    let dead = "ws://127.0.0.1:9";
    for (i, (living, dead)) in urls(node.sandbox().url(), key).into_iter().zip(urls(dead, key)).enumerate() {
        for set in ways("--endpoint", "BT_CHAIN_ENDPOINT", "endpoint", &living) {
            for words in [&["doctor"][..], &["doctor", "--json"], &["status"], &["show", "1", "--json"]] {
                let ran = set.says_nothing_of(&canary, words);
                let used = ran.stdout.contains("12 uids") || words[0] != "status";
                assert!(used || i == 3, "a key before the host is refused, any other used: {living}\n{}", ran.stderr);
            }
        }
        for (flag, variable, key) in [NAMES[3], NAMES[4], NAMES[5]] {
            for set in ways(flag, variable, key, &dead) {
                let flags = if flag == "--endpoint" { Vec::new() } else { node.flags() };
                let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
                for words in [&["doctor"][..], &["status", "--verify"], &["status", "--verify", "--json"]] {
                    set.says_nothing_of(&canary, &[words, flags.as_slice()].concat());
                }
            }
        }
    }
    for url in
        [format!("https://store.example/{key}"), format!("https://{key}@store.example"), format!("http://x?k={key}")]
    {
        for set in ways("--s3-endpoint", "R2_ENDPOINT_URL", "s3_endpoint", &url) {
            set.says_nothing_of(&canary, &["doctor", "--offline"]);
            set.says_nothing_of(&canary, &["status", "--json"]);
        }
    }
}

#[test]
fn the_console_shows_and_logs_none_of_them() {
    let node = Node::with_uids("healthy", 12);
    let mut canary = Canaries::of("the wallet's name", VALUES[0]);
    canary.add("the provider's key", VALUES[1]);
    canary.add("the profile's name", VALUES[2]);
    let house = House::new().with("GRAIL_CONSOLE_LOG", "trace");
    let profile = format!("[profile.{}]\nwallet = '{}'\n", VALUES[2], VALUES[0]);
    let config = house.configure(&profile);
    let url = format!("{}/ws/{}?key={}", node.sandbox().url(), VALUES[1], VALUES[1]);
    let own = hotkey(OPERATOR_UID).to_string();
    let flags = ["--profile", VALUES[2], "--hotkey", &own, "--endpoint", &url, "--witness", &url];
    let mut console = Pty::open(&house, flags);
    console.shows("12 uids");
    console.keys("u").shows("CREDENTIALS");
    console.keys("G").shows("configuration");
    console.keys("\x1b").shows("HOTKEY");
    console.keys("L").shows("TIME UTC");
    console.shows("connected to ws://");
    console.keys("q");
    let left = console.left();
    canary.absent("the terminal", &left.bytes);
    for screen in &left.seen {
        canary.absent("the screen", screen.as_bytes());
        canary.absent("the screen without its line breaks", screen.replace('\n', "").as_bytes());
    }
    left.restored_with(0);
    let files: Vec<_> = house.files().into_iter().filter(|(file, _)| *file != config).collect();
    assert!(files.iter().any(|(file, _)| file.starts_with(house.state().join("logs"))), "there is a log");
    for (file, content) in &files {
        canary.absent(&file.display().to_string(), content);
    }
}

//! Bad input and faults as an operator meets them: each has a message of its own (what, why, what to do) and a code.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use grail_console::sandbox::{Credentials, OPERATOR_UID, Throttle};
use serde_json::Value;

use crate::cli_doctor::{finding, offline, offline_json};
use crate::cli_status::{env_of, path};
use crate::support::house::{House, Ran, says};
use crate::support::node::{Node, line};

/// A server that treats every connection the same way; its address.
fn serving(treat: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(&treat));
    format!("ws://{address}")
}

fn status_at(url: &str) -> Ran {
    House::new().run(["status", "--endpoint", url])
}

#[test]
fn an_unknown_network_names_the_known_ones() {
    let ran = House::new().run(["status", "--network", "mars"]).exits(2);
    says(ran.error(), &["unknown network ‹mars›", "finney, archive, test and local", "--endpoint wss://"]);
    let by_variable = House::new().with("BT_NETWORK", "mars").run(["status"]).exits(2);
    says(by_variable.error(), &["unknown network ‹mars›"]);
}

#[test]
fn an_endpoint_where_nobody_listens_is_unreachable() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = status_at(&format!("ws://{closed}")).exits(4);
    says(ran.error(), &[&closed.to_string(), "no TCP connection", "refused", "Check the endpoint's host and port"]);
}

#[test]
fn an_endpoint_whose_name_has_no_address_is_unreachable() {
    let ran = status_at("wss://no-such-host.invalid").exits(4);
    says(ran.error(), &["no-such-host.invalid", "cannot be resolved", "Check the spelling"]);
}

#[test]
fn a_web_server_is_no_node() {
    let url = serving(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let page = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let _ = stream.write_all(page.as_bytes());
    });
    let ran = status_at(&url).exits(4);
    says(
        ran.error(),
        &[url.trim_start_matches("ws://"), "no Subtensor node answers there", "Check host, port and path"],
    );
}

#[test]
fn a_server_that_speaks_another_protocol_is_no_node() {
    let url = serving(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\x1b]0;owned\x07\r\n");
        let _ = stream.read(&mut [0; 4096]);
    });
    let ran = status_at(&url).exits(4);
    says(ran.error(), &["no Subtensor node answers there"]);
    assert!(!ran.stderr.contains('\u{1b}'));
}

#[test]
fn a_node_of_another_chain_is_refused() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let ran = house.run(line(&["status", "--network", "finney"], &node.flags())).exits(4);
    says(ran.error(), &["this node is of another chain", "0x2f0555cc76fc2840", "finney", "--network", "--endpoint"]);
    assert!(ran.stdout.is_empty(), "nothing of it is shown");
}

#[test]
fn a_node_that_allows_no_more_requests_is_said_to() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    node.sandbox().faults().throttle(Some(Throttle::Handshakes));
    let ran = house.run(line(&["status"], &node.flags())).exits(4);
    says(ran.error(), &["the node allows no more requests for now", "a node of your own"]);
}

#[test]
fn plaintext_to_another_machine_is_refused_before_anything_is_sent() {
    for remote in ["ws://node.example:9944", "ws://192.0.2.1", "ws://127.0.0.1.example"] {
        let ran = status_at(remote).exits(3);
        says(ran.error(), &[remote, "plaintext to another machine", "forge", "use wss://"]);
    }
}

#[test]
fn what_is_no_endpoint_is_refused() {
    says(status_at("http://127.0.0.1:9944").exits(2).error(), &["scheme ‹http›", "wss://"]);
    says(status_at("entrypoint").exits(2).error(), &["is not an endpoint URL", "wss://HOST"]);
    let ran = status_at("wss://me:hunter2hunter2@node.example").exits(2);
    says(ran.error(), &["user name or password", "remove it"]);
    assert!(!ran.stderr.contains("hunter2"));
}

#[test]
fn a_subnet_that_does_not_exist_is_a_matter_of_usage() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let ran = house.run(line(&["status", "--netuid", "1234"], &node.flags())).exits(2);
    says(ran.error(), &["subnet 1234 does not exist on this chain", "Check --netuid", "81"]);
}

#[test]
fn a_netuid_that_is_no_number_is_told_with_its_place() {
    let ran = House::new().with("NETUID", "eighty-one").run(["status"]).exits(2);
    says(ran.error(), &["eighty-one", "NETUID", "is not a netuid", "0 to 65535"]);
}

#[test]
fn a_malformed_env_file_is_told_line_by_line_and_the_rest_of_it_counts() {
    let own = Credentials::of(OPERATOR_UID, 0);
    let text = env_of(&own) + "=nameless\nOPEN='never closed\n";
    let document = offline_json(&House::new(), &text);
    let faults: Vec<&Value> =
        document["findings"].as_array().unwrap().iter().filter(|f| f["code"] == "env_file_line").collect();
    assert_eq!(faults.len(), 2, "{faults:#?}");
    let text = offline(&House::new(), &text).exits(1).stdout;
    says(&text, &[".env line 8, column", "no name before the `=`", "GRAIL skips this statement", "→ Write NAME=value"]);
    says(&text, &[".env line 9, column", "a single quote is never closed", "Close the quote"]);
    says(&text, &["✓ dual credentials"]);
    assert!(!text.contains("nameless"), "a line of a .env is never quoted");
}

#[test]
fn an_env_file_that_is_not_there_is_an_error() {
    let ran = House::new().run(["status", "--env-file", "/nowhere/grail/.env"]).exits(2);
    says(ran.error(), &["/nowhere/grail/.env", "No such file", "--env-file"]);
}

#[test]
fn an_unreadable_configuration_is_told_with_line_and_column() {
    let house = House::new();
    let file = house.configure("theme = \"dark\"\n\n[profile.main]\nnetuid = \"eighty-one\"\n");
    let ran = house.run(["status"]).exits(2);
    says(ran.error(), &[&path(&file), "line 4, column 10", "Correct that line", "config.example.toml"]);
    house.configure("theme = \"dark\"\nthis is no toml\n");
    says(&house.run(["doctor"]).exits(2).stdout, &["line 2, column 6", "not asked", "Findings"]);
    house.configure("colour = \"red\"\n");
    says(&house.run(["doctor"]).exits(2).stdout, &["line 1, column 1", "unknown field"]);
}

#[test]
fn a_configuration_that_cannot_be_opened_is_named() {
    let house = House::new();
    fs::create_dir_all(house.config_file()).unwrap();
    let ran = house.run(["status"]).exits(2);
    says(ran.error(), &["cannot read", "config.toml", "Correct its permissions or remove it"]);
}

#[test]
fn a_profile_that_is_not_there_names_those_that_are() {
    let house = House::new();
    house.configure("[profile.main]\n[profile.spare]\n");
    let ran = house.run(["status", "--profile", "mian"]).exits(2);
    says(ran.error(), &["no profile ‹mian›", "main, spare", "--profile"]);
}

#[test]
fn a_key_that_no_command_has_is_refused_when_the_console_opens() {
    let house = House::new();
    house.configure("[keys]\nfly = [\"f\"]\n");
    says(house.run::<&str>([]).exits(2).error(), &["[keys]", "fly"]);
}

/// `.env` text with one value replaced.
fn with(name: &str, value: &str) -> String {
    let text = env_of(&Credentials::of(OPERATOR_UID, 0));
    let mut found = 0;
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some((known, _)) if known == name => {
            found += 1;
            format!("{name}={value}\n")
        }
        _ => format!("{line}\n"),
    });
    let text = lines.collect();
    assert_eq!(found, 1, "{name}");
    text
}

#[test]
fn a_value_that_is_too_long_is_named_with_its_length() {
    for (name, length) in [
        ("R2_ACCOUNT_ID", 33),
        ("R2_READ_ACCESS_KEY_ID", 33),
        ("R2_READ_SECRET_ACCESS_KEY", 65),
        ("R2_WRITE_SECRET_ACCESS_KEY", 100),
    ] {
        let ran = offline(&House::new(), &with(name, &"a".repeat(length))).exits(1);
        says(&ran.stdout, &[name, &format!("{length} characters"), "→ "]);
        assert!(!ran.stdout.contains(&"a".repeat(length)));
    }
}

#[test]
fn a_value_that_is_too_long_for_another_store_is_named_too() {
    let house = House::new();
    let env = house.write("grail/.env", with("R2_READ_SECRET_ACCESS_KEY", &"b".repeat(65)));
    let flags = ["--env-file", &path(&env), "--s3-endpoint", "http://127.0.0.1:9000"];
    let ran = house.run(["doctor", "--offline"].iter().chain(&flags)).exits(1);
    says(&ran.stdout, &["R2_READ_SECRET_ACCESS_KEY", "65 characters", "64"]);
}

#[test]
fn id_and_secret_swapped_are_recognised() {
    let own = Credentials::of(OPERATOR_UID, 0);
    let mut swapped = own.clone();
    swapped.read_key_id = own.read_secret.expose().to_owned();
    swapped.read_secret = grail_console::domain::secret::SecretKey::new(own.read_key_id.clone());
    let ran = offline(&House::new(), &env_of(&swapped)).exits(1);
    says(
        &ran.stdout,
        &["R2_READ_ACCESS_KEY_ID", "R2_READ_SECRET_ACCESS_KEY", "seem to be swapped", "Copy the value again"],
    );
    assert!(!ran.stdout.contains(own.read_secret.expose()));
    assert!(!ran.stdout.contains(&own.read_key_id));
}

#[test]
fn a_bucket_that_is_not_the_account_is_a_danger() {
    let document = offline_json(&House::new(), &with("R2_BUCKET_ID", &"0".repeat(32)));
    let found = finding(&document, "bucket_is_not_account");
    assert_eq!(found["severity"], "danger");
    says(found["summary"].as_str().unwrap(), &["R2_BUCKET_ID is not R2_ACCOUNT_ID"]);
    says(found["help"].as_str().unwrap(), &["Create a bucket named like the account id"]);
}

#[test]
fn a_read_key_that_is_the_write_key_is_a_danger() {
    let mut own = Credentials::of(OPERATOR_UID, 0);
    own.read_key_id.clone_from(&own.write_key_id);
    own.read_secret = own.write_secret.clone();
    let document = offline_json(&House::new(), &env_of(&own));
    assert_eq!(finding(&document, "read_is_write")["severity"], "danger");
}

/// Runs a command twice in a world that a shell script prepares, and checks that it works and that `doctor` says so.
fn runs_on_without_a_disk(house: &House, node: &Node, script: &str, words: &[&str]) {
    let under = |command: &str| Ran::of(house.console_under(script, line(&[command], &node.operator_flags())));
    says(&under("status").exits(0).stdout, &["64 uids", "chain and local agree"]);
    says(&under("doctor").exits(1).stdout, &["✓ ws://", "▲ The ", "The console runs on without it"]);
    says(&under("doctor").stdout, words);
}

#[test]
fn a_file_where_the_state_should_be_is_said_and_the_console_runs_on() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    house.write("home/.local/state/grail-console", "not a folder");
    house.write("home/.cache/grail-console", "not a folder");
    let words = ["The state directory cannot be used", "The cache directory cannot be used", "Remove it"];
    runs_on_without_a_disk(&house, &node, "exec \"$@\"", &words);
}

#[test]
fn a_full_disk_is_said_and_the_console_runs_on() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    // No file may grow beyond 0 bytes: what a full disk does to whoever writes.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
    runs_on_without_a_disk(&house, &node, script, &["no room to write", "Free some space"]);
}

#[test]
fn a_read_only_disk_is_said_and_the_console_runs_on() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let home = path(&house.path("home"));
    let script = read_only_disk(&house, &home);
    runs_on_without_a_disk(&house, &node, &script, &["not allowed to write", "Make its directory writable"]);
    let _ = fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700));
}

/// A shell script that runs the console with its home on a read-only file system, or as close to it as this user gets.
pub fn read_only_disk(house: &House, home: &str) -> String {
    if may_mount(house) {
        return format!(
            "unshare -m sh -c 'mount --bind {home} {home} && mount -o remount,bind,ro {home} && exec \"$@\"' sh \"$@\""
        );
    }
    assert!(!rustix::process::geteuid().is_root(), "root passes every permission: this needs a mount");
    format!("chmod 500 {home}; exec \"$@\"")
}

fn may_mount(house: &House) -> bool {
    let tried = "unshare -m sh -c 'mount -t tmpfs -o size=64k none /mnt'";
    Ran::of(house.console_under::<&str>(tried, [])).code == Some(0)
}

#[test]
fn without_any_home_the_console_runs_on() {
    let node = Node::with_uids("healthy", 12);
    let house = House::new();
    let bare = |words: &[&str]| {
        let mut command = house.console(line(words, &node.flags()));
        for name in ["HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        Ran::of(command)
    };
    says(&bare(&["status"]).exits(0).stdout, &["12 uids"]);
    says(&bare(&["doctor"]).stdout, &["HOME is not set", "The console runs on without it"]);
}

fn the_only_file(folder: &Path) -> std::path::PathBuf {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn a_damaged_metadata_cache_is_fetched_again() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 12));
    let bytes_for = || {
        node.sandbox().reset_meter();
        house.run(line(&["status"], &node.flags())).exits(0);
        node.sandbox().meter().bytes_out
    };
    let cold = bytes_for();
    let cached = the_only_file(&house.cache());
    let whole = fs::read(&cached).unwrap();
    let warm = bytes_for();
    assert!(warm * 4 < cold, "{warm} bytes with the cache, {cold} without");
    for damage in [&b"nonsense"[..], b"", &whole[..whole.len() - 1]] {
        fs::write(&cached, damage).unwrap();
        assert!(bytes_for() > warm * 4, "the metadata was asked for again");
        assert_eq!(fs::read(&cached).unwrap(), whole, "and kept in the place of the damaged file");
    }
}

#[test]
fn an_env_file_in_the_current_directory_has_no_effect() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let before = house.run(line(&["status", "--json"], &node.operator_flags())).exits(0).json();
    let doctor = house.run(line(&["doctor"], &node.operator_flags())).exits(0).stdout;
    let hostile = "BT_NETWORK=finney\nBT_CHAIN_ENDPOINT=wss://evil.example\nNETUID=5\nBT_NETUID=5\nBT_WALLET_COLD=evil\n\
                   R2_ENDPOINT_URL=http://evil.example\nR2_READ_ACCESS_KEY_ID=evil\nR2_ACCOUNT_ID=evil\nHOME=/nowhere\n";
    for place in ["work/.env", "home/.env", "work/config.toml", "work/.config/grail-console/config.toml"] {
        house.write(place, hostile);
    }
    let after = house.run(line(&["status", "--json"], &node.operator_flags())).exits(0).json();
    assert_eq!(before, after);
    let again = house.run(line(&["doctor"], &node.operator_flags())).exits(0).stdout;
    assert_eq!(doctor.lines().count(), again.lines().count());
    assert!(!again.contains("evil"));
}

#[test]
fn ambient_credentials_of_other_tools_have_no_effect() {
    let names =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"];
    let house = names.iter().fold(House::new(), |house, name| house.with(name, "http://evil.example"));
    let node = Node::with_uids("healthy", 12);
    says(&house.run(line(&["status"], &node.flags())).exits(0).stdout, &["12 uids"]);
    assert!(!house.run(line(&["doctor"], &node.flags())).stdout.contains("evil"));
}

#[test]
fn another_chain_at_the_same_endpoint_is_told_until_the_first_one_is_back() {
    let (house, node) = (House::new(), Node::with_uids("healthy", 64));
    let runs = |words: &[&str]| house.run(line(words, &node.committing_flags()));
    runs(&["status"]).exits(0);
    node.sandbox().faults().set_wrong_genesis(true);
    for _ in 0..2 {
        let ran = runs(&["status"]).exits(1);
        says(&(ran.stdout + &ran.stderr), &["Another chain than before answers at", "nothing is known of yours"]);
    }
    let document = runs(&["status", "--json"]).exits(1).json();
    assert_eq!(document["findings"][0]["code"], "other_chain");
    let doctor = runs(&["doctor", "--json"]).exits(1).json();
    assert_eq!(finding(&doctor, "other_chain")["severity"], "danger");
    // A validator of the other chain is not the question.
    let visible = runs(&["visible", "--json"]).exits(8).json();
    assert_eq!(visible["findings"][0]["code"], "other_chain");

    let planned = runs(&["commit", "--dry-run", "--json"]).json();
    assert_eq!(finding(&planned, "other_chain")["severity"], "danger");

    node.sandbox().faults().set_wrong_genesis(false);
    runs(&["status"]).exits(0);
}

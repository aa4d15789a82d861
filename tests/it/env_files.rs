//! The `.env` and the files beside it: copies that a killed console left, files and folders of other users, hard links, pipes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use grail_console::config::dotenv::{
    Dotenv, DotenvError, WrittenCopy, left_copies, read_text, replace_file, sweep_copies,
};
use grail_console::config::ownership::{ENV, Objection, of_read, of_writing};
use grail_console::domain::environment::Environment;
use grail_console::sandbox::{BlockTime, Credentials, OPERATOR_UID};
use rstest::rstest;
use serde_json::Value;

use crate::cli_doctor::finding;
use crate::cli_status::path;
use crate::state_files::{CHILD, child_dir};
use crate::support::house::{Ran, says};
use crate::support::node::line;
use crate::support::operator::Operator;
use crate::support::pty::Pty;
use crate::support::rotating::{NEW, OLD, Rotating};

const BEFORE: &[u8] = b"A=old\n";
const AFTER: &[u8] = b"A=new\nSECRET=canary\n";
/// A user that is neither root nor the one who runs the tests.
const OTHER: u32 = 54_321;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder with a `.env` in it.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let env = dir.path().canonicalize().unwrap().join(".env");
    fs::write(&env, BEFORE).unwrap();
    (dir, env)
}

#[test]
fn a_copy_that_somebody_asked_for_is_not_swept_whatever_the_file_beside_it_is_called() {
    let (dir, _) = folder();
    let (env, asked) = (dir.path().join("env"), dir.path().join(".env.grail-console-2026-11-23-211237.bak"));
    fs::write(&env, "A=1\n").unwrap();
    fs::write(&asked, "R2_WRITE_SECRET_ACCESS_KEY=x\n").unwrap();
    assert_eq!((left_copies(&env), sweep_copies(&env)), (vec![], vec![]));
    assert!(asked.exists());
}

#[test]
fn a_copy_is_left_while_its_writer_lives_and_swept_when_it_was_killed() {
    const TEST: &str = "env_files::a_copy_is_left_while_its_writer_lives_and_swept_when_it_was_killed";
    if let Some(root) = child_dir() {
        // Killed between writing the copy and renaming it.
        let _held = WrittenCopy::write(&root.join(".env"), BEFORE, AFTER, None).unwrap();
        println!("written");
        std::io::stdout().flush().unwrap();
        std::thread::park();
        return;
    }
    let (dir, env) = folder();
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(writer.stdout.take().unwrap());
    assert!(std::io::BufRead::lines(said).map_while(Result::ok).any(|line| line.contains("written")));
    let copies = || fs::read_dir(dir.path()).unwrap().count() - 1;
    assert_eq!((copies(), left_copies(&env), sweep_copies(&env)), (1, vec![], vec![]), "its writer lives");
    writer.kill().unwrap();
    writer.wait().unwrap();
    let left = left_copies(&env);
    assert_eq!((left.len(), fs::read(&left[0]).unwrap().as_slice()), (1, AFTER), "it holds the secrets");
    assert_eq!((sweep_copies(&env), copies()), (left, 0));
    assert_eq!(fs::read(&env).unwrap(), BEFORE);
}

#[test]
fn whoever_replaces_the_file_sweeps_what_was_left_however_young() {
    let (dir, env) = folder();
    let held = WrittenCopy::write(&env, BEFORE, AFTER, None).unwrap();
    fs::write(dir.path().join("..env.grail-console-0123456789abcdef"), AFTER).unwrap();
    fs::write(dir.path().join(".env.grail-console-2026-11-23-211237.bak"), AFTER).unwrap();
    replace_file(&env, BEFORE, b"A=other\n", None).unwrap();
    assert!(held.swap().is_err(), "the file is not what it was");
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".env", ".env.grail-console-2026-11-23-211237.bak"], "a backup is none of these");
}

/// A house whose vault has generation 1, and a large `.env` in which a console is killed while it writes.
fn killed() -> (Rotating, PathBuf) {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env"]).exits(0);
    let env = house.operator.has(format!("{}\n", "# so it takes a while\n".repeat(20_000)));
    let words = line(&["keys", "restore-env", "--yes"], &house.flags());
    let limited = "exec prlimit --fsize=200000:200000 --core=0 \"$@\"";
    let ran = Ran::of(house.operator.house.console_under(limited, words));
    assert_eq!(ran.code, None, "it is killed: {}", ran.stderr);
    assert_eq!(left_copies(&env).len(), 1);
    (house, env)
}

#[test]
fn doctor_names_what_a_killed_restore_left_and_the_next_command_that_writes_removes_it() {
    let (house, env) = killed();
    let told = house.run(&["doctor", "--json"]).json();
    says(finding(&told, "env_copy_left")["summary"].as_str().unwrap(), &["with its secrets", ".env.grail-console-"]);
    for command in [&["status"][..], &["keys", "list"], &["rotate", "status"]] {
        house.run(command);
        assert_eq!(left_copies(&env).len(), 1, "{command:?} only reads");
    }
    says(&house.run(&["rotate", "resume"]).stderr, &["removed a copy of the .env that a killed console left"]);
    assert_eq!(left_copies(&env), Vec::<PathBuf>::new());
}

#[test]
fn a_rotation_that_is_killed_while_it_rewrites_the_env_removes_its_copy_and_goes_on() {
    // Blocks so slow that an era is longer than a loaded machine takes for a commit.
    let house = Rotating::of(Operator::at(64, BlockTime::Every(Duration::from_millis(600))));
    house.run(&["status"]);
    let padded = format!("{}{}", house.env(), "# so it takes a while\n".repeat(20_000));
    let env = house.operator.has(padded);
    let keys = house.read_keys(NEW);
    let words = line(&["rotate", "start", "--new-key-file", &keys, "--yes", "--grace", "2"], &house.flags());
    let limited = "exec prlimit --fsize=400000:400000 --core=0 \"$@\"";
    let ran = Ran::of(house.operator.house.console_under(limited, words));
    assert_eq!((ran.code, house.events().last().map(String::as_str)), (None, Some("env_intended")), "{}", ran.stderr);
    assert!(house.env().contains(Credentials::of(OPERATOR_UID, OLD).read_secret.expose()));
    assert_eq!(left_copies(&env).len(), 1);
    house.run(&["rotate", "resume", "--yes"]).exits(0);
    assert!(house.env().contains(Credentials::of(OPERATOR_UID, NEW).read_secret.expose()));
    assert_eq!(fs::read_dir(env.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
}

#[rstest]
#[case(&["commit", "--yes"])]
#[case(&["keys", "restore-env", "--yes"])]
#[case(&["keys", "import", "--from-env"])]
fn every_command_that_writes_removes_it(#[case] command: &[&str]) {
    let (house, env) = killed();
    house.run(command);
    assert_eq!(left_copies(&env), Vec::<PathBuf>::new());
}

#[test]
fn a_hard_link_is_named_and_nothing_is_written_into_it() {
    let (dir, env) = folder();
    fs::hard_link(&env, dir.path().join("other")).unwrap();
    assert_eq!(of_read(ENV, &env, None)[0].code, "hard_linked");
    assert!(matches!(of_writing(&env, Some(OTHER)), Some(Objection::Refused(it)) if it.code == "hard_linked"));
}

#[test]
fn a_pipe_is_read_once_and_kept_and_nothing_can_be_written_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let writing = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(writing, "A=1\n").unwrap());
    let read = || Dotenv::read(&pipe, &Environment::default()).unwrap();
    assert_eq!(read().get("A").unwrap().0.expose(), "1");
    writer.join().unwrap();
    assert_eq!(read().get("A").unwrap().0.expose(), "1", "nobody writes any more");
    assert!(matches!(of_writing(&pipe, None), Some(Objection::Refused(it)) if it.code == "env_is_a_pipe"));
    assert_eq!(of_read(ENV, &pipe, None)[0].code, "env_is_a_pipe");
}

#[test]
fn a_pipe_into_which_nobody_writes_is_a_named_error_and_no_wait_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let silent = read_text(&pipe).unwrap_err();
    assert!(matches!(silent, DotenvError::SilentPipe { .. }), "{silent:?}");
    says(&silent.to_string(), &["is a pipe, and nothing came out of it", "Start what writes into it"]);
}

/// A rotation whose `.env` comes from `<(…)`, as bash gives it.
#[test]
fn a_rotation_with_the_env_in_a_pipe_says_why_it_is_not_rewritten() {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env"]).exits(0);
    let env = path(&house.operator.house.path("grail/.env"));
    let keys = house.read_keys(NEW);
    let flags = house.flags().into_iter().map(|flag| if flag == env { "/dev/fd/9".to_owned() } else { flag });
    let flags: Vec<String> = flags.collect();
    let words = line(&["rotate", "start", "--new-key-file", &keys, "--yes"], &flags);
    let piped = format!("cat '{env}' | {{ exec 9<&0 </dev/null; exec \"$@\"; }}");
    let ran = Ran::of(house.operator.house.console_under(&piped, words)).exits(3);
    says(&ran.stderr, &["is a pipe", "nothing can be written back into it", "rotate resume --env-done"]);
    assert!(house.env().contains(Credentials::of(OPERATOR_UID, OLD).read_secret.expose()), "it is as it was");
    house.operator.has_generation(NEW);
    house.run(&["rotate", "resume"]).exits(0);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_into_which_others_may_write_is_asked_about() {
    let (dir, env) = folder();
    for (open, objects) in [(0o700, false), (0o755, false), (0o757, true), (0o1777, true)] {
        mode(dir.path(), open);
        let found = of_writing(&env, None);
        let asked = matches!(&found, Some(Objection::Asked(it)) if it.code == "env_not_closed");
        assert_eq!(asked, objects, "{open:o}: {found:?}");
        assert_eq!(of_writing(&dir.path().join("new"), None).is_some(), objects, "a file that is not there yet too");
    }
}

/// Who may write into a folder with its group's right is asked about, unless the group is its user's own.
#[test]
fn a_groups_folder_is_asked_about_and_a_users_own_group_is_not() {
    let (dir, env) = folder();
    mode(dir.path(), 0o770);
    let meta = fs::metadata(dir.path()).unwrap();
    assert_eq!(of_writing(&env, None).is_some(), meta.gid() != meta.uid());
    if is_root() {
        chown(dir.path(), None, Some(OTHER)).unwrap();
        assert!(of_writing(&env, None).is_some());
        assert!(of_writing(&env, Some(0)).is_some(), "to name oneself opens no folder");
        chown(dir.path(), Some(OTHER), Some(0)).unwrap();
        assert!(of_writing(&env, Some(OTHER)).is_none(), "the group of the expected owner's folder is meant too");
    }
}

#[test]
fn a_file_of_another_user_is_a_finding_and_asked_about_unless_its_owner_is_expected() {
    let (dir, env) = folder();
    assert!(of_read(ENV, &env, None).is_empty() && of_writing(&env, None).is_none());
    if !is_root() {
        // Root's own are none for anybody.
        assert!(of_read("file", Path::new("/etc/passwd"), None).is_empty());
        return;
    }
    chown(&env, Some(OTHER), Some(OTHER)).unwrap();
    let found = of_read(ENV, &env, None);
    assert_eq!(found[0].code, "foreign_owner");
    says(&found[0].summary, &["belongs to user 54321, not to you"]);
    assert!(matches!(of_writing(&env, None), Some(Objection::Asked(_))));
    assert!(matches!(of_writing(&env, Some(OTHER + 1)), Some(Objection::Asked(_))), "another one is expected");
    assert!(of_read(ENV, &env, Some(OTHER)).is_empty() && of_writing(&env, Some(OTHER)).is_none());
    chown(&env, Some(0), Some(0)).unwrap();
    chown(dir.path(), Some(OTHER), Some(OTHER)).unwrap();
    assert!(matches!(of_writing(&env, None), Some(Objection::Asked(_))), "the folder is another user's");
}

/// What can be seen of other users' files without being root: this process as another user, where it may become one.
#[test]
fn as_a_user_roots_files_are_no_finding_and_those_of_others_are() {
    const TEST: &str = "env_files::as_a_user_roots_files_are_no_finding_and_those_of_others_are";
    if let Some(root) = child_dir() {
        assert_eq!(rustix::process::geteuid().as_raw(), OTHER);
        assert!(of_read("file", Path::new("/etc/passwd"), None).is_empty());
        assert_eq!(of_read(ENV, &root.join("env/theirs"), None)[0].code, "foreign_owner");
        assert!(of_read(ENV, &root.join("env/mine"), None).is_empty());
        assert!(of_writing(&root.join("env/mine"), None).is_none());
        return;
    }
    if !is_root() {
        return as_a_user_without_root();
    }
    let dir = tempfile::tempdir().unwrap();
    mode(dir.path(), 0o755);
    let env = dir.path().join("env");
    fs::create_dir(&env).unwrap();
    for (name, owner) in [("mine", OTHER), ("theirs", OTHER + 1)] {
        fs::write(env.join(name), BEFORE).unwrap();
        chown(env.join(name), Some(owner), Some(owner)).unwrap();
    }
    // Where the test binary lies may be closed to others.
    let binary = dir.path().join("binary");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let child = Command::new("setpriv")
        .args([&format!("--reuid={OTHER}"), &format!("--regid={OTHER}"), "--clear-groups"])
        .arg(&binary)
        .args(["--exact", TEST, "--nocapture"])
        .env(CHILD, dir.path())
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

fn as_a_user_without_root() {
    assert!(of_read("file", Path::new("/etc/passwd"), None).is_empty());
    let (_dir, env) = folder();
    assert!(of_read(ENV, &env, None).is_empty() && of_writing(&env, None).is_none());
}

/// A house whose `.env` lies in a folder into which everybody may write.
fn open_folder() -> Rotating {
    let house = Rotating::new();
    house.run(&["keys", "import", "--from-env"]).exits(0);
    mode(&house.operator.house.path("grail"), 0o777);
    house
}

#[test]
fn yes_is_not_enough_to_write_keys_into_an_open_folder() {
    let house = open_folder();
    let before = house.env();
    let ran =
        house.run(&["rotate", "start", "--new-key-file", &house.read_keys(NEW), "--yes", "--grace", "2", "--json"]);
    let told: Value = ran.exits(3).json();
    assert_eq!(told["blocked_by"][0], "env_not_closed");
    assert!(house.publishes(NEW) && house.env() == before, "it stops before the .env, and nothing is lost");
    let restored = house.run(&["keys", "restore-env", "--yes"]).exits(3);
    says(restored.error(), &["Others may write into the folder", "env_owner"]);
    assert_eq!(house.env(), before);
    mode(&house.operator.house.path("grail"), 0o700);
    house.run(&["rotate", "resume", "--yes"]).exits(0);
    assert_ne!(house.env(), before);
}

#[test]
fn at_a_terminal_somebody_may_agree_to_it() {
    let house = open_folder();
    let words = line(&["keys", "restore-env", "--generation", "1", "--yes"], &house.flags());
    house.operator.has("# empty\n");
    for (answer, writes) in [("no", false), ("yes", true)] {
        let mut terminal = Pty::open(&house.operator.house, &words);
        terminal.shows("Write the keys there all the same");
        terminal.keys(&format!("{answer}\r"));
        terminal.left();
        let is_there = house.env().contains(Credentials::of(OPERATOR_UID, OLD).read_secret.expose());
        assert_eq!(is_there, writes, "{answer}");
    }
}

#[test]
fn doctor_names_files_of_other_users_and_env_owner_expects_one() {
    if !is_root() {
        return names_a_user_that_is_nobody();
    }
    let house = Rotating::new();
    let env = house.operator.house.path("grail/.env");
    let config = house.operator.house.configure("default_profile = 'p'\n[profile.p]\nnetuid = 81\n");
    let passphrase = house.operator.house.write("passphrase", "correct horse\n");
    for file in [&env, &config, &passphrase] {
        chown(file, Some(OTHER), Some(OTHER)).unwrap();
    }
    let own = house.operator.node.sandbox().operator().unwrap();
    let wallet = house.operator.house.path("wallets");
    copy_folder(&own.wallet_path, &wallet);
    let key = wallet.join(own.wallet).join("hotkeys").join(own.hotkey_name);
    chown(&key, Some(OTHER), Some(OTHER)).unwrap();
    let flags = house.operator.flags_of(own.wallet, own.hotkey_name, &path(&wallet));
    let named = ["--vault-passphrase-file".to_owned(), path(&passphrase)];
    let flags: Vec<String> = flags.into_iter().chain(named).collect();
    let told = house.operator.house.run(line(&["doctor", "--json"], &flags)).json();
    let foreign: Vec<String> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["code"] == "foreign_owner")
        .map(|finding| finding["summary"].as_str().unwrap().to_owned())
        .collect();
    for what in [".env", "configuration file", "password file", "hotkey file"] {
        assert!(foreign.iter().any(|found| found.contains(what)), "{what}: {foreign:?}");
    }
    house.operator.house.configure(&format!("default_profile = 'p'\n[profile.p]\nenv_owner = {OTHER}\n"));
    let told = house.operator.run(&["doctor", "--json"]).json();
    let still = told["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "foreign_owner");
    let still: Vec<_> = still.map(|finding| finding["summary"].as_str().unwrap()).collect();
    assert!(!still.iter().any(|found| found.contains(".env")), "{still:?}");
    house.run(&["keys", "import", "--from-env"]).exits(0);
    house.operator.has("# empty\n");
    house.run(&["keys", "restore-env", "--yes"]).exits(0);
    assert_eq!(fs::metadata(&env).unwrap().uid(), OTHER, "it stays the owner's");
}

/// `env_owner` by a name that nobody has.
fn names_a_user_that_is_nobody() {
    let house = Rotating::new();
    house.operator.house.configure("default_profile = 'p'\n[profile.p]\nenv_owner = 'nobody-of-this-name'\n");
    let words = ["env_owner", "/etc/passwd", "write the uid"];
    says(&house.run(&["status"]).stderr, &words);
    says(house.run(&["keys", "import", "--from-env"]).exits(2).error(), &words);
}

#[test]
fn an_owner_that_is_expected_is_named_by_number_or_by_a_name_of_this_machine() {
    names_a_user_that_is_nobody();
    let house = Rotating::new();
    house.operator.house.configure("default_profile = 'p'\n[profile.p]\nenv_owner = 'root'\n");
    let told = house.run(&["doctor", "--json"]).json();
    let setting = told["settings"].as_array().unwrap().iter().find(|line| line["name"] == "env-owner").unwrap();
    assert_eq!(setting["value"], "0");
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

//! Secrets that tests of buckets use and never show: those that others published, and the own ones.

use grail_console::sandbox::{CommitmentSpec, Credentials, OPERATOR_UID};

use crate::canary::Canaries;
use crate::support::house::House;
use crate::support::node::{Node, line};
use crate::support::pty::Pty;

/// A house in which everything is logged, a practice node, and every secret of both.
struct Aviary {
    house: House,
    node: Node,
    canaries: Canaries,
}

impl Aviary {
    fn new(scenario: &str) -> Self {
        let node = Node::with_uids(scenario, 64);
        let mut canaries = Canaries::default();
        // Ids of the former members are made of the bytes of the first two uids' secrets.
        for uid in 2..64 {
            canaries.add(&format!("read secret of uid {uid}"), Credentials::of(uid, 0).read_secret.expose());
        }
        let own = Credentials::of(OPERATOR_UID, 0);
        canaries.add("own write secret", own.write_secret.expose());
        canaries.add("own next read secret", Credentials::of(OPERATOR_UID, 1).read_secret.expose());
        Self { house: House::new().with("GRAIL_CONSOLE_LOG", "trace"), node, canaries }
    }

    fn flags(&self) -> Vec<String> {
        let store = ["--s3-endpoint".to_owned(), self.node.sandbox().s3_url().to_owned()];
        self.node.operator_flags().into_iter().chain(store).collect()
    }

    #[track_caller]
    fn command_is_clean(&self, words: &[&str]) -> String {
        let ran = self.house.run(line(words, &self.flags()));
        self.canaries.absent(&format!("stdout of {words:?}"), ran.stdout.as_bytes());
        self.canaries.absent(&format!("stderr of {words:?}"), ran.stderr.as_bytes());
        let seen = ran.stdout + &ran.stderr;
        // Practice ids resemble each other in part, so that only the whole gives one away.
        assert!(!seen.contains(&Credentials::of(OPERATOR_UID, 0).write_key_id), "{words:?}");
        seen
    }

    #[track_caller]
    fn files_are_clean(&self) {
        let files = self.house.files();
        assert!(files.len() >= 2, "something was written: {files:?}");
        for (file, content) in files {
            self.canaries.absent(&file.display().to_string(), &content);
        }
    }

    #[track_caller]
    fn commands_are_clean(&self, commands: &[&[&str]]) -> String {
        let mut seen = String::new();
        for words in commands {
            for json in [&[][..], &["--json"]] {
                seen += &self.command_is_clean(&[words, json].concat());
            }
        }
        self.files_are_clean();
        seen
    }
}

const COMMANDS: [&[&str]; 8] = [
    &["probe", "42"],
    &["probe", "17", "18", "--list"],
    &["probe", "--all"],
    &["probe", "--filter", "role:validator"],
    &["probe", "999"],
    &["visible"],
    &["self-test"],
    &["self-test", "--read-only"],
];

#[test]
fn no_test_of_healthy_buckets_shows_or_keeps_a_secret() {
    let seen = Aviary::new("healthy").commands_are_clean(&COMMANDS);
    for words in ["on time", "A validator would see you now", "The published key reads what was written"] {
        assert!(seen.contains(words), "the secrets were used: {words}");
    }
}

#[test]
fn no_test_of_faulty_buckets_shows_or_keeps_a_secret() {
    let aviary = Aviary::new("r2-faults");
    // Waiting for those who never answer would show nothing more.
    for uid in [35, 36] {
        aviary.node.sandbox().s3().set_fault(uid, None);
    }
    let seen = aviary.commands_are_clean(&COMMANDS);
    assert!(seen.contains("unknown key") && seen.contains("bad secret"), "{seen}");
}

#[test]
fn a_key_that_leads_nowhere_is_not_shown_either() {
    let aviary = Aviary::new("drift");
    let own = Credentials::of(20, 0);
    let torn = format!("{:<32}{:<32}{}", "evil.example/", own.read_key_id, own.read_secret.expose());
    aviary.node.commit([(20, CommitmentSpec::raw(torn))]);
    let seen = aviary.command_is_clean(&["probe", "20"]);
    assert!(seen.contains("What is published leads nowhere"), "{seen}");
    aviary.command_is_clean(&["probe", "20", "--json"]);
    aviary.files_are_clean();
}

#[test]
fn no_process_that_tests_shows_a_secret_on_a_terminal() {
    let aviary = Aviary::new("healthy");
    for words in [&["probe", "--all"][..], &["visible"], &["self-test"]] {
        let left = Pty::open(&aviary.house, line(words, &aviary.flags())).left();
        aviary.canaries.absent(&format!("the terminal of {words:?}"), &left.bytes);
    }
    aviary.files_are_clean();
}

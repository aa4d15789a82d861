//! A rotation whose files are lost or spoiled: each file of the state folder removed, cut, or put back from an old copy, at
//! each phase. It ends finished or rolled back all the same: the chain, the store and what is left decide.

use std::fs;
use std::path::{Path, PathBuf};

use grail_console::sandbox::{Credentials, OPERATOR_UID};
use rstest::rstest;
use serde_json::{Value, json};

use crate::cli_doctor::finding;
use crate::cli_rotate::document;
use crate::rotate_killed::{finish, is_whole};
use crate::support::house::says;
use crate::support::rotating::{NEW, OLD, Rotating};

/// How far the rotation is when the file is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Draft,
    Planned,
    Submitted,
    Promoted,
    Grace,
    Back,
}

/// What becomes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Removed,
    Cut,
    /// As it was before the rotation began.
    Old,
}

/// A rotation, with the state folder as it was before it began.
struct Lost {
    house: Rotating,
    before: Vec<(PathBuf, Vec<u8>)>,
}

impl Lost {
    fn at(at: At) -> Self {
        let house = Rotating::new();
        house.run(&["keys", "import", "--from-env"]).exits(0);
        let state = house.operator.house.state();
        let before = house.operator.house.files().into_iter().filter(|(path, _)| path.starts_with(&state)).collect();
        let lost = Self { house, before };
        lost.go_to(at);
        lost
    }

    fn go_to(&self, at: At) {
        match at {
            At::Draft => self.kill_at("putting the new keys into the vault"),
            At::Planned => drop(self.start(&[]).exits(7)),
            At::Submitted => self.kill_at("✓ sent as"),
            At::Promoted => self.kill_at("✓ in use in the vault"),
            At::Grace => drop(self.start(&["--yes", "--grace", "2"]).exits(0)),
            At::Back => {
                self.go_to(At::Grace);
                let mut running = self.house.start(&["rotate", "rollback", "--yes"]);
                running.says("✓ turned back");
                running.kill_if_alive();
            }
        }
    }

    fn start(&self, more: &[&str]) -> crate::support::house::Ran {
        let keys = self.house.read_keys(NEW);
        self.house.run(&[&["rotate", "start", "--new-key-file", &keys][..], more].concat())
    }

    fn kill_at(&self, words: &str) {
        let keys = self.house.read_keys(NEW);
        let mut running = self.house.start(&["rotate", "start", "--new-key-file", &keys, "--grace", "2", "--yes"]);
        running.says(words);
        running.kill_if_alive();
    }

    fn damage(&self, file: &Path, damage: Damage) {
        match damage {
            Damage::Removed => fs::remove_file(file).unwrap(),
            Damage::Cut => {
                let whole = fs::read(file).unwrap();
                fs::write(file, &whole[..whole.len() / 2]).unwrap();
            }
            Damage::Old => {
                let (_, old) = self.before.iter().find(|(path, _)| path == file).expect("it was there before");
                fs::write(file, old).unwrap();
            }
        }
    }

    fn index(&self) -> PathBuf {
        self.house.file_of("vault", "json").unwrap()
    }

    fn store(&self) -> PathBuf {
        self.house.file_of("vault", "age").unwrap()
    }

    fn journal(&self) -> PathBuf {
        self.house.journal_file().unwrap()
    }

    fn import(&self) {
        self.house.run(&["keys", "import", "--from-env"]).exits(0);
    }

    fn phase(&self) -> Value {
        document(&self.house.run(&["rotate", "status", "--json"]))["phase"].clone()
    }

    /// The old keys are those in use everywhere, and nothing is open.
    #[track_caller]
    fn is_rolled_back(&self) {
        assert!(["rolled_back", "abandoned"].map(Value::from).contains(&self.phase()), "{}", self.phase());
        assert!(self.house.publishes(OLD));
        let old = Credentials::of(OPERATOR_UID, OLD);
        assert!(self.house.env().contains(old.read_secret.expose()));
        assert_eq!(self.house.index()["current"], 1);
        self.reads(1);
    }

    /// The store holds a generation whole.
    #[track_caller]
    fn reads(&self, number: u64) {
        let listed = self.house.run(&["keys", "list", "--check", "--json"]).json();
        let generations = listed["generations"].as_array().unwrap();
        let line = generations.iter().find(|line| line["generation"] == number);
        assert!(line.is_some_and(|line| line["kept"] == true), "{listed:#}");
    }

    #[track_caller]
    fn rolls_back(&self) {
        self.house.operator.until("the way back", |_| {
            let told = document(&self.house.run(&["rotate", "rollback", "--yes", "--json"]));
            ["rolled_back", "abandoned"].map(Value::from).contains(&told["phase"])
        });
        self.is_rolled_back();
    }

    /// Retires the old keys.
    #[track_caller]
    fn retires(&self) {
        self.house.revoke(OLD);
        let retired = || self.house.run(&["rotate", "retire", "--json"]);
        self.house.operator.until("the end of the grace", |_| retired().code == Some(0));
        assert_eq!((self.phase(), self.house.publishes(NEW)), (json!("retired"), true));
    }
}

#[rstest]
fn a_lost_index_is_derived_again_and_the_rotation_is_finished(
    #[values(At::Draft, At::Planned, At::Submitted, At::Promoted, At::Grace)] at: At,
    #[values(Damage::Removed, Damage::Cut, Damage::Old)] damage: Damage,
) {
    let lost = Lost::at(at);
    lost.damage(&lost.index(), damage);
    finish(&lost.house);
    is_whole(&lost.house);
}

#[rstest]
fn a_lost_index_is_derived_again_and_the_rotation_is_rolled_back(
    #[values(At::Draft, At::Planned, At::Promoted, At::Grace, At::Back)] at: At,
    #[values(Damage::Removed, Damage::Old)] damage: Damage,
) {
    let lost = Lost::at(at);
    lost.damage(&lost.index(), damage);
    lost.rolls_back();
}

#[test]
fn the_folder_of_the_index_is_lost_with_everything_but_the_keys() {
    let lost = Lost::at(At::Grace);
    for file in fs::read_dir(lost.store().parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
        if file != lost.store() {
            fs::remove_file(file).unwrap();
        }
    }
    let told = document(&lost.house.run(&["rotate", "resume", "--json"]).exits(0));
    let derived = finding(&told, "vault_index_derived");
    says(derived["summary"].as_str().unwrap(), &["did not know generation 1", "generation 2", "derived again"]);
    is_whole(&lost.house);
}

#[test]
fn doctor_names_what_the_journal_knows_and_the_index_does_not() {
    let lost = Lost::at(At::Grace);
    lost.damage(&lost.index(), Damage::Old);
    // Without its key the store stays closed.
    let told = lost.house.operator.run(&["doctor", "--json"]).json();
    let named = finding(&told, "vault_index_incomplete");
    says(named["summary"].as_str().unwrap(), &["generation 2 (read key ", "that generation 2 is in use"]);
    let text = lost.house.run(&["keys", "list", "--check"]).exits(0);
    says(&text.stderr, &["did not know generation 2", "derived again"]);
    assert_eq!(lost.house.held(), [1, 2]);
}

#[test]
fn a_number_that_the_journal_gave_out_is_not_given_again() {
    let lost = Lost::at(At::Planned);
    lost.rolls_back();
    fs::remove_file(lost.index()).unwrap();
    let keys = lost.house.read_keys(NEW);
    lost.house.run(&["rotate", "start", "--new-key-file", &keys, "--yes"]).exits(0);
    assert_eq!(lost.house.held(), [1, 3], "2 was given out, and its keys are forgotten");
}

#[rstest]
fn a_store_that_is_lost_before_anything_was_published_is_rolled_back(
    #[values(At::Draft, At::Planned)] at: At,
    #[values(Damage::Removed, Damage::Old)] damage: Damage,
) {
    let lost = Lost::at(at);
    lost.damage(&lost.store(), damage);
    lost.house.run(&["rotate", "rollback", "--yes"]).exits(0);
    lost.import();
    lost.is_rolled_back();
}

#[rstest]
fn a_store_that_is_lost_in_the_grace_gets_its_new_keys_back_from_the_env(
    #[values(Damage::Removed, Damage::Cut, Damage::Old)] damage: Damage,
) {
    let lost = Lost::at(At::Grace);
    lost.damage(&lost.store(), damage);
    let blocked = lost.house.run(&["rotate", "retire", "--json"]);
    if damage == Damage::Cut {
        says(&blocked.exits(6).stdout, &["move it away and import the keys again"]);
        fs::rename(lost.store(), lost.house.operator.house.path("away")).unwrap();
    } else {
        says(&blocked.exits(7).stdout, &["is not in the vault any more", "keys import"]);
    }
    lost.import();
    lost.reads(2);
    lost.retires();
    assert_eq!(lost.house.held(), [2]);
    let said_so = lost.house.events().contains(&"lost".to_owned());
    assert_eq!(said_so, damage != Damage::Old, "the old key could not be asked for any more");
}

#[rstest]
fn a_store_that_is_lost_while_the_env_has_the_old_keys_goes_back_to_them(
    #[values(Damage::Removed, Damage::Old)] damage: Damage,
) {
    let lost = Lost::at(At::Promoted);
    lost.house.operator.has_generation(OLD);
    lost.damage(&lost.store(), damage);
    if damage == Damage::Removed {
        lost.import();
    }
    lost.rolls_back();
}

/// On the way back with both generations lost: the `.env` still has the new keys, and the old ones are nowhere any more.
#[test]
fn a_store_that_is_lost_on_the_way_back_goes_on_with_the_keys_that_are_left() {
    let lost = Lost::at(At::Back);
    lost.house.operator.has_generation(NEW);
    lost.damage(&lost.store(), Damage::Removed);
    says(
        &lost.house.run(&["rotate", "resume", "--yes"]).exits(7).stderr,
        &["is not in the vault any more", "keys import"],
    );
    lost.import();
    finish(&lost.house);
    assert_eq!(lost.phase(), "grace");
    lost.retires();
}

#[test]
fn without_its_journal_a_planned_rotation_is_begun_again_with_the_same_keys() {
    let lost = Lost::at(At::Planned);
    fs::remove_file(lost.journal()).unwrap();
    let told = lost.house.run(&["doctor", "--json"]).json();
    says(finding(&told, "rotation_journal_lost")["summary"].as_str().unwrap(), &["Generation 2 came by a rotation"]);
    lost.start(&["--yes", "--grace", "2"]).exits(0);
    is_whole(&lost.house);
}

#[rstest]
fn without_its_journal_a_promoted_rotation_is_ended_by_hand(#[values(At::Promoted, At::Grace)] at: At) {
    let lost = Lost::at(at);
    fs::remove_file(lost.journal()).unwrap();
    lost.house.run(&["keys", "restore-env", "--yes"]).exits(0);
    lost.house.run(&["keys", "remove", "1", "--yes"]).exits(0);
    assert!(lost.house.publishes(NEW));
    assert!(lost.house.env().contains(Credentials::of(OPERATOR_UID, NEW).read_secret.expose()));
    assert_eq!((lost.house.held(), &lost.house.index()["current"]), (vec![2], &json!(2)));
    lost.house.run(&["commit", "--yes"]).exits(0);
}

/// An old copy of a journal is one that ends earlier.
#[rstest]
fn a_journal_that_ends_too_early_is_gone_on_with(#[values(1, 2, 4, 6, 8, 10)] lines: usize) {
    let lost = Lost::at(At::Grace);
    let text = fs::read_to_string(lost.journal()).unwrap();
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(all.len() > lines, "{text}");
    fs::write(lost.journal(), all[..lines].concat()).unwrap();
    finish(&lost.house);
    is_whole(&lost.house);
}

#[test]
fn a_journal_from_before_the_old_keys_were_forgotten_is_ended_without_them() {
    let lost = Lost::at(At::Grace);
    let journal = fs::read(lost.journal()).unwrap();
    lost.retires();
    fs::write(lost.journal(), journal).unwrap();
    lost.retires();
    assert!(lost.house.events().contains(&"lost".to_owned()));
    assert_eq!(lost.house.held(), [2]);
}

#[rstest]
fn without_the_journal_of_commits_the_chain_decides(#[values(At::Submitted, At::Promoted, At::Grace)] at: At) {
    let lost = Lost::at(at);
    if at == At::Submitted {
        lost.house.operator.until("the commit", |_| lost.house.publishes(NEW));
    }
    fs::remove_file(lost.house.file_of("journal", "jsonl").unwrap()).unwrap();
    finish(&lost.house);
    is_whole(&lost.house);
}

#[rstest]
fn snapshots_notes_of_chains_locks_logs_and_metadata_are_made_again(#[values(true, false)] removed: bool) {
    let lost = Lost::at(At::Grace);
    let (state, cache) = (lost.house.operator.house.state(), lost.house.operator.house.cache());
    let mut spoiled = 0;
    for (path, _) in lost.house.operator.house.files() {
        let below = ["snapshots", "logs"].iter().any(|folder| path.starts_with(state.join(folder)));
        let is_lock = path.extension().is_some_and(|ending| ending == "lock");
        if below || is_lock || path.starts_with(&cache) {
            spoiled += 1;
            if removed { fs::remove_file(&path).unwrap() } else { fs::write(&path, vec![b'x'; 4_096]).unwrap() }
        }
    }
    assert!(spoiled >= 3, "{spoiled} files");
    lost.house.run(&["status"]).exits(0);
    let told = lost.house.run(&["status", "--json"]).json();
    let complaints = told["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "no_disk");
    assert_eq!(complaints.count(), 0, "{told:#}");
    is_whole(&lost.house);
}

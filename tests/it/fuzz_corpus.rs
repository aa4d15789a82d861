//! The saved corpora of the fuzz targets, with the properties that each target checks (`tests/fuzz`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rstest::rstest;

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// The largest corpus of all targets together, in bytes.
const MOST: usize = 1 << 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

/// The inputs of a target, by their files' names.
fn inputs(target: &str) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder().join(target)).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

/// Replays a corpus: every property holds for every input, and the inputs come as far as these words.
#[rstest]
#[case::dotenv("dotenv", &["rewritten", "refused", "not_utf8"])]
#[case::extrinsic("extrinsic", &["signed", "wrapped", "not_in_block", "disputed"])]
#[case::journal("journal", &["commits", "rotations", "contradiction", "spoiled", "index", "lost"])]
#[case::key_file("key_file", &["unlocked", "encrypted", "no_key", "watched", "refused"])]
#[case::keyring_secret("keyring_secret", &["read", "kept", "not_ours", "check", "foreign", "newer"])]
#[case::metadata("metadata", &["signed", "metadata"])]
#[case::proof("proof", &["proven", "unproven", "no_root"])]
#[case::rpc_frame("rpc_frame", &["not_a_node", "closed"])]
#[case::s3_answer("s3_answer", &["ok", "not_s3", "no_object", "scope_denied", "throttled", "provider_error"])]
#[case::storage_value("storage_value", &["readable", "unreadable", "readable_otherwise", "other", "read"])]
fn every_property_holds_for_the_saved_inputs_of(#[case] target: &str, #[case] words: &[&str]) {
    let (_, run) = targets::TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    let mut told = BTreeMap::<&str, usize>::new();
    for (name, input) in inputs(target) {
        let word = std::panic::catch_unwind(|| run(&input)).unwrap_or_else(|_| panic!("{target}/{name}"));
        *told.entry(word).or_default() += 1;
    }
    assert!(words.iter().all(|word| told.contains_key(word)), "{target}: {told:?}");
}

#[rstest]
#[case::a_subnet_that_is_read("honest", &["read"])]
// The connection ends behind the last message, which may be before the change is told.
#[case::a_subnet_that_is_followed("feed", &["followed", "changed"])]
fn honest_dialogues_are_among_the_saved_messages_of_nodes(#[case] name: &str, #[case] words: &[&str]) {
    let input = &inputs("rpc_frame")[name];
    let word = targets::rpc_frame::within(Duration::from_secs(30), input);
    assert!(words.contains(&word), "{word}");
}

#[test]
fn each_target_has_a_file_and_a_corpus_and_all_together_are_small() {
    let listed: Vec<_> = targets::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let names = |of: &str| {
        let files = fs::read_dir(folder().with_file_name(of)).unwrap().map(|file| file.unwrap().path());
        let mut names: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!((names("targets"), names("corpus")), (listed.clone(), listed.clone()));
    let bytes: usize = listed.iter().flat_map(|target| inputs(target).into_values()).map(|input| input.len()).sum();
    assert!(bytes < MOST, "{bytes} bytes");
}

#[derive(serde::Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(PartialEq, Eq, serde::Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[test]
fn the_targets_are_built_with_the_very_dependencies_of_the_console() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = |file: &str| toml::from_str::<Lock>(&fs::read_to_string(root.join(file)).unwrap()).unwrap().package;
    let known = packages("Cargo.lock");
    // libFuzzer, and what it is built with.
    let own = ["grail-console-fuzz", "libfuzzer-sys", "arbitrary", "jobserver"];
    for package in packages("tests/fuzz/Cargo.lock") {
        let Package { name, version } = &package;
        let is_known = own.contains(&name.as_str()) || known.contains(&package);
        assert!(is_known, "{name} {version}: copy Cargo.lock to tests/fuzz and run cargo metadata there");
    }
}

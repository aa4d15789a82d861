//! The layers point one way (see the crate docs of the library).

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use. `chain` may know the signer type of `wallet`, `vault` the atomic files of `state`; nothing else crosses.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("domain", &[]),
    ("net", &["domain"]),
    ("chain", &["domain", "net", "wallet"]),
    ("wallet", &["domain"]),
    ("storage", &["domain", "net"]),
    ("state", &["domain"]),
    ("vault", &["domain", "state"]),
    ("config", &["domain"]),
    ("logs", &["domain"]),
    ("sandbox", &["domain"]),
    ("ops", &["domain", "chain", "wallet", "storage", "vault", "state", "config", "logs"]),
    ("engine", &["domain", "config", "logs", "ops"]),
    ("report", &["domain", "ops", "engine"]),
    (
        "cli",
        &[
            "domain", "chain", "wallet", "storage", "vault", "state", "config", "logs", "sandbox", "ops", "engine",
            "report", "tui",
        ],
    ),
    ("tui", &["domain", "engine", "report"]),
];

/// The pure half of the console: state, messages, updates, key map and views know what is known and how it is told.
const PURE_TUI: [&str; 4] = ["domain", "tui", "engine", "report"];

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![under.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names that begin a piece of text, one after each occurrence of a path's start.
fn names_after<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = String> + 't {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    text.split(start).skip(1).map(name)
}

/// Every layer named in a source file, in `use` lines and in paths alike: by `crate::layer`, or by as many `super::` as
/// lead from the file's own module to the root of the crate.
fn layers_named(file: &Path, text: &str) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = file.strip_prefix(&src).unwrap();
    let is_folder = inside.file_name().is_some_and(|name| name == "mod.rs");
    let depth = inside.components().count() - usize::from(is_folder);
    // Inside a module of tests one more `super` leads there; a longer path cannot mean anything else.
    let at_least = "super::".repeat(depth);
    let beyond = names_after(text, &at_least).filter(|name| name != "super");
    let mut named: Vec<String> = names_after(text, "crate::").chain(beyond).collect();
    named.retain(|name| !name.is_empty());
    named
}

#[test]
fn a_layer_is_seen_however_its_path_is_written() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = |file: &str, text: &str| layers_named(&src.join(file), text);
    assert_eq!(named("tui/view/you.rs", "use crate::chain::Node;"), ["chain"]);
    assert_eq!(named("tui/view/you.rs", "use super::super::super::chain::Node;"), ["chain"]);
    assert_eq!(named("tui/view/mod.rs", "super::super::chain::follow()"), ["chain"]);
    assert_eq!(named("tui/view/you.rs", "use super::super::state::State;"), [""; 0]);
}

#[test]
fn every_layer_uses_only_the_layers_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut seen = 0;
    for (layer, allowed) in MAY_USE {
        let folder = src.join(layer);
        let files = if folder.is_dir() { sources(&folder) } else { vec![src.join(format!("{layer}.rs"))] };
        for file in files {
            seen += 1;
            let text = fs::read_to_string(&file).unwrap();
            for used in layers_named(&file, &text) {
                let fine = used == layer || allowed.contains(&used.as_str());
                assert!(fine, "{} reaches from {layer} into {used}", file.display());
            }
        }
    }
    assert!(seen > 40, "only {seen} files were looked at: has the tree moved?");
}

#[test]
fn the_pure_half_of_the_console_does_no_io() {
    let tui = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    for file in sources(&tui) {
        let name = file.strip_prefix(&tui).unwrap().to_string_lossy().into_owned();
        if matches!(name.as_str(), "runner.rs" | "terminal.rs" | "listen.rs" | "job.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for forbidden in ["std::fs", "std::env", "std::net", "tokio::", "SystemTime::now", "Instant::now"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
        }
        for used in layers_named(&file, &text) {
            assert!(PURE_TUI.contains(&used.as_str()), "{} reaches into {used}", file.display());
        }
    }
}

/// Names that were replaced by plain ones, below which folder of `src`, and of which kind.
#[derive(serde::Deserialize)]
struct Words {
    word: Vec<Replaced>,
}

#[derive(serde::Deserialize)]
struct Replaced {
    kind: Kind,
    r#where: String,
    /// The old name, and the plain one.
    names: std::collections::BTreeMap<String, String>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Module,
    Type,
    Function,
}

/// Whether a source file is a module of that name, or declares a type or a function of it.
fn declares(file: &Path, text: &str, kind: Kind, name: &str) -> bool {
    let declared = |keywords: &[&str]| {
        keywords.iter().any(|keyword| names_after(text, &format!("{keyword} ")).any(|declared| declared == name))
    };
    match kind {
        Kind::Module => file.with_extension("").components().any(|part| part.as_os_str() == name),
        Kind::Type => declared(&["struct", "enum", "trait", "union", "type"]),
        Kind::Function => declared(&["fn"]),
    }
}

#[test]
fn no_name_that_was_replaced_by_a_plain_one_comes_back() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let words: Words = toml::from_str(include_str!("words.toml")).unwrap();
    for Replaced { kind, r#where: place, names } in words.word {
        let files = sources(&src.join(&place));
        assert!(!files.is_empty(), "nothing is below {place}");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let inside = file.strip_prefix(src.join(&place)).unwrap();
            for (old, plain) in &names {
                assert!(!declares(inside, &text, kind, old), "{}: {old} is called {plain}", file.display());
            }
        }
    }
}

/// Signing takes a draft, a draft takes what the guard cleared, and only the guard makes that: there is no way around it.
#[test]
fn the_guard_is_the_only_door_to_signing() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let naming = |words: &str| -> Vec<String> {
        let of = |file: &PathBuf| file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let holds = |file: &PathBuf| fs::read_to_string(file).unwrap().contains(words);
        let mut found: Vec<_> = sources(&src).iter().filter(|file| holds(file)).map(of).collect();
        found.retain(|file| !file.starts_with("sandbox/") && !file.starts_with("wallet/"));
        found.sort();
        found
    };
    assert_eq!(naming("signer.sign("), ["chain/commit/extrinsic.rs"]);
    // By a pair that was tested, or of which somebody said that it need not be.
    assert_eq!(naming("draft.sign("), ["ops/commit/publish.rs"]);
    assert_eq!(naming("Ok(Cleared {"), ["domain/guard/mod.rs"]);
    assert_eq!(naming(".author_submit"), ["chain/session.rs"]);
    let guard = fs::read_to_string(src.join("domain/guard/mod.rs")).unwrap();
    assert_eq!(guard.matches("Cleared {").count(), 4, "declared, implemented twice, made once");
}

//! The layers point one way (see the crate docs of the library).

use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use. `chain` may know the signer type of `wallet`, `vault` the atomic files of `state`; nothing else crosses.
const MAY_USE: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("chain", &["domain", "wallet"]),
    ("wallet", &["domain"]),
    ("storage", &["domain"]),
    ("state", &["domain"]),
    ("vault", &["domain", "state"]),
    ("config", &["domain"]),
    ("logs", &["domain"]),
    ("sandbox", &["domain"]),
    ("ops", &["domain", "chain", "wallet", "storage", "vault", "state", "config", "logs"]),
    ("cli", &["domain", "chain", "wallet", "storage", "vault", "state", "config", "logs", "sandbox", "ops", "tui"]),
    ("tui", &["domain", "logs", "state", "ops"]),
];

/// The pure half of the console: state, messages, updates, key map and views know domain types only.
const PURE_TUI: [&str; 4] = ["domain", "tui", "ops", "logs"];

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

/// Every `crate::layer` named in a source file, in `use` lines and in paths alike.
fn layers_named(text: &str) -> Vec<String> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
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
            for used in layers_named(&text) {
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
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if matches!(name.as_str(), "runner" | "terminal" | "mod") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for forbidden in ["std::fs", "std::env", "std::net", "tokio::", "SystemTime::now", "Instant::now"] {
            assert!(!text.contains(forbidden), "{} uses {forbidden}", file.display());
        }
        for used in layers_named(&text) {
            assert!(PURE_TUI.contains(&used.as_str()), "{} reaches into {used}", file.display());
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
    assert_eq!(naming("Ok(Cleared {"), ["domain/guard.rs"]);
    assert_eq!(naming(".author_submit"), ["chain/session.rs"]);
    let guard = fs::read_to_string(src.join("domain/guard.rs")).unwrap();
    assert_eq!(guard.matches("Cleared {").count(), 4, "declared, implemented twice, made once");
}

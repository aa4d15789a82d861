//! What `keys` prints: the list, and what an action came to.

use std::path::Path;

use serde::Serialize;

use super::table::{BAD, DIM, GOOD, WARN, cell, plain, table};
use crate::domain::diagnostic::Diagnostic;
use crate::domain::rotation::Seen;
use crate::domain::text::age_seconds;
use crate::domain::untrusted::sanitize;
use crate::domain::vault_index::{Backend, GenerationNumber, Holding, KeyRef, Origin};
use crate::ops::keys::{Commented, Listed, PlaceKeys, Restored};

pub(super) use crate::ops::keys::Listing;

/// A key pair without its secret.
#[derive(Debug, Serialize)]
struct PairDocument {
    shown: String,
    fingerprint: String,
}

#[derive(Debug, Serialize)]
struct GenerationDocument {
    generation: GenerationNumber,
    backend: Backend,
    current: bool,
    origin: Origin,
    created_ms: u64,
    age_ms: u64,
    locator: Option<String>,
    read: Option<PairDocument>,
    write: Option<PairDocument>,
    used_by: Vec<&'static str>,
    kept: Option<bool>,
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct PlaceDocument {
    place: &'static str,
    lines: Vec<u32>,
    read: Option<PairDocument>,
    write: Option<PairDocument>,
}

/// `keys list --json`
#[derive(Debug, Serialize)]
pub(super) struct ListDocument {
    generations: Vec<GenerationDocument>,
    places: Vec<PlaceDocument>,
    chain: Option<String>,
}

/// `keys import|restore-env|remove --json`
#[derive(Debug, Serialize)]
pub(super) struct ActionDocument<'a> {
    action: &'static str,
    generation: GenerationNumber,
    backend: Backend,
    read: Option<PairDocument>,
    write: Option<PairDocument>,
    env: Option<&'a EnvDocument>,
}

/// What became of the `.env`.
#[derive(Debug, Serialize)]
pub(super) struct EnvDocument {
    file: String,
    changed: Vec<&'static str>,
    backup: Option<String>,
    still_on_lines: Vec<u32>,
    /// The rule that kept it as it was.
    #[serde(skip)]
    pub(super) refused: Option<Diagnostic>,
    problem: Option<String>,
    #[serde(skip)]
    what: &'static str,
}

impl PairDocument {
    fn of(key: &KeyRef) -> Self {
        Self { shown: key.shown.clone(), fingerprint: key.secret.to_string() }
    }
}

impl ListDocument {
    pub(super) fn of(listing: &Listing) -> Self {
        let pair = |key: &Option<KeyRef>| key.as_ref().map(PairDocument::of);
        let generation = |listed: &Listed| GenerationDocument {
            generation: listed.holding.number,
            backend: listed.holding.backend,
            current: listed.in_use,
            origin: listed.holding.origin,
            created_ms: listed.holding.created_ms,
            age_ms: listing.at_ms.saturating_sub(listed.holding.created_ms),
            locator: listed.holding.locator.clone(),
            read: pair(&listed.holding.read),
            write: pair(&listed.holding.write),
            used_by: listed.used_by.clone(),
            kept: listed.kept.as_ref().map(Result::is_ok),
            problem: listed.kept.as_ref().and_then(|kept| kept.as_ref().err().cloned()),
        };
        let place = |keys: &PlaceKeys| PlaceDocument {
            place: keys.place.word(),
            lines: keys.lines.clone(),
            read: pair(&keys.read),
            write: pair(&keys.write),
        };
        Self {
            generations: listing.generations.iter().map(generation).collect(),
            places: listing.places.iter().map(place).collect(),
            chain: listing.chain.as_ref().map(ToString::to_string),
        }
    }
}

impl<'a> ActionDocument<'a> {
    pub(super) fn of(action: &'static str, holding: &Holding, env: Option<&'a EnvDocument>) -> Self {
        Self {
            action,
            generation: holding.number,
            backend: holding.backend,
            read: holding.read.as_ref().map(PairDocument::of),
            write: holding.write.as_ref().map(PairDocument::of),
            env,
        }
    }
}

impl EnvDocument {
    fn new(path: &Path, what: &'static str) -> Self {
        let file = sanitize(&path.to_string_lossy(), 200);
        Self { file, changed: Vec::new(), backup: None, still_on_lines: Vec::new(), refused: None, problem: None, what }
    }

    pub(super) fn untouched(path: &Path) -> Self {
        Self::new(path, "is as it was")
    }

    pub(super) fn refused(path: &Path, problem: Diagnostic) -> Self {
        Self { problem: Some(problem.to_string()), refused: Some(problem), ..Self::new(path, "is as it was") }
    }

    pub(super) fn commented(path: &Path, commented: &Commented) -> Self {
        let what = if commented.names.is_empty() { "defines no keys" } else { "no longer defines" };
        Self {
            changed: commented.names.clone(),
            backup: commented.backup.as_ref().map(|path| sanitize(&path.to_string_lossy(), 200)),
            still_on_lines: commented.still_on_lines.clone(),
            ..Self::new(path, what)
        }
    }

    pub(super) fn restored(path: &Path, restored: &Restored) -> Self {
        let what = if restored.was_there { "holds already" } else { "holds again" };
        Self { changed: restored.names.clone(), ..Self::new(path, what) }
    }

    /// In words for people.
    pub(super) fn words(&self) -> String {
        let mut lines =
            vec![format!("✓ {} {} {}", self.file, self.what, self.changed.join(", ")).trim_end().to_owned()];
        lines.extend(self.backup.as_ref().map(|backup| {
            format!("▲ {backup} (mode 0600) still holds the secrets: remove it when GRAIL runs with exec")
        }));
        if !self.still_on_lines.is_empty() {
            let still: Vec<_> = self.still_on_lines.iter().map(ToString::to_string).collect();
            lines.push(format!(
                "▲ A secret still stands on line {} of it, in a comment or under another name: remove it there by hand",
                still.join(", ")
            ));
        }
        lines.join("\n")
    }

    pub(super) fn words_ln(&self) -> String {
        self.words() + "\n"
    }
}

/// The list for people.
pub(super) fn list_text(listing: &Listing) -> String {
    let mut out = String::new();
    if listing.generations.is_empty() {
        out += "The vault holds no keys of this hotkey: keys import --from-env FILE takes them over.\n";
    } else {
        let heading = ["GENERATION", "", "STORE", "READ KEY", "WRITE KEY", "HOW", "AGE", "ALSO IN"];
        let mut rows = vec![heading.iter().map(|word| cell(*word, DIM)).collect::<Vec<_>>()];
        rows.extend(listing.generations.iter().map(|listed| generation_row(listed, listing.at_ms)));
        out += &table(&rows);
        let damaged = listing.generations.iter().filter_map(|listed| {
            let why = listed.kept.as_ref()?.as_ref().err()?;
            Some(format!("✗ generation {}: {why}\n", listed.holding.number))
        });
        out.extend(damaged);
    }
    if !listing.places.is_empty() {
        out += "\n";
        let rows: Vec<_> = listing.places.iter().map(place_row).collect();
        out += &table(&rows);
    }
    if let Some(seen) = &listing.chain {
        let what = match seen {
            Seen::Nothing => "no commitment".to_owned(),
            other => other.to_string(),
        };
        out.extend(["\non chain: ", &what, "\n"]);
    }
    out
}

fn pair_text(key: Option<&KeyRef>) -> String {
    key.map_or_else(|| "–".to_owned(), ToString::to_string)
}

fn generation_row(listed: &Listed, now_ms: u64) -> Vec<super::table::Cell> {
    let holding = &listed.holding;
    let origin = match holding.origin {
        Origin::Imported => "imported",
        Origin::Rotated => "rotated",
    };
    let state = match (&listed.kept, listed.in_use) {
        (Some(Err(_)), _) => cell("✗ cannot be read", BAD),
        (Some(Ok(())), true) => cell("● in use, ✓ read", GOOD),
        (Some(Ok(())), false) => cell("✓ read", GOOD),
        (None, true) => cell("● in use", GOOD),
        (None, false) => plain(""),
    };
    vec![
        plain(holding.number.to_string()),
        state,
        plain(holding.backend.word()),
        plain(pair_text(holding.read.as_ref())),
        plain(pair_text(holding.write.as_ref())),
        cell(origin, DIM),
        cell(age_seconds(now_ms.saturating_sub(holding.created_ms) / 1_000), DIM),
        if listed.used_by.is_empty() { cell("–", DIM) } else { cell(listed.used_by.join(", "), WARN) },
    ]
}

fn place_row(keys: &PlaceKeys) -> Vec<super::table::Cell> {
    let lines: Vec<_> = keys.lines.iter().map(ToString::to_string).collect();
    let lines = if lines.is_empty() { String::new() } else { format!("lines {}", lines.join(", ")) };
    vec![
        plain(keys.place.word()),
        plain(format!("read {}", pair_text(keys.read.as_ref()))),
        plain(format!("write {}", pair_text(keys.write.as_ref()))),
        cell(lines, DIM),
    ]
}

//! Every text of the `.env`, of the copies beside it and of the environment that must not be published, and where it stands:
//! lines that a later one hides, comments, values before and after their references are replaced, statements that cannot be
//! read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::dotenv::{Dotenv, read_capped, with_line_feeds};
use crate::domain::environment::Environment;
use crate::domain::guard::{KnownSecret, SecretKind, SecretPlace};
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::domain::untrusted::Untrusted;

/// Copies of a `.env` that are read, at most.
const MOST_COPIES: usize = 100;

/// What is known of the secrets beside the credentials that count.
#[derive(Debug, Clone, Default)]
pub struct KnownSecrets {
    /// Each with its place.
    pub all: Vec<KnownSecret>,
    /// Copies of the `.env` that could not be read.
    pub unreadable: usize,
}

impl KnownSecrets {
    /// Of a `.env` whose text was read, of the copies that lie beside it, and of the environment.
    pub(super) fn gather(env_file: Option<(&Path, &str)>, environment: &Environment) -> Self {
        let mut known = Self::default();
        if let Some((path, text)) = env_file {
            known.all.extend(of_text(path, text, environment));
            let (copies, unlisted) = copies_of(path);
            known.unreadable += unlisted + copies.len().saturating_sub(MOST_COPIES);
            for copy in copies.iter().take(MOST_COPIES) {
                match read_capped(copy) {
                    Ok(bytes) => known.all.extend(of_text(copy, &String::from_utf8_lossy(&bytes), environment)),
                    Err(_) => known.unreadable += 1,
                }
            }
        }
        known.all.extend(environment.iter().filter_map(|(name, value)| {
            let kind = SecretKind::of_variable(name)?;
            Some(KnownSecret { kind, place: SecretPlace::Environment, text: SecretKey::new(value) })
        }));
        known
    }

    /// The values of the write pair, for the log's redaction.
    pub(super) fn write_pairs(&self) -> impl Iterator<Item = &SecretKey> {
        let is_write = |known: &&KnownSecret| matches!(known.kind, SecretKind::WriteKeyId | SecretKind::WriteSecret);
        self.all.iter().filter(is_write).map(|known| &known.text)
    }
}

/// What a rewrite that was killed left beside a `.env`, and the copies that were asked for; and 1 where they cannot be listed.
fn copies_of(path: &Path) -> (Vec<PathBuf>, usize) {
    let Ok(real) = path.canonicalize() else { return (Vec::new(), 1) };
    let Some((folder, name)) = real.parent().zip(real.file_name().and_then(|name| name.to_str())) else {
        return (Vec::new(), 1);
    };
    let begins = [format!(".{name}.grail-console-"), format!("{name}.grail-console-")];
    let Ok(entries) = std::fs::read_dir(folder) else { return (Vec::new(), 1) };
    let (entries, odd): (Vec<_>, Vec<_>) = entries.partition(Result::is_ok);
    let entries = entries.into_iter().flatten();
    let is_copy = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        begins.iter().any(|begin| name.as_encoded_bytes().starts_with(begin.as_bytes()))
    };
    let mut copies: Vec<_> = entries.filter(is_copy).map(|entry| entry.path()).collect();
    copies.sort();
    (copies, odd.len())
}

/// The texts of a `.env`, in the order of the file: as GRAIL reads it, and then line by line as they are written.
fn of_text(path: &Path, text: &str, environment: &Environment) -> Vec<KnownSecret> {
    let file = Untrusted::from_text(path.to_string_lossy());
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |kind: SecretKind, line: u32, text: &str| {
        if !text.trim().is_empty() && seen.insert((line, Fingerprint::of(text))) {
            let place = SecretPlace::Line { file: file.clone(), line };
            found.push(KnownSecret { kind, place, text: SecretKey::new(text) });
        }
    };
    for entry in Dotenv::parse(text, environment).entries {
        let kind = SecretKind::of_variable(&entry.name);
        if kind == Some(SecretKind::Unnamed) {
            add(SecretKind::Unnamed, entry.line, &entry.name);
        }
        if let Some((kind, value)) = kind.zip(entry.value) {
            add(kind, entry.line, value.expose());
        }
    }
    for (number, line) in (1..).zip(with_line_feeds(text).split('\n')) {
        for (kind, text) in of_line(line) {
            add(kind, number, text);
        }
    }
    found
}

/// The texts of one line, whether or not it is a comment.
fn of_line(line: &str) -> Vec<(SecretKind, &str)> {
    let odd = |c: char| c == '#' || c == '\u{feff}' || c.is_whitespace();
    let body = line.trim_start_matches(odd).trim_end();
    let body = body.strip_prefix("export ").map_or(body, str::trim_start);
    let named = body.split_once('=').map(|(name, value)| (name.trim().trim_matches(['\'', '"']), value.trim()));
    let Some((name, rest)) = named.filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace)) else {
        return vec![(SecretKind::Unnamed, body)];
    };
    let (value, comment) = match rest.find(" #").or_else(|| rest.find("\t#")) {
        Some(at) => (rest[..at].trim_end(), &rest[at..]),
        None => (rest, ""),
    };
    let mut texts = vec![(SecretKind::Unnamed, comment.trim_start_matches(odd))];
    if let Some(kind) = SecretKind::of_variable(name) {
        let defaults = value.split(":-").skip(1).filter_map(|default| default.split('}').next());
        let of_it = [rest, value, value.trim_matches(['\'', '"'])].into_iter().chain(defaults);
        texts.extend(of_it.map(|text| (kind.clone(), text)));
        // In place of a name stands something else.
        if kind == SecretKind::Unnamed {
            texts.push((SecretKind::Unnamed, body));
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(env: &str, environment: &[(&str, &str)]) -> Vec<(String, String)> {
        let environment = environment.iter().copied().collect();
        let known = of_text(Path::new("/e"), env, &environment);
        known.iter().map(|known| (known.place.to_string(), known.text.expose().to_owned())).collect()
    }

    #[track_caller]
    fn holds(env: &str, line: u32, text: &str) {
        let found = texts(env, &[("OUTSIDE", "from-outside")]);
        assert!(found.contains(&(format!("/e, line {line}"), text.to_owned())), "{text} in {env:?}: {found:?}");
    }

    #[test]
    fn every_text_of_a_line_is_known_with_its_line() {
        for (env, line, text) in [
            ("R2_WRITE_SECRET_ACCESS_KEY=old\nR2_WRITE_SECRET_ACCESS_KEY=new\n", 1, "old"),
            ("R2_WRITE_SECRET_ACCESS_KEY=old\nR2_WRITE_SECRET_ACCESS_KEY\n", 1, "old"),
            ("# R2_WRITE_SECRET_ACCESS_KEY=old\n", 1, "old"),
            ("\r\n##\texport R2_WRITE_SECRET_ACCESS_KEY = 'old' # why\r\n", 2, "old"),
            ("A=x # the old one\n", 1, "the old one"),
            ("R2_READ_SECRET_ACCESS_KEY=x # the old one\n", 1, "the old one"),
            ("A=${OUTSIDE}\n", 1, "from-outside"),
            ("A=${OUTSIDE}\n", 1, "${OUTSIDE}"),
            ("A=${NOWHERE:-fallback}\n", 1, "fallback"),
            ("A=\"open\nB=behind\n", 2, "behind"),
            ("\u{feff}A=marked\n", 1, "marked"),
            ("just-a-text-of-its-own\n", 1, "just-a-text-of-its-own"),
            ("kJ8+x/a9==\n", 1, "kJ8+x/a9=="),
            ("A='two\nlines'\n", 1, "two\nlines"),
        ] {
            holds(env, line, text);
        }
    }

    #[test]
    fn what_is_published_anyway_is_not_among_them() {
        let env = "R2_READ_ACCESS_KEY_ID=a\n# R2_READ_SECRET_ACCESS_KEY='b'\nR2_ACCOUNT_ID=c\nexport R2_BUCKET_ID=d\n";
        assert_eq!(texts(env, &[]), []);
    }
}

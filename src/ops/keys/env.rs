//! The `.env` beside the vault: keys taken out of it, put back into it, and what in it would win over the vault's.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::dotenv::{
    self, BackupName, Change, Dotenv, Replaced, lines_holding, read_text, replace_file, rewrite,
};
use crate::config::ownership::{Objection, of_writing};
use crate::domain::credentials::Variable;
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::vault::Generation;

/// The variables that hold keys.
const KEYS: [Variable; 4] = [Variable::ReadKeyId, Variable::ReadSecret, Variable::WriteKeyId, Variable::WriteSecret];

/// A `.env` whose keys were taken out.
#[derive(Debug)]
pub struct Commented {
    /// The variables that became comments; empty where none of them stood there.
    pub names: Vec<&'static str>,
    /// The copy with the secrets, where one was wanted.
    pub backup: Option<PathBuf>,
    /// Lines, from 1, on which one of the secrets stands all the same.
    pub still_on_lines: Vec<u32>,
}

/// A `.env` into which keys were put.
#[derive(Debug)]
pub struct Restored {
    /// The variables that hold the generation's values now.
    pub names: Vec<&'static str>,
    /// Whether there was nothing to change.
    pub was_there: bool,
}

/// A definition that GRAIL would take instead of the vault's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// Which variable.
    pub variable: Variable,
    /// Its line, from 1.
    pub line: u32,
    /// Whether it is defined as empty, which wins all the same.
    pub is_blank: bool,
}

/// What a generation says of the six variables, in the order of `doctor`.
pub fn values(generation: &Generation) -> Vec<(Variable, SecretKey)> {
    let text = |text: &Option<String>| text.as_ref().map(|text| SecretKey::new(text.as_str()));
    let id = |pair: &Option<crate::vault::KeyPair>| pair.as_ref().map(|pair| SecretKey::new(pair.id.as_str()));
    let secret = |pair: &Option<crate::vault::KeyPair>| pair.as_ref().map(|pair| pair.secret.clone());
    let values = [
        (Variable::AccountId, text(&generation.account)),
        (Variable::BucketId, text(&generation.bucket)),
        (Variable::ReadKeyId, id(&generation.read)),
        (Variable::ReadSecret, secret(&generation.read)),
        (Variable::WriteKeyId, id(&generation.write)),
        (Variable::WriteSecret, secret(&generation.write)),
    ];
    values.into_iter().filter_map(|(variable, value)| Some((variable, value?))).collect()
}

/// Makes comments of the lines that define the generation's keys, without their values; every other byte stays. An empty
/// definition would not do: GRAIL loads the `.env` over what `exec` exports, empty values too.
pub fn comment_out(
    path: &Path,
    environment: &Environment,
    generation: &Generation,
    backup: Option<&BackupName>,
) -> Result<Commented, Diagnostic> {
    let before = read_text(path).map_err(|error| unreadable(&error))?;
    let dotenv = Dotenv::parse(&before, environment);
    let values = values(generation);
    let held = |variable: Variable| values.iter().find(|(of, _)| *of == variable).map(|(_, value)| value);
    let defined: Vec<Variable> = KEYS.into_iter().filter(|variable| dotenv.get(variable.name()).is_some()).collect();
    for variable in &defined {
        let (value, line) = dotenv.get(variable.name()).ok_or_else(|| other_keys(*variable, 0))?;
        let found = value.expose().trim();
        if !found.is_empty() && held(*variable).map(SecretKey::expose) != Some(found) {
            return Err(other_keys(*variable, line));
        }
    }
    let secrets: Vec<&SecretKey> = [Variable::ReadSecret, Variable::WriteSecret].into_iter().filter_map(held).collect();
    if defined.is_empty() {
        return Ok(Commented { names: Vec::new(), backup: None, still_on_lines: lines_holding(&before, &secrets) });
    }
    let changes: Vec<_> = defined.iter().map(|variable| (variable.name(), Change::Comment)).collect();
    let after = rewrite(&before, &changes, false).map_err(|error| not_written(&error))?;
    let Replaced { backup, .. } =
        replace_file(path, before.as_bytes(), after.as_bytes(), backup).map_err(|error| not_written(&error))?;
    Ok(Commented {
        names: defined.iter().map(|variable| variable.name()).collect(),
        backup,
        still_on_lines: lines_holding(&after, &secrets),
    })
}

/// Writes a generation's values into a `.env` that only its owner may read; a file that is not there is made.
pub fn restore(path: &Path, environment: &Environment, generation: &Generation) -> Result<Restored, Diagnostic> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refuse_open_to_others(path)?,
        Err(error) => return Err(not_written(&error)),
    }
    let before = read_text(path).map_err(|error| unreadable(&error))?;
    let dotenv = Dotenv::parse(&before, environment);
    let values = values(generation);
    let names = values.iter().map(|(variable, _)| variable.name()).collect();
    let is_there = |(variable, value): &(Variable, SecretKey)| {
        dotenv.get(variable.name()).is_some_and(|(found, _)| found.expose().trim() == value.expose())
    };
    if values.iter().all(is_there) {
        return Ok(Restored { names, was_there: true });
    }
    let changes: Vec<_> = values.iter().map(|(variable, value)| (variable.name(), Change::Value(value))).collect();
    let after = rewrite(&before, &changes, true).map_err(|error| not_written(&error))?;
    replace_file(path, before.as_bytes(), after.as_bytes(), None).map_err(|error| not_written(&error))?;
    Ok(Restored { names, was_there: false })
}

/// What stands against writing secrets into a `.env`: where somebody at a terminal may decide, what is asked; where nobody
/// may, why not.
pub fn objection(context: &Context, path: &Path) -> Result<Option<Diagnostic>, Diagnostic> {
    let settings = &context.configuration.settings;
    let is_the_env = settings.env_file.as_ref().is_some_and(|named| named.value == path);
    let owner = settings.env_owner.as_ref().filter(|_| is_the_env).map(|named| named.value);
    match of_writing(path, owner) {
        None => Ok(None),
        Some(Objection::Asked(finding)) => Ok(Some(finding)),
        Some(Objection::Refused(finding)) => Err(finding.in_class(Class::Refused)),
    }
}

/// The copies of the `.env` that killed consoles left beside it, as a finding.
pub fn left_copies(context: &Context) -> Option<Diagnostic> {
    let left = dotenv::left_copies(&context.configuration.settings.env_file.as_ref()?.value);
    (!left.is_empty()).then(|| {
        Diagnostic::new(
            "env_copy_left",
            Severity::Warning,
            format!("A copy of the .env with its secrets lies beside it: {}", listed(&left)),
            "A console that was killed while it rewrote the .env left it there.",
            "Remove it; the next command that writes does so too.",
        )
    })
}

/// Removes them: at the start of everything that writes.
pub fn sweep_copies(context: &Context) -> Option<String> {
    let swept = dotenv::sweep_copies(&context.configuration.settings.env_file.as_ref()?.value);
    (!swept.is_empty()).then(|| format!("removed a copy of the .env that a killed console left: {}", listed(&swept)))
}

fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| sanitize(&path.to_string_lossy(), 200)).collect::<Vec<_>>().join(", ")
}

/// The definitions of a `.env` that would win over the values that a process is given; `wanted` are those.
pub fn overrides(
    path: &Path,
    environment: &Environment,
    wanted: &[(Variable, SecretKey)],
) -> Result<Vec<Override>, Diagnostic> {
    let dotenv = Dotenv::read(path, environment).map_err(|error| unreadable(&error))?;
    let wins = |variable: Variable| {
        let (found, line) = dotenv.get(variable.name())?;
        let wanted = wanted.iter().find(|(of, _)| *of == variable).map(|(_, value)| value.expose());
        // Where the bucket is may well stand there and nowhere else.
        let is_place = matches!(variable, Variable::AccountId | Variable::BucketId);
        let wanted = wanted.or((!is_place).then_some(""))?;
        let found = found.expose().trim();
        (found != wanted).then_some(Override { variable, line, is_blank: found.is_empty() })
    };
    Ok(Variable::ALL.into_iter().filter_map(wins).collect())
}

fn refuse_open_to_others(path: &Path) -> Result<(), Diagnostic> {
    let mode = std::fs::metadata(path).map_err(|error| not_written(&error))?.mode();
    let others = mode & 0o077;
    if others == 0 {
        return Ok(());
    }
    Err(Diagnostic::refused(
        "env_open_to_others",
        format!("{} may be read by other users (mode {:03o})", sanitize(&path.to_string_lossy(), 200), mode & 0o777),
        "The keys would leave the vault for everybody on this machine.",
        "Take the others' rights away first: chmod 600 on that file.",
    ))
}

fn unreadable(error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "env_unreadable",
        format!("The .env cannot be read: {}", sanitize(&error.to_string(), 300)),
        "What GRAIL would take from it is not known.",
        "Name the right file with --env-file, or mend it.",
    )
}

fn not_written(error: &dyn std::error::Error) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "env_not_rewritten",
        format!("The .env was not written: {}", sanitize(&error.to_string(), 300)),
        "The keys are in the vault, and the .env is as it was, byte for byte.",
        "Mend that, then try again.",
    )
}

fn other_keys(variable: Variable, line: u32) -> Diagnostic {
    Diagnostic::refused(
        "env_other_keys",
        format!("Line {line} of the .env holds another {variable} than the vault"),
        "What is not in the vault would be lost.",
        "Look which of the two is right with doctor; a newer key comes into the vault with rotate start.",
    )
}

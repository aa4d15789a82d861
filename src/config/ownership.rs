//! Whose a file is, and who else may change it: told when it is read, and asked before secrets are written into it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::findings::{foreign_owner, hard_linked};
use crate::domain::untrusted::sanitize;

/// Where users are listed.
const USERS: &str = "/etc/passwd";

/// The number of a user of this machine by name.
pub(super) fn user(name: &str) -> Option<u32> {
    let users = std::fs::read_to_string(USERS).ok()?;
    let mut fields = users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
    fields.nth(2)?.parse().ok()
}

/// What is odd about the ownership of a file that is read. `expected` is the owner that the profile names.
pub fn of_read(what: &str, path: &Path, expected: Option<u32>) -> Vec<Diagnostic> {
    let Ok(meta) = std::fs::metadata(path) else { return Vec::new() };
    let shown = shown(path);
    let foreign = foreign_owner(what, &shown, meta.uid(), own()).filter(|_| expected != Some(meta.uid()));
    let foreign = foreign.map(|finding| with_env_owner(finding, what));
    let links = if meta.is_file() { hard_linked(what, &shown, meta.nlink()) } else { None };
    foreign.into_iter().chain(links).chain(pipe(what, &shown, &meta)).collect()
}

fn pipe(what: &str, shown: &str, meta: &Metadata) -> Option<Diagnostic> {
    meta.file_type().is_fifo().then(|| {
        Diagnostic::new(
            "env_is_a_pipe",
            Severity::Note,
            format!("The {what} {shown} is a pipe"),
            "It is read once for the whole run, and nothing can be written back into it.",
            "Name the file itself where the console is to see or make changes.",
        )
    })
}

fn with_env_owner(finding: Diagnostic, what: &str) -> Diagnostic {
    let help =
        "Make it yours with chown; or name its owner as env_owner in the profile, where that is meant.".to_owned();
    if what == ENV { Diagnostic { help, ..finding } } else { finding }
}

/// What the `.env` is called.
pub const ENV: &str = ".env";

/// What stands against writing secrets into a file.
#[derive(Debug, Clone)]
pub enum Objection {
    /// It cannot be.
    Refused(Diagnostic),
    /// Somebody at a terminal decides.
    Asked(Diagnostic),
}

/// Whether secrets may be written into a `.env`, which need not be there yet. `expected` is the owner that the profile names;
/// it allows the group of that owner's folder to write there as well.
pub fn of_writing(path: &Path, expected: Option<u32>) -> Option<Objection> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Some(unseen(path, &error)),
    };
    if let Some(pipe) = meta.as_ref().and_then(|meta| pipe(ENV, &shown(path), meta)) {
        return Some(Objection::Refused(Diagnostic {
            severity: Severity::Warning,
            help: "Change by hand what is behind it; in a rotation say rotate resume --env-done then.".to_owned(),
            ..pipe
        }));
    }
    let links =
        meta.as_ref().filter(|meta| meta.is_file()).and_then(|meta| hard_linked(ENV, &shown(path), meta.nlink()));
    if let Some(links) = links {
        return Some(Objection::Refused(links));
    }
    let is_ours = |owner: u32| [own(), 0].contains(&owner) || expected == Some(owner);
    if let Some(owner) = meta.map(|meta| meta.uid()).filter(|owner| !is_ours(*owner)) {
        let what = format!("{} belongs to user {owner}, not to you", shown(path));
        return Some(Objection::Asked(not_ours(what, "That user may read what is written into it.")));
    }
    let folder = folder_of(path);
    let meta = match std::fs::metadata(&folder) {
        Ok(meta) => meta,
        Err(error) => return Some(unseen(&folder, &error)),
    };
    if !is_ours(meta.uid()) {
        let what = format!("The folder {} belongs to user {}, not to you", shown(&folder), meta.uid());
        return Some(Objection::Asked(not_ours(what, OTHERS)));
    }
    // A group with the number of its user is that user's own, as many systems make them.
    let is_meant = expected == Some(meta.uid()) && meta.uid() != own();
    let group = meta.mode() & 0o020 != 0 && meta.gid() != meta.uid() && !is_meant;
    (group || meta.mode() & 0o002 != 0).then(|| {
        let what = format!("Others may write into the folder {} (mode {:04o})", shown(&folder), meta.mode() & 0o7777);
        Objection::Asked(not_ours(what, OTHERS))
    })
}

const OTHERS: &str = "Anyone who can write to the folder can replace the file.";

/// What cannot be looked at is not taken for ours.
fn unseen(path: &Path, error: &io::Error) -> Objection {
    Objection::Asked(not_ours(format!("{} cannot be examined: {error}", shown(path)), OTHERS))
}

fn not_ours(what: String, why: &str) -> Diagnostic {
    Diagnostic::new(
        "env_not_closed",
        Severity::Warning,
        what,
        why,
        "Correct owner and mode; or answer at a terminal, where rotate resume and keys restore-env ask; or name the owner as \
         env_owner in the profile, where that is meant.",
    )
}

/// The folder of the file itself, behind any link.
fn folder_of(path: &Path) -> PathBuf {
    let real = path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned());
    real.parent().map_or(real.clone(), Path::to_owned)
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn shown(path: &Path) -> String {
    sanitize(&path.to_string_lossy(), 200)
}

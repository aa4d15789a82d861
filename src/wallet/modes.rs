//! What the modes and owners of a hotkey's files let others do.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::findings::{foreign_owner, hard_linked};
use crate::domain::untrusted::Untrusted;

/// What the modes of a key file and of its folder let others do.
pub(super) fn too_open(folder: &Path, key: &Path, mode: u32) -> Vec<Diagnostic> {
    file_mode(key, mode).into_iter().chain(file_owner(key)).chain(folder_mode(folder)).collect()
}

fn file_mode(path: &Path, mode: u32) -> Option<Diagnostic> {
    (mode & 0o177 != 0).then(|| {
        Diagnostic::new(
            "hotkey_file_mode",
            Severity::Warning,
            format!("The hotkey file has mode {mode:04o}, more than 0600"),
            "Other users of this machine may read or replace the key that signs for you.",
            format!("Run chmod 600 on {}.", Untrusted::from_text(path.to_string_lossy()).shown()),
        )
    })
}

/// Another user's key file, or one with more than one name.
fn file_owner(path: &Path) -> Vec<Diagnostic> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    let (shown, own) = (Untrusted::from_text(path.to_string_lossy()).shown(), rustix::process::geteuid().as_raw());
    let foreign = foreign_owner("hotkey file", &shown, meta.uid(), own);
    foreign.into_iter().chain(hard_linked("hotkey file", &shown, meta.nlink())).collect()
}

/// Who may write into a folder may put another file in the place of any of its files, whatever their modes are.
fn folder_mode(path: &Path) -> Option<Diagnostic> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & 0o022 != 0).then(|| {
        Diagnostic::new(
            "hotkeys_folder_mode",
            Severity::Warning,
            format!("The wallet's hotkeys folder has mode {mode:04o}: others may write into it"),
            "Other users of this machine may put a key of theirs in the place of yours.",
            format!("Run chmod go-w on {}.", Untrusted::from_text(path.to_string_lossy()).shown()),
        )
    })
}

//! A folder of its own for each run of a target.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

/// A folder that vanishes with the run.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A file that only its owner reads.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

//! A file of the operator's is replaced whole or stays as it was, and is never open to more people than before.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use grail_console::config::dotenv::{BackupName, ReplaceError, replace_file};
use rstest::rstest;
use tempfile::TempDir;

use crate::state_files::{again_under, child_dir, may_mount};

const OLD: &[u8] = b"A=old\n";
const NEW: &[u8] = b"A=new\n";
/// 2026-11-23T21:12:37Z.
const NOW_MS: u64 = 1_795_468_357_000;

fn dotenv(mode: u32) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join(".env");
    fs::write(&path, OLD).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[rstest]
#[case(0o600)]
#[case(0o640)]
#[case(0o664)]
#[case(0o400)]
fn the_content_is_new_and_the_mode_is_kept(#[case] kept: u32) {
    let (dir, path) = dotenv(kept);
    let replaced = replace_file(&path, OLD, NEW, None).unwrap();
    assert_eq!((replaced.path.as_path(), replaced.backup, replaced.mode), (path.as_path(), None, kept));
    assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (NEW, kept));
    assert_eq!(names(dir.path()), [".env"]);
}

#[test]
fn a_backup_is_private_and_holds_what_was_there() {
    let (dir, path) = dotenv(0o644);
    let replaced = replace_file(&path, OLD, NEW, Some(&BackupName::at(NOW_MS))).unwrap();
    let backup = dir.path().canonicalize().unwrap().join(".env.grail-console-2026-11-23-211237.bak");
    assert_eq!(replaced.backup.as_ref(), Some(&backup));
    assert_eq!((fs::read(&backup).unwrap().as_slice(), mode(&backup)), (OLD, 0o600));
    assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (NEW, 0o644));
}

#[test]
fn a_backup_overwrites_none_and_follows_no_link() {
    let (dir, path) = dotenv(0o600);
    let backup = BackupName::at(NOW_MS);
    let elsewhere = dir.path().join("elsewhere");
    let planted = path.with_file_name(backup.beside(".env"));
    symlink(&elsewhere, &planted).unwrap();
    let refused = replace_file(&path, OLD, NEW, Some(&backup)).unwrap_err();
    assert!(matches!(&refused, ReplaceError::BackupExists(path) if *path == planted), "{refused}");
    assert!(!elsewhere.exists() && planted.is_symlink());
    assert_eq!(fs::read(&path).unwrap(), OLD);
}

#[test]
fn a_file_that_changed_since_it_was_read_is_left_alone_and_no_backup_stays() {
    let (dir, path) = dotenv(0o600);
    let refused = replace_file(&path, b"A=older\n", NEW, Some(&BackupName::at(NOW_MS))).unwrap_err();
    assert!(matches!(refused, ReplaceError::Changed(_)), "{refused}");
    assert_eq!((fs::read(&path).unwrap().as_slice(), names(dir.path())), (OLD, vec![".env".to_owned()]));
}

#[test]
fn behind_links_the_file_itself_is_replaced_and_the_links_stay() {
    let (dir, path) = dotenv(0o640);
    let checkout = tempfile::tempdir().unwrap();
    let (first, second) = (checkout.path().join(".env"), checkout.path().join("shared.env"));
    symlink(&path, &second).unwrap();
    symlink("shared.env", &first).unwrap();
    let replaced = replace_file(&first, OLD, NEW, Some(&BackupName::at(NOW_MS))).unwrap();
    assert_eq!(replaced.path, path);
    assert_eq!(replaced.backup.unwrap().parent(), path.parent());
    assert!(first.is_symlink() && second.is_symlink());
    assert_eq!((fs::read(&first).unwrap().as_slice(), mode(&path)), (NEW, 0o640));
    assert_eq!((names(dir.path()).len(), names(checkout.path()).len()), (2, 2));
}

#[test]
fn a_hard_linked_file_a_folder_a_pipe_and_a_missing_file_are_named_errors() {
    let (dir, path) = dotenv(0o600);
    let other = dir.path().join("other");
    fs::hard_link(&path, &other).unwrap();
    let refused = replace_file(&path, OLD, NEW, None).unwrap_err();
    assert!(matches!(refused, ReplaceError::HardLinked { links: 2, .. }), "{refused}");
    assert_eq!(fs::read(&other).unwrap(), OLD);
    let refused = replace_file(dir.path(), OLD, NEW, None).unwrap_err();
    assert!(matches!(refused, ReplaceError::NotAFile(_)), "{refused}");
    let pipe = dir.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    let refused = replace_file(&pipe, OLD, NEW, None).unwrap_err();
    assert!(matches!(refused, ReplaceError::NotAFile(_)), "{refused}");
    let refused = replace_file(&dir.path().join("none"), OLD, NEW, None).unwrap_err();
    assert!(matches!(refused, ReplaceError::Unreadable { .. }), "{refused}");
}

#[test]
fn an_extended_attribute_is_kept() {
    let (_dir, path) = dotenv(0o600);
    let set = rustix::fs::setxattr(&path, "user.note", b"mine", rustix::fs::XattrFlags::empty());
    replace_file(&path, OLD, NEW, None).unwrap();
    // A file system without such attributes has none to lose.
    if set.is_ok() {
        let mut value = [0; 16];
        let length = rustix::fs::getxattr(&path, "user.note", &mut value[..]).unwrap();
        assert_eq!(&value[..length], b"mine");
    }
}

#[test]
fn whoever_owned_the_file_owns_it_after() {
    let (_dir, path) = dotenv(0o640);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    let backup = replace_file(&path, OLD, NEW, Some(&BackupName::at(NOW_MS))).unwrap().backup.unwrap();
    for after in [fs::metadata(&path).unwrap(), fs::metadata(backup).unwrap()] {
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_neither_a_backup_nor_half_a_file() {
    const TEST: &str = "config_replace::a_full_disk_leaves_the_old_file_and_neither_a_backup_nor_half_a_file";
    let Some(root) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let full = format!("mount -t tmpfs -o size=64k,mode=0700 none '{path}' && exec {{}}");
        if may_mount() {
            again_under(TEST, &format!("exec unshare -m sh -c \"{full}\""), dir.path());
        }
        // Without the right to mount, a file size limit makes the same write fail half-way.
        again_under(TEST, "trap '' XFSZ; ulimit -f 32; exec {}", dir.path());
        return;
    };
    let path = root.join(".env");
    fs::write(&path, OLD).unwrap();
    let refused = replace_file(&path, OLD, &vec![b'A'; 1 << 20], Some(&BackupName::at(NOW_MS))).unwrap_err();
    assert!(matches!(refused, ReplaceError::Full { .. }), "{refused:?}");
    assert_eq!((fs::read(&path).unwrap().as_slice(), names(&root)), (OLD, vec![".env".to_owned()]));
}

#[test]
fn a_read_only_directory_is_a_named_error() {
    const TEST: &str = "config_replace::a_read_only_directory_is_a_named_error";
    let Some(root) = child_dir() else {
        let (dir, _) = dotenv(0o600);
        let path = dir.path().display();
        if may_mount() {
            let script = format!("mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}' && exec {{}}");
            again_under(TEST, &format!("exec unshare -m sh -c \"{script}\""), dir.path());
        } else {
            assert!(!rustix::process::geteuid().is_root(), "root passes every permission: this needs a mount");
            again_under(TEST, &format!("chmod 500 '{path}'; exec {{}}"), dir.path());
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
        return;
    };
    for backup in [None, Some(&BackupName::at(NOW_MS))] {
        let refused = replace_file(&root.join(".env"), OLD, NEW, backup).unwrap_err();
        assert!(matches!(refused, ReplaceError::NotAllowed { .. }), "{refused:?}");
    }
    assert_eq!((fs::read(root.join(".env")).unwrap().as_slice(), names(&root)), (OLD, vec![".env".to_owned()]));
}

#[test]
fn no_umask_widens_what_is_written() {
    const TEST: &str = "config_replace::no_umask_widens_what_is_written";
    let Some(root) = child_dir() else {
        for umask in ["000", "077"] {
            let dir = tempfile::tempdir().unwrap();
            again_under(TEST, &format!("umask {umask}; exec {{}}"), dir.path());
        }
        return;
    };
    let path = root.join(".env");
    fs::write(&path, OLD).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let backup = replace_file(&path, OLD, NEW, Some(&BackupName::at(NOW_MS))).unwrap().backup.unwrap();
    assert_eq!((mode(&path), mode(&backup)), (0o640, 0o600));
}

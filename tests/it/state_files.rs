//! Files of the console against umasks, planted links, full and read-only disks: on real file systems.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use grail_console::domain::environment::Environment;
use grail_console::domain::network::BlockHash;
use grail_console::domain::runtime_metadata::RuntimeMetadata;
use grail_console::state::atomic::PrivateDir;
use grail_console::state::snapshots::VERSION;
use grail_console::state::{CacheDir, Paths, StateDir, StateError, metadata_cache};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs this very test again in a child, where `script` has prepared the world; `{}` in it stands for the child.
pub fn again_under(test: &str, script: &str, dir: &Path) {
    let child = format!("'{}' --exact {test} --nocapture", std::env::current_exe().unwrap().display());
    let output = Command::new("sh").args(["-c", &script.replace("{}", &child)]).env(CHILD, dir).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

pub const CHILD: &str = "GRAIL_CONSOLE_TEST_DIR";

pub fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Whether this user may mount a file system in a namespace of its own.
pub fn may_mount() -> bool {
    let mount = Command::new("unshare").args(["-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]).output();
    mount.is_ok_and(|output| output.status.success())
}

#[test]
fn directories_are_0700_and_files_0600_whatever_the_umask() {
    const TEST: &str = "state_files::directories_are_0700_and_files_0600_whatever_the_umask";
    let Some(root) = child_dir() else {
        for umask in ["000", "022", "077"] {
            let dir = tempfile::tempdir().unwrap();
            again_under(TEST, &format!("umask {umask}; exec {{}}"), dir.path());
        }
        return;
    };
    let path = root.join("state");
    let dir = PrivateDir::open(&path).unwrap();
    dir.write("file", b"content").unwrap();
    let sub = dir.sub("sub").unwrap();
    assert_eq!((mode(&path), mode(&path.join("file")), mode(sub.path())), (0o700, 0o600, 0o700));
}

#[test]
fn directories_created_on_the_way_are_0700_too() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a/b/grail-console");
    PrivateDir::open(&path).unwrap();
    assert_eq!((mode(&root.path().join("a")), mode(&root.path().join("a/b")), mode(&path)), (0o700, 0o700, 0o700));
}

#[test]
fn what_is_written_is_read_back_and_nothing_else_is_left() {
    let root = tempfile::tempdir().unwrap();
    let dir = PrivateDir::open(&root.path().join("state")).unwrap();
    assert_eq!(dir.read("file", 10).unwrap(), None);
    dir.write("file", b"first").unwrap();
    dir.write("file", b"second").unwrap();
    assert_eq!(dir.read("file", 10).unwrap().unwrap(), b"second");
    assert_eq!(names(dir.path()), ["file"]);
    assert!(matches!(dir.read("file", 5), Err(StateError::TooLarge { bytes: 6, max: 5, .. })));
}

#[test]
fn a_planted_link_is_neither_followed_nor_replaced() {
    let root = tempfile::tempdir().unwrap();
    let victim = root.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let dir = PrivateDir::open(&root.path().join("state")).unwrap();
    symlink(&victim, dir.path().join("file")).unwrap();
    assert!(matches!(dir.write("file", b"x"), Err(StateError::NotAFile(_))));
    assert!(matches!(dir.read("file", 100), Err(StateError::NotAFile(_))));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("pipe"), rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(dir.read("pipe", 100), Err(StateError::NotAFile(_))));
    assert!(matches!(dir.write("pipe", b"x"), Err(StateError::NotAFile(_))));
}

#[test]
fn a_linked_directory_or_a_file_in_its_place_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let real = root.path().join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, root.path().join("linked")).unwrap();
    fs::write(root.path().join("file"), "").unwrap();
    for name in ["linked", "file", "file/below"] {
        let error = StateDir::open(&root.path().join(name)).unwrap_err();
        assert!(matches!(error, StateError::NotADirectory(_)), "{name}: {error:?}");
    }
    assert_eq!(names(&real), Vec::<String>::new());
}

#[test]
fn a_directory_that_others_may_write_into_is_refused_and_one_they_may_read_is_closed() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state");
    fs::create_dir(&path).unwrap();
    for open in [0o777, 0o720, 0o702] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
        let error = StateDir::open(&path).unwrap_err();
        assert!(matches!(error, StateError::OthersMayWrite { mode, .. } if mode == open), "{error:?}");
        assert!(error.to_string().contains("chmod 700"));
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    StateDir::open(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state");
    let foreign = if rustix::process::geteuid().is_root() {
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        path
    } else {
        PathBuf::from("/usr")
    };
    assert!(matches!(StateDir::open(&foreign), Err(StateError::ForeignOwner { .. })));
}

#[test]
fn a_full_disk_leaves_the_old_file_whole_and_nothing_half_written() {
    const TEST: &str = "state_files::a_full_disk_leaves_the_old_file_whole_and_nothing_half_written";
    let Some(root) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let full = format!("mount -t tmpfs -o size=64k,mode=0700 none '{path}' && exec {{}}");
        // Without the right to mount, a file size limit makes the same write fail half-way.
        let limited = "trap '' XFSZ; ulimit -f 32; exec {}".to_owned();
        if may_mount() {
            again_under(TEST, &format!("exec unshare -m sh -c \"{full}\""), dir.path());
        }
        again_under(TEST, &limited, dir.path());
        return;
    };
    let dir = PrivateDir::open(&root.join("state")).unwrap();
    dir.write("file", b"old and whole").unwrap();
    let error = dir.write("file", &vec![7; 1 << 20]).unwrap_err();
    assert!(matches!(error, StateError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("Free some space"), "{error}");
    assert_eq!(dir.read("file", 100).unwrap().unwrap(), b"old and whole");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn a_read_only_disk_is_a_named_error_and_what_is_there_is_still_read() {
    const TEST: &str = "state_files::a_read_only_disk_is_a_named_error_and_what_is_there_is_still_read";
    let Some(root) = child_dir() else {
        let dir = tempfile::tempdir().unwrap();
        PrivateDir::open(&dir.path().join("state")).unwrap().write("file", b"kept").unwrap();
        let path = dir.path().display();
        if may_mount() {
            let script = format!("mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}' && exec {{}}");
            again_under(TEST, &format!("exec unshare -m sh -c \"{script}\""), dir.path());
        } else {
            assert!(!rustix::process::geteuid().is_root(), "root passes every permission: this needs a mount");
            again_under(TEST, &format!("chmod 500 '{path}/state' '{path}'; exec {{}}"), dir.path());
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
        return;
    };
    let missing = StateDir::open(&root.join("new")).unwrap_err();
    assert!(matches!(missing, StateError::ReadOnly { .. }), "{missing:?}");
    let dir = PrivateDir::open(&root.join("state"));
    // Where only permissions forbid writing, opening gives the directory back to its owner.
    if let Ok(dir) = dir {
        assert_eq!(dir.read("file", 10).unwrap().unwrap(), b"kept");
        match dir.write("file", b"new") {
            Err(error) => assert!(matches!(error, StateError::ReadOnly { .. }), "{error:?}"),
            Ok(()) => assert!(!may_mount(), "a read-only file system took a write"),
        }
    }
}

#[test]
fn a_write_that_fails_half_way_leaves_the_old_file() {
    let root = tempfile::tempdir().unwrap();
    let dir = PrivateDir::open(&root.path().join("state")).unwrap();
    dir.write("file", b"old").unwrap();
    let failed = dir.replace("file", |out| {
        out.write_all(b"half")?;
        Err(io::Error::other("the value cannot be written"))
    });
    assert!(matches!(failed, Err(StateError::Io { .. })));
    assert_eq!(dir.read("file", 10).unwrap().unwrap(), b"old");
    assert_eq!(names(dir.path()), ["file"]);
}

#[test]
fn what_a_crash_left_half_written_is_swept_after_an_hour() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("state");
    fs::create_dir(&path).unwrap();
    for (name, age) in [(".unfinished-old", 7_200), (".unfinished-new", 0), ("kept", 7_200)] {
        let file = fs::File::create(path.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
    }
    PrivateDir::open(&path).unwrap();
    assert_eq!(names(&path), [".unfinished-new", "kept"]);
}

#[test]
fn paths_follow_xdg_and_ignore_what_is_not_absolute() {
    let paths = |variables: &[(&str, &str)]| Paths::resolve(&variables.iter().copied().collect::<Environment>());
    let home = paths(&[("HOME", "/h")]).unwrap();
    assert_eq!(home.config_file(), Path::new("/h/.config/grail-console/config.toml"));
    assert_eq!(home.state, Path::new("/h/.local/state/grail-console"));
    assert_eq!(home.cache, Path::new("/h/.cache/grail-console"));
    let named = paths(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "relative")]).unwrap();
    assert_eq!((named.state.as_path(), named.cache.as_path()), (Path::new("/s/grail-console"), home.cache.as_path()));
    let error = paths(&[("XDG_CONFIG_HOME", "/c")]).unwrap_err();
    assert!(error.to_string().contains("XDG_STATE_HOME"), "{error}");
}

#[test]
fn a_snapshot_comes_back_with_its_time_and_only_for_its_own_subnet() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = StateDir::open(&root.path().join("state")).unwrap().snapshots().unwrap();
    let (finney, test) = (BlockHash([1; 32]), BlockHash([2; 32]));
    assert!(snapshots.last::<Vec<u8>>(finney, 81).unwrap().is_none());
    snapshots.keep(finney, 81, &vec![1, 2, 3], 1_000).unwrap();
    let kept = snapshots.last::<Vec<u8>>(finney, 81).unwrap().unwrap();
    assert_eq!((kept.saved_at_ms, kept.snapshot), (1_000, vec![1, 2, 3]));
    assert!(snapshots.last::<Vec<u8>>(test, 81).unwrap().is_none());
    assert!(snapshots.last::<Vec<u8>>(finney, 80).unwrap().is_none());
    let folder = root.path().join("state/snapshots");
    let file = folder.join(&names(&folder)[0]);
    fs::write(folder.join(format!("{}-81.json", hex::encode([2; 32]))), fs::read(&file).unwrap()).unwrap();
    assert!(matches!(snapshots.last::<Vec<u8>>(test, 81), Err(StateError::Corrupt { .. })), "another chain's file");
}

#[test]
fn a_damaged_snapshot_is_reported_and_one_of_another_version_is_none() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = StateDir::open(&root.path().join("state")).unwrap().snapshots().unwrap();
    let genesis = BlockHash([1; 32]);
    snapshots.keep(genesis, 81, &vec![1, 2, 3], 1_000).unwrap();
    let folder = root.path().join("state/snapshots");
    let file = folder.join(&names(&folder)[0]);
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() - 1], b"", b"{}", b"\0\xff"] {
        fs::write(&file, damaged).unwrap();
        let error = snapshots.last::<Vec<u8>>(genesis, 81).unwrap_err();
        assert!(matches!(error, StateError::Corrupt { .. }), "{error:?}");
    }
    fs::write(&file, format!(r#"{{"version":{},"something":"else"}}"#, VERSION + 1)).unwrap();
    assert!(snapshots.last::<Vec<u8>>(genesis, 81).unwrap().is_none());
}

#[test]
fn damaged_metadata_is_reported_and_replaced_by_the_next_download() {
    let root = tempfile::tempdir().unwrap();
    let cache = CacheDir::open(&root.path().join("cache")).unwrap().metadata().unwrap();
    let genesis = BlockHash([3; 32]);
    assert!(cache.get(genesis, 365).unwrap().is_none());
    let sources = vec!["one.example".to_owned(), "this machine:9944".to_owned()];
    let told = RuntimeMetadata { bytes: b"meta of the runtime".to_vec(), code: Some(BlockHash([9; 32])), sources };
    cache.put(genesis, 365, &told).unwrap();
    assert_eq!(cache.get(genesis, 365).unwrap().unwrap(), told, "with the code and the operators that told it");
    assert!(cache.get(genesis, 366).unwrap().is_none());
    let folder = root.path().join("cache/metadata");
    let file = folder.join(&names(&folder)[0]);
    let whole = fs::read(&file).unwrap();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&file, &damaged).unwrap();
        assert!(matches!(cache.get(genesis, 365), Err(StateError::Corrupt { .. })), "byte {at} flipped");
        fs::write(&file, &whole[..at]).unwrap();
        assert!(matches!(cache.get(genesis, 365), Err(StateError::Corrupt { .. })), "cut at {at}");
    }
    cache.put(genesis, 365, &b"again".to_vec().into()).unwrap();
    assert_eq!(cache.get(genesis, 365).unwrap().unwrap().bytes, b"again");
    fs::rename(&file, folder.join(format!("{}-366.metadata", hex::encode([3; 32])))).unwrap();
    assert!(matches!(cache.get(genesis, 366), Err(StateError::Corrupt { .. })), "another runtime's metadata");
}

#[test]
fn only_the_newest_metadata_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let cache = CacheDir::open(&root.path().join("cache")).unwrap().metadata().unwrap();
    let folder = root.path().join("cache/metadata");
    let genesis = BlockHash([3; 32]);
    for spec in 0..10_u32 {
        cache.put(genesis, spec, &b"x".to_vec().into()).unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(u64::from(1_000 - spec));
        let file = folder.join(format!("{}-{spec}.metadata", hex::encode([3; 32])));
        fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
    }
    assert_eq!(names(&folder).len(), metadata_cache::KEPT);
    assert!(cache.get(genesis, 9).unwrap().is_some() && cache.get(genesis, 0).unwrap().is_none());
}

#[test]
fn another_chain_at_an_endpoint_is_taken_for_the_one_that_is_meant_after_an_hour() {
    let root = tempfile::tempdir().unwrap();
    let snapshots = StateDir::open(&root.path().join("state")).unwrap().snapshots().unwrap();
    let [own, other] = [1, 2].map(|byte| BlockHash([byte; 32]));
    let (at, hour) = ("ws://127.0.0.1:9944", 3_600_000);
    assert_eq!(snapshots.answered(at, own, 0).unwrap(), None);
    for now_ms in [1_000, hour] {
        assert_eq!(snapshots.answered(at, other, now_ms).unwrap(), Some(own));
        assert_eq!(snapshots.genesis_at(at).unwrap(), Some(own));
    }
    // The own one was back in between: the hour begins again.
    assert_eq!(snapshots.answered(at, own, hour).unwrap(), None);
    assert!(snapshots.answered(at, other, 2 * hour).unwrap().is_some());
    assert_eq!(snapshots.answered(at, other, 3 * hour + 1).unwrap(), None);
    assert_eq!(snapshots.genesis_at(at).unwrap(), Some(other));
    assert_eq!(snapshots.answered(at, own, 4 * hour).unwrap(), Some(other));
}

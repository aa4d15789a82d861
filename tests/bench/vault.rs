//! How long the stores of keys take: opening, reading, writing with its proof.

use std::path::Path;
use std::time::Instant;

use grail_console::domain::network::BlockHash;
use grail_console::domain::owner::Owner;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::Origin;
use grail_console::sandbox::{OPERATOR_UID, hotkey};
use grail_console::state::atomic::PrivateDir;
use grail_console::vault::{FileKey, Generation, KeyPair, Opening, Vault, VaultError, open};

use crate::{median, report};

const RUNS: usize = 5;

/// Blocking, as the stores are: not on a thread that runs tasks.
pub fn measure() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    FileKey::generate(&key).unwrap();
    let file = |name: &str, key: FileKey| {
        let dir = PrivateDir::open(&folder.path().join(name)).unwrap();
        open(Opening::File { dir, key })
    };
    let passphrase = || FileKey::Passphrase(SecretKey::new("correct horse battery staple"));
    store("encrypted file, passphrase", "about 1 s to open", || file("passphrase", passphrase()));
    store("encrypted file, key file", "<= 10 ms to open", || file("key-file", FileKey::KeyFile(key.clone())));
    store("memory", "-", Vault::in_memory);
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() {
        store("Secret Service", "-", || open(Opening::SecretService));
    } else {
        report("Secret Service", "-", "no session bus here: run under dbus-run-session with an unlocked keyring");
    }
    index(folder.path());
}

fn store(name: &str, bar: &str, open: impl Fn() -> Result<Vault, VaultError>) {
    let vault = match open() {
        Ok(vault) => vault,
        Err(error) => return report(name, bar, &error.to_string()),
    };
    let owner = Owner { genesis: BlockHash([0xbe; 32]), netuid: 81, hotkey: hotkey(OPERATOR_UID) };
    let put = of((1..).take(RUNS).map(generation), |generation| vault.put(&owner, &generation).unwrap());
    // What is there is unlocked once for each opening.
    let unlock = of(0..RUNS, |_| drop(open().unwrap()));
    let read = of((1..).take(RUNS), |number| drop(vault.get(&owner, number).unwrap().unwrap_or_else(|| generation(0))));
    let remove = of((1..).take(RUNS), |number| assert!(vault.remove(&owner, number).unwrap()));
    let measured =
        format!("open {} · read {} · put, read back {} · remove {}", ms(unlock), ms(read), ms(put), ms(remove));
    report(name, bar, &measured);
}

fn index(folder: &Path) {
    let indexes = grail_console::state::StateDir::open(&folder.join("state")).unwrap().vault().unwrap();
    let owner = Owner { genesis: BlockHash([0xbe; 32]), netuid: 81, hotkey: hotkey(OPERATOR_UID) };
    let mut index = grail_console::domain::vault_index::Index::default();
    (1..=10)
        .for_each(|number| index.hold(generation(number).holding(grail_console::domain::vault_index::Backend::File)));
    let write = of(0..RUNS, |_| indexes.write(&owner, &index).unwrap());
    let read = of(0..RUNS, |_| drop(indexes.read(&owner).unwrap()));
    report("index of 10 generations", "-", &format!("read {} · write, synced {}", ms(read), ms(write)));
}

/// The middle of what each of them took, in seconds.
fn of<T>(each: impl Iterator<Item = T>, act: impl Fn(T)) -> f64 {
    let timed = each.map(|one| {
        let begin = Instant::now();
        act(one);
        begin.elapsed().as_secs_f64()
    });
    median(timed.collect())
}

fn ms(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1_000.0)
}

fn generation(number: u64) -> Generation {
    let pair =
        |of: char| KeyPair { id: format!("{of}{number:031x}"), secret: SecretKey::new(format!("{of}{number:063x}")) };
    Generation {
        number,
        created_ms: 1_700_000_000_000,
        origin: Origin::Imported,
        account: Some("3f9a12c4".repeat(4)),
        bucket: None,
        read: Some(pair('a')),
        write: Some(pair('b')),
    }
}

//! A store that fails at each of its calls: every failure has its name, and nothing is half done, the index included.

use std::path::Path;
use std::sync::Arc;

use grail_console::config::Flags;
use grail_console::domain::vault_index::{Backend, Index};
use grail_console::ops::vault::{OpenVault, VaultProblem, index, open};
use grail_console::vault::{Generation, Vault, VaultError};
use keyring_core::Error;
use tempfile::TempDir;

use crate::state_files::{again_under, child_dir};
use crate::support::house::says;
use crate::support::vault::{Faulty, context, generation, owner, secret};

const SAID: &str = "the bus said \u{1b}[31mno";

fn denied() -> Error {
    Error::NoStorageAccess(SAID.into())
}

fn broken() -> Error {
    Error::PlatformFailure(SAID.into())
}

/// Errors that carry what was stored.
fn telling() -> Error {
    Error::BadEncoding(secret(1, 'd').into_bytes())
}

fn malformed() -> Error {
    Error::BadDataFormat(secret(1, 'd').into_bytes(), secret(1, 'c').into())
}

/// An error of a store, and the name that it gets.
type Fault = (fn() -> Error, &'static str);

const FAULTS: [Fault; 4] =
    [(denied, "vault_locked"), (broken, "vault_failed"), (telling, "vault_failed"), (malformed, "vault_failed")];

/// A vault with generation 1, in use.
struct Room {
    home: TempDir,
    store: Arc<Faulty>,
    opened: OpenVault,
}

impl Room {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = Faulty::new();
        let mut opened = open_over(home.path(), &store).await;
        opened.put(generation(1)).await.unwrap();
        opened.promote(1).await.unwrap();
        Self { home, store, opened }
    }

    /// The index as it is on disk.
    async fn index(&self) -> Index {
        index(&context(self.home.path(), Flags::default())).await.unwrap().1
    }

    /// Whether everything is as [`Self::new`] left it, or what is not.
    async fn is_untouched(&self) -> Result<(), String> {
        self.store.heal();
        let index = self.index().await;
        let numbers: Vec<_> = index.holdings.iter().map(|holding| holding.number).collect();
        let held = (1..4).filter(|number| self.store.holds(&owner(), *number)).collect::<Vec<_>>();
        let as_before = (index.current, &numbers[..], &held[..]) == (Some(1), &[1], &[1]) && self.opened.index == index;
        let readable = matches!(self.opened.current().await, Ok(Some(current)) if current == generation(1));
        if as_before && readable { Ok(()) } else { Err(format!("{index:?} {held:?} {:?}", self.opened.index)) }
    }
}

async fn open_over(home: &Path, store: &Arc<Faulty>) -> OpenVault {
    let mut context = context(home, Flags::default());
    context.sandbox_vault = Some(Vault::over(Backend::Memory, store.store()));
    open(&context, None).await.unwrap()
}

/// Something that is done with a vault.
#[derive(Debug, Clone, Copy)]
enum Act {
    Put,
    Promote,
    Forget,
    Read,
    Next,
}

async fn act(opened: &mut OpenVault, act: Act) -> Result<(), VaultProblem> {
    match act {
        Act::Put => opened.put(generation(2)).await,
        Act::Promote => opened.promote(1).await,
        Act::Forget => opened.forget(1).await,
        Act::Read => opened.generation(1).await.map(drop),
        Act::Next => opened.next_number().await.map(drop),
    }
}

#[tokio::test]
async fn each_call_that_fails_is_named_and_leaves_store_and_index_as_they_were() {
    let calls: [(Act, &[&str]); 5] = [
        (Act::Put, &["get", "set", "get"]),
        (Act::Promote, &["get"]),
        (Act::Forget, &["delete"]),
        (Act::Read, &["get"]),
        (Act::Next, &["get"]),
    ];
    for (what, calls) in calls {
        for (at, name) in calls.iter().enumerate() {
            for (fault, code) in FAULTS {
                let mut room = Room::new().await;
                room.store.fail(at, fault);
                let problem = act(&mut room.opened, what).await.unwrap_err();
                assert_eq!(room.store.calls().get(at), Some(name), "{what:?}");
                assert_eq!(problem.code(), code, "{what:?} {at}: {problem:?}");
                let shown = format!("{problem} {problem:?} {:?}", problem.finding());
                assert!(!shown.contains(&secret(1, 'd')) && !shown.contains(&secret(1, 'c')), "{shown}");
                assert!(!problem.to_string().contains('\u{1b}'), "what a store says is made harmless");
                room.is_untouched().await.unwrap_or_else(|left| panic!("{what:?} {at} {code}: {left}"));
            }
        }
    }
}

#[tokio::test]
async fn what_fails_once_succeeds_when_it_is_done_again() {
    for (at, (fault, _)) in (0..3).zip(FAULTS) {
        let mut room = Room::new().await;
        room.store.fail(at, fault);
        act(&mut room.opened, Act::Put).await.unwrap_err();
        act(&mut room.opened, Act::Put).await.unwrap();
        room.store.fail(0, fault);
        act(&mut room.opened, Act::Forget).await.unwrap_err();
        act(&mut room.opened, Act::Forget).await.unwrap();
        let index = room.index().await;
        assert_eq!((index.holdings.len(), index.current, index.highest), (1, None, 2));
    }
}

#[tokio::test]
async fn a_secret_that_vanishes_or_does_not_read_back_was_not_kept() {
    let mut room = Room::new().await;
    room.store.fail(2, || Error::NoEntry);
    let problem = room.opened.put(generation(2)).await.unwrap_err();
    assert!(matches!(problem, VaultProblem::Vault(VaultError::NotKept { .. })), "{problem:?}");
    room.is_untouched().await.unwrap();
}

#[tokio::test]
async fn a_generation_that_is_gone_or_damaged_is_named_is_never_promoted_and_can_be_struck_out() {
    let mut room = Room::new().await;
    room.opened.put(generation(2)).await.unwrap();
    let raw = room.store.raw(&owner(), 2);
    let whole = raw.get_secret().unwrap();
    raw.set_secret(&whole[..100]).unwrap();
    let damaged = room.opened.promote(2).await.unwrap_err();
    assert!(matches!(damaged, VaultProblem::Vault(VaultError::Damaged { number: 2, .. })), "{damaged:?}");
    raw.delete_credential().unwrap();
    let gone = room.opened.promote(2).await.unwrap_err();
    assert!(matches!(gone, VaultProblem::Vault(VaultError::Gone { number: 2, .. })), "{gone:?}");
    assert_eq!(room.index().await.current, Some(1));
    room.opened.forget(2).await.unwrap();
    room.is_untouched().await.unwrap();
    let unknown = room.opened.generation(2).await.unwrap_err();
    assert!(matches!(unknown, VaultProblem::Vault(VaultError::Unknown { number: 2 })), "{unknown:?}");
}

#[tokio::test]
async fn a_number_is_never_given_out_twice() {
    let mut room = Room::new().await;
    assert_eq!(room.opened.next_number().await.unwrap(), 2);
    room.opened.put(generation(2)).await.unwrap();
    room.opened.put(generation(2)).await.unwrap();
    let other = Generation { number: 2, ..generation(3) };
    let occupied = room.opened.put(other).await.unwrap_err();
    assert!(matches!(occupied, VaultProblem::Vault(VaultError::Occupied { number: 2, .. })), "{occupied:?}");
    room.opened.forget(2).await.unwrap();
    assert_eq!(room.opened.next_number().await.unwrap(), 3);
    let spent = room.opened.put(generation(2)).await.unwrap_err();
    assert!(matches!(spent, VaultProblem::Vault(VaultError::Spent { number: 2 })), "{spent:?}");
}

/// Killed between store and index, at every point of a put.
#[tokio::test]
async fn keys_that_a_crash_left_without_the_index_are_found_and_their_number_is_not_used() {
    let mut room = Room::new().await;
    room.opened.vault.put(&owner(), &generation(2)).unwrap();
    assert_eq!(room.opened.next_number().await.unwrap(), 3);
    assert_eq!(room.opened.index, room.index().await);
    assert_eq!(room.opened.generation(2).await.unwrap(), generation(2));
    assert_eq!(room.index().await.current, Some(1), "found, but not in use");
    // Half a secret is none of ours: its number is passed over.
    room.store.raw(&owner(), 3).set_secret(b"{\"v\":1,\"own").unwrap();
    assert_eq!(room.opened.next_number().await.unwrap(), 4);
    assert!(room.index().await.holding(3).is_none());
    room.opened.put(generation(4)).await.unwrap();
}

#[tokio::test]
async fn a_lost_index_is_made_anew_from_the_store() {
    let mut room = Room::new().await;
    room.opened.put(generation(2)).await.unwrap();
    let folder = room.home.path().join(".local/state/grail-console/vault");
    for file in std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|ending| ending == "json") {
            std::fs::remove_file(file).unwrap();
        }
    }
    let mut again = open_over(room.home.path(), &room.store).await;
    assert_eq!(again.index, room.index().await, "it is on disk again");
    assert_eq!(again.next_number().await.unwrap(), 3);
    assert_eq!(again.generation(1).await.unwrap(), generation(1));
    assert_eq!(again.generation(2).await.unwrap(), generation(2));
    assert_eq!(again.index.current, Some(2), "what was imported last was put into use by that");
}

#[test]
fn an_index_that_cannot_be_written_takes_the_secret_back() {
    const TEST: &str = "vault_faults::an_index_that_cannot_be_written_takes_the_secret_back";
    let Some(home) = child_dir() else {
        let home = tempfile::tempdir().unwrap();
        // No file may have a single byte.
        return again_under(TEST, "trap '' XFSZ; ulimit -f 0; exec {}", home.path());
    };
    let store = Faulty::new();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut opened = open_over(&home, &store).await;
        let problem = opened.put(generation(1)).await.unwrap_err();
        assert!(matches!(problem, VaultProblem::State(_)), "{problem:?}");
        says(&problem.finding().summary, &["No room to write"]);
        assert!(!store.holds(&owner(), 1));
        assert_eq!(opened.index, Index::default());
    });
}

#[tokio::test]
async fn two_consoles_keep_one_index() {
    let mut room = Room::new().await;
    let mut other = open_over(room.home.path(), &room.store).await;
    other.put(generation(2)).await.unwrap();
    room.opened.put(generation(3)).await.unwrap();
    let numbers: Vec<_> = room.opened.index.holdings.iter().map(|holding| holding.number).collect();
    assert_eq!(numbers, [1, 2, 3], "each change begins with the index on disk");
    other.promote(3).await.unwrap();
    assert_eq!(room.index().await.current, Some(3));
}

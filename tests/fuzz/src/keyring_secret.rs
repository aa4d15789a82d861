//! One generation of keys, as a credential store gives it back.

use std::sync::Arc;

use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::owner::Owner;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Origin};
use grail_console::vault::{Damage, Generation, KeyPair, Vault, VaultError};
use keyring_core::{CredentialStore, Entry, mock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::secret;

const OWNER: Owner = Owner { genesis: BlockHash([0x2f; 32]), netuid: 81, hotkey: Hotkey::from_bytes([7; 32]) };
const NUMBER: u64 = 1;
/// Largest secret that is read.
const MOST: usize = 4 << 10;

/// The first byte says what follows: what the store holds, the same with the right checksum, or the fields of a generation.
pub fn run(data: &[u8]) -> &'static str {
    let Some((what, rest)) = data.split_first() else { return "nothing" };
    let bytes = secret::placed(rest);
    match what % 3 {
        0 => read(&bytes),
        1 => checked(&bytes).map_or("no_json", |bytes| read(&bytes)),
        _ => kept(*what, &bytes),
    }
}

fn vault() -> (Vault, Arc<CredentialStore>) {
    let store: Arc<CredentialStore> = mock::Store::new().unwrap();
    (Vault::over(Backend::Memory, Arc::clone(&store)), store)
}

fn entry(store: &Arc<CredentialStore>, owner: &Owner) -> Entry {
    store.build("grail-console", &format!("{owner}/{NUMBER}"), None).unwrap()
}

/// What is read is damaged in a way that has a name, or comes back equal from another store; no message repeats a secret.
fn read(bytes: &[u8]) -> &'static str {
    let (vault, store) = vault();
    entry(&store, &OWNER).set_secret(bytes).unwrap();
    let generation = match vault.get(&OWNER, NUMBER) {
        Ok(generation) => generation.unwrap(),
        Err(error) => return damaged(&error, bytes.len()),
    };
    assert!(bytes.len() <= MOST);
    assert_eq!(generation.number, NUMBER);
    let (other, copies) = self::vault();
    if let Err(error) = other.put(&OWNER, &generation) {
        // Text with escapes is longer than it was.
        secret::is_not_in(&format!("{error:?} {}", error.what()));
        return "not_kept";
    }
    assert_eq!(other.get(&OWNER, NUMBER).unwrap().as_ref(), Some(&generation));
    // Nobody else's, be it the hotkey or the subnet.
    let copy = entry(&copies, &OWNER).get_secret().unwrap();
    for foreign in [Owner { netuid: 82, ..OWNER }, Owner { hotkey: Hotkey::from_bytes([8; 32]), ..OWNER }] {
        entry(&copies, &foreign).set_secret(&copy).unwrap();
        let error = other.get(&foreign, NUMBER).unwrap_err();
        assert!(matches!(error, VaultError::Damaged { damage: Damage::Foreign, .. }), "{error:?}");
    }
    "read"
}

fn damaged(error: &VaultError, length: usize) -> &'static str {
    secret::is_not_in(&format!("{error:?} {} {}", error.what(), error.todo()));
    let VaultError::Damaged { damage, .. } = error else { panic!("{error:?}") };
    assert_eq!(length > MOST, *damage == Damage::TooLarge);
    match damage {
        Damage::NotOurs => "not_ours",
        Damage::TooLarge => "too_large",
        Damage::Check => "check",
        Damage::Foreign => "foreign",
        Damage::Exchanged => "exchanged",
        Damage::Newer(_) => "newer",
    }
}

/// The JSON with the checksum that its fields have, so that what lies behind the check is reached.
fn checked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Value = serde_json::from_slice(bytes).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pair = |value: &Value, field| text(&value[field]);
    let origin = match kept["origin"].as_str() {
        Some("rotated") => "Rotated",
        _ => "Imported",
    };
    let last = format!("{} {} {origin}", kept["generation"], kept["created_ms"]);
    let parts = [text(&kept["owner"]), text(&kept["account"]), text(&kept["bucket"])]
        .into_iter()
        .chain([&kept["read"], &kept["write"]].into_iter().flat_map(|side| [pair(side, "id"), pair(side, "secret")]));
    let mut digest = Sha256::new().chain_update(b"grail-console/generation/1\0");
    for part in parts.chain([last]) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    kept.as_object_mut()?.insert("check".to_owned(), hex::encode(digest.finalize()).into());
    serde_json::to_vec(&kept).ok()
}

/// What is put comes back equal, and no byte that changed gives other keys.
fn kept(what: u8, bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut fields = text.split('\n');
    let mut field = || fields.next().filter(|field| !field.is_empty()).map(ToOwned::to_owned);
    let (account, bucket) = (field(), field());
    let mut pair = || Some(KeyPair { id: field()?, secret: SecretKey::new(field().unwrap_or_default()) });
    let (read, write) = (pair(), pair());
    let origin = if what & 0x80 == 0 { Origin::Imported } else { Origin::Rotated };
    let generation = Generation { number: NUMBER, created_ms: 7, origin, account, bucket, read, write };
    let (vault, store) = vault();
    if let Err(error) = vault.put(&OWNER, &generation) {
        secret::is_not_in(&format!("{error:?} {} {}", error.what(), error.todo()));
        assert_eq!(vault.get(&OWNER, NUMBER).unwrap(), None, "what was not kept whole is taken back");
        return "not_kept";
    }
    assert_eq!(vault.get(&OWNER, NUMBER).unwrap().as_ref(), Some(&generation));
    assert_eq!(vault.held(&OWNER, &generation.holding(Backend::Memory)).unwrap(), generation);
    let entry = entry(&store, &OWNER);
    let mut raw = entry.get_secret().unwrap();
    let at = bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % raw.len();
    raw[at] ^= 1 << (what >> 4 & 7);
    entry.set_secret(&raw).unwrap();
    // In an escape a letter has two cases.
    match vault.get(&OWNER, NUMBER) {
        Ok(read) => assert_eq!(read, Some(generation), "byte {at} gives other keys"),
        Err(error) => drop(damaged(&error, raw.len())),
    }
    "kept"
}

//! Accounts, buckets and keys of everybody on the sandbox subnet, found by their ids.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::tokens::Scope;
use crate::sandbox::accounts::{BucketKey, OPERATOR_UID, account_id};
use crate::sandbox::scenario::Scenario;

/// Read keys of every bucket; a rotation goes from one generation to the next.
const GENERATIONS: u8 = 10;

/// A key that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issued {
    /// Whose bucket it is for.
    pub uid: u16,
    /// What it may do.
    pub scope: Scope,
    /// Which of the keys that are there from the start it is, if it is one of them.
    pub key: Option<BucketKey>,
}

impl Issued {
    const fn from_the_start(uid: u16, key: BucketKey) -> Self {
        let scope = match key {
            BucketKey::Read(_) => Scope::Read,
            BucketKey::Write => Scope::Write,
        };
        Self { uid, scope, key: Some(key) }
    }

    /// Whether it is one that only reads.
    pub const fn reads_only(self) -> bool {
        !matches!(self.scope, Scope::Write)
    }
}

/// Everybody's accounts and keys. The maps are made when somebody asks first.
#[derive(Debug)]
pub struct Ring {
    uids: u32,
    /// Accounts of who is not on the subnet any more, by the uid that their bytes are derived from.
    elsewhere: Vec<u16>,
    accounts: OnceLock<HashMap<[u8; 16], u16>>,
    keys: OnceLock<HashMap<[u8; 16], Issued>>,
}

impl Ring {
    /// Of a scenario with so many uids.
    pub fn new(scenario: &Scenario, uids: u32) -> Self {
        let former = scenario.former_members.iter().map(|former| former.index);
        let in_the_operators_place = (!scenario.operator.registered).then_some(OPERATOR_UID);
        // The operator has a bucket before there is a uid for it.
        let operator = (uids <= u32::from(OPERATOR_UID)).then_some(OPERATOR_UID);
        Self {
            uids,
            elsewhere: former.chain(in_the_operators_place).map(|index| u16::MAX - index).chain(operator).collect(),
            accounts: OnceLock::new(),
            keys: OnceLock::new(),
        }
    }

    /// Whether a uid is on the subnet.
    pub fn is_member(&self, uid: u16) -> bool {
        u32::from(uid) < self.uids
    }

    fn everybody(&self) -> impl Iterator<Item = u16> {
        let members = (0..self.uids).map_while(|uid| u16::try_from(uid).ok());
        members.chain(self.elsewhere.iter().copied())
    }

    /// Whose bucket has this name.
    pub fn owner(&self, bucket: &str) -> Option<u16> {
        let accounts = || self.everybody().map(|uid| (account_id(uid), uid)).collect();
        self.accounts.get_or_init(accounts).get(&bytes(bucket)?).copied()
    }

    /// The key with this id, of those that are there from the start.
    pub fn key(&self, id: &str) -> Option<Issued> {
        let all = || (0..GENERATIONS).map(BucketKey::Read).chain([BucketKey::Write]);
        let of = |uid| all().map(move |key| (key.id(uid), Issued::from_the_start(uid, key)));
        self.keys.get_or_init(|| self.everybody().flat_map(of).collect()).get(&bytes(id)?).copied()
    }
}

/// The bytes of 32 lowercase hexadecimal digits.
fn bytes(id: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let lower = !id.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode_to_slice(id, &mut bytes).ok().filter(|()| lower).map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::accounts::Credentials;

    #[test]
    fn every_key_and_bucket_is_found_and_others_are_not() {
        let ring = Ring::new(&Scenario::named("healthy").unwrap(), 64);
        let (own, next) = (Credentials::of(7, 0), Credentials::of(7, 3));
        assert_eq!(ring.owner(&own.account), Some(7));
        assert_eq!(ring.key(&own.read_key_id), Some(Issued::from_the_start(7, BucketKey::Read(0))));
        assert_eq!(ring.key(&next.read_key_id), Some(Issued::from_the_start(7, BucketKey::Read(3))));
        assert_eq!(ring.key(&own.write_key_id), Some(Issued::from_the_start(7, BucketKey::Write)));
        assert_eq!(BucketKey::Read(3).secret(7), next.read_secret.expose());
        assert_eq!(ring.key(&Credentials::of(7, GENERATIONS).read_key_id), None);
        assert_eq!(ring.owner(&Credentials::of(64, 0).account), None);
        assert_eq!(ring.owner(&own.account.to_uppercase()), None);
        assert_eq!(ring.owner(&Credentials::of(u16::MAX, 0).account), Some(u16::MAX), "a former member's");
    }
}

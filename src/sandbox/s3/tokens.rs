//! Tokens that are made and revoked while the sandbox runs, as an operator does it in the provider's dashboard.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use sp_crypto_hashing::sha2_256;

use crate::domain::secret::SecretKey;

/// What a token lets its holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Read the objects of the own bucket ("Object Read only").
    Read,
    /// Read and write the objects of the own bucket ("Object Read & Write").
    Write,
    /// Read, and list the account's buckets ("Admin Read only").
    AccountWide,
    /// Nothing with the own bucket: it is for another one of the account.
    OtherBucket,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::AccountWide, Self::OtherBucket];

    /// Its name, as scenarios and URLs have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::AccountWide => "account-wide",
            Self::OtherBucket => "other-bucket",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// A token as the dashboard shows it, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Access key id: 32 lowercase hexadecimal digits.
    pub key_id: String,
    /// Secret access key: 64 lowercase hexadecimal digits.
    pub secret: SecretKey,
}

/// How a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The store knows it.
    Known,
    /// The store does not know it yet; it will in so many seconds of sandbox time at most.
    KnownIn(u64),
    /// It is revoked.
    Revoked,
}

/// A token that was made here.
#[derive(Debug, Clone)]
pub struct Made {
    /// Whose account it is for.
    pub uid: u16,
    /// What it may do.
    pub scope: Scope,
    /// The block time of sandbox at which the store knows it.
    pub known_from: u64,
    secret: SecretKey,
}

/// Tokens by id: what was made, and what became of these and of those that were there from the start.
#[derive(Debug)]
pub struct Tokens {
    /// Another seed, other tokens: a console that remembers the last sandbox session meets none of its keys again.
    seed: u64,
    /// In the order in which they were made.
    made: Vec<(String, Made)>,
    count: u64,
    rolled: HashMap<String, SecretKey>,
    revoked: HashSet<String>,
}

impl Tokens {
    /// None yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, made: Vec::new(), count: 0, rolled: HashMap::new(), revoked: HashSet::new() }
    }

    /// 32 bytes that nobody has seen before. R2's secrets are the SHA-256 of a token's value, too.
    fn fresh(&mut self) -> [u8; 32] {
        self.count += 1;
        sha2_256(format!("grail-console sandbox token {} {}", self.seed, self.count).as_bytes())
    }

    /// Makes a token that the store knows from a block time of sandbox on.
    pub fn issue(&mut self, uid: u16, scope: Scope, known_from: u64) -> Token {
        let key_id = hex::encode(&self.fresh()[..16]);
        let secret = SecretKey::new(hex::encode(self.fresh()));
        self.made.push((key_id.clone(), Made { uid, scope, known_from, secret: secret.clone() }));
        Token { key_id, secret }
    }

    /// Gives a token another secret; the old one is wrong from now on.
    pub fn roll(&mut self, key_id: &str) -> Token {
        let secret = SecretKey::new(hex::encode(self.fresh()));
        self.rolled.insert(key_id.to_owned(), secret.clone());
        Token { key_id: key_id.to_owned(), secret }
    }

    /// Revokes a token for good. Returns whether it was not revoked before.
    pub fn revoke(&mut self, key_id: &str) -> bool {
        self.revoked.insert(key_id.to_owned())
    }

    /// Whether a token is revoked.
    pub fn is_revoked(&self, key_id: &str) -> bool {
        self.revoked.contains(key_id)
    }

    /// A token that was made here, known to the store or not.
    pub fn get(&self, key_id: &str) -> Option<&Made> {
        self.made.iter().find(|(id, _)| id == key_id).map(|(_, made)| made)
    }

    /// Every token that was made for a uid, the oldest first.
    pub fn of(&self, uid: u16) -> impl Iterator<Item = (&String, &Made)> {
        self.made.iter().filter(move |(_, made)| made.uid == uid).map(|(id, made)| (id, made))
    }

    /// The secret of a token, if it was made or rolled here.
    pub fn secret(&self, key_id: &str) -> Option<&SecretKey> {
        self.rolled.get(key_id).or_else(|| self.get(key_id).map(|made| &made.secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_r2_s_shape_and_no_two_are_alike_even_after_a_restart() {
        let (mut one, mut again) = (Tokens::new(1), Tokens::new(2));
        let tokens = [one.issue(42, Scope::Read, 0), one.issue(42, Scope::Read, 0), again.issue(42, Scope::Read, 0)];
        for token in &tokens {
            assert_eq!((token.key_id.len(), token.secret.chars()), (32, 64));
        }
        let ids: HashSet<_> = tokens.iter().map(|token| &token.key_id).collect();
        let secrets: HashSet<_> = tokens.iter().map(|token| token.secret.fingerprint()).collect();
        assert_eq!((ids.len(), secrets.len()), (3, 3));
        assert_eq!(Tokens::new(1).issue(42, Scope::Read, 0), tokens[0], "the same seed, the same tokens");
    }

    #[test]
    fn a_rolled_token_keeps_its_id_and_has_another_secret() {
        let mut tokens = Tokens::new(1);
        let first = tokens.issue(42, Scope::Read, 0);
        let rolled = tokens.roll(&first.key_id);
        assert_eq!(rolled.key_id, first.key_id);
        assert_ne!(rolled.secret, first.secret);
        assert_eq!(tokens.secret(&first.key_id), Some(&rolled.secret));
    }

    #[test]
    fn every_scope_is_found_by_its_name() {
        assert!(Scope::ALL.into_iter().all(|scope| Scope::named(scope.name()) == Some(scope)));
        assert_eq!(Scope::named("everything"), None);
    }
}

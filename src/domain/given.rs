//! A setting as somebody gave it: used as it is, shown without what looks like a secret in the wrong place (THREATS T31).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::hotkey::Hotkey;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;

/// Characters of a setting that are shown.
const SHOWN: usize = 200;
/// Characters of a path segment of a URL, or in a row in a name, from which on they are taken for a key. The shortest
/// access key ids have as many; segments such as `public-ws` have fewer.
pub(super) const KEYLIKE_CHARS: usize = 16;
/// The shortest text that can be a secret by its mixture of letters and digits.
const MIXED_CHARS: usize = 20;
/// Letters and digits in a row that are no name, whatever they are.
const LONGEST_WORD: usize = 32;
/// More words than these are a phrase.
const MOST_WORDS: usize = 8;

/// Text of a setting. What is shown of it, by `Display`, `Debug` or in JSON, is masked.
#[derive(Clone, PartialEq, Eq)]
pub struct Given(String);

impl Given {
    /// As it was given.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for parsing and comparing; never for showing.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What in it is a secret, or looks like one: the whole of a name, in a URL the parts that hold keys.
    pub fn secrets(&self) -> Vec<SecretKey> {
        let parts = match Parts::of(&self.0) {
            Some(url) => url.keys(),
            None if looks_secret(&self.0) => vec![self.0.trim()],
            None => Vec::new(),
        };
        parts.into_iter().map(SecretKey::new).collect()
    }

    /// Whether it is a name, not a URL, and looks like a secret.
    pub fn is_misplaced(&self) -> bool {
        Parts::of(&self.0).is_none() && looks_secret(&self.0)
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\u{2039}{self}\u{203a}")
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl PartialEq<&str> for Given {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<str> for Given {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

/// A name or a URL as it may be shown.
pub fn shown(text: &str) -> String {
    let masked = match Parts::of(text) {
        Some(url) => url.shown(),
        None if looks_secret(text) => {
            format!("•••• ({} characters that look like a secret)", text.trim().chars().count())
        }
        None => text.to_owned(),
    };
    sanitize(&masked, SHOWN)
}

/// A URL by its punctuation, be it well formed or not.
struct Parts<'t> {
    scheme: &'t str,
    user: Option<&'t str>,
    host: &'t str,
    path: &'t str,
    query: Option<&'t str>,
    fragment: Option<&'t str>,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").or_else(|| text.split_once(":/"))?;
        let (rest, fragment) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        Some(Self { scheme, user, host, path, query, fragment })
    }

    /// Scheme and host, and of the path what is too short for a key.
    fn shown(&self) -> String {
        let scheme = if looks_secret(self.scheme) { "…" } else { self.scheme };
        let host: Vec<&str> =
            self.host.split('.').map(|label| if is_keylike_label(label) { "…" } else { label }).collect();
        let user = if self.user.is_some() { "…@" } else { "" };
        let path: String = self.segments().map(|part| ["/", if is_key(part) { "…" } else { part }].concat()).collect();
        let query = if self.query.is_some() { "?…" } else { "" };
        let fragment = if self.fragment.is_some() { "#…" } else { "" };
        format!("{scheme}://{user}{}{path}{query}{fragment}", host.join("."))
    }

    fn keys(&self) -> Vec<&'t str> {
        let user = self.user.into_iter().flat_map(|user| user.split(':'));
        let query = self.query.into_iter().flat_map(|query| query.split('&'));
        let query = query.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        // Shorter values are words of the URL's own, such as `websocket`, which no log can do without.
        let long = query.chain(self.fragment).chain(self.segments()).filter(|part| is_key(part));
        let host = self.host.split('.').filter(|label| is_keylike_label(label));
        user.chain(long).chain(host).filter(|part| !part.is_empty()).collect()
    }

    fn segments(&self) -> impl Iterator<Item = &'t str> {
        self.path.split(['/', '\\']).filter(|part| !part.is_empty())
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_key(segment: &str) -> bool {
    segment.len() >= KEYLIKE_CHARS
}

/// The name of an R2 host begins with the account's id, which is public.
fn is_keylike_label(label: &str) -> bool {
    looks_secret(label) && !is_account_id(label)
}

fn is_account_id(text: &str) -> bool {
    text.len() == LONGEST_WORD && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The parts of a path that look like a secret; account ids, which name folders too, are none.
pub fn secrets_in_path(path: &str) -> Vec<SecretKey> {
    let parts = path.split('/').filter(|part| looks_secret(part) && !is_account_id(part));
    parts.map(SecretKey::new).collect()
}

/// Whether a text that should be a name looks like a key, a token, a seed or a phrase. An address is none.
pub fn looks_secret(text: &str) -> bool {
    let text = text.trim();
    if text.len() < MIXED_CHARS || is_address(text) {
        return false;
    }
    let words = text.split_whitespace().count();
    if words > 1 {
        return words > MOST_WORDS || text.split_whitespace().any(looks_secret);
    }
    let longest = text.split(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|run| run.len()).unwrap_or_default();
    longest.len() >= LONGEST_WORD
        || (longest.len() >= MIXED_CHARS && is_mixed(longest))
        || is_uuid(text)
        || is_restless(text)
}

fn is_mixed(run: &str) -> bool {
    run.bytes().any(|b| b.is_ascii_digit()) && run.bytes().any(|b| b.is_ascii_alphabetic())
}

/// As an address is written, be it a right one or one with a slip.
fn is_address(text: &str) -> bool {
    let base58 = |c: char| c.is_ascii_alphanumeric() && !matches!(c, '0' | 'O' | 'I' | 'l');
    text.parse::<Hotkey>().is_ok()
        || (text.starts_with('5') && (46..=49).contains(&text.len()) && text.chars().all(base58))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// Small letters, capitals and digits in turn, as in base64 and never in a name.
fn is_restless(text: &str) -> bool {
    let kind = |b: u8| match b {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        b'+' | b'/' | b'=' | b'_' | b'-' | b'.' => 0,
        _ => 4,
    };
    let kinds: Vec<u8> = text.bytes().map(kind).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1] && pair[0] > 0 && pair[1] > 0).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    // Names in CamelCase change as often, and have few digits.
    let enough = digits >= if kinds.len() < LONGEST_WORD { 2 } else { 1 };
    !kinds.contains(&4) && enough && changes * 10 >= kinds.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_one_of_the_known_kinds() {
        for secret in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AKIAIOSFODNN7EXAMPLE",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "0x9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "9f86d081884c7d659a2feaa0c55ad015",
            "1c9d2b7e-8a4f-4c1d-9e6b-2f7a8c3d5e10",
            "v1.0-e24fd090cdeb-Xk2mQ9Lp7Rt4Vw8Zs3Yb6Nc1",
            "bottom drive obey lake curtain smoke basket hold race lonely fit walk",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmN",
        ] {
            assert!(looks_secret(secret), "{secret}");
            assert!(!shown(secret).contains(&secret[..8]), "{}", shown(secret));
            assert_eq!(Given::new(secret).secrets(), [SecretKey::new(secret)]);
        }
    }

    #[test]
    fn names_regions_addresses_and_places_are_none() {
        for name in [
            "default",
            "miner_01",
            "my-super-long-wallet-name-2024",
            "My-Wallet-For-Subnet81-Miner",
            "TrainerHotkeyOfTheNorth",
            "us-gov-east-1",
            "5GP8rVNupw4JB7uZSSNdSUg8BNS37B7Sq3RXkmmEqgZgU2m2",
            "5GP8rVNupw4JB7uZSSNdSUg8BNS37B7Sq3RXkmmEqgZgU2m3",
            "a wallet with some words in it",
        ] {
            assert!(!looks_secret(name), "{name}");
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn of_a_url_no_key_is_shown() {
        let key = "1c9d2b7e-8a4f-4c1d-9e6b-2f7a8c3d5e10";
        for (url, masked) in [
            (format!("wss://node.example:443/public-ws/{key}"), "wss://node.example:443/public-ws/…"),
            (format!("wss://node.example/ws?apikey={key}&x=1"), "wss://node.example/ws?…"),
            (format!("wss://{key}:x@node.example"), "wss://…@node.example"),
            (format!("wss://node.example/#{key}"), "wss://node.example#…"),
            (format!("wss://{key}.node.example/"), "wss://….node.example"),
            (
                "https://d6534454dc425c8cdae4af6435232e8b.r2.cloudflarestorage.com".to_owned(),
                "https://d6534454dc425c8cdae4af6435232e8b.r2.cloudflarestorage.com",
            ),
        ] {
            assert_eq!(shown(&url), masked);
            assert_eq!(Given::new(&*url).secrets().contains(&SecretKey::new(key)), url.contains(key), "{url}");
        }
    }

    #[test]
    fn a_url_with_one_slash_hides_its_key_too() {
        let key = "0b3f4ad2-77ce-4a1b-bd10-6cc4a9e8f123";
        let url = Given::new(format!("wss:/node.example/{key}"));
        assert!(!url.to_string().contains(key), "{url}");
        assert!(url.secrets().contains(&SecretKey::new(key)));
    }
}

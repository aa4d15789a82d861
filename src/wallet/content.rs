//! What is secret in a key file, read in place: every field borrows from the wiped buffer, and none becomes a text of
//! its own but inside a secret. Whoever signs reads the fields; whoever looks for secrets takes every text of the file, for a
//! key that no wallet can read is a key all the same.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::{Zeroize as _, Zeroizing};

use super::WalletError;
use super::signer::{Pair, Scheme, Signer};
use crate::domain::hotkey::Hotkey;
use crate::domain::secret::{Fingerprint, SecretKey};

/// Shortest text that is taken for a secret. Shorter ones (a cut-off field) would be found everywhere.
const SHORTEST: usize = 12;

/// The fields of FACTS 4 that matter for signing. A text with escapes is refused: none of them ever needs one, and
/// unescaping would leave a copy behind.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "secretPhrase")]
    phrase: Option<&'a str>,
    #[serde(rename = "secretSeed")]
    seed: Option<&'a str>,
    #[serde(rename = "privateKey")]
    private_key: Option<&'a str>,
    #[serde(rename = "cryptoType", borrow)]
    crypto_type: Option<&'a RawValue>,
}

/// The fields that are public, in lower case.
const PUBLIC: [&str; 3] = ["accountid", "publickey", "ss58address"];
/// The other names of fields that are long enough to be taken for a secret.
const SECRET_PHRASE: &str = "secretphrase";

/// The secret part of a key file.
pub(super) struct Content<'a> {
    path: &'a Path,
    fields: Fields<'a>,
}

/// A field that tells the key, by its name in the file.
type Told = (&'static str, Box<Pair>);

impl<'a> Content<'a> {
    /// From the bytes of a key file that is not encrypted (any more). `None` when they are none.
    pub(super) fn parse(path: &'a Path, bytes: &'a [u8]) -> Option<Self> {
        // The error is dropped: it may quote a value.
        let fields = serde_json::from_slice(bytes).ok()?;
        bytes.trim_ascii_start().starts_with(b"{").then_some(Self { path, fields })
    }

    /// The signer, whose address is still to be compared with what is told of it.
    pub(super) fn signer(&self) -> Result<Signer, WalletError> {
        let mut told = self.keys(self.scheme()?)?.into_iter();
        let (field, pair) = told.next().ok_or_else(|| WalletError::NoSecret(self.path.to_owned()))?;
        let hotkey = pair.hotkey();
        if let Some((other, _)) = told.find(|(_, other)| other.hotkey() != hotkey) {
            return Err(WalletError::Contradiction { path: self.path.to_owned(), one: field, other });
        }
        Ok(Signer::new(pair, self.secrets()))
    }

    /// Missing or `null` means sr25519: files older than the field have it so.
    fn scheme(&self) -> Result<Scheme, WalletError> {
        match self.fields.crypto_type.map(RawValue::get) {
            None | Some("1") => Ok(Scheme::Sr25519),
            Some("0") => Ok(Scheme::Ed25519),
            Some(other) => {
                Err(WalletError::UnknownScheme { path: self.path.to_owned(), crypto_type: other.parse().ok() })
            }
        }
    }

    /// What each field that is there makes, the one that counts first.
    fn keys(&self, scheme: Scheme) -> Result<Vec<Told>, WalletError> {
        let Fields { phrase, seed, private_key, .. } = &self.fields;
        let bad = |field, why| WalletError::BadField { path: self.path.to_owned(), field, why };
        let of_phrase = |text| seed_of(text).and_then(|seed| Pair::of_seed(scheme, &seed));
        let of_seed = |text| digits::<32>(text).and_then(|seed| Pair::of_seed(scheme, &seed));
        let made = [
            (phrase.map(of_phrase), "secretPhrase", "is not 12 to 24 words of the English BIP-39 list"),
            (seed.map(of_seed), "secretSeed", "is not 64 hexadecimal digits"),
            (private_key.map(|text| of_private_key(scheme, text)), "privateKey", private_key_rule(scheme)),
        ];
        let present = made.into_iter().filter_map(|(made, field, why)| Some((made?, field, why)));
        present.map(|(made, field, why)| Ok((field, made.ok_or_else(|| bad(field, why))?))).collect()
    }

    /// Every text that would give the key away; those of a field that is not in order too, as far as they go.
    pub(super) fn secrets(&self) -> Vec<SecretKey> {
        let schemes = self.scheme().map_or(BOTH.to_vec(), |scheme| vec![scheme]);
        let Fields { phrase, seed, private_key, .. } = self.fields;
        let mut texts = Texts::default();
        for text in [phrase, seed, private_key].into_iter().flatten() {
            texts.written(text);
        }
        for scheme in schemes {
            for seed in [phrase.and_then(seed_of), seed.and_then(digits::<32>)].into_iter().flatten() {
                texts.digits(&*seed);
                texts.pair(Pair::of_seed(scheme, &seed));
            }
            texts.pair(private_key.and_then(|text| of_private_key(scheme, text)));
        }
        texts.all
    }
}

const BOTH: [Scheme; 2] = [Scheme::Sr25519, Scheme::Ed25519];

/// Every text that a file of any form holds and that may be a secret, and the keys that it makes: JSON that is cut off, with
/// a byte order mark or with escapes, digits or a phrase alone, raw bytes. Addresses and public keys are none.
pub(super) fn secrets_in(bytes: &[u8]) -> Vec<SecretKey> {
    let mut texts = Texts::default();
    if matches!(bytes.len(), 32 | 64) {
        texts.key(&hex::encode(bytes));
    }
    let text = unescaped(&decoded(bytes));
    let mut is_public = false;
    for piece in text.split(|c: char| "\"'\n\r,{}[]:=".contains(c)).map(str::trim).filter(|piece| !piece.is_empty()) {
        let name = piece.to_ascii_lowercase();
        if !is_public && !PUBLIC.contains(&name.as_str()) && name != SECRET_PHRASE {
            texts.key(piece);
        }
        is_public = PUBLIC.contains(&name.as_str());
    }
    // A phrase over several lines, with numbers perhaps.
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    let words: Vec<_> = words.filter(|word| bip39::Language::English.find_word(word).is_some()).collect();
    let phrase = Zeroizing::new(words.join(" "));
    if is_phrase(&phrase) {
        texts.key(&phrase);
    }
    texts.all
}

fn is_phrase(text: &str) -> bool {
    bip39::Mnemonic::parse_in(bip39::Language::English, text).is_ok()
}

/// As text, by its byte order mark; what is none becomes a sign for it.
fn decoded(bytes: &[u8]) -> Zeroizing<String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    Zeroizing::new(match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8_lossy(rest).into_owned(),
    })
}

/// JSON's escapes resolved, wherever they stand.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let coded = behind.strip_prefix('u').and_then(|code| code.get(..4));
        let coded = coded.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        let (c, length) = match (coded, behind.chars().next()) {
            (Some(c), _) => (c, 5),
            (None, Some('n' | 'r' | 't' | 'b' | 'f')) => (' ', 1),
            (None, Some(c)) => (c, c.len_utf8()),
            (None, None) => break,
        };
        out.push(c);
        rest = &behind[length..];
    }
    out.push_str(rest);
    out
}

/// Collects the forms of a secret, each once.
#[derive(Default)]
struct Texts {
    all: Vec<SecretKey>,
    seen: BTreeSet<Fingerprint>,
    /// What was tried as a key: a phrase takes a millisecond.
    tried: BTreeSet<Fingerprint>,
}

impl Texts {
    fn add(&mut self, text: SecretKey) {
        if text.expose().len() >= SHORTEST && self.seen.insert(text.fingerprint()) {
            self.all.push(text);
        }
    }

    /// A text that may be a phrase, a seed or a private key of either scheme, with everything that is made of it.
    fn key(&mut self, text: &str) {
        let plain = Zeroizing::new(text.split_whitespace().collect::<Vec<_>>().join(" "));
        let is_new = text.len() >= SHORTEST && self.tried.insert(Fingerprint::of(&plain));
        if !is_new || text.parse::<Hotkey>().is_ok() {
            return;
        }
        self.written(text);
        let phrase = text.split("//").next().unwrap_or_default().trim();
        for seed in [seed_of(phrase), digits::<32>(text)].into_iter().flatten() {
            self.digits(&*seed);
            for scheme in BOTH {
                self.pair(Pair::of_seed(scheme, &seed));
            }
        }
        if let Some(key) = digits::<64>(text) {
            self.digits(&*key);
            for half in key.chunks(32) {
                self.digits(half);
            }
        }
    }

    /// As it stands in the file, without what is around it, and as it would be copied from anywhere else.
    fn written(&mut self, text: &str) {
        let text = text.trim();
        let text = text.strip_prefix("0x").unwrap_or(text);
        self.add(SecretKey::new(text));
        self.add(SecretKey::new(text.split_whitespace().collect::<Vec<_>>().join(" ")));
    }

    fn digits(&mut self, bytes: &[u8]) {
        self.add(SecretKey::new(hex::encode(bytes)));
    }

    fn pair(&mut self, pair: Option<Box<Pair>>) {
        let Some(pair) = pair else { return };
        let bytes = pair.private_key();
        self.digits(&bytes);
        bytes.chunks(32).for_each(|half| self.digits(half));
    }
}

/// Substrate's way from a phrase to a seed: not BIP-39's, which hashes the words; this hashes their entropy.
fn seed_of(phrase: &str) -> Option<Zeroizing<[u8; 32]>> {
    let words = bip39::Mnemonic::parse_in(bip39::Language::English, phrase).ok()?;
    let (mut entropy, length) = words.to_entropy_array();
    let long = substrate_bip39::seed_from_entropy(&entropy[..length], "").map(Zeroizing::new);
    entropy.zeroize();
    let mut seed = Zeroizing::new([0; 32]);
    seed.copy_from_slice(&long.ok()?[..32]);
    Some(seed)
}

fn of_private_key(scheme: Scheme, text: &str) -> Option<Box<Pair>> {
    match scheme {
        Scheme::Sr25519 => Pair::of_private_key(scheme, &*digits::<64>(text)?),
        Scheme::Ed25519 => Pair::of_private_key(scheme, &*digits::<32>(text)?),
    }
}

const fn private_key_rule(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Sr25519 => "is not the 128 hexadecimal digits of an sr25519 key",
        Scheme::Ed25519 => "is not the 64 hexadecimal digits of an ed25519 key",
    }
}

fn digits<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut *bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    const SEED: &str = "fac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";

    /// What the phrase gives away.
    const SECRETS: [&str; 3] = [PHRASE, SEED, "05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0a"];

    fn secrets(json: &str) -> Vec<String> {
        let content = Content::parse(Path::new("hotkey"), json.as_bytes()).unwrap();
        content.secrets().iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[test]
    fn a_phrase_gives_away_everything_that_is_made_of_it() {
        let scalar = "05d65584630d16cd4af6d0bec10f34bb504a5dcb62dba2122d49f5a663763d0a";
        let nonce = "fd190cce74df356432b410bd64682309d6dedb27c76845daf388557cbac3ca34";
        let expected = [PHRASE, SEED, &format!("{scalar}{nonce}"), scalar, nonce];
        assert_eq!(secrets(&format!(r#"{{"secretPhrase":"{PHRASE}"}}"#)), expected);
        // The seed is the private key of an ed25519 key.
        assert_eq!(secrets(&format!(r#"{{"secretPhrase":"{PHRASE}","cryptoType":0}}"#)), [PHRASE, SEED]);
    }

    #[test]
    fn fields_that_make_no_key_are_secrets_all_the_same() {
        let spread = PHRASE.replace(' ', "  ");
        let found = secrets(&format!(r#"{{"secretPhrase":" {spread} walk","privateKey":"0x{SEED}","cryptoType":7}}"#));
        for text in [format!("{spread} walk"), format!("{PHRASE} walk"), SEED.to_owned()] {
            assert!(found.contains(&text), "{text}: {found:?}");
        }
        assert_eq!(secrets(r#"{"secretPhrase":"","secretSeed":"0x","privateKey":"0x0102"}"#), Vec::<String>::new());
    }

    #[test]
    fn a_file_of_any_form_gives_its_key_away() {
        let json = format!(r#"{{"secretSeed":"0x{SEED}","ss58Address":"5Grw","accountId":"0x{}"}}"#, "ab".repeat(32));
        let wide: Vec<u8> = [0xfeff_u16].into_iter().chain(json.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let (scalar, raw) = (&SECRETS[2], hex::decode(SEED).unwrap());
        let escaped = json.replace("fac7", "\\u0066\\u0061c7").replace('"', "\\\"");
        let numbered = PHRASE.split(' ').enumerate().map(|(at, word)| format!("{}. {word}\n", at + 1));
        let lines = numbered.collect::<Vec<_>>().concat();
        for bytes in [
            json.clone().into_bytes(),
            format!("\u{feff}{json}").into_bytes(),
            wide,
            escaped.into_bytes(),
            json.as_bytes()[..json.len() - 40].to_vec(),
            format!("{SEED}\n").into_bytes(),
            format!("seed: 0x{SEED}\r\n").into_bytes(),
            raw,
            format!("{PHRASE}\n").into_bytes(),
            format!("phrase = '{PHRASE}//hot'").into_bytes(),
            lines.into_bytes(),
        ] {
            let found: Vec<_> = secrets_in(&bytes).iter().map(|secret| secret.expose().to_owned()).collect();
            for text in [SEED, scalar] {
                assert!(found.iter().any(|found| found == text), "{:?}: {found:?}", String::from_utf8_lossy(&bytes));
            }
            assert!(!found.contains(&"ab".repeat(32)), "a public key is no secret");
        }
    }

    #[test]
    fn upper_case_digits_are_a_secret_in_both_cases() {
        let found = secrets(&format!(r#"{{"secretSeed":"0x{}"}}"#, SEED.to_uppercase()));
        assert!(found.contains(&SEED.to_owned()) && found.contains(&SEED.to_uppercase()), "{found:?}");
    }
}

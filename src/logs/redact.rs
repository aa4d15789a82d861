//! What must not be seen in any text that leaves the program, and the one function that takes it out.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";
/// Shorter values are not looked for: as a part of every other word they would make the log unreadable, and they are no
/// keys.
pub const SHORTEST: usize = 8;
/// Hexadecimal digits of an R2 secret (FACTS 2). A bare run of that many or more is taken for one; a hash has `0x`.
const HEX_SECRET: usize = 64;
/// Digits of a keyfile's private key, which does have `0x` (FACTS 4). A signature has as many, and no loss is felt.
const HEX_PRIVATE_KEY: usize = 128;
/// Digits up to which a `0x…` value is shown whole: storage keys. Longer ones are values, which may hold anything.
const HEX_SHOWN: usize = 160;

static KNOWN: RwLock<Vec<Zeroizing<String>>> = RwLock::new(Vec::new());

/// From now on this secret is taken out of every line, as it is, escaped as `Debug` does, and as hexadecimal digits.
pub fn redact(secret: &SecretKey) {
    let text = secret.expose();
    if text.len() < SHORTEST {
        return;
    }
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let forms = [text.to_owned(), text.escape_debug().to_string(), sanitize(text, secret.chars()), hex::encode(text)];
    for form in forms.map(Zeroizing::new) {
        if !known.contains(&form) {
            known.push(form);
        }
    }
    // The longest first, so that a secret inside another does not leave the rest of it standing.
    known.sort_by_key(|form| std::cmp::Reverse(form.len()));
}

/// [`redact`] for many.
pub fn redact_all(secrets: &[SecretKey]) {
    secrets.iter().for_each(redact);
}

/// Shortest secret that is looked for in a command's result, where a short word may be a field's name.
const SHORTEST_IN_RESULTS: usize = 16;

/// Takes the known secrets out of a command's result, and nothing else: hashes and ids are what was asked for.
pub fn withheld(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        if secret.len() >= SHORTEST_IN_RESULTS && text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
        }
    }
    text
}

/// Takes every known secret and everything of a secret's shape out of a text. For all sinks: logs, errors, panics.
pub fn redacted(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for secret in KNOWN.read().unwrap_or_else(PoisonError::into_inner).iter() {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
        }
    }
    mask_hex(&text)
}

/// Masks runs of hexadecimal digits that may be secrets.
fn mask_hex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let length = rest[begin..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - begin);
        let (before, from) = rest.split_at(begin);
        let (run, after) = from.split_at(length);
        out.push_str(before);
        // The 0 of `0x` is itself a digit, and then part of the run before.
        push_run(&mut out, run);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn push_run(out: &mut String, run: &str) {
    let prefixed = out.ends_with("0x") || out.ends_with("0X");
    match run.len() {
        length if prefixed && length == HEX_PRIVATE_KEY => out.push_str(REDACTED),
        length if prefixed && length > HEX_SHOWN => {
            out.push_str(&run[..16]);
            // Writing to a String cannot fail.
            let _ = write!(out, "…[{} bytes]", length / 2);
        }
        length if !prefixed && length >= HEX_SECRET => out.push_str(REDACTED),
        _ => out.push_str(run),
    }
}

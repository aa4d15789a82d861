//! Whether something of a secret stands in a text: as it is or in another case, forward or backward, through base64 or hex.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Characters, blanks not counted, that a text must have in common with a secret to hold a piece of it: half a key has 32.
const RUN: usize = 16;
/// Different characters that these must be: fewer are padding.
const DIFFERENT: usize = 6;
/// Shortest text that is taken for an encoding of another one.
const ENCODED: usize = 16;
/// Bits of the table that tells quickly which windows are not in a target.
const TABLE: u32 = 16;

const DECODER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes that are wiped.
type Wiped = Zeroizing<Vec<u8>>;

/// A text that would be published, in the forms in which a secret is looked for in it; wiped when dropped.
pub(super) struct Target {
    /// Without blanks and letter case, forward and backward; then the letters and digits alone.
    forms: Vec<Wiped>,
    /// Every [`RUN`] neighbours of each form as a number, sorted.
    windows: Zeroizing<Vec<u128>>,
    /// Form and end of each window.
    ends: Vec<(usize, usize)>,
    /// A bit for the hash of each window.
    table: Zeroizing<Vec<u64>>,
}

impl Target {
    pub(super) fn of(text: &str) -> Self {
        let mut forms = Vec::new();
        let folded = folded(text.as_bytes());
        let bare = bare(&folded);
        for form in [folded, bare] {
            let back = reversed(&form);
            forms.push(form);
            forms.push(back);
        }
        let mut found = Zeroizing::new(Vec::new());
        for (index, form) in forms.iter().enumerate() {
            each_window(form, |window, end| found.push((window, index, end)));
        }
        found.sort_unstable();
        let mut table = Zeroizing::new(vec![0_u64; 1 << (TABLE - 6)]);
        for (window, ..) in found.iter() {
            let (word, bit) = slot(*window);
            table[word] |= bit;
        }
        let windows = Zeroizing::new(found.iter().map(|(window, ..)| *window).collect());
        let ends = found.iter().map(|(_, index, end)| (*index, *end)).collect();
        Self { forms, windows, ends, table }
    }

    /// Whether it is this text, forward or backward. Empty texts are none.
    pub(super) fn is(&self, form: &[u8]) -> bool {
        !form.is_empty() && self.forms[..2].iter().any(|own| own.as_slice() == form)
    }

    /// Whether this text stands in it, forward or backward.
    pub(super) fn holds(&self, form: &[u8]) -> bool {
        !form.is_empty() && self.forms[..2].iter().any(|own| own.windows(form.len()).any(|part| part == form))
    }

    /// Whether it has a run in common with this text that counts.
    pub(super) fn shares_run(&self, form: &[u8], counts: impl Fn(&[u8]) -> bool) -> bool {
        let mut found = false;
        each_window(form, |window, end| {
            let (word, bit) = slot(window);
            if !found && self.table[word] & bit != 0 {
                found = self.run_at(form, end, window, &counts);
            }
        });
        found
    }

    /// Whether the longest run around a common window counts.
    fn run_at(&self, form: &[u8], end: usize, window: u128, counts: impl Fn(&[u8]) -> bool) -> bool {
        let from = self.windows.partition_point(|other| *other < window);
        let same = self.windows[from..].iter().take_while(|other| **other == window).count();
        self.ends[from..from + same].iter().any(|(index, own_end)| {
            let own = &self.forms[*index];
            let before = form[..=end].iter().rev().zip(own[..=*own_end].iter().rev()).take_while(|(a, b)| a == b);
            let after = form[end + 1..].iter().zip(&own[own_end + 1..]).take_while(|(a, b)| a == b);
            let run = &form[end + 1 - before.count()..=end + after.count()];
            different(run) >= DIFFERENT && counts(run)
        })
    }
}

/// The forms in which a secret may have been pasted.
pub(super) struct Forms(Vec<Wiped>);

impl Forms {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let mut all = vec![folded(text.as_bytes())];
        for bytes in both_ways(text.as_bytes()) {
            encode_base64(&bytes, &mut all);
            all.push(Zeroizing::new(hex::encode(&*bytes).into_bytes()));
        }
        for bytes in decoded_hex(text).iter().flat_map(|bytes| both_ways(bytes)) {
            encode_base64(&bytes, &mut all);
            all.extend(readable(&bytes));
        }
        for bytes in decoded_base64(text).iter().flat_map(|bytes| both_ways(bytes)) {
            all.push(Zeroizing::new(hex::encode(&*bytes).into_bytes()));
            all.extend(readable(&bytes));
        }
        Self(all)
    }

    /// The text itself, without blanks and letter case.
    pub(super) fn plain(&self) -> &[u8] {
        &self.0[0]
    }

    /// Whether the target is one of them as a whole.
    pub(super) fn are(&self, target: &Target) -> bool {
        self.0.iter().any(|form| target.is(form))
    }

    /// Whether a piece of one of them stands in the target.
    pub(super) fn reach(&self, target: &Target, counts: impl Fn(&[u8]) -> bool) -> bool {
        if target.windows.is_empty() {
            return false;
        }
        self.0.iter().any(|form| {
            let marks = form.iter().any(|byte| !byte.is_ascii_alphanumeric());
            target.shares_run(form, &counts) || (marks && target.shares_run(&bare(form), &counts))
        })
    }
}

/// The SHA-256 of a text in hexadecimal digits: what R2 takes as the S3 secret of an API token.
pub(super) fn digest(text: &str) -> Zeroizing<String> {
    Zeroizing::new(hex::encode(Sha256::digest(text.trim())))
}

/// The text with every occurrence of another one blotted out that stands by itself: in an address, in a list, between
/// quotes. What is a part of a longer word stays.
pub(super) fn without(text: &str, whole: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let (lower, whole) = (Zeroizing::new(text.to_ascii_lowercase()), Zeroizing::new(whole.to_ascii_lowercase()));
    let mut copied = 0;
    if !whole.is_empty() {
        for (at, _) in lower.match_indices(whole.as_str()) {
            let end = at + whole.len();
            let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if at >= copied && !word(lower[..at].chars().next_back()) && !word(lower[end..].chars().next()) {
                out.push_str(&text[copied..at]);
                out.push('\0');
                copied = end;
            }
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// The words of a text, and what stands behind the first `=` or `:` of one.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c.is_whitespace() || "\"'`,;()[]{}<>".contains(c);
    text.split(between).filter(|word| !word.is_empty()).flat_map(|word| {
        let value = word.split_once(['=', ':']).map(|(_, value)| value).filter(|value| !value.is_empty());
        [Some(word), value].into_iter().flatten()
    })
}

/// Text without blanks and letter case.
pub(super) fn folded(text: &[u8]) -> Wiped {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    out.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase));
    out
}

fn bare(form: &[u8]) -> Wiped {
    let mut out = Zeroizing::new(Vec::with_capacity(form.len()));
    out.extend(form.iter().filter(|byte| byte.is_ascii_alphanumeric()));
    out
}

fn reversed(bytes: &[u8]) -> Wiped {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    out.extend(bytes.iter().rev());
    out
}

fn both_ways(bytes: &[u8]) -> [Wiped; 2] {
    [Zeroizing::new(bytes.to_vec()), reversed(bytes)]
}

/// Base64 of bytes that stand alone, and of those that stand one or two bytes behind something else.
fn encode_base64(bytes: &[u8], all: &mut Vec<Wiped>) {
    for (lead, drop) in [(0, 0), (1, 2), (2, 3)] {
        let mut shifted = Zeroizing::new(Vec::with_capacity(bytes.len() + lead));
        shifted.resize(lead, 0);
        shifted.extend(bytes);
        let text = Zeroizing::new(STANDARD_NO_PAD.encode(&*shifted));
        all.push(folded(&text.as_bytes()[drop.min(text.len())..]));
    }
}

fn decoded_hex(text: &str) -> Option<Wiped> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let digits = &digits[..digits.len() & !1];
    if digits.len() < ENCODED || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    hex::decode(digits).ok().map(Zeroizing::new)
}

fn decoded_base64(text: &str) -> Option<Wiped> {
    let text = text.trim_end_matches('=');
    let of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    if text.len() < ENCODED || !text.bytes().all(of_it) {
        return None;
    }
    let standard = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
    // One character alone holds no byte.
    let whole = standard.len() - usize::from(standard.len() % 4 == 1);
    DECODER.decode(&standard[..whole]).ok().map(Zeroizing::new)
}

/// Bytes that are text.
fn readable(bytes: &[u8]) -> Option<Wiped> {
    let plain = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    bytes.iter().all(plain).then(|| folded(bytes))
}

fn different(run: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in run {
        seen[usize::from(*byte)] = true;
    }
    seen.iter().filter(|seen| **seen).count()
}

fn each_window(form: &[u8], mut visit: impl FnMut(u128, usize)) {
    let mut window = 0_u128;
    for (end, byte) in form.iter().enumerate() {
        window = window << 8 | u128::from(*byte);
        if end + 1 >= RUN {
            visit(window, end);
        }
    }
}

/// Word and bit of a window in the table.
fn slot(window: u128) -> (usize, u64) {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let hash = usize::try_from(window.wrapping_mul(ODD) >> (128 - TABLE)).unwrap_or_default();
    (hash >> 6, 1 << (hash & 63))
}

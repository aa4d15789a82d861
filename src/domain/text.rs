//! Small words that many screens share: cut identifiers, grouped numbers, ages.

/// Seconds between two blocks of Subtensor, used to turn an age in blocks into one in time.
pub const BLOCK_SECONDS: u64 = 12;

/// Keeps `head` and `tail` characters around an ellipsis when that is shorter than the text.
pub fn middle_cut(text: &str, head: usize, tail: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= head + tail + 1 {
        return text.to_owned();
    }
    let start: String = chars[..head].iter().collect();
    let end: String = chars[chars.len() - tail..].iter().collect();
    format!("{start}…{end}")
}

/// `9168527` as `9,168,527`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `84 ms`; what took less than one is not nothing.
pub fn milliseconds(ms: u64) -> String {
    if ms == 0 { "<1 ms".to_owned() } else { format!("{} ms", grouped(ms)) }
}

/// An age in its largest sensible unit: `3 s`, `41 min`, `28 h`, `25 d`. Days begin after 48 hours.
pub fn age_seconds(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// An age in blocks as time, at [`BLOCK_SECONDS`] a block.
pub fn age_blocks(blocks: u64) -> String {
    age_seconds(blocks.saturating_mul(BLOCK_SECONDS))
}

/// The same with a capital at its beginning.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}

/// With a small letter at its beginning, unless it begins with an abbreviation: for what goes on after a colon.
pub fn uncapitalised(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if chars.clone().next().is_some_and(|second| !second.is_uppercase()) => {
            first.to_lowercase().to_string() + chars.as_str()
        }
        _ => text.to_owned(),
    }
}

/// The same with a capital at its beginning and a full stop at its end.
pub fn sentence(text: &str) -> String {
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    capitalised(text) + end
}

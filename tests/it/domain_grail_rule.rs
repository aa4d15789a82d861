//! GRAIL's acceptance rule for somebody else's commitment, said again: the yardstick of the differential test.
//!
//! Written from the facts alone, apart from the codec, and with other means: UTF-8 is decoded by hand from the table of
//! well-formed byte sequences, blanks are a list, slices are counted. Nothing here may call the codec.

/// What a validator does with the first field of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validator {
    /// It gets a bucket: account (which is also the bucket's name), read key id, read secret.
    Uses([String; 3]),
    /// It drops the entry without a word.
    Drops,
}

/// The rule, for the bytes that the first field carries; `None` when there is no field, or none that carries bytes.
pub fn judge(first_field: Option<&[u8]>) -> Validator {
    let Some(characters) = first_field.and_then(decode_strictly) else { return Validator::Drops };
    if characters.len() != 128 {
        return Validator::Drops;
    }
    let parts = [&characters[0..32], &characters[32..64], &characters[64..128]].map(strip);
    if parts.iter().any(String::is_empty) { Validator::Drops } else { Validator::Uses(parts) }
}

/// Code points of well-formed UTF-8 (The Unicode Standard, table 3-7), or nothing.
fn decode_strictly(bytes: &[u8]) -> Option<Vec<char>> {
    let mut rest = bytes;
    let mut characters = Vec::new();
    while let Some((&lead, tail)) = rest.split_first() {
        let (length, first_range) = match lead {
            0x00..=0x7f => (0, 0x00..=0x00),
            0xc2..=0xdf => (1, 0x80..=0xbf),
            0xe0 => (2, 0xa0..=0xbf),
            0xe1..=0xec | 0xee..=0xef => (2, 0x80..=0xbf),
            0xed => (2, 0x80..=0x9f),
            0xf0 => (3, 0x90..=0xbf),
            0xf1..=0xf3 => (3, 0x80..=0xbf),
            0xf4 => (3, 0x80..=0x8f),
            _ => return None,
        };
        if tail.len() < length {
            return None;
        }
        let (following, after) = tail.split_at(length);
        let well_formed = following
            .iter()
            .enumerate()
            .all(|(i, b)| if i == 0 { first_range.contains(b) } else { (0x80..=0xbf).contains(b) });
        if !well_formed {
            return None;
        }
        let payload_bits = [0x7f, 0x1f, 0x0f, 0x07][length];
        let code = following.iter().fold(u32::from(lead) & payload_bits, |code, b| code << 6 | u32::from(b & 0x3f));
        characters.push(char::from_u32(code)?);
        rest = after;
    }
    Some(characters)
}

/// GRAIL's schema strips what Unicode calls White_Space from both ends of a part. The separators U+001C to U+001F,
/// which Python's own `strip` would take, stay.
fn strip(part: &[char]) -> String {
    let Some(start) = part.iter().position(|c| !is_blank(*c)) else { return String::new() };
    let end = part.iter().rposition(|c| !is_blank(*c)).unwrap_or(start);
    part[start..=end].iter().collect()
}

fn is_blank(c: char) -> bool {
    matches!(u32::from(c), 0x09..=0x0d | 0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000)
}

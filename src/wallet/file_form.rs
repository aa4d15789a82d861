//! In which way a file is no key file, where its bytes tell. What the Bittensor wallet reads is none of these.

use serde::de::IgnoredAny;

/// What an editor, a full disk or a wrong copy makes of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    /// Nothing, or blanks alone.
    Empty,
    /// UTF-8 with a byte order mark.
    ByteOrderMark,
    /// UTF-16, with a byte order mark or without.
    Utf16,
    /// JSON without its end.
    CutOff,
    /// JSON, and something behind it.
    TextBehind,
}

impl FileForm {
    /// Of bytes that are neither a key file's JSON nor encrypted; `None` where they tell nothing.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let is_json = bytes.trim_ascii_start().starts_with(b"{");
        match bytes {
            _ if bytes.trim_ascii().is_empty() => Some(Self::Empty),
            [0xef, 0xbb, 0xbf, ..] => Some(Self::ByteOrderMark),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{', 0, ..] | [0, b'{', ..] => Some(Self::Utf16),
            _ if is_json => Self::of_json(bytes),
            _ => None,
        }
    }

    fn of_json(bytes: &[u8]) -> Option<Self> {
        // The error is dropped: it may quote a value.
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
        match values.next()? {
            Err(error) => error.is_eof().then_some(Self::CutOff),
            Ok(_) => (!bytes[values.byte_offset()..].trim_ascii().is_empty()).then_some(Self::TextBehind),
        }
    }

    /// What is wrong.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::ByteOrderMark => "begins with a byte order mark, and no wallet reads it so",
            Self::Utf16 => "is UTF-16, and no wallet reads it so",
            Self::CutOff => "is cut off: its JSON has no end",
            Self::TextBehind => "has something behind the end of its JSON, and no wallet reads it so",
        }
    }

    /// What to do.
    pub const fn todo(self) -> &'static str {
        match self {
            Self::Empty | Self::CutOff => {
                "Restore it from a copy, or write it anew from its own phrase with `btcli wallet regen-hotkey`; a new hotkey \
                 would have no uid"
            }
            Self::ByteOrderMark => "Copy it aside, then save it as UTF-8 without the mark",
            Self::Utf16 => "Copy it aside, then save it as UTF-8",
            Self::TextBehind => "Copy it aside, then remove what stands behind the last }",
        }
    }
}

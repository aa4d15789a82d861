//! What is wrong with a line of a `.env`, in words that never quote the line: it may hold a secret.

use std::fmt;

use serde::Serialize;

/// A position in a text file, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The first character.
    pub const START: Self = Self { line: 1, column: 1 };

    /// Steps over one character.
    pub const fn advance(&mut self, c: char) {
        if c == '\n' {
            self.line = self.line.saturating_add(1);
            self.column = 1;
        } else {
            self.column = self.column.saturating_add(1);
        }
    }

    /// The place of a byte offset in a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut place = Self::START;
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        for c in text[..end].chars() {
            place.advance(c);
        }
        place
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing in a `.env` that does not do what it seems to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: FaultKind,
}

/// The kinds of fault. The first group makes GRAIL skip the statement, the second changes what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// A line that begins with `=`.
    NoName,
    /// A name in single quotes that is empty or never ends.
    OpenName,
    /// A value whose quote is never closed.
    OpenQuote(char),
    /// Something other than a comment after the closing quote.
    TextAfterQuote,
    /// Something other than `=` or a comment after the name.
    TextAfterName,
    /// A name without `=`: read, and without effect.
    NoValue,
    /// An earlier definition of the same name is overridden by this one.
    Repeated {
        /// Line of the one before.
        earlier: u32,
    },
    /// Read differently by releases of python-dotenv before 1.2.4.
    Ambiguous,
    /// A byte order mark, which older releases take for a part of the first name.
    ByteOrderMark,
    /// A NUL in the value, or `=` or NUL in the name: the operating system refuses it and GRAIL stops.
    Unsettable,
    /// References to references that grow past [`super::MAX_EXPANDED`]; taken as empty.
    Overgrown,
}

impl FaultKind {
    /// Whether GRAIL skips the statement, or stops at it.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::NoValue | Self::Repeated { .. } | Self::Ambiguous | Self::ByteOrderMark)
    }

    /// What is wrong.
    pub fn what(self) -> String {
        match self {
            Self::NoName => "no name before the `=`".to_owned(),
            Self::OpenName => "a name in single quotes is empty or never ends".to_owned(),
            Self::OpenQuote('\'') => "a single quote is never closed".to_owned(),
            Self::OpenQuote(_) => "a double quote is never closed".to_owned(),
            Self::TextAfterQuote => "there is text after the closing quote".to_owned(),
            Self::TextAfterName => "there is text between the name and the `=`, or no `=` at all".to_owned(),
            Self::NoValue => "a name without `=`".to_owned(),
            Self::Repeated { earlier } => format!("this overrides the same name on line {earlier}"),
            Self::Ambiguous => "python-dotenv before 1.2.4 reads this value differently".to_owned(),
            Self::ByteOrderMark => "the file begins with a byte order mark".to_owned(),
            Self::Unsettable => "a NUL in the value, or `=` or NUL in the name".to_owned(),
            Self::Overgrown => "the values grow too long through their references".to_owned(),
        }
    }

    /// What GRAIL makes of it.
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::NoName | Self::OpenName | Self::OpenQuote(_) | Self::TextAfterQuote | Self::TextAfterName => {
                "GRAIL skips this statement, and logs only its line number."
            }
            Self::NoValue => "GRAIL sets nothing for it, and forgets a value given on an earlier line.",
            Self::Repeated { .. } => "The last definition counts.",
            Self::Ambiguous => "What GRAIL sees depends on the release it is installed with.",
            Self::ByteOrderMark => "Older releases of python-dotenv take it for a part of the first name.",
            Self::Overgrown => "The console takes it as empty; GRAIL may run out of memory.",
            Self::Unsettable => "No environment variable can hold it: GRAIL stops at start-up.",
        }
    }

    /// What to do about it.
    pub const fn todo(self) -> &'static str {
        match self {
            Self::NoName | Self::NoValue => "Write NAME=value, or remove the line.",
            Self::OpenName | Self::Unsettable | Self::Overgrown => "Write a plain name and a plain value: NAME=value.",
            Self::OpenQuote(_) => "Close the quote; a backslash before it makes it part of the value.",
            Self::TextAfterQuote => "Put the whole value inside the quotes; a comment needs a # after a blank.",
            Self::TextAfterName => "Write NAME=value, with quotes around a value that needs them.",
            Self::Repeated { .. } => "Remove the definition that is out of date.",
            Self::Ambiguous => "Write a value without backslashes, and put comments on lines of their own.",
            Self::ByteOrderMark => "Save the file as UTF-8 without a byte order mark.",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {} {}", self.place, self.kind.what(), self.kind.consequence(), self.kind.todo())
    }
}

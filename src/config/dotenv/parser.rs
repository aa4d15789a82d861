//! The statement grammar of python-dotenv 1.2.4: what counts as a name, a value, a comment, and where a statement ends.
//!
//! ```text
//! statement = blanks [ "export" blanks ] [ name ] [ "=" value ] [ blanks "#" … ] end-of-line
//! name      = "'" … "'" | anything but blanks, "=" and "#"
//! value     = "'" … "'" | '"' … '"' | the rest of the line up to " #"
//! ```
//!
//! A statement that does not fit is skipped up to the end of the line where the misfit was met, and reading goes on
//! there, which is not always the end of the line it began on.

use std::ops::Range;

use zeroize::Zeroizing;

use super::fault::{Fault, FaultKind, Place};

/// A statement before interpolation. A comment or blank line yields none.
pub(super) struct Statement {
    /// The name as written, quotes removed.
    pub name: String,
    /// The value with escapes resolved; `None` when there is no `=`.
    pub value: Option<Zeroizing<String>>,
    /// Where the name stands.
    pub place: Place,
    /// Whether releases of python-dotenv before 1.2.4 read this value differently.
    pub ambiguous: bool,
    /// Where its parts stand, for whoever rewrites it.
    pub span: Span,
}

/// Byte offsets of a statement in the text with line feeds only.
pub(super) struct Span {
    /// Its first character, that of `export` where it stands before the name.
    pub begin: usize,
    /// Behind the name and its quotes.
    pub name_end: usize,
    /// The value with its quotes, directly behind the `=` when it is empty; `None` when there is no `=`.
    pub value: Option<Range<usize>>,
}

/// What stands behind an `=`.
struct Assigned {
    value: Zeroizing<String>,
    ambiguous: bool,
    at: Range<usize>,
}

/// Reads every statement; faults come in the order of the file.
pub(super) fn statements(text: &str) -> (Vec<Statement>, Vec<Fault>) {
    let mut reader = Reader { text, at: 0, counted: 0, place: Place::START };
    let (mut statements, mut faults) = (Vec::new(), Vec::new());
    while reader.at < text.len() {
        match reader.statement() {
            Ok(statement) => statements.extend(statement),
            Err(kind) => {
                let place = reader.place_of(reader.at);
                faults.push(Fault { place, kind });
                reader.skip_line();
            }
        }
    }
    (statements, faults)
}

/// What Python calls white space; Rust leaves the four information separators out.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn is_inline_blank(c: char) -> bool {
    is_blank(c) && c != '\n'
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Up to where `place` has been counted, so that positions cost one pass over the file in all.
    counted: usize,
    place: Place,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn place_of(&mut self, at: usize) -> Place {
        if at < self.counted {
            (self.counted, self.place) = (0, Place::START);
        }
        for c in self.text[self.counted..at].chars() {
            self.place.advance(c);
        }
        self.counted = at;
        self.place
    }

    fn skip_line(&mut self) {
        self.take_while(|c| c != '\n');
        self.at += usize::from(self.peek() == Some('\n'));
    }

    fn statement(&mut self) -> Result<Option<Statement>, FaultKind> {
        self.take_while(is_blank);
        if self.rest().is_empty() {
            return Ok(None);
        }
        let begin = self.at;
        self.export();
        let name_at = self.at;
        let name = self.name()?;
        let name_end = self.at;
        self.take_while(is_inline_blank);
        let assigned = if self.peek() == Some('=') { Some(self.assigned()?) } else { None };
        self.comment();
        self.end_of_line(assigned.is_some())?;
        let place = self.place_of(name_at);
        let span = Span { begin, name_end, value: assigned.as_ref().map(|assigned| assigned.at.clone()) };
        let (value, ambiguous) = assigned.map_or((None, false), |it| (Some(it.value), it.ambiguous));
        Ok(name.map(|name| Statement { name, value, place, ambiguous, span }))
    }

    fn export(&mut self) {
        let Some(after) = self.rest().strip_prefix("export") else { return };
        if after.starts_with(is_inline_blank) {
            self.at += "export".len();
            self.take_while(is_inline_blank);
        }
    }

    fn name(&mut self) -> Result<Option<String>, FaultKind> {
        match self.peek() {
            Some('#') => Ok(None),
            Some('\'') => self.quoted_name().map(Some),
            _ => match self.take_while(|c| !is_blank(c) && c != '=' && c != '#') {
                "" => Err(FaultKind::NoName),
                name => Ok(Some(name.to_owned())),
            },
        }
    }

    fn quoted_name(&mut self) -> Result<String, FaultKind> {
        let inner = &self.rest()[1..];
        match inner.find('\'') {
            None | Some(0) => Err(FaultKind::OpenName),
            Some(end) => {
                self.at += end + 2;
                Ok(inner[..end].to_owned())
            }
        }
    }

    fn assigned(&mut self) -> Result<Assigned, FaultKind> {
        self.at += 1;
        let empty = self.at..self.at;
        let blanks = self.take_while(is_inline_blank);
        match self.peek() {
            Some('#') if !blanks.is_empty() => Ok(Assigned { value: Zeroizing::default(), ambiguous: true, at: empty }),
            Some(quote @ ('\'' | '"')) => self.quoted_value(quote),
            None | Some('\n') => Ok(Assigned { value: Zeroizing::default(), ambiguous: false, at: empty }),
            Some(_) => Ok(self.bare_value()),
        }
    }

    fn quoted_value(&mut self, quote: char) -> Result<Assigned, FaultKind> {
        let begin = self.at;
        let inner = &self.rest()[1..];
        let end = closing_quote(inner, quote).ok_or(FaultKind::OpenQuote(quote))?;
        self.at += end + 2;
        let ambiguous = naive_closing_quote(inner, quote) != Some(end);
        Ok(Assigned { value: unescape(&inner[..end], quote), ambiguous, at: begin..self.at })
    }

    fn bare_value(&mut self) -> Assigned {
        let begin = self.at;
        let line = self.take_while(|c| c != '\n');
        let comment = line.char_indices().zip(line.chars().skip(1)).find(|((_, c), next)| is_blank(*c) && *next == '#');
        let value = comment.map_or(line, |((at, _), _)| &line[..at]).trim_end_matches(is_blank);
        Assigned { value: Zeroizing::new(value.to_owned()), ambiguous: false, at: begin..begin + value.len() }
    }

    fn comment(&mut self) {
        let begin = self.at;
        self.take_while(is_inline_blank);
        if self.peek() == Some('#') {
            self.take_while(|c| c != '\n');
        } else {
            self.at = begin;
        }
    }

    fn end_of_line(&mut self, has_value: bool) -> Result<(), FaultKind> {
        self.take_while(is_inline_blank);
        match self.peek() {
            None => Ok(()),
            Some('\n') => {
                self.at += 1;
                Ok(())
            }
            Some(_) if has_value => Err(FaultKind::TextAfterQuote),
            Some(_) => Err(FaultKind::TextAfterName),
        }
    }
}

/// The first quote that no backslash precedes, where a backslash always takes the next character with it.
fn closing_quote(inner: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    inner.char_indices().find_map(|(at, c)| {
        let closes = !escaped && c == quote;
        escaped = !escaped && c == '\\';
        closes.then_some(at)
    })
}

/// The same as older releases look for it: a backslash directly before a quote always escapes it, and when that leaves
/// no closing quote the last escaped one closes after all.
fn naive_closing_quote(inner: &str, quote: char) -> Option<usize> {
    let free = |at: usize| !inner[..at].ends_with('\\');
    let mut quotes = inner.match_indices(quote).map(|(at, _)| at);
    quotes.find(|at| free(*at)).or_else(|| inner.rfind(quote))
}

/// Escapes that the quotes know: all of C's one-letter ones in double quotes, only backslash and quote in single ones.
/// Any other backslash stays as it is.
fn unescape(raw: &str, quote: char) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(raw.len()));
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let resolved = if c == '\\' { chars.peek().and_then(|next| escape(*next, quote)) } else { None };
        match resolved {
            Some(meant) => {
                chars.next();
                out.push(meant);
            }
            None => out.push(c),
        }
    }
    out
}

fn escape(letter: char, quote: char) -> Option<char> {
    match letter {
        '\\' | '\'' => Some(letter),
        _ if quote == '\'' => None,
        '"' => Some('"'),
        'a' => Some('\u{7}'),
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'v' => Some('\u{b}'),
        _ => None,
    }
}

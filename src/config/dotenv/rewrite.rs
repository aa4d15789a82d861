//! A `.env` with other values for some names, and every other byte as it was.
//!
//! What is written is read again before it is handed out: a rewritten file that GRAIL would read in any other way than
//! meant is an error, never a result. No message quotes a value or a line.

use std::ops::Range;

use thiserror::Error;
use zeroize::Zeroizing;

use super::interpolate::references;
use super::parser::{Statement, statements};
use super::{Dotenv, FaultKind, unmarked, with_line_feeds};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;

/// What becomes of every definition of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// This value stands in place of the old one.
    Value(&'a SecretKey),
    /// `NAME=`: GRAIL reads an empty value, which also hides one that is exported.
    Blank,
    /// `# NAME=`: the definition becomes a comment without its value, and GRAIL takes what is exported, as from `exec`.
    Comment,
}

/// Why a `.env` is not rewritten. Nothing was written.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RewriteError {
    /// The new value cannot be written so that every release of python-dotenv reads the same.
    #[error(
        "the new value of {name} has a character that not every release of python-dotenv reads alike (a quote, a backslash, \
         ${{, a control character, or none at all). Check that it was copied whole; keys of an S3 store have none of these"
    )]
    Unsafe {
        /// The variable.
        name: String,
    },
    /// Another variable takes its value from one that would change.
    #[error(
        "line {line}: this value refers to ${{{name}}}, and would change with it. Write the value out on line {line}, then try again"
    )]
    Reference {
        /// Line of the definition that refers, from 1.
        line: u32,
        /// The variable it refers to.
        name: String,
    },
    /// Read again, the rewritten text says something else than was meant.
    #[error(
        "rewritten, the file would not be read as meant, because of line {line}. Correct that line by hand (grail-console \
         doctor says what is wrong in the file), then try again"
    )]
    Misread {
        /// First line where it differs, from 1.
        line: u32,
    },
}

/// The text with every definition of the named variables changed: repeated ones, `export NAME=…`, quoted ones over several
/// lines. Comments, blanks, line ends and the byte order mark stay. Each name is to be given once.
///
/// A name that is not defined is left out, or with `append` becomes a last line `NAME=value` if it has a value.
pub fn rewrite(text: &str, changes: &[(&str, Change<'_>)], append: bool) -> Result<Zeroizing<String>, RewriteError> {
    for (name, change) in changes {
        if let Change::Value(value) = change
            && !is_safe(value.expose())
        {
            return Err(RewriteError::Unsafe { name: (*name).to_owned() });
        }
    }
    let source = Source::of(text);
    let (found, _) = statements(&source.lines);
    refuse_references(&found, changes)?;
    let mut edits = Vec::new();
    for statement in &found {
        if let Some(change) = change_of(changes, &statement.name) {
            edits.extend(source.edits(statement, change));
        }
    }
    let mut out = apply(text, &edits);
    if append {
        let missing = changes.iter().filter(|(name, _)| !found.iter().any(|statement| statement.name == *name));
        append_lines(&mut out, missing);
    }
    verify(text, &out, changes, append)?;
    Ok(out)
}

/// The lines, from 1, on which one of the secrets still stands: in a comment, under another name, in a statement that
/// cannot be read. Secrets of less than eight characters are not looked for.
pub fn lines_holding(text: &str, secrets: &[&SecretKey]) -> Vec<u32> {
    let lines = with_line_feeds(text);
    let holds = |line: &str| secrets.iter().any(|secret| secret.chars() >= 8 && line.contains(secret.expose()));
    (1..).zip(lines.split('\n')).filter(|(_, line)| holds(line)).map(|(number, _)| number).collect()
}

/// The text, the same with line feeds only, and the way back from the second to the first.
struct Source {
    lines: Zeroizing<String>,
    /// Length of the byte order mark.
    mark: usize,
    /// Where in `lines` a line feed stands for `\r\n`.
    shortened: Vec<usize>,
}

/// Bytes of the text and what stands there instead.
struct Edit {
    at: Range<usize>,
    new: Zeroizing<String>,
}

impl Source {
    fn of(text: &str) -> Self {
        let (rest, _) = unmarked(text);
        let pairs = rest.match_indices("\r\n").enumerate();
        let shortened = pairs.map(|(before, (at, _))| at - before).collect();
        Self { lines: with_line_feeds(rest), mark: text.len() - rest.len(), shortened }
    }

    /// The offset in the text of an offset in `lines`.
    fn offset(&self, at: usize) -> usize {
        self.mark + at + self.shortened.partition_point(|shortened| *shortened < at)
    }

    fn edits(&self, statement: &Statement, change: Change<'_>) -> Vec<Edit> {
        let span = &statement.span;
        let edit = |at: Range<usize>, new: &str| Edit {
            at: self.offset(at.start)..self.offset(at.end),
            new: Zeroizing::new(new.to_owned()),
        };
        let value_at = span.value.clone().unwrap_or(span.name_end..span.name_end);
        let behind = self.lines[value_at.end..].lines().next().unwrap_or_default();
        let equals = if span.value.is_some() { "" } else { "=" };
        match change {
            Change::Value(value) => {
                let was = self.lines[value_at.clone()].chars().next();
                let written = written(value.expose(), was, behind);
                vec![edit(value_at, &format!("{equals}{}", *written))]
            }
            // A comment behind an empty value is read as the value by older releases, unless quotes say that it is empty.
            Change::Blank if behind.contains('#') => vec![edit(value_at, &format!("{equals}''"))],
            Change::Blank => vec![edit(value_at, equals)],
            Change::Comment => vec![edit(span.begin..span.begin, "# "), edit(value_at, equals)],
        }
    }
}

/// Characters that every release reads alike inside quotes: printable ASCII without quotes and backslash, no reference.
fn is_safe(value: &str) -> bool {
    let plain = |b: u8| (0x20..0x7f).contains(&b) && !matches!(b, b'\'' | b'"' | b'\\');
    !value.is_empty() && value.bytes().all(plain) && !value.contains("${")
}

/// A safe value as it is written: in the quotes that stood there, else bare where that is read the same.
fn written(value: &str, was: Option<char>, behind: &str) -> Zeroizing<String> {
    let bare = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=._-".contains(&b));
    // Directly behind a bare value, a `#` belongs to it.
    let apart = behind.is_empty() || behind.starts_with([' ', '\t']);
    Zeroizing::new(match was {
        Some(quote @ ('\'' | '"')) => format!("{quote}{value}{quote}"),
        _ if bare && apart => value.to_owned(),
        _ => format!("'{value}'"),
    })
}

fn change_of<'a>(changes: &[(&str, Change<'a>)], name: &str) -> Option<Change<'a>> {
    changes.iter().find(|(changed, _)| *changed == name).map(|(_, change)| *change)
}

fn refuse_references(found: &[Statement], changes: &[(&str, Change<'_>)]) -> Result<(), RewriteError> {
    for statement in found.iter().filter(|statement| change_of(changes, &statement.name).is_none()) {
        let value = statement.value.as_ref().map_or("", |value| value.as_str());
        if let Some(name) = references(value).find(|name| change_of(changes, name).is_some()) {
            return Err(RewriteError::Reference { line: statement.place.line, name: name.to_owned() });
        }
    }
    Ok(())
}

fn apply(text: &str, edits: &[Edit]) -> Zeroizing<String> {
    // One allocation, since one that grows leaves copies behind.
    let room = text.len() + edits.iter().map(|edit| edit.new.len()).sum::<usize>() + 1024;
    let mut out = Zeroizing::new(String::with_capacity(room));
    let mut at = 0;
    for edit in edits {
        out.push_str(&text[at..edit.at.start]);
        out.push_str(&edit.new);
        at = edit.at.end;
    }
    out.push_str(&text[at..]);
    out
}

fn append_lines<'a>(out: &mut String, missing: impl Iterator<Item = &'a (&'a str, Change<'a>)>) {
    let line_end = match out.find('\n') {
        Some(at) if out[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    };
    for (name, change) in missing {
        let Change::Value(value) = change else { continue };
        if !out.is_empty() && !out.ends_with(['\n', '\r', '\u{feff}']) {
            out.push_str(line_end);
        }
        out.push_str(name);
        out.push('=');
        out.push_str(&written(value.expose(), None, ""));
        out.push_str(line_end);
    }
}

/// Reads both texts and compares: the names that change have the value meant at every definition, all others, and what
/// cannot be read, are the same in the same order.
fn verify(before: &str, after: &str, changes: &[(&str, Change<'_>)], append: bool) -> Result<(), RewriteError> {
    let nothing = Environment::default();
    let (before, after) = (Dotenv::parse(before, &nothing), Dotenv::parse(after, &nothing));
    let others = |file: &Dotenv| {
        let mut entries = file.entries.clone();
        entries.retain(|entry| change_of(changes, &entry.name).is_none());
        entries
    };
    let (old, new) = (others(&before), others(&after));
    for (old, new) in old.iter().zip(&new) {
        if (&old.name, &old.value) != (&new.name, &new.value) {
            return Err(RewriteError::Misread { line: old.line });
        }
    }
    if old.len() != new.len() {
        let line = old.get(new.len()).or(new.get(old.len())).map_or(1, |entry| entry.line);
        return Err(RewriteError::Misread { line });
    }
    // A new quote may close an open one further up, for releases that see one there.
    let odd = |file: &Dotenv| {
        let odd = file.faults.iter().filter(|fault| fault.kind == FaultKind::Ambiguous);
        odd.map(|fault| fault.place.line).collect::<Vec<_>>()
    };
    let (old, new) = (odd(&before), odd(&after));
    if new.len() > old.len() {
        return Err(RewriteError::Misread { line: *new.iter().find(|line| !old.contains(line)).unwrap_or(&1) });
    }
    changes.iter().try_for_each(|(name, change)| verify_one(&before, &after, name, *change, append))
}

fn verify_one(
    before: &Dotenv,
    after: &Dotenv,
    name: &str,
    change: Change<'_>,
    append: bool,
) -> Result<(), RewriteError> {
    let (mut old, new) =
        (before.entries.iter().filter(|it| it.name == name), after.entries.iter().filter(|it| it.name == name));
    let is_meant = |value: Option<&SecretKey>| match change {
        Change::Value(wanted) => value.is_some_and(|value| value.expose() == wanted.expose()),
        Change::Blank => value.is_some_and(|value| value.chars() == 0),
        Change::Comment => false,
    };
    if let Some(wrong) = new.clone().find(|entry| !is_meant(entry.value.as_ref())) {
        return Err(RewriteError::Misread { line: wrong.line });
    }
    let expected = match change {
        Change::Comment => 0,
        Change::Value(_) if append => old.clone().count().max(1),
        _ => old.clone().count(),
    };
    if new.count() == expected {
        Ok(())
    } else {
        Err(RewriteError::Misread { line: old.next().map_or(1, |entry| entry.line) })
    }
}

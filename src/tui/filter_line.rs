//! The filter line while it is typed: what is only begun is no mistake yet, and what can mean one thing only means it.

use crate::domain::filter::{Filter, FilterError};

/// Keys of the filter's `key:value` terms.
const KEYS: [&str; 7] = ["state:", "role:", "own:", "reason:", "test:", "proof:", "mark:"];

/// A line that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    /// What it asks for.
    pub(super) filter: Filter,
    /// The line with every begun value written out, without a last word that may still become several things.
    pub(super) line: String,
    /// What the last word has become or may become, when that is not what was typed.
    pub(super) hint: Option<String>,
}

enum Word {
    /// It means something, written so.
    Whole(String),
    /// It is the beginning of several values, here listed; as it stands it means nothing.
    Begun(String, FilterError),
}

/// Reads a line that is still being typed: the last word may be only begun. Errors: a word that means nothing and never
/// will by typing on.
pub(super) fn typing(line: &str) -> Result<Meaning, FilterError> {
    let (before, last) = line.split_at(start_of_last_word(line));
    let mut meaning = typed(before)?;
    match begun_key(last) {
        Some(key) => meaning.hint = Some(key.to_owned()),
        None if last.is_empty() => {}
        None => match word(last)? {
            Word::Begun(values, _) => meaning.hint = Some(values),
            Word::Whole(text) => {
                meaning.hint = Some(text.clone()).filter(|text| text != last);
                meaning.line = [meaning.line.as_str(), &text].join(" ").trim_start().to_string();
                meaning.filter = Filter::parse(&meaning.line)?;
            }
        },
    }
    Ok(meaning)
}

/// Reads a line up to the word that is being typed. Errors: as for [`typed`].
pub(super) fn without_last_word(line: &str) -> Result<Meaning, FilterError> {
    typed(&line[..start_of_last_word(line)])
}

fn start_of_last_word(line: &str) -> usize {
    line.char_indices().rfind(|(_, c)| c.is_whitespace()).map_or(0, |(at, blank)| at + blank.len_utf8())
}

/// Reads a line as it stands. Errors: a word that means nothing, or could mean several things.
pub(super) fn typed(line: &str) -> Result<Meaning, FilterError> {
    let words = line.split_whitespace().map(|one| match word(one)? {
        Word::Whole(text) => Ok(text),
        Word::Begun(_, error) => Err(error),
    });
    let line = words.collect::<Result<Vec<_>, _>>()?.join(" ");
    Ok(Meaning { filter: Filter::parse(&line)?, line, hint: None })
}

/// The key that a word begins: whoever types `state:none` should not see the table empty itself at `stat`.
fn begun_key(word: &str) -> Option<&'static str> {
    let lower = word.to_lowercase();
    KEYS.into_iter().find(|key| lower.len() > 1 && lower.len() < key.len() && key.starts_with(&lower))
}

fn word(word: &str) -> Result<Word, FilterError> {
    let Err(error) = Filter::parse(word) else { return Ok(Word::Whole(word.to_owned())) };
    let FilterError::Value { key, known, .. } = error else { return Err(error) };
    let begun = word.split_once(':').map(|(_, value)| value.to_lowercase()).unwrap_or_default();
    let values: Vec<&str> = known.split(' ').filter(|value| value.starts_with(&begun)).collect();
    match values[..] {
        [] => Err(error),
        [only] => Ok(Word::Whole(format!("{key}:{only}"))),
        _ => Ok(Word::Begun(values.join(" "), error)),
    }
}

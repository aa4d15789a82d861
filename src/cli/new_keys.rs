//! New keys for a rotation: from a file or standard input as dotenv lines, or typed without being shown.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::cli::args::StartArguments;
use crate::cli::below_home;
use crate::cli::output::Output;
use crate::cli::password;
use crate::config::dotenv::{Dotenv, read_text};
use crate::config::ownership;
use crate::domain::credentials::Variable;
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::ops::rotation::NewKeys;
use crate::vault::KeyPair;

/// Largest input that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// The new keys, and what is odd about where they came from.
pub(super) async fn new_keys(
    start: &StartArguments,
    environment: &Environment,
    output: Output,
) -> Result<(NewKeys, Vec<Diagnostic>), Diagnostic> {
    let Some(file) = start.new_key_file.clone().map(|file| below_home(file, environment)) else {
        return Ok((typed(start, output).await?, Vec::new()));
    };
    let file = file.as_path();
    let (text, odd) = if file == Path::new("-") {
        if io::stdin().is_terminal() {
            return Ok((typed(start, output).await?, Vec::new()));
        }
        (from_stdin().await?, Vec::new())
    } else {
        let text = read_text(file).map_err(|error| unreadable(&error.to_string()))?;
        (text, readable_by_others(file).into_iter().chain(of_others(file)).collect())
    };
    let dotenv = Dotenv::parse(&text, &Environment::default());
    keys_of(&dotenv).map(|keys| (keys, odd))
}

fn keys_of(dotenv: &Dotenv) -> Result<NewKeys, Diagnostic> {
    let value = |variable: Variable| {
        let value = dotenv.get(variable.name()).map(|(value, _)| value.expose().trim())?;
        (!value.is_empty()).then(|| SecretKey::new(value))
    };
    let pair = |id: Variable, secret: Variable| match (value(id), value(secret)) {
        (Some(id), Some(secret)) => Ok(Some(KeyPair { id: id.expose().to_owned(), secret })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(half(secret)),
        (None, Some(_)) => Err(half(id)),
    };
    let keys = NewKeys {
        read: pair(Variable::ReadKeyId, Variable::ReadSecret)?,
        write: pair(Variable::WriteKeyId, Variable::WriteSecret)?,
    };
    crate::logs::redact_all(&secrets(&keys));
    if keys.read.is_none() && keys.write.is_none() {
        return Err(Diagnostic::failure(
            Class::Usage,
            "no_new_keys",
            "The new keys' file defines neither pair",
            "It needs R2_READ_ACCESS_KEY_ID and R2_READ_SECRET_ACCESS_KEY, or the write pair, as lines NAME=value.",
            "Write the two lines into it, with the id and the secret that the provider showed once.",
        ));
    }
    Ok(keys)
}

fn secrets(keys: &NewKeys) -> Vec<SecretKey> {
    [&keys.read, &keys.write].into_iter().flatten().map(|pair| pair.secret.clone()).collect()
}

fn half(missing: Variable) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "half_a_pair",
        format!("{missing} is missing beside its other half"),
        "An id without its secret opens nothing.",
        "Give both lines of the pair.",
    )
}

async fn from_stdin() -> Result<Zeroizing<String>, Diagnostic> {
    let read = spawn_blocking(|| {
        // It never grows past its first size, since growing leaves a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_BYTES).unwrap_or(0) + 1));
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text).map(|_| text)
    });
    match read.await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(unreadable(&format!("standard input: {error}"))),
        Err(error) => Err(unreadable(&format!("standard input: {error}"))),
    }
}

/// Asks for id and secret; neither is shown.
async fn typed(start: &StartArguments, output: Output) -> Result<NewKeys, Diagnostic> {
    if output.is_json() || !io::stdin().is_terminal() {
        return Err(Diagnostic::failure(
            Class::Usage,
            "no_new_keys",
            "No new keys were given, and nobody can be asked here",
            "A secret is never an argument.",
            "Name a file of dotenv lines with --new-key-file, or - for standard input.",
        ));
    }
    let (id, secret) = if start.write {
        (Variable::WriteKeyId, Variable::WriteSecret)
    } else {
        (Variable::ReadKeyId, Variable::ReadSecret)
    };
    let ask = async |variable: Variable| {
        let question = format!("New {variable} (not shown): ");
        password::hidden(&question, output).await.map_err(|error| unreadable(&error.to_string()))
    };
    let pair = KeyPair { id: ask(id).await?.expose().to_owned(), secret: ask(secret).await? };
    let keys =
        if start.write { NewKeys { read: None, write: Some(pair) } } else { NewKeys { read: Some(pair), write: None } };
    crate::logs::redact_all(&secrets(&keys));
    Ok(keys)
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "new_keys_unreadable",
        format!("The new keys cannot be read: {}", crate::domain::untrusted::sanitize(why, 300)),
        "Nothing was begun.",
        "Check --new-key-file.",
    )
}

/// Whose it is; that it is a pipe is in order here.
fn of_others(file: &Path) -> impl Iterator<Item = Diagnostic> {
    let found = ownership::of_read("file with the new keys", file, None).into_iter();
    found.filter(|finding| finding.code != "env_is_a_pipe")
}

fn readable_by_others(file: &Path) -> Option<Diagnostic> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = std::fs::metadata(file).ok()?.mode() & 0o077;
    (mode != 0).then(|| {
        Diagnostic::new(
            "new_keys_readable",
            Severity::Warning,
            "Other users may read the file with the new keys",
            "They are worth as much as the keys in use.",
            "Remove it when the rotation is begun, and write the next one with mode 0600.",
        )
    })
}

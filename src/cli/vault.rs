//! Opening the vault for a command: the passphrase where one is needed, and the exit code where it cannot be; and what
//! `doctor` tells of it.

use crate::cli::output::Output;
use crate::cli::password::{Ask, PassphraseError, passphrase};
use crate::cli::table::{Cell, DIM, GOOD, WARN, cell, plain, table};
use crate::config::{Flags, Needs, WrongSetting};
use crate::domain::date::day;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::Origin;
use crate::ops::context::Context;
use crate::ops::vault::{
    GenerationLine, OpenVault, VaultLine, Wanted, is_in_use, open, passphrase_wanted, passphrase_wanted_offline,
    with_keys,
};

/// The passphrase of the encrypted file, where one is needed.
pub async fn passphrase_for(
    context: &Context,
    flags: &Flags,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Option<SecretKey>, Diagnostic> {
    let ask = match passphrase_wanted(context).await? {
        None => return Ok(None),
        Some(Wanted::Known) => Ask::Once,
        Some(Wanted::New) => Ask::Twice,
    };
    let passphrase = passphrase(flags, ask, output, tell).await.map_err(|error| unasked(&error))?;
    if passphrase.is_some() && !output.is_json() {
        output.remark("… opening the encrypted file: about a second");
    }
    Ok(passphrase)
}

/// The context with the vault's keys where some are in use: for commands that need secrets. What is odd on the way is told.
pub(super) async fn with_vault(
    context: Context,
    flags: &Flags,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Context, Diagnostic> {
    if !is_in_use(&context).await? {
        return Ok(context);
    }
    let passphrase = passphrase_for(&context, flags, output, tell).await?;
    Ok(with_keys(&context, passphrase).await?)
}

/// Opens the vault of the configured hotkey, asking for the passphrase of the encrypted file where it is needed; or says
/// why not. What is odd on the way is told.
pub async fn opened(
    context: &Context,
    flags: &Flags,
    output: Output,
    mut tell: impl FnMut(Diagnostic),
) -> Result<OpenVault, Diagnostic> {
    let passphrase = passphrase_for(context, flags, output, &mut tell).await?;
    let opened = open(context, passphrase).await?;
    opened.derived.iter().cloned().for_each(tell);
    Ok(opened)
}

/// The passphrase for a console that is about to open, where it would need one. Nobody has to give it: without it the
/// console watches, and what needs the vault says so.
pub(super) async fn before_the_screen(
    context: &Context,
    flags: &Flags,
    output: Output,
) -> Result<Option<SecretKey>, Diagnostic> {
    let ask = match passphrase_wanted_offline(context) {
        Ok(Some(Wanted::Known)) => Ask::Once,
        Ok(Some(Wanted::New)) => Ask::Twice,
        // What is wrong with it is told on the screen.
        Ok(None) | Err(_) => return Ok(None),
    };
    if flags.vault_passphrase_file.is_none() {
        output.remark(
            "The keys are in an encrypted file. Enter alone leaves it locked: the console watches, and asks no more.",
        );
    }
    match passphrase(flags, ask, output, |odd| output.remark(&odd.summary)).await {
        Err(PassphraseError::Empty) => Ok(None),
        other => other.map_err(|error| unasked(&error)),
    }
}

/// The passphrase where a flag names its file, for a look at the vault; nobody is asked for it.
pub(super) async fn unprompted(
    flags: &Flags,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Option<SecretKey>, WrongSetting> {
    if flags.vault_passphrase_file.is_none() {
        return Ok(None);
    }
    let read = passphrase(flags, Ask::Never, output, tell).await;
    read.map_err(|error| WrongSetting::new(Needs::Vault, Some("--vault-passphrase-file"), &error, false))
}

fn unasked(error: &PassphraseError) -> Diagnostic {
    Diagnostic::of_text("passphrase", Class::Vault, &error.to_string())
}

/// The vault as `doctor` tells it.
pub(super) fn section(vault: &VaultLine) -> String {
    let line = |name, value, more: String| vec![cell(name, DIM), value, cell(more, DIM)];
    let mut lines = vec![line("store", plain(vault.backend.word()), vault.source.clone().unwrap_or_default())];
    let state = match vault.reachable {
        Some(true) => cell("✓ reachable", GOOD),
        Some(false) if vault.generations.is_empty() => cell("not reachable, so what is in it is not known", DIM),
        Some(false) => cell("✗ not reachable", WARN),
        None => cell("not asked", DIM),
    };
    lines.push(line("state", state, String::new()));
    let places = [("index", &vault.index), ("encrypted file", &vault.file)];
    let places = places.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?)));
    lines.extend(places.map(|(name, path)| line(name, plain(path.shown()), String::new())));
    let mut out = table(&lines);
    if let Some(problem) = &vault.problem {
        out = out + problem + "\n";
    }
    if vault.generations.is_empty() && vault.index.is_some() {
        out += "holds no keys of this hotkey\n";
    }
    out + &table(&vault.generations.iter().map(generation).collect::<Vec<_>>())
}

fn generation(line: &GenerationLine) -> Vec<Cell> {
    let pair = |what: &str, pair: &Option<String>| match pair {
        Some(pair) => plain(format!("{what} {pair}")),
        None => cell(format!("no {what} pair"), DIM),
    };
    let origin = match line.origin {
        Origin::Imported => "imported",
        Origin::Rotated => "rotated",
    };
    vec![
        plain(format!("generation {}", line.generation)),
        if line.in_use { cell("● in use", GOOD) } else { plain("") },
        plain(line.backend.word()),
        pair("read", &line.read),
        pair("write", &line.write),
        cell(format!("{origin} {}", day(line.created_ms)), DIM),
        match line.kept {
            Some(true) => cell("✓ kept", GOOD),
            Some(false) => cell("✗ cannot be read", WARN),
            None => cell("not read", DIM),
        },
    ]
}

//! Opening the vault for a command: the passphrase where one is needed, and the exit code where it cannot be; and what
//! `doctor` tells of it.

use crate::chain::ChainError;
use crate::cli::commands::fail;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::password::{Ask, PassphraseError, passphrase};
use crate::cli::table::{Cell, DIM, GOOD, WARN, cell, plain, table};
use crate::config::{Flags, Needs, WrongSetting};
use crate::domain::date::day;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::secret::SecretKey;
use crate::domain::vault_index::Origin;
use crate::ops::context::Context;
use crate::ops::vault::{
    GenerationLine, OpenVault, VaultLine, VaultProblem, Wanted, is_in_use, open, passphrase_wanted,
    passphrase_wanted_offline, with_keys,
};
use crate::vault::VaultError;

/// The passphrase of the encrypted file, where one is needed.
pub async fn passphrase_for(
    context: &Context,
    flags: &Flags,
    output: Output,
    tell: impl FnOnce(Diagnostic),
) -> Result<Option<SecretKey>, Exit> {
    let ask = match passphrase_wanted(context).await.map_err(|problem| failure(output, &problem))? {
        None => return Ok(None),
        Some(Wanted::Known) => Ask::Once,
        Some(Wanted::New) => Ask::Twice,
    };
    let passphrase = passphrase(flags, ask, output, tell).await.map_err(|error| unasked(output, &error))?;
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
) -> Result<Context, Exit> {
    if !is_in_use(&context).await.map_err(|problem| failure(output, &problem))? {
        return Ok(context);
    }
    let passphrase = passphrase_for(&context, flags, output, tell).await?;
    with_keys(&context, passphrase).await.map_err(|problem| failure(output, &problem))
}

/// Opens the vault of the configured hotkey, asking for the passphrase of the encrypted file where it is needed; or says
/// why not. What is odd on the way is told.
pub async fn opened(
    context: &Context,
    flags: &Flags,
    output: Output,
    mut tell: impl FnMut(Diagnostic),
) -> Result<OpenVault, Exit> {
    let passphrase = passphrase_for(context, flags, output, &mut tell).await?;
    let opened = open(context, passphrase).await.map_err(|problem| failure(output, &problem))?;
    opened.derived.iter().cloned().for_each(tell);
    Ok(opened)
}

/// The passphrase for a console that is about to open, where it would need one. Nobody has to give it: without it the
/// console watches, and what needs the vault says so.
pub(super) async fn before_the_screen(
    context: &Context,
    flags: &Flags,
    output: Output,
) -> Result<Option<SecretKey>, Exit> {
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
        other => other.map_err(|error| unasked(output, &error)),
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

fn unasked(output: Output, error: &PassphraseError) -> Exit {
    fail(output, &error.to_string(), Exit::VaultUnavailable)
}

/// Says why the vault cannot be used.
pub fn failure(output: Output, problem: &VaultProblem) -> Exit {
    fail(output, &problem.to_string(), exit_of(problem))
}

/// The documented exit codes.
pub const fn exit_of(problem: &VaultProblem) -> Exit {
    match problem {
        VaultProblem::Chain(ChainError { fault, .. }) if fault.is_about_the_chain() => Exit::Usage,
        VaultProblem::Chain(_) => Exit::ChainUnreachable,
        VaultProblem::NoHotkey(_) | VaultProblem::Vault(VaultError::Unknown { .. } | VaultError::Elsewhere { .. }) => {
            Exit::Usage
        }
        VaultProblem::Vault(_)
        | VaultProblem::State(_)
        | VaultProblem::NoPlace
        | VaultProblem::NothingFound(_)
        | VaultProblem::Busy => Exit::VaultUnavailable,
    }
}

/// The vault as `doctor` tells it.
pub(super) fn section(vault: &VaultLine) -> String {
    let line = |name, value, more: String| vec![cell(name, DIM), value, cell(more, DIM)];
    let mut lines = vec![line("store", plain(vault.backend.word()), vault.source.clone().unwrap_or_default())];
    let state = match vault.reachable {
        Some(true) => cell("✓ reachable", GOOD),
        Some(false) if vault.generations.is_empty() => cell("not reachable, and nothing is in it", DIM),
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

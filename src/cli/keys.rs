//! `keys import|list|restore-env|remove|create-key-file`.

use std::path::{Path, PathBuf};

use crate::cli::args::{ImportArguments, KeysCommand, ListArguments, RemoveArguments, RestoreArguments};
use crate::cli::commands::{context, context_to_read, fail, now_ms, printed_or, swept};
use crate::cli::exit::Exit;
use crate::cli::keys_json::{ActionDocument, EnvDocument, ListDocument, Listing, list_text};
use crate::cli::output::Output;
use crate::cli::prompt::{agreed, agreed_to, can_ask};
use crate::cli::rotate::exit_of;
use crate::cli::vault::{failure, opened};
use crate::config::Flags;
use crate::config::dotenv::BackupName;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::keys::{Imported, comment_out, import, objection, removable, remove, restore};
use crate::ops::rotation::{Kind, Problem};
use crate::ops::vault::OpenVault;
use crate::vault::{FileKey, Generation};

/// `keys …`
pub(super) async fn keys(command: &KeysCommand, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let result = match command {
        KeysCommand::Import(arguments) => taken_over(arguments, flags, environment, output).await,
        KeysCommand::List(arguments) => listed(*arguments, flags, environment, output).await,
        KeysCommand::RestoreEnv(arguments) => put_back(arguments, flags, environment, output).await,
        KeysCommand::Remove(arguments) => removed(*arguments, flags, environment, output).await,
        KeysCommand::CreateKeyFile { file } => key_file(file, output),
    };
    result.unwrap_or_else(|exit| exit)
}

fn problem(output: Output, problem: &Problem) -> Exit {
    fail(output, &problem.to_string(), exit_of(problem.kind))
}

async fn open_vault(context: &Context, flags: &Flags, output: Output) -> Result<OpenVault, Exit> {
    let tell = |odd: Diagnostic| {
        if !output.is_json() {
            output.remark(&odd.summary);
        }
    };
    opened(context, flags, output, tell).await
}

fn env_file(context: &Context) -> Option<PathBuf> {
    context.configuration.settings.env_file.as_ref().map(|named| named.value.clone())
}

async fn taken_over(
    arguments: &ImportArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> Result<Exit, Exit> {
    let mut flags = flags.clone();
    if let Some(Some(file)) = &arguments.from_env {
        flags.env_file = Some(file.clone());
    }
    let context = context(&flags, environment, output)?;
    swept(&context, output);
    let mut opened = open_vault(&context, &flags, output).await?;
    let imported = import(&context, &mut opened, now_ms()).await.map_err(|error| problem(output, &error))?;
    let Imported { generation, was_there } = imported;
    let holding = generation.holding(opened.backend());
    let what = if was_there {
        format!("✓ in the vault already: {}", holding.summary())
    } else {
        format!("✓ taken over, read back and in use: {}", holding.summary())
    };
    if !output.is_json() {
        output.remark(&what);
        if generation.read.is_none() {
            output.remark("▲ A write key only: GRAIL publishes it (single-credential mode). Bring in a read key and a new write key with rotate start --emergency");
        }
    }
    let env = match env_file(&context) {
        None => None,
        Some(path) => Some(emptied(&context, &path, arguments, environment, output, &generation).await?),
    };
    let action = if was_there { "unchanged" } else { "imported" };
    let document = ActionDocument::of(action, &holding, env.as_ref());
    let printed = if output.is_json() { Output::document(&document) } else { output.text("") };
    let exit = if env.is_some_and(|env| env.refused) { Exit::Refused } else { Exit::Healthy };
    Ok(printed_or(output, printed, exit))
}

/// Whether a `.env` may be written: one that is not closed is asked about where `secrets` come into it, and no flag answers.
async fn may_write(context: &Context, path: &Path, output: Output, secrets: bool) -> Result<(), Problem> {
    match objection(context, path)?.filter(|_| secrets) {
        Some(odd) if !agreed_to(output, &odd).await => Err(Problem { kind: Kind::Refused, finding: odd }),
        _ => Ok(()),
    }
}

/// The keys out of the `.env`, when that is wanted. Whatever becomes of it, the keys are in the vault.
async fn emptied(
    context: &Context,
    path: &Path,
    arguments: &ImportArguments,
    environment: &Environment,
    output: Output,
    generation: &Generation,
) -> Result<EnvDocument, Exit> {
    let shown = sanitize(&path.to_string_lossy(), 200);
    let mut blank = arguments.blank;
    let mut backup = arguments.backup;
    if !blank && can_ask(output) {
        blank =
            agreed(output, &format!("Take the keys out of {shown} (GRAIL then gets them by grail-console exec)")).await;
        backup = blank && (backup || agreed(output, "Keep a copy of it as it was, which holds the secrets").await);
    }
    if !blank {
        if !output.is_json() {
            output.remark(&format!("– {shown} is as it was and holds the keys too; --blank takes them out"));
        }
        return Ok(EnvDocument::untouched(path));
    }
    let backup = backup.then(|| BackupName::at(now_ms()));
    let allowed = may_write(context, path, output, backup.is_some()).await;
    let commented = match allowed.and_then(|()| comment_out(path, environment, generation, backup.as_ref())) {
        Ok(commented) => commented,
        Err(error) if output.is_json() => return Ok(EnvDocument::refused(path, &error)),
        Err(error) => return Err(problem(output, &error)),
    };
    let document = EnvDocument::commented(path, &commented);
    if !output.is_json() {
        output.remark(&document.words());
    }
    Ok(document)
}

async fn listed(
    arguments: ListArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> Result<Exit, Exit> {
    let context = context_to_read(flags, environment, output)?;
    // A lost index is derived again when the store is opened.
    let opened = if arguments.check { Some(open_vault(&context, flags, output).await?) } else { None };
    let mut listing = Listing::of(&context, now_ms()).await.map_err(|error| failure(output, &error))?;
    if let Some(opened) = &opened {
        listing.check(opened).await;
    }
    if arguments.online {
        listing.ask_chain(&context, now_ms()).await.map_err(|error| problem(output, &error))?;
    }
    let printed = if output.is_json() {
        Output::document(&ListDocument::of(&listing))
    } else {
        output.text(&list_text(&listing))
    };
    let exit = if listing.is_damaged() { Exit::VaultUnavailable } else { Exit::Healthy };
    Ok(printed_or(output, printed, exit))
}

async fn put_back(
    arguments: &RestoreArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> Result<Exit, Exit> {
    let context = context(flags, environment, output)?;
    let Some(path) = arguments.file.clone().or_else(|| env_file(&context)) else {
        return Err(fail(output, "which .env? Name it: keys restore-env FILE", Exit::Usage));
    };
    swept(&context, output);
    let opened = open_vault(&context, flags, output).await?;
    let number = arguments.generation.or(opened.index.current);
    let Some(number) = number else {
        return Err(fail(output, "the vault holds no keys in use; see keys list", Exit::VaultUnavailable));
    };
    let generation = opened.generation(number).await.map_err(|error| failure(output, &error))?;
    let question = format!("Write the keys of generation {number} into {}", sanitize(&path.to_string_lossy(), 200));
    if !arguments.yes && !agreed(output, &question).await {
        return Err(fail(output, "nothing was written: add --yes where nobody can be asked", Exit::Interrupted));
    }
    may_write(&context, &path, output, true).await.map_err(|error| problem(output, &error))?;
    let restored = restore(&path, environment, &generation).map_err(|error| problem(output, &error))?;
    let document = EnvDocument::restored(&path, &restored);
    let action = ActionDocument::of("restored", &generation.holding(opened.backend()), Some(&document));
    let printed = if output.is_json() { Output::document(&action) } else { output.text(&document.words_ln()) };
    Ok(printed_or(output, printed, Exit::Healthy))
}

async fn removed(
    arguments: RemoveArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> Result<Exit, Exit> {
    let context = context(flags, environment, output)?;
    swept(&context, output);
    let mut opened = open_vault(&context, flags, output).await?;
    let number = arguments.generation;
    // Why it may not be removed is told before anybody is asked.
    let holding = removable(&context, &opened, number, now_ms()).await.map_err(|error| problem(output, &error))?;
    let question = format!("Remove {}, for ever", holding.summary());
    if !arguments.yes && !agreed(output, &question).await {
        return Err(fail(output, "nothing was removed: add --yes where nobody can be asked", Exit::Interrupted));
    }
    remove(&context, &mut opened, number, now_ms()).await.map_err(|error| problem(output, &error))?;
    let document = ActionDocument::of("removed", &holding, None);
    let text = format!("✓ removed {}. Revoke its tokens at the provider if they are alive.\n", holding.summary());
    let printed = if output.is_json() { Output::document(&document) } else { output.text(&text) };
    Ok(printed_or(output, printed, Exit::Healthy))
}

fn key_file(file: &Path, output: Output) -> Result<Exit, Exit> {
    let made = FileKey::generate(file);
    made.map_err(|error| fail(output, &error.to_string(), Exit::VaultUnavailable))?;
    let shown = sanitize(&file.to_string_lossy(), 200);
    let text = format!(
        "✓ made {shown} (mode 0600). Use it with --vault file --vault-key-file {shown}, or in the profile.\n\
         Whoever has it and the encrypted file has your keys; without it nobody has.\n"
    );
    let printed = if output.is_json() {
        Output::document(&serde_json::json!({ "schema": "grail-console/keys/1", "action": "key_file", "file": shown }))
    } else {
        output.text(&text)
    };
    Ok(printed_or(output, printed, Exit::Healthy))
}

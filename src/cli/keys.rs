//! `keys import|list|restore-env|remove|create-key-file`.

use std::path::{Path, PathBuf};

use crate::cli::args::{ImportArguments, KeysCommand, ListArguments, RemoveArguments, RestoreArguments};
use crate::cli::below_home;
use crate::cli::commands::{context, context_to_read, misuse, now_ms, swept};
use crate::cli::keys_json::{ActionDocument, EnvDocument, ListDocument, Listing, list_text};
use crate::cli::output::Output;
use crate::cli::prompt::{agreed, agreed_to, can_ask};
use crate::cli::report::{CommandResult, Place, Report};
use crate::cli::vault::opened;
use crate::config::Flags;
use crate::config::dotenv::BackupName;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::keys::{Imported, comment_out, import, objection, removable, remove, restore};
use crate::ops::vault::OpenVault;
use crate::vault::{FileKey, Generation};

/// `keys …`
pub(super) async fn keys(
    command: &KeysCommand,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    match command {
        KeysCommand::Import(arguments) => taken_over(arguments, flags, environment, output).await,
        KeysCommand::List(arguments) => listed(*arguments, flags, environment, output).await,
        KeysCommand::RestoreEnv(arguments) => put_back(arguments, flags, environment, output).await,
        KeysCommand::Remove(arguments) => removed(*arguments, flags, environment, output).await,
        KeysCommand::CreateKeyFile { file } => key_file(&below_home(file.clone(), environment), output),
    }
}

async fn open_vault(context: &Context, flags: &Flags, output: Output) -> Result<OpenVault, Diagnostic> {
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
) -> CommandResult {
    let mut flags = flags.clone();
    if let Some(Some(file)) = &arguments.from_env {
        let file = below_home(file.clone(), environment);
        if let Err(error) = rustix::fs::access(&file, rustix::fs::Access::READ_OK) {
            let (shown, why) = (sanitize(&file.to_string_lossy(), 200), std::io::Error::from(error));
            let message = format!("--from-env {shown} cannot be read: {why}. Name the .env that your GRAIL loads");
            return Err(misuse(&message).about_variable("--from-env"));
        }
        flags.env_file = Some(file);
    }
    let context = context(&flags, environment)?;
    swept(&context, output);
    let mut opened = open_vault(&context, &flags, output).await?;
    let imported = import(&context, &mut opened, now_ms()).await?;
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
    let report = Report::of(output, || ActionDocument::of(action, &holding, env.as_ref()), String::new)?;
    Ok(report.at(place(&context)).decided_by(env.and_then(|env| env.refused)))
}

/// Whether a `.env` may be written: one that is not closed is asked about where `secrets` come into it, and no flag answers.
async fn may_write(context: &Context, path: &Path, output: Output, secrets: bool) -> Result<(), Diagnostic> {
    match objection(context, path)?.filter(|_| secrets) {
        Some(odd) if !agreed_to(output, &odd).await => Err(odd.in_class(Class::Refused)),
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
) -> Result<EnvDocument, Diagnostic> {
    let shown = sanitize(&path.to_string_lossy(), 200);
    let mut blank = arguments.blank;
    let mut backup = arguments.backup;
    if !blank && !arguments.yes && can_ask(output) {
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
        Err(error) if output.is_json() => return Ok(EnvDocument::refused(path, error)),
        Err(error) => return Err(error),
    };
    let document = EnvDocument::commented(path, &commented);
    if !output.is_json() {
        output.remark(&document.words());
    }
    Ok(document)
}

async fn listed(arguments: ListArguments, flags: &Flags, environment: &Environment, output: Output) -> CommandResult {
    let context = context_to_read(flags, environment)?;
    // A lost index is derived again when the store is opened.
    let opened = if arguments.check { Some(open_vault(&context, flags, output).await?) } else { None };
    let mut listing = Listing::of(&context, now_ms()).await?;
    if let Some(opened) = &opened {
        listing.check(opened).await;
    }
    if arguments.online {
        listing.ask_chain(&context, now_ms()).await?;
    }
    let report = Report::of(output, || ListDocument::of(&listing), || list_text(&listing))?;
    Ok(report.at(place(&context)).decided_by(listing.damaged()))
}

async fn put_back(
    arguments: &RestoreArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let context = context(flags, environment)?;
    let named = arguments.file.clone().map(|file| below_home(file, environment));
    let Some(path) = named.or_else(|| env_file(&context)) else {
        return Err(misuse("which .env? Name it: keys restore-env FILE"));
    };
    swept(&context, output);
    let opened = open_vault(&context, flags, output).await?;
    let number = arguments.generation.or(opened.index.current);
    let Some(number) = number else {
        let message = "the vault holds no keys in use; see keys list";
        return Err(Diagnostic::of_text("vault_empty", Class::Vault, message));
    };
    let generation = opened.generation(number).await?;
    let question = format!("Write the keys of generation {number} into {}", sanitize(&path.to_string_lossy(), 200));
    if !arguments.yes && !agreed(output, &question).await {
        return Err(unconfirmed("nothing was written; add --yes where nobody can be asked"));
    }
    may_write(&context, &path, output, true).await?;
    let restored = restore(&path, environment, &generation)?;
    let document = EnvDocument::restored(&path, &restored);
    let holding = generation.holding(opened.backend());
    let action = || ActionDocument::of("restored", &holding, Some(&document));
    Ok(Report::of(output, action, || document.words_ln())?.at(place(&context)))
}

async fn removed(
    arguments: RemoveArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let context = context(flags, environment)?;
    swept(&context, output);
    let mut opened = open_vault(&context, flags, output).await?;
    let number = arguments.generation;
    // Why it may not be removed is told before anybody is asked.
    let holding = removable(&context, &opened, number, now_ms()).await?;
    let question = format!("Remove {}, for ever", holding.summary());
    if !arguments.yes && !agreed(output, &question).await {
        return Err(unconfirmed("nothing was removed; add --yes where nobody can be asked"));
    }
    remove(&context, &mut opened, number, now_ms()).await?;
    let text = format!("✓ removed {}. Revoke its tokens at the provider if they are alive.\n", holding.summary());
    Ok(Report::of(output, || ActionDocument::of("removed", &holding, None), || text)?.at(place(&context)))
}

fn key_file(file: &Path, output: Output) -> CommandResult {
    FileKey::generate(file).map_err(|error| Diagnostic::of_text("key_file", Class::Vault, &error))?;
    let shown = sanitize(&file.to_string_lossy(), 200);
    let text = format!(
        "✓ made {shown} (mode 0600). Use it with --vault file --vault-key-file {shown}, or in the profile.\n\
         Whoever has it and the encrypted file has your keys; without it nobody has.\n"
    );
    Report::of(output, || serde_json::json!({ "action": "key_file", "file": shown }), || text)
}

/// The chain that the keys are for, as far as it is known without asking.
fn place(context: &Context) -> Place {
    Place::unread(&context.network, context.netuid())
}

fn unconfirmed(text: &str) -> Diagnostic {
    Diagnostic::of_text("needs_confirmation", Class::Pending, text)
}

//! `exec -- CMD`: a process with the vault's keys in its environment, and nothing on disk.
//!
//! The process takes this one's place (`execve`), so that signals and its exit code are its own and no wrapper with keys
//! in its memory remains. It inherits the limit of core files to 0.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::args::ExecArguments;
use crate::cli::commands::{context_to_read, misuse};
use crate::cli::output::Output;
use crate::cli::report::CommandResult;
use crate::cli::vault::opened;
use crate::config::Flags;
use crate::domain::credentials::Variable;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::sanitize;
use crate::ops::context::Context;
use crate::ops::keys::{Override, overrides, values};
use crate::ops::vault::is_in_use;
use crate::vault::Generation;

/// `exec`. It comes back only where the program was not run.
pub(super) async fn exec(
    arguments: &ExecArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let context = context_to_read(flags, environment)?;
    let generation = in_use(&context, flags, output).await?;
    let wanted = wanted(&generation, arguments.read_only_keys);
    refuse_overridden(&context, environment, &wanted)?;
    if let Some(found) = upward(environment, &wanted) {
        output.remark(&found);
    }
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err(misuse("no program is named: exec -- PROGRAM"));
    };
    let mut command = Command::new(program);
    command.args(rest);
    for variable in Variable::ALL {
        command.env_remove(variable.name());
    }
    command.envs(wanted.iter().map(|(variable, value)| (variable.name(), value.expose())));
    Err(not_run(program, &command.exec()))
}

async fn in_use(context: &Context, flags: &Flags, output: Output) -> Result<Generation, Diagnostic> {
    if !is_in_use(context).await? {
        let message = "the vault holds no keys of this hotkey; take them over with keys import --from-env FILE";
        return Err(Diagnostic::of_text("vault_empty", Class::Vault, message));
    }
    let odd = |finding: Diagnostic| output.remark(&finding.summary);
    let opened = opened(context, flags, output, odd).await?;
    let nothing =
        || Diagnostic::of_text("vault_empty", Class::Vault, "the vault has no generation in use; see keys list");
    let generation = opened.current().await?.ok_or_else(nothing)?;
    if generation.read.is_none() {
        return Err(Diagnostic::refused(
            "write_key_only",
            "not run: the vault holds a write key only",
            "GRAIL would publish it (single-credential mode).",
            "Bring in a read key and a new write key with rotate start.",
        ));
    }
    Ok(generation)
}

fn wanted(generation: &Generation, read_only: bool) -> Vec<(Variable, SecretKey)> {
    let is_write = |variable| matches!(variable, Variable::WriteKeyId | Variable::WriteSecret);
    values(generation).into_iter().filter(|(variable, _)| !read_only || !is_write(*variable)).collect()
}

/// GRAIL loads its `.env` over everything that is exported, empty values too.
fn refuse_overridden(
    context: &Context,
    environment: &Environment,
    wanted: &[(Variable, SecretKey)],
) -> Result<(), Diagnostic> {
    let Some(named) = &context.configuration.settings.env_file else { return Ok(()) };
    let found = overrides(&named.value, environment, wanted)?;
    if found.is_empty() {
        return Ok(());
    }
    Err(Diagnostic::refused(
        "env_overrides",
        format!("Not run: {} would win over the vault's keys: {}", shown(&named.value), listed(&found)),
        "GRAIL loads its .env over what is exported, and would publish and use what stands there.",
        "Take these lines out: keys import --from-env --blank does it for keys that are the vault's.",
    ))
}

fn listed(found: &[Override]) -> String {
    let line = |one: &Override| {
        let blank = if one.is_blank { " (empty, which wins all the same)" } else { "" };
        format!("line {} {}{blank}", one.line, one.variable)
    };
    found.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Python looks for a `.env` upward from the program's own folder, which nobody can know from here; one that lies upward
/// from the present folder is told.
fn upward(environment: &Environment, wanted: &[(Variable, SecretKey)]) -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let found: PathBuf = here.ancestors().map(|folder| folder.join(".env")).find(|file| file.is_file())?;
    let over = overrides(&found, environment, wanted).ok().filter(|over| !over.is_empty())?;
    Some(format!(
        "▲ {} holds other values ({}). If GRAIL loads that file it takes them, not the vault's; name it with --env-file to have it checked",
        shown(&found),
        listed(&over)
    ))
}

fn shown(path: &Path) -> String {
    sanitize(&path.to_string_lossy(), 200)
}

/// As shells answer: 127 where there is no such program, 126 where it cannot be run.
fn not_run(program: &OsStr, error: &io::Error) -> Diagnostic {
    let program = sanitize(&program.to_string_lossy(), 200);
    let (class, todo) = match error.kind() {
        io::ErrorKind::NotFound => (Class::NotFound, "check its name and PATH"),
        _ => (Class::NotExecutable, "check its permissions, and that it is a program for this machine"),
    };
    Diagnostic::failure(class, "not_run", format!("cannot run {program}: {error}"), "", todo)
}

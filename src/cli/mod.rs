//! The command line: parse, run one use case, print it for people or for scripts, leave with a documented code.

pub mod args;
mod commands;
mod commit;
mod commit_json;
mod commit_text;
mod completions;
mod console;
mod exec;
pub mod exit;
mod follow;
pub mod json;
mod keys;
mod keys_json;
pub mod levels;
mod new_keys;
mod output;
mod password;
mod probe;
mod probe_json;
mod probe_text;
mod prompt;
pub mod report;
mod rotate;
mod rotate_json;
mod rotate_text;
mod serve;
mod table;
mod targets;
mod text;
pub mod vault;
mod verify;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{CommandFactory, Parser};

use crate::config::Flags;
use crate::domain::ascii;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::given::Given;
use crate::domain::untrusted::sanitize_lines;
use crate::ops::commit::canaries_are_gone;
use crate::tui::runner::interrupted;
use args::{Arguments, Command, Connection};
pub use exit::Exit;
use output::Output;
use report::unwritten;

/// Keeps secrets out of core dumps and away from other processes of the same user. A system that refuses is no reason
/// to stop: it only means that its administrator decided otherwise.
pub fn harden_process() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    #[cfg(target_os = "linux")]
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Runs one command line from its arguments to its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    install_panic_hook();
    let environment = Environment::from_os(std::env::vars_os());
    let given: Vec<OsString> = arguments.into_iter().collect();
    if let Some(shell) = environment.filled(completions::SHELL_ASKS) {
        let told = completions::answer(shell, &given, &environment);
        return match told.and_then(|text| Output::new(false, &environment).text(&text)) {
            Ok(()) => Exit::Healthy,
            Err(_) => Exit::Usage,
        };
    }
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error, &given, &environment),
    };
    let output = Output::new(arguments.connection.json, &environment);
    let printed = match arguments.command {
        Some(Command::Completions { shell }) => completions::script(shell).and_then(|script| output.text(&script)),
        Some(Command::Man) => manual().and_then(|page| output.text(&page)),
        command => return in_runtime(command, &arguments.connection, &environment, output),
    };
    match printed {
        Ok(()) => Exit::Healthy,
        Err(error) => report::print("command", Err(unwritten(&error)), output),
    }
}

/// Help and version on stdout; what clap did not understand on stderr, or as a document when the rest asks for JSON.
fn misused(error: &clap::Error, given: &[OsString], environment: &Environment) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell when the terminal is gone.
        let _ = if ascii::is_wanted(environment.locale()) {
            Output::new(false, environment).text(&error.render().ansi().to_string())
        } else {
            error.print()
        };
        return Exit::Healthy;
    }
    let output = Output::new(given.iter().any(|argument| argument == "--json"), environment);
    // It repeats arguments, and one of them may be a key in the wrong place.
    let words = given.iter().filter_map(|argument| argument.to_str());
    let values =
        words.map(|word| word.split_once('=').filter(|_| word.starts_with('-')).map_or(word, |(_, value)| value));
    values.for_each(|value| crate::logs::redact_all(&Given::new(value).secrets()));
    let message = error.to_string();
    if output.is_json() {
        let (summary, help) = message.trim_end().split_once("\n\n").unwrap_or((message.trim_end(), ""));
        let summary = summary.strip_prefix("error: ").unwrap_or(summary);
        let why = Diagnostic::failure(Class::Usage, "usage", summary, "", help);
        return report::print(named(given), Err(why), output);
    }
    // It repeats the argument, which may have come from anywhere.
    output.remark(&crate::logs::redacted(&sanitize_lines(message.trim_end(), 2_000)));
    Exit::Usage
}

/// The command that was meant, where one of that name exists.
fn named(given: &[OsString]) -> &str {
    let commands = Arguments::command();
    let is_command = |word: &&str| commands.get_subcommands().any(|command| command.get_name() == *word);
    given.iter().filter_map(|word| word.to_str()).find(is_command).unwrap_or("command")
}

/// How long a canary that is on its way is waited for when a command ends: its PUT and its DELETE, each in a store's time.
const CANARIES_GO: Duration = Duration::from_secs(12);

fn in_runtime(command: Option<Command>, connection: &Connection, environment: &Environment, output: Output) -> Exit {
    let name = command.as_ref().map_or("console", Command::name);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let message = format!("cannot start: {error}; the machine has no threads or file handles to spare");
            return report::print(name, Err(commands::misuse(&message)), output);
        }
    };
    let flags = flags(connection, environment);
    let exit = runtime.block_on(async {
        let exit = if let Some(Command::Sandbox(sandbox)) = command.as_ref().filter(|_| is_served(command.as_ref())) {
            serve::serve(sandbox, output).await
        } else {
            report::print(name, outcome(command, &flags, environment, output).await, output)
        };
        // Whoever leaves while a key is tried leaves no canary behind.
        let waits = || {
            if !output.is_json() {
                output.remark(&format!(
                    "waiting until the test object is out of your bucket again, {} s at most",
                    CANARIES_GO.as_secs()
                ));
            }
        };
        canaries_are_gone(CANARIES_GO, waits).await;
        exit
    });
    // A resolver that hangs in a blocking thread must not keep the shell waiting.
    runtime.shutdown_background();
    exit
}

fn is_served(command: Option<&Command>) -> bool {
    matches!(command, Some(Command::Sandbox(sandbox)) if sandbox.serve)
}

/// Runs a command to its end, or until a signal asks it to leave.
async fn outcome(
    command: Option<Command>,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> report::CommandResult {
    match command {
        None | Some(Command::Sandbox(_)) if output.is_json() => {
            Err(commands::misuse("the console has no JSON; use status --json, or sandbox --serve --json"))
        }
        None => Box::pin(console::open(flags, environment, output)).await,
        Some(Command::Sandbox(sandbox)) => Box::pin(console::open_sandbox(&sandbox, flags, environment, output)).await,
        Some(Command::Status(status)) if status.follow => {
            Box::pin(follow::follow(&status, flags, environment, output)).await
        }
        Some(Command::Status(status)) => {
            interruptible(Box::pin(commands::status(&status, flags, environment, output))).await
        }
        Some(Command::Show(show)) => interruptible(Box::pin(commands::show(&show, flags, environment, output))).await,
        Some(Command::Doctor(doctor)) => {
            interruptible(Box::pin(commands::doctor(&doctor, flags, environment, output))).await
        }
        Some(Command::Probe(arguments)) => {
            interruptible(Box::pin(probe::probe(&arguments, flags, environment, output))).await
        }
        Some(Command::Verify(arguments)) => {
            interruptible(Box::pin(verify::verify(&arguments, flags, environment, output))).await
        }
        Some(Command::Visible) => interruptible(Box::pin(probe::visible_command(flags, environment, output))).await,
        // These listen for signals themselves: what was written must be removed, what was sent must be told.
        Some(Command::SelfTest) => Box::pin(probe::self_test_command(flags, environment, output)).await,
        Some(Command::Commit(commit)) => Box::pin(commit::commit(&commit, flags, environment, output)).await,
        Some(Command::Rotate(command)) => Box::pin(rotate::rotate(&command, flags, environment, output)).await,
        Some(Command::Keys(command)) => interruptible(Box::pin(keys::keys(&command, flags, environment, output))).await,
        Some(Command::Exec(command)) => interruptible(Box::pin(exec::exec(&command, flags, environment, output))).await,
        Some(Command::Completions { .. } | Command::Man) => Ok(report::Report::default()),
    }
}

/// A question that is given up by ctrl-c or another signal has a code of its own. Dropping it gives a terminal back that
/// was asked for a passphrase.
async fn interruptible(question: impl Future<Output = report::CommandResult>) -> report::CommandResult {
    let Ok(interrupted) = interrupted() else { return question.await };
    tokio::select! {
        outcome = question => outcome,
        () = interrupted => Err(was_interrupted()),
    }
}

/// A signal asked the process to leave.
fn was_interrupted() -> Diagnostic {
    Diagnostic::failure(Class::Pending, "interrupted", "interrupted before it was done", "", "")
}

fn no_signals() -> Diagnostic {
    commands::misuse("cannot listen for signals; the machine has no file handles to spare")
}

fn flags(connection: &Connection, environment: &Environment) -> Flags {
    let connection = connection.clone();
    let expanded = |path: Option<PathBuf>| path.map(|path| below_home(path, environment));
    Flags {
        network: connection.network,
        endpoint: connection.endpoint,
        witness: connection.witness,
        archive: connection.archive,
        acknowledged: connection.read_dispute,
        netuid: connection.netuid,
        wallet: connection.wallet,
        hotkey: connection.hotkey,
        wallet_path: expanded(connection.wallet_path),
        env_file: expanded(connection.env_file),
        profile: connection.profile,
        s3_endpoint: connection.s3_endpoint,
        password_file: expanded(connection.password_file),
        vault: connection.vault,
        vault_key_file: expanded(connection.vault_key_file),
        vault_passphrase_file: expanded(connection.vault_passphrase_file),
        read_only: connection.read_only,
    }
}

/// Shells leave the `~` in `--flag=~/path` as it is.
fn below_home(path: PathBuf, environment: &Environment) -> PathBuf {
    match (path.strip_prefix("~"), environment.filled("HOME")) {
        (Ok(rest), Some(home)) => Path::new(home).join(rest),
        _ => path,
    }
}

fn manual() -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// A panic is a mistake of ours: say where, made visible and redacted, without the payload's control characters.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let text = crate::logs::redacted(&sanitize_lines(message, 2_000));
        tracing::error!("panic{place}: {text}");
        let told = format!(
            "grail-console: this is a mistake of ours{place}: {text}\nPlease report it with the lines above.\n"
        );
        // `eprintln!` would panic within the panic when stderr is gone, which aborts.
        let _ = std::io::stderr().write_all(told.as_bytes());
    }));
}

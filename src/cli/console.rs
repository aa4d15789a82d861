//! Opening the console: what was configured, the last snapshot, a live feed, and the terminal.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::cli::args::SandboxArguments;
use crate::cli::commands::{context_to_read, misuse, now_ms, swept};
use crate::cli::output::Output;
use crate::cli::password;
use crate::cli::report::{CommandResult, Report};
use crate::cli::serve;
use crate::cli::vault::before_the_screen;
use crate::cli::was_interrupted;
use crate::config::Flags;
use crate::config::file::ConfigFile;
use crate::domain::ascii;
use crate::domain::commit::Record;
use crate::domain::commitment::Published;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::network::SANDBOX;
use crate::domain::secret::SecretKey;
use crate::domain::untrusted::Untrusted;
use crate::engine::own::OwnInfo;
use crate::engine::service::{ServiceSetup, serve as serve_engine};
use crate::logs::{CONTROL_VARIABLE, Logs, system_clock};
use crate::ops::commit;
use crate::ops::context::Context;
use crate::ops::rotation::JOURNAL;
use crate::sandbox::sandbox_folder;
use crate::state::Paths;
use crate::state::atomic::PrivateDir;
use crate::tui::keymap::KeyMap;
use crate::tui::logbook::LogLine;
use crate::tui::runner::{self, LogSource, Setup};
use crate::tui::state::{Background, Glyphs, Multiplexer, NetuidFrom, Options, Theme};
use crate::vault::Vault;
use crate::wallet::{OwnHotkey, WalletError};

/// Opens the console on the configured network.
pub async fn open(flags: &Flags, environment: &Environment, output: Output) -> CommandResult {
    let context = context_to_read(flags, environment)?;
    let odd = |odd: Diagnostic| output.remark(&odd.summary);
    let known = password::identified(context.clone(), (flags, environment), true, output, odd).await;
    let context = match known {
        Ok((context, _)) => context,
        // Enter alone leaves it locked: the console watches, and says why.
        Err(WalletError::PasswordEmpty) => context,
        Err(error) => return Err(commit::wallet_finding(&error)),
    };
    if !context.configuration.settings.read_only.value {
        swept(&context, output);
    }
    Box::pin(show(context, flags, environment, None, output)).await
}

/// Opens the console on a practice subnet of its own. The operator's environment, files and folders stay out of it, but
/// for the look and the keys of the console.
pub async fn open_sandbox(
    arguments: &SandboxArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let sandbox = serve::start(arguments).await?;
    let home = sandbox_folder().map_err(|error| {
        let message = format!("cannot make a temporary folder: {error}; free the disk or set TMPDIR to another one");
        misuse(&message)
    })?;
    let practice = practice_environment(environment, home.path());
    let flags = serve::flags(&sandbox, flags);
    let mut context = super::commands::context(&flags, &practice)?;
    SANDBOX.clone_into(&mut context.network.name);
    context.configuration.keys = own_keys(environment);
    // Nothing of practice reaches the real keyring.
    context.sandbox_vault = Vault::in_memory().ok();
    Box::pin(show(context, &flags, &practice, Some(sandbox.tokens_url()), output)).await
}

/// What the terminal is, and a home that vanishes.
fn practice_environment(environment: &Environment, home: &Path) -> Environment {
    let look = ["TERM", "COLORTERM", "COLORFGBG", "NO_COLOR", "TMUX", "STY", "LC_ALL", "LC_CTYPE", "LANG"];
    let kept = look
        .into_iter()
        .chain([CONTROL_VARIABLE])
        .filter_map(|name| Some((name.to_owned(), environment.get(name)?.to_owned())));
    kept.chain([("HOME".to_owned(), home.to_string_lossy().into_owned())]).collect()
}

fn own_keys(environment: &Environment) -> BTreeMap<String, Vec<String>> {
    let file = Paths::resolve(environment).ok().map(|paths| paths.config_file());
    file.and_then(|file| ConfigFile::read(&file).ok()).map(|file| file.keys).unwrap_or_default()
}

async fn show(
    context: Context,
    flags: &Flags,
    environment: &Environment,
    tokens_url: Option<String>,
    output: Output,
) -> CommandResult {
    let keymap = KeyMap::load(&context.configuration.keys)
        .map_err(|error| misuse(&format!("[keys] in the configuration: {error}")))?;
    let passphrase = before_the_screen(&context, flags, output).await?;
    let logs = install_logs(&context, environment).map_err(|message| misuse(&message))?;
    let mut setup = setup(context, flags, environment, passphrase, &logs, keymap);
    setup.options.tokens_url = tokens_url;
    let left = runner::run(setup).await;
    logs.close_file();
    match left {
        Ok(runner::Exit::Quit) => Ok(Report::default()),
        // The terminal may be gone: there is nobody to tell.
        Ok(runner::Exit::Interrupted) => Ok(Report::default().decided_by([was_interrupted()])),
        Err(error) => Err(misuse(&error.to_string())),
    }
}

fn install_logs(context: &Context, environment: &Environment) -> Result<Logs, String> {
    let opened = context.disk.state.as_ref().map(|state| state.logs().map(PrivateDir::into_handle));
    let (dir, problem) = match opened {
        Some(Ok(dir)) => (Some(dir), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, Some("there is no state directory".to_owned())),
    };
    let control = environment.filled(CONTROL_VARIABLE);
    let logs =
        Logs::install(crate::logs::Options { dir, control, clock: system_clock() }).map_err(|e| e.to_string())?;
    if let Some(problem) = problem {
        logs.note(SystemTime::now(), &format!("no log file, these lines live as long as the console: {problem}"));
    }
    Ok(logs)
}

fn setup(
    context: Context,
    flags: &Flags,
    environment: &Environment,
    passphrase: Option<SecretKey>,
    logs: &Logs,
    keymap: KeyMap,
) -> Setup {
    let saved = context.disk.last(&context.network, context.netuid());
    let own = OwnInfo::of_context(&context);
    let options = options(&context, environment);
    let known = known(&context);
    let disk = context.disk.clone();
    let (flags, environment) = (flags.clone(), environment.clone());
    let term = environment.get("TERM").map(ToOwned::to_owned);
    let (requests, events) = serve_engine(ServiceSetup { context, flags, environment, passphrase, now_ms });
    Setup {
        options,
        own,
        keymap,
        term,
        saved: saved.map(|kept| (Box::new(kept.snapshot), kept.saved_at_ms)),
        events,
        requests,
        known,
        logs: log_source(logs),
        keep: Arc::new(move |snapshot| drop(disk.remember(snapshot, now_ms()))),
        now_ms: Box::new(now_ms),
    }
}

/// What commits of this machine meant to publish, so that finding it on chain is no surprise.
fn known(context: &Context) -> Vec<Published> {
    let intended = commit::history(context).into_iter().filter_map(|entry| match entry.record {
        Record::Intended(intent) => Some(intent.target),
        _ => None,
    });
    intended.collect()
}

fn options(context: &Context, environment: &Environment) -> Options {
    let settings = &context.configuration.settings;
    let (theme, background) = theme(settings.theme.value, environment);
    let glyphs = if ascii::is_wanted(environment.locale()) { Glyphs::Ascii } else { Glyphs::All };
    Options {
        // Without a key to sign with nothing can be published either.
        read_only: settings.read_only.value || context.identity.as_ref().is_none_or(OwnHotkey::is_watch_only),
        netuid_from: if context.netuid_is_default() { NetuidFrom::Default } else { NetuidFrom::Named },
        no_color: environment.filled("NO_COLOR").is_some(),
        theme,
        background,
        glyphs,
        multiplexer: multiplexer(environment),
        network: context.network.name.clone(),
        netuid: context.netuid(),
        is_sandbox: context.network.name == SANDBOX,
        tokens_url: None,
    }
}

/// `auto` believes `COLORFGBG`, which many terminals set (`15;0` is light on dark), and otherwise asks the terminal, with
/// a dark ground until it answers. Without colours nobody needs to know, and the Linux console takes a question for
/// a colour of its palette.
fn theme(wanted: crate::config::file::Theme, environment: &Environment) -> (Theme, Background) {
    use crate::config::file::Theme as Wanted;
    let told = environment.filled("COLORFGBG").and_then(|text| text.rsplit(';').next()?.parse::<u8>().ok());
    let mute = environment.filled("NO_COLOR").is_some() || environment.get("TERM") == Some("linux");
    match (wanted, told) {
        (Wanted::Light, _) | (Wanted::Auto, Some(7 | 9..=15)) => (Theme::Light, Background::Told),
        (Wanted::Auto, None) if !mute => (Theme::Dark, Background::Asked),
        (Wanted::Dark | Wanted::Auto, _) => (Theme::Dark, Background::Told),
    }
}

/// GNU screen keeps what tmux would pass on, whichever of them runs within the other.
fn multiplexer(environment: &Environment) -> Option<Multiplexer> {
    let programs = [("STY", Multiplexer::Screen), ("TMUX", Multiplexer::Tmux)];
    programs.into_iter().find(|(variable, _)| environment.filled(variable).is_some()).map(|(_, program)| program)
}

fn log_source(logs: &Logs) -> LogSource {
    let news = Arc::new(Notify::new());
    let (ring, mut changed) = (Arc::clone(&news), logs.listen());
    tokio::spawn(async move {
        while changed.changed().await.is_ok() {
            ring.notify_one();
        }
    });
    let logs = logs.clone();
    let after = move |seen: u64| {
        let (lines, next) = logs.since(seen);
        let first = next.saturating_sub(lines.len() as u64);
        // The journal of rotations stands among the lines already, that of earlier days included.
        let lines = (first + 1..).zip(lines).filter(|(_, line)| line.target != JOURNAL);
        lines.map(|(seq, line)| log_line(seq, line)).collect()
    };
    LogSource { after: Box::new(after), news }
}

fn log_line(seq: u64, line: crate::logs::LogLine) -> LogLine {
    LogLine { seq, at_ms: line.at_ms, level: line.level, target: line.target, message: Untrusted::from_text(line.text) }
}

//! `commit`: publish the local read credentials, and know that it worked.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::args::CommitArguments;
use crate::cli::commands::{chain_failure, context, earlier, fail, now_ms, printed_or};
use crate::cli::commit_document::CommitDocument;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::{commit_words as words, password, report};
use crate::config::Flags;
use crate::domain::commit::{Ended, Failure, Plan, Progress, Verdict};
use crate::domain::environment::Environment;
use crate::domain::findings::Finding;
use crate::ops::commit::{Prepared, Unprepared, prepare, publish, unlock, verdict_rule, wait_until_registered};
use crate::ops::context::Context;
use crate::wallet::{Signer, WalletError};

/// What the command came to.
struct Came {
    plan: Option<Plan>,
    ended: Option<Ended>,
    exit: Exit,
}

/// `commit`
pub async fn commit(arguments: &CommitArguments, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let context = match context(flags, environment, output) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    if let Some(exit) = cannot_ask(arguments, output) {
        return exit;
    }
    // What became of earlier commits is told before anything new begins.
    let earlier = earlier(&context).await;
    if !output.is_json() {
        for finding in &earlier {
            output.remark(report::finding(finding).trim_end());
        }
    }
    // A commit on its way hears the signal itself, since what became of it must be told. Who of two listeners hears it
    // first is a matter of luck.
    let on_its_way = Cell::new(false);
    let running = run(arguments, &context, flags, environment, output, &on_its_way);
    tokio::pin!(running);
    let came = tokio::select! {
        biased;
        came = &mut running => came,
        () = interrupted() => if on_its_way.get() { running.await } else { return Exit::Interrupted },
    };
    let came = match came {
        Ok(came) => came,
        Err(exit) => return exit,
    };
    let printed = if output.is_json() {
        Output::document(&CommitDocument::of(came.plan.as_ref(), came.ended.as_ref(), &context, earlier))
    } else {
        output.text(&came.ended.as_ref().map(words::end).unwrap_or_default())
    };
    printed_or(output, printed, came.exit)
}

/// A question needs somebody to answer it.
fn cannot_ask(arguments: &CommitArguments, output: Output) -> Option<Exit> {
    let asks = !arguments.dry_run && !arguments.yes;
    let nobody = output.is_json() || !io::stdin().is_terminal();
    (asks && nobody).then(|| {
        let message = "nobody can be asked for confirmation here: look with --dry-run, then add --yes";
        fail(output, message, Exit::Usage)
    })
}

async fn run(
    arguments: &CommitArguments,
    context: &Context,
    flags: &Flags,
    environment: &Environment,
    output: Output,
    on_its_way: &Cell<bool>,
) -> Result<Came, Exit> {
    let mut prepared = match prepare(context, now_ms()).await {
        Ok(prepared) => prepared,
        Err(error) => return unprepared(&error, output),
    };
    let wait = arguments.when_registered && prepared.plan.verdict == Verdict::NotRegistered;
    if !wait && (arguments.dry_run || prepared.plan.verdict != Verdict::Ready) {
        if !output.is_json() {
            printed(output.text(&words::plan(&prepared.plan, false)), output)?;
        }
        return Ok(looked(prepared.plan, arguments.dry_run));
    }
    if context.configuration.settings.read_only.value {
        let ended = Ended::Refused(crate::ops::commit::read_only());
        return Ok(Came { plan: Some(prepared.plan), exit: exit_of(&ended), ended: Some(ended) });
    }
    if !output.is_json() {
        printed(output.text(&words::plan(&prepared.plan, true)), output)?;
    }
    if !arguments.yes && !confirmed(&prepared.plan, wait).await {
        output.remark("Nothing was sent.");
        return Err(Exit::Interrupted);
    }
    let own = context.identity.as_ref().ok_or(Exit::Usage)?;
    let locked = |error: WalletError| {
        let message = crate::logs::redacted(&error.to_string());
        fail(output, &message, Exit::Usage)
    };
    let tell = |odd: Finding| {
        if !output.is_json() {
            output.remark(report::finding(&odd).trim_end());
        }
    };
    let password = password::password(own, flags, environment, tell).await.map_err(locked)?;
    if password.is_some() && !output.is_json() {
        output.remark("… opening the key file: about three seconds");
    }
    let signer = unlock(own, password).await.map_err(locked)?;
    if wait {
        if !output.is_json() {
            output.remark("… waiting for a uid; ctrl-c ends it");
        }
        prepared = match wait_until_registered(context, &prepared.plan, now_ms).await {
            Ok(prepared) => prepared,
            Err(error) => return unprepared(&error, output),
        };
        if let Some(ended) = verdict_rule(&prepared.plan) {
            return Ok(Came { plan: Some(prepared.plan), exit: exit_of(&ended), ended: Some(ended) });
        }
    }
    let plan = prepared.plan.clone();
    on_its_way.set(true);
    let ended = Box::pin(followed(context, prepared, signer, output)).await;
    Ok(Came { plan: Some(plan), exit: exit_of(&ended), ended: Some(ended) })
}

/// Publishes and prints each step. A signal does not lose it: it is on disk, and that is said.
async fn followed(context: &Context, prepared: Prepared, signer: Signer, output: Output) -> Ended {
    let (progress, mut heard) = mpsc::channel(64);
    let publishing = publish(context, prepared, signer, &progress, now_ms);
    tokio::pin!(publishing);
    let interrupted = interrupted();
    tokio::pin!(interrupted);
    let mut extrinsic = None;
    let mut tell = |step: &Progress| {
        if let Progress::Signed { extrinsic: hash, .. } = step {
            extrinsic = Some(*hash);
        }
        if let Some(line) = (!output.is_json()).then(|| words::step(step)).flatten() {
            output.remark(&line);
        }
    };
    loop {
        tokio::select! {
            biased;
            Some(step) = heard.recv() => tell(&step),
            ended = &mut publishing => {
                while let Ok(step) = heard.try_recv() {
                    tell(&step);
                }
                return ended;
            }
            () = &mut interrupted => break,
        }
    }
    // What was signed in this very moment is on disk, and must not be called unsent.
    while let Ok(step) = heard.try_recv() {
        tell(&step);
    }
    if extrinsic.is_none() {
        let why = "It was interrupted before anything was signed.".to_owned();
        return Ended::Pending { extrinsic, why };
    }
    let why = "It was interrupted here; what was sent goes on by itself.".to_owned();
    Ended::Pending { extrinsic, why }
}

fn printed(result: io::Result<()>, output: Output) -> Result<(), Exit> {
    result.map_err(|error| fail(output, &format!("cannot write to stdout: {error}; check where it leads"), Exit::Usage))
}

/// A plan that is only looked at, or that needs nothing to be sent.
fn looked(plan: Plan, dry_run: bool) -> Came {
    let ended = verdict_rule(&plan);
    let exit = match &ended {
        None => Exit::Healthy,
        Some(Ended::Refused(_)) if dry_run => Exit::Finding,
        Some(ended) => exit_of(ended),
    };
    Came { plan: Some(plan), ended, exit }
}

fn unprepared(error: &Unprepared, output: Output) -> Result<Came, Exit> {
    match error {
        Unprepared::Refused(ended) => {
            Ok(Came { plan: None, exit: exit_of(ended), ended: Some(ended.as_ref().clone()) })
        }
        Unprepared::Chain(error) => Err(chain_failure(output, error)),
        Unprepared::Identity(_) => {
            let finding = error.finding();
            Err(fail(output, &format!("{}. {}", finding.what, finding.todo), Exit::Usage))
        }
    }
}

/// The documented exit codes.
fn exit_of(ended: &Ended) -> Exit {
    match ended {
        Ended::Unchanged { .. } | Ended::Committed(_) => Exit::Healthy,
        Ended::Refused(_) => Exit::Refused,
        Ended::Failed { failure: Failure::NotSent { .. }, .. } => Exit::ChainUnreachable,
        Ended::Failed { .. } | Ended::Expired { .. } => Exit::TransactionFailed,
        Ended::Pending { .. } => Exit::Interrupted,
    }
}

/// Asks on the terminal. Enter alone never confirms: on a real network the uid is typed, on the practice subnet `yes`.
async fn confirmed(plan: &Plan, wait: bool) -> bool {
    let word = plan.word().unwrap_or_else(|| "yes".to_owned());
    let what = match (plan.is_practice(), plan.standing.uid) {
        (true, _) => "yes",
        (false, Some(_)) => "the uid",
        (false, None) => "the last four characters of the address",
    };
    let act = if wait { "publish as soon as it has a uid" } else { "publish" };
    let chain = &plan.standing.chain.network;
    let question =
        format!("Type {what} to {act} on {chain} · subnet {}, anything else to leave it: ", plan.subject.netuid);
    let _ = write!(io::stderr(), "{question}");
    let _ = io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    matches!(answer.await, Ok(Ok(line)) if line.trim() == word)
}

/// Ends when somebody asks the process to leave.
async fn interrupted() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}

//! `rotate start|status|resume|rollback|retire`.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cli::args::{Answers, RotateCommand, StartArguments};
use crate::cli::commands::{context, fail, now_ms, printed_or, swept};
use crate::cli::commit::confirmed;
use crate::cli::exit::Exit;
use crate::cli::new_keys::new_keys;
use crate::cli::output::Output;
use crate::cli::prompt::{agreed, agreed_to, can_ask};
use crate::cli::rotate_json::{Parts, RotateDocument};
use crate::cli::vault::passphrase_for;
use crate::cli::{commit_text, password, rotate_text as text, table};
use crate::config::Flags;
use crate::domain::commit::outcome::Rule;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::rotation::messages::EnvAnswer;
use crate::domain::rotation::{Blocker, LEAST_GRACE, Report, Seen};
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::ops::context::Context;
use crate::ops::rotation::{
    Begin, Executor, ExecutorSetup, Kind, NeedsInput, Problem, ProgressEvent, Publishing, Retirement, Timeouts, look,
};
use crate::tui::runner::interrupted;
use crate::wallet::Signer;

/// `rotate …`
pub async fn rotate(command: &RotateCommand, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let Ok(interrupted) = interrupted() else {
        return fail(output, "cannot listen for signals; the machine has no file handles to spare", Exit::Usage);
    };
    let context = match context(flags, environment, output) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    tokio::pin!(interrupted);
    let may_ask = !matches!(command, RotateCommand::Status);
    let odd = |odd: Diagnostic| remark_unless_json(output, &odd);
    let known = tokio::select! {
        biased;
        known = password::identified(context, (flags, environment), may_ask, output, odd) => known,
        () = &mut interrupted => return Exit::Interrupted,
    };
    let (context, password) = match known {
        Ok((context, password)) => (Arc::new(context), password),
        Err(error) => return fail(output, &crate::logs::redacted(&error.to_string()), Exit::Usage),
    };
    let run = RotateRun { command, context, flags, environment, password, output };
    tokio::select! {
        biased;
        exit = Box::pin(run.run()) => exit,
        // Every step is in the journal before it is done.
        () = &mut interrupted => {
            let message = "interrupted; nothing is lost: rotate resume goes on from here, rotate rollback turns back";
            fail(output, message, Exit::Interrupted)
        }
    }
}

/// One command with everything it needs.
#[derive(Clone)]
struct RotateRun<'a> {
    command: &'a RotateCommand,
    context: Arc<Context>,
    flags: &'a Flags,
    environment: &'a Environment,
    /// The hotkey's, where it was given already.
    password: Option<SecretKey>,
    output: Output,
}

fn remark_unless_json(output: Output, odd: &Diagnostic) {
    if !output.is_json() {
        output.remark(&odd.summary);
    }
}

/// How it stopped.
enum Stopped {
    /// At a halt that needs nobody now.
    Well,
    /// Something stands against it.
    Blocked(Vec<Blocker>, Exit),
}

impl RotateRun<'_> {
    async fn run(self) -> Exit {
        if matches!(self.command, RotateCommand::Status) {
            return self.status().await;
        }
        if self.context.configuration.settings.read_only.value {
            return self.problem(None, &Rule::read_only().into()).await;
        }
        swept(&self.context, self.output);
        let (tell, mut told) = mpsc::unbounded_channel();
        let told_odd = |finding: Diagnostic| self.odd(&finding);
        let passphrase = match passphrase_for(&self.context, self.flags, self.output, told_odd).await {
            Ok(passphrase) => passphrase,
            Err(exit) => return exit,
        };
        let mut executor = match self.executor(tell, passphrase).await {
            Ok(executor) => executor,
            Err(problem) => return self.problem(None, &problem).await,
        };
        if let Some(derived) = executor.derived() {
            self.odd(derived);
        }
        let output = self.output;
        let outcome = {
            let driving = self.drive(&mut executor);
            tokio::pin!(driving);
            loop {
                tokio::select! {
                    biased;
                    Some(told) = told.recv() => remark(output, &told),
                    outcome = &mut driving => break outcome,
                }
            }
        };
        while let Ok(told) = told.try_recv() {
            remark(output, &told);
        }
        match outcome {
            Ok(stopped) => self.stopped(&executor, stopped).await,
            Err(problem) => self.problem(Some(&executor), &problem).await,
        }
    }

    async fn executor(
        &self,
        tell: mpsc::UnboundedSender<ProgressEvent>,
        passphrase: Option<SecretKey>,
    ) -> Result<Executor, Problem> {
        let setup = ExecutorSetup {
            context: Arc::clone(&self.context),
            environment: self.environment.clone(),
            passphrase,
            now_ms: Arc::new(now_ms),
            timeouts: Timeouts::default(),
        };
        Executor::open(setup, tell).await
    }

    async fn drive(&self, executor: &mut Executor) -> Result<Stopped, Problem> {
        let halt = match self.command {
            RotateCommand::Status => return Ok(Stopped::Well),
            RotateCommand::Start(start) => self.start(executor, start).await?,
            RotateCommand::Resume(_) => {
                executor.rotation().ok_or_else(nothing_open)?;
                executor.advance().await?
            }
            RotateCommand::Rollback(answers) => {
                let rotation = executor.rotation().ok_or_else(nothing_open)?;
                if !answers.yes && !agreed(self.output, &format!("Roll back the {}", rotation.title())).await {
                    return Ok(needs_confirmation("Rolling back was not confirmed"));
                }
                executor.roll_back().await?
            }
            RotateCommand::Retire(_) => {
                executor.rotation().ok_or_else(nothing_open)?;
                return Ok(match executor.retire().await? {
                    Retirement::Retired => Stopped::Well,
                    Retirement::Blocked(blockers) => Stopped::Blocked(blockers, Exit::Interrupted),
                });
            }
        };
        Box::pin(self.answer(executor, halt)).await
    }

    async fn start(&self, executor: &mut Executor, start: &StartArguments) -> Result<NeedsInput, Problem> {
        let (keys, odd) = new_keys(start, self.environment, self.output).await?;
        for finding in odd {
            self.odd(&finding);
        }
        if start.grace < LEAST_GRACE && !start.emergency && !self.output.is_json() {
            self.output.remark(&format!(
                "▲ With a grace below {LEAST_GRACE} blocks some validators still read with the old key when it ends"
            ));
        }
        executor.begin(Begin { keys, grace: start.grace, emergency: start.emergency }).await
    }

    /// To people; a script has the document.
    fn odd(&self, finding: &Diagnostic) {
        if !self.output.is_json() {
            self.output.remark(table::finding(finding).trim_end());
        }
    }

    fn answers(&self) -> &Answers {
        match self.command {
            RotateCommand::Start(start) => &start.answers,
            RotateCommand::Resume(answers) | RotateCommand::Rollback(answers) | RotateCommand::Retire(answers) => {
                answers
            }
            RotateCommand::Status => &Answers::NONE,
        }
    }

    /// Answers each question, by flag or by asking, until none is left or one stays open.
    async fn answer(&self, executor: &mut Executor, mut halt: NeedsInput) -> Result<Stopped, Problem> {
        let answers = self.answers();
        loop {
            halt = match halt {
                NeedsInput::Publish(publishing) => {
                    let Some(signer) = self.signer(&publishing).await? else {
                        return Ok(needs_confirmation("Publishing was not confirmed"));
                    };
                    Box::pin(executor.publish(*publishing, signer)).await?
                }
                NeedsInput::Env { .. } if answers.env_done => executor.update_env(EnvAnswer::DoneElsewhere).await?,
                NeedsInput::Env { path: Some(path), variables } => {
                    let question = format!("Rewrite {} in {path}", variables.join(" and "));
                    if !answers.yes && !agreed(self.output, &question).await {
                        return Ok(needs_confirmation("Rewriting the .env was not confirmed"));
                    }
                    match executor.env_objection()? {
                        None => executor.update_env(EnvAnswer::Rewrite).await?,
                        Some(odd) if agreed_to(self.output, &odd).await => {
                            executor.update_env(EnvAnswer::RewriteAnyway).await?
                        }
                        Some(odd) => return Err(Problem { kind: Kind::Refused, finding: odd }),
                    }
                }
                NeedsInput::Env { path: None, .. } => {
                    return Ok(Stopped::Blocked(vec![env_unknown()], Exit::Interrupted));
                }
                NeedsInput::Accept(seen) => match &answers.over {
                    Some(over) if names(over, &seen) => executor.accept().await?,
                    _ => return Ok(Stopped::Blocked(vec![neither(&seen)], Exit::Refused)),
                },
                NeedsInput::Revoke(side) => {
                    let words = executor.rotation().map(|rotation| rotation.next(None).words).unwrap_or_default();
                    let blocker = Blocker::new(
                        "old_key_still_works",
                        format!("The old {} key is still accepted by the store", side.word()),
                        format!("{words} Then run rotate resume."),
                    );
                    return Ok(Stopped::Blocked(vec![blocker], Exit::Interrupted));
                }
                NeedsInput::Unsettled(blocker) => return Ok(Stopped::Blocked(vec![blocker], Exit::Interrupted)),
                NeedsInput::KeysNeeded => {
                    let blocker = Blocker::new(
                        "keys_needed",
                        "The console broke off before the new keys were in the vault",
                        "Run rotate start again with the very same keys, or rotate rollback: nothing was published.",
                    );
                    return Ok(Stopped::Blocked(vec![blocker], Exit::Interrupted));
                }
                NeedsInput::Grace | NeedsInput::Done => return Ok(Stopped::Well),
            };
        }
    }

    /// The key, once the commit is confirmed.
    async fn signer(&self, publishing: &Publishing) -> Result<Option<Signer>, Problem> {
        let Self { output, flags, environment, ref password, .. } = *self;
        let plan = publishing.plan();
        if !output.is_json() {
            output.remark(commit_text::plan(plan, true).trim_end());
        }
        if !self.answers().yes && (!can_ask(output) || !confirmed(plan, false, output).await) {
            return Ok(None);
        }
        let Some(own) = publishing.signer() else { return Ok(None) };
        let locked = |error: crate::wallet::WalletError| Problem {
            kind: Kind::Usage,
            finding: crate::ops::commit::wallet_finding(&error),
        };
        let odd = |odd: Diagnostic| self.odd(&odd);
        let password = match password {
            Some(known) => Some(known.clone()),
            None => password::password(own, flags, environment, output, odd).await.map_err(locked)?,
        };
        crate::ops::commit::unlock(own, password).await.map_err(locked).map(Some)
    }

    /// A question to which only a whole `yes` is one.
    async fn status(&self) -> Exit {
        match look(&self.context, now_ms()).await {
            Err(problem) => self.problem(None, &problem).await,
            Ok(looked) => {
                let report = looked.report();
                let open = looked.history.open.is_some();
                let away =
                    looked.chain.as_ref().and_then(|chain| chain.as_ref().err()).map(|problem| exit_of(problem.kind));
                let reverted = report.as_ref().is_some_and(|report| {
                    report.blockers.iter().any(|blocker| matches!(blocker.code, "chain_not_new" | "chain_is_neither"))
                });
                let exit = match (open, away, reverted) {
                    (true, Some(exit), _) => exit,
                    (true, None, true) => Exit::Finding,
                    _ => Exit::Healthy,
                };
                self.print(
                    Parts {
                        owner: Some(looked.owner),
                        report: report.as_ref(),
                        closed: &looked.history.closed,
                        journal: &looked.entries,
                        ..self.parts()
                    },
                    exit,
                )
            }
        }
    }

    async fn stopped(&self, executor: &Executor, stopped: Stopped) -> Exit {
        let (blockers, exit) = match stopped {
            Stopped::Well => (None, Exit::Healthy),
            Stopped::Blocked(blockers, exit) => (Some(blockers), exit),
        };
        let report = executor.report(blockers).await;
        if let Some(Report { rotation, .. }) = &report
            && let Some(seen) = rotation.difference.filter(|_| !self.output.is_json())
        {
            self.output.remark(text::difference(rotation, &seen).trim_end());
        }
        self.print(
            Parts {
                owner: Some(executor.owner()),
                report: report.as_ref(),
                closed: &executor.history().closed,
                journal: executor.entries(),
                findings: self.findings(Some(executor)),
                ..self.parts()
            },
            exit,
        )
    }

    /// What was found, and that the vault's index was derived again.
    fn findings(&self, executor: Option<&Executor>) -> Vec<Diagnostic> {
        let derived = executor.and_then(Executor::derived);
        let stands = |finding: &&Diagnostic| derived.is_none() || finding.code != "vault_index";
        self.context.findings.iter().filter(stands).chain(derived).cloned().collect()
    }

    async fn problem(&self, executor: Option<&Executor>, problem: &Problem) -> Exit {
        let exit = exit_of(problem.kind);
        let Some(executor) = executor else {
            return self.print(Parts { problem: Some(&problem.finding), ..self.parts() }, exit);
        };
        let blocker = Blocker::new(problem.finding.code, problem.finding.summary.clone(), problem.finding.help.clone());
        let report = executor.report(Some(vec![blocker])).await;
        self.print(
            Parts {
                owner: Some(executor.owner()),
                report: report.as_ref(),
                closed: &executor.history().closed,
                journal: executor.entries(),
                problem: Some(&problem.finding),
                findings: self.findings(Some(executor)),
                ..self.parts()
            },
            exit,
        )
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            network: &self.context.network.name,
            netuid: self.context.netuid(),
            findings: self.findings(None),
            ..Parts::default()
        }
    }

    fn print(&self, parts: Parts<'_>, exit: Exit) -> Exit {
        if self.output.is_json() {
            return printed_or(self.output, Output::document(&RotateDocument::of(parts)), exit);
        }
        if let Some(problem) = parts.problem {
            self.output.remark(text::problem(problem).trim_end());
        }
        let text = match parts.report {
            Some(report) if parts.problem.is_some() => text::report(&Report { blockers: Vec::new(), ..report.clone() }),
            Some(report) => text::report(report),
            None if parts.problem.is_some() => String::new(),
            None => "No rotation was ever begun for this hotkey.\n".to_owned(),
        };
        let before = text::history(parts.closed);
        let text = if matches!(self.command, RotateCommand::Status) { text + &before } else { text };
        printed_or(self.output, self.output.text(&text), exit)
    }
}

fn remark(output: Output, told: &ProgressEvent) {
    if output.is_json() {
        return;
    }
    match told {
        ProgressEvent::Working(words) => output.remark(&format!("… {words}")),
        ProgressEvent::Noted(entry) => output.remark(&format!("✓ {}", entry.event.words())),
        ProgressEvent::Commit(progress) => {
            if let Some(line) = commit_text::step(progress) {
                output.remark(&line);
            }
        }
    }
}

pub(super) const fn exit_of(kind: Kind) -> Exit {
    match kind {
        Kind::Usage => Exit::Usage,
        Kind::Refused => Exit::Refused,
        Kind::Chain => Exit::ChainUnreachable,
        Kind::Transaction => Exit::TransactionFailed,
        Kind::Vault => Exit::VaultUnavailable,
        Kind::Pending => Exit::Interrupted,
    }
}

/// Whether the operator named what the chain holds: its fingerprint, or eight characters of it.
fn names(over: &str, seen: &Seen) -> bool {
    match seen.fingerprint() {
        Some(fingerprint) => over.len() >= 8 && fingerprint.to_string().starts_with(over),
        None => over == "none",
    }
}

fn nothing_open() -> Problem {
    Problem::new(
        Kind::Usage,
        "no_rotation",
        "No rotation is under way",
        "There is nothing to go on with.",
        "Begin one with rotate start, or look at what was with rotate status.",
    )
}

fn needs_confirmation(what: &str) -> Stopped {
    let todo = "Run rotate resume at a terminal and answer, or add --yes. Until then everything stays as it is.";
    Stopped::Blocked(vec![Blocker::new("needs_confirmation", what, todo)], Exit::Interrupted)
}

fn env_unknown() -> Blocker {
    Blocker::new(
        "env_not_confirmed",
        "No .env is named, so the console cannot see what GRAIL's next start would commit",
        "Name it with --env-file; or, when GRAIL is run with exec or its .env is changed by hand, say rotate resume --env-done.",
    )
}

fn neither(seen: &Seen) -> Blocker {
    let over = seen.fingerprint().map_or_else(|| "none".to_owned(), Fingerprint::short);
    Blocker::new(
        "chain_is_neither",
        format!("The chain holds {seen}, neither the old nor the new key"),
        format!(
            "Look who put it there. To publish over it say rotate resume --over {over}; to go back say rotate rollback."
        ),
    )
}

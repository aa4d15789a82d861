//! `rotate start|status|resume|rollback|retire`.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cli::args::{Answers, RotateCommand, StartArguments};
use crate::cli::commands::{context, now_ms, swept};
use crate::cli::commit::confirmed;
use crate::cli::new_keys::new_keys;
use crate::cli::output::Output;
use crate::cli::prompt::{agreed, agreed_to, can_ask};
use crate::cli::report::{CommandResult, Place};
use crate::cli::rotate_json::{Parts, RotateDocument};
use crate::cli::vault::passphrase_for;
use crate::cli::{commit_text, no_signals, password, rotate_text as text, table, was_interrupted};
use crate::config::Flags;
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::rotation::messages::EnvAnswer;
use crate::domain::rotation::{LEAST_GRACE, Report, Seen};
use crate::domain::secret::{Fingerprint, SecretKey};
use crate::ops::commit::wallet_finding;
use crate::ops::context::Context;
use crate::ops::rotation::{
    Begin, Executor, ExecutorSetup, NeedsInput, ProgressEvent, Publishing, Retirement, Timeouts, look,
};
use crate::tui::runner::interrupted;
use crate::wallet::{Signer, WalletError};

/// `rotate …`
pub async fn rotate(
    command: &RotateCommand,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let interrupted = interrupted().map_err(|_| no_signals())?;
    let context = context(flags, environment)?;
    tokio::pin!(interrupted);
    let may_ask = !matches!(command, RotateCommand::Status);
    let odd = |odd: Diagnostic| remark_unless_json(output, &odd);
    let known = tokio::select! {
        biased;
        known = password::identified(context, (flags, environment), may_ask, output, odd) => known,
        () = &mut interrupted => return Err(was_interrupted()),
    };
    let (context, password) = known.map_err(|error| wallet_finding(&error))?;
    let run = RotateRun { command, context: Arc::new(context), flags, environment, password, output };
    tokio::select! {
        biased;
        outcome = Box::pin(run.run()) => outcome,
        // Every step is in the journal before it is done.
        () = &mut interrupted => {
            let message = match command {
                RotateCommand::Rollback(_) => "interrupted; nothing is lost: rotate rollback goes on from here".to_owned(),
                RotateCommand::Status => "interrupted".to_owned(),
                command => format!(
                    "interrupted; nothing is lost: {} goes on from here, rotate rollback turns back", again(command)
                ),
            };
            Err(Diagnostic::of_text("interrupted", Class::Pending, &message))
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
    Blocked(Vec<Diagnostic>),
}

impl RotateRun<'_> {
    async fn run(self) -> CommandResult {
        if matches!(self.command, RotateCommand::Status) {
            return self.status().await;
        }
        if let Some(rule) = self.context.writing_forbidden() {
            return self.problem(None, rule.into()).await;
        }
        swept(&self.context, self.output);
        let (tell, mut told) = mpsc::unbounded_channel();
        let told_odd = |finding: Diagnostic| self.odd(&finding);
        let passphrase = passphrase_for(&self.context, self.flags, self.output, told_odd).await?;
        let mut executor = match self.executor(tell, passphrase).await {
            Ok(executor) => executor,
            Err(problem) => return self.problem(None, problem).await,
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
            Err(problem) => self.problem(Some(&executor), problem).await,
        }
    }

    async fn executor(
        &self,
        tell: mpsc::UnboundedSender<ProgressEvent>,
        passphrase: Option<SecretKey>,
    ) -> Result<Executor, Diagnostic> {
        let setup = ExecutorSetup {
            context: Arc::clone(&self.context),
            environment: self.environment.clone(),
            passphrase,
            now_ms: Arc::new(now_ms),
            timeouts: Timeouts::default(),
        };
        Executor::open(setup, tell).await
    }

    async fn drive(&self, executor: &mut Executor) -> Result<Stopped, Diagnostic> {
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
                    return Ok(self.needs_confirmation("Rolling back was not confirmed"));
                }
                executor.roll_back().await?
            }
            RotateCommand::Retire(retire) => {
                executor.rotation().ok_or_else(nothing_open)?;
                if retire.all_restarted && !executor.rotation().is_some_and(|rotation| rotation.is_pinned) {
                    self.odd(&Diagnostic::new(
                        "not_pinned",
                        Severity::Note,
                        "--all-restarted changes nothing: this rotation is not of uid 0's read key",
                        "Only that key is kept by every process of the subnet from its start.",
                        "Leave it out.",
                    ));
                }
                return Ok(match executor.retire(retire.all_restarted).await? {
                    Retirement::Retired => Stopped::Well,
                    Retirement::Blocked(blockers) => Stopped::Blocked(blockers),
                });
            }
        };
        Box::pin(self.answer(executor, halt)).await
    }

    async fn start(&self, executor: &mut Executor, start: &StartArguments) -> Result<NeedsInput, Diagnostic> {
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

    /// What goes on in the direction that was asked for: `rotate resume` would go forward where nothing is turned back yet.
    const fn again(&self) -> &'static str {
        again(self.command)
    }

    /// The hint names the direction that was asked for: going on instead of back would publish the key one wants back.
    fn needs_confirmation(&self, what: &str) -> Stopped {
        let again = self.again();
        let todo =
            format!("Run {again} at a terminal and answer, or {again} --yes. Until then everything stays as it is.");
        Stopped::Blocked(vec![Diagnostic::blocker("needs_confirmation", what, todo)])
    }

    fn answers(&self) -> &Answers {
        match self.command {
            RotateCommand::Start(start) => &start.answers,
            RotateCommand::Resume(answers) | RotateCommand::Rollback(answers) => answers,
            RotateCommand::Retire(retire) => &retire.answers,
            RotateCommand::Status => &Answers::NONE,
        }
    }

    /// Answers each question, by flag or by asking, until none is left or one stays open.
    async fn answer(&self, executor: &mut Executor, mut halt: NeedsInput) -> Result<Stopped, Diagnostic> {
        let answers = self.answers();
        loop {
            halt = match halt {
                NeedsInput::Publish(publishing) => {
                    let Some(signer) = self.signer(&publishing).await? else {
                        return Ok(self.needs_confirmation("Publishing was not confirmed"));
                    };
                    Box::pin(executor.publish(*publishing, signer)).await?
                }
                NeedsInput::Env { .. } if answers.env_done => executor.update_env(EnvAnswer::DoneElsewhere).await?,
                NeedsInput::Env { path: Some(path), variables } => {
                    let question = format!("Rewrite {} in {path}", variables.join(" and "));
                    if !answers.yes && !agreed(self.output, &question).await {
                        return Ok(self.needs_confirmation("Rewriting the .env was not confirmed"));
                    }
                    match executor.env_objection()? {
                        None => executor.update_env(EnvAnswer::Rewrite).await?,
                        Some(odd) if agreed_to(self.output, &odd).await => {
                            executor.update_env(EnvAnswer::RewriteAnyway).await?
                        }
                        Some(odd) => return Err(odd.in_class(Class::Refused)),
                    }
                }
                NeedsInput::Env { path: None, .. } => {
                    return Ok(Stopped::Blocked(vec![env_unknown(self.again())]));
                }
                NeedsInput::Accept(seen) => match &answers.over {
                    Some(over) if names(over, &seen) => executor.accept().await?,
                    _ => {
                        let neither = neither(self.again(), &seen).in_class(Class::Refused);
                        return Ok(Stopped::Blocked(vec![neither]));
                    }
                },
                NeedsInput::Revoke(side) => {
                    let words = executor.rotation().map(|rotation| rotation.next(None).words).unwrap_or_default();
                    let blocker = Diagnostic::blocker(
                        "old_key_still_works",
                        format!("The old {} key is still accepted by the store", side.word()),
                        format!("{words} Then run rotate resume."),
                    );
                    return Ok(Stopped::Blocked(vec![blocker]));
                }
                NeedsInput::Unsettled(blocker) => return Ok(Stopped::Blocked(vec![blocker])),
                NeedsInput::KeysNeeded => {
                    let blocker = Diagnostic::blocker(
                        "keys_needed",
                        "The console broke off before the new keys were in the vault",
                        "Run rotate start again with the very same keys, or rotate rollback: nothing was published.",
                    );
                    return Ok(Stopped::Blocked(vec![blocker]));
                }
                NeedsInput::Grace | NeedsInput::Done => return Ok(Stopped::Well),
            };
        }
    }

    /// The key, once the commit is confirmed.
    async fn signer(&self, publishing: &Publishing) -> Result<Option<Signer>, Diagnostic> {
        let Self { output, flags, environment, ref password, .. } = *self;
        let plan = publishing.plan();
        if !output.is_json() {
            output.remark(commit_text::plan(plan, true).trim_end());
        }
        if !self.answers().yes && (!can_ask(output) || !confirmed(plan, false, output).await) {
            return Ok(None);
        }
        let Some(own) = publishing.signer() else { return Ok(None) };
        let locked = |error: WalletError| wallet_finding(&error);
        let odd = |odd: Diagnostic| self.odd(&odd);
        let password = match password {
            Some(known) => Some(known.clone()),
            None => password::password(own, flags, environment, output, odd).await.map_err(locked)?,
        };
        crate::ops::commit::unlock(own, password).await.map_err(locked).map(Some)
    }

    async fn status(&self) -> CommandResult {
        let looked = match look(&self.context, now_ms()).await {
            Ok(looked) => looked,
            Err(problem) => return self.problem(None, problem).await,
        };
        let mut report = looked.report();
        let away = looked.chain.as_ref().and_then(|chain| chain.as_ref().err()).cloned();
        let waits = looked.waits().filter(|_| away.is_none());
        if let Some(report) = &mut report {
            report.blockers.extend(waits.clone());
        }
        let reverted = report.iter().flat_map(|report| &report.blockers);
        let mut reverted = reverted.filter(|blocker| matches!(blocker.code, "chain_not_new" | "chain_is_neither"));
        let reverted = reverted.next().cloned().map(|blocker| blocker.in_class(Class::Finding));
        let decides = away.or(reverted).filter(|_| looked.history.open.is_some()).or(waits);
        let parts = Parts {
            netuid: self.context.netuid(),
            owner: Some(looked.owner),
            report: report.as_ref(),
            closed: &looked.history.closed,
            journal: &looked.entries,
            problem: None,
        };
        self.report(&parts, self.findings(None), decides)
    }

    async fn stopped(&self, executor: &Executor, stopped: Stopped) -> CommandResult {
        let blockers = match stopped {
            Stopped::Well => None,
            Stopped::Blocked(blockers) => Some(blockers),
        };
        let decides = blockers.clone().unwrap_or_default();
        let report = executor.report(blockers).await;
        if let Some(Report { rotation, .. }) = &report
            && let Some(seen) = rotation.difference.filter(|_| !self.output.is_json())
        {
            self.output.remark(text::difference(rotation, &seen).trim_end());
        }
        let parts = Parts { report: report.as_ref(), ..self.parts(Some(executor)) };
        self.report(&parts, self.findings(Some(executor)), decides)
    }

    /// What was found, and that the vault's index was derived again.
    fn findings(&self, executor: Option<&Executor>) -> Vec<Diagnostic> {
        let derived = executor.and_then(Executor::derived);
        let stands = |finding: &&Diagnostic| derived.is_none() || finding.code != "vault_index";
        self.context.findings.iter().filter(stands).chain(derived).cloned().collect()
    }

    async fn problem(&self, executor: Option<&Executor>, problem: Diagnostic) -> CommandResult {
        let report = match executor {
            Some(executor) => executor.report(Some(vec![problem.clone()])).await,
            None => None,
        };
        let parts = Parts { report: report.as_ref(), problem: Some(&problem), ..self.parts(executor) };
        self.report(&parts, self.findings(executor), [problem.clone()])
    }

    fn parts<'a>(&self, executor: Option<&'a Executor>) -> Parts<'a> {
        Parts {
            netuid: self.context.netuid(),
            owner: executor.map(Executor::owner),
            closed: executor.map(|executor| &executor.history().closed[..]).unwrap_or_default(),
            journal: executor.map(Executor::entries).unwrap_or_default(),
            ..Parts::default()
        }
    }

    fn report(
        &self,
        parts: &Parts<'_>,
        findings: Vec<Diagnostic>,
        decides: impl IntoIterator<Item = Diagnostic>,
    ) -> CommandResult {
        if let Some(problem) = parts.problem.filter(|_| !self.output.is_json()) {
            self.output.remark(text::problem(problem).trim_end());
        }
        let words = || {
            let text = match parts.report {
                Some(report) if parts.problem.is_some() => {
                    text::report(&Report { blockers: Vec::new(), ..report.clone() }, parts.journal)
                }
                Some(report) => text::report(report, parts.journal),
                None if parts.problem.is_some() => String::new(),
                None => "No rotation was ever begun for this hotkey.\n".to_owned(),
            };
            let before = text::history(parts.closed);
            if matches!(self.command, RotateCommand::Status) { text + &before } else { text }
        };
        let report = crate::cli::report::Report::of(self.output, || RotateDocument::of(parts), words)?;
        let place = Place::unread(&self.context.network, self.context.netuid());
        Ok(report.at(place).with_told(findings).decided_by(decides))
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

/// Whether the operator named what the chain holds: its fingerprint, or eight characters of it.
fn names(over: &str, seen: &Seen) -> bool {
    match seen.fingerprint() {
        Some(fingerprint) => over.len() >= 8 && fingerprint.to_string().starts_with(over),
        None => over == "none",
    }
}

/// The command that goes on where one stopped. A rotation that began is not begun again.
const fn again(command: &RotateCommand) -> &'static str {
    match command {
        RotateCommand::Rollback(_) => "rotate rollback",
        RotateCommand::Retire(_) => "rotate retire",
        RotateCommand::Start(_) | RotateCommand::Resume(_) | RotateCommand::Status => "rotate resume",
    }
}

fn nothing_open() -> Diagnostic {
    Diagnostic::failure(
        Class::Usage,
        "no_rotation",
        "No rotation is under way",
        "There is nothing to go on with.",
        "Begin one with rotate start, or look at what was with rotate status.",
    )
}

fn env_unknown(again: &str) -> Diagnostic {
    Diagnostic::blocker(
        "env_not_confirmed",
        "No .env is named, so the console cannot see what GRAIL's next start would commit",
        format!(
            "Name it with --env-file; or, when GRAIL is run with exec or its .env is changed by hand, say {again} --env-done."
        ),
    )
}

fn neither(again: &str, seen: &Seen) -> Diagnostic {
    let over = seen.fingerprint().map_or_else(|| "none".to_owned(), Fingerprint::short);
    Diagnostic::blocker(
        "chain_is_neither",
        format!("The chain holds {seen}, neither the old nor the new key"),
        format!("Look who put it there. To publish over it say {again} --over {over}; to go back say rotate rollback."),
    )
}

//! `commit`: publish the local read credentials, and know that it worked.

use std::io::{self, IsTerminal as _};
use std::pin::Pin;

use tokio::sync::mpsc;

use crate::cli::args::CommitArguments;
use crate::cli::commands::{context, earlier, misuse, now_ms, swept};
use crate::cli::commit_json::CommitDocument;
use crate::cli::json::{BlockDocument, NetworkDocument, SubnetDocument};
use crate::cli::output::Output;
use crate::cli::report::{CommandResult, Place, Report, unwritten};
use crate::cli::vault::with_vault;
use crate::cli::{commit_text as text, no_signals, password, table};
use crate::config::Flags;
use crate::domain::commit::{Ended, KeyTest, Plan, Progress, Unsettled, Verdict};
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::findings::other_chain;
use crate::domain::secret::SecretKey;
use crate::ops::commit::{Prepared, Unprepared, prepare, publish, unlock, wait_until_registered, wallet_finding};
use crate::ops::context::Context;
use crate::tui::runner::interrupted;
use crate::wallet::{Signer, WalletError};

/// What the command came to.
struct Outcome {
    plan: Option<Plan>,
    ended: Option<Ended>,
    /// A plan that is only looked at: that it would be refused is a finding, and nothing was refused.
    is_look: bool,
}

impl Outcome {
    /// What decides how it ended; `None` where it went well.
    fn decides(&self) -> Option<Diagnostic> {
        let decides = self.ended.as_ref()?.finding();
        match decides.class {
            Class::Remark => None,
            Class::Refused if self.is_look => Some(decides.in_class(Class::Finding)),
            _ => Some(decides),
        }
    }
}

/// How far it goes without anything being signed.
enum Ready {
    /// To its end.
    Over(Box<Outcome>),
    /// To a plan that was confirmed, and the key.
    ToSign(Box<Prepared>, Signer),
}

/// `commit`
pub async fn commit(
    arguments: &CommitArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let interrupted = interrupted().map_err(|_| no_signals())?;
    tokio::pin!(interrupted);
    let context = context(flags, environment)?;
    cannot_ask(arguments, output)?;
    let mut findings = Vec::new();
    let odd = |finding: Diagnostic| told_at_once(output, &mut findings, finding);
    let known = tokio::select! {
        biased;
        known = password::identified(context, (flags, environment), true, output, odd) => known,
        () = &mut interrupted => return Err(nothing_was_sent()),
    };
    let (context, password) = known.map_err(|error| wallet_finding(&error))?;
    let odd = |finding: Diagnostic| told_at_once(output, &mut findings, finding);
    let context = tokio::select! {
        biased;
        context = with_vault(context, flags, output, odd) => context?,
        () = &mut interrupted => return Err(nothing_was_sent()),
    };
    let password = password.as_ref();
    let asking = Asking { arguments, context: &context, flags, environment, password, output };
    let ready = tokio::select! {
        biased;
        ready = Box::pin(asking.run(&mut findings)) => ready?,
        () = &mut interrupted => return Err(nothing_was_sent()),
    };
    let came = match ready {
        Ready::Over(came) => *came,
        Ready::ToSign(prepared, signer) => {
            let plan = Some(prepared.plan.clone());
            let ended = Box::pin(followed(&context, *prepared, signer, output, interrupted)).await;
            Outcome { plan, ended: Some(ended), is_look: false }
        }
    };
    let decides = came.decides();
    // What a refusal rests on stays, so that it is refused the next time too.
    let may_write = !arguments.dry_run && !context.configuration.settings.read_only.value;
    if may_write && decides.as_ref().is_none_or(|decides| decides.class != Class::Refused) {
        swept(&context, output);
    }
    let warned = context.findings.iter().filter(|finding| finding.severity >= Severity::Warning).cloned();
    findings.extend(warned);
    let report = Report::of(
        output,
        || CommitDocument::of(came.plan.as_ref(), came.ended.as_ref(), &context),
        || came.ended.as_ref().map(text::end).unwrap_or_default(),
    )?;
    Ok(report.at(place(&context, &came)).with_told(findings).decided_by(decides))
}

/// The block that holds it, else the one at which its plan was made.
fn place(context: &Context, came: &Outcome) -> Place {
    let Some(plan) = &came.plan else { return Place::unread(&context.network, context.netuid()) };
    let (read, chain) = (plan.standing.at, &plan.standing.chain);
    let read = BlockDocument {
        number: read.number,
        hash: Some(read.hash),
        timestamp_ms: Some(read.timestamp_ms),
        finalized: true,
    };
    let holds = came.ended.as_ref().and_then(Ended::block);
    let holds =
        holds.map(|at| BlockDocument { number: at.number, hash: Some(at.hash), timestamp_ms: None, finalized: true });
    Place {
        network: Some(NetworkDocument::of(chain)),
        subnet: Some(SubnetDocument::numbered(context.netuid())),
        block: Some(holds.unwrap_or(read)),
    }
}

fn nothing_was_sent() -> Diagnostic {
    let message = "interrupted before anything was signed; nothing was sent";
    Diagnostic::failure(Class::Pending, "interrupted", message, "", "")
}

/// A question needs somebody to answer it.
fn cannot_ask(arguments: &CommitArguments, output: Output) -> Result<(), Diagnostic> {
    let asks = !arguments.dry_run && !arguments.yes;
    let nobody = output.is_json() || !io::stdin().is_terminal();
    if asks && nobody {
        return Err(misuse("nobody can be asked for confirmation here; look with --dry-run, then add --yes"));
    }
    Ok(())
}

/// Everything before the signature. A signal ends it, and nothing was sent.
#[derive(Clone, Copy)]
struct Asking<'a> {
    arguments: &'a CommitArguments,
    context: &'a Context,
    flags: &'a Flags,
    environment: &'a Environment,
    /// The hotkey's, where it was given already.
    password: Option<&'a SecretKey>,
    output: Output,
}

impl Asking<'_> {
    async fn run(self, findings: &mut Vec<Diagnostic>) -> Result<Ready, Diagnostic> {
        let Self { arguments, context, output, .. } = self;
        // What GRAIL would do with the same values is told before anything new begins, and what became of earlier commits.
        let of_grail = |finding: &&Diagnostic| ["env_file_mark", "s3_region"].contains(&finding.code);
        for finding in context.findings.iter().filter(of_grail) {
            self.tell(findings, finding.clone());
        }
        for finding in earlier(context).await {
            self.tell(findings, finding);
        }
        let prepared = match prepare(context, now_ms()).await {
            Ok(prepared) => prepared,
            Err(error) => return unprepared(error),
        };
        let chain = &prepared.plan.standing.chain;
        if let Some(before) = context.chain_before().filter(|before| *before != chain.genesis) {
            self.tell(findings, other_chain(chain, before));
        }
        let wait = arguments.when_registered && prepared.plan.verdict == Verdict::NotRegistered;
        let looks = !wait && (arguments.dry_run || prepared.plan.verdict != Verdict::Ready);
        let forbidden = context.writing_forbidden();
        let would_publish = wait || prepared.plan.verdict == Verdict::Ready;
        let prepared = if would_publish && (arguments.dry_run || forbidden.is_none()) {
            let tell = |words: String| self.remark(&format!("… {words}"));
            match prepared.tested(context, &tell).await {
                Ok(prepared) => prepared,
                Err(error) => return unprepared(error),
            }
        } else {
            prepared
        };
        let untested = prepared.plan.key_test.as_ref().and_then(KeyTest::refusal).filter(|_| !arguments.untested);
        if !output.is_json() && (looks || forbidden.is_none()) {
            output.text(&text::plan(&prepared.plan, !looks)).map_err(|error| unwritten(&error))?;
        }
        if let Some(rule) = untested.as_ref().filter(|_| looks || !self.can_ask()) {
            return Ok(over(prepared.plan, Ended::Refused(rule.clone())));
        }
        if looks {
            // The real one would be refused.
            if let Some(rule) = forbidden.filter(|_| would_publish && context.netuid_is_default()) {
                self.tell(findings, rule.into());
            }
            return Ok(Ready::Over(Box::new(looked(prepared.plan, arguments.dry_run))));
        }
        if let Some(rule) = forbidden {
            return Ok(over(prepared.plan, Ended::Refused(rule)));
        }
        if untested.is_some() && !wants_untested(output).await {
            return Err(unconfirmed());
        }
        let even_untested = arguments.untested || untested.is_some();
        if !arguments.yes && !confirmed(&prepared.plan, wait, output).await {
            return Err(unconfirmed());
        }
        let signer = self.unlocked(findings).await?;
        if !wait {
            return Ok(Ready::ToSign(Box::new(prepared.even_untested(even_untested)), signer));
        }
        self.remark("… waiting for a uid; ctrl-c ends it");
        let prepared = match wait_until_registered(context, &prepared.plan, now_ms).await {
            Ok(prepared) => prepared.even_untested(even_untested),
            Err(error) => return unprepared(error),
        };
        Ok(match prepared.plan.ended() {
            Some(ended) => over(prepared.plan, ended),
            None => Ready::ToSign(Box::new(prepared), signer),
        })
    }

    async fn unlocked(self, findings: &mut Vec<Diagnostic>) -> Result<Signer, Diagnostic> {
        let Self { context, flags, environment, output, .. } = self;
        let own = context
            .identity
            .as_ref()
            .ok_or_else(|| misuse("no hotkey is known; name it with --wallet and --hotkey"))?;
        let locked = |error: WalletError| wallet_finding(&error);
        let odd = |odd: Diagnostic| self.tell(findings, odd);
        let password = match self.password {
            Some(known) => Some(known.clone()),
            None => password::password(own, flags, environment, output, odd).await.map_err(locked)?,
        };
        if password.is_some() && !output.is_json() {
            output.remark("… opening the key file: about three seconds");
        }
        unlock(own, password).await.map_err(locked)
    }

    /// Whether somebody can answer more than `--yes` does.
    fn can_ask(self) -> bool {
        !self.arguments.yes && !self.output.is_json() && io::stdin().is_terminal()
    }

    /// To people alone.
    fn remark(self, text: &str) {
        if !self.output.is_json() {
            self.output.remark(text);
        }
    }

    /// To people at once, to scripts with the rest.
    fn tell(self, findings: &mut Vec<Diagnostic>, finding: Diagnostic) {
        told_at_once(self.output, findings, finding);
    }
}

fn told_at_once(output: Output, findings: &mut Vec<Diagnostic>, finding: Diagnostic) {
    if !output.is_json() {
        output.remark(table::finding(&finding).trim_end());
    }
    findings.push(finding);
}

fn over(plan: Plan, ended: Ended) -> Ready {
    Ready::Over(Box::new(Outcome { plan: Some(plan), ended: Some(ended), is_look: false }))
}

/// Publishes and prints each step. A signal does not lose it: it is on disk, and that is said.
async fn followed(
    context: &Context,
    prepared: Prepared,
    signer: Signer,
    output: Output,
    mut interrupted: Pin<&mut impl Future<Output = ()>>,
) -> Ended {
    let (progress, mut heard) = mpsc::channel(64);
    let publishing = publish(context, prepared, signer, &progress, now_ms);
    tokio::pin!(publishing);
    let mut extrinsic = None;
    let mut tell = |step: &Progress| {
        if let Progress::Signed { extrinsic: hash, .. } = step {
            extrinsic = Some(*hash);
        }
        if let Some(line) = (!output.is_json()).then(|| text::step(step)).flatten() {
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
        return Ended::Pending { extrinsic, reason: Unsettled::NotKnownYet, why };
    }
    let why = "It was interrupted here; what was sent goes on by itself.".to_owned();
    Ended::Pending { extrinsic, reason: Unsettled::NotKnownYet, why }
}

/// A plan that is only looked at, or that needs nothing to be sent.
fn looked(plan: Plan, is_look: bool) -> Outcome {
    Outcome { ended: plan.ended(), plan: Some(plan), is_look }
}

fn unprepared(error: Unprepared) -> Result<Ready, Diagnostic> {
    match error {
        Unprepared::Refused(ended) => {
            Ok(Ready::Over(Box::new(Outcome { plan: None, ended: Some(*ended), is_look: false })))
        }
        other => Err(other.finding()),
    }
}

fn unconfirmed() -> Diagnostic {
    Diagnostic::failure(Class::Pending, "needs_confirmation", "Nothing was sent", "It was not confirmed.", "")
}

/// Asks on the terminal. Enter alone never confirms: on a real network the uid is typed, on the practice subnet `yes`.
pub(super) async fn confirmed(plan: &Plan, wait: bool, output: Output) -> bool {
    let word = plan.word().unwrap_or_else(|| "yes".to_owned());
    let what = match (plan.is_sandbox(), plan.standing.uid) {
        (true, _) => "yes",
        (false, Some(_)) => "the uid",
        (false, None) => "the last four characters of the address",
    };
    let act = if wait { "publish as soon as it has a uid" } else { "publish" };
    let chain = &plan.standing.chain.network;
    output
        .ask(&format!("Type {what} to {act} on {chain} · subnet {}, anything else to leave it: ", plan.subject.netuid));
    typed(&word).await
}

/// Asks on the terminal whether to go on although no store could be asked.
async fn wants_untested(output: Output) -> bool {
    output.ask("The read pair could not be tested. Type untested to publish it anyway, anything else to cancel: ");
    typed("untested").await
}

async fn typed(word: &str) -> bool {
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    });
    matches!(answer.await, Ok(Ok(line)) if line.trim() == word)
}

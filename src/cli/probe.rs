//! `probe`, `visible` and `self-test`: can validators read, and what can the own keys do?

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::cli::args::ProbeArguments;
use crate::cli::commands::{chain_failure, context, fail, now_ms, printed_or, remark, warnings};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::probe_json::{ProbeDocument, SelfTestDocument, VisibleDocument};
use crate::cli::probe_text as text;
use crate::cli::targets::Choice;
use crate::cli::vault::with_vault;
use crate::config::Flags;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Probe, ProbeNews, WHOLE_SECONDS};
use crate::domain::text::{capitalised, uncapitalised};
use crate::domain::visible::Standing;
use crate::ops::context::Context;
use crate::ops::probe::{SubnetView, Tester, View, listing, store, sweep};
use crate::ops::self_test::{Subject, self_test};
use crate::ops::survey::{Survey, survey_keeping};
use crate::ops::visible::visible;
use crate::tui::runner::interrupted;

/// The subnet as it was read, and the one who tests on it.
struct Bench {
    context: Context,
    found: Survey,
    view: Arc<View>,
    tester: Arc<Tester>,
}

impl Bench {
    async fn set_up(flags: &Flags, environment: &Environment, output: Output) -> Result<Self, Exit> {
        let context = context(flags, environment, output)?;
        let subnet_view = SubnetView::new();
        let found = match survey_keeping(&context, now_ms(), Some(subnet_view.keys())).await {
            Ok(found) => found,
            Err(error) => return Err(chain_failure(output, &error)),
        };
        let subnet_view = SubnetView::of(found.snapshot.clone(), subnet_view.keys());
        let Some(view) = subnet_view.view() else {
            return Err(fail(output, "the subnet was not read", Exit::ChainUnreachable));
        };
        let tester = Tester::new(&context, store(&context), Arc::new(now_ms));
        Ok(Self { context, found, view: Arc::new(view), tester: Arc::new(tester) })
    }

    fn findings(&self) -> Vec<Diagnostic> {
        warnings(&self.context, &self.found, Vec::new())
    }
}

/// `probe`
pub async fn probe(arguments: &ProbeArguments, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let choice = match Choice::of(&arguments.whom) {
        Ok(choice) => choice,
        Err(message) => return fail(output, &message, Exit::Usage),
    };
    let bench = match Bench::set_up(flags, environment, output).await {
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let hotkeys = match choice.hotkeys(&bench.found) {
        Ok(hotkeys) => hotkeys,
        Err(message) => return fail(output, &message, Exit::Usage),
    };
    let (results, stopped) = Box::pin(tested(&bench, hotkeys, output)).await;
    let mut listings = Vec::new();
    if arguments.list {
        for result in &results {
            listings.push((result.hotkey, listing(&bench.tester, &bench.view, &result.hotkey).await));
        }
    }
    let exit = match &stopped {
        Some(_) => Exit::Undetermined,
        None if choice.is_sweep() && !arguments.strict => Exit::Healthy,
        None => exit_of(&results),
    };
    let mut findings = bench.findings();
    findings.extend(stopped);
    let printed = if output.is_json() {
        Output::document(&ProbeDocument::of(&bench.found.snapshot, &results, &listings, findings))
    } else {
        remark(output, &findings);
        output.text(&text::probes(&bench.found, &results, &listings, now_ms(), choice.is_sweep()))
    };
    printed_or(output, printed, exit)
}

/// A bucket that would fail a validator is a finding; of one that could not be asked nothing is known.
fn exit_of(results: &[Probe]) -> Exit {
    let mut bad = results.iter().filter(|probe| !probe.verdict.passes()).peekable();
    match (bad.peek().is_some(), bad.any(|probe| probe.is_definite)) {
        (false, _) => Exit::Healthy,
        (true, true) => Exit::Finding,
        (true, false) => Exit::Undetermined,
    }
}

/// Tests them, in the order in which they were asked for; somebody who watches sees how far it has come. With why it was
/// stopped, where it was.
async fn tested(bench: &Bench, hotkeys: Vec<Hotkey>, output: Output) -> (Vec<Probe>, Option<Diagnostic>) {
    let all = hotkeys.len();
    let order: std::collections::HashMap<Hotkey, usize> = hotkeys.iter().enumerate().map(|(at, h)| (*h, at)).collect();
    let results: Arc<Mutex<Vec<Probe>>> = Arc::default();
    let watched = all > 1 && !output.is_json() && io::stderr().is_terminal();
    let heard = Arc::clone(&results);
    let tell = move |news: ProbeNews| {
        if let ProbeNews::Tested(probe) = news {
            let mut results = heard.lock().unwrap_or_else(PoisonError::into_inner);
            results.push(*probe);
            if watched {
                output.ask(&format!("\rtested {} of {all} ", results.len()));
            }
        }
        std::future::ready(())
    };
    let stopped = sweep(Arc::clone(&bench.tester), Arc::clone(&bench.view), hotkeys, tell).await;
    if watched {
        output.ask("\r\u{1b}[K");
    }
    let mut results = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    results.sort_by_key(|probe| order.get(&probe.hotkey).copied());
    (results, stopped.map(|stopped| stopped.finding))
}

/// The time of one question as a whole, from its beginning.
#[derive(Clone, Copy)]
struct Whole {
    began: Instant,
    by: Instant,
}

impl Whole {
    fn begin() -> Self {
        let began = Instant::now();
        Self { began, by: began + Duration::from_secs(WHOLE_SECONDS) }
    }

    /// The same without the time that somebody took to type.
    fn without(self, typing: Duration) -> Self {
        Self { began: self.began + typing, by: self.by + typing }
    }

    /// Seconds until now, to a tenth.
    fn seconds(self) -> f64 {
        (self.began.elapsed().as_secs_f64() * 10.0).round() / 10.0
    }

    /// Waits for it; somebody at a terminal sees how long it has taken.
    async fn watch<T>(self, output: Output, question: impl Future<Output = T>) -> T {
        if output.is_json() || !io::stderr().is_terminal() {
            return question.await;
        }
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(question);
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut question => break answer,
                _ = ticks.tick() => {
                    let seconds = self.began.elapsed().as_secs();
                    output.ask(&format!("\rasking chain and store, {seconds} s of {WHOLE_SECONDS} s at most "));
                }
            }
        };
        output.ask("\r\u{1b}[K");
        answer
    }
}

/// What `visible` and `self-test` stand on, read within their time.
async fn bench_by(whole: Whole, flags: &Flags, environment: &Environment, output: Output) -> Result<Bench, Exit> {
    let read = Box::pin(Bench::set_up(flags, environment, output));
    let bench = whole.watch(output, timeout_at(whole.by, read)).await;
    bench.unwrap_or_else(|_| {
        let message = format!(
            "the chain was not read within {WHOLE_SECONDS} s, and the store was not asked: try another node with --endpoint"
        );
        Err(fail(output, &message, Exit::ChainUnreachable))
    })
}

/// `visible`
pub async fn visible_command(flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let whole = Whole::begin();
    let bench = match bench_by(whole, flags, environment, output).await {
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let asked = Box::pin(visible(&bench.tester, &bench.view, whole.by));
    let visibility = match whole.watch(output, asked).await {
        Ok(visibility) => visibility,
        Err(finding) => {
            return fail(output, &format!("{}: {}", finding.summary, uncapitalised(&finding.help)), Exit::Usage);
        }
    };
    let exit = match visibility.standing() {
        Standing::Yes | Standing::Warning => Exit::Healthy,
        Standing::No => Exit::Finding,
        Standing::Unknown => Exit::Undetermined,
    };
    let (findings, seconds) = (bench.findings(), whole.seconds());
    let printed = if output.is_json() {
        Output::document(&VisibleDocument::of(&bench.found.snapshot, &visibility, seconds, findings))
    } else {
        remark(output, &findings);
        output.text(&text::visible(&bench.found, &visibility, now_ms(), seconds))
    };
    printed_or(output, printed, exit)
}

/// `self-test`. A signal ends it early; the canary is removed all the same.
pub async fn self_test_command(flags: &Flags, environment: &Environment, output: Output) -> Exit {
    if flags.read_only {
        return refuse_read_only(output);
    }
    let Ok(interrupted) = interrupted() else {
        return fail(output, "cannot listen for signals; the machine has no file handles to spare", Exit::Usage);
    };
    tokio::pin!(interrupted);
    let whole = Whole::begin();
    let bench = tokio::select! {
        bench = bench_by(whole, flags, environment, output) => bench,
        () = &mut interrupted => return Exit::Interrupted,
    };
    let bench = match bench {
        Ok(bench) if bench.context.configuration.settings.read_only.value => return refuse_read_only(output),
        Ok(bench) => bench,
        Err(exit) => return exit,
    };
    let typing = Instant::now();
    let context = tokio::select! {
        context = with_vault(bench.context.clone(), flags, output, |odd| remark(output, &[odd])) => context,
        () = &mut interrupted => return Exit::Interrupted,
    };
    let context = match context {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    let whole = whole.without(typing.elapsed());
    let subject = match Subject::of(&context, &bench.view, Arc::new(now_ms)) {
        Ok(subject) => subject,
        Err(error) => return fail(output, &error.to_string(), Exit::Usage),
    };
    let subject = tokio::select! {
        subject = Box::pin(subject.verified(&context.node, &bench.view)) => subject,
        () = &mut interrupted => return Exit::Interrupted,
    };
    let mut was_interrupted = false;
    let stop = async {
        interrupted.await;
        was_interrupted = true;
    };
    let asked = Box::pin(self_test(subject, &bench.tester.store, whole.by, stop));
    let test = match whole.watch(output, asked).await {
        Ok(test) => test,
        Err(error) => return fail(output, &capitalised(&error.to_string()), Exit::Usage),
    };
    let exit = match (was_interrupted, test.healthy, test.is_unknown()) {
        (true, ..) => Exit::Interrupted,
        (false, true, _) => Exit::Healthy,
        (false, false, true) => Exit::Undetermined,
        (false, false, false) => Exit::Finding,
    };
    let (findings, seconds) = (bench.findings(), whole.seconds());
    let printed = if output.is_json() {
        Output::document(&SelfTestDocument::of(&bench.found.snapshot, &test, seconds, findings))
    } else {
        remark(output, &findings);
        output.text(&text::self_test(&test, seconds))
    };
    printed_or(output, printed, exit)
}

fn refuse_read_only(output: Output) -> Exit {
    let message = "--read-only refuses everything that writes outside this machine, and a self-test writes a canary into \
                   your bucket: run it without --read-only";
    fail(output, message, Exit::Refused)
}

//! `probe`, `visible` and `self-test`: can validators read, and what can the own keys do?

use std::io::{self, IsTerminal as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::cli::args::ProbeArguments;
use crate::cli::commands::{context, misuse, now_ms, warnings};
use crate::cli::output::Output;
use crate::cli::probe_json::{ProbeDocument, SelfTestDocument, VisibleDocument};
use crate::cli::probe_text as text;
use crate::cli::report::{CommandResult, Place, Report};
use crate::cli::targets::Choice;
use crate::cli::vault::with_vault;
use crate::cli::{no_signals, was_interrupted};
use crate::config::Flags;
use crate::domain::diagnostic::{Class, Diagnostic};
use crate::domain::environment::Environment;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Probe, ProbeNews, WHOLE_SECONDS};
use crate::ops::context::Context;
use crate::ops::probe::{SubnetView, Tester, View, listing, store, sweep};
use crate::ops::self_test::{Subject, refused_read_only, self_test};
use crate::ops::survey::{Survey, survey_keeping};
use crate::ops::verify::confirm;
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
    async fn set_up(flags: &Flags, environment: &Environment) -> Result<Self, Diagnostic> {
        let context = context(flags, environment)?;
        let subnet_view = SubnetView::new();
        let found = survey_keeping(&context, now_ms(), Some(subnet_view.keys())).await?;
        let subnet_view = SubnetView::of(found.snapshot.clone(), subnet_view.keys());
        let Some(view) = subnet_view.view() else {
            return Err(Diagnostic::of_text("no_subnet", Class::Chain, "the subnet was not read; try again"));
        };
        let tester = Tester::new(&context, store(&context), Arc::new(now_ms));
        Ok(Self { context, found, view: Arc::new(view), tester: Arc::new(tester) })
    }

    fn findings(&self) -> Vec<Diagnostic> {
        warnings(&self.context, &self.found, Vec::new())
    }
}

/// `probe`
pub async fn probe(
    arguments: &ProbeArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let choice = Choice::of(&arguments.whom).map_err(|message| misuse(&message))?;
    let bench = Bench::set_up(flags, environment).await?;
    let hotkeys = choice.hotkeys(&bench.found).map_err(|message| misuse(&message))?;
    let (mut results, stopped) = Box::pin(tested(&bench, hotkeys, output)).await;
    let contradictions = Box::pin(confirm(&bench.context, &mut results, now_ms())).await;
    let mut listings = Vec::new();
    if arguments.list {
        for result in &results {
            listings.push((result.hotkey, listing(&bench.tester, &bench.view, &result.hotkey).await));
        }
    }
    let mut findings = bench.findings();
    findings.extend(contradictions);
    findings.extend(stopped.clone());
    let deciding = match stopped {
        Some(stopped) => vec![stopped.in_class(Class::Unknown)],
        None if choice.is_sweep() && !arguments.strict => Vec::new(),
        None => bad(&results),
    };
    let snapshot = &bench.found.snapshot;
    let shown = |probe: &&Probe| !arguments.failed || probe.verdict.fails();
    let report = Report::of(
        output,
        || ProbeDocument::of(snapshot, results.iter().filter(shown), &listings),
        || {
            if choice.is_sweep() {
                text::sweep(&bench.found, &results, now_ms(), shown)
            } else {
                text::probes(&bench.found, &results, &listings, now_ms())
            }
        },
    )?;
    Ok(report.at(Place::of(snapshot)).with(findings).decided_by(deciding))
}

/// A bucket that would fail a validator is a finding; of one that could not be asked nothing is known. What is known first.
fn bad(results: &[Probe]) -> Vec<Diagnostic> {
    let mut bad: Vec<&Probe> = results.iter().filter(|probe| !probe.verdict.passes()).collect();
    bad.sort_by_key(|probe| !probe.is_definite);
    bad.into_iter().map(Probe::diagnostic).collect()
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
async fn bench_by(whole: Whole, flags: &Flags, environment: &Environment, output: Output) -> Result<Bench, Diagnostic> {
    let read = Box::pin(Bench::set_up(flags, environment));
    let bench = whole.watch(output, timeout_at(whole.by, read)).await;
    bench.unwrap_or_else(|_| {
        let message = format!(
            "the chain was not read within {WHOLE_SECONDS} s, and the store was not asked; try another node with --endpoint"
        );
        Err(Diagnostic::of_text("out_of_time", Class::Chain, &message))
    })
}

/// `visible`
pub async fn visible_command(flags: &Flags, environment: &Environment, output: Output) -> CommandResult {
    let whole = Whole::begin();
    let bench = bench_by(whole, flags, environment, output).await?;
    if let Some(other) = bench.found.other_chain() {
        return Err(other.in_class(Class::Unknown));
    }
    let asked = Box::pin(visible(&bench.tester, &bench.view, whole.by));
    let visibility = whole.watch(output, asked).await.map_err(|unknown| unknown.in_class(Class::Usage))?;
    let (snapshot, seconds) = (&bench.found.snapshot, whole.seconds());
    let report = Report::of(
        output,
        || VisibleDocument::of(snapshot, &visibility, seconds),
        || text::visible(&bench.found, &visibility, now_ms(), seconds),
    )?;
    Ok(report.at(Place::of(snapshot)).with(bench.findings()).decided_by(visibility.diagnostic()))
}

/// `self-test`. A signal ends it early; the canary is removed all the same.
pub async fn self_test_command(flags: &Flags, environment: &Environment, output: Output) -> CommandResult {
    if flags.read_only {
        return Err(refused_read_only());
    }
    let interrupted = interrupted().map_err(|_| no_signals())?;
    tokio::pin!(interrupted);
    let whole = Whole::begin();
    let bench = tokio::select! {
        bench = bench_by(whole, flags, environment, output) => bench?,
        () = &mut interrupted => return Err(was_interrupted()),
    };
    if bench.context.configuration.settings.read_only.value {
        return Err(refused_read_only());
    }
    let typing = Instant::now();
    let mut findings = bench.findings();
    let odd = |odd: Diagnostic| findings.push(odd);
    let context = tokio::select! {
        context = with_vault(bench.context.clone(), flags, output, odd) => context?,
        () = &mut interrupted => return Err(was_interrupted()),
    };
    let whole = whole.without(typing.elapsed());
    let subject = Subject::of(&context, &bench.view, Arc::new(now_ms)).map_err(|error| error.diagnostic())?;
    let subject = tokio::select! {
        subject = Box::pin(subject.verified(&context.node, &bench.view)) => subject,
        () = &mut interrupted => return Err(was_interrupted()),
    };
    let mut ended_early = false;
    let stop = async {
        interrupted.await;
        ended_early = true;
    };
    let asked = Box::pin(self_test(subject, &bench.tester.store, whole.by, stop));
    let test = whole.watch(output, asked).await.map_err(|error| error.diagnostic())?;
    let (snapshot, seconds) = (&bench.found.snapshot, whole.seconds());
    let report =
        Report::of(output, || SelfTestDocument::of(snapshot, &test, seconds), || text::self_test(&test, seconds))?;
    let early = ended_early.then(was_interrupted);
    let report = report.at(Place::of(snapshot)).with(findings);
    Ok(report.decided_by(early.into_iter().chain(test.diagnostics())))
}

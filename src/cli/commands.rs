//! `status`, `show` and `doctor`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::args::{DoctorArguments, ShowArguments, StatusArguments};
use crate::cli::json::{ShowDocument, StatusDocument};
use crate::cli::levels::Levels;
use crate::cli::output::Output;
use crate::cli::password;
use crate::cli::report::{CommandResult, Place, Report};
use crate::cli::targets::parse_who;
use crate::cli::text;
use crate::cli::vault;
use crate::config::{Flags, Needs};
use crate::domain::diagnostic::{Class, Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::filter::Filter;
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::Row;
use crate::domain::untrusted::sanitize;
use crate::ops::commit::{Reconciled, reconcile};
use crate::ops::context::Context;
use crate::ops::doctor::{ChainLine, Diagnosis, diagnose, state_of_own_row};
use crate::ops::keys::sweep_copies;
use crate::ops::own_hotkey::not_known;
use crate::ops::survey::{Survey, survey};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Loads the context for a command that asks the store, publishes or writes keys; or says why it cannot be.
pub fn context(flags: &Flags, environment: &Environment) -> Result<Context, Diagnostic> {
    let context = context_to_read(flags, environment)?;
    let stops = [Needs::Store, Needs::EnvFile].into_iter().find_map(|needs| context.wrong_for(needs));
    stops.map_or(Ok(()), |wrong| Err(wrong.stops()))?;
    Ok(context)
}

/// The same for one that only looks at chain and machine, which needs neither store nor `.env`.
pub fn context_to_read(flags: &Flags, environment: &Environment) -> Result<Context, Diagnostic> {
    Context::load(flags, environment).map_err(|wrong| wrong.stops())
}

/// Somebody asked for what makes no sense; nothing was asked or changed.
pub(super) fn misuse(text: &str) -> Diagnostic {
    Diagnostic::of_text("usage", Class::Usage, text)
}

/// `status`
pub async fn status(
    arguments: &StatusArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let filter = filter_of(arguments)?;
    Box::pin(status_read(arguments, &filter, flags, environment, output)).await.map(|(report, ..)| report)
}

/// The rows that are wanted.
pub(super) fn filter_of(arguments: &StatusArguments) -> Result<Filter, Diagnostic> {
    let filter = Filter::of_rows(arguments.filter.as_deref().unwrap_or_default());
    filter.map_err(|error| misuse(&format!("--filter: {error}")).about_variable("--filter"))
}

/// The same with what it was read from.
pub(super) async fn status_read(
    arguments: &StatusArguments,
    filter: &Filter,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> Result<(Report, Context, Survey), Diagnostic> {
    let (context, mut found) = look(flags, environment, output).await?;
    let keep = |row: &Row| filter.accepts(row, Tested::default());
    // What is wrong with the own row is acted on, so that it is more than one node's word where it can be.
    let wants_own = of_own_row(&context, &found).is_some();
    let is_verified = |row: &Row| if arguments.verify { keep(row) } else { row.own && wants_own };
    let (levels, contradictions) = Levels::of(&context, &mut found, is_verified, now_ms()).await;
    let shown: Vec<&Row> = found.roster.rows.iter().chain(&found.roster.ex_members).filter(|row| keep(row)).collect();
    let mut findings = warnings(&context, &found, earlier(&context).await);
    findings.extend(contradictions.iter().cloned());
    let of_own = of_own_row(&context, &found);
    let deciding: Vec<_> = found.other_chain().into_iter().chain(of_own).chain(contradictions).collect();
    let report = Report::of(
        output,
        || StatusDocument::of(&found.snapshot, &found.roster, keep, &levels),
        || text::status(&context, &found, now_ms(), &shown, &levels),
    )?;
    let report = report.at(Place::of(&found.snapshot)).with(findings).decided_by(deciding);
    Ok((report, context, found))
}

/// `show`
pub async fn show(
    arguments: &ShowArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let wanted = parse_who(&arguments.who).map_err(|message| misuse(&message))?;
    let (context, mut found) = look(flags, environment, output).await?;
    let Some(hotkey) = wanted.row(&found).map(|row| row.hotkey) else {
        return Err(misuse(&format!(
            "{} is not on subnet {} (uids 0 to {}), neither as a member nor as an ex-member with a commitment; the chain forgets \
             the commitment of whoever loses its uid, which revokes no key: archives keep it",
            sanitize(&arguments.who, 60),
            found.snapshot.netuid,
            found.roster.summary.uids.saturating_sub(1)
        )));
    };
    let wants_own = context.hotkey == Some(hotkey) && of_own_row(&context, &found).is_some();
    let is_verified = |row: &Row| row.hotkey == hotkey && (arguments.verify || wants_own);
    let (levels, contradictions) = Levels::of(&context, &mut found, is_verified, now_ms()).await;
    // An ex-member whose commitment is proven to be none has no row any more.
    let gone = Row::of_nobody(hotkey);
    let row = found.roster.by_hotkey(&hotkey).unwrap_or(&gone);
    let own = if row.own { state_of_own_row(&context, hotkey, &found) } else { None };
    let mut findings = warnings(&context, &found, earlier(&context).await);
    findings.extend(contradictions.iter().cloned());
    let report = Report::of(
        output,
        || ShowDocument::of(&found.snapshot, row, levels.level(row)),
        || text::show(&found.snapshot, row) + "\n" + &levels.line(&[row]),
    )?;
    let deciding: Vec<_> = found.other_chain().into_iter().chain(own).chain(contradictions).collect();
    Ok(report.at(Place::of(&found.snapshot)).with(findings).decided_by(deciding))
}

/// `doctor`
pub async fn doctor(
    arguments: &DoctorArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let mut context = unprompted(Context::examine(flags, environment), flags, environment, output).await;
    let passphrase = vault::unprompted(flags, output, |odd| context.findings.push(odd)).await;
    let (passphrase, unread) = match passphrase {
        Ok(passphrase) => (passphrase, None),
        Err(wrong) => {
            let finding = wrong.finding();
            context.findings.push(finding.clone());
            (None, Some(finding.in_class(Class::Vault)))
        }
    };
    let diagnosis = diagnose(&context, !arguments.offline, passphrase, now_ms()).await;
    let decides = decides(&context, &diagnosis, unread);
    let report = Report::of(output, || &diagnosis, || text::doctor(&diagnosis))?;
    let place = diagnosis.read.as_ref().map(|found| Place::of(&found.snapshot)).unwrap_or_default();
    // The text shows the findings itself.
    Ok(report.at(place).with_told(diagnosis.findings.clone()).decided_by(decides))
}

/// Without the subnet nothing else can be said; then comes the chain, then who the operator is, then the rest, worst first.
fn decides(context: &Context, diagnosis: &Diagnosis, unread: Option<Diagnostic>) -> Option<Diagnostic> {
    let named = |code: &str| diagnosis.findings.iter().find(|finding| finding.code == code).cloned();
    if let Some(wrong) = context.wrong_for(Needs::Subnet) {
        return Some(wrong.finding());
    }
    if let ChainLine::Unreachable { why, .. } = &diagnosis.chain {
        return Some(why.as_ref().clone());
    }
    if context.own_is_missing() {
        return named("own_hotkey").map(|finding| finding.in_class(Class::Usage));
    }
    let worst = diagnosis.findings.iter().find(|finding| finding.severity >= Severity::Warning);
    unread.or_else(|| worst.map(|finding| finding.clone().in_class(Class::Finding)))
}

/// What a killed console left beside the `.env` goes at the start of every command that writes.
pub(super) fn swept(context: &Context, output: Output) {
    if let Some(swept) = sweep_copies(context).filter(|_| !output.is_json()) {
        output.remark(&format!("▲ {swept}"));
    }
}

async fn look(flags: &Flags, environment: &Environment, output: Output) -> Result<(Context, Survey), Diagnostic> {
    let context = unprompted(context_to_read(flags, environment)?, flags, environment, output).await;
    let found = survey(&context, now_ms()).await?;
    Ok((context, found))
}

/// The context with the own hotkey's address, where its password is at hand. A password that does not open it is a finding.
async fn unprompted(context: Context, flags: &Flags, environment: &Environment, output: Output) -> Context {
    let mut odd = Vec::new();
    let as_it_is = context.clone();
    let known = password::identified(context, (flags, environment), false, output, |found| odd.push(found)).await;
    let mut context = known.map_or_else(
        |error| {
            let mut context = as_it_is;
            context.findings.retain(|finding| finding.code != "own_hotkey");
            context.findings.insert(0, not_known(&error));
            context
        },
        |(context, _)| context,
    );
    context.findings.extend(odd);
    context
}

/// What a script or a tired reader must not overlook, beside the table itself.
pub(super) fn warnings(context: &Context, found: &Survey, earlier: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let warned = context.findings.iter().filter(|finding| finding.severity >= Severity::Warning);
    earlier.into_iter().chain(warned.chain(&found.findings).cloned()).collect()
}

/// What became of commits whose end this machine did not see. Without any the chain is not asked.
pub(super) async fn earlier(context: &Context) -> Vec<Diagnostic> {
    reconcile(context, now_ms()).await.iter().map(Reconciled::finding).collect()
}

/// Only the own row can be a finding of `status`. A hotkey that was named and not found is a matter of configuration, one
/// that is not registered is a finding; without any there is none.
fn of_own_row(context: &Context, found: &Survey) -> Option<Diagnostic> {
    if context.own_is_missing() {
        let known = context.findings.iter().find(|finding| finding.code == "own_hotkey").cloned();
        return known.map(|finding| finding.in_class(Class::Usage));
    }
    state_of_own_row(context, context.hotkey?, found)
}

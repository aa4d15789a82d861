//! `status`, `show` and `doctor`.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::chain::ChainError;
use crate::cli::args::{DoctorArguments, ShowArguments, StatusArguments};
use crate::cli::exit::Exit;
use crate::cli::json::{DoctorDocument, ShowDocument, StatusDocument};
use crate::cli::levels::Levels;
use crate::cli::output::Output;
use crate::cli::password;
use crate::cli::table;
use crate::cli::targets::parse_who;
use crate::cli::text;
use crate::cli::vault;
use crate::config::{Flags, Needs, WrongSetting};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::filter::Filter;
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::{Roster, Row, State};
use crate::domain::untrusted::sanitize;
use crate::ops::commit::{Reconciled, reconcile};
use crate::ops::context::Context;
use crate::ops::doctor::{ChainLine, diagnose};
use crate::ops::keys::sweep_copies;
use crate::ops::own_hotkey::not_known;
use crate::ops::survey::{Survey, survey};

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Loads the context for a command that asks the store, publishes or writes keys; or says why it cannot be.
pub fn context(flags: &Flags, environment: &Environment, output: Output) -> Result<Context, Exit> {
    let context = context_to_read(flags, environment, output)?;
    let stops = [Needs::Store, Needs::EnvFile].into_iter().find_map(|needs| context.wrong_for(needs));
    stops.map_or(Ok(()), |wrong| Err(refused_by(output, wrong)))?;
    Ok(context)
}

/// The same for one that only looks at chain and machine, which needs neither store nor `.env`.
pub fn context_to_read(flags: &Flags, environment: &Environment, output: Output) -> Result<Context, Exit> {
    Context::load(flags, environment).map_err(|wrong| refused_by(output, &wrong))
}

fn refused_by(output: Output, wrong: &WrongSetting) -> Exit {
    fail(output, &wrong.to_string(), if wrong.is_refusal { Exit::Refused } else { Exit::Usage })
}

/// `status`
pub async fn status(arguments: &StatusArguments, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let filter = Filter::parse(arguments.filter.as_deref().unwrap_or_default()).and_then(Filter::of_rows_only);
    let filter = match filter {
        Ok(filter) => filter,
        Err(error) => return fail(output, &format!("--filter: {error}"), Exit::Usage),
    };
    let (context, mut found) = match look(flags, environment, output).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let keep = |row: &Row| filter.accepts(row, Tested::default());
    let (levels, contradictions) = Levels::of(&context, arguments.verify, &mut found, keep, now_ms()).await;
    let shown: Vec<&Row> = found.roster.rows.iter().chain(&found.roster.ex_members).filter(|row| keep(row)).collect();
    let exit = if contradictions.is_empty() { own_exit(&context, &found.roster) } else { Exit::Finding };
    let mut findings = warnings(&context, &found, earlier(&context).await);
    findings.extend(contradictions);
    let printed = if output.is_json() {
        Output::document(&StatusDocument::of(&found.snapshot, &found.roster, findings, keep, &levels))
    } else {
        remark(output, &findings);
        output.text(&text::status(&context, &found, now_ms(), &shown, &levels))
    };
    printed_or(output, printed, exit)
}

/// `show`
pub async fn show(arguments: &ShowArguments, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let wanted = match parse_who(&arguments.who) {
        Ok(wanted) => wanted,
        Err(message) => return fail(output, &message, Exit::Usage),
    };
    let (context, mut found) = match look(flags, environment, output).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let Some(hotkey) = wanted.row(&found).map(|row| row.hotkey) else {
        let message = format!(
            "{} is not on subnet {} (uids 0 to {}), neither as a member nor as an ex-member with a commitment",
            sanitize(&arguments.who, 60),
            found.snapshot.netuid,
            found.roster.summary.uids.saturating_sub(1)
        );
        return fail(output, &message, Exit::Usage);
    };
    let is_asked = |row: &Row| row.hotkey == hotkey;
    let (levels, contradictions) = Levels::of(&context, arguments.verify, &mut found, is_asked, now_ms()).await;
    // An ex-member whose commitment is proven to be none has no row any more.
    let gone = Row::of_nobody(hotkey);
    let row = found.roster.by_hotkey(&hotkey).unwrap_or(&gone);
    let is_bad = (row.own && is_finding(row)) || !contradictions.is_empty();
    let mut findings = warnings(&context, &found, earlier(&context).await);
    findings.extend(contradictions);
    let printed = if output.is_json() {
        Output::document(&ShowDocument::of(&found.snapshot, row, findings, levels.level(row)))
    } else {
        remark(output, &findings);
        output.text(&(text::show(&found.snapshot, row) + "\n" + &levels.line(&[row])))
    };
    printed_or(output, printed, if is_bad { Exit::Finding } else { Exit::Healthy })
}

/// `doctor`
pub async fn doctor(arguments: &DoctorArguments, flags: &Flags, environment: &Environment, output: Output) -> Exit {
    let mut context = unprompted(Context::examine(flags, environment), flags, environment, output).await;
    let passphrase = vault::unprompted(flags, output, |odd| context.findings.push(odd)).await;
    let (passphrase, unread) = match passphrase {
        Ok(passphrase) => (passphrase, false),
        Err(wrong) => {
            context.findings.push(wrong.finding());
            (None, true)
        }
    };
    let diagnosis = diagnose(&context, !arguments.offline, passphrase, now_ms()).await;
    let exit = match &diagnosis.chain {
        _ if context.wrong_for(Needs::Subnet).is_some_and(|wrong| wrong.is_refusal) => Exit::Refused,
        ChainLine::Unreachable { about_the_chain: true, .. } => Exit::Usage,
        ChainLine::Unreachable { .. } => Exit::ChainUnreachable,
        _ if context.own_is_missing() => Exit::Usage,
        _ if unread => Exit::VaultUnavailable,
        _ if diagnosis.has_trouble() => Exit::Finding,
        _ => Exit::Healthy,
    };
    let printed = if output.is_json() {
        Output::document(&DoctorDocument::of(&diagnosis))
    } else {
        output.text(&text::doctor(&diagnosis))
    };
    printed_or(output, printed, exit)
}

/// What a killed console left beside the `.env` goes at the start of every command that writes.
pub(super) fn swept(context: &Context, output: Output) {
    if let Some(swept) = sweep_copies(context).filter(|_| !output.is_json()) {
        output.remark(&format!("▲ {swept}"));
    }
}

async fn look(flags: &Flags, environment: &Environment, output: Output) -> Result<(Context, Survey), Exit> {
    let context = unprompted(context_to_read(flags, environment, output)?, flags, environment, output).await;
    match survey(&context, now_ms()).await {
        Ok(found) => Ok((context, found)),
        Err(error) => Err(chain_failure(output, &error)),
    }
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

pub(super) fn chain_failure(output: Output, error: &ChainError) -> Exit {
    let exit = if error.fault.is_about_the_chain() { Exit::Usage } else { Exit::ChainUnreachable };
    fail(output, &error.to_string(), exit)
}

pub(super) fn fail(output: Output, message: &str, exit: Exit) -> Exit {
    output.error(message, exit);
    exit
}

pub(super) fn printed_or(output: Output, printed: std::io::Result<()>, exit: Exit) -> Exit {
    match printed {
        Ok(()) => exit,
        Err(error) => fail(output, &format!("cannot write to stdout: {error}; check where it leads"), Exit::Usage),
    }
}

pub(super) fn remark(output: Output, findings: &[Diagnostic]) {
    for finding in findings {
        output.remark(table::finding(finding).trim_end());
    }
}

/// What a script or a tired reader must not overlook, beside the table itself.
pub(super) fn warnings(context: &Context, found: &Survey, earlier: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let all = context.findings.iter().chain(&found.findings);
    earlier.into_iter().chain(all.filter(|finding| finding.severity >= Severity::Warning).cloned()).collect()
}

/// What became of commits whose end this machine did not see. Without any the chain is not asked.
pub(super) async fn earlier(context: &Context) -> Vec<Diagnostic> {
    reconcile(context, now_ms()).await.iter().map(Reconciled::finding).collect()
}

/// Only the own row can be a finding of `status`. A hotkey that was named and not found is a matter of configuration, one
/// that is not registered is a finding; without any there is none.
fn own_exit(context: &Context, roster: &Roster) -> Exit {
    if context.own_is_missing() {
        return Exit::Usage;
    }
    let unregistered = context.hotkey.is_some() && roster.own().is_none_or(Row::is_ex_member);
    if unregistered || roster.own().is_some_and(is_finding) { Exit::Finding } else { Exit::Healthy }
}

/// An unreadable commitment, drift, or a write key that is published or about to be.
fn is_finding(row: &Row) -> bool {
    let grave = row.drift.as_ref().is_some_and(|drift| drift.consequence.severity == Severity::Danger);
    row.state() == State::Unreadable || row.drifts() || grave
}

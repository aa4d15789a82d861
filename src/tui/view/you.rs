//! The operator's own side: what GRAIL would see, whether it is what is on chain, and what to do.
//!
//! ```text
//! uid 42 · miner-1 of wallet practice   5CAzX1…
//! ▲ The worst that is known, with what to do about it
//!   → …
//! ✓ Dual credentials: GRAIL publishes the read pair, the write pair stays here.
//!
//! VISIBILITY   at block #9,168,527, 3 min ago
//! ✓ A validator would see you now. Window 9,168,480 is there and on time.
//! FINDINGS
//! CHAIN AND LOCAL
//! CREDENTIALS   as GRAIL would see them
//!   R2_ACCOUNT_ID        3f9a12…c4e1      .env line 3
//! ```

use ratatui::text::Line;

use super::facts::{self, finding, paragraph, remark, section, todo};
use super::own_keys;
use super::places;
use super::style::Styles;
use super::text::{fit, ink};
use super::visibility;
use crate::domain::commitment::Commitment;
use crate::domain::credentials::{Masked, Mode, Place, Source};
use crate::domain::diagnostic::Severity;
use crate::domain::inventory::{HiddenValue, ValueLine};
use crate::domain::visible::Standing;
use crate::engine::own::OwnInfo;
use crate::tui::probes::OwnKeys;
use crate::tui::proofs::other_chain;
use crate::tui::state::State;

/// The lines of the view.
pub(super) fn lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let styles = Styles::of(&state.options);
    let own = &state.model.own;
    if own.is_first_run() {
        return first_run(state, width, styles);
    }
    let worst = Worst::of(state);
    let mut identity = identity(state, styles).into_iter();
    let mut lines: Vec<_> = identity.next().into_iter().collect();
    if let Some(other) = other_chain(state) {
        facts::finding_first(&mut lines, &other, width, styles);
        lines.push(Line::default());
    }
    worst_first(&mut lines, state, worst, width, styles);
    lines.extend(identity);
    if worst != Some(Worst::Mode) {
        lines.push(Line::default());
        mode(&mut lines, own, width, styles);
    }
    if own.hotkey.is_some() {
        // What was asked for last must not stand below the screen.
        let asked = !matches!(state.probes.own_keys, OwnKeys::Idle);
        if asked {
            own_keys::lines(&mut lines, state, width, styles);
        }
        if worst != Some(Worst::Visibility) {
            visibility::lines(&mut lines, state, width, styles);
        }
        if !asked {
            own_keys::lines(&mut lines, state, width, styles);
        }
    }
    findings(&mut lines, own, worst, width, styles);
    if let Some(other) = state.model.table.snapshot().and_then(|snapshot| snapshot.subnet.other_name(snapshot.netuid)) {
        lines.push(Line::default());
        finding(&mut lines, &other, width, styles);
    }
    compared(&mut lines, state, worst, width, styles);
    credentials_title(&mut lines, own, width, styles);
    for row in &own.variables {
        variable(&mut lines, row, width, styles);
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![ink("  store  ", styles.dim()), ink(&own.provider, styles.plain())]));
    lines
}

/// What is worst of all that is known of the operator's side; `None` where nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worst {
    /// Sources contradict each other.
    Unknown,
    /// The chain against what is configured here.
    Drift,
    /// The finding at this place.
    Finding(usize),
    /// A validator would not see the operator.
    Visibility,
    /// What GRAIL would do with these credentials.
    Mode,
}

impl Worst {
    /// Of two that hurt as much the first one here.
    fn of(state: &State) -> Option<Self> {
        let own = &state.model.own;
        let row = state.own_row();
        if row.is_some_and(|row| state.proofs.is_unknown(&row.hotkey)) {
            return Some(Self::Unknown);
        }
        // In single-credential mode a finding says what follows, and what to do.
        let drift = row.and_then(|row| row.drift.as_ref()).filter(|_| own.local.mode != Mode::Legacy);
        let drift = drift.map(|drift| (drift.consequence.severity, Self::Drift));
        let unseen = state.probes.visibility.verdict().is_some_and(|seen| seen.standing() == Standing::No);
        let visibility = unseen.then_some((Severity::Danger, Self::Visibility));
        let findings = own.findings.iter().enumerate().map(|(at, one)| (one.severity, Self::Finding(at)));
        let mode = match own.local.mode {
            Mode::Legacy => Some((Severity::Danger, Self::Mode)),
            Mode::Incomplete => Some((Severity::Warning, Self::Mode)),
            Mode::Dual | Mode::Absent => None,
        };
        let known = drift.into_iter().chain(visibility).chain(findings).chain(mode);
        let known = known.filter(|(severity, _)| *severity >= Severity::Warning);
        known.reduce(|worst, next| if next.0 > worst.0 { next } else { worst }).map(|(_, worst)| worst)
    }
}

/// The worst with what to do about it: before anything that is as it should be, at every size.
fn worst_first(lines: &mut Vec<Line<'static>>, state: &State, worst: Option<Worst>, width: usize, styles: Styles) {
    let drift = || state.own_row().and_then(|row| row.drift.as_ref());
    match worst {
        None => return,
        Some(Worst::Unknown) => facts::unknown_here(lines, width, styles),
        Some(Worst::Drift) => match drift() {
            Some(drift) => facts::drift_first(lines, state, drift, width, styles),
            None => return,
        },
        Some(Worst::Finding(at)) => match state.model.own.findings.get(at) {
            Some(one) => facts::finding_first(lines, one, width, styles),
            None => return,
        },
        Some(Worst::Visibility) => return visibility::lines(lines, state, width, styles),
        Some(Worst::Mode) => mode(lines, &state.model.own, width, styles),
    }
    lines.push(Line::default());
}

/// The vault's values are no part of what GRAIL sees by itself, so the heading says whose they are.
fn credentials_title(lines: &mut Vec<Line<'static>>, own: &OwnInfo, width: usize, styles: Styles) {
    let Some(holding) = &own.vault else {
        return section(lines, "CREDENTIALS   as GRAIL would see them at its next start", styles);
    };
    section(lines, "CREDENTIALS   the vault's count for the console", styles);
    paragraph(lines, &format!("vault: {}", holding.summary()), 2, width, styles.dim());
}

/// A configuration file that is enough.
const CONFIG: [&str; 5] = [
    "default_profile = \"me\"",
    "[profile.me]",
    "wallet = \"NAME\"",
    "hotkey = \"NAME\"",
    "env_file = \"~/grail/.env\"",
];

/// What to configure, and what works without.
fn first_run(state: &State, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let mut lines = vec![ink("Nothing is configured yet", styles.strong()).into()];
    paragraph(
        &mut lines,
        "The subnet can be read without any of this: the chain is public. To see your own row and whether validators read \
         the key that you mean, tell the console who you are:",
        0,
        width,
        styles.plain(),
    );
    let steps = [
        ("1  your hotkey", "grail-console --wallet NAME --hotkey NAME", "only its public address is read"),
        ("2  your credentials", "grail-console --env-file ~/grail/.env", "the .env that your GRAIL loads"),
    ];
    for (what, how, note) in steps {
        section(&mut lines, what, styles);
        lines.push(Line::from(vec![ink("  → ", styles.accent()), ink(how, styles.strong())]));
        paragraph(&mut lines, note, 4, width, styles.dim());
    }
    section(&mut lines, "3  for good", styles);
    if let Some((_, path)) = state.model.own.paths.iter().find(|(what, _)| what.starts_with("config")) {
        paragraph(&mut lines, &path.shown(), 4, width, styles.plain());
    }
    for text in CONFIG {
        lines.push(ink(format!("    {text}"), styles.dim()).into());
    }
    lines.push(Line::default());
    if !state.is_sandbox() {
        let text = "grail-console sandbox opens a practice subnet, where everything is configured and nothing is real.";
        todo(&mut lines, text, width, styles);
    }
    lines
}

fn identity(state: &State, styles: Styles) -> Vec<Line<'static>> {
    let own = &state.model.own;
    let who = match (own.hotkey, state.own_row().map(|row| row.uid)) {
        (None, _) => ink("no hotkey configured", styles.drift()),
        (Some(_), Some(Some(uid))) => ink(format!("uid {uid}"), styles.strong()),
        (Some(_), Some(None)) => ink("ex-member: no longer registered", styles.drift()),
        (Some(_), None) if state.model.table.snapshot().is_some() => {
            ink("not registered on this subnet", styles.drift())
        }
        (Some(_), None) => ink("your hotkey", styles.strong()),
    };
    let mut line = Line::from(who);
    if let Some(name) = &own.hotkey_name {
        line.push_span(ink(format!(" · {}", name.shown()), styles.plain()));
    }
    if let Some(wallet) = &own.wallet {
        line.push_span(ink(format!(" of wallet {}", wallet.shown()), styles.dim()));
    }
    let mut lines = vec![line];
    match own.hotkey {
        Some(hotkey) => lines.push(ink(hotkey.to_string(), styles.dim()).into()),
        None => lines.push(ink("name it with --wallet NAME --hotkey NAME to find your row", styles.dim()).into()),
    }
    lines
}

fn mode(lines: &mut Vec<Line<'static>>, own: &OwnInfo, width: usize, styles: Styles) {
    if let Some(finding) = own.env_trouble() {
        return remark(
            lines,
            "▲",
            &format!("{}: what follows was read before.", finding.summary),
            width,
            styles.drift(),
        );
    }
    let from_vault = own.local.grail.place == Some(Place::Vault);
    match own.local.mode {
        Mode::Dual if from_vault => {
            let text =
                "Dual credentials in the vault: run GRAIL with grail-console exec, and it publishes the read pair.";
            remark(lines, "✓", text, width, styles.readable());
        }
        Mode::Incomplete if from_vault => {
            let text =
                "Incomplete: the vault's generation in use has not all that GRAIL needs to publish a commitment.";
            remark(lines, "▲", text, width, styles.drift());
        }
        Mode::Dual => {
            let text = "Dual credentials: GRAIL publishes the read pair, the write pair stays on this machine.";
            remark(lines, "✓", text, width, styles.readable());
        }
        Mode::Legacy => {
            let text = "Single-credential mode: the next GRAIL start PUBLISHES YOUR WRITE KEY.";
            remark(lines, "✗", text, width, styles.danger());
        }
        Mode::Incomplete => {
            let text = "Incomplete: GRAIL cannot publish a commitment with what is configured here.";
            remark(lines, "▲", text, width, styles.drift());
        }
        Mode::Absent => {
            let text = "No credentials are configured here, so there is nothing to compare with the chain.";
            remark(lines, "○", text, width, styles.none());
        }
    }
}

/// All but the one that stands first.
fn findings(lines: &mut Vec<Line<'static>>, own: &OwnInfo, worst: Option<Worst>, width: usize, styles: Styles) {
    let told = |at: usize| worst == Some(Worst::Finding(at));
    let mut sorted: Vec<_> = own.findings.iter().enumerate().filter(|(at, _)| !told(*at)).map(|(_, one)| one).collect();
    if sorted.is_empty() {
        return;
    }
    let grave = sorted.iter().filter(|f| f.severity == Severity::Danger).count();
    let count = if grave > 0 { format!("FINDINGS   {grave} serious") } else { "FINDINGS".to_owned() };
    section(lines, &count, styles);
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for (i, one) in sorted.into_iter().enumerate() {
        if i > 0 {
            lines.push(Line::default());
        }
        finding(lines, one, width, styles);
    }
}

fn compared(lines: &mut Vec<Line<'static>>, state: &State, worst: Option<Worst>, width: usize, styles: Styles) {
    let Some(row) = state.own_row() else { return };
    // That stands first; nothing is compared with what is not known.
    if worst == Some(Worst::Unknown) {
        return;
    }
    let Some(drift) = &row.drift else { return };
    let published = row.commitment.as_ref().and_then(Commitment::published);
    if state.model.own.local.places.len() > 1 || state.model.own.local.vault().is_some() {
        places::compared(lines, published, &state.model.own.local, width, styles);
    } else {
        facts::drift(lines, drift, published, &state.model.own.local, styles);
    }
    // It stands first; in single-credential mode a finding above has said what follows, and what to do.
    if state.model.own.local.mode != Mode::Legacy && worst != Some(Worst::Drift) {
        facts::consequence(lines, state, drift, width, styles);
        facts::publishes(lines, state, drift, width, styles);
    }
}

fn variable(lines: &mut Vec<Line<'static>>, row: &ValueLine, width: usize, styles: Styles) {
    let name = ink(format!("  {}  ", fit(row.variable.name(), 26)), styles.dim());
    let source = row.source.map(|source| source.to_string()).unwrap_or_default();
    let value = match &row.shown {
        None if row.source.is_some() => ink(fit("○ set to nothing", 18), styles.drift()),
        None => ink(fit("not set", 18), styles.dim()),
        Some(Masked::Misshapen { why, .. }) => {
            lines.push(Line::from(vec![name, ink(format!("✗ {why}"), styles.unreadable())]));
            return paragraph(lines, &format!("from {source}"), 30, width, styles.dim());
        }
        Some(masked) => ink(fit(&masked.to_string(), 18), styles.plain()),
    };
    let mut line = Line::from(vec![name, value, ink(format!("  {}", fit(&source, 14)), styles.dim())]);
    line.spans.extend(row.hidden.first().map(|hidden| overridden(*hidden, styles)));
    lines.push(line);
}

fn overridden(hidden: HiddenValue, styles: Styles) -> ratatui::text::Span<'static> {
    let source = hidden.source;
    if hidden.same {
        ink(format!("= {source}"), styles.dim())
    } else {
        // At 80 columns there is room for this much.
        let place = match source {
            Source::EnvFile { line } => format!(".env:{line}"),
            other => other.to_string(),
        };
        ink(format!("▲ beats {place}"), styles.drift())
    }
}

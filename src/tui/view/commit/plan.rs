//! What would be published, by whom, to where, from what to what, within which budget; and the question.
//!
//! ```text
//! You publish these 128 bytes for all to read, for ever:
//!
//! network    finney   genesis 2f0555cc… pinned   spec 470
//! subnet     81   uid 42   hotkey 5CAzX1…h9fQ   miner-1 of wallet practice
//!
//! account    3f9a12…c4e1 = 3f9a12d07be84c5fa2b1c9e0d4f6c4e1  equal
//! read key   7be1c0…0c90 → 51aa3d00…                         ▲ changes
//! secret     fp 0c9e1234 → fp 77b2c0de                       ▲ changes
//! bytes      1-32 3f9a12…c4e1   33-64 51aa3d…00e7   65-128 •••••••• masked
//!
//! budget     3 of 24 commits left this epoch   next at #9,168,700, in about 41 min
//! nonce      17   valid for 64 blocks, about 12 min, once signed
//!
//! ✓ no secret known to this machine inside     ✓ genesis as pinned
//! ```

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::facts::{paragraph, remark, todo};
use super::super::style::Styles;
use super::super::text::{columns, cut, fit as fitted, ink};
use super::choice::{Asked, Word};
use super::{Fit, LABEL, Page, Parts, fitting, named, spinner, target};
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::plan::{Check, Space, Verdict};
use crate::domain::commit::{Ended, KeyTest, Plan};
use crate::domain::commitment::{Commitment, Shape};
use crate::domain::diagnostic::Severity;
use crate::domain::drift::FieldDrift;
use crate::domain::text::{age_blocks, age_seconds, grouped, middle_cut, sentence};
use crate::report::glyph;
use crate::tui::commit::{Deciding, Session};
use crate::tui::state::State;

/// Columns of the old value: the ends of an id, a short fingerprint, or a word.
const OLD: usize = 11;
/// Columns of the longest id.
const NEW: usize = 32;
/// Columns of the verdict on a field.
const VERDICT: usize = 9;
/// The places of the three fields among the 128 characters.
const PLACES: [(&str, usize, usize); 3] = [("1-32", 0, 32), ("33-64", 32, 64), ("65-128", 64, 128)];

/// The chain is asked.
pub(in crate::tui::view) fn reading(state: &State, session: &Session, width: usize, styles: Styles) -> Parts {
    let mut body = vec![Line::from(vec![
        ink(format!("{} ", spinner(state)), styles.accent()),
        ink(if session.testing.is_some() { "Testing the keys…" } else { "Reading the chain…" }, styles.strong()),
        ink(format!("   {}", age_seconds(state.since(session.since_ms) / 1_000)), styles.dim()),
    ])];
    let chain = "What is there now, the uid, the budget of this epoch and the nonce, all at one finalized block.";
    let text = session.testing.as_deref().map_or_else(|| chain.to_owned(), sentence);
    paragraph(&mut body, &text, 2, width, styles.plain());
    paragraph(&mut body, &whom(state), 2, width, styles.dim());
    ("Commit read credentials".to_owned(), styles.accent(), body, Vec::new())
}

/// For whom the plan is asked, before the plan says so itself.
fn whom(state: &State) -> String {
    let hotkey = state.model.own.hotkey.map(|hotkey| hotkey.short()).unwrap_or_default();
    let name = state.model.own.hotkey_name.as_ref().map(|name| format!(" {}", name.shown())).unwrap_or_default();
    let uid = state.own_row().and_then(|row| row.uid).map(|uid| format!(" · uid {uid}")).unwrap_or_default();
    format!("For {} · subnet {}{uid} · {hotkey}{name}", state.options.network, state.options.netuid)
}

/// The plan with its question, or with why there is none: what it comes to, or a rule that bars it.
pub(in crate::tui::view) fn deciding(
    state: &State,
    plan: &Plan,
    deciding: &Deciding,
    barred: Option<Rule>,
    width: usize,
    fit: Fit,
    styles: Styles,
) -> Parts {
    let mut page = Page::new(fit);
    let asks = barred.is_none();
    page.push(ink(plan.heading(asks), styles.strong()));
    page.gap();
    whereto(&mut page, plan, width, styles);
    page.gap();
    fields(&mut page, plan, width, styles);
    bytes(&mut page, plan, width, styles);
    page.gap();
    spent(&mut page, plan, width, styles);
    page.great_gap();
    checks(&mut page, &plan.checks, width, styles);
    if let Some(text) = follows(plan, fit) {
        page.gap();
        paragraph(&mut page.lines, &text, 0, width, styles.plain());
    }
    let frame = if asks && matches!(plan.verdict, Verdict::Ready | Verdict::NotRegistered) {
        styles.drift()
    } else {
        styles.accent()
    };
    ("Commit read credentials".to_owned(), frame, page.lines, foot(state, plan, deciding, barred, width, styles))
}

fn whereto(page: &mut Page, plan: &Plan, width: usize, styles: Styles) {
    let standing = &plan.standing;
    let chain = &standing.chain;
    let name = if plan.is_sandbox() {
        ink(format!(" {} ", cut(&chain.network, 24)), styles.sandbox())
    } else {
        ink(cut(&chain.network, 24), styles.strong())
    };
    let pinned = if standing.pinned { ink("pinned", styles.readable()) } else { ink("not pinned", styles.drift()) };
    let genesis = ink(format!("   genesis {}… ", chain.genesis.short()), styles.dim());
    let spec = ink(format!("   spec {}", chain.spec_version), styles.dim());
    page.fact("network", vec![name, genesis, pinned, spec], styles);
    let uid = match standing.uid {
        Some(uid) => ink(uid.to_string(), styles.strong()),
        None => ink("none yet", styles.drift()),
    };
    let subnet = vec![ink(plan.subject.netuid.to_string(), styles.strong()), ink("   uid ", styles.dim()), uid];
    let hotkey =
        vec![ink(plan.subject.hotkey.short(), styles.strong()), ink(format!("   {}", named(plan)), styles.dim())];
    let together = span_columns(&subnet) + columns("   hotkey ") + span_columns(&hotkey);
    if LABEL + together <= width {
        let between = ink("   hotkey ", styles.dim());
        page.fact("subnet", subnet.into_iter().chain([between]).chain(hotkey).collect(), styles);
    } else {
        page.fact("subnet", subnet, styles);
        page.fact("hotkey", hotkey, styles);
    }
}

fn span_columns(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| columns(&span.content)).sum()
}

fn fields(page: &mut Page, plan: &Plan, width: usize, styles: Styles) {
    let (new, old) = (&plan.new, plan.old());
    let id = |text: &str| middle_cut(text, 6, 4);
    let name = if new.shape == Shape::R2 { "account" } else { "bucket" };
    let rows = [
        (name, old.map(|old| id(&old.locator.shown())), new.locator.shown(), plan.fields.locator),
        ("read key", old.map(|old| id(&old.read_key_id.shown())), new.read_key_id.shown(), plan.fields.read_key_id),
        (
            "secret",
            old.map(|old| format!("fp {}", old.read_secret.short())),
            format!("fp {}", new.read_secret.short()),
            plan.fields.read_secret,
        ),
    ];
    let unreadable = plan.standing.commitment.as_ref().and_then(Commitment::unreadable).is_some();
    let missing = if unreadable { "unreadable" } else { "nothing" };
    let room = width.saturating_sub(LABEL + OLD + 3 + 2 + VERDICT).min(NEW);
    for (label, old, new, field) in rows {
        let (sign, verdict, style) = judged(field, styles);
        let new = if columns(&new) > room { middle_cut(&new, room / 2, room - room / 2 - 1) } else { new };
        let before = old.unwrap_or_else(|| missing.to_owned());
        let spans = vec![
            ink(fitted(&before, OLD), styles.dim()),
            ink(format!(" {sign} "), style),
            ink(fitted(&new, room), if field == FieldDrift::Equal { styles.plain() } else { styles.strong() }),
            ink(format!("  {verdict}"), style),
        ];
        page.fact(label, spans, styles);
    }
}

fn judged(field: FieldDrift, styles: Styles) -> (&'static str, &'static str, Style) {
    match field {
        FieldDrift::Equal => ("=", "equal", styles.dim()),
        FieldDrift::Differs => ("→", "▲ changes", styles.drift()),
        FieldDrift::ChainMissing | FieldDrift::LocalMissing => ("→", "+ new", styles.accent()),
    }
}

/// The bytes as characters, as they will stand on chain, in their three places.
fn bytes(page: &mut Page, plan: &Plan, width: usize, styles: Styles) {
    let all: Vec<char> = plan.bytes.iter().map(|byte| byte.map_or('•', char::from)).collect();
    let place = |from: usize, to: usize| -> String { all.iter().skip(from).take(to - from).collect() };
    if page.fit == Fit::Roomy {
        for (i, (range, from, to)) in PLACES.into_iter().enumerate() {
            let text = place(from, to);
            let filled = text.trim_end();
            let note = match (to - from).saturating_sub(columns(filled)) {
                _ if from == 64 => format!("   {} characters, masked", columns(filled)),
                0 => String::new(),
                n => format!("   and {n} blanks"),
            };
            let shown = cut(filled, 32);
            let spans = vec![ink(fitted(range, 8), styles.dim()), ink(shown, styles.plain()), ink(note, styles.dim())];
            page.fact(if i == 0 { "bytes" } else { "" }, spans, styles);
        }
        return;
    }
    let mut spans = Vec::new();
    for (range, from, to) in PLACES {
        let text = place(from, to);
        let shown = if from == 64 { "••••••••".to_owned() } else { middle_cut(text.trim_end(), 6, 4) };
        let lead = if from == 0 { "" } else { "   " };
        spans.push(ink(format!("{lead}{range} "), styles.dim()));
        spans.push(ink(shown, styles.plain()));
    }
    if LABEL + span_columns(&spans) + 7 <= width {
        spans.push(ink(" masked", styles.dim()));
    }
    page.fact("bytes", spans, styles);
}

fn spent(page: &mut Page, plan: &Plan, width: usize, styles: Styles) {
    match &plan.standing.space {
        Some(space) => page.fact("budget", budget(space, plan.standing.at.number, width, styles), styles),
        None => page.fact("budget", vec![ink("this runtime keeps none", styles.dim())], styles),
    }
    if matches!(plan.verdict, Verdict::Unchanged | Verdict::NotRegistered) {
        return;
    }
    let blocks = plan.era.death.saturating_sub(plan.era.birth);
    let forms = [
        format!("   valid for {blocks} blocks, about {}, once signed", age_blocks(blocks)),
        format!("   valid for {blocks} blocks once signed"),
    ];
    let nonce = plan.standing.nonce.to_string();
    let valid = fitting(forms, width.saturating_sub(LABEL + columns(&nonce)));
    page.fact("nonce", vec![ink(nonce, styles.plain()), ink(valid, styles.dim())], styles);
}

fn budget(space: &Space, head: u64, width: usize, styles: Styles) -> Vec<Span<'static>> {
    let (left, all) = (space.commits_left(), space.commits_in_all());
    let style = match left {
        0 => styles.danger(),
        1 | 2 => styles.drift(),
        _ => styles.plain(),
    };
    let count = format!("{left} of {all}");
    let when = |at: u64| format!("next in about {}", age_blocks(at.saturating_sub(head)));
    let forms = match space.next_epoch_at {
        None => vec![" commits left this epoch".to_owned()],
        Some(at) => vec![
            format!(" commits left this epoch   {}, at #{}", when(at), grouped(at)),
            format!(" commits left this epoch   {}", when(at)),
            format!(" left   {}", when(at)),
        ],
    };
    let rest = fitting(forms, width.saturating_sub(LABEL + columns(&count)));
    let (left, next) = rest.split_once("   ").unwrap_or((rest.as_str(), ""));
    vec![ink(count, style), ink(left, styles.plain()), ink(format!("   {next}"), styles.dim())]
}

/// What is odd stands first and alone; what is as it must be, two a line where two fit.
fn checks(page: &mut Page, checks: &[Check], width: usize, styles: Styles) {
    for check in checks {
        if let Some(severity) = check.trouble {
            remark(&mut page.lines, glyph(severity), &check.words, width, styles.severity(severity));
        }
    }
    let passed: Vec<String> =
        checks.iter().filter(|check| check.trouble.is_none()).map(|check| format!("✓ {}", check.words)).collect();
    let pairs = paired(&passed, width);
    let first = pairs.iter().filter(|(_, second)| second.is_some()).map(|(first, _)| columns(first)).max();
    let second = pairs.iter().filter_map(|(_, second)| *second).map(columns).max();
    let aligned = first.zip(second).is_some_and(|(first, second)| first + 3 + second <= width);
    for (left, right) in pairs {
        let gap = if aligned { first.unwrap_or_default().saturating_sub(columns(left)) + 3 } else { 3 };
        let mut line = passed_line(left, styles);
        if let Some(right) = right {
            line.push_span(Span::raw(" ".repeat(gap)));
            line.spans.extend(passed_line(right, styles).spans);
        }
        page.push(line);
    }
}

fn passed_line(text: &str, styles: Styles) -> Line<'static> {
    let (mark, words) = text.split_at("✓".len());
    Line::from(vec![ink(mark, styles.readable()), ink(words, styles.plain())])
}

/// Each text with the first later one that fits beside it.
fn paired(texts: &[String], width: usize) -> Vec<(&str, Option<&str>)> {
    let mut left: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut pairs = Vec::new();
    while !left.is_empty() {
        let first = left.remove(0);
        let beside = left.iter().position(|other| columns(first) + 3 + columns(other) <= width);
        pairs.push((first, beside.map(|at| left.remove(at))));
    }
    pairs
}

fn follows(plan: &Plan, fit: Fit) -> Option<String> {
    let later = "Validators follow within about 10 minutes. GRAIL must have the same .env, or its next start puts the old key \
                 back.";
    let soon = "Validators follow in 10 min. A GRAIL with an old .env puts the old key back.";
    match plan.verdict {
        Verdict::Ready if matches!(fit, Fit::Close | Fit::Tight) => Some(soon.to_owned()),
        Verdict::Ready => Some(later.to_owned()),
        Verdict::NotRegistered => Some(format!(
            "Without a uid on subnet {} the chain would refuse it now. Armed, it is published once, as soon as the hotkey \
             registers; the unlocked key stays in memory until then.",
            plan.subject.netuid
        )),
        Verdict::Unchanged | Verdict::BudgetSpent => None,
    }
}

fn foot(
    state: &State,
    plan: &Plan,
    deciding: &Deciding,
    barred: Option<Rule>,
    width: usize,
    styles: Styles,
) -> Vec<Line<'static>> {
    let over = if plan.verdict == Verdict::NotRegistered { None } else { plan.ended() };
    let Some(ended) = over.or_else(|| barred.map(Ended::Refused)) else {
        return question(state, plan, deciding, width, styles);
    };
    let finding = ended.finding();
    let mut lines = Vec::new();
    if matches!(ended, Ended::Unchanged { .. }) {
        remark(&mut lines, "✓", &format!("Nothing to do. {}.", finding.summary), width, styles.readable());
    } else {
        remark(&mut lines, "▲", &finding.summary, width, styles.severity(Severity::Warning));
        todo(&mut lines, &finding.help, width, styles);
    }
    lines
}

fn question(state: &State, plan: &Plan, deciding: &Deciding, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let waits_for_uid = plan.verdict == Verdict::NotRegistered;
    let (verb, yes) = if waits_for_uid { ("Arm for", "Arm") } else { ("Publish to", "Publish") };
    let wanted = plan.word();
    let (what, other) =
        if waits_for_uid { ("its last 4 characters", "another hotkey") } else { ("the uid", "another uid") };
    let word = wanted.as_deref().map(|wanted| Word { what, other, typed: &deciding.typed, wanted });
    let untested = plan.key_test.as_ref().is_some_and(KeyTest::is_untested);
    let how = if untested { " with a pair that was NOT tested" } else { "" };
    let asked = Asked { question: format!("{verb} {}{how}?", target(plan)), word, answer: deciding.choice, yes };
    asked.lines(state, width, styles)
}

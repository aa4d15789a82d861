//! One row in full.
//!
//! ```text
//! uid 42 · miner · you   5CAzX1…            (the whole address)
//! ▲ what is wrong: a drift of the own row, a read test that failed
//!   → what to do
//! ✓ GRAIL accepts this commitment …
//!
//! READ TEST
//! ✓ on time   84 ms, 3 min ago
//! PUBLISHED
//!   bucket        3f9a12…    characters 1-32
//! CHAIN AND LOCAL            (own row)
//! ON CHAIN
//!   set at        #9,160,112 28 h ago
//! PROVENANCE
//! ✓ Signed: the hotkey signed exactly these bytes.
//!   state proof   9 nodes, 1,898 bytes for 2 keys, from ws://…
//! RAW BYTES   128 bytes, secret masked
//!   000  33 66 39 61 …  3f9a
//! ```

use ratatui::text::Line;

use super::facts::{self, fact, paragraph, remark, section, todo};
use super::listing;
use super::places;
use super::read_test;
use super::style::Styles;
use super::text::{columns, ink, wrap};
use crate::domain::commitment::{Commitment, MaskedBytes, Published, Reason, Shape};
use crate::domain::credentials::Mode;
use crate::domain::diagnostic::Severity;
use crate::domain::probe::VerdictClass;
use crate::domain::provenance::{Level, Limit};
use crate::domain::roster::{Row, State as RowState};
use crate::domain::text::{age_blocks, capitalised, grouped};
use crate::tui::keymap::Command;
use crate::tui::state::State;

/// Columns that label and margins of a fact take.
const EVIDENCE: usize = 16;

/// The lines of the selected row's detail.
pub(super) fn lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let styles = Styles::of(&state.options);
    let Some(row) = state.selected() else {
        return vec![Line::default(), ink("No row is selected.", styles.dim()).into()];
    };
    let mut lines = title(row, width, styles);
    let known = !state.proofs.is_unknown(&row.hotkey);
    let drift_first = row.drift.as_ref().filter(|drift| known && drift.consequence.severity >= Severity::Warning);
    if let Some(drift) = drift_first {
        facts::drift_first(&mut lines, state, drift, width, styles);
    }
    // What GRAIL accepts and no validator can read is nothing to begin with.
    let record = state.probes.record(&row.hotkey).filter(|record| known && !record.is_before_the_change(row));
    let readable = row.state() == RowState::Readable;
    let fails =
        readable && record.is_some_and(|record| matches!(record.class(), VerdictClass::Failed | VerdictClass::Object));
    if fails {
        read_test::lines(&mut lines, state, row, width, styles);
    }
    verdict(&mut lines, state, row, width, styles);
    if !fails {
        read_test::lines(&mut lines, state, row, width, styles);
    }
    listing::lines(&mut lines, state, row, width, styles);
    let published = row.commitment.as_ref().and_then(Commitment::published);
    if let Some(published) = published {
        fields(&mut lines, published, width, styles);
    }
    if row.own && state.proofs.is_unknown(&row.hotkey) {
        facts::unknown(&mut lines, width, styles);
    } else if let Some(drift) = &row.drift {
        if state.model.own.local.vault().is_some() {
            places::compared(&mut lines, published, &state.model.own.local, width, styles);
        } else {
            facts::drift(&mut lines, drift, published, &state.model.own.local, styles);
        }
        if drift_first.is_none() {
            facts::consequence(&mut lines, state, drift, width, styles);
            facts::publishes(&mut lines, state, drift, width, styles);
        }
    }
    on_chain(&mut lines, state, row, width, styles);
    provenance(&mut lines, state, row, width, styles);
    if let Some(commitment) = row.commitment.as_ref().filter(|commitment| !commitment.dump.is_empty()) {
        dump(&mut lines, &commitment.dump, width, styles);
    }
    lines
}

fn title(row: &Row, width: usize, styles: Styles) -> Vec<Line<'static>> {
    let uid = row.uid.map_or_else(|| "ex-member".to_owned(), |uid| format!("uid {uid}"));
    let role = if row.is_ex_member() { String::new() } else { format!(" · {}", row.role.word()) };
    let mut line = Line::from(vec![ink(&uid, styles.strong()), ink(&role, styles.dim())]);
    if row.own {
        line.push_span(ink(" · ", styles.dim()));
        line.push_span(ink("● you", styles.accent()));
    }
    if columns(&uid) + columns(&role) + 12 + columns(&row.address) <= width {
        line.push_span(ink(format!("   {}", row.address), styles.plain()));
        return vec![line];
    }
    vec![line, ink(&row.address, styles.plain()).into()]
}

/// GRAIL's judgement in words, and what to do about it.
fn verdict(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, width: usize, styles: Styles) {
    lines.push(Line::default());
    match &row.commitment {
        _ if state.proofs.is_unknown(&row.hotkey) => {
            let text = "What stands on chain is not known: sources contradict each other about it. What is below is what one \
                        node says.";
            remark(lines, "≠", text, width, styles.unreadable());
        }
        None => {
            let text = "Never committed: validators do not look for this bucket at all.";
            remark(lines, "○", text, width, styles.none());
        }
        Some(commitment) => judged(lines, commitment, state.model.own.is_r2, width, styles),
    }
    let several = row.commitment.as_ref().map_or(0, |commitment| commitment.fields);
    if several > 1 {
        let text =
            format!("The registration has {several} fields; GRAIL reads only the first, which is the one shown here.");
        remark(lines, "!", &text, width, styles.drift());
    }
    if row.predates_registration() {
        let text = "Predates the registration: it was published in an earlier life of this hotkey and inherited. Its key may \
                    be long dead; a new commitment replaces it.";
        remark(lines, "!", text, width, styles.drift());
    }
    if row.is_ex_member() {
        let text = "Ex-member: the hotkey is no longer registered, so nobody can overwrite this commitment any more. The \
                    published key stays readable for everybody.";
        remark(lines, "!", text, width, styles.drift());
    }
    if let Some(text) = advice(state, row) {
        todo(lines, &text, width, styles);
    }
}

fn judged(lines: &mut Vec<Line<'static>>, commitment: &Commitment, on_r2: bool, width: usize, styles: Styles) {
    match (commitment.published().map(|p| p.shape), commitment.unreadable()) {
        (Some(Shape::R2), _) => {
            let text = "GRAIL accepts this commitment: validators read with the key below.";
            remark(lines, "✓", text, width, styles.readable());
        }
        (Some(Shape::Foreign), _) if !on_r2 => {
            let text = "GRAIL accepts this commitment. It has not R2's shapes: it is meant for a store like the one in use here.";
            remark(lines, "✓", text, width, styles.readable());
        }
        (Some(Shape::Foreign), _) => {
            let text = "GRAIL's rule accepts it, but it has not R2's shapes: on R2 no such account exists, so validators find \
                        nothing.";
            remark(lines, "!", text, width, styles.drift());
        }
        (None, Some(unreadable)) => {
            remark(lines, "✗", "GRAIL drops this commitment without a word.", width, styles.unreadable());
            paragraph(lines, &unreadable.detail, 2, width, styles.plain());
        }
        (None, None) => {}
    }
}

/// What the operator can do; for other people's rows nothing, except to know who can.
fn advice(state: &State, row: &Row) -> Option<String> {
    let reason = row.commitment.as_ref().and_then(Commitment::unreadable).map(|unreadable| unreadable.reason);
    let with = if state.options.read_only {
        "from a console that is not read-only".to_owned()
    } else {
        format!("with {}", state.key(Command::Commit))
    };
    let text = match (row.own, row.state()) {
        (true, _) if row.is_ex_member() => {
            "Revoke the published token at Cloudflare: that is the only way left to close the bucket.".to_owned()
        }
        (true, RowState::None | RowState::Unreadable) if state.model.own.local.mode != Mode::Dual => {
            format!("Complete the read pair first (see You), then publish it {with}; GRAIL does so too at its start.")
        }
        (true, RowState::None | RowState::Unreadable) => {
            format!("Publish the read pair {with}; GRAIL does so too at its start, from its .env.")
        }
        (false, _) if reason == Some(Reason::UnknownVariant) || reason == Some(Reason::Undecodable) => {
            "A newer version of this console may know this kind of value.".to_owned()
        }
        (false, RowState::Unreadable) => "Only the holder of this hotkey can publish it anew.".to_owned(),
        _ => return None,
    };
    Some(text)
}

fn fields(lines: &mut Vec<Line<'static>>, published: &Published, width: usize, styles: Styles) {
    section(lines, "PUBLISHED", styles);
    let locator = published.locator.shown();
    if published.shape == Shape::R2 {
        fact(lines, "account id", ink(&locator, styles.plain()), "on R2 the bucket's name", width, styles);
    }
    fact(lines, "bucket", ink(&locator, styles.plain()), "characters 1-32", width, styles);
    let id = ink(published.read_key_id.shown(), styles.plain());
    fact(lines, "read key id", id, "characters 33-64", width, styles);
    let secret = ink(format!("•••• fp {}", published.read_secret.short()), styles.plain());
    fact(lines, "read secret", secret, "characters 65-128, shown by fingerprint only", width, styles);
}

/// Where and when it was written.
fn on_chain(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, width: usize, styles: Styles) {
    section(lines, "ON CHAIN", styles);
    let age = |block: u64| {
        let passed = state.newest_block().unwrap_or(block).checked_sub(block);
        passed.map_or_else(
            || "a block that does not exist yet".to_owned(),
            |blocks| format!("about {} ago", age_blocks(blocks)),
        )
    };
    let block = |number: u64| ink(format!("#{}", grouped(number)), styles.plain());
    match row.commitment.as_ref().map(|commitment| commitment.block) {
        Some(Some(number)) => fact(lines, "set at", block(number), &age(number), width, styles),
        Some(None) => fact(lines, "set at", ink("unknown", styles.plain()), "the value does not decode", width, styles),
        None => fact(lines, "set at", ink("never", styles.dim()), "", width, styles),
    }
    match (row.registered_at, row.is_ex_member()) {
        (Some(number), _) => fact(lines, "registered", block(number), &age(number), width, styles),
        (None, true) => {
            fact(lines, "registered", ink("no longer", styles.drift()), "", width, styles);
            if let Some(successor) = &row.successor {
                fact(lines, "successor", ink(successor.to_string(), styles.plain()), "its new hotkey", width, styles);
            }
        }
        (None, false) => {
            fact(lines, "registered", ink("unknown", styles.dim()), "this runtime does not say", width, styles);
        }
    }
    if let Some(commitment) = &row.commitment {
        let fields = match commitment.field_count() {
            None => "how many fields is unknown".to_owned(),
            Some(1) => "1 field".to_owned(),
            Some(several) => format!("{several} fields"),
        };
        fact(lines, "kind", ink(&commitment.variant, styles.plain()), &fields, width, styles);
    }
    if let Some(snapshot) = state.model.table.snapshot() {
        let read = format!("read with everything else at this block, {}", snapshot.at.hash.short());
        fact(lines, "as of", block(snapshot.at.number), &read, width, styles);
    }
}

/// Who says so, and what proves it: the level, why it is no higher, and the evidence.
fn provenance(lines: &mut Vec<Line<'static>>, state: &State, row: &Row, width: usize, styles: Styles) {
    section(lines, "PROVENANCE", styles);
    let key = state.key(Command::Verify);
    let Some(found) = state.proofs.of(row) else {
        let text = match (&state.proofs.failed, state.proofs.is_busy()) {
            (_, true) => "Reported by one node; being verified now.".to_owned(),
            (Some(why), false) => {
                format!("Reported by one node; nobody else could be asked: {why}. {key} tries again.")
            }
            (None, false) => format!("Reported by one node; nothing else was looked at. {key} verifies it."),
        };
        remark(lines, Level::Reported.glyph(), &text, width, styles.dim());
        return;
    };
    let words = capitalised(&format!("{}: {}.", found.words(), found.level.meaning()));
    remark(lines, found.glyph(), &words, width, styles.provenance(found));
    if let Some(limit) = found.limit_told() {
        let again = if *limit == Limit::NotAsked { format!("; {key} looks at it") } else { String::new() };
        paragraph(lines, &format!("{}{again}.", capitalised(&limit.words())), 2, width, styles.dim());
    }
    for (name, text) in found.evidence(width >= EVIDENCE + 66) {
        for (index, part) in wrap(&text, width.saturating_sub(EVIDENCE)).into_iter().enumerate() {
            fact(lines, if index == 0 { name } else { "" }, ink(part, styles.plain()), "", width, styles);
        }
    }
}

/// Sixteen bytes a line, eight where it is narrow; a masked byte is `··`, a byte that is no character `.`.
fn dump(lines: &mut Vec<Line<'static>>, bytes: &MaskedBytes, width: usize, styles: Styles) {
    let title = if bytes.iter().any(|byte| byte.is_none()) { ", the secret's place masked" } else { "" };
    section(lines, &format!("RAW BYTES   {}{title}", bytes.len()), styles);
    let per_line = if width >= 76 { 16 } else { 8 };
    let all: Vec<Option<u8>> = bytes.iter().collect();
    for (i, chunk) in all.chunks(per_line).enumerate() {
        let mut hex = String::new();
        for (column, byte) in chunk.iter().enumerate() {
            hex.push_str(if column == 8 { "  " } else { " " });
            hex.push_str(&byte.map_or_else(|| "··".to_owned(), |byte| format!("{byte:02x}")));
        }
        let text: String = chunk.iter().map(|byte| byte.map_or('·', as_text)).collect();
        lines.push(Line::from(vec![
            ink(format!("  {:03x} ", i * per_line), styles.dim()),
            ink(super::text::fit(&hex, per_line * 3 + 1), styles.plain()),
            ink(format!("  {text}"), styles.dim()),
        ]));
    }
}

fn as_text(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' }
}

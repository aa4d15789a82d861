//! `verify`: where commitments come from, and whether the node that tells of them can be believed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::args::VerifyArguments;
use crate::cli::commands::{context_to_read, misuse, now_ms, warnings};
use crate::cli::output::Output;
use crate::cli::report::{CommandResult, Place, Report};
use crate::cli::table::{Cell, DIM, STRONG, cell, paint, plain, table};
use crate::cli::targets::Choice;
use crate::cli::text::heading;
use crate::config::Flags;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::domain::hotkey::Hotkey;
use crate::domain::network::BlockHash;
use crate::domain::provenance::{
    Cost, Dispute, Evidence, Examined, Level, Limit, ProofSize, Provenance, Signature, value_words,
};
use crate::domain::text::{capitalised, grouped};
use crate::ops::survey::{Survey, survey};
use crate::ops::verify::{Depth, verify as examined};
use crate::report::Role;

/// `verify`
pub async fn verify(
    arguments: &VerifyArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let choice = Choice::of(&arguments.whom).map_err(|message| misuse(&message))?;
    let context = context_to_read(flags, environment)?;
    let found = survey(&context, now_ms()).await?;
    let hotkeys = choice.hotkeys(&found).map_err(|message| misuse(&message))?;
    let depth = if arguments.no_signatures { Depth::Proof } else { Depth::Signature };
    let rows: BTreeMap<Hotkey, Depth> = hotkeys.iter().map(|hotkey| (*hotkey, depth)).collect();
    let examined = examined(&context, &rows, now_ms()).await?;
    let report = Report::of(
        output,
        || VerifyDocument::of(&found, &hotkeys, &examined),
        || words(&found, &hotkeys, &examined, choice.is_sweep()),
    )?;
    let deciding: Vec<_> = examined.disputes.iter().map(Dispute::finding).collect();
    let findings = warnings(&context, &found, Vec::new());
    Ok(report.at(Place::of(&found.snapshot)).with(findings).decided_by(deciding))
}

/// `verify --json`. Field names are a contract with scripts: add, never rename.
#[derive(Debug, Serialize)]
struct VerifyDocument<'d> {
    netuid: u16,
    results: Vec<ResultDocument<'d>>,
    disputes: Vec<DisputeDocument<'d>>,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct ResultDocument<'d> {
    uid: Option<u16>,
    hotkey: Hotkey,
    level: Level,
    evidence: Evidence,
    reason: Option<&'static str>,
    explanation: Option<String>,
    committed: bool,
    block: u64,
    block_hash: BlockHash,
    endpoints: &'d [String],
    proof: Option<ProofSize>,
    proof_from: Option<&'d str>,
    extrinsic_hash: Option<BlockHash>,
    signature: Option<&'d Signature>,
}

#[derive(Debug, Serialize)]
struct DisputeDocument<'d> {
    id: String,
    #[serde(flatten)]
    dispute: &'d Dispute,
    summary: String,
    cause: String,
    help: String,
}

impl<'d> VerifyDocument<'d> {
    fn of(found: &Survey, hotkeys: &[Hotkey], examined: &'d Examined) -> Self {
        let result = |hotkey: &Hotkey| Some(ResultDocument::of(found, *hotkey, examined.rows.get(hotkey)?));
        let dispute = |dispute: &'d Dispute| {
            let Diagnostic { summary, cause, help, .. } = dispute.finding();
            DisputeDocument { id: dispute.id(), dispute, summary, cause, help }
        };
        Self {
            netuid: found.snapshot.netuid,
            results: hotkeys.iter().filter_map(result).collect(),
            disputes: examined.disputes.iter().map(dispute).collect(),
            cost: examined.cost,
        }
    }
}

impl<'d> ResultDocument<'d> {
    fn of(found: &Survey, hotkey: Hotkey, row: &'d Provenance) -> Self {
        Self {
            uid: found.roster.by_hotkey(&hotkey).and_then(|row| row.uid),
            hotkey,
            level: row.level,
            evidence: row.held(),
            reason: row.limit.as_ref().map(Limit::code),
            explanation: row.limit.as_ref().map(Limit::words),
            committed: row.commitment.is_some(),
            block: row.at.number,
            block_hash: row.at.hash,
            endpoints: &row.endpoints,
            proof: row.proof,
            proof_from: row.proof_from.as_deref(),
            extrinsic_hash: row.signature.as_ref().map(|signature| signature.extrinsic),
            signature: row.signature.as_ref(),
        }
    }
}

fn words(found: &Survey, hotkeys: &[Hotkey], examined: &Examined, is_sweep: bool) -> String {
    let mut out = heading(&found.snapshot, now_ms());
    for dispute in &examined.disputes {
        out += &crate::cli::table::finding(&dispute.finding());
    }
    let rows = hotkeys.iter().filter_map(|hotkey| Some((hotkey, examined.rows.get(hotkey)?)));
    if is_sweep {
        out += &(summary(examined) + "\n\n");
        let lines = rows.map(|(hotkey, row)| line(found, hotkey, row));
        out += &table(&std::iter::once(titles()).chain(lines).collect::<Vec<_>>());
    } else {
        for (hotkey, row) in rows {
            out += &in_full(found, hotkey, row);
        }
    }
    let Cost { requests, bytes, ms } = examined.cost;
    out += &paint(DIM, &format!("\n{requests} requests, {} bytes of evidence, {} ms\n", grouped(bytes), grouped(ms)));
    out
}

fn summary(examined: &Examined) -> String {
    let mut counts: BTreeMap<Level, usize> = BTreeMap::new();
    for row in examined.rows.values() {
        *counts.entry(row.level).or_default() += 1;
    }
    if counts.is_empty() {
        return "nobody matches, nothing was verified".to_owned();
    }
    let parts = counts.into_iter().rev().map(|(level, count)| {
        let (glyph, style) = (level.glyph(), Role::of_level(level));
        paint(style, &format!("{glyph} {count} {}", level.word()))
    });
    parts.collect::<Vec<_>>().join("   ")
}

fn titles() -> Vec<Cell> {
    ["UID", "HOTKEY", "PROVENANCE", "SET IN", "WHY NO FURTHER"].map(|title| cell(title, STRONG)).to_vec()
}

fn uid(found: &Survey, hotkey: &Hotkey) -> String {
    let uid = found.roster.by_hotkey(hotkey).and_then(|row| row.uid);
    uid.map_or_else(|| "+".to_owned(), |uid| uid.to_string())
}

fn line(found: &Survey, hotkey: &Hotkey, row: &Provenance) -> Vec<Cell> {
    let set = row.commitment.as_ref().and_then(|commitment| commitment.block);
    vec![
        plain(uid(found, hotkey)),
        plain(hotkey.short()),
        cell(format!("{} {}", row.glyph(), row.words()), Role::of_provenance(row)),
        plain(set.map_or_else(|| "—".to_owned(), |block| format!("#{}", grouped(block)))),
        cell(row.limit_told().map_or_else(String::new, Limit::words), DIM),
    ]
}

fn in_full(found: &Survey, hotkey: &Hotkey, row: &Provenance) -> String {
    let level = paint(Role::of_provenance(row), &format!("{} {}", row.glyph(), row.words()));
    let mut out = format!("uid {}  {hotkey}\n  {level}: {}\n", uid(found, hotkey), row.level.meaning());
    let mut lines = vec![("value", value_words(row.commitment.as_ref()).shown()), ("evidence", row.held().words())];
    lines.extend(row.evidence(true));
    for (name, text) in lines {
        out += &["  ", &paint(DIM, &format!("{name:<12}")), " ", &text, "\n"].concat();
    }
    if let Some(limit) = &row.limit {
        out += &["  ", &paint(DIM, "no further  "), " ", &capitalised(&limit.words()), "\n"].concat();
    }
    out
}

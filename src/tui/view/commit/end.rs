//! How a commit ended: what happened, why, what to do; and what proves it.
//!
//! ```text
//! ✓ Published in block #9,168,530, final, and read back equal
//!   Validators follow within about 10 minutes; …
//!   → Restart GRAIL with the same .env, or its next start puts the old key back.
//!
//! block      #9,168,530   12ab34cd…
//! extrinsic  0x9f3c…      index 3
//! read back  at #9,168,533
//! ```

use ratatui::style::Style;

use super::super::facts::{paragraph, remark, todo};
use super::super::style::Styles;
use super::super::text::{columns, ink};
use super::{Fit, Page, Parts, target, took};
use crate::domain::commit::{Plan, Receipt, Stage};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::network::BlockHash;
use crate::domain::text::{grouped, middle_cut};
use crate::report::glyph;
use crate::tui::commit::{End, Run};

/// Nothing more will happen.
pub(super) fn over(plan: Option<&Plan>, end: &End, width: usize, fit: Fit, styles: Styles) -> Parts {
    let mut page = Page::new(fit);
    if let Some(plan) = plan {
        page.push(ink(target(plan), styles.dim()));
        page.gap();
    }
    told(&mut page, &end.finding, width, styles);
    if let Some(receipt) = &end.receipt {
        page.gap();
        proof(&mut page, receipt, width, styles);
    } else if let Some(hash) = end.extrinsic {
        page.gap();
        extrinsic(&mut page, hash, "", width, styles);
    }
    if let Some(run) = end.run.as_deref() {
        steps(&mut page, end, run, styles);
    }
    (format!("Commit: {}", end.word), frame(&end.finding, styles), page.lines, Vec::new())
}

fn frame(finding: &Diagnostic, styles: Styles) -> Style {
    match finding.severity {
        Severity::Note => styles.readable(),
        Severity::Warning => styles.drift(),
        Severity::Danger => styles.unreadable(),
    }
}

/// A finding in its three sentences; a note is good news here.
fn told(page: &mut Page, finding: &Diagnostic, width: usize, styles: Styles) {
    let (mark, style) = match finding.severity {
        Severity::Note => ("✓", styles.readable()),
        severity => (glyph(severity), styles.severity(severity)),
    };
    remark(&mut page.lines, mark, &finding.summary, width, style);
    paragraph(&mut page.lines, &finding.cause, 2, width, styles.plain());
    // An arrow that leads nowhere only takes a line.
    if finding.help != "Nothing." {
        todo(&mut page.lines, &finding.help, width, styles);
    }
}

fn proof(page: &mut Page, receipt: &Receipt, width: usize, styles: Styles) {
    let block = vec![
        ink(format!("#{}", grouped(receipt.block.number)), styles.strong()),
        ink(format!("   {}…", receipt.block.hash.short()), styles.dim()),
    ];
    page.fact("block", block, styles);
    let index = receipt.index.map(|index| format!("   index {index}")).unwrap_or_default();
    extrinsic(page, receipt.extrinsic, &index, width, styles);
    let at = format!("#{}", grouped(receipt.read_back_at));
    let note = ink("   the newest finalized block then", styles.dim());
    page.fact("read back", vec![ink("equal at ", styles.plain()), ink(at, styles.strong()), note], styles);
}

/// Its hash as far as there is room: whoever asks an explorer needs all of it.
fn extrinsic(page: &mut Page, hash: BlockHash, note: &str, width: usize, styles: Styles) {
    let hash = hash.to_string();
    let room = width.saturating_sub(super::LABEL);
    let shown = if columns(&hash) + columns(note) <= room {
        hash
    } else {
        let half = room.saturating_sub(columns(note) + 1) / 2;
        middle_cut(&hash, half, half)
    };
    page.fact("extrinsic", vec![ink(shown, styles.plain()), ink(note, styles.dim())], styles);
}

/// How far it came, and how long it took.
fn steps(page: &mut Page, end: &End, run: &Run, styles: Styles) {
    let after = took(end.at_ms.saturating_sub(run.begun_ms));
    if end.receipt.is_some() {
        return page.fact(
            "took",
            vec![ink(after, styles.plain()), ink("   until it was read back", styles.dim())],
            styles,
        );
    }
    let Some(stage) = run.stage else { return };
    if end.extrinsic.is_none() {
        page.gap();
    }
    let text = format!("{}, step {} of {}", stage.words(), stage as usize + 1, Stage::ALL.len());
    page.fact("came to", vec![ink(text, styles.plain()), ink(format!("   after {after}"), styles.dim())], styles);
}

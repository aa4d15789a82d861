//! The key file's password: dots, their number, and why the one before did not do.
//!
//! ```text
//! Publish to finney · subnet 81 · uid 42
//! read key 7be1c0…0c90 (fp 0c9e1234) → 51aa3d…00e7 (fp 77b2c0de)
//!
//! The key file of miner-1 of wallet practice is locked. …
//!
//! ▲ The password does not open it
//! Password  ••••••••_                                    8 characters
//! ```

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::super::facts::{finding, paragraph};
use super::super::style::Styles;
use super::super::text::{columns, ink};
use super::{Fit, Page, Parts, keys, named, target};
use crate::domain::commit::Plan;
use crate::domain::commit::plan::Verdict;
use crate::tui::commit::PasswordLine;

/// The password is wanted.
pub(in crate::tui::view) fn asking(plan: &Plan, line: &PasswordLine, width: usize, fit: Fit, styles: Styles) -> Parts {
    let waits_for_uid = plan.verdict == Verdict::NotRegistered;
    let mut page = Page::new(fit);
    let verb = if waits_for_uid { "Arm for" } else { "Publish to" };
    paragraph(&mut page.lines, &format!("{verb} {}", target(plan)), 0, width, styles.strong());
    paragraph(&mut page.lines, &keys(plan, width), 0, width, styles.dim());
    page.gap();
    let name = named(plan);
    let whose = if name.is_empty() { plan.subject.hotkey.short() } else { name };
    let long = if waits_for_uid { "until the hotkey registers or you disarm it" } else { "for this one commit" };
    let text = format!("The key file of {whose} is locked. The password opens it {long}; it is kept nowhere.");
    paragraph(&mut page.lines, &text, 0, width, styles.plain());
    if let Some(problem) = &line.problem {
        page.gap();
        finding(&mut page.lines, problem, width, styles);
    }
    ("Commit read credentials".to_owned(), styles.drift(), page.lines, vec![typed(line.chars, width, styles)])
}

/// As many dots as fit before the cursor, and how many characters they stand for.
fn typed(chars: usize, width: usize, styles: Styles) -> Line<'static> {
    let lead = "Password  ";
    let count = match chars {
        0 => String::new(),
        1 => "1 character".to_owned(),
        n => format!("{n} characters"),
    };
    let room = width.saturating_sub(columns(lead) + columns(&count) + 3);
    let dots = "•".repeat(chars.min(room));
    let blank = room - chars.min(room) + 2;
    Line::from(vec![
        ink(lead, styles.strong()),
        ink(dots, styles.accent()),
        ink(" ", styles.plain().add_modifier(Modifier::REVERSED)),
        Span::raw(" ".repeat(blank)),
        ink(count, styles.dim()),
    ])
}

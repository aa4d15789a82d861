//! A question with its two answers, the safe one first and chosen.
//!
//! ```text
//! Publish to finney · subnet 81 · uid 42?
//! Type the uid to confirm: 4_                       [ No ]   Publish
//! ```

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::facts::paragraph;
use super::super::ink::{columns, cut, ink, line_columns};
use super::super::style::Styles;
use super::{Dialog, key};
use crate::tui::commit::{Choice, Step};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::State;

/// A word that must be typed before yes can be reached.
pub(super) struct Word<'a> {
    /// What it is: `the uid`.
    pub(super) what: &'static str,
    /// What was typed when it is not that: `another uid`.
    pub(super) other: &'static str,
    /// What was typed of it.
    pub(super) typed: &'a str,
    /// Itself.
    pub(super) wanted: &'a str,
}

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) question: String,
    pub(super) word: Option<Word<'a>>,
    pub(super) answer: Choice,
    pub(super) yes: &'static str,
}

impl Asked<'_> {
    /// Question, and beneath it the typed word with the answers at the right.
    pub(super) fn lines(&self, state: &State, width: usize, styles: Styles) -> Vec<Line<'static>> {
        let mut lines: Vec<Line<'static>> = Vec::new();
        paragraph(&mut lines, &self.question, 0, width, styles.strong());
        let left = self.word.as_ref().map_or_else(|| moves(state, styles), |word| word.line(styles));
        let answers = self.answers(styles);
        let (taken, needed) = (line_columns(&left), line_columns(&answers));
        if taken + 2 + needed > width {
            lines.push(left);
            lines.push(at_right(Line::default(), answers, width));
        } else {
            lines.push(at_right(left, answers, width));
        }
        lines
    }

    fn answers(&self, styles: Styles) -> Line<'static> {
        let reached = self.word.as_ref().is_none_or(|word| word.typed == word.wanted);
        let other = if reached { styles.plain() } else { styles.dim() };
        Line::from(vec![
            answer("No", self.answer == Choice::No, styles.plain()),
            Span::raw("  "),
            answer(self.yes, self.answer == Choice::Yes, other),
        ])
    }
}

/// The chosen one in brackets and reversed, so that it is seen without colour too.
fn answer(word: &str, chosen: bool, style: Style) -> Span<'static> {
    if chosen {
        return ink(format!("[ {word} ]"), style.add_modifier(Modifier::REVERSED | Modifier::BOLD));
    }
    ink(format!("  {word}  "), style)
}

fn at_right(mut left: Line<'static>, right: Line<'static>, width: usize) -> Line<'static> {
    let blank = width.saturating_sub(line_columns(&left) + line_columns(&right));
    left.push_span(Span::raw(" ".repeat(blank)));
    left.spans.extend(right.spans);
    left
}

fn moves(state: &State, styles: Styles) -> Line<'static> {
    let [moves, takes] = [Command::NextChoice, Command::Accept].map(|command| key(state, KeyMode::Confirm, command));
    ink(format!("{moves} moves, {takes} takes"), styles.dim()).into()
}

impl Word<'_> {
    fn line(&self, styles: Styles) -> Line<'static> {
        let cursor = styles.plain().add_modifier(Modifier::REVERSED);
        let mut line = Line::from(vec![
            ink(format!("Type {} to confirm: ", self.what), styles.plain()),
            ink(self.typed, styles.accent()),
        ]);
        if self.typed == self.wanted {
            line.push_span(ink(" ✓", styles.readable()));
        } else {
            line.push_span(ink(" ", cursor));
        }
        if !self.wanted.starts_with(self.typed) {
            line.push_span(ink(format!(" ✗ {}", self.other), styles.unreadable()));
        }
        line
    }
}

/// Whether to leave although something is under way.
pub(super) fn leaving(state: &State, answer: Choice, width: u16, styles: Styles) -> Dialog {
    let text = usize::from(width).saturating_sub(4);
    let (what, so) = match state.commits.session.as_ref().map(|session| &session.step) {
        Some(Step::Armed { .. }) => (
            "A commit is armed and waits for the hotkey's registration.",
            "Left now, the key is dropped and nothing will be published when it registers.",
        ),
        Some(Step::Running(run)) if run.stage.is_some() => {
            ("A commit is on its way.", "It is written down, and the next start tells what became of it.")
        }
        _ => (
            "A commit is being prepared.",
            "Left before it is signed, nothing is sent. Once it is signed, the next start tells what became of it.",
        ),
    };
    let mut body = Vec::new();
    paragraph(&mut body, what, 0, text, styles.strong());
    paragraph(&mut body, so, 0, text, styles.plain());
    let asked = Asked { question: "Leave anyway?".to_owned(), word: None, answer, yes: "Leave" };
    let foot = asked.lines(state, text, styles);
    Dialog { title: "Leave".to_owned(), frame: styles.drift(), body, foot, width }
}

/// Whether to put the own keys to the test.
pub(super) fn self_test(state: &State, answer: Choice, width: u16, styles: Styles) -> Dialog {
    let text = usize::from(width).saturating_sub(4);
    let mut body = Vec::new();
    let what = "A small object is written into your own bucket with the write key, read back with the published key, \
                compared, and removed at once.";
    paragraph(&mut body, what, 0, text, styles.plain());
    let store =
        format!("Your bucket is at {}. Nobody else's is touched, and nothing goes on chain.", state.own.provider);
    paragraph(&mut body, &store, 0, text, styles.dim());
    let asked = Asked { question: "Test your own keys?".to_owned(), word: None, answer, yes: "Test" };
    let foot = asked.lines(state, text, styles);
    Dialog { title: "Self-test".to_owned(), frame: styles.accent(), body, foot, width }
}

/// A text at the left and one at the right, the left one cut where both do not fit.
pub(super) fn both_ends(left: &str, right: &str, width: usize, style: Style) -> Line<'static> {
    let room = width.saturating_sub(columns(right) + 2);
    at_right(ink(cut(left, room), style).into(), ink(right, style).into(), width)
}

//! A question with its two answers, the safe one first and chosen.
//!
//! ```text
//! Publish to finney · subnet 81 · uid 42?
//! Type the uid to confirm: 4_                       [ No ]   Publish
//! ```

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::facts::paragraph;
use super::super::style::Styles;
use super::super::text::{columns, cut, ink, line_columns};
use super::{Dialog, key};
use crate::tui::commit::{Choice, Step};
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::state::State;

/// A word that must be typed before yes can be reached.
pub(in crate::tui::view) struct Word<'a> {
    /// What it is: `the uid`.
    pub(in crate::tui::view) what: &'static str,
    /// What was typed when it is not that: `another uid`.
    pub(in crate::tui::view) other: &'static str,
    /// What was typed of it.
    pub(in crate::tui::view) typed: &'a str,
    /// Itself.
    pub(in crate::tui::view) wanted: &'a str,
}

/// What is asked.
pub(in crate::tui::view) struct Asked<'a> {
    pub(in crate::tui::view) question: String,
    pub(in crate::tui::view) word: Option<Word<'a>>,
    pub(in crate::tui::view) answer: Choice,
    pub(in crate::tui::view) yes: &'static str,
}

impl Asked<'_> {
    /// Question, and beneath it the typed word with the answers at the right.
    pub(in crate::tui::view) fn lines(&self, state: &State, width: usize, styles: Styles) -> Vec<Line<'static>> {
        let reached = self.word.as_ref().is_none_or(|word| word.typed == word.wanted);
        let answers = [
            Answer::new("No", self.answer == Choice::No, true),
            Answer::new(self.yes, self.answer == Choice::Yes, reached),
        ];
        asking(state, &self.question, self.word.as_ref(), &answers, width, styles)
    }
}

/// One of the answers to a question.
#[derive(Debug, Clone, Copy)]
pub(in crate::tui::view) struct Answer {
    word: &'static str,
    chosen: bool,
    reached: bool,
}

impl Answer {
    /// An answer, whether it is under the cursor, and whether it can be.
    pub(in crate::tui::view) const fn new(word: &'static str, chosen: bool, reached: bool) -> Self {
        Self { word, chosen, reached }
    }
}

/// Question, and beneath it what must be typed with the answers at the right.
pub(in crate::tui::view) fn asking(
    state: &State,
    question: &str,
    word: Option<&Word<'_>>,
    all: &[Answer],
    width: usize,
    styles: Styles,
) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    paragraph(&mut lines, question, 0, width, styles.strong());
    let left = word.map_or_else(|| moves(state, styles), |word| word.line(styles));
    let answers = answers(all, styles);
    let (taken, needed) = (line_columns(&left), line_columns(&answers));
    if taken + 2 + needed > width {
        lines.push(left);
        lines.push(at_right(Line::default(), answers, width));
    } else {
        lines.push(at_right(left, answers, width));
    }
    lines
}

fn answers(all: &[Answer], styles: Styles) -> Line<'static> {
    let mut line = Line::default();
    for (index, Answer { word, chosen, reached }) in all.iter().enumerate() {
        if index > 0 {
            line.push_span(Span::raw("  "));
        }
        line.push_span(answer(word, *chosen, if *reached { styles.plain() } else { styles.dim() }));
    }
    line
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
pub(in crate::tui::view) fn leaving(state: &State, answer: Choice, width: u16, styles: Styles) -> Dialog {
    let text = usize::from(width).saturating_sub(4);
    let (what, so) = match state.commits.session.as_ref().map(|session| &session.step) {
        _ if !state.commits.is_under_way() && !state.commits.is_awaiting() => (
            "A rotation is at work on a step.",
            "Nothing of it is lost when you leave: the journal has it, and the next start tells and goes on from there.",
        ),
        Some(Step::AwaitingRegistration { .. }) => (
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
pub(in crate::tui::view) fn self_test(state: &State, answer: Choice, width: u16, styles: Styles) -> Dialog {
    let text = usize::from(width).saturating_sub(4);
    let mut body = Vec::new();
    let what = "A small object is written into your own bucket with the write key, read back with the published key, \
                compared, and removed at once. Where the store does not tell what the read key may do, writing with it is \
                tried, too.";
    paragraph(&mut body, what, 0, text, styles.plain());
    let store =
        format!("Your bucket is at {}. Nobody else's is touched, and nothing goes on chain.", state.model.own.provider);
    paragraph(&mut body, &store, 0, text, styles.dim());
    let asked = Asked { question: "Test your own keys?".to_owned(), word: None, answer, yes: "Test" };
    let foot = asked.lines(state, text, styles);
    Dialog { title: "Self-test".to_owned(), frame: styles.accent(), body, foot, width }
}

/// A text at the left and one at the right, the left one cut where both do not fit.
pub(in crate::tui::view) fn both_ends(left: &str, right: &str, width: usize, style: Style) -> Line<'static> {
    let room = width.saturating_sub(columns(right) + 2);
    at_right(ink(cut(left, room), style).into(), ink(right, style).into(), width)
}

//! Beginning a rotation: what is replaced, the new keys by dots and lengths, what will happen.
//!
//! ```text
//! read key id   ••••••••••••••••••••••••••••••••                 32 characters
//! read secret   ▏
//! grace         300 blocks = 60 min
//! ```

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::super::commit::choice::{Answer, asking};
use super::super::dialog::{Fit, Page, Parts, key, spinner};
use super::super::facts::{finding, paragraph, remark};
use super::super::style::Styles;
use super::super::text::{columns, fit as fitted, fit_right, ink};
use super::{ends, history};
use crate::domain::rotation::{LEAST_GRACE, MOST_GRACE};
use crate::domain::text::{age_blocks, age_seconds, capitalised, grouped};
use crate::domain::variables::Variable;
use crate::tui::commit::Choice;
use crate::tui::keymap::{Command, KeyMode};
use crate::tui::rotate::{Field, What, Wizard, WizardStep, is_pinned};
use crate::tui::state::State;

/// Columns of a field's label.
const FIELD: usize = 14;
/// Columns of the count at the right.
const COUNT: usize = 15;

/// The page of the wizard.
pub(super) fn page(state: &State, width: usize, fit: Fit, styles: Styles) -> Option<Parts> {
    let wizard = state.rotations.wizard.as_ref()?;
    Some(match wizard.step {
        WizardStep::What => what(state, wizard, width, fit, styles),
        WizardStep::Keys => keys(state, wizard, width, fit, styles),
        WizardStep::Summary => summary(state, wizard, width, fit, styles),
        WizardStep::Begun => begun(state, width, styles),
    })
}

fn what(state: &State, wizard: &Wizard, width: usize, fit: Fit, styles: Styles) -> Parts {
    let mut page = Page::new(fit);
    let text = "First create a new token at the provider. Never roll the old one in place: validators that cached its \
                secret would fail.";
    paragraph(&mut page.lines, text, 0, width, styles.plain());
    pinned(&mut page, state, wizard.what, width, styles);
    for what in What::ALL {
        page.gap();
        choice(&mut page, what, wizard.what == what, width, styles);
    }
    history::closed(&mut page, state, width, styles);
    ("Rotate: what to replace".to_owned(), styles.accent(), page.lines, Vec::new())
}

/// Uid 0's read key is no ordinary one.
fn pinned(page: &mut Page, state: &State, what: What, width: usize, styles: Styles) {
    if is_pinned(state) && what.sides().read {
        let text = "You are uid 0: every miner and validator keeps the read key that it took at its start. The old token must \
                    live until all were restarted, however long the grace is.";
        remark(&mut page.lines, "▲", text, width, styles.drift());
    }
}

fn choice(page: &mut Page, what: What, chosen: bool, width: usize, styles: Styles) {
    let style = match (what, chosen) {
        (What::Emergency, _) => styles.danger(),
        (_, true) => styles.strong(),
        (_, false) => styles.plain(),
    };
    let mark = if chosen { ink("▌ ", styles.accent()) } else { ink("  ", styles.plain()) };
    let line = Line::from(vec![mark, ink(fitted(what.words(), width.saturating_sub(2)), style)]);
    page.push(if chosen { line.patch_style(styles.selected()) } else { line });
    // Every choice stays in sight on a small screen: what the others mean is seen when one moves there.
    if chosen || page.fit != Fit::Tight {
        paragraph(&mut page.lines, what.means(), 2, width, styles.dim());
    }
}

fn title(what: What) -> String {
    match what {
        What::Read => "Rotate: new read key",
        What::Write => "Rotate: new write key",
        What::Both => "Rotate: new read and write key",
        What::Emergency => "EMERGENCY: new write key",
    }
    .to_owned()
}

fn keys(state: &State, wizard: &Wizard, width: usize, fit: Fit, styles: Styles) -> Parts {
    let mut page = Page::new(fit);
    invitation(&mut page, state, wizard, width, styles);
    page.gap();
    for field in wizard.fields() {
        page.push(match field {
            Field::Grace => grace(wizard, width, styles),
            _ => masked(field, wizard.chars(field), wizard.focus == field, width, styles),
        });
    }
    if wizard.what == What::Emergency {
        page.push(Line::from(vec![
            ink(fitted("grace", FIELD), styles.dim()),
            ink("none: the old token is revoked first", styles.drift()),
        ]));
    }
    if let Some(field) = wizard.too_long() {
        page.gap();
        let (label, chars, most) = (capitalised(field.label()), wizard.chars(field), field.most());
        let text = format!(
            "{label}: {chars} characters, and it has {most} at most. ctrl-u empties the field; of .env lines paste NAME=value, whole."
        );
        remark(&mut page.lines, "✗", &text, width, styles.unreadable());
    }
    if let Some((text, bad)) = remark_on_grace(wizard) {
        page.gap();
        let style = if bad { styles.unreadable() } else { styles.drift() };
        remark(&mut page.lines, if bad { "✗" } else { "▲" }, &text, width, style);
    }
    if let Some(told) = &state.rotations.trouble {
        page.gap();
        finding(&mut page.lines, told, width, styles);
        let text = "Nothing was begun, and nothing that was entered is kept: enter it again.";
        paragraph(&mut page.lines, text, 2, width, styles.dim());
    }
    let [enter, tab, esc] =
        [Command::Accept, Command::NextChoice, Command::Cancel].map(|command| key(state, KeyMode::Keys, command));
    let text = format!("{enter} goes on · {tab} next field · {esc} goes back and forgets what was entered");
    let frame = if wizard.what == What::Emergency { styles.unreadable() } else { styles.drift() };
    (title(wizard.what), frame, page.lines, vec![ink(text, styles.dim()).into()])
}

fn invitation(page: &mut Page, state: &State, wizard: &Wizard, width: usize, styles: Styles) {
    let refused = state.rotations.trouble.is_some();
    let example = if wizard.what.sides().read { Variable::ReadKeyId } else { Variable::WriteKeyId };
    let text = match (page.fit, refused) {
        (Fit::Tight, true) => return,
        (Fit::Tight, false) => {
            "Type or paste the new token's values, or whole .env lines. Nothing is shown.".to_owned()
        }
        _ => format!(
            "Type or paste the values of the new token. Nothing of them is shown. Lines of a .env ({example}=…) may be \
             pasted as they are: each goes to its field by its name."
        ),
    };
    paragraph(&mut page.lines, &text, 0, width, styles.plain());
    if let Some(url) = state.options.tokens_url.as_ref().filter(|_| page.fit != Fit::Tight) {
        let kind = if wizard.what.sides().read { "read" } else { "write" };
        paragraph(&mut page.lines, "In practice a shell makes the token:", 0, width, styles.dim());
        page.push(ink(format!("  curl -X POST '{url}?kind={kind}'"), styles.dim()));
    }
}

/// As many dots as fit before the cursor, and how many characters they stand for.
fn masked(field: Field, chars: usize, focused: bool, width: usize, styles: Styles) -> Line<'static> {
    let count = match chars {
        0 if focused => String::new(),
        0 => "empty".to_owned(),
        1 => "1 character".to_owned(),
        n => format!("{n} characters"),
    };
    let room = width.saturating_sub(FIELD + COUNT + 1);
    let shown = chars.min(room);
    Line::from(vec![
        label(field, focused, styles),
        ink("•".repeat(shown), styles.accent()),
        cursor(focused, styles),
        Span::raw(" ".repeat(room - shown)),
        ink(fit_right(&count, COUNT), styles.dim()),
    ])
}

fn label(field: Field, focused: bool, styles: Styles) -> Span<'static> {
    ink(fitted(field.label(), FIELD), if focused { styles.strong() } else { styles.dim() })
}

fn cursor(focused: bool, styles: Styles) -> Span<'static> {
    ink(" ", if focused { styles.plain().add_modifier(Modifier::REVERSED) } else { styles.plain() })
}

fn grace(wizard: &Wizard, width: usize, styles: Styles) -> Line<'static> {
    let focused = wizard.focus == Field::Grace;
    let time = wizard.blocks().map(|blocks| format!("blocks = {}", age_blocks(blocks))).unwrap_or_default();
    let lead = vec![
        label(Field::Grace, focused, styles),
        ink(&wizard.grace, styles.plain()),
        cursor(focused, styles),
        ink(&time, styles.plain()),
    ];
    let used: usize = lead.iter().map(|span| columns(&span.content)).sum();
    let (note, room) = ("the old token lives on so long", width.saturating_sub(used));
    let note = if columns(note) + 2 <= room { fit_right(note, room) } else { String::new() };
    Line::from(lead.into_iter().chain([ink(note, styles.dim())]).collect::<Vec<_>>())
}

/// What is odd about the grace, and whether one cannot go on with it.
fn remark_on_grace(wizard: &Wizard) -> Option<(String, bool)> {
    if wizard.blocks().is_none() {
        let most = format!("{} blocks ({})", grouped(MOST_GRACE), age_blocks(MOST_GRACE));
        return Some((format!("A grace is a number of blocks, at most {most}."), true));
    }
    wizard.is_short().then(|| {
        let least = format!("{} blocks ({})", grouped(LEAST_GRACE), age_blocks(LEAST_GRACE));
        (
            format!("Shorter than {least}, validators that look at the chain every 10 min may miss you for a window."),
            false,
        )
    })
}

fn summary(state: &State, wizard: &Wizard, width: usize, fit: Fit, styles: Styles) -> Parts {
    let mut page = Page::new(fit);
    let taken: Vec<String> = wizard
        .fields()
        .into_iter()
        .filter(|field| *field != Field::Grace)
        .map(|field| format!("{} {}", field.label(), wizard.chars(field)))
        .collect();
    paragraph(&mut page.lines, "This will happen, in this order:", 0, width, styles.strong());
    page.gap();
    for (number, text) in (1..).zip(order(wizard)) {
        remark(&mut page.lines, &number.to_string(), &text, width, styles.plain());
    }
    page.gap();
    if let Some((text, false)) = remark_on_grace(wizard) {
        remark(&mut page.lines, "▲", &text, width, styles.drift());
    }
    pinned(&mut page, state, wizard.what, width, styles);
    let text = if wizard.what == What::Emergency {
        "Until the leaked token is revoked you can roll back; after that there is no way back to it."
    } else {
        "Until the old token is revoked you can roll back at any time. It may be left and resumed at any step."
    };
    paragraph(&mut page.lines, text, 0, width, styles.dim());
    paragraph(&mut page.lines, &format!("Characters entered: {}.", taken.join(", ")), 0, width, styles.dim());
    let answers = [
        Answer::new("No", wizard.choice == Choice::No, true),
        Answer::new("Begin", wizard.choice == Choice::Yes, true),
    ];
    let foot = asking(state, "Begin the rotation?", None, &answers, width, styles);
    let frame = if wizard.what == What::Emergency { styles.unreadable() } else { styles.drift() };
    (title(wizard.what), frame, page.lines, foot)
}

/// What will happen, in order.
fn order(wizard: &Wizard) -> Vec<String> {
    let (sides, emergency) = (wizard.what.sides(), wizard.what == What::Emergency);
    let mut steps = vec!["The new keys go into the vault beside the old ones and are read back.".to_owned()];
    if emergency {
        steps.push("You revoke the leaked token; the console proves that the store refuses it.".to_owned());
    }
    steps.push("They are tested at the store, also for what they must not be able to do.".to_owned());
    if sides.read {
        steps.push("You see the commit and confirm it; it is followed until it is final.".to_owned());
    }
    steps.push("They come into use in the vault, and in the .env if you say so.".to_owned());
    if emergency {
        steps.push("The old key is forgotten here.".to_owned());
        return steps;
    }
    let blocks = wizard.blocks().unwrap_or_default();
    steps.push(match blocks {
        0 => "There is no grace.".to_owned(),
        blocks => format!("The old token stays alive for {} blocks ({}).", grouped(blocks), age_blocks(blocks)),
    });
    steps.push("You revoke it; when the store refuses it the console forgets it, not before.".to_owned());
    steps
}

fn begun(state: &State, width: usize, styles: Styles) -> Parts {
    let working = state.rotations.working.as_ref();
    let words = working.map_or("Handing the new keys over", |working| working.words.as_str());
    let age = working.map(|working| age_seconds(state.since(working.since_ms) / 1_000)).unwrap_or_default();
    let (head, rest) = words.split_once(" (").map_or((words, None), |(head, rest)| (head, Some(rest)));
    let head = format!("{} {}", spinner(state), capitalised(head));
    let mut body = vec![ends(&head, &age, width, styles.accent(), styles)];
    if let Some(rest) = rest {
        paragraph(&mut body, &format!("({rest}"), 2, width, styles.dim());
    }
    paragraph(&mut body, "What was entered has left the screen and is kept nowhere in it.", 2, width, styles.plain());
    ("Rotate: beginning".to_owned(), styles.accent(), body, Vec::new())
}

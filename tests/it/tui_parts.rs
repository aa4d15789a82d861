//! Parts of the console's screen, cut out of its picture: a test photographs what it is about, not the room around it.
//!
//! A part that is not on the screen is a panic, so that no test photographs nothing.

use std::fmt::Write as _;

use grail_console::tui::msg::Msg;
use grail_console::tui::state::{State, View};
use grail_console::tui::update::update;
use grail_console::tui::view;
use ratatui::layout::Rect;

use crate::tui_fixtures::{drawn, screen, text_in};

pub const WIDE: (u16, u16) = (120, 32);
pub const NARROW: (u16, u16) = (80, 24);
pub const SMALL: (u16, u16) = (60, 15);
/// Rows with room for every line of a text.
const TALL: u16 = 120;

/// What is drawn as frames, rules and bars: how long they are depends on the width of the screen.
const STROKES: [char; 10] = ['╭', '╮', '╰', '╯', '│', '─', '█', '▓', '░', '▄'];

fn cut(state: &State, (width, height): (u16, u16), area: Rect, what: &str) -> String {
    let part = text_in(&drawn(state, width, height), area);
    let part = part.trim_end();
    assert!(!part.is_empty(), "there is no {what} on this screen:\n{}", screen(state, width, height));
    format!("{part}\n")
}

/// Where the view is, between banner and footer.
fn body_area(state: &State, width: u16, height: u16) -> Rect {
    let mut state = state.clone();
    update(&mut state, Msg::Resize { width, height });
    state.view = View::Logs;
    // Of its body the log needs a line for the heads and one for the position.
    let rows = u16::try_from(view::text_page(&state)).unwrap() + 2;
    Rect::new(0, height - 2 - rows, width, rows)
}

pub fn header(state: &State, width: u16, height: u16) -> String {
    cut(state, (width, height), Rect::new(0, 0, width, 1), "header")
}

pub fn banner(state: &State, width: u16, height: u16) -> String {
    let rows = body_area(state, width, height).y - 2;
    let banner = cut(state, (width, height), Rect::new(0, 2, width, rows), "banner");
    assert!(!banner.contains('╭'), "a dialog lies over the banner:\n{banner}");
    banner
}

/// The view, of empty lines that follow one another the first.
pub fn body(state: &State, width: u16, height: u16) -> String {
    let body = cut(state, (width, height), body_area(state, width, height), "body");
    let mut lines: Vec<&str> = body.lines().collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    joined(lines.into_iter())
}

/// The body of a view of text with every line it has.
pub fn whole_body(state: &State, width: u16, _: u16) -> String {
    let body = body(state, width, TALL);
    assert!(!body.contains("more lines"), "{TALL} rows are too few for:\n{body}");
    body
}

/// The keys in the last line.
pub fn footer(state: &State, width: u16, height: u16) -> String {
    cut(state, (width, height), Rect::new(0, height - 1, width, 1), "footer")
}

/// The short message in the rule above the footer.
pub fn message(state: &State, width: u16, height: u16) -> String {
    let rule = cut(state, (width, height), Rect::new(0, height - 2, width, 1), "rule");
    let words = rule.trim_matches(['─', ' ', '\n']);
    assert!(!words.is_empty(), "there is no message on this screen:\n{}", screen(state, width, height));
    format!("{words}\n")
}

/// The dialog or the list over the view, with its frame.
pub fn dialog(state: &State, width: u16, height: u16) -> String {
    let buffer = drawn(state, width, height);
    let at = |x: u16, y: u16, symbol: &str| buffer[(x, y)].symbol() == symbol;
    let corner = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).find(|&(x, y)| at(x, y, "╭"));
    let area = corner.and_then(|(left, top)| {
        let right = (left..width).find(|&x| at(x, top, "╮"))?;
        let bottom = (top..height).find(|&y| at(left, y, "╰") && at(right, y, "╯"))?;
        Some(Rect::new(left, top, right - left + 1, bottom - top + 1))
    });
    let area = area.unwrap_or_else(|| panic!("there is no dialog on this screen:\n{}", screen(state, width, height)));
    text_in(&buffer, area)
}

/// What the dialog says, its title first: without frame and empty lines.
pub fn dialog_text(state: &State, width: u16, height: u16) -> String {
    let dialog = dialog(state, width, height);
    let lines = dialog.lines().map(|line| line.trim_matches(['╭', '╮', '╰', '╯', '│', '─']));
    joined(lines.map(str::trim_end).filter(|line| !line.is_empty()))
}

/// The last lines of the dialog: what is asked, and the answers.
pub fn question(state: &State, width: u16, height: u16) -> String {
    let dialog = dialog(state, width, height);
    let lines: Vec<&str> = dialog.lines().collect();
    let above = lines.iter().rposition(|line| squeezed(line).is_empty() && line.starts_with('│'));
    let above = above.unwrap_or_else(|| panic!("no empty line stands above a question here:\n{dialog}"));
    joined(lines[above + 1..].iter().copied())
}

/// What stands above the heads of the table, and the status line below it.
pub fn summary_and_status(state: &State, width: u16, height: u16) -> String {
    let body = body(state, width, height);
    let lines: Vec<&str> = body.lines().filter(|line| !line.is_empty()).collect();
    let heads = lines.iter().position(|line| line.contains("HOTKEY") && line.contains("COMMITMENT"));
    let heads = heads.unwrap_or_else(|| panic!("there is no table in this body:\n{body}"));
    joined(lines[..heads].iter().chain(lines.last()).copied())
}

/// The lines of the body that contain one of these texts; each is in at least one.
pub fn lines_with(wanted: &'static [&'static str]) -> impl Fn(&State, u16, u16) -> String {
    move |state, width, height| {
        let body = body(state, width, height);
        for text in wanted {
            assert!(body.contains(text), "{text:?} is nowhere in this body:\n{body}");
        }
        joined(body.lines().filter(|line| wanted.iter().any(|text| line.contains(text))))
    }
}

/// A section of a view of text from its heading to the next.
pub fn section(heading: &'static str) -> impl Fn(&State, u16, u16) -> String {
    move |state, width, height| {
        let body = whole_body(state, width, height);
        let mut lines = body.lines().skip_while(|line| !line.trim_start().starts_with(heading));
        let first = lines.next().unwrap_or_else(|| panic!("there is no section {heading:?} in this body:\n{body}"));
        let text = joined(std::iter::once(first).chain(lines.take_while(|line| !is_heading(line))));
        format!("{}\n", text.trim_end())
    }
}

/// Of a view of text what stands above its first heading.
pub fn opening(state: &State, width: u16, height: u16) -> String {
    let body = whole_body(state, width, height);
    let text = joined(body.lines().take_while(|line| !is_heading(line)));
    assert!(!text.is_empty(), "nothing stands above the first heading of this body:\n{body}");
    text
}

/// Headings are in capitals.
fn is_heading(line: &str) -> bool {
    let word = line.strip_prefix(' ').and_then(|line| line.split(' ').next()).unwrap_or_default();
    word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase())
}

/// A part and the keys that the footer offers with it.
pub fn with_keys(part: impl Fn(&State, u16, u16) -> String) -> impl Fn(&State, u16, u16) -> String {
    move |state, width, height| part(state, width, height) + &footer(state, width, height)
}

/// A part at 80x24, and what it says otherwise at 120x32.
pub fn at_both_sizes(state: &State, part: impl Fn(&State, u16, u16) -> String) -> String {
    let [narrow, wide] = [NARROW, WIDE].map(|(width, height)| part(state, width, height));
    let wider = otherwise(&narrow, &wide);
    narrow + &wider
}

/// The lines that are not in the narrow picture, and how many there are besides. Nothing when the words are the same, and
/// only the frame is wider or the lines break elsewhere.
fn otherwise(narrow: &str, wide: &str) -> String {
    let known = format!(" {} ", squeezed(narrow));
    if known.trim() == squeezed(wide) {
        return String::new();
    }
    let lines = wide.lines().filter(|line| !squeezed(line).is_empty());
    let (same, others): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| known.contains(&format!(" {} ", squeezed(line))));
    format!("at 120x32, with {} lines as above:\n{}", same.len(), joined(others.into_iter()))
}

/// The dialog with its keys, at both sizes.
pub fn dialog_at_both_sizes(state: &State) -> String {
    at_both_sizes(state, with_keys(dialog))
}

/// The banner at both sizes, with the keys of the narrower one.
pub fn banner_at_both_sizes(state: &State) -> String {
    let [narrow, wide] = [NARROW, WIDE].map(|(width, height)| banner(state, width, height));
    let wider = otherwise(&narrow, &wide);
    narrow + &footer(state, NARROW.0, NARROW.1) + &wider
}

/// The words without blanks and strokes.
fn squeezed(text: &str) -> String {
    text.replace(STROKES, " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// Pictures of one kind of part for one file, each under its name. One that was there before is only named.
#[derive(Default)]
pub struct Pictures {
    seen: Vec<(String, String)>,
    text: String,
}

impl Pictures {
    pub fn add(&mut self, name: &str, picture: String) {
        let _ = match self.seen.iter().find(|(_, earlier)| *earlier == picture) {
            Some((earlier, _)) => writeln!(self.text, "-- {name}: the same as {earlier} --"),
            None => write!(self.text, "-- {name} --\n{picture}"),
        };
        self.seen.push((name.to_owned(), picture));
    }

    /// One of which only that is shown in which it differs from another one, unless it is shorter itself: lines that are
    /// gone, and lines that are new, wherever they stand.
    pub fn add_variant(&mut self, name: &str, of: &str, picture: String) {
        let Some((_, base)) = self.seen.iter().find(|(name, _)| name == of) else { panic!("{of:?} is no picture yet") };
        let (before, after): (Vec<&str>, Vec<&str>) = (base.lines().collect(), picture.lines().collect());
        let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("-{line}"));
        let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+{line}"));
        let changes: Vec<String> = gone.chain(new).collect();
        if changes.is_empty() || changes.len() >= after.len() {
            return self.add(name, picture);
        }
        let _ = write!(self.text, "-- {name}: {of}, but --\n{}", joined(changes.iter().map(String::as_str)));
        self.seen.push((name.to_owned(), picture));
    }

    pub fn add_dialog(&mut self, name: &str, state: &State) {
        self.add(name, dialog_at_both_sizes(state));
    }

    pub fn add_dialog_variant(&mut self, name: &str, of: &str, state: &State) {
        self.add_variant(name, of, dialog_at_both_sizes(state));
    }

    pub fn add_banner(&mut self, name: &str, state: &State) {
        self.add(name, banner_at_both_sizes(state));
    }

    pub fn text(self) -> String {
        assert!(!self.text.is_empty(), "nothing was photographed");
        self.text
    }
}

#[test]
#[should_panic(expected = "there is no dialog on this screen")]
fn a_dialog_that_is_not_there_is_not_photographed() {
    dialog(&crate::tui_commit_fixtures::ready(), 80, 24);
}

#[test]
#[should_panic(expected = "there is no banner on this screen")]
fn a_banner_that_is_not_there_is_not_photographed() {
    banner(&crate::tui_commit_fixtures::ready(), 80, 24);
}

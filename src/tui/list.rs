//! The order of the table on the screen: filter, sort, and a selection that follows its hotkey.
//!
//! The order is computed once when rows, filter or sort change, never per frame; when read tests change and it depends on
//! them, as often as that is cheap.

use std::cmp::Ordering;

use serde::Serialize;
use tui_input::{Input, InputRequest};

use crate::domain::filter::Filter;
use crate::domain::hotkey::Hotkey;
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::{Column, Roster, Row};
use crate::engine::table::Table;
use crate::tui::filter_line;
use crate::tui::probes::Probes;
use crate::tui::proofs::Proofs;
use crate::tui::state::line_text;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Slot {
    /// A registered uid, by its index in the roster.
    Member(u32),
    /// The heading above the ex-members.
    Heading,
    /// An ex-member, by its index in the roster.
    ExMember(u32),
}

/// What is listed: the rows, and what is known of them besides.
#[derive(Debug, Clone, Copy)]
pub struct Arrangement<'a> {
    roster: &'a Roster,
    probes: &'a Probes,
    proofs: &'a Proofs,
}

impl<'a> Arrangement<'a> {
    /// The table's rows with their read tests, marks and levels.
    pub fn of(table: &'a Table, probes: &'a Probes, proofs: &'a Proofs) -> Self {
        Self { roster: table.roster(), probes, proofs }
    }

    /// What filter and order ask about a row.
    pub fn tested(self, row: &Row) -> Tested {
        Tested { proof: self.proofs.level(row), ..self.probes.of(&row.hotkey) }
    }
}

/// Filter, sort and selection.
#[derive(Debug, Clone, Default, Serialize)]
pub struct List {
    /// The filter as it is typed.
    #[serde(serialize_with = "line_text")]
    pub line: Input,
    /// Why the line means nothing, when it does; the filter before it still holds.
    pub error: Option<String>,
    /// What the word that is being typed stands for, or may become.
    pub hint: Option<String>,
    /// The column that decides the order.
    pub sort: Column,
    /// The other way round.
    pub reverse: bool,
    /// Whether ex-members are shown.
    pub ex_members: bool,
    filter: Filter,
    /// The line that `filter` was read from, every word written out.
    good: String,
    slots: Vec<Slot>,
    rows: usize,
    wanted: Option<Hotkey>,
    cursor: usize,
    offset: usize,
}

impl List {
    /// The lines, in order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Index of the selected line.
    pub const fn cursor(&self) -> usize {
        self.cursor
    }

    /// Index of the first line on the screen.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Whether some rows are filtered out.
    pub fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Whether the ex-members' section is on the screen.
    pub fn shows_ex_members(&self) -> bool {
        self.ex_members || self.filter.wants_ex_members()
    }

    /// How many rows are listed, the heading not counted.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The row of a line.
    pub fn row<'a>(&self, roster: &'a Roster, slot: Slot) -> Option<&'a Row> {
        match slot {
            Slot::Member(index) => roster.rows.get(index as usize),
            Slot::ExMember(index) => roster.ex_members.get(index as usize),
            Slot::Heading => None,
        }
    }

    /// The selected row.
    pub fn current<'a>(&self, roster: &'a Roster) -> Option<&'a Row> {
        self.slots.get(self.cursor).and_then(|slot| self.row(roster, *slot))
    }

    /// Edits the filter line. A line that means nothing is named and leaves the last good filter in force.
    pub fn edit(&mut self, request: InputRequest, ground: Arrangement<'_>) {
        self.line.handle(request);
        match filter_line::typing(self.line.value()) {
            Ok(meaning) => {
                self.error = None;
                self.hint = meaning.hint;
                self.good = meaning.line;
                self.put_filter(meaning.filter, ground);
            }
            Err(error) => {
                self.error = Some(error.to_string());
                self.take_back_guess(ground);
            }
        }
    }

    /// What was guessed from the beginning of a word falls with it; what was typed in full still holds.
    fn take_back_guess(&mut self, ground: Arrangement<'_>) {
        if self.hint.take().is_none() {
            return;
        }
        if let Ok(meaning) = filter_line::without_last_word(self.line.value()) {
            self.good = meaning.line;
            self.put_filter(meaning.filter, ground);
        }
    }

    /// Takes the line as it stands, begun values written out; one that means nothing gives way to the last good one.
    pub fn accept(&mut self, ground: Arrangement<'_>) {
        if let Ok(meaning) = filter_line::typed(self.line.value()) {
            self.good = meaning.line;
            self.put_filter(meaning.filter, ground);
        }
        self.line = Input::new(self.good.clone());
        self.error = None;
        self.hint = None;
    }

    fn put_filter(&mut self, filter: Filter, ground: Arrangement<'_>) {
        self.filter = filter;
        self.arrange(ground);
    }

    /// Takes the filter away.
    pub fn clear_filter(&mut self, ground: Arrangement<'_>) {
        self.line.reset();
        self.good.clear();
        self.error = None;
        self.hint = None;
        self.filter = Filter::default();
        self.arrange(ground);
    }

    /// Computes the order anew and follows the selected hotkey to its place. A row that is filtered out stays wanted:
    /// it is selected again as soon as it is back.
    pub fn arrange(&mut self, ground: Arrangement<'_>) {
        self.slots.clear();
        let roster = ground.roster;
        let members = self.sorted(&roster.rows, ground);
        self.rows = members.len();
        self.slots.extend(members.into_iter().map(Slot::Member));
        let ex_members = if self.shows_ex_members() { self.sorted(&roster.ex_members, ground) } else { Vec::new() };
        self.rows += ex_members.len();
        if !ex_members.is_empty() {
            self.slots.push(Slot::Heading);
            self.slots.extend(ex_members.into_iter().map(Slot::ExMember));
        }
        match self.place_of_wanted(roster) {
            Some(place) => self.cursor = place,
            None => self.move_to(self.cursor, false),
        }
        if self.wanted.is_none() {
            self.remember(roster);
        }
    }

    fn sorted(&self, rows: &[Row], ground: Arrangement<'_>) -> Vec<u32> {
        let asks = self.asks_for_tests();
        let tested = |row: &Row| if asks { ground.tested(row) } else { Tested::default() };
        let all = (0u32..).zip(rows).map(|(index, row)| (index, row, tested(row)));
        let mut order: Vec<_> = all.filter(|(_, row, tested)| self.filter.accepts(row, *tested)).collect();
        order.sort_by(|(_, a, of_a), (_, b, of_b)| self.order((a, of_a), (b, of_b)));
        order.into_iter().map(|(index, ..)| index).collect()
    }

    /// The own row first, then by column.
    fn order(&self, (a, of_a): (&Row, &Tested), (b, of_b): (&Row, &Tested)) -> Ordering {
        let by_test = if self.sort == Column::ReadTest { of_a.order(of_b) } else { Ordering::Equal };
        let by_column = by_test.then_with(|| self.sort.order(a, b));
        b.own.cmp(&a.own).then(if self.reverse { by_column.reverse() } else { by_column })
    }

    /// Whether the order changes when a row is tested or marked.
    pub fn asks_for_tests(&self) -> bool {
        self.sort == Column::ReadTest || self.filter.asks_for_tests()
    }

    /// Whether the filter lets a row through.
    pub fn accepts(&self, row: &Row, tested: Tested) -> bool {
        self.filter.accepts(row, tested)
    }

    /// Adds a word to the filter, or takes it away where it is already. Whether it is there now.
    pub fn toggle_word(&mut self, word: &str, ground: Arrangement<'_>) -> bool {
        let mut words: Vec<&str> = self.good.split_whitespace().filter(|one| *one != word).collect();
        let added = words.len() == self.good.split_whitespace().count();
        if added {
            words.push(word);
        }
        self.line = Input::new(words.join(" "));
        self.accept(ground);
        added
    }

    fn place_of_wanted(&self, roster: &Roster) -> Option<usize> {
        let wanted = self.wanted?;
        self.slots.iter().position(|slot| self.row(roster, *slot).is_some_and(|row| row.hotkey == wanted))
    }

    fn remember(&mut self, roster: &Roster) {
        self.wanted = self.current(roster).map(|row| row.hotkey);
    }

    /// Moves the selection by lines, stopping at the ends.
    pub fn step(&mut self, lines: isize, roster: &Roster) {
        self.move_to(self.cursor.saturating_add_signed(lines), lines < 0);
        self.remember(roster);
    }

    /// Selects a registered uid by its index in the roster, if it is listed.
    pub fn select(&mut self, index: u32, roster: &Roster) {
        if let Some(place) = self.slots.iter().position(|slot| *slot == Slot::Member(index)) {
            self.cursor = place;
            self.remember(roster);
        }
    }

    /// Moves the selection to the first line.
    pub fn first(&mut self, roster: &Roster) {
        self.move_to(0, false);
        self.remember(roster);
    }

    /// Moves the selection to the last line.
    pub fn last(&mut self, roster: &Roster) {
        self.move_to(usize::MAX, true);
        self.remember(roster);
    }

    /// Selects a line, or the nearest that is a row: onwards, or backwards when coming from below.
    fn move_to(&mut self, index: usize, backwards: bool) {
        let last = self.slots.len().saturating_sub(1);
        let index = index.min(last);
        let heading = self.slots.get(index) == Some(&Slot::Heading);
        self.cursor = match (heading, backwards) {
            (false, _) => index,
            (true, false) if index < last => index + 1,
            (true, _) => index.saturating_sub(1),
        };
    }

    /// Sorts by the next column.
    pub fn sort_by_next(&mut self, ground: Arrangement<'_>) {
        let at = Column::ALL.iter().position(|column| *column == self.sort).unwrap_or_default();
        self.sort = Column::ALL[(at + 1) % Column::ALL.len()];
        self.reverse = false;
        self.arrange(ground);
    }

    /// Keeps the selected line on a screen of `page` lines, moving the window as little as that needs.
    pub fn keep_in_sight(&mut self, page: usize) {
        let page = page.max(1);
        let most = self.slots.len().saturating_sub(page);
        self.offset = self.offset.min(self.cursor).max((self.cursor + 1).saturating_sub(page)).min(most);
    }
}

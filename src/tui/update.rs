//! What follows from a message: the new state, and what is to be done. No clock, no I/O.

use tui_input::InputRequest;

use crate::domain::commitment::Commitment;
use crate::domain::roster::Row;
use crate::domain::text::capitalised;
use crate::domain::untrusted::is_visible;
use crate::engine::service::{Event as EngineEvent, Request};
use crate::engine::table::Origin;
use crate::tui::commit::{self, Choice};
use crate::tui::keymap::{Action, Command};
use crate::tui::list::Arrangement;
use crate::tui::msg::{Effect, Msg};
use crate::tui::palette::found;
use crate::tui::state::{Chooser, Mode, Palette, State, View};
use crate::tui::{feed, map, probes, proofs, rotate, view};

/// Characters of a pasted text that are taken into a line.
const PASTE_LIMIT: usize = 200;

/// Rows up to which the table is put into order anew with every result.
const ORDERED_AT_ONCE: usize = 4_096;
/// How often a larger one is, in ms.
const ORDER_EVERY_MS: u64 = 500;

/// Brings the state up to date with a message.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    let effects = match msg {
        Msg::Tick { now_ms } => tick(state, now_ms),
        Msg::Key(Action::Command(command)) => on_command(state, command),
        Msg::Key(Action::Edit(request)) => edit(state, request),
        Msg::Paste(text) => paste(state, &text),
        Msg::Resize { width, height } => {
            state.size = (width, height);
            Vec::new()
        }
        Msg::Background(theme) => {
            state.options.theme = theme;
            Vec::new()
        }
        Msg::OtherLayout => {
            if !std::mem::replace(&mut state.layout_told, true) {
                state.say("this key does nothing: the keys are those of a Latin layout");
            }
            Vec::new()
        }
        Msg::NoShell => {
            state.say("no shell started this as a job: ctrl-z does nothing here");
            Vec::new()
        }
        Msg::Event(EngineEvent::Feed(event)) => {
            let mut effects = feed::on(state, event);
            effects.extend(rotate::reverted_now(state));
            effects
        }
        Msg::Logs(lines) => {
            state.logs.append(lines);
            Vec::new()
        }
        Msg::CachedSnapshot { snapshot, saved_at_ms } => {
            if state.model.table.origin() == Origin::Nowhere {
                commit::watch::read(state, &snapshot);
                feed::take_snapshot(state, snapshot, Origin::Saved { at_ms: saved_at_ms });
            }
            Vec::new()
        }
        Msg::Event(EngineEvent::Own(own)) => {
            if own.hotkey != state.model.own.hotkey {
                state.probes.visibility = probes::OwnVisibility::Idle;
            }
            state.model.take_own(*own);
            state.rows_changed();
            commit::watch::begin_anew(state);
            Vec::new()
        }
        Msg::Event(EngineEvent::Commit(news)) => commit::on_event(state, news),
        Msg::Event(EngineEvent::Probe(news)) => probes::on_event(state, news),
        Msg::Event(EngineEvent::Verify(news)) => proofs::on_event(state, news),
        Msg::Event(EngineEvent::Rotate(news)) => rotate::on_event(state, news),
        Msg::Typed { chars } => {
            match state.mode {
                Mode::Rotate => rotate::password_typed(state, chars),
                _ => commit::password_typed(state, chars),
            }
            Vec::new()
        }
        Msg::KeysTyped { lengths } => {
            rotate::keys_typed(state, lengths);
            Vec::new()
        }
    };
    reconcile(state);
    effects
}

/// Brings order and scrolling up to date after whatever changed.
fn reconcile(state: &mut State) {
    reorder(state);
    if state.view == View::Map {
        state.scroll = view::fleet_scroll(state);
    }
    let page = view::table_page(state);
    state.list.keep_in_sight(page);
}

/// A large table is not put into order anew for every one of the results of a sweep.
fn reorder(state: &mut State) {
    if !state.probes.out_of_order {
        return;
    }
    let small = state.model.table.roster().rows.len() <= ORDERED_AT_ONCE;
    if small || state.probes.ordered_ms + ORDER_EVERY_MS <= state.model.now_ms {
        state.probes.ordered_ms = state.model.now_ms;
        state.probes.out_of_order = false;
        if state.list.asks_for_tests() {
            state.rearrange();
        }
    }
}

fn tick(state: &mut State, now_ms: u64) -> Vec<Effect> {
    state.model.now_ms = state.model.now_ms.max(now_ms);
    if state.toast.as_ref().is_some_and(|toast| toast.until_ms <= state.model.now_ms) {
        state.toast = None;
    }
    Vec::new()
}

fn on_command(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::ForceQuit => return vec![Effect::Quit],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Suspend => return vec![Effect::Suspend],
        _ => {}
    }
    match state.mode {
        Mode::Normal => normal(state, command),
        Mode::Filter => filtering(state, command),
        Mode::Choose(_) => choosing(state, command),
        Mode::Palette(_) => in_palette(state, command),
        Mode::Commit => commit::on_command(state, command),
        Mode::Rotate => rotate::on_command(state, command),
        Mode::Leaving(choice) => leaving(state, choice, command),
        Mode::SelfTest(choice) => probes::answer(state, choice, command),
    }
}

/// Says where a command does something; of those that only move nobody expects it.
fn elsewhere(state: &mut State, command: Command) {
    let spec = command.spec();
    if spec.rank > 0 {
        let views: Vec<String> = spec.views.iter().map(|view| capitalised(view.word())).collect();
        state.say(format!("{}: only in {}", spec.hint, views.join(", ")));
    }
}

fn normal(state: &mut State, command: Command) -> Vec<Effect> {
    use Command as C;
    if !command.spec().views.contains(&state.view) {
        elsewhere(state, command);
        return Vec::new();
    }
    match command {
        C::Down => step(state, 1),
        C::Up => step(state, -1),
        C::Left => map::step(state, -1),
        C::Right => map::step(state, 1),
        C::PageDown => step(state, page(state)),
        C::PageUp => step(state, -page(state)),
        C::First => to_end(state, false),
        C::Last => to_end(state, true),
        C::Open => open(state),
        C::Back => back(state),
        C::NextView => go(state, state.view.further(1)),
        C::PreviousView => go(state, state.view.further(View::ALL.len() - 1)),
        C::Probe => return probes::probe(state),
        C::Sweep => return probes::sweep(state),
        C::Verify => return proofs::asked(state),
        C::Acknowledge => return proofs::read(state),
        C::Mark => mark(state),
        C::SelfTest => probes::ask(state),
        C::List => return probes::list(state),
        C::Failed => only_failed(state),
        C::Map => go(state, View::Map),
        C::You => go(state, View::You),
        C::Logs => go(state, View::Logs),
        C::Help => go(state, View::Help),
        C::Filter => state.mode = Mode::Filter,
        C::Sort => state.list.sort_by_next(Arrangement::of(&state.model.table, &state.probes, &state.proofs)),
        C::Reverse => {
            state.list.reverse = !state.list.reverse;
            state.rearrange();
        }
        C::ExMembers => {
            state.list.ex_members = !state.list.ex_members;
            state.rearrange();
        }
        C::Copy => offer_fields(state),
        C::Pause => pause(state),
        C::Palette => state.mode = Mode::Palette(found(Palette::default(), state.view)),
        C::Reconnect => {
            state.say("connecting anew");
            return vec![Effect::Ask(Request::Reconnect)];
        }
        C::Commit => return commit::asked(state),
        C::CancelWaiting => return commit::cancel_waiting(state),
        C::Rotate => return rotate::asked(state),
        C::RollBack => return rotate::ask_to_turn_back(state),
        C::Quit if is_at_work(state) => {
            state.mode = Mode::Leaving(Choice::No);
        }
        C::Quit => return vec![Effect::Quit],
        // These mean the same everywhere, or something in a question only.
        C::ForceQuit | C::Redraw | C::Suspend | C::Accept | C::Cancel | C::NextChoice | C::PreviousChoice => {}
    }
    Vec::new()
}

/// Whether leaving now would leave something behind that goes on or ends by it.
fn is_at_work(state: &State) -> bool {
    state.commits.is_under_way() || state.commits.is_awaiting() || state.rotations.is_busy()
}

fn page(state: &State) -> isize {
    let lines = match state.view {
        View::Subnet => view::table_page(state),
        View::Map => view::fleet_page(state),
        _ => view::text_page(state),
    };
    isize::try_from(lines.saturating_sub(1).max(1)).unwrap_or(1)
}

fn step(state: &mut State, lines: isize) {
    match state.view {
        View::Subnet => state.list.step(lines, state.model.table.roster()),
        View::Map => map::step(state, map::lines(state, lines)),
        View::Logs => state.logs.scroll(-lines, view::text_page(state)),
        View::Detail | View::You | View::Help => {
            state.scroll = state.scroll.saturating_add_signed(lines).min(view::scroll_limit(state));
        }
    }
}

fn to_end(state: &mut State, last: bool) {
    match (state.view, last) {
        (View::Subnet, false) => state.list.first(state.model.table.roster()),
        (View::Subnet, true) => state.list.last(state.model.table.roster()),
        (View::Map, last) => map::to_end(state, last),
        (View::Logs, false) => state.logs.oldest(view::text_page(state)),
        (View::Logs, true) => state.logs.follow(),
        (_, false) => state.scroll = 0,
        (_, true) => state.scroll = view::scroll_limit(state),
    }
}

fn go(state: &mut State, view: View) {
    if view != state.view {
        state.came_from = state.view;
        state.view = view;
        state.scroll = 0;
    }
}

fn open(state: &mut State) {
    if state.selected().is_some() {
        go(state, View::Detail);
    }
}

/// Whether to leave although something is under way: no, unless one moves to yes and takes it.
fn leaving(state: &mut State, choice: Choice, command: Command) -> Vec<Effect> {
    match (command, choice) {
        (Command::NextChoice | Command::PreviousChoice, Choice::No) => state.mode = Mode::Leaving(Choice::Yes),
        (Command::NextChoice | Command::PreviousChoice, Choice::Yes) => state.mode = Mode::Leaving(Choice::No),
        (Command::Accept, Choice::Yes) => return vec![Effect::Quit],
        (Command::Accept | Command::Cancel, _) => state.mode = Mode::Normal,
        _ => {}
    }
    Vec::new()
}

fn back(state: &mut State) {
    if commit::dismiss(state) || rotate::dismiss(state) {
        return;
    }
    match state.view {
        View::Subnet if state.list.is_filtered() => clear_filter(state),
        View::Subnet => {
            probes::clear_marks(state);
        }
        View::Detail if state.came_from == View::Map => go(state, View::Map),
        View::Help => go(state, if state.came_from == View::Help { View::Subnet } else { state.came_from }),
        View::Map | View::Detail | View::You | View::Logs => go(state, View::Subnet),
    }
}

fn pause(state: &mut State) {
    if state.model.table.snapshot().is_none() {
        return state.say("nothing to freeze yet");
    }
    if state.model.table.paused().is_none() {
        return state.model.table.pause();
    }
    let touched = state.model.table.thaw(state.model.own.own().as_ref());
    state.rearrange();
    state.say(match touched {
        0 => "live again, nothing had changed".to_owned(),
        1 => "live again, 1 row had changed".to_owned(),
        n => format!("live again, {n} rows had changed"),
    });
}

fn filtering(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Accept => {
            state.list.accept(Arrangement::of(&state.model.table, &state.probes, &state.proofs));
            state.mode = Mode::Normal;
        }
        Command::Cancel => {
            clear_filter(state);
            state.mode = Mode::Normal;
        }
        Command::Down => step(state, 1),
        Command::Up => step(state, -1),
        _ => {}
    }
    Vec::new()
}

fn clear_filter(state: &mut State) {
    state.list.clear_filter(Arrangement::of(&state.model.table, &state.probes, &state.proofs));
}

/// Marks the row and goes on to the next one, so that several are marked by the same key.
fn mark(state: &mut State) {
    probes::mark(state);
    match state.view {
        View::Map => map::step(state, 1),
        _ => step(state, 1),
    }
}

fn only_failed(state: &mut State) {
    let only = state.list.toggle_word("test:failed", Arrangement::of(&state.model.table, &state.probes, &state.proofs));
    state.say(if only { "only rows whose test failed" } else { "failed and other rows" });
}

fn offer_fields(state: &mut State) {
    let Some(row) = state.selected() else { return };
    state.mode = Mode::Choose(Chooser { fields: public_fields(row), cursor: 0, sent: false });
}

/// What may be copied of a row: never a secret. Text of other people is copied as it is shown, with its escapes, since
/// a clipboard ends up in a shell.
fn public_fields(row: &Row) -> Vec<(&'static str, String)> {
    let mut fields = vec![("hotkey", row.address.clone())];
    if let Some(published) = row.commitment.as_ref().and_then(Commitment::published) {
        let locator = if row.is_foreign() { "bucket" } else { "account id = bucket" };
        fields.push((locator, published.locator.shown()));
        fields.push(("read key id", published.read_key_id.shown()));
    }
    fields
}

fn choosing(state: &mut State, command: Command) -> Vec<Effect> {
    let Mode::Choose(chooser) = &mut state.mode else { return Vec::new() };
    match command {
        Command::Accept | Command::Cancel if chooser.sent => state.mode = Mode::Normal,
        _ if chooser.sent => {}
        Command::Down => chooser.cursor = (chooser.cursor + 1).min(chooser.fields.len().saturating_sub(1)),
        Command::Up => chooser.cursor = chooser.cursor.saturating_sub(1),
        Command::Accept => {
            // Nobody answers whether it arrived on a clipboard, so it stays on the screen.
            chooser.sent = true;
            let chosen = chooser.fields.get(chooser.cursor);
            return chosen.map(|(_, text)| Effect::Copy(text.clone())).into_iter().collect();
        }
        Command::Cancel => state.mode = Mode::Normal,
        _ => {}
    }
    Vec::new()
}

fn in_palette(state: &mut State, command: Command) -> Vec<Effect> {
    let Mode::Palette(palette) = &mut state.mode else { return Vec::new() };
    match command {
        Command::Down => palette.cursor = (palette.cursor + 1).min(palette.found.len().saturating_sub(1)),
        Command::Up => palette.cursor = palette.cursor.saturating_sub(1),
        Command::Accept => {
            let chosen = palette.found.get(palette.cursor).copied();
            state.mode = Mode::Normal;
            return chosen.map(|command| on_command(state, command)).unwrap_or_default();
        }
        Command::Cancel => state.mode = Mode::Normal,
        _ => {}
    }
    Vec::new()
}

fn edit(state: &mut State, request: InputRequest) -> Vec<Effect> {
    match &mut state.mode {
        Mode::Filter => state.list.edit(request, Arrangement::of(&state.model.table, &state.probes, &state.proofs)),
        Mode::Palette(palette) => {
            let mut edited = std::mem::take(palette);
            edited.line.handle(request);
            *palette = found(edited, state.view);
        }
        // A password is edited by the event loop; here it has no characters.
        Mode::Commit => commit::typed(state, request),
        Mode::Rotate => rotate::typed(state, request),
        Mode::Normal | Mode::Choose(_) | Mode::Leaving(_) | Mode::SelfTest(_) => {}
    }
    Vec::new()
}

/// A pasted text goes into the line that is being typed, without what cannot be seen; elsewhere it means nothing.
fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    if !matches!(state.mode, Mode::Filter | Mode::Palette(_)) {
        return Vec::new();
    }
    for c in text.chars().filter(|c| is_visible(*c)).take(PASTE_LIMIT) {
        edit(state, InputRequest::InsertChar(c));
    }
    Vec::new()
}

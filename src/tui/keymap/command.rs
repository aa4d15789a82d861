//! What keys can do: every command with its name, its word in the footer and its sentence in the help.

use serde::Serialize;

use crate::tui::state::View;

/// A command of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Command {
    /// One row or line down.
    Down,
    /// One row or line up.
    Up,
    /// To the first row or line.
    First,
    /// To the last.
    Last,
    /// One cell to the left.
    Left,
    /// One cell to the right.
    Right,
    /// A screen down.
    PageDown,
    /// A screen up.
    PageUp,
    /// The detail of the selected row.
    Open,
    /// Back to where one came from; on the subnet it clears the filter, then the marks.
    Back,
    /// The next view.
    NextView,
    /// The view before.
    PreviousView,
    /// Edits the filter line.
    Filter,
    /// Sorts by the next column.
    Sort,
    /// Reverses the order.
    Reverse,
    /// Shows or hides ex-members.
    ExMembers,
    /// Copies a public field of the selected row.
    Copy,
    /// Tests the selected row as a validator would; in You: whether a validator would see oneself.
    Probe,
    /// Tests many rows, or ends that.
    Sweep,
    /// Asks the selected row's bucket for a listing.
    List,
    /// Puts the own keys to the test, if the operator says so.
    SelfTest,
    /// Verifies the marked rows or the selected one, signatures included.
    Verify,
    /// The operator has read what sources contradict each other about.
    Acknowledge,
    /// Marks the selected row, or takes its mark away.
    Mark,
    /// Shows only the rows whose test failed, or all of them again.
    Failed,
    /// The map of uids.
    Map,
    /// The own credentials.
    You,
    /// The log.
    Logs,
    /// Holds live updates back, or lets them in again.
    Pause,
    /// Connects anew and reads everything again.
    Reconnect,
    /// Plans a commit of the own read credentials, or shows the one under way.
    Commit,
    /// Waits no longer for a registration, and drops the key.
    CancelWaiting,
    /// Replaces keys step by step, or shows how far that is.
    Rotate,
    /// Asks whether to roll the open rotation back.
    RollBack,
    /// The command palette.
    Palette,
    /// The help.
    Help,
    /// Leaves.
    Quit,
    /// Draws everything anew.
    Redraw,
    /// Gives the terminal back to the shell until it continues the console.
    Suspend,
    /// Leaves from anywhere.
    ForceQuit,
    /// Takes what was typed or chosen.
    Accept,
    /// Leaves the line, the chooser or the dialog without it.
    Cancel,
    /// The next of the answers.
    NextChoice,
    /// The answer before.
    PreviousChoice,
}

/// A command's texts.
#[derive(Debug)]
pub struct Spec {
    /// The command.
    pub command: Command,
    /// Its name in the key map.
    pub name: &'static str,
    /// Its word in the footer.
    pub hint: &'static str,
    /// Its sentence in the help.
    pub what: &'static str,
    /// The views in which it does something.
    pub views: &'static [View],
    /// Its rank in the footer, 0 for never; the highest stay when the line is narrow.
    pub rank: u8,
}

use Command as C;
use View as V;

const ANYWHERE: &[View] = &View::ALL;
const WITH_ROW: &[View] = &[V::Subnet, V::Map, V::Detail];
const ROWS: &[View] = &[V::Subnet, V::Map];
const TABLE: &[View] = &[V::Subnet];
const MAP: &[View] = &[V::Map];
const OWN: &[View] = &[V::You];
const DETAIL: &[View] = &[V::Detail];

const fn spec(
    command: Command,
    name: &'static str,
    hint: &'static str,
    what: &'static str,
    views: &'static [View],
    rank: u8,
) -> Spec {
    Spec { command, name, hint, what, views, rank }
}

const TESTABLE: &[View] = &[V::Subnet, V::Map, V::Detail, V::You];

/// Every command, in the order of footer and help.
pub const SPECS: [Spec; 44] = [
    spec(C::Open, "open", "detail", "Show everything known about the selected row", ROWS, 8),
    spec(C::Back, "back", "back", "Go back; on the subnet: clear the filter, then the marks", ANYWHERE, 8),
    spec(
        C::Commit,
        "commit",
        "commit",
        "Plan a commit of your read credentials, then publish it if you say so",
        ANYWHERE,
        7,
    ),
    spec(C::CancelWaiting, "disarm", "disarm", "Wait no longer for a registration, and drop the key", ANYWHERE, 7),
    spec(C::Rotate, "rotate", "rotate", "Replace your keys step by step, or see how far that is", ANYWHERE, 5),
    spec(C::RollBack, "turn_back", "roll back", "Ask whether to roll the open rotation back", ANYWHERE, 6),
    spec(
        C::Probe,
        "probe",
        "test read",
        "Test the row as a validator reads it; in You: would a validator see you?",
        TESTABLE,
        7,
    ),
    spec(
        C::Sweep,
        "sweep",
        "test all",
        "Test the marked rows, else the filtered ones, else all; again: end that",
        WITH_ROW,
        6,
    ),
    spec(
        C::SelfTest,
        "self_test",
        "test keys",
        "Test your own keys: write a canary into your bucket, read it back, remove it",
        OWN,
        7,
    ),
    spec(
        C::List,
        "list",
        "list bucket",
        "List what the row's bucket holds under grail/; nothing else ever lists a bucket",
        DETAIL,
        3,
    ),
    spec(
        C::Verify,
        "verify",
        "verify",
        "Verify the marked rows, else the selected one: second operator, state proof, signature",
        WITH_ROW,
        3,
    ),
    spec(
        C::Acknowledge,
        "read_dispute",
        "read it",
        "Sources contradict each other, and you have read how: writing is your decision from then on",
        ANYWHERE,
        9,
    ),
    spec(C::Mark, "mark", "mark", "Mark the row for the next test of many, or unmark it", ROWS, 3),
    spec(C::Filter, "filter", "filter", "Filter the table by words and state:… role:… own:… test:… proof:…", ROWS, 7),
    spec(C::Failed, "failed", "failed only", "Show only rows whose test failed, or all again", ROWS, 2),
    spec(C::Sort, "sort", "sort", "Sort by the next column", TABLE, 6),
    spec(C::Reverse, "reverse", "reverse", "Reverse the order", TABLE, 1),
    spec(C::ExMembers, "orphans", "ex-members", "Show or hide ex-members, whose keys are still on chain", TABLE, 3),
    spec(C::Copy, "copy", "copy", "Copy the row's hotkey, bucket or read key id", WITH_ROW, 4),
    spec(C::Map, "fleet", "map", "The map: every uid as one cell with its read test", ANYWHERE, 4),
    spec(C::You, "you", "you", "Your credentials: visibility, sources, drift, findings", ANYWHERE, 5),
    spec(C::Logs, "logs", "logs", "What the console did and what went wrong", ANYWHERE, 3),
    spec(C::Pause, "freeze", "freeze", "Hold live updates back while you read, or let them in", ANYWHERE, 2),
    spec(C::Reconnect, "reconnect", "refresh", "Connect anew and read the whole subnet again", ANYWHERE, 2),
    spec(C::Palette, "palette", "command", "Find any command by a few letters of its name", ANYWHERE, 1),
    spec(C::Down, "down", "down", "Down", ANYWHERE, 0),
    spec(C::Up, "up", "up", "Up", ANYWHERE, 0),
    spec(C::Left, "left", "left", "To the uid before, on the map", MAP, 0),
    spec(C::Right, "right", "right", "To the next uid, on the map", MAP, 0),
    spec(C::PageDown, "page_down", "page down", "A screen down", ANYWHERE, 0),
    spec(C::PageUp, "page_up", "page up", "A screen up", ANYWHERE, 0),
    spec(C::First, "first", "first", "To the first row or line", ANYWHERE, 0),
    spec(C::Last, "last", "last", "To the last row or line; in the log: follow new lines", ANYWHERE, 0),
    spec(C::NextView, "next_view", "next view", "Next view: subnet, map, detail, you, logs, help", ANYWHERE, 1),
    spec(C::PreviousView, "previous_view", "view before", "The view before", ANYWHERE, 0),
    spec(C::Help, "help", "help", "This help", ANYWHERE, 9),
    spec(C::Quit, "quit", "quit", "Leave the console", ANYWHERE, 10),
    spec(C::Redraw, "redraw", "redraw", "Draw the whole screen again", ANYWHERE, 0),
    spec(C::Suspend, "suspend", "suspend", "Back to the shell for a while; `fg` there comes back here", ANYWHERE, 0),
    spec(C::ForceQuit, "force_quit", "leave", "Leave from anywhere, also while typing", ANYWHERE, 0),
    spec(C::Accept, "accept", "apply", "Take what was typed or chosen", ANYWHERE, 9),
    spec(C::Cancel, "cancel", "cancel", "Go back without it", ANYWHERE, 8),
    spec(C::NextChoice, "next_choice", "choose", "To the next answer of a question", ANYWHERE, 7),
    spec(C::PreviousChoice, "previous_choice", "choose", "To the answer before", ANYWHERE, 0),
];

impl Spec {
    /// Whether the palette offers it: moving about and answering questions are no commands to look for.
    pub const fn offered(&self) -> bool {
        !matches!(
            self.command,
            C::Accept
                | C::Cancel
                | C::NextChoice
                | C::PreviousChoice
                | C::Palette
                | C::Down
                | C::Up
                | C::Left
                | C::Right
                | C::PageDown
                | C::PageUp
                | C::First
                | C::Last
        )
    }
}

impl Command {
    /// The command's texts.
    pub fn spec(self) -> &'static Spec {
        // SPECS names every command once, which a test checks; the fallback keeps this total.
        SPECS.iter().find(|spec| spec.command == self).unwrap_or(&SPECS[0])
    }

    /// The command of that name.
    pub fn named(name: &str) -> Option<Self> {
        SPECS.iter().find(|spec| spec.name == name).map(|spec| spec.command)
    }
}

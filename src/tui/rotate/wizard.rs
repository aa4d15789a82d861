//! A rotation before it is one: what is replaced, the new keys by their lengths, the grace, and a last look.

use serde::Serialize;
use tui_input::InputRequest;

use crate::domain::account::{KEY_ID_CHARS, SECRET_CHARS};
use crate::domain::rotation::messages::{RotateOrder, Sides};
use crate::domain::rotation::{DEFAULT_GRACE, LEAST_GRACE, MOST_GRACE};
use crate::domain::variables::Variable;
use crate::tui::commit::Choice;
use crate::tui::keymap::{Command, KeyMode};

/// Digits of the longest grace.
const DIGITS: usize = 5;

/// What is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum What {
    /// The read pair.
    #[default]
    Read,
    /// The write pair.
    Write,
    /// Both.
    Both,
    /// The write pair, because it leaked.
    Emergency,
}

impl What {
    /// In the order of the screen.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Both, Self::Emergency];

    /// Which pairs that are.
    pub const fn sides(self) -> Sides {
        match self {
            Self::Read => Sides { read: true, write: false },
            Self::Write | Self::Emergency => Sides { read: false, write: true },
            Self::Both => Sides { read: true, write: true },
        }
    }

    /// The words of the choice.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Read => "Read key",
            Self::Write => "Write key",
            Self::Both => "Both keys",
            Self::Emergency => "EMERGENCY: a write key leaked",
        }
    }

    /// What it means for validators.
    pub const fn means(self) -> &'static str {
        match self {
            Self::Read => "The new key is published; validators change over during the grace.",
            Self::Write => "Validators see nothing of it: vault and .env change, the chain does not.",
            Self::Both => "The read key is published, the write key stays here; one grace for both.",
            Self::Emergency => "Revoke its token first, no grace; validators read on with the read key.",
        }
    }
}

/// A place to type in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub enum Field {
    /// Access key id of the read pair.
    #[default]
    ReadId,
    /// Secret of the read pair.
    ReadSecret,
    /// Access key id of the write pair.
    WriteId,
    /// Secret of the write pair.
    WriteSecret,
    /// Length of the grace, in blocks: no secret.
    Grace,
}

impl Field {
    /// The masked ones, in order; their places in [`Wizard::lengths`].
    pub const MASKED: [Self; 4] = [Self::ReadId, Self::ReadSecret, Self::WriteId, Self::WriteSecret];

    /// Its place among the masked ones.
    pub const fn index(self) -> Option<usize> {
        match self {
            Self::ReadId => Some(0),
            Self::ReadSecret => Some(1),
            Self::WriteId => Some(2),
            Self::WriteSecret => Some(3),
            Self::Grace => None,
        }
    }

    /// Whether it belongs to these pairs.
    pub const fn is_of(self, sides: Sides) -> bool {
        match self {
            Self::ReadId | Self::ReadSecret => sides.read,
            Self::WriteId | Self::WriteSecret => sides.write,
            Self::Grace => true,
        }
    }

    /// The variable by whose name a `.env` line fills it.
    pub const fn variable(self) -> Option<Variable> {
        match self {
            Self::ReadId => Some(Variable::ReadKeyId),
            Self::ReadSecret => Some(Variable::ReadSecret),
            Self::WriteId => Some(Variable::WriteKeyId),
            Self::WriteSecret => Some(Variable::WriteSecret),
            Self::Grace => None,
        }
    }

    /// The most characters that its value may have: its place in a commitment.
    pub const fn most(self) -> usize {
        match self {
            Self::ReadId | Self::WriteId => KEY_ID_CHARS,
            Self::ReadSecret | Self::WriteSecret => SECRET_CHARS,
            Self::Grace => DIGITS,
        }
    }

    /// Its label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ReadId => "read key id",
            Self::ReadSecret => "read secret",
            Self::WriteId => "write key id",
            Self::WriteSecret => "write secret",
            Self::Grace => "grace",
        }
    }
}

/// The pages of the wizard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum WizardStep {
    /// What to replace.
    #[default]
    What,
    /// The new keys.
    Keys,
    /// What will happen.
    Summary,
    /// It was ordered; nothing was heard yet.
    Begun,
}

/// New keys being entered.
#[derive(Debug, Clone, Serialize)]
pub struct Wizard {
    /// The page.
    pub step: WizardStep,
    /// What is replaced.
    pub what: What,
    /// Characters typed into each masked field.
    pub lengths: [usize; 4],
    /// The field that is typed into.
    pub focus: Field,
    /// The grace as it was typed, in blocks.
    pub grace: String,
    /// The answer to whether to begin.
    pub choice: Choice,
}

impl Default for Wizard {
    fn default() -> Self {
        Self {
            step: WizardStep::What,
            what: What::default(),
            lengths: [0; 4],
            focus: Field::default(),
            grace: DEFAULT_GRACE.to_string(),
            choice: Choice::No,
        }
    }
}

/// What a command comes to.
pub(super) enum Outcome {
    /// Nothing beyond the wizard.
    Stays,
    /// It is left.
    Left,
    /// The rotation is to begin.
    Begins(RotateOrder),
}

impl Wizard {
    /// What keys are for on the page.
    pub const fn keys(&self) -> KeyMode {
        match self.step {
            WizardStep::What => KeyMode::Choose,
            WizardStep::Keys => KeyMode::Keys,
            WizardStep::Summary => KeyMode::Confirm,
            WizardStep::Begun => KeyMode::Dialog,
        }
    }

    /// The fields of the page, in order.
    pub fn fields(&self) -> Vec<Field> {
        let masked = Field::MASKED.into_iter().filter(|field| field.is_of(self.what.sides()));
        let grace = (self.what != What::Emergency).then_some(Field::Grace);
        masked.chain(grace).collect()
    }

    /// Characters in a field.
    pub fn chars(&self, field: Field) -> usize {
        field.index().map_or_else(|| self.grace.len(), |index| self.lengths[index])
    }

    /// The grace, in blocks, where what was typed is one.
    pub fn blocks(&self) -> Option<u64> {
        match self.what {
            What::Emergency => Some(0),
            _ => self.grace.parse().ok().filter(|blocks| *blocks <= MOST_GRACE),
        }
    }

    /// Whether validators may still read with the old key when the grace is over.
    pub fn is_short(&self) -> bool {
        self.what.sides().read && self.blocks().is_some_and(|blocks| blocks < LEAST_GRACE)
    }

    /// The first field that nothing was typed into.
    pub fn empty(&self) -> Option<Field> {
        self.fields().into_iter().find(|field| self.chars(*field) == 0)
    }

    /// The first field that holds more than its value can be.
    pub fn too_long(&self) -> Option<Field> {
        self.fields().into_iter().find(|field| self.chars(*field) > field.most())
    }

    fn forget(&mut self) {
        self.lengths = [0; 4];
        self.focus = self.fields().first().copied().unwrap_or_default();
        self.choice = Choice::No;
    }

    /// Back to entering, with nothing of what was typed: the keys went with the order.
    pub(super) fn again(&mut self) {
        self.forget();
        self.step = WizardStep::Keys;
    }

    /// Types into the grace; of everything else nothing is known here.
    pub(super) fn typed(&mut self, request: InputRequest) {
        if self.step != WizardStep::Keys || self.focus != Field::Grace {
            return;
        }
        match request {
            InputRequest::InsertChar(c) if c.is_ascii_digit() && self.grace.len() < DIGITS => self.grace.push(c),
            InputRequest::DeletePrevChar => drop(self.grace.pop()),
            InputRequest::DeletePrevWord | InputRequest::DeleteFromStart => self.grace.clear(),
            _ => {}
        }
    }

    /// A command on the page.
    pub(super) fn on_command(&mut self, command: Command) -> Outcome {
        match self.step {
            WizardStep::What => return self.choosing(command),
            WizardStep::Keys => self.entering(command),
            WizardStep::Summary => return self.deciding(command),
            WizardStep::Begun if command == Command::Cancel => return Outcome::Left,
            WizardStep::Begun => {}
        }
        Outcome::Stays
    }

    fn choosing(&mut self, command: Command) -> Outcome {
        let at = What::ALL.iter().position(|what| *what == self.what).unwrap_or_default();
        match command {
            Command::Down => self.what = What::ALL[(at + 1).min(What::ALL.len() - 1)],
            Command::Up => self.what = What::ALL[at.saturating_sub(1)],
            Command::Accept => self.again(),
            Command::Cancel => return Outcome::Left,
            _ => {}
        }
        Outcome::Stays
    }

    fn entering(&mut self, command: Command) {
        match command {
            Command::NextChoice => self.focus = self.neighbour(1),
            Command::PreviousChoice => self.focus = self.neighbour(self.fields().len() - 1),
            Command::Accept => self.further(),
            Command::Cancel => {
                self.forget();
                self.step = WizardStep::What;
            }
            _ => {}
        }
    }

    fn neighbour(&self, by: usize) -> Field {
        let fields = self.fields();
        let at = fields.iter().position(|field| *field == self.focus).unwrap_or_default();
        fields[(at + by) % fields.len()]
    }

    /// To the first field that is empty, then to the grace, then to the summary.
    fn further(&mut self) {
        let last = self.fields().last().copied();
        match self.too_long().or_else(|| self.empty()) {
            Some(field) => self.focus = field,
            None if Some(self.focus) != last && last == Some(Field::Grace) => self.focus = Field::Grace,
            None if self.blocks().is_some() => {
                self.choice = Choice::No;
                self.step = WizardStep::Summary;
            }
            None => {}
        }
    }

    fn deciding(&mut self, command: Command) -> Outcome {
        match (command, self.choice) {
            (Command::NextChoice | Command::PreviousChoice, Choice::No) => self.choice = Choice::Yes,
            (Command::NextChoice | Command::PreviousChoice, Choice::Yes) => self.choice = Choice::No,
            (Command::Accept, Choice::Yes) => return self.begin(),
            (Command::Accept | Command::Cancel, _) => self.step = WizardStep::Keys,
            _ => {}
        }
        Outcome::Stays
    }

    fn begin(&mut self) -> Outcome {
        let (None, Some(grace)) = (self.empty(), self.blocks()) else { return Outcome::Stays };
        self.forget();
        self.step = WizardStep::Begun;
        let (sides, emergency) = (self.what.sides(), self.what == What::Emergency);
        Outcome::Begins(RotateOrder::Begin { sides, grace, emergency })
    }
}

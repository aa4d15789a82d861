//! The state between the event loop and the world: messages in, effects performed, and what is typed masked kept beside it.

use std::io;

use crossterm::event::Event;
use zeroize::Zeroizing;

use crate::domain::commit::messages::RequestId;
use crate::domain::commit::outcome::Rule;
use crate::domain::commit::{Ended, News, Order};
use crate::domain::log::Level;
use crate::domain::rotation::messages::{RotateNews, RotateOrder, Typed};
use crate::engine::service::{Event as EngineEvent, Request, Requests};
use crate::tui::commit::forbidden;
use crate::tui::input::Input;
use crate::tui::keymap::{Action, KeyMode, is_of_another_layout};
use crate::tui::msg::{Effect, Msg};
use crate::tui::rotate::{self, Field};
use crate::tui::runner::{Aside, Done, Keeper, RunError};
use crate::tui::secret_entry::SecretEntry;
use crate::tui::secret_line::SecretLine;
use crate::tui::state::{Mode, State};
use crate::tui::update::update;

/// The state with what its effects need.
pub(super) struct Shell<A> {
    pub(super) state: State,
    pub(super) requests: Requests,
    /// The password while it is typed, which the state must not hold.
    pub(super) password: SecretLine,
    /// The same of new keys.
    pub(super) entry: SecretEntry,
    pub(super) now_ms: Box<dyn Fn() -> u64 + Send>,
    pub(super) keeper: Keeper,
    pub(super) aside: A,
    /// The name of the window.
    pub(super) title: String,
    pub(super) presence: Presence,
}

/// Whether the picture is on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is, as it was drawn last.
    Shown,
    /// Every cell must be drawn anew.
    Damaged,
    /// The terminal was given back until the process is continued.
    Stopped,
}

impl<A: Fn(Aside<'_>) -> io::Result<Done>> Shell<A> {
    /// Names the window. A terminal without names is no reason to stop.
    pub(super) fn name_window(&self) {
        let _ = (self.aside)(Aside::Title(&self.title));
    }

    pub(super) fn tell_time(&mut self) {
        update(&mut self.state, Msg::Tick { now_ms: (self.now_ms)() });
    }

    /// Hands a message in and performs what follows. Whether to leave.
    pub(super) fn take(&mut self, msg: Msg) -> bool {
        self.tell_time();
        let mut quit = false;
        for effect in update(&mut self.state, msg) {
            quit |= self.perform(effect);
        }
        // Sent, given up, or no longer asked for: whatever it was, a password outlives its line by nothing.
        if quit || self.state.keys() != KeyMode::Password {
            self.password.wipe();
        }
        self.entry.keep(rotate::entering(&self.state).filter(|_| !quit));
        quit
    }

    /// Whether to leave after it.
    pub(super) fn on_input(&mut self, input: Input) -> Result<bool, RunError> {
        match input {
            Input::Terminal(event) => return Ok(self.on_terminal(event)),
            Input::Background(theme) => return Ok(self.take(Msg::Background(theme))),
            Input::Redraw if self.presence == Presence::Stopped => {}
            Input::Redraw => self.presence = Presence::Damaged,
            Input::Stop => {
                if (self.aside)(Aside::Stop).map_err(RunError::Draw)? == Done::Yes {
                    self.presence = Presence::Stopped;
                }
            }
            Input::Continued => {
                (self.aside)(Aside::Continue).map_err(RunError::Draw)?;
                self.name_window();
                self.presence = Presence::Damaged;
            }
        }
        Ok(false)
    }

    fn on_terminal(&mut self, event: Event) -> bool {
        let mode = self.state.keys();
        let msg = match event {
            Event::Key(key) => match self.state.keymap.action(mode, key) {
                Some(action) => return self.act(mode, action),
                None if is_of_another_layout(mode, key) => Some(Msg::OtherLayout),
                None => None,
            },
            Event::Paste(text) => self.paste(mode, Zeroizing::new(text)),
            Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
        };
        msg.is_some_and(|msg| self.take(msg))
    }

    /// What is typed into a masked line stays here; everything else is a message.
    fn act(&mut self, mode: KeyMode, action: Action) -> bool {
        let field = rotate::field(&self.state).filter(|_| mode == KeyMode::Keys);
        let msg = match (action, field) {
            (Action::Edit(request), _) if mode == KeyMode::Password => {
                self.edit_password(|password| password.edit(request))
            }
            (Action::Edit(request), Some(field)) if field != Field::Grace => {
                self.enter(|entry| entry.edit(field, request))
            }
            (Action::Command(_), Some(field)) => {
                self.sort(field);
                Msg::Key(action)
            }
            (action, _) => Msg::Key(action),
        };
        self.take(msg)
    }

    /// A pasted text goes into the masked line that is typed into, and nowhere else while keys are about.
    fn paste(&mut self, mode: KeyMode, mut text: Zeroizing<String>) -> Option<Msg> {
        match (mode, rotate::field(&self.state).zip(rotate::entering(&self.state))) {
            (KeyMode::Password, _) => Some(self.edit_password(|password| password.paste(&text))),
            (KeyMode::Keys, Some((field, sides))) => Some(self.enter(|entry| entry.paste(field, sides, &text))),
            _ if matches!(self.state.mode, Mode::Rotate) => None,
            _ => Some(Msg::Paste(std::mem::take(&mut *text))),
        }
    }

    /// The state hears how long the new keys are, never what they are.
    fn enter(&mut self, edit: impl FnOnce(&mut SecretEntry)) -> Msg {
        edit(&mut self.entry);
        Msg::KeysTyped { lengths: self.entry.lengths() }
    }

    fn sort(&mut self, field: Field) {
        if let Some(sides) = rotate::entering(&self.state)
            && self.entry.sort(field, sides)
        {
            let lengths = self.entry.lengths();
            self.take(Msg::KeysTyped { lengths });
        }
    }

    /// The state hears how long the password is, never what it is.
    fn edit_password(&mut self, edit: impl FnOnce(&mut SecretLine)) -> Msg {
        edit(&mut self.password);
        Msg::Typed { chars: self.password.chars() }
    }

    /// Hands an order on. Nothing is published past this place while that is forbidden, whatever led here.
    fn order(&mut self, order: Order) -> bool {
        let (Order::Publish(request) | Order::PublishWhenRegistered(request)) = order else {
            (self.requests)(Request::Commit(order), Typed::default());
            return false;
        };
        match forbidden(&self.state) {
            None => {
                let typed = Typed { password: self.password.take(), ..Typed::default() };
                (self.requests)(Request::Commit(order), typed);
                false
            }
            Some(rule) => self.refuse(request, rule),
        }
    }

    fn refuse(&mut self, request: RequestId, rule: Rule) -> bool {
        let ended = Ended::Refused(rule);
        tracing::warn!("nothing was published: {}", ended.finding().summary);
        self.take(Msg::Event(EngineEvent::Commit(News::Ended { request, ended: Box::new(ended) })))
    }

    /// Hands an order of a rotation on, with what was typed for it. Nothing is changed past this place while that is
    /// forbidden: one may look, and let go of the lock.
    fn rotate(&mut self, order: RotateOrder) -> bool {
        let harmless = matches!(order, RotateOrder::Look | RotateOrder::Leave);
        if let Some(rule) = rotate::forbidden(&self.state).filter(|_| !harmless) {
            let finding = Ended::Refused(rule).finding();
            tracing::warn!("the rotation was not touched: {}", finding.summary);
            self.entry.keep(None);
            return self.take(Msg::Event(EngineEvent::Rotate(RotateNews::Refused(finding))));
        }
        let mut typed = Typed::default();
        match order {
            RotateOrder::Begin { sides, .. } => {
                typed.read = self.entry.take(Field::ReadId, Field::ReadSecret).filter(|_| sides.read);
                typed.write = self.entry.take(Field::WriteId, Field::WriteSecret).filter(|_| sides.write);
            }
            RotateOrder::Publish(_) => typed.password = self.password.take(),
            _ => {}
        }
        (self.requests)(Request::Rotate(order), typed);
        false
    }

    /// Whether the effect is to leave.
    pub(super) fn perform(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Quit => return true,
            Effect::Ask(Request::Commit(order)) => return self.order(order),
            Effect::Ask(Request::Rotate(order)) => return self.rotate(order),
            Effect::Ask(request) => (self.requests)(request, Typed::default()),
            Effect::Log { level, text } => log(level, &text),
            Effect::Keep(snapshot) => self.keeper.pending = Some(snapshot),
            Effect::Redraw => self.presence = Presence::Damaged,
            Effect::Suspend => match (self.aside)(Aside::AskToStop) {
                Ok(Done::Yes) => {}
                Ok(Done::NoShell) => return self.take(Msg::NoShell),
                Err(error) => tracing::warn!("the console could not be suspended: {error}"),
            },
            Effect::Copy(text) => {
                if let Err(error) = (self.aside)(Aside::Copy(&text)) {
                    tracing::warn!("the terminal did not take the copy: {error}");
                }
            }
        }
        false
    }
}

/// A line of the state's own for the log.
fn log(level: Level, text: &str) {
    match level {
        Level::Error => tracing::error!("{text}"),
        Level::Warn => tracing::warn!("{text}"),
        Level::Info => tracing::info!("{text}"),
        Level::Debug => tracing::debug!("{text}"),
        Level::Trace => tracing::trace!("{text}"),
    }
}

//! The shell around the pure half: it waits, hands messages in, performs effects, draws. Nothing else does any of that.
//!
//! Messages come before keys, so that an answer that arrived is seen before the key that was pressed on it; the screen
//! is drawn when something changed and nothing is waiting.

use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use futures::{Stream, StreamExt as _, stream};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::layout::{Position, Rect};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use crate::domain::ascii;
use crate::domain::commitment::Published;
use crate::domain::rotation::messages::RotateOrder;
use crate::domain::snapshot::SubnetSnapshot;
use crate::engine::own::OwnInfo;
use crate::engine::service::{Event, Request, Requests};
use crate::tui::clamped::Clamped;
use crate::tui::commit::Watch;
use crate::tui::input::Input;
use crate::tui::keymap::KeyMap;
use crate::tui::listen;
use crate::tui::logbook::LogLine;
use crate::tui::msg::{Effect, Msg};
use crate::tui::secret_entry::SecretEntry;
use crate::tui::secret_line::SecretLine;
use crate::tui::shell::{Presence, Shell};
use crate::tui::state::{Background, Options, State};
use crate::tui::terminal::{Held, TerminalError, is_gone};
use crate::tui::{job, terminal, view};

/// Ages are told in seconds.
const TICK: Duration = Duration::from_secs(1);
/// What moves by itself moves this often.
const LIVELY: Duration = Duration::from_millis(200);
/// The subnet is written to disk at most this often, and once more on leaving.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// How long leaving waits for that: leaving must feel instant, and an unwritten subnet is read anew at the next start.
const LAST_KEEP: Duration = Duration::from_millis(300);
/// How long the terminal may take to tell its background; a later answer changes nothing.
const BACKGROUND: Duration = Duration::from_secs(1);
/// Messages after which the screen is drawn even though more are waiting.
const UNDRAWN: usize = 256;

/// Where the log's lines come from.
pub struct LogSource {
    /// The lines kept after a number (all for 0), oldest first.
    pub after: Box<dyn Fn(u64) -> Vec<LogLine> + Send>,
    /// Rung when there are new ones.
    pub news: Arc<Notify>,
}

/// Everything the console needs from the world.
pub struct Setup {
    /// What was decided before it opens.
    pub options: Options,
    /// The operator's own side.
    pub own: OwnInfo,
    /// The keys.
    pub keymap: KeyMap,
    /// The value of `TERM`.
    pub term: Option<String>,
    /// The subnet as the last session left it, and when that was saved, in ms since 1970.
    pub saved: Option<(Box<SubnetSnapshot>, u64)>,
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// Asks for something; must not block. What is read-only or frozen never gets here to publish, nor to change anything of
    /// a rotation. One look at the open rotation is asked for at the start.
    pub requests: Requests,
    /// What this machine's journal says was published from here, so that it is no surprise to find it on chain.
    pub known: Vec<Published>,
    /// The log.
    pub logs: LogSource,
    /// Writes the subnet to disk; called on a thread that may block, one call at a time. It logs its own failures.
    pub keep: Arc<dyn Fn(&SubnetSnapshot) + Send + Sync>,
    /// The clock, in ms since 1970.
    pub now_ms: Box<dyn Fn() -> u64 + Send>,
}

/// How the console was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By the operator.
    Quit,
    /// By a signal, or because the terminal went away.
    Interrupted,
}

/// Why the console could not open or go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The terminal is not one that can be drawn on.
    #[error(transparent)]
    Terminal(#[from] TerminalError),
    /// Writing to it failed.
    #[error("the screen could not be drawn ({0}): is the terminal still there?")]
    Draw(io::Error),
}

/// Something for the terminal besides the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside<'a> {
    /// Put this on its clipboard.
    Copy(&'a str),
    /// Name its window.
    Title(&'a str),
    /// Ask this process and those of its group to stop.
    AskToStop,
    /// Give the terminal back and stop.
    Stop,
    /// Take the terminal again.
    Continue,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Yes,
    /// It cannot be done here: there is no shell that would continue the process.
    NoShell,
}

/// Opens the console on this process's terminal. To be awaited on the thread that may panic visibly: the main thread.
pub async fn run(setup: Setup) -> Result<Exit, RunError> {
    // Before the terminal is taken, so that no signal finds it taken and nobody to give it back.
    let interrupted = interrupted().map_err(TerminalError::Io)?;
    let signals = listen::signals().map_err(TerminalError::Io)?;
    terminal::check(setup.term.as_deref(), io::stdout().is_terminal())?;
    let keyboard = listen::keyboard().map_err(|_| TerminalError::NoKeyboard)?;
    let held = match Held::take(setup.term.as_deref()) {
        Err(TerminalError::Io(error)) if is_gone(&error) => return Ok(Exit::Interrupted),
        taken => taken?,
    };
    let asked = (setup.options.background == Background::Asked).then(Instant::now);
    if asked.is_some() {
        // One that takes no question shows so at the first picture.
        let _ = held.ask_background();
    }
    let backend = Clamped(CrosstermBackend::new(io::BufWriter::new(io::stdout())));
    let mut terminal = Terminal::new(backend).map_err(RunError::Draw)?;
    let aside = |aside: Aside<'_>| on_aside(&held, aside);
    let inputs = stream::select(listen::keys(keyboard), signals);
    match drive(setup, &mut terminal, inputs, interrupted, aside).await {
        Err(RunError::Draw(error)) if is_gone(&error) => Ok(Exit::Interrupted),
        left => {
            // An answer that is still on its way must not reach the shell as if somebody had typed it: the keys are read on.
            if let Some(asked) = asked {
                sleep(BACKGROUND.saturating_sub(asked.elapsed())).await;
            }
            left
        }
    }
}

fn on_aside(held: &Held, aside: Aside<'_>) -> io::Result<Done> {
    let done = |may: bool| if may { Done::Yes } else { Done::NoShell };
    match aside {
        Aside::Copy(text) => held.copy(text).map(|()| Done::Yes),
        Aside::Title(title) => held.set_title(title).map(|()| Done::Yes),
        Aside::AskToStop => job::ask_to_stop().map(done),
        Aside::Stop if !job::has_shell() => Ok(Done::NoShell),
        Aside::Stop => {
            held.give_back();
            job::stop().map(|()| Done::Yes)
        }
        Aside::Continue => held.take_again().map(|()| Done::Yes),
    }
}

/// Ends when a signal asks the process to leave, be it one that would kill it without a word. The handlers stand before
/// this returns.
pub fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let kinds = [
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ];
    let mut signals = kinds.into_iter().map(signal).collect::<io::Result<Vec<_>>>()?;
    Ok(async move {
        select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
    })
}

/// The console on any backend, fed by any events, until it is left.
pub async fn drive<B, I, E>(
    setup: Setup,
    terminal: &mut Terminal<B>,
    mut inputs: I,
    interrupted: impl Future<Output = ()>,
    aside: impl Fn(Aside<'_>) -> io::Result<Done>,
) -> Result<Exit, RunError>
where
    B: Backend,
    B::Error: Into<io::Error>,
    I: Stream<Item = io::Result<E>> + Unpin,
    E: Into<Input>,
{
    let Setup { options, own, keymap, saved, mut events, requests, known, logs, keep, now_ms, .. } = setup;
    let title = format!("grail-console · {} · subnet {}", options.network, options.netuid);
    let title = if options.glyphs.is_ascii() { ascii::text(&title) } else { title };
    let mut state = State::new(options, own, keymap);
    state.commits.watch = Watch::knowing(known);
    let (keeper, password, entry) = (Keeper::new(keep), SecretLine::new(), SecretEntry::new());
    let answers_until = Instant::now() + BACKGROUND;
    let mut shell =
        Shell { state, requests, password, entry, now_ms, keeper, aside, title, presence: Presence::Damaged };
    // Before anything is arranged to fit the screen.
    redraw(&mut shell, terminal)?;
    if let Some((snapshot, saved_at_ms)) = saved {
        shell.take(Msg::CachedSnapshot { snapshot, saved_at_ms });
    }
    shell.take(Msg::Logs((logs.after)(0)));
    shell.perform(Effect::Ask(Request::Rotate(RotateOrder::Look)));
    shell.name_window();

    tokio::pin!(interrupted);
    let [mut ticks, mut lively] = [TICK, LIVELY].map(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    lively.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut undrawn = 1;
    let exit = loop {
        let quit = tokio::select! {
            biased;
            () = &mut interrupted => break Exit::Interrupted,
            Some(event) = events.recv(), if undrawn < UNDRAWN => shell.take(Msg::Event(event)),
            () = logs.news.notified(), if undrawn < UNDRAWN => {
                let last = shell.state.logs.last_seq();
                shell.take(Msg::Logs((logs.after)(last)))
            }
            input = inputs.next(), if undrawn < UNDRAWN => match input.map(|input| input.map(Into::into)) {
                Some(Ok(Input::Background(_))) if Instant::now() > answers_until => continue,
                Some(Ok(input)) => shell.on_input(input)?,
                Some(Err(_)) | None => break Exit::Interrupted,
            },
            _ = ticks.tick(), if shell.state.ages() && undrawn < UNDRAWN => false,
            _ = lively.tick(), if shell.state.animates() && undrawn < UNDRAWN => false,
            () = shell.keeper.due() => {
                shell.keeper.start();
                continue;
            }
            () = std::future::ready(()), if undrawn > 0 && shell.presence != Presence::Stopped => {
                shell.tell_time();
                if shell.presence == Presence::Damaged {
                    redraw(&mut shell, terminal)?;
                }
                terminal.draw(|frame| view::render(&shell.state, frame)).map_err(|error| RunError::Draw(error.into()))?;
                undrawn = 0;
                continue;
            }
        };
        if quit {
            break Exit::Quit;
        }
        undrawn += 1;
        if shell.presence == Presence::Stopped {
            undrawn = 1;
        }
    };
    shell.keeper.finish().await;
    Ok(exit)
}

/// Finds out the terminal's size, and has every cell of the next picture drawn.
fn redraw<B, A>(shell: &mut Shell<A>, terminal: &mut Terminal<B>) -> Result<(), RunError>
where
    B: Backend,
    B::Error: Into<io::Error>,
    A: Fn(Aside<'_>) -> io::Result<Done>,
{
    let failed = |error: B::Error| RunError::Draw(error.into());
    let size = terminal.size().map_err(failed)?;
    terminal.resize(Rect::from((Position::ORIGIN, size))).map_err(failed)?;
    shell.presence = Presence::Shown;
    shell.take(Msg::Resize { width: size.width, height: size.height });
    Ok(())
}

/// Writes the newest subnet to disk now and then, one write at a time, never on the drawing thread.
pub(super) struct Keeper {
    keep: Arc<dyn Fn(&SubnetSnapshot) + Send + Sync>,
    pub(super) pending: Option<Arc<SubnetSnapshot>>,
    writing: Option<JoinHandle<()>>,
    not_before: Instant,
}

impl Keeper {
    fn new(keep: Arc<dyn Fn(&SubnetSnapshot) + Send + Sync>) -> Self {
        Self { keep, pending: None, writing: None, not_before: Instant::now() }
    }

    /// Ready when there is something to write and nothing is being written; otherwise never.
    async fn due(&mut self) {
        if self.pending.is_none() {
            return std::future::pending().await;
        }
        sleep_until(self.not_before).await;
        if let Some(writing) = &mut self.writing {
            // A write that failed has logged it.
            let _ = writing.await;
            self.writing = None;
        }
    }

    fn start(&mut self) {
        let Some(snapshot) = self.pending.take() else { return };
        let keep = Arc::clone(&self.keep);
        self.writing = Some(tokio::task::spawn_blocking(move || keep(&snapshot)));
        self.not_before = Instant::now() + KEEP_EVERY;
    }

    /// Writes what is left, and leaves without it when that takes too long.
    async fn finish(mut self) {
        let all = async {
            if let Some(writing) = self.writing.take() {
                let _ = writing.await;
            }
            self.start();
            if let Some(writing) = self.writing.take() {
                let _ = writing.await;
            }
        };
        let _ = timeout(LAST_KEEP, all).await;
    }
}

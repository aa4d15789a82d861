//! The shell around the pure half: it waits, hands messages in, performs effects, draws. Nothing else does any of that.
//!
//! Messages come before keys, so that an answer that arrived is seen before the key that was pressed on it; the screen
//! is drawn when something changed and nothing is waiting.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event, EventStream};
use futures::{Stream, StreamExt as _};
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use zeroize::Zeroizing;

use crate::domain::commit::outcome::Rule;
use crate::domain::commit::talk::Request;
use crate::domain::commit::{Ended, News, Order};
use crate::domain::commitment::Published;
use crate::domain::feed::FeedEvent;
use crate::domain::log::Level;
use crate::domain::probe::{ProbeNews, ProbeOrder};
use crate::domain::secret::SecretKey;
use crate::domain::snapshot::SubnetSnapshot;
use crate::tui::commit::{Watch, forbidden};
use crate::tui::keymap::{Action, KeyMap, KeyMode};
use crate::tui::logbook::LogLine;
use crate::tui::msg::{Effect, Msg};
use crate::tui::own::OwnInfo;
use crate::tui::secret_line::SecretLine;
use crate::tui::state::{Options, State};
use crate::tui::terminal::{Held, TerminalError};
use crate::tui::update::update;
use crate::tui::view;

/// Ages are told in seconds.
const TICK: Duration = Duration::from_secs(1);
/// What moves by itself moves this often.
const LIVELY: Duration = Duration::from_millis(200);
/// The subnet is written to disk at most this often, and once more on leaving.
const KEEP_EVERY: Duration = Duration::from_secs(30);
/// How long leaving waits for that: leaving must feel instant, and an unwritten subnet is read anew at the next start.
const LAST_KEEP: Duration = Duration::from_millis(300);
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
    /// What the chain tells.
    pub feed: mpsc::Receiver<FeedEvent>,
    /// The operator's own side, whenever it was read again.
    pub own_news: mpsc::Receiver<OwnInfo>,
    /// Performs an order about commits; must not block. The password that was typed comes beside [`Order::Publish`] and
    /// [`Order::Arm`], `None` where none was asked for. What is read-only or frozen never gets here to publish.
    pub desk: Box<dyn Fn(Order, Option<SecretKey>) + Send>,
    /// What is heard of commits.
    pub desk_news: mpsc::Receiver<News>,
    /// Performs an order about read tests; must not block.
    pub tester: Box<dyn Fn(ProbeOrder) + Send>,
    /// What is heard of read tests.
    pub probe_news: mpsc::Receiver<ProbeNews>,
    /// What this machine's journal says was published from here, so that it is no surprise to find it on chain.
    pub known: Vec<Published>,
    /// The log.
    pub logs: LogSource,
    /// Called when the operator asks to connect anew; must not block.
    pub reconnect: Box<dyn Fn() + Send>,
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
}

/// Opens the console on this process's terminal. To be awaited on the thread that may panic visibly: the main thread.
pub async fn run(setup: Setup) -> Result<Exit, RunError> {
    // Before the terminal is taken, so that no signal finds it taken and nobody to give it back.
    let interrupted = interrupted().map_err(TerminalError::Io)?;
    let held = Held::take(setup.term.as_deref())?;
    let backend = CrosstermBackend::new(io::BufWriter::new(io::stdout()));
    let mut terminal = Terminal::new(backend).map_err(RunError::Draw)?;
    let aside = |aside: Aside<'_>| match aside {
        Aside::Copy(text) => held.copy(text),
        Aside::Title(title) => held.set_title(title),
    };
    drive(setup, &mut terminal, EventStream::new(), interrupted, aside).await
}

/// Ends when a signal asks the process to leave. The handlers stand before this returns.
pub fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The console on any backend, fed by any events, until it is left.
pub async fn drive<B, I>(
    setup: Setup,
    terminal: &mut Terminal<B>,
    mut events: I,
    interrupted: impl Future<Output = ()>,
    aside: impl Fn(Aside<'_>) -> io::Result<()>,
) -> Result<Exit, RunError>
where
    B: Backend,
    B::Error: Into<io::Error>,
    I: Stream<Item = io::Result<Event>> + Unpin,
{
    let Setup { options, own, keymap, saved, mut feed, mut own_news, desk, mut desk_news, known, .. } = setup;
    let Setup { tester, mut probe_news, logs, reconnect, keep, now_ms, .. } = setup;
    let title = format!("grail-console · {} · subnet {}", options.network, options.netuid);
    let mut state = State::new(options, own, keymap);
    state.commits.watch = Watch::knowing(known);
    let (keeper, password) = (Keeper::new(keep), SecretLine::new());
    let mut shell = Shell { state, desk, tester, password, reconnect, now_ms, keeper, aside };
    let size = terminal.size().map_err(|error| RunError::Draw(error.into()))?;
    shell.take(Msg::Resize { width: size.width, height: size.height });
    if let Some((snapshot, saved_at_ms)) = saved {
        shell.take(Msg::CachedSnapshot { snapshot, saved_at_ms });
    }
    shell.take(Msg::Logs((logs.after)(0)));
    // A terminal without titles is no reason to stop.
    let _ = (shell.aside)(Aside::Title(&title));

    tokio::pin!(interrupted);
    let [mut ticks, mut lively] = [TICK, LIVELY].map(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    lively.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut undrawn = 1;
    let exit = loop {
        let quit = tokio::select! {
            biased;
            () = &mut interrupted => break Exit::Interrupted,
            Some(event) = feed.recv(), if undrawn < UNDRAWN => shell.take(Msg::Feed(event)),
            Some(news) = desk_news.recv(), if undrawn < UNDRAWN => shell.take(Msg::Commit(news)),
            Some(news) = probe_news.recv(), if undrawn < UNDRAWN => shell.take(Msg::Probe(news)),
            Some(own) = own_news.recv(), if undrawn < UNDRAWN => shell.take(Msg::Own(Box::new(own))),
            () = logs.news.notified(), if undrawn < UNDRAWN => {
                let last = shell.state.logs.last_seq();
                shell.take(Msg::Logs((logs.after)(last)))
            }
            event = events.next(), if undrawn < UNDRAWN => match event {
                Some(Ok(event)) => shell.on_terminal(event),
                Some(Err(_)) | None => break Exit::Interrupted,
            },
            _ = ticks.tick(), if shell.state.ages() && undrawn < UNDRAWN => false,
            _ = lively.tick(), if shell.state.animates() && undrawn < UNDRAWN => false,
            () = shell.keeper.due() => {
                shell.keeper.start();
                continue;
            }
            () = std::future::ready(()), if undrawn > 0 => {
                shell.tell_time();
                terminal.draw(|frame| view::render(&shell.state, frame)).map_err(|error| RunError::Draw(error.into()))?;
                undrawn = 0;
                continue;
            }
        };
        if quit {
            break Exit::Quit;
        }
        undrawn += 1;
    };
    shell.keeper.finish().await;
    Ok(exit)
}

/// The state with what its effects need.
struct Shell<A> {
    state: State,
    desk: Box<dyn Fn(Order, Option<SecretKey>) + Send>,
    tester: Box<dyn Fn(ProbeOrder) + Send>,
    /// The password while it is typed, which the state must not hold.
    password: SecretLine,
    reconnect: Box<dyn Fn() + Send>,
    now_ms: Box<dyn Fn() -> u64 + Send>,
    keeper: Keeper,
    aside: A,
}

impl<A: Fn(Aside<'_>) -> io::Result<()>> Shell<A> {
    fn tell_time(&mut self) {
        update(&mut self.state, Msg::Tick { now_ms: (self.now_ms)() });
    }

    /// Hands a message in and performs what follows. Whether to leave.
    fn take(&mut self, msg: Msg) -> bool {
        self.tell_time();
        let mut quit = false;
        for effect in update(&mut self.state, msg) {
            quit |= self.perform(effect);
        }
        // Sent, given up, or no longer asked for: whatever it was, a password outlives its line by nothing.
        if quit || self.state.keys() != KeyMode::Password {
            self.password.wipe();
        }
        quit
    }

    fn on_terminal(&mut self, event: Event) -> bool {
        let mode = self.state.keys();
        let secret = mode == KeyMode::Password;
        let msg = match event {
            Event::Key(key) => self.state.keymap.action(mode, key).map(|action| match action {
                Action::Edit(request) if secret => self.edit_password(|password| password.edit(request)),
                action => Msg::Key(action),
            }),
            Event::Paste(text) if secret => {
                let text = Zeroizing::new(text);
                Some(self.edit_password(|password| password.paste(&text)))
            }
            Event::Paste(text) => Some(Msg::Paste(text)),
            Event::Resize(width, height) => Some(Msg::Resize { width, height }),
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
        };
        msg.is_some_and(|msg| self.take(msg))
    }

    /// The state hears how long the password is, never what it is.
    fn edit_password(&mut self, edit: impl FnOnce(&mut SecretLine)) -> Msg {
        edit(&mut self.password);
        Msg::Typed { chars: self.password.chars() }
    }

    /// Hands an order on. Nothing is published past this place while that is forbidden, whatever led here.
    fn order(&mut self, order: Order) -> bool {
        let (Order::Publish(request) | Order::Arm(request)) = order else {
            (self.desk)(order, None);
            return false;
        };
        match forbidden(&self.state) {
            None => {
                (self.desk)(order, self.password.take());
                false
            }
            Some(rule) => self.refuse(request, rule),
        }
    }

    fn refuse(&mut self, request: Request, rule: Rule) -> bool {
        let ended = Ended::Refused(rule);
        tracing::warn!("nothing was published: {}", ended.finding().what);
        self.take(Msg::Commit(News::Ended { request, ended: Box::new(ended) }))
    }

    /// Whether the effect is to leave.
    fn perform(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Quit => return true,
            Effect::Reconnect => (self.reconnect)(),
            Effect::Desk(order) => return self.order(order),
            Effect::Probe(order) => (self.tester)(order),
            Effect::Log { level, text } => log(level, &text),
            Effect::Keep(snapshot) => self.keeper.pending = Some(snapshot),
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

/// Writes the newest subnet to disk now and then, one write at a time, never on the drawing thread.
struct Keeper {
    keep: Arc<dyn Fn(&SubnetSnapshot) + Send + Sync>,
    pending: Option<Arc<SubnetSnapshot>>,
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

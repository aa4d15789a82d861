//! The whole console on a test backend: messages in, pictures and effects out.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use futures::Stream;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::commit::{News, Order, Plan};
use grail_console::domain::commitment::Published;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::probe::{ProbeNews, ProbeOrder};
use grail_console::domain::rotation::messages::{RotateNews, RotateOrder, Typed, TypedPair};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::snapshot::SubnetSnapshot;
use grail_console::engine::own::OwnInfo;
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::keymap::KeyMap;
use grail_console::tui::logbook::{Level, LogLine};
use grail_console::tui::runner::{Aside, Done, Exit, LogSource, Setup, drive};
use grail_console::tui::state::Options;
use grail_console::tui::terminal::{self, TerminalError};
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::tui_fixtures::*;

/// A test backend that tells every picture it was given.
struct Watched {
    inner: TestBackend,
    pictures: mpsc::UnboundedSender<String>,
}

impl Backend for Watched {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        self.inner.draw(content).unwrap();
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.pictures.send(text(self.inner.buffer()));
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _: P) -> io::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear().unwrap();
        Ok(())
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.inner.clear_region(clear_type).unwrap();
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.inner.size().unwrap())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(self.inner.window_size().unwrap())
    }
}

/// Tells the console events of one kind.
#[derive(Clone)]
pub struct Teller<T> {
    told: mpsc::Sender<EngineEvent>,
    of: fn(T) -> EngineEvent,
}

impl<T> Teller<T> {
    pub async fn send(&self, what: T) -> Result<(), mpsc::error::SendError<EngineEvent>> {
        self.told.send((self.of)(what)).await
    }
}

/// A running console and the ends of everything it is connected to.
pub struct Console {
    pub feed: Teller<FeedEvent>,
    pub own: Teller<Box<OwnInfo>>,
    pub keys: UnboundedSender<io::Result<Event>>,
    pub signal: Option<oneshot::Sender<()>>,
    pub pictures: mpsc::UnboundedReceiver<String>,
    pub asides: mpsc::UnboundedReceiver<String>,
    pub clock: Arc<AtomicU64>,
    pub reconnects: Arc<AtomicUsize>,
    pub kept: mpsc::UnboundedReceiver<u64>,
    pub log: (Arc<std::sync::Mutex<Vec<LogLine>>>, Arc<Notify>),
    /// Orders that reached the commits, each with the password beside it.
    pub orders: mpsc::UnboundedReceiver<(Order, Option<String>)>,
    pub news: Teller<News>,
    /// Orders that reached the one who tests.
    pub tests: mpsc::UnboundedReceiver<ProbeOrder>,
    pub results: Teller<ProbeNews>,
    /// Orders that reached the one who rotates, each with what was typed for it: read id and secret, write id and secret,
    /// password.
    pub rotations: mpsc::UnboundedReceiver<(RotateOrder, Vec<Option<String>>)>,
    pub rotate: Teller<RotateNews>,
    pub left: JoinHandle<Exit>,
}

pub fn start(saved: Option<SubnetSnapshot>) -> Console {
    start_with(options(), KeyMap::default(), saved, Vec::new())
}

/// A console that may publish.
pub fn start_writing() -> Console {
    start_with(Options { read_only: false, ..options() }, KeyMap::default(), None, Vec::new())
}

pub fn start_with(options: Options, keymap: KeyMap, saved: Option<SubnetSnapshot>, known: Vec<Published>) -> Console {
    let (told, events) = mpsc::channel(64);
    let (keys, key_events) = unbounded();
    let (signal, signalled) = oneshot::channel();
    let (picture, pictures) = mpsc::unbounded_channel();
    let (aside_sender, asides) = mpsc::unbounded_channel();
    let (keep, kept) = mpsc::unbounded_channel();
    let (order, orders) = mpsc::unbounded_channel();
    let (test, tests) = mpsc::unbounded_channel();
    let (turn, rotations) = mpsc::unbounded_channel();
    let (clock, reconnects) = (Arc::new(AtomicU64::new(NOW_MS)), Arc::new(AtomicUsize::new(0)));
    let log = (Arc::new(std::sync::Mutex::new(Vec::<LogLine>::new())), Arc::new(Notify::new()));
    let (lines, news) = (Arc::clone(&log.0), Arc::clone(&log.1));
    let (now, asked) = (Arc::clone(&clock), Arc::clone(&reconnects));
    let setup = Setup {
        options,
        own: own(&values(42, false)),
        keymap,
        term: Some("xterm".to_owned()),
        saved: saved.map(|snapshot| (Box::new(snapshot), NOW_MS - 7_300_000)),
        events,
        requests: Box::new(move |request, typed| match request {
            Request::Commit(what) => {
                let _ = order.send((what, typed.password.map(|password| password.expose().to_owned())));
            }
            Request::Probe(order) => {
                let _ = test.send(order);
            }
            Request::Verify(_) => {}
            Request::Rotate(order) => {
                let _ = turn.send((order, laid_bare(&typed)));
            }
            Request::Reconnect => {
                asked.fetch_add(1, Ordering::SeqCst);
            }
        }),
        known,
        logs: LogSource {
            after: Box::new(move |seq| lines.lock().unwrap().iter().filter(|line| line.seq > seq).cloned().collect()),
            news,
        },
        keep: Arc::new(move |snapshot| {
            let _ = keep.send(snapshot.commitments.len() as u64);
        }),
        now_ms: Box::new(move || now.load(Ordering::SeqCst)),
    };
    let left = tokio::spawn(async move {
        let backend = Watched { inner: TestBackend::new(120, 32), pictures: picture };
        let mut terminal = Terminal::new(backend).unwrap();
        let aside = |aside: Aside<'_>| {
            let _ = aside_sender.send(format!("{aside:?}"));
            Ok(Done::Yes)
        };
        let events: Pin<Box<dyn Stream<Item = io::Result<Event>> + Send>> = Box::pin(key_events);
        let interrupted = async {
            let _ = signalled.await;
        };
        drive(setup, &mut terminal, events, interrupted, aside).await.unwrap()
    });
    Console {
        feed: Teller { told: told.clone(), of: EngineEvent::Feed },
        own: Teller { told: told.clone(), of: EngineEvent::Own },
        keys,
        signal: Some(signal),
        pictures,
        asides,
        clock,
        reconnects,
        kept,
        log,
        orders,
        news: Teller { told: told.clone(), of: EngineEvent::Commit },
        tests,
        results: Teller { told: told.clone(), of: EngineEvent::Probe },
        rotations,
        rotate: Teller { told, of: EngineEvent::Rotate },
        left,
    }
}

/// What came beside an order, as a test compares it.
fn laid_bare(typed: &Typed) -> Vec<Option<String>> {
    let bare = |secret: Option<&SecretKey>| secret.map(|secret| secret.expose().to_owned());
    let halves = |pair: Option<&TypedPair>| [bare(pair.map(|pair| &pair.id)), bare(pair.map(|pair| &pair.secret))];
    let pairs = [typed.read.as_ref(), typed.write.as_ref()].into_iter().flat_map(halves);
    pairs.chain([bare(typed.password.as_ref())]).collect()
}

impl Console {
    pub async fn tell(&self, event: FeedEvent) {
        self.feed.send(event).await.unwrap();
    }

    pub async fn connect(&self) {
        self.tell(FeedEvent::Connected { chain: chain(), latency_ms: 12 }).await;
        self.tell(FeedEvent::Snapshot(Box::new(healthy()))).await;
    }

    pub fn press(&self, code: KeyCode) {
        self.keys.unbounded_send(Ok(Event::Key(KeyEvent::from(code)))).unwrap();
    }

    pub fn types(&self, text: &str) {
        text.chars().for_each(|c| self.press(KeyCode::Char(c)));
    }

    pub fn pastes(&self, text: &str) {
        self.keys.unbounded_send(Ok(Event::Paste(text.to_owned()))).unwrap();
    }

    pub async fn hears(&self, news: News) {
        self.news.send(news).await.unwrap();
    }

    /// The next order that reached the service.
    pub async fn ordered(&mut self) -> (Order, Option<String>) {
        tokio::time::timeout(Duration::from_secs(20), self.orders.recv()).await.unwrap().unwrap()
    }

    pub async fn hears_of_rotation(&self, news: RotateNews) {
        self.rotate.send(news).await.unwrap();
    }

    /// The next order that reached the one who rotates.
    pub async fn rotated(&mut self) -> (RotateOrder, Vec<Option<String>>) {
        tokio::time::timeout(Duration::from_secs(20), self.rotations.recv()).await.unwrap().unwrap()
    }

    /// Asks for a plan, hears it, and says yes to it.
    pub async fn confirms(&mut self, plan: Plan, locked: Locked) {
        self.connect().await;
        self.sees("245 readable").await;
        self.press(KeyCode::Char('C'));
        let (Order::Plan(request), None) = self.ordered().await else { panic!("no plan was asked for") };
        let word = plan.word().unwrap_or_default();
        self.hears(News::Planned { request, plan: Box::new(plan), locked }).await;
        self.sees("128 bytes").await;
        self.types(&word);
        self.press(KeyCode::Tab);
        self.press(KeyCode::Enter);
    }

    /// Leaves at once. Whatever reached the commits and was not looked at.
    pub async fn leaves(self) -> Vec<(Order, Option<String>)> {
        let Self { keys, left, mut orders, .. } = self;
        keys.unbounded_send(Ok(Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)))).unwrap();
        tokio::time::timeout(Duration::from_secs(20), left).await.unwrap().unwrap();
        let mut rest = Vec::new();
        while let Some(order) = orders.recv().await {
            rest.push(order);
        }
        rest
    }

    /// The first picture that shows a text.
    pub async fn sees(&mut self, words: &str) -> String {
        let mut last = String::new();
        let looking = async {
            while let Some(picture) = self.pictures.recv().await {
                if picture.contains(words) {
                    return Some(picture);
                }
                last = picture;
            }
            None
        };
        match tokio::time::timeout(Duration::from_secs(20), looking).await {
            Ok(Some(picture)) => picture,
            _ => panic!("never saw {words:?}; the last picture was\n{last}"),
        }
    }

    pub async fn left(self) -> Exit {
        tokio::time::timeout(Duration::from_secs(20), self.left).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_last_session_is_painted_before_anything_else_happens() {
    let mut console = start(Some(healthy()));
    let first = console.pictures.recv().await.unwrap();
    assert!(first.contains("256 uids") && first.contains("Saved 2 h ago on this machine"), "{first}");
    assert_eq!(console.asides.recv().await.unwrap(), "Title(\"grail-console · finney · subnet 81\")");
    console.press(KeyCode::Char('q'));
    assert_eq!(console.left().await, Exit::Quit);
}

#[tokio::test]
async fn a_subnet_arrives_is_shown_is_kept_and_survives_a_loss() {
    let mut console = start(None);
    console.sees("Connecting to finney").await;
    console.connect().await;
    console.sees("245 readable").await;
    assert_eq!(console.kept.recv().await, Some(253));
    let problem = grail_console::domain::diagnostic::Diagnostic::new(
        "gone",
        grail_console::domain::diagnostic::Severity::Danger,
        "the line was cut",
        "",
        "",
    );
    console.tell(FeedEvent::Lost { endpoint: ENDPOINT.to_owned(), problem, retry_in_ms: 5_000 }).await;
    let picture = console.sees("the line was cut").await;
    assert!(picture.contains("245 readable"), "{picture}");
    console.connect().await;
    console.sees("● live").await;
    console.press(KeyCode::Char('q'));
    assert_eq!(console.left().await, Exit::Quit);
}

#[tokio::test]
async fn what_arrives_shortly_before_leaving_is_still_kept() {
    let mut console = start(None);
    console.connect().await;
    assert_eq!(console.kept.recv().await, Some(253));
    let change = grail_console::domain::snapshot::SubnetChange {
        block: HEAD + 1,
        commitments: vec![(hotkey(0), None)],
        members: Vec::new(),
    };
    console.tell(FeedEvent::Changed(Box::new(change))).await;
    console.sees("9 none").await;
    console.press(KeyCode::Char('q'));
    assert_eq!(console.kept.recv().await, Some(252));
    assert_eq!(console.left().await, Exit::Quit);
}

#[tokio::test]
async fn a_signal_leaves_as_interrupted() {
    let mut console = start(None);
    console.sees("Connecting").await;
    console.signal.take().unwrap().send(()).unwrap();
    assert_eq!(console.left().await, Exit::Interrupted);
}

#[tokio::test]
async fn a_terminal_that_goes_away_leaves_as_interrupted() {
    let mut console = start(None);
    console.sees("Connecting").await;
    console.keys.close_channel();
    assert_eq!(console.left().await, Exit::Interrupted);
}

#[tokio::test]
async fn a_copy_goes_to_the_terminal_and_a_refresh_to_the_feed() {
    let mut console = start(None);
    console.connect().await;
    console.sees("245 readable").await;
    console.asides.recv().await.unwrap();
    console.press(KeyCode::Char('y'));
    console.press(KeyCode::Enter);
    assert_eq!(console.asides.recv().await.unwrap(), format!("Copy({:?})", hotkey(42).to_string()));
    console.press(KeyCode::Enter);
    console.press(KeyCode::Char('r'));
    console.sees("connecting anew").await;
    assert_eq!(console.reconnects.load(Ordering::SeqCst), 1);
    console.press(KeyCode::Char('q'));
    console.left().await;
}

#[tokio::test]
async fn ages_grow_by_themselves() {
    let mut console = start(None);
    console.connect().await;
    console.sees("finalized 30 s ago").await;
    console.clock.store(NOW_MS + 5_000, Ordering::SeqCst);
    console.sees("finalized 35 s ago").await;
    console.press(KeyCode::Char('q'));
    console.left().await;
}

#[tokio::test]
async fn log_lines_and_changed_credentials_appear_when_they_are_announced() {
    let mut console = start(None);
    console.connect().await;
    console.own.send(Box::new(own(&values(42, true)))).await.unwrap();
    console.sees("validators still read your old key").await;
    console.press(KeyCode::Char('L'));
    console.sees("Nothing was logged yet").await;
    let line = LogLine {
        seq: 1,
        at_ms: NOW_MS,
        level: Level::Info,
        target: "chain".to_owned(),
        message: "something happened".into(),
    };
    console.log.0.lock().unwrap().push(line);
    console.log.1.notify_one();
    console.sees("something happened").await;
    console.press(KeyCode::Char('q'));
    console.left().await;
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_refused_by_name() {
    assert!(matches!(terminal::check(Some("xterm"), false), Err(TerminalError::NotATerminal)));
    assert!(matches!(terminal::check(Some("dumb"), true), Err(TerminalError::Dumb(_))));
    assert!(matches!(terminal::check(None, true), Err(TerminalError::Dumb(_))));
    assert!(terminal::check(Some("xterm-256color"), true).is_ok());
    let said = terminal::check(Some("dumb"), true).unwrap_err().to_string();
    assert!(said.contains("grail-console status"), "{said}");
}

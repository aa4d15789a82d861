//! A terminal around the real binary: a pseudo terminal, and what somebody before it would see.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

use super::DEADLINE;
use super::house::{BINARY, House};

/// Columns and rows of the screen that most tests look at.
pub const USUAL: (u16, u16) = (120, 32);

/// What ratatui writes last for each picture: the cursor is hidden.
const PICTURE_ENDS: &[u8] = b"\x1b[?25l";

/// Everything that came out of the terminal, and what it makes of it.
struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    /// The screen after the last whole picture: halves of two pictures side by side mean nothing.
    whole: String,
    /// Every state that the screen was in, for those who look for something that may never appear.
    seen: Vec<String>,
}

impl Shown {
    /// What stands on the screen now is whole.
    fn is_drawn(&mut self) {
        self.whole = self.screen.screen().contents();
        if self.seen.last() != Some(&self.whole) {
            self.seen.push(self.whole.clone());
        }
    }
}

#[derive(Default)]
struct Shared {
    shown: Mutex<Option<Shown>>,
    news: Condvar,
}

/// The console in a terminal.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// Held open so that the settings of the terminal outlive the console.
    slave: Option<Box<dyn SlavePty + Send>>,
    keys: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
    before: String,
}

/// How the console left, and in which state it left the terminal.
pub struct Left {
    pub status: ExitStatus,
    /// Every byte that the console wrote.
    pub bytes: Vec<u8>,
    /// What stands on the screen now.
    pub screen: String,
    /// Every screen there was.
    pub seen: Vec<String>,
    /// What is still changed about the terminal; empty when it was given back.
    pub changed: Vec<&'static str>,
}

impl Left {
    /// Fails the test unless the console left with this code and gave everything back.
    #[track_caller]
    pub fn restored_with(&self, code: u32) {
        assert_eq!(self.changed, Vec::<&str>::new(), "the terminal was not given back");
        assert_eq!((self.status.exit_code(), self.status.signal()), (code, None), "{}", self.screen);
    }
}

impl Pty {
    /// Opens the console of a house with `TERM=xterm-256color`.
    pub fn open<S: AsRef<str>>(house: &House, arguments: impl IntoIterator<Item = S>) -> Self {
        Self::open_at(USUAL, house, arguments)
    }

    pub fn open_at<S: AsRef<str>>(size: (u16, u16), house: &House, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = CommandBuilder::new(BINARY);
        arguments.into_iter().for_each(|argument| command.arg(argument.as_ref()));
        command.env_clear();
        command.env("TERM", "xterm-256color");
        house.environment().into_iter().for_each(|(name, value)| command.env(name, value));
        command.cwd(house.path("work"));
        Self::spawn(size, command)
    }

    pub fn spawn(size: (u16, u16), command: CommandBuilder) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).unwrap();
        // A terminal that claims no size is looked at as the usual one.
        let (columns, rows) = if size == (0, 0) { (80, 24) } else { size };
        let shown = Shown {
            screen: vt100::Parser::new(cells(rows), cells(columns), 0),
            bytes: Vec::new(),
            whole: String::new(),
            seen: Vec::new(),
        };
        let shared = Arc::new(Shared { shown: Mutex::new(Some(shown)), news: Condvar::new() });
        let before = termios(&*pair.master);
        let (out, sink) = (pair.master.try_clone_reader().unwrap(), Arc::clone(&shared));
        let reader = std::thread::spawn(move || read(out, &sink));
        let keys = pair.master.take_writer().unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        Self { child, master: pair.master, slave: Some(pair.slave), keys, shared, reader: Some(reader), before }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Types keys as a terminal sends them.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self
    }

    /// Somebody else wrote over the screen.
    pub fn wipe(&self) {
        self.with(|shown| {
            shown.screen.process(b"\x1b[2J");
            shown.whole.clear();
        });
    }

    pub fn resize(&self, size: (u16, u16)) {
        self.with(|shown| shown.screen.set_size(cells(size.1), cells(size.0)));
        self.master.resize(pty_size(size)).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether the console is in raw mode, as the terminal's settings say.
    pub fn is_raw(&self) -> bool {
        termios(&*self.master) != self.before
    }

    /// Waits until the screen is as it should be, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.shared.shown.lock().unwrap();
        loop {
            let screen = shown.as_ref().map(|shown| shown.whole.clone()).unwrap_or_default();
            if holds(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; the screen:\n{screen}");
            shown = self.shared.news.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits until what came out of the terminal so far is as it should be: its bytes, and the screen at this moment, which
    /// need not be whole.
    #[track_caller]
    pub fn written(&self, what: &str, holds: impl Fn(&[u8], &str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        let mut shown = self.shared.shown.lock().unwrap();
        loop {
            let (bytes, screen) =
                shown.as_ref().map(|shown| (&shown.bytes[..], shown.screen.screen().contents())).unwrap_or_default();
            if holds(bytes, &screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; the screen:\n{screen}");
            shown = self.shared.news.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Waits for words on the screen.
    #[track_caller]
    pub fn shows(&self, words: &str) -> String {
        self.until(words, |screen| screen.contains(words))
    }

    /// Waits until words are gone from the screen.
    #[track_caller]
    pub fn hides(&self, words: &str) -> String {
        self.until(&format!("{words} to go"), |screen| !screen.contains(words))
    }

    /// Waits until the console has left by itself.
    pub fn left(mut self) -> Left {
        let (over, watched) = std::sync::mpsc::channel::<()>();
        let mut killer = self.child.clone_killer();
        let watch = std::thread::spawn(move || {
            if watched.recv_timeout(DEADLINE).is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = killer.kill();
            }
        });
        let status = self.child.wait().unwrap();
        drop(over);
        watch.join().unwrap();
        let raw = self.is_raw();
        // Without a last holder the terminal reports its end, and everything written before has been read.
        drop(self.slave.take());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let shown = self.shared.shown.lock().unwrap().take().unwrap();
        let screen = shown.screen.screen();
        let checks = [
            (raw, "raw mode"),
            (screen.alternate_screen(), "alternate screen"),
            (screen.hide_cursor(), "hidden cursor"),
            (screen.bracketed_paste(), "bracketed paste"),
        ];
        let changed = checks.into_iter().filter(|(changed, _)| *changed).map(|(_, what)| what).collect();
        Left { status, screen: screen.contents(), changed, bytes: shown.bytes, seen: shown.seen }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Shown) -> T) -> T {
        let mut shown = self.shared.shown.lock().unwrap_or_else(PoisonError::into_inner);
        act(shown.as_mut().unwrap())
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // A test that failed leaves no console behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(mut out: Box<dyn Read + Send>, sink: &Shared) {
    let mut buffer = [0; 8192];
    while let Ok(count) = out.read(&mut buffer)
        && count > 0
    {
        if let Some(shown) = sink.shown.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // What is read at once may hold the end of one picture and the beginning of the next.
            for part in buffer[..count].split_inclusive(|byte| *byte == PICTURE_ENDS[PICTURE_ENDS.len() - 1]) {
                shown.screen.process(part);
                shown.bytes.extend_from_slice(part);
                if shown.bytes.ends_with(PICTURE_ENDS) {
                    shown.is_drawn();
                }
            }
            if !shown.screen.screen().alternate_screen() {
                shown.is_drawn();
            }
            let screen = shown.screen.screen().contents();
            if shown.seen.last() != Some(&screen) {
                shown.seen.push(screen);
            }
        }
        sink.news.notify_all();
    }
}

fn termios(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a pseudo terminal has settings"))
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

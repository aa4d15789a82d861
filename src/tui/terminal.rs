//! The terminal in the console's hands, and given back whatever happens: on return, error, panic and signal.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};
use std::thread::{self, ThreadId};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::Print;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode};
use crossterm::{execute, queue};
use thiserror::Error;

use crate::domain::untrusted::sanitize;
use crate::tui::job;

/// Characters of a window title.
const TITLE_LIMIT: usize = 120;
/// xterm's commands to lay the window's title aside and to take it back; terminals without them ignore both.
const PUSH_TITLE: &str = "\x1b[22;2t";
const POP_TITLE: &str = "\x1b[23;2t";
/// The mouse wheel as cursor keys while the alternate screen is shown. The terminal keeps the mouse, so that text can be
/// selected as ever. What it did before is laid aside and taken back, where the terminal knows how.
const WHEEL_AS_KEYS: &str = "\x1b[?1007s\x1b[?1007h";
const WHEEL_AS_BEFORE: &str = "\x1b[?1007r";
/// Asks for the colour of the background.
const ASK_BACKGROUND: &str = "\x1b]11;?\x07";

/// Whether the terminal is ours at this moment.
static HELD: AtomicBool = AtomicBool::new(false);
/// The thread that draws: its panic ends the console, one elsewhere must not scribble over the screen.
static DRAWING: Mutex<Option<ThreadId>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Why the console cannot open on this terminal.
#[derive(Debug, Error)]
pub enum TerminalError {
    /// Standard output goes somewhere else.
    #[error(
        "standard output is not a terminal, so there is no screen to draw on: use `grail-console status` (--json for scripts)"
    )]
    NotATerminal,
    /// Nothing can be typed.
    #[error(
        "there is no terminal to read keys from, as under setsid, cron or a service: use `grail-console status` (--json \
         for scripts)"
    )]
    NoKeyboard,
    /// The terminal cannot move its cursor.
    #[error(
        "TERM is {0}, a terminal that cannot draw a screen: use `grail-console status`, or set TERM to what you have"
    )]
    Dumb(&'static str),
    /// The terminal refused.
    #[error("the terminal refused to be set up ({0}): run `reset`, or try another terminal")]
    Io(#[from] io::Error),
}

/// Whether a screen can be drawn: `term` is the value of `TERM`.
pub fn check(term: Option<&str>, stdout_is_terminal: bool) -> Result<(), TerminalError> {
    match term {
        _ if !stdout_is_terminal => Err(TerminalError::NotATerminal),
        Some("dumb") => Err(TerminalError::Dumb("dumb")),
        None | Some("") => Err(TerminalError::Dumb("not set")),
        Some(_) => Ok(()),
    }
}

/// Whether an error says that the terminal is gone: its window was closed, or the connection to it was lost.
pub fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let gone = [Errno::IO, Errno::NXIO, Errno::NODEV, Errno::BADF, Errno::NOTTY, Errno::PIPE];
    let ended = [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe, io::ErrorKind::WriteZero];
    ended.contains(&error.kind()) || Errno::from_io_error(error).is_some_and(|errno| gone.contains(&errno))
}

/// The terminal, held: raw mode, the alternate screen, no cursor. Dropping it gives everything back.
#[derive(Debug)]
pub struct Held(());

impl Held {
    /// Takes the terminal. The calling thread is the one that draws.
    pub fn take(term: Option<&str>) -> Result<Self, TerminalError> {
        check(term, io::stdout().is_terminal())?;
        restore_on_panic();
        if let Ok(mut drawing) = DRAWING.lock() {
            *drawing = Some(thread::current().id());
        }
        // From here on dropping undoes what was done, also when one of the steps fails.
        let held = Self(());
        held.take_again()?;
        Ok(held)
    }

    /// Takes the terminal anew, also when somebody changed its settings meanwhile.
    pub fn take_again(&self) -> io::Result<()> {
        job::wait_for_foreground()?;
        let title = if HELD.swap(true, Ordering::SeqCst) {
            disable_raw_mode()?;
            ""
        } else {
            PUSH_TITLE
        };
        enable_raw_mode()?;
        let mut out = io::stdout();
        queue!(out, Print(title), EnterAlternateScreen, EnableBracketedPaste, Print(WHEEL_AS_KEYS), Hide)?;
        out.flush()
    }

    /// Gives the terminal back for a while.
    pub fn give_back(&self) {
        restore();
    }

    /// Asks the terminal for the colour of its background; the answer comes with the keys, if ever.
    pub fn ask_background(&self) -> io::Result<()> {
        execute!(io::stdout(), Print(ASK_BACKGROUND))
    }

    /// Puts a text on the clipboard of the terminal that shows us, also over ssh (OSC 52).
    pub fn copy(&self, text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Names the window.
    pub fn set_title(&self, title: &str) -> io::Result<()> {
        execute!(io::stdout(), SetTitle(sanitize(title, TITLE_LIMIT)))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, once. Errors have nowhere to go: the terminal itself is what failed.
fn restore() {
    if HELD.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ =
            queue!(out, DisableBracketedPaste, Print(WHEEL_AS_BEFORE), LeaveAlternateScreen, Show, Print(POP_TITLE));
        let _ = out.flush();
        let _ = disable_raw_mode();
    }
}

/// A panic of the drawing thread gives the terminal back before it is printed; one of another thread goes to the log,
/// since the console runs on.
fn restore_on_panic() {
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let ours = DRAWING.lock().ok().and_then(|drawing| *drawing) == Some(thread::current().id());
            if HELD.load(Ordering::SeqCst) && !ours {
                tracing::error!("a background task failed: {}", sanitize(&info.to_string(), 400));
                return;
            }
            restore();
            before(info);
        }));
    });
}

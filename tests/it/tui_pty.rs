//! The real binary in a real pseudo terminal, on the practice subnet.

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// How long a screen may take to appear before the test gives up: machines under load are slow.
const PATIENCE: Duration = Duration::from_mins(1);

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

struct Screen {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    _home: tempfile::TempDir,
}

impl Screen {
    fn open(arguments: &[&str], columns: u16, rows: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_grail-console"));
        command.args(arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("HOME", home.path());
        let child = pair.slave.spawn_command(command).unwrap();
        let keyboard = pair.master.take_writer().unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master: pair.master,
            keyboard,
            output,
            parser: vt100::Parser::new(cells(rows), cells(columns), 0),
            _home: home,
        }
    }

    fn contents(&self) -> String {
        self.parser.screen().contents()
    }

    fn until(&mut self, words: &str) -> String {
        let end = Instant::now() + PATIENCE;
        while !self.contents().contains(words) {
            let left = end.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.parser.process(&bytes),
                Err(why) => panic!("{why}: never saw {words:?} on\n{}", self.contents()),
            }
        }
        self.contents()
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end; the exit code, and the screen as it was given back.
    fn end(mut self) -> (u32, vt100::Parser) {
        let code = self.child.wait().unwrap().exit_code();
        drop((self.master, self.keyboard));
        while let Ok(bytes) = self.output.recv_timeout(PATIENCE) {
            self.parser.process(&bytes);
        }
        (code, self.parser)
    }
}

fn assert_given_back(parser: &vt100::Parser) {
    let screen = parser.screen();
    assert!(!screen.alternate_screen(), "the alternate screen is left");
    assert!(!screen.hide_cursor(), "the cursor is shown");
    assert!(!screen.bracketed_paste(), "bracketed paste is off");
}

#[test]
fn it_starts_obeys_keys_and_gives_the_terminal_back_on_a_signal() {
    let mut screen = Screen::open(&["sandbox"], 120, 32);
    let first = screen.until("256 uids");
    assert!(first.contains("SANDBOX") && first.contains("practice subnet"), "{first}");
    assert!(screen.parser.screen().alternate_screen() && screen.parser.screen().hide_cursor());
    screen.until("● live");
    screen.type_in("u");
    screen.until("R2_READ_SECRET_ACCESS_KEY");
    screen.signal(Signal::TERM);
    let (code, parser) = screen.end();
    assert_eq!(code, 7, "a signal is an interruption");
    assert_given_back(&parser);
}

#[test]
fn q_and_ctrl_c_leave_with_code_0_and_give_the_terminal_back() {
    for keys in ["q", "/\u{3}"] {
        let mut screen = Screen::open(&["sandbox"], 80, 24);
        screen.until("256 uids");
        screen.type_in(keys);
        let (code, parser) = screen.end();
        assert_eq!(code, 0);
        assert_given_back(&parser);
    }
}

#[test]
fn a_hang_up_ends_it() {
    let mut screen = Screen::open(&["sandbox"], 80, 24);
    screen.until("256 uids");
    screen.signal(Signal::HUP);
    let (code, parser) = screen.end();
    assert_eq!(code, 7);
    assert_given_back(&parser);
}

#[test]
fn a_resize_is_followed_down_to_the_smallest_size_and_back() {
    let mut screen = Screen::open(&["sandbox"], 120, 32);
    screen.until("ACCOUNT = BUCKET");
    for (columns, rows, words) in [(80, 24, "READ KEY"), (40, 10, "40x10 is too small"), (160, 40, "PUBLISHED")] {
        screen.parser.screen_mut().set_size(cells(rows), cells(columns));
        screen.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        screen.until(words);
    }
    screen.type_in("q");
    assert_eq!(screen.end().0, 0);
}

#[test]
fn a_terminal_that_cannot_draw_is_refused_with_code_2() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_grail-console"))
        .arg("sandbox")
        .env_clear()
        .env("TERM", "xterm")
        .env("HOME", tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "no escape sequence goes into a pipe");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a terminal"));
}

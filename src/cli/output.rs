//! The only place that writes to stdout and stderr.

use std::io::{self, Write};

use crate::cli::table::{BAD, paint};
use crate::domain::ascii;
use crate::domain::diagnostic::Diagnostic;
use crate::domain::environment::Environment;
use crate::logs::withheld;
use anstream::{AutoStream, ColorChoice};

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    ascii: bool,
    color: ColorChoice,
}

impl Output {
    /// JSON or text; colour only on a terminal that is not dumb, and not with `NO_COLOR`; ASCII where the locale has no
    /// more.
    pub fn new(json: bool, environment: &Environment) -> Self {
        let plain = environment.filled("NO_COLOR").is_some() || environment.get("TERM") == Some("dumb");
        let color = if plain { ColorChoice::Never } else { ColorChoice::Auto };
        Self { json, ascii: ascii::is_wanted(environment.locale()), color }
    }

    /// A text for people as it may be written.
    fn written(self, text: &str) -> String {
        let text = withheld(text);
        if self.ascii { ascii::text(&text) } else { text.to_string() }
    }

    /// Whether one JSON document is wanted.
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Prints one document.
    pub fn document(document: &str) -> io::Result<()> {
        finish(io::stdout().lock().write_all(format!("{}\n", withheld(document)).as_bytes()))
    }

    /// Prints one of many lines, a document or text for people. `false` where the reader has seen enough.
    pub fn line(self, text: &str) -> io::Result<bool> {
        let written = if self.json {
            io::stdout().lock().write_all(format!("{}\n", withheld(text)).as_bytes())
        } else {
            AutoStream::new(io::stdout(), self.color).write_all(format!("{}\n", self.written(text)).as_bytes())
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// Prints text for people.
    pub fn text(self, text: &str) -> io::Result<()> {
        finish(AutoStream::new(io::stdout(), self.color).write_all(self.written(text).as_bytes()))
    }

    /// Prints a remark beside the result, on stderr.
    pub fn remark(self, text: &str) {
        // Nobody is left to tell when stderr is gone.
        let _ = AutoStream::new(io::stderr(), self.color).write_all(format!("{}\n", self.written(text)).as_bytes());
    }

    /// Prints a question on stderr, whose answer is typed beside it.
    pub fn ask(self, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.color);
        let _ = stderr.write_all(self.written(text).as_bytes()).and_then(|()| stderr.flush());
    }

    /// Tells people what went wrong.
    pub fn error(self, why: &Diagnostic) {
        self.remark(&format!("{} {why}", paint(BAD, "grail-console:")));
    }
}

/// A reader that has seen enough (`| head`) is not an error.
fn finish(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

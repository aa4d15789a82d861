//! Logs: a file and a ring buffer behind one formatter, which makes every text visible and takes secrets out.
//!
//! Nothing of an event reaches either sink by another way: not the message, not a field, not the target. Dependencies
//! are heard from WARN on, whatever level is asked for, since below it they print what they send.

mod clock;
mod file;
mod redact;
mod ring;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

pub use clock::{Clock, system_clock};
pub use file::{KEPT, MAX_BYTES};
pub use redact::{REDACTED, redact, redact_all, redacted, withheld};
pub use ring::{CAPACITY, Level, LogLine};

use file::{DailyFile, warning};
use ring::Ring;

/// Characters of one line's text; what lies beyond becomes an ellipsis.
pub const MAX_CHARS: usize = 4_096;
/// Variable that says which of our own events are kept, such as `debug` or `grail_console::chain=trace`.
pub const CONTROL_VARIABLE: &str = "GRAIL_CONSOLE_LOG";
/// Our own events without it.
const DEFAULT_CONTROL: &str = "info";
/// Targets of our own events begin with this.
const OWN_TARGET: &str = "grail_console";

/// How the logs are set up.
pub struct Options<'a> {
    /// The folder of the log files, private to us and held open; `None` keeps the lines in memory only.
    pub dir: Option<OwnedFd>,
    /// Value of [`CONTROL_VARIABLE`].
    pub control: Option<&'a str>,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Another subscriber is in place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("logging was set up twice: this is a defect of the program")]
pub struct AlreadyInstalled;

/// The lines and the way to be told of new ones. Dropping the last clone writes out what is still waiting.
#[derive(Clone)]
pub struct Logs {
    ring: Arc<Ring>,
    guard: Arc<Mutex<Option<WorkerGuard>>>,
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").finish_non_exhaustive()
    }
}

impl Logs {
    /// Makes the logs and the subscriber that feeds them, without installing it.
    pub fn new(options: Options<'_>) -> (Self, impl Subscriber + Send + Sync + use<>) {
        let ring = Arc::new(Ring::new());
        let (writer, guard) = match options.dir {
            Some(dir) => {
                let file = DailyFile::new(dir, Arc::clone(&options.clock), Arc::clone(&ring));
                let (writer, guard) = NonBlockingBuilder::default().thread_name("log-file").finish(file);
                (Some(Mutex::new(writer)), Some(guard))
            }
            None => (None, None),
        };
        let wanted = options.control.filter(|text| !text.trim().is_empty()).unwrap_or(DEFAULT_CONTROL);
        let filter = EnvFilter::builder().parse(wanted).unwrap_or_else(|error| {
            let text = format!("{CONTROL_VARIABLE} is not understood ({error}); taken as {DEFAULT_CONTROL}");
            ring.push(warning((options.clock)(), &redacted(&text)));
            EnvFilter::new(DEFAULT_CONTROL)
        });
        let sink = Sink { ring: Arc::clone(&ring), writer, clock: options.clock };
        let heard = tracing_subscriber::filter::dynamic_filter_fn(|metadata, _| is_heard(metadata))
            .with_max_level_hint(LevelFilter::TRACE);
        let layer = sink.with_filter(heard).with_filter(filter);
        (Self { ring, guard: Arc::new(Mutex::new(guard)) }, tracing_subscriber::registry().with(layer))
    }

    /// Makes the logs of the whole program.
    pub fn install(options: Options<'_>) -> Result<Self, AlreadyInstalled> {
        let (logs, subscriber) = Self::new(options);
        tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyInstalled)?;
        Ok(logs)
    }

    /// The lines after number `seen` (0 for all) that are still kept, oldest first, and the number to ask with next.
    pub fn since(&self, seen: u64) -> (Vec<LogLine>, u64) {
        self.ring.since(seen)
    }

    /// Changes whenever a line comes, to the number of the newest line.
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.ring.listen()
    }

    /// Tells the operator something about the logs themselves, such as why there is no file.
    pub fn note(&self, now: std::time::SystemTime, text: &str) {
        self.ring.push(warning(now, &redacted(text)));
    }

    /// Writes out what is waiting and closes the file; the ring goes on. For the end of the program and for panics.
    pub fn close_file(&self) {
        drop(self.guard.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn is_heard(metadata: &Metadata<'_>) -> bool {
    let own = metadata.target().strip_prefix(OWN_TARGET).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    // The practice subnet's store calls every refusal an error, and refusing is its work.
    let practice = metadata.target().starts_with("s3s::");
    own || (*metadata.level() <= tracing::Level::WARN && !practice)
}

struct Sink {
    ring: Arc<Ring>,
    writer: Option<Mutex<NonBlocking>>,
    clock: Clock,
}

impl<S: Subscriber> Layer<S> for Sink {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = LogLine {
            at_ms: clock::since_1970((self.clock)()),
            level: (*event.metadata().level()).into(),
            target: visible(event.metadata().target()),
            text: visible(&text.finish()),
        };
        if let Some(writer) = &self.writer {
            let row = format!("{} {} {}: {}\n", clock::stamp(line.at_ms), line.level.word(), line.target, line.text);
            // The worker swallows what it cannot write and says so in the ring.
            let _ = writer.lock().unwrap_or_else(PoisonError::into_inner).write_all(row.as_bytes());
        }
        self.ring.push(line);
    }
}

/// Secrets out, then every character visible, then secrets out of what that brought to light.
fn visible(text: &str) -> String {
    redacted(&crate::domain::untrusted::sanitize(&redacted(text), MAX_CHARS))
}

/// An event as text: the message, then the fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(self) -> String {
        self.message + &self.fields
    }

    fn push(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => self.message.write_fmt(value),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.push(field, format_args!("{value}"));
    }
}

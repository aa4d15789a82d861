//! `status --follow`: the subnet, then each change as its block comes, until a signal.

use serde::Serialize;

use crate::cli::args::StatusArguments;
use crate::cli::commands::{filter_of, now_ms, status_read};
use crate::cli::json::{BlockDocument, RowDocument};
use crate::cli::output::Output;
use crate::cli::report::{CommandResult, Report, unwritten};
use crate::cli::table::{DIM, finding, paint};
use crate::cli::{no_signals, was_interrupted};
use crate::config::Flags;
use crate::domain::date::time_of_day;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::environment::Environment;
use crate::domain::feed::FeedEvent;
use crate::domain::filter::Filter;
use crate::domain::provenance::Level;
use crate::domain::read_test_summary::Tested;
use crate::domain::roster::Row;
use crate::domain::text::grouped;
use crate::engine::changes::{RowChange, What, between};
use crate::engine::model::Model;
use crate::engine::own::OwnInfo;
use crate::engine::service::{Event, watch};
use crate::engine::table::Origin;
use crate::report::changes::row;
use crate::tui::runner::interrupted;

/// A line of `--json`: what changed with a block, or what is to be known of the connection.
#[derive(Serialize)]
struct ChangeDocument<'a> {
    schema: &'static str,
    /// The best block that brought it; null for what no block brought.
    block: Option<BlockDocument>,
    changes: Vec<RowChangeDocument<'a>>,
    findings: Vec<Diagnostic>,
}

#[derive(Serialize)]
struct RowChangeDocument<'a> {
    what: &'a [What],
    before: Option<RowDocument>,
    after: Option<RowDocument>,
}

/// `status --follow`
pub async fn follow(
    arguments: &StatusArguments,
    flags: &Flags,
    environment: &Environment,
    output: Output,
) -> CommandResult {
    let filter = filter_of(arguments)?;
    let Ok(interrupted) = interrupted() else { return Err(no_signals()) };
    tokio::pin!(interrupted);
    let read = Box::pin(status_read(arguments, &filter, flags, environment, output));
    let (first, context, found) = tokio::select! {
        read = read => read?,
        () = &mut interrupted => return Err(was_interrupted()),
    };
    if !first.first("status", output).map_err(|error| unwritten(&error))? {
        return Ok(Report::last(None));
    }
    let mut model = Model::new(OwnInfo::of_context(&context));
    model.now_ms = now_ms();
    model.take_snapshot(Box::new(found.snapshot), Origin::Chain);
    let mut events = watch(&context, flags.clone(), environment.clone());
    let mut follower = Follower { model, filter, output, is_lost: false };
    loop {
        let event = tokio::select! {
            biased;
            () = &mut interrupted => return Ok(Report::last(Some(was_interrupted()))),
            event = events.recv() => event,
        };
        let Some(event) = event else { return Ok(Report::last(Some(was_interrupted()))) };
        if !follower.take(event).map_err(|error| unwritten(&error))? {
            return Ok(Report::last(None));
        }
    }
}

struct Follower {
    model: Model,
    filter: Filter,
    output: Output,
    /// Whether it was told that the connection is lost, or brings nothing.
    is_lost: bool,
}

impl Follower {
    /// Takes an event and tells what it changed. `false` where the reader has seen enough.
    fn take(&mut self, event: Event) -> std::io::Result<bool> {
        self.model.now_ms = now_ms();
        let before = self.model.table.roster_now();
        let block = match event {
            Event::Feed(event) => {
                if !self.of_connection(&event)? {
                    return Ok(false);
                }
                let block = block_of(&event);
                if !self.model.on_feed(event) {
                    return Ok(true);
                }
                block
            }
            Event::Own(own) => {
                self.model.take_own(*own);
                None
            }
            _ => return Ok(true),
        };
        let wanted = |row: &Option<Row>| row.as_ref().is_some_and(|row| self.filter.accepts(row, Tested::default()));
        let mut changes = between(&before, self.model.table.roster());
        changes.retain(|change| wanted(&change.before) || wanted(&change.after));
        if changes.is_empty() { Ok(true) } else { self.tell(block, &changes) }
    }

    fn tell(&self, block: Option<BlockDocument>, changes: &[RowChange]) -> std::io::Result<bool> {
        if self.output.is_json() {
            return self.document(block, changes, Vec::new());
        }
        let at = block.as_ref().map_or_else(|| "here".to_owned(), |block| format!("#{}", grouped(block.number)));
        let at = paint(DIM, &format!("{at} {}", time_of_day(self.model.now_ms)));
        for change in changes {
            let cells: Vec<String> = row(change).iter().map(|cell| paint(cell.role, &cell.text)).collect();
            if !self.output.line(&format!("{at}  {}", cells.join("  ")))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn document(
        &self,
        block: Option<BlockDocument>,
        changes: &[RowChange],
        findings: Vec<Diagnostic>,
    ) -> std::io::Result<bool> {
        let head = self.model.newest_block().unwrap_or_default();
        let of = |row: &Option<Row>| row.as_ref().map(|row| RowDocument::of(row, head, Level::Reported));
        let changes = changes.iter();
        let changes = changes
            .map(|change| RowChangeDocument {
                what: &change.what,
                before: of(&change.before),
                after: of(&change.after),
            })
            .collect();
        let document = ChangeDocument { schema: "grail-console/status-change/1", block, changes, findings };
        self.output.line(&serde_json::to_string(&document)?)
    }

    /// Tells once that the connection is lost or brings nothing, and once that it is back.
    fn of_connection(&mut self, event: &FeedEvent) -> std::io::Result<bool> {
        let told = match event {
            FeedEvent::Lost { problem, .. } if !self.is_lost => problem.clone(),
            FeedEvent::Stalled { number, seconds } if !self.is_lost => Diagnostic::new(
                "stalled",
                Severity::Warning,
                format!("No block after #{} for {seconds} s", grouped(*number)),
                "The node answers and brings nothing new.",
                "Wait for its next block, or name another node with --endpoint.",
            ),
            FeedEvent::BestHead { .. } | FeedEvent::Snapshot(_) if self.is_lost => {
                self.is_lost = false;
                let summary = "Blocks arrive again";
                let told = Diagnostic::new("connected_again", Severity::Note, summary, "", "");
                if self.output.is_json() {
                    return self.document(None, &[], vec![told]);
                }
                self.output.remark(&paint(DIM, &format!("{} {summary}", time_of_day(self.model.now_ms))));
                return Ok(true);
            }
            _ => return Ok(true),
        };
        self.is_lost = true;
        if self.output.is_json() {
            return self.document(None, &[], vec![told]);
        }
        self.output.remark(finding(&told).trim_end());
        Ok(true)
    }
}

fn block_of(event: &FeedEvent) -> Option<BlockDocument> {
    match event {
        FeedEvent::Snapshot(snapshot) => Some(BlockDocument::of(snapshot)),
        FeedEvent::Changed(change) => {
            Some(BlockDocument { number: change.block, hash: None, timestamp_ms: None, finalized: false })
        }
        _ => None,
    }
}

//! Listings: what a bucket holds under `grail/`, made only because the operator asked for it, and the checkpoints in uid 0's
//! bucket, which everybody on the subnet lists.

use tokio::time::Instant;

use super::subnet_view::View;
use super::tester::Tester;
use crate::domain::commitment::{Commitment, Published};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Exchange, Listing, Reply};
use crate::domain::untrusted::Untrusted;
use crate::domain::window::{Window, newest_ready};
use crate::storage::{ListPage, Reader};

/// Names that are asked for at most.
const MOST: u16 = 200;
/// Pages of checkpoints that are asked for at most: two thousand names.
const PAGES: usize = 20;

/// What consumers find in uid 0's bucket.
#[derive(Debug)]
pub(super) struct Marked {
    /// For which window: of what became ready later nothing is taken.
    target: Window,
    /// With which key it was listed.
    key: Published,
    /// The newest checkpoint that is ready, and since which window.
    mark: (Window, Window),
}

/// The READY mark that consumers find for a window by listing the trainer's checkpoints; with the listing, and the time of all its
/// pages, where one was made: a mark that was found is looked for once a window (THREATS T10).
pub async fn listed_mark(
    tester: &Tester,
    view: &View,
    trainer: &Hotkey,
    reader: &Reader,
) -> (Option<Exchange>, Option<(Window, Window)>) {
    let target = Window::of(view.finalized);
    let key = view.commitment(trainer).and_then(Commitment::published);
    let mut last = tester.marked.lock().await;
    if let Some(marked) = last.as_ref().filter(|last| last.target == target && Some(&last.key) == key) {
        return (None, Some(marked.mark));
    }
    let (exchange, names) = all_checkpoints(tester, reader).await;
    let found = matches!(exchange.reply, Reply::Found(_));
    let mark = newest_ready(names.iter().filter_map(Untrusted::as_text), target).filter(|_| found);
    *last = mark.zip(key.cloned()).map(|(mark, key)| Marked { target, key, mark });
    (Some(exchange), mark)
}

async fn all_checkpoints(tester: &Tester, reader: &Reader) -> (Exchange, Vec<Untrusted>) {
    let mut page = reader.list_checkpoints(None, Instant::now() + tester.store.options().total).await;
    for _ in 1..PAGES {
        let Some(after) = page.next.take() else { break };
        let mut more = reader.list_checkpoints(Some(after), Instant::now() + tester.store.options().total).await;
        more.answer.exchange.ms = more.answer.exchange.ms.saturating_add(page.answer.exchange.ms);
        page.names.append(&mut more.names);
        page = ListPage { names: page.names, ..more };
    }
    (page.answer.exchange, page.names)
}

/// The first names under `grail/`, or why there are none to tell.
pub async fn listing(tester: &Tester, view: &View, hotkey: &Hotkey) -> Listing {
    let target = tester.target(view, hotkey).map_err(|judgement| judgement.explanation)?;
    let _turn = tester.turn(target.account_tag()).await;
    let by = Instant::now() + tester.store.options().total;
    let (answer, names) = tester.store.reader(target).list_grail("", MOST, by).await;
    match answer.exchange.reply {
        Reply::Found(_) => Ok(names),
        Reply::Unmarked(page) => Err(format!("what answered ({}, {}) is no S3 store", page.http, page.shown())),
        reply => Err(match (reply.http(), reply.code()) {
            (Some(http), Some(code)) => format!("the store answers {http} {code}"),
            (Some(http), None) => format!("the store answers {http}"),
            (None, code) => format!("there was no answer ({})", code.unwrap_or_default()),
        }),
    }
}

//! What a bucket holds under `grail/`: the one request to a stranger's bucket that is no part of a read test, made only
//! because the operator asked for it.

use tokio::time::Instant;

use super::subnet_view::View;
use super::tester::Tester;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Listing, Reply};

/// Names that are asked for at most.
const MOST: u16 = 200;

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

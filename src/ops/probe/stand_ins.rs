//! What validators and the trainer publish instead of windows: it tells whether they can be read.

use tokio::time::Instant;

use super::judgements::judged;
use super::listing::listed_mark;
use super::subnet_view::View;
use super::tester::{TRUST_WINDOWS, Tester, Walk};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{CANNOT_LIST, Judgement, MAY_LIST, Reply, Request, Verdict, verdict_of};
use crate::domain::window::{DocumentedName, Window};
use crate::storage::Reader;

impl Tester {
    /// Validators hand in no windows of their own: their own documented object tells whether they can be read.
    pub(super) async fn stands_in(&self, reader: &Reader, window: Window, walk: &mut Walk) -> Option<Judgement> {
        let by = Instant::now() + self.store.options().total;
        let missing = walk.object;
        for name in window.back(TRUST_WINDOWS).map(DocumentedName::TrustList) {
            let answer = reader.head(Request::HeadTrustList, &name, by).await;
            let found = match answer.exchange.reply {
                Reply::Found(found) => Some(found),
                _ => None,
            };
            walk.take(name, answer);
            if found.is_some() {
                let explanation = "A validator hands in no windows; its newest trust list is there and can be read.";
                return Some(Judgement { found, ..good(explanation) });
            }
        }
        // What is missing is the window, whatever was looked for in its place.
        walk.object = missing;
        None
    }

    /// The trainer hands in no windows either, and everybody finds its checkpoints by listing them: a key that cannot list is none
    /// to them, whatever else it reads.
    pub(super) async fn as_consumers(
        &self,
        view: &View,
        hotkey: Hotkey,
        reader: &Reader,
        walk: &mut Walk,
        judgement: Judgement,
    ) -> Judgement {
        let (exchange, mark) = listed_mark(self, view, &hotkey, reader).await;
        let verdict = exchange.as_ref().map(|exchange| verdict_of(&exchange.reply));
        let found = exchange.as_ref().is_none_or(|exchange| matches!(exchange.reply, Reply::Found(_)));
        walk.exchanges.extend(exchange);
        let no_window = judgement.verdict == Verdict::NoObject;
        match (verdict, mark) {
            (Some(Verdict::ScopeDenied), _) => {
                let (own, why) = (self.own == Some(hotkey), CANNOT_LIST.to_owned());
                judged(Verdict::ScopeDenied, why, MAY_LIST, own, view, &hotkey)
            }
            (_, Some((checkpoint, ready))) if no_window => {
                walk.object = Some(DocumentedName::Ready(checkpoint, ready));
                good("A trainer hands in no windows; its newest READY mark is listed, where everybody finds it.")
            }
            (_, None) if no_window && found => Judgement {
                explanation: "The bucket can be listed, and holds no READY mark: nobody finds a checkpoint.".to_owned(),
                ..judgement
            },
            _ => judgement,
        }
    }
}

fn good(explanation: &str) -> Judgement {
    let explanation = explanation.to_owned();
    Judgement { verdict: Verdict::Ok, blame: None, is_definite: true, found: None, explanation, fix: String::new() }
}

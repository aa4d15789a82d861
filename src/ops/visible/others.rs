//! What others published after their own look: validators' trust lists, and the trainer's READY mark.

use std::cmp::Reverse;

use futures::{StreamExt, stream};
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{check, not_asked, with_fix};
use crate::chain::BlockTimes;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Page, Reply, Request, Verdict, verdict_of};
use crate::domain::snapshot::Member;
use crate::domain::text::{BLOCK_SECONDS, age_seconds, grouped};
use crate::domain::visible::{Check, Standing};
use crate::domain::window::{DocumentedName, WINDOWS_SHOWN, Window};
use crate::ops::probe::{Tester, View, ready_names};
use crate::storage::{Part, Reader};

/// Validators whose newest trust list is asked for: those that earn most.
const TOP_VALIDATORS: usize = 3;
/// Windows back for which a trust list is looked for: validators publish one a window, a little late.
const TRUST_WINDOWS: usize = 3;
/// Bytes of a trust list that are read: 256 addresses take about 14 KB.
const TRUST_LIST_BYTES: u32 = 64 << 10;
const TRUSTED_WORDS: &str = "in validators' trust lists";
const READY_WORDS: &str = "trainer READY";

/// What validators and the trainer published.
pub(super) async fn concluded(tester: &Tester, view: &View, hotkey: Hotkey, by: Instant) -> Vec<Check> {
    let Some(newest) = Window::last_complete(view.finalized) else { return Vec::new() };
    let emission = timeout_at(by, emission(tester, view.subnet.netuid)).await.unwrap_or_default();
    let (trusted, ready) = tokio::join!(
        timeout_at(by, trusted(tester, view, hotkey, newest, &emission)),
        timeout_at(by, trainer(tester, view, newest))
    );
    vec![
        trusted.unwrap_or_else(|_| not_asked("trusted", TRUSTED_WORDS)),
        ready.unwrap_or_else(|_| not_asked("trainer_ready", READY_WORDS)),
    ]
}

/// Who earns what; empty where the chain does not say.
async fn emission(tester: &Tester, netuid: u16) -> Vec<u64> {
    let told = async { BlockTimes::emission(&tester.block_times().await?, netuid).await };
    let told = told.await.inspect_err(|error| tracing::warn!("the emission could not be read: {error}"));
    told.ok().flatten().unwrap_or_default()
}

/// Validators other than oneself, those that earn most first.
fn top_validators<'v>(view: &'v View, hotkey: Hotkey, emission: &[u64]) -> Vec<&'v Member> {
    let mut validators: Vec<&Member> =
        view.subnet.members.iter().filter(|m| m.validator_permit && m.uid != 0 && m.hotkey != hotkey).collect();
    validators.sort_by_key(|m| (Reverse(emission.get(usize::from(m.uid)).copied().unwrap_or(0)), m.uid));
    validators
}

#[derive(Deserialize)]
struct TrustList {
    eligible_hotkeys: Vec<String>,
}

/// A trust list that was found: whose, of which window, and whether one is on it.
struct Listed {
    uid: u16,
    window: Window,
    has_us: bool,
}

async fn trusted(tester: &Tester, view: &View, hotkey: Hotkey, newest: Window, emission: &[u64]) -> Check {
    let (name, words) = ("trusted", TRUSTED_WORDS);
    let validators = top_validators(view, hotkey, emission);
    let mut lists = Vec::new();
    for validator in validators.into_iter().take(TOP_VALIDATORS * 2) {
        lists.push(trust_list(tester, view, validator, hotkey, newest));
    }
    let lists = stream::iter(lists).buffered(TOP_VALIDATORS);
    let found: Vec<Listed> = lists.filter_map(std::future::ready).take(TOP_VALIDATORS).collect().await;
    let with = found.iter().filter(|list| list.has_us).count();
    let whose = |listed: bool| {
        let of = found.iter().filter(|list| list.has_us == listed);
        of.map(|list| format!("uid {} (window {})", list.uid, grouped(list.window.start())))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (with, found.len()) {
        (_, 0) => {
            let evidence = "No trust list of the top validators could be read for the last windows.";
            check(name, words, Standing::Unknown, evidence)
        }
        (with, all) if with == all => check(name, words, Standing::Yes, format!("Listed by {}.", whose(true))),
        (0, _) => with_fix(
            check(name, words, Standing::Warning, format!("No validator lists you yet: not {}.", whose(false))),
            "Right after a first commit this takes a window or two; later look for missing or late windows.",
        ),
        _ => {
            let evidence = format!("Listed by {}, not by {}.", whose(true), whose(false));
            check(name, words, Standing::Warning, evidence)
        }
    }
}

async fn trust_list(
    tester: &Tester,
    view: &View,
    validator: &Member,
    hotkey: Hotkey,
    newest: Window,
) -> Option<Listed> {
    let target = tester.target(view, &validator.hotkey).ok()?;
    let _turn = tester.turn(target.account_tag()).await;
    let reader = tester.store.reader(target);
    for window in newest.back(TRUST_WINDOWS) {
        let by = Instant::now() + tester.store.options().total;
        let name = DocumentedName::TrustList(window);
        let answer = reader.get(Request::GetTrustList, &name, Part::First(TRUST_LIST_BYTES), by).await;
        match answer.exchange.reply {
            Reply::Found(_) => {
                let list: TrustList = serde_json::from_slice(&answer.bytes).ok()?;
                let has_us = list.eligible_hotkeys.contains(&hotkey.to_string());
                return Some(Listed { uid: validator.uid, window, has_us });
            }
            Reply::Refused { http: 404, .. } => {}
            _ => return None,
        }
    }
    None
}

async fn trainer(tester: &Tester, view: &View, newest: Window) -> Check {
    let (name, words) = ("trainer_ready", READY_WORDS);
    let unknown = |evidence: &str| check(name, words, Standing::Unknown, evidence);
    let Some(trainer) = view.subnet.members.iter().find(|member| member.uid == 0) else {
        return unknown("There is no uid 0, who trains.");
    };
    let Ok(target) = tester.target(view, &trainer.hotkey) else {
        return unknown("The trainer's bucket cannot be read with what it published.");
    };
    let _turn = tester.turn(target.account_tag()).await;
    let reader = tester.store.reader(target);
    match newest_mark(tester, &reader, newest).await {
        Ok(Some((checkpoint, ready))) => {
            let age = newest.start().saturating_sub(ready.start()).saturating_mul(BLOCK_SECONDS);
            let age =
                if age == 0 { "the newest".to_owned() } else { format!("{} before the newest", age_seconds(age)) };
            let (checkpoint, ready) = (grouped(checkpoint.start()), grouped(ready.start()));
            let evidence = format!("Checkpoint {checkpoint} is READY since window {ready}, {age}.");
            check(name, words, Standing::Yes, evidence)
        }
        Ok(None) => {
            let evidence = format!("The trainer marked no checkpoint of the last {WINDOWS_SHOWN} windows as READY.");
            check(name, words, Standing::Warning, evidence)
        }
        Err(verdict) => unknown(&format!("The trainer's bucket cannot be read ({}).", verdict.word())),
    }
}

/// The newest mark under a documented name.
async fn newest_mark(tester: &Tester, reader: &Reader, newest: Window) -> Result<Option<(Window, Window)>, Verdict> {
    for name in ready_names(newest, WINDOWS_SHOWN) {
        let by = Instant::now() + tester.store.options().total;
        let answer = reader.head(Request::HeadReady, &name, by).await;
        match (answer.exchange.reply, name) {
            (Reply::Found(_), DocumentedName::Ready(checkpoint, ready)) => return Ok(Some((checkpoint, ready))),
            (Reply::Refused { http, .. } | Reply::Unmarked(Page { http, .. }), _) => match http {
                404 => {}
                401 | 403 => return Err(Verdict::ScopeDenied),
                _ => return Err(Verdict::ProviderError),
            },
            (Reply::Failed(trouble), _) => return Err(verdict_of(&Reply::Failed(trouble))),
            _ => return Err(Verdict::ProviderError),
        }
    }
    Ok(None)
}

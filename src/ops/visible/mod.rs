//! Would a validator see me right now? The own uid looked at as validators do, window by window.

mod others;

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::chain::provenance::Examination;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::freshness::TOO_OLD_FOR_NOW_MS;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Layer, Probe, Reply, Request};
use crate::domain::text::{BLOCK_SECONDS, age_seconds, milliseconds, uncapitalised};
use crate::domain::visible::{Check, Standing, Visibility, WindowSeen, asking_now, old_enough};
use crate::domain::window::{Deadline, DocumentedName, EXCLUSION_WINDOWS, WINDOWS_SHOWN, Window};
use crate::ops::probe::{Extent, Tester, View};
use crate::ops::verify::{OwnRow, own_row};
use crate::storage::{Answer, Part, Reader};

/// Windows of the own bucket looked at at once.
const OWN_AT_ONCE: usize = 4;
/// First and last bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";
const PARQUET_WORDS: &str = "Parquet at both ends";
/// First bytes of every gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// What to do where the second source was silent.
const ASK_AGAIN: &str = "Ask again in a while, or name another second source with --witness.";

/// The validator's verdict over the own uid, by the given time: what was not asked by then is unknown. The error says what
/// is missing for it.
pub async fn visible(tester: &Tester, view: &View, by: Instant) -> Result<Visibility, Diagnostic> {
    let hotkey = tester.own.ok_or_else(no_hotkey)?;
    if let Some(newest) = Window::last_complete(view.finalized) {
        // The times of all windows together cost fewer requests than those of the newest and then of the others.
        let all = newest.back(WINDOWS_SHOWN).collect::<Vec<_>>();
        timeout_at(by, tester.deadlines(view, &all)).await.ok();
    }
    let examination = Examination { node: tester.node.clone(), netuid: view.subnet.netuid, now_ms: tester.now_ms() };
    let mut seen = Visibility {
        hotkey,
        uid: view.member(&hotkey).map(|member| member.uid),
        visible: false,
        sentence: String::new(),
        checks: out_of_date(view, tester.now_ms()).into_iter().collect(),
        windows: Vec::new(),
        block: view.finalized,
        at_ms: tester.now_ms(),
        confirmed: None,
        probe: None,
        out_of_time: false,
        seen_from: tester.seen_from(view, &hotkey),
    };
    let own = timeout_at(by, own_row(&examination, hotkey, view.commitment(&hotkey))).await;
    match own.unwrap_or_else(|_| OwnRow::OneWord("the time was over".to_owned())) {
        OwnRow::Holds(confirmed, others) => {
            seen.confirmed = Some(confirmed);
            seen.checks
                .extend(others.into_iter().map(|finding| verified(Standing::Warning, finding.summary, finding.help)));
        }
        OwnRow::OneWord(why) => seen.checks.push(verified(Standing::Warning, one_word(&why), ASK_AGAIN)),
        // Whatever would follow from it would rest on what is not known.
        OwnRow::Doubted(finding) => {
            let evidence = format!("{}. {}", uncapitalised(&finding.summary), finding.cause);
            seen.checks.push(verified(Standing::Unknown, evidence, finding.help));
            return Ok(seen.conclude());
        }
    }
    let probe = timeout_at(by, tester.probe(view, hotkey)).await.ok();
    if let Some(probe) = &probe {
        seen.windows = windows(tester, view, probe, by).await;
    }
    let own = [registered(view, hotkey), readable(view, hotkey)];
    let goes_on = own.iter().all(|check| check.standing == Standing::Yes);
    seen.checks.extend(own);
    if goes_on {
        seen.checks.push(probe.as_ref().map_or_else(|| not_asked("key_reads", "published key reads"), key_reads));
        let set_at = view.commitment(&hotkey).and_then(|commitment| commitment.block);
        seen.checks.push(old_enough(set_at, view.finalized, BLOCK_SECONDS));
        if let Some(probe) = probe.as_ref().filter(|probe| reads(probe)) {
            seen.checks.push(newest_window(probe));
            seen.checks.push(last_windows(probe, &seen.windows));
            let format = timeout_at(by, format(tester, view, probe)).await;
            seen.checks.extend(format.unwrap_or_else(|_| Some(not_asked("format", PARQUET_WORDS))));
        }
        seen.checks.extend(others::concluded(tester, view, hotkey, by).await);
    }
    seen.probe = probe.map(Box::new);
    seen.out_of_time = Instant::now() >= by;
    Ok(seen.conclude())
}

fn verified(standing: Standing, evidence: impl Into<String>, fix: impl Into<String>) -> Check {
    with_fix(check("verified", "confirmed by two sources", standing, evidence), fix)
}

fn one_word(why: &str) -> String {
    format!("what follows is what one node says; nobody else could confirm it: {why}.")
}

fn no_hotkey() -> Diagnostic {
    Diagnostic::new(
        "no_hotkey",
        Severity::Warning,
        "No own hotkey is known",
        "Whether a validator would see you can only be told of a hotkey.",
        "Name it with --wallet and --hotkey, or give its SS58 address with --hotkey.",
    )
}

fn check(name: &'static str, words: &'static str, standing: Standing, evidence: impl Into<String>) -> Check {
    Check { check: name, words, standing, evidence: evidence.into(), fix: String::new() }
}

/// What the time was over for.
fn not_asked(name: &'static str, words: &'static str) -> Check {
    with_fix(
        check(name, words, Standing::Unknown, "Not known: the time for the whole was over before this was answered."),
        "Ask again when chain and store answer faster.",
    )
}

fn with_fix(check: Check, fix: impl Into<String>) -> Check {
    Check { fix: fix.into(), ..check }
}

/// What is said of an old chain is not said of now.
fn out_of_date(view: &View, now_ms: u64) -> Option<Check> {
    let age = view.age_ms(now_ms);
    (age > TOO_OLD_FOR_NOW_MS).then(|| {
        let evidence = format!("No block is known since {}: what follows is of that time.", age_seconds(age / 1_000));
        with_fix(
            check("chain", "chain followed", Standing::Unknown, evidence),
            "Ask again when the console is live, or use another node.",
        )
    })
}

fn registered(view: &View, hotkey: Hotkey) -> Check {
    let (name, words) = ("registered", "registered");
    let netuid = view.subnet.netuid;
    if let Some(member) = view.member(&hotkey) {
        return check(name, words, Standing::Yes, format!("uid {} on subnet {netuid}.", member.uid));
    }
    let evidence = format!("the hotkey {} has no uid on subnet {netuid}.", hotkey.short());
    with_fix(check(name, words, Standing::No, evidence), "Register the hotkey; until then nobody looks.")
}

fn readable(view: &View, hotkey: Hotkey) -> Check {
    let (name, words) = ("readable", "commitment readable");
    let fix = "Publish the read pair with commit.";
    match view.commitment(&hotkey).map(|commitment| commitment.unreadable()) {
        None => with_fix(check(name, words, Standing::No, "nothing was ever published for this hotkey."), fix),
        Some(Some(unreadable)) => {
            let evidence = format!("validators drop the commitment without a word. {}", unreadable.detail);
            with_fix(check(name, words, Standing::No, evidence), fix)
        }
        Some(None) => check(name, words, Standing::Yes, "GRAIL accepts the commitment."),
    }
}

/// Whether it came to looking for the object at all.
fn reads(probe: &Probe) -> bool {
    matches!(probe.verdict.layer(), Layer::None | Layer::Object)
}

fn key_reads(probe: &Probe) -> Check {
    let (name, words) = ("key_reads", "published key reads");
    if reads(probe) {
        return check(
            name,
            words,
            Standing::Yes,
            format!("The bucket answered in {}.", milliseconds(probe.elapsed_ms)),
        );
    }
    let standing = if probe.is_definite { Standing::No } else { Standing::Unknown };
    let now = asking_now(probe).map(|now| format!(" {now}")).unwrap_or_default();
    with_fix(check(name, words, standing, uncapitalised(&probe.explanation) + &now), &*probe.fix)
}

fn newest_window(probe: &Probe) -> Check {
    let standing = if probe.verdict.passes() { Standing::Yes } else { Standing::No };
    let evidence = match standing {
        Standing::Yes => probe.explanation.clone(),
        _ => uncapitalised(&probe.explanation),
    };
    with_fix(check("newest_window", "newest window", standing, evidence), &*probe.fix)
}

fn last_windows(probe: &Probe, windows: &[WindowSeen]) -> Check {
    let (name, words) = ("windows", "windows before it");
    let before = windows.get(1..).unwrap_or_default();
    let all = probe.window.map_or(0, |newest| newest.back(WINDOWS_SHOWN).skip(1).count());
    if before.len() < all {
        let evidence = format!("{} of the {all} windows before the newest were answered in time.", before.len());
        return Check { evidence, ..not_asked(name, words) };
    }
    let good = before.iter().filter(|seen| seen.verdict.passes()).count();
    if good == before.len() {
        let evidence = format!("All {good} windows before the newest were there, on time and in size.");
        return check(name, words, Standing::Yes, evidence);
    }
    let last = before.iter().position(|seen| !seen.verdict.passes()).unwrap_or_default() + 1;
    let evidence = format!(
        "{} of the {} windows before the newest would not have been taken, the last one {last} window{} ago; a validator \
         excludes a miner for {EXCLUSION_WINDOWS} windows after a failure.",
        before.len() - good,
        before.len(),
        if last == 1 { "" } else { "s" }
    );
    with_fix(check(name, words, Standing::Warning, evidence), "Look at the miner's log of those windows.")
}

/// The last windows, newest first. Where the newest told that nothing can be read, the others would tell the same.
async fn windows(tester: &Tester, view: &View, probe: &Probe, by: Instant) -> Vec<WindowSeen> {
    let (Some(newest), Ok(target)) = (probe.window, tester.target(view, &probe.hotkey)) else { return Vec::new() };
    if !reads(probe) {
        return vec![newest_seen(newest, probe)];
    }
    let windows: Vec<Window> = newest.back(WINDOWS_SHOWN).collect();
    let deadlines = timeout_at(by, tester.deadlines(view, &windows)).await.unwrap_or_default();
    let reader = tester.store.reader(target);
    let mut before = Vec::new();
    for window in windows.into_iter().skip(1) {
        before.push(window_seen(tester, view, &reader, probe.hotkey, window, deadlines.get(&window).copied()));
    }
    let before = stream::iter(before).buffered(OWN_AT_ONCE).take_until(sleep_until(by));
    let before: Vec<WindowSeen> = before.collect().await;
    std::iter::once(newest_seen(newest, probe)).chain(before).collect()
}

/// One of the windows before the newest, by a validator's two requests alone.
async fn window_seen(
    tester: &Tester,
    view: &View,
    reader: &Reader,
    hotkey: Hotkey,
    window: Window,
    deadline: Option<Deadline>,
) -> WindowSeen {
    let walk = tester.walk(reader, hotkey, window, Extent::Heads).await;
    let judgement = tester.judge(view, hotkey, window, deadline, &walk);
    let modified = judgement.found.and_then(|found| found.last_modified_ms);
    WindowSeen {
        window,
        verdict: judgement.verdict,
        size: judgement.found.and_then(|found| found.size),
        early_ms: modified.zip(deadline).and_then(|(modified, d)| early(d.at_ms, modified)),
        exact: deadline.is_some_and(|deadline| deadline.exact),
    }
}

fn newest_seen(window: Window, probe: &Probe) -> WindowSeen {
    let early_ms = probe.last_modified_ms.zip(probe.deadline).and_then(|(modified, d)| early(d.at_ms, modified));
    let exact = probe.deadline.is_some_and(|deadline| deadline.exact);
    WindowSeen { window, verdict: probe.verdict, size: probe.size, early_ms, exact }
}

fn early(deadline_ms: u64, modified_ms: u64) -> Option<i64> {
    Some(i64::try_from(deadline_ms).ok()? - i64::try_from(modified_ms).ok()?)
}

/// Whether the newest object begins and ends like what it is called.
async fn format(tester: &Tester, view: &View, probe: &Probe) -> Option<Check> {
    let (name, words) = ("format", PARQUET_WORDS);
    let window = probe.window.filter(|_| probe.verdict.passes())?;
    let reader = tester.store.reader(tester.target(view, &probe.hotkey).ok()?);
    let compressed = DocumentedName::WindowCompressed(probe.hotkey, window);
    let plain = DocumentedName::Window(probe.hotkey, window);
    let object = if probe.object.as_deref() == Some(compressed.to_string().as_str()) { compressed } else { plain };
    let by = Instant::now() + tester.store.options().total;
    let start = reader.get(Request::GetStart, &object, Part::First(4), by).await;
    let end = reader.get(Request::GetEnd, &object, Part::Last(4), by).await;
    let gzip = object == compressed && start.bytes.starts_with(GZIP);
    // A store that ignores ranges does not tell the end.
    let needed = if gzip { &[&start][..] } else { &[&start, &end] };
    let read = |answer: &&Answer| matches!(answer.exchange.reply, Reply::Found(_)) && !answer.bytes.is_empty();
    if !needed.iter().all(read) {
        let evidence = "The first and last bytes of the newest object could not be read.";
        return Some(check(name, words, Standing::Unknown, evidence));
    }
    let parquet = start.bytes.starts_with(PARQUET) && end.bytes.ends_with(PARQUET);
    Some(match (parquet, gzip) {
        (true, _) => check(name, words, Standing::Yes, "The newest object begins and ends with PAR1."),
        (false, true) => {
            let evidence =
                "The newest object is gzip; what is inside was not unpacked, so whether it is Parquet is not known.";
            check(name, words, Standing::Unknown, evidence)
        }
        (false, false) => with_fix(
            check(
                name,
                words,
                Standing::No,
                format!(
                    "the newest object is no Parquet file: it begins with {} and ends with {}.",
                    hex::encode(&start.bytes),
                    hex::encode(&end.bytes)
                ),
            ),
            "Look at what the miner wrote; an upload that was cut off has no end.",
        ),
    })
}

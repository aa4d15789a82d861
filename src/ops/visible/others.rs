//! What others published after their own look: the trust list that counts, and the trainer's READY mark.

use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{check, not_asked, with_fix};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{CANNOT_LIST, MAY_LIST, Reply, Request, Verdict, verdict_of};
use crate::domain::roster::TRAINER_UID;
use crate::domain::snapshot::most_staked;
use crate::domain::text::{BLOCK_SECONDS, age_seconds, grouped, uncapitalised};
use crate::domain::visible::{Check, Standing};
use crate::domain::window::{DocumentedName, WINDOW_BLOCKS, WINDOWS_SHOWN, Window};
use crate::ops::probe::{TRUST_WINDOWS, Tester, View, listed_mark};
use crate::storage::Part;

/// Bytes of a trust list that are read: a thousand addresses take about 50 KB.
const TRUST_LIST_BYTES: u32 = 64 << 10;
const TRUSTED_WORDS: &str = "in the trust list that counts";
const READY_WORDS: &str = "trainer READY";

/// What validators and the trainer published.
pub(super) async fn concluded(tester: &Tester, view: &View, hotkey: Hotkey, by: Instant) -> Vec<Check> {
    let Some(newest) = Window::last_complete(view.finalized) else { return Vec::new() };
    let (trusted, ready) = tokio::join!(
        timeout_at(by, trusted(tester, view, hotkey, newest)),
        timeout_at(by, trainer(tester, view, newest))
    );
    vec![
        trusted.unwrap_or_else(|_| not_asked("trusted", TRUSTED_WORDS)),
        ready.unwrap_or_else(|_| not_asked("trainer_ready", READY_WORDS)),
    ]
}

#[derive(Deserialize)]
struct TrustList {
    eligible_hotkeys: Vec<String>,
}

/// The trust list that counts is that of the permit holder with most stake, be it uid 0, and of its lists the first one that
/// there is (FACTS 5): what others say, and what it said before, is read by nobody.
async fn trusted(tester: &Tester, view: &View, hotkey: Hotkey, newest: Window) -> Check {
    let unknown = |evidence: String| check("trusted", TRUSTED_WORDS, Standing::Unknown, evidence);
    let Some(counts) = most_staked(&view.subnet.members) else {
        return unknown(
            "The chain does not tell who has most stake, so whose trust list counts is not known.".to_owned(),
        );
    };
    let whose = format!("uid {}, who has most stake", counts.uid);
    let Ok(target) = tester.target(view, &counts.hotkey) else {
        return unknown(format!("The trust list that counts is that of {whose}, whose bucket cannot be read."));
    };
    let _turn = tester.turn(target.account_tag()).await;
    let reader = tester.store.reader(target);
    for window in newest.back(TRUST_WINDOWS) {
        let by = Instant::now() + tester.store.options().total;
        let name = DocumentedName::TrustList(window);
        let answer = reader.get(Request::GetTrustList, &name, Part::First(TRUST_LIST_BYTES), by).await;
        let number = grouped(window.start());
        match answer.exchange.reply {
            Reply::Found(_) => {
                return match lists(&answer.bytes, hotkey) {
                    Some(true) => {
                        check("trusted", TRUSTED_WORDS, Standing::Yes, format!("Listed by {whose} (window {number})."))
                    }
                    Some(false) => with_fix(
                        check(
                            "trusted",
                            TRUSTED_WORDS,
                            Standing::Warning,
                            format!("Not listed by {whose} (window {number})."),
                        ),
                        "Right after a first commit this takes a window or two; later look for missing or late windows.",
                    ),
                    None => unknown(format!("The trust list of {whose}, cannot be understood (window {number}).")),
                };
            }
            Reply::Refused { http: 404, .. } => {}
            reply => {
                let verdict = verdict_of(&reply).word();
                return unknown(format!("The trust list of {whose}, cannot be read ({verdict})."));
            }
        }
    }
    unknown(format!("No trust list of {whose}, is there for the last {TRUST_WINDOWS} windows."))
}

/// Whether a list names a hotkey. Of one that is longer than what is read the beginning may tell.
fn lists(bytes: &[u8], hotkey: Hotkey) -> Option<bool> {
    let hotkey = hotkey.to_string();
    match serde_json::from_slice::<TrustList>(bytes) {
        Ok(list) => Some(list.eligible_hotkeys.contains(&hotkey)),
        Err(error) if error.is_eof() => {
            let quoted = format!("\"{hotkey}\"");
            bytes.windows(quoted.len()).any(|part| part == quoted.as_bytes()).then_some(true)
        }
        Err(_) => None,
    }
}

async fn trainer(tester: &Tester, view: &View, newest: Window) -> Check {
    let (name, words) = ("trainer_ready", READY_WORDS);
    let unknown = |evidence: &str| check(name, words, Standing::Unknown, evidence);
    let Some(trainer) = view.subnet.members.iter().find(|member| member.uid == TRAINER_UID) else {
        return unknown("There is no uid 0, who trains.");
    };
    let Ok(target) = tester.target(view, &trainer.hotkey) else {
        return unknown("The trainer's bucket cannot be read with what it published.");
    };
    let _turn = tester.turn(target.account_tag()).await;
    let reader = tester.store.reader(target);
    let (exchange, mark) = listed_mark(tester, view, &trainer.hotkey, &reader).await;
    let reply = exchange.map(|exchange| exchange.reply);
    match (mark, reply) {
        (Some((checkpoint, ready)), _) => marked(newest, checkpoint, ready),
        (None, Some(Reply::Found(_)) | None) => {
            let evidence = "The trainer's bucket lists no READY mark: nobody finds a checkpoint.";
            check(name, words, Standing::Warning, evidence)
        }
        (None, Some(reply)) => match verdict_of(&reply) {
            Verdict::ScopeDenied => with_fix(
                check(name, words, Standing::Warning, format!("Of uid 0: {}", uncapitalised(CANNOT_LIST))),
                MAY_LIST,
            ),
            verdict => unknown(&format!("The trainer's bucket cannot be listed ({}).", verdict.word())),
        },
    }
}

/// What consumers take now, and how old it is.
fn marked(newest: Window, checkpoint: Window, ready: Window) -> Check {
    let blocks = newest.start().saturating_sub(ready.start());
    let standing = match usize::try_from(blocks / WINDOW_BLOCKS) {
        Ok(..WINDOWS_SHOWN) => Standing::Yes,
        _ => Standing::Warning,
    };
    let age = match blocks {
        0 => "the newest".to_owned(),
        blocks => format!("{} before the newest", age_seconds(blocks.saturating_mul(BLOCK_SECONDS))),
    };
    let (checkpoint, ready) = (grouped(checkpoint.start()), grouped(ready.start()));
    let evidence = format!("Checkpoint {checkpoint} is READY since window {ready}, {age}.");
    check("trainer_ready", READY_WORDS, standing, evidence)
}

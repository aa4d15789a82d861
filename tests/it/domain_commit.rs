//! A commit as values: what the journal makes of it, how each end reads, and who is behind a change.

use grail_console::domain::commit::outcome::Rule;
use grail_console::domain::commit::progress::BlockId;
use grail_console::domain::commit::record::{self, Entry, Record};
use grail_console::domain::commit::{Ended, Failure, Intent, PoolAnswer, Receipt, Unsettled};
use grail_console::domain::commitment::{Commitment, Published};
use grail_console::domain::credentials::{LocalValues, LocalView, Source, Variable};
use grail_console::domain::diagnostic::Severity;
use grail_console::domain::guard::{Found, Likeness, Refusal, SecretKind, SecretPlace};
use grail_console::domain::network::BlockHash;
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::unexpected_change::{Cause, UnexpectedChange};

use crate::tui_fixtures::{HEAD, account, good, hotkey, key_id, secret};

fn published(n: u64) -> Published {
    good(n, HEAD).published().unwrap().clone()
}

fn hash(n: u8) -> BlockHash {
    BlockHash([n; 32])
}

fn block(number: u64) -> BlockId {
    BlockId { number, hash: hash(9) }
}

fn intent(n: u8) -> Intent {
    Intent {
        extrinsic: hash(n),
        genesis: hash(0),
        netuid: 81,
        uid: Some(42),
        hotkey: hotkey(42),
        old: Some(published(1).read_secret),
        target: published(2),
        nonce: 3,
        birth: HEAD,
        death: HEAD + 64,
    }
}

fn receipt(n: u8) -> Receipt {
    Receipt {
        extrinsic: hash(n),
        block: block(HEAD + 3),
        index: Some(1),
        first_seen_in: None,
        read_back_at: HEAD + 5,
        confirmed: None,
    }
}

fn entry(record: Record) -> Entry {
    Entry { at_ms: 1, record }
}

/// Every end that a commit can have.
fn ends() -> Vec<Ended> {
    let pool = [
        PoolAnswer::Stale,
        PoolAnswer::Future,
        PoolAnswer::BadProof,
        PoolAnswer::Ancient,
        PoolAnswer::Banned,
        PoolAnswer::AlreadyImported,
        PoolAnswer::LowPriority,
        PoolAnswer::Custom(0),
        PoolAnswer::Custom(3),
        PoolAnswer::Custom(6),
        PoolAnswer::Custom(19),
        PoolAnswer::Custom(15),
        PoolAnswer::Full,
        PoolAnswer::Payment,
        PoolAnswer::Other { code: 1, message: "\u{1b}[2J words of a node".into() },
    ];
    let dispatch =
        |error: &str, next_epoch_at| Failure::Dispatch { error: error.into(), block: block(7), next_epoch_at };
    let mut failures: Vec<Failure> = pool.into_iter().map(Failure::Pool).collect();
    failures.extend([
        Failure::NotSent { what: "no node answers".to_owned(), todo: "Try another.".to_owned() },
        dispatch("Commitments.AccountNotAllowedCommit", None),
        dispatch("Commitments.SpaceLimitExceeded", Some(HEAD + 100)),
        dispatch("Commitments.TooManyFieldsInCommitmentInfo", None),
        dispatch("Some\u{202e}thing.Else", None),
        Failure::Dropped,
        Failure::Replaced,
        Failure::Usurped { by: Some(published(3)), at: Some(HEAD) },
        Failure::NotThere,
        Failure::Contradiction { what: "this and that".to_owned() },
    ]);
    let mut ends: Vec<Ended> =
        failures.into_iter().map(|failure| Ended::Failed { failure, extrinsic: Some(hash(1)) }).collect();
    ends.extend([
        Ended::Unchanged { set_at: Some(HEAD), confirmed: None },
        Ended::Committed(receipt(1)),
        Ended::Refused(Rule::Guard(Refusal::HoldsSecret(found(SecretKind::WriteSecret)))),
        Ended::Refused(Rule::Guard(Refusal::HoldsSecret(found(SecretKind::Other("\u{1b}[2J_TOKEN".into()))))),
        Ended::Expired { extrinsic: hash(1), death: HEAD + 64 },
        Ended::Pending {
            reason: Unsettled::NotKnownYet,
            extrinsic: Some(hash(1)),
            why: "Nobody could be asked.".to_owned(),
        },
    ]);
    ends
}

/// A secret that the guard found, as a whole on a line of a `.env`.
pub fn found(kind: SecretKind) -> Found {
    let place = SecretPlace::Line { file: "/home/miner/grail/.env".into(), line: 4 };
    Found { kind, place, likeness: Likeness::Whole }
}

#[test]
fn every_end_says_what_happened_why_and_what_to_do_and_has_a_name_of_its_own() {
    let mut reasons = Vec::new();
    for ended in ends() {
        let told = ended.finding();
        for sentence in [&told.summary, &told.cause, &told.help] {
            assert!(sentence.len() > 7, "{ended:?}: {told:?}");
            assert!(!sentence.chars().any(|c| c.is_control() || c == '\u{202e}'), "{told:?}");
        }
        assert!(told.help.ends_with('.') && told.cause.ends_with('.'), "{told:?}");
        if let Some(reason) = ended.reason() {
            assert!(reason.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{reason}");
            reasons.push(reason);
        }
    }
    let all = reasons.len();
    reasons.sort_unstable();
    reasons.dedup();
    assert_eq!(reasons.len(), all, "{reasons:?}");
    for name in ["pool_stale", "account_not_allowed_commit", "space_limit_exceeded", "usurped", "era_over"] {
        assert!(reasons.iter().any(|reason| reason == name), "{name} is not in {reasons:?}");
    }
}

#[test]
fn only_what_was_published_and_read_back_is_called_committed() {
    for ended in ends() {
        let success = ended.word() == "committed" || ended.word() == "unchanged";
        assert_eq!(success, ended.finding().severity == Severity::Note, "{ended:?}");
    }
}

#[test]
fn a_spent_budget_says_when_the_next_epoch_begins() {
    let spent = Failure::Dispatch {
        error: "Commitments.SpaceLimitExceeded".into(),
        block: block(HEAD),
        next_epoch_at: Some(HEAD + 100),
    };
    let told = Ended::Failed { failure: spent, extrinsic: None }.finding();
    assert_eq!(told.help, "Commit again from #9,168,627 on (the next epoch, in about 20 min at the earliest).");
}

#[test]
fn every_record_is_read_back_as_it_was_written() {
    let mut records = vec![
        Record::Intended(intent(1)),
        Record::Broadcast { extrinsic: hash(1) },
        Record::InBlock { extrinsic: hash(1), block: block(4) },
    ];
    records.extend(ends().iter().filter_map(Record::of));
    assert!(records.len() > 20);
    for record in records {
        let written = serde_json::to_string(&entry(record.clone())).unwrap();
        // What a node wrote is sanitised on its way to the disk, so it is compared as it is written.
        let read: Entry = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        assert_eq!(read.record.extrinsic(), record.extrinsic());
    }
}

#[test]
fn a_commit_is_open_until_its_end_is_written_down() {
    let seen = Record::InBlock { extrinsic: hash(1), block: block(HEAD + 2) };
    let mut entries = vec![entry(Record::Intended(intent(1))), entry(Record::Intended(intent(2))), entry(seen)];
    entries.push(entry(Record::Expired { extrinsic: hash(2) }));
    let open = record::open(&entries);
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].intent.extrinsic, open[0].seen_in), (hash(1), Some(block(HEAD + 2))));
    entries.push(entry(Record::Committed { receipt: receipt(1) }));
    assert_eq!(record::open(&entries), vec![]);
}

#[test]
fn what_contradicts_itself_stays_open_so_that_the_next_start_looks_again() {
    let contradiction = Failure::Contradiction { what: "this and that".to_owned() };
    assert_eq!(Record::of(&Ended::Failed { failure: contradiction, extrinsic: Some(hash(1)) }), None);
    assert_eq!(
        Record::of(&Ended::Pending { reason: Unsettled::NotKnownYet, extrinsic: Some(hash(1)), why: String::new() }),
        None
    );
}

#[test]
fn an_intent_is_met_only_by_its_own_bytes_set_while_it_was_alive() {
    let intent = intent(1);
    let at = |n, block| Some(good(n, block));
    assert!(intent.is_met_by(at(2, HEAD + 1).as_ref()));
    assert!(!intent.is_met_by(at(2, HEAD).as_ref()), "that was there before");
    assert!(!intent.is_met_by(at(2, HEAD + 65).as_ref()), "it was dead by then");
    assert!(!intent.is_met_by(at(3, HEAD + 1).as_ref()));
    assert!(!intent.is_met_by(None));
}

fn local(read: u64, write: u64) -> LocalView {
    let mut values = LocalValues::default();
    let pairs = [
        (Variable::AccountId, account(read)),
        (Variable::BucketId, account(read)),
        (Variable::ReadKeyId, key_id(read)),
        (Variable::ReadSecret, secret(read)),
        (Variable::WriteKeyId, key_id(write)),
        (Variable::WriteSecret, secret(write)),
    ];
    for (line, (variable, text)) in (1..).zip(pairs) {
        values.define(variable, SecretKey::new(text), Source::EnvFile { line });
    }
    LocalView::of(&Provider::default(), &values)
}

fn cause(after: Option<&Commitment>, local: &LocalView) -> Option<Cause> {
    UnexpectedChange::between(Some(&good(1, HEAD - 9)), after, local).map(|surprise| surprise.cause)
}

#[test]
fn a_change_that_nobody_here_made_is_named_by_who_probably_made_it() {
    let mut view = local(2, 5);
    assert_eq!(cause(Some(&good(1, HEAD - 9)), &view), None);
    assert_eq!(cause(Some(&good(2, HEAD)), &view), Some(Cause::LocalValues));
    assert_eq!(cause(Some(&good(5, HEAD)), &view), Some(Cause::WriteKey));
    assert_eq!(cause(Some(&good(7, HEAD)), &view), Some(Cause::Elsewhere));
    assert_eq!(cause(None, &view), Some(Cause::Removed));
    // The same key with another bucket is nobody's .env.
    view.locator = Some(account(9));
    let elsewhere = UnexpectedChange::between(Some(&good(1, HEAD - 9)), Some(&good(2, HEAD)), &view).unwrap();
    assert_eq!(elsewhere.cause, Cause::Elsewhere);
    assert!(elsewhere.after.starts_with("bucket "), "{}", elsewhere.after);
    view.replaced.push(published(7).read_secret);
    assert_eq!(cause(Some(&good(7, HEAD)), &view), Some(Cause::OldKey));
    let told = UnexpectedChange::between(Some(&good(1, HEAD - 9)), Some(&good(5, HEAD)), &view).unwrap().finding();
    assert_eq!(told.severity, Severity::Danger);
    assert!(told.summary.contains("#9,168,527") && told.cause.contains("WRITE key"), "{told:?}");
}

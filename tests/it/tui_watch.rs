//! The watch over the own commitment: what is a surprise, what is not, and what takes one back.

use grail_console::domain::commit::Ended;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::commitment::Commitment;
use grail_console::domain::diagnostic::Severity;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::log::Level;
use grail_console::domain::network::BlockHash;
use grail_console::domain::secret::Fingerprint;
use grail_console::domain::snapshot::{SubnetChange, SubnetSnapshot};
use grail_console::domain::unexpected_change::Cause;
use grail_console::engine::service::Event as EngineEvent;
use grail_console::tui::commit::Watch;
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::{State, View};
use grail_console::tui::update::update;

use crate::tui_commit_fixtures::*;
use crate::tui_fixtures::*;

fn change(after: Option<Commitment>, block: u64) -> FeedEvent {
    let commitments = vec![(hotkey(u64::from(OWN)), after)];
    FeedEvent::Changed(Box::new(SubnetChange { block, commitments, members: Vec::new() }))
}

fn cause(state: &State) -> Option<Cause> {
    state.commits.watch.surprise.as_ref().map(|raised| raised.surprise.cause)
}

fn log_line(effect: &Effect) -> Option<(Level, &str)> {
    match effect {
        Effect::Log { level, text } => Some((*level, text.as_str())),
        _ => None,
    }
}

fn logged(effects: &[Effect]) -> Vec<(Level, &str)> {
    effects.iter().filter_map(log_line).collect()
}

#[test]
fn a_change_that_nobody_here_made_raises_a_banner_and_leaves_a_line_in_the_log() {
    let mut state = ready();
    let effects = feed(&mut state, change(Some(other(99, HEAD + 3)), HEAD + 3));
    let lines = logged(&effects);
    let [(Level::Warn, line)] = lines[..] else { panic!("{effects:?}") };
    assert!(line.contains("Your commitment changed at #9,168,530"), "{line}");
    assert!(line.contains("on another machine holds this hotkey too"), "{line}");
    assert_eq!(cause(&state), Some(Cause::Elsewhere));
    press(&mut state, "u");
    assert!(screen(&state, 80, 24).contains("Your commitment changed at #9,168,530"));
    press(&mut state, "esc");
    assert_eq!((cause(&state), state.view), (None, View::You), "esc puts the banner away before it goes back");
    press(&mut state, "esc");
    assert_eq!(state.view, View::Subnet);
}

#[test]
fn the_newest_surprise_wins() {
    let mut state = ready();
    feed(&mut state, change(Some(other(99, HEAD + 3)), HEAD + 3));
    feed(&mut state, change(Some(other(50_042, HEAD + 9)), HEAD + 9));
    assert_eq!(cause(&state), Some(Cause::LocalValues));
    assert!(screen(&state, 80, 24).contains("changed at #9,168,536"));
}

#[test]
fn what_others_publish_is_none_of_the_watch() {
    let mut state = ready();
    let commitments = vec![(hotkey(3), Some(good(3, HEAD + 1)))];
    let event = SubnetChange { block: HEAD + 1, commitments, members: Vec::new() };
    let effects = feed(&mut state, FeedEvent::Changed(Box::new(event)));
    assert_eq!((logged(&effects).len(), cause(&state)), (0, None));
}

#[test]
fn the_own_commit_is_no_surprise_neither_under_way_nor_later() {
    let mut state = under_way(3);
    let ours = || Some(other(50_042, HEAD + 3));
    assert!(logged(&feed(&mut state, change(ours(), HEAD + 3))).is_empty());
    assert_eq!(cause(&state), None);
    // The node is lost and found again: the finalized head that is read is older than the block.
    feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    assert_eq!(cause(&state), None, "the old key that a slower head shows is no change");
    feed(&mut state, change(ours(), HEAD + 3));
    ended(&mut state, Ended::Committed(receipt()));
    press(&mut state, "esc");
    assert_eq!(cause(&state), None);
    feed(&mut state, change(Some(other(99, HEAD + 30)), HEAD + 30));
    assert_eq!(cause(&state), Some(Cause::Elsewhere));
    feed(&mut state, change(Some(other(50_042, HEAD + 40)), HEAD + 40));
    assert_eq!(cause(&state), None, "what stands there is what was published here");
}

#[test]
fn a_key_that_this_console_replaced_is_an_old_key_when_it_comes_back() {
    let mut state = under_way(6);
    feed(&mut state, change(Some(other(50_042, HEAD + 3)), HEAD + 3));
    ended(&mut state, Ended::Committed(receipt()));
    press(&mut state, "esc");
    assert_eq!(cause(&state), None);
    // A GRAIL with the .env of before.
    feed(&mut state, change(Some(good(42, HEAD + 30)), HEAD + 30));
    assert_eq!(cause(&state), Some(Cause::OldKey));
}

#[test]
fn of_two_keys_published_from_here_the_first_is_a_surprise_when_it_comes_back() {
    let mut state = under_way(6);
    feed(&mut state, change(Some(other(50_042, HEAD + 3)), HEAD + 3));
    ended(&mut state, Ended::Committed(receipt()));
    press(&mut state, "esc");
    let mut standing = standing();
    standing.commitment = Some(other(50_042, HEAD + 3));
    planned(&mut state, plan_of(standing, false), Locked::Open);
    press(&mut state, "text:42 tab enter");
    feed(&mut state, change(Some(good(42, HEAD + 20)), HEAD + 20));
    ended(&mut state, Ended::Committed(receipt()));
    press(&mut state, "esc");
    assert_eq!(cause(&state), None);
    feed(&mut state, change(Some(other(50_042, HEAD + 30)), HEAD + 30));
    assert!(cause(&state).is_some(), "whatever its cause");
}

#[test]
fn an_own_commit_that_a_fork_takes_back_is_no_surprise() {
    let mut state = live(own(&values(42, true)), {
        let mut snapshot = healthy();
        snapshot.commitments.remove(&hotkey(u64::from(OWN)));
        snapshot
    });
    state.options.read_only = false;
    confirmed(&mut state, Locked::Open);
    feed(&mut state, change(Some(other(50_042, HEAD + 3)), HEAD + 3));
    feed(&mut state, change(None, HEAD + 4));
    assert_eq!(cause(&state), None);
}

#[test]
fn a_surprise_that_a_fork_takes_back_is_withdrawn() {
    let mut state = ready();
    let before = state.own_row().unwrap().commitment.clone();
    feed(&mut state, change(Some(other(99, HEAD + 3)), HEAD + 3));
    assert_eq!(cause(&state), Some(Cause::Elsewhere));
    let effects = feed(&mut state, change(before, HEAD + 4));
    assert_eq!(cause(&state), None);
    assert_eq!(logged(&effects), [(Level::Info, "the change of the own commitment at #9,168,530 is no longer there")]);
}

#[test]
fn a_commitment_that_the_chain_forgot_long_after_it_was_final_is_a_surprise() {
    let mut state = live(own(&values(42, true)), {
        let mut snapshot = healthy();
        snapshot.commitments.remove(&hotkey(u64::from(OWN)));
        snapshot
    });
    feed(&mut state, change(Some(other(50_042, HEAD + 3)), HEAD + 3));
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 600, hash: BlockHash([1; 32]) });
    feed(&mut state, change(None, HEAD + 600));
    assert_eq!(cause(&state), Some(Cause::Removed));
    let surprise = state.commits.watch.surprise.as_ref().unwrap().surprise.finding();
    assert!(surprise.cause.contains("Its key is not revoked by that"), "{surprise}");
    assert!(surprise.help.contains("or revoke the token"), "{surprise}");
}

#[test]
fn a_frozen_table_does_not_keep_a_surprise_from_being_told() {
    let mut state = ready();
    press(&mut state, "space");
    feed(&mut state, change(Some(other(99, HEAD + 3)), HEAD + 3));
    assert!(screen(&state, 80, 24).contains("Your commitment changed"));
    press(&mut state, "space");
    assert_eq!(cause(&state), Some(Cause::Elsewhere), "letting the change in does not raise it twice, nor withdraw it");
}

/// A console that opens with what the last session saved, and then reads the chain.
fn reopened(known: &[Commitment], replaced: &[u64], saved: SubnetSnapshot, now: Option<Commitment>) -> State {
    let mut own = own(&values(42, true));
    own.local.replaced = replaced.iter().map(|n| Fingerprint::of(&secret(*n))).collect();
    let mut state = opened(own);
    state.commits.watch = Watch::knowing(known.iter().filter_map(Commitment::published).cloned().collect());
    update(&mut state, Msg::CachedSnapshot { snapshot: Box::new(saved), saved_at_ms: NOW_MS - 7_300_000 });
    let mut snapshot = healthy();
    if let Some(now) = now {
        snapshot.commitments.insert(hotkey(u64::from(OWN)), now);
    }
    feed(&mut state, FeedEvent::Snapshot(Box::new(snapshot)));
    state
}

#[test]
fn a_change_since_the_last_session_is_a_surprise_unless_this_machine_made_it() {
    let new = other(50_042, HEAD - 400);
    assert_eq!(cause(&reopened(&[], &[], healthy(), None)), None, "nothing changed");
    let by_another = reopened(&[], &[], healthy(), Some(new.clone()));
    assert_eq!(cause(&by_another), Some(Cause::LocalValues));
    assert_eq!(cause(&reopened(std::slice::from_ref(&new), &[], healthy(), Some(new.clone()))), None);
    let old = reopened(std::slice::from_ref(&new), &[50_042], healthy(), Some(new.clone()));
    assert_ne!(cause(&old), None, "what this machine replaced is not what it wants there");
}

#[test]
fn what_was_saved_of_another_chain_is_compared_with_nothing() {
    let mut saved = healthy();
    saved.chain.genesis = BlockHash([0x55; 32]);
    assert_eq!(cause(&reopened(&[], &[], saved, Some(other(99, HEAD - 400)))), None);
}

#[test]
fn another_own_hotkey_begins_a_watch_of_its_own() {
    let mut state = ready();
    let mut other_own = own(&values(42, true));
    other_own.hotkey = Some(hotkey(1));
    update(&mut state, Msg::Event(EngineEvent::Own(Box::new(other_own))));
    feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    assert_eq!(cause(&state), None);
    let commitments = vec![(hotkey(1), Some(other(99, HEAD + 3)))];
    let event = SubnetChange { block: HEAD + 3, commitments, members: Vec::new() };
    feed(&mut state, FeedEvent::Changed(Box::new(event)));
    assert_ne!(cause(&state), None);
}

#[test]
fn an_earlier_commit_that_is_recognised_was_no_surprise() {
    let mut state = ready();
    feed(&mut state, change(Some(other(50_042, HEAD + 3)), HEAD + 3));
    assert_eq!(cause(&state), Some(Cause::LocalValues));
    settled(&mut state, Ended::Committed(receipt()));
    assert_eq!(cause(&state), None);
    assert_eq!(state.commits.settled[0].finding.severity, Severity::Note);
}

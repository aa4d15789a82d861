//! Where rows come from, on the screen, told as sentences.

use std::collections::BTreeMap;

use grail_console::domain::commit::progress::BlockId;
use grail_console::domain::commitment::Commitment;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::findings::{env_gone, env_unusable};
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::probe::{ProbeNews, Verdict};
use grail_console::domain::provenance::messages::{VerifyNews, VerifyOrder};
use grail_console::domain::provenance::{
    Case, Claim, Dispute, Examined, Level, Limit, ProofSize, Provenance, Scheme, Side, Signature,
};
use grail_console::domain::snapshot::SubnetChange;
use grail_console::domain::text::grouped;
use grail_console::domain::untrusted::Untrusted;
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::State;
use grail_console::tui::update::update;

use crate::tui_fixtures::*;
use crate::tui_probe_fixtures::probe;

fn console() -> State {
    let mut state = live(own(&values(42, false)), healthy());
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    state
}

/// A row as it was examined, at a level.
fn row(state: &State, uid: u64, level: Level) -> (Hotkey, Provenance) {
    let hotkey = hotkey(uid);
    let snapshot = state.model.table.snapshot().unwrap();
    let block = BlockId { number: HEAD - 40, hash: snapshot.at.hash };
    let signature = Signature {
        block,
        index: 2,
        extrinsic: snapshot.at.hash,
        scheme: Scheme::Sr25519,
        nonce: 7,
        born: Some(HEAD - 45),
        spec_version: 365,
    };
    let limit = match level {
        Level::Reported => Some(Limit::NoWitness),
        Level::Agreed => Some(Limit::NoProofs { why: "the node does not know the method".to_owned() }),
        Level::Proven => Some(Limit::NotAsked),
        Level::Signed => None,
    };
    let provenance = Provenance {
        level,
        limit,
        at: snapshot.at,
        commitment: snapshot.commitments.get(&hotkey).cloned(),
        endpoints: vec!["wss://one.example".to_owned(), "wss://two.example".to_owned()],
        proof: Some(ProofSize { nodes: 9, bytes: 1_898, keys: 2 }),
        proof_from: Some("wss://one.example".to_owned()),
        signature: (level == Level::Signed).then_some(signature),
        unsigned: None,
    };
    (hotkey, provenance)
}

fn examined(state: &mut State, rows: &[(u64, Level)], disputes: Vec<Dispute>) -> Vec<Effect> {
    let rows: BTreeMap<_, _> = rows.iter().map(|(uid, level)| row(state, *uid, *level)).collect();
    let found = Box::new(Examined { rows, disputes, ..Examined::default() });
    update(state, Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found, everybody: true })))
}

fn dispute(proven_wrong: Option<Side>) -> Dispute {
    let claim = |endpoint: &str, says: &str| Claim {
        endpoint: endpoint.to_owned(),
        block: None,
        says: Untrusted::from_text(says),
        proof: None,
    };
    Dispute {
        case: Case::OtherFork,
        hotkey: None,
        endpoint: claim("wss://one.example", "0x11…11 is final"),
        witness: claim("wss://two.example", "0x22…22 is final"),
        proven_wrong,
    }
}

fn line_of(state: &State, needle: &str, width: u16) -> String {
    let screen = screen(state, width, 32);
    screen.lines().find(|line| line.contains(needle)).unwrap_or_else(|| panic!("no {needle} in {screen}")).to_owned()
}

#[test]
fn a_subnet_that_was_read_is_verified_by_itself_the_own_row_as_far_as_its_signature() {
    let mut state = opened(own(&values(42, false)));
    let effects = feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())));
    let looks: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Ask(Request::Verify(_)))).collect();
    let [Effect::Ask(Request::Verify(VerifyOrder::Look { rows, everybody: true }))] = looks[..] else {
        panic!("{effects:?}")
    };
    let signatures: Vec<_> = rows.iter().filter(|(_, signature)| *signature).map(|(hotkey, _)| *hotkey).collect();
    assert_eq!(signatures, [hotkey(42)]);
}

#[test]
fn a_row_shows_its_level_as_glyph_and_where_there_is_room_as_word() {
    let mut state = console();
    examined(
        &mut state,
        &[(42, Level::Signed), (17, Level::Proven), (18, Level::Agreed), (19, Level::Reported)],
        vec![],
    );
    assert!(line_of(&state, "● you", 120).contains("✓ readable ✓"));
    assert!(line_of(&state, &hotkey(17).short(), 120).contains("✓ readable ≡"));
    assert!(line_of(&state, &hotkey(18).short(), 120).contains("✓ readable ="));
    assert!(line_of(&state, &hotkey(17).short(), 80).contains("✓ readable ≡"));
    update(&mut state, Msg::Resize { width: 148, height: 32 });
    let wide = screen(&state, 148, 32);
    for words in ["PROOF", "✓ signed", "≡ proven", "= agreed", "· reported"] {
        assert!(wide.contains(words), "{words} in {wide}");
    }
}

#[test]
fn a_commitment_that_changed_since_is_not_what_was_verified() {
    let mut state = console();
    examined(&mut state, &[(17, Level::Signed)], vec![]);
    let commitments = vec![(hotkey(17), Some(good(99, HEAD + 1)))];
    let change = SubnetChange { block: HEAD + 1, commitments, members: Vec::new() };
    feed(&mut state, FeedEvent::Changed(Box::new(change)));
    assert!(!line_of(&state, &hotkey(17).short(), 120).contains("readable ✓"));
}

#[test]
fn a_signature_that_was_verified_stays_verified_while_its_value_is_proven_again() {
    let mut state = console();
    examined(&mut state, &[(17, Level::Signed)], vec![]);
    examined(&mut state, &[(17, Level::Proven)], vec![]);
    assert!(line_of(&state, &hotkey(17).short(), 120).contains("readable ✓"));
    examined(&mut state, &[(17, Level::Agreed)], vec![]);
    assert!(
        line_of(&state, &hotkey(17).short(), 120).contains("readable ="),
        "what nobody proves any more is not carried on"
    );
}

#[test]
fn the_filter_asks_for_levels() {
    let mut state = console();
    examined(&mut state, &[(42, Level::Signed), (17, Level::Proven), (18, Level::Signed)], vec![]);
    press(&mut state, "/");
    update(&mut state, Msg::Paste("proof:signed".to_owned()));
    press(&mut state, "enter");
    let roster = state.model.table.roster();
    let listed: Vec<_> =
        state.list.slots().iter().filter_map(|slot| state.list.row(roster, *slot)).filter_map(|row| row.uid).collect();
    assert_eq!(listed, [42, 18]);
}

#[test]
fn the_detail_shows_the_whole_chain_of_evidence() {
    let mut state = console();
    examined(&mut state, &[(42, Level::Signed)], vec![]);
    press(&mut state, "enter");
    update(&mut state, Msg::Resize { width: 120, height: 70 });
    let detail = screen(&state, 120, 70);
    for words in [
        "PROVENANCE",
        "Signed: the hotkey signed exactly these bytes.",
        "wss://one.example, wss://two.example",
        "9 nodes, 1,898 bytes for 2 keys, from wss://one.example",
        "sr25519, nonce 7, born at #",
    ] {
        assert!(detail.contains(words), "{words} in {detail}");
    }
}

#[test]
fn v_verifies_the_selected_row_or_the_marked_ones_as_far_as_their_signatures() {
    let mut state = console();
    let [Effect::Ask(Request::Verify(VerifyOrder::Look { rows, everybody: false }))] = &press(&mut state, "V")[..]
    else {
        panic!("no order")
    };
    assert_eq!(rows, &[(hotkey(42), true)]);
    press(&mut state, "v v");
    let [Effect::Ask(Request::Verify(VerifyOrder::Look { rows, .. }))] = &press(&mut state, "V")[..] else {
        panic!("no order")
    };
    assert_eq!(rows.len(), 2);
}

#[test]
fn what_v_found_is_told_and_what_was_not_asked_for_is_not() {
    let mut state = console();
    let examined = |state: &State, level| {
        let found = Examined { rows: BTreeMap::from([row(state, 42, level)]), ..Examined::default() };
        Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found: Box::new(found), everybody: false }))
    };
    let news = examined(&state, Level::Proven);
    update(&mut state, news);
    assert!(!screen(&state, 120, 32).contains("uid 42 verified"));
    press(&mut state, "V");
    let news = examined(&state, Level::Signed);
    update(&mut state, news);
    assert!(screen(&state, 120, 32).contains("uid 42 verified: signed"), "{}", screen(&state, 120, 32));
    press(&mut state, "V");
    update(&mut state, Msg::Event(EngineEvent::Verify(VerifyNews::Failed("no node answers".to_owned()))));
    assert!(screen(&state, 120, 32).contains("not verified: no node answers"));
}

#[test]
fn a_contradiction_is_red_locks_writing_and_is_the_operators_decision_once_read() {
    let mut state = console();
    state.options.read_only = false;
    let logged = examined(&mut state, &[], vec![dispute(None)]);
    assert!(matches!(&logged[..], [Effect::Log { .. }]), "{logged:?}");
    for (width, height) in [(120, 32), (80, 24)] {
        update(&mut state, Msg::Resize { width, height });
        let shown = screen(&state, width, height);
        for words in ["✗ Sources disagree", "0x11…11 is final", "0x22…22 is final", "A when you have read it"] {
            assert!(shown.contains(words), "{words} in {shown}");
        }
    }
    assert_eq!(press(&mut state, "C"), [], "nothing is planned");
    assert!(screen(&state, 120, 32).contains("Read it, then press A"));
    press(&mut state, "enter");
    let read = press(&mut state, "A");
    assert!(matches!(&read[..], [Effect::Ask(Request::Verify(VerifyOrder::Read(_)))]), "{read:?}");
    assert!(!screen(&state, 120, 32).contains("Sources disagree"));
    assert!(matches!(&press(&mut state, "C")[..], [Effect::Ask(Request::Commit(_))]));
    // The same dispute found once more stays read; over and back again it is read again.
    press(&mut state, "esc");
    examined(&mut state, &[], vec![dispute(None)]);
    assert!(!screen(&state, 120, 32).contains("Sources disagree"));
    examined(&mut state, &[], vec![]);
    examined(&mut state, &[], vec![dispute(None)]);
    assert!(screen(&state, 120, 32).contains("Sources disagree"));
}

#[test]
fn an_acknowledged_contradiction_leaves_a_line_and_is_asked_anew_after_an_hour() {
    let mut state = console();
    state.options.read_only = false;
    examined(&mut state, &[], vec![dispute(None)]);
    press(&mut state, "A");
    let shown = screen(&state, 120, 32);
    assert!(shown.contains("▲ Acknowledged: two different finalized blocks of one height"), "{shown}");
    assert!(shown.contains("expires in"), "{shown}");
    pass(&mut state, 3_599);
    assert!(!screen(&state, 120, 32).contains("Sources disagree"));
    pass(&mut state, 2);
    let shown = screen(&state, 120, 32);
    assert!(shown.contains("✗ Sources disagree") && !shown.contains("Acknowledged"), "{shown}");
    assert_eq!(press(&mut state, "C"), [], "nothing is planned");
}

#[test]
fn a_contradiction_that_grew_stays_acknowledged_as_long_as_both_sources_say_the_same() {
    let mut state = console();
    let grown = |number| {
        let mut grown = dispute(None);
        grown.endpoint.block = Some(BlockId { number, hash: live_hash() });
        grown
    };
    examined(&mut state, &[], vec![grown(HEAD)]);
    press(&mut state, "A");
    let next = grown(HEAD + 5);
    let acknowledged = [(next.id(), state.model.now_ms + 1_000_000)].into();
    let found = Box::new(Examined { disputes: vec![next], acknowledged, ..Examined::default() });
    update(&mut state, Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found, everybody: true })));
    assert!(!screen(&state, 120, 32).contains("Sources disagree"));
    examined(&mut state, &[], vec![grown(HEAD + 6)]);
    assert!(screen(&state, 120, 32).contains("Sources disagree"), "nobody said that it is the same one");
}

fn live_hash() -> BlockHash {
    BlockHash([7; 32])
}

#[test]
fn a_witness_that_is_proven_wrong_is_told_and_locks_nothing() {
    let mut state = console();
    state.options.read_only = false;
    examined(&mut state, &[], vec![dispute(Some(Side::Witness))]);
    assert!(screen(&state, 120, 32).contains("The second is proven wrong"));
    assert!(matches!(&press(&mut state, "C")[..], [Effect::Ask(Request::Commit(_))]));
}

#[test]
fn a_connection_that_comes_and_goes_piles_up_no_orders() {
    let mut state = console();
    let orders = |effects: Vec<Effect>| {
        effects.iter().filter(|effect| matches!(effect, Effect::Ask(Request::Verify(_)))).count()
    };
    examined(&mut state, &[(42, Level::Proven)], vec![]);
    assert_eq!(orders(feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())))), 1);
    for _ in 0..3 {
        assert_eq!(orders(feed(&mut state, FeedEvent::Snapshot(Box::new(healthy())))), 0);
    }
    examined(&mut state, &[(42, Level::Proven)], vec![]);
    let finalized = FeedEvent::FinalizedHead { number: HEAD + 2, hash: state.model.table.snapshot().unwrap().at.hash };
    assert_eq!(orders(feed(&mut state, finalized)), 1, "what came meanwhile is looked at afterwards");
}

#[test]
fn a_contradiction_that_is_over_locks_no_longer_than_a_minute() {
    let mut state = console();
    state.options.read_only = false;
    let finalized = |state: &mut State, number: u64| {
        let hash = state.model.table.snapshot().unwrap().at.hash;
        let effects = feed(state, FeedEvent::FinalizedHead { number, hash });
        effects
            .into_iter()
            .any(|effect| matches!(effect, Effect::Ask(Request::Verify(VerifyOrder::Look { everybody: true, .. }))))
    };
    examined(&mut state, &[], vec![dispute(None)]);
    pass(&mut state, 59);
    assert!(!finalized(&mut state, HEAD + 4));
    pass(&mut state, 2);
    assert!(finalized(&mut state, HEAD + 5), "looked at again");
    examined(&mut state, &[], vec![]);
    assert!(matches!(&press(&mut state, "C")[..], [Effect::Ask(Request::Commit(_))]));
    pass(&mut state, 61);
    assert!(!finalized(&mut state, HEAD + 10), "without one there is time");
}

/// What an examination at a height found of the own row: this commitment, proven.
fn own_is(state: &mut State, at: u64, commitment: Option<Commitment>, limit: Limit) -> Vec<Effect> {
    let (hotkey, found) = row(state, 42, Level::Proven);
    let mut found = Provenance { commitment, limit: Some(limit), ..found };
    if found.is_disputed() {
        found.level = Level::Reported;
    }
    if at != found.at.number {
        found.at.number = at;
        found.at.hash = BlockHash([7; 32]);
    }
    let found = Box::new(Examined { rows: BTreeMap::from([(hotkey, found)]), ..Examined::default() });
    update(state, Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found, everybody: false })))
}

#[test]
fn a_feed_whose_own_row_alone_is_forged_is_corrected_called_a_contradiction_and_locks() {
    let mut state = console();
    state.options.read_only = false;
    let truth = state.own_row().unwrap().commitment.clone();
    // A change that nobody made: the feed alone tells it.
    let commitments = vec![(hotkey(42), Some(good(99, HEAD + 1)))];
    let change = SubnetChange { block: HEAD + 1, commitments, members: Vec::new() };
    feed(&mut state, FeedEvent::Changed(Box::new(change)));
    assert!(
        line_of(&state, " you:", 120).contains("▲ you:"),
        "the feed is believed until it is held against the proof"
    );
    let finalized = FeedEvent::FinalizedHead { number: HEAD + 4, hash: state.model.table.snapshot().unwrap().at.hash };
    feed(&mut state, finalized);
    let logged = own_is(&mut state, HEAD + 4, truth.clone(), Limit::NotAsked);
    assert!(
        matches!(&logged[..], [.., Effect::Log { text, .. }] if text.contains("The verified one is shown")),
        "{logged:?}"
    );
    assert_eq!(state.own_row().unwrap().commitment, truth);
    assert!(line_of(&state, " you:", 120).contains("✓ you:"));
    let shown = screen(&state, 120, 32);
    assert!(shown.contains("Sources disagree about") && shown.contains("The first is proven wrong"), "{shown}");
    assert!(!shown.contains("Your commitment changed at"), "nobody is told to look for a thief: {shown}");
    assert_eq!(press(&mut state, "C"), [], "nothing is planned");
}

#[test]
fn a_feed_that_is_only_late_is_corrected_and_not_called_a_lie() {
    let mut state = console();
    let newer = Some(good(99, HEAD + 1));
    let logged = own_is(&mut state, HEAD + 1, newer.clone(), Limit::NotAsked);
    assert!(
        matches!(&logged[..], [Effect::Log { text, .. }] if text.contains("Your commitment changed")),
        "{logged:?}"
    );
    assert_eq!(state.own_row().unwrap().commitment, newer);
    assert!(state.proofs.lock(state.model.now_ms).is_none());
    // What was examined before the feed told something newer corrects nothing.
    let newest = Some(good(98, HEAD + 9));
    let commitments = vec![(hotkey(42), newest.clone())];
    feed(&mut state, FeedEvent::Changed(Box::new(SubnetChange { block: HEAD + 9, commitments, members: Vec::new() })));
    assert_eq!(own_is(&mut state, HEAD + 8, newer, Limit::NotAsked), []);
    assert_eq!(state.own_row().unwrap().commitment, newest);
}

#[test]
fn while_it_is_not_known_what_one_published_nothing_is_compared_with_it() {
    let mut state = console();
    let shown = state.own_row().unwrap().commitment.clone();
    own_is(&mut state, HEAD, shown.clone(), Limit::Disputed { case: Case::OtherFork });
    for (width, height) in [(200, 50), (120, 32), (80, 24)] {
        update(&mut state, Msg::Resize { width, height });
        let shown = screen(&state, width, height);
        assert!(shown.contains("≠ you: what you published is not known"), "{shown}");
    }
    update(&mut state, Msg::Resize { width: 120, height: 60 });
    for view in ["enter", "u"] {
        press(&mut state, view);
        let shown = screen(&state, 120, 60);
        assert!(shown.contains("What you published is not known: sources contradict each other."), "{view}: {shown}");
        assert!(!shown.contains("chain and local agree"), "{view}: {shown}");
        press(&mut state, "esc");
    }
    own_is(&mut state, HEAD + 1, shown, Limit::NotAsked);
    assert!(line_of(&state, " you:", 120).contains("✓ you:"));
}

#[test]
fn the_own_row_is_looked_at_once_in_each_window() {
    let mut state = console();
    examined(&mut state, &[(42, Level::Signed)], vec![]);
    let mut looks = Vec::new();
    for number in HEAD + 1..HEAD + 91 {
        let hash = state.model.table.snapshot().unwrap().at.hash;
        let effects = feed(&mut state, FeedEvent::FinalizedHead { number, hash });
        let own = effects.into_iter().filter_map(|effect| match effect {
            Effect::Ask(Request::Verify(VerifyOrder::Look { rows, everybody: false })) => Some(rows),
            _ => None,
        });
        for rows in own {
            assert_eq!(rows, [(hotkey(42), false)]);
            looks.push(number / 30);
            let shown = state.own_row().unwrap().commitment.clone();
            own_is(&mut state, number, shown, Limit::NotAsked);
        }
    }
    let windows: Vec<u64> = (HEAD / 30 + 1..=(HEAD + 90) / 30).collect();
    assert_eq!(looks, windows);
    assert!(line_of(&state, "● you", 120).contains("✓ readable ✓"), "what was signed stays signed");
}

#[test]
fn a_table_that_was_forged_from_the_beginning_warns_of_no_change_and_is_disputed_once() {
    let mut forged = healthy();
    forged.commitments.insert(hotkey(42), good(99, HEAD - 40));
    let mut state = live(own(&values(42, false)), forged);
    update(&mut state, Msg::Resize { width: 120, height: 32 });
    let truth = healthy().commitments.get(&hotkey(42)).cloned();
    let named = Dispute { case: Case::ForgedValue, hotkey: Some(hotkey(42)), ..dispute(Some(Side::Endpoint)) };
    let (own, found) = row(&state, 42, Level::Proven);
    let found = Provenance { commitment: truth.clone(), ..found };
    let found = Examined { rows: BTreeMap::from([(own, found)]), disputes: vec![named], ..Examined::default() };
    update(
        &mut state,
        Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found: Box::new(found), everybody: false })),
    );
    assert_eq!(state.own_row().unwrap().commitment, truth);
    let shown = screen(&state, 120, 32);
    assert_eq!(shown.matches("Sources disagree").count(), 1, "{shown}");
    assert!(!shown.contains("Your commitment changed at"), "{shown}");
}

/// The feed tells that somebody put other keys of ours on chain.
fn theft(state: &mut State, generation: u64, block: u64) -> Option<Commitment> {
    let stolen = Some(good(generation, block));
    let commitments = vec![(hotkey(42), stolen.clone())];
    feed(state, FeedEvent::Changed(Box::new(SubnetChange { block, commitments, members: Vec::new() })));
    let hash = state.model.table.snapshot().unwrap().at.hash;
    feed(state, FeedEvent::FinalizedHead { number: block + 6, hash });
    stolen
}

#[test]
fn a_theft_that_is_verified_while_the_table_stands_still_stays_an_alarm_and_accuses_nobody() {
    let mut state = console();
    press(&mut state, "space");
    assert!(state.model.table.paused().is_some());
    let stolen = theft(&mut state, 99, HEAD + 1);
    assert_eq!(own_is(&mut state, HEAD + 6, stolen, Limit::NotAsked), []);
    assert!(state.proofs.lock(state.model.now_ms).is_none(), "the feed told the truth");
    assert!(screen(&state, 120, 32).contains("Your commitment changed at"));
}

#[test]
fn a_theft_that_a_node_hides_is_an_alarm_when_it_is_verified() {
    let mut state = console();
    // Connected again; the table still shows the old keys, and the others are older than that.
    let mut later = healthy();
    later.at.number = HEAD + 30;
    feed(&mut state, FeedEvent::Snapshot(Box::new(later)));
    own_is(&mut state, HEAD + 40, Some(good(99, HEAD + 10)), Limit::NotAsked);
    assert!(screen(&state, 120, 32).contains("Your commitment changed at"));
}

#[test]
fn a_theft_behind_which_a_node_forges_another_change_stays_an_alarm() {
    let mut state = console();
    let stolen = theft(&mut state, 99, HEAD + 1);
    theft(&mut state, 98, HEAD + 8);
    own_is(&mut state, HEAD + 14, stolen, Limit::NotAsked);
    assert!(screen(&state, 120, 32).contains(&format!("Your commitment changed at #{}", "9,168,528")));
}

#[test]
fn one_node_against_itself_corrects_nothing() {
    let mut state = console();
    let shown = state.own_row().unwrap().commitment.clone();
    let (own, found) = row(&state, 42, Level::Reported);
    let found = Provenance { commitment: Some(good(99, HEAD - 40)), ..found };
    let found = Examined { rows: BTreeMap::from([(own, found)]), ..Examined::default() };
    update(
        &mut state,
        Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found: Box::new(found), everybody: false })),
    );
    assert_eq!(state.own_row().unwrap().commitment, shown);
    assert!(state.proofs.lock(state.model.now_ms).is_none());
}

#[test]
fn of_somebody_elses_row_the_detail_shows_what_is_proven_and_judges_nothing_that_is_not_known() {
    for (proof, words) in [(true, "GRAIL accepts this commitment"), (false, "What stands on chain is not known")] {
        let mut state = console();
        let (hotkey, found) = row(&state, 17, Level::Proven);
        let truth = Some(good(99, HEAD - 40));
        let limit = Some(Limit::Disputed { case: Case::ForgedValue });
        let found = Provenance { limit, ..found };
        let found = if proof {
            Provenance { commitment: truth.clone(), ..found }
        } else {
            Provenance { proof: None, level: Level::Reported, ..found }
        };
        let found = Box::new(Examined { rows: BTreeMap::from([(hotkey, found)]), ..Examined::default() });
        update(&mut state, Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found, everybody: false })));
        let shown = state.model.table.roster().by_hotkey(&hotkey).unwrap().commitment.clone();
        assert_eq!(shown == truth, proof);
        press(&mut state, "g");
        while state.selected().unwrap().uid != Some(17) {
            press(&mut state, "j");
        }
        press(&mut state, "enter");
        let detail = screen(&state, 120, 32);
        assert!(detail.contains("uid 17") && detail.contains(words), "{detail}");
        assert_eq!(detail.contains("✓ GRAIL accepts"), proof, "{detail}");
    }
}

/// What stands beside "you:" in the summary, and where the You view and the own detail say how the row stands.
#[track_caller]
fn own_row_is(state: &mut State, expected: &str) {
    let said = line_of(state, " you:", 120);
    assert!(said.contains(expected), "{expected}: {said}");
    let words = expected.split_once("you: ").unwrap().1;
    for view in ["u", "enter"] {
        press(state, view);
        let shown = screen(state, 120, 80);
        assert!(shown.contains(words), "{view}: {shown}");
        assert_eq!(shown.contains("✓ chain and local agree"), expected.starts_with('✓'), "{view}: {shown}");
        press(state, "esc");
    }
}

#[test]
fn an_own_commitment_in_a_block_that_is_not_final_is_not_called_good() {
    let mut state = console();
    update(&mut state, Msg::Resize { width: 120, height: 80 });
    own_row_is(&mut state, "✓ you: chain and local agree");
    let commitments = vec![(hotkey(42), Some(good(42, HEAD + 2)))];
    let change = SubnetChange { block: HEAD + 2, commitments, members: Vec::new() };
    feed(&mut state, FeedEvent::Changed(Box::new(change)));
    let not_final = format!("◌ you: in block #{}, not final yet", grouped(HEAD + 2));
    own_row_is(&mut state, &not_final);
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 1, hash: BlockHash([1; 32]) });
    own_row_is(&mut state, &not_final);
    feed(&mut state, FeedEvent::FinalizedHead { number: HEAD + 2, hash: BlockHash([2; 32]) });
    own_row_is(&mut state, "✓ you: chain and local agree");
}

/// A node may go on telling of blocks and withhold what happens to one row.
#[test]
fn an_own_row_that_nobody_looked_at_for_a_window_is_a_question() {
    let mut state = console();
    update(&mut state, Msg::Resize { width: 120, height: 80 });
    for (seconds, expected) in [(350, "✓ you: chain and local agree"), (70, "? you: chain and local agree, 7 min ago")]
    {
        pass(&mut state, seconds);
        let number = HEAD + 30;
        feed(&mut state, FeedEvent::FinalizedHead { number, hash: BlockHash([9; 32]) });
        own_row_is(&mut state, expected);
    }
    update(&mut state, Msg::Event(EngineEvent::Verify(VerifyNews::Failed("nobody answers".to_owned()))));
    own_row_is(&mut state, "? you: chain and local agree, 7 min ago");
    let shown = state.own_row().unwrap().commitment.clone();
    own_is(&mut state, HEAD + 30, shown, Limit::NotAsked);
    own_row_is(&mut state, "✓ you: chain and local agree");
}

#[test]
fn without_the_env_that_it_was_compared_with_the_own_row_is_not_called_good() {
    for (finding, words) in [
        (env_gone("/home/me/grail/.env"), "▲ you: the .env that this was compared with is gone"),
        (env_unusable("/home/me/grail/.env", "line 3"), "▲ you: the .env changed and cannot be used"),
    ] {
        let mut state = console();
        update(&mut state, Msg::Resize { width: 120, height: 80 });
        let mut gone = own(&values(42, false));
        gone.findings.insert(0, finding.clone());
        update(&mut state, Msg::Event(EngineEvent::Own(Box::new(gone))));
        own_row_is(&mut state, words);
        press(&mut state, "u");
        let shown = screen(&state, 120, 80);
        assert!(shown.contains(&finding.summary) && !shown.contains("✓ Dual credentials"), "{shown}");
        press(&mut state, "esc");
        update(&mut state, Msg::Event(EngineEvent::Own(Box::new(own(&values(42, false))))));
        own_row_is(&mut state, "✓ you: chain and local agree");
    }
}

#[test]
fn a_read_test_that_blames_a_holder_says_whether_more_than_one_node_named_the_key() {
    let alone = "As this node says it: nobody else confirmed that this is the key on chain.";
    let detail = |state: &mut State| {
        press(state, &format!("/ text:{} enter enter", hotkey(5)));
        let shown = screen(state, 120, 80);
        press(state, "esc esc");
        shown
    };
    let mut state = console();
    update(&mut state, Msg::Resize { width: 120, height: 80 });
    let failed = probe(5, Verdict::AuthUnknownKey);
    let fix = failed.fix.clone();
    update(&mut state, Msg::Event(EngineEvent::Probe(ProbeNews::Tested(Box::new(failed)))));
    let shown = detail(&mut state);
    assert!(shown.contains(alone) && shown.contains(&fix[..40]), "{shown}");
    examined(&mut state, &[(5, Level::Proven)], vec![]);
    let shown = detail(&mut state);
    assert!(!shown.contains(alone) && shown.contains(&fix[..40]), "{shown}");
    let (hotkey, found) = row(&state, 5, Level::Reported);
    let found = Provenance { limit: Some(Limit::Disputed { case: Case::OtherFork }), ..found };
    let found = Box::new(Examined { rows: BTreeMap::from([(hotkey, found)]), ..Examined::default() });
    update(&mut state, Msg::Event(EngineEvent::Verify(VerifyNews::Examined { found, everybody: false })));
    let shown = detail(&mut state);
    assert!(shown.contains("Sources contradict each other about this row") && !shown.contains(&fix[..40]), "{shown}");
}

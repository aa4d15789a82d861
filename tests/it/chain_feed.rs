//! Following a subnet for days, compressed: changes, changes of hands, outages of every kind, an upgrade.

use std::net::Ipv4Addr;
use std::time::Duration;

use grail_console::chain::MetadataStore;
use grail_console::domain::commitment::Commitment;
use grail_console::domain::feed::FeedEvent;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::{BlockHash, Network};
use grail_console::domain::snapshot::{Member, SubnetSnapshot};
use grail_console::sandbox::{CommitmentSpec, Field, RuntimeKind, Sandbox, Scenario, Stall, Throttle, hotkey};
use rstest::rstest;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::chain_events::{Heard, blocks, names, network, of, sandbox};
use crate::chain_lies::hasty;
use crate::support::chain::{ChainOptions, follow};

/// A feed that has its snapshot.
async fn following(sandbox: &Sandbox, options: ChainOptions) -> (Heard, SubnetSnapshot) {
    let mut heard = Heard::on(&network(&[sandbox]), options);
    let snapshot = heard.snapshot().await;
    (heard, snapshot)
}

#[tokio::test]
async fn a_feed_begins_by_connecting_and_reading_everything() {
    let sandbox = sandbox("healthy", 64).await;
    let (heard, snapshot) = following(&sandbox, hasty()).await;
    assert_eq!(names(&heard.events), ["connecting", "connected", "snapshot"]);
    assert_eq!(snapshot.members.len(), 64);
}

#[tokio::test]
async fn a_changed_commitment_is_told_with_the_very_block_that_brought_it() {
    let sandbox = sandbox("healthy", 64).await;
    let (mut heard, _) = following(&sandbox, hasty()).await;
    sandbox.commit(42, CommitmentSpec::raw(vec![b'x'; 77]));
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    let [(who, Some(commitment))] = change.commitments.as_slice() else { panic!("one change: {change:?}") };
    assert_eq!((*who, commitment.variant.as_str()), (hotkey(42), "Raw77"));
    assert_eq!(change.block, u64::from(sandbox.best().number()));
    assert_eq!(commitment.block, Some(change.block));
}

#[tokio::test]
async fn following_asks_for_nothing_while_blocks_pass_without_a_change() {
    let sandbox = sandbox("healthy", 64).await;
    let (mut heard, _) = following(&sandbox, hasty()).await;
    blocks(&sandbox, 1).await;
    heard.best(u64::from(sandbox.best().number())).await;
    sandbox.reset_meter();
    blocks(&sandbox, 30).await;
    heard.best(u64::from(sandbox.best().number())).await;
    assert_eq!(sandbox.meter().total(), 0, "{:?}", sandbox.meter().requests);
    assert!(!names(&heard.events).contains(&"changed"));
}

#[tokio::test]
async fn changes_of_one_block_in_several_subscriptions_are_told_with_its_number_and_no_question_asked() {
    let sandbox = sandbox("healthy", 64).await;
    let mut options = hasty();
    options.limits.chunk = 16;
    let (mut heard, _) = following(&sandbox, options).await;
    let best = async |heard: &mut Heard| heard.best(u64::from(sandbox.best().number())).await;
    // Long enough that every subscription is made and has told its first values.
    for _ in 0..20 {
        blocks(&sandbox, 1).await;
        best(&mut heard).await;
    }
    sandbox.reset_meter();
    (20..60).for_each(|uid| sandbox.commit(uid, CommitmentSpec::raw(vec![b'x'; 77])));
    blocks(&sandbox, 1).await;
    let made_in = u64::from(sandbox.best().number());
    let mut told = 0;
    while told < 40 {
        let change = heard.change().await;
        assert_eq!(change.block, made_in);
        told += change.commitments.len();
    }
    assert_eq!(sandbox.meter().requests.get("chain_getHeader"), None, "{:?}", sandbox.meter().requests);
}

#[tokio::test]
async fn heads_are_told_with_the_hash_that_the_chain_gives_them() {
    let sandbox = sandbox("healthy", 16).await;
    let (mut heard, _) = following(&sandbox, hasty()).await;
    blocks(&sandbox, 3).await;
    let wanted = (u64::from(sandbox.finalized().number()), BlockHash(sandbox.finalized().hash));
    heard
        .until(|event| match event {
            FeedEvent::FinalizedHead { number, hash } if (*number, *hash) == wanted => Some(()),
            _ => None,
        })
        .await;
}

#[rstest]
#[case::with_its_commitment(RuntimeKind::Newest, vec![(hotkey(30), None)])]
#[case::and_its_commitment_stays(RuntimeKind::Older, Vec::new())]
#[tokio::test]
async fn a_uid_that_changes_hands_is_told_and_its_new_holder_is_followed(
    #[case] runtime: RuntimeKind,
    #[case] gone: Vec<(Hotkey, Option<Commitment>)>,
) {
    let sandbox = of(Scenario::named("healthy").unwrap().on(runtime), 64).await;
    let (mut heard, snapshot) = following(&sandbox, hasty()).await;
    assert!(snapshot.commitments.contains_key(&hotkey(30)));
    let newcomer = hotkey(900);
    sandbox.register(30, newcomer);
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    let registered_at = Some(u64::from(sandbox.best().number()));
    let expected = Member { uid: 30, hotkey: newcomer, registered_at, validator_permit: false, stake: Some(10) };
    assert_eq!((change.members, change.commitments), (vec![expected], gone), "in one block");
    sandbox.commit_as(newcomer, CommitmentSpec::raw(vec![b'n'; 128]));
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    assert_eq!(change.commitments[0].0, newcomer);
}

#[tokio::test]
async fn a_subnet_that_becomes_another_project_is_read_anew_when_that_is_final() {
    let sandbox = sandbox("healthy", 64).await;
    let (mut heard, before) = following(&sandbox, hasty()).await;
    assert_eq!(before.subnet.name, Some("GRAIL".into()));
    sandbox.rename("Something else");
    heard.events.clear();
    let read = |heard: &Heard| {
        heard.events.iter().find_map(|event| match event {
            FeedEvent::Snapshot(snapshot) => Some(snapshot.clone()),
            _ => None,
        })
    };
    // As many blocks as it takes until the one that brought the name is final for whoever listens.
    let after = loop {
        blocks(&sandbox, 1).await;
        heard.best(u64::from(sandbox.best().number())).await;
        if let Some(after) = read(&heard) {
            break after;
        }
    };
    assert_eq!(after.subnet.name, Some("Something else".into()));
    assert_eq!(after.members, before.members);
}

#[tokio::test]
async fn a_subnet_that_grows_shows_its_new_uid() {
    let sandbox = sandbox("healthy", 64).await;
    let (mut heard, _) = following(&sandbox, hasty()).await;
    sandbox.register(64, hotkey(64));
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    assert_eq!(change.members.iter().map(|member| (member.uid, member.hotkey)).collect::<Vec<_>>(), [(64, hotkey(64))]);
}

#[tokio::test]
async fn a_killed_node_is_told_as_lost_and_found_again_by_itself() {
    let sandbox = sandbox("healthy", 64).await;
    let (mut heard, before) = following(&sandbox, hasty()).await;
    sandbox.faults().refuse_connections().await.unwrap();
    assert_eq!(heard.lost().await, "closed");
    assert_eq!(heard.lost().await, "unreachable");
    sandbox.commit(42, CommitmentSpec::raw(vec![b'x'; 77]));
    blocks(&sandbox, 3).await;
    heard.events.clear();
    sandbox.faults().accept_connections().await.unwrap();
    let after = heard.snapshot().await;
    assert_eq!(after.members, before.members);
    assert_eq!(after.commitments[&hotkey(42)].variant, "Raw77", "what happened meanwhile is in the new snapshot");
    let told = names(&heard.events);
    assert_eq!(told[told.len() - 2..], ["connected", "snapshot"]);
}

#[tokio::test]
async fn another_chain_behind_the_same_address_is_refused_until_the_first_one_is_back() {
    let sandbox = sandbox("healthy", 16).await;
    let (mut heard, before) = following(&sandbox, hasty()).await;
    sandbox.faults().set_wrong_genesis(true);
    sandbox.faults().drop_connections().await.unwrap();
    assert_eq!(heard.lost().await, "closed");
    assert_eq!(heard.lost().await, "wrong_genesis");
    sandbox.faults().set_wrong_genesis(false);
    assert_eq!(heard.snapshot().await.chain.genesis, before.chain.genesis);
}

#[tokio::test]
async fn pauses_between_attempts_are_told_and_attempts_are_counted() {
    let sandbox = sandbox("healthy", 8).await;
    sandbox.faults().refuse_connections().await.unwrap();
    let mut heard = Heard::on(&network(&[&sandbox]), hasty());
    for _ in 0..6 {
        heard.lost().await;
    }
    let attempts: Vec<u32> = heard
        .events
        .iter()
        .filter_map(|event| match event {
            FeedEvent::Connecting { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 6]);
    let pauses = heard.events.iter().filter_map(|event| match event {
        FeedEvent::Lost { retry_in_ms, .. } => Some(*retry_in_ms),
        _ => None,
    });
    let (first, last) = (hasty().backoff_first.as_millis(), hasty().backoff_most.as_millis());
    let pauses: Vec<u128> = pauses.map(u128::from).collect();
    assert!(pauses[0] <= first && pauses[5] >= last / 2 && pauses[5] <= last, "{pauses:?}");
}

#[tokio::test]
async fn a_silent_half_open_socket_is_noticed_by_a_real_call_and_replaced() {
    let sandbox = sandbox("healthy", 16).await;
    let mut options = hasty();
    options.quiet = Duration::from_millis(200);
    options.limits.call = Duration::from_millis(1_500);
    let (mut heard, _) = following(&sandbox, options).await;
    heard.until(|event| matches!(event, FeedEvent::Latency { .. }).then_some(())).await;
    sandbox.faults().stall(Stall::Established).await.unwrap();
    assert_eq!(heard.lost().await, "deadline");
    heard.snapshot().await;
}

#[tokio::test]
async fn a_rate_limit_in_the_middle_of_a_day_is_waited_out() {
    let sandbox = sandbox("healthy", 16).await;
    let (mut heard, _) = following(&sandbox, hasty()).await;
    sandbox.faults().throttle(Some(Throttle::Everything));
    sandbox.faults().drop_connections().await.unwrap();
    assert_eq!(heard.lost().await, "closed");
    let pause = heard
        .until(|event| match event {
            FeedEvent::Lost { problem, retry_in_ms, .. } if problem.code == "rate_limited" => Some(*retry_in_ms),
            _ => None,
        })
        .await;
    assert!(u128::from(pause) >= hasty().rate_limited.as_millis() - 1, "{pause}");
    sandbox.faults().throttle(None);
    heard.snapshot().await;
}

#[tokio::test]
async fn a_head_that_stands_still_is_told_while_it_lasts() {
    let sandbox = sandbox("healthy", 16).await;
    let mut options = hasty();
    options.stalled = Duration::from_millis(200);
    options.stalled_again = Duration::from_millis(100);
    options.stalled_too_long = Duration::from_millis(400);
    let (mut heard, snapshot) = following(&sandbox, options).await;
    let number = heard.best(0).await;
    assert!(number >= snapshot.at.number);
    for _ in 0..6 {
        let stalled = |event: &FeedEvent| match event {
            FeedEvent::Stalled { number, .. } => Some(*number),
            _ => None,
        };
        assert_eq!(heard.until(stalled).await, number);
    }
    blocks(&sandbox, 1).await;
    assert_eq!(heard.best(number + 1).await, number + 1);
    assert!(!names(&heard.events).contains(&"lost"), "with one endpoint there is nothing better to go to");
}

#[tokio::test]
async fn a_head_that_stands_still_too_long_makes_the_feed_try_another_endpoint() {
    let (stale, fresh) = (sandbox("healthy", 16).await, sandbox("healthy", 16).await);
    let mut options = hasty();
    options.stalled = Duration::from_millis(200);
    options.stalled_again = Duration::from_millis(100);
    options.stalled_too_long = Duration::from_millis(400);
    let mut heard = Heard::on(&network(&[&stale, &fresh]), options);
    assert_eq!(heard.snapshot().await.chain.endpoint, stale.url());
    assert_eq!(heard.lost().await, "stalled");
    assert_eq!(heard.snapshot().await.chain.endpoint, fresh.url());
}

#[tokio::test]
async fn another_endpoint_takes_over_when_a_node_dies() {
    let (first, second) = (sandbox("healthy", 16).await, sandbox("healthy", 16).await);
    let mut heard = Heard::on(&network(&[&first, &second]), hasty());
    assert_eq!(heard.snapshot().await.chain.endpoint, first.url());
    first.faults().refuse_connections().await.unwrap();
    assert_eq!(heard.snapshot().await.chain.endpoint, second.url());
}

#[rstest]
#[case::to_the_newest(RuntimeKind::Older, 475, 200)]
#[case::to_one_that_nobody_knows(RuntimeKind::Newest, 476, 136)]
#[tokio::test]
async fn a_runtime_upgrade_is_followed_without_misreading_a_single_row(
    #[case] runtime: RuntimeKind,
    #[case] next: u32,
    #[case] unknown: u8,
) {
    let sandbox = of(Scenario::named("healthy").unwrap().on(runtime), 64).await;
    sandbox.commit(33, CommitmentSpec::Fields(vec![Field::ResetBondsFlag]));
    sandbox.commit(34, CommitmentSpec::Fields(vec![Field::BigRaw(vec![b'b'; 128])]));
    blocks(&sandbox, 3).await;
    let (mut heard, before) = following(&sandbox, hasty()).await;
    assert_eq!(before.commitments[&hotkey(33)].variant, "ResetBondsFlag");
    sandbox.faults().upgrade_runtime();
    blocks(&sandbox, 1).await;
    heard.best(u64::from(sandbox.best().number())).await;
    heard.events.clear();
    blocks(&sandbox, 6).await;
    let spec = heard
        .until(|event| match event {
            FeedEvent::Upgraded { spec_version } => Some(*spec_version),
            _ => None,
        })
        .await;
    let after = heard.snapshot().await;
    assert_eq!((spec, after.chain.spec_version), (next, next));
    for (hotkey, commitment) in &before.commitments {
        assert_eq!(after.commitments[hotkey].reading, commitment.reading, "{hotkey}");
    }
    let told = names(&heard.events);
    assert!(!told.contains(&"lost") && !told.contains(&"changed"), "{told:?}");
    // The variant that this runtime has and no console knows.
    sandbox.commit(33, CommitmentSpec::Fields(vec![Field::Unknown { index: unknown, bytes: Vec::new() }]));
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    let (_, commitment) = change.commitments.iter().find(|(who, _)| *who == hotkey(33)).unwrap();
    assert_eq!(commitment.as_ref().unwrap().unreadable().unwrap().reason.name(), "unknown_variant");
}

#[tokio::test]
async fn dropping_a_feed_closes_its_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let feed = follow(&Network::at_endpoint(&url, None).unwrap(), 81, MetadataStore::none(), hasty());
    let (mut stream, _) = listener.accept().await.unwrap();
    drop(feed);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the socket is still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subnet_of_65_536_uids_is_followed() {
    let sandbox = sandbox("healthy", 65_536).await;
    let mut options = hasty();
    options.limits.call = Duration::from_mins(2);
    let (mut heard, snapshot) = following(&sandbox, options).await;
    assert_eq!(snapshot.members.len(), 65_536);
    sandbox.commit(60_001, CommitmentSpec::raw(vec![b'x'; 77]));
    blocks(&sandbox, 1).await;
    let change = heard.change().await;
    assert_eq!(change.commitments[0].0, hotkey(60_001));
}

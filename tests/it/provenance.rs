//! Where commitments come from, over real sockets: two endpoints of one practice chain, honest and otherwise.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grail_console::chain::provenance::{Examination, examine};
use grail_console::chain::{CallLimits, FeedOptions, Node, NodeOptions, survey};
use grail_console::domain::network::Network;
use grail_console::domain::provenance::Depth;
use grail_console::domain::provenance::{Case, Evidence, Examined, Level, Limit, Side};
use grail_console::sandbox::{
    BlockTime, Byzantine, CommitmentSpec, Credentials, NETUID, OPERATOR_UID, RuntimeKind, Sandbox, SandboxOptions,
    Scenario, hotkey,
};
use rstest::rstest;

use crate::support::encoder::{Offer, Signer, set_commitment};
use crate::support::pool::{CONTENT, client, submit};

/// Rows that are looked at: the operator, somebody without a commitment, and a few more.
const UIDS: [u16; 6] = [OPERATOR_UID, 11, 0, 5, 17, 40];

async fn sandbox(uids: u32) -> Sandbox {
    of(Scenario::named("provenance").unwrap(), uids).await
}

async fn of(scenario: Scenario, uids: u32) -> Sandbox {
    let options = SandboxOptions { uids, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) };
    Sandbox::start(options).await.unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Whoever reads from the first endpoint and knows of the second.
fn examination(sandbox: &Sandbox) -> NodeOptions {
    NodeOptions {
        witnesses: vec![sandbox.witness_url().parse().unwrap()],
        limits: CallLimits { call: Duration::from_secs(30), ..CallLimits::default() },
        ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
    }
}

async fn found(options: &NodeOptions, uids: &[u16]) -> Examined {
    let examination = Examination { node: Node::new(options.clone()), netuid: NETUID, now_ms: now_ms() };
    let rows: BTreeMap<_, _> = uids.iter().map(|uid| (hotkey(*uid), Depth::Signature)).collect();
    Box::pin(examine(&examination, &rows)).await.unwrap()
}

fn level(found: &Examined, uid: u16) -> Level {
    found.rows[&hotkey(uid)].level
}

fn code(found: &Examined, uid: u16) -> Option<&'static str> {
    found.rows[&hotkey(uid)].limit.as_ref().map(Limit::code)
}

/// Whether it is agreed, proven, signed.
fn held(found: &Examined, uid: u16) -> [Option<bool>; 3] {
    let Evidence { agreed, proven, signed } = found.rows[&hotkey(uid)].held();
    [agreed, proven, signed]
}

fn cases(found: &Examined) -> Vec<(Case, Option<Side>)> {
    found.disputes.iter().map(|dispute| (dispute.case, dispute.proven_wrong)).collect()
}

/// A level above *reported* is only ever given to what the chain really holds.
fn nothing_false_is_verified(sandbox: &Sandbox, found: &Examined) {
    let stored: BTreeMap<_, _> = sandbox.commitments().unwrap().into_iter().collect();
    for (hotkey, row) in found.rows.iter().filter(|(_, row)| row.level > Level::Reported) {
        let published = row.commitment.as_ref().and_then(|commitment| commitment.published().cloned());
        let text = stored.get(hotkey).map(|value| String::from_utf8_lossy(&value[14..]).into_owned());
        let secret = text.map(|text| grail_console::domain::secret::Fingerprint::of(&text[64..]));
        assert_eq!(published.map(|published| published.read_secret), secret, "{hotkey}");
    }
}

#[rstest]
#[case::newest(RuntimeKind::Newest, 475)]
#[case::older(RuntimeKind::Older, 365)]
#[tokio::test]
async fn two_honest_endpoints_a_proof_and_a_signature_make_a_row_signed(
    #[case] runtime: RuntimeKind,
    #[case] spec: u32,
) {
    let sandbox = of(Scenario::named("provenance").unwrap().on(runtime), 64).await;
    let found = found(&examination(&sandbox), &UIDS).await;
    assert_eq!(found.disputes, []);
    for uid in UIDS {
        assert_eq!(level(&found, uid), if uid == 11 { Level::Proven } else { Level::Signed }, "uid {uid}");
    }
    assert_eq!((code(&found, 11), code(&found, 5)), (Some("no_commitment"), None));
    let row = &found.rows[&hotkey(5)];
    assert_eq!(row.at.hash.0, sandbox.finalized().hash);
    assert_eq!(row.endpoints.len(), 2);
    let signature = row.signature.clone().unwrap();
    let block = row.commitment.as_ref().unwrap().block.unwrap();
    assert_eq!((signature.block.number, signature.spec_version, signature.index), (block, spec, 1));
    nothing_false_is_verified(&sandbox, &found);
}

#[tokio::test]
async fn a_subnet_of_2_500_uids_is_read_and_proven_within_the_bounds_of_answers() {
    let sandbox = sandbox(2_500).await;
    let options = examination(&sandbox);
    let snapshot = survey(&Node::new(options.clone()), NETUID, None, &FeedOptions::default()).await.unwrap();
    assert_eq!((snapshot.members.len(), snapshot.commitments.len() > 2_400), (2_500, true));
    let examination = Examination { node: Node::new(options), netuid: NETUID, now_ms: now_ms() };
    let rows: BTreeMap<_, _> = (0..2_500).map(|uid| (hotkey(uid), Depth::Proof)).collect();
    let found = Box::pin(examine(&examination, &rows)).await.unwrap();
    assert_eq!(found.rows.values().filter(|row| row.level == Level::Proven).count(), 2_500);
}

#[rstest]
#[case::stale_head(Byzantine::StaleHead(40), Case::StaleHead)]
#[case::other_fork(Byzantine::OtherFork, Case::OtherFork)]
#[case::invented_finality(Byzantine::InventedFinality(50), Case::NotFinal)]
#[case::forged_value(Byzantine::ForgedValue(OPERATOR_UID), Case::ForgedValue)]
#[case::truncated_proof(Byzantine::TruncatedProof, Case::BadProof)]
#[case::foreign_proof(Byzantine::ForeignProof, Case::BadProof)]
#[case::forged_proof(Byzantine::ForgedProof, Case::BadProof)]
#[case::forged_extrinsic(Byzantine::ForgedExtrinsic, Case::ForgedExtrinsic)]
#[tokio::test]
async fn an_endpoint_that_lies_is_caught(#[case] deceit: Byzantine, #[case] case: Case) {
    let sandbox = sandbox(64).await;
    sandbox.faults().deceive(Some(deceit));
    let found = found(&examination(&sandbox), &UIDS).await;
    let told: Vec<Case> = cases(&found).into_iter().map(|(case, _)| case).collect();
    assert!(told.contains(&case), "{deceit:?}: {told:?}");
    assert!(found.disputes.iter().any(|dispute| dispute.case == case && dispute.locks()), "{deceit:?}");
    nothing_false_is_verified(&sandbox, &found);
    let proven = matches!(case, Case::ForgedValue | Case::BadProof | Case::ForgedExtrinsic);
    assert_eq!(cases(&found).contains(&(case, Some(Side::Endpoint))), proven, "{deceit:?}");
    if matches!(case, Case::StaleHead | Case::OtherFork | Case::NotFinal) {
        assert_eq!((level(&found, OPERATOR_UID), code(&found, OPERATOR_UID)), (Level::Reported, Some("disputed")));
    }
    if case == Case::ForgedValue {
        // What the proof shows stands there, and nothing may be sent.
        assert_eq!((level(&found, OPERATOR_UID), code(&found, OPERATOR_UID)), (Level::Proven, Some("disputed")));
    }
}

#[rstest]
#[case::other_genesis(Byzantine::OtherGenesis, Case::OtherGenesis)]
#[case::stale_head(Byzantine::StaleHead(40), Case::StaleHead)]
#[case::other_fork(Byzantine::OtherFork, Case::OtherFork)]
#[case::invented_finality(Byzantine::InventedFinality(50), Case::NotFinal)]
#[case::forged_value(Byzantine::ForgedValue(OPERATOR_UID), Case::ForgedValue)]
#[tokio::test]
async fn a_witness_that_lies_is_caught(#[case] deceit: Byzantine, #[case] case: Case) {
    let sandbox = sandbox(64).await;
    sandbox.faults().deceive_by_witness(Some(deceit));
    let found = found(&examination(&sandbox), &UIDS).await;
    assert!(cases(&found).iter().any(|(told, _)| *told == case), "{deceit:?}: {:?}", found.disputes);
    nothing_false_is_verified(&sandbox, &found);
    if case == Case::ForgedValue {
        let [dispute] = &found.disputes[..] else { panic!("one dispute, not {:?}", found.disputes) };
        assert_eq!((dispute.proven_wrong, dispute.locks()), (Some(Side::Witness), false));
        assert_eq!(level(&found, OPERATOR_UID), Level::Signed, "the proof decides, and nothing has to wait");
    } else {
        assert_eq!((level(&found, 5), code(&found, 5)), (Level::Reported, Some("disputed")));
    }
}

#[tokio::test]
async fn a_pinned_genesis_decides_which_of_two_chains_is_the_wrong_one() {
    let sandbox = sandbox(64).await;
    sandbox.faults().deceive_by_witness(Some(Byzantine::OtherGenesis));
    let mut examination = examination(&sandbox);
    examination.network.genesis = Some(grail_console::domain::network::SANDBOX_GENESIS);
    let found = found(&examination, &[5]).await;
    assert_eq!(cases(&found), [(Case::OtherGenesis, Some(Side::Witness))]);
    assert!(!found.disputes[0].locks());
}

#[tokio::test]
async fn without_a_second_operator_nothing_is_called_more_than_reported() {
    let sandbox = sandbox(64).await;
    let mut examination = examination(&sandbox);
    examination.witnesses = Vec::new();
    let alone = found(&examination, &UIDS).await;
    assert_eq!((level(&alone, 5), code(&alone, 5)), (Level::Reported, Some("no_witness")));
    assert_eq!(held(&alone, 5), [None, Some(true), Some(true)], "proof and signature are looked at all the same");
    assert!(alone.rows[&hotkey(5)].signature.is_some());
    // The same endpoint under its other name is no other operator.
    examination.witnesses = vec![sandbox.url().parse().unwrap()];
    assert_eq!(code(&found(&examination, &[5]).await, 5), Some("no_witness"));
    examination.witnesses = vec!["ws://127.0.0.1:1".parse().unwrap()];
    let away = found(&examination, &[5]).await;
    assert_eq!((level(&away, 5), code(&away, 5), away.disputes.len()), (Level::Reported, Some("witness_away"), 0));
    assert_eq!(held(&away, 5), [None, Some(true), Some(true)]);
}

#[tokio::test]
async fn a_lone_endpoint_is_still_held_against_its_own_state() {
    let sandbox = sandbox(64).await;
    sandbox.faults().deceive(Some(Byzantine::ForgedValue(5)));
    let mut examination = examination(&sandbox);
    examination.witnesses = Vec::new();
    let found = found(&examination, &[5, 17]).await;
    assert_eq!(cases(&found), [(Case::ForgedValue, Some(Side::Endpoint))]);
    assert_eq!((code(&found, 5), code(&found, 17)), (Some("disputed"), Some("no_witness")));
    assert_eq!(held(&found, 5), [Some(false), Some(false), None], "of a forged value no signature is looked for");
}

#[tokio::test]
async fn what_no_endpoint_serves_limits_a_row_and_fails_nothing() {
    let sandbox = sandbox(64).await;
    let mut examination = examination(&sandbox);
    let both = |deceit: Byzantine| {
        sandbox.faults().deceive(Some(deceit));
        sandbox.faults().deceive_by_witness(Some(deceit));
    };
    both(Byzantine::NoProofs);
    let unproven = found(&examination, &[5]).await;
    assert_eq!((level(&unproven, 5), code(&unproven, 5)), (Level::Agreed, Some("no_proofs")));
    assert_eq!(held(&unproven, 5), [Some(true), None, Some(true)], "whoever serves no proof may serve the extrinsic");
    both(Byzantine::NoBodies);
    let unsigned = found(&examination, &[5]).await;
    assert_eq!((level(&unsigned, 5), code(&unsigned, 5)), (Level::Proven, Some("no_body")));
    assert_eq!(held(&unsigned, 5), [Some(true), Some(true), None]);
    examination.archives = vec!["ws://127.0.0.1:1".parse().unwrap()];
    let away = found(&examination, &[5]).await;
    assert_eq!((level(&away, 5), code(&away, 5), away.disputes.len()), (Level::Proven, Some("archive_away"), 0));
}

#[tokio::test]
async fn one_endpoint_with_proofs_and_bodies_is_enough_and_an_archive_fills_in() {
    let sandbox = sandbox(64).await;
    let mut examination = examination(&sandbox);
    sandbox.faults().deceive(Some(Byzantine::NoProofs));
    let found_one = found(&examination, &[5]).await;
    assert_eq!(level(&found_one, 5), Level::Signed);
    assert_eq!(found_one.rows[&hotkey(5)].proof_from.as_deref(), Some(sandbox.witness_url()));
    // Neither keeps bodies, the archive does: here a second practice node of the same history.
    sandbox.faults().deceive(Some(Byzantine::NoBodies));
    sandbox.faults().deceive_by_witness(Some(Byzantine::NoBodies));
    assert_eq!(code(&found(&examination, &[5]).await, 5), Some("no_body"));
    sandbox.faults().deceive_by_witness(None);
    examination.archives = vec![sandbox.witness_url().parse().unwrap()];
    assert_eq!(level(&found(&examination, &[5]).await, 5), Level::Signed);
}

#[tokio::test]
async fn a_value_that_no_extrinsic_set_is_proven_and_not_signed() {
    let sandbox = sandbox(64).await;
    sandbox.commit(5, CommitmentSpec::raw(Credentials::of(5, 1).read_commitment()));
    for _ in 0..4 {
        sandbox.produce_block().await.unwrap();
    }
    let found = found(&examination(&sandbox), &[5, 17]).await;
    assert_eq!((level(&found, 5), code(&found, 5)), (Level::Proven, Some("not_in_block")));
    assert_eq!(level(&found, 17), Level::Signed);
}

#[rstest]
#[case::to_the_newest(RuntimeKind::Older, 365)]
#[case::to_one_that_nobody_knows(RuntimeKind::Newest, 475)]
#[tokio::test]
async fn a_commitment_from_before_an_upgrade_is_judged_by_the_runtime_that_took_it(
    #[case] runtime: RuntimeKind,
    #[case] spec: u32,
) {
    let sandbox = of(Scenario::named("provenance").unwrap().on(runtime), 64).await;
    sandbox.faults().upgrade_runtime();
    for _ in 0..6 {
        sandbox.produce_block().await.unwrap();
    }
    let found = found(&examination(&sandbox), &UIDS).await;
    assert_eq!(found.disputes, []);
    let row = &found.rows[&hotkey(5)];
    assert_eq!((row.level, row.signature.as_ref().unwrap().spec_version), (Level::Signed, spec));
}

#[tokio::test]
async fn all_rows_are_proven_with_one_proof_and_few_requests() {
    let sandbox = sandbox(256).await;
    let examination = examination(&sandbox);
    let proof: BTreeMap<_, _> = (0..256).map(|uid| (hotkey(uid), Depth::Proof)).collect();
    sandbox.reset_meter();
    let examination = Examination { node: Node::new(examination), netuid: NETUID, now_ms: now_ms() };
    let found = Box::pin(examine(&examination, &proof)).await.unwrap();
    assert!(found.rows.values().all(|row| row.level == Level::Proven), "every row");
    let meter = sandbox.meter();
    assert_eq!(meter.requests["state_getReadProof"], 1);
    assert!(meter.requests.values().sum::<u64>() <= 20, "{:?}", meter.requests);
    assert_eq!(found.cost.requests, meter.requests.values().sum::<u64>());
}

/// Hands an extrinsic of a uid to the pool; it is included in the next block, and that is final two later.
async fn include(sandbox: &Sandbox, uid: u16, nonce: u32, call: Vec<u8>) {
    let client = client(sandbox).await;
    submit(&client, &Offer::by(sandbox, Signer::uid(uid), nonce, call).extrinsic()).await.unwrap();
}

async fn blocks(sandbox: &Sandbox) {
    for _ in 0..4 {
        sandbox.produce_block().await.unwrap();
    }
}

#[tokio::test]
async fn a_mortal_extrinsic_is_verified_with_the_block_in_which_its_era_was_born() {
    let sandbox = sandbox(64).await;
    let born = u64::from(sandbox.best().number());
    include(&sandbox, 5, 1, set_commitment(NETUID, CONTENT)).await;
    blocks(&sandbox).await;
    let found = found(&examination(&sandbox), &[5]).await;
    let signature = found.rows[&hotkey(5)].signature.clone().unwrap();
    assert_eq!((level(&found, 5), signature.born, signature.nonce), (Level::Signed, Some(born), 1));
}

#[tokio::test]
async fn a_commitment_from_within_another_call_is_named_by_it_and_not_called_signed() {
    let sandbox = of(Scenario::named("proxied").unwrap(), 64).await;
    let by_proxy = [&[16_u8, 0, 0][..], hotkey(5).as_bytes(), &[0]].concat();
    let cases = [
        (40, 40, vec![11_u8, 0, 4], "Utility.batch"),
        // A remark changes nothing: that the value is the same is somebody else's doing.
        (6, 6, vec![0, 0, 0x19, 2], "System.remark"),
        (5, 7, by_proxy, "Proxy.proxy"),
    ];
    for (uid, sender, wrap, name) in cases {
        let nonce = if sender == 7 { 3 } else { 1 };
        include(&sandbox, sender, nonce, [&wrap[..], &set_commitment(NETUID, CONTENT)].concat()).await;
        if name == "System.remark" {
            sandbox.commit(uid, CommitmentSpec::raw(CONTENT.to_vec()));
        }
        blocks(&sandbox).await;
        let found = found(&examination(&sandbox), &[uid]).await;
        assert_eq!((level(&found, uid), code(&found, uid)), (Level::Proven, Some("wrapped")), "{name}");
        let words = found.rows[&hotkey(uid)].limit.as_ref().unwrap().words();
        assert!(words.contains(name) && words.contains(&hotkey(sender).short()), "{words}");
    }
}

#[tokio::test]
async fn commitments_that_came_through_a_proxy_or_in_a_batch_are_named_by_what_carried_them() {
    let sandbox = of(Scenario::named("proxied").unwrap(), 64).await;
    let found = found(&examination(&sandbox), &[OPERATOR_UID, 5, 40, 41]).await;
    assert_eq!(found.disputes, []);
    for (uid, call, sender) in [(OPERATOR_UID, "Proxy.proxy", 7), (5, "Proxy.proxy", 7), (40, "Utility.batch", 40)] {
        let limit = found.rows[&hotkey(uid)].limit.clone();
        assert_eq!(limit, Some(Limit::Wrapped { call: call.into(), sender: Some(hotkey(sender)) }), "uid {uid}");
        assert_eq!(level(&found, uid), Level::Proven);
    }
    assert_eq!(level(&found, 41), Level::Signed);
}

#[tokio::test]
async fn what_somebody_else_signed_or_for_another_subnet_is_not_the_hotkeys_signature() {
    // As if the pool took what is for a subnet on which its hotkey is not.
    let subnet = "description = \"\"\n[subnet]\nrecent_blocks = 200\nunregistered = \"block\"";
    let sandbox = of(Scenario::parse("any", subnet).unwrap(), 64).await;
    include(&sandbox, 6, 1, set_commitment(NETUID, CONTENT)).await;
    include(&sandbox, 5, 1, set_commitment(1, CONTENT)).await;
    sandbox.commit(5, CommitmentSpec::raw(CONTENT.to_vec()));
    blocks(&sandbox).await;
    let found = found(&examination(&sandbox), &[5, 6]).await;
    assert_eq!((level(&found, 5), code(&found, 5)), (Level::Proven, Some("not_in_block")));
}

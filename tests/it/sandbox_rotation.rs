//! What a rotation meets: validators that fetch every ten minutes and keep clients by key id, and a GRAIL that restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use grail_console::sandbox::{
    BlockTime, BucketFault, CommitmentSpec, Credentials, GrailStart, OPERATOR_UID, Sandbox, SandboxOptions, Scenario,
    Scope, Token, Visibility, hotkey,
};

use crate::support::pool::{by_hand, events, published};
use crate::support::s3::{bucket, client};

/// Blocks between two fetches of a validator.
const PERIOD: u32 = 50;

async fn blocks(sandbox: &Sandbox, count: u32) {
    for _ in 0..count {
        sandbox.produce_block().await.unwrap();
    }
}

fn commitment(token: &Token) -> CommitmentSpec {
    let account = Credentials::of(OPERATOR_UID, 0).account;
    CommitmentSpec::raw([account.as_str(), &token.key_id, token.secret.expose()].concat())
}

/// A new read token that the store knows, published in the block just made.
async fn published_token(sandbox: &Sandbox) -> Token {
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::Read);
    blocks(sandbox, 5).await;
    sandbox.commit(OPERATOR_UID, commitment(&token));
    blocks(sandbox, 1).await;
    token
}

fn first() -> Credentials {
    Credentials::of(OPERATOR_UID, 0)
}

/// Ids of the keys that were used at the last block.
fn in_use(sandbox: &Sandbox) -> BTreeSet<String> {
    let log = sandbox.validator().unwrap().log();
    let last = log.last().unwrap().block;
    log.into_iter().filter(|look| look.block == last).filter_map(|look| look.key_id).collect()
}

#[tokio::test]
async fn with_a_key_that_stays_every_validator_reads_at_every_block() {
    let sandbox = by_hand("rotation").await;
    let start = sandbox.best().number();
    blocks(&sandbox, PERIOD + 5).await;
    let validators = sandbox.validator().unwrap();
    let mut looks: BTreeMap<u16, Vec<u32>> = BTreeMap::new();
    for look in validators.log() {
        assert_eq!((look.visibility, look.key_id), (Visibility::Read, Some(first().read_key_id)), "at {}", look.block);
        looks.entry(look.validator).or_default().push(look.block);
    }
    let every_block: Vec<u32> = (start + 1..=start + PERIOD + 5).collect();
    assert_eq!(looks.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(looks.values().all(|blocks| *blocks == every_block));
    assert_eq!(validators.gaps(), []);
    let seen = sandbox.s3().requests();
    assert!(seen.iter().all(|request| request.method == "HEAD" && request.status == Some(200)));
    assert!(seen.iter().all(|request| request.user_agent.as_deref() == Some("sandbox-validator")));
    assert_eq!(seen.len(), 5 * every_block.len(), "over the socket, once for each look");
}

#[tokio::test]
async fn a_key_that_is_replaced_while_the_old_one_lives_is_never_missed() {
    let sandbox = by_hand("rotation").await;
    let token = published_token(&sandbox).await;
    assert_eq!(in_use(&sandbox), [first().read_key_id].into(), "nobody has fetched yet");
    blocks(&sandbox, PERIOD / 2).await;
    assert_eq!(in_use(&sandbox), [first().read_key_id, token.key_id.clone()].into(), "some have");
    blocks(&sandbox, PERIOD / 2).await;
    assert_eq!(in_use(&sandbox), [token.key_id].into());
    sandbox.s3().revoke(&first().read_key_id);
    blocks(&sandbox, 5).await;
    assert_eq!(sandbox.validator().unwrap().gaps(), [], "by then nobody uses the old key");
}

#[tokio::test]
async fn with_the_old_key_revoked_at_once_nobody_reads_until_the_next_fetch() {
    let sandbox = by_hand("rotation").await;
    let token = published_token(&sandbox).await;
    let changed = sandbox.best().number();
    sandbox.s3().revoke(&first().read_key_id);
    blocks(&sandbox, PERIOD + 5).await;
    let gaps = sandbox.validator().unwrap().gaps();
    assert_eq!(gaps.iter().map(|gap| gap.validator).collect::<BTreeSet<_>>(), (1..=5).collect());
    for gap in &gaps {
        assert_eq!((gap.from, gap.visibility), (changed + 1, Visibility::Refused(401)), "{gap:?}");
        assert_eq!((gap.key_id.clone(), gap.looks), (Some(first().read_key_id), gap.to - gap.from + 1));
    }
    // The fetches are ten blocks apart, and the commitment came at the sixth block: from nearly nothing to nearly ten minutes.
    let mut lengths: Vec<u32> = gaps.iter().map(|gap| gap.looks).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [3, 13, 23, 33, 43]);
    assert_eq!(in_use(&sandbox), [token.key_id].into());
}

#[tokio::test]
async fn a_key_rolled_in_place_is_refused_until_the_validators_restart() {
    let sandbox = by_hand("rotation").await;
    let rolled = sandbox.s3().roll(&first().read_key_id).unwrap();
    sandbox.commit(OPERATOR_UID, commitment(&rolled));
    blocks(&sandbox, PERIOD + 5).await;
    let validators = sandbox.validator().unwrap();
    let gaps = validators.gaps();
    assert_eq!(gaps.len(), 5);
    // Everybody has fetched the new secret, and goes on with the client of the old one: the key id is the same.
    assert!(gaps.iter().all(|gap| (gap.looks, gap.visibility) == (PERIOD + 5, Visibility::Refused(403))), "{gaps:?}");
    validators.restart();
    validators.forget();
    blocks(&sandbox, 3).await;
    assert_eq!((validators.log().len(), validators.gaps().len()), (15, 0));
}

/// What the validators see at the next block.
async fn all_visibility(sandbox: &Sandbox) -> Vec<Visibility> {
    let validators = sandbox.validator().unwrap();
    validators.forget();
    blocks(sandbox, 1).await;
    validators.log().into_iter().map(|look| look.visibility).collect()
}

#[tokio::test]
async fn a_look_that_does_not_read_says_why() {
    let sandbox = by_hand("rotation").await;
    let validators = sandbox.validator().unwrap();
    for (fault, visibility) in [
        (BucketFault::NoObjects, Visibility::NoObject),
        (BucketFault::OtherBucket, Visibility::Refused(403)),
        (BucketFault::Drops, Visibility::NoAnswer),
    ] {
        sandbox.s3().set_fault(OPERATOR_UID, Some(fault));
        assert_eq!(all_visibility(&sandbox).await, [visibility; 5]);
    }
    sandbox.s3().set_fault(OPERATOR_UID, None);
    assert_eq!(all_visibility(&sandbox).await, [Visibility::Read; 5]);
    sandbox.commit(OPERATOR_UID, CommitmentSpec::raw("too short"));
    blocks(&sandbox, 1).await;
    validators.restart();
    assert_eq!(all_visibility(&sandbox).await, [Visibility::NoCommitment; 5]);
    assert_eq!(in_use(&sandbox), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_fast_time_a_minute_is_five_blocks_and_no_block_is_without_its_looks() {
    let options = SandboxOptions::new(Scenario::named("rotation").unwrap());
    let fast = BlockTime::Every(Duration::from_millis(150));
    let sandbox = Sandbox::start(SandboxOptions { uids: 64, block_time: fast, ..options }).await.unwrap();
    let token = sandbox.s3().issue(OPERATOR_UID, Scope::Read);
    let own = client(&sandbox, &token.key_id, token.secret.expose());
    let issued = sandbox.best().number();
    while own.head_bucket().bucket(bucket(OPERATOR_UID)).send().await.is_err() {
        assert!(sandbox.best().number() < issued + 20, "it should be known by now");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(sandbox.best().number() >= issued + 4, "known after {} blocks", sandbox.best().number() - issued);
    let log = sandbox.validator().unwrap().log();
    let mut seen: Vec<u32> = log.iter().filter(|look| look.validator == 3).map(|look| look.block).collect();
    assert!(seen.len() >= 4 && log.iter().all(|look| look.visibility == Visibility::Read));
    seen.dedup();
    assert!(seen.is_sorted_by(|one, next| one + 1 == *next), "{seen:?}");
}

fn change_env(sandbox: &Sandbox, change: impl Fn(&str) -> String) {
    let env_file = &sandbox.operator().unwrap().env_file;
    fs::write(env_file, change(&fs::read_to_string(env_file).unwrap())).unwrap();
}

fn on_chain(sandbox: &Sandbox) -> String {
    String::from_utf8(published(sandbox, hotkey(OPERATOR_UID)).unwrap()).unwrap()
}

#[tokio::test]
async fn a_restarted_grail_commits_what_its_env_says_and_nothing_when_the_chain_says_so_already() {
    let sandbox = by_hand("rotation").await;
    let grail = sandbox.grail().unwrap();
    assert_eq!(grail.restart(), GrailStart::Unchanged);
    blocks(&sandbox, 1).await;
    let token = published_token(&sandbox).await;
    let first = first();
    // The rotation forgot the .env: the old key comes back.
    let committed = GrailStart::Committed { key_id: first.read_key_id.clone(), write_key: false };
    assert_eq!(grail.restart(), committed);
    blocks(&sandbox, 1).await;
    assert_eq!(on_chain(&sandbox), first.read_commitment());
    assert_eq!(grail.restart(), GrailStart::Unchanged);
    change_env(&sandbox, |text| {
        let text = text.replace(&first.read_key_id, &token.key_id);
        text.replace(first.read_secret.expose(), &format!("'{}' # new", token.secret.expose()))
    });
    assert_eq!(grail.restart(), GrailStart::Committed { key_id: token.key_id.clone(), write_key: false });
    blocks(&sandbox, 1).await;
    assert_eq!(on_chain(&sandbox), [&first.account, &token.key_id, token.secret.expose()].concat());
    assert_eq!(grail.restart(), GrailStart::Unchanged);
    assert_eq!(grail.starts().len(), 5);
}

#[tokio::test]
async fn what_grail_commits_is_an_extrinsic_of_the_operator_s_own() {
    let sandbox = by_hand("rotation").await;
    published_token(&sandbox).await;
    sandbox.grail().unwrap().restart();
    let block = sandbox.produce_block().await.unwrap();
    let told = events(&sandbox, &block).await;
    assert_eq!(told[1..], ["ApplyExtrinsic(1) Commitments.Commitment", "ApplyExtrinsic(1) System.ExtrinsicSuccess"]);
}

#[tokio::test]
async fn without_a_read_pair_grail_publishes_the_write_key() {
    let sandbox = by_hand("legacy").await;
    let first = first();
    let start = sandbox.grail().unwrap().restart();
    assert_eq!(start, GrailStart::Committed { key_id: first.write_key_id.clone(), write_key: true });
    blocks(&sandbox, 1).await;
    assert_eq!(on_chain(&sandbox), first.write_commitment());
    // Blanked, as after keys were moved out of the file: GRAIL does not start at all.
    change_env(&sandbox, |text| text.replace(first.write_secret.expose(), ""));
    let start = sandbox.grail().unwrap().restart();
    assert_eq!(start, GrailStart::NotConfigured("R2_WRITE_SECRET_ACCESS_KEY"));
    assert!(!format!("{:?}", sandbox.grail()).contains(first.write_secret.expose()));
}

#[tokio::test]
async fn grail_restarts_by_itself_as_often_as_the_scenario_says() {
    let text = "description = \"restarts\"\n[grail]\nrestart_every_blocks = 3\n";
    let options = SandboxOptions::new(Scenario::parse("restarts", text).unwrap());
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..options };
    let sandbox = Sandbox::start(options).await.unwrap();
    let start = sandbox.best().number();
    published_token(&sandbox).await;
    blocks(&sandbox, 1).await;
    let first = first();
    let starts = sandbox.grail().unwrap().starts();
    let committed = GrailStart::Committed { key_id: first.read_key_id.clone(), write_key: false };
    assert_eq!(starts, [(start + 3, GrailStart::Unchanged), (start + 6, committed)]);
    assert_eq!(on_chain(&sandbox), first.read_commitment(), "the rotation is undone");
    assert!(sandbox.validator().is_none(), "no validators where the scenario names none");
}

#[tokio::test]
async fn a_commitment_that_the_pool_refuses_is_told_in_the_node_s_words() {
    let sandbox = by_hand("unregistered-pool").await;
    let GrailStart::Refused(reason) = sandbox.grail().unwrap().restart() else { panic!("not refused") };
    assert!(reason.contains("Invalid Transaction"), "{reason}");
}

//! The same work on each runtime: the newest, the one of 2025, and one that nobody knows yet.

use grail_console::chain::MetadataStore;
use grail_console::domain::commitment::Reason;
use grail_console::domain::snapshot::SubnetSnapshot;
use grail_console::sandbox::{
    BlockTime, CommitmentSpec, Credentials, Field, OPERATOR_UID, RuntimeKind, SandboxOptions, Scenario, hotkey,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::chain_events::{blocks, network, of};
use crate::chain_lies::hasty;
use crate::cli_commit::document;
use crate::cli_commit_ends::{included, use_up_the_budget};
use crate::support::chain::survey;
use crate::support::house::{House, says};
use crate::support::node::{Node, line};
use crate::support::operator::{BLOCKS, Operator};
use crate::support::rotating::{NEW, OLD, Rotating};

/// Which runtime a test runs on.
#[derive(Debug, Clone, Copy)]
enum On {
    Newest,
    Older,
    /// One more upgrade.
    NotYetKnown,
}

impl On {
    const fn kind(self) -> RuntimeKind {
        match self {
            Self::Older => RuntimeKind::Older,
            Self::Newest | Self::NotYetKnown => RuntimeKind::Newest,
        }
    }

    const fn spec(self) -> u32 {
        match self {
            Self::Newest => 475,
            Self::Older => 365,
            Self::NotYetKnown => 476,
        }
    }

    /// An operator whose blocks come when the test makes them.
    fn operator(self) -> Operator {
        let operator = Operator::by_hand_on(self.kind());
        if matches!(self, Self::NotYetKnown) {
            operator.node.sandbox().faults().upgrade_runtime();
            operator.node.blocks(4);
        }
        operator
    }
}

async fn read(scenario: &str, kind: RuntimeKind, uids: u32) -> SubnetSnapshot {
    let sandbox = of(Scenario::named(scenario).unwrap().on(kind), uids).await;
    survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap()
}

#[rstest]
#[case("healthy", 256)]
#[case("hostile", 64)]
#[tokio::test]
async fn every_row_reads_the_same_on_either_runtime(#[case] scenario: &str, #[case] uids: u32) {
    let (newest, older) =
        (read(scenario, RuntimeKind::Newest, uids).await, read(scenario, RuntimeKind::Older, uids).await);
    assert_eq!((newest.chain.spec_version, older.chain.spec_version), (475, 365));
    assert_eq!(newest.members, older.members);
    assert_eq!(newest.subnet, older.subnet);
    assert_eq!(newest.commitments.keys().collect::<Vec<_>>(), older.commitments.keys().collect::<Vec<_>>());
    for (hotkey, commitment) in &newest.commitments {
        let other = &older.commitments[hotkey];
        // What no runtime could have written names the first byte, and that is another kind on each.
        if commitment.unreadable().is_none_or(|unreadable| unreadable.reason != Reason::UnknownVariant) {
            assert_eq!(commitment, other, "{hotkey}");
        }
    }
}

#[tokio::test]
async fn a_timelock_that_could_not_be_opened_is_known_by_its_name() {
    let sandbox = of(Scenario::named("healthy").unwrap(), 64).await;
    sandbox.commit(33, CommitmentSpec::Fields(vec![Field::TimelockRevealFailed { round: 4_242 }]));
    blocks(&sandbox, 3).await;
    let snapshot = survey(&network(&[&sandbox]), 81, MetadataStore::none(), &hasty()).await.unwrap();
    let row = &snapshot.commitments[&hotkey(33)];
    let unreadable = row.unreadable().unwrap();
    assert_eq!((row.variant.as_str(), unreadable.reason), ("TimelockRevealFailed", Reason::Timelock));
    says(&unreadable.detail, &["drand round 4,242", "could not open"]);
}

#[rstest]
#[case(On::Newest)]
#[case(On::Older)]
#[case(On::NotYetKnown)]
fn a_commit_is_published_and_read_back(#[case] on: On) {
    let operator = on.operator();
    let told = document(&included(&operator, &["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&told["outcome"], &told["network"]["spec_version"]), (&json!("committed"), &json!(on.spec())));
    assert_eq!((&told["finalized"], &told["read_back"]), (&json!(true), &json!(true)));
    assert_eq!((&told["budget"]["used"], &told["budget"]["commits_left"]), (&json!(0), &json!(24)));
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
    let again = document(&operator.run(&["commit", "--yes", "--json"]).exits(0));
    assert_eq!((&again["outcome"], &again["budget"]["commits_left"]), (&json!("unchanged"), &json!(23)));
}

/// Errors have other numbers on each: 2 on two of them, 3 on the last.
#[rstest]
#[case(On::Newest)]
#[case(On::Older)]
#[case(On::NotYetKnown)]
fn a_commit_that_its_block_refuses_is_told_by_the_name_of_the_error(#[case] on: On) {
    let operator = on.operator();
    use_up_the_budget(&operator);
    // Not final yet: the plan still sees an unused budget.
    operator.node.blocks(1);
    let told = document(&included(&operator, &["commit", "--yes", "--json"]).exits(5));
    assert_eq!((&told["outcome"], &told["reason"]), (&json!("failed"), &json!("space_limit_exceeded")));
    says(told["what"].as_str().unwrap(), &["The chain refused the commit", "Commitments.SpaceLimitExceeded"]);
    // Final now: nothing is signed.
    let again = document(&operator.run(&["commit", "--yes", "--json"]).exits(3));
    assert_eq!((&again["reason"], &again["budget"]["used"]), (&json!("space_limit_exceeded"), &json!(24 * 128)));
}

#[rstest]
#[case(RuntimeKind::Newest)]
#[case(RuntimeKind::Older)]
fn a_commit_waits_for_its_uid(#[case] runtime: RuntimeKind) {
    let scenario = Scenario::named("armed").unwrap().on(runtime);
    let options = SandboxOptions { uids: 64, block_time: BlockTime::Every(BLOCKS), ..SandboxOptions::new(scenario) };
    let operator = Operator::on(options);
    let told = document(&operator.run(&["commit", "--yes", "--when-registered", "--json"]).exits(0));
    assert_eq!((&told["outcome"], &told["uid"]), (&json!("committed"), &json!(OPERATOR_UID)));
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

#[rstest]
#[case(RuntimeKind::Newest)]
#[case(RuntimeKind::Older)]
fn a_read_key_is_replaced(#[case] runtime: RuntimeKind) {
    let house = Rotating::of(Operator::new_on(runtime));
    let begun = house.begin(NEW, "5").exits(0).json();
    assert_eq!((&begun["phase"], house.publishes(NEW)), (&json!("grace"), true));
    let ends_at = begun["grace"]["ends_at_block"].as_u64().unwrap();
    house.operator.until("the end of the grace", |operator| {
        u64::from(operator.node.sandbox().finalized().header.number) >= ends_at
    });
    house.revoke(OLD);
    assert_eq!(house.run(&["rotate", "retire", "--json"]).exits(0).json()["phase"], "retired");
}

#[rstest]
#[case(RuntimeKind::Newest)]
#[case(RuntimeKind::Older)]
fn a_row_is_verified_up_to_its_signature(#[case] runtime: RuntimeKind) {
    let scenario = Scenario::named("provenance").unwrap().on(runtime);
    let node = Node::with(SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) });
    let witness = ["--witness".to_owned(), node.sandbox().witness_url().to_owned()];
    let flags = [node.operator_flags(), witness.into()].concat();
    let told = House::new().run(line(&["verify", "42", "--json"], &flags)).exits(0).json();
    assert_eq!(told["results"][0]["level"], "signed", "{told:#}");
}

#[test]
fn what_came_through_a_proxy_is_named_by_verify() {
    let scenario = Scenario::named("proxied").unwrap();
    let node = Node::with(SandboxOptions { uids: 64, block_time: BlockTime::Manual, ..SandboxOptions::new(scenario) });
    let witness = ["--witness".to_owned(), node.sandbox().witness_url().to_owned()];
    let flags = [node.operator_flags(), witness.into()].concat();
    let house = House::new();
    let told: Value = house.run(line(&["verify", "5", "40", "--json"], &flags)).json();
    for (row, call, sender) in [(0, "Proxy.proxy", 7), (1, "Utility.batch", 40)] {
        assert_eq!(told["results"][row]["level"], "proven", "{told:#}");
        let text = told["results"][row].to_string();
        says(&text, &["wrapped", call, &hotkey(sender).short()]);
    }
    says(&house.run(line(&["verify", "5"], &flags)).stdout, &["from within Proxy.proxy", &hotkey(7).short()]);
}

/// Uids of the largest subnets that the newest runtimes allow.
const MANY: u32 = 2_500;

#[tokio::test]
async fn a_subnet_of_2_500_uids_takes_two_round_trips_more_since_a_page_has_1_000_keys() {
    let sandbox = of(Scenario::named("healthy").unwrap(), MANY).await;
    let (store, _) = crate::chain_events::memory();
    survey(&network(&[&sandbox]), 81, store.clone(), &hasty()).await.unwrap();
    sandbox.faults().set_latency(std::time::Duration::from_millis(100));
    sandbox.reset_meter();
    let snapshot = survey(&network(&[&sandbox]), 81, store, &hasty()).await.unwrap();
    assert_eq!(snapshot.members.len(), 2_500);
    let meter = sandbox.meter();
    assert_eq!(meter.round_trips, 5, "{:?}", meter.requests);
    // Four values of each uid, 4,096 at once.
    assert_eq!((meter.requests["state_getKeysPaged"], meter.requests["state_queryStorageAt"]), (6, 3));
}

#[test]
fn status_and_commit_work_among_2_500_uids() {
    let operator = Operator::at(MANY, BlockTime::Manual);
    let status = operator.run(&["status", "--json"]).exits(1).json();
    assert_eq!((&status["summary"]["uids"], status["rows"].as_array().unwrap().len()), (&json!(MANY), 2_500));
    assert_eq!(status["rows"][2_499]["uid"], 2_499);
    let told = document(&included(&operator, &["commit", "--yes", "--json"]).exits(0));
    assert_eq!(told["outcome"], "committed");
    let own = &operator.run(&["status", "--json"]).exits(0).json()["rows"][usize::from(OPERATOR_UID)];
    assert_eq!((&own["own"], &own["drift"]["state"]), (&json!(true), &json!("match")));
}

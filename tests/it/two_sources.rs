//! Whatever one of two sources answers, and in whatever order its answers are lies and the truth: nothing is taken for certain
//! that the honest one denies. The real reading over sockets, the practice chain deciding.

use std::collections::BTreeMap;
use std::time::Duration;

use grail_console::chain::provenance::{Examination, examine};
use grail_console::chain::{CallLimits, Node, NodeOptions};
use grail_console::domain::commitment::{Commitment, Published};
use grail_console::domain::network::Network;
use grail_console::domain::provenance::{Depth, Level, Limit, Provenance};
use grail_console::ops::context::Context;
use grail_console::ops::verify::{SecondWord, may_be_acted_on, second_word};
use grail_console::sandbox::{Byzantine, CommitmentSpec, Credentials, NETUID, OPERATOR_UID, hotkey};
use rstest::rstest;

use crate::support::bench::Bench;
use crate::support::node::line;
use crate::support::operator::Operator;

/// Readings of one test.
const RUNS: u64 = 600;
/// Readings between two changes of what is on chain.
const EACH: u64 = 40;

/// Who lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Liar {
    Endpoint,
    Witness,
}

/// The chain, and what it held from which block on.
struct Two {
    bench: Bench,
    history: Vec<(u64, Option<Commitment>)>,
}

impl Two {
    async fn new() -> Self {
        let mut two = Self { bench: Bench::new("provenance").await, history: Vec::new() };
        two.note().await;
        two
    }

    /// A node with a second source, of which nobody knows anything yet.
    fn node(&self) -> Node {
        let sandbox = &self.bench.sandbox;
        Node::new(NodeOptions {
            witnesses: vec![sandbox.witness_url().parse().unwrap()],
            limits: CallLimits { call: Duration::from_secs(30), ..CallLimits::default() },
            ..NodeOptions::new(Network::at_endpoint(sandbox.url(), None).unwrap())
        })
    }

    /// Reads what is there while everybody is honest.
    async fn note(&mut self) {
        let examination = Examination { node: self.node(), netuid: NETUID, now_ms: 0 };
        let rows = BTreeMap::from([(hotkey(OPERATOR_UID), Depth::Proof)]);
        let found = Box::pin(examine(&examination, &rows)).await.unwrap();
        let row = &found.rows[&hotkey(OPERATOR_UID)];
        assert_eq!(row.level, Level::Proven);
        let from = row.commitment.as_ref().and_then(|commitment| commitment.block).unwrap_or(0);
        self.history.push((from, row.commitment.clone()));
    }

    async fn change(&mut self, generation: u8) {
        let text = Credentials::of(OPERATOR_UID, generation).read_commitment();
        self.bench.commit([(OPERATOR_UID, CommitmentSpec::raw(text))]).await;
        self.bench.blocks(3).await;
        self.note().await;
    }

    /// What the chain holds at a height.
    fn held(&self, number: u64) -> Option<&Commitment> {
        let at = self.history.iter().rev().find(|(from, _)| *from <= number).unwrap_or(&self.history[0]);
        at.1.as_ref()
    }

    fn deceive(&self, liar: Liar, seed: u64) {
        let lies = Some(Byzantine::Fickle(seed, OPERATOR_UID));
        match liar {
            Liar::Endpoint => self.bench.sandbox.faults().deceive(lies),
            Liar::Witness => self.bench.sandbox.faults().deceive_by_witness(lies),
        }
    }

    fn recover(&self) {
        self.bench.sandbox.faults().deceive(None);
        self.bench.sandbox.faults().deceive_by_witness(None);
    }
}

#[rstest]
#[case(Liar::Endpoint)]
#[case(Liar::Witness)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mixture_of_lies_and_truth_of_one_source_makes_a_row_certain_that_the_chain_denies(#[case] liar: Liar) {
    let mut two = Two::new().await;
    let own = hotkey(OPERATOR_UID);
    let (mut certain, mut doubted, mut unread) = (0, 0, 0);
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut node = two.node();
    for seed in 0..RUNS {
        if seed % EACH == 0 {
            two.recover();
            two.change(u8::try_from(seed / EACH % 200).unwrap()).await;
            node = two.node();
        }
        two.deceive(liar, seed * 7_919);
        let depth = if seed % 2 == 0 { Depth::Proof } else { Depth::Signature };
        let examination = Examination { node: node.clone(), netuid: NETUID, now_ms: 0 };
        // An endpoint that talks nonsense is no source at all.
        let Ok(found) = Box::pin(examine(&examination, &BTreeMap::from([(own, depth)]))).await else {
            unread += 1;
            continue;
        };
        let row = found.rows.get(&own);
        let kind = row.map(|row| format!("{:?}, {:?}", row.level, row.limit.as_ref().map(Limit::code)));
        *kinds.entry(kind.unwrap_or_default()).or_default() += 1;
        doubted += u64::from(row.is_some_and(Provenance::is_disputed));
        let is_certain = may_be_acted_on(row).is_ok() || row.is_some_and(|row| row.level > Level::Reported);
        let Some(row) = row.filter(|_| is_certain) else { continue };
        certain += 1;
        assert_eq!(row.commitment.as_ref(), two.held(row.at.number), "{liar:?}, {seed}: {row:?}");
    }
    // Otherwise this test shows nothing. Of a witness that is proven wrong the lie is seldom believed long enough to doubt a row.
    let least = if liar == Liar::Endpoint { RUNS / 50 } else { 0 };
    assert!(
        certain > RUNS / 50 && doubted >= least,
        "{certain} certain, {doubted} doubted, {unread} unread: {kinds:#?}"
    );
    println!("{liar:?}: {kinds:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_mixture_of_lies_and_truth_of_the_endpoint_confirms_a_commitment_that_is_not_there() {
    let mut two = Two::new().await;
    let own = hotkey(OPERATOR_UID);
    let published = |held: Option<&Commitment>| -> Published { held.and_then(Commitment::published).unwrap().clone() };
    two.change(1).await;
    let there = (published(two.held(u64::MAX)), two.history.last().unwrap().0);
    let elsewhere = (published(two.held(0)), there.1);
    assert_ne!(there.0, elsewhere.0);
    let mut confirmed = 0;
    let context = Context { node: two.node(), ..two.bench.context() };
    for seed in 0..RUNS / 2 {
        two.deceive(Liar::Endpoint, seed * 104_729);
        for (claimed, is_there) in [(&there, true), (&elsewhere, false)] {
            let (wanted, block) = (&claimed.0, claimed.1);
            let word = Box::pin(second_word(&context, own, (wanted, block), &|| 0, Duration::ZERO)).await;
            let is_confirmed = matches!(word, SecondWord::Confirmed(_));
            assert!(is_there || !is_confirmed, "{seed}: {word:?}");
            confirmed += u64::from(is_confirmed);
        }
    }
    assert!(confirmed > 10, "it is confirmed now and then: {confirmed}");
}

/// The whole command, on an endpoint of which each answer may be a lie. What it says of its end is held against the chain.
#[rstest]
fn a_commit_through_an_endpoint_whose_answers_cannot_be_trusted_claims_nothing_false(
    #[values(11, 222, 3_333, 44_444)] seed: u64,
) {
    let operator = Operator::new();
    let node = operator.node.sandbox();
    let flags = [operator.flags(), vec!["--witness".to_owned(), node.witness_url().to_owned()]].concat();
    node.faults().deceive(Some(Byzantine::Fickle(seed, OPERATOR_UID)));
    for _ in 0..2 {
        let ended = operator.house.run(line(&["commit", "--yes", "--json"], &flags));
        assert!(matches!(ended.code, Some(0..=8)), "{:?}: {}", ended.code, ended.stderr);
        let new = Credentials::of(OPERATOR_UID, 0).read_commitment();
        if ended.code == Some(0) {
            assert_eq!(operator.on_chain(), new, "{seed}: {}", ended.stdout);
        }
        if operator.records().contains(&"committed".to_owned()) {
            assert_eq!(operator.on_chain(), new, "{seed}: the journal claims it");
        }
    }
    // Once everybody is honest it can be finished.
    node.faults().deceive(None);
    let ended = operator.house.run(line(&["commit", "--yes", "--json"], &flags)).json();
    assert!(["committed", "unchanged"].contains(&ended["outcome"].as_str().unwrap()), "{ended:#}");
    assert_eq!(operator.on_chain(), Credentials::of(OPERATOR_UID, 0).read_commitment());
}

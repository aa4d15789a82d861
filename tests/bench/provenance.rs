//! What it costs to know where rows come from: everybody as far as the state proof, and as far as the signature.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use grail_console::chain::provenance::{Examination, StateProof, examine};
use grail_console::chain::{Node, NodeOptions, Pace};
use grail_console::domain::network::Network;
use grail_console::domain::provenance::Depth;
use grail_console::domain::provenance::Level;
use grail_console::sandbox::{NETUID, Sandbox, SandboxOptions, Scenario, StateTrie, hotkey};

use crate::{median, report};

/// One request in so long: the budget of public nodes, ten times as fast, so that a measurement ends.
const PACE: Duration = Duration::from_millis(100);
const TIMES: u32 = 10;
/// Each of the 256 rows was committed in a block of its own.
const SCENARIO: &str = "description = \"everybody in a block of their own\"\n[subnet]\nrecent_blocks = 256\n";

pub async fn measure() {
    proofs();
    for latency in [Duration::ZERO, Duration::from_millis(100)] {
        let sandbox = sandbox(latency).await;
        let examination = examination(&sandbox);
        let mut took = Vec::new();
        let mut cost = None;
        for _ in 0..5 {
            let found = examined(&examination, Depth::Proof).await;
            took.push(found.0);
            cost = Some(found.1);
        }
        let (requests, bytes) = cost.unwrap();
        let measured = format!("{:.0} ms, {requests} requests, {bytes} bytes of proof", median(took) * 1e3);
        report(&format!("256 rows proven, {} ms round trip", latency.as_millis()), "", &measured);
    }
    let sandbox = sandbox(Duration::ZERO).await;
    let (took, (requests, bytes)) = examined(&examination(&sandbox), Depth::Signature).await;
    let measured = format!("{:.0} ms, {requests} requests, {bytes} bytes", took * 1e3);
    report("256 rows of 256 blocks signed, on loopback", "", &measured);
    let pace = Pace { elsewhere: PACE, here: PACE };
    let node = Node::new(NodeOptions { pace, ..examination(&sandbox).node.options().clone() });
    let paced = Examination { node, ..examination(&sandbox) };
    let (took, (requests, _)) = examined(&paced, Depth::Signature).await;
    let measured = format!("{:.0} s, {requests} requests to two endpoints", took * f64::from(TIMES));
    report("  within one request a second (measured ten times as fast)", "", &measured);
}

async fn sandbox(latency: Duration) -> Sandbox {
    let mut options = SandboxOptions::new(Scenario::parse("bench", SCENARIO).unwrap());
    options.latency = latency;
    Sandbox::start(options).await.unwrap()
}

fn examination(sandbox: &Sandbox) -> Examination {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let network = Network::at_endpoint(sandbox.url(), None).unwrap();
    let witnesses = vec![sandbox.witness_url().parse().unwrap()];
    let node = Node::new(NodeOptions { witnesses, ..NodeOptions::new(network) });
    Examination { node, netuid: NETUID, now_ms: u64::try_from(now.as_millis()).unwrap() }
}

/// Seconds, and requests and bytes.
async fn examined(examination: &Examination, depth: Depth) -> (f64, (u64, u64)) {
    let rows: BTreeMap<_, _> = (0..256).map(|uid| (hotkey(uid), depth)).collect();
    let begin = Instant::now();
    let found = Box::pin(examine(examination, &rows)).await.unwrap();
    let took = begin.elapsed().as_secs_f64();
    let wanted = if depth == Depth::Proof { Level::Proven } else { Level::Signed };
    let short = found.rows.values().filter(|row| row.level < wanted).count();
    assert_eq!(short, 0, "{:?}", found.rows.values().find(|row| row.level < wanted));
    (took, (found.cost.requests, found.cost.bytes))
}

/// A large state, and the checking of a proof alone.
fn proofs() {
    let key = |n: u32| blake(n).to_vec();
    let state: Vec<(Vec<u8>, Vec<u8>)> = (0..400_000).map(|n| (key(n), vec![7; 142])).collect();
    let mut trie = StateTrie::default();
    let begin = Instant::now();
    let writes = state.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice())));
    let root = trie.write(1, &StateTrie::empty_root(), writes).unwrap();
    report("sandbox: a state of 400,000 values", "", &format!("{:.1} s", begin.elapsed().as_secs_f64()));
    let keys: Vec<Vec<u8>> = (0..256).map(|n| key(n * 1_000)).collect();
    let nodes = trie.proof(&root, &keys).unwrap();
    let bytes: usize = nodes.iter().map(Vec::len).sum();
    let begin = Instant::now();
    let proof = StateProof::new(nodes, keys.len());
    let proven = keys.iter().filter(|key| proof.value(&root, key).is_ok_and(|value| value.is_some())).count();
    let took = begin.elapsed().as_secs_f64() * 1e3;
    report("checking a proof of 256 values of it", "", &format!("{took:.1} ms for {proven} values, {bytes} bytes"));
}

fn blake(n: u32) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(n.to_le_bytes()).into()
}

//! Publishing over the socket, piece by piece: the standing, the bytes that are signed, and the signed_commit of their end.

use std::time::Duration;

use grail_console::chain::commit::{
    Draft, HotkeyClient, HotkeyClientOptions, Signed, SignedCommit, call_bytes, reconcile, track,
};
use grail_console::chain::{CallLimits, MetadataStore, Node};
use grail_console::domain::commit::{Ended, Failure, HotkeyState, Intent, Plan, PoolAnswer, Progress, Subject};
use grail_console::domain::commitment::Commitment;
use grail_console::domain::credentials::{LocalValues, Source, Variable};
use grail_console::domain::guard::{Cleared, Forbidden, ReadScope, clear};
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::{BlockHash, Network};
use grail_console::domain::provenance::Depth;
use grail_console::domain::provider::Provider;
use grail_console::sandbox::{CommitmentSpec, Credentials, NETUID, OPERATOR_UID, Sandbox, hotkey};
use grail_console::wallet::{self, OwnHotkey, Scheme, Signer};
use proptest::prelude::*;
use rstest::rstest;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::sandbox_node::{by_hand, client};
use crate::sandbox_pool::{events, next_index, published, submit};
use crate::support::chain::node;
use crate::support::encoder::{self, Offer, hash_of, set_commitment};
use crate::wallet_public::{ED25519, PLAIN, Wallets, address};

const LATER: Duration = Duration::from_mins(2);

/// Credentials that the guard lets through.
pub fn cleared(credentials: &Credentials, chain: Option<&Commitment>) -> Cleared {
    let mut values = LocalValues::default();
    let pairs = [
        (Variable::AccountId, credentials.account.as_str()),
        (Variable::BucketId, &credentials.account),
        (Variable::ReadKeyId, &credentials.read_key_id),
        (Variable::ReadSecret, credentials.read_secret.expose()),
    ];
    for (variable, text) in pairs {
        let value = grail_console::domain::secret::SecretKey::new(text);
        values.define(variable, value, Source::Environment);
    }
    clear(&Provider::default(), &values, chain, &Forbidden::default(), ReadScope::NotShown).unwrap()
}

/// The nodes of a sandbox, over connections of their own.
pub fn nodes(sandbox: &Sandbox, store: MetadataStore) -> Node {
    node(&Network::at_endpoint(sandbox.url(), None).unwrap(), store, &CallLimits::default())
}

pub fn options(sandbox: &Sandbox, hotkey: Hotkey) -> HotkeyClientOptions {
    HotkeyClientOptions { node: nodes(sandbox, MetadataStore::none()), genesis: None, netuid: NETUID, hotkey }
}

async fn connected(sandbox: &Sandbox, hotkey: Hotkey) -> (HotkeyClient, HotkeyState) {
    let options = options(sandbox, hotkey);
    let hotkey_client = HotkeyClient::open(&options).await.unwrap();
    let standing = hotkey_client.state(0, Depth::Proof).await.unwrap().state;
    (hotkey_client, standing)
}

/// The operator's own key, from the practice wallet.
fn operator(sandbox: &Sandbox) -> Signer {
    let own = sandbox.operator().unwrap();
    wallet::unlock(&OwnHotkey::find(&own.wallet_path, own.wallet, own.hotkey_name).unwrap(), None).unwrap()
}

/// One commit with everything that belongs to it.
struct Commit {
    hotkey_client: HotkeyClient,
    standing: HotkeyState,
    extrinsic: Signed,
    intent: Intent,
    options: HotkeyClientOptions,
}

impl Commit {
    async fn of(sandbox: &Sandbox, signer: &Signer, credentials: &Credentials) -> Self {
        let (hotkey_client, standing) = connected(sandbox, signer.hotkey()).await;
        let cleared = cleared(credentials, standing.commitment.as_ref());
        let draft: Draft = hotkey_client.draft(&standing, &cleared).unwrap();
        let subject = Subject { netuid: NETUID, hotkey: signer.hotkey(), wallet: None, name: None };
        let plan = Plan::of(subject, standing.clone(), &cleared, 0);
        let extrinsic = draft.sign(signer).unwrap();
        let intent = Intent::of(&plan, extrinsic.hash);
        Self { hotkey_client, standing, extrinsic, intent, options: options(sandbox, signer.hotkey()) }
    }

    /// Tracks it beside the test; what was told comes with the end.
    fn tracked(self) -> JoinHandle<(Ended, Vec<Progress>)> {
        let signed_commit = SignedCommit { options: self.options, intent: self.intent, signed: self.extrinsic };
        tokio::spawn(async move {
            let (progress, mut heard) = mpsc::channel(256);
            let ended = track(self.hotkey_client, signed_commit, progress).await;
            let mut told = Vec::new();
            while let Some(step) = heard.recv().await {
                told.push(step);
            }
            (ended, told)
        })
    }
}

async fn end(tracked: JoinHandle<(Ended, Vec<Progress>)>) -> (Ended, Vec<Progress>) {
    tokio::time::timeout(LATER, tracked).await.expect("it ended").unwrap()
}

async fn blocks(sandbox: &Sandbox, count: usize) {
    for _ in 0..count {
        sandbox.produce_block().await.unwrap();
    }
}

/// Waits until the pool counts so many extrinsics of a hotkey.
async fn waits_in_the_pool(sandbox: &Sandbox, hotkey: Hotkey, next: u32) {
    let client = client(sandbox).await;
    tokio::time::timeout(LATER, async {
        while next_index(&client, *hotkey.as_bytes()).await < next {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the pool has it");
}

/// Whether a signature is the hotkey's over these bytes.
pub fn verifies(scheme: Scheme, hotkey: Hotkey, payload: &[u8], signature: &[u8]) -> bool {
    match scheme {
        Scheme::Sr25519 => {
            let public = schnorrkel::PublicKey::from_bytes(hotkey.as_bytes()).unwrap();
            let signature = schnorrkel::Signature::from_bytes(signature).unwrap();
            public.verify_simple(b"substrate", payload, &signature).is_ok()
        }
        Scheme::Ed25519 => {
            let public = ed25519_zebra::VerificationKey::try_from(*hotkey.as_bytes()).unwrap();
            public.verify(&<[u8; 64]>::try_from(signature).unwrap().into(), payload).is_ok()
        }
    }
}

/// What somebody with the same facts and no library would send and sign; who signs does not matter for the rest.
fn by_hand_written(sandbox: &Sandbox, standing: &HotkeyState, content: &[u8; 128]) -> Offer {
    let birth = (u32::try_from(standing.at.number).unwrap(), standing.at.hash.0, 64);
    let nonce = u32::try_from(standing.nonce).unwrap();
    Offer {
        era: Some(birth),
        ..Offer::by(sandbox, encoder::Signer::ed25519(1), nonce, set_commitment(NETUID, content))
    }
}

/// Fails unless the extrinsic is the one that was written by hand, byte for byte but for the signature, and the signature
/// is the hotkey's over the payload that was written by hand.
#[track_caller]
fn is_the_extrinsic(extrinsic: &Signed, signer: &Signer, expected: &Offer) {
    let (bytes, payload) = (extrinsic.bytes(), expected.payload());
    assert_eq!((bytes.len(), payload.len(), expected.call.len()), (240, 212, 134));
    let scheme = match signer.scheme() {
        Scheme::Ed25519 => 0,
        Scheme::Sr25519 => 1,
    };
    // Length 238 as a compact, version 4 signed, an account by its id, the account, the scheme.
    let head = [&[0xb9, 0x03, 0x84, 0x00], &signer.hotkey().as_bytes()[..], &[scheme]].concat();
    assert_eq!(&bytes[..37], head);
    assert!(verifies(signer.scheme(), signer.hotkey(), &payload, &bytes[37..101]));
    assert_eq!(&bytes[101..], &expected.extrinsic()[101..], "era, nonce, tip, mode, call");
    assert_eq!(&bytes[106..], expected.call);
    assert_eq!(extrinsic.hash, BlockHash(hash_of(bytes)));
}

/// A hotkey of the fixtures, on the subnet.
async fn registered(sandbox: &Sandbox, name: &str, expected: &str) -> Signer {
    let wallets = Wallets::practice();
    let signer = wallet::unlock(&wallets.find(name).unwrap(), None).unwrap();
    assert_eq!(signer.hotkey(), address(expected));
    sandbox.register(50, signer.hotkey());
    blocks(sandbox, 3).await;
    signer
}

#[rstest]
#[case::sr25519("plain", PLAIN, Scheme::Sr25519)]
#[case::ed25519("ed25519", ED25519, Scheme::Ed25519)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_signed_and_sent_is_what_the_facts_say_byte_for_byte(
    #[case] name: &str,
    #[case] address: &str,
    #[case] scheme: Scheme,
) {
    let sandbox = by_hand("healthy").await;
    let signer = registered(&sandbox, name, address).await;
    assert_eq!(signer.scheme(), scheme);
    let own = Credentials::of(50, 0);
    let commit = Commit::of(&sandbox, &signer, &own).await;
    let content: [u8; 128] = own.read_commitment().into_bytes().try_into().unwrap();
    let expected = by_hand_written(&sandbox, &commit.standing, &content);
    assert_eq!(call_bytes(NETUID, &content), expected.call);
    is_the_extrinsic(&commit.extrinsic, &signer, &expected);
    let tracked = commit.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 1).await;
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(published(&sandbox, signer.hotkey()).unwrap(), content);
    assert_eq!(events(&sandbox, &block).await[1], "ApplyExtrinsic(1) Commitments.Commitment");
    blocks(&sandbox, 2).await;
    let (ended, told) = end(tracked).await;
    let Ended::Committed(receipt) = ended else { panic!("{ended:?}") };
    assert_eq!((receipt.block.hash, receipt.index), (BlockHash(block.hash), Some(1)));
    assert_eq!(receipt.block.number, u64::from(block.number()));
    assert_eq!(told.last(), Some(&Progress::ReadBack));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn era_and_nonce_are_those_of_the_finalized_head_and_of_the_account() {
    let sandbox = by_hand("healthy").await;
    let signer = operator(&sandbox);
    for (generation, nonce) in [(1, 0), (2, 1), (3, 2)] {
        let commit = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, generation)).await;
        let head = sandbox.finalized();
        assert_eq!((commit.standing.at.number, commit.standing.at.hash.0), (head.number().into(), head.hash));
        assert_eq!((commit.standing.nonce, commit.standing.settled_nonce), (nonce, nonce));
        assert_eq!((commit.intent.birth, commit.intent.death), (head.number().into(), u64::from(head.number()) + 64));
        let content: [u8; 128] =
            Credentials::of(OPERATOR_UID, generation).read_commitment().into_bytes().try_into().unwrap();
        is_the_extrinsic(&commit.extrinsic, &signer, &by_hand_written(&sandbox, &commit.standing, &content));
        let tracked = commit.tracked();
        waits_in_the_pool(&sandbox, signer.hotkey(), u32::try_from(nonce + 1).unwrap()).await;
        blocks(&sandbox, 3).await;
        assert!(matches!(end(tracked).await.0, Ended::Committed(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_commits_in_one_block_the_second_counts_the_first_and_the_first_is_told_to_be_replaced() {
    let sandbox = by_hand("healthy").await;
    let signer = operator(&sandbox);
    let first = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 1)).await.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 1).await;
    let second = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 2)).await;
    assert_eq!((second.standing.nonce, second.standing.settled_nonce), (1, 0), "the waiting one is counted");
    let second = second.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 2).await;
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(block.extrinsics.len(), 3, "the timestamp and both");
    blocks(&sandbox, 2).await;
    let (ended, _) = end(second).await;
    assert!(matches!(ended, Ended::Committed(receipt) if receipt.index == Some(2)));
    let (ended, told) = end(first).await;
    let Ended::Failed { failure: Failure::Usurped { by, at }, .. } = ended else { panic!("{ended:?}") };
    assert_eq!(at, Some(block.number().into()));
    assert_eq!(by.unwrap().read_key_id.as_text(), Some(Credentials::of(OPERATOR_UID, 2).read_key_id.as_str()));
    assert!(told.contains(&Progress::Event { index: 1 }) && !told.contains(&Progress::ReadBack), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_very_same_bytes_are_taken_once_whoever_handed_them_in() {
    let sandbox = by_hand("healthy").await;
    let signer = operator(&sandbox);
    let commit = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 1)).await;
    submit(&client(&sandbox).await, commit.extrinsic.bytes()).await.unwrap();
    let Commit { hotkey_client, options, intent, extrinsic, .. } = commit;
    let (progress, mut heard) = mpsc::channel(256);
    let tracked = tokio::spawn(track(hotkey_client, SignedCommit { options, intent, signed: extrinsic }, progress));
    let answer = tokio::time::timeout(LATER, heard.recv()).await.expect("the pool has answered");
    assert_eq!(answer, Some(Progress::Broadcast), "the pool has it already, which is as good");
    blocks(&sandbox, 3).await;
    let ended = tokio::time::timeout(LATER, tracked).await.expect("it ended").unwrap();
    assert!(matches!(ended, Ended::Committed(_)), "{ended:?}");
    assert_eq!(next_index(&client(&sandbox).await, *signer.hotkey().as_bytes()).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nonce_that_somebody_else_uses_meanwhile_is_refused_by_the_pool() {
    let sandbox = by_hand("healthy").await;
    let signer = operator(&sandbox);
    let theirs = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 1)).await;
    let [waiting, late] = [2, 3].map(|generation| Credentials::of(OPERATOR_UID, generation)).map(|own| {
        let (sandbox, signer) = (&sandbox, &signer);
        async move { Commit::of(sandbox, signer, &own).await }
    });
    let (waiting, late) = (waiting.await, late.await);
    submit(&client(&sandbox).await, theirs.extrinsic.bytes()).await.unwrap();
    let (ended, told) = end(waiting.tracked()).await;
    assert!(matches!(ended, Ended::Failed { failure: Failure::Pool(PoolAnswer::LowPriority), .. }), "{ended:?}");
    assert!(told.is_empty());
    blocks(&sandbox, 1).await;
    let (ended, _) = end(late.tracked()).await;
    assert!(matches!(ended, Ended::Failed { failure: Failure::Pool(PoolAnswer::Stale), .. }), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_never_sent_is_open_until_its_era_is_over() {
    let sandbox = by_hand("healthy").await;
    let commit = Commit::of(&sandbox, &operator(&sandbox), &Credentials::of(OPERATOR_UID, 1)).await;
    let (hotkey_client, intent) = (&commit.hotkey_client, &commit.intent);
    assert_eq!(reconcile(hotkey_client, intent).await.unwrap(), None);
    while u64::from(sandbox.finalized().number()) < intent.death - 1 {
        blocks(&sandbox, 1).await;
    }
    assert_eq!(reconcile(hotkey_client, intent).await.unwrap(), None, "the last block of its era");
    blocks(&sandbox, 1).await;
    let expired = Ended::Expired { extrinsic: intent.extrinsic, death: intent.death };
    assert_eq!(reconcile(hotkey_client, intent).await.unwrap(), Some(expired));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_and_not_watched_is_found_by_the_chain_alone() {
    let sandbox = by_hand("healthy").await;
    let signer = operator(&sandbox);
    let commit = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 1)).await;
    submit(&client(&sandbox).await, commit.extrinsic.bytes()).await.unwrap();
    let (hotkey_client, intent) = (&commit.hotkey_client, &commit.intent);
    assert_eq!(reconcile(hotkey_client, intent).await.unwrap(), None, "it waits");
    let block = sandbox.produce_block().await.unwrap();
    assert_eq!(reconcile(hotkey_client, intent).await.unwrap(), None, "it is in a block that is not final");
    blocks(&sandbox, 2).await;
    let Some(Ended::Committed(receipt)) = reconcile(hotkey_client, intent).await.unwrap() else {
        panic!("it is final")
    };
    assert_eq!((receipt.block.hash, receipt.index), (BlockHash(block.hash), Some(1)));
    sandbox.commit(OPERATOR_UID, CommitmentSpec::raw(Credentials::of(OPERATOR_UID, 9).read_commitment()));
    blocks(&sandbox, 3).await;
    let ended = reconcile(hotkey_client, intent).await.unwrap();
    assert!(matches!(ended, Some(Ended::Failed { failure: Failure::Usurped { .. }, .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_in_its_block_is_told_with_the_error_and_the_block_long_after() {
    let sandbox = by_hand("older-runtime").await;
    let signer = operator(&sandbox);
    let commit = Commit::of(&sandbox, &signer, &Credentials::of(OPERATOR_UID, 1)).await;
    sandbox.register(OPERATOR_UID, hotkey(900));
    blocks(&sandbox, 1).await;
    submit(&client(&sandbox).await, commit.extrinsic.bytes()).await.unwrap();
    let refused_in = sandbox.produce_block().await.unwrap();
    blocks(&sandbox, 100).await;
    let ended = reconcile(&commit.hotkey_client, &commit.intent).await.unwrap();
    let Some(Ended::Failed { failure: Failure::Dispatch { error, block, .. }, .. }) = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(error.shown(), "Commitments.AccountNotAllowedCommit");
    assert_eq!(block.number, u64::from(refused_in.number()));
}

/// The same value twice, as a console does that was killed and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_value_by_an_earlier_transaction_is_not_taken_for_ours() {
    let sandbox = by_hand("healthy").await;
    let (signer, new) = (operator(&sandbox), Credentials::of(OPERATOR_UID, 1));
    let earlier = Commit::of(&sandbox, &signer, &new).await;
    submit(&client(&sandbox).await, earlier.extrinsic.bytes()).await.unwrap();
    blocks(&sandbox, 1).await;
    let later = Commit::of(&sandbox, &signer, &new).await.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 2).await;
    // With the first of these the earlier one's block is final, and ours is in a block that is not.
    blocks(&sandbox, 2).await;
    let ours = sandbox.best().number() - 1;
    blocks(&sandbox, 2).await;
    let (ended, _) = end(later).await;
    assert!(matches!(&ended, Ended::Committed(receipt) if receipt.block.number == u64::from(ours)), "{ended:?}");
    let Some(Ended::Committed(receipt)) = reconcile(&earlier.hotkey_client, &earlier.intent).await.unwrap() else {
        panic!("it was published too")
    };
    assert_eq!(receipt.block.number, u64::from(ours) - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_value_with_the_same_nonce_took_the_place_of_ours() {
    let sandbox = by_hand("healthy").await;
    let (signer, new) = (operator(&sandbox), Credentials::of(OPERATOR_UID, 1));
    let never_sent = Commit::of(&sandbox, &signer, &new).await;
    blocks(&sandbox, 1).await;
    let sent = Commit::of(&sandbox, &signer, &new).await;
    assert_eq!((never_sent.intent.nonce, sent.intent.nonce), (0, 0));
    submit(&client(&sandbox).await, sent.extrinsic.bytes()).await.unwrap();
    blocks(&sandbox, 3).await;
    let ended = reconcile(&never_sent.hotkey_client, &never_sent.intent).await.unwrap();
    assert!(matches!(ended, Some(Ended::Failed { failure: Failure::Replaced, .. })), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_beside_an_equal_value_of_the_same_block_is_no_contradiction() {
    let sandbox = by_hand("healthy").await;
    for _ in 0..23 {
        sandbox.commit(OPERATOR_UID, CommitmentSpec::raw([b'z'; 128]));
    }
    blocks(&sandbox, 3).await;
    // Room for one more, and two of them.
    let (signer, new) = (operator(&sandbox), Credentials::of(OPERATOR_UID, 1));
    let first = Commit::of(&sandbox, &signer, &new).await.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 1).await;
    let second = Commit::of(&sandbox, &signer, &new).await.tracked();
    waits_in_the_pool(&sandbox, signer.hotkey(), 2).await;
    blocks(&sandbox, 3).await;
    let (ended, _) = end(second).await;
    let Ended::Failed { failure: Failure::Dispatch { error, .. }, .. } = ended else { panic!("{ended:?}") };
    assert_eq!(error.shown(), "Commitments.SpaceLimitExceeded");
    assert!(matches!(end(first).await.0, Ended::Committed(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// The call is its parts and nothing else, whatever is published.
    #[test]
    fn the_call_is_the_134_bytes_of_the_facts(netuid: u16, content in prop::array::uniform32(any::<[u8; 4]>())) {
        let content: [u8; 128] = content.concat().try_into().unwrap();
        prop_assert_eq!(call_bytes(netuid, &content), set_commitment(netuid, &content));
    }
}

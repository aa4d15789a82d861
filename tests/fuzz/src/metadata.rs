//! A runtime's metadata: which types values are read by, and what is signed.

use std::sync::{LazyLock, Mutex, PoisonError};

use grail_console::chain::commit::{HotkeyClient, HotkeyClientOptions, call_bytes};
use grail_console::chain::schema::Schema;
use grail_console::chain::{FeedOptions, MetadataStore, Node, NodeOptions, survey};
use grail_console::domain::commit::HotkeyState;
use grail_console::domain::credentials::{LocalValues, Source, Variable};
use grail_console::domain::guard::{Cleared, Forbidden, ReadScope, clear};
use grail_console::domain::network::BlockHash;
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::snapshot::{BlockRef, ChainIdentity};
use grail_console::domain::untrusted::is_visible;
use grail_console::wallet::Signer;
use parity_scale_codec::{Compact, Encode as _};
use sp_crypto_hashing::blake2_256;
use tokio::runtime::Runtime;

use super::chain::{GENESIS, HOTKEY, NETUID, Stored, finney, header, honest, state};
use super::key;
use super::node::{METADATA, SPEC, ScriptedNode, runtime};

const NONCE: u64 = 5;
const BIRTH: u64 = 1_000;
/// Types that are kept at most.
const MOST_TYPES: usize = 2_048;

struct Setup {
    runtime: Runtime,
    scripted: ScriptedNode,
    /// Finney's, by which keys must be made.
    genuine: Schema,
    signer: Signer,
    cleared: Cleared,
    /// A state whose commitment is of no known layout, so that its types are used.
    state: Vec<Stored>,
}

static SETUP: LazyLock<Mutex<Setup>> = LazyLock::new(|| {
    let runtime = runtime();
    let scripted = ScriptedNode::start(&runtime);
    let odd: Vec<u8> = [4, 130].into_iter().chain((0..=255).cycle().take(600)).collect();
    let state = state(&HOTKEY, [&[0; 12][..], &odd].concat());
    Mutex::new(Setup { runtime, scripted, genuine: finney(), signer: key::signer(), cleared: cleared(), state })
});

/// Metadata as a node serves it; one byte alone stands for finney's.
pub fn run(data: &[u8]) -> &'static str {
    let data = if data.len() == 1 { METADATA } else { data };
    let setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
    let schema = match Schema::of_metadata(data) {
        Ok(schema) => schema,
        Err(fault) => {
            assert!(fault.to_string().chars().all(is_visible), "{fault}");
            return fault.code();
        }
    };
    is_keyed_as_known(&schema, &setup.genuine);
    assert!(schema.types.types.len() <= MOST_TYPES);
    let (state, (head, hash)) = (setup.state.clone(), header(super::chain::HEAD, [9; 32], [9; 32]));
    setup.scripted.answer_with(move |request| Some(honest(request, &state, &head, &hash)));
    let told = data.to_vec();
    let store = MetadataStore::new(move |_, _| Some(told.clone()), |_, _, _| {});
    let node = Node::new(NodeOptions { store, ..NodeOptions::new(setup.scripted.network()) });
    setup.runtime.block_on(async {
        if let Err(error) = survey(&node, NETUID, None, &FeedOptions::default()).await {
            assert!(error.to_string().chars().all(is_visible), "{error}");
        }
        signed(&setup, node).await
    })
}

/// Under keys of its own choosing a node would prove that there is nothing.
fn is_keyed_as_known(schema: &Schema, genuine: &Schema) {
    assert_eq!(schema.commitment_key(NETUID, &HOTKEY), genuine.commitment_key(NETUID, &HOTKEY));
    let parts: [&[u8]; 2] = [&[81, 0], &[3, 0]];
    for (one, known) in [
        (&schema.keys, &genuine.keys),
        (&schema.subnetwork_n, &genuine.subnetwork_n),
        (&schema.now, &genuine.now),
        (&schema.number, &genuine.number),
    ] {
        assert_eq!(one.key(&parts), known.key(&parts));
    }
}

/// Whatever the metadata says, what is signed is the one call, surrounded as it must be; or nothing is.
async fn signed(setup: &Setup, node: Node) -> &'static str {
    let hotkey = setup.signer.hotkey();
    let options = HotkeyClientOptions { node, genesis: None, netuid: NETUID, hotkey };
    let Ok(client) = HotkeyClient::open(&options).await else { return "not_opened" };
    let Ok(draft) = client.draft(&standing(), &setup.cleared) else { return "not_drafted" };
    let Ok(signed) = draft.sign(&setup.signer) else { return "not_signed" };
    let is_one = [true, false].into_iter().any(|has_hash| is_the_commit(setup, signed.bytes(), has_hash));
    assert!(is_one, "something else was signed: {}", hex::encode(signed.bytes()));
    assert_eq!(signed.hash, BlockHash(blake2_256(signed.bytes())));
    "signed"
}

fn is_the_commit(setup: &Setup, bytes: &[u8], has_metadata_hash: bool) -> bool {
    let call = call_bytes(NETUID, setup.cleared.bytes());
    let hash: &[u8] = if has_metadata_hash { &[0] } else { &[] };
    // 1,000 is the 40th of its 64 blocks, and 64 the sixth power of two.
    let explicit = [&[0x85, 0x02][..], &Compact(NONCE).encode(), &[0], hash].concat();
    let implicit = [&(SPEC, 1_u32).encode()[..], &GENESIS, &[7; 32], hash].concat();
    let front = [&[0x84, 0x00][..], setup.signer.hotkey().as_bytes(), &[1]].concat();
    let length = Compact(u32::try_from(front.len() + 64 + explicit.len() + call.len()).unwrap()).encode();
    let Some(rest) = bytes.strip_prefix(&[&length[..], &front].concat()[..]) else { return false };
    let Some((signature, rest)) = rest.split_first_chunk::<64>() else { return false };
    let payload = [&call[..], &explicit, &implicit].concat();
    rest == [&explicit[..], &call].concat() && key::is_signed(&setup.signer.hotkey(), signature, &payload)
}

fn standing() -> HotkeyState {
    let (network, endpoint) = ("test".to_owned(), "test".to_owned());
    HotkeyState {
        chain: ChainIdentity { network, endpoint, genesis: BlockHash(GENESIS), spec_version: SPEC },
        pinned: true,
        at: BlockRef { number: BIRTH, hash: BlockHash([7; 32]), timestamp_ms: 0 },
        uid: Some(1),
        commitment: None,
        space: None,
        nonce: NONCE,
        settled_nonce: NONCE,
    }
}

fn cleared() -> Cleared {
    let account = "3f9a12".repeat(5) + "c4";
    let mut values = LocalValues::default();
    for (variable, text) in [
        (Variable::AccountId, account.as_str()),
        (Variable::BucketId, &account),
        (Variable::ReadKeyId, &"7be1".repeat(8)),
        (Variable::ReadSecret, &"51aa0c3e".repeat(8)),
    ] {
        values.define(variable, SecretKey::new(text), Source::Environment);
    }
    clear(&Provider::default(), &values, None, &Forbidden::default(), ReadScope::NotShown).unwrap()
}

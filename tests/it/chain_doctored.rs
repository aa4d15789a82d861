//! A node whose metadata is doctored so that something else is signed, or so that decoding it does harm (T4, T21).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use frame_metadata::v16::{RuntimeMetadataV16, StorageEntryType};
use grail_console::chain::commit::{Draft, DraftError, HotkeyClient, HotkeyClientOptions, call_bytes};
use grail_console::chain::schema::Schema;
use grail_console::chain::{CallLimits, ChainError, Fault, MetadataStore};
use grail_console::domain::commit::HotkeyState;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::provenance::Depth;
use grail_console::domain::snapshot::{BlockRef, ChainIdentity};
use grail_console::sandbox::{Credentials, Lie, NETUID, OPERATOR_UID};
use grail_console::wallet::{self, Signer};
use jsonrpsee::types::ErrorObjectOwned;
use parity_scale_codec::{Compact, Decode, Encode};
use rstest::rstest;
use scale_info::form::PortableForm;
use scale_info::{Field, Path, PortableType, Type, TypeDef, TypeDefComposite, TypeDefVariant, Variant};
use serde_json::json;
use subxt_rpcs::client::rpc_params;

use crate::chain_commit::{cleared, nodes, options, verifies};
use crate::chain_lies::{GENESIS, LyingNode, METADATA, doctored, hex0x, served};
use crate::sandbox_node::{by_hand, client};
use crate::support::house::House;
use crate::support::node::{Node, line};
use crate::wallet_public::Wallets;

const NONCE: u64 = 5;
const BIRTH: u64 = 1_000;

fn signer() -> Signer {
    wallet::unlock(&Wallets::practice().find("plain").unwrap(), None).unwrap()
}

fn at(node: &LyingNode, store: MetadataStore) -> HotkeyClientOptions {
    let hotkey = signer().hotkey();
    let node = crate::support::chain::node(&node.network(), store, &CallLimits::default());
    HotkeyClientOptions { node, genesis: None, netuid: NETUID, hotkey }
}

fn standing() -> HotkeyState {
    let genesis = BlockHash([0x11; 32]);
    HotkeyState {
        chain: ChainIdentity { network: "test".into(), endpoint: "test".into(), genesis, spec_version: 365 },
        pinned: true,
        at: BlockRef { number: BIRTH, hash: BlockHash([7; 32]), timestamp_ms: 0 },
        uid: Some(1),
        commitment: None,
        space: None,
        nonce: NONCE,
        settled_nonce: NONCE,
    }
}

fn own() -> Credentials {
    Credentials::of(OPERATOR_UID, 1)
}

/// What comes of a commit at a node that serves this metadata.
async fn drafted(metadata: Vec<u8>) -> Result<Draft, DraftError> {
    let node = LyingNode::start(move |method, _| (method == "state_call").then(|| Ok(served(&metadata)))).await;
    let client = HotkeyClient::open(&at(&node, MetadataStore::none())).await.unwrap();
    client.draft(&standing(), &cleared(&own(), None))
}

/// Why a client is not opened at a node that serves this metadata.
async fn refused(metadata: Vec<u8>) -> ChainError {
    let node = LyingNode::start(move |method, _| (method == "state_call").then(|| Ok(served(&metadata)))).await;
    HotkeyClient::open(&at(&node, MetadataStore::none())).await.unwrap_err()
}

/// The extensions of extrinsics by their names, in this order.
fn with_extensions(names: &[&str]) -> Vec<u8> {
    doctored(|metadata| {
        let known = metadata.extrinsic.transaction_extensions.clone();
        let find = |name: &&str| known.iter().find(|one| one.identifier == *name).unwrap().clone();
        let count = u32::try_from(names.len()).unwrap();
        metadata.extrinsic.transaction_extensions = names.iter().map(find).collect();
        for places in metadata.extrinsic.transaction_extensions_by_version.values_mut() {
            *places = (0..count).map(Into::into).collect();
        }
    })
}

const HONEST: [&str; 9] = [
    "CheckNonZeroSender",
    "CheckSpecVersion",
    "CheckTxVersion",
    "CheckGenesis",
    "CheckMortality",
    "CheckNonce",
    "CheckWeight",
    "ChargeTransactionPayment",
    "CheckMetadataHash",
];

fn without(name: &str) -> Vec<&'static str> {
    HONEST.into_iter().filter(|other| *other != name).collect()
}

/// Two extensions have changed places.
fn swapped(one: &str, other: &str) -> Vec<&'static str> {
    let place = |name: &str| HONEST.iter().position(|known| *known == name).unwrap();
    let mut names = HONEST.to_vec();
    names.swap(place(one), place(other));
    names
}

#[rstest]
// To the real runtime this is an immortal extrinsic: 00 of a tip in the era's place, the genesis in the birth's.
#[case::immortal(vec![
    "CheckSpecVersion", "CheckTxVersion", "CheckGenesis", "CheckGenesis", "ChargeTransactionPayment", "CheckNonce",
    "ChargeTransactionPayment", "CheckMetadataHash",
])]
#[case::without_an_era(without("CheckMortality"))]
#[case::without_a_chain(without("CheckGenesis"))]
#[case::without_a_version(without("CheckSpecVersion"))]
#[case::without_a_nonce(without("CheckNonce"))]
#[case::with_two_nonces([&HONEST[..], &["CheckNonce"]].concat())]
#[case::the_nonce_before_the_era(swapped("CheckMortality", "CheckNonce"))]
#[case::the_tip_before_the_nonce(swapped("ChargeTransactionPayment", "CheckNonce"))]
#[case::the_versions_after_the_chain(swapped("CheckSpecVersion", "CheckGenesis"))]
#[case::the_metadata_hash_twice([&HONEST[..], &["CheckMetadataHash"]].concat())]
#[tokio::test]
async fn a_node_that_surrounds_the_call_with_anything_else_gets_no_signature(#[case] names: Vec<&str>) {
    assert_eq!(drafted(with_extensions(&names)).await.unwrap_err(), DraftError::OtherPayload);
}

/// What is signed, written by hand.
fn payload(with_metadata_hash: bool) -> Vec<u8> {
    let hash: &[u8] = if with_metadata_hash { &[0] } else { &[] };
    let content = own().read_commitment().into_bytes();
    // 1,000 is the 40th of its 64 blocks, and 64 the sixth power of two.
    let era = [0x85, 0x02];
    let explicit = [&era[..], &Compact(NONCE).encode(), &[0], hash].concat();
    let implicit = [&365_u32.encode()[..], &1_u32.encode(), &[0x11; 32], &[7; 32], hash].concat();
    [call_bytes(NETUID, &content), explicit, implicit].concat()
}

#[rstest]
#[case::all_of_them(HONEST.to_vec(), true)]
#[case::as_in_older_runtimes(without("CheckMetadataHash"), false)]
#[case::without_an_empty_one(without("CheckWeight"), true)]
#[case::the_empty_ones_in_another_order(swapped("CheckNonZeroSender", "CheckWeight"), true)]
#[tokio::test]
async fn the_extensions_of_an_honest_runtime_are_signed(#[case] names: Vec<&str>, #[case] with_metadata_hash: bool) {
    let signer = signer();
    let signed = drafted(with_extensions(&names)).await.unwrap().sign(&signer).unwrap();
    let payload = payload(with_metadata_hash);
    assert!(verifies(signer.scheme(), signer.hotkey(), &payload, &signed.bytes()[37..101]));
}

#[tokio::test]
async fn a_signature_or_an_address_of_another_form_is_not_sent() {
    let doctored = doctored(|metadata| {
        let id = metadata.extrinsic.address_ty.id;
        let address = metadata.types.types.iter_mut().find(|ty| ty.id == id).unwrap();
        let TypeDef::Variant(def) = &mut address.ty.type_def else { panic!("an enum") };
        def.variants.iter_mut().for_each(|variant| variant.index ^= 1);
    });
    assert_eq!(drafted(doctored).await.unwrap_err(), DraftError::OtherPayload);
}

#[tokio::test]
async fn every_form_of_the_real_metadata_is_taken() {
    let sandbox = by_hand("healthy").await;
    let client = client(&sandbox).await;
    let bytes = |text: String| hex::decode(text.trim_start_matches("0x")).unwrap();
    let oldest = bytes(client.request("state_getMetadata", rpc_params![]).await.unwrap());
    let mut forms = vec![METADATA.to_vec(), oldest];
    for version in [15_u32, 16] {
        let asked = rpc_params!["Metadata_metadata_at_version", hex0x(&version.to_le_bytes())];
        let answer: String = client.request("state_call", asked).await.unwrap();
        forms.push(Option::<Vec<u8>>::decode(&mut &*bytes(answer)).unwrap().unwrap());
    }
    assert_eq!(forms.iter().map(|form| form[4]).collect::<Vec<_>>(), [16, 14, 15, 16]);
    for form in forms {
        let signer = signer();
        let extrinsic = drafted(form).await.unwrap().sign(&signer).unwrap();
        assert!(verifies(signer.scheme(), signer.hotkey(), &payload(true), &extrinsic.bytes()[37..101]));
    }
}

fn push(metadata: &mut RuntimeMetadataV16, def: TypeDef<PortableForm>) -> u32 {
    let id = u32::try_from(metadata.types.types.len()).unwrap();
    let ty = Type { path: Path { segments: vec![] }, type_params: vec![], type_def: def, docs: vec![] };
    metadata.types.types.push(PortableType { id, ty });
    id
}

fn wrapper(ty: u32) -> TypeDef<PortableForm> {
    let field = Field { name: None, ty: ty.into(), type_name: None, docs: vec![] };
    TypeDef::Composite(TypeDefComposite { fields: vec![field] })
}

/// A type that contains itself.
fn endless(metadata: &mut RuntimeMetadataV16) -> u32 {
    let next = u32::try_from(metadata.types.types.len()).unwrap();
    push(metadata, wrapper(next))
}

fn argument(metadata: &mut RuntimeMetadataV16, ty: u32) {
    let pallet = metadata.pallets.iter().find(|pallet| pallet.name == "Commitments").unwrap();
    let calls = pallet.calls.as_ref().unwrap().ty.id;
    let calls = metadata.types.types.iter_mut().find(|found| found.id == calls).unwrap();
    let TypeDef::Variant(def) = &mut calls.ty.type_def else { panic!("an enum") };
    def.variants.iter_mut().find(|call| call.name == "set_commitment").unwrap().fields[1].ty = ty.into();
}

#[rstest]
#[case::argument(argument)]
#[case::extension(|metadata: &mut RuntimeMetadataV16, ty| metadata.extrinsic.transaction_extensions[0].ty = u32::into(ty))]
#[case::implicit(|metadata: &mut RuntimeMetadataV16, ty| {
    metadata.extrinsic.transaction_extensions[0].implicit = u32::into(ty);
})]
#[case::address(|metadata: &mut RuntimeMetadataV16, ty| metadata.extrinsic.address_ty = u32::into(ty))]
#[case::signature(|metadata: &mut RuntimeMetadataV16, ty| metadata.extrinsic.signature_ty = u32::into(ty))]
#[tokio::test]
async fn a_type_that_contains_itself_reaches_no_encoder(#[case] place: fn(&mut RuntimeMetadataV16, u32)) {
    let error = refused(doctored(|metadata| {
        let ty = endless(metadata);
        place(metadata, ty);
    }))
    .await;
    assert_eq!(error.fault, Fault::Metadata { why: "a type contains itself".into() });
}

#[tokio::test]
async fn an_extension_that_is_not_there_is_told_and_not_looked_for() {
    let error = refused(doctored(|metadata| {
        metadata.extrinsic.transaction_extensions_by_version.insert(0, vec![1_000.into()]);
    }))
    .await;
    assert!(error.to_string().contains("an extension that is not there"), "{error}");
}

/// Finney's metadata, with another type of the values of `CommitmentOf`.
fn with_commitments_of(def: impl FnOnce(&mut RuntimeMetadataV16) -> u32) -> Vec<u8> {
    doctored(|metadata| {
        let ty = def(metadata);
        let pallet = metadata.pallets.iter_mut().find(|pallet| pallet.name == "Commitments").unwrap();
        let entries = &mut pallet.storage.as_mut().unwrap().entries;
        let entry = entries.iter_mut().find(|entry| entry.name == "CommitmentOf").unwrap();
        let StorageEntryType::Map { value, .. } = &mut entry.ty else { panic!("a map") };
        *value = ty.into();
    })
}

fn variant(index: u8, name: String, fields: Vec<u32>) -> Variant<PortableForm> {
    let field = |ty: u32| Field { name: None, ty: ty.into(), type_name: None, docs: vec![] };
    Variant { name, index, docs: vec![], fields: fields.into_iter().map(field).collect() }
}

#[test]
fn values_nested_too_deep_are_refused_though_the_inner_ones_are_met_first() {
    let metadata = with_commitments_of(|metadata| {
        let mut inner = push(metadata, TypeDef::Composite(TypeDefComposite { fields: vec![] }));
        let mut variants = Vec::new();
        for index in 0..80 {
            for _ in 0..25 {
                inner = push(metadata, wrapper(inner));
            }
            variants.push(variant(index, format!("V{index}"), vec![inner]));
        }
        push(metadata, TypeDef::Variant(TypeDefVariant { variants }))
    });
    let error = Schema::of_metadata(&metadata).unwrap_err();
    assert_eq!(error, Fault::Metadata { why: "types are nested too deep".into() });
}

#[test]
fn a_name_of_a_megabyte_is_refused() {
    let metadata = with_commitments_of(|metadata| {
        let variants = vec![variant(0, "N".repeat(1 << 20), vec![])];
        push(metadata, TypeDef::Variant(TypeDefVariant { variants }))
    });
    let error = Schema::of_metadata(&metadata).unwrap_err();
    assert_eq!(error, Fault::Metadata { why: "a name is too long".into() });
}

/// A store in memory.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<BTreeMap<u32, Vec<u8>>>>);

impl Kept {
    fn with(spec: u32, bytes: &[u8]) -> Self {
        let kept = Self::default();
        kept.0.lock().unwrap().insert(spec, bytes.to_vec());
        kept
    }

    fn store(&self) -> MetadataStore {
        let (load, save) = (self.clone(), self.clone());
        MetadataStore::new(
            move |_, spec| load.0.lock().unwrap().get(&spec).cloned(),
            move |_, spec, bytes| drop(save.0.lock().unwrap().insert(spec, bytes.to_vec())),
        )
    }
}

/// A practice node, a client at it that found this in its store, and where the hotkey stands.
async fn opened(
    kept: &Kept,
    hotkey: Hotkey,
    lie: Option<Lie>,
) -> (grail_console::sandbox::Sandbox, HotkeyClient, HotkeyState) {
    let sandbox = by_hand("older-runtime").await;
    sandbox.faults().lie(lie);
    let options = HotkeyClientOptions { node: nodes(&sandbox, kept.store()), ..options(&sandbox, hotkey) };
    let client = HotkeyClient::open(&options).await.unwrap();
    let standing = client.state(0, Depth::Proof).await.unwrap().state;
    (sandbox, client, standing)
}

#[tokio::test]
async fn metadata_that_does_not_decode_is_fetched_anew_and_nothing_is_kept_by_a_commit() {
    let kept = Kept::with(365, b"damaged");
    let (_sandbox, mut client, standing) = opened(&kept, signer().hotkey(), None).await;
    client.draft(&standing, &cleared(&own(), None)).unwrap();
    assert!(!client.fetched_anew().await.unwrap(), "it is the node's own");
    assert_eq!(*kept.0.lock().unwrap(), BTreeMap::from([(365, b"damaged".to_vec())]));
    let empty = Kept::default();
    opened(&empty, signer().hotkey(), Some(Lie::PermutedCalls)).await;
    assert!(empty.0.lock().unwrap().is_empty(), "a liar is not remembered");
}

#[tokio::test]
async fn metadata_that_a_liar_left_behind_is_doubted_once() {
    let kept = Kept::with(365, &with_extensions(&without("CheckMortality")));
    let (_sandbox, mut client, standing) = opened(&kept, signer().hotkey(), None).await;
    let cleared = cleared(&own(), None);
    assert_eq!(client.draft(&standing, &cleared).unwrap_err(), DraftError::OtherPayload);
    assert!(client.fetched_anew().await.unwrap());
    client.draft(&standing, &cleared).unwrap();
    assert!(!client.fetched_anew().await.unwrap());
}

#[tokio::test]
async fn around_an_upgrade_metadata_and_versions_are_those_of_the_best_block() {
    const BEST: &str = "0x3333333333333333333333333333333333333333333333333333333333333333";
    let asked_elsewhere = Arc::new(AtomicBool::new(false));
    let elsewhere = Arc::clone(&asked_elsewhere);
    let node = LyingNode::start(move |method, params| {
        let at_best = params.last() == Some(&json!(BEST));
        match method {
            "chain_getBlockHash" => Some(Ok(json!(if params.first() == Some(&json!(0)) { GENESIS } else { BEST }))),
            // Whoever asks for no block in particular is told of one that was the best a moment ago.
            "state_getRuntimeVersion" => {
                let (spec, transactions) = if at_best { (366, 2) } else { (365, 1) };
                Some(Ok(json!({ "specVersion": spec, "transactionVersion": transactions })))
            }
            "state_call" if at_best => Some(Ok(served(METADATA))),
            "state_call" | "state_getMetadata" => {
                elsewhere.store(true, Ordering::SeqCst);
                Some(Err(ErrorObjectOwned::owned(-32_000, "another runtime", None::<()>)))
            }
            _ => None,
        }
    })
    .await;
    let kept = Kept::default();
    let client = HotkeyClient::open(&at(&node, kept.store())).await.unwrap();
    assert!(!asked_elsewhere.load(Ordering::SeqCst));
    let signer = signer();
    let sent = client.draft(&standing(), &cleared(&own(), None)).unwrap().sign(&signer).unwrap();
    let mut payload = payload(true);
    let versions = payload.len() - 1 - 64 - 8;
    payload.splice(versions..versions + 8, [366_u32.encode(), 2_u32.encode()].concat());
    assert!(verifies(signer.scheme(), signer.hotkey(), &payload, &sent.bytes()[37..101]));
    assert!(kept.0.lock().unwrap().is_empty());
}

#[test]
fn an_honest_node_is_not_refused_because_of_a_former_liar() {
    let node = Node::with_uids("healthy", 64);
    let house = House::new();
    let commit = || house.run(line(&["commit", "--dry-run", "--json"], &node.operator_flags())).json();
    node.sandbox().faults().lie(Some(Lie::PermutedCalls));
    // Whoever only reads keeps what the liar says.
    house.run(line(&["status", "--json"], &node.flags()));
    let cached = || house.files().into_iter().filter(|(path, _)| path.starts_with(house.cache())).collect::<Vec<_>>();
    let lied = cached();
    assert_eq!(lied.len(), 1, "{:?}", lied.iter().map(|(path, _)| path).collect::<Vec<_>>());
    assert_eq!(commit()["reason"], "blind_signing");
    node.sandbox().faults().lie(None);
    let document = commit();
    assert!(document["reason"].is_null() && document["extrinsic_hash"].is_null(), "{document:#}");
    assert_ne!(document["outcome"], "refused", "{document:#}");
    assert_eq!(cached(), lied, "a commit keeps nothing");
}

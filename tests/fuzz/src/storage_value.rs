//! The values of a subnet's state, as a node tells them: each one is read by the types of real metadata.

use std::sync::{LazyLock, Mutex, PoisonError};

use grail_console::chain::{ChainError, FeedOptions, MetadataStore, Node, NodeOptions, survey};
use grail_console::domain::commitment::{
    COMMITMENT_CHARS, Commitment, Parts, Payload, Stored as Registered, read_bytes,
};
use grail_console::domain::credentials::{CommitmentBytes, ReadCredentials};
use grail_console::domain::provider::{Provider, S3Endpoint};
use grail_console::domain::snapshot::SubnetSnapshot;
use grail_console::domain::untrusted::is_visible;
use tokio::runtime::Runtime;

use super::chain::{HOTKEY, NETUID, Stored, header, honest, state, stored};
use super::node::{METADATA, ScriptedNode, runtime};

/// Bytes before the content of a commitment of the layout that is known.
const BEFORE: usize = 14;

/// Characters before the secret.
const SECRET_FROM: usize = 64;

struct Setup {
    runtime: Runtime,
    scripted: ScriptedNode,
    node: Node,
    state: Vec<Stored>,
}

static SETUP: LazyLock<Mutex<Setup>> = LazyLock::new(|| {
    let runtime = runtime();
    let scripted = ScriptedNode::start(&runtime);
    let store = MetadataStore::new(|_, _| Some(METADATA.to_vec()), |_, _, _| {});
    let node = Node::new(NodeOptions { store, ..NodeOptions::new(scripted.network()) });
    let state = state(&HOTKEY, stored(1_000, &[b'a'; COMMITMENT_CHARS]));
    Mutex::new(Setup { runtime, scripted, node, state })
});

/// The first byte says which value the others are.
pub fn run(data: &[u8]) -> &'static str {
    let Some((which, value)) = data.split_first() else { return "nothing" };
    let setup = SETUP.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state = setup.state.clone();
    let which = usize::from(*which) % state.len();
    let what = state[which].what;
    value.clone_into(&mut state[which].value);
    let (head, hash) = header(super::chain::HEAD, [9; 32], [9; 32]);
    setup.scripted.answer_with(move |request| Some(honest(request, &state, &head, &hash)));
    let read = setup.runtime.block_on(survey(&setup.node, NETUID, None, &FeedOptions::default()));
    match read {
        Err(error) => refused(what, &error),
        Ok(snapshot) if what == "commitment" => commitment(&snapshot, value),
        Ok(snapshot) => {
            assert!(snapshot.members.len() <= 1);
            assert_eq!(snapshot.netuid, NETUID);
            "read"
        }
    }
}

/// A value of a row costs that row, never the whole.
fn refused(what: &str, error: &ChainError) -> &'static str {
    assert!(matches!(what, "exists" | "number" | "writer"), "{what}: {error}");
    assert!(error.to_string().chars().all(is_visible), "{error}");
    "refused"
}

/// What is shown of a commitment is what GRAIL reads, without the secret.
fn commitment(snapshot: &SubnetSnapshot, value: &[u8]) -> &'static str {
    let commitment = &snapshot.commitments[&HOTKEY];
    let content = value.get(BEFORE..).filter(|_| value[12..BEFORE] == [4, 129]);
    let content = content.filter(|content| content.len() == COMMITMENT_CHARS);
    let Some(content) = content else {
        assert!(commitment.published().is_none_or(|_| value.len() > COMMITMENT_CHARS));
        return if commitment.published().is_some() { "readable_otherwise" } else { "other" };
    };
    let block = u32::from_le_bytes(value[8..12].try_into().unwrap());
    assert_eq!((commitment.block, commitment.fields), (Some(u64::from(block)), 1));
    match read_bytes(content) {
        Err(unreadable) => {
            assert_eq!(commitment.unreadable(), Some(&unreadable));
            "unreadable"
        }
        Ok(parts) => {
            assert_eq!(commitment.published(), Some(&parts.published()));
            hides(content);
            encoded(&parts);
            "readable"
        }
    }
}

/// What is shown of it does not depend on the secret, but for its fingerprint.
fn hides(content: &[u8]) {
    let text = std::str::from_utf8(content).unwrap();
    let other: String = text.chars().enumerate().map(|(at, c)| if at < SECRET_FROM { c } else { another(c) }).collect();
    assert_eq!(shown(content), shown(other.as_bytes()));
}

/// Another character of the same kind, where it could belong to a key.
fn another(c: char) -> char {
    match c {
        '0' => '1',
        'a'..='f' | '1'..='9' => '0',
        'q' => 'r',
        _ if c.is_ascii_graphic() => 'q',
        _ => c,
    }
}

fn shown(content: &[u8]) -> String {
    let field = Payload::Bytes { variant: "Raw128".to_owned(), bytes: content.to_vec() };
    let commitment = Commitment::of(&Registered::Registration { block: 1, deposit: 0, fields: vec![field] });
    let fingerprint = commitment.published().unwrap().read_secret.to_string();
    let shown = format!("{commitment:?} {}", serde_json::to_string(&commitment).unwrap());
    shown.replace(&fingerprint, "fingerprint")
}

/// What can be written of it reads the same again.
fn encoded(parts: &Parts) {
    let custom = Provider::Custom(S3Endpoint::parse("https://store.example").unwrap());
    for provider in [Provider::default(), custom] {
        let (Some(locator), Some(key_id)) = (parts.locator.as_text(), parts.read_key_id.as_text()) else { return };
        let Ok(key_id) = provider.key_id(key_id) else { continue };
        let own = ReadCredentials { locator: locator.to_owned(), key_id, secret: parts.read_secret.clone() };
        if let Ok(bytes) = CommitmentBytes::encode(&own) {
            assert_eq!(bytes.expose().len(), COMMITMENT_CHARS);
            assert_eq!(read_bytes(bytes.expose()).unwrap(), *parts);
        }
    }
}

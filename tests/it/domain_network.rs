//! Networks: names, pinned genesis, and which endpoints may be dialled (THREATS T12).

use grail_console::domain::network::{BlockHash, Endpoint, Network, NetworkError};
use rstest::rstest;

const FINNEY: &str = "0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03";
const TESTNET: &str = "0x8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105";
const CANARY: &str = "c0ffee51aa0f1e2d3c4b5a69788796a5";

#[rstest]
#[case("finney", "wss://entrypoint-finney.opentensor.ai", Some(FINNEY))]
#[case("archive", "wss://archive.chain.opentensor.ai", Some(FINNEY))]
#[case("test", "wss://test.finney.opentensor.ai", Some(TESTNET))]
#[case("local", "ws://127.0.0.1:9944", None)]
fn a_named_network_has_its_endpoint_and_pinned_genesis(
    #[case] name: &str,
    #[case] first: &str,
    #[case] genesis: Option<&str>,
) {
    let network = Network::named(name).unwrap();
    assert_eq!(network.name, name);
    // wss means port 443, which a URL does not repeat.
    assert_eq!(network.endpoints[0].to_string(), first);
    assert_eq!(network.genesis.map(|hash| hash.to_string()), genesis.map(str::to_owned));
}

#[test]
fn finney_falls_back_to_other_operators() {
    let hosts: Vec<String> = Network::named("finney").unwrap().endpoints.iter().map(|e| e.host().to_owned()).collect();
    assert_eq!(hosts, ["entrypoint-finney.opentensor.ai", "lite.sub.latent.to", "bittensor-finney.api.onfinality.io"]);
}

#[test]
fn an_unknown_network_is_named_with_those_there_are() {
    let error = Network::named("fineny\u{1b}[2J").unwrap_err();
    assert!(matches!(error, NetworkError::Unknown(_)));
    let message = error.to_string();
    assert!(
        message.contains("fineny")
            && message.contains("finney, archive, test and local")
            && message.contains("--endpoint")
    );
    assert!(!message.contains('\u{1b}'));
}

#[rstest]
#[case("wss://node.example", "wss://node.example", "node")]
#[case("wss://node.example:9944", "wss://node.example:9944", "node")]
#[case("wss://entrypoint-finney.opentensor.ai:443", "wss://entrypoint-finney.opentensor.ai", "entrypoint-finney")]
#[case(
    "wss://bittensor-finney.api.onfinality.io/public-ws",
    "wss://bittensor-finney.api.onfinality.io/public-ws",
    "bittensor-finney"
)]
#[case("ws://127.0.0.1:9944", "ws://127.0.0.1:9944", "127.0.0.1:9944")]
#[case("ws://[::1]:9944", "ws://[::1]:9944", "[::1]:9944")]
#[case("ws://localhost:9944", "ws://localhost:9944", "localhost")]
fn an_endpoint_that_may_be_dialled_shows_and_labels_itself(
    #[case] text: &str,
    #[case] shown: &str,
    #[case] label: &str,
) {
    let endpoint: Endpoint = text.parse().unwrap();
    assert_eq!((endpoint.to_string().as_str(), endpoint.label().as_str()), (shown, label));
}

#[test]
fn an_api_key_in_the_url_is_dialled_but_not_shown() {
    for url in [format!("wss://node.example/{CANARY}"), format!("wss://node.example/ws?apikey={CANARY}")] {
        let endpoint: Endpoint = url.parse().unwrap();
        assert_eq!(endpoint.url(), url);
        assert!(!format!("{endpoint} {endpoint:?} {}", endpoint.label()).contains(CANARY), "{endpoint}");
    }
}

#[rstest]
#[case("ws://node.example:9944")]
#[case("ws://10.0.0.7:9944")]
#[case("ws://localhost.evil.com:9944")]
#[case("ws://127.0.0.1.evil.com")]
#[case("ws://[fe80::1]:9944")]
fn plaintext_to_another_machine_is_refused_with_a_way_out(#[case] text: &str) {
    let error = text.parse::<Endpoint>().unwrap_err();
    assert!(matches!(error, NetworkError::PlaintextRemote(_)), "{text}");
    assert!(error.to_string().contains("wss://") && error.to_string().contains("tunnel"));
}

#[rstest]
#[case("wss://user:pw@node.example")]
#[case("wss://user@node.example")]
#[case("ws://127.0.0.1@evil.com")]
fn user_information_is_refused(#[case] text: &str) {
    assert_eq!(text.parse::<Endpoint>(), Err(NetworkError::UserInfo));
}

#[rstest]
#[case("https://node.example")]
#[case("http://127.0.0.1:9944")]
#[case("tcp://127.0.0.1:9944")]
fn another_scheme_is_refused(#[case] text: &str) {
    assert!(matches!(text.parse::<Endpoint>(), Err(NetworkError::Scheme(..))), "{text}");
}

#[rstest]
#[case("node.example:9944")]
#[case("127.0.0.1:9944")]
#[case("wss://")]
#[case("wss://node.example:99999")]
#[case("")]
fn what_is_no_url_is_refused_with_the_way_to_write_one(#[case] text: &str) {
    let error = text.parse::<Endpoint>().unwrap_err();
    assert!(matches!(error, NetworkError::NotAUrl(_)), "{text}: {error:?}");
    assert!(error.to_string().contains("wss://HOST"));
}

#[rstest]
#[case("wss://user:CANARY@node.example:99999")]
#[case("wss://user:CANARY@node.example")]
#[case("ws://node.example/CANARY")]
#[case("https://node.example/?apikey=CANARY")]
#[case("CANARY")]
#[case("CANARY://node.example")]
fn an_endpoint_error_never_repeats_a_key(#[case] template: &str) {
    let text = template.replace("CANARY", CANARY);
    for error in [text.parse::<Endpoint>().unwrap_err(), Network::named(&text).unwrap_err()] {
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
    }
}

#[test]
fn a_known_host_keeps_its_pinned_genesis_and_a_strange_one_has_none() {
    let known = Network::at_endpoint("wss://archive.chain.opentensor.ai:443", None).unwrap();
    assert_eq!((known.name.as_str(), known.genesis.unwrap().to_string().as_str()), ("archive", FINNEY));
    let strange = Network::at_endpoint("wss://my-node.example", None).unwrap();
    assert_eq!((strange.name.as_str(), strange.genesis), ("my-node", None));
}

#[test]
fn a_network_named_beside_an_endpoint_pins_its_genesis() {
    let network = Network::at_endpoint("ws://127.0.0.1:9944", Some("finney")).unwrap();
    assert_eq!((network.endpoints.len(), network.genesis.unwrap().to_string().as_str()), (1, FINNEY));
    assert!(Network::at_endpoint("ws://127.0.0.1:9944", Some("mars")).is_err());
}

#[test]
fn a_block_hash_is_read_with_or_without_its_prefix_and_written_with_it() {
    let hash: BlockHash = FINNEY.parse().unwrap();
    assert_eq!(FINNEY[2..].parse(), Ok(hash));
    assert_eq!((hash.to_string().as_str(), hash.short().as_str()), (FINNEY, "2f0555cc"));
    assert_eq!(serde_json::from_str::<BlockHash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
    assert!("0x2f05".parse::<BlockHash>().is_err());
}

//! Everything that can be wrong with an endpoint has its own name, reason and remedy.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use grail_console::chain::{ChainError, Fault, MetadataStore};
use grail_console::domain::network::Network;
use grail_console::domain::snapshot::SubnetSnapshot;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::chain_lies::{GENESIS, LyingNode, METADATA, doctored, hasty, hex0x, served};
use crate::support::chain::{ChainOptions, survey};

async fn read(network: &Network, options: &ChainOptions) -> Result<SubnetSnapshot, ChainError> {
    survey(network, 81, MetadataStore::none(), options).await
}

async fn fault_at(url: &str, options: &ChainOptions) -> ChainError {
    read(&Network::at_endpoint(url, None).unwrap(), options).await.unwrap_err()
}

async fn fault_of(
    lie: impl Fn(&str, &[Value]) -> Option<Result<Value, ErrorObjectOwned>> + Send + Sync + 'static,
) -> Fault {
    let node = LyingNode::start(lie).await;
    read(&node.network(), &hasty()).await.unwrap_err().fault
}

/// A TCP server that does one thing with each connection; ends with the test.
async fn tcp<F: Future<Output = ()> + Send + 'static>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

async fn http(answer: &'static str) -> u16 {
    tcp(move |mut stream| async move {
        let mut request = [0; 4_096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn a_name_without_an_address_is_told_apart_from_a_dead_host() {
    let error = fault_at("wss://no-such-host.invalid", &hasty()).await;
    assert_eq!(error.fault.code(), "dns", "{error}");
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unreachable() {
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault, Fault::Unreachable { why: "connection refused".to_owned() });
    assert!(error.to_string().starts_with(&format!("ws://127.0.0.1:{port}: no TCP connection")), "{error}");
}

#[tokio::test]
async fn a_listener_that_never_answers_ends_at_the_deadline_and_says_what_was_waited_for() {
    let port = tcp(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let mut options = hasty();
    options.limits.connect = Duration::from_millis(300);
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &options).await;
    let expected = Fault::Deadline { what: "the WebSocket handshake", after: Duration::from_millis(300) };
    assert_eq!(error.fault, expected);
}

#[tokio::test]
async fn a_node_that_accepts_a_call_and_never_answers_ends_at_the_calls_deadline() {
    let node = LyingNode::start(|method, _| {
        if method == "chain_getFinalizedHead" {
            std::thread::sleep(Duration::from_secs(2));
        }
        None
    })
    .await;
    let mut options = hasty();
    options.limits.call = Duration::from_millis(300);
    let error = read(&node.network(), &options).await.unwrap_err();
    assert_eq!(error.fault.code(), "deadline", "{error}");
}

#[tokio::test]
async fn a_web_server_is_not_a_node_and_its_answer_is_quoted() {
    let port = http("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault.code(), "not_a_node");
    assert!(error.to_string().contains("HTTP/1.1 404 Not Found"), "{error}");
}

#[tokio::test]
async fn what_a_stranger_answers_cannot_reach_the_terminal_raw() {
    let port = http("\u{1b}]0;owned\u{7}\u{1b}[2Jhello\r\n\r\n").await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    let finding = error.finding();
    let words = format!("{error} {error:?} {} {} {}", finding.summary, finding.cause, finding.help);
    assert!(!words.chars().any(char::is_control), "{words:?}");
}

#[tokio::test]
async fn a_server_whose_node_is_down_is_told_by_its_status() {
    let port = http("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault, Fault::HttpStatus { status: 503 });
}

#[tokio::test]
async fn a_429_at_the_handshake_carries_how_long_to_wait() {
    let port = http("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n").await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault, Fault::RateLimited { retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let visited = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&visited);
    let elsewhere = tcp(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async {}
    })
    .await;
    let answer = format!("HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:{elsewhere}/\r\nContent-Length: 0\r\n\r\n");
    let port = http(answer.leak()).await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!((error.fault.code(), visited.load(Ordering::SeqCst)), ("not_a_node", 0), "{error}");
}

#[tokio::test]
async fn a_handshake_with_a_header_that_has_no_end_is_given_up() {
    let port = tcp(|mut stream| async move {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nx-more: ";
        let mut sent = stream.write_all(head.as_bytes()).await;
        while sent.is_ok() {
            sent = stream.write_all(&[b'a'; 4_096]).await;
        }
    })
    .await;
    let error = fault_at(&format!("ws://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault, Fault::TooLarge { what: "the handshake has no end after 65536 bytes".to_owned() });
}

#[tokio::test]
async fn plaintext_behind_a_tls_url_is_a_tls_fault() {
    let port = http("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = fault_at(&format!("wss://127.0.0.1:{port}"), &hasty()).await;
    assert_eq!(error.fault.code(), "tls", "{error}");
}

#[tokio::test]
async fn a_server_without_the_methods_of_a_node_is_not_a_node() {
    let unknown = |_: &str, _: &[Value]| Some(Err(ErrorObjectOwned::owned(-32_601, "Method not found", None::<()>)));
    assert_eq!(fault_of(unknown).await.code(), "not_a_node");
}

#[tokio::test]
async fn a_node_of_another_chain_is_named_with_both_genesis_hashes() {
    let node = LyingNode::start(|_, _| None).await;
    let network = Network::at_endpoint(&format!("ws://{}", node.address), Some("finney")).unwrap();
    let error = read(&network, &hasty()).await.unwrap_err();
    let text = error.to_string();
    let pinned = network.genesis.unwrap().to_string();
    assert_eq!(error.fault.code(), "wrong_genesis");
    assert!(text.contains(GENESIS) && text.contains(&pinned) && text.contains("finney"), "{text}");
}

#[tokio::test]
async fn a_call_that_the_rate_limit_refused_is_tried_again() {
    let refusals = AtomicU32::new(0);
    let node = LyingNode::start(move |method, _| {
        let limited = ErrorObjectOwned::owned(-32_999, "RPC rate limit exceeded", None::<()>);
        (method == "chain_getFinalizedHead" && refusals.fetch_add(1, Ordering::SeqCst) < 2).then_some(Err(limited))
    })
    .await;
    let error = read(&node.network(), &hasty()).await.unwrap_err();
    assert_eq!(error.fault, Fault::NoSuchSubnet { netuid: 81 }, "it got as far as reading the empty subnet");
}

#[tokio::test]
async fn a_rate_limit_that_lasts_is_an_error_of_its_own() {
    let limited = |method: &str, _: &[Value]| {
        (method == "chain_getFinalizedHead")
            .then(|| Err(ErrorObjectOwned::owned(-32_029, "Too Many Requests", None::<()>)))
    };
    assert_eq!(fault_of(limited).await, Fault::RateLimited { retry_after: None });
}

#[tokio::test]
async fn a_chain_without_commitments_is_told_by_the_pallets_name() {
    let metadata = doctored(|m| m.pallets.retain(|pallet| pallet.name != "Commitments"));
    let fault = fault_of(move |method, _| (method == "state_call").then(|| Ok(served(&metadata)))).await;
    assert_eq!(fault, Fault::NoPallet { pallet: "Commitments" });
}

#[tokio::test]
async fn a_chain_without_an_entry_is_told_by_the_entrys_name() {
    let metadata = doctored(|m| {
        for pallet in m.pallets.iter_mut().filter(|pallet| pallet.name == "SubtensorModule") {
            pallet.storage.as_mut().unwrap().entries.retain(|entry| entry.name != "Keys");
        }
    });
    let fault = fault_of(move |method, _| (method == "state_call").then(|| Ok(served(&metadata)))).await;
    assert_eq!(fault, Fault::NoEntry { pallet: "SubtensorModule", entry: "Keys" });
}

#[tokio::test]
async fn entries_that_a_runtime_may_lack_are_not_missed() {
    let metadata = doctored(|m| {
        for pallet in m.pallets.iter_mut().filter(|pallet| pallet.name == "SubtensorModule") {
            let optional = ["BlockAtRegistration", "ValidatorPermit", "NetworksAdded"];
            pallet.storage.as_mut().unwrap().entries.retain(|entry| !optional.contains(&entry.name.as_str()));
        }
    });
    let fault = fault_of(move |method, _| (method == "state_call").then(|| Ok(served(&metadata)))).await;
    assert_eq!(fault, Fault::NoSuchSubnet { netuid: 81 }, "it got as far as reading the empty subnet");
}

#[tokio::test]
async fn metadata_that_is_rubbish_is_told_as_such() {
    let fault = fault_of(|method, _| (method == "state_call").then(|| Ok(served(b"meta\x10rubbish")))).await;
    assert_eq!(fault.code(), "metadata");
}

#[tokio::test]
async fn an_old_node_that_offers_only_version_14_style_metadata_is_read_through_the_old_method() {
    let fault = fault_of(|method, _| match method {
        "state_call" => {
            Some(Err(ErrorObjectOwned::owned(4_003, "Client error: Exported method is not found", None::<()>)))
        }
        "state_getMetadata" => Some(Ok(json!(hex0x(METADATA)))),
        _ => None,
    })
    .await;
    assert_eq!(fault, Fault::NoSuchSubnet { netuid: 81 }, "it got as far as reading the empty subnet");
}

#[tokio::test]
async fn a_subnet_that_does_not_exist_is_told_with_its_number() {
    let fault = fault_of(|_, _| None).await;
    assert_eq!(fault, Fault::NoSuchSubnet { netuid: 81 });
    assert!(fault.to_string().contains("subnet 81 does not exist"));
}

#[tokio::test]
async fn a_node_whose_keys_never_end_is_refused() {
    let fault = fault_of(|method, params| {
        let prefix = params.first()?.as_str()?.to_owned();
        let start =
            params.get(2).and_then(Value::as_str).and_then(|key| u32::from_str_radix(&key[key.len() - 8..], 16).ok());
        let first = start.map_or(0, |last| last + 1);
        (method == "state_getKeysPaged")
            .then(|| Ok(json!((first..first + 1_000).map(|n| format!("{prefix}{n:08x}")).collect::<Vec<_>>())))
    })
    .await;
    assert_eq!(fault.code(), "too_large");
}

#[tokio::test]
async fn a_node_that_repeats_a_page_for_ever_is_refused() {
    let fault = fault_of(|method, params| {
        let prefix = params.first()?.as_str()?.to_owned();
        (method == "state_getKeysPaged")
            .then(|| Ok(json!((0..1_000).map(|n| format!("{prefix}{n:08x}")).collect::<Vec<_>>())))
    })
    .await;
    assert_eq!(fault.code(), "malformed");
}

#[tokio::test]
async fn an_answer_larger_than_any_honest_one_is_not_taken_in() {
    let node = LyingNode::start(|method, _| (method == "state_call").then(|| Ok(json!("0".repeat(3 << 20))))).await;
    let mut options = hasty();
    options.limits.message = 2 << 20;
    let error = read(&node.network(), &options).await.unwrap_err();
    assert_eq!(error.fault.code(), "too_large", "{error}");
}

#[tokio::test]
async fn a_refusal_carries_the_nodes_words_and_their_data() {
    let fault = fault_of(|method, _| {
        let refusal =
            || ErrorObjectOwned::owned(-32_000, "Client error", Some("UnknownBlock: State already discarded"));
        (method == "state_getKeysPaged").then(|| Err(refusal()))
    })
    .await;
    assert!(fault.to_string().contains("State already discarded"), "{fault}");
    assert_eq!(fault.code(), "refused");
}

#[tokio::test]
async fn when_every_endpoint_fails_the_preferred_ones_fault_is_told() {
    let web = http("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    let limited = http("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n").await;
    let endpoints = [web, limited].map(|port| format!("ws://127.0.0.1:{port}").parse().unwrap());
    let network = Network { name: "pool".to_owned(), endpoints: endpoints.to_vec(), genesis: None };
    assert_eq!(read(&network, &hasty()).await.unwrap_err().fault.code(), "not_a_node");
}

#[tokio::test]
async fn every_fault_says_what_why_and_what_to_do() {
    let error = fault_of(|_, _| None).await.at(&"ws://127.0.0.1:9944");
    let finding = error.finding();
    assert_eq!(finding.code, "no_such_subnet");
    assert!(finding.help.starts_with("Check --netuid") && finding.help.ends_with('.'), "{}", finding.help);
    assert!(!finding.cause.is_empty() && finding.summary.contains("ws://127.0.0.1:9944"));
}

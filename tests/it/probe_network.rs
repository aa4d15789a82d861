//! What can go wrong on the way to a store, as the verdict of a whole test, its words and its fix.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use grail_console::domain::probe::{Blame, Probe, Verdict};
use grail_console::sandbox::OPERATOR_UID;
use grail_console::storage::{Resolver, StoreOptions};
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::bench::{Bench, STRANGER};

/// TLS alert 40, as R2 sends it for accounts without a certificate.
const HANDSHAKE_FAILURE: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40];

/// A listener that reads what comes first and then says this, or nothing at all; with the number of its connections.
async fn listener(says: Option<&'static [u8]>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut asked = [0; 16 * 1024];
                let _ = socket.read(&mut asked).await;
                match says {
                    Some(bytes) => drop(socket.write_all(bytes).await),
                    None => drop(socket.read_u8().await),
                }
            });
        }
    });
    (address, count)
}

/// Where somebody was reached, a validator goes on to the plain name whatever came of the compressed one.
fn both_names(probe: &Probe, code: &str) {
    let steps: Vec<_> = probe.steps.iter().map(|step| (step.step, step.http, step.code.as_deref())).collect();
    assert_eq!(steps, [("head_gz", None, Some(code)), ("head", None, Some(code))], "{probe:#?}");
}

/// A port on which nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
}

async fn bench(endpoint: String) -> Bench {
    Bench::new("healthy").await.at(Some(endpoint))
}

fn step(probe: &Probe) -> (&str, Option<u16>, Option<&str>) {
    assert_eq!(probe.steps.len(), 1, "where no answer comes a second question tells nothing: {probe:#?}");
    (probe.steps[0].step, probe.steps[0].http, probe.steps[0].code.as_deref())
}

#[tokio::test]
async fn a_port_without_a_store_is_no_connection() {
    let bench = bench(format!("http://127.0.0.1:{}", closed_port().await)).await;
    let seat = bench.seat().await;
    for uid in [OPERATOR_UID, STRANGER] {
        let probe = seat.probe(uid).await;
        assert_eq!((probe.verdict, step(&probe)), (Verdict::Tcp, ("head_gz", None, Some("tcp"))));
        let words = "The store's host cannot be reached from this machine (connection refused).";
        assert_eq!(probe.explanation, words);
        assert_eq!(
            probe.fix,
            "Check this machine's firewall (HTTPS_PROXY is not used); test from the miner's host too."
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_resolve_is_the_operators_to_mend() {
    let nowhere = Resolver::new(|_, _| async { Err(io::Error::other("no such host")) });
    let options = StoreOptions { resolver: nowhere, ..StoreOptions::default() };
    let bench = bench("https://store.example".to_owned()).await.options(options);
    let seat = bench.seat().await;
    for uid in [OPERATOR_UID, STRANGER] {
        let probe = seat.probe(uid).await;
        assert_eq!((probe.verdict, step(&probe)), (Verdict::Dns, ("head_gz", None, Some("dns"))));
        assert_eq!(probe.explanation, "The store's host does not resolve (no such host).");
        assert_eq!(probe.fix, "Check the S3 endpoint and this machine's DNS.");
    }
}

#[tokio::test]
async fn an_account_without_a_host_is_a_wrong_account_id() {
    let nowhere =
        Resolver::new(|host, _| async move { Err(io::Error::other(format!("no such host: {}", &host[32..]))) });
    let options = StoreOptions { resolver: nowhere, ..StoreOptions::default() };
    let seat = Bench::new("healthy").await.at(None).options(options).seat().await;
    let probe = seat.probe(OPERATOR_UID).await;
    assert_eq!((probe.verdict, step(&probe)), (Verdict::Dns, ("head_gz", None, Some("dns"))));
    let words = "The account's host does not resolve (no such host: .r2.cloudflarestorage.com): the account id is wrong, or this \
                 machine has no DNS.";
    assert_eq!(probe.explanation, words);
    assert_eq!(probe.fix, "Check the account id, character by character; then this machine's DNS.");
    assert_eq!(probe.blame, Some(Blame::Unknown));
    assert_eq!(seat.probe(STRANGER).await.fix, probe.fix, "what was not reached is nobody's fault");
}

#[rstest]
#[case::this_machine(Ipv4Addr::LOCALHOST)]
#[case::a_private_network(Ipv4Addr::new(10, 0, 0, 1))]
#[case::the_cloud_s_metadata(Ipv4Addr::new(169, 254, 169, 254))]
#[tokio::test]
async fn an_r2_host_that_leads_into_a_private_network_is_not_dialled(#[case] address: Ipv4Addr) {
    let (listening, connections) = listener(None).await;
    let to = SocketAddr::from((address, listening.port()));
    let inwards = Resolver::new(move |_, _| async move { Ok(vec![to]) });
    let options = StoreOptions { resolver: inwards, ..StoreOptions::default() };
    let probe = Bench::new("healthy").await.at(None).options(options).probe(OPERATOR_UID).await;
    assert_eq!((probe.verdict, step(&probe)), (Verdict::Dns, ("head_gz", None, Some("private_address"))));
    let words =
        format!("The account's host resolves to {address}, an address that no R2 host has; nothing was sent there.");
    assert_eq!(probe.explanation, words);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert_eq!((probe.blame, probe.is_definite), (Some(Blame::Network), false));
}

#[tokio::test]
async fn a_fake_address_of_a_local_proxy_is_named() {
    let fake = SocketAddr::from((Ipv4Addr::new(198, 18, 0, 12), 443));
    let options =
        StoreOptions { resolver: Resolver::new(move |_, _| async move { Ok(vec![fake]) }), ..StoreOptions::default() };
    let probe = Bench::new("healthy").await.at(None).options(options).probe(STRANGER).await;
    assert_eq!((probe.verdict, probe.blame), (Verdict::Dns, Some(Blame::ThisMachine)));
    let words = "The account's host resolves to 198.18.0.12, a fake address of 198.18.0.0/15 as local proxies give them \
                 out for every name; nothing was sent there.";
    assert_eq!(probe.explanation, words);
    assert!(probe.fix.starts_with("Let the proxy on this machine leave the store's host alone"), "{}", probe.fix);
}

#[tokio::test]
async fn a_resolver_that_gives_no_answer_for_now_says_nothing_about_anybody() {
    let later = "failed to lookup address information: Temporary failure in name resolution";
    let resolver = Resolver::new(move |_, _| async move { Err(io::Error::other(later)) });
    let options = StoreOptions { resolver, pauses: [Duration::ZERO; 2], ..StoreOptions::default() };
    let seat = Bench::new("healthy").await.at(None).options(options).seat().await;
    for uid in [OPERATOR_UID, STRANGER] {
        let probe = seat.probe(uid).await;
        assert_eq!((probe.verdict, step(&probe)), (Verdict::Dns, ("head_gz", None, Some("dns_for_now"))));
        assert_eq!((probe.blame, probe.is_definite), (Some(Blame::Network), false));
        assert_eq!(probe.fix, "Check this machine's DNS and connection, then test again.");
    }
}

#[tokio::test]
async fn alert_40_is_an_account_without_a_certificate() {
    let (address, connections) = listener(Some(HANDSHAKE_FAILURE)).await;
    let bench = bench(format!("https://127.0.0.1:{}", address.port())).await;
    let probe = bench.probe(OPERATOR_UID).await;
    assert_eq!((probe.verdict, step(&probe)), (Verdict::Tls, ("head_gz", None, Some("tls"))));
    let words = "The host refuses the TLS handshake (alert 40): a new account's certificate takes about 20 minutes, and an \
                 account id that does not exist never gets one.";
    assert_eq!(probe.explanation, words);
    assert_eq!(probe.fix, "Check the account id; if the account is new, wait 20 minutes and test again.");
    assert_eq!(connections.load(Ordering::SeqCst), 1, "once is enough");
    assert_eq!(probe.blame, Some(Blame::Unknown), "only R2 says so of account ids that do not exist");
}

#[tokio::test]
async fn what_is_no_tls_is_told_in_the_words_of_the_verifier() {
    let (address, _) = listener(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let probe = bench(format!("https://127.0.0.1:{}", address.port())).await.probe(OPERATOR_UID).await;
    assert_eq!((probe.verdict, step(&probe)), (Verdict::Tls, ("head_gz", None, Some("tls"))));
    assert!(probe.explanation.starts_with("No TLS session with the store: "), "{}", probe.explanation);
    assert_eq!(probe.fix, "Check the store's certificate, and whether something between here and there opens TLS.");
}

#[tokio::test]
async fn a_host_that_takes_requests_and_says_nothing_is_slow() {
    let (address, _) = listener(None).await;
    let options = StoreOptions { total: Duration::from_millis(600), ..StoreOptions::default() };
    let probe = bench(format!("http://{address}")).await.options(options).probe(STRANGER).await;
    assert_eq!((probe.verdict, step(&probe)), (Verdict::Slow, ("head_gz", None, Some("deadline"))));
    let (begins, ends) = ("No complete answer within ", " s; a validator gives up then and counts nothing.");
    assert!(probe.explanation.starts_with(begins) && probe.explanation.ends_with(ends), "{}", probe.explanation);
    assert_eq!(probe.fix, "Test again; if it lasts, look at the store's status and at the way to it.");
}

#[rstest]
#[case::another_protocol(b"SSH-2.0-OpenSSH_9.2\r\n", Verdict::NotS3, "not_s3", "What answered is no S3 store: ")]
#[case::silence(b"", Verdict::ProviderError, "closed", "The store ended the connection within its answer (")]
#[case::half_an_answer(
    b"HTTP/1.1 20",
    Verdict::ProviderError,
    "closed",
    "The store ended the connection within its answer ("
)]
#[tokio::test]
async fn what_answers_like_no_store_is_a_fault_of_whatever_it_is(
    #[case] says: &'static [u8],
    #[case] verdict: Verdict,
    #[case] code: &str,
    #[case] words: &str,
) {
    let (address, _) = listener(Some(says)).await;
    let probe = bench(format!("http://{address}")).await.probe(STRANGER).await;
    both_names(&probe, code);
    assert_eq!(probe.verdict, verdict);
    assert_eq!((probe.blame, probe.is_definite), (Some(Blame::Network), false));
    assert!(probe.explanation.starts_with(words) && probe.explanation.ends_with('.'), "{}", probe.explanation);
    assert!(!probe.fix.contains("holder"), "{}", probe.fix);
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    const ENDLESS: &[u8] = &[b'a'; 80 << 10];
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nX-Long: ";
    static BOTH: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let (address, _) = listener(Some(BOTH.get_or_init(|| [ANSWER, ENDLESS].concat()))).await;
    let probe = bench(format!("http://{address}")).await.probe(STRANGER).await;
    both_names(&probe, "too_large");
    assert_eq!(probe.verdict, Verdict::ProviderError);
    let words = "The store sent more than the 48 KiB that an answer may have; the rest was not read.";
    assert_eq!(probe.explanation, words);
}

/// Where the chain has gone, deadlines are counted, and the test is made all the same.
#[tokio::test]
async fn without_the_chain_the_deadline_is_counted_and_said_to_be() {
    let bench = Bench::new("healthy").await;
    let seat = bench.seat().await;
    bench.sandbox.faults().refuse_connections().await.unwrap();
    let probe = seat.probe(STRANGER).await;
    assert_eq!(probe.verdict, Verdict::Ok);
    let deadline = probe.deadline.unwrap();
    assert_eq!((deadline.at_ms, deadline.exact), (bench.deadline_ms(bench.newest()), false));
    assert!(probe.explanation.ends_with(" before the deadline (counted at 12 s a block)."), "{}", probe.explanation);
}

//! Name, TCP and TLS: each fault by its own name, each in bounded time.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grail_console::domain::probe::{Reply, Request, Trouble};
use grail_console::storage::{Answer, Resolver, Store, StoreOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::storage_server::{Script, Server, impatient, later, target, window};

async fn head(options: StoreOptions, url: &str) -> Answer {
    Store::new(options).reader(target(url)).head(Request::HeadPlain, &window(), later()).await
}

fn trouble(answer: Answer) -> Trouble {
    match answer.exchange.reply {
        Reply::Failed(trouble) => trouble,
        other => panic!("{other:?}"),
    }
}

/// A resolver under test.
fn with(resolver: Resolver) -> StoreOptions {
    StoreOptions { resolver, ..impatient() }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_a_dns_fault_with_the_resolvers_words() {
    let resolver = Resolver::new(|_, _| async { Err(io::Error::other("no such name")) });
    let found = trouble(head(with(resolver), "https://store.example").await);
    assert_eq!(found, Trouble::Dns { why: "no such name".to_owned() });
}

#[tokio::test]
async fn a_resolver_that_never_answers_is_a_dns_fault_in_time() {
    let resolver = Resolver::new(|_, _| async { std::future::pending().await });
    let began = Instant::now();
    let found = trouble(head(with(resolver), "https://store.example").await);
    assert_eq!(found, Trouble::NotLookedUp { why: "no answer of the resolver within 0.4 s".to_owned() });
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn the_systems_resolver_is_asked_when_there_is_no_other() {
    let patient = StoreOptions { connect: Duration::from_secs(3), total: Duration::from_secs(6), ..impatient() };
    let found = trouble(head(patient, "https://name.invalid").await);
    assert_eq!(found.code(), "dns", "{found:?}");
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_tcp_fault() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let found = trouble(head(impatient(), &format!("http://127.0.0.1:{port}")).await);
    assert_eq!(found, Trouble::Tcp { why: "connection refused".to_owned() });
}

/// A listener whose queue is full: the kernel drops what comes after.
async fn full() -> (u16, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        kept.push(stream);
    }
    (address.port(), kept, listener)
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_a_tcp_fault_in_time() {
    let (port, _kept, _listener) = full().await;
    let began = Instant::now();
    let found = trouble(head(impatient(), &format!("http://127.0.0.1:{port}")).await);
    assert_eq!(found, Trouble::Tcp { why: "no answer within 0.4 s".to_owned() });
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_silent_address_does_not_keep_the_next_one_from_being_tried() {
    let (port, _kept, _listener) = full().await;
    let server = Server::always(Script::answer("200 OK", "", ""));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
    let resolver = Resolver::new(move |_, _| async move { Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), here]) });
    let answer = head(with(resolver), "http://localhost:1").await;
    assert_eq!(answer.exchange.reply.http(), Some(200), "{answer:?}");
}

/// A listener that does this with each connection, after the other side has spoken.
async fn listener<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            tokio::spawn(serve(stream));
        }
    });
    port
}

#[tokio::test]
async fn alert_40_is_told_apart_since_r2_sends_it_for_accounts_without_a_certificate() {
    let port = listener(|mut stream| async move {
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 0x28]).await;
    })
    .await;
    let found = trouble(head(impatient(), &format!("https://localhost:{port}")).await);
    let Trouble::Tls { why, handshake_failure: true } = found else { panic!("{found:?}") };
    assert!(why.shown().contains("HandshakeFailure"), "{why:?}");
}

#[tokio::test]
async fn another_alert_is_not_taken_for_a_missing_certificate() {
    let port = listener(|mut stream| async move {
        let _ = stream.write_all(&[0x15, 3, 3, 0, 2, 2, 80]).await;
    })
    .await;
    let found = trouble(head(impatient(), &format!("https://localhost:{port}")).await);
    assert!(matches!(found, Trouble::Tls { handshake_failure: false, .. }), "{found:?}");
}

#[tokio::test]
async fn a_connection_that_ends_within_the_handshake_is_a_tls_fault() {
    let port = listener(|_| async {}).await;
    let found = trouble(head(impatient(), &format!("https://localhost:{port}")).await);
    assert!(matches!(found, Trouble::Tls { handshake_failure: false, .. }), "{found:?}");
}

#[tokio::test]
async fn a_handshake_that_is_never_answered_is_a_tls_fault_in_time() {
    let port = listener(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let found = trouble(head(impatient(), &format!("https://localhost:{port}")).await);
    let Trouble::Tls { why, .. } = found else { panic!("{found:?}") };
    assert_eq!(why.shown(), "no handshake within 0.4 s");
}

#[tokio::test]
async fn plain_http_behind_an_https_url_is_a_tls_fault() {
    let port = listener(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    })
    .await;
    let found = trouble(head(impatient(), &format!("https://localhost:{port}")).await);
    assert!(matches!(found, Trouble::Tls { handshake_failure: false, .. }), "{found:?}");
}

pub fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// An HTTPS server with the practice certificate, which answers with which protocol was agreed on.
pub async fn secured() -> u16 {
    let certificate = CertificateDer::from_pem_file(fixture("practice-node.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("practice-node.key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = tls.read(&mut request).await;
            let status = if tls.get_ref().1.alpn_protocol() == Some(b"http/1.1") { "200 OK" } else { "505 No" };
            let _ = tls.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n").as_bytes()).await;
            let _ = tls.read(&mut request).await;
        }
    });
    port
}

#[tokio::test]
async fn a_store_with_a_trusted_certificate_is_read_over_http_1_1() {
    let authority = CertificateDer::from_pem_file(fixture("practice-authority.pem")).unwrap();
    let options = StoreOptions { authorities: vec![authority], ..StoreOptions::default() };
    let answer = head(options, &format!("https://localhost:{}", secured().await)).await;
    assert_eq!(answer.exchange.reply.http(), Some(200), "{answer:?}");
}

#[tokio::test]
async fn a_store_with_another_hosts_certificate_is_not_read() {
    let authority = CertificateDer::from_pem_file(fixture("practice-authority.pem")).unwrap();
    let resolver = Resolver::new(|_, port| async move { Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]) });
    let options = StoreOptions { resolver, authorities: vec![authority], ..StoreOptions::default() };
    let found = trouble(head(options, &format!("https://store.example:{}", secured().await)).await);
    let Trouble::Tls { why, handshake_failure: false } = found else { panic!("{found:?}") };
    assert!(why.shown().contains("not valid for name"), "{why:?}");
}

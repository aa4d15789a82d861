//! `wss://` through the real binary, because which certificates are trusted is a matter of the process's environment.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::chain_events::sandbox;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// A TLS front before a node, as public endpoints have one. Returns its port.
async fn front(node: String) -> u16 {
    let certificate = CertificateDer::from_pem_file(fixture("practice-node.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("practice-node.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, node) = (acceptor.clone(), node.clone());
            tokio::spawn(async move {
                // A client that does not trust the certificate hangs up here.
                let Ok(mut tls) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(node).await.unwrap();
                let _ = copy_bidirectional(&mut tls, &mut inner).await;
            });
        }
    });
    port
}

/// `status` against a node behind TLS, with these certificates as the machine's only ones.
async fn status(trusted: &Path, format: &[&str]) -> Output {
    let sandbox = sandbox("healthy", 8).await;
    let port = front(sandbox.url().trim_start_matches("ws://").to_owned()).await;
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_grail-console"));
    command
        .args(["status", "--endpoint", &format!("wss://localhost:{port}")])
        .args(format)
        .env_clear()
        .env("HOME", home.path())
        .env("SSL_CERT_FILE", trusted);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_node_with_a_trusted_certificate_is_read_over_tls() {
    let output = status(&fixture("practice-authority.pem"), &["--json"]).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["summary"]["uids"], 8, "{json}");
}

#[tokio::test]
async fn a_node_whose_certificate_nobody_vouches_for_is_not_read() {
    let output = status(&fixture("practice-node.pem"), &[]).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("no TLS connection") && text.contains("UnknownIssuer"), "{text}");
}

#[tokio::test]
async fn a_machine_without_root_certificates_is_told_to_install_them() {
    let output = status(Path::new("/dev/null"), &[]).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("no root certificates") && text.contains("ca-certificates"), "{text}");
}

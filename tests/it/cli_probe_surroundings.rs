//! `probe` as a process, whatever the machine around it says: variables of AWS, proxies, and certificate stores.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::storage_network::{fixture, secured};
use crate::support::house::House;
use crate::support::node::{Node, line};

/// A miner with a healthy bucket.
const MINER: &str = "20";

fn only_result(document: &Value) -> Value {
    document["results"][0].clone()
}

#[test]
fn variables_of_aws_and_of_proxies_change_nothing() {
    let node = Node::with_uids("healthy", 64);
    let trap = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}", trap.local_addr().unwrap());
    let mut house = House::new();
    let settings = house.write("aws/config", format!("[default]\nregion = evil-1\nendpoint_url = {elsewhere}\n"));
    let settings = settings.to_str().unwrap().to_owned();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        house = house.with(name, &elsewhere);
    }
    for (name, value) in [
        ("AWS_ENDPOINT_URL", elsewhere.as_str()),
        ("AWS_ENDPOINT_URL_S3", &elsewhere),
        ("AWS_ACCESS_KEY_ID", "AKIAHOSTILE"),
        ("AWS_SECRET_ACCESS_KEY", "hostile"),
        ("AWS_SESSION_TOKEN", "hostile"),
        ("AWS_REGION", "evil-1"),
        ("AWS_DEFAULT_REGION", "evil-1"),
        ("AWS_CONFIG_FILE", &settings),
        ("AWS_SHARED_CREDENTIALS_FILE", &settings),
        ("AWS_PROFILE", "default"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true"),
        ("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_SUPPORTED"),
        ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", "maybe"),
        ("AWS_LAMBDA_FUNCTION_NAME", "hostile"),
        ("_X_AMZN_TRACE_ID", "hostile"),
    ] {
        house = house.with(name, value);
    }
    let store = ["--s3-endpoint".to_owned(), node.sandbox().s3_url().to_owned()];
    let ran = house.run(line(&["probe", MINER, "--json"], &[node.flags(), store.to_vec()].concat())).exits(0);
    assert_eq!(only_result(&ran.json())["verdict"], "ok", "the real store checked the signature");
    let seen = node.sandbox().s3().requests();
    assert!(!seen.is_empty() && seen.iter().all(|request| request.access_key_id.as_deref() != Some("AKIAHOSTILE")));
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "nobody came to the trap");
}

#[test]
fn a_machine_without_root_certificates_is_told_apart_from_a_bad_certificate() {
    let node = Node::with_uids("healthy", 64);
    let port = node.wait(secured());
    let store = ["--s3-endpoint".to_owned(), format!("https://localhost:{port}")];
    for (trusted, code, words) in [
        (Path::new("/dev/null").to_owned(), "no_root_certificates", "Install the ca-certificates package"),
        (fixture("practice-node.pem"), "tls", "Check the store's certificate"),
    ] {
        assert!(fs::metadata(&trusted).is_ok());
        let house = House::new().with("SSL_CERT_FILE", trusted.to_str().unwrap());
        let ran = house.run(line(&["probe", MINER, "--json"], &[node.flags(), store.to_vec()].concat())).exits(8);
        let result = only_result(&ran.json());
        assert_eq!((&result["verdict"], &result["steps"][0]["code"]), (&"tls".into(), &code.into()), "{result}");
        let fix = result["fix"].as_str().unwrap();
        assert!(fix.contains(words), "{fix}");
    }
}

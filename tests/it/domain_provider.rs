//! Providers: which S3 endpoints may be used, and which shapes each store takes.

use grail_console::domain::account::ShapeError;
use grail_console::domain::provider::{Jurisdiction, Provider, S3Endpoint, S3EndpointError};
use rstest::rstest;

const ACCOUNT: &str = "3f9a12c0d1e2f30415263748596a7b8c";
const CANARY: &str = "c0ffee51aa0f1e2d3c4b5a69788796a5";

#[rstest]
#[case("https://minio.example.net", "https://minio.example.net")]
#[case("https://minio.example.net:9000/", "https://minio.example.net:9000")]
#[case("http://127.0.0.1:9000", "http://127.0.0.1:9000")]
#[case("http://[::1]:9000", "http://[::1]:9000")]
#[case("http://localhost:3900", "http://localhost:3900")]
#[case("  https://s3.example  ", "https://s3.example")]
fn an_endpoint_of_scheme_host_and_port_is_taken(#[case] text: &str, #[case] shown: &str) {
    let Provider::Custom(endpoint) = Provider::from_endpoint(Some(text)).unwrap() else { panic!("not custom") };
    assert_eq!(endpoint.to_string(), shown);
}

#[rstest]
#[case("http://minio.example.net")]
#[case("http://192.168.1.5:9000")]
#[case("http://169.254.169.254")]
#[case("http://localhost.evil.com")]
#[case("http://127.0.0.1.evil.com")]
fn plaintext_to_another_machine_is_refused(#[case] text: &str) {
    assert!(matches!(S3Endpoint::parse(text), Err(S3EndpointError::PlaintextRemote(_))), "{text}");
}

#[rstest]
#[case("https://minio.example.net/bucket")]
#[case("https://minio.example.net/?x=1")]
#[case("https://minio.example.net/#x")]
#[case("https://user@minio.example.net")]
#[case("http://127.0.0.1@evil.com")]
#[case("https://good.example\\@evil.com")]
fn an_endpoint_with_more_than_a_host_is_refused(#[case] text: &str) {
    assert!(matches!(S3Endpoint::parse(text), Err(S3EndpointError::MoreThanAHost(_))), "{text}");
}

#[rstest]
#[case("minio.example.net")]
#[case("minio:9000")]
#[case("ftp://minio.example.net")]
#[case("file:///etc/passwd")]
#[case("https://")]
#[case("https://host:99999")]
#[case("not a url")]
fn what_is_no_endpoint_is_refused_with_the_way_to_write_one(#[case] text: &str) {
    let error = S3Endpoint::parse(text).unwrap_err();
    assert!(matches!(error, S3EndpointError::NotAUrl(_)), "{text}: {error:?}");
    assert!(error.to_string().contains("https://HOST"));
}

#[rstest]
#[case::password("https://user:CANARY@minio.example.net")]
#[case::password_over_plaintext("http://user:CANARY@minio.example.net")]
#[case::password_in_a_broken_url("https://user:CANARY@minio.example.net:99999")]
#[case::password_without_a_scheme("user:CANARY@minio.example.net")]
#[case::signature_in_the_query("https://minio.example.net/?X-Amz-Signature=CANARY")]
#[case::key_in_the_path("https://minio.example.net/CANARY")]
#[case::key_alone("CANARY")]
#[case::key_as_a_host("http://CANARY")]
#[case::key_behind_an_at("https://minio.example.net/@CANARY")]
fn an_endpoint_error_never_repeats_a_key(#[case] template: &str) {
    let error = S3Endpoint::parse(&template.replace("CANARY", CANARY)).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(CANARY), "{error}");
}

#[rstest]
#[case::nothing(None, Jurisdiction::Default)]
#[case::blank(Some("  "), Jurisdiction::Default)]
#[case::default_host(Some("https://3f9a12c0d1e2f30415263748596a7b8c.r2.cloudflarestorage.com"), Jurisdiction::Default)]
#[case::eu(Some("https://3f9a12c0d1e2f30415263748596a7b8c.eu.r2.cloudflarestorage.com/"), Jurisdiction::Eu)]
#[case::fedramp(
    Some("https://3f9a12c0d1e2f30415263748596a7b8c.fedramp.r2.cloudflarestorage.com"),
    Jurisdiction::Fedramp
)]
fn an_r2_endpoint_is_r2_with_its_jurisdiction(#[case] endpoint: Option<&str>, #[case] jurisdiction: Jurisdiction) {
    assert_eq!(Provider::from_endpoint(endpoint), Ok(Provider::R2(jurisdiction)));
}

#[rstest]
#[case("https://short.r2.cloudflarestorage.com")]
#[case("https://r2.cloudflarestorage.com")]
#[case("https://3f9a12c0d1e2f30415263748596a7b8c.mars.r2.cloudflarestorage.com")]
#[case("https://3f9a12c0d1e2f30415263748596a7b8c.r2.cloudflarestorage.com.evil.com")]
#[case("https://3f9a12c0d1e2f30415263748596a7b8c.evilr2.cloudflarestorage.com")]
#[case("https://3f9a12c0d1e2f30415263748596a7b8c.r2.cloudflarestorage.com:8443")]
fn what_only_looks_like_an_r2_host_is_custom(#[case] endpoint: &str) {
    assert!(matches!(Provider::from_endpoint(Some(endpoint)), Ok(Provider::Custom(_))), "{endpoint}");
}

#[test]
fn each_provider_takes_its_own_shapes() {
    let r2 = Provider::default();
    let custom = Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap();
    let secret = ACCOUNT.repeat(2);
    assert!(r2.is_r2() && r2.key_id(ACCOUNT).is_ok() && r2.check_secret(&secret).is_ok());
    assert_eq!(r2.check_secret("minioadmin"), Err(ShapeError::WrongLength { chars: 10, expected: 64 }));
    assert!(!custom.is_r2() && custom.key_id("minioadmin").is_ok() && custom.check_secret("minioadmin").is_ok());
    assert_eq!(custom.check_secret(&"s".repeat(65)), Err(ShapeError::TooLong { chars: 65, max: 64 }));
    assert_eq!(custom.check_secret("sécret"), Err(ShapeError::NotPrintableAscii));
}

#[test]
fn a_provider_names_itself_with_its_place() {
    assert_eq!(Provider::default().to_string(), "Cloudflare R2");
    assert_eq!(
        Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap().to_string(),
        "custom S3 at http://127.0.0.1:9000"
    );
}

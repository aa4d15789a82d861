//! A secret in any place, right or wrong, never comes out of the domain as text.

use grail_console::domain::commitment::{Commitment, Payload, Stored, read_bytes};
use grail_console::domain::credentials::{
    BucketCredentials, CommitmentBytes, LocalValues, LocalView, Source, Variable,
};
use grail_console::domain::findings::of_local;
use grail_console::domain::provider::{Jurisdiction, Provider};
use grail_console::domain::roster::{Own, Roster};
use grail_console::domain::secret::{Fingerprint, SecretKey};
use grail_console::domain::{drift, inventory};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::domain_credentials::{ACCOUNT, HEALTHY, READ_ID, READ_SECRET, healthy_but, values};
use crate::domain_roster::{hotkey, member, snapshot};

/// Everything the domain can be made to say about local values.
fn everything_said(provider: &Provider, local: &LocalValues) -> String {
    let view = LocalView::of(provider, local);
    let json = |value: serde_json::Result<String>| value.unwrap();
    let parsed = BucketCredentials::parse(provider, local);
    let encoded = parsed.as_ref().ok().map(|credentials| CommitmentBytes::encode(&credentials.read));
    let error = parsed.as_ref().err().map(ToString::to_string);
    let findings = of_local(provider, local);
    let lines = inventory::list(provider, local);
    let shown: Vec<String> = lines.iter().filter_map(|line| line.shown.as_ref()).map(ToString::to_string).collect();
    let drift = drift::compare(None, &view);
    let roster = Roster::join(&snapshot(vec![member(1, 1)], []), Some(&Own { hotkey: hotkey(1), local: view.clone() }));
    [
        format!(
            "{local:?} {parsed:?} {encoded:?} {error:?} {findings:?} {lines:?} {shown:?} {view:?} {drift:?} {roster:?}"
        ),
        json(serde_json::to_string(&findings)),
        json(serde_json::to_string(&lines)),
        json(serde_json::to_string(&view)),
        json(serde_json::to_string(&drift)),
        json(serde_json::to_string(&roster)),
    ]
    .join("\n")
}

fn providers() -> [Provider; 3] {
    [
        Provider::default(),
        Provider::R2(Jurisdiction::Eu),
        Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap(),
    ]
}

/// The shapes in which secrets are pasted into wrong places: R2's, AWS's, an API token's value, a private key.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{64}",
        "[0-9A-Za-z/+]{40}",
        "[0-9A-Za-z_-]{40}",
        "0x[0-9a-f]{128}",
        "[a-z]{4,8}( [a-z]{4,8}){11}"
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_in_any_variable_is_never_said(canary in secret(), healthy_beside: bool, from_file: bool) {
        for variable in Variable::ALL {
            let mut local = if healthy_beside { healthy_but(&[(variable, "")]) } else { LocalValues::default() };
            let source = if from_file { Source::EnvFile { line: 3 } } else { Source::Environment };
            local.define(variable, SecretKey::new(canary.as_str()), source);
            for provider in providers() {
                let said = everything_said(&provider, &local);
                prop_assert!(!said.contains(&canary), "{} on {}", variable, provider);
                // Not even the ends that a public id would show.
                prop_assert!(!said.contains(&canary[..8]), "{} on {}: {}", variable, provider, said);
            }
        }
    }
}

#[test]
fn of_healthy_values_only_the_secrets_are_hidden() {
    let said = everything_said(&Provider::default(), &values(&HEALTHY));
    assert!(said.contains(ACCOUNT) && said.contains(READ_ID), "public ids may be shown, and must be to be compared");
    for (variable, value) in HEALTHY {
        assert_eq!(said.contains(value), !variable.is_secret() && variable != Variable::WriteKeyId, "{variable}");
    }
}

#[test]
fn debug_of_what_carries_keys_hides_them() {
    let text = format!("{ACCOUNT}{READ_ID}{READ_SECRET}");
    let payload = Payload::Bytes { variant: "Raw128".into(), bytes: text.clone().into_bytes() };
    let parts = read_bytes(text.as_bytes()).unwrap();
    let stored = Stored::Registration { block: 1, deposit: 0, fields: vec![payload.clone()] };
    let commitment = Commitment::of(&stored);
    let said = format!(
        "{payload:?} {parts:?} {stored:?} {:?} {commitment:?} {:?}",
        parts.published(),
        SecretKey::new(READ_SECRET)
    );
    assert!(said.contains("Raw128(128 bytes)") && said.contains("[redacted]"));
    assert!(!said.contains(&READ_SECRET[..8]), "{said}");
}

#[test]
fn a_fingerprint_tells_keys_apart_and_is_not_a_plain_hash() {
    let (one, other) = (Fingerprint::of(READ_SECRET), Fingerprint::of(READ_ID));
    assert_ne!(one, other);
    assert_eq!(one.to_string().len(), 16);
    assert!(one.to_string().starts_with(&one.short()) && one.short().len() == 8);
    assert_eq!(serde_json::from_str::<Fingerprint>(&serde_json::to_string(&one).unwrap()).unwrap(), one);
    // The bare SHA-256 of a token's value IS an R2 secret: a fingerprint must not be a part of one.
    assert!(!hex::encode(Sha256::digest(READ_SECRET)).starts_with(&one.to_string()));
    assert!(serde_json::from_str::<Fingerprint>("\"xyz\"").is_err());
}

#[test]
fn two_secrets_are_equal_when_their_texts_are() {
    assert_eq!(SecretKey::new("same"), SecretKey::new(String::from("same")));
    assert_ne!(SecretKey::new("same"), SecretKey::new("Same"));
    assert_eq!(SecretKey::new("zähl").chars(), 4);
}

//! What may be published: the guard against everything that an operator can get wrong.

use grail_console::domain::commitment::{Commitment, Payload, Stored};
use grail_console::domain::credentials::{CredentialsError, LocalValues, Source, Variable};
use grail_console::domain::guard::{Forbidden, KnownSecret, ReadScope, Refusal, SecretKind, SecretPlace, clear};
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use proptest::prelude::*;

use crate::tui_fixtures::{account, hex_text, key_id, secret};

fn values(pairs: &[(Variable, &str)]) -> LocalValues {
    let mut values = LocalValues::default();
    for (line, (variable, text)) in (1..).zip(pairs) {
        values.define(*variable, SecretKey::new(*text), Source::EnvFile { line });
    }
    values
}

/// Account, bucket, read pair and write pair, all as they should be.
fn dual() -> Vec<(Variable, String)> {
    vec![
        (Variable::AccountId, account(1)),
        (Variable::BucketId, account(1)),
        (Variable::ReadKeyId, key_id(1)),
        (Variable::ReadSecret, secret(1)),
        (Variable::WriteKeyId, key_id(2)),
        (Variable::WriteSecret, secret(2)),
    ]
}

fn of(pairs: &[(Variable, String)]) -> LocalValues {
    values(&pairs.iter().map(|(variable, text)| (*variable, text.as_str())).collect::<Vec<_>>())
}

fn with(variable: Variable, text: &str) -> LocalValues {
    let pairs: Vec<_> = dual().into_iter().filter(|(of_pair, _)| *of_pair != variable).collect();
    let mut values = of(&pairs);
    values.define(variable, SecretKey::new(text), Source::EnvFile { line: 9 });
    values
}

fn on_chain(text: &str) -> Commitment {
    let field = Payload::Bytes { variant: "Raw128".to_owned(), bytes: text.as_bytes().to_vec() };
    Commitment::of(&Stored::Registration { block: 5, deposit: 0, fields: vec![field] })
}

fn refusal(values: &LocalValues, forbidden: &Forbidden) -> Refusal {
    clear(&Provider::default(), values, None, forbidden, ReadScope::NotShown).unwrap_err()
}

fn wallet(secret: &str) -> Forbidden {
    Forbidden::default().and([of_wallet(secret)])
}

fn of_wallet(secret: &str) -> KnownSecret {
    let place = SecretPlace::KeyFile("/wallets/one/hotkeys/hot".into());
    KnownSecret { kind: SecretKind::Wallet, place, text: SecretKey::new(secret) }
}

#[track_caller]
fn kind(refusal: &Refusal) -> SecretKind {
    let Refusal::HoldsSecret(found) = refusal else { panic!("{refusal}") };
    found.kind.clone()
}

#[test]
fn sound_credentials_become_exactly_their_128_bytes() {
    let cleared = clear(&Provider::default(), &of(&dual()), None, &Forbidden::default(), ReadScope::NotShown).unwrap();
    assert_eq!(cleared.bytes(), format!("{}{}{}", account(1), key_id(1), secret(1)).as_bytes());
    assert_eq!(cleared.published().locator.as_text(), Some(account(1).as_str()));
    let shown = format!("{cleared:?}");
    assert!(!shown.contains(&secret(1)[..12]), "{shown}");
    assert_eq!(cleared.masked().iter().filter(Option::is_none).count(), 64);
}

#[test]
fn the_write_key_is_refused_in_whichever_field_and_from_whichever_place_it_comes() {
    for (variable, text) in [
        (Variable::ReadKeyId, key_id(2)),
        (Variable::ReadSecret, secret(2)),
        (Variable::ReadSecret, secret(2).to_uppercase()),
    ] {
        let refused = refusal(&with(variable, &text), &Forbidden::default());
        let by_name = matches!(refused, Refusal::Credentials(CredentialsError::ReadIsWrite));
        let by_shape = matches!(refused, Refusal::Credentials(CredentialsError::Shape { .. }));
        assert!(by_name || by_shape, "{refused}");
    }
    // A write pair that another definition hides is a write pair all the same.
    let mut hidden = of(&dual());
    hidden.define(Variable::WriteSecret, SecretKey::new(secret(1)), Source::Environment);
    let refused = refusal(&hidden, &Forbidden::default());
    assert_eq!(kind(&refused), SecretKind::WriteSecret);
    assert!(refused.to_string().contains("WRITE secret") && refused.to_string().contains("Object Read only"));
}

#[test]
fn a_wallet_secret_in_the_place_of_the_read_secret_is_refused() {
    let seed = secret(7);
    let private_key = secret(8) + &secret(9);
    for (pasted, known) in [
        (seed.clone(), seed.clone()),
        (seed.clone(), format!("0x{seed}")),
        (seed.clone(), seed.to_uppercase()),
        // Half of a private key has the very shape of an R2 secret.
        (private_key[..64].to_owned(), private_key.clone()),
        (private_key[64..].to_owned(), private_key.clone()),
        (private_key[32..96].to_owned(), private_key),
    ] {
        let refused = refusal(&with(Variable::ReadSecret, &pasted), &wallet(&known));
        assert_eq!(kind(&refused), SecretKind::Wallet, "{known}");
    }
}

#[test]
fn a_key_that_was_rolled_in_place_is_refused_and_the_same_commitment_is_not() {
    let values = of(&dual());
    let forbidden = Forbidden::default();
    let rolled = on_chain(&format!("{}{}{}", account(1), key_id(1), secret(5)));
    let refused = clear(&Provider::default(), &values, Some(&rolled), &forbidden, ReadScope::NotShown).unwrap_err();
    assert_eq!(refused, Refusal::RolledInPlace);
    assert!(refused.todo().contains("token with a new id"));
    let same = on_chain(&format!("{}{}{}", account(1), key_id(1), secret(1)));
    assert!(clear(&Provider::default(), &values, Some(&same), &forbidden, ReadScope::NotShown).is_ok());
    let other = on_chain(&format!("{}{}{}", account(1), key_id(3), secret(5)));
    assert!(clear(&Provider::default(), &values, Some(&other), &forbidden, ReadScope::NotShown).is_ok());
    let unreadable = on_chain("short");
    assert!(clear(&Provider::default(), &values, Some(&unreadable), &forbidden, ReadScope::NotShown).is_ok());
}

#[test]
fn single_credential_mode_and_wrong_shapes_are_refused_with_what_to_do() {
    let legacy: Vec<_> =
        dual().into_iter().filter(|(v, _)| !matches!(v, Variable::ReadKeyId | Variable::ReadSecret)).collect();
    let cases = [
        (of(&legacy), "single_credential_mode", "Object Read only"),
        (with(Variable::BucketId, &account(4)), "bucket_is_not_account", "account id into both"),
        (with(Variable::ReadSecret, &secret(1)[..63]), "credentials_misshapen", "copy the value again"),
        (with(Variable::ReadSecret, &format!("{}a", secret(1))), "credentials_misshapen", "copy the value again"),
        (with(Variable::ReadKeyId, &secret(1)), "credentials_misshapen", "copy the value again"),
        (with(Variable::ReadKeyId, "AKIAIOSFODNN7EXAMPLE"), "credentials_misshapen", "copy the value again"),
        (values(&[(Variable::AccountId, &account(1))]), "credentials_missing", "set it in GRAIL's .env"),
    ];
    for (values, code, todo) in cases {
        let refused = refusal(&values, &Forbidden::default());
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.todo().contains(todo), "{refused}");
        assert!(!refused.to_string().contains(&secret(1)[..12]), "{refused}");
    }
}

/// Names that people gave, on a store of their own.
#[test]
fn a_bucket_and_a_user_that_are_named_after_each_other_are_no_write_key() {
    let store = Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap();
    for (bucket, reader, writer) in
        [("miner1", "reader", "miner1"), ("grail-production-rw", "grail-production-ro", "grail-production")]
    {
        let values = values(&[
            (Variable::AccountId, bucket),
            (Variable::BucketId, bucket),
            (Variable::ReadKeyId, reader),
            (Variable::ReadSecret, "the-one-that-only-reads"),
            (Variable::WriteKeyId, writer),
            (Variable::WriteSecret, "the-one-that-also-writes"),
        ]);
        let refused = clear(&store, &values, None, &Forbidden::default(), ReadScope::NotShown).err();
        assert_eq!(refused, None, "{writer}");
    }
}

/// Texts from which a careless operator draws: right ones, secrets, and pieces of them.
fn texts() -> Vec<String> {
    let private_key = secret(20) + &secret(21);
    vec![
        account(1),
        key_id(1),
        secret(1),
        key_id(2),
        secret(2),
        key_id(3),
        secret(3),
        secret(20),
        private_key.clone(),
        private_key[16..80].to_owned(),
        format!("0x{}", secret(20)),
        secret(2).to_uppercase(),
        format!(" {} ", secret(2)),
        key_id(2)[..31].to_owned(),
        String::new(),
        "bottom drive obey lake curtain smoke basket hold race lonely fit walk".to_owned(),
        hex_text(99, 32),
    ]
}

/// What was changed about sound credentials: variable, text, and whether in the environment, where the `.env` hides it.
fn any_changes() -> impl Strategy<Value = Vec<(usize, usize, bool)>> {
    prop::collection::vec((0..6_usize, 0..texts().len(), any::<bool>()), 0..5)
}

/// Sound credentials in lines 1 to 6 of the `.env`, and the changes after them.
fn changed(changes: &[(usize, usize, bool)]) -> LocalValues {
    let (texts, mut values) = (texts(), of(&dual()));
    for (line, (variable, text, exported)) in (10..).zip(changes) {
        let source = if *exported { Source::Environment } else { Source::EnvFile { line } };
        values.define(Variable::ALL[*variable], SecretKey::new(texts[*text].as_str()), source);
    }
    values
}

#[test]
fn the_changes_reach_both_answers() {
    let answer = |changes: &[_]| {
        clear(&Provider::default(), &changed(changes), None, &Forbidden::default(), ReadScope::NotShown)
    };
    assert!(answer(&[]).is_ok());
    // Another read pair in the .env, an old one in the environment.
    assert!(answer(&[(2, 5, false), (3, 6, false), (3, 2, true)]).is_ok());
    assert!(answer(&[(5, 2, true)]).is_err(), "the read secret is the write secret of the environment");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Whatever stands where: what is let through is the effective read pair, and holds nothing that must stay here.
    #[test]
    fn no_combination_of_places_lets_a_local_secret_through(changes in any_changes(), custom in any::<bool>()) {
        let values = changed(&changes);
        let private_key = secret(20) + &secret(21);
        let wallets = [private_key.clone(), secret(20), secret(21)];
        let forbidden = Forbidden::default().and(wallets.iter().map(|text| of_wallet(text)));
        let provider = if custom { Provider::from_endpoint(Some("http://127.0.0.1:9000")).unwrap() } else { Provider::default() };
        if let Ok(cleared) = clear(&provider, &values, None, &forbidden, ReadScope::NotShown) {
            let text = std::str::from_utf8(cleared.bytes()).unwrap().to_lowercase();
            prop_assert_eq!(text.len(), 128);
            for variable in [Variable::WriteKeyId, Variable::WriteSecret] {
                for written in values.definitions(variable).iter().map(|sourced| sourced.value.expose().to_lowercase()) {
                    prop_assert!(written.is_empty() || !text.contains(&written), "{variable} is inside");
                }
            }
            for wallet in &wallets {
                prop_assert!(!text.contains(&wallet[..64]), "a wallet's secret is inside");
            }
            for part in [&text[..32], &text[32..64], &text[64..]] {
                let part = part.trim_end();
                prop_assert!(!private_key.contains(part), "a piece of a private key is inside");
            }
            let effective = |variable| values.effective(variable).unwrap().value.expose().to_owned();
            let expected = format!(
                "{:<32}{:<32}{:<64}",
                effective(Variable::BucketId), effective(Variable::ReadKeyId), effective(Variable::ReadSecret)
            );
            prop_assert_eq!(cleared.bytes(), expected.as_bytes());
        }
    }

    /// A refusal never repeats what it refuses.
    #[test]
    fn no_refusal_quotes_a_value(changes in any_changes()) {
        let (texts, values) = (texts(), changed(&changes));
        if let Err(refused) = clear(&Provider::default(), &values, None, &Forbidden::default(), ReadScope::NotShown) {
            let said = format!("{refused} {refused:?}");
            for text in texts.iter().filter(|text| text.len() >= 31) {
                prop_assert!(!said.contains(&text[..16]), "{said}");
            }
        }
    }
}

//! The own side with a vault in use: three places against the chain, and where GRAIL takes its keys from.

use grail_console::domain::credentials::{LocalValues, Source, Variable};
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Holding, Index, KeyRef, Origin};
use grail_console::tui::own::OwnInfo;
use grail_console::tui::state::State;
use insta::assert_snapshot;
use rstest::rstest;

use crate::tui_fixtures::{NOW_MS, account, healthy, key_id, live, own, press, screen, secret, values};

/// Generation 3 in the Secret Service, with the read key of this number.
fn index(read: u64) -> Index {
    let key = |n: u64| Some(KeyRef::of(&key_id(n), &SecretKey::new(secret(n))));
    let mut index = Index::default();
    index.hold(Holding {
        number: 3,
        backend: Backend::SecretService,
        created_ms: NOW_MS - 3 * 86_400_000,
        origin: Origin::Rotated,
        locator: Some(account(42)),
        read_key_id: Some(key_id(read)),
        read: key(read),
        write: key(42 + 60_000),
    });
    index.promote(3);
    index
}

fn with_vault(values: &LocalValues, read: u64) -> State {
    let vaulted = OwnInfo::beside(&Provider::default(), values, &index(read));
    let OwnInfo { local, vault, variables, findings, .. } = vaulted;
    live(OwnInfo { local, vault, variables, findings, ..own(values) }, healthy())
}

/// Only account and bucket are left in the `.env`.
fn ids_only() -> LocalValues {
    values(42, false).only(|source| matches!(source, Source::EnvFile { line } if line < 5))
}

/// A `.env` that a rotation forgot, and an exported read key besides.
fn forgotten() -> LocalValues {
    let mut values = values(42, true);
    values.define(Variable::ReadSecret, SecretKey::new(secret(42)), Source::Environment);
    values
}

#[rstest]
#[case::vault_alone("vault_alone", ids_only(), 42)]
#[case::env_forgotten("env_forgotten", forgotten(), 42)]
#[case::vault_not_committed("vault_not_committed", values(42, false), 50_042)]
fn own_views_show_vault_env_and_environment(#[case] name: &str, #[case] values: LocalValues, #[case] read: u64) {
    for (width, height) in [(120, 48), (80, 60)] {
        let mut state = with_vault(&values, read);
        press(&mut state, "u");
        assert_snapshot!(format!("{name}_you_{width}x{height}"), screen(&state, width, height));
        let mut state = with_vault(&values, read);
        press(&mut state, "g enter");
        assert_snapshot!(format!("{name}_detail_{width}x{height}"), screen(&state, width, height));
    }
}

#[test]
fn the_summary_line_names_what_a_forgotten_env_will_do() {
    let state = with_vault(&forgotten(), 42);
    assert!(screen(&state, 120, 32).contains("you: next GRAIL start commits the OLD key"));
}

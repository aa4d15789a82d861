//! The own side with a vault in use: three places against the chain, and where GRAIL takes its keys from.

use grail_console::domain::credentials::{LocalValues, Source, Variable};
use grail_console::domain::provider::Provider;
use grail_console::domain::secret::SecretKey;
use grail_console::domain::vault_index::{Backend, Holding, Index, KeyRef, Origin};
use grail_console::engine::own::OwnInfo;
use grail_console::tui::state::State;
use insta::assert_snapshot;

use crate::tui_fixtures::{NOW_MS, account, healthy, key_id, live, own, press, screen, secret, values};
use crate::tui_parts::*;

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

#[test]
fn own_views_show_vault_env_and_environment() {
    let mut pictures = Pictures::default();
    for (name, values, read) in [
        ("vault alone", ids_only(), 42),
        (".env forgotten", forgotten(), 42),
        ("vault not committed", values(42, false), 50_042),
    ] {
        let (mut you, mut detail) = (with_vault(&values, read), with_vault(&values, read));
        press(&mut you, "u");
        press(&mut detail, "g enter");
        let picture = at_both_sizes(&you, whole_body);
        match name {
            "vault not committed" => pictures.add_variant(name, ".env forgotten", picture),
            _ => pictures.add(name, picture),
        }
        for (width, height) in [WIDE, NARROW] {
            let places = |state| section("CHAIN AND LOCAL")(state, width, height);
            assert_eq!(places(&you), places(&detail), "the detail of the own row shows the same of {name}");
        }
    }
    assert_snapshot!(pictures.text());
}

#[test]
fn the_summary_line_names_what_a_forgotten_env_will_do() {
    let state = with_vault(&forgotten(), 42);
    assert!(screen(&state, 120, 32).contains("you: next GRAIL start commits the OLD key"));
}

//! The roster: joined on the hotkey, counted, sorted; the snapshot it is made of, brought up to date and kept.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use grail_console::domain::commitment::{Commitment, MaskedBytes, Payload, Stored};
use grail_console::domain::credentials::LocalView;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::network::BlockHash;
use grail_console::domain::provider::Provider;
use grail_console::domain::roster::{Column, Own, Role, Roster, Row, State, Summary};
use grail_console::domain::snapshot::{BlockRef, ChainIdentity, Member, SubnetChange, SubnetInfo, SubnetSnapshot};
use proptest::prelude::*;

use crate::domain_credentials::{ACCOUNT, READ_ID, READ_SECRET, healthy_but};

pub fn hotkey(n: u8) -> Hotkey {
    Hotkey::from_bytes([n; 32])
}

pub fn member(uid: u16, key: u8) -> Member {
    Member { uid, hotkey: hotkey(key), registered_at: Some(1000), validator_permit: false, stake: None }
}

pub fn readable(block: u64) -> Commitment {
    set_at(block, vec![bytes(format!("{ACCOUNT}{READ_ID}{READ_SECRET}").as_bytes())])
}

pub fn unreadable(block: u64) -> Commitment {
    set_at(block, vec![bytes(b"hello")])
}

pub fn bytes(bytes: &[u8]) -> Payload {
    Payload::Bytes { variant: format!("Raw{}", bytes.len()), bytes: bytes.to_vec() }
}

pub fn set_at(block: u64, fields: Vec<Payload>) -> Commitment {
    Commitment::of(&Stored::Registration { block, deposit: 0, fields })
}

pub fn snapshot(members: Vec<Member>, commitments: impl IntoIterator<Item = (u8, Commitment)>) -> SubnetSnapshot {
    SubnetSnapshot {
        chain: ChainIdentity {
            network: "SANDBOX".into(),
            endpoint: "ws://127.0.0.1:9944".into(),
            genesis: BlockHash([7; 32]),
            spec_version: 365,
        },
        netuid: 81,
        subnet: SubnetInfo::default(),
        at: BlockRef { number: 5000, hash: BlockHash([8; 32]), timestamp_ms: 1_700_000_000_000 },
        members,
        commitments: commitments.into_iter().map(|(key, commitment)| (hotkey(key), commitment)).collect(),
        successors: BTreeMap::new(),
    }
}

#[test]
fn an_ex_member_knows_the_hotkey_that_took_its_place_and_a_member_has_none() {
    let mut snapshot = snapshot(vec![member(1, 11), member(2, 12)], [(11, unreadable(900)), (20, unreadable(901))]);
    snapshot.successors = BTreeMap::from([(hotkey(20), hotkey(12)), (hotkey(11), hotkey(13))]);
    let roster = Roster::join(&snapshot, None);
    assert_eq!(roster.ex_members[0].successor.as_deref(), Some(&hotkey(12)));
    assert!(roster.rows.iter().all(|row| row.successor.is_none()));
}

fn own(key: u8) -> Own {
    Own { hotkey: hotkey(key), local: LocalView::of(&Provider::default(), &healthy_but(&[])) }
}

#[test]
fn rows_are_joined_on_the_hotkey_and_ex_members_stand_apart() {
    let snapshot = snapshot(
        vec![member(0, 10), member(1, 11), member(2, 12)],
        [(11, readable(2000)), (12, unreadable(2001)), (99, readable(5))],
    );
    let roster = Roster::join(&snapshot, None);
    assert_eq!(
        roster.rows.iter().map(Row::state).collect::<Vec<_>>(),
        [State::None, State::Readable, State::Unreadable]
    );
    assert_eq!(roster.summary, Summary { uids: 3, readable: 1, unreadable: 1, none: 1, ex_members: 1 });
    let ex_member = &roster.ex_members[0];
    assert!(ex_member.is_ex_member() && ex_member.hotkey == hotkey(99) && ex_member.state() == State::Readable);
    assert_eq!(roster.by_hotkey(&hotkey(99)), Some(ex_member));
    assert_eq!(roster.by_uid(2).unwrap().hotkey, hotkey(12));
    assert_eq!(roster.by_uid(99), None);
}

#[test]
fn a_hotkey_that_registers_again_inherits_an_older_commitment() {
    let snapshot = snapshot(
        vec![member(1, 11), member(2, 12), member(3, 13), Member { registered_at: None, ..member(4, 14) }],
        [(11, readable(999)), (12, readable(1000)), (13, readable(1001)), (14, readable(1))],
    );
    let predates: Vec<bool> = Roster::join(&snapshot, None).rows.iter().map(Row::predates_registration).collect();
    assert_eq!(predates, [true, false, false, false], "unknown registration blocks prove nothing");
}

#[test]
fn a_commitment_does_not_follow_a_uid_to_its_next_owner() {
    let mut now = snapshot(vec![member(7, 11)], [(11, readable(2000))]);
    now.apply(&SubnetChange { block: 5001, commitments: vec![], members: vec![member(7, 50)] });
    let roster = Roster::join(&now, None);
    assert_eq!((roster.by_uid(7).unwrap().hotkey, roster.by_uid(7).unwrap().state()), (hotkey(50), State::None));
    assert_eq!(roster.ex_members[0].hotkey, hotkey(11));
}

#[test]
fn roles_follow_uid_and_permit() {
    let permit = |uid, key| Member { validator_permit: true, ..member(uid, key) };
    let roster = Roster::join(&snapshot(vec![permit(0, 1), permit(1, 2), member(2, 3)], []), None);
    assert_eq!(roster.rows.iter().map(|row| row.role.word()).collect::<Vec<_>>(), ["trainer", "validator", "miner"]);
    assert_eq!(
        serde_json::to_value([Role::Trainer, Role::Validator, Role::Miner]).unwrap(),
        serde_json::json!(["trainer", "validator", "miner"])
    );
}

#[test]
fn only_the_own_row_is_compared_with_the_local_credentials() {
    let snapshot = snapshot(vec![member(1, 11), member(2, 12)], [(11, readable(2000)), (12, readable(2000))]);
    let roster = Roster::join(&snapshot, Some(&own(12)));
    assert_eq!(roster.own().unwrap().uid, Some(2));
    assert!(roster.rows[0].drift.is_none() && !roster.rows[0].own);
    assert!(roster.rows[1].drift.is_some() && !roster.rows[1].drifts());
}

#[test]
fn an_own_hotkey_that_lost_its_uid_is_still_found() {
    let snapshot = snapshot(vec![member(1, 11)], [(12, unreadable(2000))]);
    let roster = Roster::join(&snapshot, Some(&own(12)));
    let row = roster.own().unwrap();
    assert!(row.is_ex_member() && row.own && row.drifts());
}

#[test]
fn a_change_sets_removes_and_inserts_in_place() {
    let mut now = snapshot(vec![member(1, 11), member(3, 13)], [(11, readable(2000)), (13, readable(2000))]);
    let before = now.at;
    now.apply(&SubnetChange {
        block: 5003,
        commitments: vec![(hotkey(11), Some(unreadable(5003))), (hotkey(13), None)],
        members: vec![member(2, 12), member(4, 14), member(3, 33)],
    });
    assert_eq!(
        now.members.iter().map(|m| (m.uid, m.hotkey)).collect::<Vec<_>>(),
        [(1, hotkey(11)), (2, hotkey(12)), (3, hotkey(33)), (4, hotkey(14))]
    );
    assert_eq!(now.commitments.keys().copied().collect::<Vec<_>>(), [hotkey(11)]);
    assert_eq!(now.commitments[&hotkey(11)].block, Some(5003));
    assert_eq!(now.at, before, "only the change is newer, not the rest");
}

#[test]
fn a_kept_snapshot_comes_back_whole_and_holds_no_read_secret() {
    let cut = format!("{ACCOUNT}{READ_ID}{READ_SECRET}x");
    let odd = [
        (11, readable(2000)),
        (12, unreadable(2001)),
        (13, set_at(3, vec![])),
        (14, set_at(4, vec![bytes(cut.as_bytes()), bytes(READ_SECRET.as_bytes())])),
        (
            15,
            Commitment::of(&Stored::Undecodable {
                block: None,
                length: 3,
                unknown: None,
                dump: MaskedBytes::default(),
                why: "eof".into(),
            }),
        ),
        (16, set_at(5, vec![Payload::Timelock { length: 200, reveal_round: 9 }])),
    ];
    let kept = snapshot(vec![member(0, 11), member(1, 12)], odd);
    let json = serde_json::to_string(&kept).unwrap();
    assert_eq!(serde_json::from_str::<SubnetSnapshot>(&json).unwrap(), kept);
    let debug = format!("{kept:?}");
    for run in READ_SECRET.as_bytes().windows(8) {
        let run = std::str::from_utf8(run).unwrap();
        assert!(!json.contains(run) && !debug.contains(run), "eight characters of the secret in a row");
    }
    // Bytes are kept as a list of numbers, too.
    let numbers = READ_SECRET.bytes().take(4).map(|b| b.to_string()).collect::<Vec<_>>().join(",");
    assert!(!json.contains(&numbers));
}

#[test]
fn what_was_kept_is_joined_like_what_was_read() {
    let read =
        snapshot(vec![member(0, 11), member(1, 12)], [(11, readable(2000)), (12, unreadable(2001)), (77, readable(9))]);
    let kept: SubnetSnapshot = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
    assert_eq!(Roster::join(&kept, Some(&own(11))), Roster::join(&read, Some(&own(11))));
}

fn some_commitment() -> impl Strategy<Value = Commitment> {
    let locator = prop::sample::select(vec![ACCOUNT, READ_ID, "a", "\u{202e}b"]);
    prop_oneof![
        (locator, 0..4u64).prop_map(|(locator, block)| set_at(
            block,
            vec![bytes(format!("{locator:<32}{READ_ID}{READ_SECRET}").as_bytes())]
        )),
        (0..4u64).prop_map(unreadable),
        (0..4u64).prop_map(|block| set_at(block, vec![])),
        Just(Commitment::of(&Stored::Undecodable {
            block: None,
            length: 1,
            unknown: None,
            dump: MaskedBytes::default(),
            why: "eof".into()
        })),
    ]
}

fn some_roster() -> impl Strategy<Value = Roster> {
    let keys = prop::collection::btree_map(
        any::<u8>(),
        (prop::option::of(some_commitment()), any::<bool>(), any::<bool>()),
        0..14,
    );
    keys.prop_map(|keys: BTreeMap<u8, (Option<Commitment>, bool, bool)>| {
        let members = keys.iter().filter(|(_, (_, is_member, _))| *is_member).enumerate();
        let members = members
            .map(|(uid, (key, (_, _, permit)))| Member {
                validator_permit: *permit,
                stake: None,
                ..member(u16::try_from(uid).unwrap(), *key)
            })
            .collect();
        let commitments: Vec<_> =
            keys.iter().filter_map(|(key, (commitment, ..))| Some((*key, commitment.clone()?))).collect();
        Roster::join(&snapshot(members, commitments), None)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_summary_counts_every_row_once(roster in some_roster()) {
        let Summary { uids, readable, unreadable, none, ex_members } = roster.summary;
        prop_assert_eq!(uids, readable + unreadable + none);
        prop_assert_eq!((uids, ex_members), (roster.rows.len(), roster.ex_members.len()));
        prop_assert!(roster.ex_members.iter().all(|row| row.commitment.is_some()));
    }

    #[test]
    fn every_column_orders_all_rows_totally(roster in some_roster()) {
        let rows: Vec<&Row> = roster.rows.iter().chain(&roster.ex_members).collect();
        for column in Column::ALL {
            for a in &rows {
                for b in &rows {
                    let order = column.order(a, b);
                    prop_assert_eq!(order, column.order(b, a).reverse());
                    prop_assert_eq!(order == Ordering::Equal, a.hotkey == b.hotkey, "ties would make rows jump");
                    for c in &rows {
                        let chained = order == Ordering::Less && column.order(b, c) == Ordering::Less;
                        prop_assert!(!chained || column.order(a, c) == Ordering::Less);
                    }
                }
            }
        }
    }

    #[test]
    fn sorting_does_not_depend_on_the_order_before(roster in some_roster()) {
        for column in Column::ALL {
            let mut forward: Vec<&Row> = roster.rows.iter().chain(&roster.ex_members).collect();
            let mut backward: Vec<&Row> = forward.iter().rev().copied().collect();
            forward.sort_by(|a, b| column.order(a, b));
            backward.sort_by(|a, b| column.order(a, b));
            prop_assert_eq!(forward, backward);
        }
    }
}

#[test]
fn empty_cells_sort_last_and_the_newest_commitment_first() {
    let snapshot = snapshot(vec![member(0, 1), member(1, 2), member(2, 3)], [(2, readable(2000)), (3, readable(3000))]);
    let roster = Roster::join(&snapshot, None);
    let uids = |column: Column| {
        let mut rows: Vec<&Row> = roster.rows.iter().collect();
        rows.sort_by(|a, b| column.order(a, b));
        rows.iter().filter_map(|row| row.uid).collect::<Vec<_>>()
    };
    assert_eq!(uids(Column::SetAt), [2, 1, 0]);
    assert_eq!(uids(Column::Locator), [1, 2, 0]);
    assert_eq!(uids(Column::Commitment), [1, 2, 0]);
    assert_eq!(uids(Column::Uid), [0, 1, 2]);
}

#[test]
fn a_hotkey_is_written_as_ss58_and_read_back_with_its_errors() {
    let alice = hex::decode("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d").unwrap();
    let alice = Hotkey::from_bytes(alice.try_into().unwrap());
    assert_eq!(alice.to_string(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
    assert_eq!(alice.to_string().parse(), Ok(alice));
    assert_eq!(alice.short(), "5Grwva…utQY");
    let lost_a_character = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQ".parse::<Hotkey>().unwrap_err();
    assert!(lost_a_character.to_string().contains("copy the whole address again"));
    let polkadots = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5".parse::<Hotkey>().unwrap_err();
    assert!(polkadots.to_string().contains("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"), "{polkadots}");
}

#[test]
fn no_text_of_any_length_is_too_much_for_the_reader_of_addresses() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    for length in 0..400 {
        for digit in ["1", "2", "z", "0", "ä"] {
            for text in [digit.repeat(length), format!("{}{alice}", digit.repeat(length + 1))] {
                let error = text.parse::<Hotkey>().unwrap_err();
                assert!(error.to_string().contains("copy the whole address again"), "{text}: {error}");
            }
        }
    }
}

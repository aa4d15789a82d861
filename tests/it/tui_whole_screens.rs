//! Whole screens: how header, banner, view, dialog and footer stand together, at three sizes, the smallest above all.
//! What a part says in each of its states is photographed without the rest, next to the tests of that part.

use grail_console::domain::commit::Ended;
use grail_console::domain::commit::messages::Locked;
use grail_console::domain::rotation::messages::Question;
use grail_console::domain::rotation::{Event, Side};
use grail_console::tui::msg::Msg;
use grail_console::tui::state::State;
use grail_console::tui::update::update;
use insta::assert_snapshot;

use crate::tui_commit_fixtures::{confirmed, ended, other, plan, ready, receipt, under_way};
use crate::tui_commit_screens::{awaiting, deciding, practice_console, surprised, troubled};
use crate::tui_fixtures::*;
use crate::tui_own_keys::in_you;
use crate::tui_parts::{NARROW, SMALL, WIDE};
use crate::tui_probe_screens::{large_map, on_the_map, seen, swept_subnet};
use crate::tui_rotation_fixtures::{
    asks, asks_for_env, asks_to_publish, different, entered, in_grace, leaked, shown, stands, untouched, way, way_to,
};
use crate::tui_rotation_screens::reverted;
use crate::tui_screens::{outage, saved, scenario};

/// Columns from which the detail stands beside the table, and more.
const BESIDE: (u16, u16) = (160, 40);

/// A screen at some sizes, after keys that were pressed at that size.
fn whole(name: &str, state: &State, keys: &str, sizes: &[(u16, u16)]) {
    for &(width, height) in sizes {
        let mut state = state.clone();
        update(&mut state, Msg::Resize { width, height });
        if !keys.is_empty() {
            press(&mut state, keys);
        }
        assert_snapshot!(format!("{name}_{width}x{height}"), screen(&state, width, height));
    }
}

#[test]
fn the_table() {
    whole("subnet", &scenario("healthy"), "", &[WIDE, NARROW, SMALL]);
    whole("subnet_hostile", &scenario("hostile"), "", &[WIDE, SMALL]);
    whole("subnet_outage", &scenario("outage"), "", &[WIDE, NARROW, SMALL]);
    whole("subnet_first_run", &scenario("first_run"), "", &[NARROW, SMALL]);
    whole("subnet_sandbox", &practice_console(), "", &[NARROW, SMALL]);
    whole("subnet_swept", &swept_subnet(), "j j v v", &[SMALL]);
    whole("subnet_beside_detail", &swept_subnet(), "/ text:test:late enter", &[BESIDE]);
    whole("subnet_saved", &saved(), "", &[SMALL]);
    whole("frozen_outage", &outage(), "space", &[SMALL]);
    let mut never_connected = opened(nobody());
    lost(&mut never_connected);
    pass(&mut never_connected, 2);
    whole("never_connected", &never_connected, "", &[SMALL]);
}

#[test]
fn the_other_views() {
    whole("detail_drift", &scenario("drift"), "enter", &[WIDE, NARROW, SMALL]);
    whole("detail_hostile", &scenario("hostile"), "enter", &[SMALL]);
    whole("you_drift", &scenario("drift"), "u", &[WIDE, NARROW, SMALL]);
    whole("you_first_run", &scenario("first_run"), "u", &[SMALL]);
    whole("you_not_visible_end", &seen(false), "G", &[SMALL]);
    whole("logs_hostile", &scenario("hostile"), "L", &[NARROW, SMALL]);
    whole("help", &scenario("drift"), "?", &[NARROW, SMALL]);
    whole("map", &on_the_map(), "", &[WIDE, SMALL]);
    whole("map_large", &large_map(), "", &[SMALL]);
    whole("palette", &scenario("drift"), ": text:ex", &[SMALL]);
}

#[test]
fn what_the_banner_says_of_commits_and_rotations() {
    let same = values(42, false);
    whole("banner_surprise", &surprised(&same, &[], Some(other(99, HEAD + 3))), "", &[SMALL]);
    let mut among_others = reverted();
    lost(&mut among_others);
    whole("banner_among_others", &among_others, "space", &[NARROW, SMALL]);
}

#[test]
fn the_dialogs_of_a_commit() {
    whole("commit", &deciding(plan()), "", &[WIDE, SMALL]);
    whole("commit_scrolled", &deciding(plan()), "pgdn", &[SMALL]);
    let mut password = ready();
    confirmed(&mut password, Locked::Password);
    whole("commit_password", &password, "", &[SMALL]);
    whole("commit_retracted", &troubled(), "", &[SMALL]);
    whole("commit_armed", &awaiting(), "", &[SMALL]);
    let mut over = under_way(2);
    ended(&mut over, Ended::Committed(receipt()));
    whole("commit_over", &over, "", &[SMALL]);
    whole("leaving", &under_way(3), "esc q", &[SMALL]);
    whole("self_test", &in_you(), "T", &[NARROW, SMALL]);
}

#[test]
fn the_dialogs_of_a_rotation() {
    whole("rotate_what", &untouched(), "R", &[SMALL]);
    whole("rotate_keys", &entered("R down down enter"), "", &[SMALL]);
    let mut summary = entered("R enter");
    press(&mut summary, "enter enter");
    whole("rotate_summary", &summary, "", &[SMALL]);
    whole("rotation_grace", &shown(&in_grace()), "", &[WIDE, SMALL]);
    let mut publishes = shown(&way_to(4));
    asks_to_publish(&mut publishes, plan(), Locked::Open);
    whole("rotation_publish", &publishes, "", &[SMALL]);
    let mut env = shown(&way_to(8));
    asks_for_env(&mut env, Some("/home/grail/grail/.env"));
    whole("rotation_env", &env, "", &[SMALL]);
    let mut revoke = shown(&[leaked(), Event::Staged]);
    asks(&mut revoke, Question::Revoke { side: Side::Write });
    whole("rotation_revoke", &revoke, "", &[SMALL]);
    let mut accept = shown(&different());
    asks(&mut accept, Question::Accept);
    whole("rotation_accept", &accept, "", &[SMALL]);
    whole("rotation_turn_back", &shown(&in_grace()), "b", &[SMALL]);
    let mut over = shown(&in_grace());
    stands(&mut over, &way());
    whole("rotation_over", &over, "", &[SMALL]);
}

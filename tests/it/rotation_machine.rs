//! The rotation machine, one transition at a time.

use grail_console::domain::rotation::{
    ChainFacts, Change, CommitEnd, EnvUpdate, Event, Grace, History, Phase, Replacement, Rotation, Seen, Side, Step,
};

use crate::rotation_fixtures::{
    GRACE, after, at, began, begun, chain, emergency, entries, extrinsic, finalized, first_write, foreign, grace, key,
    new_on_chain, old_on_chain, old_read, read_change, refused, way, way_to, write_at, write_change,
};
use crate::rotation_table::{OPEN, sample};

#[test]
fn nothing_follows_on_an_end() {
    let retired = after(at(Phase::Grace), &[refused(Side::Read), Event::Retiring, Event::Retired]);
    let given_up = after(at(Phase::Draft), &[Event::TurnedBack, Event::Forgetting, Event::Abandoned]);
    let rolled_back = after(
        at(Phase::Finalized),
        &[
            Event::TurnedBack,
            Event::Signing { before: new_on_chain() },
            finalized(1_100),
            Event::Promoted,
            Event::EnvUpdated { how: EnvUpdate::Already },
            Event::RolledBack,
        ],
    );
    let ends = [(retired, Phase::Retired), (given_up, Phase::Abandoned), (rolled_back, Phase::RolledBack)];
    for (end, phase) in ends {
        assert_eq!((end.phase, end.step(), end.can_roll_back()), (phase, Step::Done, false));
        let mut events: Vec<Event> = way().into_iter().map(|(_, event)| event).collect();
        let never = ["unsent", "different", "reverted", "refused", "retired", "turned_back", "forgetting", "abandoned"];
        events.extend(never.map(sample));
        for event in events {
            assert!(end.clone().apply(&event, 1).is_err(), "{event:?} on {phase:?}");
        }
    }
}

/// The step that each phase asks for, in order, until the end.
fn steps(mut rotation: Rotation, events: &[Event]) -> Vec<Step> {
    let mut steps = vec![rotation.step()];
    for event in events {
        rotation = after(rotation, std::slice::from_ref(event));
        if steps.last() != Some(&rotation.step()) {
            steps.push(rotation.step());
        }
    }
    steps
}

#[test]
fn a_read_key_goes_forward_step_by_step() {
    let mut events: Vec<Event> = way().into_iter().map(|(_, event)| event).collect();
    events.extend([refused(Side::Read), Event::Retiring, Event::Retired]);
    let forward = [
        Step::Stage,
        Step::Probe,
        Step::Plan,
        Step::Publish,
        Step::Settle,
        Step::Promote(3),
        Step::UpdateEnv,
        Step::BeginGrace,
        Step::Retire,
        Step::ForgetOld,
        Step::Done,
    ];
    assert_eq!(steps(begun(&began(read_change(), None)), &events), forward);
}

#[test]
fn a_write_key_is_never_committed() {
    let events = [
        Event::Staged,
        Event::Probed { found: vec![] },
        Event::Promoted,
        Event::EnvUpdated { how: EnvUpdate::Undefined },
        grace(50),
    ];
    let forward = [Step::Stage, Step::Probe, Step::Promote(3), Step::UpdateEnv, Step::BeginGrace, Step::Retire];
    let rotation = begun(&began(None, write_change()));
    assert_eq!(steps(rotation.clone(), &events), forward);
    let committing = [Phase::Planned, Phase::Signed, Phase::Submitted, Phase::Finalized];
    assert!(!rotation.steps().iter().any(|phase| committing.contains(phase)));
    let read_way = begun(&began(read_change(), None)).steps();
    assert_eq!(read_way, Phase::WAY);
}

#[test]
fn both_keys_go_the_way_of_the_read_key_and_both_old_ones_are_to_be_refused() {
    let events: Vec<Event> = way().into_iter().map(|(_, event)| event).collect();
    let both = after(begun(&began(read_change(), write_change())), &events);
    assert_eq!(both.unrefused(), Some(Side::Read));
    let half = after(both, &[refused(Side::Read)]);
    assert_eq!(half.unrefused(), Some(Side::Write));
    assert!(half.clone().apply(&Event::Retiring, 1).is_err(), "the old write key may still work");
    let whole = after(half, &[refused(Side::Write), Event::Retiring]);
    assert_eq!(whole.step(), Step::ForgetOld);
}

#[test]
fn a_first_write_key_has_no_old_one_to_wait_for() {
    let events = [
        Event::Staged,
        Event::Probed { found: vec![] },
        Event::Promoted,
        Event::EnvUpdated { how: EnvUpdate::Already },
        grace(50),
        Event::Retiring,
        Event::Retired,
    ];
    assert_eq!(after(begun(&began(None, first_write())), &events).phase, Phase::Retired);
}

#[test]
fn in_an_emergency_the_old_keys_are_refused_before_anything_else_and_there_is_no_grace() {
    let rotation = after(begun(&emergency(read_change(), write_change())), &[Event::Staged]);
    assert_eq!(rotation.step(), Step::Revoke(Side::Read));
    assert!(rotation.clone().apply(&Event::Probed { found: vec![] }, 1).is_err());
    let half = after(rotation, &[refused(Side::Read)]);
    assert_eq!(half.step(), Step::Revoke(Side::Write));
    let revoked = after(half, &[refused(Side::Write)]);
    assert_eq!(revoked.step(), Step::Probe);
    let events: Vec<Event> = way().into_iter().skip(1).map(|(_, event)| event).take(7).collect();
    let env = after(revoked, &events);
    assert_eq!(env.step(), Step::BeginGrace);
    let counted = env.heard(&chain(1_100, new_on_chain())).unwrap();
    assert_eq!(counted, Event::GraceBegan { from: 1_100, ends_at: 1_100 });
    assert_eq!(after(env, &[counted]).step(), Step::Retire);
}

#[test]
fn a_grace_is_never_shorter_than_was_said_and_is_counted_anew_only_from_a_later_block() {
    let rotation = at(Phase::EnvUpdated);
    let short = Event::GraceBegan { from: 1_010, ends_at: 1_010 + GRACE - 1 };
    assert!(rotation.clone().apply(&short, 1).is_err());
    let counted = after(rotation, &[grace(1_010)]);
    assert_eq!(counted.grace, Some(Grace { from: 1_010, ends_at: 1_010 + GRACE }));
    assert!(counted.clone().apply(&grace(1_010), 1).is_err());
    assert_eq!(after(counted, &[grace(1_011)]).grace, Some(Grace { from: 1_011, ends_at: 1_011 + GRACE }));
}

#[test]
fn the_grace_is_counted_from_the_present_block_and_not_from_the_finalized_one() {
    let mut late = chain(1_100, new_on_chain());
    late.age_ms = 290_000;
    let from = 1_100 + 25;
    let expected = Event::GraceBegan { from, ends_at: from + GRACE };
    assert_eq!(at(Phase::EnvUpdated).heard(&late), Some(expected));
}

#[test]
fn a_key_that_was_put_on_chain_again_during_the_grace_has_its_grace_counted_anew() {
    let rotation = at(Phase::Grace);
    let mut again = chain(1_200, new_on_chain());
    assert_eq!(rotation.heard(&again), None);
    again.set_at = Some(1_011);
    let counted = rotation.heard(&again).unwrap();
    assert_eq!(counted, Event::GraceBegan { from: 1_203, ends_at: 1_203 + GRACE });
    assert_eq!(after(rotation, &[counted]).heard(&again), None, "once");
}

#[test]
fn it_turns_back_from_each_phase_to_where_the_old_keys_still_are() {
    for phase in OPEN {
        let back = after(at(phase), &[Event::TurnedBack]);
        let step = match phase {
            Phase::Draft | Phase::Staged | Phase::Probed | Phase::Planned => Step::ForgetNew,
            Phase::Signed | Phase::Submitted => Step::Settle,
            _ => Step::Publish,
        };
        assert_eq!((back.step(), back.target()), (step, 2), "{phase:?}");
        assert!(back.grace.is_none() && !back.can_roll_back(), "{phase:?}");
    }
}

#[test]
fn a_write_key_that_is_in_use_turns_back_in_vault_and_env_alone() {
    for phase in [Phase::Promoted, Phase::EnvUpdated, Phase::Grace] {
        let back = after(write_at(phase), &[Event::TurnedBack]);
        let events = [Event::Promoted, Event::EnvUpdated { how: EnvUpdate::Rewritten }, Event::RolledBack];
        let way = [Step::Promote(2), Step::UpdateEnv, Step::FinishBack, Step::Done];
        assert_eq!(steps(back, &events), way, "{phase:?}");
    }
    for phase in [Phase::Draft, Phase::Staged, Phase::Probed] {
        assert_eq!(after(write_at(phase), &[Event::TurnedBack]).step(), Step::ForgetNew, "{phase:?}");
    }
}

#[test]
fn a_commit_that_lands_after_turning_back_is_published_over() {
    for phase in [Phase::Signed, Phase::Submitted] {
        let landed = after(at(phase), &[Event::TurnedBack, finalized(1_000)]);
        assert_eq!((landed.phase, landed.step()), (Phase::Planned, Step::Publish), "{phase:?}");
        assert!(landed.published && landed.back);
        let over = [Event::Signing { before: new_on_chain() }, finalized(1_050)];
        assert_eq!(after(landed, &over).step(), Step::Promote(2), "{phase:?}");
    }
}

#[test]
fn a_commit_that_expires_after_turning_back_leaves_nothing_but_to_forget_the_new_key() {
    for phase in [Phase::Signed, Phase::Submitted] {
        let events = [Event::TurnedBack, Event::Unsent { why: "its era is over".to_owned() }];
        let dead = after(at(phase), &events);
        assert_eq!((dead.step(), dead.published), (Step::ForgetNew, false), "{phase:?}");
        assert!(dead.clone().apply(&Event::Signing { before: old_on_chain() }, 1).is_err());
        assert_eq!(after(dead, &[Event::Forgetting, Event::Abandoned]).phase, Phase::Abandoned);
    }
}

#[test]
fn whoever_turns_back_to_a_key_that_the_store_refuses_turns_round_again() {
    let back = after(at(Phase::Grace), &[Event::TurnedBack]);
    let round = after(back.clone(), &[refused(Side::Read)]);
    assert_eq!((round.back, round.step()), (false, Step::Publish));
    assert!(!round.can_roll_back());
    // The old key was published already: the new one goes over it.
    let old_final = [Event::Signing { before: new_on_chain() }, finalized(1_300), Event::Promoted];
    let late = after(after(back.clone(), &old_final), &[refused(Side::Read)]);
    assert_eq!((late.back, late.step(), late.finalized), (false, Step::Publish, None));
    // It is on its way: first it is settled.
    let sent = after(back, &[Event::Signing { before: new_on_chain() }, refused(Side::Read)]);
    assert_eq!((sent.back, sent.step()), (false, Step::Settle));
    assert_eq!(after(sent, &[finalized(1_300)]).step(), Step::Publish);
    let write = after(write_at(Phase::Grace), &[Event::TurnedBack, refused(Side::Write)]);
    assert_eq!((write.back, write.step()), (false, Step::Promote(3)));
}

#[test]
fn there_is_no_way_back_to_a_refused_key_nor_to_none() {
    for phase in OPEN {
        let out = !matches!(phase, Phase::Draft | Phase::Staged | Phase::Probed | Phase::Planned);
        assert_eq!(after(at(phase), &[refused(Side::Read)]).can_roll_back(), !out, "{phase:?}");
        let first = Some(Replacement { old: None, ..read_change().unwrap() });
        let to_phase = way_to(phase);
        let seen_nothing = |event: Event| match event {
            Event::Planned { .. } => Event::Planned { seen: Seen::Nothing },
            Event::Signing { .. } => Event::Signing { before: Seen::Nothing },
            event => event,
        };
        let events: Vec<Event> = to_phase.into_iter().map(seen_nothing).collect();
        assert_eq!(after(begun(&began(first, None)), &events).can_roll_back(), !out, "{phase:?}, the first key");
    }
}

#[test]
fn a_reverted_commitment_is_published_again_from_each_phase_in_which_it_is_watched() {
    for phase in [Phase::Finalized, Phase::Promoted, Phase::EnvUpdated, Phase::Grace] {
        let rotation = at(phase);
        let heard = rotation.heard(&chain(1_200, old_on_chain())).unwrap();
        assert_eq!(heard, Event::Reverted { block: 1_200, seen: old_on_chain() });
        let reverted = after(rotation.clone(), &[heard]);
        assert_eq!(
            (reverted.phase, reverted.step(), reverted.grace),
            (Phase::Planned, Step::Publish, None),
            "{phase:?}"
        );
        assert_eq!((reverted.published, reverted.difference), (true, None));
        let held = Event::Reverted { block: 1_200, seen: new_on_chain() };
        assert!(rotation.clone().apply(&held, 1).is_err(), "it holds what it should");
        let usurped = after(rotation, &[Event::Reverted { block: 1_200, seen: foreign() }]);
        assert_eq!((usurped.step(), usurped.difference), (Step::Accept, Some(foreign())), "{phase:?}");
    }
}

#[test]
fn once_it_is_decided_to_forget_the_old_key_a_revert_is_no_matter_of_this_rotation() {
    let decided = after(at(Phase::Grace), &[refused(Side::Read), Event::Retiring]);
    assert_eq!(decided.heard(&chain(2_000, old_on_chain())), None);
    assert!(decided.clone().apply(&Event::Reverted { block: 2_000, seen: old_on_chain() }, 1).is_err());
    assert!(!decided.can_roll_back());
    assert!(decided.retirable(&grail_console::domain::rotation::Facts::default()).is_ok(), "nothing holds it up");
}

#[test]
fn a_difference_stops_until_the_operator_accepts_that_very_one() {
    let different = after(at(Phase::Planned), &[Event::Different { seen: foreign() }]);
    assert_eq!(different.step(), Step::Accept);
    assert!(different.clone().apply(&Event::Signing { before: foreign() }, 1).is_err());
    assert!(different.clone().apply(&Event::Accepted { seen: Seen::Unreadable }, 1).is_err());
    let accepted = after(different.clone(), &[Event::Accepted { seen: foreign() }]);
    assert_eq!(accepted.step(), Step::Publish);
    assert_eq!(accepted.heard(&chain(900, foreign())), None, "it is not asked twice");
    assert_eq!(accepted.heard(&chain(900, Seen::Unreadable)), Some(Event::Different { seen: Seen::Unreadable }));
    assert!(accepted.clone().apply(&Event::Signing { before: Seen::Unreadable }, 1).is_err());
    let published = after(accepted, &[Event::Signing { before: foreign() }, finalized(950)]);
    let again = after(published, &[Event::Reverted { block: 990, seen: foreign() }]);
    assert_eq!(again.step(), Step::Accept, "who puts it there again is asked about again");
    // It is gone before anybody looked at it.
    let gone = different.heard(&chain(900, old_on_chain())).unwrap();
    assert_eq!(gone, Event::Planned { seen: old_on_chain() });
    assert_eq!(after(different, &[gone]).step(), Step::Publish);
}

#[test]
fn what_a_plan_meets_on_chain_is_a_difference_unless_it_is_old_or_new() {
    for (seen, step) in [
        (old_on_chain(), Step::Publish),
        (new_on_chain(), Step::Publish),
        (foreign(), Step::Accept),
        (Seen::Nothing, Step::Accept),
        (Seen::Unreadable, Step::Accept),
    ] {
        let planned = at(Phase::Probed).heard(&chain(900, seen)).unwrap();
        assert_eq!(after(at(Phase::Probed), &[planned]).step(), step, "{seen}");
    }
    let there = at(Phase::Planned).heard(&chain(900, new_on_chain())).unwrap();
    assert_eq!(there, Event::Finalized { extrinsic: None, block: 1_000 }, "it is there: nothing is sent");
}

#[test]
fn what_became_of_a_commit_is_decided_by_the_chain_alone() {
    let dead = CommitEnd::Dead { why: "its era is over".to_owned() };
    let landed = CommitEnd::Landed { extrinsic: extrinsic(), block: 990 };
    let unsent = || Some("unsent");
    for phase in [Phase::Signed, Phase::Submitted] {
        let table = [
            (&landed, new_on_chain(), Some("finalized")),
            (&landed, old_on_chain(), Some("finalized")),
            (&landed, foreign(), Some("finalized")),
            (&CommitEnd::Alive, new_on_chain(), Some("finalized")),
            (&CommitEnd::Alive, old_on_chain(), None),
            (&CommitEnd::Alive, foreign(), None),
            (&CommitEnd::Alive, Seen::Nothing, None),
            (&dead, new_on_chain(), Some("finalized")),
            (&dead, old_on_chain(), unsent()),
            (&dead, foreign(), Some("different")),
            (&dead, Seen::Nothing, Some("different")),
            (&CommitEnd::NeverSigned, new_on_chain(), Some("finalized")),
            (&CommitEnd::NeverSigned, old_on_chain(), unsent()),
            (&CommitEnd::NeverSigned, Seen::Unreadable, Some("different")),
        ];
        for (end, seen, expected) in table {
            let rotation = at(phase);
            let event = rotation.reconcile(&chain(1_000, seen), end);
            let name = event.as_ref().map(|event| match event {
                Event::Finalized { .. } => "finalized",
                Event::Unsent { .. } => "unsent",
                Event::Different { .. } => "different",
                other => panic!("{other:?}"),
            });
            assert_eq!(name, expected, "{end:?} while the chain holds {seen}");
            if let Some(event) = event {
                after(rotation.clone(), &[event]);
            }
            let mut history = chain(1_000, seen);
            history.age_ms = 300_001;
            assert_eq!(rotation.reconcile(&history, end), None, "an old head decides nothing");
            assert_eq!(rotation.heard(&history), None);
        }
    }
    for phase in [Phase::Draft, Phase::Planned, Phase::Finalized, Phase::Grace] {
        assert_eq!(
            at(phase).reconcile(&chain(1_000, old_on_chain()), &dead),
            None,
            "{phase:?}: no commit is under way"
        );
    }
}

#[test]
fn a_commit_of_the_old_key_is_settled_by_the_old_key() {
    let sent = after(at(Phase::Grace), &[Event::TurnedBack, Event::Signing { before: new_on_chain() }]);
    let alive = CommitEnd::Alive;
    assert!(matches!(sent.reconcile(&chain(1_300, old_on_chain()), &alive), Some(Event::Finalized { .. })));
    assert_eq!(sent.reconcile(&chain(1_300, new_on_chain()), &alive), None);
    let dead = sent.reconcile(&chain(1_300, new_on_chain()), &CommitEnd::NeverSigned);
    assert!(matches!(dead, Some(Event::Unsent { .. })));
}

#[test]
fn a_rotation_begins_with_something_new_and_never_with_a_key_of_the_same_id() {
    assert_eq!(Rotation::begin(&began(None, None), 1), None, "nothing changes");
    let rolled = Some(Replacement { old: Some(old_read()), new: key("0ld0read0000000000000000000000aa", "rolled") });
    assert_eq!(Rotation::begin(&began(rolled, None), 1), None, "rolled in place");
    let Event::Began { from, backend, locator, change, grace_blocks, .. } = began(read_change(), None) else {
        unreachable!("it is what began makes")
    };
    let older = Event::Began { from, to: from, backend, locator, change, grace_blocks, emergency: false };
    assert_eq!(Rotation::begin(&older, 1), None, "generations only grow");
    assert_eq!(Rotation::begin(&Event::Staged, 1), None);
    let sides: Vec<Side> =
        Change { read: read_change(), write: write_change() }.sides().map(|(side, _)| side).collect();
    assert_eq!(sides, [Side::Read, Side::Write]);
}

#[test]
fn a_journal_is_folded_rotation_after_rotation_with_numbers_that_only_grow() {
    let given_up = [Event::TurnedBack, Event::Forgetting, Event::Abandoned];
    let journal = |numbers: &[(u64, u64)]| {
        let mut events = Vec::new();
        for (from, to) in numbers {
            let Event::Began { backend, locator, change, grace_blocks, .. } = began(read_change(), None) else {
                unreachable!("it is what began makes")
            };
            let (from, to) = (*from, *to);
            events.push(Event::Began { from, to, backend, locator, change, grace_blocks, emergency: false });
            events.extend(given_up.clone());
        }
        entries(events)
    };
    let history = History::fold(&journal(&[(2, 3), (2, 4), (2, 9)])).unwrap();
    assert_eq!((history.closed.len(), history.open.is_none(), history.highest()), (3, true, 9));
    assert!(History::fold(&journal(&[(2, 3), (2, 3)])).is_err(), "a number is given out once");
    assert!(History::fold(&journal(&[(2, 5), (3, 4)])).is_err());
    let error = History::fold(&entries(vec![Event::Staged])).unwrap_err();
    assert_eq!(error.phase, "a journal in which nothing is open");
    let twice = entries(vec![began(read_change(), None), began(read_change(), None)]);
    assert!(History::fold(&twice).is_err(), "one at a time");
    assert_eq!(History::fold(&[]).unwrap().highest(), 0);
}

#[test]
fn since_is_the_time_of_the_phase_and_not_of_every_event() {
    let mut rotation = at(Phase::Promoted);
    let since = rotation.since_ms;
    rotation.apply(&Event::EnvIntended, since + 5_000).unwrap();
    assert_eq!((rotation.since_ms, rotation.env_begun), (since, true));
    rotation.apply(&Event::EnvUpdated { how: EnvUpdate::Rewritten }, since + 6_000).unwrap();
    assert_eq!(rotation.since_ms, since + 6_000);
    assert_eq!(rotation.began_ms, 1_000);
}

/// The chain is heard before anything else follows from it, once.
#[test]
fn that_a_key_is_uid_0s_is_written_down_at_the_first_look_at_the_chain() {
    for phase in [Phase::Draft, Phase::Probed, Phase::Planned, Phase::Finalized, Phase::Grace] {
        let chain = ChainFacts { uid: Some(0), ..chain(2_000, old_on_chain()) };
        let rotation = at(phase);
        assert_eq!(rotation.heard(&chain), Some(Event::Pinned), "{phase}");
        let pinned = after(rotation, &[Event::Pinned]);
        assert_ne!(pinned.heard(&chain), Some(Event::Pinned), "{phase}");
        assert!(pinned.clone().apply(&Event::Pinned, 1).is_err(), "{phase}: once");
    }
}

#[test]
fn the_word_that_all_were_restarted_counts_in_the_grace_of_a_pinned_key_alone() {
    assert!(at(Phase::Grace).apply(&Event::AllRestarted, 1).is_err(), "nobody pinned it");
    for phase in [Phase::Staged, Phase::Planned, Phase::Finalized, Phase::EnvUpdated] {
        let mut pinned = after(at(phase), &[Event::Pinned]);
        assert!(pinned.apply(&Event::AllRestarted, 1).is_err(), "{phase}: the new key may not be on chain yet");
    }
}

#[test]
fn the_word_is_forgotten_when_something_else_was_on_chain_since() {
    let restarted = after(at(Phase::Grace), &[Event::Pinned, Event::AllRestarted]);
    assert!(restarted.all_restarted);
    let reverted = after(restarted.clone(), &[Event::Reverted { block: 1_500, seen: old_on_chain() }]);
    assert!(!reverted.all_restarted && reverted.is_pinned, "who was started meanwhile took the old key");
    let again = after(restarted, &[Event::GraceBegan { from: 1_600, ends_at: 1_600 + GRACE }]);
    assert!(!again.all_restarted);
}

//! What must be so before old keys are forgotten or used again, and how a rotation is told.

use std::collections::BTreeSet;

use grail_console::domain::diagnostic::Diagnostic;
use grail_console::domain::rotation::{
    EnvStands, EnvUpdate, Event, Facts, KeyAnswer, LEAST_GRACE, Phase, Report, Rotation, Side, Step,
};
use grail_console::domain::vault_index::Backend;

use crate::rotation_fixtures::{
    CANARIES, GRACE, after, all_holds, at, began, begun, chain, emergency, entries, extrinsic, foreign, new_on_chain,
    no, old_on_chain, read_change, refused, way, write_at, write_change,
};

fn codes(rotation: &Rotation, facts: &Facts) -> Vec<&'static str> {
    let blockers = rotation.retirable(facts).err().unwrap_or_default();
    blockers.iter().map(|blocker| blocker.code).collect()
}

/// One thing that is not so, and the name under which it is told.
type Missing = (&'static str, fn(&mut Facts));

/// Whatever may be missing, one change of the facts each. The last ones are the old key's.
const MISSING: [Missing; 17] = [
    ("chain_unreachable", |facts| facts.chain = None),
    ("chain_unreachable", |facts| facts.chain = Some(Err("refused".to_owned()))),
    ("stale_head", |facts| facts.chain.as_mut().unwrap().as_mut().unwrap().age_ms = 300_001),
    ("chain_not_new", |facts| facts.chain.as_mut().unwrap().as_mut().unwrap().seen = old_on_chain()),
    ("chain_not_new", |facts| facts.chain.as_mut().unwrap().as_mut().unwrap().seen = foreign()),
    ("grace_running", |facts| facts.chain.as_mut().unwrap().as_mut().unwrap().finalized = 1_010 + GRACE - 1),
    ("grace_running", |facts| facts.chain.as_mut().unwrap().as_mut().unwrap().set_at = Some(1_011)),
    ("env_not_updated", |facts| facts.env = None),
    ("env_not_updated", |facts| facts.env = Some(EnvStands::Other)),
    ("env_not_updated", |facts| facts.env = Some(EnvStands::Unnamed)),
    ("env_not_updated", |facts| facts.env = Some(EnvStands::Unreadable("permission denied".to_owned()))),
    ("new_key_unreadable", |facts| facts.new.clear()),
    ("new_key_unreadable", |facts| facts.new = vec![(Side::Read, no())]),
    ("new_key_unreadable", |facts| facts.new = vec![(Side::Read, KeyAnswer::Unclear("timed out".to_owned()))]),
    ("old_key_still_works", |facts| facts.old = vec![(Side::Read, KeyAnswer::Works)]),
    ("old_key_unproven", |facts| facts.old = vec![(Side::Read, KeyAnswer::Unclear("timed out".to_owned()))]),
    ("old_key_unproven", |facts| facts.old.clear()),
];
/// How many of them are not the old key's.
const OTHERS: usize = 14;

#[test]
fn an_old_key_may_be_forgotten_when_everything_holds() {
    assert!(at(Phase::Grace).retirable(&all_holds()).is_ok());
    let mut undefined = all_holds();
    undefined.env = Some(EnvStands::Undefined);
    assert!(at(Phase::Grace).retirable(&undefined).is_ok(), "GRAIL gets its keys from the vault");
}

/// With uid 0 on chain, and an old key that is still read with.
fn of_uid_0() -> Facts {
    let mut facts = all_holds();
    facts.chain.as_mut().unwrap().as_mut().unwrap().uid = Some(0);
    facts.old = vec![(Side::Read, KeyAnswer::Works)];
    facts
}

/// Every process of the subnet keeps it from its start (FACTS 5): as long as one was not restarted, nobody is told to revoke.
#[test]
fn uid_0s_old_key_is_retired_by_no_grace_but_by_the_word_that_all_were_restarted() {
    let mut facts = of_uid_0();
    facts.chain.as_mut().unwrap().as_mut().unwrap().finalized = 10_000_000;
    assert_eq!(codes(&at(Phase::Grace), &facts), ["pinned_key"], "though the journal does not say so yet");
    let pinned = after(at(Phase::Grace), &[Event::Pinned]);
    assert_eq!(codes(&pinned, &facts), ["pinned_key"]);
    let elsewhere = Facts { chain: Some(Ok(chain(2_000, new_on_chain()))), ..facts.clone() };
    assert_eq!(codes(&pinned, &elsewhere), ["pinned_key"], "whoever took it keeps it, whatever became of the uid");
    assert_eq!(codes(&after(pinned, &[Event::AllRestarted]), &facts), ["old_key_still_works"]);
}

#[test]
fn an_old_key_of_uid_0_that_the_store_refuses_is_read_with_by_nobody() {
    let mut facts = of_uid_0();
    facts.old = vec![(Side::Read, no())];
    assert!(after(at(Phase::Grace), &[Event::Pinned]).retirable(&facts).is_ok());
}

#[test]
fn a_write_key_of_uid_0_is_pinned_by_nobody() {
    let rotation = write_at(Phase::Grace);
    let chain = Facts { old: Vec::new(), ..of_uid_0() }.chain.unwrap().unwrap();
    assert_ne!(rotation.heard(&chain), Some(Event::Pinned));
}

#[test]
fn what_comes_next_of_uid_0s_key_says_whom_to_restart() {
    let pinned = after(at(Phase::Grace), &[Event::Pinned]);
    let running = pinned.next(Some(1_010)).words;
    assert!(running.ends_with(" from now, and until every miner and validator was restarted."), "{running}");
    let over = pinned.next(Some(2_000));
    assert!(over.asks && over.words.contains("rotate retire --all-restarted"), "{}", over.words);
    let word = after(pinned, &[Event::AllRestarted]);
    assert!(!word.next(Some(2_000)).words.contains("restarted"));
}

#[test]
fn each_condition_that_alone_does_not_hold_is_named_alone() {
    for (code, spoil) in MISSING {
        let mut facts = all_holds();
        spoil(&mut facts);
        assert_eq!(codes(&at(Phase::Grace), &facts), [code]);
    }
}

#[test]
fn conditions_that_do_not_hold_together_are_all_named_and_nobody_is_told_to_revoke() {
    for first in MISSING {
        for second in MISSING {
            let mut facts = all_holds();
            let both = [first, second];
            for (code, spoil) in both {
                // What the chain says of its commitment is nothing while it says nothing at all.
                let silent = !matches!(facts.chain, Some(Ok(_)));
                if !(silent && ["stale_head", "chain_not_new", "grace_running"].contains(&code)) {
                    spoil(&mut facts);
                }
            }
            let blockers = at(Phase::Grace).retirable(&facts).unwrap_err();
            let told: BTreeSet<_> = blockers.iter().map(|blocker| blocker.code).collect();
            let others = both.iter().filter(|(code, _)| !code.starts_with("old_key")).count();
            if others == 0 {
                assert!(told.iter().all(|code| code.starts_with("old_key")), "{told:?}");
            } else {
                assert!(!told.iter().any(|code| code.starts_with("old_key")), "{told:?}");
                assert!(!asks_to_revoke(&blockers), "{blockers:?}");
            }
            // A node that cannot be believed at all hides the rest of what it says.
            let believed = matches!(&facts.chain, Some(Ok(chain)) if chain.age_ms <= 300_000);
            for (code, _) in both.iter().filter(|_| others == 2 && believed) {
                assert!(told.contains(code), "{code} of {told:?}");
            }
        }
    }
    assert_eq!(MISSING[..OTHERS].iter().filter(|(code, _)| code.starts_with("old_key")).count(), 0);
}

fn asks_to_revoke(blockers: &[Diagnostic]) -> bool {
    blockers.iter().any(|blocker| blocker.help.contains("revoke") || blocker.summary.contains("revoke"))
}

#[test]
fn only_a_key_that_was_seen_to_work_is_one_to_revoke() {
    let mut facts = all_holds();
    for (answer, asks) in [(Some(KeyAnswer::Works), true), (None, false), (Some(KeyAnswer::Unclear("?".into())), false)]
    {
        facts.old = answer.into_iter().map(|answer| (Side::Read, answer)).collect();
        assert_eq!(asks_to_revoke(&at(Phase::Grace).retirable(&facts).unwrap_err()), asks);
    }
}

#[test]
fn an_old_key_that_the_vault_lost_is_retired_and_the_journal_says_so_where_the_new_one_works() {
    let mut facts = all_holds();
    facts.old = vec![(Side::Read, KeyAnswer::Gone)];
    let grace = at(Phase::Grace);
    assert!(grace.retirable(&facts).is_ok());
    assert_eq!(grace.refusals(&facts), [Event::Lost { side: Side::Read }]);
    let lost = after(grace.clone(), &[Event::Lost { side: Side::Read }]);
    assert!(!lost.can_roll_back(), "there is nothing to go back to");
    assert_eq!(after(lost, &[Event::Retiring, Event::Retired]).phase, Phase::Retired);
    facts.new = vec![(Side::Read, KeyAnswer::Gone)];
    assert_eq!(codes(&grace, &facts), ["new_key_unreadable"]);
    assert_eq!(grace.refusals(&facts), [], "a store that lost both may come back");
    assert_eq!(grace.back_blockers(&facts)[0].code, "old_key_unusable");
}

#[test]
fn on_the_way_back_a_lost_old_key_turns_the_rotation_round() {
    let back = after(at(Phase::Grace), &[Event::TurnedBack]);
    let forward = after(back, &[Event::Lost { side: Side::Read }]);
    assert!(!forward.back);
}

#[test]
fn nothing_is_retired_before_the_grace() {
    let mut facts = all_holds();
    facts.old = vec![(Side::Read, KeyAnswer::Works)];
    for (phase, _) in way() {
        if phase < Phase::Grace {
            assert_eq!(codes(&at(phase), &facts), ["not_in_grace"], "{phase:?}");
        }
    }
    let back = after(at(Phase::Grace), &[Event::TurnedBack]);
    let blockers = back.retirable(&facts).unwrap_err();
    assert!(blockers[0].help.contains("rolled back"), "{blockers:?}");
    let over = after(at(Phase::Draft), &[Event::TurnedBack, Event::Forgetting, Event::Abandoned]);
    assert_eq!(over.retirable(&facts).unwrap_err()[0].help, "It is over.");
}

#[test]
fn an_env_elsewhere_is_believed_only_when_no_env_is_named() {
    let mut events = crate::rotation_fixtures::way_to(Phase::Promoted);
    events.extend([Event::EnvUpdated { how: EnvUpdate::Elsewhere }, crate::rotation_fixtures::grace(1_010)]);
    let rotation = after(begun(&began(read_change(), None)), &events);
    let mut facts = all_holds();
    facts.env = Some(EnvStands::Unnamed);
    assert!(rotation.retirable(&facts).is_ok());
    facts.env = Some(EnvStands::Other);
    assert_eq!(codes(&rotation, &facts), ["env_not_updated"], "what it says counts, whatever was said of it");
}

#[test]
fn a_write_key_needs_the_chain_for_its_height_alone() {
    let mut facts = all_holds();
    facts.new = vec![(Side::Write, KeyAnswer::Works)];
    facts.old = vec![(Side::Write, no())];
    facts.chain = Some(Ok(chain(2_000, foreign())));
    assert!(write_at(Phase::Grace).retirable(&facts).is_ok());
    facts.new = vec![(Side::Write, no())];
    assert_eq!(codes(&write_at(Phase::Grace), &facts), ["new_key_cannot_write"]);
    facts.chain = None;
    assert_eq!(codes(&write_at(Phase::Grace), &facts), ["chain_unreachable", "new_key_cannot_write"]);
}

#[test]
fn of_both_old_keys_each_that_works_is_to_be_revoked() {
    let events: Vec<Event> = way().into_iter().map(|(_, event)| event).collect();
    let both = after(begun(&began(read_change(), write_change())), &events);
    let mut facts = all_holds();
    facts.new.push((Side::Write, KeyAnswer::Works));
    facts.old.push((Side::Write, KeyAnswer::Works));
    assert_eq!(codes(&both, &facts), ["old_key_still_works"]);
    assert_eq!(both.refusals(&facts), [refused(Side::Read)], "the other one's refusal is worth a line");
    assert_eq!(after(both, &[refused(Side::Read)]).refusals(&facts), []);
}

#[test]
fn a_key_that_does_not_work_now_is_no_way_back() {
    let rotation = at(Phase::Grace);
    let with = |answer| Facts { old: vec![(Side::Read, answer)], ..Facts::default() };
    assert_eq!(rotation.back_blockers(&with(KeyAnswer::Works)), []);
    for facts in [Facts::default(), with(no()), with(KeyAnswer::Unclear("timed out".to_owned()))] {
        assert_eq!(rotation.back_blockers(&facts)[0].code, "old_key_unusable");
        assert_eq!(at(Phase::Planned).back_blockers(&facts), [], "nothing of the new key is out");
    }
}

#[test]
fn phases_have_the_names_of_the_contract() {
    let names = [
        "draft",
        "staged",
        "probed",
        "planned",
        "signed",
        "submitted",
        "finalized",
        "promoted",
        "env_updated",
        "grace",
        "retired",
        "rolled_back",
        "abandoned",
    ];
    let phases = Phase::WAY.into_iter().chain([Phase::RolledBack, Phase::Abandoned]);
    for (phase, name) in phases.zip(names) {
        assert_eq!((phase.name(), serde_json::to_value(phase).unwrap()), (name, name.into()));
    }
    let json = |step: Step| serde_json::to_value(step).unwrap();
    assert_eq!(json(Step::UpdateEnv), "update_env");
    assert_eq!(json(Step::Promote(3)), serde_json::json!({"promote": 3}));
    assert_eq!(json(Step::Revoke(Side::Write)), serde_json::json!({"revoke": "write"}));
}

#[test]
fn a_grace_of_less_than_two_looks_and_a_window_is_known_as_too_short() {
    assert_eq!(LEAST_GRACE, 130);
}

/// Every rotation on the way, back and at its end.
fn everywhere() -> Vec<Rotation> {
    let mut all = Vec::new();
    for event in [began(read_change(), write_change()), emergency(read_change(), write_change())] {
        let mut rotation = begun(&event);
        let Event::Began { emergency, .. } = event else { unreachable!("it is what began makes") };
        all.push(rotation.clone());
        for (phase, event) in way() {
            if emergency && phase == Phase::Probed {
                rotation = after(rotation, &[refused(Side::Read), refused(Side::Write)]);
            }
            rotation = after(rotation, &[event]);
            all.push(rotation.clone());
            if rotation.can_roll_back() {
                all.push(after(rotation.clone(), &[Event::TurnedBack]));
            }
        }
        let refused: Vec<Event> = [Side::Read, Side::Write].map(refused).to_vec();
        let retiring = after(after(rotation, &refused), &[Event::Retiring]);
        all.extend([retiring.clone(), after(retiring, &[Event::Retired])]);
    }
    all.push(after(at(Phase::Planned), &[Event::Different { seen: foreign() }]));
    all
}

#[test]
fn nothing_that_is_said_or_written_of_a_rotation_holds_a_secret() {
    for rotation in everywhere() {
        for blockers in
            [rotation.retirable(&Facts::default()).err().unwrap_or_default(), rotation.back_blockers(&Facts::default())]
        {
            let report = Report { rotation: rotation.clone(), blockers, finalized: Some(1_100) };
            let said = format!(
                "{report:?} {} {} {:?} {}",
                serde_json::to_string(&report).unwrap(),
                report.rotation.title(),
                report.next(),
                report.blockers.iter().map(|blocker| format!("{blocker:?}")).collect::<Vec<_>>().join(" "),
            );
            assert!(!CANARIES.iter().any(|canary| said.contains(canary)), "{said}");
            assert!(!report.next().words.is_empty());
        }
    }
}

#[test]
fn each_event_has_its_words_and_none_holds_a_secret() {
    let mut events = vec![
        began(read_change(), write_change()),
        emergency(None, write_change()),
        Event::Unsent { why: "its era is over".to_owned() },
        Event::Different { seen: foreign() },
        Event::Accepted { seen: foreign() },
        Event::EnvIntended,
        Event::Reverted { block: 1_200, seen: old_on_chain() },
        refused(Side::Write),
        Event::Retiring,
        Event::Retired,
        Event::TurnedBack,
        Event::Forgetting,
        Event::Abandoned,
        Event::RolledBack,
        Event::Submitted { extrinsic: extrinsic() },
    ];
    events.extend(way().into_iter().map(|(_, event)| event));
    let mut told = BTreeSet::new();
    for entry in entries(events.clone()) {
        let line = serde_json::to_string(&entry).unwrap();
        let words = entry.event.words();
        assert!(!CANARIES.iter().any(|canary| line.contains(canary) || words.contains(canary)), "{line} {words}");
        told.insert(words);
    }
    assert_eq!(told.len(), events.len() - 1, "each its own; Submitted stands twice in the list");
    assert!(told.contains("the store refuses the old write key: 401 Unauthorized"));
    assert!(Backend::File.name().contains("encrypted"));
}

#[test]
fn what_comes_next_is_told_with_the_blocks_that_are_left() {
    let report = |finalized| Report { rotation: at(Phase::Grace), blockers: vec![], finalized };
    let running = report(Some(1_010 + GRACE - 40));
    assert_eq!((running.blocks_left(), running.next().asks), (Some(40), false));
    assert!(running.next().words.contains("#1,310, 40 blocks"), "{}", running.next().words);
    let over = report(Some(1_010 + GRACE));
    assert_eq!((over.blocks_left(), over.next().asks), (Some(0), true));
    let blind = report(None);
    assert_eq!((blind.blocks_left(), blind.next().asks), (None, false), "without a chain nothing is over");
    let asks = |rotation: &Rotation| rotation.next(None).asks;
    assert!(asks(&at(Phase::Planned)) && asks(&at(Phase::Promoted)) && !asks(&at(Phase::Draft)));
    let difference = after(at(Phase::Planned), &[Event::Different { seen: foreign() }]);
    assert!(asks(&difference) && difference.next(None).words.contains("neither old nor new"));
    assert!(new_on_chain().to_string().contains("fingerprint"));
}

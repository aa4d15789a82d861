//! Every event on every phase: a contradiction, or what can have happened.

use grail_console::domain::rotation::{EnvUpdate, Event, Phase, Rotation, Side};

use crate::rotation_fixtures::{
    after, at, began, extrinsic, finalized, foreign, grace, new_on_chain, old_on_chain, read_change, refused, write_at,
};

pub const OPEN: [Phase; 10] = [
    Phase::Draft,
    Phase::Staged,
    Phase::Probed,
    Phase::Planned,
    Phase::Signed,
    Phase::Submitted,
    Phase::Finalized,
    Phase::Promoted,
    Phase::EnvUpdated,
    Phase::Grace,
];

/// One event of each kind, as it would come next to an undisturbed rotation.
pub fn sample(name: &str) -> Event {
    match name {
        "began" => began(read_change(), None),
        "staged" => Event::Staged,
        "probed" => Event::Probed { found: vec![] },
        "planned" => Event::Planned { seen: old_on_chain() },
        "signing" => Event::Signing { before: old_on_chain() },
        "submitted" => Event::Submitted { extrinsic: extrinsic() },
        "finalized" => finalized(1_000),
        "unsent" => Event::Unsent { why: "its era is over".to_owned() },
        "different" => Event::Different { seen: foreign() },
        "accepted" => Event::Accepted { seen: foreign() },
        "promoted" => Event::Promoted,
        "env_intended" => Event::EnvIntended,
        "env_updated" => Event::EnvUpdated { how: EnvUpdate::Already },
        "grace_began" => grace(1_500),
        "reverted" => Event::Reverted { block: 1_200, seen: old_on_chain() },
        "refused" => refused(Side::Read),
        "retiring" => Event::Retiring,
        "retired" => Event::Retired,
        "turned_back" => Event::TurnedBack,
        "forgetting" => Event::Forgetting,
        "abandoned" => Event::Abandoned,
        "rolled_back" => Event::RolledBack,
        other => panic!("no event is called {other}"),
    }
}

/// Applies the sample of each row to the rotation of each column: `+` is taken, `.` is a contradiction that changes nothing.
fn check(table: &str, columns: &[Rotation]) {
    let mut rows = 0;
    for row in table.trim().lines() {
        let (name, marks) = row.trim().split_once(' ').unwrap();
        let marks: Vec<_> = marks.split_whitespace().collect();
        assert_eq!(marks.len(), columns.len(), "{name}");
        for (rotation, mark) in columns.iter().zip(marks) {
            let mut tried = rotation.clone();
            let taken = tried.apply(&sample(name), 9_000);
            assert_eq!(taken.is_ok(), mark == "+", "{name} at {:?}: {taken:?}", rotation.phase);
            if let Err(contradiction) = taken {
                assert_eq!(&tried, rotation, "{name} at {:?} changed something", rotation.phase);
                assert_eq!(contradiction.phase, rotation.phase.name());
            }
        }
        rows += 1;
    }
    assert_eq!(rows, 22, "a row for every event");
}

#[test]
fn each_event_is_taken_where_it_can_happen_on_the_way_of_a_read_key_and_nowhere_else() {
    let columns = OPEN.map(at);
    let table = "
                    # Draft Staged Probed Planned Signed Submitted Finalized Promoted EnvUpdated Grace
        began         .     .      .      .       .      .         .         .        .          .
        staged        +     .      .      .       .      .         .         .        .          .
        probed        .     +      .      .       .      .         .         .        .          .
        planned       .     .      +      +       .      .         .         .        .          .
        signing       .     .      .      +       .      .         .         .        .          .
        submitted     .     .      .      .       +      .         .         .        .          .
        finalized     .     .      .      +       +      +         .         .        .          .
        unsent        .     .      .      .       +      +         .         .        .          .
        different     .     .      .      +       +      +         .         .        .          .
        accepted      .     .      .      .       .      .         .         .        .          .
        promoted      .     .      .      .       .      .         +         .        .          .
        env_intended  .     .      .      .       .      .         .         +        .          .
        env_updated   .     .      .      .       .      .         .         +        .          .
        grace_began   .     .      .      .       .      .         .         .        +          +
        reverted      .     .      .      .       .      .         +         +        +          +
        refused       +     +      +      +       +      +         +         +        +          +
        retiring      .     .      .      .       .      .         .         .        .          .
        retired       .     .      .      .       .      .         .         .        .          .
        turned_back   +     +      +      +       +      +         +         +        +          +
        forgetting    .     .      .      .       .      .         .         .        .          .
        abandoned     .     .      .      .       .      .         .         .        .          .
        rolled_back   .     .      .      .       .      .         .         .        .          .";
    let (_heading, rows) = table.trim().split_once('\n').unwrap();
    check(rows, &columns);
}

#[test]
fn each_event_is_taken_where_it_can_happen_on_the_way_back_and_nowhere_else() {
    let back = after(at(Phase::Grace), &[Event::TurnedBack]);
    let signed = after(back.clone(), &[Event::Signing { before: new_on_chain() }]);
    let final_again = after(signed.clone(), &[finalized(1_300)]);
    let promoted = after(final_again.clone(), &[Event::Promoted]);
    let env = after(promoted.clone(), &[Event::EnvUpdated { how: EnvUpdate::Rewritten }]);
    let forgotten = after(at(Phase::Staged), &[Event::TurnedBack]);
    let forgetting = after(at(Phase::Planned), &[Event::TurnedBack, Event::Forgetting]);
    // The sample of `reverted` holds the old key, which is what is wanted on the way back.
    let table = "
                    # Planned Signed Finalized Promoted EnvUpdated NothingOut Forgetting
        began         .       .      .         .        .          .          .
        staged        .       .      .         .        .          .          .
        probed        .       .      .         .        .          .          .
        planned       +       .      .         .        .          .          .
        signing       +       .      .         .        .          .          .
        submitted     .       +      .         .        .          .          .
        finalized     +       +      .         .        .          .          .
        unsent        .       +      .         .        .          .          .
        different     +       +      .         .        .          .          .
        accepted      .       .      .         .        .          .          .
        promoted      .       .      +         .        .          .          .
        env_intended  .       .      .         +        .          .          .
        env_updated   .       .      .         +        .          .          .
        grace_began   .       .      .         .        .          .          .
        reverted      .       .      .         .        .          .          .
        refused       +       +      +         +        +          +          +
        retiring      .       .      .         .        .          .          .
        retired       .       .      .         .        .          .          .
        turned_back   .       .      .         .        .          .          .
        forgetting    .       .      .         .        .          +          +
        abandoned     .       .      .         .        .          .          +
        rolled_back   .       .      .         .        +          .          .";
    let (_heading, rows) = table.trim().split_once('\n').unwrap();
    check(rows, &[back, signed, final_again, promoted, env, forgotten, forgetting]);
}

#[test]
fn each_event_is_taken_where_it_can_happen_on_the_way_of_a_write_key_and_nowhere_else() {
    let phases = [Phase::Draft, Phase::Staged, Phase::Probed, Phase::Promoted, Phase::EnvUpdated, Phase::Grace];
    // The sample of `refused` is of the read key, of which there is none.
    let table = "
                    # Draft Staged Probed Promoted EnvUpdated Grace
        began         .     .      .      .        .          .
        staged        +     .      .      .        .          .
        probed        .     +      .      .        .          .
        planned       .     .      .      .        .          .
        signing       .     .      .      .        .          .
        submitted     .     .      .      .        .          .
        finalized     .     .      .      .        .          .
        unsent        .     .      .      .        .          .
        different     .     .      .      .        .          .
        accepted      .     .      .      .        .          .
        promoted      .     .      +      .        .          .
        env_intended  .     .      .      +        .          .
        env_updated   .     .      .      +        .          .
        grace_began   .     .      .      .        +          +
        reverted      .     .      .      .        .          .
        refused       .     .      .      .        .          .
        retiring      .     .      .      .        .          .
        retired       .     .      .      .        .          .
        turned_back   +     +      +      +        +          +
        forgetting    .     .      .      .        .          .
        abandoned     .     .      .      .        .          .
        rolled_back   .     .      .      .        .          .";
    let (_heading, rows) = table.trim().split_once('\n').unwrap();
    check(rows, &phases.map(write_at));
}

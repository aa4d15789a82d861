//! Plans and news of commits for the tests of the screens, made as the console makes them: through the guard.

use grail_console::domain::commit::messages::{Locked, News, Order, RequestId};
use grail_console::domain::commit::plan::{HotkeyState, Plan, Space, Subject};
use grail_console::domain::commit::progress::BlockId;
use grail_console::domain::commit::record::Intent;
use grail_console::domain::commit::{Ended, Progress, Receipt};
use grail_console::domain::commitment::Commitment;
use grail_console::domain::diagnostic::{Diagnostic, Severity};
use grail_console::domain::guard::{Forbidden, ReadScope, clear};
use grail_console::domain::network::{BlockHash, SANDBOX_GENESIS};
use grail_console::domain::provider::Provider;
use grail_console::domain::snapshot::BlockRef;
use grail_console::engine::service::{Event as EngineEvent, Request};
use grail_console::tui::commit::Step;
use grail_console::tui::msg::{Effect, Msg};
use grail_console::tui::state::State;
use grail_console::tui::update::update;

use crate::tui_fixtures::*;

pub const EXTRINSIC: BlockHash = BlockHash([0x9f; 32]);

/// Where the own hotkey stands: drifted, with three commits left of the epoch.
pub fn standing() -> HotkeyState {
    HotkeyState {
        chain: chain(),
        pinned: true,
        at: BlockRef { number: HEAD, hash: BlockHash([0xab; 32]), timestamp_ms: NOW_MS - 30_000 },
        uid: Some(OWN),
        commitment: Some(good(42, HEAD - 8_400)),
        space: Some(Space { used: 21 * 128, max: 3_100, epoch: 25_398, next_epoch_at: Some(HEAD + 205) }),
        nonce: 17,
        settled_nonce: 17,
    }
}

pub fn practice(standing: HotkeyState) -> HotkeyState {
    let mut standing = standing;
    standing.chain.genesis = SANDBOX_GENESIS;
    "ws://127.0.0.1:9944".clone_into(&mut standing.chain.endpoint);
    "SANDBOX".clone_into(&mut standing.chain.network);
    standing
}

pub fn subject() -> Subject {
    Subject {
        netuid: 81,
        hotkey: hotkey(u64::from(OWN)),
        wallet: Some("practice".into()),
        name: Some("miner-1".into()),
    }
}

/// The plan to publish the local values over what stands there.
pub fn plan_of(standing: HotkeyState, rotated: bool) -> Plan {
    let local = values(42, rotated);
    let cleared =
        clear(&Provider::default(), &local, standing.commitment.as_ref(), &Forbidden::of(&local), ReadScope::NotShown)
            .unwrap();
    Plan::of(subject(), standing, &cleared, NOW_MS)
}

pub fn plan() -> Plan {
    plan_of(standing(), true)
}

/// A console that may publish, its own row drifted.
pub fn ready() -> State {
    let mut state = live(own(&values(42, true)), healthy());
    state.options.read_only = false;
    state
}

pub fn news(state: &mut State, news: News) -> Vec<Effect> {
    update(state, Msg::Event(EngineEvent::Commit(news)))
}

pub fn request(state: &State) -> RequestId {
    state.commits.session.as_ref().unwrap().request
}

/// Presses `C` and hears the plan.
pub fn planned(state: &mut State, plan: Plan, locked: Locked) {
    assert!(matches!(press(state, "C")[..], [Effect::Ask(Request::Commit(Order::Plan(_)))]));
    let request = request(state);
    news(state, News::Planned { request, plan: Box::new(plan), locked });
}

/// Confirms the finney plan as an operator does.
pub fn confirmed(state: &mut State, locked: Locked) -> Vec<Effect> {
    planned(state, plan(), locked);
    press(state, "text:42 tab enter")
}

pub fn went(state: &mut State, progress: Progress) {
    let request = request(state);
    news(state, News::Progress { request, progress });
}

pub fn block(number: u64) -> BlockId {
    BlockId { number, hash: BlockHash([u8::try_from(number % 251).unwrap(); 32]) }
}

/// The way to the end, step by step.
pub fn way() -> [Progress; 6] {
    [
        Progress::Signed { extrinsic: EXTRINSIC, death: HEAD + 64 },
        Progress::Broadcast,
        Progress::InBlock(block(HEAD + 3)),
        Progress::Finalized(block(HEAD + 3)),
        Progress::Event { index: 3 },
        Progress::ReadBack,
    ]
}

/// A commit that was ordered and has gone so many steps, a block time between them.
pub fn under_way(steps: usize) -> State {
    let mut state = ready();
    confirmed(&mut state, Locked::Open);
    for progress in way().into_iter().take(steps) {
        pass(&mut state, 6);
        went(&mut state, progress);
    }
    state
}

pub fn receipt() -> Receipt {
    Receipt {
        extrinsic: EXTRINSIC,
        block: block(HEAD + 3),
        index: Some(3),
        first_seen_in: Some(block(HEAD + 3)),
        read_back_at: HEAD + 5,
        confirmed: None,
    }
}

pub fn ended(state: &mut State, ended: Ended) {
    let request = request(state);
    news(state, News::Ended { request, ended: Box::new(ended) });
}

pub fn intent() -> Intent {
    Intent::of(&plan(), EXTRINSIC)
}

pub fn settled(state: &mut State, ended: Ended) {
    let at_ms = NOW_MS - 7_300_000;
    news(state, News::Reconciled { intent: Box::new(intent()), at_ms, ended: Box::new(ended) });
}

pub fn wrong_password() -> Diagnostic {
    Diagnostic::new(
        "wrong_password",
        Severity::Danger,
        "The password does not open the key file",
        "Nothing was signed and nothing was sent.",
        "Type it again; esc leaves it.",
    )
}

pub fn unreachable() -> Diagnostic {
    Diagnostic::new(
        "tcp",
        Severity::Danger,
        "no TCP connection to entrypoint-finney.opentensor.ai: refused",
        "Nothing listens there, or something on the way refuses.",
        "Check the network, or name another node with --endpoint.",
    )
}

/// The step of the present request by its name.
pub fn step(state: &State) -> &'static str {
    match state.commits.session.as_ref().map(|session| &session.step) {
        None => "none",
        Some(Step::Reading) => "reading",
        Some(Step::Deciding(_)) => "deciding",
        Some(Step::Password(_)) => "password",
        Some(Step::Running(_)) => "running",
        Some(Step::AwaitingRegistration { .. }) => "armed",
        Some(Step::Over(_)) => "over",
    }
}

/// The own commitment as another generation of keys would leave it.
pub fn other(n: u64, block: u64) -> Commitment {
    commitment(block, vec![raw(format!("{}{}{}", account(42), key_id(n), secret(n)))])
}

//! A keyring that fails at any of its calls while a rotation is driven: the rotation pauses with a reason, and the next
//! attempt goes on to the same end.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grail_console::config::Flags;
use grail_console::domain::diagnostic::{Class, Diagnostic};
use grail_console::domain::environment::Environment;
use grail_console::domain::rotation::messages::EnvAnswer;
use grail_console::domain::rotation::{Phase, Step};
use grail_console::domain::vault_index::Backend;
use grail_console::ops::commit::unlock;
use grail_console::ops::context::Context;
use grail_console::ops::rotation::{Begin, Executor, ExecutorSetup, NeedsInput, NewKeys, Retirement, Timeouts};
use grail_console::sandbox::{BlockTime, Credentials, MIN_BLOCK_TIME, OPERATOR_UID};
use grail_console::vault::{KeyPair, Vault};
use keyring_core::Error;
use rstest::rstest;

use crate::support::operator::Operator;
use crate::support::rotating::{NEW, OLD};
use crate::support::vault::Faulty;

fn denied() -> Error {
    Error::NoStorageAccess("the keyring is locked".into())
}

struct Scene {
    operator: Operator,
    store: Arc<Faulty>,
}

impl Scene {
    fn new() -> Self {
        let operator = Operator::at(64, BlockTime::Every(MIN_BLOCK_TIME));
        operator.has_generation(OLD);
        Self { operator, store: Faulty::new() }
    }

    fn environment(&self) -> Environment {
        self.operator.house.environment().into_iter().collect()
    }

    fn context(&self) -> Context {
        let own = self.operator.node.sandbox().operator().unwrap();
        let flags = Flags {
            endpoint: Some(self.operator.node.url().to_owned()),
            wallet: Some(own.wallet.to_owned()),
            hotkey: Some(own.hotkey_name.to_owned()),
            wallet_path: Some(own.wallet_path.clone()),
            env_file: Some(self.operator.house.path("grail/.env")),
            s3_endpoint: Some(self.operator.node.sandbox().s3_url().to_owned()),
            ..Flags::default()
        };
        let mut context = Context::load(&flags, &self.environment()).unwrap();
        context.sandbox_vault = Some(Vault::over(Backend::Memory, self.store.store()));
        context
    }

    /// As a console does that starts now: goes on as far as nothing has to be waited for, and says yes to everything.
    async fn drive(&self) -> Result<(), Diagnostic> {
        let now_ms = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let setup = ExecutorSetup {
            context: Arc::new(self.context()),
            environment: self.environment(),
            passphrase: None,
            now_ms: Arc::new(now_ms),
            timeouts: Timeouts { new_key: Duration::from_secs(5), pause: Duration::from_millis(50) },
        };
        let (tell, _told) = tokio::sync::mpsc::unbounded_channel();
        let mut executor = Executor::open(setup, tell).await?;
        let fresh = executor.rotation().is_none_or(|rotation| rotation.step() == Step::Stage);
        let begins = fresh && executor.latest().is_none_or(|last| last.phase != Phase::Retired);
        let mut halt = if begins { executor.begin(begin()).await? } else { executor.advance().await? };
        loop {
            halt = match halt {
                NeedsInput::Publish(publishing) => {
                    let signer = unlock(publishing.signer().unwrap(), None).await.unwrap();
                    Box::pin(executor.publish(*publishing, signer)).await?
                }
                NeedsInput::Env { .. } => executor.update_env(EnvAnswer::Rewrite).await?,
                NeedsInput::KeysNeeded => executor.begin(begin()).await?,
                _ => break,
            };
        }
        if executor.rotation().is_some_and(|rotation| rotation.step() == Step::Retire)
            && let Retirement::Blocked(blockers) = executor.retire(false).await?
        {
            let told = |code| blockers.iter().any(|blocker| blocker.code == code);
            if told("old_key_still_works") && blockers.len() == 1 {
                let old = Credentials::of(OPERATOR_UID, OLD);
                self.operator.node.sandbox().s3().revoke(&old.read_key_id);
            }
        }
        Ok(())
    }

    fn phase(&self) -> Option<Phase> {
        let context = self.context();
        let state = context.disk.state.as_ref().unwrap();
        let history = state.rotations().unwrap().history(&context.owner()?).unwrap().0;
        history.open.or_else(|| history.closed.last().cloned()).map(|rotation| rotation.phase)
    }
}

fn begin() -> Begin {
    let keys = Credentials::of(OPERATOR_UID, NEW);
    let read = KeyPair { id: keys.read_key_id, secret: keys.read_secret };
    Begin { keys: NewKeys { read: Some(read), write: None }, grace: 1, emergency: false }
}

/// A whole rotation whose store fails at its call of this number; whether it has so many.
fn with_a_fault(at: usize) -> bool {
    let scene = Scene::new();
    scene.store.fail(at, denied);
    let mut failed = false;
    for _ in 0..400 {
        if scene.phase() == Some(Phase::Retired) {
            break;
        }
        if let Err(problem) = scene.operator.node.wait(Box::pin(scene.drive())) {
            assert!(matches!(problem.class, Class::Vault | Class::Pending), "call {at}: {problem}");
            if problem.class == Class::Vault {
                assert!(!failed, "call {at} fails once: {problem}");
                failed = true;
            }
        }
        std::thread::sleep(MIN_BLOCK_TIME / 2);
    }
    assert_eq!(scene.phase(), Some(Phase::Retired), "call {at}");
    let (old, new) = (Credentials::of(OPERATOR_UID, OLD), Credentials::of(OPERATOR_UID, NEW));
    assert_eq!(scene.operator.on_chain(), new.read_commitment(), "call {at}");
    let env = std::fs::read_to_string(scene.operator.house.path("grail/.env")).unwrap();
    assert!(env.contains(new.read_secret.expose()) && !env.contains(old.read_secret.expose()), "call {at}");
    let context = scene.context();
    let owner = context.owner().unwrap();
    let held: Vec<u64> = (1..5).filter(|number| scene.store.holds(&owner, *number)).collect();
    assert_eq!(held, [context.vault.current.unwrap()], "call {at}: the new keys are there, the old ones gone");
    scene.store.calls().len() > at
}

#[rstest]
fn a_keyring_that_fails_at_any_of_its_calls_pauses_a_rotation_and_loses_nothing(#[values(0, 1, 2)] share: usize) {
    let mut at = share;
    while with_a_fault(at) {
        at += 3;
    }
    assert!(at > 15, "a rotation asks the store more often than {at} times");
}

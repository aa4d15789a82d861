//! Many read tests: a validator's eight at once, one at a time for each account, with a little jitter.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::subnet_view::View;
use super::tester::Tester;
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{Probe, ProbeNews};
use crate::domain::provider::Provider;

/// Tests at once against Cloudflare, like a validator.
const AT_ONCE: usize = 8;
/// Tests at once against an endpoint of the operator's own.
const AT_ONCE_OWN: usize = 16;
/// Longest pause before a test against other people's accounts, so that sweeps of several consoles do not march in step.
const JITTER: Duration = Duration::from_millis(120);

/// Tests in a row that fail here or on the way before a sweep is stopped.
const LOCAL_FAULTS: usize = 8;

/// How many tests a sweep makes at once.
pub const fn at_once(provider: &Provider) -> usize {
    match provider {
        Provider::R2(_) => AT_ONCE,
        Provider::Custom(_) | Provider::Unusable(_) => AT_ONCE_OWN,
    }
}

/// A sweep that was stopped, since this machine or the way to the store is at fault.
#[derive(Debug)]
pub struct Stopped {
    /// Why, and what to do.
    pub finding: Diagnostic,
    /// Those that were not tested.
    pub left: Vec<Hotkey>,
}

/// Tests these hotkeys and tells of each; ends when all are tested, when it is dropped, or when so many tests in a row have
/// failed here or on the way that the rest would tell the same.
pub async fn sweep<F, T>(tester: Arc<Tester>, view: Arc<View>, hotkeys: Vec<Hotkey>, tell: F) -> Option<Stopped>
where
    F: Fn(ProbeNews) -> T,
    T: Future<Output = ()>,
{
    let width = at_once(&tester.provider);
    let jitter = if tester.provider.is_r2() { JITTER } else { Duration::ZERO };
    let mut left: HashSet<Hotkey> = hotkeys.iter().copied().collect();
    let tests = stream::iter(hotkeys.clone()).map(|hotkey| {
        let (tester, view, tell) = (&tester, &view, &tell);
        async move {
            sleep(jitter.mul_f64(fastrand::f64())).await;
            tell(ProbeNews::Began(hotkey)).await;
            let probe = Box::new(tester.probe(view, hotkey).await);
            tell(ProbeNews::Tested(probe.clone())).await;
            probe
        }
    });
    let mut tests = pin!(tests.buffer_unordered(width));
    let mut in_a_row = 0;
    while let Some(probe) = tests.next().await {
        left.remove(&probe.hotkey);
        // What was not asked for says nothing of the way.
        if !probe.steps.is_empty() {
            in_a_row = if probe.is_local_fault() { in_a_row + 1 } else { 0 };
        }
        if in_a_row == LOCAL_FAULTS {
            let left = hotkeys.into_iter().filter(|hotkey| left.contains(hotkey)).collect();
            return Some(Stopped { finding: stopped(&probe), left });
        }
    }
    None
}

fn stopped(last: &Probe) -> Diagnostic {
    Diagnostic::new(
        "sweep_stopped",
        Severity::Warning,
        format!(
            "The sweep was stopped: {LOCAL_FAULTS} tests in a row failed on this machine or on the way to the store"
        ),
        format!("It says nothing about the uids. {}", last.explanation),
        last.fix.clone(),
    )
}

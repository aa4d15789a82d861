//! Many read tests: a validator's eight at once, one at a time for each account, with a little jitter.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::subnet_view::View;
use super::tester::Tester;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::ProbeNews;
use crate::domain::provider::Provider;

/// Tests at once against Cloudflare, like a validator.
const AT_ONCE: usize = 8;
/// Tests at once against an endpoint of the operator's own.
const AT_ONCE_OWN: usize = 16;
/// Longest pause before a test against other people's accounts, so that sweeps of several consoles do not march in step.
const JITTER: Duration = Duration::from_millis(120);

/// How many tests a sweep makes at once.
pub const fn at_once(provider: &Provider) -> usize {
    match provider {
        Provider::R2(_) => AT_ONCE,
        Provider::Custom(_) | Provider::Unusable(_) => AT_ONCE_OWN,
    }
}

/// Tests these hotkeys and tells of each; ends when all are tested, or when it is dropped.
pub async fn sweep<F, T>(tester: Arc<Tester>, view: Arc<View>, hotkeys: Vec<Hotkey>, tell: F)
where
    F: Fn(ProbeNews) -> T,
    T: Future<Output = ()>,
{
    let width = at_once(&tester.provider);
    let jitter = if tester.provider.is_r2() { JITTER } else { Duration::ZERO };
    let tests = stream::iter(hotkeys).map(|hotkey| {
        let (tester, view, tell) = (&tester, &view, &tell);
        async move {
            sleep(jitter.mul_f64(fastrand::f64())).await;
            tell(ProbeNews::Began(hotkey)).await;
            tell(ProbeNews::Tested(Box::new(tester.probe(view, hotkey).await))).await;
        }
    });
    tests.buffer_unordered(width).collect::<()>().await;
}

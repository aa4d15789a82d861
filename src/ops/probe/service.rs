//! The service that runs read tests for the console and reports them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::listing::listing;
use super::subnet_view::{SubnetView, View};
use super::sweep::sweep;
use super::tester::{Tester, log_line, store};
use crate::config::{Needs, WrongSetting};
use crate::domain::diagnostic::{Diagnostic, Severity};
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{ProbeNews, ProbeOrder};
use crate::ops::context::Context;
use crate::ops::self_test::{Subject, refused_read_only, self_test};
use crate::ops::visible::visible;

/// News under way to the screen.
const NEWS: usize = 256;
/// Single tests at once; a key that is held down must not open hundreds of connections.
const MOST_SINGLE: usize = 8;

/// What the service works with.
pub struct TesterSetup {
    /// Who and where, as it is at this moment: the `.env` may have changed since the start.
    pub context: Arc<dyn Fn() -> Arc<Context> + Send + Sync>,
    /// The subnet as it is heard.
    pub subnet_view: SubnetView,
    /// The clock, in ms since 1970.
    pub now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Starts the service: orders go in, news come out. It closes, and everything under way ends, when the orders' sender is
/// dropped.
pub fn serve(setup: TesterSetup) -> (mpsc::UnboundedSender<ProbeOrder>, mpsc::Receiver<ProbeNews>) {
    let (orders, received) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::channel(NEWS);
    let service =
        Service { setup, news, tester: None, singles: JoinSet::new(), under_test: BTreeSet::new(), sweep: None };
    tokio::spawn(service.run(received));
    (orders, heard)
}

struct Service {
    setup: TesterSetup,
    news: mpsc::Sender<ProbeNews>,
    /// The tester, and the context that it was made for.
    tester: Option<(Arc<Context>, Arc<Tester>)>,
    singles: JoinSet<Option<Hotkey>>,
    under_test: BTreeSet<Hotkey>,
    sweep: Option<JoinHandle<()>>,
}

impl Service {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<ProbeOrder>) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.serve(order).await,
                    None => break,
                },
                Some(ended) = self.singles.join_next() => {
                    if let Ok(Some(hotkey)) = ended {
                        self.under_test.remove(&hotkey);
                    }
                }
            }
        }
        if let Some(sweep) = self.sweep {
            sweep.abort();
        }
    }

    async fn serve(&mut self, order: ProbeOrder) {
        if order == ProbeOrder::Cancel {
            return self.end_sweep().await;
        }
        let wrong = (self.setup.context)().wrong_for(Needs::Store).map(WrongSetting::finding);
        let known = match (wrong, self.setup.subnet_view.view()) {
            (Some(wrong), _) => Err(wrong),
            (None, Some(view)) => Ok(view),
            (None, None) => Err(no_subnet()),
        };
        let view = match known {
            Ok(view) => view,
            Err(problem) => return self.refuse(order, problem).await,
        };
        let (tester, view) = (self.tester(), Arc::new(view));
        match order {
            ProbeOrder::One(hotkey) => self.test_one(tester, view, hotkey),
            ProbeOrder::Sweep(hotkeys) => {
                self.end_sweep().await;
                self.begin_sweep(tester, view, hotkeys);
            }
            ProbeOrder::Visible => self.look_at_own(tester, view),
            ProbeOrder::SelfTest => self.test_own_keys(tester, view),
            ProbeOrder::List(hotkey) => self.list(tester, view, hotkey),
            ProbeOrder::Cancel => {}
        }
    }

    /// Says why an order cannot be served.
    async fn refuse(&self, order: ProbeOrder, problem: Diagnostic) {
        let hotkeys = match order {
            ProbeOrder::One(hotkey) => vec![hotkey],
            ProbeOrder::Sweep(hotkeys) => hotkeys,
            ProbeOrder::List(hotkey) => return self.tell(ProbeNews::Listed(hotkey, Err(problem.summary))).await,
            ProbeOrder::SelfTest => return self.tell(ProbeNews::SelfTestFailed(problem)).await,
            ProbeOrder::Visible | ProbeOrder::Cancel => Vec::new(),
        };
        self.tell(ProbeNews::Failed { hotkeys, problem }).await;
    }

    async fn tell(&self, news: ProbeNews) {
        self.news.send(news).await.ok();
    }

    /// The tester of the context as it is now.
    fn tester(&mut self) -> Arc<Tester> {
        let context = (self.setup.context)();
        match &self.tester {
            Some((of, tester)) if Arc::ptr_eq(of, &context) => Arc::clone(tester),
            _ => {
                let tester = Arc::new(Tester::new(&context, store(&context), Arc::clone(&self.setup.now_ms)));
                self.tester = Some((context, Arc::clone(&tester)));
                tester
            }
        }
    }

    fn test_one(&mut self, tester: Arc<Tester>, view: Arc<View>, hotkey: Hotkey) {
        if self.under_test.len() >= MOST_SINGLE || !self.under_test.insert(hotkey) {
            return;
        }
        let news = self.news.clone();
        self.singles.spawn(async move {
            news.send(ProbeNews::Began(hotkey)).await.ok();
            let probe = tester.probe(&view, hotkey).await;
            tracing::info!("{}", log_line(&probe));
            news.send(ProbeNews::Tested(Box::new(probe))).await.ok();
            Some(hotkey)
        });
    }

    fn begin_sweep(&mut self, tester: Arc<Tester>, view: Arc<View>, hotkeys: Vec<Hotkey>) {
        let news = self.news.clone();
        self.sweep = Some(tokio::spawn(async move {
            let count = hotkeys.len();
            let told = news.clone();
            let tell = move |heard: ProbeNews| {
                let news = told.clone();
                async move { drop(news.send(heard).await) }
            };
            if let Some(stopped) = sweep(tester, view, hotkeys, tell).await {
                tracing::warn!("sweep of {count} buckets was stopped: {}", stopped.finding.cause);
                news.send(ProbeNews::Failed { hotkeys: stopped.left, problem: stopped.finding }).await.ok();
            }
            tracing::info!("sweep of {count} buckets ended");
            news.send(ProbeNews::SweepEnded { cancelled: false }).await.ok();
        }));
    }

    async fn end_sweep(&mut self) {
        if let Some(sweep) = self.sweep.take()
            && !sweep.is_finished()
        {
            sweep.abort();
            // What it still had to say is said before its end is.
            let _ = sweep.await;
            self.tell(ProbeNews::SweepEnded { cancelled: true }).await;
        }
    }

    /// Refused where nothing may be written, whatever the key map says.
    fn test_own_keys(&mut self, tester: Arc<Tester>, view: Arc<View>) {
        let context = (self.setup.context)();
        let subject = match read_only(&context) {
            Some(finding) => Err(finding),
            None => Subject::of(&context, &view, Arc::clone(&self.setup.now_ms)).map_err(|error| error.diagnostic()),
        };
        let news = self.news.clone();
        self.singles.spawn(async move {
            let heard = match subject {
                Err(problem) => ProbeNews::SelfTestFailed(problem),
                Ok(subject) => {
                    let by = tester.by();
                    let subject = Box::pin(subject.verified(&tester.node, &view)).await;
                    let test = Box::pin(self_test(subject, &tester.store, by, std::future::pending())).await;
                    test.map_or_else(
                        |error| ProbeNews::SelfTestFailed(error.diagnostic()),
                        |test| ProbeNews::SelfTested(Box::new(test)),
                    )
                }
            };
            news.send(heard).await.ok();
            None
        });
    }

    fn list(&mut self, tester: Arc<Tester>, view: Arc<View>, hotkey: Hotkey) {
        if self.singles.len() >= MOST_SINGLE {
            return;
        }
        let news = self.news.clone();
        self.singles.spawn(async move {
            let listed = listing(&tester, &view, &hotkey).await;
            tracing::info!("listing of {hotkey} was asked for: {}", if listed.is_ok() { "told" } else { "refused" });
            news.send(ProbeNews::Listed(hotkey, listed)).await.ok();
            None
        });
    }

    fn look_at_own(&mut self, tester: Arc<Tester>, view: Arc<View>) {
        let news = self.news.clone();
        self.singles.spawn(async move {
            let heard = match Box::pin(visible(&tester, &view, tester.by())).await {
                Ok(visibility) => ProbeNews::Seen(Box::new(visibility)),
                Err(problem) => ProbeNews::Failed { hotkeys: Vec::new(), problem },
            };
            news.send(heard).await.ok();
            None
        });
    }
}

/// Whether the console may not write anything outside this machine, and why it does not.
fn read_only(context: &Context) -> Option<Diagnostic> {
    context.configuration.settings.read_only.value.then(refused_read_only)
}

fn no_subnet() -> Diagnostic {
    Diagnostic::new(
        "no_subnet",
        Severity::Warning,
        "The subnet has not been read yet",
        "Tests use the keys as they are on chain now, never those of an earlier session.",
        "Wait until the console is live, then test again.",
    )
}

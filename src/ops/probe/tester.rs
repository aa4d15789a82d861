//! One read test: the key found on chain, a validator's requests, the verdict.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep};

use super::judgements::{judged, looks_like_aws, no_key, shape_fix, too_young};
use super::listing::Marked;
use super::subnet_view::View;
use crate::chain::{BlockTime, BlockTimes, ChainError, Node};
use crate::domain::commitment::Commitment;
use crate::domain::credentials::LocalView;
use crate::domain::drift::exposes_write_key;
use crate::domain::hotkey::Hotkey;
use crate::domain::probe::{
    self, Case, Exchange, Judgement, Layer, Page, Probe, Reply, Request, Risk, Step, Trouble, Verdict, judge, may_pass,
    sends_to_region,
};
use crate::domain::provider::Provider;
use crate::domain::roster::Role;
use crate::domain::text::{BLOCK_SECONDS, grouped};
use crate::domain::window::{Deadline, DocumentedName, Window};
use crate::ops::context::Context;
use crate::storage::{Answer, Part, Reader, Store, StoreOptions, Target};

/// After the chain could not be asked for block times, or has forgotten them: how long it is not asked again.
const CHAIN_RESTS: Duration = Duration::from_secs(30);

/// Windows back for which a trust list is looked for: the trainer takes none that is older.
pub const TRUST_WINDOWS: usize = 5;

/// Everything that tests need besides the subnet.
pub struct Tester {
    /// Where buckets are.
    pub provider: Provider,
    /// The operator's own hotkey.
    pub own: Option<Hotkey>,
    /// The S3 client.
    pub store: Store,
    local: LocalView,
    /// The chain's nodes.
    pub node: Node,
    now_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    times: Mutex<Times>,
    /// What consumers found in the trainer's bucket last.
    pub(super) marked: Mutex<Option<Marked>>,
    /// One test at a time for each account.
    accounts: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

#[derive(Default)]
struct Times {
    known: BTreeMap<u64, BlockTime>,
    /// Those that nodes have forgotten, counted, and when.
    counted: BTreeMap<u64, (BlockTime, Instant)>,
    failed_at: Option<Instant>,
}

/// The S3 client for a configuration. Clones share its connections.
pub fn store(context: &Context) -> Store {
    Store::new(StoreOptions { region: context.region().to_owned(), ..StoreOptions::default() })
}

impl Tester {
    /// For the configured network and store. The clock tells ms since 1970.
    pub fn new(context: &Context, store: Store, now_ms: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self {
            provider: context.provider.clone(),
            own: context.hotkey,
            store,
            local: context.local(),
            node: context.node.clone(),
            now_ms,
            times: Mutex::default(),
            marked: Mutex::default(),
            accounts: Mutex::default(),
        }
    }

    /// The time, in ms since 1970.
    pub fn now_ms(&self) -> u64 {
        (self.now_ms)()
    }

    /// By when `visible` or a self-test that begins now ends.
    pub fn by(&self) -> Instant {
        Instant::now() + self.store.options().whole
    }

    /// Tests one hotkey, when nobody else's test of the same account is under way.
    pub async fn probe(&self, view: &View, hotkey: Hotkey) -> Probe {
        let target = self.target(view, &hotkey);
        let _turn = match &target {
            Ok(target) => Some(self.turn(target.account_tag()).await),
            Err(_) => None,
        };
        let mut probe = match (target, Window::last_complete(view.finalized)) {
            (Err(judgement), window) => Self::untested(hotkey, window, judgement),
            (Ok(target), Some(window)) => self.look(view, hotkey, self.store.reader(target), window).await,
            (Ok(_), None) => Self::untested(hotkey, None, too_young()),
        };
        probe.uid = view.member(&hotkey).map(|member| member.uid);
        probe.risks = self.risks(view, &hotkey);
        // The requests alone: waiting for a turn or for the chain says nothing about the bucket.
        probe.elapsed_ms = probe.steps.iter().map(|step| step.ms).sum();
        probe.at_ms = self.now_ms();
        probe
    }

    /// Waits until nobody else's requests to an account are under way, and keeps it for oneself until it is dropped.
    pub async fn turn(&self, account: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut accounts = self.accounts.lock().await;
            // Those that nobody holds are let go, so that the map does not outgrow what is under way.
            accounts.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(accounts.entry(account.to_owned()).or_default())
        };
        turn.lock_owned().await
    }

    /// Where a hotkey's published key leads, or the verdict that there is nowhere to go.
    pub fn target(&self, view: &View, hotkey: &Hotkey) -> Result<Target, Judgement> {
        let own = self.own == Some(*hotkey);
        let parts = view.parts(hotkey).map_err(|reason| no_key(reason, own))?;
        Target::published(&self.provider, &parts).map_err(|misfit| {
            let explanation = format!("What is published leads nowhere: {misfit}.");
            judged(Verdict::Malformed, explanation, &shape_fix(&self.provider), own, view, hotkey)
        })
    }

    /// From where tests of a hotkey's bucket are made.
    pub fn seen_from(&self, view: &View, hotkey: &Hotkey) -> String {
        let endpoint = self.target(view, hotkey).map_or_else(
            |_| self.provider.to_string(),
            |target| target.endpoint().as_str().trim_end_matches('/').to_owned(),
        );
        format!("this machine, region {}, endpoint {endpoint}", self.store.options().region)
    }

    fn untested(hotkey: Hotkey, window: Option<Window>, judgement: Judgement) -> Probe {
        Probe {
            uid: None,
            hotkey,
            verdict: judgement.verdict,
            blame: judgement.blame,
            is_definite: judgement.is_definite,
            window,
            object: None,
            size: None,
            last_modified_ms: None,
            deadline: None,
            elapsed_ms: 0,
            clock_offset_ms: None,
            steps: Vec::new(),
            risks: Vec::new(),
            explanation: judgement.explanation,
            fix: judgement.fix,
            confirmed: None,
            at_ms: 0,
        }
    }

    async fn look(&self, view: &View, hotkey: Hotkey, reader: Reader, window: Window) -> Probe {
        let deadline = self.deadlines(view, &[window]).await.remove(&window);
        let mut walk = self.walk(&reader, hotkey, window, Extent::Explained).await;
        let member = view.member(&hotkey);
        let case = self.case(member.map(|member| member.uid), hotkey, window, deadline, &walk);
        let mut judgement = judge(&case);
        let role = member.map_or(Role::Miner, Role::of);
        match role {
            Role::Validator if judgement.verdict == Verdict::NoObject => {
                let other = self.stands_in(&reader, window, &mut walk).await;
                judgement = other.unwrap_or(judgement);
            }
            Role::Trainer if matches!(judgement.verdict.layer(), Layer::None | Layer::Object) => {
                judgement = self.as_consumers(view, hotkey, &reader, &mut walk, judgement).await;
            }
            _ => {}
        }
        Probe {
            verdict: judgement.verdict,
            object: walk.object.map(|name| name.to_string()),
            size: judgement.found.and_then(|found| found.size),
            last_modified_ms: judgement.found.and_then(|found| found.last_modified_ms),
            deadline,
            clock_offset_ms: walk.clock_offset_ms,
            steps: walk.exchanges.iter().map(Step::from).collect(),
            ..Self::untested(hotkey, Some(window), judgement)
        }
    }

    /// What follows from a walk depends on this.
    fn case<'c>(
        &'c self,
        uid: Option<u16>,
        hotkey: Hotkey,
        window: Window,
        deadline: Option<Deadline>,
        walk: &'c Walk,
    ) -> Case<'c> {
        Case {
            provider: &self.provider,
            uid,
            own: self.own == Some(hotkey),
            window,
            deadline,
            exchanges: &walk.exchanges,
            clock_offset_ms: walk.clock_offset_ms,
        }
    }

    /// Judges one window's walk.
    pub fn judge(
        &self,
        view: &View,
        hotkey: Hotkey,
        window: Window,
        deadline: Option<Deadline>,
        walk: &Walk,
    ) -> Judgement {
        judge(&self.case(view.member(&hotkey).map(|member| member.uid), hotkey, window, deadline, walk))
    }

    /// A validator's requests for one window, and as many more as the extent allows. Each part has a validator's time.
    pub async fn walk(&self, reader: &Reader, hotkey: Hotkey, window: Window, extent: Extent) -> Walk {
        let mut walk = Walk::default();
        let mut reader = reader.clone();
        let mut by = Instant::now() + self.store.options().total;
        while let Some(request) = probe::next(&walk.exchanges) {
            let name = match request {
                Request::HeadCompressed => DocumentedName::WindowCompressed(hotkey, window),
                _ => DocumentedName::Window(hotkey, window),
            };
            let answer = match request {
                Request::GetByte if extent == Extent::Heads => break,
                Request::GetByte => {
                    by = Instant::now() + self.store.options().total;
                    reader.get(request, &name, Part::First(1), by).await
                }
                _ => self.head(&mut reader, request, &name, by).await,
            };
            walk.take(name, answer);
        }
        if extent == Extent::Heads {
            walk.exchanges.iter_mut().for_each(of_a_known_store);
        }
        walk
    }

    /// A HEAD as a validator's client makes it: asked again after lost connections and failures of the store, and signed
    /// anew where the answer names another region.
    async fn head(&self, reader: &mut Reader, request: Request, name: &DocumentedName, by: Instant) -> Answer {
        let began = Instant::now();
        let mut answer = self.tried(reader, request, name, by).await;
        let other = answer.region.take().filter(|region| *region != self.store.options().region);
        if let Some(region) = other.filter(|_| sends_to_region(&answer.exchange.reply)) {
            *reader = reader.in_region(&region);
            answer = self.tried(reader, request, name, by).await;
        }
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Reply::Failed(Trouble::Slow { after_ms }) = &mut answer.exchange.reply {
            *after_ms = ms;
        }
        answer.exchange.ms = ms;
        answer
    }

    /// Three tries at most, with a validator's pauses between them, and none that its time would not allow.
    async fn tried(&self, reader: &Reader, request: Request, name: &DocumentedName, by: Instant) -> Answer {
        let mut answer = reader.head(request, name, by).await;
        for longest in self.store.options().pauses {
            let pause = longest.mul_f64(fastrand::f64());
            if !may_pass(&answer.exchange.reply) || Instant::now() + pause >= by {
                break;
            }
            sleep(pause).await;
            let again = reader.head(request, name, by).await;
            // What a store said before the time was over says more than that it was over.
            if matches!(again.exchange.reply, Reply::Failed(Trouble::Slow { .. })) {
                break;
            }
            answer = again;
        }
        answer
    }

    /// The last moments for uploads. Windows whose closing block the chain cannot tell are counted at 12 s a block.
    pub async fn deadlines(&self, view: &View, windows: &[Window]) -> BTreeMap<Window, Deadline> {
        let mut times = self.times.lock().await;
        times.counted.retain(|_, (_, at)| at.elapsed() < CHAIN_RESTS);
        let is_told = |block: &u64| times.known.contains_key(block) || times.counted.contains_key(block);
        let missing: Vec<u64> = windows.iter().map(|w| w.closing_block()).filter(|block| !is_told(block)).collect();
        let rests = times.failed_at.is_some_and(|at| at.elapsed() < CHAIN_RESTS);
        if !missing.is_empty() && !rests {
            match self.ask_times(&missing, view).await {
                Ok(told) => {
                    // What was counted may be told later.
                    let (exact, counted): (BTreeMap<_, _>, BTreeMap<_, _>) =
                        told.into_iter().partition(|(_, time)| time.exact);
                    times.known.extend(exact);
                    let now = Instant::now();
                    times.counted.extend(counted.into_iter().map(|(block, time)| (block, (time, now))));
                    times.failed_at = None;
                }
                Err(error) => {
                    tracing::warn!("block times could not be read, deadlines are counted: {error}");
                    times.failed_at = Some(Instant::now());
                }
            }
        }
        let deadline = |window: &Window| {
            let block = window.closing_block();
            let time = times.known.get(&block).or_else(|| Some(&times.counted.get(&block)?.0)).copied();
            let time = time.unwrap_or_else(|| counted(view, window.closing_block()));
            (*window, Deadline::from_closing(time.ms, time.exact))
        };
        windows.iter().map(deadline).collect()
    }

    async fn ask_times(&self, blocks: &[u64], view: &View) -> Result<BTreeMap<u64, BlockTime>, ChainError> {
        let at = view.subnet.at;
        self.block_times().await?.times(blocks, (at.number, at.timestamp_ms), view.finalized).await
    }

    /// The chain, to be asked for times.
    pub async fn block_times(&self) -> Result<BlockTimes, ChainError> {
        BlockTimes::open(&self.node).await
    }

    fn risks(&self, view: &View, hotkey: &Hotkey) -> Vec<Risk> {
        let published = view.commitment(hotkey).and_then(Commitment::published);
        let mut risks = Vec::new();
        if let Some(published) = published {
            let writes = self.own == Some(*hotkey) && exposes_write_key(published, &self.local);
            risks.extend(writes.then_some(Risk::WriteCapable));
            let others = view.shared_with(hotkey, published);
            if !others.is_empty() {
                let uids = others.iter().filter_map(|other| view.member(other)).map(|member| member.uid).collect();
                risks.push(Risk::SharedKey { uids });
            }
            risks.extend(
                (self.provider.is_r2() && looks_like_aws(&published.read_key_id.shown())).then_some(Risk::AwsShaped),
            );
            risks.extend(view.member(hotkey).is_none().then_some(Risk::ExMember));
        }
        risks
    }
}

/// How far a walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A validator's two requests.
    Heads,
    /// And what explains their failure.
    Explained,
}

/// The requests of one window, as they went.
#[derive(Debug, Default)]
pub struct Walk {
    /// In their order.
    pub exchanges: Vec<Exchange>,
    /// The object that was found, or the last one looked for.
    pub object: Option<DocumentedName>,
    /// By how much this machine's clock is behind the store's, in ms.
    pub clock_offset_ms: Option<i64>,
}

impl Walk {
    /// Takes in an answer about a name.
    pub(super) fn take(&mut self, name: DocumentedName, answer: Answer) {
        self.clock_offset_ms = self.clock_offset_ms.or(answer.clock_offset_ms);
        self.object = Some(name);
        self.exchanges.push(answer.exchange);
    }
}

/// A store that was recognised with the newest window: a HEAD of another window, which has no body, need not show it again.
fn of_a_known_store(exchange: &mut Exchange) {
    if let Reply::Unmarked(Page { http: http @ 300..=599, .. }) = exchange.reply {
        exchange.reply = Reply::Refused { http, code: None, message: None };
    }
}

/// From the block that the subnet was read at, at 12 s a block.
fn counted(view: &View, block: u64) -> BlockTime {
    let at = view.subnet.at;
    let apart = block.abs_diff(at.number) * BLOCK_SECONDS * 1_000;
    let ms =
        if block >= at.number { at.timestamp_ms.saturating_add(apart) } else { at.timestamp_ms.saturating_sub(apart) };
    BlockTime { ms, exact: false }
}

/// A line for the log.
pub fn log_line(probe: &Probe) -> String {
    let who = probe.uid.map_or_else(|| format!("ex-member {}", probe.hotkey), |uid| format!("uid {uid}"));
    let window = probe.window.map_or_else(String::new, |window| format!(", window {}", grouped(window.start())));
    format!("read test of {who}: {}{window}, {} ms", probe.verdict.name(), probe.elapsed_ms)
}

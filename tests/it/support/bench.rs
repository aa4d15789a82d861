//! Whoever tests buckets of a practice subnet, inside the test: the real reading of the chain, the real S3 client.

use std::sync::Arc;

use grail_console::config::Flags;
use grail_console::domain::environment::Environment;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::probe::Probe;
use grail_console::ops::context::Context;
use grail_console::ops::probe::{SubnetView, Tester, View};
use grail_console::ops::survey::survey_keeping;
use grail_console::sandbox::{CommitmentSpec, Credentials, OPERATOR_UID, Sandbox, hotkey};
use grail_console::storage::{Store, StoreOptions};

use super::pool::by_hand;

/// A miner who is not the operator; its windows are not compressed.
pub const STRANGER: u16 = 20;

/// A sandbox whose blocks are made by hand, and how its buckets are reached.
pub struct Bench {
    pub sandbox: Sandbox,
    s3_endpoint: Option<String>,
    options: StoreOptions,
    environment: Vec<(String, String)>,
    later_ms: u64,
}

/// Who tests, and the subnet as it was read.
pub struct Seat {
    pub context: Context,
    pub tester: Arc<Tester>,
    pub view: Arc<View>,
}

impl Bench {
    /// On a scenario with 64 uids.
    pub async fn new(scenario: &str) -> Self {
        Self::on(Box::pin(by_hand(scenario)).await)
    }

    /// On a sandbox, with the operator's credentials in the environment.
    pub fn on(sandbox: Sandbox) -> Self {
        let s3_endpoint = Some(sandbox.s3_url().to_owned());
        let environment = variables(&Credentials::of(OPERATOR_UID, 0));
        Self { sandbox, s3_endpoint, options: StoreOptions::default(), environment, later_ms: 0 }
    }

    /// Every bucket is looked for at this endpoint; at R2, if `None`.
    pub fn at(mut self, s3_endpoint: Option<String>) -> Self {
        self.s3_endpoint = s3_endpoint;
        self
    }

    pub fn options(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self
    }

    /// With another value of a variable.
    pub fn having(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Sets commitments and makes them final.
    pub async fn commit(&self, commitments: impl IntoIterator<Item = (u16, CommitmentSpec)>) {
        commitments.into_iter().for_each(|(uid, spec)| self.sandbox.commit(uid, spec));
        self.blocks(3).await;
    }

    pub async fn blocks(&self, count: usize) {
        for _ in 0..count {
            self.sandbox.produce_block().await.unwrap();
        }
    }

    /// The configuration of the operator, whose own uid is 42.
    pub fn context(&self) -> Context {
        let flags = Flags {
            endpoint: Some(self.sandbox.url().to_owned()),
            s3_endpoint: self.s3_endpoint.clone(),
            hotkey: Some(hotkey(OPERATOR_UID).to_string()),
            ..Flags::default()
        };
        Context::load(&flags, &self.environment.iter().cloned().collect::<Environment>()).unwrap()
    }

    pub fn store(&self) -> Store {
        Store::new(self.options.clone())
    }

    /// Reads the chain as it is now, and sits down to test.
    pub async fn seat(&self) -> Seat {
        let context = self.context();
        let keys = SubnetView::new().keys();
        let found = Box::pin(survey_keeping(&context, self.now_ms(), Some(keys.clone()))).await.unwrap();
        let view = SubnetView::of(found.snapshot, keys).view().unwrap();
        let now_ms = self.now_ms();
        let tester = Tester::new(&context, self.store(), Arc::new(move || now_ms));
        Seat { context, tester: Arc::new(tester), view: Arc::new(view) }
    }

    /// Reads the chain and tests one uid.
    pub async fn probe(&self, uid: u16) -> Probe {
        self.seat().await.probe(uid).await
    }

    /// So long after the best block, in ms.
    pub fn later(mut self, ms: u64) -> Self {
        self.later_ms = ms;
        self
    }

    /// Chain time of the best block, or later.
    pub fn now_ms(&self) -> u64 {
        self.sandbox.best().timestamp_ms + self.later_ms
    }

    /// First block of the window that validators score at the finalized head.
    pub fn newest(&self) -> u64 {
        u64::from(self.sandbox.finalized().number()) / 30 * 30 - 30
    }

    /// When uploads of a window end: four seconds before its closing block, and blocks are 12 s apart here.
    pub fn deadline_ms(&self, window: u64) -> u64 {
        let best = self.sandbox.best();
        best.timestamp_ms - (u64::from(best.number()) - window - 30) * 12_000 - 4_000
    }
}

impl Seat {
    pub async fn probe(&self, uid: u16) -> Probe {
        self.of(hotkey(uid)).await
    }

    pub async fn of(&self, hotkey: Hotkey) -> Probe {
        Box::pin(self.tester.probe(&self.view, hotkey)).await
    }
}

/// Name of a uid's window as GRAIL writes it, without the ending of compressed ones.
pub fn window_name(uid: u16, window: u64) -> String {
    format!("grail/windows/{}-window-{window}.parquet", hotkey(uid))
}

/// Both pairs, as GRAIL's variables.
pub fn variables(own: &Credentials) -> Vec<(String, String)> {
    let lines = [
        ("R2_ACCOUNT_ID", own.account.as_str()),
        ("R2_BUCKET_ID", own.account.as_str()),
        ("R2_READ_ACCESS_KEY_ID", own.read_key_id.as_str()),
        ("R2_READ_SECRET_ACCESS_KEY", own.read_secret.expose()),
        ("R2_WRITE_ACCESS_KEY_ID", own.write_key_id.as_str()),
        ("R2_WRITE_SECRET_ACCESS_KEY", own.write_secret.expose()),
    ];
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// 128 characters of parts that may be too short.
pub fn padded(locator: &str, key_id: &str, secret: &str) -> CommitmentSpec {
    CommitmentSpec::raw(format!("{locator:<32}{key_id:<32}{secret:<64}"))
}

//! Simulated validators: they fetch the operator's commitment every ten minutes of sandbox time, keep a client for each
//! account and key id, and look for the operator's newest complete window at every block.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::presigning::PresigningConfig;
use bytes::Bytes;
use futures::future::join_all;
use http::header::USER_AGENT;
use http_body_util::Empty;
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Serialize;

use super::accounts::{OPERATOR_UID, hotkey};
use super::node::Node;
use super::published::Published;
use super::sandbox_time::blocks_of;
use super::scenario::Panel;
use crate::domain::window::Window;

/// How long a look may take; that of a real validator.
const BUDGET: Duration = Duration::from_secs(6);
/// How long a signature is valid.
const SIGNED_FOR: Duration = Duration::from_mins(1);
/// Looks that are remembered; the oldest are forgotten first.
const KEPT: usize = 100_000;
/// What the looks call themselves, to tell them from the console's requests.
const AGENT: &str = "sandbox-validator";

/// What a validator saw of the operator's newest complete window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// The object is there and could be read.
    Read,
    /// Neither of the two names is there.
    NoObject,
    /// When it last fetched, there was no commitment that GRAIL can read.
    NoCommitment,
    /// The store refused, with this HTTP status.
    Refused(u16),
    /// No answer within six seconds.
    NoAnswer,
}

/// One look of one validator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ValidatorLook {
    /// The best block at that time.
    pub block: u32,
    /// The validator's uid.
    pub validator: u16,
    /// Id of the key that it used; `None` where it knows of none.
    pub key_id: Option<String>,
    /// What it saw.
    pub visibility: Visibility,
}

/// Looks of one validator one after another that did not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The validator's uid.
    pub validator: u16,
    /// The best block of the first look that did not read.
    pub from: u32,
    /// The best block of the last one so far.
    pub to: u32,
    /// How many looks they were.
    pub looks: u32,
    /// Id of the key that was used first.
    pub key_id: Option<String>,
    /// What was seen first.
    pub visibility: Visibility,
}

/// The simulated validators. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ValidatorHandle(Arc<Validators>);

#[derive(Debug)]
struct Validators {
    node: Arc<Node>,
    endpoint: String,
    http: Http<HttpConnector, Empty<Bytes>>,
    /// Block times between two fetches of a validator.
    period: u64,
    panel: Mutex<Vec<Validator>>,
    log: Mutex<VecDeque<ValidatorLook>>,
}

/// What one validator knows.
#[derive(Debug)]
struct Validator {
    uid: u16,
    /// Its fetches are at block times that leave this rest when divided by the period.
    phase: u64,
    commitment: Option<Published>,
    /// By account and key id, without the secret: as GRAIL keeps them.
    clients: HashMap<(String, String), Client>,
}

/// What a validator looks with.
struct Glass {
    validator: u16,
    known: Option<(String, String, Client)>,
}

impl ValidatorHandle {
    /// Those of a scenario, at a store; `None` where it has none. Each has fetched once; the next fetches are spread evenly
    /// over the period.
    pub(super) fn new(node: Arc<Node>, endpoint: &str, panel: &Panel) -> Option<Self> {
        let count = u64::try_from(panel.uids.len()).ok().filter(|count| *count > 0)?;
        let period = blocks_of(panel.refetch_s).max(1);
        let member = |(index, uid): (u64, &u16)| Validator {
            uid: *uid,
            phase: index * period / count,
            commitment: None,
            clients: HashMap::new(),
        };
        let panel = (0..).zip(&panel.uids).map(member).collect();
        let handle = Self(Arc::new(Validators {
            node,
            endpoint: endpoint.to_owned(),
            http: Http::builder(TokioExecutor::new()).build_http(),
            period,
            panel: Mutex::new(panel),
            log: Mutex::default(),
        }));
        handle.restart();
        Some(handle)
    }

    /// Restarts every validator: its clients are gone, and it fetches at once. Its later fetches stay where they were.
    pub fn restart(&self) {
        let content = self.0.commitment();
        for validator in self.0.panel().iter_mut() {
            validator.clients.clear();
            validator.commitment.clone_from(&content);
        }
    }

    /// Every look, oldest first; 100,000 at most. With blocks made by hand the looks at a block are there when
    /// [`super::Sandbox::produce_block`] returns.
    pub fn log(&self) -> Vec<ValidatorLook> {
        self.0.log().iter().cloned().collect()
    }

    /// The looks at which the operator could not be read, those of one validator that follow one another together, in the
    /// order in which they began.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        let mut open: HashMap<u16, usize> = HashMap::new();
        for look in self.0.log().iter() {
            if look.visibility == Visibility::Read {
                open.remove(&look.validator);
            } else if let Some(gap) = open.get(&look.validator).and_then(|index| gaps.get_mut(*index)) {
                (gap.to, gap.looks) = (look.block, gap.looks + 1);
            } else {
                open.insert(look.validator, gaps.len());
                gaps.push(Gap::beginning(look));
            }
        }
        gaps
    }

    /// Forgets the looks so far.
    pub fn forget(&self) {
        self.0.log().clear();
    }

    /// So many block times have passed: whose turn it is fetches, and everybody looks.
    pub(super) async fn tick(&self, passed: u64) {
        let validators = &*self.0;
        let best = validators.node.chain().best().number();
        let glasses = validators.glasses(passed);
        let looks = join_all(glasses.into_iter().map(|glass| validators.look(glass, best))).await;
        let mut log = validators.log();
        log.extend(looks);
        let excess = log.len().saturating_sub(KEPT);
        log.drain(..excess);
    }
}

impl Gap {
    fn beginning(look: &ValidatorLook) -> Self {
        let ValidatorLook { block, validator, key_id, visibility } = look.clone();
        Self { validator, from: block, to: block, looks: 1, key_id, visibility }
    }
}

impl Validators {
    fn panel(&self) -> MutexGuard<'_, Vec<Validator>> {
        self.panel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self) -> MutexGuard<'_, VecDeque<ValidatorLook>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the operator has published, at the best block.
    fn commitment(&self) -> Option<Published> {
        Published::read(&self.node.published(&hotkey(OPERATOR_UID))?)
    }

    /// Whose turn it is fetches; then what everybody looks with.
    fn glasses(&self, passed: u64) -> Vec<Glass> {
        let now = passed % self.period;
        let mut panel = self.panel();
        if panel.iter().any(|validator| validator.phase == now) {
            let content = self.commitment();
            panel.iter_mut().filter(|validator| validator.phase == now).for_each(|validator| {
                validator.commitment.clone_from(&content);
            });
        }
        panel.iter_mut().map(|validator| validator.glass(&self.endpoint)).collect()
    }

    async fn look(&self, glass: Glass, block: u32) -> ValidatorLook {
        let Glass { validator, known } = glass;
        let Some((account, key_id, client)) = known else {
            return ValidatorLook { block, validator, key_id: None, visibility: Visibility::NoCommitment };
        };
        let visibility = tokio::time::timeout(BUDGET, self.see(&client, &account, block)).await;
        ValidatorLook { block, validator, key_id: Some(key_id), visibility: visibility.unwrap_or(Visibility::NoAnswer) }
    }

    /// The compressed object first, then the plain one.
    async fn see(&self, client: &Client, bucket: &str, block: u32) -> Visibility {
        let Some(window) = Window::last_complete(u64::from(block)) else { return Visibility::NoObject };
        let name = format!("grail/windows/{}-window-{window}.parquet", hotkey(OPERATOR_UID));
        match self.head(client, bucket, &format!("{name}.gz")).await {
            Some(404) => {}
            status => return seen(status),
        }
        seen(self.head(client, bucket, &name).await)
    }

    /// The status of a signed `HEAD`; `None` without an answer.
    async fn head(&self, client: &Client, bucket: &str, key: &str) -> Option<u16> {
        let lasting = PresigningConfig::expires_in(SIGNED_FOR).ok()?;
        let signed = client.head_object().bucket(bucket).key(key).presigned(lasting).await.ok()?;
        let request = http::Request::head(signed.uri()).header(USER_AGENT, AGENT).body(Empty::new()).ok()?;
        Some(self.http.request(request).await.ok()?.status().as_u16())
    }
}

impl Validator {
    /// The client for what it fetched last; where it knows the account and the key id already, that is the client from
    /// then, whatever the secret is by now.
    fn glass(&mut self, endpoint: &str) -> Glass {
        let known = self.commitment.as_ref().map(|published| {
            let name = (published.account.clone(), published.key_id.clone());
            let client = self.clients.entry(name).or_insert_with(|| client(endpoint, published)).clone();
            (published.account.clone(), published.key_id.clone(), client)
        });
        Glass { validator: self.uid, known }
    }
}

const fn seen(status: Option<u16>) -> Visibility {
    match status {
        Some(200) => Visibility::Read,
        Some(404) => Visibility::NoObject,
        Some(status) => Visibility::Refused(status),
        None => Visibility::NoAnswer,
    }
}

/// Signs with what was published; it never sends anything itself.
fn client(endpoint: &str, published: &Published) -> Client {
    let key = Credentials::new(&published.key_id, published.secret.expose(), None, None, "commitment");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .credentials_provider(key)
        .region(Region::new("auto"))
        .force_path_style(true)
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

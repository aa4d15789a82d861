//! The S3 server of the sandbox subnet: every uid's bucket over HTTP on loopback, in path style, in memory.
//!
//! ```text
//!   client ══ TCP ══ front ─── s3s ──────── access ─── store ─┬─ standing ── chain
//!                      │        │             │               └─ shelf
//!            recorder, faults   SigV4, XML    keys, scopes, tokens
//! ```
//!
//! Signatures, digests and scopes are checked as a real store checks them; [`S3Control`] makes things go wrong.

mod access;
mod deformed;
mod fault;
mod http_layer;
mod keys;
mod object_store;
mod objects;
mod refusal;
mod request_log;
mod standing;
mod store;
mod timetable;
mod tokens;

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use fault::{BucketFault, Dialect};
pub use request_log::SeenRequest;
pub use tokens::{Scope, Standing, Token};

use super::accounts::Credentials;
use super::admin_api::AdminApi;
use super::node::Node;
use super::sandbox_time::seconds_of;
use super::scenario::Scenario;
use http_layer::{HttpLayer, shifted};
use keys::{Issued, Ring};
use object_store::ObjectStore;
use objects::{Content, Object};
use request_log::RequestLog;
use tokens::Tokens;

/// Seconds by which s3s lets a signature's time differ, a century: how far it may, by which clock, is decided here.
const ANY_SKEW_S: u32 = 100 * 365 * 24 * 3600;

/// The switches of the S3 server, and what it has seen. Every switch is in effect when its method returns; one that is
/// thrown while a request is served may miss it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct S3Control(Arc<State>);

#[derive(Debug)]
struct State {
    node: Arc<Node>,
    ring: Ring,
    /// Seconds of sandbox time until a new token is known.
    token_delay_s: u32,
    conduct: RwLock<Conduct>,
    shelf: Mutex<ObjectStore>,
    seen: Mutex<RequestLog>,
}

/// How the server behaves now.
#[derive(Debug)]
struct Conduct {
    dialect: Dialect,
    /// Seconds by which its clock is ahead.
    clock_skew: i64,
    faults: HashMap<u16, BucketFault>,
    tokens: Tokens,
}

impl S3Control {
    /// As the scenario has it at the start.
    pub(super) fn new(node: Arc<Node>, scenario: &Scenario, uids: u32) -> Self {
        let faults = scenario.buckets.iter().map(|bucket| (bucket.uid, bucket.fault.clone())).collect();
        let tokens = Tokens::new(node.chain().best().timestamp_ms);
        let conduct = Conduct { dialect: scenario.s3.dialect, clock_skew: 0, faults, tokens };
        Self(Arc::new(State {
            node,
            ring: Ring::new(scenario, uids),
            token_delay_s: scenario.s3.token_delay_s,
            conduct: RwLock::new(conduct),
            shelf: Mutex::default(),
            seen: Mutex::default(),
        }))
    }

    /// Lets something be wrong with a uid's bucket, or nothing.
    pub fn set_fault(&self, uid: u16, fault: Option<BucketFault>) {
        let mut conduct = self.change();
        match fault {
            Some(fault) => conduct.faults.insert(uid, fault),
            None => conduct.faults.remove(&uid),
        };
    }

    /// Whose words the server uses.
    pub fn set_dialect(&self, dialect: Dialect) {
        self.change().dialect = dialect;
    }

    /// Sets the server's clock so many seconds ahead (behind, if negative): its `Date` says so, and signatures of more
    /// than 15 minutes before or after its time are refused.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.change().clock_skew = seconds;
    }

    /// Makes a token for a uid's account. The store knows it only after a while, 60 s of sandbox time where the scenario
    /// says nothing else (one block stands for 12 s of it, however fast blocks come); until then it answers as to any
    /// unknown key.
    pub fn issue(&self, uid: u16, scope: Scope) -> Token {
        let known_from = self.node().time.after(self.0.token_delay_s);
        self.change().tokens.issue(uid, scope, known_from)
    }

    /// Revokes a key, for good and at once: one that was issued, or one that was there from the start, be it for reading
    /// or for writing. Returns whether there was such a key, not yet revoked.
    pub fn revoke(&self, key_id: &str) -> bool {
        let exists = self.ring().key(key_id).is_some();
        let mut conduct = self.change();
        (exists || conduct.tokens.get(key_id).is_some()) && conduct.tokens.revoke(key_id)
    }

    /// Rolls a key in place: its id stays, its secret is another at once. `None` where there is no such key, or where it
    /// is revoked.
    pub fn roll(&self, key_id: &str) -> Option<Token> {
        let exists = self.ring().key(key_id).is_some();
        let mut conduct = self.change();
        let living = (exists || conduct.tokens.get(key_id).is_some()) && !conduct.tokens.is_revoked(key_id);
        living.then(|| conduct.tokens.roll(key_id))
    }

    /// A uid's keys as the provider's dashboard lists them: the read key and the write key that it had from the start,
    /// then those that were issued, each with its scope and how it stands.
    pub fn tokens(&self, uid: u16) -> Vec<(String, Scope, Standing)> {
        let Credentials { read_key_id, write_key_id, .. } = Credentials::of(uid, 0);
        let now = self.node().time.blocks();
        let conduct = self.conduct();
        let stands = |key_id: &str, known_from: u64| match known_from.saturating_sub(now) {
            _ if conduct.tokens.is_revoked(key_id) => Standing::Revoked,
            0 => Standing::Known,
            blocks => Standing::KnownIn(seconds_of(blocks)),
        };
        let first = [(&read_key_id, Scope::Read, 0), (&write_key_id, Scope::Write, 0)];
        let made = conduct.tokens.of(uid).map(|(key_id, made)| (key_id, made.scope, made.known_from));
        let all = first.into_iter().chain(made);
        all.map(|(key_id, scope, known_from)| (key_id.clone(), scope, stands(key_id, known_from))).collect()
    }

    /// Every request since the start or since they were forgotten, oldest first; 20,000 at most.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.seen().all()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.seen().forget();
    }

    /// Puts an object of this size and time into a uid's bucket; its bytes are made when somebody asks for them.
    pub fn place(&self, uid: u16, name: &str, size: u64, modified_ms: u64) {
        let (head, tail) = (b"PAR1".as_slice(), b"PAR1".as_slice());
        let content = Content::Noise { seed: size, head, tail };
        let etag = format!("{:032x}", u128::from(size) << 64 | u128::from(modified_ms));
        self.shelf().place(uid, Object { name: name.to_owned(), size, modified_ms, etag, content });
    }

    /// Takes away an object that was placed in, or written to, a uid's bucket.
    pub fn remove(&self, uid: u16, name: &str) {
        self.shelf().delete(uid, name);
    }

    /// The bytes of an object that was written to a uid's bucket.
    pub fn object(&self, uid: u16, name: &str) -> Option<Vec<u8>> {
        match &self.shelf().get(uid, name)?.content {
            Content::Bytes(bytes) => Some(bytes.to_vec()),
            Content::Noise { .. } => None,
        }
    }

    /// Names of the objects that were written to a uid's bucket, in order.
    pub fn stored(&self, uid: u16) -> Vec<String> {
        self.shelf().of(uid).map(|object| object.name.clone()).collect()
    }

    /// Whether a uid is on the subnet.
    pub(super) fn is_member(&self, uid: u16) -> bool {
        self.ring().is_member(uid)
    }

    /// What a key may do, if there ever was one with this id.
    pub(super) fn scope_of(&self, key_id: &str) -> Option<Scope> {
        let from_the_start = self.ring().key(key_id).map(|key| key.scope);
        from_the_start.or_else(|| self.conduct().tokens.get(key_id).map(|made| made.scope))
    }

    fn conduct(&self) -> RwLockReadGuard<'_, Conduct> {
        self.0.conduct.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Conduct> {
        self.0.conduct.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, ObjectStore> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, RequestLog> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self) -> &Node {
        &self.0.node
    }

    fn ring(&self) -> &Ring {
        &self.0.ring
    }

    fn dialect(&self) -> Dialect {
        self.conduct().dialect
    }

    fn fault_of(&self, uid: u16) -> Option<BucketFault> {
        self.conduct().faults.get(&uid).cloned()
    }

    /// The key with this id, if it is known and not revoked.
    fn valid_key(&self, id: &str) -> Option<Issued> {
        let from_the_start = self.ring().key(id);
        let now = self.node().time.blocks();
        let conduct = self.conduct();
        let made = || conduct.tokens.get(id).filter(|made| made.known_from <= now);
        let issued = || made().map(|made| Issued { uid: made.uid, scope: made.scope, key: None });
        let key = from_the_start.or_else(issued)?;
        let unknown = key.reads_only() && conduct.faults.get(&key.uid) == Some(&BucketFault::KeyUnknown);
        (!unknown && !conduct.tokens.is_revoked(id)).then_some(key)
    }

    /// The secret of a valid key.
    fn secret_of(&self, id: &str, key: Issued) -> String {
        let made = self.conduct().tokens.secret(id).map(|secret| secret.expose().to_owned());
        made.or_else(|| key.key.map(|first| first.secret(key.uid))).unwrap_or_default()
    }

    /// The time by the server's clock.
    fn now(&self) -> SystemTime {
        shifted(SystemTime::now(), self.conduct().clock_skew)
    }

    fn clock_is_wrong(&self) -> bool {
        self.conduct().clock_skew != 0
    }
}

/// The running server.
#[derive(Debug)]
pub(super) struct S3Server {
    url: String,
    control: S3Control,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Listens on loopback; port 0 takes any free one. The admin interface is for whoever knows where the server listens.
    pub(super) async fn start(
        port: u16,
        control: S3Control,
        admin_api: impl FnOnce(&str) -> AdminApi + Send,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let admin_api = admin_api(&url);
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = ANY_SKEW_S;
        let mut builder = S3ServiceBuilder::new(control.clone());
        builder.set_auth(control.clone());
        builder.set_access(control.clone());
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        let front = HttpLayer { control: control.clone(), s3: builder.build(), admin_api };
        Ok(Self { url, control, task: tokio::spawn(accept(listener, front)) })
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Its switches.
    pub(super) const fn control(&self) -> &S3Control {
        &self.control
    }

    /// Ends it, and waits until its sockets are closed.
    pub(super) async fn stop(&mut self) {
        self.task.abort();
        // That it was ended is what the error says.
        (&mut self.task).await.ok();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts connections; they end with the task.
async fn accept(listener: TcpListener, front: HttpLayer) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // What fails is a client that is gone already, or a machine out of file handles for a moment.
                if let Ok((socket, _)) = accepted {
                    connections.spawn(front.clone().serve(socket));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

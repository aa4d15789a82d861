//! The gate before the JSON-RPC server: it owns the listener and every TCP connection, so that a refused, dropped or
//! silently stalled connection is the real thing and not an error message about one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jsonrpsee::core::BoxError;
use jsonrpsee::server::middleware::rpc::RpcServiceBuilder;
use jsonrpsee::server::{HttpRequest, HttpResponse, Methods, ServerConfig, StopHandle};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tower::Service;

use super::byzantine::ByzantineBoard;
use super::limiter::Limiter;
use super::node::Node;
use super::rpc::Metered;
use super::web_pages;

/// Bytes on their way between the socket and the server, in each direction.
const PIPE_BYTES: usize = 64 * 1024;
/// How often a listener tries to get its port back after a refusal, and how long it waits in between.
const REBIND: (u32, Duration) = (100, Duration::from_millis(20));

/// Which connections have gone silent: bytes are neither read nor written, the sockets stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stall {
    /// Those that exist; a new connection works.
    Established,
    /// Those that exist and every new one.
    Everything,
}

/// Connections with an id below `before` are stalled.
#[derive(Debug, Clone, Copy, Default)]
struct Silence {
    before: u64,
}

/// What the gate is told to do.
#[derive(Debug)]
enum Order {
    Drop,
    Refuse,
    Accept,
    Stall(Stall),
    Flow,
}

/// Orders to the gate. Every order is carried out when its future completes.
#[derive(Debug, Clone)]
pub struct GateHandle {
    orders: mpsc::Sender<(Order, oneshot::Sender<io::Result<()>>)>,
}

impl GateHandle {
    async fn order(&self, order: Order) -> io::Result<()> {
        let (done, carried_out) = oneshot::channel();
        let closed = || io::Error::new(io::ErrorKind::BrokenPipe, "the sandbox has been shut down");
        self.orders.send((order, done)).await.map_err(|_| closed())?;
        carried_out.await.map_err(|_| closed())?
    }

    /// Closes every connection; new ones are accepted.
    pub async fn drop_connections(&self) -> io::Result<()> {
        self.order(Order::Drop).await
    }

    /// Closes the listener and every connection: the node was killed.
    pub async fn refuse(&self) -> io::Result<()> {
        self.order(Order::Refuse).await
    }

    /// Listens again on the same port.
    pub async fn accept(&self) -> io::Result<()> {
        self.order(Order::Accept).await
    }

    /// Lets connections fall silent.
    pub async fn stall(&self, stall: Stall) -> io::Result<()> {
        self.order(Order::Stall(stall)).await
    }

    /// Lets bytes flow again where they stopped.
    pub async fn flow(&self) -> io::Result<()> {
        self.order(Order::Flow).await
    }
}

/// What serves a connection once its bytes are through the gate.
#[derive(Clone)]
struct Server {
    node: Arc<Node>,
    methods: Methods,
    config: ServerConfig,
    stop: StopHandle,
    byzantine: Arc<ByzantineBoard>,
    limiter: Option<Arc<Limiter>>,
}

/// The listener with its connections.
pub struct TcpGate {
    address: SocketAddr,
    listener: Option<TcpListener>,
    server: Server,
    connections: JoinSet<()>,
    accepted: u64,
    silence: watch::Sender<Silence>,
    orders: mpsc::Receiver<(Order, oneshot::Sender<io::Result<()>>)>,
}

impl TcpGate {
    /// Listens on loopback; port 0 takes any free one.
    pub async fn bind(
        port: u16,
        node: Arc<Node>,
        methods: Methods,
        config: ServerConfig,
        stop: StopHandle,
        byzantine: Arc<ByzantineBoard>,
        limiter: Option<Arc<Limiter>>,
    ) -> io::Result<(Self, GateHandle)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let (orders, received) = mpsc::channel(1);
        let gate = Self {
            address: listener.local_addr()?,
            listener: Some(listener),
            server: Server { node, methods, config, stop, byzantine, limiter },
            connections: JoinSet::new(),
            accepted: 0,
            silence: watch::Sender::default(),
            orders: received,
        };
        Ok((gate, GateHandle { orders }))
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts connections and carries out orders until it is aborted.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                order = self.orders.recv() => {
                    let Some((order, done)) = order else { return };
                    let result = self.carry_out(order).await;
                    // Whoever gave the order may have stopped waiting; it is carried out all the same.
                    done.send(result).ok();
                }
                Some(socket) = next_connection(self.listener.as_ref()) => self.admit(socket),
                Some(_) = self.connections.join_next() => {}
            }
        }
    }

    async fn carry_out(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Drop => self.connections.shutdown().await,
            Order::Refuse => {
                self.listener = None;
                self.connections.shutdown().await;
            }
            Order::Accept if self.listener.is_none() => self.listener = Some(rebind(self.address).await?),
            Order::Accept => {}
            Order::Stall(Stall::Established) => self.silence.send_modify(|silence| silence.before = self.accepted),
            Order::Stall(Stall::Everything) => self.silence.send_modify(|silence| silence.before = u64::MAX),
            Order::Flow => self.silence.send_modify(|silence| silence.before = 0),
        }
        Ok(())
    }

    fn admit(&mut self, socket: TcpStream) {
        let id = self.accepted;
        self.accepted += 1;
        self.server.node.meter.connected();
        let (server, silence) = (self.server.clone(), self.silence.subscribe());
        self.connections.spawn(async move { connection(id, socket, server, silence).await });
    }
}

/// The next connection; never, when nobody listens.
async fn next_connection(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(socket, _)| socket),
        None => std::future::pending().await,
    }
}

/// Takes the port back. Another program may hold it for a moment, as an outgoing connection's port for example.
async fn rebind(address: SocketAddr) -> io::Result<TcpListener> {
    let (attempts, pause) = REBIND;
    for _ in 1..attempts {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Ok(listener);
        }
        tokio::time::sleep(pause).await;
    }
    TcpListener::bind(address).await
}

/// Carries bytes between the socket and the server until one of them is done.
async fn connection(id: u64, socket: TcpStream, server: Server, silence: watch::Receiver<Silence>) {
    socket.set_nodelay(true).ok();
    let node = Arc::clone(&server.node);
    let meter = Arc::clone(&node.meter);
    let (client_in, client_out) = socket.into_split();
    let (outer, inner) = duplex(PIPE_BYTES);
    let (server_out, server_in) = split(outer);
    let serve = serve(inner, server);
    let inbound = pump(id, client_in, server_in, silence.clone(), |bytes| {
        meter.received(bytes.len());
        None
    });
    let mut tail = Vec::new();
    let outbound = pump(id, server_out, client_out, silence, |bytes| {
        meter.sent(bytes.len());
        node.cut.within(&mut tail, bytes)
    });
    // A WebSocket lives on after its upgrade is served; a plain HTTP connection ends with `outbound`.
    let upgrade_served = async {
        serve.await;
        std::future::pending::<()>().await;
    };
    let cut = tokio::select! {
        _ = inbound => false,
        ended = outbound => ended == Ended::WriteCutoff,
        () = upgrade_served => false,
    };
    if cut {
        // Not by this task: it is one of those that end.
        tokio::spawn(async move { node.hang_up().await });
    }
}

/// Why a direction of a connection carries no more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// One of its ends is gone.
    Closed,
    /// The bytes that were to be the last have been carried.
    WriteCutoff,
}

async fn pump(
    id: u64,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut silence: watch::Receiver<Silence>,
    mut ends_within: impl FnMut(&[u8]) -> Option<usize>,
) -> Ended {
    let mut buffer = vec![0; PIPE_BYTES];
    loop {
        if silence.wait_for(|silence| id >= silence.before).await.is_err() {
            return Ended::Closed;
        }
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return Ended::Closed };
        // What arrived while the silence fell stays here until it ends.
        if silence.wait_for(|silence| id >= silence.before).await.is_err() {
            return Ended::Closed;
        }
        let end = ends_within(&buffer[..length]);
        if to.write_all(&buffer[..end.unwrap_or(length)]).await.is_err() {
            return Ended::Closed;
        }
        if end.is_some() {
            return Ended::WriteCutoff;
        }
    }
}

/// Serves HTTP and, after the upgrade, JSON-RPC over WebSocket.
async fn serve(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, server: Server) {
    let (node, byzantine, limiter) = (Arc::clone(&server.node), server.byzantine, server.limiter);
    let rpc = RpcServiceBuilder::new()
        .layer_fn(move |service| Metered::new(service, Arc::clone(&node), Arc::clone(&byzantine), limiter.clone()));
    let builder =
        jsonrpsee::server::ServerBuilder::with_config(server.config).set_rpc_middleware(rpc).to_service_builder();
    let (node, methods, stop) = (server.node, server.methods, server.stop);
    let service = tower::service_fn(move |request: HttpRequest<_>| {
        let mut service = builder.clone().build(methods.clone(), stop.clone());
        let node = Arc::clone(&node);
        let stranger = web_pages::refusal(request.uri(), request.headers());
        async move {
            if let Some(why) = stranger {
                return Ok(forbidden(why));
            }
            let (latency, refused) = {
                let faults = node.faults.now();
                (faults.latency, faults.refuses_handshakes())
            };
            tokio::time::sleep(latency).await;
            if refused { Ok(too_many_requests()) } else { service.call(request).await }
        }
    });
    // The error is the client's going away; there is nobody left to tell.
    let serving: BoxFuture<'static, Result<(), BoxError>> = Box::pin(jsonrpsee::server::serve(io, service));
    serving.await.ok();
}

/// HTTP 403, for pages in a browser.
fn forbidden(why: &'static str) -> HttpResponse {
    let mut response = jsonrpsee::server::http::response::denied();
    *response.body_mut() = why.into();
    response
}

/// HTTP 429, as public nodes answer a client that comes back too often.
fn too_many_requests() -> HttpResponse {
    let mut response = jsonrpsee::server::http::response::too_many_requests();
    if let Ok(seconds) = "1".parse() {
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}

//! A node that says what the target tells it to, over a real WebSocket, on one thread with whoever asks.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use grail_console::domain::network::Network;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// Real metadata of finney, and the version of its runtime.
pub(crate) const METADATA: &[u8] = include_bytes!("../../../assets/metadata/finney-spec-365.v16.scale");
pub(crate) const SPEC: u32 = 365;

/// What every WebSocket handshake appends to the client's key (RFC 6455).
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PONG: u8 = 10;
const PING: u8 = 9;
const CLOSE: u8 = 8;
const TEXT: u8 = 1;
/// Longest request of the console, in bytes.
const LONGEST: u64 = 1 << 20;

/// A request as it came.
pub(crate) struct Request {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Value,
}

impl Request {
    /// The answer to it.
    pub(crate) fn answer(&self, result: &Value) -> Vec<u8> {
        json!({ "jsonrpc": "2.0", "id": self.id, "result": result }).to_string().into_bytes()
    }

    /// That there is no such method.
    pub(crate) fn refusal(&self) -> Vec<u8> {
        let error = json!({ "code": -32_601, "message": "Method not found" });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error }).to_string().into_bytes()
    }

    /// The keys that it asks for, as it writes them.
    pub(crate) fn keys(&self) -> Vec<String> {
        let keys = self.params[0].as_array().into_iter().flatten();
        keys.filter_map(|key| key.as_str().map(ToOwned::to_owned)).collect()
    }
}

/// Messages for a request; `None` ends the connection.
type Answers = dyn FnMut(&Request) -> Option<Vec<Vec<u8>>> + Send;

/// A running node.
pub(crate) struct ScriptedNode {
    url: String,
    answers: Arc<Mutex<Box<Answers>>>,
}

impl ScriptedNode {
    /// Serves as long as the runtime lives.
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let answers: Arc<Mutex<Box<Answers>>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let kept = Arc::clone(&answers);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { url, answers }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn network(&self) -> Network {
        Network::at_endpoint(&self.url, None).unwrap()
    }

    /// From now on it answers so.
    pub(crate) fn answer_with(&self, answers: impl FnMut(&Request) -> Option<Vec<Vec<u8>>> + Send + 'static) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answers);
    }
}

/// One thread for everybody.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Bytes as they are written on the wire.
pub(crate) fn hex0x(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Changes of storage as answers tell them.
pub(crate) fn changes(block: &Value, changes: &[(String, Vec<u8>)]) -> Value {
    let changes: Vec<_> = changes.iter().map(|(key, value)| json!([key, hex0x(value)])).collect();
    json!([{ "block": block, "changes": changes }])
}

async fn serve(stream: TcpStream, answers: Arc<Mutex<Box<Answers>>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = BufReader::new(stream);
    let key = key(&mut stream).await?;
    let accepted = BASE64_STANDARD.encode(Sha1::new().chain_update(key).chain_update(MAGIC).finalize());
    let upgraded = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    );
    stream.write_all(upgraded.as_bytes()).await.ok()?;
    loop {
        match frame(&mut stream).await? {
            (CLOSE, _) => return None,
            (PING, payload) => send(&mut stream, PONG, &payload).await?,
            (TEXT, payload) => {
                let request: Value = serde_json::from_slice(&payload).ok()?;
                let (id, params) = (request["id"].clone(), request["params"].clone());
                let request = Request { id, method: request["method"].as_str()?.to_owned(), params };
                let said = (answers.lock().unwrap_or_else(PoisonError::into_inner))(&request);
                for message in said? {
                    send(&mut stream, TEXT, &message).await?;
                }
            }
            _ => {}
        }
    }
}

/// The key of a handshake.
async fn key(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    })
}

/// A client's frame, unmasked. The console sends each message in one.
async fn frame(stream: &mut BufReader<TcpStream>) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()? & 0x0f;
    let length = match stream.read_u8().await.ok()? & 0x7f {
        126 => u64::from(stream.read_u16().await.ok()?),
        127 => stream.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask).await.ok()?;
    let mut payload = vec![0; usize::try_from(length.min(LONGEST)).ok()?];
    stream.read_exact(&mut payload).await.ok()?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((kind, payload))
}

async fn send(stream: &mut BufReader<TcpStream>, kind: u8, payload: &[u8]) -> Option<()> {
    let mut bytes = vec![0x80 | kind];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => bytes.push(u8::try_from(short).ok()?),
        Ok(middle) => {
            bytes.push(126);
            bytes.extend(middle.to_be_bytes());
        }
        Err(_) => {
            bytes.push(127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    stream.write_all(&bytes).await.ok()
}

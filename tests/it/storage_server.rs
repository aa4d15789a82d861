//! Hand-written HTTP servers on loopback that do what no store does, and count what they got rid of.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grail_console::domain::commitment::Parts;
use grail_console::domain::hotkey::Hotkey;
use grail_console::domain::provider::{Provider, S3Endpoint};
use grail_console::domain::secret::SecretKey;
use grail_console::domain::self_test_objects::CanaryName;
use grail_console::domain::window::{DocumentedName, Window};
use grail_console::storage::{Owner, Reader, Store, StoreOptions, Target};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

pub const BUCKET: &str = "a-bucket";
pub const KEY_ID: &str = "0123456789abcdef0123456789abcdef";
pub const SECRET: &str = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2";

/// What comes after the bytes that are sent first.
#[derive(Clone)]
pub enum Then {
    /// The next request on the same connection.
    Next,
    /// The end of the connection.
    Close,
    /// Nothing, on an open connection.
    Silence,
    /// The same bytes for ever.
    Forever(Vec<u8>),
    /// The same bytes for ever, one at a time.
    Drip(Vec<u8>),
}

#[derive(Clone)]
pub struct Script {
    pub first: Vec<u8>,
    pub then: Then,
}

impl Script {
    pub fn new(first: impl Into<Vec<u8>>, then: Then) -> Self {
        Self { first: first.into(), then }
    }

    /// A whole answer, on a connection that stays open.
    pub fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::new(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"), Then::Next)
    }
}

/// A server, what it was asked, and how many connections and bytes it had.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request by a script.
    pub fn start(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // What the kernel takes off a server's hands counts as sent.
        socket.set_send_buffer_size(16 << 10).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(64).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, asked: Arc::default(), connections: Arc::default(), sent: Arc::default() };
        let (kept, script) = (server.clone(), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                kept.connections.fetch_add(1, Ordering::SeqCst);
                let (server, script) = (kept.clone(), Arc::clone(&script));
                tokio::spawn(async move { server.serve(stream, script.as_ref()).await });
            }
        });
        server
    }

    pub fn always(script: Script) -> Self {
        Self::start(move |_| script.clone())
    }

    async fn serve(&self, mut stream: TcpStream, script: &(impl Fn(&str) -> Script + Sync)) -> Option<()> {
        loop {
            let request = read_request(&mut stream).await?;
            let script = script(&request);
            self.asked.lock().unwrap().push(request);
            self.send(&mut stream, &script.first).await?;
            match script.then {
                Then::Next => {}
                Then::Close => return None,
                Then::Silence => std::future::pending().await,
                Then::Forever(bytes) => loop {
                    self.send(&mut stream, &bytes).await?;
                },
                Then::Drip(bytes) => loop {
                    for byte in &bytes {
                        self.send(&mut stream, &[*byte]).await?;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
            }
        }
    }

    async fn send(&self, stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
        for piece in bytes.chunks(4 << 10) {
            stream.write_all(piece).await.ok()?;
            self.sent.fetch_add(piece.len(), Ordering::SeqCst);
        }
        Some(())
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests so far, head and body.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The only request.
    pub fn request(&self) -> String {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0; 4096];
        let read = stream.read(&mut byte).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&byte[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(text);
        }
    }
}

/// A header of a request, by its name in lower case.
pub fn header(request: &str, name: &str) -> Option<String> {
    let head = request.split("\r\n\r\n").next().unwrap();
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.to_ascii_lowercase() == name).then(|| value.trim().to_owned())
    })
}

/// Names of a request's headers in lower case, sorted.
pub fn header_names(request: &str) -> Vec<String> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut names: Vec<_> =
        head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase())).collect();
    names.sort();
    names
}

pub fn parts(locator: &str) -> Parts {
    Parts { locator: locator.into(), read_key_id: KEY_ID.into(), read_secret: SecretKey::new(SECRET) }
}

pub fn custom(url: &str) -> Provider {
    Provider::Custom(S3Endpoint::parse(url).unwrap())
}

pub fn target(url: &str) -> Target {
    Target::published(&custom(url), &parts(BUCKET)).unwrap()
}

/// Short enough for a test that waits until the end.
pub fn impatient() -> StoreOptions {
    StoreOptions { connect: Duration::from_millis(400), total: Duration::from_millis(800), ..StoreOptions::default() }
}

pub fn reader(url: &str) -> Reader {
    Store::new(impatient()).reader(target(url))
}

pub fn owner(url: &str) -> Owner {
    Store::new(impatient()).owner(target(url))
}

pub fn hotkey() -> Hotkey {
    Hotkey::from_bytes([7; 32])
}

pub fn window() -> DocumentedName {
    DocumentedName::Window(hotkey(), Window::of(300))
}

pub fn canary() -> CanaryName {
    CanaryName::Canary(hotkey())
}

/// Far beyond every bound of a test.
pub fn later() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

//! A way to the store on which requests and answers get lost, by their verb.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of requests with a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The store does what is asked, and nobody hears of it.
    Answer,
    /// Nothing comes of it, and nobody says so.
    Everything,
}

#[derive(Debug, Default)]
struct State {
    losses: HashMap<String, Loss>,
    delay: Duration,
    seen: Vec<String>,
}

/// The way. It ends with the runtime that it was opened on.
#[derive(Debug, Clone)]
pub struct Way {
    url: String,
    state: Arc<Mutex<State>>,
    news: Arc<watch::Sender<()>>,
}

impl Way {
    /// Opens a way to `http://HOST:PORT`.
    pub async fn to(url: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let way = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            news: Arc::default(),
        };
        let (taken, store) = (way.clone(), url.trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(taken.clone().carry(socket, store.clone()));
            }
        });
        way
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on this is lost of every request with the verb; nothing, if `None`.
    pub fn lose(&self, verb: &str, loss: Option<Loss>) {
        let mut state = self.state.lock().unwrap();
        match loss {
            Some(loss) => state.losses.insert(verb.to_owned(), loss),
            None => state.losses.remove(verb),
        };
    }

    /// From now on the store does what it is asked at once, and its answer takes so long.
    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    /// The verbs of the requests that came, in order.
    pub fn seen(&self) -> Vec<String> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Waits until a request with the verb has come, and the store has done what it is to do.
    pub async fn came(&self, verb: &str) {
        let mut news = self.news.subscribe();
        while !self.seen().iter().any(|seen| seen == verb) {
            news.changed().await.unwrap();
        }
    }

    /// One request, on a connection of its own to the store.
    async fn carry(self, mut socket: TcpStream, store: String) {
        let Some(request) = whole_request(&mut socket).await else { return };
        let verb = request.verb();
        let loss = self.state.lock().unwrap().losses.get(&verb).copied();
        if loss == Some(Loss::Everything) {
            self.note(verb);
            // Until whoever asks gives up.
            socket.read_u8().await.ok();
            return;
        }
        let mut answer = Vec::new();
        let mut far = TcpStream::connect(store).await.unwrap();
        far.write_all(&request.closing()).await.unwrap();
        far.read_to_end(&mut answer).await.ok();
        self.note(verb);
        let delay = self.state.lock().unwrap().delay;
        tokio::time::sleep(delay).await;
        match loss {
            // Held back until whoever asks gives up.
            Some(_) => drop(socket.read_u8().await),
            None => drop(socket.write_all(&answer).await),
        }
    }

    fn note(&self, verb: String) {
        self.state.lock().unwrap().seen.push(verb);
        self.news.send_replace(());
    }
}

struct Whole(Vec<u8>);

impl Whole {
    fn verb(&self) -> String {
        String::from_utf8_lossy(self.0.split(|byte| *byte == b' ').next().unwrap()).into_owned()
    }

    /// The same, as the last request on its connection.
    fn closing(&self) -> Vec<u8> {
        let line = self.0.windows(2).position(|end| end == b"\r\n").unwrap() + 2;
        [&self.0[..line], b"Connection: close\r\n", &self.0[line..]].concat()
    }
}

/// Head and body of a request; `None` where the connection ends before.
async fn whole_request(socket: &mut TcpStream) -> Option<Whole> {
    let mut read = Vec::new();
    loop {
        if let Some(head) = read.windows(4).position(|end| end == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if read.len() >= head + 4 + length.unwrap_or(0) {
                return Some(Whole(read));
            }
        }
        let mut piece = [0; 4096];
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => read.extend_from_slice(&piece[..count]),
        }
    }
}

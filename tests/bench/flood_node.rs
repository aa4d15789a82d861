//! A node that stands between a command and the sandbox's: what the sandbox says passes, and a flood comes between its
//! messages. The socket is written by hand, since no server would send what is sent here.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// Text in one piece.
const TEXT: u8 = 0x81;
/// Text of which more follows.
pub const TEXT_BEGINS: u8 = 0x01;
/// More of it, and not the last.
pub const TEXT_GOES_ON: u8 = 0x00;
/// A ping.
pub const PING: u8 = 0x89;

/// What comes between the sandbox's messages.
#[derive(Clone, Copy)]
pub enum Flood {
    /// Nothing.
    Nothing,
    /// The first notification of a method, changed, again and again from then on; answers are held back where that is said.
    Repeated { method: &'static str, change: fn(&mut Value), unanswered: bool },
    /// Bytes from the handshake on, each time those of the next number; where that is said nothing else comes, no answer and
    /// no pong.
    Frames { make: fn(u64) -> Vec<u8>, unanswered: bool },
    /// The answers to a method (or to any, if it is empty) are these instead, from the id and from what was true.
    Answers { method: &'static str, make: fn(&Value, &Value) -> String },
    /// Instead of a handshake: these bytes, then those again and again.
    Handshake { first: &'static str, again: &'static str },
}

/// The node, and how many bytes of its flood were taken.
pub struct FloodNode {
    pub url: String,
    sent: Arc<AtomicU64>,
}

impl FloodNode {
    /// Serves as long as this process lives.
    pub fn start(behind: &str, flood: Flood) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let sent = Arc::<AtomicU64>::default();
        let (counted, behind) = (Arc::clone(&sent), behind.trim_start_matches("ws://").to_owned());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (behind, counted) = (behind.clone(), Arc::clone(&counted));
                // An error is the end of a connection, which is what most floods come to.
                thread::spawn(move || serve(client, &behind, flood, &counted).ok());
            }
        });
        Self { url, sent }
    }

    /// Megabytes of the flood that were taken so far.
    pub fn sent_mb(&self) -> f64 {
        megabytes(self.sent.load(Ordering::Relaxed))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number to be read")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Writes a piece again and again until nobody takes it.
pub fn forever(to: &mut impl Write, sent: &AtomicU64, mut piece: impl FnMut(u64) -> Vec<u8>) -> io::Result<()> {
    for number in 0.. {
        let bytes = piece(number);
        to.write_all(&bytes)?;
        sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// A head of HTTP, its blank line included.
pub fn head(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte)?;
        bytes.extend(byte);
    }
    Ok(bytes)
}

/// One frame from server to client.
pub fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    match u16::try_from(content.len()) {
        Ok(short) if short < 126 => bytes.push(u8::try_from(short).unwrap()),
        Ok(middle) => {
            bytes.push(126);
            bytes.extend(middle.to_be_bytes());
        }
        Err(_) => {
            bytes.push(127);
            bytes.extend((content.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A message of one frame.
pub fn message(text: &str) -> Vec<u8> {
    frame(TEXT, text.as_bytes())
}

/// What the one who writes to the client is given.
enum Item {
    /// From the sandbox.
    Frame(Vec<u8>),
    /// From now on this, again and again.
    Again(Vec<u8>),
}

fn serve(mut client: TcpStream, behind: &str, flood: Flood, sent: &AtomicU64) -> io::Result<()> {
    if let Flood::Handshake { first, again } = flood {
        head(&mut client)?;
        client.write_all(first.as_bytes())?;
        return forever(&mut client, sent, |_| again.as_bytes().repeat(1 + 4_096 / again.len()));
    }
    let server = TcpStream::connect(behind)?;
    let asked = Arc::<Mutex<HashMap<u64, String>>>::default();
    let (from_client, to_server, notes) = (client.try_clone()?, server.try_clone()?, Arc::clone(&asked));
    thread::spawn(move || upwards(from_client, to_server, &notes).ok());
    let mut from_server = BufReader::new(server);
    client.write_all(&head(&mut from_server)?)?;
    let (items, given) = channel();
    thread::spawn(move || downwards(from_server, &items, flood, &asked).ok());
    write(&mut client, &given, flood, sent)
}

/// From the client to the sandbox, with a note of what is asked.
fn upwards(from: TcpStream, mut to: TcpStream, notes: &Mutex<HashMap<u64, String>>) -> io::Result<()> {
    let mut from = BufReader::new(from);
    to.write_all(&head(&mut from)?)?;
    loop {
        let (raw, content) = read_frame(&mut from)?;
        let asked = serde_json::from_slice::<Value>(&content).unwrap_or_default();
        if let (Some(id), Some(method)) = (asked["id"].as_u64(), asked["method"].as_str()) {
            notes.lock().unwrap().insert(id, method.to_owned());
        }
        to.write_all(&raw)?;
    }
}

/// What the sandbox sends, as the flood wants it.
fn downwards(
    mut from: BufReader<TcpStream>,
    items: &Sender<Item>,
    flood: Flood,
    notes: &Mutex<HashMap<u64, String>>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let mut begun = matches!(flood, Flood::Frames { .. });
    loop {
        let (raw, content) = read_frame(&mut from)?;
        let mut told = serde_json::from_slice::<Value>(&content).unwrap_or_default();
        let answered = told["id"].as_u64().and_then(|id| notes.lock().unwrap().get(&id).cloned());
        match (flood, answered) {
            (Flood::Frames { unanswered: true, .. }, _) => {}
            (Flood::Repeated { unanswered: true, .. }, Some(_)) if begun => {}
            (Flood::Answers { method, make }, Some(asked)) if method.is_empty() || method == asked => {
                items.send(Item::Frame(message(&make(&told["id"], &told["result"])))).map_err(gone)?;
            }
            (Flood::Repeated { method, change, .. }, None) if !begun && told["method"] == method => {
                begun = true;
                change(&mut told["params"]["result"]);
                items.send(Item::Again(message(&told.to_string()))).map_err(gone)?;
            }
            _ => items.send(Item::Frame(raw)).map_err(gone)?,
        }
    }
}

fn write(client: &mut TcpStream, given: &Receiver<Item>, flood: Flood, sent: &AtomicU64) -> io::Result<()> {
    let (mut again, mut number) = (None::<Vec<u8>>, 0);
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    loop {
        let floods = again.is_some() || matches!(flood, Flood::Frames { .. });
        let item = if floods { given.try_recv().ok() } else { Some(given.recv().map_err(gone)?) };
        match item {
            Some(Item::Frame(bytes)) => {
                client.write_all(&bytes)?;
                if matches!(flood, Flood::Answers { .. }) {
                    sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
            }
            Some(Item::Again(bytes)) => again = Some(bytes),
            None => {
                let made = if let Flood::Frames { make, .. } = flood { Some(make(number)) } else { None };
                let bytes = made.as_ref().or(again.as_ref()).expect("it floods");
                client.write_all(bytes)?;
                sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                number += 1;
            }
        }
    }
}

/// A frame as it came, and its content unmasked.
fn read_frame(from: &mut impl Read) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut raw = vec![0; 2];
    from.read_exact(&mut raw)?;
    let (is_masked, short) = (raw[1] & 0x80 != 0, raw[1] & 0x7f);
    let mut more = |count: usize| {
        let begin = raw.len();
        raw.resize(begin + count, 0);
        from.read_exact(&mut raw[begin..])?;
        Ok::<_, io::Error>(raw[begin..].to_vec())
    };
    let length = match short {
        126 => usize::from(u16::from_be_bytes(more(2)?.try_into().unwrap())),
        127 => usize::try_from(u64::from_be_bytes(more(8)?.try_into().unwrap())).unwrap(),
        short => usize::from(short),
    };
    let mask = if is_masked { more(4)? } else { vec![0; 4] };
    let content = more(length)?;
    let content = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Ok((raw, content))
}

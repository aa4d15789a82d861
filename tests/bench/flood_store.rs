//! A store that answers every request without an end.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::flood_node::{forever, head, megabytes};

/// What comes first, and what comes then for ever.
#[derive(Clone, Copy)]
pub struct Answer {
    pub first: &'static str,
    pub again: fn() -> Vec<u8>,
}

/// The store, and how many bytes of its answers were taken.
pub struct FloodStore {
    pub url: String,
    sent: Arc<AtomicU64>,
}

impl FloodStore {
    /// Serves as long as this process lives.
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let counted = Arc::clone(&counted);
                // An error is the end of the connection.
                thread::spawn(move || serve(client, answer, &counted).ok());
            }
        });
        Self { url, sent }
    }

    /// Megabytes that were taken so far.
    pub fn sent_mb(&self) -> f64 {
        megabytes(self.sent.load(Ordering::Relaxed))
    }
}

fn serve(mut client: TcpStream, answer: Answer, sent: &AtomicU64) -> io::Result<()> {
    head(&mut client)?;
    client.write_all(answer.first.as_bytes())?;
    let again = (answer.again)();
    forever(&mut client, sent, |_| again.clone())
}

//! The first bytes of a connection, kept aside: the WebSocket library tells the status of a refused handshake but not
//! its `Retry-After`, nor what a server that is no node said instead. Nor does it bound the handshake's answer, which it parses
//! anew with each piece.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes kept: a response head fits.
const KEPT: usize = 2_048;
/// Most bytes of a handshake's answer, or of what a server sends instead; an honest one has less than 1 KiB.
pub(super) const MOST_OF_HANDSHAKE: usize = 64 << 10;

/// What was received first.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstBytes(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    kept: Vec<u8>,
    /// Bytes of the handshake, as long as it goes on.
    bytes: usize,
    is_over: bool,
}

impl FirstBytes {
    /// Takes note of what came. Whether more is to be noted: an error where it is too much.
    fn note(&self, bytes: &[u8]) -> io::Result<bool> {
        let mut received = self.received();
        if received.is_over {
            return Ok(false);
        }
        let room = KEPT.saturating_sub(received.kept.len());
        received.kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
        received.bytes = received.bytes.saturating_add(bytes.len());
        if received.bytes > MOST_OF_HANDSHAKE { Err(io::Error::other("the handshake has no end")) } else { Ok(true) }
    }

    /// What comes from now on are messages.
    pub(super) fn handshake_is_over(&self) {
        self.received().is_over = true;
    }

    /// Whether the handshake was given up because it went on and on.
    pub(super) fn are_too_many(&self) -> bool {
        self.received().bytes > MOST_OF_HANDSHAKE
    }

    fn received(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first line, at most 80 bytes of it.
    pub(super) fn first_line(&self) -> Vec<u8> {
        let received = self.received();
        received.kept.iter().copied().take_while(|b| !matches!(b, b'\r' | b'\n')).take(80).collect()
    }

    /// The header `Retry-After` in its form of seconds, at most an hour.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let received = self.received();
        let head = String::from_utf8_lossy(&received.kept);
        let (_, value) = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("retry-after"))?;
        value.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(3_600)))
    }
}

/// A stream whose first received bytes are kept.
pub(super) struct HandshakeTap<S> {
    inner: S,
    first_bytes: FirstBytes,
    notes: bool,
}

impl<S> HandshakeTap<S> {
    /// Wraps a stream.
    pub(super) fn new(inner: S, first_bytes: FirstBytes) -> Self {
        Self { inner, first_bytes, notes: true }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HandshakeTap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.notes {
            self.notes = self.first_bytes.note(&buf.filled()[before..])?;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HandshakeTap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

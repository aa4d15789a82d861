//! The first bytes of a connection, kept aside: the WebSocket library tells the status of a refused handshake but not
//! its `Retry-After`, nor what a server that is no node said instead.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes kept: a response head fits.
const KEPT: usize = 2_048;

/// What was received first.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstBytes(Arc<Mutex<Vec<u8>>>);

impl FirstBytes {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    /// The first line, at most 80 bytes of it.
    pub(super) fn first_line(&self) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().copied().take_while(|b| !matches!(b, b'\r' | b'\n')).take(80).collect()
    }

    /// The header `Retry-After` in its form of seconds, at most an hour.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let head = String::from_utf8_lossy(&kept);
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
    left: usize,
}

impl<S> HandshakeTap<S> {
    /// Wraps a stream.
    pub(super) fn new(inner: S, first_bytes: FirstBytes) -> Self {
        Self { inner, first_bytes, left: KEPT }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HandshakeTap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.left > 0 {
            let fresh = &buf.filled()[before..];
            self.first_bytes.keep(fresh);
            self.left = self.left.saturating_sub(fresh.len());
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

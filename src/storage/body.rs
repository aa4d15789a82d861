//! Bodies that end at a cap whatever the server sends (THREATS T9).

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use super::record::Record;
use super::transport::broken;
use crate::domain::probe::Trouble;

/// An answer's body, never decoded, cut off when it passes the cap; what ends it early is noted in the record.
pub(super) struct Capped {
    inner: Incoming,
    cap: u64,
    left: u64,
    over: bool,
    record: Record,
}

impl Capped {
    pub(super) fn new(inner: Incoming, cap: u64, record: Record) -> Self {
        Self { inner, cap, left: cap, over: false, record }
    }

    /// Counts what came; bytes past the cap are dropped, and the next read fails.
    fn count(&mut self, mut data: Bytes) -> Bytes {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.over = data.len() > room;
        data.truncate(room);
        self.left -= data.len() as u64;
        self.record.read(data.len());
        data
    }

    fn too_large(&self) -> Box<dyn StdError + Send + Sync> {
        self.record.failed(Trouble::TooLarge { cap: self.cap });
        format!("an answer of more than {} bytes", self.cap).into()
    }
}

impl Body for Capped {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.over {
            return Poll::Ready(Some(Err(self.too_large())));
        }
        let next = ready!(Pin::new(&mut self.inner).poll_frame(context));
        Poll::Ready(match next {
            None => None,
            Some(Err(error)) => {
                self.record.failed(broken(&error));
                Some(Err(Box::new(error)))
            }
            // Trailers end a body, and nobody asked for them.
            Some(Ok(frame)) => frame.into_data().ok().map(|data| Ok(Frame::data(self.count(data)))),
        })
    }
}

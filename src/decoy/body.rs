//! The body of an answer on its way to the program: counted, and given up where nothing more comes.

use super::audit::Entry;
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// What the decoy says itself, or what the tenant's server sends.
type Inner = Either<Full<Bytes>, reqwest::Body>;

/// An answer's body; what became of it is written down when it is gone.
pub(super) struct Outgoing {
    inner: Inner,
    patience: Duration,
    until: Pin<Box<Sleep>>,
    entry: Entry,
}

/// The server sent nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the server sends nothing more")]
struct Stalled;

impl Outgoing {
    /// A body that is given up when nothing of it comes for so long.
    pub(super) fn new(inner: Inner, patience: Duration, entry: Entry) -> Self {
        Self { inner, patience, until: Box::pin(sleep(patience)), entry }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            ready!(self.until.as_mut().poll(context));
            return Poll::Ready(Some(Err(Stalled.into())));
        };
        let next = Instant::now() + self.patience;
        self.until.as_mut().reset(next);
        if let Some(Ok(frame)) = &frame {
            self.entry.went(frame.data_ref().map_or(0, Bytes::len));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

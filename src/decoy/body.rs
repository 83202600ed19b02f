//! Body of an answer to the program: counts the bytes, and fails when the server stalls.

use super::audit::AuditEntry;
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Body of the decoy's own answer, or of the tenant's server.
type AnswerBody = Either<Full<Bytes>, reqwest::Body>;

/// Body of an answer. Its log entry is written when the body is dropped.
pub(super) struct CountedBody {
    inner: AnswerBody,
    idle_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    entry: AuditEntry,
}

/// The server sent nothing within the idle timeout.
#[derive(Debug, thiserror::Error)]
#[error("the server sends nothing more")]
struct Stalled;

impl CountedBody {
    /// Creates a body that fails after `idle_timeout` without data.
    pub(super) fn new(inner: AnswerBody, idle_timeout: Duration, entry: AuditEntry) -> Self {
        Self { inner, idle_timeout, deadline: Box::pin(sleep(idle_timeout)), entry }
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            ready!(self.deadline.as_mut().poll(context));
            return Poll::Ready(Some(Err(Stalled.into())));
        };
        let next = Instant::now() + self.idle_timeout;
        self.deadline.as_mut().reset(next);
        if let Some(Ok(frame)) = &frame {
            self.entry.add_bytes(frame.data_ref().map_or(0, Bytes::len));
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

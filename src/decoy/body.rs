//! Body of a response to the program: counts the bytes for the audit log, and fails if the tenant's server stalls.

use super::audit::AuditEntry;
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// Body of the decoy's own response, or body of a response from the tenant's server.
type UncountedBody = Either<Full<Bytes>, reqwest::Body>;

/// Response body with its audit entry. Dropping the body writes the entry.
pub(super) struct AuditedBody {
    inner: UncountedBody,
    idle_timeout: Duration,
    deadline: Pin<Box<Sleep>>,
    entry: AuditEntry,
}

/// Error if the server sends no data within the idle timeout.
#[derive(Debug, thiserror::Error)]
#[error("the server sends nothing more")]
struct ServerStalled;

impl AuditedBody {
    /// Creates a body that fails after `idle_timeout` without data.
    pub(super) fn new(inner: UncountedBody, idle_timeout: Duration, entry: AuditEntry) -> Self {
        Self { inner, idle_timeout, deadline: Box::pin(sleep(idle_timeout)), entry }
    }
}

impl Body for AuditedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            ready!(self.deadline.as_mut().poll(context));
            return Poll::Ready(Some(Err(ServerStalled.into())));
        };
        let next_deadline = Instant::now() + self.idle_timeout;
        self.deadline.as_mut().reset(next_deadline);
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

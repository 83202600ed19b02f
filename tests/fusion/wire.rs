//! The socket under an answer: it can say any bytes in place of what the HTTP library writes.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is said in place of the answers still to come on one connection: None says nothing of the kind.
#[derive(Clone, Default)]
pub(super) struct Override(Arc<Mutex<Option<Vec<u8>>>>);

impl Override {
    /// From now on only these bytes are said, then nothing more.
    pub(super) fn say(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

/// A stream whose writes can be overridden.
pub(super) struct Wire<S> {
    stream: S,
    instead: Override,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> (Self, Override) {
        let instead = Override::default();
        (Self { stream, instead: instead.clone() }, instead)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(task, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut instead = this.instead.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = instead.as_mut() else { return Pin::new(&mut this.stream).poll_write(task, buffer) };
        while !left.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(task, left))?;
            left.drain(..written);
        }
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(task)
    }
}

//! HTTP server on 127.0.0.1: accepts connections within limits, and passes their requests to the handler.

use super::endpoint::Endpoint;
use super::handler;
use futures_util::future::{Either, join, join_all, select};
use futures_util::{StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

/// Maximum number of connections that the operating system queues until they are accepted. A program may open a
/// thousand connections at once.
const BACKLOG: u32 = 1024;
/// Maximum time to wait for the headers of a request, including the idle time between two requests on one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum total size of the headers of a request.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 128;
/// Maximum number of open connections to a listener; further connections wait. The limit is necessary because every
/// user of this machine can open connections.
const MAX_CONNECTIONS: usize = 1024;
/// Pause after an error of `accept`. The usual cause, too many open files, ends only when a connection closes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// TCP listener on 127.0.0.1, which other machines cannot reach.
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on `port`, or on any free port if `port` is `None`. Call this within a Tokio runtime.
    ///
    /// # Errors
    /// Returns the error of the operating system if the port cannot be used.
    pub fn open(port: Option<u16>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Allows a decoy to use the port of a decoy that stopped a moment ago.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0))))?;
        socket.listen(BACKLOG).map(Self)
    }

    /// Returns the port.
    ///
    /// # Errors
    /// Returns the error of the operating system if the socket has no local address.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }
}

/// Serves the endpoints until `shutdown` completes. Then closes all connections and returns the output of `shutdown`.
pub async fn serve<T>(endpoints: &[(Listener, Endpoint<'_>)], shutdown: impl Future<Output = T>) -> T {
    let serving =
        join_all(endpoints.iter().map(|(listener, endpoint)| {
            join(serve_endpoint(listener, endpoint), endpoint.live_token.drive_renewals())
        }));
    match select(pin!(shutdown), pin!(serving)).await {
        Either::Left((output, _)) => output,
        // Without endpoints, serving completes at once.
        Either::Right((_, shutdown)) => shutdown.await,
    }
}

async fn serve_endpoint(listener: &Listener, endpoint: &Endpoint<'_>) {
    let accepted = stream::repeat(()).then(|()| listener.0.accept());
    let connections = accepted.filter_map(async |accepted| {
        let stream = accepted.ok().map(|(stream, _)| stream);
        if stream.is_none() {
            sleep(ACCEPT_PAUSE).await;
        }
        stream
    });
    connections.for_each_concurrent(MAX_CONNECTIONS, |stream| serve_connection(stream, endpoint)).await;
}

async fn serve_connection(stream: TcpStream, endpoint: &Endpoint<'_>) {
    // Without `TCP_NODELAY`, a small part of a response may wait until the program acknowledges the previous part.
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| Ok::<_, Infallible>(handler::respond(endpoint, request).await));
    // Ignored: an error of one connection does not affect other connections.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

//! Local HTTP server: port, connections and limits.

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

/// Connections that the system queues until they are accepted; programs may open a thousand at once.
const BACKLOG: u32 = 1024;
/// Timeout for the headers of a request, and between two requests on one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of a request's headers, in bytes.
const HEADER_CAP: usize = 64 * 1024;
/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 128;
/// Maximum number of connections; further connections wait. Every user of this machine can open connections.
const MAX_CONNECTIONS: usize = 1024;
/// Pause after the system refused a connection, because other connections must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Port of this machine, reachable only from this machine.
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on this port, or on any free port. Requires an event loop.
    ///
    /// # Errors
    /// Error of the operating system.
    pub fn open(port: Option<u16>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // Allows reusing a port that was closed a moment ago.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0))))?;
        socket.listen(BACKLOG).map(Self)
    }

    /// Returns the port.
    ///
    /// # Errors
    /// Error of the operating system.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }
}

/// Serves the endpoints until `end` completes, and returns its output. Open connections are then closed.
pub async fn serve<T>(endpoints: &[(Listener, Endpoint<'_>)], end: impl Future<Output = T>) -> T {
    let serving = join_all(
        endpoints.iter().map(|(listener, endpoint)| join(serve_one(listener, endpoint), endpoint.live_token.drive())),
    );
    match select(pin!(end), pin!(serving)).await {
        Either::Left((ended, _)) => ended,
        Either::Right((_, end)) => end.await,
    }
}

async fn serve_one(listener: &Listener, endpoint: &Endpoint<'_>) {
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
    // Parts of an answer are sent without waiting for acknowledgments.
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| Ok::<_, Infallible>(handler::answer(endpoint, request).await));
    // Errors of one connection concern only its program.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_CAP)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

//! The server itself: a port of this machine, its connections, and what they may cost.

use super::audit::Audit;
use super::credential::Decoy;
use super::handler;
use super::live_token::Bearer;
use super::rules::Rules;
use crate::profile::Profile;
use futures_util::future::{Either, join, join_all, select};
use futures_util::{StreamExt as _, stream};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

/// Programs that open a thousand connections at once wait here until they are taken.
const BACKLOG: u32 = 1024;
/// For the headers of a request, and between two requests of one connection.
const HEADERS_WITHIN: Duration = Duration::from_secs(60);
/// The most that the headers of a request may take, in bytes.
const HEADER_CAP: usize = 64 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 128;
/// Others wait until one of these has ended. Anybody on this machine can open one.
const MOST_CONNECTIONS: usize = 1024;
/// How long to wait for a connection after the system refused one: others have to end first.
const PAUSE: Duration = Duration::from_millis(50);

/// A port of this machine that programs of this machine alone can reach.
pub struct Door(TcpListener);

/// One decoy with the profile that it stands in for.
pub struct Site<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Its real token.
    pub bearer: Bearer<'a>,
    /// What the program holds in its place.
    pub decoy: Decoy,
    /// What the program may do.
    pub rules: Rules,
    /// Where requests are written down, if at all.
    pub audit: Option<Rc<Audit>>,
    /// Where the server listens.
    pub port: u16,
}

impl Door {
    /// Opens this port, or any that is free. Wants an event loop.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(port: Option<u16>) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // A port that was used a moment ago may be used again.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0))))?;
        socket.listen(BACKLOG).map(Self)
    }

    /// The port.
    ///
    /// # Errors
    /// What the system says.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.0.local_addr()?.port())
    }
}

/// Lets this process have as many connections as the system grants it: each request takes two. A program that is started
/// from now on has that too.
pub fn allow_many() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
    }
}

/// Serves these sites until `end` comes about, and answers with that; connections that are open then are cut.
pub async fn serve<T>(sites: &[(Door, Site<'_>)], end: impl Future<Output = T>) -> T {
    let serving = join_all(sites.iter().map(|(door, site)| join(serve_one(door, site), site.bearer.drive())));
    match select(pin!(end), pin!(serving)).await {
        Either::Left((ended, _)) => ended,
        Either::Right((_, end)) => end.await,
    }
}

async fn serve_one(door: &Door, site: &Site<'_>) {
    let accepted = stream::repeat(()).then(|()| door.0.accept());
    let connections = accepted.filter_map(async |accepted| {
        let stream = accepted.ok().map(|(stream, _)| stream);
        if stream.is_none() {
            sleep(PAUSE).await;
        }
        stream
    });
    connections.for_each_concurrent(MOST_CONNECTIONS, |stream| connection(stream, site)).await;
}

async fn connection(stream: TcpStream, site: &Site<'_>) {
    // An answer in pieces waits for no confirmation of the first.
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| Ok::<_, Infallible>(handler::answer(site, request).await));
    // What goes wrong with one connection is for its program to see.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_header_size(HEADER_CAP)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Site<'_> {
    /// How long nothing may come from either side.
    pub(super) fn patience(&self) -> Duration {
        self.profile.timeout.duration()
    }
}

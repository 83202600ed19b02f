//! Listener on loopback that sends arbitrary bytes or forwards them. Tests use the listener as a proxy, an outdated
//! server or a silent server. All received bytes are recorded.

use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// Maximum time to wait until all connections are accepted, or until all have ended.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Reaction to all bytes received so far on a connection.
pub(crate) enum Reaction {
    /// Waits for more bytes, then calls the behavior again.
    Wait,
    /// Sends these bytes, waits for more, then calls the behavior again.
    Send(Vec<u8>),
    /// Sends these bytes and closes the connection.
    SendAndClose(Vec<u8>),
    /// Sends these bytes again and again until the client disconnects.
    SendForever(Vec<u8>),
    /// Answers a `CONNECT` with 200 as a proxy does. All later bytes are forwarded between the client and this address.
    Tunnel(SocketAddr),
    /// Forwards all bytes between the client and this address unchanged, including the bytes already received.
    Relay(SocketAddr),
}

type Behavior = dyn Fn(&[u8]) -> Reaction + Send + Sync;

/// Running listener; stops when dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    record: Arc<Record>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Record {
    connections: Mutex<Vec<Connection>>,
    changed: Condvar,
}

struct Connection {
    client: SocketAddr,
    received: Vec<u8>,
    closed: bool,
    /// Whether [`Peer::received`] opened this connection itself, as a probe.
    probe: bool,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Starts a peer that reacts to the bytes received on each connection.
    pub(crate) fn new(behavior: impl Fn(&[u8]) -> Reaction + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(behavior))
    }

    /// Starts a peer behind TLS, which sees the decrypted bytes.
    pub(crate) fn within_tls(tls: TlsAcceptor, behavior: impl Fn(&[u8]) -> Reaction + Send + Sync + 'static) -> Self {
        Self::start(Some(tls), Arc::new(behavior))
    }

    fn start(tls: Option<TlsAcceptor>, behavior: Arc<Behavior>) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("an address");
        let record = Arc::new(Record::default());
        let shared = Arc::clone(&record);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    () = listen(listener, tls, behavior, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, record, stop: Some(stop), thread: Some(thread) }
    }

    /// Address of the listener: `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until all connections have ended. Returns the received bytes of each connection in the order accepted. A
    /// connection without received bytes gives an empty element.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        // Connections are accepted in order. Once the probe is accepted, all earlier connections have been accepted
        // too.
        let probe = StdStream::connect(self.address).expect("a listener");
        let probe_address = probe.local_addr().expect("an address");
        let find_probe =
            |connections: &[Connection]| connections.iter().rposition(|connection| connection.client == probe_address);
        let mut connections = self.wait_while(|connections| find_probe(connections).is_none());
        let probe_index = find_probe(&connections).expect("the probe");
        connections[probe_index].probe = true;
        drop((probe, connections));
        let connections = self.wait_while(|connections| connections.iter().any(|connection| !connection.closed));
        connections
            .iter()
            .filter(|connection| !connection.probe)
            .map(|connection| connection.received.clone())
            .collect()
    }

    fn wait_while(&self, unfinished: impl Fn(&[Connection]) -> bool) -> MutexGuard<'_, Vec<Connection>> {
        let (connections, waited) = self
            .record
            .changed
            .wait_timeout_while(self.record.lock(), TIMEOUT, |connections| unfinished(connections))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "{} connections, and not all end", connections.len());
        connections
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen(
    listener: std::net::TcpListener,
    tls: Option<TlsAcceptor>,
    behavior: Arc<Behavior>,
    record: Arc<Record>,
) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, client)) = listener.accept().await else { continue };
        let number = {
            let mut connections = record.lock();
            connections.push(Connection { client, received: Vec::new(), closed: false, probe: false });
            connections.len() - 1
        };
        record.changed.notify_all();
        let (tls, behavior, record) = (tls.clone(), Arc::clone(&behavior), Arc::clone(&record));
        tokio::spawn(async move {
            match tls {
                None => serve_connection(stream, &*behavior, &record, number).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve_connection(stream, &*behavior, &record, number).await;
                    }
                }
            }
            record.lock()[number].closed = true;
            record.changed.notify_all();
        });
    }
}

/// Serves one connection. Errors are ignored, because they only mean that the client disconnected.
async fn serve_connection(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    behavior: &Behavior,
    record: &Record,
    number: usize,
) {
    loop {
        let Some(received) = receive(&mut stream, record, number).await else { return };
        match behavior(&received) {
            Reaction::Wait => {}
            Reaction::Send(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reaction::SendAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reaction::SendForever(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Reaction::Tunnel(to) => {
                if stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                    forward(stream, to, received.len(), record, number).await;
                }
                return;
            }
            Reaction::Relay(to) => return forward(stream, to, 0, record, number).await,
        }
    }
}

/// Waits for more bytes, and returns all bytes received so far. Returns `None` if the client disconnected or reading
/// failed.
async fn receive(stream: &mut (impl AsyncRead + Unpin), record: &Record, number: usize) -> Option<Vec<u8>> {
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
    let mut connections = record.lock();
    connections[number].received.extend_from_slice(&bytes[..count]);
    Some(connections[number].received.clone())
}

/// Forwards the client's bytes, without the first `skip`, to the server, and the server's bytes to the client.
async fn forward(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    to: SocketAddr,
    skip: usize,
    record: &Record,
    number: usize,
) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut received = record.lock()[number].received.clone();
        let mut forwarded = skip;
        while to_server.write_all(&received[forwarded..]).await.is_ok() {
            forwarded = received.len();
            let Some(more) = receive(&mut from_client, record, number).await else { break };
            received = more;
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    // When one side closes its connection, the other connection is closed too, as a proxy does.
    tokio::select! {
        () = up => {}
        _ = down => {}
    }
}

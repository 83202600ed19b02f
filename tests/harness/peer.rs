//! A listener on loopback that says whatever bytes a test wants, or passes them on: a proxy, a server of another age,
//! one that never answers. It keeps every byte that it is sent.

use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// How long a test waits for connections to end before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the peer does when it has heard so much.
pub(crate) enum Reply {
    /// It goes on listening, and is asked again at the next bytes.
    Listen,
    /// It says this, listens on, and is asked again.
    Say(Vec<u8>),
    /// It says this and ends the connection.
    End(Vec<u8>),
    /// It says this again and again, until nobody listens any more.
    Forever(Vec<u8>),
    /// As a proxy that takes a `CONNECT`: from here on it passes all on to this address and back.
    Tunnel(SocketAddr),
    /// It passes on all that it heard and hears, and back; nobody notices.
    Relay(SocketAddr),
}

type Part = dyn Fn(&[u8]) -> Reply + Send + Sync;

/// The listener; it ends when it is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    record: Arc<Record>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Record {
    connections: Mutex<Vec<Connection>>,
    change: Condvar,
}

struct Connection {
    from: SocketAddr,
    heard: Vec<u8>,
    over: bool,
    /// The test's own, to see who came before.
    probe: bool,
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peer {
    /// Plays its part: what it does once it has heard these bytes of a connection.
    pub(crate) fn new(part: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(part))
    }

    /// The same within TLS; what it hears is what was said inside.
    pub(crate) fn within_tls(tls: TlsAcceptor, part: impl Fn(&[u8]) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Some(tls), Arc::new(part))
    }

    fn start(tls: Option<TlsAcceptor>, part: Arc<Part>) -> Self {
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
                    () = listen(listener, tls, part, shared) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, record, stop: Some(stop), thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What came on each connection, in their order, once all of them have ended; a connection without a byte counts.
    pub(crate) fn heard(&self) -> Vec<Vec<u8>> {
        // Connections are taken in turn: when this one was, all before it were.
        let probe = StdStream::connect(self.address).expect("a listener");
        let own = probe.local_addr().expect("an address");
        let place = |connections: &[Connection]| connections.iter().rposition(|connection| connection.from == own);
        let mut connections = self.wait(|connections| place(connections).is_none());
        let place = place(&connections).expect("the probe");
        connections[place].probe = true;
        drop((probe, connections));
        let connections = self.wait(|connections| connections.iter().any(|connection| !connection.over));
        connections.iter().filter(|connection| !connection.probe).map(|connection| connection.heard.clone()).collect()
    }

    fn wait(&self, unfinished: impl Fn(&[Connection]) -> bool) -> MutexGuard<'_, Vec<Connection>> {
        let (connections, waited) = self
            .record
            .change
            .wait_timeout_while(self.record.lock(), PATIENCE, |connections| unfinished(connections))
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

async fn listen(listener: std::net::TcpListener, tls: Option<TlsAcceptor>, part: Arc<Part>, record: Arc<Record>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, from)) = listener.accept().await else { continue };
        let number = {
            let mut connections = record.lock();
            connections.push(Connection { from, heard: Vec::new(), over: false, probe: false });
            connections.len() - 1
        };
        record.change.notify_all();
        let (tls, part, record) = (tls.clone(), Arc::clone(&part), Arc::clone(&record));
        tokio::spawn(async move {
            match tls {
                None => converse(stream, &*part, &record, number).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &*part, &record, number).await;
                    }
                }
            }
            record.lock()[number].over = true;
            record.change.notify_all();
        });
    }
}

/// Plays the part on one connection; an error here is a client gone.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, part: &Part, record: &Record, number: usize) {
    loop {
        let Some(heard) = hear(&mut stream, record, number).await else { return };
        match part(&heard) {
            Reply::Listen => {}
            Reply::Say(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Reply::End(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Reply::Forever(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Reply::Tunnel(to) => {
                if stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                    pass_on(stream, to, heard.len(), record, number).await;
                }
                return;
            }
            Reply::Relay(to) => return pass_on(stream, to, 0, record, number).await,
        }
    }
}

/// Waits for more; all that was heard so far, or nothing at the end.
async fn hear(stream: &mut (impl AsyncRead + Unpin), record: &Record, number: usize) -> Option<Vec<u8>> {
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
    let mut connections = record.lock();
    connections[number].heard.extend_from_slice(&bytes[..count]);
    Some(connections[number].heard.clone())
}

/// Passes on what was heard after the first `skip` bytes, and back.
async fn pass_on(
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
        let mut heard = record.lock()[number].heard.clone();
        let mut passed = skip;
        while to_server.write_all(&heard[passed..]).await.is_ok() {
            passed = heard.len();
            let Some(more) = hear(&mut from_client, record, number).await else { break };
            heard = more;
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    // Whoever ends first ends both, as a proxy does.
    tokio::select! {
        () = up => {}
        _ = down => {}
    }
}

//! Connections that end, break or hang before a complete HTTP answer.

use super::limits;
use super::runner::CaseRunner;
use crate::fusion::Credential;
use crate::torture::scale::print_summary;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Action of the listener on one connection.
type Treatment = fn(TcpStream);

/// Listener that treats every connection badly and counts them.
struct BadListener {
    address: String,
    opened: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl BadListener {
    fn new(treatment: Treatment) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (opened, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, over) = (Arc::clone(&opened), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok).take_while(|_| !over.load(Ordering::SeqCst)) {
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || treatment(client));
            }
        });
        Self { address, opened, ends, thread: Some(thread) }
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

impl Drop for BadListener {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for the request without reading it, so that closing the connection sends a reset.
fn await_request(client: &TcpStream) {
    let _ = client.peek(&mut [0; 1]);
}

/// Reads the whole request, so that the connection closes without a reset.
fn read_request(mut client: &TcpStream) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.ends_with(b"}") {
        match client.read(&mut buffer) {
            Ok(count @ 1..) => text.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
}

/// Keeps the connection open until the client closes it.
fn wait_for_close(mut client: &TcpStream) {
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

/// Name of the treatment, the treatment, and neto's expected message.
const TREATMENTS: [(&str, Treatment, &str); 14] = [
    ("closes at once", drop, "the connection to "),
    ("closes before it has read", |client| await_request(&client), "the connection to "),
    ("closes after the request", |client| read_request(&client), "the connection to "),
    (
        "resets after a part of the header",
        |mut client| {
            await_request(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-le");
        },
        "the connection to ",
    ),
    (
        "resets after a part of the body",
        |mut client| {
            await_request(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"access_token\"");
        },
        // The message depends on which data the reset overtakes.
        "127.0.0.1:",
    ),
    (
        "says no more after the request",
        |client| {
            read_request(&client);
            let _ = client.shutdown(Shutdown::Write);
            wait_for_close(&client);
        },
        "the connection to ",
    ),
    (
        "hears no more, and says nothing",
        |client| {
            let _ = client.shutdown(Shutdown::Both);
            wait_for_close(&client);
        },
        "the connection to ",
    ),
    (
        "says nonsense before it was asked",
        |mut client| {
            let _ = client.write_all(b"hello\r\n");
            wait_for_close(&client);
        },
        "the connection to ",
    ),
    (
        "greets as a mail server before it was asked",
        |mut client| {
            let _ = client.write_all(b"220 mail.example.com ESMTP\r\n");
            wait_for_close(&client);
        },
        "the connection to ",
    ),
    (
        "sends an alert of TLS before it was asked",
        |mut client| {
            let _ = client.write_all(b"\x15\x03\x03\x00\x02\x02\x28");
            wait_for_close(&client);
        },
        "the connection to ",
    ),
    ("never says a word", |client| wait_for_close(&client), "within 2 s"),
    (
        "takes the request in and never says a word",
        |client| {
            read_request(&client);
            wait_for_close(&client);
        },
        "within 2 s",
    ),
    (
        "says the header and no more",
        |mut client| {
            read_request(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
            wait_for_close(&client);
        },
        "within 2 s",
    ),
    (
        "says half a line and no more",
        |mut client| {
            read_request(&client);
            let _ = client.write_all(b"HTTP/1.");
            wait_for_close(&client);
        },
        "within 2 s",
    ),
];

#[test]
fn a_connection_that_ends_breaks_or_hangs_is_5_and_asked_once() {
    let runner = CaseRunner::new(0, &[]);
    let sandbox = &runner.sandbox;
    let listeners: Vec<(String, BadListener)> = (0..)
        .zip(TREATMENTS)
        .map(|(number, (_, treatment, _))| (format!("acme-{number}"), BadListener::new(treatment)))
        .collect();
    for (profile, listener) in &listeners {
        let url = format!("http://{}/api/v1", listener.address);
        let credential = Credential { url, ..sandbox.server().add_tenant(profile, "soc") };
        sandbox.neto(["profile", "add", "--timeout", "2s"]).stdin(credential.netosecret()).run().code(0);
    }
    let start = |profile| limits::limited(sandbox, env!("CARGO_BIN_EXE_neto"), &["token", profile, "-v"]).start();
    let (outcomes, peak) = limits::finish("neto", listeners.iter().map(|(profile, _)| start(profile)).collect());
    for (((name, _, words), (profile, listener)), outcome) in TREATMENTS.iter().zip(&listeners).zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|| panic!("{name}"));
        assert!(outcome.stderr.contains(words), "{name}: {outcome}");
        outcome.code(5).stdout("").stderr_lacks("panicked");
        assert_eq!(listener.opened(), 1, "connections of one that {name}: {outcome}");
        assert!(!sandbox.token_file(profile).exists(), "{name}");
    }
    let count = listeners.len();
    drop(listeners);
    // Without a listener no request was sent, so neto tries again.
    let outcome = sandbox.neto(["token", "acme-0", "-v"]).run();
    outcome.code(5).stdout("").stderr_has("no connection to ").stderr_has("(try 3)").stderr_lacks("(try 4)");
    for number in 0..count {
        // Each profile works again with the real server.
        let profile = format!("acme-{number}");
        sandbox.neto(["profile", "edit", &profile, "--url", &sandbox.server().url()]).run().code(0);
        sandbox.neto(["token", &profile]).allow_secret("access token").run().code(0).stderr("");
    }
    print_summary(&format!(
        "answers: {count} connections that end, break or hang, and one that never comes: exit 5; {peak} a run"
    ));
}

//! Connections that end, break or hang before HTTP has a word to say.

use super::limits;
use super::world::World;
use crate::fusion::Credential;
use crate::torture::scale::say;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// What happens to a connection.
type Treatment = fn(TcpStream);

/// A listener that treats every connection badly, and counts them.
struct Door {
    address: String,
    opened: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
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

impl Drop for Door {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Waits for the request and takes nothing of it, so that the end of the connection is a reset.
fn peek(client: &TcpStream) {
    let _ = client.peek(&mut [0; 1]);
}

/// Takes the request in and leaves nothing of it behind, so that the end of the connection is a quiet one.
fn take_in(mut client: &TcpStream) {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.ends_with(b"}") {
        match client.read(&mut buffer) {
            Ok(count @ 1..) => text.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
}

/// Keeps the connection until the other side ends it.
fn wait_for_the_end(mut client: &TcpStream) {
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

/// What is done, and what neto says of it.
const TREATMENTS: [(&str, Treatment, &str); 14] = [
    ("closes at once", drop, "the connection to "),
    ("closes before it has read", |client| peek(&client), "the connection to "),
    ("closes after the request", |client| take_in(&client), "the connection to "),
    (
        "resets after a part of the header",
        |mut client| {
            peek(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-le");
        },
        "the connection to ",
    ),
    (
        "resets after a part of the body",
        |mut client| {
            peek(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"access_token\"");
        },
        // Which of two faults it is depends on what the reset overtakes.
        "127.0.0.1:",
    ),
    (
        "says no more after the request",
        |client| {
            take_in(&client);
            let _ = client.shutdown(Shutdown::Write);
            wait_for_the_end(&client);
        },
        "the connection to ",
    ),
    (
        "hears no more, and says nothing",
        |client| {
            let _ = client.shutdown(Shutdown::Both);
            wait_for_the_end(&client);
        },
        "the connection to ",
    ),
    (
        "says nonsense before it was asked",
        |mut client| {
            let _ = client.write_all(b"hello\r\n");
            wait_for_the_end(&client);
        },
        "the connection to ",
    ),
    (
        "greets as a mail server before it was asked",
        |mut client| {
            let _ = client.write_all(b"220 mail.example.com ESMTP\r\n");
            wait_for_the_end(&client);
        },
        "the connection to ",
    ),
    (
        "sends an alert of TLS before it was asked",
        |mut client| {
            let _ = client.write_all(b"\x15\x03\x03\x00\x02\x02\x28");
            wait_for_the_end(&client);
        },
        "the connection to ",
    ),
    ("never says a word", |client| wait_for_the_end(&client), "within 2 s"),
    (
        "takes the request in and never says a word",
        |client| {
            take_in(&client);
            wait_for_the_end(&client);
        },
        "within 2 s",
    ),
    (
        "says the header and no more",
        |mut client| {
            take_in(&client);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
            wait_for_the_end(&client);
        },
        "within 2 s",
    ),
    (
        "says half a line and no more",
        |mut client| {
            take_in(&client);
            let _ = client.write_all(b"HTTP/1.");
            wait_for_the_end(&client);
        },
        "within 2 s",
    ),
];

#[test]
fn a_connection_that_ends_breaks_or_hangs_is_5_and_asked_once() {
    let world = World::new(0, &[]);
    let sandbox = &world.sandbox;
    let doors: Vec<(String, Door)> = (0..)
        .zip(TREATMENTS)
        .map(|(number, (_, treatment, _))| (format!("acme-{number}"), Door::new(treatment)))
        .collect();
    for (profile, door) in &doors {
        let url = format!("http://{}/api/v1", door.address);
        let credential = Credential { url, ..sandbox.server().add_tenant(profile, "soc") };
        sandbox.neto(["profile", "add", "--timeout", "2s"]).stdin(credential.netosecret()).run().code(0);
    }
    let start = |profile| limits::limited(sandbox, env!("CARGO_BIN_EXE_neto"), &["token", profile, "-v"]).start();
    let (outcomes, most) = limits::finish("neto", doors.iter().map(|(profile, _)| start(profile)).collect());
    for (((name, _, words), (profile, door)), outcome) in TREATMENTS.iter().zip(&doors).zip(outcomes) {
        let outcome = outcome.unwrap_or_else(|| panic!("{name}"));
        assert!(outcome.stderr.contains(words), "{name}: {outcome}");
        outcome.code(5).stdout("").stderr_lacks("panicked");
        assert_eq!(door.opened(), 1, "connections of one that {name}: {outcome}");
        assert!(!sandbox.token_file(profile).exists(), "{name}");
    }
    let count = doors.len();
    drop(doors);
    // Where nobody listens any more nothing was sent, so it is tried again.
    let outcome = sandbox.neto(["token", "acme-0", "-v"]).run();
    outcome.code(5).stdout("").stderr_has("no connection to ").stderr_has("(try 3)").stderr_lacks("(try 4)");
    for number in 0..count {
        // The same profile, with the server in good health.
        let profile = format!("acme-{number}");
        sandbox.neto(["profile", "edit", &profile, "--url", &sandbox.server().url()]).run().code(0);
        sandbox.neto(["token", &profile]).reveals("access token").run().code(0).silent();
    }
    say(&format!(
        "answers: {count} connections that end, break or hang, and one that never comes: exit 5; {most} a run"
    ));
}

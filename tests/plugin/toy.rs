//! An age plugin for the tests, in one file without dependencies. `tests/harness/plugin.rs` compiles it as
//! `age-plugin-toy`. It protects nothing.
//!
//! `age-plugin-toy --generate NAME[:MODE]` prints a key as other plugins do. A file key is encrypted to NAME alone, so
//! every mode of a name decrypts what another mode encrypted. MODE selects what the plugin asks or how it misbehaves,
//! see `misbehave`, `ask_user` and `send_file_key`.
//!
//! If the variable TOY_REPORT names a file, each run appends its input and the answers to it, one per line.

use std::fs::OpenOptions;
use std::io::{self, BufRead, Read, Write};
use std::process::exit;
use std::thread::sleep;
use std::time::Duration;

/// PIN that the user must type when the plugin asks.
const PIN: &str = "271828";

fn main() {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap();
    let name = program.rsplit('/').next().unwrap().trim_start_matches("age-plugin-").to_owned();
    match arguments.next().unwrap_or_default().as_str() {
        "--generate" => generate(&name, &arguments.next().expect("NAME[:MODE]")),
        "--age-plugin=identity-v1" => Run::start(&name, "identity-v1").open(),
        "--age-plugin=recipient-v1" => Run::start(&name, "recipient-v1").seal(),
        _ => exit(2),
    }
}

fn generate(plugin: &str, data: &str) {
    println!("# public key: {}", bech32(&format!("age1{plugin}"), &mask(data.as_bytes())));
    println!("{}", bech32(&format!("age-plugin-{plugin}-"), data.as_bytes()).to_uppercase());
}

/// A key as parsed by the plugin.
struct Key {
    text: String,
    name: String,
    mode: String,
}

struct Stanza {
    words: Vec<String>,
    body: Vec<u8>,
}

/// One run of the plugin protocol.
struct Run {
    plugin: String,
    keys: Vec<Key>,
    stanzas: Vec<Stanza>,
    file_keys: Vec<Vec<u8>>,
}

impl Run {
    fn start(plugin: &str, machine: &str) -> Self {
        report(&format!("run {machine}"));
        report(&format!("pid {}", std::process::id()));
        report(&format!("folder {}", std::env::current_dir().unwrap().display()));
        report(&format!("arguments {}", std::env::args().skip(1).collect::<Vec<_>>().join(" ")));
        for (name, value) in std::env::vars() {
            report(&format!("variable {name}={value}"));
        }
        Self { plugin: plugin.to_owned(), keys: Vec::new(), stanzas: Vec::new(), file_keys: Vec::new() }
    }

    fn open(mut self) {
        self.read_commands();
        self.misbehave();
        // The first key with a matching stanza is used. A key whose questions failed is skipped.
        for (place, key) in self.keys.iter().enumerate() {
            if !self.ask_user(key, "identity", place) {
                continue;
            }
            let tag = tag(&key.name);
            let stanza = self.stanzas.iter().find(|stanza| stanza.words[1..] == ["toy", tag.as_str()]);
            if let Some(stanza) = stanza {
                self.send_file_key(key, &xor(&stanza.body, &key.name));
                break;
            }
        }
        self.end();
    }

    fn seal(mut self) {
        self.read_commands();
        self.misbehave();
        let mut sealed = Vec::new();
        let mut failed = false;
        for (place, key) in self.keys.iter().enumerate() {
            failed |= !self.ask_user(key, "recipient", place);
            sealed.push((key, tag(&key.name), xor(&self.file_keys[0], &key.name)));
        }
        if failed {
            return self.end();
        }
        for (key, tag, body) in sealed {
            match key.mode.as_str() {
                "labels" => drop(request(&["labels", "postquantum"], b"")),
                "labels-twice" => {
                    request(&["labels", "a"], b"");
                    request(&["labels", "b"], b"");
                }
                "label-twice" => drop(request(&["labels", "a", "a"], b"")),
                _ => {}
            }
            match key.mode.as_str() {
                "nothing" => {}
                "other-file" => drop(request(&["recipient-stanza", "1", "toy", &tag], &body)),
                "no-tag" => drop(request(&["recipient-stanza", "0"], &body)),
                "both" => {
                    request(&["recipient-stanza", "0", "toy", &tag], &body);
                    request(&["error", "internal"], b"not so sure");
                }
                _ => drop(request(&["recipient-stanza", "0", "toy", &tag], &body)),
            }
        }
        self.end();
    }

    /// Phase 1: reads the client's commands until `done`.
    fn read_commands(&mut self) {
        loop {
            let stanza = read_stanza().unwrap_or_else(|| exit(4));
            match stanza.words[0].as_str() {
                "add-identity" | "add-recipient" => {
                    let key = self.key(&stanza.words[1]);
                    report(&format!("key {}", key.text));
                    match key.mode.as_str() {
                        // Misbehavior before the client is done.
                        "deaf" => hang(),
                        "die-early" => exit(3),
                        _ => self.keys.push(key),
                    }
                }
                "recipient-stanza" => {
                    report(&format!("stanza {}", stanza.words[2]));
                    self.stanzas.push(Stanza { words: stanza.words[1..].to_vec(), body: stanza.body });
                }
                "wrap-file-key" => self.file_keys.push(stanza.body),
                "extension-labels" => report("extension labels"),
                "done" => return,
                other => report(&format!("unknown {other}")),
            }
        }
    }

    fn key(&self, text: &str) -> Key {
        let (prefix, data) = unbech32(text).unwrap_or_else(|| exit(5));
        let data = if prefix == format!("age1{}", self.plugin) { mask(&data) } else { data };
        let data = String::from_utf8(data).unwrap_or_else(|_| exit(5));
        let (name, mode) = data.split_once(':').unwrap_or((&data, ""));
        Key { text: text.to_owned(), name: name.to_owned(), mode: mode.to_owned() }
    }

    /// Carries out the misbehavior of any key.
    fn misbehave(&self) {
        for key in &self.keys {
            match key.mode.as_str() {
                "hang" => hang(),
                "die" => exit(3),
                "killed" => std::process::abort(),
                "close" => {
                    print("-> half of a");
                    close_output();
                    hang();
                }
                "garbage" => print_and_hang(b"hello world\n"),
                "steering" => print_and_hang(b"\x1b[2J\x1b]0;owned\x07\n"),
                "bytes" => print_and_hang(&[0xff; 300]),
                "base64" => print_and_hang(b"-> msg\nAAA=\n"),
                "drip" => {
                    print("-> ");
                    loop {
                        print("x");
                        sleep(Duration::from_millis(5));
                    }
                }
                "endless-line" => {
                    print("-> x");
                    print_forever(b"x");
                }
                "endless-body" => {
                    print("-> x\n");
                    print_forever(format!("{}\n", "A".repeat(64)).as_bytes());
                }
                "endless-words" => loop {
                    request(&["x"], b"");
                },
                "flood" => print_forever(b"-> x\n\n"),
                "orphan" => {
                    // A helper process that keeps the output open, as an agent may.
                    let helper = std::process::Command::new("sleep").arg("60").spawn().unwrap();
                    report(&format!("helper {}", helper.id()));
                    exit(3);
                }
                "stderr" => eprintln!("toy: this goes to the standard error"),
                _ => {}
            }
        }
    }

    /// Sends the key's questions to the user and returns whether the key may be used.
    fn ask_user(&self, key: &Key, kind: &str, place: usize) -> bool {
        let place = place.to_string();
        let error = |text: &str| drop(request(&["error", kind, &place], text.as_bytes()));
        // `words=COUNT`, `body=BYTES` or `bulk=COUNT`; the last sends commands with a body of 30,000 bytes each.
        if let Some((what, count)) = key.mode.split_once('=') {
            let count: usize = count.parse().unwrap();
            let (words, body) = match what {
                "words" => (count, 0),
                "body" => (1, count),
                _ => (count, 30_000),
            };
            for _ in 0..words {
                request(&["x-grease"], &vec![0; body]);
            }
        }
        match key.mode.as_str() {
            "touch" => {
                let answer = request(&["msg"], b"touch the \x1b[1mtoy\x1b[0m now");
                report(&format!("touched {}", answer.words[0]));
            }
            "pin" | "echo" => {
                let answer = request(&["request-secret"], format!("PIN of {}:", key.name).as_bytes());
                if answer.words[0] != "ok" {
                    error("no PIN was given");
                    return false;
                }
                let typed = String::from_utf8(answer.body).unwrap();
                if key.mode == "echo" {
                    request(&["msg"], format!("you typed {typed}").as_bytes());
                    error(&format!("{typed} is no PIN\nof {}", key.text));
                    return false;
                }
                if typed != PIN {
                    error("the PIN is wrong");
                    return false;
                }
            }
            "slot" => {
                let answer = request(&["request-public"], "which sl\u{f6}t?".as_bytes());
                if answer.words[0] != "ok" || answer.body != "nine \u{2713}".as_bytes() {
                    error("no such slot");
                    return false;
                }
            }
            "confirm" | "confirm-one" => {
                let (yes, no) = (base64(b"Use it"), base64(b"Skip it"));
                let words: &[&str] = if key.mode == "confirm" { &["confirm", &yes, &no] } else { &["confirm", &yes] };
                let answer = request(words, b"use the toy?");
                report(&format!("confirmed {}", answer.words.join(" ")));
                if answer.words != ["ok", "yes"] {
                    error("skipped");
                    return false;
                }
            }
            "confirm-none" => drop(request(&["confirm"], b"use the toy?")),
            "confirm-many" => drop(request(&["confirm", "QQ", "QQ", "QQ"], b"use the toy?")),
            "confirm-text" => drop(request(&["confirm", "!"], b"use the toy?")),
            "newer" => {
                let answer = request(&["x-grease", "1", "2"], b"what a later plugin may say");
                report(&format!("newer {}", answer.words.join(" ")));
            }
            "error" => {
                error("out of order");
                return false;
            }
            "errors" => {
                error("one");
                request(&["error", "internal"], b"two\r\n  hint: run 'rm -r x'");
                request(&["error", "recipient", "99"], b"three");
                request(&["error"], b"four");
                return false;
            }
            "long-error" => {
                error(&"much ado \u{2713} ".repeat(1000));
                return false;
            }
            _ => {}
        }
        true
    }

    fn send_file_key(&self, key: &Key, file_key: &[u8]) {
        match key.mode.as_str() {
            "short-key" => drop(request(&["file-key", "0"], &file_key[..15])),
            "long-key" => drop(request(&["file-key", "0"], &[file_key, b"x"].concat())),
            "wrong-key" => drop(request(&["file-key", "0"], &mask(file_key))),
            "other-file" => drop(request(&["file-key", "1"], file_key)),
            "no-file" => drop(request(&["file-key"], file_key)),
            "both-keys" => {
                request(&["file-key", "0"], file_key);
                request(&["file-key", "0"], file_key);
            }
            "key-and-error" => {
                request(&["error", "identity", "0"], b"that one did not work");
                request(&["file-key", "0"], file_key);
            }
            "key-and-die" => {
                request(&["file-key", "0"], file_key);
                exit(3);
            }
            _ => drop(request(&["file-key", "0"], file_key)),
        }
    }

    fn end(&self) {
        send(&["done"], b"");
        if self.keys.iter().any(|key| key.mode == "linger") {
            hang();
        }
        // The client has no further commands, so it closes its end of the pipe.
        let rest = io::stdin().lock().bytes().count();
        report(&format!("end after {rest} bytes"));
    }
}

/// Prints these bytes, then sleeps forever.
fn print_and_hang(bytes: &[u8]) -> ! {
    let _ = io::stdout().write_all(bytes).and_then(|()| io::stdout().flush());
    hang()
}

fn hang() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

fn print_forever(bytes: &[u8]) -> ! {
    loop {
        if io::stdout().write_all(bytes).is_err() {
            exit(6);
        }
    }
}

fn print(text: &str) {
    let mut output = io::stdout().lock();
    if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
        exit(6);
    }
}

/// Closes standard output, for which the standard library has no function.
fn close_output() {
    use std::os::fd::{FromRawFd as _, OwnedFd};
    drop(unsafe { OwnedFd::from_raw_fd(1) });
}

fn report(line: &str) {
    if let Some(path) = std::env::var_os("TOY_REPORT") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Sends a command and waits for the answer.
fn request(words: &[&str], body: &[u8]) -> Stanza {
    send(words, body);
    read_stanza().unwrap_or_else(|| exit(7))
}

fn send(words: &[&str], body: &[u8]) {
    let mut text = format!("-> {}\n", words.join(" "));
    let encoded = base64(body);
    for line in encoded.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap());
        text.push('\n');
    }
    if encoded.len() % 64 == 0 {
        text.push('\n');
    }
    print(&text);
}

fn read_stanza() -> Option<Stanza> {
    let mut lines = io::stdin().lock().lines();
    let first = lines.next()?.unwrap();
    let words = first.strip_prefix("-> ").expect("a stanza").split(' ').map(str::to_owned).collect();
    let mut body = String::new();
    loop {
        let line = lines.next()?.unwrap();
        body.push_str(&line);
        if line.len() < 64 {
            return Some(Stanza { words, body: unbase64(&body) });
        }
    }
}

fn mask(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x55).collect()
}

/// Returns the tag of a stanza that is encrypted to this name.
fn tag(name: &str) -> String {
    base64(&hash(name, 0)[..4])
}

/// Encrypts or decrypts the file key with a name.
fn xor(file_key: &[u8], name: &str) -> Vec<u8> {
    let pad = [hash(name, 1), hash(name, 2)].concat();
    file_key.iter().zip(pad).map(|(byte, pad)| byte ^ pad).collect()
}

fn hash(name: &str, turn: u8) -> [u8; 8] {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    name.bytes().chain([turn; 8]).fold(0xcbf2_9ce4_8422_2325, step).to_be_bytes()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    regroup(bytes, 8, 6, true).into_iter().map(|digit| char::from(BASE64[usize::from(digit)])).collect()
}

fn unbase64(text: &str) -> Vec<u8> {
    let digit = |letter: u8| BASE64.iter().position(|known| *known == letter).expect("base64") as u8;
    regroup(&text.bytes().map(digit).collect::<Vec<_>>(), 6, 8, false)
}

/// Converts groups of `from` bits to groups of `to` bits. `fill` pads the last group with zeros.
fn regroup(groups: &[u8], from: u32, to: u32, fill: bool) -> Vec<u8> {
    let (mut bits, mut held, mut made) = (0_u32, 0_u32, Vec::new());
    for group in groups {
        bits = (bits << from) | u32::from(*group);
        held += from;
        while held >= to {
            held -= to;
            made.push(((bits >> held) & ((1 << to) - 1)) as u8);
        }
    }
    if fill && held > 0 {
        made.push(((bits << (to - held)) & ((1 << to) - 1)) as u8);
    }
    made
}

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

fn bech32(prefix: &str, data: &[u8]) -> String {
    let digits = regroup(data, 8, 5, true);
    let rest = checksum(prefix, digits.iter().copied().chain([0; 6])) ^ 1;
    let check = (0..6).map(|place| ((rest >> (5 * (5 - place))) & 31) as u8);
    let text: String =
        digits.iter().copied().chain(check).map(|digit| char::from(BECH32[usize::from(digit)])).collect();
    format!("{prefix}1{text}")
}

fn unbech32(text: &str) -> Option<(String, Vec<u8>)> {
    let text = text.to_lowercase();
    let (prefix, digits) = text.rsplit_once('1')?;
    let digit = |letter: u8| BECH32.iter().position(|known| *known == letter).map(|place| place as u8);
    let digits = digits.bytes().map(digit).collect::<Option<Vec<u8>>>()?;
    if digits.len() < 6 || checksum(prefix, digits.iter().copied()) != 1 {
        return None;
    }
    Some((prefix.to_owned(), regroup(&digits[..digits.len() - 6], 5, 8, false)))
}

fn checksum(prefix: &str, digits: impl Iterator<Item = u8>) -> u32 {
    let high = prefix.bytes().map(|letter| letter >> 5);
    let low = prefix.bytes().map(|letter| letter & 31);
    high.chain([0]).chain(low).chain(digits).fold(1, |sum: u32, digit| {
        let top = sum >> 25;
        let terms = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let fold = |sum: u32, (place, term): (usize, u32)| if (top >> place) & 1 == 1 { sum ^ term } else { sum };
        terms.into_iter().enumerate().fold(((sum & 0x01ff_ffff) << 5) ^ u32::from(digit), fold)
    })
}

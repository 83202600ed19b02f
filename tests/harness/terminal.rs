//! A run at a pseudo-terminal, where a person types, pastes and reads.
//!
//! The program gets a terminal of its own the way a shell's does: this very test binary is started again, begins a
//! session, takes the terminal as its controlling one and becomes the program. So nothing here is unsafe, and nothing
//! happens between a fork and an exec of a process with threads.

use super::call::Call;
use super::canary::Canary;
use super::outcome::exit_code;
use rustix::fs::{Mode, OFlags};
use rustix::io::ioctl_fionread;
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, Winsize, tcgetattr, tcsetattr, tcsetwinsize,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) const ENTER: &str = "\r";
pub(crate) const CTRL_C: &str = "\u{3}";
pub(crate) const CTRL_D: &str = "\u{4}";

/// How a program asks its terminal where the cursor stands, and what it hears.
const WHERE: &[u8] = b"\x1b[6n";
const THERE: &[u8] = b"\x1b[1;1R";

/// How long a test waits for a text before it fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tells the test binary, started again, what to become.
const BECOME: &str = "NETO_TEST_BECOME";

/// What the second process becomes, and at which terminal.
#[derive(Serialize, Deserialize)]
struct Become {
    terminal: String,
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A program at its terminal.
pub(crate) struct Terminal<'a> {
    call: Call<'a>,
    child: Child,
    /// The end of the person.
    keyboard: File,
    /// The end of the program, held open so that what it left unread can be counted.
    line: File,
    /// How the terminal was set when the program started.
    before: Termios,
    said: Arc<Said>,
    reader: JoinHandle<()>,
    /// Up to where `expect` has read.
    seen: usize,
}

#[derive(Default)]
struct Said {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl<'a> Call<'a> {
    /// Starts it at a terminal of 100 columns and 30 lines.
    pub(crate) fn at_terminal(self) -> Terminal<'a> {
        self.at_terminal_of(100, 30)
    }

    /// Starts it at a terminal of this size.
    pub(crate) fn at_terminal_of(self, columns: u16, rows: u16) -> Terminal<'a> {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("the other end of the terminal");
        let path = ptsname(&keyboard, Vec::new()).expect("its name").into_string().expect("text");
        let line = open_terminal(&path);
        set_size(&line, columns, rows);
        let before = tcgetattr(&line).expect("the terminal's modes");
        let child = self.become_at(path);
        let keyboard = File::from(keyboard);
        let said = Arc::new(Said::default());
        let reader = {
            let (mut screen, said) = (keyboard.try_clone().expect("another handle"), Arc::clone(&said));
            std::thread::spawn(move || {
                let (mut buffer, mut answered) = ([0; 4096], 0);
                // The end of the last process at the terminal shows as an error.
                while let Ok(count @ 1..) = screen.read(&mut buffer) {
                    let mut bytes = said.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend(&buffer[..count]);
                    while let Some(place) = find(&bytes[answered..], WHERE) {
                        answered += place + WHERE.len();
                        let _ = screen.write_all(THERE);
                    }
                    said.more.notify_all();
                }
            })
        };
        Terminal { call: self, child, keyboard, line, before, said, reader, seen: 0 }
    }

    fn become_at(&self, terminal: String) -> Child {
        let text = |word: &std::ffi::OsString| word.to_str().expect("text").to_owned();
        let mut environment: Vec<(String, String)> =
            self.environment.iter().map(|(name, value)| (text(name), text(value))).collect();
        if !environment.iter().any(|(name, _)| name == "TERM") {
            environment.push(("TERM".to_owned(), "xterm-256color".to_owned()));
        }
        let program = text(&self.program);
        let orders = Become { terminal, program, arguments: self.arguments.iter().map(text).collect(), environment };
        Command::new(std::env::current_exe().expect("this binary"))
            .args(["harness::terminal::becomes_the_program", "--exact", "--ignored"])
            .env(BECOME, serde_json::to_string(&orders).expect("text"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary starts again")
    }
}

/// Not a test: what `at_terminal` starts, which becomes another program.
#[test]
#[ignore = "a part of the harness, in a process of its own"]
fn becomes_the_program() {
    let Ok(orders) = std::env::var(BECOME) else { return };
    let orders: Become = serde_json::from_str(&orders).expect("orders");
    setsid().expect("a session");
    let line = open_terminal(&orders.terminal);
    ioctl_tiocsctty(&line).expect("the terminal is this session's");
    let stream = || Stdio::from(line.try_clone().expect("another handle"));
    let error = Command::new(&orders.program)
        .args(&orders.arguments)
        .env_clear()
        .envs(orders.environment)
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .exec();
    let _ = writeln!(&line, "{} does not start: {error}", orders.program);
}

fn set_size(line: &File, columns: u16, rows: u16) {
    tcsetwinsize(line, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).expect("its size");
}

fn open_terminal(path: &str) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty()).expect("the terminal opens"))
}

impl Terminal<'_> {
    /// Waits until this text comes (after what was waited for before).
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &str) -> &mut Self {
        if self.comes_within(wanted, PATIENCE) {
            return self;
        }
        let screen = visible(&self.said.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = self.child.kill();
        panic!("{wanted:?} does not come at the terminal of `{}`:\n{screen}", self.call.line());
    }

    /// Waits until this text comes, at most so long; whether it came.
    pub(crate) fn comes_within(&mut self, wanted: &str, patience: Duration) -> bool {
        let started = Instant::now();
        let mut bytes = self.said.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = find(&bytes[self.seen..], wanted.as_bytes()) {
                self.seen += place + wanted.len();
                return true;
            }
            let left = patience.checked_sub(started.elapsed()).filter(|_| !self.reader.is_finished());
            let Some(left) = left else { return false };
            // Short turns: that the program ended is not told.
            let turn = left.min(Duration::from_millis(100));
            bytes = self.said.more.wait_timeout(bytes, turn).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types this, as it is.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// Types this and Enter.
    pub(crate) fn enter(&mut self, text: &str) -> &mut Self {
        self.press(text).press(ENTER)
    }

    /// Pastes this as a terminal does that knows bracketed paste: marked where the program asked for the marks.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        let marked = {
            let bytes = self.said.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let said = String::from_utf8_lossy(&bytes);
            said.rfind("\u{1b}[?2004h") > said.rfind("\u{1b}[?2004l")
        };
        let text = text.replace('\n', "\r");
        if marked { self.press(&format!("\u{1b}[200~{text}\u{1b}[201~")) } else { self.press(&text) }
    }

    /// Pastes this as an old terminal does: as if typed very fast.
    pub(crate) fn paste_unmarked(&mut self, text: &str) -> &mut Self {
        self.press(&text.replace('\n', "\r"))
    }

    /// The window becomes larger or smaller.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        set_size(&self.line, columns, rows);
        self
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("a living child");
    }

    /// Stops the program, so that what is typed next waits for it as a whole; [`Terminal::resume`] ends that.
    pub(crate) fn pause(&self) -> &Self {
        use rustix::process::{Pid, Signal, WaitOptions, waitpid};
        self.signal(Signal::STOP);
        waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).expect("a stopped child");
        self
    }

    /// Lets a stopped program go on.
    pub(crate) fn resume(&self) -> &Self {
        self.signal(rustix::process::Signal::CONT);
        self
    }

    /// Waits for the program's end and looks for secrets in what it said.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Screen {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let bytes = self.said.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                panic!("`{}` does not end at its terminal:\n{}", self.call.line(), visible(&bytes));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (as_before, unread) = left_behind(&self.line, &self.before);
        drop(self.line);
        let _ = self.reader.join();
        let bytes = self.said.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        let screen = Screen { line: self.call.line(), status, text: visible(&bytes), raw, as_before, unread };
        screen.shows_no_secret(&self.call.sandbox.canaries(), &self.call.revealed);
        screen
    }
}

/// Whether the terminal is set as it was, and how many bytes wait in it for the next reader.
fn left_behind(line: &File, before: &Termios) -> (bool, u64) {
    let mut modes = tcgetattr(line).expect("the terminal's modes");
    let set = |modes: &Termios| (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes);
    let codes = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME];
    let same = |code: &SpecialCodeIndex| modes.special_codes[*code] == before.special_codes[*code];
    let as_before = set(&modes) == set(before) && codes.iter().all(same);
    // Only whole lines count while it reads lines.
    modes.local_modes.remove(LocalModes::ICANON);
    tcsetattr(line, OptionalActions::Now, &modes).expect("the terminal's modes");
    (as_before, ioctl_fionread(line).expect("a count"))
}

/// What a run left on the screen.
#[derive(Debug)]
pub(crate) struct Screen {
    line: String,
    status: ExitStatus,
    /// What one could read, without escape sequences; a line overwritten from its start counts as it ended.
    pub(crate) text: String,
    /// Every byte.
    pub(crate) raw: String,
    as_before: bool,
    unread: u64,
}

impl Screen {
    /// It ended with this code (128 + n: by signal n), left the terminal as it was and nothing typed unread.
    #[track_caller]
    pub(crate) fn code(&self, wanted: i32) -> &Self {
        assert_eq!(exit_code(self.status), wanted, "`{}` at its terminal:\n{}", self.line, self.text);
        assert!(self.as_before, "`{}` left the terminal without echo, or otherwise set", self.line);
        assert_eq!(self.unread, 0, "`{}` left what was typed to the shell:\n{}", self.line, self.text);
        self
    }

    /// The screen holds this.
    #[track_caller]
    pub(crate) fn has(&self, wanted: &str) -> &Self {
        assert!(self.text.contains(wanted), "{wanted:?} is not on the screen of `{}`:\n{}", self.line, self.text);
        self
    }

    /// How often the screen holds this.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.text.matches(text).count()
    }

    /// The screen does not hold this.
    #[track_caller]
    pub(crate) fn lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.text.contains(unwanted), "{unwanted:?} is on the screen of `{}`:\n{}", self.line, self.text);
        self
    }

    #[track_caller]
    fn shows_no_secret(&self, canaries: &[Canary], revealed: &[String]) {
        for canary in canaries.iter().filter(|canary| !revealed.iter().any(|what| canary.is(what))) {
            let found = canary.in_text(&self.raw).or_else(|| canary.in_text(&self.text));
            if let Some(spelling) = found {
                panic!("the {} stands ({spelling}) on the screen of `{}`:\n{}", canary.kind, self.line, self.text);
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The text without escape sequences; a carriage return starts the line anew.
fn visible(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let line = lines.last_mut().expect("a line");
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\n' => lines.push(String::new()),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' => line.clear(),
            '\u{8}' => {
                line.pop();
            }
            other if other.is_control() => {}
            other => line.push(other),
        }
    }
    lines.join("\n")
}

fn skip_escape(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match characters.next() {
        Some('[') => {
            for character in characters.by_ref() {
                if ('@'..='~').contains(&character) {
                    break;
                }
            }
        }
        Some(']') => {
            for character in characters.by_ref() {
                if character == '\u{7}' {
                    break;
                }
            }
        }
        _ => {}
    }
}

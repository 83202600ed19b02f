//! A run on a pseudo-terminal, where the test types, pastes and reads.
//!
//! The program gets its own terminal like a program of a shell. This test binary is started again, creates a session,
//! makes the terminal its controlling terminal and execs the program. So no unsafe code is needed, and no code runs
//! between fork and exec of a process with threads.

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

/// Query of a program for the cursor position, and the terminal's reply.
const CURSOR_QUERY: &[u8] = b"\x1b[6n";
const CURSOR_REPLY: &[u8] = b"\x1b[1;1R";

/// Time a test waits for a text before it fails.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Environment variable that passes an [`ExecRequest`] to the second process.
const EXEC_REQUEST_VARIABLE: &str = "NETO_TEST_BECOME";

/// Program that the second process execs, and its terminal.
#[derive(Serialize, Deserialize)]
struct ExecRequest {
    terminal: String,
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// A program running on its terminal.
pub(crate) struct Terminal<'a> {
    call: Call<'a>,
    child: Child,
    /// Side of the user.
    keyboard: File,
    /// Side of the program, kept open so that unread input can be counted.
    line: File,
    /// Terminal modes before the program started.
    initial_modes: Termios,
    output: Arc<Output>,
    reader: JoinHandle<()>,
    /// End of the last text that `expect` matched.
    matched_end: usize,
}

#[derive(Default)]
struct Output {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

impl<'a> Call<'a> {
    /// Starts the program on a terminal of 100 columns and 30 rows.
    pub(crate) fn at_terminal(self) -> Terminal<'a> {
        self.at_terminal_sized(100, 30)
    }

    /// Starts the program on a terminal of this size.
    pub(crate) fn at_terminal_sized(self, columns: u16, rows: u16) -> Terminal<'a> {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&keyboard).and_then(|()| unlockpt(&keyboard)).expect("the other end of the terminal");
        let path = ptsname(&keyboard, Vec::new()).expect("its name").into_string().expect("text");
        let line = open_terminal(&path);
        set_size(&line, columns, rows);
        let initial_modes = tcgetattr(&line).expect("the terminal's modes");
        let child = self.spawn_at(path);
        let keyboard = File::from(keyboard);
        let output = Arc::new(Output::default());
        let reader = {
            let (mut screen, output) = (keyboard.try_clone().expect("another handle"), Arc::clone(&output));
            std::thread::spawn(move || {
                let (mut buffer, mut answered) = ([0; 4096], 0);
                // When the last process closes the terminal, `read` returns an error.
                while let Ok(count @ 1..) = screen.read(&mut buffer) {
                    let mut bytes = output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend(&buffer[..count]);
                    while let Some(place) = find(&bytes[answered..], CURSOR_QUERY) {
                        answered += place + CURSOR_QUERY.len();
                        let _ = screen.write_all(CURSOR_REPLY);
                    }
                    output.more.notify_all();
                }
            })
        };
        Terminal { call: self, child, keyboard, line, initial_modes, output, reader, matched_end: 0 }
    }

    fn spawn_at(&self, terminal: String) -> Child {
        let text = |word: &std::ffi::OsString| word.to_str().expect("text").to_owned();
        let mut environment: Vec<(String, String)> =
            self.environment.iter().map(|(name, value)| (text(name), text(value))).collect();
        if !environment.iter().any(|(name, _)| name == "TERM") {
            environment.push(("TERM".to_owned(), "xterm-256color".to_owned()));
        }
        let program = text(&self.program);
        let request =
            ExecRequest { terminal, program, arguments: self.arguments.iter().map(text).collect(), environment };
        Command::new(std::env::current_exe().expect("this binary"))
            .args(["harness::terminal::becomes_the_program", "--exact", "--ignored"])
            .env(EXEC_REQUEST_VARIABLE, serde_json::to_string(&request).expect("text"))
            .current_dir(&self.current_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this binary starts again")
    }
}

/// Execs the program for `at_terminal`; not a test.
#[test]
#[ignore = "a part of the harness, in a process of its own"]
fn becomes_the_program() {
    let Ok(request) = std::env::var(EXEC_REQUEST_VARIABLE) else { return };
    let request: ExecRequest = serde_json::from_str(&request).expect("orders");
    setsid().expect("a session");
    let line = open_terminal(&request.terminal);
    ioctl_tiocsctty(&line).expect("the terminal is this session's");
    let stream = || Stdio::from(line.try_clone().expect("another handle"));
    let error = Command::new(&request.program)
        .args(&request.arguments)
        .env_clear()
        .envs(request.environment)
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .exec();
    let _ = writeln!(&line, "{} does not start: {error}", request.program);
}

fn set_size(line: &File, columns: u16, rows: u16) {
    tcsetwinsize(line, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).expect("its size");
}

fn open_terminal(path: &str) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty()).expect("the terminal opens"))
}

impl Terminal<'_> {
    /// Waits for this text after the previously matched text.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &str) -> &mut Self {
        if self.appears_within(expected, TIMEOUT) {
            return self;
        }
        let screen = visible(&self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = self.child.kill();
        panic!("{expected:?} does not come at the terminal of `{}`:\n{screen}", self.call.command_line());
    }

    /// Waits at most `timeout` for this text and returns whether it appeared.
    pub(crate) fn appears_within(&mut self, expected: &str, timeout: Duration) -> bool {
        let started = Instant::now();
        let mut bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(place) = find(&bytes[self.matched_end..], expected.as_bytes()) {
                self.matched_end += place + expected.len();
                return true;
            }
            let left = timeout.checked_sub(started.elapsed()).filter(|_| !self.reader.is_finished());
            let Some(left) = left else { return false };
            // Short waits, because the end of the program is not signaled.
            let turn = left.min(Duration::from_millis(100));
            bytes = self.output.more.wait_timeout(bytes, turn).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types these keys without changing them.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// Types this text and Enter.
    pub(crate) fn enter(&mut self, text: &str) -> &mut Self {
        self.press(text).press(ENTER)
    }

    /// Pastes this text with bracketed paste if the program enabled it.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        let marked = {
            let bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(&bytes);
            text.rfind("\u{1b}[?2004h") > text.rfind("\u{1b}[?2004l")
        };
        let text = text.replace('\n', "\r");
        if marked { self.press(&format!("\u{1b}[200~{text}\u{1b}[201~")) } else { self.press(&text) }
    }

    /// Pastes this text without bracketed paste, like very fast typing.
    pub(crate) fn paste_unmarked(&mut self, text: &str) -> &mut Self {
        self.press(&text.replace('\n', "\r"))
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        set_size(&self.line, columns, rows);
        self
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("a living child");
    }

    /// Stops the program, so that keys typed next arrive together. [`Terminal::resume`] continues it.
    pub(crate) fn pause(&self) -> &Self {
        use rustix::process::{Pid, Signal, WaitOptions, waitpid};
        self.signal(Signal::STOP);
        waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).expect("a stopped child");
        self
    }

    /// Continues a stopped program.
    pub(crate) fn resume(&self) -> &Self {
        self.signal(rustix::process::Signal::CONT);
        self
    }

    /// Waits for the end of the program and searches its output for secrets.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Screen {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > TIMEOUT {
                let _ = self.child.kill();
                let bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                panic!("`{}` does not end at its terminal:\n{}", self.call.command_line(), visible(&bytes));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (modes_unchanged, unread) = final_state(&self.line, &self.initial_modes);
        drop(self.line);
        let _ = self.reader.join();
        let bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        let screen =
            Screen { line: self.call.command_line(), status, text: visible(&bytes), raw, modes_unchanged, unread };
        screen.assert_no_secret(&self.call.sandbox.canaries(), &self.call.allowed_secrets);
        screen
    }
}

/// Returns whether the terminal modes are as before, and the number of unread input bytes.
fn final_state(line: &File, before: &Termios) -> (bool, u64) {
    let mut modes = tcgetattr(line).expect("the terminal's modes");
    let set = |modes: &Termios| (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes);
    let codes = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME];
    let same = |code: &SpecialCodeIndex| modes.special_codes[*code] == before.special_codes[*code];
    let modes_unchanged = set(&modes) == set(before) && codes.iter().all(same);
    // In canonical mode only complete lines are counted.
    modes.local_modes.remove(LocalModes::ICANON);
    tcsetattr(line, OptionalActions::Now, &modes).expect("the terminal's modes");
    (modes_unchanged, ioctl_fionread(line).expect("a count"))
}

/// Result of a run on a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    line: String,
    status: ExitStatus,
    /// Visible text without escape sequences. For an overwritten line only its final content is kept.
    pub(crate) text: String,
    /// All bytes as received.
    pub(crate) raw: String,
    modes_unchanged: bool,
    unread: u64,
}

impl Screen {
    /// Asserts the exit code (128 + n after signal n), unchanged terminal modes and no unread input.
    #[track_caller]
    pub(crate) fn code(&self, expected: i32) -> &Self {
        assert_eq!(exit_code(self.status), expected, "`{}` at its terminal:\n{}", self.line, self.text);
        assert!(self.modes_unchanged, "`{}` left the terminal without echo, or otherwise set", self.line);
        assert_eq!(self.unread, 0, "`{}` left what was typed to the shell:\n{}", self.line, self.text);
        self
    }

    /// Asserts that the visible text contains this.
    #[track_caller]
    pub(crate) fn has(&self, expected: &str) -> &Self {
        assert!(self.text.contains(expected), "{expected:?} is not on the screen of `{}`:\n{}", self.line, self.text);
        self
    }

    /// Number of occurrences in the visible text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.text.matches(text).count()
    }

    /// Asserts that the visible text does not contain this.
    #[track_caller]
    pub(crate) fn lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.text.contains(unwanted), "{unwanted:?} is on the screen of `{}`:\n{}", self.line, self.text);
        self
    }

    #[track_caller]
    fn assert_no_secret(&self, canaries: &[Canary], allowed_secrets: &[String]) {
        for canary in canaries.iter().filter(|canary| !allowed_secrets.iter().any(|what| canary.matches(what))) {
            let found = canary.in_text(&self.raw).or_else(|| canary.in_text(&self.text));
            if let Some(encoding) = found {
                panic!("the {} stands ({encoding}) on the screen of `{}`:\n{}", canary.kind, self.line, self.text);
            }
        }
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// Returns the text without escape sequences; a carriage return restarts the line.
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

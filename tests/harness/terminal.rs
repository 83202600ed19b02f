//! Runs a program on a pseudo-terminal. The test types, pastes, and reads the visible text.
//!
//! The program needs the terminal as its controlling terminal. Therefore this test binary starts itself as a second
//! process. That process creates a session, takes the terminal as its controlling terminal, and execs the program. This
//! needs no unsafe code, and no code runs between fork and exec.

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

/// Escape sequence by which a program asks for the cursor position, and the reply of the terminal.
const CURSOR_QUERY: &[u8] = b"\x1b[6n";
const CURSOR_REPLY: &[u8] = b"\x1b[1;1R";

/// Maximum time to wait for text on the terminal, or for the end of the program.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Environment variable that passes the [`ExecRequest`] as JSON to the second process.
const EXEC_REQUEST_VARIABLE: &str = "NETO_TEST_BECOME";

/// Program that the second process execs, and the path of its terminal.
#[derive(Serialize, Deserialize)]
struct ExecRequest {
    terminal: String,
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

/// Program that is running on its own terminal.
pub(crate) struct Terminal<'a> {
    call: Call<'a>,
    child: Child,
    /// End of the pseudo-terminal at which the test types and reads.
    user_side: File,
    /// End of the pseudo-terminal that the program uses. The test keeps it open to count unread input.
    program_side: File,
    /// Terminal modes before the program started.
    initial_modes: Termios,
    output: Arc<Output>,
    reader: JoinHandle<()>,
    /// Index in the output after the last matched text. The next search starts here.
    matched_end: usize,
}

#[derive(Default)]
struct Output {
    bytes: Mutex<Vec<u8>>,
    more_bytes: Condvar,
}

impl<'a> Call<'a> {
    /// Starts the program on a new terminal with 100 columns and 30 rows.
    pub(crate) fn at_terminal(self) -> Terminal<'a> {
        self.at_terminal_sized(100, 30)
    }

    /// Starts the program on a new terminal of this size.
    pub(crate) fn at_terminal_sized(self, columns: u16, rows: u16) -> Terminal<'a> {
        let user_side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&user_side).and_then(|()| unlockpt(&user_side)).expect("the other end of the terminal");
        let path = ptsname(&user_side, Vec::new()).expect("its name").into_string().expect("text");
        let program_side = open_terminal(&path);
        set_size(&program_side, columns, rows);
        let initial_modes = tcgetattr(&program_side).expect("the terminal's modes");
        let child = self.spawn_on(path);
        let user_side = File::from(user_side);
        let output = Arc::new(Output::default());
        let reader = {
            let (mut terminal_output, output) = (user_side.try_clone().expect("another handle"), Arc::clone(&output));
            std::thread::spawn(move || {
                let (mut buffer, mut answered_end) = ([0; 4096], 0);
                // `read` returns an error when no process has the terminal open any more.
                while let Ok(count @ 1..) = terminal_output.read(&mut buffer) {
                    let mut bytes = output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
                    bytes.extend(&buffer[..count]);
                    while let Some(start) = find_bytes(&bytes[answered_end..], CURSOR_QUERY) {
                        answered_end += start + CURSOR_QUERY.len();
                        let _ = terminal_output.write_all(CURSOR_REPLY);
                    }
                    output.more_bytes.notify_all();
                }
            })
        };
        Terminal { call: self, child, user_side, program_side, initial_modes, output, reader, matched_end: 0 }
    }

    fn spawn_on(&self, terminal: String) -> Child {
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

/// Execs the requested program in the second process that `at_terminal` starts; not a test.
#[test]
#[ignore = "a part of the harness, in a process of its own"]
fn becomes_the_program() {
    let Ok(request) = std::env::var(EXEC_REQUEST_VARIABLE) else { return };
    let request: ExecRequest = serde_json::from_str(&request).expect("orders");
    setsid().expect("a session");
    let program_side = open_terminal(&request.terminal);
    ioctl_tiocsctty(&program_side).expect("the terminal is this session's");
    let stream = || Stdio::from(program_side.try_clone().expect("another handle"));
    let error = Command::new(&request.program)
        .args(&request.arguments)
        .env_clear()
        .envs(request.environment)
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .exec();
    let _ = writeln!(&program_side, "{} does not start: {error}", request.program);
}

fn set_size(program_side: &File, columns: u16, rows: u16) {
    tcsetwinsize(program_side, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 })
        .expect("its size");
}

fn open_terminal(path: &str) -> File {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    File::from(rustix::fs::open(path, flags, Mode::empty()).expect("the terminal opens"))
}

impl Terminal<'_> {
    /// Waits for this text in the output after the previously matched text. Fails after [`TIMEOUT`].
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: &str) -> &mut Self {
        if self.appears_within(expected, TIMEOUT) {
            return self;
        }
        let screen = visible_text(&self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = self.child.kill();
        panic!("{expected:?} does not come at the terminal of `{}`:\n{screen}", self.call.command_line());
    }

    /// Waits at most `timeout` for this text after the previously matched text. Returns whether the text appeared.
    pub(crate) fn appears_within(&mut self, expected: &str, timeout: Duration) -> bool {
        let started = Instant::now();
        let mut bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(start) = find_bytes(&bytes[self.matched_end..], expected.as_bytes()) {
                self.matched_end += start + expected.len();
                return true;
            }
            let remaining = timeout.checked_sub(started.elapsed()).filter(|_| !self.reader.is_finished());
            let Some(remaining) = remaining else { return false };
            // The waits are short, because the reader does not signal the end of the program.
            let wait = remaining.min(Duration::from_millis(100));
            bytes = self.output.more_bytes.wait_timeout(bytes, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Types these keys unchanged.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.user_side.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// Types this text, then Enter.
    pub(crate) fn enter(&mut self, text: &str) -> &mut Self {
        self.press(text).press(ENTER)
    }

    /// Pastes this text, marked as a paste if the program has enabled bracketed paste.
    pub(crate) fn paste(&mut self, text: &str) -> &mut Self {
        let bracketed = {
            let bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(&bytes);
            text.rfind("\u{1b}[?2004h") > text.rfind("\u{1b}[?2004l")
        };
        let text = text.replace('\n', "\r");
        if bracketed { self.press(&format!("\u{1b}[200~{text}\u{1b}[201~")) } else { self.press(&text) }
    }

    /// Pastes this text without the marks of bracketed paste, like very fast typing.
    pub(crate) fn paste_unmarked(&mut self, text: &str) -> &mut Self {
        self.press(&text.replace('\n', "\r"))
    }

    /// Changes the size of the terminal.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        set_size(&self.program_side, columns, rows);
        self
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).expect("a living child");
    }

    /// Stops the program until [`Terminal::resume`]. Keys typed in between reach the program all at once.
    pub(crate) fn pause(&self) -> &Self {
        use rustix::process::{Pid, Signal, WaitOptions, waitpid};
        self.signal(Signal::STOP);
        waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).expect("a stopped child");
        self
    }

    /// Continues the stopped program.
    pub(crate) fn resume(&self) -> &Self {
        self.signal(rustix::process::Signal::CONT);
        self
    }

    /// Waits for the end of the program. Fails after [`TIMEOUT`], or if the output contains a secret that the test did
    /// not permit.
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
                panic!("`{}` does not end at its terminal:\n{}", self.call.command_line(), visible_text(&bytes));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (modes_unchanged, unread_bytes) = final_state(&self.program_side, &self.initial_modes);
        drop(self.program_side);
        let _ = self.reader.join();
        let bytes = self.output.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        let screen = Screen {
            command_line: self.call.command_line(),
            status,
            text: visible_text(&bytes),
            raw,
            modes_unchanged,
            unread_bytes,
        };
        screen.assert_no_secret(&self.call.sandbox.canaries(), &self.call.allowed_secrets);
        screen
    }
}

/// Returns whether the terminal modes are unchanged, and the number of unread input bytes.
fn final_state(program_side: &File, initial_modes: &Termios) -> (bool, u64) {
    let mut modes = tcgetattr(program_side).expect("the terminal's modes");
    let mode_flags = |modes: &Termios| (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes);
    let codes = [SpecialCodeIndex::VINTR, SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME];
    let is_unchanged = |code: &SpecialCodeIndex| modes.special_codes[*code] == initial_modes.special_codes[*code];
    let modes_unchanged = mode_flags(&modes) == mode_flags(initial_modes) && codes.iter().all(is_unchanged);
    // In canonical mode the kernel counts only complete lines, so the mode is switched off first.
    modes.local_modes.remove(LocalModes::ICANON);
    tcsetattr(program_side, OptionalActions::Now, &modes).expect("the terminal's modes");
    (modes_unchanged, ioctl_fionread(program_side).expect("a count"))
}

/// Result of a run on a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    command_line: String,
    status: ExitStatus,
    /// Visible text without escape sequences. An overwritten line has only its final content.
    pub(crate) text: String,
    /// Complete output with escape sequences; invalid UTF-8 is replaced.
    pub(crate) raw: String,
    modes_unchanged: bool,
    unread_bytes: u64,
}

impl Screen {
    /// Asserts that the exit code is `expected` (128 + n after signal n). Also asserts that the terminal modes are
    /// unchanged and no input is unread.
    #[track_caller]
    pub(crate) fn code(&self, expected: i32) -> &Self {
        assert_eq!(exit_code(self.status), expected, "`{}` at its terminal:\n{}", self.command_line, self.text);
        assert!(self.modes_unchanged, "`{}` left the terminal without echo, or otherwise set", self.command_line);
        assert_eq!(self.unread_bytes, 0, "`{}` left what was typed to the shell:\n{}", self.command_line, self.text);
        self
    }

    /// Asserts that the visible text contains this text.
    #[track_caller]
    pub(crate) fn has(&self, expected: &str) -> &Self {
        assert!(
            self.text.contains(expected),
            "{expected:?} is not on the screen of `{}`:\n{}",
            self.command_line,
            self.text
        );
        self
    }

    /// Returns how often the visible text contains this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.text.matches(text).count()
    }

    /// Asserts that the visible text does not contain this text.
    #[track_caller]
    pub(crate) fn lacks(&self, unwanted: &str) -> &Self {
        assert!(
            !self.text.contains(unwanted),
            "{unwanted:?} is on the screen of `{}`:\n{}",
            self.command_line,
            self.text
        );
        self
    }

    #[track_caller]
    fn assert_no_secret(&self, canaries: &[Canary], allowed_secrets: &[String]) {
        for canary in canaries.iter().filter(|canary| !allowed_secrets.iter().any(|what| canary.matches(what))) {
            let found = canary.encoding_in(&self.raw).or_else(|| canary.encoding_in(&self.text));
            if let Some(encoding) = found {
                panic!(
                    "the {} stands ({encoding}) on the screen of `{}`:\n{}",
                    canary.kind, self.command_line, self.text
                );
            }
        }
    }
}

fn find_bytes(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

/// Returns the output without escape sequences. A carriage return that is not part of a line break empties the line.
fn visible_text(bytes: &[u8]) -> String {
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

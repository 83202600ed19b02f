//! Result of a run: exit code and output, with assertions about them.

use super::canary::Canary;
use serde_json::Value;
use std::fmt;
use std::process::ExitStatus;

/// Exit status and output of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    command_line: String,
    status: ExitStatus,
    /// Standard output; invalid UTF-8 is replaced.
    pub(crate) stdout: String,
    /// Standard error; invalid UTF-8 is replaced.
    pub(crate) stderr: String,
}

impl Outcome {
    pub(super) fn new(command_line: String, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { command_line, status, stdout: text(stdout), stderr: text(stderr) }
    }

    /// Exit code (128 + n after signal n).
    pub(crate) fn exit_code(&self) -> i32 {
        exit_code(self.status)
    }

    /// Returns whether the process dumped core.
    #[cfg(unix)]
    pub(crate) fn dumped_core(&self) -> bool {
        std::os::unix::process::ExitStatusExt::core_dumped(&self.status)
    }

    /// Asserts that the exit code is `expected` (128 + n after signal n).
    #[track_caller]
    pub(crate) fn code(&self, expected: i32) -> &Self {
        assert_eq!(exit_code(self.status), expected, "the exit code of {self}");
        self
    }

    /// Asserts that standard output is exactly this text.
    #[track_caller]
    pub(crate) fn stdout(&self, expected: &str) -> &Self {
        assert_eq!(self.stdout, expected, "standard output of {self}");
        self
    }

    /// Asserts that standard output contains this text.
    #[track_caller]
    pub(crate) fn stdout_has(&self, expected: &str) -> &Self {
        assert!(self.stdout.contains(expected), "{expected:?} is not on standard output of {self}");
        self
    }

    /// Asserts that standard output does not contain this text.
    #[track_caller]
    pub(crate) fn stdout_lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.stdout.contains(unwanted), "{unwanted:?} is on standard output of {self}");
        self
    }

    /// Asserts that standard error is exactly this text.
    #[track_caller]
    pub(crate) fn stderr(&self, expected: &str) -> &Self {
        assert_eq!(self.stderr, expected, "standard error of {self}");
        self
    }

    /// Asserts that standard error contains this text.
    #[track_caller]
    pub(crate) fn stderr_has(&self, expected: &str) -> &Self {
        assert!(self.stderr.contains(expected), "{expected:?} is not on standard error of {self}");
        self
    }

    /// Asserts that standard error does not contain this text.
    #[track_caller]
    pub(crate) fn stderr_lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.stderr.contains(unwanted), "{unwanted:?} is on standard error of {self}");
        self
    }

    /// Parses standard output as JSON; panics unless the output is exactly one document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}) from {self}"))
    }

    /// Standard output without trailing newlines.
    pub(crate) fn stdout_trimmed(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }

    #[track_caller]
    pub(super) fn assert_no_secret(&self, canaries: &[Canary], allowed_secrets: &[String]) {
        for canary in canaries.iter().filter(|canary| !allowed_secrets.iter().any(|allowed| canary.matches(allowed))) {
            for (stream, text) in [("output", &self.stdout), ("error", &self.stderr)] {
                if let Some(encoding) = canary.encoding_in(text) {
                    panic!("the {} stands ({encoding}) on standard {stream} of {self}", canary.kind);
                }
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "`{}`\n--- {}\n--- standard output\n{}\n--- standard error\n{}\n---",
            self.command_line, self.status, self.stdout, self.stderr
        )
    }
}

/// Returns the exit code as a shell reports it: 128 + n after signal n.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().expect("a code, or a signal")
}

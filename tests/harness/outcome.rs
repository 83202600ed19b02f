//! What came of a run, with the questions a test asks of it.

use super::canary::Canary;
use serde_json::Value;
use std::fmt;
use std::process::ExitStatus;

/// What came of a run.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    line: String,
    status: ExitStatus,
    /// What it said on standard output.
    pub(crate) stdout: String,
    /// What it said on standard error.
    pub(crate) stderr: String,
}

impl Outcome {
    pub(super) fn new(line: String, status: ExitStatus, stdout: &[u8], stderr: &[u8]) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Self { line, status, stdout: text(stdout), stderr: text(stderr) }
    }

    /// The code that it ended with (128 + n: by signal n).
    pub(crate) fn exit_code(&self) -> i32 {
        exit_code(self.status)
    }

    /// Whether its memory was written into a core file.
    #[cfg(unix)]
    pub(crate) fn dumped_core(&self) -> bool {
        std::os::unix::process::ExitStatusExt::core_dumped(&self.status)
    }

    /// It ended with this code (128 + n: by signal n).
    #[track_caller]
    pub(crate) fn code(&self, wanted: i32) -> &Self {
        assert_eq!(exit_code(self.status), wanted, "the exit code of {self}");
        self
    }

    /// Standard output was exactly this.
    #[track_caller]
    pub(crate) fn stdout(&self, wanted: &str) -> &Self {
        assert_eq!(self.stdout, wanted, "standard output of {self}");
        self
    }

    /// Standard output holds this.
    #[track_caller]
    pub(crate) fn stdout_has(&self, wanted: &str) -> &Self {
        assert!(self.stdout.contains(wanted), "{wanted:?} is not on standard output of {self}");
        self
    }

    /// Standard output does not hold this.
    #[track_caller]
    pub(crate) fn stdout_lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.stdout.contains(unwanted), "{unwanted:?} is on standard output of {self}");
        self
    }

    /// Standard error holds this.
    #[track_caller]
    pub(crate) fn stderr_has(&self, wanted: &str) -> &Self {
        assert!(self.stderr.contains(wanted), "{wanted:?} is not on standard error of {self}");
        self
    }

    /// Standard error does not hold this.
    #[track_caller]
    pub(crate) fn stderr_lacks(&self, unwanted: &str) -> &Self {
        assert!(!self.stderr.contains(unwanted), "{unwanted:?} is on standard error of {self}");
        self
    }

    /// Nothing came on standard error.
    #[track_caller]
    pub(crate) fn silent(&self) -> &Self {
        assert_eq!(self.stderr, "", "standard error of {self}");
        self
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}) from {self}"))
    }

    /// Standard output without its last line end.
    pub(crate) fn answer(&self) -> &str {
        self.stdout.trim_end_matches('\n')
    }

    #[track_caller]
    pub(super) fn shows_no_secret(&self, canaries: &[Canary], revealed: &[String]) {
        for canary in canaries.iter().filter(|canary| !revealed.iter().any(|what| canary.is(what))) {
            for (stream, text) in [("output", &self.stdout), ("error", &self.stderr)] {
                if let Some(spelling) = canary.in_text(text) {
                    panic!("the {} stands ({spelling}) on standard {stream} of {self}", canary.kind);
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
            self.line, self.status, self.stdout, self.stderr
        )
    }
}

/// The code as a shell sees it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return 128 + signal;
    }
    status.code().expect("a code, or a signal")
}

//! Exit codes for the errors of `output` and of standard output.

use super::{Code, Error};
use crate::output::PromptError;
use std::io;

impl From<io::Error> for Error {
    /// Converts an error from writing to standard output. Errors of other files are `DiskError`s, which contain the
    /// path.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Code::BrokenPipe),
            _ => Self::new(Code::System, format!("cannot write the answer: {}", crate::disk::os_message(&error))),
        }
    }
}

impl From<PromptError> for Error {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::Interrupted => Self::silent(Code::Interrupted),
            PromptError::Terminated => Self::silent(Code::Terminated),
            PromptError::TerminalFailed(_) => Self::new(Code::System, error.to_string()),
            other => Self::new(Code::Usage, other.to_string()),
        }
    }
}

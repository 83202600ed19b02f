//! Errors of plugins, and the text of the errors that plugins report.

use crate::secret::PrompterError;
use std::time::Duration;

/// Most characters kept of the errors that a plugin reports.
const MAX_MESSAGE_CHARS: usize = 500;

/// Reason why a plugin did not decrypt or encrypt, with the name of the program. The plugin's own text is one line of
/// at most 500 characters. Hidden answers and identities are redacted from this text; the caller must sanitize the
/// text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The program is in no absolute directory of `PATH`.
    #[error("the program '{program}' was not found")]
    Missing {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// The program exists, but the system cannot start it.
    #[error("'{program}' could not be run: {reason}")]
    Run {
        /// `age-plugin-NAME`.
        program: String,
        /// Error message of the system.
        reason: String,
    },
    /// The program exited, or closed its output, before the end of the dialogue.
    #[error("'{program}' ended too early ({ending})")]
    Ended {
        /// `age-plugin-NAME`.
        program: String,
        /// Description of the end: `exit code 3`.
        ending: String,
    },
    /// The program sent no command within the time limit and was killed.
    #[error("'{program}' was ended after {} s without an answer", limit.as_secs())]
    TimedOut {
        /// `age-plugin-NAME`.
        program: String,
        /// Time limit.
        limit: Duration,
    },
    /// The program sent more than any plugin needs to send and was killed.
    #[error("'{program}' was ended because it says too much")]
    TooMuchOutput {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// The program violated the plugin protocol.
    #[error("'{program}' does not keep to the protocol of age plugins: {what}")]
    Protocol {
        /// `age-plugin-NAME`.
        program: String,
        /// Description of the violation.
        what: &'static str,
    },
    /// The program reported errors.
    #[error("'{program}' says: {text}")]
    Reported {
        /// `age-plugin-NAME`.
        program: String,
        /// Text of the errors.
        text: String,
    },
    /// The program asked a question and got no answer.
    #[error("'{program}' asked for something: {why}")]
    Unanswered {
        /// `age-plugin-NAME`.
        program: String,
        /// Reason for the missing answer.
        why: PrompterError,
    },
}

impl PluginError {
    /// Returns the signal that ended a question. After a signal, no other key may be tried.
    #[must_use]
    pub fn stop_signal(&self) -> Option<&PrompterError> {
        match self {
            Self::Unanswered { why: why @ (PrompterError::Interrupted | PrompterError::Terminated), .. } => Some(why),
            _ => None,
        }
    }
}

/// Joins the errors that a plugin reported into one line.
pub(super) fn join_messages(messages: &[String]) -> String {
    let line = messages.iter().flat_map(|text| text.split_whitespace().chain(std::iter::once(";")));
    let line = line.collect::<Vec<_>>().join(" ").replace(" ;", ";");
    truncate(line.trim_end_matches(';'), MAX_MESSAGE_CHARS)
}

/// Truncates a text to `max_chars` characters, the last of which is then `…`.
pub(super) fn truncate(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max_chars - 1).chain(std::iter::once('…')).collect(),
    }
}

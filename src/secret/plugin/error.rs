//! Errors of the plugin client, and the text of errors that plugins report.

use crate::secret::PrompterError;
use std::time::Duration;

/// Maximum length of the joined text of all errors that a plugin reports.
const MAX_MESSAGE_CHARS: usize = 500;

/// Reason why a plugin did not decrypt or encrypt.
///
/// Only [`PluginError::Reported`] contains text from the plugin: one line of at most 500 characters. Identities and
/// hidden answers of at least four bytes are redacted from this text. The caller must sanitize the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The program is not in any absolute directory of `PATH`.
    #[error("the program '{program}' was not found")]
    Missing {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// The program exists, but the operating system cannot start it.
    #[error("'{program}' could not be run: {reason}")]
    Run {
        /// `age-plugin-NAME`.
        program: String,
        /// Error message of the operating system.
        reason: String,
    },
    /// The program exited, or closed its output, before the end of the dialogue.
    #[error("'{program}' ended too early ({ending})")]
    Ended {
        /// `age-plugin-NAME`.
        program: String,
        /// Description of the exit status, such as `exit code 3`, or `it closed its output`.
        ending: String,
    },
    /// The program sent no complete command within the time limit, and was killed.
    #[error("'{program}' was ended after {} s without an answer", limit.as_secs())]
    TimedOut {
        /// `age-plugin-NAME`.
        program: String,
        /// Time limit.
        limit: Duration,
    },
    /// The program sent more bytes or commands than any plugin needs, and was killed.
    #[error("'{program}' was ended because it says too much")]
    TooMuchOutput {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// The program violated the plugin protocol.
    #[error("'{program}' does not keep to the protocol of age plugins: {violation}")]
    Protocol {
        /// `age-plugin-NAME`.
        program: String,
        /// Description of the violation.
        violation: &'static str,
    },
    /// The program reported errors.
    #[error("'{program}' says: {text}")]
    Reported {
        /// `age-plugin-NAME`.
        program: String,
        /// Text of all errors, in one line.
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
    /// Returns the reason if a signal (SIGINT or SIGTERM) ended a question. The caller must then not try other keys.
    #[must_use]
    pub fn stop_signal(&self) -> Option<&PrompterError> {
        match self {
            Self::Unanswered { why: why @ (PrompterError::Interrupted | PrompterError::Terminated), .. } => Some(why),
            _ => None,
        }
    }
}

/// Joins the errors that a plugin reported into one line of at most 500 characters.
pub(super) fn join_messages(messages: &[String]) -> String {
    let words = messages.iter().flat_map(|message| message.split_whitespace().chain(std::iter::once(";")));
    let line = words.collect::<Vec<_>>().join(" ").replace(" ;", ";");
    truncate(line.trim_end_matches(';'), MAX_MESSAGE_CHARS)
}

/// Returns a text of at most `max_chars` characters. If the text was truncated, its last character is `…`.
pub(super) fn truncate(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max_chars - 1).chain(std::iter::once('…')).collect(),
    }
}

//! Why a plugin did not do what it was asked for.

use crate::secret::{Secret, Unanswered};
use std::time::Duration;

/// The most characters of what a plugin says of its failure that are kept.
const MOST: usize = 500;

/// What stands where a secret stood.
const STRUCK: &str = "[redacted]";

/// The shortest secret that is struck out: a shorter one would be given away by what is missing.
const SHORTEST: usize = 4;

/// Why a plugin did not open or seal. It names the program; what the plugin itself said is one line of at
/// most 500 characters, still with whatever else a plugin may put into it, but without an answer that was
/// given to it in hiding and without an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// On no absolute folder of `PATH`.
    #[error("the program '{program}' was not found")]
    Missing {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// It is there, but the system does not start it.
    #[error("'{program}' could not be run: {reason}")]
    Run {
        /// `age-plugin-NAME`.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// It ended in the middle.
    #[error("'{program}' ended too early ({ending})")]
    Ended {
        /// `age-plugin-NAME`.
        program: String,
        /// How: `exit code 3`.
        ending: String,
    },
    /// It took too long and was ended.
    #[error("'{program}' was ended after {} s without an answer", limit.as_secs())]
    Silent {
        /// `age-plugin-NAME`.
        program: String,
        /// How long it was given.
        limit: Duration,
    },
    /// It said more than any plugin has to say, and was ended.
    #[error("'{program}' was ended because it says too much")]
    TooMuch {
        /// `age-plugin-NAME`.
        program: String,
    },
    /// It does not do what the protocol of plugins says.
    #[error("'{program}' does not keep to the protocol of age plugins: {what}")]
    Protocol {
        /// `age-plugin-NAME`.
        program: String,
        /// What it did.
        what: &'static str,
    },
    /// It says why it cannot.
    #[error("'{program}' says: {text}")]
    Said {
        /// `age-plugin-NAME`.
        program: String,
        /// Its words.
        text: String,
    },
    /// It asked for something that it did not get.
    #[error("'{program}' asked for something: {why}")]
    Unanswered {
        /// `age-plugin-NAME`.
        program: String,
        /// Why it did not get it.
        why: Unanswered,
    },
}

impl PluginError {
    /// The signal that ended a question, if that is why: then nothing else is to be tried.
    #[must_use]
    pub fn stopped(&self) -> Option<&Unanswered> {
        match self {
            Self::Unanswered { why: why @ (Unanswered::Interrupted | Unanswered::Terminated), .. } => Some(why),
            _ => None,
        }
    }
}

/// Several things that a plugin said of its failure, in one line.
pub(super) fn line(said: &[String]) -> String {
    let line = said.iter().flat_map(|text| text.split_whitespace().chain(std::iter::once(";")));
    let line = line.collect::<Vec<_>>().join(" ").replace(" ;", ";");
    cut(line.trim_end_matches(';'), MOST)
}

/// At most so many characters; what was cut shows as `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(std::iter::once('…')).collect(),
    }
}

/// The text without these secrets.
pub(super) fn strike<'a>(text: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    let secrets = secrets.filter(|secret| secret.len() >= SHORTEST);
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), STRUCK))
}

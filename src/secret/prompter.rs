//! Who is asked when a key does not open by itself: for the passphrase of an identity, or by an age plugin.
//!
//! The room names the questions; a command fulfils them at the terminal. Nothing here reads or prints.

use super::Secret;

/// Answers what only a person (or a file that they named) can answer. Never called while a lock is held.
pub trait Asker {
    /// Whether there is nobody at all, as for who holds a lock: then no plugin is started, since it may want a touch.
    fn is_nobody(&self) -> bool {
        false
    }

    /// The passphrase of the identity at `place`; `wrong` after one that did not open it.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn passphrase(&self, place: &str, wrong: bool) -> Result<Secret, Unanswered>;

    /// What the plugin `plugin` wants the user to know: `touch your key`. Foreign text, to be cleaned.
    fn told_by_plugin(&self, plugin: &str, text: &str);

    /// Something that the plugin asks for: a PIN (`hidden`), or the name of a slot.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn asked_by_plugin(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, Unanswered>;

    /// Whether the user chooses `yes`, where the plugin asks for a decision.
    ///
    /// # Errors
    /// [`Unanswered`].
    fn decided_for_plugin(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, Unanswered>;
}

/// Why a question got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Standard input is no terminal, and no file was named.
    #[error("there is nobody to ask: standard input is not a terminal")]
    Nobody,
    /// Ctrl-C or SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// SIGTERM.
    #[error("terminated")]
    Terminated,
    /// Anything else, in words that hold no answer.
    #[error("{0}")]
    Failed(String),
}

/// Nobody is there: every question stays without an answer, and what plugins tell is not heard.
impl Asker for () {
    fn is_nobody(&self) -> bool {
        true
    }

    fn passphrase(&self, _: &str, _: bool) -> Result<Secret, Unanswered> {
        Err(Unanswered::Nobody)
    }

    fn told_by_plugin(&self, _: &str, _: &str) {}

    fn asked_by_plugin(&self, _: &str, _: &str, _: bool) -> Result<Secret, Unanswered> {
        Err(Unanswered::Nobody)
    }

    fn decided_for_plugin(&self, _: &str, _: &str, _: &str, _: Option<&str>) -> Result<bool, Unanswered> {
        Err(Unanswered::Nobody)
    }
}

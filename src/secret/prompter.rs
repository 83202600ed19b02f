//! Prompts that decryption may need: the passphrase of an identity, and the messages and questions of age plugins.
//!
//! Owns the trait only; a command implements the prompts at the terminal.

use super::Secret;

/// Prompts that only the user, or a file that the user named, can answer. Never called while a lock is held.
pub trait Prompter {
    /// Whether no prompt can be answered, for example while a lock is held. Then no plugin is started, because a plugin
    /// may require a touch.
    fn is_unavailable(&self) -> bool {
        false
    }

    /// Asks for the passphrase of the identity at `location`; `retry` is true after a wrong passphrase.
    ///
    /// # Errors
    /// [`PrompterError`] if no passphrase is given.
    fn passphrase(&self, location: &str, retry: bool) -> Result<Secret, PrompterError>;

    /// Shows a message of the plugin `plugin`, such as `touch your key`. Implementations must sanitize `text`.
    fn plugin_message(&self, plugin: &str, text: &str);

    /// Asks for input that the plugin requests: a PIN (`hidden`), or the name of a slot.
    ///
    /// # Errors
    /// [`PrompterError`] if no input is given.
    fn plugin_input(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, PrompterError>;

    /// Asks the user to decide between the plugin's labels `yes` and `no`; returns whether the user chose `yes`.
    ///
    /// # Errors
    /// [`PrompterError`] if no decision is given.
    fn plugin_confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, PrompterError>;
}

/// Reasons why a prompt got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrompterError {
    /// Standard input is not a terminal, and the user named no file.
    #[error("there is nobody to ask: standard input is not a terminal")]
    Unavailable,
    /// Interrupted by Ctrl-C or SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// Terminated by SIGTERM.
    #[error("terminated")]
    Terminated,
    /// Another failure; the text never contains an answer.
    #[error("{0}")]
    Failed(String),
}

/// Prompter without a user: every prompt fails, and messages of plugins are dropped.
impl Prompter for () {
    fn is_unavailable(&self) -> bool {
        true
    }

    fn passphrase(&self, _: &str, _: bool) -> Result<Secret, PrompterError> {
        Err(PrompterError::Unavailable)
    }

    fn plugin_message(&self, _: &str, _: &str) {}

    fn plugin_input(&self, _: &str, _: &str, _: bool) -> Result<Secret, PrompterError> {
        Err(PrompterError::Unavailable)
    }

    fn plugin_confirm(&self, _: &str, _: &str, _: &str, _: Option<&str>) -> Result<bool, PrompterError> {
        Err(PrompterError::Unavailable)
    }
}

//! Prompts that decryption may require: the passphrase of an identity, and the messages and questions of age plugins.
//!
//! Owns the trait, its error, and an implementation without a user. Higher layers implement the prompts at the
//! terminal.

use super::Secret;

/// Asks the user for the passphrase of an identity, and shows the messages and questions of age plugins. Code that
/// holds a lock passes `&()`, so that no lock is held while a prompt waits.
pub trait Prompter {
    /// Returns true if every prompt fails. No plugin is then started for decryption, because the plugin might wait for
    /// a touch.
    fn is_unavailable(&self) -> bool {
        false
    }

    /// Asks for the passphrase of the identity at `location`. `retry` is true if the previous passphrase was wrong.
    ///
    /// # Errors
    /// Returns a [`PrompterError`] if the user enters no passphrase.
    fn passphrase(&self, location: &str, retry: bool) -> Result<Secret, PrompterError>;

    /// Shows a message from a plugin, such as `touch your key`. `plugin` is the plugin's name without `age-plugin-`.
    /// Implementations must sanitize `text`.
    fn plugin_message(&self, plugin: &str, text: &str);

    /// Asks for input that a plugin requests, such as a PIN or the name of a slot. `hidden` is true if the input must
    /// not be shown.
    ///
    /// # Errors
    /// Returns a [`PrompterError`] if the user gives no input.
    fn plugin_input(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, PrompterError>;

    /// Asks the user to choose between the labels `yes` and `no`. Returns true if the user chose `yes`. `no` is `None`
    /// if the plugin offers only one choice.
    ///
    /// # Errors
    /// Returns a [`PrompterError`] if the user makes no choice.
    fn plugin_confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, PrompterError>;
}

/// Reasons why a prompt was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrompterError {
    /// Standard input is not a terminal, or prompts are not allowed.
    #[error("there is nobody to ask: standard input is not a terminal")]
    Unavailable,
    /// The prompt was interrupted by Ctrl-C or SIGINT.
    #[error("interrupted")]
    Interrupted,
    /// The prompt was ended by SIGTERM.
    #[error("terminated")]
    Terminated,
    /// The prompt failed for another reason. The message never contains text that the user typed.
    #[error("{0}")]
    Failed(String),
}

/// Prompter without a user. Every prompt fails, and messages from plugins are dropped.
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

//! Reports requests, waits and warnings of a session on the terminal. Prompts for passphrases and input of age plugins.

use crate::fusion::RequestObserver;
use crate::output::humanize;
use crate::output::{PromptError, Ui};
use crate::secret::{Prompter, PrompterError, Secret};
use crate::session::{Reporter, Warning};
use std::time::Duration;

/// Minimum pause that is reported as a note. A shorter pause appears only in verbose output.
const MIN_NOTED_PAUSE: Duration = Duration::from_secs(2);

/// Reporter and prompter that use the terminal.
pub(crate) struct TerminalReporter<'a>(pub(crate) &'a Ui);

impl RequestObserver for TerminalReporter<'_> {
    fn request_ended(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128) {
        self.0.verbose(|| {
            let result = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            format!("{method} {host}{path}: {result} in {millis} ms (try {attempt})")
        });
    }

    fn server_paused(&self, host: &str, pause: Duration) {
        let text = format!("{host} is asked too much, it says: nothing is sent to it for {} s", pause.as_secs());
        if pause < MIN_NOTED_PAUSE { self.0.verbose(|| text) } else { self.0.note(&text) }
    }
}

impl Reporter for TerminalReporter<'_> {
    fn waiting_for_lock(&self, lock_name: &str, holder: Option<u32>) {
        let holder = holder.map_or_else(|| "another neto".to_owned(), |pid| format!("neto process {pid}"));
        self.0.note(&format!("waiting for {holder}, which holds {lock_name}"));
    }

    fn warn(&self, warning: Warning<'_>) {
        self.0.warn(&match warning {
            Warning::TokenFile(error) => format!("{error}; it will be replaced"),
            Warning::NotCached(error) => format!("{error}; the token is not kept"),
            Warning::NoLock(error) => format!("{error}; going on without it"),
            Warning::ShortLifetime { profile, lifetime_seconds } => {
                let lifetime = humanize::duration(lifetime_seconds);
                format!("{profile}: the server gives tokens of {lifetime}, less than --min-ttl asks for")
            }
            Warning::NoLifetime(profile) => {
                format!(
                    "{profile}: the server did not say how long the token lives; it is good for this once and not kept"
                )
            }
            Warning::ResumingRotation(profile) => {
                format!("{profile}: a rotation of its key was cut off; going on with it")
            }
            Warning::RotationProblem { profile, error } => format!("{profile}: {error}"),
            Warning::RefreshFailed { profile, error } => {
                format!("{profile}: refreshing failed ({error}); signing in anew")
            }
        });
    }

    fn trace(&self, text: &dyn Fn() -> String) {
        self.0.verbose(text);
    }
}

impl Prompter for TerminalReporter<'_> {
    fn passphrase(&self, location: &str, is_retry: bool) -> Result<Secret, PrompterError> {
        if is_retry {
            self.0.note("That passphrase does not open it.");
        }
        into_secret(self.0.prompt_hidden(&format!("Passphrase of {location} (not shown): ")))
    }

    fn plugin_message(&self, plugin: &str, text: &str) {
        self.0.note(&format!("age-plugin-{plugin}: {text}"));
    }

    fn plugin_input(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, PrompterError> {
        let question = format!("age-plugin-{plugin}: {prompt}");
        if hidden {
            into_secret(self.0.prompt_hidden(&format!("{question} (not shown): ")))
        } else {
            Ok(Secret::new(self.0.prompt_line(&format!("{question} "))?))
        }
    }

    fn plugin_confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, PrompterError> {
        let no = no.map(|no| format!(", or n: {no}")).unwrap_or_default();
        let question = format!("age-plugin-{plugin}: {prompt} (y: {yes}{no})");
        self.0.confirm(&question).map_err(PrompterError::from)
    }
}

fn into_secret(answer: Result<zeroize::Zeroizing<String>, PromptError>) -> Result<Secret, PrompterError> {
    Ok(Secret::new(answer?.to_string()))
}

impl From<PromptError> for PrompterError {
    fn from(error: PromptError) -> Self {
        match error {
            PromptError::NoTerminal => Self::Unavailable,
            PromptError::Interrupted => Self::Interrupted,
            PromptError::Terminated => Self::Terminated,
            other => Self::Failed(other.to_string()),
        }
    }
}

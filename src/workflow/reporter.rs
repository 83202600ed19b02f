//! Tells the user what the pipeline has to say, and asks what only a person knows.

use crate::fusion::Progress;
use crate::output::humanize;
use crate::output::{AskError, Ui};
use crate::secret::{Asker, Secret, Unanswered};
use crate::session::{Warning, Watcher};
use std::time::Duration;

/// A rest shorter than this is over before anybody wonders.
const WORTH_A_NOTE: Duration = Duration::from_secs(2);

/// The pipeline's ear and mouth for one command.
pub(crate) struct Watch<'a>(pub(crate) &'a Ui);

impl Progress for Watch<'_> {
    fn asked(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128) {
        self.0.verbose(|| {
            let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            format!("{method} {host}{path}: {answer} in {millis} ms (try {attempt})")
        });
    }

    fn rests(&self, host: &str, pause: Duration) {
        let text = format!("{host} is asked too much, it says: nothing is sent to it for {} s", pause.as_secs());
        if pause < WORTH_A_NOTE { self.0.verbose(|| text) } else { self.0.note(&text) }
    }
}

impl Watcher for Watch<'_> {
    fn waiting(&self, what: &str, holder: Option<u32>) {
        let whom = holder.map_or_else(|| "another neto".to_owned(), |pid| format!("neto process {pid}"));
        self.0.note(&format!("waiting for {whom}, which holds {what}"));
    }

    fn warn(&self, warning: Warning<'_>) {
        self.0.warn(&match warning {
            Warning::TokenFile(error) => format!("{error}; it will be replaced"),
            Warning::NotCached(error) => format!("{error}; the token is not kept"),
            Warning::NoLock(error) => format!("{error}; going on without it"),
            Warning::ShortLife { profile, whole } => {
                let whole = humanize::span(whole);
                format!("{profile}: the server gives tokens of {whole}, less than --min-ttl asks for")
            }
            Warning::NoLifetime(profile) => {
                format!(
                    "{profile}: the server did not say how long the token lives; it is good for this once and not kept"
                )
            }
            Warning::Finishing(profile) => {
                format!("{profile}: a rotation of its key was cut off; going on with it")
            }
            Warning::Unfinished { profile, error } => format!("{profile}: {error}"),
            Warning::RefreshFailed { profile, error } => {
                format!("{profile}: refreshing failed ({error}); signing in anew")
            }
        });
    }

    fn trace(&self, text: &dyn Fn() -> String) {
        self.0.verbose(text);
    }
}

impl Asker for Watch<'_> {
    fn passphrase(&self, place: &str, wrong: bool) -> Result<Secret, Unanswered> {
        if wrong {
            self.0.note("That passphrase does not open it.");
        }
        answer(self.0.hidden(&format!("Passphrase of {place} (not shown): ")))
    }

    fn told_by_plugin(&self, plugin: &str, text: &str) {
        self.0.note(&format!("age-plugin-{plugin}: {text}"));
    }

    fn asked_by_plugin(&self, plugin: &str, prompt: &str, hidden: bool) -> Result<Secret, Unanswered> {
        let question = format!("age-plugin-{plugin}: {prompt}");
        if hidden {
            answer(self.0.hidden(&format!("{question} (not shown): ")))
        } else {
            Ok(Secret::new(self.0.line(&format!("{question} "))?))
        }
    }

    fn decided_for_plugin(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Result<bool, Unanswered> {
        let no = no.map(|no| format!(", or n: {no}")).unwrap_or_default();
        let question = format!("age-plugin-{plugin}: {prompt} (y: {yes}{no})");
        self.0.confirm(&question).map_err(Unanswered::from)
    }
}

fn answer(asked: Result<zeroize::Zeroizing<String>, AskError>) -> Result<Secret, Unanswered> {
    Ok(Secret::new(asked?.to_string()))
}

impl From<AskError> for Unanswered {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NobodyToAsk => Self::Nobody,
            AskError::Interrupted => Self::Interrupted,
            AskError::Terminated => Self::Terminated,
            other => Self::Failed(other.to_string()),
        }
    }
}

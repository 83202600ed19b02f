//! Tells the user what the pipeline has to say.

use super::when;
use crate::fusion::Progress;
use crate::output::Ui;
use crate::session::{Warning, Watcher};

/// The pipeline's ear and mouth for one command.
pub(crate) struct Watch<'a>(pub(crate) &'a Ui);

impl Progress for Watch<'_> {
    fn asked(&self, method: &str, host: &str, path: &str, attempt: u32, status: Option<u16>, millis: u128) {
        let answer = status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        self.0.verbose(&format!("{method} {host}{path}: {answer} in {millis} ms (try {attempt})"));
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
                let whole = when::span(whole);
                format!("{profile}: the server gives tokens of {whole}, less than --min-ttl asks for")
            }
            Warning::NoLifetime(profile) => {
                format!(
                    "{profile}: the server did not say how long the token lives; it is good for this once and not kept"
                )
            }
            Warning::RefreshFailed { profile, error } => {
                format!("{profile}: refreshing failed ({error}); signing in anew")
            }
        });
    }

    fn trace(&self, text: &str) {
        self.0.verbose(text);
    }
}

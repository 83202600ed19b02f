//! The answer, in the form that each shell takes.

use crate::commands::completions::Shell;
use clap_complete::CompletionCandidate;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// What fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// These.
    Names(Vec<Offer>),
    /// A file; the shell knows which there are.
    Files,
    /// What fits into a command line that starts at this word, the first being 0; the shell knows.
    Command(usize),
}

/// One that fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// What stands on the line when it is taken.
    value: String,
    /// What is said of it.
    help: Option<String>,
}

impl Offer {
    /// From what the engine found; nothing for what is hidden.
    #[allow(clippy::needless_pass_by_value, reason = "made to be mapped over what the engine returns")]
    pub(super) fn of(found: CompletionCandidate) -> Option<Self> {
        let help = found.get_help().and_then(|help| help.to_string().lines().next().map(str::to_owned));
        let value = found.get_value().to_str().filter(|_| !found.is_hide_set())?;
        Some(Self { value: value.to_owned(), help })
    }

    fn is_flag(&self) -> bool {
        self.value.len() > 1 && self.value.starts_with('-')
    }
}

/// Flags are offered to who began one, and where nothing else fits.
pub(super) fn kept(mut offers: Vec<Offer>, current: &OsStr) -> Vec<Offer> {
    if current.is_empty() && !offers.iter().all(Offer::is_flag) {
        offers.retain(|offer| !offer.is_flag());
    }
    offers
}

impl Default for Answer {
    fn default() -> Self {
        Self::Names(Vec::new())
    }
}

impl Answer {
    /// Lines, the first of which says what it is about.
    pub(super) fn render(&self, shell: Shell) -> String {
        match self {
            Self::Files => "files\n".to_owned(),
            Self::Command(place) => format!("command {place}\n"),
            Self::Names(offers) => offers.iter().fold("names\n".to_owned(), |mut text, offer| {
                line(&mut text, shell, offer);
                text
            }),
        }
    }
}

fn line(text: &mut String, shell: Shell, Offer { value, help }: &Offer) {
    let _ = match (shell, help) {
        (Shell::Bash, _) | (Shell::Fish | Shell::Elvish | Shell::Powershell, None) => writeln!(text, "{value}"),
        (Shell::Fish | Shell::Elvish | Shell::Powershell, Some(help)) => writeln!(text, "{value}\t{help}"),
        // zsh parts them at the first colon that has no backslash before it.
        (Shell::Zsh, None) => writeln!(text, "{}", value.replace(':', "\\:")),
        (Shell::Zsh, Some(help)) => writeln!(text, "{}:{}", value.replace(':', "\\:"), help.replace('\\', "\\\\")),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_its_form() {
        let offer = |value: &str, help: Option<&str>| Offer { value: value.to_owned(), help: help.map(str::to_owned) };
        let answer = Answer::Names(vec![offer("a:b", Some("c:d \\n")), offer("e", None)]);
        assert_eq!(answer.render(Shell::Bash), "names\na:b\ne\n");
        assert_eq!(answer.render(Shell::Zsh), "names\na\\:b:c:d \\\\n\ne\n");
        for shell in [Shell::Fish, Shell::Elvish, Shell::Powershell] {
            assert_eq!(answer.render(shell), "names\na:b\tc:d \\n\ne\n");
            assert_eq!(Answer::Command(3).render(shell), "command 3\n");
        }
    }
}

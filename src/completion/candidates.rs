//! Completion results and their format for each shell.

use crate::commands::completions::CompletionShell;
use clap_complete::CompletionCandidate;
use std::ffi::OsStr;
use std::fmt::Write as _;

/// Result of a completion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Completion {
    /// Candidates for the current word.
    Candidates(Vec<ShellCandidate>),
    /// The word is a file name, which the shell completes.
    Files,
    /// The word belongs to another program's command line, which the shell completes. Holds the index of that
    /// program's name in the words; `neto` has index 0.
    Command(usize),
}

/// Candidate for the current word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShellCandidate {
    /// Text to insert.
    value: String,
    /// Description on one line, if there is one.
    help: Option<String>,
}

impl ShellCandidate {
    /// Converts a candidate of `clap_complete`, with the first line of its help. Returns `None` for a hidden candidate
    /// or a value that is not UTF-8.
    #[allow(clippy::needless_pass_by_value, reason = "made to be mapped over what the engine returns")]
    pub(super) fn from_engine(engine_candidate: CompletionCandidate) -> Option<Self> {
        let help = engine_candidate.get_help().and_then(|help| help.to_string().lines().next().map(str::to_owned));
        let value = engine_candidate.get_value().to_str().filter(|_| !engine_candidate.is_hide_set())?;
        Some(Self { value: value.to_owned(), help })
    }

    fn is_flag(&self) -> bool {
        self.value.len() > 1 && self.value.starts_with('-')
    }
}

/// Removes the flags if the current word is empty and at least one candidate is not a flag.
pub(super) fn remove_unrequested_flags(mut candidates: Vec<ShellCandidate>, current: &OsStr) -> Vec<ShellCandidate> {
    if current.is_empty() && !candidates.iter().all(ShellCandidate::is_flag) {
        candidates.retain(|candidate| !candidate.is_flag());
    }
    candidates
}

impl Default for Completion {
    fn default() -> Self {
        Self::Candidates(Vec::new())
    }
}

impl Completion {
    /// Renders the result for the completion script of `shell`, in the format that [`super`] describes.
    pub(super) fn render(&self, shell: CompletionShell) -> String {
        match self {
            Self::Files => "files\n".to_owned(),
            Self::Command(index) => format!("command {index}\n"),
            Self::Candidates(candidates) => candidates.iter().fold("names\n".to_owned(), |mut output, candidate| {
                push_line(&mut output, shell, candidate);
                output
            }),
        }
    }
}

fn push_line(output: &mut String, shell: CompletionShell, ShellCandidate { value, help }: &ShellCandidate) {
    let _ = match (shell, help) {
        (CompletionShell::Bash, _)
        | (CompletionShell::Fish | CompletionShell::Elvish | CompletionShell::Powershell, None) => {
            writeln!(output, "{value}")
        }
        (CompletionShell::Fish | CompletionShell::Elvish | CompletionShell::Powershell, Some(help)) => {
            writeln!(output, "{value}\t{help}")
        }
        // `_describe` of zsh splits value and description at the first colon without a backslash.
        (CompletionShell::Zsh, None) => writeln!(output, "{}", value.replace(':', "\\:")),
        (CompletionShell::Zsh, Some(help)) => {
            writeln!(output, "{}:{}", value.replace(':', "\\:"), help.replace('\\', "\\\\"))
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_rendered_in_the_format_of_each_shell() {
        let candidate =
            |value: &str, help: Option<&str>| ShellCandidate { value: value.to_owned(), help: help.map(str::to_owned) };
        let completion = Completion::Candidates(vec![candidate("a:b", Some("c:d \\n")), candidate("e", None)]);
        assert_eq!(completion.render(CompletionShell::Bash), "names\na:b\ne\n");
        assert_eq!(completion.render(CompletionShell::Zsh), "names\na\\:b:c:d \\\\n\ne\n");
        for shell in [CompletionShell::Fish, CompletionShell::Elvish, CompletionShell::Powershell] {
            assert_eq!(completion.render(shell), "names\na:b\tc:d \\n\ne\n");
            assert_eq!(Completion::Command(3).render(shell), "command 3\n");
        }
    }
}

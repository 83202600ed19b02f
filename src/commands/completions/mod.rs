//! `neto completions`: prints the completion script of a shell. On TAB, the script calls neto for the candidates.
//!
//! Owns the scripts, and the variable by which neto recognizes a call from a script. The `completion` module finds the
//! candidates.

use crate::error::Error;
use crate::workflow::Run;
use clap::{Args, ValueEnum};

/// Variable that a completion script sets to the name of its shell. neto then completes the arguments after `--`
/// instead of executing them.
pub(crate) const COMPLETION_VARIABLE: &str = "_NETO_COMPLETE";

/// Print what completes neto's command line at TAB, for a shell to read at its start
///
/// Names of profiles, tags and recipients come from the store at that moment, in no time among ten thousand; nothing is
/// opened, asked or written. Behind `exec ... --` the shell completes the program and what it takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(neto completions bash)\"            ~/.bashrc
  eval \"$(neto completions zsh)\"             ~/.zshrc, below compinit
  neto completions fish > ~/.config/fish/completions/neto.fish
  eval (neto completions elvish | slurp)     ~/.config/elvish/rc.elv
  neto completions powershell | Out-String | Invoke-Expression")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: CompletionShell,
}

/// A shell that completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    /// 3.2 or later; better from 4.0 on
    Bash,
    /// 5.0 or later
    Zsh,
    /// 3.1 or later
    Fish,
    /// 5.1 or later
    Powershell,
    /// 0.19 or later
    Elvish,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, run: &Run<'_>) -> Result<(), Error> {
    Ok(run.ui.print(args.shell.script())?)
}

impl CompletionShell {
    /// Returns the completion script. The script contains no path, so it calls the `neto` found on `PATH`.
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("neto.bash"),
            Self::Zsh => include_str!("_neto"),
            Self::Fish => include_str!("neto.fish"),
            Self::Powershell => include_str!("neto.ps1"),
            Self::Elvish => include_str!("neto.elv"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_call_neto_by_name_and_evaluate_no_text() {
        for shell in CompletionShell::value_variants() {
            let (script, name) = (shell.script(), shell.to_possible_value().unwrap());
            let calls =
                script.lines().filter(|line| line.contains(COMPLETION_VARIABLE) && line.contains(name.get_name()));
            assert!(calls.count() > 0, "{shell:?}");
            assert!(script.ends_with('\n'), "{shell:?}");
            for line in script.lines().filter(|line| !line.trim_start().starts_with('#')) {
                assert!(!line.contains("eval") && !line.contains("Invoke-Expression"), "{shell:?}: {line}");
                assert!(!line.contains("/neto"), "{shell:?} holds a path: {line}");
            }
        }
    }
}

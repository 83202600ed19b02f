//! Renders environment variables as shell code or as an environment file.
//!
//! Owns quoting, unsetting and failing in each shell's syntax. Every value is quoted, every name is checked, and no
//! comment contains data. So evaluating the text only sets and unsets variables, also under `set -euo pipefail`. Does
//! not choose the variables.

mod file;
mod quote;

use std::collections::HashSet;

use super::sanitize::sanitize_line;
use quote::{quote_fish, quote_posix, quote_powershell};

pub use file::github_masks;

/// Shell that the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// Any POSIX shell: dash, mksh, busybox; `eval "$(...)"`
    Sh,
    /// `eval "$(...)"`
    Bash,
    /// `eval "$(...)"`
    Zsh,
    /// `... | source`
    Fish,
    /// `... | from json | load-env`
    Nu,
    /// `... | Out-String | Invoke-Expression`
    Powershell,
}

/// Output format of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFormat {
    /// Code that a shell evaluates.
    Shell(Shell),
    /// Lines of the form `NAME='value'`.
    Dotenv,
    /// One JSON object.
    Json,
    /// Assignments for the file at `GITHUB_ENV`. The lines of [`github_masks`] must be printed to stdout before.
    Github,
}

/// Reason that a variable cannot be rendered; never contains its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// Not `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("'{}' is no name of a variable", sanitize_line(.0))]
    InvalidName(String),
    /// An environment variable cannot contain a NUL character.
    #[error("the value of {name} holds a NUL character")]
    Nul {
        /// Name of the variable.
        name: String,
    },
    /// Readers of dotenv files disagree on the syntax for this character.
    #[error("the value of {name} holds {what}, which a dotenv file cannot")]
    Dotenv {
        /// Name of the variable.
        name: String,
        /// Description of the character.
        what: &'static str,
    },
    /// The random number generator of the system failed.
    #[error("the system gave no random number")]
    Random,
}

impl EnvFormat {
    /// Renders text that unsets `unset` and then sets `set`, in this order.
    ///
    /// Nu and GitHub have no syntax to unset: names in `unset` that are not in `set` become empty. Dotenv and JSON
    /// contain only `set`.
    ///
    /// # Errors
    /// An invalid variable name, or a value that the format cannot contain.
    pub fn render_exports(&self, unset: &[String], set: &[(String, String)]) -> Result<String, ShellError> {
        check_variables(set)?;
        let shell = match self {
            Self::Dotenv => return file::dotenv(set),
            Self::Json => return Ok(file::json(pairs(set))),
            Self::Github => return file::github(empty_assignments(unset, set).chain(pairs(set))),
            Self::Shell(Shell::Nu) => return Ok(file::json(empty_assignments(unset, set).chain(pairs(set)))),
            Self::Shell(shell) => shell,
        };
        let mut text = self.render_unsets(unset);
        for (name, value) in set {
            text.push_str(&shell.assignment(name, value));
        }
        Ok(text)
    }

    /// Renders text that unsets these variables, set or not. Invalid names are skipped. Empty for file formats.
    pub fn render_unsets(&self, names: &[String]) -> String {
        let Self::Shell(shell) = self else { return String::new() };
        let names = valid_names(names);
        match shell {
            Shell::Nu => file::json(names.into_iter().map(|name| (name, ""))),
            _ if names.is_empty() => String::new(),
            // `-v`, because a bare `unset NAME` removes a function of that name if the variable is not set.
            Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset -v {}\n", names.join(" ")),
            // `true`, because erasing an unset variable fails, and a following assignment keeps that status.
            Shell::Fish => line_per_name("set -eg ", &names, ";\n") + "true;\n",
            Shell::Powershell => line_per_name("$env:", &names, " = $null\n"),
        }
    }

    /// Renders text like [`EnvFormat::render_exports`], or only unsets if that fails. The text ends with a failing
    /// command, so that the evaluating script stops.
    pub fn render_failure(&self, unset: &[String], set: &[(String, String)]) -> String {
        let end = match self {
            Self::Shell(Shell::Sh | Shell::Bash | Shell::Zsh) => "false\n",
            Self::Shell(Shell::Fish) => "false;\n",
            Self::Shell(Shell::Powershell) => "throw 'no environment was exported'\n",
            Self::Shell(Shell::Nu) | Self::Dotenv | Self::Json | Self::Github => "",
        };
        match self {
            Self::Shell(_) => self.render_exports(unset, set).unwrap_or_else(|_| self.render_unsets(unset)) + end,
            _ => String::new(),
        }
    }
}

impl Shell {
    /// Returns the command line by which this shell evaluates the output of `command`, for pasting.
    pub fn eval_command(self, command: &str) -> String {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => format!("eval \"$({command})\""),
            Self::Fish => format!("{command} | source"),
            Self::Nu => format!("{command} | from json | load-env"),
            Self::Powershell => format!("{command} | Out-String | Invoke-Expression"),
        }
    }

    fn assignment(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => format!("export {name}={}\n", quote_posix(value)),
            // The semicolon is for `eval (...)`, which joins lines with spaces.
            Self::Fish => format!("set -gx {name} {};\n", quote_fish(value)),
            Self::Powershell => format!("$env:{name} = {}\n", quote_powershell(value)),
            Self::Nu => file::json([(name, value)].into_iter()),
        }
    }
}

/// Returns the shell for a program name or path (`-zsh`, `/usr/bin/fish`, `pwsh.exe`); unknown programs are
/// [`Shell::Sh`].
pub fn shell_from_program(name: &str) -> Shell {
    let program = name.rsplit(['/', '\\']).next().unwrap_or(name).trim_start_matches('-').to_ascii_lowercase();
    match program.strip_suffix(".exe").unwrap_or(&program) {
        "bash" | "rbash" => Shell::Bash,
        "zsh" | "rzsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "nu" | "nushell" => Shell::Nu,
        "pwsh" | "pwsh-preview" | "powershell" => Shell::Powershell,
        // Programs with a version in their name: `zsh-5.9`, `bash5`.
        other if other.starts_with("zsh-") => Shell::Zsh,
        other if other.starts_with("bash") => Shell::Bash,
        _ => Shell::Sh,
    }
}

/// Quotes a text, unchanged, as one word for a POSIX shell, bash or zsh.
pub fn quote_word(text: &str) -> String {
    quote_posix(text)
}

/// Sanitizes and quotes a word, such as a path, for a command line that is shown for pasting.
pub fn quote_for_display(word: &str) -> String {
    quote_posix(&sanitize_line(word))
}

/// Returns whether `name` is a valid variable name in every shell: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Fails if a name is invalid or a value contains NUL.
fn check_variables(set: &[(String, String)]) -> Result<(), ShellError> {
    for (name, value) in set {
        if !is_variable_name(name) {
            return Err(ShellError::InvalidName(name.clone()));
        }
        if value.contains('\0') {
            return Err(ShellError::Nul { name: name.clone() });
        }
    }
    Ok(())
}

/// Renders several environments as one JSON array of objects, in this order.
///
/// # Errors
/// An invalid variable name, or a value that contains NUL.
pub fn environments_json(environments: &[Vec<(String, String)>]) -> Result<String, ShellError> {
    environments.iter().try_for_each(|set| check_variables(set))?;
    Ok(file::json_array(environments.iter().map(|set| pairs(set))))
}

/// Returns the valid names without duplicates.
fn valid_names(names: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).filter(|name| is_variable_name(name) && seen.insert(*name)).collect()
}

fn line_per_name(before: &str, names: &[&str], after: &str) -> String {
    names.iter().flat_map(|name| [before, name, after]).collect()
}

fn pairs(set: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Returns the names in `unset` that are not in `set`, each with an empty value.
fn empty_assignments<'a>(unset: &'a [String], set: &'a [(String, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let kept: HashSet<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    valid_names(unset).into_iter().filter(move |name| !kept.contains(name)).map(|name| (name, ""))
}

#[cfg(test)]
mod tests;

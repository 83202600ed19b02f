//! Renders environment variables as shell code or as an environment file.
//!
//! Users evaluate the code, for example with `eval`, so values must not run as code. Every value is quoted, every name
//! is checked, and no comment contains data. The code works under `set -euo pipefail`, and only sets and unsets
//! variables. Does not choose the variables.

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

/// Output format of environment variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFormat {
    /// Code that a shell evaluates.
    Shell(Shell),
    /// Lines of the form `NAME='value'`.
    Dotenv,
    /// One JSON object.
    Json,
    /// Assignments for the file whose path is in `GITHUB_ENV`. Print the [`github_masks`] to stdout first.
    Github,
}

/// Error while rendering a variable. Never contains the value of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// The variable name does not match `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("'{}' is no name of a variable", sanitize_line(.0))]
    InvalidName(String),
    /// The value contains NUL, which no environment variable can contain.
    #[error("the value of {name} holds a NUL character")]
    Nul {
        /// Name of the variable.
        name: String,
    },
    /// The value contains a character that readers of dotenv files interpret differently.
    #[error("the value of {name} holds {what}, which a dotenv file cannot")]
    DotenvUnsupported {
        /// Name of the variable.
        name: String,
        /// Description of the character, with its article.
        what: &'static str,
    },
    /// The random number generator of the system failed.
    #[error("the system gave no random number")]
    RandomFailed,
}

impl EnvFormat {
    /// Renders text that first unsets the variables in `unset` and then sets the variables in `set`.
    ///
    /// Nu and GitHub have no syntax for unsetting: variables that are only in `unset` are set to the empty value.
    /// Dotenv and JSON contain only `set`. Invalid names in `unset` are skipped.
    ///
    /// # Errors
    /// Returns a [`ShellError`] if a name in `set` is invalid or the format cannot contain a value. Returns
    /// [`ShellError::RandomFailed`] for GitHub if the system provides no random number.
    pub fn render_exports(self, unset: &[String], set: &[(String, String)]) -> Result<String, ShellError> {
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

    /// Renders text that unsets the named variables, whether or not they are set. Nu sets them to the empty value.
    /// Skips invalid names. Returns an empty text for file formats.
    pub fn render_unsets(self, names: &[String]) -> String {
        let Self::Shell(shell) = self else { return String::new() };
        let names = valid_names(names);
        match shell {
            Shell::Nu => file::json(names.into_iter().map(|name| (name, ""))),
            _ if names.is_empty() => String::new(),
            // Without `-v`, `unset NAME` removes a function with this name if the variable is not set.
            Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset -v {}\n", names.join(" ")),
            // Erasing an unset variable fails in fish, and an assignment keeps the failure status. `true` resets the
            // status.
            Shell::Fish => line_per_name("set -eg ", &names, ";\n") + "true;\n",
            Shell::Powershell => line_per_name("$env:", &names, " = $null\n"),
        }
    }

    /// Renders text that sets and unsets variables like [`EnvFormat::render_exports`] and then runs a failing command.
    /// So a script that evaluates the text stops. If [`EnvFormat::render_exports`] returns an error, the text only
    /// unsets variables and runs the failing command. Nu has no failing command. Returns an empty text for file
    /// formats.
    pub fn render_failure(self, unset: &[String], set: &[(String, String)]) -> String {
        let failing_command = match self {
            Self::Shell(Shell::Sh | Shell::Bash | Shell::Zsh) => "false\n",
            Self::Shell(Shell::Fish) => "false;\n",
            Self::Shell(Shell::Powershell) => "throw 'no environment was exported'\n",
            Self::Shell(Shell::Nu) | Self::Dotenv | Self::Json | Self::Github => "",
        };
        match self {
            Self::Shell(_) => {
                self.render_exports(unset, set).unwrap_or_else(|_| self.render_unsets(unset)) + failing_command
            }
            _ => String::new(),
        }
    }
}

impl Shell {
    /// Returns the command line with which a user evaluates the output of `command` in this shell.
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
            // The semicolon separates the lines in `eval (...)`, which joins lines with spaces.
            Self::Fish => format!("set -gx {name} {};\n", quote_fish(value)),
            Self::Powershell => format!("$env:{name} = {}\n", quote_powershell(value)),
            Self::Nu => file::json([(name, value)].into_iter()),
        }
    }
}

/// Returns the shell for a program name or path, such as `-zsh`, `/usr/bin/fish` or `pwsh.exe`. Returns [`Shell::Sh`]
/// for an unknown program.
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

/// Quotes a text as one word for a POSIX shell, bash or zsh, without sanitizing the text. For code that a shell
/// evaluates.
pub fn quote_word(text: &str) -> String {
    quote_posix(text)
}

/// Sanitizes and quotes a word, such as a path, for a command line that a user reads and pastes.
pub fn quote_for_display(word: &str) -> String {
    quote_posix(&sanitize_line(word))
}

/// Returns whether `name` is a valid variable name in every shell: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Fails if a name in `set` is invalid or a value contains NUL.
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

/// Renders each environment as a JSON object, all in one array, in the given order.
///
/// # Errors
/// Returns [`ShellError::InvalidName`] if a name is invalid, and [`ShellError::Nul`] if a value contains NUL.
pub fn environments_json(environments: &[Vec<(String, String)>]) -> Result<String, ShellError> {
    environments.iter().try_for_each(|set| check_variables(set))?;
    Ok(file::json_array(environments.iter().map(|set| pairs(set))))
}

/// Returns the valid names without duplicates, in the given order.
fn valid_names(names: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).filter(|name| is_variable_name(name) && seen.insert(*name)).collect()
}

fn line_per_name(prefix: &str, names: &[&str], suffix: &str) -> String {
    names.iter().flat_map(|name| [prefix, name, suffix]).collect()
}

fn pairs(set: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Returns the names in `unset` that are not in `set`, each with an empty value.
fn empty_assignments<'a>(unset: &'a [String], set: &'a [(String, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let set_names: HashSet<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    valid_names(unset).into_iter().filter(move |name| !set_names.contains(name)).map(|name| (name, ""))
}

#[cfg(test)]
mod tests;

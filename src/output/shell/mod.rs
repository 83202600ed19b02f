//! Text that a shell, or whatever reads an environment file, turns back into exactly the variables it was made of.
//!
//! Owns quoting, unsetting and failing in each shell's words. Every value is quoted, every name checked, and no
//! comment holds data; so evaluating the text sets and unsets variables and does nothing else, also under
//! `set -euo pipefail`. Does not know which variables there are.

mod file;
mod quote;

use std::collections::HashSet;

use super::sanitize::clean;
use quote::{fish, posix, powershell};

pub use file::add_masks;

/// Whose words the text is in.
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

/// How an environment is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFormat {
    /// Text that a shell evaluates.
    Shell(Shell),
    /// Lines of `NAME='value'`.
    Dotenv,
    /// One JSON object.
    Json,
    /// Assignments for the file that `GITHUB_ENV` names. [`add_masks`] makes the lines for stdout that go before it.
    Github,
}

/// Why a variable cannot be written; never holds its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// Not `[A-Za-z_][A-Za-z0-9_]*`.
    #[error("'{}' is no name of a variable", clean(.0))]
    Name(String),
    /// No environment can hold a NUL.
    #[error("the value of {name} holds a NUL character")]
    Nul {
        /// The variable.
        name: String,
    },
    /// Readers of such a file disagree about what stands for this character.
    #[error("the value of {name} holds {what}, which a dotenv file cannot")]
    Dotenv {
        /// The variable.
        name: String,
        /// The character, in words.
        what: &'static str,
    },
    /// The system's random source failed.
    #[error("the system gave no random number")]
    Random,
}

impl EnvFormat {
    /// Text that first unsets `unset`, then sets `set`, in this order.
    ///
    /// nu and GitHub cannot unset by data: there the names of `unset` that are not in `set` become empty. Dotenv and
    /// JSON say only what is set.
    ///
    /// # Errors
    /// A name that is none, or a value that the format cannot hold.
    pub fn exports(&self, unset: &[String], set: &[(String, String)]) -> Result<String, ShellError> {
        check(set)?;
        let shell = match self {
            Self::Dotenv => return file::dotenv(set),
            Self::Json => return Ok(file::json(pairs(set))),
            Self::Github => return file::github(blanks(unset, set).chain(pairs(set))),
            Self::Shell(Shell::Nu) => return Ok(file::json(blanks(unset, set).chain(pairs(set)))),
            Self::Shell(shell) => shell,
        };
        let mut text = self.unsets(unset);
        for (name, value) in set {
            text.push_str(&shell.assignment(name, value));
        }
        Ok(text)
    }

    /// Text that unsets these variables, whether they are set or not. What is no name is left out. Empty for the
    /// formats of files.
    pub fn unsets(&self, names: &[String]) -> String {
        let Self::Shell(shell) = self else { return String::new() };
        let names = valid(names);
        match shell {
            Shell::Nu => file::json(names.into_iter().map(|name| (name, ""))),
            _ if names.is_empty() => String::new(),
            // `-v`, because a bare `unset NAME` takes a function of that name when there is no such variable.
            Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset -v {}\n", names.join(" ")),
            // `true`, because erasing what is not there fails, and an assignment hands that status on.
            Shell::Fish => lines("set -eg ", &names, ";\n") + "true;\n",
            Shell::Powershell => lines("$env:", &names, " = $null\n"),
        }
    }

    /// Text that unsets and sets as [`EnvFormat::exports`] does, or only unsets where that cannot be, and then fails, so
    /// that whoever evaluates it does not go on.
    pub fn failure(&self, unset: &[String], set: &[(String, String)]) -> String {
        let end = match self {
            Self::Shell(Shell::Sh | Shell::Bash | Shell::Zsh) => "false\n",
            Self::Shell(Shell::Fish) => "false;\n",
            Self::Shell(Shell::Powershell) => "throw 'no environment was exported'\n",
            Self::Shell(Shell::Nu) | Self::Dotenv | Self::Json | Self::Github => "",
        };
        match self {
            Self::Shell(_) => self.exports(unset, set).unwrap_or_else(|_| self.unsets(unset)) + end,
            _ => String::new(),
        }
    }
}

impl Shell {
    /// The line, for pasting, by which this shell evaluates what a command prints for it.
    pub fn evaluating(self, command: &str) -> String {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => format!("eval \"$({command})\""),
            Self::Fish => format!("{command} | source"),
            Self::Nu => format!("{command} | from json | load-env"),
            Self::Powershell => format!("{command} | Out-String | Invoke-Expression"),
        }
    }

    fn assignment(self, name: &str, value: &str) -> String {
        match self {
            Self::Sh | Self::Bash | Self::Zsh => format!("export {name}={}\n", posix(value)),
            // The semicolon is for `eval (...)`, which joins lines with blanks.
            Self::Fish => format!("set -gx {name} {};\n", fish(value)),
            Self::Powershell => format!("$env:{name} = {}\n", powershell(value)),
            Self::Nu => file::json([(name, value)].into_iter()),
        }
    }
}

/// The shell whose program has this name or path (`-zsh`, `/usr/bin/fish`, `pwsh.exe`); unknown is [`Shell::Sh`].
pub fn shell_of_parent(name: &str) -> Shell {
    let program = name.rsplit(['/', '\\']).next().unwrap_or(name).trim_start_matches('-').to_ascii_lowercase();
    match program.strip_suffix(".exe").unwrap_or(&program) {
        "bash" | "rbash" => Shell::Bash,
        "zsh" | "rzsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "nu" | "nushell" => Shell::Nu,
        "pwsh" | "pwsh-preview" | "powershell" => Shell::Powershell,
        // A program of several versions: `zsh-5.9`, `bash5`.
        other if other.starts_with("zsh-") => Shell::Zsh,
        other if other.starts_with("bash") => Shell::Bash,
        _ => Shell::Sh,
    }
}

/// A text, exactly as it is, as one word for a POSIX shell, bash or zsh.
pub fn word(text: &str) -> String {
    posix(text)
}

/// A word of a command line that is shown for pasting, such as a path.
pub fn quoted(word: &str) -> String {
    posix(&clean(word))
}

/// Whether `name` is a variable in every shell: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Fails on a variable that no environment can hold.
fn check(set: &[(String, String)]) -> Result<(), ShellError> {
    for (name, value) in set {
        if !is_name(name) {
            return Err(ShellError::Name(name.clone()));
        }
        if value.contains('\0') {
            return Err(ShellError::Nul { name: name.clone() });
        }
    }
    Ok(())
}

/// Several environments as one JSON array of objects, in this order.
///
/// # Errors
/// A name that is none, or a value that no environment can hold.
pub fn json_of_several(environments: &[Vec<(String, String)>]) -> Result<String, ShellError> {
    environments.iter().try_for_each(|set| check(set))?;
    Ok(file::json_array(environments.iter().map(|set| pairs(set))))
}

/// The names that are names, each once.
fn valid(names: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    names.iter().map(String::as_str).filter(|name| is_name(name) && seen.insert(*name)).collect()
}

fn lines(before: &str, names: &[&str], after: &str) -> String {
    names.iter().flat_map(|name| [before, name, after]).collect()
}

fn pairs(set: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    set.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The names to unset that nothing sets again, each with an empty value.
fn blanks<'a>(unset: &'a [String], set: &'a [(String, String)]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let kept: HashSet<&str> = set.iter().map(|(name, _)| name.as_str()).collect();
    valid(unset).into_iter().filter(move |name| !kept.contains(name)).map(|name| (name, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_an_array_in_order() {
        let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let array = json_of_several(&[set("B", "x"), set("A", "\u{9b}")]).unwrap();
        assert_eq!(array, "[\n  {\n    \"B\": \"x\"\n  },\n  {\n    \"A\": \"\\u009b\"\n  }\n]\n");
        assert_eq!(json_of_several(&[]).unwrap(), "[]\n");
        assert_eq!(json_of_several(&[set("A", "x"), set("A B", "x")]), Err(ShellError::Name("A B".to_owned())));
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn hostile_names_are_never_printed() {
        for name in ["", "1A", "A B", "A;id", "A$(id)", "A\nB", "Ä", "-v", "A=B", "A-B"] {
            for format in [
                EnvFormat::Shell(Shell::Sh),
                EnvFormat::Shell(Shell::Fish),
                EnvFormat::Shell(Shell::Nu),
                EnvFormat::Shell(Shell::Powershell),
                EnvFormat::Dotenv,
                EnvFormat::Json,
                EnvFormat::Github,
            ] {
                let set = [(name.to_owned(), String::new())];
                assert_eq!(format.exports(&[], &set), Err(ShellError::Name(name.to_owned())));
                assert_eq!(format.unsets(&names(&[name])), format.unsets(&[]));
                assert_eq!(format.failure(&names(&[name, "A"]), &[]), format.failure(&names(&["A", "A"]), &[]));
                assert_eq!(format.failure(&names(&["A"]), &set), format.failure(&names(&["A"]), &[]));
            }
        }
    }

    #[test]
    fn a_nul_is_refused_without_its_value() {
        let set = [("A".to_owned(), "hush\0".to_owned())];
        let error = EnvFormat::Shell(Shell::Sh).exports(&[], &set).unwrap_err();
        assert_eq!(error.to_string(), "the value of A holds a NUL character");
    }

    #[test]
    fn unsets_come_first_and_failures_end_in_failing() {
        let (unset, set) = (names(&["A", "B"]), [("B".to_owned(), "b".to_owned())]);
        for (shell, export, failure) in [
            (Shell::Sh, "unset -v A B\nexport B='b'\n", "unset -v A B\nfalse\n"),
            (Shell::Fish, "set -eg A;\nset -eg B;\ntrue;\nset -gx B 'b';\n", "set -eg A;\nset -eg B;\ntrue;\nfalse;\n"),
            (Shell::Nu, "{\n  \"A\": \"\",\n  \"B\": \"b\"\n}\n", "{\n  \"A\": \"\",\n  \"B\": \"\"\n}\n"),
            (
                Shell::Powershell,
                "$env:A = $null\n$env:B = $null\n$env:B = 'b'\n",
                "$env:A = $null\n$env:B = $null\nthrow 'no environment was exported'\n",
            ),
        ] {
            assert_eq!(EnvFormat::Shell(shell).exports(&unset, &set).unwrap(), export);
            assert_eq!(EnvFormat::Shell(shell).failure(&unset, &[]), failure);
        }
        assert_eq!(EnvFormat::Json.exports(&unset, &set).unwrap(), "{\n  \"B\": \"b\"\n}\n");
        assert_eq!(EnvFormat::Dotenv.exports(&unset, &set).unwrap(), "B='b'\n");
        assert!(EnvFormat::Github.exports(&unset, &set).unwrap().starts_with("A<<neto_"));
        assert_eq!(EnvFormat::Json.failure(&unset, &set), "");
        assert_eq!(EnvFormat::Shell(Shell::Sh).failure(&unset, &set), "unset -v A B\nexport B='b'\nfalse\n");
    }

    #[test]
    fn the_parent_names_the_shell() {
        for (program, shell) in [
            ("-zsh", Shell::Zsh),
            ("/usr/bin/fish", Shell::Fish),
            (r"C:\Program Files\PowerShell\7\PWSH.EXE", Shell::Powershell),
            ("nu", Shell::Nu),
            ("bash", Shell::Bash),
            ("zsh-5.9", Shell::Zsh),
            ("dash", Shell::Sh),
            ("nushroom", Shell::Sh),
            ("", Shell::Sh),
        ] {
            assert_eq!(shell_of_parent(program), shell, "{program}");
        }
    }
}

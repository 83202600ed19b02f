//! Rules for the names of environment variables that a profile may set.
//!
//! A store can come from someone else. A profile must therefore not set a variable that makes another program run code.

/// Reason why a profile may not set or read an environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvNameError {
    /// Name that is not valid for an environment variable.
    #[error("the name of a variable holds letters, digits and '_' and does not start with a digit")]
    InvalidName,
    /// Variable that controls what programs do, such as `PATH` or `LD_PRELOAD`.
    #[error("a variable that steers programs is not set by a profile")]
    ControlsPrograms,
    /// Variable that neto itself sets or reads: `NETOSECRET` and `NETO_...`, but not `NETO__...`.
    #[error("neto's own variables are not set by a profile")]
    ReservedByNeto,
}

/// Variables that control what shells and programs do.
const STEERING_NAMES: [&str; 22] = [
    "PATH",
    "IFS",
    "ENV",
    "HOME",
    "BASH_ENV",
    "PS0",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "BASHOPTS",
    "ZDOTDIR",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "LESSOPEN",
    "LESSCLOSE",
    "BROWSER",
    "SSH_ASKPASS",
    "FPATH",
];
/// Numeric variables of bash, zsh or mksh. These shells evaluate the assigned value, so the value `x[$(command)]` runs
/// the command.
#[rustfmt::skip]
const NUMERIC_NAMES: [&str; 29] = [
    "BASHPID", "COLUMNS", "EGID", "EUID", "FUNCNEST", "GID", "HISTCMD", "HISTSIZE", "KEYTIMEOUT", "KSHEGID", "KSHGID",
    "KSHUID", "LINENO", "LINES", "LISTMAX", "MAILCHECK", "OPTIND", "PGRP", "PIPESTATUS", "PPID", "RANDOM", "SAVEHIST",
    "SECONDS", "SHLVL", "SRANDOM", "TMOUT", "TTYIDLE", "UID", "USER_ID",
];
/// Prefixes of variables that control programs.
const STEERING_PREFIXES: [&str; 10] =
    ["XDG_", "LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_", "SSL_", "CURL_"];
/// Suffixes of variables that control programs.
const STEERING_SUFFIXES: [&str; 3] = ["_OPTIONS", "_PROXY", "_CA_BUNDLE"];

/// Checks that a profile's `env` may set the variable `name`. Ignores the case of `name`, because Windows ignores the
/// case, and because zsh treats `path` like `PATH`. Allows `NETO__...`, because the vendor's connectors use such
/// variables.
///
/// # Errors
/// Returns an [`EnvNameError`] that says which rule forbids the variable.
pub fn check_env_name(name: &str) -> Result<(), EnvNameError> {
    if !is_variable(name) {
        return Err(EnvNameError::InvalidName);
    }
    let name = name.to_ascii_uppercase();
    if name == "NETOSECRET" || (name.starts_with("NETO_") && !name.starts_with("NETO__")) {
        return Err(EnvNameError::ReservedByNeto);
    }
    let controls_programs = STEERING_NAMES.contains(&name.as_str())
        || NUMERIC_NAMES.contains(&name.as_str())
        || STEERING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || STEERING_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if controls_programs { Err(EnvNameError::ControlsPrograms) } else { Ok(()) }
}

/// Regular expression for the names that [`is_variable`] accepts.
pub(in crate::profile) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Returns a regular expression for the valid variable names that [`check_env_name`] rejects.
pub(in crate::profile) fn forbidden_variable_pattern() -> String {
    let names = ["NETOSECRET"].into_iter().chain(STEERING_NAMES).chain(NUMERIC_NAMES).map(in_any_case);
    let prefixes = STEERING_PREFIXES.map(|prefix| in_any_case(prefix) + ".*");
    let suffixes = STEERING_SUFFIXES.map(|suffix| format!(".*{}", in_any_case(suffix)));
    let reserved = in_any_case("NETO_") + "([^_].*)?";
    format!("^({})$", names.chain([reserved]).chain(prefixes).chain(suffixes).collect::<Vec<_>>().join("|"))
}

/// Returns a regular expression that matches `name` in upper, lower or mixed case. Some regex engines have no option to
/// ignore the case.
fn in_any_case(name: &str) -> String {
    let either_case =
        |c: char| if c.is_ascii_alphabetic() { format!("[{c}{}]", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(either_case).collect()
}

/// Whether `name` is a valid name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r41_only_harmless_variables_are_set() {
        for good in ["FUSION_TOKEN", "_x", "a1", "NETO__URL", "MY_PATH", "PROXY", "TENANT", "GITHUB_TOKEN"] {
            assert_eq!(check_env_name(good), Ok(()), "{good}");
        }
        for (error, names) in [
            (EnvNameError::InvalidName, "|1A|A-B|A B|A=B|É|A\n|$(x)"),
            (EnvNameError::ReservedByNeto, "NETO_TOKEN|NETO_HOME|NETOSECRET|neto_profile|NETO_"),
            (
                EnvNameError::ControlsPrograms,
                "PATH|path|IFS|ENV|HOME|XDG_CONFIG_HOME|BASH_ENV|PS4|PROMPT_COMMAND|SHELLOPTS|ZDOTDIR|EDITOR|VISUAL|PAGER|\
                 LESSOPEN|BROWSER|SSH_ASKPASS|LD_PRELOAD|DYLD_INSERT_LIBRARIES|JAVA_TOOL_OPTIONS|NODE_OPTIONS|PYTHONPATH|\
                 PERL5LIB|RUBYOPT|NODE_PATH|GIT_SSH_COMMAND|https_proxy|HTTPS_PROXY|No_Proxy|SSL_CERT_FILE|CURL_HOME|\
                 REQUESTS_CA_BUNDLE|PS1|RANDOM|optind|LINES",
            ),
        ] {
            for name in names.split('|') {
                assert_eq!(check_env_name(name), Err(error), "{name:?}");
            }
        }
    }
}

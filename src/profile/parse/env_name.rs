//! Rules for the environment variables that a profile may set.

/// Reason why a profile may not set a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvNameError {
    /// Name that is not valid for a variable.
    #[error("the name of a variable holds letters, digits and '_' and does not start with a digit")]
    Form,
    /// Variable that controls what programs do, such as `PATH` or `LD_PRELOAD`.
    #[error("a variable that steers programs is not set by a profile")]
    Steers,
    /// Variable that neto itself sets or reads.
    #[error("neto's own variables are not set by a profile")]
    Own,
}

const STEERING: [&str; 22] = [
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
/// Numeric variables of bash, zsh or mksh. These shells evaluate an assigned value: `x[$(command)]` runs the command.
#[rustfmt::skip]
const NUMERIC: [&str; 29] = [
    "BASHPID", "COLUMNS", "EGID", "EUID", "FUNCNEST", "GID", "HISTCMD", "HISTSIZE", "KEYTIMEOUT", "KSHEGID", "KSHGID",
    "KSHUID", "LINENO", "LINES", "LISTMAX", "MAILCHECK", "OPTIND", "PGRP", "PIPESTATUS", "PPID", "RANDOM", "SAVEHIST",
    "SECONDS", "SHLVL", "SRANDOM", "TMOUT", "TTYIDLE", "UID", "USER_ID",
];
const STEERING_STARTS: [&str; 10] =
    ["XDG_", "LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "NODE_", "GIT_", "SSL_", "CURL_"];
const STEERING_ENDS: [&str; 3] = ["_OPTIONS", "_PROXY", "_CA_BUNDLE"];

/// Checks whether a profile's `env` may set the variable `name`. Case is ignored, since Windows and some shells
/// (`path` of zsh) ignore it too. `NETO__...` is allowed, because it belongs to the vendor's connectors.
///
/// # Errors
/// [`EnvNameError`] with the rule that forbids the variable.
pub fn check_env_name(name: &str) -> Result<(), EnvNameError> {
    if !is_variable(name) {
        return Err(EnvNameError::Form);
    }
    let name = name.to_ascii_uppercase();
    if name == "NETOSECRET" || (name.starts_with("NETO_") && !name.starts_with("NETO__")) {
        return Err(EnvNameError::Own);
    }
    let steers = STEERING.contains(&name.as_str())
        || NUMERIC.contains(&name.as_str())
        || STEERING_STARTS.iter().any(|start| name.starts_with(start))
        || STEERING_ENDS.iter().any(|end| name.ends_with(end));
    if steers { Err(EnvNameError::Steers) } else { Ok(()) }
}

/// Regular expression for the names that [`is_variable`] accepts.
pub(in crate::profile) const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*$";

/// Returns a regular expression for the variable names that [`check_env_name`] refuses.
pub(in crate::profile) fn forbidden_variable_pattern() -> String {
    let names = ["NETOSECRET"].into_iter().chain(STEERING).chain(NUMERIC).map(in_any_case);
    let starts = STEERING_STARTS.map(|start| in_any_case(start) + ".*");
    let ends = STEERING_ENDS.map(|end| format!(".*{}", in_any_case(end)));
    let own = in_any_case("NETO_") + "([^_].*)?";
    format!("^({})$", names.chain([own]).chain(starts).chain(ends).collect::<Vec<_>>().join("|"))
}

/// Returns an expression for a name in any case. Some regex engines cannot ignore case in a whole expression.
fn in_any_case(name: &str) -> String {
    let class = |c: char| if c.is_ascii_alphabetic() { format!("[{c}{}]", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(class).collect()
}

/// Whether `name` is a valid name of a variable: `[A-Za-z_][A-Za-z0-9_]*`.
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
            (EnvNameError::Form, "|1A|A-B|A B|A=B|É|A\n|$(x)"),
            (EnvNameError::Own, "NETO_TOKEN|NETO_HOME|NETOSECRET|neto_profile|NETO_"),
            (
                EnvNameError::Steers,
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

//! Failures as the user sees them: message, hint and exit code.
//!
//! Owns the hints and the exit codes, so that the lower modules need not know the commands. Each file converts the
//! errors of one module; the message comes from the error itself.

mod context;
mod disk;
mod fusion;
mod hint;
mod output;
mod profile;
mod secret;
mod session;

pub(crate) use hint::Hint;

use crate::output::quote_for_display;
use crate::profile::ProfileName;
use std::fmt;
use std::path::Path;

/// Kind of failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// 1: a system error or a bug.
    System,
    /// 2: wrong usage, a question that the user declined, or a question without a terminal.
    Usage,
    /// 3: the store, the profile or NETOSECRET is missing, invalid or not trusted.
    Store,
    /// 4: the server rejected the credential, or a call with a 400, 401 or 403.
    Rejected,
    /// 5: the server was not reached, or its response is not usable.
    Unreachable,
    /// 6: the secret cannot be decrypted.
    Secret,
    /// 7: another neto process held a lock for too long.
    Busy,
    /// 8: several profiles were selected and some failed.
    Partial,
    /// 9: a check found a problem.
    ProblemFound,
    /// 10: the server refused a call with any other 4xx, such as 404 or 429.
    Refused,
    /// Exit code of `exec`: 125 to 127 if `exec` itself failed, else the exit code of the program.
    Exec(u8),
    /// 130: interrupted.
    Interrupted,
    /// 143: ended by SIGTERM.
    Terminated,
    /// 0: the reader of stdout closed the pipe, which counts as success.
    BrokenPipe,
}

/// Failure as the user sees it.
#[derive(Debug)]
pub(crate) struct Error {
    code: Code,
    message: String,
    hint: Option<Hint>,
}

impl Code {
    /// Returns the exit code.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::System => 1,
            Self::Usage => 2,
            Self::Store => 3,
            Self::Rejected => 4,
            Self::Unreachable => 5,
            Self::Secret => 6,
            Self::Busy => 7,
            Self::Partial => 8,
            Self::ProblemFound => 9,
            Self::Refused => 10,
            Self::Exec(status) => status,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl Error {
    /// Returns a failure without a hint.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Adds the next step for the user.
    #[must_use]
    pub(crate) fn with_hint(self, hint: Hint) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// Returns a failure without a message, for a case that the user already knows, such as Ctrl-C.
    #[must_use]
    pub(crate) fn silent(code: Code) -> Self {
        Self { code, message: String::new(), hint: None }
    }

    /// Returns a failure for an impossible state.
    #[must_use]
    pub(crate) fn bug(description: &str) -> Self {
        Self::new(Code::System, format!("this is a bug: {description}"))
    }

    /// Adds the name of the profile that failed: as a prefix of the message, and in the hint. A silent failure stays
    /// silent.
    #[must_use]
    pub(crate) fn about(self, profile: &ProfileName) -> Self {
        let error = self.with_prefix(profile);
        Self { hint: error.hint.map(|hint| hint.resolve(profile)), ..error }
    }

    /// Puts `prefix` before the message, unless the message starts with this prefix. A silent failure stays silent.
    #[must_use]
    pub(crate) fn with_prefix(mut self, prefix: &(impl fmt::Display + ?Sized)) -> Self {
        let prefix = format!("{prefix}: ");
        if !self.is_silent() && !self.message.starts_with(&prefix) {
            self.message.insert_str(0, &prefix);
        }
        self
    }

    /// Returns the kind of failure.
    #[must_use]
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Returns the message; empty for a [silent](Self::silent) failure.
    #[must_use]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Renders the hint. Until [`about`](Self::about) adds the profile's name, the hint contains `NAME` instead.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint.as_ref().map(ToString::to_string)
    }

    /// Renders the hint with the name of a profile, but without the special hint for the profile `env`. Only
    /// [`about`](Self::about) selects that hint.
    #[must_use]
    pub(crate) fn hint_with_name(&self, name: &str) -> Option<String> {
        self.hint.as_ref().map(|hint| hint.render(name))
    }

    /// Returns the hint.
    #[must_use]
    pub(crate) fn into_hint(self) -> Option<Hint> {
        self.hint
    }

    /// Returns whether the hint is `neto login`, with or without `--force`. Call this before [`about`](Self::about):
    /// afterwards the result is always false.
    #[must_use]
    pub(crate) fn suggests_login(&self) -> bool {
        self.hint.as_ref().is_some_and(Hint::is_login)
    }

    fn is_silent(&self) -> bool {
        self.message.is_empty()
    }

    /// Returns a failure with the message of another module's error.
    fn hinted(code: Code, error: &impl fmt::Display, hint: impl Into<Option<Hint>>) -> Self {
        Self { code, message: error.to_string(), hint: hint.into() }
    }
}

/// Quotes a path for a command that the user can paste.
fn quote_path(path: &Path) -> String {
    quote_for_display(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure() -> Error {
        Error::new(Code::Rejected, "no").with_hint(Hint::login())
    }

    #[test]
    fn a_failure_of_a_profile_has_its_name_in_message_and_hint() {
        let acme: ProfileName = "acme".parse().unwrap();
        assert_eq!(failure().hint().as_deref(), Some("neto login NAME"));
        assert_eq!(failure().hint_with_name("acme").as_deref(), Some("neto login acme"));
        assert!(failure().suggests_login());
        let named = failure().about(&acme).about(&acme);
        assert_eq!((named.message(), named.hint().as_deref()), ("acme: no", Some("neto login acme")));
        assert_eq!(failure().with_prefix("line 3").message(), "line 3: no");
    }

    #[test]
    fn a_silent_failure_stays_silent() {
        let error = Error::silent(Code::BrokenPipe).about(&ProfileName::env()).with_prefix("line 3");
        assert_eq!((error.message(), error.hint()), ("", None));
    }

    #[test]
    fn the_profile_env_gets_another_hint_for_an_untrusted_authority() {
        let error = || {
            Error::from(crate::fusion::FusionError::Tls {
                host: "api.example".to_owned(),
                fault: crate::fusion::TlsFault::UnknownAuthority,
            })
        };
        let hint = error().about(&ProfileName::env()).hint().unwrap();
        assert!(hint.starts_with("export SSL_CERT_FILE=FILE\n(with all root certificates"), "{hint}");
        let hint = error().hint().unwrap();
        assert!(hint.starts_with("neto profile edit NAME --ca-file FILE\n(with the certificate, in PEM"), "{hint}");
    }
}

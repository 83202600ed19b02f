//! Hints: the next step for the user after a failure.
//!
//! Owns the text of a hint for one profile, for several profiles and for the profile `env`. The other files of `error`
//! choose the hints.

use crate::profile::ProfileName;
use std::fmt;

/// Placeholder for the name of the profile, in a hint for several profiles or for no specific profile.
const PLACEHOLDER: &str = "NAME";

/// Command to paste or piece of advice, with an optional remark.
///
/// The remark is shown on a line of its own, so that the command can be pasted whole.
pub(crate) struct Hint(HintKind);

enum HintKind {
    /// Text that does not depend on the profile.
    Fixed { text: String, remark: Option<String> },
    /// Hint that depends on the name of the profile. `is_login` is true for `neto login`, with or without `--force`.
    OfProfile { with_name: Box<dyn Fn(&str) -> Hint>, for_env: EnvHint, is_login: bool },
}

/// Hint for the profile `env`. The variable `NETOSECRET` defines this profile, so no command can change the profile.
enum EnvHint {
    /// Unset `NETOSECRET`.
    UnsetNetosecret,
    /// Same hint as for every other profile, because the command of the hint does not change the store.
    Unchanged,
    /// This hint instead.
    Instead(Box<Hint>),
}

impl Hint {
    /// Returns a command to paste.
    pub(crate) fn command(line: impl Into<String>) -> Self {
        Self(HintKind::Fixed { text: line.into(), remark: None })
    }

    /// Returns advice that is not a command.
    pub(crate) fn advice(text: impl Into<String>) -> Self {
        Self(HintKind::Fixed { text: text.into(), remark: None })
    }

    /// Returns the advice to use one of these names: `did you mean 'acme' or 'acme-eu'?`
    pub(crate) fn did_you_mean(names: &[impl fmt::Display]) -> Self {
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        Self::advice(format!("did you mean {}?", names.join(" or ")))
    }

    /// Returns a hint that depends on the name of the profile. [`Error::about`](super::Error::about) provides the name.
    ///
    /// For the profile `env`, the hint is to unset `NETOSECRET`. [`works_for_env`](Self::works_for_env) and
    /// [`for_env`](Self::for_env) change this default.
    pub(crate) fn of_profile(with_name: impl Fn(&str) -> Self + 'static) -> Self {
        Self(HintKind::OfProfile { with_name: Box::new(with_name), for_env: EnvHint::UnsetNetosecret, is_login: false })
    }

    /// Returns a command that contains the name of the profile, like [`of_profile`](Self::of_profile).
    pub(crate) fn profile_command(line: impl Fn(&str) -> String + 'static) -> Self {
        Self::of_profile(move |name| Self::command(line(name)))
    }

    /// Returns `neto login NAME`, which works for every profile.
    pub(crate) fn login() -> Self {
        Self::login_command(|name| format!("neto login {name}"))
    }

    /// Returns `neto login NAME --force`, which works for every profile.
    pub(crate) fn forced_login() -> Self {
        Self::login_command(|name| format!("neto login {name} --force"))
    }

    /// Returns `neto profile set-secret NAME`.
    pub(crate) fn set_secret() -> Self {
        Self::profile_command(|name| format!("neto profile set-secret {name}"))
    }

    /// Returns `neto profile show NAME`.
    pub(crate) fn show_profile() -> Self {
        Self::profile_command(|name| format!("neto profile show {name}"))
    }

    /// Returns `neto rotate NAME`.
    pub(crate) fn rotate() -> Self {
        Self::profile_command(|name| format!("neto rotate {name}"))
    }

    fn login_command(line: fn(&str) -> String) -> Self {
        Self(HintKind::OfProfile {
            with_name: Box::new(move |name| Self::command(line(name))),
            for_env: EnvHint::Unchanged,
            is_login: true,
        })
    }

    /// Sets the remark. Does not change a hint that [`for_env`](Self::for_env) set for the profile `env`.
    #[must_use]
    pub(crate) fn remark(self, remark: impl Into<String>) -> Self {
        let remark = remark.into();
        Self(match self.0 {
            HintKind::Fixed { text, .. } => HintKind::Fixed { text, remark: Some(remark) },
            HintKind::OfProfile { with_name, for_env, is_login } => {
                let with_name = Box::new(move |name: &str| with_name(name).remark(remark.clone()));
                HintKind::OfProfile { with_name, for_env, is_login }
            }
        })
    }

    /// Uses the hint for the profile `env` too. Call this only for a command that does not change the store.
    #[must_use]
    pub(crate) fn works_for_env(self) -> Self {
        self.with_env(EnvHint::Unchanged)
    }

    /// Sets a different hint for the profile `env`.
    #[must_use]
    pub(crate) fn for_env(self, hint: Self) -> Self {
        self.with_env(EnvHint::Instead(Box::new(hint)))
    }

    fn with_env(self, for_env: EnvHint) -> Self {
        match self.0 {
            HintKind::OfProfile { with_name, is_login, .. } => {
                Self(HintKind::OfProfile { with_name, for_env, is_login })
            }
            fixed @ HintKind::Fixed { .. } => Self(fixed),
        }
    }

    /// Returns whether the hint is `neto login`, with or without `--force`. Always false after
    /// [`resolve`](Self::resolve).
    pub(super) fn is_login(&self) -> bool {
        matches!(self.0, HintKind::OfProfile { is_login: true, .. })
    }

    /// Returns the hint for one profile, with the profile's name.
    #[must_use]
    pub(super) fn resolve(self, profile: &ProfileName) -> Self {
        let HintKind::OfProfile { with_name, for_env, .. } = self.0 else { return self };
        match for_env {
            EnvHint::UnsetNetosecret if profile.is_env() => {
                Self::command("unset NETOSECRET").remark("and take the right one from the portal")
            }
            EnvHint::Instead(hint) if profile.is_env() => *hint,
            _ => with_name(profile.as_str()),
        }
    }

    /// Renders the hint with the name of a profile, but without the special hint for the profile `env`.
    pub(super) fn render(&self, name: &str) -> String {
        match &self.0 {
            HintKind::Fixed { text, remark: None } => text.clone(),
            HintKind::Fixed { text, remark: Some(remark) } => format!("{text}\n({remark})"),
            HintKind::OfProfile { with_name, .. } => with_name(name).render(name),
        }
    }
}

impl fmt::Display for Hint {
    /// Renders the hint with `NAME` in place of the profile's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(PLACEHOLDER))
    }
}

impl fmt::Debug for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> ProfileName {
        "acme".parse().unwrap()
    }

    #[test]
    fn a_remark_is_on_a_line_of_its_own() {
        for (hint, expected) in [
            (Hint::command("neto init"), "neto init"),
            (Hint::advice("save the file as UTF-8"), "save the file as UTF-8"),
            (Hint::command("rm 'a    b'").remark("makes another"), "rm 'a    b'\n(makes another)"),
            (Hint::did_you_mean(&["acme"]), "did you mean 'acme'?"),
            (Hint::did_you_mean(&["acme", "acme-eu"]), "did you mean 'acme' or 'acme-eu'?"),
        ] {
            assert_eq!(hint.to_string(), expected);
            assert_eq!(hint.render("acme"), expected);
            assert_eq!(hint.resolve(&ProfileName::env()).to_string(), expected);
        }
    }

    #[test]
    fn a_hint_of_a_profile_has_its_name_in_command_and_remark() {
        let rotate = || Hint::rotate().remark("finishes it");
        let recover = || {
            Hint::of_profile(|name| {
                Hint::command(format!("neto login {name}")).remark(format!("else: neto rotate --recover {name}"))
            })
        };
        assert_eq!(rotate().resolve(&acme()).to_string(), "neto rotate acme\n(finishes it)");
        assert_eq!(recover().resolve(&acme()).to_string(), "neto login acme\n(else: neto rotate --recover acme)");
        assert_eq!(rotate().render("acme"), "neto rotate acme\n(finishes it)");
    }

    #[test]
    fn a_hint_of_several_profiles_has_a_placeholder() {
        assert_eq!(Hint::forced_login().remark("in a while").to_string(), "neto login NAME --force\n(in a while)");
        // `NAME` in a path is not the placeholder.
        assert_eq!(Hint::command("rm /NAME").resolve(&acme()).to_string(), "rm /NAME");
    }

    #[test]
    fn the_profile_env_gets_its_own_hint_by_default() {
        let edit = || Hint::profile_command(|name| format!("neto profile edit {name}"));
        let unset = "unset NETOSECRET\n(and take the right one from the portal)";
        for (hint, of_env, of_acme) in [
            (edit(), unset, "neto profile edit acme"),
            (edit().remark("is the url right?"), unset, "neto profile edit acme\n(is the url right?)"),
            (edit().works_for_env(), "neto profile edit env", "neto profile edit acme"),
            (
                edit().for_env(Hint::command("export A=B")).remark("for all"),
                "export A=B",
                "neto profile edit acme\n(for all)",
            ),
            (Hint::login(), "neto login env", "neto login acme"),
        ] {
            assert_eq!(hint.render("acme"), of_acme);
            assert_eq!(hint.resolve(&ProfileName::env()).to_string(), of_env);
        }
    }

    #[test]
    fn only_a_login_command_counts_as_a_login() {
        assert!(Hint::login().is_login());
        assert!(Hint::forced_login().remark("asks all the same").is_login());
        assert!(!Hint::command("neto login acme").is_login());
        assert!(!Hint::profile_command(|name| format!("neto api GET /api-keys {name}")).works_for_env().is_login());
    }
}

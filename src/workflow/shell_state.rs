//! State of neto in the calling shell: the variables of an earlier export, and the profile that `neto use` set there.
//!
//! Owns the variables that record this state, and decides how they affect the choice of the profile. The records are
//! names, never secrets. With the hook, `neto use` sets `NETO_PROFILE` in one shell and records the profile in
//! `NETO_SHELL_PROFILE`. An export overwrites `NETO_PROFILE`, but keeps the record. `exported_variables` owns the
//! variables of an export, and `commands/hook` owns the hook's text.

use crate::environment::Environment;
use crate::error::Error;
use crate::output::{EnvFormat, Shell};
use crate::profile::{ProfileName, ProfileSources, check_env_name};
use crate::workflow::Run;
use clap::ValueEnum as _;
use std::collections::BTreeSet;

/// Variable that names the profile.
pub(crate) const PROFILE_VARIABLE: &str = "NETO_PROFILE";

/// Variable that holds an access token.
const TOKEN_VARIABLE: &str = "NETO_TOKEN";

/// Variable that names the profile store.
pub(crate) const STORE_VARIABLE: &str = "NETO_STORE";

/// Variable in which an export records the names of the variables that it set.
pub(crate) const EXPORTED_VARIABLE: &str = "NETO_EXPORTED";

/// Variable in which an export records its [`ExportMarker`] for the hook.
pub(crate) const MARKER_VARIABLE: &str = "NETO_CHOSEN";

/// Variable that records the profile that `neto use` set in this shell.
pub(crate) const SHELL_PROFILE_VARIABLE: &str = "NETO_SHELL_PROFILE";

/// Variable that records the previous profile of this shell, for `neto use -`.
pub(crate) const SHELL_PREVIOUS_VARIABLE: &str = "NETO_SHELL_PREVIOUS";

/// Variable with which the hook requests shell code instead of messages. The hook sets it for one call, to the shell's
/// name.
const HOOK_VARIABLE: &str = "_NETO_HOOK";

/// First line of shell code for the hook. The hook evaluates only output that starts with this line. A help page, for
/// example, is not evaluated. The scripts in `commands/hook` contain the same line.
const HOOK_TEXT_PREFIX: &str = "neto-hook:\n";

/// Placeholder in a marker if there is no profile name.
const NO_PROFILE: &str = "-";

/// Variables that every export unsets first, even if the export fails or no earlier export set them.
pub const ALWAYS_UNSET: [&str; 12] = [
    PROFILE_VARIABLE,
    "NETO_URL",
    "NETO_SHORTNAME",
    TOKEN_VARIABLE,
    "NETO_TOKEN_EXPIRES_AT",
    "NETO_APPNAME",
    "NETO_APPKEY",
    "NETO_SHARED_SECRET",
    "NETOSECRET",
    "NETO_USERNAME",
    "NETO_PASSWORD",
    EXPORTED_VARIABLE,
];

/// Changes that a shell must make to its variables.
#[derive(Debug, Default)]
pub(crate) struct ShellUpdate {
    /// Names to unset first.
    pub(crate) unset: Vec<String>,
    /// Names and values to set afterwards, in this order.
    pub(crate) set: Vec<(String, String)>,
}

impl ShellUpdate {
    /// Returns the update that unsets an earlier export's variables. The update restores `NETO_PROFILE` if `neto use`
    /// set the profile in this shell.
    pub(crate) fn drop_export(environment: &Environment) -> Self {
        let restored = shell_profile(environment).map(|name| (PROFILE_VARIABLE.to_owned(), name));
        Self { unset: names_to_unset(environment).into_iter().collect(), set: restored.into_iter().collect() }
    }

    /// Checks whether the update changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.unset.is_empty() && self.set.is_empty()
    }

    /// Checks whether the update unsets `NETO_EXPORTED`, as every update that removes an export does.
    pub(crate) fn drops_export(&self) -> bool {
        self.unset.iter().any(|name| name == EXPORTED_VARIABLE)
    }

    /// Renders the update as code that `shell` evaluates.
    pub(crate) fn render(&self, shell: Shell) -> Result<String, Error> {
        let text = EnvFormat::Shell(shell).render_exports(&self.unset, &self.set);
        text.map_err(|error| Error::bug(&error.to_string()))
    }
}

/// Returns the names to unset so that no earlier export remains: the fixed names, the names listed in `NETO_EXPORTED`,
/// the marker, and an outdated `NETO_SHELL_PROFILE`. Omits recorded names that no export can set, because other
/// programs may have written the record.
pub(crate) fn names_to_unset(environment: &Environment) -> BTreeSet<String> {
    let recorded = environment.text(EXPORTED_VARIABLE).unwrap_or_default();
    let recorded = recorded.split(' ').filter(|name| *name == STORE_VARIABLE || check_env_name(name).is_ok());
    let marker = environment.get(MARKER_VARIABLE).map(|_| MARKER_VARIABLE);
    let outdated = environment
        .get(SHELL_PROFILE_VARIABLE)
        .and_then(|_| shell_profile(environment).is_none().then_some(SHELL_PROFILE_VARIABLE));
    ALWAYS_UNSET.iter().copied().chain(recorded).chain(marker).chain(outdated).map(str::to_owned).collect()
}

/// Returns the names to unset in a shell that continues without an export. Keeps a `NETOSECRET` that the user set,
/// because it selects a profile.
pub(crate) fn names_to_unset_except_own_secret(environment: &Environment) -> BTreeSet<String> {
    let mut names = names_to_unset(environment);
    let is_own = match environment.get(EXPORTED_VARIABLE) {
        Some(_) => !was_exported(environment, "NETOSECRET"),
        // A child of `neto exec` has the user's own `NETOSECRET` only if the profile of the child is `env`.
        None => profile_variable(environment) == ProfileName::env().as_str(),
    };
    names.retain(|name| name != "NETOSECRET" || !is_own);
    names
}

/// Checks whether the shell has a profile's variables, from an export or from the `neto exec` that started it.
pub(crate) fn has_profile_variables(environment: &Environment) -> bool {
    [EXPORTED_VARIABLE, TOKEN_VARIABLE].iter().any(|name| environment.get(name).is_some())
}

/// Returns the names that an earlier export set, including `NETO_EXPORTED`; empty without an export.
pub(crate) fn exported_names(environment: &Environment) -> Vec<String> {
    let is_exported = |name: &String| name == EXPORTED_VARIABLE || was_exported(environment, name);
    let candidates = environment.get(EXPORTED_VARIABLE).map(|_| names_to_unset(environment)).unwrap_or_default();
    candidates.into_iter().filter(is_exported).collect()
}

/// Checks whether an earlier export set the variable. Returns `false` for `NETO_PROFILE` if it was changed by hand
/// after the export.
pub(crate) fn was_exported(environment: &Environment, name: &str) -> bool {
    let is_recorded =
        environment.text(EXPORTED_VARIABLE).is_some_and(|names| names.split(' ').any(|recorded| recorded == name));
    let is_changed = || {
        ExportMarker::from_environment(environment)
            .is_some_and(|marker| marker.exported != profile_variable(environment))
    };
    is_recorded && !(name == PROFILE_VARIABLE && is_changed())
}

/// Returns the profile name in `NETO_PROFILE`, or [`NO_PROFILE`] if the variable holds no valid name.
fn profile_variable(environment: &Environment) -> String {
    let is_name = |name: &String| name.parse::<ProfileName>().is_ok() || *name == ProfileName::env().as_str();
    environment.text(PROFILE_VARIABLE).filter(is_name).unwrap_or_else(|| NO_PROFILE.to_owned())
}

/// State at the time of an export. The hook compares it with the state at each prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportMarker {
    /// Profile that the shell and the files on disk selected, even if the user exported another profile by name.
    /// [`NO_PROFILE`] if none was selected.
    resolved: String,
    /// Exported profile, or [`NO_PROFILE`].
    exported: String,
    /// Path of the profile store; empty for the standard store.
    store: String,
}

impl ExportMarker {
    /// Returns the marker in the shell's variables; `None` if no export left a marker.
    pub(crate) fn from_environment(environment: &Environment) -> Option<Self> {
        let text = environment.text(MARKER_VARIABLE)?;
        let mut parts = text.splitn(3, ' ').map(str::to_owned);
        let resolved = parts.next()?;
        let exported = parts.next().unwrap_or_else(|| NO_PROFILE.to_owned());
        Some(Self { resolved, exported, store: parts.next().unwrap_or_default() })
    }

    /// Returns the marker for the present state. Takes the exported profile from `NETO_PROFILE`.
    pub(crate) fn current(run: &Run<'_>) -> Self {
        Self {
            resolved: resolve_without_export(run),
            exported: profile_variable(&run.context.process.environment),
            store: store_marker(run),
        }
    }

    /// Returns the name and the value of the variable that records this marker.
    pub(crate) fn to_variable(&self) -> (String, String) {
        let store = if self.store.is_empty() { String::new() } else { format!(" {}", self.store) };
        (MARKER_VARIABLE.to_owned(), format!("{} {}{store}", self.resolved, self.exported))
    }

    /// Returns the profile that the shell and the files on disk selected, if any.
    pub(crate) fn resolved(&self) -> Option<&str> {
        profile_name(&self.resolved)
    }

    /// Returns the exported profile, if any.
    pub(crate) fn exported(&self) -> Option<&str> {
        profile_name(&self.exported)
    }

    /// Checks whether both markers have the same profile store.
    pub(crate) fn has_same_store(&self, other: &Self) -> bool {
        self.store == other.store
    }
}

/// Returns a description, such as `'acme'`, of the export whose variables the shell has. Returns `None` if `profile`
/// was exported, and neither the store nor `NETO_PROFILE` has changed since.
pub(crate) fn describe_other_export(run: &Run<'_>, profile: Option<&ProfileName>) -> Option<String> {
    let now = ExportMarker::current(run);
    let before = ExportMarker::from_environment(&run.context.process.environment).unwrap_or_else(|| now.clone());
    let is_of_profile = before.exported() == profile.map(ProfileName::as_str) && profile.is_some();
    let is_unchanged = is_of_profile && before.exported() == now.exported() && before.has_same_store(&now);
    let description = before.exported().map_or_else(|| "an export".to_owned(), |name| format!("'{name}'"));
    (!is_unchanged).then_some(description)
}

/// Returns the store's path as a marker records it: empty for the standard store.
fn store_marker(run: &Run<'_>) -> String {
    let paths = &run.context.paths;
    if paths.is_store_named { paths.store.to_string_lossy().into_owned() } else { String::new() }
}

/// Returns the profile that `neto use` set in this shell. Returns `None` if `NETO_PROFILE` was changed by hand since
/// then, because that change selects a profile too.
pub(crate) fn shell_profile(environment: &Environment) -> Option<String> {
    let name = environment.text(SHELL_PROFILE_VARIABLE).filter(|name| name.parse::<ProfileName>().is_ok())?;
    let is_in_force =
        was_exported(environment, PROFILE_VARIABLE) || environment.text(PROFILE_VARIABLE).as_deref() == Some(&name);
    is_in_force.then_some(name)
}

/// Returns a phrase for the neto command that set `NETO_PROFILE`; empty if neto did not set it.
pub(crate) fn profile_variable_setter(environment: &Environment) -> &'static str {
    if was_exported(environment, PROFILE_VARIABLE) {
        ", by an export"
    } else if shell_profile(environment).is_some() {
        ", by neto use in this shell"
    } else {
        ""
    }
}

/// Returns the sources that select the profile of the next export. Ignores the variables of an earlier export.
/// Otherwise a shell that once exported a profile would never follow `neto use`.
pub(crate) fn export_sources<'r>(run: &'r Run<'_>, argument: Option<&str>) -> ProfileSources<'r> {
    let environment = &run.context.process.environment;
    let mut sources = run.context.sources(argument);
    if was_exported(environment, PROFILE_VARIABLE) {
        sources.neto_profile = shell_profile(environment);
    }
    if was_exported(environment, "NETOSECRET") {
        sources.has_netosecret = false;
    }
    sources
}

/// Returns [`export_sources`] without the argument `PROFILE` and the flag `--profile`.
pub(crate) fn sources_without_argument<'r>(run: &'r Run<'_>) -> ProfileSources<'r> {
    ProfileSources { argument: None, second_argument: None, ..export_sources(run, None) }
}

/// Returns the profile name that the shell and the files on disk select now, for comparison with an earlier time.
/// Returns [`NO_PROFILE`] if no name is selected or resolving fails. Does not read the store.
fn resolve_without_export(run: &Run<'_>) -> String {
    let resolved = sources_without_argument(run).resolve_name().ok().flatten();
    resolved.map_or_else(|| NO_PROFILE.to_owned(), |resolved| resolved.name.to_string())
}

/// Returns the name; `None` for [`NO_PROFILE`].
fn profile_name(text: &str) -> Option<&str> {
    Some(text).filter(|name| *name != NO_PROFILE)
}

/// Returns the shell whose hook runs this process; `None` without a hook.
pub(crate) fn hook_shell(environment: &Environment) -> Option<Shell> {
    environment.text(HOOK_VARIABLE).and_then(|name| Shell::from_str(&name, false).ok())
}

/// Prints an update for the hook to evaluate in its shell.
pub(crate) fn print_for_hook(run: &Run<'_>, shell: Shell, update: &ShellUpdate) -> Result<(), Error> {
    Ok(run.ui.print(&[HOOK_TEXT_PREFIX, &update.render(shell)?].concat())?)
}

/// Returns the variables that an export must also set for the hook; empty without the hook. These are the marker and a
/// record of a `NETO_PROFILE` that was set by hand, because the export overwrites it.
pub(crate) fn hook_variables(run: &Run<'_>, exports: &[(String, String)]) -> Vec<(String, String)> {
    let environment = &run.context.process.environment;
    if hook_shell(environment).is_none() {
        return Vec::new();
    }
    let set_by_hand = environment.text(PROFILE_VARIABLE).filter(|_| !was_exported(environment, PROFILE_VARIABLE));
    let set_by_hand = set_by_hand.map(|name| (SHELL_PROFILE_VARIABLE.to_owned(), name));
    let exported = exports.iter().find(|(name, _)| name == PROFILE_VARIABLE).map_or(NO_PROFILE, |(_, value)| value);
    let marker = ExportMarker { exported: exported.to_owned(), ..ExportMarker::current(run) };
    set_by_hand.into_iter().chain([marker.to_variable()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_forged_record_unsets_only_variables_that_an_export_can_set() {
        let environment = environment(&[(EXPORTED_VARIABLE, "PATH HOME X;reboot MY_VAR NETO_STORE NETO_HOME")]);
        let unset = names_to_unset(&environment);
        assert!(unset.contains("MY_VAR") && unset.contains("NETO_STORE") && unset.contains("NETO_TOKEN"));
        for kept in ["PATH", "HOME", "NETO_HOME", "X;reboot"] {
            assert!(!unset.contains(kept), "{kept}");
        }
    }

    #[test]
    fn the_shell_profile_is_kept_until_neto_profile_is_changed_by_hand() {
        let exported = "NETO_PROFILE NETO_TOKEN";
        for (variables, expected) in [
            (&[(SHELL_PROFILE_VARIABLE, "acme"), (PROFILE_VARIABLE, "acme")][..], Some("acme")),
            (
                &[(SHELL_PROFILE_VARIABLE, "acme"), (PROFILE_VARIABLE, "other"), (EXPORTED_VARIABLE, exported)],
                Some("acme"),
            ),
            (&[(SHELL_PROFILE_VARIABLE, "acme"), (PROFILE_VARIABLE, "other"), (EXPORTED_VARIABLE, "MINE")], None),
            (&[(SHELL_PROFILE_VARIABLE, "acme"), (PROFILE_VARIABLE, "other")], None),
            (&[(SHELL_PROFILE_VARIABLE, "acme")], None),
            (&[(SHELL_PROFILE_VARIABLE, "$(id)"), (PROFILE_VARIABLE, "$(id)")], None),
            (&[(PROFILE_VARIABLE, "acme")], None),
        ] {
            let environment = environment(variables);
            assert_eq!(shell_profile(&environment).as_deref(), expected, "{variables:?}");
            // Dropping the export restores the profile, or unsets an outdated record.
            let update = ShellUpdate::drop_export(&environment);
            let restored: Vec<&str> = update.set.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(restored, expected.into_iter().collect::<Vec<_>>(), "{variables:?}");
            let is_recorded = variables.iter().any(|(name, _)| *name == SHELL_PROFILE_VARIABLE);
            assert_eq!(
                update.unset.iter().any(|name| name == SHELL_PROFILE_VARIABLE),
                is_recorded && expected.is_none(),
                "{variables:?}"
            );
        }
    }
}

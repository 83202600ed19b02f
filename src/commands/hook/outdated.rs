//! Unsets exported variables before a prompt, if the token has expired or another profile or store is current.
//!
//! Runs before every prompt, so it only compares names and times. Must not log in, prompt, wait for a lock or write a
//! file.

use crate::environment::Environment;
use crate::output::{Shell, sanitize_line};
use crate::profile::ProfileName;
use crate::workflow::Run;
use crate::workflow::shell_state::{self, EXPORTED_VARIABLE, PROFILE_VARIABLE, SHELL_PROFILE_VARIABLE, ShellUpdate};

/// Variable for the expiry of an exported token, in epoch seconds.
const EXPIRY_VARIABLE: &str = "NETO_TOKEN_EXPIRES_AT";

/// Returns the update that drops an outdated export from the calling shell, and prints the reason. The update is empty
/// while the export is valid.
///
/// Compares the resolved profile with the profile that was resolved at the time of the export. The exported profile may
/// differ from both, because the user may export another profile on purpose. The export is also outdated if the store
/// has changed, or if the user changed `NETO_PROFILE` by hand. Otherwise `NETO_PROFILE` and `NETO_TOKEN` could belong
/// to different profiles.
pub(in crate::commands) fn drop_outdated_export(run: &Run<'_>, shell: Shell) -> ShellUpdate {
    let environment = &run.context.process.environment;
    if environment.get(EXPORTED_VARIABLE).is_none() {
        return ShellUpdate::default();
    }
    let (recorded, current) =
        (shell_state::ExportMarker::from_environment(environment), shell_state::ExportMarker::current(run));
    // A variable may hold any text, so only a valid name becomes part of the command to paste.
    let exported = recorded.as_ref().unwrap_or(&current).exported().and_then(|name| name.parse::<ProfileName>().ok());
    let export_again = match &exported {
        Some(name) => shell.eval_command(&format!("neto export {name}")),
        None => shell.eval_command("neto export"),
    };
    let profile_phrase = exported.as_ref().map(|name| format!(" of '{name}'")).unwrap_or_default();
    if has_expired(run) {
        run.ui.note(&format!(
            "The token{profile_phrase} has expired, and its variables are dropped; again: {export_again}"
        ));
        return drop_export(environment);
    }
    // An export without a marker gets one now, for later comparisons.
    let Some(recorded) = recorded else { return set_marker(&current) };
    if recorded == current {
        return ShellUpdate::default();
    }
    if !recorded.has_same_store(&current) {
        run.ui.note(&format!(
            "Another store is used here, and the variables{profile_phrase} are dropped; again: {export_again}"
        ));
        return drop_export(environment);
    }
    // The exported profile is now the resolved profile, so the export stays.
    if recorded.exported() == current.exported() && current.exported() == current.resolved() {
        return set_marker(&current);
    }
    let resolved = current.resolved().map_or_else(|| "none".to_owned(), |name| format!("'{}'", sanitize_line(name)));
    run.ui.note(&format!(
        "Now {resolved} is chosen here, and the variables{profile_phrase} are dropped; again: {export_again}"
    ));
    drop_export(environment)
}

fn set_marker(marker: &shell_state::ExportMarker) -> ShellUpdate {
    ShellUpdate { unset: Vec::new(), set: vec![marker.to_variable()] }
}

/// Unsets the exported variables. Keeps a `NETO_PROFILE` that the user set by hand after the export, as the profile of
/// this shell.
fn drop_export(environment: &Environment) -> ShellUpdate {
    let unset = shell_state::names_to_unset_except_own_secret(environment).into_iter().collect();
    let mut update = ShellUpdate { unset, ..ShellUpdate::drop_export(environment) };
    let set_by_hand =
        environment.text(PROFILE_VARIABLE).filter(|_| !shell_state::was_exported(environment, PROFILE_VARIABLE));
    if let Some(name) = set_by_hand.and_then(|name| name.parse::<ProfileName>().ok()) {
        update.set =
            [PROFILE_VARIABLE, SHELL_PROFILE_VARIABLE].map(|variable| (variable.to_owned(), name.to_string())).to_vec();
    }
    update
}

fn has_expired(run: &Run<'_>) -> bool {
    let expires_at = run.context.process.environment.text(EXPIRY_VARIABLE);
    let expires_at: Option<i64> = expires_at.and_then(|seconds| seconds.parse().ok());
    expires_at.is_some_and(|second| second <= run.context.process.clock.now().as_second())
}

//! Before each prompt: what an export set is dropped once its token has expired or another profile is chosen.
//!
//! Reads names and the clock alone; signs nobody in, asks nothing, waits for nothing, and writes nothing.

use crate::commands::Run;
use crate::commands::here::{self, CHOSEN, Change, EXPORTED, PROFILE};
use crate::output::{Shell, clean};
use crate::profile::ProfileName;

/// When the token of an export expires, in epoch seconds.
const EXPIRES_AT: &str = "NETO_TOKEN_EXPIRES_AT";

/// What the calling shell is to do with what it exported, and says why. Nothing where that is still good.
///
/// What is chosen is compared with what was chosen at the export, and not with the exported profile: who exports
/// another one than the chosen means it.
pub(in crate::commands) fn outdated(run: &Run<'_>, shell: Shell) -> Change {
    let environment = &run.context.process.environment;
    if environment.get(EXPORTED).is_none() {
        return Change::default();
    }
    // A variable may hold anything, and what is no name stands in no line to paste.
    let exported: Option<ProfileName> = environment.text(PROFILE).and_then(|name| name.parse().ok());
    let again = match &exported {
        Some(name) => shell.evaluating(&format!("neto export {name}")),
        None => shell.evaluating("neto export"),
    };
    let whose = exported.as_ref().map(|name| format!(" of '{name}'")).unwrap_or_default();
    if has_expired(run) {
        run.ui.note(&format!("The token{whose} has expired, and its variables are dropped; again: {again}"));
        return Change::dropping(environment);
    }
    let (before, now) = (environment.text(CHOSEN), here::chosen(run));
    if before.as_ref() == Some(&now) {
        return Change::default();
    }
    // An export that was not noted, or that of the profile chosen meanwhile.
    if before.is_none() || exported.is_some_and(|name| name.as_str() == now) {
        return Change { unset: Vec::new(), set: vec![(CHOSEN.to_owned(), now)] };
    }
    let chosen = here::name_of(&now).map_or_else(|| "none".to_owned(), |name| format!("'{}'", clean(name)));
    run.ui.note(&format!("Now {chosen} is chosen here, and the variables{whose} are dropped; again: {again}"));
    Change::dropping(environment)
}

fn has_expired(run: &Run<'_>) -> bool {
    let expires_at = run.context.process.environment.text(EXPIRES_AT);
    let expires_at: Option<i64> = expires_at.and_then(|seconds| seconds.parse().ok());
    expires_at.is_some_and(|second| second <= run.context.process.clock.now().as_second())
}

//! Before each prompt: what an export set is dropped once its token has expired or another profile is chosen.
//!
//! Reads names and the clock alone; signs nobody in, asks nothing, waits for nothing, and writes nothing.

use crate::context::Environment;
use crate::output::{Shell, clean};
use crate::profile::ProfileName;
use crate::workflow::Run;
use crate::workflow::shell_state::{self, Change, EXPORTED, PROFILE, USED};

/// When the token of an export expires, in epoch seconds.
const EXPIRES_AT: &str = "NETO_TOKEN_EXPIRES_AT";

/// What the calling shell is to do with what it exported, and says why. Nothing where that is still good.
///
/// What is chosen is compared with what was chosen at the export, and not with the exported profile: who exports
/// another one than the chosen means it. So it is with the store, and with `NETO_PROFILE` itself: who sets that by hand
/// chooses, and a token of another profile beside it would be a trap.
pub(in crate::commands) fn outdated(run: &Run<'_>, shell: Shell) -> Change {
    let environment = &run.context.process.environment;
    if environment.get(EXPORTED).is_none() {
        return Change::default();
    }
    let (before, now) = (shell_state::Note::of(environment), shell_state::Note::now(run));
    // A variable may hold anything, and what is no name stands in no line to paste.
    let exported = before.as_ref().unwrap_or(&now).exported().and_then(|name| name.parse::<ProfileName>().ok());
    let again = match &exported {
        Some(name) => shell.evaluating(&format!("neto export {name}")),
        None => shell.evaluating("neto export"),
    };
    let whose = exported.as_ref().map(|name| format!(" of '{name}'")).unwrap_or_default();
    if has_expired(run) {
        run.ui.note(&format!("The token{whose} has expired, and its variables are dropped; again: {again}"));
        return dropping(environment);
    }
    // An export that was not noted counts from now on.
    let Some(before) = before else { return noting(&now) };
    if before == now {
        return Change::default();
    }
    if !before.is_of_store(&now) {
        run.ui.note(&format!("Another store is used here, and the variables{whose} are dropped; again: {again}"));
        return dropping(environment);
    }
    // That of the profile chosen meanwhile is what is wanted now.
    if before.exported() == now.exported() && now.exported() == now.chosen() {
        return noting(&now);
    }
    let chosen = now.chosen().map_or_else(|| "none".to_owned(), |name| format!("'{}'", clean(name)));
    run.ui.note(&format!("Now {chosen} is chosen here, and the variables{whose} are dropped; again: {again}"));
    dropping(environment)
}

fn noting(note: &shell_state::Note) -> Change {
    Change { unset: Vec::new(), set: vec![note.variable()] }
}

/// Takes away what was exported. A `NETO_PROFILE` that was set by hand since stays, as a choice of this shell.
fn dropping(environment: &Environment) -> Change {
    let unset = shell_state::left(environment).into_iter().collect();
    let mut change = Change { unset, ..Change::dropping(environment) };
    let by_hand = environment.text(PROFILE).filter(|_| !shell_state::was_exported(environment, PROFILE));
    if let Some(name) = by_hand.and_then(|name| name.parse::<ProfileName>().ok()) {
        change.set = [PROFILE, USED].map(|variable| (variable.to_owned(), name.to_string())).to_vec();
    }
    change
}

fn has_expired(run: &Run<'_>) -> bool {
    let expires_at = run.context.process.environment.text(EXPIRES_AT);
    let expires_at: Option<i64> = expires_at.and_then(|seconds| seconds.parse().ok());
    expires_at.is_some_and(|second| second <= run.context.process.clock.now().as_second())
}

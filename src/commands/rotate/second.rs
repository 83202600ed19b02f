//! `neto rotate --finish`: removes the old keys after `--overlap`.

use super::RotateArgs;
use crate::error::Error;
use crate::profile::Profile;
use crate::session::{RotationError, SessionError};
use crate::workflow::{Batch, Run, TerminalReporter, record_first_seen_profiles};
use std::ops::ControlFlow;

/// Removes the old keys of the selected profiles from the server.
pub(super) fn finish(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.resolve_named(run)?;
    let is_many = selected.len() > 1;
    let mut batch = Batch::new(run, "Removing old keys", selected.iter().map(|selected| &*selected.name));
    let profiles = batch.with_secrets(selected);
    args.confirm(run, "Remove the old key of", &profiles)?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let remove_old_key = async |profile: &Profile| (profile.name.clone(), session.remove_first_key(profile).await);
    session.run_each(profiles, args.jobs.jobs, remove_old_key, |(name, result)| {
        match result {
            Ok(old_key) => batch.done_with_note(&name, &format!("the old key '{old_key}' is removed")),
            Err(SessionError::Rotation(RotationError::NoSecondKey)) if is_many => {
                batch.done_with_note(&name, "skipped, there is no second key beside it");
            }
            Err(error) => batch.failed(&name, error.into())?,
        }
        ControlFlow::Continue(())
    })?;
    record_first_seen_profiles(run, &reporter);
    batch.finish("neto rotate --finish")
}

//! `neto rotate --finish`: the old key goes, once all have the second one.

use super::RotateArgs;
use crate::error::Error;
use crate::profile::Profile;
use crate::session::{RotationError, SessionError};
use crate::workflow::{Fleet, Run, Watch, remember};
use std::ops::ControlFlow;

/// Removes the old keys of the selected profiles at the server.
pub(super) fn finish(args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.told(run)?;
    let several = selected.len() > 1;
    let mut fleet = Fleet::new(run, "Removing old keys", selected.iter().map(|one| &*one.name));
    let profiles = fleet.with_secrets(selected);
    args.ask(run, "Remove the old key of", &profiles)?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let finish = async |profile: &Profile| (profile.name.clone(), session.finish_beside(profile).await);
    session.each(profiles, args.jobs.jobs, finish, |(name, result)| {
        match result {
            Ok(old) => fleet.done(&name, &format!("the old key '{old}' is removed")),
            Err(SessionError::Rotation(RotationError::NoSecondKey)) if several => {
                fleet.done(&name, "skipped, there is no second key beside it");
            }
            Err(error) => fleet.failed(&name, error.into())?,
        }
        ControlFlow::Continue(())
    })?;
    remember(run, &watch);
    fleet.end("neto rotate --finish")
}

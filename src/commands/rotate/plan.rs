//! Plans the action for each selected profile, and checks that new keys can be stored before the first key changes.

use super::RotateArgs;
use crate::disk;
use crate::error::{Code, Error, Hint};
use crate::output::{Cell, Column, Row, Shrink, render_rows};
use crate::profile::{Profile, ProfileName, SecretLocation, Span, Store};
use crate::session::{RotationError, SessionError};
use crate::workflow::git::GitRepository;
use crate::workflow::selection::SelectedProfile;
use crate::workflow::{Batch, Run, locked_edit, sealing};
use jiff::civil::Date;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Upper bound on the bytes that a rotation writes to one directory, per profile.
const MAX_BYTES_PER_PROFILE: usize = 4 * 1024;

/// Action for one profile.
enum RotationAction {
    /// Requests a new key.
    Rotate,
    /// Completes an interrupted rotation.
    Finish,
    /// Skips a profile that cannot be rotated, with the reason.
    Skip(Error),
    /// Reports an invalid profile.
    Fail(Error),
}

struct PlannedRotation<'a> {
    name: ProfileName,
    /// `None` for an invalid profile.
    profile: Option<&'a Profile>,
    action: RotationAction,
}

/// Actions for all selected profiles, in their order.
pub(super) struct RotationPlan<'a>(Vec<PlannedRotation<'a>>);

/// Row of the `--dry-run` output.
#[derive(Serialize)]
struct PlanRow<'a> {
    profile: &'a ProfileName,
    shortname: Option<&'a str>,
    appname: Option<&'a str>,
    key_since: Option<Date>,
    age_days: Option<i64>,
    action: &'static str,
    reason: Option<String>,
}

impl Row for PlanRow<'_> {
    const FIELDS: &'static [&'static str] =
        &["profile", "shortname", "appname", "key_since", "age_days", "action", "reason"];

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("PROFILE", Shrink::Keep, |row| Cell::plain(row.profile.as_str())),
            Column::left("TENANT", Shrink::CutOrDrop, |row| Cell::optional(row.shortname)),
            Column::left("KEY", Shrink::CutOrDrop, |row| Cell::optional(row.appname)),
            Column::left("SINCE", Shrink::Drop, |row| Cell::optional(row.key_since.map(|since| since.to_string()))),
            Column::right("DAYS", Shrink::Drop, |row| Cell::optional(row.age_days.map(|days| days.to_string()))),
            Column::left("ACTION", Shrink::Keep, |row| Cell::plain(row.action)),
            Column::left("REASON", Shrink::Cut, |row| Cell::optional(row.reason.clone())),
        ]
    }
}

impl<'a> RotationPlan<'a> {
    /// Plans the action for each selected profile. `--older-than` omits profiles whose key is younger or has no date,
    /// except those with an interrupted rotation.
    ///
    /// # Errors
    /// Returns the reason if a single profile was named and cannot be rotated. Also returns an error if the store or
    /// the rotation journal cannot be read.
    pub(super) fn build(args: &RotateArgs, run: &Run<'a>, selected: Vec<SelectedProfile<'a>>) -> Result<Self, Error> {
        let unfinished: BTreeSet<ProfileName> =
            run.context.session(&run.reporter()).unfinished_rotations()?.into_iter().collect();
        let today = run.today();
        let shared = shared_keys(run.context.store()?);
        let is_too_young =
            |profile: &Profile| args.older_than.is_some_and(|min_age| !is_older_than(profile, min_age, today));
        let mut plan: Vec<PlannedRotation<'a>> = Vec::with_capacity(selected.len());
        for SelectedProfile { name, profile } in selected {
            let name = name.into_owned();
            plan.push(match profile {
                Err(error) => PlannedRotation { name, profile: None, action: RotationAction::Fail(error.into()) },
                Ok(profile) if unfinished.contains(&name) => {
                    PlannedRotation { name, profile: Some(profile), action: RotationAction::Finish }
                }
                Ok(profile) if is_too_young(profile) => continue,
                Ok(profile) => {
                    let shared_key = || (!args.mode.overlap).then(|| shared_key_error(&shared, profile))?;
                    let action = unrotatable_reason(profile)
                        .or_else(shared_key)
                        .map_or(RotationAction::Rotate, RotationAction::Skip);
                    PlannedRotation { name, profile: Some(profile), action }
                }
            });
        }
        if args.select.is_single()
            && let Some(PlannedRotation {
                name, action: RotationAction::Skip(error) | RotationAction::Fail(error), ..
            }) = plan.pop_if(|planned| matches!(planned.action, RotationAction::Skip(_) | RotationAction::Fail(_)))
        {
            return Err(error.about(&name));
        }
        Ok(Self(plan))
    }

    /// Returns the profiles whose key will change.
    pub(super) fn profiles_to_rotate(&self) -> Vec<&'a Profile> {
        let changed =
            self.0.iter().filter(|planned| matches!(planned.action, RotationAction::Rotate | RotationAction::Finish));
        changed.filter_map(|planned| planned.profile).collect()
    }

    /// Returns the names of all planned profiles.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &ProfileName> {
        self.0.iter().map(|planned| &planned.name)
    }

    /// Checks whether the plan contains no profile.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reports the skipped and the invalid profiles to the batch.
    pub(super) fn report_skipped(self, batch: &mut Batch<'_>) {
        for planned in self.0 {
            match planned.action {
                RotationAction::Skip(error) => {
                    batch.done_with_note(&planned.name, &format!("skipped, {}", error.message()));
                }
                RotationAction::Fail(error) => _ = batch.failed(&planned.name, error),
                RotationAction::Rotate | RotationAction::Finish => {}
            }
        }
    }

    /// Prints the plan for `--dry-run`.
    pub(super) fn print_plan(&self, args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
        let today = run.today();
        let rows: Vec<PlanRow<'_>> = self.0.iter().map(|planned| plan_row(planned, args.mode.overlap, today)).collect();
        Ok(run.ui.print(&render_rows(&rows, args.output, &run.ui.render_options()))?)
    }
}

fn plan_row<'a>(planned: &'a PlannedRotation<'_>, overlap: bool, today: Date) -> PlanRow<'a> {
    let (action, reason) = match &planned.action {
        RotationAction::Rotate if overlap => ("second-key", None),
        RotationAction::Rotate => ("rotate", None),
        RotationAction::Finish => ("finish", Some("a rotation was cut off".to_owned())),
        RotationAction::Skip(error) => ("skip", Some(error.message().to_owned())),
        RotationAction::Fail(error) => ("fail", Some(error.message().to_owned())),
    };
    let key_since = planned.profile.and_then(key_since);
    PlanRow {
        profile: &planned.name,
        shortname: planned.profile.and_then(|profile| profile.shortname.as_deref()),
        appname: planned.profile.and_then(|profile| profile.appname.as_deref()),
        key_since,
        age_days: key_since.map(|since| age_in_days(since, today)),
        action,
        reason,
    }
}

/// Returns the date on which the profile got its key; `None` if the secret is not sealed.
fn key_since(profile: &Profile) -> Option<Date> {
    profile.sealed.as_ref().map(|note| note.since)
}

/// Returns the age in days. The age is negative if `since` comes from a clock that was ahead.
fn age_in_days(since: Date, today: Date) -> i64 {
    today.duration_since(since).as_hours() / 24
}

/// Checks whether the key is at least `min_age` old. The result is false for a key without a date.
fn is_older_than(profile: &Profile, min_age: Span, today: Date) -> bool {
    let seconds = |since: Date| u64::try_from(today.duration_since(since).as_secs()).unwrap_or(0);
    key_since(profile).is_some_and(|since| seconds(since) >= min_age.seconds())
}

/// Profiles by the API key that they use. URL, shortname and appname identify a key.
type KeyUsers<'a> = BTreeMap<(String, &'a str, &'a str), Vec<&'a ProfileName>>;

fn key_identity(profile: &Profile) -> Option<(String, &str, &str)> {
    Some((profile.url.with_version(), profile.shortname.as_deref()?, profile.appname.as_deref()?))
}

/// Returns the keys that more than one profile uses.
fn shared_keys(store: &Store) -> KeyUsers<'_> {
    let mut keys = KeyUsers::new();
    for profile in store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()) {
        if let Some(key) = key_identity(profile) {
            keys.entry(key).or_default().push(&profile.name);
        }
    }
    keys.retain(|_, users| users.len() > 1);
    keys
}

/// Returns an error if another profile uses the same key, because a rotation would invalidate the key of that profile.
fn shared_key_error(shared: &KeyUsers<'_>, profile: &Profile) -> Option<Error> {
    let other = shared.get(&key_identity(profile)?)?.iter().find(|name| **name != &profile.name)?;
    let message = format!("the profile '{other}' has the same key, which would be dead there");
    Some(Error::new(Code::Store, message).with_hint(
        Hint::profile_command(|name| format!("neto rotate {name} --overlap")).remark("leaves the other its key"),
    ))
}

/// Returns the reason if the profile has no API key that can be rotated and sealed.
fn unrotatable_reason(profile: &Profile) -> Option<Error> {
    match &profile.secret {
        _ if profile.name.is_env() => Some(
            Error::new(Code::Usage, "'env' is what NETOSECRET holds, and there is no store to seal a new key into")
                .with_hint(Hint::command("neto profile add").remark("makes a profile of it")),
        ),
        SecretLocation::Sealed(_) if profile.username.is_some() => {
            Some(Error::new(Code::Store, "it is a person, who has a password and no API key"))
        }
        SecretLocation::Sealed(_) => None,
        SecretLocation::None => Some(SessionError::NoSecret.into()),
        SecretLocation::Plaintext(_) => Some(SessionError::PlaintextSecret.into()),
        other => Some(RotationError::NotSealed(other.label()).into()),
    }
}

/// Checks that every new key can be stored, before any key changes.
///
/// # Errors
/// Returns an error if the store has unmerged changes, its lock cannot be acquired, or a recipient is untrusted. Also
/// returns an error if the store, the rotation journal or the token cache is not writable or lacks space.
pub(super) fn check_can_write(run: &Run<'_>, profiles: &[&Profile]) -> Result<(), Error> {
    let file = run.context.store_file();
    if let Some(git) = GitRepository::find(run) {
        match git.is_unmerged(run) {
            Ok(false) => {}
            Ok(true) => {
                let message = format!("{} has unmerged changes", file.path().display());
                return Err(Error::new(Code::Store, message)
                    .with_hint(Hint::command("git status").remark("says what is to be merged first")));
            }
            Err(error) => run.ui.warn(&format!("git cannot say whether the store is merged: {error}")),
        }
    }
    let needed_bytes = profiles.len() * MAX_BYTES_PER_PROFILE;
    let lock = locked_edit::acquire_lock(run, &file.lock(), "the store")?;
    let size = std::fs::metadata(file.path()).map_or(0, |metadata| metadata.len());
    disk::check_can_replace(file.path(), usize::try_from(size).unwrap_or(usize::MAX).saturating_add(needed_bytes))?;
    drop(lock);
    let paths = &run.context.paths;
    for directory in [&paths.state.join("rotations"), &paths.state.join("rotated"), &paths.tokens] {
        disk::check_can_replace(&directory.join("new"), needed_bytes)?;
    }
    sealing::trusted_keys_of_all(run, run.context.store()?, profiles.iter().copied()).map(drop)
}

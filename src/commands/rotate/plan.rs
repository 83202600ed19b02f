//! What a rotation would do to each of the selected profiles, and what is made sure of for all of them before the first key
//! is changed.

use super::RotateArgs;
use crate::disk;
use crate::error::{Code, Error};
use crate::output::{Align, Cell, Column, Narrow, Row, render};
use crate::profile::{Profile, ProfileName, SecretPlace, Span, Store};
use crate::session::{RotationError, SessionError};
use crate::workflow::git::Git;
use crate::workflow::selection::Selected;
use crate::workflow::{Fleet, Run, locked_edit, sealing};
use jiff::civil::Date;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// More than a rotation takes in one folder for one profile, in bytes.
const ROOM: usize = 4 * 1024;

/// What becomes of one profile.
enum What {
    /// It gets a new key.
    Rotate,
    /// A rotation that was cut off is gone on with.
    Finish,
    /// One of many that cannot be rotated, with the reason.
    Skip(Error),
    /// One that is faulty.
    Fail(Error),
}

struct Planned<'a> {
    name: ProfileName,
    /// Absent where it is faulty.
    profile: Option<&'a Profile>,
    what: What,
}

/// What becomes of all of them.
pub(super) struct Plan<'a>(Vec<Planned<'a>>);

/// What would be done, for `--dry-run`.
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

    fn columns() -> Vec<Column> {
        let column = |title, align, narrow| Column { title, align, narrow };
        vec![
            column("PROFILE", Align::Left, Narrow::Keep),
            column("TENANT", Align::Left, Narrow::CutOrDrop),
            column("KEY", Align::Left, Narrow::CutOrDrop),
            column("SINCE", Align::Left, Narrow::Drop),
            column("DAYS", Align::Right, Narrow::Drop),
            column("ACTION", Align::Left, Narrow::Keep),
            column("REASON", Align::Left, Narrow::Cut),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let text = |text: Option<String>| Cell::plain(text.unwrap_or_default());
        vec![
            Cell::plain(self.profile.as_str()),
            Cell::plain(self.shortname.unwrap_or_default()),
            Cell::plain(self.appname.unwrap_or_default()),
            text(self.key_since.map(|since| since.to_string())),
            text(self.age_days.map(|days| days.to_string())),
            Cell::plain(self.action),
            text(self.reason.clone()),
        ]
    }
}

impl<'a> Plan<'a> {
    /// What becomes of the selected profiles. With `--older-than` those with a younger key are left out, but for a rotation
    /// that was cut off.
    ///
    /// # Errors
    /// Why a profile that was asked for by its plain name cannot be rotated.
    pub(super) fn of(args: &RotateArgs, run: &Run<'a>, selected: Vec<Selected<'a>>) -> Result<Self, Error> {
        let begun: BTreeSet<ProfileName> = run.context.session(&run.watch()).unfinished()?.into_iter().collect();
        let today = sealing::today(run);
        let shared = shared_keys(run.context.store()?);
        let young = |profile: &Profile| args.older_than.is_some_and(|age| !is_older(profile, age, today));
        let mut plan: Vec<Planned<'a>> = Vec::with_capacity(selected.len());
        for Selected { name, profile } in selected {
            let name = name.into_owned();
            plan.push(match profile {
                Err(error) => Planned { name, profile: None, what: What::Fail(error.into()) },
                Ok(profile) if begun.contains(&name) => Planned { name, profile: Some(profile), what: What::Finish },
                Ok(profile) if young(profile) => continue,
                Ok(profile) => {
                    let is_shared = || (!args.mode.overlap).then(|| is_shared(&shared, profile))?;
                    let what = why_not(profile).or_else(is_shared).map_or(What::Rotate, What::Skip);
                    Planned { name, profile: Some(profile), what }
                }
            });
        }
        if args.select.names_one()
            && let Some(Planned { name, what: What::Skip(error) | What::Fail(error), .. }) =
                plan.pop_if(|planned| matches!(planned.what, What::Skip(_) | What::Fail(_)))
        {
            return Err(error.about(&name));
        }
        Ok(Self(plan))
    }

    /// Those whose key is changed.
    pub(super) fn profiles(&self) -> Vec<&'a Profile> {
        let changed = self.0.iter().filter(|planned| matches!(planned.what, What::Rotate | What::Finish));
        changed.filter_map(|planned| planned.profile).collect()
    }

    /// All of them.
    pub(super) fn names(&self) -> impl ExactSizeIterator<Item = &ProfileName> {
        self.0.iter().map(|planned| &planned.name)
    }

    /// Whether nothing was picked.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells of those whose key is not changed.
    pub(super) fn tell_others(self, fleet: &mut Fleet<'_>) {
        for planned in self.0 {
            match planned.what {
                What::Skip(error) => fleet.done(&planned.name, &format!("skipped, {}", error.message())),
                What::Fail(error) => _ = fleet.failed(&planned.name, error),
                What::Rotate | What::Finish => {}
            }
        }
    }

    /// Prints what would be done.
    pub(super) fn show(&self, args: &RotateArgs, run: &Run<'_>) -> Result<(), Error> {
        let today = sealing::today(run);
        let rows: Vec<PlanRow<'_>> = self.0.iter().map(|planned| row(planned, args.mode.overlap, today)).collect();
        Ok(run.ui.answer(&render(&rows, args.output, &run.ui.look()))?)
    }
}

fn row<'a>(planned: &'a Planned<'_>, overlap: bool, today: Date) -> PlanRow<'a> {
    let (action, reason) = match &planned.what {
        What::Rotate if overlap => ("second-key", None),
        What::Rotate => ("rotate", None),
        What::Finish => ("finish", Some("a rotation was cut off".to_owned())),
        What::Skip(error) => ("skip", Some(error.message().to_owned())),
        What::Fail(error) => ("fail", Some(error.message().to_owned())),
    };
    let key_since = planned.profile.and_then(since);
    PlanRow {
        profile: &planned.name,
        shortname: planned.profile.and_then(|profile| profile.shortname.as_deref()),
        appname: planned.profile.and_then(|profile| profile.appname.as_deref()),
        key_since,
        age_days: key_since.map(|since| age(since, today)),
        action,
        reason,
    }
}

/// The day that the key of a profile came.
fn since(profile: &Profile) -> Option<Date> {
    profile.sealed.as_ref().map(|note| note.since)
}

/// In days; negative where it came from a clock that is ahead.
fn age(since: Date, today: Date) -> i64 {
    today.duration_since(since).as_hours() / 24
}

/// Whether a key came so long ago; what has no day of its own is not picked by its age.
fn is_older(profile: &Profile, age: Span, today: Date) -> bool {
    let seconds = |since: Date| u64::try_from(today.duration_since(since).as_secs()).unwrap_or(0);
    since(profile).is_some_and(|since| seconds(since) >= age.seconds())
}

/// Whose key, by address, tenant and name.
type Keys<'a> = BTreeMap<(String, &'a str, &'a str), Vec<&'a ProfileName>>;

fn key_of(profile: &Profile) -> Option<(String, &str, &str)> {
    Some((profile.url.with_version(), profile.shortname.as_deref()?, profile.appname.as_deref()?))
}

/// The keys that several profiles have.
fn shared_keys(store: &Store) -> Keys<'_> {
    let mut keys = Keys::new();
    for profile in store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok()) {
        if let Some(key) = key_of(profile) {
            keys.entry(key).or_default().push(&profile.name);
        }
    }
    keys.retain(|_, users| users.len() > 1);
    keys
}

/// A key that another profile has too would be dead there.
fn is_shared(shared: &Keys<'_>, profile: &Profile) -> Option<Error> {
    let other = shared.get(&key_of(profile)?)?.iter().find(|name| **name != &profile.name)?;
    let message = format!("the profile '{other}' has the same key, which would be dead there");
    Some(Error::new(Code::Store, message).with_hint("neto rotate NAME --overlap    leaves the other its key"))
}

/// Why there is no key that the server could change and neto could seal.
fn why_not(profile: &Profile) -> Option<Error> {
    match &profile.secret {
        _ if profile.name.is_env() => Some(
            Error::new(Code::Usage, "'env' is what NETOSECRET holds, and there is no store to seal a new key into")
                .with_hint("neto profile add    makes a profile of it"),
        ),
        SecretPlace::Sealed(_) if profile.username.is_some() => {
            Some(Error::new(Code::Store, "it is a person, who has a password and no API key"))
        }
        SecretPlace::Sealed(_) => None,
        SecretPlace::None => Some(SessionError::NoSecret.into()),
        SecretPlace::Clear(_) => Some(SessionError::InClear.into()),
        place => Some(RotationError::NotSealed(place.word()).into()),
    }
}

/// Makes sure, before any key is changed, that all of them can be written: the store is not in the middle of a merge, its
/// lock is to be had, there is room beside it and in the folders of this machine, and its recipients are trusted.
pub(super) fn make_sure(run: &Run<'_>, profiles: &[&Profile]) -> Result<(), Error> {
    let file = run.context.store_file();
    if let Some(git) = Git::of(run) {
        match git.is_unmerged(run) {
            Ok(false) => {}
            Ok(true) => {
                let message = format!("{} has unmerged changes", file.path().display());
                return Err(Error::new(Code::Store, message).with_hint("git status    says what is to be merged first"));
            }
            Err(why) => run.ui.warn(&format!("git cannot say whether the store is merged: {why}")),
        }
    }
    let room = profiles.len() * ROOM;
    let held = locked_edit::hold(run, &file.lock(), "the store")?;
    let size = std::fs::metadata(file.path()).map_or(0, |found| found.len());
    disk::rehearse(file.path(), usize::try_from(size).unwrap_or(usize::MAX).saturating_add(room))?;
    drop(held);
    let paths = &run.context.paths;
    for folder in [&paths.state.join("rotations"), &paths.state.join("rotated"), &paths.tokens] {
        disk::rehearse(&folder.join("new"), room)?;
    }
    sealing::keys_of_all(run, run.context.store()?, profiles.iter().copied()).map(drop)
}

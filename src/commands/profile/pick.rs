//! The list that `neto use` without a name lets choose from.

use crate::commands::status::state::Standing;
use crate::error::{Code, Error};
use crate::output::{Candidate, Cell};
use crate::profile::{ChoiceError, Entry, Profile, ProfileName, SecretPlace};
use crate::token::{Lifetime, State};
use crate::workflow::{Run, Watch};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use std::collections::HashMap;

/// The profile that the user chooses at the terminal, where this one is current.
///
/// # Errors
/// Nobody to ask; no profile; the list was left, which is silent and exit 2, as a question answered with no.
pub(super) fn picked(run: &Run<'_>, current: Option<&ProfileName>) -> Result<ProfileName, Error> {
    if !run.ui.can_pick() {
        return Err(Error::new(Code::Usage, "no profile is named, and there is no terminal to choose one at")
            .with_hint("neto use NAME    with one of: neto ls"));
    }
    let store = run.context.store()?;
    if store.profiles.is_empty() {
        return Err(ChoiceError::Empty.into());
    }
    let mut entries: Vec<&Entry> = store.profiles.iter().collect();
    entries.sort_by_key(|entry| Some(&entry.name) != current);
    let place = run.ui.pick("Profile:", &candidates(run, &entries, current))?;
    place.map(|place| entries[place].name.clone()).ok_or_else(|| run.left())
}

fn candidates(run: &Run<'_>, entries: &[&Entry], current: Option<&ProfileName>) -> Vec<Candidate> {
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let now = run.context.process.clock.now();
    let profiles: Vec<&Profile> = entries.iter().filter_map(|entry| entry.profile.as_ref().ok()).collect();
    let lifetimes = session.lifetimes(&profiles);
    let lifetimes: HashMap<_, _> = profiles.iter().map(|profile| &profile.name).zip(lifetimes).collect();
    let candidate = |entry: &&Entry| {
        let lifetime = lifetimes.get(&entry.name).copied().flatten();
        let marked = current == Some(&entry.name);
        match &entry.profile {
            Ok(profile) => Candidate { marked, ..of(profile, lifetime, now) },
            Err(_) => faulty(&entry.name, marked),
        }
    };
    entries.iter().map(candidate).collect()
}

fn of(profile: &Profile, lifetime: Option<Lifetime>, now: Timestamp) -> Candidate {
    let whose = profile.shortname.as_deref().or(profile.username.as_deref()).unwrap_or_default();
    let description = profile.description.as_deref().unwrap_or_default();
    let tags = profile.tags.join(", ");
    let cells = vec![
        Cell::plain(profile.name.as_str()),
        Cell::plain(whose),
        state(profile, lifetime, now),
        Cell::plain(&tags),
        Cell::styled(description, Style::new().dimmed()),
    ];
    let searched = [profile.name.as_str(), whose, description, &tags].map(str::to_owned).to_vec();
    Candidate { cells, searched, marked: false }
}

fn state(profile: &Profile, lifetime: Option<Lifetime>, now: Timestamp) -> Cell {
    if profile.secret == SecretPlace::None {
        return Cell::styled("- no secret", Style::new().dimmed());
    }
    let standing = Standing::from(lifetime.map_or(State::None, |lifetime| lifetime.state(now)));
    let (sign, style) = standing.mark();
    Cell::styled(format!("{sign} {}", standing.word()), style)
}

/// One whose declaration is wrong can be switched to as well, and commands then say what is wrong with it.
fn faulty(name: &ProfileName, marked: bool) -> Candidate {
    let cells =
        vec![Cell::plain(name.as_str()), Cell::default(), Cell::styled("! faulty", AnsiColor::Red.on_default())];
    Candidate { cells, searched: vec![name.to_string()], marked }
}

//! Interactive profile picker, which `neto use` without a name shows.

use crate::commands::status::state::TokenStatus;
use crate::error::{Code, Error, Hint};
use crate::output::{Candidate, Cell};
use crate::profile::{Profile, ProfileEntry, ProfileName, ResolveError, SecretLocation};
use crate::token::{Lifetime, TokenState};
use crate::workflow::{Run, TerminalReporter};
use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use std::collections::HashMap;

/// Lets the user pick a profile at the terminal. `current` is listed first and marked.
///
/// # Errors
/// Returns an error if there is no terminal, if the store has no profile, or if the user cancels. The error for
/// canceling is silent (exit 2).
pub(super) fn pick_profile(run: &Run<'_>, current: Option<&ProfileName>) -> Result<ProfileName, Error> {
    if !run.ui.can_pick() {
        return Err(Error::new(Code::Usage, "no profile is named, and there is no terminal to choose one at")
            .with_hint(Hint::command("neto use NAME").remark("with one of: neto ls")));
    }
    let store = run.context.store()?;
    if store.profiles.is_empty() {
        return Err(ResolveError::Empty.into());
    }
    let mut entries: Vec<&ProfileEntry> = store.profiles.iter().collect();
    entries.sort_by_key(|entry| Some(&entry.name) != current);
    let index = run.ui.pick("Profile:", &candidates(run, &entries, current))?;
    index.map(|index| entries[index].name.clone()).ok_or_else(|| run.canceled())
}

fn candidates(run: &Run<'_>, entries: &[&ProfileEntry], current: Option<&ProfileName>) -> Vec<Candidate> {
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let now = run.context.process.clock.now();
    let profiles: Vec<&Profile> = entries.iter().filter_map(|entry| entry.profile.as_ref().ok()).collect();
    let lifetimes = session.lifetimes(&profiles);
    let lifetimes: HashMap<_, _> = profiles.iter().map(|profile| &profile.name).zip(lifetimes).collect();
    let candidate = |entry: &&ProfileEntry| {
        let lifetime = lifetimes.get(&entry.name).copied().flatten();
        let is_marked = current == Some(&entry.name);
        match &entry.profile {
            Ok(profile) => Candidate { is_marked, ..valid_candidate(profile, lifetime, now) },
            Err(_) => invalid_candidate(&entry.name, is_marked),
        }
    };
    entries.iter().map(candidate).collect()
}

fn valid_candidate(profile: &Profile, lifetime: Option<Lifetime>, now: Timestamp) -> Candidate {
    let account = profile.shortname.as_deref().or(profile.username.as_deref()).unwrap_or_default();
    let description = profile.description.as_deref().unwrap_or_default();
    let tags = profile.tags.join(", ");
    let cells = vec![
        Cell::plain(profile.name.as_str()),
        Cell::plain(account),
        state_cell(profile, lifetime, now),
        Cell::plain(&tags),
        Cell::styled(description, Style::new().dimmed()),
    ];
    let search_fields = [profile.name.as_str(), account, description, &tags].map(str::to_owned).to_vec();
    Candidate { cells, search_fields, is_marked: false }
}

fn state_cell(profile: &Profile, lifetime: Option<Lifetime>, now: Timestamp) -> Cell {
    if profile.secret == SecretLocation::None {
        return Cell::styled("- no secret", Style::new().dimmed());
    }
    let status = TokenStatus::from(lifetime.map_or(TokenState::None, |lifetime| lifetime.state(now)));
    let (symbol, style) = status.symbol_and_style();
    Cell::styled(format!("{symbol} {}", status.as_str()), style)
}

/// Returns the candidate for an invalid profile. The user can pick this profile, and later commands report its problem.
fn invalid_candidate(name: &ProfileName, is_marked: bool) -> Candidate {
    let cells =
        vec![Cell::plain(name.as_str()), Cell::default(), Cell::styled("! faulty", AnsiColor::Red.on_default())];
    Candidate { cells, search_fields: vec![name.to_string()], is_marked }
}

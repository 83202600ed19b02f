//! A reseller's accounts beside the profiles of the store.

use super::parents::Parents;
use super::tree::Tree;
use crate::fusion::Customer;
use crate::output::{Align, Cell, Column, Narrow, Row};
use crate::profile::{Profile, ProfileName};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;

/// How an account and a profile fit. The order is that of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// An account without a profile.
    Missing,
    /// A profile whose account the reseller does not have.
    Orphaned,
    /// Both, but the account has another parent than it had.
    Moved,
    /// Both.
    Matched,
}

/// One account, one profile, or the two together.
#[derive(Serialize)]
pub(super) struct DiscoverRow<'a> {
    pub(super) shortname: &'a str,
    profile: Option<&'a ProfileName>,
    pub(super) state: State,
    parent: Option<&'a str>,
    trial: Option<bool>,
    /// The parent that it had, where that is another.
    #[serde(skip)]
    was: Option<&'a str>,
}

/// A row for each account without a profile, and one for each profile; what does not fit comes first.
///
/// `profiles` are those of the reseller's API; `complete` says whether all accounts are known, without which none is
/// called orphaned.
pub(super) fn rows<'a>(
    tree: &'a Tree,
    reseller: &'a Profile,
    profiles: &[&'a Profile],
    parents: &'a Parents,
    complete: bool,
) -> Vec<DiscoverRow<'a>> {
    let mut of: BTreeMap<&str, Vec<&ProfileName>> = BTreeMap::new();
    for profile in profiles {
        if let Some(shortname) = profile.shortname.as_deref() {
            of.entry(shortname).or_default().push(&profile.name);
        }
    }
    let mut rows = Vec::new();
    for customer in tree.customers.values() {
        let was = parents.before(&reseller.url, customer);
        let row = |profile, state| DiscoverRow::of(customer, profile, state, was);
        match of.remove(customer.shortname.as_str()) {
            None => rows.push(row(None, State::Missing)),
            Some(names) => {
                let state = if was.is_some() { State::Moved } else { State::Matched };
                rows.extend(names.into_iter().map(|name| row(Some(name), state)));
            }
        }
    }
    for (shortname, names) in of {
        // A reseller need not be in its own list.
        let is_own = reseller.shortname.as_deref() == Some(shortname);
        let state = if is_own { State::Matched } else { State::Orphaned };
        if complete || is_own {
            rows.extend(names.into_iter().map(|name| DiscoverRow::alone(shortname, name, state)));
        }
    }
    rows.sort_by_key(|row| (row.state, row.shortname));
    rows
}

impl<'a> DiscoverRow<'a> {
    fn of(customer: &'a Customer, profile: Option<&'a ProfileName>, state: State, was: Option<&'a str>) -> Self {
        let parent = customer.parent.as_deref();
        Self { shortname: &customer.shortname, profile, state, parent, trial: customer.trial, was }
    }

    /// A profile without an account.
    fn alone(shortname: &'a str, profile: &'a ProfileName, state: State) -> Self {
        Self { shortname, profile: Some(profile), state, parent: None, trial: None, was: None }
    }
}

impl Row for DiscoverRow<'_> {
    const FIELDS: &'static [&'static str] = &["shortname", "profile", "state", "parent", "trial"];

    fn columns() -> Vec<Column> {
        let column = |title, narrow| Column { title, align: Align::Left, narrow };
        vec![
            column("TENANT", Narrow::Cut),
            column("PROFILE", Narrow::Keep),
            column("STATE", Narrow::Keep),
            column("PARENT", Narrow::CutOrDrop),
            column("TRIAL", Narrow::Drop),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let (word, style) = self.state.shown();
        let parent = self.parent.unwrap_or_default();
        let parent = self.was.map_or_else(|| parent.to_owned(), |was| format!("{was} → {parent}"));
        vec![
            Cell::plain(self.shortname),
            Cell::plain(self.profile.map(ProfileName::as_str).unwrap_or_default()),
            Cell::styled(word, style),
            Cell::plain(parent),
            Cell::plain(if self.trial == Some(true) { "trial" } else { "" }),
        ]
    }
}

impl State {
    fn shown(self) -> (&'static str, Style) {
        match self {
            Self::Missing => ("missing", AnsiColor::Yellow.on_default()),
            Self::Orphaned => ("orphaned", AnsiColor::Red.on_default()),
            Self::Moved => ("moved", AnsiColor::Cyan.on_default()),
            Self::Matched => ("matched", AnsiColor::Green.on_default()),
        }
    }
}

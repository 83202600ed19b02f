//! Compares a reseller's accounts with the profiles of the store.

use super::parents::Parents;
use super::tree::Tree;
use crate::fusion::Customer;
use crate::output::{Cell, Column, Row, Shrink};
use crate::profile::{Profile, ProfileName};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::collections::BTreeMap;

/// Result of comparing an account with the profiles. Rows are sorted in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AccountState {
    /// Account without a profile.
    Missing,
    /// Profile whose account the reseller does not have.
    Orphaned,
    /// Account that has a profile and a new parent.
    Moved,
    /// Account that has a profile and no known change of parent.
    Matched,
}

/// Row of an account, a profile, or both.
#[derive(Serialize)]
pub(super) struct DiscoverRow<'a> {
    pub(super) shortname: &'a str,
    profile: Option<&'a ProfileName>,
    pub(super) state: AccountState,
    parent: Option<&'a str>,
    trial: Option<bool>,
    /// Parent that this machine saw last, if the server now names another parent.
    #[serde(skip)]
    previous_parent: Option<&'a str>,
}

/// Returns a row for each profile, and for each account without a profile. Matched rows come last.
///
/// `profiles` are the profiles that use the reseller's API. If `all_known` is false, the tree may lack accounts.
/// Profiles without an account are then omitted, except those of the reseller itself.
pub(super) fn rows<'a>(
    tree: &'a Tree,
    reseller: &'a Profile,
    profiles: &[&'a Profile],
    parents: &'a Parents,
    all_known: bool,
) -> Vec<DiscoverRow<'a>> {
    let mut names_by_tenant: BTreeMap<&str, Vec<&ProfileName>> = BTreeMap::new();
    for profile in profiles {
        if let Some(shortname) = profile.shortname.as_deref() {
            names_by_tenant.entry(shortname).or_default().push(&profile.name);
        }
    }
    let mut rows = Vec::new();
    for customer in tree.customers.values() {
        let previous_parent = parents.previous_parent(&reseller.url, customer);
        let row = |profile, state| DiscoverRow::new(customer, profile, state, previous_parent);
        match names_by_tenant.remove(customer.shortname.as_str()) {
            None => rows.push(row(None, AccountState::Missing)),
            Some(names) => {
                let state = if previous_parent.is_some() { AccountState::Moved } else { AccountState::Matched };
                rows.extend(names.into_iter().map(|name| row(Some(name), state)));
            }
        }
    }
    for (shortname, names) in names_by_tenant {
        // A reseller may be missing from its own list.
        let is_own = reseller.shortname.as_deref() == Some(shortname);
        let state = if is_own { AccountState::Matched } else { AccountState::Orphaned };
        if all_known || is_own {
            rows.extend(names.into_iter().map(|name| DiscoverRow::without_account(shortname, name, state)));
        }
    }
    rows.sort_by_key(|row| (row.state, row.shortname));
    rows
}

impl<'a> DiscoverRow<'a> {
    fn new(
        customer: &'a Customer,
        profile: Option<&'a ProfileName>,
        state: AccountState,
        previous_parent: Option<&'a str>,
    ) -> Self {
        let parent = customer.parent.as_deref();
        Self { shortname: &customer.shortname, profile, state, parent, trial: customer.trial, previous_parent }
    }

    /// Returns the row of a profile without an account.
    fn without_account(shortname: &'a str, profile: &'a ProfileName, state: AccountState) -> Self {
        Self { shortname, profile: Some(profile), state, parent: None, trial: None, previous_parent: None }
    }
}

impl Row for DiscoverRow<'_> {
    const FIELDS: &'static [&'static str] = &["shortname", "profile", "state", "parent", "trial"];

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("TENANT", Shrink::Cut, |row| Cell::plain(row.shortname)),
            Column::left("PROFILE", Shrink::Keep, |row| Cell::optional(row.profile.map(ProfileName::as_str))),
            Column::left("STATE", Shrink::Keep, |row| {
                let (label, style) = row.state.label_and_style();
                Cell::styled(label, style)
            }),
            Column::left("PARENT", Shrink::CutOrDrop, |row| {
                let parent = row.parent.unwrap_or_default();
                Cell::plain(
                    row.previous_parent.map_or_else(|| parent.to_owned(), |previous| format!("{previous} → {parent}")),
                )
            }),
            Column::left("TRIAL", Shrink::Drop, |row| Cell::plain(if row.trial == Some(true) { "trial" } else { "" })),
        ]
    }
}

impl AccountState {
    fn label_and_style(self) -> (&'static str, Style) {
        match self {
            Self::Missing => ("missing", AnsiColor::Yellow.on_default()),
            Self::Orphaned => ("orphaned", AnsiColor::Red.on_default()),
            Self::Moved => ("moved", AnsiColor::Cyan.on_default()),
            Self::Matched => ("matched", AnsiColor::Green.on_default()),
        }
    }
}

//! Profiles for accounts that have none: all in one change of the store, and without a secret until somebody has one.

use super::shown;
use crate::commands::profile::add::address;
use crate::error::Error;
use crate::output::clean;
use crate::output::humanize::count;
use crate::profile::{Document, Edit, Profile, ProfileName, Store, Value};
use crate::workflow::{Run, locked_edit};
use std::collections::BTreeSet;

/// The label of the new profiles unless told.
const TAG: &str = "discovered";

/// The most profiles whose names differ by a number alone.
const MOST_ALIKE: u32 = 99;

/// The most accounts that are told one by one.
const MOST_TOLD: usize = 8;

/// What becomes of the accounts.
#[derive(Default)]
struct Plan {
    /// The profiles to be, with their tenants.
    profiles: Vec<(ProfileName, String)>,
    /// Lines to tell: names that are not what one would expect.
    renamed: Vec<String>,
    /// Lines to tell: accounts that make no profile, and why.
    skipped: Vec<String>,
}

/// Adds a profile for each of these tenants of the reseller's API, unless somebody did meanwhile.
pub(super) fn run(run: &Run<'_>, reseller: &Profile, tenants: &[&str], tags: &[String]) -> Result<(), Error> {
    if tenants.is_empty() {
        run.ui.note("There is nothing to add");
        return Ok(());
    }
    let mut plan = Plan::default();
    locked_edit::store(run, |document| {
        plan = Plan::of(document.store(), reseller, tenants);
        plan.edits(document, reseller, tags)
    })?;
    plan.tell(run);
    Ok(())
}

impl Plan {
    fn of(store: &Store, reseller: &Profile, tenants: &[&str]) -> Self {
        let profiles = || store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
        let own = profiles().filter(|profile| profile.url == reseller.url);
        let there: BTreeSet<&str> = own.filter_map(|profile| profile.shortname.as_deref()).collect();
        let mut taken: BTreeSet<ProfileName> = store.names().cloned().collect();
        let mut plan = Self::default();
        for tenant in tenants.iter().filter(|tenant| !there.contains(**tenant)) {
            match name(tenant, &taken) {
                Ok(name) => {
                    plan.renamed.extend(told_name(tenant, &name));
                    taken.insert(name.clone());
                    plan.profiles.push((name, (*tenant).to_owned()));
                }
                Err(why) => plan.skipped.push(format!("'{}': {why}", shown(tenant))),
            }
        }
        plan
    }

    fn edits(&self, document: &Document, reseller: &Profile, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let address = address(Some(&reseller.url), document.store().defaults.url.as_ref())?;
        let tags = if tags.is_empty() { vec![TAG.to_owned()] } else { tags.to_vec() };
        let edit = |(name, tenant): &(ProfileName, String)| {
            let mut entries = vec![("shortname".to_owned(), Value::Text(tenant.clone()))];
            entries.extend(address.clone());
            entries.push(("tags".to_owned(), Value::List(tags.clone())));
            Edit::AddProfile { name: name.clone(), entries }
        };
        Ok(self.profiles.iter().map(edit).collect())
    }

    fn tell(self, run: &Run<'_>) {
        if !self.skipped.is_empty() {
            let accounts = count(self.skipped.len(), "account");
            run.ui.warn(&format!("{accounts} got no profile:\n{}", some(self.skipped)));
        }
        if !self.renamed.is_empty() {
            run.ui.note(&some(self.renamed));
        }
        run.ui.note(&format!("Added {}, still without a secret", count(self.profiles.len(), "profile")));
        if let Some((name, _)) = self.profiles.first() {
            run.ui.note(&format!("Next: neto profile set-secret {name}"));
        }
    }
}

/// The name that a tenant's shortname suggests, with a number where it is taken; or why there is none.
fn name(tenant: &str, taken: &BTreeSet<ProfileName>) -> Result<ProfileName, String> {
    if clean(tenant) != tenant {
        return Err("it holds characters that no store should".to_owned());
    }
    let first = ProfileName::from_shortname(tenant).map_err(|error| error.to_string())?;
    let numbered = (2..=MOST_ALIKE).map_while(|number| format!("{first}-{number}").parse().ok());
    let free = std::iter::once(first.clone()).chain(numbered).find(|name| !taken.contains(name));
    free.ok_or_else(|| format!("the name '{first}' and those like it are taken"))
}

/// What is said where a name is not the one that was to be expected.
fn told_name(tenant: &str, name: &ProfileName) -> Option<String> {
    let expected = ProfileName::from_shortname(tenant).ok().filter(|expected| expected != name)?;
    Some(format!("the name '{expected}' is taken, so the profile of '{}' is '{name}'", shown(tenant)))
}

/// The first lines, and how many more.
fn some(mut lines: Vec<String>) -> String {
    if lines.len() > MOST_TOLD {
        let more = lines.split_off(MOST_TOLD).len();
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

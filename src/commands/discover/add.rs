//! Adds profiles for accounts that have none, all in one edit of the store. The new profiles have no secret yet.

use super::display_shortname;
use crate::commands::profile::add::url_entry;
use crate::error::Error;
use crate::output::humanize::pluralize;
use crate::output::sanitize_line;
use crate::profile::{Document, Edit, EditValue, Profile, ProfileName, Store};
use crate::workflow::{Run, locked_edit};
use std::collections::BTreeSet;

/// Tag of the new profiles if `--tag` is not given.
const DEFAULT_TAG: &str = "discovered";

/// Highest number that is appended to a name that is already taken.
const MAX_NAME_SUFFIX: u32 = 99;

/// Maximum number of accounts that are listed one by one.
const MAX_LINES: usize = 8;

/// Profiles to add, and lines to report about them.
#[derive(Default)]
struct AddPlan {
    /// New profiles with their tenants.
    profiles: Vec<(ProfileName, String)>,
    /// Lines about profiles that got a number in their name, because the expected name was taken.
    renamed: Vec<String>,
    /// Lines about accounts that get no profile, with the reason.
    skipped: Vec<String>,
}

/// Adds a profile for each of these tenants of the reseller. Skips tenants for which another process added a profile in
/// the meantime.
pub(super) fn run(run: &Run<'_>, reseller: &Profile, tenants: &[&str], tags: &[String]) -> Result<(), Error> {
    if tenants.is_empty() {
        run.ui.note("There is nothing to add");
        return Ok(());
    }
    let mut plan = AddPlan::default();
    locked_edit::edit_store(run, |document| {
        plan = AddPlan::build(document.store(), reseller, tenants);
        plan.edits(document, reseller, tags)
    })?;
    plan.report(run);
    Ok(())
}

impl AddPlan {
    fn build(store: &Store, reseller: &Profile, tenants: &[&str]) -> Self {
        let profiles = || store.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
        let same_api = profiles().filter(|profile| profile.url == reseller.url);
        let existing: BTreeSet<&str> = same_api.filter_map(|profile| profile.shortname.as_deref()).collect();
        let mut taken: BTreeSet<ProfileName> = store.names().cloned().collect();
        let mut plan = Self::default();
        for tenant in tenants.iter().filter(|tenant| !existing.contains(**tenant)) {
            match free_name(tenant, &taken) {
                Ok(name) => {
                    plan.renamed.extend(rename_note(tenant, &name));
                    taken.insert(name.clone());
                    plan.profiles.push((name, (*tenant).to_owned()));
                }
                Err(reason) => plan.skipped.push(format!("'{}': {reason}", display_shortname(tenant))),
            }
        }
        plan
    }

    fn edits(&self, document: &Document, reseller: &Profile, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let url = url_entry(Some(&reseller.url), document.store().defaults.url.as_ref())?;
        let tags = if tags.is_empty() { vec![DEFAULT_TAG.to_owned()] } else { tags.to_vec() };
        let edit = |(name, tenant): &(ProfileName, String)| {
            let mut entries = vec![("shortname".to_owned(), EditValue::Text(tenant.clone()))];
            entries.extend(url.clone());
            entries.push(("tags".to_owned(), EditValue::List(tags.clone())));
            Edit::AddProfile { name: name.clone(), entries }
        };
        Ok(self.profiles.iter().map(edit).collect())
    }

    fn report(self, run: &Run<'_>) {
        if !self.skipped.is_empty() {
            let accounts = pluralize(self.skipped.len(), "account");
            run.ui.warn(&format!("{accounts} got no profile:\n{}", first_lines(self.skipped)));
        }
        if !self.renamed.is_empty() {
            run.ui.note(&first_lines(self.renamed));
        }
        run.ui.note(&format!("Added {}, still without a secret", pluralize(self.profiles.len(), "profile")));
        if let Some((name, _)) = self.profiles.first() {
            run.ui.note(&format!("Next: neto profile set-secret {name}"));
        }
    }
}

/// Returns the profile name for a tenant's shortname, with a number if the name is taken.
///
/// # Errors
/// Returns the reason why the tenant gets no profile.
fn free_name(tenant: &str, taken: &BTreeSet<ProfileName>) -> Result<ProfileName, String> {
    if sanitize_line(tenant) != tenant {
        return Err("it holds characters that no store should".to_owned());
    }
    let base = ProfileName::from_shortname(tenant).map_err(|error| error.to_string())?;
    let numbered = (2..=MAX_NAME_SUFFIX).map_while(|number| format!("{base}-{number}").parse().ok());
    let free = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name));
    free.ok_or_else(|| format!("the name '{base}' and those like it are taken"))
}

/// Returns a note if the profile's name differs from the name that the shortname suggests.
fn rename_note(tenant: &str, name: &ProfileName) -> Option<String> {
    let expected = ProfileName::from_shortname(tenant).ok().filter(|expected| expected != name)?;
    Some(format!("the name '{expected}' is taken, so the profile of '{}' is '{name}'", display_shortname(tenant)))
}

/// Joins the first [`MAX_LINES`] lines, and appends the number of the remaining lines.
fn first_lines(mut lines: Vec<String>) -> String {
    if lines.len() > MAX_LINES {
        let more = lines.split_off(MAX_LINES).len();
        lines.push(format!("and {more} more"));
    }
    lines.join("\n")
}

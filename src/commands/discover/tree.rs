//! Fetches the accounts below a reseller, and decides whether all accounts are known.
//!
//! All accounts are known if every row could be parsed, and no reseller has fewer listed accounts than the server
//! counts. If a list has [`Customer::MAX_PER_RESPONSE`] accounts, the server must also have sent the count of every
//! account.

use super::{display_shortname, forbidden_hint};
use crate::error::{Code, Error};
use crate::fusion::{Customer, ListResponse};
use crate::output::humanize::pluralize;
use crate::profile::{Profile, SecretLocation};
use crate::session::{Jobs, LoadedProfile, Session, SessionError};
use crate::workflow::{Run, TerminalReporter, replace_forbidden_hint};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Maximum number of gaps that are listed one by one.
const MAX_GAPS: usize = 8;

/// Accounts that the server lists for one reseller, or the error of the request.
type AccountsResult = Result<ListResponse<Customer>, SessionError>;

/// Accounts below a reseller, as the servers list them.
#[derive(Default)]
pub(super) struct Tree {
    /// Shortname in the reseller's profile, or the user name if the profile has no shortname.
    root: String,
    /// Accounts by shortname.
    pub(super) customers: BTreeMap<String, Customer>,
    /// Resellers whose accounts were requested, with the error message if the request failed.
    requested: BTreeMap<String, Option<String>>,
    /// Resellers whose list had the maximum number of accounts.
    full_lists: BTreeSet<String>,
    /// Number of rows that could not be parsed, in all lists together.
    unreadable_rows: usize,
}

impl Tree {
    /// Fetches the reseller's accounts. While accounts are missing, fetches the accounts of the resellers below it,
    /// with the resellers' own profiles.
    ///
    /// # Errors
    /// Returns an error if the request for the first reseller fails, or if the user interrupts. [`Self::gaps`] reports
    /// other failures.
    pub(super) fn fetch(
        run: &Run<'_>,
        reporter: &TerminalReporter<'_>,
        reseller: LoadedProfile<'_>,
        profiles: &[&Profile],
        jobs: Jobs,
    ) -> Result<Self, Error> {
        let session = run.context.session(reporter);
        // A profile with a user name and password has no shortname.
        let root = reseller.profile.shortname.as_ref().or(reseller.profile.username.as_ref());
        let mut tree = Self { root: root.cloned().unwrap_or_default(), ..Self::default() };
        for (root, result) in fetch_all(&session, vec![(tree.root.clone(), reseller)], jobs)? {
            let result =
                result.map_err(|error| replace_forbidden_hint(error, forbidden_hint()).about(&reseller.profile.name));
            tree.add_list(root, result?);
        }
        if tree.full_lists.contains(&tree.root) && !tree.customers.contains_key(&tree.root) {
            tree.fetch_root_account(&session, reseller, jobs)?;
        }
        loop {
            let next = tree.next_resellers(profiles, run);
            if next.is_empty() {
                return Ok(tree);
            }
            for (shortname, result) in fetch_all(&session, next, jobs)? {
                match result.map_err(Error::from) {
                    Ok(listed) => tree.add_list(shortname, listed),
                    Err(error) if matches!(error.code(), Code::Interrupted | Code::Terminated) => return Err(error),
                    Err(error) => drop(tree.requested.insert(shortname, Some(error.message().to_owned()))),
                }
            }
        }
    }

    fn add_list(&mut self, reseller: String, listed: ListResponse<Customer>) {
        if listed.total() >= Customer::MAX_PER_RESPONSE {
            self.full_lists.insert(reseller.clone());
        }
        self.unreadable_rows += listed.unreadable;
        for customer in listed.rows {
            self.customers.entry(customer.shortname.clone()).or_insert(customer);
        }
        self.requested.insert(reseller, None);
    }

    /// Fetches the reseller's own account, which contains the number of accounts directly below the reseller. The
    /// reseller's list may lack this account. If the request fails, [`Self::gaps`] reports the full list.
    fn fetch_root_account(
        &mut self,
        session: &Session<'_>,
        reseller: LoadedProfile<'_>,
        jobs: Jobs,
    ) -> Result<(), SessionError> {
        let Some(path) = Customer::path_of(&self.root) else { return Ok(()) };
        let read = async |loaded| session.read(loaded, path.clone(), Customer::parse).await;
        session.run_each([reseller], jobs, read, |result| {
            if let Some(account) = result.ok().filter(|account: &Customer| account.shortname == self.root) {
                self.customers.insert(self.root.clone(), account);
            }
            ControlFlow::Continue(())
        })
    }

    /// Returns the resellers to request next, each with its profile. Each of them has missing accounts, was not
    /// requested before, and has a profile with a usable secret.
    fn next_resellers<'p>(&self, profiles: &[&'p Profile], run: &Run<'_>) -> Vec<(String, LoadedProfile<'p>)> {
        let can_ask =
            |profile: &Profile| !matches!(profile.secret, SecretLocation::None | SecretLocation::Plaintext(_));
        let reading = run.context.store_reading();
        let incomplete =
            self.incomplete().into_iter().filter(|(reseller, _, _)| !self.requested.contains_key(*reseller));
        let with_profile = incomplete.filter_map(|(reseller, _, _)| {
            let asks_for = |profile: &&&Profile| profile.shortname.as_deref() == Some(reseller) && can_ask(profile);
            Some((reseller.to_owned(), LoadedProfile::new(profiles.iter().find(asks_for)?, reading)))
        });
        with_profile.collect()
    }

    /// Returns the resellers with missing accounts: shortname, number of listed direct accounts, and the server's
    /// count.
    fn incomplete(&self) -> Vec<(&str, u64, u64)> {
        let mut count: BTreeMap<&str, u64> = BTreeMap::new();
        for parent in self.customers.values().filter_map(|customer| customer.parent.as_deref()) {
            *count.entry(parent).or_default() += 1;
        }
        let incomplete = self.customers.values().filter_map(|customer| {
            let count = count.get(customer.shortname.as_str()).copied().unwrap_or(0);
            customer.children.filter(|all| count < *all).map(|all| (customer.shortname.as_str(), count, all))
        });
        incomplete.collect()
    }

    /// Returns a line for each reason why accounts may be unknown; empty if all are known. Lists at most [`MAX_GAPS`]
    /// reasons, followed by the number of the remaining reasons.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.customers.keys().all(|shortname| *shortname == self.root) {
            gaps.push(format!("there is none below {}: it may be no reseller", display_shortname(&self.root)));
        }
        if self.unreadable_rows > 0 {
            gaps.push(format!("{} of the answer cannot be read", pluralize(self.unreadable_rows, "row")));
        }
        // An account that a full list omits may be below any account without a count.
        let has_count = |customer: &Customer| customer.children.is_some();
        let all_counted = self.customers.values().all(has_count);
        let is_complete = |reseller: &&String| all_counted && self.customers.contains_key(*reseller);
        for reseller in self.full_lists.iter().filter(|reseller| !is_complete(reseller)) {
            let (reseller, max) = (display_shortname(reseller), Customer::MAX_PER_RESPONSE);
            gaps.push(format!("the answer for {reseller} is full: it holds {max} accounts and cannot hold more"));
        }
        for (reseller, listed, all) in self.incomplete() {
            let reason = match self.requested.get(reseller) {
                None => "no profile here can ask for them".to_owned(),
                Some(None) => "its answer has no more".to_owned(),
                Some(Some(error)) => error.clone(),
            };
            gaps.push(format!("{listed} of the {all} accounts right below {}: {reason}", display_shortname(reseller)));
        }
        if gaps.len() > MAX_GAPS {
            let more = gaps.split_off(MAX_GAPS).len();
            gaps.push(format!("and {more} more like these"));
        }
        gaps
    }
}

/// Fetches the accounts of each of these resellers. The lists are sorted by the reseller's shortname.
fn fetch_all(
    session: &Session<'_>,
    resellers: Vec<(String, LoadedProfile<'_>)>,
    jobs: Jobs,
) -> Result<Vec<(String, AccountsResult)>, SessionError> {
    let mut lists = Vec::with_capacity(resellers.len());
    let read = async |(shortname, loaded): (String, LoadedProfile<'_>)| {
        (shortname, session.read(loaded, Customer::list_path(), Customer::parse_list).await)
    };
    session.run_each(resellers, jobs, read, |list| {
        lists.push(list);
        ControlFlow::Continue(())
    })?;
    // Lists arrive in any order. If several lists contain an account, the first of them in sorted order is used.
    lists.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(lists)
}

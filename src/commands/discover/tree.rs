//! Fetches the accounts below a reseller, and decides whether all of them are known.
//!
//! All are known if no answer was full. Else the server's count of direct accounts must be reached for every reseller.

use super::{display_shortname, forbidden_hint};
use crate::error::{Code, Error};
use crate::fusion::{Customer, ListAnswer};
use crate::output::humanize::pluralize;
use crate::profile::{Profile, SecretLocation};
use crate::session::{Jobs, LoadedProfile, Session, SessionError};
use crate::workflow::{Run, TerminalReporter, replace_forbidden_hint};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Maximum number of gaps that are listed one by one.
const MAX_GAPS: usize = 8;

/// Accounts that the server lists for one reseller.
type AccountsResult = Result<ListAnswer<Customer>, SessionError>;

/// Accounts below a reseller, as the servers list them.
#[derive(Default)]
pub(super) struct Tree {
    /// Shortname of the reseller, or the user name of the person who asks for the reseller.
    root: String,
    /// Accounts by shortname.
    pub(super) customers: BTreeMap<String, Customer>,
    /// Resellers that were asked, with the error message if the request failed.
    asked: BTreeMap<String, Option<String>>,
    /// Resellers whose answer had the maximum number of accounts.
    full: BTreeSet<String>,
    /// Number of rows that could not be parsed.
    unreadable_rows: usize,
}

impl Tree {
    /// Fetches the reseller's accounts. While accounts are missing, asks the resellers below it with their own
    /// profiles.
    ///
    /// # Errors
    /// The request for the first reseller fails, or the user interrupts. Other failures are kept as gaps.
    pub(super) fn fetch(
        run: &Run<'_>,
        reporter: &TerminalReporter<'_>,
        reseller: LoadedProfile<'_>,
        profiles: &[&Profile],
        jobs: Jobs,
    ) -> Result<Self, Error> {
        let session = run.context.session(reporter);
        // A person's profile names no tenant.
        let root = reseller.profile.shortname.as_ref().or(reseller.profile.username.as_ref());
        let mut tree = Self { root: root.cloned().unwrap_or_default(), ..Self::default() };
        for (root, answer) in fetch_all(&session, vec![(tree.root.clone(), reseller)], jobs)? {
            let answer =
                answer.map_err(|error| replace_forbidden_hint(error, forbidden_hint()).about(&reseller.profile.name));
            tree.add_answer(root, answer?);
        }
        if tree.full.contains(&tree.root) && !tree.customers.contains_key(&tree.root) {
            tree.fetch_root(&session, reseller, jobs)?;
        }
        loop {
            let next = tree.next_resellers(profiles, run);
            if next.is_empty() {
                return Ok(tree);
            }
            for (shortname, answer) in fetch_all(&session, next, jobs)? {
                match answer.map_err(Error::from) {
                    Ok(listed) => tree.add_answer(shortname, listed),
                    Err(error) if matches!(error.code(), Code::Interrupted | Code::Terminated) => return Err(error),
                    Err(error) => drop(tree.asked.insert(shortname, Some(error.message().to_owned()))),
                }
            }
        }
    }

    fn add_answer(&mut self, reseller: String, listed: ListAnswer<Customer>) {
        if listed.total() >= Customer::MAX_PER_ANSWER {
            self.full.insert(reseller.clone());
        }
        self.unreadable_rows += listed.unreadable;
        for customer in listed.rows {
            self.customers.entry(customer.shortname.clone()).or_insert(customer);
        }
        self.asked.insert(reseller, None);
    }

    /// Fetches the reseller's own account for its number of direct accounts. The account may be missing from the
    /// reseller's list. Without this number the tree stays incomplete.
    fn fetch_root(
        &mut self,
        session: &Session<'_>,
        reseller: LoadedProfile<'_>,
        jobs: Jobs,
    ) -> Result<(), SessionError> {
        let Some(path) = Customer::path_of(&self.root) else { return Ok(()) };
        let read = async |loaded| session.read(loaded, path.clone(), Customer::parse).await;
        session.run_each([reseller], jobs, read, |answer| {
            if let Some(is_account) = answer.ok().filter(|is_account: &Customer| is_account.shortname == self.root) {
                self.customers.insert(self.root.clone(), is_account);
            }
            ControlFlow::Continue(())
        })
    }

    /// Returns the resellers to ask next: some of their accounts are missing, and a profile can ask for them.
    fn next_resellers<'p>(&self, profiles: &[&'p Profile], run: &Run<'_>) -> Vec<(String, LoadedProfile<'p>)> {
        let can_ask =
            |profile: &Profile| !matches!(profile.secret, SecretLocation::None | SecretLocation::Plaintext(_));
        let reading = run.context.reading();
        let incomplete = self.incomplete().into_iter().filter(|(reseller, _, _)| !self.asked.contains_key(*reseller));
        let with_profile = incomplete.filter_map(|(reseller, _, _)| {
            let asks_for = |profile: &&&Profile| profile.shortname.as_deref() == Some(reseller) && can_ask(profile);
            Some((reseller.to_owned(), LoadedProfile::new(profiles.iter().find(asks_for)?, reading)))
        });
        with_profile.collect()
    }

    /// Returns the resellers with missing accounts: shortname, number of listed accounts, number of existing accounts.
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

    /// Returns one line for each reason why accounts may be unknown; empty if all are known.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.customers.keys().all(|shortname| *shortname == self.root) {
            gaps.push(format!("there is none below {}: it may be no reseller", display_shortname(&self.root)));
        }
        if self.unreadable_rows > 0 {
            gaps.push(format!("{} of the answer cannot be read", pluralize(self.unreadable_rows, "row")));
        }
        // Accounts that a full answer omits may be below any account without a count.
        let has_count = |customer: &Customer| customer.children.is_some();
        let all_counted = self.customers.values().all(has_count);
        let is_complete = |reseller: &&String| all_counted && self.customers.contains_key(*reseller);
        for reseller in self.full.iter().filter(|reseller| !is_complete(reseller)) {
            let (reseller, max) = (display_shortname(reseller), Customer::MAX_PER_ANSWER);
            gaps.push(format!("the answer for {reseller} is full: it holds {max} accounts and cannot hold more"));
        }
        for (reseller, listed, all) in self.incomplete() {
            let why = match self.asked.get(reseller) {
                None => "no profile here can ask for them".to_owned(),
                Some(None) => "its answer has no more".to_owned(),
                Some(Some(error)) => error.clone(),
            };
            gaps.push(format!("{listed} of the {all} accounts right below {}: {why}", display_shortname(reseller)));
        }
        if gaps.len() > MAX_GAPS {
            let more = gaps.split_off(MAX_GAPS).len();
            gaps.push(format!("and {more} more like these"));
        }
        gaps
    }
}

/// Fetches the accounts of each of these resellers. The answers are sorted by shortname.
fn fetch_all(
    session: &Session<'_>,
    resellers: Vec<(String, LoadedProfile<'_>)>,
    jobs: Jobs,
) -> Result<Vec<(String, AccountsResult)>, SessionError> {
    let mut answers = Vec::with_capacity(resellers.len());
    let read = async |(shortname, loaded): (String, LoadedProfile<'_>)| {
        (shortname, session.read(loaded, Customer::list_path(), Customer::parse_list).await)
    };
    session.run_each(resellers, jobs, read, |answer| {
        answers.push(answer);
        ControlFlow::Continue(())
    })?;
    // Answers arrive in any order. If two of them list the same account, the first one counts.
    answers.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(answers)
}

//! The accounts below a reseller, as far as servers tell of them.
//!
//! Owns when all of them are known: no answer was full, or the reference's count of a reseller's direct accounts is
//! reached, and that for every reseller among them.

use super::{FORBIDDEN, shown};
use crate::error::{Code, Error};
use crate::fusion::{Customer, Listed};
use crate::output::humanize::count;
use crate::profile::{Profile, SecretPlace};
use crate::session::{Declared, Jobs, Session, SessionError};
use crate::workflow::{Run, Watch, forbidden};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The most gaps that are told one by one.
const MOST_GAPS: usize = 8;

/// What the server tells one reseller.
type Answer = Result<Listed<Customer>, SessionError>;

/// All that was told.
#[derive(Default)]
pub(super) struct Tree {
    /// Whose accounts they are: the reseller's shortname, or the name of the person who asks for it.
    root: String,
    /// By their shortnames.
    pub(super) customers: BTreeMap<String, Customer>,
    /// The resellers whose answer is in; the reason where there was none.
    asked: BTreeMap<String, Option<String>>,
    /// The resellers whose answer was full.
    full: BTreeSet<String>,
    /// How many rows could not be read.
    unread: usize,
}

impl Tree {
    /// Asks the reseller, then, as long as accounts are not told, the resellers below it that have one of these profiles.
    ///
    /// # Errors
    /// What the reseller's own server says, or that the user ended it; what others say is kept as a gap.
    pub(super) fn ask(
        run: &Run<'_>,
        watch: &Watch<'_>,
        reseller: Declared<'_>,
        profiles: &[&Profile],
        jobs: Jobs,
    ) -> Result<Self, Error> {
        let session = run.context.session(watch);
        // A person's profile names no tenant.
        let whom = reseller.profile.shortname.as_ref().or(reseller.profile.username.as_ref());
        let mut tree = Self { root: whom.cloned().unwrap_or_default(), ..Self::default() };
        for (root, answer) in answers(&session, vec![(tree.root.clone(), reseller)], jobs)? {
            let told = answer.map_err(|error| forbidden(error, FORBIDDEN).about(&reseller.profile.name));
            tree.take(root, told?);
        }
        if tree.full.contains(&tree.root) && !tree.customers.contains_key(&tree.root) {
            tree.take_root(&session, reseller, jobs)?;
        }
        loop {
            let next = tree.next(profiles, run);
            if next.is_empty() {
                return Ok(tree);
            }
            for (shortname, answer) in answers(&session, next, jobs)? {
                match answer.map_err(Error::from) {
                    Ok(listed) => tree.take(shortname, listed),
                    Err(error) if matches!(error.code(), Code::Interrupted | Code::Terminated) => return Err(error),
                    Err(error) => drop(tree.asked.insert(shortname, Some(error.message().to_owned()))),
                }
            }
        }
    }

    fn take(&mut self, reseller: String, listed: Listed<Customer>) {
        if listed.whole() >= Customer::MOST {
            self.full.insert(reseller.clone());
        }
        self.unread += listed.unread;
        for customer in listed.rows {
            self.customers.entry(customer.shortname.clone()).or_insert(customer);
        }
        self.asked.insert(reseller, None);
    }

    /// The reseller's own account, which need not be in its list, for the count of those below it. Without it the tree
    /// stays incomplete.
    fn take_root(&mut self, session: &Session<'_>, reseller: Declared<'_>, jobs: Jobs) -> Result<(), SessionError> {
        let Some(place) = Customer::place(&self.root) else { return Ok(()) };
        let read = async |declared| session.read(declared, place.clone(), Customer::parse).await;
        session.each([reseller], jobs, read, |answer| {
            if let Some(own) = answer.ok().filter(|own: &Customer| own.shortname == self.root) {
                self.customers.insert(self.root.clone(), own);
            }
            ControlFlow::Continue(())
        })
    }

    /// The resellers to be asked next: some of their accounts are not told, and a profile can ask for them.
    fn next<'p>(&self, profiles: &[&'p Profile], run: &Run<'_>) -> Vec<(String, Declared<'p>)> {
        let can_ask = |profile: &Profile| !matches!(profile.secret, SecretPlace::None | SecretPlace::Clear(_));
        let reading = run.context.reading();
        let short = self.short().into_iter().filter(|(reseller, _, _)| !self.asked.contains_key(*reseller));
        let with_profile = short.filter_map(|(reseller, _, _)| {
            let own = |profile: &&&Profile| profile.shortname.as_deref() == Some(reseller) && can_ask(profile);
            Some((reseller.to_owned(), Declared { profile: profiles.iter().find(own)?, reading }))
        });
        with_profile.collect()
    }

    /// The resellers of which fewer accounts are told than they have: shortname, how many are told, how many there are.
    fn short(&self) -> Vec<(&str, u64, u64)> {
        let mut told: BTreeMap<&str, u64> = BTreeMap::new();
        for parent in self.customers.values().filter_map(|customer| customer.parent.as_deref()) {
            *told.entry(parent).or_default() += 1;
        }
        let short = self.customers.values().filter_map(|customer| {
            let told = told.get(customer.shortname.as_str()).copied().unwrap_or(0);
            customer.children.filter(|all| told < *all).map(|all| (customer.shortname.as_str(), told, all))
        });
        short.collect()
    }

    /// Why accounts may be unknown, a line each; empty when all are known.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.customers.keys().all(|shortname| *shortname == self.root) {
            gaps.push(format!("there is none below {}: it may be no reseller", shown(&self.root)));
        }
        if self.unread > 0 {
            gaps.push(format!("{} of the answer cannot be read", count(self.unread, "row")));
        }
        // What a full answer leaves out may lie below any account whose number of them is not told.
        let counted = |customer: &Customer| customer.children.is_some();
        let all_counted = self.customers.values().all(counted);
        let proven = |reseller: &&String| all_counted && self.customers.contains_key(*reseller);
        for reseller in self.full.iter().filter(|reseller| !proven(reseller)) {
            let (whom, most) = (shown(reseller), Customer::MOST);
            gaps.push(format!("the answer for {whom} is full: it holds {most} accounts and cannot hold more"));
        }
        for (reseller, told, all) in self.short() {
            let why = match self.asked.get(reseller) {
                None => "no profile here can ask for them".to_owned(),
                Some(None) => "its answer has no more".to_owned(),
                Some(Some(error)) => error.clone(),
            };
            gaps.push(format!("{told} of the {all} accounts right below {}: {why}", shown(reseller)));
        }
        if gaps.len() > MOST_GAPS {
            let more = gaps.split_off(MOST_GAPS).len();
            gaps.push(format!("and {more} more like these"));
        }
        gaps
    }
}

/// What the servers tell each of these resellers, in their order.
fn answers(
    session: &Session<'_>,
    resellers: Vec<(String, Declared<'_>)>,
    jobs: Jobs,
) -> Result<Vec<(String, Answer)>, SessionError> {
    let mut answers = Vec::with_capacity(resellers.len());
    let read = async |(shortname, declared): (String, Declared<'_>)| {
        (shortname, session.read(declared, Customer::list(), Customer::parse_list).await)
    };
    session.each(resellers, jobs, read, |answer| {
        answers.push(answer);
        ControlFlow::Continue(())
    })?;
    // They come in no order, and of two that tell of one account the first counts.
    answers.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(answers)
}

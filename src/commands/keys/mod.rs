//! `neto keys`: the API keys of tenants, as their servers list them, beside the store.
//!
//! What stands out of a key is in `row`.

mod row;

use crate::error::{Code, Error};
use crate::fusion::{ApiKey, Listed};
use crate::output::humanize::count;
use crate::output::{Format, render};
use crate::profile::{ApiUrl, Profile, Span};
use crate::session::{Declared, Session, SessionError};
use crate::workflow::{Fleet, JobsArgs, Run, SelectArgs, Watch, forbidden, remember};
use clap::Args;
use row::{KeyRow, State};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What to do where a key may not list keys.
const FORBIDDEN: &str = "neto keys PROFILE    with one whose key may list the keys of the tenant";

/// Show the API keys of tenants, and which of them stand out
///
/// Asks each tenant's server for its keys, with the first of the tenant's profiles that may list them. The state of a
/// key is the first of these that holds:
///
/// unknown: no profile here has a key of that name for that tenant.
///
/// elsewhere: the server saw a login with it over five minutes after this machine's cached token came, so somebody else
/// uses it too. A tenant without a usable token is signed in to first, and that is its last login then.
///
/// unused: no login for 90 days, or never.
///
/// ok: none of these.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto keys
  neto keys --all --check              exit 9 when a key stands out
  neto keys 'acme-*' --unused 30d -o csv")]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// From how long without a login on a key counts as unused
    #[arg(long, value_name = "TIME", default_value = "90d")]
    unused: Span,
    /// Exit 9 when the state of a key is not ok
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// A tenant of an API, and the selected profiles of it.
struct Tenant<'a> {
    url: &'a ApiUrl,
    shortname: &'a str,
    first: &'a Profile,
    others: Vec<&'a Profile>,
}

/// The profiles of each tenant of an API.
type Holders<'a> = BTreeMap<(&'a ApiUrl, &'a str), Vec<&'a Profile>>;

/// Lists the keys of the selected profiles' tenants.
pub(crate) fn run(args: &KeysArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.or_chosen(run)?;
    let several = selected.len() > 1;
    let mut fleet = Fleet::new(run, "Asking", selected.iter().map(|one| &*one.name));
    let profiles = fleet.with_secrets(selected);
    let holders = holders(run, &profiles)?;
    let tenants = tenants(profiles, several, &mut fleet);
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let answers = ask(args, run, &session, &tenants, &mut fleet)?;
    remember(run, &watch);
    let mut rows = Vec::new();
    for (tenant, keys) in tenants.iter().zip(answers) {
        rows.extend(keys.into_iter().flat_map(|keys| tenant.rows(keys, &holders, args.unused, run, &session)));
    }
    // Of a failure alone there is nothing to show.
    if !(rows.is_empty() && fleet.has_failures()) {
        run.ui.answer(&render(&rows, args.output, &run.ui.look()))?;
    }
    tell_faulty(run, &rows)?;
    fleet.end("neto keys")?;
    if args.check { check(&rows) } else { Ok(()) }
}

/// The profiles of the store, and those that were selected and lie elsewhere.
fn holders<'a>(run: &Run<'a>, selected: &[&'a Profile]) -> Result<Holders<'a>, Error> {
    let stored = run.context.store()?.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let elsewhere = selected.iter().copied().filter(|profile| profile.name.is_env());
    let mut holders = Holders::new();
    for profile in stored.chain(elsewhere) {
        if let Some(shortname) = &profile.shortname {
            holders.entry((&profile.url, shortname.as_str())).or_default().push(profile);
        }
    }
    Ok(holders)
}

/// The tenants of these profiles, in their order. A person's profile names none.
fn tenants<'a>(profiles: Vec<&'a Profile>, several: bool, fleet: &mut Fleet<'_>) -> Vec<Tenant<'a>> {
    let mut tenants: Vec<Tenant<'a>> = Vec::new();
    let mut places: BTreeMap<(&ApiUrl, &str), usize> = BTreeMap::new();
    for profile in profiles {
        let Some(shortname) = profile.shortname.as_deref() else {
            if several {
                fleet.done(&profile.name, "skipped, a person's profile names no tenant");
            } else {
                let error = Error::new(Code::Store, "a person's profile names no tenant");
                let _ = fleet.failed(&profile.name, error.with_hint("neto keys PROFILE    with one of an API key"));
            }
            continue;
        };
        let place = *places.entry((&profile.url, shortname)).or_insert(tenants.len());
        match tenants.get_mut(place) {
            Some(tenant) => tenant.others.push(profile),
            None => tenants.push(Tenant { url: &profile.url, shortname, first: profile, others: Vec::new() }),
        }
    }
    tenants
}

/// What each tenant's server says, in their order; nothing of those that failed.
fn ask(
    args: &KeysArgs,
    run: &Run<'_>,
    session: &Session<'_>,
    tenants: &[Tenant<'_>],
    fleet: &mut Fleet<'_>,
) -> Result<Vec<Option<Listed<ApiKey>>>, SessionError> {
    let mut answers = vec![None; tenants.len()];
    let ask = async |place: usize| (place, tenants[place].ask(session, run).await);
    session.each(0..tenants.len(), args.jobs.jobs, ask, |(place, (asked, answer))| {
        match answer {
            Ok(keys) => {
                answers[place] = Some(keys);
                fleet.step();
            }
            Err(error) => fleet.failed(&asked.name, forbidden(error, FORBIDDEN))?,
        }
        tenants[place].others.iter().for_each(|_| fleet.step());
        ControlFlow::Continue(())
    })?;
    Ok(answers)
}

impl<'a> Tenant<'a> {
    /// The keys, and the profile that was asked with last: the first that may list them, else one that may not.
    async fn ask(&self, session: &Session<'_>, run: &Run<'_>) -> (&'a Profile, Result<Listed<ApiKey>, SessionError>) {
        let read = async |profile| {
            let declared = Declared { profile, reading: run.context.reading() };
            (profile, session.read(declared, ApiKey::list(), ApiKey::parse_list).await)
        };
        let mut asked = read(self.first).await;
        for other in &self.others {
            if !matches!(asked.1, Err(SessionError::Forbidden(_))) {
                break;
            }
            asked = read(other).await;
        }
        asked
    }

    /// A row for each key and profile that has it.
    fn rows(
        &self,
        keys: Listed<ApiKey>,
        holders: &Holders<'a>,
        unused: Span,
        run: &Run<'_>,
        session: &Session<'_>,
    ) -> Vec<KeyRow<'a>> {
        if keys.unread > 0 {
            let lost = count(keys.unread, "key");
            run.ui.warn(&format!("{}: {lost} in the answer cannot be read", self.first.name));
        }
        let now = run.context.process.clock.now();
        let mut rows = Vec::new();
        let profiles = holders.get(&(self.url, self.shortname)).map_or(&[][..], Vec::as_slice);
        for key in keys.rows {
            let has_it = |profile: &&&Profile| profile.appname.as_ref() == Some(&key.appname);
            let holders: Vec<&'a Profile> = profiles.iter().filter(has_it).copied().collect();
            let state = State::of(&key, &holders, unused, now, session);
            rows.extend(KeyRow::of(key, self.shortname, state, &holders));
        }
        rows.sort_by(|one, other| one.place().cmp(&other.place()));
        rows
    }
}

/// A faulty profile may have a key that is called unknown.
fn tell_faulty(run: &Run<'_>, rows: &[KeyRow<'_>]) -> Result<(), Error> {
    let faulty = run.context.store()?.profiles.iter().filter(|entry| entry.profile.is_err()).count();
    if faulty > 0 && rows.iter().any(|row| row.state == State::Unknown) {
        let profiles = count(faulty, "profile");
        run.ui.warn(&format!("{profiles} cannot be read, and a key of theirs counts as unknown:\nneto profile list"));
    }
    Ok(())
}

fn check(rows: &[KeyRow<'_>]) -> Result<(), Error> {
    let of = |state| rows.iter().filter(|row| row.state == state).count();
    let (unknown, elsewhere, unused) = (of(State::Unknown), of(State::Elsewhere), of(State::Unused));
    if unknown + elsewhere + unused == 0 {
        return Ok(());
    }
    let keys = count(rows.len(), "key");
    let error = Error::new(
        Code::Found,
        format!("of {keys} {unknown} unknown, {elsewhere} used from elsewhere, {unused} unused"),
    );
    Err(if elsewhere > 0 {
        error.with_hint("neto rotate PROFILE    gives it a key that nobody else has")
    } else {
        error.with_hint("neto api DELETE /api-keys/KEY -p PROFILE    takes away one that nobody needs")
    })
}

//! `neto keys`: lists the API keys of tenants, with the profiles that have them. `row` decides the state of a key.

mod row;

use crate::error::{Code, Error, Hint};
use crate::fusion::{ApiKey, ListResponse};
use crate::output::humanize::pluralize;
use crate::output::{Format, render_rows};
use crate::profile::{ApiUrl, Profile, Span};
use crate::session::{LoadedProfile, Session, SessionError};
use crate::workflow::{
    Batch, JobsArgs, Run, SelectArgs, TerminalReporter, record_first_seen_profiles, replace_forbidden_hint,
};
use clap::Args;
use row::{KeyRow, KeyState};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Returns the hint for an API key without permission to list keys.
fn forbidden_hint() -> Hint {
    Hint::command("neto keys PROFILE").remark("with one whose key may list the keys of the tenant")
}

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

/// Tenant of an API, with its selected profiles.
struct Tenant<'a> {
    url: &'a ApiUrl,
    shortname: &'a str,
    first: &'a Profile,
    others: Vec<&'a Profile>,
}

/// Profiles by tenant. API URL and shortname identify a tenant.
type ProfilesByTenant<'a> = BTreeMap<(&'a ApiUrl, &'a str), Vec<&'a Profile>>;

/// Lists the keys of the selected profiles' tenants.
pub(crate) fn run(args: &KeysArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.resolve_or_current(run)?;
    let several = selected.len() > 1;
    let mut batch = Batch::new(run, "Asking", selected.iter().map(|selected| &*selected.name));
    let profiles = batch.with_secrets(selected);
    let profiles_by_tenant = profiles_by_tenant(run, &profiles)?;
    let tenants = tenants(profiles, several, &mut batch);
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let key_lists = list_keys(args, run, &session, &tenants, &mut batch)?;
    record_first_seen_profiles(run, &reporter);
    let mut rows = Vec::new();
    for (tenant, keys) in tenants.iter().zip(key_lists) {
        rows.extend(
            keys.into_iter().flat_map(|keys| tenant.rows(keys, &profiles_by_tenant, args.unused, run, &session)),
        );
    }
    // If every request failed, no empty table is printed.
    if !(rows.is_empty() && batch.has_failures()) {
        run.ui.print(&render_rows(&rows, args.output, &run.ui.render_options()))?;
    }
    warn_of_invalid_profiles(run, &rows)?;
    batch.finish("neto keys")?;
    if args.check { check_states(&rows) } else { Ok(()) }
}

/// Returns the profiles of the store by tenant. Includes the profile `env` if it is selected.
fn profiles_by_tenant<'a>(run: &Run<'a>, selected: &[&'a Profile]) -> Result<ProfilesByTenant<'a>, Error> {
    let stored = run.context.store()?.profiles.iter().filter_map(|entry| entry.profile.as_ref().ok());
    let elsewhere = selected.iter().copied().filter(|profile| profile.name.is_env());
    let mut profiles_by_tenant = ProfilesByTenant::new();
    for profile in stored.chain(elsewhere) {
        if let Some(shortname) = &profile.shortname {
            profiles_by_tenant.entry((&profile.url, shortname.as_str())).or_default().push(profile);
        }
    }
    Ok(profiles_by_tenant)
}

/// Returns the tenants of these profiles, in the same order. A profile with a user name and password has no tenant: it
/// is skipped, or recorded as failed if `several` is false.
fn tenants<'a>(profiles: Vec<&'a Profile>, several: bool, batch: &mut Batch<'_>) -> Vec<Tenant<'a>> {
    let mut tenants: Vec<Tenant<'a>> = Vec::new();
    let mut indexes: BTreeMap<(&ApiUrl, &str), usize> = BTreeMap::new();
    for profile in profiles {
        let Some(shortname) = profile.shortname.as_deref() else {
            if several {
                batch.done_with_note(&profile.name, "skipped, a person's profile names no tenant");
            } else {
                let error = Error::new(Code::Store, "a person's profile names no tenant");
                let _ = batch.failed(
                    &profile.name,
                    error.with_hint(Hint::command("neto keys PROFILE").remark("with one of an API key")),
                );
            }
            continue;
        };
        let index = *indexes.entry((&profile.url, shortname)).or_insert(tenants.len());
        match tenants.get_mut(index) {
            Some(tenant) => tenant.others.push(profile),
            None => tenants.push(Tenant { url: &profile.url, shortname, first: profile, others: Vec::new() }),
        }
    }
    tenants
}

/// Lists the keys of each tenant, in the order of the tenants; `None` for tenants whose request failed.
fn list_keys(
    args: &KeysArgs,
    run: &Run<'_>,
    session: &Session<'_>,
    tenants: &[Tenant<'_>],
    batch: &mut Batch<'_>,
) -> Result<Vec<Option<ListResponse<ApiKey>>>, SessionError> {
    let mut key_lists = vec![None; tenants.len()];
    let list_one = async |index: usize| (index, tenants[index].list_keys(session, run).await);
    session.run_each(0..tenants.len(), args.jobs.jobs, list_one, |(index, (profile, result))| {
        match result {
            Ok(keys) => {
                key_lists[index] = Some(keys);
                batch.step_done();
            }
            Err(error) => batch.failed(&profile.name, replace_forbidden_hint(error, forbidden_hint()))?,
        }
        tenants[index].others.iter().for_each(|_| batch.step_done());
        ControlFlow::Continue(())
    })?;
    Ok(key_lists)
}

impl<'a> Tenant<'a> {
    /// Lists the keys with the first profile that is allowed to list them. Returns the profile that was tried last,
    /// with its result.
    async fn list_keys(
        &self,
        session: &Session<'_>,
        run: &Run<'_>,
    ) -> (&'a Profile, Result<ListResponse<ApiKey>, SessionError>) {
        let read = async |profile| {
            let loaded = LoadedProfile::new(profile, run.context.store_reading());
            (profile, session.read(loaded, ApiKey::list_path(), ApiKey::parse_list).await)
        };
        let mut attempt = read(self.first).await;
        for other in &self.others {
            if !matches!(attempt.1, Err(SessionError::Forbidden(_))) {
                break;
            }
            attempt = read(other).await;
        }
        attempt
    }

    /// Returns the rows of the tenant's keys, sorted. Warns about keys that could not be parsed.
    fn rows(
        &self,
        keys: ListResponse<ApiKey>,
        holders: &ProfilesByTenant<'a>,
        unused: Span,
        run: &Run<'_>,
        session: &Session<'_>,
    ) -> Vec<KeyRow<'a>> {
        if keys.unreadable > 0 {
            let unreadable = pluralize(keys.unreadable, "key");
            run.ui.warn(&format!("{}: {unreadable} in the answer cannot be read", self.first.name));
        }
        let now = run.context.process.clock.now();
        let mut rows = Vec::new();
        let profiles = holders.get(&(self.url, self.shortname)).map_or(&[][..], Vec::as_slice);
        for key in keys.rows {
            let has_key = |profile: &&&Profile| profile.appname.as_ref() == Some(&key.appname);
            let holders: Vec<&'a Profile> = profiles.iter().filter(has_key).copied().collect();
            let state = KeyState::new(&key, &holders, unused, now, session);
            rows.extend(KeyRow::of_key(key, self.shortname, state, &holders));
        }
        rows.sort_by(|left, right| left.sort_key().cmp(&right.sort_key()));
        rows
    }
}

/// Warns about invalid profiles if a key is unknown, because an invalid profile may have that key.
fn warn_of_invalid_profiles(run: &Run<'_>, rows: &[KeyRow<'_>]) -> Result<(), Error> {
    let invalid = run.context.store()?.profiles.iter().filter(|entry| entry.profile.is_err()).count();
    if invalid > 0 && rows.iter().any(|row| row.state == KeyState::Unknown) {
        let profiles = pluralize(invalid, "profile");
        run.ui.warn(&format!("{profiles} cannot be read, and a key of theirs counts as unknown:\nneto profile list"));
    }
    Ok(())
}

fn check_states(rows: &[KeyRow<'_>]) -> Result<(), Error> {
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let (unknown, elsewhere, unused) = (count(KeyState::Unknown), count(KeyState::Elsewhere), count(KeyState::Unused));
    if unknown + elsewhere + unused == 0 {
        return Ok(());
    }
    let keys = pluralize(rows.len(), "key");
    let error = Error::new(
        Code::ProblemFound,
        format!("of {keys} {unknown} unknown, {elsewhere} used from elsewhere, {unused} unused"),
    );
    Err(if elsewhere > 0 {
        error.with_hint(Hint::command("neto rotate PROFILE").remark("gives it a key that nobody else has"))
    } else {
        error.with_hint(
            Hint::command("neto api DELETE /api-keys/KEY -p PROFILE").remark("takes away one that nobody needs"),
        )
    })
}

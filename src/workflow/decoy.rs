//! What `exec --decoy` and `proxy` share: what a program behind a decoy may do, the decoy of one profile, and the
//! environment that goes with it.

use crate::decoy::{Audit, Bearer, Decoy, Door, NoChance, Reread, Rules, Site};
use crate::error::{Code, Error};
use crate::profile::Profile;
use crate::secret::{Account, Credential};
use crate::session::{Access, Granted, Session, SignIn};
use crate::workflow::Run;
use crate::workflow::exported_variables::Variables;
use clap::Args;
use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How often it is looked whether the audit could be written.
const TICK: Duration = Duration::from_millis(250);

/// The address that no proxy of the environment is to be asked for.
const HERE: &str = "127.0.0.1";

/// The variables that name such addresses; programs read the one or the other.
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables that come with `--with-secret` alone.
const SEPARATE: [&str; 3] = ["NETO_APPNAME", "NETO_APPKEY", "NETO_SHARED_SECRET"];

/// What a program behind a decoy may do.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Behind a decoy")]
pub(crate) struct DecoyArgs {
    /// Refuse every call that does not only read
    #[arg(long)]
    read_only: bool,
    /// Let it make, change and remove API keys, with which it could make itself a real one
    #[arg(long, conflicts_with = "read_only")]
    allow_keys: bool,
    /// Append a line of JSON for each request: time, profile, method, path, status, ms, bytes
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// Let it write to a protected profile without asking
    #[arg(short, long)]
    yes: bool,
}

impl DecoyArgs {
    /// Whether nothing was typed.
    pub(crate) fn is_empty(&self) -> bool {
        !(self.read_only || self.allow_keys || self.yes) && self.audit.is_none()
    }

    /// Refuses profiles that have no NETOSECRET, asks before a protected one may be written to, and makes ready what opens
    /// the secrets: a token ends while the program runs, and then nobody is asked. `verb` is how it was typed.
    pub(crate) fn prepare(&self, run: &Run<'_>, profiles: &[&Profile], verb: &str) -> Result<(), Error> {
        if let Some(person) = profiles.iter().find(|profile| profile.shortname.is_none() || profile.appname.is_none()) {
            return Err(no_netosecret().about(&person.name));
        }
        let protected: Vec<&str> =
            profiles.iter().filter(|profile| profile.protected).map(|profile| profile.name.as_str()).collect();
        if !protected.is_empty() && !self.yes && !self.read_only {
            let question = format!("Let the program write to the protected {}?", protected.join(", "));
            run.confirm(&question, &format!("{verb} {} --read-only    or --yes", protected.join(" ")))?;
        }
        run.unlock(profiles.iter().copied())
    }

    /// Where requests are written down.
    pub(crate) fn audit(&self, run: &Run<'_>) -> Result<Option<Rc<Audit>>, Error> {
        let Some(file) = &self.audit else { return Ok(None) };
        Ok(Some(Rc::new(Audit::new(run.context.absolute(file), run.context.process.clock)?)))
    }

    /// The decoy of a profile behind this door, whose real token is got now, so that what is wrong is known before any
    /// program runs.
    pub(crate) async fn site<'a>(
        &self,
        run: &Run<'_>,
        session: &'a Session<'a>,
        profile: &'a Profile,
        reread: Reread<'a>,
        door: &Door,
        audit: Option<Rc<Audit>>,
    ) -> Result<Site<'a>, Error> {
        let clock = run.context.process.clock;
        let port = door.port().map_err(|error| no_door(&error))?;
        let decoy = Decoy::new(profile, port, clock).map_err(|error| no_chance(&error))?.ok_or_else(no_netosecret)?;
        let bearer = Bearer::new(session, profile, reread, clock);
        if let Err(error) = bearer.get().await {
            // It holds on to the failure, for requests that do not come any more.
            drop(bearer);
            return Err(Rc::try_unwrap(error)
                .map_or_else(|shared| Error::new(Code::Unreachable, shared.to_string()), Error::from));
        }
        let rules = Rules { read_only: self.read_only, allow_keys: self.allow_keys };
        Ok(Site { profile, bearer, decoy, rules, audit, port })
    }
}

/// The profile as the store has it now: a rotation may have given it another key since the decoy began.
pub(crate) fn reread(run: &Run<'_>, profile: &Profile) -> Option<Profile> {
    let store = run.context.store_file().load().ok()??;
    store.entry(&profile.name)?.profile.clone().ok()
}

/// Opens this port, or any that is free.
pub(crate) fn open(port: Option<u16>) -> Result<Door, Error> {
    Door::open(port).map_err(|error| no_door(&error))
}

fn no_door(error: &std::io::Error) -> Error {
    Error::new(Code::System, format!("cannot listen on {HERE}: {}", crate::disk::plain(error)))
}

fn no_chance(error: &NoChance) -> Error {
    Error::new(Code::System, error.to_string())
}

fn no_netosecret() -> Error {
    Error::new(Code::Usage, "a person's profile has no NETOSECRET, so nothing can stand in for it")
        .with_hint("name the profile of an API key")
}

/// The environment of a program behind a decoy: that of the profile, with the false credential and the server's address in
/// place of the real ones, and past every proxy.
pub(crate) fn variables(run: &Run<'_>, site: &Site<'_>, with_secret: bool) -> Variables {
    let secret = site.decoy.secret();
    let profile = Profile { url: secret.url.clone(), ..site.profile.clone() };
    let access = Access {
        token: site.decoy.token().clone(),
        lifetime: Some(site.decoy.lifetime()),
        origin: Granted::Login,
        kept: false,
    };
    let sign_in = SignIn {
        account: Account::ApiKey { shortname: secret.shortname.clone(), appname: secret.appname.clone() },
        credential: Credential::ApiKey { appkey: secret.appkey.clone(), sharedsecret: secret.sharedsecret.clone() },
    };
    let mut variables = Variables::of(run, &profile, &access, Some(&sign_in));
    if !with_secret {
        variables.set.retain(|(name, _)| !SEPARATE.contains(&name.as_str()));
    }
    variables.set.extend(past_proxies(run));
    variables
}

/// `NO_PROXY` and `no_proxy` as they are, and this machine.
fn past_proxies(run: &Run<'_>) -> impl Iterator<Item = (String, String)> {
    let known = NO_PROXY.map(|name| run.context.process.environment.text(name));
    let either = known[0].clone().or_else(|| known[1].clone());
    NO_PROXY.into_iter().zip(known).map(move |(name, own)| {
        let value = match own.or_else(|| either.clone()) {
            // It means every address as long as it stands alone.
            Some(every) if every.trim() == "*" => every,
            Some(others) => format!("{others},{HERE}"),
            None => HERE.to_owned(),
        };
        (name.to_owned(), value)
    })
}

/// Warns where lines of the audit could not be written; says whether it did.
pub(crate) fn warn_of(audit: Option<&Audit>, run: &Run<'_>) -> bool {
    let failure = audit.and_then(Audit::take_failure);
    if let Some(error) = &failure {
        run.ui.warn(&format!("{error}; requests are not written down"));
    }
    failure.is_some()
}

/// Warns of that as soon as it happens, once; never ends.
pub(crate) async fn watch_over(audit: Option<&Audit>, run: &Run<'_>) -> Infallible {
    while !warn_of(audit, run) {
        sleep(TICK).await;
    }
    pending().await
}

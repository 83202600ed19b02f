//! Steps that `exec --decoy` and `proxy` share: permissions of a program behind a decoy, the decoy of one profile, and
//! the program's environment.
//!
//! A decoy is a local server with a fake credential, so that the program never sees the real one.

use crate::decoy::{
    AuditLog, DecoyCredential, Endpoint, Listener, LiveToken, NoRandomness, ReloadProfile, RequestPolicy,
};
use crate::error::{Code, Error, Hint};
use crate::profile::Profile;
use crate::secret::{Account, Credential};
use crate::session::{AccessToken, Login, Session, TokenOrigin};
use crate::workflow::Run;
use crate::workflow::exported_variables::ExportedVariables;
use clap::Args;
use std::convert::Infallible;
use std::future::pending;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// Interval between checks for a failed write to the audit file.
const AUDIT_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// Address on which the decoy listens.
const LOOPBACK: &str = "127.0.0.1";

/// Variables that list addresses to reach without a proxy. A program may read either variable.
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Variables with parts of the credential, which a program receives only with `--with-secret`.
const CREDENTIAL_VARIABLES: [&str; 3] = ["NETO_APPNAME", "NETO_APPKEY", "NETO_SHARED_SECRET"];

/// Limits for a program behind a decoy.
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
    /// Checks that no flag was given.
    pub(crate) fn is_empty(&self) -> bool {
        !(self.read_only || self.allow_keys || self.yes) && self.audit.is_none()
    }

    /// Prepares the profiles before a program runs. Refuses profiles without an API key, confirms writes to protected
    /// profiles, and unlocks the secrets. The secrets are unlocked now, because neto cannot prompt when a token expires
    /// later. `verb` is the command line for the hint.
    pub(crate) fn prepare(&self, run: &Run<'_>, profiles: &[&Profile], verb: &str) -> Result<(), Error> {
        if let Some(keyless) = profiles.iter().find(|profile| profile.shortname.is_none() || profile.appname.is_none())
        {
            return Err(missing_netosecret().about(&keyless.name));
        }
        let protected: Vec<&str> =
            profiles.iter().filter(|profile| profile.protected).map(|profile| profile.name.as_str()).collect();
        if !protected.is_empty() && !self.yes && !self.read_only {
            let question = format!("Let the program write to the protected {}?", protected.join(", "));
            let read_only = Hint::command(format!("{verb} {} --read-only", protected.join(" ")));
            run.confirm(&question, read_only.remark("or --yes"))?;
        }
        run.unlock(profiles.iter().copied())
    }

    /// Opens the audit file, if `--audit` was given.
    pub(crate) fn open_audit(&self, run: &Run<'_>) -> Result<Option<Rc<AuditLog>>, Error> {
        let Some(file) = &self.audit else { return Ok(None) };
        Ok(Some(Rc::new(AuditLog::open(run.context.absolute(file), run.context.process.clock)?)))
    }

    /// Creates the endpoint of a profile behind `listener`. Gets the real token now, so that errors appear before a
    /// program runs.
    pub(crate) async fn start_endpoint<'a>(
        &self,
        run: &Run<'_>,
        session: &'a Session<'a>,
        profile: &'a Profile,
        reload: ReloadProfile<'a>,
        listener: &Listener,
        audit: Option<Rc<AuditLog>>,
    ) -> Result<Endpoint<'a>, Error> {
        let clock = run.context.process.clock;
        let port = listener.port().map_err(|error| listen_error(&error))?;
        let credential = DecoyCredential::new(profile, port, clock)
            .map_err(|error| randomness_error(&error))?
            .ok_or_else(missing_netosecret)?;
        let live_token = LiveToken::new(session, profile, reload, clock);
        if let Err(error) = live_token.get().await {
            // The live token keeps a reference to the error. Without the drop, `try_unwrap` would fail.
            drop(live_token);
            return Err(Rc::try_unwrap(error)
                .map_or_else(|shared| Error::new(Code::Unreachable, shared.to_string()), Error::from));
        }
        let policy = RequestPolicy { read_only: self.read_only, allow_keys: self.allow_keys };
        Ok(Endpoint { profile, live_token, credential, policy, audit, port })
    }
}

/// Reloads the profile from the store, because a rotation may have replaced its key since the decoy started. Returns
/// `None` if the store cannot be read, or the profile is missing or invalid.
pub(crate) fn reload_profile(run: &Run<'_>, profile: &Profile) -> Option<Profile> {
    let store = run.context.store_file().load().ok()??;
    store.entry(&profile.name)?.profile.clone().ok()
}

/// Opens a listener on this port, or on any free port if `port` is `None`.
pub(crate) fn open_listener(port: Option<u16>) -> Result<Listener, Error> {
    Listener::open(port).map_err(|error| listen_error(&error))
}

fn listen_error(error: &std::io::Error) -> Error {
    Error::new(Code::System, format!("cannot listen on {LOOPBACK}: {}", crate::disk::os_message(error)))
}

fn randomness_error(error: &NoRandomness) -> Error {
    Error::new(Code::System, error.to_string())
}

fn missing_netosecret() -> Error {
    Error::new(Code::Usage, "a person's profile has no NETOSECRET, so nothing can stand in for it")
        .with_hint(Hint::advice("name the profile of an API key"))
}

/// Returns the environment of a program behind a decoy: the variables of the profile, with the fake credential and the
/// decoy's address instead of the real ones. `NO_PROXY` exempts this address from proxies.
pub(crate) fn decoy_variables(run: &Run<'_>, endpoint: &Endpoint<'_>, with_secret: bool) -> ExportedVariables {
    let secret = endpoint.credential.netosecret();
    let profile = Profile { url: secret.url.clone(), ..endpoint.profile.clone() };
    let token = AccessToken {
        token: endpoint.credential.access_token().clone(),
        lifetime: Some(endpoint.credential.lifetime()),
        origin: TokenOrigin::Login,
        is_cached: false,
    };
    let login = Login {
        account: Account::ApiKey { shortname: secret.shortname.clone(), appname: secret.appname.clone() },
        credential: Credential::ApiKey { appkey: secret.appkey.clone(), sharedsecret: secret.sharedsecret.clone() },
    };
    let mut variables = ExportedVariables::from_token(run, &profile, &token, Some(&login));
    if !with_secret {
        variables.set.retain(|(name, _)| !CREDENTIAL_VARIABLES.contains(&name.as_str()));
    }
    variables.set.extend(no_proxy_variables(run));
    variables
}

/// Returns `NO_PROXY` and `no_proxy` with the decoy's address added. If only one of the two variables is set, both get
/// its value.
fn no_proxy_variables(run: &Run<'_>) -> impl Iterator<Item = (String, String)> {
    let values = NO_PROXY_VARIABLES.map(|name| run.context.process.environment.text(name));
    let fallback = values[0].clone().or_else(|| values[1].clone());
    NO_PROXY_VARIABLES.into_iter().zip(values).map(move |(name, value)| {
        let value = match value.or_else(|| fallback.clone()) {
            // `*` exempts every address, but only if it is the whole value.
            Some(all) if all.trim() == "*" => all,
            Some(addresses) => format!("{addresses},{LOOPBACK}"),
            None => LOOPBACK.to_owned(),
        };
        (name.to_owned(), value)
    })
}

/// Warns if a line could not be written to the audit file since the last call. Returns whether it warned.
pub(crate) fn warn_audit_failed(audit: Option<&AuditLog>, run: &Run<'_>) -> bool {
    let failure = audit.and_then(AuditLog::take_failure);
    if let Some(error) = &failure {
        run.ui.warn(&format!("{error}; requests are not written down"));
    }
    failure.is_some()
}

/// Regularly checks for failed writes to the audit file, and warns about the first failure. Never returns.
pub(crate) async fn monitor_audit(audit: Option<&AuditLog>, run: &Run<'_>) -> Infallible {
    while !warn_audit_failed(audit, run) {
        sleep(AUDIT_CHECK_INTERVAL).await;
    }
    pending().await
}

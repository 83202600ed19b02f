//! `neto proxy`: serves decoys for programs that are started elsewhere.

use super::export::calling_shell;
use crate::decoy::{Endpoint, Listener, ReloadProfile, serve};
use crate::error::{Code, Error};
use crate::output::{EnvFormat, Shell};
use crate::platform;
use crate::profile::Profile;
use crate::session::Session;
use crate::workflow::decoy::{self, DecoyArgs};
use crate::workflow::{Run, SelectArgs, TerminalReporter, record_first_seen_profiles};
use clap::{Args, ValueEnum};
use std::convert::Infallible;

/// Serve decoys: false credentials for programs that are started elsewhere
///
/// Prints the environment for a program, one block for each profile, and serves until it is interrupted. The
/// program gets the tenant's shortname and appname with a false key and a false token, which open nothing but this
/// server; what it asks with them goes on to the tenant with the real token, which is renewed as long as this runs.
/// What leaks of them opens nothing once it ends.
///
/// This protects the environment, logs and dumps of the program. It does not protect from a program that runs neto
/// itself, nor from other programs of the same user.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto proxy acme --read-only > decoy.env
  neto proxy acme --port 8181 --format dotenv
  neto proxy --tag prod --audit requests.jsonl")]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Port to listen on; each further profile takes the next port [default: any free port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Also the credential in variables of its own: NETO_APPNAME, NETO_APPKEY, NETO_SHARED_SECRET
    #[arg(long)]
    with_secret: bool,
    /// Shell to print for [default: the calling shell]
    #[arg(long, value_enum, value_name = "SHELL", conflicts_with = "format")]
    shell: Option<Shell>,
    /// Print for a file instead
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<ProxyFormat>,
    #[command(flatten)]
    decoy_args: DecoyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProxyFormat {
    /// Lines of NAME='value'
    Dotenv,
    /// An object for each profile
    Json,
}

/// Prints the environments of the decoys, and serves until a signal ends this process.
pub(crate) fn run(args: &ProxyArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = run.valid_profiles(args.select.resolve_or_current(run)?, true)?;
    args.decoy_args.prepare(run, &selected, "neto proxy")?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let reload = |profile: &Profile| decoy::reload_profile(run, profile);
    Session::block_on(serve_until_signal(args, run, &session, &selected, &reload, &reporter))?
        .map(|never| match never {})
}

async fn serve_until_signal<'a>(
    args: &ProxyArgs,
    run: &Run<'_>,
    session: &'a Session<'a>,
    profiles: &[&'a Profile],
    reload: ReloadProfile<'a>,
    reporter: &TerminalReporter<'_>,
) -> Result<Infallible, Error> {
    platform::raise_open_file_limit();
    let audit = args.decoy_args.open_audit(run)?;
    let mut endpoints: Vec<(Listener, Endpoint<'_>)> = Vec::with_capacity(profiles.len());
    for (index, profile) in profiles.iter().enumerate() {
        let listener = decoy::open_listener(args.port(index)?)?;
        let endpoint = args.decoy_args.start_endpoint(run, session, profile, reload, &listener, audit.clone()).await;
        endpoints.push((listener, endpoint.map_err(|error| error.about(&profile.name))?));
    }
    record_first_seen_profiles(run, reporter);
    for (index, (_, endpoint)) in endpoints.iter().enumerate() {
        let variables = decoy::decoy_variables(run, endpoint, args.with_secret);
        let block = args
            .env_format(run)
            .render_exports(&[], &variables.set)
            .map_err(|error| Error::new(Code::Usage, error.to_string()))?;
        run.ui.print(&if index == 0 { block } else { format!("\n{block}") })?;
    }
    let ports: Vec<String> =
        endpoints.iter().map(|(_, endpoint)| format!("{} on port {}", endpoint.profile.name, endpoint.port)).collect();
    run.ui.note(&format!("Serving {} until interrupted", ports.join(", ")));
    Ok(serve(&endpoints, decoy::monitor_audit(audit.as_deref(), run)).await)
}

impl ProxyArgs {
    fn port(&self, index: usize) -> Result<Option<u16>, Error> {
        let Some(first) = self.port else { return Ok(None) };
        let port = u16::try_from(index).ok().and_then(|index| first.checked_add(index));
        port.map(Some).ok_or_else(|| Error::new(Code::Usage, "there are not so many ports above --port"))
    }

    fn env_format(&self, run: &Run<'_>) -> EnvFormat {
        match self.format {
            Some(ProxyFormat::Dotenv) => EnvFormat::Dotenv,
            Some(ProxyFormat::Json) => EnvFormat::Json,
            None => EnvFormat::Shell(self.shell.unwrap_or_else(|| calling_shell(run.context.process.parent))),
        }
    }
}

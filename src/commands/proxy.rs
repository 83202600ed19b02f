//! `neto proxy`: decoys for programs that are started elsewhere.

use super::export::asking;
use crate::decoy::{Door, Reread, Site, allow_many, serve};
use crate::error::{Code, Error};
use crate::output::{EnvFormat, Shell};
use crate::profile::Profile;
use crate::session::Session;
use crate::workflow::decoy::{self, DecoyArgs};
use crate::workflow::{Run, SelectArgs, Watch, remember};
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
    /// Where to listen; of several profiles each takes the next port. Without it any that are free
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Also the credential in variables of its own: NETO_APPNAME, NETO_APPKEY, NETO_SHARED_SECRET
    #[arg(long)]
    with_secret: bool,
    /// The shell to print for; without it the one that asks
    #[arg(long, value_enum, value_name = "SHELL", conflicts_with = "format")]
    shell: Option<Shell>,
    /// Print for a file instead
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Form>,
    #[command(flatten)]
    decoy: DecoyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines of NAME='value'
    Dotenv,
    /// An object for each profile
    Json,
}

/// Serves until a signal ends it.
pub(crate) fn run(args: &ProxyArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = run.sound(args.select.or_chosen(run)?, true)?;
    args.decoy.prepare(run, &selected, "neto proxy")?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let reread = |profile: &Profile| decoy::reread(run, profile);
    session.block_on(serving(args, run, &session, &selected, &reread, &watch))?.map(|never| match never {})
}

async fn serving<'a>(
    args: &ProxyArgs,
    run: &Run<'_>,
    session: &'a Session<'a>,
    profiles: &[&'a Profile],
    reread: Reread<'a>,
    watch: &Watch<'_>,
) -> Result<Infallible, Error> {
    allow_many();
    let audit = args.decoy.audit(run)?;
    let mut sites: Vec<(Door, Site<'_>)> = Vec::with_capacity(profiles.len());
    for (place, profile) in profiles.iter().enumerate() {
        let door = decoy::open(args.port(place)?)?;
        let site = args.decoy.site(run, session, profile, reread, &door, audit.clone()).await;
        sites.push((door, site.map_err(|error| error.about(&profile.name))?));
    }
    remember(run, watch);
    for (place, (_, site)) in sites.iter().enumerate() {
        let variables = decoy::variables(run, site, args.with_secret);
        let text =
            args.form(run).exports(&[], &variables.set).map_err(|error| Error::new(Code::Usage, error.to_string()))?;
        run.ui.answer(&if place == 0 { text } else { format!("\n{text}") })?;
    }
    let ports: Vec<String> =
        sites.iter().map(|(_, site)| format!("{} on port {}", site.profile.name, site.port)).collect();
    run.ui.note(&format!("Serving {} until interrupted", ports.join(", ")));
    Ok(serve(&sites, decoy::watch_over(audit.as_deref(), run)).await)
}

impl ProxyArgs {
    fn port(&self, place: usize) -> Result<Option<u16>, Error> {
        let Some(first) = self.port else { return Ok(None) };
        let port = u16::try_from(place).ok().and_then(|place| first.checked_add(place));
        port.map(Some).ok_or_else(|| Error::new(Code::Usage, "there are not so many ports above --port"))
    }

    fn form(&self, run: &Run<'_>) -> EnvFormat {
        match self.format {
            Some(Form::Dotenv) => EnvFormat::Dotenv,
            Some(Form::Json) => EnvFormat::Json,
            None => EnvFormat::Shell(self.shell.unwrap_or_else(|| asking(run.context.process.parent))),
        }
    }
}

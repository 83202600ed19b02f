//! `neto profile show`: prints all settings of one profile, except its secret.

use super::add::recipient_names;
use super::list::ProfileRow;
use crate::error::Error;
use crate::output::humanize;
use crate::output::{render_details, render_json};
use crate::profile::{Profile, SecretLocation};
use crate::workflow::{Run, TerminalReporter};
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Show one profile in full; never its secret
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile show acme
  neto profile show acme -o json")]
pub(crate) struct ShowArgs {
    /// The profile; without it the chosen one
    #[arg(value_name = "PROFILE")]
    name: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = ShowFormat::Text)]
    output: ShowFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ShowFormat {
    /// Lines for people
    Text,
    /// An object
    Json,
}

#[derive(Serialize)]
struct ProfileDetails<'a> {
    #[serde(flatten)]
    row: ProfileRow<'a>,
    leeway: String,
    timeout: String,
    ca_file: Option<String>,
    env: Vec<String>,
    recipients: Vec<String>,
    source: Option<String>,
}

/// Shows one profile.
pub(crate) fn run(args: &ShowArgs, run: &Run<'_>) -> Result<(), Error> {
    let profile = run.context.resolve_profile(args.name.as_deref())?.profile;
    let details = profile_details(run, &profile)?;
    let text = match args.output {
        ShowFormat::Json => render_json(&details),
        ShowFormat::Text => render_details(&detail_lines(run, &profile, &details), &run.ui.render_options()),
    };
    Ok(run.ui.print(&text)?)
}

fn profile_details<'a>(run: &Run<'_>, profile: &'a Profile) -> Result<ProfileDetails<'a>, Error> {
    let store = run.context.store()?;
    let recipients = recipient_names(store, profile).into_iter().map(str::to_owned);
    Ok(ProfileDetails {
        row: ProfileRow::new(profile, run.current_name().as_ref()),
        leeway: profile.leeway.to_string(),
        timeout: profile.timeout.to_string(),
        ca_file: profile.ca_file.as_ref().map(|path| path.display().to_string()),
        env: profile.env.iter().map(|(name, value)| format!("{name}={}", value.0)).collect(),
        recipients: if matches!(profile.secret, SecretLocation::Sealed(_)) { recipients.collect() } else { Vec::new() },
        source: match &profile.secret {
            SecretLocation::Command(words) => Some(words.join(" ")),
            SecretLocation::File(path) => Some(path.display().to_string()),
            SecretLocation::Env(name) => Some(name.clone()),
            _ => None,
        },
    })
}

fn detail_lines<'a>(run: &Run<'_>, profile: &Profile, details: &'a ProfileDetails<'_>) -> Vec<(&'a str, String)> {
    let mut lines = vec![("profile", profile.name.to_string())];
    let mut add = |key: &'a str, value: Option<String>| lines.extend(value.filter(|v| !v.is_empty()).map(|v| (key, v)));
    add("shortname", profile.shortname.clone());
    add("appname", profile.appname.clone());
    add("username", profile.username.clone());
    add("url", Some(profile.url.to_string()));
    add("description", profile.description.clone());
    add("tags", Some(profile.tags.join(", ")));
    add("protected", profile.protected.then(|| "yes".to_owned()));
    add("secret", Some(secret_text(profile, details)));
    add("leeway", Some(details.leeway.clone()));
    add("timeout", Some(details.timeout.clone()));
    add("ca_file", details.ca_file.clone());
    add("env", Some(details.env.join(", ")));
    add("token", Some(token_text(run, profile)));
    lines
}

fn secret_text(profile: &Profile, details: &ProfileDetails<'_>) -> String {
    let label = profile.secret.label();
    match (&profile.sealed, &details.source) {
        (Some(seal_note), _) => format!("{label} to {} since {}", details.recipients.join(", "), seal_note.since),
        (None, Some(source)) => format!("{label}: {source}"),
        (None, None) => label.to_owned(),
    }
}

fn token_text(run: &Run<'_>, profile: &Profile) -> String {
    let reporter = TerminalReporter(run.ui);
    let now = run.context.process.clock.now();
    match run.context.session(&reporter).lifetime(profile) {
        None => "none".to_owned(),
        Some(lifetime) => {
            format!("{}, until {}", lifetime.state(now).as_str(), humanize::utc_minute(lifetime.expires_at))
        }
    }
}

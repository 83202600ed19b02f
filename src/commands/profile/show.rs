//! `neto profile show`: one profile in full, but its secret.

use super::list::ProfileRow;
use crate::error::Error;
use crate::output::humanize;
use crate::output::{details, object};
use crate::profile::{Profile, SecretPlace};
use crate::workflow::{Run, Watch};
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
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    output: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Lines for people
    Text,
    /// An object
    Json,
}

#[derive(Serialize)]
struct Shown<'a> {
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
    let profile = run.context.chosen(args.name.as_deref())?.profile;
    let shown = shown(run, &profile)?;
    let text = match args.output {
        Form::Json => object(&shown),
        Form::Text => details(&lines(run, &profile, &shown), &run.ui.look()),
    };
    Ok(run.ui.answer(&text)?)
}

fn shown<'a>(run: &Run<'_>, profile: &'a Profile) -> Result<Shown<'a>, Error> {
    let store = run.context.store()?;
    let keys = store.recipient_keys(profile);
    let names = store.recipients.iter().filter(|(_, key)| keys.contains(key)).map(|(name, _)| name.to_string());
    Ok(Shown {
        row: ProfileRow::of(profile, run.current_name().as_ref()),
        leeway: profile.leeway.to_string(),
        timeout: profile.timeout.to_string(),
        ca_file: profile.ca_file.as_ref().map(|path| path.display().to_string()),
        env: profile.env.iter().map(|(name, value)| format!("{name}={}", value.0)).collect(),
        recipients: if matches!(profile.secret, SecretPlace::Sealed(_)) { names.collect() } else { Vec::new() },
        source: match &profile.secret {
            SecretPlace::Command(words) => Some(words.join(" ")),
            SecretPlace::File(path) => Some(path.display().to_string()),
            SecretPlace::Env(name) => Some(name.clone()),
            _ => None,
        },
    })
}

fn lines<'a>(run: &Run<'_>, profile: &Profile, shown: &'a Shown<'_>) -> Vec<(&'a str, String)> {
    let mut lines = vec![("profile", profile.name.to_string())];
    let mut add = |key: &'a str, value: Option<String>| lines.extend(value.filter(|v| !v.is_empty()).map(|v| (key, v)));
    add("shortname", profile.shortname.clone());
    add("appname", profile.appname.clone());
    add("username", profile.username.clone());
    add("url", Some(profile.url.to_string()));
    add("description", profile.description.clone());
    add("tags", Some(profile.tags.join(", ")));
    add("protected", profile.protected.then(|| "yes".to_owned()));
    add("secret", Some(secret(profile, shown)));
    add("leeway", Some(shown.leeway.clone()));
    add("timeout", Some(shown.timeout.clone()));
    add("ca_file", shown.ca_file.clone());
    add("env", Some(shown.env.join(", ")));
    add("token", Some(token(run, profile)));
    lines
}

fn secret(profile: &Profile, shown: &Shown<'_>) -> String {
    let word = profile.secret.word();
    match (&profile.sealed, &shown.source) {
        (Some(note), _) => format!("{word} to {} since {}", shown.recipients.join(", "), note.since),
        (None, Some(source)) => format!("{word}: {source}"),
        (None, None) => word.to_owned(),
    }
}

fn token(run: &Run<'_>, profile: &Profile) -> String {
    let watch = Watch(run.ui);
    let now = run.context.process.clock.now();
    match run.context.session(&watch).lifetime(profile) {
        None => "none".to_owned(),
        Some(lifetime) => format!("{}, until {}", lifetime.state(now).word(), humanize::minute(lifetime.expires_at)),
    }
}

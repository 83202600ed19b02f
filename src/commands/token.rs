//! `neto token`: prints a valid access token.

use crate::error::Error;
use crate::session::AccessToken;
use crate::workflow::{Run, TerminalReporter, TokenRequestArgs};
use clap::{Args, ValueEnum};
use serde::Serialize;

/// Print a valid bearer token, refreshing or signing in when needed
///
/// Uses the cached token while it is valid, else the refresh token, else a new login. Any number of processes at
/// once cause one request.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto token acme
  neto token acme --min-ttl 10m
  neto token acme -o json | jq -r .expires_at
  curl -H @<(neto token acme -o header) \"$NETO_URL/api-keys\"")]
pub(crate) struct TokenArgs {
    /// The profile; without it the chosen one (see `neto profile current --explain`)
    #[arg(value_name = "PROFILE")]
    name: Option<String>,
    #[command(flatten)]
    request_args: TokenRequestArgs,
    /// Log in even if the cached token is valid
    #[arg(long, conflicts_with = "offline")]
    force: bool,
    /// Never ask the server: print the cached token or fail
    #[arg(long)]
    offline: bool,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = TokenFormat::Text)]
    output: TokenFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TokenFormat {
    /// The token alone
    Text,
    /// An object with profile, token, expires_at and expires_in_seconds
    Json,
    /// A line for `curl -H @-`
    Header,
}

#[derive(Serialize)]
struct TokenRow<'a> {
    profile: &'a str,
    token: &'a str,
    /// Time in RFC 3339 format; null if the server did not send a lifetime.
    expires_at: Option<String>,
    expires_in_seconds: Option<i64>,
}

/// Prints the token of one profile.
pub(crate) fn run(args: &TokenArgs, run: &Run<'_>) -> Result<(), Error> {
    let resolved = run.context.resolve_profile(args.name.as_deref())?;
    let reporter = TerminalReporter(run.ui);
    let token_request = args.request_args.token_request(args.force, args.offline);
    let token = crate::workflow::obtain_token(run, &reporter, resolved.loaded_profile(), token_request)?;
    let text = render(args.output, resolved.profile.name.as_str(), &token, run);
    run.ui.print(&text)?;
    Ok(())
}

fn render(format: TokenFormat, profile: &str, access: &AccessToken, run: &Run<'_>) -> String {
    let token = access.token.reveal();
    match format {
        TokenFormat::Text => format!("{token}\n"),
        TokenFormat::Header => format!("Authorization: Bearer {token}\n"),
        TokenFormat::Json => {
            let now = run.context.process.clock.now();
            let row = TokenRow {
                profile,
                token,
                expires_at: access.lifetime.map(|lifetime| lifetime.expires_at.to_string()),
                expires_in_seconds: access.lifetime.map(|lifetime| lifetime.remaining(now).as_secs()),
            };
            serde_json::to_string_pretty(&row).unwrap_or_default() + "\n"
        }
    }
}

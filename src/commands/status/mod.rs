//! `neto status`: lists the cached tokens and their expiry. Without `--live`, contacts no server and decrypts no
//! secret.
//!
//! - `state`: status of a token;
//! - `live`: checks of tokens with their servers;
//! - `check`: error of `--check`;
//! - `prometheus`: metrics for a monitoring system.

pub(crate) mod check;
pub(super) mod live;
mod prometheus;
pub(super) mod state;

use crate::error::{Code, Error, Hint};
use crate::output::humanize;
use crate::output::{Cell, Column, Format, Row, Shrink, render_rows};
use crate::profile::{ApiUrl, Profile, ProfileName, Span};
use crate::token::{Lifetime, TokenState};
use crate::workflow::{JobsArgs, Run, SelectArgs, TerminalReporter};
use check::late_tokens;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use state::TokenStatus;

/// Show when the cached tokens expire
///
/// Looks at the cache alone: it asks no server, opens no secret and needs no identity. A token is expiring
/// when less than a tenth of its life is left; it is renewable when it has expired and can be refreshed.
///
/// With --live each token that is good by the clock is shown to its server with GET /api/v1/api-keys, which has 5 seconds
/// to answer. After a 401 the token is rejected; any other answer of the API, such as a 403 or 404, takes a good token.
/// It is unreachable when nothing is known of it: no answer, a redirect, a 429 or a 5xx. No token is renewed or forgotten.
#[derive(Debug, Args)]
#[command(mut_arg("jobs", |jobs| jobs.requires("live").help("With --live: how many servers at once")))]
#[command(after_help = "\
Examples:
  neto status
  neto status --state expired --state none
  neto status --live --jobs 64
  neto status --check --within 10m     exit 9 when a token has less left
  neto status -o prometheus > neto.prom.new && mv neto.prom.new neto.prom")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Only tokens in this state (repeatable)
    #[arg(long = "state", value_enum, value_name = "STATE")]
    states: Vec<TokenStatus>,
    /// The order of the rows
    #[arg(long, value_enum, default_value_t = Sort::Store)]
    sort: Sort,
    /// Ask the servers whether they take the tokens, and say how many are in each state
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    /// Exit 9 when a token has expired or is missing; with --live also when it is rejected, or nothing is known of it
    #[arg(long)]
    check: bool,
    /// With --check: also when it has less than this left
    #[arg(long, value_name = "TIME", requires = "check")]
    within: Option<Span>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = StatusFormat::List(Format::Table))]
    output: StatusFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// As in the store
    Store,
    /// By name
    Name,
    /// By expiry, the earliest first
    Expiry,
}

/// Output format: a list as in other commands, or metrics for a monitoring system.
#[derive(Debug, Clone, Copy)]
enum StatusFormat {
    List(Format),
    Prometheus,
}

impl ValueEnum for StatusFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::List(Format::Table), Self::List(Format::Json), Self::List(Format::Csv), Self::Prometheus]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::List(format) => format.to_possible_value(),
            Self::Prometheus => {
                Some(PossibleValue::new("prometheus").help("A page for node_exporter's textfile collector"))
            }
        }
    }
}

/// Row of a profile and its cached token.
#[derive(Serialize)]
struct StatusRow<'a> {
    profile: &'a ProfileName,
    current: bool,
    shortname: Option<&'a str>,
    url: &'a ApiUrl,
    tags: &'a [String],
    state: TokenStatus,
    obtained_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
    expires_in_seconds: Option<i64>,
    key_since: Option<Date>,
}

impl Row for StatusRow<'_> {
    const FIELDS: &'static [&'static str] = &[
        "profile",
        "current",
        "shortname",
        "url",
        "tags",
        "state",
        "obtained_at",
        "expires_at",
        "refresh_expires_at",
        "expires_in_seconds",
        "key_since",
    ];
    const HAS_MARKS: bool = true;

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("PROFILE", Shrink::Keep, |row| Cell::plain(row.profile.as_str())),
            Column::left("TENANT", Shrink::CutOrDrop, |row| Cell::optional(row.shortname)),
            Column::left("STATE", Shrink::Keep, |row| {
                let (symbol, style) = row.state.symbol_and_style();
                Cell::styled(format!("{symbol} {}", row.state.as_str()), style)
            }),
            Column::right("EXPIRES IN", Shrink::Keep, |row| {
                Cell::optional(row.expires_in_seconds.map(humanize::duration))
            }),
            Column::left("EXPIRES AT", Shrink::Drop, |row| Cell::optional(row.expires_at.map(humanize::utc_minute))),
            Column::left("TAGS", Shrink::CutOrDrop, |row| Cell::plain(row.tags.join(", "))),
        ]
    }

    fn is_marked(&self) -> bool {
        self.current
    }
}

/// Lists the tokens of the selected profiles. An invalid profile causes an error if it is the only named profile.
/// Otherwise it is omitted with a warning.
pub(crate) fn run(args: &StatusArgs, run: &Run<'_>) -> Result<(), Error> {
    if let Some(state) = args.states.iter().find(|state| state.needs_server() && !args.live) {
        let message = format!("only the servers know which tokens are {}", state.as_str());
        return Err(Error::new(Code::Usage, message)
            .with_hint(Hint::command(format!("neto status --live --state {}", state.as_str()))));
    }
    let selected = args.select.resolve_or_all(run)?;
    let selected_count = selected.len();
    let profiles = run.valid_profiles(selected, args.select.is_single())?;
    let mut rows = rows(run, &profiles);
    if profiles.is_empty() && run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    if args.live {
        live::check_tokens(run, &mut rows, &profiles, args.jobs)?;
        run.ui.note(&format!("status: {}", summary(&rows)));
    }
    let late_tokens = if args.check { late_tokens(&rows, selected_count - profiles.len(), args.within) } else { None };
    let had_rows = !rows.is_empty();
    rows.retain(|row| args.states.is_empty() || args.states.contains(&row.state));
    if had_rows && rows.is_empty() {
        run.ui.note("No profile is in such a state");
    }
    match args.sort {
        Sort::Store => {}
        Sort::Name => rows.sort_by_key(|row| row.profile),
        Sort::Expiry => rows.sort_by_key(|row| row.expires_at),
    }
    run.ui.print(&match args.output {
        StatusFormat::List(format) => render_rows(&rows, format, &run.ui.render_options()),
        StatusFormat::Prometheus => prometheus::render_metrics(&rows),
    })?;
    warn_of_rotations(run);
    late_tokens.map_or(Ok(()), Err)
}

fn rows<'a>(run: &Run<'_>, profiles: &[&'a Profile]) -> Vec<StatusRow<'a>> {
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let now = run.context.process.clock.now();
    let current = run.current_name();
    let lifetimes = session.lifetimes(profiles);
    profiles.iter().zip(lifetimes).map(|(profile, lifetime)| row(profile, lifetime, current.as_ref(), now)).collect()
}

fn row<'a>(
    profile: &'a Profile,
    lifetime: Option<Lifetime>,
    current: Option<&ProfileName>,
    now: Timestamp,
) -> StatusRow<'a> {
    StatusRow {
        profile: &profile.name,
        current: current == Some(&profile.name),
        shortname: profile.shortname.as_deref(),
        url: &profile.url,
        tags: &profile.tags,
        state: lifetime.map_or(TokenState::None, |lifetime| lifetime.state(now)).into(),
        obtained_at: lifetime.map(|lifetime| lifetime.obtained_at),
        expires_at: lifetime.map(|lifetime| lifetime.expires_at),
        refresh_expires_at: lifetime.and_then(|lifetime| lifetime.refresh_expires_at),
        expires_in_seconds: lifetime.map(|lifetime| lifetime.remaining(now).as_secs()),
        key_since: profile.sealed.as_ref().map(|note| note.since),
    }
}

/// Returns the number of tokens in each state, such as `3 valid, 1 expired`.
fn summary(rows: &[StatusRow<'_>]) -> String {
    let count = |state: &TokenStatus| rows.iter().filter(|row| row.state == *state).count();
    let states = TokenStatus::value_variants().iter().map(|state| (count(state), state.as_str()));
    let parts: Vec<String> =
        states.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    if parts.is_empty() { "no token".to_owned() } else { parts.join(", ") }
}

/// Warns about interrupted rotations. Finds these rotations by listing one directory.
fn warn_of_rotations(run: &Run<'_>) {
    let unfinished = run.context.session(&run.reporter()).unfinished_rotations().unwrap_or_default();
    if !unfinished.is_empty() {
        let names: Vec<&str> = unfinished.iter().map(ProfileName::as_str).collect();
        let names = names.join(" ");
        run.ui.warn(&format!("a rotation was cut off and is not finished; this finishes it: neto rotate {names}"));
    }
}

impl StatusRow<'_> {
    /// Sets the status that the server check found. Clears the times if there is no token.
    fn set_status(&mut self, status: TokenStatus) {
        self.state = status;
        if status == TokenStatus::None {
            (self.obtained_at, self.expires_at, self.refresh_expires_at) = Default::default();
            self.expires_in_seconds = None;
        }
    }
}

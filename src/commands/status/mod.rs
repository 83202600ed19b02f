//! `neto status`: the table of token expiries. Offline, and opens nothing, unless the servers are to be asked.
//!
//! How a token stands is in `standing`, what the servers say of it in `live`; `late` is what a check finds, `prometheus`
//! the page for a monitor.

pub(crate) mod check;
pub(super) mod live;
mod prometheus;
pub(super) mod state;

use crate::error::{Code, Error};
use crate::output::humanize;
use crate::output::{Align, Cell, Column, Format, Narrow, Row, render};
use crate::profile::{ApiUrl, Profile, ProfileName, Span};
use crate::token::{Lifetime, State};
use crate::workflow::{JobsArgs, Run, SelectArgs, Watch};
use check::late;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use state::Standing;

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
    states: Vec<Standing>,
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
    #[arg(short, long, value_enum, default_value_t = Output::List(Format::Table))]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// As in the store
    Store,
    /// By name
    Name,
    /// What expires first comes first
    Expiry,
}

/// A list as everywhere, or a page for a monitor.
#[derive(Debug, Clone, Copy)]
enum Output {
    List(Format),
    Prometheus,
}

impl ValueEnum for Output {
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

/// One cached token, or that there is none.
#[derive(Serialize)]
struct StatusRow<'a> {
    profile: &'a ProfileName,
    current: bool,
    shortname: Option<&'a str>,
    url: &'a ApiUrl,
    tags: &'a [String],
    state: Standing,
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
    const MARKS: bool = true;

    fn columns() -> Vec<Column> {
        let column = |title, align, narrow| Column { title, align, narrow };
        vec![
            column("PROFILE", Align::Left, Narrow::Keep),
            column("TENANT", Align::Left, Narrow::CutOrDrop),
            column("STATE", Align::Left, Narrow::Keep),
            column("EXPIRES IN", Align::Right, Narrow::Keep),
            column("EXPIRES AT", Align::Left, Narrow::Drop),
            column("TAGS", Align::Left, Narrow::CutOrDrop),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let (sign, style) = self.state.mark();
        vec![
            Cell::plain(self.profile.as_str()),
            Cell::plain(self.shortname.unwrap_or_default()),
            Cell::styled(format!("{sign} {}", self.state.word()), style),
            Cell::plain(self.expires_in_seconds.map(humanize::span).unwrap_or_default()),
            Cell::plain(self.expires_at.map(humanize::minute).unwrap_or_default()),
            Cell::plain(self.tags.join(", ")),
        ]
    }

    fn marked(&self) -> bool {
        self.current
    }
}

/// Lists the tokens of the selected profiles; a faulty profile is warned of and left out.
pub(crate) fn run(args: &StatusArgs, run: &Run<'_>) -> Result<(), Error> {
    if let Some(state) = args.states.iter().find(|state| state.is_of_servers() && !args.live) {
        let message = format!("only the servers know which tokens are {}", state.word());
        return Err(Error::new(Code::Usage, message).with_hint(format!("neto status --live --state {}", state.word())));
    }
    let selected = args.select.all_or(run)?;
    let all = selected.len();
    let profiles = run.sound(selected, args.select.names_one())?;
    let mut rows = rows(run, &profiles);
    if profiles.is_empty() && run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    if args.live {
        live::ask(run, &mut rows, &profiles, args.jobs)?;
        run.ui.note(&format!("status: {}", summary(&rows)));
    }
    let late = if args.check { late(&rows, all - profiles.len(), args.within) } else { None };
    let any = !rows.is_empty();
    rows.retain(|row| args.states.is_empty() || args.states.contains(&row.state));
    if any && rows.is_empty() {
        run.ui.note("No profile is in such a state");
    }
    match args.sort {
        Sort::Store => {}
        Sort::Name => rows.sort_by_key(|row| row.profile),
        Sort::Expiry => rows.sort_by_key(|row| row.expires_at),
    }
    run.ui.answer(&match args.output {
        Output::List(format) => render(&rows, format, &run.ui.look()),
        Output::Prometheus => prometheus::page(&rows),
    })?;
    warn_of_rotations(run);
    late.map_or(Ok(()), Err)
}

fn rows<'a>(run: &Run<'_>, profiles: &[&'a Profile]) -> Vec<StatusRow<'a>> {
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
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
        state: lifetime.map_or(State::None, |lifetime| lifetime.state(now)).into(),
        obtained_at: lifetime.map(|lifetime| lifetime.obtained_at),
        expires_at: lifetime.map(|lifetime| lifetime.expires_at),
        refresh_expires_at: lifetime.and_then(|lifetime| lifetime.refresh_expires_at),
        expires_in_seconds: lifetime.map(|lifetime| lifetime.left(now).as_secs()),
        key_since: profile.sealed.as_ref().map(|note| note.since),
    }
}

/// `3 valid, 1 expired`.
fn summary(rows: &[StatusRow<'_>]) -> String {
    let of = |state: &Standing| rows.iter().filter(|row| row.state == *state).count();
    let states = Standing::value_variants().iter().map(|state| (of(state), state.word()));
    let parts: Vec<String> =
        states.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { "no token".to_owned() } else { parts.join(", ") }
}

/// Keys that were being changed when a run was ended. It costs a look at one folder.
fn warn_of_rotations(run: &Run<'_>) {
    let begun = run.context.session(&run.watch()).unfinished().unwrap_or_default();
    if !begun.is_empty() {
        let names: Vec<&str> = begun.iter().map(ProfileName::as_str).collect();
        let names = names.join(" ");
        run.ui.warn(&format!("a rotation was cut off and is not finished; this finishes it: neto rotate {names}"));
    }
}

impl StatusRow<'_> {
    /// Takes note of how the token stands after all.
    fn stands(&mut self, standing: Standing) {
        self.state = standing;
        if standing == Standing::None {
            (self.obtained_at, self.expires_at, self.refresh_expires_at) = Default::default();
            self.expires_in_seconds = None;
        }
    }
}

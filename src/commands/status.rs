//! `neto status`: the table of token expiries. Offline; opens nothing.

use super::words::count;
use super::{Run, SelectArgs, Watch, when};
use crate::error::{Code, Error};
use crate::output::{Align, Cell, Column, Format, Row, render};
use crate::profile::{ApiUrl, Profile, ProfileName, Span};
use crate::token::{Lifetime, State};
use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

/// Show when the cached tokens expire
///
/// Looks at the cache alone: it asks no server, opens no secret and needs no identity. A token is expiring
/// when less than a tenth of its life is left; it is renewable when it has expired and can be refreshed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto status
  neto status --state expired --state none
  neto status --check --within 10m     exit 9 when a token has less than that left")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// Only tokens in this state (repeatable)
    #[arg(long = "state", value_enum, value_name = "STATE")]
    states: Vec<StateArg>,
    /// The order of the rows
    #[arg(long, value_enum, default_value_t = Sort::Store)]
    sort: Sort,
    /// Exit 9 when a token has expired or is missing
    #[arg(long)]
    check: bool,
    /// With --check: also when it has less than this left
    #[arg(long, value_name = "TIME", requires = "check")]
    within: Option<Span>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateArg {
    Valid,
    Expiring,
    Renewable,
    Expired,
    None,
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

/// One cached token, or that there is none.
#[derive(Serialize)]
struct StatusRow<'a> {
    profile: &'a ProfileName,
    current: bool,
    shortname: Option<&'a str>,
    url: &'a ApiUrl,
    tags: &'a [String],
    state: &'static str,
    obtained_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
    expires_in_seconds: Option<i64>,
    key_since: Option<Date>,
    #[serde(skip)]
    token: State,
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
        let column = |title, align, shrink| Column { title, align, shrink };
        vec![
            column("PROFILE", Align::Left, false),
            column("TENANT", Align::Left, true),
            column("STATE", Align::Left, false),
            column("EXPIRES IN", Align::Right, false),
            column("EXPIRES AT", Align::Left, false),
            column("TAGS", Align::Left, true),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let (sign, style) = mark(self.token);
        vec![
            Cell::plain(self.profile.as_str()),
            Cell::plain(self.shortname.unwrap_or_default()),
            Cell::styled(format!("{sign} {}", self.state), style),
            Cell::plain(self.expires_in_seconds.map(when::span).unwrap_or_default()),
            Cell::plain(self.expires_at.map(when::minute).unwrap_or_default()),
            Cell::plain(self.tags.join(", ")),
        ]
    }

    fn marked(&self) -> bool {
        self.current
    }
}

fn mark(state: State) -> (&'static str, Style) {
    match state {
        State::Valid => ("●", AnsiColor::Green.on_default()),
        State::Expiring => ("◐", AnsiColor::Yellow.on_default()),
        State::Renewable => ("○", AnsiColor::Cyan.on_default()),
        State::Expired => ("✕", AnsiColor::Red.on_default()),
        State::None => ("-", Style::new().dimmed()),
    }
}

/// Lists the tokens of the selected profiles; a faulty profile is warned of and left out.
pub(crate) fn run(args: &StatusArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.all_or(run)?;
    let all = selected.len();
    let profiles = run.sound(selected, args.select.names_one())?;
    let mut rows = rows(run, &profiles);
    if profiles.is_empty() && run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    let late: Vec<&str> = rows.iter().filter(|row| is_late(row, args.within)).map(|row| row.profile.as_str()).collect();
    rows.retain(|row| args.states.is_empty() || args.states.iter().any(|state| state.state() == row.token));
    match args.sort {
        Sort::Store => {}
        Sort::Name => rows.sort_by_key(|row| row.profile),
        Sort::Expiry => rows.sort_by_key(|row| row.expires_at),
    }
    run.ui.answer(&render(&rows, args.output, &run.ui.look()))?;
    let faulty = all - profiles.len();
    if args.check && late.is_empty() && faulty > 0 {
        let message = format!("{} cannot be read, so nothing is known of the token", count(faulty, "profile"));
        return Err(Error::new(Code::Found, message).with_hint("neto seal --check    says what is wrong"));
    }
    if args.check && !late.is_empty() {
        let all = count(all, "token");
        let message = format!("{} of {all} expired, missing or about to expire", late.len());
        let line = if late.len() <= 5 { late.join(" ") } else { "--all".to_owned() };
        return Err(Error::new(Code::Found, message).with_hint(format!("neto login {line}")));
    }
    Ok(())
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
    let token = lifetime.map_or(State::None, |lifetime| lifetime.state(now));
    StatusRow {
        profile: &profile.name,
        current: current == Some(&profile.name),
        shortname: profile.shortname.as_deref(),
        url: &profile.url,
        tags: &profile.tags,
        state: token.word(),
        obtained_at: lifetime.map(|lifetime| lifetime.obtained_at),
        expires_at: lifetime.map(|lifetime| lifetime.expires_at),
        refresh_expires_at: lifetime.and_then(|lifetime| lifetime.refresh_expires_at),
        expires_in_seconds: lifetime.map(|lifetime| lifetime.left(now).as_secs()),
        key_since: profile.sealed.as_ref().map(|note| note.since),
        token,
    }
}

fn is_late(row: &StatusRow<'_>, within: Option<Span>) -> bool {
    let soon = within.and_then(|span| i64::try_from(span.seconds()).ok()).unwrap_or(0);
    !matches!(row.token, State::Valid | State::Expiring) || row.expires_in_seconds.is_none_or(|left| left < soon)
}

impl StateArg {
    fn state(self) -> State {
        match self {
            Self::Valid => State::Valid,
            Self::Expiring => State::Expiring,
            Self::Renewable => State::Renewable,
            Self::Expired => State::Expired,
            Self::None => State::None,
        }
    }
}

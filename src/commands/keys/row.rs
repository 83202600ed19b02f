//! One API key, and what stands out of it.

use crate::fusion::ApiKey;
use crate::output::humanize;
use crate::output::{Align, Cell, Column, Narrow, Row};
use crate::profile::{Profile, ProfileName, Span};
use crate::session::Session;
use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A login at the server is ours as long as it lies no later than this after the cached token came: the two clocks
/// differ, and a request takes its time.
const OURS: SignedDuration = SignedDuration::from_mins(5);

/// What stands out of a key; of several the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// No profile has it.
    Unknown,
    /// Somebody else signs in with it too.
    Elsewhere,
    /// Nobody has signed in with it for long, or ever.
    Unused,
    /// Nothing.
    Ok,
}

/// One key of a tenant, by one profile that has it, or by none.
#[derive(Clone, Serialize)]
pub(super) struct KeyRow<'a> {
    profile: Option<&'a ProfileName>,
    shortname: &'a str,
    appname: String,
    description: String,
    roles: Vec<String>,
    last_login: Option<Timestamp>,
    last_ip: Option<String>,
    pub(super) state: State,
}

impl<'a> KeyRow<'a> {
    /// A row for each profile that has the key, or one for none.
    pub(super) fn of(key: ApiKey, shortname: &'a str, state: State, holders: &[&'a Profile]) -> Vec<Self> {
        let row = Self {
            profile: None,
            shortname,
            appname: key.appname,
            description: key.description,
            roles: key.roles.unwrap_or_default(),
            last_login: key.last_login,
            last_ip: key.last_ip,
            state,
        };
        if holders.is_empty() {
            return vec![row];
        }
        holders.iter().map(|holder| Self { profile: Some(&holder.name), ..row.clone() }).collect()
    }

    /// What a tenant's rows are put in order by.
    pub(super) fn place(&self) -> (&str, Option<&ProfileName>) {
        (&self.appname, self.profile)
    }
}

impl State {
    /// Of a key that these profiles have, when `unused` without a login makes it unused.
    pub(super) fn of(key: &ApiKey, holders: &[&Profile], unused: Span, now: Timestamp, session: &Session<'_>) -> Self {
        if holders.is_empty() {
            return Self::Unknown;
        }
        let Some(last) = key.last_login else { return Self::Unused };
        let lifetimes = holders.iter().filter_map(|holder| session.lifetime(holder));
        let own = lifetimes.map(|lifetime| lifetime.obtained_at).max();
        let unused = SignedDuration::from_secs(i64::try_from(unused.seconds()).unwrap_or(i64::MAX));
        match own {
            Some(own) if last.duration_since(own) > OURS => Self::Elsewhere,
            _ if now.duration_since(last) > unused => Self::Unused,
            _ => Self::Ok,
        }
    }

    fn shown(self) -> (&'static str, Style) {
        match self {
            Self::Unknown => ("unknown", AnsiColor::Red.on_default()),
            Self::Elsewhere => ("elsewhere", AnsiColor::Yellow.on_default()),
            Self::Unused => ("unused", AnsiColor::Cyan.on_default()),
            Self::Ok => ("ok", AnsiColor::Green.on_default()),
        }
    }
}

impl Row for KeyRow<'_> {
    const FIELDS: &'static [&'static str] =
        &["profile", "shortname", "appname", "description", "roles", "last_login", "last_ip", "state"];

    fn columns() -> Vec<Column> {
        let column = |title, narrow| Column { title, align: Align::Left, narrow };
        vec![
            column("TENANT", Narrow::Cut),
            column("KEY", Narrow::Cut),
            column("PROFILE", Narrow::Drop),
            column("STATE", Narrow::Keep),
            column("ROLES", Narrow::CutOrDrop),
            column("LAST LOGIN", Narrow::Drop),
            column("FROM", Narrow::CutOrDrop),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let (word, style) = self.state.shown();
        vec![
            Cell::plain(self.shortname),
            Cell::plain(&self.appname),
            Cell::plain(self.profile.map(ProfileName::as_str).unwrap_or_default()),
            Cell::styled(word, style),
            Cell::plain(self.roles.join(", ")),
            Cell::plain(self.last_login.map_or_else(|| "never".to_owned(), humanize::minute)),
            Cell::plain(self.last_ip.as_deref().unwrap_or_default()),
        ]
    }
}

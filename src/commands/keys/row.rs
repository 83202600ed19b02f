//! Row of an API key, and the state of the key.

use crate::fusion::ApiKey;
use crate::output::humanize;
use crate::output::{Cell, Column, Row, Shrink};
use crate::profile::{Profile, ProfileName, Span};
use crate::session::Session;
use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// Maximum time from the cached token to the server's last login, if both come from the same login. The two clocks
/// differ, and a request takes time.
const OWN_LOGIN_MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// State of a key. If several apply, the first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyState {
    /// No profile has the key.
    Unknown,
    /// The key is also used elsewhere to log in.
    Elsewhere,
    /// The last login with the key was long ago, or there was none.
    Unused,
    /// No other state applies.
    Ok,
}

/// Row of a key and a profile that has it, or of a key that no profile has.
#[derive(Clone, Serialize)]
pub(super) struct KeyRow<'a> {
    profile: Option<&'a ProfileName>,
    shortname: &'a str,
    appname: String,
    description: String,
    roles: Vec<String>,
    last_login: Option<Timestamp>,
    last_ip: Option<String>,
    pub(super) state: KeyState,
}

impl<'a> KeyRow<'a> {
    /// Returns a row for each profile that has the key, or a single row if no profile has it.
    pub(super) fn of_key(key: ApiKey, shortname: &'a str, state: KeyState, holders: &[&'a Profile]) -> Vec<Self> {
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

    /// Returns the sort key for the rows of a tenant.
    pub(super) fn sort_key(&self) -> (&str, Option<&ProfileName>) {
        (&self.appname, self.profile)
    }
}

impl KeyState {
    /// Returns the state of a key that the profiles `holders` have. The key counts as unused if its last login was
    /// longer ago than `unused`.
    pub(super) fn new(key: &ApiKey, holders: &[&Profile], unused: Span, now: Timestamp, session: &Session<'_>) -> Self {
        if holders.is_empty() {
            return Self::Unknown;
        }
        let Some(last_login) = key.last_login else { return Self::Unused };
        let lifetimes = holders.iter().filter_map(|holder| session.lifetime(holder));
        let obtained_at = lifetimes.map(|lifetime| lifetime.obtained_at).max();
        let unused = SignedDuration::from_secs(i64::try_from(unused.seconds()).unwrap_or(i64::MAX));
        match obtained_at {
            Some(obtained_at) if last_login.duration_since(obtained_at) > OWN_LOGIN_MARGIN => Self::Elsewhere,
            _ if now.duration_since(last_login) > unused => Self::Unused,
            _ => Self::Ok,
        }
    }

    fn label_and_style(self) -> (&'static str, Style) {
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

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("TENANT", Shrink::Cut, |row| Cell::plain(row.shortname)),
            Column::left("KEY", Shrink::Cut, |row| Cell::plain(&row.appname)),
            Column::left("PROFILE", Shrink::Drop, |row| Cell::optional(row.profile.map(ProfileName::as_str))),
            Column::left("STATE", Shrink::Keep, |row| {
                let (label, style) = row.state.label_and_style();
                Cell::styled(label, style)
            }),
            Column::left("ROLES", Shrink::CutOrDrop, |row| Cell::plain(row.roles.join(", "))),
            Column::left("LAST LOGIN", Shrink::Drop, |row| {
                Cell::plain(row.last_login.map_or_else(|| "never".to_owned(), humanize::utc_minute))
            }),
            Column::left("FROM", Shrink::CutOrDrop, |row| Cell::optional(row.last_ip.as_deref())),
        ]
    }
}

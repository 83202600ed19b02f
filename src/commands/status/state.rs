//! How a cached token stands, in one word: by the clock, or by what its server says.

use crate::token::State;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

/// A word for scripts, a sign for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands) enum Standing {
    Valid,
    Expiring,
    Renewable,
    Expired,
    None,
    /// With --live: its server does not take it
    Rejected,
    /// With --live: nothing is known of it
    Unreachable,
}

impl Standing {
    /// The word that lists and scripts use.
    pub(in crate::commands) fn word(self) -> &'static str {
        match self {
            Self::Valid => State::Valid.word(),
            Self::Expiring => State::Expiring.word(),
            Self::Renewable => State::Renewable.word(),
            Self::Expired => State::Expired.word(),
            Self::None => State::None.word(),
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
        }
    }

    /// Its sign in a table, and the colour.
    pub(in crate::commands) fn mark(self) -> (&'static str, Style) {
        match self {
            Self::Valid => ("●", AnsiColor::Green.on_default()),
            Self::Expiring => ("◐", AnsiColor::Yellow.on_default()),
            Self::Renewable => ("○", AnsiColor::Cyan.on_default()),
            Self::Expired | Self::Rejected => ("✕", AnsiColor::Red.on_default()),
            Self::None => ("-", Style::new().dimmed()),
            Self::Unreachable => ("?", AnsiColor::Yellow.on_default()),
        }
    }

    /// Whether the clock says that the token may be used, and no server anything else.
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Valid | Self::Expiring)
    }

    /// Whether a server has to be asked to know it.
    pub(super) fn is_of_servers(self) -> bool {
        matches!(self, Self::Rejected | Self::Unreachable)
    }
}

impl From<State> for Standing {
    fn from(state: State) -> Self {
        match state {
            State::Valid => Self::Valid,
            State::Expiring => Self::Expiring,
            State::Renewable => Self::Renewable,
            State::Expired => Self::Expired,
            State::None => Self::None,
        }
    }
}

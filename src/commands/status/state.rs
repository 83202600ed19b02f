//! Status of a cached token: by the clock, or by the response of its server.

use crate::token::TokenState;
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

/// A word for scripts, a sign for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::commands) enum TokenStatus {
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

impl TokenStatus {
    /// Returns the name of the status for lists and scripts.
    pub(in crate::commands) fn as_str(self) -> &'static str {
        match self {
            Self::Valid => TokenState::Valid.as_str(),
            Self::Expiring => TokenState::Expiring.as_str(),
            Self::Renewable => TokenState::Renewable.as_str(),
            Self::Expired => TokenState::Expired.as_str(),
            Self::None => TokenState::None.as_str(),
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
        }
    }

    /// Returns the symbol for tables, and its style.
    pub(in crate::commands) fn symbol_and_style(self) -> (&'static str, Style) {
        match self {
            Self::Valid => ("●", AnsiColor::Green.on_default()),
            Self::Expiring => ("◐", AnsiColor::Yellow.on_default()),
            Self::Renewable => ("○", AnsiColor::Cyan.on_default()),
            Self::Expired | Self::Rejected => ("✕", AnsiColor::Red.on_default()),
            Self::None => ("-", Style::new().dimmed()),
            Self::Unreachable => ("?", AnsiColor::Yellow.on_default()),
        }
    }

    /// Checks whether the token is valid by the clock and was not rejected by its server.
    pub(super) fn is_usable(self) -> bool {
        matches!(self, Self::Valid | Self::Expiring)
    }

    /// Checks whether only a check with the server can find this status.
    pub(super) fn needs_server(self) -> bool {
        matches!(self, Self::Rejected | Self::Unreachable)
    }
}

impl From<TokenState> for TokenStatus {
    fn from(state: TokenState) -> Self {
        match state {
            TokenState::Valid => Self::Valid,
            TokenState::Expiring => Self::Expiring,
            TokenState::Renewable => Self::Renewable,
            TokenState::Expired => Self::Expired,
            TokenState::None => Self::None,
        }
    }
}

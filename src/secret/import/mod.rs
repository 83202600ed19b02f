//! Import of the credentials of many tenants from one text, in any of the formats that people keep them in.
//!
//! Owns the detection of the format and the parsing of every entry. Knows no profile store: the caller chooses profile
//! names and what to do with each entry. No error contains a value.
//!
//! - `text`: decodes the bytes of a file;
//! - `lines`: one NETOSECRET per line, `.env` files, and constants of a script; `assignment` parses `NAME=VALUE`, and
//!   `quote` parses its value;
//! - `json` and `csv`;
//! - `field`: all names of the fields; `entry`: an entry from its fields.

mod assignment;
mod csv;
mod entry;
mod field;
mod json;
mod lines;
mod quote;
#[cfg(test)]
mod tests;
mod text;

pub use entry::{EntryError, EntryLocation, EntryProblem, ImportEntry};
pub use text::TextError;

use super::JsonError;
use std::fmt;

/// Format of a text with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// NETOSECRETs, each on its own lines.
    Lines,
    /// `NAME=VALUE`: a `.env` file, or the constants of a script.
    Assignments,
    /// JSON objects or NETOSECRETs.
    Json,
    /// Header line, then one row per credential.
    Csv,
}

/// Entries and format of a text.
#[derive(Debug)]
pub struct Import {
    /// Format of the text.
    pub format: ImportFormat,
    /// Valid and invalid entries, in the order of the text.
    pub entries: Vec<Result<ImportEntry, EntryError>>,
    /// Sanitized names of fields and variables that are not imported.
    pub ignored: Vec<String>,
}

/// Reason why a text as a whole cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Bytes that are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Text in an unknown format.
    #[error("no form of credentials that neto knows")]
    Unknown,
    /// Known format without a credential.
    #[error("{0} without a credential in it")]
    Empty(ImportFormat),
    /// Invalid JSON.
    #[error("{0}")]
    Json(JsonError),
    /// CSV header with invalid columns; one clause for each problem.
    #[error("the header line {}", .0.join(", and "))]
    Header(Vec<String>),
}

impl Import {
    /// Parses a text. The format is detected from the text alone.
    ///
    /// # Errors
    /// [`ImportError`] if the text as a whole cannot be parsed. Errors of single entries are in `entries`.
    pub fn read(bytes: Vec<u8>) -> Result<Self, ImportError> {
        let text = text::decode(bytes)?;
        let mut import = if text.trim_start().starts_with(['{', '[']) {
            json::read(&text)?
        } else if let Some(header) = csv::CsvHeader::find(&text) {
            csv::read(&header?)
        } else {
            lines::read(&text).ok_or(ImportError::Unknown)?
        };
        if import.entries.is_empty() {
            return Err(ImportError::Empty(import.format));
        }
        import.ignored.sort();
        import.ignored.dedup();
        Ok(import)
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines of NETOSECRETs",
            Self::Assignments => "NAME=VALUE lines",
            Self::Json => "JSON",
            Self::Csv => "CSV",
        })
    }
}

//! Parses files with the credentials of many tenants: NETOSECRETs, `.env` files, scripts, JSON and CSV.
//!
//! Owns the detection of the format and the parsing of every entry. Must not access the profile store: the caller
//! chooses profile names and the action for each entry. Errors must not contain a value of the file.
//!
//! - `text`: decodes the bytes of a file;
//! - `lines`: parses NETOSECRETs, `.env` files and the constants of scripts, with the help of two modules:
//!   - `assignment`: finds the name and the value of `NAME=VALUE`;
//!   - `quote`: parses the value;
//! - `json`, `csv`: parse JSON and CSV;
//! - `field`: maps all names of a field to its canonical name;
//! - `entry`: builds an entry from its fields.

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

/// Format of a file with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// List of NETOSECRETs. Each NETOSECRET begins on a new line and may be wrapped.
    NetosecretList,
    /// Assignments `NAME=VALUE`: a `.env` file, or the constants of a script.
    Assignments,
    /// JSON, with objects or NETOSECRETs as entries.
    Json,
    /// CSV with a header line and one row per credential.
    Csv,
}

/// Parsed file.
#[derive(Debug)]
pub struct Import {
    /// Detected format.
    pub format: ImportFormat,
    /// Valid and invalid entries: in the order of the file, or sorted by key for a JSON object. Never empty.
    pub entries: Vec<Result<ImportEntry, EntryError>>,
    /// Sanitized names of fields and variables that are not imported, sorted and without duplicates.
    pub ignored: Vec<String>,
}

/// Reason why no entry of a file can be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The bytes are not text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The format is unknown.
    #[error("no form of credentials that neto knows")]
    UnknownFormat,
    /// The format is known, but the file contains no entry.
    #[error("{0} without a credential in it")]
    NoEntry(ImportFormat),
    /// The JSON is invalid.
    #[error("{0}")]
    Json(JsonError),
    /// The columns of the CSV header line are invalid. Each clause completes a sentence that begins with "the header
    /// line".
    #[error("the header line {}", .0.join(", and "))]
    Header(Vec<String>),
}

impl Import {
    /// Parses the bytes of a file. Detects the format from the content.
    ///
    /// # Errors
    /// Returns [`ImportError`] if no entry can be parsed. An error of a single entry becomes an item of `entries`.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, ImportError> {
        let text = text::decode(bytes)?;
        let mut import = if text.trim_start().starts_with(['{', '[']) {
            json::parse(&text)?
        } else if let Some(header) = csv::CsvHeader::detect(&text) {
            csv::parse(&header?)
        } else {
            lines::parse(&text).ok_or(ImportError::UnknownFormat)?
        };
        if import.entries.is_empty() {
            return Err(ImportError::NoEntry(import.format));
        }
        import.ignored.sort();
        import.ignored.dedup();
        Ok(import)
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetosecretList => "lines of NETOSECRETs",
            Self::Assignments => "NAME=VALUE lines",
            Self::Json => "JSON",
            Self::Csv => "CSV",
        })
    }
}

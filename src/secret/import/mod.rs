//! The credentials of many tenants out of one text, in the forms in which they lie about.
//!
//! Owns which form a text has and what stands in each of its places. Knows no store: what an entry is called there, and
//! what becomes of it, is not decided here. No error holds a value.
//!
//! - `text`: bytes as people save them, to text;
//! - `lines`: NETOSECRETs a line each, `.env` files, and the constants of a script, with `assignment` for one
//!   `NAME=VALUE` and `quote` for its value;
//! - `json` and `csv`;
//! - `field`: the fields by all their names; `entry`: what they come to.

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

pub use entry::{Entry, Place, Problem, Wrong};
pub use text::TextError;

use super::JsonFault;
use std::fmt;

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// NETOSECRETs, on lines of their own.
    Lines,
    /// `NAME=VALUE`: a `.env` file, or the constants of a script.
    Assignments,
    /// Objects.
    Json,
    /// A header line and a row each.
    Csv,
}

/// What was found in a text.
#[derive(Debug)]
pub struct Import {
    /// The form that it has.
    pub form: Form,
    /// Everything that is a credential or should be one, in the order of the text.
    pub found: Vec<Result<Entry, Wrong>>,
    /// The names, cleaned, of what stands beside and is not kept.
    pub ignored: Vec<String>,
}

/// Why nothing can be taken from a text as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Bytes that are no text.
    #[error(transparent)]
    Text(#[from] TextError),
    /// None of the forms.
    #[error("no form of credentials that neto knows")]
    Unknown,
    /// A form without a credential in it.
    #[error("{0} without a credential in it")]
    Empty(Form),
    /// JSON that cannot be read.
    #[error("{0}")]
    Json(JsonFault),
    /// Columns of a CSV that do not do; a sentence each.
    #[error("the header line {}", .0.join(", and "))]
    Header(Vec<String>),
}

impl Import {
    /// Reads everything. The form is seen from the text alone.
    ///
    /// # Errors
    /// [`ImportError`] where the text as a whole is not to be read; what is wrong in one place is in `found`.
    pub fn read(bytes: Vec<u8>) -> Result<Self, ImportError> {
        let text = text::decode(bytes)?;
        let mut import = if text.trim_start().starts_with(['{', '[']) {
            json::read(&text)?
        } else if let Some(header) = csv::Header::find(&text) {
            csv::read(&header?)
        } else {
            lines::read(&text).ok_or(ImportError::Unknown)?
        };
        if import.found.is_empty() {
            return Err(ImportError::Empty(import.form));
        }
        import.ignored.sort();
        import.ignored.dedup();
        Ok(import)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lines => "lines of NETOSECRETs",
            Self::Assignments => "NAME=VALUE lines",
            Self::Json => "JSON",
            Self::Csv => "CSV",
        })
    }
}

//! What the answers about accounts and keys come in: `{"meta": {...}, "data": ...}`, says the reference.
//!
//! Owns that one row which cannot be read does not spoil the others, and is counted. Fields that neto does not use may
//! be there or not.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// A list as the server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// What could be read, in the server's order.
    pub rows: Vec<T>,
    /// How many rows could not be read.
    pub unread: usize,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<T> Listed<T> {
    /// Reads the list that a body wraps; `read` makes something of what a row says, or nothing.
    pub(super) fn parse<W: DeserializeOwned>(body: &[u8], read: impl Fn(W) -> Option<T>) -> Result<Self, &'static str> {
        let data = data(body)?;
        let whole: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|_| "its data is no list")?;
        let rows: Vec<T> =
            whole.iter().filter_map(|row| serde_json::from_str(row.get()).ok().and_then(&read)).collect();
        if rows.is_empty() && !whole.is_empty() {
            return Err("no row of its list can be read");
        }
        Ok(Self { unread: whole.len() - rows.len(), rows })
    }

    /// How many rows the server gave.
    #[must_use]
    pub fn whole(&self) -> usize {
        self.rows.len() + self.unread
    }
}

/// Reads the one thing that a body wraps, also as a list of one.
pub(super) fn one<W: DeserializeOwned, T>(body: &[u8], read: impl Fn(W) -> Option<T>) -> Result<T, &'static str> {
    let data = data(body)?.get();
    let one = serde_json::from_str(data).or_else(|_| serde_json::from_str(data).map(|[one]: [W; 1]| one));
    one.ok().and_then(read).ok_or("its data cannot be read")
}

/// serde's own words quote what was read, so none of them is kept.
fn data(body: &[u8]) -> Result<&RawValue, &'static str> {
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).map_err(|_| "it is not one JSON object")?;
    wrapped.data.ok_or("it holds no data")
}

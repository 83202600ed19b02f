//! Envelope of the answers about accounts and keys: `{"meta": {...}, "data": ...}`, according to the reference.
//!
//! A row that cannot be parsed is counted and does not affect other rows. Fields that neto does not use may be absent.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// List from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListAnswer<T> {
    /// Rows that were parsed, in the server's order.
    pub rows: Vec<T>,
    /// Number of rows that could not be parsed.
    pub unreadable: usize,
}

#[derive(Deserialize)]
struct DataWrapper<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<T> ListAnswer<T> {
    /// Parses the list in a body. `read` converts a row, or returns `None` if the row is invalid.
    pub(super) fn parse<W: DeserializeOwned>(body: &[u8], read: impl Fn(W) -> Option<T>) -> Result<Self, &'static str> {
        let data = data(body)?;
        let raw_rows: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|_| "its data is no list")?;
        let rows: Vec<T> =
            raw_rows.iter().filter_map(|row| serde_json::from_str(row.get()).ok().and_then(&read)).collect();
        if rows.is_empty() && !raw_rows.is_empty() {
            return Err("no row of its list can be read");
        }
        Ok(Self { unreadable: raw_rows.len() - rows.len(), rows })
    }

    /// Returns the number of rows in the answer.
    #[must_use]
    pub fn total(&self) -> usize {
        self.rows.len() + self.unreadable
    }
}

/// Parses the single object in a body, which may also be wrapped in a list.
pub(super) fn parse_one<W: DeserializeOwned, T>(body: &[u8], read: impl Fn(W) -> Option<T>) -> Result<T, &'static str> {
    let data = data(body)?.get();
    let value = serde_json::from_str(data).or_else(|_| serde_json::from_str(data).map(|[one]: [W; 1]| one));
    value.ok().and_then(read).ok_or("its data cannot be read")
}

/// Returns the `data` field. serde's messages are dropped because they quote the input.
fn data(body: &[u8]) -> Result<&RawValue, &'static str> {
    let wrapped: DataWrapper<'_> = serde_json::from_slice(body).map_err(|_| "it is not one JSON object")?;
    wrapped.data.ok_or("it holds no data")
}

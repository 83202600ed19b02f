//! Parses the envelope of responses about accounts and keys: `{"meta": {...}, "data": ...}` in the reference.
//!
//! A row that cannot be parsed is counted and does not affect other rows. `meta` is ignored and may be absent.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// List from a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListResponse<T> {
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

impl<T> ListResponse<T> {
    /// Parses the list in a body. `convert` converts a row, or returns `None` for an invalid row.
    ///
    /// # Errors
    /// Returns a description of the problem if the body has no list, or if the list has only invalid rows.
    pub(super) fn parse<W: DeserializeOwned>(
        body: &[u8],
        convert: impl Fn(W) -> Option<T>,
    ) -> Result<Self, &'static str> {
        let data = data_field(body)?;
        let raw_rows: Vec<&RawValue> = serde_json::from_str(data.get()).map_err(|_| "its data is no list")?;
        let rows: Vec<T> =
            raw_rows.iter().filter_map(|row| serde_json::from_str(row.get()).ok().and_then(&convert)).collect();
        if rows.is_empty() && !raw_rows.is_empty() {
            return Err("no row of its list can be read");
        }
        Ok(Self { unreadable: raw_rows.len() - rows.len(), rows })
    }

    /// Returns the number of rows in the response, including the rows that could not be parsed.
    #[must_use]
    pub fn total(&self) -> usize {
        self.rows.len() + self.unreadable
    }
}

/// Parses the single object in a body. Also accepts a list with the object as its only element. `convert` converts the
/// object, or returns `None` for an invalid object.
///
/// # Errors
/// Returns a description of the problem.
pub(super) fn parse_one<W: DeserializeOwned, T>(
    body: &[u8],
    convert: impl Fn(W) -> Option<T>,
) -> Result<T, &'static str> {
    let data = data_field(body)?.get();
    let value = serde_json::from_str(data).or_else(|_| serde_json::from_str(data).map(|[object]: [W; 1]| object));
    value.ok().and_then(convert).ok_or("its data cannot be read")
}

/// Returns the `data` field of a body. Drops the messages of serde, because they quote the input.
fn data_field(body: &[u8]) -> Result<&RawValue, &'static str> {
    let wrapped: DataWrapper<'_> = serde_json::from_slice(body).map_err(|_| "it is not one JSON object")?;
    wrapped.data.ok_or("it holds no data")
}

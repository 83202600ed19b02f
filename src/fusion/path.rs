//! Path of an API call below a profile's URL, and the rule that decides which calls are read-only.
//!
//! Rejects a path that a server or proxy could interpret as a different path. Otherwise the access token could reach
//! another endpoint, or a writing call could pass as read-only.

use reqwest::Method;
use std::str::FromStr;

/// Version prefix, added to a path that does not start with `/api`.
const VERSION_PREFIX: &str = "/api/v1";
/// Prefixes of paths for which a `POST` only reads data, according to the reference.
const READ_ONLY_POST_PREFIXES: [&str; 3] = ["/api/v1/search/", "/api/v1/stats/", "/api/v1/intel/lookup/"];

/// Headers that override the method of a request at some servers. A call that looks read-only could write with them.
pub const METHOD_OVERRIDE_HEADERS: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Characters that RFC 3986 allows in a path, in addition to letters and digits. The HTTP library may encode other
/// characters. The path that is sent would then differ from the path that was checked.
const PATH_CHARACTERS: &[u8] = b"-._~!$&'()*+,;=:@/%";

/// Path and query of a call: `/api/v1/customers?limit=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPath {
    path_and_query: String,
    /// Index of the `?`, or the length of the path if there is no query.
    query_start: usize,
}

/// Reason why a text is not a valid API path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Path that is empty or has only slashes.
    #[error("the path is empty")]
    Empty,
    /// Whole URL: a colon in the first segment. Also a request path without a leading slash.
    #[error("a path is wanted, not a whole address: each profile has its own")]
    Scheme,
    /// Two slashes in a row.
    #[error("the path holds an empty segment ('//')")]
    EmptySegment,
    /// Segment `.` or `..`, even if it is encoded or followed by a `;`.
    #[error("the path holds a segment of dots")]
    DotSegment,
    /// Backslash, encoded backslash or encoded slash.
    #[error("the path holds a backslash or an encoded slash")]
    Slash,
    /// `#` in the path or query.
    #[error("the path holds a '#', which is never sent; write it as %23")]
    Fragment,
    /// Request path with an encoding that two servers could decode differently, such as `%61` or an encoded control
    /// character.
    #[error("the path encodes characters that need no encoding, or controls")]
    AmbiguousEncoding,
    /// White space, control character or non-ASCII character, in the path or query. Also, in a request path, any
    /// character that must be encoded.
    #[error("the path holds blanks, control characters or letters beyond ASCII; percent-encode them")]
    Characters,
}

impl ApiPath {
    /// Creates a path from a constant, which must be valid, include `/api/v1` and have no query.
    pub(super) fn from_static(path: &'static str) -> Self {
        Self { path_and_query: path.to_owned(), query_start: path.len() }
    }

    /// Returns the path and the query as they are sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path_and_query
    }

    /// Returns the path without the query. A query may contain values that must not be logged.
    #[must_use]
    pub fn without_query(&self) -> &str {
        &self.path_and_query[..self.query_start]
    }

    /// Parses the path and query of another program's request. Keeps both unchanged, so the path must start with a
    /// slash, and no version is added.
    ///
    /// # Errors
    /// Returns a [`PathError`] for an invalid path. Stricter than [`FromStr`]: also rejects a path with encoded
    /// letters, because the read-only rule compares plain letters.
    pub fn parse_request_path(text: &str) -> Result<Self, PathError> {
        let (path, query) = validate(text)?;
        if !path.starts_with('/') {
            return Err(PathError::Scheme);
        }
        if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || PATH_CHARACTERS.contains(&byte)) {
            return Err(PathError::Characters);
        }
        if path.split('/').any(is_ambiguously_encoded) {
            return Err(PathError::AmbiguousEncoding);
        }
        Ok(Self::new(path.to_owned(), query))
    }

    fn new(path: String, query: Option<&str>) -> Self {
        let query_start = path.len();
        match query {
            Some(query) => Self { path_and_query: format!("{path}?{query}"), query_start },
            None => Self { path_and_query: path, query_start },
        }
    }

    /// Returns true if a call is read-only: a `GET`, a `HEAD`, or a `POST` to a path for which a `POST` only reads
    /// data.
    #[must_use]
    pub fn is_read_only(&self, method: &Method) -> bool {
        let has_read_only_post =
            || READ_ONLY_POST_PREFIXES.iter().any(|prefix| self.without_query().starts_with(prefix));
        method == Method::GET || method == Method::HEAD || (method == Method::POST && has_read_only_post())
    }
}

impl FromStr for ApiPath {
    type Err = PathError;

    /// Parses a path and query as a user types them: the leading slash and `/api/v1` are optional.
    fn from_str(text: &str) -> Result<Self, PathError> {
        let (path, query) = validate(text)?;
        let relative = path.trim_start_matches('/');
        let version = if relative == "api" || relative.starts_with("api/") { "" } else { VERSION_PREFIX };
        Ok(Self::new(format!("{version}/{relative}"), query))
    }
}

/// Splits a text into path and query. Checks that no server can interpret the path as a different path.
fn validate(text: &str) -> Result<(&str, Option<&str>), PathError> {
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    if path.trim_matches('/').is_empty() {
        return Err(PathError::Empty);
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PathError::Characters);
    }
    if text.contains('#') {
        return Err(PathError::Fragment);
    }
    if path.split('/').next().is_some_and(|first| first.contains(':')) {
        return Err(PathError::Scheme);
    }
    if path.contains("//") {
        return Err(PathError::EmptySegment);
    }
    let lower_case = path.to_ascii_lowercase();
    if lower_case.contains('\\') || lower_case.contains("%2f") || lower_case.contains("%5c") {
        return Err(PathError::Slash);
    }
    // Some servers ignore the part of a segment after a ';', so `..;x` is rejected too.
    let is_dots = |segment: &str| {
        let decoded = segment.replace("%2e", ".").replace("%3b", ";");
        matches!(decoded.split(';').next(), Some("." | ".."))
    };
    if lower_case.split('/').any(is_dots) {
        return Err(PathError::DotSegment);
    }
    Ok((path, query))
}

/// Returns true if a segment contains:
/// - an encoded unreserved character or control character;
/// - an encoded blank at its start or end;
/// - `%25` before two hex digits, which a server may decode twice;
/// - a `%` without two hex digits.
fn is_ambiguously_encoded(segment: &str) -> bool {
    let hex_byte = |text: &str| text.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let has_ambiguous_escape = segment.match_indices('%').any(|(index, _)| {
        let rest = &segment[index + 1..];
        match hex_byte(rest) {
            Some(b'%') => hex_byte(&rest[2..]).is_some(),
            Some(byte) => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || byte.is_ascii_control(),
            None => true,
        }
    });
    has_ambiguous_escape || segment.starts_with("%20") || segment.ends_with("%20")
}

#[cfg(test)]
mod tests;

//! Path of an API call below a profile's url, and whether the call is read-only.
//!
//! A path is checked in the form in which it is sent. A path that a server or proxy could interpret as another one is
//! rejected. So the access token is not sent elsewhere, and a writing call cannot pass as read-only.

use reqwest::Method;
use std::str::FromStr;

/// API version prefix, added to a path that has none.
const VERSION: &str = "/api/v1";
/// Path prefixes for which a `POST` only reads, according to the reference.
const READ_ONLY_POSTS: [&str; 3] = ["/api/v1/search/", "/api/v1/stats/", "/api/v1/intel/lookup/"];

/// Headers that make some servers treat a request as another method. With one of them, a read-only call could write.
pub const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Characters that a path contains unencoded beside letters and digits, according to RFC 3986. Any other character
/// would be sent in another spelling than the spelling that was checked.
const UNENCODED: &[u8] = b"-._~!$&'()*+,;=:@/%";

/// Path and query of a call: `/api/v1/customers?limit=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPath {
    text: String,
    /// Index where the query begins, or the length of the text.
    query_start: usize,
}

/// Reason why a text is not a valid path of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty path.
    #[error("the path is empty")]
    Empty,
    /// `https:...`.
    #[error("a path is wanted, not a whole address: each profile has its own")]
    Scheme,
    /// `//`.
    #[error("the path holds an empty segment ('//')")]
    EmptySegment,
    /// `.` or `..`, also encoded.
    #[error("the path holds a segment of dots")]
    DotSegment,
    /// A backslash or an encoded slash.
    #[error("the path holds a backslash or an encoded slash")]
    Slash,
    /// `#`.
    #[error("the path holds a '#', which is never sent; write it as %23")]
    Fragment,
    /// An unreserved character is encoded (`%61`), or a control character: the path hides its meaning.
    #[error("the path encodes characters that need no encoding, or controls")]
    AmbiguousEncoding,
    /// White space, a control character or a non-ASCII character.
    #[error("the path holds blanks, control characters or letters beyond ASCII; percent-encode them")]
    Characters,
}

impl ApiPath {
    /// Creates a path from a constant: complete and without a query.
    pub(super) fn from_static(path: &'static str) -> Self {
        Self { text: path.to_owned(), query_start: path.len() }
    }

    /// Returns path and query as sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path without the query, which may contain values that do not belong in a log.
    #[must_use]
    pub fn without_query(&self) -> &str {
        &self.text[..self.query_start]
    }

    /// Parses the path of another program's request, which is kept unchanged: complete with its version, from the first
    /// slash.
    ///
    /// # Errors
    /// [`PathError`]; also for a path with encoded letters, because the checks compare letters.
    pub fn parse_request_path(text: &str) -> Result<Self, PathError> {
        let (path, query) = validate(text)?;
        if !path.starts_with('/') {
            return Err(PathError::Scheme);
        }
        if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || UNENCODED.contains(&byte)) {
            return Err(PathError::Characters);
        }
        if path.split('/').any(is_ambiguously_encoded) {
            return Err(PathError::AmbiguousEncoding);
        }
        Ok(Self::new(path.to_owned(), query))
    }

    fn new(path: String, query: Option<&str>) -> Self {
        let end = path.len();
        match query {
            Some(query) => Self { text: format!("{path}?{query}"), query_start: end },
            None => Self { text: path, query_start: end },
        }
    }

    /// Returns true if a call is read-only: a `GET`, a `HEAD`, or a `POST` to a path that the reference calls a search.
    #[must_use]
    pub fn is_read_only(&self, method: &Method) -> bool {
        let search = || READ_ONLY_POSTS.iter().any(|start| self.without_query().starts_with(start));
        method == Method::GET || method == Method::HEAD || (method == Method::POST && search())
    }
}

impl FromStr for ApiPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let (path, query) = validate(text)?;
        let below = path.trim_start_matches('/');
        let version = if below == "api" || below.starts_with("api/") { "" } else { VERSION };
        Ok(Self::new(format!("{version}/{below}"), query))
    }
}

/// Splits a text into path and query, after checking that no server can interpret the path as another one.
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
    let plain = path.to_ascii_lowercase();
    if plain.contains('\\') || plain.contains("%2f") || plain.contains("%5c") {
        return Err(PathError::Slash);
    }
    // Dots before a ';' count too: some servers ignore the part of a segment after a ';'.
    let is_dots = |segment: &str| {
        let name = segment.replace("%2e", ".").replace("%3b", ";");
        matches!(name.split(';').next(), Some("." | ".."))
    };
    if plain.split('/').any(is_dots) {
        return Err(PathError::DotSegment);
    }
    Ok((path, query))
}

/// Returns true if a segment encodes an unreserved character, a control character, or a blank at its edge. Also true
/// for an encoded '%' that two hex digits follow, which a server may decode twice.
fn is_ambiguously_encoded(segment: &str) -> bool {
    let digits = |text: &str| text.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let encoded = segment.match_indices('%').any(|(place, _)| {
        let rest = &segment[place + 1..];
        match digits(rest) {
            Some(b'%') => digits(&rest[2..]).is_some(),
            Some(byte) => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || byte.is_ascii_control(),
            None => true,
        }
    });
    encoded || segment.starts_with("%20") || segment.ends_with("%20")
}

#[cfg(test)]
mod tests;

//! Where a call goes below a profile's address, and whether it only reads.
//!
//! A path is judged as it will be sent: what a server or a proxy could take for another place is refused here, so
//! that the bearer goes nowhere else and a writing call cannot pass for a reading one.

use reqwest::Method;
use std::str::FromStr;

/// The version that a path may leave out.
const VERSION: &str = "/api/v1";
/// Below these a `POST` only reads, says the reference.
const SEARCHES: [&str; 3] = ["/api/v1/search/", "/api/v1/stats/", "/api/v1/intel/lookup/"];

/// Headers by which some servers take a call for one of another method, so that a reading one would write.
pub const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// What stands in a path as it is, beside letters and digits, says RFC 3986. Anything else would be sent in another
/// spelling than the one that was judged.
const PLAIN: &[u8] = b"-._~!$&'()*+,;=:@/%";

/// Path and query of a call: `/api/v1/customers?limit=10`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPath {
    whole: String,
    /// Where the query begins, or the end.
    query: usize,
}

/// Why a text is no path of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing.
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
    Dots,
    /// A backslash or an encoded slash.
    #[error("the path holds a backslash or an encoded slash")]
    Slash,
    /// `#`.
    #[error("the path holds a '#', which is never sent; write it as %23")]
    Fragment,
    /// What needs no encoding as `%61`, or what no name has: the path does not say what it means.
    #[error("the path encodes characters that need no encoding, or controls")]
    Disguise,
    /// White space, control characters, or beyond ASCII.
    #[error("the path holds blanks, control characters or letters beyond ASCII; percent-encode them")]
    Characters,
}

impl ApiPath {
    /// A path that this program knows, whole and without a query.
    pub(super) fn fixed(path: &'static str) -> Self {
        Self { whole: path.to_owned(), query: path.len() }
    }

    /// As it is sent.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// Without the query, which may hold what no log should.
    #[must_use]
    pub fn without_query(&self) -> &str {
        &self.whole[..self.query]
    }

    /// A path that another program sends, as it stands: with its version, from the first slash on.
    ///
    /// # Errors
    /// [`PathError`]; also for a path whose letters are encoded, since what it means is judged by its letters.
    pub fn of_request(text: &str) -> Result<Self, PathError> {
        let (path, query) = checked(text)?;
        if !path.starts_with('/') {
            return Err(PathError::Scheme);
        }
        if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || PLAIN.contains(&byte)) {
            return Err(PathError::Characters);
        }
        if path.split('/').any(is_disguised) {
            return Err(PathError::Disguise);
        }
        Ok(Self::new(path.to_owned(), query))
    }

    fn new(path: String, query: Option<&str>) -> Self {
        let end = path.len();
        match query {
            Some(query) => Self { whole: format!("{path}?{query}"), query: end },
            None => Self { whole: path, query: end },
        }
    }

    /// Whether a call only reads: a `GET` or `HEAD`, or a `POST` to what the reference calls a search.
    #[must_use]
    pub fn reads(&self, method: &Method) -> bool {
        let search = || SEARCHES.iter().any(|start| self.without_query().starts_with(start));
        method == Method::GET || method == Method::HEAD || (method == Method::POST && search())
    }
}

impl FromStr for ApiPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let (path, query) = checked(text)?;
        let below = path.trim_start_matches('/');
        let version = if below == "api" || below.starts_with("api/") { "" } else { VERSION };
        Ok(Self::new(format!("{version}/{below}"), query))
    }
}

/// Path and query of a text that leads nowhere else than it says.
fn checked(text: &str) -> Result<(&str, Option<&str>), PathError> {
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
    // Also behind a ';', since some servers take what follows one for no part of the segment.
    let is_dots = |segment: &str| {
        let name = segment.replace("%2e", ".").replace("%3b", ";");
        matches!(name.split(';').next(), Some("." | ".."))
    };
    if plain.split('/').any(is_dots) {
        return Err(PathError::Dots);
    }
    Ok((path, query))
}

/// Whether a segment encodes what needs no encoding, a control, a blank at its edge, or a '%' that two digits follow, which
/// a server may decode twice.
fn is_disguised(segment: &str) -> bool {
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
mod tests {
    use super::*;

    #[test]
    fn the_version_may_be_left_out() {
        for (typed, sent) in [
            ("customers", "/api/v1/customers"),
            ("/customers?a=b&c=%20/..", "/api/v1/customers?a=b&c=%20/.."),
            ("/api/v1/customers", "/api/v1/customers"),
            ("api/v1/api-keys/", "/api/v1/api-keys/"),
            ("/api/auth/bearer/x", "/api/auth/bearer/x"),
            ("api-keys/a:b", "/api/v1/api-keys/a:b"),
            ("x?u=https://y", "/api/v1/x?u=https://y"),
        ] {
            let path: ApiPath = typed.parse().unwrap();
            assert_eq!(path.whole(), sent);
            assert_eq!(path.without_query(), sent.split('?').next().unwrap());
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for (typed, error) in [
            ("", PathError::Empty),
            ("/", PathError::Empty),
            ("//", PathError::Empty),
            ("?a", PathError::Empty),
            ("https://evil.example/", PathError::Scheme),
            ("javascript:x", PathError::Scheme),
            ("//evil.example/x", PathError::EmptySegment),
            ("/a//b", PathError::EmptySegment),
            ("a/../b", PathError::Dots),
            ("a/.", PathError::Dots),
            ("a/%2E%2e/b", PathError::Dots),
            ("search/..;/api-keys", PathError::Dots),
            ("search/..%3b/api-keys", PathError::Dots),
            ("a%2Fb", PathError::Slash),
            ("a%5cb", PathError::Slash),
            ("a\\b", PathError::Slash),
            ("a#b", PathError::Fragment),
            ("a b", PathError::Characters),
            ("a\tb", PathError::Characters),
            ("ä", PathError::Characters),
            ("a?\nHost: x", PathError::Characters),
        ] {
            assert_eq!(typed.parse::<ApiPath>(), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn the_path_of_a_request_is_taken_as_it_is_or_not_at_all() {
        for path in
            ["/api/v1/x", "/other?a=%61&b=//", "/api/v1/a%20b%C3%A4", "/api/v1/100%25", "/api/v1/x/", "/x;y=(1)"]
        {
            assert_eq!(ApiPath::of_request(path).unwrap().whole(), path);
        }
        for (path, error) in [
            ("/", PathError::Empty),
            ("api/v1/x", PathError::Scheme),
            ("/api/v1/%61pi-keys", PathError::Disguise),
            ("/api/v1/api-key%73", PathError::Disguise),
            ("/api/v1/%2561pi-keys", PathError::Disguise),
            ("/api/v1/api%2dkeys", PathError::Disguise),
            ("/api/v1/api%2Dkeys", PathError::Disguise),
            ("/api/v1/a%5fb", PathError::Disguise),
            ("/api/v1/a%7Eb", PathError::Disguise),
            ("/api/v1/x%00", PathError::Disguise),
            ("/api/v1/..%20/x", PathError::Disguise),
            ("/api/v1/%20api-keys", PathError::Disguise),
            ("/api/v1/%zz", PathError::Disguise),
            ("/api/v1/x{a}", PathError::Characters),
            ("/api/v1/x|y", PathError::Characters),
            ("/api//v1", PathError::EmptySegment),
            ("/api/%2e%2e/x", PathError::Dots),
            ("/api%2fv1", PathError::Slash),
        ] {
            assert_eq!(ApiPath::of_request(path), Err(error), "{path}");
        }
    }

    #[test]
    fn reading_calls_are_those_of_the_reference() {
        for (method, path, reads) in [
            (Method::GET, "api-keys", true),
            (Method::HEAD, "api-keys", true),
            (Method::POST, "search/flow", true),
            (Method::POST, "/api/v1/stats/x?y", true),
            (Method::POST, "intel/lookup/ip", true),
            (Method::POST, "search", false),
            (Method::POST, "searching/x", false),
            (Method::POST, "Search/x", false),
            (Method::POST, "/api/search/x", false),
            (Method::POST, "api-keys?/api/v1/search/", false),
            (Method::PUT, "search/x", false),
            (Method::DELETE, "api-keys/x", false),
            (Method::from_bytes(b"get").unwrap(), "api-keys", false),
        ] {
            assert_eq!(path.parse::<ApiPath>().unwrap().reads(&method), reads, "{method} {path}");
        }
    }
}

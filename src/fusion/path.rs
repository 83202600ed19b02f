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
    /// White space, control characters, or beyond ASCII.
    #[error("the path holds blanks, control characters or letters beyond ASCII; percent-encode them")]
    Characters,
}

impl ApiPath {
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
        let below = path.trim_start_matches('/');
        let version = if below == "api" || below.starts_with("api/") { "" } else { VERSION };
        let mut whole = format!("{version}/{below}");
        let end = whole.len();
        if let Some(query) = query {
            whole = format!("{whole}?{query}");
        }
        Ok(Self { whole, query: end })
    }
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

//! URL of a Fusion API. Parsing rejects any URL that is unsafe for a credential, so other code needs no such check.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;
use url::{Host, Url};

/// Path of the API version, appended to the base URL.
const VERSION_PATH: &str = "/api/v1";

/// Regular expression for URLs in the JSON Schema: `https` to any ASCII host, `http` only to a loopback host. Also
/// matches some URLs that [`ApiUrl`] rejects, such as ports above 65535.
pub(super) const URL_PATTERN: &str = concat!(
    r"^([Hh][Tt][Tt][Pp][Ss]://([!$&-.0-9;=A-Z_a-z~]+|\[[0-9A-Fa-f:.]+\])",
    r"|[Hh][Tt][Tt][Pp]://([Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]|\[[0:]+:0*1\]",
    r"|(127|0+177|0[Xx]0*7[Ff])(\.[0-9A-Fa-fXx]+)*|2[01][0-9]{8}|0[Xx]7[Ff][0-9A-Fa-f]{6}))",
    r"(:(0*[1-9][0-9]{0,4})?)?(/[^\s\\?#\x00-\x1f\x7f-\x9f]*)?$",
);

/// Base URL of an API. Equality ignores `/api/v1`, trailing slashes, the scheme's default port and the case of scheme
/// and host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ApiUrl {
    /// URL up to `/api/v1`, without trailing slashes and without the scheme's default port.
    base: Arc<str>,
    /// Host, and the port if it is not the scheme's default.
    authority: Arc<str>,
    loopback: bool,
}

/// Reason why a text is not a valid API URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Text that is not a URL, or in which the scheme is not followed by `://` and a host.
    #[error("the url cannot be read")]
    Malformed,
    /// `http` to a host other than this machine; see [`ApiUrl::is_loopback`].
    #[error("the url must be https (http only to a loopback address)")]
    Insecure,
    /// Scheme other than `https` and `http`.
    #[error("the url must start with https://")]
    Scheme,
    /// `@` before the host, as in `user:password@`.
    #[error("the url must not hold a user or password")]
    UserInfo,
    /// Query: `?...`.
    #[error("the url must not have a query")]
    Query,
    /// Fragment: `#...`.
    #[error("the url must not have a fragment")]
    Fragment,
    /// Host that contains `%` or characters outside ASCII. Holds the ASCII host name that a client would look up.
    #[error("the host of the url is not plain ASCII; what would be asked is '{0}'")]
    LookAlike(String),
    /// Port 0.
    #[error("the url has a port that cannot be")]
    PortZero,
    /// White space, control characters or backslashes.
    #[error("the url holds blanks, control characters or backslashes")]
    InvalidCharacter,
}

impl ApiUrl {
    /// URL of the Fusion API as the vendor documents it.
    pub const STANDARD: &str = "https://api.netography.com/api/v1";

    /// Returns the URL with `/api/v1` and no trailing slash, such as `https://api.netography.com/api/v1`.
    #[must_use]
    pub fn with_version(&self) -> String {
        [&self.base, VERSION_PATH].concat()
    }

    /// Returns the base URL followed by `path`. `path` must start with `/api`.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Returns the host, and the port if it is not the scheme's default, for messages.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the scheme and the authority, such as `https://api.netography.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.base[..self.base.len() - self.path().len()]
    }

    /// Returns the path before `/api/v1`, without a trailing slash. The vendor's own API has an empty path.
    #[must_use]
    pub fn path(&self) -> &str {
        let host_start = self.base.find("://").map_or(0, |end| end + "://".len());
        self.base[host_start..].find('/').map_or("", |start| &self.base[host_start + start..])
    }

    /// Whether the host is `localhost`, an address in 127.0.0.0/8, or `[::1]`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl FromStr for ApiUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        // The URL parser drops tabs and line endings and reads backslashes as slashes, so this check comes first.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(UrlError::InvalidCharacter);
        }
        let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
        if !["https", "http"].contains(&url.scheme()) {
            return Err(UrlError::Scheme);
        }
        // The URL parser also accepts `https:host` and `https:///host`. There the host does not follow `://`, so the
        // checks below would miss the host.
        let (_, after_scheme) = text
            .split_once("://")
            .filter(|(scheme, _)| scheme.len() == url.scheme().len())
            .ok_or(UrlError::Malformed)?;
        let raw_authority =
            after_scheme.split(['/', '?', '#']).next().filter(|part| !part.is_empty()).ok_or(UrlError::Malformed)?;
        if raw_authority.contains('@') {
            return Err(UrlError::UserInfo);
        }
        if url.query().is_some() {
            return Err(UrlError::Query);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(UrlError::PortZero);
        }
        if !raw_authority.is_ascii() || raw_authority.contains('%') {
            return Err(UrlError::LookAlike(url.host_str().unwrap_or_default().to_owned()));
        }
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => is_loopback_v4(address),
            Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
            Some(Host::Domain(name)) => name == "localhost",
            None => return Err(UrlError::Malformed),
        };
        if url.scheme() == "http" && !loopback {
            return Err(UrlError::Insecure);
        }
        let base = url.as_str().trim_end_matches('/');
        let base = base.strip_suffix(VERSION_PATH).unwrap_or(base).trim_end_matches('/');
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        Ok(Self { base: base.into(), authority: authority.into(), loopback })
    }
}

impl TryFrom<String> for ApiUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

fn is_loopback_v4(address: Ipv4Addr) -> bool {
    address.is_loopback()
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        f.write_str(VERSION_PATH)
    }
}

impl Serialize for ApiUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_urls_are_equal() {
        let api: ApiUrl = "https://api.netography.com/api/v1".parse().unwrap();
        for same in [
            "https://api.netography.com",
            "https://api.netography.com/",
            "https://api.netography.com/api/v1/",
            "HTTPS://API.Netography.COM/api/v1",
            "https://api.netography.com:443/api/v1",
        ] {
            assert_eq!(same.parse(), Ok(api.clone()), "{same}");
        }
        assert_ne!("https://api.netography.com:8443".parse(), Ok(api.clone()));
        assert_eq!(api.to_string(), "https://api.netography.com/api/v1");
        assert_eq!((api.origin(), api.path()), ("https://api.netography.com", ""));
        let twice: ApiUrl = "https://[::1]:8443/api/v1/api/v1".parse().unwrap();
        assert_eq!((twice.origin(), twice.path()), ("https://[::1]:8443", "/api/v1"));
        assert_eq!(api.join("/api/auth/bearer/refresh"), "https://api.netography.com/api/auth/bearer/refresh");
    }

    #[test]
    fn r24_only_https_or_loopback() {
        for good in [
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://localhost:1",
            "http://[::1]:9/api/v1",
            "https://10.0.0.1",
        ] {
            assert!(good.parse::<ApiUrl>().is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://api.netography.com", UrlError::Insecure),
            ("http://127.0.0.1.evil.example", UrlError::Insecure),
            ("http://localhost.evil.example", UrlError::Insecure),
            ("ftp://api.netography.com", UrlError::Scheme),
            ("https://user@api.netography.com", UrlError::UserInfo),
            ("https://@api.netography.com", UrlError::UserInfo),
            ("https://api.netography.com?x=1", UrlError::Query),
            ("https://api.netography.com#x", UrlError::Fragment),
            ("https://api.netography.com:0", UrlError::PortZero),
            ("https://api.netography.com:99999", UrlError::Malformed),
            ("https://", UrlError::Malformed),
            ("https:api.netography.com", UrlError::Malformed),
            ("https:user:password@api.netography.com//x", UrlError::Malformed),
            ("https:///user:password@api.netography.com", UrlError::Malformed),
            ("https:аpi.netography.com://api.netography.com", UrlError::Malformed),
            ("api.netography.com", UrlError::Malformed),
            ("", UrlError::Malformed),
            ("https://api.\tnetography.com", UrlError::InvalidCharacter),
            ("https:\\\\api.netography.com", UrlError::InvalidCharacter),
            ("https://аpi.netography.com", UrlError::LookAlike("xn--pi-6kc.netography.com".to_owned())),
        ] {
            assert_eq!(bad.parse::<ApiUrl>(), Err(why), "{bad}");
        }
    }
}

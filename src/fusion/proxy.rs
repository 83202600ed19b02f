//! HTTP proxy for a server, according to the environment variables.
//!
//! Owns the meaning of `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. A proxy is only used for a tunnel (CONNECT). An
//! unusable proxy is an error, because the HTTP library would silently bypass it.

use super::FusionError;
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use std::ffi::OsStr;
use std::net::IpAddr;
use url::{Host, Url};

/// Variables that may name a proxy; the first that is set counts. `HTTP_PROXY` is not among them: plain http is used
/// only for this machine, and the caller of a CGI program can set `HTTP_PROXY`.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Proxy settings from the environment.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    configured: Option<(&'static str, Result<HttpProxy, &'static str>)>,
    no_proxy_rules: Vec<NoProxyRule>,
}

/// Usable proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpProxy {
    /// Host and port for messages.
    pub(super) name: String,
    /// Environment variable that names the proxy.
    pub(super) variable: &'static str,
    /// Address without user info.
    pub(super) url: Url,
    /// `Proxy-Authorization` header with user and password, marked as sensitive so that it is not printed.
    pub(super) authorization: Option<HeaderValue>,
}

/// Entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NoProxyRule {
    All,
    /// Domain with all its subdomains, in lower case.
    Domain(String),
    /// Address, or the network with a prefix of this many bits.
    Network(IpAddr, u32),
}

impl Proxies {
    /// Reads the environment variables; `variable` should return `None` for an empty variable.
    pub fn new<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, variable(name)?)));
        let configured = first(&PROXY_VARIABLES).map(|(name, value)| {
            (name, value.to_str().ok_or("it is not UTF-8").and_then(|text| parse_proxy(name, text)))
        });
        let list = first(&NO_PROXY_VARIABLES).map(|(_, list)| list.to_string_lossy()).unwrap_or_default();
        Self { configured, no_proxy_rules: list.split(',').filter_map(NoProxyRule::parse).collect() }
    }

    /// Returns the configured proxy for display: its variable, and its host and port without user and password.
    ///
    /// # Errors
    /// `ProxySetting` if the proxy is unusable.
    pub fn configured(&self) -> Result<Option<(&'static str, &str)>, FusionError> {
        let Some((variable, proxy)) = &self.configured else { return Ok(None) };
        match proxy {
            Ok(proxy) => Ok(Some((variable, &proxy.name))),
            Err(why) => Err(FusionError::ProxySetting { variable, why }),
        }
    }

    /// Returns the proxy for `url`, or `None` for a direct connection. Connections to this machine are always direct.
    ///
    /// # Errors
    /// `ProxySetting` if the configured proxy is unusable.
    pub(super) fn proxy_for(&self, url: &ApiUrl) -> Result<Option<&HttpProxy>, FusionError> {
        let Some((variable, proxy)) = &self.configured else { return Ok(None) };
        let parsed = Url::parse(&url.with_version()).ok();
        let host = parsed.as_ref().and_then(Url::host);
        if url.is_loopback()
            || host.is_some_and(|host| self.no_proxy_rules.iter().any(|exempt| exempt.matches_host(&host)))
        {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(|why| FusionError::ProxySetting { variable, why })
    }
}

fn parse_proxy(variable: &'static str, text: &str) -> Result<HttpProxy, &'static str> {
    let form = "it should be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with all but letters and digits \
                of the password percent-encoded";
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it holds blanks or control characters");
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| form)?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("neto takes http:// and https:// proxies alone");
    }
    // An unencoded slash, hash or question mark in a password ends the host too early. The rest of the password would
    // then be shown as path or query.
    if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
        return Err(form);
    }
    let plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if url.host().is_none_or(|host| matches!(host, Host::Domain(name) if !plain(name))) || url.port() == Some(0) {
        return Err(form);
    }
    let authorization = authorization(&url);
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| form)?;
    let (host, port) = url.host_str().zip(url.port_or_known_default()).ok_or(form)?;
    Ok(HttpProxy { name: format!("{host}:{port}"), variable, authorization, url })
}

/// Returns the header with user and password, or `None` if neither is given.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = percent_decoded(url.username());
    pair.push(b':');
    pair.extend(percent_decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Decodes a percent-encoded text; an invalid encoding stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|digits| !digits.starts_with('+')).and_then(|text| u8::from_str_radix(text, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

impl NoProxyRule {
    /// Parses an entry; returns `None` for an empty entry.
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry == "*" {
            return Some(Self::All);
        }
        let (address, bits) =
            entry.split_once('/').map_or((&*entry, None), |(address, bits)| (address, bits.parse().ok()));
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let width = if address.is_ipv4() { 32 } else { 128 };
            return Some(Self::Network(address, bits.unwrap_or(width).min(width)));
        }
        let name = entry.trim_start_matches('*').trim_matches('.');
        (!name.is_empty()).then(|| Self::Domain(name.to_owned()))
    }

    fn matches_host(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Domain(domain), Host::Domain(name)) => {
                let above = name.trim_end_matches('.').strip_suffix(domain.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Network(IpAddr::V4(network), bits), Host::Ipv4(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            (Self::Network(IpAddr::V6(network), bits), Host::Ipv6(address)) => {
                (network.to_bits() ^ address.to_bits()).leading_zeros() >= *bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::new(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsStr::new(*value)))
    }

    fn proxy_for(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, FusionError> {
        proxies(variables).proxy_for(&url.parse().unwrap()).map(|proxy| proxy.map(|proxy| proxy.name.clone()))
    }

    #[test]
    fn r26_the_first_variable_that_is_set_names_the_proxy() {
        let all = [
            ("HTTPS_PROXY", "http://one:1"),
            ("https_proxy", "two:2"),
            ("ALL_PROXY", "https://three"),
            ("all_proxy", "http://[::1]"),
            ("HTTP_PROXY", "http://never:5"),
            ("http_proxy", "http://never:6"),
        ];
        let named = ["one:1", "two:2", "three:443", "[::1]:80"].map(|name| Some(name.to_owned()));
        for (from, name) in named.into_iter().chain([None, None]).enumerate() {
            assert_eq!(proxy_for(&all[from..], "https://api.example"), Ok(name), "{from}");
        }
        for loopback in ["http://127.0.0.1:1", "https://127.9.9.9", "https://localhost", "https://[::1]"] {
            assert_eq!(proxy_for(&all, loopback), Ok(None), "{loopback}");
        }
    }

    #[test]
    fn r26_user_and_password_go_into_their_header_alone() {
        for (text, pair) in [
            ("http://user:pa%3Ass%2f%zz+@proxy:1", &b"user:pa:ss/%zz+"[..]),
            ("http://us%40er@proxy:1", b"us@er:"),
            ("user:p@ss@proxy:1", b"user:p@ss"),
            ("http://:p%ff@proxy:1", b":p\xff"),
        ] {
            let proxy = parse_proxy("HTTPS_PROXY", text).unwrap();
            let wanted = format!("Basic {}", BASE64_STANDARD.encode(pair));
            assert_eq!(proxy.authorization.as_ref().unwrap().to_str().unwrap(), wanted, "{text}");
            assert_eq!((proxy.name.as_str(), proxy.url.as_str()), ("proxy:1", "http://proxy:1/"), "{text}");
            assert!(!format!("{proxy:?}").contains(&wanted), "{proxy:?}");
        }
        assert_eq!(parse_proxy("HTTPS_PROXY", "http://proxy:1").unwrap().authorization, None);
    }

    #[test]
    fn r26_what_cannot_be_used_is_an_error_and_no_way_around() {
        for bad in [
            "garbage://x",
            "socks5://proxy:1",
            "socks5h://proxy",
            "http://[::bad",
            "http://",
            "http://:3128",
            "http:proxy:1",
            " http://proxy:1",
            "http://proxy:1 ",
            "http://pro\txy",
            "http://proxy:0",
            "http://proxy:99999",
            "http://proxy:1/path",
            "http://user:pa/ss@proxy:1",
            "http://user:12/34@proxy:1",
            "http://user:12#4@proxy:1",
            "http://user:12?4@proxy:1",
            "http://user:12\\4@proxy:1",
            "http://pro{xy:1",
            "http://pr\"oxy",
            "/etc/proxy",
        ] {
            let outcome = proxy_for(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "http://good:1")], "https://api.example");
            let Err(FusionError::ProxySetting { variable: "HTTPS_PROXY", why }) = outcome else {
                panic!("{bad}: {outcome:?}")
            };
            assert!(!why.contains("12") && !why.contains("pa/"), "{why}");
            assert_eq!(proxy_for(&[("HTTPS_PROXY", bad)], "https://localhost"), Ok(None), "{bad}");
        }
    }

    #[test]
    fn r26_no_proxy_exempts_names_with_all_below_addresses_and_networks() {
        for (list, url, exempt) in [
            ("api.example", "https://api.example", true),
            ("API.Example", "https://api.example", true),
            (".example", "https://api.example", true),
            ("*.example", "https://api.example", true),
            ("example", "https://api.example:8443", true),
            ("x, example ,y", "https://api.example", true),
            ("*", "https://api.example", true),
            ("xample", "https://api.example", false),
            ("api.example.org", "https://api.example", false),
            ("b.api.example", "https://api.example", false),
            ("", "https://api.example", false),
            (",.,", "https://api.example", false),
            ("10.0.0.1", "https://10.0.0.1", true),
            ("10.0.0.0/8", "https://10.9.9.9", true),
            ("10.0.0.0/8", "https://11.0.0.1", false),
            ("0.0.0.0/0", "https://11.0.0.1", true),
            ("10.0.0.1", "https://10.0.0.2", false),
            ("[fd00::1]", "https://[fd00::1]", true),
            ("fd00::/8", "https://[fd12::1]", true),
            ("fd00::/8", "https://[fe80::1]", false),
            ("::/0", "https://10.0.0.1", false),
        ] {
            let proxy = proxy_for(&[("HTTPS_PROXY", "http://proxy:1"), ("no_proxy", list)], url).unwrap();
            assert_eq!(proxy.is_none(), exempt, "{list} {url}");
        }
        let upper = [("HTTPS_PROXY", "garbage://x"), ("NO_PROXY", "api.example"), ("no_proxy", "other")];
        assert_eq!(proxy_for(&upper, "https://api.example"), Ok(None));
    }
}

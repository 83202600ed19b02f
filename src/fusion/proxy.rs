//! Selects the HTTP proxy for a server according to the environment variables.
//!
//! Owns the meaning of `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, because the HTTP library would silently bypass an
//! unusable proxy. Here an unusable proxy is an error. Proxies are used only for tunnels (CONNECT).

use super::FusionError;
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use std::ffi::OsStr;
use std::net::IpAddr;
use url::{Host, Url};

/// Variables that may name a proxy; the first variable with a value wins. `HTTP_PROXY` is ignored, because plain http
/// is used only for this machine. Also, the client of a CGI program can set `HTTP_PROXY` by a header.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Proxy settings from the environment.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Variable that names a proxy, with the parsed proxy or the problem with the variable's value.
    configured: Option<(&'static str, Result<HttpProxy, &'static str>)>,
    no_proxy_rules: Vec<NoProxyRule>,
}

/// Proxy from a valid value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpProxy {
    /// Host and port, for messages.
    pub(super) name: String,
    /// Environment variable that names the proxy.
    pub(super) variable: &'static str,
    /// URL of the proxy, without user and password.
    pub(super) url: Url,
    /// `Proxy-Authorization` header with user and password, marked as sensitive so that the header is not printed.
    pub(super) authorization: Option<HeaderValue>,
}

/// Entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NoProxyRule {
    /// All hosts: `*`.
    All,
    /// Domain with all its subdomains, in lower case.
    Domain(String),
    /// Network: an address, and the number of bits in its prefix. The prefix of a single address has all bits of the
    /// address.
    Network(IpAddr, u32),
}

impl Proxies {
    /// Parses the proxy variables. `variable` returns the value of an environment variable, and must return `None` for
    /// an empty value.
    pub fn new<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let first_set = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, variable(name)?)));
        let configured = first_set(&PROXY_VARIABLES).map(|(name, value)| {
            (name, value.to_str().ok_or("it is not UTF-8").and_then(|text| parse_proxy(name, text)))
        });
        let list = first_set(&NO_PROXY_VARIABLES).map(|(_, list)| list.to_string_lossy()).unwrap_or_default();
        Self { configured, no_proxy_rules: list.split(',').filter_map(NoProxyRule::parse).collect() }
    }

    /// Returns the configured proxy for display: the variable, and the proxy's host and port. Returns `None` if no
    /// variable is set.
    ///
    /// # Errors
    /// Returns `ProxySetting` if the value of the variable is invalid.
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
    /// Returns `ProxySetting` if the connection needs the proxy, but the value of the variable is invalid.
    pub(super) fn proxy_for(&self, url: &ApiUrl) -> Result<Option<&HttpProxy>, FusionError> {
        let Some((variable, proxy)) = &self.configured else { return Ok(None) };
        let parsed = Url::parse(&url.with_version()).ok();
        let host = parsed.as_ref().and_then(Url::host);
        if url.is_loopback() || host.is_some_and(|host| self.no_proxy_rules.iter().any(|rule| rule.matches_host(&host)))
        {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(|why| FusionError::ProxySetting { variable, why })
    }
}

fn parse_proxy(variable: &'static str, text: &str) -> Result<HttpProxy, &'static str> {
    let expected = "it should be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with all but letters and digits \
                of the password percent-encoded";
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it holds blanks or control characters");
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| expected)?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err("neto takes http:// and https:// proxies alone");
    }
    // An unencoded slash, hash or question mark in a password ends the host too early. A number at the start of the
    // password would then be taken for the port, and shown in messages.
    if !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some() {
        return Err(expected);
    }
    let is_plain = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if url.host().is_none_or(|host| matches!(host, Host::Domain(name) if !is_plain(name))) || url.port() == Some(0) {
        return Err(expected);
    }
    let authorization = basic_authorization(&url);
    url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| expected)?;
    let (host, port) = url.host_str().zip(url.port_or_known_default()).ok_or(expected)?;
    Ok(HttpProxy { name: format!("{host}:{port}"), variable, authorization, url })
}

/// Returns the `Proxy-Authorization` value for the user and password in `url`, or `None` if `url` has neither.
fn basic_authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut user_and_password = percent_decoded(url.username());
    user_and_password.push(b':');
    user_and_password.extend(percent_decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(user_and_password))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Decodes a percent-encoded text. An invalid escape stays unchanged.
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
    /// Parses an entry. Returns `None` for an entry without a name, such as an empty entry or `.`.
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
                let subdomain = name.trim_end_matches('.').strip_suffix(domain.as_str());
                subdomain.is_some_and(|subdomain| subdomain.is_empty() || subdomain.ends_with('.'))
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
mod tests;

//! Which proxy stands on the way to a server, from the variables of the environment.
//!
//! Owns the meaning of `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. A proxy is asked for a tunnel (CONNECT) alone. One
//! that is named and cannot be used is an error: the HTTP library would go around it in silence.

use super::FusionError;
use crate::profile::ApiUrl;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use std::ffi::OsStr;
use std::net::IpAddr;
use url::{Host, Url};

/// Where a proxy is looked for, first come. `HTTP_PROXY` is not among them: plain http goes to this machine alone,
/// and who calls a CGI program can set it.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXEMPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// What the environment says of proxies.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    named: Option<(&'static str, Result<Proxy, &'static str>)>,
    exempt: Vec<Exempt>,
}

/// A proxy that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    /// Host and port, to name in messages.
    pub(super) name: String,
    /// The variable that names it.
    pub(super) variable: &'static str,
    /// Without user info.
    pub(super) url: Url,
    /// What it is shown of user and password; prints as nothing.
    pub(super) authorization: Option<HeaderValue>,
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    All,
    /// A name and all below it, in lower case.
    Domain(String),
    /// An address, or the network of so many bits around it.
    Network(IpAddr, u32),
}

impl Proxies {
    /// From the variables of the process; an empty one should count as unset.
    pub fn new<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, variable(name)?)));
        let named = first(&VARIABLES)
            .map(|(name, value)| (name, value.to_str().ok_or("it is not UTF-8").and_then(|text| parse(name, text))));
        let list = first(&EXEMPTIONS).map(|(_, list)| list.to_string_lossy()).unwrap_or_default();
        Self { named, exempt: list.split(',').filter_map(Exempt::parse).collect() }
    }

    /// The proxy that is named, to tell of it: its variable, and its host and port without user and password.
    ///
    /// # Errors
    /// `ProxySetting` where it cannot be used.
    pub fn named(&self) -> Result<Option<(&'static str, &str)>, FusionError> {
        let Some((variable, proxy)) = &self.named else { return Ok(None) };
        match proxy {
            Ok(proxy) => Ok(Some((variable, &proxy.name))),
            Err(why) => Err(FusionError::ProxySetting { variable, why }),
        }
    }

    /// The proxy on the way to `url`; none where the way is direct, as it always is to this machine.
    ///
    /// # Errors
    /// `ProxySetting` where one is named that cannot be used.
    pub(super) fn towards(&self, url: &ApiUrl) -> Result<Option<&Proxy>, FusionError> {
        let Some((variable, proxy)) = &self.named else { return Ok(None) };
        let parsed = Url::parse(&url.with_version()).ok();
        let host = parsed.as_ref().and_then(Url::host);
        if url.is_loopback() || host.is_some_and(|host| self.exempt.iter().any(|exempt| exempt.holds(&host))) {
            return Ok(None);
        }
        proxy.as_ref().map(Some).map_err(|why| FusionError::ProxySetting { variable, why })
    }
}

fn parse(variable: &'static str, text: &str) -> Result<Proxy, &'static str> {
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
    // A password with a slash, a hash or a question mark in it ends the host too early, and would then be shown.
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
    Ok(Proxy { name: format!("{host}:{port}"), variable, authorization, url })
}

/// User and password as a proxy wants them; none where neither is given.
fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut pair = decoded(url.username());
    pair.push(b':');
    pair.extend(decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The bytes that a percent-encoded text stands for; what is no encoding stands for itself.
fn decoded(text: &str) -> Vec<u8> {
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

impl Exempt {
    /// An entry; nothing for an empty one.
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

    fn holds(&self, host: &Host<&str>) -> bool {
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

    fn towards(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, FusionError> {
        proxies(variables).towards(&url.parse().unwrap()).map(|proxy| proxy.map(|proxy| proxy.name.clone()))
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
            assert_eq!(towards(&all[from..], "https://api.example"), Ok(name), "{from}");
        }
        for loopback in ["http://127.0.0.1:1", "https://127.9.9.9", "https://localhost", "https://[::1]"] {
            assert_eq!(towards(&all, loopback), Ok(None), "{loopback}");
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
            let proxy = parse("HTTPS_PROXY", text).unwrap();
            let wanted = format!("Basic {}", BASE64_STANDARD.encode(pair));
            assert_eq!(proxy.authorization.as_ref().unwrap().to_str().unwrap(), wanted, "{text}");
            assert_eq!((proxy.name.as_str(), proxy.url.as_str()), ("proxy:1", "http://proxy:1/"), "{text}");
            assert!(!format!("{proxy:?}").contains(&wanted), "{proxy:?}");
        }
        assert_eq!(parse("HTTPS_PROXY", "http://proxy:1").unwrap().authorization, None);
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
            let outcome = towards(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "http://good:1")], "https://api.example");
            let Err(FusionError::ProxySetting { variable: "HTTPS_PROXY", why }) = outcome else {
                panic!("{bad}: {outcome:?}")
            };
            assert!(!why.contains("12") && !why.contains("pa/"), "{why}");
            assert_eq!(towards(&[("HTTPS_PROXY", bad)], "https://localhost"), Ok(None), "{bad}");
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
            let way = towards(&[("HTTPS_PROXY", "http://proxy:1"), ("no_proxy", list)], url).unwrap();
            assert_eq!(way.is_none(), exempt, "{list} {url}");
        }
        let upper = [("HTTPS_PROXY", "garbage://x"), ("NO_PROXY", "api.example"), ("no_proxy", "other")];
        assert_eq!(towards(&upper, "https://api.example"), Ok(None));
    }
}

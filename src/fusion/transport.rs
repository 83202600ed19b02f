//! The HTTP client as neto wants it, and what its errors mean.
//!
//! Owns TLS, roots, proxies and name resolution. Only https with verified certificates, or this
//! machine; no redirect is followed and no request is sent a second time from here.

use super::proxy::Proxy;
use super::redact::Redactor;
use super::{FusionError, TlsFault};
use crate::profile::ApiUrl;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, PeerIncompatible, RootCertStore};
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// For the connection with its proxy and TLS.
const CONNECT: Duration = Duration::from_secs(10);
const BROKEN: FusionError = FusionError::Setup { what: "the HTTP client cannot be built" };
/// How long a connection is kept for the next request: less than servers keep theirs.
const IDLE: Duration = Duration::from_secs(1);
const USER_AGENT: &str = concat!("neto/", env!("CARGO_PKG_VERSION"));
/// How the library's error of a tunnel begins, and what it ends with on a 407. Its type has no public name; the
/// tests with a proxy notice another wording.
const TUNNEL: &str = "tunnel error: ";
const DENIED: &str = "proxy authorization required";

/// What a client is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// To this machine: by no proxy and without asking DNS.
    pub(super) loopback: bool,
    /// By https; plain http goes to this machine alone.
    pub(super) encrypted: bool,
}

impl Route {
    pub(super) fn to(url: &ApiUrl) -> Self {
        Self { loopback: url.is_loopback(), encrypted: url.with_version().starts_with("https:") }
    }
}

/// Whom a request goes to, and by what.
pub(super) struct Way<'a> {
    pub(super) http: &'a reqwest::Client,
    /// Host, and port where it is not the usual one, to name in messages.
    pub(super) host: String,
    /// None: directly.
    pub(super) proxy: Option<&'a Proxy>,
}

impl Way<'_> {
    /// The host, and the proxy too where there is one: either may be to blame.
    pub(super) fn whom(&self) -> String {
        match self.proxy {
            Some(proxy) => format!("{} (by the proxy {})", self.host, proxy.name),
            None => self.host.clone(),
        }
    }
}

/// How TLS is spoken, with the sessions that servers let resume.
#[derive(Debug, Clone)]
pub(super) struct Tls(ClientConfig);

impl Tls {
    /// Trusts the system's roots and those in `ca_pem`, the content of a profile's `ca_file`.
    pub(super) fn new(ca_pem: Option<&[u8]>) -> Result<Self, FusionError> {
        tls(roots(ca_pem)?)
    }

    /// For plain http, which needs no roots.
    pub(super) fn unused() -> Result<Self, FusionError> {
        tls(RootCertStore::empty())
    }
}

/// A client for a route, by this proxy or directly; `keep` keeps connections for the next request.
pub(super) fn build(route: Route, proxy: Option<&Proxy>, tls: Tls, keep: bool) -> Result<reqwest::Client, FusionError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.0)
        .user_agent(USER_AGENT)
        .default_headers(headers())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        // The library reads the variables by itself else, and goes around a proxy that it does not understand.
        .no_proxy()
        .pool_idle_timeout(IDLE);
    if !keep {
        builder = builder.pool_max_idle_per_host(0);
    }
    if route.loopback {
        let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        builder = builder.resolve_to_addrs("localhost", &here);
    }
    if let Some(proxy) = proxy {
        let made = reqwest::Proxy::all(proxy.url.clone()).map_err(|_| BROKEN)?;
        builder = builder.proxy(match &proxy.authorization {
            Some(authorization) => made.custom_http_auth(authorization.clone()),
            None => made,
        });
    }
    builder.build().map_err(|_| BROKEN)
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ])
}

/// TLS 1.2 or 1.3 by ring, named explicitly so that no process-wide default matters; keys are logged nowhere.
fn tls(roots: RootCertStore) -> Result<Tls, FusionError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| BROKEN)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls(config))
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and those of the profile.
fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, FusionError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca_pem {
        let certificates: Vec<_> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| FusionError::CaFile)?;
        if certificates.is_empty() {
            return Err(FusionError::CaFile);
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|_| FusionError::CaFile)?;
        }
    }
    if roots.is_empty() {
        return Err(FusionError::NoRoots);
    }
    Ok(roots)
}

/// How many root certificates neto finds without a profile's `ca_file`.
#[must_use]
pub fn roots_of_system() -> usize {
    roots(None).map_or(0, |roots| roots.len())
}

/// What an error of the HTTP library means for the question whether anything was sent.
pub(super) fn explain(error: &reqwest::Error, way: &Way<'_>, redactor: &Redactor) -> FusionError {
    let host = way.whom();
    let causes = causes(error);
    let words = || redactor.show(&deepest(&causes));
    if !error.is_connect() {
        return FusionError::Unreachable { host, why: words() };
    }
    let tls = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(verdict);
    let tunnel = causes.iter().map(ToString::to_string).find(|text| text.starts_with(TUNNEL));
    if let (Some(proxy), Some(tunnel)) = (way.proxy, tunnel) {
        let denied = tunnel.ends_with(DENIED);
        let why = match tls {
            _ if denied => "it wants another user and password (status 407)".to_owned(),
            Some(fault) => fault.to_string(),
            None if error.is_dns() => "its name cannot be resolved".to_owned(),
            None => redactor.show(&tunnel_fault(&deepest(&causes))),
        };
        let (host, variable) = (way.host.clone(), proxy.variable);
        return FusionError::Proxy { proxy: proxy.name.clone(), variable, host, why, denied };
    }
    if let Some(fault) = tls {
        return FusionError::Tls { host, fault };
    }
    let why = if error.is_timeout() {
        format!("it was not made within {} s", CONNECT.as_secs())
    } else if error.is_dns() {
        "the name of the host cannot be resolved".to_owned()
    } else {
        words()
    };
    FusionError::NotSent { host, why }
}

/// What the library says of a tunnel, in words for a user.
fn tunnel_fault(deepest: &str) -> String {
    match deepest.strip_prefix(TUNNEL) {
        Some("unsuccessful") => "it refuses, or is no proxy",
        Some("unexpected end of file") => "it ended the connection",
        Some("proxy response headers too long") => "its answer is too long",
        Some(other) => other,
        None => deepest,
    }
    .to_owned()
}

/// The error and all that lies behind it; also inside `io::Error`, whose `source` passes its own content over.
fn causes(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes: Vec<&(dyn Error + 'static)> = vec![];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    causes
}

/// The deepest cause says it best. None of them knows an address with its user, or a body.
fn deepest(causes: &[&(dyn Error + 'static)]) -> String {
    let text = causes.last().map_or_else(|| "no cause is known".to_owned(), ToString::to_string);
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn verdict(error: &rustls::Error) -> TlsFault {
    use rustls::Error::{AlertReceived, InvalidCertificate, PeerIncompatible as Incompatible};
    match error {
        InvalidCertificate(error) => certificate_fault(error),
        AlertReceived(AlertDescription::ProtocolVersion)
        | Incompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TlsFault::Old,
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsFault::NoTls,
        other => TlsFault::Other(other.to_string()),
    }
}

fn certificate_fault(error: &CertificateError) -> TlsFault {
    use CertificateError::{
        BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
        NotValidYetContext, Other, UnknownIssuer,
    };
    match error {
        // A bad signature: by another authority of the same name.
        UnknownIssuer | BadSignature => TlsFault::Authority,
        Expired | ExpiredContext { .. } => TlsFault::Expired,
        NotValidYet | NotValidYetContext { .. } => TlsFault::NotYet,
        NotValidForName | NotValidForNameContext { .. } => TlsFault::Name,
        // The library has no other name for it.
        Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::OwnAuthority,
        other => TlsFault::Other(format!("its certificate cannot be used ({other})")),
    }
}

//! Setup of the HTTP client, and the meaning of its errors.
//!
//! Owns TLS, root certificates, proxies and name resolution. Allows only https with verified certificates, or this
//! machine. This layer follows no redirect and sends no request twice.

use super::proxy::HttpProxy;
use super::server_text::redacted_line;
use super::{FusionError, TlsFault};
use crate::profile::ApiUrl;
use crate::secret::Redactor;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, ClientConfig, InvalidMessage, PeerIncompatible, RootCertStore};
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Time limit for making the connection, including proxy and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CLIENT_BUILD_FAILED: FusionError = FusionError::Setup { what: "the HTTP client cannot be built" };
/// Time for which an unused connection is kept; shorter than servers keep theirs.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
const USER_AGENT: &str = concat!("neto/", env!("CARGO_PKG_VERSION"));
/// Prefix of the library's tunnel error, and its suffix after a 407. The error's type is not public; the tests with a
/// proxy detect changed texts.
const TUNNEL_ERROR_PREFIX: &str = "tunnel error: ";
const TUNNEL_DENIED_SUFFIX: &str = "proxy authorization required";

/// Kind of connection that an HTTP client is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransportKind {
    /// True for this machine: without a proxy and without DNS.
    pub(super) is_loopback: bool,
    /// True for https; plain http is only used for this machine.
    pub(super) is_encrypted: bool,
}

impl TransportKind {
    pub(super) fn for_url(url: &ApiUrl) -> Self {
        Self { is_loopback: url.is_loopback(), is_encrypted: url.with_version().starts_with("https:") }
    }
}

/// Route of a request: the HTTP client, the host and the proxy.
pub(super) struct Route<'a> {
    pub(super) http: &'a reqwest::Client,
    /// Host for messages, with the port unless it is the default.
    pub(super) host: String,
    /// Proxy; `None` for a direct connection.
    pub(super) proxy: Option<&'a HttpProxy>,
}

impl Route<'_> {
    /// Returns the host, and the proxy if there is one, because either can be the cause of an error.
    pub(super) fn host_with_proxy(&self) -> String {
        match self.proxy {
            Some(proxy) => format!("{} (by the proxy {})", self.host, proxy.name),
            None => self.host.clone(),
        }
    }
}

/// TLS configuration, including the sessions that servers allow to resume.
#[derive(Debug, Clone)]
pub(super) struct Tls(ClientConfig);

impl Tls {
    /// Creates a configuration that trusts the system's root certificates and those in `ca_pem`, the content of a
    /// profile's `ca_file`.
    pub(super) fn new(ca_pem: Option<&[u8]>) -> Result<Self, FusionError> {
        tls_config(root_certificates(ca_pem)?)
    }

    /// Creates a configuration for plain http, which needs no root certificates.
    pub(super) fn without_roots() -> Result<Self, FusionError> {
        tls_config(RootCertStore::empty())
    }
}

/// Builds an HTTP client for one kind of connection, through a proxy or directly.
pub(super) fn build_http_client(
    kind: TransportKind,
    proxy: Option<&HttpProxy>,
    tls: Tls,
    reuse_connections: bool,
) -> Result<reqwest::Client, FusionError> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls.0)
        .user_agent(USER_AGENT)
        .default_headers(default_headers())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_TIMEOUT)
        // Otherwise the library reads the proxy variables itself, and bypasses a proxy that it does not understand.
        .no_proxy()
        .pool_idle_timeout(IDLE_TIMEOUT);
    if !reuse_connections {
        builder = builder.pool_max_idle_per_host(0);
    }
    if kind.is_loopback {
        let loopback_addresses =
            [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        builder = builder.resolve_to_addrs("localhost", &loopback_addresses);
    }
    if let Some(proxy) = proxy {
        let library_proxy = reqwest::Proxy::all(proxy.url.clone()).map_err(|_| CLIENT_BUILD_FAILED)?;
        builder = builder.proxy(match &proxy.authorization {
            Some(authorization) => library_proxy.custom_http_auth(authorization.clone()),
            None => library_proxy,
        });
    }
    builder.build().map_err(|_| CLIENT_BUILD_FAILED)
}

fn default_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ])
}

/// Configures TLS 1.2 and 1.3 with ring, explicitly, so that no process-wide default matters. Keys are never logged.
fn tls_config(roots: RootCertStore) -> Result<Tls, FusionError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| CLIENT_BUILD_FAILED)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls(config))
}

/// Loads the system's root certificates (`SSL_CERT_FILE` and `SSL_CERT_DIR` replace them) and adds the profile's.
fn root_certificates(ca_pem: Option<&[u8]>) -> Result<RootCertStore, FusionError> {
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

/// Returns the number of root certificates found without a profile's `ca_file`.
#[must_use]
pub fn count_system_roots() -> usize {
    root_certificates(None).map_or(0, |roots| roots.len())
}

/// Converts an error of the HTTP library, according to whether anything was sent.
pub(super) fn classify_error(error: &reqwest::Error, route: &Route<'_>, redactor: &Redactor) -> FusionError {
    let host = route.host_with_proxy();
    let causes = causes(error);
    let text_of_deepest = || redacted_line(redactor, &deepest_cause(&causes));
    if !error.is_connect() {
        return FusionError::Unreachable { host, why: text_of_deepest() };
    }
    let tls = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(tls_fault);
    let tunnel = causes.iter().map(ToString::to_string).find(|text| text.starts_with(TUNNEL_ERROR_PREFIX));
    if let (Some(proxy), Some(tunnel)) = (route.proxy, tunnel) {
        let denied = tunnel.ends_with(TUNNEL_DENIED_SUFFIX);
        let why = match tls {
            _ if denied => "it wants another user and password (status 407)".to_owned(),
            Some(fault) => fault.to_string(),
            None if error.is_dns() => "its name cannot be resolved".to_owned(),
            None => redacted_line(redactor, &tunnel_failure(&deepest_cause(&causes))),
        };
        let (host, variable) = (route.host.clone(), proxy.variable);
        return FusionError::Proxy { proxy: proxy.name.clone(), variable, host, why, denied };
    }
    if let Some(fault) = tls {
        return FusionError::Tls { host, fault };
    }
    let why = if error.is_timeout() {
        format!("it was not made within {} s", CONNECT_TIMEOUT.as_secs())
    } else if error.is_dns() {
        "the name of the host cannot be resolved".to_owned()
    } else {
        text_of_deepest()
    };
    FusionError::NotSent { host, why }
}

/// Returns the library's tunnel error in words for a user.
fn tunnel_failure(deepest: &str) -> String {
    match deepest.strip_prefix(TUNNEL_ERROR_PREFIX) {
        Some("unsuccessful") => "it refuses, or is no proxy",
        Some("unexpected end of file") => "it ended the connection",
        Some("proxy response headers too long") => "its answer is too long",
        Some(other) => other,
        None => deepest,
    }
    .to_owned()
}

/// Returns the causes of an error, from the first to the deepest. Includes the inner error of an `io::Error`, whose
/// `source` skips it.
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

/// Returns the text of the deepest cause, which is the most precise. No cause contains user info of an address, or a
/// body.
fn deepest_cause(causes: &[&(dyn Error + 'static)]) -> String {
    let text = causes.last().map_or_else(|| "no cause is known".to_owned(), ToString::to_string);
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn tls_fault(error: &rustls::Error) -> TlsFault {
    use rustls::Error::{AlertReceived, InvalidCertificate, PeerIncompatible as Incompatible};
    match error {
        InvalidCertificate(error) => certificate_fault(error),
        AlertReceived(AlertDescription::ProtocolVersion)
        | Incompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TlsFault::OldVersion,
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
        // A bad signature comes from another authority of the same name.
        UnknownIssuer | BadSignature => TlsFault::UnknownAuthority,
        Expired | ExpiredContext { .. } => TlsFault::Expired,
        NotValidYet | NotValidYetContext { .. } => TlsFault::NotYetValid,
        NotValidForName | NotValidForNameContext { .. } => TlsFault::WrongName,
        // The library has no variant for this case.
        Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::AuthorityCertificate,
        other => TlsFault::Other(format!("its certificate cannot be used ({other})")),
    }
}

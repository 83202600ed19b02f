//! Builds the HTTP library's client and classifies the library's errors.
//!
//! Owns TLS, root certificates, the tunnel through a proxy and name resolution. Every server certificate is verified.
//! The library must not follow redirects or retry requests, because `client.rs` owns the retries.

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

/// Time limit for opening a connection, including the proxy tunnel and the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CLIENT_BUILD_FAILED: FusionError = FusionError::Setup { what: "the HTTP client cannot be built" };
/// Time after which an idle connection is closed. Short, so that the server rarely closes the connection first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
const USER_AGENT: &str = concat!("neto/", env!("CARGO_PKG_VERSION"));
/// Prefix of the HTTP library's message for a failed proxy tunnel. The library's error type is private, so the message
/// is parsed. Tests with a proxy fail if the message changes.
const TUNNEL_ERROR_PREFIX: &str = "tunnel error: ";
/// Suffix of the tunnel error message after a 407 of the proxy.
const TUNNEL_DENIED_SUFFIX: &str = "proxy authorization required";

/// Kind of connection for which an HTTP client is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TransportKind {
    /// Whether the server is on this machine. A connection to this machine uses neither a proxy nor DNS.
    pub(super) is_loopback: bool,
    /// Whether the URL is https. `ApiUrl` allows plain http only for this machine.
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
    /// Host of the server, for messages. Includes the port if the port is not the scheme's default.
    pub(super) host: String,
    /// Proxy, or `None` for a direct connection.
    pub(super) proxy: Option<&'a HttpProxy>,
}

impl Route<'_> {
    /// Returns the host and, if a proxy is used, the proxy. Either can cause an error.
    pub(super) fn host_with_proxy(&self) -> String {
        match self.proxy {
            Some(proxy) => format!("{} (by the proxy {})", self.host, proxy.name),
            None => self.host.clone(),
        }
    }
}

/// TLS configuration. Clones share the cache of resumable TLS sessions.
#[derive(Debug, Clone)]
pub(super) struct Tls(ClientConfig);

impl Tls {
    /// Creates a configuration that trusts the system's root certificates and the certificates in `ca_pem`, the
    /// content of a profile's `ca_file`.
    ///
    /// # Errors
    /// - `CaFile` if `ca_pem` contains no certificate, or an invalid certificate.
    /// - `NoRoots` if no root certificate is found.
    /// - `Setup` if TLS cannot be configured.
    pub(super) fn new(ca_pem: Option<&[u8]>) -> Result<Self, FusionError> {
        tls_config(root_certificates(ca_pem)?)
    }

    /// Creates a configuration for plain http, which needs no root certificates.
    pub(super) fn without_roots() -> Result<Self, FusionError> {
        tls_config(RootCertStore::empty())
    }
}

/// Builds an HTTP client for one kind of connection, through `proxy` or directly.
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
        // Without this call, the library reads the proxy variables itself and silently bypasses an invalid proxy.
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

/// Configures TLS 1.2 and 1.3 with the ring crypto provider, independently of the process-wide default. TLS session
/// keys are never logged.
fn tls_config(roots: RootCertStore) -> Result<Tls, FusionError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| CLIENT_BUILD_FAILED)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls(config))
}

/// Loads the system's root certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR` if set. Adds the certificates
/// in `ca_pem`.
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

/// Returns the number of root certificates that are trusted without a profile's `ca_file`.
#[must_use]
pub fn count_system_roots() -> usize {
    root_certificates(None).map_or(0, |roots| roots.len())
}

/// Converts an error of the HTTP library. If no connection was made, returns a variant that guarantees that nothing was
/// sent. Otherwise returns `Unreachable`.
pub(super) fn classify_error(error: &reqwest::Error, route: &Route<'_>, redactor: &Redactor) -> FusionError {
    let host = route.host_with_proxy();
    let causes = causes(error);
    let deepest_text = || redacted_line(redactor, &deepest_cause_text(&causes));
    if !error.is_connect() {
        return FusionError::Unreachable { host, why: deepest_text() };
    }
    let fault = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(tls_fault);
    let tunnel_error = causes.iter().map(ToString::to_string).find(|text| text.starts_with(TUNNEL_ERROR_PREFIX));
    if let (Some(proxy), Some(tunnel_error)) = (route.proxy, tunnel_error) {
        let denied = tunnel_error.ends_with(TUNNEL_DENIED_SUFFIX);
        let why = match fault {
            _ if denied => "it wants another user and password (status 407)".to_owned(),
            Some(fault) => fault.to_string(),
            None if error.is_dns() => "its name cannot be resolved".to_owned(),
            None => redacted_line(redactor, &tunnel_failure_message(&deepest_cause_text(&causes))),
        };
        let (host, variable) = (route.host.clone(), proxy.variable);
        return FusionError::Proxy { proxy: proxy.name.clone(), variable, host, why, denied };
    }
    if let Some(fault) = fault {
        return FusionError::Tls { host, fault };
    }
    let why = if error.is_timeout() {
        format!("it was not made within {} s", CONNECT_TIMEOUT.as_secs())
    } else if error.is_dns() {
        "the name of the host cannot be resolved".to_owned()
    } else {
        deepest_text()
    };
    FusionError::NotSent { host, why }
}

/// Returns the message for the user about a tunnel error; `cause` is the text of its deepest cause.
fn tunnel_failure_message(cause: &str) -> String {
    match cause.strip_prefix(TUNNEL_ERROR_PREFIX) {
        Some("unsuccessful") => "it refuses, or is no proxy",
        Some("unexpected end of file") => "it ended the connection",
        Some("proxy response headers too long") => "its answer is too long",
        Some(other) => other,
        None => cause,
    }
    .to_owned()
}

/// Returns the causes of an error, from its direct source to the deepest. Includes the error inside an `io::Error`,
/// because `io::Error::source` skips the inner error.
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

/// Returns the message of the deepest cause, in lower case and without the number of an OS error. The deepest cause is
/// the most precise. No cause contains a body, or the user info of a URL.
fn deepest_cause_text(causes: &[&(dyn Error + 'static)]) -> String {
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
        // `BadSignature`: another authority with the name of a trusted authority signed the certificate.
        UnknownIssuer | BadSignature => TlsFault::UnknownAuthority,
        Expired | ExpiredContext { .. } => TlsFault::Expired,
        NotValidYet | NotValidYetContext { .. } => TlsFault::NotYetValid,
        NotValidForName | NotValidForNameContext { .. } => TlsFault::WrongName,
        // rustls has no variant for this error of its certificate verifier.
        Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::AuthorityCertificate,
        other => TlsFault::Other(format!("its certificate cannot be used ({other})")),
    }
}

//! The HTTP client as neto wants it, and what its errors mean.
//!
//! Owns TLS, roots, proxies and name resolution. Only https with verified certificates, or this
//! machine; no redirect is followed and no request is sent a second time from here.

use super::FusionError;
use super::server_text::Redactor;
use crate::profile::ApiUrl;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// For the connection with its proxy and TLS.
const CONNECT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("neto/", env!("CARGO_PKG_VERSION"));

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

/// A client for a route; `ca_pem` is the content of a profile's `ca_file`.
pub(super) fn build(route: Route, ca_pem: Option<&[u8]>) -> Result<reqwest::Client, FusionError> {
    let broken = FusionError::Setup { what: "the HTTP client cannot be built" };
    // Reading the system's certificates takes longer than all the rest, and plain http needs none.
    let roots = if route.encrypted { roots(ca_pem)? } else { RootCertStore::empty() };
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(roots).ok_or_else(|| broken.clone())?)
        .user_agent(USER_AGENT)
        .default_headers(headers())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        // A connection kept from before may die under a request, and then nobody knows whether it was sent.
        .pool_max_idle_per_host(0);
    if route.loopback {
        let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))];
        builder = builder.no_proxy().resolve_to_addrs("localhost", &here);
    }
    builder.build().map_err(|_| broken)
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
    ])
}

/// TLS 1.2 or 1.3 by ring, named explicitly so that no process-wide default matters; keys are logged nowhere.
fn tls(roots: RootCertStore) -> Option<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(config)
}

/// The system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and those of the profile.
fn roots(ca_pem: Option<&[u8]>) -> Result<RootCertStore, FusionError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = ca_pem {
        let unreadable = FusionError::Setup { what: "the ca_file holds no certificate that can be read" };
        let certificates: Vec<_> =
            CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| unreadable.clone())?;
        if certificates.is_empty() {
            return Err(unreadable);
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|_| unreadable.clone())?;
        }
    }
    if roots.is_empty() {
        return Err(FusionError::Setup { what: "this system has no root certificates" });
    }
    Ok(roots)
}

/// What an error of the HTTP library means for the question whether anything was sent.
pub(super) fn explain(error: &reqwest::Error, host: &str, redactor: &Redactor) -> FusionError {
    let host = host.to_owned();
    let causes = causes(error);
    if !error.is_connect() {
        return FusionError::Unreachable { host, why: redactor.show(&deepest(&causes)) };
    }
    if let Some(tls) = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return FusionError::Tls { host, why: redactor.show(&verdict(tls)) };
    }
    let why = if error.is_timeout() {
        format!("it was not made within {} s", CONNECT.as_secs())
    } else if error.is_dns() {
        "the name of the host cannot be resolved".to_owned()
    } else {
        redactor.show(&deepest(&causes))
    };
    FusionError::NotSent { host, why }
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

fn verdict(error: &rustls::Error) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "its certificate comes from an authority that is not trusted here".to_owned()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "its certificate has expired".to_owned(),
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "its certificate is not valid yet".to_owned()
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "its certificate is for another name".to_owned()
        }
        other => other.to_string(),
    }
}

//! A private certificate authority, generated for each test, and the leaf certificates that it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};

/// Certificate authority that no system trusts. A test passes [`Authority::pem`] to neto as a `ca_file`.
pub(crate) struct Authority {
    pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// Certificate that the server presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// Valid now, for `127.0.0.1`, `::1` and `localhost`.
    Valid,
    /// Valid names, but expired.
    Expired,
    /// Valid names, but not valid before the year 4000.
    NotYet,
    /// Valid names, but self-signed.
    SelfSigned,
    /// The authority's own certificate, which names no host.
    Root,
    /// Valid, but for `elsewhere.example`.
    OtherName,
    /// Valid, but only for this name or address.
    OnlyFor(&'static str),
}

/// TLS versions that the server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    Both,
    Only12,
    Only13,
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Both => vec![&TLS13, &TLS12],
            Self::Only12 => vec![&TLS12],
            Self::Only13 => vec![&TLS13],
        }
    }
}

impl Authority {
    /// Creates an authority with a new key.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "neto test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a root certificate");
        Self { pem: root.pem(), certificate: root.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Root certificate in PEM format.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Builds a TLS acceptor that presents the leaf and accepts these TLS versions.
    pub(crate) fn acceptor(&self, leaf: Leaf, versions: Versions) -> TlsAcceptor {
        let names = match leaf {
            Leaf::OtherName => vec!["elsewhere.example".to_owned()],
            Leaf::OnlyFor(name) => vec![name.to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("valid names");
        match leaf {
            Leaf::Expired => {
                params.not_before = date_time_ymd(2001, 1, 1);
                params.not_after = date_time_ymd(2002, 1, 1);
            }
            Leaf::NotYet => params.not_before = date_time_ymd(4000, 1, 1),
            _ => {}
        }
        let key = KeyPair::generate().expect("a key");
        let (certificate, key) = match leaf {
            Leaf::Root => (self.certificate.clone(), self.issuer.key().serialize_der()),
            Leaf::SelfSigned => (params.self_signed(&key).expect("a leaf").der().clone(), key.serialize_der()),
            _ => (params.signed_by(&key, &self.issuer).expect("a signed leaf").der().clone(), key.serialize_der()),
        };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions.list())
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key)))
            .expect("a usable leaf");
        TlsAcceptor::from(Arc::new(config))
    }
}

//! A private certificate authority and the leaves it signs, made anew in each test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority no system trusts; give its [`Authority::pem`] as a `ca_file`.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Which certificate the server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// For `127.0.0.1`, `::1` and `localhost`, valid today.
    Good,
    /// For the right names, but long over.
    Expired,
    /// Valid, but for `elsewhere.example`.
    OtherName,
}

impl Authority {
    /// A new authority with a key of its own.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "neto test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a root certificate").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// The root certificate, as a `ca_file` holds it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What accepts TLS with the given leaf.
    pub(super) fn acceptor(&self, leaf: Leaf) -> TlsAcceptor {
        let names = match leaf {
            Leaf::Good | Leaf::Expired => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
            Leaf::OtherName => vec!["elsewhere.example".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("valid names");
        if leaf == Leaf::Expired {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed leaf");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a usable leaf");
        TlsAcceptor::from(Arc::new(config))
    }
}

//! Errors of a request to the server.

/// Reason why a request got no usable response.
///
/// No variant contains a secret. Text from the server is redacted. An error of the HTTP library is reduced to its
/// redacted cause, or to a [`TlsFault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FusionError {
    /// Status 400, 401 or 403 of a login or refresh: the server rejected the credential or the refresh token. Also a
    /// 400 or 401 of a call that neto makes on its own.
    #[error("{host} rejected the credential with status {status}{}", with_colon(message))]
    Rejected {
        /// Host that responded, with the port if the port is not the default. May name the proxy too.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Message of the server, redacted and sanitized; may be empty.
        message: String,
        /// Number of seconds by which this machine's clock is ahead of the server's, negative if behind. Present only
        /// for a 401, and only if the clocks differ by more than 30 s.
        clock_skew: Option<i64>,
    },
    /// No connection was made, so nothing was sent.
    #[error("no connection to {host}: {why}")]
    NotSent {
        /// Host of the server, and the proxy if the connection required a proxy.
        host: String,
        /// Cause, redacted.
        why: String,
    },
    /// The proxy did not open a tunnel to the server, so nothing was sent.
    #[error("the proxy {proxy} gives no connection to {host}: {why}")]
    Proxy {
        /// The proxy's host and port, without user and password.
        proxy: String,
        /// Environment variable that names the proxy.
        variable: &'static str,
        /// Host of the server.
        host: String,
        /// Cause, redacted.
        why: String,
        /// Whether the proxy rejected the user or password (407). A retry with the same password may lock the account.
        denied: bool,
    },
    /// The environment names an unusable proxy. neto never bypasses a configured proxy, so nothing was sent.
    #[error("the proxy that {variable} names cannot be used: {why}")]
    ProxySetting {
        /// Environment variable that names the proxy.
        variable: &'static str,
        /// Problem with the variable's value. The value is not quoted, because it may contain a password.
        why: &'static str,
    },
    /// The server's certificate cannot be verified, or the TLS handshake failed. Nothing was sent.
    #[error("the identity of {host} cannot be verified: {fault}")]
    Tls {
        /// Host of the server, and the proxy if the connection required a proxy.
        host: String,
        /// Problem with the certificate or with TLS.
        fault: TlsFault,
    },
    /// The connection broke. The server may have received the request, completely or in part.
    #[error("the connection to {host} broke: {why}")]
    Unreachable {
        /// Host of the server, and the proxy if used.
        host: String,
        /// Cause, redacted.
        why: String,
    },
    /// The timeout for all attempts expired, or a streamed body made no progress within the timeout. The server may
    /// have received the request.
    #[error("no answer from {host} within {seconds} s")]
    Timeout {
        /// Host of the server, and the proxy if used.
        host: String,
        /// Timeout in seconds.
        seconds: u64,
    },
    /// Any other unexpected status of a login, a refresh or a call that neto makes on its own. Also used, with status
    /// 429, if the wait for the rate limit would be too long. Then no request was sent.
    #[error("{host} answered with status {status}{}", with_colon(message))]
    Status {
        /// Host that responded. May name the proxy too.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Message of the server, redacted and sanitized; may be empty.
        message: String,
        /// Seconds to wait according to `Retry-After`; absent if the response has no valid `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Status other than 2xx of a call that the user requested. The status shows whether the token, the key's roles or
    /// the call itself is the cause.
    #[error("{host} answered with status {status}{}", with_colon(message))]
    Refusal {
        /// Host that responded, and the proxy if used.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Message of the server, redacted and sanitized; may be empty.
        message: String,
        /// See [`FusionError::Rejected`].
        clock_skew: Option<i64>,
        /// See [`FusionError::Status`].
        retry_after: Option<u64>,
    },
    /// Response body that must be read completely, but is larger than allowed.
    #[error("the answer of {host} is larger than the {} MiB that are taken in as a whole", cap >> 20)]
    TooLarge {
        /// Host that responded, and the proxy if used.
        host: String,
        /// Maximum size in bytes.
        cap: usize,
    },
    /// Any 3xx response to a login or refresh, or a 3xx response with a valid `Location` to a call. neto follows no
    /// redirect.
    #[error("{host} redirects (status {status}){}, which neto does not follow", redirect_phrase(to.as_deref()))]
    Redirect {
        /// Host that responded. May name the proxy too.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Target of the redirect, without user info, query and fragment; absent if the response has no valid
        /// `Location`.
        to: Option<String>,
    },
    /// Success response whose headers or body neto cannot use. The error contains no part of the body.
    #[error("the answer of {host} is not usable: {what}")]
    Unusable {
        /// Host that responded. May name the proxy too.
        host: String,
        /// Problem with the response, as a sentence with the subject "it".
        what: &'static str,
    },
    /// The profile's `ca_file` contains no certificate, or an invalid certificate.
    #[error("the ca_file holds no certificate that can be read")]
    CaFile,
    /// The system has no root certificates, so no server can be verified.
    #[error("this system has no root certificates that can be read")]
    NoRoots,
    /// The request could not be prepared on this machine.
    #[error("cannot prepare the request: {what}")]
    Setup {
        /// Description of the problem.
        what: &'static str,
    },
}

/// Reason why a server's identity cannot be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// An untrusted authority signed the certificate.
    #[error("its certificate comes from an authority that is not trusted here")]
    UnknownAuthority,
    /// The server presented an authority's own certificate, which is not valid for a server.
    #[error("its certificate is an authority's own, not a server's")]
    AuthorityCertificate,
    /// The certificate has expired.
    #[error("its certificate has expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("its certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for another host.
    #[error("its certificate is for another name")]
    WrongName,
    /// The server supports only TLS 1.1 or older.
    #[error("it does not speak TLS 1.2 or newer")]
    OldVersion,
    /// The server uses a protocol other than TLS, such as plain http.
    #[error("it does not speak TLS")]
    NoTls,
    /// Any other problem, as a short description.
    #[error("{0}")]
    Other(String),
}

impl FusionError {
    /// Returns true only if it is certain that nothing was sent. A refresh token is then still unused.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Proxy { .. } | Self::Tls { .. }) || self.is_local()
    }

    /// Returns true if the server may have carried out the request, although no complete response arrived.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }

    /// Converts the error of a call that neto made on its own. `Refusal` becomes `Rejected` for a 400 or 401, and
    /// `Status` for any other status. `TooLarge` becomes `Unusable`. The user wrote no part of the call, so the error
    /// must not ask the user to correct the call.
    #[must_use]
    pub fn into_own_call_error(self) -> Self {
        match self {
            Self::Refusal { host, status: status @ (400 | 401), message, clock_skew, .. } => {
                Self::Rejected { host, status, message, clock_skew }
            }
            Self::Refusal { host, status, message, retry_after, .. } => {
                Self::Status { host, status, message, retry_after }
            }
            Self::TooLarge { host, .. } => Self::Unusable { host, what: "it is larger than neto takes" },
            other => other,
        }
    }

    /// Returns true if the server certainly did not carry out the request: it was never sent, or the server refused it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            // A 408 means that the server stopped waiting for the request. The server may still have received the
            // request.
            Self::Status { status, .. } | Self::Refusal { status, .. } => (400..500).contains(status) && *status != 408,
            Self::Rejected { .. } | Self::Redirect { .. } => true,
            _ => self.was_never_sent(),
        }
    }

    /// Returns true if the cause is in the environment or the files of this process. Requests of other processes may
    /// still succeed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::ProxySetting { .. } | Self::CaFile | Self::NoRoots | Self::Setup { .. })
    }

    /// Returns true if the server rejected the credential or the refresh token, so that a retry cannot succeed.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }

    /// Returns the `Retry-After` of a `Status` 429 or 503, in seconds; `None` for any other error.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Status { status: 429 | 503, retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Returns `: MESSAGE`, or an empty string for an empty message.
fn with_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Returns ` to TARGET`, or an empty string if the target is unknown.
fn redirect_phrase(target: Option<&str>) -> String {
    target.map(|target| format!(" to {target}")).unwrap_or_default()
}

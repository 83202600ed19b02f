//! Errors of a request to the server.

/// Reason why there is no usable answer. No variant contains a secret: server text was redacted, and no error of the
/// HTTP library is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FusionError {
    /// Status 400, 401 or 403: the server rejected the credential or the refresh token.
    #[error("{host} rejected the credential with status {status}{}", with_colon(message))]
    Rejected {
        /// Host, with the port unless it is the default.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Message of the server, redacted and sanitized; empty if there was nothing to show.
        message: String,
        /// Only with a 401: number of seconds by which this machine's clock is ahead of the server's (negative:
        /// behind), if they differ by more than 30 s.
        clock_skew: Option<i64>,
    },
    /// No connection was made, so nothing was sent.
    #[error("no connection to {host}: {why}")]
    NotSent {
        /// Host of the server, and the proxy if one was to be used.
        host: String,
        /// Short description.
        why: String,
    },
    /// The proxy made no tunnel to the server, so nothing was sent.
    #[error("the proxy {proxy} gives no connection to {host}: {why}")]
    Proxy {
        /// The proxy's host and port, without user and password.
        proxy: String,
        /// Environment variable that names the proxy.
        variable: &'static str,
        /// Host of the server.
        host: String,
        /// Short description.
        why: String,
        /// True if the proxy rejected user or password. A retry with the same ones may lock the account.
        denied: bool,
    },
    /// The environment names an unusable proxy. neto does not bypass the proxy, so nothing was sent.
    #[error("the proxy that {variable} names cannot be used: {why}")]
    ProxySetting {
        /// Environment variable that names the proxy.
        variable: &'static str,
        /// Problem with the variable's value, which is not quoted because it may contain a password.
        why: &'static str,
    },
    /// The server's certificate or TLS is not acceptable; nothing was sent.
    #[error("the identity of {host} cannot be verified: {fault}")]
    Tls {
        /// Host of the server, and the proxy if one was to be used.
        host: String,
        /// Problem with the certificate or with TLS.
        fault: TlsFault,
    },
    /// The connection broke after the request, or a part of it, was sent.
    #[error("the connection to {host} broke: {why}")]
    Unreachable {
        /// Host of the server, and the proxy if one was used.
        host: String,
        /// Short description.
        why: String,
    },
    /// The timeout for the request and its retries expired. It is unknown whether anything was sent.
    #[error("no answer from {host} within {seconds} s")]
    Timeout {
        /// Host of the server, and the proxy if one was used.
        host: String,
        /// Timeout in seconds.
        seconds: u64,
    },
    /// Any other status than 200.
    #[error("{host} answered with status {status}{}", with_colon(message))]
    Status {
        /// Host that answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Message of the server, redacted and sanitized; may be empty.
        message: String,
        /// Seconds to wait according to `Retry-After`, if the server sent seconds or a date.
        retry_after: Option<u64>,
    },
    /// Answer to a call with a status other than success. The status says whether the token, the key's roles or the
    /// call itself is the cause.
    #[error("{host} answered with status {status}{}", with_colon(message))]
    Refusal {
        /// Host that answered.
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
    /// Answer that must be read completely and is larger than allowed.
    #[error("the answer of {host} is larger than the {} MiB that are taken in as a whole", cap >> 20)]
    TooLarge {
        /// Host that answered.
        host: String,
        /// Maximum size in bytes.
        cap: usize,
    },
    /// Any 3xx. The redirect is not followed.
    #[error("{host} redirects (status {status}){}, which neto does not follow", redirect_phrase(to.as_deref()))]
    Redirect {
        /// Host that answered.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Target of the redirect, without user info, query and fragment; absent if it is not a valid address.
        to: Option<String>,
    },
    /// A 200 whose body neto cannot use. Nothing of the body is kept.
    #[error("the answer of {host} is not usable: {what}")]
    Unusable {
        /// Host that answered.
        host: String,
        /// Problem with the answer.
        what: &'static str,
    },
    /// The profile's `ca_file` contains no certificate.
    #[error("the ca_file holds no certificate that can be read")]
    CaFile,
    /// There are no root certificates to verify a server with.
    #[error("this system has no root certificates that can be read")]
    NoRoots,
    /// The request could not be prepared on this machine.
    #[error("cannot prepare the request: {what}")]
    Setup {
        /// Missing or broken part.
        what: &'static str,
    },
}

/// Reason why a server's identity cannot be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The certificate is signed by an untrusted authority.
    #[error("its certificate comes from an authority that is not trusted here")]
    UnknownAuthority,
    /// The certificate belongs to an authority, and a server must not present an authority's certificate.
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
    /// The server speaks another protocol than TLS, such as plain http.
    #[error("it does not speak TLS")]
    NoTls,
    /// Any other problem, as a short description.
    #[error("{0}")]
    Other(String),
}

impl FusionError {
    /// Returns true if nothing was sent for certain: a refresh token is then still unused.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Proxy { .. } | Self::Tls { .. }) || self.is_local()
    }

    /// Returns true if it is unknown whether the server did what was requested.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }

    /// Converts the error of a call that neto made by itself to the error of a login. The cause cannot be an argument
    /// of the user.
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

    /// Returns true if the request was not carried out for certain: it was never sent, or the server says so.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            // With a 408, the server timed out while waiting, but the request may have arrived after all.
            Self::Status { status, .. } | Self::Refusal { status, .. } => (400..500).contains(status) && *status != 408,
            Self::Rejected { .. } | Self::Redirect { .. } => true,
            _ => self.was_never_sent(),
        }
    }

    /// Returns true if the cause is in this process's environment or files, so that other processes are not affected.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::ProxySetting { .. } | Self::CaFile | Self::NoRoots | Self::Setup { .. })
    }

    /// Returns true if the server rejected the credential itself, so that a retry cannot help.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }

    /// Returns the `Retry-After` of a 429 or 503, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Status { status: 429 | 503, retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Returns the message after a colon, or an empty string.
fn with_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Returns the target of a redirect as part of a sentence.
fn redirect_phrase(to: Option<&str>) -> String {
    to.map(|to| format!(" to {to}")).unwrap_or_default()
}

//! What can come of asking the server.

/// Why there is no usable answer. No variant holds a secret: text of the server has passed the
/// redactor, and no error of the HTTP library is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FusionError {
    /// 400, 401 or 403: the server does not take the credential or the refresh token.
    #[error("{host} rejected the credential with status {status}{}", said(message))]
    Rejected {
        /// Whom neto asked: host, and port where it is not the usual one.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The server's words, cleaned; empty where it said nothing that can be shown.
        message: String,
        /// With a 401 alone: by how many seconds this machine's clock is ahead of the server's
        /// (negative: behind), where they differ by more than 30 s.
        clock_skew: Option<i64>,
    },
    /// No connection came about, so nothing was sent.
    #[error("no connection to {host}: {why}")]
    NotSent {
        /// Whom neto meant to ask, and by which proxy.
        host: String,
        /// In a few words.
        why: String,
    },
    /// The proxy gave no tunnel to the server, so nothing was sent.
    #[error("the proxy {proxy} gives no connection to {host}: {why}")]
    Proxy {
        /// The proxy's host and port, without user and password.
        proxy: String,
        /// The variable that names it.
        variable: &'static str,
        /// Whom neto meant to ask.
        host: String,
        /// In a few words.
        why: String,
        /// It wants another user or password; asking again with the same may lock the account.
        denied: bool,
    },
    /// The environment names a proxy that cannot be used. It is not gone around, so nothing was sent.
    #[error("the proxy that {variable} names cannot be used: {why}")]
    ProxySetting {
        /// The variable.
        variable: &'static str,
        /// What is wrong with its value, without the value: it may hold a password.
        why: &'static str,
    },
    /// The server's certificate or TLS is not acceptable; nothing was sent.
    #[error("the identity of {host} cannot be verified: {fault}")]
    Tls {
        /// Whom neto meant to ask, and by which proxy.
        host: String,
        /// What is wrong.
        fault: TlsFault,
    },
    /// The connection broke after the request, or a part of it, was sent.
    #[error("the connection to {host} broke: {why}")]
    Unreachable {
        /// Whom neto asked, and by which proxy.
        host: String,
        /// In a few words.
        why: String,
    },
    /// The time for the request and its retries is over; whether anything was sent is not known.
    #[error("no answer from {host} within {seconds} s")]
    Timeout {
        /// Whom neto asked, and by which proxy.
        host: String,
        /// The time that was given, in seconds.
        seconds: u64,
    },
    /// Any other status but 200.
    #[error("{host} answered with status {status}{}", said(message))]
    Status {
        /// Whom neto asked.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The server's words, cleaned; may be empty.
        message: String,
        /// From `Retry-After`: seconds to wait, where the server named them or a date.
        retry_after: Option<u64>,
    },
    /// An answer to a call whose status is no success. Whether that is about the token, the roles of the key or the call
    /// itself, the status says.
    #[error("{host} answered with status {status}{}", said(message))]
    Refusal {
        /// Whom neto asked.
        host: String,
        /// The HTTP status.
        status: u16,
        /// The server's words, cleaned; may be empty.
        message: String,
        /// As in [`FusionError::Rejected`].
        clock_skew: Option<i64>,
        /// As in [`FusionError::Status`].
        retry_after: Option<u64>,
    },
    /// An answer that had to be taken in as a whole is larger than that allows.
    #[error("the answer of {host} is larger than the {} MiB that are taken in as a whole", cap >> 20)]
    TooLarge {
        /// Whom neto asked.
        host: String,
        /// The most that is taken in, in bytes.
        cap: usize,
    },
    /// Any 3xx. Nothing is sent there.
    #[error("{host} redirects (status {status}){}, which neto does not follow", target(to.as_deref()))]
    Redirect {
        /// Whom neto asked.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Where to, without user info, query and fragment; absent where no address can be read.
        to: Option<String>,
    },
    /// A 200 that grants nothing that neto can use. Nothing of it is kept.
    #[error("the answer of {host} is not usable: {what}")]
    Unusable {
        /// Whom neto asked.
        host: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The profile's `ca_file` is none.
    #[error("the ca_file holds no certificate that can be read")]
    CaFile,
    /// Nothing is there to verify a server with.
    #[error("this system has no root certificates that can be read")]
    NoRoots,
    /// The request could not even be made ready on this machine.
    #[error("cannot prepare the request: {what}")]
    Setup {
        /// What is missing or broken.
        what: &'static str,
    },
}

/// Why a server is not believed to be who it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// Nobody who is trusted here signed its certificate.
    #[error("its certificate comes from an authority that is not trusted here")]
    Authority,
    /// Its certificate signs others; a server may not show such a one.
    #[error("its certificate is an authority's own, not a server's")]
    OwnAuthority,
    /// Its certificate is over.
    #[error("its certificate has expired")]
    Expired,
    /// Its certificate begins later.
    #[error("its certificate is not valid yet")]
    NotYet,
    /// Its certificate is somebody else's.
    #[error("its certificate is for another name")]
    Name,
    /// TLS 1.1 or older.
    #[error("it does not speak TLS 1.2 or newer")]
    Old,
    /// Something else than TLS, such as plain http.
    #[error("it does not speak TLS")]
    NoTls,
    /// Anything else, in a few words.
    #[error("{0}")]
    Other(String),
}

impl FusionError {
    /// Whether it is certain that nothing was sent: a refresh token is then still unused.
    #[must_use]
    pub fn was_never_sent(&self) -> bool {
        matches!(self, Self::NotSent { .. } | Self::Proxy { .. } | Self::Tls { .. }) || self.is_local()
    }

    /// Whether the server may have done what was asked, though no answer says so.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. })
    }

    /// The same of a call that neto made on its own: no words of the user can be wrong with it, so it is told as a login
    /// is.
    #[must_use]
    pub fn of_own_call(self) -> Self {
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

    /// Whether it is certain that what was asked for was not done: it was never sent, or the server says so.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            // 408: the server waited for a request that may have come after all.
            Self::Status { status, .. } | Self::Refusal { status, .. } => (400..500).contains(status) && *status != 408,
            Self::Rejected { .. } | Self::Redirect { .. } => true,
            _ => self.was_never_sent(),
        }
    }

    /// Whether it lies in what this process was started with, so that it says nothing to another.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::ProxySetting { .. } | Self::CaFile | Self::NoRoots | Self::Setup { .. })
    }

    /// Whether the server refused the credential itself, so that asking again cannot help.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }

    /// How long the server wants to be left alone, in seconds: the `Retry-After` of a 429 or 503.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Status { status: 429 | 503, retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The server's words behind a colon, or nothing.
fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Where a redirect leads, as part of a sentence.
fn target(to: Option<&str>) -> String {
    to.map(|to| format!(" to {to}")).unwrap_or_default()
}

//! Arguments of `neto api`, and the call built from them.

use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::fusion::{ApiPath, Call, HOP_BY_HOP, HeaderName, HeaderValue, METHOD_OVERRIDE_HEADERS, Method};
use crate::workflow::Run;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Maximum size of a request body, in bytes.
const MAX_REQUEST_BODY_BYTES: u64 = 64 << 20;

/// Methods that are sent in upper case, even if typed in lower case.
const KNOWN_METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Headers that the user cannot set, in addition to the hop-by-hop headers.
const RESERVED_HEADERS: [&str; 3] = ["authorization", "content-length", "host"];

/// HTTP method of a call.
#[derive(Debug, Clone)]
pub(super) struct MethodArg(Method);

/// Header, typed as `Name: value`.
#[derive(Debug, Clone)]
pub(super) struct HeaderArg(HeaderName, HeaderValue);

/// Source of the request body: literal text, a file or standard input.
#[derive(Debug, Clone)]
pub(super) enum DataArg {
    Text(String),
    File(PathBuf),
    Stdin,
}

/// Reason why a method is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum MethodError {
    #[error("a method such as GET or POST comes first, then the path")]
    Invalid,
    #[error("neto does not send CONNECT or TRACE, which may show the token to others")]
    LeaksToken,
}

/// Reason why a header is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("a header is written as 'Name: value'")]
    Format,
    #[error("'{0}' is set by neto itself")]
    Reserved(HeaderName),
    #[error("'{0}' would make another call of it; name that method instead")]
    Override(HeaderName),
}

impl FromStr for MethodArg {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let upper = text.to_ascii_uppercase();
        if matches!(upper.as_str(), "CONNECT" | "TRACE") {
            return Err(MethodError::LeaksToken);
        }
        let known_method = KNOWN_METHODS.into_iter().find(|method| method.as_str() == upper);
        let method = known_method.map_or_else(|| Method::from_bytes(text.as_bytes()), Ok);
        method.map(Self).map_err(|_| MethodError::Invalid)
    }
}

impl FromStr for HeaderArg {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::Format)?;
        let name: HeaderName = name.trim().parse().map_err(|_| HeaderError::Format)?;
        let value: HeaderValue = value.trim().parse().map_err(|_| HeaderError::Format)?;
        if RESERVED_HEADERS.iter().chain(&HOP_BY_HOP).any(|reserved| *reserved == name.as_str()) {
            return Err(HeaderError::Reserved(name));
        }
        if METHOD_OVERRIDE_HEADERS.contains(&name.as_str()) {
            return Err(HeaderError::Override(name));
        }
        Ok(Self(name, value))
    }
}

impl FromStr for DataArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" | "@-" => Self::Stdin,
            text => match text.strip_prefix('@') {
                Some(path) => Self::File(path.into()),
                None => Self::Text(text.to_owned()),
            },
        })
    }
}

impl DataArg {
    /// Reads the request body.
    ///
    /// # Errors
    /// Returns an error if the source cannot be read, or has more than [`MAX_REQUEST_BODY_BYTES`] bytes.
    pub(super) fn read(&self, run: &Run<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => read_file(run, path),
            Self::Stdin => {
                let too_much = || {
                    let message = format!(
                        "standard input holds more than the {} MiB that a call takes",
                        MAX_REQUEST_BODY_BYTES >> 20
                    );
                    Error::new(Code::Usage, message)
                };
                Ok(std::mem::take(&mut *run.read_stdin(MAX_REQUEST_BODY_BYTES)?.ok_or_else(too_much)?))
            }
        }
    }
}

fn read_file(run: &Run<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let read =
        disk::read(&run.context.absolute(path), ReadRules { cap: MAX_REQUEST_BODY_BYTES, privacy: Privacy::Any });
    read.map_err(|error| match error {
        DiskError::NotAFile { found: "a device or pipe", .. } => {
            Error::from(error).with_hint(Hint::advice("--data -").remark("reads standard input"))
        }
        DiskError::TooLarge { .. } => Error::new(Code::Usage, error.to_string()),
        other => other.into(),
    })
}

/// Builds the call. If there is a body but no `Content-Type` header, adds the header for JSON.
pub(super) fn build_call(method: &MethodArg, path: &ApiPath, headers: &[HeaderArg], body: Option<Vec<u8>>) -> Call {
    const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
    let mut headers: Vec<_> = headers.iter().map(|HeaderArg(name, value)| (name.clone(), value.clone())).collect();
    if body.is_some() && headers.iter().all(|(name, _)| *name != CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    Call { method: method.0.clone(), path: path.clone(), headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_methods_are_sent_in_upper_case_and_other_methods_as_typed() {
        for (typed, sent) in
            [("get", "GET"), ("Delete", "DELETE"), ("PATCH", "PATCH"), ("purge", "purge"), ("M-X", "M-X")]
        {
            assert_eq!(typed.parse::<MethodArg>().unwrap().0.as_str(), sent);
        }
        for typed in ["", "/customers", "GE T", "GET\r", "gét", "connect", "Trace"] {
            assert!(typed.parse::<MethodArg>().is_err(), "{typed}");
        }
    }

    #[test]
    fn malformed_and_reserved_headers_are_refused() {
        let HeaderArg(name, value) = "X-Note:  a: b ".parse().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-note", "a: b"));
        let reserved =
            RESERVED_HEADERS.iter().chain(&HOP_BY_HOP).chain(&METHOD_OVERRIDE_HEADERS).map(|name| format!("{name}: x"));
        let formless = ["", "x", "a b: c", ": x", "x: a\nb", "x\r\nAuthorization: b"].map(str::to_owned);
        for typed in reserved.chain(formless).chain(["AUTHORIZATION: x".to_owned(), "Host :x".to_owned()]) {
            assert!(typed.parse::<HeaderArg>().is_err(), "{typed}");
        }
    }
}

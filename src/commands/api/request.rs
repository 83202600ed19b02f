//! The words that a call is typed in, and the call they make.

use crate::disk::{self, DiskError, Privacy, Rules};
use crate::error::{Code, Error};
use crate::fusion::{ApiPath, Call, HOP_BY_HOP, HeaderName, HeaderValue, METHOD_OVERRIDES, Method};
use crate::workflow::Run;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The most that a body may hold, in bytes.
const MOST_DATA: u64 = 64 << 20;

/// Methods that are sent in capitals, however they were typed.
const KNOWN: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// Headers that are neto's own affair: whom the call is from, where it goes, and how long it is; how it is framed, too.
const OWN: [&str; 3] = ["authorization", "content-length", "host"];

/// The method of a call.
#[derive(Debug, Clone)]
pub(super) struct Verb(Method);

/// A header that was typed as `Name: value`.
#[derive(Debug, Clone)]
pub(super) struct Header(HeaderName, HeaderValue);

/// Where the body comes from.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Text(String),
    File(PathBuf),
    Stdin,
}

/// Why a word is no method.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerbError {
    #[error("a method such as GET or POST comes first, then the path")]
    Characters,
    #[error("neto does not send CONNECT or TRACE, which may show the token to others")]
    Telling,
}

/// Why a text is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("a header is written as 'Name: value'")]
    Form,
    #[error("'{0}' is set by neto itself")]
    Own(HeaderName),
    #[error("'{0}' would make another call of it; name that method instead")]
    Override(HeaderName),
}

impl FromStr for Verb {
    type Err = VerbError;

    fn from_str(text: &str) -> Result<Self, VerbError> {
        let upper = text.to_ascii_uppercase();
        if matches!(upper.as_str(), "CONNECT" | "TRACE") {
            return Err(VerbError::Telling);
        }
        let known = KNOWN.into_iter().find(|method| method.as_str() == upper);
        let method = known.map_or_else(|| Method::from_bytes(text.as_bytes()), Ok);
        method.map(Self).map_err(|_| VerbError::Characters)
    }
}

impl FromStr for Header {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let (name, value) = text.split_once(':').ok_or(HeaderError::Form)?;
        let name: HeaderName = name.trim().parse().map_err(|_| HeaderError::Form)?;
        let value: HeaderValue = value.trim().parse().map_err(|_| HeaderError::Form)?;
        if OWN.iter().chain(&HOP_BY_HOP).any(|own| *own == name.as_str()) {
            return Err(HeaderError::Own(name));
        }
        if METHOD_OVERRIDES.contains(&name.as_str()) {
            return Err(HeaderError::Override(name));
        }
        Ok(Self(name, value))
    }
}

impl FromStr for Data {
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

impl Data {
    /// The bytes to send.
    pub(super) fn read(&self, run: &Run<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => read_file(run, path),
            Self::Stdin => {
                let too_much = || {
                    let message =
                        format!("standard input holds more than the {} MiB that a call takes", MOST_DATA >> 20);
                    Error::new(Code::Usage, message)
                };
                Ok(std::mem::take(&mut *run.piped(MOST_DATA)?.ok_or_else(too_much)?))
            }
        }
    }
}

fn read_file(run: &Run<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let read = disk::read(&run.context.absolute(path), Rules { cap: MOST_DATA, privacy: Privacy::Any });
    read.map_err(|error| match error {
        DiskError::NotAFile { found: "a device or pipe", .. } => {
            Error::from(error).with_hint("--data -    reads standard input")
        }
        DiskError::TooLarge { .. } => Error::new(Code::Usage, error.to_string()),
        other => other.into(),
    })
}

/// The call that was typed. A body is JSON, unless a header says what else it is.
pub(super) fn call(verb: &Verb, path: &ApiPath, headers: &[Header], body: Option<Vec<u8>>) -> Call {
    const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");
    let mut headers: Vec<_> = headers.iter().map(|Header(name, value)| (name.clone(), value.clone())).collect();
    if body.is_some() && headers.iter().all(|(name, _)| *name != CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/json")));
    }
    Call { method: verb.0.clone(), path: path.clone(), headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_in_any_case_and_others_are_sent_as_typed() {
        for (typed, sent) in
            [("get", "GET"), ("Delete", "DELETE"), ("PATCH", "PATCH"), ("purge", "purge"), ("M-X", "M-X")]
        {
            assert_eq!(typed.parse::<Verb>().unwrap().0.as_str(), sent);
        }
        for typed in ["", "/customers", "GE T", "GET\r", "gét", "connect", "Trace"] {
            assert!(typed.parse::<Verb>().is_err(), "{typed}");
        }
    }

    #[test]
    fn headers_that_are_none_or_neto_s_own_are_refused() {
        let Header(name, value) = "X-Note:  a: b ".parse().unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-note", "a: b"));
        let own = OWN.iter().chain(&HOP_BY_HOP).chain(&METHOD_OVERRIDES).map(|name| format!("{name}: x"));
        let formless = ["", "x", "a b: c", ": x", "x: a\nb", "x\r\nAuthorization: b"].map(str::to_owned);
        for typed in own.chain(formless).chain(["AUTHORIZATION: x".to_owned(), "Host :x".to_owned()]) {
            assert!(typed.parse::<Header>().is_err(), "{typed}");
        }
    }
}

//! Checks of requests, and the purpose of each request.
//!
//! A request is checked by the exact path that is forwarded. Requests that a server could read as another path, or as a
//! writing call, are refused.

use super::answer::{DecoyAnswer, json_error};
use super::credential::Decoy;
use crate::fusion::{ApiPath, METHOD_OVERRIDES};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

/// Headers that some servers use as the path instead of the request's own path.
const PATH_OVERRIDES: [&str; 3] = ["x-original-url", "x-original-uri", "x-rewrite-url"];

/// Query parameter that some servers use as the method instead of the request's own method.
const METHOD_IN_QUERY: &str = "_method=";

/// Path segment for creating, regenerating and removing API keys.
const KEYS: &str = "api-keys";

/// Permissions of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestPolicy {
    /// Refuses writing calls.
    pub read_only: bool,
    /// Allows creating, changing and removing API keys. With this permission the program can create a real key for
    /// itself.
    pub allow_keys: bool,
}

/// Purpose of a request.
#[derive(Debug)]
pub(super) enum RequestPurpose {
    /// Login with the decoy's credential.
    Login,
    /// Refresh with the decoy's refresh token.
    Refresh,
    /// Call to forward to the tenant.
    Call(ApiPath),
}

impl RequestPolicy {
    /// Returns the purpose of a request to the server on this port, or the refusal.
    pub(super) fn check_request(self, head: &Parts, decoy: &Decoy, port: u16) -> Result<RequestPurpose, DecoyAnswer> {
        check_caller(&head.headers, port)?;
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err(json_error(StatusCode::METHOD_NOT_ALLOWED, "the decoy does not pass such a method on"));
        }
        if head.uri.authority().is_some() {
            return Err(json_error(StatusCode::BAD_REQUEST, "a path is wanted, not a whole address"));
        }
        let sent = head.uri.path_and_query().map_or("", |path| path.as_str());
        let path = ApiPath::parse_request_path(sent)
            .map_err(|error| json_error(StatusCode::BAD_REQUEST, &error.to_string()))?;
        if let Some(wanted) = token_grant(&head.method, &path)? {
            return Ok(wanted);
        }
        if !decoy.accepts_token(head.headers.get_all(AUTHORIZATION).iter()) {
            return Err(json_error(StatusCode::UNAUTHORIZED, "the access token is missing or is not the decoy's"));
        }
        self.check_call(head, &path)?;
        Ok(RequestPurpose::Call(path))
    }

    fn check_call(self, head: &Parts, path: &ApiPath) -> Result<(), DecoyAnswer> {
        if overrides_method_or_path(head) {
            return Err(json_error(
                StatusCode::BAD_REQUEST,
                "the decoy passes on nothing that stands for another method or path",
            ));
        }
        let keys = is_key_path(path);
        let reads = path.is_read_only(&head.method) && !(keys && head.method == Method::POST);
        if reads {
            return Ok(());
        }
        if self.read_only {
            return Err(json_error(StatusCode::FORBIDDEN, "this decoy passes on calls that only read (--read-only)"));
        }
        if !self.allow_keys && keys {
            let why = "this decoy passes on no change of API keys; neto can be told to with --allow-keys";
            return Err(json_error(StatusCode::FORBIDDEN, why));
        }
        Ok(())
    }
}

/// Refuses requests for another host name and requests from web pages.
fn check_caller(headers: &HeaderMap, port: u16) -> Result<(), DecoyAnswer> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, another) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let own = host.and_then(|host| host.rsplit_once(':')).is_some_and(|(name, number)| {
        (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")) && number.parse() == Ok(port)
    });
    if !own || another.is_some() {
        return Err(json_error(StatusCode::MISDIRECTED_REQUEST, "the request is for another host"));
    }
    if headers.contains_key(ORIGIN) {
        return Err(json_error(StatusCode::FORBIDDEN, "a browser has no business here"));
    }
    Ok(())
}

/// Returns the purpose of a call that grants tokens. The decoy answers those calls itself, and refuses other spellings.
fn token_grant(method: &Method, path: &ApiPath) -> Result<Option<RequestPurpose>, DecoyAnswer> {
    let path = path.without_query();
    match (method, path) {
        (&Method::POST, "/api/v1/auth/token") => return Ok(Some(RequestPurpose::Login)),
        (&Method::POST, "/api/auth/bearer/refresh") => return Ok(Some(RequestPurpose::Refresh)),
        _ => {}
    }
    let path = path.to_ascii_lowercase();
    let below =
        |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']));
    if below("/api/v1/auth") || below("/api/auth") {
        return Err(json_error(StatusCode::UNAUTHORIZED, "the decoy grants tokens to its own credential alone"));
    }
    Ok(None)
}

/// Returns whether some servers would read another method or path in the request. Servers that pass headers as
/// variables do not distinguish `_` and `-`.
fn overrides_method_or_path(head: &Parts) -> bool {
    let named = |name: &str| {
        let name = name.replace('_', "-");
        METHOD_OVERRIDES.iter().chain(&PATH_OVERRIDES).any(|other| *other == name)
    };
    head.headers.keys().any(|name| named(name.as_str()))
        || head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with(METHOD_IN_QUERY)))
}

/// Returns whether a path names API keys, even for a server that matches names loosely.
fn is_key_path(path: &ApiPath) -> bool {
    path.without_query().to_ascii_lowercase().split('/').any(|segment| segment.starts_with(KEYS))
}

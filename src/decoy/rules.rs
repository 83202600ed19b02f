//! Checks each request from the program, and returns the purpose of the request.
//!
//! Checks the exact path that is forwarded. Refuses a request that some server could interpret as a request for another
//! path or with another method. Does not forward requests.

use super::credential::DecoyCredential;
use super::response::{DecoyResponse, json_error};
use crate::fusion::{ApiPath, METHOD_OVERRIDE_HEADERS};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

/// Headers that replace the path of a request at some servers.
const PATH_OVERRIDE_HEADERS: [&str; 3] = ["x-original-url", "x-original-uri", "x-rewrite-url"];

/// Query parameter that replaces the method of a request at some servers.
const METHOD_QUERY_PARAMETER: &str = "_method=";

/// Start of the path segment of the calls that create, regenerate and remove API keys.
const KEY_SEGMENT: &str = "api-keys";

/// Permissions of the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestPolicy {
    /// Refuses calls that are not read-only.
    pub read_only: bool,
    /// Allows creating, changing and removing API keys. With this permission, the program can create a real API key for
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
    /// Returns the purpose of a request to the decoy on `port`.
    ///
    /// # Errors
    /// Returns the response for a refused request.
    pub(super) fn check_request(
        self,
        head: &Parts,
        credential: &DecoyCredential,
        port: u16,
    ) -> Result<RequestPurpose, DecoyResponse> {
        check_caller(&head.headers, port)?;
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err(json_error(StatusCode::METHOD_NOT_ALLOWED, "the decoy does not pass such a method on"));
        }
        if head.uri.authority().is_some() {
            return Err(json_error(StatusCode::BAD_REQUEST, "a path is wanted, not a whole address"));
        }
        let request_path = head.uri.path_and_query().map_or("", |path| path.as_str());
        let path = ApiPath::parse_request_path(request_path)
            .map_err(|error| json_error(StatusCode::BAD_REQUEST, &error.to_string()))?;
        if let Some(purpose) = grant_purpose(&head.method, &path)? {
            return Ok(purpose);
        }
        if !credential.accepts_token(head.headers.get_all(AUTHORIZATION).iter()) {
            return Err(json_error(StatusCode::UNAUTHORIZED, "the access token is missing or is not the decoy's"));
        }
        self.check_call(head, &path)?;
        Ok(RequestPurpose::Call(path))
    }

    fn check_call(self, head: &Parts, path: &ApiPath) -> Result<(), DecoyResponse> {
        if overrides_method_or_path(head) {
            return Err(json_error(
                StatusCode::BAD_REQUEST,
                "the decoy passes on nothing that stands for another method or path",
            ));
        }
        let is_key_call = is_key_path(path);
        let is_read_only_call = path.is_read_only(&head.method) && !(is_key_call && head.method == Method::POST);
        if is_read_only_call {
            return Ok(());
        }
        if self.read_only {
            return Err(json_error(StatusCode::FORBIDDEN, "this decoy passes on calls that only read (--read-only)"));
        }
        if !self.allow_keys && is_key_call {
            let why = "this decoy passes on no change of API keys; neto can be told to with --allow-keys";
            return Err(json_error(StatusCode::FORBIDDEN, why));
        }
        Ok(())
    }
}

/// Refuses requests with a missing, second or foreign `Host` header, and requests with an `Origin` header. A web page
/// must not reach the decoy through the user's browser.
fn check_caller(headers: &HeaderMap, port: u16) -> Result<(), DecoyResponse> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, second_host) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let is_this_server = host.and_then(|host| host.rsplit_once(':')).is_some_and(|(name, number)| {
        (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")) && number.parse() == Ok(port)
    });
    if !is_this_server || second_host.is_some() {
        return Err(json_error(StatusCode::MISDIRECTED_REQUEST, "the request is for another host"));
    }
    if headers.contains_key(ORIGIN) {
        return Err(json_error(StatusCode::FORBIDDEN, "a browser has no business here"));
    }
    Ok(())
}

/// Returns the purpose of a login or a refresh, which the decoy handles itself. Returns `None` for a request that has
/// nothing to do with tokens.
///
/// # Errors
/// Returns a refusal for any other request to `/api/v1/auth` or `/api/auth`, or to a path below them. Ignores case.
fn grant_purpose(method: &Method, path: &ApiPath) -> Result<Option<RequestPurpose>, DecoyResponse> {
    let path = path.without_query();
    match (method, path) {
        (&Method::POST, "/api/v1/auth/token") => return Ok(Some(RequestPurpose::Login)),
        (&Method::POST, "/api/auth/bearer/refresh") => return Ok(Some(RequestPurpose::Refresh)),
        _ => {}
    }
    let path = path.to_ascii_lowercase();
    let is_below =
        |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']));
    if is_below("/api/v1/auth") || is_below("/api/auth") {
        return Err(json_error(StatusCode::UNAUTHORIZED, "the decoy grants tokens to its own credential alone"));
    }
    Ok(None)
}

/// Returns true if some server could take the method or the path from a header or a query parameter. CGI servers do not
/// distinguish `_` and `-` in header names.
fn overrides_method_or_path(head: &Parts) -> bool {
    let is_override = |name: &str| {
        let name = name.replace('_', "-");
        METHOD_OVERRIDE_HEADERS.iter().chain(&PATH_OVERRIDE_HEADERS).any(|header| *header == name)
    };
    head.headers.keys().any(|name| is_override(name.as_str()))
        || head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with(METHOD_QUERY_PARAMETER)))
}

/// Returns true if a path segment starts with `api-keys`, ignoring case. The tenant's server may match paths just as
/// loosely.
fn is_key_path(path: &ApiPath) -> bool {
    path.without_query().to_ascii_lowercase().split('/').any(|segment| segment.starts_with(KEY_SEGMENT))
}

//! Which requests are taken, and what each of them is for.
//!
//! A request is judged by the very path that is sent on, so that what a server could take for another place, or a
//! writing call for a reading one, is not sent at all.

use super::answer::{Answer, json};
use super::credential::Decoy;
use crate::fusion::{ApiPath, METHOD_OVERRIDES};
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

/// Headers by which some servers take a request for one of another place than it has.
const ELSEWHERE: [&str; 3] = ["x-original-url", "x-original-uri", "x-rewrite-url"];

/// The same for its method, in a query.
const METHOD_IN_QUERY: &str = "_method=";

/// Where keys are made, regenerated and removed.
const KEYS: &str = "api-keys";

/// What a program may do beyond reading.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Calls that write are refused.
    pub read_only: bool,
    /// It may make, change and remove API keys; without this it could make itself a real one.
    pub allow_keys: bool,
}

/// What a request is for.
#[derive(Debug)]
pub(super) enum Wanted {
    /// A login with the decoy's credential.
    Login,
    /// Another token for the decoy's refresh token.
    Refresh,
    /// A call for the tenant.
    Call(ApiPath),
}

impl Rules {
    /// What a request to the server on this port is for, or why it is refused.
    pub(super) fn judge(self, head: &Parts, decoy: &Decoy, port: u16) -> Result<Wanted, Answer> {
        check_caller(&head.headers, port)?;
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err(json(StatusCode::METHOD_NOT_ALLOWED, "the decoy does not pass such a method on"));
        }
        if head.uri.authority().is_some() {
            return Err(json(StatusCode::BAD_REQUEST, "a path is wanted, not a whole address"));
        }
        let sent = head.uri.path_and_query().map_or("", |path| path.as_str());
        let path = ApiPath::of_request(sent).map_err(|error| json(StatusCode::BAD_REQUEST, &error.to_string()))?;
        if let Some(wanted) = granting(&head.method, &path)? {
            return Ok(wanted);
        }
        if !decoy.admits(head.headers.get_all(AUTHORIZATION).iter()) {
            return Err(json(StatusCode::UNAUTHORIZED, "the access token is missing or is not the decoy's"));
        }
        self.check_call(head, &path)?;
        Ok(Wanted::Call(path))
    }

    fn check_call(self, head: &Parts, path: &ApiPath) -> Result<(), Answer> {
        if stands_for_another(head) {
            return Err(json(
                StatusCode::BAD_REQUEST,
                "the decoy passes on nothing that stands for another method or path",
            ));
        }
        let keys = names_keys(path);
        let reads = path.reads(&head.method) && !(keys && head.method == Method::POST);
        if reads {
            return Ok(());
        }
        if self.read_only {
            return Err(json(StatusCode::FORBIDDEN, "this decoy passes on calls that only read (--read-only)"));
        }
        if !self.allow_keys && keys {
            let why = "this decoy passes on no change of API keys; neto can be told to with --allow-keys";
            return Err(json(StatusCode::FORBIDDEN, why));
        }
        Ok(())
    }
}

/// Only programs that mean this server: whoever was sent here by another name, or by a web page, is refused.
fn check_caller(headers: &HeaderMap, port: u16) -> Result<(), Answer> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, another) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let own = host.and_then(|host| host.rsplit_once(':')).is_some_and(|(name, number)| {
        (name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")) && number.parse() == Ok(port)
    });
    if !own || another.is_some() {
        return Err(json(StatusCode::MISDIRECTED_REQUEST, "the request is for another host"));
    }
    if headers.contains_key(ORIGIN) {
        return Err(json(StatusCode::FORBIDDEN, "a browser has no business here"));
    }
    Ok(())
}

/// The calls that grant tokens are answered here and never passed on, in whatever spelling.
fn granting(method: &Method, path: &ApiPath) -> Result<Option<Wanted>, Answer> {
    let path = path.without_query();
    match (method, path) {
        (&Method::POST, "/api/v1/auth/token") => return Ok(Some(Wanted::Login)),
        (&Method::POST, "/api/auth/bearer/refresh") => return Ok(Some(Wanted::Refresh)),
        _ => {}
    }
    let path = path.to_ascii_lowercase();
    let below =
        |start: &str| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']));
    if below("/api/v1/auth") || below("/api/auth") {
        return Err(json(StatusCode::UNAUTHORIZED, "the decoy grants tokens to its own credential alone"));
    }
    Ok(None)
}

/// Whether something in a request makes another one of it for some servers. Those that hand headers on as variables take
/// `_` and `-` for one.
fn stands_for_another(head: &Parts) -> bool {
    let named = |name: &str| {
        let name = name.replace('_', "-");
        METHOD_OVERRIDES.iter().chain(&ELSEWHERE).any(|other| *other == name)
    };
    head.headers.keys().any(|name| named(name.as_str()))
        || head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with(METHOD_IN_QUERY)))
}

/// Whether a path leads to API keys, also as a server with a generous idea of names would have it.
fn names_keys(path: &ApiPath) -> bool {
    path.without_query().to_ascii_lowercase().split('/').any(|segment| segment.starts_with(KEYS))
}

//! The three calls that grant a token.

use super::record::RecordedRequest;
use super::request_token::{RequestToken, object};
use super::routes::{Answer, reject_violation};
use super::server::State;
use super::tenants::{RefreshRefusal, Subject};
use super::{REFRESH, TOKEN};
use serde::Deserialize;
use serde_json::Value;

/// Handles one of the three calls that grant a token.
pub(super) fn answer(state: &mut State, request: &RecordedRequest) -> Answer {
    if request.method != "POST" {
        return reject_violation(state, request, 404, "the call takes POST alone");
    }
    if !request.query.is_empty() {
        return reject_violation(state, request, 400, "the call takes no query");
    }
    match request.path.as_str() {
        TOKEN => login(state, request),
        REFRESH => refresh(state, request),
        _ => person(state, request),
    }
}

fn login(state: &mut State, request: &RecordedRequest) -> Answer {
    let token = match request_token(request) {
        Ok(token) => token,
        Err(what) => return reject_violation(state, request, 401, &what),
    };
    if !state.jtis.insert(token.claims.jti) {
        return reject_violation(state, request, 401, "this jti came before");
    }
    let real = super::server::epoch_seconds();
    if state.iat_tolerance.is_some_and(|tolerance| token.claims.iat.abs_diff(real) > tolerance) {
        return reject_violation(state, request, 401, "iat is not near now");
    }
    let now = state.now();
    if state.iat_tolerance.is_some_and(|tolerance| token.claims.iat.abs_diff(now) > tolerance) {
        return Answer::error(401, "iat is not near now");
    }
    let claims = &token.claims;
    let tenant =
        state.tenants.by_shortname.get_mut(&claims.shortname).filter(|tenant| token.signed_with(&tenant.sharedsecret));
    let key = tenant.and_then(|tenant| tenant.keys.get_mut(&claims.appname)).filter(|key| key.appkey == claims.appkey);
    let Some(key) = key else { return Answer::error(401, "Missing or invalid credentials") };
    key.last_login = Some(now);
    "127.0.0.1".clone_into(&mut key.last_ip);
    let subject = Subject::Key { shortname: claims.shortname.clone(), appname: claims.appname.clone() };
    state.record.logins += 1;
    granted(state, &subject, None)
}

/// Reads the request token of a login. The error names the violation of the reference.
fn request_token(request: &RecordedRequest) -> Result<RequestToken, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        jwt: String,
    }
    if request.media_type() != "application/json" {
        return Err("the content type is not application/json".to_owned());
    }
    let body: Body = object("the body", &request.body)?;
    RequestToken::parse(&body.jwt)
}

fn refresh(state: &mut State, request: &RecordedRequest) -> Answer {
    let fields = match form(request, &["refresh_token"]) {
        Ok(fields) => fields,
        Err(what) => return reject_violation(state, request, 400, &what),
    };
    let now = state.now();
    match state.tenants.use_refresh_token(&fields[0], now) {
        Ok((subject, session)) => {
            state.record.refreshes += 1;
            granted(state, &subject, Some(session))
        }
        Err(RefreshRefusal::Reused) => {
            state.record.reused.push(fields[0].clone());
            reject_violation(state, request, 400, "this refresh token was used before")
        }
        Err(RefreshRefusal::Unknown | RefreshRefusal::Expired) => {
            Answer::error(400, "Wrong or expired refresh token, or user/api-key removed")
        }
    }
}

fn person(state: &mut State, request: &RecordedRequest) -> Answer {
    let fields = match form(request, &["username", "password"]) {
        Ok(fields) => fields,
        Err(what) => return reject_violation(state, request, 401, &what),
    };
    if !state.tenants.is_person(&fields[0], &fields[1]) {
        return Answer::error(401, "Missing or invalid credentials");
    }
    state.record.logins += 1;
    granted(state, &Subject::Person { username: fields[0].clone() }, None)
}

/// Returns the values of exactly these form fields. Each field must appear once.
fn form(request: &RecordedRequest, names: &[&str]) -> Result<Vec<String>, String> {
    if request.media_type() != "application/x-www-form-urlencoded" {
        return Err("the content type is not application/x-www-form-urlencoded".to_owned());
    }
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let mut values = Vec::new();
    for name in names {
        let place = pairs.iter().position(|(key, _)| key == name).ok_or_else(|| format!("the form lacks {name}"))?;
        values.push(pairs.remove(place).1);
    }
    match pairs.first() {
        Some((name, _)) => Err(format!("the form has a field too many: {name}")),
        None => Ok(values),
    }
}

fn granted(state: &mut State, subject: &Subject, session: Option<u64>) -> Answer {
    let now = state.now();
    let mut grant = state.tenants.grant(subject, session, now);
    if let Some(grant_edit) = &state.grant_edit {
        grant_edit(&mut grant);
    }
    Answer::json(200, &Value::Object(grant))
}

//! The three calls that grant tokens: login with an API key, login with a password, and refresh.

use super::record::RecordedRequest;
use super::request_token::{RequestToken, parse_object};
use super::routes::{ApiResponse, reject_violation};
use super::server::ServerState;
use super::tenants::{RefreshRefusal, Subject};
use super::{REFRESH, TOKEN};
use serde::Deserialize;
use serde_json::Value;

/// Handles one of the three calls. A request that violates the API reference is rejected and recorded.
pub(super) fn handle(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    if request.method != "POST" {
        return reject_violation(state, request, 404, "the call takes POST alone");
    }
    if !request.query.is_empty() {
        return reject_violation(state, request, 400, "the call takes no query");
    }
    match request.path.as_str() {
        TOKEN => key_login(state, request),
        REFRESH => refresh(state, request),
        _ => person_login(state, request),
    }
}

fn key_login(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    let token = match parse_request_token(request) {
        Ok(token) => token,
        Err(violation) => return reject_violation(state, request, 401, &violation),
    };
    if !state.used_jtis.insert(token.claims.jti) {
        return reject_violation(state, request, 401, "this jti came before");
    }
    let real_time = super::server::epoch_seconds();
    if state.iat_tolerance.is_some_and(|tolerance| token.claims.iat.abs_diff(real_time) > tolerance) {
        return reject_violation(state, request, 401, "iat is not near now");
    }
    let now = state.now();
    if state.iat_tolerance.is_some_and(|tolerance| token.claims.iat.abs_diff(now) > tolerance) {
        return ApiResponse::error(401, "iat is not near now");
    }
    let claims = &token.claims;
    let tenant = state
        .tenants
        .by_shortname
        .get_mut(&claims.shortname)
        .filter(|tenant| token.is_signed_with(&tenant.sharedsecret));
    let key = tenant.and_then(|tenant| tenant.keys.get_mut(&claims.appname)).filter(|key| key.appkey == claims.appkey);
    let Some(key) = key else { return ApiResponse::error(401, "Missing or invalid credentials") };
    key.last_login = Some(now);
    "127.0.0.1".clone_into(&mut key.last_ip);
    let subject = Subject::Key { shortname: claims.shortname.clone(), appname: claims.appname.clone() };
    state.record.logins += 1;
    grant_response(state, &subject, None)
}

/// Parses the request token in the body of a login. The error describes how the request violates the API reference.
fn parse_request_token(request: &RecordedRequest) -> Result<RequestToken, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        jwt: String,
    }
    if request.media_type() != "application/json" {
        return Err("the content type is not application/json".to_owned());
    }
    let body: Body = parse_object("the body", &request.body)?;
    RequestToken::parse(&body.jwt)
}

fn refresh(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    let fields = match form_values(request, &["refresh_token"]) {
        Ok(fields) => fields,
        Err(violation) => return reject_violation(state, request, 400, &violation),
    };
    let now = state.now();
    match state.tenants.use_refresh_token(&fields[0], now) {
        Ok((subject, session)) => {
            state.record.refreshes += 1;
            grant_response(state, &subject, Some(session))
        }
        Err(RefreshRefusal::Reused) => {
            state.record.reused_refresh_tokens.push(fields[0].clone());
            reject_violation(state, request, 400, "this refresh token was used before")
        }
        Err(RefreshRefusal::Unknown | RefreshRefusal::Expired) => {
            ApiResponse::error(400, "Wrong or expired refresh token, or user/api-key removed")
        }
    }
}

fn person_login(state: &mut ServerState, request: &RecordedRequest) -> ApiResponse {
    let fields = match form_values(request, &["username", "password"]) {
        Ok(fields) => fields,
        Err(violation) => return reject_violation(state, request, 401, &violation),
    };
    if !state.tenants.password_matches(&fields[0], &fields[1]) {
        return ApiResponse::error(401, "Missing or invalid credentials");
    }
    state.record.logins += 1;
    grant_response(state, &Subject::Person { username: fields[0].clone() }, None)
}

/// Returns the values of these form fields in order. Returns an error if a field is missing, repeated or not listed.
fn form_values(request: &RecordedRequest, names: &[&str]) -> Result<Vec<String>, String> {
    if request.media_type() != "application/x-www-form-urlencoded" {
        return Err("the content type is not application/x-www-form-urlencoded".to_owned());
    }
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let mut values = Vec::new();
    for name in names {
        let index = pairs.iter().position(|(key, _)| key == name).ok_or_else(|| format!("the form lacks {name}"))?;
        values.push(pairs.remove(index).1);
    }
    match pairs.first() {
        Some((name, _)) => Err(format!("the form has a field too many: {name}")),
        None => Ok(values),
    }
}

fn grant_response(state: &mut ServerState, subject: &Subject, session: Option<u64>) -> ApiResponse {
    let now = state.now();
    let mut grant = state.tenants.grant(subject, session, now);
    if let Some(grant_edit) = &state.grant_edit {
        grant_edit(&mut grant);
    }
    ApiResponse::json(200, &Value::Object(grant))
}

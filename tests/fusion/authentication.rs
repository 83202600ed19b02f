//! The three calls that give a token.

use super::record::Seen;
use super::request_token::{RequestToken, object};
use super::routes::{Answer, refused};
use super::server::State;
use super::tenants::{RefreshRefusal, Subject};
use super::{REFRESH, TOKEN};
use serde::Deserialize;
use serde_json::Value;

/// Carries out one of the three calls that give a token.
pub(super) fn answer(state: &mut State, seen: &Seen) -> Answer {
    if seen.method != "POST" {
        return refused(state, seen, 404, "the call takes POST alone");
    }
    if !seen.query.is_empty() {
        return refused(state, seen, 400, "the call takes no query");
    }
    match seen.path.as_str() {
        TOKEN => login(state, seen),
        REFRESH => refresh(state, seen),
        _ => person(state, seen),
    }
}

fn login(state: &mut State, seen: &Seen) -> Answer {
    let token = match request_token(seen) {
        Ok(token) => token,
        Err(what) => return refused(state, seen, 401, &what),
    };
    if !state.jtis.insert(token.claims.jti) {
        return refused(state, seen, 401, "this jti came before");
    }
    let real = super::server::epoch_seconds();
    if state.iat_tolerance.is_some_and(|tolerance| token.claims.iat.abs_diff(real) > tolerance) {
        return refused(state, seen, 401, "iat is not near now");
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

/// The request token of a login; the error says what is against the reference.
fn request_token(seen: &Seen) -> Result<RequestToken, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        jwt: String,
    }
    if seen.media_type() != "application/json" {
        return Err("the content type is not application/json".to_owned());
    }
    let body: Body = object("the body", &seen.body)?;
    RequestToken::parse(&body.jwt)
}

fn refresh(state: &mut State, seen: &Seen) -> Answer {
    let fields = match form(seen, &["refresh_token"]) {
        Ok(fields) => fields,
        Err(what) => return refused(state, seen, 400, &what),
    };
    let now = state.now();
    match state.tenants.take_refresh(&fields[0], now) {
        Ok((subject, session)) => {
            state.record.refreshes += 1;
            granted(state, &subject, Some(session))
        }
        Err(RefreshRefusal::Reused) => {
            state.record.reused.push(fields[0].clone());
            refused(state, seen, 400, "this refresh token was used before")
        }
        Err(RefreshRefusal::Unknown | RefreshRefusal::Expired) => {
            Answer::error(400, "Wrong or expired refresh token, or user/api-key removed")
        }
    }
}

fn person(state: &mut State, seen: &Seen) -> Answer {
    let fields = match form(seen, &["username", "password"]) {
        Ok(fields) => fields,
        Err(what) => return refused(state, seen, 401, &what),
    };
    if !state.tenants.is_person(&fields[0], &fields[1]) {
        return Answer::error(401, "Missing or invalid credentials");
    }
    state.record.logins += 1;
    granted(state, &Subject::Person { username: fields[0].clone() }, None)
}

/// The values of exactly these fields of a form, each once.
fn form(seen: &Seen, wanted: &[&str]) -> Result<Vec<String>, String> {
    if seen.media_type() != "application/x-www-form-urlencoded" {
        return Err("the content type is not application/x-www-form-urlencoded".to_owned());
    }
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(&seen.body).into_owned().collect();
    let mut values = Vec::new();
    for name in wanted {
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
    if let Some(shape) = &state.shape {
        shape(&mut grant);
    }
    Answer::json(200, &Value::Object(grant))
}

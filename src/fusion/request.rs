//! What is sent: the three documented ways to ask for a bearer token.

use super::redact::Redactor;
use super::{FusionError, request_token};
use crate::secret::Secret;
use jiff::Timestamp;
use url::form_urlencoded::Serializer;

/// Whose login it is.
#[derive(Debug, Clone, Copy)]
pub enum Login<'a> {
    /// An API key of a tenant: `POST /api/v1/auth/token`.
    ApiKey {
        /// The tenant.
        shortname: &'a str,
        /// The key's name.
        appname: &'a str,
        /// The key.
        appkey: &'a Secret,
        /// Signs the request token; is never sent.
        sharedsecret: &'a Secret,
    },
    /// A person: `POST /api/auth/bearer/token`.
    Person {
        /// The account's name.
        username: &'a str,
        /// The password.
        password: &'a Secret,
    },
}

/// One request, ready to be sent once.
pub(super) struct Request {
    /// From the API's base on; without a query, so that it may be shown.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Secret,
    /// Strikes out of any answer what this request must not bring to light.
    pub(super) redactor: Redactor,
    /// Before the request is sent; what it grants is counted from here.
    pub(super) made_at: Timestamp,
}

impl Login<'_> {
    /// Where it is asked.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "/api/v1/auth/token",
            Self::Person { .. } => "/api/auth/bearer/token",
        }
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

impl Request {
    /// A login as of `now`, with a request token of its own.
    pub(super) fn login(login: &Login<'_>, now: Timestamp) -> Result<Self, FusionError> {
        match *login {
            Login::ApiKey { shortname, appname, appkey, sharedsecret } => {
                let token = request_token::render(shortname, appname, appkey, sharedsecret, now)?;
                // A JWT holds nothing that JSON would have to escape.
                let body = Secret::new(format!("{{\"jwt\":\"{}\"}}", token.reveal()));
                let redactor = Redactor::new(vec![token, appkey.clone(), sharedsecret.clone()]);
                Ok(Self { path: login.path(), content_type: JSON, body, redactor, made_at: now })
            }
            Login::Person { username, password } => {
                let body = form(&[("username", username), ("password", password.reveal())]);
                let redactor = Redactor::new(vec![password.clone()]);
                Ok(Self { path: login.path(), content_type: FORM, body, redactor, made_at: now })
            }
        }
    }

    /// A refresh: note the path without a version.
    pub(super) fn refresh(token: &Secret, now: Timestamp) -> Self {
        let body = form(&[("refresh_token", token.reveal())]);
        let redactor = Redactor::new(vec![token.clone()]);
        Self { path: "/api/auth/bearer/refresh", content_type: FORM, body, redactor, made_at: now }
    }
}

fn form(fields: &[(&str, &str)]) -> Secret {
    Secret::new(Serializer::new(String::new()).extend_pairs(fields).finish())
}

//! Authentication requests: the three documented ways to get an access token.

use super::{FusionError, request_token};
use crate::secret::Redactor;
use crate::secret::Secret;
use jiff::Timestamp;
use url::form_urlencoded::Serializer;

/// Credential for a login.
#[derive(Debug, Clone, Copy)]
pub enum LoginCredential<'a> {
    /// API key of a tenant: `POST /api/v1/auth/token`.
    ApiKey {
        /// Shortname of the tenant.
        shortname: &'a str,
        /// Name of the key.
        appname: &'a str,
        /// The API key.
        appkey: &'a Secret,
        /// Signs the request token; is never sent.
        sharedsecret: &'a Secret,
    },
    /// User with a password: `POST /api/auth/bearer/token`.
    Person {
        /// User name.
        username: &'a str,
        /// The password.
        password: &'a Secret,
    },
}

/// One request, ready to be sent once.
pub(super) struct AuthRequest {
    /// Path below the API's base url, without a query, so that it may be shown.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Secret,
    /// Redacts the secrets of this request from answers.
    pub(super) redactor: Redactor,
    /// Time just before the request is sent; lifetimes count from it.
    pub(super) made_at: Timestamp,
}

impl LoginCredential<'_> {
    /// Returns the path of the login request.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "/api/v1/auth/token",
            Self::Person { .. } => "/api/auth/bearer/token",
        }
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

impl AuthRequest {
    /// Creates a login request at `now`, with a new request token.
    pub(super) fn login(login: &LoginCredential<'_>, now: Timestamp) -> Result<Self, FusionError> {
        match *login {
            LoginCredential::ApiKey { shortname, appname, appkey, sharedsecret } => {
                let token = request_token::sign(shortname, appname, appkey, sharedsecret, now)?;
                // A JWT has no character that JSON would escape.
                let body = Secret::new(format!("{{\"jwt\":\"{}\"}}", token.reveal()));
                let redactor = Redactor::new(vec![token, appkey.clone(), sharedsecret.clone()]);
                Ok(Self { path: login.path(), content_type: JSON, body, redactor, made_at: now })
            }
            LoginCredential::Person { username, password } => {
                let body = form_body(&[("username", username), ("password", password.reveal())]);
                let redactor = Redactor::new(vec![password.clone()]);
                Ok(Self { path: login.path(), content_type: FORM, body, redactor, made_at: now })
            }
        }
    }

    /// Creates a refresh request; its path has no API version.
    pub(super) fn refresh(token: &Secret, now: Timestamp) -> Self {
        let body = form_body(&[("refresh_token", token.reveal())]);
        let redactor = Redactor::new(vec![token.clone()]);
        Self { path: "/api/auth/bearer/refresh", content_type: FORM, body, redactor, made_at: now }
    }
}

fn form_body(fields: &[(&str, &str)]) -> Secret {
    Secret::new(Serializer::new(String::new()).extend_pairs(fields).finish())
}

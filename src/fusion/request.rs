//! Authentication requests: log in with an API key, log in with a user name and password, or refresh.
//!
//! Builds the requests, but does not send them. The reference documents these three ways to get an access token.

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
        /// Name of the API key.
        appname: &'a str,
        /// The API key.
        appkey: &'a Secret,
        /// Shared secret that signs the request token. Never sent.
        sharedsecret: &'a Secret,
    },
    /// User name and password: `POST /api/auth/bearer/token`.
    Person {
        /// User name.
        username: &'a str,
        /// The password.
        password: &'a Secret,
    },
}

/// Login or refresh request, for a single attempt.
pub(super) struct AuthRequest {
    /// Path below the base URL. Contains no secret, so it may be shown.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Secret,
    /// Redacts the secrets of this request from text in the response.
    pub(super) redactor: Redactor,
    /// Time just before the request is sent. Token lifetimes count from this time.
    pub(super) made_at: Timestamp,
}

impl LoginCredential<'_> {
    /// Returns the path of the login request.
    pub(super) fn login_path(&self) -> &'static str {
        match self {
            Self::ApiKey { .. } => "/api/v1/auth/token",
            Self::Person { .. } => "/api/auth/bearer/token",
        }
    }
}

const JSON_CONTENT_TYPE: &str = "application/json";
const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

impl AuthRequest {
    /// Creates a login request. For an API key, signs a new request token with the time `now`.
    ///
    /// # Errors
    /// Returns `Setup` if the request token cannot be signed.
    pub(super) fn login(credential: &LoginCredential<'_>, now: Timestamp) -> Result<Self, FusionError> {
        match *credential {
            LoginCredential::ApiKey { shortname, appname, appkey, sharedsecret } => {
                let token = request_token::sign(shortname, appname, appkey, sharedsecret, now)?;
                // A JWT contains no character that must be escaped in JSON.
                let body = Secret::new(format!("{{\"jwt\":\"{}\"}}", token.reveal()));
                let redactor = Redactor::new(vec![token, appkey.clone(), sharedsecret.clone()]);
                Ok(Self {
                    path: credential.login_path(),
                    content_type: JSON_CONTENT_TYPE,
                    body,
                    redactor,
                    made_at: now,
                })
            }
            LoginCredential::Person { username, password } => {
                let body = form_body(&[("username", username), ("password", password.reveal())]);
                let redactor = Redactor::new(vec![password.clone()]);
                Ok(Self {
                    path: credential.login_path(),
                    content_type: FORM_CONTENT_TYPE,
                    body,
                    redactor,
                    made_at: now,
                })
            }
        }
    }

    /// Creates a refresh request. According to the reference, its path has no API version.
    pub(super) fn refresh(token: &Secret, now: Timestamp) -> Self {
        let body = form_body(&[("refresh_token", token.reveal())]);
        let redactor = Redactor::new(vec![token.clone()]);
        Self { path: "/api/auth/bearer/refresh", content_type: FORM_CONTENT_TYPE, body, redactor, made_at: now }
    }
}

fn form_body(fields: &[(&str, &str)]) -> Secret {
    Secret::new(Serializer::new(String::new()).extend_pairs(fields).finish())
}

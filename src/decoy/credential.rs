//! Fake credential of a decoy, and the fake tokens that the decoy grants for this credential.
//!
//! Must not contain any secret of the tenant: the program, which may be untrusted, reads all of these values.

use super::response::{DecoyResponse, json_error};
use crate::clock::Clock;
use crate::fusion::Claims;
use crate::profile::{ApiUrl, Profile};
use crate::secret::{NetoSecret, Secret};
use crate::token::Lifetime;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use hyper::http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

/// Lifetime of the fake tokens: one year, for programs that never refresh. The tokens become invalid when
/// the decoy stops.
const LIFETIME_SECONDS: i64 = 31_536_000;

/// Maximum difference between the `iat` claim of a request token and the clock of this machine. A program in a
/// container may have another clock.
const MAX_CLOCK_SKEW_SECONDS: u64 = 300;

/// Fake credential and fake tokens of one decoy, valid while the decoy runs.
pub struct DecoyCredential {
    netosecret: NetoSecret,
    access_token: Secret,
    refresh_token: Secret,
    clock: Clock,
}

/// Error if the operating system returns no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

impl DecoyCredential {
    /// Creates a credential for the decoy on `port`, with the tenant's real shortname and appname. Returns `None` for a
    /// profile without a shortname or an appname, because a NETOSECRET must contain both.
    ///
    /// # Errors
    /// Returns [`NoRandomness`] if the operating system returns no random numbers.
    pub fn new(profile: &Profile, port: u16, clock: Clock) -> Result<Option<Self>, NoRandomness> {
        let (Some(shortname), Some(appname)) = (&profile.shortname, &profile.appname) else { return Ok(None) };
        let Ok(url) = format!("http://127.0.0.1:{port}").parse::<ApiUrl>() else { return Ok(None) };
        let netosecret = NetoSecret {
            url,
            shortname: shortname.clone(),
            appname: appname.clone(),
            appkey: random_secret("neto-decoy-")?,
            sharedsecret: random_secret("neto-decoy-")?,
            ignored: Vec::new(),
        };
        Ok(Some(Self {
            netosecret,
            access_token: random_secret("neto-decoy.")?,
            refresh_token: random_secret("neto-decoy.refresh.")?,
            clock,
        }))
    }

    /// Returns the fake NETOSECRET. Its URL is the address of the decoy.
    #[must_use]
    pub fn netosecret(&self) -> &NetoSecret {
        &self.netosecret
    }

    /// Returns the fake access token, the only token that the decoy accepts.
    #[must_use]
    pub fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// Returns a lifetime of one year for the fake access token, starting now.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        let obtained_at = self.clock.now();
        let expires_at = obtained_at.checked_add(SignedDuration::from_secs(LIFETIME_SECONDS)).unwrap_or(Timestamp::MAX);
        Lifetime { obtained_at, expires_at, refresh_expires_at: None }
    }

    /// Returns true if there is exactly one `Authorization` header, and this header contains the fake access token.
    pub(super) fn accepts_token<'h>(&self, mut authorizations: impl Iterator<Item = &'h HeaderValue>) -> bool {
        let (Some(authorization), None) = (authorizations.next(), authorizations.next()) else { return false };
        let Some((scheme, token)) = authorization.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && equals_secret(token.trim(), &self.access_token)
    }

    /// Grants tokens if the body contains a current request token for the fake key, signed with the fake shared secret.
    pub(super) fn respond_to_login(&self, body: &[u8]) -> DecoyResponse {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct LoginBody {
            jwt: String,
        }
        let Ok(LoginBody { jwt }) = serde_json::from_slice(body) else {
            return json_error(StatusCode::UNAUTHORIZED, "the body is no {\"jwt\": ...}");
        };
        let Some(claims) = Claims::verify(&jwt, &self.netosecret.sharedsecret) else {
            return json_error(StatusCode::UNAUTHORIZED, "the request token is not one of the decoy's credential");
        };
        let is_own_key = claims.shortname == self.netosecret.shortname
            && claims.appname == self.netosecret.appname
            && equals_secret(&claims.appkey, &self.netosecret.appkey);
        if !is_own_key {
            return json_error(StatusCode::UNAUTHORIZED, "the request token names another key");
        }
        if claims.iat.abs_diff(self.clock.now().as_second()) > MAX_CLOCK_SKEW_SECONDS {
            return json_error(StatusCode::UNAUTHORIZED, "the request token is not from now");
        }
        self.grant()
    }

    /// Grants tokens if the body is a form that contains the fake refresh token.
    pub(super) fn respond_to_refresh(&self, body: &[u8]) -> DecoyResponse {
        let mut fields = form_urlencoded::parse(body);
        let token = fields.find(|(name, _)| name == "refresh_token").map(|(_, token)| token);
        if token.is_some_and(|token| equals_secret(&token, &self.refresh_token)) {
            return self.grant();
        }
        json_error(StatusCode::UNAUTHORIZED, "the refresh token is not one of the decoy's")
    }

    fn grant(&self) -> DecoyResponse {
        DecoyResponse::new(
            StatusCode::OK,
            &json!({
                "access_token": self.access_token.reveal(),
                "expires_in": LIFETIME_SECONDS,
                "refresh_token": self.refresh_token.reveal(),
                "refresh_expires_in": LIFETIME_SECONDS,
                "token_type": "bearer",
            }),
        )
    }
}

/// Returns true if the texts are equal. Compares digests, so that the duration reveals nothing about the secret.
fn equals_secret(text: &str, secret: &Secret) -> bool {
    Sha256::digest(text) == Sha256::digest(secret.reveal())
}

/// Returns `prefix` followed by 256 random bits in base64. The prefix marks a leaked value as a fake.
fn random_secret(prefix: &str) -> Result<Secret, NoRandomness> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

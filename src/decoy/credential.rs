//! The decoy's fake credential, and the fake tokens granted for it.

use super::answer::{DecoyAnswer, json_error};
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

/// Lifetime of the decoy's tokens, in seconds: a year, for programs that never refresh. The tokens end with the decoy.
const LIFETIME: i64 = 31_536_000;

/// Maximum clock difference of a request token, in seconds. Host and program share a clock, but a container may not.
const TOLERANCE: u64 = 300;

/// Credential for one local server, valid while that server runs.
pub struct Decoy {
    secret: NetoSecret,
    access_token: Secret,
    refresh: Secret,
    clock: Clock,
}

/// The operating system returned no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

impl Decoy {
    /// Creates a credential for the server on this port, with the tenant's own names. Returns `None` for a person's
    /// profile, because a NETOSECRET holds an API key.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(profile: &Profile, port: u16, clock: Clock) -> Result<Option<Self>, NoRandomness> {
        let (Some(shortname), Some(appname)) = (&profile.shortname, &profile.appname) else { return Ok(None) };
        let Ok(url) = format!("http://127.0.0.1:{port}").parse::<ApiUrl>() else { return Ok(None) };
        let secret = NetoSecret {
            url,
            shortname: shortname.clone(),
            appname: appname.clone(),
            appkey: random("neto-decoy-")?,
            sharedsecret: random("neto-decoy-")?,
            ignored: Vec::new(),
        };
        Ok(Some(Self { secret, access_token: random("neto-decoy.")?, refresh: random("neto-decoy.refresh.")?, clock }))
    }

    /// Returns the fake credential, with the decoy's address as URL.
    #[must_use]
    pub fn secret(&self) -> &NetoSecret {
        &self.secret
    }

    /// Returns the access token that the decoy accepts.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.access_token
    }

    /// Returns the validity period of the decoy's access token, starting now.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        let obtained_at = self.clock.now();
        let expires_at = obtained_at.checked_add(SignedDuration::from_secs(LIFETIME)).unwrap_or(Timestamp::MAX);
        Lifetime { obtained_at, expires_at, refresh_expires_at: None }
    }

    /// Returns whether a request has exactly one authorization header, with the decoy's access token.
    pub(super) fn accepts_token<'h>(&self, mut authorizations: impl Iterator<Item = &'h HeaderValue>) -> bool {
        let (Some(only), None) = (authorizations.next(), authorizations.next()) else { return false };
        let Some((scheme, token)) = only.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && equals_secret(token.trim(), &self.access_token)
    }

    /// Answers a login. The body is a request token signed with the decoy's secret.
    pub(super) fn login(&self, body: &[u8]) -> DecoyAnswer {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct LoginBody {
            jwt: String,
        }
        let Ok(LoginBody { jwt }) = serde_json::from_slice(body) else {
            return json_error(StatusCode::UNAUTHORIZED, "the body is no {\"jwt\": ...}");
        };
        let Some(claims) = Claims::verify(&jwt, &self.secret.sharedsecret) else {
            return json_error(StatusCode::UNAUTHORIZED, "the request token is not one of the decoy's credential");
        };
        let ours = claims.shortname == self.secret.shortname
            && claims.appname == self.secret.appname
            && equals_secret(&claims.appkey, &self.secret.appkey);
        if !ours {
            return json_error(StatusCode::UNAUTHORIZED, "the request token names another key");
        }
        if claims.iat.abs_diff(self.clock.now().as_second()) > TOLERANCE {
            return json_error(StatusCode::UNAUTHORIZED, "the request token is not from now");
        }
        self.grant()
    }

    /// Answers a refresh. The body is a form with the decoy's refresh token.
    pub(super) fn refresh(&self, body: &[u8]) -> DecoyAnswer {
        let mut fields = form_urlencoded::parse(body);
        let token = fields.find(|(name, _)| name == "refresh_token").map(|(_, token)| token);
        if token.is_some_and(|token| equals_secret(&token, &self.refresh)) {
            return self.grant();
        }
        json_error(StatusCode::UNAUTHORIZED, "the refresh token is not one of the decoy's")
    }

    fn grant(&self) -> DecoyAnswer {
        DecoyAnswer::new(
            StatusCode::OK,
            &json!({
                "access_token": self.access_token.reveal(),
                "expires_in": LIFETIME,
                "refresh_token": self.refresh.reveal(),
                "refresh_expires_in": LIFETIME,
                "token_type": "bearer",
            }),
        )
    }
}

/// Compares digests, so that the time taken reveals nothing about the secret.
fn equals_secret(given: &str, own: &Secret) -> bool {
    Sha256::digest(given) == Sha256::digest(own.reveal())
}

/// Returns 256 random bits behind a prefix that identifies a leaked value as a decoy's.
fn random(start: &str) -> Result<Secret, NoRandomness> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(Secret::new(format!("{start}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

//! The false credential, and what is granted to who holds it.

use super::answer::{Answer, json};
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

/// How long what the decoy grants is said to live, in seconds: a year, so that a program that never renews its token goes
/// on. It ends with the decoy.
const LIFE: i64 = 31_536_000;

/// How far the clock of a request token may be off, in seconds. It is this machine's own, but a container may have one of
/// its own.
const TOLERANCE: u64 = 300;

/// A credential that opens one server on this machine, for as long as that runs.
pub struct Decoy {
    secret: NetoSecret,
    bearer: Secret,
    refresh: Secret,
    clock: Clock,
}

/// The system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoChance;

impl Decoy {
    /// A new one for the server on this port, with the tenant's own names; nothing for the profile of a person, who has no
    /// NETOSECRET.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn new(profile: &Profile, port: u16, clock: Clock) -> Result<Option<Self>, NoChance> {
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
        Ok(Some(Self { secret, bearer: random("neto-decoy.")?, refresh: random("neto-decoy.refresh.")?, clock }))
    }

    /// The false credential, with the server's address.
    #[must_use]
    pub fn secret(&self) -> &NetoSecret {
        &self.secret
    }

    /// The bearer token that the server takes.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.bearer
    }

    /// From now to when that is said to live.
    #[must_use]
    pub fn lifetime(&self) -> Lifetime {
        let obtained_at = self.clock.now();
        let expires_at = obtained_at.checked_add(SignedDuration::from_secs(LIFE)).unwrap_or(Timestamp::MAX);
        Lifetime { obtained_at, expires_at, refresh_expires_at: None }
    }

    /// Whether a request carries the decoy's bearer, and no other beside it.
    pub(super) fn admits<'h>(&self, mut authorizations: impl Iterator<Item = &'h HeaderValue>) -> bool {
        let (Some(only), None) = (authorizations.next(), authorizations.next()) else { return false };
        let Some((scheme, token)) = only.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && is_same(token.trim(), &self.bearer)
    }

    /// Answers a login: the body is a request token that the decoy's secret signed.
    pub(super) fn login(&self, body: &[u8]) -> Answer {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Login {
            jwt: String,
        }
        let Ok(Login { jwt }) = serde_json::from_slice(body) else {
            return json(StatusCode::UNAUTHORIZED, "the body is no {\"jwt\": ...}");
        };
        let Some(claims) = Claims::read(&jwt, &self.secret.sharedsecret) else {
            return json(StatusCode::UNAUTHORIZED, "the request token is not one of the decoy's credential");
        };
        let ours = claims.shortname == self.secret.shortname
            && claims.appname == self.secret.appname
            && is_same(&claims.appkey, &self.secret.appkey);
        if !ours {
            return json(StatusCode::UNAUTHORIZED, "the request token names another key");
        }
        if claims.iat.abs_diff(self.clock.now().as_second()) > TOLERANCE {
            return json(StatusCode::UNAUTHORIZED, "the request token is not from now");
        }
        self.grant()
    }

    /// Answers a refresh: the body is a form with the decoy's own refresh token.
    pub(super) fn refresh(&self, body: &[u8]) -> Answer {
        let mut fields = form_urlencoded::parse(body);
        let token = fields.find(|(name, _)| name == "refresh_token").map(|(_, token)| token);
        if token.is_some_and(|token| is_same(&token, &self.refresh)) {
            return self.grant();
        }
        json(StatusCode::UNAUTHORIZED, "the refresh token is not one of the decoy's")
    }

    fn grant(&self) -> Answer {
        Answer::of(
            StatusCode::OK,
            &json!({
                "access_token": self.bearer.reveal(),
                "expires_in": LIFE,
                "refresh_token": self.refresh.reveal(),
                "refresh_expires_in": LIFE,
                "token_type": "bearer",
            }),
        )
    }
}

/// Compared by their digests, so that the time it takes tells nothing.
fn is_same(given: &str, own: &Secret) -> bool {
    Sha256::digest(given) == Sha256::digest(own.reveal())
}

/// 256 bits that nobody guesses, behind a beginning by which a leak is known for what it is.
fn random(start: &str) -> Result<Secret, NoChance> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| NoChance)?;
    Ok(Secret::new(format!("{start}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

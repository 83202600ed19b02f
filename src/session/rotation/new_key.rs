//! Makes the requests of a rotation: reads the key's definition, requests the new key and verifies it. During a
//! rotation, the caller holds the profile's lock. Does not write the store.

use super::record::{Rotation, RotationKind, RotationStatus, Stage, VERSION};
use crate::disk::{Durability, LockGuard};
use crate::fusion::{ApiKey, Call, FusionError, KeyDefinition};
use crate::profile::{Profile, Span, Store};
use crate::secret::{Binding, Credential, CredentialId, SealedSecret, Secret};
use crate::session::api_call::parse_response;
use crate::session::error::{RotationError, SessionError};
use crate::session::pipeline::Session;
use crate::session::reporter::Warning;
use crate::session::request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use crate::session::vault::VaultError;
use jiff::Timestamp;

/// Minimum remaining lifetime of the cached token for a rotation. If the remaining lifetime is shorter, a new token is
/// requested.
const MIN_TOKEN_LIFETIME: Span = Span::from_seconds(3_600);

/// Maximum number of attempts for a writing call that the server answers with 429, if several profiles are processed.
/// Equals the maximum of `fusion` for read-only calls.
const MAX_RATE_LIMITED_ATTEMPTS: u32 = 10;

/// Maximum number of second keys that one key can get in one day.
const MAX_SECOND_KEYS: u32 = 99;

/// Current store, and a profile in it.
#[derive(Clone, Copy)]
pub(super) struct StoredProfile<'a> {
    pub(super) store: &'a Store,
    pub(super) profile: &'a Profile,
}

impl Session<'_> {
    /// Begins a rotation and continues until the new key is sealed and saved in the journal.
    pub(super) async fn begin(
        &self,
        current: StoredProfile<'_>,
        kind: RotationKind,
        guard: &LockGuard,
    ) -> Result<Rotation, SessionError> {
        let StoredProfile { store, profile } = current;
        if profile.username.is_some() || profile.sealed.is_none() {
            return Err(RotationError::NotSealed(profile.secret.label()).into());
        }
        let credential = self.vault.login(profile, self.reporter, &())?.credential;
        // Seal the old credential as a test. If sealing fails, no new key may be requested, because the new key could
        // not be saved.
        self.seal_for(store, profile, &credential)?;
        let (access, key) = self.read_definition_and_token(profile, guard).await?;
        let key = match kind {
            RotationKind::InPlace => key,
            RotationKind::Beside => {
                KeyDefinition { appname: self.free_name(profile, &access, &key.appname).await?, ..key }
            }
        };
        let rotation = Rotation {
            v: VERSION,
            profile: profile.name.clone(),
            began_with: self.declared_fingerprint(profile).ok_or(RotationError::Gone)?,
            began_at: self.whole_second_now(),
            beside: profile.appname.clone().filter(|_| kind == RotationKind::Beside),
            key,
            stage: Stage::Asked,
        };
        self.rotations.save(&rotation).map_err(RotationError::Disk)?;
        self.reporter.trace(&|| format!("{}: wrote down that a new key is asked for", profile.name));
        self.request_key(rotation, current, &access, true).await
    }

    /// Continues an unfinished rotation until the new key is in the journal. Returns `None` if the rotation is
    /// overtaken.
    pub(super) async fn resume(
        &self,
        rotation: Rotation,
        current: StoredProfile<'_>,
        guard: &LockGuard,
    ) -> Result<Option<Rotation>, SessionError> {
        match (
            rotation.status_for(current.profile, self.declared_fingerprint(current.profile).as_ref()),
            &rotation.stage,
        ) {
            (RotationStatus::Overtaken, _) => {
                self.rotations.finish(&rotation).map_err(RotationError::Disk)?;
                if rotation.sealed().is_some() {
                    self.reporter.warn(Warning::RotationProblem {
                        profile: &rotation.profile,
                        error: &RotationError::Overtaken,
                    });
                }
                Ok(None)
            }
            (RotationStatus::Pending, Stage::Asked) => self.request_key_again(rotation, current, guard).await.map(Some),
            _ => Ok(Some(rotation)),
        }
    }

    /// Requests the key again, after a request with an unknown outcome. Uses the cached token, else a token from the
    /// refresh token, else a token for the old key.
    async fn request_key_again(
        &self,
        rotation: Rotation,
        current: StoredProfile<'_>,
        guard: &LockGuard,
    ) -> Result<Rotation, SessionError> {
        let profile = current.profile;
        if let Some(access) = self.usable_cached(profile) {
            match self.request_key(rotation.clone(), current, &access, false).await {
                Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) => {}
                result => return result.map_err(to_unknown),
            }
        }
        let loaded = LoadedProfile::new(profile, None);
        match self.grant(loaded, TokenRequest::default(), Some(guard)).await {
            Ok(access) => {
                // A successful login with the old key shows that the server has not replaced this key.
                let is_key_unchanged = access.origin == TokenOrigin::Login && rotation.beside.is_none();
                self.make_durable(profile, &access)?;
                self.request_key(rotation, current, &access, is_key_unchanged).await.map_err(to_unknown)
            }
            Err(SessionError::Fusion(error)) if error.is_rejection() => Err(RotationError::Lost.into()),
            Err(error) => Err(error),
        }
    }

    /// Requests the new key, then seals and saves it. `is_key_unchanged` is true if no earlier request can have changed
    /// a key. A refusal by the server then ends the rotation.
    async fn request_key(
        &self,
        mut rotation: Rotation,
        current: StoredProfile<'_>,
        access: &AccessToken,
        is_key_unchanged: bool,
    ) -> Result<Rotation, SessionError> {
        let appkey = match self.request_appkey(&rotation, current.profile, access, is_key_unchanged).await {
            Err(SessionError::Fusion(error)) if error.is_refusal() => {
                if is_key_unchanged {
                    self.rotations.remove(&rotation.profile).map_err(RotationError::Disk)?;
                }
                return Err(if is_key_unchanged { RotationError::Unchanged(error).into() } else { error.into() });
            }
            Err(SessionError::Fusion(error)) => {
                self.reporter.trace(&|| format!("{}: {error}; asking once more", rotation.profile));
                self.request_appkey(&rotation, current.profile, access, false).await.map_err(to_unknown)?
            }
            result => result?,
        };
        rotation.stage = Stage::Answered(self.seal_new_key(current, &rotation, appkey)?);
        if let Err(error) = self.rotations.save(&rotation) {
            // The new key now exists only in this process, but is not lost: the next step writes the key to the store.
            self.reporter
                .warn(Warning::RotationProblem { profile: &rotation.profile, error: &RotationError::Disk(error) });
        } else {
            self.reporter.trace(&|| format!("{}: wrote down the new key, sealed", rotation.profile));
        }
        Ok(rotation)
    }

    /// Requests the new key once. A second key is created, or regenerated if an earlier request created it.
    async fn request_appkey(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        access: &AccessToken,
        is_key_unchanged: bool,
    ) -> Result<Secret, SessionError> {
        let key = &rotation.key;
        let must_create =
            rotation.beside.is_some() && (is_key_unchanged || !self.key_exists(profile, access, &key.appname).await?);
        let call = if must_create { key.create_call() } else { key.regenerate_call() };
        let parse = |body: &[u8]| key.parse_appkey(body);
        self.call_and_parse(profile, access, &call.map_err(RotationError::Name)?, parse).await
    }

    async fn key_exists(&self, profile: &Profile, access: &AccessToken, appname: &str) -> Result<bool, SessionError> {
        match self.read_key_definition(profile, access, appname).await {
            Ok(_) => Ok(true),
            Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the key's definition. Also returns the token of this request, which is saved durably. The token is valid
    /// for at least an hour if the server grants a lifetime that long.
    async fn read_definition_and_token(
        &self,
        profile: &Profile,
        guard: &LockGuard,
    ) -> Result<(AccessToken, KeyDefinition), SessionError> {
        let loaded = LoadedProfile::new(profile, None);
        let appname = profile.appname.as_deref().unwrap_or_default();
        let long_lived = TokenRequest { min_ttl: Some(MIN_TOKEN_LIFETIME), ..TokenRequest::default() };
        let cached = self.cached(profile).filter(|token| self.satisfies(token, profile, long_lived));
        let mut access = match &cached {
            Some(token) => AccessToken::from_cache(token),
            None => self.grant(loaded, TokenRequest::default(), Some(guard)).await?,
        };
        let key = match self.read_key_definition(profile, &access, appname).await {
            Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) if cached.is_some() => {
                access =
                    self.grant(loaded, TokenRequest { force: true, ..TokenRequest::default() }, Some(guard)).await?;
                self.read_key_definition(profile, &access, appname).await
            }
            result => result,
        };
        let key = key.map_err(to_unchanged)?;
        self.make_durable(profile, &access)?;
        Ok((access, key))
    }

    /// Writes the token again durably, so that it survives a power failure. After the key is changed, this token may be
    /// the only way to get the new key.
    fn make_durable(&self, profile: &Profile, access: &AccessToken) -> Result<(), SessionError> {
        let token = self.cached(profile).filter(|token| token.access == access.token);
        let (Some(token), Some(device)) = (token, self.device_key()) else { return Err(RotationError::NoToken.into()) };
        let saved = self.save(&token, device, Durability::Durable);
        Ok(saved.map_err(RotationError::Disk)?)
    }

    /// Reads the name, the roles and the description of a key.
    pub(super) async fn read_key_definition(
        &self,
        profile: &Profile,
        access: &AccessToken,
        appname: &str,
    ) -> Result<KeyDefinition, SessionError> {
        let call = Call::get(ApiKey::path_of(appname).map_err(RotationError::Name)?);
        self.call_and_parse(profile, access, &call, |body| KeyDefinition::parse(appname, body)).await
    }

    /// Makes a call and returns the parsed body of a 2xx response. Any other response, or no response, is a `Fusion`
    /// error, which the caller interprets.
    pub(super) async fn call_and_parse<T>(
        &self,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        // The requests of several profiles can cause 429s, so a later attempt can succeed.
        let max_attempts = if call.is_read_only() || !self.is_concurrent.get() { 1 } else { MAX_RATE_LIMITED_ATTEMPTS };
        let mut attempt = 1;
        let response = loop {
            match self.call_with_token(profile, access, call).await {
                Ok(response) if response.status() == 429 && attempt < max_attempts => attempt += 1,
                Ok(response) => break response,
                Err(SessionError::OutcomeUnknown(error)) => return Err(error.into()),
                Err(error) => return Err(error),
            }
        };
        Ok(parse_response(response, parse).await?)
    }

    /// Returns an unused name for a second key, made of the first key's name and today's date: `soc-20261126`.
    async fn free_name(
        &self,
        profile: &Profile,
        access: &AccessToken,
        first_appname: &str,
    ) -> Result<String, SessionError> {
        let call = Call::get(ApiKey::list_path());
        let keys = self.call_and_parse(profile, access, &call, ApiKey::parse_list).await.map_err(to_unchanged)?.rows;
        let base = format!("{}-{}", without_date(first_appname), self.clock.today().strftime("%Y%m%d"));
        let numbered = (2..=MAX_SECOND_KEYS).map(|number| format!("{base}-{number}"));
        let name =
            std::iter::once(base.clone()).chain(numbered).find(|name| keys.iter().all(|key| key.appname != *name));
        Ok(name.ok_or(RotationError::NoName)?)
    }

    /// Seals the new credential for the store.
    fn seal_new_key(
        &self,
        current: StoredProfile<'_>,
        rotation: &Rotation,
        appkey: Secret,
    ) -> Result<SealedSecret, SessionError> {
        let credential = match self.vault.login(current.profile, self.reporter, &())?.credential {
            Credential::ApiKey { sharedsecret, .. } => Credential::ApiKey { appkey, sharedsecret },
            Credential::Person { .. } => return Err(VaultError::OtherKind.into()),
        };
        self.seal_for(current.store, &rotation.profile_with_new_key(current.profile), &credential)
    }

    /// Seals a credential to the recipients that the store has now.
    fn seal_for(
        &self,
        store: &Store,
        profile: &Profile,
        credential: &Credential,
    ) -> Result<SealedSecret, SessionError> {
        let keys = self.vault.trusted_keys(store, profile, &[])?;
        let binding = Binding::from_profile(profile).map_err(VaultError::Binding)?;
        let now = self.clock.now();
        let sealed = self.vault.seal(&binding, credential, &CredentialId::random(), self.clock.today(), &keys, now);
        Ok(sealed.map_err(RotationError::Seal)?)
    }

    /// Gets a token for the new key, and compares the key's roles and description with those of the old key. Then
    /// finishes the rotation.
    ///
    /// # Errors
    /// Returns `Rotation(OtherRoles)` if the roles or the description differ; even then, the rotation is finished.
    /// After any other error, the rotation stays unfinished.
    pub(super) async fn verify_new_key(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        guard: &LockGuard,
    ) -> Result<AccessToken, SessionError> {
        let access = if let Some(access) = self.usable_cached(profile) {
            access
        } else {
            let force = TokenRequest { force: true, ..TokenRequest::default() };
            self.grant(LoadedProfile::new(profile, None), force, Some(guard)).await?
        };
        let key = self.read_key_definition(profile, &access, &rotation.key.appname).await?;
        self.rotations.finish(rotation).map_err(RotationError::Disk)?;
        self.reporter.trace(&|| format!("{}: set the new key aside, sealed", profile.name));
        if roles_and_description(&key) == roles_and_description(&rotation.key) {
            return Ok(access);
        }
        Err(RotationError::OtherRoles {
            before: roles_and_description(&rotation.key),
            now: roles_and_description(&key),
        }
        .into())
    }

    /// Returns the cached token if it is usable.
    pub(super) fn usable_cached(&self, profile: &Profile) -> Option<AccessToken> {
        let token = self.cached(profile)?;
        token.lifetime.is_usable(self.clock.now(), profile.leeway).then(|| AccessToken::from_cache(&token))
    }

    fn whole_second_now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// Formats the sorted roles and the description.
fn roles_and_description(key: &KeyDefinition) -> String {
    let mut roles = key.roles.clone();
    roles.sort_unstable();
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("the roles {}", roles.join(", ")) };
    format!("{roles} and the description '{}'", key.description)
}

/// Converts the error of a request to `Unchanged`, for requests before the change of the key.
fn to_unchanged(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unchanged(error).into(),
        other => other,
    }
}

/// Converts the error of a repeated request to `Unknown`: a refusal does not show what the first request did.
fn to_unknown(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unknown(error).into(),
        other => other,
    }
}

/// Returns `appname` without the date and number that an earlier rotation appended, so that names do not grow.
fn without_date(appname: &str) -> &str {
    let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let split_suffix = |name: &'_ str| name.rsplit_once('-').map(|(base, end)| (base.to_owned(), end.to_owned()));
    let Some((base, end)) = split_suffix(appname) else { return appname };
    if is_number(&end, 8..=8) && !base.is_empty() {
        return &appname[..base.len()];
    }
    match split_suffix(&base) {
        Some((first, day)) if is_number(&end, 1..=2) && is_number(&day, 8..=8) && !first.is_empty() => {
            &appname[..first.len()]
        }
        _ => appname,
    }
}

#[cfg(test)]
mod tests {
    use super::without_date;

    #[test]
    fn the_date_and_number_of_a_second_key_are_removed() {
        for (name, base) in [
            ("soc", "soc"),
            ("soc-automation", "soc-automation"),
            ("soc-20261126", "soc"),
            ("soc-20261126-2", "soc"),
            ("soc-2", "soc-2"),
            ("soc-2026-2", "soc-2026-2"),
            ("-20261126", "-20261126"),
            ("20261126", "20261126"),
        ] {
            assert_eq!(without_date(name), base);
        }
    }
}

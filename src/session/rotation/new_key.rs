//! Requests of a rotation: reads the key's terms, requests the new key and verifies it. All run under the profile's
//! lock.

use super::record::{Rotation, RotationKind, RotationStatus, Stage, VERSION};
use crate::disk::{Durability, LockGuard};
use crate::fusion::{ApiKey, Call, FusionError, KeyTerms};
use crate::profile::{Profile, Span, Store};
use crate::secret::{Binding, Credential, CredentialId, SealedSecret, Secret};
use crate::session::api_call::parse_reply;
use crate::session::error::{RotationError, SessionError};
use crate::session::pipeline::Session;
use crate::session::reporter::Warning;
use crate::session::request::{AccessToken, LoadedProfile, TokenOrigin, TokenRequest};
use crate::session::vault::VaultError;
use jiff::Timestamp;

/// Minimum lifetime of a token while its key is changed, in seconds.
const HOUR: Span = Span::from_seconds(3_600);

/// Maximum number of attempts for one of many profiles after a 429, as many as for reading calls.
const MAX_ATTEMPTS: u32 = 10;

/// Maximum number of second keys per day.
const MAX_SECOND_KEYS: u32 = 99;

/// Current store, and a profile in it.
#[derive(Clone, Copy)]
pub(super) struct StoredProfile<'a> {
    pub(super) store: &'a Store,
    pub(super) profile: &'a Profile,
}

impl Session<'_> {
    /// Begins a rotation and continues until the new key is sealed on disk.
    pub(super) async fn begin(
        &self,
        current: StoredProfile<'_>,
        kind: RotationKind,
        held: &LockGuard,
    ) -> Result<Rotation, SessionError> {
        let StoredProfile { store, profile } = current;
        if profile.username.is_some() || profile.sealed.is_none() {
            return Err(RotationError::NotSealed(profile.secret.label()).into());
        }
        let credential = self.vault.login(profile, self.reporter, &())?.credential;
        // A key that cannot be sealed now cannot be sealed after the old key stopped working.
        self.seal_for(store, profile, &credential)?;
        let (access, key) = self.read_key_and_token(profile, held).await?;
        let key = match kind {
            RotationKind::InPlace => key,
            RotationKind::Beside => KeyTerms { appname: self.free_name(profile, &access, &key.appname).await?, ..key },
        };
        let rotation = Rotation {
            v: VERSION,
            profile: profile.name.clone(),
            began_with: self.issued_for(profile).ok_or(RotationError::Gone)?,
            began_at: self.whole_second_now(),
            beside: profile.appname.clone().filter(|_| kind == RotationKind::Beside),
            key,
            stage: Stage::Asked,
        };
        self.rotations.save(&rotation).map_err(RotationError::Disk)?;
        self.reporter.trace(&|| format!("{}: wrote down that a new key is asked for", profile.name));
        self.request_key(rotation, current, &access, true).await
    }

    /// Resumes an unfinished rotation until the new key is on disk; `None` if the rotation is overtaken.
    pub(super) async fn resume(
        &self,
        rotation: Rotation,
        current: StoredProfile<'_>,
        held: &LockGuard,
    ) -> Result<Option<Rotation>, SessionError> {
        match (rotation.status_for(current.profile, self.issued_for(current.profile).as_ref()), &rotation.stage) {
            (RotationStatus::Overtaken, _) => {
                self.rotations.finish(&rotation).map_err(RotationError::Disk)?;
                if rotation.sealed().is_some() {
                    self.reporter
                        .warn(Warning::Unfinished { profile: &rotation.profile, error: &RotationError::Overtaken });
                }
                Ok(None)
            }
            (RotationStatus::Pending, Stage::Asked) => self.request_key_again(rotation, current, held).await.map(Some),
            _ => Ok(Some(rotation)),
        }
    }

    /// Requests the key again, after a request with unknown outcome: with the cached token, else the refresh token,
    /// else the old key.
    async fn request_key_again(
        &self,
        rotation: Rotation,
        current: StoredProfile<'_>,
        held: &LockGuard,
    ) -> Result<Rotation, SessionError> {
        let profile = current.profile;
        if let Some(access) = self.usable_cached(profile) {
            match self.request_key(rotation.clone(), current, &access, false).await {
                Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) => {}
                outcome => return outcome.map_err(to_unknown),
            }
        }
        let loaded = LoadedProfile::new(profile, None);
        match self.grant(loaded, TokenRequest::default(), Some(held)).await {
            Ok(access) => {
                // If a key to be replaced still logs in, the first request never arrived.
                let untouched = access.origin == TokenOrigin::Login && rotation.beside.is_none();
                self.make_durable(profile, &access)?;
                self.request_key(rotation, current, &access, untouched).await.map_err(to_unknown)
            }
            Err(SessionError::Fusion(error)) if error.is_rejection() => Err(RotationError::Lost.into()),
            Err(error) => Err(error),
        }
    }

    /// Requests the new key, then seals and saves the key. `untouched` means that earlier requests changed nothing, so
    /// a refusal ends the rotation.
    async fn request_key(
        &self,
        mut rotation: Rotation,
        current: StoredProfile<'_>,
        access: &AccessToken,
        untouched: bool,
    ) -> Result<Rotation, SessionError> {
        let appkey = match self.request_appkey(&rotation, current.profile, access, untouched).await {
            Err(SessionError::Fusion(error)) if error.is_refusal() => {
                if untouched {
                    self.rotations.remove(&rotation.profile).map_err(RotationError::Disk)?;
                }
                return Err(if untouched { RotationError::Unchanged(error).into() } else { error.into() });
            }
            Err(SessionError::Fusion(error)) => {
                self.reporter.trace(&|| format!("{}: {error}; asking once more", rotation.profile));
                self.request_appkey(&rotation, current.profile, access, false).await.map_err(to_unknown)?
            }
            outcome => outcome?,
        };
        rotation.stage = Stage::Answered(self.seal_new_key(current, &rotation, appkey)?);
        if let Err(error) = self.rotations.save(&rotation) {
            // The key now exists only in this process; writing it to the store still saves the key.
            self.reporter.warn(Warning::Unfinished { profile: &rotation.profile, error: &RotationError::Disk(error) });
        } else {
            self.reporter.trace(&|| format!("{}: wrote down the new key, sealed", rotation.profile));
        }
        Ok(rotation)
    }

    async fn request_appkey(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        access: &AccessToken,
        first: bool,
    ) -> Result<Secret, SessionError> {
        let key = &rotation.key;
        let make = rotation.beside.is_some() && (first || !self.key_exists(profile, access, &key.appname).await?);
        let call = if make { key.create() } else { key.regenerate() };
        let parse = |body: &[u8]| key.parse_appkey(body);
        self.call_and_parse(profile, access, &call.map_err(RotationError::Name)?, parse).await
    }

    async fn key_exists(&self, profile: &Profile, access: &AccessToken, appname: &str) -> Result<bool, SessionError> {
        match self.read_key(profile, access, appname).await {
            Ok(_) => Ok(true),
            Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads the key's terms, and returns them with the token of that request. The token is durable, and valid for an
    /// hour if the server grants that long.
    async fn read_key_and_token(
        &self,
        profile: &Profile,
        held: &LockGuard,
    ) -> Result<(AccessToken, KeyTerms), SessionError> {
        let loaded = LoadedProfile::new(profile, None);
        let appname = profile.appname.as_deref().unwrap_or_default();
        let long = TokenRequest { min_ttl: Some(HOUR), ..TokenRequest::default() };
        let cached = self.cached(profile).filter(|token| self.satisfies(token, profile, long));
        let mut access = match &cached {
            Some(token) => AccessToken::from_cache(token),
            None => self.grant(loaded, TokenRequest::default(), Some(held)).await?,
        };
        let key = match self.read_key(profile, &access, appname).await {
            Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) if cached.is_some() => {
                access =
                    self.grant(loaded, TokenRequest { force: true, ..TokenRequest::default() }, Some(held)).await?;
                self.read_key(profile, &access, appname).await
            }
            outcome => outcome,
        };
        let key = key.map_err(to_unchanged)?;
        self.make_durable(profile, &access)?;
        Ok((access, key))
    }

    /// Writes the token again durably, so that it survives a power failure. Only this token may give access to the key.
    fn make_durable(&self, profile: &Profile, access: &AccessToken) -> Result<(), SessionError> {
        let token = self.cached(profile).filter(|token| token.access == access.token);
        let (Some(token), Some(device)) = (token, self.device_key()) else { return Err(RotationError::NoToken.into()) };
        let saved = self.save(&token, device, Durability::Durable);
        Ok(saved.map_err(RotationError::Disk)?)
    }

    pub(super) async fn read_key(
        &self,
        profile: &Profile,
        access: &AccessToken,
        appname: &str,
    ) -> Result<KeyTerms, SessionError> {
        let call = Call::get(ApiKey::path_of(appname).map_err(RotationError::Name)?);
        self.call_and_parse(profile, access, &call, |body| KeyTerms::parse(appname, body)).await
    }

    /// Makes a call and parses the body of a success. Any other answer, or no answer, is a `Fusion` error, which the
    /// caller interprets.
    pub(super) async fn call_and_parse<T>(
        &self,
        profile: &Profile,
        access: &AccessToken,
        call: &Call,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        // In a batch, a later attempt may succeed after a 429.
        let turns = if call.is_read_only() || !self.is_concurrent.get() { 1 } else { MAX_ATTEMPTS };
        let mut turn = 1;
        let reply = loop {
            match self.call_with_token(profile, access, call).await {
                Ok(reply) if reply.status() == 429 && turn < turns => turn += 1,
                Ok(reply) => break reply,
                Err(SessionError::OutcomeUnknown(error)) => return Err(error.into()),
                Err(error) => return Err(error),
            }
        };
        Ok(parse_reply(reply, parse).await?)
    }

    /// Returns a free name for a second key, from the first name and the date: `soc-20261126`.
    async fn free_name(&self, profile: &Profile, access: &AccessToken, first: &str) -> Result<String, SessionError> {
        let list = Call::get(ApiKey::list_path());
        let taken = self.call_and_parse(profile, access, &list, ApiKey::parse_list).await.map_err(to_unchanged)?.rows;
        let base = format!("{}-{}", without_date(first), self.clock.today().strftime("%Y%m%d"));
        let numbered = (2..=MAX_SECOND_KEYS).map(|number| format!("{base}-{number}"));
        let free =
            std::iter::once(base.clone()).chain(numbered).find(|name| taken.iter().all(|key| key.appname != *name));
        Ok(free.ok_or(RotationError::NoName)?)
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

    /// Seals a credential to the store's current recipients.
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

    /// Logs in with the new key, compares roles and description, and finishes the rotation.
    ///
    /// # Errors
    /// `Rotation(OtherRoles)` if the server changed the roles or the description; the rotation is finished all the
    /// same.
    pub(super) async fn verify_new_key(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        held: &LockGuard,
    ) -> Result<AccessToken, SessionError> {
        let access = if let Some(access) = self.usable_cached(profile) {
            access
        } else {
            let force = TokenRequest { force: true, ..TokenRequest::default() };
            self.grant(LoadedProfile::new(profile, None), force, Some(held)).await?
        };
        let key = self.read_key(profile, &access, &rotation.key.appname).await?;
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
fn roles_and_description(key: &KeyTerms) -> String {
    let mut roles = key.roles.clone();
    roles.sort_unstable();
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("the roles {}", roles.join(", ")) };
    format!("{roles} and the description '{}'", key.description)
}

/// Maps a failed request to `Unchanged`: no request that changes the key was sent.
fn to_unchanged(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unchanged(error).into(),
        other => other,
    }
}

/// Maps a failed repeated request to `Unknown`: its refusal does not show what the first request did.
fn to_unknown(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unknown(error).into(),
        other => other,
    }
}

/// Returns the name without the date of an earlier second key, so that names do not grow.
fn without_date(appname: &str) -> &str {
    let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let without = |name: &'_ str| name.rsplit_once('-').map(|(base, end)| (base.to_owned(), end.to_owned()));
    let Some((base, end)) = without(appname) else { return appname };
    if is_number(&end, 8..=8) && !base.is_empty() {
        return &appname[..base.len()];
    }
    match without(&base) {
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
    fn a_second_key_of_a_second_key_is_named_after_the_first() {
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

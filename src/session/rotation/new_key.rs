//! The steps against the server: what the key is, a new one, and the proof that it works. All of them under the profile's
//! lock.

use super::record::{Rotation, Stage, Standing, VERSION};
use super::{Kind, RotationError};
use crate::disk::{Durability, Locked};
use crate::fusion::{ApiKey, Call, FusionError, KeyTerms};
use crate::profile::{Profile, Span, Store};
use crate::secret::{Binding, Credential, CredentialId, Sealed, Secret};
use crate::session::api_call::understood;
use crate::session::{Access, Declared, Granted, Session, SessionError, VaultError, Want, Warning};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// How long a token has to live while its key is changed, in seconds.
const HOUR: Span = Span::from_seconds(3_600);

/// How often one of many is asked for where the server says that this is too much: as often as for what only reads.
const TURNS: u32 = 10;

/// The most second keys of one day.
const MOST_BESIDE: u32 = 99;

/// A profile as the store has it at this moment, and the store.
#[derive(Clone, Copy)]
pub(super) struct Now<'a> {
    pub(super) store: &'a Store,
    pub(super) profile: &'a Profile,
}

impl Session<'_> {
    /// Begins a rotation and brings it as far as a new key that lies sealed on disk.
    pub(super) async fn begin(&self, now: Now<'_>, kind: Kind, held: &Locked) -> Result<Rotation, SessionError> {
        let Now { store, profile } = now;
        if profile.username.is_some() || profile.sealed.is_none() {
            return Err(RotationError::NotSealed(profile.secret.word()).into());
        }
        let credential = self.vault.credential(profile, self.watcher, &())?.credential;
        // What cannot be sealed now cannot be sealed when the old key is dead.
        self.seal_for(store, profile, &credential)?;
        let (access, key) = self.key_as_it_is(profile, held).await?;
        let key = match kind {
            Kind::InPlace => key,
            Kind::Beside => KeyTerms { appname: self.free_name(profile, &access, &key.appname).await?, ..key },
        };
        let rotation = Rotation {
            v: VERSION,
            profile: profile.name.clone(),
            began_with: self.issued_for(profile).ok_or(RotationError::Gone)?,
            began_at: self.now(),
            beside: profile.appname.clone().filter(|_| kind == Kind::Beside),
            key,
            stage: Stage::Asked,
        };
        self.rotations.save(&rotation).map_err(RotationError::Disk)?;
        self.watcher.trace(&|| format!("{}: wrote down that a new key is asked for", profile.name));
        self.ask_for_key(rotation, now, &access, true).await
    }

    /// A rotation that was begun earlier, brought as far as a new key; nothing where it is overtaken.
    pub(super) async fn resume(
        &self,
        rotation: Rotation,
        now: Now<'_>,
        held: &Locked,
    ) -> Result<Option<Rotation>, SessionError> {
        match (rotation.standing(now.profile, self.issued_for(now.profile).as_ref()), &rotation.stage) {
            (Standing::Overtaken, _) => {
                self.rotations.set_aside(&rotation).map_err(RotationError::Disk)?;
                if rotation.sealed().is_some() {
                    self.watcher
                        .warn(Warning::Unfinished { profile: &rotation.profile, error: &RotationError::Overtaken });
                }
                Ok(None)
            }
            (Standing::Pending, Stage::Asked) => self.ask_again(rotation, now, held).await.map(Some),
            _ => Ok(Some(rotation)),
        }
    }

    /// Asks once more, of a server that may have changed the key or not: with the cached token, else with the refresh
    /// token, else with the old key.
    async fn ask_again(&self, rotation: Rotation, now: Now<'_>, held: &Locked) -> Result<Rotation, SessionError> {
        let profile = now.profile;
        if let Some(access) = self.usable(profile) {
            match self.ask_for_key(rotation.clone(), now, &access, false).await {
                Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) => {}
                outcome => return outcome.map_err(unknown),
            }
        }
        let declared = Declared { profile, reading: None };
        match self.grant(declared, Want::default(), Some(held)).await {
            Ok(access) => {
                // Where a key that was to be replaced signs in, the first question never arrived.
                let untouched = access.origin == Granted::Login && rotation.beside.is_none();
                self.make_durable(profile, &access)?;
                self.ask_for_key(rotation, now, &access, untouched).await.map_err(unknown)
            }
            Err(SessionError::Fusion(error)) if error.is_rejection() => Err(RotationError::Lost.into()),
            Err(error) => Err(error),
        }
    }

    /// The server's new key, sealed and on disk. `untouched`: an earlier question certainly changed nothing, so that a
    /// refusal ends the rotation.
    async fn ask_for_key(
        &self,
        mut rotation: Rotation,
        now: Now<'_>,
        access: &Access,
        untouched: bool,
    ) -> Result<Rotation, SessionError> {
        let appkey = match self.new_appkey(&rotation, now.profile, access, untouched).await {
            Err(SessionError::Fusion(error)) if error.is_refusal() => {
                if untouched {
                    self.rotations.forget(&rotation.profile).map_err(RotationError::Disk)?;
                }
                return Err(if untouched { RotationError::Unchanged(error).into() } else { error.into() });
            }
            Err(SessionError::Fusion(error)) => {
                self.watcher.trace(&|| format!("{}: {error}; asking once more", rotation.profile));
                self.new_appkey(&rotation, now.profile, access, false).await.map_err(unknown)?
            }
            outcome => outcome?,
        };
        rotation.stage = Stage::Answered(self.sealed(now, &rotation, appkey)?);
        if let Err(error) = self.rotations.save(&rotation) {
            // It is in this process alone; the store is the other place that it can be saved to.
            self.watcher.warn(Warning::Unfinished { profile: &rotation.profile, error: &RotationError::Disk(error) });
        } else {
            self.watcher.trace(&|| format!("{}: wrote down the new key, sealed", rotation.profile));
        }
        Ok(rotation)
    }

    async fn new_appkey(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        access: &Access,
        first: bool,
    ) -> Result<Secret, SessionError> {
        let key = &rotation.key;
        let make = rotation.beside.is_some() && (first || !self.is_there(profile, access, &key.appname).await?);
        let call = if make { key.create() } else { key.regenerate() };
        let parse = |body: &[u8]| key.parse_appkey(body);
        self.told(profile, access, &call.map_err(RotationError::Name)?, parse).await
    }

    async fn is_there(&self, profile: &Profile, access: &Access, appname: &str) -> Result<bool, SessionError> {
        match self.read_key(profile, access, appname).await {
            Ok(_) => Ok(true),
            Err(SessionError::Fusion(FusionError::Status { status: 404, .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the key is, and the token that it was read with: one that lives for an hour, where the server gives such, and
    /// lies on disk for good.
    async fn key_as_it_is(&self, profile: &Profile, held: &Locked) -> Result<(Access, KeyTerms), SessionError> {
        let declared = Declared { profile, reading: None };
        let appname = profile.appname.as_deref().unwrap_or_default();
        let long = Want { min_ttl: Some(HOUR), ..Want::default() };
        let cached = self.cached(profile).filter(|token| self.fulfils(token, profile, long));
        let mut access = match &cached {
            Some(token) => Access::cached(token),
            None => self.grant(declared, Want::default(), Some(held)).await?,
        };
        let key = match self.read_key(profile, &access, appname).await {
            Err(SessionError::Fusion(FusionError::Rejected { status: 401, .. })) if cached.is_some() => {
                access = self.grant(declared, Want { force: true, ..Want::default() }, Some(held)).await?;
                self.read_key(profile, &access, appname).await
            }
            outcome => outcome,
        };
        let key = key.map_err(unchanged)?;
        self.make_durable(profile, &access)?;
        Ok((access, key))
    }

    /// Writes the token again so that no power cut takes it: it may be all that opens the way to the key.
    fn make_durable(&self, profile: &Profile, access: &Access) -> Result<(), SessionError> {
        let token = self.cached(profile).filter(|token| token.access == access.token);
        let (Some(token), Some(device)) = (token, self.device()) else { return Err(RotationError::NoToken.into()) };
        let saved = self.save(&token, device, Durability::Durable);
        Ok(saved.map_err(RotationError::Disk)?)
    }

    pub(super) async fn read_key(
        &self,
        profile: &Profile,
        access: &Access,
        appname: &str,
    ) -> Result<KeyTerms, SessionError> {
        let call = Call::get(ApiKey::place(appname).map_err(RotationError::Name)?);
        self.told(profile, access, &call, |body| KeyTerms::parse(appname, body)).await
    }

    /// Makes a call and reads the answer of a success. Any other answer, and none, is `Fusion`: what that says of the key is
    /// for the caller.
    pub(super) async fn told<T>(
        &self,
        profile: &Profile,
        access: &Access,
        call: &Call,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SessionError> {
        // Of many, each waits for its turn, and then it may be done.
        let turns = if call.reads() || !self.is_fleet.get() { 1 } else { TURNS };
        let mut turn = 1;
        let reply = loop {
            match self.ask_with(profile, access, call).await {
                Ok(reply) if reply.status() == 429 && turn < turns => turn += 1,
                Ok(reply) => break reply,
                Err(SessionError::Unsure(error)) => return Err(error.into()),
                Err(error) => return Err(error),
            }
        };
        Ok(understood(reply, parse).await?)
    }

    /// A name for a second key, after the first one and the day: `soc-20261126`.
    async fn free_name(&self, profile: &Profile, access: &Access, first: &str) -> Result<String, SessionError> {
        let list = Call::get(ApiKey::list());
        let taken = self.told(profile, access, &list, ApiKey::parse_list).await.map_err(unchanged)?.rows;
        let base = format!("{}-{}", undated(first), today(self.clock.now()).strftime("%Y%m%d"));
        let numbered = (2..=MOST_BESIDE).map(|number| format!("{base}-{number}"));
        let free =
            std::iter::once(base.clone()).chain(numbered).find(|name| taken.iter().all(|key| key.appname != *name));
        Ok(free.ok_or(RotationError::NoName)?)
    }

    /// The new credential as the store is to have it.
    fn sealed(&self, now: Now<'_>, rotation: &Rotation, appkey: Secret) -> Result<Sealed, SessionError> {
        let credential = match self.vault.credential(now.profile, self.watcher, &())?.credential {
            Credential::ApiKey { sharedsecret, .. } => Credential::ApiKey { appkey, sharedsecret },
            Credential::Person { .. } => return Err(VaultError::OtherKind.into()),
        };
        self.seal_for(now.store, &rotation.declared(now.profile), &credential)
    }

    /// A new credential, sealed to whom the store names today.
    fn seal_for(&self, store: &Store, profile: &Profile, credential: &Credential) -> Result<Sealed, SessionError> {
        let keys = self.vault.trusted_keys(store, profile, &[])?;
        let binding = Binding::of(profile).map_err(VaultError::Binding)?;
        let now = self.clock.now();
        let sealed = self.vault.seal(&binding, credential, &CredentialId::random(), today(now), &keys, now);
        Ok(sealed.map_err(RotationError::Seal)?)
    }

    /// Signs in with the new key, compares what it may do, and sets the rotation aside.
    ///
    /// # Errors
    /// `Rotation(OtherRoles)` where the server did not keep the roles or the description; it is set aside all the same.
    pub(super) async fn prove(
        &self,
        rotation: &Rotation,
        profile: &Profile,
        held: &Locked,
    ) -> Result<Access, SessionError> {
        let access = if let Some(access) = self.usable(profile) {
            access
        } else {
            let force = Want { force: true, ..Want::default() };
            self.grant(Declared { profile, reading: None }, force, Some(held)).await?
        };
        let key = self.read_key(profile, &access, &rotation.key.appname).await?;
        self.rotations.set_aside(rotation).map_err(RotationError::Disk)?;
        self.watcher.trace(&|| format!("{}: set the new key aside, sealed", profile.name));
        if told_of(&key) == told_of(&rotation.key) {
            return Ok(access);
        }
        Err(RotationError::OtherRoles { before: told_of(&rotation.key), now: told_of(&key) }.into())
    }

    /// The cached token, as long as it may be used.
    pub(super) fn usable(&self, profile: &Profile) -> Option<Access> {
        let token = self.cached(profile)?;
        token.lifetime.is_usable(self.clock.now(), profile.leeway).then(|| Access::cached(&token))
    }

    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }
}

/// Roles, in any order, and description in words.
fn told_of(key: &KeyTerms) -> String {
    let mut roles = key.roles.clone();
    roles.sort_unstable();
    let roles = if roles.is_empty() { "no role".to_owned() } else { format!("the roles {}", roles.join(", ")) };
    format!("{roles} and the description '{}'", key.description)
}

/// Nothing was asked for yet that changes anything.
fn unchanged(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unchanged(error).into(),
        other => other,
    }
}

/// A second question that is refused says nothing of the first.
fn unknown(error: SessionError) -> SessionError {
    match error {
        SessionError::Fusion(error) => RotationError::Unknown(error).into(),
        other => other,
    }
}

fn today(now: Timestamp) -> Date {
    Offset::UTC.to_datetime(now).date()
}

/// The name without the day that an earlier second key added, so that names do not grow.
fn undated(appname: &str) -> &str {
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
    use super::undated;

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
            assert_eq!(undated(name), base);
        }
    }
}

//! From a declared profile to its credential: what this machine trusts, which identity opens it, what
//! a source yields, and whether it is bound to this very profile.
//!
//! Nothing is asked of the user while a lock is held: who holds one passes `&()` as the [`Asker`], and lets go of it
//! to [`Vault::unlock`] where [`VaultError::wants_a_person`].

use super::Watcher;
use crate::disk::{self, DiskError, Lock, Locked, Privacy, Rules};
use crate::fusion::Login;
use crate::profile::{Profile, ProfileName, RecipientName, SecretPlace, Store};
use crate::secret::{
    Account, Asker, Binding, BindingError, Credential, CredentialId, DeviceKey, Found, Identities, IdentityPlace,
    KeyError, KeyText, Memory, MemoryError, Mismatch, NetoSecret, OpenError, Opened, PassphraseError, PluginError,
    Protected, SealError, Sealed, Secret, SourceEnvironment, SourceError, Unanswered, Verdict, fetch, open, plugin_of,
    seal,
};
use jiff::Timestamp;
use jiff::civil::Date;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How often a passphrase is asked for.
const TRIES: usize = 3;

/// The most that a file with a passphrase holds.
const PASSPHRASE_RULES: Rules = Rules { cap: 64 * 1024, privacy: Privacy::Mounted };

/// What opens the secrets of one run.
pub struct Vault {
    place: IdentityPlace,
    /// The file that `NETO_PASSPHRASE_FILE` names.
    passphrase_file: Option<PathBuf>,
    memory_path: PathBuf,
    environment: SourceEnvironment,
    /// What `NETOSECRET` holds, where it is set.
    env_secret: Option<NetoSecret>,
    identities: OnceCell<Identities>,
    /// Whether the passphrase was asked for in vain: it is one for all profiles, and nobody is asked twice.
    gave_up: Cell<bool>,
    /// What plugins opened in this run, by the sealed text: each time costs the user a touch.
    opened: RefCell<HashMap<String, Opened>>,
    memory: OnceCell<RefCell<Memory>>,
    /// Sealed profiles seen for the first time, to be remembered when the run ends.
    first_seen: RefCell<Vec<Profile>>,
    /// Profiles that this run gave a new key, by the name and the credential that they had: who read the store before
    /// goes on with what stands there now.
    renewed: RefCell<HashMap<(ProfileName, String), Rc<Profile>>>,
}

/// Why a credential is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No identity, or none that can be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The sealed text does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The profile lacks what its secret is bound to.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The secret is bound to something else than the profile declares.
    #[error("the secret is bound to another {0}")]
    Mismatch(Mismatch),
    /// What a source yields is for something else than the profile declares.
    #[error("its source yields a credential of another {0}")]
    Disagrees(Mismatch),
    /// A password for an API key's profile, or the other way round.
    #[error("the credential is of another kind than the profile")]
    OtherKind,
    /// This machine trusted the profile with other fields.
    #[error("{} changed since this machine trusted the profile", .0.join(", "))]
    Changed(Vec<String>),
    /// The profile takes its secret from a source that this machine never trusted.
    #[error("its secret comes from {0}, which this machine has not been told to trust")]
    UntrustedSource(String),
    /// The source yields none.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A key that came into the store from elsewhere, and that this machine has not been told to trust.
    #[error("the recipient '{0}' came into the store from elsewhere")]
    StrangeRecipient(RecipientName),
    /// Nobody to seal to.
    #[error("the store has no recipient to seal the secret to")]
    NoRecipient,
    /// The memory of what was trusted cannot be used.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The file of root certificates cannot be read.
    #[error(transparent)]
    CaFile(DiskError),
}

/// A credential with the names it signs in under.
#[derive(Debug)]
pub struct SignIn {
    /// Who.
    pub account: Account,
    /// With what.
    pub credential: Credential,
}

impl SignIn {
    /// As the server is asked. A credential of the other kind than its account comes from a damaged seal.
    pub(super) fn login(&self) -> Result<Login<'_>, VaultError> {
        match (&self.account, &self.credential) {
            (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
                Ok(Login::ApiKey { shortname, appname, appkey, sharedsecret })
            }
            (Account::Person { username }, Credential::Person { password }) => Ok(Login::Person { username, password }),
            _ => Err(VaultError::OtherKind),
        }
    }
}

impl Vault {
    /// A vault that has opened nothing yet.
    #[must_use]
    pub fn new(
        place: IdentityPlace,
        passphrase_file: Option<PathBuf>,
        memory_path: PathBuf,
        environment: SourceEnvironment,
        env_secret: Option<NetoSecret>,
    ) -> Self {
        Self {
            place,
            passphrase_file,
            memory_path,
            environment,
            env_secret,
            identities: OnceCell::new(),
            gave_up: Cell::new(false),
            opened: RefCell::default(),
            memory: OnceCell::new(),
            first_seen: RefCell::default(),
            renewed: RefCell::default(),
        }
    }

    /// The identities, read once a run. A protected one is opened with the passphrase from the file that was
    /// named for it, else with the one that `asker` gives.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn identities(&self, asker: &dyn Asker) -> Result<&Identities, KeyError> {
        if let Some(identities) = self.identities.get() {
            return Ok(identities);
        }
        let (found, _) = self.read_identity(&self.place, asker)?;
        Ok(self.identities.get_or_init(|| found.identities))
    }

    /// The identity with its text, and the passphrase that protects it, for who writes it elsewhere.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read_identity(
        &self,
        place: &IdentityPlace,
        asker: &dyn Asker,
    ) -> Result<(KeyText, Option<Secret>), KeyError> {
        match place.load()? {
            Found::Open(found) => Ok((found, None)),
            Found::Protected(protected) => {
                self.unlocked(&protected, asker).map(|(found, passphrase)| (found, Some(passphrase)))
            }
        }
    }

    /// Where the identity of this run comes from.
    #[must_use]
    pub fn place(&self) -> &IdentityPlace {
        &self.place
    }

    /// The own public keys, as far as they are known without asking anybody.
    #[must_use]
    pub fn own_keys(&self) -> Vec<String> {
        match self.identities.get() {
            Some(identities) => identities.public_keys(),
            None => self.place.public_keys(),
        }
    }

    /// Makes ready what opens the secret of `profile`, asking the user now rather than under a lock.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn unlock(&self, profile: &Profile, asker: &dyn Asker) -> Result<(), VaultError> {
        let SecretPlace::Sealed(text) = &profile.secret else { return Ok(()) };
        if self.identities(asker)?.need_plugins() {
            self.open(text, asker)?;
        }
        Ok(())
    }

    fn unlocked(&self, protected: &Protected, asker: &dyn Asker) -> Result<(KeyText, Secret), KeyError> {
        if let Some(path) = &self.passphrase_file {
            let passphrase = read_passphrase(path)?;
            return Ok((protected.open(&passphrase)?, passphrase));
        }
        let mut wrong = false;
        for _ in 0..if self.gave_up.get() { 0 } else { TRIES } {
            let locked = |why| KeyError::Locked { place: protected.place.clone(), why };
            let passphrase = asker.passphrase(&protected.place, wrong).map_err(locked)?;
            match protected.open(&passphrase) {
                Err(KeyError::Passphrase { error: PassphraseError::Wrong, .. }) => wrong = true,
                outcome => return Ok((outcome?, passphrase)),
            }
        }
        self.gave_up.set(true);
        Err(KeyError::Passphrase { place: protected.place.clone(), error: PassphraseError::Wrong })
    }

    /// The credential of `profile`, checked against what it is bound to and what this machine trusts.
    ///
    /// # Errors
    /// [`VaultError`]; nothing has been sent anywhere.
    pub fn credential(
        &self,
        profile: &Profile,
        watcher: &dyn Watcher,
        asker: &dyn Asker,
    ) -> Result<SignIn, VaultError> {
        if profile.name.is_env() {
            return self.environment_credential(profile);
        }
        if let Some(renewed) = self.renewed(profile) {
            return self.credential(&renewed, watcher, asker);
        }
        match &profile.secret {
            SecretPlace::Sealed(text) => {
                let today = Binding::of(profile)?;
                let opened = self.open(text, asker)?;
                watcher.trace(&|| format!("{}: opened its secret", profile.name));
                // Before the memory: a profile that its seal contradicts is not one to remember, nor to trust.
                check_bound(&opened, &today, profile)?;
                self.check_trust(profile)?;
                Ok(SignIn { account: today.account, credential: opened.credential })
            }
            place => {
                self.check_trust(profile)?;
                sourced(profile, fetch(place, &self.environment)?, watcher)
            }
        }
    }

    /// The same for who has an event loop, which goes on while a command that is the source of the secret runs. Nobody is
    /// asked for anything.
    ///
    /// # Errors
    /// As [`Vault::credential`].
    pub async fn credential_beside(&self, profile: &Profile, watcher: &dyn Watcher) -> Result<SignIn, VaultError> {
        let SecretPlace::Command(_) = &profile.secret else { return self.credential(profile, watcher, &()) };
        self.check_trust(profile)?;
        let (place, environment) = (profile.secret.clone(), self.environment.clone());
        let fetched = tokio::task::spawn_blocking(move || fetch(&place, &environment)).await;
        sourced(profile, fetched.unwrap_or(Err(SourceError::NoSource))?, watcher)
    }

    /// Opens a sealed text with this run's identity, without judging what it is bound to.
    ///
    /// # Errors
    /// [`VaultError::Key`] or [`VaultError::Open`].
    pub fn open(&self, text: &str, asker: &dyn Asker) -> Result<Opened, VaultError> {
        if let Some(opened) = self.opened.borrow().get(text) {
            return Ok(opened.clone());
        }
        let identities = self.identities(asker)?;
        let opened = open(text, identities, asker, &self.environment)?;
        if identities.need_plugins() {
            self.opened.borrow_mut().insert(text.to_owned(), opened.clone());
        }
        Ok(opened)
    }

    /// Seals a credential as [`seal`] does, with this run's surroundings for plugins.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(
        &self,
        binding: &Binding,
        credential: &Credential,
        id: &CredentialId,
        since: Date,
        keys: &[String],
        now: Timestamp,
    ) -> Result<Sealed, SealError> {
        seal(binding, credential, id, since, keys, now, &self.environment)
    }

    /// Whether this machine's identity opens what is sealed to `key`, as far as that is known without asking anybody.
    #[must_use]
    pub fn is_own(&self, key: &str) -> bool {
        self.own_keys().iter().any(|mine| mine == key)
    }

    /// The keys that a profile is to be sealed to. A key that came into the store from elsewhere is refused
    /// until this machine has been told to trust it: whoever can edit the file could add their own. What the secret is
    /// sealed to already (`inside` the seal, where nobody who only edits the file reaches) has had it; but a key that
    /// would start a program here is trusted in so many words.
    ///
    /// # Errors
    /// [`VaultError::StrangeRecipient`] and [`VaultError::NoRecipient`].
    pub fn trusted_keys(&self, store: &Store, profile: &Profile, inside: &[String]) -> Result<Vec<String>, VaultError> {
        let keys = store.recipient_keys(profile);
        let memory = self.memory()?.borrow();
        for (name, key) in &store.recipients {
            let had_it = inside.contains(key) && plugin_of(key).is_none();
            if keys.contains(key) && !had_it && !memory.knows_recipient(key) && !self.is_own(key) {
                return Err(VaultError::StrangeRecipient(name.clone()));
            }
        }
        if keys.is_empty() { Err(VaultError::NoRecipient) } else { Ok(keys) }
    }

    /// What this machine trusts.
    ///
    /// # Errors
    /// [`MemoryError`] when it cannot be read.
    pub fn memory(&self) -> Result<&RefCell<Memory>, MemoryError> {
        if let Some(memory) = self.memory.get() {
            return Ok(memory);
        }
        let loaded = Memory::load(&self.memory_path)?;
        Ok(self.memory.get_or_init(|| RefCell::new(loaded)))
    }

    /// Changes what this machine trusts: reads it again under its lock, so that nobody's change is lost.
    ///
    /// # Errors
    /// [`MemoryError`] when it cannot be read or written.
    pub fn change_memory(&self, _held: &Locked, change: impl FnOnce(&mut Memory)) -> Result<(), MemoryError> {
        let mut memory = Memory::load(&self.memory_path)?;
        change(&mut memory);
        memory.save(&self.memory_path)?;
        if let Some(cached) = self.memory.get() {
            cached.replace(memory);
        }
        Ok(())
    }

    /// The lock of the memory.
    #[must_use]
    pub fn memory_lock(&self) -> Lock {
        Lock::new(self.memory_path.with_extension("lock"))
    }

    /// The sealed profiles that this run saw for the first time, which its end remembers.
    pub fn take_first_seen(&self) -> Vec<Profile> {
        self.first_seen.take()
    }

    /// From now on `old` means `new`.
    pub(super) fn note_renewed(&self, old: &Profile, new: &Profile) {
        if let Some(note) = old.sealed.as_ref().filter(|note| Some(*note) != new.sealed.as_ref()) {
            self.renewed.borrow_mut().insert((old.name.clone(), note.id.clone()), Rc::new(new.clone()));
        }
    }

    /// What `profile` is now, where this run gave it a new key since it was read.
    pub(super) fn renewed(&self, profile: &Profile) -> Option<Rc<Profile>> {
        let renewed = self.renewed.borrow();
        if renewed.is_empty() {
            return None;
        }
        renewed.get(&(profile.name.clone(), profile.sealed.as_ref()?.id.clone())).cloned()
    }

    /// A tag of what `NETOSECRET` holds, keyed so that it tells nothing of it.
    pub(super) fn env_tag(&self, device: &DeviceKey) -> Option<String> {
        let secret = self.env_secret.as_ref()?;
        let parts = format!("{}\0{}", secret.appkey.reveal(), secret.sharedsecret.reveal());
        Some(device.tag(zeroize::Zeroizing::new(parts).as_bytes()))
    }

    fn environment_credential(&self, profile: &Profile) -> Result<SignIn, VaultError> {
        match &self.env_secret {
            Some(secret) => Ok(sign_in(secret.clone())),
            None => Ok(sign_in(fetch(&profile.secret, &self.environment)?)),
        }
    }

    /// The first sight of a sealed profile is trusted in silence: its seal protects it.
    ///
    /// # Errors
    /// As [`Vault::see_trust`].
    pub(super) fn check_trust(&self, profile: &Profile) -> Result<(), VaultError> {
        if self.see_trust(profile)? == Verdict::FirstSight {
            self.first_seen.borrow_mut().push(profile.clone());
        }
        Ok(())
    }

    /// What this machine says of a profile that it does not distrust; nothing is noted of the first sight.
    ///
    /// # Errors
    /// [`VaultError::Changed`] or [`VaultError::UntrustedSource`].
    pub fn see_trust(&self, profile: &Profile) -> Result<Verdict, VaultError> {
        match self.memory()?.borrow().verdict(profile) {
            Verdict::Changed(changes) => {
                Err(VaultError::Changed(changes.into_iter().map(|change| change.field).collect()))
            }
            Verdict::UntrustedSource(source) => Err(VaultError::UntrustedSource(source)),
            good => Ok(good),
        }
    }
}

impl VaultError {
    /// Whether nothing is wrong but that this run's keys are not the ones, or that there are none.
    #[must_use]
    pub fn is_for_others(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Open(OpenError::WrongIdentity))
    }

    /// Whether all that was missing is somebody to ask.
    #[must_use]
    pub fn wants_a_person(&self) -> bool {
        matches!(
            self,
            Self::Key(KeyError::Locked { why: Unanswered::Nobody, .. })
                | Self::Open(OpenError::Plugin(PluginError::Unanswered { why: Unanswered::Nobody, .. }))
        )
    }
}

/// A passphrase from a file: its text without the line end.
///
/// # Errors
/// [`KeyError::Disk`] when it cannot be read, or others can.
pub fn read_passphrase(path: &Path) -> Result<Secret, KeyError> {
    let bytes = zeroize::Zeroizing::new(disk::read(path, PASSPHRASE_RULES)?);
    // Replaced by another character, what is no UTF-8 would be another passphrase elsewhere.
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::PassphraseText(path.to_path_buf()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Fails unless the opened secret belongs to the profile as it is declared today.
///
/// # Errors
/// [`VaultError::Mismatch`], naming the field.
pub fn check_bound(opened: &Opened, today: &Binding, profile: &Profile) -> Result<(), VaultError> {
    opened.check(today, profile.sealed.as_ref()).map_err(VaultError::Mismatch)
}

fn sourced(profile: &Profile, secret: NetoSecret, watcher: &dyn Watcher) -> Result<SignIn, VaultError> {
    watcher.trace(&|| format!("{}: its source gave a NETOSECRET", profile.name));
    secret.agrees(profile).map_err(VaultError::Disagrees)?;
    Ok(sign_in(secret))
}

fn sign_in(secret: NetoSecret) -> SignIn {
    SignIn {
        account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
        credential: Credential::ApiKey { appkey: secret.appkey, sharedsecret: secret.sharedsecret },
    }
}

//! Gets a profile's credential: checks trust, reads identities, decrypts or fetches the secret, and checks its binding.
//!
//! The user is never prompted while a lock is held. A caller that holds a lock passes `&()` as the [`Prompter`]. If
//! [`VaultError::needs_interaction`] is true for an error, the caller releases the lock and calls [`Vault::unlock`].

use super::reporter::Reporter;
use crate::disk::{self, DiskError, Lock, LockGuard, Privacy, ReadRules};
use crate::environment::Environment;
use crate::fusion::LoginCredential;
use crate::profile::{Profile, ProfileName, RecipientName, SecretLocation, Store};
use crate::secret::{
    Account, Binding, BindingError, Credential, CredentialId, DeviceKey, Identities, IdentityFile, IdentityLocation,
    KeyError, LoadedIdentity, Mismatch, NetoSecret, OpenError, OpenedSecret, PassphraseError, PluginError, Prompter,
    PrompterError, ProtectedIdentity, SealError, SealedSecret, Secret, SourceError, TrustError, TrustStatus,
    TrustStore, fetch_netosecret, open, plugin_program, seal,
};
use jiff::Timestamp;
use jiff::civil::Date;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Maximum number of times that the user can enter the passphrase of an identity.
const MAX_PASSPHRASE_ATTEMPTS: usize = 3;

/// Limits for reading a passphrase file: at most 64 KiB, private.
const PASSPHRASE_RULES: ReadRules = ReadRules { cap: 64 * 1024, privacy: Privacy::Mounted };

/// Identities, secrets and trust store of one run.
pub struct Vault {
    identity_location: IdentityLocation,
    /// File named by `NETO_PASSPHRASE_FILE`.
    passphrase_file: Option<PathBuf>,
    trust_path: PathBuf,
    environment: Environment,
    /// Value of `NETOSECRET`, if set.
    env_secret: Option<NetoSecret>,
    identities: OnceCell<Identities>,
    /// Whether all passphrase attempts failed. One passphrase serves all profiles, so the user is not asked again.
    has_given_up: Cell<bool>,
    /// Secrets decrypted in this run, by sealed text. Used only if the identities include plugin keys, because each
    /// decryption by a plugin may require a touch.
    opened: RefCell<HashMap<String, OpenedSecret>>,
    trust_store: OnceCell<RefCell<TrustStore>>,
    /// Profiles seen for the first time by this run; see [`Vault::take_first_seen`].
    first_seen: RefCell<Vec<Profile>>,
    /// Current version of each profile whose key this run rotated, by name and old credential id. A caller that read
    /// the store earlier continues with this version.
    rotated: RefCell<HashMap<(ProfileName, String), Rc<Profile>>>,
}

/// Reason why a credential is not available.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The identity, the device key or a passphrase cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The sealed text cannot be decrypted.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The profile lacks a field that its secret is bound to.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The sealed secret is bound to other values of these fields.
    #[error("the secret is bound to another {0}")]
    Mismatch(Mismatch),
    /// The source returned a credential for other values of these fields.
    #[error("its source yields a credential of another {0}")]
    SourceMismatch(Mismatch),
    /// The credential is a password but the profile needs an API key, or the reverse.
    #[error("the credential is of another kind than the profile")]
    OtherKind,
    /// Fields of the profile changed since this machine trusted the profile; holds the names of the fields.
    #[error("{} changed since this machine trusted the profile", .0.join(", "))]
    Changed(Vec<String>),
    /// The profile takes its secret from a source that this machine does not trust; holds a description of the source.
    #[error("its secret comes from {0}, which this machine has not been told to trust")]
    UntrustedSource(String),
    /// The source returned no valid secret.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// This machine does not trust the recipient, which was added to the store elsewhere.
    #[error("the recipient '{0}' came into the store from elsewhere")]
    UntrustedRecipient(RecipientName),
    /// The store has no recipient for the profile.
    #[error("the store has no recipient to seal the secret to")]
    NoRecipient,
    /// The trust store cannot be read or written.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The file of root certificates cannot be read.
    #[error(transparent)]
    CaFile(DiskError),
}

/// Account and credential for a login.
#[derive(Debug)]
pub struct Login {
    /// Names with which the account logs in.
    pub account: Account,
    /// Secrets of the account.
    pub credential: Credential,
}

impl Login {
    /// Returns the credential in the form that the server expects. Returns an error if the account and the credential
    /// are of different kinds, which a damaged seal can cause.
    pub(super) fn login_credential(&self) -> Result<LoginCredential<'_>, VaultError> {
        match (&self.account, &self.credential) {
            (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
                Ok(LoginCredential::ApiKey { shortname, appname, appkey, sharedsecret })
            }
            (Account::Person { username }, Credential::Person { password }) => {
                Ok(LoginCredential::Person { username, password })
            }
            _ => Err(VaultError::OtherKind),
        }
    }
}

impl Vault {
    /// Creates a vault without reading any file.
    #[must_use]
    pub fn new(
        identity_location: IdentityLocation,
        passphrase_file: Option<PathBuf>,
        trust_path: PathBuf,
        environment: Environment,
        env_secret: Option<NetoSecret>,
    ) -> Self {
        Self {
            identity_location,
            passphrase_file,
            trust_path,
            environment,
            env_secret,
            identities: OnceCell::new(),
            has_given_up: Cell::new(false),
            opened: RefCell::default(),
            trust_store: OnceCell::new(),
            first_seen: RefCell::default(),
            rotated: RefCell::default(),
        }
    }

    /// Returns this run's identities, which are read at the first call. A passphrase for the identity comes from the
    /// passphrase file if set, else from `prompter`.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the identity cannot be read or decrypted.
    pub fn identities(&self, prompter: &dyn Prompter) -> Result<&Identities, KeyError> {
        if let Some(identities) = self.identities.get() {
            return Ok(identities);
        }
        let (found, _) = self.read_identity(&self.identity_location, prompter)?;
        Ok(self.identities.get_or_init(|| found.identities))
    }

    /// Reads the identity at `location`. Also returns the passphrase that protects the identity, if any.
    ///
    /// # Errors
    /// Returns [`KeyError`] if the identity cannot be read or decrypted.
    pub fn read_identity(
        &self,
        location: &IdentityLocation,
        prompter: &dyn Prompter,
    ) -> Result<(IdentityFile, Option<Secret>), KeyError> {
        match location.load()? {
            LoadedIdentity::Plaintext(found) => Ok((found, None)),
            LoadedIdentity::Protected(protected) => {
                self.unlock_identity(&protected, prompter).map(|(found, passphrase)| (found, Some(passphrase)))
            }
        }
    }

    /// Returns the location of this run's identity.
    #[must_use]
    pub fn identity_location(&self) -> &IdentityLocation {
        &self.identity_location
    }

    /// Returns this machine's public keys, as far as they are known without prompting.
    #[must_use]
    pub fn own_keys(&self) -> Vec<String> {
        match self.identities.get() {
            Some(identities) => identities.public_keys(),
            None => self.identity_location.public_keys(),
        }
    }

    /// Prompts now for everything that is needed to decrypt the secret of `profile`. A later step under a lock then
    /// needs no prompt. Does nothing if the secret is not sealed.
    ///
    /// # Errors
    /// Returns [`VaultError`] if the identities cannot be read, or a plugin cannot decrypt the secret.
    pub fn unlock(&self, profile: &Profile, prompter: &dyn Prompter) -> Result<(), VaultError> {
        let SecretLocation::Sealed(text) = &profile.secret else { return Ok(()) };
        if self.identities(prompter)?.has_plugin_keys() {
            self.open(text, prompter)?;
        }
        Ok(())
    }

    fn unlock_identity(
        &self,
        protected: &ProtectedIdentity,
        prompter: &dyn Prompter,
    ) -> Result<(IdentityFile, Secret), KeyError> {
        if let Some(path) = &self.passphrase_file {
            let passphrase = read_passphrase(path)?;
            return Ok((protected.open(&passphrase)?, passphrase));
        }
        let mut is_retry = false;
        for _ in 0..if self.has_given_up.get() { 0 } else { MAX_PASSPHRASE_ATTEMPTS } {
            let locked = |why| KeyError::Locked { location: protected.location.clone(), why };
            let passphrase = prompter.passphrase(&protected.location, is_retry).map_err(locked)?;
            match protected.open(&passphrase) {
                Err(KeyError::Passphrase { error: PassphraseError::Wrong, .. }) => is_retry = true,
                result => return Ok((result?, passphrase)),
            }
        }
        self.has_given_up.set(true);
        Err(KeyError::Passphrase { location: protected.location.clone(), error: PassphraseError::Wrong })
    }

    /// Returns the login of `profile`, after checking the seal's binding and this machine's trust.
    ///
    /// # Errors
    /// Returns [`VaultError`] if the credential is not available, not bound to the profile, or not trusted.
    pub fn login(
        &self,
        profile: &Profile,
        reporter: &dyn Reporter,
        prompter: &dyn Prompter,
    ) -> Result<Login, VaultError> {
        if profile.name.is_env() {
            return self.environment_login(profile);
        }
        if let Some(renewed) = self.rotated_profile(profile) {
            return self.login(&renewed, reporter, prompter);
        }
        match &profile.secret {
            SecretLocation::Sealed(text) => {
                let binding = Binding::from_profile(profile)?;
                let opened = self.open(text, prompter)?;
                reporter.trace(&|| format!("{}: opened its secret", profile.name));
                // Check this before trust: a profile that contradicts its seal must not be added to the trust store.
                check_binding(&opened, &binding, profile)?;
                self.check_trust(profile)?;
                Ok(Login { account: binding.account, credential: opened.credential })
            }
            location => {
                self.check_trust(profile)?;
                login_from_source(profile, fetch_netosecret(location, &self.environment)?, reporter)
            }
        }
    }

    /// Returns the login like [`Vault::login`], without blocking the event loop while a secret command runs. Never
    /// prompts.
    ///
    /// # Errors
    /// Fails with the same errors as [`Vault::login`].
    pub async fn login_async(&self, profile: &Profile, reporter: &dyn Reporter) -> Result<Login, VaultError> {
        let SecretLocation::Command(_) = &profile.secret else { return self.login(profile, reporter, &()) };
        self.check_trust(profile)?;
        let (location, environment) = (profile.secret.clone(), self.environment.clone());
        let fetched = tokio::task::spawn_blocking(move || fetch_netosecret(&location, &environment)).await;
        login_from_source(profile, fetched.unwrap_or(Err(SourceError::NotExternal))?, reporter)
    }

    /// Decrypts a sealed text with this run's identities, without checking its binding.
    ///
    /// # Errors
    /// Returns [`VaultError::Key`] if the identities cannot be read, and [`VaultError::Open`] if decryption fails.
    pub fn open(&self, text: &str, prompter: &dyn Prompter) -> Result<OpenedSecret, VaultError> {
        if let Some(opened) = self.opened.borrow().get(text) {
            return Ok(opened.clone());
        }
        let identities = self.identities(prompter)?;
        let opened = open(text, identities, prompter, &self.environment)?;
        if identities.has_plugin_keys() {
            self.opened.borrow_mut().insert(text.to_owned(), opened.clone());
        }
        Ok(opened)
    }

    /// Seals a credential with [`seal`]. Plugins run with this run's environment.
    ///
    /// # Errors
    /// Returns [`SealError`] if the credential cannot be encrypted.
    pub fn seal(
        &self,
        binding: &Binding,
        credential: &Credential,
        id: &CredentialId,
        since: Date,
        keys: &[String],
        now: Timestamp,
    ) -> Result<SealedSecret, SealError> {
        seal(binding, credential, id, since, keys, now, &self.environment)
    }

    /// Returns whether this machine's identity can decrypt secrets sealed to `key`, as far as this is known without
    /// prompting.
    #[must_use]
    pub fn is_own_key(&self, key: &str) -> bool {
        self.own_keys().iter().any(|own_key| own_key == key)
    }

    /// Returns the keys to seal the profile's secret to. Each key must be trusted, because anybody who can edit the
    /// store could add a key.
    ///
    /// This machine's own keys are trusted. Keys in `sealed_to`, to which the secret is already sealed, are trusted
    /// too, except plugin keys. Sealing to a plugin key runs a program on this machine.
    ///
    /// # Errors
    /// Returns [`VaultError::UntrustedRecipient`] if a recipient is not trusted, and [`VaultError::NoRecipient`] if
    /// there is no key. Returns [`VaultError::Trust`] if the trust store cannot be read.
    pub fn trusted_keys(
        &self,
        store: &Store,
        profile: &Profile,
        sealed_to: &[String],
    ) -> Result<Vec<String>, VaultError> {
        let keys = store.recipient_keys(profile);
        let trusted = self.trust_store()?.borrow();
        for (name, key) in &store.recipients {
            let is_already_recipient = sealed_to.contains(key) && plugin_program(key).is_none();
            if keys.contains(key)
                && !is_already_recipient
                && !trusted.is_trusted_recipient(key)
                && !self.is_own_key(key)
            {
                return Err(VaultError::UntrustedRecipient(name.clone()));
            }
        }
        if keys.is_empty() { Err(VaultError::NoRecipient) } else { Ok(keys) }
    }

    /// Returns this machine's trust store, which is read at the first call.
    ///
    /// # Errors
    /// Returns [`TrustError`] if the trust store cannot be read.
    pub fn trust_store(&self) -> Result<&RefCell<TrustStore>, TrustError> {
        if let Some(trusted) = self.trust_store.get() {
            return Ok(trusted);
        }
        let loaded = TrustStore::load(&self.trust_path)?;
        Ok(self.trust_store.get_or_init(|| RefCell::new(loaded)))
    }

    /// Edits the trust store; the caller holds [`Vault::trust_lock`]. Reads the file again first, so that no change of
    /// another process is lost.
    ///
    /// # Errors
    /// Returns [`TrustError`] if the trust store cannot be read or written.
    pub fn edit_trust_store(&self, _guard: &LockGuard, change: impl FnOnce(&mut TrustStore)) -> Result<(), TrustError> {
        let mut trusted = TrustStore::load(&self.trust_path)?;
        change(&mut trusted);
        trusted.save(&self.trust_path)?;
        if let Some(cached) = self.trust_store.get() {
            cached.replace(trusted);
        }
        Ok(())
    }

    /// Returns the lock of the trust store.
    #[must_use]
    pub fn trust_lock(&self) -> Lock {
        Lock::new(self.trust_path.with_extension("lock"))
    }

    /// Returns the profiles that this run saw for the first time, and empties the list. The caller adds them to the
    /// trust store.
    pub fn take_first_seen(&self) -> Vec<Profile> {
        self.first_seen.take()
    }

    /// Records that this run rotated the key of `old`, so that `new` replaces `old` for the rest of the run.
    pub(super) fn record_rotated(&self, old: &Profile, new: &Profile) {
        if let Some(seal_note) = old.sealed.as_ref().filter(|seal_note| Some(*seal_note) != new.sealed.as_ref()) {
            self.rotated.borrow_mut().insert((old.name.clone(), seal_note.id.clone()), Rc::new(new.clone()));
        }
    }

    /// Returns the current version of `profile` if this run rotated its key.
    pub(super) fn rotated_profile(&self, profile: &Profile) -> Option<Rc<Profile>> {
        let rotated = self.rotated.borrow();
        if rotated.is_empty() {
            return None;
        }
        rotated.get(&(profile.name.clone(), profile.sealed.as_ref()?.id.clone())).cloned()
    }

    /// Returns a keyed tag of `NETOSECRET` that does not reveal the secret; `None` if `NETOSECRET` is not set.
    pub(super) fn env_tag(&self, device: &DeviceKey) -> Option<String> {
        let secret = self.env_secret.as_ref()?;
        let parts = format!("{}\0{}", secret.appkey.reveal(), secret.sharedsecret.reveal());
        Some(device.tag(zeroize::Zeroizing::new(parts).as_bytes()))
    }

    fn environment_login(&self, profile: &Profile) -> Result<Login, VaultError> {
        match &self.env_secret {
            Some(secret) => Ok(login_from_secret(secret.clone())),
            None => Ok(login_from_secret(fetch_netosecret(&profile.secret, &self.environment)?)),
        }
    }

    /// Checks that this machine trusts the profile. A profile seen for the first time is trusted and recorded if its
    /// secret comes from no external source.
    ///
    /// # Errors
    /// Fails with the same errors as [`Vault::trust_status`].
    pub(super) fn check_trust(&self, profile: &Profile) -> Result<(), VaultError> {
        if self.trust_status(profile)? == TrustStatus::FirstUse {
            self.first_seen.borrow_mut().push(profile.clone());
        }
        Ok(())
    }

    /// Returns [`TrustStatus::Trusted`] or [`TrustStatus::FirstUse`]. Does not record a profile seen for the first
    /// time.
    ///
    /// # Errors
    /// Returns [`VaultError::Changed`] or [`VaultError::UntrustedSource`] if the profile is not trusted. Returns
    /// [`VaultError::Trust`] if the trust store cannot be read.
    pub fn trust_status(&self, profile: &Profile) -> Result<TrustStatus, VaultError> {
        match self.trust_store()?.borrow().status(profile) {
            TrustStatus::Changed(changes) => {
                Err(VaultError::Changed(changes.into_iter().map(|change| change.field).collect()))
            }
            TrustStatus::UntrustedSource(source) => Err(VaultError::UntrustedSource(source)),
            accepted => Ok(accepted),
        }
    }
}

impl VaultError {
    /// Returns whether the identity cannot be used, or none of the identities can decrypt the secret.
    #[must_use]
    pub fn is_wrong_identity(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Open(OpenError::WrongIdentity))
    }

    /// Returns whether decryption failed only because prompting was not possible.
    #[must_use]
    pub fn needs_interaction(&self) -> bool {
        matches!(
            self,
            Self::Key(KeyError::Locked { why: PrompterError::Unavailable, .. })
                | Self::Open(OpenError::Plugin(PluginError::Unanswered { why: PrompterError::Unavailable, .. }))
        )
    }
}

/// Reads a passphrase from a file, without trailing line endings.
///
/// # Errors
/// Returns [`KeyError`] if the file cannot be read, is not private, or is not UTF-8.
pub fn read_passphrase(path: &Path) -> Result<Secret, KeyError> {
    let bytes = zeroize::Zeroizing::new(disk::read(path, PASSPHRASE_RULES)?);
    // Lossy decoding would silently change a passphrase that is not UTF-8.
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::PassphraseNotUtf8(path.to_path_buf()))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Checks that the decrypted secret is bound to the profile as declared now.
///
/// # Errors
/// Returns [`VaultError::Mismatch`] with all fields that differ.
pub fn check_binding(opened: &OpenedSecret, binding: &Binding, profile: &Profile) -> Result<(), VaultError> {
    opened.check_binding(binding, profile.sealed.as_ref()).map_err(VaultError::Mismatch)
}

fn login_from_source(profile: &Profile, secret: NetoSecret, reporter: &dyn Reporter) -> Result<Login, VaultError> {
    reporter.trace(&|| format!("{}: its source gave a NETOSECRET", profile.name));
    secret.check_profile(profile).map_err(VaultError::SourceMismatch)?;
    Ok(login_from_secret(secret))
}

fn login_from_secret(secret: NetoSecret) -> Login {
    Login {
        account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
        credential: Credential::ApiKey { appkey: secret.appkey, sharedsecret: secret.sharedsecret },
    }
}

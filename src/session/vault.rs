//! From a declared profile to its credential: what this machine trusts, which identity opens it, what
//! a source yields, and whether it is bound to this very profile.

use super::Watcher;
use crate::disk::{DiskError, Lock, Locked};
use crate::fusion::Login;
use crate::profile::{Profile, SecretPlace};
use crate::secret::{
    Account, Binding, BindingError, Credential, DeviceKey, Identities, IdentityPlace, KeyError, Memory, MemoryError,
    Mismatch, NetoSecret, OpenError, Opened, SourceEnvironment, SourceError, Verdict, fetch, open,
};
use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;

/// What opens the secrets of one run.
pub struct Vault {
    place: IdentityPlace,
    memory_path: PathBuf,
    environment: SourceEnvironment,
    /// What `NETOSECRET` holds, where it is set.
    env_secret: Option<NetoSecret>,
    identities: OnceCell<Identities>,
    memory: OnceCell<RefCell<Memory>>,
    /// Sealed profiles seen for the first time, to be remembered when the run ends.
    first_seen: RefCell<Vec<Profile>>,
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
        memory_path: PathBuf,
        environment: SourceEnvironment,
        env_secret: Option<NetoSecret>,
    ) -> Self {
        Self {
            place,
            memory_path,
            environment,
            env_secret,
            identities: OnceCell::new(),
            memory: OnceCell::new(),
            first_seen: RefCell::default(),
        }
    }

    /// The identities, read once a run.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn identities(&self) -> Result<&Identities, KeyError> {
        if let Some(identities) = self.identities.get() {
            return Ok(identities);
        }
        let loaded = self.place.load()?;
        Ok(self.identities.get_or_init(|| loaded))
    }

    /// The credential of `profile`, checked against what it is bound to and what this machine trusts.
    ///
    /// # Errors
    /// [`VaultError`]; nothing has been sent anywhere.
    pub fn credential(&self, profile: &Profile, watcher: &dyn Watcher) -> Result<SignIn, VaultError> {
        if profile.name.is_env() {
            return self.environment_credential(profile);
        }
        match &profile.secret {
            SecretPlace::Sealed(text) => {
                let today = Binding::of(profile)?;
                let opened = self.open(text)?;
                watcher.trace(&format!("{}: opened its secret", profile.name));
                // Before the memory: a profile that its seal contradicts is not one to remember, nor to trust.
                check_bound(&opened, &today, profile)?;
                self.check_trust(profile)?;
                Ok(SignIn { account: today.account, credential: opened.credential })
            }
            place => {
                self.check_trust(profile)?;
                let secret = fetch(place, &self.environment)?;
                watcher.trace(&format!("{}: its source gave a NETOSECRET", profile.name));
                secret.agrees(profile).map_err(VaultError::Disagrees)?;
                Ok(sign_in(secret))
            }
        }
    }

    /// Opens a sealed text with this run's identity, without judging what it is bound to.
    ///
    /// # Errors
    /// [`VaultError::Key`] or [`VaultError::Open`].
    pub fn open(&self, text: &str) -> Result<Opened, VaultError> {
        Ok(open(text, self.identities()?)?)
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
    /// [`VaultError::Changed`] or [`VaultError::UntrustedSource`].
    pub(super) fn check_trust(&self, profile: &Profile) -> Result<(), VaultError> {
        match self.memory()?.borrow().verdict(profile) {
            Verdict::Trusted => Ok(()),
            Verdict::FirstSight => {
                self.first_seen.borrow_mut().push(profile.clone());
                Ok(())
            }
            Verdict::Changed(changes) => {
                Err(VaultError::Changed(changes.into_iter().map(|change| change.field).collect()))
            }
            Verdict::UntrustedSource(source) => Err(VaultError::UntrustedSource(source)),
        }
    }
}

/// Fails unless the opened secret belongs to the profile as it is declared today.
///
/// # Errors
/// [`VaultError::Mismatch`], naming the field.
pub fn check_bound(opened: &Opened, today: &Binding, profile: &Profile) -> Result<(), VaultError> {
    opened.check(today, profile.sealed.as_ref()).map_err(VaultError::Mismatch)
}

fn sign_in(secret: NetoSecret) -> SignIn {
    SignIn {
        account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
        credential: Credential::ApiKey { appkey: secret.appkey, sharedsecret: secret.sharedsecret },
    }
}

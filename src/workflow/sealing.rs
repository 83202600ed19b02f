//! Sealing secrets for the store: their recipients, and re-encryption of secrets whose binding an edit of the store
//! changes.

use crate::error::Error;
use crate::profile::{ApiUrl, Document, Edit, Profile, ProfileName, RecipientName, SecretLocation, Store};
use crate::secret::{Binding, Credential, CredentialId, OpenedSecret, Prompter, SealedSecret, TrustStatus};
use crate::session::{RotationError, SessionError, VaultError};
use crate::workflow::Run;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Refuses a profile whose trusted fields changed, until `neto trust` has shown the changes. Sealing to the present
/// fields would accept the changes unseen. Ignores a change of the secret, because sealing replaces the secret.
pub(crate) fn refuse_changed(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let TrustStatus::Changed(changes) = run.context.vault.trust_store()?.borrow().status(profile) else {
        return Ok(());
    };
    let fields: Vec<String> =
        changes.into_iter().map(|change| change.field).filter(|field| field != "secret").collect();
    if fields.is_empty() { Ok(()) } else { Err(VaultError::Changed(fields).into()) }
}

/// Checks whether the url is neither the standard url nor trusted by this machine. Anybody who can edit the store can
/// set a url in a profile or the defaults. A credential without its own url would then be sent to that url.
pub(crate) fn is_untrusted_url(run: &Run<'_>, url: &ApiUrl) -> Result<bool, Error> {
    let is_usual = ApiUrl::STANDARD.parse().is_ok_and(|usual: ApiUrl| usual == *url);
    Ok(!is_usual && !run.context.vault.trust_store()?.borrow().is_trusted_address(url))
}

/// Warns that a credential without its own url will be sent to a url from the store. Warns only if [`is_untrusted_url`].
pub(crate) fn warn_untrusted_url(run: &Run<'_>, what: &str, url: &ApiUrl) -> Result<(), Error> {
    if is_untrusted_url(run, url)? {
        run.ui.warn(&format!(
            "{what}: it will be sent to {url}, which stands in the store and was never told to neto here"
        ));
    }
    Ok(())
}

/// Seals a new credential for a profile, with a new id and today's date. Warns if the user's own identity cannot open
/// the sealed secret.
pub(crate) fn seal_new_credential(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    credential: &Credential,
) -> Result<SealedSecret, Error> {
    let keys = run.context.vault.trusted_keys(store, profile, &[])?;
    if !keys.iter().any(|key| run.context.vault.is_own_key(key)) {
        run.ui.warn(&format!("{}: it is sealed to others, so your own identity will not open it", profile.name));
    }
    let now = run.context.process.clock.now();
    let id = CredentialId::random();
    Ok(run.context.vault.seal(&Binding::from_profile(profile)?, credential, &id, run.today(), &keys, now)?)
}

/// Seals new credentials like [`seal_new_credential`] for many profiles, and returns the secrets in the same order.
pub(crate) fn seal_new_credentials(
    run: &Run<'_>,
    store: &Store,
    credentials: &[(&Profile, &Credential)],
) -> Result<Vec<SealedSecret>, Error> {
    let keys = trusted_keys_of_all(run, store, credentials.iter().map(|(profile, _)| *profile))?;
    let (now, today) = (run.context.process.clock.now(), run.today());
    let seal = |((profile, credential), keys): (&(&Profile, &Credential), &Vec<String>)| {
        let id = CredentialId::random();
        Ok(run.context.vault.seal(&Binding::from_profile(profile)?, credential, &id, today, keys, now)?)
    };
    credentials.iter().zip(&keys).map(seal).collect()
}

/// Returns the keys to seal new secrets of these profiles to, in the order of the profiles. Warns about the profiles
/// whose secrets the user's own identity cannot open.
pub(crate) fn trusted_keys_of_all<'p>(
    run: &Run<'_>,
    store: &Store,
    profiles: impl IntoIterator<Item = &'p Profile>,
) -> Result<Vec<Vec<String>>, Error> {
    // Most of many profiles have the same recipients, and looking up the user's own keys reads a file.
    let mut keys_by_recipients: BTreeMap<Option<&[RecipientName]>, (Vec<String>, bool)> = BTreeMap::new();
    let (mut all_keys, mut others_only) = (Vec::new(), Vec::new());
    for profile in profiles {
        let (keys, has_own_key) = match keys_by_recipients.entry(profile.recipients.as_deref()) {
            Entry::Occupied(occupied) => occupied.into_mut(),
            Entry::Vacant(vacant) => {
                let keys = run.context.vault.trusted_keys(store, profile, &[])?;
                let has_own_key = keys.iter().any(|key| run.context.vault.is_own_key(key));
                vacant.insert((keys, has_own_key))
            }
        };
        if !*has_own_key {
            others_only.push(profile.name.as_str());
        }
        all_keys.push(keys.clone());
    }
    if !others_only.is_empty() {
        let names = others_only.join(", ");
        run.ui.warn(&format!("{names}: sealed to others, so your own identity will not open it"));
    }
    Ok(all_keys)
}

/// Seals an opened credential again, bound to the present fields of `profile`. Keeps the id and the date.
pub(crate) fn reseal(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    opened: &OpenedSecret,
) -> Result<SealedSecret, Error> {
    let keys = run.context.vault.trusted_keys(store, profile, &opened.recipients)?;
    let since = profile.sealed.as_ref().map_or_else(|| run.today(), |note| note.since);
    let now = run.context.process.clock.now();
    Ok(run.context.vault.seal(&Binding::from_profile(profile)?, &opened.credential, &opened.id, since, &keys, now)?)
}

/// Edits of the store, with the re-encryption that they need.
pub(crate) struct Resealing {
    /// Requested edits, and the edits that replace sealed secrets.
    pub(crate) edits: Vec<Edit>,
    /// Profiles whose bound fields the edits change, and that were trusted before.
    pub(crate) changed: Vec<Profile>,
    /// Errors of the profiles that could not be sealed again; these profiles keep their sealed secrets.
    pub(crate) failures: Vec<Error>,
}

impl Resealing {
    /// Returns `self`, or the first error if a secret could not be sealed again. Every later use would refuse a profile
    /// whose url no longer matches its sealed secret.
    pub(crate) fn require_complete(mut self) -> Result<Self, Error> {
        if self.failures.is_empty() { Ok(self) } else { Err(self.failures.swap_remove(0)) }
    }
}

/// Adds to `edits` the edits that seal again each secret whose binding `edits` change: name, url, account, roots,
/// recipients. Each secret must be bound to the profile's fields before the edits. `old_name` returns the name of a
/// profile before the edits, for a rename. `prompter` is `&()` while a lock is held.
pub(crate) fn with_resealing(
    run: &Run<'_>,
    prompter: &dyn Prompter,
    before: &Document,
    edits: Vec<Edit>,
    old_name: impl Fn(&ProfileName) -> ProfileName,
) -> Result<Resealing, Error> {
    let after = before.apply(&edits)?;
    let unfinished = run.context.session(&run.reporter()).unfinished_rotations()?;
    let mut resealing = Resealing { edits, changed: Vec::new(), failures: Vec::new() };
    let progress = run.ui.progress("Sealing", after.store().profiles.len());
    for entry in &after.store().profiles {
        progress.step_done();
        let (Ok(new), Some(Ok(old))) =
            (&entry.profile, before.store().entry(&old_name(&entry.name)).map(|old| &old.profile))
        else {
            continue;
        };
        if !is_seal_outdated(before.store(), old, after.store(), new) {
            continue;
        }
        if has_other_key_owner(old, new) && unfinished.contains(&old.name) {
            resealing.failures.push(Error::from(SessionError::from(RotationError::Unfinished)).about(&old.name));
            continue;
        }
        if let SecretLocation::Sealed(text) = &old.secret {
            match open_and_reseal(run, prompter, after.store(), old, new, text) {
                Ok(sealed) => resealing.edits.extend(sealed.edits(&new.name)),
                Err(error) => {
                    resealing.failures.push(error.about(&old.name));
                    continue;
                }
            }
        }
        // The edit does not accept a source that was never trusted or has changed.
        if matches!(run.context.vault.trust_store()?.borrow().status(old), TrustStatus::Trusted | TrustStatus::FirstUse)
        {
            resealing.changed.push(new.clone());
        }
    }
    Ok(resealing)
}

fn open_and_reseal(
    run: &Run<'_>,
    prompter: &dyn Prompter,
    store: &Store,
    old: &Profile,
    new: &Profile,
    text: &str,
) -> Result<SealedSecret, Error> {
    let opened = run.context.vault.open(text, prompter)?;
    crate::session::check_binding(&opened, &Binding::from_profile(old)?, old)?;
    refuse_changed(run, old)?;
    reseal(run, store, new, &opened)
}

/// Checks whether a key that a rotation requested before now belongs to another name, server or account.
fn has_other_key_owner(old: &Profile, new: &Profile) -> bool {
    let key_owner = |profile: &Profile| {
        (profile.name.clone(), profile.url.clone(), profile.shortname.clone(), profile.appname.clone())
    };
    key_owner(old) != key_owner(new) || old.ca_file != new.ca_file
}

/// Checks whether the edits change a field that the sealed secret is bound to, or the recipients.
fn is_seal_outdated(old_store: &Store, old: &Profile, new_store: &Store, new: &Profile) -> bool {
    let bound_fields = |profile: &Profile| {
        (
            profile.name.clone(),
            profile.url.clone(),
            profile.shortname.clone(),
            profile.appname.clone(),
            profile.username.clone(),
            profile.ca_file.clone(),
            profile.secret.clone(),
        )
    };
    bound_fields(old) != bound_fields(new) || old_store.recipient_keys(old) != new_store.recipient_keys(new)
}

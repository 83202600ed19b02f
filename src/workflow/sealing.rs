//! Seals secrets for the store. Seals them again if an edit of the store changes their bound fields or recipients.
//!
//! A sealed secret is encrypted with age and bound to fields of its profile. Does not write the store.

use crate::error::Error;
use crate::profile::{ApiUrl, Document, Edit, Profile, ProfileName, RecipientName, SecretLocation, Store};
use crate::secret::{Binding, Credential, CredentialId, OpenedSecret, Prompter, SealedSecret, TrustStatus};
use crate::session::{RotationError, SessionError, VaultError};
use crate::workflow::Run;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Returns an error if trusted fields of the profile have changed and `neto trust` has not accepted the changes yet.
/// Sealing to the present fields would accept the changes without showing them. Ignores a change of the secret, which
/// sealing replaces.
pub(crate) fn refuse_changed(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let TrustStatus::Changed(changes) = run.context.vault.trust_store()?.borrow().status(profile) else {
        return Ok(());
    };
    let fields: Vec<String> =
        changes.into_iter().map(|change| change.field).filter(|field| field != "secret").collect();
    if fields.is_empty() { Ok(()) } else { Err(VaultError::Changed(fields).into()) }
}

/// Checks whether the URL is neither the standard URL nor trusted by this machine. Anybody who can edit the store can
/// set a URL in a profile or in the defaults. A credential without its own URL would then be sent to that URL.
pub(crate) fn is_untrusted_url(run: &Run<'_>, url: &ApiUrl) -> Result<bool, Error> {
    let is_standard = ApiUrl::STANDARD.parse().is_ok_and(|standard: ApiUrl| standard == *url);
    Ok(!is_standard && !run.context.vault.trust_store()?.borrow().is_trusted_url(url))
}

/// Warns if the URL is untrusted: a credential without its own URL will be sent there. The warning starts with
/// `credential_name`.
pub(crate) fn warn_untrusted_url(run: &Run<'_>, credential_name: &str, url: &ApiUrl) -> Result<(), Error> {
    if is_untrusted_url(run, url)? {
        run.ui.warn(&format!(
            "{credential_name}: it will be sent to {url}, which stands in the store and was never told to neto here"
        ));
    }
    Ok(())
}

/// Seals a new credential for a profile, with a new id and today's date. Warns if the user's own identity cannot
/// decrypt the sealed secret.
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

/// Returns the keys to seal new secrets of these profiles to, in the order of the profiles. Warns about the secrets
/// that the user's own identity cannot decrypt.
pub(crate) fn trusted_keys_of_all<'p>(
    run: &Run<'_>,
    store: &Store,
    profiles: impl IntoIterator<Item = &'p Profile>,
) -> Result<Vec<Vec<String>>, Error> {
    // Many profiles usually have the same recipients, and looking up the user's own keys reads a file.
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

/// Seals a decrypted credential again, bound to the present fields of `profile`. Keeps the id and the date.
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

/// Edits of the store, with the edits that seal secrets again.
pub(crate) struct Resealing {
    /// Requested edits, and the edits that replace sealed secrets.
    pub(crate) edits: Vec<Edit>,
    /// Profiles whose bound fields or recipients the edits change. Includes only profiles that were trusted or new to
    /// this machine before the edits. The caller trusts their new fields.
    pub(crate) changed: Vec<Profile>,
    /// Errors of the profiles whose secrets could not be sealed again; `edits` keep these secrets as they are.
    pub(crate) failures: Vec<Error>,
}

impl Resealing {
    /// Returns `self`, or the first error if a secret could not be sealed again. neto refuses to use a profile whose
    /// fields no longer match its sealed secret.
    pub(crate) fn require_complete(mut self) -> Result<Self, Error> {
        if self.failures.is_empty() { Ok(self) } else { Err(self.failures.swap_remove(0)) }
    }
}

/// Adds edits that seal a secret again if `edits` change its bound fields or recipients. Before the edits, each of
/// these secrets must be bound to the fields of its profile. `old_name` returns the name that a profile had before the
/// edits, for a rename. While a lock is held, pass `&()` as `prompter`, which never prompts.
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
        // Trust only what was trusted before: the edit must not accept an untrusted source or earlier changes.
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

/// Checks whether the edits change the name, URL, shortname, appname or `ca_file` of a profile. An unfinished rotation
/// requested its new key for the old values.
fn has_other_key_owner(old: &Profile, new: &Profile) -> bool {
    let key_owner = |profile: &Profile| {
        (profile.name.clone(), profile.url.clone(), profile.shortname.clone(), profile.appname.clone())
    };
    key_owner(old) != key_owner(new) || old.ca_file != new.ca_file
}

/// Checks whether the edits change the recipients, the secret, or a field that the sealed secret is bound to.
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

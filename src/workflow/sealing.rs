//! Sealing for the store: to whom, and which keys of a profile it writes; and sealing anew whatever a
//! change of the store unbinds.

use crate::error::Error;
use crate::profile::{ApiUrl, Document, Edit, Profile, ProfileName, RecipientName, SecretPlace, Store};
use crate::secret::{Asker, Binding, Credential, CredentialId, Opened, Sealed, Verdict};
use crate::session::{RotationError, SessionError, VaultError};
use crate::workflow::Run;
use jiff::civil::Date;
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Today, in UTC.
pub(crate) fn today(run: &Run<'_>) -> Date {
    Offset::UTC.to_datetime(run.context.process.clock.now()).date()
}

/// Refuses a profile whose remembered fields changed until `neto trust` has shown them: to seal for what it declares
/// now would make it good unseen. What stands in the place of its secret does not matter, since that is replaced.
pub(crate) fn refuse_changed(run: &Run<'_>, profile: &Profile) -> Result<(), Error> {
    let Verdict::Changed(changes) = run.context.vault.memory()?.borrow().verdict(profile) else { return Ok(()) };
    let fields: Vec<String> =
        changes.into_iter().map(|change| change.field).filter(|field| field != "secret").collect();
    if fields.is_empty() { Ok(()) } else { Err(VaultError::Changed(fields).into()) }
}

/// Whether this machine was ever told of an address. Whoever can edit the file could have written theirs, in a profile
/// or in the defaults, and a credential that does not say itself where it belongs would go there.
pub(crate) fn is_strange_address(run: &Run<'_>, url: &ApiUrl) -> Result<bool, Error> {
    let is_usual = ApiUrl::STANDARD.parse().is_ok_and(|usual: ApiUrl| usual == *url);
    Ok(!is_usual && !run.context.vault.memory()?.borrow().knows_address(url))
}

/// Says where a credential that names no address itself will be sent, when that came with the file.
pub(crate) fn tell_strange_address(run: &Run<'_>, what: &str, url: &ApiUrl) -> Result<(), Error> {
    if is_strange_address(run, url)? {
        run.ui.warn(&format!(
            "{what}: it will be sent to {url}, which stands in the store and was never told to neto here"
        ));
    }
    Ok(())
}

/// A new credential for a profile: new id, since today.
pub(crate) fn seal_new(
    run: &Run<'_>,
    store: &Store,
    profile: &Profile,
    credential: &Credential,
) -> Result<Sealed, Error> {
    let keys = run.context.vault.trusted_keys(store, profile, &[])?;
    if !keys.iter().any(|key| run.context.vault.is_own(key)) {
        run.ui.warn(&format!("{}: it is sealed to others, so your own identity will not open it", profile.name));
    }
    let now = run.context.process.clock.now();
    let id = CredentialId::random();
    Ok(run.context.vault.seal(&Binding::of(profile)?, credential, &id, today(run), &keys, now)?)
}

/// The same for many profiles, in their order.
pub(crate) fn seal_all_new(
    run: &Run<'_>,
    store: &Store,
    credentials: &[(&Profile, &Credential)],
) -> Result<Vec<Sealed>, Error> {
    let keys = keys_of_all(run, store, credentials.iter().map(|(profile, _)| *profile))?;
    let (now, today) = (run.context.process.clock.now(), today(run));
    let seal = |((profile, credential), keys): (&(&Profile, &Credential), &Vec<String>)| {
        let id = CredentialId::random();
        Ok(run.context.vault.seal(&Binding::of(profile)?, credential, &id, today, keys, now)?)
    };
    credentials.iter().zip(&keys).map(seal).collect()
}

/// The keys that new secrets of these profiles are to be sealed to, in their order; says which of them the own identity
/// will not open.
pub(crate) fn keys_of_all<'p>(
    run: &Run<'_>,
    store: &Store,
    profiles: impl IntoIterator<Item = &'p Profile>,
) -> Result<Vec<Vec<String>>, Error> {
    // Of many profiles most have the same recipients, and the own keys lie in a file.
    let mut known: BTreeMap<Option<&[RecipientName]>, (Vec<String>, bool)> = BTreeMap::new();
    let (mut all, mut strange) = (Vec::new(), Vec::new());
    for profile in profiles {
        let (keys, own) = match known.entry(profile.recipients.as_deref()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let keys = run.context.vault.trusted_keys(store, profile, &[])?;
                let own = keys.iter().any(|key| run.context.vault.is_own(key));
                new.insert((keys, own))
            }
        };
        if !*own {
            strange.push(profile.name.as_str());
        }
        all.push(keys.clone());
    }
    if !strange.is_empty() {
        let names = strange.join(", ");
        run.ui.warn(&format!("{names}: sealed to others, so your own identity will not open it"));
    }
    Ok(all)
}

/// The same credential, bound to what `profile` declares now: id and date stay.
pub(crate) fn seal_again(run: &Run<'_>, store: &Store, profile: &Profile, opened: &Opened) -> Result<Sealed, Error> {
    let keys = run.context.vault.trusted_keys(store, profile, &opened.recipients)?;
    let since = profile.sealed.as_ref().map_or_else(|| today(run), |note| note.since);
    let now = run.context.process.clock.now();
    Ok(run.context.vault.seal(&Binding::of(profile)?, &opened.credential, &opened.id, since, &keys, now)?)
}

/// A change of the store with the sealing that it needs.
pub(crate) struct Resealing {
    /// The change, and the new seals.
    pub(crate) edits: Vec<Edit>,
    /// The profiles that declare something else afterwards of what a seal binds, and were trusted before.
    pub(crate) changed: Vec<Profile>,
    /// Those whose secret this identity cannot open; they keep the seal that they have.
    pub(crate) failures: Vec<Error>,
}

impl Resealing {
    /// The change, unless a secret could not be sealed anew: a profile with another url and an old seal would be
    /// refused from then on.
    pub(crate) fn whole(mut self) -> Result<Self, Error> {
        if self.failures.is_empty() { Ok(self) } else { Err(self.failures.swap_remove(0)) }
    }
}

/// `edits`, and the changes that seal anew every secret that they unbind: whose profile declares another
/// url, account, roots or recipients afterwards. The secret has to be bound to what was declared before.
/// `from` tells under which name a profile stood before, for a rename; `asker` is `&()` while a lock is held.
pub(crate) fn with_resealing(
    run: &Run<'_>,
    asker: &dyn Asker,
    before: &Document,
    edits: Vec<Edit>,
    from: impl Fn(&ProfileName) -> ProfileName,
) -> Result<Resealing, Error> {
    let after = before.apply(&edits)?;
    let begun = run.context.session(&run.watch()).unfinished()?;
    let mut resealing = Resealing { edits, changed: Vec::new(), failures: Vec::new() };
    let progress = run.ui.progress("Sealing", after.store().profiles.len());
    for entry in &after.store().profiles {
        progress.step();
        let (Ok(new), Some(Ok(old))) =
            (&entry.profile, before.store().entry(&from(&entry.name)).map(|old| &old.profile))
        else {
            continue;
        };
        if !is_unbound(before.store(), old, after.store(), new) {
            continue;
        }
        if is_elsewhere(old, new) && begun.contains(&old.name) {
            resealing.failures.push(Error::from(SessionError::from(RotationError::Unfinished)).about(&old.name));
            continue;
        }
        if let SecretPlace::Sealed(text) = &old.secret {
            match anew(run, asker, after.store(), old, new, text) {
                Ok(sealed) => resealing.edits.extend(sealed.edits(&new.name)),
                Err(error) => {
                    resealing.failures.push(error.about(&old.name));
                    continue;
                }
            }
        }
        // A change of something else is no word for a source that came from elsewhere.
        if matches!(run.context.vault.memory()?.borrow().verdict(old), Verdict::Trusted | Verdict::FirstSight) {
            resealing.changed.push(new.clone());
        }
    }
    Ok(resealing)
}

fn anew(
    run: &Run<'_>,
    asker: &dyn Asker,
    store: &Store,
    old: &Profile,
    new: &Profile,
    text: &str,
) -> Result<Sealed, Error> {
    let opened = run.context.vault.open(text, asker)?;
    crate::session::check_bound(&opened, &Binding::of(old)?, old)?;
    refuse_changed(run, old)?;
    seal_again(run, store, new, &opened)
}

/// Whether a key that was asked for before belongs to another name, place or account now.
fn is_elsewhere(old: &Profile, new: &Profile) -> bool {
    let place = |profile: &Profile| {
        (profile.name.clone(), profile.url.clone(), profile.shortname.clone(), profile.appname.clone())
    };
    place(old) != place(new) || old.ca_file != new.ca_file
}

fn is_unbound(old_store: &Store, old: &Profile, new_store: &Store, new: &Profile) -> bool {
    let bound = |profile: &Profile| {
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
    bound(old) != bound(new) || old_store.recipient_keys(old) != new_store.recipient_keys(new)
}

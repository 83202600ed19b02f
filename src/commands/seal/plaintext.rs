//! Encrypts plaintext secrets in the store, in place.

use crate::error::{Code, Error, Hint};
use crate::profile::{Document, Edit, EditValue, PlaintextKey, Profile, ProfileName, Section};
use crate::secret::{Credential, NetoSecret, Secret};
use crate::workflow::{Run, sealing};

/// Credential found in plaintext, with the edits that remove it from the store.
pub(crate) struct PlaintextSecret {
    name: ProfileName,
    credential: Credential,
    /// Whether the credential contains the API URL, as a NETOSECRET does.
    has_url: bool,
    /// Edits that remove the plaintext keys, and add those fields of a NETOSECRET that the profile lacks.
    pub(crate) edits: Vec<Edit>,
}

impl PlaintextSecret {
    /// Reads the credential from the plaintext keys of a profile.
    pub(crate) fn extract(document: &Document, profile: &Profile, keys: &[PlaintextKey]) -> Result<Self, Error> {
        let section = Section::Profile(profile.name.clone());
        let mut edits: Vec<Edit> = Vec::new();
        if keys.contains(&PlaintextKey::Netosecret) && keys.len() > 1 {
            return Err(Error::new(
                Code::Store,
                "it has a netosecret and other secrets beside it; keep one of the two",
            ));
        }
        let credential = if keys.contains(&PlaintextKey::Netosecret) {
            let secret = NetoSecret::parse(&plaintext_value(document, profile, PlaintextKey::Netosecret)?)?;
            edits.extend(missing_fields(document, profile, &secret)?);
            secret.credential()
        } else if keys.contains(&PlaintextKey::Password) {
            Credential::Person { password: Secret::new(plaintext_value(document, profile, PlaintextKey::Password)?) }
        } else {
            let appkey = Secret::new(plaintext_value(document, profile, PlaintextKey::Appkey)?);
            Credential::ApiKey {
                appkey,
                sharedsecret: Secret::new(plaintext_value(document, profile, PlaintextKey::Sharedsecret)?),
            }
        };
        edits.extend(keys.iter().map(|key| Edit::unset(&section, &[key.name()])));
        let has_url = keys.contains(&PlaintextKey::Netosecret);
        Ok(Self { name: profile.name.clone(), credential, has_url, edits })
    }

    /// Returns all edits that seal the credential; `without_plaintext` is the store after [`edits`](Self::edits).
    pub(crate) fn seal(&self, run: &Run<'_>, without_plaintext: &Document) -> Result<Vec<Edit>, Error> {
        let declared = crate::commands::profile::add::declared_profile(without_plaintext, &self.name)?;
        sealing::refuse_changed(run, &declared)?;
        if !self.has_url {
            sealing::warn_untrusted_url(run, self.name.as_str(), &declared.url)?;
        }
        let sealed = sealing::seal_new_credential(run, without_plaintext.store(), &declared, &self.credential)?;
        Ok(self.edits.iter().cloned().chain(sealed.edits(&self.name)).collect())
    }
}

fn plaintext_value(document: &Document, profile: &Profile, key: PlaintextKey) -> Result<String, Error> {
    document
        .plaintext_value(&profile.name, key)
        .ok_or_else(|| Error::new(Code::Store, format!("its secret stands in clear without the {}", key.name())))
}

/// Returns edits that add the NETOSECRET fields that the profile lacks.
///
/// # Errors
/// Returns an error if a field that the profile declares differs from the NETOSECRET.
fn missing_fields(document: &Document, profile: &Profile, secret: &NetoSecret) -> Result<Vec<Edit>, Error> {
    let section = Section::Profile(profile.name.clone());
    let mut edits = Vec::new();
    for (key, declared, in_secret) in
        [("shortname", &profile.shortname, &secret.shortname), ("appname", &profile.appname, &secret.appname)]
    {
        match declared {
            None => edits.push(Edit::set(&section, &[key], EditValue::Text(in_secret.clone()))),
            Some(declared) if declared == in_secret => {}
            Some(declared) => return Err(mismatch_error(key, declared, in_secret)),
        }
    }
    if document.declares(&section, &["url"]) {
        if profile.url != secret.url {
            return Err(mismatch_error("url", &profile.url.to_string(), &secret.url.to_string()));
        }
    } else if document.store().defaults.url.as_ref() != Some(&secret.url) {
        edits.push(Edit::set(&section, &["url"], EditValue::Text(secret.url.to_string())));
    }
    Ok(edits)
}

fn mismatch_error(key: &str, declared: &str, in_secret: &str) -> Error {
    Error::new(Code::Store, format!("the profile declares the {key} '{declared}', its NETOSECRET has '{in_secret}'"))
        .with_hint(Hint::command("neto profile edit").remark("to take the line out; the NETOSECRET brings its own"))
}

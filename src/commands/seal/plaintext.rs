//! What a user pasted into a profile in clear: taken out of the store's text and sealed.

use crate::error::{Code, Error};
use crate::profile::{ClearKey, Document, Edit, Profile, ProfileName, Section, Value};
use crate::secret::{Credential, NetoSecret, Secret};
use crate::workflow::{Run, sealing};

/// A credential that stood in clear, and the changes that take it out.
pub(crate) struct Pasted {
    /// The profile.
    name: ProfileName,
    credential: Credential,
    /// Whether it says itself which address it is for, as a NETOSECRET does.
    names_address: bool,
    /// The lines in clear go; what a NETOSECRET says of its profile comes, where the profile does not say it.
    pub(crate) edits: Vec<Edit>,
}

impl Pasted {
    /// Takes the credential out of a profile's lines.
    pub(crate) fn take(document: &Document, profile: &Profile, keys: &[ClearKey]) -> Result<Self, Error> {
        let section = Section::Profile(profile.name.clone());
        let mut edits: Vec<Edit> = Vec::new();
        if keys.contains(&ClearKey::Netosecret) && keys.len() > 1 {
            return Err(Error::new(
                Code::Store,
                "it has a netosecret and other secrets beside it; keep one of the two",
            ));
        }
        let credential = if keys.contains(&ClearKey::Netosecret) {
            let secret = NetoSecret::parse(&clear_value(document, profile, ClearKey::Netosecret)?)?;
            edits.extend(missing_fields(document, profile, &secret)?);
            secret.credential()
        } else if keys.contains(&ClearKey::Password) {
            Credential::Person { password: Secret::new(clear_value(document, profile, ClearKey::Password)?) }
        } else {
            let appkey = Secret::new(clear_value(document, profile, ClearKey::Appkey)?);
            Credential::ApiKey {
                appkey,
                sharedsecret: Secret::new(clear_value(document, profile, ClearKey::Sharedsecret)?),
            }
        };
        edits.extend(keys.iter().map(|key| Edit::unset(&section, &[key.key()])));
        let names_address = keys.contains(&ClearKey::Netosecret);
        Ok(Self { name: profile.name.clone(), credential, names_address, edits })
    }

    /// All changes that seal it; `bare` is the store after [`edits`](Self::edits).
    pub(crate) fn sealed(&self, run: &Run<'_>, bare: &Document) -> Result<Vec<Edit>, Error> {
        let declared = crate::commands::profile::add::added(bare, &self.name)?;
        sealing::refuse_changed(run, &declared)?;
        if !self.names_address {
            sealing::tell_strange_address(run, self.name.as_str(), &declared.url)?;
        }
        let sealed = sealing::seal_new(run, bare.store(), &declared, &self.credential)?;
        Ok(self.edits.iter().cloned().chain(sealed.edits(&self.name)).collect())
    }
}

fn clear_value(document: &Document, profile: &Profile, key: ClearKey) -> Result<String, Error> {
    document
        .clear_value(&profile.name, key)
        .ok_or_else(|| Error::new(Code::Store, format!("its secret stands in clear without the {}", key.key())))
}

/// The fields of a pasted NETOSECRET that the profile does not declare itself; those it declares must agree.
fn missing_fields(document: &Document, profile: &Profile, secret: &NetoSecret) -> Result<Vec<Edit>, Error> {
    let section = Section::Profile(profile.name.clone());
    let mut edits = Vec::new();
    for (key, declared, held) in
        [("shortname", &profile.shortname, &secret.shortname), ("appname", &profile.appname, &secret.appname)]
    {
        match declared {
            None => edits.push(Edit::set(&section, &[key], Value::Text(held.clone()))),
            Some(declared) if declared == held => {}
            Some(declared) => return Err(disagree(key, declared, held)),
        }
    }
    if document.declares(&section, &["url"]) {
        if profile.url != secret.url {
            return Err(disagree("url", &profile.url.to_string(), &secret.url.to_string()));
        }
    } else if document.store().defaults.url.as_ref() != Some(&secret.url) {
        edits.push(Edit::set(&section, &["url"], Value::Text(secret.url.to_string())));
    }
    Ok(edits)
}

fn disagree(key: &str, declared: &str, held: &str) -> Error {
    Error::new(Code::Store, format!("the profile declares the {key} '{declared}', its NETOSECRET has '{held}'"))
        .with_hint("neto profile edit    to take the line out; the NETOSECRET brings its own")
}

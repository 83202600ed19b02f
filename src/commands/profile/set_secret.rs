//! `neto profile set-secret`: a new credential for a profile there is.

use super::add::added;
use crate::commands::profile::credential_args::{CredentialArgs, Incoming, Kind};
use crate::error::{Code, Error};
use crate::profile::{ApiUrl, ClearKey, Document, Edit, Profile, ProfileName, Section, Value};
use crate::secret::Account;
use crate::workflow::{Run, Watch, locked_edit, sealing};
use clap::Args;

/// Give a profile a new credential, and drop its token
///
/// The ways in are those of `neto profile add`. The tenant and the API's address have to stay the same; the
/// name of the API key may change.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile set-secret acme
  neto profile set-secret acme --netosecret-file new.txt")]
pub(crate) struct SetSecretArgs {
    /// The profile
    #[arg(value_name = "PROFILE")]
    name: String,
    #[command(flatten)]
    credential: CredentialArgs,
}

/// Replaces the credential of one profile.
pub(crate) fn run(args: &SetSecretArgs, run: &Run<'_>) -> Result<(), Error> {
    let name = run.context.choose(Some(&args.name))?.name;
    if name.is_env() {
        return Err(Error::new(Code::Usage, "the profile 'env' is what NETOSECRET holds; set that instead"));
    }
    let profile = run.context.profile(&name)?;
    sealing::refuse_changed(run, profile).map_err(|error| error.about(&name))?;
    let incoming = args.credential.take(run)?;
    let document = locked_edit::store(run, |document| {
        // It may have changed while the secret was asked for.
        let profile = added(document, &name)?;
        sealing::refuse_changed(run, &profile).map_err(|error| error.about(&name))?;
        same_tenant(&profile, &incoming.account, incoming.url.as_ref()).map_err(|error| error.about(&name))?;
        edits(run, document, &name, &incoming)
    })?;
    let profile = added(&document, &name)?;
    locked_edit::trust(run, std::slice::from_ref(&profile))?;
    let watch = Watch(run.ui);
    locked_edit::abandon_rotation(run, &watch, &name)?;
    locked_edit::forget_token(run, &watch, &name)?;
    run.ui.note(&format!("'{name}' has a new credential; its token is dropped"));
    Ok(())
}

fn edits(run: &Run<'_>, document: &Document, name: &ProfileName, incoming: &Incoming) -> Result<Vec<Edit>, Error> {
    let mut edits = without_secret(name, &incoming.account);
    match &incoming.kind {
        Kind::Command(words) => {
            let command = Value::Table(vec![("command".to_owned(), Value::List(words.clone()))]);
            edits.push(Edit::set(&Section::Profile(name.clone()), &["secret"], command));
        }
        Kind::Credential(credential) => {
            let bare = document.apply(&edits)?;
            let declared = added(&bare, name)?;
            if incoming.url.is_none() && sealing::is_strange_address(run, &declared.url)? {
                let message = format!("{name}: its address {} came into the store from elsewhere", declared.url);
                return Err(Error::new(Code::Store, message).with_hint(format!("neto trust {name}    if it is right")));
            }
            let sealed = sealing::seal_new(run, bare.store(), &declared, credential)?;
            edits.extend(sealed.edits(name));
        }
    }
    Ok(edits)
}

/// A profile with this account and neither sealed nor a source, nor in clear: what is set afterwards is all that counts.
pub(super) fn without_secret(name: &ProfileName, account: &Account) -> Vec<Edit> {
    let section = Section::Profile(name.clone());
    let mut edits: Vec<Edit> = ClearKey::ALL.iter().map(|key| Edit::unset(&section, &[key.key()])).collect();
    edits.extend([Edit::unset(&section, &["sealed"]), Edit::unset(&section, &["secret"])]);
    edits.extend(super::add::account(account).into_iter().map(|(key, value)| Edit::set(&section, &[&key], value)));
    edits
}

/// Refuses a credential of another tenant or API than the profile's.
pub(super) fn same_tenant(profile: &Profile, account: &Account, url: Option<&ApiUrl>) -> Result<(), Error> {
    let refuse = |field: &str, new: &str, old: &str| {
        Err(Error::new(Code::Store, format!("the new credential has the {field} '{new}', the profile has '{old}'"))
            .with_hint("neto profile add    makes another profile of it"))
    };
    if let Some(url) = url.filter(|url| **url != profile.url) {
        return refuse("url", &url.to_string(), &profile.url.to_string());
    }
    let (field, new, old, other) = match account {
        Account::ApiKey { shortname, .. } => ("shortname", shortname, &profile.shortname, &profile.username),
        Account::Person { username } => ("username", username, &profile.username, &profile.shortname),
    };
    match (old, other) {
        (Some(old), _) if old != new => refuse(field, new, old),
        (None, Some(other)) => refuse(field, new, other),
        _ => Ok(()),
    }
}

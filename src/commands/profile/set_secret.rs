//! `neto profile set-secret`: replaces the credential of an existing profile.

use super::add::declared_profile;
use crate::commands::profile::credential_args::{CredentialArgs, CredentialInput, CredentialSource};
use crate::error::{Code, Error, Hint};
use crate::profile::{ApiUrl, Document, Edit, EditValue, PlaintextKey, Profile, ProfileName, Section};
use crate::secret::Account;
use crate::workflow::{Run, TerminalReporter, locked_edit, sealing};
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
    let name = run.context.resolve(Some(&args.name))?.name;
    if name.is_env() {
        return Err(Error::new(Code::Usage, "the profile 'env' is what NETOSECRET holds; set that instead"));
    }
    let profile = run.context.profile(&name)?;
    sealing::refuse_changed(run, profile).map_err(|error| error.about(&name))?;
    let input = args.credential.read(run)?;
    let document = locked_edit::edit_store(run, |document| {
        // The profile may have changed while the secret was entered.
        let profile = declared_profile(document, &name)?;
        sealing::refuse_changed(run, &profile).map_err(|error| error.about(&name))?;
        check_same_tenant(&profile, &input.account, input.url.as_ref()).map_err(|error| error.about(&name))?;
        edits(run, document, &name, &input)
    })?;
    let profile = declared_profile(&document, &name)?;
    locked_edit::trust_profiles(run, std::slice::from_ref(&profile))?;
    let reporter = TerminalReporter(run.ui);
    locked_edit::abandon_rotation(run, &reporter, &name)?;
    locked_edit::remove_cached_token(run, &reporter, &name)?;
    run.ui.note(&format!("'{name}' has a new credential; its token is dropped"));
    Ok(())
}

fn edits(run: &Run<'_>, document: &Document, name: &ProfileName, input: &CredentialInput) -> Result<Vec<Edit>, Error> {
    let mut edits = reset_credential_edits(name, &input.account);
    match &input.source {
        CredentialSource::Command(command_line) => {
            let command = EditValue::Table(vec![("command".to_owned(), EditValue::List(command_line.clone()))]);
            edits.push(Edit::set(&Section::Profile(name.clone()), &["secret"], command));
        }
        CredentialSource::Secret(credential) => {
            let without_secret = document.apply(&edits)?;
            let declared = declared_profile(&without_secret, name)?;
            if input.url.is_none() && sealing::is_untrusted_url(run, &declared.url)? {
                let message = format!("{name}: its address {} came into the store from elsewhere", declared.url);
                return Err(Error::new(Code::Store, message)
                    .with_hint(Hint::command(format!("neto trust {name}")).remark("if it is right")));
            }
            let sealed = sealing::seal_new_credential(run, without_secret.store(), &declared, credential)?;
            edits.extend(sealed.edits(name));
        }
    }
    Ok(edits)
}

/// Returns edits that set the account, and remove every secret: sealed, in plaintext, or from another source.
pub(super) fn reset_credential_edits(name: &ProfileName, account: &Account) -> Vec<Edit> {
    let section = Section::Profile(name.clone());
    let mut edits: Vec<Edit> = PlaintextKey::ALL.iter().map(|key| Edit::unset(&section, &[key.name()])).collect();
    edits.extend([Edit::unset(&section, &["sealed"]), Edit::unset(&section, &["secret"])]);
    edits.extend(
        super::add::account_entries(account).into_iter().map(|(key, value)| Edit::set(&section, &[&key], value)),
    );
    edits
}

/// Refuses a credential whose tenant, user name or URL differs from the profile's. A profile with neither tenant nor
/// user name accepts every account.
pub(super) fn check_same_tenant(profile: &Profile, account: &Account, url: Option<&ApiUrl>) -> Result<(), Error> {
    let refuse = |field: &str, new: &str, old: &str| {
        Err(Error::new(Code::Store, format!("the new credential has the {field} '{new}', the profile has '{old}'"))
            .with_hint(Hint::command("neto profile add").remark("makes another profile of it")))
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

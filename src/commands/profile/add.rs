//! `neto profile add`: adds a profile, and seals its secret unless a command provides the secret.

use crate::commands::profile::credential_args::{CredentialArgs, CredentialInput, CredentialSource};
use crate::commands::profile::settings_args::SettingsArgs;
use crate::commands::{init, login};
use crate::error::{Code, Error, Hint};
use crate::profile::{ApiUrl, Document, Edit, EditValue, Profile, ProfileName, Section, Store};
use crate::secret::Account;
use crate::workflow::{Run, TerminalReporter, locked_edit, sealing};
use clap::Args;

/// Add a profile, its credential sealed
///
/// Takes the NETOSECRET from a hidden prompt or from a pipe; other ways are below. It is sealed to the
/// recipients of the store and is never on disk in plaintext. If there is no store yet, `neto init` runs first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile add                                   asks for the NETOSECRET
  pass show acme/netosecret | neto profile add acme --tag prod
  neto profile add acme --secret-command -- op read op://vault/acme/netosecret")]
pub(crate) struct AddArgs {
    /// Its name; the tenant's shortname unless told
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    credential: CredentialArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Make it the current profile
    #[arg(long = "use")]
    use_it: bool,
    /// Sign in at once
    #[arg(long)]
    login: bool,
}

/// Adds one profile.
pub(crate) fn run(args: &AddArgs, run: &Run<'_>) -> Result<(), Error> {
    let name = match (args.name.as_deref(), args.credential.account()) {
        (Some(name), _) => Some(parse_name(name)?),
        (None, account) => account.as_ref().map(default_name).transpose()?,
    };
    if let Some(name) = &name {
        refuse_existing(run, name)?;
    }
    // All arguments are checked before the prompt for a secret.
    let settings = args.settings.entries(run)?;
    let creates_store = init::creates_store(run);
    if !creates_store {
        args.settings.check_recipients(run.context.store()?)?;
    }
    let input = args.credential.read(run)?;
    if creates_store {
        init::ensure_keys_and_store(run)?;
    }
    let name = name.map_or_else(|| default_name(&input.account), Ok)?;
    let document = locked_edit::edit_store(run, |document| {
        if document.store().entry(&name).is_some() {
            return Err(already_exists_error(&name));
        }
        edits(run, document, &name, &input, settings)
    })?;
    let profile = declared_profile(&document, &name)?;
    locked_edit::trust_profiles(run, std::slice::from_ref(&profile))?;
    locked_edit::remove_cached_token(run, &TerminalReporter(run.ui), &name)?;
    report_added(run, &document, &profile);
    if args.use_it {
        locked_edit::edit_current_profile(run, |current| current.switched_to(Some(name.clone())))?;
        run.ui.note(&format!("Now using '{name}'"));
    }
    if args.login {
        return login::log_in(run, &profile);
    }
    run.ui.note(&format!("Next: neto login {name}"));
    Ok(())
}

fn edits(
    run: &Run<'_>,
    document: &Document,
    name: &ProfileName,
    input: &CredentialInput,
    settings: Vec<(String, EditValue)>,
) -> Result<Vec<Edit>, Error> {
    let default_url = document.store().defaults.url.as_ref();
    let mut entries = account_entries(&input.account);
    entries.extend(url_entry(input.url.as_ref(), default_url)?);
    entries.extend(settings);
    if let CredentialSource::Command(command_line) = &input.source {
        entries.push((
            "secret".to_owned(),
            EditValue::Table(vec![("command".to_owned(), EditValue::List(command_line.clone()))]),
        ));
    }
    let unsealed_edit = [Edit::AddProfile { name: name.clone(), entries: entries.clone() }];
    let CredentialSource::Secret(credential) = &input.source else { return Ok(unsealed_edit.into()) };
    if let (None, Some(url)) = (&input.url, default_url) {
        sealing::warn_untrusted_url(run, name.as_str(), url)?;
    }
    // The secret is bound to the profile as parsed from the store, with the store's defaults. So the unsealed profile
    // is first added to a copy of the document.
    let unsealed_document = document.apply(&unsealed_edit)?;
    let sealed = sealing::seal_new_credential(
        run,
        unsealed_document.store(),
        &declared_profile(&unsealed_document, name)?,
        credential,
    )?;
    entries.extend(sealed.toml_entries().map(|(key, value)| (key.to_owned(), value)));
    Ok(vec![Edit::AddProfile { name: name.clone(), entries }])
}

/// Returns the fields of an account as entries of a new profile.
pub(super) fn account_entries(account: &Account) -> Vec<(String, EditValue)> {
    let text = |key: &str, value: &String| (key.to_owned(), EditValue::Text(value.clone()));
    match account {
        Account::ApiKey { shortname, appname } => vec![text("shortname", shortname), text("appname", appname)],
        Account::Person { username } => vec![text("username", username)],
    }
}

/// Returns the `url` entry of a new profile. Returns `None` if the store's default applies: `url` is missing, or equals
/// the default.
///
/// # Errors
/// Returns an error if there is neither a URL nor a default.
pub(in crate::commands) fn url_entry(
    url: Option<&ApiUrl>,
    default_url: Option<&ApiUrl>,
) -> Result<Option<(String, EditValue)>, Error> {
    match (url, default_url) {
        (None, None) => Err(Error::new(Code::Usage, "the store has no default url, so the profile needs one")
            .with_hint(Hint::command("neto profile add --url https://api.netography.com/api/v1 ..."))),
        (Some(url), default_url) if Some(url) != default_url => {
            Ok(Some(("url".to_owned(), EditValue::Text(url.to_string()))))
        }
        _ => Ok(None),
    }
}

/// Returns the profile as declared in the edited store.
///
/// # Errors
/// Returns an error if the profile is missing or invalid.
pub(in crate::commands) fn declared_profile(document: &Document, name: &ProfileName) -> Result<Profile, Error> {
    let entry = document.store().entry(name).ok_or_else(|| Error::bug("the added profile is not in the store"))?;
    entry.profile.clone().map_err(|fault| Error::new(Code::Usage, fault.problem.to_string()).with_prefix(&fault.key))
}

/// Derives the profile name from the tenant's shortname.
///
/// # Errors
/// Returns an error if no valid name can be derived from the shortname, or if the account has no shortname.
fn default_name(account: &Account) -> Result<ProfileName, Error> {
    match account {
        Account::ApiKey { shortname, .. } => ProfileName::from_shortname(shortname).map_err(|error| {
            Error::new(Code::Usage, format!("the tenant's shortname makes no name: {error}"))
                .with_hint(Hint::command("neto profile add NAME"))
        }),
        Account::Person { .. } => Err(Error::new(Code::Usage, "a person's profile needs a name")
            .with_hint(Hint::command("neto profile add NAME --username ..."))),
    }
}

fn parse_name(text: &str) -> Result<ProfileName, Error> {
    text.parse().map_err(|error: crate::profile::NameError| {
        Error::new(Code::Usage, format!("the argument is not a name: {error}"))
            .with_hint(Hint::command("neto profile add acme-corp --description 'Acme Corp'"))
    })
}

fn refuse_existing(run: &Run<'_>, name: &ProfileName) -> Result<(), Error> {
    let is_existing = run.context.paths.store.exists() && run.context.store()?.entry(name).is_some();
    if is_existing { Err(already_exists_error(name)) } else { Ok(()) }
}

fn already_exists_error(name: &ProfileName) -> Error {
    Error::new(Code::Store, format!("there is a profile '{name}' already")).with_hint(
        Hint::command(format!("neto profile set-secret {name}")).remark("for a new credential, or choose another name"),
    )
}

fn report_added(run: &Run<'_>, document: &Document, profile: &Profile) {
    let account = match (&profile.shortname, &profile.appname, &profile.username) {
        (Some(shortname), Some(appname), _) => format!("tenant {shortname}, key {appname}"),
        (_, _, Some(username)) => format!("user {username}"),
        _ => String::new(),
    };
    let recipients = recipient_names(document.store(), profile);
    let source = match profile.secret.label() {
        "sealed" => format!("sealed to {}", recipients.join(", ")),
        label => format!("its secret comes from a {label}"),
    };
    run.ui.note(&format!("Added '{}' ({account}), {source}", profile.name));
    let section = Section::Profile(profile.name.clone());
    if document.declares(&section, &["url"]) {
        run.ui.note(&format!("Its API is {}", profile.url));
    }
}

/// Returns the names of the recipients that a profile's secret is to be sealed to.
pub(super) fn recipient_names<'a>(store: &'a Store, profile: &Profile) -> Vec<&'a str> {
    let keys = store.recipient_keys(profile);
    store.recipients.iter().filter(|(_, key)| keys.contains(key)).map(|(name, _)| name.as_str()).collect()
}

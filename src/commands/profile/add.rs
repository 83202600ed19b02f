//! `neto profile add`: a new profile with its credential sealed.

use crate::commands::profile::credential_args::{CredentialArgs, Incoming, Kind};
use crate::commands::profile::settings_args::ShapeArgs;
use crate::commands::{init, login};
use crate::error::{Code, Error};
use crate::profile::{ApiUrl, Document, Edit, Profile, ProfileName, Section, Store, Value};
use crate::secret::Account;
use crate::workflow::{Run, Watch, locked_edit, sealing};
use clap::Args;

/// Add a profile, its credential sealed
///
/// Takes the NETOSECRET from a hidden prompt or from a pipe; other ways are below. It is sealed to the
/// recipients of the store and never lies on disk in clear. Where there is no store yet, `neto init` runs first.
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
    shape: ShapeArgs,
    /// Make it the current profile
    #[arg(long = "use")]
    use_it: bool,
    /// Sign in at once
    #[arg(long)]
    login: bool,
}

/// Adds one profile.
pub(crate) fn run(args: &AddArgs, run: &Run<'_>) -> Result<(), Error> {
    let told = match (args.name.as_deref(), args.credential.account()) {
        (Some(name), _) => Some(parse_name(name)?),
        (None, account) => account.as_ref().map(name_after).transpose()?,
    };
    if let Some(name) = &told {
        refuse_existing(run, name)?;
    }
    // Everything that can be wrong with the words is told before a secret is asked for.
    let shape = args.shape.entries(run)?;
    // A store that was named and is not there is a mistyped path; only `neto init` makes such a one.
    let first = !run.context.paths.named_store && !run.context.paths.store.exists();
    if !first {
        args.shape.check_recipients(run.context.store()?)?;
    }
    let incoming = args.credential.take(run)?;
    if first {
        init::prepare(run)?;
    }
    let name = told.map_or_else(|| name_after(&incoming.account), Ok)?;
    let document = locked_edit::store(run, |document| {
        if document.store().entry(&name).is_some() {
            return Err(exists(&name));
        }
        edits(run, document, &name, &incoming, shape)
    })?;
    let profile = added(&document, &name)?;
    locked_edit::trust(run, std::slice::from_ref(&profile))?;
    locked_edit::forget_token(run, &Watch(run.ui), &name)?;
    tell(run, &document, &profile);
    if args.use_it {
        locked_edit::current(run, |current| current.switched(Some(name.clone())))?;
        run.ui.note(&format!("Now using '{name}'"));
    }
    if args.login {
        return login::sign_in(run, &profile);
    }
    run.ui.note(&format!("Next: neto login {name}"));
    Ok(())
}

fn edits(
    run: &Run<'_>,
    document: &Document,
    name: &ProfileName,
    incoming: &Incoming,
    shape: Vec<(String, Value)>,
) -> Result<Vec<Edit>, Error> {
    let default = document.store().defaults.url.as_ref();
    let mut entries = account(&incoming.account);
    entries.extend(address(incoming.url.as_ref(), default)?);
    entries.extend(shape);
    if let Kind::Command(words) = &incoming.kind {
        entries.push(("secret".to_owned(), Value::Table(vec![("command".to_owned(), Value::List(words.clone()))])));
    }
    let skeleton = [Edit::AddProfile { name: name.clone(), entries: entries.clone() }];
    let Kind::Credential(credential) = &incoming.kind else { return Ok(skeleton.into()) };
    if let (None, Some(url)) = (&incoming.url, default) {
        sealing::tell_strange_address(run, name.as_str(), url)?;
    }
    // What the seal binds is what the store declares, defaults and all, so the reader itself says it.
    let with_skeleton = document.apply(&skeleton)?;
    let sealed = sealing::seal_new(run, with_skeleton.store(), &added(&with_skeleton, name)?, credential)?;
    entries.extend(sealed.entries().map(|(key, value)| (key.to_owned(), value)));
    Ok(vec![Edit::AddProfile { name: name.clone(), entries }])
}

/// The open half of a credential, as entries of a new profile.
pub(super) fn account(account: &Account) -> Vec<(String, Value)> {
    let text = |key: &str, value: &String| (key.to_owned(), Value::Text(value.clone()));
    match account {
        Account::ApiKey { shortname, appname } => vec![text("shortname", shortname), text("appname", appname)],
        Account::Person { username } => vec![text("username", username)],
    }
}

/// What equals the default is not written.
pub(in crate::commands) fn address(
    url: Option<&ApiUrl>,
    default: Option<&ApiUrl>,
) -> Result<Option<(String, Value)>, Error> {
    match (url, default) {
        (None, None) => Err(Error::new(Code::Usage, "the store has no default url, so the profile needs one")
            .with_hint("neto profile add --url https://api.netography.com/api/v1 ...")),
        (Some(url), default) if Some(url) != default => Ok(Some(("url".to_owned(), Value::Text(url.to_string())))),
        _ => Ok(None),
    }
}

/// The profile as the store declares it after the change.
pub(in crate::commands) fn added(document: &Document, name: &ProfileName) -> Result<Profile, Error> {
    let entry = document.store().entry(name).ok_or_else(|| Error::bug("the added profile is not in the store"))?;
    entry.profile.clone().map_err(|fault| Error::new(Code::Usage, fault.problem.to_string()).about(&fault.key))
}

/// The name of a profile that was told none.
fn name_after(account: &Account) -> Result<ProfileName, Error> {
    match account {
        Account::ApiKey { shortname, .. } => ProfileName::from_shortname(shortname).map_err(|error| {
            Error::new(Code::Usage, format!("the tenant's shortname makes no name: {error}"))
                .with_hint("neto profile add NAME")
        }),
        Account::Person { .. } => Err(Error::new(Code::Usage, "a person's profile needs a name")
            .with_hint("neto profile add NAME --username ...")),
    }
}

fn parse_name(text: &str) -> Result<ProfileName, Error> {
    text.parse().map_err(|error: crate::profile::NameError| {
        Error::new(Code::Usage, format!("the argument is not a name: {error}"))
            .with_hint("neto profile add acme-corp --description 'Acme Corp'")
    })
}

fn refuse_existing(run: &Run<'_>, name: &ProfileName) -> Result<(), Error> {
    let there = run.context.paths.store.exists() && run.context.store()?.entry(name).is_some();
    if there { Err(exists(name)) } else { Ok(()) }
}

fn exists(name: &ProfileName) -> Error {
    Error::new(Code::Store, format!("there is a profile '{name}' already"))
        .with_hint(format!("neto profile set-secret {name}    for a new credential, or choose another name"))
}

fn tell(run: &Run<'_>, document: &Document, profile: &Profile) {
    let who = match (&profile.shortname, &profile.appname, &profile.username) {
        (Some(shortname), Some(appname), _) => format!("tenant {shortname}, key {appname}"),
        (_, _, Some(username)) => format!("user {username}"),
        _ => String::new(),
    };
    let to = recipient_names(document.store(), profile);
    let how = match profile.secret.word() {
        "sealed" => format!("sealed to {}", to.join(", ")),
        word => format!("its secret comes from a {word}"),
    };
    run.ui.note(&format!("Added '{}' ({who}), {how}", profile.name));
    let section = Section::Profile(profile.name.clone());
    if document.declares(&section, &["url"]) {
        run.ui.note(&format!("Its API is {}", profile.url));
    }
}

/// Those whom a profile's secret is sealed to.
pub(super) fn recipient_names<'a>(store: &'a Store, profile: &Profile) -> Vec<&'a str> {
    let keys = store.recipient_keys(profile);
    store.recipients.iter().filter(|(_, key)| keys.contains(key)).map(|(name, _)| name.as_str()).collect()
}

//! `neto init`: creates the keys of this machine and, if missing, an empty store.

use super::identity::new_passphrase;
use crate::error::{Code, Error, Hint};
use crate::profile::{ApiUrl, Document, Edit, EditValue, LinkOutcome, RecipientName, Section};
use crate::secret::{IdentityFile, IdentityLocation, KeyError, Secret};
use crate::workflow::{Run, locked_edit};
use clap::Args;
use std::path::{Path, PathBuf};

/// Make the keys of this machine and, where there is none, an empty store
///
/// Secrets are sealed to people: to the public key of everyone in the store's `[recipients]`. Each opens
/// them with an identity that never leaves the machine. Beside a store that is there already (a git
/// checkout), only the keys are made; send the printed line to a colleague who can open the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto init
  neto init --passphrase
  neto init --link ~/src/tenants/profiles.toml
  neto init --name alice --identity ~/.config/age/keys.txt")]
pub(crate) struct InitArgs {
    /// Your name among the recipients of the store; the user's name unless told
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take the identity from this age identity file (it is copied)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Protect the identity with a passphrase, which each command that opens a secret then asks for
    #[arg(long)]
    passphrase: bool,
    /// Like --passphrase, with the passphrase from a file
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Keep the store in this file, in a git checkout for one; tokens and what is trusted stay here
    #[arg(long, value_name = "FILE")]
    link: Option<PathBuf>,
}

/// Source of the new passphrase for the identity file.
#[derive(Clone, Copy)]
pub(super) enum PassphraseSource<'a> {
    /// No passphrase.
    Unprotected,
    /// Hidden prompt.
    Prompt,
    /// Passphrase file.
    File(&'a Path),
}

impl PassphraseSource<'_> {
    fn read_passphrase(self, run: &Run<'_>) -> Result<Option<Secret>, Error> {
        match self {
            Self::Unprotected => Ok(None),
            Self::Prompt => new_passphrase(run, None).map(Some),
            Self::File(file) => new_passphrase(run, Some(file)).map(Some),
        }
    }
}

/// Name and public keys of this machine's identity, as a recipient of the store.
pub(super) struct OwnRecipient {
    /// Name in the store's recipients table.
    pub(super) name: RecipientName,
    /// Public keys of the identity.
    pub(super) keys: Vec<String>,
}

/// Creates the keys and the store if they are missing, and prints the public key.
pub(crate) fn run(args: &InitArgs, run: &Run<'_>) -> Result<(), Error> {
    let protection = match &args.new_passphrase_file {
        Some(file) => PassphraseSource::File(file),
        None if args.passphrase => PassphraseSource::Prompt,
        None => PassphraseSource::Unprotected,
    };
    if args.link.is_some() && run.context.paths.is_store_named {
        return Err(Error::new(
            Code::Usage,
            "--link is for the standard store, and --store or NETO_STORE names another",
        ));
    }
    let own_recipient = ensure_keys(run, args.name.as_deref(), args.identity.as_deref(), protection)?;
    match &args.link {
        Some(target) => link_store(run, &own_recipient, target)?,
        None => ensure_store(run, &own_recipient)?,
    }
    let store = run.context.store()?;
    let key = own_recipient.keys.first().cloned().unwrap_or_default();
    if own_recipient.keys.iter().any(|key| store.recipients.values().any(|known| known == key))
        || store.recipients.is_empty()
    {
        run.ui.note("Next: neto profile add, with the NETOSECRET from the portal");
    } else {
        let store = run.context.paths.store.display();
        run.ui.note(&format!("You cannot open {store} yet. Send this line to somebody who can:"));
        run.ui.note(&format!("  neto recipient add {} {key}", own_recipient.name));
    }
    run.ui.print(&format!("{key}\n"))?;
    Ok(())
}

/// Creates the identity, the device key and the store if they are missing.
pub(super) fn ensure_keys_and_store(run: &Run<'_>) -> Result<(), Error> {
    let own_recipient = ensure_keys(run, None, None, PassphraseSource::Unprotected)?;
    ensure_store(run, &own_recipient)
}

/// Checks whether `profile add` and `profile import` create the store first. If the user named a missing store, the
/// path may be mistyped, so only `neto init` creates that store.
pub(super) fn creates_store(run: &Run<'_>) -> bool {
    !run.context.paths.is_store_named && !run.context.paths.store.exists()
}

/// Creates the identity and the device key if they are missing, and trusts the identity's public keys.
///
/// `identity` is a file to copy the identity from. `protection` applies to a new or copied identity.
fn ensure_keys(
    run: &Run<'_>,
    name: Option<&str>,
    identity: Option<&Path>,
    protection: PassphraseSource<'_>,
) -> Result<OwnRecipient, Error> {
    let name = own_name(run, name)?;
    ensure_identity(run, identity, protection)?;
    let keys = run.context.vault.own_keys();
    let keys = if keys.is_empty() { run.context.vault.identities(&run.reporter())?.public_keys() } else { keys };
    let own_recipient = OwnRecipient { name, keys };
    // Other commands create the device key when they need it, and work without a token cache if that fails. Here a
    // failure is an error.
    run.context.paths.keys.load_or_create_device()?;
    locked_edit::edit_trust_store(run, |trust_store| {
        own_recipient.keys.iter().for_each(|key| trust_store.trust_recipient(&own_recipient.name, key));
    })?;
    Ok(own_recipient)
}

fn ensure_identity(run: &Run<'_>, source: Option<&Path>, protection: PassphraseSource<'_>) -> Result<(), Error> {
    let directory = &run.context.paths.keys;
    let file = directory.identity_file();
    let variables = ["NETO_IDENTITY_FILE", "NETO_IDENTITY"];
    let named = variables.iter().find(|name| run.context.process.environment.get(name).is_some());
    if let (Some(name), true) = (named, source.is_some()) {
        return Err(Error::new(Code::Usage, format!("{name} names an identity, and --identity another"))
            .with_hint(Hint::command(format!("unset {name}"))));
    }
    if let Some(source) = source {
        let path = run.context.absolute(source);
        if !path.exists() {
            return Err(KeyError::MissingUserFile(path).into());
        }
        let location = IdentityLocation::UserFile(path);
        let (key, passphrase) = run.context.vault.read_identity(&location, &run.reporter())?;
        if key.identities.public_keys().is_empty() {
            return Err(Error::new(Code::Secret, format!("{location} does not tell the public key of its identity"))
                .with_hint(Hint::advice("add a line above it: # public key: age1...")));
        }
        // A protected identity keeps its passphrase unless the user gives a new one.
        let passphrase = protection.read_passphrase(run)?.or(passphrase);
        directory.create_identity(&key, passphrase.as_ref())?;
        run.ui.note(&format!("Copied the identity to {}", file.display()));
        return Ok(());
    }
    if named.is_some() {
        return Ok(());
    }
    if directory.has_identity() {
        run.ui.note(&format!("Your identity was there already: {}", file.display()));
        return match protection {
            PassphraseSource::Unprotected => Ok(()),
            _ => Err(Error::new(Code::Usage, "--passphrase is for a new identity")
                .with_hint(Hint::command("neto identity passphrase").remark("protects the one there is"))),
        };
    }
    let passphrase = protection.read_passphrase(run)?;
    let key = IdentityFile::generate(run.context.process.clock.now())?;
    match directory.create_identity(&key, passphrase.as_ref()) {
        Ok(()) => run.ui.note(&format!("Made your identity: {} (keep a copy: neto identity backup)", file.display())),
        // Another neto process created the identity first, so that identity is used.
        Err(KeyError::Exists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn ensure_store(run: &Run<'_>, own_recipient: &OwnRecipient) -> Result<(), Error> {
    let file = run.context.store_file();
    if file.path().exists() {
        return Ok(());
    }
    let initial = initial_store(own_recipient)?;
    let lock = locked_edit::acquire_lock(run, &file.lock(), "the store")?;
    if file.save_new(&lock, initial.bytes())? {
        run.ui.note(&format!("Made an empty store: {}", file.path().display()));
    }
    Ok(())
}

/// Makes the standard store a link to `target`. Moves the store to `target`, or uses the store that already exists
/// there.
fn link_store(run: &Run<'_>, own_recipient: &OwnRecipient, target: &Path) -> Result<(), Error> {
    let (file, target) = (run.context.store_file(), run.context.absolute(target));
    let initial = initial_store(own_recipient)?;
    let lock = locked_edit::acquire_lock(run, &file.lock(), "the store")?;
    let outcome = file.link_to(&lock, &target, initial.bytes())?;
    let (link, store) = (file.path().display(), target.display());
    run.ui.note(&match outcome {
        LinkOutcome::AlreadyLinked => format!("The store is {store} already"),
        LinkOutcome::Moved => format!("The store is {store} now; {link} leads to it"),
        LinkOutcome::Joined => format!("The store that was at {store} is yours now; {link} leads to it"),
    });
    Ok(())
}

/// Returns a new store with the user as its first recipient and the standard URL as the default.
fn initial_store(own_recipient: &OwnRecipient) -> Result<Document, Error> {
    let key = own_recipient.keys.first().map_or("", String::as_str);
    let empty = Document::parse(b"version = 1\n".to_vec(), Path::new("")).map_err(|_| Error::bug("the empty store"))?;
    Ok(empty.apply(&[
        Edit::set(&Section::Recipients, &[own_recipient.name.as_str()], EditValue::Text(key.to_owned())),
        Edit::set(&Section::Defaults, &["url"], EditValue::Text(ApiUrl::STANDARD.to_owned())),
    ])?)
}

pub(super) fn own_name(run: &Run<'_>, name: Option<&str>) -> Result<RecipientName, Error> {
    if let Some(name) = name {
        let invalid_name = |error| {
            Error::new(Code::Usage, format!("--name: {error}")).with_hint(Hint::command("neto init --name alice"))
        };
        return name.parse().map_err(invalid_name);
    }
    let user_name = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| run.context.process.environment.text(name));
    let lower_case_name: String = user_name.unwrap_or_default().to_lowercase();
    lower_case_name
        .parse()
        .or_else(|_| "me".parse())
        .map_err(|error| Error::new(Code::Usage, format!("--name: {error}")))
}

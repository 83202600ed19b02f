//! `neto init`: the keys of this machine and, where there is none, an empty store.

use super::identity::new_passphrase;
use crate::error::{Code, Error};
use crate::profile::{ApiUrl, Document, Edit, Linked, RecipientName, Section, Value};
use crate::secret::{IdentityPlace, KeyError, KeyText, Secret};
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
    /// The same, with the passphrase from a file
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Keep the store in this file, in a git checkout for one; tokens and what is trusted stay here
    #[arg(long, value_name = "FILE")]
    link: Option<PathBuf>,
}

/// Under which new passphrase the identity is to lie.
#[derive(Clone, Copy)]
pub(super) enum Protection<'a> {
    /// None.
    Nothing,
    /// One that is asked for.
    Asked,
    /// The one in this file.
    File(&'a Path),
}

impl Protection<'_> {
    fn passphrase(self, run: &Run<'_>) -> Result<Option<Secret>, Error> {
        match self {
            Self::Nothing => Ok(None),
            Self::Asked => new_passphrase(run, None).map(Some),
            Self::File(file) => new_passphrase(run, Some(file)).map(Some),
        }
    }
}

/// What `init` found or made.
pub(super) struct Own {
    /// The name among the recipients.
    pub(super) name: RecipientName,
    /// The public keys of the identity.
    pub(super) keys: Vec<String>,
}

/// Makes what is missing and prints the public key.
pub(crate) fn run(args: &InitArgs, run: &Run<'_>) -> Result<(), Error> {
    let protection = match &args.new_passphrase_file {
        Some(file) => Protection::File(file),
        None if args.passphrase => Protection::Asked,
        None => Protection::Nothing,
    };
    if args.link.is_some() && run.context.paths.named_store {
        return Err(Error::new(
            Code::Usage,
            "--link is for the standard store, and --store or NETO_STORE names another",
        ));
    }
    let own = prepare_keys(run, args.name.as_deref(), args.identity.as_deref(), protection)?;
    match &args.link {
        Some(target) => link_store(run, &own, target)?,
        None => ensure_store(run, &own)?,
    }
    let store = run.context.store()?;
    let key = own.keys.first().cloned().unwrap_or_default();
    if own.keys.iter().any(|key| store.recipients.values().any(|known| known == key)) || store.recipients.is_empty() {
        run.ui.note("Next: neto profile add, with the NETOSECRET from the portal");
    } else {
        let store = run.context.paths.store.display();
        run.ui.note(&format!("You cannot open {store} yet. Send this line to somebody who can:"));
        run.ui.note(&format!("  neto recipient add {} {key}", own.name));
    }
    run.ui.answer(&format!("{key}\n"))?;
    Ok(())
}

/// Makes identity, device key and store where they are missing.
pub(super) fn prepare(run: &Run<'_>) -> Result<Own, Error> {
    let own = prepare_keys(run, None, None, Protection::Nothing)?;
    ensure_store(run, &own)?;
    Ok(own)
}

/// Makes identity and device key where they are missing; a new identity is protected where that is wanted.
fn prepare_keys(
    run: &Run<'_>,
    name: Option<&str>,
    identity: Option<&Path>,
    protect: Protection<'_>,
) -> Result<Own, Error> {
    let name = own_name(run, name)?;
    ensure_identity(run, identity, protect)?;
    let keys = run.context.vault.own_keys();
    let keys = if keys.is_empty() { run.context.vault.identities(&run.watch())?.public_keys() } else { keys };
    let own = Own { name, keys };
    // A machine that cannot keep a device key works without a cache; here it is only made early.
    run.context.paths.keys.device()?;
    locked_edit::memory(run, |memory| own.keys.iter().for_each(|key| memory.trust_recipient(&own.name, key)))?;
    Ok(own)
}

fn ensure_identity(run: &Run<'_>, from: Option<&Path>, protect: Protection<'_>) -> Result<(), Error> {
    let folder = &run.context.paths.keys;
    let file = folder.identity_file();
    let variables = ["NETO_IDENTITY_FILE", "NETO_IDENTITY"];
    let named = variables.iter().find(|name| run.context.process.environment.get(name).is_some());
    if let (Some(name), true) = (named, from.is_some()) {
        return Err(Error::new(Code::Usage, format!("{name} names an identity, and --identity another"))
            .with_hint(format!("unset {name}")));
    }
    if let Some(from) = from {
        let path = run.context.absolute(from);
        if !path.exists() {
            return Err(KeyError::NoFile(path).into());
        }
        let place = IdentityPlace::Named(path);
        let (key, passphrase) = run.context.vault.read_identity(&place, &run.watch())?;
        if key.identities.public_keys().is_empty() {
            return Err(Error::new(Code::Secret, format!("{place} does not tell the public key of its identity"))
                .with_hint("add a line above it: # public key: age1..."));
        }
        // What was protected stays so, unless the user wants another passphrase.
        let passphrase = protect.passphrase(run)?.or(passphrase);
        folder.create_identity(&key, passphrase.as_ref())?;
        run.ui.note(&format!("Copied the identity to {}", file.display()));
        return Ok(());
    }
    if named.is_some() {
        return Ok(());
    }
    if folder.has_identity() {
        run.ui.note(&format!("Your identity was there already: {}", file.display()));
        return match protect {
            Protection::Nothing => Ok(()),
            _ => Err(Error::new(Code::Usage, "--passphrase is for a new identity")
                .with_hint("neto identity passphrase    protects the one there is")),
        };
    }
    let passphrase = protect.passphrase(run)?;
    let key = KeyText::generate(run.context.process.clock.now())?;
    match folder.create_identity(&key, passphrase.as_ref()) {
        Ok(()) => run.ui.note(&format!("Made your identity: {} (keep a copy: neto identity backup)", file.display())),
        // Another neto was first; its identity counts.
        Err(KeyError::Exists(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn ensure_store(run: &Run<'_>, own: &Own) -> Result<(), Error> {
    let file = run.context.store_file();
    if file.path().exists() {
        return Ok(());
    }
    let first = first_store(own)?;
    let held = locked_edit::hold(run, &file.lock(), "the store")?;
    if file.save_new(&held, first.bytes())? {
        run.ui.note(&format!("Made an empty store: {}", file.path().display()));
    }
    Ok(())
}

/// Moves the store into `target`, or joins the one that is there.
fn link_store(run: &Run<'_>, own: &Own, target: &Path) -> Result<(), Error> {
    let (file, target) = (run.context.store_file(), run.context.absolute(target));
    let first = first_store(own)?;
    let held = locked_edit::hold(run, &file.lock(), "the store")?;
    let linked = file.link_to(&held, &target, first.bytes())?;
    let (here, there) = (file.path().display(), target.display());
    run.ui.note(&match linked {
        Linked::Already => format!("The store is {there} already"),
        Linked::Moved => format!("The store is {there} now; {here} leads to it"),
        Linked::Joined => format!("The store that was at {there} is yours now; {here} leads to it"),
    });
    Ok(())
}

/// A store with its first recipient.
fn first_store(own: &Own) -> Result<Document, Error> {
    let key = own.keys.first().map_or("", String::as_str);
    let empty = Document::parse(b"version = 1\n".to_vec(), Path::new("")).map_err(|_| Error::bug("the empty store"))?;
    Ok(empty.apply(&[
        Edit::set(&Section::Recipients, &[own.name.as_str()], Value::Text(key.to_owned())),
        Edit::set(&Section::Defaults, &["url"], Value::Text(ApiUrl::STANDARD.to_owned())),
    ])?)
}

pub(super) fn own_name(run: &Run<'_>, told: Option<&str>) -> Result<RecipientName, Error> {
    if let Some(told) = told {
        let wrong = |error| Error::new(Code::Usage, format!("--name: {error}")).with_hint("neto init --name alice");
        return told.parse().map_err(wrong);
    }
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| run.context.process.environment.text(name));
    let lower: String = user.unwrap_or_default().to_lowercase();
    lower.parse().or_else(|_| "me".parse()).map_err(|error| Error::new(Code::Usage, format!("--name: {error}")))
}

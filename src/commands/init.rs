//! `neto init`: the keys of this machine and, where there is none, an empty store.

use super::shape::set;
use super::{Run, change};
use crate::disk::{self, Privacy, Rules};
use crate::error::{Code, Error};
use crate::profile::{Document, RecipientName, Section, Value};
use crate::secret::{Identities, IdentityPlace, KeyError, Secret};
use clap::Args;
use std::path::{Path, PathBuf};

/// Where the reference says that the API is.
const API: &str = "https://api.netography.com/api/v1";

/// Make the keys of this machine and, where there is none, an empty store
///
/// Secrets are sealed to people: to the public key of everyone in the store's `[recipients]`. Each opens
/// them with an identity that never leaves the machine. Beside a store that is there already (a git
/// checkout), only the keys are made; send the printed line to a colleague who can open the store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto init
  neto init --name alice --identity ~/.config/age/keys.txt")]
pub(crate) struct InitArgs {
    /// Your name among the recipients of the store; the user's name unless told
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take the identity from this age identity file (it is copied)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
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
    let own = prepare(run, args.name.as_deref(), args.identity.clone())?;
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
pub(super) fn prepare(run: &Run<'_>, name: Option<&str>, identity: Option<PathBuf>) -> Result<Own, Error> {
    let name = own_name(run, name)?;
    let identities = ensure_identity(run, identity)?;
    let own = Own { name, keys: identities.public_keys() };
    // A machine that cannot keep a device key works without a cache; here it is only made early.
    run.context.paths.keys.device()?;
    change::memory(run, |memory| own.keys.iter().for_each(|key| memory.trust_recipient(key)))?;
    ensure_store(run, &own)?;
    Ok(own)
}

fn ensure_identity(run: &Run<'_>, from: Option<PathBuf>) -> Result<Identities, Error> {
    let folder = &run.context.paths.keys;
    if let Some(from) = from {
        let path = run.context.absolute(&from);
        let identities = IdentityPlace::Named(path.clone()).load()?;
        let bytes = disk::read(&path, Rules { cap: 64 * 1024, privacy: Privacy::Mounted })?;
        folder.create_identity(&Secret::new(String::from_utf8_lossy(&bytes).into_owned()))?;
        run.ui.note(&format!("Copied the identity to {}", folder.identity_file().display()));
        return Ok(identities);
    }
    let named =
        ["NETO_IDENTITY_FILE", "NETO_IDENTITY"].iter().any(|v| run.context.process.environment.get(v).is_some());
    let was_there = folder.has_identity();
    if !named && !was_there {
        let (text, _) = Identities::generate(run.context.process.clock.now());
        let file = folder.identity_file();
        match folder.create_identity(&text) {
            Ok(()) => run.ui.note(&format!("Made your identity: {} (keep a copy somewhere safe)", file.display())),
            // Another neto was first; its identity is read below.
            Err(KeyError::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !named && was_there {
        run.ui.note(&format!("Your identity was there already: {}", folder.identity_file().display()));
    }
    Ok(run.context.vault.identities()?.clone())
}

fn ensure_store(run: &Run<'_>, own: &Own) -> Result<(), Error> {
    let file = run.context.store_file();
    if file.path().exists() {
        return Ok(());
    }
    let key = own.keys.first().map_or("", String::as_str);
    let empty = Document::parse(b"version = 1\n".to_vec(), Path::new("")).map_err(|_| Error::bug("the empty store"))?;
    let first = empty.apply(&[
        set(&Section::Recipients, &[own.name.as_str()], Value::Text(key.to_owned())),
        set(&Section::Defaults, &["url"], Value::Text(API.to_owned())),
    ])?;
    let held = change::hold(run, file.lock(), "the store")?;
    if file.save_new(&held, first.bytes())? {
        run.ui.note(&format!("Made an empty store: {}", file.path().display()));
    }
    Ok(())
}

fn own_name(run: &Run<'_>, told: Option<&str>) -> Result<RecipientName, Error> {
    if let Some(told) = told {
        return told.parse().map_err(|error| Error::new(Code::Usage, format!("--name: {error}")));
    }
    let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| run.context.process.environment.text(name));
    let lower: String = user.unwrap_or_default().to_lowercase();
    lower.parse().or_else(|_| "me".parse()).map_err(|error| Error::new(Code::Usage, format!("--name: {error}")))
}

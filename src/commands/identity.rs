//! `neto identity`: the key that opens the secrets on this machine; its protection, its copy elsewhere.

use crate::disk;
use crate::error::{Code, Error};
use crate::output::{object, quoted};
use crate::secret::{Found, IdentityPlace, KeyFolder, Secret};
use crate::session::read_passphrase;
use crate::workflow::{Run, locked_edit};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Show, protect, back up and restore the key that opens your secrets
///
/// The identity never leaves this machine but in a backup. Whoever has it opens every secret that is sealed to it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  neto identity show\n  neto identity backup ~/neto-identity.age")]
pub(crate) struct IdentityArgs {
    #[command(subcommand)]
    verb: IdentityVerb,
}

#[derive(Debug, Subcommand)]
enum IdentityVerb {
    /// Print the public key, which others seal to
    #[command(after_help = "Examples:\n  neto identity show\n  neto identity show -o json")]
    Show {
        /// How to print it
        #[arg(short, long, value_enum, default_value_t = Form::Text)]
        output: Form,
    },
    /// Set, change or drop the passphrase of the identity
    ///
    /// The old one is asked for, or read from the file that NETO_PASSPHRASE_FILE names. A cached token never asks.
    #[command(after_help = "Examples:\n  neto identity passphrase\n  neto identity passphrase --remove")]
    Passphrase {
        /// Keep the identity in clear from now on
        #[arg(long)]
        remove: bool,
        /// Take the new passphrase from a file instead of asking
        #[arg(long, value_name = "FILE", conflicts_with = "remove")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Write the identity, encrypted to a passphrase, to keep elsewhere
    ///
    /// The copy is an age file, which `age -d` opens too. Nothing is ever overwritten.
    #[command(
        after_help = "Examples:\n  neto identity backup ~/neto-identity.age\n  neto identity backup > neto-identity.age"
    )]
    Backup {
        /// The file to write; without it the copy goes to standard output
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Take the passphrase of the copy from a file instead of asking
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Take the identity out of a backup, on a new machine
    ///
    /// Its passphrase is asked for, or read from the file that NETO_PASSPHRASE_FILE names. An identity that is there
    /// is never replaced.
    #[command(after_help = "\
Examples:
  neto identity restore neto-identity.age
  neto identity restore neto-identity.age --passphrase    keeps it protected")]
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Keep the identity under the passphrase of the backup
        #[arg(long)]
        passphrase: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// The public key alone
    Text,
    /// An object
    Json,
}

#[derive(Serialize)]
struct Shown {
    place: String,
    protected: bool,
    keys: Vec<String>,
}

/// Runs one of the verbs.
pub(crate) fn run(args: &IdentityArgs, run: &Run<'_>) -> Result<(), Error> {
    match &args.verb {
        IdentityVerb::Show { output } => show(run, *output),
        IdentityVerb::Passphrase { remove, new_passphrase_file } => {
            protect(run, *remove, new_passphrase_file.as_deref())
        }
        IdentityVerb::Backup { file, new_passphrase_file } => {
            backup(run, file.as_deref(), new_passphrase_file.as_deref())
        }
        IdentityVerb::Restore { file, passphrase } => restore(run, file, *passphrase),
    }
}

fn show(run: &Run<'_>, output: Form) -> Result<(), Error> {
    let vault = &run.context.vault;
    let (place, protected) = match vault.place().load()? {
        Found::Open(_) => (vault.place().to_string(), false),
        Found::Protected(protected) => (protected.place, true),
    };
    let mut keys = vault.own_keys();
    if keys.is_empty() {
        keys = vault.identities(&run.watch())?.public_keys();
    }
    let text = match output {
        Form::Json => object(&Shown { place, protected, keys }),
        Form::Text => {
            let how = if protected { "protected by a passphrase" } else { "in clear: whoever reads the file has it" };
            run.ui.note(&format!("{place} ({how})"));
            lines(&keys)
        }
    };
    Ok(run.ui.answer(&text)?)
}

fn protect(run: &Run<'_>, remove: bool, file: Option<&Path>) -> Result<(), Error> {
    let folder = own_folder(run)?;
    let place = IdentityPlace::Standard(folder.clone());
    let (_, old) = run.context.vault.read_identity(&place, &run.watch())?;
    if remove && old.is_none() {
        run.ui.note("The identity has no passphrase");
        return Ok(());
    }
    let new = if remove { None } else { Some(new_passphrase(run, file)?) };
    let held = locked_edit::hold(run, &folder.lock(), "the identity")?;
    // Another neto may have changed it while the questions stood.
    let key = match (place.load()?, &old) {
        (Found::Open(key), _) => key,
        (Found::Protected(protected), Some(old)) => protected.open(old)?,
        (Found::Protected(_), None) => {
            return Err(
                Error::new(Code::Secret, "the identity was protected meanwhile").with_hint("neto identity passphrase")
            );
        }
    };
    folder.protect_identity(&held, &key, new.as_ref())?;
    run.ui.note(match (&old, &new) {
        (_, None) => "The identity is in clear now",
        (None, Some(_)) => "The identity has a passphrase now; keep a copy of both: neto identity backup",
        (Some(_), Some(_)) => "The identity has another passphrase now",
    });
    Ok(())
}

fn backup(run: &Run<'_>, file: Option<&Path>, passphrase: Option<&Path>) -> Result<(), Error> {
    let vault = &run.context.vault;
    let (key, _) = vault.read_identity(vault.place(), &run.watch())?;
    let passphrase = new_passphrase(run, passphrase)?;
    let text = key.under(Some(&passphrase))?;
    let Some(file) = file else { return Ok(run.ui.answer(text.reveal())?) };
    let path = run.context.absolute(file);
    if !disk::create_new_there(&path, text.reveal().as_bytes())? {
        return Err(Error::new(
            Code::Usage,
            format!("{} is there already, and nothing is overwritten", path.display()),
        ));
    }
    run.ui.note(&format!("Wrote {}; with its passphrase it opens every secret that you can open", path.display()));
    Ok(())
}

fn restore(run: &Run<'_>, file: &Path, keep: bool) -> Result<(), Error> {
    let folder = own_folder(run)?;
    let place = IdentityPlace::Backup(run.context.absolute(file));
    let (key, passphrase) = run.context.vault.read_identity(&place, &run.watch())?;
    if passphrase.is_none() {
        return Err(Error::new(Code::Usage, "this is no backup: it has no passphrase")
            .with_hint(format!("neto init --identity {}", quoted(&file.to_string_lossy()))));
    }
    folder.create_identity(&key, passphrase.as_ref().filter(|_| keep))?;
    run.ui.note(&format!("Restored your identity: {}", folder.identity_file().display()));
    Ok(run.ui.answer(&lines(&key.identities.public_keys()))?)
}

/// The folder of the identity file that neto owns; one that was named is its owner's business.
fn own_folder<'a>(run: &'a Run<'_>) -> Result<&'a KeyFolder, Error> {
    match run.context.vault.place() {
        IdentityPlace::Standard(folder) => Ok(folder),
        IdentityPlace::Named(_) | IdentityPlace::Backup(_) => Err(elsewhere("NETO_IDENTITY_FILE")),
        IdentityPlace::Text(_) => Err(elsewhere("NETO_IDENTITY")),
    }
}

fn elsewhere(variable: &str) -> Error {
    Error::new(Code::Usage, format!("{variable} is set, so the identity is not neto's to change"))
        .with_hint(format!("unset {variable}"))
}

/// A new passphrase: from this file, else asked for twice.
pub(super) fn new_passphrase(run: &Run<'_>, file: Option<&Path>) -> Result<Secret, Error> {
    let passphrase = match file {
        Some(file) => read_passphrase(&run.context.absolute(file))?,
        None => ask_twice(run)?,
    };
    if passphrase.is_empty() {
        return Err(Error::new(Code::Usage, "an empty passphrase protects nothing"));
    }
    Ok(passphrase)
}

fn ask_twice(run: &Run<'_>) -> Result<Secret, Error> {
    if !run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "there is nobody to ask for a new passphrase")
            .with_hint("read it from a file: --new-passphrase-file FILE"));
    }
    let first = run.ui.hidden("New passphrase (not shown): ")?;
    let again = run.ui.hidden("The same again: ")?;
    if first != again {
        return Err(Error::new(Code::Usage, "the two passphrases differ; nothing changed"));
    }
    Ok(Secret::new(first.to_string()))
}

fn lines(keys: &[String]) -> String {
    keys.join("\n") + "\n"
}

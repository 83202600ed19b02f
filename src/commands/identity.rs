//! `neto identity`: shows, protects, backs up and restores the age identity of this machine.

use crate::disk;
use crate::error::{Code, Error, Hint};
use crate::output::{quote_for_display, render_json};
use crate::secret::{IdentityLocation, KeyDirectory, LoadedIdentity, Secret};
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
        #[arg(short, long, value_enum, default_value_t = IdentityFormat::Text)]
        output: IdentityFormat,
    },
    /// Set, change or drop the passphrase of the identity
    ///
    /// The old one is asked for, or read from the file that NETO_PASSPHRASE_FILE names. A cached token never asks.
    #[command(after_help = "Examples:\n  neto identity passphrase\n  neto identity passphrase --remove")]
    Passphrase {
        /// Remove the passphrase; the identity is stored in plaintext
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
enum IdentityFormat {
    /// The public key alone
    Text,
    /// An object
    Json,
}

#[derive(Serialize)]
struct IdentityReport {
    place: String,
    protected: bool,
    keys: Vec<String>,
}

/// Runs a subcommand.
pub(crate) fn run(args: &IdentityArgs, run: &Run<'_>) -> Result<(), Error> {
    match &args.verb {
        IdentityVerb::Show { output } => show(run, *output),
        IdentityVerb::Passphrase { remove, new_passphrase_file } => {
            change_passphrase(run, *remove, new_passphrase_file.as_deref())
        }
        IdentityVerb::Backup { file, new_passphrase_file } => {
            backup(run, file.as_deref(), new_passphrase_file.as_deref())
        }
        IdentityVerb::Restore { file, passphrase } => restore(run, file, *passphrase),
    }
}

fn show(run: &Run<'_>, output: IdentityFormat) -> Result<(), Error> {
    let vault = &run.context.vault;
    let (place, protected) = match vault.identity_location().load()? {
        LoadedIdentity::Plaintext(_) => (vault.identity_location().to_string(), false),
        LoadedIdentity::Protected(protected) => (protected.location, true),
    };
    let mut keys = vault.own_keys();
    if keys.is_empty() {
        keys = vault.identities(&run.reporter())?.public_keys();
    }
    let text = match output {
        IdentityFormat::Json => render_json(&IdentityReport { place, protected, keys }),
        IdentityFormat::Text => {
            let protection =
                if protected { "protected by a passphrase" } else { "in clear: whoever reads the file has it" };
            run.ui.note(&format!("{place} ({protection})"));
            join_lines(&keys)
        }
    };
    Ok(run.ui.print(&text)?)
}

fn change_passphrase(run: &Run<'_>, remove: bool, passphrase_file: Option<&Path>) -> Result<(), Error> {
    let directory = own_key_directory(run)?;
    let location = IdentityLocation::Standard(directory.clone());
    let (_, old) = run.context.vault.read_identity(&location, &run.reporter())?;
    if remove && old.is_none() {
        run.ui.note("The identity has no passphrase");
        return Ok(());
    }
    let new = if remove { None } else { Some(new_passphrase(run, passphrase_file)?) };
    let lock = locked_edit::acquire_lock(run, &directory.lock(), "the identity")?;
    // Another neto process may have changed the identity during the prompts.
    let key = match (location.load()?, &old) {
        (LoadedIdentity::Plaintext(key), _) => key,
        (LoadedIdentity::Protected(protected), Some(old)) => protected.open(old)?,
        (LoadedIdentity::Protected(_), None) => {
            return Err(Error::new(Code::Secret, "the identity was protected meanwhile")
                .with_hint(Hint::command("neto identity passphrase")));
        }
    };
    directory.rewrite_identity(&lock, &key, new.as_ref())?;
    run.ui.note(match (&old, &new) {
        (_, None) => "The identity is in clear now",
        (None, Some(_)) => "The identity has a passphrase now; keep a copy of both: neto identity backup",
        (Some(_), Some(_)) => "The identity has another passphrase now",
    });
    Ok(())
}

fn backup(run: &Run<'_>, file: Option<&Path>, passphrase_file: Option<&Path>) -> Result<(), Error> {
    let vault = &run.context.vault;
    let (key, _) = vault.read_identity(vault.identity_location(), &run.reporter())?;
    let passphrase = new_passphrase(run, passphrase_file)?;
    let text = key.file_contents(Some(&passphrase))?;
    let Some(file) = file else { return Ok(run.ui.print(text.reveal())?) };
    let path = run.context.absolute(file);
    if !disk::create_new_in_existing_dir(&path, text.reveal().as_bytes())? {
        return Err(Error::new(
            Code::Usage,
            format!("{} is there already, and nothing is overwritten", path.display()),
        ));
    }
    run.ui.note(&format!("Wrote {}; with its passphrase it opens every secret that you can open", path.display()));
    Ok(())
}

fn restore(run: &Run<'_>, file: &Path, keep_passphrase: bool) -> Result<(), Error> {
    let directory = own_key_directory(run)?;
    let location = IdentityLocation::Backup(run.context.absolute(file));
    let (key, passphrase) = run.context.vault.read_identity(&location, &run.reporter())?;
    if passphrase.is_none() {
        return Err(Error::new(Code::Usage, "this is no backup: it has no passphrase")
            .with_hint(Hint::command(format!("neto init --identity {}", quote_for_display(&file.to_string_lossy())))));
    }
    directory.create_identity(&key, passphrase.as_ref().filter(|_| keep_passphrase))?;
    run.ui.note(&format!("Restored your identity: {}", directory.identity_file().display()));
    Ok(run.ui.print(&join_lines(&key.identities.public_keys()))?)
}

/// Returns the directory of neto's own identity file.
///
/// # Errors
/// Returns an error if an environment variable selects another identity, which neto never changes.
fn own_key_directory<'a>(run: &'a Run<'_>) -> Result<&'a KeyDirectory, Error> {
    match run.context.vault.identity_location() {
        IdentityLocation::Standard(directory) => Ok(directory),
        IdentityLocation::UserFile(_) | IdentityLocation::Backup(_) => {
            Err(identity_not_managed_error("NETO_IDENTITY_FILE"))
        }
        IdentityLocation::EnvValue(_) => Err(identity_not_managed_error("NETO_IDENTITY")),
    }
}

fn identity_not_managed_error(variable: &str) -> Error {
    Error::new(Code::Usage, format!("{variable} is set, so the identity is not neto's to change"))
        .with_hint(Hint::command(format!("unset {variable}")))
}

/// Reads a new passphrase from a file, or prompts for it twice.
///
/// # Errors
/// Returns an error if the passphrase cannot be read or is empty. Also returns an error if the user enters different
/// text at the two prompts.
pub(super) fn new_passphrase(run: &Run<'_>, file: Option<&Path>) -> Result<Secret, Error> {
    let passphrase = match file {
        Some(file) => read_passphrase(&run.context.absolute(file))?,
        None => prompt_twice(run)?,
    };
    if passphrase.is_empty() {
        return Err(Error::new(Code::Usage, "an empty passphrase protects nothing"));
    }
    Ok(passphrase)
}

fn prompt_twice(run: &Run<'_>) -> Result<Secret, Error> {
    if !run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "there is nobody to ask for a new passphrase")
            .with_hint(Hint::advice("read it from a file: --new-passphrase-file FILE")));
    }
    let first = run.ui.prompt_hidden("New passphrase (not shown): ")?;
    let second = run.ui.prompt_hidden("The same again: ")?;
    if first != second {
        return Err(Error::new(Code::Usage, "the two passphrases differ; nothing changed"));
    }
    Ok(Secret::new(first.to_string()))
}

fn join_lines(keys: &[String]) -> String {
    keys.join("\n") + "\n"
}

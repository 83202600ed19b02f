//! `neto profile use`: which profile is meant when nothing else says which.

use super::pick::picked;
use crate::commands::export::asking;
use crate::commands::{Run, change};
use crate::error::{Code, Error};
use crate::output::{Shell, quoted};
use crate::profile::{Current, Origin, ProfileName, explain};
use clap::Args;

/// Switch to a profile, for all shells
///
/// Without NAME, at a terminal, it is chosen from a list: the current one is on top and bears a *; what is
/// typed is looked for in names, tenants, tags and descriptions (prd finds acme-prod); the arrows, Ctrl-N,
/// Ctrl-P and the page keys move; Enter chooses. Esc leaves everything as it was (exit 2), and so does
/// Ctrl-C (exit 130). A terminal that can only print (TERM=dumb) shows numbers instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto use          choose from a list
  neto use acme
  neto use -        back to the one before")]
pub(crate) struct UseArgs {
    /// The profile, or - for the one before
    #[arg(value_name = "PROFILE", allow_hyphen_values = true)]
    name: Option<String>,
    /// No profile is current any more
    #[arg(long, conflicts_with = "name")]
    none: bool,
}

/// Sets the current profile.
pub(crate) fn run(args: &UseArgs, run: &Run<'_>) -> Result<(), Error> {
    let name = match args.name.as_deref().or(run.context.globals.profile.as_deref()) {
        _ if args.none => None,
        None => Some(picked(run)?),
        Some("-") => Some(previous(run)?),
        Some(text) => Some(known(run, text)?),
    };
    change::current(run, |current| current.switched(name.clone()))?;
    match &name {
        Some(name) => run.ui.note(&format!("Now using '{name}'")),
        None => run.ui.note("No profile is current"),
    }
    tell_what_hides_it(run, name.as_ref())
}

fn previous(run: &Run<'_>) -> Result<ProfileName, Error> {
    let before = Current::load(&run.context.current_file())?;
    let name = before.previous.ok_or_else(|| {
        Error::new(Code::Store, "no profile was current before this one").with_hint("neto profile use NAME")
    })?;
    known(run, name.as_str())
}

fn known(run: &Run<'_>, text: &str) -> Result<ProfileName, Error> {
    let choice = run.context.choose(Some(text))?;
    if choice.name.is_env() {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; it cannot be switched to"));
    }
    Ok(choice.name)
}

/// A current profile that nothing will use is a trap.
fn tell_what_hides_it(run: &Run<'_>, name: Option<&ProfileName>) -> Result<(), Error> {
    let store = run.context.store()?;
    if store.explicit && name.is_some() {
        run.ui.warn("the store wants every command to name its profile (explicit = true), so this has no effect");
    }
    let sources = run.context.sources(None);
    let winner = explain(&sources, store).into_iter().find(|said| said.wins);
    let hidden = winner.filter(|said| said.text.as_deref() != name.map(ProfileName::as_str));
    let Some(hidden) = hidden else { return Ok(()) };
    let text = hidden.text.unwrap_or_default();
    match hidden.origin {
        Origin::Variable => {
            let end = unset_line(run, "NETO_PROFILE");
            run.ui.warn(&format!("NETO_PROFILE is set to '{text}' and is stronger here; end that with\n{end}"));
        }
        Origin::Netosecret => {
            let end = unset_line(run, "NETOSECRET");
            run.ui.warn(&format!("NETOSECRET is set and is stronger here; end that with\n{end}"));
        }
        Origin::Pin(Some(path)) => {
            let end = quoted(&path.to_string_lossy());
            run.ui.warn(&format!("{} holds '{text}' and is stronger here; end that with\nrm {end}", path.display()));
        }
        _ => {}
    }
    Ok(())
}

/// The line that unsets a variable, in the words of the shell that asks.
fn unset_line(run: &Run<'_>, name: &str) -> String {
    match asking(run.context.process.parent) {
        Shell::Fish => format!("set -e {name}"),
        Shell::Nu => format!("hide-env {name}"),
        Shell::Powershell => format!("Remove-Item Env:{name}"),
        Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset {name}"),
    }
}

//! `neto profile use`: which profile is meant when nothing else says which; with the hook, in one shell.

use super::pick::picked;
use crate::commands::export::asking;
use crate::commands::hook;
use crate::error::{Code, Error};
use crate::output::{Shell, quoted};
use crate::profile::{Current, Origin, ProfileName, Sources, explain};
use crate::workflow::{Run, locked_edit, shell_state};
use clap::Args;

/// Switch to a profile, for all shells or, with the hook (neto hook), for this one
///
/// With the hook the choice of one shell is stronger than a .neto-profile and than what is chosen for all, until --none
/// ends it. What an export of another profile has set in the shell is dropped.
///
/// Without PROFILE, at a terminal, it is chosen from a list: the current one is on top and bears a *; what is
/// typed is looked for in names, tenants, tags and descriptions (prd finds acme-prod); the arrows, Ctrl-N,
/// Ctrl-P and the page keys move; Enter chooses. Esc leaves everything as it was (exit 2), and so does
/// Ctrl-C (exit 130). A terminal that can only print (TERM=dumb) shows numbers instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto use                   choose from a list
  neto use acme
  neto use -                 back to the one before
  neto use --global acme     for all shells, also with the hook")]
pub(crate) struct UseArgs {
    /// The profile, or - for the one before
    #[arg(value_name = "PROFILE", allow_hyphen_values = true)]
    name: Option<String>,
    /// No profile is current any more; with the hook, this shell chooses none of its own
    #[arg(long, conflicts_with = "name")]
    none: bool,
    /// For all shells, as it is without the hook
    #[arg(long)]
    global: bool,
}

/// Sets the current profile, or that of the shell whose hook asks.
pub(crate) fn run(args: &UseArgs, run: &Run<'_>) -> Result<(), Error> {
    let hook = shell_state::caller(&run.context.process.environment);
    let one_shell = hook.filter(|_| !args.global);
    let before = match one_shell {
        Some(shell) => hook::of_this_shell(run, shell)?,
        None => Current::load(&run.context.current_file())?,
    };
    let name = match args.name.as_deref().or(run.context.globals.profile.as_deref()) {
        _ if args.none => None,
        None => Some(picked(
            run,
            one_shell.map_or_else(|| run.current_of_all_shells(), |_| before.current.clone()).as_ref(),
        )?),
        Some("-") => Some(previous(&before, run)?),
        Some(text) => Some(known(run, text)?),
    };
    match one_shell {
        Some(shell) => shell_state::hand_over(run, shell, &hook::switch(run, before, name)),
        None => for_all_shells(run, name.as_ref(), hook),
    }
}

/// Switches all shells. The one whose hook asks drops what it exported at once, and not only before its next prompt.
fn for_all_shells(run: &Run<'_>, name: Option<&ProfileName>, hook: Option<Shell>) -> Result<(), Error> {
    locked_edit::current(run, |current| current.switched(name.cloned()))?;
    match name {
        Some(name) => run.ui.note(&format!("Now using '{name}'")),
        None => run.ui.note("No profile is current"),
    }
    let Some(shell) = hook else { return tell_what_hides_it(run, name, &run.context.sources(None)) };
    // In another store nothing was chosen for this shell.
    let elsewhere = run.context.globals.store.is_some();
    let change = if elsewhere { shell_state::Change::default() } else { hook::outdated(run, shell) };
    let sources = if change.is_drop() { shell_state::untyped(run) } else { run.context.sources(None) };
    tell_what_hides_it(run, name, &sources)?;
    shell_state::hand_over(run, shell, &change)
}

fn previous(before: &Current, run: &Run<'_>) -> Result<ProfileName, Error> {
    let name = before.previous.as_ref().ok_or_else(|| {
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
fn tell_what_hides_it(run: &Run<'_>, name: Option<&ProfileName>, sources: &Sources<'_>) -> Result<(), Error> {
    let store = run.context.store()?;
    if store.explicit && name.is_some() {
        run.ui.warn("the store wants every command to name its profile (explicit = true), so this has no effect");
    }
    let winner = explain(sources, store).into_iter().find(|said| said.wins);
    let hidden = winner.filter(|said| said.text.as_deref() != name.map(ProfileName::as_str));
    let Some(hidden) = hidden else { return Ok(()) };
    let text = hidden.text.unwrap_or_default();
    let environment = &run.context.process.environment;
    match hidden.origin {
        Origin::Variable
            if shell_state::caller(environment).is_some() && shell_state::used(environment).as_ref() == Some(&text) =>
        {
            run.ui.warn(&format!("this shell uses '{text}' and that is stronger here; end that with\nneto use --none"));
        }
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

/// The line that unsets a variable, in the words of the shell that asks. What came with a token goes with it: that of
/// another profile must not stay behind.
fn unset_line(run: &Run<'_>, name: &str) -> String {
    let shell = asking(run.context.process.parent);
    let environment = &run.context.process.environment;
    if shell_state::was_exported(environment, name)
        || (name == shell_state::PROFILE && shell_state::has_variables(environment))
    {
        return shell.evaluating("neto export --unset");
    }
    match shell {
        Shell::Fish => format!("set -e {name}"),
        Shell::Nu => format!("hide-env {name}"),
        Shell::Powershell => format!("Remove-Item Env:{name}"),
        Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset {name}"),
    }
}

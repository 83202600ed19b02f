//! `neto profile use`: sets the current profile, for all shells or, with the hook, for one shell.

use super::pick::pick_profile;
use crate::commands::export::calling_shell;
use crate::commands::hook;
use crate::error::{Code, Error, Hint};
use crate::output::{Shell, quote_for_display};
use crate::profile::{Current, ProfileName, ProfileOrigin, ProfileSources, explain_resolution};
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

/// Sets the current profile. With the hook and without `--global`, sets the profile only in the calling shell;
/// otherwise sets the profile for all shells.
pub(crate) fn run(args: &UseArgs, run: &Run<'_>) -> Result<(), Error> {
    let hook_shell = shell_state::hook_shell(&run.context.process.environment);
    let target_shell = hook_shell.filter(|_| !args.global);
    let selection = match target_shell {
        Some(shell) => hook::shell_selection(run, shell)?,
        None => Current::load(&run.context.current_file())?,
    };
    let name = match args.name.as_deref().or(run.context.globals.profile.as_deref()) {
        _ if args.none => None,
        None => Some(pick_profile(
            run,
            target_shell.map_or_else(|| run.global_current_name(), |_| selection.current.clone()).as_ref(),
        )?),
        Some("-") => Some(previous_profile(&selection, run)?),
        Some(text) => Some(resolve_name(run, text)?),
    };
    match target_shell {
        Some(shell) => shell_state::print_for_hook(run, shell, &hook::switch_shell(run, selection, name)),
        None => switch_all_shells(run, name.as_ref(), hook_shell),
    }
}

/// Switches all shells. With the hook, the calling shell drops an outdated export now instead of before its next
/// prompt.
fn switch_all_shells(run: &Run<'_>, name: Option<&ProfileName>, hook_shell: Option<Shell>) -> Result<(), Error> {
    locked_edit::edit_current_profile(run, |current| current.switched_to(name.cloned()))?;
    match name {
        Some(name) => run.ui.note(&format!("Now using '{name}'")),
        None => run.ui.note("No profile is current"),
    }
    let Some(shell) = hook_shell else { return warn_if_overridden(run, name, &run.context.sources(None)) };
    // The export and the profile of this shell belong to the shell's store, so `--store` leaves both unchanged.
    let is_other_store = run.context.globals.store.is_some();
    let update =
        if is_other_store { shell_state::ShellUpdate::default() } else { hook::drop_outdated_export(run, shell) };
    let sources =
        if update.drops_export() { shell_state::sources_without_argument(run) } else { run.context.sources(None) };
    warn_if_overridden(run, name, &sources)?;
    shell_state::print_for_hook(run, shell, &update)
}

fn previous_profile(selection: &Current, run: &Run<'_>) -> Result<ProfileName, Error> {
    let name = selection.previous.as_ref().ok_or_else(|| {
        Error::new(Code::Store, "no profile was current before this one")
            .with_hint(Hint::command("neto profile use NAME"))
    })?;
    resolve_name(run, name.as_str())
}

fn resolve_name(run: &Run<'_>, name: &str) -> Result<ProfileName, Error> {
    let resolved = run.context.resolve(Some(name))?;
    if resolved.name.is_env() {
        return Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; it cannot be switched to"));
    }
    Ok(resolved.name)
}

/// Warns if the new current profile has no effect: another source overrides it, or the store requires a named profile.
fn warn_if_overridden(run: &Run<'_>, name: Option<&ProfileName>, sources: &ProfileSources<'_>) -> Result<(), Error> {
    let store = run.context.store()?;
    if store.explicit && name.is_some() {
        run.ui.warn("the store wants every command to name its profile (explicit = true), so this has no effect");
    }
    let winner = explain_resolution(sources, store).into_iter().find(|report| report.is_winner);
    let overriding = winner.filter(|report| report.value.as_deref() != name.map(ProfileName::as_str));
    let Some(overriding) = overriding else { return Ok(()) };
    let overriding_name = overriding.value.unwrap_or_default();
    let environment = &run.context.process.environment;
    match overriding.origin {
        ProfileOrigin::NetoProfile
            if shell_state::hook_shell(environment).is_some()
                && shell_state::shell_profile(environment).as_ref() == Some(&overriding_name) =>
        {
            run.ui.warn(&format!(
                "this shell uses '{overriding_name}' and that is stronger here; end that with\nneto use --none"
            ));
        }
        ProfileOrigin::NetoProfile => {
            let command = unset_command(run, "NETO_PROFILE");
            run.ui.warn(&format!(
                "NETO_PROFILE is set to '{overriding_name}' and is stronger here; end that with\n{command}"
            ));
        }
        ProfileOrigin::Netosecret => {
            let command = unset_command(run, "NETOSECRET");
            run.ui.warn(&format!("NETOSECRET is set and is stronger here; end that with\n{command}"));
        }
        ProfileOrigin::Pin(Some(path)) => {
            let quoted_path = quote_for_display(&path.to_string_lossy());
            run.ui.warn(&format!(
                "{} holds '{overriding_name}' and is stronger here; end that with\nrm {quoted_path}",
                path.display()
            ));
        }
        _ => {}
    }
    Ok(())
}

/// Returns the command that unsets a variable in the calling shell. If an export set the variable, the command unsets
/// all variables of that export.
fn unset_command(run: &Run<'_>, name: &str) -> String {
    let shell = calling_shell(run.context.process.parent);
    let environment = &run.context.process.environment;
    if shell_state::was_exported(environment, name)
        || (name == shell_state::PROFILE_VARIABLE && shell_state::has_profile_variables(environment))
    {
        return shell.eval_command("neto export --unset");
    }
    match shell {
        Shell::Fish => format!("set -e {name}"),
        Shell::Nu => format!("hide-env {name}"),
        Shell::Powershell => format!("Remove-Item Env:{name}"),
        Shell::Sh | Shell::Bash | Shell::Zsh => format!("unset {name}"),
    }
}

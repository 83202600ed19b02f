//! `neto use` in one shell: the profile selected in the shell, and the update that changes it.

use crate::error::{Code, Error, Hint};
use crate::output::{Shell, quote_for_display};
use crate::profile::{self, Current, ProfileName, ProfileSources};
use crate::workflow::Run;
use crate::workflow::shell_state::{
    self, PROFILE_VARIABLE, SHELL_PREVIOUS_VARIABLE, SHELL_PROFILE_VARIABLE, STORE_VARIABLE, ShellUpdate,
};

/// Returns the current and the previous profile of the shell whose hook runs this command.
///
/// # Errors
/// Returns an error with `--store`, or if an export set `NETO_STORE`. In both cases, later commands in the shell would
/// look up the selected profile in another store.
pub(in crate::commands) fn shell_selection(run: &Run<'_>, shell: Shell) -> Result<Current, Error> {
    let environment = &run.context.process.environment;
    if let Some(store) = &run.context.globals.store {
        let store = quote_for_display(&run.context.absolute(store).to_string_lossy());
        return Err(Error::new(Code::Usage, "a shell chooses from its own store, not from one behind --store")
            .with_hint(Hint::command(format!("export NETO_STORE={store}")).remark("or the same line with --global")));
    }
    if shell_state::was_exported(environment, STORE_VARIABLE) {
        return Err(Error::new(Code::Usage, "the store of this shell came with an export, and would go with it")
            .with_hint(Hint::command(shell.eval_command("neto export --unset"))));
    }
    let previous = environment.text(SHELL_PREVIOUS_VARIABLE).and_then(|name| name.parse().ok());
    let current = resolve_sources(run, shell_state::sources_without_argument(run))?.filter(|name| !name.is_env());
    Ok(Current { current, previous })
}

/// Returns the update that selects `name` in the calling shell. If `name` is `None`, the update removes the shell's
/// selection. Prints the change.
///
/// The update also drops the exported variables of another profile. Otherwise a program later in the same command line
/// could use them.
pub(in crate::commands) fn switch_shell(run: &Run<'_>, selection: Current, name: Option<ProfileName>) -> ShellUpdate {
    let environment = &run.context.process.environment;
    let resolved = name.clone().or_else(|| {
        resolve_sources(run, ProfileSources { neto_profile: None, ..shell_state::sources_without_argument(run) })
            .ok()
            .flatten()
    });
    let mut update = ShellUpdate::default();
    if !shell_state::has_profile_variables(environment) {
        update.unset.push(PROFILE_VARIABLE.to_owned());
    } else if let Some(exported_profile) = shell_state::describe_other_export(run, resolved.as_ref()) {
        run.ui.note(&format!("Dropped the variables of {exported_profile}"));
        update.unset.extend(shell_state::names_to_unset_except_own_secret(environment));
    }
    run.ui.note(&match (&name, &resolved) {
        (Some(name), _) => format!("Now using '{name}' in this shell"),
        (None, Some(resolved)) => format!("This shell chooses no profile of its own; '{resolved}' is meant here"),
        (None, None) => "This shell chooses no profile of its own, and nothing else does".to_owned(),
    });
    if let Some(name) = &name {
        update.set.push((PROFILE_VARIABLE.to_owned(), name.to_string()));
    }
    for (variable, value) in
        [(SHELL_PREVIOUS_VARIABLE, selection.switched_to(name.clone()).previous), (SHELL_PROFILE_VARIABLE, name)]
    {
        match value {
            Some(value) => update.set.push((variable.to_owned(), value.to_string())),
            None => update.unset.push(variable.to_owned()),
        }
    }
    update
}

/// Returns the profile that these sources select; `None` if they select none or cannot be resolved.
///
/// # Errors
/// Returns an error if the store cannot be read.
fn resolve_sources(run: &Run<'_>, sources: ProfileSources<'_>) -> Result<Option<ProfileName>, Error> {
    Ok(profile::resolve_in_store(sources.resolve_name(), run.context.store()?).ok().map(|choice| choice.name))
}

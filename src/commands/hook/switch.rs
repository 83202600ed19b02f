//! `neto use` in one shell: what is chosen there, and the text that changes it.

use crate::error::{Code, Error};
use crate::output::{Shell, quoted};
use crate::profile::{self, Current, ProfileName, Sources};
use crate::workflow::Run;
use crate::workflow::shell_state::{self, Change, PROFILE, STORE, USED, USED_BEFORE};

/// What is chosen in the shell whose hook asks, and what was before.
///
/// # Errors
/// Another store than the shell's own is meant, in which its `NETO_PROFILE` would not be looked for.
pub(in crate::commands) fn of_this_shell(run: &Run<'_>, shell: Shell) -> Result<Current, Error> {
    let environment = &run.context.process.environment;
    if let Some(store) = &run.context.globals.store {
        let store = quoted(&run.context.absolute(store).to_string_lossy());
        return Err(Error::new(Code::Usage, "a shell chooses from its own store, not from one behind --store")
            .with_hint(format!("export NETO_STORE={store}    or the same line with --global")));
    }
    if shell_state::was_exported(environment, STORE) {
        return Err(Error::new(Code::Usage, "the store of this shell came with an export, and would go with it")
            .with_hint(shell.evaluating("neto export --unset")));
    }
    let previous = environment.text(USED_BEFORE).and_then(|name| name.parse().ok());
    let current = choice(run, shell_state::untyped(run))?.filter(|name| !name.is_env());
    Ok(Current { current, previous })
}

/// What the shell whose hook asks is to do, so that `name` is chosen there, or nothing by the shell itself. What it
/// exported of another profile is dropped at once: the rest of the line may be a program that would use it.
pub(in crate::commands) fn switch(run: &Run<'_>, before: Current, name: Option<ProfileName>) -> Change {
    let environment = &run.context.process.environment;
    let after =
        name.clone().or_else(|| choice(run, Sources { variable: None, ..shell_state::untyped(run) }).ok().flatten());
    let mut change = Change::default();
    if !shell_state::has_variables(environment) {
        change.unset.push(PROFILE.to_owned());
    } else if let Some(whose) = shell_state::exported_beside(run, after.as_ref()) {
        run.ui.note(&format!("Dropped the variables of {whose}"));
        change.unset.extend(shell_state::left(environment));
    }
    run.ui.note(&match (&name, &after) {
        (Some(name), _) => format!("Now using '{name}' in this shell"),
        (None, Some(after)) => format!("This shell chooses no profile of its own; '{after}' is meant here"),
        (None, None) => "This shell chooses no profile of its own, and nothing else does".to_owned(),
    });
    if let Some(name) = &name {
        change.set.push((PROFILE.to_owned(), name.to_string()));
    }
    for (variable, value) in [(USED_BEFORE, before.switched(name.clone()).previous), (USED, name)] {
        match value {
            Some(value) => change.set.push((variable.to_owned(), value.to_string())),
            None => change.unset.push(variable.to_owned()),
        }
    }
    change
}

/// The profile that these places choose; nothing where they choose none, or none that there is.
fn choice(run: &Run<'_>, sources: Sources<'_>) -> Result<Option<ProfileName>, Error> {
    Ok(profile::settle(sources.meant(), run.context.store()?).ok().map(|choice| choice.name))
}

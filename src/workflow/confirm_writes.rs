//! Confirmation before calls that write, with the `--read-only` and `--yes` flags.
//!
//! Owns the rule that decides when to ask, and the wording of the question. `fusion` decides whether a call reads or
//! writes.

use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::profile::Profile;
use crate::workflow::Run;
use crate::workflow::batch::first_names;
use clap::Args;

/// Flags that allow or refuse calls that write.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ConfirmArgs {
    /// Do not ask before a call that writes
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Refuse every call that writes, on any profile and also with --yes
    #[arg(long)]
    pub(crate) read_only: bool,
}

impl ConfirmArgs {
    /// Confirms that `call` (`DELETE /api/v1/tags/old`) may be sent to these profiles. Asks once, and only if the call
    /// writes and there are several profiles or a protected one.
    ///
    /// # Errors
    /// Returns an error with exit code 2 if `--read-only` forbids the call. The exit code is also 2 if there is no
    /// terminal for the question, or if the answer is not yes.
    pub(crate) fn confirm_call(
        self,
        run: &Run<'_>,
        call: &str,
        is_writing: bool,
        profiles: &[&Profile],
    ) -> Result<(), Error> {
        if !is_writing {
            return Ok(());
        }
        if self.read_only {
            return Err(Error::new(Code::Usage, format!("--read-only refuses {call}, which writes"))
                .with_hint(Hint::advice("the same line without --read-only, if it may")));
        }
        confirm_for_profiles(run, self.yes, &format!("Send {call} to"), profiles, || {
            Hint::advice("the same line with --yes")
        })
    }
}

/// Asks once whether to do `action` ("Send DELETE /api/v1/tags/old to") for these profiles. Does not ask for a single
/// unprotected profile, or if `is_confirmed`. `hint` says how to confirm without a terminal.
///
/// # Errors
/// Returns an error with exit code 2 if there is no terminal, or the answer is not yes.
pub(crate) fn confirm_for_profiles(
    run: &Run<'_>,
    is_confirmed: bool,
    action: &str,
    profiles: &[&Profile],
    hint: impl FnOnce() -> Hint,
) -> Result<(), Error> {
    let needs_confirmation = profiles.len() > 1 || profiles.iter().any(|profile| profile.protected);
    if is_confirmed || !needs_confirmation {
        return Ok(());
    }
    run.confirm(&format!("{action} {}?", describe_targets(profiles)), hint())
}

/// Describes a single tenant, or the number of profiles with their names and the protected names.
fn describe_targets(profiles: &[&Profile]) -> String {
    if let [profile] = profiles {
        let tenant = profile.shortname.as_ref().or(profile.username.as_ref());
        let tenant = tenant.map_or_else(|| profile.name.as_str(), String::as_str);
        return format!("the tenant '{tenant}' (profile {}, protected)", profile.name);
    }
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let protected: Vec<&str> =
        profiles.iter().filter(|profile| profile.protected).map(|profile| profile.name.as_str()).collect();
    let protected =
        if protected.is_empty() { String::new() } else { format!("; protected: {}", first_names(&protected)) };
    format!("{} ({}{protected})", pluralize(names.len(), "profile"), first_names(&names))
}

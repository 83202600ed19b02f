//! What stands before a call that writes: the user's word where a customer is protected or several are meant, and the
//! refusal that a script asked for.
//!
//! Owns when neto asks before it changes something at a server, and how the question reads. Which calls write is known
//! to `fusion`; what they do, to nobody here.

use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::profile::Profile;
use crate::workflow::Run;
use crate::workflow::batch::some;
use clap::Args;

/// How far calls that write may go.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Guard {
    /// Do not ask before a call that writes
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Refuse every call that writes, on any profile and also with --yes
    #[arg(long)]
    pub(crate) read_only: bool,
}

impl Guard {
    /// Lets `call` (`DELETE /api/v1/tags/old`) be sent to these profiles. One that writes is asked about, once, where a
    /// profile is protected or there are several.
    ///
    /// # Errors
    /// Exit 2: `--read-only`, nobody to ask, or an answer that is not yes.
    pub(crate) fn allow(self, run: &Run<'_>, call: &str, writes: bool, profiles: &[&Profile]) -> Result<(), Error> {
        if !writes {
            return Ok(());
        }
        if self.read_only {
            return Err(Error::new(Code::Usage, format!("--read-only refuses {call}, which writes"))
                .with_hint("the same line without --read-only, if it may"));
        }
        ask(run, self.yes, &format!("Send {call} to"), profiles, || "the same line with --yes".to_owned())
    }
}

/// Asks, once, whether `what` ("Send DELETE /api/v1/tags/old to") is meant for these profiles, where one is protected or
/// there are several; a `yes` beforehand is an answer. `line` is the way to give it where there is nobody to ask.
///
/// # Errors
/// Exit 2: nobody to ask, or an answer that is not yes.
pub(crate) fn ask(
    run: &Run<'_>,
    yes: bool,
    what: &str,
    profiles: &[&Profile],
    line: impl FnOnce() -> String,
) -> Result<(), Error> {
    let asks = profiles.len() > 1 || profiles.iter().any(|profile| profile.protected);
    if yes || !asks {
        return Ok(());
    }
    run.confirm(&format!("{what} {}?", whom(profiles)), &line())
}

/// The one tenant, or how many, with those that are protected.
fn whom(profiles: &[&Profile]) -> String {
    if let [profile] = profiles {
        let tenant = profile.shortname.as_ref().or(profile.username.as_ref());
        let tenant = tenant.map_or_else(|| profile.name.as_str(), String::as_str);
        return format!("the tenant '{tenant}' (profile {}, protected)", profile.name);
    }
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let protected: Vec<&str> =
        profiles.iter().filter(|profile| profile.protected).map(|profile| profile.name.as_str()).collect();
    let protected = if protected.is_empty() { String::new() } else { format!("; protected: {}", some(&protected)) };
    format!("{} ({}{protected})", count(names.len(), "profile"), some(&names))
}

//! Steps that several commands share: selecting profiles, getting a token, editing the store under its lock, and
//! running batches.
//!
//! Owns [`Run`], which every command receives. Holds nothing that belongs to one command, and imports no command.
#![allow(clippy::doc_markdown, reason = "comments of arguments are the help that users read")]

pub(crate) mod batch;
pub(crate) mod confirm_writes;
pub(crate) mod decoy;
pub(crate) mod exported_variables;
pub(crate) mod git;
pub(crate) mod locked_edit;
pub(crate) mod reporter;
pub(crate) mod sealing;
pub(crate) mod selection;
pub(crate) mod shell_state;

pub(crate) use batch::{Batch, JobsArgs};
pub(crate) use confirm_writes::ConfirmArgs;
pub(crate) use reporter::TerminalReporter;
pub(crate) use selection::{SelectArgs, TokenRequestArgs};

use crate::context::Context;
use crate::disk;
use crate::error::{Code, Error, Hint};
use crate::output::Ui;
use crate::profile::{Current, Profile, ProfileName};
use crate::secret::{KeyError, OpenError};
use crate::session::{AccessToken, LoadedProfile, Login, Reporter as _, SessionError, TokenRequest, VaultError};
use jiff::civil::Date;
use selection::SelectedProfile;
use std::io::Read as _;
use zeroize::Zeroizing;

/// Context and user interface of one run, which every command receives.
pub(crate) struct Run<'a> {
    /// Paths, process and profile store.
    pub(crate) context: &'a Context<'a>,
    /// Output and prompts.
    pub(crate) ui: &'a Ui,
}

/// Gets an access token for one profile, and trusts the profiles that this run saw for the first time.
///
/// # Errors
/// Returns an error with the profile's name if no token can be obtained.
pub(crate) fn obtain_token(
    run: &Run<'_>,
    reporter: &TerminalReporter<'_>,
    loaded: LoadedProfile<'_>,
    request: TokenRequest,
) -> Result<AccessToken, Error> {
    let session = run.context.session(reporter);
    let token =
        session.obtain_blocking(loaded, request).map_err(|error| Error::from(error).about(&loaded.profile.name));
    record_first_seen_profiles(run, reporter);
    token
}

/// Adds the profiles that this run saw for the first time to the trust store. If the trust store cannot be written, as
/// in a read-only container, only prints verbose output: the record protects later runs, not this run.
pub(crate) fn record_first_seen_profiles(run: &Run<'_>, reporter: &TerminalReporter<'_>) {
    let first_seen = run.context.vault.take_first_seen();
    if first_seen.is_empty() {
        return;
    }
    let recorded = locked_edit::edit_trust_store(run, |trust_store| {
        for profile in &first_seen {
            trust_store.trust_profile(profile);
        }
    });
    if let Err(error) = recorded {
        reporter.trace(&|| format!("what was trusted cannot be remembered: {}", error.message()));
    }
}

/// Returns the credential of a profile if `is_requested`. First finishes an interrupted rotation, which may replace the
/// credential and the token. So call this function before getting the token.
pub(crate) fn requested_login(
    run: &Run<'_>,
    reporter: &TerminalReporter<'_>,
    profile: &Profile,
    request: TokenRequest,
    is_requested: bool,
) -> Result<Option<Login>, Error> {
    if !is_requested {
        return Ok(None);
    }
    let finished = run.context.session(reporter).finish_rotation_blocking(profile, request);
    finished.map_err(|error| Error::from(error).about(&profile.name))?;
    let login = run.context.vault.login(profile, reporter, reporter);
    Ok(Some(login.map_err(|error| Error::from(error).about(&profile.name))?))
}

/// Converts the error of a call. If the server accepts the token but forbids the call, `hint` replaces the default
/// hint.
pub(crate) fn replace_forbidden_hint(error: SessionError, hint: Hint) -> Error {
    match error {
        SessionError::Forbidden(_) => Error::from(error).with_hint(hint),
        error => error.into(),
    }
}

impl Run<'_> {
    /// Returns the current date in UTC.
    pub(crate) fn today(&self) -> Date {
        self.context.process.clock.today()
    }

    /// Returns the reporter that writes to this run's terminal.
    pub(crate) fn reporter(&self) -> TerminalReporter<'_> {
        TerminalReporter(self.ui)
    }

    /// Prompts now for everything that is needed to decrypt the secrets of these profiles. Under the store's lock, no
    /// prompt is possible.
    ///
    /// # Errors
    /// Returns an error if an identity stays locked or a plugin fails. Other errors are ignored here, because
    /// decrypting later reports them.
    pub(crate) fn unlock<'p>(&self, profiles: impl IntoIterator<Item = &'p Profile>) -> Result<(), Error> {
        for profile in profiles {
            match self.context.vault.unlock(profile, &self.reporter()) {
                Err(VaultError::Key(error @ KeyError::Locked { .. })) => return Err(error.into()),
                Err(VaultError::Open(OpenError::Plugin(error))) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads standard input to its end; returns `None` if the input is longer than `cap` bytes.
    pub(crate) fn read_stdin(&self, cap: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut stdin = self.context.process.stdin.borrow_mut();
        let read = stdin.by_ref().take(cap + 1).read_to_end(&mut bytes);
        read.map_err(|error| {
            Error::new(Code::System, format!("cannot read standard input: {}", disk::os_message(&error)))
        })?;
        Ok((bytes.len() as u64 <= cap).then_some(bytes))
    }

    /// Returns the profile that `neto use` set in this shell, or else for all shells. Ignores files that cannot be
    /// read.
    pub(crate) fn current_name(&self) -> Option<ProfileName> {
        let shell_name =
            shell_state::shell_profile(&self.context.process.environment).and_then(|name| name.parse().ok());
        shell_name.or_else(|| self.global_current_name())
    }

    /// Returns the profile that `neto use` set for all shells. Returns `None` if no profile is set, or if a file cannot
    /// be read. Also returns `None` if the store requires every command to name its profile.
    pub(crate) fn global_current_name(&self) -> Option<ProfileName> {
        let store = self.context.store().ok()?;
        Current::load(&self.context.current_file()).ok()?.current.filter(|_| !store.explicit)
    }

    /// Returns the valid profiles. An invalid profile causes a warning, or an error if `is_named`.
    pub(crate) fn valid_profiles<'a>(
        &self,
        selected: Vec<SelectedProfile<'a>>,
        is_named: bool,
    ) -> Result<Vec<&'a Profile>, Error> {
        let mut valid = Vec::with_capacity(selected.len());
        for selected in selected {
            match selected.profile {
                Ok(profile) => valid.push(profile),
                Err(error) if is_named => return Err(error.into()),
                Err(error) => self.ui.warn(&error.to_string()),
            }
        }
        Ok(valid)
    }

    /// Asks a yes-or-no question on the terminal.
    ///
    /// # Errors
    /// Returns an error with exit code 2 if the answer is not yes, or if there is no terminal. `hint` then says how to
    /// confirm without a terminal.
    pub(crate) fn confirm(&self, question: &str, hint: Hint) -> Result<(), Error> {
        if !self.context.process.terminal.stdin {
            return Err(Error::new(Code::Usage, format!("{question} There is nobody to ask")).with_hint(hint));
        }
        if self.ui.confirm(question)? {
            return Ok(());
        }
        Err(self.canceled())
    }

    /// Prints a note that nothing was changed, and returns the error for a declined question.
    pub(crate) fn canceled(&self) -> Error {
        self.ui.note("Left as it was");
        Error::silent(Code::Usage)
    }
}

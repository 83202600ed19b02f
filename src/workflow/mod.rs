//! Steps that several verbs share: selecting profiles, getting a token, editing the store under its lock, batches.
//!
//! Owns `Run`, which every verb receives, and nothing that belongs to one verb. Imports no verb.
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

pub(crate) use batch::{Fleet, JobsArgs};
pub(crate) use confirm_writes::Guard;
pub(crate) use reporter::Watch;
pub(crate) use selection::{SelectArgs, WantArgs};
#[cfg(test)]
pub(crate) use shell_state::FIXED;

use crate::context::Context;
use crate::disk;
use crate::error::{Code, Error};
use crate::output::Ui;
use crate::profile::{Current, Profile, ProfileName};
use crate::secret::{KeyError, OpenError};
use crate::session::{Access, Declared, SessionError, SignIn, VaultError, Want, Watcher as _};
use selection::Selected;
use std::io::Read as _;
use zeroize::Zeroizing;

/// What every verb gets.
pub(crate) struct Run<'a> {
    /// Where things lie and what is chosen.
    pub(crate) context: &'a Context<'a>,
    /// The user.
    pub(crate) ui: &'a Ui,
}

/// A token for one profile; what the run saw for the first time is remembered, and a failure names
/// the profile.
pub(crate) fn access(run: &Run<'_>, watch: &Watch<'_>, declared: Declared<'_>, want: Want) -> Result<Access, Error> {
    let session = run.context.session(watch);
    let access = session.access(declared, want).map_err(|error| Error::from(error).about(&declared.profile.name));
    remember(run, watch);
    access
}

/// Writes down the sealed profiles that this run saw for the first time. It protects later runs; that it
/// cannot be written (a read-only container) does not stop this one.
pub(crate) fn remember(run: &Run<'_>, watch: &Watch<'_>) {
    let seen = run.context.vault.take_first_seen();
    if seen.is_empty() {
        return;
    }
    let remembered = locked_edit::memory(run, |memory| seen.iter().for_each(|profile| memory.trust(profile)));
    if let Err(error) = remembered {
        watch.trace(&|| format!("what was trusted cannot be remembered: {}", error.message()));
    }
}

/// The credential of a profile, for those who ask for it in so many words. It comes before the token, since both may be
/// new with a rotation that was cut off.
pub(crate) fn sign_in(
    run: &Run<'_>,
    watch: &Watch<'_>,
    profile: &Profile,
    want: Want,
    wanted: bool,
) -> Result<Option<SignIn>, Error> {
    if !wanted {
        return Ok(None);
    }
    let settled = run.context.session(watch).settle_alone(profile, want);
    settled.map_err(|error| Error::from(error).about(&profile.name))?;
    let credential = run.context.vault.credential(profile, watch, watch);
    Ok(Some(credential.map_err(|error| Error::from(error).about(&profile.name))?))
}

/// What went wrong with a call; where the server takes the token and not the call, with this hint.
pub(crate) fn forbidden(error: SessionError, hint: &str) -> Error {
    match error {
        SessionError::Forbidden(_) => Error::from(error).with_hint(hint),
        error => error.into(),
    }
}

impl Run<'_> {
    /// Who is told and asked.
    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch(self.ui)
    }

    /// Makes ready what opens the secrets of these profiles, since under the store's lock nobody is asked. What does
    /// not open is told by who opens it.
    pub(crate) fn unlock<'p>(&self, profiles: impl IntoIterator<Item = &'p Profile>) -> Result<(), Error> {
        for profile in profiles {
            match self.context.vault.unlock(profile, &self.watch()) {
                Err(VaultError::Key(error @ KeyError::Locked { .. })) => return Err(error.into()),
                Err(VaultError::Open(OpenError::Plugin(error))) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// All that comes on standard input; nothing where that is more than `cap` bytes.
    pub(crate) fn piped(&self, cap: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut stdin = self.context.process.stdin.borrow_mut();
        let read = stdin.by_ref().take(cap + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::new(Code::System, format!("cannot read standard input: {}", disk::plain(&error))))?;
        Ok((bytes.len() as u64 <= cap).then_some(bytes))
    }

    /// What `neto use` chose, as far as it can be read: in this shell, else for all shells.
    pub(crate) fn current_name(&self) -> Option<ProfileName> {
        let here = shell_state::used(&self.context.process.environment).and_then(|name| name.parse().ok());
        here.or_else(|| self.current_of_all_shells())
    }

    /// What `neto use` set for all shells, as far as it can be read.
    pub(crate) fn current_of_all_shells(&self) -> Option<ProfileName> {
        let store = self.context.store().ok()?;
        Current::load(&self.context.current_file()).ok()?.current.filter(|_| !store.explicit)
    }

    /// The profiles that are not faulty. One that was asked for by its name fails; another is warned of.
    pub(crate) fn sound<'a>(&self, selected: Vec<Selected<'a>>, asked: bool) -> Result<Vec<&'a Profile>, Error> {
        let mut sound = Vec::with_capacity(selected.len());
        for one in selected {
            match one.profile {
                Ok(profile) => sound.push(profile),
                Err(error) if asked => return Err(error.into()),
                Err(error) => self.ui.warn(&error.to_string()),
            }
        }
        Ok(sound)
    }

    /// Asks on a terminal; off one there is nobody to ask, and `line` is the way to say yes.
    pub(crate) fn confirm(&self, question: &str, line: &str) -> Result<(), Error> {
        if !self.context.process.terminal.stdin {
            return Err(Error::new(Code::Usage, format!("{question} There is nobody to ask")).with_hint(line));
        }
        if self.ui.confirm(question)? {
            return Ok(());
        }
        Err(self.left())
    }

    /// The user was asked and does not want it.
    pub(crate) fn left(&self) -> Error {
        self.ui.note("Left as it was");
        Error::silent(Code::Usage)
    }
}

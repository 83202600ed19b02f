//! Hints and exit codes for the errors of `session`.

use super::{Code, Error, Hint, quote_path};
use crate::fusion::FusionError;
use crate::profile::StoreFileError;
use crate::session::{AcquireError, RotationError, SessionError, VaultError};

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        let (code, hint) = match error {
            SessionError::Disk(error) => return error.into(),
            SessionError::Vault(error) => return error.into(),
            SessionError::Fusion(error) | SessionError::Forbidden(error) => return error.into(),
            SessionError::Rotation(error) => return error.into(),
            SessionError::Runtime(_) => return Self::new(Code::System, error.to_string()),
            SessionError::OutcomeUnknown(_) => {
                (Code::Unreachable, Hint::advice("look whether it was done before you send it again"))
            }
            SessionError::Shared(ref failure) if failure.rejected => {
                (Code::Rejected, Hint::set_secret().remark("if the key was rotated"))
            }
            SessionError::Shared(_) => (Code::Unreachable, Hint::forced_login().remark("asks all the same")),
            SessionError::NoSecret => (Code::Store, Hint::set_secret()),
            SessionError::PlaintextSecret => (Code::Store, Hint::profile_command(|name| format!("neto seal {name}"))),
            SessionError::Busy(_) => (Code::Busy, lock_busy_hint()),
            SessionError::Offline(_) => (Code::Unreachable, Hint::login()),
        };
        Self::hinted(code, &error, hint)
    }
}

fn lock_busy_hint() -> Hint {
    Hint::advice("try again, or wait longer with --lock-timeout 5m")
}

impl From<RotationError> for Error {
    fn from(error: RotationError) -> Self {
        let message = error.to_string();
        let (code, hint) = match error {
            RotationError::Seal(error) => return error.into(),
            RotationError::Store(error) => return error.into(),
            RotationError::Disk(error) => return error.into(),
            RotationError::NotStored(inner) => {
                (code_for_unwritten_store(&inner), Hint::rotate().remark("puts it there"))
            }
            RotationError::NotBegun(inner) => (code_for_unwritten_store(&inner), Hint::rotate()),
            RotationError::NotSealed(_) | RotationError::Name(_) => (Code::Store, Hint::show_profile()),
            RotationError::Unfinished => (Code::Store, Hint::rotate().remark("finishes it")),
            RotationError::Lost => (
                Code::Rejected,
                Hint::set_secret().remark("with a new key, made in the portal: nobody knows the one there is"),
            ),
            RotationError::Unchanged(error) => {
                let hint = unchanged_key_hint(&error);
                (Self::from(error).code(), hint)
            }
            RotationError::Unknown(_) => {
                (Code::Unreachable, Hint::rotate().remark("before its token expires, which finishes it"))
            }
            RotationError::NoToken => (Code::System, Hint::login().remark("says why")),
            RotationError::Overtaken => (Code::Store, forced_login_or_recover_hint()),
            RotationError::OtherRoles { .. } => {
                (Code::ProblemFound, list_keys_hint().remark("shows them; give the key its roles back in the portal"))
            }
            RotationError::Gone => (Code::Store, Hint::command("neto profile list")),
            RotationError::NoSecondKey => {
                (Code::Store, Hint::profile_command(|name| format!("neto rotate {name} --overlap")).remark("makes one"))
            }
            RotationError::StillUsed { user, .. } => {
                let recover = Hint::command(format!("neto rotate --recover {user}"));
                (Code::Store, recover.remark("if the second key is lost from the store"))
            }
            RotationError::NoName => (Code::Store, list_keys_hint().remark("shows which of them nobody uses")),
            RotationError::Damaged(path) => (Code::System, Hint::command(format!("rm {}", quote_path(&path)))),
        };
        Self::new(code, message).with_hint(hint)
    }
}

fn list_keys_hint() -> Hint {
    Hint::profile_command(|name| format!("neto keys {name}"))
}

fn forced_login_or_recover_hint() -> Hint {
    Hint::of_profile(|name| {
        Hint::command(format!("neto login {name} --force"))
            .remark(format!("if that is rejected: neto rotate --recover {name}"))
    })
    .works_for_env()
}

/// Returns the hint for a key that the server refused to change.
fn unchanged_key_hint(error: &FusionError) -> Hint {
    match error {
        FusionError::Status { status: 403, .. } => {
            Hint::advice("rotate it in the portal, or give the key a role that may manage keys")
        }
        FusionError::Status { status: 404, .. } => list_keys_hint().remark("shows which keys its tenant has"),
        _ => Hint::rotate().remark("in a while"),
    }
}

/// Returns the exit code for an error that prevented writing new keys to the store.
fn code_for_unwritten_store(error: &SessionError) -> Code {
    match error {
        SessionError::Rotation(RotationError::Disk(_) | RotationError::Store(StoreFileError::Disk(_))) => Code::System,
        SessionError::Busy(_) => Code::Busy,
        _ => Code::Store,
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let trust = || Hint::profile_command(|name| format!("neto trust {name}"));
        let hint = match error {
            VaultError::Key(error) => return error.into(),
            VaultError::Open(error) => return error.into(),
            VaultError::Binding(error) => return error.into(),
            VaultError::Source(error) => return error.into(),
            VaultError::Trust(error) => return error.into(),
            VaultError::CaFile(error) => return error.into(),
            VaultError::UntrustedRecipient(ref name) => Hint::command(format!("neto trust --recipient {name}")),
            VaultError::NoRecipient => Hint::command("neto init"),
            VaultError::Mismatch(_) => Hint::profile_command(|name| format!("neto seal {name} --accept"))
                .remark("if you made that edit; if not, look at who did"),
            VaultError::OtherKind => Hint::set_secret(),
            VaultError::SourceMismatch(_) => Hint::advice("make the profile and what its source yields agree"),
            VaultError::Changed(_) => trust().remark("shows old and new"),
            VaultError::UntrustedSource(_) => trust().remark("after you looked at it"),
        };
        Self::hinted(Code::Store, &error, hint)
    }
}

impl From<AcquireError> for Error {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Disk(error) => error.into(),
            AcquireError::Busy(error) => Self::hinted(Code::Busy, &error, lock_busy_hint()),
        }
    }
}

//! Hints and exit codes for the errors of `secret`.

use super::{Code, Error, Hint, quote_path};
use crate::disk::DiskError;
use crate::secret::{
    BindingError, CredentialError, KeyError, NetoSecretError, OpenError, PluginError, PrompterError, SealError,
    SourceError, TrustError,
};

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        let (code, hint) = match &error {
            KeyError::Disk(DiskError::TooOpen { path, .. }) => {
                (Code::Secret, Hint::command(format!("chmod 600 {}", quote_path(path))))
            }
            KeyError::Missing(_) => {
                (Code::Secret, Hint::command("neto init").remark("or: export NETO_IDENTITY_FILE=..."))
            }
            KeyError::MissingEnvFile(_) => {
                (Code::Secret, Hint::command("unset NETO_IDENTITY_FILE").remark("or let it name a file"))
            }
            KeyError::Exists(path) => {
                (Code::Store, Hint::advice(format!("it is never replaced; move {} away first", path.display())))
            }
            KeyError::Locked { why: PrompterError::Interrupted, .. } => return Self::silent(Code::Interrupted),
            KeyError::Locked { why: PrompterError::Terminated, .. } => return Self::silent(Code::Terminated),
            KeyError::Locked { .. } => {
                let export = Hint::command("export NETO_PASSPHRASE_FILE=/run/secrets/passphrase");
                (Code::Secret, export.remark("where nobody can be asked"))
            }
            KeyError::Disk(_)
            | KeyError::Identity { .. }
            | KeyError::Passphrase { .. }
            | KeyError::MissingUserFile(_)
            | KeyError::PassphraseNotUtf8(_) => return Self::new(Code::Secret, error.to_string()),
            KeyError::InvalidDeviceKey { path, .. } => {
                let remove = Hint::command(format!("rm {}", quote_path(path)));
                (Code::System, remove.remark("costs one login a profile"))
            }
        };
        Self::hinted(code, &error, hint)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        let set_secret = || Hint::set_secret().remark("with the credential from the portal");
        let (code, hint) = match error {
            OpenError::Plugin(error) => return error.into(),
            OpenError::WrongIdentity => (
                Code::Secret,
                Hint::profile_command(|name| format!("neto recipient list -p {name}"))
                    .remark("shows who can open it and could add you"),
            ),
            OpenError::NotAge | OpenError::NewerFormat | OpenError::NeedsPassphrase => (Code::Secret, set_secret()),
            // The stored secret is damaged, so another identity cannot decrypt it either.
            _ => (Code::Store, set_secret()),
        };
        Self::hinted(code, &error, hint)
    }
}

impl From<BindingError> for Error {
    fn from(error: BindingError) -> Self {
        Self::hinted(Code::Store, &error, Hint::profile_command(|name| format!("neto profile edit {name}")))
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Plugin(error) => error.into(),
            error => Self::new(Code::Store, error.to_string()),
        }
    }
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        match (error.stop_signal(), &error) {
            (Some(PrompterError::Interrupted), _) => Self::silent(Code::Interrupted),
            (Some(_), _) => Self::silent(Code::Terminated),
            (None, PluginError::Missing { .. }) => {
                Self::hinted(Code::Secret, &error, Hint::advice("install it, or put its folder on PATH"))
            }
            (None, _) => Self::new(Code::Secret, error.to_string()),
        }
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        let hint = match &error {
            SourceError::Unset(name) => Some(Hint::command(format!("export {name}=..."))),
            _ => None,
        };
        Self::hinted(Code::Secret, &error, hint)
    }
}

impl From<TrustError> for Error {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Disk(error) => error.into(),
            TrustError::Damaged(_) => {
                let hint = "move the file away; what it remembered is then asked again by: neto trust --all";
                Self::hinted(Code::System, &error, Hint::advice(hint))
            }
        }
    }
}

impl From<NetoSecretError> for Error {
    fn from(error: NetoSecretError) -> Self {
        Self::hinted(Code::Store, &error, Hint::advice("copy the whole NETOSECRET from the portal again"))
    }
}

impl From<CredentialError> for Error {
    fn from(error: CredentialError) -> Self {
        let form = Hint::advice(r#"it should be {"appkey": "...", "sharedsecret": "..."}"#);
        Self::hinted(Code::Store, &error, form)
    }
}

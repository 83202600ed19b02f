//! Hints and exit codes for the errors of `disk`.

use super::{Code, Error, Hint, quote_path};
use crate::disk::DiskError;

impl From<DiskError> for Error {
    fn from(error: DiskError) -> Self {
        let path = quote_path(error.path());
        let hint = match &error {
            shared if shared.is_shared_dir() => {
                let private_dir = quote_path(&error.path().join("neto"));
                let mkdir = Hint::command(format!("mkdir -m 700 {private_dir}"));
                Some(mkdir.remark("and keep it there: this folder is everybody's"))
            }
            DiskError::TooOpen { writable: true, .. } => Some(Hint::command(format!("chmod go-w {path}"))),
            DiskError::TooOpen { .. } => Some(Hint::command(format!("chmod 600 {path}"))),
            DiskError::ForeignOwner { .. } => Some(Hint::advice("run neto as the user whom its files belong to")),
            _ => None,
        };
        Self::hinted(Code::System, &error, hint)
    }
}

//! Hints and exit codes for the errors of `context`.

use super::profile::store_problem_hint;
use super::{Code, Error, Hint, quote_path};
use crate::context::ContextError;

impl From<ContextError> for Error {
    fn from(error: ContextError) -> Self {
        match error {
            ContextError::InvalidNetosecret(inner) => {
                Self::new(Code::Store, format!("NETOSECRET cannot be used: {inner}"))
                    .with_hint(Hint::command("unset NETOSECRET"))
            }
            ContextError::Store(error) => error.into(),
            ContextError::NoStore(path) => Self::new(Code::Store, format!("there is no store at {}", path.display()))
                .with_hint(Hint::command(format!("neto init --store {}", quote_path(&path)))),
            ContextError::Resolve(error) => error.into(),
            ContextError::InvalidProfile { ref profile, ref fault, .. } => {
                let edit = || Hint::command(format!("neto profile edit {profile}"));
                Self::hinted(Code::Store, &error, store_problem_hint(&fault.problem).unwrap_or_else(edit))
            }
        }
    }
}

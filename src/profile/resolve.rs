//! Resolves the profile of a command by precedence: argument, environment, pin, current profile, only profile.

use super::{CurrentError, NameError, Pin, PinError, ProfileName, Store, near_matches};
use std::fmt;
use std::path::PathBuf;

/// Values of the sources that can select a profile. The caller gathers them; this module reads no environment.
pub struct ProfileSources<'a> {
    /// The `PROFILE` argument or `--profile`.
    pub argument: Option<String>,
    /// `--profile`, if both it and `PROFILE` are given.
    pub second_argument: Option<String>,
    /// `NETO_PROFILE`, unless empty or, for `export`, set by an earlier export.
    pub variable: Option<String>,
    /// Whether `NETOSECRET` is set and not empty.
    pub has_netosecret: bool,
    /// Sources on disk.
    pub files: &'a dyn ResolveFiles,
}

/// Sources on disk, read only if no argument and no variable selects a profile.
pub trait ResolveFiles {
    /// Returns the nearest `.neto-profile`.
    fn pin(&self) -> Option<Pin>;
    /// Returns the profile that `neto profile use` set.
    ///
    /// # Errors
    /// [`CurrentError`] when the current profile cannot be read.
    fn current(&self) -> Result<Option<ProfileName>, CurrentError>;
}

/// Source that can select a profile, highest precedence first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// `PROFILE` or `--profile`.
    Argument,
    /// `NETO_PROFILE`.
    Variable,
    /// `NETOSECRET`.
    Netosecret,
    /// A `.neto-profile`, with its path if a file was found.
    Pin(Option<PathBuf>),
    /// `neto profile use`.
    Current,
    /// The only profile that the store declares.
    Only,
}

impl fmt::Display for ProfileOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("--profile"),
            Self::Variable => f.write_str("NETO_PROFILE"),
            Self::Netosecret => f.write_str("NETOSECRET"),
            Self::Pin(Some(path)) => write!(f, "{}", path.display()),
            Self::Pin(None) => f.write_str(".neto-profile"),
            Self::Current => f.write_str("neto profile use"),
            Self::Only => f.write_str("the only profile"),
        }
    }
}

/// Name that a source selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedName {
    /// Name of the profile. [`resolve_in_store`] ensures that it is `env` or declared in the store.
    pub name: ProfileName,
    /// Source with the highest precedence that names a profile.
    pub origin: ProfileOrigin,
}

/// Value of one source, for `neto profile current --explain`.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// Source of the value.
    pub origin: ProfileOrigin,
    /// Value of the source; absent if the source has none.
    pub text: Option<String>,
    /// Whether this source decides.
    pub is_winner: bool,
}

/// Reason why no profile is resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Argument that is not a valid name.
    #[error("the argument is not the name of a profile: {0}")]
    Argument(NameError),
    /// `PROFILE` and `--profile` name different profiles.
    #[error("the argument and --profile name two profiles")]
    TwoNames,
    /// Variable that does not hold a valid name.
    #[error("NETO_PROFILE does not hold the name of a profile: {0}")]
    Variable(NameError),
    /// Pin that decides but cannot be followed.
    #[error("{} cannot be followed: {error}", path.display())]
    Pin {
        /// Path of the pin.
        path: PathBuf,
        /// Reason why the pin is not followed.
        error: PinError,
    },
    /// Name that the store does not declare.
    #[error("there is no profile '{name}'{}", requested_by(origin))]
    Unknown {
        /// Requested name.
        name: ProfileName,
        /// Source that requested the name.
        origin: ProfileOrigin,
        /// Similar declared names, best first.
        similar: Vec<String>,
        /// Whether the store has no profile at all.
        is_store_empty: bool,
    },
    /// `env` was requested, and `NETOSECRET` is not set.
    #[error("the profile 'env' is what NETOSECRET holds, and that is not set")]
    NoNetosecret,
    /// The current profile cannot be read, and no source of higher precedence selects one.
    #[error(transparent)]
    Current(#[from] CurrentError),
    /// The store has no profile at all.
    #[error("the store has no profile yet")]
    Empty,
    /// No source selects one of several profiles.
    #[error("no profile is chosen{}", if *explicit { ", and the store wants one to be named (explicit = true)" } else { "" })]
    NoneSelected {
        /// Whether the store disables the current profile.
        explicit: bool,
        /// Some of the declared names.
        names: Vec<String>,
    },
}

fn requested_by(origin: &ProfileOrigin) -> String {
    match origin {
        ProfileOrigin::Argument | ProfileOrigin::Only => String::new(),
        ProfileOrigin::Variable => " (NETO_PROFILE asks for it)".to_owned(),
        ProfileOrigin::Netosecret => " (NETOSECRET asks for it)".to_owned(),
        ProfileOrigin::Pin(Some(path)) => format!(" ({} asks for it)", path.display()),
        ProfileOrigin::Pin(None) => " (.neto-profile asks for it)".to_owned(),
        ProfileOrigin::Current => " ('neto profile use' asks for it)".to_owned(),
    }
}

impl ProfileSources<'_> {
    /// Returns the name that the sources select, whether or not the store declares it. Returns `None` if no source
    /// selects a profile.
    ///
    /// # Errors
    /// [`ResolveError`]. An invalid value in a source is an error; no source of lower precedence replaces it.
    pub fn resolve_name(self) -> Result<Option<ResolvedName>, ResolveError> {
        let resolved = |name: ProfileName, origin: ProfileOrigin| {
            if name.is_env() && !self.has_netosecret {
                Err(ResolveError::NoNetosecret)
            } else {
                Ok(Some(ResolvedName { name, origin }))
            }
        };
        if let Some(text) = self.argument {
            if self.second_argument.is_some_and(|second| second != text) {
                return Err(ResolveError::TwoNames);
            }
            return resolved(parse_name(&text).map_err(ResolveError::Argument)?, ProfileOrigin::Argument);
        }
        if let Some(text) = self.variable {
            return resolved(parse_name(&text).map_err(ResolveError::Variable)?, ProfileOrigin::Variable);
        }
        if self.has_netosecret {
            return resolved(ProfileName::env(), ProfileOrigin::Netosecret);
        }
        if let Some(Pin { path, name }) = self.files.pin() {
            return match name {
                Ok(name) => resolved(name, ProfileOrigin::Pin(Some(path))),
                Err(error) => Err(ResolveError::Pin { path, error }),
            };
        }
        Ok(self.files.current()?.map(|name| ResolvedName { name, origin: ProfileOrigin::Current }))
    }
}

/// Checks the [selected name](ProfileSources::resolve_name) against the store. Falls back to the only profile.
///
/// # Errors
/// Errors of [`ProfileSources::resolve_name`], and a [`ResolveError`] if the store has no such profile.
pub fn resolve_in_store(
    selected: Result<Option<ResolvedName>, ResolveError>,
    store: &Store,
) -> Result<ResolvedName, ResolveError> {
    let selected = match selected {
        // With `explicit = true` the current profile is ignored, readable or not.
        Ok(Some(ResolvedName { origin: ProfileOrigin::Current, .. })) | Err(ResolveError::Current(_))
            if store.explicit =>
        {
            None
        }
        selected => selected?,
    };
    if let Some(resolved) = selected {
        return check_declared(resolved, store);
    }
    match store.profiles.as_slice() {
        [] => Err(ResolveError::Empty),
        [only] if !store.explicit => Ok(ResolvedName { name: only.name.clone(), origin: ProfileOrigin::Only }),
        several => Err(ResolveError::NoneSelected {
            explicit: store.explicit,
            names: several.iter().take(8).map(|entry| entry.name.to_string()).collect(),
        }),
    }
}

/// Returns the value of every source, highest precedence first, whether or not it is a valid name.
#[must_use]
pub fn explain_resolution(sources: &ProfileSources<'_>, store: &Store) -> Vec<SourceReport> {
    let only = match store.profiles.as_slice() {
        [only] => Some(only.name.to_string()),
        _ => None,
    };
    let pin = sources.files.pin();
    let pin = pin.as_ref();
    let pinned = pin.map(|pin| match &pin.name {
        Ok(name) => name.to_string(),
        Err(error) => error.to_string(),
    });
    let current = match sources.files.current() {
        Ok(current) => current.as_ref().map(ToString::to_string),
        Err(error) => Some(error.to_string()),
    };
    let mut reports: Vec<SourceReport> = [
        (ProfileOrigin::Argument, sources.argument.clone()),
        (ProfileOrigin::Variable, sources.variable.clone()),
        (ProfileOrigin::Netosecret, sources.has_netosecret.then(|| ProfileName::env().to_string())),
        (ProfileOrigin::Pin(pin.map(|pin| pin.path.clone())), pinned),
        (ProfileOrigin::Current, current.filter(|_| !store.explicit)),
        (ProfileOrigin::Only, only.filter(|_| !store.explicit)),
    ]
    .into_iter()
    .map(|(origin, text)| SourceReport { origin, text, is_winner: false })
    .collect();
    if let Some(winner) = reports.iter_mut().find(|report| report.text.is_some()) {
        winner.is_winner = true;
    }
    reports
}

/// Parses a requested name; `env` is valid.
fn parse_name(text: &str) -> Result<ProfileName, NameError> {
    match text.parse() {
        Err(NameError::Reserved) => Ok(ProfileName::env()),
        parsed => parsed,
    }
}

fn check_declared(resolved: ResolvedName, store: &Store) -> Result<ResolvedName, ResolveError> {
    let ResolvedName { name, origin } = resolved;
    if name.is_env() || store.entry(&name).is_some() {
        return Ok(ResolvedName { name, origin });
    }
    let similar = near_matches(name.as_str(), store.names().map(ProfileName::as_str));
    let similar = similar.into_iter().map(str::to_owned).collect();
    Err(ResolveError::Unknown { name, origin, similar, is_store_empty: store.profiles.is_empty() })
}

//! Resolves the profile of a command by precedence: argument, environment, pin, current profile, only profile.
//!
//! Does not access the environment or the disk itself; callers provide the values of the sources.

use super::{CurrentError, NameError, Pin, PinError, ProfileName, Store, near_matches};
use std::fmt;
use std::path::PathBuf;

/// Values of the sources that can select a profile.
pub struct ProfileSources<'a> {
    /// Value of the argument `PROFILE`. If `PROFILE` is not given, the value of `--profile`.
    pub argument: Option<String>,
    /// Value of `--profile` if `PROFILE` is also given.
    pub second_argument: Option<String>,
    /// Value of `NETO_PROFILE`, if not empty. If an earlier export set the variable, `export` uses the profile of
    /// `neto use` instead.
    pub neto_profile: Option<String>,
    /// Whether `NETOSECRET` is set and not empty. `export` ignores a value that an earlier export set.
    pub has_netosecret: bool,
    /// Sources on disk.
    pub files: &'a dyn ResolveFiles,
}

/// Sources on disk. Resolving reads these sources only if no argument and no environment variable selects a profile.
pub trait ResolveFiles {
    /// Returns the nearest `.neto-profile`, if any.
    fn pin(&self) -> Option<Pin>;
    /// Returns the profile that `neto profile use` made current, if any.
    ///
    /// # Errors
    /// Returns a [`CurrentError`] if the file of the current profile exists but cannot be read or parsed.
    fn current(&self) -> Result<Option<ProfileName>, CurrentError>;
}

/// Sources that can select a profile, highest precedence first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// Argument `PROFILE` or flag `--profile`.
    Argument,
    /// Environment variable `NETO_PROFILE`.
    NetoProfile,
    /// Environment variable `NETOSECRET`.
    Netosecret,
    /// Pin, with its path. The path is `None` only in a report about a missing pin.
    Pin(Option<PathBuf>),
    /// Profile that `neto profile use` made current.
    Current,
    /// The only profile that the store declares.
    Only,
}

impl fmt::Display for ProfileOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("--profile"),
            Self::NetoProfile => f.write_str("NETO_PROFILE"),
            Self::Netosecret => f.write_str("NETOSECRET"),
            Self::Pin(Some(path)) => write!(f, "{}", path.display()),
            Self::Pin(None) => f.write_str(".neto-profile"),
            Self::Current => f.write_str("neto profile use"),
            Self::Only => f.write_str("the only profile"),
        }
    }
}

/// Profile name and the source that selected it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedName {
    /// Name of the profile. [`resolve_in_store`] returns only `env` and names that the store declares.
    pub name: ProfileName,
    /// Source that selected the name.
    pub origin: ProfileOrigin,
}

/// Source and its value, for `neto profile current --explain`.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceReport {
    /// Source of the value.
    pub origin: ProfileOrigin,
    /// Profile name as written, or the error of an unusable pin or current profile. `None` if the source has no value.
    pub value: Option<String>,
    /// Whether this source has the highest precedence of the sources with a value.
    pub is_winner: bool,
}

/// Reason why no profile is resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Argument or `--profile` with an invalid name.
    #[error("the argument is not the name of a profile: {0}")]
    Argument(NameError),
    /// `PROFILE` and `--profile` name different profiles.
    #[error("the argument and --profile name two profiles")]
    TwoNames,
    /// `NETO_PROFILE` with an invalid name.
    #[error("NETO_PROFILE does not hold the name of a profile: {0}")]
    NetoProfile(NameError),
    /// The pin cannot be used, and no source of higher precedence selects a profile.
    #[error("{} cannot be followed: {error}", path.display())]
    Pin {
        /// Path of the pin.
        path: PathBuf,
        /// Reason why the pin cannot be used.
        error: PinError,
    },
    /// Name that the store does not declare.
    #[error("there is no profile '{name}'{}", requested_by(origin))]
    Unknown {
        /// Requested name.
        name: ProfileName,
        /// Source that requested the name.
        origin: ProfileOrigin,
        /// Up to three similar names in the store, best match first.
        similar: Vec<String>,
        /// Whether the store has no profiles.
        is_store_empty: bool,
    },
    /// `env` was requested, but `NETOSECRET` is not set.
    #[error("the profile 'env' is what NETOSECRET holds, and that is not set")]
    NoNetosecret,
    /// The current profile cannot be read, and no source of higher precedence selects a profile.
    #[error(transparent)]
    Current(#[from] CurrentError),
    /// No source selects a profile, and the store has no profiles.
    #[error("the store has no profile yet")]
    Empty,
    /// No source selects a profile. The store has several profiles, or it has one profile and `explicit = true`.
    #[error("no profile is chosen{}", if *explicit { ", and the store wants one to be named (explicit = true)" } else { "" })]
    NoneSelected {
        /// Whether the store has `explicit = true`.
        explicit: bool,
        /// First eight names in the store, in the order of the file.
        names: Vec<String>,
    },
}

fn requested_by(origin: &ProfileOrigin) -> String {
    match origin {
        ProfileOrigin::Argument | ProfileOrigin::Only => String::new(),
        ProfileOrigin::NetoProfile => " (NETO_PROFILE asks for it)".to_owned(),
        ProfileOrigin::Netosecret => " (NETOSECRET asks for it)".to_owned(),
        ProfileOrigin::Pin(Some(path)) => format!(" ({} asks for it)", path.display()),
        ProfileOrigin::Pin(None) => " (.neto-profile asks for it)".to_owned(),
        ProfileOrigin::Current => " ('neto profile use' asks for it)".to_owned(),
    }
}

impl ProfileSources<'_> {
    /// Returns the name that the sources select, whether or not the store declares this name. Returns `None` if no
    /// source selects a profile.
    ///
    /// # Errors
    /// Returns a [`ResolveError`] if the deciding source is invalid; sources of lower precedence are then ignored. Also
    /// fails if the two arguments differ, or if `env` is requested without `NETOSECRET`.
    pub fn resolve_name(self) -> Result<Option<ResolvedName>, ResolveError> {
        let with_env_check = |name: ProfileName, origin: ProfileOrigin| {
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
            return with_env_check(parse_name(&text).map_err(ResolveError::Argument)?, ProfileOrigin::Argument);
        }
        if let Some(text) = self.neto_profile {
            return with_env_check(parse_name(&text).map_err(ResolveError::NetoProfile)?, ProfileOrigin::NetoProfile);
        }
        if self.has_netosecret {
            return with_env_check(ProfileName::env(), ProfileOrigin::Netosecret);
        }
        if let Some(Pin { path, name }) = self.files.pin() {
            return match name {
                Ok(name) => with_env_check(name, ProfileOrigin::Pin(Some(path))),
                Err(error) => Err(ResolveError::Pin { path, error }),
            };
        }
        Ok(self.files.current()?.map(|name| ResolvedName { name, origin: ProfileOrigin::Current }))
    }
}

/// Returns the [selected name](ProfileSources::resolve_name) if the name is `env` or the store declares it. If no name
/// is selected, returns the store's only profile. With `explicit = true`, ignores the current profile and the only
/// profile.
///
/// # Errors
/// Returns the error in `selected`. Exception: with `explicit = true`, an unreadable current profile is ignored. Also
/// fails if the store does not declare the selected name. Without a selected name, fails if the store has
/// `explicit = true` or does not have exactly one profile.
pub fn resolve_in_store(
    selected: Result<Option<ResolvedName>, ResolveError>,
    store: &Store,
) -> Result<ResolvedName, ResolveError> {
    let selected = match selected {
        // With `explicit = true` the current profile is ignored, even if it cannot be read.
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

/// Returns a report for each source, highest precedence first. Values may be invalid or unknown names. With
/// `explicit = true`, the reports for the current profile and the only profile have no value.
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
        (ProfileOrigin::NetoProfile, sources.neto_profile.clone()),
        (ProfileOrigin::Netosecret, sources.has_netosecret.then(|| ProfileName::env().to_string())),
        (ProfileOrigin::Pin(pin.map(|pin| pin.path.clone())), pinned),
        (ProfileOrigin::Current, current.filter(|_| !store.explicit)),
        (ProfileOrigin::Only, only.filter(|_| !store.explicit)),
    ]
    .into_iter()
    .map(|(origin, value)| SourceReport { origin, value, is_winner: false })
    .collect();
    if let Some(winner) = reports.iter_mut().find(|report| report.value.is_some()) {
        winner.is_winner = true;
    }
    reports
}

/// Parses a name from an argument or from `NETO_PROFILE`, where `env` is valid too.
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

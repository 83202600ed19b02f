//! Which profile is meant where one is: the precedence of argument, environment, pin, current
//! profile and the only one there is.

use super::{CurrentError, NameError, Pin, PinError, ProfileName, Store, near};
use std::fmt;
use std::path::PathBuf;

/// What each place says, gathered by the caller; nothing here looks for itself.
pub struct Sources<'a> {
    /// The `PROFILE` argument or `--profile`.
    pub argument: Option<String>,
    /// The other of these two, where both are given.
    pub second: Option<String>,
    /// `NETO_PROFILE`, unless empty or, for `export`, set by an earlier export.
    pub variable: Option<String>,
    /// Whether `NETOSECRET` is set and not empty.
    pub netosecret: bool,
    /// The places on disk.
    pub files: &'a dyn ChoiceFiles,
}

/// The weak places, which lie on disk and are looked at only where nothing stronger speaks.
pub trait ChoiceFiles {
    /// The nearest `.neto-profile`.
    fn pin(&self) -> Option<Pin>;
    /// What `neto profile use` set.
    ///
    /// # Errors
    /// [`CurrentError`] when that cannot be read.
    fn current(&self) -> Result<Option<ProfileName>, CurrentError>;
}

/// A place that can say which profile is meant, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `PROFILE` or `--profile`.
    Argument,
    /// `NETO_PROFILE`.
    Variable,
    /// `NETOSECRET`.
    Netosecret,
    /// A `.neto-profile`, where there is one.
    Pin(Option<PathBuf>),
    /// `neto profile use`.
    Current,
    /// The only profile that the store declares.
    Only,
}

impl fmt::Display for Origin {
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

/// The profile that is meant and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name; it is in the store, or `env`.
    pub name: ProfileName,
    /// The place that won.
    pub origin: Origin,
}

/// What one place said, for `neto profile current --explain`.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The place.
    pub origin: Origin,
    /// The text that it holds; absent when it says nothing.
    pub text: Option<String>,
    /// Whether it is the one that decides.
    pub wins: bool,
}

/// Why no profile is chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// The argument is no name at all.
    #[error("the argument is not the name of a profile: {0}")]
    Argument(NameError),
    /// `PROFILE` and `--profile` name two.
    #[error("the argument and --profile name two profiles")]
    Twice,
    /// A variable holds something that is no name.
    #[error("NETO_PROFILE does not hold the name of a profile: {0}")]
    Variable(NameError),
    /// A pin that would decide is not to be followed.
    #[error("{} cannot be followed: {error}", path.display())]
    Pin {
        /// The pin's file.
        path: PathBuf,
        /// What is wrong with it.
        error: PinError,
    },
    /// The name is not in the store.
    #[error("there is no profile '{name}'{}", from(origin))]
    Unknown {
        /// The name that was asked for.
        name: ProfileName,
        /// Who asked for it.
        origin: Origin,
        /// Names that may have been meant, best first.
        near: Vec<String>,
        /// Whether there is no profile at all.
        empty: bool,
    },
    /// `env` was named, and `NETOSECRET` is not set.
    #[error("the profile 'env' is what NETOSECRET holds, and that is not set")]
    NoNetosecret,
    /// The current profile cannot be read, and nothing stronger says which.
    #[error(transparent)]
    Current(#[from] CurrentError),
    /// The store has no profile at all.
    #[error("the store has no profile yet")]
    Empty,
    /// Nobody says which of several.
    #[error("no profile is chosen{}", if *explicit { ", and the store wants one to be named (explicit = true)" } else { "" })]
    Nobody {
        /// Whether the store switches the current profile off.
        explicit: bool,
        /// Some of the names there are.
        names: Vec<String>,
    },
}

fn from(origin: &Origin) -> String {
    match origin {
        Origin::Argument | Origin::Only => String::new(),
        Origin::Variable => " (NETO_PROFILE asks for it)".to_owned(),
        Origin::Netosecret => " (NETOSECRET asks for it)".to_owned(),
        Origin::Pin(Some(path)) => format!(" ({} asks for it)", path.display()),
        Origin::Pin(None) => " (.neto-profile asks for it)".to_owned(),
        Origin::Current => " ('neto profile use' asks for it)".to_owned(),
    }
}

impl Sources<'_> {
    /// The profile that is meant by what the places say, whether or not there is one of that name; nothing when none
    /// of them says any.
    ///
    /// # Errors
    /// [`ChoiceError`]; a strong place that says something wrong is an error, never passed over.
    pub fn meant(self) -> Result<Option<Choice>, ChoiceError> {
        let found = |name: ProfileName, origin: Origin| {
            if name.is_env() && !self.netosecret {
                Err(ChoiceError::NoNetosecret)
            } else {
                Ok(Some(Choice { name, origin }))
            }
        };
        if let Some(text) = self.argument {
            if self.second.is_some_and(|second| second != text) {
                return Err(ChoiceError::Twice);
            }
            return found(parse(&text).map_err(ChoiceError::Argument)?, Origin::Argument);
        }
        if let Some(text) = self.variable {
            return found(parse(&text).map_err(ChoiceError::Variable)?, Origin::Variable);
        }
        if self.netosecret {
            return found(ProfileName::env(), Origin::Netosecret);
        }
        if let Some(Pin { path, name }) = self.files.pin() {
            return match name {
                Ok(name) => found(name, Origin::Pin(Some(path))),
                Err(error) => Err(ChoiceError::Pin { path, error }),
            };
        }
        Ok(self.files.current()?.map(|name| Choice { name, origin: Origin::Current }))
    }
}

/// Decides what the store has of what is [meant](Sources::meant).
///
/// # Errors
/// As [`Sources::meant`], and when the store does not have what is meant.
pub fn settle(meant: Result<Option<Choice>, ChoiceError>, store: &Store) -> Result<Choice, ChoiceError> {
    let meant = match meant {
        // Where a profile must be named there is no current one, readable or not.
        Ok(Some(Choice { origin: Origin::Current, .. })) | Err(ChoiceError::Current(_)) if store.explicit => None,
        meant => meant?,
    };
    if let Some(choice) = meant {
        return check(choice, store);
    }
    match store.profiles.as_slice() {
        [] => Err(ChoiceError::Empty),
        [only] if !store.explicit => Ok(Choice { name: only.name.clone(), origin: Origin::Only }),
        several => Err(ChoiceError::Nobody {
            explicit: store.explicit,
            names: several.iter().take(8).map(|entry| entry.name.to_string()).collect(),
        }),
    }
}

/// What every place says, strongest first, whether or not the name is any good.
#[must_use]
pub fn explain(sources: &Sources<'_>, store: &Store) -> Vec<Said> {
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
    let mut said: Vec<Said> = [
        (Origin::Argument, sources.argument.clone()),
        (Origin::Variable, sources.variable.clone()),
        (Origin::Netosecret, sources.netosecret.then(|| ProfileName::env().to_string())),
        (Origin::Pin(pin.map(|pin| pin.path.clone())), pinned),
        (Origin::Current, current.filter(|_| !store.explicit)),
        (Origin::Only, only.filter(|_| !store.explicit)),
    ]
    .into_iter()
    .map(|(origin, text)| Said { origin, text, wins: false })
    .collect();
    if let Some(winner) = said.iter_mut().find(|said| said.text.is_some()) {
        winner.wins = true;
    }
    said
}

/// A name as somebody asks for it: `env` is one here.
fn parse(text: &str) -> Result<ProfileName, NameError> {
    match text.parse() {
        Err(NameError::Reserved) => Ok(ProfileName::env()),
        parsed => parsed,
    }
}

fn check(choice: Choice, store: &Store) -> Result<Choice, ChoiceError> {
    let Choice { name, origin } = choice;
    if name.is_env() || store.entry(&name).is_some() {
        return Ok(Choice { name, origin });
    }
    let near = near(name.as_str(), store.names().map(ProfileName::as_str));
    let near = near.into_iter().map(str::to_owned).collect();
    Err(ChoiceError::Unknown { name, origin, near, empty: store.profiles.is_empty() })
}

//! Secret part of a credential: the two secrets of an API key, or a user's password. Also the identifier of a
//! credential.
//!
//! Owns the JSON format in which scripts pass these secrets to neto. Does not seal, store or send the secrets.

use super::fields::JsonFields;
use super::{FieldError, Json, JsonError, Secret};
use std::fmt;
use std::str::FromStr;

/// Secret part of a profile's credential; [`Account`](super::Account) is the public part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Secrets of an API key.
    ApiKey {
        /// Secret of the API key.
        appkey: Secret,
        /// Shared secret of the tenant, which signs the request token.
        sharedsecret: Secret,
    },
    /// Secret of a user account.
    Person {
        /// Password of the user.
        password: Secret,
    },
}

/// Reasons why a text is not a credential in JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The text is not strict JSON.
    #[error("the credential is {0}")]
    Json(#[from] JsonError),
    /// The JSON value is not an object.
    #[error("the credential is {found}, not a JSON object")]
    NotObject {
        /// Kind of the JSON value, such as `an array`.
        found: &'static str,
    },
    /// A field is missing or invalid.
    #[error("in the credential {0}")]
    Field(#[from] FieldError),
    /// The object has an unknown field. Holds the sanitized name of the field.
    #[error("the credential has the unknown field '{0}'")]
    UnknownField(String),
}

impl Credential {
    /// Parses the JSON object that a script pipes to neto.
    ///
    /// The object is `{"appkey": ..., "sharedsecret": ...}` or `{"password": ...}`.
    ///
    /// # Errors
    /// Returns a [`CredentialError`], which never contains a field's value.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let json = Json::parse(text)?;
        let found = json.kind();
        let mut fields = JsonFields::from_json(json).ok_or(CredentialError::NotObject { found })?;
        let credential = if fields.contains("password") {
            Self::Person { password: fields.take_text("password")? }
        } else {
            Self::ApiKey { appkey: fields.take_text("appkey")?, sharedsecret: fields.take_text("sharedsecret")? }
        };
        match fields.remaining_names().pop() {
            Some(name) => Err(CredentialError::UnknownField(name)),
            None => Ok(credential),
        }
    }
}

/// Public identifier of a credential: 16 random hex digits. Distinguishes successive credentials of one profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(String);

/// Error for a text that is not a [`CredentialId`] (exactly 16 lowercase hex digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a credential's id has 16 lower-case hex digits")]
pub struct CredentialIdError;

impl CredentialId {
    /// Generates a random identifier for a new credential.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// Returns the hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialId {
    type Err = CredentialIdError;

    fn from_str(text: &str) -> Result<Self, CredentialIdError> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 16 && is_hex { Ok(Self(text.to_owned())) } else { Err(CredentialIdError) }
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::FieldProblem;

    #[test]
    fn a_credential_is_read_from_json() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let key = Credential::ApiKey { appkey: secret("k"), sharedsecret: secret("s") };
        assert_eq!(Credential::parse(r#"{"appkey":"k","sharedsecret":"s"}"#), Ok(key));
        assert_eq!(Credential::parse(r#"{"password":"p"}"#), Ok(Credential::Person { password: secret("p") }));
        let missing = FieldError { name: "sharedsecret", problem: FieldProblem::Missing };
        for (text, error) in [
            ("k", CredentialError::Json(JsonError::Syntax { line: 1, column: 1 })),
            (r#""k""#, CredentialError::NotObject { found: "a text" }),
            (r#"{"appkey":"k"}"#, CredentialError::Field(missing)),
            (r#"{"password":"p","appkey":"k"}"#, CredentialError::UnknownField("appkey".to_owned())),
        ] {
            assert_eq!(Credential::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn ids_are_sixteen_hex_digits_and_differ() {
        let (one, other) = (CredentialId::random(), CredentialId::random());
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
        for invalid in ["", "5f0c9a3e7b1d2c4", "5F0C9A3E7B1D2C44", "5f0c9a3e7b1d2c4g", "5f0c9a3e7b1d2c445"] {
            assert_eq!(invalid.parse::<CredentialId>(), Err(CredentialIdError), "{invalid}");
        }
    }
}

//! What proves to the server who asks: the two secrets of an API key, or a person's password.

use super::fields::Fields;
use super::{FieldFault, Json, JsonFault, Secret};
use std::fmt;
use std::str::FromStr;

/// The secret part of a profile; the open part is its binding's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// Of an API key.
    ApiKey {
        /// The key.
        appkey: Secret,
        /// The account's secret, which signs the request token.
        sharedsecret: Secret,
    },
    /// Of a person.
    Person {
        /// The password.
        password: Secret,
    },
}

/// Why a JSON text is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No strict JSON.
    #[error("the credential is {0}")]
    Json(#[from] JsonFault),
    /// JSON, but no object.
    #[error("the credential is {found}, not a JSON object")]
    NotObject {
        /// What it is instead.
        found: &'static str,
    },
    /// A field that is not as it must be.
    #[error("in the credential {0}")]
    Field(#[from] FieldFault),
    /// A field that no credential has; its cleaned name.
    #[error("the credential has the unknown field '{0}'")]
    Unknown(String),
}

impl Credential {
    /// Reads `{"appkey": ..., "sharedsecret": ...}` or `{"password": ...}`, as scripts pipe it in.
    ///
    /// # Errors
    /// [`CredentialError`], which never holds a value.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let json = Json::parse(text)?;
        let found = json.kind();
        let mut fields = Fields::of(json).ok_or(CredentialError::NotObject { found })?;
        let credential = if fields.has("password") {
            Self::Person { password: fields.text("password")? }
        } else {
            Self::ApiKey { appkey: fields.text("appkey")?, sharedsecret: fields.text("sharedsecret")? }
        };
        match fields.rest().pop() {
            Some(name) => Err(CredentialError::Unknown(name)),
            None => Ok(credential),
        }
    }
}

/// What tells one credential of a profile from the next: 16 hex digits, random, not secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(String);

/// A text that is not 16 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a credential's id has 16 lower-case hex digits")]
pub struct CredentialIdError;

impl CredentialId {
    /// A new one, for a new credential.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialId {
    type Err = CredentialIdError;

    fn from_str(text: &str) -> Result<Self, CredentialIdError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 16 && digits { Ok(Self(text.to_owned())) } else { Err(CredentialIdError) }
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
        let missing = FieldFault { name: "sharedsecret", problem: FieldProblem::Missing };
        for (text, error) in [
            ("k", CredentialError::Json(JsonFault::Syntax { line: 1, column: 1 })),
            (r#""k""#, CredentialError::NotObject { found: "a text" }),
            (r#"{"appkey":"k"}"#, CredentialError::Field(missing)),
            (r#"{"password":"p","appkey":"k"}"#, CredentialError::Unknown("appkey".to_owned())),
        ] {
            assert_eq!(Credential::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn ids_are_sixteen_hex_digits_and_differ() {
        let (one, other) = (CredentialId::random(), CredentialId::random());
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
        for bad in ["", "5f0c9a3e7b1d2c4", "5F0C9A3E7B1D2C44", "5f0c9a3e7b1d2c4g", "5f0c9a3e7b1d2c445"] {
            assert_eq!(bad.parse::<CredentialId>(), Err(CredentialIdError), "{bad}");
        }
    }
}

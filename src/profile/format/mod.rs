//! Description of the format of `profiles.toml`: tables, keys, types of values, and descriptions for users.
//!
//! The JSON Schema and the manual page of the file are generated from this description. The parser accepts only keys
//! that are described here. The module `parse` owns the meaning of the values.

mod keys;
mod schema;

pub use keys::{API_KEY_KEYS, DEFAULTS, PERSON_KEYS, PROFILE, SEALED, SOURCE, TOP};
pub use schema::schema;

/// Description of a table with fixed keys.
pub struct TableSpec {
    /// Purpose of the table, for users.
    pub description: &'static str,
    groups: &'static [&'static [KeySpec]],
}

/// Description of a key.
pub struct KeySpec {
    /// Name of the key in the file.
    pub name: &'static str,
    /// Type of the value.
    pub value_type: ValueType,
    /// Purpose of the key, for users.
    pub description: &'static str,
    /// Default value, written so that it is valid in both TOML and JSON; `None` if there is no default.
    pub default_value: Option<&'static str>,
    /// Example values, valid in both TOML and JSON. Exception: dates are written as in TOML.
    pub examples: &'static [&'static str],
    /// Whether the key is required.
    pub required: bool,
}

/// Types of values.
#[derive(Clone, Copy)]
pub enum ValueType {
    /// Version of the format.
    Version,
    /// `true` or `false`.
    Flag,
    /// Any string.
    Text,
    /// String without control characters, not empty.
    Word,
    /// List of strings.
    Texts,
    /// Duration, such as `1h30m`.
    Span,
    /// URL of the API.
    Url,
    /// Absolute path.
    AbsolutePath,
    /// 16 lower-case hex digits.
    Hex,
    /// Date without a time.
    Date,
    /// Name of an environment variable to read.
    Variable,
    /// Program and its arguments.
    Command,
    /// List of names from `[recipients]`.
    RecipientNames,
    /// Table of environment variables and their values.
    Env,
    /// Table of recipient names and public keys.
    Recipients,
    /// Table of profile names and profiles; the [`TableSpec`] describes a profile.
    Profiles(&'static TableSpec),
    /// Sealed secret as a string, or a source as a table; the [`TableSpec`] describes a source.
    Secret(&'static TableSpec),
    /// Table with fixed keys.
    Table(&'static TableSpec),
}

impl TableSpec {
    const fn new(description: &'static str, groups: &'static [&'static [KeySpec]]) -> Self {
        Self { description, groups }
    }

    /// Returns the keys in the order in which the manual page lists them.
    pub fn keys(&self) -> impl Iterator<Item = &'static KeySpec> {
        self.groups.iter().copied().flatten()
    }

    pub(super) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys().map(|key| key.name)
    }

    /// Returns whether the table can have a key of this name.
    pub fn has_key(&self, name: &str) -> bool {
        self.key_names().any(|key_name| key_name == name)
    }
}

impl KeySpec {
    const fn new(name: &'static str, value_type: ValueType, description: &'static str) -> Self {
        Self { name, value_type, description, default_value: None, examples: &[], required: false }
    }

    const fn default_value(self, default_value: &'static str) -> Self {
        Self { default_value: Some(default_value), ..self }
    }

    const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

impl ValueType {
    /// Returns a phrase that describes a valid value, for the schema and the manual page.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Version => "the whole number 1",
            Self::Flag => "true or false",
            Self::Text => "a text",
            Self::Word => "a text without control characters, not empty",
            Self::Texts => "a list of texts",
            Self::Span => "a length of time: 30s, 10m, 2h, 7d, or joined as 1h30m",
            Self::Url => "an address: https, or http to this machine",
            Self::AbsolutePath => "an absolute path",
            Self::Hex => "16 lower-case hex digits",
            Self::Date => "a date without quotes",
            Self::Variable => "the name of an environment variable",
            Self::Command => "a list of texts: a program and its arguments",
            Self::RecipientNames => "a list of names from [recipients], not empty",
            Self::Env => "a table: names of variables with texts",
            Self::Recipients => "a table: names with public keys of age",
            Self::Profiles(_) => "a table: names with a profile each",
            Self::Secret(_) => "a sealed text, or a table with exactly one of command, file and env",
            Self::Table(_) => "a table",
        }
    }
}

#[cfg(test)]
mod tests;

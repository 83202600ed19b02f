//! The format of `profiles.toml`: its tables, their keys, the types of the values, and the descriptions.
//!
//! This is the only description of the format. The parser accepts only keys described here. The JSON Schema and the
//! manual page of the file are generated from it. The meaning of values belongs to `parse`.

mod keys;
mod schema;

pub use keys::{API_KEY_KEYS, DEFAULTS, PERSON_KEYS, PROFILE, SEALED, SOURCE, TOP};
pub use schema::schema;

/// A table with fixed keys.
pub struct TableSpec {
    /// Description of the table, in a sentence.
    pub description: &'static str,
    groups: &'static [&'static [KeySpec]],
}

/// A key of a table.
pub struct KeySpec {
    /// Name of the key as written.
    pub name: &'static str,
    /// Type of the value.
    pub value_type: ValueType,
    /// Purpose of the key.
    pub description: &'static str,
    /// Value used if the key is absent, in the notation that TOML and JSON share; `None` if there is no default.
    pub default_value: Option<&'static str>,
    /// Example values in the same notation; a date is written as in TOML.
    pub examples: &'static [&'static str],
    /// Whether the key is required.
    pub required: bool,
}

/// Types of values.
#[derive(Clone, Copy)]
pub enum ValueType {
    /// The version of the format.
    Version,
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// A text that is sent or exported as one word.
    Word,
    /// A list of any texts.
    Texts,
    /// A length of time.
    Span,
    /// The address of the API.
    Url,
    /// An absolute path.
    AbsolutePath,
    /// 16 hex digits.
    Hex,
    /// A date.
    Date,
    /// The name of an environment variable to read.
    Variable,
    /// A program and its arguments.
    Command,
    /// A list of names from `[recipients]`.
    RecipientNames,
    /// Environment variables that a profile adds.
    Env,
    /// Recipient names with public keys.
    Recipients,
    /// Profile names, each with a [`TableSpec`].
    Profiles(&'static TableSpec),
    /// A sealed text, or a table that names a source.
    Secret(&'static TableSpec),
    /// A table with fixed keys.
    Table(&'static TableSpec),
}

impl TableSpec {
    const fn new(description: &'static str, groups: &'static [&'static [KeySpec]]) -> Self {
        Self { description, groups }
    }

    /// Returns the keys, in the order of the manual page.
    pub fn keys(&self) -> impl Iterator<Item = &'static KeySpec> {
        self.groups.iter().copied().flatten()
    }

    pub(super) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys().map(|key| key.name)
    }

    /// Returns whether the table has a key of this name.
    pub fn has_key(&self, name: &str) -> bool {
        self.key_names().any(|known| known == name)
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
    /// Describes a valid value, for the schema and the manual page.
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

//! The form of `profiles.toml`: its tables, their keys, what each takes, and the words for it.
//!
//! This is the one description of the format. The parser knows no key that is not described here; the JSON Schema and
//! the manual page of the file are made of it. What a value means stands in `parse`.

mod keys;
mod schema;

pub(crate) use keys::{API_KEY, DEFAULTS, PERSON, PROFILE, SEALED, SOURCE, TOP};
pub use schema::schema;

/// A table whose keys are fixed.
pub(crate) struct Form {
    /// What it is, in a sentence.
    pub(crate) says: &'static str,
    groups: &'static [&'static [Key]],
}

/// A key of a table.
pub(crate) struct Key {
    /// As it is written.
    pub(crate) name: &'static str,
    /// What it takes.
    pub(crate) takes: Takes,
    /// What it is for.
    pub(crate) says: &'static str,
    /// What holds where the key is absent, in the notation that TOML and JSON share; absent where nothing does.
    pub(crate) usual: Option<&'static str>,
    /// Values in the same notation; a date is written as TOML has it.
    pub(crate) examples: &'static [&'static str],
    /// Whether it has to be there.
    pub(crate) needed: bool,
}

/// The kinds of values.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// The version of the format.
    Version,
    Flag,
    /// Any text.
    Text,
    /// A text that is sent or exported as one word.
    Word,
    /// A list of any texts.
    Texts,
    Span,
    Url,
    AbsolutePath,
    Hex,
    Date,
    /// The name of a variable to be read.
    Variable,
    /// A program and its arguments.
    Command,
    /// A list of names from `[recipients]`.
    RecipientNames,
    /// Variables that a profile adds.
    Env,
    /// Names with public keys.
    Recipients,
    /// Names with a [`Form`] each.
    Profiles(&'static Form),
    /// A sealed text, or a table that names a source.
    Secret(&'static Form),
    Table(&'static Form),
}

impl Form {
    const fn new(says: &'static str, groups: &'static [&'static [Key]]) -> Self {
        Self { says, groups }
    }

    /// Its keys, in the order that they are explained in.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().copied().flatten()
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys().map(|key| key.name)
    }

    /// Whether it has a key of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }
}

impl Key {
    const fn new(name: &'static str, takes: Takes, says: &'static str) -> Self {
        Self { name, takes, says, usual: None, examples: &[], needed: false }
    }

    const fn usual(self, usual: &'static str) -> Self {
        Self { usual: Some(usual), ..self }
    }

    const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }

    const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }
}

impl Takes {
    /// What a person is told to write.
    pub(crate) fn words(self) -> &'static str {
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

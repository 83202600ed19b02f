//! Values and keys as TOML.

use jiff::civil::Date;
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

/// A value as an edit gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text on one line.
    Text(String),
    /// A text of several lines between `"""`, such as a sealed secret.
    Block(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A day.
    Date(Date),
    /// A list of texts.
    List(Vec<String>),
    /// A table on one line.
    Table(Vec<(String, Value)>),
}

impl Value {
    /// As it stands in a file with these line ends.
    pub(super) fn render(&self, newline: &str) -> String {
        match self {
            Self::Text(text) => render_text(text),
            Self::Block(text) => {
                let block = TomlStringBuilder::new(text).as_ml_basic().to_toml_value();
                if newline == "\n" { block } else { block.replace('\n', newline) }
            }
            Self::Flag(flag) => flag.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Date(date) => date.to_string(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| render_text(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Table(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Table(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| render_pair(&render_key(key), value, newline)).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// `key = value`, the key as it stands in the file.
pub(super) fn render_pair(key: &str, value: &Value, newline: &str) -> String {
    format!("{key} = {}", value.render(newline))
}

/// One part of a key, in quotes where it needs them.
pub(super) fn render_key(part: &str) -> String {
    TomlKeyBuilder::new(part).as_default().to_toml_key()
}

/// A key of several parts.
pub(super) fn render_path<T: AsRef<str>>(path: &[T]) -> String {
    path.iter().map(|part| render_key(part.as_ref())).collect::<Vec<_>>().join(".")
}

/// On one line whatever it holds, and with as few escapes as can be.
fn render_text(text: &str) -> String {
    let builder = TomlStringBuilder::new(text);
    builder.as_basic_pretty().or_else(|| builder.as_literal()).unwrap_or_else(|| builder.as_basic()).to_toml_value()
}

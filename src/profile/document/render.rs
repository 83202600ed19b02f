//! Renders values and keys as TOML.

use jiff::civil::Date;
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

/// Value that an edit writes.
#[derive(Debug, Clone, PartialEq)]
pub enum EditValue {
    /// A string, written on one line.
    Text(String),
    /// A string, written between `"""` on several lines, such as a sealed secret.
    Multiline(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    #[allow(dead_code, reason = "no command writes one yet; the tests and fuzz targets do")]
    Integer(i64),
    /// A date.
    Date(Date),
    /// An array of strings.
    List(Vec<String>),
    /// An inline table.
    Table(Vec<(String, EditValue)>),
}

impl EditValue {
    /// Renders the value. `newline` is the line ending of the file.
    pub(super) fn render(&self, newline: &str) -> String {
        match self {
            Self::Text(text) => render_text(text),
            Self::Multiline(text) => {
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

/// Renders `key = value`. The caller has already rendered `key`.
pub(super) fn render_pair(key: &str, value: &EditValue, newline: &str) -> String {
    format!("{key} = {}", value.render(newline))
}

/// Renders one part of a dotted key, quoted if necessary.
pub(super) fn render_key(part: &str) -> String {
    TomlKeyBuilder::new(part).as_default().to_toml_key()
}

/// Renders a path as a dotted key.
pub(super) fn render_path<T: AsRef<str>>(path: &[T]) -> String {
    path.iter().map(|part| render_key(part.as_ref())).collect::<Vec<_>>().join(".")
}

/// Renders a string on one line. Uses escapes only if the string cannot be written without escapes.
fn render_text(text: &str) -> String {
    let builder = TomlStringBuilder::new(text);
    builder.as_basic_pretty().or_else(|| builder.as_literal()).unwrap_or_else(|| builder.as_basic()).to_toml_value()
}

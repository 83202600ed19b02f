//! Renders environment variables in file formats: dotenv, JSON, and the `GITHUB_ENV` file of GitHub Actions.

use std::fmt::Write as _;

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Serialize, Serializer};

use super::ShellError;
use crate::output::table::render_json;

/// Renders `NAME='value'` lines. Refuses values with characters that dotenv readers interpret differently in single
/// quotes.
pub(super) fn dotenv(set: &[(String, String)]) -> Result<String, ShellError> {
    let mut text = String::new();
    for (name, value) in set {
        let what = match value {
            value if value.contains('\'') => "a single quote",
            value if value.contains(['\n', '\r']) => "a line end",
            // Some readers treat `\'` as a quote inside the value, and read the next line as part of the value.
            value if value.ends_with('\\') => "a backslash at its end",
            _ => {
                let _ = writeln!(text, "{name}='{value}'");
                continue;
            }
        };
        return Err(ShellError::DotenvUnsupported { name: name.clone(), what });
    }
    Ok(text)
}

/// Variables that serialize to one JSON object, in the given order.
struct JsonObject<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for JsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Renders the variables as one JSON object, in the given order.
pub(super) fn json<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    render_json(&JsonObject(variables.collect()))
}

/// Renders each environment as a JSON object, all in one array.
pub(super) fn json_array<'a, V>(environments: impl Iterator<Item = V>) -> String
where
    V: Iterator<Item = (&'a str, &'a str)>,
{
    render_json(&environments.map(|variables| JsonObject(variables.collect())).collect::<Vec<_>>())
}

/// Renders a `NAME<<DELIMITER` block for each variable. The delimiter is random, so that no value can contain it and
/// end its block early.
pub(super) fn github<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Result<String, ShellError> {
    let mut random = [0; 16];
    SysRng.try_fill_bytes(&mut random).map_err(|_| ShellError::RandomFailed)?;
    let delimiter = format!("neto_{:032x}", u128::from_le_bytes(random));
    let mut text = String::new();
    for (name, value) in variables {
        let _ = write!(text, "{name}<<{delimiter}\n{value}\n{delimiter}\n");
    }
    Ok(text)
}

/// Renders `::add-mask::` lines, which make the GitHub runner redact secrets in its logs. Each line masks a whole
/// secret or one line of a multi-line secret. Print these lines before any output that contains a secret.
pub fn github_masks(secrets: &[&str]) -> String {
    let mut text = String::new();
    for secret in secrets {
        let lines = secret.split(['\n', '\r']).filter(|line| !line.is_empty() && line != secret);
        for part in std::iter::once(*secret).filter(|secret| !secret.is_empty()).chain(lines) {
            let escaped = part.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            let _ = writeln!(text, "::add-mask::{escaped}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(value: &str) -> Vec<(String, String)> {
        vec![("A".to_owned(), value.to_owned())]
    }

    #[test]
    fn r40_dotenv_refuses_ambiguous_values() {
        assert_eq!(dotenv(&variable("a b\"$(x)#")).unwrap(), "A='a b\"$(x)#'\n");
        for (value, what) in [
            ("it's", "a single quote"),
            ("a\nb", "a line end"),
            ("a\rb", "a line end"),
            ("a\\", "a backslash at its end"),
        ] {
            assert_eq!(dotenv(&variable(value)), Err(ShellError::DotenvUnsupported { name: "A".to_owned(), what }));
        }
    }

    #[test]
    fn json_is_one_object_in_order() {
        assert_eq!(json([("B", "x\"\n"), ("A", "")].into_iter()), "{\n  \"B\": \"x\\\"\\n\",\n  \"A\": \"\"\n}\n");
        assert_eq!(json(std::iter::empty()), "{}\n");
    }

    #[test]
    fn the_github_delimiter_differs_each_time() {
        let text = github([("A", "x\nB<<y\n")].into_iter()).unwrap();
        let mark = text.lines().next().unwrap().strip_prefix("A<<").unwrap();
        assert_eq!(text, format!("A<<{mark}\nx\nB<<y\n\n{mark}\n"));
        assert_ne!(text, github([("A", "x\nB<<y\n")].into_iter()).unwrap());
    }

    #[test]
    fn masks_cover_the_secret_and_each_of_its_lines() {
        assert_eq!(
            github_masks(&["s%t", "", "a\nb"]),
            "::add-mask::s%25t\n::add-mask::a%0Ab\n::add-mask::a\n::add-mask::b\n"
        );
    }
}

//! An environment as a file: dotenv, JSON, and what GitHub's runner reads.

use std::fmt::Write as _;

use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Serialize, Serializer};

use super::ShellError;
use crate::output::table::object;

/// `NAME='value'` lines. Inside single quotes readers agree on all but a few characters; those are refused.
pub(super) fn dotenv(set: &[(String, String)]) -> Result<String, ShellError> {
    let mut text = String::new();
    for (name, value) in set {
        let what = match value {
            value if value.contains('\'') => "a single quote",
            value if value.contains(['\n', '\r']) => "a line end",
            // Some readers take `\'` for a quote inside the value and read on into the next line.
            value if value.ends_with('\\') => "a backslash at its end",
            _ => {
                let _ = writeln!(text, "{name}='{value}'");
                continue;
            }
        };
        return Err(ShellError::Dotenv { name: name.clone(), what });
    }
    Ok(text)
}

/// Variables as the members of an object, in the order given.
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// One object, its members in the order given.
pub(super) fn json<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    object(&Members(variables.collect()))
}

/// An array of such objects.
pub(super) fn json_array<'a, V>(environments: impl Iterator<Item = V>) -> String
where
    V: Iterator<Item = (&'a str, &'a str)>,
{
    object(&environments.map(|variables| Members(variables.collect())).collect::<Vec<_>>())
}

/// `NAME<<MARK` blocks, each value between lines of a mark that nobody can foresee.
pub(super) fn github<'a>(variables: impl Iterator<Item = (&'a str, &'a str)>) -> Result<String, ShellError> {
    let mut noise = [0; 16];
    SysRng.try_fill_bytes(&mut noise).map_err(|_| ShellError::Random)?;
    let mark = format!("neto_{:032x}", u128::from_le_bytes(noise));
    let mut text = String::new();
    for (name, value) in variables {
        let _ = write!(text, "{name}<<{mark}\n{value}\n{mark}\n");
    }
    Ok(text)
}

/// The lines for stdout that make GitHub's runner strike these secrets out of its logs: each whole, and each line of
/// one of several lines. Must be printed before anything else can print the secret.
pub fn add_masks(secrets: &[&str]) -> String {
    let mut text = String::new();
    for secret in secrets {
        let lines = secret.split(['\n', '\r']).filter(|line| !line.is_empty() && line != secret);
        for part in std::iter::once(*secret).filter(|whole| !whole.is_empty()).chain(lines) {
            let data = part.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
            let _ = writeln!(text, "::add-mask::{data}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: &str) -> Vec<(String, String)> {
        vec![("A".to_owned(), value.to_owned())]
    }

    #[test]
    fn r40_dotenv_refuses_what_readers_disagree_about() {
        assert_eq!(dotenv(&one("a b\"$(x)#")).unwrap(), "A='a b\"$(x)#'\n");
        for (value, what) in [
            ("it's", "a single quote"),
            ("a\nb", "a line end"),
            ("a\rb", "a line end"),
            ("a\\", "a backslash at its end"),
        ] {
            assert_eq!(dotenv(&one(value)), Err(ShellError::Dotenv { name: "A".to_owned(), what }));
        }
    }

    #[test]
    fn json_is_one_object_in_order() {
        assert_eq!(json([("B", "x\"\n"), ("A", "")].into_iter()), "{\n  \"B\": \"x\\\"\\n\",\n  \"A\": \"\"\n}\n");
        assert_eq!(json(std::iter::empty()), "{}\n");
    }

    #[test]
    fn the_mark_of_github_is_new_each_time() {
        let text = github([("A", "x\nB<<y\n")].into_iter()).unwrap();
        let mark = text.lines().next().unwrap().strip_prefix("A<<").unwrap();
        assert_eq!(text, format!("A<<{mark}\nx\nB<<y\n\n{mark}\n"));
        assert_ne!(text, github([("A", "x\nB<<y\n")].into_iter()).unwrap());
    }

    #[test]
    fn masks_cover_each_line() {
        assert_eq!(
            add_masks(&["s%t", "", "a\nb"]),
            "::add-mask::s%25t\n::add-mask::a%0Ab\n::add-mask::a\n::add-mask::b\n"
        );
    }
}

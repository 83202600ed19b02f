//! Assignments in the syntax of shells, `.env` files and Python.

use super::quote::Language;

/// Keywords that may precede the name.
const KEYWORDS: [&str; 5] = ["export ", "declare -x ", "readonly ", "set ", "$env:"];

/// Line that assigns a value to a variable.
pub(super) struct Assignment<'a> {
    /// Name of the variable.
    pub(super) name: &'a str,
    /// Offset of the value in the line, in bytes.
    pub(super) value_start: usize,
    /// Language whose quoting rules the value follows.
    pub(super) language: Language,
}

impl<'a> Assignment<'a> {
    /// Parses a line. Returns `None` if the line is not an assignment.
    pub(super) fn find(line: &'a str) -> Option<Self> {
        let mut rest = line.trim_start();
        let mut language = Language::Shell;
        let keyword = KEYWORDS.iter().find(|word| rest.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word)));
        if let Some(keyword) = keyword {
            rest = rest[keyword.len()..].trim_start();
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|end| *end > 0)?;
        let (name, after) = rest.split_at(end);
        let equals = after.trim_start();
        if keyword.is_none() && equals.len() < after.len() {
            language = Language::Python;
        }
        let value = equals.strip_prefix('=').filter(|value| !value.starts_with('='))?.trim_start_matches([' ', '\t']);
        Some(Self { name, value_start: line.len() - value.len(), language })
    }

    /// Returns true if the name has no lower-case letter. Other names may be variables of a program.
    pub(super) fn is_constant(&self) -> bool {
        !self.name.bytes().any(|byte| byte.is_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_assignment_is_found() {
        for (line, name, value, language) in [
            ("APPKEY=x", "APPKEY", "x", Language::Shell),
            ("  APPKEY= x", "APPKEY", "x", Language::Shell),
            ("APPKEY = 'x'", "APPKEY", "'x'", Language::Python),
            ("export NETOSECRET='x'", "NETOSECRET", "'x'", Language::Shell),
            ("declare -x A_1=\"x\"", "A_1", "\"x\"", Language::Shell),
            ("SET NETOSECRET=x", "NETOSECRET", "x", Language::Shell),
            ("$env:NETOSECRET = \"x\"", "NETOSECRET", "\"x\"", Language::Shell),
            ("NAME=", "NAME", "", Language::Shell),
        ] {
            let found = Assignment::find(line).unwrap();
            assert_eq!((found.name, &line[found.value_start..], found.language), (name, value, language), "{line}");
        }
        for line in ["", "=x", "if x == y:", "payload = {", "'appkey': APPKEY,", "A B=x", "ewogICJ1", "export é=x"] {
            let found = Assignment::find(line).map(|found| found.name);
            assert!(found.is_none() || line.starts_with("payload"), "{line}: {found:?}");
        }
    }
}

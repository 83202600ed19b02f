//! Finds assignments in the syntax of shells, PowerShell, `.env` files and Python. Does not parse their values.

use super::quote::Language;

/// Keywords that may precede the name, in upper or lower case.
const KEYWORDS: [&str; 5] = ["export ", "declare -x ", "readonly ", "set ", "$env:"];

/// Assignment of a value to a variable, at the start of a line.
pub(super) struct Assignment<'a> {
    /// Name of the variable.
    pub(super) name: &'a str,
    /// Offset of the value in the line, in bytes.
    pub(super) value_start: usize,
    /// Language whose quoting rules the value follows.
    pub(super) language: Language,
}

impl<'a> Assignment<'a> {
    /// Parses a line. Returns `None` if no ASCII name is followed by `=`, or if `==` follows the name.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line.trim_start();
        let mut language = Language::Shell;
        let keyword = KEYWORDS
            .iter()
            .find(|keyword| rest.get(..keyword.len()).is_some_and(|start| start.eq_ignore_ascii_case(keyword)));
        if let Some(keyword) = keyword {
            rest = rest[keyword.len()..].trim_start();
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|end| *end > 0)?;
        let (name, after) = rest.split_at(name_end);
        let equals = after.trim_start();
        // A shell does not allow a blank before the equals sign.
        if keyword.is_none() && equals.len() < after.len() {
            language = Language::Python;
        }
        let value = equals.strip_prefix('=').filter(|value| !value.starts_with('='))?.trim_start_matches([' ', '\t']);
        Some(Self { name, value_start: line.len() - value.len(), language })
    }

    /// Returns true if the name has no lower-case letter, as constants and environment variables are usually named.
    pub(super) fn is_constant(&self) -> bool {
        !self.name.bytes().any(|byte| byte.is_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_syntax_of_an_assignment_is_parsed() {
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
            let found = Assignment::parse(line).unwrap();
            assert_eq!((found.name, &line[found.value_start..], found.language), (name, value, language), "{line}");
        }
        for line in ["", "=x", "if x == y:", "payload = {", "'appkey': APPKEY,", "A B=x", "ewogICJ1", "export é=x"] {
            let found = Assignment::parse(line).map(|found| found.name);
            assert!(found.is_none() || line.starts_with("payload"), "{line}: {found:?}");
        }
    }
}

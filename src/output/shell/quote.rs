//! Quotes a value as one word in each shell's syntax, so that no part of the value runs as code.

use std::fmt::Write as _;

/// Quotes a value for POSIX shells, bash and zsh. Inside single quotes, only a single quote has a special meaning.
pub(super) fn quote_posix(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Quotes a value for fish. Inside single quotes, only `\\` and `\'` have a special meaning.
pub(super) fn quote_fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Quotes a value for `PowerShell` as an expression in printable ASCII. Printable ASCII characters are quoted; all
/// other characters become `[char]` codes.
///
/// `PowerShell` treats U+2018 to U+201B as quotes, and may change line endings. `PowerShell` also decodes output with
/// the console's code page, which can turn other bytes into these quotes. Character codes avoid all three problems.
pub(super) fn quote_powershell(value: &str) -> String {
    let mut text = String::from("'");
    let mut is_quote_open = true;
    for unit in value.encode_utf16() {
        let printable = u8::try_from(unit).ok().filter(|byte| matches!(byte, b' '..=b'~'));
        if is_quote_open && printable.is_none() {
            text.push('\'');
        } else if !is_quote_open && printable.is_some() {
            text.push_str(" + '");
        }
        is_quote_open = printable.is_some();
        match printable {
            Some(b'\'') => text.push_str("''"),
            Some(byte) => text.push(char::from(byte)),
            None => {
                let _ = write!(text, " + [char]{unit}");
            }
        }
    }
    if is_quote_open {
        text.push('\'');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r40_values_are_quoted_in_the_syntax_of_each_shell() {
        for (value, in_posix, in_fish, in_powershell) in [
            ("", "''", "''", "''"),
            ("it's", r"'it'\''s'", r"'it\'s'", "'it''s'"),
            (r"a\'", r"'a\'\'''", r"'a\\\''", r"'a\'''"),
            ("$(x)`y`!%", "'$(x)`y`!%'", "'$(x)`y`!%'", "'$(x)`y`!%'"),
            ("a\nb", "'a\nb'", "'a\nb'", "'a' + [char]10 + 'b'"),
            (
                "\u{2018}\u{1f511}",
                "'\u{2018}\u{1f511}'",
                "'\u{2018}\u{1f511}'",
                "'' + [char]8216 + [char]55357 + [char]56593",
            ),
        ] {
            assert_eq!(
                (quote_posix(value), quote_fish(value), quote_powershell(value)),
                (in_posix.into(), in_fish.into(), in_powershell.into())
            );
        }
    }
}

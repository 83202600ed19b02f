//! Quotes a value as one word of a shell.

use std::fmt::Write as _;

/// Quotes with single quotes, in which POSIX shells, bash and zsh interpret only the quote itself.
pub(super) fn quote_posix(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Quotes with single quotes, in which fish interprets `\\` and `\'`.
pub(super) fn quote_fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Renders an expression in printable ASCII: quoted runs, joined with the character codes of everything else.
///
/// `PowerShell` treats U+2018 to U+201B as quotes. It decodes output by the console's code page, which can turn other
/// bytes into these quotes. It also changes line ends. Character codes avoid all three problems.
pub(super) fn quote_powershell(value: &str) -> String {
    let mut text = String::from("'");
    let mut is_open = true;
    for unit in value.encode_utf16() {
        let plain = u8::try_from(unit).ok().filter(|byte| matches!(byte, b' '..=b'~'));
        if is_open && plain.is_none() {
            text.push('\'');
        } else if !is_open && plain.is_some() {
            text.push_str(" + '");
        }
        is_open = plain.is_some();
        match plain {
            Some(b'\'') => text.push_str("''"),
            Some(byte) => text.push(char::from(byte)),
            None => {
                let _ = write!(text, " + [char]{unit}");
            }
        }
    }
    if is_open {
        text.push('\'');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r40_each_shell_quotes_its_own_way() {
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

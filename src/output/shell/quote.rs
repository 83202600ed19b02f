//! One value as one word of a shell.

use std::fmt::Write as _;

/// Single quotes, inside of which POSIX shells, bash and zsh take everything but the quote itself as it is.
pub(super) fn posix(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Single quotes, inside of which fish knows `\\` and `\'`.
pub(super) fn fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// An expression in printable ASCII: quoted runs joined with the codes of everything else.
///
/// `PowerShell` takes U+2018 to U+201B for quotes too, decodes what a program prints by the console's code page (in
/// which other bytes may become such a quote), and changes line ends. Codes are safe from all three.
pub(super) fn powershell(value: &str) -> String {
    let mut text = String::from("'");
    let mut open = true;
    for unit in value.encode_utf16() {
        let plain = u8::try_from(unit).ok().filter(|byte| matches!(byte, b' '..=b'~'));
        if open && plain.is_none() {
            text.push('\'');
        } else if !open && plain.is_some() {
            text.push_str(" + '");
        }
        open = plain.is_some();
        match plain {
            Some(b'\'') => text.push_str("''"),
            Some(byte) => text.push(char::from(byte)),
            None => {
                let _ = write!(text, " + [char]{unit}");
            }
        }
    }
    if open {
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
                (posix(value), fish(value), powershell(value)),
                (in_posix.into(), in_fish.into(), in_powershell.into())
            );
        }
    }
}

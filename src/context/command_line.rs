//! Command line split by hand, for lines that clap refuses.
//!
//! Owns how neto finds the verb and a flag's value when clap cannot: `export` must fail closed on a wrong flag, and an
//! error should name the verb that was typed. Decides nothing else about arguments.

use std::ffi::OsString;

/// Global flags whose value is the next word.
pub const GLOBAL_FLAGS_WITH_VALUE: [&str; 4] = ["--profile", "--store", "--lock-timeout", "--color"];

/// Words of the command line after the program name, up to `--`.
#[derive(Debug, Clone)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Splits the arguments of the process; the program name comes first.
    #[must_use]
    pub fn new(arguments: &[OsString]) -> Self {
        let own = arguments.iter().skip(1).take_while(|word| *word != "--");
        Self { words: own.map(|word| word.to_string_lossy().into_owned()).collect() }
    }

    /// Returns all words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the verb; `None` if only flags were typed.
    #[must_use]
    pub fn verb(&self) -> Option<&str> {
        self.positionals().next()
    }

    /// Iterates over the words that are neither flags nor values of global flags.
    pub fn positionals(&self) -> impl Iterator<Item = &str> {
        let mut words = self.words.iter().map(String::as_str);
        std::iter::from_fn(move || {
            loop {
                let word = words.next()?;
                if takes_next_word(word) {
                    words.next();
                } else if !word.starts_with('-') {
                    return Some(word);
                }
            }
        })
    }

    /// Returns the value of a flag, from `--flag VALUE` or `--flag=VALUE`.
    #[must_use]
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(flag)? {
            "" => self.words.get(index + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        })
    }
}

/// Checks for a global flag with its value in the next word: `--store`, `-p`, `-qp`. In `-pNAME` the value is included.
fn takes_next_word(word: &str) -> bool {
    let is_short = word.starts_with('-') && !word.starts_with("--");
    GLOBAL_FLAGS_WITH_VALUE.contains(&word) || (is_short && word.find('p') == Some(word.len() - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_line(line: &str) -> CommandLine {
        CommandLine::new(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_verb_is_found_behind_flags_and_their_values() {
        for (line, expected) in [
            ("neto", None),
            ("neto -q export", Some("export")),
            ("neto -p token export", Some("export")),
            ("neto -qp token export", Some("export")),
            ("neto -pacme export", Some("export")),
            ("neto --store=f --color always export --nonsense", Some("export")),
            ("neto --lock-timeout 5s", None),
            ("neto -- export", None),
        ] {
            assert_eq!(command_line(line).verb(), expected, "{line}");
        }
    }

    #[test]
    fn a_value_is_found_beside_its_flag_and_behind_an_equals_sign() {
        for (line, expected) in [
            ("neto export --shell fish", Some("fish")),
            ("neto export --shell=fish --bogus", Some("fish")),
            ("neto export --shell", None),
            ("neto export --shells fish", None),
            ("neto export -- --shell fish", None),
        ] {
            assert_eq!(command_line(line).value("--shell"), expected, "{line}");
        }
    }
}

//! Finds the verb and the value of a flag without clap, even in a command line that clap refuses.
//!
//! Two features need this. `export` prints a failing script for the right shell even after an unknown flag. Error
//! messages name the verb that was typed. clap owns all other parsing.

use std::ffi::OsString;

/// Global flags that take a value. In the form `--flag VALUE` the value is the next word.
pub const GLOBAL_FLAGS_WITH_VALUE: [&str; 4] = ["--profile", "--store", "--lock-timeout", "--color"];

/// Words of the command line after the program name, up to `--`.
#[derive(Debug, Clone)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Creates the command line from the arguments of the process. The first argument must be the program name.
    #[must_use]
    pub fn new(arguments: &[OsString]) -> Self {
        let words = arguments.iter().skip(1).take_while(|word| *word != "--");
        Self { words: words.map(|word| word.to_string_lossy().into_owned()).collect() }
    }

    /// Returns all words, flags and their values included.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the first positional word, which is the verb; `None` if there are only flags.
    #[must_use]
    pub fn verb(&self) -> Option<&str> {
        self.positionals().next()
    }

    /// Iterates over the words that are neither flags nor values of global flags. Values of a verb's own flags are
    /// included, because this module does not know these flags.
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

    /// Returns the value of a flag, written as `--flag VALUE` or `--flag=VALUE`; `None` if the flag or its value is
    /// missing. If the flag occurs several times, the first occurrence counts.
    #[must_use]
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(flag)? {
            "" => self.words.get(index + 1).map(String::as_str),
            rest => rest.strip_prefix('='),
        })
    }
}

/// Checks whether `word` is a global flag whose value is the next word, such as `--store`, `-p` or `-qp`. `-pNAME`
/// contains its value, so the next word is not consumed.
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
    fn the_verb_is_found_after_flags_and_their_values() {
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
    fn a_flag_value_is_the_next_word_or_follows_an_equals_sign() {
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

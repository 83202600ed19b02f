//! Runs the examples of a page: each must print what the page shows and exit as the page implies.
//!
//! Times, lengths, keys, ids and tokens differ between runs and are not compared; neither are line breaks. With
//! `UPDATE_GOLDEN` set, a page with different output is rewritten instead of failing.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// Command of the page and the output shown below it.
#[derive(Debug)]
pub(crate) struct Example {
    /// Line number of the command, from 1.
    pub(crate) line: usize,
    /// Owner of the shell: the word after `console`, or empty.
    pub(crate) user: String,
    pub(crate) command: String,
    pub(crate) output: String,
}

/// Page of the repository with its examples, in order.
pub(crate) struct TranscriptPage {
    name: &'static str,
    text: String,
    pub(crate) examples: Vec<Example>,
    exit_failures: Vec<String>,
    /// Examples whose output or success differs from the page.
    output_failures: Vec<String>,
    /// New output for the lines of the page (first line, number of lines, text).
    printed: Vec<(usize, usize, String)>,
    /// Public keys on the page, and the keys of this run in their place.
    keys: HashMap<String, String>,
}

impl TranscriptPage {
    /// Reads a page.
    pub(crate) fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(path(name)).expect("a page of the repository");
        let examples = examples(&text);
        Self {
            name,
            text,
            examples,
            exit_failures: Vec::new(),
            output_failures: Vec::new(),
            printed: Vec::new(),
            keys: HashMap::new(),
        }
    }

    /// Returns the command of an example, with the keys of this run in place of the keys on the page.
    pub(crate) fn command(&self, at: usize) -> String {
        self.keys.iter().fold(self.examples[at].command.clone(), |text, (output, made)| text.replace(output, made))
    }

    /// Compares the output and the exit code of an example with the page.
    pub(crate) fn compare(&mut self, at: usize, printed: &str, code: i32) {
        let Example { line, command, output, .. } = &self.examples[at];
        match implied_exit_code(&self.examples, at) {
            Ok(expected) if expected != code => {
                self.exit_failures
                    .push(format!("{}:{line}: `{command}` ends with {code}, not {expected}\n{printed}", self.name));
            }
            Err(()) if code == 0 => {
                self.output_failures.push(format!("{}:{line}: `{command}` ends with 0, not with an error", self.name));
            }
            _ => {}
        }
        if comparable_words(printed) != comparable_words(output) {
            self.output_failures
                .push(format!("{}:{line}: `{command}` prints\n{printed}--- and the page shows\n{output}", self.name));
            self.printed.push((*line, output.lines().count(), printed.to_owned()));
        }
        self.keys.extend(public_keys(output).into_iter().zip(public_keys(printed)));
    }

    /// Fails unless every example was as on the page; with `UPDATE_GOLDEN`, rewrites the page.
    pub(crate) fn finish(self) {
        assert!(self.exit_failures.is_empty(), "{}", self.exit_failures.join("\n\n"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !self.printed.is_empty() {
            let mut lines: Vec<&str> = self.text.lines().collect();
            for (line, count, printed) in self.printed.iter().rev() {
                lines.splice(*line..line + count, printed.lines());
            }
            return fs::write(path(self.name), lines.join("\n") + "\n").expect("the page");
        }
        assert!(self.output_failures.is_empty(), "{}", self.output_failures.join("\n\n"));
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut inside = None;
    for (at, text) in page.lines().enumerate() {
        if text.starts_with("```") {
            inside = text.strip_prefix("```console").map(|user| user.trim().to_owned());
        } else if let Some(user) = &inside {
            if let Some(command) = text.strip_prefix("$ ") {
                let (user, command) = (user.clone(), command.to_owned());
                found.push(Example { line: at + 1, user, command, output: String::new() });
            } else {
                let output = &mut found.last_mut().expect("a command above its output").output;
                output.push_str(text);
                output.push('\n');
            }
        }
    }
    found
}

/// Returns the words of a text for comparison. Each run of words that contain digits becomes one `#`.
pub(crate) fn comparable_words(text: &str) -> Vec<String> {
    if let Ok(status) = text.trim().parse::<u8>() {
        return vec![status.to_string()];
    }
    let mut words = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { word };
        if word != "#" || words.last().is_none_or(|last| last != "#") {
            words.push(word.to_owned());
        }
    }
    words
}

/// Returns the exit code that the page implies: the output of a following `echo $?`, otherwise 0. `Err` means any
/// error.
fn implied_exit_code(examples: &[Example], at: usize) -> Result<i32, ()> {
    let example = &examples[at];
    if let Some(next) = examples.get(at + 1).filter(|next| next.command == "echo $?") {
        return Ok(next.output.trim().parse().expect("an exit code"));
    }
    let alone = !example.command.contains(['|', ';']);
    let error = example.output.lines().any(|line| line.starts_with("error:"));
    if alone && error { Err(()) } else { Ok(0) }
}

fn public_keys(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("age1") && word.len() == 62).map(str::to_owned).collect()
}

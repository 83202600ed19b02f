//! The examples of a page, run: each prints what the page shows and ends as it implies.
//!
//! Times, lengths, keys, ids and tokens differ from run to run and are not compared; neither are line breaks. With
//! `UPDATE_GOLDEN` set, a page whose examples print something else is written anew instead of failing.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// A command of the page and what it shows below it.
#[derive(Debug)]
pub(crate) struct Example {
    /// The line of the command, from 1.
    pub(crate) line: usize,
    /// Whose shell it is: the word behind `console`, if there is one.
    pub(crate) who: String,
    pub(crate) command: String,
    pub(crate) shown: String,
}

/// A page of the repository with its examples, in order.
pub(crate) struct Page {
    name: &'static str,
    text: String,
    pub(crate) examples: Vec<Example>,
    wrong: Vec<String>,
    /// Those that print something else than the page shows.
    different: Vec<String>,
    /// What is printed now in the place of these lines (from, how many).
    printed: Vec<(usize, usize, String)>,
    /// The public keys that stand on the page, and those that were made in their place.
    keys: HashMap<String, String>,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(name: &'static str) -> Self {
        let text = fs::read_to_string(path(name)).expect("a page of the repository");
        let examples = examples(&text);
        Self {
            name,
            text,
            examples,
            wrong: Vec::new(),
            different: Vec::new(),
            printed: Vec::new(),
            keys: HashMap::new(),
        }
    }

    /// The command of an example, with the keys of this run in the place of those on the page.
    pub(crate) fn command(&self, at: usize) -> String {
        self.keys.iter().fold(self.examples[at].command.clone(), |text, (shown, made)| text.replace(shown, made))
    }

    /// What an example printed, as on the page, and its exit code.
    pub(crate) fn compare(&mut self, at: usize, printed: &str, code: i32) {
        let Example { line, command, shown, .. } = &self.examples[at];
        match implied(&self.examples, at) {
            Ok(wanted) if wanted != code => {
                self.wrong.push(format!("{}:{line}: `{command}` ends with {code}, not {wanted}\n{printed}", self.name));
            }
            Err(()) if code == 0 => {
                self.different.push(format!("{}:{line}: `{command}` ends with 0, not with an error", self.name));
            }
            _ => {}
        }
        if words(printed) != words(shown) {
            self.different
                .push(format!("{}:{line}: `{command}` prints\n{printed}--- and the page shows\n{shown}", self.name));
            self.printed.push((*line, shown.lines().count(), printed.to_owned()));
        }
        self.keys.extend(public_keys(shown).into_iter().zip(public_keys(printed)));
    }

    /// Fails unless every example was as on the page; writes the page anew where that is wanted.
    pub(crate) fn finish(self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n\n"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !self.printed.is_empty() {
            let mut lines: Vec<&str> = self.text.lines().collect();
            for (line, count, printed) in self.printed.iter().rev() {
                lines.splice(*line..line + count, printed.lines());
            }
            return fs::write(path(self.name), lines.join("\n") + "\n").expect("the page");
        }
        assert!(self.different.is_empty(), "{}", self.different.join("\n\n"));
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
            inside = text.strip_prefix("```console").map(|who| who.trim().to_owned());
        } else if let Some(who) = &inside {
            if let Some(command) = text.strip_prefix("$ ") {
                let (who, command) = (who.clone(), command.to_owned());
                found.push(Example { line: at + 1, who, command, shown: String::new() });
            } else {
                let shown = &mut found.last_mut().expect("a command above its output").shown;
                shown.push_str(text);
                shown.push('\n');
            }
        }
    }
    found
}

/// What a text says, in words: each that holds a digit stands for any other, a run of them for one.
pub(crate) fn words(text: &str) -> Vec<String> {
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

/// What the page has the command end with: the number that `echo $?` shows next; no success where an error ends it.
fn implied(examples: &[Example], at: usize) -> Result<i32, ()> {
    let example = &examples[at];
    if let Some(next) = examples.get(at + 1).filter(|next| next.command == "echo $?") {
        return Ok(next.shown.trim().parse().expect("an exit code"));
    }
    let alone = !example.command.contains(['|', ';']);
    let error = example.shown.lines().any(|line| line.starts_with("error:"));
    if alone && error { Err(()) } else { Ok(0) }
}

fn public_keys(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| word.starts_with("age1") && word.len() == 62).map(str::to_owned).collect()
}

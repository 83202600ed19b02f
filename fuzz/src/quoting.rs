//! Variables as text: each reader returns exactly the original values, and the text has no other effect.
//!
//! The input is one value, or several separated by `\x01`. The first value is also used as a name.

use super::readers;
use neto::internals::output::{EnvFormat, Shell, ShellError, github_masks};
use std::collections::{BTreeMap, BTreeSet};

/// Variable that was set before and must be unset.
const UNSET: &str = "GONE";

pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let values: Vec<String> = text.split('\u{1}').map(str::to_owned).collect();
    let set: Vec<(String, String)> =
        values.iter().enumerate().map(|(number, value)| (format!("V_{number}"), value.clone())).collect();
    if text.contains('\0') {
        let refused = EnvFormat::Shell(Shell::Sh).render_exports(&[], &set);
        assert!(matches!(refused, Err(ShellError::Nul { .. })), "{refused:?}");
        return;
    }
    shells(&set);
    files(&set);
    name(&values[0]);
    masks(&values);
}

fn export(format: EnvFormat, set: &[(String, String)]) -> String {
    format.render_exports(&[UNSET.to_owned()], set).expect("written")
}

fn shells(set: &[(String, String)]) {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut wanted = vec![words(&["unset", "-v", UNSET])];
    wanted.extend(set.iter().map(|(name, value)| words(&["export", &format!("{name}={value}")])));
    for shell in [Shell::Sh, Shell::Bash, Shell::Zsh] {
        assert_eq!(readers::posix(&export(EnvFormat::Shell(shell), set)), wanted);
    }
    let mut wanted = vec![words(&["set", "-eg", UNSET]), words(&["true"])];
    wanted.extend(set.iter().map(|(name, value)| words(&["set", "-gx", name, value])));
    assert_eq!(readers::fish(&export(EnvFormat::Shell(Shell::Fish), set)), wanted);
    let mut wanted = vec![(UNSET.to_owned(), None)];
    wanted.extend(set.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
    assert_eq!(readers::powershell(&export(EnvFormat::Shell(Shell::Powershell), set)), wanted);
}

fn files(set: &[(String, String)]) {
    let mut wanted: BTreeMap<String, String> = set.iter().cloned().collect();
    let read = |text: String| serde_json::from_str::<BTreeMap<String, String>>(&text).expect("JSON");
    assert_eq!(read(export(EnvFormat::Json, set)), wanted);
    wanted.insert(UNSET.to_owned(), String::new());
    assert_eq!(read(export(EnvFormat::Shell(Shell::Nu), set)), wanted);
    let github: BTreeMap<String, String> = readers::github(&export(EnvFormat::Github, set)).into_iter().collect();
    assert_eq!(github, wanted);
    let fits = |value: &str| !value.contains(['\'', '\r', '\n']) && !value.ends_with('\\');
    match EnvFormat::Dotenv.render_exports(&[], set) {
        Ok(text) => assert_eq!(readers::dotenv(&text), set),
        Err(ShellError::DotenvUnsupported { name, .. }) => {
            let refused = set.iter().find(|(other, _)| *other == name).expect("one of the variables");
            assert!(!fits(&refused.1), "{refused:?} was refused");
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// Checks that an invalid name is rejected in every format and never printed.
fn name(text: &str) {
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let set = [(text.to_owned(), "x".to_owned())];
    for format in [EnvFormat::Shell(Shell::Sh), EnvFormat::Shell(Shell::Fish), EnvFormat::Dotenv, EnvFormat::Github] {
        match format.render_exports(&[], &set) {
            Ok(_) => assert!(good, "{text:?} is no name"),
            Err(error) => {
                assert!(!good && matches!(error, ShellError::InvalidName(_)), "{error:?}");
                assert_eq!(format.render_failure(&[text.to_owned()], &[]), format.render_failure(&[], &[]));
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }
}

/// Checks that each value is masked as a whole and line by line.
fn masks(values: &[String]) {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let plain = |data: &str| data.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
    let command = |line: &str| plain(line.strip_prefix("::add-mask::").expect("a mask and nothing else"));
    let masks = github_masks(&values);
    let masks: BTreeSet<String> = masks.split_terminator('\n').map(command).collect();
    let lines = values.iter().flat_map(|value| value.split(['\n', '\r']));
    for part in values.iter().copied().chain(lines).filter(|part| !part.is_empty()) {
        assert!(masks.contains(part), "{part:?} is not masked");
    }
}

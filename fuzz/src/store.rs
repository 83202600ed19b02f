//! A store of any bytes, and edits of it. Errors never show a value, and an edit changes nothing else.
//!
//! The input is the file and, after the first `\x01` (which TOML forbids), the edits.

use super::script::{CANARY, Script};
use super::{lines, model};
use neto::internals::profile::{Document, Edit, EditError, Fault, PlaintextKey, ProfileEntry, Section, Store};
use std::path::Path;

pub fn check(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 1);
    let file = parts.next().unwrap_or_default();
    let document = match Document::parse(file.to_vec(), Path::new("/store")) {
        Ok(document) => document,
        Err(error) => return assert_no_value(&error.to_string()),
    };
    assert_eq!(document.bytes(), file);
    document.store().profiles.iter().filter_map(fault).for_each(|fault| assert_no_value(&fault.to_string()));
    check_accessors(&document, text(&document));
    let edits = Script(parts.next().unwrap_or_default()).edits(document.store());
    match document.apply(&edits) {
        Ok(after) => compare_with_model(&document, &after, &edits),
        Err(error) => {
            assert_no_value(&error.to_string());
            let caught = error == EditError::UnexpectedResult && !within_a_new_table(&edits);
            assert!(!caught, "a bug that was caught: {edits:?}\n{}", text(&document));
        }
    }
}

/// Returns whether an edit targets a key inside a table that an earlier edit of the same call sets. neto rejects this
/// safely; no command does it.
fn within_a_new_table(edits: &[Edit]) -> bool {
    edits.iter().enumerate().any(|(number, edit)| {
        let Edit::Set { key: table, .. } = edit else { return false };
        edits[number + 1..].iter().any(|later| match later {
            Edit::Set { key, .. } | Edit::Unset { key, .. } => key.len() > table.len() && key.starts_with(table),
            _ => false,
        })
    })
}

fn text(document: &Document) -> &str {
    std::str::from_utf8(document.bytes()).expect("a store is text")
}

fn fault(entry: &ProfileEntry) -> Option<&Fault> {
    entry.profile.as_ref().err()
}

/// Asserts that the message contains no canary, neither whole nor its middle. A name, key or host cannot contain the
/// middle.
fn assert_no_value(message: &str) {
    assert!(!message.contains(&CANARY[3..14]), "a message tells a value: {message}");
}

/// Checks that the accessors of a document do not panic and return the file's values.
fn check_accessors(document: &Document, text: &str) {
    let raw = model::values(text);
    for entry in &document.store().profiles {
        let profile = raw["profiles"][entry.name.as_str()].as_table();
        for key in PlaintextKey::ALL {
            let written = profile.and_then(|profile| profile.get(key.name())?.as_str());
            assert_eq!(document.plaintext_value(&entry.name, key).as_deref(), written, "{}", entry.name);
        }
        let section = Section::Profile(entry.name.clone());
        for key in ["url", "env", "tags"] {
            assert_eq!(document.declares(&section, &[key]), profile.is_some_and(|profile| profile.contains_key(key)));
        }
        if let Some(block) = document.profile_block(&entry.name) {
            assert!(block.lines().all(|line| text.contains(line)), "a block of lines that are not there");
        }
    }
}

fn compare_with_model(before: &Document, after: &Document, edits: &[Edit]) {
    let values = |document: &Document| model::values(text(document));
    let expected = model::edited(values(before), edits).unwrap_or_else(|| panic!("made without a sense: {edits:?}"));
    assert_eq!(
        model::normalized(values(after)),
        model::normalized(expected),
        "{edits:?}\n{}\n-----\n{}",
        text(before),
        text(after)
    );
    let again = Document::parse(after.bytes().to_vec(), Path::new("/store")).expect("what was written is read");
    for store in [again.store(), after.store()] {
        check_other_profiles(before.store(), store, edits);
    }
    if let [edit] = edits {
        lines::assert_kept(text(before), text(after), edit);
    }
}

/// Checks that profiles not named by an edit are unchanged, unless the defaults changed.
fn check_other_profiles(before: &Store, after: &Store, edits: &[Edit]) {
    let mut named = Vec::new();
    for edit in edits {
        match edit {
            Edit::Set { section: Section::Top, .. } | Edit::Unset { section: Section::Top, .. } => {}
            Edit::Set { section: Section::Profile(name), .. }
            | Edit::Unset { section: Section::Profile(name), .. }
            | Edit::AddProfile { name, .. }
            | Edit::RemoveProfile { name }
            | Edit::ReplaceBlock { name, .. } => named.push(name),
            Edit::Set { .. } | Edit::Unset { .. } => return,
            Edit::RenameProfile { from, to } => named.extend([from, to]),
        }
    }
    for entry in before.profiles.iter().filter(|entry| !named.contains(&&entry.name)) {
        let other = after.entry(&entry.name).unwrap_or_else(|| panic!("{} is gone", entry.name));
        match (&entry.profile, &other.profile) {
            (Err(one), Err(other)) => assert_eq!((&one.key, &one.problem), (&other.key, &other.problem)),
            (one, other) => assert_eq!(one, other),
        }
    }
}

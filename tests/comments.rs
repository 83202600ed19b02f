//! Checks mechanical rules for comments: which words may not start a doc comment, and which phrases no comment may
//! contain.

use crate::source_files;

/// Words that must not start a doc comment, because a verb or a domain noun must.
const STAND_INS: [&str; 10] =
    ["What", "Who", "Whose", "Where", "When", "Nothing", "Nobody", "None", "That", "The same"];

/// Phrases that no comment may contain, because they are hard to understand.
const RIDDLES: [&str; 4] = ["anew", "in clear", "lies there", "one that"];

/// Returns all violations in a source text, each with its line number.
fn violations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut follows_doc = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start())) {
        let doc = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
        let starts_doc = doc.is_some() && !follows_doc;
        follows_doc = doc.is_some();
        let words = doc.unwrap_or_default().trim_start();
        if starts_doc && STAND_INS.iter().any(|start| starts_with_word(words, start)) {
            found.push(format!("{number}: starts with a stand-in for a noun: {line}"));
        }
        let comment = if line.starts_with("//") { Some(line) } else { line.split_once("; // ").map(|(_, text)| text) };
        if let Some(riddle) = comment.and_then(|text| RIDDLES.iter().find(|riddle| has_words(text, riddle))) {
            found.push(format!("{number}: says '{riddle}': {line}"));
        }
    }
    found
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
}

fn has_words(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(start, _)| {
        let ends = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
        ends(text[..start].chars().next_back()) && ends(text[start + words.len()..].chars().next())
    })
}

#[test]
fn comments_start_with_a_verb_or_a_noun_and_hold_no_riddle() {
    let files = source_files::read(&["src", "tests", "bench", "fuzz", "examples"]);
    assert!(files.len() > 200, "the files were read");
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| violations(&file.text).into_iter().map(|violation| format!("{}:{violation}", file.path)))
        .collect();
    assert!(found.is_empty(), "{} comments to rewrite:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_violation_is_found() {
    for (text, expected) in [
        ("/// What it says.", 1),
        ("//! The same for two.\n//! What follows is the second line.", 1),
        ("    /// Whatever comes.", 0),
        ("/// Returns a new token.\n/// When the old one is stale.", 0),
        ("// It is sealed anew.", 1),
        ("let x = 1; // it is sealed a\u{6e}ew", 1),
        ("/// Renewed phrases.", 0),
        ("let text = \"in clear\";", 0),
    ] {
        assert_eq!(violations(text).len(), expected, "{text}");
    }
}

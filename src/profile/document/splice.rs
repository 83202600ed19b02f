//! Replaces byte ranges of a text, and finds the lines and blanks at an offset.

use std::ops::Range;

/// Replacements in one text, collected in any order and then applied together.
#[derive(Default)]
pub(super) struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    /// Replaces `range` with `text`.
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// Inserts `text` at the offset `at`, after any text inserted at that offset by earlier calls.
    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// Returns the `original` text with all replacements. Ranges may overlap: the bytes of all ranges
    /// are removed, and every new text is inserted.
    pub(super) fn apply(mut self, original: &str) -> String {
        // An insertion comes before a replacement that starts at the same offset.
        self.0.sort_by_key(|(range, _)| (range.start, !range.is_empty()));
        let added: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        let mut result = String::with_capacity(original.len() + added);
        let mut done = 0;
        for (range, text) in self.0 {
            result.push_str(&original[done..range.start.max(done)]);
            result.push_str(&text);
            done = done.max(range.end);
        }
        result.push_str(&original[done..]);
        result
    }
}

/// Returns the start of the line that contains the offset `at`. The byte-order mark is not part of the
/// first line.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or_else(|| text_start(text), |end| end + 1)
}

/// Returns the end of the line that contains the offset `at`, after the line ending.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// Returns the start of the text, after the byte-order mark if there is one.
pub(super) fn text_start(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Returns the end of the spaces and tabs that start at the offset `at`.
pub(super) fn blanks_end(text: &str, at: usize) -> usize {
    at + text[at..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Returns true if a line contains only a comment.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

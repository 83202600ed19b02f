//! Replaces ranges of a text.

use std::ops::Range;

/// Replacements in one text, applied in one pass.
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

    /// Inserts `text` at `at`, after texts inserted there before.
    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// Returns the text after all replacements. Overlapping ranges are removed as a union.
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

/// Returns the start of the line that holds the byte at `at`.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or_else(|| text_start(text), |end| end + 1)
}

/// Returns the end of the line that holds the byte at `at`, after its line end.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// Returns the start of the text after its byte-order mark.
pub(super) fn text_start(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// Returns the end of the blanks that start at `at`.
pub(super) fn blanks_end(text: &str, at: usize) -> usize {
    at + text[at..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Returns whether a line holds only a comment.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

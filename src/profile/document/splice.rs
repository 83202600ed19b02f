//! Cutting a text and putting other text in its place.

use std::ops::Range;

/// Replacements of ranges of one text, made in one pass.
#[derive(Default)]
pub(super) struct Splices(Vec<(Range<usize>, String)>);

impl Splices {
    /// Puts `text` in the place of `range`.
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.0.push((range, text.into()));
    }

    /// Takes `range` out.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// Puts `text` before what stands at `at`, behind what was put there before.
    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// The text after all of them. Where ranges overlap, their union goes.
    pub(super) fn apply(mut self, original: &str) -> String {
        // What is put in somewhere comes before what is replaced from there on.
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

/// Where the line starts that holds the byte at `at`.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or_else(|| text_start(text), |end| end + 1)
}

/// Where the line ends that holds the byte at `at`, its line end included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

/// Where the text starts behind its byte-order mark.
pub(super) fn text_start(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// The end of the blanks that stand at `at`.
pub(super) fn blanks_end(text: &str, at: usize) -> usize {
    at + text[at..].bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Whether a line holds nothing.
pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// Whether a line holds a comment and nothing else.
pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

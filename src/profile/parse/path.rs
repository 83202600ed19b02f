//! Finds the path of the key at an offset, for messages about syntax errors. The text need not be valid TOML.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// Returns the path of the key at `offset`: the parts of the header, then the parts of the key up to the first unknown
/// part. Returns an empty path if the header starts with an unknown part.
///
/// An unknown part may be a secret, which a message must not show: a pasted value without a key looks like a key, and a
/// pasted list looks like a header.
pub(super) fn known_key_path(text: &str, offset: usize) -> Vec<String> {
    let tracker = KeyTracker::at_offset(text, offset);
    if tracker.header.first().is_some_and(|first| !super::is_known_key(first)) {
        return Vec::new();
    }
    let known_parts = tracker
        .line_key
        .into_iter()
        .chain(tracker.bracket_keys.into_iter().flatten())
        .take_while(|part| super::is_known_key(part));
    tracker.header.into_iter().chain(known_parts).collect()
}

/// Returns the whole path of the key at `offset`, including unknown parts. Use this only for errors about a key that
/// has a value, because a pasted secret has no value.
pub(super) fn declared_key_path(text: &str, offset: usize) -> Vec<String> {
    let tracker = KeyTracker::at_offset(text, offset);
    [tracker.header, tracker.line_key].into_iter().chain(tracker.bracket_keys).flatten().collect()
}

/// Header and keys at the current position in the parser's events.
#[derive(Default)]
struct KeyTracker {
    in_header: bool,
    /// Whether a dot follows the last part of the key, so that the next part continues the key.
    after_dot: bool,
    /// Parts of the last header.
    header: Vec<String>,
    /// Parts of the current line's key, outside brackets.
    line_key: Vec<String>,
    /// Parts of the last key inside each open bracket, outermost bracket first.
    bracket_keys: Vec<Vec<String>>,
}

impl KeyTracker {
    fn at_offset(text: &str, offset: usize) -> Self {
        let tokens = Source::new(text).lex().into_vec();
        let mut events: Vec<Event> = Vec::new();
        parse_document(&tokens, &mut events, &mut ());
        // An error at the end of a line, such as a missing value, belongs to that line.
        let ends_line = |event: &Event| event.kind() == EventKind::Newline && event.span().start() == offset;
        let events_before = events.iter().take_while(|event| event.span().start() <= offset && !ends_line(event));
        let mut tracker = Self::default();
        events_before.for_each(|event| tracker.handle_event(text, event));
        tracker
    }

    fn handle_event(&mut self, text: &str, event: &Event) {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => *self = Self { in_header: true, ..Self::default() },
            EventKind::StdTableClose | EventKind::ArrayTableClose => self.in_header = false,
            EventKind::ArrayOpen | EventKind::InlineTableOpen => self.bracket_keys.push(Vec::new()),
            EventKind::ArrayClose | EventKind::InlineTableClose => _ = self.bracket_keys.pop(),
            EventKind::Newline if self.bracket_keys.is_empty() => {
                self.in_header = false;
                self.line_key.clear();
            }
            EventKind::KeySep => self.after_dot = true,
            EventKind::SimpleKey => {
                let part = decode_key_part(text, event);
                let key = if self.in_header { &mut self.header } else { &mut self.line_key };
                let key = self.bracket_keys.last_mut().unwrap_or(key);
                if !std::mem::take(&mut self.after_dot) {
                    key.clear();
                }
                key.push(part);
            }
            _ => {}
        }
    }
}

/// Decodes one part of a key. Returns an empty string if the event's span is outside the text.
fn decode_key_part(text: &str, event: &Event) -> String {
    let mut key = std::borrow::Cow::Borrowed("");
    if let Some(raw) = Source::new(text).get(*event) {
        raw.decode_key(&mut key, &mut ());
    }
    key.into_owned()
}

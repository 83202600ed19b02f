//! Finds the key at an offset of a text that need not be valid TOML.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// Returns the path of the header and of the known keys that hold the byte at `offset`. The path ends before an
/// unknown key. A value that was pasted without its key looks like a key, and a list of values like a header.
pub(super) fn known_key_path(text: &str, offset: usize) -> Vec<String> {
    let walk = KeyWalk::up_to(text, offset);
    if walk.header.first().is_some_and(|first| !super::is_known_key(first)) {
        return Vec::new();
    }
    let known_parts = walk
        .line_key
        .into_iter()
        .chain(walk.bracket_keys.into_iter().flatten())
        .take_while(|part| super::is_known_key(part));
    walk.header.into_iter().chain(known_parts).collect()
}

/// Returns the path of all keys that hold the byte at `offset`. Every key must have a value, so that no key is a
/// pasted value.
pub(super) fn declared_key_path(text: &str, offset: usize) -> Vec<String> {
    let walk = KeyWalk::up_to(text, offset);
    [walk.header, walk.line_key].into_iter().chain(walk.bracket_keys).flatten().collect()
}

#[derive(Default)]
struct KeyWalk {
    in_header: bool,
    /// Whether a dot was read, so that the next part continues the key.
    after_dot: bool,
    header: Vec<String>,
    /// Key that the line declares.
    line_key: Vec<String>,
    /// Key that is declared inside each open bracket of the value.
    bracket_keys: Vec<Vec<String>>,
}

impl KeyWalk {
    fn up_to(text: &str, offset: usize) -> Self {
        let tokens = Source::new(text).lex().into_vec();
        let mut events: Vec<Event> = Vec::new();
        parse_document(&tokens, &mut events, &mut ());
        // Text that is missing at the end of a line belongs to that line.
        let ends_line = |event: &Event| event.kind() == EventKind::Newline && event.span().start() == offset;
        let before = events.iter().take_while(|event| event.span().start() <= offset && !ends_line(event));
        let mut walk = Self::default();
        before.for_each(|event| walk.handle_event(text, event));
        walk
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
                let part = decode_key(text, event);
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

/// Decodes a key; empty if that fails.
fn decode_key(text: &str, event: &Event) -> String {
    let mut key = std::borrow::Cow::Borrowed("");
    if let Some(raw) = Source::new(text).get(*event) {
        raw.decode_key(&mut key, &mut ());
    }
    key.into_owned()
}

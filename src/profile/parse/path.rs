//! The key that stands at a place of a text that need not be valid.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// The path of the header and of the known keys that hold the byte at `offset`. It ends before what is no known key,
/// since a value that was pasted without its key looks like one, and a list of values like a header.
pub(super) fn at(text: &str, offset: usize) -> Vec<String> {
    let walk = Walk::until(text, offset);
    if walk.header.first().is_some_and(|first| !super::is_known(first)) {
        return Vec::new();
    }
    let known = walk.line.into_iter().chain(walk.within.into_iter().flatten()).take_while(|part| super::is_known(part));
    walk.header.into_iter().chain(known).collect()
}

/// The same where every key has a value, so that none is a value itself.
pub(super) fn declared_at(text: &str, offset: usize) -> Vec<String> {
    let walk = Walk::until(text, offset);
    [walk.header, walk.line].into_iter().chain(walk.within).flatten().collect()
}

#[derive(Default)]
struct Walk {
    in_header: bool,
    /// Whether a dot was read, so that the key before it goes on.
    dotted: bool,
    header: Vec<String>,
    /// The key that the line declares.
    line: Vec<String>,
    /// For each bracket that is open in its value, the key that is declared within.
    within: Vec<Vec<String>>,
}

impl Walk {
    fn until(text: &str, offset: usize) -> Self {
        let tokens = Source::new(text).lex().into_vec();
        let mut events: Vec<Event> = Vec::new();
        parse_document(&tokens, &mut events, &mut ());
        // What is missing at the end of a line is missing in that line.
        let ends_line = |event: &Event| event.kind() == EventKind::Newline && event.span().start() == offset;
        let before = events.iter().take_while(|event| event.span().start() <= offset && !ends_line(event));
        let mut walk = Self::default();
        before.for_each(|event| walk.step(text, event));
        walk
    }

    fn step(&mut self, text: &str, event: &Event) {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => *self = Self { in_header: true, ..Self::default() },
            EventKind::StdTableClose | EventKind::ArrayTableClose => self.in_header = false,
            EventKind::ArrayOpen | EventKind::InlineTableOpen => self.within.push(Vec::new()),
            EventKind::ArrayClose | EventKind::InlineTableClose => _ = self.within.pop(),
            EventKind::Newline if self.within.is_empty() => {
                self.in_header = false;
                self.line.clear();
            }
            EventKind::KeySep => self.dotted = true,
            EventKind::SimpleKey => {
                let part = decoded(text, event);
                let line = if self.in_header { &mut self.header } else { &mut self.line };
                let key = self.within.last_mut().unwrap_or(line);
                if !std::mem::take(&mut self.dotted) {
                    key.clear();
                }
                key.push(part);
            }
            _ => {}
        }
    }
}

/// A key without its quotes; what cannot be decoded is empty.
fn decoded(text: &str, event: &Event) -> String {
    let mut key = std::borrow::Cow::Borrowed("");
    if let Some(raw) = Source::new(text).get(*event) {
        raw.decode_key(&mut key, &mut ());
    }
    key.into_owned()
}

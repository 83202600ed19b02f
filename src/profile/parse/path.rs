//! The key that stands at a place of a text that need not be valid.

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, parse_document};

/// The path of the header and of the known key that hold the byte at `offset`. What is no known
/// key is left out, since a value that was pasted without its key looks like one.
pub(super) fn at(text: &str, offset: usize) -> Vec<String> {
    let tokens = Source::new(text).lex().into_vec();
    let mut events: Vec<Event> = Vec::new();
    parse_document(&tokens, &mut events, &mut ());
    let before = events.iter().take_while(|event| event.span().start() <= offset);
    let mut walk = Walk::default();
    before.for_each(|event| walk.step(text, event));
    walk.path()
}

#[derive(Default)]
struct Walk {
    in_header: bool,
    header: Vec<String>,
    key: Vec<String>,
    /// How many brackets of values are open.
    depth: usize,
}

impl Walk {
    fn step(&mut self, text: &str, event: &Event) {
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.in_header = true;
                self.header.clear();
                self.key.clear();
            }
            EventKind::StdTableClose | EventKind::ArrayTableClose => self.in_header = false,
            EventKind::ArrayOpen | EventKind::InlineTableOpen => self.depth += 1,
            EventKind::ArrayClose | EventKind::InlineTableClose => self.depth = self.depth.saturating_sub(1),
            EventKind::Newline if self.depth == 0 => {
                self.in_header = false;
                self.key.clear();
            }
            EventKind::SimpleKey if self.depth == 0 => {
                let part = decoded(text, event);
                if self.in_header { self.header.push(part) } else { self.key.push(part) }
            }
            _ => {}
        }
    }

    fn path(self) -> Vec<String> {
        let known = self.key.iter().all(|part| super::is_known(part));
        if known { [self.header, self.key].concat() } else { self.header }
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

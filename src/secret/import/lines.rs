//! Lines: NETOSECRETs one after the other, and assignments of them or of the single fields.
//!
//! Fields belong together by what stands before their names, and a field that comes again begins the next credential. In
//! a list of NETOSECRETs every line has to be one; around assignments there may be a whole program.

use super::assignment::Assignment;
use super::quote::{self, Unfit};
use super::{Entry, Form, Import, Place, Problem, Wrong, field};
use crate::secret::json::clean_name;
use crate::secret::{Json, NetoSecret, NetoSecretError, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The most lines that one NETOSECRET is wrapped into.
const MOST_LINES: usize = 40;

/// The most lines that are kept for the case that they ought to be credentials: a text may be anything.
const MOST_STRAYS: usize = 10_000;

/// Room for any real NETOSECRET, and the longest that is looked at, in bytes.
const ROOM: usize = 4096;
const LONGEST: usize = 64 * 1024;

/// The longest name of a variable; the shortest NETOSECRET has some 100 characters.
const LONGEST_NAME: usize = 64;

/// The end of a url in the recipes that names the call of a login.
const LOGIN_PATH: &str = "/auth/token";

/// Reads all lines; nothing where none is a credential, and none ought to be.
pub(super) fn read(text: &str) -> Option<Import> {
    let mut walk = Walk::default();
    let (mut rest, mut number) = (text, 1);
    while !rest.is_empty() {
        let step = walk.step(rest, number);
        // To the end of the line that was looked at last.
        let end = rest[step..].find('\n').map_or(rest.len(), |end| step + end + 1);
        number += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    walk.finish()
}

/// Fields that belong to one credential, so far.
struct Group {
    line: usize,
    /// The variable that came first, for a message.
    first: String,
    fields: BTreeMap<String, Json>,
    /// Whether one of its values was refused already.
    refused: bool,
}

#[derive(Default)]
struct Walk {
    found: Vec<(usize, Result<Entry, Wrong>)>,
    open: BTreeMap<String, Group>,
    /// Lines that are nothing; they count in a list.
    strays: Vec<(usize, NetoSecretError)>,
    /// Whether there are NETOSECRETs on lines of their own.
    listed: bool,
    /// Whether something is assigned but a NETOSECRET by that very name.
    fields: bool,
    ignored: Vec<String>,
}

impl Walk {
    /// Takes what stands at the start of `rest`; how many bytes that was, all lines but the last with their ends.
    fn step(&mut self, rest: &str, number: usize) -> usize {
        let line = first_line(rest);
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            return line.len();
        }
        // The padding of a NETOSECRET makes it look as if something was assigned to it.
        if let Some(assignment) = Assignment::find(line).filter(|found| found.name.len() <= LONGEST_NAME) {
            return match field::of_variable(assignment.name) {
                Some((before, field)) => self.assign(rest, number, &assignment, before, field),
                None => line.len(),
            };
        }
        if !looks_like_netosecret(bare) {
            if self.strays.len() < MOST_STRAYS {
                let why = NetoSecret::parse(bare).err().unwrap_or(NetoSecretError::Base64);
                self.strays.push((number, why));
            }
            return line.len();
        }
        self.listed = true;
        let (read, length) = join(rest);
        self.netosecret(number, read);
        length
    }

    fn assign(
        &mut self,
        rest: &str,
        number: usize,
        assignment: &Assignment<'_>,
        before: String,
        field: &'static str,
    ) -> usize {
        let line = first_line(rest).len();
        let value = &rest[assignment.value..];
        // A program works with such names; only what it is given in so many words is a credential.
        if !assignment.is_constant() && !quote::is_quoted(value) {
            return line;
        }
        // A single field has no line end in it.
        let lines = if field == "netosecret" { MOST_LINES } else { 1 };
        let read = match quote::read(first_lines(value, lines), assignment.language) {
            Ok(read) => read,
            Err(_) if !assignment.is_constant() => return line,
            Err(unfit) => {
                self.refuse(number, assignment.name, unfit);
                if field != "netosecret" {
                    self.group(number, assignment.name, before, field).refused = true;
                }
                return line;
            }
        };
        if field == "netosecret" {
            self.fields |= !before.is_empty();
            if !quote::is_quoted(value) && looks_like_netosecret(value) {
                let (joined, length) = join(value);
                self.netosecret(number, joined);
                return assignment.value + length;
            }
            self.netosecret(number, NetoSecret::parse(&read.text));
        } else {
            self.fields = true;
            self.field(number, assignment.name, before, field, &read.text);
        }
        assignment.value + read.length
    }

    fn field(&mut self, number: usize, name: &str, before: String, field: &'static str, text: &str) {
        let text = if field == "url" { without_login(text) } else { text };
        let group = self.group(number, name, before, field);
        group.fields.insert(field.to_owned(), Json::Text(Secret::new(text.to_owned())));
    }

    /// The credential that a field is of: the one that is open, unless it has that field.
    fn group(&mut self, line: usize, name: &str, before: String, field: &'static str) -> &mut Group {
        if self.open.get(&before).is_some_and(|group| group.fields.contains_key(field)) {
            self.close(&before);
        }
        let new = || Group { line, first: name.to_owned(), fields: BTreeMap::new(), refused: false };
        self.open.entry(before).or_insert_with(new)
    }

    /// What a group comes to. One that holds neither field by which these credentials are told is another program's.
    fn close(&mut self, before: &str) {
        let Some(Group { line, first, fields, refused }) = self.open.remove(before) else { return };
        if refused {
            return;
        }
        let has = |field: &str| fields.contains_key(field);
        if has("shortname") || has("sharedsecret") {
            self.found.push((line, Entry::read(Place::Line(line), fields)));
        } else if has("appkey") {
            self.ignored.push(clean_name(&first));
        }
    }

    fn netosecret(&mut self, number: usize, read: Result<NetoSecret, NetoSecretError>) {
        let place = Place::Line(number);
        let entry = match read {
            Ok(secret) => Ok(Entry::of(place, secret)),
            Err(error) => Err(Wrong { place, problem: error.into() }),
        };
        self.found.push((number, entry));
    }

    fn refuse(&mut self, number: usize, name: &str, unfit: Unfit) {
        let name = clean_name(name);
        let problem = match unfit {
            Unfit::Open => Problem::OpenQuote(name),
            Unfit::Expression => Problem::Expression(name),
        };
        self.fields = true;
        self.found.push((number, Err(Wrong { place: Place::Line(number), problem })));
    }

    fn finish(mut self) -> Option<Import> {
        for before in self.open.keys().cloned().collect::<Vec<_>>() {
            self.close(&before);
        }
        let form = if self.fields || !self.listed { Form::Assignments } else { Form::Lines };
        if self.found.is_empty() {
            return None;
        }
        if form == Form::Lines {
            for (line, error) in std::mem::take(&mut self.strays) {
                self.netosecret(line, Err(error));
            }
        }
        self.found.sort_by_key(|(line, _)| *line);
        let found: Vec<_> = self.found.into_iter().map(|(_, found)| found).collect();
        let further = found.iter().flatten().flat_map(|entry| entry.ignored.clone());
        let ignored = self.ignored.into_iter().chain(further).collect();
        Some(Import { form, found, ignored })
    }
}

fn first_line(rest: &str) -> &str {
    first_lines(rest, 1)
}

/// At most so many lines, without the last line end.
fn first_lines(rest: &str, most: usize) -> &str {
    rest.match_indices('\n').nth(most - 1).map_or(rest, |(end, _)| &rest[..end])
}

/// The address of the API, where that of its login is given.
fn without_login(url: &str) -> &str {
    let bare = url.trim_end_matches('/');
    bare.strip_suffix(LOGIN_PATH).unwrap_or(url)
}

/// Whether this may be the start of a NETOSECRET: base64 of a brace, blanks before it.
fn looks_like_netosecret(text: &str) -> bool {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "'\"`\u{201c}\u{2018}".contains(c));
    let digits: String = text.chars().take(8).collect();
    let bytes = BASE64_STANDARD_NO_PAD.decode(digits).unwrap_or_default();
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// Reads the NETOSECRET at the start of `rest`, with as few further lines as make it whole; how many bytes it takes.
fn join(rest: &str) -> (Result<NetoSecret, NetoSecretError>, usize) {
    let first = first_line(rest);
    let mut joined = Zeroizing::new(String::with_capacity(rest.len().min(ROOM)));
    joined.push_str(first.split(" #").next().unwrap_or_default());
    let alone = NetoSecret::parse(&joined);
    if alone.is_ok() {
        return (alone, first.len());
    }
    let mut length = first.len();
    for line in rest[first.len()..].split('\n').skip(1).take(MOST_LINES - 1) {
        if line.trim().is_empty() || line.contains('#') || joined.len() + line.len() > LONGEST {
            break;
        }
        joined.push_str(line);
        length += 1 + line.len();
        if let Ok(secret) = NetoSecret::parse(&joined) {
            return (Ok(secret), length);
        }
        if looks_like_netosecret(line) {
            break;
        }
    }
    (alone, first.len())
}

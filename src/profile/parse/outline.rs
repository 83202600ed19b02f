//! What a store names, without the rest of it: profiles with their tags and what they are about, and recipients.
//!
//! Owns how a text is read at the pace of a key that is pressed. It is cut into statements, each a header or a key with
//! its value. A plain one, as nearly all are, is seen through by its first and last characters, and most of them are
//! passed over; any other is cut by the lexer and read by the parser that reads whole stores. So of a store that can be
//! used this says what the whole reading says; what is wrong with another it need not notice.

use super::tree::{self, Kind, Table, Value};
use super::value;
use super::{ProfileName, RecipientName, VERSION};
use memchr::memchr2;
use std::borrow::Cow;
use std::collections::BTreeSet;
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

/// The names of a store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline<'t> {
    /// The profiles, sound or faulty, by name.
    pub profiles: Vec<(ProfileName, Sketch<'t>)>,
    /// Who can open the secrets.
    pub recipients: BTreeSet<RecipientName>,
}

/// What tells a profile from others. What a faulty one declares in another type is absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sketch<'t> {
    /// Labels for selection, in the order of the file.
    pub tags: Vec<Cow<'t, str>>,
    /// Free text.
    pub description: Option<Cow<'t, str>>,
    /// The tenant or the person.
    pub account: Option<Cow<'t, str>>,
}

impl<'t> Outline<'t> {
    /// Reads a text that may start with a byte-order mark. Nothing when a statement is no TOML, a name is none, or the
    /// version is another.
    pub(in crate::profile) fn read(text: &'t str) -> Option<Self> {
        let mut reader = Reader::default();
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        while !rest.is_empty() {
            rest = match reader.plain(rest) {
                Some(after) => after,
                None => reader.any(rest)?,
            };
        }
        reader.finish()
    }
}

/// Whose keys follow.
enum Header {
    /// The last profile's.
    Profile,
    /// Those of the table of this name; without a name the store's own.
    Table(Vec<String>),
}

impl Default for Header {
    fn default() -> Self {
        Self::Table(Vec::new())
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader<'t> {
    /// The table of the header above; a plain one of a profile is the last of `profiles`.
    header: Header,
    /// A profile comes again where parts of it stand apart.
    profiles: Vec<(ProfileName, Sketch<'t>)>,
    /// Whether they came in another order than by name, or one of them in parts.
    scattered: bool,
    recipients: BTreeSet<RecipientName>,
    has_version: bool,
}

impl<'t> Reader<'t> {
    /// Reads a statement that is plain; what comes after it. Nothing for any other, of which nothing was taken.
    fn plain(&mut self, text: &'t str) -> Option<&'t str> {
        let (line, after) = text.split_once('\n').unwrap_or((text, ""));
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            return Some(after);
        }
        if let Some(header) = line.strip_prefix("[profiles.") {
            let name = header.strip_suffix(']').filter(|name| is_bare(name))?;
            self.add(name)?;
            self.header = Header::Profile;
            return Some(after);
        }
        let Header::Profile = self.header else { return None };
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim_end_matches(' '), value.trim_start_matches(' '));
        let (_, sketch) = self.profiles.last_mut().filter(|_| is_bare(key))?;
        match key {
            "tags" => sketch.tags = plain_texts(value)?,
            "description" => sketch.description = Some(plain_text(value)?.into()),
            "shortname" | "username" => sketch.account = Some(plain_text(value)?.into()),
            _ if value == "\"\"\"" => return after_plain_lines(after),
            _ if plain_text(value).is_some() || is_plain_group(value) || value.bytes().all(is_plain) => {}
            _ => return None,
        }
        Some(after)
    }

    /// Reads any statement, with the blank lines and comments before it; what comes after it.
    fn any(&mut self, text: &'t str) -> Option<&'t str> {
        let (end, is_header) = statement(text);
        let (statement, after) = text.split_at(end);
        let table = tree::parse(statement).ok()?;
        let mut path = if is_header { Vec::new() } else { self.path() };
        if is_header {
            self.header = Header::Table(named(&table));
        }
        self.take(&mut path, &Value { at: 0, kind: Kind::Table(table) })?;
        Some(after)
    }

    /// The names of the table whose keys follow.
    fn path(&self) -> Vec<String> {
        match (&self.header, self.profiles.last()) {
            (Header::Profile, Some((name, _))) => vec!["profiles".to_owned(), name.to_string()],
            (Header::Profile, None) => Vec::new(),
            (Header::Table(path), _) => path.clone(),
        }
    }

    /// Takes what is wanted of a value and all below it; nothing when a name is none, or the version another.
    fn take(&mut self, path: &mut Vec<String>, value: &Value<'_>) -> Option<()> {
        let way: Vec<&str> = path.iter().map(String::as_str).collect();
        match way[..] {
            ["version"] => self.has_version = matches!(&value.kind, Kind::Integer(digits) if digits == VERSION),
            ["recipients", name] => drop(self.recipients.insert(name.parse().ok()?)),
            ["profiles", name] => drop(self.sketch(name)?),
            ["profiles", name, key] => self.sketch(name)?.take(key, value),
            _ => {}
        }
        let tables = match &value.kind {
            Kind::Table(table) => std::slice::from_ref(table),
            Kind::Tables(tables) => tables,
            _ => &[],
        };
        for (key, value) in tables.iter().flatten() {
            path.push(key.text.clone().into_owned());
            self.take(path, value)?;
            path.pop();
        }
        Some(())
    }

    /// What follows is of the profile of this name; nothing when that is none.
    fn add(&mut self, name: &str) -> Option<()> {
        let name: ProfileName = name.parse().ok()?;
        self.scattered |= self.profiles.last().is_some_and(|(last, _)| *last >= name);
        self.profiles.push((name, Sketch::default()));
        Some(())
    }

    /// The profile that is being read, of this name.
    fn sketch(&mut self, name: &str) -> Option<&mut Sketch<'t>> {
        if self.profiles.last().is_none_or(|(last, _)| last.as_str() != name) {
            self.add(name)?;
        }
        self.profiles.last_mut().map(|(_, sketch)| sketch)
    }

    fn finish(self) -> Option<Outline<'t>> {
        let mut profiles = self.profiles;
        if self.scattered {
            profiles.sort_by(|(one, _), (other, _)| one.cmp(other));
            profiles.dedup_by(|(name, part), (last, whole)| {
                let same = name == last;
                if same {
                    whole.add(std::mem::take(part));
                }
                same
            });
        }
        self.has_version.then_some(Outline { profiles, recipients: self.recipients })
    }
}

impl Sketch<'_> {
    /// What another part of the file says of the same profile.
    fn add(&mut self, part: Self) {
        self.tags.extend(part.tags);
        self.description = part.description.or(self.description.take());
        self.account = part.account.or(self.account.take());
    }

    fn take(&mut self, key: &str, value: &Value<'_>) {
        let text = || value::text(value).ok().map(|text| Cow::Owned(text.to_owned()));
        match key {
            "tags" => self.tags = value::list(value).unwrap_or_default().into_iter().map(Cow::Owned).collect(),
            "description" => self.description = text(),
            "shortname" | "username" => self.account = text(),
            _ => {}
        }
    }
}

/// Where a statement ends, which is at the first end of a line after it at which nothing is open; and whether it is a
/// header.
fn statement(text: &str) -> (usize, bool) {
    let (mut open, mut first) = (0_usize, None);
    for token in Source::new(text).lex() {
        let kind = token.kind();
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => open += 1,
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => open = open.saturating_sub(1),
            TokenKind::Newline if first.is_some() && open == 0 => {
                return (token.span().end(), first == Some(TokenKind::LeftSquareBracket));
            }
            _ => {}
        }
        if !matches!(kind, TokenKind::Newline | TokenKind::Whitespace | TokenKind::Comment | TokenKind::Eof) {
            first.get_or_insert(kind);
        }
    }
    (text.len(), first == Some(TokenKind::LeftSquareBracket))
}

/// The table that a header names.
fn named(header: &Table<'_>) -> Vec<String> {
    let mut path = Vec::new();
    let mut table = Some(header);
    while let Some((key, value)) = table.and_then(|table| table.entries().first()) {
        path.push(key.text.clone().into_owned());
        table = match &value.kind {
            Kind::Table(table) => Some(table),
            Kind::Tables(tables) => tables.last(),
            _ => None,
        };
    }
    path
}

/// A key that needs no quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A character of a flag, a number, a date.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'_')
}

/// What stands between two quotes, when that is what it means and nothing follows.
fn plain_text(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then_some(inner)
}

/// A list of such texts on one line.
fn plain_texts(value: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut rest = value.strip_prefix('[')?.strip_suffix(']')?.trim();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = rest.strip_prefix('"')?.split_once('"')?;
        if text.contains('\\') {
            return None;
        }
        texts.push(text.into());
        let after = after.trim_start();
        rest = if after.is_empty() { after } else { after.strip_prefix(',')?.trim_start() };
    }
    Some(texts)
}

/// A list or table that ends with its line, in which quotes and brackets are what they seem.
fn is_plain_group(value: &str) -> bool {
    let (mut open, mut in_text) = (0_usize, false);
    for byte in value.bytes() {
        match byte {
            b'\\' | b'\'' | b'#' => return false,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => open += 1,
            b']' | b'}' if !in_text && open == 0 => return false,
            b']' | b'}' if !in_text => open -= 1,
            _ => {}
        }
    }
    value.starts_with(['[', '{']) && value.ends_with([']', '}']) && open == 0 && !in_text
}

/// What comes after the closing quotes of a text of several lines that holds neither quotes nor escapes, as a sealed
/// secret does.
fn after_plain_lines(text: &str) -> Option<&str> {
    // Nearly all of a store lies in such texts.
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    let after = text[end..].strip_prefix("\"\"\"")?;
    let after = after.strip_prefix('\r').unwrap_or(after);
    if after.is_empty() { Some(after) } else { after.strip_prefix('\n') }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{self, Privacy, Rules};
    use crate::profile::{Profile, Store};
    use proptest::prelude::*;
    use std::path::Path;
    use std::sync::Arc;

    /// What the whole reading says of the same things; of a faulty profile that is its name.
    fn expected(store: &Store) -> Outline<'_> {
        let sketch = |profile: &Profile| Sketch {
            tags: profile.tags.iter().cloned().map(Cow::Owned).collect(),
            description: profile.description.clone().map(Cow::Owned),
            account: profile.shortname.clone().or(profile.username.clone()).map(Cow::Owned),
        };
        let profiles = store
            .profiles
            .iter()
            .map(|entry| (entry.name.clone(), entry.profile.as_ref().map(sketch).unwrap_or_default()));
        let mut profiles: Vec<_> = profiles.collect();
        profiles.sort_by(|(one, _), (other, _)| one.cmp(other));
        Outline { profiles, recipients: store.recipients.keys().cloned().collect() }
    }

    /// Holds the two readings against each other, where the store can be used at all; whether it can.
    fn agrees(text: &str) -> bool {
        let Ok(store) = super::super::parse(&Arc::new(text.to_owned()), Path::new("/store")) else { return false };
        let mut outline = Outline::read(text).unwrap_or_else(|| panic!("no outline of\n{text}"));
        for entry in store.profiles.iter().filter(|entry| entry.profile.is_err()) {
            let of_it = outline.profiles.iter_mut().find(|(name, _)| *name == entry.name);
            of_it.unwrap_or_else(|| panic!("{}\n{text}", entry.name)).1 = Sketch::default();
        }
        assert_eq!(outline, expected(&store), "{text}");
        true
    }

    #[test]
    fn it_says_what_the_whole_reading_says_of_every_store_of_the_tests() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores");
        let mut usable = 0;
        for kind in ["valid", "invalid"] {
            for file in std::fs::read_dir(folder.join(kind)).unwrap() {
                let rules = Rules { cap: 1 << 20, privacy: Privacy::Any };
                let Ok(text) = String::from_utf8(disk::read(&file.unwrap().path(), rules).unwrap()) else { continue };
                usable += usize::from(agrees(&text));
                usable += usize::from(agrees(&text.replace('\n', "\r\n")));
                usable += usize::from(agrees(&format!("\u{feff}{text}")));
            }
        }
        assert!(usable > 300, "{usable}");
    }

    #[test]
    fn what_looks_like_a_statement_and_is_none() {
        let head = "version = 1\n[defaults]\nurl = \"https://x.example\"\n";
        for (text, names) in [
            ("[profiles.a]\ndescription = \"\"\"\n[profiles.no]\n\"\"\"\n", "a"),
            ("[profiles.a]\nsecret = \"\"\"\n[profiles.no]\n\\\"\"\"\n[profiles.no]\n\"\"\"\n[profiles.b]", "a b"),
            ("[profiles.a]\ndescription = '''\n[profiles.no]'''\n[profiles.b]\n", "a b"),
            ("[profiles.a]\ntags = [\n\"x\", # ]\n\"[profiles.no]\",\n]\n[profiles.b]", "a b"),
            ("[profiles.a]\nsecret = { command = [\"x\"]\n}\n[profiles.b]", "a b"),
            ("[profiles]\na.tags = [\"x\"]\nb = { description = \"]\" }\n\"c.d\".env = {}\n", "a b c.d"),
            ("[profiles.\"a.b\"] # c\n[ profiles . c ]\nenv.X = \"\"\n[profiles.d.env]\n[profiles.d]", "a.b c d"),
            (
                "[profiles.a]\nsecret = \"\"\"x\"\"\"\"\"\n[profiles.b]\nsecret = \"\"\"\nx\"\"\"\"\n[profiles.c]",
                "a b c",
            ),
        ] {
            let text = format!("{head}{text}");
            assert!(agrees(&text), "{text}");
            let outline = Outline::read(&text).unwrap();
            let found: Vec<&str> = outline.profiles.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(found.join(" "), names, "{text}");
        }
    }

    #[test]
    fn what_is_no_store_has_none() {
        for text in [
            "",
            "[profiles.a]\n",
            "version = 2\n[profiles.a]\n",
            "version = 1\n[profiles.A]\n",
            "version = 1\n[profiles.\"$(x)\"]\n",
            "version = 1\n[recipients]\n\"a b\" = \"age1x\"\n",
            "version = 1\n[profiles.a]\ntags = [\"x\"\n",
            "version = 1\n<<<<<<< ours\n[profiles.a]\n",
            "version = 1\n[profiles.a]\ntags = \"\"\"\n",
        ] {
            assert_eq!(Outline::read(text), None, "{text}");
        }
    }

    /// A line of a store, in one of its spellings; many of them spoil the store, which then does not count.
    fn line() -> impl Strategy<Value = String> {
        let spelling = prop_oneof![
            "[ -~]{0,12}".prop_map(|text| format!("'{}'", text.replace('\'', ""))),
            "[ -~]{0,12}".prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
            "[a-z#\\[\\]{}=., ]{0,12}".prop_map(|text| format!("\"{text}\"")),
            "[a-z#\\[\\]\n\"'= ]{0,16}".prop_map(|text| format!("\"\"\"\n{text}\n\"\"\"")),
            "[a-z#\\[\\]\n= ]{0,16}".prop_map(|text| format!("\"\"\"\n{text}\"\"\"\"")),
            "[a-z#\\[\\]\n\"\\\\= ]{0,16}".prop_map(|text| format!("'''{text}'''")),
        ];
        let texts =
            (proptest::collection::vec(spelling.clone(), 0..3), prop_oneof![Just(", "), Just(",\n"), Just(" ,")]);
        let list = texts.prop_map(|(texts, comma)| format!("[{}]", texts.join(comma)));
        let key = prop_oneof![Just("description"), Just("shortname"), Just("env.X"), Just("\"description\"")];
        let pair = (
            key,
            prop_oneof![Just(" = "), Just("="), Just("\t= ")],
            spelling.clone(),
            prop_oneof![Just(""), Just(" # ]\"")],
        )
            .prop_map(|(key, equals, value, tail)| format!("{key}{equals}{value}{tail}\n"));
        let name = prop_oneof![Just("a"), Just("b-1"), Just("\"c.d\""), Just("'e'")];
        prop_oneof![
            3 => (name.clone(), prop_oneof![Just("[profiles.N]\n"), Just("[ profiles.N ] # x\n"), Just("[profiles.N.env]\n")])
                .prop_map(|(name, header)| header.replace('N', name)),
            1 => (name, list.clone()).prop_map(|(name, list)| format!("[profiles]\n{name}.tags = {list}\n")),
            4 => pair,
            2 => list.prop_map(|list| format!("tags = {list}\n")),
            2 => spelling.prop_map(|text| format!("secret = {text}\n")),
            1 => Just("\n  # [profiles.no]\n".to_owned()),
            1 => Just("sealed = { id = \"5f0c9a3e7b1d2c44\", to = \"9c1b77aa03e2d5f1\", since = 2026-11-23 }\n".to_owned()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn it_says_what_the_whole_reading_says(lines in proptest::collection::vec(line(), 0..8), crlf: bool) {
            let head = "version = 1\nrecipients = { me = \"age1x\" }\ndefaults.url = \"https://x.example\"\n";
            let text = format!("{head}[profiles.first]\n{}", lines.concat());
            agrees(&if crlf { text.replace('\n', "\r\n") } else { text });
        }
    }
}

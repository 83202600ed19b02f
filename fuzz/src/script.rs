//! Edits generated from the fuzzer's bytes. Any bytes give edits, and most edits are valid.

use jiff::civil::date;
use neto::internals::profile::{Edit, EditValue, ProfileName, Section, Store};

/// Value that must never appear in a message. Names, keys and hosts, which a message may show, cannot contain it or its
/// middle.
pub const CANARY: &str = "c4n4ry/+w3ird+/c4n4ry";

/// Names that the store may not contain yet.
const NEW_NAMES: [&str; 4] = ["zeta", "a0", "m.m", "x-1_y"];

/// Keys of a profile for which `value` creates valid values.
const KEYS: [&str; 14] = [
    "description",
    "tags",
    "shortname",
    "appname",
    "url",
    "protected",
    "env/ONE",
    "env/TWO",
    "env",
    "secret",
    "sealed",
    "leeway",
    "netosecret",
    "recipients",
];

/// Texts that need quotes, escapes or several lines.
const TEXTS: [&str; 8] = [
    CANARY,
    "",
    "it's",
    "a \"b\" \\ c",
    "tab\tline\nend\r\n",
    "\u{1f511} \u{7f}\u{1b}[2J",
    "'''\"\"\"",
    "# no comment\n[profiles.x]",
];

/// Source of bytes; returns zeros at the end of the input.
pub struct Script<'a>(pub &'a [u8]);

impl Script<'_> {
    /// Generates one to three edits of a store.
    pub fn edits(&mut self, store: &Store) -> Vec<Edit> {
        let several = [1, 1, 1, 1, 2, 2, 3, 3][usize::from(self.byte() % 8)];
        (0..several).map(|_| self.edit(store)).collect()
    }

    fn edit(&mut self, store: &Store) -> Edit {
        match self.byte() % 10 {
            0..=3 => {
                let (section, key) = self.place(store);
                let value = self.value(&key, store);
                Edit::Set { section, key, value }
            }
            4..=6 => {
                let (section, key) = self.place(store);
                Edit::Unset { section, key }
            }
            7 => {
                let name = self.new_name(store);
                let entries = (0..self.byte() % 4).map(|_| self.entry(store)).collect();
                Edit::AddProfile { name, entries }
            }
            8 => Edit::RenameProfile { from: self.old_name(store), to: self.new_name(store) },
            _ => Edit::RemoveProfile { name: self.old_name(store) },
        }
    }

    fn entry(&mut self, store: &Store) -> (String, EditValue) {
        let key = self.pick(&["description", "shortname", "appname", "protected", "tags"]).to_owned();
        let value = self.value(std::slice::from_ref(&key), store);
        (key, value)
    }

    fn place(&mut self, store: &Store) -> (Section, Vec<String>) {
        let path = |key: &str| key.split('/').map(str::to_owned).collect();
        match self.byte() % 16 {
            0 => (Section::Top, path("explicit")),
            1 => (Section::Recipients, path(self.pick(&["alice", "bob", "c.d"]))),
            2 | 3 => {
                (Section::Defaults, path(self.pick(&["url", "leeway", "timeout", "env/ONE", "env", "recipients"])))
            }
            _ => (Section::Profile(self.old_name(store)), path(self.pick(&KEYS))),
        }
    }

    /// Creates a value for the key, usually a valid value.
    fn value(&mut self, key: &[String], store: &Store) -> EditValue {
        let odd = self.byte();
        let text = |text: &str| EditValue::Text(text.to_owned());
        match key[0].as_str() {
            _ if odd == 255 => EditValue::Integer(-7),
            "tags" => EditValue::List((0..odd % 4).map(|_| self.text()).collect()),
            "recipients" => {
                let names = store.recipients.keys().map(|name| name.as_str().to_owned());
                EditValue::List(names.take(usize::from(odd % 3)).collect())
            }
            "url" => text(self.pick(&["https://x.example/api/v1", "http://localhost:1", "https://y.example"])),
            "leeway" | "timeout" => text(self.pick(&["30s", "1h30m", "7d"])),
            "protected" | "explicit" => EditValue::Flag(odd > 99),
            "alice" | "bob" | "c.d" => text(self.pick(&["age1qqq", "age1zzz"])),
            "env" if key.len() == 1 => EditValue::Table(vec![("ONE".to_owned(), EditValue::Text(self.text()))]),
            // A block takes the line ends of the file, so it contains no carriage return.
            "secret" => {
                EditValue::Multiline(format!("-----BEGIN-----\n{}\n-----END-----\n", self.text().replace('\r', "")))
            }
            "sealed" => EditValue::Table(vec![
                ("id".to_owned(), text("5f0c9a3e7b1d2c44")),
                ("to".to_owned(), text("9c1b77aa03e2d5f1")),
                ("since".to_owned(), EditValue::Date(date(2026, 11, 1 + i8::from(odd > 99)))),
            ]),
            "shortname" | "appname" => text(self.pick(&["acme", CANARY, "it's \"one\" \\ word"])),
            _ => EditValue::Text(self.text()),
        }
    }

    fn text(&mut self) -> String {
        self.pick(&TEXTS).to_owned()
    }

    fn old_name(&mut self, store: &Store) -> ProfileName {
        let number = usize::from(self.byte());
        match store.profiles.len() {
            0 => self.new_name(store),
            count => store.profiles[number % count].name.clone(),
        }
    }

    /// Returns a name that usually does not exist yet.
    fn new_name(&mut self, store: &Store) -> ProfileName {
        match self.byte() {
            0..=9 if !store.profiles.is_empty() => self.old_name(store),
            _ => self.pick(&NEW_NAMES).parse().expect("a name"),
        }
    }

    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[usize::from(self.byte()) % from.len()]
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }
}

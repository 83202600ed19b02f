//! Compares the tree with the tree of the `toml` crate, for texts of every kind.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Renders a table with its keys sorted. Each key and each value has its byte offset.
fn render_own_table(table: &TomlTable<'_>) -> String {
    let entry = |(key, value): &(TomlKey<'_>, TomlValue<'_>)| {
        (key.text.to_string(), format!("{} = {}", key.offset, render_own_value(value)))
    };
    format!("{:?}", table.entries().iter().map(entry).collect::<BTreeMap<_, _>>())
}

fn render_own_value(value: &TomlValue<'_>) -> String {
    let rendered = match &value.kind {
        TomlKind::Text(text) => format!("{text:?}"),
        TomlKind::Integer(digits) => format!("integer {digits}"),
        TomlKind::Float => "float".to_owned(),
        TomlKind::Flag(flag) => flag.to_string(),
        TomlKind::Date(date) => date.to_string(),
        TomlKind::List(items) => items.iter().map(render_own_value).collect(),
        // Renders no position, because the tree keeps only the position of the first header.
        TomlKind::Tables(tables) => tables.iter().map(render_own_table).collect(),
        TomlKind::Table(table) => return format!("{} {}", value.offset, render_own_table(table)),
    };
    format!("{} {rendered}", value.offset)
}

fn render_crate_table(table: &DeTable<'_>) -> String {
    let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        (key.get_ref().to_string(), format!("{} = {}", key.span().start, render_crate_value(value)))
    };
    format!("{:?}", table.iter().map(entry).collect::<BTreeMap<_, _>>())
}

fn render_crate_value(value: &Spanned<DeValue<'_>>) -> String {
    let rendered = match value.get_ref() {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => format!("integer {}", number.as_str()),
        DeValue::Float(_) => "float".to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => {
            let starts_with_header = items.first().is_some_and(|first| first.span().start == value.span().start);
            let item = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::Table(table) if starts_with_header => render_crate_table(table),
                _ => render_crate_value(item),
            };
            items.iter().map(item).collect()
        }
        DeValue::Table(table) => render_crate_table(table),
    };
    format!("{} {rendered}", value.span().start)
}

/// Checks that both parsers return the same tree, or the same first error at the same position.
fn check(text: &str, piece: usize) {
    let own = match parse_in_pieces(text, piece) {
        // The `toml` crate accepts deeper nesting.
        Err(TomlError::TooDeep(_)) => return,
        Err(TomlError::Syntax(error)) => Err(error),
        Ok(table) => Ok(render_own_table(&table)),
    };
    match (own, DeTable::parse(text)) {
        (Ok(own), Ok(other)) => assert_eq!(own, render_crate_table(other.get_ref()), "{text}"),
        (Err(own), Err(other)) => {
            let (at, start) = (own.unexpected().map(|span| span.start()), other.span().map(|span| span.start));
            // The `toml` crate checks a header `[[...]]` only after the lines below that header.
            if text.contains("[[") && at < start {
                return;
            }
            assert_eq!(at, start, "{text}\n{own:?}\n{other:?}");
            assert!(other.message().starts_with(own.description()), "{text}\n{own:?}\n{other:?}");
        }
        (own, other) => panic!("{text}\n{own:?}\n{other:?}"),
    }
}

/// Lines of every kind, valid and invalid.
const LINES: [&str; 54] = [
    "a = 1",
    "b = \"x\"",
    "c = 'y'",
    "a.b = 1",
    "a.c = 2",
    "b.c.d = 3",
    "\"a\" = 1",
    "'b'.\"c\" = true",
    "d = {}",
    "d = { a = 1, b.c = 2, b.d = 3 }",
    "a = { a.b = 1, a = 2 }",
    "c = { a = {}, a.b = 1 }",
    "b = { a = 1, a = 2 }",
    "c = [1, 2, 3]",
    "c = [\n1,\n# x\n2\n]",
    "c = [{ a = 1 }, {}]",
    "a = [[1], [\"x\"]]",
    "d.e = [[]]",
    "b = { a = [1, { b = 2 }],\n c = 3 }",
    "a = \"\"\"\nlines\nof text\n\"\"\"",
    "b = \"\"\"\"quoted\"\"\"\"",
    "c = \"\"\"\\\n  escaped \\u00e9\"\"\"",
    "d = \"\"\"\r\nlines\r\n\"\"\"",
    "a = '''\n'''",
    "b = \"\"\"é\"\"\"",
    "c = \"\"\"\n[x]\n\"\"\"",
    "d = \"\"\"a\u{7}\"\"\"",
    "[a]",
    "[b]",
    "[a.b]",
    "[a.c]",
    "[b.c]",
    "[a.b.c]",
    "[d]",
    "[c.d.e]",
    "[[c]]",
    "[c.a]",
    "[[a.d]]",
    "[a.d.e]",
    "[ a . 'b' ] # x",
    "a = 2026-11-23",
    "b = 2026-13-99",
    "c = 1_000",
    "d = 0x1f",
    "a = 1.5",
    "b = nan",
    "c = +7",
    "",
    "# comment",
    "d = ",
    "= 1",
    "a = [1, 2 }",
    "[a",
    "x y",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn random_lines_make_the_same_tree(lines in prop::collection::vec(prop::sample::select(&LINES[..]), 0..9), piece in 1..9_usize) {
        check(&lines.join("\n"), piece);
    }

    #[test]
    fn random_valid_lines_make_the_same_tree(lines in prop::collection::vec(prop::sample::select(&LINES[..40]), 0..5), piece in 1..9_usize) {
        check(&lines.join("\n"), piece);
    }

    #[test]
    fn random_characters_make_the_same_tree(text in "[ab.=\\[\\]{}\"'\n,# 1\\\\\r:T-]{0,24}", piece in 1..9_usize) {
        check(&text, piece);
    }
}

/// Ways to declare and to continue a table.
const DECLARATIONS: [&str; 13] = [
    "[a]",
    "[a.b]",
    "[a.b.c]",
    "[[a]]",
    "[[a.b]]",
    "a = {}",
    "a.b = {}",
    "a.b.c = 1",
    "b = 1",
    "b = {}",
    "b.c = 1",
    "b.c.d = 1",
    "c = []",
];

#[test]
fn every_sequence_of_declarations_makes_the_same_tree() {
    for first in DECLARATIONS {
        for second in DECLARATIONS {
            for third in DECLARATIONS {
                check(&[first, second, third].join("\n"), 1);
            }
        }
    }
}

#[test]
fn a_table_with_a_hash_index_makes_the_same_tree() {
    let lines: Vec<String> =
        (0..3 * MAX_UNINDEXED_ENTRIES).map(|number| format!("[t.k{number}]\nx = {number}\n")).collect();
    let lines = lines.concat();
    check(&lines, MIN_PIECE_TOKENS);
    check(&(lines.clone() + "[t.k2]\n"), MIN_PIECE_TOKENS);
    check(&(lines + "[t.k40.y]\n[t]\nk3.x = 1\n"), MIN_PIECE_TOKENS);
}

//! Unit tests of `output::table`.

use super::*;

#[derive(Serialize)]
struct TestRow {
    name: &'static str,
    note: &'static str,
    left: Option<i64>,
    current: bool,
    tags: Vec<&'static str>,
}

impl Row for TestRow {
    const FIELDS: &'static [&'static str] = &["name", "note", "left", "current", "tags"];
    const HAS_MARKS: bool = true;
    fn columns() -> Vec<Column<Self>> {
        const RED: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Red)));
        vec![
            Column::left("NAME", Shrink::Keep, |row| Cell::plain(row.name)),
            Column::left("NOTE", Shrink::Cut, |row| Cell::styled(row.note, RED)),
            Column::right("LEFT", Shrink::Drop, |row| Cell::optional(row.left.map(|left| left.to_string()))),
            Column::left("TAGS", Shrink::CutOrDrop, |row| Cell::plain(row.tags.join(", "))),
        ]
    }
    fn is_marked(&self) -> bool {
        self.current
    }
}

fn test_rows() -> Vec<TestRow> {
    vec![
        TestRow { name: "acme", note: "● valid", left: Some(12345), current: true, tags: vec!["prod", "emea"] },
        TestRow { name: "globex-international", note: "x\n\x1b[31m", left: Some(7), current: false, tags: vec![] },
        TestRow { name: "日本", note: "", left: None, current: false, tags: vec![] },
    ]
}

#[test]
fn a_table_has_a_mark_and_aligned_columns() {
    let expected = "
  NAME                   NOTE             LEFT   TAGS
* acme                   ● valid         12345   prod, emea
  globex-international   x\\n\\u{1b}[31m       7
  日本
";
    assert_eq!(render_rows(&test_rows(), Format::Table, &RenderOptions::default()), expected[1..]);
    assert_eq!(render_rows::<TestRow>(&[], Format::Table, &RenderOptions::default()), "");
}

fn rendered_at(width: usize) -> String {
    render_rows(&test_rows(), Format::Table, &RenderOptions { color: false, width: Some(width) })
}

#[test]
fn r46_tables_fit_a_narrow_terminal() {
    for width in 9..120 {
        let text = rendered_at(width);
        assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
        assert_eq!(text.lines().count(), 4, "a row is a line:\n{text}");
    }
    let all = "
  NAME                   NOTE             LEFT   TAGS
* acme                   ● valid         12345   prod, emea
  globex-international   x\\n\\u{1b}[31m       7
  日本
";
    assert_eq!((rendered_at(200), rendered_at(59)), (all[1..].to_owned(), all[1..].to_owned()));
    // Order: smaller gaps, truncated cells, columns dropped from the right, and last truncated `Keep` columns.
    let expected = [
        (56, "* acme                  ● valid        12345  prod, emea"),
        (55, "* acme                  ● valid       12345  prod, emea"),
        (54, "* acme                  ● valid        12345"),
        (43, "* acme                  ● valid       12345"),
        (42, "* acme                  ● valid"),
        (31, "* acme                  ● valid"),
        (30, "* acme                  ● val…"),
        (20, "* acme      ● valid"),
        (10, "* acme"),
    ];
    for (width, line) in expected {
        assert_eq!(rendered_at(width).lines().nth(1), Some(line), "{width}:\n{}", rendered_at(width));
    }
    assert_eq!(rendered_at(9).lines().nth(2), Some("  globex…"));
}

#[derive(Serialize)]
struct Wide(&'static str);

impl Row for Wide {
    const FIELDS: &'static [&'static str] = &[];
    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("TEXT", Shrink::Cut, |row| Cell::plain(row.0)),
            Column::left("END", Shrink::Cut, |_| Cell::plain("|")),
        ]
    }
}

#[test]
fn wide_joined_and_combining_characters_keep_columns_aligned() {
    let texts = [
        "plain",
        "日本語の顧客",
        "e\u{301}te\u{301} n\u{303}",
        "👩\u{200d}🚀 crew",
        "❤\u{fe0f}❤\u{fe0f}",
        "🇩🇪 DE",
        "👍🏽 ok",
        "ﷺ",
    ];
    let rows = texts.map(Wide);
    for width in [None, Some(200), Some(20), Some(16), Some(12)] {
        let text = render_rows(&rows, Format::Table, &RenderOptions { color: false, width });
        let ends: Vec<usize> =
            text.lines().skip(1).map(|line| line.strip_suffix('|').expect("the last column").width()).collect();
        assert!(ends.iter().all(|end| *end == ends[0]), "{width:?}: {ends:?}\n{text}");
        assert!(width.is_none_or(|width| ends[0] < width), "{text}");
    }
}

#[test]
fn empty_columns_are_omitted() {
    let rows = [TestRow { name: "a", note: "", left: None, current: false, tags: vec![] }];
    assert_eq!(render_rows(&rows, Format::Table, &RenderOptions::default()), "  NAME\n  a\n");
}

#[test]
fn color_does_not_change_the_text() {
    let options = RenderOptions { color: true, width: Some(60) };
    let colored = render_rows(&test_rows(), Format::Table, &options);
    let mut bare = String::new();
    for (index, part) in colored.split('\x1b').enumerate() {
        bare += if index == 0 { part } else { part.split_once('m').unwrap().1 };
    }
    let bare = bare.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(bare, render_rows(&test_rows(), Format::Table, &RenderOptions { color: false, ..options }));
    assert!(colored.contains("\x1b[31m● valid\x1b[0m"));
}

#[test]
fn r47_csv_and_json_contain_all_fields() {
    let csv = "name,note,left,current,tags\nacme,● valid,12345,true,prod;emea\n\
               globex-international,\"x\n\\u{1b}[31m\",7,false,\n日本,,,false,\n";
    assert_eq!(render_rows(&test_rows(), Format::Csv, &RenderOptions::default()), csv);
    assert_eq!(render_rows::<TestRow>(&[], Format::Csv, &RenderOptions::default()), "name,note,left,current,tags\n");
    assert_eq!(render_rows::<TestRow>(&[], Format::Json, &RenderOptions::default()), "[]\n");
    let json = render_rows(&test_rows(), Format::Json, &RenderOptions::default());
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read[1]["note"], "x\n\x1b[31m");
    assert_eq!(render_json_line(&test_rows()[1]).matches('\n').count(), 1);
    assert!(json.starts_with("[\n  {\n    \"name\": \"acme\",\n") && json.ends_with("]\n"));
}

#[test]
fn details_are_aligned() {
    let entries = [("name", "acme".to_owned()), ("shortname", "a\nb".to_owned()), ("tags", String::new())];
    assert_eq!(render_details(&entries, &RenderOptions::default()), "name:       acme\nshortname:  a\\nb\ntags:\n");
    let entries = [("name", "acme".to_owned()), ("text", "words that go on and on, to the end".to_owned())];
    let rendered = |width| render_details(&entries, &RenderOptions { color: false, width: Some(width) });
    assert_eq!(rendered(80), "name:  acme\ntext:  words that go on and on, to the end\n");
    assert_eq!(rendered(31), "name:  acme\ntext:  words that go on and on,\n       to the end\n");
    assert_eq!(rendered(26), rendered(80), "where nothing sensible fits, the terminal breaks the line");
}

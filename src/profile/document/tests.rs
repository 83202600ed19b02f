mod properties;

use super::*;

const HEAD: &str = "version = 1\n[defaults]\nurl = \"https://x.example\"\n\n";

fn document(text: &str) -> Document {
    Document::parse(text.as_bytes().to_vec(), Path::new("/store")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn name(name: &str) -> ProfileName {
    name.parse().unwrap()
}

fn section(path: &str) -> Section {
    match path {
        "top" => Section::Top,
        "recipients" => Section::Recipients,
        "defaults" => Section::Defaults,
        profile => Section::Profile(name(profile)),
    }
}

fn key(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

fn set(section_name: &str, path: &str, value: impl Into<EditValue>) -> Edit {
    Edit::Set { section: section(section_name), key: key(path), value: value.into() }
}

fn unset(section_name: &str, path: &str) -> Edit {
    Edit::Unset { section: section(section_name), key: key(path) }
}

fn add(profile: &str) -> Edit {
    Edit::AddProfile { name: name(profile), entries: vec![("description".to_owned(), "new".into())] }
}

fn remove(profile: &str) -> Edit {
    Edit::RemoveProfile { name: name(profile) }
}

fn rename(from: &str, to: &str) -> Edit {
    Edit::RenameProfile { from: name(from), to: name(to) }
}

impl From<&str> for EditValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Checks a case with LF, with CRLF, and with a byte-order mark.
fn check(before: &str, edits: &[Edit], after: &str) {
    let case = |before: String, expected: String| {
        let found = document(&before).apply(edits).unwrap_or_else(|error| panic!("{error:?}\n{before}"));
        assert_eq!(String::from_utf8_lossy(found.bytes()), expected, "\n{before}\n{edits:?}");
    };
    let (before, after) = (format!("{HEAD}{before}"), format!("{HEAD}{after}"));
    case(before.clone(), after.clone());
    case(before.replace('\n', "\r\n"), after.replace('\n', "\r\n"));
    case(format!("\u{feff}{before}"), format!("\u{feff}{after}"));
}

#[test]
fn an_out_of_range_number_in_an_invalid_profile_prevents_no_edit() {
    for number in ["99999999999999999999", "0xffffffffffffffffffff", "1e999", "nan", "-0.0"] {
        let bad = format!("[profiles.b]\ntags = [{number}]\n");
        check(
            &format!("[profiles.a]\n{bad}"),
            &[set("a", "description", "new")],
            &format!("[profiles.a]\ndescription = \"new\"\n{bad}"),
        );
    }
}

#[test]
fn a_removed_and_reused_name_refers_to_the_renamed_profile() {
    check(
        "[profiles.a]\n\n[profiles.b]\n",
        &[set("b", "description", "new"), remove("b"), rename("a", "b")],
        "[profiles.b]\ndescription = \"new\"\n",
    );
}

#[test]
fn a_value_is_replaced_in_place() {
    for (before, after) in [
        ("[profiles.a]\n  tags=[ 'x' ]   # why\n", "[profiles.a]\n  tags=[\"y\", \"z\"]   # why\n"),
        (
            "[ profiles . 'a' ] # a\n\"tags\"\t=\t[\n  'x', # one\n] # all\n",
            "[ profiles . 'a' ] # a\n\"tags\"\t=\t[\"y\", \"z\"] # all\n",
        ),
        ("[profiles]\na.tags = []\nb.tags = []\n", "[profiles]\na.tags = [\"y\", \"z\"]\nb.tags = []\n"),
        ("[profiles]\na = {tags=[]}#x\n", "[profiles]\na = {tags=[\"y\", \"z\"]}#x\n"),
        ("[profiles.a]\ntags = []", "[profiles.a]\ntags = [\"y\", \"z\"]"),
    ] {
        check(before, &[set("a", "tags", EditValue::List(vec!["y".to_owned(), "z".to_owned()]))], after);
    }
}

#[test]
fn a_new_key_follows_the_last_key_in_the_style_of_its_section() {
    for (before, after) in [
        (
            "[profiles.a]\n  tags = [] # t\n\n# b\n[profiles.b]\n",
            "[profiles.a]\n  tags = [] # t\n  description = \"new\"\n\n# b\n[profiles.b]\n",
        ),
        ("[profiles.a] # here\n\n[profiles.b]\n", "[profiles.a] # here\ndescription = \"new\"\n\n[profiles.b]\n"),
        ("[profiles.a]", "[profiles.a]\ndescription = \"new\""),
        ("[profiles.a]\ntags = []", "[profiles.a]\ntags = []\ndescription = \"new\""),
        ("[profiles]\na.tags = []\nb.tags = []\n", "[profiles]\na.tags = []\na.description = \"new\"\nb.tags = []\n"),
        ("[profiles]\n 'a' . env.X = 'x'\n", "[profiles]\n 'a' . env.X = 'x'\n 'a' . description = \"new\"\n"),
        ("[profiles.a.env]\nX = 'x'\n", "[profiles.a]\ndescription = \"new\"\n\n[profiles.a.env]\nX = 'x'\n"),
        ("[profiles]\na = {}\n", "[profiles]\na = { description = \"new\" }\n"),
        ("[profiles]\na = { }\n", "[profiles]\na = { description = \"new\" }\n"),
        ("[profiles]\na = { tags = [] }\n", "[profiles]\na = { tags = [], description = \"new\" }\n"),
        ("[profiles]\na = { tags = [], }\n", "[profiles]\na = { tags = [], description = \"new\", }\n"),
        (
            "[profiles]\na = {\n  tags = [], # t\n}\n",
            "[profiles]\na = {\n  tags = [], # t\n  description = \"new\",\n}\n",
        ),
        (
            "[profiles]\na = {\n  tags = [] # t\n}\n",
            "[profiles]\na = {\n  tags = [], # t\n  description = \"new\"\n}\n",
        ),
        ("[profiles]\na = {\n  tags = [] }\n", "[profiles]\na = {\n  tags = [], description = \"new\" }\n"),
    ] {
        check(before, &[set("a", "description", "new")], after);
    }
}

#[test]
fn a_variable_is_set_in_every_style_of_env() {
    for (before, after) in [
        ("[profiles.a]\n", "[profiles.a]\nenv.X = \"1\"\nenv.Y = \"2\"\n"),
        ("[profiles.a]\nenv.X = ''\n", "[profiles.a]\nenv.X = \"1\"\nenv.Y = \"2\"\n"),
        ("[profiles.a]\nenv = { Z = 'z' }\n", "[profiles.a]\nenv = { Z = 'z', X = \"1\", Y = \"2\" }\n"),
        (
            "[profiles.a]\n[profiles.a.env]\nX='0'\n[profiles.b]\n",
            "[profiles.a]\n[profiles.a.env]\nX=\"1\"\nY = \"2\"\n[profiles.b]\n",
        ),
        ("[profiles]\na = { env.Z = 'z' }\n", "[profiles]\na = { env.Z = 'z', env.X = \"1\", env.Y = \"2\" }\n"),
        ("[profiles]\na.env.Z = 'z'\n", "[profiles]\na.env.Z = 'z'\na.env.X = \"1\"\na.env.Y = \"2\"\n"),
    ] {
        check(before, &[set("a", "env/X", "1"), set("a", "env/Y", "2")], after);
    }
}

#[test]
fn a_key_is_removed_but_its_comment_stays() {
    for (before, after) in [
        ("[profiles.a]\n# t\ntags = []\nprotected = true\n", "[profiles.a]\n# t\nprotected = true\n"),
        ("[profiles.a]\n  tags = []  # why\n", "[profiles.a]\n  # why\n"),
        ("[profiles.a]\ntags = [\n]", "[profiles.a]\n"),
        ("[profiles]\na.tags = []\nb.tags = []\n", "[profiles]\na = {}\nb.tags = []\n"),
        ("[profiles]\na.tags = []\na.protected = true\n", "[profiles]\na.protected = true\n"),
        ("[profiles]\na = { tags = [] }\n", "[profiles]\na = { }\n"),
        ("[profiles]\na = { tags = [], protected = true }\n", "[profiles]\na = { protected = true }\n"),
        ("[profiles]\na = { protected = true, tags = [] }\n", "[profiles]\na = { protected = true }\n"),
        ("[profiles]\na = { protected = true, tags = [], }\n", "[profiles]\na = { protected = true }\n"),
        (
            "[profiles]\na = {\n  protected = true, # p\n  tags = []\n}\n",
            "[profiles]\na = {\n  protected = true, # p\n}\n",
        ),
        (
            "[profiles]\na = {\n  tags = [], # t\n  protected = true\n}\n",
            "[profiles]\na = {\n  # t\n  protected = true\n}\n",
        ),
        (
            "[profiles]\na = {\n  tags = [],\n\n  # p\n  protected = true\n}\n",
            "[profiles]\na = {\n\n  # p\n  protected = true\n}\n",
        ),
        (
            "[profiles]\na = {\n  tags = [] # t\n  , protected = true\n}\n",
            "[profiles]\na = {\n  # t\n   protected = true\n}\n",
        ),
        ("[profiles.a]\nenv.X = 'x'\n", "[profiles.a]\nenv.X = 'x'\n"),
    ] {
        check(before, &[unset("a", "tags")], after);
    }
    check(
        "[profiles.a]\n\n[profiles.a.env]\nX = 'x'\n\n[profiles.b]\n",
        &[unset("a", "env")],
        "[profiles.a]\n\n[profiles.b]\n",
    );
    check("[profiles.a]\nenv.X = 'x'\ntags = []\nenv.Y = 'y'\n", &[unset("a", "env")], "[profiles.a]\ntags = []\n");
    check("[profiles.a.env]\nX = 'x'\n", &[unset("a", "env")], "[profiles.a]\n");
}

#[test]
fn a_sealed_secret_replaces_the_plaintext_secret_in_place() {
    let secret = EditValue::Multiline("-----BEGIN-----\nx\n-----END-----\n".to_owned());
    let sealed = EditValue::Table(vec![
        ("id".to_owned(), "5f0c9a3e7b1d2c44".into()),
        ("to".to_owned(), "9c1b77aa03e2d5f1".into()),
        ("since".to_owned(), EditValue::Date(jiff::civil::date(2026, 11, 23))),
    ]);
    let edits = [
        unset("a", "netosecret"),
        set("a", "shortname", "a"),
        set("a", "appname", "b"),
        set("a", "sealed", sealed),
        set("a", "secret", secret),
    ];
    let note = "{ id = \"5f0c9a3e7b1d2c44\", to = \"9c1b77aa03e2d5f1\", since = 2026-11-23 }";
    let block = "\"\"\"\n-----BEGIN-----\nx\n-----END-----\n\"\"\"";
    let joined = |prefix: &str, between: &str| {
        let pairs = [("shortname", "\"a\""), ("appname", "\"b\""), ("sealed", note), ("secret", block)];
        pairs.map(|(key, value)| format!("{prefix}{key} = {value}")).join(between)
    };
    for (before, after) in [
        (
            "[profiles.a]\n\tnetosecret = \"x\"  # Bob's\n\ttags = []\n",
            format!("[profiles.a]\n\t{}  # Bob's\n\ttags = []\n", joined("", "\n\t")),
        ),
        (
            "[profiles]\n  a.netosecret = 'x'\n  b = {}\n",
            format!("[profiles]\n  {}\n  b = {{}}\n", joined("a.", "\n  ")),
        ),
        ("[profiles]\na = { netosecret = 'x' }\n", format!("[profiles]\na = {{ {} }}\n", joined("", ", "))),
    ] {
        check(before, &edits, &after);
    }
}

#[test]
fn a_new_profile_keeps_the_name_order_of_the_profiles() {
    for (before, after) in [
        (
            "# bb\n[profiles.b]\n\n# dd\n[profiles.d]\n",
            "# bb\n[profiles.b]\n\n[profiles.c]\ndescription = \"new\"\n\n# dd\n[profiles.d]\n",
        ),
        ("# d\n[profiles.d]\n", "[profiles.c]\ndescription = \"new\"\n\n# d\n[profiles.d]\n"),
        ("[profiles.b]\n", "[profiles.b]\n\n[profiles.c]\ndescription = \"new\"\n"),
        ("[profiles.b]\ntags = []", "[profiles.b]\ntags = []\n\n[profiles.c]\ndescription = \"new\""),
        ("[profiles.b]\n[profiles.d]\n", "[profiles.b]\n\n[profiles.c]\ndescription = \"new\"\n\n[profiles.d]\n"),
        (
            "[profiles.d]\n\n[profiles.b]\n# of b\n\n# end\n",
            "[profiles.d]\n\n[profiles.b]\n# of b\n\n[profiles.c]\ndescription = \"new\"\n\n# end\n",
        ),
        (
            "[profiles.b]\n\n# r\n[recipients]\nz = 'age1z'\n",
            "[profiles.b]\n\n[profiles.c]\ndescription = \"new\"\n\n# r\n[recipients]\nz = 'age1z'\n",
        ),
        (
            "[profiles]\nb.tags = []\nd.tags = []\n",
            "[profiles]\nb.tags = []\nd.tags = []\n\n[profiles.c]\ndescription = \"new\"\n",
        ),
        ("[profiles]\n", "[profiles]\n\n[profiles.c]\ndescription = \"new\"\n"),
        (
            "[profiles.b.env]\nX = 'x'\n[profiles.d]\n[profiles.b]\n",
            "[profiles.b.env]\nX = 'x'\n\n[profiles.c]\ndescription = \"new\"\n\n[profiles.d]\n[profiles.b]\n",
        ),
        ("", "[profiles.c]\ndescription = \"new\"\n"),
        ("# end", "# end\n\n[profiles.c]\ndescription = \"new\""),
    ] {
        check(before, &[add("c")], after);
    }
    check(
        "[profiles.b]\n",
        &[add("d"), add("a"), add("c.x")],
        "[profiles.a]\ndescription = \"new\"\n\n[profiles.b]\n\n[profiles.\"c.x\"]\ndescription = \"new\"\n\n[profiles.d]\ndescription = \"new\"\n",
    );
    check(
        "[profiles.a]\ntags = []\n\n[profiles.c]\n",
        &[remove("a"), add("b"), add("a")],
        "[profiles.a]\ndescription = \"new\"\n\n[profiles.b]\ndescription = \"new\"\n\n[profiles.c]\n",
    );
}

#[test]
fn a_profile_is_added_to_dotted_or_inline_profiles_at_the_top_level() {
    for (before, after) in [
        (
            "version = 1\nprofiles.a.url='https://x'\n\n# d\n[defaults]\nurl='https://y'\n",
            "version = 1\nprofiles.a.url='https://x'\n\n[profiles.c]\ndescription = \"new\"\n\n# d\n[defaults]\nurl='https://y'\n",
        ),
        (
            "version = 1\ndefaults.url='https://y'\nprofiles = { a = {} }\n",
            "version = 1\ndefaults.url='https://y'\nprofiles = { a = {}, c = { description = \"new\" } }\n",
        ),
        (
            "version = 1\ndefaults.url='https://y'\nprofiles.a.tags = []",
            "version = 1\ndefaults.url='https://y'\nprofiles.a.tags = []\n\n[profiles.c]\ndescription = \"new\"",
        ),
    ] {
        let found = document(before).apply(&[add("c")]).unwrap();
        assert_eq!(String::from_utf8_lossy(found.bytes()), after);
    }
}

#[test]
fn a_profile_is_removed_with_its_comments_and_subtables() {
    for (before, after) in [
        (
            "# file\n\n# aa\n# about a\n[profiles.a]\ntags = []\n# of a\n\n# bb\n[profiles.b]\n",
            "# file\n\n# bb\n[profiles.b]\n",
        ),
        ("[profiles.b]\n\n[profiles.a]\ntags = []\n\n[profiles.a.env]\nX = 'x'\n", "[profiles.b]\n"),
        ("[profiles.b]\n\n[profiles.a]\n\n# the end", "[profiles.b]\n\n# the end"),
        ("[profiles.b]\n\n[profiles.a]\n# the end\n", "[profiles.b]\n\n# the end\n"),
        ("[profiles.a]\n# b\n[profiles.b]\n[profiles.a.env]\nX = 'x'\n", "# b\n[profiles.b]\n"),
        ("[profiles.a]\nsecret = '''\n# no comment'''\n[profiles.b]\n", "[profiles.b]\n"),
        ("[profiles]\na.tags = [] # x\n# b\nb.tags = []\na.env.X = 'x'\n", "[profiles]\n# b\nb.tags = []\n"),
        ("[profiles]\na = { tags = [] }\nb = {}\n", "[profiles]\nb = {}\n"),
        ("[profiles.\"a\"]\n", ""),
    ] {
        // If nothing remains below, the blank line above is removed too.
        let after = if after.is_empty() { String::new() } else { after.to_owned() };
        let (before, after) = (format!("{HEAD}{before}"), format!("{HEAD}{after}"));
        let found = document(&before).apply(&[remove("a")]).unwrap_or_else(|error| panic!("{error:?}\n{before}"));
        let after = if after == HEAD { HEAD.trim_end().to_owned() + "\n" } else { after };
        assert_eq!(String::from_utf8_lossy(found.bytes()), after, "\n{before}");
    }
    let below = "[profiles.b]\nsecret = '''\n# no comment'''\n[profiles.a]\n";
    check(below, &[remove("a")], "[profiles.b]\nsecret = '''\n# no comment'''\n");
    let all = document("version = 1\nprofiles = { b.url = 'https://x', a.url = 'https://x', a.tags = [] }");
    let one = all.apply(&[remove("a")]).unwrap();
    assert_eq!(*one.text, "version = 1\nprofiles = { b.url = 'https://x' }");
    assert_eq!(*one.apply(&[remove("b")]).unwrap().text, "version = 1\nprofiles = { }");
}

#[test]
fn a_rename_changes_every_occurrence_of_the_name() {
    for (before, after) in [
        (
            "# a\n[profiles.a] # a\ntags = ['a']\n[profiles . \"a\" . env]\nA = 'a'\n",
            "# a\n[profiles.\"z.z\"] # a\ntags = ['a']\n[profiles . \"z.z\" . env]\nA = 'a'\n",
        ),
        (
            "[profiles]\na.tags = ['a']\n'a'.env.A = 'a'\nb.tags = []\n",
            "[profiles]\n\"z.z\".tags = ['a']\n'z.z'.env.A = 'a'\nb.tags = []\n",
        ),
        ("[profiles]\na = { env.a = 'a' }\n", "[profiles]\n\"z.z\" = { env.a = 'a' }\n"),
    ] {
        check(before, &[rename("a", "z.z")], after);
    }
    let edits =
        [rename("a", "b"), rename("b", "a"), set("a", "tags", EditValue::List(vec![])), set("b", "description", "d")];
    assert!(matches!(document(&format!("{HEAD}[profiles.a]\n")).apply(&edits), Err(EditError::UnknownProfile(_))));
    check(
        "[profiles]\na.protected = true\n",
        &[
            rename("a", "b"),
            set("a", "description", "d"),
            set("b", "tags", EditValue::List(vec![])),
            unset("a", "protected"),
        ],
        "[profiles]\nb.description = \"d\"\nb.tags = []\n",
    );
    check(
        "[profiles.a.env]\nX = ''\n",
        &[rename("a", "b"), set("b", "description", "d")],
        "[profiles.b]\ndescription = \"d\"\n\n[profiles.b.env]\nX = ''\n",
    );
}

#[test]
fn a_missing_section_is_created() {
    let recipients = [set("recipients", "al.ice", "age1alice"), set("recipients", "bob", "age1bob")];
    let block = "[recipients]\n\"al.ice\" = \"age1alice\"\nbob = \"age1bob\"\n";
    for (before, after) in [
        ("version = 1\n", format!("version = 1\n\n{block}")),
        ("version = 1\n# d\n[defaults]\nurl = 'https://x'\n", format!("version = 1\n\n{block}\n# d\n[defaults]\nurl = 'https://x'\n")),
        ("version = 1\n[recipients]\n", format!("version = 1\n{block}")),
        ("version = 1\nrecipients = {}\n", "version = 1\nrecipients = { \"al.ice\" = \"age1alice\", bob = \"age1bob\" }\n".to_owned()),
        ("version = 1\nrecipients.x = 'age1x'\n", "version = 1\nrecipients.x = 'age1x'\nrecipients.\"al.ice\" = \"age1alice\"\nrecipients.bob = \"age1bob\"\n".to_owned()),
    ] {
        assert_eq!(*document(before).apply(&recipients).unwrap().text, after);
    }
    let top = document("# mine\nversion = 1 # v\n\n[recipients]\n")
        .apply(&[set("top", "explicit", EditValue::Flag(true)), set("defaults", "leeway", "1m")]);
    assert_eq!(
        *top.unwrap().text,
        "# mine\nversion = 1 # v\nexplicit = true\n\n[recipients]\n\n[defaults]\nleeway = \"1m\"\n"
    );
}

#[test]
fn impossible_or_harmful_edits_are_rejected() {
    let text =
        format!("{HEAD}[recipients]\nbob = 'age1bob'\n[profiles.a]\nrecipients = ['bob']\n[profiles.bad]\nenv = 3\n");
    let document = document(&text);
    let refused = |edits: &[Edit]| document.apply(edits).err().map(|error| error.to_string());
    for (edits, expected_message) in [
        (&[set("x", "tags", "y")][..], "the store has no profile 'x'"),
        (&[remove("x")], "the store has no profile 'x'"),
        (&[rename("a", "bad")], "the store has a profile 'bad' already"),
        (&[add("a")], "the store has a profile 'a' already"),
        (&[add("y"), add("y")], "the store has a profile 'y' already"),
        (&[set("bad", "env/X", "x")], "'profiles.bad.env' is no table"),
        (
            &[set("a", "tags", "c4n4ry")],
            "the change would make the store invalid (line 9, column 8: profiles.a.tags: must be a list of texts)",
        ),
        (
            &[set("defaults", "leeway", "c4n4ry")],
            "the change would make the store invalid (line 4, column 10: defaults.leeway: not a length of time; write it like 30s, 10m, 2h, 7d or 1h30m)",
        ),
        (
            &[unset("recipients", "bob")],
            "the change would make the store invalid (line 7, column 15: profiles.a.recipients: names a recipient that is not in [recipients])",
        ),
        (
            &[set("top", "new", "c4n4ry")],
            "the change would make the store invalid (line 2, column 1: new: unknown key)",
        ),
    ] {
        assert_eq!(refused(edits).as_deref(), Some(expected_message));
    }
    assert_eq!(
        refused(&[
            unset("a", "nothing"),
            set("bad", "tags", EditValue::List(vec![])),
            set("bad", "env", EditValue::Table(vec![]))
        ]),
        None
    );
}

#[test]
fn any_text_can_be_a_value() {
    for text in [
        "",
        "\"",
        "'",
        "'\"",
        "\\",
        "a\nb",
        "\r\n",
        "\t",
        "\u{7f}\u{1}",
        "\"\"\"",
        "'''",
        "é\u{202e}",
        "# x",
        "}{][,=.",
    ] {
        let before = document(&format!("{HEAD}[profiles.a]\n[profiles.b]\n"));
        let block = EditValue::Multiline(text.to_owned());
        let edits = [
            set("a", "description", text),
            set("b", "description", block),
            set("a", "env/X", text),
            set("b", "tags", EditValue::List(vec![text.to_owned(), text.to_owned()])),
        ];
        let after = before.apply(&edits).unwrap_or_else(|error| panic!("{error:?} {text:?}"));
        let profile = after.store().profiles[0].profile.as_ref().unwrap();
        assert_eq!((profile.description.as_deref(), profile.env["X"].0.as_str()), (Some(text), text));
    }
}

#[test]
fn plaintext_values_and_declared_keys_are_found() {
    let text = format!(
        "{HEAD}[profiles.a]\nnetosecret = \"\"\"\nc\\u0034n\"\"\"\nenv.X = ''\n[profiles]\nb = {{ password = 'p', appkey = 'k', env = {{ Y = '' }} }}\n[profiles.c.env]\n"
    );
    let document = document(&text);
    assert_eq!(document.plaintext_value(&name("a"), PlaintextKey::Netosecret).as_deref(), Some("c4n"));
    assert_eq!(document.plaintext_value(&name("b"), PlaintextKey::Password).as_deref(), Some("p"));
    assert_eq!(document.plaintext_value(&name("b"), PlaintextKey::Sharedsecret), None);
    for (place, path, declared) in [
        ("a", &["env"][..], true),
        ("a", &["env", "X"], true),
        ("a", &["url"], false),
        ("defaults", &["url"], true),
        ("b", &["env", "Y"], true),
        ("c", &["env"], true),
        ("c", &[], true),
        ("d", &[], false),
        ("top", &["version"], true),
        ("top", &["explicit"], false),
        ("recipients", &[], false),
    ] {
        assert_eq!(document.declares(&section(place), path), declared, "{place} {path:?}");
    }
}

#[test]
fn many_edits_are_applied_in_one_pass() {
    let count = 3000;
    let profiles =
        (0..count).map(|n| format!("[profiles.p{n:05}]\nprotected = false # {n}\n\n")).collect::<Vec<_>>().concat();
    let edits: Vec<Edit> = (0..count)
        .flat_map(|n| {
            [
                set(&format!("p{n:05}"), "tags", EditValue::List(vec![])),
                set(&format!("p{n:05}"), "protected", EditValue::Flag(true)),
                add(&format!("q{n:05}")),
            ]
        })
        .collect();
    let after = document(&format!("{HEAD}{profiles}")).apply(&edits).unwrap();
    assert_eq!(after.store().profiles.len(), 2 * count);
}

#[test]
fn replacing_a_block_changes_only_its_profile() {
    let replace = |was: &str, text: &str| {
        [Edit::ReplaceBlock { name: name("a"), old_text: was.to_owned(), new_text: text.to_owned() }]
    };
    for (before, lines, new, after) in [
        (
            "# a\n[profiles.a]\ntags = []\n# of a\n\n# b\n[profiles.b]\n",
            "# a\n[profiles.a]\ntags = []\n# of a\n",
            "[profiles.a]\nprotected = true\n",
            "[profiles.a]\nprotected = true\n\n# b\n[profiles.b]\n",
        ),
        (
            "[profiles.a]\n[profiles.b]\n[profiles.a.env]\nX = ''\n",
            "[profiles.a]\n[profiles.a.env]\nX = ''\n",
            "[profiles.a]\n",
            "[profiles.a]\n[profiles.b]\n",
        ),
        (
            "[profiles]\na.tags = []\nb = {}\na.protected = true\n",
            "a.tags = []\na.protected = true\n",
            "a = {}\n",
            "[profiles]\na = {}\nb = {}\n",
        ),
    ] {
        let text = format!("{HEAD}{before}");
        assert_eq!(document(&text).profile_block(&name("a")).as_deref(), Some(lines));
        for text in [text.clone(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
            let whole = document(&text);
            let same = whole.profile_block(&name("a")).unwrap();
            assert_eq!(*whole.apply(&replace(&same, &same)).unwrap().text, text);
        }
        assert_eq!(*document(&text).apply(&replace(lines, new)).unwrap().text, format!("{HEAD}{after}"));
    }
    let document = document(&format!("{HEAD}[profiles.a]\ntags = []\n\n[profiles.b]\n"));
    for (text, expected_message) in [
        (
            "[profiles.a]\ntags = 'c4n4ry'\n",
            "the change would make the store invalid (line 6, column 8: profiles.a.tags: must be a list of texts)",
        ),
        (
            "[profiles.a]\ntags = [\n",
            "the change would make the store invalid (line 8, column 13: profiles.a.tags: a list that is not closed by ']')",
        ),
        ("[profiles.c]\n", "the change did not come out as intended"),
        ("", "the change did not come out as intended"),
        ("[profiles.a]\n[profiles.b.env]\nX = ''\n", "the change did not come out as intended"),
    ] {
        assert_eq!(
            document.apply(&replace("[profiles.a]\ntags = []\n", text)).err().map(|error| error.to_string()).as_deref(),
            Some(expected_message),
            "{text}"
        );
    }
    let inline = Document::parse(b"version = 1\nprofiles = { a = { } }".to_vec(), Path::new("/")).unwrap();
    assert_eq!(inline.profile_block(&name("a")), None);
    assert_eq!(inline.apply(&replace("", "")).err(), Some(EditError::SharedLines(name("a"))));
    let stale = replace("[profiles.a]\n", "[profiles.a]\ntags = []\n");
    assert_eq!(document.apply(&stale).err(), Some(EditError::BlockChanged(name("a"))));
}

//! Every list at all terminal widths, with long and wide names, and without a terminal.

#![cfg(unix)]

use crate::fusion::Account;
use crate::harness::{OTHER_RECIPIENT, Sandbox};
use unicode_width::UnicodeWidthStr as _;

/// Name of the maximum length.
const LONGEST_NAME: &str = "a-name-that-is-as-long-as-a-name-may-be-and-not-a-letter-longer0";
const WIDTHS: [u16; 5] = [30, 40, 80, 120, 200];

/// Commands that print a table, or lines about one item.
const LISTS: [&[&str]; 10] = [
    &["ls"],
    &["status"],
    &["keys", "--all"],
    &["discover", "msp"],
    &["rotate", "--all", "--dry-run"],
    &["recipient", "list"],
    &["profile", "import", "more.csv", "--dry-run", "--existing", "skip"],
    &["profile", "current", "--explain"],
    &["profile", "show", "acme"],
    &["profile", "show", LONGEST_NAME],
];

/// Creates a store whose values are hard to lay out.
fn store_with_hard_layout() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("msp");
    let wide = "日本語の顧客、東京 👩🏽\u{200d}🚀 ❤\u{fe0f} e\u{301}te\u{301} and words that go on and on, beyond every terminal";
    for (name, tag) in
        [("acme", "prod"), (LONGEST_NAME, "日本"), ("globex", "a-long-tag-of-forty-letters-for-this-test")]
    {
        let credential = sandbox.server().add_tenant(name, "soc-automation-with-a-long-name");
        let words = ["profile", "add", name, "--tag", tag, "--tag", "emea", "--description", wide];
        sandbox.neto(words).stdin(credential.netosecret()).run().code(0);
    }
    sandbox.neto(["recipient", "add", "bob-with-a-rather-long-name", OTHER_RECIPIENT]).run().code(0);
    let account = |shortname: &str| Account {
        shortname: shortname.to_owned(),
        parent: "a-parent-that-has-a-long-name-too".to_owned(),
        children: 0,
        trial: true,
    };
    sandbox.server().set_accounts("msp", vec![account("hooli"), account(LONGEST_NAME)]);
    let more = sandbox.server().add_tenant("initech", "soc").netosecret();
    sandbox.write_secret("more.csv", format!("name,netosecret\n{LONGEST_NAME},{more}\ninitech,{more}\n"));
    sandbox.neto(["login", "--all"]).run().code(0);
    sandbox.neto(["use", "acme"]).run().code(0);
    sandbox
}

#[test]
fn lists_fit_every_terminal_and_pipes_get_all() {
    let sandbox = store_with_hard_layout();
    for list in LISTS {
        let piped = sandbox.neto(list).run().code(0).stdout.clone();
        assert!(piped.lines().any(|line| line.width() > 60) || !piped.contains(LONGEST_NAME), "{piped}");
        for columns in WIDTHS {
            let call = sandbox.program("sh", ["-c", "neto \"$@\" 2>/dev/null", "neto"].iter().chain(list));
            let screen = call.at_terminal_sized(columns, 50).finish();
            screen.code(0);
            let room = usize::from(columns);
            let shown: Vec<&str> = screen.text.lines().map(|line| line.trim_end_matches('\r')).collect();
            let fits = |line: &&&str| line.width() <= room;
            if list.contains(&"show") {
                // Text that is pasted from there (a name, an address) is never broken; in a narrower terminal, the
                // terminal breaks it.
                assert!(room < 80 || shown.iter().all(|line| fits(&line)), "{columns}: {}", screen.text);
                assert!(screen.text.replace(['\n', '\r', ' '], "").contains(&piped.replace(['\n', ' '], "")));
            } else {
                assert!(shown.iter().all(|line| fits(&line)), "{list:?} in {columns}:\n{}", screen.text);
                assert_eq!(shown.len(), piped.lines().count(), "a row is a line: {list:?} in {columns}");
                assert!(screen.raw.contains("\u{1b}[2m"), "no colour: {}", screen.raw);
            }
        }
    }
}

#[test]
fn the_columns_that_matter_stay() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod", "--description", "Acme Corp, production"]).run().code(0);
    sandbox.neto(["login"]).run().code(0);
    let titles = |list: &[&str], columns| {
        let screen = sandbox.neto(list).at_terminal_sized(columns, 30).finish();
        let line = screen.text.lines().find(|line| line.contains("PROFILE")).expect("a header").to_owned();
        line.split("  ").map(str::trim).filter(|title| !title.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    for (list, columns, expected) in [
        (&["ls"][..], 80, &["PROFILE", "TENANT", "KEY", "SECRET", "SINCE", "TAGS", "DESCRIPTION"][..]),
        (&["ls"], 60, &["PROFILE", "TENANT", "KEY", "SECRET", "SINCE", "TAGS"]),
        (&["ls"], 40, &["PROFILE", "TENANT", "KEY", "SECRET"]),
        (&["status"], 80, &["PROFILE", "TENANT", "STATE", "EXPIRES IN", "EXPIRES AT", "TAGS"]),
        (&["status"], 60, &["PROFILE", "TENANT", "STATE", "EXPIRES IN", "EXPIRES AT"]),
        (&["status"], 50, &["PROFILE", "TENANT", "STATE", "EXPIRES IN"]),
        (&["status"], 30, &["PROFILE", "STATE", "EXPIRES IN"]),
        (&["rotate", "acme", "--dry-run"], 24, &["PROFILE", "TENANT", "ACTION"]),
    ] {
        assert_eq!(titles(list, columns), expected, "{list:?} in {columns}");
    }
}

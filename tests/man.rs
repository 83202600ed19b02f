//! Tests the pages in `man/` with the programs that show them: no program reports an error, and lines to paste are
//! shown unchanged. Checks that the pages are up to date.

use crate::harness::Sandbox;
use crate::torture::scale::report_skipped;
use generator::{pages, write, written};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[path = "../examples/man.rs"]
mod generator;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// Returns true if the program is installed; reports a skipped test if not.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("-v").output().is_ok();
    if !found {
        report_skipped(&format!(
            "there is no {program} (Debian's package of that name), so no page is looked at with it"
        ));
    }
    found
}

fn run(program: &str, arguments: &[&str], page: &Path) -> Output {
    Command::new(program).args(arguments).arg(page).output().expect("a program that is here")
}

/// Returns the program's complaints about a page, except for the date, which is missing on purpose.
fn complaints(program: &str, arguments: &[&str], page: &Path) -> Vec<String> {
    let output = run(program, arguments, page);
    let text = [output.stdout, output.stderr].concat();
    let lines = String::from_utf8(text).expect("text");
    lines.lines().filter(|line| !line.contains("missing date, using \"\"")).map(str::to_owned).collect()
}

/// Arguments with which `groff` and `mandoc` report all warnings.
const LINTS: [(&str, &[&str]); 2] =
    [("groff", &["-man", "-Tutf8", "-ww", "-z"]), ("mandoc", &["-T", "lint", "-W", "warning"])];

#[test]
fn no_program_complains_of_a_page() {
    let sandbox = Sandbox::new();
    let broken = sandbox.work("broken.1");
    fs::write(&broken, ".TH X 1 \"\" neto\n.SH NAME\nx \\- y\n.RS\n.nosuch\n\\fBbold\\[nosuch]\n.TP\n").unwrap();
    for (program, arguments) in LINTS {
        if !is_installed(program) {
            continue;
        }
        let pages = fs::read_dir(folder()).expect("man").map(|entry| entry.expect("an entry").path());
        let all: Vec<String> = pages.flat_map(|page| complaints(program, arguments, &page)).collect();
        assert!(all.is_empty(), "{program}:\n{}", all.join("\n"));
        assert!(!complaints(program, arguments, &broken).is_empty(), "{program} does look");
    }
}

/// Returns a page as plain text, in lines wide enough for every line to paste.
fn render(page: &Path) -> String {
    let output = run("groff", &["-man", "-Tascii", "-P-cbou", "-rLL=150n"], page);
    String::from_utf8(output.stdout).expect("ASCII")
}

/// Returns the lines to paste of each help page, with the name of the manual page.
fn examples() -> Vec<(String, Vec<&'static str>)> {
    let help = include_str!("golden/help.txt");
    let pages = help.split("$ neto").filter(|page| page.contains(" --help\n"));
    pages
        .map(|page| {
            let (path, text) = page.split_once(" --help\n").expect("its command");
            let from = text.find("\nExample").unwrap_or(text.len());
            let lines = text[from..].lines().skip(2).take_while(|line| line.starts_with("  "));
            (format!("neto{}.1", path.replace(' ', "-")), lines.map(str::trim).collect())
        })
        .collect()
}

#[test]
fn a_line_to_paste_comes_out_as_it_went_in() {
    if !is_installed("groff") {
        return;
    }
    let mut seen = 0;
    for (page, lines) in examples() {
        let shown = render(&folder().join(&page));
        for line in lines {
            assert!(shown.lines().any(|other| other.trim() == line), "man/{page} lacks the line {line}\n{shown}");
            seen += usize::from(line.contains('-') && line.contains(['\'', '"']));
        }
    }
    assert!(seen >= 3, "{seen} lines with hyphens and quotes");
    let store = include_str!("../examples/man/example.toml");
    let shown = render(&folder().join("neto-profiles.5"));
    for line in store.lines() {
        assert!(shown.lines().any(|other| other.trim() == line), "man/neto-profiles.5 lacks the line {line}");
    }
}

#[test]
fn the_store_of_the_manual_is_a_good_one() {
    let sandbox = Sandbox::new();
    sandbox.write_store(include_str!("../examples/man/example.toml"));
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).stderr("").json();
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
}

/// How to update the pages.
const UPDATE: &str = "if that is intended: cargo run --example man";

#[test]
fn the_pages_are_fresh() {
    let pages = pages();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        write(&pages);
    }
    let written = written();
    let names = |pages: &BTreeMap<String, String>| pages.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&written), names(&pages), "the pages in man/ and those there should be; {UPDATE}");
    for (name, page) in &pages {
        let differs = written[name].lines().zip(page.lines()).find(|(written, page)| written != page);
        assert!(written[name] == *page, "man/{name} changed ({differs:?}); {UPDATE}");
    }
}

#[test]
fn every_verb_has_a_page_and_hidden_ones_have_none() {
    let pages = pages();
    for name in ["neto.1", "neto-login.1", "neto-profile.1", "neto-profile-add.1", "neto-schema.1", "neto-profiles.5"] {
        assert!(pages.contains_key(name), "{name}");
    }
    assert!(!pages.keys().any(|name| name.contains("tied") || name.contains("help")), "{:?}", pages.keys());
}

#[test]
fn pages_do_not_grow_old_of_themselves() {
    for (name, page) in pages() {
        assert!(!page.contains(env!("CARGO_PKG_VERSION")), "{name} holds the version");
        assert!(page.starts_with(".\\\"") && page.is_ascii() && page.ends_with('\n'), "{name}");
    }
}

#[test]
fn each_exit_code_stands_there_once_and_in_order() {
    let numbers: Vec<u8> = generator::CODES.iter().map(|code| code.status()).collect();
    assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
    for number in 0..=10 {
        assert!(numbers.contains(&number), "{number}");
    }
}

#[test]
fn the_page_tells_of_every_variable_that_an_export_sets() {
    let page = &pages()["neto.1"];
    for name in neto::internals::ALWAYS_UNSET {
        assert!(page.contains(&format!("\\fB{name}\\fR")), "{name}");
    }
}

//! The pages in `man/` in the programs that show them. That they are fresh is a test beside the command tree
//! (`src/man/`); here: no program complains of one, and a line to paste comes out as it went in.

use crate::harness::Sandbox;
use crate::torture::scale::say_not_tested;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// Whether a program of that name is here; says so if not.
fn have(program: &str) -> bool {
    let here = Command::new(program).arg("-v").output().is_ok();
    if !here {
        say_not_tested(&format!(
            "there is no {program} (Debian's package of that name), so no page is looked at with it"
        ));
    }
    here
}

fn run(program: &str, arguments: &[&str], page: &Path) -> Output {
    Command::new(program).args(arguments).arg(page).output().expect("a program that is here")
}

/// What the program has against a page; that it has no date is meant.
fn complaints(program: &str, arguments: &[&str], page: &Path) -> Vec<String> {
    let output = run(program, arguments, page);
    let said = [output.stdout, output.stderr].concat();
    let lines = String::from_utf8(said).expect("text");
    lines.lines().filter(|line| !line.contains("missing date, using \"\"")).map(str::to_owned).collect()
}

/// Those of `groff` and of `mandoc`, each with all its warnings.
const LINTS: [(&str, &[&str]); 2] =
    [("groff", &["-man", "-Tutf8", "-ww", "-z"]), ("mandoc", &["-T", "lint", "-W", "warning"])];

#[test]
fn no_program_complains_of_a_page() {
    let sandbox = Sandbox::new();
    let broken = sandbox.work("broken.1");
    fs::write(&broken, ".TH X 1 \"\" neto\n.SH NAME\nx \\- y\n.RS\n.nosuch\n\\fBbold\\[nosuch]\n.TP\n").unwrap();
    for (program, arguments) in LINTS {
        if !have(program) {
            continue;
        }
        let pages = fs::read_dir(folder()).expect("man").map(|entry| entry.expect("an entry").path());
        let all: Vec<String> = pages.flat_map(|page| complaints(program, arguments, &page)).collect();
        assert!(all.is_empty(), "{program}:\n{}", all.join("\n"));
        assert!(!complaints(program, arguments, &broken).is_empty(), "{program} does look");
    }
}

/// A page as plain text, as wide as no line to paste is long.
fn shown(page: &Path) -> String {
    let output = run("groff", &["-man", "-Tascii", "-P-cbou", "-rLL=150n"], page);
    String::from_utf8(output.stdout).expect("ASCII")
}

/// The lines to paste on each help page, with the name of the manual page.
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
    if !have("groff") {
        return;
    }
    let mut seen = 0;
    for (page, lines) in examples() {
        let shown = shown(&folder().join(&page));
        for line in lines {
            assert!(shown.lines().any(|other| other.trim() == line), "man/{page} lacks the line {line}\n{shown}");
            seen += usize::from(line.contains('-') && line.contains(['\'', '"']));
        }
    }
    assert!(seen >= 3, "{seen} lines with hyphens and quotes");
    let store = include_str!("../src/man/example.toml");
    let shown = shown(&folder().join("neto-profiles.5"));
    for line in store.lines() {
        assert!(shown.lines().any(|other| other.trim() == line), "man/neto-profiles.5 lacks the line {line}");
    }
}

#[test]
fn the_store_of_the_manual_is_a_good_one() {
    let sandbox = Sandbox::new();
    sandbox.write_store(include_str!("../src/man/example.toml"));
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).silent().json();
    assert_eq!(rows.as_array().map(Vec::len), Some(3), "{rows}");
}

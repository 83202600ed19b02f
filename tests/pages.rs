//! Tests the pages of the repository: each link has a target, and each command is a command of neto with valid flags.
//! The output in `console` blocks is tested by each page's own test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

struct Page {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let files = [root().to_owned(), root().join("docs")].map(|folder| fs::read_dir(folder).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

impl Page {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// Returns the lines outside and inside of code blocks.
    fn lines(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut prose, mut code, mut inside) = (Vec::new(), Vec::new(), false);
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if inside {
                code.push(line);
            } else {
                prose.push(line);
            }
        }
        (prose, code)
    }

    /// Returns the targets of the page's links.
    fn links(&self) -> Vec<String> {
        let text = self.lines().0.join("\n");
        let targets = |begin: &str, end: char| -> Vec<String> {
            text.split(begin).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0.to_owned())).collect()
        };
        [targets("](", ')'), targets("src=\"", '"'), targets("srcset=\"", '"')].concat()
    }

    /// Returns the anchors of the page's headings.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.lines().0.into_iter().filter_map(|line| line.strip_prefix('#'));
        let plain = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
        headings
            .map(|line| line.trim_start_matches('#').trim().to_lowercase().chars().filter(plain).collect::<String>())
            .map(|name| name.replace(' ', "-"))
            .collect()
    }

    /// Returns all code on the page: lines of code blocks, and text between backquotes.
    fn code(&self) -> Vec<String> {
        let (prose, code) = self.lines();
        let prose = prose.join("\n");
        let spans = prose.split('`').skip(1).step_by(2).map(|span| span.replace('\n', " "));
        code.into_iter().map(str::to_owned).chain(spans).collect()
    }
}

/// Returns each command with its help page, from the golden file.
fn commands() -> BTreeMap<String, String> {
    let golden = fs::read_to_string(root().join("tests/golden/help.txt")).unwrap();
    let pages = golden.split("$ neto").skip(1).filter_map(|page| page.split_once(" --help\n"));
    pages.map(|(name, page)| (name.trim().to_owned(), page.to_owned())).collect()
}

/// Returns the error in the words after `neto`; `None` if they are valid or no command line.
fn fault(arguments: &str, commands: &BTreeMap<String, String>) -> Option<String> {
    let arguments = arguments.split("$(").next().unwrap_or_default();
    let arguments = arguments.split([';', '|', ')', '>', '&', '#', '\n']).next().unwrap_or_default();
    let arguments: Vec<&str> = arguments.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
    let mut command = String::new();
    for word in arguments.iter().take_while(|word| **word != "--") {
        let longer = format!("{command} {word}").trim().to_owned();
        if commands.contains_key(&longer) {
            command = longer;
        } else if let Some(flag) = word.strip_prefix("--").and_then(|flag| flag.split(['=', '[', ']']).next()) {
            let has = |name: &str| commands[name].contains(&format!("--{flag}"));
            if !flag.is_empty() && flag != "help" && flag != "version" && !has(&command) {
                return Some(format!("neto {command} has no --{flag}"));
            }
        } else if command.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) && *word != "help" {
            return Some(format!("there is no neto {word}"));
        }
    }
    None
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 8, "the pages are gone");
    let mut broken = Vec::new();
    for page in &pages {
        for link in page.links().iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.path.clone() } else { page.path.parent().unwrap().join(file) };
            let target = target.canonicalize().unwrap_or(target);
            let named =
                || pages.iter().find(|page| page.path == target).is_some_and(|page| page.anchors().contains(anchor));
            if !target.exists() || !anchor.is_empty() && !named() {
                broken.push(format!("{}: {link}", page.name()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn every_command_named_on_a_page_is_one() {
    let commands = commands();
    assert!(commands.len() > 20 && commands.contains_key("profile add"), "{:?}", commands.keys());
    let mut wrong = Vec::new();
    let mut seen = 0;
    for page in pages() {
        for code in page.code() {
            let starts = code.match_indices("neto ").filter(|(at, _)| {
                code[..*at].chars().next_back().is_none_or(|before| [' ', '(', '"', '\'', '|'].contains(&before))
            });
            for (at, name) in starts {
                seen += 1;
                wrong.extend(
                    fault(&code[at + name.len()..], &commands).map(|why| format!("{}: {why}: {code}", page.name())),
                );
            }
        }
    }
    assert!(seen > 150, "the pages have lost their commands: {seen}");
    assert!(wrong.is_empty(), "these are no commands of neto:\n{}", wrong.join("\n"));
}

#[test]
fn control_a_wrong_verb_and_a_wrong_flag_are_seen() {
    let commands = commands();
    assert_eq!(fault("status --check --within 1h", &commands), None);
    assert_eq!(fault("-q profile add acme --tag prod", &commands), None);
    assert_eq!(fault("exec acme -- program --anything", &commands), None);
    assert!(fault("statsu", &commands).is_some());
    assert!(fault("status --forever", &commands).is_some());
    assert!(fault("profile add --check", &commands).is_some());
}

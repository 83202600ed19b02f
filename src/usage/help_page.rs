//! The first page of the help: the verbs in groups.
//!
//! Owns how the groups of `cli` look. All the rest of the page, and every other page, is clap's.

use crate::cli::GROUPS;
use crate::output::wrap;
use clap::Command;
use clap::builder::StyledStr;
use std::fmt::Write as _;

/// No page is wider, however wide the terminal is: longer lines are hard to read.
pub(super) const WIDEST: usize = 100;
/// What an explanation needs beside its verb; with less it stands below.
const NARROWEST: usize = 30;
/// Before a verb, and between it and its explanation.
const GAP: usize = 2;
/// Before an explanation that stands below its verb.
const BELOW: usize = 10;

/// How wide the pages are on a terminal of so many columns, where that is known.
pub(super) fn width(columns: Option<usize>) -> usize {
    columns.map_or(WIDEST, |columns| columns.min(WIDEST))
}

/// The whole tree, with the verbs in groups on its own page. All of its verbs have to be built.
pub(super) fn grouped(mut tree: Command, width: usize) -> Command {
    let usage = tree.render_usage().ansi().to_string();
    let usage = usage.split_once(' ').map_or_else(String::new, |(_, usage)| usage.to_owned());
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{{all-args}}{{after-help}}",
        groups(&tree, width)
    );
    // Hidden, clap leaves them out of its own list, and out of a usage line of its own making.
    tree.override_usage(StyledStr::from(usage)).help_template(template).mut_subcommands(|verb| verb.hide(true))
}

/// A section for each group that has verbs.
fn groups(tree: &Command, width: usize) -> String {
    let (header, literal) = (tree.get_styles().get_header(), tree.get_styles().get_literal());
    let widest = GROUPS.iter().flat_map(|group| group.verbs).filter(|name| verb(tree, name).is_some());
    let widest = widest.map(|name| name.len()).max().unwrap_or(0);
    let beside = GAP + widest + GAP;
    let indent = if width < beside + NARROWEST { BELOW } else { beside };
    let mut text = String::new();
    for group in &GROUPS {
        let verbs: Vec<&Command> = group.verbs.iter().filter_map(|name| verb(tree, name)).collect();
        if verbs.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{header}{}:{header:#}", group.title);
        for verb in verbs {
            let (name, about) = (verb.get_name(), verb.get_about().map(ToString::to_string).unwrap_or_default());
            let lines = wrap(&about, width.saturating_sub(indent)).join(&format!("\n{:indent$}", ""));
            let gap =
                if indent == beside { " ".repeat(beside - GAP - name.len()) } else { format!("\n{:indent$}", "") };
            let _ = writeln!(text, "{:GAP$}{literal}{name}{literal:#}{gap}{lines}", "");
        }
        text.push('\n');
    }
    text
}

/// A verb that users see.
fn verb<'t>(tree: &'t Command, name: &str) -> Option<&'t Command> {
    tree.find_subcommand(name).filter(|verb| !verb.is_hide_set())
}

#[cfg(test)]
mod tests {
    use super::super::built;
    use super::*;
    use std::collections::BTreeMap;

    /// The page of `neto` itself, without styles.
    fn page(width: usize) -> String {
        grouped(built(width), width).render_help().to_string()
    }

    #[test]
    fn every_verb_stands_in_one_group_and_no_other() {
        let tree = built(WIDEST);
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        GROUPS.iter().flat_map(|group| group.verbs).for_each(|name| *places.entry(name).or_default() += 1);
        let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
        for verb in verbs.filter(|name| *name != "help") {
            assert_eq!(places.get(verb), Some(&1), "groups of '{verb}'; they stand in src/cli.rs");
        }
        assert!(places.values().all(|count| *count == 1), "{places:?}");
    }

    #[test]
    fn the_page_fits_and_names_all() {
        for width in [40, 60, 80, 100] {
            let page = page(width);
            let (_, verbs) = page.split("Options:").next().unwrap().split_once("Usage:").unwrap();
            for line in verbs.lines() {
                assert!(line.len() <= width, "{width}: {line}");
            }
            assert!(!page.contains("Commands:") && verbs.contains("\n  logout") && !verbs.contains("__"), "{page}");
            assert_eq!(verbs.contains("\n  logout     "), width >= 60, "beside or below at {width}:\n{verbs}");
        }
        assert!(page(100).contains("Usage: neto [OPTIONS] <COMMAND>\n\nFirst steps:\n  init "));
    }
}

//! Layout of the first help page, which lists the verbs in groups instead of in one list.
//!
//! `cli` declares the groups. clap renders the rest of this page and all other pages.

use crate::cli::VERB_GROUPS;
use crate::output::wrap_words;
use clap::Command;
use clap::builder::StyledStr;
use std::fmt::Write as _;

/// Maximum width of a page in columns, even on a wider terminal, because longer lines are hard to read.
pub(super) const MAX_WIDTH: usize = 100;
/// Minimum number of columns for a description beside its verb. If fewer are left, the description goes below the verb.
const MIN_ABOUT_WIDTH: usize = 30;
/// Number of spaces before a verb, and between the longest verb and its description.
const GAP: usize = 2;
/// Indent of a description below its verb, in columns.
const BELOW_INDENT: usize = 10;

/// Returns the width of the help pages on a terminal with this many columns. Returns [`MAX_WIDTH`] if the number is
/// unknown.
pub(super) fn page_width(columns: Option<usize>) -> usize {
    columns.map_or(MAX_WIDTH, |columns| columns.min(MAX_WIDTH))
}

/// Replaces clap's list of verbs on the first page with the groups. Call this function after all verbs of the tree have
/// been built.
pub(super) fn group_verbs(mut tree: Command, width: usize) -> Command {
    let usage = tree.render_usage().ansi().to_string();
    let usage = usage.split_once(' ').map_or_else(String::new, |(_, usage)| usage.to_owned());
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{{all-args}}{{after-help}}",
        render_groups(&tree, width)
    );
    // Hiding the verbs removes clap's own list of verbs. Hiding would also change the usage line, so the line is set
    // here.
    tree.override_usage(StyledStr::from(usage)).help_template(template).mut_subcommands(|verb| verb.hide(true))
}

/// Renders a section for each group that has visible verbs.
fn render_groups(tree: &Command, width: usize) -> String {
    let (header, literal) = (tree.get_styles().get_header(), tree.get_styles().get_literal());
    let names = VERB_GROUPS.iter().flat_map(|group| group.verbs).filter(|name| visible_verb(tree, name).is_some());
    let name_width = names.map(|name| name.len()).max().unwrap_or(0);
    let beside_indent = GAP + name_width + GAP;
    let indent = if width < beside_indent + MIN_ABOUT_WIDTH { BELOW_INDENT } else { beside_indent };
    let mut sections = String::new();
    for group in &VERB_GROUPS {
        let verbs: Vec<&Command> = group.verbs.iter().filter_map(|name| visible_verb(tree, name)).collect();
        if verbs.is_empty() {
            continue;
        }
        let _ = writeln!(sections, "{header}{}:{header:#}", group.title);
        for verb in verbs {
            let (name, about) = (verb.get_name(), verb.get_about().map(ToString::to_string).unwrap_or_default());
            let description = wrap_words(&about, width.saturating_sub(indent)).join(&format!("\n{:indent$}", ""));
            let separator = if indent == beside_indent {
                " ".repeat(beside_indent - GAP - name.len())
            } else {
                format!("\n{:indent$}", "")
            };
            let _ = writeln!(sections, "{:GAP$}{literal}{name}{literal:#}{separator}{description}", "");
        }
        sections.push('\n');
    }
    sections
}

/// Returns the verb with this name; `None` if the verb is hidden or does not exist.
fn visible_verb<'t>(tree: &'t Command, name: &str) -> Option<&'t Command> {
    tree.find_subcommand(name).filter(|verb| !verb.is_hide_set())
}

#[cfg(test)]
mod tests {
    use super::super::full_tree;
    use super::*;
    use std::collections::BTreeMap;

    /// Renders the first page without styles.
    fn page(width: usize) -> String {
        group_verbs(full_tree(width), width).render_help().to_string()
    }

    #[test]
    fn every_visible_verb_is_in_exactly_one_group() {
        let tree = full_tree(MAX_WIDTH);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        VERB_GROUPS.iter().flat_map(|group| group.verbs).for_each(|name| *counts.entry(name).or_default() += 1);
        let verbs = tree.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name);
        for verb in verbs.filter(|name| *name != "help") {
            assert_eq!(counts.get(verb), Some(&1), "groups of '{verb}'; they stand in src/cli.rs");
        }
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }

    #[test]
    fn the_first_page_fits_its_width_and_lists_verbs_only_in_groups() {
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

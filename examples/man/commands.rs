//! One manual page per verb, from the command tree.
//!
//! The text below the options of a help page becomes sections of its own; lines to paste stay lines.

use super::environment;
use super::roff::Page;
use clap::Command;
use clap_mangen::Man;
use std::collections::BTreeMap;

/// Returns the pages of neto and of all visible verbs.
pub(crate) fn pages() -> BTreeMap<String, String> {
    let mut tree = neto::internals::command_tree().disable_help_subcommand(true);
    tree.build();
    let mut pages = BTreeMap::new();
    add(&tree, None, &mut pages);
    pages
}

fn add(command: &Command, parent: Option<&Command>, pages: &mut BTreeMap<String, String>) {
    pages.insert(format!("{}.1", name(command)), page(command, parent));
    for verb in visible_verbs(command) {
        add(verb, Some(command), pages);
    }
}

/// Returns the visible verbs below a command.
fn visible_verbs(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

/// Returns the name of a page: `neto-profile-add`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, parent: Option<&Command>) -> String {
    let usage = command.clone().render_usage().to_string();
    // `--help` shows the same synopsis, with the flags that exclude each other.
    let shown = command.clone().override_usage(usage.trim_start_matches("Usage: ").to_owned());
    let man = Man::new(shown.long_about(description(command)));
    let mut page = Page::new(name(command), 1);
    let mut part = |render: fn(&Man, &mut dyn std::io::Write) -> std::io::Result<()>| {
        let mut roff = Vec::new();
        render(&man, &mut roff).unwrap();
        page.part(&roff);
    };
    part(Man::render_name_section);
    part(Man::render_synopsis_section);
    part(Man::render_description_section);
    part(Man::render_options_section);
    commands(command, &mut page);
    after_help(command, &mut page);
    if parent.is_none() {
        environment::describe(&mut page);
    }
    page.see_also(&related(command, parent));
    page.finish()
}

/// Returns the long description without its first sentence, which NAME already has, if there is more text.
fn description(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let rest = long.strip_prefix(&about).map(str::trim_start).filter(|rest| !rest.is_empty());
    rest.unwrap_or(&about).to_owned()
}

fn commands(command: &Command, page: &mut Page) {
    let mut verbs = visible_verbs(command).peekable();
    if verbs.peek().is_some() {
        page.section("Commands");
    }
    for verb in verbs {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        page.term(&format!("`{}`(1)", name(verb)), &about);
    }
}

/// Adds the text below the options: blocks that start with `Heading:`, with indented lines to paste.
fn after_help(command: &Command, page: &mut Page) {
    let text = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string).unwrap_or_default();
    for block in text.split("\n\n") {
        let (heading, rest) = split_heading(block);
        if let Some(heading) = heading {
            page.section(heading);
        }
        let lines: Vec<&str> = rest.lines().filter(|line| !line.is_empty()).collect();
        for run in lines.chunk_by(|one, other| one.starts_with(' ') == other.starts_with(' ')) {
            if run[0].starts_with(' ') {
                let lines: Vec<&str> = run.iter().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
                page.verbatim(&lines);
            } else {
                page.paragraph(&run.join(" "));
            }
        }
    }
}

/// Splits off the words before the first colon if they are a heading.
fn split_heading(block: &str) -> (Option<&str>, &str) {
    match block.split_once(':') {
        Some((heading, rest)) if heading.starts_with(char::is_uppercase) && heading.split(' ').count() <= 3 => {
            (Some(heading), rest.trim_start_matches(' '))
        }
        _ => (None, block),
    }
}

/// Returns the related pages: the parent command, the verbs below, and `neto-profiles(5)`.
fn related(command: &Command, parent: Option<&Command>) -> Vec<String> {
    let root = neto::internals::command_tree();
    let above = parent.into_iter().chain(Some(&root)).map(name).filter(|above| *above != name(command));
    let mut names: Vec<String> = above.map(|name| format!("{name}(1)")).collect();
    names.dedup();
    names.extend(visible_verbs(command).map(|verb| format!("{}(1)", name(verb))));
    names.push("neto-profiles(5)".to_owned());
    names
}

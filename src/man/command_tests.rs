//! A page a verb, from the command tree. What a help page says below its options stands in sections of its own, and
//! lines to paste stay lines.

use super::roff::Page;
use super::surroundings;
use crate::cli::Cli;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use std::collections::BTreeMap;

/// The pages of all verbs that are not hidden, and of neto itself.
pub(super) fn pages() -> BTreeMap<String, String> {
    let mut tree = Cli::command().disable_help_subcommand(true);
    tree.build();
    let mut pages = BTreeMap::new();
    add(&tree, None, &mut pages);
    pages
}

fn add(command: &Command, parent: Option<&Command>, pages: &mut BTreeMap<String, String>) {
    pages.insert(format!("{}.1", name(command)), page(command, parent));
    for verb in shown(command) {
        add(verb, Some(command), pages);
    }
}

/// The verbs below, without those that nobody types.
fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|verb| !verb.is_hide_set())
}

/// As the page is called: `neto-profile-add`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page(command: &Command, parent: Option<&Command>) -> String {
    let usage = command.clone().render_usage().to_string();
    // The synopsis is what `--help` shows, which tells what goes together.
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
    below(command, &mut page);
    if parent.is_none() {
        surroundings::describe(&mut page);
    }
    page.see_also(&related(command, parent));
    page.finish()
}

/// What is said at length, without the sentence that stands in NAME already, if there is more.
fn description(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let rest = long.strip_prefix(&about).map(str::trim_start).filter(|rest| !rest.is_empty());
    rest.unwrap_or(&about).to_owned()
}

fn commands(command: &Command, page: &mut Page) {
    let mut verbs = shown(command).peekable();
    if verbs.peek().is_some() {
        page.section("Commands");
    }
    for verb in verbs {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        page.term(&format!("`{}`(1)", name(verb)), &about);
    }
}

/// What stands below the options: blocks that start with `Heading:`, with lines to paste indented.
fn below(command: &Command, page: &mut Page) {
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

/// The words before the first colon, where they are a heading.
fn split_heading(block: &str) -> (Option<&str>, &str) {
    match block.split_once(':') {
        Some((heading, rest)) if heading.starts_with(char::is_uppercase) && heading.split(' ').count() <= 3 => {
            (Some(heading), rest.trim_start_matches(' '))
        }
        _ => (None, block),
    }
}

/// The page above, those below, and those that each is to be read with.
fn related(command: &Command, parent: Option<&Command>) -> Vec<String> {
    let root = Cli::command();
    let above = parent.into_iter().chain(Some(&root)).map(name).filter(|above| *above != name(command));
    let mut names: Vec<String> = above.map(|name| format!("{name}(1)")).collect();
    names.dedup();
    names.extend(shown(command).map(|verb| format!("{}(1)", name(verb))));
    names.push("neto-profiles(5)".to_owned());
    names
}

//! `neto discover`: compares a reseller's accounts with the profiles of the store.
//!
//! `tree` fetches the accounts, `compare` compares them, and `add` adds profiles. `parents` stores the last known
//! parent of each account.

mod add;
mod compare;
mod parents;
mod tree;

use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{Format, render_rows, sanitize_line, truncate_chars};
use crate::profile::Profile;
use crate::workflow::{JobsArgs, Run, TerminalReporter, record_first_seen_profiles};
use clap::Args;
use compare::{AccountState, DiscoverRow};
use parents::Parents;
use tree::Tree;

/// Returns the hint for an API key without permission to list accounts.
fn forbidden_hint() -> Hint {
    Hint::command("neto discover PROFILE").remark("with a reseller's profile, whose key may list accounts")
}

/// Maximum number of characters that a message shows of a shortname from the server.
const MAX_SHORTNAME_CHARS: usize = 40;

/// Hold a reseller's accounts against the store
///
/// Asks the reseller's server for its accounts and tells what does not fit: missing, an account without a profile here;
/// orphaned, a profile of the same API whose account the reseller does not have; moved, an account with another
/// parent than this machine saw last. A move is shown once. Accounts that match are only in the JSON output.
///
/// One answer holds at most 1,000 accounts. Where some are not in it, each reseller below is asked with its own profile,
/// if there is one; as long as any account is unknown, neto says so and calls no profile orphaned.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto discover msp
  neto discover msp --check            exit 9 when something does not fit
  neto discover msp --add --tag new    then, for each: neto profile set-secret
  neto discover msp -o json | jq -r '.[] | select(.trial) | .shortname'")]
pub(crate) struct DiscoverArgs {
    /// The reseller's profile; without it the chosen one
    #[arg(value_name = "PROFILE")]
    name: Option<String>,
    /// Add a profile, still without a secret, for each account that has none
    #[arg(long, conflicts_with = "check")]
    add: bool,
    /// With --add: a label for the new profiles (repeatable) [default: discovered]
    #[arg(long = "tag", value_name = "TAG", requires = "add")]
    tags: Vec<String>,
    /// Exit 9 when something is missing, orphaned or moved
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    jobs: JobsArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Prints the accounts and profiles that do not match. The JSON output also contains those that match. With `--add`,
/// adds the missing profiles.
///
/// # Errors
/// Returns [`Code::ProblemFound`] (exit 9) with `--check` if something does not match.
pub(crate) fn run(args: &DiscoverArgs, run: &Run<'_>) -> Result<(), Error> {
    let resolved = run.context.resolve_profile(args.name.as_deref())?;
    let reseller = &resolved.profile;
    let profiles = profiles_of_api(run, reseller)?;
    let reporter = TerminalReporter(run.ui);
    let tree = Tree::fetch(run, &reporter, resolved.loaded_profile(), &profiles, args.jobs.jobs);
    record_first_seen_profiles(run, &reporter);
    let tree = tree?;
    let gaps = tree.gaps();
    if !gaps.is_empty() {
        run.ui.warn(&format!("not all accounts are known, so no profile is called orphaned:\n{}", gaps.join("\n")));
    }
    let parents = Parents::load(run);
    let rows = compare::rows(&tree, reseller, &profiles, &parents, gaps.is_empty());
    show(args, run, &rows)?;
    parents::save_tree(run, &reseller.url, &tree);
    if args.add {
        let missing = rows.iter().filter(|row| row.state == AccountState::Missing).map(|row| row.shortname);
        return add::run(run, reseller, &missing.collect::<Vec<_>>(), &args.tags);
    }
    if args.check { check(&rows, reseller) } else { Ok(()) }
}

/// Returns the profiles that have a shortname and use the reseller's API. The result contains `env` only if the
/// reseller's profile is `env`. Warns about an invalid profile, because its tenant is unknown.
fn profiles_of_api<'a>(run: &Run<'a>, reseller: &'a Profile) -> Result<Vec<&'a Profile>, Error> {
    let mut profiles = Vec::new();
    for entry in &run.context.store()?.profiles {
        match run.context.valid_profile(entry) {
            Ok(profile) => profiles.push(profile),
            Err(error) => run.ui.warn(&error.to_string()),
        }
    }
    if reseller.name.is_env() {
        profiles.push(reseller);
    }
    profiles.retain(|profile| profile.url == reseller.url && profile.shortname.is_some());
    Ok(profiles)
}

fn show(args: &DiscoverArgs, run: &Run<'_>, rows: &[DiscoverRow<'_>]) -> Result<(), Error> {
    let matched = rows.iter().filter(|row| row.state == AccountState::Matched).count();
    // Matched rows come last.
    let printed = if args.output == Format::Json { rows } else { &rows[..rows.len() - matched] };
    run.ui.print(&render_rows(printed, args.output, &run.ui.render_options()))?;
    if args.output == Format::Table {
        run.ui.note(&format!("{} matched", pluralize(matched, "profile")));
    }
    Ok(())
}

fn check(rows: &[DiscoverRow<'_>], reseller: &Profile) -> Result<(), Error> {
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let (missing, orphaned, moved) =
        (count(AccountState::Missing), count(AccountState::Orphaned), count(AccountState::Moved));
    if missing + orphaned + moved == 0 {
        return Ok(());
    }
    let error = Error::new(Code::ProblemFound, format!("{missing} missing, {orphaned} orphaned, {moved} moved"));
    let error = error.about(&reseller.name);
    Err(match (missing, orphaned) {
        (1.., _) => error.with_hint(Hint::command(format!("neto discover {} --add", reseller.name))),
        (0, 1..) => {
            error.with_hint(Hint::command("neto profile remove PROFILE").remark("where the tenant is gone for good"))
        }
        _ => error,
    })
}

/// Sanitizes and truncates a server's shortname for a message.
fn display_shortname(shortname: &str) -> String {
    truncate_chars(&sanitize_line(shortname), MAX_SHORTNAME_CHARS).into_owned()
}

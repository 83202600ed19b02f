//! `neto discover`: a reseller's accounts held against the store.
//!
//! What the server tells is in `tree`, how it compares in `compare`, where each account was last seen in `parents`, and
//! the profiles to be in `add`.

mod add;
mod compare;
mod parents;
mod tree;

use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::{Format, clean, render, shorten};
use crate::profile::Profile;
use crate::workflow::{JobsArgs, Run, Watch, remember};
use clap::Args;
use compare::{DiscoverRow, State};
use parents::Parents;
use tree::Tree;

/// What to do where the key may not list accounts.
const FORBIDDEN: &str = "neto discover PROFILE    with a reseller's profile, whose key may list accounts";

/// The most characters of a server's shortname that are shown in a sentence.
const MOST_CHARACTERS: usize = 40;

/// Hold a reseller's accounts against the store
///
/// Asks the reseller's server for its accounts and tells what does not fit: missing, an account without a profile here;
/// orphaned, a profile of the same API whose account the reseller does not have; moved, an account whose parent is not
/// the one that this machine last saw. A move is told once. What fits (matched) is in the JSON alone.
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

/// Shows what does not fit; adds what is missing where that is wanted.
pub(crate) fn run(args: &DiscoverArgs, run: &Run<'_>) -> Result<(), Error> {
    let chosen = run.context.chosen(args.name.as_deref())?;
    let reseller = &chosen.profile;
    let profiles = of_api(run, reseller)?;
    let watch = Watch(run.ui);
    let tree = Tree::ask(run, &watch, chosen.declared(), &profiles, args.jobs.jobs);
    remember(run, &watch);
    let tree = tree?;
    let gaps = tree.gaps();
    if !gaps.is_empty() {
        run.ui.warn(&format!("not all accounts are known, so no profile is called orphaned:\n{}", gaps.join("\n")));
    }
    let parents = Parents::load(run);
    let rows = compare::rows(&tree, reseller, &profiles, &parents, gaps.is_empty());
    show(args, run, &rows)?;
    parents::learn(run, &reseller.url, &tree);
    if args.add {
        let missing = rows.iter().filter(|row| row.state == State::Missing).map(|row| row.shortname);
        return add::run(run, reseller, &missing.collect::<Vec<_>>(), &args.tags);
    }
    if args.check { check(&rows, reseller) } else { Ok(()) }
}

/// The profiles of tenants at the reseller's API: those of the store, and the reseller's own where it lies elsewhere. A
/// faulty one is warned of, since what it stands for is not known.
fn of_api<'a>(run: &Run<'a>, reseller: &'a Profile) -> Result<Vec<&'a Profile>, Error> {
    let mut profiles = Vec::new();
    for entry in &run.context.store()?.profiles {
        match run.context.sound(entry) {
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
    let fitting = rows.iter().filter(|row| row.state == State::Matched).count();
    // They come last.
    let shown = if args.output == Format::Json { rows } else { &rows[..rows.len() - fitting] };
    run.ui.answer(&render(shown, args.output, &run.ui.look()))?;
    if args.output == Format::Table {
        run.ui.note(&format!("{} matched", count(fitting, "profile")));
    }
    Ok(())
}

fn check(rows: &[DiscoverRow<'_>], reseller: &Profile) -> Result<(), Error> {
    let of = |state| rows.iter().filter(|row| row.state == state).count();
    let (missing, orphaned, moved) = (of(State::Missing), of(State::Orphaned), of(State::Moved));
    if missing + orphaned + moved == 0 {
        return Ok(());
    }
    let error = Error::new(Code::Found, format!("{missing} missing, {orphaned} orphaned, {moved} moved"));
    let error = error.about(&reseller.name);
    Err(match (missing, orphaned) {
        (1.., _) => error.with_hint(format!("neto discover {} --add", reseller.name)),
        (0, 1..) => error.with_hint("neto profile remove PROFILE    where the tenant is gone for good"),
        _ => error,
    })
}

/// A server's shortname as part of a sentence.
fn shown(shortname: &str) -> String {
    shorten(&clean(shortname), MOST_CHARACTERS).into_owned()
}

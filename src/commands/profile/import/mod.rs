//! `neto profile import`: the credentials of many tenants from one file, all or none of them.
//!
//! Where they come from is in `source`, what becomes of each in `plan`, and what that changes in `edits`.

mod edits;
mod plan;
mod source;

use super::add;
use crate::commands::init;
use crate::commands::profile::settings_args::ShapeArgs;
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::{Align, Cell, Column, Format, Narrow, Row, quoted, render};
use crate::profile::{ApiUrl, Defaults, Document, Store};
use crate::secret::Account;
use crate::secret::import::Entry;
use crate::workflow::{Run, Watch, locked_edit, sealing};
use clap::Args;
use plan::{Plan, Planned};
use serde::Serialize;
use std::collections::BTreeSet;

/// Add many profiles at once, from a file with their credentials
///
/// Takes lines of NETOSECRETs; a .env file, or a script with the credential in constants; JSON; CSV with a header
/// line. Which of them it is, is seen from the text. All are added in one change, or none.
#[derive(Debug, Args)]
#[command(after_help = "\
Forms:
  NETOSECRETs         one a line; blank lines and those that start with # are skipped
  .env, scripts       NETOSECRET=..., ACME_NETOSECRET=..., or the fields: APPNAME, APPKEY,
                      SHORTNAME, SHARED_SECRET, URL; also with a prefix: ACME_APPKEY,
                      NETO__API__APP_KEY
  JSON                an object with the fields, a list of them, objects by name, or NETOSECRETs
  CSV                 name,shortname,appname,appkey,sharedsecret,url,tags in any order; name,
                      url and tags (with ; between them) may be left out, and netosecret may
                      stand for the rest

Examples:
  neto profile import tenants.csv --dry-run
  neto profile import tenants.csv --tag prod --name '{shortname}-{appname}'
  pass show tenants | neto profile import - --existing skip")]
pub(crate) struct ImportArgs {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// A label for all of them (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// What to call them, whatever the file says: '{shortname}-{appname}'; without it, as the file says, else the
    /// shortname
    #[arg(long, value_name = "TEMPLATE")]
    name: Option<String>,
    /// What to do where a profile of that name is there already
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    existing: Existing,
    /// Seal to this recipient alone (repeatable); otherwise to all of the store
    #[arg(long = "recipient", value_name = "RECIPIENT")]
    recipients: Vec<String>,
    /// Show what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// How to print what would happen
    #[arg(short, long, value_enum, requires = "dry_run")]
    output: Option<Format>,
}

/// What becomes of a profile that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Existing {
    /// Import nothing at all
    #[default]
    Fail,
    /// Leave it as it is
    Skip,
    /// Give it the new credential, and drop its token
    Replace,
}

/// What becomes of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Add,
    Replace,
    Skip,
}

#[derive(Serialize)]
struct ImportRow {
    profile: String,
    shortname: Option<String>,
    appname: Option<String>,
    username: Option<String>,
    url: String,
    tags: Vec<String>,
    what: What,
}

impl Row for ImportRow {
    const FIELDS: &'static [&'static str] = &["profile", "shortname", "appname", "username", "url", "tags", "what"];

    fn columns() -> Vec<Column> {
        let column = |title, narrow| Column { title, align: Align::Left, narrow };
        vec![
            column("PROFILE", Narrow::Keep),
            column("TENANT", Narrow::CutOrDrop),
            column("KEY", Narrow::CutOrDrop),
            column("URL", Narrow::CutOrDrop),
            column("TAGS", Narrow::CutOrDrop),
            column("WHAT", Narrow::Keep),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let text = |text: &Option<String>| Cell::plain(text.as_deref().unwrap_or_default());
        vec![
            Cell::plain(&self.profile),
            text(&self.shortname),
            text(if self.username.is_some() { &self.username } else { &self.appname }),
            Cell::plain(&self.url),
            Cell::plain(self.tags.join(", ")),
            Cell::plain(self.what.word()),
        ]
    }
}

/// Imports all of a file, or shows what would happen.
pub(crate) fn run(args: &ImportArgs, run: &Run<'_>) -> Result<(), Error> {
    check_template(args.name.as_deref())?;
    // A store that was named and is not there is a mistyped path; only `neto init` makes such a one.
    let first = !run.context.paths.named_store && !run.context.paths.store.exists();
    let empty =
        Store { defaults: Defaults { url: ApiUrl::STANDARD.parse().ok(), ..Defaults::default() }, ..Store::default() };
    let today = if first { &empty } else { run.context.store()? };
    if !first {
        args.shape().check_recipients(today)?;
    }
    let import = source::read(&args.file, run)?;
    // Everything that can be wrong is told before something is made.
    let plan = Plan::of(args, run, today, &import)?;
    plan.warn(run, &import);
    if args.dry_run {
        return show(&plan, args, run, first);
    }
    if first {
        init::prepare(run)?;
        args.shape().check_recipients(run.context.store()?)?;
    }
    let mut planned = Vec::new();
    let document = locked_edit::store(run, |document| {
        planned = Plan::of(args, run, document.store(), &import)?.profiles;
        edits::sealed(args, run, document, &planned)
    })?;
    let (changed, skipped): (Vec<_>, Vec<_>) = planned.iter().partition(|planned| planned.what != What::Skip);
    locked_edit::trust(run, &edits::declared(&document, &planned)?)?;
    for planned in &changed {
        locked_edit::forget_token(run, &Watch(run.ui), &planned.name)?;
    }
    tell(args, run, &document, &changed, skipped.len());
    Ok(())
}

impl ImportArgs {
    fn shape(&self) -> ShapeArgs {
        ShapeArgs { tags: self.tags.clone(), recipients: self.recipients.clone(), ..ShapeArgs::default() }
    }

    /// The line to paste that says a bit more.
    fn again(&self, more: &str) -> String {
        format!("neto profile import {} {more}", quoted(&self.file))
    }

    /// The file's and the flags' tags, each once.
    fn tags_of(&self, entry: &Entry) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in entry.tags.iter().chain(&self.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Skip => "skip",
        }
    }
}

/// A template holds nothing in braces but the two fields.
fn check_template(template: Option<&str>) -> Result<(), Error> {
    let rest = template.unwrap_or_default().replace("{shortname}", "").replace("{appname}", "");
    if rest.contains(['{', '}']) || template == Some("") {
        return Err(Error::new(Code::Usage, "--name takes text with {shortname} and {appname}, and no other braces")
            .with_hint("neto profile import FILE --name '{shortname}-{appname}'"));
    }
    Ok(())
}

/// The table of what would happen, once it is sure that it could.
fn show(plan: &Plan<'_>, args: &ImportArgs, run: &Run<'_>, first: bool) -> Result<(), Error> {
    if !first {
        let file = run.context.store_file();
        let document = file.load_document()?.ok_or_else(|| Error::new(Code::Store, "the store is gone"))?;
        let bare = document.apply(&edits::bare(args, document.store(), &plan.profiles)?)?;
        sealing::keys_of_all(run, bare.store(), &edits::declared(&bare, &plan.profiles)?)?;
    }
    let row = |planned: &Planned<'_>| ImportRow::of(planned, args);
    let rows: Vec<ImportRow> = plan.profiles.iter().map(row).collect();
    run.ui.answer(&render(&rows, args.output.unwrap_or_default(), &run.ui.look()))?;
    run.ui.note("Nothing was changed");
    Ok(())
}

impl ImportRow {
    fn of(planned: &Planned<'_>, args: &ImportArgs) -> Self {
        let (shortname, appname, username) = match planned.entry.account.clone() {
            Account::ApiKey { shortname, appname } => (Some(shortname), Some(appname), None),
            Account::Person { username } => (None, None, Some(username)),
        };
        Self {
            profile: planned.name.to_string(),
            shortname,
            appname,
            username,
            url: planned.url.to_string(),
            tags: args.tags_of(planned.entry),
            what: planned.what,
        }
    }
}

fn tell(args: &ImportArgs, run: &Run<'_>, document: &Document, changed: &[&Planned<'_>], skipped: usize) {
    let replaced = changed.iter().filter(|planned| planned.what == What::Replace).count();
    let mut parts = vec![format!("Added {}", count(changed.len() - replaced, "profile"))];
    if replaced > 0 {
        parts.push(format!("gave {replaced} a new credential"));
    }
    if skipped > 0 {
        parts.push(format!("left {skipped} as {}", if skipped == 1 { "it was" } else { "they were" }));
    }
    run.ui.note(&parts.join(", "));
    let store = document.store();
    let profiles = changed.iter().filter_map(|planned| store.entry(&planned.name)?.profile.as_ref().ok());
    let to: BTreeSet<Vec<&str>> = profiles.map(|profile| add::recipient_names(store, profile)).collect();
    for names in to {
        run.ui.note(&format!("Sealed to {}", names.join(", ")));
    }
    if !source::is_stdin(&args.file) {
        let file = quoted(&args.file);
        let line = if cfg!(target_os = "linux") { format!("shred -u {file}") } else { format!("rm {file}") };
        run.ui.warn(&format!("{} still holds the keys in clear:\n{line}", args.file));
    }
    if !changed.is_empty() {
        run.ui.note("Next: neto login --all");
    }
}

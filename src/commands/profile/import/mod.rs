//! `neto profile import`: imports the credentials of many tenants from one file, all or none.
//!
//! `source` reads the file, `plan` decides the action for each entry, and `edits` builds the store edits.

mod edits;
mod plan;
mod source;

use super::add;
use crate::commands::init;
use crate::commands::profile::settings_args::SettingsArgs;
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::{Cell, Column, Format, Row, Shrink, quote_for_display, render_rows};
use crate::platform;
use crate::profile::{ApiUrl, Defaults, Document, Store};
use crate::secret::Account;
use crate::secret::import::ImportEntry;
use crate::workflow::{Run, TerminalReporter, locked_edit, sealing};
use clap::Args;
use plan::{ImportPlan, PlannedImport};
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
    /// Template for the names: '{shortname}-{appname}' [default: the names in the file, else the shortnames]
    #[arg(long, value_name = "TEMPLATE")]
    name: Option<String>,
    /// Action for a profile that already exists
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

/// Action for a profile that already exists.
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

/// Action for one entry of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum ImportAction {
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
    what: ImportAction,
}

impl Row for ImportRow {
    const FIELDS: &'static [&'static str] = &["profile", "shortname", "appname", "username", "url", "tags", "what"];

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("PROFILE", Shrink::Keep, |row| Cell::plain(&row.profile)),
            Column::left("TENANT", Shrink::CutOrDrop, |row| Cell::optional(row.shortname.as_deref())),
            Column::left("KEY", Shrink::CutOrDrop, |row| {
                Cell::optional(row.username.as_deref().or(row.appname.as_deref()))
            }),
            Column::left("URL", Shrink::CutOrDrop, |row| Cell::plain(&row.url)),
            Column::left("TAGS", Shrink::CutOrDrop, |row| Cell::plain(row.tags.join(", "))),
            Column::left("WHAT", Shrink::Keep, |row| Cell::plain(row.what.as_str())),
        ]
    }
}

/// Imports all entries of a file, or prints the plan for `--dry-run`.
pub(crate) fn run(args: &ImportArgs, run: &Run<'_>) -> Result<(), Error> {
    check_template(args.name.as_deref())?;
    let creates_store = init::creates_store(run);
    let empty_store =
        Store { defaults: Defaults { url: ApiUrl::STANDARD.parse().ok(), ..Defaults::default() }, ..Store::default() };
    let store = if creates_store { &empty_store } else { run.context.store()? };
    if !creates_store {
        args.settings().check_recipients(store)?;
    }
    let import = source::read(&args.file, run)?;
    // Problems with the file are reported before anything is created.
    let plan = ImportPlan::build(args, run, store, &import)?;
    plan.warn(run, &import);
    if args.dry_run {
        return print_plan(&plan, args, run, creates_store);
    }
    if creates_store {
        init::ensure_keys_and_store(run)?;
        args.settings().check_recipients(run.context.store()?)?;
    }
    let mut planned = Vec::new();
    let document = locked_edit::edit_store(run, |document| {
        // The store may have changed since the first plan.
        planned = ImportPlan::build(args, run, document.store(), &import)?.profiles;
        edits::with_secrets(args, run, document, &planned)
    })?;
    let (changed, skipped): (Vec<_>, Vec<_>) = planned.iter().partition(|planned| planned.action != ImportAction::Skip);
    locked_edit::trust_profiles(run, &edits::declared_profiles(&document, &planned)?)?;
    for planned in &changed {
        locked_edit::remove_cached_token(run, &TerminalReporter(run.ui), &planned.name)?;
    }
    report_imported(args, run, &document, &changed, skipped.len());
    Ok(())
}

impl ImportArgs {
    fn settings(&self) -> SettingsArgs {
        SettingsArgs { tags: self.tags.clone(), recipients: self.recipients.clone(), ..SettingsArgs::default() }
    }

    /// Returns the command line of this import, with `arguments` appended.
    fn command_with(&self, arguments: &str) -> String {
        format!("neto profile import {} {arguments}", quote_for_display(&self.file))
    }

    /// Returns the tags of the entry and those of `--tag`, without duplicates.
    fn merged_tags(&self, entry: &ImportEntry) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in entry.tags.iter().chain(&self.tags) {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        tags
    }
}

impl ImportAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Skip => "skip",
        }
    }
}

/// Checks that a name template is not empty, and has no braces except `{shortname}` and `{appname}`.
fn check_template(template: Option<&str>) -> Result<(), Error> {
    let remaining = template.unwrap_or_default().replace("{shortname}", "").replace("{appname}", "");
    if remaining.contains(['{', '}']) || template == Some("") {
        return Err(Error::new(Code::Usage, "--name takes text with {shortname} and {appname}, and no other braces")
            .with_hint(Hint::command("neto profile import FILE --name '{shortname}-{appname}'")));
    }
    Ok(())
}

/// Prints the plan for `--dry-run`. If the store exists, first checks that the edits are valid and that the recipients
/// are trusted.
fn print_plan(plan: &ImportPlan<'_>, args: &ImportArgs, run: &Run<'_>, creates_store: bool) -> Result<(), Error> {
    if !creates_store {
        let file = run.context.store_file();
        let document = file.load_document()?.ok_or_else(|| Error::new(Code::Store, "the store is gone"))?;
        let edited = document.apply(&edits::without_secrets(args, document.store(), &plan.profiles)?)?;
        sealing::trusted_keys_of_all(run, edited.store(), &edits::declared_profiles(&edited, &plan.profiles)?)?;
    }
    let row = |planned: &PlannedImport<'_>| ImportRow::new(planned, args);
    let rows: Vec<ImportRow> = plan.profiles.iter().map(row).collect();
    run.ui.print(&render_rows(&rows, args.output.unwrap_or_default(), &run.ui.render_options()))?;
    run.ui.note("Nothing was changed");
    Ok(())
}

impl ImportRow {
    fn new(planned: &PlannedImport<'_>, args: &ImportArgs) -> Self {
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
            tags: args.merged_tags(planned.entry),
            what: planned.action,
        }
    }
}

fn report_imported(
    args: &ImportArgs,
    run: &Run<'_>,
    document: &Document,
    changed: &[&PlannedImport<'_>],
    skipped: usize,
) {
    let replaced = changed.iter().filter(|planned| planned.action == ImportAction::Replace).count();
    let mut parts = vec![format!("Added {}", pluralize(changed.len() - replaced, "profile"))];
    if replaced > 0 {
        parts.push(format!("gave {replaced} a new credential"));
    }
    if skipped > 0 {
        parts.push(format!("left {skipped} as {}", if skipped == 1 { "it was" } else { "they were" }));
    }
    run.ui.note(&parts.join(", "));
    let store = document.store();
    let profiles = changed.iter().filter_map(|planned| store.entry(&planned.name)?.profile.as_ref().ok());
    let recipient_sets: BTreeSet<Vec<&str>> = profiles.map(|profile| add::recipient_names(store, profile)).collect();
    for names in recipient_sets {
        run.ui.note(&format!("Sealed to {}", names.join(", ")));
    }
    if !source::is_stdin(&args.file) {
        let file = quote_for_display(&args.file);
        let command = format!("{} {file}", platform::delete_command());
        run.ui.warn(&format!("{} still holds the keys in clear:\n{command}", args.file));
    }
    if !changed.is_empty() {
        run.ui.note("Next: neto login --all");
    }
}

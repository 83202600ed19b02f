//! `neto profile edit`: edits profiles or the store's defaults with flags, or one profile in `$EDITOR`.

use crate::commands::profile::settings_args::{self, SettingsArgs};
use crate::disk::{self, Durability, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::output::quote_for_display;
use crate::profile::{Document, Edit, EditError, EditValue, Fault, Profile, ProfileName, Section, Store};
use crate::secret::Prompter;
use crate::workflow::exported_variables::withheld_variables;
use crate::workflow::{Run, SelectArgs, locked_edit, sealing};
use clap::Args;
use std::process::Command;

/// Change profiles, re-encrypting secrets that are bound to what changes
///
/// With flags it changes the selected profiles, or with --defaults what every profile starts from.
/// Without flags it opens the one profile in $EDITOR.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile edit acme --tag prod --description 'Acme Corp'
  neto profile edit --defaults --url https://api.fusion.example/api/v1
  neto profile edit acme")]
pub(crate) struct EditArgs {
    #[command(flatten)]
    select: EditSelectArgs,
    /// Change the defaults of the store instead of profiles
    #[arg(long, conflicts_with_all = ["names", "all"])]
    defaults: bool,
    /// The API's address
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The tenant
    #[arg(long, value_name = "NAME", conflicts_with = "defaults")]
    shortname: Option<String>,
    /// The name of the API key
    #[arg(long, value_name = "NAME", conflicts_with = "defaults")]
    appname: Option<String>,
    /// The person who signs in
    #[arg(long, value_name = "NAME", conflicts_with = "defaults")]
    username: Option<String>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Take this label away (repeatable)
    #[arg(long = "untag", value_name = "TAG", conflicts_with = "defaults")]
    untag: Vec<String>,
    /// Writing calls no longer ask
    #[arg(long, conflicts_with_all = ["protected", "defaults"])]
    no_protected: bool,
    /// Do not ask before the secrets of several profiles are bound to something else
    #[arg(short, long)]
    yes: bool,
}

/// The profiles to change; `--tag` is what they get here.
#[derive(Debug, Args)]
struct EditSelectArgs {
    /// Profiles by name or glob ('acme-*')
    #[arg(value_name = "PROFILE")]
    names: Vec<String>,
    /// Every profile
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// Edits of the store, including the resealing, and the profiles to trust afterwards.
type CheckedEdits = (Vec<Edit>, Vec<Profile>);

/// Edits profiles with flags or in the editor.
pub(crate) fn run(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.has_flags() {
        return edit_with_flags(args, run);
    }
    if args.defaults {
        return Err(Error::new(Code::Usage, "--defaults wants to be told what to change")
            .with_hint(Hint::command("neto profile edit --defaults --url https://api.netography.com/api/v1")));
    }
    edit_in_editor(args, run)
}

impl EditArgs {
    fn has_flags(&self) -> bool {
        let flags = [&self.url, &self.shortname, &self.appname, &self.username];
        flags.iter().any(|flag| flag.is_some())
            || !self.settings.is_empty()
            || !self.untag.is_empty()
            || self.no_protected
    }

    /// Checks whether a flag changes the recipients, or a field that sealed secrets are bound to.
    fn requires_resealing(&self) -> bool {
        let flags = [&self.url, &self.shortname, &self.appname, &self.username];
        flags.iter().any(|flag| flag.is_some()) || self.settings.requires_resealing()
    }

    fn selected_names(&self, run: &Run<'_>) -> Result<Vec<ProfileName>, Error> {
        let select = SelectArgs { names: self.select.names.clone(), all: self.select.all, ..SelectArgs::default() };
        let names: Vec<ProfileName> =
            select.resolve_or_current(run)?.into_iter().map(|selected| selected.name.into_owned()).collect();
        match names.iter().find(|name| name.is_env()) {
            Some(_) => Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; there is nothing to edit")),
            None => Ok(names),
        }
    }

    /// Returns the edits that the flags make to one section; `tags` are the present tags of the section.
    fn edits(&self, run: &Run<'_>, store: &Store, section: &Section, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        if let Some(url) = &self.url {
            let url = settings_args::parse_url(url)?;
            // If the new URL equals the default, the profile's own URL is removed instead.
            let is_default = *section != Section::Defaults && store.defaults.url.as_ref() == Some(&url);
            let set_url = Edit::set(section, &["url"], EditValue::Text(url.to_string()));
            edits.push(if is_default { Edit::unset(section, &["url"]) } else { set_url });
        }
        for (key, value) in [("shortname", &self.shortname), ("appname", &self.appname), ("username", &self.username)] {
            edits.extend(value.as_ref().map(|value| Edit::set(section, &[key], EditValue::Text(value.clone()))));
        }
        if self.untag.is_empty() {
            edits.extend(self.settings.edits(run, section, tags)?);
        } else {
            let remaining_tags: Vec<String> = tags.iter().filter(|tag| !self.untag.contains(tag)).cloned().collect();
            edits.extend(self.settings.edits(run, section, &remaining_tags)?);
            if self.settings.tags.is_empty() {
                let no_tags_left = remaining_tags.is_empty();
                edits.push(if no_tags_left {
                    Edit::unset(section, &["tags"])
                } else {
                    Edit::set(section, &["tags"], EditValue::List(remaining_tags))
                });
            }
        }
        if self.no_protected {
            edits.push(Edit::unset(section, &["protected"]));
        }
        Ok(edits)
    }
}

fn edit_with_flags(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    let names = if args.defaults { Vec::new() } else { args.selected_names(run)? };
    if args.defaults
        && (!args.settings.tags.is_empty() || args.settings.description.is_some() || args.settings.protected)
    {
        return Err(Error::new(Code::Usage, "the defaults have no tags, description or protection"));
    }
    if args.requires_resealing() {
        let is_affected = |name: &ProfileName| args.defaults || names.contains(name);
        let entries = run.context.store()?.profiles.iter().filter(|entry| is_affected(&entry.name));
        let affected: Vec<&Profile> = entries.filter_map(|entry| entry.profile.as_ref().ok()).collect();
        confirm_resealing(args, run, &affected)?;
        run.unlock(affected)?;
    }
    let (mut rebound, mut old_bytes) = (Vec::new(), Vec::new());
    let document_after = locked_edit::edit_store(run, |document| {
        old_bytes = document.bytes().to_vec();
        let mut edits = Vec::new();
        if args.defaults {
            edits.extend(args.edits(run, document.store(), &Section::Defaults, &[])?);
        }
        for name in &names {
            let entry = document.store().entry(name);
            let tags = entry.and_then(|entry| entry.profile.as_ref().ok()).map(|profile| profile.tags.clone());
            edits.extend(args.edits(
                run,
                document.store(),
                &Section::Profile(name.clone()),
                &tags.unwrap_or_default(),
            )?);
        }
        let (edits, changed) = check_edits(run, &(), document, edits, None)?;
        rebound = changed;
        Ok(edits)
    })?;
    if let Some(url) = document_after.store().defaults.url.as_ref().filter(|_| args.defaults && args.url.is_some()) {
        locked_edit::edit_trust_store(run, |trust_store| trust_store.trust_url(url))?;
    }
    if document_after.bytes() == old_bytes {
        run.ui.note("Nothing changed");
        return Ok(());
    }
    let target = if args.defaults { "the defaults".to_owned() } else { pluralize(names.len(), "profile") };
    trust_and_report(run, &rebound, &target)
}

/// Asks for confirmation if `--url` would send the sealed credentials of several profiles to another URL.
fn confirm_resealing(args: &EditArgs, run: &Run<'_>, profiles: &[&Profile]) -> Result<(), Error> {
    let sealed = profiles.iter().filter(|profile| profile.secret.label() == "sealed").count();
    let Some(url) = args.url.as_ref().filter(|_| sealed > 1 && !args.yes) else { return Ok(()) };
    let secrets = pluralize(sealed, "secret");
    run.confirm(
        &format!("Seal {secrets} anew, to be sent to {url} from now on?"),
        Hint::command("neto profile edit ... --yes"),
    )
}

/// Checks the edits, and adds the edits that reseal the affected secrets.
///
/// `lines_above` is the number of store lines above the edited block. Error messages count lines from the start of the
/// block. If `lines_above` is `None`, error messages contain no line number.
///
/// # Errors
/// Returns an error if the edits make a profile invalid, or if a secret cannot be resealed.
fn check_edits(
    run: &Run<'_>,
    prompter: &dyn Prompter,
    document: &Document,
    edits: Vec<Edit>,
    lines_above: Option<usize>,
) -> Result<CheckedEdits, Error> {
    if let Err(EditError::Invalid(Fault { mut position, key, problem })) = document.apply(&edits) {
        position.line = position.line.saturating_sub(lines_above.unwrap_or(position.line));
        let position = if position.line > 0 { format!("{position}: ") } else { String::new() };
        return Err(Error::new(Code::Usage, problem.to_string()).with_prefix(&format!("{position}{key}")));
    }
    let resealing = sealing::with_resealing(run, prompter, document, edits, ProfileName::clone)?.require_complete()?;
    Ok((resealing.edits, resealing.changed))
}

fn trust_and_report(run: &Run<'_>, rebound: &[Profile], target: &str) -> Result<(), Error> {
    locked_edit::trust_profiles(run, rebound)?;
    run.ui.note(&format!("Changed {target}"));
    let sealed = rebound.iter().filter(|profile| profile.secret.label() == "sealed").count();
    if sealed > 0 {
        run.ui.note(&format!("Sealed {} anew, bound to the change", pluralize(sealed, "secret")));
    }
    Ok(())
}

/// Rules for reading the draft after the editor has ended.
const DRAFT_RULES: ReadRules = ReadRules { cap: 1024 * 1024, privacy: Privacy::NotWritable };

fn edit_in_editor(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    let names = args.selected_names(run)?;
    let [name] = &names[..] else {
        return Err(Error::new(Code::Usage, "the editor takes one profile; several are changed by flags")
            .with_hint(Hint::command("neto profile edit 'acme-*' --tag prod")));
    };
    let file = run.context.store_file();
    let document = file.load_document()?.ok_or_else(|| Error::new(Code::Store, "the store is gone"))?;
    let block = document.profile_block(name).ok_or_else(|| {
        Error::new(Code::Store, format!("'{name}' is not written as a table of its own, so it cannot be cut out"))
            .with_hint(Hint::command(format!("$EDITOR {}", quote_for_display(&file.path().to_string_lossy()))))
    })?;
    // A random name keeps two simultaneous editors from sharing a draft.
    let draft = run.context.paths.state.join(format!("edit-{name}-{:08x}.toml", rand::random::<u32>()));
    disk::replace(&draft, block.as_bytes(), Durability::Atomic)?;
    let edited = edit_until_valid(run, name, &document, &block, &draft);
    let Ok(Some(edited)) = edited else {
        disk::remove(&draft)?;
        if edited?.is_none() {
            run.ui.note("Nothing changed");
        }
        return Ok(());
    };
    let result = replace_block(run, name, &block, edited);
    match result {
        // The edited text was valid but was not saved, so the draft is kept for the user.
        Err(_) => run.ui.note(&format!("What you wrote is kept in {}", draft.display())),
        Ok(()) => drop(disk::remove(&draft)?),
    }
    result
}

/// Replaces the text of a profile in the store with the edited text.
fn replace_block(run: &Run<'_>, name: &ProfileName, block: &str, edited: String) -> Result<(), Error> {
    let mut rebound = Vec::new();
    locked_edit::edit_store(run, |current| {
        let edits = vec![Edit::ReplaceBlock { name: name.clone(), old_text: block.to_owned(), new_text: edited }];
        let (mut edits, changed) = check_edits(run, &(), current, edits, None)?;
        let resealing = edits.split_off(1);
        if !resealing.is_empty() {
            // The sealed secret must be part of the new text, so the edits are merged into one block replacement.
            let sealed = current.apply(&edits)?.apply(&resealing)?;
            let sealed_block =
                sealed.profile_block(name).ok_or_else(|| Error::bug("the edited profile has no lines"))?;
            edits = vec![Edit::ReplaceBlock { name: name.clone(), old_text: block.to_owned(), new_text: sealed_block }];
        }
        rebound = changed;
        Ok(edits)
    })?;
    trust_and_report(run, &rebound, &format!("'{name}'"))
}

/// Opens the editor repeatedly until the profile is valid. Returns the edited text, or `None` if it equals the
/// original.
///
/// # Errors
/// Returns an error if the editor fails, the draft cannot be read, or the user declines another attempt.
fn edit_until_valid(
    run: &Run<'_>,
    name: &ProfileName,
    document: &Document,
    block: &str,
    draft: &std::path::Path,
) -> Result<Option<String>, Error> {
    let store_text = String::from_utf8_lossy(document.bytes());
    let lines_above = store_text.find(block).map(|start| store_text[..start].lines().count());
    loop {
        open_editor(run, draft)?;
        let edited = String::from_utf8_lossy(&disk::read(draft, DRAFT_RULES)?).into_owned();
        if edited == block {
            return Ok(None);
        }
        let edit = Edit::ReplaceBlock { name: name.clone(), old_text: block.to_owned(), new_text: edited.clone() };
        match check_edits(run, &run.reporter(), document, vec![edit], lines_above) {
            Ok(_) => return Ok(Some(edited)),
            Err(error) => {
                run.ui.error(error.message(), error.hint().as_deref());
                run.confirm("Edit it again?", Hint::command(format!("neto profile edit {name}")))?;
            }
        }
    }
}

fn open_editor(run: &Run<'_>, draft: &std::path::Path) -> Result<(), Error> {
    let environment = &run.context.process.environment;
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| environment.text(name));
    if editor.is_none() && !run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "EDITOR is not set, and without a terminal no other editor can be used")
            .with_hint(Hint::command("export EDITOR=vi").remark("or change it by flags: neto profile edit --help")));
    }
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // EDITOR may hold a command line ("code --wait"), which only a shell splits as the user intended.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(draft);
    for name in withheld_variables(environment) {
        command.env_remove(name);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::new(Code::System, format!("the editor ended with {status}; nothing changed"))),
        Err(error) => Err(Error::new(Code::System, format!("the editor does not start: {error}"))),
    }
}

//! `neto profile edit`: by flags on one profile, many or the defaults, or one in `$EDITOR`.

use crate::commands::profile::settings_args::{self, ShapeArgs};
use crate::disk::{self, Durability, Privacy, Rules};
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::output::quoted;
use crate::profile::{Document, Edit, EditError, Fault, Profile, ProfileName, Section, Store, Value};
use crate::secret::Asker;
use crate::workflow::exported_variables::keys;
use crate::workflow::{Run, SelectArgs, locked_edit, sealing};
use clap::Args;
use std::process::Command;

/// Change profiles, sealing anew what that unbinds
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
    select: Names,
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
    shape: ShapeArgs,
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
struct Names {
    /// Profiles by name or glob ('acme-*')
    #[arg(value_name = "PROFILE")]
    names: Vec<String>,
    /// Every profile
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// What becomes of the store's text, with the profiles that are bound to something else afterwards.
type Changed = (Vec<Edit>, Vec<Profile>);

/// Changes the store in one piece.
pub(crate) fn run(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.has_flags() {
        return by_flags(args, run);
    }
    if args.defaults {
        return Err(Error::new(Code::Usage, "--defaults wants to be told what to change")
            .with_hint("neto profile edit --defaults --url https://api.netography.com/api/v1"));
    }
    in_editor(args, run)
}

impl EditArgs {
    fn has_flags(&self) -> bool {
        let texts = [&self.url, &self.shortname, &self.appname, &self.username];
        texts.iter().any(|text| text.is_some()) || !self.shape.is_empty() || !self.untag.is_empty() || self.no_protected
    }

    /// Whether a flag changes what a seal binds, or to whom it is sealed.
    fn unbinds(&self) -> bool {
        let texts = [&self.url, &self.shortname, &self.appname, &self.username];
        texts.iter().any(|text| text.is_some()) || self.shape.unbinds()
    }

    fn names(&self, run: &Run<'_>) -> Result<Vec<ProfileName>, Error> {
        let select = SelectArgs { names: self.select.names.clone(), all: self.select.all, ..SelectArgs::default() };
        let names: Vec<ProfileName> =
            select.or_chosen(run)?.into_iter().map(|selected| selected.name.into_owned()).collect();
        match names.iter().find(|name| name.is_env()) {
            Some(_) => Err(Error::new(Code::Usage, "'env' is what NETOSECRET makes; there is nothing to edit")),
            None => Ok(names),
        }
    }

    /// The changes of one section; `tags` are those it has.
    fn edits(&self, run: &Run<'_>, store: &Store, section: &Section, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        if let Some(url) = &self.url {
            let url = settings_args::url(url)?;
            // What equals the default is not written.
            let is_default = *section != Section::Defaults && store.defaults.url.as_ref() == Some(&url);
            let written = Edit::set(section, &["url"], Value::Text(url.to_string()));
            edits.push(if is_default { Edit::unset(section, &["url"]) } else { written });
        }
        for (key, value) in [("shortname", &self.shortname), ("appname", &self.appname), ("username", &self.username)] {
            edits.extend(value.as_ref().map(|value| Edit::set(section, &[key], Value::Text(value.clone()))));
        }
        if self.untag.is_empty() {
            edits.extend(self.shape.edits(run, section, tags)?);
        } else {
            let kept: Vec<String> = tags.iter().filter(|tag| !self.untag.contains(tag)).cloned().collect();
            edits.extend(self.shape.edits(run, section, &kept)?);
            if self.shape.tags.is_empty() {
                let empty = kept.is_empty();
                edits.push(if empty {
                    Edit::unset(section, &["tags"])
                } else {
                    Edit::set(section, &["tags"], Value::List(kept))
                });
            }
        }
        if self.no_protected {
            edits.push(Edit::unset(section, &["protected"]));
        }
        Ok(edits)
    }
}

fn by_flags(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    let names = if args.defaults { Vec::new() } else { args.names(run)? };
    if args.defaults && (!args.shape.tags.is_empty() || args.shape.description.is_some() || args.shape.protected) {
        return Err(Error::new(Code::Usage, "the defaults have no tags, description or protection"));
    }
    if args.unbinds() {
        let concerned = |name: &ProfileName| args.defaults || names.contains(name);
        let entries = run.context.store()?.profiles.iter().filter(|entry| concerned(&entry.name));
        let concerned: Vec<&Profile> = entries.filter_map(|entry| entry.profile.as_ref().ok()).collect();
        ask_to_bind(args, run, &concerned)?;
        run.unlock(concerned)?;
    }
    let (mut bound, mut before) = (Vec::new(), Vec::new());
    let after = locked_edit::store(run, |document| {
        before = document.bytes().to_vec();
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
        let (edits, changed) = checked(run, &(), document, edits, None)?;
        bound = changed;
        Ok(edits)
    })?;
    if let Some(url) = after.store().defaults.url.as_ref().filter(|_| args.defaults && args.url.is_some()) {
        locked_edit::memory(run, |memory| memory.trust_address(url))?;
    }
    if after.bytes() == before {
        run.ui.note("Nothing changed");
        return Ok(());
    }
    let what = if args.defaults { "the defaults".to_owned() } else { count(names.len(), "profile") };
    done(run, &bound, &what)
}

/// A change that sends the credentials of several tenants elsewhere is asked about once.
fn ask_to_bind(args: &EditArgs, run: &Run<'_>, profiles: &[&Profile]) -> Result<(), Error> {
    let sealed = profiles.iter().filter(|profile| profile.secret.word() == "sealed").count();
    let Some(url) = args.url.as_ref().filter(|_| sealed > 1 && !args.yes) else { return Ok(()) };
    let secrets = count(sealed, "secret");
    run.confirm(&format!("Seal {secrets} anew, to be sent to {url} from now on?"), "neto profile edit ... --yes")
}

/// The edits with the re-sealing that they need; refuses those that would leave a profile faulty. Who
/// made them sees the store from behind so many lines on, or nothing of it.
fn checked(
    run: &Run<'_>,
    asker: &dyn Asker,
    document: &Document,
    edits: Vec<Edit>,
    above: Option<usize>,
) -> Result<Changed, Error> {
    if let Err(EditError::Invalid(Fault { mut place, key, problem })) = document.apply(&edits) {
        place.line = place.line.saturating_sub(above.unwrap_or(place.line));
        let place = if place.line > 0 { format!("{place}: ") } else { String::new() };
        return Err(Error::new(Code::Usage, problem.to_string()).about(&format!("{place}{key}")));
    }
    let resealing = sealing::with_resealing(run, asker, document, edits, ProfileName::clone)?.whole()?;
    Ok((resealing.edits, resealing.changed))
}

fn done(run: &Run<'_>, bound: &[Profile], what: &str) -> Result<(), Error> {
    locked_edit::trust(run, bound)?;
    run.ui.note(&format!("Changed {what}"));
    let sealed = bound.iter().filter(|profile| profile.secret.word() == "sealed").count();
    if sealed > 0 {
        run.ui.note(&format!("Sealed {} anew, bound to the change", count(sealed, "secret")));
    }
    Ok(())
}

/// The most that an edited profile may hold.
const RULES: Rules = Rules { cap: 1024 * 1024, privacy: Privacy::NotWritable };

fn in_editor(args: &EditArgs, run: &Run<'_>) -> Result<(), Error> {
    let names = args.names(run)?;
    let [name] = &names[..] else {
        return Err(Error::new(Code::Usage, "the editor takes one profile; several are changed by flags")
            .with_hint("neto profile edit 'acme-*' --tag prod"));
    };
    let file = run.context.store_file();
    let document = file.load_document()?.ok_or_else(|| Error::new(Code::Store, "the store is gone"))?;
    let block = document.block(name).ok_or_else(|| {
        Error::new(Code::Store, format!("'{name}' is not written as a table of its own, so it cannot be cut out"))
            .with_hint(format!("$EDITOR {}", quoted(&file.path().to_string_lossy())))
    })?;
    // A name of its own, so that two editors at once do not share a draft.
    let draft = run.context.paths.state.join(format!("edit-{name}-{:08x}.toml", rand::random::<u32>()));
    disk::replace(&draft, block.as_bytes(), Durability::Atomic)?;
    let edited = edit_until_it_parses(run, name, &document, &block, &draft);
    let Ok(Some(edited)) = edited else {
        disk::remove(&draft)?;
        if edited?.is_none() {
            run.ui.note("Nothing changed");
        }
        return Ok(());
    };
    let outcome = put_back(run, name, &block, edited);
    match outcome {
        // What was typed is good, so it must not be lost with the draft.
        Err(_) => run.ui.note(&format!("What you wrote is kept in {}", draft.display())),
        Ok(()) => drop(disk::remove(&draft)?),
    }
    outcome
}

/// Puts what became of a profile in the place of what it was.
fn put_back(run: &Run<'_>, name: &ProfileName, block: &str, edited: String) -> Result<(), Error> {
    let mut bound = Vec::new();
    locked_edit::store(run, |current| {
        let edits = vec![Edit::ReplaceBlock { name: name.clone(), was: block.to_owned(), text: edited }];
        let (mut edits, changed) = checked(run, &(), current, edits, None)?;
        let resealing = edits.split_off(1);
        if !resealing.is_empty() {
            // The new seal belongs into the text that comes, not into the one that goes.
            let sealed = current.apply(&edits)?.apply(&resealing)?;
            let text = sealed.block(name).ok_or_else(|| Error::bug("the edited profile has no lines"))?;
            edits = vec![Edit::ReplaceBlock { name: name.clone(), was: block.to_owned(), text }];
        }
        bound = changed;
        Ok(edits)
    })?;
    done(run, &bound, &format!("'{name}'"))
}

/// What the user made of the profile, once it reads; nothing when it is as it was or they give up.
fn edit_until_it_parses(
    run: &Run<'_>,
    name: &ProfileName,
    document: &Document,
    block: &str,
    draft: &std::path::Path,
) -> Result<Option<String>, Error> {
    let text = String::from_utf8_lossy(document.bytes());
    let above = text.find(block).map(|start| text[..start].lines().count());
    loop {
        open_editor(run, draft)?;
        let edited = String::from_utf8_lossy(&disk::read(draft, RULES)?).into_owned();
        if edited == block {
            return Ok(None);
        }
        let edit = Edit::ReplaceBlock { name: name.clone(), was: block.to_owned(), text: edited.clone() };
        match checked(run, &run.watch(), document, vec![edit], above) {
            Ok(_) => return Ok(Some(edited)),
            Err(error) => {
                run.ui.error(error.message(), error.hint());
                let line = format!("neto profile edit {name}");
                run.confirm("Edit it again?", &line)?;
            }
        }
    }
}

fn open_editor(run: &Run<'_>, draft: &std::path::Path) -> Result<(), Error> {
    let environment = &run.context.process.environment;
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| environment.text(name));
    if editor.is_none() && !run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "EDITOR is not set, and without a terminal no other editor can be used")
            .with_hint("export EDITOR=vi    or change it by flags: neto profile edit --help"));
    }
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // An editor is a command line ("code --wait"), which only a shell takes apart as its owner meant it.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(draft);
    for name in keys(environment) {
        command.env_remove(name);
    }
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::new(Code::System, format!("the editor ended with {status}; nothing changed"))),
        Err(error) => Err(Error::new(Code::System, format!("the editor does not start: {error}"))),
    }
}

//! Decides the action for each entry of an import file, and collects all obstacles in one error message.

use super::{Existing, ImportAction, ImportArgs};
use crate::commands::profile::set_secret;
use crate::error::{Code, Error, Hint};
use crate::output::humanize::pluralize;
use crate::profile::{ApiUrl, Profile, ProfileName, Store};
use crate::secret::Account;
use crate::secret::import::{EntryLocation, Import, ImportEntry};
use crate::workflow::{Run, sealing};
use std::collections::BTreeMap;
use std::fmt;

/// Entry of the file, and the profile that the import adds, replaces or skips.
pub(super) struct PlannedImport<'a> {
    pub(super) entry: &'a ImportEntry,
    pub(super) name: ProfileName,
    pub(super) url: ApiUrl,
    pub(super) action: ImportAction,
}

/// Plan for a file: the action for each entry, except repeated entries.
pub(super) struct ImportPlan<'a> {
    pub(super) profiles: Vec<PlannedImport<'a>>,
    /// Entries that repeat an earlier entry, each paired with the earlier entry.
    repeated: Vec<(&'a ImportEntry, &'a ImportEntry)>,
}

/// Maximum number of obstacles to report.
const MAX_OBSTACLES: usize = 10_000;

/// Reasons why an import is refused, and the hint that was suggested first.
#[derive(Default)]
struct Obstacles {
    lines: Vec<String>,
    hint: Option<Hint>,
}

impl Obstacles {
    fn add(&mut self, location: &EntryLocation, problem: &impl fmt::Display) {
        self.lines.push(format!("{location}: {problem}"));
    }

    fn suggest(&mut self, hint: Hint) {
        self.hint.get_or_insert(hint);
    }
}

impl<'a> ImportPlan<'a> {
    /// Derives the profile name of each entry, and chooses the action by comparing the entry with the store.
    ///
    /// # Errors
    /// Returns one error that lists all obstacles, at most [`MAX_OBSTACLES`].
    pub(super) fn build(args: &ImportArgs, run: &Run<'_>, store: &Store, import: &'a Import) -> Result<Self, Error> {
        let mut obstacles = Obstacles::default();
        let mut plan = Self { profiles: Vec::new(), repeated: Vec::new() };
        let existing_profiles: BTreeMap<_, _> =
            store.profiles.iter().map(|entry| (&entry.name, &entry.profile)).collect();
        let mut index_of: BTreeMap<ProfileName, usize> = BTreeMap::new();
        for result in &import.entries {
            if obstacles.lines.len() == MAX_OBSTACLES {
                obstacles.lines.push("and so on; the rest was not looked at".to_owned());
                break;
            }
            let entry = match result {
                Ok(entry) => entry,
                Err(invalid) => {
                    obstacles.add(&invalid.location, &invalid.problem);
                    continue;
                }
            };
            let Some(name) = profile_name(args, entry, &mut obstacles) else { continue };
            let existing = existing_profiles.get(&name).copied();
            let profile_url = existing.and_then(|existing| existing.as_ref().ok()).map(|profile| &profile.url);
            let Some(url) = entry.url.as_ref().or(profile_url).or(store.defaults.url.as_ref()).cloned() else {
                obstacles.add(&entry.location, &"it has no url, and the store has no default one");
                continue;
            };
            if let Some(earlier) = index_of.get(&name).map(|index| &plan.profiles[*index]) {
                if earlier.url == url && earlier.entry.is_same_credential(entry) {
                    plan.repeated.push((entry, earlier.entry));
                } else {
                    obstacles.add(&entry.location, &duplicate_name_message(&name, entry, earlier.entry));
                    obstacles.suggest(Hint::command(args.command_with("--name '{shortname}-{appname}'")));
                }
                continue;
            }
            let action = match existing {
                None => ImportAction::Add,
                Some(_) if args.existing == Existing::Skip => ImportAction::Skip,
                Some(_) if args.existing == Existing::Fail => {
                    obstacles.add(&entry.location, &format!("there is a profile '{name}' already"));
                    obstacles
                        .suggest(Hint::command(args.command_with("--existing skip")).remark("or --existing replace"));
                    ImportAction::Skip
                }
                Some(existing) => {
                    let existing = existing.as_ref().map_err(|fault| run.context.fault_error(&name, fault.clone()));
                    if let Err(error) =
                        existing.map_err(Error::from).and_then(|existing| check_replaceable(run, existing, entry, &url))
                    {
                        let error = error.about(&name);
                        obstacles.add(&entry.location, &error.message());
                        obstacles.hint = obstacles.hint.or(error.into_hint());
                    }
                    ImportAction::Replace
                }
            };
            index_of.insert(name.clone(), plan.profiles.len());
            plan.profiles.push(PlannedImport { entry, name, url, action });
        }
        if obstacles.lines.is_empty() { Ok(plan) } else { Err(obstacles.into()) }
    }

    /// Warns about ignored fields, repeated entries, and tenants with several entries. The import continues.
    pub(super) fn warn(&self, run: &Run<'_>, import: &Import) {
        if !import.ignored.is_empty() {
            run.ui.warn(&format!("there are further fields, which are not kept: {}", import.ignored.join(", ")));
        }
        for (entry, first) in &self.repeated {
            run.ui.warn(&format!(
                "{} is the credential of {} once more; it is taken once",
                entry.location, first.location
            ));
        }
        let mut tenants: BTreeMap<(&ApiUrl, &str), Vec<&PlannedImport<'_>>> = BTreeMap::new();
        for planned in &self.profiles {
            if let Account::ApiKey { shortname, .. } = &planned.entry.account {
                tenants.entry((&planned.url, shortname)).or_default().push(planned);
            }
        }
        for ((_, shortname), keys) in tenants.into_iter().filter(|(_, keys)| keys.len() > 1) {
            let entries = keys.iter().map(|planned| format!("{} ('{}')", planned.entry.location, planned.name));
            let entries = entries.collect::<Vec<_>>().join(", ");
            let is_same_key = keys.windows(2).all(|pair| pair[0].entry.is_same_credential(pair[1].entry));
            let keys_text = if is_same_key { "the same key" } else { "several keys" };
            run.ui.warn(&format!("the tenant '{shortname}' has {keys_text}: {entries}"));
        }
    }
}

impl From<Obstacles> for Error {
    fn from(obstacles: Obstacles) -> Self {
        let places = pluralize(obstacles.lines.len().min(MAX_OBSTACLES), "place");
        let lines = obstacles.lines.join("\n");
        let error = Error::new(Code::Store, format!("nothing was imported, because of {places} in the file:\n{lines}"));
        match obstacles.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// Returns the profile name of an entry. If the entry gives no valid name, adds an obstacle and returns `None`.
fn profile_name(args: &ImportArgs, entry: &ImportEntry, obstacles: &mut Obstacles) -> Option<ProfileName> {
    let name = match (&entry.account, &args.name, &entry.name) {
        (Account::ApiKey { shortname, appname }, Some(template), _) => {
            // The shortname is inserted last, so that braces in the shortname are not expanded.
            let filled: Vec<String> =
                template.split("{shortname}").map(|part| part.replace("{appname}", appname)).collect();
            ProfileName::from_shortname(&filled.join(shortname))
        }
        (_, _, Some(name)) => return Some(name.clone()),
        (Account::ApiKey { shortname, .. }, None, None) => ProfileName::from_shortname(shortname),
        (Account::Person { .. }, _, None) => {
            obstacles.add(&entry.location, &"a person's profile needs a name");
            return None;
        }
    };
    name.map_err(|error| obstacles.add(&entry.location, &format!("its shortname makes no name: {error}"))).ok()
}

/// Describes the conflict of two entries with the same profile name.
fn duplicate_name_message(name: &ProfileName, entry: &ImportEntry, other: &ImportEntry) -> String {
    let tenant_of = |entry: &ImportEntry| match &entry.account {
        Account::ApiKey { shortname, .. } => Some(shortname.clone()),
        Account::Person { .. } => None,
    };
    let shared_tenant = tenant_of(entry).filter(|shortname| tenant_of(other).as_ref() == Some(shortname));
    let key_remark =
        shared_tenant.map(|shortname| format!(", another key of the tenant '{shortname}'")).unwrap_or_default();
    format!("the name '{name}' is also that of {}{key_remark}", other.location)
}

/// Refuses to replace the credential of a profile that has untrusted changes. Also refuses a new credential for another
/// tenant or URL.
fn check_replaceable(run: &Run<'_>, profile: &Profile, entry: &ImportEntry, url: &ApiUrl) -> Result<(), Error> {
    sealing::refuse_changed(run, profile)?;
    set_secret::check_same_tenant(profile, &entry.account, Some(url))
}

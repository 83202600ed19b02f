//! What becomes of each entry of a file in a store; and everything that keeps it from happening, told at once.

use super::{Existing, ImportArgs, What};
use crate::commands::profile::set_secret;
use crate::error::{Code, Error};
use crate::output::humanize::count;
use crate::profile::{ApiUrl, Profile, ProfileName, Store};
use crate::secret::Account;
use crate::secret::import::{Entry, Import, Place};
use crate::workflow::{Run, sealing};
use std::collections::BTreeMap;
use std::fmt;

/// One profile to be, or to stay.
pub(super) struct Planned<'a> {
    pub(super) entry: &'a Entry,
    pub(super) name: ProfileName,
    pub(super) url: ApiUrl,
    pub(super) what: What,
}

/// What becomes of a file's entries in a store.
pub(super) struct Plan<'a> {
    pub(super) profiles: Vec<Planned<'a>>,
    /// Entries that are the credential of another one once more, with that one.
    repeated: Vec<(&'a Entry, &'a Entry)>,
}

/// The most obstacles that are told.
const MOST: usize = 10_000;

/// What keeps an import from happening, and a line that may help.
#[derive(Default)]
struct Obstacles {
    lines: Vec<String>,
    hint: Option<String>,
}

impl Obstacles {
    fn add(&mut self, place: &Place, what: &impl fmt::Display) {
        self.lines.push(format!("{place}: {what}"));
    }

    fn suggest(&mut self, hint: impl Into<String>) {
        self.hint.get_or_insert_with(|| hint.into());
    }
}

impl<'a> Plan<'a> {
    /// Names every entry and looks for it in the store. All that is wrong is told at once.
    pub(super) fn of(args: &ImportArgs, run: &Run<'_>, store: &Store, import: &'a Import) -> Result<Self, Error> {
        let mut obstacles = Obstacles::default();
        let mut plan = Self { profiles: Vec::new(), repeated: Vec::new() };
        let there: BTreeMap<_, _> = store.profiles.iter().map(|entry| (&entry.name, &entry.profile)).collect();
        let mut taken: BTreeMap<ProfileName, usize> = BTreeMap::new();
        for found in &import.found {
            if obstacles.lines.len() == MOST {
                obstacles.lines.push("and so on; the rest was not looked at".to_owned());
                break;
            }
            let entry = match found {
                Ok(entry) => entry,
                Err(wrong) => {
                    obstacles.add(&wrong.place, &wrong.problem);
                    continue;
                }
            };
            let Some(name) = name(args, entry, &mut obstacles) else { continue };
            let known = there.get(&name).copied();
            let own = known.and_then(|known| known.as_ref().ok()).map(|profile| &profile.url);
            let Some(url) = entry.url.as_ref().or(own).or(store.defaults.url.as_ref()).cloned() else {
                obstacles.add(&entry.place, &"it has no url, and the store has no default one");
                continue;
            };
            if let Some(other) = taken.get(&name).map(|at| &plan.profiles[*at]) {
                if other.url == url && other.entry.is_same_credential(entry) {
                    plan.repeated.push((entry, other.entry));
                } else {
                    obstacles.add(&entry.place, &taken_by(&name, entry, other.entry));
                    obstacles.suggest(args.again("--name '{shortname}-{appname}'"));
                }
                continue;
            }
            let what = match known {
                None => What::Add,
                Some(_) if args.existing == Existing::Skip => What::Skip,
                Some(_) if args.existing == Existing::Fail => {
                    obstacles.add(&entry.place, &format!("there is a profile '{name}' already"));
                    obstacles.suggest(args.again("--existing skip    or --existing replace"));
                    What::Skip
                }
                Some(known) => {
                    let known = known.as_ref().map_err(|fault| run.context.fault(&name, fault.clone()));
                    if let Err(error) =
                        known.map_err(Error::from).and_then(|known| replaceable(run, known, entry, &url))
                    {
                        let error = error.about(&name);
                        obstacles.add(&entry.place, &error.message());
                        obstacles.hint = obstacles.hint.or(error.hint().map(str::to_owned));
                    }
                    What::Replace
                }
            };
            taken.insert(name.clone(), plan.profiles.len());
            plan.profiles.push(Planned { entry, name, url, what });
        }
        if obstacles.lines.is_empty() { Ok(plan) } else { Err(obstacles.into()) }
    }

    /// Tells what is odd and no reason to stop.
    pub(super) fn warn(&self, run: &Run<'_>, import: &Import) {
        if !import.ignored.is_empty() {
            run.ui.warn(&format!("there are further fields, which are not kept: {}", import.ignored.join(", ")));
        }
        for (entry, first) in &self.repeated {
            run.ui.warn(&format!("{} is the credential of {} once more; it is taken once", entry.place, first.place));
        }
        let mut tenants: BTreeMap<(&ApiUrl, &str), Vec<&Planned<'_>>> = BTreeMap::new();
        for planned in &self.profiles {
            if let Account::ApiKey { shortname, .. } = &planned.entry.account {
                tenants.entry((&planned.url, shortname)).or_default().push(planned);
            }
        }
        for ((_, shortname), keys) in tenants.into_iter().filter(|(_, keys)| keys.len() > 1) {
            let list = keys.iter().map(|planned| format!("{} ('{}')", planned.entry.place, planned.name));
            let list = list.collect::<Vec<_>>().join(", ");
            let same = keys.windows(2).all(|two| two[0].entry.is_same_credential(two[1].entry));
            let what = if same { "the same key" } else { "several keys" };
            run.ui.warn(&format!("the tenant '{shortname}' has {what}: {list}"));
        }
    }
}

impl From<Obstacles> for Error {
    fn from(obstacles: Obstacles) -> Self {
        let places = count(obstacles.lines.len().min(MOST), "place");
        let lines = obstacles.lines.join("\n");
        let error = Error::new(Code::Store, format!("nothing was imported, because of {places} in the file:\n{lines}"));
        match obstacles.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// What an entry is called.
fn name(args: &ImportArgs, entry: &Entry, obstacles: &mut Obstacles) -> Option<ProfileName> {
    let name = match (&entry.account, &args.name, &entry.name) {
        (Account::ApiKey { shortname, appname }, Some(template), _) => {
            // The tenant's own text is put in last, so that braces in it stay what they are.
            let parts: Vec<String> =
                template.split("{shortname}").map(|part| part.replace("{appname}", appname)).collect();
            ProfileName::from_shortname(&parts.join(shortname))
        }
        (_, _, Some(name)) => return Some(name.clone()),
        (Account::ApiKey { shortname, .. }, None, None) => ProfileName::from_shortname(shortname),
        (Account::Person { .. }, _, None) => {
            obstacles.add(&entry.place, &"a person's profile needs a name");
            return None;
        }
    };
    name.map_err(|error| obstacles.add(&entry.place, &format!("its shortname makes no name: {error}"))).ok()
}

/// Why a name cannot be that of a second entry.
fn taken_by(name: &ProfileName, entry: &Entry, other: &Entry) -> String {
    let tenant = |entry: &Entry| match &entry.account {
        Account::ApiKey { shortname, .. } => Some(shortname.clone()),
        Account::Person { .. } => None,
    };
    let shared = tenant(entry).filter(|shortname| tenant(other).as_ref() == Some(shortname));
    let key = shared.map(|shortname| format!(", another key of the tenant '{shortname}'")).unwrap_or_default();
    format!("the name '{name}' is also that of {}{key}", other.place)
}

/// Refuses to give a profile a credential of another tenant, or to bind it to what somebody else wrote.
fn replaceable(run: &Run<'_>, profile: &Profile, entry: &Entry, url: &ApiUrl) -> Result<(), Error> {
    sealing::refuse_changed(run, profile)?;
    set_secret::same_tenant(profile, &entry.account, Some(url))
}

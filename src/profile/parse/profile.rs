//! Parses one `[profiles.NAME]` table and fills in the defaults.

use super::fault::UnlocatedFault;
use super::settings;
use super::tree::{TomlKind, TomlTable, TomlValue};
use super::value::{self, fault_at};
use super::{ParseContext, StoreProblem};
use crate::profile::{
    ApiUrl, Defaults, Excerpt, PlaintextKey, Profile, ProfileName, SealedNote, SecretLocation, format,
};
use std::sync::Arc;

/// URL while the NETOSECRET that holds the true URL is still plaintext.
const DEFAULT_URL: &str = "https://api.netography.com/api/v1";

/// Keys of a profile, before the defaults are filled in and conflicts are checked.
#[derive(Default)]
struct ProfileDraft {
    settings: Defaults,
    shortname: Option<String>,
    appname: Option<String>,
    username: Option<String>,
    tags: Vec<String>,
    description: Option<String>,
    protected: bool,
    plaintext_keys: Vec<PlaintextKey>,
    secret: Option<SecretLocation>,
    sealed: Option<SealedNote>,
}

/// Parses the profile `name`. The name in the file is at the byte `at`.
pub(super) fn parse_profile(
    name: &ProfileName,
    at: usize,
    value: &TomlValue<'_>,
    context: &ParseContext<'_>,
) -> Result<Profile, UnlocatedFault> {
    let table = value::table(value)?;
    let mut draft = ProfileDraft::default();
    value::for_each_known(table, &format::PROFILE, |key, value| draft.read_key(key, value, context))?;
    draft.plaintext_keys.sort_unstable();
    check_conflicts(table)?;
    draft.into_profile(name, context.defaults).map_err(|key| UnlocatedFault::new(at, StoreProblem::Missing { key }))
}

impl ProfileDraft {
    /// Reads one key. Returns false for an unknown key.
    fn read_key(
        &mut self,
        key: &str,
        value: &TomlValue<'_>,
        context: &ParseContext<'_>,
    ) -> Result<bool, UnlocatedFault> {
        match key {
            "shortname" => self.shortname = Some(value::single_line(value)?),
            "appname" => self.appname = Some(value::single_line(value)?),
            "username" => self.username = Some(value::single_line(value)?),
            "tags" => self.tags = value::owned_texts(value)?,
            "description" => self.description = Some(value::text(value)?.to_owned()),
            "protected" => self.protected = value::flag(value)?,
            "sealed" => self.sealed = Some(parse_sealed_note(value)?),
            "secret" => self.secret = Some(parse_secret(value, context)?),
            _ => return self.read_other_key(key, value, context),
        }
        Ok(true)
    }

    fn read_other_key(
        &mut self,
        key: &str,
        value: &TomlValue<'_>,
        context: &ParseContext<'_>,
    ) -> Result<bool, UnlocatedFault> {
        match PlaintextKey::ALL.into_iter().find(|plaintext| plaintext.key() == key) {
            // Only the key is recorded; the value stays in the text.
            Some(plaintext) => value::text(value).map(|_| self.plaintext_keys.push(plaintext))?,
            None => return settings::parse_setting(&mut self.settings, key, value, context.recipients, context.urls),
        }
        Ok(true)
    }

    /// Returns the profile, or the key that it lacks.
    fn into_profile(self, name: &ProfileName, defaults: &Defaults) -> Result<Profile, &'static str> {
        let settings = settings::fill_from_defaults(self.settings, defaults);
        let has_plaintext_netosecret = self.plaintext_keys.contains(&PlaintextKey::Netosecret);
        let url = match settings.url {
            Some(url) => url,
            None if has_plaintext_netosecret => DEFAULT_URL.parse::<ApiUrl>().map_err(|_| "url")?,
            None => return Err("url"),
        };
        let secret = match (self.plaintext_keys.is_empty(), self.secret) {
            (false, _) => SecretLocation::Plaintext(self.plaintext_keys),
            (true, secret) => secret.unwrap_or(SecretLocation::None),
        };
        if matches!(secret, SecretLocation::Sealed(_)) {
            check_sealed(self.shortname.as_ref(), self.appname.as_ref(), self.username.as_ref(), self.sealed.as_ref())?;
        }
        Ok(Profile {
            name: name.clone(),
            url,
            shortname: self.shortname,
            appname: self.appname,
            username: self.username,
            tags: self.tags,
            description: self.description,
            protected: self.protected,
            leeway: settings.leeway.unwrap_or(Profile::DEFAULT_LEEWAY),
            timeout: settings.timeout.unwrap_or(Profile::DEFAULT_TIMEOUT),
            ca_file: settings.ca_file,
            env: settings.env,
            recipients: settings.recipients,
            secret,
            sealed: self.sealed,
        })
    }
}

/// Checks that the keys to which a sealed secret is bound are declared. Returns the key that is missing.
fn check_sealed(
    shortname: Option<&String>,
    appname: Option<&String>,
    username: Option<&String>,
    sealed: Option<&SealedNote>,
) -> Result<(), &'static str> {
    let missing = match (username, shortname, appname, sealed) {
        (None, None, _, _) => "shortname",
        (None, Some(_), None, _) => "appname",
        (_, _, _, None) => "sealed",
        _ => return Ok(()),
    };
    Err(missing)
}

/// Checks that the profile does not have both a person's keys and those of an API key.
fn check_conflicts(table: &TomlTable<'_>) -> Result<(), UnlocatedFault> {
    let person = format::PERSON_KEYS.into_iter().find_map(|key| Some((key, table.entry(key)?.0.at)));
    let Some((key, at)) = person else { return Ok(()) };
    match format::API_KEY_KEYS.into_iter().find(|key| table.entry(key).is_some()) {
        Some(other) => Err(UnlocatedFault::new(at, StoreProblem::Conflict { other }).under(key)),
        None => Ok(()),
    }
}

fn parse_sealed_note(value: &TomlValue<'_>) -> Result<SealedNote, UnlocatedFault> {
    let (mut id, mut to, mut since) = (None, None, None);
    value::for_each_known(value::table(value)?, &format::SEALED, |key, value| {
        match key {
            "id" => id = Some(value::hex16(value)?),
            "to" => to = Some(value::hex16(value)?),
            "since" => since = Some(value::date(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let missing = |key: &'static str| fault_at(value, StoreProblem::Missing { key });
    Ok(SealedNote {
        id: id.ok_or_else(|| missing("id"))?,
        to: to.ok_or_else(|| missing("to"))?,
        since: since.ok_or_else(|| missing("since"))?,
    })
}

fn parse_secret(value: &TomlValue<'_>, context: &ParseContext<'_>) -> Result<SecretLocation, UnlocatedFault> {
    match &value.kind {
        TomlKind::Text(text) if text.is_empty() => Err(fault_at(value, StoreProblem::Empty)),
        TomlKind::Text(text) => Ok(SecretLocation::Sealed(with_plain_line_ends(text, context.text))),
        TomlKind::Table(table) => parse_source(value, table, context),
        _ => Err(fault_at(value, StoreProblem::Type { expected: "a sealed text or a table that names a source" })),
    }
}

/// Converts CRLF to LF. A file with CRLF has it in multi-line strings too, but the same text was encrypted.
fn with_plain_line_ends(text: &str, source: &Arc<String>) -> Excerpt {
    if text.contains('\r') { text.replace("\r\n", "\n").into() } else { Excerpt::share(source, text) }
}

fn parse_source(
    value: &TomlValue<'_>,
    table: &TomlTable<'_>,
    context: &ParseContext<'_>,
) -> Result<SecretLocation, UnlocatedFault> {
    let mut found = None;
    value::for_each_known(table, &format::SOURCE, |key, value| {
        let location = match key {
            "command" => SecretLocation::Command(parse_command(value)?),
            "file" => SecretLocation::File(context.base_directory.join(value::single_line(value)?)),
            "env" => SecretLocation::Env(value::variable(value)?),
            _ => return Ok(false),
        };
        found = Some(location);
        Ok(true)
    })?;
    found.filter(|_| table.len() == 1).ok_or_else(|| fault_at(value, StoreProblem::Source))
}

/// Parses a program and its arguments.
fn parse_command(value: &TomlValue<'_>) -> Result<Vec<String>, UnlocatedFault> {
    let words = value::owned_texts(value)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(fault_at(value, StoreProblem::Empty));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(fault_at(value, StoreProblem::ControlCharacters));
    }
    Ok(words)
}

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

/// Values of a profile's own keys, before the defaults are filled in.
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

/// Parses the profile `name`. A missing key is reported at `name_offset`, the byte offset of the profile's name.
pub(super) fn parse_profile(
    name: &ProfileName,
    name_offset: usize,
    value: &TomlValue<'_>,
    context: &ParseContext<'_>,
) -> Result<Profile, UnlocatedFault> {
    let table = value::table(value)?;
    let mut draft = ProfileDraft::default();
    value::for_each_known(table, &format::PROFILE, |key, value| draft.read_key(key, value, context))?;
    draft.plaintext_keys.sort_unstable();
    check_conflicts(table)?;
    let profile = draft.into_profile(name, context.defaults);
    profile.map_err(|key| UnlocatedFault::new(name_offset, StoreProblem::Missing { key }))
}

impl ProfileDraft {
    /// Reads the value of one key. Returns false if a profile cannot have this key.
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
            _ => return self.read_plaintext_or_setting(key, value, context),
        }
        Ok(true)
    }

    fn read_plaintext_or_setting(
        &mut self,
        key: &str,
        value: &TomlValue<'_>,
        context: &ParseContext<'_>,
    ) -> Result<bool, UnlocatedFault> {
        match PlaintextKey::ALL.into_iter().find(|plaintext_key| plaintext_key.name() == key) {
            // Only the key is recorded: parsing makes no copy of a secret.
            Some(plaintext_key) => value::text(value).map(|_| self.plaintext_keys.push(plaintext_key))?,
            None => return settings::parse_setting(&mut self.settings, key, value, context.recipients, context.urls),
        }
        Ok(true)
    }

    /// Returns the profile with the defaults filled in, or the name of a required key that is missing.
    fn into_profile(self, name: &ProfileName, defaults: &Defaults) -> Result<Profile, &'static str> {
        let settings = settings::fill_from_defaults(self.settings, defaults);
        let has_plaintext_netosecret = self.plaintext_keys.contains(&PlaintextKey::Netosecret);
        let url = match settings.url {
            Some(url) => url,
            // The NETOSECRET contains the true URL. Until `neto seal` reads the NETOSECRET, the standard URL is a
            // placeholder.
            None if has_plaintext_netosecret => ApiUrl::STANDARD.parse::<ApiUrl>().map_err(|_| "url")?,
            None => return Err("url"),
        };
        let secret = match (self.plaintext_keys.is_empty(), self.secret) {
            (false, _) => SecretLocation::Plaintext(self.plaintext_keys),
            (true, secret) => secret.unwrap_or(SecretLocation::None),
        };
        if matches!(secret, SecretLocation::Sealed(_)) {
            check_keys_of_sealed(
                self.shortname.as_ref(),
                self.appname.as_ref(),
                self.username.as_ref(),
                self.sealed.as_ref(),
            )?;
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

/// Checks that a profile with a sealed secret has all keys that the secret requires.
///
/// # Errors
/// Returns the name of the first missing key.
fn check_keys_of_sealed(
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

/// Checks that the profile does not mix [`format::PERSON_KEYS`] with [`format::API_KEY_KEYS`].
fn check_conflicts(table: &TomlTable<'_>) -> Result<(), UnlocatedFault> {
    let person_key = format::PERSON_KEYS.into_iter().find_map(|key| Some((key, table.entry(key)?.0.offset)));
    let Some((key, offset)) = person_key else { return Ok(()) };
    match format::API_KEY_KEYS.into_iter().find(|key| table.entry(key).is_some()) {
        Some(other) => Err(UnlocatedFault::new(offset, StoreProblem::Conflict { other }).under(key)),
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
        TomlKind::Text(text) => Ok(SecretLocation::Sealed(with_lf_line_endings(text, context.text))),
        TomlKind::Table(table) => parse_source(value, table, context),
        _ => Err(fault_at(value, StoreProblem::Type { expected: "a sealed text or a table that names a source" })),
    }
}

/// Converts CRLF line endings in a sealed secret to LF. An editor that writes CRLF also writes CRLF in multi-line
/// strings, but the sealed text has LF.
fn with_lf_line_endings(text: &str, source: &Arc<String>) -> Excerpt {
    if text.contains('\r') { text.replace("\r\n", "\n").into() } else { Excerpt::share(source, text) }
}

fn parse_source(
    value: &TomlValue<'_>,
    table: &TomlTable<'_>,
    context: &ParseContext<'_>,
) -> Result<SecretLocation, UnlocatedFault> {
    let mut source = None;
    value::for_each_known(table, &format::SOURCE, |key, value| {
        let location = match key {
            "command" => SecretLocation::Command(parse_command(value)?),
            "file" => SecretLocation::File(context.base_directory.join(value::single_line(value)?)),
            "env" => SecretLocation::Env(value::variable_name(value)?),
            _ => return Ok(false),
        };
        source = Some(location);
        Ok(true)
    })?;
    source.filter(|_| table.len() == 1).ok_or_else(|| fault_at(value, StoreProblem::Source))
}

/// Parses a program and its arguments. Rejects an empty program name. Also rejects NUL characters, because a process
/// argument cannot contain a NUL.
fn parse_command(value: &TomlValue<'_>) -> Result<Vec<String>, UnlocatedFault> {
    let command = value::owned_texts(value)?;
    if command.first().is_none_or(String::is_empty) {
        return Err(fault_at(value, StoreProblem::Empty));
    }
    if command.iter().any(|argument| argument.contains('\0')) {
        return Err(fault_at(value, StoreProblem::ControlCharacters));
    }
    Ok(command)
}

//! One `[profiles.NAME]`, with the defaults filled in.

use super::fault::Wrong;
use super::settings;
use super::tree::{Kind, Table, Value};
use super::value::{self, wrong};
use super::{Context, Problem};
use crate::profile::{ApiUrl, ClearKey, Defaults, Excerpt, Profile, ProfileName, SealedNote, SecretPlace, format};
use std::sync::Arc;

/// The API's address while the NETOSECRET that holds the true one still stands in clear.
const USUAL_URL: &str = "https://api.netography.com/api/v1";

/// What a profile says itself, before the defaults and before its keys are held against each other.
#[derive(Default)]
struct Draft {
    settings: Defaults,
    shortname: Option<String>,
    appname: Option<String>,
    username: Option<String>,
    tags: Vec<String>,
    description: Option<String>,
    protected: bool,
    clear: Vec<ClearKey>,
    secret: Option<SecretPlace>,
    sealed: Option<SealedNote>,
}

/// Reads the profile `name`, whose name stands at the byte `at`.
pub(super) fn profile(
    name: &ProfileName,
    at: usize,
    value: &Value<'_>,
    context: &Context<'_>,
) -> Result<Profile, Wrong> {
    let table = value::table(value)?;
    let mut draft = Draft::default();
    value::each_of(table, &format::PROFILE, |key, value| draft.read(key, value, context))?;
    draft.clear.sort_unstable();
    check_conflicts(table)?;
    draft.finish(name, context.defaults).map_err(|key| Wrong::new(at, Problem::Missing { key }))
}

impl Draft {
    /// Reads one key; false for an unknown one.
    fn read(&mut self, key: &str, value: &Value<'_>, context: &Context<'_>) -> Result<bool, Wrong> {
        match key {
            "shortname" => self.shortname = Some(value::word(value)?),
            "appname" => self.appname = Some(value::word(value)?),
            "username" => self.username = Some(value::word(value)?),
            "tags" => self.tags = value::list(value)?,
            "description" => self.description = Some(value::text(value)?.to_owned()),
            "protected" => self.protected = value::flag(value)?,
            "sealed" => self.sealed = Some(sealed_note(value)?),
            "secret" => self.secret = Some(secret(value, context)?),
            _ => return self.read_other(key, value, context),
        }
        Ok(true)
    }

    fn read_other(&mut self, key: &str, value: &Value<'_>, context: &Context<'_>) -> Result<bool, Wrong> {
        match ClearKey::ALL.into_iter().find(|clear| clear.key() == key) {
            // The value stays where it is, in the text.
            Some(clear) => value::text(value).map(|_| self.clear.push(clear))?,
            None => return settings::setting(&mut self.settings, key, value, context.recipients, context.urls),
        }
        Ok(true)
    }

    /// The profile, or the key that it lacks.
    fn finish(self, name: &ProfileName, defaults: &Defaults) -> Result<Profile, &'static str> {
        let settings = settings::fill(self.settings, defaults);
        let clear_netosecret = self.clear.contains(&ClearKey::Netosecret);
        let url = match settings.url {
            Some(url) => url,
            None if clear_netosecret => USUAL_URL.parse::<ApiUrl>().map_err(|_| "url")?,
            None => return Err("url"),
        };
        let secret = match (self.clear.is_empty(), self.secret) {
            (false, _) => SecretPlace::Clear(self.clear),
            (true, secret) => secret.unwrap_or(SecretPlace::None),
        };
        if matches!(secret, SecretPlace::Sealed(_)) {
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
            leeway: settings.leeway.unwrap_or(Profile::USUAL_LEEWAY),
            timeout: settings.timeout.unwrap_or(Profile::USUAL_TIMEOUT),
            ca_file: settings.ca_file,
            env: settings.env,
            recipients: settings.recipients,
            secret,
            sealed: self.sealed,
        })
    }
}

/// What a sealed secret is bound to has to be declared; names the key that is not.
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

/// A person's keys and those of an API key exclude each other.
fn check_conflicts(table: &Table<'_>) -> Result<(), Wrong> {
    let person = format::PERSON.into_iter().find_map(|key| Some((key, table.entry(key)?.0.at)));
    let Some((key, at)) = person else { return Ok(()) };
    match format::API_KEY.into_iter().find(|key| table.entry(key).is_some()) {
        Some(other) => Err(Wrong::new(at, Problem::Conflict { other }).under(key)),
        None => Ok(()),
    }
}

fn sealed_note(value: &Value<'_>) -> Result<SealedNote, Wrong> {
    let (mut id, mut to, mut since) = (None, None, None);
    value::each_of(value::table(value)?, &format::SEALED, |key, value| {
        match key {
            "id" => id = Some(value::hex16(value)?),
            "to" => to = Some(value::hex16(value)?),
            "since" => since = Some(value::date(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let missing = |key: &'static str| wrong(value, Problem::Missing { key });
    Ok(SealedNote {
        id: id.ok_or_else(|| missing("id"))?,
        to: to.ok_or_else(|| missing("to"))?,
        since: since.ok_or_else(|| missing("since"))?,
    })
}

fn secret(value: &Value<'_>, context: &Context<'_>) -> Result<SecretPlace, Wrong> {
    match &value.kind {
        Kind::Text(text) if text.is_empty() => Err(wrong(value, Problem::Empty)),
        Kind::Text(text) => Ok(SecretPlace::Sealed(with_plain_line_ends(text, context.text))),
        Kind::Table(table) => source(value, table, context),
        _ => Err(wrong(value, Problem::Type { wanted: "a sealed text or a table that names a source" })),
    }
}

/// A file with CRLF has it in its multi-line strings too; what is sealed is the same.
fn with_plain_line_ends(text: &str, whole: &Arc<String>) -> Excerpt {
    if text.contains('\r') { text.replace("\r\n", "\n").into() } else { Excerpt::of(whole, text) }
}

fn source(value: &Value<'_>, table: &Table<'_>, context: &Context<'_>) -> Result<SecretPlace, Wrong> {
    let mut found = None;
    value::each_of(table, &format::SOURCE, |key, value| {
        let place = match key {
            "command" => SecretPlace::Command(command(value)?),
            "file" => SecretPlace::File(context.folder.join(value::word(value)?)),
            "env" => SecretPlace::Env(value::variable(value)?),
            _ => return Ok(false),
        };
        found = Some(place);
        Ok(true)
    })?;
    found.filter(|_| table.len() == 1).ok_or_else(|| wrong(value, Problem::Source))
}

/// A program and its arguments.
fn command(value: &Value<'_>) -> Result<Vec<String>, Wrong> {
    let words = value::list(value)?;
    if words.first().is_none_or(String::is_empty) {
        return Err(wrong(value, Problem::Empty));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(wrong(value, Problem::ControlCharacters));
    }
    Ok(words)
}

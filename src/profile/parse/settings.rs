//! The keys that `[defaults]` and every profile take alike.

use super::fault::Wrong;
use super::tree::{Table, Value};
use super::value::{self, wrong};
use super::{Problem, check_env_name};
use crate::profile::{ApiUrl, Defaults, EnvTemplate, NameError, RecipientName, UrlError, format};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// Among more recipients than this the near one is not looked for: every unknown name is held against each of them.
const MOST_COMPARED: usize = 100;

/// The declared recipients: name to public key.
pub(super) type Recipients = BTreeMap<RecipientName, String>;

/// The addresses that were read so far, by how they are written: most profiles have one of a few.
#[derive(Default)]
pub(super) struct Urls(RefCell<HashMap<String, ApiUrl>>);

/// Reads `[defaults]`.
pub(super) fn defaults(table: &Table<'_>, recipients: &Recipients, urls: &Urls) -> Result<Defaults, Wrong> {
    let mut defaults = Defaults::default();
    value::each_of(table, &format::DEFAULTS, |key, value| setting(&mut defaults, key, value, recipients, urls))?;
    Ok(defaults)
}

/// Reads one key into `settings`; false for a key that is none of these.
pub(super) fn setting(
    settings: &mut Defaults,
    key: &str,
    value: &Value<'_>,
    recipients: &Recipients,
    urls: &Urls,
) -> Result<bool, Wrong> {
    match key {
        "url" => settings.url = Some(urls.read(value)?),
        "leeway" => settings.leeway = Some(value::span(value)?),
        "timeout" => settings.timeout = Some(value::span(value)?),
        "ca_file" => settings.ca_file = Some(value::absolute(value)?),
        "env" => settings.env = env(value)?,
        "recipients" => settings.recipients = Some(recipient_names(value, recipients)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// What `own` leaves open, filled from `defaults`.
pub(super) fn fill(own: Defaults, defaults: &Defaults) -> Defaults {
    let mut env = defaults.env.clone();
    env.extend(own.env);
    Defaults {
        url: own.url.or_else(|| defaults.url.clone()),
        leeway: own.leeway.or(defaults.leeway),
        timeout: own.timeout.or(defaults.timeout),
        ca_file: own.ca_file.or_else(|| defaults.ca_file.clone()),
        env,
        recipients: own.recipients.or_else(|| defaults.recipients.clone()),
    }
}

impl Urls {
    fn read(&self, value: &Value<'_>) -> Result<ApiUrl, Wrong> {
        let text = value::text(value)?;
        if let Some(url) = self.0.borrow().get(text) {
            return Ok(url.clone());
        }
        let url: ApiUrl = text.parse().map_err(|error: UrlError| wrong(value, error))?;
        self.0.borrow_mut().insert(text.to_owned(), url.clone());
        Ok(url)
    }
}

fn env(value: &Value<'_>) -> Result<BTreeMap<String, EnvTemplate>, Wrong> {
    let mut env = BTreeMap::new();
    value::each(value::table(value)?, |key, value| {
        check_env_name(&key.text).map_err(|error| Wrong::new(key.at, error))?;
        let text = value::text(value)?;
        // No environment can hold it.
        if text.contains('\0') {
            return Err(wrong(value, Problem::ControlCharacters));
        }
        env.insert(key.text.to_string(), EnvTemplate(text.to_owned()));
        Ok(())
    })?;
    Ok(env)
}

fn recipient_names(value: &Value<'_>, recipients: &Recipients) -> Result<Vec<RecipientName>, Wrong> {
    let texts = value::texts(value)?;
    if texts.is_empty() {
        return Err(wrong(value, Problem::Empty));
    }
    texts
        .into_iter()
        .map(|(item, text)| {
            let name: RecipientName = text.parse().map_err(|error: NameError| wrong(item, error))?;
            if recipients.contains_key(&name) {
                return Ok(name);
            }
            let near = || value::nearest(text, recipients.keys().map(RecipientName::as_str));
            let near = if recipients.len() <= MOST_COMPARED { near() } else { None };
            Err(wrong(item, Problem::UnknownRecipient { near }))
        })
        .collect()
}

//! Parses the keys that `[defaults]` and profiles share.

use super::fault::UnlocatedFault;
use super::tree::{TomlTable, TomlValue};
use super::value::{self, fault_at};
use super::{StoreProblem, check_env_name};
use crate::profile::{ApiUrl, Defaults, EnvTemplate, NameError, RecipientName, UrlError, format};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// Maximum number of declared recipients for which a fault suggests a similar name. With more recipients, comparing an
/// unknown name with all of them would take too long.
const MAX_COMPARED_RECIPIENTS: usize = 100;

/// Declared recipients: name to public key.
pub(super) type Recipients = BTreeMap<RecipientName, String>;

/// Cache of parsed URLs by their text. Saves time, because many profiles have the same URL.
#[derive(Default)]
pub(super) struct UrlCache(RefCell<HashMap<String, ApiUrl>>);

/// Parses `[defaults]`.
pub(super) fn parse_defaults(
    table: &TomlTable<'_>,
    recipients: &Recipients,
    urls: &UrlCache,
) -> Result<Defaults, UnlocatedFault> {
    let mut defaults = Defaults::default();
    value::for_each_known(table, &format::DEFAULTS, |key, value| {
        parse_setting(&mut defaults, key, value, recipients, urls)
    })?;
    Ok(defaults)
}

/// Parses the value of one key into `settings`. Returns false if `key` is not one of the shared keys.
pub(super) fn parse_setting(
    settings: &mut Defaults,
    key: &str,
    value: &TomlValue<'_>,
    recipients: &Recipients,
    urls: &UrlCache,
) -> Result<bool, UnlocatedFault> {
    match key {
        "url" => settings.url = Some(urls.parse(value)?),
        "leeway" => settings.leeway = Some(value::span(value)?),
        "timeout" => settings.timeout = Some(value::span(value)?),
        "ca_file" => settings.ca_file = Some(value::absolute_path(value)?),
        "env" => settings.env = parse_env(value)?,
        "recipients" => settings.recipients = Some(parse_recipient_names(value, recipients)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Returns `own` with missing settings taken from `defaults`. The two `env` tables are combined; if both set the same
/// variable, the value in `own` wins.
pub(super) fn fill_from_defaults(own: Defaults, defaults: &Defaults) -> Defaults {
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

impl UrlCache {
    fn parse(&self, value: &TomlValue<'_>) -> Result<ApiUrl, UnlocatedFault> {
        let text = value::text(value)?;
        if let Some(url) = self.0.borrow().get(text) {
            return Ok(url.clone());
        }
        let url: ApiUrl = text.parse().map_err(|error: UrlError| fault_at(value, error))?;
        self.0.borrow_mut().insert(text.to_owned(), url.clone());
        Ok(url)
    }
}

fn parse_env(value: &TomlValue<'_>) -> Result<BTreeMap<String, EnvTemplate>, UnlocatedFault> {
    let mut env = BTreeMap::new();
    value::for_each_entry(value::table(value)?, |key, value| {
        check_env_name(&key.text).map_err(|error| UnlocatedFault::new(key.offset, error))?;
        let text = value::text(value)?;
        // The value of an environment variable cannot contain a NUL.
        if text.contains('\0') {
            return Err(fault_at(value, StoreProblem::ControlCharacters));
        }
        env.insert(key.text.to_string(), EnvTemplate(text.to_owned()));
        Ok(())
    })?;
    Ok(env)
}

fn parse_recipient_names(value: &TomlValue<'_>, recipients: &Recipients) -> Result<Vec<RecipientName>, UnlocatedFault> {
    let texts = value::texts(value)?;
    if texts.is_empty() {
        return Err(fault_at(value, StoreProblem::Empty));
    }
    texts
        .into_iter()
        .map(|(item, text)| {
            let name: RecipientName = text.parse().map_err(|error: NameError| fault_at(item, error))?;
            if recipients.contains_key(&name) {
                return Ok(name);
            }
            let find_similar = || value::nearest_match(text, recipients.keys().map(RecipientName::as_str));
            let similar = if recipients.len() <= MAX_COMPARED_RECIPIENTS { find_similar() } else { None };
            Err(fault_at(item, StoreProblem::UnknownRecipient { similar }))
        })
        .collect()
}

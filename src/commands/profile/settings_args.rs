//! Flags for the settings of a profile, shared by `profile add` and `profile edit`.

use crate::commands::recipient;
use crate::error::{Code, Error, Hint};
use crate::profile::{ApiUrl, Edit, EditValue, Section, Span, Store, check_env_name};
use crate::workflow::Run;
use clap::Args;
use std::path::{Path, PathBuf};

/// Example command in the hint about an invalid `--env`.
const ENV_EXAMPLE: &str = "neto profile edit acme --env 'API_URL={url}'";

/// Settings of a profile apart from its credential.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SettingsArgs {
    /// A label for selection (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Free text
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Writing calls of `api` and the decoy ask first
    #[arg(long)]
    pub(crate) protected: bool,
    /// How long before its expiry a token counts as stale: 60s, 5m
    #[arg(long, value_name = "TIME")]
    pub(crate) leeway: Option<Span>,
    /// How long one request with its retries may take: 30s
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
    /// A file of extra root certificates (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// A further variable to export (repeatable); {token}, {url}, {shortname}, {appname} and {profile} in
    /// the value are replaced
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub(crate) env: Vec<String>,
    /// Seal to this recipient alone (repeatable); otherwise to all of the store
    #[arg(long = "recipient", value_name = "RECIPIENT")]
    pub(crate) recipients: Vec<String>,
}

impl SettingsArgs {
    /// Checks that no flag was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty()
            && self.description.is_none()
            && !self.protected
            && self.leeway.is_none()
            && self.timeout.is_none()
            && self.ca_file.is_none()
            && self.env.is_empty()
            && self.recipients.is_empty()
    }

    /// Checks whether a flag changes the recipients, or a field that sealed secrets are bound to.
    pub(crate) fn requires_resealing(&self) -> bool {
        self.ca_file.is_some() || !self.recipients.is_empty()
    }

    /// Returns the settings as entries of a new profile, in the order in which the store lists them.
    ///
    /// # Errors
    /// Returns an error if the value of `--ca-file` or `--env` is invalid.
    pub(crate) fn entries(&self, run: &Run<'_>) -> Result<Vec<(String, EditValue)>, Error> {
        let mut entries = Vec::new();
        let mut add = |key: &str, value: Option<EditValue>| entries.extend(value.map(|value| (key.to_owned(), value)));
        add("tags", (!self.tags.is_empty()).then(|| EditValue::List(self.tags.clone())));
        add("description", self.description.clone().map(EditValue::Text));
        add("protected", self.protected.then_some(EditValue::Flag(true)));
        add("leeway", self.leeway.map(|span| EditValue::Text(span.to_string())));
        add("timeout", self.timeout.map(|span| EditValue::Text(span.to_string())));
        add("ca_file", self.ca_file.as_deref().map(|path| ca_file_value(run, path)).transpose()?);
        add("recipients", (!self.recipients.is_empty()).then(|| EditValue::List(self.recipients.clone())));
        let env = self.parse_variables()?;
        add(
            "env",
            (!env.is_empty()).then(|| {
                EditValue::Table(env.into_iter().map(|(name, value)| (name, EditValue::Text(value))).collect())
            }),
        );
        Ok(entries)
    }

    /// Returns the settings as edits of an existing section. New tags are added to the present `tags`.
    pub(crate) fn edits(&self, run: &Run<'_>, section: &Section, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        for (key, value) in self.entries(run)? {
            match (key.as_str(), value) {
                ("tags", EditValue::List(new_tags)) => {
                    let mut merged = tags.to_vec();
                    merged.extend(new_tags.into_iter().filter(|tag| !tags.contains(tag)));
                    edits.push(Edit::set(section, &["tags"], EditValue::List(merged)));
                }
                ("env", EditValue::Table(variables)) => {
                    edits.extend(variables.into_iter().map(|(name, value)| Edit::set(section, &["env", &name], value)));
                }
                // An empty description removes the key.
                ("description", EditValue::Text(text)) if text.is_empty() => {
                    edits.push(Edit::unset(section, &["description"]));
                }
                (key, value) => edits.push(Edit::set(section, &[key], value)),
            }
        }
        Ok(edits)
    }

    /// Refuses a recipient that the store does not declare.
    pub(crate) fn check_recipients(&self, store: &Store) -> Result<(), Error> {
        let is_known = |name: &&String| store.recipients.keys().any(|known| known.as_str() == *name);
        let Some(unknown) = self.recipients.iter().find(|name| !is_known(name)) else { return Ok(()) };
        Err(recipient::unknown_recipient_error(Code::Usage, unknown, store))
    }

    fn parse_variables(&self) -> Result<Vec<(String, String)>, Error> {
        let example = || Hint::command(ENV_EXAMPLE);
        let parse_variable = |text: &String| {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| Error::new(Code::Usage, "--env wants NAME=VALUE").with_hint(example()))?;
            check_env_name(name)
                .map_err(|error| Error::new(Code::Usage, format!("--env: {error}")).with_hint(example()))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        self.env.iter().map(parse_variable).collect()
    }
}

/// Parses the value of `--url`.
pub(crate) fn parse_url(text: &str) -> Result<ApiUrl, Error> {
    text.parse().map_err(|error| {
        Error::new(Code::Usage, format!("--url: {error}"))
            .with_hint(Hint::advice("--url https://api.netography.com/api/v1"))
    })
}

fn ca_file_value(run: &Run<'_>, path: &Path) -> Result<EditValue, Error> {
    let path = run.context.absolute(path);
    let path = path
        .canonicalize()
        .map_err(|_| Error::new(Code::Usage, format!("--ca-file: {} cannot be read", path.display())))?;
    let text = path.to_str().ok_or_else(|| Error::new(Code::Usage, "--ca-file: the path is not UTF-8"))?;
    Ok(EditValue::Text(text.to_owned()))
}

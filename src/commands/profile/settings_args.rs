//! The flags that shape a profile, shared by `profile add` and `profile edit`.

use crate::commands::recipient;
use crate::error::{Code, Error};
use crate::profile::{ApiUrl, Edit, Section, Span, Store, Value, check_env_name};
use crate::workflow::Run;
use clap::Args;
use std::path::{Path, PathBuf};

/// How a variable is told.
const ENV_EXAMPLE: &str = "neto profile edit acme --env 'API_URL={url}'";

/// What a profile has beside its credential.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ShapeArgs {
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

impl ShapeArgs {
    /// Whether no flag was given.
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

    /// Whether a flag changes what a seal binds, or to whom it is sealed.
    pub(crate) fn unbinds(&self) -> bool {
        self.ca_file.is_some() || !self.recipients.is_empty()
    }

    /// The entries of a new profile, in the order that the store shows them.
    pub(crate) fn entries(&self, run: &Run<'_>) -> Result<Vec<(String, Value)>, Error> {
        let mut entries = Vec::new();
        let mut add = |key: &str, value: Option<Value>| entries.extend(value.map(|value| (key.to_owned(), value)));
        add("tags", (!self.tags.is_empty()).then(|| Value::List(self.tags.clone())));
        add("description", self.description.clone().map(Value::Text));
        add("protected", self.protected.then_some(Value::Flag(true)));
        add("leeway", self.leeway.map(|span| Value::Text(span.to_string())));
        add("timeout", self.timeout.map(|span| Value::Text(span.to_string())));
        add("ca_file", self.ca_file.as_deref().map(|path| absolute(run, path)).transpose()?);
        add("recipients", (!self.recipients.is_empty()).then(|| Value::List(self.recipients.clone())));
        let env = self.variables()?;
        add(
            "env",
            (!env.is_empty())
                .then(|| Value::Table(env.into_iter().map(|(name, value)| (name, Value::Text(value))).collect())),
        );
        Ok(entries)
    }

    /// The same as changes of a section that is there; `tags` there already stay.
    pub(crate) fn edits(&self, run: &Run<'_>, section: &Section, tags: &[String]) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        for (key, value) in self.entries(run)? {
            match (key.as_str(), value) {
                ("tags", Value::List(new)) => {
                    let mut all = tags.to_vec();
                    all.extend(new.into_iter().filter(|tag| !tags.contains(tag)));
                    edits.push(Edit::set(section, &["tags"], Value::List(all)));
                }
                ("env", Value::Table(variables)) => {
                    edits.extend(variables.into_iter().map(|(name, value)| Edit::set(section, &["env", &name], value)));
                }
                // An empty text says nothing, so the key goes.
                ("description", Value::Text(text)) if text.is_empty() => {
                    edits.push(Edit::unset(section, &["description"]))
                }
                (key, value) => edits.push(Edit::set(section, &[key], value)),
            }
        }
        Ok(edits)
    }

    /// Refuses a recipient that the store does not declare.
    pub(crate) fn check_recipients(&self, store: &Store) -> Result<(), Error> {
        let known = |told: &&String| store.recipients.keys().any(|name| name.as_str() == *told);
        let Some(stranger) = self.recipients.iter().find(|told| !known(told)) else { return Ok(()) };
        Err(recipient::unknown(Code::Usage, stranger, store))
    }

    fn variables(&self) -> Result<Vec<(String, String)>, Error> {
        let split = |text: &String| {
            let (name, value) = text
                .split_once('=')
                .ok_or_else(|| Error::new(Code::Usage, "--env wants NAME=VALUE").with_hint(ENV_EXAMPLE))?;
            check_env_name(name)
                .map_err(|error| Error::new(Code::Usage, format!("--env: {error}")).with_hint(ENV_EXAMPLE))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        self.env.iter().map(split).collect()
    }
}

/// Reads a url that was typed.
pub(crate) fn url(text: &str) -> Result<ApiUrl, Error> {
    text.parse().map_err(|error| {
        Error::new(Code::Usage, format!("--url: {error}")).with_hint("--url https://api.netography.com/api/v1")
    })
}

fn absolute(run: &Run<'_>, path: &Path) -> Result<Value, Error> {
    let path = run.context.absolute(path);
    let path = path
        .canonicalize()
        .map_err(|_| Error::new(Code::Usage, format!("--ca-file: {} cannot be read", path.display())))?;
    let text = path.to_str().ok_or_else(|| Error::new(Code::Usage, "--ca-file: the path is not UTF-8"))?;
    Ok(Value::Text(text.to_owned()))
}

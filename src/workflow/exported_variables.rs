//! Variables that `export` and `exec` set for shells and programs, and variables that they unset first.

use crate::environment::{Environment, is_withheld};
use crate::error::Error;
use crate::profile::{EnvTemplate, Profile, ProfileName};
use crate::secret::{Account, Credential, NetoSecret};
use crate::session::{AccessToken, LoadedProfile, Login, Session, TokenRequest};
use crate::workflow::shell_state::{
    PROFILE_VARIABLE, SHELL_PREVIOUS_VARIABLE, SHELL_PROFILE_VARIABLE, STORE_VARIABLE, names_to_unset, was_exported,
};
use crate::workflow::{Run, TerminalReporter};
use std::collections::BTreeSet;

/// Variables to set and to unset, and the values that are secret.
pub(crate) struct ExportedVariables {
    /// Names and values to set, in the order of output.
    pub(crate) set: Vec<(String, String)>,
    /// Values in `set` that are secret. No log may show these values.
    pub(crate) secrets: Vec<String>,
    /// Names to unset first.
    pub(crate) unset: Vec<String>,
}

impl ExportedVariables {
    /// Returns the variables of one profile, with its credential if `login` is given.
    pub(crate) fn from_token(run: &Run<'_>, profile: &Profile, token: &AccessToken, login: Option<&Login>) -> Self {
        let mut set: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| set.push((name.to_owned(), value.to_owned()));
        add(PROFILE_VARIABLE, profile.name.as_str());
        add("NETO_URL", &profile.url.to_string());
        if let Some(shortname) = &profile.shortname {
            add("NETO_SHORTNAME", shortname);
        }
        add("NETO_TOKEN", token.token.reveal());
        if let Some(lifetime) = token.lifetime {
            add("NETO_TOKEN_EXPIRES_AT", &lifetime.expires_at.as_second().to_string());
        }
        if let Some(store) = named_store_path(run) {
            add(STORE_VARIABLE, &store);
        }
        let credential = login.map(|login| credential_variables(profile, login)).unwrap_or_default();
        let mut secrets = vec![token.token.reveal().to_owned()];
        for (name, value, is_secret) in &credential {
            add(name, value);
            secrets.extend(is_secret.then(|| value.clone()));
        }
        let template_values = template_values(profile, token, login);
        for (name, template) in &profile.env {
            let value = fill_template(template, &template_values);
            secrets.extend(secrets.iter().any(|secret| value.contains(secret)).then(|| value.clone()));
            set.push((name.clone(), value));
        }
        let mut unset = names_to_unset(&run.context.process.environment);
        if profile.name.is_env() {
            // Keep `NETOSECRET`: the user set it, and this profile is made from it.
            unset.remove("NETOSECRET");
        }
        Self { set, secrets, unset: unset.into_iter().collect() }
    }

    /// Gets the variables of one profile in a batch, with the credential if `with_credential`. Never prompts, so call
    /// [`Run::unlock`] first.
    pub(crate) async fn obtain(
        run: &Run<'_>,
        session: &Session<'_>,
        profile: &Profile,
        request: TokenRequest,
        with_credential: bool,
    ) -> Result<Self, Error> {
        if with_credential {
            session.finish_rotation(profile, request).await?;
        }
        let token = session.obtain(LoadedProfile::new(profile, run.context.store_reading()), request).await?;
        if !with_credential {
            return Ok(Self::from_token(run, profile, &token, None));
        }
        let login = run.context.vault.login_async(profile, &TerminalReporter(run.ui)).await?;
        Ok(Self::from_token(run, profile, &token, Some(&login)))
    }

    /// Returns the names to record in `NETO_EXPORTED`: all names in `set`, except variables that the user set before
    /// the export.
    pub(crate) fn names_to_record(&self, run: &Run<'_>) -> String {
        let is_env =
            self.set.iter().any(|(name, value)| name == PROFILE_VARIABLE && value == ProfileName::env().as_str());
        let users_own = [is_users_own_store(run).then_some(STORE_VARIABLE), is_env.then_some("NETOSECRET")];
        let names = self.set.iter().map(|(name, _)| name.as_str()).filter(|name| !users_own.contains(&Some(*name)));
        names.collect::<Vec<_>>().join(" ")
    }
}

/// Returns the names that a child process must not inherit. These include the shell's profile records, because a shell
/// that the child starts uses the child's profile.
pub(crate) fn hidden_from_children(environment: &Environment) -> BTreeSet<String> {
    let mut names = names_to_unset(environment);
    names.extend(withheld_variables(environment));
    names.extend(
        [SHELL_PROFILE_VARIABLE, SHELL_PREVIOUS_VARIABLE]
            .iter()
            .filter(|name| environment.get(name).is_some())
            .map(ToString::to_string),
    );
    names
}

/// Returns the names of the variables that give access to the identity; see [`is_withheld`].
pub(crate) fn withheld_variables(environment: &Environment) -> impl Iterator<Item = String> {
    let names = environment.iter().map(|(name, _)| name).filter(|name| is_withheld(name));
    names.map(|name| name.to_string_lossy().into_owned())
}

/// Returns the store's path for `NETO_STORE`; `None` for the standard store.
fn named_store_path(run: &Run<'_>) -> Option<String> {
    run.context.paths.is_store_named.then(|| run.context.paths.store.to_string_lossy().into_owned())
}

/// Checks whether the user set `NETO_STORE` in this shell. `export --unset` must then keep the variable.
fn is_users_own_store(run: &Run<'_>) -> bool {
    let environment = &run.context.process.environment;
    environment.get(STORE_VARIABLE).is_some()
        && run.context.globals.store.is_none()
        && !was_exported(environment, STORE_VARIABLE)
}

/// Returns the names and values of a credential's variables, and whether each value is secret.
fn credential_variables(profile: &Profile, login: &Login) -> Vec<(&'static str, String, bool)> {
    match (&login.account, &login.credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
            let netosecret = NetoSecret {
                url: profile.url.clone(),
                shortname: shortname.clone(),
                appname: appname.clone(),
                appkey: appkey.clone(),
                sharedsecret: sharedsecret.clone(),
                ignored: Vec::new(),
            };
            vec![
                ("NETO_APPNAME", appname.clone(), false),
                ("NETO_APPKEY", appkey.reveal().to_owned(), true),
                ("NETO_SHARED_SECRET", sharedsecret.reveal().to_owned(), true),
                ("NETOSECRET", netosecret.render().reveal().to_owned(), true),
            ]
        }
        (Account::Person { username }, Credential::Person { password }) => {
            vec![("NETO_USERNAME", username.clone(), false), ("NETO_PASSWORD", password.reveal().to_owned(), true)]
        }
        _ => Vec::new(),
    }
}

/// Returns the placeholders of a profile's `env` templates with their values.
fn template_values(profile: &Profile, token: &AccessToken, login: Option<&Login>) -> Vec<(&'static str, String)> {
    let mut values = vec![
        ("{token}", token.token.reveal().to_owned()),
        ("{url}", profile.url.to_string()),
        ("{shortname}", profile.shortname.clone().unwrap_or_default()),
        ("{appname}", profile.appname.clone().unwrap_or_default()),
        ("{profile}", profile.name.to_string()),
    ];
    if let Some(Credential::ApiKey { appkey, sharedsecret }) = login.map(|login| &login.credential) {
        values.push(("{appkey}", appkey.reveal().to_owned()));
        values.push(("{sharedsecret}", sharedsecret.reveal().to_owned()));
    }
    values
}

/// Replaces the known placeholders in one pass, so that text in a value is never taken for a placeholder.
fn fill_template(template: &EnvTemplate, values: &[(&str, String)]) -> String {
    let mut rest = template.0.as_str();
    let mut filled = String::with_capacity(rest.len());
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        // A brace that starts no known placeholder is kept.
        let (placeholder, value) = values
            .iter()
            .find(|(placeholder, _)| rest.starts_with(placeholder))
            .map_or(("{", "{"), |(placeholder, value)| (*placeholder, value.as_str()));
        filled.push_str(value);
        rest = &rest[placeholder.len()..];
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_placeholders_are_replaced_and_only_once() {
        let values = [("{token}", "a{url}b".to_owned()), ("{url}", "https://x".to_owned())];
        for (template, filled) in [
            ("Bearer {token}", "Bearer a{url}b"),
            ("{url}/{path}", "https://x/{path}"),
            ("{{token}}", "{a{url}b}"),
            ("{", "{"),
            ("no words", "no words"),
            ("{tokens}{Token}", "{tokens}{Token}"),
        ] {
            assert_eq!(fill_template(&EnvTemplate(template.to_owned()), &values), filled);
        }
    }
}

//! The variables that `export` and `exec` give to shells and programs, and those they take away first.

use crate::context::Environment;
use crate::error::Error;
use crate::profile::{EnvTemplate, Profile, ProfileName};
use crate::secret::{Account, Credential, NetoSecret};
use crate::session::{Access, Declared, Session, SignIn, Want};
use crate::workflow::shell_state::{PROFILE, STORE, USED, USED_BEFORE, stale, was_exported};
use crate::workflow::{Run, Watch};
use std::collections::BTreeSet;

/// How the variables begin that no child process ever gets.
const NEVER: [&str; 2] = ["NETO_IDENTITY", "NETO_PASSPHRASE"];

/// Variables to set, those of them that are secret, and those to take away before.
pub(crate) struct Variables {
    /// In the order they are printed.
    pub(crate) set: Vec<(String, String)>,
    /// The values that no log may show.
    pub(crate) secrets: Vec<String>,
    /// What to unset first.
    pub(crate) unset: Vec<String>,
}

impl Variables {
    /// The variables of one profile; `sign_in` adds the credential.
    pub(crate) fn of(run: &Run<'_>, profile: &Profile, access: &Access, sign_in: Option<&SignIn>) -> Self {
        let mut set: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| set.push((name.to_owned(), value.to_owned()));
        add(PROFILE, profile.name.as_str());
        add("NETO_URL", &profile.url.to_string());
        if let Some(shortname) = &profile.shortname {
            add("NETO_SHORTNAME", shortname);
        }
        add("NETO_TOKEN", access.token.reveal());
        if let Some(lifetime) = access.lifetime {
            add("NETO_TOKEN_EXPIRES_AT", &lifetime.expires_at.as_second().to_string());
        }
        if let Some(store) = store_to_pass_on(run) {
            add(STORE, &store);
        }
        let credential = sign_in.map(|sign_in| credential(profile, sign_in)).unwrap_or_default();
        let mut secrets = vec![access.token.reveal().to_owned()];
        for (name, value, secret) in &credential {
            add(name, value);
            secrets.extend(secret.then(|| value.clone()));
        }
        let replacements = replacements(profile, access, sign_in);
        for (name, template) in &profile.env {
            let value = fill(template, &replacements);
            secrets.extend(secrets.iter().any(|secret| value.contains(secret)).then(|| value.clone()));
            set.push((name.clone(), value));
        }
        let mut unset = stale(&run.context.process.environment);
        if profile.name.is_env() {
            // It is the user's own, and what the profile is made of.
            unset.remove("NETOSECRET");
        }
        Self { set, secrets, unset: unset.into_iter().collect() }
    }

    /// Those of one of several profiles, for whom `session` works; the credential too where it is `wanted`. Nobody is
    /// asked for anything: see [`Run::unlock`].
    pub(crate) async fn obtained(
        run: &Run<'_>,
        session: &Session<'_>,
        profile: &Profile,
        want: Want,
        wanted: bool,
    ) -> Result<Self, Error> {
        if wanted {
            session.settle(profile, want).await?;
        }
        let access = session.obtain(Declared { profile, reading: run.context.reading() }, want).await?;
        if !wanted {
            return Ok(Self::of(run, profile, &access, None));
        }
        let sign_in = run.context.vault.credential_beside(profile, &Watch(run.ui)).await?;
        Ok(Self::of(run, profile, &access, Some(&sign_in)))
    }

    /// The names that are set, for `NETO_EXPORTED`, but for what the shell has from its user.
    pub(crate) fn names(&self, run: &Run<'_>) -> String {
        let is_env = self.set.iter().any(|(name, value)| name == PROFILE && value == ProfileName::env().as_str());
        let own = [is_users_own_store(run).then_some(STORE), is_env.then_some("NETOSECRET")];
        let names = self.set.iter().map(|(name, _)| name.as_str()).filter(|name| !own.contains(&Some(*name)));
        names.collect::<Vec<_>>().join(" ")
    }
}

/// What a child process must not inherit. A shell that it starts has a choice of its own: the profile it runs for.
pub(crate) fn kept_from_children(environment: &Environment) -> BTreeSet<String> {
    let mut names = stale(environment);
    names.extend(keys(environment));
    names.extend([USED, USED_BEFORE].iter().filter(|name| environment.get(name).is_some()).map(ToString::to_string));
    names
}

/// The variables that hold or name keys.
pub(crate) fn keys(environment: &Environment) -> impl Iterator<Item = String> {
    let names = environment.iter().map(|(name, _)| name.to_string_lossy().into_owned());
    names.filter(|name| NEVER.iter().any(|start| name.starts_with(start)))
}

/// `NETO_STORE`, absolute, where the store is not the standard one.
fn store_to_pass_on(run: &Run<'_>) -> Option<String> {
    run.context.paths.named_store.then(|| run.context.paths.store.to_string_lossy().into_owned())
}

/// Whether the shell has `NETO_STORE` from its user, who would miss it after an `--unset`.
fn is_users_own_store(run: &Run<'_>) -> bool {
    let environment = &run.context.process.environment;
    environment.get(STORE).is_some() && run.context.globals.store.is_none() && !was_exported(environment, STORE)
}

/// The variables of a credential, and which of them are secret.
fn credential(profile: &Profile, sign_in: &SignIn) -> Vec<(&'static str, String, bool)> {
    match (&sign_in.account, &sign_in.credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
            let whole = NetoSecret {
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
                ("NETOSECRET", whole.render().reveal().to_owned(), true),
            ]
        }
        (Account::Person { username }, Credential::Person { password }) => {
            vec![("NETO_USERNAME", username.clone(), false), ("NETO_PASSWORD", password.reveal().to_owned(), true)]
        }
        _ => Vec::new(),
    }
}

fn replacements(profile: &Profile, access: &Access, sign_in: Option<&SignIn>) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("{token}", access.token.reveal().to_owned()),
        ("{url}", profile.url.to_string()),
        ("{shortname}", profile.shortname.clone().unwrap_or_default()),
        ("{appname}", profile.appname.clone().unwrap_or_default()),
        ("{profile}", profile.name.to_string()),
    ];
    if let Some(Credential::ApiKey { appkey, sharedsecret }) = sign_in.map(|sign_in| &sign_in.credential) {
        all.push(("{appkey}", appkey.reveal().to_owned()));
        all.push(("{sharedsecret}", sharedsecret.reveal().to_owned()));
    }
    all
}

/// Replaces the known words in one pass, so that a value that holds such a word itself stays as it is.
fn fill(template: &EnvTemplate, replacements: &[(&str, String)]) -> String {
    let mut rest = template.0.as_str();
    let mut filled = String::with_capacity(rest.len());
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        rest = &rest[start..];
        // A brace that starts no known word stands for itself.
        let (word, value) = replacements
            .iter()
            .find(|(word, _)| rest.starts_with(word))
            .map_or(("{", "{"), |(word, value)| (*word, value.as_str()));
        filled.push_str(value);
        rest = &rest[word.len()..];
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_words_are_replaced_and_once() {
        let replacements = [("{token}", "a{url}b".to_owned()), ("{url}", "https://x".to_owned())];
        for (template, filled) in [
            ("Bearer {token}", "Bearer a{url}b"),
            ("{url}/{path}", "https://x/{path}"),
            ("{{token}}", "{a{url}b}"),
            ("{", "{"),
            ("no words", "no words"),
            ("{tokens}{Token}", "{tokens}{Token}"),
        ] {
            assert_eq!(fill(&EnvTemplate(template.to_owned()), &replacements), filled);
        }
    }
}

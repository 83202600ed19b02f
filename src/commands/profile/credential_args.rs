//! The ways in which a credential comes to `profile add` and `profile set-secret`: never as an
//! argument, which the shell's history and the process list would show.

use crate::disk::{self, Privacy, Rules};
use crate::error::{Code, Error};
use crate::profile::{ApiUrl, SecretPlace};
use crate::secret::{Account, Credential, NetoSecret, Secret, fetch};
use crate::workflow::Run;
use clap::Args;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// No credential is longer.
const CAP: u64 = 64 * 1024;

/// Where the credential comes from. Without any of these: a NETOSECRET, piped in or asked for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CredentialArgs {
    /// Read the NETOSECRET from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netosecret_env", "shortname", "username", "secret_command"])]
    netosecret_file: Option<PathBuf>,
    /// Read the NETOSECRET from an environment variable
    #[arg(long, value_name = "VARIABLE", conflicts_with_all = ["shortname", "username", "secret_command"])]
    netosecret_env: Option<String>,
    /// The tenant; the API key and the shared secret are then asked for, or read as JSON from a pipe:
    /// {"appkey": "...", "sharedsecret": "..."}
    #[arg(long, value_name = "NAME", requires = "appname", conflicts_with_all = ["username", "secret_command"])]
    shortname: Option<String>,
    /// The name of the API key
    #[arg(long, value_name = "NAME", requires = "shortname")]
    appname: Option<String>,
    /// The API's address, with --shortname or --username
    #[arg(long, value_name = "URL", conflicts_with_all = ["netosecret_file", "netosecret_env", "secret_command"])]
    url: Option<String>,
    /// A person instead of an API key; the password is asked for, or read from a pipe
    #[arg(long, value_name = "NAME", conflicts_with = "secret_command")]
    username: Option<String>,
    /// The rest of the line is a command that prints the NETOSECRET, run at each login: `-- op read ...`
    #[arg(long)]
    secret_command: bool,
    /// The command
    #[arg(last = true, value_name = "CMD", requires = "secret_command")]
    command: Vec<String>,
}

/// A credential as it came in.
pub(crate) struct Incoming {
    /// Who signs in.
    pub(crate) account: Account,
    /// The API's address, where it came along or was told.
    pub(crate) url: Option<ApiUrl>,
    /// What came in.
    pub(crate) kind: Kind,
}

/// What came in.
pub(crate) enum Kind {
    /// A credential to seal.
    Credential(Credential),
    /// A command that yields it at each login.
    Command(Vec<String>),
}

impl CredentialArgs {
    /// Who signs in, where the flags say it; a NETOSECRET says it itself.
    pub(crate) fn account(&self) -> Option<Account> {
        let (person, shortname, appname) = (self.username.clone(), self.shortname.clone(), self.appname.clone());
        let person = person.map(|username| Account::Person { username });
        person.or_else(|| Some(Account::ApiKey { shortname: shortname?, appname: appname? }))
    }

    /// Takes the credential in.
    pub(crate) fn take(&self, run: &Run<'_>) -> Result<Incoming, Error> {
        if self.secret_command {
            return self.fetched(run);
        }
        let url = self.url.as_deref().map(crate::commands::profile::settings_args::url).transpose()?;
        if let Some(account) = self.account() {
            let credential = match &account {
                Account::Person { .. } => read_password(run)?,
                Account::ApiKey { .. } => read_pair(run)?,
            };
            return Ok(Incoming { account, url, kind: Kind::Credential(credential) });
        }
        if url.is_some() {
            return Err(Error::new(
                Code::Usage,
                "--url goes with --shortname or --username; a NETOSECRET brings its own",
            ));
        }
        Ok(from_netosecret(self.netosecret(run)?, run))
    }

    fn netosecret(&self, run: &Run<'_>) -> Result<NetoSecret, Error> {
        let text = if let Some(path) = &self.netosecret_file {
            let bytes = disk::read(&run.context.absolute(path), Rules { cap: CAP, privacy: Privacy::Any })?;
            Zeroizing::new(String::from_utf8_lossy(&Zeroizing::new(bytes)).into_owned())
        } else if let Some(name) = &self.netosecret_env {
            let text = run.context.process.environment.text(name);
            // A secret that was given in place of a name is not repeated.
            let harmless = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            let shown = if harmless { name } else { "of that name" };
            let unset = || {
                Error::new(Code::Secret, format!("the variable {shown} is not set"))
                    .with_hint("neto profile add    asks for the NETOSECRET")
            };
            Zeroizing::new(text.ok_or_else(unset)?)
        } else {
            read(run, "NETOSECRET (not shown): ")?
        };
        Ok(NetoSecret::parse(&text)?)
    }

    fn fetched(&self, run: &Run<'_>) -> Result<Incoming, Error> {
        if self.command.is_empty() {
            return Err(Error::new(Code::Usage, "--secret-command wants the command after --")
                .with_hint("neto profile add acme --secret-command -- op read op://vault/acme/netosecret"));
        }
        // The user typed the command just now, so running it needs no other word.
        let environment = run.context.process.environment.of_source();
        let secret = fetch(&SecretPlace::Command(self.command.clone()), &environment)?;
        let incoming = from_netosecret(secret, run);
        Ok(Incoming { kind: Kind::Command(self.command.clone()), ..incoming })
    }
}

fn from_netosecret(secret: NetoSecret, run: &Run<'_>) -> Incoming {
    if !secret.ignored.is_empty() {
        run.ui.warn(&format!("the NETOSECRET has further fields, which are not kept: {}", secret.ignored.join(", ")));
    }
    Incoming {
        account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
        url: Some(secret.url),
        kind: Kind::Credential(Credential::ApiKey { appkey: secret.appkey, sharedsecret: secret.sharedsecret }),
    }
}

/// From a hidden prompt on a terminal, from the pipe off one.
fn read(run: &Run<'_>, prompt: &str) -> Result<Zeroizing<String>, Error> {
    if run.context.process.terminal.stdin {
        return Ok(run.ui.hidden(prompt)?);
    }
    read_pipe(run)
}

/// A password alone, or in the JSON that a person's secrets have.
fn read_password(run: &Run<'_>) -> Result<Credential, Error> {
    let text = read(run, "Password (not shown): ")?;
    match Credential::parse(&text) {
        Ok(password @ Credential::Person { .. }) => Ok(password),
        _ => Ok(Credential::Person { password: one_line(&text)? }),
    }
}

fn read_pair(run: &Run<'_>) -> Result<Credential, Error> {
    if run.context.process.terminal.stdin {
        let appkey = one_line(&run.ui.hidden("API key (appkey, not shown): ")?)?;
        let sharedsecret = one_line(&run.ui.hidden("Shared secret (not shown): ")?)?;
        return Ok(Credential::ApiKey { appkey, sharedsecret });
    }
    let text = read_pipe(run)?;
    match Credential::parse(&text)? {
        pair @ Credential::ApiKey { .. } => Ok(pair),
        Credential::Person { .. } => Err(Error::new(Code::Store, "a password was given for an API key")
            .with_hint("neto profile add NAME --username ...")),
    }
}

fn read_pipe(run: &Run<'_>) -> Result<Zeroizing<String>, Error> {
    let too_much = || Error::new(Code::Store, "standard input holds more than any credential does");
    let bytes = run.piped(CAP)?.ok_or_else(too_much)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    if text.trim().is_empty() {
        return Err(Error::new(Code::Usage, "standard input is empty and no terminal, so there is nobody to ask")
            .with_hint("neto profile add < netosecret.txt"));
    }
    Ok(text)
}

/// A secret that is one line of text.
fn one_line(text: &str) -> Result<Secret, Error> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::new(Code::Store, "a secret is empty or holds control characters"));
    }
    Ok(Secret::new(text.to_owned()))
}

//! Reads the credential for `profile add` and `profile set-secret`.
//!
//! Never accepts a secret as an argument, because the shell history and the process list would show the secret.

use crate::disk::{self, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::profile::{ApiUrl, SecretLocation};
use crate::secret::{Account, Credential, NetoSecret, Secret, fetch_netosecret};
use crate::workflow::Run;
use clap::Args;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Maximum size of a credential, in bytes.
const MAX_CREDENTIAL_BYTES: u64 = 64 * 1024;

/// Flags that say where the credential comes from. Without them, a NETOSECRET is piped in or prompted for.
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

/// Credential that the user gave, with its account and URL.
pub(crate) struct CredentialInput {
    /// Account that logs in.
    pub(crate) account: Account,
    /// API URL, from the NETOSECRET or from `--url`; `None` if neither contains one.
    pub(crate) url: Option<ApiUrl>,
    /// Secret to seal, or the command that prints the secret.
    pub(crate) source: CredentialSource,
}

/// Credential to store: the secret itself, or a command that prints it.
pub(crate) enum CredentialSource {
    /// Secret to seal.
    Secret(Credential),
    /// Command that prints the NETOSECRET at each login.
    Command(Vec<String>),
}

impl CredentialArgs {
    /// Returns the account that `--username` names, or that `--shortname` and `--appname` name. Returns `None` without
    /// these flags: the NETOSECRET then names the account.
    pub(crate) fn account(&self) -> Option<Account> {
        let (person, shortname, appname) = (self.username.clone(), self.shortname.clone(), self.appname.clone());
        let person = person.map(|username| Account::Person { username });
        person.or_else(|| Some(Account::ApiKey { shortname: shortname?, appname: appname? }))
    }

    /// Reads the credential from the source that the flags select. Without flags, reads a NETOSECRET from a hidden
    /// prompt or from a pipe.
    ///
    /// # Errors
    /// Returns an error if the source cannot be read, or if its content or the combination of flags is invalid.
    pub(crate) fn read(&self, run: &Run<'_>) -> Result<CredentialInput, Error> {
        if self.secret_command {
            return self.run_secret_command(run);
        }
        let url = self.url.as_deref().map(crate::commands::profile::settings_args::parse_url).transpose()?;
        if let Some(account) = self.account() {
            let credential = match &account {
                Account::Person { .. } => read_password(run)?,
                Account::ApiKey { .. } => read_api_key(run)?,
            };
            return Ok(CredentialInput { account, url, source: CredentialSource::Secret(credential) });
        }
        if url.is_some() {
            return Err(Error::new(
                Code::Usage,
                "--url goes with --shortname or --username; a NETOSECRET brings its own",
            ));
        }
        Ok(from_netosecret(self.read_netosecret(run)?, run))
    }

    fn read_netosecret(&self, run: &Run<'_>) -> Result<NetoSecret, Error> {
        let text = if let Some(path) = &self.netosecret_file {
            let bytes = disk::read(
                &run.context.absolute(path),
                ReadRules { cap: MAX_CREDENTIAL_BYTES, privacy: Privacy::Any },
            )?;
            Zeroizing::new(String::from_utf8_lossy(&Zeroizing::new(bytes)).into_owned())
        } else if let Some(name) = &self.netosecret_env {
            let text = run.context.process.environment.text(name);
            // A secret pasted instead of a variable name must not appear in the message.
            let is_variable_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            let display_name = if is_variable_name { name } else { "of that name" };
            let unset = || {
                Error::new(Code::Secret, format!("the variable {display_name} is not set"))
                    .with_hint(Hint::command("neto profile add").remark("asks for the NETOSECRET"))
            };
            Zeroizing::new(text.ok_or_else(unset)?)
        } else {
            read_hidden(run, "NETOSECRET (not shown): ")?
        };
        Ok(NetoSecret::parse(&text)?)
    }

    fn run_secret_command(&self, run: &Run<'_>) -> Result<CredentialInput, Error> {
        if self.command.is_empty() {
            return Err(Error::new(Code::Usage, "--secret-command wants the command after --").with_hint(
                Hint::command("neto profile add acme --secret-command -- op read op://vault/acme/netosecret"),
            ));
        }
        // The user just typed the command, so no confirmation is needed before running it.
        let environment = run.context.process.environment.clone();
        let secret = fetch_netosecret(&SecretLocation::Command(self.command.clone()), &environment)?;
        let input = from_netosecret(secret, run);
        Ok(CredentialInput { source: CredentialSource::Command(self.command.clone()), ..input })
    }
}

fn from_netosecret(secret: NetoSecret, run: &Run<'_>) -> CredentialInput {
    if !secret.ignored.is_empty() {
        run.ui.warn(&format!("the NETOSECRET has further fields, which are not kept: {}", secret.ignored.join(", ")));
    }
    CredentialInput {
        account: Account::ApiKey { shortname: secret.shortname, appname: secret.appname },
        url: Some(secret.url),
        source: CredentialSource::Secret(Credential::ApiKey {
            appkey: secret.appkey,
            sharedsecret: secret.sharedsecret,
        }),
    }
}

/// Reads from a hidden prompt if standard input is a terminal. Otherwise reads standard input to its end.
fn read_hidden(run: &Run<'_>, prompt: &str) -> Result<Zeroizing<String>, Error> {
    if run.context.process.terminal.stdin {
        return Ok(run.ui.prompt_hidden(prompt)?);
    }
    read_pipe(run)
}

/// Reads a password, either as plain text or in the JSON form of a credential.
fn read_password(run: &Run<'_>) -> Result<Credential, Error> {
    let text = read_hidden(run, "Password (not shown): ")?;
    match Credential::parse(&text) {
        Ok(password @ Credential::Person { .. }) => Ok(password),
        _ => Ok(Credential::Person { password: parse_line(&text)? }),
    }
}

fn read_api_key(run: &Run<'_>) -> Result<Credential, Error> {
    if run.context.process.terminal.stdin {
        let appkey = parse_line(&run.ui.prompt_hidden("API key (appkey, not shown): ")?)?;
        let sharedsecret = parse_line(&run.ui.prompt_hidden("Shared secret (not shown): ")?)?;
        return Ok(Credential::ApiKey { appkey, sharedsecret });
    }
    let text = read_pipe(run)?;
    match Credential::parse(&text)? {
        api_key @ Credential::ApiKey { .. } => Ok(api_key),
        Credential::Person { .. } => Err(Error::new(Code::Store, "a password was given for an API key")
            .with_hint(Hint::command("neto profile add NAME --username ..."))),
    }
}

fn read_pipe(run: &Run<'_>) -> Result<Zeroizing<String>, Error> {
    let too_much = || Error::new(Code::Store, "standard input holds more than any credential does");
    let bytes = run.read_stdin(MAX_CREDENTIAL_BYTES)?.ok_or_else(too_much)?;
    let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    if text.trim().is_empty() {
        return Err(Error::new(Code::Usage, "standard input is empty and no terminal, so there is nobody to ask")
            .with_hint(Hint::command("neto profile add < netosecret.txt")));
    }
    Ok(text)
}

/// Returns the text as a secret, without its line ending.
///
/// # Errors
/// Returns an error if the text is empty or contains control characters.
fn parse_line(text: &str) -> Result<Secret, Error> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Error::new(Code::Store, "a secret is empty or holds control characters"));
    }
    Ok(Secret::new(text.to_owned()))
}

//! Command-line arguments of neto as clap types, and the dispatch of each verb to its module.
//!
//! Reads and prints nothing itself. `usage` parses a command line into these types.
#![allow(clippy::doc_markdown, reason = "these comments are the help that users read")]

use crate::commands::profile::{
    add::AddArgs, current::CurrentArgs, edit::EditArgs, import::ImportArgs, list::ListArgs, remove::RemoveArgs,
    rename::RenameArgs, set_secret::SetSecretArgs, show::ShowArgs, use_::UseArgs,
};
use crate::commands::{
    api, completions, discover, doctor, exec, export, hook, identity, init, keys, login, logout, profile, prompt,
    proxy, recipient, rotate, schema, seal, status, token, trust,
};
use crate::error::Error;
use crate::output::ColorChoice;
use crate::profile::Span;
use crate::workflow::Run;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Credentials for many Netography (Vectra) Fusion tenants
///
/// Profiles are declared in one TOML file, their secrets sealed with age; neto keeps one bearer token a
/// profile and hands tokens and environments to shells, scripts and programs.
#[derive(Debug, Parser)]
#[command(name = "neto", version)]
#[command(after_help = "\
Examples:
  neto profile add            paste the NETOSECRET from the portal
  neto login                  get a token
  neto exec -- ./report.py    run a program with it
  neto help profile add       what a verb does, with examples")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Global flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// The profile, where a verb takes one
    #[arg(short, long, global = true, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Another store than the standard one [variable: NETO_STORE]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// How long to wait for another neto
    #[arg(long, global = true, value_name = "TIME", default_value = "90s")]
    pub(crate) lock_timeout: Span,
    /// Use color: auto, always or never
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(crate) color: ColorChoice,
    /// Tell what neto does
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Only warnings and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Verbs of the command line. `defer` makes clap build only the verb that was typed.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
#[allow(clippy::large_enum_variant, reason = "there is one of it a run")]
pub(crate) enum Verb {
    Init(init::InitArgs),
    Profile(ProfileArgs),
    Use(UseShort),
    Ls(ListShort),
    Seal(seal::SealArgs),
    Trust(trust::TrustArgs),
    Recipient(recipient::RecipientArgs),
    Identity(identity::IdentityArgs),
    Login(login::LoginArgs),
    Logout(logout::LogoutArgs),
    Status(status::StatusArgs),
    Token(token::TokenArgs),
    Export(export::ExportArgs),
    Exec(exec::ExecArgs),
    Api(api::ApiArgs),
    Rotate(rotate::RotateArgs),
    Discover(discover::DiscoverArgs),
    Keys(keys::KeysArgs),
    Proxy(proxy::ProxyArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Hook(hook::HookArgs),
    Prompt(prompt::PromptArgs),
    #[command(name = "__tied", hide = true)]
    Tied(exec::TiedArgs),
}

/// Verbs listed under one title on the first help page.
pub(crate) struct VerbGroup {
    /// Title above the verbs.
    pub(crate) title: &'static str,
    /// Names of the verbs, in the order of the help page.
    pub(crate) verbs: &'static [&'static str],
}

/// Groups of verbs on the first help page, in order. A test checks that each visible verb is in exactly one group.
pub(crate) const VERB_GROUPS: [VerbGroup; 5] = [
    VerbGroup { title: "First steps", verbs: &["init", "profile", "use", "ls"] },
    VerbGroup { title: "Tokens", verbs: &["login", "logout", "status", "token", "export", "exec"] },
    VerbGroup { title: "Tenants", verbs: &["api", "discover", "keys", "rotate"] },
    VerbGroup { title: "Keys and sharing", verbs: &["seal", "trust", "recipient", "identity"] },
    VerbGroup { title: "Integration", verbs: &["proxy", "completions", "hook", "prompt", "schema", "doctor"] },
];

/// Add, list, choose and change profiles
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile add acme
  neto profile use acme
  neto profile list --tag prod")]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    verb: ProfileVerb,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum ProfileVerb {
    Add(AddArgs),
    Import(ImportArgs),
    SetSecret(SetSecretArgs),
    List(ListArgs),
    Show(ShowArgs),
    Current(CurrentArgs),
    Use(UseArgs),
    Edit(EditArgs),
    Rename(RenameArgs),
    Remove(RemoveArgs),
}

/// Switch to a profile (neto profile use)
#[derive(Debug, Args)]
pub(crate) struct UseShort {
    #[command(flatten)]
    args: UseArgs,
}

/// List the profiles (neto profile list)
#[derive(Debug, Args)]
pub(crate) struct ListShort {
    #[command(flatten)]
    args: ListArgs,
}

impl Verb {
    /// Runs the verb.
    pub(crate) fn run(&self, run: &Run<'_>) -> Result<(), Error> {
        match self {
            Self::Init(args) => init::run(args, run),
            Self::Profile(args) => args.verb.run(run),
            Self::Use(short) => profile::use_::run(&short.args, run),
            Self::Ls(short) => profile::list::run(&short.args, run),
            Self::Seal(args) => seal::run(args, run),
            Self::Trust(args) => trust::run(args, run),
            Self::Recipient(args) => recipient::run(args, run),
            Self::Identity(args) => identity::run(args, run),
            Self::Login(args) => login::run(args, run),
            Self::Logout(args) => logout::run(args, run),
            Self::Status(args) => status::run(args, run),
            Self::Token(args) => token::run(args, run),
            Self::Export(args) => export::run(args, run),
            Self::Exec(args) => exec::run(args, run),
            Self::Api(args) => api::run(args, run),
            Self::Rotate(args) => rotate::run(args, run),
            Self::Discover(args) => discover::run(args, run),
            Self::Keys(args) => keys::run(args, run),
            Self::Proxy(args) => proxy::run(args, run),
            Self::Doctor(args) => doctor::run(args, run),
            Self::Schema(args) => schema::run(args, run),
            Self::Completions(args) => completions::run(args, run),
            Self::Hook(args) => hook::run(args, run),
            Self::Prompt(args) => prompt::run(args, run),
            Self::Tied(args) => exec::run_tied(args, run),
        }
    }
}

impl ProfileVerb {
    fn run(&self, run: &Run<'_>) -> Result<(), Error> {
        match self {
            Self::Add(args) => profile::add::run(args, run),
            Self::Import(args) => profile::import::run(args, run),
            Self::SetSecret(args) => profile::set_secret::run(args, run),
            Self::List(args) => profile::list::run(args, run),
            Self::Show(args) => profile::show::run(args, run),
            Self::Current(args) => profile::current::run(args, run),
            Self::Use(args) => profile::use_::run(args, run),
            Self::Edit(args) => profile::edit::run(args, run),
            Self::Rename(args) => profile::rename::run(args, run),
            Self::Remove(args) => profile::remove::run(args, run),
        }
    }
}

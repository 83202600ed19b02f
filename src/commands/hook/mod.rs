//! `neto hook`: prints shell code for an rc file. With the hook, `neto use` switches one shell, and stale variables are
//! unset before each prompt.
//!
//! The scripts are files in this directory and contain no data. They evaluate only quoted text from `shell_state`.

mod outdated;
mod switch;

pub(super) use outdated::drop_outdated_export;
pub(super) use switch::{shell_selection, switch_shell};

use crate::error::Error;
use crate::output::{Shell, quote_word};
use crate::workflow::Run;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, ValueEnum as _};

/// Common script of bash and zsh; `SHELL` is replaced by the name of the shell.
const POSIX: &str = include_str!("posix.sh");
const BASH: &str = include_str!("bash.sh");
const ZSH: &str = include_str!("zsh.zsh");
const FISH: &str = include_str!("fish.fish");
const NU: &str = include_str!("nu.nu");
const POWERSHELL: &str = include_str!("powershell.ps1");

/// Print the hook with which neto use switches one shell and no stale token stays in it
///
/// With it in the rc file, `neto use` switches this shell alone (--global: all shells), `neto use -` goes back to the
/// one before here, and `neto use --none` ends that.
///
/// Before each prompt, what `neto export` set is dropped if its token has expired or another profile is chosen than
/// was when it was set: by `neto use` here or for all shells, or by a .neto-profile. A line says so, and how to get it
/// back. The prompt itself never signs in, asks or waits, and without exported variables it starts no program.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(neto hook bash)\"              at the end of ~/.bashrc
  eval \"$(neto hook zsh)\"               at the end of ~/.zshrc
  neto hook fish | source               in ~/.config/fish/config.fish
  neto hook nu | save -f ~/.neto.nu     then source it in config.nu
  neto hook powershell | Out-String | Invoke-Expression")]
pub(crate) struct HookArgs {
    /// The shell to print for
    #[arg(value_name = "SHELL", value_parser = hook_shells())]
    shell: Shell,
    /// Print the text that the hook evaluates before each prompt
    #[arg(long, hide = true)]
    prompt: bool,
}

/// Prints the hook, or with `--prompt` the text that the hook evaluates before a prompt.
pub(crate) fn run(args: &HookArgs, run: &Run<'_>) -> Result<(), Error> {
    if !args.prompt {
        return Ok(run.ui.print(&script(args.shell))?);
    }
    let update = drop_outdated_export(run, args.shell);
    if update.is_empty() {
        return Ok(());
    }
    Ok(run.ui.print(&update.render(args.shell)?)?)
}

/// Returns a parser for the shells that can run code before a prompt.
fn hook_shells() -> impl clap::builder::TypedValueParser<Value = Shell> {
    let names = Shell::value_variants().iter().filter(|shell| **shell != Shell::Sh);
    let values: Vec<_> = names.filter_map(|shell| Some(shell.to_possible_value()?.help(None))).collect();
    PossibleValuesParser::new(values).try_map(|name| Shell::from_str(&name, false))
}

fn script(shell: Shell) -> String {
    match shell {
        Shell::Sh | Shell::Bash => POSIX.replace("SHELL", "bash") + BASH,
        // `emulate` makes zsh read and run the script with default options, whatever options the user has set.
        Shell::Zsh => format!("emulate zsh -c {}\n", quote_word(&(POSIX.replace("SHELL", "zsh") + ZSH))),
        Shell::Fish => FISH.to_owned(),
        Shell::Nu => NU.to_owned(),
        Shell::Powershell => POWERSHELL.to_owned(),
    }
}

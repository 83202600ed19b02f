//! `neto schema`: prints the JSON Schema of the store, for editors.

use crate::error::Error;
use crate::profile;
use crate::workflow::Run;
use clap::Args;

/// Print the JSON Schema of profiles.toml
///
/// An editor that checks TOML against a JSON Schema (taplo, Even Better TOML, tombi) then completes the keys of
/// the store, explains them and marks what is wrong. It finds the schema by a comment in the first line of the
/// store, with a path that starts at its folder:
///
/// #:schema ./profiles.schema.json
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto schema > ~/.config/neto/profiles.schema.json
  neto schema | jq '.properties | keys'")]
pub(crate) struct SchemaArgs {}

/// Prints the schema.
pub(crate) fn run(_: &SchemaArgs, run: &Run<'_>) -> Result<(), Error> {
    run.ui.print(&profile::schema())?;
    Ok(())
}

//! `neto profile current`: which profile is meant, and who says so.

use crate::context::Environment;
use crate::error::Error;
use crate::output::{Align, Cell, Column, Format, Narrow, Row, render};
use crate::profile::{Origin, Said, explain};
use crate::workflow::{Run, shell_state};
use clap::Args;
use serde::Serialize;

/// Print the name of the profile that commands would use here
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto profile current
  neto profile current --explain")]
pub(crate) struct CurrentArgs {
    /// List every place that can say it, what it says, and which wins
    #[arg(long)]
    explain: bool,
    /// With --explain: how to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Serialize)]
struct SourceRow {
    source: String,
    says: Option<String>,
    wins: bool,
}

impl Row for SourceRow {
    const FIELDS: &'static [&'static str] = &["source", "says", "wins"];
    const MARKS: bool = true;

    fn columns() -> Vec<Column> {
        let column = |title| Column { title, align: Align::Left, narrow: Narrow::Cut };
        vec![column("SOURCE"), column("SAYS")]
    }

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::plain(&self.source), Cell::plain(self.says.as_deref().unwrap_or("-"))]
    }

    fn marked(&self) -> bool {
        self.wins
    }
}

/// Prints the name alone, or the whole precedence.
pub(crate) fn run(args: &CurrentArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.explain {
        let environment = &run.context.process.environment;
        let said = explain(&run.context.sources(None), run.context.store()?);
        let rows: Vec<SourceRow> = said.into_iter().map(|said| row(said, environment)).collect();
        return Ok(run.ui.answer(&render(&rows, args.output, &run.ui.look()))?);
    }
    let choice = run.context.choose(None)?;
    Ok(run.ui.answer(&format!("{}\n", choice.name))?)
}

fn row(said: Said, environment: &Environment) -> SourceRow {
    let source = match said.origin {
        Origin::Variable => [said.origin.to_string().as_str(), shell_state::who_set_it(environment)].concat(),
        origin => origin.to_string(),
    };
    SourceRow { source, says: said.text, wins: said.wins }
}

//! `neto profile current`: prints the current profile, or with `--explain` every source that can select it.

use crate::environment::Environment;
use crate::error::Error;
use crate::output::{Cell, Column, Format, Row, Shrink, render_rows};
use crate::profile::{ProfileOrigin, SourceReport, explain_resolution};
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
    const HAS_MARKS: bool = true;

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("SOURCE", Shrink::Cut, |row| Cell::plain(&row.source)),
            Column::left("SAYS", Shrink::Cut, |row| Cell::plain(row.says.as_deref().unwrap_or("-"))),
        ]
    }

    fn is_marked(&self) -> bool {
        self.wins
    }
}

/// Prints the name of the current profile, or all sources in order of precedence.
pub(crate) fn run(args: &CurrentArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.explain {
        let environment = &run.context.process.environment;
        let reports = explain_resolution(&run.context.sources(None), run.context.store()?);
        let rows: Vec<SourceRow> = reports.into_iter().map(|report| source_row(report, environment)).collect();
        return Ok(run.ui.print(&render_rows(&rows, args.output, &run.ui.render_options()))?);
    }
    let resolved = run.context.resolve(None)?;
    Ok(run.ui.print(&format!("{}\n", resolved.name))?)
}

fn source_row(report: SourceReport, environment: &Environment) -> SourceRow {
    let source = match report.origin {
        ProfileOrigin::NetoProfile => {
            [report.origin.to_string().as_str(), shell_state::profile_variable_setter(environment)].concat()
        }
        origin => origin.to_string(),
    };
    SourceRow { source, says: report.value, wins: report.is_winner }
}

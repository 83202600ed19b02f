//! `neto profile list`: what is declared.

use crate::commands::{Run, SelectArgs};
use crate::error::Error;
use crate::output::{Align, Cell, Column, Format, Row, render};
use crate::profile::{Profile, ProfileName};
use clap::Args;
use serde::Serialize;

/// List the profiles
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto ls
  neto profile list --tag prod -o json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    select: SelectArgs,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// One profile as it is declared.
#[derive(Serialize)]
pub(super) struct ProfileRow {
    profile: String,
    current: bool,
    shortname: Option<String>,
    appname: Option<String>,
    username: Option<String>,
    url: String,
    tags: Vec<String>,
    description: Option<String>,
    protected: bool,
    secret: &'static str,
    key_since: Option<String>,
}

impl Row for ProfileRow {
    const FIELDS: &'static [&'static str] = &[
        "profile",
        "current",
        "shortname",
        "appname",
        "username",
        "url",
        "tags",
        "description",
        "protected",
        "secret",
        "key_since",
    ];
    const MARKS: bool = true;

    fn columns() -> Vec<Column> {
        let column = |title, shrink| Column { title, align: Align::Left, shrink };
        vec![
            column("PROFILE", false),
            column("TENANT", true),
            column("KEY", true),
            column("SECRET", false),
            column("SINCE", false),
            column("TAGS", true),
            column("DESCRIPTION", true),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let text = |text: &Option<String>| Cell::plain(text.as_deref().unwrap_or_default());
        vec![
            Cell::plain(&self.profile),
            text(&self.shortname),
            text(if self.username.is_some() { &self.username } else { &self.appname }),
            Cell::plain(self.secret),
            text(&self.key_since),
            Cell::plain(self.tags.join(", ")),
            text(&self.description),
        ]
    }

    fn marked(&self) -> bool {
        self.current
    }
}

impl ProfileRow {
    pub(super) fn of(profile: &Profile, current: Option<&ProfileName>) -> Self {
        Self {
            profile: profile.name.to_string(),
            current: current == Some(&profile.name),
            shortname: profile.shortname.clone(),
            appname: profile.appname.clone(),
            username: profile.username.clone(),
            url: profile.url.to_string(),
            tags: profile.tags.clone(),
            description: profile.description.clone(),
            protected: profile.protected,
            secret: profile.secret.word(),
            key_since: profile.sealed.as_ref().map(|note| note.since.to_string()),
        }
    }
}

/// Lists the selected profiles; a faulty one is warned of and left out.
pub(crate) fn run(args: &ListArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.all_or(run)?;
    let current = run.current_name();
    let profiles = run.sound(selected, args.select.names_one())?;
    let rows: Vec<ProfileRow> = profiles.iter().map(|profile| ProfileRow::of(profile, current.as_ref())).collect();
    if run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    Ok(run.ui.answer(&render(&rows, args.output, &run.ui.look()))?)
}

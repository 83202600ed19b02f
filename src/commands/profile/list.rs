//! `neto profile list`: what is declared.

use crate::error::Error;
use crate::output::{Align, Cell, Column, Format, Narrow, Row, render};
use crate::profile::{ApiUrl, Profile, ProfileName};
use crate::workflow::{Run, SelectArgs};
use clap::Args;
use jiff::civil::Date;
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
pub(super) struct ProfileRow<'a> {
    profile: &'a ProfileName,
    current: bool,
    shortname: Option<&'a str>,
    appname: Option<&'a str>,
    username: Option<&'a str>,
    url: &'a ApiUrl,
    tags: &'a [String],
    description: Option<&'a str>,
    protected: bool,
    secret: &'static str,
    key_since: Option<Date>,
}

impl Row for ProfileRow<'_> {
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
        let column = |title, narrow| Column { title, align: Align::Left, narrow };
        vec![
            column("PROFILE", Narrow::Keep),
            column("TENANT", Narrow::CutOrDrop),
            column("KEY", Narrow::CutOrDrop),
            column("SECRET", Narrow::Keep),
            column("SINCE", Narrow::Drop),
            column("TAGS", Narrow::CutOrDrop),
            column("DESCRIPTION", Narrow::CutOrDrop),
        ]
    }

    fn cells(&self) -> Vec<Cell> {
        let text = |text: Option<&str>| Cell::plain(text.unwrap_or_default());
        vec![
            Cell::plain(self.profile.as_str()),
            text(self.shortname),
            text(self.username.or(self.appname)),
            Cell::plain(self.secret),
            Cell::plain(self.key_since.map(|date| date.to_string()).unwrap_or_default()),
            Cell::plain(self.tags.join(", ")),
            text(self.description),
        ]
    }

    fn marked(&self) -> bool {
        self.current
    }
}

impl<'a> ProfileRow<'a> {
    pub(super) fn of(profile: &'a Profile, current: Option<&ProfileName>) -> Self {
        Self {
            profile: &profile.name,
            current: current == Some(&profile.name),
            shortname: profile.shortname.as_deref(),
            appname: profile.appname.as_deref(),
            username: profile.username.as_deref(),
            url: &profile.url,
            tags: &profile.tags,
            description: profile.description.as_deref(),
            protected: profile.protected,
            secret: profile.secret.word(),
            key_since: profile.sealed.as_ref().map(|note| note.since),
        }
    }
}

/// Lists the selected profiles; a faulty one is warned of and left out.
pub(crate) fn run(args: &ListArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.all_or(run)?;
    let current = run.current_name();
    let profiles = run.sound(selected, args.select.names_one())?;
    let rows: Vec<ProfileRow<'_>> = profiles.iter().map(|profile| ProfileRow::of(profile, current.as_ref())).collect();
    if run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    Ok(run.ui.answer(&render(&rows, args.output, &run.ui.look()))?)
}

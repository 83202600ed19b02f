//! `neto profile list`: lists the profiles of the store.

use crate::error::Error;
use crate::output::{Cell, Column, Format, Row, Shrink, render_rows};
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

/// Output row of one profile.
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
    const HAS_MARKS: bool = true;

    fn columns() -> Vec<Column<Self>> {
        vec![
            Column::left("PROFILE", Shrink::Keep, |row| Cell::plain(row.profile.as_str())),
            Column::left("TENANT", Shrink::CutOrDrop, |row| Cell::optional(row.shortname)),
            Column::left("KEY", Shrink::CutOrDrop, |row| Cell::optional(row.username.or(row.appname))),
            Column::left("SECRET", Shrink::Keep, |row| Cell::plain(row.secret)),
            Column::left("SINCE", Shrink::Drop, |row| Cell::optional(row.key_since.map(|date| date.to_string()))),
            Column::left("TAGS", Shrink::CutOrDrop, |row| Cell::plain(row.tags.join(", "))),
            Column::left("DESCRIPTION", Shrink::CutOrDrop, |row| Cell::optional(row.description)),
        ]
    }

    fn is_marked(&self) -> bool {
        self.current
    }
}

impl<'a> ProfileRow<'a> {
    pub(super) fn new(profile: &'a Profile, current: Option<&ProfileName>) -> Self {
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
            secret: profile.secret.label(),
            key_since: profile.sealed.as_ref().map(|note| note.since),
        }
    }
}

/// Lists the selected profiles. An invalid profile causes an error if it is the only named profile. Otherwise it is
/// omitted with a warning.
pub(crate) fn run(args: &ListArgs, run: &Run<'_>) -> Result<(), Error> {
    let selected = args.select.resolve_or_all(run)?;
    let current = run.current_name();
    let profiles = run.valid_profiles(selected, args.select.is_single())?;
    let rows: Vec<ProfileRow<'_>> = profiles.iter().map(|profile| ProfileRow::new(profile, current.as_ref())).collect();
    if run.context.store()?.profiles.is_empty() {
        run.ui.note("There is no profile yet. Add one: neto profile add");
    }
    Ok(run.ui.print(&render_rows(&rows, args.output, &run.ui.render_options()))?)
}

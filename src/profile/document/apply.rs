//! From edits to the new text.

use super::layout::{Layout, Pair};
use super::render::Value;
use super::section::Change;
use super::splice::Splices;
use super::{Edit, EditError, Section, inline};
use crate::profile::ProfileName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The text after all edits, all of them judged by the one layout of the text before.
pub(super) fn apply(text: &str, layout: &Layout, edits: &[Edit]) -> Result<String, EditError> {
    let mut plan = Plan::new(text, layout, Names::of(layout, edits)?);
    for (section, changes) in changes(&plan.names, edits) {
        plan.change_section(&section, &changes)?;
    }
    for name in plan.names.removed.clone() {
        plan.remove_profile(name);
    }
    plan.rename_profiles();
    for edit in edits {
        if let Edit::ReplaceBlock { name, was, text } = edit {
            plan.replace_block(name, was, text)?;
        }
    }
    let added = edits.iter().filter_map(|edit| match edit {
        Edit::AddProfile { name, entries } => Some((name, entries.as_slice())),
        _ => None,
    });
    plan.add_profiles(&added.collect::<Vec<_>>());
    Ok(plan.finish())
}

/// What is to be cut and put in, as it comes together.
pub(super) struct Plan<'a> {
    pub(super) text: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) names: Names<'a>,
    pub(super) splices: Splices,
    /// Pairs and headers that do not stay, so that nothing else is done to them.
    pub(super) gone_pairs: BTreeSet<usize>,
    pub(super) gone_headers: BTreeSet<usize>,
    /// Lines that go as blocks.
    pub(super) removed: Vec<Range<usize>>,
    /// What changes within inline tables.
    pub(super) inline: BTreeMap<usize, inline::Changes>,
    /// New headers with their pairs, by the place they go to.
    pub(super) blocks: BTreeMap<usize, Vec<String>>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(text: &'a str, layout: &'a Layout, names: Names<'a>) -> Self {
        Self {
            text,
            layout,
            names,
            splices: Splices::default(),
            gone_pairs: BTreeSet::new(),
            gone_headers: BTreeSet::new(),
            removed: Vec::new(),
            inline: BTreeMap::new(),
            blocks: BTreeMap::new(),
        }
    }

    /// The first `count` parts of a pair's key as written, the profile's name renewed.
    pub(super) fn written_key(&self, pair: &Pair, count: usize) -> String {
        let whole = pair.keys[0].start..pair.keys[count - 1].end;
        let name = 1_usize.checked_sub(pair.given()).filter(|name| *name < count).map(|name| &pair.keys[name]);
        match (name, self.names.new_name(&pair.path)) {
            (Some(name), Some(new)) => {
                let (before, after) = (&self.text[whole.start..name.start], &self.text[name.end..whole.end]);
                format!("{before}{}{after}", self.quoted_alike(name.start, new))
            }
            _ => self.text[whole].to_owned(),
        }
    }

    fn finish(mut self) -> String {
        for (table, changes) in std::mem::take(&mut self.inline) {
            inline::splice(self.text, self.layout, table, &changes, &mut self.splices);
        }
        self.finish_blocks();
        self.splices.apply(self.text)
    }
}

/// The profiles that lose or change their name, checked against those there are.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// From old to new.
    pub(super) renamed: BTreeMap<&'a str, &'a str>,
    pub(super) removed: BTreeSet<&'a str>,
    replaced: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn of(layout: &Layout, edits: &'a [Edit]) -> Result<Self, EditError> {
        let mut here: BTreeSet<&str> = layout.profiles().map(|(name, ..)| name).collect();
        let mut names = Self::default();
        let mut leave = |name: &ProfileName| {
            if here.remove(name.as_str()) { Ok(()) } else { Err(EditError::UnknownProfile(name.clone())) }
        };
        for edit in edits {
            match edit {
                Edit::RemoveProfile { name } => {
                    leave(name)?;
                    names.removed.insert(name.as_str());
                }
                Edit::RenameProfile { from, to } => {
                    leave(from)?;
                    names.renamed.insert(from.as_str(), to.as_str());
                }
                Edit::ReplaceBlock { name, .. } => leave(name).map(|()| names.replaced.push(name.as_str()))?,
                _ => {}
            }
        }
        here.extend(&names.replaced);
        for edit in edits {
            let (Edit::AddProfile { name, .. } | Edit::RenameProfile { to: name, .. }) = edit else { continue };
            if !here.insert(name.as_str()) {
                return Err(EditError::Exists(name.clone()));
            }
        }
        Ok(names)
    }

    /// The new name of the profile that `path` lies in, if it gets one.
    pub(super) fn new_name(&self, path: &[String]) -> Option<&'a str> {
        match path {
            [first, name, ..] if first == "profiles" => self.renamed.get(name.as_str()).copied(),
            _ => None,
        }
    }
}

/// The settings and unsettings by section, under the names before the call; of several for one key,
/// or for a table and what is in it before, the last one.
fn changes<'a>(names: &Names<'_>, edits: &'a [Edit]) -> BTreeMap<Section, Vec<Change<'a>>> {
    let old_names: BTreeMap<&str, &str> = names.renamed.iter().map(|(from, to)| (*to, *from)).collect();
    let mut sections: BTreeMap<Section, Vec<Change<'a>>> = BTreeMap::new();
    for edit in edits {
        let (section, key, value): (_, &'a [String], Option<&'a Value>) = match edit {
            Edit::Set { section, key, value } => (section, key, Some(value)),
            Edit::Unset { section, key } => (section, key, None),
            _ => continue,
        };
        let section = match section {
            Section::Profile(name) => match old_names.get(name.as_str()).map(|old| old.parse()) {
                Some(Ok(old)) => Section::Profile(old),
                _ if names.removed.contains(name.as_str()) => continue,
                _ => section.clone(),
            },
            other => other.clone(),
        };
        let changes = sections.entry(section).or_default();
        changes.retain(|change| !change.key.starts_with(key));
        changes.push(Change { key, value });
    }
    sections
}

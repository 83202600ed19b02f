//! Turns edits into the new text.

use super::layout::{Layout, Pair};
use super::render::EditValue;
use super::section::KeyChange;
use super::splice::Splices;
use super::{Edit, EditError, Section, inline};
use crate::profile::ProfileName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Returns the text after all edits. `layout` describes the text before the edits.
pub(super) fn apply(text: &str, layout: &Layout, edits: &[Edit]) -> Result<String, EditError> {
    let mut plan = EditPlan::new(text, layout, NameChanges::collect(layout, edits)?);
    for (section, changes) in changes_by_section(&plan.names, edits) {
        plan.change_section(&section, &changes)?;
    }
    for name in plan.names.removed.clone() {
        plan.remove_profile(name);
    }
    plan.rename_profiles();
    for edit in edits {
        if let Edit::ReplaceBlock { name, old_text, new_text } = edit {
            plan.replace_block(name, old_text, new_text)?;
        }
    }
    let added = edits.iter().filter_map(|edit| match edit {
        Edit::AddProfile { name, entries } => Some((name, entries.as_slice())),
        _ => None,
    });
    plan.add_profiles(&added.collect::<Vec<_>>());
    Ok(plan.finish())
}

/// Removals and insertions of all edits, collected before they are spliced.
pub(super) struct EditPlan<'a> {
    pub(super) text: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) names: NameChanges<'a>,
    pub(super) splices: Splices,
    /// Pairs and headers that are removed, so that no other edit changes them.
    pub(super) removed_pairs: BTreeSet<usize>,
    pub(super) removed_headers: BTreeSet<usize>,
    /// Lines that are removed as blocks.
    pub(super) removed_blocks: Vec<Range<usize>>,
    /// Changes within inline tables, by table.
    pub(super) inline_changes: BTreeMap<usize, inline::InlineChanges>,
    /// New headers with their pairs, by insertion offset.
    pub(super) new_blocks: BTreeMap<usize, Vec<String>>,
}

impl<'a> EditPlan<'a> {
    pub(super) fn new(text: &'a str, layout: &'a Layout, names: NameChanges<'a>) -> Self {
        Self {
            text,
            layout,
            names,
            splices: Splices::default(),
            removed_pairs: BTreeSet::new(),
            removed_headers: BTreeSet::new(),
            removed_blocks: Vec::new(),
            inline_changes: BTreeMap::new(),
            new_blocks: BTreeMap::new(),
        }
    }

    /// Returns the first `count` parts of a pair's key as written, with a new profile name applied.
    pub(super) fn written_key(&self, pair: &Pair, count: usize) -> String {
        let key = pair.key_spans[0].start..pair.key_spans[count - 1].end;
        let name =
            1_usize.checked_sub(pair.inherited_depth()).filter(|name| *name < count).map(|name| &pair.key_spans[name]);
        match (name, self.names.new_name(&pair.path)) {
            (Some(name), Some(new)) => {
                let (before, after) = (&self.text[key.start..name.start], &self.text[name.end..key.end]);
                format!("{before}{}{after}", self.quote_like(name.start, new))
            }
            _ => self.text[key].to_owned(),
        }
    }

    fn finish(mut self) -> String {
        for (table, changes) in std::mem::take(&mut self.inline_changes) {
            inline::splice(self.text, self.layout, table, &changes, &mut self.splices);
        }
        self.splice_blocks();
        self.splices.apply(self.text)
    }
}

/// Profiles that are removed, renamed or replaced, checked against the existing profiles.
#[derive(Default)]
pub(super) struct NameChanges<'a> {
    /// New names by old name.
    pub(super) renamed: BTreeMap<&'a str, &'a str>,
    pub(super) removed: BTreeSet<&'a str>,
    replaced: Vec<&'a str>,
}

impl<'a> NameChanges<'a> {
    fn collect(layout: &Layout, edits: &'a [Edit]) -> Result<Self, EditError> {
        let mut profile_names: BTreeSet<&str> = layout.profiles().map(|(name, ..)| name).collect();
        let mut names = Self::default();
        let mut free_name = |name: &ProfileName| {
            if profile_names.remove(name.as_str()) { Ok(()) } else { Err(EditError::UnknownProfile(name.clone())) }
        };
        for edit in edits {
            match edit {
                Edit::RemoveProfile { name } => {
                    free_name(name)?;
                    names.removed.insert(name.as_str());
                }
                Edit::RenameProfile { from, to } => {
                    free_name(from)?;
                    names.renamed.insert(from.as_str(), to.as_str());
                }
                Edit::ReplaceBlock { name, .. } => free_name(name).map(|()| names.replaced.push(name.as_str()))?,
                _ => {}
            }
        }
        profile_names.extend(&names.replaced);
        for edit in edits {
            let (Edit::AddProfile { name, .. } | Edit::RenameProfile { to: name, .. }) = edit else { continue };
            if !profile_names.insert(name.as_str()) {
                return Err(EditError::Exists(name.clone()));
            }
        }
        Ok(names)
    }

    /// Returns the new name of the profile that `path` belongs to, if the profile is renamed.
    pub(super) fn new_name(&self, path: &[String]) -> Option<&'a str> {
        match path {
            [first, name, ..] if first == "profiles" => self.renamed.get(name.as_str()).copied(),
            _ => None,
        }
    }
}

/// Groups `Set` and `Unset` edits by section, under the profile names before the call. An edit of a
/// key overrides earlier edits of that key and of keys under it.
fn changes_by_section<'a>(names: &NameChanges<'_>, edits: &'a [Edit]) -> BTreeMap<Section, Vec<KeyChange<'a>>> {
    let old_names: BTreeMap<&str, &str> = names.renamed.iter().map(|(from, to)| (*to, *from)).collect();
    let mut sections: BTreeMap<Section, Vec<KeyChange<'a>>> = BTreeMap::new();
    for edit in edits {
        let (section, key, value): (_, &'a [String], Option<&'a EditValue>) = match edit {
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
        changes.push(KeyChange { key, value });
    }
    sections
}

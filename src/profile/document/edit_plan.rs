//! Plan of several edits: removals and insertions, collected before they are spliced.

use super::layout::{Layout, Pair};
use super::splice::Splices;
use super::{Edit, EditError, inline};
use crate::profile::ProfileName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

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

    pub(super) fn finish(mut self) -> String {
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
    pub(super) fn collect(layout: &Layout, edits: &'a [Edit]) -> Result<Self, EditError> {
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

//! Collects the changes that several edits need, so that edits of the same table do not conflict.

use super::layout::{Layout, Pair};
use super::splice::Splices;
use super::{Edit, EditError, inline};
use crate::profile::ProfileName;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// All changes of the text that the edits of one call need.
pub(super) struct EditPlan<'a> {
    pub(super) text: &'a str,
    pub(super) layout: &'a Layout,
    pub(super) names: NameChanges<'a>,
    pub(super) splices: Splices,
    /// Indices of removed pairs. Renames skip these pairs, and new pairs may reuse their lines.
    pub(super) removed_pairs: BTreeSet<usize>,
    /// Indices of removed headers.
    pub(super) removed_headers: BTreeSet<usize>,
    /// Line ranges of removed headers with their pairs. The blank lines below a range are removed too.
    pub(super) removed_blocks: Vec<Range<usize>>,
    /// Changes within inline tables, by the index of the table.
    pub(super) inline_changes: BTreeMap<usize, inline::InlineChanges>,
    /// New tables as text, header included, by insertion offset.
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

    /// Returns the first `count` parts of a pair's key as the file writes them. If an edit renames the
    /// profile, the result contains the new name.
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

    /// Returns the text with all collected changes.
    pub(super) fn finish(mut self) -> String {
        for (table, changes) in std::mem::take(&mut self.inline_changes) {
            inline::splice(self.text, self.layout, table, &changes, &mut self.splices);
        }
        self.splice_blocks();
        self.splices.apply(self.text)
    }
}

/// Names of profiles that edits remove, rename or replace.
#[derive(Default)]
pub(super) struct NameChanges<'a> {
    /// New names, by old name.
    pub(super) renamed: BTreeMap<&'a str, &'a str>,
    pub(super) removed: BTreeSet<&'a str>,
    replaced: Vec<&'a str>,
}

impl<'a> NameChanges<'a> {
    /// Collects the names. Fails if an old name does not exist or a new name is not free.
    pub(super) fn collect(layout: &Layout, edits: &'a [Edit]) -> Result<Self, EditError> {
        let mut profile_names: BTreeSet<&str> = layout.profiles().map(|(name, ..)| name).collect();
        let mut names = Self::default();
        let mut release_name = |name: &ProfileName| {
            if profile_names.remove(name.as_str()) { Ok(()) } else { Err(EditError::UnknownProfile(name.clone())) }
        };
        for edit in edits {
            match edit {
                Edit::RemoveProfile { name } => {
                    release_name(name)?;
                    names.removed.insert(name.as_str());
                }
                Edit::RenameProfile { from, to } => {
                    release_name(from)?;
                    names.renamed.insert(from.as_str(), to.as_str());
                }
                Edit::ReplaceBlock { name, .. } => release_name(name).map(|()| names.replaced.push(name.as_str()))?,
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

    /// Returns the new name of the profile that contains `path`, if an edit renames that profile.
    pub(super) fn new_name(&self, path: &[String]) -> Option<&'a str> {
        match path {
            [first, name, ..] if first == "profiles" => self.renamed.get(name.as_str()).copied(),
            _ => None,
        }
    }
}

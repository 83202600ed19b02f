//! Applies edits to a text. Does not check the result.

use super::edit_plan::{EditPlan, NameChanges};
use super::layout::Layout;
use super::render::EditValue;
use super::section::KeyChange;
use super::{Edit, EditError, Section};
use std::collections::BTreeMap;

/// Returns the text after all edits. `layout` is the layout of `text`.
pub(super) fn apply(text: &str, layout: &Layout, edits: &[Edit]) -> Result<String, EditError> {
    let mut plan = EditPlan::new(text, layout, NameChanges::collect(layout, edits)?);
    for (section, changes) in changes_by_section(&plan.names, edits) {
        plan.change_section(&section, &changes)?;
    }
    for name in plan.names.removed.clone() {
        plan.remove_profile(name);
    }
    // Renames come after the removals, because renames skip removed headers and pairs.
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

/// Groups `Set` and `Unset` edits by section. A renamed profile has its old name in the result, and
/// edits of a removed profile are dropped. An edit of a key overrides earlier edits of the key and of
/// keys under the key.
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

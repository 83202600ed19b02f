//! Completion candidates from the profile store: profiles, tags and recipients.

use crate::output::{sanitize_line, truncate_columns};
use crate::profile::{Outline, ProfileSummary, StoreFile};
use clap_complete::CompletionCandidate;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Maximum width of a profile's help, in terminal columns.
const MAX_HELP_COLUMNS: usize = 60;

/// Names in a profile store. The store is read once, when the first names are needed.
pub(super) struct StoreNames {
    store: StoreFile,
    outline: OnceLock<Outline<'static>>,
}

impl StoreNames {
    pub(super) fn new(store: StoreFile) -> Self {
        Self { store, outline: OnceLock::new() }
    }

    /// Returns a candidate for each profile whose name starts with `prefix`.
    pub(super) fn profiles(&self, prefix: &str) -> Vec<CompletionCandidate> {
        let matching = self.outline().profiles.iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        matching.map(|(name, summary)| candidate(name.as_str(), profile_help(summary, name.as_str()))).collect()
    }

    /// Returns a candidate for each tag that starts with `prefix` and needs no quoting in any shell. The help is the
    /// number of profiles with the tag.
    pub(super) fn tags(&self, prefix: &str) -> Vec<CompletionCandidate> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for tag in self.outline().profiles.iter().flat_map(|(_, summary)| &summary.tags) {
            if tag.starts_with(prefix) && is_unquoted_word(tag) {
                *counts.entry(tag).or_default() += 1;
            }
        }
        let help = |count| format!("{count} profile{}", if count == 1 { "" } else { "s" });
        counts.into_iter().map(|(tag, count)| candidate(tag, Some(help(count)))).collect()
    }

    /// Returns a candidate for each recipient whose name starts with `prefix`.
    pub(super) fn recipients(&self, prefix: &str) -> Vec<CompletionCandidate> {
        let matching = self.outline().recipients.iter().filter(|name| name.as_str().starts_with(prefix));
        matching.map(|name| candidate(name.as_str(), None)).collect()
    }

    fn outline(&self) -> &Outline<'static> {
        self.outline.get_or_init(|| self.store.outline().unwrap_or_default())
    }
}

/// Creates a candidate with a fixed group tag. Without a group tag, `clap_complete` would render the argument for each
/// candidate. That would be the slowest step of completion.
fn candidate(value: &str, help: Option<String>) -> CompletionCandidate {
    CompletionCandidate::new(value).help(help.map(Into::into)).tag(Some("store".into()))
}

/// Returns the description of a profile, or its account if the profile has no description. Sanitizes and truncates the
/// text. Returns `None` if the profile has neither, if the text is blank, or if the account equals the profile's
/// `name`.
fn profile_help(summary: &ProfileSummary<'_>, name: &str) -> Option<String> {
    let account = || summary.account.as_ref().filter(|account| *account != name);
    let text = summary.description.as_ref().or_else(account)?;
    Some(truncate_columns(&sanitize_line(text), MAX_HELP_COLUMNS).into_owned()).filter(|text| !text.trim().is_empty())
}

/// Returns true if `word` needs no quoting in any supported shell.
fn is_unquoted_word(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
        && word.chars().all(|character| character.is_alphanumeric() || "-_.:/@+=".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_need_no_quoting_are_offered() {
        for plain in ["prod", "emea-1", "customer:acme", "a/b", "v1.2", "team@x", "zürich", "k=v", "0"] {
            assert!(is_unquoted_word(plain), "{plain}");
        }
        for special in ["", "tier 1", "$(x)", "`x`", "a;b", "a|b", "'a'", "\"a\"", "a\\b", "a*", "a?", "[a]", "{a,b}"] {
            assert!(!is_unquoted_word(special), "{special}");
        }
        for special in
            ["-a", "=ls", "~", "#a", "a\nb", "a\tb", "\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "%a", "!a", "a&"]
        {
            assert!(!is_unquoted_word(special), "{special}");
        }
    }

    #[test]
    fn the_help_of_a_profile_is_sanitized_and_short() {
        let summary = |description: &str| ProfileSummary {
            description: Some(description.to_owned().into()),
            ..ProfileSummary::default()
        };
        assert_eq!(profile_help(&summary("a\tb\n\u{1b}[2J"), "x").as_deref(), Some("a\\tb\\n\\u{1b}[2J"));
        assert_eq!(
            profile_help(&summary(&"x".repeat(200)), "x").map(|text| text.chars().count()),
            Some(MAX_HELP_COLUMNS)
        );
        assert_eq!(profile_help(&summary(" "), "x"), None);
        let account = ProfileSummary { account: Some("acme".into()), ..ProfileSummary::default() };
        assert_eq!((profile_help(&account, "acme"), profile_help(&account, "other").as_deref()), (None, Some("acme")));
    }
}

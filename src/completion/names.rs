//! Completion candidates from the profile store.

use crate::output::{sanitize_line, truncate_columns};
use crate::profile::{Outline, ProfileSummary, StoreFile};
use clap_complete::CompletionCandidate;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Largest width of a profile's description, in columns.
const MAX_HELP_WIDTH: usize = 60;

/// Names in a profile store, which is read at the first request.
pub(super) struct StoreNames {
    store: StoreFile,
    outline: OnceLock<Outline<'static>>,
}

impl StoreNames {
    pub(super) fn new(store: StoreFile) -> Self {
        Self { store, outline: OnceLock::new() }
    }

    /// Returns the profiles whose names start with `start`, with descriptions.
    pub(super) fn profiles(&self, start: &str) -> Vec<CompletionCandidate> {
        let matching = self.outline().profiles.iter().filter(|(name, _)| name.as_str().starts_with(start));
        matching.map(|(name, summary)| candidate(name.as_str(), profile_help(summary, name.as_str()))).collect()
    }

    /// Returns the tags that start with `start` and need no quoting in any shell, with their number of profiles.
    pub(super) fn tags(&self, start: &str) -> Vec<CompletionCandidate> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for tag in self.outline().profiles.iter().flat_map(|(_, summary)| &summary.tags) {
            if tag.starts_with(start) && is_unquoted_word(tag) {
                *counts.entry(tag).or_default() += 1;
            }
        }
        let help = |count| format!("{count} profile{}", if count == 1 { "" } else { "s" });
        counts.into_iter().map(|(tag, count)| candidate(tag, Some(help(count)))).collect()
    }

    /// Returns the recipients whose names start with `start`.
    pub(super) fn recipients(&self, start: &str) -> Vec<CompletionCandidate> {
        let matching = self.outline().recipients.iter().filter(|name| name.as_str().starts_with(start));
        matching.map(|name| candidate(name.as_str(), None)).collect()
    }

    fn outline(&self) -> &Outline<'static> {
        self.outline.get_or_init(|| self.store.outline().unwrap_or_default())
    }
}

/// Creates a candidate. The tag keeps `clap_complete` from generating one for each candidate, which would be the
/// slowest step.
fn candidate(value: &str, help: Option<String>) -> CompletionCandidate {
    CompletionCandidate::new(value).help(help.map(Into::into)).tag(Some("store".into()))
}

/// Returns the sanitized and truncated description of a profile, or else its account name.
fn profile_help(summary: &ProfileSummary<'_>, name: &str) -> Option<String> {
    let account = || summary.account.as_ref().filter(|account| *account != name);
    let text = summary.description.as_ref().or_else(account)?;
    Some(truncate_columns(&sanitize_line(text), MAX_HELP_WIDTH).into_owned()).filter(|text| !text.trim().is_empty())
}

/// Returns whether the word needs no quoting in any shell.
fn is_unquoted_word(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
        && word.chars().all(|character| character.is_alphanumeric() || "-_.:/@+=".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_mean_themselves_are_offered() {
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
    fn what_is_said_of_a_profile_is_clean_and_short() {
        let summary = |description: &str| ProfileSummary {
            description: Some(description.to_owned().into()),
            ..ProfileSummary::default()
        };
        assert_eq!(profile_help(&summary("a\tb\n\u{1b}[2J"), "x").as_deref(), Some("a\\tb\\n\\u{1b}[2J"));
        assert_eq!(
            profile_help(&summary(&"x".repeat(200)), "x").map(|text| text.chars().count()),
            Some(MAX_HELP_WIDTH)
        );
        assert_eq!(profile_help(&summary(" "), "x"), None);
        let account = ProfileSummary { account: Some("acme".into()), ..ProfileSummary::default() };
        assert_eq!((profile_help(&account, "acme"), profile_help(&account, "other").as_deref()), (None, Some("acme")));
    }
}

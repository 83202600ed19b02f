//! Names out of the store, as candidates.

use crate::output::{clean, fit};
use crate::profile::{Outline, Sketch, StoreFile};
use clap_complete::CompletionCandidate;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// What is said of a profile is cut at so many columns.
const WIDEST: usize = 60;

/// The names of a store, read when the first is asked for.
pub(super) struct Names {
    store: StoreFile,
    outline: OnceLock<Outline<'static>>,
}

impl Names {
    /// Of this store.
    pub(super) fn new(store: StoreFile) -> Self {
        Self { store, outline: OnceLock::new() }
    }

    /// The profiles whose names start so, each with what it is about.
    pub(super) fn profiles(&self, start: &str) -> Vec<CompletionCandidate> {
        let fitting = self.outline().profiles.iter().filter(|(name, _)| name.as_str().starts_with(start));
        fitting.map(|(name, sketch)| candidate(name.as_str(), about(sketch, name.as_str()))).collect()
    }

    /// The tags that start so and that no shell would have to quote, each with how many profiles have it.
    pub(super) fn tags(&self, start: &str) -> Vec<CompletionCandidate> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for tag in self.outline().profiles.iter().flat_map(|(_, sketch)| &sketch.tags) {
            if tag.starts_with(start) && is_plain(tag) {
                *counts.entry(tag).or_default() += 1;
            }
        }
        let help = |count| format!("{count} profile{}", if count == 1 { "" } else { "s" });
        counts.into_iter().map(|(tag, count)| candidate(tag, Some(help(count)))).collect()
    }

    /// The recipients whose names start so.
    pub(super) fn recipients(&self, start: &str) -> Vec<CompletionCandidate> {
        let fitting = self.outline().recipients.iter().filter(|name| name.as_str().starts_with(start));
        fitting.map(|name| candidate(name.as_str(), None)).collect()
    }

    fn outline(&self) -> &Outline<'static> {
        self.outline.get_or_init(|| self.store.outline().unwrap_or_default())
    }
}

/// The group keeps the engine from naming one for each, which takes longer than all else.
fn candidate(value: &str, help: Option<String>) -> CompletionCandidate {
    CompletionCandidate::new(value).help(help.map(Into::into)).tag(Some("store".into()))
}

/// What tells a profile from its neighbours, fit to be shown.
fn about(sketch: &Sketch<'_>, name: &str) -> Option<String> {
    let account = || sketch.account.as_ref().filter(|account| *account != name);
    let text = sketch.description.as_ref().or_else(account)?;
    Some(fit(&clean(text), WIDEST).into_owned()).filter(|text| !text.trim().is_empty())
}

/// Whether every shell takes the word as it stands.
fn is_plain(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
        && word.chars().all(|character| character.is_alphanumeric() || "-_.:/@+=".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_mean_themselves_are_offered() {
        for plain in ["prod", "emea-1", "customer:acme", "a/b", "v1.2", "team@x", "zürich", "k=v", "0"] {
            assert!(is_plain(plain), "{plain}");
        }
        for special in ["", "tier 1", "$(x)", "`x`", "a;b", "a|b", "'a'", "\"a\"", "a\\b", "a*", "a?", "[a]", "{a,b}"] {
            assert!(!is_plain(special), "{special}");
        }
        for special in
            ["-a", "=ls", "~", "#a", "a\nb", "a\tb", "\u{1b}[2J", "a\u{202e}b", "a\u{200b}b", "%a", "!a", "a&"]
        {
            assert!(!is_plain(special), "{special}");
        }
    }

    #[test]
    fn what_is_said_of_a_profile_is_clean_and_short() {
        let sketch =
            |description: &str| Sketch { description: Some(description.to_owned().into()), ..Sketch::default() };
        assert_eq!(about(&sketch("a\tb\n\u{1b}[2J"), "x").as_deref(), Some("a\\tb\\n\\u{1b}[2J"));
        assert_eq!(about(&sketch(&"x".repeat(200)), "x").map(|text| text.chars().count()), Some(WIDEST));
        assert_eq!(about(&sketch(" "), "x"), None);
        let account = Sketch { account: Some("acme".into()), ..Sketch::default() };
        assert_eq!((about(&account, "acme"), about(&account, "other").as_deref()), (None, Some("acme")));
    }
}

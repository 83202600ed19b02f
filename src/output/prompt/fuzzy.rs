//! Fuzzy matching: scores how well a query matches a candidate's fields.
//!
//! Every word of the query must match a field. A match of the whole field is best. Next come the start of the field and
//! the start of a part (`prod` in `acme-prod`). A match at any other position scores lower. Scattered characters in
//! order (`acp`) score lowest. A match in the first field gets a bonus. Scattered characters that are close together
//! score higher.

/// Difference in score between two successive kinds of match.
const KIND_WEIGHT: usize = 1000;
/// Bonus for a match in the first field. Less than [`KIND_WEIGHT`], so a better kind of match always wins.
const FIRST_FIELD_BONUS: usize = 500;

/// Splits the typed query into words and converts the words to lower case.
pub(super) fn query_words(typed: &str) -> Vec<String> {
    typed.split_whitespace().map(str::to_lowercase).collect()
}

/// Returns the sum of each word's best score in the fields; higher is better. Returns `None` if a word matches no
/// field. `words` and `fields` must be in lower case.
pub(super) fn score(words: &[String], fields: &[String]) -> Option<usize> {
    words.iter().map(|word| best_field_score(word, fields)).sum()
}

fn best_field_score(word: &str, fields: &[String]) -> Option<usize> {
    let scores = fields.iter().enumerate().filter_map(|(index, field)| {
        let bonus = if index == 0 { FIRST_FIELD_BONUS } else { 0 };
        Some(field_score(word, field)? + bonus)
    });
    scores.max()
}

fn field_score(word: &str, field: &str) -> Option<usize> {
    if word == field {
        return Some(5 * KIND_WEIGHT);
    }
    let mut kind = None;
    for (index, _) in field.match_indices(word) {
        let starts_part = !field[..index].ends_with(char::is_alphanumeric);
        kind = kind.max(Some(if index == 0 { 4 } else { 2 + usize::from(starts_part) }));
    }
    match kind {
        Some(kind) => Some(kind * KIND_WEIGHT),
        None => character_span(word, field).map(|span| KIND_WEIGHT - span.min(KIND_WEIGHT - 1)),
    }
}

/// Matches the characters of `word` in order. Returns the number of characters of `field` from the first match to the
/// last. Returns `None` if a character is missing.
fn character_span(word: &str, field: &str) -> Option<usize> {
    let mut characters = word.chars();
    let mut expected = characters.next()?;
    let mut first = None;
    for (index, found) in field.chars().enumerate() {
        if found != expected {
            continue;
        }
        let first = *first.get_or_insert(index);
        match characters.next() {
            Some(next) => expected = next,
            None => return Some(index - first + 1),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score_query(typed: &str, fields: &[&str]) -> Option<usize> {
        score(&query_words(typed), &fields.iter().map(|field| field.to_lowercase()).collect::<Vec<_>>())
    }

    #[test]
    fn better_matches_score_higher() {
        // Each entry matches `prod` less well than the entry before it.
        let order = [&["prod"][..], &["production"], &["acme-prod"], &["x", "acme prod"], &["acmeprod"], &["p.r.o.d"]];
        let scores: Vec<Option<usize>> = order.iter().map(|fields| score_query("prod", fields)).collect();
        assert!(scores.is_sorted_by(|one, next| one > next), "{scores:?}");
        assert!(score_query("prod", &["p-r-o-d"]) > score_query("prod", &["p--r--o--d"]));
        assert_eq!(score_query("prod", &["dorp", "pro"]), None);
    }

    #[test]
    fn every_word_must_match_and_an_empty_query_matches_everything() {
        let acme = ["acme", "Acme Corp, Zürich", "emea"];
        assert!(
            score_query("ZÜRICH acm", &acme).is_some()
                && score_query("em ac", &acme).is_some()
                && score_query(" ", &acme).is_some()
        );
        assert_eq!(score_query("acme apac", &acme), None);
        assert_eq!(score_query("acmeemea", &acme), None, "no word is spread over two fields");
    }
}

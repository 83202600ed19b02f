//! How well what was typed fits a thing to choose.
//!
//! Every word that was typed has to fit one of the thing's fields: best the whole of it, then its start, the start of a
//! part (`prod` in `acme-prod`), any place, and last its letters with others between them (`acp`). The first field
//! counts more than the others, and letters that stand close together more than those far apart.

/// By how much a better kind of fit outweighs everything else.
const KIND: usize = 1000;
/// By how much the first field outweighs the others.
const FIRST: usize = 500;

/// The words of what was typed.
pub(super) fn words(typed: &str) -> Vec<String> {
    typed.split_whitespace().map(str::to_lowercase).collect()
}

/// How well all of these words fit one thing's fields, which are in lower case; more is better. Nothing when one does not.
pub(super) fn score(words: &[String], fields: &[String]) -> Option<usize> {
    words.iter().map(|word| best(word, fields)).sum()
}

fn best(word: &str, fields: &[String]) -> Option<usize> {
    let scores = fields.iter().enumerate().filter_map(|(place, field)| {
        let first = if place == 0 { FIRST } else { 0 };
        Some(of_field(word, field)? + first)
    });
    scores.max()
}

fn of_field(word: &str, field: &str) -> Option<usize> {
    if word == field {
        return Some(5 * KIND);
    }
    let mut kind = None;
    for (place, _) in field.match_indices(word) {
        let starts = !field[..place].ends_with(char::is_alphanumeric);
        kind = kind.max(Some(if place == 0 { 4 } else { 2 + usize::from(starts) }));
    }
    match kind {
        Some(kind) => Some(kind * KIND),
        None => span(word, field).map(|span| KIND - span.min(KIND - 1)),
    }
}

/// How many characters lie from the first to the last of the word's letters, in their order.
fn span(word: &str, field: &str) -> Option<usize> {
    let mut letters = word.chars();
    let mut wanted = letters.next()?;
    let mut first = None;
    for (place, found) in field.chars().enumerate() {
        if found != wanted {
            continue;
        }
        let first = *first.get_or_insert(place);
        match letters.next() {
            Some(next) => wanted = next,
            None => return Some(place - first + 1),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(typed: &str, fields: &[&str]) -> Option<usize> {
        score(&words(typed), &fields.iter().map(|field| field.to_lowercase()).collect::<Vec<_>>())
    }

    #[test]
    fn what_fits_better_comes_first() {
        // Each fits `prod` less than the one before it.
        let order = [&["prod"][..], &["production"], &["acme-prod"], &["x", "acme prod"], &["acmeprod"], &["p.r.o.d"]];
        let scores: Vec<Option<usize>> = order.iter().map(|fields| of("prod", fields)).collect();
        assert!(scores.is_sorted_by(|one, next| one > next), "{scores:?}");
        assert!(of("prod", &["p-r-o-d"]) > of("prod", &["p--r--o--d"]));
        assert_eq!(of("prod", &["dorp", "pro"]), None);
    }

    #[test]
    fn every_word_has_to_fit_and_nothing_typed_fits_all() {
        let acme = ["acme", "Acme Corp, Zürich", "emea"];
        assert!(of("ZÜRICH acm", &acme).is_some() && of("em ac", &acme).is_some() && of(" ", &acme).is_some());
        assert_eq!(of("acme apac", &acme), None);
        assert_eq!(of("acmeemea", &acme), None, "no word is spread over two fields");
    }
}

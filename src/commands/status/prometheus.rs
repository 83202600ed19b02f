//! Prometheus metrics of the cached tokens, for the textfile collector of node_exporter.
//!
//! Owns the names of the metrics and the text format (version 0.0.4).

use super::StatusRow;
use crate::output::sanitize_line;
use std::fmt::Write as _;

/// Metric with a sample for each row that has a value.
struct Metric {
    name: &'static str,
    help: &'static str,
    /// Returns the sample of a row, if it has one.
    sample: fn(&StatusRow<'_>) -> Option<Sample>,
}

/// Additional label of a sample, if it has one, and the value of the sample.
struct Sample(Option<(&'static str, &'static str)>, i64);

const METRICS: [Metric; 3] = [
    Metric {
        name: "neto_token_expires_in_seconds",
        help: "Seconds until the cached token expires, when this page was written; negative when past, absent without a token.",
        sample: |row| Some(Sample(None, row.expires_in_seconds?)),
    },
    Metric {
        name: "neto_token_expires_timestamp_seconds",
        help: "When the cached token expires, in seconds since the epoch; absent without a token.",
        sample: |row| Some(Sample(None, row.expires_at?.as_second())),
    },
    Metric {
        name: "neto_token_state",
        help: "1 for the state of the cached token: valid, expiring, renewable, expired, none, rejected or unreachable.",
        sample: |row| Some(Sample(Some(("state", row.state.as_str())), 1)),
    },
];

/// Renders the metrics.
pub(super) fn render_metrics(rows: &[StatusRow<'_>]) -> String {
    let mut page = String::new();
    for Metric { name, help, sample } in METRICS {
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge");
        for row in rows {
            let Some(Sample(label, value)) = sample(row) else { continue };
            let _ = write!(page, "{name}{{profile={}", quote_label_value(row.profile.as_str()));
            for (key, text) in row.shortname.map(|shortname| ("shortname", shortname)).into_iter().chain(label) {
                let _ = write!(page, ",{key}={}", quote_label_value(text));
            }
            let _ = writeln!(page, "}} {value}");
        }
    }
    page
}

/// Sanitizes, escapes and quotes the value of a label.
fn quote_label_value(text: &str) -> String {
    format!("\"{}\"", sanitize_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::quote_label_value;

    #[test]
    fn quotes_and_backslashes_in_label_values_are_escaped() {
        for (text, label) in
            [("acme", r#""acme""#), ("a\"b\\c", r#""a\"b\\c""#), ("\u{1b}\n", r#""\\u{1b}\\n""#), ("", r#""""#)]
        {
            assert_eq!(quote_label_value(text), label);
        }
    }
}

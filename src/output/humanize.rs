//! Formats counts, times and durations for people. Output for programs uses exact values instead.

use jiff::Timestamp;

/// Formats a count with its noun, such as `1 profile` or `3 profiles`. The plural is the noun with an `s`.
pub(crate) fn pluralize(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Formats an instant without its seconds, such as `2026-11-24 17:04 UTC`.
pub(crate) fn utc_minute(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Formats a duration, rounded down. Days and hours show the next smaller unit too: `2d 00h`, `23h 58m`, `12m`, `40s`.
/// A negative duration shows only its largest unit: `3h ago`.
pub(crate) fn duration(seconds: i64) -> String {
    let total = seconds.unsigned_abs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|(_, size)| total >= *size).unwrap_or(3);
    let (unit, size) = units[first];
    let largest = format!("{}{unit}", total / size);
    match units.get(first + 1) {
        _ if seconds < 0 => largest + " ago",
        Some((unit, smaller)) if first < 2 => format!("{largest} {:02}{unit}", total % size / smaller),
        _ => largest,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_show_at_most_two_units() {
        for (seconds, text) in [
            (86_280, "23h 58m"),
            (4_320, "1h 12m"),
            (172_800, "2d 00h"),
            (725, "12m"),
            (40, "40s"),
            (0, "0s"),
            (-10_900, "3h ago"),
            (-5, "5s ago"),
        ] {
            assert_eq!(super::duration(seconds), text, "{seconds}");
        }
    }
}

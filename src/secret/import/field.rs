//! Maps the names of fields and variables in files to the canonical names of the fields.

use crate::profile::near_matches;

/// Canonical names of all fields of an entry.
pub(super) const FIELDS: [&str; 11] = [
    "name",
    "shortname",
    "appname",
    "appkey",
    "sharedsecret",
    "url",
    "tags",
    "description",
    "netosecret",
    "username",
    "password",
];

/// Maximum length of a key that is checked for a misspelling.
const MAX_KEY_BYTES: usize = 64;

/// Other names of fields, normalized, with their canonical names. The portal, the published recipes and the lists that
/// neto prints use these names.
const ALIASES: [(&str, &str); 6] = [
    ("profile", "name"),
    ("tag", "tags"),
    ("apisharedsecret", "sharedsecret"),
    ("baseurl", "url"),
    ("apiurl", "url"),
    ("apibaseurl", "url"),
];

/// Suffixes of variable names, with the fields that they name. `BASE_URL` must precede `URL`: otherwise the prefix of
/// `ACME_BASE_URL` would be `ACME_BASE_`.
const VARIABLE_SUFFIXES: [(&str, &str); 14] = [
    ("API_SHARED_SECRET", "sharedsecret"),
    ("API_BASE_URL", "url"),
    ("SHARED_SECRET", "sharedsecret"),
    ("SHAREDSECRET", "sharedsecret"),
    ("SHORT_NAME", "shortname"),
    ("NETOSECRET", "netosecret"),
    ("SHORTNAME", "shortname"),
    ("BASE_URL", "url"),
    ("APP_NAME", "appname"),
    ("APPNAME", "appname"),
    ("APP_KEY", "appkey"),
    ("API_URL", "url"),
    ("APPKEY", "appkey"),
    ("URL", "url"),
];

/// Returns the field for a CSV column or a JSON key, ignoring case, blanks, `_` and `-`. Returns `None` for an unknown
/// name.
pub(super) fn from_key(key: &str) -> Option<&'static str> {
    let normalized = normalize(key);
    let field = FIELDS.into_iter().find(|field| *field == normalized);
    field.or_else(|| ALIASES.into_iter().find(|(alias, _)| *alias == normalized).map(|(_, field)| field))
}

/// Returns the field whose name is most similar to a misspelled CSV column or JSON key. Returns `None` if no name is
/// similar.
pub(super) fn closest_to_key(key: &str) -> Option<&'static str> {
    // A longer key is not a misspelling, and its comparison would be slow.
    if key.len() > MAX_KEY_BYTES {
        return None;
    }
    let best = *near_matches(&normalize(key), FIELDS).first()?;
    FIELDS.into_iter().find(|field| *field == best)
}

/// Splits the name of a variable into a prefix and a field: `ACME_APP_KEY` into `ACME_` and the appkey. The vendor's
/// connectors use `NETO__API__APP_NAME`, with the prefix `NETO__API__`. Returns `None` if the name has no known suffix.
pub(super) fn split_variable(name: &str) -> Option<(String, &'static str)> {
    let name = name.to_ascii_uppercase();
    let strip_suffix = |(suffix, field): (&str, &'static str)| {
        let prefix = name.strip_suffix(suffix)?;
        (prefix.is_empty() || prefix.ends_with('_')).then_some((prefix, field))
    };
    let (prefix, field) = VARIABLE_SUFFIXES.into_iter().find_map(strip_suffix)?;
    // `ACME_API_APP_KEY` and `ACME_API_URL` must get the same prefix, `ACME_`. Of these two, only the second has a
    // suffix that includes `API_`.
    let prefix = prefix.strip_suffix("API_").filter(|rest| rest.is_empty() || rest.ends_with('_')).unwrap_or(prefix);
    Some((prefix.to_owned(), field))
}

fn normalize(key: &str) -> String {
    key.trim().chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_by_all_its_names() {
        for (key, field) in [
            ("appkey", Some("appkey")),
            (" App Key ", Some("appkey")),
            ("SHARED_SECRET", Some("sharedsecret")),
            ("sharedSecret", Some("sharedsecret")),
            ("api_shared_secret", Some("sharedsecret")),
            ("API-URL", Some("url")),
            ("profile", Some("name")),
            ("Tag", Some("tags")),
            ("shortnam", None),
            ("contact", None),
            ("", None),
        ] {
            assert_eq!(from_key(key), field, "{key}");
        }
        assert_eq!(
            (closest_to_key("Short nam"), closest_to_key("apkey"), closest_to_key("contact")),
            (Some("shortname"), Some("appkey"), None)
        );
    }

    #[test]
    fn a_variable_name_is_split_into_prefix_and_field() {
        for (name, wanted) in [
            ("APPKEY", Some(("", "appkey"))),
            ("url", Some(("", "url"))),
            ("API_BASE_URL", Some(("", "url"))),
            ("API_APP_KEY", Some(("", "appkey"))),
            ("NETOSECRET", Some(("", "netosecret"))),
            ("ACME_NETOSECRET", Some(("ACME_", "netosecret"))),
            ("NETO_SHARED_SECRET", Some(("NETO_", "sharedsecret"))),
            ("ACME_API_URL", Some(("ACME_", "url"))),
            ("ACME_API_SHARED_SECRET", Some(("ACME_", "sharedsecret"))),
            ("ACME_API_SHORTNAME", Some(("ACME_", "shortname"))),
            ("NETO__API__APP_NAME", Some(("NETO__API__", "appname"))),
            ("NETO__API__SHARED_SECRET", Some(("NETO__API__", "sharedsecret"))),
            ("NETO__API__URL", Some(("NETO__API__", "url"))),
            ("NETO__API__APP__NAME", None),
            ("MYURL", None),
            ("NETO_TOKEN", None),
        ] {
            let found = split_variable(name);
            assert_eq!(found.as_ref().map(|(prefix, field)| (prefix.as_str(), *field)), wanted, "{name}");
        }
    }
}

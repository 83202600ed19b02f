//! The fields of a credential by all the names that they have in files.

use crate::profile::near;

/// Every field, each under its one name.
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

/// The longest key that is compared with them, in bytes.
const LONGEST: usize = 64;

/// Further names: as the portal's pages, the recipes and neto's own lists call them.
const OTHERS: [(&str, &str); 6] = [
    ("profile", "name"),
    ("tag", "tags"),
    ("apisharedsecret", "sharedsecret"),
    ("baseurl", "url"),
    ("apiurl", "url"),
    ("apibaseurl", "url"),
];

/// The fields that a variable may end in, the longer ones first, so that `API_URL` is not the url of `API_`.
const VARIABLES: [(&str, &str); 14] = [
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

/// The field that a column or key means, whatever its case, and whether it is written in one word or several.
pub(super) fn of_key(key: &str) -> Option<&'static str> {
    let plain = plain(key);
    let known = FIELDS.into_iter().find(|field| *field == plain);
    known.or_else(|| OTHERS.into_iter().find(|(other, _)| *other == plain).map(|(_, field)| field))
}

/// The field that a column or key nearly means.
pub(super) fn near_key(key: &str) -> Option<&'static str> {
    // What is much longer is nothing mistyped, and to compare it takes long.
    if key.len() > LONGEST {
        return None;
    }
    let best = *near(&plain(key), FIELDS).first()?;
    FIELDS.into_iter().find(|field| *field == best)
}

/// What a variable holds, with what stands before that: `ACME_APP_KEY` is the appkey of `ACME_`, and the connectors'
/// `NETO__API__APP_NAME` the appname of `NETO__API__`.
pub(super) fn of_variable(name: &str) -> Option<(String, &'static str)> {
    let name = name.to_ascii_uppercase();
    let ends = |(end, field): (&str, &'static str)| {
        let before = name.strip_suffix(end)?;
        (before.is_empty() || before.ends_with('_')).then_some((before, field))
    };
    let (before, field) = VARIABLES.into_iter().find_map(ends)?;
    // `ACME_API_APP_KEY` goes with `ACME_API_URL`, whose `API` is a part of the field.
    let before = before.strip_suffix("API_").filter(|rest| rest.is_empty() || rest.ends_with('_')).unwrap_or(before);
    Some((before.to_owned(), field))
}

fn plain(key: &str) -> String {
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
            assert_eq!(of_key(key), field, "{key}");
        }
        assert_eq!(
            (near_key("Short nam"), near_key("apkey"), near_key("contact")),
            (Some("shortname"), Some("appkey"), None)
        );
    }

    #[test]
    fn a_variable_is_a_field_of_what_stands_before_it() {
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
            let found = of_variable(name);
            assert_eq!(found.as_ref().map(|(before, field)| (before.as_str(), *field)), wanted, "{name}");
        }
    }
}

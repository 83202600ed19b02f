//! The accounts of a reseller, as its server lists them. Facts come from the published reference ("Resellers").

use super::ApiPath;
use super::list_answer::{self, Listed};
use serde::Deserialize;

/// The longest shortname that is believed, in bytes; the reference makes new ones of 5 to 16 characters.
const LONGEST: usize = 255;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The tenant. Any text of 1 to 255 bytes: what a server says is not checked further.
    pub shortname: String,
    /// The shortname of the reseller right above it; absent where the server does not say.
    pub parent: Option<String>,
    /// How many accounts lie right below it; absent where the server does not say.
    pub children: Option<u64>,
    /// Whether it is a trial; absent where the server does not say.
    pub trial: Option<bool>,
}

#[derive(Deserialize)]
struct Wire {
    shortname: String,
    reseller: Option<Reseller>,
    billing: Option<Billing>,
}

#[derive(Deserialize)]
struct Reseller {
    parent: Option<String>,
    children: Option<u64>,
}

#[derive(Deserialize)]
struct Billing {
    trial: Option<bool>,
}

impl Customer {
    /// The most accounts in one answer. The reference knows neither paging nor a filter, so an answer of so many has to be
    /// taken as cut.
    pub const MOST: usize = 1000;

    /// Where the accounts of the reseller are that asks.
    #[must_use]
    pub fn list() -> ApiPath {
        ApiPath::fixed("/api/v1/customers")
    }

    /// Where one account is; nothing for a shortname that may mean another place in a path.
    #[must_use]
    pub fn place(shortname: &str) -> Option<ApiPath> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let whole = !shortname.is_empty() && shortname.bytes().all(plain);
        whole.then(|| format!("/api/v1/customer/{shortname}").parse().ok()).flatten()
    }

    /// Reads the body of [`Customer::list`].
    ///
    /// # Errors
    /// What is wrong with it, as a sentence about "it" without its content.
    pub fn parse_list(body: &[u8]) -> Result<Listed<Self>, &'static str> {
        Listed::parse(body, Self::read)
    }

    /// Reads the body of [`Customer::place`].
    ///
    /// # Errors
    /// As [`Customer::parse_list`].
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        list_answer::one(body, Self::read)
    }

    fn read(wire: Wire) -> Option<Self> {
        let believed = |text: &String| (1..=LONGEST).contains(&text.len());
        let (parent, children) = wire.reseller.map_or((None, None), |reseller| (reseller.parent, reseller.children));
        let parent = parent.filter(|parent| !parent.is_empty());
        let fits = believed(&wire.shortname) && parent.as_ref().is_none_or(believed);
        let trial = wire.billing.and_then(|billing| billing.trial);
        fits.then_some(Self { shortname: wire.shortname, parent, children, trial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(shortname: &str) -> Customer {
        Customer { shortname: shortname.to_owned(), parent: None, children: None, trial: None }
    }

    #[test]
    fn an_answer_as_the_reference_has_it() {
        let body = br#"{"meta": {"code": 200, "count": 3}, "data": [
            {"id": "1", "shortname": "acme", "ingest_port": 2055, "billing": {"data_retention": 90, "trial": true},
             "reseller": {"parent": "msp", "node": "msp.acme", "children": 2, "is_parent": true}},
            {"shortname": "globex", "reseller": {"parent": ""}, "billing": null},
            {"shortname": "hooli"}]}"#;
        let acme =
            Customer { parent: Some("msp".to_owned()), children: Some(2), trial: Some(true), ..customer("acme") };
        let rows = vec![acme.clone(), customer("globex"), customer("hooli")];
        assert_eq!(Customer::parse_list(body), Ok(Listed { rows, unread: 0 }));
        let one = br#"{"data": {"shortname": "acme", "reseller": {"parent": "msp", "children": 2}, "billing": {"trial": true}}}"#;
        assert_eq!(Customer::parse(one), Ok(acme));
        assert_eq!(Customer::parse_list(br#"{"data": []}"#), Ok(Listed { rows: Vec::new(), unread: 0 }));
    }

    #[test]
    fn a_bad_row_is_counted_and_the_others_are_read() {
        let long = format!(r#"{{"shortname": "{}"}}"#, "x".repeat(LONGEST + 1));
        let bad = [
            "5",
            "null",
            "{}",
            r#"{"shortname": ""}"#,
            r#"{"shortname": 5}"#,
            r#"{"shortname": "a", "shortname": "b"}"#,
            r#"{"shortname": "a", "reseller": {"children": -1}}"#,
            r#"{"shortname": "a", "reseller": {"children": "2"}}"#,
            r#"{"shortname": "a", "reseller": []}"#,
            r#"{"shortname": "a", "billing": {"trial": "no"}}"#,
            &long,
        ];
        for row in bad {
            let body = format!(r#"{{"data": [{{"shortname": "acme"}}, {row}]}}"#);
            assert_eq!(Customer::parse_list(body.as_bytes()), Ok(Listed { rows: vec![customer("acme")], unread: 1 }));
            let body = format!(r#"{{"data": [{row}]}}"#);
            assert!(Customer::parse_list(body.as_bytes()).is_err(), "{row}");
        }
    }

    #[test]
    fn what_has_another_shape_is_no_answer() {
        for (body, what) in [
            (&b"<html>"[..], "it is not one JSON object"),
            (b"[]", "it is not one JSON object"),
            (b"{\"data\": []} x", "it is not one JSON object"),
            (b"{\"data\": [\"\xff\"]}", "it is not one JSON object"),
            (b"{\"data\": [], \"data\": []}", "it is not one JSON object"),
            (b"{}", "it holds no data"),
            (b"{\"data\": null}", "it holds no data"),
            (b"{\"data\": {\"shortname\": \"acme\"}}", "its data is no list"),
        ] {
            assert_eq!(Customer::parse_list(body), Err(what), "{}", String::from_utf8_lossy(body));
        }
        assert_eq!(Customer::parse(b"{\"data\": []}"), Err("its data cannot be read"));
    }

    #[test]
    fn only_a_plain_shortname_has_a_place() {
        assert_eq!(Customer::place("acme-1.x_~").unwrap().whole(), "/api/v1/customer/acme-1.x_~");
        for shortname in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "ä"] {
            assert_eq!(Customer::place(shortname), None, "{shortname}");
        }
    }
}

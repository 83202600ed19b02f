//! Customer accounts of a reseller: the paths of the calls, and the parsers for the responses.
//!
//! The calls are described in the published reference, chapter "Resellers".

use super::ApiPath;
use super::list_answer::{self, ListResponse};
use serde::Deserialize;

/// Maximum accepted length of a shortname. In the reference, a shortname has 5 to 16 characters.
const MAX_SHORTNAME_BYTES: usize = 255;

/// Customer account of a reseller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Shortname of the tenant: any text of 1 to 255 bytes, not validated further.
    pub shortname: String,
    /// Shortname of the direct parent reseller, of at most 255 bytes; absent if the response has none.
    pub parent: Option<String>,
    /// Number of accounts directly below this account; absent if the response has no number.
    pub children: Option<u64>,
    /// Whether the account is a trial; absent if the response does not say.
    pub trial: Option<bool>,
}

#[derive(Deserialize)]
struct CustomerWire {
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
    /// Maximum number of accounts in one response. The reference describes neither paging nor a filter. A response with
    /// this many accounts must therefore be treated as truncated.
    pub const MAX_PER_RESPONSE: usize = 1000;

    /// Returns the path for listing the calling reseller's accounts.
    #[must_use]
    pub fn list_path() -> ApiPath {
        ApiPath::from_static("/api/v1/customers")
    }

    /// Returns the path of one account. Returns `None` if the shortname is empty, `.` or `..`, or has characters other
    /// than `[A-Za-z0-9._~-]`.
    #[must_use]
    pub fn path_of(shortname: &str) -> Option<ApiPath> {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_plain = !shortname.is_empty() && shortname.bytes().all(is_unreserved);
        is_plain.then(|| format!("/api/v1/customer/{shortname}").parse().ok()).flatten()
    }

    /// Parses the response to a `GET` of [`Customer::list_path`].
    ///
    /// # Errors
    /// Returns a description of the problem. The description calls the response "it" and quotes nothing from the body.
    pub fn parse_list(body: &[u8]) -> Result<ListResponse<Self>, &'static str> {
        ListResponse::parse(body, Self::from_wire)
    }

    /// Parses the response to a `GET` of [`Customer::path_of`].
    ///
    /// # Errors
    /// Fails with the same errors as [`Customer::parse_list`].
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        list_answer::parse_one(body, Self::from_wire)
    }

    fn from_wire(wire: CustomerWire) -> Option<Self> {
        let has_valid_length = |shortname: &String| (1..=MAX_SHORTNAME_BYTES).contains(&shortname.len());
        let (parent, children) = wire.reseller.map_or((None, None), |reseller| (reseller.parent, reseller.children));
        let parent = parent.filter(|parent| !parent.is_empty());
        let is_valid = has_valid_length(&wire.shortname) && parent.as_ref().is_none_or(has_valid_length);
        let trial = wire.billing.and_then(|billing| billing.trial);
        is_valid.then_some(Self { shortname: wire.shortname, parent, children, trial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(shortname: &str) -> Customer {
        Customer { shortname: shortname.to_owned(), parent: None, children: None, trial: None }
    }

    #[test]
    fn the_documented_response_is_parsed() {
        let body = br#"{"meta": {"code": 200, "count": 3}, "data": [
            {"id": "1", "shortname": "acme", "ingest_port": 2055, "billing": {"data_retention": 90, "trial": true},
             "reseller": {"parent": "msp", "node": "msp.acme", "children": 2, "is_parent": true}},
            {"shortname": "globex", "reseller": {"parent": ""}, "billing": null},
            {"shortname": "hooli"}]}"#;
        let acme =
            Customer { parent: Some("msp".to_owned()), children: Some(2), trial: Some(true), ..customer("acme") };
        let rows = vec![acme.clone(), customer("globex"), customer("hooli")];
        assert_eq!(Customer::parse_list(body), Ok(ListResponse { rows, unreadable: 0 }));
        let one = br#"{"data": {"shortname": "acme", "reseller": {"parent": "msp", "children": 2}, "billing": {"trial": true}}}"#;
        assert_eq!(Customer::parse(one), Ok(acme));
        assert_eq!(Customer::parse_list(br#"{"data": []}"#), Ok(ListResponse { rows: Vec::new(), unreadable: 0 }));
    }

    #[test]
    fn an_invalid_row_is_counted_and_skipped() {
        let long = format!(r#"{{"shortname": "{}"}}"#, "x".repeat(MAX_SHORTNAME_BYTES + 1));
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
            assert_eq!(
                Customer::parse_list(body.as_bytes()),
                Ok(ListResponse { rows: vec![customer("acme")], unreadable: 1 })
            );
            let body = format!(r#"{{"data": [{row}]}}"#);
            assert!(Customer::parse_list(body.as_bytes()).is_err(), "{row}");
        }
    }

    #[test]
    fn a_body_without_a_valid_envelope_is_rejected() {
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
    fn only_a_plain_shortname_has_a_path() {
        assert_eq!(Customer::path_of("acme-1.x_~").unwrap().as_str(), "/api/v1/customer/acme-1.x_~");
        for shortname in ["", ".", "..", "a/b", "a?b", "a%2fb", "a b", "ä"] {
            assert_eq!(Customer::path_of(shortname), None, "{shortname}");
        }
    }
}

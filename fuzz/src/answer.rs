//! The server's answers: every grant comes from the answer, and every valid answer is granted.

use jiff::Timestamp;
use neto::internals::fusion::Grant;
use neto::internals::secret::{Json, JsonError, Secret};
use serde_json::Value;

/// A year, in seconds.
const YEAR: u64 = 31_536_000;

pub fn check(body: &[u8]) {
    let granted = Grant::parse(body, Timestamp::UNIX_EPOCH);
    if let Ok(grant) = &granted {
        check_grant(grant);
    }
    // `NaN` and `Infinity`, as Python writes them, are not JSON. No other parser accepts them for comparison.
    let Some(text) = std::str::from_utf8(body).ok().filter(|text| !text.contains("NaN") && !text.contains("Infinity"))
    else {
        return;
    };
    match (Json::parse(text), granted) {
        (Err(JsonError::DuplicateKey { .. } | JsonError::TooDeep), Ok(_)) => {
            panic!("granted by an answer that is not strict")
        }
        (Ok(_), granted) => compare_with_contract(&serde_json::from_str(text).expect("strict JSON is JSON"), granted),
        _ => {}
    }
}

/// Checks a grant, whatever answer it came from.
fn check_grant(grant: &Grant) {
    let refresh = grant.refresh.as_ref();
    for token in [Some(&grant.access), refresh.map(|refresh| &refresh.token)].into_iter().flatten() {
        assert!(is_token(token.reveal()), "a token of other characters");
    }
    for lifetime in [grant.lifetime, refresh.and_then(|refresh| refresh.lifetime)].into_iter().flatten() {
        assert!((1..=YEAR).contains(&lifetime), "a life of {lifetime} s");
    }
}

fn is_token(text: &str) -> bool {
    let mut rest = text.bytes();
    (1..=16_384).contains(&text.len())
        && rest.all(
            |b| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b'-'),
        )
}

/// Computes the grant of a well-formed answer from the contract alone, and compares.
fn compare_with_contract(answer: &Value, granted: Result<Grant, &'static str>) {
    let field = |name: &str| answer.get(name).filter(|value| !value.is_null());
    let token = |name: &str| match field(name) {
        None => Ok(None),
        Some(value) => value.as_str().filter(|text| is_token(text)).map(Some).ok_or(()),
    };
    let bearer =
        field("token_type").is_none_or(|kind| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")));
    let expected = match (answer.is_object() && bearer, token("access_token"), token("refresh_token")) {
        (true, Ok(Some(access)), Ok(refresh)) => Some((access, refresh)),
        _ => None,
    };
    let found = granted.as_ref().ok().map(|grant| {
        let refresh = grant.refresh.as_ref().map(|refresh| &refresh.token);
        (grant.access.reveal(), refresh.map(Secret::reveal))
    });
    assert_eq!(found, expected, "{granted:?}");
    let Ok(grant) = granted else { return };
    check_lifetime(field("expires_in"), grant.lifetime);
    if let Some(refresh) = grant.refresh {
        check_lifetime(field("refresh_expires_in"), refresh.lifetime);
    }
}

/// Integers and digit strings must match exactly. A float may be rounded by either side, so only its range is checked.
fn check_lifetime(written: Option<&Value>, found: Option<u64>) {
    let seconds = match written {
        Some(Value::Number(number)) if number.is_f64() => {
            let sensible = number.as_f64().is_some_and(|number| (1.0..=31_536_000.0).contains(&number));
            assert!(sensible || found.is_none(), "{number} is no length of time");
            return;
        }
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    };
    assert_eq!(found, seconds.filter(|seconds| (1..=YEAR).contains(seconds)));
}

//! Unit tests of `fusion::request_token`.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::BTreeSet;

fn token() -> String {
    let secret = |text: &str| Secret::new(text.to_owned());
    let now = Timestamp::from_millisecond(1_700_000_000_999).unwrap();
    sign("acme", "soc \"1\"", &secret("key"), &secret("shared"), now).unwrap().reveal().to_owned()
}

#[test]
fn a_request_token_has_exactly_the_documented_header_and_claims() {
    let token = token();
    let parts: Vec<_> = token.split('.').collect();
    let json =
        |part: &str| -> serde_json::Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    assert_eq!(json(parts[0]), serde_json::json!({"typ": "JWT", "alg": "HS256"}));
    let claims = json(parts[1]);
    let jti = claims["jti"].as_u64().unwrap();
    assert_eq!(
        claims,
        serde_json::json!({"iat": 1_700_000_000, "jti": jti, "appname": "soc \"1\"", "appkey": "key", "shortname": "acme"})
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(b"shared").unwrap();
    mac.update(format!("{}.{}", parts[0], parts[1]).as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(parts[2]).unwrap()).unwrap();
}

#[test]
fn only_a_token_signed_with_the_secret_and_with_five_claims_is_accepted() {
    let secret = |text: &str| Secret::new(text.to_owned());
    let claims = Claims::verify(&token(), &secret("shared")).unwrap();
    let said = (claims.iat, &*claims.appname, &*claims.appkey, &*claims.shortname);
    assert_eq!(said, (1_700_000_000, "soc \"1\"", "key", "acme"));
    assert!(Claims::verify(&token(), &secret("other")).is_none());

    let signed = |algorithm, claims: serde_json::Value| {
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(b"shared")).ok()
    };
    let five = serde_json::json!({"iat": 1, "jti": "a text", "appname": "a", "appkey": "k", "shortname": "s"});
    let read =
        |claims: serde_json::Value| Claims::verify(&signed(Algorithm::HS256, claims).unwrap(), &secret("shared"));
    assert!(read(five.clone()).is_some());
    for (name, value) in [("jti", serde_json::Value::Null), ("iat", "1".into()), ("more", 1.into())] {
        let mut other = five.clone();
        other[name] = value;
        assert!(read(other).is_none(), "{name}");
    }
    let mut fewer = five.clone();
    fewer.as_object_mut().unwrap().remove("appkey");
    assert!(read(fewer).is_none());
    // Unsigned tokens and other algorithms are rejected.
    let text = |value: &str| URL_SAFE_NO_PAD.encode(value);
    let unsigned = format!("{}.{}.", text(r#"{"alg":"none"}"#), text(&five.to_string()));
    for other in [unsigned.as_str(), "", "a.b.c", "a.b.c.d"] {
        assert!(Claims::verify(other, &secret("shared")).is_none(), "{other}");
    }
    assert!(signed(Algorithm::HS384, five).is_none(), "no other algorithm is built in");
}

#[test]
fn r23_a_jti_has_52_random_bits() {
    let drawn: BTreeSet<u64> = (0..1_000).map(|_| random_jti().unwrap()).collect();
    assert_eq!(drawn.len(), 1_000);
    assert!(drawn.iter().all(|jti| (1 << 52..1 << 53).contains(jti)));
    // Every lower bit is set in at least one `jti`.
    assert_eq!(drawn.iter().fold(0, |all, jti| all | jti), (1 << 53) - 1);
}

#[test]
fn keys_of_any_length_can_sign() {
    for length in [1, 63, 64, 65, 4_096] {
        let key = Secret::new("k".repeat(length));
        assert!(sign("a", "b", &key, &key, Timestamp::UNIX_EPOCH).is_ok());
    }
}

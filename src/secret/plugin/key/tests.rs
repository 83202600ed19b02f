//! Unit tests of `secret::plugin::key`.

use super::*;
use bech32::{Bech32, ByteIterExt as _, Fe32, Fe32IterExt as _, Hrp};

/// Returns the bech32 text of the data, in lower case.
fn encode_bech32(prefix: &str, data: &[u8]) -> String {
    bech32::encode::<Bech32>(Hrp::parse(prefix).unwrap(), data).unwrap()
}

#[test]
fn only_recipients_of_a_plugin_are_parsed() {
    let good = encode_bech32("age1toy", b"0123456789abcdef");
    let key = PluginRecipient::parse(&good).unwrap();
    assert_eq!((key.as_str(), key.plugin().program().as_str()), (good.as_str(), "age-plugin-toy"));
    let last = good.len() - 1;
    for text in [
        String::new(),
        "age1".to_owned(),
        good.to_uppercase(),
        good.replace("toy1x", "toy1X"),
        good.replace("age1toy", "age1tay"),
        format!("{}{}", &good[..last], if good.ends_with('q') { 'p' } else { 'q' }),
        good[..last].to_owned(),
        format!("{good} "),
        format!(" {good}"),
    ] {
        assert_ne!(text, good);
        assert_eq!(PluginRecipient::parse(&text), Err(PluginKeyError::Malformed), "{text}");
    }
    for (prefix, error) in [
        ("age", PluginKeyError::NativeKey),
        ("age1pq", PluginKeyError::NativeKey),
        ("age1tag", PluginKeyError::NativeKey),
        ("age1tagpq", PluginKeyError::NativeKey),
        ("age1", PluginKeyError::Malformed),
        ("aged1toy", PluginKeyError::Malformed),
        ("bc", PluginKeyError::Malformed),
    ] {
        let text = encode_bech32(prefix, b"0123456789abcdef");
        assert_eq!(PluginRecipient::parse(&text), Err(error), "{text}");
    }
}

#[test]
fn r55_a_plugin_name_has_no_path_or_shell_characters() {
    for name in ["toy", "t-o-y", "7", "a1b", "-", "pqx"] {
        let recipient = PluginRecipient::parse(&encode_bech32(&format!("age1{name}"), b"x")).unwrap();
        let identity = encode_bech32(&format!("age-plugin-{name}-"), b"x").to_uppercase();
        assert_eq!(recipient.plugin(), PluginIdentity::parse(&identity).unwrap().plugin());
        assert_eq!(recipient.plugin().program(), format!("age-plugin-{name}"));
    }
    for name in ["../x", "a/b", "a.b", "a_b", "a+b", "a\\b", "a:b", "$x", "a;b", "~", "x`"] {
        let recipient = encode_bech32(&format!("age1{name}"), b"x");
        assert_eq!(PluginRecipient::parse(&recipient), Err(PluginKeyError::InvalidName), "{name}");
        let identity = encode_bech32(&format!("age-plugin-{name}-"), b"x").to_uppercase();
        assert_eq!(PluginIdentity::parse(&identity), Err(PluginKeyError::InvalidName), "{name}");
    }
}

#[test]
fn an_identity_is_upper_case_and_hidden_in_debug_output() {
    let text = encode_bech32("age-plugin-toy-", b"canary").to_uppercase();
    let identity = PluginIdentity::parse(&text).unwrap();
    assert_eq!((identity.text().reveal(), identity.plugin().to_string().as_str()), (text.as_str(), "toy"));
    assert!(!format!("{identity:?}").contains("AGE-PLUGIN"), "{identity:?}");
    for (text, error) in [
        (text.to_lowercase(), PluginKeyError::Malformed),
        (text.replace("TOY", "TOO"), PluginKeyError::Malformed),
        (encode_bech32("age-plugin-toy", b"canary").to_uppercase(), PluginKeyError::Malformed),
        (encode_bech32("age-plugin--", b"canary").to_uppercase(), PluginKeyError::InvalidName),
        (encode_bech32("age-plugin-", b"canary").to_uppercase(), PluginKeyError::Malformed),
        (encode_bech32("age-secret-key-", b"canary").to_uppercase(), PluginKeyError::Malformed),
    ] {
        assert_eq!(PluginIdentity::parse(&text), Err(error), "{text}");
    }
}

#[test]
fn a_non_canonical_key_is_refused() {
    let prefix = Hrp::parse("age1toy").unwrap();
    let mut digits: Vec<Fe32> = [b'x'].into_iter().bytes_to_fes().collect();
    // One byte takes two digits of five bits; the last two bits have no meaning.
    let text = |digits: &[Fe32]| digits.iter().copied().with_checksum::<Bech32>(&prefix).chars().collect::<String>();
    assert!(PluginRecipient::parse(&text(&digits)).is_ok());
    digits[1] = Fe32::try_from(digits[1].to_u8() | 1).unwrap();
    assert!(bech32::decode(&text(&digits)).is_ok_and(|(_, data)| data == b"x"));
    assert_eq!(PluginRecipient::parse(&text(&digits)), Err(PluginKeyError::Malformed));
}

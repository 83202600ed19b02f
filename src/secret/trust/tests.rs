//! Unit tests of `secret::trust`.

use super::*;
use crate::secret::binding::tests::profile;

fn with(change: impl FnOnce(&mut Profile)) -> Profile {
    let mut profile = profile();
    change(&mut profile);
    profile
}

#[test]
fn a_sealed_profile_is_trusted_after_its_first_use() {
    let mut trust_store = TrustStore::default();
    assert_eq!(trust_store.status(&profile()), TrustStatus::FirstUse);
    trust_store.trust_profile(&profile());
    assert_eq!(trust_store.status(&profile()), TrustStatus::Trusted);
    // The sealed text and preferences such as tags require no trust.
    let other = with(|profile| {
        profile.tags = vec!["prod".to_owned()];
        profile.secret = SecretLocation::Sealed("another".to_owned().into());
    });
    assert_eq!(trust_store.status(&other), TrustStatus::Trusted);
}

#[test]
fn a_change_of_any_trusted_field_is_reported() {
    let mut trust_store = TrustStore::default();
    trust_store.trust_profile(&profile());
    for (field, changed) in [
        ("url", with(|profile| profile.url = "https://evil.example".parse().unwrap())),
        ("shortname", with(|profile| profile.shortname = Some("globex".to_owned()))),
        ("appname", with(|profile| profile.appname = None)),
        ("username", with(|profile| profile.username = Some("alice".to_owned()))),
        ("ca_file", with(|profile| profile.ca_file = Some("/tmp/ca.pem".into()))),
        ("secret", with(|profile| profile.secret = SecretLocation::Env("X".to_owned()))),
        ("secret", with(|profile| profile.secret = SecretLocation::File("/x".into()))),
        ("secret", with(|profile| profile.secret = SecretLocation::Command(vec!["evil".to_owned()]))),
    ] {
        match trust_store.status(&changed) {
            TrustStatus::Changed(changes) => {
                assert_eq!(changes.iter().map(|change| &change.field).collect::<Vec<_>>(), [field]);
            }
            other => panic!("{field}: {other:?}"),
        }
        trust_store.trust_profile(&changed);
        assert_eq!(trust_store.status(&changed), TrustStatus::Trusted);
        assert_eq!(trust_store.status(&profile()), TrustStatus::Trusted, "what was trusted once stays so");
        trust_store.trust_profile(&profile());
    }
}

#[test]
fn an_external_source_is_not_trusted_at_first_use() {
    let command = with(|profile| profile.secret = SecretLocation::Command(vec!["op".to_owned(), "read x".to_owned()]));
    let mut trust_store = TrustStore::default();
    let source = r#"the command ["op", "read x"]"#;
    assert_eq!(trust_store.status(&command), TrustStatus::UntrustedSource(source.to_owned()));
    trust_store.trust_profile(&command);
    assert_eq!(trust_store.status(&command), TrustStatus::Trusted);
    let longer = with(|profile| {
        profile.secret = SecretLocation::Command(vec!["op".to_owned(), "read".to_owned(), "x".to_owned()]);
    });
    let TrustStatus::Changed(changes) = trust_store.status(&longer) else { panic!("another command must be told") };
    assert_eq!(changes[0].to_string(), format!(r#"secret was {source}, is the command ["op", "read", "x"]"#));
}

#[test]
fn saved_trust_is_loaded_and_follows_a_renamed_profile() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/trust.json");
    let mut trust_store = TrustStore::load(&path).unwrap();
    assert_eq!(trust_store, TrustStore::default());
    trust_store.trust_profile(&with(|profile| profile.secret = SecretLocation::Command(vec!["op".to_owned()])));
    trust_store.trust_profile(&profile());
    let bob: RecipientName = "bob".parse().unwrap();
    trust_store.trust_recipient(&bob, "age1old");
    trust_store.trust_recipient(&bob, "age1x");
    trust_store.save(&path).unwrap();
    let mut trust_store = TrustStore::load(&path).unwrap();
    assert!(
        ["age1x", "age1old"].iter().all(|key| trust_store.is_trusted_recipient(key))
            && !trust_store.is_trusted_recipient("age1y")
    );
    assert_eq!(trust_store.last_trusted_key(&bob), Some("age1x"));
    let renamed = with(|profile| profile.name = "globex".parse().unwrap());
    trust_store.rename_profile(&profile().name, &renamed.name);
    assert_eq!(
        (trust_store.status(&renamed), trust_store.status(&profile())),
        (TrustStatus::Trusted, TrustStatus::FirstUse)
    );
    trust_store.forget_profile(&renamed.name);
    assert_eq!(trust_store.status(&renamed), TrustStatus::FirstUse);
}

#[test]
fn a_damaged_trust_file_is_an_error() {
    let valid = r#"{"v":1,"profiles":{"acme":[{"url":"u"}]},"recipients":[{"name":"n","key":"k"}]}"#;
    assert!(TrustStore::parse(valid.as_bytes()).is_some());
    for (from, to) in [
        (valid, ""),
        (valid, "{}"),
        ("\"v\":1", "\"v\":2"),
        ("\"url\"", "\"urn\""),
        ("[{\"url\":\"u\"}]", "[]"),
        ("{\"acme\":", "{\"acme\":[],\"acme\":"),
        ("\"recipients\"", "\"more\":1,\"recipients\""),
        ("\"u\"", "5"),
        ("{\"name\":\"n\",\"key\":\"k\"}", "\"k\""),
    ] {
        assert!(TrustStore::parse(valid.replace(from, to).as_bytes()).is_none(), "{to}");
    }
    assert!(TrustStore::parse(&[0xff]).is_none());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trust.json");
    disk::replace(&path, b"canary", Durability::Atomic).unwrap();
    assert!(matches!(TrustStore::load(&path), Err(TrustError::Damaged(damaged)) if damaged == path));
}

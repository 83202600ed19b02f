//! Unit tests of `secret::binding`.

use super::*;
use crate::profile::{SecretLocation, Span};
use std::collections::BTreeMap;

/// Returns a sealed profile without optional settings.
pub(in crate::secret) fn profile() -> Profile {
    Profile {
        name: "acme".parse().unwrap(),
        url: "https://api.example".parse().unwrap(),
        shortname: Some("acme".to_owned()),
        appname: Some("soc".to_owned()),
        username: None,
        tags: Vec::new(),
        description: None,
        protected: false,
        leeway: Span::from_seconds(60),
        timeout: Span::from_seconds(30),
        ca_file: None,
        env: BTreeMap::new(),
        recipients: None,
        secret: SecretLocation::Sealed(String::new().into()),
        sealed: None,
    }
}

#[test]
fn a_difference_names_the_field_and_both_values() {
    let sealed = Binding::from_profile(&profile()).unwrap();
    assert_eq!(sealed.differences(&sealed), []);
    let other = |change: fn(&mut Profile)| {
        let mut profile = profile();
        change(&mut profile);
        let differences = sealed.differences(&Binding::from_profile(&profile).unwrap());
        Mismatch::ensure_none(differences).unwrap_err().to_string()
    };
    assert_eq!(
        other(|profile| profile.url = "https://evil.example".parse().unwrap()),
        "url ('https://api.example/api/v1', while the profile declares 'https://evil.example/api/v1')"
    );
    assert!(other(|profile| profile.name = "globex".parse().unwrap()).starts_with("name ('acme', while"));
    assert!(other(|profile| profile.shortname = Some("x".to_owned())).starts_with("shortname ('acme', while"));
    assert!(other(|profile| profile.appname = Some("x".to_owned())).starts_with("appname ('soc', while"));
    let person = other(|profile| profile.username = Some("alice".to_owned()));
    assert!(person.contains("shortname ('acme', while the profile declares none)"), "{person}");
    assert!(person.contains("username (none, while the profile declares 'alice')"), "{person}");
}

#[test]
fn equivalent_urls_give_equal_bindings() {
    let mut spelled = profile();
    spelled.url = "https://API.example/api/v1/".parse().unwrap();
    assert_eq!(Binding::from_profile(&spelled).unwrap(), Binding::from_profile(&profile()).unwrap());
}

#[test]
fn a_ca_file_is_bound_by_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let mut with_roots = profile();
    with_roots.ca_file = Some(path.clone());
    assert!(matches!(Binding::from_profile(&with_roots), Err(BindingError::CaFile { .. })));
    disk::replace(&path, b"abc", disk::Durability::Atomic).unwrap();
    let binding = Binding::from_profile(&with_roots).unwrap();
    let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(binding.ca_sha256.as_deref(), Some(sha256_of_abc));
    disk::replace(&path, b"abd", disk::Durability::Atomic).unwrap();
    let fields: Vec<_> =
        binding.differences(&Binding::from_profile(&with_roots).unwrap()).iter().map(|d| d.field).collect();
    assert_eq!(fields, ["ca_file"]);
}

#[test]
fn a_profile_without_shortname_or_appname_has_no_binding() {
    for (missing, field) in [(true, "shortname"), (false, "appname")] {
        let mut profile = profile();
        *(if missing { &mut profile.shortname } else { &mut profile.appname }) = None;
        let error = Binding::from_profile(&profile).unwrap_err().to_string();
        assert_eq!(error, format!("the profile 'acme' declares no {field}"));
    }
}

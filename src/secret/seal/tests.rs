//! Tests of sealing: tampering, moving to other profiles, other keys, and compatibility with the `age` program.

use crate::environment::Environment;
use crate::profile::SealedNote;
use crate::secret::{
    Account, Binding, Credential, CredentialId, Identities, OpenError, OpenedSecret, PayloadError, SealError,
    SealedSecret, Secret, age_file, payload, recipients_tag,
};
use age::armor::Format;
use jiff::Timestamp;
use jiff::civil::Date;
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::path::Path;
use std::process::{Command, Stdio};

/// Seals with an empty environment.
fn seal(
    binding: &Binding,
    credential: &Credential,
    id: &CredentialId,
    since: Date,
    keys: &[String],
    now: Timestamp,
) -> Result<SealedSecret, SealError> {
    super::seal(binding, credential, id, since, keys, now, &Environment::new([]))
}

/// Opens with an empty environment and without a user.
fn open(text: &str, identities: &Identities) -> Result<OpenedSecret, OpenError> {
    super::open(text, identities, &(), &Environment::new([]))
}

fn now() -> Timestamp {
    "2026-11-23T17:04:00Z".parse().unwrap()
}

fn identity() -> (Secret, Identities, String) {
    let (text, public) = Identities::generate(now());
    let identities = Identities::parse(text.reveal()).unwrap();
    (text, identities, public)
}

fn binding() -> Binding {
    Binding {
        profile: "acme".parse().unwrap(),
        url: "https://api.example".parse().unwrap(),
        account: Account::ApiKey { shortname: "acme".to_owned(), appname: "soc".to_owned() },
        ca_sha256: None,
    }
}

fn credential() -> Credential {
    let secret = |text: &str| Secret::new(text.to_owned());
    Credential::ApiKey { appkey: secret("canary-appkey"), sharedsecret: secret("canary-shared") }
}

fn sealed_to(keys: &[String]) -> SealedSecret {
    let id = "5f0c9a3e7b1d2c44".parse().unwrap();
    seal(&binding(), &credential(), &id, "2026-11-23".parse().unwrap(), keys, now()).unwrap()
}

#[test]
fn every_recipient_can_open_a_sealed_secret() {
    let ((_, alice, alice_key), (_, bob, bob_key), (_, eve, _)) = (identity(), identity(), identity());
    let sealed = sealed_to(&[bob_key.clone(), alice_key.clone(), bob_key.clone()]);
    assert!(!sealed.text.contains("canary"));
    assert_eq!(
        (sealed.note.id.as_str(), sealed.note.to.as_str()),
        ("5f0c9a3e7b1d2c44", recipients_tag(&[alice_key.clone(), bob_key.clone()]).as_str())
    );
    let mut keys = vec![alice_key, bob_key];
    keys.sort_unstable();
    for reader in [&alice, &bob] {
        let opened = open(&sealed.text, reader).unwrap();
        assert_eq!(opened.check_binding(&binding(), &sealed.note), Ok(()));
        assert_eq!((opened.binding, opened.credential), (binding(), credential()));
        assert_eq!((&opened.recipients, opened.sealed_at), (&keys, now()));
    }
    assert_eq!(open(&sealed.text, &eve), Err(OpenError::WrongIdentity));
}

#[test]
fn a_password_is_sealed_like_an_api_key() {
    let (_, alice, key) = identity();
    let binding = Binding { account: Account::Person { username: "alice".to_owned() }, ..binding() };
    let password = Credential::Person { password: Secret::new("canary".to_owned()) };
    let id = CredentialId::random();
    let since = "2026-11-23".parse().unwrap();
    let sealed = seal(&binding, &password, &id, since, std::slice::from_ref(&key), now()).unwrap();
    assert_eq!(open(&sealed.text, &alice).unwrap().credential, password);
    assert_eq!(seal(&binding, &credential(), &id, since, &[key], now()), Err(SealError::KindMismatch));
}

#[test]
fn missing_and_invalid_recipients_are_refused() {
    let seal = |keys: &[String]| {
        seal(&binding(), &credential(), &CredentialId::random(), "2026-11-23".parse().unwrap(), keys, now())
            .unwrap_err()
    };
    assert_eq!(seal(&[]), SealError::NoRecipients);
    assert_eq!(seal(&(0..=1_000).map(|n| n.to_string()).collect::<Vec<_>>()), SealError::TooManyRecipients);
    let (text, _, key) = identity();
    let secret_key = text.reveal().lines().last().unwrap().to_owned();
    let error = seal(&[key, secret_key.clone()]);
    assert!(!format!("{error} {error:?}").contains(&secret_key), "{error}");
    assert!(matches!(seal(&["age1mistyped".to_owned()]), SealError::Recipient { key, .. } if key == "age1mistyped"));
}

#[test]
fn a_wrong_or_missing_sealed_table_is_a_mismatch() {
    let (_, alice, key) = identity();
    let sealed = sealed_to(&[key]);
    let opened = open(&sealed.text, &alice).unwrap();
    let fields = |note: Option<&SealedNote>| {
        let error = opened.check_binding(&binding(), note).unwrap_err();
        error.differences.iter().map(|difference| difference.field).collect::<Vec<_>>()
    };
    assert_eq!(fields(Some(&SealedNote { id: "0".repeat(16), ..sealed.note.clone() })), ["sealed.id"]);
    assert_eq!(fields(Some(&SealedNote { to: "0".repeat(16), ..sealed.note.clone() })), ["sealed.to"]);
    assert_eq!(fields(None), ["sealed.id", "sealed.to"]);
}

/// R-50: each flipped bit and each truncation fails, except the truncation of the final line ending.
#[test]
fn r50_flipped_bits_and_truncations_are_detected() {
    let (_, alice, key) = identity();
    let text = sealed_to(&[key]).text;
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            assert!(open(&flipped, &alice).is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..text.len() - 1 {
        assert!(open(&text[..end], &alice).is_err(), "cut at {end}");
    }
}

#[test]
fn an_invalid_payload_has_its_own_error() {
    let (_, alice, key) = identity();
    let recipient: age::x25519::Recipient = key.parse().unwrap();
    let text = age_file::encrypt(b"{\"v\":9}", &[&recipient], Format::AsciiArmor).unwrap();
    let error = open(std::str::from_utf8(&text).unwrap(), &alice).unwrap_err();
    assert_eq!(error, OpenError::Payload(PayloadError::UnsupportedVersion));
}

proptest! {
    #![proptest_config(Config { cases: 64, failure_persistence: None, ..Config::default() })]

    /// R-51: a secret sealed for one profile is never valid for another profile.
    #[test]
    fn r51_a_sealed_secret_belongs_to_one_profile(
        profiles in prop::array::uniform2("[a-c]"), hosts in prop::array::uniform2("[a-c]\\.example"),
        tenants in prop::array::uniform2("[a-c]"), keys in prop::array::uniform2("[a-c]"),
        roots in prop::array::uniform2(prop::option::of("[ab]")), people in prop::array::uniform2(any::<bool>()),
    ) {
        let binding = |n: usize| Binding {
            profile: profiles[n].parse().unwrap(),
            url: format!("https://{}", hosts[n]).parse().unwrap(),
            account: if people[n] {
                Account::Person { username: tenants[n].clone() }
            } else {
                Account::ApiKey { shortname: tenants[n].clone(), appname: keys[n].clone() }
            },
            ca_sha256: roots[n].as_ref().map(|root| root.repeat(64)),
        };
        let credential = if people[0] { Credential::Person { password: Secret::new("p".to_owned()) } } else { credential() };
        let (_, alice, key) = identity();
        let sealed = seal(&binding(0), &credential, &CredentialId::random(), "2026-11-23".parse().unwrap(), &[key], now()).unwrap();
        let opened = open(&sealed.text, &alice).unwrap();
        prop_assert_eq!(opened.check_binding(&binding(0), &sealed.note), Ok(()));
        prop_assert_eq!(opened.check_binding(&binding(1), &sealed.note).is_ok(), binding(0) == binding(1));
    }
}

/// Runs the `age` program and returns its output; `None` if `age` is not installed.
fn age(arguments: &[&str], input: &Path) -> Option<Vec<u8>> {
    let input = std::fs::File::open(input).unwrap();
    match Command::new("age").args(arguments).stdin(input).stderr(Stdio::inherit()).output() {
        Ok(output) => {
            assert!(output.status.success(), "age {arguments:?}: {}", output.status);
            Some(output.stdout)
        }
        Err(error) => {
            #[allow(clippy::disallowed_methods, reason = "a test of another program asks whether it may be missing")]
            let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
            assert!(!ci, "the program age is not here: {error}");
            None
        }
    }
}

#[test]
fn neto_and_age_decrypt_each_others_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        crate::disk::replace(&path, bytes, crate::disk::Durability::Atomic).unwrap();
        path
    };
    let (text, alice, key) = identity();
    let sealed = sealed_to(std::slice::from_ref(&key));
    let identity_file = file("identity.txt", text.reveal().as_bytes());
    let Some(plain) =
        age(&["--decrypt", "-i", identity_file.to_str().unwrap()], &file("sealed.age", sealed.text.as_bytes()))
    else {
        #[allow(clippy::disallowed_macros, clippy::print_stderr, reason = "a test that could not test says so")]
        {
            eprintln!("SKIPPED: the program age is not installed, so nothing was compared with it");
        }
        return;
    };
    let opened = open(&sealed.text, &alice).unwrap();
    assert_eq!(payload::parse(&plain).unwrap(), opened);
    let theirs = age(&["--encrypt", "--armor", "-r", &key], &file("plain.json", &plain)).unwrap();
    assert_eq!(open(std::str::from_utf8(&theirs).unwrap(), &alice).unwrap(), opened);
}

//! Credential files: any text is imported or rejected with a harmless message. An imported entry shows no secret, and
//! is unchanged after writing and reading it as JSON.
//!
//! The input is used alone and after the start of each format, so that the fuzzer reaches every parser.

use neto::internals::secret::import::{Import, ImportEntry};
use neto::internals::secret::{Account, Credential, Secret};
use serde_json::{Value, json};

const STARTS: [&str; 6] = [
    "",
    "SHORTNAME=",
    "A_NETOSECRET='",
    "shortname;appname;appkey;sharedsecret\n",
    "name,netosecret\n",
    "[{\"appkey\":",
];

pub fn check(input: &[u8]) {
    for start in STARTS {
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend_from_slice(input);
        read(bytes);
    }
}

fn read(bytes: Vec<u8>) {
    let import = match Import::parse(bytes) {
        Ok(import) => import,
        Err(error) => return assert_harmless(&error.to_string()),
    };
    assert!(!import.entries.is_empty(), "read, and nothing in it");
    import.ignored.iter().for_each(|name| assert_harmless(name));
    for found in &import.entries {
        match found {
            Ok(entry) => check_round_trip(entry),
            Err(wrong) => assert_harmless(&format!("{}: {}", wrong.location, wrong.problem)),
        }
    }
}

/// Asserts one line, without control characters, of limited length.
fn assert_harmless(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() < 2_000, "{text}");
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn check_round_trip(entry: &ImportEntry) {
    let mut other = entry.clone();
    other.credential = match entry.credential {
        Credential::ApiKey { .. } => Credential::ApiKey { appkey: secret("x"), sharedsecret: secret("y") },
        Credential::Person { .. } => Credential::Person { password: secret("x") },
    };
    assert_eq!(format!("{entry:?}"), format!("{other:?}"), "Debug shows a secret");
    let mut fields = json!({"tags": entry.tags});
    match (&entry.account, &entry.credential) {
        (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) => {
            let words = [shortname, appname, appkey.reveal(), sharedsecret.reveal()];
            assert!(words.iter().all(|word| !word.is_empty() && !word.contains(char::is_control)), "no word");
            for (name, word) in ["shortname", "appname", "appkey", "sharedsecret"].iter().zip(words) {
                fields[name] = json!(word);
            }
        }
        (Account::Person { username }, Credential::Person { password }) => {
            fields["username"] = json!(username);
            fields["password"] = json!(password.reveal());
        }
        _ => panic!("account and credential of two kinds"),
    }
    for (name, value) in [
        ("name", entry.name.as_ref().map(ToString::to_string)),
        ("url", entry.url.as_ref().map(ToString::to_string)),
        ("description", entry.description.clone()),
    ] {
        fields[name] = value.map_or(Value::Null, Value::String);
    }
    let again = Import::parse(json!([fields]).to_string().into_bytes()).expect("JSON of an entry is read");
    let [Ok(again)] = &again.entries[..] else { panic!("{:?} of {fields}", again.entries) };
    let parts = |entry: &ImportEntry| {
        (
            entry.name.clone(),
            entry.url.clone(),
            entry.account.clone(),
            entry.credential.clone(),
            entry.tags.clone(),
            entry.description.clone(),
        )
    };
    assert_eq!(parts(again), parts(entry));
}

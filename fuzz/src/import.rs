//! Files of credentials: whatever the text, it is read or refused in words without steering characters; what is read
//! shows no secret, and comes back the same from JSON.
//!
//! The input is taken as it is, and behind the start of each form, so that the fuzzer is within it at once.

use neto::secret::import::{Entry, Import};
use neto::secret::{Account, Credential, Secret};
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
    let import = match Import::read(bytes) {
        Ok(import) => import,
        Err(error) => return is_harmless(&error.to_string()),
    };
    assert!(!import.found.is_empty(), "read, and nothing in it");
    import.ignored.iter().for_each(|name| is_harmless(name));
    for found in &import.found {
        match found {
            Ok(entry) => comes_back(entry),
            Err(wrong) => is_harmless(&format!("{}: {}", wrong.place, wrong.problem)),
        }
    }
}

/// One line, nothing that steers a terminal, and no longer than a few names.
fn is_harmless(text: &str) {
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.chars().count() < 2_000, "{text}");
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn comes_back(entry: &Entry) {
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
    let again = Import::read(json!([fields]).to_string().into_bytes()).expect("JSON of an entry is read");
    let [Ok(again)] = &again.found[..] else { panic!("{:?} of {fields}", again.found) };
    let parts = |entry: &Entry| {
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

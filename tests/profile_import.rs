//! `neto profile import`: every file format in every spelling, all or nothing, existing profiles, and secrets that are
//! never shown.

use crate::fusion::Credential;
use crate::harness::{OTHER_RECIPIENT, Outcome, Running, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Adds this many tenants to the server: acme, beta, and so on.
fn tenants(sandbox: &Sandbox, count: usize) -> Vec<Credential> {
    let names = ["acme", "beta", "gamma", "delta"];
    names[..count].iter().map(|name| sandbox.server().add_tenant(name, "soc")).collect()
}

/// Writes a file and imports it.
fn import(sandbox: &Sandbox, name: &str, text: impl AsRef<[u8]>, flags: &[&str]) -> Outcome {
    sandbox.write_secret(name, text);
    sandbox.neto(["profile", "import", name].iter().chain(flags)).run()
}

/// Returns the rows of `neto ls` by profile name.
fn listed(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
    let rows = rows.as_array().unwrap().iter().map(|row| (row["profile"].as_str().unwrap().to_owned(), row.clone()));
    rows.collect()
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    listed(sandbox).into_keys().collect()
}

/// Returns `NAME=VALUE` for each of a credential's fields, as `spell` writes it.
fn assignments(credential: &Credential, spell: impl Fn(&str, &str) -> String) -> String {
    let Credential { url, shortname, appname, appkey, sharedsecret } = credential;
    let fields = [("APPNAME", appname), ("APPKEY", appkey), ("SHORTNAME", shortname), ("SHARED_SECRET", sharedsecret)];
    let fields = fields.into_iter().chain([("URL", url)]);
    fields.map(|(name, value)| spell(name, value) + "\n").collect()
}

/// Returns a CSV file of these tenants with this separator.
fn table(credentials: &[Credential], separator: &str) -> String {
    let row = |cells: [&str; 7]| cells.join(separator) + "\r\n";
    let head = row(["tags", "name", "shortname", "appname", "appkey", "sharedsecret", "url"]);
    let rows = credentials.iter().map(|Credential { url, shortname, appname, appkey, sharedsecret }| {
        row(["\"prod;emea\"", &format!("{shortname}-corp"), shortname, appname, appkey, sharedsecret, url])
    });
    std::iter::once(head).chain(rows).collect()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
}

/// Returns a file of each format with these tenants, by file name.
fn forms(credentials: &[Credential]) -> Vec<(&'static str, Vec<u8>)> {
    let [one, two, three] = credentials else { panic!("three tenants") };
    let all = |spell: &dyn Fn(&Credential) -> String| credentials.iter().map(spell).collect::<String>();
    let secrets: Vec<String> = credentials.iter().map(Credential::netosecret).collect();
    let wrapped = |text: &String| {
        text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>() + "\n"
    };
    let python = |credential: &Credential| {
        let head = "#!/usr/bin/env python3\nimport jwt, requests\n\nurl = \"";
        let fields = assignments(credential, |name, value| format!("{name} = '{value}'  # from the portal"));
        let fields = fields.lines().filter(|line| !line.starts_with("URL")).collect::<Vec<_>>().join("\n");
        let body = "CACHE_FILE = '~/.neto.token'\npayload = {\n    'appname': APPNAME,\n    'appkey': APPKEY\n}\n\
                    token = jwt.encode(payload, SHARED_SECRET, algorithm=\"HS256\")\nurl = url + '/x'\n";
        format!("{head}{}/auth/token\"\n{fields}\n{body}", credential.url)
    };
    let shell = |credential: &Credential| {
        let fields =
            assignments(credential, |name, value| format!("{name}='{value}'")).replace("URL=", "API_BASE_URL=");
        format!(
            "#!/bin/bash\n{fields}\nCACHE_FILE='/tmp/x'\nif [ -f \"$CACHE_FILE\" ]; then\n  token=`cat $CACHE_FILE`\nfi\n"
        )
    };
    let by_name =
        json!({"acme": one.json(), "beta": secrets[1], "gamma": {"netosecret": secrets[2], "tags": ["prod"]}});
    let csv = table(credentials, ",");
    let quoted = all(&|credential| {
        let Credential { url, shortname, appname, appkey, sharedsecret } = credential;
        format!("\"{sharedsecret}\"\t\"{appkey}\"\t{url}\t{appname}\t {shortname} \n\t\t\t\t\n")
    });
    vec![
        ("lines.txt", format!("# ours\n\n{}\n", secrets.join("\r\n# next\r\n\r\n")).into()),
        ("wrapped.txt", secrets.iter().map(wrapped).collect::<String>().into()),
        ("spelled.txt", format!("\"{}\"\n  export NETOSECRET='{}'\nNETOSECRET = {}\n", secrets[0], secrets[1], secrets[2].trim_end_matches('=')).into()),
        ("tenants.env", format!("DEBUG=1\nexport ACME_NETOSECRET='{}'\nBETA_NETOSECRET=\"{}\"\nNETOSECRET={} # gamma\nDATABASE_URL=postgres://x\n", secrets[0], secrets[1], secrets[2]).into()),
        ("fields.env", [("", one), ("BETA_", two), ("GAMMA_API_", three)].iter().map(|(prefix, credential)| assignments(credential, |name, value| format!("{prefix}{name}={value}"))).collect::<String>().into()),
        ("connectors.env", all(&|credential| assignments(credential, |name, value| format!("NETO__API__{}={value}", name.replace("APP", "APP_").replace("SHORT", "SHORT_")))).into()),
        ("recipe.py", all(&python).into()),
        ("recipe.sh", all(&shell).into()),
        ("list.json", json!([one.json(), secrets[1], {"name": "third", "netosecret": secrets[2]}]).to_string().into()),
        ("pretty.json", serde_json::to_string_pretty(&by_name).unwrap().into()),
        ("lines.jsonl", all(&|credential| credential.json().to_string() + "\n").into()),
        ("tenants.csv", csv.clone().into()),
        ("marked.csv", format!("\u{feff}{csv}").into()),
        ("semicolons.csv", table(credentials, ";").into()),
        ("tabs.csv", format!("Shared Secret\tApp Key\tURL\tapp_name\tShort-Name\n{quoted}").into()),
        ("little.csv", utf16(&csv, u16::to_le_bytes)),
        ("big.csv", utf16(&table(credentials, ";"), u16::to_be_bytes)),
        ("netosecrets.csv", format!("sep=;\r\nname;netosecret;url\r\na;{};\r\nb;\"{}\";\r\nc;{};{}\r\n", secrets[0], secrets[1], secrets[2], three.url).into()),
        // The file extension does not decide the format.
        ("really-json.csv", json!([one.json(), two.json(), three.json()]).to_string().into()),
    ]
}

#[test]
fn every_form_is_taken_and_every_tenant_of_it_signs_in() {
    let sandbox = Sandbox::new();
    let credentials = tenants(&sandbox, 3);
    for (number, (name, bytes)) in forms(&credentials).into_iter().enumerate() {
        let home = sandbox.root().join(format!("home-{number}"));
        let neto = |arguments: &[&str]| sandbox.neto(arguments).env("NETO_HOME", &home);
        sandbox.write_secret(name, bytes);
        let outcome = neto(&["profile", "import", name]).run();
        outcome.code(0).stdout("").stderr_has("Made an empty store: ").stderr_has("Added 3 profiles\n");
        outcome.stderr_has("Sealed to me").stderr_has(&format!("{name} still holds the keys in clear"));
        let before = sandbox.server().logins();
        neto(&["login", "--all"]).run().code(0);
        assert_eq!(sandbox.server().logins(), before + 3, "{name}");
        let rows = neto(&["ls", "-o", "json"]).run().code(0).json();
        let mut found: Vec<&str> =
            rows.as_array().unwrap().iter().map(|row| row["shortname"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, ["acme", "beta", "gamma"], "{name}");
        assert!(rows.as_array().unwrap().iter().all(|row| row["secret"] == "sealed"), "{name}");
    }
}

#[test]
fn names_tags_and_recipients_come_from_the_file_and_the_flags() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let credentials = tenants(&sandbox, 2);
    import(&sandbox, "t.csv", table(&credentials, ","), &["--tag", "emea", "--tag", "new"]).code(0);
    let rows = listed(&sandbox);
    assert_eq!(rows.keys().collect::<Vec<_>>(), ["acme-corp", "beta-corp"]);
    assert_eq!(rows["acme-corp"]["tags"], json!(["prod", "emea", "new"]));
    // A URL equal to the default of the store is not written; here the URLs differ.
    assert_eq!(sandbox.store().matches("url = ").count(), 3);
    let flags = ["--name", "{appname}.{shortname}", "--recipient", "me"];
    import(&sandbox, "t.csv", table(&credentials, ","), &flags).code(0);
    assert_eq!(names(&sandbox), ["acme-corp", "beta-corp", "soc.acme", "soc.beta"]);
    assert_eq!(sandbox.store().matches("recipients = [\"me\"]").count(), 2);
    let odd = sandbox.server().add_tenant("Acme Corp/EU", "Soc Key");
    import(&sandbox, "o.txt", odd.netosecret(), &[]).code(0);
    import(&sandbox, "o.txt", odd.netosecret(), &["--name", "{shortname}-{appname}"]).code(0);
    assert!(["acme-corp-eu", "acme-corp-eu-soc-key"].iter().all(|name| names(&sandbox).contains(&(*name).to_owned())));
    let described = json!([{"netosecret": odd.netosecret(), "name": "told", "description": "Acme, EU", "tags": "a;b"}]);
    import(&sandbox, "d.json", described.to_string(), &[]).code(0);
    let row = &listed(&sandbox)["told"];
    assert_eq!((&row["description"], &row["tags"]), (&json!("Acme, EU"), &json!(["a", "b"])));
    sandbox.neto(["login", "--all"]).run().code(0);
    let before = sandbox.store();
    for (flags, code, words) in [
        (&["--name", "{tenant}"][..], 2, "no other braces"),
        (&["--name", ""], 2, "no other braces"),
        (&["--name", "same"], 3, "the name 'same' is also that of line 2"),
        (&["--name", "_{shortname}"], 3, "its shortname makes no name: a name starts with"),
        (
            &["--recipient", "bob"],
            2,
            "there is no recipient 'bob'\n  hint: neto recipient list\n        (there are me)",
        ),
        (&["-o", "json"], 2, "--dry-run"),
        (&["--existing", "merge"], 2, "'merge'"),
    ] {
        import(&sandbox, "t.csv", table(&credentials, ","), flags).code(code).stdout("").stderr_has(words);
        assert_eq!(sandbox.store(), before, "{flags:?}");
    }
}

#[test]
fn people_come_as_json() {
    let sandbox = Sandbox::new();
    let alice = sandbox.server().add_person("alice@example.com");
    let url = sandbox.server().url();
    let person = json!({"name": "alice", "username": alice.username, "password": alice.password, "url": url});
    let acme = tenants(&sandbox, 1).remove(0);
    let outcome = import(&sandbox, "p.json", json!([person, acme.json()]).to_string(), &["--tag", "x"]);
    outcome.code(0).stderr_has("Added 2 profiles");
    assert_eq!(listed(&sandbox)["alice"]["username"], "alice@example.com");
    sandbox.assert_logs_in("alice");
    sandbox.assert_logs_in("acme");
    let mut nameless = person.clone();
    nameless.as_object_mut().unwrap().remove("name");
    let outcome = import(&sandbox, "n.json", json!([nameless]).to_string(), &[]);
    outcome.code(3).stderr_has("item 1: a person's profile needs a name");
}

/// Returns everything below a directory: each path with its modification time and content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let data = entry.metadata().unwrap();
        if data.is_dir() {
            found.extend(snapshot(&path));
        }
        let content = if data.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        found.insert(path, (data.modified().unwrap(), content));
    }
    found
}

#[test]
fn a_dry_run_shows_all_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let credentials = tenants(&sandbox, 3);
    sandbox.write_secret("t.csv", table(&credentials, ","));
    let dry = |flags: &[&str]| sandbox.neto(["profile", "import", "t.csv", "--dry-run"].iter().chain(flags)).run();
    let before = snapshot(sandbox.root());
    // A dry run creates no store.
    let outcome = dry(&[]);
    outcome.code(0).stdout_has("acme-corp    acme     soc").stderr_has("Nothing was changed");
    assert_eq!(outcome.stdout.matches(" add\n").count(), 3);
    assert_eq!(snapshot(sandbox.root()), before);
    import(&sandbox, "one.txt", credentials[0].netosecret(), &[]).code(0);
    import(&sandbox, "two.txt", credentials[1].netosecret(), &["--tag", "old"]).code(0);
    sandbox.assert_logs_in("acme");
    let before = snapshot(sandbox.root());
    dry(&["--name", "{shortname}"]).code(3).stdout("").stderr_has("there is a profile 'acme' already");
    for (existing, what) in [("skip", "skip"), ("replace", "replace")] {
        let outcome = dry(&["--name", "{shortname}", "--existing", existing, "--tag", "t", "-o", "json"]);
        let rows = outcome.code(0).json();
        let url = sandbox.server().url();
        let row = |name: &str, what: &str| {
            json!({
                "profile": name, "shortname": name, "appname": "soc", "username": null, "url": url,
                "tags": ["prod", "emea", "t"], "what": what,
            })
        };
        assert_eq!(rows, json!([row("acme", what), row("beta", what), row("gamma", "add")]));
    }
    dry(&["-o", "csv"]).code(0).stdout_has("profile,shortname,appname,username,url,tags,what\nacme-corp,acme,soc,,");
    assert_eq!(snapshot(sandbox.root()), before);
    // A dry run reports recipients that neto could not encrypt to.
    sandbox.write_store(
        sandbox.store().replace("[recipients]\n", &format!("[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n")),
    );
    dry(&[]).code(3).stdout("").stderr_has("neto trust --recipient bob");
    sandbox.neto(["trust", "--recipient", "bob"]).run().code(0);
    dry(&["--recipient", "bob"]).code(0).stderr_has("sealed to others, so your own identity will not open it");
}

#[test]
fn all_bad_lines_are_named_and_none_is_imported() {
    let sandbox = Sandbox::new();
    sandbox.add_canary("wrong value", "wrong-canary-value");
    let [acme, beta] = &tenants(&sandbox, 2)[..] else { unreachable!("two") };
    let good = acme.netosecret();
    let cut = &beta.netosecret()[..80];
    let row = |name: &str, key: &str| format!("{name},{},soc,{key},wrong-canary-value,{}\n", acme.shortname, acme.url);
    let csv = format!(
        "name,shortname,appname,appkey,sharedsecret,url\n{}{}{}\n{}{}",
        row("good", "wrong-canary-value"),
        row("good", "wrong-canary-value-2"),
        row("Bad Name", "x"),
        row("third", ""),
        row("fourth", "x").replace("http://", "http://wrong-canary-value."),
    );
    let cases: [(&str, String, &[&str]); 6] = [
        (
            "lines.txt",
            format!("{good}\n{cut}\n\nwrong-canary-value!\n"),
            &["2 places", "line 2: the NETOSECRET", "line 4: the NETOSECRET is not base64"],
        ),
        (
            "bad.env",
            "A_NETOSECRET=\nB_SHORTNAME=x\nB_APPKEY=wrong-canary-value\nC_SHARED_SECRET=\"$(wrong-canary-value)\"\n"
                .to_owned(),
            &[
                "3 places",
                "line 1: the NETOSECRET is empty",
                "line 2: the field 'appname' is missing",
                "line 4: the value of C_SHARED_SECRET is no plain text",
            ],
        ),
        (
            "bad.json",
            format!("[{}, {{\"appkey\": \"wrong-canary-value\"}}, 5, \"wrong-canary-value\"]", acme.json()),
            &[
                "3 places",
                "item 2: the field 'shortname' is missing",
                "item 3: it is a number",
                "item 4: the NETOSECRET is not base64",
            ],
        ),
        (
            "bad.csv",
            csv,
            &[
                "4 places",
                "line 3: the name 'good' is also that of line 2, another key of the tenant 'acme'",
                "line 4: the field 'name' is no profile's name",
                "line 6: the field 'appkey' is missing",
                "line 7: the field 'url' is no usable address",
                "hint: neto profile import 'bad.csv' --name '{shortname}-{appname}'",
            ],
        ),
        (
            "header.csv",
            "name;shortnam;appname;apkey;sharedsecret\nx;x;x;x;x\n".to_owned(),
            &[
                "unknown column 'shortnam' (did you mean 'shortname'?)",
                "unknown column 'apkey' (did you mean 'appkey'?)",
            ],
        ),
        (
            "none.txt",
            "wrong-canary-value\n".to_owned(),
            &["no form of credentials that neto knows", "looked for: NETOSECRETs", "JSON", "CSV", ".env"],
        ),
    ];
    let fails = |name: &str, text: &str, words: &[&str]| {
        let outcome = import(&sandbox, name, text, &[]);
        outcome.code(3).stdout("");
        for word in words {
            outcome.stderr_has(word);
        }
    };
    for (name, text, words) in &cases {
        fails(name, text, words);
        assert!(!sandbox.home("").exists(), "{name}: something was made");
    }
    sandbox.add("gamma");
    let before = sandbox.store();
    for (name, text, words) in &cases {
        fails(name, text, words);
        assert_eq!(sandbox.store(), before, "{name}");
    }
    fails(
        "there.txt",
        &format!("{good}\n{}\n", sandbox.server().add_tenant("gamma", "other").netosecret()),
        &["1 place", "line 2: there is a profile 'gamma' already", "--existing skip", "--existing replace"],
    );
    assert_eq!((sandbox.store(), sandbox.server().connections()), (before, 0));
}

#[test]
fn what_is_there_already_stops_is_left_or_gets_the_new_credential() {
    let sandbox = Sandbox::new();
    let [acme, beta] = &tenants(&sandbox, 2)[..] else { unreachable!("two") };
    import(&sandbox, "a.txt", acme.netosecret(), &["--tag", "mine"]).code(0);
    sandbox.neto(["profile", "edit", "acme", "--description", "kept", "--leeway", "5m"]).run().code(0);
    sandbox.assert_logs_in("acme");
    let new = sandbox.server().regenerate(acme);
    let both = format!("{}\n{}\n", new.netosecret(), beta.netosecret());
    let before = sandbox.store();
    import(&sandbox, "b.txt", &both, &[]).code(3).stderr_has("line 1: there is a profile 'acme' already");
    assert_eq!(sandbox.store(), before);
    // Skipped: the profile's lines keep every byte, and its token stays.
    let outcome = import(&sandbox, "b.txt", &both, &["--existing", "skip", "--tag", "x"]);
    outcome.code(0).stderr_has("Added 1 profile, left 1 as it was");
    assert!(sandbox.store().starts_with(before.trim_end()), "{}", sandbox.store());
    assert!(sandbox.token_file("acme").exists());
    sandbox.refuses_key("acme");
    // Replaced: the credential is new and the token is removed. Other values stay, and the tags are added.
    let seal = || sandbox.store().lines().find(|line| line.starts_with("sealed = ")).unwrap().to_owned();
    let (id, other) = (seal(), listed(&sandbox)["beta"].clone());
    let outcome = import(&sandbox, "a.txt", new.netosecret(), &["--existing", "replace", "--tag", "x"]);
    outcome.code(0).stderr_has("Added 0 profiles, gave 1 a new credential");
    assert_ne!(seal(), id, "the id is that of a new credential");
    assert!(!sandbox.token_file("acme").exists());
    let row = &listed(&sandbox)["acme"];
    assert_eq!((&row["description"], &row["tags"]), (&json!("kept"), &json!(["mine", "x"])));
    assert!(sandbox.store().contains("leeway = \"5m\""));
    assert_eq!(listed(&sandbox)["beta"], other);
    sandbox.assert_logs_in("acme");
    sandbox.assert_logs_in("beta");
    // A profile without a secret and a profile with a plaintext secret also get a new credential.
    let text =
        sandbox.store() + &format!("\n[profiles.gamma]\nurl = \"{}\"\nappkey = \"outdated\"\n", sandbox.server().url());
    sandbox.write_store(text);
    let gamma = sandbox.server().add_tenant("gamma", "soc");
    import(&sandbox, "g.txt", gamma.netosecret(), &["--existing", "replace"]).code(0);
    assert!(!sandbox.store().contains("outdated"));
    sandbox.assert_logs_in("gamma");
}

impl Sandbox {
    /// Asserts that the server no longer accepts the profile's credential.
    fn refuses_key(&self, name: &str) {
        self.neto(["login", name, "--force"]).run().code(4);
    }
}

#[test]
fn r51_no_profile_is_bound_to_another_tenant_or_host_in_passing() {
    let sandbox = Sandbox::new();
    let [acme, beta] = &tenants(&sandbox, 2)[..] else { unreachable!("two") };
    let person = sandbox.server().add_person("alice");
    for credential in [acme, beta] {
        import(&sandbox, "a.txt", credential.netosecret(), &[]).code(0);
    }
    let before = sandbox.store();
    let mut moved = acme.clone();
    moved.url = "https://evil.example/api/v1".to_owned();
    let named = json!([{"name": "acme", "netosecret": beta.netosecret()}]).to_string();
    let person =
        json!([{"name": "acme", "username": "alice", "password": person.password, "url": person.url}]).to_string();
    let swapped = "line 1: acme: the new credential has the url 'https://evil.example/api/v1', the profile has ";
    for (text, words) in [
        (moved.netosecret(), swapped),
        (named, "item 1: acme: the new credential has the shortname 'beta', the profile has 'acme'"),
        (person, "item 1: acme: the new credential has the username 'alice', the profile has 'acme'"),
    ] {
        let outcome = import(&sandbox, "x", text, &["--existing", "replace"]);
        outcome.code(3).stdout("").stderr_has("nothing was imported").stderr_has(words);
        assert_eq!(sandbox.store(), before);
    }
    // An import does not trust a change that another program made to the store.
    sandbox.write_store(before.replacen("[profiles.acme]\n", "[profiles.acme]\nca_file = \"/tmp/ca.pem\"\n", 1));
    let edited = sandbox.store();
    let outcome = import(&sandbox, "a.txt", acme.netosecret(), &["--existing", "replace"]);
    outcome.code(3).stderr_has("line 1: acme: ca_file changed since this machine trusted the profile");
    outcome.stderr_has("hint: neto trust acme");
    assert_eq!(sandbox.store(), edited);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn two_keys_of_one_tenant_and_repeats_are_told() {
    let sandbox = Sandbox::new();
    let one = sandbox.server().add_tenant("acme", "soc");
    let two = sandbox.server().add_tenant("acme", "reports");
    let both = format!("{}\n{}\n", one.netosecret(), two.netosecret());
    let outcome = import(&sandbox, "k.txt", &both, &[]);
    outcome.code(3).stderr_has("line 2: the name 'acme' is also that of line 1, another key of the tenant 'acme'");
    outcome.stderr_has("hint: neto profile import 'k.txt' --name '{shortname}-{appname}'");
    let outcome = import(&sandbox, "k.txt", &both, &["--name", "{shortname}-{appname}"]);
    outcome.code(0).stderr_has("the tenant 'acme' has several keys: line 1 ('acme-soc'), line 2 ('acme-reports')");
    assert_eq!(names(&sandbox), ["acme-reports", "acme-soc"]);
    sandbox.assert_logs_in("acme-soc");
    sandbox.assert_logs_in("acme-reports");
    // A file that neto exports contains the credential twice.
    let flags = ["export", "acme-soc", "--format", "dotenv", "--with-secret"];
    let call = sandbox.neto(flags).allow_secret("access token").allow_secret("appkey").allow_secret("sharedsecret");
    let exported = call.run().code(0).stdout.clone();
    assert!(exported.contains("NETO_APPKEY=") && exported.contains("NETOSECRET="));
    let outcome = import(&sandbox, "e.env", exported, &[]);
    outcome.code(0).stderr_has("is the credential of line").stderr_has("once more; it is taken once");
    outcome.stderr_has("Added 1 profile\n");
    assert_eq!(names(&sandbox), ["acme", "acme-reports", "acme-soc"]);
    sandbox.assert_logs_in("acme");
    // Two requested names for the same credential give two profiles and a message.
    let twice = json!({"a": one.json(), "b": one.json()}).to_string();
    import(&sandbox, "t.json", twice, &[]).code(0).stderr_has("has the same key: 'a' ('a'), 'b' ('b')");
}

#[test]
fn further_fields_are_named_and_not_kept() {
    let sandbox = Sandbox::new();
    sandbox.add_canary("further field", "keep-me-nowhere");
    let acme = tenants(&sandbox, 1).remove(0);
    let mut fields = acme.json();
    fields["role"] = json!("keep-me-nowhere");
    import(&sandbox, "f.json", fields.to_string(), &[]).code(0).stderr_has("which are not kept: role");
    let row = format!("shortname,appname,appkey,sharedsecret,url,Contact\nbeta,soc,k,s,{},keep-me-nowhere\n", acme.url);
    import(&sandbox, "f.csv", row, &[]).code(0).stderr_has("which are not kept: Contact");
}

#[test]
fn r45_standard_input_is_read_for_a_dash_alone() {
    let sandbox = Sandbox::new();
    let [acme, beta] = &tenants(&sandbox, 2)[..] else { unreachable!("two") };
    sandbox.write_secret("a.txt", acme.netosecret());
    sandbox.neto(["profile", "import", "a.txt"]).stdin(beta.netosecret()).run().code(0);
    assert_eq!(names(&sandbox), ["acme"]);
    let outcome = sandbox.neto(["profile", "import", "-"]).stdin(beta.netosecret()).run();
    outcome.code(0).stdout("").stderr_lacks("in clear").stderr_has("Added 1 profile");
    assert_eq!(names(&sandbox), ["acme", "beta"]);
    let before = sandbox.store();
    sandbox.neto(["profile", "import", "-"]).run().code(3).stderr_has("standard input: no form of credentials");
    let huge = vec![b'#'; (64 << 20) + 1];
    sandbox.neto(["profile", "import", "-"]).stdin(huge).run().code(3).stderr_has("more than 64 MiB");
    // A credential passed as the file name is not shown.
    let outcome = sandbox.neto(["profile", "import", &beta.netosecret()]).run();
    outcome.code(2).stdout("").stderr_has("a NETOSECRET was given as an argument");
    assert_eq!(sandbox.store(), before);
}

#[cfg(unix)]
#[test]
fn r2_what_is_no_regular_file_is_refused_at_once() {
    let sandbox = Sandbox::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        sandbox.work("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    fs::File::create(sandbox.work("sparse")).unwrap().set_len(1 << 30).unwrap();
    for (path, words) in [
        ("fifo", "device or pipe"),
        (".", "a folder"),
        ("/dev/zero", "device or pipe"),
        ("sparse", "at most 67108864"),
        ("gone", "no such file"),
    ] {
        sandbox.neto(["profile", "import", path]).run().code(1).stdout("").stderr_has(words);
    }
    sandbox.neto(["profile", "import", "fifo"]).run().stderr_has("hint: ... | neto profile import -");
    assert!(!sandbox.home("").exists());
    sandbox
        .neto(["--store", "nowhere.toml", "profile", "import", "sparse"])
        .run()
        .code(3)
        .stderr_has("there is no store");
}

#[test]
fn what_is_endless_in_some_way_is_refused_in_the_end() {
    let sandbox = Sandbox::new();
    let many = |text: &str| text.repeat((1 << 20) / text.len());
    for (text, words) in [
        (many("\""), "no form of credentials"),
        (many("x,name;"), "no form of credentials"),
        (many("["), "more than 64 levels"),
        (many("SHORTNAME=\"\n"), "line 1: the quote of SHORTNAME is not closed"),
        (many("SHORTNAME=\u{201c}\n"), "line 1: the quote of SHORTNAME is not closed"),
        (many("eyJ1\nIjoi\n"), "line 1: the NETOSECRET"),
        (format!("name,netosecret\nx,\"{}", many("x\n")), "line 2: the quote of the column 'netosecret' is not closed"),
        (format!("name,netosecret,{}\n", many("x")), "no form of credentials"),
        (format!("{{\"{}\": 1, \"appkey\": 2}}", many("x")), "the field 'shortname' is missing"),
        (format!("NETOSECRET='{}'", many("A")), "line 1: "),
    ] {
        let outcome = import(&sandbox, "endless", text, &[]);
        outcome.code(3).stdout("").stderr_has(words);
        assert!(!sandbox.home("").exists());
    }
}

#[cfg(unix)]
#[test]
fn at_a_terminal_nothing_is_typed_in_clear() {
    let sandbox = Sandbox::new();
    let screen = sandbox.neto(["profile", "import", "-"]).at_terminal().finish();
    screen.code(2).has("standard input is a terminal");
}

#[test]
fn a_protected_identity_is_not_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.add_canary("passphrase", "correct horse battery");
    let file = sandbox.write_secret("passphrase", "correct horse battery\n");
    sandbox.neto(["init", "--new-passphrase-file"]).arg(&file).run().code(0);
    let credentials = tenants(&sandbox, 3);
    import(&sandbox, "t.csv", table(&credentials, ";"), &[]).code(0).stderr_lacks("your own identity will not");
    sandbox.neto(["login", "--all"]).env("NETO_PASSPHRASE_FILE", &file).run().code(0);
    assert_eq!(sandbox.server().logins(), 3);
}

#[test]
fn two_thousand_tenants_are_one_change_and_nobodys_comment_is_lost() {
    let sandbox = Sandbox::new();
    let last = sandbox.server().add_tenant("last", "soc");
    sandbox.add("acme");
    sandbox.write_store(format!("# of the whole file\n{}\n# at the end\n", sandbox.store()));
    let row = |shortname: &str, appkey: &str, sharedsecret: &str| {
        format!("{shortname};soc;{appkey};{sharedsecret};{};many\n", last.url)
    };
    let rows = (0..1999).map(|number| row(&format!("tenant-{number:04}"), &format!("k-{number}"), "s"));
    let head = "shortname;appname;appkey;sharedsecret;url;tags\n".to_owned();
    let end = row("last", &last.appkey, &last.sharedsecret);
    let csv: String = std::iter::once(head).chain(rows).chain([end]).collect();
    import(&sandbox, "many.csv", csv, &[]).code(0).stderr_has("Added 2000 profiles");
    let store = sandbox.store();
    assert!(store.starts_with("# of the whole file\n") && store.ends_with("# at the end\n"));
    let names = names(&sandbox);
    assert!(names.len() == 2001 && names.is_sorted(), "{}", names.len());
    sandbox.assert_logs_in("last");
    sandbox.assert_logs_in("acme");
}

#[test]
fn r15_imports_at_once_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let file = |prefix: &str| {
        let rows = (0..20).map(|number| format!("{prefix}-{number:02},soc,key,shared,https://a.example\n"));
        let rows: String = rows.collect();
        format!("shortname,appname,appkey,sharedsecret,url\n{rows}")
    };
    let files: Vec<String> = (0..8).map(|number| format!("f{number}")).collect();
    for name in &files {
        sandbox.write_secret(name, file(name));
    }
    let runs: Vec<_> = files.iter().map(|name| sandbox.neto(["profile", "import", name]).start()).collect();
    for run in runs {
        run.finish().code(0);
    }
    assert_eq!(names(&sandbox).len(), 160);
    // Of two concurrent imports of the same file, one adds all profiles and the other adds nothing.
    sandbox.write_secret("same", file("same"));
    let runs = [(); 2].map(|()| sandbox.neto(["profile", "import", "same"]).start());
    let mut codes = runs.map(Running::wait_for_exit_code);
    codes.sort_unstable();
    assert_eq!((codes, names(&sandbox).len()), ([0, 3], 180));
}

#[test]
fn r15_what_came_in_meanwhile_counts() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let beta = sandbox.server().add_tenant("beta", "soc");
    sandbox.write_secret("b.txt", beta.netosecret());
    let locks = fs::read_dir(sandbox.home("state/locks")).unwrap().flatten().map(|entry| entry.path());
    let lock = locks.into_iter().find(|path| path.to_string_lossy().contains("_store-")).expect("the store's lock");
    let store_lock = fs::File::open(lock).unwrap();
    store_lock.lock().unwrap();
    // Both processes read a store without the tenant before the first of them writes.
    let runs = [(); 2].map(|()| sandbox.neto(["profile", "import", "b.txt", "--existing", "skip"]).start());
    for run in &runs {
        run.wait_for_stderr("which holds the store");
    }
    drop(store_lock);
    let mut added_one = runs.map(|run| run.finish().code(0).stderr.contains("Added 1 profile"));
    added_one.sort_unstable();
    assert_eq!((added_one, names(&sandbox)), ([false, true], vec!["acme".to_owned(), "beta".to_owned()]));
    sandbox.assert_logs_in("beta");
}

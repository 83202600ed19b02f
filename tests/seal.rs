//! `neto seal`: edits the store in place, binds each secret to its profile, and isolates a faulty profile.

use crate::fusion::Server;
use crate::harness::{OTHER_RECIPIENT, Sandbox};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;

/// Replaces every sealed secret by `<age>` and every id, tag and date by `<...>`, to compare the other text.
fn without_seals(text: &str) -> String {
    let mut rest = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        inside |= line.contains("-----BEGIN AGE");
        if !inside {
            match line.split_once("sealed = {") {
                Some((before, after)) => {
                    let end = after.find('}').expect("one line");
                    let _ = write!(rest, "{before}sealed = {{<...>{}", &after[end..]);
                }
                None => rest += line,
            }
        }
        if line.contains("-----END AGE") {
            inside = false;
            let _ = write!(rest, "<age>{}", &line[line.trim_end().len()..]);
        }
    }
    rest
}

/// Returns the value after the first `key = ` that follows `from`.
fn value_of<'a>(text: &'a str, from: &str, key: &str) -> &'a str {
    let section = &text[text.find(from).unwrap()..];
    let start = section.find(&format!("{key} = ")).unwrap() + key.len() + 3;
    section[start..].trim_start_matches('"').split(['"', ' ', '\n']).next().unwrap()
}

/// Store as a person writes it: every way to declare a profile, odd spacing, comments everywhere.
const BY_HAND: &str = r#"# ours
version = 1

[recipients]   # who
me = "<KEY>"

[defaults]
url = "<ORIGIN>/"

# the first tenant
[profiles.acme]   # acme
tags = [ "prod",'emea' ]   # odd spacing
netosecret = "<NETOSECRET>"   # from the portal
description = "x"

  [ profiles . "globex" ]
  shortname = "globex"
  appname   = "soc"
  # two secrets
  appkey = '<APPKEY>'
  tags = ["x"]
  sharedsecret = """<SHAREDSECRET>"""
# between

[profiles]
person = { username = "alice", password = "<PASSWORD>", tags = ["a"] } # inline

[profiles.last]
# skeleton
shortname = "last"
# the end"#;

const SEALED: &str = r#"# ours
version = 1

[recipients]   # who
me = "<KEY>"

[defaults]
url = "<ORIGIN>/"

# the first tenant
[profiles.acme]   # acme
tags = [ "prod",'emea' ]   # odd spacing
shortname = "acme"
appname = "soc"
sealed = {<...>}
secret = """
<age>
"""   # from the portal
description = "x"

  [ profiles . "globex" ]
  shortname = "globex"
  appname   = "soc"
  # two secrets
  sealed = {<...>}
  secret = """
<age>
"""
  tags = ["x"]
# between

[profiles]
person = { username = "alice", tags = ["a"], sealed = {<...>}, secret = """
<age>
""" } # inline

[profiles.last]
# skeleton
shortname = "last"
# the end"#;

#[test]
fn what_stands_in_clear_is_sealed_in_place_and_every_other_byte_stays() {
    for (mark, end) in [("", "\n"), ("", "\r\n"), ("\u{feff}", "\n"), ("\u{feff}", "\r\n")] {
        let sandbox = Sandbox::new();
        let key = sandbox.init();
        let acme = sandbox.server().add_tenant("acme", "soc");
        let globex = sandbox.server().add_tenant("globex", "soc");
        let person = sandbox.server().add_person("alice");
        let fill = |template: &str| {
            let text = template.replace("<KEY>", &key).replace("<ORIGIN>", sandbox.server().origin());
            let text = text.replace("<NETOSECRET>", &acme.netosecret()).replace("<PASSWORD>", &person.password);
            let text = text.replace("<APPKEY>", &globex.appkey).replace("<SHAREDSECRET>", &globex.sharedsecret);
            format!("{mark}{}", text.replace('\n', end))
        };
        sandbox.write_store(fill(BY_HAND));
        let outcome = sandbox.neto(["seal"]).run();
        outcome.code(0).stdout("").stderr_has("'acme' is sealed now").stderr_has("'globex' is sealed now");
        outcome.stderr_has("'person' is sealed now").stderr_has("Editors' backups and git history may still hold");
        let after = sandbox.store();
        assert_eq!(without_seals(&after), fill(SEALED));
        assert_eq!(after.matches('\n').count(), after.matches(end).count(), "one kind of line end");
        for name in ["acme", "globex", "person"] {
            sandbox.assert_logs_in(name);
        }
        sandbox.neto(["seal"]).run().code(0).stdout("").stderr_has("Everything is sealed to today's recipients");
        assert_eq!(sandbox.store(), after, "a second time changes nothing");
    }
}

#[test]
fn sealed_says_in_clear_what_checking_needs() {
    let sandbox = Sandbox::new();
    let key = sandbox.init();
    let acme = sandbox.add("acme");
    let store = sandbox.store();
    let (id, to) = (value_of(&store, "acme", "id"), value_of(&store, "acme", "to"));
    assert!(id.len() == 16 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    let tag = |keys: &str| format!("{:x}", Sha256::digest(keys))[..16].to_owned();
    assert_eq!(to, tag(&key));
    let today = jiff::Timestamp::now().to_string()[..10].to_owned();
    assert_eq!(value_of(&store, "acme", "since"), today);

    // Re-encryption keeps the id and the date; a new credential gets a new id.
    let older = store.replace(&format!("since = {today}"), "since = 2020-02-29");
    sandbox.write_store(older.replace("[recipients]\n", &format!("[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n")));
    sandbox.neto(["trust", "--recipient", "bob"]).run().code(0);
    sandbox.neto(["seal"]).run().code(0).stderr_has("'acme' is sealed to today's recipients");
    let again = sandbox.store();
    let mut keys = [key.as_str(), OTHER_RECIPIENT];
    keys.sort_unstable();
    assert_eq!(value_of(&again, "acme", "to"), tag(&keys.join("\n")));
    assert_eq!((value_of(&again, "acme", "id"), value_of(&again, "acme", "since")), (id, "2020-02-29"));
    assert_eq!(sandbox.profile_json("acme")["key_since"], "2020-02-29");
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(acme.netosecret()).run().code(0);
    let renewed = sandbox.store();
    assert_ne!(value_of(&renewed, "acme", "id"), id);
    assert_eq!(value_of(&renewed, "acme", "since"), today);
}

#[test]
fn a_profile_in_clear_is_refused_until_it_is_sealed() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let acme = sandbox.server().add_tenant("acme", "soc");
    sandbox.add("globex");
    let store = format!("{}\n[profiles.acme]\nnetosecret = \"{}\"\n", sandbox.store(), acme.netosecret());
    sandbox.write_store(&store);
    sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
    for verb in [&["token", "acme"][..], &["login", "acme"], &["export", "acme", "--format", "json"]] {
        let outcome = sandbox.neto(verb).run();
        outcome.code(3).stdout("").stderr_has("in clear").stderr_has("neto seal acme");
    }
    let listed = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
    assert_eq!(listed[1]["secret"], "clear");
    assert_eq!(sandbox.store(), store);
    assert_eq!(sandbox.server().connections(), 0);
    sandbox.assert_logs_in("globex");
    sandbox.neto(["seal", "acme"]).run().code(0);
    sandbox.assert_logs_in("acme");
}

#[test]
fn r51_whatever_a_seal_contradicts_is_refused_before_anything_is_sent() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let elsewhere = Server::http();
    let ca = sandbox.work("ca.pem");
    fs::write(&ca, "").unwrap();
    let ca = ca.to_str().unwrap();
    for name in ["acme", "globex"] {
        let credential = sandbox.server().add_tenant(name, "soc");
        let default = format!("url = \"{}\"", sandbox.server().url());
        sandbox.write_store(sandbox.store().replace("url = \"https://api.netography.com/api/v1\"", &default));
        let add = sandbox.neto(["profile", "add", "--ca-file", ca]).stdin(credential.netosecret());
        add.run().code(0);
    }
    let person = sandbox.server().add_person("alice");
    let add = sandbox.neto(["profile", "add", "person", "--username", "alice", "--url", &person.url]);
    add.stdin(&person.password).run().code(0);
    let store = sandbox.store();
    let acme_seal = &store[store.find("sealed = ").unwrap()..store.find("\n\n[profiles.globex]").unwrap()];
    let globex = store.find("[profiles.globex]").unwrap();
    let globex_seal =
        &store[globex + store[globex..].find("sealed = ").unwrap()..store.find("\n\n[profiles.person]").unwrap()];
    let (id, to) = (value_of(&store, "acme]", "id"), value_of(&store, "acme]", "to"));
    let own_url = format!("[profiles.acme]\nurl = \"{}\"\n", elsewhere.url());
    let cases: [(&str, &str, String, &str); 9] = [
        ("[profiles.acme]\n", "url", own_url, "acme"),
        (&sandbox.server().url(), "url", elsewhere.url(), "acme"),
        ("shortname = \"acme\"", "shortname", "shortname = \"globex\"".to_owned(), "acme"),
        ("appname = \"soc\"", "appname", "appname = \"other\"".to_owned(), "acme"),
        ("username = \"alice\"", "username", "username = \"bob\"".to_owned(), "person"),
        ("[profiles.acme]", "name", "[profiles.other]".to_owned(), "other"),
        (&format!("ca_file = \"{ca}\"\n"), "ca_file", String::new(), "acme"),
        (id, "id", "0123456789abcdef".to_owned(), "acme"),
        (to, "to", "0123456789abcdef".to_owned(), "acme"),
    ];
    for (from, field, to, name) in &cases {
        assert!(store.contains(from), "{from}");
        sandbox.write_store(store.replacen(from, to, 1));
        let accept = format!("neto seal {name} --accept");
        sandbox.assert_login_refused(name, 3, &["the secret is bound to another ", field, &accept]);
    }
    // A secret is refused in another profile, even if that profile has the tenant's names.
    let moved = store.replace(globex_seal, acme_seal).replace("\"globex\"", "\"acme\"");
    sandbox.write_store(moved);
    sandbox.assert_login_refused("globex", 3, &["the secret is bound to another name"]);
    sandbox.assert_logs_in("acme");
    // The seal binds the content of the CA file, not only its path.
    sandbox.write_store(&store);
    fs::write(ca, "# another\n").unwrap();
    sandbox.assert_login_refused("acme", 3, &["the secret is bound to another ca_file"]);
    fs::write(ca, "").unwrap();
    assert_eq!(elsewhere.connections(), 0);
    // Refused changes are not recorded, so the restored store works without confirmation.
    for name in ["acme", "globex", "person"] {
        sandbox.assert_logs_in(name);
    }
}

#[test]
fn a_damaged_seal_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    let store = sandbox.store();
    let armor = store.find("-----BEGIN").unwrap() + "-----BEGIN AGE ENCRYPTED FILE-----\n".len();
    let end = store.find("-----END").unwrap();
    // Flips a bit of the payload, not of the header.
    let at = end - 30;
    let flipped = if &store[at..=at] == "A" { "B" } else { "A" };
    for (text, code, words) in [
        (format!("{}{flipped}{}", &store[..at], &store[at + 1..]), 3, "acme: the sealed text is damaged"),
        (format!("{}{}", &store[..armor], &store[end..]), 6, "acme: the sealed text is no age file"),
        (format!("{}plain words\n{}", &store[..armor], &store[end..]), 3, "acme: the sealed text is damaged"),
        (store.replace("-----BEGIN AGE", "-----BEGIN PGP"), 6, "acme: the sealed text is no age file"),
    ] {
        sandbox.write_store(&text);
        sandbox.assert_login_refused("acme", code, &[words, "neto profile set-secret acme"]);
        sandbox.neto(["seal", "acme", "--accept", "--yes"]).run().code(code).stdout("").stderr_has(words);
        assert_eq!(sandbox.store(), text);
    }
    sandbox.write_store(store);
    sandbox.assert_logs_in("acme");
}

#[test]
fn accept_shows_old_and_new_and_wants_a_word() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    let old = sandbox.server().url();
    let new = old.replace("127.0.0.1", "localhost");
    sandbox.write_store(sandbox.store().replace(&old, &new));
    let store = sandbox.store();
    let shown = format!("acme: url was {old}, is {new}");
    let outcome = sandbox.neto(["seal", "acme", "--accept"]).run();
    outcome
        .code(2)
        .stdout("")
        .stderr_has(&shown)
        .stderr_has("nobody to ask")
        .stderr_has("neto seal acme --accept --yes");
    sandbox.neto(["seal", "--accept", "--yes"]).run().code(2).stdout("").stderr_has("--accept wants to be told");
    sandbox.neto(["seal", "acme"]).run().code(0);
    assert_eq!(sandbox.store(), store);
    sandbox.assert_login_refused("acme", 3, &["url"]);
    let outcome = sandbox.neto(["seal", "acme", "--accept", "--yes"]).run();
    outcome.code(0).stdout("").stderr_has(&shown).stderr_has("'acme' is bound to what it declares now");
    assert_eq!(without_seals(&sandbox.store()), without_seals(&store));
    assert_eq!(value_of(&sandbox.store(), "acme]", "id"), value_of(&store, "acme]", "id"));
    sandbox.assert_logs_in("acme");
}

#[cfg(unix)]
#[test]
fn accept_asks_at_a_terminal() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add("acme");
    let new = sandbox.server().url().replace("127.0.0.1", "localhost");
    sandbox.write_store(sandbox.store().replace(&sandbox.server().url(), &new));
    let store = sandbox.store();
    let answered = |answer: &str| {
        let mut terminal = sandbox.neto(["seal", "acme", "--accept"]).at_terminal();
        terminal.expect("acme: url was ").expect(&new).expect("Bind the secret to this? [y/N] ").enter(answer);
        terminal.finish()
    };
    answered("n").code(2).has("Left as it was");
    answered("").code(2);
    assert_eq!(sandbox.store(), store);
    // neto accepts only the values that it showed, not a change made meanwhile.
    let mut terminal = sandbox.neto(["seal", "acme", "--accept"]).at_terminal();
    terminal.expect("[y/N] ");
    let meanwhile = store.replace(&new, "https://evil.example/api/v1");
    sandbox.write_store(&meanwhile);
    terminal.enter("y");
    terminal.finish().code(3).has("acme: it changed while you were asked").has("neto seal acme --accept");
    assert_eq!(sandbox.store(), meanwhile);
    sandbox.write_store(&store);
    answered("y").code(0).has("'acme' is bound to what it declares now");
    sandbox.assert_logs_in("acme");
}

#[test]
fn what_one_profile_has_wrong_fails_that_one_alone() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.add_canary("value", "canary-value-in-file");
    let acme = sandbox.server().add_tenant("acme", "soc");
    let bad = [
        ("base64", "netosecret = \"canary-value-in-file!\"", "is not base64"),
        ("empty", "netosecret = \"\"", "the NETOSECRET is empty"),
        ("half", "shortname = \"a\"\nappname = \"b\"\nappkey = \"canary-value-in-file\"", "without the sharedsecret"),
        ("nobody", "appkey = \"canary-value-in-file\"\nsharedsecret = \"canary-value-in-file\"", "shortname"),
        ("other", &format!("shortname = \"globex\"\nnetosecret = \"{}\"", acme.netosecret()), "the shortname 'globex'"),
        ("where", &format!("url = \"https://x.example\"\nnetosecret = \"{}\"", acme.netosecret()), "the url "),
        ("typo", "shortnam = \"x\"\npassword = \"canary-value-in-file\"", "'shortname'"),
        (
            "unasked",
            &format!("recipients = [\"bob\"]\nnetosecret = \"{}\"", acme.netosecret()),
            "'bob' came into the store",
        ),
    ];
    let good = format!("[profiles.acme]\nnetosecret = \"{}\"\n", acme.netosecret());
    let mut bad_text = String::new();
    for (name, text, _) in &bad {
        let _ = write!(bad_text, "\n[profiles.{name}]\n{text}\n");
    }
    let head = sandbox.store().replace("[recipients]\n", &format!("[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n"));
    let head = head.replace("\n[defaults]", "\n\n[defaults]\nrecipients = [\"me\"]");
    sandbox.write_store(format!("{head}{good}{bad_text}"));
    sandbox.allow_secrets_in(&sandbox.home("profiles.toml"));
    let outcome = sandbox.neto(["seal"]).run();
    outcome.code(8).stdout("").stderr_has("'acme' is sealed now").stderr_has("8 of 9 profiles failed");
    for (name, _, words) in &bad {
        outcome.stderr_has(&format!("{name}: ")).stderr_has(words);
    }
    let after = sandbox.store();
    assert!(after.starts_with(&head) && after.ends_with(&bad_text) && !after.contains(&good), "{after}");
    sandbox.assert_logs_in("acme");
    for (name, _, words) in &bad {
        sandbox.neto(["seal", name]).run().code(3).stdout("").stderr_has("error: ").stderr_has(words);
    }
    assert_eq!(sandbox.store(), after);
}

#[test]
fn r54_check_says_what_is_to_seal_and_opens_nothing() {
    let sandbox = Sandbox::new();
    let key = sandbox.init();
    sandbox.add("acme");
    let globex = sandbox.server().add_tenant("globex", "soc");
    sandbox.neto(["seal", "--check"]).run().code(0).stderr("").stdout("");
    fs::rename(sandbox.home("keys/identity.txt"), sandbox.home("keys/away.txt")).unwrap();
    let sound = sandbox.store();
    let clear = format!("{sound}\n[profiles.globex]\nnetosecret = \"{}\"\n", globex.netosecret());
    let others = clear.replace(&format!("me = \"{key}\""), &format!("me = \"{key}\"\nbob = \"{OTHER_RECIPIENT}\""));
    let clear_line = "globex: its secret stands in clear\n";
    let both = format!("acme: it is sealed to others than declared\n{clear_line}");
    for (store, lines) in [(&clear, clear_line), (&others, &both)] {
        sandbox.write_store(store);
        sandbox.neto(["seal", "--check"]).run().code(9).stdout(lines).stderr_has("to seal").stderr_has("neto seal");
        assert_eq!(sandbox.store(), *store);
    }
    sandbox.neto(["seal", "--check", "globex"]).run().code(9).stdout(clear_line);
    sandbox.neto(["seal", "--check", "--accept"]).run().code(2).stdout("");
    sandbox.write_store(&sound);
    sandbox.neto(["seal", "--check"]).run().code(0).stderr("").stdout("");
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn sealing_anew_logs_nobody_out_and_opens_it_to_the_new_recipient() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let bob = sandbox.root().join("bob");
    let bobs = sandbox.neto(["init"]).env("NETO_HOME", &bob).run().code(0).stdout_trimmed().to_owned();
    sandbox.add("acme");
    sandbox.assert_logs_in("acme");
    sandbox.write_store(sandbox.store().replace("[recipients]\n", &format!("[recipients]\nbob = \"{bobs}\"\n")));
    let as_bob = || {
        let call = sandbox.neto(["login", "acme", "--force"]);
        call.env("NETO_IDENTITY_FILE", bob.join("keys/identity.txt")).run()
    };
    as_bob().code(6).stdout("");
    sandbox.neto(["trust", "--recipient", "bob"]).run().code(0);
    sandbox.neto(["seal"]).run().code(0).stderr_has("'acme' is sealed to today's recipients");
    let logins = sandbox.server().logins();
    sandbox.neto(["token", "acme", "--offline"]).allow_secret("access token").run().code(0).stderr("");
    as_bob().code(0);
    assert_eq!(sandbox.server().logins(), logins + 1);
    sandbox.assert_logs_in("acme");
}

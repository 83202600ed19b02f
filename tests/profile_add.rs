//! `neto profile add`: every way to pass a credential, every flag, and the errors of both.

use crate::fusion::{Credential, Fault, TOKEN};
use crate::harness::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::fs;

/// Adds a tenant whose NETOSECRET needs padding and contains the two characters in which the alphabets differ.
fn tenant_with_special_base64(sandbox: &Sandbox) -> Credential {
    let credential = sandbox.server().add_tenant("acme", "soc ~~~???>>> k\u{fc}");
    let json = credential.json().to_string();
    let pad = (0..3).map(|blanks| format!("{json}{}", " ".repeat(blanks)));
    let texts: Vec<String> = pad.map(|json| STANDARD.encode(json)).collect();
    assert!(texts.iter().any(|text| text.ends_with('=')) && texts[0].contains(['+', '/']), "a tame NETOSECRET");
    credential
}

/// Returns the credential's JSON with one field changed; null removes the field.
fn with_field(credential: &Credential, name: &str, value: Value) -> String {
    let mut json = credential.json();
    let fields = json.as_object_mut().unwrap();
    match value {
        Value::Null => fields.remove(name),
        value => fields.insert(name.to_owned(), value),
    };
    json.to_string()
}

#[test]
fn the_first_add_makes_keys_and_store() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let outcome = sandbox.neto(["profile", "add"]).stdin(credential.netosecret()).run();
    outcome.code(0).stdout("").stderr_has("Made your identity: ").stderr_has("Made an empty store: ");
    outcome.stderr_has("Added 'acme' (tenant acme, key soc), sealed to me").stderr_has(&sandbox.server().url());
    assert_eq!(sandbox.server().connections(), 0, "adding asks nobody");
    sandbox.assert_logs_in("acme");
    let shown = sandbox.profile_json("acme");
    assert_eq!(
        (&shown["secret"], &shown["shortname"], &shown["appname"]),
        (&json!("sealed"), &json!("acme"), &json!("soc"))
    );
    assert_eq!(shown["url"], json!(sandbox.server().url()));
}

#[test]
fn a_netosecret_comes_by_pipe_file_or_variable() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    sandbox.write_secret("acme.txt", credential.netosecret() + "\n");
    let add = |name: &str, flags: &[&str]| sandbox.neto(["profile", "add", name].iter().chain(flags));
    add("piped", &[]).stdin(credential.netosecret()).run().code(0).stdout("");
    add("filed", &["--netosecret-file", "acme.txt"]).run().code(0).stdout("");
    add("varied", &["--netosecret-env", "ACME"]).env("ACME", credential.netosecret()).run().code(0).stdout("");
    for name in ["piped", "filed", "varied"] {
        sandbox.assert_logs_in(name);
    }
    let before = sandbox.store();
    add("gone", &["--netosecret-file", "gone.txt"]).run().code(1).stdout("").stderr_has("gone.txt");
    add("unset", &["--netosecret-env", "NOPE"]).run().code(6).stdout("").stderr_has("NOPE is not set");
    add("empty", &[]).run().code(2).stdout("").stderr_has("nobody to ask");
    add("both", &["--netosecret-env", "ACME", "--netosecret-file", "acme.txt"]).run().code(2).stdout("");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn r44_every_spelling_of_a_netosecret_is_taken() {
    let sandbox = Sandbox::new();
    let credential = tenant_with_special_base64(&sandbox);
    let json = credential.json().to_string();
    let pretty = serde_json::to_string_pretty(&credential.json()).unwrap();
    let wrapped = |columns: usize, end: &str| {
        let text = STANDARD.encode(&pretty);
        text.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line) + end).collect::<String>()
    };
    let plain = STANDARD.encode(&json);
    let mut spellings = vec![
        wrapped(76, "\n"),
        wrapped(64, "\r\n"),
        wrapped(1, "\t "),
        format!("\u{feff}{plain}\n"),
        format!("  \n{plain}\n\n"),
        format!("\"{plain}\"\n"),
        format!("'{plain}'"),
        format!("NETOSECRET={plain}"),
        format!("export NETOSECRET=\"{}\"", wrapped(60, "\n")),
    ];
    for blanks in ["", " ", "  "] {
        let json = format!("{json}{blanks}");
        spellings.extend([&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].map(|how| how.encode(&json)));
    }
    let origin = sandbox.server().origin();
    for url in [origin.to_owned(), format!("{origin}/"), format!("{origin}/api/v1/"), origin.to_uppercase()] {
        spellings.push(STANDARD.encode(with_field(&credential, "url", json!(url))));
    }
    for (number, text) in spellings.iter().enumerate() {
        let name = format!("p{number}");
        let outcome = sandbox.neto(["profile", "add", &name]).stdin(text).run();
        outcome.code(0).stdout("").stderr_has(&format!("Added '{name}' (tenant acme, key soc ~~~"));
    }
    let outcome = sandbox.neto(["login", "--all", "-q"]).run();
    outcome.code(0).stderr("");
    assert_eq!(sandbox.server().logins(), spellings.len(), "each of them signs in");
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
    let urls: std::collections::BTreeSet<String> =
        rows.as_array().unwrap().iter().map(|row| row["url"].to_string()).collect();
    assert_eq!(urls.len(), 1, "one API has one spelling: {urls:?}");
}

#[test]
fn further_fields_are_named_and_not_kept() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    sandbox.add_canary("further field", "keep-me-nowhere");
    let text = STANDARD.encode(with_field(&credential, "comment", json!("keep-me-nowhere")));
    let outcome = sandbox.neto(["profile", "add"]).stdin(text).run();
    outcome.code(0).stdout("").stderr_has("warning: ").stderr_has("not kept: comment");
    sandbox.assert_logs_in("acme");
}

#[test]
fn r44_what_is_no_netosecret_says_which_step_failed_and_leaves_all_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let before = sandbox.store();
    let credential = sandbox.server().add_tenant("globex", "soc");
    sandbox.add_canary("wrong value", "wrong-canary-value");
    let field = |name: &str, value: Value| STANDARD.encode(with_field(&credential, name, value));
    let twice = credential.json().to_string().replacen('{', "{\"appkey\":\"wrong-canary-value\",", 1);
    let mut cases = vec![
        ("wrong-canary-value !".to_owned(), "is not base64".to_owned()),
        (credential.netosecret()[..21].to_owned(), "is not base64".to_owned()),
        (credential.json().to_string(), "is not base64".to_owned()),
        ("\"\"".to_owned(), "is empty".to_owned()),
        (STANDARD.encode([0xff, 0xfe, 0x80, 0x00]), "not of UTF-8 text".to_owned()),
        (STANDARD.encode("wrong-canary-value"), "not JSON (line 1, column 1)".to_owned()),
        (STANDARD.encode("[\"wrong-canary-value\"]"), "not of an object".to_owned()),
        (STANDARD.encode("\"wrong-canary-value\""), "not of an object".to_owned()),
        (STANDARD.encode(twice), "the key 'appkey' twice".to_owned()),
        ("A".repeat(70 * 1024), "more than any credential".to_owned()),
    ];
    for name in ["url", "shortname", "appname", "appkey", "sharedsecret"] {
        let says = |what: &str| format!("in the NETOSECRET the field '{name}' {what}");
        cases.push((field(name, Value::Null), says("is missing")));
        cases.push((field(name, json!(5)), says("is a number, not a text")));
        cases.push((field(name, json!(["wrong-canary-value"])), says("is an array, not a text")));
        cases.push((field(name, json!("")), says("is empty")));
        cases.push((field(name, json!("wrong-canary-value\u{1b}[2J")), says("holds control characters")));
    }
    for (text, words) in &cases {
        let outcome = sandbox.neto(["profile", "add", "globex"]).stdin(text).run();
        outcome.code(3).stdout("").stderr_has("error: ").stderr_has(words);
    }
    assert_eq!(sandbox.store(), before);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn r24_an_address_that_is_neither_https_nor_loopback_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let before = sandbox.store();
    let credential = sandbox.server().add_tenant("globex", "soc");
    for (url, words) in [
        ("http://api.netography.com/api/v1", "must be https"),
        ("http://127.0.0.1.evil.example", "must be https"),
        ("http://localhost.evil.example", "must be https"),
        ("ftp://api.netography.com", "https://"),
        ("api.netography.com", "url"),
        ("https://user:pass@api.netography.com", "user or password"),
        ("https://api.netography.com@evil.example/", "user or password"),
        ("https://api.netography.com/?x=1", "query"),
        ("https://api.netography.com/#x", "fragment"),
        ("https://api.netogr\u{430}phy.com", "xn--"),
        ("https://api.netography.com\\@evil.example", "backslashes"),
        ("https://api.netography.com:0/", "port"),
        ("https://api.netography.com:70000/", "url"),
        ("https://", "url"),
    ] {
        let text = STANDARD.encode(with_field(&credential, "url", json!(url)));
        let outcome = sandbox.neto(["profile", "add", "globex"]).stdin(text).run();
        outcome.code(3).stdout("").stderr_has("the field 'url'").stderr_has(words);
        let fields = ["profile", "add", "globex", "--shortname", "globex", "--appname", "soc", "--url", url];
        sandbox.neto(fields).stdin("{}").run().code(2).stdout("").stderr_has("--url: ").stderr_has(words);
    }
    assert_eq!(sandbox.store(), before);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn fields_come_by_flag_and_the_two_secrets_as_json() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("Acme Corp", "soc");
    let url = sandbox.server().origin().to_owned();
    let fields = ["profile", "add", "--shortname", "Acme Corp", "--appname", "soc", "--url", &url];
    let secrets = json!({"appkey": credential.appkey, "sharedsecret": credential.sharedsecret}).to_string();
    sandbox.neto(fields).stdin(&secrets).run().code(0).stdout("").stderr_has("Added 'acme-corp' (tenant Acme Corp,");
    sandbox.assert_logs_in("acme-corp");
    let before = sandbox.store();
    let fields = ["profile", "add", "other", "--shortname", "other", "--appname", "soc"];
    for (text, words) in [
        ("{".to_owned(), "not JSON"),
        ("[]".to_owned(), "not a JSON object"),
        ("{\"appkey\":\"x\"}".to_owned(), "'sharedsecret' is missing"),
        ("{\"sharedsecret\":\"x\"}".to_owned(), "'appkey' is missing"),
        ("{\"appkey\":\"\",\"sharedsecret\":\"x\"}".to_owned(), "'appkey' is empty"),
        ("{\"appkey\":\"a\\u0007\",\"sharedsecret\":\"x\"}".to_owned(), "control characters"),
        ("{\"appkey\":\"a\",\"appkey\":\"b\",\"sharedsecret\":\"x\"}".to_owned(), "twice"),
        ("{\"appkey\":\"a\",\"sharedsecret\":\"x\",\"shortname\":\"y\"}".to_owned(), "unknown field 'shortname'"),
        ("{\"password\":\"a\"}".to_owned(), "a password was given for an API key"),
        (credential.netosecret(), "not JSON"),
    ] {
        sandbox.neto(fields).stdin(&text).run().code(3).stdout("").stderr_has("error: ").stderr_has(words);
    }
    for flags in [&["--shortname", "x"][..], &["--appname", "x"], &["--shortname", "x", "--username", "y"]] {
        sandbox.neto(["profile", "add", "other"].iter().chain(flags)).stdin(&secrets).run().code(2).stdout("");
    }
    sandbox.neto(["profile", "add", "o", "--url", &url]).stdin(&secrets).run().code(2).stderr_has("--url goes with");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn a_person_has_a_password() {
    let sandbox = Sandbox::new();
    let person = sandbox.server().add_person("alice@acme.example");
    let add = |name: &[&str]| {
        let flags = ["--username", "alice@acme.example", "--url", &person.url];
        sandbox.neto(["profile", "add"].iter().chain(name).chain(&flags)).stdin(format!("{}\n", person.password))
    };
    add(&[]).run().code(2).stdout("").stderr_has("a person's profile needs a name");
    assert!(!sandbox.home("").exists());
    add(&["alice"]).run().code(0).stdout("").stderr_has("Added 'alice' (user alice@acme.example), sealed to me");
    let shown = sandbox.profile_json("alice");
    assert_eq!(shown["username"], json!("alice@acme.example"));
    assert_eq!((&shown["shortname"], &shown["appname"]), (&Value::Null, &Value::Null));
    sandbox.assert_logs_in("alice");
}

#[test]
fn a_command_yields_the_secret_at_each_login() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let vault = sandbox.write_secret("vault.txt", credential.netosecret());
    let vault = vault.to_str().unwrap();
    let add = |name: &str, command: &[&str]| {
        sandbox.neto(["profile", "add", name, "--secret-command", "--"].iter().chain(command)).run()
    };
    add("acme", &["cat", vault]).code(0).stdout("").stderr_has("Added 'acme'").stderr_has("comes from a command");
    assert!(
        sandbox.store().contains(&format!("secret = {{ command = [\"cat\", \"{vault}\"] }}")),
        "{}",
        sandbox.store()
    );
    assert!(!sandbox.store().contains("BEGIN AGE"));
    sandbox.assert_logs_in("acme");
    let before = sandbox.store();
    add("none", &["false"]).code(6).stdout("").stderr_has("'false' failed");
    add("none", &["no-such-program"]).code(6).stdout("").stderr_has("'no-such-program' was not found");
    add("none", &["echo", "nonsense!"]).code(6).stdout("").stderr_has("is not base64").stderr_lacks("nonsense");
    add("none", &[]).code(2).stdout("").stderr_has("wants the command after --");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn every_flag_lands_in_the_store() {
    let sandbox = Sandbox::new();
    sandbox.neto(["init", "--name", "alice"]).run().code(0);
    let ca = sandbox.work("ca.pem");
    fs::write(&ca, "").unwrap();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let flags = [
        "--tag",
        "prod",
        "--tag",
        "emea",
        "--description",
        "Acme \"Corp\" \\ \u{1f600}\u{202e}",
        "--protected",
        "--leeway",
        "90s",
        "--timeout",
        "1h30m",
        "--ca-file",
        "ca.pem",
        "--env",
        "API={url}/x",
        "--env",
        "B==",
        "--recipient",
        "alice",
        "--use",
    ];
    let outcome = sandbox.neto(["profile", "add"].iter().chain(&flags)).stdin(credential.netosecret()).run();
    outcome.code(0).stdout("").stderr_has("Now using 'acme'");
    let shown = sandbox.profile_json("acme");
    for (key, expected) in [
        ("current", json!(true)),
        ("tags", json!(["prod", "emea"])),
        ("description", json!("Acme \"Corp\" \\ \u{1f600}\u{202e}")),
        ("protected", json!(true)),
        ("leeway", json!("1m30s")),
        ("timeout", json!("1h30m")),
        ("ca_file", json!(ca)),
        ("env", json!(["API={url}/x", "B=="])),
        ("recipients", json!(["alice"])),
    ] {
        assert_eq!(shown[key], expected, "{key}");
    }
    assert!(sandbox.store().contains("recipients = [\"alice\"]"));
}

#[test]
fn wrong_words_change_nothing() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let before = sandbox.store();
    let credential = sandbox.server().add_tenant("globex", "soc");
    for (flags, words) in [
        (&["--leeway", "60"][..], "a bare number has no unit"),
        (&["--timeout", "soon"], "not a length of time"),
        (&["--env", "X"], "--env wants NAME=VALUE"),
        (&["--env", "PATH=/x"], "steers programs"),
        (&["--env", "NETO_TOKEN=x"], "neto's own"),
        (&["--env", "1X=x"], "letters, digits"),
        (&["--recipient", "bob"], "bob"),
        (&["--ca-file", "gone.pem"], "gone.pem cannot be read"),
        (&["--taag", "x"], "--tag"),
    ] {
        let outcome =
            sandbox.neto(["profile", "add", "globex"].iter().chain(flags)).stdin(credential.netosecret()).run();
        outcome.code(2).stdout("").stderr_has("error: ").stderr_has(words);
        assert_eq!(sandbox.store(), before, "{flags:?}");
    }
    for name in ["Globex", "a b", "../x", "-x", "con", "x.", "env", "", &"a".repeat(65), "ex\u{e4}"] {
        let outcome = sandbox.neto(["profile", "add", "--", name]).stdin(credential.netosecret()).run();
        outcome.code(2).stdout("").stderr_has("error: ");
    }
    assert_eq!(sandbox.store(), before);
}

#[test]
fn r45_a_secret_as_an_argument_is_refused_and_never_shown() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let secret = credential.netosecret();
    sandbox.add_canary("NETOSECRET", &secret);
    for arguments in [
        &["profile", "add", &secret][..],
        &["profile", "add", "acme", &secret],
        &["profile", "add", "--netosecret", &secret],
        &["profile", "add", "--description", &secret, "--leeway", &credential.appkey],
        &["profile", "set-secret", &secret],
        &["login", &secret],
        &["use", &secret],
    ] {
        // The sandbox itself checks that neither the error nor the usage line shows the secret.
        sandbox.neto(arguments).run().code(2).stdout("").stderr_has("error: ");
    }
    assert!(!sandbox.home("profiles.toml").exists());
}

#[test]
fn what_is_there_already_stays() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let before = sandbox.store();
    let outcome = sandbox.neto(["profile", "add"]).stdin(credential.netosecret()).run();
    outcome
        .code(3)
        .stdout("")
        .stderr_has("there is a profile 'acme' already")
        .stderr_has("neto profile set-secret acme");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn new_profiles_stand_by_name_and_all_else_stays_byte_for_byte() {
    let sandbox = Sandbox::new();
    sandbox.neto(["init"]).run().code(0);
    let store = sandbox.store().replace("https://api.netography.com", sandbox.server().origin());
    sandbox.write_store(format!("# head\n{store}\n# kept\n"));
    for name in ["mid", "alpha", "zeta"] {
        let before = sandbox.store();
        sandbox.add(name);
        let after = sandbox.store();
        let start = after.find(&format!("[profiles.{name}]")).unwrap();
        let rest = &after[start..];
        let length = rest[1..].find("\n[").map_or(rest.len(), |end| end + 2);
        let without = format!("{}{}", &after[..start], &rest[length..]);
        assert_eq!(without.trim_end(), before.trim_end(), "only {name} came");
        assert!(!rest[..length].contains("url ="), "what equals the default is not written:\n{rest}");
    }
    let store = sandbox.store();
    let positions = ["alpha", "mid", "zeta"].map(|name| store.find(&format!("[profiles.{name}]")).unwrap());
    assert!(positions.is_sorted(), "{store}");
}

#[test]
fn login_at_once_signs_in_and_a_refusal_keeps_the_profile() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let add = |name: &str| sandbox.neto(["profile", "add", name, "--login"]).stdin(credential.netosecret()).run();
    add("acme").code(0).stdout("").stderr_has("acme: signed in");
    assert_eq!(sandbox.server().logins(), 1);
    sandbox.server().fault(Fault::at(TOKEN).error(401, "no such key"));
    add("again")
        .code(4)
        .stdout("")
        .stderr_has("Added 'again'")
        .stderr_has("no such key")
        .stderr_has("neto profile set-secret again");
    sandbox.server().clear_faults();
    sandbox.assert_logs_in("again");
}

#[test]
fn r15_many_at_once_lose_nothing() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.write_store(format!("# ours\n{}", sandbox.store()));
    let names: Vec<String> = (0..8).map(|number| format!("tenant-{number}")).collect();
    let secrets: Vec<String> = names.iter().map(|name| sandbox.server().add_tenant(name, "soc").netosecret()).collect();
    let start = |text: &String| sandbox.neto(["profile", "add", "--use"]).stdin(text).start();
    let runs: Vec<_> = secrets.iter().map(start).collect();
    for run in runs {
        run.finish().code(0).stdout("");
    }
    sandbox.neto(["login", "--all", "-q"]).run().code(0).stderr("");
    assert_eq!(sandbox.server().logins(), names.len() + 1);
    assert!(sandbox.store().starts_with("# ours\n"));
}

#[cfg(unix)]
mod at_a_terminal {
    use super::{Credential, Sandbox, json};
    use crate::harness::{CTRL_C, CTRL_D};
    use base64::Engine as _;

    /// Wraps the NETOSECRET as a narrow portal window shows it: many lines, the last line short.
    fn wrapped(credential: &Credential) -> String {
        let text = credential.netosecret();
        let lines: Vec<&str> = text.as_bytes().chunks(40).map(|line| std::str::from_utf8(line).unwrap()).collect();
        assert!(lines.len() > 3);
        lines.join("\n")
    }

    #[test]
    fn a_wrapped_paste_is_taken_whole_marked_or_not() {
        let sandbox = Sandbox::new();
        let credential = sandbox.server().add_tenant("acme", "soc");
        let text = wrapped(&credential);
        for (name, marked, end) in
            [("marked", true, ""), ("marked-end", true, "\n"), ("bare", false, ""), ("bare-end", false, "\n")]
        {
            let mut terminal = sandbox.neto(["profile", "add", name]).at_terminal();
            terminal.expect("NETOSECRET (not shown): ");
            let text = format!("{text}{end}");
            if marked {
                terminal.paste(&text)
            } else {
                terminal.paste_unmarked(&text)
            };
            // An unmarked paste that ends with a line break needs no Enter.
            if marked || end.is_empty() {
                terminal.press("\r");
            }
            terminal.finish().code(0).has(&format!("Added '{name}' (tenant acme, key soc), sealed to me"));
            sandbox.assert_logs_in(name);
        }
    }

    #[test]
    fn a_paste_beyond_what_a_terminal_holds_is_taken_whole() {
        let sandbox = Sandbox::new();
        let credential = sandbox.server().add_tenant("acme", "soc");
        // JSON allows these blanks before the first field.
        let json = format!("{}{}", " ".repeat(4000), credential.json());
        let text = base64::engine::general_purpose::STANDARD.encode(json);
        let text = text.chars().flat_map(|character| [character, '\n']).collect::<String>();
        assert!(text.len() > 10_000);
        // A terminal cuts a long paste at a fixed length. In one of the two cases that cut is at a line break.
        for (name, before) in [("even", ""), ("odd", " ")] {
            let mut terminal = sandbox.neto(["profile", "add", name]).at_terminal();
            terminal.expect("NETOSECRET (not shown): ").pause();
            terminal.paste_unmarked(&format!("{before}{text}")).resume();
            terminal.finish().code(0).has(&format!("Added '{name}'"));
            sandbox.assert_logs_in(name);
        }
    }

    #[test]
    fn what_was_pasted_behind_ctrl_c_is_not_left_to_the_shell() {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        let mut terminal = sandbox.neto(["profile", "add", "globex"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").pause();
        terminal.press(CTRL_C).paste_unmarked(&"rm -rf all\n".repeat(1000)).resume();
        terminal.finish().code(130).lacks("rm -rf");
    }

    #[test]
    fn fields_and_password_are_asked_for() {
        let sandbox = Sandbox::new();
        let credential = sandbox.server().add_tenant("acme", "soc");
        let person = sandbox.server().add_person("alice");
        let url = sandbox.server().url();
        let fields = ["profile", "add", "--shortname", "acme", "--appname", "soc", "--url", &url];
        let mut terminal = sandbox.neto(fields).at_terminal();
        terminal.expect("API key (appkey, not shown): ").enter(&credential.appkey);
        terminal.expect("Shared secret (not shown): ").paste(&credential.sharedsecret).press("\r");
        terminal.finish().code(0).has("Added 'acme'");
        sandbox.assert_logs_in("acme");
        let mut terminal = sandbox.neto(["profile", "add", "al", "--username", "alice", "--url", &url]).at_terminal();
        terminal.expect("Password (not shown): ").enter(&person.password);
        terminal.finish().code(0).has("Added 'al' (user alice)");
        sandbox.assert_logs_in("al");
        for typed in ["", "a\tb"] {
            let mut terminal = sandbox.neto(["profile", "add", "x", "--username", "a", "--url", &url]).at_terminal();
            terminal.expect("Password (not shown): ").paste(typed).press("\r");
            terminal.finish().code(3).has("empty or holds control characters");
        }
    }

    #[test]
    fn who_turns_back_leaves_nothing_behind() {
        let sandbox = Sandbox::new();
        let credential = sandbox.add("acme");
        let before = sandbox.store();
        for (keys, code) in [(CTRL_C, 130), (CTRL_D, 2)] {
            for typed in ["", &credential.netosecret()[..60]] {
                let mut terminal = sandbox.neto(["profile", "add", "globex"]).at_terminal();
                terminal.expect("NETOSECRET (not shown): ").press(typed).press(keys);
                if !typed.is_empty() && keys == CTRL_D {
                    // In the middle of an answer Ctrl-D has no effect.
                    terminal.press(CTRL_C);
                    terminal.finish().code(130).lacks("Added");
                } else {
                    terminal.finish().code(code).lacks("Added");
                }
                assert_eq!(sandbox.store(), before);
            }
        }
        let mut terminal = sandbox.neto(["profile", "add", "globex"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").press("half");
        terminal.signal(rustix::process::Signal::TERM);
        terminal.finish().code(143).lacks("Added");
        assert_eq!(sandbox.store(), before);
    }

    #[test]
    fn what_follows_a_bad_paste_is_not_left_to_the_shell() {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        let before = sandbox.store();
        sandbox.add_canary("half a secret", "rm -rf half-a-secret");
        let text = format!("{}\nrm -rf half-a-secret\n", json!({"no": "base64"}));
        let mut terminal = sandbox.neto(["profile", "add", "globex"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").paste_unmarked(&text);
        terminal.finish().code(3).has("the NETOSECRET is not base64");
        let text = base64::engine::general_purpose::STANDARD.encode("{}");
        let mut terminal = sandbox.neto(["profile", "add", "globex"]).at_terminal();
        terminal.expect("NETOSECRET (not shown): ").paste(&text).press("\r");
        terminal.finish().code(3).has("'url' is missing");
        assert_eq!(sandbox.store(), before);
    }

    #[test]
    fn what_is_wrong_with_the_words_is_told_before_the_prompt() {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        for (flags, code, words) in [
            (&["acme"][..], 3, "there is a profile 'acme' already"),
            (&["--shortname", "acme", "--appname", "soc"], 3, "there is a profile 'acme' already"),
            (&["A b"], 2, "not a name"),
            (&["--username", "alice"], 2, "needs a name"),
            (&["x", "--leeway", "5"], 2, "bare number"),
            (&["x", "--env", "PATH=/x"], 2, "steers programs"),
            (
                &["x", "--recipient", "bob"],
                2,
                "no recipient 'bob'\n  hint: neto recipient list\n        (there are me)",
            ),
        ] {
            let screen = sandbox.neto(["profile", "add"].iter().chain(flags)).at_terminal().finish();
            screen.code(code).has(words).lacks("not shown");
        }
    }
}

//! Tests `neto discover`: the comparison of a reseller's accounts with the store, and the profiles that `--add`
//! creates. Also tests warnings about accounts that cannot be listed.

use crate::fusion::{Account, Fault, TOKEN};
use crate::harness::Sandbox;
use serde_json::{Value, json};
use std::fs;

const CUSTOMERS: &str = "/api/v1/customers";

/// Returns an account that has no accounts below it.
fn account(shortname: &str, parent: &str) -> Account {
    Account { shortname: shortname.to_owned(), parent: parent.to_owned(), children: 0, trial: false }
}

/// Returns `count` accounts directly below `parent`.
fn accounts(count: usize, parent: &str) -> Vec<Account> {
    (0..count).map(|number| account(&format!("t{number:04}"), parent)).collect()
}

impl Sandbox {
    /// Adds a reseller with these accounts, and its profile `msp`.
    fn reseller(&self, accounts: Vec<Account>) {
        self.add("msp");
        self.server().set_accounts("msp", accounts);
    }

    /// Adds a profile without a secret to the store, with the URL of the sandbox's server.
    fn declare(&self, name: &str, shortname: &str) {
        let url = self.server().url();
        self.write_store(format!("{}\n[profiles.{name}]\nshortname = {shortname:?}\nurl = {url:?}\n", self.store()));
    }

    /// Runs `neto discover` and returns tenant, profile and state of each row.
    fn discovered(&self) -> Vec<[String; 3]> {
        let rows = self.neto(["discover", "msp", "-o", "json"]).run().code(0).json();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| ["shortname", "profile", "state"].map(|field| word(&row[field]));
        rows.as_array().expect("an array").iter().map(row).collect()
    }
}

/// Formats each row as `tenant profile state`, with `-` for an empty field.
fn lines(rows: &[[String; 3]]) -> Vec<String> {
    let dash = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
    rows.iter().map(|row| row.iter().map(dash).collect::<Vec<_>>().join(" ")).collect()
}

/// Sets up a reseller with an account in each state. At the previous run of `discover`, `hooli` was below `north`.
fn with_each_state(sandbox: &Sandbox) {
    let all = |hooli: &str| {
        let globex = Account { trial: true, ..account("globex", "msp") };
        vec![account("acme", "msp"), globex, account("hooli", hooli)]
    };
    sandbox.reseller(all("north"));
    for name in ["acme", "hooli", "oldco"] {
        sandbox.declare(name, name);
    }
    sandbox.neto(["discover", "msp"]).run().code(0).stdout_lacks("hooli");
    sandbox.server().set_accounts("msp", all("south"));
}

#[test]
fn the_table_shows_what_does_not_fit() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let outcome = sandbox.neto(["discover", "msp"]).run();
    outcome.code(0).stdout(
        "TENANT   PROFILE   STATE      PARENT          TRIAL\n\
         globex             missing    msp             trial\n\
         oldco    oldco     orphaned\n\
         hooli    hooli     moved      north → south\n",
    );
    assert_eq!(outcome.stderr, "2 profiles matched\n");
    sandbox.neto(["discover", "msp"]).run().code(0).stdout_lacks("hooli").stdout_has("globex").stdout_has("oldco");
}

#[test]
fn r47_the_json_has_also_what_fits_and_the_fields_of_the_contract() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let outcome = sandbox.neto(["-p", "msp", "discover", "-o", "json"]).run();
    outcome.code(0).stderr("");
    let row = |shortname: &str, profile: Option<&str>, state: &str, parent: Option<&str>, trial: Option<bool>| json!({"shortname": shortname, "profile": profile, "state": state, "parent": parent, "trial": trial});
    let rows = json!([
        row("globex", None, "missing", Some("msp"), Some(true)),
        row("oldco", Some("oldco"), "orphaned", None, None),
        row("hooli", Some("hooli"), "moved", Some("south"), Some(false)),
        row("acme", Some("acme"), "matched", Some("msp"), Some(false)),
        row("msp", Some("msp"), "matched", None, None),
    ]);
    assert_eq!(outcome.json(), rows);
    let names: Vec<&str> =
        outcome.stdout.lines().filter_map(|line| line.strip_prefix("    \"")?.split('"').next()).collect();
    assert!(names.chunks(5).all(|row| row == ["shortname", "profile", "state", "parent", "trial"]), "{outcome}");
    let csv = sandbox.neto(["discover", "msp", "-o", "csv"]).run();
    csv.code(0).stdout("shortname,profile,state,parent,trial\nglobex,,missing,msp,true\noldco,oldco,orphaned,,\n");
}

#[test]
fn a_check_ends_with_9_as_long_as_something_does_not_fit() {
    let sandbox = Sandbox::new();
    with_each_state(&sandbox);
    let check = || sandbox.neto(["discover", "msp", "--check"]).run();
    let found = check();
    found.code(9).stderr_has("msp: 1 missing, 1 orphaned, 1 moved").stderr_has("hint: neto discover msp --add");
    check().code(9).stderr_has("1 missing, 1 orphaned, 0 moved");
    sandbox.declare("globex", "globex");
    check().code(9).stderr_has("0 missing, 1 orphaned, 0 moved").stderr_has("neto profile remove");
    sandbox.neto(["profile", "remove", "oldco", "--yes"]).run().code(0);
    check().code(0).stdout("").stderr_lacks("error");
    sandbox.neto(["discover", "msp", "--check", "-q", "-o", "json"]).run().code(0).stderr("");
    // Moved accounts fail the check even without other differences, but only once.
    let moved = ["acme", "globex", "hooli"].map(|name| account(name, "west"));
    sandbox.server().set_accounts("msp", moved.into());
    check().code(9).stderr_has("0 missing, 0 orphaned, 3 moved").stdout_has("south → west");
    check().code(0);
}

#[test]
fn a_full_answer_calls_no_profile_orphaned() {
    for (count, complete) in [(999, true), (1000, false), (1001, false)] {
        let sandbox = Sandbox::new();
        sandbox.reseller(accounts(count, "msp"));
        sandbox.declare("oldco", "oldco");
        // Without the reseller's own count, a response with the maximum number of accounts may be incomplete.
        sandbox.server().fault(Fault::at("/api/v1/customer/msp").error(404, "no"));
        let outcome = sandbox.neto(["discover", "msp", "--check"]).run();
        let missing = count.min(1000);
        outcome.code(9).stdout_has("t0000").stdout_has("t0998");
        if complete {
            outcome.stderr_lacks("warning").stderr_has(&format!("{missing} missing, 1 orphaned")).stdout_has("oldco");
        } else {
            outcome.stderr_has("warning: not all accounts are known, so no profile is called orphaned:");
            outcome.stderr_has("the answer for msp is full: it holds 1000 accounts and cannot hold more");
            outcome.stderr_has(&format!("{missing} missing, 0 orphaned")).stdout_lacks("oldco");
        }
    }
    // The reseller's own count shows whether a response with the maximum number of accounts is complete.
    let sandbox = Sandbox::new();
    sandbox.reseller(Vec::new());
    sandbox.declare("oldco", "oldco");
    for (count, complete) in [(1000, true), (1001, false)] {
        sandbox.server().set_accounts("msp", accounts(count, "msp"));
        let outcome = sandbox.neto(["discover", "msp", "-o", "csv"]).run();
        outcome.code(0).stdout_has("t0999");
        if complete {
            outcome.stderr("").stdout_has("oldco,oldco,orphaned");
        } else {
            outcome
                .stdout_lacks("oldco")
                .stderr_has("1000 of the 1001 accounts right below msp: its answer has no more");
        }
    }
}

#[test]
fn resellers_below_are_asked_for_what_the_answer_does_not_have() {
    let sandbox = Sandbox::new();
    let mut all = accounts(998, "msp");
    for (name, children) in [("north", 2), ("south", 1)] {
        all.push(Account { children, ..account(name, "msp") });
    }
    sandbox.reseller(all);
    for name in ["north", "south", "east"] {
        sandbox.server().add_tenant(name, "soc");
    }
    sandbox.server().set_accounts("north", vec![account("n1", "north"), account("n2", "north")]);
    let east = Account { children: 1, ..account("east", "south") };
    sandbox.server().set_accounts("south", vec![east]);
    sandbox.server().set_accounts("east", vec![account("e1", "east")]);
    sandbox.declare("oldco", "oldco");
    sandbox.declare("n1", "n1");
    let discover = || sandbox.neto(["discover", "msp", "-o", "csv"]).run();

    let none = discover();
    none.code(0).stdout_has("t0000").stdout_lacks("oldco").stdout_lacks("n2");
    none.stderr_has("0 of the 2 accounts right below north: no profile here can ask for them");
    assert_eq!(sandbox.server().request_count(CUSTOMERS), 1);

    sandbox.add("north");
    let north = discover();
    north.code(0).stdout_has("n2,,missing,north").stdout_lacks("oldco").stdout_lacks("n1,");
    north.stderr_lacks("north").stderr_has("0 of the 1 accounts right below south: no profile here can ask");
    assert_eq!(sandbox.server().request_count(CUSTOMERS), 3);

    // Resellers below the reseller are queried too. A profile without a secret sends no request.
    sandbox.add("south");
    sandbox.declare("east", "east");
    discover()
        .code(0)
        .stderr_has("0 of the 1 accounts right below east: no profile here can ask")
        .stdout_lacks("oldco");
    sandbox.neto(["profile", "remove", "east", "--yes"]).run().code(0);
    sandbox.add("east");
    let all = discover();
    all.code(0).stderr("").stdout_has("e1,,missing,east").stdout_has("oldco,oldco,orphaned");

    // If the accounts of one reseller cannot be listed, neto prints a warning and does not fail.
    sandbox.server().fault(Fault::at(CUSTOMERS).for_tenant("south").error(403, "not for you"));
    let refused = discover();
    refused.code(0).stdout_has("n2,,missing").stdout_lacks("oldco").stdout_lacks("e1");
    refused.stderr_has("0 of the 1 accounts right below south: 127.0.0.1:").stderr_has("not for you");
}

#[test]
fn a_tenant_that_is_no_reseller_makes_no_orphans() {
    let sandbox = Sandbox::new();
    sandbox.reseller(Vec::new());
    sandbox.declare("oldco", "oldco");
    for none in [Vec::new(), vec![account("msp", "top")]] {
        sandbox.server().set_accounts("msp", none);
        let outcome = sandbox.neto(["discover", "msp", "--check"]).run();
        outcome.code(0).stdout("").stderr_has("there is none below msp: it may be no reseller");
    }
}

#[test]
fn a_row_that_cannot_be_read_may_be_any_tenant() {
    let sandbox = Sandbox::new();
    sandbox.reseller(vec![account("acme", "msp")]);
    sandbox.declare("oldco", "oldco");
    let all_rows = ["acme - missing", "oldco oldco orphaned", "msp msp matched"];
    assert_eq!(lines(&sandbox.discovered()), all_rows);
    let body = r#"{"data": [{"shortname": "acme"}, {"shortname": 5}, {"organization": "x"}, {"shortname": "globex"}]}"#;
    sandbox.server().fault(Fault::at(CUSTOMERS).respond(200, body));
    assert_eq!(lines(&sandbox.discovered()), ["acme - missing", "globex - missing", "msp msp matched"]);
    sandbox.neto(["discover", "msp"]).run().code(0).stderr_has("2 rows of the answer cannot be read");
}

#[test]
fn an_answer_of_another_shape_is_exit_5_and_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.reseller(Vec::new());
    let store = sandbox.store();
    let huge = format!("{{\"data\": [{}\"\"]}}", "\"\",".repeat(6 << 20));
    for (body, what) in [
        ("<html>no</html>", "it is not one JSON object"),
        ("{}", "it holds no data"),
        (r#"{"data": {"shortname": "acme"}}"#, "its data is no list"),
        (r#"{"data": ["acme", "globex"]}"#, "no row of its list can be read"),
        (&huge, "larger than"),
    ] {
        sandbox.server().fault(Fault::at(CUSTOMERS).once().respond(200, body));
        let outcome = sandbox.neto(["discover", "msp", "--add"]).run();
        outcome.code(5).stdout("").stderr_has("error: msp: the answer of 127.0.0.1:").stderr_has(what);
    }
    assert_eq!(sandbox.store(), store);
    assert!(!sandbox.home("state/discover.json").exists());
}

#[test]
fn what_the_server_refuses_has_its_exit_code_and_a_hint_that_fits() {
    let sandbox = Sandbox::new();
    sandbox.reseller(Vec::new());
    let discover_with = |fault: Fault| {
        sandbox.server().clear_faults();
        sandbox.server().fault(fault);
        let outcome = sandbox.neto(["discover", "msp"]).run();
        outcome.stdout("").stderr_has("error: msp: ");
        outcome
    };
    let forbidden = discover_with(Fault::at(CUSTOMERS).error(403, "resellers only"));
    forbidden
        .code(4)
        .stderr_has("answered with status 403: resellers only")
        .stderr_has("hint: neto discover PROFILE\n");
    forbidden.stderr_has("(with a reseller's profile, whose key may list accounts)").stderr_lacks("set-secret");
    discover_with(Fault::at(CUSTOMERS).error(500, "broken")).code(5).stderr_has("broken");
    discover_with(Fault::at(CUSTOMERS).close()).code(5);
    discover_with(Fault::at(CUSTOMERS).error(404, "no such call")).code(5).stderr_has("neto profile show msp");
    discover_with(Fault::at(CUSTOMERS).error(401, "not this token")).code(4).stderr_has("set-secret msp");
    sandbox.neto(["logout", "msp"]).run().code(0);
    discover_with(Fault::at(TOKEN).error(401, "wrong key"))
        .code(4)
        .stderr_has("wrong key")
        .stderr_has("set-secret msp");
    sandbox.declare("bare", "bare");
    sandbox.neto(["discover", "bare"]).run().code(3).stderr_has("bare: the profile has no secret yet");
    sandbox.neto(["discover", "msp", "--tag", "new"]).run().code(2).stderr_has("--add");
    sandbox.neto(["discover", "msp", "--add", "--check"]).run().code(2);
}

#[test]
fn a_tenant_is_matched_by_its_api_too_and_may_have_several_profiles() {
    let sandbox = Sandbox::new();
    sandbox.reseller(vec![account("acme", "msp"), account("globex", "msp")]);
    sandbox.declare("acme-two", "acme");
    sandbox.declare("acme-one", "acme");
    let elsewhere = "\n[profiles.globex]\nshortname = \"globex\"\nurl = \"https://api.example.com\"\n\
                     \n[profiles.oldco]\nshortname = \"oldco\"\nurl = \"https://api.example.com\"\n\
                     \n[profiles.alice]\nusername = \"alice\"\n";
    sandbox.write_store(sandbox.store() + elsewhere);
    let fits = ["acme acme-two matched", "acme acme-one matched", "msp msp matched"];
    assert_eq!(lines(&sandbox.discovered()), [&["globex - missing"][..], &fits].concat());
    // A profile for a tenant of another API already has this name.
    let outcome = sandbox.neto(["discover", "msp", "--add"]).run();
    outcome.code(0).stderr_has("the name 'globex' is taken, so the profile of 'globex' is 'globex-2'");
    assert_eq!(lines(&sandbox.discovered())[2], "globex globex-2 matched");
}

#[test]
fn a_faulty_profile_is_warned_of() {
    let sandbox = Sandbox::new();
    sandbox.reseller(vec![account("acme", "msp")]);
    sandbox.write_store(sandbox.store() + "\n[profiles.acme]\nshortnam = \"acme\"\n");
    let outcome = sandbox.neto(["discover", "msp", "--add"]).run();
    outcome.code(0).stderr_has("warning: ").stderr_has("shortnam").stderr_has("'acme-2'");
}

#[test]
fn missing_accounts_get_profiles_in_one_change_and_every_other_byte_stays() {
    let sandbox = Sandbox::new();
    sandbox.reseller(vec![account("Zeta Corp", "msp"), account("beta", "msp"), account("msp", "top")]);
    sandbox.write_store(format!("# ours\n{}# the last line", sandbox.store()));
    let before = sandbox.store();
    let outcome = sandbox.neto(["discover", "msp", "--add", "--tag", "new", "--tag", "emea"]).run();
    outcome.code(0).stdout_has("Zeta Corp").stderr_has("Added 2 profiles, still without a secret");
    outcome.stderr_has("Next: neto profile set-secret zeta-corp");
    let after = sandbox.store();
    let mut rest = before.as_str();
    for line in after.lines() {
        rest = rest.strip_prefix(line).map_or(rest, |rest| rest.strip_prefix('\n').unwrap_or(rest));
    }
    assert_eq!(rest, "", "all lines of before, in their order:\n{after}");
    let url = sandbox.server().url();
    for (name, shortname) in [("beta", "beta"), ("zeta-corp", "Zeta Corp")] {
        let block = format!("[profiles.{name}]\nshortname = {shortname:?}\nurl = {url:?}\ntags = [\"new\", \"emea\"]");
        assert_eq!(after.matches(&block).count(), 1, "{after}");
        let shown = sandbox.profile_json(name);
        assert_eq!((&shown["secret"], &shown["shortname"]), (&json!("none"), &json!(shortname)));
    }
    sandbox.neto(["login", "beta"]).run().code(3).stderr_has("neto profile set-secret beta");
    let again = sandbox.neto(["discover", "msp", "--add"]).run();
    again.code(0).stdout("").stderr_has("There is nothing to add");
    assert_eq!(sandbox.store(), after);
    // An added profile gets its secret with `profile set-secret`, like any other profile.
    let credential = sandbox.server().add_tenant("Zeta Corp", "soc");
    sandbox.neto(["profile", "set-secret", "zeta-corp"]).stdin(credential.netosecret()).run().code(0);
    sandbox.assert_logs_in("zeta-corp");
}

#[test]
fn what_equals_the_default_is_not_written_and_a_tag_is() {
    let sandbox = Sandbox::new();
    sandbox.reseller(vec![account("acme", "msp")]);
    sandbox.neto(["profile", "edit", "--defaults", "--url", &sandbox.server().url()]).run().code(0);
    sandbox.neto(["discover", "msp", "--add"]).run().code(0);
    let block = "[profiles.acme]\nshortname = \"acme\"\ntags = [\"discovered\"]\n";
    assert!(sandbox.store().contains(block), "{}", sandbox.store());
}

/// Shortnames that must not be written to a store, and the reason that neto shows for each.
const HOSTILE: [(&str, &str); 8] = [
    ("a\nb", "it holds characters that no store should"),
    ("a\u{1b}[2Jb", "it holds characters that no store should"),
    ("a\u{202e}b", "it holds characters that no store should"),
    ("nul", "a name is none of the device names of Windows"),
    ("env", "'env' is the profile that NETOSECRET makes; choose another name"),
    ("../x", "a name starts with a lower-case letter or a digit"),
    ("..", "a name starts with a lower-case letter or a digit"),
    ("ends.", "a name does not end in a dot"),
];

#[test]
fn r46_r47_hostile_shortnames_are_shown_clean_and_never_written() {
    let sandbox = Sandbox::new();
    let quoted = "q\"]\n[recipients";
    let mut all: Vec<Account> = HOSTILE.iter().map(|(shortname, _)| account(shortname, "p\u{9b}31m")).collect();
    all.extend([account(quoted, "msp"), account("it's \"q\"", "msp"), account(&"x".repeat(200), "msp")]);
    sandbox.reseller(all.clone());
    let table = sandbox.neto(["discover", "msp"]).run();
    let csv = sandbox.neto(["discover", "msp", "-o", "csv"]).run();
    for text in [&table.stdout, &csv.stdout] {
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{text}");
    }
    assert_eq!(table.stdout.lines().count(), 1 + all.len(), "{table}");
    let found = sandbox.discovered();
    assert!(all.iter().all(|account| found.iter().any(|row| row[0] == account.shortname)), "{found:?}");

    let outcome = sandbox.neto(["discover", "msp", "--add"]).run();
    outcome.code(0).stderr_has("warning: 10 accounts got no profile:").stderr_has("and 2 more");
    outcome.stderr_has("Added 1 profile, still without a secret");
    let steering = |text: &str| text.contains(['\u{1b}', '\u{202e}', '\u{9b}']) || text.contains(&"x".repeat(100));
    assert!(!steering(&outcome.stderr), "{outcome}");
    assert_eq!(sandbox.profile_json("it-s--q-")["shortname"], "it's \"q\"");
    for (shortname, why) in HOSTILE {
        sandbox.server().set_accounts("msp", vec![account(shortname, "msp")]);
        let outcome = sandbox.neto(["discover", "msp", "--add"]).run();
        outcome.code(0).stderr_has("1 account got no profile:").stderr_has(why).stderr_has("Added 0 profiles");
    }
    assert_eq!(sandbox.store().matches("shortname").count(), 2, "{}", sandbox.store());
}

#[test]
fn two_thousand_rows_are_read_and_taken_as_cut() {
    let sandbox = Sandbox::new();
    sandbox.reseller(Vec::new());
    sandbox.declare("oldco", "oldco");
    let row = |number: usize| json!({"shortname": format!("t{number:04}"), "organization": "x".repeat(200), "reseller": {"parent": "msp"}});
    let body = json!({"meta": {"code": 200}, "data": (0..2000).map(row).collect::<Vec<_>>()}).to_string();
    // No row says how many accounts are below it. So the reseller's own count does not show that the list is complete.
    sandbox.server().fault(Fault::at(CUSTOMERS).respond(200, body));
    sandbox.neto(["discover", "msp"]).run().code(0).stdout_has("t1999").stdout_lacks("oldco");
    sandbox.neto(["discover", "msp", "--add"]).run().code(0).stderr_has("Added 2000 profiles");
    let matched = sandbox.discovered();
    assert_eq!(matched.len(), 2001);
    assert!(matched.iter().all(|row| row[2] == "matched"));
}

#[test]
fn the_memory_of_parents_is_private_and_never_guessed_at() {
    let sandbox = Sandbox::new();
    let memory = sandbox.home("state/discover.json");
    sandbox.reseller(vec![account("acme", "north")]);
    sandbox.declare("acme", "acme");
    sandbox.neto(["discover", "msp"]).run().code(0).stdout("");
    let text = fs::read_to_string(&memory).expect("a memory");
    let expected = json!({"v": 1, "parents": {sandbox.server().url(): {"acme": "north"}}});
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&memory).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A missing parent does not count as a move, and neto keeps the parent of the previous run.
    sandbox.server().fault(Fault::at(CUSTOMERS).once().respond(200, r#"{"data": [{"shortname": "acme"}]}"#));
    sandbox.neto(["discover", "msp"]).run().code(0).stdout("");
    assert_eq!(fs::read_to_string(&memory).unwrap(), text);
    // If the output cannot be written, the move counts as not shown, so the next run shows it.
    sandbox.server().set_accounts("msp", vec![account("acme", "south")]);
    let full = sandbox.program("sh", ["-c", "neto discover msp > /dev/full"]).run();
    full.code(1).stderr_has("cannot write the answer");
    sandbox.neto(["discover", "msp"]).run().code(0).stdout_has("north → south");
    for damage in ["", "{", r#"{"v":2,"parents":{}}"#, r#"{"v":1,"parents":{},"more":1}"#] {
        fs::write(&memory, damage).unwrap();
        let outcome = sandbox.neto(["discover", "msp"]).run();
        outcome.code(0).stdout("").stderr_has("discover.json is not what neto wrote; no move can be told until:");
        outcome.stderr_has("  rm ").stderr_has("2 profiles matched");
        assert_eq!(fs::read_to_string(&memory).unwrap(), damage);
    }
}

#[test]
fn the_reseller_may_be_a_person_or_come_from_netosecret() {
    let sandbox = Sandbox::new();
    let person = sandbox.server().add_person("msp");
    let url = sandbox.server().url();
    sandbox.server().add_tenant("msp", "soc");
    sandbox.server().set_accounts("msp", vec![account("acme", "msp"), account("msp", "top")]);
    let add = ["profile", "add", "boss", "--username", "msp", "--url", &url];
    sandbox.neto(add).stdin(&person.password).run().code(0);
    let outcome = sandbox.neto(["discover", "boss", "-o", "csv"]).run();
    outcome.code(0).stderr("").stdout_has("acme,,missing,msp,false").stdout_has("msp,,missing,top,false");

    let credential = sandbox.server().add_tenant("msp", "other");
    let env = |arguments: &[&str]| sandbox.neto(arguments).env("NETOSECRET", credential.netosecret()).run();
    let rows = env(&["discover", "env", "-o", "json"]).code(0).json();
    assert_eq!(
        rows[0],
        json!({"shortname": "acme", "profile": null, "state": "missing", "parent": "msp", "trial": false})
    );
    assert_eq!((&rows[1]["profile"], &rows[1]["state"]), (&json!("env"), &json!("matched")));
    env(&["discover", "env", "--add"]).code(0).stderr_has("Added 1 profile");
}

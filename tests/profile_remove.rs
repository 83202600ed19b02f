//! `neto profile remove`: asks at a terminal, requires `--yes` without a terminal, and changes nothing else.

use crate::harness::Sandbox;

#[test]
fn off_a_terminal_it_wants_yes() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    let before = sandbox.store();
    let outcome = sandbox.neto(["profile", "remove", "acme"]).run();
    outcome.code(2).stdout("").stderr_has("nobody to ask").stderr_has("neto profile remove acme --yes");
    let outcome = sandbox.neto(["profile", "remove", "acme", "globex"]).stdin("y\n").run();
    outcome.code(2).stdout("").stderr_has("neto profile remove acme globex --yes");
    assert_eq!(sandbox.store(), before);
}

#[test]
fn the_profile_goes_with_its_token_and_being_current() {
    let sandbox = Sandbox::new();
    for name in ["acme", "globex", "hooli"] {
        sandbox.add(name);
        sandbox.assert_logs_in(name);
    }
    for name in ["globex", "acme"] {
        sandbox.neto(["use", name]).run().code(0);
    }
    let outcome = sandbox.neto(["profile", "remove", "acme", "--yes"]).run();
    outcome.code(0).stdout("").stderr_has("Removed 'acme'").stderr_has("lives on at the server");
    assert!(!sandbox.token_file("acme").exists() && sandbox.token_file("globex").exists());
    sandbox.neto(["profile", "show", "acme"]).run().code(3);
    sandbox.neto(["profile", "current"]).run().code(3).stderr_has("no profile is chosen");
    sandbox.assert_logs_in("globex");
    // A profile added again under the name is a new profile.
    sandbox.add("acme");
    sandbox.neto(["token", "acme", "--offline"]).run().code(5).stdout("");
    sandbox.assert_logs_in("acme");
}

#[test]
fn every_other_byte_stays() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    let before = sandbox.store().replace("version = 1", "# file\nversion = 1 # one");
    let before = before.replace("[profiles.globex]", "# of globex\n[profiles.globex]");
    for (end, mark) in [("\n", ""), ("\r\n", "\u{feff}")] {
        let before = format!("{mark}{}", before.replace('\n', end));
        let profile = "# of hooli\n[profiles.hooli]\nshortname = \"h\" # h\n[profiles.hooli.env]\nA = \"1\"\n\n";
        let (start, at) = ("[profiles.globex]".len(), before.find("# of globex").unwrap());
        assert!(start > 0);
        let with = format!("{}{}{}", &before[..at], profile.replace('\n', end), &before[at..]);
        sandbox.write_store(with);
        sandbox.neto(["profile", "remove", "hooli", "-y"]).run().code(0);
        assert_eq!(sandbox.store(), before);
    }
}

#[test]
fn several_are_selected_and_nobody_is_meant_by_nothing() {
    let sandbox = Sandbox::new();
    for name in ["acme-eu", "acme-us", "globex"] {
        sandbox.add(name);
    }
    let before = sandbox.store();
    sandbox.neto(["use", "globex"]).run().code(0);
    sandbox.neto(["profile", "remove", "--yes"]).run().code(2).stdout("").stderr_has("no profile is named");
    sandbox.neto(["profile", "remove", "x*", "--yes"]).run().code(3).stdout("").stderr_has("no profile matches");
    sandbox.neto(["profile", "remove", "acme-eu", "glbex", "--yes"]).run().code(3).stdout("").stderr_has("'globex'");
    assert_eq!(sandbox.store(), before);
    sandbox.neto(["profile", "remove", "acme-*", "--yes"]).run().code(0);
    let rows = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["profile"]), (1, &"globex".into()));
    sandbox.neto(["profile", "edit", "globex", "--tag", "trial"]).run().code(0);
    let outcome = sandbox.neto(["profile", "remove", "--tag", "trial", "--not-tag", "trial", "--yes"]).run();
    outcome.code(3).stdout("").stderr_has("the tags are trial");
    sandbox.add("initech");
    sandbox.neto(["profile", "remove", "--tag", "trial", "--yes"]).run().code(0).stderr_has("Removed 'globex'");
    sandbox.neto(["profile", "show", "initech"]).run().code(0);
    sandbox.neto(["profile", "remove", "--all", "--yes"]).run().code(0);
    sandbox.neto(["ls", "-o", "json"]).run().code(0).stdout("[]\n");
    assert!(sandbox.store().contains("[recipients]"), "the store itself stays");
}

#[test]
fn what_is_faulty_or_cannot_be_opened_can_go() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.write_store(sandbox.store() + "\n[profiles.bad]\nurll = 5\n");
    std::fs::remove_file(sandbox.home("keys/identity.txt")).unwrap();
    sandbox.neto(["profile", "remove", "bad", "--yes"]).run().code(0).stderr_has("Removed 'bad'");
    sandbox.neto(["profile", "remove", "acme", "--yes"]).run().code(0);
    sandbox.neto(["ls", "-o", "json"]).run().code(0).stdout("[]\n");
}

#[cfg(unix)]
mod at_a_terminal {
    use super::Sandbox;
    use crate::harness::{CTRL_C, CTRL_D};

    #[test]
    fn it_asks() {
        let sandbox = Sandbox::new();
        sandbox.add("acme");
        sandbox.add("globex");
        sandbox.assert_logs_in("acme");
        let before = sandbox.store();
        for (answer, code) in [("n\r", 2), ("\r", 2), ("yesterday\r", 2), (CTRL_D, 2), (CTRL_C, 130)] {
            let mut terminal = sandbox.neto(["profile", "remove", "acme"]).at_terminal();
            terminal.expect("Remove the profile 'acme' with its credential and token? [y/N] ").press(answer);
            terminal.finish().code(code).lacks("Removed");
            assert_eq!(sandbox.store(), before);
            assert!(sandbox.token_file("acme").exists());
        }
        let mut terminal = sandbox.neto(["profile", "remove", "--all"]).at_terminal();
        terminal.expect("Remove the profiles acme, globex with their credential and token? ").enter("y");
        terminal.finish().code(0).has("Removed 'acme'").has("Removed 'globex'");
        assert!(!sandbox.token_file("acme").exists());
    }
}

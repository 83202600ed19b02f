//! `neto profile edit`: by flags on one profile, many profiles or the defaults, or in `$EDITOR`. Secrets are
//! re-encrypted when a bound value changes.

use crate::harness::Sandbox;
use serde_json::json;
use std::fs;

/// Returns the store without the two keys that sealing writes.
fn without_seals(sandbox: &Sandbox) -> String {
    let mut inside = false;
    let mut rest = String::new();
    for line in sandbox.store().lines().filter(|line| !line.starts_with("sealed = ")) {
        inside |= line.starts_with("secret = \"\"\"");
        if !inside {
            rest += line;
            rest.push('\n');
        }
        inside &= line != "\"\"\"";
    }
    rest
}

#[test]
fn flags_change_one_profile_and_nothing_else() {
    let sandbox = Sandbox::new();
    let acme = sandbox.server().add_tenant("acme", "soc");
    sandbox.neto(["profile", "add", "--tag", "old"]).stdin(acme.netosecret()).run().code(0);
    sandbox.add("globex");
    sandbox.write_store(sandbox.store().replace("tags = [\"old\"]", "tags = [ 'old' ]   # tags"));
    sandbox.assert_logs_in("acme");
    let (before, other) = (sandbox.store(), sandbox.profile_json("globex"));
    let flags = [
        "--tag",
        "prod",
        "--tag",
        "old",
        "--description",
        "Acme \"Corp\"",
        "--protected",
        "--leeway",
        "2m",
        "--timeout",
        "45s",
        "--env",
        "A={url}",
        "--env",
        "B=b",
    ];
    let outcome = sandbox.neto(["profile", "edit", "acme"].iter().chain(&flags)).run();
    outcome.code(0).stdout("").stderr_has("Changed 1 profile").stderr_lacks("anew");
    let shown = sandbox.profile_json("acme");
    for (key, expected) in [
        ("tags", json!(["old", "prod"])),
        ("description", json!("Acme \"Corp\"")),
        ("protected", json!(true)),
        ("leeway", json!("2m")),
        ("timeout", json!("45s")),
        ("env", json!(["A={url}", "B=b"])),
    ] {
        assert_eq!(shown[key], expected, "{key}");
    }
    assert_eq!(sandbox.profile_json("globex"), other);
    let kept: Vec<&str> = before.lines().filter(|line| !line.contains("old")).collect();
    let after = sandbox.store();
    let mut lines = after.lines();
    assert!(kept.iter().all(|kept| lines.any(|line| line == *kept)), "every line stays in its order:\n{after}");
    assert!(after.contains("   # tags\n"));
    // No bound value changed, so the cached token is still valid.
    sandbox.neto(["token", "acme", "--offline"]).allow_secret("access token").run().code(0);
    let outcome = sandbox.neto(["profile", "edit", "acme", "--untag", "old", "--no-protected", "--env", "A=a"]).run();
    outcome.code(0);
    let shown = sandbox.profile_json("acme");
    assert_eq!((&shown["tags"], &shown["protected"]), (&json!(["prod"]), &json!(false)));
    assert_eq!(shown["env"], json!(["A=a", "B=b"]));
    assert!(!sandbox.store().contains("protected"));
    sandbox.neto(["profile", "edit", "acme", "--untag", "prod"]).run().code(0);
    assert!(!sandbox.store().contains("tags = "), "{}", sandbox.store());
    sandbox.assert_logs_in("acme");
}

#[test]
fn what_is_bound_is_sealed_anew_in_the_same_change() {
    let sandbox = Sandbox::new();
    let acme = sandbox.add("acme");
    let old = sandbox.server().url();
    let new = old.replace("127.0.0.1", "localhost");
    let ca = sandbox.work("ca.pem");
    fs::write(&ca, "").unwrap();
    let before = sandbox.profile_json("acme");
    let outcome = sandbox.neto(["profile", "edit", "acme", "--url", &new, "--ca-file", "ca.pem"]).run();
    outcome.code(0).stdout("").stderr_has("Changed 1 profile").stderr_has("Sealed 1 secret anew");
    let shown = sandbox.profile_json("acme");
    assert_eq!((&shown["url"], &shown["ca_file"]), (&json!(new), &json!(ca)));
    assert_eq!(shown["key_since"], before["key_since"]);
    sandbox.assert_logs_in("acme");
    // The profile now names another key of the same tenant, but its credential is still the old key's. neto accepts the
    // change, and the server refuses the login.
    sandbox.server().add_tenant("acme", "reports");
    sandbox.neto(["profile", "edit", "acme", "--appname", "reports"]).run().code(0).stderr_has("Sealed 1 secret anew");
    sandbox.neto(["login", "acme", "--force"]).run().code(4);
    sandbox.neto(["profile", "edit", "acme", "--appname", &acme.appname]).run().code(0);
    sandbox.assert_logs_in("acme");
    sandbox.allow_violations();
}

#[test]
fn many_are_changed_at_once() {
    let sandbox = Sandbox::new();
    for name in ["acme-eu", "acme-us", "globex"] {
        sandbox.add(name);
    }
    let new = sandbox.server().url().replace("127.0.0.1", "localhost");
    let outcome = sandbox.neto(["profile", "edit", "acme-*", "--tag", "prod", "--url", &new, "--yes"]).run();
    outcome.code(0).stdout("").stderr_has("Changed 2 profiles").stderr_has("Sealed 2 secrets anew");
    sandbox.neto(["profile", "edit", "--all", "--leeway", "90s"]).run().code(0).stderr_has("Changed 3 profiles");
    let rows = sandbox.neto(["ls", "-o", "json", "--tag", "prod"]).run().code(0).json();
    assert_eq!((&rows[0]["url"], &rows[1]["url"], rows.as_array().unwrap().len()), (&json!(new), &json!(new), 2));
    for name in ["acme-eu", "acme-us", "globex"] {
        assert_eq!(sandbox.profile_json(name)["leeway"], "1m30s");
        sandbox.assert_logs_in(name);
    }
    sandbox.neto(["use", "globex"]).run().code(0);
    sandbox.neto(["profile", "edit", "--tag", "chosen"]).run().code(0).stderr_has("Changed 1 profile");
    assert_eq!(sandbox.profile_json("globex")["tags"], json!(["chosen"]));
}

#[test]
fn defaults_reach_whoever_says_nothing_else_and_bind_them_again() {
    let sandbox = Sandbox::new();
    sandbox.init();
    let url = sandbox.server().url();
    sandbox.write_store(sandbox.store().replace("https://api.netography.com/api/v1", &url));
    sandbox.add("acme");
    sandbox.add("globex");
    let new = url.replace("127.0.0.1", "localhost");
    sandbox.neto(["profile", "edit", "globex", "--url", &new]).run().code(0);
    let edit = ["profile", "edit", "--defaults", "--url", &new, "--leeway", "5m"];
    // Two secrets are not bound to another server without confirmation.
    sandbox.neto(edit).run().code(2).stderr_has("Seal 2 secrets anew").stderr_has("--yes");
    let mut terminal = sandbox.neto(edit).at_terminal();
    terminal.expect("Seal 2 secrets anew, to be sent to ").enter("n");
    terminal.finish().code(2).has("Left as it was");
    let outcome = sandbox.neto(edit).arg("--yes").run();
    outcome.code(0).stdout("").stderr_has("Changed the defaults").stderr_has("Sealed 1 secret anew");
    for name in ["acme", "globex"] {
        let shown = sandbox.profile_json(name);
        assert_eq!((&shown["url"], &shown["leeway"]), (&json!(new), &json!("5m")), "{name}");
        sandbox.assert_logs_in(name);
    }
    // A URL equal to the default is not written, and neto still sends requests to the same server.
    sandbox.neto(["profile", "edit", "globex", "--url", &new]).run().code(0);
    assert_eq!(sandbox.store().matches("url = ").count(), 1);
    sandbox.assert_logs_in("globex");
    let before = sandbox.store();
    for flags in [
        &["--defaults", "acme", "--url", &new][..],
        &["--defaults", "--all", "--url", &new],
        &["acme", "--all", "--url", &new],
        &["--defaults", "--shortname", "x"],
        &["--defaults", "--tag", "x"],
        &["--defaults", "--description", "x"],
        &["--defaults", "--protected"],
        &["--defaults", "--untag", "x"],
        &["--defaults"],
        &["--defaults", "--url", "http://x.example"],
        &["--defaults", "--recipient", "bob"],
    ] {
        sandbox.neto(["profile", "edit"].iter().chain(flags)).run().code(2).stdout("").stderr_has("error: ");
    }
    assert_eq!(sandbox.store(), before);
}

#[test]
fn what_cannot_be_bound_again_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.add("globex");
    let new = sandbox.server().url().replace("127.0.0.1", "localhost");
    // One of the two secrets is already bound to other values, so neither profile is changed.
    let store = sandbox.store();
    let tampered = store.replacen("appname = \"soc\"", "appname = \"other\"", 1);
    sandbox.write_store(&tampered);
    let outcome = sandbox.neto(["profile", "edit", "--all", "--url", &new, "--yes"]).run();
    outcome.code(3).stdout("").stderr_has("acme: the secret is bound to another appname");
    assert_eq!(sandbox.store(), tampered);
    sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run().code(0);
    sandbox.write_store(&store);
    fs::rename(sandbox.home("keys/identity.txt"), sandbox.home("keys/away.txt")).unwrap();
    sandbox.neto(["profile", "edit", "acme", "--url", &new]).run().code(6).stdout("").stderr_has("no identity");
    assert_eq!(sandbox.store(), store);
    // Changing unbound values needs no identity.
    sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run().code(0);
}

#[test]
fn wrong_words_change_nothing() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let before = sandbox.store();
    for (flags, code, words) in [
        (&["acme", "--url", "http://x.example"][..], 2, "--url: the url must be https"),
        (&["acme", "--url", "https://u:p@x.example"], 2, "user or password"),
        (&["acme", "--leeway", "60"], 2, "a bare number has no unit"),
        (&["acme", "--env", "PATH=x"], 2, "steers programs"),
        (&["acme", "--env", "X"], 2, "NAME=VALUE"),
        (&["acme", "--ca-file", "gone.pem"], 2, "gone.pem cannot be read"),
        (&["acme", "--recipient", "bob"], 2, "a recipient that is not in [recipients]"),
        (&["acme", "--username", "x"], 2, "stands beside 'shortname', which excludes it"),
        (&["acme", "--shortname", ""], 2, "is empty"),
        (&["acme", "--protected", "--no-protected"], 2, "--no-protected"),
        (&["acm", "--tag", "x"], 3, "'acme'"),
        (&["x*", "--tag", "x"], 3, "no profile matches"),
        (&["env", "--tag", "x"], 2, "nothing to edit"),
    ] {
        let call = sandbox.neto(["profile", "edit"].iter().chain(flags)).env("NETOSECRET", credential.netosecret());
        let outcome = call.run();
        outcome.code(code).stdout("").stderr_has("error: ").stderr_has(words).stderr_lacks("line ");
        assert_eq!(sandbox.store(), before, "{flags:?}");
    }
}

#[test]
fn a_faulty_profile_is_mended_by_flags() {
    let sandbox = Sandbox::new();
    sandbox.init();
    sandbox.write_store(sandbox.store() + "\n[profiles.acme]\nurl = \"http://x.example\" # wrong\n");
    sandbox.neto(["profile", "show", "acme"]).run().code(3).stderr_has("must be https");
    sandbox.neto(["profile", "edit", "acme", "--url", "https://x.example"]).run().code(0);
    assert!(sandbox.store().ends_with("url = \"https://x.example/api/v1\" # wrong\n"), "{}", sandbox.store());
    sandbox.neto(["profile", "show", "acme"]).run().code(0).stderr("");
}

#[cfg(unix)]
mod in_an_editor {
    use super::without_seals;
    use crate::harness::{Call, Sandbox};
    use std::fs;

    /// Builds a call whose editor runs this script on `$1` and saves the text it was shown as `work/shown.N`.
    fn with_editor<'a>(sandbox: &'a Sandbox, arguments: &[&str], script: &str) -> Call<'a> {
        let keep = "n=$(ls shown.* 2>/dev/null | wc -l); cp \"$1\" shown.$n; stat -c %a \"$1\" >mode";
        fs::write(sandbox.work("editor.sh"), format!("{keep}\n{script}\n")).unwrap();
        let editor = format!("sh '{}'", sandbox.work("editor.sh").display());
        sandbox.neto(["profile", "edit"].iter().chain(arguments)).env("EDITOR", editor)
    }

    fn shown(sandbox: &Sandbox, number: usize) -> String {
        fs::read_to_string(sandbox.work(&format!("shown.{number}"))).unwrap_or_default()
    }

    #[track_caller]
    fn assert_no_drafts(sandbox: &Sandbox) {
        let drafts = fs::read_dir(sandbox.home("state")).unwrap().map(|entry| entry.unwrap().file_name());
        let drafts: Vec<_> = drafts.filter(|name| name.to_string_lossy().starts_with("edit-")).collect();
        assert!(drafts.is_empty(), "{drafts:?}");
    }

    /// Adds two profiles with comments; returns the block that the editor shows for the first profile.
    fn add_two_profiles(sandbox: &Sandbox) -> String {
        sandbox.add("acme");
        sandbox.add("globex");
        sandbox.write_store(sandbox.store().replace("[profiles.acme]", "# of acme\n[profiles.acme]   # here"));
        let store = sandbox.store();
        let (start, end) = (store.find("# of acme").unwrap(), store.find("[profiles.globex]").unwrap());
        store[start..end].trim_end().to_owned() + "\n"
    }

    #[test]
    fn the_one_profile_is_shown_and_what_became_of_it_kept() {
        let sandbox = Sandbox::new();
        let block = add_two_profiles(&sandbox);
        let before = without_seals(&sandbox);
        let new = sandbox.server().url().replace("127.0.0.1", "localhost");
        let script =
            "sed -i -e 's/# here/# there/' -e 's/127.0.0.1/localhost/' \"$1\"; echo 'tags = [\"x\"] # mine' >>\"$1\"";
        let outcome = with_editor(&sandbox, &["acme"], script).run();
        outcome.code(0).stdout("").stderr_has("Changed 'acme'").stderr_has("Sealed 1 secret anew");
        assert_eq!(shown(&sandbox, 0), block);
        assert_eq!(fs::read_to_string(sandbox.work("mode")).unwrap(), "600\n");
        let after = without_seals(&sandbox).replace("tags = [\"x\"] # mine\n", "");
        let expected = before.replace("# here", "# there").replacen(&sandbox.server().url(), &new, 1);
        assert_eq!(after.replace("\n\n", "\n"), expected.replace("\n\n", "\n"));
        assert_eq!(sandbox.profile_json("acme")["tags"], serde_json::json!(["x"]));
        assert_no_drafts(&sandbox);
        sandbox.assert_logs_in("acme");
        sandbox.assert_logs_in("globex");
    }

    #[test]
    fn visual_goes_first_and_an_editor_may_have_arguments() {
        let sandbox = Sandbox::new();
        add_two_profiles(&sandbox);
        let edit = || sandbox.neto(["profile", "edit", "acme"]).env("EDITOR", "false");
        edit().env("VISUAL", "sed -i -e 's/# here/# by visual/'").run().code(0).stderr_has("Changed 'acme'");
        assert!(sandbox.store().contains("# by visual\n"));
        edit().env("VISUAL", "").run().code(1).stdout("").stderr_has("the editor ended").stderr_has("nothing changed");
        let outcome = sandbox.neto(["profile", "edit", "acme"]).run();
        outcome.code(2).stdout("").stderr_has("EDITOR is not set");
        assert_no_drafts(&sandbox);
    }

    #[test]
    fn what_is_left_as_it_was_or_given_up_changes_nothing() {
        let sandbox = Sandbox::new();
        add_two_profiles(&sandbox);
        let before = sandbox.store();
        with_editor(&sandbox, &["acme"], "true").run().code(0).stdout("").stderr_has("Nothing changed");
        let outcome = with_editor(&sandbox, &["acme"], "echo 'tags = [\"x\"]' >>\"$1\"; exit 3").run();
        outcome.code(1).stdout("").stderr_has("the editor ended").stderr_has("nothing changed");
        let outcome = with_editor(&sandbox, &["acme", "globex"], "true").run();
        outcome.code(2).stdout("").stderr_has("the editor takes one profile");
        with_editor(&sandbox, &["acm"], "true").run().code(3).stdout("").stderr_has("'acme'");
        with_editor(&sandbox, &[], "true").run().code(3).stdout("").stderr_has("no profile is chosen");
        assert_eq!(sandbox.store(), before);
        assert_no_drafts(&sandbox);
    }

    #[test]
    fn what_no_longer_reads_is_told_by_its_line_and_has_a_second_chance() {
        let sandbox = Sandbox::new();
        add_two_profiles(&sandbox);
        let before = sandbox.store();
        // The first edit is invalid, the second is valid.
        let script = "if grep -q '^tags' \"$1\"; then sed -i 's/^tags.*/tags = [\"x\"]/' \"$1\"; \
                      else sed -i '3i tags = 5' \"$1\"; fi";
        let mut terminal = with_editor(&sandbox, &["acme"], script).at_terminal();
        terminal.expect("line 3, column 8: profiles.acme.tags: must be ").expect("Edit it again? [y/N] ");
        assert_eq!(sandbox.store(), before, "nothing is written meanwhile");
        terminal.enter("y");
        terminal.finish().code(0).has("Changed 'acme'");
        assert!(shown(&sandbox, 1).contains("\ntags = 5\n"), "the second time shows what was typed");
        assert_eq!(sandbox.profile_json("acme")["tags"], serde_json::json!(["x"]));
        sandbox.assert_logs_in("acme");
        assert_no_drafts(&sandbox);
    }

    #[test]
    fn who_gives_up_keeps_the_old_one() {
        let sandbox = Sandbox::new();
        add_two_profiles(&sandbox);
        let before = sandbox.store();
        for (script, words) in [
            ("echo 'tags = 5' >>\"$1\"", "must be "),
            ("echo 'tags = [' >>\"$1\"", "line "),
            ("echo 'tagz = [\"x\"]' >>\"$1\"", "the nearest known one is 'tags'"),
            ("sed -i 's/profiles.acme/profiles.other/' \"$1\"", ""),
            ("sed -i 's/profiles.acme/profiles.globex/' \"$1\"", ""),
            ("echo '[profiles.more]' >>\"$1\"", ""),
            (": >\"$1\"", ""),
            ("printf '\\377' >>\"$1\"", ""),
        ] {
            let mut terminal = with_editor(&sandbox, &["acme"], script).at_terminal();
            terminal.expect("Edit it again? [y/N] ").enter("n");
            terminal.finish().code(2).has(words).lacks("Changed");
            // Without a terminal neto does not ask.
            with_editor(&sandbox, &["acme"], script).run().code(2).stdout("").stderr_has("error: ").stderr_has(words);
            assert_eq!(sandbox.store(), before, "{script}");
            assert_no_drafts(&sandbox);
        }
    }

    #[test]
    fn what_others_changed_meanwhile_stays() {
        let sandbox = Sandbox::new();
        add_two_profiles(&sandbox);
        // During the edit, another process changes the other profile, and then this profile.
        let script = "neto profile edit globex --tag y; echo 'tags = [\"x\"]' >>\"$1\"";
        with_editor(&sandbox, &["acme"], script).run().code(0).stderr_has("Changed 'acme'");
        assert_eq!(sandbox.profile_json("acme")["tags"], serde_json::json!(["x"]));
        assert_eq!(sandbox.profile_json("globex")["tags"], serde_json::json!(["y"]));
        let script = "neto profile edit acme --tag z; sed -i 's/# here/# there/' \"$1\"";
        let outcome = with_editor(&sandbox, &["acme"], script).run();
        outcome.code(3).stdout("").stderr_has("the profile 'acme' was changed meanwhile");
        assert_eq!(sandbox.profile_json("acme")["tags"], serde_json::json!(["x", "z"]));
        // The text that the user typed is kept in a file.
        let draft_path = outcome.stderr.lines().find_map(|line| line.strip_prefix("What you wrote is kept in "));
        assert!(fs::read_to_string(draft_path.expect("a place")).unwrap().contains("# there"));
    }
}

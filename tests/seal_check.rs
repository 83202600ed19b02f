//! `neto seal --check`: its report for a pre-commit hook and for CI.

use crate::harness::{OTHER_RECIPIENT, Sandbox};
use std::fs;
use std::path::Path;

/// Runs git in the working directory.
fn git(sandbox: &Sandbox, arguments: &[&str]) -> crate::harness::Outcome {
    let own = ["-c", "user.name=neto", "-c", "user.email=neto@example.com", "-c", "init.defaultBranch=main"];
    sandbox.program("git", own.iter().chain(arguments)).run()
}

/// Creates a repository in the working directory that contains the store.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new();
    git(&sandbox, &["init", "-q"]).code(0);
    sandbox.neto(["init", "--link", "profiles.toml"]).run().code(0);
    sandbox.add("acme");
    sandbox.add("beta");
    sandbox
}

fn store(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.work("profiles.toml")).unwrap()
}

fn write_store(sandbox: &Sandbox, text: &str) {
    fs::write(sandbox.work("profiles.toml"), text).unwrap();
}

#[test]
fn each_thing_that_is_wrong_is_told_and_makes_exit_9() {
    let sandbox = repository();
    let check = || sandbox.neto(["seal", "--check"]).run();
    check().code(0).stdout("").stderr("");
    let good = store(&sandbox);
    for (text, said) in [
        (
            good.replace("shortname = \"acme\"", "shortname = \"other\""),
            "acme: the secret is bound to another shortname",
        ),
        (good.replacen("-----BEGIN AGE", "-----BEGIN PGP", 1), "acme: the sealed text is no age file"),
        (
            good.replacen("[defaults]", &format!("bob = \"{OTHER_RECIPIENT}\"\n[defaults]"), 1),
            "acme: it is sealed to others",
        ),
        (good.replacen("secret = \"\"\"", "appkey = \"a\"\nsharedsecret = \"b\"\nsecret = \"\"\"", 1), "acme: "),
    ] {
        assert_ne!(text, good);
        write_store(&sandbox, &text);
        check().code(9).stdout_has(said).stderr_has("neto seal");
        assert_eq!(store(&sandbox), text);
    }
    // Without an identity the check covers everything that needs no decryption.
    write_store(&sandbox, &good.replace("shortname = \"acme\"", "shortname = \"other\""));
    sandbox.machine("ci").neto(["seal", "--check", "--store", "profiles.toml"]).run().code(0);
    write_store(&sandbox, &good.replacen("-----BEGIN AGE", "-----BEGIN PGP", 1));
    sandbox.machine("ci").neto(["seal", "--check", "--store", "profiles.toml"]).run().code(9);
    // Secrets for other recipients are not checked.
    write_store(&sandbox, &good);
    let bob = sandbox.machine("bob");
    bob.neto(["init"]).run().code(0);
    bob.neto(["seal", "--check", "--store", "profiles.toml"]).run().code(0);
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn a_key_in_git_is_found_wherever_it_lies() {
    let sandbox = repository();
    let check = || sandbox.neto(["seal", "--check"]).run();
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    check().code(0);
    fs::create_dir_all(sandbox.work("deep/er")).unwrap();
    fs::copy(sandbox.home("keys/identity.txt"), sandbox.work("deep/er/notes.md")).unwrap();
    sandbox.allow_secrets_in(&sandbox.work("deep/er/notes.md"));
    // git does not track the file yet.
    check().code(0);
    git(&sandbox, &["add", "deep"]).code(0);
    check().code(9).stdout("deep/er/notes.md: git tracks this key\n").stderr_has("git rm --cached ");
    git(&sandbox, &["rm", "-q", "--cached", "deep/er/notes.md"]).code(0);
    check().code(0);
    // A page that only mentions keys is not reported.
    fs::write(sandbox.work("README.md"), "AGE-SECRET-KEY-1... is what it looks like\n").unwrap();
    git(&sandbox, &["add", "README.md"]).code(0);
    check().code(0).stdout("");
}

#[test]
fn the_documented_hook_refuses_a_commit() {
    let sandbox = repository();
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sharing.md")).unwrap();
    let hook = page.split("```sh hook\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the hook");
    assert_eq!(hook.lines().count(), 3, "a hook of three lines");
    let path = sandbox.work(".git/hooks/pre-commit");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, hook).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    git(&sandbox, &["commit", "-qm", "two tenants"]).code(0);
    let good = store(&sandbox);
    let pasted = sandbox.server().add_tenant("gamma", "soc").netosecret();
    write_store(&sandbox, &format!("{good}\n[profiles.gamma]\nnetosecret = \"{pasted}\"\n"));
    // The plaintext secret must not reach the repository either.
    git(&sandbox, &["commit", "-qam", "a third"]).code(1).stderr_has("neto seal");
    assert_eq!(git(&sandbox, &["rev-list", "--count", "HEAD"]).code(0).stdout_trimmed(), "1");
    sandbox.neto(["seal"]).run().code(0);
    git(&sandbox, &["commit", "-qam", "a third"]).code(0);
    assert_eq!(git(&sandbox, &["rev-list", "--count", "HEAD"]).code(0).stdout_trimmed(), "2");
}

#[test]
fn two_branches_that_each_add_a_profile_merge_clean() {
    let sandbox = repository();
    sandbox.add("zulu");
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    git(&sandbox, &["commit", "-qm", "three tenants"]).code(0);
    for (branch, profile) in [("left", "azure"), ("right", "yankee")] {
        git(&sandbox, &["checkout", "-qb", branch, "main"]).code(0);
        sandbox.add(profile);
        git(&sandbox, &["commit", "-qam", profile]).code(0);
    }
    git(&sandbox, &["merge", "-q", "-m", "both", "left"]).code(0);
    let listed = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["profile"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "azure", "beta", "yankee", "zulu"]);
    sandbox.neto(["seal", "--check"]).run().code(0);
    sandbox.neto(["login", "--all"]).run().code(0);
}

#[test]
fn a_merge_that_is_not_finished_names_the_profiles_between_the_marks() {
    let sandbox = repository();
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    git(&sandbox, &["commit", "-qm", "two tenants"]).code(0);
    for branch in ["left", "right"] {
        git(&sandbox, &["checkout", "-qb", branch, "main"]).code(0);
        sandbox.neto(["profile", "edit", "acme", "--description", branch]).run().code(0);
        git(&sandbox, &["commit", "-qam", branch]).code(0);
    }
    git(&sandbox, &["merge", "-q", "-m", "both", "left"]).code(1);
    let outcome = sandbox.neto(["ls"]).run();
    outcome.code(3).stderr_has("acme").stderr_has("finish the merge");
}

#[test]
fn a_secret_that_was_staged_before_it_was_sealed_is_not_committed() {
    let sandbox = repository();
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    git(&sandbox, &["commit", "-qm", "two tenants"]).code(0);
    let pasted = sandbox.server().add_tenant("gamma", "soc").netosecret();
    write_store(&sandbox, &format!("{}\n[profiles.gamma]\nnetosecret = \"{pasted}\"\n", store(&sandbox)));
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    sandbox.neto(["seal", "--check"]).run().code(9).stdout_has("gamma: its secret stands in clear");
    sandbox.neto(["seal"]).run().code(0);
    // The file in the working tree is sealed, but the staged file is not.
    let check = sandbox.neto(["seal", "--check"]).run();
    check.code(9).stdout("staged: gamma: its secret stands in clear\n").stderr_has("git add ");
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    sandbox.neto(["seal", "--check"]).run().code(0).stdout("");
    // The plaintext secret stays in git's object files, as neto warned.
    fs::remove_dir_all(sandbox.work(".git")).unwrap();
}

#[test]
fn a_key_is_found_however_it_is_written() {
    let sandbox = repository();
    let key = fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap();
    let key = key.lines().last().unwrap();
    for (name, text) in [
        ("indented.txt", format!("    {key}\n")),
        (".env", format!("NETO_IDENTITY={key}\n")),
        ("ci.yaml", format!("identity: \"{key}\"\n")),
        ("binary", format!("\0\0{key}")),
        ("keys/identity.txt", "-----BEGIN AGE ENCRYPTED FILE-----\n".to_owned()),
    ] {
        let path = sandbox.work(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        git(&sandbox, &["add", "-f", name]).code(0);
        sandbox.neto(["seal", "--check"]).run().code(9).stdout_has(&format!("{name}: git tracks this key"));
        git(&sandbox, &["rm", "-qf", name]).code(0);
    }
    sandbox.neto(["seal", "--check"]).run().code(0);
    // A repository that cannot be read fails the check.
    fs::write(sandbox.work(".git/index"), "junk").unwrap();
    sandbox.neto(["seal", "--check"]).run().code(9).stdout_has("git: ");
    fs::remove_dir_all(sandbox.work(".git")).unwrap();
}

#[test]
fn a_checkout_runs_nothing_of_its_own() {
    let sandbox = repository();
    git(&sandbox, &["add", "profiles.toml"]).code(0);
    let mark = sandbox.work("ran");
    let script = format!("sh -c ': > {}'", mark.display());
    git(&sandbox, &["config", "core.fsmonitor", &script]).code(0);
    // A directory that looks like a bare repository; any commit can contain one.
    fs::create_dir_all(sandbox.work("inner/objects")).unwrap();
    fs::create_dir_all(sandbox.work("inner/refs")).unwrap();
    fs::write(sandbox.work("inner/HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = format!("[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = \"{script}\"\n");
    fs::write(sandbox.work("inner/config"), config).unwrap();
    fs::copy(sandbox.work("profiles.toml"), sandbox.work("inner/profiles.toml")).unwrap();
    // The checkout also contains a program named `git`, and PATH starts at the working directory.
    fs::write(sandbox.work("git"), format!("#!/bin/sh\n: > {}\n", mark.display())).unwrap();
    fs::set_permissions(sandbox.work("git"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!(".:{}", std::env::var("PATH").unwrap());
    for store in ["profiles.toml", "inner/profiles.toml"] {
        sandbox.neto(["seal", "--check", "--store", store]).env("PATH", &path).run();
        assert!(!mark.exists(), "{store}");
    }
}

#[test]
fn an_identity_that_would_ask_does_not_stop_the_hook() {
    let sandbox = Sandbox::with_pin_plugin();
    sandbox.neto(["seal", "--check"]).run().code(0).stdout("");
}

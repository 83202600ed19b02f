//! Tests the paths and modes of files, and the settings that change paths: `NETO_HOME`, `--store`,
//! `NETO_IDENTITY_FILE`.
#![cfg(unix)]

use crate::harness::{Call, Sandbox};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Returns every file and directory below a directory, as a relative path with its mode.
fn layout(root: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let mode = fs::symlink_metadata(&path).unwrap().mode() & 0o7777;
            found.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), mode));
            if path.is_dir() {
                pending.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the names in a layout, without lock files.
fn names(layout: &[(String, u32)]) -> Vec<&str> {
    layout
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| Path::new(name).extension().is_none_or(|end| end != "lock"))
        .collect()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Returns a call that logs in with the credential, so that the secret is decrypted.
fn login(sandbox: &Sandbox) -> Call<'_> {
    sandbox.neto(["login", "acme", "--force"])
}

#[test]
fn r1_everything_lies_below_neto_home_and_is_private() {
    for umask in ["022", "000", "077"] {
        let sandbox = Sandbox::new();
        let credential = sandbox.server().add_tenant("acme", "soc");
        let script = format!("umask {umask} && neto profile add --use && neto login");
        sandbox.program("sh", ["-c", &script]).stdin(credential.netosecret()).run().code(0);
        let home = sandbox.home("");
        let found = layout(&home);
        let expected = [
            ".gitignore",
            "keys",
            "keys/device.key",
            "keys/identity.pub",
            "keys/identity.txt",
            "profiles.toml",
            "state",
            "state/current.json",
            "state/locks",
            "state/trust.json",
            "tokens",
            "tokens/acme.token",
        ];
        assert_eq!(names(&found), expected, "umask {umask}");
        assert_eq!(fs::metadata(&home).unwrap().mode() & 0o7777, 0o700);
        for (name, mode) in &found {
            let expected = if home.join(name).is_dir() { 0o700 } else { 0o600 };
            assert_eq!(*mode, expected, "{name} ({mode:o}), umask {umask}");
        }
        assert_eq!(layout(&sandbox.root().join("home")), [], "nothing in HOME");
    }
}

#[test]
fn git_is_told_to_take_the_store_alone() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    let script = "command -v git >/dev/null || { echo 'NOT TESTED: there is no git' >&2; echo profiles.toml; exit; }\n\
                  git init -q && git add . && git ls-files; git init -q .; rm -rf .git";
    sandbox.program("sh", ["-c", script]).current_dir(sandbox.home("")).run().code(0).stdout("profiles.toml\n");
    // A `.gitignore` that the user wrote stays unchanged.
    let own = Sandbox::new();
    own.write_store("version = 1\n");
    fs::write(own.home(".gitignore"), "mine\n").unwrap();
    own.neto(["init"]).run().code(0);
    assert_eq!(fs::read_to_string(own.home(".gitignore")).unwrap(), "mine\n");
}

#[test]
fn without_neto_home_it_is_where_the_system_keeps_such_files() {
    let own: &[(&str, &[&str])] = &[
        (
            "",
            &[
                ".config/neto/profiles.toml",
                ".local/share/neto/keys/identity.txt",
                ".local/share/neto/keys/identity.pub",
                ".local/share/neto/keys/device.key",
                ".cache/neto/tokens/acme.token",
                ".local/state/neto/trust.json",
            ],
        ),
        (
            "xdg",
            &[
                "xdg/config/neto/profiles.toml",
                "xdg/data/neto/keys/identity.txt",
                "xdg/data/neto/keys/identity.pub",
                "xdg/data/neto/keys/device.key",
                "xdg/cache/neto/tokens/acme.token",
                "xdg/state/neto/trust.json",
            ],
        ),
    ];
    for (folder, expected) in own {
        let sandbox = Sandbox::new();
        let home = sandbox.root().join("home");
        let call = |arguments: &[&str]| {
            let call = sandbox.neto(arguments).without_env("NETO_HOME");
            if folder.is_empty() {
                return call;
            }
            ["config", "data", "cache", "state"].iter().fold(call, |call, kind| {
                call.env(&format!("XDG_{}_HOME", kind.to_uppercase()), home.join(folder).join(kind))
            })
        };
        let credential = sandbox.server().add_tenant("acme", "soc");
        call(&["profile", "add"]).stdin(credential.netosecret()).run().code(0);
        call(&["login"]).run().code(0);
        for path in *expected {
            assert_eq!(fs::metadata(home.join(path)).unwrap().mode() & 0o7777, 0o600, "{path}");
        }
        let found = layout(&home);
        let files: Vec<&str> = names(&found).into_iter().filter(|name| home.join(name).is_file()).collect();
        assert_eq!(
            files.len(),
            expected.len() + usize::from(files.iter().any(|name| name.ends_with(".gitignore"))),
            "{files:?}"
        );
        assert!(!sandbox.home("").exists());
    }
}

#[test]
fn r2_a_key_that_others_can_read_is_refused_with_the_line_that_mends_it() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let identity = sandbox.home("keys/identity.txt");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        set_mode(&identity, mode);
        let outcome = login(&sandbox).run();
        outcome.code(6).stdout("").stderr_has(&format!("mode {mode:04o}"));
        outcome.stderr_has(&format!("chmod 600 '{}'", identity.display()));
        let named = login(&sandbox).env("NETO_IDENTITY_FILE", &identity).run();
        named.code(6).stderr_has(&format!("chmod 600 '{}'", identity.display()));
    }
    assert_eq!(sandbox.server().connections(), 0);
    set_mode(&identity, 0o400);
    login(&sandbox).run().code(0);
    let device = sandbox.home("keys/device.key");
    set_mode(&device, 0o644);
    let outcome = sandbox.neto(["token"]).run();
    outcome.code(6).stdout("").stderr_has(&format!("chmod 600 '{}'", device.display()));
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn r2_keys_of_somebody_else_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    if !rustix::process::geteuid().is_root() {
        crate::torture::scale::report_skipped("only root can give a key to another user");
        return;
    }
    let identity = sandbox.home("keys/identity.txt");
    std::os::unix::fs::chown(&identity, Some(65_534), None).unwrap();
    login(&sandbox).run().code(6).stdout("").stderr_has("another user").stderr_has("65534");
    assert_eq!(sandbox.server().connections(), 0);
}

#[test]
fn r2_the_standard_identity_is_no_link_and_a_named_one_may_be() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let (identity, mounted) = (sandbox.home("keys/identity.txt"), sandbox.home("keys/..data"));
    fs::rename(&identity, &mounted).unwrap();
    let link = sandbox.work("identity");
    symlink(&mounted, &link).unwrap();
    symlink(&mounted, &identity).unwrap();
    login(&sandbox).run().code(6).stdout("").stderr_has("link");
    login(&sandbox).env("NETO_IDENTITY_FILE", &link).run().code(0);
    // A relative path starts at the working directory.
    login(&sandbox).env("NETO_IDENTITY_FILE", "identity").run().code(0);
    login(&sandbox)
        .env("NETO_IDENTITY_FILE", "/nowhere/identity")
        .run()
        .code(6)
        .stdout("")
        .stderr_has("/nowhere/identity");
    let text = fs::read_to_string(&mounted).unwrap();
    fs::remove_file(&identity).unwrap();
    login(&sandbox).env("NETO_IDENTITY", &text).run().code(0);
    for text in ["AGE-SECRET-KEY-1WRONG", "hello", "# only a comment\n"] {
        let outcome = login(&sandbox).env("NETO_IDENTITY", text).run();
        outcome.code(6).stdout("").stderr_has("NETO_IDENTITY").stderr_lacks("WRONG").stderr_lacks("hello");
    }
    // NETO_IDENTITY_FILE takes precedence over NETO_IDENTITY, and an empty variable counts as unset.
    login(&sandbox).env("NETO_IDENTITY", "hello").env("NETO_IDENTITY_FILE", &link).run().code(0);
    login(&sandbox).env("NETO_IDENTITY", &text).env("NETO_IDENTITY_FILE", "").run().code(0);
    assert_eq!(sandbox.server().logins(), 5);
}

#[test]
fn r3_a_store_may_be_read_by_others_and_not_written() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let store = sandbox.home("profiles.toml");
    set_mode(&store, 0o644);
    login(&sandbox).run().code(0);
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod"]).run().code(0);
    assert_eq!(fs::metadata(&store).unwrap().mode() & 0o7777, 0o644, "never widened, never narrowed");
    for mode in [0o664, 0o646] {
        set_mode(&store, mode);
        let outcome = sandbox.neto(["status"]).run();
        outcome.code(3).stdout("").stderr_has(&format!("chmod go-w '{}'", store.display()));
    }
}

/// Creates a second store in `team/` and returns its path.
fn other_store(sandbox: &Sandbox) -> PathBuf {
    let store = sandbox.work("team/profiles.toml");
    fs::create_dir(store.parent().unwrap()).unwrap();
    sandbox.neto(["init", "--store", store.to_str().unwrap()]).run().code(0);
    store
}

#[test]
fn another_store_has_tokens_and_memory_of_its_own() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    sandbox.neto(["use", "acme"]).run().code(0);
    let standard = fs::read(sandbox.token_file("acme")).unwrap();
    let store = other_store(&sandbox);
    let path = store.to_str().unwrap();
    // Same profile name, but another tenant.
    let credential = sandbox.server().add_tenant("globex", "soc");
    let add = ["profile", "add", "acme", "--store", path];
    sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
    sandbox.neto(["login", "--store", path]).run().code(0).stderr_has("acme: signed in");
    sandbox.neto(["status", "--store", path]).run().code(0).stdout_has("globex").stdout_lacks("*");
    sandbox.neto(["status"]).env("NETO_STORE", path).run().code(0).stdout_has("globex");
    sandbox.neto(["status"]).env("NETO_STORE", "").run().code(0).stdout_has("* acme").stdout_lacks("globex");
    assert_eq!(fs::read(sandbox.token_file("acme")).unwrap(), standard);
    // Every path to the store means the same store; a relative path starts at the working directory.
    symlink(store.parent().unwrap(), sandbox.work("link")).unwrap();
    for name in ["team/profiles.toml", "link/profiles.toml", "./team/../team/profiles.toml"] {
        let rows = sandbox.neto(["status", "-o", "json", "--store", name]).run().code(0).json();
        assert_eq!((&rows[0]["shortname"], &rows[0]["state"]), (&"globex".into(), &"valid".into()), "{name}");
    }
    assert_eq!(sandbox.server().logins(), 2);
    // The directory contains only the store itself.
    assert_eq!(names(&layout(store.parent().unwrap())), ["profiles.toml"]);
}

#[test]
fn a_store_that_was_named_has_to_be_there() {
    let sandbox = Sandbox::new();
    let nowhere = sandbox.work("nowhere.toml");
    for verb in [&["status"][..], &["token"], &["profile", "list"], &["login", "--all"]] {
        let outcome = sandbox.neto(verb.iter().chain(&["--store", "nowhere.toml"])).run();
        outcome.code(3).stdout("").stderr_has(nowhere.to_str().unwrap()).stderr_has("neto init --store");
        sandbox.neto(verb).env("NETO_STORE", "nowhere.toml").run().code(3).stdout("");
    }
    assert!(!nowhere.exists());
}

#[test]
fn r3_the_standard_store_may_be_a_link_and_stays_the_standard_one() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let (store, target) = (sandbox.home("profiles.toml"), sandbox.work("profiles.toml"));
    sandbox.neto(["login"]).run().code(0);
    fs::rename(&store, &target).unwrap();
    symlink(&target, &store).unwrap();
    sandbox.neto(["login"]).run().code(0).stderr_has("the cached token is good");
    sandbox.neto(["profile", "edit", "acme", "--tag", "prod"]).run().code(0);
    assert!(fs::symlink_metadata(&store).unwrap().is_symlink());
    assert!(fs::read_to_string(&target).unwrap().contains("prod"));
    assert_eq!(sandbox.server().logins(), 1);
}

#[test]
fn r8_where_nothing_can_be_written_neto_warns_and_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["logout"]).run().code(0);
    let folders = ["", "keys", "state", "state/locks", "tokens"].map(|name| sandbox.home(name));
    fs::create_dir_all(&folders[4]).unwrap();
    let locks: Vec<PathBuf> = fs::read_dir(&folders[3]).unwrap().flatten().map(|entry| entry.path()).collect();
    for lock in locks {
        fs::remove_file(lock).unwrap();
    }
    let modes = |mode| folders.iter().filter(|folder| folder.is_dir()).for_each(|folder| set_mode(folder, mode));
    modes(0o500);
    let outcome = sandbox.unprivileged_neto(["token"]).allow_secret("access token").run();
    modes(0o700);
    outcome.code(0).stderr_has("going on without it");
    assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "it warns once");
    assert!(!sandbox.token_file("acme").exists());
    assert_eq!(sandbox.server().logins(), 1);
}

//! Tests `neto init`, which creates the keys of a machine and, if no store exists, an empty store.

use crate::harness::{OTHER_RECIPIENT, Sandbox};
use std::fs;
use std::path::Path;

/// Creates an identity file in another `NETO_HOME`, and returns its path and public key.
fn other_identity(sandbox: &Sandbox) -> (std::path::PathBuf, String) {
    let home = sandbox.root().join("other");
    let outcome = sandbox.neto(["init"]).env("NETO_HOME", &home).run();
    (home.join("keys/identity.txt"), outcome.code(0).stdout_trimmed().to_owned())
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn it_makes_keys_and_an_empty_store_once() {
    let sandbox = Sandbox::new();
    let first = sandbox.neto(["init", "--name", "alice"]).run();
    first.code(0).stderr_has("Made your identity: ").stderr_has("Next: neto profile add");
    let key = first.stdout_trimmed();
    assert!(key.starts_with("age1") && !key.contains('\n'), "only the public key is the answer: {key}");
    let expected = format!(
        "version = 1\n\n[recipients]\nalice = \"{key}\"\n\n[defaults]\nurl = \"https://api.netography.com/api/v1\"\n"
    );
    assert_eq!(sandbox.store(), expected);
    let identity = fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap();
    assert!(identity.contains(&format!("# public key: {key}\n")) && identity.contains("\nAGE-SECRET-KEY-1"));
    let device = fs::read_to_string(sandbox.home("keys/device.key")).unwrap();
    assert!(device.contains("AGE-SECRET-KEY-1") && !device.contains(identity.lines().last().unwrap()));
    assert_eq!(fs::read_to_string(sandbox.home(".gitignore")).unwrap(), "/*\n!/profiles.toml\n");

    let again = sandbox.neto(["init", "--name", "bob"]).run();
    again.code(0).stdout(&format!("{key}\n")).stderr_lacks("Made").stderr_has("Next: neto profile add");
    assert_eq!(sandbox.store(), expected);
    assert_eq!(fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap(), identity);
    assert_eq!(fs::read_to_string(sandbox.home("keys/device.key")).unwrap(), device);
}

#[cfg(unix)]
#[test]
fn r1_whatever_the_umask_files_are_private() {
    for umask in ["000", "022", "077", "0777"] {
        let sandbox = Sandbox::new();
        sandbox.program("sh", ["-c", &format!("umask {umask}; exec neto init")]).run().code(0);
        for folder in ["", "keys", "state"] {
            assert_eq!(mode(&sandbox.home(folder)), 0o700, "{folder} under {umask}");
        }
        for file in ["profiles.toml", "keys/identity.txt", "keys/device.key", "state/trust.json"] {
            assert_eq!(mode(&sandbox.home(file)), 0o600, "{file} under {umask}");
        }
        let locks: Vec<_> =
            fs::read_dir(sandbox.home("state/locks")).unwrap().map(|lock| lock.unwrap().path()).collect();
        assert!(!locks.is_empty() && locks.iter().all(|lock| mode(lock) == 0o600), "{locks:?} under {umask}");
    }
}

#[test]
fn beside_a_store_only_the_keys_are_made() {
    let sandbox = Sandbox::new();
    let store = format!("# ours\nversion = 1\n[recipients]\nbob = \"{OTHER_RECIPIENT}\"\n");
    sandbox.write_store(&store);
    let outcome = sandbox.neto(["init", "--name", "alice"]).run();
    let line = format!("  neto recipient add alice {}", outcome.stdout_trimmed());
    outcome.code(0).stderr_has("You cannot open ").stderr_has("profiles.toml yet. Send this line").stderr_has(&line);
    outcome.stderr_lacks("Made an empty store");
    assert_eq!(sandbox.store(), store);
    assert!(sandbox.home("keys/identity.txt").exists() && sandbox.home("keys/device.key").exists());
}

#[test]
fn r7_a_store_that_cannot_be_read_is_never_replaced() {
    let sandbox = Sandbox::new();
    sandbox.write_store("version = 1\nno toml");
    sandbox.neto(["init"]).run().code(3).stdout("").stderr_has("profiles.toml: line 2");
    assert_eq!(sandbox.store(), "version = 1\nno toml");
}

#[test]
fn the_own_recipient_has_the_users_name_unless_told() {
    for (arguments, user, name) in [
        (&["init"][..], "Carol", "carol"),
        (&["init"], "J. Doe", "me"),
        (&["init"], "", "me"),
        (&["init", "--name", "work-laptop"], "carol", "work-laptop"),
    ] {
        let sandbox = Sandbox::new();
        let outcome = sandbox.neto(arguments).env("USER", user).run();
        let line = format!("\n{name} = \"{}\"\n", outcome.code(0).stdout_trimmed());
        assert!(sandbox.store().contains(&line), "{line} is not in\n{}", sandbox.store());
    }
    let sandbox = Sandbox::new();
    sandbox.neto(["init", "--name", "A b"]).run().code(2).stdout("").stderr_has("--name: a name");
    assert!(!sandbox.home("").exists(), "a wrong word makes nothing");
}

#[test]
fn an_identity_of_ones_own_is_copied_and_none_is_replaced() {
    let sandbox = Sandbox::new();
    let (file, key) = other_identity(&sandbox);
    let file = file.to_str().unwrap();
    sandbox.neto(["init", "--identity", file]).run().code(0).stdout(&format!("{key}\n")).stderr_has("Copied");
    assert_eq!(fs::read(sandbox.home("keys/identity.txt")).unwrap(), fs::read(file).unwrap());
    assert!(sandbox.store().contains(&key));
    #[cfg(unix)]
    assert_eq!(mode(&sandbox.home("keys/identity.txt")), 0o600);

    let sandbox = Sandbox::new();
    let own = sandbox.neto(["init"]).run().code(0).stdout_trimmed().to_owned();
    let (file, key) = other_identity(&sandbox);
    let outcome = sandbox.neto(["init", "--identity", file.to_str().unwrap()]).run();
    outcome.code(3).stdout("").stderr_has("there is an identity at ").stderr_has("never replaced");
    sandbox.neto(["init"]).run().code(0).stdout(&format!("{own}\n"));
    assert!(!sandbox.store().contains(&key));
}

#[test]
fn a_file_that_is_no_identity_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let cases: [(&str, &str, &str); 6] = [
        ("empty", "", "it holds no key"),
        ("comments", "# nothing else\n", "it holds no key"),
        ("public", OTHER_RECIPIENT, "is a public key where the secret one belongs"),
        ("ssh", "-----BEGIN OPENSSH PRIVATE KEY-----\n", "an SSH key"),
        ("locked", "-----BEGIN AGE ENCRYPTED FILE-----\n", "there is nobody to ask"),
        ("cut", "AGE-SECRET-KEY-1QQQQ\n", "line 1 is no age key"),
    ];
    for (name, text, message) in cases {
        let path = sandbox.write_secret(name, text);
        let outcome = sandbox.neto(["init", "--identity", path.to_str().unwrap()]).run();
        outcome.code(6).stdout("").stderr_has(message).stderr_has(name).stderr_lacks("QQQQ");
        assert!(!sandbox.home("").exists(), "{name} made something");
    }
    sandbox.neto(["init", "--identity", "gone"]).run().code(6).stdout("").stderr_has("gone");
    assert!(!sandbox.home("").exists());
}

#[test]
fn with_an_identity_in_the_environment_none_is_made() {
    for by_text in [false, true] {
        let sandbox = Sandbox::new();
        let (file, key) = other_identity(&sandbox);
        let text = fs::read_to_string(&file).unwrap();
        let call = sandbox.neto(["init"]);
        let call =
            if by_text { call.env("NETO_IDENTITY", text) } else { call.env("NETO_IDENTITY_FILE", file.as_os_str()) };
        call.run().code(0).stdout(&format!("{key}\n")).stderr_lacks("Made your identity");
        assert!(sandbox.store().contains(&key) && !sandbox.home("keys/identity.txt").exists());
    }
}

#[test]
fn a_named_store_is_made_by_init_and_by_nothing_else() {
    let sandbox = Sandbox::new();
    let named = sandbox.work("team.toml");
    for arguments in [&["profile", "add"][..], &["profile", "list"], &["seal"], &["token"]] {
        let outcome = sandbox.neto(["--store", "team.toml"].iter().chain(arguments)).stdin("x").run();
        outcome.code(3).stdout("").stderr_has("there is no store at ").stderr_has("neto init --store ");
        assert!(!named.exists() && !sandbox.home("").exists(), "{arguments:?} made something");
    }
    let outcome = sandbox.neto(["init"]).env("NETO_STORE", "team.toml").run();
    outcome.code(0).stderr_has("Made an empty store: ").stderr_has("team.toml");
    assert!(fs::read_to_string(&named).unwrap().contains(outcome.stdout_trimmed()));
    assert!(!sandbox.home("profiles.toml").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn without_neto_home_files_lie_where_linux_wants_them() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let run = |arguments: &[&str]| {
        sandbox.neto(arguments).without_env("NETO_HOME").stdin(credential.netosecret()).run().code(0).clone()
    };
    run(&["init"]);
    run(&["profile", "add", "--use", "--login"]);
    let home = sandbox.root().join("home");
    for path in [
        ".config/neto/profiles.toml",
        ".local/share/neto/keys/identity.txt",
        ".local/share/neto/keys/device.key",
        ".cache/neto/tokens/acme.token",
        ".local/state/neto/trust.json",
    ] {
        assert_eq!(mode(&home.join(path)), 0o600, "{path}");
    }
    assert!(!sandbox.home("").exists());
    let ignored = fs::read_to_string(home.join(".local/share/neto/.gitignore")).unwrap();
    assert_eq!(ignored, "/*\n!/profiles.toml\n", "the folder that holds the keys");
}

#[test]
fn r2_a_key_that_others_can_read_is_refused_with_the_line_that_mends_it() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let path = sandbox.home("keys/identity.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        sandbox.assert_login_refused(
            "acme",
            6,
            &["can be read by others (mode 0640)", &format!("chmod 600 '{}'", path.display())],
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    sandbox.assert_logs_in("acme");
    fs::rename(sandbox.home("keys/identity.txt"), sandbox.work("kept")).unwrap();
    sandbox.allow_secrets_in(&sandbox.work("kept"));
    sandbox.assert_login_refused("acme", 6, &["there is no identity at "]);
    sandbox.neto(["init"]).run().code(0);
    sandbox.assert_login_refused("acme", 6, &["acme"]);
}

#[test]
fn any_number_at_once_make_one_identity_and_one_store() {
    let sandbox = Sandbox::new();
    let runs: Vec<_> = (0..8).map(|_| sandbox.neto(["init"]).start()).collect();
    let keys: Vec<String> = runs.into_iter().map(|run| run.finish().code(0).stdout_trimmed().to_owned()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(sandbox.store().contains(&keys[0]));
}

/// Runs neto as root with the home of a user, as `sudo` does if it keeps `HOME`. If root created files there, the user
/// could not use them.
#[cfg(unix)]
#[test]
fn r4_in_the_home_of_somebody_else_nothing_is_made() {
    if !rustix::process::geteuid().is_root() {
        crate::torture::scale::report_skipped("only root can have the home of another user");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login", "acme"]).run().code(0);
    for folder in ["", "keys", "state", "state/locks", "tokens"] {
        std::os::unix::fs::chown(sandbox.home(folder), Some(65_534), None).unwrap();
    }
    let locks = || fs::read_dir(sandbox.home("state/locks")).unwrap().count();
    fs::remove_file(sandbox.home("state/locks/acme.lock")).unwrap();
    let before = locks();
    for arguments in [&["login", "acme", "--force"][..], &["profile", "edit", "acme", "--tag", "x"], &["use", "acme"]] {
        sandbox.neto(arguments).run().code(1).stdout("").stderr_has("another user");
    }
    assert_eq!((locks(), sandbox.home("state/current.json").exists()), (before, false));
}

#[test]
#[cfg(unix)]
fn linked_into_a_checkout_the_store_moves_and_what_is_of_this_machine_stays() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["use", "acme"]).run().code(0);
    sandbox.neto(["login"]).run().code(0);
    let (text, linked) = (sandbox.store(), sandbox.work("team/profiles.toml"));
    sandbox.neto(["init", "--link", "team/profiles.toml"]).run().code(1).stderr_has("team");
    assert_eq!(sandbox.store(), text);
    fs::create_dir(sandbox.work("team")).unwrap();
    sandbox.neto(["init", "--link", "team/profiles.toml"]).run().code(0).stderr_has("leads to it");
    assert!(sandbox.home("profiles.toml").is_symlink());
    assert_eq!(fs::read_to_string(&linked).unwrap(), text);
    sandbox.neto(["token"]).allow_secret("access token").run().code(0).stderr("");
    sandbox.neto(["init", "--link", "team/profiles.toml"]).run().code(0).stderr_has("already");
    sandbox.neto(["profile", "edit", "acme", "--tag", "x"]).run().code(0);
    assert!(fs::read_to_string(&linked).unwrap().contains("tags = [\"x\"]"));
    assert_eq!(sandbox.server().logins(), 1);
    // Bob's own store is empty, so `init --link` replaces it with a link to the team's store.
    let bob = sandbox.machine("bob");
    bob.neto(["init"]).run().code(0);
    bob.neto(["init", "--link", "team/profiles.toml"])
        .run()
        .code(0)
        .stderr_has("yours now")
        .stderr_has("recipient add");
    assert_eq!(bob.neto(["ls", "-o", "json"]).run().code(0).json()[0]["profile"], "acme");
    // Both stores have profiles, so neither is discarded.
    let eve = sandbox.machine("eve");
    let netosecret = sandbox.server().add_tenant("own", "soc").netosecret();
    eve.neto(["profile", "add", "own"]).stdin(netosecret).run().code(0);
    eve.neto(["init", "--link", "team/profiles.toml"]).run().code(3).stderr_has("are both there").stderr_has("mv ");
    assert_eq!(eve.neto(["ls", "-o", "json"]).run().code(0).json()[0]["profile"], "own");
    // If the store to link to does not exist, `init --link` creates it.
    let zoe = sandbox.machine("zoe");
    zoe.neto(["init", "--link", "team/new.toml"]).run().code(0);
    assert!(fs::read_to_string(sandbox.work("team/new.toml")).unwrap().contains("[recipients]"));
    // A link to a missing file is an error. neto does not treat the store as not yet created.
    fs::remove_file(sandbox.work("team/new.toml")).unwrap();
    let message = format!("profiles.toml leads to {}, which is not there", sandbox.work("team/new.toml").display());
    zoe.neto(["ls"]).run().code(1).stderr_has(&message).stderr_has("hint: neto init --link FILE\n");
    // `init --link` sets the new path and overwrites nothing.
    fs::write(sandbox.work("team/moved.toml"), "version = 1\n").unwrap();
    zoe.neto(["init", "--link", "team/moved.toml"]).run().code(0).stderr_has("is yours now");
    assert_eq!(fs::read_to_string(sandbox.work("team/moved.toml")).unwrap(), "version = 1\n");
    zoe.neto(["ls"]).run().code(0);
    let store = zoe.neto(["init", "--link", "x.toml", "--store", "y.toml"]).run();
    store.code(2).stderr_has("--link is for the standard store");
}

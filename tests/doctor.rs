//! Tests `neto doctor`: each fault gives exactly one finding, which names the fault, and a valid setup gives none. Also
//! tests the fixes of `--fix` and the checks of servers.
#![cfg(unix)]

use crate::fusion::{Authority, Fault, Leaf, Server, TOKEN};
use crate::harness::{OTHER_RECIPIENT, Outcome, Peer, Reaction, Sandbox};
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// API path that `doctor` requests from a server, with and without a token.
const KEYS: &str = "/api/v1/api-keys";

/// Row of the output: check, state, profile, and message followed by fix.
type Row = (String, String, String, String);

/// Expected finding: check, state, and texts that the message or the fix contains. An empty check means that no finding
/// is expected.
type ExpectedFinding<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Function that damages a file or directory.
type Damage<'a> = &'a dyn Fn(&Path);

type Variables<'a> = &'a [(&'a str, &'a str)];

impl Sandbox {
    /// Creates a sandbox with one profile and a valid cached token.
    fn logged_in() -> Self {
        let sandbox = Self::new();
        sandbox.add("acme");
        sandbox.neto(["login"]).run().code(0);
        sandbox
    }

    fn doctor(&self, flags: &[&str]) -> Outcome {
        self.neto(["doctor", "-o", "json"].iter().chain(flags)).run()
    }

    fn offline(&self) -> Outcome {
        self.doctor(&["--offline"])
    }
}

fn rows(outcome: &Outcome) -> Vec<Row> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &serde_json::Value| {
        let message_and_fix = format!("{}\n{}", text(&row["message"]), text(&row["fix"]));
        (text(&row["check"]), text(&row["state"]), text(&row["profile"]), message_and_fix)
    };
    outcome.json().as_array().unwrap().iter().map(row).collect()
}

fn findings(outcome: &Outcome) -> Vec<Row> {
    rows(outcome).into_iter().filter(|row| ["warning", "problem"].contains(&row.1.as_str())).collect()
}

/// Asserts that the only finding is of this check, with this state and these texts.
#[track_caller]
fn assert_finding(outcome: &Outcome, check: &str, state: &str, fragments: &[&str]) {
    let found = findings(outcome);
    assert_eq!(found.len(), 1, "{check}: {found:#?}");
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (check, state), "{found:#?}");
    for word in fragments {
        assert!(found[0].3.contains(word), "{word:?} is not in {found:#?}");
    }
    outcome.code(if state == "problem" { 9 } else { 0 });
}

#[track_caller]
fn assert_no_finding(outcome: &Outcome) {
    assert_eq!(findings(outcome), [], "{outcome}");
    outcome.code(0);
}

/// Returns the row of this check.
#[track_caller]
fn row(outcome: &Outcome, check: &str) -> Row {
    let found = rows(outcome).into_iter().find(|row| row.0 == check);
    found.unwrap_or_else(|| panic!("no {check} in {outcome}"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn nothing_is_wrong_with_what_neto_itself_makes() {
    let sandbox = Sandbox::logged_in();
    let before = sandbox.server().requests().len();
    let outcome = sandbox.neto(["doctor"]).run();
    outcome.code(0).stderr_has("Nothing is wrong\n").stdout_lacks("✕").stdout_lacks("!");
    for heading in ["Places\n", "Keys\n", "Store\n", "Surroundings\n", "Network\n", "Credentials\n"] {
        outcome.stdout_has(heading);
    }
    outcome.stdout_has("  ✓ acme: its server takes the cached token\n");
    // `doctor` sends one request without the token and one with the token, and does not log in.
    let asked = sandbox.server().requests().split_off(before);
    let with_bearer: Vec<bool> = asked.iter().map(|seen| seen.header("authorization").is_some()).collect();
    assert_eq!(with_bearer, [false, true]);
    assert!(asked.iter().all(|seen| seen.method == "GET" && seen.path == KEYS && seen.body.is_empty()));
    assert_eq!(sandbox.server().logins(), 1);
    // `doctor` changes no file of a valid setup, and does not add what it reads to the trust state.
    let store = sandbox.store();
    sandbox.neto(["doctor", "--fix"]).run().code(0).stderr_lacks("mended");
    assert_eq!(sandbox.store(), store);
    fs::remove_file(sandbox.home("state/trust.json")).unwrap();
    assert_no_finding(&sandbox.offline());
    assert!(!sandbox.home("state/trust.json").exists());
}

#[test]
fn a_new_machine_is_told_where_to_begin_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let outcome = sandbox.doctor(&[]);
    let found = findings(outcome.code(0));
    let checks: Vec<(&str, &str)> = found.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect();
    assert_eq!(checks, [("keys.identity", "warning"), ("store.file", "warning")]);
    assert!(found[0].3.contains("neto init") && found[1].3.contains("neto profile add"), "{found:?}");
    assert!(!sandbox.home("").exists());
    sandbox.doctor(&["--fix"]).code(0).stderr_has("mended: mkdir");
    for folder in ["keys", "tokens", "state"] {
        assert_eq!(mode(&sandbox.home(folder)), 0o700, "{folder}");
    }
    // A CI job has its credential in a variable, and needs neither an identity nor a store.
    let ci = Sandbox::new();
    let secret = ci.write_secret("netosecret", ci.server().add_tenant("acme", "soc").netosecret());
    let call = ci.neto(["doctor", "-o", "json"]).env("NETOSECRET", fs::read_to_string(secret).unwrap());
    let outcome = call.run();
    assert_no_finding(&outcome);
    assert_eq!(row(&outcome, "credentials.login").2, "env");
}

#[test]
fn r2_each_fault_of_a_file_or_folder_is_found_and_mended_where_that_is_safe() {
    let chmod = |mode: u32| move |path: &Path| set_mode(path, mode);
    let write = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
    let link = |path: &Path| {
        fs::rename(path, path.with_extension("moved")).unwrap();
        symlink(path.with_extension("moved"), path).unwrap();
    };
    let file_instead = |path: &Path| {
        fs::remove_dir_all(path).unwrap();
        fs::write(path, "").unwrap();
    };
    let cases: &[(&str, Damage<'_>, ExpectedFinding<'_>, bool)] = &[
        ("keys", &chmod(0o755), ("places.folders", "warning", &["read by others (mode 0755)", "chmod 700 "]), true),
        ("state", &chmod(0o770), ("places.folders", "problem", &["written by others (mode 0770)", "chmod 700 "]), true),
        ("tokens", &file_instead, ("places.folders", "problem", &["cannot enter", "not a directory"]), false),
        ("tokens/acme.token", &chmod(0o644), ("places.files", "warning", &["(mode 0644)", "chmod 600 "]), true),
        ("tokens/acme.token", &write("junk"), ("places.files", "warning", &["is damaged", "neto login acme"]), false),
        ("state/trust.json", &chmod(0o640), ("places.files", "problem", &["(mode 0640)", "chmod 600 "]), true),
        ("state/trust.json", &write("{"), ("places.files", "problem", &["is damaged", "neto trust --all"]), false),
        ("state/current.json", &write("{}{}"), ("places.files", "problem", &["not what neto wrote", "rm "]), false),
        ("state/locks/acme.lock", &link, ("places.files", "warning", &["symbolic link"]), false),
        ("keys/identity.txt", &chmod(0o604), ("keys.identity", "problem", &["(mode 0604)", "chmod 600 "]), true),
        ("keys/identity.txt", &link, ("keys.identity", "problem", &["symbolic link"]), false),
        ("keys/identity.txt", &write("hello"), ("keys.identity", "problem", &["line 1 is no age key"]), false),
        ("keys/identity.pub", &chmod(0o644), ("keys.identity", "warning", &["(mode 0644)", "chmod 600 "]), true),
        ("keys/device.key", &chmod(0o644), ("keys.device", "problem", &["(mode 0644)", "chmod 600 "]), true),
        ("profiles.toml", &chmod(0o664), ("store.file", "problem", &["(mode 0664)", "chmod go-w "]), true),
        ("profiles.toml", &chmod(0o644), ("", "", &[]), false),
    ];
    let sandbox = Sandbox::logged_in();
    sandbox.neto(["use", "acme"]).run().code(0);
    let backup = sandbox.work("whole");
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        sandbox.program("cp", ["-a"]).arg(from).arg(to).run().code(0);
    };
    copy(&sandbox.home(""), &backup);
    for (path, damage, (check, state, fragments), is_fixed) in cases {
        damage(&sandbox.home(path));
        let outcome = sandbox.offline();
        if check.is_empty() {
            assert_no_finding(&outcome);
        } else {
            assert_finding(&outcome, check, state, fragments);
        }
        let fixed = sandbox.doctor(&["--offline", "--fix"]);
        if *is_fixed {
            outcome.stderr_lacks("mended");
            assert_no_finding(fixed.stderr_has("mended: chmod "));
            assert_no_finding(&sandbox.doctor(&["--offline", "--fix"]));
        } else {
            fixed.stderr_lacks("mended");
            assert_eq!(findings(&fixed), findings(&outcome), "{path}");
        }
        let _ = fs::remove_dir_all(sandbox.home(""));
        copy(&backup, &sandbox.home(""));
    }
    assert_no_finding(&sandbox.offline());
    assert_eq!(sandbox.server().connections(), 1, "the login");
    // A file fault that prevents decryption is reported once, by the check of that file.
    for (path, check) in [
        ("state/trust.json", "places.files"),
        ("keys/identity.txt", "keys.identity"),
        ("keys/device.key", "keys.device"),
    ] {
        fs::remove_file(sandbox.token_file("acme")).unwrap();
        set_mode(&sandbox.home(path), 0o644);
        assert_finding(&sandbox.doctor(&[]), check, "problem", &["(mode 0644)"]);
        assert_no_finding(&sandbox.doctor(&["--fix"]));
    }
    fs::remove_dir_all(backup).unwrap();
}

#[test]
fn r4_what_belongs_to_somebody_else_is_told_and_never_changed() {
    let sandbox = Sandbox::logged_in();
    if !rustix::process::geteuid().is_root() {
        crate::torture::scale::report_skipped("only root can give a file to another user");
        return;
    }
    let change_owner =
        |path: &str, owner: u32| std::os::unix::fs::chown(sandbox.home(path), Some(owner), None).unwrap();
    for (path, check, state) in [
        ("state", "places.folders", "problem"),
        ("state/trust.json", "places.files", "problem"),
        ("tokens/acme.token", "places.files", "warning"),
        ("keys/identity.txt", "keys.identity", "problem"),
        ("profiles.toml", "store.file", "problem"),
    ] {
        change_owner(path, 65_534);
        assert_finding(
            &sandbox.offline(),
            check,
            state,
            &["belongs to another user (uid 65534)", "run neto as the user"],
        );
        set_mode(&sandbox.home(path), 0o666);
        sandbox.doctor(&["--offline", "--fix"]).code(if state == "problem" { 9 } else { 0 }).stderr_lacks("mended");
        assert_eq!(mode(&sandbox.home(path)), 0o666);
        change_owner(path, 0);
        set_mode(&sandbox.home(path), if path == "state" { 0o700 } else { 0o600 });
        assert_no_finding(&sandbox.offline());
    }
}

#[test]
fn r8_where_nothing_can_be_written_that_is_said() {
    let sandbox = Sandbox::logged_in();
    let bound = || sandbox.unprivileged_neto(["doctor", "--offline", "-o", "json"]).run();
    assert_no_finding(&bound());
    set_mode(&sandbox.home("tokens"), 0o500);
    let outcome = bound();
    set_mode(&sandbox.home("tokens"), 0o700);
    assert_finding(&outcome, "places.folders", "warning", &["cannot write ", "tokens: permission denied"]);
    // A directory that neto cannot create is reported too.
    fs::remove_dir_all(sandbox.home("tokens")).unwrap();
    set_mode(&sandbox.home(""), 0o500);
    let outcome = bound();
    set_mode(&sandbox.home(""), 0o700);
    assert_finding(&outcome, "places.folders", "warning", &["cannot write ", "permission denied"]);
}

#[test]
fn a_folder_above_that_others_can_write_is_found_wherever_files_lie() {
    let sandbox = Sandbox::new();
    let home = sandbox.root().join("home");
    let call = |arguments: &[&str]| sandbox.neto(arguments).without_env("NETO_HOME");
    call(&["init"]).run().code(0);
    let doctor = |flags: &[&str]| call(&[&["doctor", "--offline", "-o", "json"][..], flags].concat()).run();
    assert_no_finding(&doctor(&[]));
    for (path, check) in [(".local/share/neto", "places.folders"), (".config/neto", "store.file")] {
        let folder = home.join(path);
        set_mode(&folder, 0o770);
        assert_finding(&doctor(&[]), check, "problem", &["written by others (mode 0770)", "chmod go-w "]);
        assert_no_finding(&doctor(&["--fix"]));
        assert_eq!(mode(&folder), 0o750);
        set_mode(&folder, 0o755);
        assert_no_finding(&doctor(&[]));
    }
}

#[test]
fn a_folder_that_is_everybodys_is_told_and_stays_open() {
    let sandbox = Sandbox::new();
    let everybodys = sandbox.work("tmp");
    fs::create_dir(&everybodys).unwrap();
    sandbox.neto(["init", "--store", "tmp/profiles.toml"]).run().code(0);
    sandbox.neto(["init"]).env("NETO_HOME", everybodys.to_str().unwrap()).run().code(0);
    set_mode(&everybodys, 0o1777);
    let fragments = ["written by others (mode 1777)", "mkdir -m 700 ", "tmp/neto'\n(and keep it there"];
    let store = sandbox.doctor(&["--offline", "--fix", "--store", "tmp/profiles.toml"]);
    assert_finding(&store, "store.file", "problem", &fragments);
    let home = sandbox.neto(["doctor", "--offline", "-o", "json", "--fix"]);
    let home = home.env("NETO_HOME", everybodys.to_str().unwrap()).run();
    assert_finding(&home, "store.file", "problem", &fragments);
    assert_eq!(mode(&everybodys), 0o1777);
}

#[test]
fn what_cannot_be_read_is_told_once_with_the_line_that_mends_it() {
    let sandbox = Sandbox::logged_in();
    let bound = || sandbox.unprivileged_neto(["doctor", "--offline", "-o", "json"]).run();
    for (path, check, state, message, shut, open) in [
        ("profiles.toml", "store.file", "problem", "cannot read ", 0o000, 0o600),
        ("keys/identity.txt", "keys.identity", "problem", "cannot read ", 0o000, 0o600),
        ("tokens/acme.token", "places.files", "warning", "cannot read ", 0o000, 0o600),
        ("tokens", "places.folders", "problem", "cannot read ", 0o000, 0o700),
        // Four directories below it are missing and cannot be created.
        ("state", "places.folders", "warning", "cannot write ", 0o500, 0o700),
    ] {
        let path = sandbox.home(path);
        set_mode(&path, shut);
        let outcome = bound();
        set_mode(&path, open);
        let line = format!("chmod u+rwX '{}'", path.display());
        assert_finding(&outcome, check, state, &[message, "permission denied", &line]);
    }
    if rustix::process::geteuid().is_root() {
        let path = sandbox.home("state/current.json");
        sandbox.neto(["use", "acme"]).run().code(0);
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        let outcome = bound();
        std::os::unix::fs::chown(&path, Some(0), None).unwrap();
        assert_finding(
            &outcome,
            "places.files",
            "problem",
            &["denied", &format!("sudo chown \"$(id -un)\" '{}'", path.display())],
        );
    }
}

#[test]
fn a_home_in_which_nothing_can_be_made_is_one_warning_and_nobody_is_told_to_take_it() {
    let sandbox = Sandbox::new();
    let closed = sandbox.work("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o555);
    let secret = sandbox.write_secret("netosecret", sandbox.server().add_tenant("acme", "soc").netosecret());
    let call = sandbox.unprivileged_neto(["doctor", "--offline", "-o", "json"]).without_env("NETO_HOME");
    let call = call.env("HOME", closed.to_str().unwrap()).env("NETOSECRET", fs::read_to_string(secret).unwrap());
    let outcome = call.run();
    assert_finding(
        &outcome,
        "places.folders",
        "warning",
        &["closed: permission denied", "export NETO_HOME=/some/folder\n"],
    );
}

#[test]
fn what_stands_in_the_place_of_a_file_is_told_with_the_line_that_takes_it_away() {
    let sandbox = Sandbox::logged_in();
    for (path, check, state) in [
        ("keys/device.key", "keys.device", "problem"),
        ("state/trust.json", "places.files", "problem"),
        ("tokens/acme.token", "places.files", "warning"),
    ] {
        let (path, kept) = (sandbox.home(path), sandbox.home("kept"));
        fs::rename(&path, &kept).unwrap();
        fs::create_dir(&path).unwrap();
        let line = format!("mv '{0}' '{0}'.before\n(neto makes another)", path.display());
        assert_finding(&sandbox.offline(), check, state, &["is a folder, not a regular file", &line]);
        fs::remove_dir(&path).unwrap();
        fs::rename(&kept, &path).unwrap();
    }
    // No command can recreate the only identity file, so no suggested fix moves the file away.
    let identity = sandbox.home("keys/identity.txt");
    fs::rename(&identity, sandbox.work("identity.txt")).unwrap();
    symlink(sandbox.work("identity.txt"), &identity).unwrap();
    let line = format!("export NETO_IDENTITY_FILE='{}'", identity.display());
    assert_finding(&sandbox.offline(), "keys.identity", "problem", &["is a symbolic link", &line]);
    sandbox.neto(["login", "--force"]).env("NETO_IDENTITY_FILE", identity.to_str().unwrap()).run().code(0);
}

#[test]
fn r6_what_killed_runs_left_is_found_after_an_hour_and_removed() {
    let sandbox = Sandbox::logged_in();
    let create_leftover = |path: &str, age: u64| {
        let path = sandbox.home(path);
        let file = File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        path
    };
    let young = create_leftover("tokens/.neto-tmp-young", 3_500);
    assert_no_finding(&sandbox.offline());
    let old = ["tokens/.neto-tmp-a", "tokens/.neto-tmp-b"].map(|path| create_leftover(path, 3_700));
    let fragments = ["2 temporary files of killed runs in ", "neto doctor --fix"];
    assert_finding(&sandbox.offline(), "places.leftovers", "warning", &fragments);
    assert_no_finding(sandbox.doctor(&["--offline", "--fix"]).stderr_has("mended: rm "));
    assert!(young.exists() && old.iter().all(|path| !path.exists()));
    // A file of another program in this directory is not a stale temporary file.
    let other = create_leftover("tokens/notes", 1_000_000);
    sandbox.doctor(&["--offline", "--fix"]).code(0);
    assert!(other.exists());
    // A directory, or a file that belongs to another user, is not a stale temporary file either.
    let folder = sandbox.home("tokens/.neto-tmp-folder");
    fs::create_dir(&folder).unwrap();
    File::open(&folder).unwrap().set_modified(SystemTime::now() - Duration::from_secs(3_700)).unwrap();
    if rustix::process::geteuid().is_root() {
        let foreign = create_leftover("tokens/.neto-tmp-foreign", 3_700);
        std::os::unix::fs::chown(&foreign, Some(65_534), None).unwrap();
        assert_no_finding(&sandbox.doctor(&["--offline", "--fix"]));
        assert!(foreign.exists());
        fs::remove_file(foreign).unwrap();
    }
    assert_no_finding(&sandbox.offline());
    fs::remove_dir(folder).unwrap();
    // A symbolic link to a store is also created under a temporary name. A killed run leaves the link behind.
    let link = sandbox.home("tokens/.neto-tmp-link");
    symlink("nowhere", &link).unwrap();
    let old = rustix::fs::Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: old, last_modification: old };
    rustix::fs::utimensat(rustix::fs::CWD, &link, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
    assert_finding(&sandbox.offline(), "places.leftovers", "warning", &["1 temporary file of"]);
    fs::remove_file(link).unwrap();
    for folder in [".", "keys", "state", "state/locks"] {
        let path = create_leftover(&format!("{folder}/.neto-tmp-c"), 3_700);
        assert_finding(&sandbox.offline(), "places.leftovers", "warning", &["1 temporary file of"]);
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_rotation_that_was_cut_off_is_told_with_what_finishes_it() {
    let sandbox = Sandbox::logged_in();
    sandbox.server().fault(Fault::at("/api/v1/api-keys/soc/regen").close());
    sandbox.neto(["rotate", "acme", "--yes"]).run().code(5);
    sandbox.server().clear_faults();
    let asked = sandbox.server().requests().len();
    let outcome = sandbox.doctor(&["acme"]);
    assert_finding(&outcome, "places.rotations", "problem", &["cut off and is not finished", "neto rotate acme"]);
    assert_eq!(sandbox.server().requests().len(), asked, "nothing goes on with it by the way");
    sandbox.neto(["rotate", "acme", "--yes"]).run().code(0);
    assert_no_finding(&sandbox.doctor(&["acme"]));
    fs::create_dir_all(sandbox.home("state/rotations")).unwrap();
    sandbox.write_secret("junk", "{");
    fs::copy(sandbox.work("junk"), sandbox.home("state/rotations/acme.json")).unwrap();
    assert_finding(&sandbox.offline(), "places.rotations", "problem", &["is damaged", "rm "]);
}

#[test]
fn each_kind_of_identity_is_named_and_one_that_is_missing_only_where_it_is_needed() {
    let sandbox = Sandbox::logged_in();
    assert!(row(&sandbox.offline(), "keys.identity").3.contains("in clear: whoever reads the file has it"));
    fs::remove_file(sandbox.home("keys/identity.txt")).unwrap();
    assert_finding(&sandbox.offline(), "keys.identity", "problem", &["there is no identity at ", "neto init"]);
    // A store whose only secret comes from an external source needs no identity.
    let source = Sandbox::new();
    source.write_store(format!(
        "version = 1\n[profiles.acme]\nurl = \"{}\"\nshortname = \"acme\"\nappname = \"soc\"\n\
         secret = {{ env = \"ACME\" }}\n",
        source.server().url()
    ));
    source.neto(["trust", "--all"]).run().code(0);
    let call = || source.neto(["doctor", "--offline", "-o", "json"]);
    let outcome = call().env("ACME", "x").run();
    assert!(findings(&outcome).iter().all(|row| row.0 == "keys.ignored"), "{outcome}");
    assert!(row(&outcome, "keys.identity").3.contains("no profile needs one"));
    assert_finding(&call().run(), "store.source", "problem", &["the variable 'ACME' is not set"]);
}

#[test]
fn nothing_that_would_ask_is_opened_and_that_is_no_finding() {
    let sandbox = Sandbox::new();
    sandbox.add_canary("passphrase", "correct horse battery");
    let passphrase = sandbox.write_secret("passphrase", "correct horse battery");
    sandbox.neto(["init", "--new-passphrase-file"]).arg(&passphrase).run().code(0);
    sandbox.add("acme");
    // Even at a terminal, `doctor` does not ask for a passphrase.
    let screen = sandbox.neto(["doctor", "acme"]).at_terminal().finish();
    screen.code(0).has("under a passphrase").has("not checked: ").lacks("Passphrase of");
    let outcome = sandbox.doctor(&["acme"]);
    assert_no_finding(&outcome);
    for check in ["store.sealed", "credentials.login"] {
        assert!(rows(&outcome).iter().any(|row| row.0 == check && row.1 == "skipped"), "{check} in {outcome}");
    }
    assert_eq!(sandbox.server().logins(), 0);
    // With a passphrase file, `doctor` decrypts the identity without asking.
    let call = |file: &Path| sandbox.neto(["doctor", "-o", "json"]).env("NETO_PASSPHRASE_FILE", file).run();
    let outcome = call(&passphrase);
    assert_no_finding(&outcome);
    assert_eq!((sandbox.server().logins(), row(&outcome, "credentials.login").1.as_str()), (1, "ok"));
    set_mode(&passphrase, 0o644);
    assert_finding(&call(&passphrase), "keys.passphrase", "problem", &["chmod 600"]);
}

#[test]
fn a_plugin_is_never_started_and_one_that_is_missing_is_told() {
    let sandbox = Sandbox::with_pin_plugin();
    let screen = sandbox.neto(["doctor", "acme"]).at_terminal().finish();
    screen.code(0).has("held by age-plugin-toy").has("not checked: ").lacks("PIN");
    assert_no_finding(&sandbox.doctor(&["acme"]));
    let outcome = sandbox.neto(["doctor", "--offline", "-o", "json"]).env("PATH", "/usr/bin:/bin").run();
    let found = findings(outcome.code(9));
    let checks: Vec<&str> = found.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(checks, ["keys.plugin", "store.recipients"], "{found:?}");
    assert!(found.iter().all(|row| row.3.contains("age-plugin-toy") && row.3.contains("install it")), "{found:?}");
}

#[test]
fn a_store_that_cannot_be_read_is_one_finding_of_many_checks() {
    let sandbox = Sandbox::logged_in();
    let good = sandbox.store();
    for (text, fragments) in [
        (format!("{good}\n[profiles.acme\n"), &["profiles.toml: line "][..]),
        (good.replace("version = 1", "version = 2"), &["install that one"]),
        (format!("<<<<<<< ours\n{good}\n=======\n>>>>>>> theirs\n"), &["conflict markers", "finish the merge"]),
        ("\u{0}\u{1}".to_owned(), &["profiles.toml: line 1"]),
    ] {
        sandbox.write_store(text);
        for flags in [&[][..], &["acme"], &["--all"], &["--tag", "x"]] {
            let outcome = sandbox.doctor(flags);
            assert_finding(&outcome, "store.file", "problem", fragments);
            assert!(rows(&outcome).iter().any(|row| row.0 == "network.connection" && row.1 == "skipped"));
            assert!(rows(&outcome).iter().any(|row| row.0 == "keys.device"));
        }
    }
    sandbox.write_store(&good);
    assert_no_finding(&sandbox.doctor(&[]));
    assert_eq!(sandbox.doctor(&["--store", "nowhere.toml"]).code(9).exit_code(), 9);
    // A wrong profile name is an error, as in every command.
    sandbox.doctor(&["acm"]).code(3).stdout("").stderr_has("did you mean 'acme'");
    sandbox.doctor(&["--tag", "nowhere"]).code(3).stdout("");
}

#[test]
fn everything_at_once_is_a_line_each() {
    let sandbox = Sandbox::logged_in();
    sandbox.write_store("version = \n");
    set_mode(&sandbox.home("profiles.toml"), 0o600);
    fs::write(sandbox.home("keys/device.key"), "junk").unwrap();
    fs::remove_file(sandbox.home("keys/identity.txt")).unwrap();
    set_mode(&sandbox.home("state"), 0o777);
    fs::write(sandbox.home("state/trust.json"), "junk").unwrap();
    fs::remove_file(sandbox.home(".gitignore")).unwrap();
    let call = sandbox.neto(["doctor", "-o", "json"]).env("NETO_PROFILE", "../x").env("NETOSECRET", "junk");
    let outcome = call.env("HTTPS_PROXY", "garbage://x").env("SSL_CERT_FILE", "/nowhere").run();
    let checks: Vec<String> = findings(outcome.code(9)).into_iter().map(|row| row.0).collect();
    let expected = [
        "places.folders",
        "places.files",
        "keys.identity",
        "keys.device",
        "keys.ignored",
        "store.file",
        "surroundings.netosecret",
        "surroundings.roots",
        "surroundings.proxy",
    ];
    assert_eq!(checks, expected, "{outcome}");
    outcome.stderr_has("error: 8 problems and 1 warning found\n").stderr_has("neto doctor --fix");
}

#[test]
fn without_a_home_there_is_one_line() {
    let sandbox = Sandbox::new();
    if !rustix::process::geteuid().is_root() {
        crate::torture::scale::report_skipped("only root can be a user without a home");
        return;
    }
    let binary = env!("CARGO_BIN_EXE_neto");
    let nobody = ["--reuid", "54321", "--clear-groups", binary, "doctor", "-o", "json"];
    let call = || sandbox.program("setpriv", nobody).current_dir("/").without_env("HOME");
    let outcome = call().without_env("NETO_HOME").run();
    assert_finding(&outcome, "places.home", "problem", &["names no home folder", "export NETO_HOME="]);
    // A job with its own credential needs no home.
    let secret = sandbox.server().add_tenant("acme", "soc").netosecret();
    let outcome = call().without_env("NETO_HOME").env("NETOSECRET", &secret).run();
    assert_finding(&outcome, "places.home", "warning", &["names no home folder"]);
    sandbox
        .program("setpriv", ["--reuid", "54321", "--clear-groups", binary, "exec", "--", "true"])
        .current_dir("/")
        .without_env("HOME")
        .without_env("NETO_HOME")
        .env("NETOSECRET", &secret)
        .run()
        .code(0);
}

#[test]
fn each_fault_of_a_profile_is_found_once_with_its_cure() {
    let sandbox = Sandbox::logged_in();
    let good = sandbox.store();
    let url = sandbox.server().url();
    let bob = format!("bob = \"{OTHER_RECIPIENT}\"\n[defaults]");
    for (text, check, fragments) in [
        (format!("{good}\n[profiles.beta]\nurl = \"x\"\n"), "store.profile", &["line ", "neto profile edit beta"][..]),
        (
            good.replace("secret = \"\"\"", "appkey = \"k\"\nsharedsecret = \"s\"\nsecret = \"\"\""),
            "store.sealed",
            &["stands in clear", "neto seal acme"],
        ),
        (good.replace("-----BEGIN AGE", "-----BEGIN PGP"), "store.sealed", &["no age file", "set-secret acme"]),
        (
            good.replace("shortname = \"acme\"", "shortname = \"other\""),
            "store.sealed",
            &["bound to another shortname", "neto seal acme --accept"],
        ),
        (
            format!(
                "{good}\n[profiles.beta]\nurl = \"{url}\"\nshortname = \"b\"\nappname = \"s\"\n\
                 secret = {{ command = [\"sh\"] }}\n"
            ),
            "store.trust",
            &["the command", "neto trust beta"],
        ),
    ] {
        assert_ne!(text, good);
        sandbox.write_store(text);
        assert_finding(&sandbox.offline(), check, "problem", fragments);
    }
    // A recipient was added by hand. This machine does not trust the recipient, and no secret is encrypted to it.
    sandbox.write_store(good.replacen("[defaults]", &bob, 1));
    let outcome = sandbox.offline();
    let found = findings(outcome.code(9));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0 == "store.sealed" && found[0].3.contains("sealed to others than declared"), "{found:?}");
    assert!(found[1].0 == "store.recipients" && found[1].3.contains("neto trust --recipient bob"), "{found:?}");
    sandbox.write_store(&good);
    assert_no_finding(&sandbox.offline());
    // Profiles that are not selected get no findings.
    sandbox.write_store(format!("{good}\n[profiles.beta]\nurl = \"x\"\n"));
    assert_no_finding(&sandbox.doctor(&["--offline", "acme"]));
    assert_no_finding(&sandbox.doctor(&["--offline", "-p", "acme"]));
    assert_eq!(sandbox.server().connections(), 1, "the login");
}

#[test]
fn who_is_no_recipient_is_told_what_to_send() {
    let sandbox = Sandbox::logged_in();
    let bob = sandbox.machine("bob");
    bob.neto(["init"]).run().code(0);
    let store = sandbox.home("profiles.toml");
    let own = ["doctor", "-o", "json"];
    let call = |flags: &[&str]| bob.neto(own.iter().chain(flags)).env("NETO_STORE", &store).run();
    let outcome = call(&["--offline"]);
    let found = findings(outcome.code(9));
    assert!(found[0].0 == "store.recipients" && found[0].3.contains("neto recipient add bob age1"), "{found:?}");
    assert!(found[1].3.contains("neto trust --recipient me"), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
    // A secret that only other identities can decrypt is a problem for a named profile, but not with `--all`.
    let login = |flags: &[&str]| row(&call(flags), "credentials.login");
    assert_eq!(login(&["--all"]).1, "skipped");
    assert_eq!(login(&["acme"]).1, "problem");
    assert!(login(&["acme"]).3.contains("neto recipient list -p acme"));
}

#[test]
fn git_is_asked_what_it_has_of_keys_and_of_the_store() {
    let sandbox = Sandbox::new();
    let git = |arguments: &[&str]| {
        let own = ["-c", "user.name=neto", "-c", "user.email=neto@example.com", "-c", "init.defaultBranch=main"];
        sandbox.program("git", own.iter().chain(arguments)).current_dir(sandbox.home("")).run().code(0).clone()
    };
    sandbox.add("acme");
    git(&["init", "-q"]);
    git(&["add", "."]);
    assert_no_finding(&sandbox.offline());
    fs::write(sandbox.home(".gitignore"), "nothing\n").unwrap();
    let outcome = sandbox.offline();
    assert_finding(&outcome, "store.git", "warning", &["would take the keys in ", "with the next `git add`"]);
    // Applies the suggested fix.
    let line = outcome.json().as_array().unwrap().iter().find_map(|row| row["fix"].as_str().map(str::to_owned));
    sandbox.program("sh", ["-c", &line.unwrap()]).run().code(0);
    assert_no_finding(&sandbox.offline());
    fs::remove_file(sandbox.home("keys/.gitignore")).unwrap();
    git(&["add", "keys/identity.txt"]);
    assert_finding(
        &sandbox.offline(),
        "store.git",
        "problem",
        &["a key that opens secrets is in git", "git rm --cached"],
    );
    git(&["rm", "-q", "--cached", "keys/identity.txt"]);
    fs::write(sandbox.home(".gitignore"), "/*\n!/profiles.toml\n").unwrap();
    assert_no_finding(&sandbox.offline());
    let good = sandbox.store();
    sandbox.write_store(good.replace("shortname = \"acme\"", "shortname = \"other\""));
    git(&["add", "profiles.toml"]);
    sandbox.write_store(&good);
    assert_finding(&sandbox.offline(), "store.git", "problem", &["as it was before", "git add "]);
    git(&["add", "profiles.toml"]);
    assert_no_finding(&sandbox.offline());
    fs::write(sandbox.home(".git/index"), "junk").unwrap();
    assert_finding(&sandbox.offline(), "store.git", "warning", &["git: "]);
    fs::remove_dir_all(sandbox.home(".git")).unwrap();
    fs::remove_file(sandbox.home(".gitignore")).unwrap();
    assert_finding(&sandbox.offline(), "keys.ignored", "warning", &[".gitignore is not there", "neto doctor --fix"]);
    assert_no_finding(sandbox.doctor(&["--offline", "--fix"]).stderr_has("mended: made "));
    assert_eq!(fs::read_to_string(sandbox.home(".gitignore")).unwrap(), "/*\n!/profiles.toml\n");
}

#[test]
fn each_variable_that_hides_or_spoils_something_is_told() {
    let sandbox = Sandbox::logged_in();
    sandbox.add("beta");
    sandbox.neto(["use", "acme"]).run().code(0);
    let identity = fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap();
    let past = "1000000000";
    let cases: &[(Variables<'_>, ExpectedFinding<'_>)] = &[
        (&[("NETO_PROFILE", "acme")], ("", "", &[])),
        (
            &[("NETO_PROFILE", "beta")],
            (
                "surroundings.hidden",
                "warning",
                &["NETO_PROFILE says beta and hides neto profile use, which says acme", "unset NETO_PROFILE"],
            ),
        ),
        (&[("NETO_PROFILE", "beta"), ("NETO_SHELL_PROFILE", "beta")], ("", "", &[])),
        (&[("NETO_PROFILE", "beta"), ("NETO_EXPORTED", "NETO_PROFILE")], ("", "", &[])),
        (&[("NETO_PROFILE", "gone")], ("surroundings.choice", "problem", &["no profile 'gone'"])),
        (&[("NETO_TOKEN_EXPIRES_AT", "9999999999")], ("", "", &[])),
        (&[("NETO_TOKEN_EXPIRES_AT", past)], ("surroundings.export", "warning", &["expired ", "neto export"])),
        (&[("NETO_IDENTITY", &identity)], ("surroundings.identity", "warning", &["NETO_IDENTITY hides /"])),
        (&[("HTTPS_PROXY", "http://u:pr0xypass@proxy:1")], ("", "", &[])),
        (&[("HTTPS_PROXY", "http://u:pr0xy/pass@proxy:1")], ("surroundings.proxy", "problem", &["unset HTTPS_PROXY"])),
        (&[("SSL_CERT_FILE", "/nowhere")], ("surroundings.roots", "problem", &["SSL_CERT_FILE names no root"])),
    ];
    sandbox.add_canary("proxy's password", "pr0xypass");
    sandbox.add_canary("proxy's password", "pr0xy/pass");
    for (variables, (check, state, fragments)) in cases {
        let call = sandbox.neto(["doctor", "--offline", "-o", "json"]);
        let outcome = variables.iter().fold(call, |call, (name, value)| call.env(name, value)).run();
        if check.is_empty() {
            assert_no_finding(&outcome);
        } else {
            let mut found = findings(&outcome);
            // A NETO_PROFILE that is not in the store also gives the finding that it hides the current profile.
            found.retain(|row| row.0 != "surroundings.hidden" || *check == "surroundings.hidden");
            assert_eq!(found.len(), 1, "{outcome}");
            assert_eq!((found[0].0.as_str(), found[0].1.as_str()), (*check, *state), "{outcome}");
            assert!(fragments.iter().all(|word| found[0].3.contains(word)), "{found:?}");
        }
    }
    let pasted = "c2VjcmV0IHRoYXQgd2FzIHBhc3RlZA==";
    sandbox.add_canary("pasted secret", pasted);
    let outcome = sandbox.neto(["doctor", "--offline", "-o", "json"]).env("NETO_PROFILE", pasted).run();
    assert_finding(
        &outcome,
        "surroundings.choice",
        "problem",
        &["NETO_PROFILE does not hold the name", "unset NETO_PROFILE"],
    );
    let proxied = sandbox.neto(["doctor", "--offline"]).env("https_proxy", "http://u:pr0xypass@proxy:1").run();
    proxied.code(0).stdout_has("https_proxy names the proxy proxy:1\n");
    let outcome = sandbox.neto(["doctor", "--offline", "-o", "json"]).env("NETOSECRET", "junk").run();
    let found = findings(outcome.code(9));
    assert!(found.iter().any(|row| row.0 == "surroundings.netosecret" && row.3.contains("unset NETOSECRET")));
    fs::write(sandbox.work(".neto-profile"), "beta\n").unwrap();
    assert_no_finding(&sandbox.offline());
    assert!(row(&sandbox.offline(), "surroundings.choice").3.contains(".neto-profile"));
}

/// Creates a profile that has this URL and has never logged in.
fn with_url(url: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    url.clone_into(&mut credential.url);
    sandbox.neto(["profile", "add", "acme"]).stdin(credential.netosecret()).run().code(0);
    sandbox
}

#[test]
fn a_server_that_is_not_reached_is_told_with_the_reason() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, why) in [
        ("https://nothing.invalid".to_owned(), "the name of the host cannot be resolved"),
        (format!("http://{free}"), "connection refused"),
    ] {
        let fragments = ["no connection to ", why, "neto profile show acme"];
        let sandbox = with_url(&url);
        let outcome = sandbox.doctor(&[]);
        assert_finding(&outcome, "network.connection", "problem", &fragments);
        assert!(!rows(&outcome).iter().any(|row| row.0.starts_with("credentials")), "{outcome}");
        assert_no_finding(&sandbox.offline());
    }
    // The URL says https, but the server does not speak TLS.
    let peer = Peer::new(|_| Reaction::SendAndClose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let outcome = with_url(&format!("https://{}", peer.address())).doctor(&[]);
    assert_finding(&outcome, "network.connection", "problem", &["it does not speak TLS"]);
}

#[test]
fn r25_each_fault_of_a_certificate_is_told_with_its_cure() {
    for (leaf, why, fix) in [
        (Leaf::SelfSigned, "not trusted here; trusted are ", "neto profile edit acme --ca-file FILE"),
        (Leaf::Expired, "its certificate has expired", "when its certificate is renewed"),
        (Leaf::OtherName, "its certificate is for another name", "neto profile show acme"),
        (Leaf::Valid, "", ""),
    ] {
        let authority = Authority::new();
        let sandbox = Sandbox::with_server(Server::https(&authority, leaf));
        fs::write(sandbox.work("ca.pem"), authority.pem()).unwrap();
        let credential = sandbox.server().add_tenant("acme", "soc");
        let add = ["profile", "add", "acme", "--ca-file", "ca.pem"];
        sandbox.neto(add).stdin(credential.netosecret()).run().code(0);
        let outcome = sandbox.doctor(&[]);
        if leaf == Leaf::Valid {
            assert_no_finding(&outcome);
        } else {
            assert_finding(&outcome, "network.connection", "problem", &["cannot be verified", why, fix]);
            assert_eq!(sandbox.server().requests().len(), 0, "{leaf:?}");
        }
    }
}

#[test]
fn r26_a_proxy_that_is_dead_is_told() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sandbox = with_url("https://api.fusion.example");
    sandbox.add_canary("proxy's password", "pr0xypass");
    let call = sandbox.neto(["doctor", "-o", "json"]);
    let outcome = call.env("HTTPS_PROXY", format!("http://user:pr0xypass@{free}")).run();
    assert_finding(&outcome, "network.connection", "problem", &["proxy", &free.to_string(), "HTTPS_PROXY"]);
}

#[test]
fn what_does_not_answer_as_the_api_gets_no_credential() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let page = || Fault::at("/*").respond(200, "<html>").header("content-type", "Text/HTML; charset=utf-8");
    for (fault, fragments) in [
        (page(), &["a page of HTML, as no Fusion API does", "neto profile show acme"][..]),
        (Fault::at("/*").error(404, "no such call"), &["status 404, as no Fusion API does"]),
        (Fault::at("/*").redirect(302, "https://login.example/?token=x"), &["redirects", "https://login.example/"]),
        (Fault::at("/*").error(503, "later"), &["status 503", "neto doctor acme"]),
    ] {
        sandbox.server().fault(fault);
        assert_finding(&sandbox.doctor(&[]), "network.api", "problem", fragments);
        sandbox.server().clear_faults();
    }
    assert_eq!(sandbox.server().request_count(TOKEN), 0);
    assert_no_finding(&sandbox.doctor(&[]));
}

#[test]
fn a_url_with_the_version_twice_is_told_by_whatever_the_server_makes_of_it() {
    let sandbox = Sandbox::new();
    let mut credential = sandbox.server().add_tenant("acme", "soc");
    credential.url = format!("{}/api/v1", credential.url);
    sandbox.neto(["profile", "add", "acme"]).stdin(credential.netosecret()).run().code(0);
    let fix = format!("neto profile edit acme --url '{}'", sandbox.server().origin());
    let (_, reasons) = rejection(&sandbox.doctor(&[]));
    assert!(reasons[0].contains("'/api/v1' before /api/v1") && reasons[0].ends_with(&fix), "{reasons:?}");
    sandbox.server().fault(Fault::at("/*").error(404, "no such call"));
    assert_finding(&sandbox.doctor(&[]), "network.api", "problem", &["'/api/v1' before /api/v1", &fix]);
    sandbox.server().clear_faults();
    sandbox.neto(["profile", "edit", "acme", "--url", sandbox.server().origin()]).run().code(0);
    assert_no_finding(&sandbox.doctor(&[]));
}

#[test]
fn r21_a_clock_that_differs_is_told() {
    for (skew, side) in [(300, "behind"), (-300, "ahead of")] {
        let sandbox = Sandbox::logged_in();
        sandbox.server().set_clock_skew(skew);
        let fragments = ["this machine's clock is ", " s ", side, "timedatectl"];
        assert_finding(&sandbox.doctor(&[]), "network.clock", "problem", &fragments);
        sandbox.server().set_clock_skew(skew / 30);
        assert_no_finding(&sandbox.doctor(&[]));
    }
}

/// Returns the finding about the rejected credential, and the possible reasons in order.
#[track_caller]
fn rejection(outcome: &Outcome) -> (Row, Vec<String>) {
    let found: Vec<Row> = findings(outcome.code(9)).into_iter().filter(|row| row.0.starts_with("cred")).collect();
    assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("credentials.login", "problem"), "{found:#?}");
    let reasons = found[1..].iter().map(|row| {
        assert_eq!((row.0.as_str(), row.1.as_str(), row.2.as_str()), ("credentials.reason", "warning", "acme"));
        row.3.clone()
    });
    let reasons: Vec<String> = reasons.collect();
    assert!(reasons[0].starts_with("likeliest: ") && reasons[1..].iter().all(|why| why.starts_with("or: ")));
    (found[0].clone(), reasons)
}

#[test]
fn a_credential_that_is_rejected_is_told_with_what_speaks_for_each_reason() {
    let sandbox = Sandbox::new();
    let credential = sandbox.add("acme");
    let regenerated = sandbox.server().regenerate(&credential);
    let (said, reasons) = rejection(&sandbox.doctor(&["acme"]));
    assert!(said.3.contains("rejected the credential with status 401"), "{said:?}");
    let [age] = &reasons[..] else { panic!("{reasons:?}") };
    assert!(age.contains("regenerated or removed elsewhere since it came, today (20"), "{age}");
    assert!(age.contains("neto profile set-secret acme"), "{age}");
    // Applies the suggested fix.
    sandbox.neto(["profile", "set-secret", "acme"]).stdin(regenerated.netosecret()).run().code(0);
    assert_no_finding(&sandbox.doctor(&["acme"]));
    assert_eq!(sandbox.server().logins(), 1);
    // The server no longer accepts the cached token, but it accepts the credential.
    sandbox.server().end_access_tokens();
    let fragments = ["did not take the cached token, and gave a new one"];
    assert_finding(&sandbox.doctor(&["acme"]), "credentials.login", "warning", &fragments);
    assert_no_finding(&sandbox.doctor(&["acme"]));
    // The new token cannot be cached.
    sandbox.neto(["logout"]).run().code(0);
    sandbox.server().edit_grants(|grant| drop(grant.remove("expires_in")));
    assert_finding(
        &sandbox.doctor(&["acme"]),
        "credentials.login",
        "warning",
        &["did not say how long the token lives"],
    );
    // After a 401, clock skew is the first possible reason. After other statuses it is not a reason.
    sandbox.neto(["logout"]).run().code(0);
    sandbox.server().set_clock_skew(-300);
    for (status, number) in [(401, 2), (403, 2), (400, 1)] {
        sandbox.server().fault(Fault::at(TOKEN).error(status, "no"));
        let (_, reasons) = rejection(&sandbox.doctor(&["acme"]));
        assert_eq!(reasons.len(), number, "{status}: {reasons:?}");
        match status {
            401 => assert!(reasons[0].contains("clock is ") && reasons[0].contains("timedatectl"), "{reasons:?}"),
            403 => assert!(reasons[0].contains("from this address"), "{reasons:?}"),
            _ => assert!(reasons[0].contains("regenerated"), "{reasons:?}"),
        }
        sandbox.server().clear_faults();
    }
}

#[test]
fn a_store_that_lost_a_rotated_key_is_told_so() {
    let sandbox = Sandbox::logged_in();
    let before = sandbox.store();
    sandbox.neto(["rotate", "acme", "--yes"]).run().code(0);
    sandbox.write_store(before);
    let (_, reasons) = rejection(&sandbox.doctor(&["acme"]));
    assert!(reasons[0].contains("holds a newer key of 20"), "{reasons:?}");
    assert!(reasons[0].ends_with("\nneto rotate --recover acme"), "{reasons:?}");
    sandbox.neto(["rotate", "--recover", "acme", "--yes"]).run().code(0);
    assert_no_finding(&sandbox.doctor(&["acme"]));
}

#[test]
fn each_server_is_looked_at_once_and_only_those_that_were_asked_for() {
    let sandbox = Sandbox::logged_in();
    for name in ["beta", "gamma"] {
        sandbox.add(name);
    }
    let requests = || sandbox.server().requests().iter().filter(|seen| seen.path == KEYS).count();
    // There are several profiles, and none is current.
    let outcome = sandbox.doctor(&[]);
    assert_no_finding(&outcome);
    let skipped = row(&outcome, "network.connection");
    assert!(skipped.1 == "skipped" && skipped.3.ends_with("neto doctor --all"), "{skipped:?}");
    assert_eq!(requests(), 0);
    assert_no_finding(&sandbox.doctor(&["beta"]));
    assert_eq!((requests(), sandbox.server().logins()), (1, 2));
    assert_no_finding(&sandbox.doctor(&["--all", "--jobs", "2"]));
    // The server gets one request without a token for all profiles. Two of the three profiles had a cached token, which
    // is tested too.
    assert_eq!((requests(), sandbox.server().logins()), (4, 3));
    let connections = sandbox.server().connections();
    assert_no_finding(&sandbox.doctor(&["--all", "--offline"]));
    assert_eq!(sandbox.server().connections(), connections);
    // A failing server is reported once for all profiles that use it.
    sandbox.server().fault(Fault::at(KEYS).error(503, "later"));
    let outcome = sandbox.doctor(&["--all"]);
    assert_finding(&outcome, "network.api", "problem", &["so it is with 2 other profiles"]);
}

#[test]
fn of_many_profiles_those_that_are_well_are_counted() {
    let sandbox = Sandbox::logged_in();
    for number in 0..10 {
        sandbox.add(&format!("t{number}"));
    }
    let outcome = sandbox.neto(["doctor", "--all"]).run();
    outcome.code(0).stdout_has("  ✓ 10 profiles: its server takes the credential\n");
    outcome.stdout_has("  ✓ acme: its server takes the cached token\n").stdout_lacks("t3");
    assert_eq!(rows(&sandbox.doctor(&["--all"])).iter().filter(|row| row.0 == "credentials.login").count(), 11);
}

#[test]
fn programs_get_flat_objects_and_quiet_only_what_was_found() {
    let sandbox = Sandbox::logged_in();
    set_mode(&sandbox.home("keys/identity.txt"), 0o644);
    let outcome = sandbox.doctor(&["--offline", "-q"]);
    let rows = outcome.code(9).json();
    let [row] = &rows.as_array().unwrap()[..] else { panic!("{outcome}") };
    let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 5);
    for key in ["check", "profile", "state", "message", "fix"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert!(row["profile"].is_null() && row["fix"].as_str().unwrap().starts_with("chmod 600 "));
    let csv = sandbox.neto(["doctor", "--offline", "-q", "-o", "csv"]).run();
    csv.code(9).stdout_has("check,profile,state,message,fix\nkeys.identity,,problem,");
    let page = sandbox.neto(["doctor", "--offline", "-q"]).run();
    page.code(9).stderr_has("error: 1 problem found\n  hint: neto doctor --fix\n");
    assert!(page.stdout.starts_with("Keys\n  ✕ ") && page.stdout.lines().count() == 3, "{page}");
    set_mode(&sandbox.home("keys/identity.txt"), 0o600);
    sandbox.doctor(&["--offline", "-q"]).code(0).stderr("").stdout("[]\n");
    sandbox.neto(["doctor", "--offline", "-q"]).run().code(0).stderr("").stdout("");
}

#[test]
fn the_page_fits_a_terminal_and_its_lines_to_paste_stay_whole() {
    let sandbox = Sandbox::logged_in();
    set_mode(&sandbox.home("keys/identity.txt"), 0o644);
    let line = format!("      chmod 600 '{}'\n", sandbox.home("keys/identity.txt").display());
    for columns in [40, 80] {
        let screen = sandbox.neto(["doctor", "--offline"]).at_terminal_sized(columns, 50).finish();
        screen.code(9).has(&line).lacks("identity.txt can be read by others (mode 0644)");
    }
    let page = sandbox.neto(["doctor", "--offline", "--color", "always"]).run();
    page.code(9).stdout_has("\u{1b}[31m✕\u{1b}[0m ").stdout_has("\u{1b}[1mKeys\u{1b}[0m\n").stdout_has(&line);
}

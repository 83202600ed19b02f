//! Where jobs run: with a credential or an identity and little else. A home that is read-only, closed, somebody else's or
//! none; a checkout of root's. `ci_page` has the jobs themselves.
#![cfg(target_os = "linux")]

use crate::harness::{Call, Outcome, Sandbox};
use crate::torture::scale::say_not_tested;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

/// The user that owns nothing, and one that the system has never heard of.
const NOBODY: u32 = 65_534;
const UNKNOWN: u32 = 54_321;

/// What a job does, and what its output then holds.
const JOBS: [(&[&str], &str); 5] = [
    (&["token"], "."),
    (&["export", "--shell", "sh"], "export NETO_SHORTNAME='acme'"),
    (&["exec", "--", "sh", "-c", "echo tenant=$NETO_SHORTNAME"], "tenant=acme"),
    (&["api", "GET", "/devices"], "{"),
    (&["status"], "acme"),
];

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A sandbox that other users may enter. Nothing where the tests cannot act as another user, which is said.
fn shared() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    set_mode(sandbox.root(), 0o755);
    if !rustix::process::geteuid().is_root() {
        say_not_tested("only root can run a job as another user");
        return None;
    }
    let able = job(&sandbox, NOBODY, &["--version"]).run();
    if able.exit_code() != 0 {
        say_not_tested("another user cannot run the binary where it lies, so no job runs as one");
        return None;
    }
    Some(sandbox)
}

/// A run of neto as another user, without `NETO_HOME`.
fn job<'a>(sandbox: &'a Sandbox, user: u32, words: &[&str]) -> Call<'a> {
    let setpriv = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
    let words = words.iter().map(|word| (*word).to_owned());
    let neto = [env!("CARGO_BIN_EXE_neto").to_owned()];
    sandbox.program("setpriv", setpriv.into_iter().chain(neto).chain(words)).without_env("NETO_HOME")
}

/// The same with a file system on its home that takes nothing, whoever writes.
fn on_read_only<'a>(sandbox: &'a Sandbox, words: &[&str]) -> Call<'a> {
    let mount = "mount -t tmpfs -o ro,mode=0777 none \"$HOME\" && exec neto \"$@\"";
    let words = ["--mount", "sh", "-c", mount, "sh"].into_iter().chain(words.iter().copied());
    sandbox.program("unshare", words).without_env("NETO_HOME")
}

/// It did what it was for, and warned once at most.
#[track_caller]
fn went_on(outcome: &Outcome, holds: &str) {
    outcome.code(0).stdout_has(holds).stderr_lacks("error: ");
    assert!(outcome.stderr.matches("warning: ").count() <= 1, "{outcome}");
}

/// Each job at this place, with a token got anew each time, since nothing can be kept.
#[track_caller]
fn every_job_goes_on<'a>(sandbox: &'a Sandbox, at: impl Fn(&[&str]) -> Call<'a>) {
    for (words, holds) in JOBS {
        let before = sandbox.server().logins();
        let outcome = at(words).reveals("access token").run();
        went_on(&outcome, holds);
        let logins = usize::from(words[0] != "status");
        assert_eq!(sandbox.server().logins() - before, logins, "{outcome}");
    }
}

#[test]
fn a_netosecret_alone_is_enough_for_whoever_runs_the_job() {
    let Some(sandbox) = shared() else { return };
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    let closed = sandbox.root().join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o700);
    let homes = [None, Some(Path::new("/")), Some(Path::new("/nonexistent")), Some(&closed)];
    for user in [NOBODY, UNKNOWN] {
        for home in homes {
            every_job_goes_on(&sandbox, |words| {
                let call = job(&sandbox, user, words).env("NETOSECRET", &netosecret).env("TMPDIR", "/nonexistent");
                match home {
                    Some(home) => call.env("HOME", home),
                    None => call.without_env("HOME"),
                }
            });
        }
    }
    assert_eq!(fs::read_dir(&closed).unwrap().count(), 0);
}

#[test]
fn who_has_no_home_is_told_how_to_name_one() {
    let Some(sandbox) = shared() else { return };
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    let token = || job(&sandbox, UNKNOWN, &["token"]).without_env("HOME").reveals("access token");
    let outcome = token().env("NETOSECRET", &netosecret).run();
    outcome.code(0).stderr_has("names no home folder").stderr_has("export NETO_HOME=/some/folder");
    // What it says helps: there is no warning any more, and the second run has the token of the first.
    let home = sandbox.work("jobs-home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    let before = sandbox.server().logins();
    for _ in 0..2 {
        token().env("NETOSECRET", &netosecret).env("NETO_HOME", &home).run().code(0).silent();
    }
    assert_eq!(sandbox.server().logins() - before, 1);
    // Without a credential there is nothing to go on with.
    token().run().code(3).stdout("").stderr_has("no profile yet");
    job(&sandbox, UNKNOWN, &["init"]).without_env("HOME").run().code(6).stdout("").stderr_has("names no home folder");
}

#[test]
fn r8_a_home_on_a_read_only_file_system_costs_a_warning() {
    let sandbox = Sandbox::new();
    if on_read_only(&sandbox, &["--version"]).run().exit_code() != 0 {
        return say_not_tested("nothing can be mounted here, so no file system is read-only");
    }
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    every_job_goes_on(&sandbox, |words| on_read_only(&sandbox, words).env("NETOSECRET", &netosecret));
    let outcome = on_read_only(&sandbox, &["token"]).env("NETOSECRET", &netosecret).reveals("access token").run();
    outcome.code(0).stderr_has("read-only file system; the token is not kept");
}

/// A checkout with one profile that is sealed to the identity in `identity.txt`; the files are root's, as git leaves them.
fn checkout(sandbox: &Sandbox) -> String {
    let credential = sandbox.server().add_tenant("acme", "soc");
    let store = sandbox.work("profiles.toml");
    let store = store.to_str().unwrap();
    sandbox.neto(["--store", store, "init"]).run().code(0);
    sandbox.neto(["--store", store, "profile", "add", "acme"]).stdin(credential.netosecret()).run().code(0);
    set_mode(Path::new(store), 0o644);
    fs::read_to_string(sandbox.home("keys/identity.txt")).unwrap()
}

#[test]
fn a_store_of_roots_and_an_identity_are_enough_for_whoever_runs_the_job() {
    let Some(sandbox) = shared() else { return };
    let identity = checkout(&sandbox);
    let file = sandbox.write_secret("identity", &identity);
    set_mode(&sandbox.work(""), 0o755);
    chown(&file, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    let mounted = sandbox.root().join("home");
    for home in [None, Some(Path::new("/nonexistent")), Some(&*mounted)] {
        for variable in ["NETO_IDENTITY_FILE", "NETO_IDENTITY"] {
            every_job_goes_on(&sandbox, |words| {
                let call = job(&sandbox, UNKNOWN, words).env("NETO_STORE", "profiles.toml");
                let call = match variable {
                    "NETO_IDENTITY" => call.env(variable, &identity),
                    _ => call.env(variable, &file),
                };
                match home {
                    Some(home) => call.env("HOME", home),
                    None => call.without_env("HOME"),
                }
            });
        }
    }
    // Root's secret, mounted over a home that is read-only.
    if on_read_only(&sandbox, &["--version"]).run().exit_code() == 0 {
        chown(&file, Some(0), Some(0)).unwrap();
        every_job_goes_on(&sandbox, |words| {
            on_read_only(&sandbox, words).env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY_FILE", &file)
        });
    }
}

#[test]
fn what_others_may_write_is_refused_with_the_line_that_mends_it() {
    let Some(sandbox) = shared() else { return };
    let identity = checkout(&sandbox);
    let store = sandbox.work("profiles.toml");
    set_mode(&sandbox.work(""), 0o755);
    let token = |user| {
        let call = job(&sandbox, user, &["token"]).env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY", &identity);
        call.reveals("access token").run()
    };
    // As the runner of GitLab leaves a checkout.
    set_mode(&store, 0o666);
    token(NOBODY).code(3).stdout("").stderr_has(&format!("chmod go-w '{}'", store.display()));
    set_mode(&store, 0o644);
    // Of a third user, who could change it at any time.
    chown(&store, Some(UNKNOWN), None).unwrap();
    token(NOBODY).code(3).stdout("").stderr_has("belongs to another user");
    chown(&store, Some(0), None).unwrap();
    token(NOBODY).code(0);
}

#[test]
fn root_in_a_container_has_a_home_and_a_checkout_of_somebody_elses() {
    let Some(sandbox) = shared() else { return };
    let identity = checkout(&sandbox);
    let (store, home) = (sandbox.work("profiles.toml"), sandbox.root().join("home"));
    for path in [&home, &store, &sandbox.work("")] {
        chown(path, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    }
    let script = |line: &str| {
        let call = sandbox.program("sh", ["-e", "-c", &format!("{line}\nneto token")]).without_env("NETO_HOME");
        let call = call.env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY", &identity);
        call.reveals("access token").run()
    };
    script("").code(3).stdout("").stderr_has("profiles.toml belongs to another user");
    script("chown root profiles.toml").code(1).stdout("").stderr_has("home belongs to another user");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    let own = sandbox.root().join("tmp");
    script(&format!("export HOME={}", own.display())).code(0).silent();
}

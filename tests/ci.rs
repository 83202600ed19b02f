//! Tests neto in the environments of CI jobs, which have only a credential or an identity. The home can be read-only,
//! inaccessible, owned by another user or missing, and the checkout can belong to root. `ci_page` tests the jobs in
//! `docs/ci.md`.
#![cfg(target_os = "linux")]

use crate::harness::{Call, Outcome, Sandbox};
use crate::torture::scale::report_skipped;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;

/// ID of the user `nobody`, and an ID without a user.
const NOBODY: u32 = 65_534;
const UNKNOWN: u32 = 54_321;

/// Arguments of the command in each job, and text that its standard output must contain.
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

/// Creates a sandbox whose root directory other users may enter. Reports a skipped test and returns `None` if the tests
/// cannot run programs as another user.
fn shared_sandbox() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    set_mode(sandbox.root(), 0o755);
    if !rustix::process::geteuid().is_root() {
        report_skipped("only root can run a job as another user");
        return None;
    }
    let able = job(&sandbox, NOBODY, &["--version"]).run();
    if able.exit_code() != 0 {
        report_skipped("another user cannot run the binary where it lies, so no job runs as one");
        return None;
    }
    Some(sandbox)
}

/// Prepares a run of neto as the user with this ID, without `NETO_HOME`.
fn job<'a>(sandbox: &'a Sandbox, user: u32, arguments: &[&str]) -> Call<'a> {
    let setpriv = [format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()];
    let arguments = arguments.iter().map(|word| (*word).to_owned());
    let neto = [env!("CARGO_BIN_EXE_neto").to_owned()];
    sandbox.program("setpriv", setpriv.into_iter().chain(neto).chain(arguments)).without_env("NETO_HOME")
}

/// Prepares a run of neto with a read-only file system mounted on `HOME`, to which even root cannot write.
fn with_read_only_home<'a>(sandbox: &'a Sandbox, arguments: &[&str]) -> Call<'a> {
    let mount = "mount -t tmpfs -o ro,mode=0777 none \"$HOME\" && exec neto \"$@\"";
    let arguments = ["--mount", "sh", "-c", mount, "sh"].into_iter().chain(arguments.iter().copied());
    sandbox.program("unshare", arguments).without_env("NETO_HOME")
}

/// Asserts that the job succeeded with this text in its output, and printed at most one warning.
#[track_caller]
fn assert_success(outcome: &Outcome, text: &str) {
    outcome.code(0).stdout_has(text).stderr_lacks("error: ");
    assert!(outcome.stderr.matches("warning: ").count() <= 1, "{outcome}");
}

/// Asserts that every job succeeds in this environment. Each job logs in, because no token can be cached.
#[track_caller]
fn every_job_succeeds<'a>(sandbox: &'a Sandbox, call: impl Fn(&[&str]) -> Call<'a>) {
    for (arguments, text) in JOBS {
        let before = sandbox.server().logins();
        let outcome = call(arguments).allow_secret("access token").run();
        assert_success(&outcome, text);
        let logins = usize::from(arguments[0] != "status");
        assert_eq!(sandbox.server().logins() - before, logins, "{outcome}");
    }
}

#[test]
fn a_netosecret_alone_is_enough_for_whoever_runs_the_job() {
    let Some(sandbox) = shared_sandbox() else { return };
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    let closed = sandbox.root().join("closed");
    fs::create_dir(&closed).unwrap();
    set_mode(&closed, 0o700);
    let homes = [None, Some(Path::new("/")), Some(Path::new("/nonexistent")), Some(&closed)];
    for user in [NOBODY, UNKNOWN] {
        for home in homes {
            every_job_succeeds(&sandbox, |arguments| {
                let call = job(&sandbox, user, arguments).env("NETOSECRET", &netosecret).env("TMPDIR", "/nonexistent");
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
    let Some(sandbox) = shared_sandbox() else { return };
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    let token = || job(&sandbox, UNKNOWN, &["token"]).without_env("HOME").allow_secret("access token");
    let outcome = token().env("NETOSECRET", &netosecret).run();
    outcome.code(0).stderr_has("names no home folder").stderr_has("export NETO_HOME=/some/folder");
    // After the hint is followed, no warning appears, and the second run uses the cached token.
    let home = sandbox.work("jobs-home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    let before = sandbox.server().logins();
    for _ in 0..2 {
        token().env("NETOSECRET", &netosecret).env("NETO_HOME", &home).run().code(0).stderr("");
    }
    assert_eq!(sandbox.server().logins() - before, 1);
    // Without a credential or a store, the command fails.
    token().run().code(3).stdout("").stderr_has("no profile yet");
    job(&sandbox, UNKNOWN, &["init"]).without_env("HOME").run().code(6).stdout("").stderr_has("names no home folder");
}

#[test]
fn r8_a_home_on_a_read_only_file_system_costs_a_warning() {
    let sandbox = Sandbox::new();
    if with_read_only_home(&sandbox, &["--version"]).run().exit_code() != 0 {
        return report_skipped("nothing can be mounted here, so no file system is read-only");
    }
    let netosecret = sandbox.server().add_tenant("acme", "soc").netosecret();
    every_job_succeeds(&sandbox, |arguments| with_read_only_home(&sandbox, arguments).env("NETOSECRET", &netosecret));
    let outcome =
        with_read_only_home(&sandbox, &["token"]).env("NETOSECRET", &netosecret).allow_secret("access token").run();
    outcome.code(0).stderr_has("read-only file system; the token is not kept");
}

/// Creates a checkout with one profile that is encrypted to the identity in `identity.txt`, and returns that identity.
/// Root owns the files, which have the modes that git sets.
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
    let Some(sandbox) = shared_sandbox() else { return };
    let identity = checkout(&sandbox);
    let file = sandbox.write_secret("identity", &identity);
    set_mode(&sandbox.work(""), 0o755);
    chown(&file, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    let mounted = sandbox.root().join("home");
    for home in [None, Some(Path::new("/nonexistent")), Some(&*mounted)] {
        for variable in ["NETO_IDENTITY_FILE", "NETO_IDENTITY"] {
            every_job_succeeds(&sandbox, |arguments| {
                let call = job(&sandbox, UNKNOWN, arguments).env("NETO_STORE", "profiles.toml");
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
    // The identity file belongs to root, and the home is read-only.
    if with_read_only_home(&sandbox, &["--version"]).run().exit_code() == 0 {
        chown(&file, Some(0), Some(0)).unwrap();
        every_job_succeeds(&sandbox, |arguments| {
            with_read_only_home(&sandbox, arguments).env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY_FILE", &file)
        });
    }
}

#[test]
fn what_others_may_write_is_refused_with_the_line_that_mends_it() {
    let Some(sandbox) = shared_sandbox() else { return };
    let identity = checkout(&sandbox);
    let store = sandbox.work("profiles.toml");
    set_mode(&sandbox.work(""), 0o755);
    let token = |user| {
        let call = job(&sandbox, user, &["token"]).env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY", &identity);
        call.allow_secret("access token").run()
    };
    // GitLab's runner creates the files of a checkout with this mode.
    set_mode(&store, 0o666);
    token(NOBODY).code(3).stdout("").stderr_has(&format!("chmod go-w '{}'", store.display()));
    set_mode(&store, 0o644);
    // Neither the user nor root owns the store, so its owner could change it at any time.
    chown(&store, Some(UNKNOWN), None).unwrap();
    token(NOBODY).code(3).stdout("").stderr_has("belongs to another user");
    chown(&store, Some(0), None).unwrap();
    token(NOBODY).code(0);
}

#[test]
fn root_in_a_container_has_a_home_and_a_checkout_of_somebody_elses() {
    let Some(sandbox) = shared_sandbox() else { return };
    let identity = checkout(&sandbox);
    let (store, home) = (sandbox.work("profiles.toml"), sandbox.root().join("home"));
    for path in [&home, &store, &sandbox.work("")] {
        chown(path, Some(UNKNOWN), Some(UNKNOWN)).unwrap();
    }
    let script = |line: &str| {
        let call = sandbox.program("sh", ["-e", "-c", &format!("{line}\nneto token")]).without_env("NETO_HOME");
        let call = call.env("NETO_STORE", "profiles.toml").env("NETO_IDENTITY", &identity);
        call.allow_secret("access token").run()
    };
    script("").code(3).stdout("").stderr_has("profiles.toml belongs to another user");
    script("chown root profiles.toml").code(1).stdout("").stderr_has("home belongs to another user");
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    let own = sandbox.root().join("tmp");
    script(&format!("export HOME={}", own.display())).code(0).stderr("");
}

//! Tests `neto login` for many profiles: concurrency, messages and exit codes. Also tests how a failing tenant, a
//! failing server or an interrupt affects the other profiles.

use crate::fusion::{Authority, Credential, Fault, Gate, Leaf, REFRESH, Server, TOKEN};
use crate::harness::{Call, Outcome, Sandbox};
use std::fs;

/// Number of profiles, large enough that neto summarizes failures by reason.
const MANY: usize = 12;

/// Lifetime of a token in these tests: one day, in seconds.
const DAY: i64 = 86_400;

impl Sandbox {
    /// Adds `count` tenants and their profiles: `tenant-00` and so on.
    fn add_many(&self, count: usize) -> Vec<Credential> {
        let tenants: Vec<Credential> =
            (0..count).map(|number| self.server().add_tenant(&name(number), "soc")).collect();
        let lines: String = tenants.iter().map(|tenant| tenant.netosecret() + "\n").collect();
        self.neto(["profile", "import", "-"]).stdin(lines).run().code(0);
        tenants
    }

    /// Adds a profile without a secret.
    fn add_skeleton(&self, name: &str) {
        let profile = format!("\n[profiles.{name}]\nshortname = \"{name}\"\nappname = \"soc\"\n");
        self.write_store(self.store() + &profile);
    }

    fn login_all(&self, flags: &[&str]) -> Outcome {
        self.login(flags).run()
    }

    fn login(&self, flags: &[&str]) -> Call<'_> {
        self.neto(["login", "--all"].iter().chain(flags))
    }

    /// Returns which of the first `count` profiles have a cached token.
    fn cached_profiles(&self, count: usize) -> Vec<usize> {
        (0..count).filter(|number| self.token_file(&name(*number)).exists()).collect()
    }

    /// Adds a fault that affects only logins of the profile with this number.
    fn fault_at_login_of(&self, number: usize, fault: impl FnOnce(Fault) -> Fault) {
        self.server().fault(fault(Fault::at(TOKEN).for_tenant(&name(number))));
    }
}

fn name(number: usize) -> String {
    format!("tenant-{number:02}")
}

#[test]
fn so_many_are_in_flight_as_jobs_says_and_no_more() {
    let sandbox = Sandbox::new();
    sandbox.add_many(20);
    for (flags, jobs) in [(&[][..], 16), (&["--jobs", "3", "--force"], 3)] {
        sandbox.server().clear_faults();
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
        let before = sandbox.server().request_count(TOKEN);
        let run = sandbox.login(flags).start();
        gate.wait_for_requests(jobs);
        // This command gives neto time to send a further request, if it sent one.
        sandbox.neto(["status"]).run().code(0);
        assert_eq!(sandbox.server().request_count(TOKEN) - before, jobs);
        gate.open();
        run.finish().code(0).stdout("").stderr_has("20 signed in");
        assert_eq!(sandbox.server().request_count(TOKEN) - before, 20);
    }
    for jobs in ["0", "1000", "many"] {
        sandbox.login_all(&["--jobs", jobs]).code(2).stdout("").stderr_has("--jobs");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn sixty_four_in_flight_take_one_thread() {
    let sandbox = Sandbox::new();
    sandbox.add_many(64);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
    let run = sandbox.login(&["--jobs", "64"]).start();
    gate.wait_for_requests(64);
    let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
    assert!(status.lines().any(|line| line == "Threads:\t1"), "{status}");
    gate.open();
    run.finish().code(0).stderr_has("64 signed in");
}

#[test]
fn a_tenant_that_hangs_holds_up_nobody() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    let gate = Gate::new();
    sandbox.fault_at_login_of(0, |fault| fault.hold_at(&gate));
    let run = sandbox.login(&["--jobs", "2"]).start();
    for number in 1..MANY {
        run.wait_for_stderr(&format!("{}: signed in", name(number)));
    }
    assert_eq!(sandbox.cached_profiles(MANY), (1..MANY).collect::<Vec<_>>());
    gate.open();
    run.finish().code(0).stderr_has("tenant-00: signed in").stderr_has("12 signed in");
}

#[test]
fn control_one_at_a_time_a_tenant_that_hangs_does() {
    let sandbox = Sandbox::new();
    sandbox.add_many(2);
    let gate = Gate::new();
    sandbox.fault_at_login_of(0, |fault| fault.hold_at(&gate));
    let run = sandbox.login(&["--jobs", "1"]).start();
    gate.wait_for_requests(1);
    sandbox.neto(["status"]).run().code(0);
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
    gate.open();
    run.finish().code(0);
}

#[test]
fn a_tenant_that_never_answers_fails_alone() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.neto(["profile", "edit", "tenant-05", "--timeout", "1s"]).run().code(0);
    // The gate is never opened.
    sandbox.fault_at_login_of(5, |fault| fault.hold_at(&Gate::new()));
    sandbox
        .login_all(&[])
        .code(8)
        .stderr_has("1 x no answer from ")
        .stderr_has("within 1 s")
        .stderr_has("11 signed in");
    assert_eq!(sandbox.cached_profiles(MANY).len(), MANY - 1);
}

#[test]
fn of_a_few_each_is_told_in_its_order() {
    let sandbox = Sandbox::new();
    sandbox.add_many(3);
    let gate = Gate::new();
    sandbox.fault_at_login_of(0, |fault| fault.hold_at(&gate));
    let run = sandbox.login(&[]).start();
    gate.wait_for_requests(1);
    while sandbox.cached_profiles(3) != [1, 2] {
        std::thread::yield_now();
    }
    gate.open();
    let outcome = run.finish();
    let names: Vec<&str> =
        outcome.code(0).stdout("").stderr.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["tenant-00", "tenant-01", "tenant-02"], "and no line sums up so few: {outcome}");
}

#[test]
fn what_went_well_is_summed_up_in_a_line() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.add_skeleton("later");
    sandbox.add_skeleton("latest");
    sandbox.neto(["login", "tenant-00", "tenant-01", "tenant-02"]).run().code(0);
    sandbox.backdate_token("tenant-02", 2 * DAY);
    let outcome = sandbox.login_all(&[]);
    outcome.code(0).stdout("").stderr_has("later: skipped, it has no secret yet");
    let last = outcome.stderr.lines().last().unwrap();
    assert_eq!(last, "2 cached, 1 refreshed, 9 signed in, 2 skipped, without a secret (later, latest)");
    sandbox.login_all(&["-q"]).code(0).stdout("").stderr("");
    sandbox.neto(["login", "later"]).run().code(3).stderr_has("no secret yet");
}

#[test]
fn min_ttl_renews_what_has_less_than_that_left() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.login_all(&[]).code(0);
    for number in [3, 7] {
        sandbox.backdate_token(&name(number), DAY - 20 * 60);
    }
    sandbox.login_all(&["--min-ttl", "10m"]).code(0).stderr_has("12 cached");
    sandbox.login_all(&["--min-ttl", "30m"]).code(0).stderr_has("10 cached, 2 refreshed");
    sandbox.login_all(&["--min-ttl", "30m"]).code(0).stderr_has("12 cached");
    assert_eq!((sandbox.server().logins(), sandbox.server().refreshes()), (MANY, 2));
}

#[test]
fn failures_are_told_by_their_reasons_with_a_line_that_repeats_them() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    for number in [2, 3, 9] {
        sandbox.fault_at_login_of(number, |fault| fault.error(401, "unknown key"));
    }
    sandbox.fault_at_login_of(11, |fault| fault.error(500, "out of order"));
    let outcome = sandbox.login_all(&["--jobs", "1", "--force", "--min-ttl", "1h"]);
    outcome.code(8).stdout("");
    let host = sandbox.server().origin().trim_start_matches("http://");
    let summary = format!(
        "\
8 signed in
error: 4 of 12 profiles failed:
  3 x {host} rejected the credential with status 401: unknown key
      tenant-02, tenant-03, tenant-09
      neto profile set-secret NAME (if the key was rotated)
  1 x {host} answered with status 500: out of order
      tenant-11
      neto login tenant-11 (in a while)
  hint: neto login --force --min-ttl 1h tenant-02 tenant-03 tenant-09 tenant-11
"
    );
    assert!(outcome.stderr.ends_with(&summary), "{outcome}");
    outcome.stderr_has(&format!("error: tenant-11: {host} answered with status 500: out of order\n"));
    // The command in the hint logs in exactly the failed profiles.
    sandbox.server().clear_faults();
    let before = sandbox.server().logins();
    sandbox.neto(["login", "tenant-02", "tenant-03", "tenant-09", "tenant-11"]).run().code(0);
    assert_eq!(sandbox.server().logins() - before, 4);
    sandbox.login_all(&[]).code(0).stderr_has("12 cached");
}

#[test]
fn reasons_without_end_and_many_names_are_cut() {
    let sandbox = Sandbox::new();
    sandbox.add_many(40);
    let count = std::sync::atomic::AtomicUsize::new(0);
    sandbox.server().fault(Fault::at(TOKEN).times(20).respond_with(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (401, format!(r#"{{"message":"request {number} refused"}}"#))
    }));
    sandbox.server().fault(Fault::at(TOKEN).error(401, "unknown key"));
    let outcome = sandbox.login_all(&["--jobs", "4"]);
    outcome.code(8).stderr_has("error: 40 of 40 profiles failed:\n  20 x ").stderr_has(" and 12 more\n");
    outcome
        .stderr_has("11 x another reason\n")
        .stderr_has("hint: run the same line again; what is done is not done twice\n");
    let summary = outcome.stderr.split("profiles failed:").nth(1).unwrap();
    assert_eq!(summary.matches(" x ").count(), 11, "{outcome}");
}

#[test]
fn the_nonsense_of_one_tenant_spoils_no_other() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    let long = "x".repeat(1_100_000);
    sandbox.fault_at_login_of(0, |fault| fault.respond(200, "<html>"));
    sandbox.fault_at_login_of(1, |fault| fault.raw("SSH-2.0-OpenSSH\r\n"));
    sandbox.fault_at_login_of(2, |fault| fault.cut_body(10));
    sandbox.fault_at_login_of(3, |fault| fault.respond(200, long));
    sandbox.fault_at_login_of(4, |fault| fault.redirect(307, "https://example.com/"));
    sandbox.fault_at_login_of(5, |fault| fault.error(401, "\u{1b}[2J\u{7}\r\nerror: tenant-11: gone"));
    sandbox.fault_at_login_of(6, Fault::lose_response);
    let outcome = sandbox.login_all(&[]);
    outcome.code(8).stdout("").stderr_has("5 signed in").stderr_has("7 of 12 profiles failed");
    outcome.stderr_lacks("\u{1b}").stderr_lacks("\nerror: tenant-11").stderr_lacks("xxxxxxxx").stderr_lacks("<html>");
    assert_eq!(sandbox.cached_profiles(MANY), (7..MANY).collect::<Vec<_>>());
}

#[test]
fn a_profile_that_is_wrong_fails_alone() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    let moved = sandbox.store().replacen("shortname = \"tenant-04\"", "shortname = \"tenant-05\"", 1);
    sandbox.write_store(moved.replacen("[profiles.tenant-06]\n", "[profiles.tenant-06]\nurll = \"x\"\n", 1));
    let outcome = sandbox.login_all(&[]);
    outcome.code(8).stderr_has("10 signed in").stderr_has("2 of 12 profiles failed").stderr_has("urll");
    assert_eq!(sandbox.server().logins(), 10);
}

#[test]
fn a_429_stops_all_until_the_server_may_be_asked_again() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    // `Retry-After` is longer than neto waits, so no request follows the first.
    sandbox.server().fault(Fault::at(TOKEN).error(429, "slow down").header("Retry-After", "3600"));
    let outcome = sandbox.login_all(&["--jobs", "1"]);
    outcome.code(8).stderr_has("1 x ").stderr_has("429: slow down").stderr_has("11 x ");
    outcome.stderr_has("is asked too much, it says: nothing is sent to it for 3600 s");
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
    // Another process observes the rate limit too.
    sandbox.login_all(&[]).code(8).stderr_has("wants to be left alone");
    assert_eq!(sandbox.server().request_count(TOKEN), 1);
}

#[test]
fn control_other_refusals_stop_nobody() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.server().fault(Fault::at(TOKEN).error(401, "no"));
    sandbox.login_all(&["--jobs", "1"]).code(8);
    assert_eq!(sandbox.server().request_count(TOKEN), MANY);
}

#[test]
fn after_a_429_all_are_signed_in_all_the_same() {
    // The request timeout does not include the back-off, so the back-off may be longer.
    for header in [None, Some("2")] {
        let sandbox = Sandbox::new();
        sandbox.add_many(MANY);
        sandbox.neto(["profile", "edit", "--defaults", "--timeout", "1s"]).run().code(0);
        let later = Fault::at(TOKEN).skip(2).times(6).error(429, "slow down");
        sandbox.server().fault(match header {
            Some(seconds) => later.header("Retry-After", seconds),
            None => later,
        });
        let outcome = sandbox.login_all(&["--jobs", "6"]);
        outcome.code(0).stderr_has("12 signed in").stderr_lacks("429: slow down");
        assert_eq!(outcome.stderr.contains("nothing is sent to it for 2 s"), header.is_some(), "{outcome}");
        assert_eq!(sandbox.server().request_count(TOKEN), MANY + 6);
    }
}

#[test]
fn control_one_alone_is_told_of_a_429_at_once() {
    let sandbox = Sandbox::new();
    sandbox.add_many(1);
    sandbox.neto(["profile", "edit", "--defaults", "--timeout", "1s"]).run().code(0);
    sandbox.server().fault(Fault::at(TOKEN).once().error(429, "slow down"));
    sandbox.server().fault(Fault::at(TOKEN).once().error(429, "slow down").header("Retry-After", "2"));
    for asked in 1..=2 {
        sandbox.login_all(&["--force"]).code(5).stderr_has("429: slow down").stderr_lacks("nothing is sent");
        assert_eq!(sandbox.server().request_count(TOKEN), asked);
    }
}

#[test]
fn a_refresh_is_sent_once_whatever_the_pace() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.login_all(&[]).code(0);
    (0..MANY).for_each(|number| sandbox.backdate_token(&name(number), 2 * DAY));
    sandbox.server().fault(Fault::at(REFRESH).times(3).error(429, "slow down"));
    sandbox.login_all(&["--jobs", "3"]).code(0).stderr_has("9 refreshed, 3 signed in");
    assert_eq!((sandbox.server().request_count(REFRESH), sandbox.server().request_count(TOKEN)), (MANY, MANY + 3));
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_at_once_and_keeps_what_is_done() {
    use crate::harness::CTRL_C;
    for at_terminal in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.add_many(MANY);
        // The gate is never opened.
        let gate = Gate::new();
        sandbox.server().fault(Fault::at(TOKEN).skip(6).hold_at(&gate));
        if at_terminal {
            let mut terminal = sandbox.login(&["--jobs", "3"]).at_terminal();
            gate.wait_for_requests(3);
            terminal.press(CTRL_C);
            terminal.finish().code(130).lacks("error");
        } else {
            let run = sandbox.login(&["--jobs", "3"]).start();
            gate.wait_for_requests(3);
            run.signal(rustix::process::Signal::INT);
            run.finish().code(130).stderr_lacks("error");
        }
        assert_eq!(sandbox.cached_profiles(MANY).len(), 6);
        assert!(sandbox.temporary_files().is_empty());
        sandbox.assert_intact(&["tenant-00", "tenant-11"]);
        sandbox.server().clear_faults();
        sandbox.login_all(&[]).code(0).stderr_has("6 cached, 6 signed in");
    }
}

#[test]
#[cfg(unix)]
fn on_a_terminal_one_line_says_how_far_it_is() {
    use std::time::Duration;
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    sandbox.add_skeleton("later");
    sandbox.fault_at_login_of(1, |fault| fault.error(401, "unknown key"));
    sandbox.server().fault(Fault::at(TOKEN).delay(Duration::from_millis(150)));
    let mut terminal = sandbox.login(&["--jobs", "1"]).at_terminal();
    terminal.expect("Signing in: 0 of 13").expect("1 failed").expect(" a second, ").expect(" s left");
    let screen = terminal.finish();
    screen.code(8).lacks("Signing in").lacks("tenant-00").lacks("error: tenant-01");
    screen.has("11 signed in, 1 skipped, without a secret (later)").has("error: 1 of 13 profiles failed:");
    screen.has("hint: neto login tenant-01");
    // With few profiles, or with `--quiet`, no progress line is shown.
    let quiet = sandbox.login(&["-q"]).at_terminal().finish();
    assert!(!quiet.code(8).raw.contains("Signing in"), "{}", quiet.raw);
    let few = sandbox.neto(["login", "tenant-02", "tenant-03"]).at_terminal().finish();
    assert!(!few.code(0).has("tenant-02: the cached token is good").raw.contains("Signing in"), "{}", few.raw);
}

#[test]
fn a_store_that_is_edited_meanwhile_stays_as_it_was_edited() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    let gate = Gate::new();
    sandbox.server().fault(Fault::at(TOKEN).hold_at(&gate));
    let run = sandbox.login(&["--jobs", "4"]).start();
    gate.wait_for_requests(4);
    sandbox.neto(["profile", "edit", "tenant-00", "--tag", "edited"]).run().code(0);
    sandbox.neto(["profile", "remove", "tenant-11", "--yes"]).run().code(0);
    sandbox.write_store(sandbox.store() + "# by hand\n");
    let edited = sandbox.store();
    gate.open();
    run.finish().code(0).stderr_has("12 signed in");
    assert_eq!(sandbox.store(), edited);
    let rows = sandbox.neto(["status", "-o", "json"]).run().code(0).json();
    let rows = rows.as_array().unwrap();
    assert!(rows.len() == MANY - 1 && rows.iter().all(|row| row["state"] == "valid"), "{rows:?}");
    assert_eq!(rows[0]["tags"][0], "edited");
}

#[test]
fn two_runs_share_the_work() {
    let sandbox = Sandbox::new();
    sandbox.add_many(MANY);
    let runs: Vec<_> = (0..3).map(|_| sandbox.login(&[]).start()).collect();
    for run in runs {
        run.finish().code(0);
    }
    assert_eq!(sandbox.server().logins(), MANY);
}

/// Script that copies the home to a file system that is full after a few tokens, and logs in there.
const FULL_DISK_SCRIPT: &str = r#"
home=$1
mount -t tmpfs -o size=400k,mode=700 tmpfs "$home-small" || exit 99
cp -a "$home/." "$home-small"
NETO_HOME=$home-small
export NETO_HOME
while [ "$(df --output=avail -k "$NETO_HOME" | tail -1)" -gt 40 ]; do dd if=/dev/zero bs=4k count=1 >>"$NETO_HOME/filler" 2>/dev/null; done
neto login --all --jobs 1; echo "code $?"
echo "kept $(ls "$NETO_HOME/tokens" | grep -c 'token$')"
find "$NETO_HOME" -name '.neto-tmp-*' | grep -c .
cmp "$home/profiles.toml" "$NETO_HOME/profiles.toml" && echo same
rm "$NETO_HOME/filler"
neto login --all 2>&1 | tail -1
"#;

#[test]
#[cfg(target_os = "linux")]
fn r8_a_disk_that_is_full_in_the_middle_keeps_what_was_done() {
    use crate::torture::scale::report_skipped;
    let mount = ["-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    if !std::process::Command::new("unshare").args(mount).output().is_ok_and(|output| output.status.success()) {
        return report_skipped("no file system can be mounted here (unshare -m, mount), so none is really full");
    }
    let sandbox = Sandbox::new();
    sandbox.add_many(20);
    let home = sandbox.home("");
    let home = home.to_str().unwrap().trim_end_matches('/');
    fs::create_dir(format!("{home}-small")).unwrap();
    let outcome = sandbox.program("unshare", ["-m", "sh", "-c", FULL_DISK_SCRIPT, "sh", home]).run();
    outcome.code(0).stderr_has("no space left on device").stderr_has("the token cannot be kept");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let [code, kept, leftovers, same, again] = lines[..] else { panic!("{outcome}") };
    let kept: usize = kept.strip_prefix("kept ").unwrap().parse().unwrap();
    assert!((1..20).contains(&kept), "{outcome}");
    assert_eq!((code, leftovers, same), ("code 8", "0", "same"), "{outcome}");
    assert_eq!(again, format!("{kept} cached, {} signed in", 20 - kept), "{outcome}");
    outcome.stderr_has(&format!("{kept} signed in\nerror: {} of 20 profiles failed:", 20 - kept));
    assert_eq!(outcome.stderr.matches("warning: ").count(), 1, "{outcome}");
}

#[test]
fn connections_are_kept_and_sessions_resumed() {
    let authority = Authority::new();
    let sandbox = Sandbox::with_server(Server::https(&authority, Leaf::Valid));
    let roots = sandbox.work("roots.pem");
    fs::write(&roots, authority.pem()).unwrap();
    sandbox.add_many(30);
    let login = || sandbox.login(&["--jobs", "1"]).env("SSL_CERT_FILE", &roots).run();
    login().code(0).stderr_has("30 signed in");
    assert_eq!((sandbox.server().connections(), sandbox.server().handshakes()), (1, [1, 0]));
    // Each refresh uses a new connection, so that neto always knows whether the request was sent.
    (0..5).for_each(|number| sandbox.backdate_token(&name(number), 2 * DAY));
    login().code(0).stderr_has("25 cached, 5 refreshed");
    assert_eq!((sandbox.server().connections(), sandbox.server().handshakes()), (6, [2, 4]));
}

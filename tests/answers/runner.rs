//! Runs the cases of a list, several at once, each with its own profile.

use super::case::{AnswerCase, CANARY_TOKEN, ExpectedEnd, claims};
use super::limits::{self, PeakUsage};
use crate::fusion::{REFRESH, TOKEN};
use crate::harness::{Call, Outcome, Sandbox};
use crate::torture::scale::print_summary;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Seconds after which an access token has expired but its refresh token has not.
const TWO_DAYS: i64 = 172_800;

/// Maximum number of cases per sandbox, because each run is searched for every secret created in the sandbox.
const CASES_PER_SANDBOX: usize = 32;

/// Lines that `-v` prints besides the requests: store, profile, cached token, lock, login, secret.
const VERBOSE_STEPS: usize = 6;

/// Maximum length of a line on standard error, in characters: 500 of the server's text, plus neto's own words.
const MAX_LINE_LENGTH: usize = 700;

/// A sandbox with profiles, and the results of all runs in it.
pub(super) struct CaseRunner {
    pub(super) sandbox: Sandbox,
    profiles: Vec<String>,
    jtis: RefCell<HashSet<u64>>,
    peak: Cell<PeakUsage>,
    failures: RefCell<Vec<String>>,
}

/// A profile and the case tried with it.
type Attempt<'a> = (&'a str, &'a AnswerCase);

/// Result of one run.
struct RunResult {
    outcome: Outcome,
    /// Number of login requests.
    login_requests: usize,
}

/// Runs all cases, `at_once` at a time, and prints a summary line.
pub(super) fn try_all(what: &str, cases: &[AnswerCase], at_once: usize, options: &[&str]) {
    let summary = run_in_sandboxes(cases, at_once, options, CaseRunner::try_chunk);
    let ends = |expected: fn(&ExpectedEnd) -> bool| cases.iter().filter(|case| expected(&case.end)).count();
    let counts = [
        (ends(|end| *end == ExpectedEnd::Fails(5)), "exit 5"),
        (ends(|end| *end == ExpectedEnd::Fails(4)), "exit 4"),
        (ends(|end| *end == ExpectedEnd::TokenNotCached), "a token for once, with a warning"),
        (ends(|end| matches!(end, ExpectedEnd::TokenCached(_))), "a good token"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} {end}")).collect();
    summary.report(&format!("{} {what}: {}; nothing else kept, the next run good", cases.len(), counts.join(", ")));
}

/// Runs all cases as answers to a refresh, and prints a summary line.
pub(super) fn try_all_at_refresh(what: &str, cases: &[AnswerCase], at_once: usize, options: &[&str]) {
    let summary = run_in_sandboxes(cases, at_once, options, CaseRunner::try_chunk_at_refresh);
    summary.report(&format!("{} {what} at a refresh: one login each, no refresh token sent twice", cases.len()));
}

/// Result of all cases of a list.
#[derive(Default)]
struct Summary {
    peak: PeakUsage,
    failures: Vec<String>,
}

impl Summary {
    /// Fails if a case failed, otherwise prints a summary.
    fn report(self, what: &str) {
        assert!(self.failures.is_empty(), "{} went wrong:\n{}", self.failures.len(), self.failures.join("\n"));
        print_summary(&format!("answers: {what}; {} a run", self.peak));
    }
}

fn run_in_sandboxes(
    cases: &[AnswerCase],
    at_once: usize,
    options: &[&str],
    try_chunk: fn(&CaseRunner, &[AnswerCase]),
) -> Summary {
    let mut summary = Summary::default();
    for part in cases.chunks(CASES_PER_SANDBOX) {
        let runner = CaseRunner::new(at_once.min(part.len()), options);
        part.chunks(at_once).for_each(|chunk| try_chunk(&runner, chunk));
        assert_eq!(runner.sandbox.server().reused_refresh_tokens(), [""; 0]);
        summary.peak = summary.peak.max(runner.peak.get());
        summary.failures.extend(runner.failures.take());
    }
    summary
}

impl CaseRunner {
    pub(super) fn new(profiles: usize, options: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.add_canary("planted token", CANARY_TOKEN);
        let profiles: Vec<String> = (0..profiles).map(|number| format!("acme-{number}")).collect();
        for profile in &profiles {
            let credential = sandbox.server().add_tenant(profile, "soc");
            sandbox
                .neto(["profile", "add", profile].iter().chain(options))
                .stdin(credential.netosecret())
                .run()
                .code(0);
        }
        Self { sandbox, profiles, jtis: RefCell::default(), peak: Cell::default(), failures: RefCell::default() }
    }

    fn try_chunk(&self, chunk: &[AnswerCase]) {
        let attempts: Vec<Attempt<'_>> = self.profiles.iter().map(String::as_str).zip(chunk).collect();
        for (profile, _) in &attempts {
            let _ = fs::remove_file(self.failure_file(profile));
        }
        // Every second failing case starts with an old cached token, which must stay.
        let has_old = |(place, (_, case)): &(usize, Attempt<'_>)| {
            place % 2 == 1 && !case.delays_next_run && matches!(case.end, ExpectedEnd::Fails(_))
        };
        let (old, new): (Vec<_>, Vec<_>) = attempts.iter().copied().enumerate().partition(has_old);
        self.try_without_a_token(&new.into_iter().map(|(_, one)| one).collect::<Vec<_>>());
        self.try_with_a_token(&old.into_iter().map(|(_, one)| one).collect::<Vec<_>>());
    }

    fn try_without_a_token(&self, attempts: &[Attempt<'_>]) {
        for (profile, _) in attempts {
            let _ = fs::remove_file(self.sandbox.token_file(profile));
        }
        self.set_faults(attempts);
        self.run_attempts("without a token", attempts, false, &[], |profile, case, ran| {
            self.check_end(profile, case, ran);
            let kept = self.sandbox.token_file(profile).exists();
            assert_eq!(kept, matches!(case.end, ExpectedEnd::TokenCached(_)), "whether something is kept");
        });
        self.sandbox.server().clear_faults();
        let (bound, free): (Vec<_>, Vec<_>) = attempts.iter().copied().partition(|(_, case)| case.delays_next_run);
        self.run_attempts("while the server wants to be left alone", &bound, false, &[], |_, _, ran| {
            ran.outcome.code(5).stdout("").stderr_has("wants to be left alone");
            assert_eq!(ran.login_requests, 0);
        });
        self.run_attempts(
            "a healthy server after a pause, with --force",
            &bound,
            true,
            &["--force"],
            |profile, _, ran| {
                self.check_valid_token(profile, ran);
            },
        );
        self.run_attempts("a healthy server", &free, true, &[], |profile, case, ran| match case.end {
            ExpectedEnd::TokenCached(_) => {
                ran.outcome.code(0).stderr("").stdout(&format!("{CANARY_TOKEN}\n"));
                assert_eq!(ran.login_requests, 0, "the kept token is not used");
            }
            _ => self.check_valid_token(profile, ran),
        });
    }

    fn try_with_a_token(&self, attempts: &[Attempt<'_>]) {
        self.log_in(attempts);
        let read = |profile: &str| fs::read(self.sandbox.token_file(profile)).expect("a token file");
        let old: BTreeMap<&str, Vec<u8>> = attempts.iter().map(|(profile, _)| (*profile, read(profile))).collect();
        self.set_faults(attempts);
        self.run_attempts("with a token and --force", attempts, false, &["--force", "-v"], |profile, case, ran| {
            self.check_end(profile, case, ran);
            assert!(read(profile) == old[profile], "the old token does not stay");
            let is_attempt = |line: &&str| line.contains("POST ") && line.contains("(try ");
            assert_eq!(
                ran.outcome.stderr.lines().filter(is_attempt).count(),
                case.login_requests,
                "tries told of: {}",
                ran.outcome
            );
        });
        self.sandbox.server().clear_faults();
        self.run_attempts("a healthy server and --force", attempts, true, &["--force"], |profile, _, ran| {
            self.check_valid_token(profile, ran);
        });
    }

    /// Logs in the profiles that have no cached token.
    fn log_in(&self, attempts: &[Attempt<'_>]) {
        let has_none = |(profile, _): &Attempt<'_>| !self.sandbox.token_file(profile).exists();
        let bare: Vec<_> = attempts.iter().copied().filter(has_none).collect();
        self.run_attempts("a first login", &bare, true, &[], |profile, _, ran| self.check_valid_token(profile, ran));
    }

    fn try_chunk_at_refresh(&self, chunk: &[AnswerCase]) {
        let attempts: Vec<Attempt<'_>> = self.profiles.iter().map(String::as_str).zip(chunk).collect();
        self.log_in(&attempts);
        let sent = |profile: &str| {
            let sealed = self.sandbox.sealed_token(profile);
            sealed["refresh_token"].as_str().expect("a refresh token").to_owned()
        };
        let old: Vec<String> = attempts.iter().map(|(profile, _)| sent(profile)).collect();
        for (profile, case) in &attempts {
            self.sandbox.backdate_token(profile, TWO_DAYS);
            self.sandbox.server().fault(case.fault.clone().moved_to(REFRESH).for_tenant(profile));
        }
        self.run_attempts("with a refresh token", &attempts, true, &[], |profile, case, ran| {
            let outcome = &ran.outcome;
            outcome.code(0).stderr_has(&format!("warning: {profile}: refreshing failed ("));
            for words in &case.words {
                outcome.stderr_has(words);
            }
            check_text(case, outcome, 1);
            assert_eq!(ran.login_requests, 1, "logins");
            assert!(self.is_granted(outcome.stdout_trimmed()), "no good token: {outcome}");
            assert_ne!(sent(profile), *old[attempts.iter().position(|(name, _)| *name == profile).expect("a try")]);
        });
        self.sandbox.server().clear_faults();
        let requests = self.sandbox.server().requests();
        for ((_, case), token) in attempts.iter().zip(&old) {
            let with = |body: &[u8]| String::from_utf8_lossy(body).contains(token.as_str());
            let times = requests.iter().filter(|seen| seen.path == REFRESH && with(&seen.body)).count();
            self.check(case, "the refresh token", || assert_eq!(times, 1, "sent so often"));
        }
    }

    /// Runs `neto token` for all attempts at once and checks each result. If `good`, a run may print an access token.
    fn run_attempts(
        &self,
        when: &str,
        attempts: &[Attempt<'_>],
        good: bool,
        options: &[&str],
        check: impl Fn(&str, &AnswerCase, &RunResult),
    ) {
        let before = self.sandbox.server().requests().len();
        let start = |(profile, case): &Attempt<'_>| {
            let arguments: Vec<&str> = ["token", profile].iter().chain(options).copied().collect();
            let call = limits::limited(&self.sandbox, env!("CARGO_BIN_EXE_neto"), &arguments);
            let shown =
                [good.then_some("access token"), (!matches!(case.end, ExpectedEnd::Fails(_))).then_some(CANARY_TOKEN)];
            shown.into_iter().flatten().fold(call, Call::allow_secret).start()
        };
        let (outcomes, peak) = limits::finish("neto", attempts.iter().map(start).collect());
        self.peak.set(self.peak.get().max(peak));
        let requests = self.sandbox.server().requests().split_off(before);
        let sent: Vec<_> = requests.iter().filter(|seen| seen.path == TOKEN).map(|seen| claims(&seen.body)).collect();
        for ((profile, case), outcome) in attempts.iter().zip(outcomes) {
            let own: Vec<_> = sent.iter().filter(|claims| claims["shortname"] == *profile).collect();
            self.check(case, when, || {
                let ran =
                    RunResult { outcome: outcome.expect("a run that shows no secret"), login_requests: own.len() };
                ran.outcome.stderr_lacks("panicked").stdout_lacks("panicked");
                for claims in &own {
                    let jti = claims["jti"].as_u64().expect("a jti");
                    assert!((1 << 52..1 << 53).contains(&jti), "R-23: jti {jti}");
                    assert!(self.jtis.borrow_mut().insert(jti), "R-23, R-29: jti {jti} came before");
                    assert!(claims["iat"].is_u64(), "R-23: {}", claims["iat"]);
                }
                check(profile, case, &ran);
            });
        }
    }

    /// Runs a check and records its failure without ending the test.
    fn check(&self, case: &AnswerCase, when: &str, check: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            let what = format!("{} ({when})", case.name);
            print_summary(&format!("answers: WRONG: {what}"));
            self.failures.borrow_mut().push(what);
        }
    }

    fn set_faults(&self, attempts: &[Attempt<'_>]) {
        for (profile, case) in attempts {
            self.sandbox.server().fault(case.fault.clone().for_tenant(profile));
        }
    }

    /// Asserts that the run ended as the case expects.
    fn check_end(&self, profile: &str, case: &AnswerCase, ran: &RunResult) {
        let outcome = &ran.outcome;
        match case.end {
            ExpectedEnd::Fails(code) => {
                outcome.code(code).stdout("").stderr_has(&format!("error: {profile}: ")).stderr_lacks(CANARY_TOKEN);
            }
            ExpectedEnd::TokenNotCached => {
                let warning = format!("warning: {profile}: the server did not say how long the token lives");
                outcome.code(0).stdout(&format!("{CANARY_TOKEN}\n")).stderr_has(&warning);
            }
            ExpectedEnd::TokenCached(seconds) => {
                outcome.code(0).stderr("").stdout(&format!("{CANARY_TOKEN}\n"));
                let line = self.sandbox.token_header(profile);
                let times = line["obtained_at"].as_i64().zip(line["expires_at"].as_i64());
                assert_eq!(times.map(|(start, end)| end - start), Some(seconds), "its life");
            }
        }
        for words in &case.words {
            outcome.stderr_has(words);
        }
        check_text(case, outcome, case.login_requests + VERBOSE_STEPS);
        assert_eq!(ran.login_requests, case.login_requests, "how often it is asked: {outcome}");
        let names = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        for entry in fs::read_dir(self.sandbox.home("tokens")).into_iter().flatten().flatten() {
            let name = names(entry.path());
            assert!(!name.starts_with('.'), "{name} is left behind");
        }
    }

    /// Asserts that the run got a valid token with one login.
    fn check_valid_token(&self, profile: &str, ran: &RunResult) {
        ran.outcome.code(0).stderr("");
        assert!(self.is_granted(ran.outcome.stdout_trimmed()), "no good token: {}", ran.outcome);
        assert_eq!(ran.login_requests, 1, "logins");
        assert!(self.sandbox.token_file(profile).exists(), "the good token is not kept");
    }

    /// Returns whether the server granted this access token.
    fn is_granted(&self, token: &str) -> bool {
        self.sandbox.server().secrets().iter().any(|(kind, text)| *kind == "access token" && text == token)
    }

    /// File that tells other processes about a failure.
    fn failure_file(&self, profile: &str) -> PathBuf {
        self.sandbox.home("state/failures").join(format!("{profile}.json"))
    }
}

/// asserts that the message is short, contains no terminal control characters, and imitates no line of
/// neto's.
fn check_text(case: &AnswerCase, outcome: &Outcome, verbose_lines: usize) {
    for words in &case.absent {
        outcome.stderr_lacks(words);
    }
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{61c}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    assert!(!outcome.stderr.contains(steers), "a character that steers: {:?}", outcome.stderr);
    let starts = |start: &str| outcome.stderr.lines().filter(|line| line.trim_start().starts_with(start)).count();
    assert!(starts("error: ") <= 1 && starts("hint: ") <= 1, "lines that are not neto's: {outcome}");
    assert!(outcome.stderr.lines().count() <= 6 + verbose_lines, "too many lines: {outcome}");
    for line in outcome.stderr.lines() {
        assert!(line.chars().count() <= MAX_LINE_LENGTH, "a line of {} characters", line.chars().count());
    }
}

//! How the answers of a list are tried: several at once, each with a profile of its own.

use super::case::{Case, End, PLANTED, claims};
use super::limits::{self, Most};
use crate::fusion::{REFRESH, TOKEN};
use crate::harness::{Call, Outcome, Sandbox};
use crate::torture::scale::say;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Longer than an access token lives, and less than a refresh token.
const TWO_DAYS: i64 = 172_800;

/// So many cases share a sandbox: each run is searched for every secret there ever was in it.
const A_WORLD: usize = 32;

/// What `-v` tells besides the requests: store, profile, cached token, lock, signing in, secret.
const STEPS: usize = 6;

/// The most characters of one line on standard error: 500 of the server's, and who said it when.
const LONGEST_LINE: usize = 700;

/// A sandbox with profiles, and what was seen of all runs in it.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    profiles: Vec<String>,
    jtis: RefCell<HashSet<u64>>,
    most: Cell<Most>,
    wrong: RefCell<Vec<String>>,
}

/// A case, and the profile it is tried with.
type Try<'a> = (&'a str, &'a Case);

/// What came of one run.
struct Ran {
    outcome: Outcome,
    /// How often a login was asked for.
    asked: usize,
}

/// Tries every case, so many at once, and says so in one line.
pub(super) fn try_all(what: &str, cases: &[Case], at_once: usize, options: &[&str]) {
    let ended = in_worlds(cases, at_once, options, World::try_chunk);
    let ends = |wanted: fn(&End) -> bool| cases.iter().filter(|case| wanted(&case.end)).count();
    let counts = [
        (ends(|end| *end == End::Fails(5)), "exit 5"),
        (ends(|end| *end == End::Fails(4)), "exit 4"),
        (ends(|end| *end == End::Once), "a token for once, with a warning"),
        (ends(|end| matches!(end, End::Kept(_))), "a good token"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, end)| format!("{count} {end}")).collect();
    ended.say(&format!("{} {what}: {}; nothing else kept, the next run good", cases.len(), counts.join(", ")));
}

/// Answers every refresh with a case, and says so in one line.
pub(super) fn try_all_at_refresh(what: &str, cases: &[Case], at_once: usize, options: &[&str]) {
    let ended = in_worlds(cases, at_once, options, World::try_chunk_at_refresh);
    ended.say(&format!("{} {what} at a refresh: one login each, no refresh token sent twice", cases.len()));
}

/// What came of all cases of a list.
#[derive(Default)]
struct Ended {
    most: Most,
    wrong: Vec<String>,
}

impl Ended {
    /// Fails if a case went wrong; else says what was done.
    fn say(self, what: &str) {
        assert!(self.wrong.is_empty(), "{} went wrong:\n{}", self.wrong.len(), self.wrong.join("\n"));
        say(&format!("answers: {what}; {} a run", self.most));
    }
}

fn in_worlds(cases: &[Case], at_once: usize, options: &[&str], try_chunk: fn(&World, &[Case])) -> Ended {
    let mut ended = Ended::default();
    for part in cases.chunks(A_WORLD) {
        let world = World::new(at_once.min(part.len()), options);
        part.chunks(at_once).for_each(|chunk| try_chunk(&world, chunk));
        assert_eq!(world.sandbox.server().reused_refresh_tokens(), [""; 0]);
        ended.most = ended.most.or(world.most.get());
        ended.wrong.extend(world.wrong.take());
    }
    ended
}

impl World {
    pub(super) fn new(profiles: usize, options: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.plant("planted token", PLANTED);
        let profiles: Vec<String> = (0..profiles).map(|number| format!("acme-{number}")).collect();
        for profile in &profiles {
            let credential = sandbox.server().add_tenant(profile, "soc");
            sandbox
                .neto(["profile", "add", profile].iter().chain(options))
                .stdin(credential.netosecret())
                .run()
                .code(0);
        }
        Self { sandbox, profiles, jtis: RefCell::default(), most: Cell::default(), wrong: RefCell::default() }
    }

    fn try_chunk(&self, chunk: &[Case]) {
        let tries: Vec<Try<'_>> = self.profiles.iter().map(String::as_str).zip(chunk).collect();
        for (profile, _) in &tries {
            let _ = fs::remove_file(self.note(profile));
        }
        // In turn with an old token there, which must stay, and without one.
        let has_old =
            |(place, (_, case)): &(usize, Try<'_>)| place % 2 == 1 && !case.binds && matches!(case.end, End::Fails(_));
        let (old, new): (Vec<_>, Vec<_>) = tries.iter().copied().enumerate().partition(has_old);
        self.try_without_a_token(&new.into_iter().map(|(_, one)| one).collect::<Vec<_>>());
        self.try_with_a_token(&old.into_iter().map(|(_, one)| one).collect::<Vec<_>>());
    }

    fn try_without_a_token(&self, tries: &[Try<'_>]) {
        for (profile, _) in tries {
            let _ = fs::remove_file(self.sandbox.token_file(profile));
        }
        self.set_faults(tries);
        self.runs("without a token", tries, false, &[], |profile, case, ran| {
            self.check_end(profile, case, ran);
            let kept = self.sandbox.token_file(profile).exists();
            assert_eq!(kept, matches!(case.end, End::Kept(_)), "whether something is kept");
        });
        self.sandbox.server().clear_faults();
        let (bound, free): (Vec<_>, Vec<_>) = tries.iter().copied().partition(|(_, case)| case.binds);
        self.runs("while the server wants to be left alone", &bound, false, &[], |_, _, ran| {
            ran.outcome.code(5).stdout("").stderr_has("wants to be left alone");
            assert_eq!(ran.asked, 0);
        });
        self.runs("a healthy server after a pause, with --force", &bound, true, &["--force"], |profile, _, ran| {
            self.check_good(profile, ran);
        });
        self.runs("a healthy server", &free, true, &[], |profile, case, ran| match case.end {
            End::Kept(_) => {
                ran.outcome.code(0).silent().stdout(&format!("{PLANTED}\n"));
                assert_eq!(ran.asked, 0, "the kept token is not used");
            }
            _ => self.check_good(profile, ran),
        });
    }

    fn try_with_a_token(&self, tries: &[Try<'_>]) {
        self.log_in(tries);
        let read = |profile: &str| fs::read(self.sandbox.token_file(profile)).expect("a token file");
        let old: BTreeMap<&str, Vec<u8>> = tries.iter().map(|(profile, _)| (*profile, read(profile))).collect();
        self.set_faults(tries);
        self.runs("with a token and --force", tries, false, &["--force", "-v"], |profile, case, ran| {
            self.check_end(profile, case, ran);
            assert!(read(profile) == old[profile], "the old token does not stay");
            let is_told = |line: &&str| line.contains("POST ") && line.contains("(try ");
            assert_eq!(
                ran.outcome.stderr.lines().filter(is_told).count(),
                case.asked,
                "tries told of: {}",
                ran.outcome
            );
        });
        self.sandbox.server().clear_faults();
        self.runs("a healthy server and --force", tries, true, &["--force"], |profile, _, ran| {
            self.check_good(profile, ran);
        });
    }

    /// Gets a token for those who have none.
    fn log_in(&self, tries: &[Try<'_>]) {
        let has_none = |(profile, _): &Try<'_>| !self.sandbox.token_file(profile).exists();
        let bare: Vec<_> = tries.iter().copied().filter(has_none).collect();
        self.runs("a first login", &bare, true, &[], |profile, _, ran| self.check_good(profile, ran));
    }

    fn try_chunk_at_refresh(&self, chunk: &[Case]) {
        let tries: Vec<Try<'_>> = self.profiles.iter().map(String::as_str).zip(chunk).collect();
        self.log_in(&tries);
        let sent = |profile: &str| {
            let sealed = self.sandbox.sealed_token(profile);
            sealed["refresh_token"].as_str().expect("a refresh token").to_owned()
        };
        let old: Vec<String> = tries.iter().map(|(profile, _)| sent(profile)).collect();
        for (profile, case) in &tries {
            self.sandbox.age_token(profile, TWO_DAYS);
            self.sandbox.server().fault(case.fault.clone().moved_to(REFRESH).of(profile));
        }
        self.runs("with a refresh token", &tries, true, &[], |profile, case, ran| {
            let outcome = &ran.outcome;
            outcome.code(0).stderr_has(&format!("warning: {profile}: refreshing failed ("));
            for words in &case.words {
                outcome.stderr_has(words);
            }
            check_text(case, outcome, 1);
            assert_eq!(ran.asked, 1, "logins");
            assert!(self.is_granted(outcome.answer()), "no good token: {outcome}");
            assert_ne!(sent(profile), *old[tries.iter().position(|(name, _)| *name == profile).expect("a try")]);
        });
        self.sandbox.server().clear_faults();
        let requests = self.sandbox.server().requests();
        for ((_, case), token) in tries.iter().zip(&old) {
            let with = |body: &[u8]| String::from_utf8_lossy(body).contains(token.as_str());
            let times = requests.iter().filter(|seen| seen.path == REFRESH && with(&seen.body)).count();
            self.check(case, "the refresh token", || assert_eq!(times, 1, "sent so often"));
        }
    }

    /// Runs `neto token` for each try, all at once, and looks at what came of each; a `good` one may show a token.
    fn runs(&self, when: &str, tries: &[Try<'_>], good: bool, options: &[&str], check: impl Fn(&str, &Case, &Ran)) {
        let before = self.sandbox.server().requests().len();
        let start = |(profile, case): &Try<'_>| {
            let arguments: Vec<&str> = ["token", profile].iter().chain(options).copied().collect();
            let call = limits::limited(&self.sandbox, env!("CARGO_BIN_EXE_neto"), &arguments);
            let shown = [good.then_some("access token"), (!matches!(case.end, End::Fails(_))).then_some(PLANTED)];
            shown.into_iter().flatten().fold(call, Call::reveals).start()
        };
        let (outcomes, most) = limits::finish("neto", tries.iter().map(start).collect());
        self.most.set(self.most.get().or(most));
        let requests = self.sandbox.server().requests().split_off(before);
        let sent: Vec<_> = requests.iter().filter(|seen| seen.path == TOKEN).map(|seen| claims(&seen.body)).collect();
        for ((profile, case), outcome) in tries.iter().zip(outcomes) {
            let own: Vec<_> = sent.iter().filter(|claims| claims["shortname"] == *profile).collect();
            self.check(case, when, || {
                let ran = Ran { outcome: outcome.expect("a run that shows no secret"), asked: own.len() };
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

    /// Takes note of a case that goes wrong, and goes on.
    fn check(&self, case: &Case, when: &str, check: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            let what = format!("{} ({when})", case.name);
            say(&format!("answers: WRONG: {what}"));
            self.wrong.borrow_mut().push(what);
        }
    }

    fn set_faults(&self, tries: &[Try<'_>]) {
        for (profile, case) in tries {
            self.sandbox.server().fault(case.fault.clone().of(profile));
        }
    }

    /// The run ended as the case says.
    fn check_end(&self, profile: &str, case: &Case, ran: &Ran) {
        let outcome = &ran.outcome;
        match case.end {
            End::Fails(code) => {
                outcome.code(code).stdout("").stderr_has(&format!("error: {profile}: ")).stderr_lacks(PLANTED);
            }
            End::Once => {
                let warning = format!("warning: {profile}: the server did not say how long the token lives");
                outcome.code(0).stdout(&format!("{PLANTED}\n")).stderr_has(&warning);
            }
            End::Kept(seconds) => {
                outcome.code(0).silent().stdout(&format!("{PLANTED}\n"));
                let line = self.sandbox.token_line(profile);
                let times = line["obtained_at"].as_i64().zip(line["expires_at"].as_i64());
                assert_eq!(times.map(|(start, end)| end - start), Some(seconds), "its life");
            }
        }
        for words in &case.words {
            outcome.stderr_has(words);
        }
        check_text(case, outcome, case.asked + STEPS);
        assert_eq!(ran.asked, case.asked, "how often it is asked: {outcome}");
        let names = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        for entry in fs::read_dir(self.sandbox.home("tokens")).into_iter().flatten().flatten() {
            let name = names(entry.path());
            assert!(!name.starts_with('.'), "{name} is left behind");
        }
    }

    /// The run got a good token by one login.
    fn check_good(&self, profile: &str, ran: &Ran) {
        ran.outcome.code(0).silent();
        assert!(self.is_granted(ran.outcome.answer()), "no good token: {}", ran.outcome);
        assert_eq!(ran.asked, 1, "logins");
        assert!(self.sandbox.token_file(profile).exists(), "the good token is not kept");
    }

    /// Whether it is an access token that the server granted.
    fn is_granted(&self, token: &str) -> bool {
        self.sandbox.server().secrets().iter().any(|(kind, text)| *kind == "access token" && text == token)
    }

    /// What other processes are told of a failure.
    fn note(&self, profile: &str) -> PathBuf {
        self.sandbox.home("state/failures").join(format!("{profile}.json"))
    }
}

/// what was said is short, and nothing in it steers a terminal or passes for a line of neto's own.
fn check_text(case: &Case, outcome: &Outcome, verbose_lines: usize) {
    for words in &case.unsaid {
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
        assert!(line.chars().count() <= LONGEST_LINE, "a line of {} characters", line.chars().count());
    }
}

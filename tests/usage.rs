//! The command line itself: the golden file of all help pages, usage errors, secrets typed by mistake, and output that
//! cannot be written.

use crate::harness::Sandbox;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Returns the commands that a help page lists: lines with a name and a summary, above the options.
fn verbs(page: &str) -> Vec<String> {
    let listed = page.lines().skip_while(|line| !line.starts_with("Usage:")).take_while(|line| *line != "Options:");
    let name = |line: &str| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        name.starts_with(|first: char| first.is_ascii_lowercase())
            .then(|| name.to_owned())
            .filter(|name| name != "help")
    };
    listed.filter_map(name).collect()
}

/// Appends the help pages of a command and of all its subcommands.
fn help_pages(sandbox: &Sandbox, path: &[String], pages: &mut String) {
    let page = sandbox.neto(path.iter().map(String::as_str).chain(["--help"])).run();
    page.code(0).stderr("");
    let _ = writeln!(pages, "$ {} --help\n{}", [&["neto".to_owned()], path].concat().join(" "), page.stdout);
    for verb in verbs(&page.stdout) {
        help_pages(sandbox, &[path, &[verb]].concat(), pages);
    }
}

#[test]
fn all_help_pages_are_the_reference() {
    let sandbox = Sandbox::new();
    let mut pages = String::new();
    help_pages(&sandbox, &[], &mut pages);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &pages).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    let differs = expected.lines().zip(pages.lines()).find(|(expected, found)| expected != found);
    assert!(
        expected == pages,
        "the help changed ({differs:?}); if it should have: UPDATE_GOLDEN=1 cargo test help_pages"
    );
    assert!(pages.matches("$ neto").count() > 15 && pages.contains("$ neto profile add --help"));
    assert!(pages.lines().all(|line| line.chars().count() <= 100 && !line.contains('\u{1b}')));
    assert!(!sandbox.home("").exists(), "help makes nothing");
}

#[test]
fn short_help_version_and_nothing_at_all() {
    let sandbox = Sandbox::new();
    let version = format!("neto {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        sandbox.neto([flag]).run().code(0).stderr("").stdout(&version);
    }
    sandbox.neto(["token", "-h"]).run().code(0).stderr("").stdout_has("Usage: neto token");
    sandbox.neto([""; 0]).run().code(2).stdout("").stderr_has("First steps:");
    sandbox.neto(["profile"]).run().code(2).stdout("").stderr_has("Commands:");
}

#[test]
fn what_was_meant_is_offered() {
    let sandbox = Sandbox::new();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["tokn"], "'tokn'", "'neto token'"),
        (&["statsu"], "'statsu'", "'neto status'"),
        (&["lgoin"], "'lgoin'", "'neto login'"),
        (&["ues", "acme"], "'ues'", "did you mean 'neto use'?"),
        (&["staus"], "'staus'", "'neto status'"),
        (&["profile", "lst"], "'lst'", "'neto profile list'"),
        (&["list"], "'list'", "did you mean 'neto ls'?"),
        (&["add"], "'add'", "'neto profile add'"),
        (&["switch"], "'switch'", "'neto use'"),
        (&["whoami"], "'whoami'", "'neto profile current'"),
        (&["current"], "'current'", "'neto profile current'"),
        (&["auth", "login"], "'auth'", "'neto login'"),
        (&["get-contexts"], "'get-contexts'", "'neto ls'"),
        (&["set-secret", "acme"], "'set-secret'", "'neto profile set-secret'"),
        (&["profile", "login"], "'login'", "'neto login'"),
        (&["profile", "rm"], "'rm'", "did you mean 'neto profile remove'?"),
        (&["recipient", "rm"], "'rm'", "did you mean 'neto recipient remove'?"),
        (&["nothing-like-it"], "'nothing-like-it'", "neto --help"),
        (&["profile", "zzzzzzzz"], "'zzzzzzzz'", "neto profile --help"),
        (&["help", "lgoin"], "'lgoin'", "'neto login'"),
        (&["help", "profile", "ad"], "'ad'", "'neto profile add'"),
        (&["token", "--jobs", "3"], "'--jobs'", "it belongs to neto login"),
        (&["--force", "login"], "'--force'", "neto login --force"),
        (&["ls", "--json"], "'--json'", "'-o json'"),
        (&["login", "--forse"], "'--forse'", "'--force'"),
        (&["token", "--min-tl", "10m"], "'--min-tl'", "'--min-ttl'"),
        (&["status", "-o", "jsn"], "'jsn'", "json"),
        (&["export", "--shell", "bsh"], "'bsh'", "bash"),
        (&["token", "--min-ttl", "10"], "--min-ttl", "10m"),
        (&["token", "--min-ttl"], "--min-ttl", "hint: "),
        (&["token", "acme", "globex"], "one argument too many", "hint: "),
        (&["token", "--force", "--offline"], "--offline", "--force"),
        (&["-v", "-q", "status"], "--quiet", "--verbose"),
        (&["--color", "sometimes", "status"], "'sometimes'", "never"),
        (&["--lock-timeout", "5", "status"], "--lock-timeout", "30s"),
        (&["status", "--bogus"], "'--bogus'", "hint: neto"),
    ];
    for (arguments, what, near) in cases {
        let outcome = sandbox.neto(*arguments).run();
        outcome.code(2).stderr_has("error: ").stderr_has(what).stderr_has(near);
        if arguments[0] != "export" {
            outcome.stdout("");
        }
    }
    assert!(!sandbox.home("").exists(), "a wrong command line makes nothing");
}

#[test]
fn help_of_anything_is_its_page() {
    let sandbox = Sandbox::new();
    for verb in [&[][..], &["token"], &["profile", "add"], &["identity", "backup"], &["ls"]] {
        let page = sandbox.neto(verb.iter().chain(&["--help"])).run().stdout;
        sandbox.neto([&["help"], verb].concat()).run().code(0).stderr("").stdout(&page);
        if let [group, below] = verb {
            sandbox.neto([group, "help", below]).run().code(0).stderr("").stdout(&page);
        }
    }
    sandbox.neto(["-h"]).run().code(0).stdout_has("Keys and sharing:").stdout_has("\n  token  ");
}

#[cfg(unix)]
#[test]
fn a_terminal_gets_the_help_in_colour_and_in_its_width() {
    let sandbox = Sandbox::new();
    for (columns, arguments) in [(120, "--help"), (80, "help"), (44, "-h")] {
        let screen = sandbox.neto([arguments]).at_terminal_sized(columns, 30).finish();
        screen.code(0).has("Keys and sharing:").has("Make the keys of this machine");
        let widest = screen.text.lines().map(|line| line.trim_end_matches('\r').chars().count()).max();
        assert!(widest <= Some(usize::from(columns).min(100)), "{widest:?} of {columns}:\n{}", screen.text);
        assert!(screen.raw.contains("\u{1b}[1m\u{1b}[4mTokens:"), "{}", screen.raw);
        // The output differs only in styles.
        let plain = sandbox.neto(["--color", "never", arguments]).at_terminal_sized(columns, 30).finish();
        assert!(!plain.raw.contains('\u{1b}') && plain.text == screen.text, "{}", plain.raw);
    }
    let missing = sandbox.neto(["profile"]).at_terminal_sized(80, 30).finish();
    assert!(missing.code(2).raw.contains("\u{1b}[4mCommands:"), "{}", missing.raw);
    sandbox.neto(["--help"]).env("NO_COLOR", "1").at_terminal_sized(80, 30).finish().code(0).lacks("[4m");
}

#[test]
fn r45_a_netosecret_as_an_argument_is_refused_and_not_repeated() {
    let sandbox = Sandbox::new();
    let credential = sandbox.server().add_tenant("acme", "soc");
    let whole = credential.netosecret();
    let (bare, other) = (whole.trim_end_matches('='), URL_SAFE_NO_PAD.encode(credential.json().to_string()));
    for secret in [&whole, bare, &other, &format!("'{whole}'"), &format!(" {whole}\n")] {
        let flags = ["--profile", "--netosecret", "--description", "-p"].map(|flag| format!("{flag}={secret}"));
        let lines: &[&[&str]] = &[
            &[secret],
            &["profile", "add", secret],
            &["profile", "add", "acme", secret],
            &["profile", "set-secret", "acme", secret],
            &["profile", "add", &flags[0]],
            &["profile", "add", &flags[1]],
            &["profile", "add", &flags[2]],
            &["token", &flags[3]],
            &["token", secret],
            &["login", "--bogus", secret],
        ];
        for line in lines {
            let outcome = sandbox.neto(*line).run();
            outcome.code(2).stdout("").stderr_has("NETOSECRET was given as an argument").stderr_has("neto profile add");
        }
    }
    assert!(!sandbox.home("").exists());
    // After `--` the word belongs to the program.
    sandbox.neto(["profile", "add"]).stdin(&whole).run().code(0);
    sandbox.neto(["exec", "--", "true", &whole]).run().code(0).stderr("");
}

#[test]
fn a_long_word_is_never_repeated() {
    let sandbox = Sandbox::new();
    let word = "ak-Q7gT2mZp9xWv4LrB8sNc1KdY";
    sandbox.add_canary("appkey", word);
    let flags = [format!("--{word}"), format!("--appkey={word}"), format!("--min-ttl={word}"), format!("-{word}")];
    let lines: &[&[&str]] = &[
        &[word],
        &["profile", word],
        &["token", "acme", word],
        &["token", &flags[0]],
        &["profile", "add", &flags[1]],
        &["token", &flags[2]],
        &["token", "--min-ttl", word],
        &["token", &flags[3]],
        &["status", "-o", word],
        &["export", "--shell", word],
        &["--color", word, "status"],
        &["--lock-timeout", word, "status"],
        &["login", "--jobs", word],
        &["profile", "add", "--appkey", word],
    ];
    for line in lines {
        sandbox.neto(*line).run().code(2).stderr_has("error: ").stderr_lacks(word);
    }
    // A long word is not repeated as a profile name either.
    sandbox.neto(["token", word]).run().code(2).stdout("").stderr_lacks(word);
}

/// Runs a line of bash with the real `neto`; its output may contain access tokens.
#[cfg(target_os = "linux")]
fn bash(sandbox: &Sandbox, line: &str) -> crate::harness::Outcome {
    sandbox.program("bash", ["-c", line]).allow_secret("access token").run()
}

/// Commands that print an answer on stdout.
#[cfg(target_os = "linux")]
const ANSWERS: [&str; 16] = [
    "--help",
    "--version",
    "token",
    "token -o json",
    "status",
    "status -o csv",
    "export",
    "export --format json",
    "export --all --format json",
    "profile list -o json",
    "profile show acme",
    "profile current --explain",
    "schema",
    "api GET /devices",
    "api GET /devices -i --select /data/method",
    "api GET /devices --all",
];

#[test]
fn what_stands_there_twice_is_told_as_that() {
    let sandbox = Sandbox::new();
    for (arguments, flag) in [(&["-vv", "ls"][..], "--verbose"), (&["status", "--all", "--all"], "--all")] {
        sandbox.neto(arguments).run().code(2).stderr_has(&format!("error: {flag} stands there twice\n"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn r61_a_closed_pipe_is_quiet() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    for verb in ANSWERS {
        let outcome = bash(&sandbox, &format!("exec 3> >(:); wait $!; neto {verb} >&3; echo $?"));
        outcome.code(0).stderr("").stdout("0\n");
    }
    assert_eq!(sandbox.server().logins(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn r61_an_answer_that_cannot_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    sandbox.neto(["login"]).run().code(0);
    for verb in ANSWERS {
        let outcome = bash(&sandbox, &format!("neto {verb} >/dev/full"));
        outcome.code(1).stdout("").stderr_has("error: cannot write the answer: no space left on device");
    }
    // Messages are not the answer, so a failure to write them changes nothing.
    bash(&sandbox, "neto login --force 2>/dev/full").code(0).stdout("");
    bash(&sandbox, "neto -v token 2>/dev/full | grep -c .").code(0).stderr("").stdout("1\n");
    bash(&sandbox, "neto nosuch 2>/dev/full").code(2).stdout("");
}

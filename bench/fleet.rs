//! Work on many profiles against a slow server, compared with the ideal time. The ideal is the number of requests,
//! divided by the requests in flight, times the server's delay.

use crate::fusion::{Authority, Fault, Leaf, Server, TOKEN};
use crate::home::{self, Home};
use crate::stopwatch::{Program, Runs, Stopwatch};
use crate::table::Table;
use crate::times::{describe_machine, f1, f2, push_goal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How often each is run, but for the import, which can be done once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many profiles there are: a home is made of each number
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 2_000, 10_000], value_name = "COUNTS")]
    profiles: Vec<usize>,
    /// How many requests are in flight
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// How long the server takes for each, in milliseconds
    #[arg(long, default_value_t = 50, value_name = "MS")]
    delay: u64,
    /// Directory for the homes; each login writes a file, so the file system matters
    #[arg(long, default_value = "/tmp", value_name = "DIR")]
    folder: PathBuf,
    /// Print the tables as Markdown, as they stand in docs/performance.md
    #[arg(long)]
    markdown: bool,
}

/// Path called by `status --live`, and by `api` in this benchmark.
const KEYS: &str = "/api/v1/api-keys";

/// Number of profiles that most goals refer to.
const GOAL_PROFILES: usize = 2_000;
const MOST_PROFILES: usize = 10_000;

/// `status` is short, so each round runs it this many times.
const STATUS_RUNS: usize = 7;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::temp_dir_in(&options.folder);
    let bench = Bench {
        neto,
        folder: folder.path(),
        stopwatch: Stopwatch::new(folder.path()),
        has_api: has_api_command(neto),
        options,
    };
    let mut sizes = options.profiles.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let batches: Vec<Batch> = sizes.iter().map(|count| bench.measure_batch(*count)).collect();
    let secure = sizes.contains(&GOAL_PROFILES).then(|| bench.measure_tls(GOAL_PROFILES));
    let Options { rounds, jobs, delay, .. } = options;
    let how = format!("Medians of {rounds} rounds. {jobs} requests in flight; the server takes {delay} ms for each.");
    println!("{}", describe_machine(neto, &how));
    let show = |table: &Table| println!("{}", if options.markdown { table.markdown() } else { table.text() });
    show(&online_table(&batches));
    show(&offline_table(&batches));
    if let Some(secure) = &secure {
        show(&secure.table());
    }
    show(&goals(&batches, secure.as_ref()));
    ExitCode::SUCCESS
}

/// Tools and options shared by all measurements.
struct Bench<'a> {
    neto: &'a Path,
    folder: &'a Path,
    stopwatch: Stopwatch,
    /// True if this neto has the `api` command.
    has_api: bool,
    options: &'a Options,
}

/// Measurements with one number of profiles.
struct Batch {
    count: usize,
    /// Ideal time of an online command, in milliseconds.
    ideal: f64,
    import: Runs,
    login: Runs,
    live: Runs,
    api: Option<Runs>,
    status: Runs,
}

/// Measurements of logins over TLS.
struct TlsLogins {
    ideal: f64,
    login: Runs,
    requests: usize,
    connections: usize,
    /// Handshakes per round: full, then resumed.
    handshakes: [usize; 2],
}

impl Bench<'_> {
    fn measure_batch(&self, count: usize) -> Batch {
        eprintln!("{count} profiles");
        let server = home::server();
        let home = Home::empty(self.neto, self.folder.join(format!("home-{count}")), count);
        let import = self.import(&server, &home);
        self.slow_down(&server);
        let login = self.measure_logins(&home, &self.program(&home, &self.for_all(&["login"])));
        let live = self.measure(&home, &self.for_all(&["status", "--live"]), self.rounds());
        let api = self.has_api.then(|| self.measure(&home, &self.for_all(&["api", "GET", KEYS]), self.rounds()));
        let status = self.measure(&home, &to_strings(&["status", "-o", "json"]), self.rounds() * STATUS_RUNS);
        assert_eq!(server.logins(), count * self.rounds(), "each login asks once, and nothing else does");
        assert_no_violations(&server);
        Batch { count, ideal: self.ideal(count), import, login, live, api, status }
    }

    fn measure_tls(&self, count: usize) -> TlsLogins {
        eprintln!("{count} profiles over TLS");
        let authority = Authority::new();
        let roots = self.folder.join("roots.pem");
        fs::write(&roots, authority.pem()).expect("a file of roots");
        let server = home::with_fixed_tokens(Server::https(&authority, Leaf::Valid));
        let home = Home::empty(self.neto, self.folder.join("encrypted"), count);
        self.import(&server, &home);
        self.slow_down(&server);
        let mut program = self.program(&home, &self.for_all(&["login"]));
        program.variables.push(("SSL_CERT_FILE".to_owned(), roots.display().to_string()));
        let login = self.measure_logins(&home, &program);
        assert_no_violations(&server);
        let a_round = |all: usize| all / self.rounds();
        TlsLogins {
            ideal: self.ideal(count),
            login,
            requests: a_round(server.requests().len()),
            connections: a_round(server.connections()),
            handshakes: server.handshakes().map(a_round),
        }
    }

    /// Imports one NETOSECRET for each profile of the home from a single file.
    fn import(&self, server: &Server, home: &Home) -> Runs {
        let tenant = |number| server.add_tenant(&format!("tenant-{number}"), "bench").netosecret() + "\n";
        let file = home.path().join("secrets.txt");
        fs::write(&file, (0..home.count).map(tenant).collect::<String>()).expect("a file of secrets");
        self.measure(home, &to_strings(&["profile", "import", "secrets.txt"]), 1)
    }

    /// Measures the login of profiles without tokens: each round logs out first.
    fn measure_logins(&self, home: &Home, program: &Program) -> Runs {
        let round = || {
            home.run(self.neto, &["logout", "--all"]);
            self.stopwatch.run(std::slice::from_ref(program), 1).remove(0).0.remove(0)
        };
        Runs((0..self.rounds()).map(|_| round()).collect())
    }

    fn slow_down(&self, server: &Server) {
        let slow = |path| Fault::at(path).delay(Duration::from_millis(self.options.delay));
        server.fault(slow(TOKEN));
        // The server knows only the tokens it generated. The fixed-length tokens are not among them, so the answer is
        // fixed.
        server.fault(slow(KEYS).answer(200, r#"{"meta":{"code":200,"count":0},"data":[]}"#));
    }

    fn measure(&self, home: &Home, arguments: &[String], rounds: usize) -> Runs {
        self.stopwatch.run(&[self.program(home, arguments)], rounds).remove(0)
    }

    fn program(&self, home: &Home, arguments: &[String]) -> Program {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Program::new("", self.neto, &arguments, home.path()).with_env(home.variables())
    }

    /// Returns the arguments that run the command for all profiles, with `--jobs`.
    fn for_all(&self, verb: &[&str]) -> Vec<String> {
        to_strings(verb).into_iter().chain(to_strings(&["--all", "--jobs", &self.options.jobs.to_string()])).collect()
    }

    fn rounds(&self) -> usize {
        usize::try_from(self.options.rounds).expect("a count")
    }

    /// Returns the ideal time of an online command, in milliseconds.
    fn ideal(&self, count: usize) -> f64 {
        let jobs = usize::try_from(self.options.jobs).expect("a count");
        count as f64 / jobs.min(count) as f64 * self.options.delay as f64
    }
}

impl TlsLogins {
    fn table(&self) -> Table {
        let head = ["over TLS", "s", "x ideal", "peak MiB", "requests", "connections", "full handshakes", "resumed"];
        let mut table = Table::new(head);
        let ms = self.login.milliseconds();
        let [full, resumed] = self.handshakes;
        let counts = [self.requests, self.connections, full, resumed].map(|count| count.to_string());
        let figures =
            [format!("login of {GOAL_PROFILES}"), f2(ms / 1e3), f2(ms / self.ideal), f1(self.login.peak_mib())];
        table.push(figures.into_iter().chain(counts).collect());
        table
    }
}

/// Table of the commands that wait for the server.
fn online_table(batches: &[Batch]) -> Table {
    let mut table = Table::new([
        "profiles",
        "ideal: s",
        "login: s",
        "x ideal",
        "CPU s",
        "peak MiB",
        "status --live: s",
        "x ideal",
        "api --all: s",
        "x ideal",
    ]);
    let seconds_and_ratio = |runs: &Runs, ideal: f64| [f2(runs.milliseconds() / 1e3), f2(runs.milliseconds() / ideal)];
    for Batch { count, ideal, login, live, api, .. } in batches {
        let api = api.as_ref().map_or_else(|| ["-".to_owned(), "-".to_owned()], |api| seconds_and_ratio(api, *ideal));
        let own = [f2(login.busy_milliseconds() / 1e3), f1(login.peak_mib())];
        let row = [count.to_string(), f2(ideal / 1e3)].into_iter().chain(seconds_and_ratio(login, *ideal)).chain(own);
        table.push(row.chain(seconds_and_ratio(live, *ideal)).chain(api).collect());
    }
    table
}

/// Table of the commands that need no server.
fn offline_table(batches: &[Batch]) -> Table {
    let mut table =
        Table::new(["profiles", "import: s", "CPU s", "peak MiB", "status -o json: ms", "CPU ms", "peak MiB"]);
    for Batch { count, import, status, .. } in batches {
        table.push(vec![
            count.to_string(),
            f2(import.milliseconds() / 1e3),
            f2(import.busy_milliseconds() / 1e3),
            f1(import.peak_mib()),
            f1(status.milliseconds()),
            f1(status.busy_milliseconds()),
            f1(status.peak_mib()),
        ]);
    }
    table
}

fn goals(batches: &[Batch], secure: Option<&TlsLogins>) -> Table {
    let mut table = Table::new(["goal", "at most", "seen", ""]);
    let batch_of = |count: usize| batches.iter().find(|batch| batch.count == count);
    let (some, most) = (batch_of(GOAL_PROFILES), batch_of(MOST_PROFILES));
    let ratio = |runs: &Runs, ideal: f64| runs.milliseconds() / ideal;
    let login = some.map(|batch| ratio(&batch.login, batch.ideal));
    push_goal(&mut table, "login of 2,000, against the ideal", 1.3, login, " x");
    let peak = some.map(|batch| batch.login.peak_mib() * 1.048_576);
    push_goal(&mut table, "login of 2,000: memory at its peak", 60.0, peak, " MB");
    let api = some.and_then(|batch| Some(ratio(batch.api.as_ref()?, batch.ideal)));
    push_goal(&mut table, "api --all of 2,000, against the ideal", 1.3, api, " x");
    let live = some.map(|batch| ratio(&batch.live, batch.ideal));
    push_goal(&mut table, "status --live of 2,000, against the ideal", 1.3, live, " x");
    let full = secure.map(|secure| secure.handshakes[0] as f64 / secure.requests as f64 * 100.0);
    push_goal(&mut table, "logins over TLS that needed a full handshake", 5.0, full, " %");
    push_goal(&mut table, "import of 10,000", 10.0, most.map(|batch| batch.import.milliseconds() / 1e3), " s");
    push_goal(&mut table, "status -o json of 10,000", 60.0, most.map(|batch| batch.status.milliseconds()), " ms");
    table
}

fn has_api_command(neto: &Path) -> bool {
    let help = Command::new(neto).args(["api", "--help"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    help.is_ok_and(|status| status.success())
}

fn assert_no_violations(server: &Server) {
    let breaches = server.violations();
    assert!(breaches.is_empty(), "against the API's reference: {breaches:?}");
}

fn to_strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

//! Measures commands for many profiles against a slow server, and compares their times with the ideal. The ideal time
//! is the number of requests, divided by the requests in flight, times the server's delay.

use crate::fusion::{Authority, Fault, Leaf, Server, TOKEN};
use crate::home::{self, Home};
use crate::stopwatch::{Program, Runs, Stopwatch};
use crate::table::Table;
use crate::times::{describe_machine, one_decimal, push_goal, two_decimals};
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

/// API path that `status --live` requests. This benchmark requests the same path with `neto api`.
const KEYS: &str = "/api/v1/api-keys";

/// Number of profiles to which most goals refer.
const GOAL_PROFILES: usize = 2_000;
const LARGE_GOAL_PROFILES: usize = 10_000;

/// Runs of `status` per round. One run is too short for a precise measurement.
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
    let tls_logins = sizes.contains(&GOAL_PROFILES).then(|| bench.measure_tls(GOAL_PROFILES));
    let Options { rounds, jobs, delay, .. } = options;
    let how = format!("Medians of {rounds} rounds. {jobs} requests in flight; the server takes {delay} ms for each.");
    println!("{}", describe_machine(neto, &how));
    let show = |table: &Table| println!("{}", if options.markdown { table.markdown() } else { table.text() });
    show(&online_table(&batches));
    show(&offline_table(&batches));
    if let Some(tls_logins) = &tls_logins {
        show(&tls_logins.table());
    }
    show(&goals(&batches, tls_logins.as_ref()));
    ExitCode::SUCCESS
}

/// Tools and options that all measurements share.
struct Bench<'a> {
    neto: &'a Path,
    folder: &'a Path,
    stopwatch: Stopwatch,
    /// Whether this neto has the `api` command.
    has_api: bool,
    options: &'a Options,
}

/// Measurements with `count` profiles.
struct Batch {
    count: usize,
    /// Ideal time of a command that sends one request per profile, in milliseconds.
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
    /// Full and resumed handshakes per round, in this order.
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
        let per_round = |all: usize| all / self.rounds();
        TlsLogins {
            ideal: self.ideal(count),
            login,
            requests: per_round(server.requests().len()),
            connections: per_round(server.connections()),
            handshakes: server.handshakes().map(per_round),
        }
    }

    /// Adds a tenant for each profile of the home, and measures the import of all NETOSECRETs from one file.
    fn import(&self, server: &Server, home: &Home) -> Runs {
        let tenant = |number| server.add_tenant(&format!("tenant-{number}"), "bench").netosecret() + "\n";
        let file = home.path().join("secrets.txt");
        fs::write(&file, (0..home.count).map(tenant).collect::<String>()).expect("a file of secrets");
        self.measure(home, &to_strings(&["profile", "import", "secrets.txt"]), 1)
    }

    /// Measures logins of profiles without cached tokens. Each round logs out first, which is not measured.
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
        // The server does not know the fixed-length tokens (see `home::with_fixed_tokens`) and would reject them. So
        // the response is fixed.
        server.fault(slow(KEYS).respond(200, r#"{"meta":{"code":200,"count":0},"data":[]}"#));
    }

    fn measure(&self, home: &Home, arguments: &[String], rounds: usize) -> Runs {
        self.stopwatch.run(&[self.program(home, arguments)], rounds).remove(0)
    }

    fn program(&self, home: &Home, arguments: &[String]) -> Program {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Program::new("", self.neto, &arguments, home.path()).with_env(home.variables())
    }

    /// Returns the arguments of the command with `--all` and `--jobs`.
    fn for_all(&self, verb: &[&str]) -> Vec<String> {
        to_strings(verb).into_iter().chain(to_strings(&["--all", "--jobs", &self.options.jobs.to_string()])).collect()
    }

    fn rounds(&self) -> usize {
        usize::try_from(self.options.rounds).expect("a count")
    }

    /// Returns the ideal time of a command that sends one request per profile, in milliseconds.
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
        let figures = [
            format!("login of {GOAL_PROFILES}"),
            two_decimals(ms / 1e3),
            two_decimals(ms / self.ideal),
            one_decimal(self.login.peak_mib()),
        ];
        table.push(figures.into_iter().chain(counts).collect());
        table
    }
}

/// Builds the table of commands that wait for the server.
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
    let seconds_and_ratio =
        |runs: &Runs, ideal: f64| [two_decimals(runs.milliseconds() / 1e3), two_decimals(runs.milliseconds() / ideal)];
    for Batch { count, ideal, login, live, api, .. } in batches {
        let api = api.as_ref().map_or_else(|| ["-".to_owned(), "-".to_owned()], |api| seconds_and_ratio(api, *ideal));
        let login_cost = [two_decimals(login.busy_milliseconds() / 1e3), one_decimal(login.peak_mib())];
        let row = [count.to_string(), two_decimals(ideal / 1e3)]
            .into_iter()
            .chain(seconds_and_ratio(login, *ideal))
            .chain(login_cost);
        table.push(row.chain(seconds_and_ratio(live, *ideal)).chain(api).collect());
    }
    table
}

/// Builds the table of commands that need no server.
fn offline_table(batches: &[Batch]) -> Table {
    let mut table =
        Table::new(["profiles", "import: s", "CPU s", "peak MiB", "status -o json: ms", "CPU ms", "peak MiB"]);
    for Batch { count, import, status, .. } in batches {
        table.push(vec![
            count.to_string(),
            two_decimals(import.milliseconds() / 1e3),
            two_decimals(import.busy_milliseconds() / 1e3),
            one_decimal(import.peak_mib()),
            one_decimal(status.milliseconds()),
            one_decimal(status.busy_milliseconds()),
            one_decimal(status.peak_mib()),
        ]);
    }
    table
}

fn goals(batches: &[Batch], tls_logins: Option<&TlsLogins>) -> Table {
    let mut table = Table::new(["goal", "at most", "seen", ""]);
    let batch_of = |count: usize| batches.iter().find(|batch| batch.count == count);
    let (goal_batch, large_batch) = (batch_of(GOAL_PROFILES), batch_of(LARGE_GOAL_PROFILES));
    let ratio = |runs: &Runs, ideal: f64| runs.milliseconds() / ideal;
    let login = goal_batch.map(|batch| ratio(&batch.login, batch.ideal));
    push_goal(&mut table, "login of 2,000, against the ideal", 1.3, login, " x");
    let peak = goal_batch.map(|batch| batch.login.peak_mib() * 1.048_576);
    push_goal(&mut table, "login of 2,000: memory at its peak", 60.0, peak, " MB");
    let api = goal_batch.and_then(|batch| Some(ratio(batch.api.as_ref()?, batch.ideal)));
    push_goal(&mut table, "api --all of 2,000, against the ideal", 1.3, api, " x");
    let live = goal_batch.map(|batch| ratio(&batch.live, batch.ideal));
    push_goal(&mut table, "status --live of 2,000, against the ideal", 1.3, live, " x");
    let full = tls_logins.map(|tls_logins| tls_logins.handshakes[0] as f64 / tls_logins.requests as f64 * 100.0);
    push_goal(&mut table, "logins over TLS that needed a full handshake", 5.0, full, " %");
    push_goal(&mut table, "import of 10,000", 10.0, large_batch.map(|batch| batch.import.milliseconds() / 1e3), " s");
    push_goal(
        &mut table,
        "status -o json of 10,000",
        60.0,
        large_batch.map(|batch| batch.status.milliseconds()),
        " ms",
    );
    table
}

fn has_api_command(neto: &Path) -> bool {
    let help = Command::new(neto).args(["api", "--help"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    help.is_ok_and(|status| status.success())
}

fn assert_no_violations(server: &Server) {
    let violations = server.violations();
    assert!(violations.is_empty(), "against the API's reference: {violations:?}");
}

fn to_strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

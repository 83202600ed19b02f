//! What is timed, and the goals.

use crate::home::{self, Home, PROFILE};
use crate::peers::{Peers, installed};
use crate::stopwatch::{Program, Runs, Stopwatch, median};
use crate::table::Table;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How often each program is run
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many profiles there are: a home is made of each number
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 100, 1_000, 2_000, 10_000], value_name = "COUNTS")]
    profiles: Vec<usize>,
    /// Leave other keepers of secrets out
    #[arg(long)]
    without_peers: bool,
    /// Print the tables as Markdown, as they stand in docs/performance.md
    #[arg(long)]
    markdown: bool,
}

/// Rounds before it counts: files in the page cache, and neto has learnt what it may.
const WARM_UP: usize = 20;

/// Of the programs, those that the goals speak of. The others follow: [`GROWN`] for each size, then the peers.
#[derive(Clone, Copy)]
enum Place {
    Empty,
    Named,
    Chosen,
    Export,
    Prompt,
    True,
    Exec,
    Login,
}

const PLACES: usize = 8;

/// So many are timed in a home of each size.
const GROWN: usize = 5;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::folder();
    let server = home::server();
    let neto = &home::as_installed(neto, folder.path());
    let sizes = sizes(&options.profiles);
    eprintln!("making homes of {sizes:?} profiles and one for logins");
    let homes: Vec<Home> = sizes
        .iter()
        .map(|count| Home::new(neto, &server, folder.path().join(format!("home-{count}")), *count))
        .collect();
    let login = Home::new(neto, &server, folder.path().join("login"), 1);
    let beside = folder.path().join("peers");
    fs::create_dir(&beside).expect("a new folder");
    let peers = (!options.without_peers).then(|| Peers::new(&beside, &server.add_tenant("recipe", "bench")));

    let mut programs = fixed(neto, folder.path(), &homes[0], &login).to_vec();
    programs.extend(homes.iter().flat_map(|home| grown(neto, home)));
    programs.extend(peers.iter().flat_map(|peers| peers.programs.clone()));
    let stopwatch = Stopwatch::new(folder.path());
    eprintln!("warming up");
    stopwatch.run(&programs, WARM_UP);
    while !homes.iter().all(Home::is_settled) {
        stopwatch.run(&programs, 1);
    }
    stopwatch.run(&programs, 1);
    let rounds = usize::try_from(options.rounds).expect("a count");
    eprintln!("{rounds} rounds of {} programs", programs.len());
    let before = server.took().len();
    let runs = stopwatch.run(&programs, rounds);
    let took = &server.took()[before..];
    assert_eq!(took.len(), rounds, "one login a round, and nothing else, asks the server");
    let apart = runs[Place::Login as usize].0.iter().zip(took);
    let apart = median(apart.map(|(run, took)| run.milliseconds - took.as_secs_f64() * 1e3));

    let breaches = server.violations();
    assert!(breaches.is_empty(), "against the API's reference: {breaches:?}");

    let seen = Seen { programs, runs, sizes, apart, bytes: fs::metadata(neto).expect("neto").len() };
    println!("{}", machine(neto, &format!("Medians of {rounds} interleaved rounds.")));
    for table in [seen.costs(), seen.growth(), seen.goals()] {
        println!("{}", if options.markdown { table.markdown() } else { table.text() });
    }
    if let Some(peers) = peers.filter(|peers| !peers.absent.is_empty()) {
        println!("Absent here: {}.", peers.absent.join(", "));
    }
    ExitCode::SUCCESS
}

/// In order, and 1 among them: all others are measured by it.
fn sizes(asked: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = asked.iter().copied().chain([1]).filter(|count| *count > 0).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Those of [`Place`], in its order.
fn fixed(neto: &Path, folder: &Path, one: &Home, login: &Home) -> [Program; PLACES] {
    let empty = home::as_installed(&home::empty_program(folder), folder);
    let truth = installed("true").expect("`true`");
    let of = |label, program: &Path, arguments: &[&str], home: &Home| {
        Program::new(label, program, arguments, home.path()).with(home.variables())
    };
    [
        of("an empty program", &empty, &[], one),
        of("neto token NAME", neto, &["token", PROFILE], one),
        of("neto token", neto, &["token"], one),
        of("neto export NAME", neto, &["export", PROFILE], one),
        of("neto prompt", neto, &["prompt"], one),
        of("true", &truth, &[], one),
        of("neto exec -- true", neto, &["exec", "--", truth.to_str().expect("UTF-8")], one),
        of("neto login --force NAME, with the server", neto, &["login", "--force", PROFILE], login),
    ]
}

/// Those that are timed in a home of each size: a cached token, the table of all, the segment of a prompt, a TAB behind
/// a name and one behind the start of all names.
fn grown(neto: &Path, home: &Home) -> [Program; GROWN] {
    let count = home.count;
    let of = |arguments: &[&str]| {
        let label = format!("neto {} among {count}", arguments.join(" "));
        Program::new(label, neto, arguments, home.path()).with(home.variables())
    };
    let asked = [("_NETO_COMPLETE".to_owned(), "zsh".to_owned())];
    let variables: Vec<_> = home.variables().into_iter().chain(asked).collect();
    let tab = |start: &str| of(&["--", "neto", "login", start]).with(variables.clone());
    [of(&["token", PROFILE]), of(&["status", "-o", "json"]), of(&["prompt"]), tab(PROFILE), tab("tenant-")]
}

/// What came of it.
struct Seen {
    programs: Vec<Program>,
    runs: Vec<Runs>,
    sizes: Vec<usize>,
    /// A login without the server's own part, in milliseconds.
    apart: f64,
    /// Size of the binary.
    bytes: u64,
}

impl Seen {
    fn at(&self, place: Place) -> f64 {
        self.runs[place as usize].milliseconds()
    }

    /// Those of [`grown`], of the size at this place.
    fn grown(&self, place: usize) -> [&Runs; GROWN] {
        std::array::from_fn(|at| &self.runs[PLACES + GROWN * place + at])
    }

    /// The same in the home of so many, if there is one.
    fn among(&self, count: usize) -> Option<[&Runs; GROWN]> {
        Some(self.grown(self.sizes.iter().position(|known| *known == count)?))
    }

    /// Of all but the homes of other sizes.
    fn costs(&self) -> Table {
        let empty = self.at(Place::Empty);
        let mut table = Table::new(["what", "ms", "x empty", "CPU ms", "peak MiB"]);
        let peers = PLACES + GROWN * self.sizes.len();
        for (place, (program, runs)) in self.programs.iter().zip(&self.runs).enumerate() {
            if (PLACES..peers).contains(&place) {
                continue;
            }
            let ms = runs.milliseconds();
            let (busy, peak) = (runs.busy_milliseconds(), runs.peak());
            table.push(vec![program.label.clone(), f2(ms), f2(ms / empty), f2(busy), f1(peak)]);
        }
        table
    }

    fn growth(&self) -> Table {
        let one = self.grown(0)[0].milliseconds();
        let head = [
            "profiles",
            "token NAME: ms",
            "x one profile",
            "peak MiB",
            "status -o json: ms",
            "CPU ms",
            "peak MiB",
            "prompt: ms",
            "TAB at one: ms",
            "TAB at all: ms",
            "peak MiB",
        ];
        let mut table = Table::new(head);
        for (place, count) in self.sizes.iter().enumerate() {
            let [token, status, prompt, one_fits, all_fit] = self.grown(place);
            let ms = token.milliseconds();
            let status = [status.milliseconds(), status.busy_milliseconds(), status.peak()];
            let mut row = vec![count.to_string(), f2(ms), f2(ms / one), f1(token.peak())];
            row.extend(status.map(f1));
            let tabs = [one_fits.milliseconds(), all_fit.milliseconds(), all_fit.peak()];
            row.push(f2(prompt.milliseconds()));
            row.extend(tabs.map(f1));
            table.push(row);
        }
        table
    }

    fn goals(&self) -> Table {
        let mut table = Table::new(["goal", "at most", "seen", ""]);
        let mut goal = |what: &str, most: f64, seen: Option<f64>, unit: &str| goal(&mut table, what, most, seen, unit);
        let empty = self.at(Place::Empty);
        let many = self.among(10_000);
        let one = self.grown(0)[0].milliseconds();
        goal("neto token NAME, against an empty program", 1.35, Some(self.at(Place::Named) / empty), " x");
        goal("neto token, against an empty program", 1.35, Some(self.at(Place::Chosen) / empty), " x");
        goal("neto export NAME, against an empty program", 1.45, Some(self.at(Place::Export) / empty), " x");
        goal("neto prompt, against an empty program", 2.0, Some(self.at(Place::Prompt) / empty), " x");
        let token = many.map(|[token, ..]| token.milliseconds() / one);
        goal("neto token among 10,000 profiles, against one", 1.1, token, " x");
        let status = many.map(|[_, status, ..]| status.milliseconds());
        goal("neto status -o json of 10,000 profiles", 60.0, status, " ms");
        let prompt = many.map(|[_, _, prompt, ..]| prompt.milliseconds());
        goal("neto prompt among 10,000 profiles", 5.0, prompt, " ms");
        for (count, of) in [(2_000, "2,000"), (10_000, "10,000")] {
            let [one_fits, all_fit] = [3, 4].map(|at| self.among(count).map(|grown| grown[at].milliseconds()));
            goal(&format!("a TAB behind a name among {of}"), 20.0, one_fits, " ms");
            goal(&format!("a TAB that offers all {of} names"), 20.0, all_fit, " ms");
        }
        goal("neto exec -- true, more than true", 1.3, Some(self.at(Place::Exec) - self.at(Place::True)), " ms");
        let login = "neto login without the server's part, more than an empty program";
        goal(login, 4.0, Some(self.apart - empty), " ms");
        goal("the binary", 6.0, Some(self.bytes as f64 / 1e6), " MB");
        table
    }
}

/// A line of a table of goals: what is wanted at most, and what was seen if it was measured.
pub(crate) fn goal(table: &mut Table, what: &str, most: f64, seen: Option<f64>, unit: &str) {
    let verdict = seen.map_or("not measured", |seen| if seen <= most { "reached" } else { "missed" });
    let seen = seen.map_or_else(|| "-".to_owned(), |seen| format!("{}{unit}", f2(seen)));
    table.push(vec![what.to_owned(), format!("{}{unit}", f2(most)), seen, verdict.to_owned()]);
}

pub(crate) fn f1(figure: f64) -> String {
    format!("{figure:.1}")
}

pub(crate) fn f2(figure: f64) -> String {
    format!("{figure:.2}")
}

/// Of what, and where.
pub(crate) fn machine(neto: &Path, how: &str) -> String {
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    let version = first(home::done(Command::new(neto).arg("--version"), ""));
    let rustc = first(home::done(Command::new("rustc").arg("--version"), ""));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{version}, {rustc}; {cores} cores ({model}), Linux {kernel}. {how}\n")
}

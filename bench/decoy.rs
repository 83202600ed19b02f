//! What a decoy costs: the same requests straight to a server and through `neto proxy`, in one run; bodies of a gibibyte
//! each way; a thousand requests at once.

use crate::home::{self, PROFILE};
use crate::stopwatch::median;
use crate::table::Table;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How many requests one after the other, each way
    #[arg(long, default_value_t = 6_000)]
    requests: usize,
    /// How many gibibytes in one body, each way
    #[arg(long, default_value_t = 1)]
    gibibytes: u64,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
}

/// So many requests are under way where the number a second counts.
const PARALLEL: usize = 32;
/// So many at once, each on a connection of its own.
const AT_ONCE: usize = 1_000;
/// Rounds, direct and through the decoy in turn.
const ROUNDS: usize = 5;
const PIECE: usize = 64 * 1024;
/// As long as a bearer of the API.
const TOKEN: usize = 1_100;

pub(crate) fn run(neto: &Path, options: &Options) -> ExitCode {
    let folder = home::folder();
    let neto = &home::as_installed(neto, folder.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let address = serve(options.gibibytes << 30);
    let proxy = Proxy::start(neto, folder.path(), address);
    let direct = Way { base: format!("http://{address}/api/v1"), token: "a".repeat(TOKEN) };
    let through = Way { base: proxy.url.clone(), token: proxy.token.clone() };
    let mut table = Table::new(["what", "direct", "through the decoy", "", "goal"]);
    let mut row = |what: &str, direct: String, through: String, compared: String, goal: &str| {
        table.push([what, &direct, &through, &compared, goal].map(str::to_owned).to_vec());
    };

    let [one, other] = runtime.block_on(one_by_one(&direct, &through, options.requests));
    let (ms, added) = (|ms: f64| format!("{ms:.3} ms"), other - one);
    row("a request, median", ms(one), ms(other), format!("{added:+.3} ms"), "at most +0.300 ms");

    let [one, other] = runtime.block_on(many(&direct, &through, options.requests));
    let share = other / one;
    row(
        &format!("requests a second, {PARALLEL} at once"),
        format!("{one:.0}"),
        format!("{other:.0}"),
        format!("{share:.2} x"),
        "at least 0.50 x",
    );

    let length = options.gibibytes << 30;
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    for (what, up) in [("up", true), ("down", false)] {
        let one = runtime.block_on(large(&direct, length, up));
        let other = runtime.block_on(large(&through, length, up));
        row(&format!("{} GiB {what}", options.gibibytes), seconds(one), seconds(other), String::new(), "");
    }
    row(
        "peak memory of neto until here",
        String::new(),
        format!("{:.1} MB", proxy.peak() / 1e6),
        String::new(),
        "under 40 MB",
    );
    let failed = |way| runtime.block_on(at_once(way));
    let (one, other) = (failed(&direct), failed(&through));
    row(&format!("of {AT_ONCE} requests at once, failed"), one.to_string(), other.to_string(), String::new(), "0");
    row("peak memory of neto with these", String::new(), format!("{:.1} MB", proxy.peak() / 1e6), String::new(), "");
    println!("{}", if options.markdown { table.markdown() } else { table.text() });
    ExitCode::SUCCESS
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where requests go, and with what.
struct Way {
    base: String,
    token: String,
}

impl Way {
    async fn get(&self, client: &reqwest::Client) -> Result<(), reqwest::Error> {
        let answer = client.get(format!("{}/small", self.base)).bearer_auth(&self.token).send().await?;
        answer.error_for_status()?.bytes().await.map(drop)
    }
}

fn client() -> reqwest::Client {
    // Asked for even where only http is spoken; the first one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// The median of a request each way, in milliseconds; one after the other, in turn.
async fn one_by_one(direct: &Way, through: &Way, requests: usize) -> [f64; 2] {
    let clients = [client(), client()];
    let mut taken = [Vec::new(), Vec::new()];
    for number in 0..requests + 100 {
        for (place, way) in [direct, through].into_iter().enumerate() {
            let began = Instant::now();
            way.get(&clients[place]).await.expect("an answer");
            if number >= 100 {
                taken[place].push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    taken.map(|taken| median(taken.into_iter()))
}

/// Requests a second each way: the median of several rounds.
async fn many(direct: &Way, through: &Way, requests: usize) -> [f64; 2] {
    let clients = [client(), client()];
    let mut rates = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (place, way) in [direct, through].into_iter().enumerate() {
            let began = Instant::now();
            let each = requests / PARALLEL;
            join_all((0..PARALLEL).map(async |_| {
                for _ in 0..each {
                    way.get(&clients[place]).await.expect("an answer");
                }
            }))
            .await;
            if round > 0 {
                rates[place].push((each * PARALLEL) as f64 / began.elapsed().as_secs_f64());
            }
        }
    }
    rates.map(|rates| median(rates.into_iter()))
}

/// How many of many requests at once fail.
async fn at_once(way: &Way) -> usize {
    let asked = join_all((0..AT_ONCE).map(async |_| way.get(&client()).await)).await;
    asked.iter().filter(|outcome| outcome.is_err()).count()
}

/// How long a large body takes.
async fn large(way: &Way, length: u64, up: bool) -> Duration {
    let client = client();
    let began = Instant::now();
    if up {
        let body = reqwest::Body::wrap(zeros(length));
        let answer = client.post(format!("{}/up", way.base)).bearer_auth(&way.token).body(body).send().await;
        let answer = answer.expect("an answer").text().await.expect("its text");
        assert_eq!(answer, length.to_string(), "every byte arrived");
    } else {
        let mut answer =
            client.get(format!("{}/down", way.base)).bearer_auth(&way.token).send().await.expect("an answer");
        let mut came = 0;
        while let Some(piece) = answer.chunk().await.expect("a piece") {
            came += piece.len() as u64;
        }
        assert_eq!(came, length, "every byte came");
    }
    began.elapsed()
}

fn zeros(length: u64) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Sync + Unpin + 'static {
    let piece = Bytes::from(vec![0; PIECE]);
    let pieces = (0..length / PIECE as u64).map(move |_| Ok(Frame::data(piece.clone())));
    StreamBody::new(futures_util::stream::iter(pieces))
}

/// A server on a thread of its own that grants a token, and takes and gives bodies of any size.
fn serve(length: u64) -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener that does not block");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async { listen(TcpListener::from_std(listener).expect("a listener"), length).await });
    });
    address
}

async fn listen(listener: TcpListener, length: u64) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, length));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    length: u64,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Failure>>, Infallible> {
    let text = |text: String| Either::Left(Full::new(Bytes::from(text)));
    let path = request.uri().path().to_owned();
    Ok(Response::new(match path.as_str() {
        "/api/v1/auth/token" => text(json!({"access_token": "a".repeat(TOKEN), "expires_in": 86_400}).to_string()),
        "/api/v1/down" => Either::Right(zeros(length)),
        "/api/v1/up" => {
            let mut body = request.into_body();
            let mut came = 0;
            while let Some(Ok(frame)) = body.frame().await {
                came += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            text(came.to_string())
        }
        _ => text(json!({"data": "x".repeat(200)}).to_string()),
    }))
}

/// A `neto proxy`; it ends when it is dropped.
struct Proxy {
    child: Child,
    url: String,
    token: String,
}

impl Proxy {
    fn start(neto: &Path, folder: &Path, server: SocketAddr) -> Self {
        let command = |arguments: &[&str]| {
            let mut command = Command::new(neto);
            command.args(arguments).env_clear().env("NETO_HOME", folder.join("proxy")).env("HOME", folder);
            command
        };
        let secret = json!({
            "url": format!("http://{server}"), "shortname": "bench", "appname": "bench",
            "appkey": "k".repeat(24), "sharedsecret": "s".repeat(32),
        });
        let secret = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret.to_string());
        home::done(&mut command(&["profile", "add", PROFILE]), &secret);
        let mut started = command(&["proxy", PROFILE, "--format", "json", "--quiet"]);
        let mut child = started.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("neto");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let mut text = String::new();
        for line in lines {
            text += &line;
            if line == "}" {
                break;
            }
        }
        let environment: Value = serde_json::from_str(&text).expect("an environment");
        let value = |name: &str| environment[name].as_str().expect("a value").to_owned();
        Self { child, url: value("NETO_URL"), token: value("NETO_TOKEN") }
    }

    /// Memory at most, in bytes.
    fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a living proxy");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! `neto api`: an authenticated request, of one tenant or of many.
//!
//! - `request`: the words that a call is typed in, and the call they make;
//! - `one`: the answer of one tenant, passed on as it comes;
//! - `many`: the same call to several, a line of JSON each;
//! - `json`: a part of an answer, without its numbers passing through a float.

mod json;
mod many;
mod one;
mod request;

use crate::error::Error;
use crate::fusion::{ApiPath, Call};
use crate::workflow::{Guard, JobsArgs, Run, SelectArgs, WantArgs};
use clap::Args;
use json::Pointer;
use request::{Data, Header, Verb};

/// The most of an answer that is taken in as a whole, in bytes.
const MOST_WHOLE: usize = 64 << 20;

/// The most of an answer that is looked at for what a server has to say, in bytes.
const MOST_SAID: usize = 64 << 10;

/// Make an authenticated request
///
/// The body of the answer goes to standard output as it comes. When the server does not take the token, it is
/// renewed once; then a call that only reads is made again, and one that writes is not. Calls that only read are
/// GET and HEAD, and POST below /search/, /stats/ and /intel/lookup/.
///
/// Without PROFILE the chosen one is asked. Several get the same call, --jobs at once, and answer with a line of JSON
/// each, in the order of the store: {"profile", "shortname", "status", "data"}, or "error" in place of "data". A glob,
/// a tag or --all means several, however many it selects.
///
/// A call that writes asks first where the profile is protected or there are several; off a terminal it needs
/// --yes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  neto api GET /customers
  neto api GET '/devices?limit=10' acme --select /data/0/name
  neto api POST /search/flow --data @query.json --all --jobs 8 > answers.ndjson
  neto api DELETE /tags/old acme --yes

Exit status: 0 for an answer of 200 to 299; 4 for 400, 401 and 403; 10 for another 4xx; 5 for 5xx,
a redirect, no answer, or one without what --select asks for; 8 when some of several profiles failed.")]
pub(crate) struct ApiArgs {
    /// GET, POST, PUT, PATCH, DELETE and the like, in any case
    #[arg(value_name = "METHOD")]
    verb: Verb,
    /// Where, with the query if there is one; /api/v1 may be left out
    #[arg(value_name = "PATH")]
    path: ApiPath,
    #[command(flatten)]
    select: SelectArgs,
    /// The body: this text, @FILE, or - for standard input; JSON, unless a Content-Type says otherwise
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    data: Option<Data>,
    /// A header of the request (repeatable), such as 'Accept: text/csv'
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<Header>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Print only what a JSON pointer leads to, such as /data/0/name; a text without its quotes
    #[arg(long = "select", value_name = "POINTER")]
    pointer: Option<Pointer>,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    want: WantArgs,
    #[command(flatten)]
    jobs: JobsArgs,
}

/// Makes the call to one profile or to several.
pub(crate) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.select.means_several() { many::run(args, run) } else { one::run(args, run) }
}

impl ApiArgs {
    /// The call as it is sent.
    fn call(&self, run: &Run<'_>) -> Result<Call, Error> {
        let body = self.data.as_ref().map(|data| data.read(run)).transpose()?;
        Ok(request::call(&self.verb, &self.path, &self.headers, body))
    }
}

/// A call as it is told; without the query, which may hold what no log should.
fn words(call: &Call) -> String {
    format!("{} {}", call.method, call.path.without_query())
}

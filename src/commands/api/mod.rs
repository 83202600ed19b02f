//! `neto api`: sends an authenticated request to one tenant or to many.
//!
//! - `request`: arguments of the call, and the call built from them;
//! - `one`: call to one tenant, with the response streamed to stdout;
//! - `many`: the same call to several tenants, with one line of JSON each;
//! - `json`: selection of a part of a JSON response.

mod json;
mod many;
mod one;
mod request;

use crate::error::Error;
use crate::fusion::{ApiPath, Call};
use crate::workflow::{ConfirmArgs, JobsArgs, Run, SelectArgs, TokenRequestArgs};
use clap::Args;
use json::Pointer;
use request::{DataArg, HeaderArg, MethodArg};

/// Maximum size of a successful response that is read into memory, in bytes. Does not limit streaming.
const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Maximum number of bytes of an error response that are searched for the server's message.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;

/// Make an authenticated request
///
/// The body of the answer goes to standard output as it comes. If the server rejects the token, neto gets
/// a new token once and repeats the call if it only reads. A call that writes is not repeated. Calls that only read are
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
    verb: MethodArg,
    /// Path and query of the call; /api/v1 is optional
    #[arg(value_name = "PATH")]
    path: ApiPath,
    #[command(flatten)]
    select: SelectArgs,
    /// The body: this text, @FILE, or - for standard input; JSON, unless a Content-Type says otherwise
    #[arg(short, long, value_name = "DATA", allow_hyphen_values = true)]
    data: Option<DataArg>,
    /// A header of the request (repeatable), such as 'Accept: text/csv'
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<HeaderArg>,
    /// Print status and headers before the body
    #[arg(short, long)]
    include: bool,
    /// Print only what a JSON pointer leads to, such as /data/0/name; a text without its quotes
    #[arg(long = "select", value_name = "POINTER")]
    pointer: Option<Pointer>,
    #[command(flatten)]
    confirm_args: ConfirmArgs,
    #[command(flatten)]
    token_args: TokenRequestArgs,
    #[command(flatten)]
    jobs: JobsArgs,
}

/// Sends the call for one profile or for several.
pub(crate) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    if args.select.can_select_several() { many::run(args, run) } else { one::run(args, run) }
}

impl ApiArgs {
    /// Builds the call, and reads its body from the source that `--data` names.
    fn call(&self, run: &Run<'_>) -> Result<Call, Error> {
        let body = self.data.as_ref().map(|data| data.read(run)).transpose()?;
        Ok(request::build_call(&self.verb, &self.path, &self.headers, body))
    }
}

/// Describes a call without its query, because a query may contain data that no log should contain.
fn describe_call(call: &Call) -> String {
    format!("{} {}", call.method, call.path.without_query())
}

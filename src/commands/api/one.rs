//! `neto api` for one profile: streams the answer to stdout.

use super::{ApiArgs, MAX_ANSWER, MAX_REFUSAL, describe_call, json};
use crate::error::Error;
use crate::fusion::Reply;
use crate::output::sanitize_line;
use crate::profile::ProfileName;
use crate::workflow::{Run, TerminalReporter, record_first_seen};
use json::Pointer;
use std::fmt::Write as _;

/// Prints the answer to the call of one profile.
struct ReplyPrinter<'a> {
    args: &'a ApiArgs,
    run: &'a Run<'a>,
    profile: &'a ProfileName,
}

/// Sends the call for the named profile, or else for the current one.
pub(super) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    let resolved = run.context.resolve_profile(args.select.first_name())?;
    let profile = &resolved.profile;
    let call = args.call(run)?;
    args.confirm_args.confirm_call(run, &describe_call(&call), !call.is_read_only(), &[profile])?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let printer = ReplyPrinter { args, run, profile: &profile.name };
    let token_request = args.token_args.token_request(false, false);
    let printed =
        session.call_blocking(resolved.loaded(), token_request, &call, async |reply| printer.print(reply).await);
    record_first_seen(run, &reporter);
    printed.map_err(|error| Error::from(error).about(&profile.name))?
}

impl ReplyPrinter<'_> {
    /// Prints the answer. For a status other than 2xx the error is the refusal, even if printing failed.
    async fn print(&self, mut reply: Reply) -> Result<(), Error> {
        if self.args.include {
            self.run.ui.print(&head(&reply))?;
        }
        let mut start = Vec::new();
        let printed = match &self.args.pointer {
            None => self.forward_body(&mut reply, &mut start).await,
            Some(pointer) if reply.status().is_success() => self.print_part(&mut reply, pointer).await,
            // With `--select`, only the selected part goes to stdout.
            Some(_) => {
                start = reply.read_body(MAX_REFUSAL).await.unwrap_or_default();
                Ok(())
            }
        };
        if reply.status().is_success() { printed } else { Err(self.about_profile(reply.refusal_error(&start))) }
    }

    /// Streams the body to stdout, and keeps its `start` for an error message.
    async fn forward_body(&self, reply: &mut Reply, start: &mut Vec<u8>) -> Result<(), Error> {
        let mut body = self.run.ui.passthrough();
        while let Some(chunk) = reply.chunk().await.map_err(|error| self.about_profile(error))? {
            let chunk = chunk.as_ref();
            start.extend_from_slice(&chunk[..chunk.len().min(MAX_REFUSAL - start.len())]);
            body.write(chunk)?;
        }
        Ok(body.finish()?)
    }

    /// Prints the selected part of the body.
    async fn print_part(&self, reply: &mut Reply, pointer: &Pointer) -> Result<(), Error> {
        let body = reply.read_body(MAX_ANSWER).await.map_err(|error| self.about_profile(error))?;
        let part = pointer.find(&body).map_err(|error| self.about_profile(error))?;
        let mut text = self.run.ui.passthrough();
        text.write((json::plain_text(part) + "\n").as_bytes())?;
        Ok(text.finish()?)
    }

    fn about_profile(&self, error: impl Into<Error>) -> Error {
        error.into().about(self.profile)
    }
}

/// Returns the status and each header on its own line, then an empty line.
fn head(reply: &Reply) -> String {
    let status = format!("{:?} {}", reply.version(), reply.status());
    let mut head = status.trim_end().to_owned();
    for (name, value) in reply.headers() {
        let _ = write!(head, "\n{name}: {}", sanitize_line(&String::from_utf8_lossy(value.as_bytes())));
    }
    head + "\n\n"
}

//! `neto api` for one profile: streams the response to stdout.

use super::{ApiArgs, MAX_ERROR_BODY_BYTES, MAX_RESPONSE_BYTES, describe_call, json};
use crate::error::Error;
use crate::fusion::ApiResponse;
use crate::output::sanitize_line;
use crate::profile::ProfileName;
use crate::workflow::{Run, TerminalReporter, record_first_seen_profiles};
use json::Pointer;
use std::fmt::Write as _;

/// Prints the response to an API call made for one profile.
struct ResponsePrinter<'a> {
    args: &'a ApiArgs,
    run: &'a Run<'a>,
    profile: &'a ProfileName,
}

/// Sends the call for the named profile, or for the current profile if none is named.
pub(super) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    let resolved = run.context.resolve_profile(args.select.first_name())?;
    let profile = &resolved.profile;
    let call = args.call(run)?;
    args.confirm_args.confirm_call(run, &describe_call(&call), !call.is_read_only(), &[profile])?;
    let reporter = TerminalReporter(run.ui);
    let session = run.context.session(&reporter);
    let printer = ResponsePrinter { args, run, profile: &profile.name };
    let token_request = args.token_args.token_request(false, false);
    let outcome = session
        .call_blocking(resolved.loaded_profile(), token_request, &call, async |response| printer.print(response).await);
    record_first_seen_profiles(run, &reporter);
    outcome.map_err(|error| Error::from(error).about(&profile.name))?
}

impl ResponsePrinter<'_> {
    /// Prints the response.
    ///
    /// # Errors
    /// Returns the server's error for a status other than 2xx, even if the body cannot be printed. Otherwise returns an
    /// error if the body cannot be read or printed, or if `--select` selects nothing.
    async fn print(&self, mut response: ApiResponse) -> Result<(), Error> {
        if self.args.include {
            self.run.ui.print(&status_and_headers(&response))?;
        }
        let mut body_start = Vec::new();
        let printed = match &self.args.pointer {
            None => self.forward_body(&mut response, &mut body_start).await,
            Some(pointer) if response.status().is_success() => self.print_selected(&mut response, pointer).await,
            // With `--select`, only a selected part goes to stdout, so the body of an error response is not printed.
            Some(_) => {
                body_start = response.read_body(MAX_ERROR_BODY_BYTES).await.unwrap_or_default();
                Ok(())
            }
        };
        if response.status().is_success() {
            printed
        } else {
            Err(self.about_profile(response.refusal_error(&body_start)))
        }
    }

    /// Streams the body to stdout, and copies its first bytes to `body_start`, for an error message.
    async fn forward_body(&self, response: &mut ApiResponse, body_start: &mut Vec<u8>) -> Result<(), Error> {
        let mut body = self.run.ui.passthrough();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.about_profile(error))? {
            let chunk = chunk.as_ref();
            body_start.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BODY_BYTES - body_start.len())]);
            body.write(chunk)?;
        }
        Ok(body.finish()?)
    }

    /// Prints the selected part of the body.
    async fn print_selected(&self, response: &mut ApiResponse, pointer: &Pointer) -> Result<(), Error> {
        let body = response.read_body(MAX_RESPONSE_BYTES).await.map_err(|error| self.about_profile(error))?;
        let part = pointer.find(&body).map_err(|error| self.about_profile(error))?;
        let mut output = self.run.ui.passthrough();
        output.write((json::plain_text(part) + "\n").as_bytes())?;
        Ok(output.finish()?)
    }

    fn about_profile(&self, error: impl Into<Error>) -> Error {
        error.into().about(self.profile)
    }
}

/// Returns the status and the headers, each on its own line, followed by an empty line.
fn status_and_headers(response: &ApiResponse) -> String {
    let status = format!("{:?} {}", response.version(), response.status());
    let mut head = status.trim_end().to_owned();
    for (name, value) in response.headers() {
        let _ = write!(head, "\n{name}: {}", sanitize_line(&String::from_utf8_lossy(value.as_bytes())));
    }
    head + "\n\n"
}

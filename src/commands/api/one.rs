//! `neto api` of one profile: the answer goes out as it comes in.

use super::{ApiArgs, MOST_SAID, MOST_WHOLE, json, words};
use crate::error::Error;
use crate::fusion::Reply;
use crate::output::clean;
use crate::profile::ProfileName;
use crate::workflow::{Run, Watch, remember};
use json::Pointer;
use std::fmt::Write as _;

/// One profile's answer, on its way out.
struct Answer<'a> {
    args: &'a ApiArgs,
    run: &'a Run<'a>,
    profile: &'a ProfileName,
}

/// Makes the call to the profile that was named, or is chosen.
pub(super) fn run(args: &ApiArgs, run: &Run<'_>) -> Result<(), Error> {
    let chosen = run.context.chosen(args.select.one())?;
    let profile = &chosen.profile;
    let call = args.call(run)?;
    args.guard.allow(run, &words(&call), !call.reads(), &[profile])?;
    let watch = Watch(run.ui);
    let session = run.context.session(&watch);
    let answer = Answer { args, run, profile: &profile.name };
    let want = args.want.want(false, false);
    let printed = session.ask_alone(chosen.declared(), want, &call, async |reply| answer.print(reply).await);
    remember(run, &watch);
    printed.map_err(|error| Error::from(error).about(&profile.name))?
}

impl Answer<'_> {
    /// Prints it. Of one that is no success the status counts, whatever becomes of its body.
    async fn print(&self, mut reply: Reply) -> Result<(), Error> {
        if self.args.include {
            self.run.ui.answer(&head(&reply))?;
        }
        let mut start = Vec::new();
        let printed = match &self.args.pointer {
            None => self.pass_on(&mut reply, &mut start).await,
            Some(pointer) if reply.status().is_success() => self.part(&mut reply, pointer).await,
            // Where a part was asked for, nothing else goes to standard output.
            Some(_) => {
                start = reply.whole(MOST_SAID).await.unwrap_or_default();
                Ok(())
            }
        };
        if reply.status().is_success() { printed } else { Err(self.failed(reply.refusal(&start))) }
    }

    /// Prints the body as it comes, and keeps its `start`.
    async fn pass_on(&self, reply: &mut Reply, start: &mut Vec<u8>) -> Result<(), Error> {
        let mut body = self.run.ui.foreign();
        while let Some(piece) = reply.chunk().await.map_err(|error| self.failed(error))? {
            let piece = piece.as_ref();
            start.extend_from_slice(&piece[..piece.len().min(MOST_SAID - start.len())]);
            body.put(piece)?;
        }
        Ok(body.end()?)
    }

    /// Prints a part of the body.
    async fn part(&self, reply: &mut Reply, pointer: &Pointer) -> Result<(), Error> {
        let whole = reply.whole(MOST_WHOLE).await.map_err(|error| self.failed(error))?;
        let part = pointer.part(&whole).map_err(|error| self.failed(error))?;
        let mut text = self.run.ui.foreign();
        text.put((json::plain(part) + "\n").as_bytes())?;
        Ok(text.end()?)
    }

    fn failed(&self, error: impl Into<Error>) -> Error {
        error.into().about(self.profile)
    }
}

/// The status and the headers, each on a line, and an empty line.
fn head(reply: &Reply) -> String {
    let status = format!("{:?} {}", reply.version(), reply.status());
    let mut head = status.trim_end().to_owned();
    for (name, value) in reply.headers() {
        let _ = write!(head, "\n{name}: {}", clean(&String::from_utf8_lossy(value.as_bytes())));
    }
    head + "\n\n"
}

//! A line of JSON a request: who asked for what, and how it ended. Never a body, a header, or a value of a query.

use crate::clock::Clock;
use crate::disk::{self, DiskError};
use crate::profile::ProfileName;
use hyper::{Method, StatusCode, Uri};
use jiff::Timestamp;
use serde::Serialize;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

/// The longest name of a query that is written down, in bytes.
const LONGEST_NAME: usize = 64;

/// The file of the lines.
#[derive(Debug)]
pub struct Audit {
    file: PathBuf,
    clock: Clock,
    /// Why the last line could not be written, until somebody tells it.
    failed: RefCell<Option<DiskError>>,
}

/// One request, written down when its answer has gone, where requests are.
#[derive(Debug)]
pub(super) struct Entry(Option<Request>);

#[derive(Debug)]
struct Request {
    audit: Rc<Audit>,
    began: Instant,
    profile: ProfileName,
    method: String,
    path: String,
    status: u16,
    bytes: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    profile: &'a ProfileName,
    method: &'a str,
    path: &'a str,
    status: u16,
    ms: u128,
    bytes: u64,
}

impl Audit {
    /// Lines are appended to this file, which is made private where it is not there.
    ///
    /// # Errors
    /// [`DiskError`] where it cannot be written, which is better known before the first request.
    pub fn new(file: PathBuf, clock: Clock) -> Result<Self, DiskError> {
        disk::refuse_pipe(&file)?;
        disk::append(&file, b"")?;
        Ok(Self { file, clock, failed: RefCell::default() })
    }

    /// Why a line could not be written since this was last asked.
    pub fn take_failure(&self) -> Option<DiskError> {
        self.failed.take()
    }

    fn write(&self, entry: &Request) {
        let line = Line {
            time: self.clock.now(),
            profile: &entry.profile,
            method: &entry.method,
            path: &entry.path,
            status: entry.status,
            ms: entry.began.elapsed().as_millis(),
            bytes: entry.bytes,
        };
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        // In one write, so that the lines of several decoys do not mix.
        if let Err(error) = disk::append(&self.file, text.as_bytes()) {
            self.failed.replace(Some(error));
        }
    }
}

impl Entry {
    /// A request that has just come, whose answer nothing is known of.
    pub(super) fn new(audit: Option<&Rc<Audit>>, profile: &ProfileName, method: &Method, uri: &Uri) -> Self {
        Self(audit.map(|audit| Request {
            audit: Rc::clone(audit),
            began: Instant::now(),
            profile: profile.clone(),
            method: method.to_string(),
            path: uri.path().to_owned() + &names(uri.query().unwrap_or_default()),
            status: 0,
            bytes: 0,
        }))
    }

    /// How it was answered.
    pub(super) fn answered(&mut self, status: StatusCode) {
        if let Some(request) = &mut self.0 {
            request.status = status.as_u16();
        }
    }

    /// So many bytes more of the answer's body went.
    pub(super) fn went(&mut self, bytes: usize) {
        if let Some(request) = &mut self.0 {
            request.bytes += bytes as u64;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some(request) = self.0.take() {
            request.audit.write(&request);
        }
    }
}

/// The names of a query, without their values. A word without a value is one, and so is what is no plain name.
fn names(query: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    let is_name = |name: &str| (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter(|(name, value)| is_name(name) && !value.trim_matches('=').is_empty());
    let names: Vec<String> = pairs.map(|(name, _)| format!("{name}=")).collect();
    if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_query_the_names_stay() {
        for (query, kept) in [
            ("", ""),
            ("a=1&b[]=secret", "?a=&b[]="),
            ("secret", ""),
            ("a=b=c&&=x", "?a="),
            ("U0VDUkVU==", ""),
            ("%61=1", ""),
        ] {
            assert_eq!(names(query), kept, "{query}");
        }
    }
}

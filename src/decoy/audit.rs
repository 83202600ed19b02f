//! Audit log: one line of JSON per request with path, status and size. Logs no body, no header and no query value.

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

/// Maximum length of a query name that is logged, in bytes.
const MAX_NAME_LENGTH: usize = 64;

/// Audit log file.
#[derive(Debug)]
pub struct Audit {
    file: PathBuf,
    clock: Clock,
    /// Error of the last failed write, until [`Audit::take_failure`] returns the error.
    failure: RefCell<Option<DiskError>>,
}

/// Log entry of one request, written when dropped at the end of the answer; `None` without an audit log.
#[derive(Debug)]
pub(super) struct AuditEntry(Option<AuditedRequest>);

#[derive(Debug)]
struct AuditedRequest {
    audit: Rc<Audit>,
    began: Instant,
    profile: ProfileName,
    method: String,
    path: String,
    status: u16,
    bytes: u64,
}

#[derive(Serialize)]
struct AuditLine<'a> {
    time: Timestamp,
    profile: &'a ProfileName,
    method: &'a str,
    path: &'a str,
    status: u16,
    ms: u128,
    bytes: u64,
}

impl Audit {
    /// Creates the log file privately if it is missing; lines are appended.
    ///
    /// # Errors
    /// [`DiskError`] if the file cannot be written, so that this is reported before the first request.
    pub fn new(file: PathBuf, clock: Clock) -> Result<Self, DiskError> {
        disk::refuse_pipe(&file)?;
        disk::append(&file, b"")?;
        Ok(Self { file, clock, failure: RefCell::default() })
    }

    /// Takes the error of the last failed write, if any.
    pub fn take_failure(&self) -> Option<DiskError> {
        self.failure.take()
    }

    fn write(&self, entry: &AuditedRequest) {
        let line = AuditLine {
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
        // One write per line, so that lines of several decoys do not mix.
        if let Err(error) = disk::append(&self.file, text.as_bytes()) {
            self.failure.replace(Some(error));
        }
    }
}

impl AuditEntry {
    /// Creates the entry of a request that was not answered yet.
    pub(super) fn new(audit: Option<&Rc<Audit>>, profile: &ProfileName, method: &Method, uri: &Uri) -> Self {
        Self(audit.map(|audit| AuditedRequest {
            audit: Rc::clone(audit),
            began: Instant::now(),
            profile: profile.clone(),
            method: method.to_string(),
            path: uri.path().to_owned() + &query_names(uri.query().unwrap_or_default()),
            status: 0,
            bytes: 0,
        }))
    }

    /// Sets the status of the answer.
    pub(super) fn set_status(&mut self, status: StatusCode) {
        if let Some(request) = &mut self.0 {
            request.status = status.as_u16();
        }
    }

    /// Adds bytes of the answer's body to the size.
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        if let Some(request) = &mut self.0 {
            request.bytes += bytes as u64;
        }
    }
}

impl Drop for AuditEntry {
    fn drop(&mut self) {
        if let Some(request) = self.0.take() {
            request.audit.write(&request);
        }
    }
}

/// Returns the names of a query without their values. A word without a value may be a value, and is dropped like a name
/// with unusual characters.
fn query_names(query: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    let is_name = |name: &str| (1..=MAX_NAME_LENGTH).contains(&name.len()) && name.bytes().all(plain);
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
            assert_eq!(query_names(query), kept, "{query}");
        }
    }
}

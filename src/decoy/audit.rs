//! Audit log: one line of JSON per request from the program, with path, status and size. Must not log bodies, headers
//! or values of query parameters, because they may be secret.

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

/// Maximum length of a query parameter's name in the log.
const MAX_PARAMETER_NAME_BYTES: usize = 64;

/// Audit log file.
#[derive(Debug)]
pub struct AuditLog {
    file: PathBuf,
    clock: Clock,
    /// Error of the last failed write since the last call of [`AuditLog::take_failure`].
    failure: RefCell<Option<DiskError>>,
}

/// Log entry of one request. The entry is written when it is dropped, at the end of the response. `None` if requests
/// are not logged.
#[derive(Debug)]
pub(super) struct AuditEntry(Option<AuditedRequest>);

#[derive(Debug)]
struct AuditedRequest {
    audit: Rc<AuditLog>,
    started_at: Instant,
    profile: ProfileName,
    method: String,
    path: String,
    /// Status of the response; 0 until the response begins.
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

impl AuditLog {
    /// Opens a log file for appending. Creates a missing file with mode 0600.
    ///
    /// # Errors
    /// Returns [`DiskError`] if the file is a pipe or cannot be opened for writing.
    pub fn open(file: PathBuf, clock: Clock) -> Result<Self, DiskError> {
        disk::refuse_pipe(&file)?;
        disk::append(&file, b"")?;
        Ok(Self { file, clock, failure: RefCell::default() })
    }

    /// Takes the error of the last failed write. Returns `None` if no write failed since the previous call.
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
            ms: entry.started_at.elapsed().as_millis(),
            bytes: entry.bytes,
        };
        let mut json_line = serde_json::to_string(&line).unwrap_or_default();
        json_line.push('\n');
        // A line is appended in one write, so that lines of several processes do not mix.
        if let Err(error) = disk::append(&self.file, json_line.as_bytes()) {
            self.failure.replace(Some(error));
        }
    }
}

impl AuditEntry {
    /// Creates the entry of a request, with status 0. This status is logged if the program disconnects before the
    /// response.
    pub(super) fn new(audit: Option<&Rc<AuditLog>>, profile: &ProfileName, method: &Method, uri: &Uri) -> Self {
        Self(audit.map(|audit| AuditedRequest {
            audit: Rc::clone(audit),
            started_at: Instant::now(),
            profile: profile.clone(),
            method: method.to_string(),
            path: uri.path().to_owned() + &query_names(uri.query().unwrap_or_default()),
            status: 0,
            bytes: 0,
        }))
    }

    /// Sets the status of the response.
    pub(super) fn set_status(&mut self, status: StatusCode) {
        if let Some(request) = &mut self.0 {
            request.status = status.as_u16();
        }
    }

    /// Adds to the number of bytes in the response body.
    pub(super) fn add_bytes(&mut self, count: usize) {
        if let Some(request) = &mut self.0 {
            request.bytes += count as u64;
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

/// Returns the parameter names of a query without their values: `?limit=&offset=`. Omits a parameter without a value,
/// because its text may be secret. Omits names with unusual characters and names longer than 64 bytes.
fn query_names(query: &str) -> String {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]".contains(&byte);
    let is_name = |name: &str| (1..=MAX_PARAMETER_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_usual);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter(|(name, value)| is_name(name) && !value.trim_matches('=').is_empty());
    let names: Vec<String> = pairs.map(|(name, _)| format!("{name}=")).collect();
    if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parameter_names_of_a_query_are_kept() {
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

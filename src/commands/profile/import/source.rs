//! The file, or standard input, that an import is read from.

use crate::disk::{self, DiskError, Privacy, Rules};
use crate::error::{Code, Error};
use crate::secret::import::{Import, ImportError};
use crate::workflow::Run;
use std::path::Path;

/// The most that a file or standard input may hold.
const CAP: u64 = 64 << 20;

/// Whether a word means standard input.
pub(super) fn is_stdin(file: &str) -> bool {
    file == "-"
}

/// Reads the file or standard input.
pub(super) fn read(file: &str, run: &Run<'_>) -> Result<Import, Error> {
    let bytes = if is_stdin(file) { read_stdin(run)? } else { read_file(run, Path::new(file))? };
    let named = if is_stdin(file) { "standard input" } else { file };
    Import::read(bytes).map_err(|error| {
        let failure = Error::new(Code::Store, format!("{named}: {error}"));
        match error {
            ImportError::Unknown => failure.with_hint(
                "looked for: NETOSECRETs, one a line; NETOSECRET=... or APPNAME, APPKEY, SHORTNAME and SHARED_SECRET\n\
                 as in a .env file; JSON, from its first brace or bracket; CSV, with a header line such as\n\
                 name,shortname,appname,appkey,sharedsecret,url,tags or name,netosecret",
            ),
            ImportError::Header(_) => failure.with_hint("name,shortname,appname,appkey,sharedsecret,url,tags"),
            _ => failure,
        }
    })
}

fn read_file(run: &Run<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let read = disk::read(&run.context.absolute(path), Rules { cap: CAP, privacy: Privacy::Any });
    read.map_err(|error| match error {
        DiskError::NotAFile { found: "a device or pipe", .. } => {
            Error::from(error).with_hint("... | neto profile import -")
        }
        other => other.into(),
    })
}

fn read_stdin(run: &Run<'_>) -> Result<Vec<u8>, Error> {
    if run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "standard input is a terminal, which would show the credentials")
            .with_hint("... | neto profile import -"));
    }
    let too_much = || Error::new(Code::Store, format!("standard input holds more than {} MiB", CAP >> 20));
    Ok(std::mem::take(&mut *run.piped(CAP)?.ok_or_else(too_much)?))
}

//! Reads and parses the import file or standard input.

use crate::disk::{self, DiskError, Privacy, ReadRules};
use crate::error::{Code, Error, Hint};
use crate::secret::import::{Import, ImportError};
use crate::workflow::Run;
use std::path::Path;

/// Maximum size of the input, in bytes.
const MAX_IMPORT_BYTES: u64 = 64 << 20;

/// Checks whether the FILE argument is `-`, which means standard input.
pub(super) fn is_stdin(file: &str) -> bool {
    file == "-"
}

/// Reads and parses the file or standard input.
pub(super) fn read(file: &str, run: &Run<'_>) -> Result<Import, Error> {
    let bytes = if is_stdin(file) { read_stdin(run)? } else { read_file(run, Path::new(file))? };
    let display_name = if is_stdin(file) { "standard input" } else { file };
    Import::parse(bytes).map_err(|error| {
        let wrapped = Error::new(Code::Store, format!("{display_name}: {error}"));
        match error {
            ImportError::UnknownFormat => wrapped.with_hint(Hint::advice(
                "looked for: NETOSECRETs, one a line; NETOSECRET=... or APPNAME, APPKEY, SHORTNAME and SHARED_SECRET\n\
                 as in a .env file; JSON, from its first brace or bracket; CSV, with a header line such as\n\
                 name,shortname,appname,appkey,sharedsecret,url,tags or name,netosecret",
            )),
            ImportError::Header(_) => {
                wrapped.with_hint(Hint::advice("name,shortname,appname,appkey,sharedsecret,url,tags"))
            }
            _ => wrapped,
        }
    })
}

fn read_file(run: &Run<'_>, path: &Path) -> Result<Vec<u8>, Error> {
    let read = disk::read(&run.context.absolute(path), ReadRules { cap: MAX_IMPORT_BYTES, privacy: Privacy::Any });
    read.map_err(|error| match error {
        DiskError::NotAFile { found: "a device or pipe", .. } => {
            Error::from(error).with_hint(Hint::command("... | neto profile import -"))
        }
        other => other.into(),
    })
}

fn read_stdin(run: &Run<'_>) -> Result<Vec<u8>, Error> {
    if run.context.process.terminal.stdin {
        return Err(Error::new(Code::Usage, "standard input is a terminal, which would show the credentials")
            .with_hint(Hint::command("... | neto profile import -")));
    }
    let too_much = || Error::new(Code::Store, format!("standard input holds more than {} MiB", MAX_IMPORT_BYTES >> 20));
    Ok(std::mem::take(&mut *run.read_stdin(MAX_IMPORT_BYTES)?.ok_or_else(too_much)?))
}

//! a file is synced before its rename, and its directory after the rename. A new token is not synced, because
//! losing it costs only a login. The record that a refresh token is used (burned) is synced.

use super::scale::print_summary;
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use std::collections::HashMap;
use std::path::Path;

/// Whether the file was synced before its rename, and whether its directory was synced after the rename.
pub(super) type Synced = (bool, bool);

/// A file that was renamed or linked to its final name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) target: String,
    /// Whether the file was synced before the rename.
    file_synced: bool,
    /// Whether the directory was synced after the rename.
    directory_synced: bool,
}

/// Returns the quoted strings in a line of strace output.
fn quoted(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

/// Returns the renames and links in a trace, each with the syncs before and after it.
pub(super) fn renames(calls: &[TracedCall]) -> Vec<Renamed> {
    // Maps descriptors to paths. strace cannot resolve descriptors, because neto forbids access to its process
    // (`PR_SET_DUMPABLE`).
    let mut open_paths: HashMap<&str, &str> = HashMap::new();
    let mut synced: Vec<&str> = Vec::new();
    let mut renamed: Vec<Renamed> = Vec::new();
    for TracedCall { name, line } in calls {
        let Some((call, result)) = line.rsplit_once(" = ").filter(|(_, result)| !result.starts_with('-')) else {
            continue;
        };
        let descriptor = call.split(['(', ')', ',']).nth(1).unwrap_or_default();
        match (name.as_str(), quoted(call).as_slice()) {
            ("open" | "openat", [path]) => {
                // A newly created file is not synced, even if a file with the same path was.
                synced.retain(|known| known != path || !call.contains("O_CREAT"));
                open_paths.insert(result.trim(), path);
            }
            ("fsync" | "fdatasync", _) => {
                let path = open_paths[descriptor];
                synced.push(path);
                let is_in_directory =
                    |renamed: &&mut Renamed| Path::new(&renamed.target).parent() == Some(Path::new(path));
                renamed.iter_mut().filter(is_in_directory).for_each(|renamed| renamed.directory_synced = true);
            }
            ("rename" | "renameat" | "renameat2" | "link" | "linkat", [source, target]) => {
                let file_synced = synced.contains(source);
                renamed.push(Renamed { target: (*target).to_owned(), file_synced, directory_synced: false });
            }
            _ => {}
        }
    }
    renamed
}

/// Runs the command once under strace and returns its renames and links.
fn renames_of(verb: Verb) -> Vec<Renamed> {
    let mut fixture = VerbFixture::new(verb);
    fixture.prepare();
    let neto = env!("CARGO_BIN_EXE_neto");
    strace::traced(&fixture.sandbox, &[], neto, &fixture.arguments()).stdin(fixture.stdin()).run().code(0);
    let renamed = renames(&strace::traced_calls(&fixture.sandbox));
    fixture.check(0);
    renamed
}

impl Renamed {
    pub(super) fn synced(&self) -> (&str, Synced) {
        let name = Path::new(&self.target).file_name().and_then(|name| name.to_str()).expect("a name");
        (name, (self.file_synced, self.directory_synced))
    }
}

#[test]
fn r5_what_is_renamed_into_place_is_synced_but_for_tokens() {
    if !strace::works() {
        return;
    }
    let (both, neither) = ((true, true), (false, false));
    let expected: [(Verb, &[(&str, Synced)]); 5] = [
        (Verb::Login, &[("acme.token", neither)]),
        // First the used refresh token is recorded (burned), then the new token is saved.
        (Verb::Refresh, &[("acme.token", both), ("acme.token", neither)]),
        (Verb::Add, &[("profiles.toml", both), ("trust.json", both)]),
        (Verb::Seal, &[("profiles.toml", both), ("trust.json", both)]),
        (Verb::Use, &[("current.json", both)]),
    ];
    let mut count = 0;
    for (verb, files) in expected {
        // After a power loss only data that another login restores may be missing.
        let renamed = renames_of(verb);
        let mut found: Vec<_> = renamed.iter().map(Renamed::synced).collect();
        if verb != Verb::Refresh {
            found.sort_unstable();
        }
        assert_eq!(found, files, "{verb:?}");
        count += found.len();
    }
    print_summary(&format!(
        "{count} renames of login, refresh, add, seal and use: synced before and after, but for new tokens"
    ));
}

#[test]
fn r5_a_rename_without_syncs_is_seen() {
    let trace = |lines: &[&str]| {
        let traced_call = |line: &&str| TracedCall {
            name: line.split('(').next().expect("a name").to_owned(),
            line: (*line).to_owned(),
        };
        let renamed = renames(&lines.iter().map(traced_call).collect::<Vec<_>>());
        renamed.iter().map(|renamed| (renamed.file_synced, renamed.directory_synced)).collect::<Vec<_>>()
    };
    let temporary = "openat(AT_FDCWD, \"/h/.neto-tmp-a\", O_RDWR|O_CREAT|O_EXCL, 0600) = 4";
    let (sync, rename) = ("fsync(4) = 0", "rename(\"/h/.neto-tmp-a\", \"/h/store\") = 0");
    let (directory, sync_directory) = ("openat(AT_FDCWD, \"/h\", O_RDONLY|O_CLOEXEC) = 5", "fsync(5) = 0");
    for (lines, seen) in [
        (&[temporary, sync, rename, directory, sync_directory][..], (true, true)),
        (&[temporary, rename, directory, sync_directory], (false, true)),
        (&[temporary, sync, rename], (true, false)),
        (&[temporary, rename, "close(4) = 0"], (false, false)),
        // The sync comes too early, comes too late, or fails.
        (&[directory, temporary, sync_directory, sync, rename], (true, false)),
        (&[temporary, rename, sync], (false, false)),
        (&[temporary, "fsync(4) = -1 EIO (Input/output error)", rename], (false, false)),
    ] {
        assert_eq!(trace(lines), [seen], "{lines:?}");
    }
}

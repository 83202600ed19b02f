//! a file is synced before its rename, and its directory after the rename. Token files are not synced, except when
//! a refresh token is burned.

use super::scale::print_summary;
use super::strace::{self, TracedCall};
use super::verb::{Verb, VerbFixture};
use std::collections::HashMap;
use std::path::Path;

/// Whether the file was synced before its rename, and its directory after the rename.
pub(super) type Synced = (bool, bool);

/// A file that was renamed or linked to its final name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) target: String,
    /// Whether the file was synced before the rename.
    file_synced: bool,
    /// Whether the directory was synced after the rename.
    folder_synced: bool,
}

/// Returns the quoted texts in a line of strace.
fn quoted(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

/// Reads the renames, links and syncs from a trace.
pub(super) fn renames(calls: &[TracedCall]) -> Vec<Renamed> {
    // Maps descriptors to paths. strace cannot resolve them, because neto forbids access to its process.
    let mut open: HashMap<&str, &str> = HashMap::new();
    let mut synced: Vec<&str> = Vec::new();
    let mut renamed: Vec<Renamed> = Vec::new();
    for TracedCall { name, line } in calls {
        let Some((call, result)) = line.rsplit_once(" = ").filter(|(_, result)| !result.starts_with('-')) else {
            continue;
        };
        let descriptor = call.split(['(', ')', ',']).nth(1).unwrap_or_default();
        match (name.as_str(), quoted(call).as_slice()) {
            ("open" | "openat", [path]) => {
                // A file that is created again is not yet synced.
                synced.retain(|known| known != path || !call.contains("O_CREAT"));
                open.insert(result.trim(), path);
            }
            ("fsync" | "fdatasync", _) => {
                let path = open[descriptor];
                synced.push(path);
                let in_it = |renamed: &&mut Renamed| Path::new(&renamed.target).parent() == Some(Path::new(path));
                renamed.iter_mut().filter(in_it).for_each(|renamed| renamed.folder_synced = true);
            }
            ("rename" | "renameat" | "renameat2" | "link" | "linkat", [source, target]) => {
                let file_synced = synced.contains(source);
                renamed.push(Renamed { target: (*target).to_owned(), file_synced, folder_synced: false });
            }
            _ => {}
        }
    }
    renamed
}

/// Runs a verb and returns its renames.
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
        (name, (self.file_synced, self.folder_synced))
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
        // The burn, then the new token.
        (Verb::Refresh, &[("acme.token", both), ("acme.token", neither)]),
        (Verb::Add, &[("profiles.toml", both), ("trust.json", both)]),
        (Verb::Seal, &[("profiles.toml", both), ("trust.json", both)]),
        (Verb::Use, &[("current.json", both)]),
    ];
    let mut count = 0;
    for (verb, files) in expected {
        // Power loss may only lose what another login restores.
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
        let listed = |line: &&str| TracedCall {
            name: line.split('(').next().expect("a name").to_owned(),
            line: (*line).to_owned(),
        };
        let renamed = renames(&lines.iter().map(listed).collect::<Vec<_>>());
        renamed.iter().map(|one| (one.file_synced, one.folder_synced)).collect::<Vec<_>>()
    };
    let temporary = "openat(AT_FDCWD, \"/h/.neto-tmp-a\", O_RDWR|O_CREAT|O_EXCL, 0600) = 4";
    let (sync, rename) = ("fsync(4) = 0", "rename(\"/h/.neto-tmp-a\", \"/h/store\") = 0");
    let (folder, sync_folder) = ("openat(AT_FDCWD, \"/h\", O_RDONLY|O_CLOEXEC) = 5", "fsync(5) = 0");
    for (lines, seen) in [
        (&[temporary, sync, rename, folder, sync_folder][..], (true, true)),
        (&[temporary, rename, folder, sync_folder], (false, true)),
        (&[temporary, sync, rename], (true, false)),
        (&[temporary, rename, "close(4) = 0"], (false, false)),
        // Synced too early, too late, or without success.
        (&[folder, temporary, sync_folder, sync, rename], (true, false)),
        (&[temporary, rename, sync], (false, false)),
        (&[temporary, "fsync(4) = -1 EIO (Input/output error)", rename], (false, false)),
    ] {
        assert_eq!(trace(lines), [seen], "{lines:?}");
    }
}

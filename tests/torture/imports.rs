//! R-15, promise 1: an import replaces the store exactly once. After a kill at any file-related system call, the store
//! has its old or its new content. The next run imports what is missing.

use super::scale::{SeededRng, print_summary, rounds};
use super::strace;
use crate::harness::Sandbox;
use std::fs;

const TENANTS: usize = 40;

/// Creates a store with one profile, and a CSV file with [`TENANTS`] more.
fn prepare_sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.add("acme");
    let rows = (0..TENANTS).map(|number| format!("t{number:02},soc,key,shared,https://a.example\n"));
    let rows: String = rows.collect();
    sandbox.write_secret("t.csv", format!("shortname,appname,appkey,sharedsecret,url\n{rows}"));
    sandbox
}

fn import_arguments() -> Vec<String> {
    ["profile", "import", "t.csv", "--existing", "skip"].map(str::to_owned).to_vec()
}

#[test]
fn an_import_that_is_killed_leaves_the_store_as_it_was_or_as_it_is_after() {
    if !strace::works() {
        return;
    }
    let neto = env!("CARGO_BIN_EXE_neto");
    let sandbox = prepare_sandbox();
    strace::traced(&sandbox, &[], neto, &import_arguments()).run().code(0);
    let calls = strace::traced_calls(&sandbox);
    let target = format!("\"{}\"", sandbox.home("profiles.toml").display());
    let replaced = calls.iter().filter(|call| call.name.starts_with("rename") && call.line.contains(&target));
    assert_eq!(replaced.count(), 1, "changes of the store");

    // The kills are at all calls that rename, link, remove or sync a file, and at random other calls.
    let mut occurrences = std::collections::BTreeMap::new();
    let mut points = Vec::new();
    for call in &calls {
        let count = occurrences.entry(call.name.clone()).or_insert(0);
        *count += 1;
        points.push((call.name.clone(), *count));
    }
    let changes =
        |(name, _): &(String, i32)| ["rename", "link", "unlink", "fsync"].iter().any(|start| name.starts_with(start));
    let (mut kill_points, others): (Vec<_>, Vec<_>) =
        points.into_iter().filter(|(name, _)| name != "execve").partition(changes);
    assert!(kill_points.len() > 4, "{kill_points:?}");
    let mut rng = SeededRng::new();
    kill_points.extend(rng.sample(others, rounds(1_000, 8)));
    let (mut old_stores, mut new_stores) = (0, 0);
    for (name, occurrence) in &kill_points {
        let sandbox = prepare_sandbox();
        let before = sandbox.store();
        let option = format!("inject={name}:signal=KILL:when={occurrence}");
        strace::traced(&sandbox, &[option], neto, &import_arguments()).run().code(137);
        let is_old = sandbox.store() == before;
        let listed = sandbox.neto(["ls", "-o", "json"]).run().code(0).json();
        let profiles = listed.as_array().expect("rows").len();
        assert!(profiles == if is_old { 1 } else { TENANTS + 1 }, "killed at {name} {occurrence}: {profiles} profiles");
        *(if is_old { &mut old_stores } else { &mut new_stores }) += 1;
        sandbox.neto(import_arguments()).run().code(0);
        assert_eq!(
            fs::read_to_string(sandbox.home("profiles.toml")).expect("a store").matches("[profiles.").count(),
            TENANTS + 1
        );
        sandbox.neto(["login", "acme"]).run().code(0);
    }
    assert!(old_stores > 0 && new_stores > 0, "{old_stores} old, {new_stores} new");
    print_summary(&format!(
        "{} kills of an import at its calls (seed {}): {old_stores} stores as before, {new_stores} as after",
        kill_points.len(),
        rng.seed
    ));
}

//! Checks structural rules that the compiler does not check: layers, import cycles, callers of `reveal`, and
//! system-specific code.

use crate::source_files::{self, Modules, SourceFile, named_paths};
use std::collections::{BTreeMap, BTreeSet};

/// Modules from the lowest layer to the highest. Each module imports only modules before it in this list.
const LAYERS: [&str; 18] = [
    "environment",
    "clock",
    "disk",
    "platform",
    "output",
    "profile",
    "secret",
    "token",
    "fusion",
    "session",
    "decoy",
    "context",
    "error",
    "workflow",
    "commands",
    "cli",
    "usage",
    "completion",
];

/// Modules without domain knowledge. They import only each other.
const WITHOUT_DOMAIN: [&str; 5] = ["environment", "clock", "disk", "platform", "output"];

/// Files above all layers. `lib.rs` and `main.rs` belong to no module, and `internals.rs` re-exports modules for tests,
/// benchmarks and fuzzing.
const ABOVE: [&str; 3] = ["src/lib.rs", "src/main.rs", "src/internals.rs"];

/// Files that call `.reveal(` outside tests. No other file may expose a secret, so a new entry needs a reason.
const REVEALING: [&str; 20] = [
    "src/commands/identity.rs",
    "src/commands/token.rs",
    "src/decoy/credential.rs",
    "src/fusion/api_keys.rs",
    "src/fusion/call.rs",
    "src/fusion/client.rs",
    "src/fusion/request.rs",
    "src/fusion/request_token.rs",
    "src/fusion/token_answer.rs",
    "src/secret/fields.rs",
    "src/secret/keys.rs",
    "src/secret/netosecret.rs",
    "src/secret/passphrase.rs",
    "src/secret/payload.rs",
    "src/secret/plugin/dialogue.rs",
    "src/secret/redactor.rs",
    "src/secret/value.rs",
    "src/session/vault.rs",
    "src/token/file.rs",
    "src/workflow/exported_variables.rs",
];

/// Returns the files in `src/`, except files that contain only tests.
fn product_files() -> Vec<SourceFile> {
    source_files::read(&["src"]).into_iter().filter(|file| !file.is_test()).collect()
}

/// Returns the layer of a module path; `None` for `lib.rs` and unknown modules.
fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == module)
}

/// Returns the imports of `file` that violate [`LAYERS`] or [`WITHOUT_DOMAIN`].
fn wrong_imports(file: &SourceFile) -> Vec<String> {
    let module = file.module();
    let Some(&own) = module.first() else { return Vec::new() };
    let mut wrong: Vec<String> = named_paths(&file.product_code(), &module)
        .into_iter()
        .filter_map(|path| path.into_iter().next())
        .filter(|import| layer(import).is_some() && import != own)
        .filter(|import| {
            let knows_domain = WITHOUT_DOMAIN.contains(&own) && !WITHOUT_DOMAIN.contains(&import.as_str());
            layer(import) >= layer(own) || knows_domain
        })
        .map(|import| format!("{} imports {import}", file.path))
        .collect();
    wrong.dedup();
    wrong
}

#[test]
fn a_module_imports_only_lower_layers() {
    let files = product_files();
    let files = files.iter().filter(|file| !ABOVE.contains(&file.path.as_str()));
    let wrong: Vec<String> = files.flat_map(wrong_imports).collect();
    assert!(wrong.is_empty(), "imports against the order of the layers:\n{}", wrong.join("\n"));
}

#[test]
fn an_import_of_a_higher_layer_is_found() {
    for (path, text, expected) in [
        ("src/disk/lock.rs", "use crate::profile::Store;", 1),
        ("src/output/ui.rs", "let x = crate::session::Session::new();", 1),
        ("src/workflow/git.rs", "use crate::{commands::seal, disk::Lock};", 1),
        ("src/profile/store.rs", "use crate::disk::Lock;", 0),
    ] {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(wrong_imports(&file).len(), expected, "{path}");
    }
}

#[test]
fn every_file_belongs_to_a_layer() {
    let files = product_files();
    let outside: Vec<&str> = files
        .iter()
        .filter(|file| !ABOVE.contains(&file.path.as_str()))
        .filter(|file| file.module().first().and_then(|module| layer(module)).is_none())
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(outside, Vec::<&str>::new(), "files outside the layers");
}

/// Returns, for each file, the files whose items the file names. An edge between a file and the `mod.rs` above it is
/// omitted.
fn edges(files: &[SourceFile]) -> BTreeMap<&str, BTreeSet<&str>> {
    let modules = Modules::new(files);
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let own = file.module();
        for path in named_paths(&file.product_code(), &own) {
            let Some(target) = modules.definition(&path) else { continue };
            let other = target.module();
            if !own.starts_with(&other) && !other.starts_with(&own) {
                edges.entry(&file.path).or_default().insert(&target.path);
            }
        }
    }
    edges
}

/// Returns the groups of files that form an import cycle: each file reaches every other file of its group.
fn circles<'f>(edges: &BTreeMap<&'f str, BTreeSet<&'f str>>) -> BTreeSet<BTreeSet<&'f str>> {
    let reachable = |start: &'f str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = edges.get(start).into_iter().flatten().copied().collect();
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(edges.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|file| (*file, reachable(file))).collect();
    let circle = |file: &&'f str| {
        let members = reached[file].iter().filter(|other| reached.get(*other).is_some_and(|set| set.contains(file)));
        members.copied().collect::<BTreeSet<&str>>()
    };
    reached.keys().map(circle).filter(|members| !members.is_empty()).collect()
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let files = product_files();
    let files: Vec<SourceFile> = files.into_iter().filter(|file| !ABOVE.contains(&file.path.as_str())).collect();
    let edges = edges(&files);
    assert!(edges.len() > 100, "the imports were read");
    let circles: Vec<String> = circles(&edges).iter().map(|files| format!("{files:?}")).collect();
    assert!(circles.is_empty(), "circles of files:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_of_files_is_found_through_a_reexport() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/a/mod.rs", "mod b;\nmod c;\npub use b::B;\npub use c::C;\n"),
        file("src/a/b.rs", "use super::C;\npub struct B(C);"),
        file("src/a/c.rs", "use super::b;\npub struct C;"),
        file("src/a/d.rs", "use super::B;"),
    ];
    let circles = circles(&edges(&files));
    assert_eq!(circles, BTreeSet::from([BTreeSet::from(["src/a/b.rs", "src/a/c.rs"])]));
}

#[test]
fn secrets_surface_in_few_named_files() {
    let files = product_files();
    let files: Vec<&str> =
        files.iter().filter(|file| file.product_code().contains(".reveal(")).map(|file| file.path.as_str()).collect();
    assert_eq!(files, REVEALING, "the files that call `.reveal(`");
}

#[test]
fn code_for_one_operating_system_is_in_disk_and_platform() {
    let conditions = ["unix", "windows", "target_os", "target_family"];
    let files = product_files();
    let elsewhere: Vec<&str> = files
        .iter()
        .filter(|file| !file.path.starts_with("src/disk/") && file.path != "src/platform.rs")
        .filter(|file| {
            let code = file.product_code();
            let mut attributes = code.match_indices("cfg").map(|(start, _)| code[start..].lines().next().unwrap_or(""));
            attributes.any(|line| line.contains('(') && conditions.iter().any(|system| line.contains(system)))
        })
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(elsewhere, Vec::<&str>::new(), "`cfg` for an operating system outside src/disk and src/platform.rs");
}

#[test]
fn r60_no_unsafe_code_and_a_reason_for_each_dependency() {
    let text = include_str!("../Cargo.toml");
    let manifest: toml::Table = text.parse().expect("a manifest");
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    let names: Vec<&String> = manifest["dependencies"].as_table().expect("dependencies").keys().collect();
    assert!(!names.is_empty());
    for name in names {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} = "))).expect("a line each");
        assert!(line.split(" # ").nth(1).is_some_and(|reason| reason.len() > 2), "no reason for {name}");
    }
}

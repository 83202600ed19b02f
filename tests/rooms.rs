//! Rules of the house that no compiler keeps: who may import whom, and who may look at a secret.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, from the ground up: each imports only rooms above it in this list.
const ROOMS: [&str; 15] = [
    "disk",
    "clock",
    "profile",
    "secret",
    "token",
    "fusion",
    "session",
    "proxy",
    "output",
    "context",
    "error",
    "commands",
    "cli",
    "usage",
    "completion",
];

/// Rooms that know no word of the domain: they import no room that does.
const ALONE: [&str; 2] = ["disk", "output"];

/// The files that call `.reveal(`, outside tests. A secret surfaces here and nowhere else; a new file in this list
/// wants a reason.
const REVEALING: [&str; 21] = [
    "commands/identity.rs",
    "commands/token.rs",
    "commands/variables.rs",
    "fusion/answer.rs",
    "fusion/api_keys.rs",
    "fusion/call.rs",
    "fusion/client.rs",
    "fusion/request.rs",
    "fusion/request_token.rs",
    "fusion/server_text.rs",
    "proxy/decoy.rs",
    "secret/fields.rs",
    "secret/keys.rs",
    "secret/netosecret.rs",
    "secret/passphrase.rs",
    "secret/payload.rs",
    "secret/plugin/dialogue.rs",
    "secret/plugin/error.rs",
    "secret/text.rs",
    "session/vault.rs",
    "token/file.rs",
];

/// A source file: where it lies below `src/`, and its text without comments and tests.
struct Source {
    path: String,
    code: String,
}

impl Source {
    /// The room it belongs to; `lib` and `main` stand above all.
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().expect("a name")
    }

    /// The rooms it names, in `use` lines and in paths.
    fn imports(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for (place, _) in self.code.match_indices("crate::") {
            if self.code[..place].ends_with('$') {
                continue;
            }
            let rest = &self.code[place + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group_heads(group)),
                None => found.push(word(rest)),
            }
        }
        found.retain(|name| ROOMS.contains(name));
        found
    }
}

/// The first word of each member of `a::B, c::{D, E}, f}`, up to the closing brace.
fn group_heads(group: &str) -> Vec<&str> {
    let mut heads = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (place, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            ',' if depth == 0 => {
                heads.push(word(group[start..place].trim()));
                start = place + 1;
            }
            '}' if depth == 0 => {
                heads.push(word(group[start..place].trim()));
                break;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    &text[..end]
}

/// The sources of the product.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&root, &mut files);
    files.sort();
    let source = |file: PathBuf| {
        let path = file.strip_prefix(&root).expect("below src").to_str().expect("text").replace('\\', "/");
        let text = fs::read_to_string(&file).expect("a source file");
        Source { path, code: product_code(&text) }
    };
    files.into_iter().map(source).filter(|source| !source.path.ends_with("tests.rs")).collect()
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The text without line comments and without what follows `#[cfg(test)]` with a body, which stands at the end.
fn product_code(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if line == "#[cfg(test)]" && lines.peek().is_some_and(|next| next.contains("mod ") && next.ends_with('{')) {
            break;
        }
        if !line.starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

#[test]
fn a_room_imports_only_rooms_above_it() {
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        for import in source.imports() {
            let allowed = room == import || place(room).is_none_or(|own| place(import) < Some(own));
            if !allowed || (ALONE.contains(&room) && !ALONE.contains(&import)) {
                wrong.push(format!("src/{} imports {import}", source.path));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "against the order of the rooms:\n{}", wrong.join("\n"));
}

#[test]
fn every_file_lies_in_a_room() {
    let known = |source: &Source| ["lib", "main"].contains(&source.room()) || ROOMS.contains(&source.room());
    let homeless: Vec<String> =
        sources().into_iter().filter(|source| !known(source)).map(|source| source.path).collect();
    assert_eq!(homeless, Vec::<String>::new(), "files outside the rooms of the house");
}

#[test]
fn secrets_surface_in_few_named_places() {
    let files: Vec<String> =
        sources().into_iter().filter(|source| source.code.contains(".reveal(")).map(|source| source.path).collect();
    assert_eq!(files, REVEALING, "the files that call `.reveal(`");
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

#[test]
fn imports_are_read_out_of_groups_and_paths() {
    let text = "// crate::cli\nuse crate::{disk::{self, Lock}, profile, clock::Clock};\nlet x = crate::token::fresh();\n\
                $crate::session::x!();\n#[cfg(test)]\nmod tests {\nuse crate::cli;\n}\n";
    let source = Source { path: "secret/keys.rs".to_owned(), code: product_code(text) };
    assert_eq!((source.room(), source.imports()), ("secret", vec!["disk", "profile", "clock", "token"]));
}

//! Reads the Rust files of the repository for the tests that check their imports and comments.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rust file of the repository.
pub(crate) struct SourceFile {
    /// Path below the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl SourceFile {
    /// Returns the text without line comments and without what `#[cfg(test)]` marks. A test module stands at the end.
    pub(crate) fn product_code(&self) -> String {
        let mut code = String::new();
        let mut lines = self.text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        while let Some(line) = lines.next() {
            if line == "#[cfg(test)]" {
                let marked = lines.by_ref().find(|line| !line.starts_with("#[")).unwrap_or_default();
                if marked.contains("mod ") && marked.ends_with('{') {
                    break;
                }
            } else {
                code.push_str(line);
                code.push('\n');
            }
        }
        code
    }

    /// Checks for a file that holds only tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Returns the module path below `src/`: `["secret", "keys"]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.path.strip_prefix("src/").expect("a file below src");
        let path = path.strip_suffix(".rs").expect("a Rust file");
        path.split('/').filter(|name| !["mod", "lib", "main"].contains(name)).collect()
    }
}

/// Returns the Rust files below these directories of the repository, sorted by path.
pub(crate) fn read(directories: &[&str]) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for directory in directories {
        collect(&root.join(directory), &mut files);
    }
    files.sort();
    let source = |file: &PathBuf| SourceFile {
        path: file.strip_prefix(root).expect("below the repository").to_str().expect("UTF-8").replace('\\', "/"),
        text: fs::read_to_string(file).expect("a source file"),
    };
    files.iter().map(source).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the absolute paths that `code` of module `module` names, from `crate::`, `super::` and `self::` on.
pub(crate) fn named_paths(code: &str, module: &[&str]) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (start, _) in code.match_indices("::") {
        let head = word_before(&code[..start]);
        let before = &code[..start - head.len()];
        if !["crate", "super", "self"].contains(&head) || before.ends_with(['$', ':']) {
            continue;
        }
        let mut prefix: Vec<String> = match head {
            "crate" => Vec::new(),
            "super" => module[..module.len().saturating_sub(1)].iter().map(ToString::to_string).collect(),
            _ => module.iter().map(ToString::to_string).collect(),
        };
        let mut rest = &code[start + 2..];
        while let Some(after) = rest.strip_prefix("super::") {
            prefix.pop();
            rest = after;
        }
        expand(rest, &prefix, &mut paths);
    }
    paths
}

/// Adds the paths of a use tree: `a::B`, `c::{D, e::F}`. Returns the rest of the text.
fn expand<'t>(text: &'t str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let after = expand(rest, prefix, paths);
            // A character that no use tree has: this is another kind of block.
            if after.len() == rest.len() {
                return rest;
            }
            rest = after;
        }
    }
    let end = text.find(|character: char| !is_word(character)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let mut path = prefix.to_vec();
    if word != "self" && !word.is_empty() {
        path.push(word.to_owned());
    }
    if let Some(rest) = rest.strip_prefix("::") {
        return expand(rest, &path, paths);
    }
    paths.push(path);
    rest
}

fn word_before(text: &str) -> &str {
    let start = text.rfind(|character: char| !is_word(character)).map_or(0, |index| {
        let character = text[index..].chars().next().expect("a character");
        index + character.len_utf8()
    });
    &text[start..]
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Files of `src/` by module path, with the names that each module re-exports.
pub(crate) struct Modules<'f> {
    files: BTreeMap<Vec<&'f str>, &'f SourceFile>,
    exports: BTreeMap<(Vec<&'f str>, String), Vec<String>>,
}

impl<'f> Modules<'f> {
    pub(crate) fn new(files: &'f [SourceFile]) -> Self {
        let files: BTreeMap<_, _> = files.iter().map(|file| (file.module(), file)).collect();
        let mut exports = BTreeMap::new();
        for (module, file) in &files {
            let code = file.product_code();
            let own: Vec<String> = module.iter().map(ToString::to_string).collect();
            for visibility in ["\npub use ", "\npub(crate) use ", "\npub(super) use "] {
                for (start, _) in code.match_indices(visibility) {
                    let tree = code[start + visibility.len()..].trim_start_matches("self::");
                    let mut paths = Vec::new();
                    expand(tree, &own, &mut paths);
                    for path in paths.into_iter().filter(|path| path.len() > own.len() + 1) {
                        exports.insert((module.clone(), path[path.len() - 1].clone()), path);
                    }
                }
            }
        }
        Self { files, exports }
    }

    /// Returns the file that defines what `path` names, through re-exports.
    pub(crate) fn definition(&self, path: &[String]) -> Option<&'f SourceFile> {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let depth = (0..=parts.len()).rev().find(|depth| *depth > 0 && self.files.contains_key(&parts[..*depth]))?;
        let (module, file) = self.files.get_key_value(&parts[..depth])?;
        match path.get(depth).and_then(|name| self.exports.get(&(module.clone(), name.clone()))) {
            Some(exported) if exported != path => self.definition(exported),
            _ => Some(file),
        }
    }
}

#[test]
fn paths_are_read_out_of_groups_and_code() {
    let text = "// crate::cli\nuse crate::{disk::{self, Lock}, clock::Clock};\nuse super::{value, json::read};\n\
                let x = crate::token::fresh();\n$crate::session::x!();\n#[cfg(test)]\nmod tests {\nuse crate::cli;\n}\n";
    let file = SourceFile { path: "src/secret/keys.rs".to_owned(), text: text.to_owned() };
    let paths: Vec<String> =
        named_paths(&file.product_code(), &file.module()).iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["disk", "disk::Lock", "clock::Clock", "secret::value", "secret::json::read", "token::fresh"]);
}

#[test]
fn a_reexported_name_leads_to_the_file_that_defines_it() {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/a/mod.rs", "mod b;\npub use b::{B, Other};\npub(crate) struct Own;\n"),
        file("src/a/b.rs", "pub struct B;"),
    ];
    let modules = Modules::new(&files);
    let definition = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        modules.definition(&path).map(|file| file.path.as_str())
    };
    assert_eq!(definition(&["a", "B"]), Some("src/a/b.rs"));
    assert_eq!(definition(&["a", "b", "B"]), Some("src/a/b.rs"));
    assert_eq!(definition(&["a", "Own"]), Some("src/a/mod.rs"));
    assert_eq!(definition(&["nowhere"]), None);
}

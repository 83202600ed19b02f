//! `docs/reliability.md` lists the requirements by number. Each requirement has a test whose name starts with its
//! number, or the page says why not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Numbers of the requirements; some numbers between the groups are unused.
const NUMBERS: [std::ops::RangeInclusive<u32>; 4] = [1..=32, 40..=48, 50..=55, 56..=61];

/// Returns the numbers in test names: `r8_r17_a_login_survives_every_fault` has two.
fn tested() -> BTreeSet<u32> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut found) = (Vec::new(), BTreeSet::new());
    gather(&root.join("src"), &mut files);
    gather(&root.join("tests"), &mut files);
    for text in files {
        for (at, _) in text.match_indices("fn r") {
            let name =
                text[at + 3..].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            let numbers = name.split('_').map_while(|part| match part {
                "and" => Some(None),
                part => part.strip_prefix('r')?.parse::<u32>().ok().map(Some),
            });
            found.extend(numbers.flatten());
        }
    }
    found
}

fn gather(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_requirement_has_a_test_that_names_it() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| R-")?.split_once(" | "));
    let listed: Vec<(u32, &str)> = rows.map(|(number, rest)| (number.parse().expect("a number"), rest)).collect();
    let expected: Vec<u32> = NUMBERS.into_iter().flatten().collect();
    assert_eq!(listed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected, "the rows of the page");
    let tested = tested();
    for (number, row) in listed {
        assert_ne!(tested.contains(&number), row.contains("no test"), "R-{number}: {row}");
    }
}

#[test]
fn numbers_are_read_from_names() {
    // These numbers cover each spelling, so the test above cannot pass by finding no number.
    let tested = tested();
    for number in [5, 8, 17, 28, 30] {
        assert!(tested.contains(&number), "{number}");
    }
    assert!(!tested.contains(&33) && !tested.contains(&10));
}

//! Readers for the text given to shells and variable files. Each reader is as simple as the format permits, and panics
//! on text that does more than set a variable.

/// Parses POSIX shell commands into words.
pub fn posix(text: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().expect("a quote that is not closed") {
                        '\'' => break,
                        inside => word.push(inside),
                    }
                }
            }
            '\\' => match rest.next().expect("a backslash at the end") {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            ' ' | '\n' => {
                words.extend(word.take());
                if c == '\n' {
                    commands.push(std::mem::take(&mut words));
                }
            }
            plain if plain.is_ascii_alphanumeric() || "-_=".contains(plain) => word.get_or_insert_default().push(plain),
            other => panic!("{other:?} outside of quotes"),
        }
    }
    assert!(word.is_none() && words.is_empty(), "a command without its line end");
    commands
}

/// Parses fish commands into words.
pub fn fish(text: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().expect("a quote that is not closed") {
                        '\'' => break,
                        '\\' => word.push(rest.next_if(|c| "\\'".contains(*c)).unwrap_or('\\')),
                        inside => word.push(inside),
                    }
                }
            }
            ' ' => words.extend(word.take()),
            ';' => {
                assert_eq!(rest.next(), Some('\n'), "a command within a line");
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            plain if plain.is_ascii_alphanumeric() || "-_".contains(plain) => word.get_or_insert_default().push(plain),
            other => panic!("{other:?} outside of quotes"),
        }
    }
    assert!(word.is_none() && words.is_empty(), "a command without its end");
    commands
}

/// Parses PowerShell assignments: `$env:NAME = 'text' + [char]10`, or `$null`, which becomes `None`.
pub fn powershell(text: &str) -> Vec<(String, Option<String>)> {
    assert!(text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\n')), "more than printable ASCII");
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("$env:").and_then(|line| line.split_once(" = ")).expect("an assignment");
        (name.to_owned(), (value != "$null").then(|| expression(value)))
    };
    text.lines().map(line).collect()
}

/// Parses quoted texts and character codes joined by `+`.
fn expression(mut rest: &str) -> String {
    let mut units = Vec::new();
    loop {
        if let Some(code) = rest.strip_prefix("[char]") {
            let end = code.find(|c: char| !c.is_ascii_digit()).unwrap_or(code.len());
            units.push(code[..end].parse().expect("a code"));
            rest = &code[end..];
        } else {
            rest = rest.strip_prefix('\'').expect("a quote");
            loop {
                let end = rest.find('\'').expect("a quote that is not closed");
                units.extend(rest[..end].encode_utf16());
                rest = &rest[end + 1..];
                match rest.strip_prefix('\'') {
                    Some(after) => rest = after,
                    None => break,
                }
                units.push(u16::from(b'\''));
            }
        }
        match rest.strip_prefix(" + ") {
            Some(next) => rest = next,
            None => break,
        }
    }
    assert!(rest.is_empty(), "{rest:?} behind the value");
    String::from_utf16(&units).expect("UTF-16")
}

/// Parses a dotenv file by the one rule all readers share: a single-quoted value on one line is literal.
pub fn dotenv(text: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (name, quoted) = line.split_once('=').expect("an assignment");
        let value = quoted.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).expect("single quotes");
        assert!(!value.contains(['\'', '\r']) && !value.ends_with('\\'), "{value:?} is read in several ways");
        (name.to_owned(), value.to_owned())
    };
    text.split_terminator('\n').map(line).collect()
}

/// Parses the variable file of GitHub's runner, where two delimiter lines enclose a value.
pub fn github(text: &str) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut lines = text.split('\n');
    while let Some(head) = lines.next().filter(|head| !head.is_empty()) {
        let (name, mark) = head.split_once("<<").expect("a mark");
        let value: Vec<&str> = lines.by_ref().take_while(|line| *line != mark).collect();
        variables.push((name.to_owned(), value.join("\n")));
    }
    assert_eq!(lines.next(), None, "lines behind the end");
    variables
}

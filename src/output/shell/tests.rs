//! Unit tests of `output::shell`.

use super::*;

#[test]
fn several_environments_become_an_array_in_order() {
    let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let array = environments_json(&[set("B", "x"), set("A", "\u{9b}")]).unwrap();
    assert_eq!(array, "[\n  {\n    \"B\": \"x\"\n  },\n  {\n    \"A\": \"\\u009b\"\n  }\n]\n");
    assert_eq!(environments_json(&[]).unwrap(), "[]\n");
    assert_eq!(environments_json(&[set("A", "x"), set("A B", "x")]), Err(ShellError::InvalidName("A B".to_owned())));
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn hostile_names_are_never_printed() {
    for name in ["", "1A", "A B", "A;id", "A$(id)", "A\nB", "Ä", "-v", "A=B", "A-B"] {
        for format in [
            EnvFormat::Shell(Shell::Sh),
            EnvFormat::Shell(Shell::Fish),
            EnvFormat::Shell(Shell::Nu),
            EnvFormat::Shell(Shell::Powershell),
            EnvFormat::Dotenv,
            EnvFormat::Json,
            EnvFormat::Github,
        ] {
            let set = [(name.to_owned(), String::new())];
            assert_eq!(format.render_exports(&[], &set), Err(ShellError::InvalidName(name.to_owned())));
            assert_eq!(format.render_unsets(&names(&[name])), format.render_unsets(&[]));
            assert_eq!(
                format.render_failure(&names(&[name, "A"]), &[]),
                format.render_failure(&names(&["A", "A"]), &[])
            );
            assert_eq!(format.render_failure(&names(&["A"]), &set), format.render_failure(&names(&["A"]), &[]));
        }
    }
}

#[test]
fn the_error_for_a_nul_does_not_contain_the_value() {
    let set = [("A".to_owned(), "hush\0".to_owned())];
    let error = EnvFormat::Shell(Shell::Sh).render_exports(&[], &set).unwrap_err();
    assert_eq!(error.to_string(), "the value of A holds a NUL character");
}

#[test]
fn unsets_come_first_and_failure_scripts_end_with_a_failing_command() {
    let (unset, set) = (names(&["A", "B"]), [("B".to_owned(), "b".to_owned())]);
    for (shell, export, failure) in [
        (Shell::Sh, "unset -v A B\nexport B='b'\n", "unset -v A B\nfalse\n"),
        (Shell::Fish, "set -eg A;\nset -eg B;\ntrue;\nset -gx B 'b';\n", "set -eg A;\nset -eg B;\ntrue;\nfalse;\n"),
        (Shell::Nu, "{\n  \"A\": \"\",\n  \"B\": \"b\"\n}\n", "{\n  \"A\": \"\",\n  \"B\": \"\"\n}\n"),
        (
            Shell::Powershell,
            "$env:A = $null\n$env:B = $null\n$env:B = 'b'\n",
            "$env:A = $null\n$env:B = $null\nthrow 'no environment was exported'\n",
        ),
    ] {
        assert_eq!(EnvFormat::Shell(shell).render_exports(&unset, &set).unwrap(), export);
        assert_eq!(EnvFormat::Shell(shell).render_failure(&unset, &[]), failure);
    }
    assert_eq!(EnvFormat::Json.render_exports(&unset, &set).unwrap(), "{\n  \"B\": \"b\"\n}\n");
    assert_eq!(EnvFormat::Dotenv.render_exports(&unset, &set).unwrap(), "B='b'\n");
    assert!(EnvFormat::Github.render_exports(&unset, &set).unwrap().starts_with("A<<neto_"));
    assert_eq!(EnvFormat::Json.render_failure(&unset, &set), "");
    assert_eq!(EnvFormat::Shell(Shell::Sh).render_failure(&unset, &set), "unset -v A B\nexport B='b'\nfalse\n");
}

#[test]
fn the_program_name_selects_the_shell() {
    for (program, shell) in [
        ("-zsh", Shell::Zsh),
        ("/usr/bin/fish", Shell::Fish),
        (r"C:\Program Files\PowerShell\7\PWSH.EXE", Shell::Powershell),
        ("nu", Shell::Nu),
        ("bash", Shell::Bash),
        ("zsh-5.9", Shell::Zsh),
        ("dash", Shell::Sh),
        ("nushroom", Shell::Sh),
        ("", Shell::Sh),
    ] {
        assert_eq!(shell_from_program(program), shell, "{program}");
    }
}

//! Unit tests of `secret::source`.

use super::*;
use crate::secret::Secret;
use crate::secret::binding::tests::profile;

fn sample() -> NetoSecret {
    NetoSecret {
        url: "https://api.example".parse().unwrap(),
        shortname: "acme".to_owned(),
        appname: "soc".to_owned(),
        appkey: Secret::new("canary".to_owned()),
        sharedsecret: Secret::new("canary".to_owned()),
        ignored: Vec::new(),
    }
}

fn environment(name: &str, value: &str) -> Environment {
    Environment::new([(name.into(), value.into())])
}

#[test]
fn every_kind_of_source_gives_the_same_netosecret() {
    let text = sample().render();
    let (name, folder) = ("X", tempfile::tempdir().unwrap());
    let path = folder.path().join("secret");
    disk::replace(&path, format!("{}\n", text.reveal()).as_bytes(), disk::Durability::Atomic).unwrap();
    for location in [SecretLocation::Env(name.to_owned()), SecretLocation::File(path)] {
        assert_eq!(fetch_netosecret(&location, &environment(name, text.reveal())).unwrap(), sample(), "{location:?}");
    }
    #[cfg(unix)]
    {
        let argv = ["/bin/sh", "-c", r#"echo "$X""#].map(str::to_owned).to_vec();
        assert_eq!(
            fetch_netosecret(&SecretLocation::Command(argv), &environment(name, text.reveal())).unwrap(),
            sample()
        );
    }
}

#[test]
fn errors_name_the_source_but_no_value() {
    let variable = SecretLocation::Env("X".to_owned());
    for (location, environment, expected) in [
        (&variable, environment("Y", "y"), "the variable 'X' that the secret comes from is not set"),
        (&variable, environment("X", ""), "the variable 'X' that the secret comes from is not set"),
        (
            &variable,
            environment("X", "canary!"),
            "what the variable 'X' yields cannot be used: the NETOSECRET is not base64",
        ),
        (&SecretLocation::None, environment("X", "x"), "the secret does not come from a source"),
        (
            &SecretLocation::File("/nowhere/at/all".into()),
            environment("X", "x"),
            "the file that the secret comes from: cannot read /nowhere/at/all: no such file or directory",
        ),
    ] {
        assert_eq!(fetch_netosecret(location, &environment).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_file_writable_by_other_users_is_refused() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        disk::replace(&path, sample().render().reveal().as_bytes(), disk::Durability::Atomic).unwrap();
        for (mode, good) in [(0o600, true), (0o444, true), (0o666, false), (0o620, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(
                fetch_netosecret(&SecretLocation::File(path.clone()), &environment("X", "x")).is_ok(),
                good,
                "{mode:o}"
            );
        }
    }
}

#[test]
fn a_netosecret_must_match_its_profile() {
    let mut declared = profile();
    assert_eq!(sample().check_profile(&declared), Ok(()));
    declared.appname = None;
    declared.shortname = Some("globex".to_owned());
    let error = sample().check_profile(&declared).unwrap_err();
    assert_eq!(
        error.differences.iter().map(|difference| difference.field).collect::<Vec<_>>(),
        ["shortname", "appname"]
    );
}

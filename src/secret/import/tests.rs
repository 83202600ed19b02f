//! Tests of every format and its variants: parsing, errors without values, and round trips through each format.

use super::*;
use crate::secret::{Account, Credential, FieldError, FieldProblem, NetoSecret, NetoSecretError, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;

/// Returns a NETOSECRET of a tenant. Its secrets contain `canary`, which no message may contain.
fn netosecret(shortname: &str) -> String {
    let json = format!(
        r#"{{"url":"https://a.example","shortname":"{shortname}","appname":"soc","appkey":"canary-key","sharedsecret":"canary-secret"}}"#
    );
    BASE64_STANDARD.encode(json)
}

fn read(text: &str) -> Result<Import, ImportError> {
    Import::parse(text.as_bytes().to_vec())
}

/// Returns the location and the tenant of each entry, or its error.
fn describe_entries(text: &str) -> Vec<String> {
    let describe = |found: &Result<ImportEntry, EntryError>| match found {
        Ok(ImportEntry { location, name, account: Account::ApiKey { shortname, .. }, .. }) => {
            let name = name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
            format!("{location} {shortname}{name}")
        }
        Ok(ImportEntry { location, account: Account::Person { username }, .. }) => format!("{location} {username}"),
        Err(EntryError { location, problem }) => format!("{location}: {problem}"),
    };
    let lines =
        read(text).unwrap_or_else(|error| panic!("{error}: {text}")).entries.iter().map(describe).collect::<Vec<_>>();
    assert!(lines.iter().all(|line| !line.contains("canary")), "{lines:?}");
    lines
}

/// Assignments of the five fields in plaintext.
const FIELDS: &str =
    "APPNAME='soc'\nAPPKEY='canary-key'\nSHORTNAME='acme'\nSHARED_SECRET='canary-secret'\nURL='https://a.example'\n";

fn acme() -> ImportEntry {
    ImportEntry::from_netosecret(EntryLocation::Line(1), NetoSecret::parse(&netosecret("acme")).unwrap())
}

#[test]
fn every_format_gives_the_same_credential() {
    let n = netosecret("acme");
    let wrapped =
        |end: &str| n.as_bytes().chunks(60).map(|line| String::from_utf8_lossy(line) + end).collect::<String>();
    for (format, text) in [
        (ImportFormat::NetosecretList, n.clone()),
        (ImportFormat::NetosecretList, format!("# mine\n\n  \"{n}\"  \n")),
        (ImportFormat::NetosecretList, wrapped("\n")),
        (ImportFormat::NetosecretList, wrapped("\r\n")),
        (ImportFormat::NetosecretList, format!("{n} # acme\n")),
        (ImportFormat::NetosecretList, n.trim_end_matches('=').replace('+', "-").replace('/', "_")),
        (ImportFormat::Assignments, format!("NETOSECRET={n}\n")),
        (ImportFormat::Assignments, format!("NETOSECRET={}", wrapped("\n"))),
        (ImportFormat::Assignments, format!("NETOSECRET='{}'\n", wrapped("\n"))),
        (ImportFormat::Assignments, format!("export NETOSECRET='{n}' # mine\nexport OTHER=x\n")),
        (ImportFormat::Assignments, format!("$env:NETOSECRET = \"{n}\"")),
        (ImportFormat::Assignments, format!("DATABASE_URL=x\nACME_NETOSECRET=\"{n}\"\nAPP_NAME=web\n")),
        (ImportFormat::Assignments, FIELDS.to_owned()),
        (ImportFormat::Assignments, format!("#!/bin/bash\nset -e\n{FIELDS}if [ -f x ]; then\n  token=`cat x`\nfi\n")),
        (ImportFormat::Assignments, FIELDS.replace('=', " = ").replace("URL = 'https://a.example", "url = \"https://a.example/api/v1/auth/token").replace("token'", "token\"")),
        (ImportFormat::Assignments, FIELDS.replace("URL=", "API_BASE_URL=").replace('\n', ";\n")),
        (ImportFormat::Assignments, FIELDS.replace('\'', "").replace("APP", "NETO__API__APP_").replace("SH", "NETO__API__SH").replace("URL", "NETO__API__URL")),
        (ImportFormat::Json, format!("[\"{n}\"]")),
        (ImportFormat::Json, format!("{{\"netosecret\": \"{n}\"}}")),
        (ImportFormat::Json, r#"{"shortname":"acme","appname":"soc","appkey":"canary-key","sharedsecret":"canary-secret","url":"https://a.example/"}"#.to_owned()),
        (ImportFormat::Json, r#" [{"shortName":"acme","app_name":"soc","appKey":"canary-key","Shared Secret":"canary-secret","apiUrl":"https://a.example","tags":null}]"#.to_owned()),
        (ImportFormat::Csv, "shortname,appname,appkey,sharedsecret,url\nacme,soc,canary-key,canary-secret,https://a.example\n".to_owned()),
        (ImportFormat::Csv, "url;shared secret;App Key;APP_NAME;Short-Name\r\n\r\nhttps://a.example;\"canary-secret\"; canary-key ;soc;acme;;\r\n;;;;\r\n".to_owned()),
        (ImportFormat::Csv, "sep=\t\n# ours\nnetosecret\turl\n".to_owned() + &n + "\t\n"),
        (ImportFormat::Csv, format!("netosecret\n{n}\n")),
        (ImportFormat::Csv, format!("netosecret,shortname,appkey\n{n},acme,canary-key\n")),
    ] {
        let import = read(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(import.format, format, "{text}");
        assert_eq!(import.ignored, [""; 0], "{text}");
        let [Ok(entry)] = &import.entries[..] else { panic!("{:?} of {text}", import.entries) };
        let wanted = ImportEntry { location: entry.location.clone(), ..acme() };
        assert_eq!(*entry, wanted, "{text}");
        let marks = ["\u{feff}".to_owned() + &text].map(String::into_bytes);
        let utf16 = |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        for bytes in marks.into_iter().chain([utf16(u16::to_le_bytes), utf16(u16::to_be_bytes)]) {
            let found = Import::parse(bytes).unwrap().entries;
            assert_eq!(found, [Ok(wanted.clone())], "{text}");
        }
    }
}

#[test]
fn each_entry_has_its_location() {
    let (a, b) = (netosecret("acme"), netosecret("beta"));
    let prefixed =
        FIELDS.lines().fold(String::new(), |text, line| text + "BETA_" + line + "\n").replace("acme", "beta");
    let fields = r#""appname":"soc","appkey":"canary","sharedsecret":"canary""#;
    let rest = "soc,canary,canary";
    for (text, wanted) in [
        (format!("{a}\n# x\n\n{b}\n"), vec!["line 1 acme", "line 4 beta"]),
        (
            format!("{}\n{b}\n{}\n", &a[..72], &a[72..]),
            vec![
                "line 1: the NETOSECRET is base64, but not of the right text: not JSON (line 1, column 54)",
                "line 2 beta",
                "line 3: the NETOSECRET is base64, but not of the right text: not JSON (line 1, column 4)",
            ],
        ),
        (format!("{a}\ncanary canary!\n"), vec!["line 1 acme", "line 2: the NETOSECRET is not base64"]),
        (format!("A_NETOSECRET='{a}'\n\nNETOSECRET={b}\n"), vec!["line 1 acme", "line 3 beta"]),
        (format!("NETOSECRET={a}\n{b}\n"), vec!["line 1 acme", "line 2 beta"]),
        (format!("{FIELDS}{FIELDS}"), vec!["line 1 acme", "line 6 acme"]),
        (format!("X=y\n{prefixed}{FIELDS}"), vec!["line 2 beta", "line 7 acme"]),
        // All three lengths of base64 padding.
        (["a", "bb", "ccc"].map(netosecret).join("\n"), vec!["line 1 a", "line 2 bb", "line 3 ccc"]),
        (
            format!(
                r#"{{"beta":{{{fields},"shortname":"x"}},"acme":"{a}","c":{{{fields},"shortname":"z","name":"own"}}}}"#
            ),
            vec!["'acme' acme as acme", "'beta' x as beta", "'c' z as own"],
        ),
        (
            format!(
                r#"[{{{fields},"shortname":"x","name":"y"}},"{a}",{{"username":"alice","password":"canary","name":"p"}}]"#
            ),
            vec!["item 1 x as y", "item 2 acme", "item 3 alice"],
        ),
        (
            format!("{{{fields},\"shortname\":\"x\"}}\n\n{{{fields},\"shortname\":\"y\"}}\n"),
            vec!["line 1 x", "line 3 y"],
        ),
        (
            format!(
                "name,shortname,appname,appkey,sharedsecret\nn,\"a\nb\",{rest}\n\n# {rest}\nm,\"c, \"\"d\"\"\",{rest}\n"
            ),
            vec!["line 2: the field 'shortname' holds control characters", "line 6 c, \"d\" as m"],
        ),
    ] {
        let found = describe_entries(&text);
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn entry_errors_give_the_location_but_no_value() {
    let n = netosecret("acme");
    let csv = |row: &str| format!("name,shortname,appname,appkey,sharedsecret\n{row}\n");
    let object = |more: &str| {
        format!(r#"[{{"shortname":"acme","appname":"soc","appkey":"canary","sharedsecret":"canary"{more}}}]"#)
    };
    for (text, wanted) in [
        ("NETOSECRET=\n".to_owned(), "line 1: the NETOSECRET is empty"),
        ("\nNETOSECRET=canary!\n".to_owned(), "line 2: the NETOSECRET is not base64"),
        (FIELDS.replace("APPKEY", "X"), "line 1: the field 'appkey' is missing"),
        (FIELDS.replace("canary-key", ""), "line 1: the field 'appkey' is empty"),
        (FIELDS.replace("'canary-secret'", "$(pass canary)"), "line 4: the value of SHARED_SECRET is no plain text"),
        (FIELDS.replace("'canary-secret'", "\"a$canary\""), "line 4: the value of SHARED_SECRET is no plain text"),
        (
            FIELDS.replace("https:", "http:"),
            "line 1: the field 'url' is no usable address: the url must be https (http only to a loopback address)",
        ),
        ("SHORTNAME='acme\nX=canary".to_owned(), "line 1: the quote of SHORTNAME is not closed"),
        (
            csv("-x,acme,soc,canary,canary"),
            "line 2: the field 'name' is no profile's name: a name starts with a lower-case letter or a digit",
        ),
        (csv("n,acme,soc,canary"), "line 2: the field 'sharedsecret' is missing"),
        (csv("n,acme,soc,canary,canary,canary"), "line 2: it has 6 cells, and the header line 5"),
        (csv("n,acme,soc,\"canary,canary\nmore"), "line 2: the quote of the column 'appkey' is not closed"),
        (csv("n,acme,soc,\"canary\"canary,canary"), "line 2: the column 'appkey' goes on behind its quote"),
        (object(",\"url\":5"), "item 1: the field 'url' is a number, not a text"),
        (object(",\"Appkey\":\"canary\""), "item 1: the field 'appkey' is there twice"),
        (
            object(",\"password\":\"canary\""),
            "item 1: the field 'password' is a person's, and others are of an API key",
        ),
        (object(",\"tags\":[1]"), "item 1: the field 'tags' is a number, not a text"),
        (object("").replace("appkey", "apikey"), "item 1: the field 'appkey' is missing, and there is a 'apikey'"),
        (object("").replace("sharedsecret", "x"), "item 1: the field 'sharedsecret' is missing"),
        ("[5]".to_owned(), "item 1: it is a number, not an object or a NETOSECRET"),
        ("[\"canary\"]".to_owned(), "item 1: the NETOSECRET is not base64"),
        (
            format!("{{\"Bad Name\": \"{n}\"}}"),
            "'Bad Name': the field 'name' is no profile's name: a name starts with a lower-case letter or a digit",
        ),
        (
            format!("[{{\"netosecret\":\"{n}\",\"shortname\":\"beta\"}}]"),
            "item 1: the field 'shortname' is not that of the NETOSECRET beside it",
        ),
        (
            format!("[{{\"netosecret\":\"{n}\",\"appkey\":\"canary\"}}]"),
            "item 1: the field 'appkey' is not that of the NETOSECRET beside it",
        ),
        ("[{\"username\":\"alice\"}]".to_owned(), "item 1: the field 'password' is missing"),
    ] {
        assert_eq!(describe_entries(&text), [wanted], "{text}");
    }
}

#[test]
fn an_unusable_file_gives_one_error() {
    let header = |sentences: &[&str]| ImportError::Header(sentences.iter().map(|s| (*s).to_owned()).collect());
    for (text, wanted) in [
        ("", ImportError::UnknownFormat),
        ("\n# nothing\n", ImportError::UnknownFormat),
        ("canary canary\n", ImportError::UnknownFormat),
        ("acme,soc,canary-key,canary-secret\n", ImportError::UnknownFormat),
        ("APP_NAME=web\nAPP_KEY=canary\nDATABASE_URL=canary\n", ImportError::UnknownFormat),
        ("[]", ImportError::NoEntry(ImportFormat::Json)),
        ("shortname,appname,appkey,sharedsecret\n\n", ImportError::NoEntry(ImportFormat::Csv)),
        ("[canary]", ImportError::Json(JsonError::Syntax { line: 1, column: 2 })),
        ("{\"a\":1,\"a\":2}", ImportError::Json(JsonError::DuplicateKey { key: "a".to_owned(), level: 1 })),
        (
            "name;shortnam;appname;appkey;sharedsecret;contact\n",
            header(&["has the unknown column 'shortnam' (did you mean 'shortname'?)"]),
        ),
        (
            "name,url,shortname\n",
            header(&["lacks the column 'appname'", "lacks the column 'appkey'", "lacks the column 'sharedsecret'"]),
        ),
        ("netosecret,url,API URL\n", header(&["has the column 'url' twice"])),
        ("a\0b", ImportError::Text(TextError::Nul)),
    ] {
        assert_eq!(read(text).map(|import| import.entries).unwrap_err(), wanted, "{text}");
    }
    for (bytes, error) in [
        (&b"name,\xe9"[..], TextError::Encoding { at: 5 }),
        (b"\xef\xbb\xbf\xff", TextError::Encoding { at: 3 }),
        (b"\xff\xfea\0b", TextError::Utf16 { at: 4 }),
        (b"\xfe\xff\0a\xd8\0\0b", TextError::Utf16 { at: 4 }),
    ] {
        assert_eq!(Import::parse(bytes.to_vec()).map(|import| import.entries).unwrap_err(), ImportError::Text(error));
    }
}

#[test]
fn ignored_fields_are_listed() {
    let csv = "shortname,appname,appkey,sharedsecret,contact,\nacme,soc,k,s,canary,canary\n";
    assert_eq!(read(csv).unwrap().entries.len(), 1);
    for (text, wanted) in [
        (csv, vec!["contact"]),
        (r#"{"shortname":"a","appname":"b","appkey":"c","sharedsecret":"d","role":"canary","note":{}}"#, vec![]),
        (&format!("{FIELDS}NETO_APP_KEY=canary\n"), vec!["NETO_APP_KEY"]),
    ] {
        assert_eq!(read(text).unwrap().ignored, wanted, "{text}");
    }
}

/// Renders an entry in the format with this number.
fn render_entry(entry: &ImportEntry, form: usize) -> String {
    let (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey, sharedsecret }) =
        (&entry.account, &entry.credential)
    else {
        unreachable!("an API key")
    };
    let url = entry.url.clone().unwrap();
    let fields = [
        ("shortname", shortname.as_str()),
        ("appname", appname),
        ("appkey", appkey.reveal()),
        ("sharedsecret", sharedsecret.reveal()),
        ("url", &url.to_string()),
    ];
    let columns: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let cells =
        |separator: &str| fields.map(|(_, value)| format!("\"{}\"", value.replace('"', "\"\""))).join(separator);
    let assigned = |equals: &str, quote: &dyn Fn(&str) -> String| {
        fields.map(|(name, value)| format!("ACME_{}{equals}{}\n", name.to_uppercase(), quote(value))).concat()
    };
    match form {
        0 => {
            let (shortname, appname) = (shortname.clone(), appname.clone());
            let (appkey, sharedsecret) = (appkey.clone(), sharedsecret.clone());
            let secret = NetoSecret { url, shortname, appname, appkey, sharedsecret, ignored: vec![] };
            secret.render().reveal().to_owned()
        }
        1 => format!("{}\n{}\n", columns.join(","), cells(",")),
        2 => format!("{}\r\n{}\r\n", columns.join(";"), cells(";")),
        3 => serde_json::to_string(&fields.into_iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap(),
        4 => assigned("=", &|value| format!("'{}'", value.replace('\'', r"'\''"))),
        5 => assigned(" = ", &|value| format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))),
        _ => {
            let escaped =
                |value: &str| value.replace('\\', r"\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`");
            assigned("=", &|value| format!("\"{}\"", escaped(value)))
        }
    }
}

proptest! {
    #[test]
    fn any_credential_survives_every_format(
        names in prop::array::uniform4("[^\\p{Cc}\\s]([^\\p{Cc}]{0,20}[^\\p{Cc}\\s])?"), form in 0usize..7,
    ) {
        let [shortname, appname, appkey, sharedsecret] = names;
        let (account, credential) = (Account::ApiKey { shortname, appname }, Credential::ApiKey { appkey: Secret::new(appkey), sharedsecret: Secret::new(sharedsecret) });
        let entry = ImportEntry { account, credential, ..acme() };
        let found = read(&render_entry(&entry, form)).unwrap().entries;
        let [Ok(read)] = &found[..] else { panic!("{found:?}") };
        prop_assert_eq!(read, &ImportEntry { location: read.location.clone(), ..entry });
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\"',;=\n#{}\\[\\]a-zA-Z_ $\\\\-]{0,120}") {
        let _ = Import::parse(bytes);
        let _ = read(&format!("SHORTNAME={text}"));
        let _ = read(&format!("netosecret,name\n{text}"));
        let _ = read(&text);
    }
}

#[test]
fn missing_and_empty_values_have_their_own_errors() {
    let missing = FieldError { name: "appkey", problem: FieldProblem::Missing };
    let found = read(&FIELDS.replace("APPKEY", "X")).unwrap().entries;
    assert_eq!(found, [Err(EntryError { location: EntryLocation::Line(1), problem: EntryProblem::Field(missing) })]);
    let found = read("NETOSECRET=").unwrap().entries;
    assert_eq!(
        found,
        [Err(EntryError {
            location: EntryLocation::Line(1),
            problem: EntryProblem::Netosecret(NetoSecretError::Empty)
        })]
    );
}

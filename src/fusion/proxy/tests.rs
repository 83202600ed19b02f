//! Unit tests of `fusion::proxy`.

use super::*;

fn proxies(variables: &[(&str, &str)]) -> Proxies {
    Proxies::new(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsStr::new(*value)))
}

fn proxy_for(variables: &[(&str, &str)], url: &str) -> Result<Option<String>, FusionError> {
    proxies(variables).proxy_for(&url.parse().unwrap()).map(|proxy| proxy.map(|proxy| proxy.name.clone()))
}

#[test]
fn r26_the_first_variable_that_is_set_names_the_proxy() {
    let all = [
        ("HTTPS_PROXY", "http://one:1"),
        ("https_proxy", "two:2"),
        ("ALL_PROXY", "https://three"),
        ("all_proxy", "http://[::1]"),
        ("HTTP_PROXY", "http://never:5"),
        ("http_proxy", "http://never:6"),
    ];
    let named = ["one:1", "two:2", "three:443", "[::1]:80"].map(|name| Some(name.to_owned()));
    for (from, name) in named.into_iter().chain([None, None]).enumerate() {
        assert_eq!(proxy_for(&all[from..], "https://api.example"), Ok(name), "{from}");
    }
    for loopback in ["http://127.0.0.1:1", "https://127.9.9.9", "https://localhost", "https://[::1]"] {
        assert_eq!(proxy_for(&all, loopback), Ok(None), "{loopback}");
    }
}

#[test]
fn r26_user_and_password_are_only_in_the_header() {
    for (text, pair) in [
        ("http://user:pa%3Ass%2f%zz+@proxy:1", &b"user:pa:ss/%zz+"[..]),
        ("http://us%40er@proxy:1", b"us@er:"),
        ("user:p@ss@proxy:1", b"user:p@ss"),
        ("http://:p%ff@proxy:1", b":p\xff"),
    ] {
        let proxy = parse_proxy("HTTPS_PROXY", text).unwrap();
        let wanted = format!("Basic {}", BASE64_STANDARD.encode(pair));
        assert_eq!(proxy.authorization.as_ref().unwrap().to_str().unwrap(), wanted, "{text}");
        assert_eq!((proxy.name.as_str(), proxy.url.as_str()), ("proxy:1", "http://proxy:1/"), "{text}");
        assert!(!format!("{proxy:?}").contains(&wanted), "{proxy:?}");
    }
    assert_eq!(parse_proxy("HTTPS_PROXY", "http://proxy:1").unwrap().authorization, None);
}

#[test]
fn r26_an_unusable_proxy_is_an_error_and_is_not_bypassed() {
    for bad in [
        "garbage://x",
        "socks5://proxy:1",
        "socks5h://proxy",
        "http://[::bad",
        "http://",
        "http://:3128",
        "http:proxy:1",
        " http://proxy:1",
        "http://proxy:1 ",
        "http://pro\txy",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy:1/path",
        "http://user:pa/ss@proxy:1",
        "http://user:12/34@proxy:1",
        "http://user:12#4@proxy:1",
        "http://user:12?4@proxy:1",
        "http://user:12\\4@proxy:1",
        "http://pro{xy:1",
        "http://pr\"oxy",
        "/etc/proxy",
    ] {
        let outcome = proxy_for(&[("HTTPS_PROXY", bad), ("ALL_PROXY", "http://good:1")], "https://api.example");
        let Err(FusionError::ProxySetting { variable: "HTTPS_PROXY", why }) = outcome else {
            panic!("{bad}: {outcome:?}")
        };
        assert!(!why.contains("12") && !why.contains("pa/"), "{why}");
        assert_eq!(proxy_for(&[("HTTPS_PROXY", bad)], "https://localhost"), Ok(None), "{bad}");
    }
}

#[test]
fn r26_no_proxy_exempts_domains_with_subdomains_addresses_and_networks() {
    for (list, url, exempt) in [
        ("api.example", "https://api.example", true),
        ("API.Example", "https://api.example", true),
        (".example", "https://api.example", true),
        ("*.example", "https://api.example", true),
        ("example", "https://api.example:8443", true),
        ("x, example ,y", "https://api.example", true),
        ("*", "https://api.example", true),
        ("xample", "https://api.example", false),
        ("api.example.org", "https://api.example", false),
        ("b.api.example", "https://api.example", false),
        ("", "https://api.example", false),
        (",.,", "https://api.example", false),
        ("10.0.0.1", "https://10.0.0.1", true),
        ("10.0.0.0/8", "https://10.9.9.9", true),
        ("10.0.0.0/8", "https://11.0.0.1", false),
        ("0.0.0.0/0", "https://11.0.0.1", true),
        ("10.0.0.1", "https://10.0.0.2", false),
        ("[fd00::1]", "https://[fd00::1]", true),
        ("fd00::/8", "https://[fd12::1]", true),
        ("fd00::/8", "https://[fe80::1]", false),
        ("::/0", "https://10.0.0.1", false),
    ] {
        let proxy = proxy_for(&[("HTTPS_PROXY", "http://proxy:1"), ("no_proxy", list)], url).unwrap();
        assert_eq!(proxy.is_none(), exempt, "{list} {url}");
    }
    let upper = [("HTTPS_PROXY", "garbage://x"), ("NO_PROXY", "api.example"), ("no_proxy", "other")];
    assert_eq!(proxy_for(&upper, "https://api.example"), Ok(None));
}

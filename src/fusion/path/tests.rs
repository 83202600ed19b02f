//! Unit tests of `fusion::path`.

use super::*;

#[test]
fn a_missing_version_is_added() {
    for (typed, sent) in [
        ("customers", "/api/v1/customers"),
        ("/customers?a=b&c=%20/..", "/api/v1/customers?a=b&c=%20/.."),
        ("/api/v1/customers", "/api/v1/customers"),
        ("api/v1/api-keys/", "/api/v1/api-keys/"),
        ("/api/auth/bearer/x", "/api/auth/bearer/x"),
        ("api-keys/a:b", "/api/v1/api-keys/a:b"),
        ("x?u=https://y", "/api/v1/x?u=https://y"),
    ] {
        let path: ApiPath = typed.parse().unwrap();
        assert_eq!(path.as_str(), sent);
        assert_eq!(path.without_query(), sent.split('?').next().unwrap());
    }
}

#[test]
fn ambiguous_paths_are_refused() {
    for (typed, error) in [
        ("", PathError::Empty),
        ("/", PathError::Empty),
        ("//", PathError::Empty),
        ("?a", PathError::Empty),
        ("https://evil.example/", PathError::Scheme),
        ("javascript:x", PathError::Scheme),
        ("//evil.example/x", PathError::EmptySegment),
        ("/a//b", PathError::EmptySegment),
        ("a/../b", PathError::DotSegment),
        ("a/.", PathError::DotSegment),
        ("a/%2E%2e/b", PathError::DotSegment),
        ("search/..;/api-keys", PathError::DotSegment),
        ("search/..%3b/api-keys", PathError::DotSegment),
        ("a%2Fb", PathError::Slash),
        ("a%5cb", PathError::Slash),
        ("a\\b", PathError::Slash),
        ("a#b", PathError::Fragment),
        ("a b", PathError::Characters),
        ("a\tb", PathError::Characters),
        ("ä", PathError::Characters),
        ("a?\nHost: x", PathError::Characters),
    ] {
        assert_eq!(typed.parse::<ApiPath>(), Err(error), "{typed:?}");
    }
}

#[test]
fn a_request_path_is_kept_unchanged_or_refused() {
    for path in ["/api/v1/x", "/other?a=%61&b=//", "/api/v1/a%20b%C3%A4", "/api/v1/100%25", "/api/v1/x/", "/x;y=(1)"] {
        assert_eq!(ApiPath::parse_request_path(path).unwrap().as_str(), path);
    }
    for (path, error) in [
        ("/", PathError::Empty),
        ("api/v1/x", PathError::Scheme),
        ("/api/v1/%61pi-keys", PathError::AmbiguousEncoding),
        ("/api/v1/api-key%73", PathError::AmbiguousEncoding),
        ("/api/v1/%2561pi-keys", PathError::AmbiguousEncoding),
        ("/api/v1/api%2dkeys", PathError::AmbiguousEncoding),
        ("/api/v1/api%2Dkeys", PathError::AmbiguousEncoding),
        ("/api/v1/a%5fb", PathError::AmbiguousEncoding),
        ("/api/v1/a%7Eb", PathError::AmbiguousEncoding),
        ("/api/v1/x%00", PathError::AmbiguousEncoding),
        ("/api/v1/..%20/x", PathError::AmbiguousEncoding),
        ("/api/v1/%20api-keys", PathError::AmbiguousEncoding),
        ("/api/v1/%zz", PathError::AmbiguousEncoding),
        ("/api/v1/x{a}", PathError::Characters),
        ("/api/v1/x|y", PathError::Characters),
        ("/api//v1", PathError::EmptySegment),
        ("/api/%2e%2e/x", PathError::DotSegment),
        ("/api%2fv1", PathError::Slash),
    ] {
        assert_eq!(ApiPath::parse_request_path(path), Err(error), "{path}");
    }
}

#[test]
fn only_documented_calls_are_read_only() {
    for (method, path, reads) in [
        (Method::GET, "api-keys", true),
        (Method::HEAD, "api-keys", true),
        (Method::POST, "search/flow", true),
        (Method::POST, "/api/v1/stats/x?y", true),
        (Method::POST, "intel/lookup/ip", true),
        (Method::POST, "search", false),
        (Method::POST, "searching/x", false),
        (Method::POST, "Search/x", false),
        (Method::POST, "/api/search/x", false),
        (Method::POST, "api-keys?/api/v1/search/", false),
        (Method::PUT, "search/x", false),
        (Method::DELETE, "api-keys/x", false),
        (Method::from_bytes(b"get").unwrap(), "api-keys", false),
    ] {
        assert_eq!(path.parse::<ApiPath>().unwrap().is_read_only(&method), reads, "{method} {path}");
    }
}

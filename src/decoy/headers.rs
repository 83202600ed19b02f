//! Filters the headers of forwarded requests and responses, and rewrites the tenant's redirects so that they lead to
//! the decoy.
//!
//! The program that uses the decoy must not get the tenant's cookies or be redirected to another server.

use crate::fusion::HOP_BY_HOP;
use crate::profile::ApiUrl;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
};
use url::Url;

/// Error for a response that redirects to an invalid URL or to a URL outside the tenant's URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedirectsElsewhere;

/// Returns the headers that are forwarded to the tenant. The HTTP client sets `Host`, `Content-Length` and the real
/// `Authorization` itself. `Expect` concerns only the connection between the program and the decoy.
pub(super) fn for_tenant(mut headers: HeaderMap) -> HeaderMap {
    drop_hop_by_hop(&mut headers);
    for name in [HOST, AUTHORIZATION, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    headers
}

/// Filters the tenant's headers for the program. Removes cookies, because a cookie may work like a token. Rewrites a
/// redirect to the tenant into a redirect to the decoy. Resolves a relative redirect against `request_path`.
///
/// # Errors
/// Returns [`RedirectsElsewhere`] for a second `Location` header, an invalid URL, or a URL not below the tenant's URL.
pub(super) fn for_program(
    headers: &mut HeaderMap,
    tenant: &ApiUrl,
    request_path: &str,
    decoy_url: &ApiUrl,
) -> Result<(), RedirectsElsewhere> {
    drop_hop_by_hop(headers);
    headers.remove(SET_COOKIE);
    if headers.get_all(LOCATION).iter().count() > 1 {
        return Err(RedirectsElsewhere);
    }
    if let Some(location) = headers.get(LOCATION) {
        let location = location.to_str().ok();
        let rewritten = location.and_then(|location| rewrite_location(location, tenant, request_path, decoy_url));
        headers.insert(LOCATION, rewritten.ok_or(RedirectsElsewhere)?);
    }
    Ok(())
}

fn rewrite_location(location: &str, tenant: &ApiUrl, request_path: &str, decoy_url: &ApiUrl) -> Option<HeaderValue> {
    let target = Url::parse(&tenant.join(request_path)).ok()?.join(location).ok()?;
    // Parsing normalizes the tenant's URL, so that the texts of both URLs can be compared.
    let base = Url::parse(&tenant.join("")).ok()?;
    let path = target.as_str().strip_prefix(base.as_str().trim_end_matches('/'))?;
    if !path.is_empty() && !path.starts_with(['/', '?', '#']) {
        return None;
    }
    HeaderValue::from_str(&decoy_url.join(path)).ok()
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let connection_headers: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in connection_headers {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn connection_headers_and_tenant_cookies_are_not_forwarded() {
        let sent = headers(&[
            ("host", "127.0.0.1:1"),
            ("authorization", "Bearer x"),
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("accept-encoding", "gzip"),
            ("x-other", "1"),
            ("cookie", "a=b"),
        ]);
        assert_eq!(names(&for_tenant(sent)), ["accept-encoding", "cookie", "x-other"]);
        let mut answered = headers(&[
            ("set-cookie", "session=real"),
            ("keep-alive", "timeout=5"),
            ("content-encoding", "gzip"),
            ("content-length", "3"),
        ]);
        let (tenant, own) = ("https://api.example".parse().unwrap(), "http://127.0.0.1:9".parse().unwrap());
        for_program(&mut answered, &tenant, "/api/v1/x", &own).unwrap();
        assert_eq!(names(&answered), ["content-encoding", "content-length"]);
    }

    #[test]
    fn a_redirect_leads_to_the_decoy_or_is_refused() {
        let own: ApiUrl = "http://127.0.0.1:9".parse().unwrap();
        let at = |tenant: &str, to: &str| {
            let mut answered = headers(&[("location", to)]);
            for_program(&mut answered, &tenant.parse().unwrap(), "/api/v1/x/y", &own)
                .map(|()| answered["location"].to_str().unwrap().to_owned())
        };
        for (to, here) in [
            ("/api/v1/z?a=b", "http://127.0.0.1:9/api/v1/z?a=b"),
            ("z", "http://127.0.0.1:9/api/v1/x/z"),
            ("https://API.example:443/q#f", "http://127.0.0.1:9/q#f"),
            ("https://api.example", "http://127.0.0.1:9/"),
        ] {
            assert_eq!(at("https://api.example", to).as_deref(), Ok(here), "{to}");
        }
        for to in [
            "https://evil.example/",
            "//evil.example/",
            "http://api.example/",
            "https://api.example:444/",
            "https://api.example.evil/",
            "https://user@api.example/",
            "https://api.example@evil.example/",
            "javascript:x",
            "http://[",
        ] {
            assert_eq!(at("https://api.example", to), Err(RedirectsElsewhere), "{to}");
        }
        assert_eq!(at("https://h.example/p", "/p/api/v1/z").as_deref(), Ok("http://127.0.0.1:9/api/v1/z"));
        assert_eq!(at("https://h.example/p", "/other"), Err(RedirectsElsewhere));
        assert_eq!(at("https://h.example/p", "/pother"), Err(RedirectsElsewhere));
        let mut two = headers(&[("location", "/a")]);
        two.append(LOCATION, HeaderValue::from_static("/b"));
        assert_eq!(for_program(&mut two, &"https://h.example".parse().unwrap(), "/", &own), Err(RedirectsElsewhere));
    }
}

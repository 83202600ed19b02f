//! Forwarded headers: removes headers that concern one connection, and rewrites redirects to the decoy.

use crate::fusion::HOP_BY_HOP;
use crate::profile::ApiUrl;
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
};
use url::Url;

/// The answer redirects to another server than the tenant's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RedirectsElsewhere;

/// Returns the program's headers that are forwarded to the tenant. The client that sends the body sets its length.
pub(super) fn for_tenant(mut headers: HeaderMap) -> HeaderMap {
    drop_hop_by_hop(&mut headers);
    for name in [HOST, AUTHORIZATION, CONTENT_LENGTH, EXPECT] {
        headers.remove(name);
    }
    headers
}

/// Filters the tenant's headers for the program. Cookies are removed, because a cookie may work like a token. Redirects
/// to the tenant are rewritten to the decoy's `own` address. `asked` is the path of the request.
pub(super) fn for_program(
    headers: &mut HeaderMap,
    tenant: &ApiUrl,
    asked: &str,
    own: &ApiUrl,
) -> Result<(), RedirectsElsewhere> {
    drop_hop_by_hop(headers);
    headers.remove(SET_COOKIE);
    if headers.get_all(LOCATION).iter().count() > 1 {
        return Err(RedirectsElsewhere);
    }
    if let Some(location) = headers.get(LOCATION) {
        let here = location.to_str().ok().and_then(|to| rewrite_location(to, tenant, asked, own));
        headers.insert(LOCATION, here.ok_or(RedirectsElsewhere)?);
    }
    Ok(())
}

fn rewrite_location(to: &str, tenant: &ApiUrl, asked: &str, own: &ApiUrl) -> Option<HeaderValue> {
    let to = Url::parse(&tenant.join(asked)).ok()?.join(to).ok()?;
    // Normalized by the parser, so that both URLs can be compared.
    let base = Url::parse(&tenant.join("")).ok()?;
    let rest = to.as_str().strip_prefix(base.as_str().trim_end_matches('/'))?;
    if !rest.is_empty() && !rest.starts_with(['/', '?', '#']) {
        return None;
    }
    HeaderValue::from_str(&own.join(rest)).ok()
}

fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
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
    fn what_belongs_to_the_connection_stays_with_it() {
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
    fn a_redirect_stays_with_the_decoy_or_is_none() {
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

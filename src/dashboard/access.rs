//! Who may ask what: the name under which we are asked, the origin of a form, the token and the cookie of a request.
//!
//! Pure: headers in, a judgement out.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};

use crate::url::is_this_machine;

/// The name under which the request asks us, with its port if it says one. `None` if it names none, several, or two that
/// differ: in front of one of them somebody could stand who sees the other.
pub(super) fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut named = headers.get_all(HOST).iter();
    let header: Option<Authority> = match (named.next(), named.next()) {
        (Some(one), None) => Some(one.to_str().ok()?.parse().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let chosen = match (uri.authority(), header) {
        (Some(target), Some(header)) if *target != header => return None,
        (Some(target), _) => target.clone(),
        (None, header) => header?,
    };
    // A user before the host is for no server's eyes.
    (!chosen.as_str().contains('@')).then_some(chosen)
}

/// Whether a name is one of ours: the address of the connection, this machine's own names on a loopback address, or one
/// that was allowed. A page of somebody else whose name was made to lead here (DNS rebinding) has another.
pub(super) fn is_ours(host: &Authority, local: IpAddr, allowed: &[String]) -> bool {
    let name = host.host();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let local = local.to_canonical();
    let is_local = bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical() == local);
    let by_name = local.is_loopback() && is_this_machine(name);
    is_local
        || by_name
        || allowed.iter().any(|one| one.eq_ignore_ascii_case(name) || one.eq_ignore_ascii_case(host.as_str()))
}

/// Whether a request that changes something comes from one of our own pages, or from no page at all.
pub(super) fn is_same_origin(headers: &HeaderMap, host: &Authority, tls: bool) -> bool {
    if headers.get_all("sec-fetch-site").iter().any(|site| site != "same-origin") {
        return false;
    }
    headers.get_all(ORIGIN).iter().all(|origin| {
        let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok()) else {
            return false;
        };
        let Some(named) = origin.authority() else { return false };
        let default = match origin.scheme_str() {
            Some("https") => 443,
            // Behind a proxy that speaks TLS for us the page is https, and we are not; the reverse is nobody's page.
            Some("http") if !tls => 80,
            _ => return false,
        };
        let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
        named.host().eq_ignore_ascii_case(host.host()) && port(named) == port(host)
    })
}

/// The token that a request shows, if it shows one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The values of the cookies of a name. There may be several: another service on this host, on whatever port, can set one
/// of our name for a longer path, and must not keep anybody out by it.
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter_map(move |(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn named(host: &str) -> Authority {
        host.parse().unwrap()
    }

    #[test]
    fn a_request_names_one_host() {
        let path = Uri::from_static("/");
        assert_eq!(host(&path, &headers(&[("host", "a:1")])).unwrap().as_str(), "a:1");
        let full = Uri::from_static("http://a:1/");
        assert!(host(&full, &headers(&[("host", "a:1")])).is_some());
        for wrong in [
            host(&path, &headers(&[])),
            host(&path, &headers(&[("host", "a"), ("host", "b")])),
            host(&path, &headers(&[("host", "")])),
            host(&path, &headers(&[("host", "u@a")])),
            host(&path, &headers(&[("host", "a b")])),
            host(&full, &headers(&[("host", "b:1")])),
        ] {
            assert_eq!(wrong, None);
        }
    }

    #[test]
    fn only_our_own_names_and_allowed_ones_are_ours() {
        let allowed = ["dash.example".to_owned(), "other.example:8443".to_owned()];
        for (host, local, ours) in [
            ("127.0.0.1:8787", HERE, true),
            ("localhost:9000", HERE, true),
            ("LOCALHOST", HERE, true),
            ("evil.example", HERE, false),
            ("evil.example:8787", HERE, false),
            ("127.0.0.1.evil.example", HERE, false),
            ("10.0.0.7", THERE, true),
            ("10.0.0.8", THERE, false),
            ("localhost", THERE, false),
            ("Dash.example", THERE, true),
            ("dash.example:1234", THERE, true),
            ("other.example:8443", THERE, true),
            ("other.example", THERE, false),
        ] {
            assert_eq!(is_ours(&named(host), local, &allowed), ours, "{host} {local}");
        }
        assert!(is_ours(&named("[::1]:8787"), "::1".parse().unwrap(), &[]));
        assert!(is_ours(&named("10.0.0.7"), "::ffff:10.0.0.7".parse().unwrap(), &[]));
    }

    #[test]
    fn a_form_of_a_foreign_page_is_known_by_what_the_browser_says_of_it() {
        let host = named("dash.example:8787");
        for (pairs, tls, same) in [
            (&[][..], false, true),
            (&[("origin", "http://dash.example:8787")][..], false, true),
            (&[("origin", "http://dash.example:8787"), ("sec-fetch-site", "same-origin")][..], false, true),
            (&[("origin", "https://dash.example:8787")][..], false, true),
            (&[("origin", "http://dash.example:8787")][..], true, false),
            (&[("origin", "http://dash.example")][..], false, false),
            (&[("origin", "http://evil.example:8787")][..], false, false),
            (&[("origin", "null")][..], false, false),
            (&[("origin", "file://")][..], false, false),
            (&[("origin", "")][..], false, false),
            (&[("sec-fetch-site", "cross-site")][..], false, false),
            (&[("sec-fetch-site", "same-site")][..], false, false),
            (&[("sec-fetch-site", "none")][..], false, false),
            (&[("origin", "http://dash.example:8787"), ("origin", "http://evil.example")][..], false, false),
        ] {
            assert_eq!(is_same_origin(&headers(pairs), &host, tls), same, "{pairs:?} {tls}");
        }
        let behind_a_proxy = named("dash.example");
        assert!(is_same_origin(&headers(&[("origin", "https://dash.example")]), &behind_a_proxy, false));
    }

    #[test]
    fn token_and_cookie_are_found_among_others() {
        assert_eq!(bearer(&headers(&[("authorization", "bearer abc ")])), Some("abc"));
        assert_eq!(bearer(&headers(&[("authorization", "Basic abc")])), None);
        let headers = headers(&[("cookie", "a=1; b=2"), ("cookie", "session=x=y; b=3")]);
        let all = |name| cookies(&headers, name).collect::<Vec<_>>();
        assert_eq!((all("b"), all("session"), all("c")), (vec!["2", "3"], vec!["x=y"], vec![]));
    }
}

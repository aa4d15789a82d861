//! Pages in a browser are sent away: they may reach every port of this machine, by its name or by one of their own that leads
//! here (THREATS T32). Programs are served.

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use http::uri::Uri;
use url::Url;

use crate::domain::network::is_loopback;

/// What browsers say of who made a request, also where they send no Origin.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why a request is not answered; `None` for one that a program of this machine makes.
///
/// The port may be any: a tunnel has another one than the listener.
pub fn refusal(uri: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    let is_ours = |origin| is_origin_of(origin, headers.get(HOST));
    if !headers.get_all(ORIGIN).iter().all(is_ours) || headers.get_all(SITE).iter().any(|site| site != "none") {
        return Some("this practice server is for programs of this machine, not for pages in a browser");
    }
    let mut hosts = headers.get_all(HOST).iter();
    let one = hosts.next().is_some_and(is_host_here) && hosts.next().is_none();
    let asked = uri.authority().is_none_or(|authority| is_authority_here(authority.as_str()));
    (!one || !asked).then_some("this practice server answers to localhost and the addresses of this machine alone")
}

/// Some programs send an origin, that of the server itself. A page of another server of this machine has another port.
fn is_origin_of(value: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let origin = text(value).and_then(|origin| origin.strip_prefix("http://").map(ToOwned::to_owned));
    origin.is_some() && origin == host.and_then(text)
}

fn is_host_here(value: &HeaderValue) -> bool {
    value.to_str().is_ok_and(is_authority_here)
}

fn is_authority_here(text: &str) -> bool {
    let plain = !text.contains(['@', '/', '\\', '?', '#']) && text.is_ascii();
    let url = Url::parse(&format!("http://{text}/")).ok().filter(|_| plain);
    url.is_some_and(|url| url.host().is_some_and(|host| is_loopback(&host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        refusal(&Uri::from_static("/"), &map).is_some()
    }

    #[test]
    fn programs_of_this_machine_are_served() {
        for host in ["127.0.0.1:9944", "localhost:9944", "localhost", "[::1]:80", "127.1.2.3", "LOCALHOST:1"] {
            assert!(!refused(&[("host", host)]), "{host}");
            assert!(!refused(&[("host", host), ("origin", &format!("http://{host}"))]), "{host}");
        }
        assert!(!refused(&[("host", "localhost"), ("sec-fetch-site", "none")]));
    }

    #[test]
    fn pages_and_names_that_lead_here_are_not() {
        for host in [
            "evil.example",
            "evil.example:9944",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "a@127.0.0.1",
            "127.0.0.1@evil.example",
            "",
            "0.0.0.0:9944",
            "192.168.1.2",
            "[::ffff:127.0.0.1]:80",
            "localhost:x",
        ] {
            assert!(refused(&[("host", host)]), "{host:?}");
        }
        for origin in
            ["https://evil.example", "null", "file://", "http://localhost.evil.example", "chrome-extension://abc"]
        {
            assert!(refused(&[("host", "localhost"), ("origin", origin)]), "{origin}");
        }
        assert!(refused(&[]), "HTTP without a Host");
        assert!(refused(&[("host", "localhost"), ("host", "evil.example")]));
        for site in ["cross-site", "same-site", "same-origin"] {
            assert!(refused(&[("host", "localhost"), ("sec-fetch-site", site)]), "{site}");
        }
        assert!(refused(&[("host", "localhost:9944"), ("origin", "http://localhost:3000")]), "another server's page");
        assert!(refused(&[("host", "localhost"), ("origin", "http://localhost"), ("origin", "https://evil.example")]));
    }
}

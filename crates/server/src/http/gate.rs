//! Who may speak to us at all: requests that name this server, and no other site's pages but those that were allowed.
//!
//! Without it any page on the web could reach a server on localhost, by DNS rebinding or by a WebSocket.

use super::{cors::Cors, reply::Refusal};
use chinwag_wire::ProblemCode;
use hyper::{
    Version,
    header::{HOST, HeaderValue, ORIGIN},
    http::request::Parts,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The host names that are ours.
pub(super) struct Gate {
    names: Vec<String>,
}

impl Gate {
    pub(super) fn new(names: &[String]) -> Self {
        Self { names: names.to_vec() }
    }

    /// Lets a request in.
    pub(super) fn check(&self, head: &Parts, cors: &Cors) -> Result<(), Refusal> {
        let mut hosts = head.headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) if self.is_ours(host.as_bytes()) => {}
            (Some(_), None) => {
                return Err(Refusal::new(
                    ProblemCode::Host,
                    "the Host must be localhost, an IP address or one of the server's allowed_hosts",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Refusal::new(ProblemCode::BadRequest, "the header Host stands twice"));
            }
            // No browser speaks HTTP/1.0, and HTTP/1.0 has no Host.
            (None, _) if head.version == Version::HTTP_10 => {}
            // HTTP/2 has `:authority` in its place, which is looked at below.
            (None, _) if head.version == Version::HTTP_2 && head.uri.authority().is_some() => {}
            (None, _) => {
                return Err(Refusal::new(ProblemCode::BadRequest, "the header Host is missing"));
            }
        }
        if let Some(authority) = head.uri.authority()
            && !self.is_ours(authority.as_str().as_bytes())
        {
            return Err(Refusal::new(ProblemCode::Host, "the request is for another host"));
        }
        if let (Version::HTTP_2, Some(host), Some(authority)) =
            (head.version, head.headers.get(HOST), head.uri.authority())
            && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
        {
            return Err(Refusal::new(ProblemCode::BadRequest, "Host and :authority name different hosts"));
        }
        let named = match head.uri.authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => head.headers.get(HOST).map_or(&[][..], HeaderValue::as_bytes),
        };
        let may_call = |origin: &[u8]| self.is_our_origin(origin, named) || cors.permits(origin);
        if head.headers.get_all(ORIGIN).iter().any(|origin| !may_call(origin.as_bytes())) {
            return Err(Refusal::new(
                ProblemCode::Origin,
                "the Origin must be localhost, the host that is asked, one of the server's allowed_hosts or one of its allowed_origins",
            ));
        }
        Ok(())
    }

    /// Whether an authority may stand for this server. Any address may: a name of another site is never one.
    fn is_ours(&self, authority: &[u8]) -> bool {
        self.host(authority).is_some()
    }

    /// Whether a page is of this machine, or of a host of ours, when `named` is the authority that its request names. A page
    /// at any other address is another site's as one with a name is. `null`, which a sandboxed page sends, is no host.
    fn is_our_origin(&self, origin: &[u8], named: &[u8]) -> bool {
        let start = origin.windows(3).position(|window| window == b"://");
        let host = start.and_then(|start| self.host(&origin[start + 3..]));
        host.is_some_and(|host| match host {
            OurHost::Name => true,
            OurHost::Address(address) => address.is_loopback() || self.host(named) == Some(host),
        })
    }

    /// Which of the hosts that may be ours an authority, a host with or without a port, names.
    fn host(&self, authority: &[u8]) -> Option<OurHost> {
        let authority = str::from_utf8(authority).ok()?;
        if let Some(rest) = authority.strip_prefix('[') {
            let (host, _port) = rest.split_once(']').filter(|(_, port)| is_port(port))?;
            return host.parse::<Ipv6Addr>().ok().map(OurHost::of);
        }
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        if !is_port(port) {
            return None;
        }
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(OurHost::of(address));
        }
        let is_name = host.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host));
        is_name.then_some(OurHost::Name)
    }
}

/// A host that may be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OurHost {
    /// `localhost`, or one that the operator named.
    Name,
    Address(IpAddr),
}

impl OurHost {
    fn of(address: impl Into<IpAddr>) -> Self {
        Self::Address(address.into().to_canonical())
    }
}

/// Nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|digits| digits.len() <= 5 && digits.bytes().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let gate = Gate::new(&["chat.example.com".into()]);
        for ours in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "10.1.2.3:9",
            "[::1]:8080",
            "[fe80::1]",
            "Chat.Example.com:443",
        ] {
            assert!(gate.is_ours(ours.as_bytes()), "{ours}");
        }
        for foreign in [
            "",
            "example.com",
            "localhost.evil.com",
            "evil-localhost",
            "user@localhost",
            "localhost:80:80",
            "localhost:x",
            "127.0.0.1.evil.com",
            "[::1",
            "[::1]x",
            "::1",
            "x.chat.example.com",
            "localhost/",
        ] {
            assert!(!gate.is_ours(foreign.as_bytes()), "{foreign}");
        }
        assert!(!gate.is_ours(b"localhost\xff"));
    }

    #[test]
    fn origins() {
        let gate = Gate::new(&["chat.example.com".into()]);
        for ours in [
            "http://localhost",
            "https://localhost:3000",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "https://chat.example.com",
        ] {
            for named in ["localhost:8080", "127.0.0.1", "192.0.2.7:80", "chat.example.com"] {
                assert!(gate.is_our_origin(ours.as_bytes(), named.as_bytes()), "{ours} asks {named}");
            }
        }
        for foreign in
            ["null", "", "localhost", "http://", "https://example.com", "http://localhost.evil.com"]
        {
            assert!(!gate.is_our_origin(foreign.as_bytes(), b"localhost"), "{foreign}");
        }
    }

    /// Anybody may serve a page from an address of one's own.
    #[test]
    fn a_page_at_an_address_is_ours_where_it_asks_that_address() {
        let gate = Gate::new(&["chat.example.com".into()]);
        for (origin, named, ours) in [
            ("http://192.0.2.7:3000", "192.0.2.7:8080", true),
            ("http://192.0.2.7", "[::ffff:192.0.2.7]", true),
            ("https://[2001:db8::7]:3000", "[2001:db8:0::7]", true),
            ("http://192.0.2.7", "192.0.2.8", false),
            ("http://192.0.2.7", "localhost", false),
            ("http://192.0.2.7", "127.0.0.1:8080", false),
            ("http://192.0.2.7", "chat.example.com", false),
            ("http://10.0.0.1", "10.0.0.2", false),
            ("http://[2001:db8::7]", "[::1]:8080", false),
            ("http://0.0.0.0:3000", "127.0.0.1:8080", false),
            ("http://192.0.2.7", "", false),
        ] {
            assert_eq!(
                gate.is_our_origin(origin.as_bytes(), named.as_bytes()),
                ours,
                "{origin} asks {named}"
            );
        }
    }
}

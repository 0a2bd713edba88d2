//! Who may speak to us at all: requests that name this server, and no other site's pages but those that were allowed.
//!
//! Without it any page on the web could reach a server on localhost, by DNS rebinding or by a WebSocket.

use super::{cors::Cors, reply::Refusal};
use chinwag_wire::ProblemCode;
use hyper::{
    Version,
    header::{HOST, ORIGIN},
    http::request::Parts,
};
use std::net::{Ipv4Addr, Ipv6Addr};

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
        let may_call = |origin: &[u8]| self.is_our_origin(origin) || cors.permits(origin);
        if head.headers.get_all(ORIGIN).iter().any(|origin| !may_call(origin.as_bytes())) {
            return Err(Refusal::new(
                ProblemCode::Origin,
                "the Origin must be localhost, an IP address, one of the server's allowed_hosts or one of its allowed_origins",
            ));
        }
        Ok(())
    }

    /// Whether an authority, a host with or without a port, is this server's.
    fn is_ours(&self, authority: &[u8]) -> bool {
        let Ok(authority) = str::from_utf8(authority) else { return false };
        if let Some(rest) = authority.strip_prefix('[') {
            return rest
                .split_once(']')
                .is_some_and(|(host, port)| is_port(port) && host.parse::<Ipv6Addr>().is_ok());
        }
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        is_port(port)
            && (host.eq_ignore_ascii_case("localhost")
                || host.parse::<Ipv4Addr>().is_ok()
                || self.names.iter().any(|name| name.eq_ignore_ascii_case(host)))
    }

    /// `null`, which a sandboxed page sends, is no host and so not ours.
    fn is_our_origin(&self, origin: &[u8]) -> bool {
        let start = origin.windows(3).position(|window| window == b"://");
        start.is_some_and(|start| self.is_ours(&origin[start + 3..]))
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
        let gate = Gate::new(&[]);
        for ours in ["http://localhost", "https://localhost:3000", "http://127.0.0.1:8080", "http://[::1]"] {
            assert!(gate.is_our_origin(ours.as_bytes()), "{ours}");
        }
        for foreign in
            ["null", "", "localhost", "http://", "https://example.com", "http://localhost.evil.com"]
        {
            assert!(!gate.is_our_origin(foreign.as_bytes()), "{foreign}");
        }
    }
}
